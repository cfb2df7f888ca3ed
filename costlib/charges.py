r"""Charges: what a life does to the cost of a year, of an hour and of a token.

Lives and ages are in years. A shorter life moves charges to earlier years; it adds none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive
from costlib.units import HOURS_PER_YEAR

__all__ = [
    "charge_usd_per_h",
    "component_charge_usd",
    "equivalent_life_years",
    "extra_charge_usd",
    "failing_fraction",
    "implied_base_usd",
    "undercut_times",
    "working_fraction",
]


# --- charges ---------------------------------------------------------------------------------


def component_charge_usd(
    gpu_fraction: ArrayLike,
    *,
    cost_usd: ArrayLike,
    salvage_fraction: ArrayLike,
    life_years: ArrayLike,
    rest_life_years: ArrayLike,
) -> Floats:
    r"""Charge of a year by component: :math:`C \left[g (1 - s) / L_g + (1 - g) / L_r\right]`.

    Parameters
    ----------
    gpu_fraction
        Share :math:`g` of the cost that lies in GPUs. [-]
    cost_usd
        What the machine cost, :math:`C`. [USD]
    salvage_fraction
        Share :math:`s` of the GPUs' cost that is left at the end of their life. [-]
    life_years
        Life of the GPUs, in years. [-]
    rest_life_years
        Life of chassis, network, power and cooling, in years; nothing is left of them. [-]

    Returns
    -------
        Charged in a year in which all components are in their lives. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; lives must be above 0.

    Notes
    -----
    Source: tanaka2026palanor.

    Examples
    --------
    GPUs of four years with a third left, the rest of seven, at 60 % GPUs: 15.8 % of the cost

    >>> component_charge_usd(
    ...     0.6, cost_usd=100, salvage_fraction=0.325, life_years=4, rest_life_years=7
    ... ).round(2)
    np.float64(15.84)
    """
    gpus = fraction("gpu_fraction", gpu_fraction)
    cost = non_negative("cost_usd", cost_usd)
    left = fraction("salvage_fraction", salvage_fraction)
    short = positive("life_years", life_years)
    return cost * (
        gpus * (1 - left) / short + (1 - gpus) / positive("rest_life_years", rest_life_years)
    )


def equivalent_life_years(
    charge_usd: ArrayLike,
    *,
    cost_usd: ArrayLike,
) -> Floats:
    r"""Life of a straight line without salvage that charges as much: :math:`C / c`.

    Parameters
    ----------
    charge_usd
        Charged in a year; above 0. [USD]
    cost_usd
        What the machine cost. [USD]

    Returns
    -------
        That life, in years. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> equivalent_life_years(15.84, cost_usd=100).round(1)
    np.float64(6.3)
    """
    return non_negative("cost_usd", cost_usd) / positive("charge_usd", charge_usd)


def charge_usd_per_h(
    charge_usd: ArrayLike,
    *,
    busy_fraction: ArrayLike,
) -> Floats:
    r"""Charge per hour in use: :math:`c / (8760\,u)`.

    Parameters
    ----------
    charge_usd
        Charged in a year. [USD]
    busy_fraction
        Share :math:`u` of the hours that the machine is in use. [-]

    Returns
    -------
        What an hour of use carries of it; infinite for a machine that stands. [USD/h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: tanaka2026palanor; definition.

    Examples
    --------
    A GPU of $30,000 over six, four and five years, always in use:

    >>> charge_usd_per_h(30e3 / np.array([6, 4, 5]), busy_fraction=1).round(2)
    array([0.57, 0.86, 0.68])
    """
    charge = non_negative("charge_usd", charge_usd)
    hours = HOURS_PER_YEAR * fraction("busy_fraction", busy_fraction)
    some = np.where(hours > 0, hours, 1.0)
    return np.where(hours > 0, charge / some, np.where(charge > 0, np.inf, 0.0))[()]


def extra_charge_usd(
    n_years: ArrayLike,
    *,
    cost_usd: ArrayLike,
    shorter_years: ArrayLike,
    life_years: ArrayLike,
) -> Floats:
    r"""Charges that a shorter life adds in the first years: :math:`C[\min(n/l,1) - \min(n/L,1)]`.

    Parameters
    ----------
    n_years
        Years :math:`n` since the purchase. [-]
    cost_usd
        What was bought, :math:`C`. [USD]
    shorter_years
        The shorter life :math:`l`, in years. [-]
    life_years
        The longer life :math:`L`, in years. [-]

    Returns
    -------
        More than under the longer life, all years together; negative if it is the shorter one,
        and zero once both are over: a life moves charges in time and adds none. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; lives must be above 0.

    Notes
    -----
    Straight lines without salvage. Source: tanaka2026palanor; definition.

    Examples
    --------
    A hundred billion at four years in place of six, each year and in the end:

    >>> extra_charge_usd([1, 4, 6], cost_usd=100e9, shorter_years=4, life_years=6) / 1e9
    array([ 8.33333333, 33.33333333,  0.        ])
    """
    n = non_negative("n_years", n_years)
    short = np.minimum(n / positive("shorter_years", shorter_years), 1.0)
    long = np.minimum(n / positive("life_years", life_years), 1.0)
    return non_negative("cost_usd", cost_usd) * (short - long)


def implied_base_usd(
    effect_usd: ArrayLike,
    *,
    shorter_years: ArrayLike,
    life_years: ArrayLike,
) -> Floats:
    r"""Cost in service that explains a change of a year's charge: :math:`E / |1/l - 1/L|`.

    Parameters
    ----------
    effect_usd
        Change of a year's charge :math:`E`, as disclosed. [USD]
    shorter_years
        One life, in years. [-]
    life_years
        The other, in years. [-]

    Returns
    -------
        Cost of all machines whose life was changed; infinite if the lives are equal. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; lives must be above 0.

    Notes
    -----
    As if all machines were new. A new life spreads what is left in the books over the years
    that remain, so that the true cost in service is another. Source: definition.

    Examples
    --------
    Alphabet's 3.9 billion from four years to six:

    >>> implied_base_usd(3.9e9, shorter_years=4, life_years=6).round(-8) / 1e9
    np.float64(46.8)
    """
    effect = non_negative("effect_usd", effect_usd)
    short = positive("shorter_years", shorter_years)
    gap = np.abs(1 / short - 1 / positive("life_years", life_years))
    return np.where(gap > 0, effect / np.where(gap > 0, gap, 1.0), np.inf)[()]


# --- failures and rivals ---------------------------------------------------------------------


def failing_fraction(
    n_failed: ArrayLike,
    *,
    n_in_service: ArrayLike,
    period_h: ArrayLike,
) -> Floats:
    r"""Failures of a year over the machines in service: :math:`\frac{k}{N} \cdot \frac{8760}{h}`.

    Parameters
    ----------
    n_failed
        Failures seen, :math:`k`. [-]
    n_in_service
        Machines in service, :math:`N`. [-]
    period_h
        Time watched, :math:`h`. [h]

    Returns
    -------
        Failures a year for each machine; above 1 where it fails more than once. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; machines and time must be above 0.

    Notes
    -----
    A failure that is repaired counts like one that is not. Source: grattafiori2024llama3.

    Examples
    --------
    54 days on 16,384 GPUs: 148 faulty GPUs, and 72 faults of their memory besides

    >>> failing_fraction([148, 148 + 72], n_in_service=16384, period_h=54 * 24).round(4)
    array([0.0611, 0.0908])
    """
    failed = non_negative("n_failed", n_failed) / positive("n_in_service", n_in_service)
    return failed * HOURS_PER_YEAR / positive("period_h", period_h)


def working_fraction(
    age_years: ArrayLike,
    *,
    lost_fraction: ArrayLike,
) -> Floats:
    r"""Machines that still work, if a share is lost every year: :math:`(1 - f)^t`.

    Parameters
    ----------
    age_years
        Age, in years. [-]
    lost_fraction
        Share :math:`f` of those that work which is lost in a year, for good. [-]

    Returns
    -------
        Share of the machines bought that still works. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> working_fraction(5, lost_fraction=[0.061, 0.09]).round(2)
    array([0.73, 0.62])
    """
    kept = 1 - fraction("lost_fraction", lost_fraction)
    return np.power(kept, non_negative("age_years", age_years))


def undercut_times(
    undercut_fraction: ArrayLike,
    *,
    cadence_years: ArrayLike,
) -> Floats:
    r"""Rent a year on, if every generation undercuts the last: :math:`(1 - q)^{1/g}`.

    Parameters
    ----------
    undercut_fraction
        Share :math:`q` by which a new generation does the same work cheaper. [-]
    cadence_years
        Years :math:`g` between generations. [-]

    Returns
    -------
        What the rent of an old machine is multiplied by in a year. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; a cadence must be above 0.

    Notes
    -----
    The old machine must follow the new one's price at once, and nothing else moves its rent.
    Source: definition.

    Examples
    --------
    A third off, every two years and every year:

    >>> undercut_times(1 / 3, cadence_years=[2, 1]).round(3)
    array([0.816, 0.667])
    """
    kept = 1 - fraction("undercut_fraction", undercut_fraction)
    return np.power(kept, 1 / positive("cadence_years", cadence_years))
