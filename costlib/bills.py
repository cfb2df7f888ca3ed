"""Bills of whole workloads at list: what cache, batch, tier and contract leave of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from costlib import pricebook, pricing
from costlib._checks import fraction, non_negative
from costlib.tables import UnknownNameError
from costlib.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, TOKENS_PER_MTOK
from costlib.workloads import length_table, workloads

__all__ = ["by_length", "provision", "services", "workload_bills"]


def workload_bills(
    model: str, *, at: str | None = None, hit_fraction: float | None = None
) -> pd.DataFrame:
    """Mean bill of a request of each workload: at list, with a cache, as a batch, with both.

    Parameters
    ----------
    model
        Name in the price book.
    at
        The day; by default the last of the book.
    hit_fraction
        Share of every prompt that the cache finds. By default what each record shows: of the
        prompts of agents what they sent before, of the others nothing.

    Returns
    -------
        A row per workload: USD per request for `list`, `cached`, `batch` and `both`, the shares
        of list that the last three leave and the least of them, and the shares of `list` that are
        output and of the input that is cached. Whatever is not read from the cache is written to
        it, where a cache is used and finds anything. NaN for batches that the book does not know.

    Raises
    ------
    UnknownNameError, ValueError
        As in `pricebook.price`; or if the share is out of its range.
    """
    if hit_fraction is not None:
        fraction("hit_fraction", hit_fraction)
    found = []
    for name in workloads():
        table = length_table(name)
        prompts = table["input_tokens"].astype(float)
        read = table["cached_tokens"] if hit_fraction is None else hit_fraction * prompts
        request = {"input_tokens": prompts, "output_tokens": table["output_tokens"]}
        kept = {
            "cached_tokens": read,
            "written_tokens": np.where(read.sum() > 0, prompts - read, 0),
        }
        row: dict[str, str | float] = {"workload": name}
        for way, service, cache in (
            ("list", pricebook.STANDARD, {}),
            ("cached", pricebook.STANDARD, kept),
            ("batch", "batch", {}),
            ("both", "batch", kept),
        ):
            try:
                prices = pricebook.request_prices(model, prompts, at=at, service=service)
            except (UnknownNameError, ValueError):
                if service == pricebook.STANDARD:
                    raise
                row[way] = np.nan  # the model sells no batch, or the book knows none that day
                continue
            row[way] = pricing.request_usd(**request, **cache, **prices).mean()
        prices = pricebook.request_prices(model, prompts, at=at)
        answers = pricing.request_usd(**request | {"input_tokens": 0 * prompts}, **prices)
        row["output_fraction"] = answers.mean() / float(row["list"])
        row["hit_fraction"] = read.sum() / prompts.sum()
        found.append(row)
    bills = pd.DataFrame(found)
    left = {f"{way}_fraction": bills[way] / bills["list"] for way in ("cached", "batch", "both")}
    return bills.assign(**left, least_fraction=pd.DataFrame(left).min(axis=1))


def by_length(
    model: str, input_tokens: ArrayLike, *, output_tokens: float, at: str | None = None
) -> NDArray[np.float64]:
    """Bill of a request in USD by the length of its prompt, tiers and all."""
    prompts = np.asarray(non_negative("input_tokens", input_tokens))
    prices = pricebook.request_prices(model, prompts, at=at)
    return np.asarray(
        pricing.request_usd(input_tokens=prompts, output_tokens=output_tokens, **prices)
    )


def services(names: Sequence[str] | None = None) -> pd.DataFrame:
    """Today's prices of every other service over the standard one of the same model.

    Returns
    -------
        provider, model, service, and `input_times` and `output_times` of the standard price.
    """
    found = []
    kept = set(pricebook.offers() if names is None else names)
    for name, service in dict.fromkeys((row.name, row.service) for row in pricebook.book()):
        if name not in kept or service == pricebook.STANDARD:
            continue
        row, plain = pricebook.price(name, service=service), pricebook.price(name)
        found.append(
            {
                "provider": row.provider,
                "model": row.model,
                "service": service,
                "input_times": row.input_usd_per_mtok / plain.input_usd_per_mtok,
                "output_times": row.output_usd_per_mtok / plain.output_usd_per_mtok,
            }
        )
    return pd.DataFrame(found)


def provision(
    demand_tokens_per_s: ArrayLike, *, full_price_fraction: float, list_usd_per_mtok: float
) -> pd.DataFrame:
    """Cost of a day by the size of a reservation, what exceeds it spilling to list price.

    Parameters
    ----------
    demand_tokens_per_s
        Tokens asked for in even stretches of the day. [tokens/s]
    full_price_fraction
        What a fully used reservation costs per token, over list. [-]
    list_usd_per_mtok
        Mean list price of a token. [USD/Mtok]

    Returns
    -------
        A row per size, none up to the highest demand: `reserved_tokens_per_s`, the used share
        `busy_fraction`, and `times`, the cost over that of the same tokens at list. The best
        size is the demand that is exceeded for `full_price_fraction` of the day.

    Raises
    ------
    ValueError
        If there is no demand, or a number is out of its range.
    """
    non_negative("demand_tokens_per_s", demand_tokens_per_s, finite=True)
    fraction("full_price_fraction", full_price_fraction)
    non_negative("list_usd_per_mtok", list_usd_per_mtok, finite=True)
    demand = np.asarray(demand_tokens_per_s, dtype=np.float64)
    if demand.ndim != 1 or not demand.sum() > 0:
        raise ValueError("demand_tokens_per_s must be a day of stretches, with some demand")
    if not 0 <= full_price_fraction <= 1:
        raise ValueError(f"full_price_fraction must lie in [0, 1], got {full_price_fraction!r}")
    reserved = np.linspace(0, demand.max(), 101)[:, np.newaxis]
    hourly = reserved * SECONDS_PER_HOUR / TOKENS_PER_MTOK * list_usd_per_mtok * full_price_fraction
    stretch_s = SECONDS_PER_DAY / demand.size
    cost = pricing.provisioned_usd(
        demand,
        provisioned_tokens_per_s=reserved,
        provisioned_usd_per_h=hourly,
        held_s=stretch_s,
        spill_usd_per_mtok=list_usd_per_mtok,
    ).sum(axis=1)
    plain = demand.sum() * stretch_s * list_usd_per_mtok / TOKENS_PER_MTOK
    used = np.minimum(demand, reserved).mean(axis=1)
    size = reserved[:, 0]
    return pd.DataFrame(
        {
            "reserved_tokens_per_s": size,
            "busy_fraction": np.divide(used, size, out=np.ones_like(used), where=size > 0),
            "times": cost / plain,
        }
    )
