"""The price book: what vendors list for a token, by model, service, length of prompt and date.

A row of `data/api_prices.csv` holds from its `valid_from` until the next row of the same model,
service and tier; a blank `valid_from` means from the launch on, as far as the sources show. A
lookup says what the book does not know and never fills a gap with another price.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from costlib._checks import non_negative
from costlib.columns import is_date
from costlib.tables import TableError, UnknownNameError, lookup, rows

__all__ = ["Price", "book", "offers", "price", "read_on", "request_prices", "table"]

PRICES: Final = (
    "input_usd_per_mtok",
    "cached_input_usd_per_mtok",
    "cache_write_usd_per_mtok",
    "cache_write_1h_usd_per_mtok",
    "output_usd_per_mtok",
)
STANDARD: Final = "standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one provider lists for one model, in one service and tier, from one date on."""

    name: str  # the model, or "MODEL at PROVIDER" where several sell it
    provider: str
    model: str
    launched: str  # blank where no source says
    valid_from: str  # blank: from the launch on, as far as the sources show
    service: str
    above_input_tokens: float
    input_usd_per_mtok: float
    cached_input_usd_per_mtok: float  # NaN where the vendor lists no cache
    cache_write_usd_per_mtok: float  # NaN where writing costs what fresh input does
    cache_write_1h_usd_per_mtok: float  # NaN where no such life is sold
    cache_life_s: float
    output_usd_per_mtok: float
    weights: str  # name in models.csv of a model whose weights are open
    listed_as: str
    note: str
    source: str
    as_of: str


def _day(date: str) -> str:
    """First day that a date of any precision may mean, so that texts compare as dates."""
    return date + "-01-01"[len(date) - 10 :] if 0 < len(date) < 10 else date


@functools.cache
def book(path: Path | None = None) -> tuple[Price, ...]:
    """Every row of the price book, in its order.

    Raises
    ------
    TableError
        If a row is damaged, stands there twice, or is valid before its model was launched.
    """
    read = rows("api_prices.csv", path)
    sold: dict[str, set[str]] = {}
    for row in read:
        sold.setdefault(row["model"], set()).add(row["provider"])
    found = tuple(
        Price(
            name=row["model"]
            if len(sold[row["model"]]) == 1
            else f"{row['model']} at {row['provider']}",
            **row,
        )
        for row in read
    )
    seen = set()
    for line, one in enumerate(found, start=2):
        key = (one.provider, one.model, one.service, one.above_input_tokens, one.valid_from)
        if key in seen:
            raise TableError(f"api_prices.csv, line {line} ({one.model}): stands there twice")
        seen.add(key)
        if one.valid_from and one.launched and _day(one.valid_from) < _day(one.launched):
            raise TableError(
                f"api_prices.csv, line {line} ({one.model}), column valid_from: expected a date "
                f"from the launch on {one.launched} on, got {one.valid_from!r}"
            )
    return found


@functools.cache
def table(path: Path | None = None) -> pd.DataFrame:
    """The price book as a frame; `since` is the day from which a row holds, blank if unknown."""
    frame = pd.DataFrame([{f: getattr(row, f) for f in Price.__slots__} for row in book(path)])
    return frame.assign(
        since=frame["valid_from"].where(frame["valid_from"] != "", frame["launched"])
    )


def read_on() -> str:
    """Day on which the book was last read from its sources."""
    return max(row.as_of for row in book())


@functools.cache
def offers() -> Mapping[str, Price]:
    """First row of every model of the book by its name."""
    found: dict[str, Price] = {}
    for row in book():
        found.setdefault(row.name, row)
    return found


def _offer(name: str) -> Price:
    name, known = str(name), dict(offers())
    if hosts := [row.name for row in known.values() if row.model == name and row.name != name]:
        raise UnknownNameError(f"{name} has several providers; name one of {', '.join(hosts)}")
    if " at " in name:  # the provider may be named where there is only one, too
        known |= {f"{row.model} at {row.provider}": row for row in offers().values()}
    return lookup("API price", name, known)


def price(
    model: str, *, at: str | None = None, service: str = STANDARD, input_tokens: float = 0
) -> Price:
    """Price of a model on a day.

    Parameters
    ----------
    model
        Name in the book; "MODEL at PROVIDER" where several sell it.
    at
        The day, as YYYY-MM-DD, YYYY-MM or YYYY; by default the last that the book knows.
    service
        "standard", "batch", "flex", "priority", "fast", "peak" ...
    input_tokens
        Length of the prompt, which decides the tier.

    Raises
    ------
    UnknownNameError
        If the book has no such model or service; the message names the nearest, or what it has.
    ValueError
        If the day lies before the launch, or before the first price that the book knows.

    Examples
    --------
    >>> price("gpt-4o", at="2024-06-01").output_usd_per_mtok
    15.0
    >>> price("gpt-4o", at="2024-09-01").output_usd_per_mtok
    10.0
    >>> price("gemini-2.5-pro", input_tokens=250_000).input_usd_per_mtok
    2.5
    """
    tiers = _tiers(_offer(model).name, _date(at), service)
    length = max(float(non_negative("input_tokens", input_tokens)), 1)
    return next(row for row in reversed(tiers) if row.above_input_tokens < length)


def _date(at: str | None) -> str:
    if at is None:
        return read_on()
    if not is_date(str(at)):
        raise ValueError(f"at must be a date as YYYY, YYYY-MM or YYYY-MM-DD, got {at!r}")
    return str(at)


@functools.cache
def _tiers(name: str, at: str, service: str) -> tuple[Price, ...]:
    """Rows that hold on a day, one per tier, the shortest first."""
    mine = [row for row in book() if row.name == name]
    launched, day = mine[0].launched, _day(at)
    if launched and day < _day(launched):
        raise ValueError(f"at: {name} was launched on {launched}, so it has no price on {at}")
    served = [row for row in mine if row.service == service]
    if not served:
        has = ", ".join(dict.fromkeys(row.service for row in mine))
        raise UnknownNameError(f"{name} has no {service!r} price in the book; it has {has}")
    held: dict[float, Price] = {}
    for row in sorted(served, key=lambda row: _day(row.valid_from)):
        if _day(row.valid_from) <= day:
            held[row.above_input_tokens] = row
    if 0 not in held:
        first = min(_day(row.valid_from) for row in served)
        raise ValueError(
            f"at: the book knows no {service} price of {name} on {at}; its first is of {first}"
        )
    return tuple(held[edge] for edge in sorted(held))


def request_prices(
    model: str,
    input_tokens: ArrayLike,
    *,
    at: str | None = None,
    service: str = STANDARD,
    cache_hours: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """Prices of requests by the length of their prompts, as `pricing.request_usd` takes them.

    Parameters
    ----------
    model
        As in `price`.
    input_tokens
        Prompts; each takes all its prices from the tier that it falls into.
    at
        As in `price`.
    service
        As in `price`.
    cache_hours
        Whether the cache is written for an hour rather than for the vendor's usual life.

    Returns
    -------
        Arrays in the shape of `input_tokens`: input, cached input, cache write, output. Where the
        vendor lists no price for the cache, its tokens cost what fresh input does.

    Raises
    ------
    UnknownNameError, ValueError
        As in `price`; or if a prompt is negative or not a number, or no hour is sold.

    Examples
    --------
    200,000 tokens cost a quarter of a dollar, one more doubles it:

    >>> from costlib import pricing
    >>> prompts = [200_000, 200_001]
    >>> pricing.request_usd(
    ...     input_tokens=prompts, output_tokens=0, **request_prices("gemini-2.5-pro", prompts)
    ... ).round(6)
    array([0.25    , 0.500002])
    """
    non_negative("input_tokens", input_tokens)
    prompts = np.asarray(input_tokens, dtype=np.float64)
    if not (prompts >= 0).all():
        raise ValueError(f"input_tokens must not be negative, got {prompts[~(prompts >= 0)][0]!r}")
    tiers = _tiers(_offer(model).name, _date(at), service)
    place = np.searchsorted([row.above_input_tokens for row in tiers], prompts) - 1
    place = np.maximum(place, 0)

    def by_request(column: str) -> NDArray[np.float64]:
        values = [getattr(row, column) for row in tiers]
        fresh = [row.input_usd_per_mtok for row in tiers]
        filled = [f if math.isnan(v) else v for v, f in zip(values, fresh, strict=True)]
        return np.asarray(filled)[place]

    write = "cache_write_1h_usd_per_mtok" if cache_hours else "cache_write_usd_per_mtok"
    if cache_hours and any(math.isnan(getattr(row, write)) for row in tiers):
        raise ValueError(f"cache_hours: {model} sells no cache for an hour")
    return {
        "input_usd_per_mtok": by_request("input_usd_per_mtok"),
        "cached_input_usd_per_mtok": by_request("cached_input_usd_per_mtok"),
        "cache_write_usd_per_mtok": by_request(write),
        "output_usd_per_mtok": by_request("output_usd_per_mtok"),
    }
