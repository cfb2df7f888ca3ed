"""Sites: what buildings, nodes and grids were reported or measured to draw, emit and charge."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

from costlib import tables

__all__ = ["CENTS_PER_USD", "Fact", "facilities", "facility", "grid", "hours", "place"]

CENTS_PER_USD: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One reported or measured number of a building or a node."""

    name: str
    words: str
    quantity: str
    value: float
    category: str  # where the meter stands
    interval: str  # over which time it was read
    note: str
    source: str
    as_of: str


@functools.cache
def _facts(path: Path | None = None) -> Mapping[str, Fact]:
    rows = (Fact(**row) for row in tables.rows("facilities.csv", path))
    return MappingProxyType(tables.by_name("facilities.csv", rows))


def facility(name: str, path: Path | None = None) -> Fact:
    """A row of `facilities.csv` by its name.

    Raises
    ------
    UnknownNameError
        If there is none; the message names the nearest.

    Examples
    --------
    >>> facility("h100-node-rated").value
    10200.0
    """
    return tables.lookup("facility", name, _facts(path))


def facilities(quantity: str, path: Path | None = None) -> pd.DataFrame:
    """Every row of one quantity, by value.

    >>> facilities("pue").value.min()
    np.float64(1.04)
    """
    rows = _facilities(path)
    found = rows[rows.quantity == quantity]
    return found.sort_values("value", kind="stable", ignore_index=True)


@functools.cache
def _facilities(path: Path | None) -> pd.DataFrame:
    return pd.DataFrame([asdict(fact) for fact in _facts(path).values()])


@functools.cache
def _grid(path: Path | None = None) -> pd.DataFrame:
    rows = pd.DataFrame(tables.rows("grid.csv", path))
    cents = rows.quantity == "cents_per_kwh"
    rows.loc[cents, "value"] /= CENTS_PER_USD
    rows.loc[cents, "quantity"] = "usd_per_kwh"
    return rows


def grid(quantity: str, path: Path | None = None) -> pd.DataFrame:
    """Means of a year by place, by value: `g_per_kwh`, `l_per_kwh` or `usd_per_kwh`."""
    rows = _grid(path)
    found = rows[(rows.quantity == quantity) & rows.hour.isna()]
    return found.sort_values("value", kind="stable", ignore_index=True)


def place(name: str, quantity: str = "g_per_kwh", path: Path | None = None) -> float:
    """Mean of a year at one place.

    Raises
    ------
    UnknownNameError
        If there is no such place with that quantity.

    Examples
    --------
    >>> place("fra"), round(place("texas", "usd_per_kwh"), 3)
    (56.039, 0.066)
    """
    found = _places(quantity, path)
    if name not in found:
        known = ", ".join(found)
        raise tables.UnknownNameError(f"no place {name!r} with {quantity}; there are {known}")
    return found[name]


@functools.cache
def _places(quantity: str, path: Path | None) -> Mapping[str, float]:
    means = grid(quantity, path)
    return MappingProxyType(dict(zip(means.name, means.value.tolist(), strict=True)))


def hours(name: str, path: Path | None = None) -> np.ndarray:
    """Carbon intensity of the 24 hours of a day, from 0:00 UTC.

    Raises
    ------
    UnknownNameError
        If the table has no hours of that place.
    """
    rows = _grid(path)
    found = rows[(rows.name == name) & rows.hour.notna()].sort_values("hour")
    if found.empty:
        known = ", ".join(sorted(set(rows[rows.hour.notna()]["name"])))
        raise tables.UnknownNameError(f"no hours of {name!r}; there are {known}")
    return found.value.to_numpy()
