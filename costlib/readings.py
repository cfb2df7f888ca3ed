"""Readings: what others published of demand, users and markets, and how we came to read it.

`data/demand.csv` keeps the numbers as they are printed. What they imply, an elasticity or a spread
between users, is computed by the formulas.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pandas as pd

from costlib import demand, tables, usage

__all__ = ["CUT_TIMES", "Reading", "elasticities", "reading", "readings", "sigmas"]

CUT_TIMES: Final = 0.9  # the price cut that a `volume_times` of the kind `price` answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One published number: of which kind, in whose words, of what."""

    name: str
    kind: str
    words: str
    quantity: str
    value: float
    top_fraction: float
    read: str
    note: str
    source: str
    as_of: str


@functools.cache
def readings(path: Path | None = None) -> Mapping[str, Reading]:
    """Every row of the table by its name.

    Raises
    ------
    TableError
        If the table is missing or damaged, or a name stands there twice.
    """
    rows = (Reading(**row) for row in tables.rows("demand.csv", path))
    return MappingProxyType(tables.by_name("demand.csv", rows))


def reading(name: str) -> float:
    """The number of one row.

    Raises
    ------
    UnknownNameError
        If no row has the name; the message names the nearest.

    Examples
    --------
    >>> reading("one-provider")
    1.11
    """
    return tables.lookup("reading of demand", name, readings()).value


def elasticities() -> pd.DataFrame:
    """Published answers to a price: the rows of that kind, each with its `elasticity`."""
    rows = _of("price")
    return rows.assign(
        elasticity=[
            value
            if quantity == "elasticity"
            else float(demand.apparent_elasticity(price_times=CUT_TIMES, volume_times=value))
            for quantity, value in zip(rows["quantity"], rows["value"], strict=True)
        ]
    )


def sigmas() -> pd.DataFrame:
    """Published spreads between users: the rows of that kind, each with a lognormal's `sigma`."""
    rows = _of("users")
    return rows.assign(sigma=[_sigma(one) for one in readings().values() if one.kind == "users"])


def _of(kind: str) -> pd.DataFrame:
    return pd.DataFrame([asdict(one) for one in readings().values() if one.kind == kind])


def _sigma(one: Reading) -> float:
    if one.quantity == "gini":
        return float(usage.gini_sigma(one.value))
    if one.quantity == "share":
        found = usage.share_sigma(top_fraction=one.top_fraction, share_fraction=one.value)
        return float(found)
    return float(usage.quantile_sigma(top_fraction=one.top_fraction, median_times=one.value))
