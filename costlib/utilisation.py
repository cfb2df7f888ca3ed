r"""Utilisation: what a busy machine is worth against a lean building.

Equipment that idles draws a share :math:`f` of its full power. Busy for a share :math:`u` of the
time, it draws :math:`l = f + (1 - f)\,u` of it, and a piece of work costs a capital :math:`K` and
an energy :math:`E = \mathrm{PUE}\,P\,e` an hour as :math:`(K + E l) / u`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib import energy, serving, tco
from costlib._checks import Floats, at_least_one, fraction, non_negative, positive
from costlib.facility import energy_kwh, energy_usd, parity_usd_per_kwh
from costlib.units import SECONDS_PER_HOUR, TOKENS_PER_MTOK

__all__ = [
    "busy_elasticity",
    "even_busy_fraction",
    "even_idle_fraction",
    "even_usd_per_kwh",
    "load_fraction",
    "pue_elasticity",
    "site_usd_per_h",
    "site_usd_per_mtok",
    "useful_usd_per_h",
    "work_energy_times",
]


def load_fraction(*, busy_fraction: ArrayLike, idle_fraction: ArrayLike) -> Floats:
    r"""Mean power over full power of equipment that works part of the time: :math:`f + (1 - f)\,u`.

    Parameters
    ----------
    busy_fraction
        Share of the time, or of the full rate, at which it works. [-]
    idle_fraction
        Share of its full power that it draws without work. [-]

    Returns
    -------
        Share of full power. [-]

    Raises
    ------
    ValueError
        If an argument lies outside 0 to 1.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> load_fraction(busy_fraction=[0, 0.6, 1], idle_fraction=0.15).round(2)
    array([0.15, 0.66, 1.  ])
    """
    return energy.power_w(tdp_w=1, idle_fraction=idle_fraction, busy_fraction=busy_fraction)


def work_energy_times(
    *, busy_fraction: ArrayLike, idle_fraction: ArrayLike, pue: ArrayLike
) -> Floats:
    r"""Energy of work, over a full machine's without overhead: :math:`\mathrm{PUE}\,l/u`.

    Parameters
    ----------
    busy_fraction
        Share of the time that the equipment works. [-]
    idle_fraction
        Share of its full power that it draws without work. [-]
    pue
        Power usage effectiveness. [-]

    Returns
    -------
        Times; infinite where no work is done. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    PUE 1.67 at 90 % against 1.09 at 40 %, where idling takes three tenths of full power:

    >>> work_energy_times(busy_fraction=[0.9, 0.4], idle_fraction=0.3, pue=[1.67, 1.09]).round(2)
    array([1.73, 1.58])
    """
    load = load_fraction(busy_fraction=busy_fraction, idle_fraction=idle_fraction)
    busy = fraction("busy_fraction", busy_fraction)
    some = np.where(busy > 0, busy, 1.0)
    return np.where(busy > 0, at_least_one("pue", pue, finite=True) * load / some, np.inf)[()]


def even_idle_fraction(
    *,
    pue: ArrayLike,
    busy_fraction: ArrayLike,
    other_pue: ArrayLike,
    other_busy_fraction: ArrayLike,
) -> Floats:
    r"""Idle draw at which two sites spend the same energy on a piece of work.

    With :math:`g = 1/u - 1` it is :math:`(\mathrm{PUE}_2 - \mathrm{PUE}_1) / (\mathrm{PUE}_1 g_1 -
    \mathrm{PUE}_2 g_2)`. Above it the busier site spends less.

    Parameters
    ----------
    pue
        Of the one site. [-]
    busy_fraction
        Share of the time that it works. [-]
    other_pue
        Of the other. [-]
    other_busy_fraction
        Share of the time that the other works. [-]

    Returns
    -------
        Share of full power drawn when idle; infinite where one site wins at any. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> sites = {"pue": 1.67, "busy_fraction": 0.9, "other_pue": 1.09, "other_busy_fraction": 0.4}
    >>> even_idle_fraction(**sites).round(2)
    np.float64(0.4)
    """
    one, two = (
        at_least_one("pue", pue, finite=True),
        at_least_one("other_pue", other_pue, finite=True),
    )
    first = 1 / positive("busy_fraction", fraction("busy_fraction", busy_fraction)) - 1
    other = positive("other_busy_fraction", fraction("other_busy_fraction", other_busy_fraction))
    steeper = one * first - two * (1 / other - 1)
    slope = np.where(steeper != 0, steeper, 1.0)
    even = (two - one) / slope
    return np.where((steeper != 0) & (even >= 0) & (even <= 1), even, np.inf)[()]


def site_usd_per_h(
    *,
    capital_usd_per_h: ArrayLike,
    power_w: ArrayLike,
    pue: ArrayLike,
    busy_fraction: ArrayLike,
    idle_fraction: ArrayLike,
    electricity_usd_per_kwh: ArrayLike,
) -> Floats:
    r"""Hour of a machine, capital and energy: :math:`K + \mathrm{PUE}\,P\,l\,e`.

    Parameters
    ----------
    capital_usd_per_h
        What an hour of it costs whether or not it draws power. [USD/h]
    power_w
        Its full power, host included. [W]
    pue
        Power usage effectiveness. [-]
    busy_fraction
        Share of the time that it works. [-]
    idle_fraction
        Share of its full power that it draws without work. [-]
    electricity_usd_per_kwh
        Price of electricity. [USD/kWh]

    Returns
    -------
        Cost of an hour, useful or not. [USD/h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    USD 30,000 over five years and a share of 10.2 kW, always at full power:

    >>> site_usd_per_h(capital_usd_per_h=30_000 / 43_800, power_w=1_275, pue=1.5,
    ...                busy_fraction=0.6, idle_fraction=1, electricity_usd_per_kwh=0.1).round(3)
    np.float64(0.876)
    """
    load = load_fraction(busy_fraction=busy_fraction, idle_fraction=idle_fraction)
    energy_h = energy_usd(
        power_w=power_w, period_h=1, electricity_usd_per_kwh=electricity_usd_per_kwh, pue=pue
    )
    return non_negative("capital_usd_per_h", capital_usd_per_h, finite=True) + load * energy_h


def useful_usd_per_h(
    *,
    capital_usd_per_h: ArrayLike,
    power_w: ArrayLike,
    pue: ArrayLike,
    busy_fraction: ArrayLike,
    idle_fraction: ArrayLike,
    electricity_usd_per_kwh: ArrayLike,
) -> Floats:
    """Hour of work: the machine's hour over the share of it that works.

    Parameters
    ----------
    capital_usd_per_h
        What an hour of it costs whether or not it draws power. [USD/h]
    power_w
        Its full power, host included. [W]
    pue
        Power usage effectiveness. [-]
    busy_fraction
        Share of the time that it works. [-]
    idle_fraction
        Share of its full power that it draws without work. [-]
    electricity_usd_per_kwh
        Price of electricity. [USD/kWh]

    Returns
    -------
        Cost; infinite where no work is done. [USD/h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    PUE 1.67 at 85 % beats 1.09 at 50 % with the same machine:

    >>> useful_usd_per_h(capital_usd_per_h=30_000 / 43_800, power_w=1_275, pue=[1.67, 1.09],
    ...                  busy_fraction=[0.85, 0.5], idle_fraction=1,
    ...                  electricity_usd_per_kwh=0.1).round(3)
    array([1.056, 1.648])
    """
    hour = site_usd_per_h(
        capital_usd_per_h=capital_usd_per_h,
        power_w=power_w,
        pue=pue,
        busy_fraction=busy_fraction,
        idle_fraction=idle_fraction,
        electricity_usd_per_kwh=electricity_usd_per_kwh,
    )
    return tco.worked_usd_per_h(owned_usd_per_h=hour, busy_fraction=busy_fraction)


def site_usd_per_mtok(
    *,
    capital_usd_per_h: ArrayLike,
    power_w: ArrayLike,
    pue: ArrayLike,
    busy_fraction: ArrayLike,
    idle_fraction: ArrayLike,
    electricity_usd_per_kwh: ArrayLike,
    tokens_per_s: ArrayLike,
) -> Floats:
    """Cost of a million tokens on a machine of a site.

    Parameters
    ----------
    capital_usd_per_h
        What an hour of it costs whether or not it draws power. [USD/h]
    power_w
        Its full power, host included. [W]
    pue
        Power usage effectiveness. [-]
    busy_fraction
        Share of the time that it works. [-]
    idle_fraction
        Share of its full power that it draws without work. [-]
    electricity_usd_per_kwh
        Price of electricity. [USD/kWh]
    tokens_per_s
        What it makes while it works. [tokens/s]

    Returns
    -------
        Cost; infinite where nothing is made. [USD/Mtok]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> site_usd_per_mtok(capital_usd_per_h=0.7, power_w=1_000, pue=1.5, busy_fraction=[0.5, 1],
    ...                   idle_fraction=1, electricity_usd_per_kwh=0.2, tokens_per_s=1_000)
    array([0.55555556, 0.27777778])
    """
    useful = useful_usd_per_h(
        capital_usd_per_h=capital_usd_per_h,
        power_w=power_w,
        pue=pue,
        busy_fraction=busy_fraction,
        idle_fraction=idle_fraction,
        electricity_usd_per_kwh=electricity_usd_per_kwh,
    )
    return serving.usd_per_mtok(rent_usd_per_h=useful, tokens_per_s=tokens_per_s)


def pue_elasticity(
    *,
    capital_usd_per_h: ArrayLike,
    power_w: ArrayLike,
    pue: ArrayLike,
    busy_fraction: ArrayLike,
    idle_fraction: ArrayLike,
    electricity_usd_per_kwh: ArrayLike,
) -> Floats:
    r"""Percent of a token's cost by percent of PUE, energy's share of it: :math:`El/(K+El)`.

    Parameters
    ----------
    capital_usd_per_h
        What an hour of it costs whether or not it draws power. [USD/h]
    power_w
        Its full power, host included. [W]
    pue
        Power usage effectiveness. [-]
    busy_fraction
        Share of the time that it works. [-]
    idle_fraction
        Share of its full power that it draws without work. [-]
    electricity_usd_per_kwh
        Price of electricity. [USD/kWh]

    Returns
    -------
        Elasticity, 0 to 1; 0 where nothing costs anything. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> pue_elasticity(capital_usd_per_h=30_000 / 43_800, power_w=1_275, pue=1.5,
    ...                busy_fraction=0.6, idle_fraction=1, electricity_usd_per_kwh=0.1).round(2)
    np.float64(0.22)
    """
    capital = non_negative("capital_usd_per_h", capital_usd_per_h, finite=True)
    hour = site_usd_per_h(
        capital_usd_per_h=capital,
        power_w=power_w,
        pue=pue,
        busy_fraction=busy_fraction,
        idle_fraction=idle_fraction,
        electricity_usd_per_kwh=electricity_usd_per_kwh,
    )
    some = np.where(hour > 0, hour, 1.0)
    return np.where(hour > 0, 1 - capital / some, 0.0)[()]


def busy_elasticity(
    *,
    capital_usd_per_h: ArrayLike,
    power_w: ArrayLike,
    pue: ArrayLike,
    busy_fraction: ArrayLike,
    idle_fraction: ArrayLike,
    electricity_usd_per_kwh: ArrayLike,
) -> Floats:
    r"""Percent of a token's cost by percent of utilisation: :math:`-(K+Ef)/(K+El)`.

    It is -1 only where power does not follow the work.

    Parameters
    ----------
    capital_usd_per_h
        What an hour of it costs whether or not it draws power. [USD/h]
    power_w
        Its full power, host included. [W]
    pue
        Power usage effectiveness. [-]
    busy_fraction
        Share of the time that it works. [-]
    idle_fraction
        Share of its full power that it draws without work. [-]
    electricity_usd_per_kwh
        Price of electricity. [USD/kWh]

    Returns
    -------
        Elasticity, -1 to 0; 0 where nothing costs anything. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Power that never falls, and power that follows the work:

    >>> busy_elasticity(capital_usd_per_h=30_000 / 43_800, power_w=1_275, pue=1.5,
    ...                 busy_fraction=0.6, idle_fraction=[1, 0.15],
    ...                 electricity_usd_per_kwh=0.1).round(3)
    array([-1.  , -0.88])
    """
    site = {
        "capital_usd_per_h": capital_usd_per_h,
        "power_w": non_negative("power_w", power_w, finite=True),
        "pue": at_least_one("pue", pue, finite=True),
        "idle_fraction": idle_fraction,
        "electricity_usd_per_kwh": non_negative(
            "electricity_usd_per_kwh", electricity_usd_per_kwh, finite=True
        ),
    }
    hour = site_usd_per_h(busy_fraction=busy_fraction, **site)
    idle = site_usd_per_h(busy_fraction=0, **site)
    some = np.where(hour > 0, hour, 1.0)
    return np.where(hour > 0, -idle / some, 0.0)[()]


def even_usd_per_kwh(
    *,
    capital_usd_per_h: ArrayLike,
    power_w: ArrayLike,
    pue: ArrayLike,
    busy_fraction: ArrayLike,
    idle_fraction: ArrayLike,
) -> Floats:
    r"""Price of electricity above which PUE moves a token more than utilisation does.

    Percent for percent; it is :math:`K / (\mathrm{PUE}\,P\,(1 - f)\,u)`.

    Parameters
    ----------
    capital_usd_per_h
        What an hour of it costs whether or not it draws power. [USD/h]
    power_w
        Its full power, host included. [W]
    pue
        Power usage effectiveness. [-]
    busy_fraction
        Share of the time that it works. [-]
    idle_fraction
        Share of its full power that it draws without work. [-]

    Returns
    -------
        Price; infinite where power does not follow the work. [USD/kWh]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> even_usd_per_kwh(capital_usd_per_h=30_000 / 43_800, power_w=1_275, pue=1.5,
    ...                  busy_fraction=0.6, idle_fraction=0.15).round(2)
    np.float64(0.7)
    """
    idle = fraction("idle_fraction", idle_fraction)
    follows = (1 - idle) * fraction("busy_fraction", busy_fraction)
    moved = energy_kwh(power_w=power_w, period_h=1, pue=pue) * follows
    return parity_usd_per_kwh(
        cost_usd=non_negative("capital_usd_per_h", capital_usd_per_h, finite=True), energy_kwh=moved
    )


def even_busy_fraction(
    *,
    cost_usd_per_mtok: ArrayLike,
    capital_usd_per_h: ArrayLike,
    power_w: ArrayLike,
    pue: ArrayLike,
    idle_fraction: ArrayLike,
    electricity_usd_per_kwh: ArrayLike,
    tokens_per_s: ArrayLike,
) -> Floats:
    r"""Utilisation at which a million tokens cost an amount: a line of equal cost over PUE.

    An hour at full rate earns :math:`R` at that cost; it is :math:`(K + Ef) / (R - E(1 - f))`.

    Parameters
    ----------
    cost_usd_per_mtok
        The amount. [USD/Mtok]
    capital_usd_per_h
        What an hour of the machine costs whether or not it draws power. [USD/h]
    power_w
        Its full power, host included. [W]
    pue
        Power usage effectiveness. [-]
    idle_fraction
        Share of its full power that it draws without work. [-]
    electricity_usd_per_kwh
        Price of electricity. [USD/kWh]
    tokens_per_s
        What it makes while it works. [tokens/s]

    Returns
    -------
        Share of the time; above 1 where a full machine costs more, infinite where energy alone
        does. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> even_busy_fraction(cost_usd_per_mtok=0.3, capital_usd_per_h=0.7, power_w=1_000,
    ...                    pue=[1, 2], idle_fraction=1, electricity_usd_per_kwh=0.1,
    ...                    tokens_per_s=1_000).round(3)
    array([0.741, 0.833])
    """
    idle = fraction("idle_fraction", idle_fraction)
    energy_h = energy_usd(
        power_w=power_w, period_h=1, electricity_usd_per_kwh=electricity_usd_per_kwh, pue=pue
    )
    each = non_negative("cost_usd_per_mtok", cost_usd_per_mtok) / TOKENS_PER_MTOK
    earned = each * non_negative("tokens_per_s", tokens_per_s) * SECONDS_PER_HOUR
    left = earned - energy_h * (1 - idle)
    some = np.where(left > 0, left, 1.0)
    paid = non_negative("capital_usd_per_h", capital_usd_per_h, finite=True) + energy_h * idle
    return np.where(left > 0, paid / some, np.inf)[()]
