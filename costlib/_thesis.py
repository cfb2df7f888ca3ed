"""What a thesis is: words, a verdict, the number that decides, where it turns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib import claims, study
from costlib._checks import finite, fraction, non_negative, positive
from costlib._words import typeset

__all__ = ["VERDICTS", "Thesis", "cases", "flip", "printed", "verdict"]

VERDICTS: Final = ("holds", "holds only if", "fails")
N_OF_FIELD: Final = 41  # the arguments of the field come first; the chapters add the others

Margin = Callable[[float], Any]  # above zero where the thesis holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Thesis:
    """An argument of the field or of a chapter, judged by computed numbers."""

    number: int  # from 1 on
    words: str  # the argument in our words
    verdict: str  # one of VERDICTS
    because: str  # what decides, with the numbers
    value: float  # the number that decides
    unit: str  # of `value`
    flip: str  # the condition under which it holds, with the number where it turns
    anchor: str  # notebooks/NAME#heading of the chapter that shows it
    turns: float = math.nan  # where it turns, in the first argument of its function; NaN: nowhere

    def __post_init__(self) -> None:
        """Print numbers as the chapters do."""
        for name in ("words", "because", "flip"):
            object.__setattr__(self, name, typeset(getattr(self, name)))

    @property
    def of_field(self) -> bool:
        """Whether the field argues so; if not, a chapter states and decides it."""
        return self.number <= N_OF_FIELD


def cases(
    name: str, given: Any, usual: ArrayLike | None = None, *, above_zero: bool = False
) -> NDArray[np.float64]:
    """Return the numbers to try, or raise ValueError where a given one cannot be or is missing.

    >>> cases("loss_usd", None, 0.1), cases("loss_usd", [0, 1])
    (array([0.1]), array([0., 1.]))
    >>> cases("loss_usd", [])
    Traceback (most recent call last):
    ValueError: loss_usd must hold a number to try
    """
    if given is None and usual is not None:
        return np.ravel(np.asarray(usual, np.float64))
    check = fraction if name.endswith("_fraction") else positive if above_zero else non_negative
    tried = np.ravel(finite(name, check(name, given)))
    if not tried.size:
        raise ValueError(f"{name} must hold a number to try")
    return tried


def verdict(margin: Margin, tried: ArrayLike) -> str:
    """Verdict over the cases tried: all of them, some, or none lie above zero.

    >>> verdict(lambda x: x - 2, [3, 4]), verdict(lambda x: x - 2, [1, 4]), verdict(lambda x: x, -1)
    ('holds', 'holds only if', 'fails')
    """
    found = {bool(margin(float(each)) > 0) for each in np.atleast_1d(tried)}
    return VERDICTS[1] if len(found) > 1 else VERDICTS[0] if found == {True} else VERDICTS[2]


def flip(margin: Margin, low: float, high: float) -> float:
    """Where the margin passes zero between two ends, a jump included.

    >>> flip(lambda x: x * x - 4, 0, 10)
    2.0
    """
    return study.flip_point(margin, low=low, high=high)


def printed(claim: str) -> float:
    """Number that a source prints, from the ledger, in the source's unit.

    >>> printed("long-context-008")
    58.0
    """
    rows = claims.ledger()
    return float(rows.loc[rows["id"] == claim, "printed"].iloc[0].lstrip("<>"))
