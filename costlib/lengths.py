"""How long requests are: the fields of public traces, as tables of equally likely values."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from costlib._checks import non_negative
from costlib.tables import TableError, UnknownNameError, by_name, lookup, rows

__all__ = ["Fit", "Trace", "length_quantiles", "lognormal_fit", "traces"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Requests of a public trace: equally likely values of each field, in ascending order."""

    name: str
    quantiles: Mapping[str, NDArray[np.float64]]
    source: str
    as_of: str


@functools.cache
def traces(path: Path | None = None) -> Mapping[str, Trace]:
    """Lengths and times of requests, by trace.

    Raises
    ------
    TableError
        If the quantiles of a field are not evenly spaced, or its values fall.
    """
    fields: dict[str, dict[str, list[tuple[float, float]]]] = {}
    heads: dict[str, dict[str, Any]] = {}
    for row in rows("length_quantiles.csv", path):
        field = fields.setdefault(row["trace"], {}).setdefault(row["field"], [])
        field.append((row["quantile"], row["value"]))
        heads.setdefault(row["trace"], row)
    return by_name(
        "length_quantiles.csv",
        (
            Trace(
                name=name,
                quantiles={
                    field: _equally_likely(f"{name}, {field}", pairs)
                    for field, pairs in fields[name].items()
                },
                source=row["source"],
                as_of=row["as_of"],
            )
            for name, row in heads.items()
        ),
    )


def length_quantiles(trace: str, field: str) -> NDArray[np.float64]:
    """Values of one field of a trace, each as likely as the others, in ascending order.

    Raises
    ------
    UnknownNameError
        If there is no such trace or field; the message names the nearest, or those there are.

    Examples
    --------
    >>> length_quantiles("Azure conversation", "output_tokens").mean().round()
    np.float64(211.0)
    """
    found = lookup("trace", trace, traces())
    if field not in found.quantiles:
        known = ", ".join(found.quantiles)
        raise UnknownNameError(f"no field {field!r} of {found.name}; it has {known}")
    return found.quantiles[field]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A lognormal with the mean and spread of the logarithms of a table, and how far off it is."""

    mean_tokens: float
    sigma: float
    scv: float  # squared coefficient of variation of the fitted law
    distance_fraction: float  # largest gap between the two distribution functions


def lognormal_fit(lengths_tokens: ArrayLike) -> Fit:
    """The one lognormal that fits equally likely lengths best; lengths of 0 are left out.

    Raises
    ------
    ValueError
        If a length is negative, or none is above 0.

    Examples
    --------
    >>> fit = lognormal_fit(length_quantiles("Azure code", "output_tokens"))
    >>> round(fit.sigma, 2), round(fit.distance_fraction, 2)
    (0.85, 0.13)
    """
    lengths = np.ravel(non_negative("lengths_tokens", lengths_tokens))
    lengths = np.sort(lengths[lengths > 0])
    if not lengths.size:
        raise ValueError("lengths_tokens must have a length above 0")
    logs = np.log(lengths)
    mean, sigma = float(logs.mean()), float(logs.std())
    law = special.ndtr((logs - mean) / sigma) if sigma > 0 else np.full(logs.size, 0.5)
    through = np.searchsorted(lengths, lengths, side="right") / lengths.size
    before = np.searchsorted(lengths, lengths, side="left") / lengths.size
    return Fit(
        mean_tokens=float(np.exp(mean + sigma**2 / 2)),
        sigma=sigma,
        scv=float(np.expm1(sigma**2)),
        distance_fraction=float(np.maximum(np.abs(through - law), np.abs(before - law)).max()),
    )


def _equally_likely(place: str, pairs: list[tuple[float, float]]) -> NDArray[np.float64]:
    quantile, value = (np.array(column) for column in zip(*pairs, strict=True))
    middles = (np.arange(quantile.size) + 0.5) / quantile.size
    if np.abs(quantile - middles).max() > 1e-9:
        raise TableError(f"length_quantiles.csv: {place}: quantiles are not evenly spaced")
    if (np.diff(value) < 0).any():
        raise TableError(f"length_quantiles.csv: {place}: values fall")
    value.flags.writeable = False  # one table for all who ask
    return value
