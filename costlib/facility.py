r"""Facilities: what the meter reads, what it costs, what a connection carries.

IT equipment draws a power; the building draws :math:`\mathrm{PUE}` times as much. Where the meter
of the equipment stands (the category of a PUE) and how often it is read (its interval) are no part
of the ratio; `data/facilities.csv` keeps the two apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, at_least_one, fraction, non_negative, positive, within
from costlib.units import WATTS_PER_KW

__all__ = [
    "boundary_pue",
    "energy_kwh",
    "energy_usd",
    "facility_w",
    "load_pue",
    "n_hosted",
    "node_w",
    "overhead_fraction",
    "parity_usd_per_kwh",
    "provisioned_times",
    "pue",
]


# --- the meter -------------------------------------------------------------------------------


def pue(*, facility_w: ArrayLike, power_w: ArrayLike) -> Floats:
    r"""Power usage effectiveness: what the building draws over what the IT equipment draws.

    Parameters
    ----------
    facility_w
        Power at the utility's meter. [W]
    power_w
        Power of the IT equipment, at the meter that the category names. [W]

    Returns
    -------
        Their ratio, 1 or more. [-]

    Raises
    ------
    ValueError
        If an argument is not positive, or the equipment draws more than the building.

    Notes
    -----
    Source: iso30134pue2016.

    Examples
    --------
    A megawatt of servers in a building that draws 1.59 MW:

    >>> pue(facility_w=1.59e6, power_w=1e6)
    np.float64(1.59)
    """
    whole = positive("facility_w", facility_w)
    return whole / within("power_w", positive("power_w", power_w), "facility_w", whole)


def facility_w(*, power_w: ArrayLike, pue: ArrayLike) -> Floats:
    r"""What the building draws: :math:`\mathrm{PUE}\,P`.

    Parameters
    ----------
    power_w
        Power of the IT equipment. [W]
    pue
        Power usage effectiveness. [-]

    Returns
    -------
        Power at the utility's meter. [W]

    Raises
    ------
    ValueError
        If the power is negative or the PUE below 1.

    Notes
    -----
    Source: iso30134pue2016.

    Examples
    --------
    4 MW of IT equipment at PUE 1.67 and 1.09:

    >>> facility_w(power_w=4e6, pue=[1.67, 1.09]).round()
    array([6680000., 4360000.])
    """
    return non_negative("power_w", power_w) * at_least_one("pue", pue)


def overhead_fraction(*, pue: ArrayLike) -> Floats:
    r"""Share of the meter that never reaches the IT equipment: :math:`1 - 1/\mathrm{PUE}`.

    Parameters
    ----------
    pue
        Power usage effectiveness. [-]

    Returns
    -------
        Share of the whole; half of it from a PUE of 2 on. [-]

    Raises
    ------
    ValueError
        If the PUE is below 1.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> overhead_fraction(pue=[1.59, 1.09]).round(3)
    array([0.371, 0.083])
    """
    return 1 - 1 / at_least_one("pue", pue)


def boundary_pue(*, pue: ArrayLike, moved_fraction: ArrayLike) -> Floats:
    r"""PUE once a share of the IT load counts as overhead: :math:`\mathrm{PUE}/(1-m)`.

    Parameters
    ----------
    pue
        As reported with that share inside the IT load. [-]
    moved_fraction
        Share of the IT load that the other boundary leaves out: fans, power supplies. [-]

    Returns
    -------
        PUE at the other boundary; infinite where nothing is left of the IT load. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Fans are a twentieth of the servers' power:

    >>> boundary_pue(pue=1.2, moved_fraction=0.05).round(3)
    np.float64(1.263)
    """
    left = 1 - fraction("moved_fraction", moved_fraction)
    kept = np.where(left > 0, left, 1.0)
    return np.where(left > 0, at_least_one("pue", pue) / kept, np.inf)[()]


def load_pue(*, pue: ArrayLike, fixed_fraction: ArrayLike, load_fraction: ArrayLike) -> Floats:
    r"""PUE at part load, some overhead fixed: :math:`1 + (\mathrm{PUE} - 1)(a/l + 1 - a)`.

    Parameters
    ----------
    pue
        At full load. [-]
    fixed_fraction
        Share of the overhead that does not follow the load. [-]
    load_fraction
        Power of the IT equipment over its full power. [-]

    Returns
    -------
        PUE at that load; infinite without any, unless all overhead follows. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Half of the overhead stays on, the servers draw half their power:

    >>> load_pue(pue=1.2, fixed_fraction=0.5, load_fraction=[1, 0.5]).round(3)
    array([1.2, 1.3])
    """
    load = fraction("load_fraction", load_fraction)
    fixed = fraction("fixed_fraction", fixed_fraction)
    drawn = np.where(load > 0, load, 1.0)
    spread = np.where(load > 0, fixed / drawn, np.where(fixed > 0, np.inf, 0.0))
    over = at_least_one("pue", pue) - 1
    paid = np.where(over > 0, over, 1.0) * (spread + 1 - fixed)
    return (1 + np.where(over > 0, paid, 0.0))[()]


def energy_kwh(*, power_w: ArrayLike, period_h: ArrayLike, pue: ArrayLike = 1) -> Floats:
    """Energy that the meter counts in a time.

    Parameters
    ----------
    power_w
        Mean power of the IT equipment. [W]
    period_h
        Time. [h]
    pue
        Power usage effectiveness. [-]

    Returns
    -------
        Energy. [kWh]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    An eight-GPU node of 10.2 kW at PUE 1.5 through three years:

    >>> energy_kwh(power_w=10_200, period_h=26_280, pue=1.5).round()
    np.float64(402084.0)
    """
    drawn = facility_w(power_w=power_w, pue=pue)
    return drawn * non_negative("period_h", period_h) / WATTS_PER_KW


def energy_usd(
    *,
    power_w: ArrayLike,
    period_h: ArrayLike,
    electricity_usd_per_kwh: ArrayLike,
    pue: ArrayLike = 1,
) -> Floats:
    """What the energy of a time costs.

    Parameters
    ----------
    power_w
        Mean power of the IT equipment. [W]
    period_h
        Time. [h]
    electricity_usd_per_kwh
        Price of electricity. [USD/kWh]
    pue
        Power usage effectiveness. [-]

    Returns
    -------
        Cost. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    The same node at ten cents:

    >>> energy_usd(power_w=10_200, period_h=26_280, electricity_usd_per_kwh=0.1, pue=1.5).round()
    np.float64(40208.0)
    """
    used = energy_kwh(power_w=power_w, period_h=period_h, pue=pue)
    return used * non_negative("electricity_usd_per_kwh", electricity_usd_per_kwh)


def parity_usd_per_kwh(*, cost_usd: ArrayLike, energy_kwh: ArrayLike) -> Floats:
    """Price of electricity at which an energy costs an amount.

    Parameters
    ----------
    cost_usd
        The amount: a purchase, or a saving that someone claims. [USD]
    energy_kwh
        The energy. [kWh]

    Returns
    -------
        Price; infinite where no energy is used. [USD/kWh]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    USD 667,000 for 1,314 MWh:

    >>> parity_usd_per_kwh(cost_usd=667_000, energy_kwh=1_314_000).round(3)
    np.float64(0.508)
    """
    used = non_negative("energy_kwh", energy_kwh)
    some = np.where(used > 0, used, 1.0)
    return np.where(used > 0, non_negative("cost_usd", cost_usd) / some, np.inf)[()]


# --- what is drawn, what is built ------------------------------------------------------------


def node_w(*, tdp_w: ArrayLike, n_accelerators: ArrayLike, host_w: ArrayLike) -> Floats:
    """Rated power of a node: its accelerators and the host around them.

    Parameters
    ----------
    tdp_w
        Design power of one accelerator. [W]
    n_accelerators
        Accelerators of the node. [-]
    host_w
        Processors, memory, network and fans. [W]

    Returns
    -------
        Power. [W]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Eight H100 and 4.6 kW of host are the 10.2 kW of the maker's node:

    >>> node_w(tdp_w=700, n_accelerators=8, host_w=4_600)
    np.float64(10200.0)
    """
    cards = non_negative("n_accelerators", n_accelerators) * non_negative("tdp_w", tdp_w)
    return cards + non_negative("host_w", host_w)


def provisioned_times(*, drawn_fraction: ArrayLike) -> Floats:
    """Power that was built over power that is drawn.

    Parameters
    ----------
    drawn_fraction
        Mean power over the rating that was built for. [-]

    Returns
    -------
        Their ratio; infinite where nothing is drawn. [-]

    Raises
    ------
    ValueError
        If the share lies outside 0 to 1.

    Notes
    -----
    Source: definition.

    Examples
    --------
    A node that draws 76 % of its rating was given 31.6 % more than it needs:

    >>> provisioned_times(drawn_fraction=0.76).round(3)
    np.float64(1.316)
    """
    drawn = fraction("drawn_fraction", drawn_fraction)
    some = np.where(drawn > 0, drawn, 1.0)
    return np.where(drawn > 0, 1 / some, np.inf)[()]


def n_hosted(*, site_w: ArrayLike, power_w: ArrayLike, pue: ArrayLike = 1) -> Floats:
    r"""Whole machines that a connection carries: :math:`\lfloor S / (\mathrm{PUE}\,P) \rfloor`.

    Parameters
    ----------
    site_w
        Power of the connection. [W]
    power_w
        Power of one machine. [W]
    pue
        Power usage effectiveness. [-]

    Returns
    -------
        Machines. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    2.32 MW carry 580 machines of 4 kW if nothing cools them, and 532 at PUE 1.09:

    >>> n_hosted(site_w=2.32e6, power_w=4e3, pue=[1, 1.09])
    array([580., 532.])
    """
    each = positive("power_w", power_w) * at_least_one("pue", pue)
    return np.floor(non_negative("site_w", site_w) / each)
