"""The one search of the formula modules: halving an interval until it is one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["halved"]

ENOUGH: Final = 100  # halvings: a root at 0 would take a thousand


def halved(
    reached: Callable[[NDArray[np.float64]], ArrayLike], low: ArrayLike, high: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numbers next to each other between which `reached` becomes true, entry by entry.

    Parameters
    ----------
    reached
        Whether each entry lies at what is sought or above: false, then true.
    low, high
        Ends of the interval; they broadcast. What is not inside it is taken for the nearer end.

    Examples
    --------
    >>> _, high = halved(lambda x: x * x >= [4, 9], 0, [10, 10])
    >>> high
    array([2., 3.])
    """
    first, last = np.broadcast_arrays(np.asarray(low, np.float64), np.asarray(high, np.float64))
    for _ in range(ENOUGH):
        middle = np.asarray((first + last) / 2)
        if ((middle == first) | (middle == last)).all():
            break
        found = np.asarray(reached(middle))
        first, last = np.where(found, first, middle), np.where(found, middle, last)
    return first, last
