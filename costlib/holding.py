r"""Holding: what a machine earns while it is held, and what it is still worth.

An hour of use earns a rent that changes by the same factor every year; every hour, used or not,
costs its operation. Money comes in evenly over the year, and a year's interest discounts it. A
holder runs the machine until a year's margin no longer pays the interest on what it would sell
for. Ages are in years.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive
from costlib.units import HOURS_PER_YEAR

__all__ = [
    "flows_usd",
    "holding_npv_usd",
    "retirement_years",
    "stage_value_usd",
    "value_in_use_usd",
]

CLOSE: Final = 1e-6  # growth and interest so close that their difference is taken as none


# --- money over time -------------------------------------------------------------------------


def flows_usd(
    from_years: ArrayLike,
    *,
    until_years: ArrayLike,
    rent_usd_per_h: ArrayLike,
    yearly_times: ArrayLike,
    busy_fraction: ArrayLike,
    opex_usd_per_h: ArrayLike,
    interest_fraction: ArrayLike,
) -> Floats:
    r"""Margin between two ages, discounted to the first of them.

    .. math:: 8760 \int_a^b (u\,r\,x^t - c)\,(1 + i)^{-(t - a)}\,dt

    Parameters
    ----------
    from_years
        Age :math:`a` at which it is valued. [-]
    until_years
        Age :math:`b` at which the margin ends; nothing is earned if it lies before. [-]
    rent_usd_per_h
        Rent :math:`r` of an hour in use when the machine was new. [USD/h]
    yearly_times
        What the rent is multiplied by in a year, :math:`x`: above 1 it rises. [-]
    busy_fraction
        Share :math:`u` of the hours that earn it. [-]
    opex_usd_per_h
        Power, space and staff :math:`c` of every hour. [USD/h]
    interest_fraction
        Interest of a year, :math:`i`; at 0 nothing is discounted. [-]

    Returns
    -------
        Value at the first age; negative if operation costs more than is earned. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; `yearly_times` must be above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    A year at $3 and four fifths in use, $0.60 to run, rent and money at rest, then discounted:

    >>> year = {"until_years": 1, "rent_usd_per_h": 3, "yearly_times": 1, "busy_fraction": 0.8}
    >>> flows_usd(0, **year, opex_usd_per_h=0.6, interest_fraction=[0, 0.1]).round(0)
    array([15768., 15040.])
    """
    start = non_negative("from_years", from_years)
    span = np.maximum(non_negative("until_years", until_years) - start, 0.0)
    times = positive("yearly_times", yearly_times, finite=True)
    earned = fraction("busy_fraction", busy_fraction) * non_negative(
        "rent_usd_per_h", rent_usd_per_h
    )
    paid = non_negative("opex_usd_per_h", opex_usd_per_h, finite=True)
    interest = np.log(1 + fraction("interest_fraction", interest_fraction))
    coming = earned * np.power(times, start) * _grown(np.log(times) - interest, span)
    return HOURS_PER_YEAR * (coming - paid * _grown(-interest, span))


def _grown(rate: Floats, span: Floats) -> Floats:
    """Integral of exp(rate t) over a span."""
    still = np.abs(rate) < CLOSE
    some = np.where(still, 1.0, rate)
    return np.where(still, span * (1 + rate * span / 2), (np.exp(rate * span) - 1) / some)


def stage_value_usd(
    from_years: ArrayLike,
    *,
    until_years: ArrayLike,
    rent_usd_per_h: ArrayLike,
    yearly_times: ArrayLike,
    busy_fraction: ArrayLike,
    opex_usd_per_h: ArrayLike,
    interest_fraction: ArrayLike,
) -> Floats:
    r"""Margin of a stage of a machine's life, discounted to its purchase.

    Parameters
    ----------
    from_years
        Age at which the stage begins. [-]
    until_years
        Age at which it ends. [-]
    rent_usd_per_h
        Rent of an hour in use when the machine was new. [USD/h]
    yearly_times
        What the rent is multiplied by in a year. [-]
    busy_fraction
        Share of the hours that earn it in this stage. [-]
    opex_usd_per_h
        Power, space and staff of every hour. [USD/h]
    interest_fraction
        Interest of a year. [-]

    Returns
    -------
        Value on the day of the purchase; negative if operation costs more. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; `yearly_times` must be above 0.

    Notes
    -----
    Training, then inference, then batch of two years each is three calls. Source:
    tanaka2026palanor; definition.

    Examples
    --------
    Rents 30 % lower each year, from $3.00 with four fifths in use and $0.60 to run:

    >>> stage_value_usd(
    ...     [0, 2, 4],
    ...     until_years=[2, 4, 6],
    ...     rent_usd_per_h=3,
    ...     yearly_times=0.7,
    ...     busy_fraction=0.8,
    ...     opex_usd_per_h=0.6,
    ...     interest_fraction=0.1,
    ... ).round(-2)
    array([18100.,  3300., -2000.])
    """
    margin = flows_usd(
        from_years,
        until_years=until_years,
        rent_usd_per_h=rent_usd_per_h,
        yearly_times=yearly_times,
        busy_fraction=busy_fraction,
        opex_usd_per_h=opex_usd_per_h,
        interest_fraction=interest_fraction,
    )
    start = non_negative("from_years", from_years)
    return margin * np.power(1 + fraction("interest_fraction", interest_fraction), -start)


def holding_npv_usd(
    held_years: ArrayLike,
    *,
    cost_usd: ArrayLike,
    rent_usd_per_h: ArrayLike,
    yearly_times: ArrayLike,
    busy_fraction: ArrayLike,
    opex_usd_per_h: ArrayLike,
    resale_times: ArrayLike,
    interest_fraction: ArrayLike,
) -> Floats:
    r"""Net present value of buying a machine, running it and selling it.

    .. math:: -C + M(0, h) + C\,y^h\,(1 + i)^{-h}

    Parameters
    ----------
    held_years
        Years :math:`h` that it is held. [-]
    cost_usd
        What it costs, :math:`C`. [USD]
    rent_usd_per_h
        Rent of an hour in use when the machine was new. [USD/h]
    yearly_times
        What the rent is multiplied by in a year. [-]
    busy_fraction
        Share of the hours that earn it. [-]
    opex_usd_per_h
        Power, space and staff of every hour. [USD/h]
    resale_times
        What its price in the market is multiplied by in a year, :math:`y`. [-]
    interest_fraction
        Interest of a year, :math:`i`. [-]

    Returns
    -------
        Value on the day of the purchase; zero if it is sold at once, negative for a loss. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; `yearly_times` must be above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    $30,000, from $3.00 falling 30 % a year, four fifths in use, $0.60 to run, resale falling with
    the rent, 10 % interest:

    >>> terms = {"rent_usd_per_h": 3, "yearly_times": 0.7, "busy_fraction": 0.8}
    >>> holding_npv_usd(
    ...     [0, 2, 4, 6],
    ...     cost_usd=30e3,
    ...     **terms,
    ...     opex_usd_per_h=0.6,
    ...     resale_times=0.7,
    ...     interest_fraction=0.1,
    ... ).round(-2)
    array([    0.,   300., -3700., -8600.])
    """
    held = non_negative("held_years", held_years)
    cost = non_negative("cost_usd", cost_usd)
    margin = flows_usd(
        0,
        until_years=held,
        rent_usd_per_h=rent_usd_per_h,
        yearly_times=yearly_times,
        busy_fraction=busy_fraction,
        opex_usd_per_h=opex_usd_per_h,
        interest_fraction=interest_fraction,
    )
    kept = positive("resale_times", resale_times) / (
        1 + fraction("interest_fraction", interest_fraction)
    )
    return margin + cost * (np.power(kept, held) - 1)


def retirement_years(
    service_years: ArrayLike,
    *,
    rent_usd_per_h: ArrayLike,
    yearly_times: ArrayLike,
    busy_fraction: ArrayLike,
    opex_usd_per_h: ArrayLike,
    resale_usd: ArrayLike,
    interest_fraction: ArrayLike,
) -> Floats:
    r"""Age at which a machine no longer earns its keep: the economic life.

    .. math:: u\,r\,x^T = c + \ln(1 + i)\,R / 8760

    Parameters
    ----------
    service_years
        Age at which it stops in any case. [-]
    rent_usd_per_h
        Rent of an hour in use when the machine was new. [USD/h]
    yearly_times
        What the rent is multiplied by in a year. [-]
    busy_fraction
        Share of the hours that earn it. [-]
    opex_usd_per_h
        Power, space and staff of every hour. [USD/h]
    resale_usd
        What it sells for when it retires, :math:`R`. [USD]
    interest_fraction
        Interest of a year. [-]

    Returns
    -------
        Years from the purchase; 0 if it never earns its keep, `service_years` if it always does
        or its rent rises. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; `yearly_times` must be above 0.

    Notes
    -----
    Nothing to sell makes it the age at which rents fall below operation. A rent that rises from
    below operation is not waited for. Source: definition.

    Examples
    --------
    From $3.00 with four fifths in use and $0.60 to run, by how fast rents fall:

    >>> life = {"rent_usd_per_h": 3, "busy_fraction": 0.8, "opex_usd_per_h": 0.6}
    >>> retirement_years(
    ...     9, yearly_times=[0.6, 0.7, 0.8, 1], **life, resale_usd=0, interest_fraction=0.1
    ... ).round(2)
    array([2.71, 3.89, 6.21, 9.  ])
    """
    service = non_negative("service_years", service_years)
    times = positive("yearly_times", yearly_times, finite=True)
    earned = fraction("busy_fraction", busy_fraction) * non_negative(
        "rent_usd_per_h", rent_usd_per_h
    )
    waiting = np.log(1 + fraction("interest_fraction", interest_fraction))
    needed = (
        non_negative("opex_usd_per_h", opex_usd_per_h, finite=True)
        + waiting * non_negative("resale_usd", resale_usd, finite=True) / HOURS_PER_YEAR
    )
    room = np.log(np.maximum(earned, 1e-12) / np.maximum(needed, 1e-12))
    falling = np.minimum(times, 1 - 1e-9)
    return np.minimum(np.maximum(room / -np.log(falling), 0.0), service)


def value_in_use_usd(
    age_years: ArrayLike,
    *,
    rent_usd_per_h: ArrayLike,
    yearly_times: ArrayLike,
    busy_fraction: ArrayLike,
    opex_usd_per_h: ArrayLike,
    resale_usd: ArrayLike,
    interest_fraction: ArrayLike,
    service_years: ArrayLike,
) -> Floats:
    r"""What is still to come of a machine: margin until it retires, and its resale.

    Parameters
    ----------
    age_years
        Age, in years. [-]
    rent_usd_per_h
        Rent of an hour in use when the machine was new. [USD/h]
    yearly_times
        What the rent is multiplied by in a year. [-]
    busy_fraction
        Share of the hours that earn it. [-]
    opex_usd_per_h
        Power, space and staff of every hour. [USD/h]
    resale_usd
        What it sells for when it retires. [USD]
    interest_fraction
        Interest of a year; at 0 the undiscounted sum of ASC 360. [-]
    service_years
        Age at which it stops in any case. [-]

    Returns
    -------
        Value at that age; never below the resale value. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; `yearly_times` must be above 0.

    Notes
    -----
    Source: iasb2001ias36 for the name; definition.

    Examples
    --------
    A GPU at $3.00 falling 20 % a year: new, and after one, three and six years

    >>> value_in_use_usd(
    ...     [0, 1, 3, 6],
    ...     rent_usd_per_h=3,
    ...     yearly_times=0.8,
    ...     busy_fraction=0.8,
    ...     opex_usd_per_h=0.6,
    ...     resale_usd=0,
    ...     interest_fraction=0.1,
    ...     service_years=8,
    ... ).round(-2)
    array([32200., 21200.,  7100.,     0.])
    """
    age = non_negative("age_years", age_years, finite=True)
    resale = non_negative("resale_usd", resale_usd, finite=True)
    retired = retirement_years(
        service_years,
        rent_usd_per_h=rent_usd_per_h,
        yearly_times=yearly_times,
        busy_fraction=busy_fraction,
        opex_usd_per_h=opex_usd_per_h,
        resale_usd=resale_usd,
        interest_fraction=interest_fraction,
    )
    end = np.maximum(retired, age)
    margin = flows_usd(
        age,
        until_years=end,
        rent_usd_per_h=rent_usd_per_h,
        yearly_times=yearly_times,
        busy_fraction=busy_fraction,
        opex_usd_per_h=opex_usd_per_h,
        interest_fraction=interest_fraction,
    )
    later = np.power(1 + fraction("interest_fraction", interest_fraction), age - end)
    return margin + resale * later
