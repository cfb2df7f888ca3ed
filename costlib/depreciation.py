r"""Depreciation: what the books say a machine is worth, by age and schedule.

A schedule shares the cost of a machine out over its life; it is no valuation. What a life does to
charges is in `costlib.charges`, what the machine earns meanwhile in `costlib.holding`. Ages and
lives are in years; within a year a yearly charge falls evenly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive

__all__ = [
    "declining_book_usd",
    "digits_book_usd",
    "macrs_book_usd",
    "straight_book_usd",
    "straight_charge_usd",
    "units_book_usd",
]


def straight_charge_usd(
    life_years: ArrayLike,
    *,
    cost_usd: ArrayLike,
    salvage_fraction: ArrayLike,
) -> Floats:
    r"""Straight-line charge of a year: :math:`(1 - s)\,C / L`.

    Parameters
    ----------
    life_years
        Life :math:`L`, in years. [-]
    cost_usd
        What the machine cost, :math:`C`. [USD]
    salvage_fraction
        Share :math:`s` of the cost that is left at the end. [-]

    Returns
    -------
        Charged in each year of the life. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; a life must be above 0.

    Notes
    -----
    Source: accountingcoach2012methods; tanaka2026palanor.

    Examples
    --------
    900,000 over three and over six years; the textbook's 100,000 with 10,000 left after five:

    >>> straight_charge_usd([3, 6], cost_usd=900e3, salvage_fraction=0)
    array([300000., 150000.])
    >>> straight_charge_usd(5, cost_usd=100e3, salvage_fraction=0.1)
    np.float64(18000.0)
    """
    cost = non_negative("cost_usd", cost_usd)
    left = fraction("salvage_fraction", salvage_fraction)
    return cost * (1 - left) / positive("life_years", life_years, finite=True)


def straight_book_usd(
    age_years: ArrayLike,
    *,
    cost_usd: ArrayLike,
    salvage_fraction: ArrayLike,
    life_years: ArrayLike,
) -> Floats:
    r"""Book value on a straight line: :math:`C - (1 - s)\,C \min(t / L, 1)`.

    Parameters
    ----------
    age_years
        Age :math:`t`, in years. [-]
    cost_usd
        What the machine cost. [USD]
    salvage_fraction
        Share of the cost that is left at the end. [-]
    life_years
        Life, in years. [-]

    Returns
    -------
        Carried in the books; what is left, beyond the life. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; a life must be above 0.

    Notes
    -----
    Source: accountingcoach2012methods.

    Examples
    --------
    Three quarters of the cost stand in the books after 18 months of six years:

    >>> straight_book_usd([0, 1.5, 6, 9], cost_usd=30e3, salvage_fraction=0, life_years=6)
    array([30000., 22500.,     0.,     0.])
    """
    age = non_negative("age_years", age_years, finite=True)
    cost = non_negative("cost_usd", cost_usd)
    gone = 1 - fraction("salvage_fraction", salvage_fraction)
    return cost * (
        1 - gone * np.minimum(age / positive("life_years", life_years, finite=True), 1.0)
    )


def declining_book_usd(
    age_years: ArrayLike,
    *,
    cost_usd: ArrayLike,
    salvage_fraction: ArrayLike,
    life_years: ArrayLike,
    rate_times: ArrayLike,
) -> Floats:
    r"""Book value that loses :math:`k / L` of itself a year, down to the salvage value.

    Parameters
    ----------
    age_years
        Age, in years. [-]
    cost_usd
        What the machine cost. [USD]
    salvage_fraction
        Share of the cost below which the book never falls. [-]
    life_years
        Life :math:`L`, in years. [-]
    rate_times
        Rate :math:`k` over that of a straight line: 2 doubles it. [-]

    Returns
    -------
        Carried in the books. At the end of the life more than the salvage value may be left:
        no switch to a straight line is made. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; a life must be above 0.

    Notes
    -----
    A rate above the life writes everything off in the first year. Source:
    accountingcoach2012methods.

    Examples
    --------
    The textbook's charges of 40,000 and 24,000:

    >>> book = declining_book_usd(
    ...     [0, 1, 2, 3], cost_usd=100e3, salvage_fraction=0.1, life_years=5, rate_times=2
    ... )
    >>> -np.diff(book).round(6)
    array([40000., 24000., 14400.])
    """
    age = non_negative("age_years", age_years, finite=True)
    cost = non_negative("cost_usd", cost_usd)
    left = fraction("salvage_fraction", salvage_fraction)
    life = positive("life_years", life_years, finite=True)
    kept = np.maximum(1 - non_negative("rate_times", rate_times) / life, 0.0)
    whole = np.floor(age)
    before: Floats = np.maximum(np.power(kept, whole), left)
    after: Floats = np.maximum(np.power(kept, whole + 1), left)
    return cost * (before + (age - whole) * (after - before))


def digits_book_usd(
    age_years: ArrayLike,
    *,
    cost_usd: ArrayLike,
    salvage_fraction: ArrayLike,
    life_years: ArrayLike,
) -> Floats:
    r"""Book value under the sum of the years' digits.

    After :math:`n` of :math:`L` years :math:`(L - n)(L - n + 1) / (L (L + 1))` of what is written
    off remains.

    Parameters
    ----------
    age_years
        Age, in years. [-]
    cost_usd
        What the machine cost. [USD]
    salvage_fraction
        Share of the cost that is left at the end. [-]
    life_years
        Life, in years. [-]

    Returns
    -------
        Carried in the books; what is left, beyond the life. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; a life must be above 0.

    Notes
    -----
    Digits are those of whole years; with a broken life the last year is a part of one. Source:
    accountingcoach2012methods.

    Examples
    --------
    The textbook's charges of 30,000 and 24,000:

    >>> book = digits_book_usd([0, 1, 2], cost_usd=100e3, salvage_fraction=0.1, life_years=5)
    >>> -np.diff(book).round(6)
    array([30000., 24000.])
    """
    age = non_negative("age_years", age_years, finite=True)
    cost = non_negative("cost_usd", cost_usd)
    gone = 1 - fraction("salvage_fraction", salvage_fraction)
    life = positive("life_years", life_years, finite=True)
    whole = np.floor(age)
    now, then = np.maximum(life - whole, 0.0), np.maximum(life - whole - 1, 0.0)
    before: Floats = now * (now + 1) / (life * (life + 1))
    after: Floats = then * (then + 1) / (life * (life + 1))
    return cost * (1 - gone + gone * (before + (age - whole) * (after - before)))


def units_book_usd(
    n_made: ArrayLike,
    *,
    cost_usd: ArrayLike,
    salvage_fraction: ArrayLike,
    n_lifetime: ArrayLike,
) -> Floats:
    r"""Book value by use: the charge follows what the machine has made, not its age.

    Parameters
    ----------
    n_made
        Parts made so far, or hours run, or tokens. [-]
    cost_usd
        What the machine cost. [USD]
    salvage_fraction
        Share of the cost that is left at the end. [-]
    n_lifetime
        What it makes in its life, in the same unit. [-]

    Returns
    -------
        Carried in the books; what is left, once it has made them all. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; a lifetime must be above 0.

    Notes
    -----
    Source: accountingcoach2012methods.

    Examples
    --------
    The textbook's years of 12,000 and 30,000 of 100,000 parts:

    >>> made = np.cumsum([0, 12e3, 30e3])
    >>> book = units_book_usd(made, cost_usd=100e3, salvage_fraction=0.1, n_lifetime=100e3)
    >>> -np.diff(book).round(6)
    array([10800., 27000.])
    """
    return straight_book_usd(
        non_negative("n_made", n_made, finite=True),
        cost_usd=cost_usd,
        salvage_fraction=salvage_fraction,
        life_years=positive("n_lifetime", n_lifetime, finite=True),
    )


def macrs_book_usd(
    age_years: ArrayLike,
    *,
    cost_usd: ArrayLike,
    life_years: ArrayLike,
) -> Floats:
    r"""Tax basis left under MACRS: double declining, half a first year, then a straight line.

    Parameters
    ----------
    age_years
        Tax years gone by. [-]
    cost_usd
        What the machine cost. [USD]
    life_years
        Class life of the tax code: 5 for computers. [-]

    Returns
    -------
        Not yet deducted; nothing after one tax year more than the class life. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; a life must be above 0.

    Notes
    -----
    The half-year convention; the switch comes in the first year in which a straight line over
    what remains charges at least as much. The tax code's table rounds to a hundredth of a per
    cent. No bonus depreciation. Source: irs2024p946.

    Examples
    --------
    The table of five-year property, in per cent:

    >>> -100 * np.diff(macrs_book_usd(np.arange(7), cost_usd=1, life_years=5)).round(4)
    array([20.  , 32.  , 19.2 , 11.52, 11.52,  5.76])
    """
    age = non_negative("age_years", age_years, finite=True)
    cost = non_negative("cost_usd", cost_usd)
    life = positive("life_years", life_years, finite=True)
    whole = np.floor(age)
    before, after = _macrs_left(whole, life), _macrs_left(whole + 1, life)
    return cost * (before + (age - whole) * (after - before))


def _macrs_left(n_years: Floats, life: Floats) -> Floats:
    """Share of the cost left after whole tax years."""
    first = np.maximum(1 - 1 / life, 0.0)
    kept = np.maximum(1 - 2 / life, 0.0)
    switch = np.ceil(life / 2 + 1.5)  # the first year of the straight line
    declining = first * np.power(kept, np.minimum(np.maximum(n_years, 1), switch - 1) - 1)
    over = np.maximum(life - switch + 1.5, 0.5)
    straight = np.maximum(np.minimum((life - n_years + 0.5) / over, 1.0), 0.0)
    return np.where(n_years < 1, 1.0, declining * straight)
