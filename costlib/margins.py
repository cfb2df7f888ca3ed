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

from costlib import catalog, deploy, frontier, pricebook, pricing, serve, units

__all__ = ["hosted", "listed_day", "machines", "margins", "needed_nodes"]

ACCELERATORS: Final = ("H100", "H200", "B200")
SIZES: Final = (1, 2, 4, 8)
CLIENTS: Final = tuple(2.0**n for n in range(11))


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
        then, with the ends of the 80 % interval of throughput.

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
    if not user_tokens_per_s > 0:
        raise ValueError(f"user_tokens_per_s must be positive, got {user_tokens_per_s!r}")
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
    best = kept.loc[kept.groupby("model", sort=False)["full_usd"].idxmin()]
    return best.reset_index(drop=True)


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
    offers = [pricebook.price(name) for name, first in pricebook.offers().items() if first.weights]
    found = []
    for offer in offers:
        mine = served[served["model"] == offer.weights]
        if mine.empty or offer.note.startswith("Fast tier"):
            continue
        row = mine.iloc[0]
        bill = float(
            pricing.request_usd(
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cached_tokens=hit_fraction * input_tokens,
                **pricebook.request_prices(offer.name, input_tokens),
            )
        )
        costs = {"": "full_usd", "_low": "full_high_usd", "_high": "full_low_usd"}
        found.append(
            {
                "model": offer.weights,
                "provider": offer.provider,
                "since": offer.valid_from or offer.launched,
                "read_on": offer.as_of,
                "bill_usd": bill,
                **{
                    f"margin{end}": float(
                        pricing.gross_margin_fraction(bill_usd=bill, full_usd=row[cost], load=load)
                    )
                    for end, cost in costs.items()
                },
                **{
                    f"zero_load{end}": float(
                        pricing.break_even_load(bill_usd=bill, full_usd=row[cost])
                    )
                    for end, cost in (
                        ("", costs[""]),
                        ("_low", costs["_high"]),
                        ("_high", costs["_low"]),
                    )
                },
            }
        )
    return pd.DataFrame(found)


def listed_day() -> pd.Series[float]:
    """A published day of a host: DeepSeek's nodes and tokens, billed at the list of that day.

    Returns
    -------
        What `data/deepseek_day.csv` states, and beside it `cost_usd`, `bill_usd`, the margin
        over the bill and over the cost, the load as the mean over the peak of nodes, and the
        tokens of each kind per node and second.
    """
    day = catalog.stated("deepseek_day.csv")
    n_gpus = day["mean_nodes"] * day["accelerators_per_node"]
    cost = n_gpus * 24 * day["rent_usd_per_h"]
    price = pricebook.price("deepseek-reasoner", at="2025-02-28")
    bill = float(
        pricing.request_usd(
            input_tokens=day["input_tokens"],
            cached_tokens=day["cached_tokens"],
            output_tokens=day["output_tokens"],
            input_usd_per_mtok=price.input_usd_per_mtok,
            cached_input_usd_per_mtok=price.cached_input_usd_per_mtok,
            output_usd_per_mtok=price.output_usd_per_mtok,
        )
    )
    seconds = 24 * units.SECONDS_PER_HOUR * day["mean_nodes"]
    return pd.Series(
        day
        | {
            "cost_usd": cost,
            "bill_usd": bill,
            "margin": 1 - cost / bill,
            "over_cost": bill / cost - 1,
            "load": day["mean_nodes"] / day["peak_nodes"],
            "input_per_node_s": day["input_tokens"] / seconds,
            "output_per_node_s": day["output_tokens"] / seconds,
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
    rate = day["output_tokens"] / (24 * units.SECONDS_PER_HOUR)
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
