"""Owning: what an hour costs, of work or not, and when it beats renting."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib import facility, finance
from costlib._checks import Floats, fraction, non_negative
from costlib.units import HOURS_PER_MONTH, HOURS_PER_YEAR, WATTS_PER_KW

__all__ = [
    "capital_usd_per_h",
    "even_busy_share",
    "even_h",
    "owned_usd_per_h",
    "purchase_usd",
    "room_usd_per_h",
    "upkeep_usd_per_h",
    "worked_usd_per_h",
]


def purchase_usd(
    *,
    machine_usd: ArrayLike,
    network_fraction: ArrayLike,
    installation_fraction: ArrayLike,
    spare_fraction: ArrayLike,
) -> Floats:
    r"""A machine with its network, installation and spares: :math:`M\,(1+n+i)(1+s)`.

    Parameters
    ----------
    machine_usd
        Price of a machine. [USD]
    network_fraction
        Share of it that its network costs. [-]
    installation_fraction
        Share of it that transport and installation cost. [-]
    spare_fraction
        Machines bought to stand in for broken ones, per machine that serves. [-]

    Returns
    -------
        Purchase. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> purchase_usd(
    ...     machine_usd=250e3, network_fraction=0.1, installation_fraction=0.02, spare_fraction=0.03
    ... ).round()
    np.float64(288400.0)
    """
    with_parts = (
        1
        + fraction("network_fraction", network_fraction)
        + fraction("installation_fraction", installation_fraction)
    )
    machines = 1 + fraction("spare_fraction", spare_fraction)
    return non_negative("machine_usd", machine_usd) * with_parts * machines


def capital_usd_per_h(
    *,
    cost_usd: ArrayLike,
    salvage_fraction: ArrayLike,
    interest_fraction: ArrayLike,
    years: ArrayLike,
) -> Floats:
    r"""Hour of a purchase that is repaid monthly with interest, used or not.

    Parameters
    ----------
    cost_usd
        What is bought, network, installation and spares included. [USD]
    salvage_fraction
        Share of it that a resale brings at the end. [-]
    interest_fraction
        Cost of capital of a year. [-]
    years
        Life over which it is written off. [-]

    Returns
    -------
        Cost of an hour. [USD/h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition; the months are `finance.annuity_usd`.

    Examples
    --------
    A node of $300,000 over four years, without interest and at 8 %:

    >>> capital_usd_per_h(
    ...     cost_usd=300e3, salvage_fraction=0, interest_fraction=[0, 0.08], years=4
    ... ).round(2)
    array([ 8.56, 10.03])
    """
    month = finance.annuity_usd(
        cost_usd=cost_usd,
        interest_fraction=interest_fraction,
        years=years,
        salvage_fraction=salvage_fraction,
    )
    return month / HOURS_PER_MONTH


def upkeep_usd_per_h(
    *,
    cost_usd: ArrayLike,
    insurance_fraction: ArrayLike,
    tax_fraction: ArrayLike,
    repair_fraction: ArrayLike,
    staff_usd_per_h: ArrayLike,
    software_usd_per_h: ArrayLike,
) -> Floats:
    r"""Insurance, property tax and repairs of a purchase, with its people and software.

    Parameters
    ----------
    cost_usd
        What is bought, network, installation and spares included. [USD]
    insurance_fraction
        Insurance of a year over the purchase. [-]
    tax_fraction
        Property tax of a year over the purchase. [-]
    repair_fraction
        Repairs of a year over the purchase. [-]
    staff_usd_per_h
        People who run it. [USD/h]
    software_usd_per_h
        Licences and support. [USD/h]

    Returns
    -------
        Cost of an hour. [USD/h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> upkeep_usd_per_h(
    ...     cost_usd=300e3, insurance_fraction=0.01, tax_fraction=0.01, repair_fraction=0.02,
    ...     staff_usd_per_h=2, software_usd_per_h=1,
    ... ).round(3)
    np.float64(4.37)
    """
    yearly = (
        fraction("insurance_fraction", insurance_fraction)
        + fraction("tax_fraction", tax_fraction)
        + fraction("repair_fraction", repair_fraction)
    )
    people = non_negative("staff_usd_per_h", staff_usd_per_h)
    software = non_negative("software_usd_per_h", software_usd_per_h)
    return non_negative("cost_usd", cost_usd) * yearly / HOURS_PER_YEAR + people + software


def room_usd_per_h(
    *,
    provisioned_w: ArrayLike,
    colocation_usd_per_kw_month: ArrayLike,
) -> Floats:
    r"""Place of a machine in a data centre, paid by the power that is kept for it.

    Parameters
    ----------
    provisioned_w
        Power that a room keeps for it, drawn or not. [W]
    colocation_usd_per_kw_month
        Rent of the room and its power feed. [USD/kW/month]

    Returns
    -------
        Cost of an hour. [USD/h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition; the month has 730 hours.

    Examples
    --------
    A node of 10.2 kW at $150 a month and kW:

    >>> room_usd_per_h(provisioned_w=10_200, colocation_usd_per_kw_month=150).round(2)
    np.float64(2.1)
    """
    kept = non_negative("provisioned_w", provisioned_w) / WATTS_PER_KW
    month = non_negative("colocation_usd_per_kw_month", colocation_usd_per_kw_month)
    return kept * month / HOURS_PER_MONTH


def owned_usd_per_h(
    *,
    capital_usd_per_h: ArrayLike,
    upkeep_usd_per_h: ArrayLike,
    room_usd_per_h: ArrayLike,
    power_w: ArrayLike,
    pue: ArrayLike,
    electricity_usd_per_kwh: ArrayLike,
) -> Floats:
    r"""What owning a machine costs an hour, used or not: repayment, upkeep, room and energy.

    Parameters
    ----------
    capital_usd_per_h
        What repaying it costs an hour. [USD/h]
    upkeep_usd_per_h
        Insurance, tax, repairs, people and software. [USD/h]
    room_usd_per_h
        Its place in a data centre. [USD/h]
    power_w
        Measured draw, host included. [W]
    pue
        Power usage effectiveness. [-]
    electricity_usd_per_kwh
        Price of electricity. [USD/kWh]

    Returns
    -------
        Cost of an hour. [USD/h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition; the draw is the measured one, the room is paid by the rating.

    Examples
    --------
    >>> owned_usd_per_h(
    ...     capital_usd_per_h=10, upkeep_usd_per_h=3, room_usd_per_h=2, power_w=7_752, pue=1.3,
    ...     electricity_usd_per_kwh=0.1,
    ... ).round(2)
    np.float64(16.01)
    """
    energy = facility.energy_usd(
        power_w=power_w, period_h=1, electricity_usd_per_kwh=electricity_usd_per_kwh, pue=pue
    )
    return (
        non_negative("capital_usd_per_h", capital_usd_per_h)
        + non_negative("upkeep_usd_per_h", upkeep_usd_per_h)
        + non_negative("room_usd_per_h", room_usd_per_h)
        + energy
    )


def worked_usd_per_h(
    *,
    owned_usd_per_h: ArrayLike,
    busy_fraction: ArrayLike,
) -> Floats:
    r"""Hour of work of what is held all the time: :math:`O/u`.

    .. math:: O_u = O / u

    Parameters
    ----------
    owned_usd_per_h
        What owning it costs an hour, used or not. [USD/h]
    busy_fraction
        Share of the time that it does work. [-]

    Returns
    -------
        Cost of an hour of work, and the hourly rent at which owning breaks even; infinite
        where no work is done. [USD/h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: tanaka2026palanor for the node of the example.

    Examples
    --------
    An eight-GPU node that costs $675,000 over three years:

    >>> worked_usd_per_h(
    ...     owned_usd_per_h=675e3 / (8 * 26_280), busy_fraction=[1, 0.85, 0.7, 0.5, 0.3]
    ... ).round(2)
    array([ 3.21,  3.78,  4.59,  6.42, 10.7 ])
    """
    busy = fraction("busy_fraction", busy_fraction)
    hour = non_negative("owned_usd_per_h", owned_usd_per_h)
    return np.where(busy > 0, hour / np.where(busy > 0, busy, 1.0), np.inf)[()]


def even_busy_share(
    *,
    owned_usd_per_h: ArrayLike,
    rent_usd_per_h: ArrayLike,
) -> Floats:
    r"""Use from which owning beats renting by the hour: :math:`u^* = O/r`.

    Parameters
    ----------
    owned_usd_per_h
        What owning it costs an hour, used or not. [USD/h]
    rent_usd_per_h
        Rent of the same. [USD/h]

    Returns
    -------
        Share of the time; infinite where not even full use is enough: never. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: tanaka2026palanor for the node of the example.

    Examples
    --------
    The same node against $2.00, $5.35 and $6.88 an hour:

    >>> even_busy_share(owned_usd_per_h=3.2106, rent_usd_per_h=[2, 5.35, 6.88]).round(2)
    array([ inf, 0.6 , 0.47])
    """
    rent = non_negative("rent_usd_per_h", rent_usd_per_h)
    share = non_negative("owned_usd_per_h", owned_usd_per_h) / np.where(rent > 0, rent, 1.0)
    return np.where((rent > 0) & (share <= 1), share, np.inf)[()]


def even_h(
    *,
    cost_usd: ArrayLike,
    rent_usd_per_h: ArrayLike,
    opex_usd_per_h: ArrayLike,
) -> Floats:
    r"""Hours of use after which a purchase has cost less than renting: :math:`C/(r-o)`.

    Parameters
    ----------
    cost_usd
        What is bought, network, installation and spares included. [USD]
    rent_usd_per_h
        Rent of the same. [USD/h]
    opex_usd_per_h
        What an hour of the own machine costs beside its purchase. [USD/h]

    Returns
    -------
        Hours that would have been rented; infinite, never, where an owned hour costs as much
        as a rented one. [h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: lenovo2025tco.

    Examples
    --------
    Eight H100 NVL for $833,806 against $98.32 on demand, $77.43 and $53.95 an hour under contracts
    of one and three years. The source prints 8,556, 10,890 and 15,710:

    >>> even_h(
    ...     cost_usd=833_806, rent_usd_per_h=[98.32, 77.43, 53.95], opex_usd_per_h=0.87
    ... ).round()
    array([ 8556., 10891., 15708.])
    """
    saved = non_negative("rent_usd_per_h", rent_usd_per_h) - non_negative(
        "opex_usd_per_h", opex_usd_per_h
    )
    cost = non_negative("cost_usd", cost_usd)
    return np.where(saved > 0, cost / np.where(saved > 0, saved, 1.0), np.inf)[()]
