"""Terms: what clouds charge for what leaves, what they credit for outages, and what caused some."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from costlib import tables, units

__all__ = ["bands", "credit_steps", "moves", "triggers"]


@functools.cache
def _prices(path: Path | None = None) -> pd.DataFrame:
    rows = pd.DataFrame(tables.rows("egress_prices.csv", path))
    return rows.assign(
        from_bytes=rows["from_units"] * rows["unit"],  # a unit is read as its bytes
        usd_per_gb=rows["usd_per_unit"] * units.GB / rows["unit"],
    )


def _of(provider: str, rows: pd.DataFrame, what: str) -> pd.DataFrame:
    found = rows[rows["provider"] == provider]
    if found.empty:
        known = ", ".join(dict.fromkeys(rows["provider"]))
        raise tables.UnknownNameError(f"no {what} of {provider!r}; there are {known}")
    return found


def bands(provider: str, path: Path | None = None) -> Mapping[str, Any]:
    """Prices of the way out to the internet, as `egress.banded_usd` takes them.

    Raises
    ------
    UnknownNameError
        If the provider has none; the message names those that have.

    Examples
    --------
    >>> bands("AWS")["band_usd_per_gb"]
    array([0.   , 0.09 , 0.085, 0.07 , 0.05 ])
    """
    rows = _prices(path)
    found = _of(provider, rows[rows["kind"] == "internet"], "way out").sort_values("from_bytes")
    return {
        "band_start_bytes": found["from_bytes"].to_numpy(),
        "band_usd_per_gb": found["usd_per_gb"].to_numpy(),
    }


def moves(path: Path | None = None) -> pd.DataFrame:
    """Moves at one price: provider, kind, `usd_per_gb` at one end, and note."""
    rows = _prices(path)
    found = rows[rows["kind"] != "internet"]
    return found[["provider", "kind", "usd_per_gb", "note"]].reset_index(drop=True)


def credit_steps(provider: str, path: Path | None = None) -> Mapping[str, Any]:
    """Steps of a promise of uptime, as `outages.credit_usd` takes them.

    Raises
    ------
    UnknownNameError
        If the provider has none; the message names those that have.

    Examples
    --------
    >>> credit_steps("Bedrock")["credit_fraction"]
    array([0.1 , 0.25, 1.  ])
    """
    rows = pd.DataFrame(tables.rows("sla_credits.csv", path))
    found = _of(provider, rows, "credits").sort_values("below_fraction", ascending=False)
    names: list[str] = ["below_fraction", "credit_fraction"]
    return {name: np.asarray(found[name]) for name in names}


def triggers(path: Path | None = None) -> pd.DataFrame:
    """What set off the outages of one large operator: name, share, and whether it was pushed."""
    rows = pd.DataFrame(tables.rows("outage_triggers.csv", path))
    return rows[["name", "share_fraction", "pushed"]]
