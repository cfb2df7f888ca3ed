"""Fleets: what has to be held for a demand, what renting costs, and when it beats an API."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from costlib import serving
from costlib._checks import Floats, at_least_one, fraction, non_negative, positive
from costlib.units import HOURS_PER_MONTH, SECONDS_PER_HOUR, TOKENS_PER_MTOK

__all__ = [
    "committed_usd_per_h",
    "even_usd_per_mtok",
    "lag_fraction",
    "mean_rent_usd_per_h",
    "month_tokens",
    "n_held_accelerators",
    "n_replicas",
    "spot_usd_per_h",
    "start_s",
    "tenant_usd_per_h",
]

CLOSE: Final = 1e-9  # rounding of a quotient


def n_replicas(
    *,
    demand_tokens_per_s: ArrayLike,
    tokens_per_s: ArrayLike,
    peak_times: ArrayLike,
    load_fraction: ArrayLike,
    n_least: ArrayLike,
    n_spares: ArrayLike,
) -> Floats:
    r"""Replicas that are held for a demand: its peak at the load that latency allows, and spares.

    Parameters
    ----------
    demand_tokens_per_s
        Mean demand. [tokens/s]
    tokens_per_s
        What one replica makes at full load. [tokens/s]
    peak_times
        Busiest hour over the mean, 1 or more. [-]
    load_fraction
        Load up to which the latency promise holds. [-]
    n_least
        Replicas that always run. [-]
    n_spares
        Replicas beyond what the peak needs, as in N+1. [-]

    Returns
    -------
        Whole replicas. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    A third of a replica at a peak of 2.5, with one in reserve; then ten times as much:

    >>> n_replicas(
    ...     demand_tokens_per_s=[300, 3_000], tokens_per_s=1_000, peak_times=2.5, load_fraction=0.8,
    ...     n_least=1, n_spares=1,
    ... )
    array([ 2., 11.])
    """
    peak = non_negative("demand_tokens_per_s", demand_tokens_per_s) * at_least_one(
        "peak_times", peak_times
    )
    carried = positive("tokens_per_s", tokens_per_s) * positive(
        "load_fraction", fraction("load_fraction", load_fraction)
    )
    asked = np.ceil(peak / carried - CLOSE)
    least = non_negative("n_least", n_least)
    return np.maximum(asked, least) + non_negative("n_spares", n_spares)


def n_held_accelerators(
    *,
    n_replicas: ArrayLike,
    n_accelerators: ArrayLike,
    node_accelerators: ArrayLike,
) -> Floats:
    r"""Accelerators one has to hold for whole machines: a third of a GPU buys a node.

    Parameters
    ----------
    n_replicas
        Replicas that are held. [-]
    n_accelerators
        Accelerators that serve or are held. [-]
    node_accelerators
        Accelerators in the smallest machine one can buy or rent. [-]

    Returns
    -------
        Accelerators, a multiple of the machine's. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> n_held_accelerators(n_replicas=[1, 2, 5], n_accelerators=2, node_accelerators=8)
    array([ 8.,  8., 16.])
    """
    asked = non_negative("n_replicas", n_replicas) * non_negative("n_accelerators", n_accelerators)
    machine = positive("node_accelerators", node_accelerators, finite=True)
    return np.ceil(asked / machine) * machine


def month_tokens(
    *,
    held_usd_per_h: ArrayLike,
    n_accelerators: ArrayLike,
    api_usd_per_mtok: ArrayLike,
    tokens_per_s: ArrayLike,
) -> Floats:
    r"""Volume of a month above which a held fleet is cheaper than an API.

    Parameters
    ----------
    held_usd_per_h
        What one accelerator of the fleet costs an hour. [USD/h]
    n_accelerators
        Accelerators that serve or are held. [-]
    api_usd_per_mtok
        Price of the same tokens at an API. [USD/Mtok]
    tokens_per_s
        What one replica makes at full load. [tokens/s]

    Returns
    -------
        Tokens a month; infinite where the fleet cannot make as many: never. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    One H100 at $2 an hour against $0.60 and $0.10 a million; it makes 2,000 tokens/s at most:

    >>> month_tokens(
    ...     held_usd_per_h=2, n_accelerators=1, api_usd_per_mtok=[0.6, 0.1], tokens_per_s=2_000
    ... ) / 1e6
    array([2433.33333333,           inf])
    """
    month = (
        non_negative("held_usd_per_h", held_usd_per_h)
        * non_negative("n_accelerators", n_accelerators)
        * HOURS_PER_MONTH
    )
    price = non_negative("api_usd_per_mtok", api_usd_per_mtok)
    volume = month * TOKENS_PER_MTOK / np.where(price > 0, price, 1.0)
    most = non_negative("tokens_per_s", tokens_per_s) * HOURS_PER_MONTH * SECONDS_PER_HOUR
    return np.where((price > 0) & (volume <= most), volume, np.inf)[()]


def even_usd_per_mtok(
    *,
    held_usd_per_h: ArrayLike,
    n_accelerators: ArrayLike,
    demand_tokens_per_s: ArrayLike,
) -> Floats:
    r"""Price of an API at which a held fleet breaks even at a volume.

    Parameters
    ----------
    held_usd_per_h
        What one accelerator of the fleet costs an hour. [USD/h]
    n_accelerators
        Accelerators that serve or are held. [-]
    demand_tokens_per_s
        Mean demand. [tokens/s]

    Returns
    -------
        Price; infinite without demand. [USD/Mtok]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    One H100 at $2 an hour for 50 million tokens a month:

    >>> even_usd_per_mtok(
    ...     held_usd_per_h=2, n_accelerators=1, demand_tokens_per_s=50e6 / (730 * 3600)
    ... ).round(1)
    np.float64(29.2)
    """
    demand = non_negative("demand_tokens_per_s", demand_tokens_per_s)
    return serving.usd_per_mtok(
        rent_usd_per_h=non_negative("held_usd_per_h", held_usd_per_h),
        tokens_per_s=demand,
        n_accelerators=n_accelerators,
    )


def spot_usd_per_h(
    *,
    rent_usd_per_h: ArrayLike,
    eviction_h: ArrayLike,
    lost_h: ArrayLike,
) -> Floats:
    r"""Hour of work at a rent that may be withdrawn: :math:`r / (1 - l/T)`.

    Parameters
    ----------
    rent_usd_per_h
        Rent of the same. [USD/h]
    eviction_h
        Mean time between evictions. [h]
    lost_h
        Work lost and time to start again, at each. [h]

    Returns
    -------
        Cost of an hour of work that stays; infinite where evictions undo all of it. [USD/h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    $1.25, evicted every five hours, an hour lost each time, and every hour:

    >>> spot_usd_per_h(rent_usd_per_h=1.25, eviction_h=[5, 1], lost_h=1)
    array([1.5625,    inf])
    """
    kept = 1 - non_negative("lost_h", lost_h) / positive("eviction_h", eviction_h)
    rent = non_negative("rent_usd_per_h", rent_usd_per_h)
    return np.where(kept > 0, rent / np.where(kept > 0, kept, 1.0), np.inf)[()]


def mean_rent_usd_per_h(
    *,
    rent_usd_per_h: ArrayLike,
    yearly_times: ArrayLike,
    years: ArrayLike,
) -> Floats:
    r"""Mean of a rent that changes by the same factor every year.

    .. math:: \bar r = r\,\frac{g^t - 1}{t \ln g}

    Parameters
    ----------
    rent_usd_per_h
        Rent of the same. [USD/h]
    yearly_times
        Rent a year later over the rent now: below 1 it falls, above 1 it rises. [-]
    years
        Life over which it is written off. [-]

    Returns
    -------
        Mean over the years, in equal use of each. [USD/h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    $2.95 over four years, falling by 30 % a year, at rest, rising by 10 %:

    >>> mean_rent_usd_per_h(rent_usd_per_h=2.95, yearly_times=[0.7, 1, 1.1], years=4).round(2)
    array([1.57, 2.95, 3.59])
    """
    times = positive("yearly_times", yearly_times)
    grown = np.log(times) * positive("years", years)
    return non_negative("rent_usd_per_h", rent_usd_per_h) * special.exprel(grown)


def start_s(
    *,
    weight_bytes: ArrayLike,
    bytes_per_s: ArrayLike,
    fixed_s: ArrayLike,
) -> Floats:
    r"""Cold start of a replica: getting a machine, then reading the weights.

    Parameters
    ----------
    weight_bytes
        Weights that are read. [bytes]
    bytes_per_s
        Bandwidth of what they come from, all parts together. [bytes/s]
    fixed_s
        Time to get a machine and start the engine. [s]

    Returns
    -------
        Time to the first request. [s]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    140 GB from one drive of 7 GB/s, after half a minute:

    >>> start_s(weight_bytes=140e9, bytes_per_s=7e9, fixed_s=30)
    np.float64(50.0)
    """
    reading = non_negative("weight_bytes", weight_bytes) / positive("bytes_per_s", bytes_per_s)
    return non_negative("fixed_s", fixed_s) + reading


def lag_fraction(
    *,
    hourly_times: ArrayLike,
    start_s: ArrayLike,
) -> Floats:
    r"""Capacity that has to run ahead of demand while a new replica starts: :math:`g^t - 1`.

    Parameters
    ----------
    hourly_times
        Demand an hour later over demand now, at its steepest; 1 or more. [-]
    start_s
        Time from asking for a replica to its first token. [s]

    Returns
    -------
        Reserve over what is used now; above 1 where use more than doubles meanwhile. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition; demand grows by the same factor through the start.

    Examples
    --------
    Demand that doubles in an hour, and starts of 50 s and ten minutes:

    >>> lag_fraction(hourly_times=2, start_s=[50, 600]).round(3)
    array([0.01 , 0.122])
    """
    growth = np.log(at_least_one("hourly_times", hourly_times))
    return np.exp(growth * non_negative("start_s", start_s) / SECONDS_PER_HOUR) - 1


def tenant_usd_per_h(
    *,
    held_usd_per_h: ArrayLike,
    n_accelerators: ArrayLike,
    tenant_fraction: ArrayLike,
) -> Floats:
    r"""Part of a shared fleet that one tenant pays when idle time is charged by use.

    Parameters
    ----------
    held_usd_per_h
        What one accelerator of the fleet costs an hour. [USD/h]
    n_accelerators
        Accelerators that serve or are held. [-]
    tenant_fraction
        Share of the used capacity that the tenant uses. [-]

    Returns
    -------
        Charge; over all tenants it sums to the whole fleet, idle hours included. [USD/h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> tenant_usd_per_h(held_usd_per_h=2, n_accelerators=8, tenant_fraction=[0.25, 0.75])
    array([ 4., 12.])
    """
    fleet = non_negative("held_usd_per_h", held_usd_per_h) * non_negative(
        "n_accelerators", n_accelerators
    )
    return fleet * fraction("tenant_fraction", tenant_fraction)


def committed_usd_per_h(
    *,
    rent_usd_per_h: ArrayLike,
    discount_fraction: ArrayLike,
    commitment_fraction: ArrayLike,
    needed_fraction: ArrayLike,
) -> Floats:
    r"""Hour of capacity of which a part is under contract and the rest on demand.

    Parameters
    ----------
    rent_usd_per_h
        Rent of the same. [USD/h]
    discount_fraction
        What the contract takes off the rent on demand. [-]
    commitment_fraction
        Share of the peak that is under contract. [-]
    needed_fraction
        Share of the peak that is needed now. [-]

    Returns
    -------
        Cost per unit of the peak; what is under contract is paid, needed or not. [USD/h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    A contract at 30 % off for half of the peak, in a quiet hour and at the peak:

    >>> committed_usd_per_h(
    ...     rent_usd_per_h=2, discount_fraction=0.3, commitment_fraction=0.5,
    ...     needed_fraction=[0.2, 1],
    ... )
    array([0.7, 1.7])
    """
    rent = non_negative("rent_usd_per_h", rent_usd_per_h)
    bound = fraction("commitment_fraction", commitment_fraction)
    beyond = np.maximum(fraction("needed_fraction", needed_fraction) - bound, 0)
    return rent * ((1 - fraction("discount_fraction", discount_fraction)) * bound + beyond)
