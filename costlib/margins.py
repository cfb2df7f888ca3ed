"""Implied margins: what hosts of open models list, against what a modelled machine costs.

A host's machine is not public. The study takes the cheapest of a few rented machines on which
the serving model keeps a promised speed, in the format that the model is published in or in
eight bits, and divides its rent by the requests that it serves when full.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np
import pandas as pd

from costlib import catalog, deploy, frontier, pricebook, pricing, serve, tables, units, work
from costlib import machines as boards
from costlib._checks import fraction, non_negative, positive

__all__ = ["fast_rents", "hosted", "listed_day", "machines", "margins", "needed_nodes"]

ACCELERATORS: Final = ("H100", "H200", "B200")
SIZES: Final = (1, 2, 4, 8)
CLIENTS: Final = tuple(2.0**n for n in range(11))
FAST: Final = "Fast tier"  # how the note of such a price opens


def hosted() -> list[str]:
    """Models of the catalog that someone lists a price for, in the catalog's order."""
    listed = {row.weights for row in pricebook.book() if row.service == pricebook.STANDARD}
    return [name for name in catalog.models() if name in listed]


def _format(model: str) -> str:
    """Format in which a host is taken to serve: the published one, or eight bits."""
    bits = catalog.model(model).native_bits
    if bits == catalog.format_named("mxfp4").weight_bits:
        return "mxfp4"
    return "int4" if bits < units.BITS_PER_BYTE else "fp8"


def machines(
    models: Sequence[str],
    *,
    rent_kind: str,
    input_tokens: float,
    output_tokens: float,
    user_tokens_per_s: float,
    hit_fraction: float = 0,
) -> pd.DataFrame:
    """The machine of each model that serves a request for least and keeps the promise.

    Parameters
    ----------
    models
        Names of the catalog.
    rent_kind
        A kind of `data/gpu_prices.csv`; of each accelerator the lowest rent is taken.
    input_tokens, output_tokens
        The request. [tokens]
    user_tokens_per_s
        Speed of an answer that is promised. [tokens/s]
    hit_fraction
        Share of the prompt that the host finds in its cache. [-]

    Returns
    -------
        A row per model that some machine serves at the promise: the machine, its format,
        `n_clients` at once, `requests_per_s` when full, and `full_usd`, the cost of a request
        then, with the ends of the 80 % interval of throughput. `active_params` are those that a
        token passes, `is_mixture` whether they are not all.

    Raises
    ------
    ValueError
        If there are no rents of the kind, no machine keeps the promise, or a number is out of
        its range.
    """
    rent = frontier.rents(rent_kind)
    offered = [name for name in ACCELERATORS if name in rent]
    if not offered:
        raise ValueError(f"rent_kind: no {rent_kind!r} rents of {', '.join(ACCELERATORS)}")
    positive("user_tokens_per_s", user_tokens_per_s)
    fraction("hit_fraction", hit_fraction)
    grid = pd.DataFrame(
        product(models, offered, SIZES, CLIENTS),
        columns=["model", "accelerator", "n_accelerators", "n_clients"],
    )
    grid["weight_format"] = [_format(name) for name in grid["model"]]
    done = serve.prediction(
        deploy.scenarios(
            list(grid["model"]),
            list(grid["accelerator"]),
            weight_format=list(grid["weight_format"]),
            n_accelerators=grid["n_accelerators"].to_numpy(),
            n_clients=grid["n_clients"].to_numpy(),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            reused_fraction=hit_fraction,
        )
    )
    low, high = done.interval["tokens_per_s"]
    usd_per_s = grid["accelerator"].map(rent) * grid["n_accelerators"] / units.SECONDS_PER_HOUR
    with np.errstate(divide="ignore"):
        found = grid.assign(
            requests_per_s=done.tokens_per_s / output_tokens,
            full_usd=usd_per_s * output_tokens / done.tokens_per_s,
            full_low_usd=usd_per_s * output_tokens / high,
            full_high_usd=usd_per_s * output_tokens / low,
        )
    kept = found[
        done.fits
        & (done.n_running >= grid["n_clients"])
        & (1 / np.asarray(done.tpot_s) >= user_tokens_per_s)
    ]
    if kept.empty:
        raise ValueError(
            f"user_tokens_per_s: no machine answers {', '.join(models)} at "
            f"{user_tokens_per_s:.0f} tokens/s"
        )
    best = kept.loc[kept.groupby("model", sort=False)["full_usd"].idxmin()].reset_index(drop=True)
    of = [catalog.model(name) for name in best["model"]]
    active = [
        float(
            work.active_params(
                **catalog.weight_layers(one, active=True), embedding_params=one.head_params
            )
        )
        for one in of
    ]
    return best.assign(
        active_params=active, is_mixture=[bool(one.printed_active_params) for one in of]
    )


def _bill_usd(offer: str, *, input_tokens: float, output_tokens: float, hit: float) -> float:
    return float(
        pricing.request_usd(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_tokens=hit * input_tokens,
            **pricebook.request_prices(offer, input_tokens),
        )
    )


def margins(
    served: pd.DataFrame,
    *,
    input_tokens: float,
    output_tokens: float,
    load: float,
    hit_fraction: float = 0,
) -> pd.DataFrame:
    """Every host's list bill against the cost of the machine, for the models of `machines`.

    Returns
    -------
        A row per model and host: `provider`, the days of the price and of its reading,
        `bill_usd`, the margin at
        the load with the ends of its interval, and `zero_load`, from which it earns, with its
        ends; infinite where not even a full machine does. Fast tiers, which are another kind of
        hardware, are left out.
    """
    positive("input_tokens", input_tokens)
    non_negative("output_tokens", output_tokens)
    non_negative("load", load)
    fraction("hit_fraction", hit_fraction)
    asked = {"input_tokens": input_tokens, "output_tokens": output_tokens, "hit": hit_fraction}
    offers = [pricebook.price(name) for name, first in pricebook.offers().items() if first.weights]
    listed = pd.DataFrame(
        {
            "model": offer.weights,
            "provider": offer.provider,
            "since": offer.valid_from or offer.launched,
            "read_on": offer.as_of,
            "bill_usd": _bill_usd(offer.name, **asked),
        }
        for offer in offers
        if not offer.note.startswith(FAST)
    )
    costs = served[["model", "full_usd", "full_low_usd", "full_high_usd"]]
    found = listed.merge(costs, on="model")
    bill = found["bill_usd"].to_numpy()
    for end, dear, cheap in (
        ("", "full_usd", "full_usd"),
        ("_low", "full_high_usd", "full_low_usd"),
        ("_high", "full_low_usd", "full_high_usd"),
    ):
        found[f"margin{end}"] = pricing.gross_margin_fraction(
            bill_usd=bill, full_usd=found[dear].to_numpy(), load=load
        )
        found[f"zero_load{end}"] = pricing.break_even_load(
            bill_usd=bill, full_usd=found[cheap].to_numpy()
        )
    return found.drop(columns=["full_usd", "full_low_usd", "full_high_usd"])


def fast_rents(
    model: str, *, input_tokens: float, output_tokens: float, load: float
) -> pd.DataFrame:
    """The rent of a rack of fast machines at which its list price for a model leaves nothing.

    No maker publishes a rent. As many users as a rack holds, in eight bits, are taken to get the
    speed that the maker states of a model of that size, and prompts to take no time: the rent is
    an upper bound.

    Returns
    -------
        A row per maker that lists a price and states a speed: `bill_usd` of a request,
        `users_per_rack`, `user_tokens_per_s` and `rent_usd_per_h` of a rack.
    """
    non_negative("input_tokens", input_tokens, finite=True)
    non_negative("output_tokens", output_tokens, finite=True)
    positive("load", fraction("load", load))
    held = boards.sram_users(
        model, weight_bits=8, cache_bits=8, context_tokens=input_tokens + output_tokens
    ).set_index("machine")
    asked = {"input_tokens": input_tokens, "output_tokens": output_tokens, "hit": 0.0}
    offers = [pricebook.price(name) for name in pricebook.offers()]
    found = []
    for row in tables.rows("sram_machines.csv"):
        of_maker = [
            offer
            for offer in offers
            if (offer.weights, offer.provider) == (model, row["maker"])
            and offer.note.startswith(FAST)
        ]
        rack = held.loc[row["name"]]
        if not of_maker or not np.isfinite(rack["stated_tokens_per_s"]):
            continue
        bill = _bill_usd(of_maker[0].name, **asked)
        requests = rack["users_per_rack"] * rack["stated_tokens_per_s"] / output_tokens
        found.append(
            {
                "machine": row["name"],
                "provider": row["maker"],
                "bill_usd": bill,
                "users_per_rack": rack["users_per_rack"],
                "user_tokens_per_s": rack["stated_tokens_per_s"],
                "rent_usd_per_h": load * requests * units.SECONDS_PER_HOUR * bill,
            }
        )
    return pd.DataFrame(found)


def listed_day() -> pd.Series[float]:
    """A published day of a host: DeepSeek's nodes and tokens, billed at the list of that day.

    Returns
    -------
        What `data/deepseek_day.csv` states, and beside it `cost_usd`, `bill_usd`, the margin
        over the bill and over the cost, the load as the mean over the peak of nodes, the output
        per node and second over all nodes, `rate_nodes`, which its stated speeds of a node that
        reads and of one that answers ask for, and `v3_usd`, the day at the list of V3.
    """
    day = catalog.stated("deepseek_day.csv")
    n_gpus = day["mean_nodes"] * day["accelerators_per_node"]
    cost = n_gpus * units.HOURS_PER_DAY * day["rent_usd_per_h"]
    bills = {}
    for offer in ("deepseek-reasoner", "deepseek-chat"):
        price = pricebook.price(offer, at="2025-02-28")
        bills[offer] = float(
            pricing.request_usd(
                input_tokens=day["input_tokens"],
                cached_tokens=day["cached_tokens"],
                output_tokens=day["output_tokens"],
                input_usd_per_mtok=price.input_usd_per_mtok,
                cached_input_usd_per_mtok=price.cached_input_usd_per_mtok,
                output_usd_per_mtok=price.output_usd_per_mtok,
            )
        )
    bill = bills["deepseek-reasoner"]
    seconds = units.SECONDS_PER_DAY
    return pd.Series(
        day
        | {
            "cost_usd": cost,
            "bill_usd": bill,
            "v3_usd": bills["deepseek-chat"],
            "margin": float(pricing.gross_margin_fraction(bill_usd=bill, full_usd=cost, load=1)),
            "over_cost": bill / cost - 1,
            "load": day["mean_nodes"] / day["peak_nodes"],
            "output_per_node_s": day["output_tokens"] / seconds / day["mean_nodes"],
            "rate_nodes": day["input_tokens"] / seconds / day["prefill_node_tokens_per_s"]
            + day["output_tokens"] / seconds / day["decode_node_tokens_per_s"],
        }
    )


def needed_nodes(*, accelerator: str, n_accelerators: int) -> pd.DataFrame:
    """Nodes on which the serving model would do DeepSeek's day, at its speed and cache hits.

    The request is one whose mean context while it is answered is the published one. Each row is
    a number of clients at once, the last the most that keep the published speed.
    """
    day = catalog.stated("deepseek_day.csv")
    share = day["input_tokens"] / day["output_tokens"]
    output = day["context_tokens"] / (share + 0.5)
    done = serve.prediction(
        deploy.scenarios(
            "DeepSeek-R1",
            accelerator,
            weight_format="fp8",
            n_accelerators=n_accelerators,
            n_clients=np.array(CLIENTS),
            input_tokens=share * output,
            output_tokens=output,
            reused_fraction=day["cached_tokens"] / day["input_tokens"],
        )
    )
    speed = 1 / np.asarray(done.tpot_s)
    kept = np.asarray(done.fits) & (speed >= day["user_tokens_per_s"])
    rate = day["output_tokens"] / units.SECONDS_PER_DAY
    low, high = done.interval["tokens_per_s"]
    return pd.DataFrame(
        {
            "n_clients": CLIENTS,
            "user_tokens_per_s": speed,
            "nodes": rate / np.asarray(done.tokens_per_s),
            "nodes_low": rate / np.asarray(high),
            "nodes_high": rate / np.asarray(low),
        }
    )[kept].reset_index(drop=True)
