r"""Impairment: when the books carry more than a machine is worth, and what the standards say then.

Book values are straight lines; values in use are those of `costlib.holding`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib._checks import Floats, fraction, non_negative, positive
from costlib.depreciation import straight_book_usd
from costlib.holding import value_in_use_usd
from costlib.units import MONTHS_PER_YEAR

__all__ = [
    "group_losses_usd",
    "n_months_under_water",
    "one_step_loss_usd",
    "two_step_loss_usd",
    "under_water_month",
]


# --- book against value ----------------------------------------------------------------------


def n_months_under_water(
    life_years: ArrayLike,
    *,
    cost_usd: ArrayLike,
    salvage_fraction: ArrayLike,
    rent_usd_per_h: ArrayLike,
    yearly_times: ArrayLike,
    busy_fraction: ArrayLike,
    opex_usd_per_h: ArrayLike,
    interest_fraction: ArrayLike,
    service_years: ArrayLike,
) -> Floats:
    r"""Months of a straight line at whose beginning the book is above the value in use.

    Parameters
    ----------
    life_years
        Life in the books, in years. [-]
    cost_usd
        What the machine cost. [USD]
    salvage_fraction
        Share of the cost that the books leave, and that it sells for when it retires. [-]
    rent_usd_per_h
        Rent of an hour in use when the machine was new. [USD/h]
    yearly_times
        What the rent is multiplied by in a year. [-]
    busy_fraction
        Share of the hours that earn it. [-]
    opex_usd_per_h
        Power, space and staff of every hour. [USD/h]
    interest_fraction
        Interest of a year. [-]
    service_years
        Age at which it stops in any case. [-]

    Returns
    -------
        Months, counted from the purchase on. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; `yearly_times` and a life must be above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    $30,000 over six years, from $3.00 with four fifths in use and $0.60 to run:

    >>> n_months_under_water(
    ...     6,
    ...     cost_usd=30e3,
    ...     salvage_fraction=0,
    ...     rent_usd_per_h=3,
    ...     yearly_times=[0.7, 0.8, 0.9],
    ...     busy_fraction=0.8,
    ...     opex_usd_per_h=0.6,
    ...     interest_fraction=0.1,
    ...     service_years=8,
    ... )
    array([72., 68.,  0.])
    """
    return functools.reduce(
        np.add,
        _under_water(
            life_years,
            cost_usd=cost_usd,
            salvage_fraction=salvage_fraction,
            rent_usd_per_h=rent_usd_per_h,
            yearly_times=yearly_times,
            busy_fraction=busy_fraction,
            opex_usd_per_h=opex_usd_per_h,
            interest_fraction=interest_fraction,
            service_years=service_years,
        ),
    )


def under_water_month(
    life_years: ArrayLike,
    *,
    cost_usd: ArrayLike,
    salvage_fraction: ArrayLike,
    rent_usd_per_h: ArrayLike,
    yearly_times: ArrayLike,
    busy_fraction: ArrayLike,
    opex_usd_per_h: ArrayLike,
    interest_fraction: ArrayLike,
    service_years: ArrayLike,
) -> Floats:
    r"""First month at whose beginning the book is above the value in use.

    Parameters
    ----------
    life_years
        Life in the books, in years. [-]
    cost_usd
        What the machine cost. [USD]
    salvage_fraction
        Share of the cost that the books leave, and that it sells for when it retires. [-]
    rent_usd_per_h
        Rent of an hour in use when the machine was new. [USD/h]
    yearly_times
        What the rent is multiplied by in a year. [-]
    busy_fraction
        Share of the hours that earn it. [-]
    opex_usd_per_h
        Power, space and staff of every hour. [USD/h]
    interest_fraction
        Interest of a year. [-]
    service_years
        Age at which it stops in any case. [-]

    Returns
    -------
        Months since the purchase, 0 if at once; infinite if never. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; `yearly_times` and a life must be above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> under_water_month(
    ...     6,
    ...     cost_usd=30e3,
    ...     salvage_fraction=0,
    ...     rent_usd_per_h=3,
    ...     yearly_times=[0.7, 0.8, 0.9],
    ...     busy_fraction=0.8,
    ...     opex_usd_per_h=0.6,
    ...     interest_fraction=0.1,
    ...     service_years=8,
    ... )
    array([ 0.,  4., inf])
    """
    months = _under_water(
        life_years,
        cost_usd=cost_usd,
        salvage_fraction=salvage_fraction,
        rent_usd_per_h=rent_usd_per_h,
        yearly_times=yearly_times,
        busy_fraction=busy_fraction,
        opex_usd_per_h=opex_usd_per_h,
        interest_fraction=interest_fraction,
        service_years=service_years,
    )
    found = (np.where(under > 0, float(month), np.inf) for month, under in enumerate(months))
    return functools.reduce(np.minimum, found)[()]


def _under_water(
    life_years: ArrayLike,
    *,
    cost_usd: ArrayLike,
    salvage_fraction: ArrayLike,
    rent_usd_per_h: ArrayLike,
    yearly_times: ArrayLike,
    busy_fraction: ArrayLike,
    opex_usd_per_h: ArrayLike,
    interest_fraction: ArrayLike,
    service_years: ArrayLike,
) -> Sequence[Floats]:
    """1 or 0 for each month of the longest life."""
    life = positive("life_years", life_years, finite=True)
    cost = non_negative("cost_usd", cost_usd, finite=True)
    resale = cost * fraction("salvage_fraction", salvage_fraction)
    found = []
    for month in range(int(np.ceil(MONTHS_PER_YEAR * np.max(life)))):
        age = month / MONTHS_PER_YEAR
        book = straight_book_usd(
            age, cost_usd=cost_usd, salvage_fraction=salvage_fraction, life_years=life_years
        )
        value = value_in_use_usd(
            age,
            rent_usd_per_h=rent_usd_per_h,
            yearly_times=yearly_times,
            busy_fraction=busy_fraction,
            opex_usd_per_h=opex_usd_per_h,
            resale_usd=resale,
            interest_fraction=interest_fraction,
            service_years=service_years,
        )
        below = value < book - 1e-9 * cost  # never beyond the life: it can be sold
        found.append(np.where(below, 1.0, 0.0)[()])
    return found


# --- the tests of the standards --------------------------------------------------------------


def two_step_loss_usd(
    carrying_usd: ArrayLike,
    *,
    undiscounted_usd: ArrayLike,
    fair_usd: ArrayLike,
) -> Floats:
    r"""Impairment under ASC 360: nothing, unless the undiscounted flows fail to cover the book.

    .. math:: B > \textstyle\sum F \;\Rightarrow\; \max(B - V, 0)

    Parameters
    ----------
    carrying_usd
        Book value :math:`B`. [USD]
    undiscounted_usd
        Cash still to come, not discounted. [USD]
    fair_usd
        What the market would pay, :math:`V`: often the discounted cash. [USD]

    Returns
    -------
        Loss to be recognised; it is never reversed. [USD]

    Raises
    ------
    ValueError
        If an argument is negative or NaN.

    Notes
    -----
    Source: fasb2011asc360, paragraph 10-35-17.

    Examples
    --------
    Cash of 4, 3.5, 2.5 and 1.5 at 10 %: 11.5 in all, worth 9.43. A book of 12 is impaired, one
    of 11 is not.

    >>> two_step_loss_usd([12, 11], undiscounted_usd=11.5, fair_usd=9.431733)
    array([2.568267, 0.      ])
    """
    book = non_negative("carrying_usd", carrying_usd)
    fair = non_negative("fair_usd", fair_usd)
    failed = book > non_negative("undiscounted_usd", undiscounted_usd)
    return np.where(failed, np.maximum(book - fair, 0.0), 0.0)[()]


def one_step_loss_usd(
    carrying_usd: ArrayLike,
    *,
    in_use_usd: ArrayLike,
    fair_usd: ArrayLike,
) -> Floats:
    r"""Impairment under IAS 36: book above the better of use and sale, :math:`(B - \max(U, V))^+`.

    Parameters
    ----------
    carrying_usd
        Book value. [USD]
    in_use_usd
        Discounted cash still to come. [USD]
    fair_usd
        What a sale would bring, less its costs. [USD]

    Returns
    -------
        Loss to be recognised; a later gain reverses it. [USD]

    Raises
    ------
    ValueError
        If an argument is negative or NaN.

    Notes
    -----
    Source: iasb2001ias36.

    Examples
    --------
    The machine of `two_step_loss_usd`:

    >>> one_step_loss_usd([12, 11], in_use_usd=9.431733, fair_usd=0)
    array([2.568267, 1.568267])
    """
    book = non_negative("carrying_usd", carrying_usd)
    use = non_negative("in_use_usd", in_use_usd)
    return np.maximum(book - np.maximum(use, non_negative("fair_usd", fair_usd)), 0.0)


def group_losses_usd(
    books_usd: ArrayLike,
    *,
    group_loss_usd: float,
    floors_usd: ArrayLike,
) -> NDArray[np.float64]:
    r"""A group's loss shared out by book value, no asset below its own fair value.

    Parameters
    ----------
    books_usd
        Book value of each asset of the group. [USD]
    group_loss_usd
        Loss of the whole group. [USD]
    floors_usd
        Fair value of each asset that can be told without undue cost; 0 where it cannot. [USD]

    Returns
    -------
        Loss of each asset; what one's floor keeps falls on the others. [USD]

    Raises
    ------
    ValueError
        If an argument is negative or NaN, or the floors leave no room for the loss.

    Notes
    -----
    Source: fasb2011asc360, paragraph 10-35-28.

    Examples
    --------
    GPUs of 6, a building of 3 that would sell for 2.9, and racks of 3, with a loss of 2.4:

    >>> group_losses_usd([6, 3, 3], group_loss_usd=2.4, floors_usd=[0, 2.9, 0]).round(3)
    array([1.533, 0.1  , 0.767])
    """
    books = np.atleast_1d(non_negative("books_usd", books_usd))
    loss = float(non_negative("group_loss_usd", group_loss_usd))
    floors = np.minimum(np.broadcast_to(non_negative("floors_usd", floors_usd), books.shape), books)
    room = books - floors
    if loss > room.sum() * (1 + 1e-12):
        raise ValueError(
            f"group_loss_usd must not exceed what the floors leave, {room.sum():g}, got {loss!r}"
        )
    losses = np.zeros_like(books)
    for _ in books:
        open_ = room - losses > 1e-12 * books
        weight = np.where(open_, books, 0.0)
        if not weight.any():
            break
        losses = np.minimum(losses + (loss - losses.sum()) * weight / weight.sum(), room)
    return losses
