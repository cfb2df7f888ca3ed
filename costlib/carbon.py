r"""Carbon and water of a token: the energy of it, the grid behind it, what was built for it.

A kilowatt-hour on the meter of the equipment is :math:`\mathrm{PUE}` on the meter of the grid,
which emits :math:`g` grams for each. Shifting work in time moves it to hours with a
smaller :math:`g`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, at_least_one, fraction, non_negative, positive
from costlib.units import (
    GRAMS_PER_KG,
    JOULES_PER_KWH,
    KG_PER_T,
    SECONDS_PER_HOUR,
    TOKENS_PER_MTOK,
)

__all__ = [
    "carbon_kg",
    "carbon_usd_per_mtok",
    "embodied_kg_per_mtok",
    "mean_g_per_kwh",
    "residual_times",
    "shifted_fraction",
    "shifted_kwh",
    "token_kg_per_mtok",
    "token_kwh_per_mtok",
    "water_l_per_kwh",
    "water_l_per_mtok",
]


def token_kwh_per_mtok(*, token_j: ArrayLike) -> Floats:
    """Energy of a million tokens on the meter of the equipment.

    Parameters
    ----------
    token_j
        Energy of a token. [J]

    Returns
    -------
        Energy. [kWh/Mtok]

    Raises
    ------
    ValueError
        If the energy is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Llama-3.1-70B on four H100, with 8 and with 1,024 in the batch:

    >>> token_kwh_per_mtok(token_j=[3.76, 0.373]).round(3)
    array([1.044, 0.104])
    """
    return non_negative("token_j", token_j) * TOKENS_PER_MTOK / JOULES_PER_KWH


def carbon_kg(*, energy_kwh: ArrayLike, grid_g_per_kwh: ArrayLike) -> Floats:
    """What an energy emits on a grid.

    Parameters
    ----------
    energy_kwh
        Energy on the meter of the grid. [kWh]
    grid_g_per_kwh
        Carbon intensity of the grid, in CO2 equivalents. [g/kWh]

    Returns
    -------
        CO2 equivalents. [kg]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> carbon_kg(energy_kwh=1_000, grid_g_per_kwh=369.473)
    np.float64(369.473)
    """
    used = non_negative("energy_kwh", energy_kwh)
    return used * non_negative("grid_g_per_kwh", grid_g_per_kwh) / GRAMS_PER_KG


def mean_g_per_kwh(*, carbon_kg: ArrayLike, energy_kwh: ArrayLike) -> Floats:
    """Carbon intensity that an emission and an energy imply.

    Parameters
    ----------
    carbon_kg
        CO2 equivalents. [kg]
    energy_kwh
        Energy, above 0. [kWh]

    Returns
    -------
        Intensity. [g/kWh]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    182 million tonnes over 460 TWh:

    >>> mean_g_per_kwh(carbon_kg=182e9, energy_kwh=460e9).round(2)
    np.float64(395.65)
    """
    emitted = non_negative("carbon_kg", carbon_kg)
    return emitted * GRAMS_PER_KG / positive("energy_kwh", energy_kwh)


def token_kg_per_mtok(*, token_j: ArrayLike, pue: ArrayLike, grid_g_per_kwh: ArrayLike) -> Floats:
    """What a million tokens emit while they are made.

    Parameters
    ----------
    token_j
        Energy of a token on the meter of the equipment. [J]
    pue
        Power usage effectiveness. [-]
    grid_g_per_kwh
        Carbon intensity of the grid. [g/kWh]

    Returns
    -------
        CO2 equivalents. [kg/Mtok]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> token_kg_per_mtok(token_j=0.469, pue=1.3, grid_g_per_kwh=600).round(2)
    np.float64(0.1)
    """
    metered = token_kwh_per_mtok(token_j=token_j) * at_least_one("pue", pue)
    return carbon_kg(energy_kwh=metered, grid_g_per_kwh=grid_g_per_kwh)


def embodied_kg_per_mtok(
    *,
    embodied_kg: ArrayLike,
    period_h: ArrayLike,
    busy_fraction: ArrayLike,
    tokens_per_s: ArrayLike,
) -> Floats:
    """What building a machine emitted, over the tokens of its life.

    Parameters
    ----------
    embodied_kg
        CO2 equivalents of making it. [kg]
    period_h
        Its life. [h]
    busy_fraction
        Share of the time that it works. [-]
    tokens_per_s
        What it makes while it works. [tokens/s]

    Returns
    -------
        CO2 equivalents; infinite where nothing is made. [kg/Mtok]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: rince2025ecologits.

    Examples
    --------
    A server of 5,700 kg with eight GPUs of 273 kg, three years at 60 % and 16,000 tokens/s:

    >>> embodied_kg_per_mtok(
    ...     embodied_kg=5_700 + 8 * 273, period_h=26_280, busy_fraction=0.6, tokens_per_s=16_000
    ... ).round(4)
    np.float64(0.0087)
    """
    seconds = non_negative("period_h", period_h) * SECONDS_PER_HOUR
    rate = fraction("busy_fraction", busy_fraction) * non_negative("tokens_per_s", tokens_per_s)
    made = seconds * rate / TOKENS_PER_MTOK
    some = np.where(made > 0, made, 1.0)
    return np.where(made > 0, non_negative("embodied_kg", embodied_kg) / some, np.inf)[()]


def carbon_usd_per_mtok(*, token_kg_per_mtok: ArrayLike, carbon_usd_per_t: ArrayLike) -> Floats:
    """What the carbon of a million tokens costs where it has a price.

    Parameters
    ----------
    token_kg_per_mtok
        CO2 equivalents. [kg/Mtok]
    carbon_usd_per_t
        Price of a tonne. [USD/t]

    Returns
    -------
        Cost. [USD/Mtok]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> carbon_usd_per_mtok(token_kg_per_mtok=0.1, carbon_usd_per_t=80)
    np.float64(0.008)
    """
    emitted = non_negative("token_kg_per_mtok", token_kg_per_mtok)
    return emitted * non_negative("carbon_usd_per_t", carbon_usd_per_t) / KG_PER_T


def residual_times(
    *, carbon_free_fraction: ArrayLike, other_carbon_free_fraction: ArrayLike
) -> Floats:
    r"""How much more of a site's energy is not carbon-free than of another's: :math:`(1-a)/(1-b)`.

    Parameters
    ----------
    carbon_free_fraction
        Share of the one site's energy that is carbon-free. [-]
    other_carbon_free_fraction
        Of the other's. [-]

    Returns
    -------
        Ratio of the rests: of the intensities, if both rests are equally dirty. Infinite where the
        other has none. [-]

    Raises
    ------
    ValueError
        If a share lies outside 0 to 1.

    Notes
    -----
    Source: definition.

    Examples
    --------
    4 % in Singapore against 94 % in Finland:

    >>> residual_times(carbon_free_fraction=0.04, other_carbon_free_fraction=0.94).round(6)
    np.float64(16.0)
    """
    one = 1 - fraction("carbon_free_fraction", carbon_free_fraction)
    two = 1 - fraction("other_carbon_free_fraction", other_carbon_free_fraction)
    some = np.where(two > 0, two, 1.0)
    return np.where(two > 0, one / some, np.inf)[()]


def water_l_per_kwh(
    *, site_l_per_kwh: ArrayLike, pue: ArrayLike, grid_l_per_kwh: ArrayLike
) -> Floats:
    r"""Water for a kilowatt-hour, on site and at the power plants: :math:`w + \mathrm{PUE}\,v`.

    Parameters
    ----------
    site_l_per_kwh
        Water usage effectiveness of the site, per kWh of the equipment. [l/kWh]
    pue
        Power usage effectiveness. [-]
    grid_l_per_kwh
        Water that the grid takes for a kWh. [l/kWh]

    Returns
    -------
        Water. [l/kWh]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: li2023thirsty.

    Examples
    --------
    A site of 0.15 l/kWh at PUE 1.15 on the grid of the United States:

    >>> water_l_per_kwh(site_l_per_kwh=0.15, pue=1.15, grid_l_per_kwh=3.1321).round(2)
    np.float64(3.75)
    """
    plants = at_least_one("pue", pue) * non_negative("grid_l_per_kwh", grid_l_per_kwh)
    return non_negative("site_l_per_kwh", site_l_per_kwh) + plants


def water_l_per_mtok(*, token_j: ArrayLike, water_l_per_kwh: ArrayLike) -> Floats:
    """Water for a million tokens.

    Parameters
    ----------
    token_j
        Energy of a token on the meter of the equipment. [J]
    water_l_per_kwh
        Water for a kWh there, see `water_l_per_kwh`. [l/kWh]

    Returns
    -------
        Water. [l/Mtok]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: li2023thirsty.

    Examples
    --------
    >>> water_l_per_mtok(token_j=0.36, water_l_per_kwh=3.75).round(3)
    np.float64(0.375)
    """
    each = non_negative("water_l_per_kwh", water_l_per_kwh)
    return token_kwh_per_mtok(token_j=token_j) * each


def shifted_kwh(
    hour_g_per_kwh: ArrayLike, *, fixed_kwh: ArrayLike, flexible_kwh: float, cap_kwh: float
) -> Floats:
    """Load of every hour once the flexible work runs in the cleanest hours with room.

    It is the exact minimum of the emissions: the cleanest hour is filled to the cap, then the next.

    Parameters
    ----------
    hour_g_per_kwh
        Carbon intensity of each hour. [g/kWh]
    fixed_kwh
        Load of each hour that cannot move. [kWh]
    flexible_kwh
        Work that may run in any of the hours. [kWh]
    cap_kwh
        Most that one hour can take, fixed load included. [kWh]

    Returns
    -------
        Load of each hour. [kWh]

    Raises
    ------
    ValueError
        If an argument is negative, the fixed load exceeds the cap, or the work does not fit.

    Notes
    -----
    Source: radovanovic2021carbon.

    Examples
    --------
    >>> shifted_kwh([300, 100, 200], fixed_kwh=1, flexible_kwh=3, cap_kwh=3)
    array([1., 3., 2.])
    """
    grid = non_negative("hour_g_per_kwh", hour_g_per_kwh)
    hours = np.atleast_1d(np.asarray(grid, dtype=np.float64))
    fixed = np.broadcast_to(non_negative("fixed_kwh", fixed_kwh), hours.shape)
    work, cap = non_negative("flexible_kwh", flexible_kwh), non_negative("cap_kwh", cap_kwh)
    room = cap - fixed
    if (room < 0).any():
        raise ValueError(f"fixed_kwh must not exceed cap_kwh, got {fixed.max()} of {float(cap)}")
    if work > room.sum() * (1 + 1e-12):
        raise ValueError(f"flexible_kwh must fit under the cap, got {float(work)} of {room.sum()}")
    order = np.argsort(hours, kind="stable")
    before = np.cumsum(room[order]) - room[order]
    taken = np.empty_like(hours)
    taken[order] = np.clip(work - before, 0, room[order])
    load: Floats = fixed + taken
    return load


def shifted_fraction(
    hour_g_per_kwh: ArrayLike, *, fixed_kwh: ArrayLike, flexible_kwh: float, cap_kwh: float
) -> Floats:
    """Share of the emissions that shifting saves, against the same work spread evenly.

    Parameters
    ----------
    hour_g_per_kwh
        Carbon intensity of each hour. [g/kWh]
    fixed_kwh
        Load of each hour that cannot move. [kWh]
    flexible_kwh
        Work that may run in any of the hours. [kWh]
    cap_kwh
        Most that one hour can take, fixed load included. [kWh]

    Returns
    -------
        Share saved; 0 where nothing is emitted. [-]

    Raises
    ------
    ValueError
        If an argument is negative, the fixed load exceeds the cap, or the work does not fit.

    Notes
    -----
    Source: radovanovic2021carbon.

    Examples
    --------
    >>> shifted_fraction([300, 100, 200], fixed_kwh=1, flexible_kwh=3, cap_kwh=3).round(3)
    np.float64(0.167)
    """
    load = np.asarray(
        shifted_kwh(hour_g_per_kwh, fixed_kwh=fixed_kwh, flexible_kwh=flexible_kwh, cap_kwh=cap_kwh)
    )
    grid = np.broadcast_to(np.asarray(hour_g_per_kwh, dtype=np.float64), load.shape)
    fixed = np.broadcast_to(np.asarray(fixed_kwh, dtype=np.float64), load.shape)
    even = np.float64((fixed + flexible_kwh / load.size) @ grid)
    saved = 1 - np.float64(load @ grid) / (even if even > 0 else np.float64(1))
    return saved if even > 0 else np.float64(0)
