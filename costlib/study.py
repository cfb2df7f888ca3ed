"""Scenarios as tidy frames: rigs, sweeps, one-at-a-time ranges and flip points; and plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from costlib import catalog
from costlib._checks import count, finite, non_negative, positive
from costlib.plans import plan

__all__ = [
    "Rig",
    "card",
    "flip_point",
    "one_at_a_time",
    "plan",
    "sweep",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Accelerators, the weights on them, and their rent: where a comparison takes place."""

    memory_bytes: float
    memory_bytes_per_s: float
    peak_flop_per_s: float
    rent_usd_per_h: float
    reserved_bytes: float
    weight_bits: float
    cache_bits: float
    n_accelerators: int = 1

    @property
    def speed(self) -> dict[str, float]:
        """Bandwidth and peak of one accelerator, as arguments of the formulas."""
        return {
            "memory_bytes_per_s": self.memory_bytes_per_s,
            "peak_flop_per_s": self.peak_flop_per_s,
        }

    @property
    def rent(self) -> dict[str, float]:
        """What is rented, as arguments of the formulas."""
        return {"rent_usd_per_h": self.rent_usd_per_h, "n_accelerators": self.n_accelerators}


def card(
    device: catalog.Accelerator,
    *,
    activations: str,
    weight_bits: float,
    cache_bits: float,
    rent_usd_per_h: float,
    reserved_bytes: float,
    memory_bytes: float | None = None,
    n_accelerators: int = 1,
) -> Rig:
    """A rig of one kind of accelerator from the catalog.

    Parameters
    ----------
    device
        The accelerator.
    activations
        Format whose peak counts: tf32, bf16, fp8, int8 or fp4.
    weight_bits, cache_bits
        Bits per weight and per cached value. [bits]
    rent_usd_per_h
        Rent of one accelerator. [USD/h]
    reserved_bytes
        Kept free on each. [bytes]
    memory_bytes
        Memory of each; by default what the device truly has. [bytes]
    n_accelerators
        Accelerators that share weights and step evenly. [-]

    Raises
    ------
    ValueError
        If the device has no peak in that format.

    Examples
    --------
    >>> h100 = catalog.accelerator("H100")
    >>> card(
    ...     h100, activations="fp8", weight_bits=8, cache_bits=8, rent_usd_per_h=2.5,
    ...     reserved_bytes=6e9,
    ... ).peak_flop_per_s
    1979000000000000.0
    """
    peak = device.peak_flop_per_s.get(activations, np.nan)
    if not peak > 0:
        has = ", ".join(name for name, rate in device.peak_flop_per_s.items() if rate > 0)
        raise ValueError(f"activations: {device.name} has no {activations} peak; it has {has}")
    positive("weight_bits", weight_bits)
    positive("cache_bits", cache_bits)
    non_negative("rent_usd_per_h", rent_usd_per_h)
    non_negative("reserved_bytes", reserved_bytes)
    positive("n_accelerators", n_accelerators, finite=True)
    return Rig(
        memory_bytes=device.memory_bytes
        if memory_bytes is None
        else float(positive("memory_bytes", memory_bytes)),
        memory_bytes_per_s=device.memory_bytes_per_s,
        peak_flop_per_s=peak,
        rent_usd_per_h=rent_usd_per_h,
        reserved_bytes=reserved_bytes,
        weight_bits=weight_bits,
        cache_bits=cache_bits,
        n_accelerators=n_accelerators,
    )


def sweep(formula: Callable[..., Any], **axes: ArrayLike) -> pd.DataFrame:
    """Evaluate a formula on the product of its axes, in one vectorised call.

    Parameters
    ----------
    formula
        A function of arrays.
    axes
        Values of each parameter; a scalar is a fixed one.

    Returns
    -------
        One row per combination: the swept parameters and `result`.

    Examples
    --------
    >>> from costlib import kv
    >>> sweep(kv.kept_tokens, context_tokens=[10, 20], window_tokens=[5, 15]).result.tolist()
    [5.0, 10.0, 5.0, 15.0]
    """
    swept = {name: _values(name, values) for name, values in axes.items()}
    swept = {name: values for name, values in swept.items() if values.ndim}
    fixed = {name: value for name, value in axes.items() if name not in swept}
    grid = np.meshgrid(*swept.values(), indexing="ij")
    points = {name: values.ravel() for name, values in zip(swept, grid, strict=True)}
    result = np.broadcast_to(formula(**points, **fixed), next(iter(points.values())).shape)
    return pd.DataFrame({**points, "result": result})


def _values(name: str, values: ArrayLike) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError:  # lists of unequal length
        raise ValueError(f"{name} must be a value or an array of values, got {values!r}") from None


def one_at_a_time(
    formula: Callable[..., Any],
    base: Mapping[str, Any],
    ranges: Mapping[str, tuple[float, float]],
    *,
    n_points: int = 65,
) -> pd.DataFrame:
    """Move each parameter alone over its range, the others at their base.

    Parameters
    ----------
    formula
        A function of numbers.
    base
        Every argument of the formula.
    ranges
        Parameter: (low, high); between whole numbers only whole numbers are tried, as for GPUs.
    n_points
        Values tried in each other range, besides the base: a formula with whole users
        has its extremes between the ends.

    Returns
    -------
        Per parameter its ends, the results there and at the base, the least and the largest
        finite result, and the share of the range in which the result is finite; widest first.

    Raises
    ------
    ValueError
        If a range names a parameter that the base lacks.

    Examples
    --------
    >>> from costlib import serving
    >>> table = one_at_a_time(
    ...     serving.usd_per_mtok, {"rent_usd_per_h": 2.5, "tokens_per_s": 2065},
    ...     {"rent_usd_per_h": (1.25, 5), "tokens_per_s": (35, 2065)},
    ... )
    >>> table.parameter.tolist()
    ['tokens_per_s', 'rent_usd_per_h']
    """
    if stray := sorted(set(ranges) - set(base)):
        raise ValueError(f"{stray[0]} has a range but no base value")
    n_points = count("n_points", n_points)
    centre = float(formula(**base))
    rows = []
    for name, (low, high) in ranges.items():
        whole = isinstance(low, int) and isinstance(high, int)
        inside = np.arange(low, high + 1) if whole else np.linspace(low, high, n_points)
        tried = np.append(inside, base[name])
        results = np.array([float(formula(**{**base, name: value})) for value in tried])
        finite = results[np.isfinite(results)]
        rows.append(
            {
                "parameter": name,
                "low": low,
                "high": high,
                "result_low": results[0],
                "result_high": results[-2],
                "result_base": centre,
                "result_min": finite.min() if finite.size else np.nan,
                "result_max": finite.max() if finite.size else np.nan,
                "finite_fraction": np.isfinite(results[:-1]).mean(),
            }
        )
    table = pd.DataFrame(rows)
    swing = table["result_max"] - table["result_min"]
    return table.loc[swing.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)


def flip_point(
    formula: Callable[[float], Any], *, low: float, high: float, target: float = 0.0
) -> float:
    """Value of a parameter at which a formula passes a target, a jump included.

    Parameters
    ----------
    formula
        A function of one number.
    low, high
        Ends between which the flip is looked for.
    target
        Result at which the answer flips.

    Raises
    ------
    ValueError
        If the formula lies on one side of the target at both ends.

    Examples
    --------
    The second user no longer fits above 119,019 tokens:

    >>> pool, per_token = 39e9, 163_840
    >>> round(flip_point(lambda n: np.floor(pool / (per_token * n)), low=1e4, high=2e5, target=1.5))
    119019
    """

    def distance(value: float) -> float:
        return float(np.clip(float(formula(value)) - target, -1e300, 1e300))

    low, high = float(finite("low", low)), float(finite("high", high))
    target = float(finite("target", target))
    ends = distance(low), distance(high)
    if ends[0] * ends[1] > 0:
        raise ValueError(
            f"no flip between {low:g} and {high:g}: the result goes from "
            f"{ends[0] + target:g} to {ends[1] + target:g} and never meets {target:g}"
        )
    return float(brentq(distance, low, high, xtol=1e-12 * max(abs(low), abs(high)), rtol=1e-12))
