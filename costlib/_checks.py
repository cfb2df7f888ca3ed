"""Argument checks shared by the formula modules.

Each takes the parameter's name and value, returns the value as float64 (a scalar stays a
scalar) and raises ValueError that names the parameter and the first entry that is wrong.
Infinity passes where it has a limit (a window without an end), unless `finite` is asked for; NaN
never does.
"""

from __future__ import annotations

import functools
from decimal import Decimal
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Floats",
    "at_least_one",
    "count",
    "finite",
    "fraction",
    "generator",
    "non_negative",
    "number",
    "over_groups",
    "positive",
    "power_of_2",
    "summed",
    "whole",
    "within",
]

Floats = np.float64 | NDArray[np.float64]


def positive(name: str, value: ArrayLike, *, finite: bool = False) -> Floats:
    """Return `value` as floats, or raise ValueError unless every entry is above 0."""
    array = _floats(name, value)
    return _ended(name, _require(name, array, array > 0, "must be positive"), finite)


def non_negative(name: str, value: ArrayLike, *, finite: bool = False) -> Floats:
    """Return `value` as floats, or raise ValueError unless every entry is 0 or more."""
    array = _floats(name, value)
    return _ended(name, _require(name, array, array >= 0, "must not be negative"), finite)


def at_least_one(name: str, value: ArrayLike, *, finite: bool = False) -> Floats:
    """Return `value` as floats, or raise ValueError unless every entry is 1 or more."""
    array = _floats(name, value)
    return _ended(name, _require(name, array, array >= 1, "must be at least 1"), finite)


def fraction(name: str, value: ArrayLike) -> Floats:
    """Return `value` as floats, or raise ValueError unless every entry lies in [0, 1]."""
    array = _floats(name, value)
    return _require(name, array, (array >= 0) & (array <= 1), "must lie in [0, 1]")


def number(name: str, value: ArrayLike) -> Floats:
    """Return `value` as floats, or raise ValueError where an entry is none; it may be infinite."""
    array = _floats(name, value)
    return _require(name, array, ~np.isnan(array), "must be a number")


def finite(name: str, value: ArrayLike) -> Floats:
    """Return `value` as floats, or raise ValueError where an entry is infinite or no number."""
    return _ended(name, _floats(name, value)[()], finite=True)


def whole(name: str, value: ArrayLike) -> Floats:
    """Return `value` as floats, or raise ValueError unless every entry is 0, 1, 2 and so on."""
    array = np.asarray(non_negative(name, value))
    holds = np.isfinite(array) & (array == np.floor(array))
    return _require(name, array, holds, "must be a whole number")


def count(name: str, value: ArrayLike, most: float = np.inf) -> int:
    """Return one count as a whole number, or raise ValueError unless it is 1, 2, 3 and so on."""
    found = _floats(name, value)
    if found.ndim or not (1 <= found <= most and np.isfinite(found) and found == np.floor(found)):
        limit = "at least 1" if np.isinf(most) else f"1 to {most:g}"
        raise ValueError(f"{name} must be a whole number of {limit}, got {value!r}")
    return int(found)


def power_of_2(name: str, value: ArrayLike) -> Floats:
    """Return `value` as floats, or raise ValueError unless every entry is 2, 4, 8 and so on."""
    array = np.asarray(whole(name, value))
    return _require(name, array, (array > 1) & (np.frexp(array)[0] == 0.5), "must be a power of 2")


def generator(seed: int | np.random.Generator) -> np.random.Generator:
    """Return a source of draws, or raise ValueError unless `seed` is one or can start one."""
    if isinstance(seed, np.random.Generator):
        return seed
    if isinstance(seed, int | np.integer) and not isinstance(seed, np.timedelta64) and seed >= 0:
        return np.random.default_rng(seed)
    raise ValueError(f"seed must be a whole number of at least 0 or a generator, got {seed!r}")


def within(name: str, value: Floats, whole_name: str, whole: Floats) -> Floats:
    """Return `value`, or raise ValueError where a part exceeds its whole beyond rounding."""
    parts, wholes = np.broadcast_arrays(value, whole)
    over = parts > wholes * (1 + 1e-12)
    if over.any():
        index = np.unravel_index(np.argmax(over), over.shape)
        place = f" at index {', '.join(str(int(i)) for i in index)}" if over.ndim else ""
        raise ValueError(
            f"{name} must not exceed {whole_name}, "
            f"got {float(parts[index])!r} of {float(wholes[index])!r}{place}"
        )
    return value


def over_groups(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Give a scenario parameter a last axis, over which it broadcasts against layer groups."""
    return _floats(name, value)[..., np.newaxis]


def summed(by_group: NDArray[np.float64] | np.float64) -> Floats:
    """Sum over the last axis, the layer groups: few of them, so slice by slice is fastest."""
    parts: NDArray[np.float64] = np.atleast_1d(by_group)
    total = functools.reduce(np.add, (parts[..., g] for g in range(parts.shape[-1])))
    scalar_or_array: Floats = np.asarray(total)[()]
    return scalar_or_array


def _floats(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Return numbers as floats; text that reads as one, a date or an imaginary part is none."""
    try:
        given = np.asarray(value)
        if given.dtype.kind in "biuf" or (
            given.dtype.kind == "O" and all(isinstance(one, Real | Decimal) for one in given.flat)
        ):
            return given.astype(np.float64, copy=False)
    except (TypeError, ValueError):  # lists of unequal length
        pass
    raise ValueError(f"{name} must be a number or an array of numbers, got {value!r}")


def _ended(name: str, value: Floats, finite: bool) -> Floats:
    array = np.asarray(value)
    return _require(name, array, np.isfinite(array), "must be finite") if finite else value


def _require(
    name: str, array: NDArray[np.float64], holds: NDArray[np.bool_] | np.bool_, rule: str
) -> Floats:
    if not (holds.all() if array.ndim else holds):  # one number is the common case
        index = np.unravel_index(np.argmin(holds), array.shape)
        place = f" at index {', '.join(str(int(i)) for i in index)}" if array.ndim else ""
        raise ValueError(f"{name} {rule}, got {float(array[index])!r}{place}")
    scalar_or_array: Floats = array[()]
    return scalar_or_array
