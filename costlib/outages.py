r"""Outages: what they cost, what one more nine is worth, and what of an uptime can be used."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib import availability
from costlib._checks import Floats, fraction, non_negative

__all__ = [
    "affordable_fallback_fraction",
    "credit_usd",
    "even_fleet_usd",
    "even_revenue_usd",
    "failover_fraction",
    "nine_cost_times",
    "nine_value_usd",
    "pool_usd",
    "usable_fraction",
]


def pool_usd(
    n_replicas: ArrayLike,
    *,
    availability_fraction: ArrayLike,
    n_needed: ArrayLike,
    common_fraction: ArrayLike,
    replica_usd_per_h: ArrayLike,
    loss_usd_per_h: ArrayLike,
    period_h: ArrayLike,
) -> Floats:
    r"""Replicas and what their outages lose: :math:`T\,(n\,r + (1 - A_n)\,L)`.

    Parameters
    ----------
    n_replicas
        Replicas that are held. [-]
    availability_fraction
        Availability of one replica. [-]
    n_needed
        Replicas that carry the load. [-]
    common_fraction
        Share of a replica's time down that takes all replicas with it. [-]
    replica_usd_per_h
        What a replica costs. [USD/h]
    loss_usd_per_h
        What an hour down loses. [USD/h]
    period_h
        Period: 8,760 for a year. [h]

    Returns
    -------
        Cost of the period. [USD]

    Raises
    ------
    ValueError
        If a share is outside [0, 1], or an argument negative or not a number.

    Notes
    -----
    Source: definition, from `availability.pool_fraction`.

    Examples
    --------
    One replica of $2 an hour, and two, where an hour down loses $1,000:

    >>> pool_usd(
    ...     [1, 2, 3], availability_fraction=0.99, n_needed=1, common_fraction=0,
    ...     replica_usd_per_h=2, loss_usd_per_h=1_000, period_h=8760,
    ... ).round()
    array([105120.,  35916.,  52569.])
    """
    up = availability.pool_fraction(
        availability_fraction,
        n_replicas=n_replicas,
        n_needed=n_needed,
        common_fraction=common_fraction,
    )
    lost = (1 - up) * non_negative("loss_usd_per_h", loss_usd_per_h)
    held = np.asarray(n_replicas) * non_negative("replica_usd_per_h", replica_usd_per_h)
    spent: Floats = (held + lost) * non_negative("period_h", period_h)
    return spent


def nine_cost_times(
    n_replicas: ArrayLike,
    *,
    n_more_replicas: ArrayLike,
    replica_usd: ArrayLike,
    watching_usd: ArrayLike,
) -> Floats:
    r"""Cost of a nine more over the cost of what one has: :math:`\frac{n'\,r + w}{n\,r}`.

    Parameters
    ----------
    n_replicas
        Replicas that one has. [-]
    n_more_replicas
        Replicas that the next nine takes, in all regions together. [-]
    replica_usd
        What a replica costs in a period. [USD]
    watching_usd
        What the nine costs besides replicas: people on call, drills. [USD]

    Returns
    -------
        Ratio; infinite where no number of replicas reaches the nine, or nothing is paid now. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    From two replicas to as many, and with people who cost as much as four:

    >>> nine_cost_times(2, n_more_replicas=2, replica_usd=20, watching_usd=[0, 80])
    array([1., 3.])
    """
    replica = non_negative("replica_usd", replica_usd)
    paid = non_negative("n_replicas", n_replicas) * replica
    more = non_negative("n_more_replicas", n_more_replicas)
    watching = non_negative("watching_usd", watching_usd)
    never = np.isinf(more) | np.isinf(paid) | (paid == 0)
    spent = np.where(never, 1, more) * replica + watching
    return np.where(never, np.inf, spent / np.where(never, 1, paid))[()]


def even_fleet_usd(
    cost_times: ArrayLike, *, replica_times: ArrayLike, watching_usd: ArrayLike
) -> Floats:
    r"""Fleet at which a nine costs so many times as much: :math:`\frac{w}{m - g}`.

    Parameters
    ----------
    cost_times
        Cost with the nine over the cost without, :math:`m`. [-]
    replica_times
        Replicas with the nine over those without, :math:`g`. [-]
    watching_usd
        What the nine costs besides replicas. [USD]

    Returns
    -------
        What the fleet costs now, in the same period; infinite where replicas alone cost as many
        times as much. [USD]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Where `nine_cost_times` is the ratio. Source: definition.

    Examples
    --------
    Two regions instead of one, and a million dollars of people:

    >>> even_fleet_usd([3, 5], replica_times=2, watching_usd=1e6).round()
    array([1000000.,  333333.])
    """
    times = non_negative("cost_times", cost_times)
    over = times - non_negative("replica_times", replica_times)
    watching = non_negative("watching_usd", watching_usd)
    return np.where(over > 0, watching / np.where(over > 0, over, 1), np.inf)[()]


def nine_value_usd(
    availability_fraction: ArrayLike, *, target_fraction: ArrayLike, revenue_usd: ArrayLike
) -> Floats:
    r"""What a better availability is worth: :math:`R\,(T - A)`.

    Parameters
    ----------
    availability_fraction
        Availability that one has. [-]
    target_fraction
        Availability wanted. [-]
    revenue_usd
        Revenue of the period, had nothing been down. [USD]

    Returns
    -------
        Revenue kept; negative where the target is the worse of the two. [USD]

    Raises
    ------
    ValueError
        If a share is outside [0, 1], or the revenue negative or not a number.

    Notes
    -----
    What is asked for while down is lost, and nothing else. Source: beyer2016site.

    Examples
    --------
    The book's own: a million dollars, from three nines to four.

    >>> nine_value_usd(0.999, target_fraction=0.9999, revenue_usd=1e6).round(2)
    np.float64(900.0)
    """
    up = fraction("availability_fraction", availability_fraction)
    target = fraction("target_fraction", target_fraction)
    return non_negative("revenue_usd", revenue_usd) * (target - up)


def even_revenue_usd(
    cost_usd: ArrayLike, *, availability_fraction: ArrayLike, target_fraction: ArrayLike
) -> Floats:
    r"""Revenue from which a better availability pays: :math:`\frac{C}{T - A}`.

    Parameters
    ----------
    cost_usd
        What it costs more in the period. [USD]
    availability_fraction
        Availability that one has. [-]
    target_fraction
        Availability wanted. [-]

    Returns
    -------
        Revenue of the period; infinite where the target is no better. [USD]

    Raises
    ------
    ValueError
        If a share is outside [0, 1], or the cost negative or not a number.

    Notes
    -----
    Where `nine_value_usd` is the cost. Source: beyer2016site.

    Examples
    --------
    >>> even_revenue_usd(900, availability_fraction=0.999, target_fraction=0.9999).round()
    np.float64(1000000.0)
    """
    cost = non_negative("cost_usd", cost_usd)
    gained = fraction("target_fraction", target_fraction) - fraction(
        "availability_fraction", availability_fraction
    )
    return np.where(gained > 0, cost / np.where(gained > 0, gained, 1), np.inf)[()]


def credit_usd(
    availability_fraction: ArrayLike,
    *,
    bill_usd: ArrayLike,
    below_fraction: ArrayLike,
    credit_fraction: ArrayLike,
) -> Floats:
    r"""What a vendor credits for a month: the largest :math:`c_i\,B` with :math:`A < b_i`.

    Parameters
    ----------
    availability_fraction
        Availability of the month, as the vendor counts it. [-]
    bill_usd
        Bill of the month. [USD]
    below_fraction
        Availability below which each step is credited: one table for all. [-]
    credit_fraction
        Share of the bill that each step credits. [-]

    Returns
    -------
        Credit. It follows the bill, not what the outage cost. [USD]

    Raises
    ------
    ValueError
        If a share is outside [0, 1], the bill is negative or not a number, or there is not a
        credit for each step.

    Notes
    -----
    Source: aws2023bedrocksla.

    Examples
    --------
    >>> credit_usd(
    ...     [0.9995, 0.995, 0.98], bill_usd=1000,
    ...     below_fraction=[0.999, 0.99, 0.95], credit_fraction=[0.1, 0.25, 1],
    ... )
    array([  0., 100., 250.])
    """
    up = np.asarray(fraction("availability_fraction", availability_fraction))
    bill = non_negative("bill_usd", bill_usd)
    below = np.atleast_1d(fraction("below_fraction", below_fraction))
    credit = np.atleast_1d(fraction("credit_fraction", credit_fraction))
    if below.ndim != 1 or credit.shape != below.shape:
        raise ValueError(
            f"credit_fraction must hold one share for each of {below.size} steps, "
            f"got {credit_fraction!r}"
        )
    share = np.where(up[..., np.newaxis] < below, credit, 0).max(axis=-1)
    credited: Floats = (share * bill)[()]
    return credited


def usable_fraction(
    availability_fraction: ArrayLike,
    *,
    late_fraction: ArrayLike = 0,
    fallback_fraction: ArrayLike = 0,
    worth_fraction: ArrayLike = 1,
) -> Floats:
    r"""Uptime by what its answers are worth: :math:`A\,(1 - l)\,(1 - s\,(1 - q))`.

    Parameters
    ----------
    availability_fraction
        Share of requests that get an answer: what a promise of uptime counts. [-]
    late_fraction
        Share of the answers that come too late to be of use. [-]
    fallback_fraction
        Share of the answers that a lesser model gives. [-]
    worth_fraction
        Worth of such an answer beside one of the model asked for: the reader's number. [-]

    Returns
    -------
        Share of the full worth that is served. [-]

    Raises
    ------
    ValueError
        If a share is outside [0, 1] or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Four nines, one answer in twenty from a model worth four fifths:

    >>> usable_fraction(0.9999, fallback_fraction=0.05, worth_fraction=0.8).round(4)
    np.float64(0.9899)
    """
    timely = fraction("availability_fraction", availability_fraction) * (
        1 - fraction("late_fraction", late_fraction)
    )
    fallback = fraction("fallback_fraction", fallback_fraction)
    return timely * (1 - fallback * (1 - fraction("worth_fraction", worth_fraction)))


def affordable_fallback_fraction(
    target_fraction: ArrayLike,
    *,
    availability_fraction: ArrayLike,
    worth_fraction: ArrayLike,
    late_fraction: ArrayLike = 0,
) -> Floats:
    r"""Most answers of a lesser model that keep a target: :math:`\frac{1 - T/(A(1-l))}{1 - q}`.

    Parameters
    ----------
    target_fraction
        Share of the full worth wanted. [-]
    availability_fraction
        Share of requests that get an answer. [-]
    worth_fraction
        Worth of the lesser model's answer. [-]
    late_fraction
        Share of the answers that come too late to be of use. [-]

    Returns
    -------
        Share of the answers, between 0 (the target is just met, or out of reach) and 1. [-]

    Raises
    ------
    ValueError
        If a share is outside [0, 1] or not a number.

    Notes
    -----
    Where `usable_fraction` is the target. Source: definition.

    Examples
    --------
    Of four nines, what may fall back for three to be left:

    >>> affordable_fallback_fraction(
    ...     0.999, availability_fraction=0.9999, worth_fraction=0.8,
    ... ).round(5)
    np.float64(0.0045)
    """
    target = fraction("target_fraction", target_fraction)
    timely = fraction("availability_fraction", availability_fraction) * (
        1 - fraction("late_fraction", late_fraction)
    )
    lost = timely * (1 - fraction("worth_fraction", worth_fraction))
    spare = timely - target
    most = np.where(lost > 0, spare / np.where(lost > 0, lost, 1), np.where(spare >= 0, 1, 0))
    return np.where(most > 0, np.minimum(most, 1), 0.0)[()]


def failover_fraction(
    availability_fraction: ArrayLike,
    *,
    other_availability_fraction: ArrayLike,
    worth_fraction: ArrayLike = 1,
    common_fraction: ArrayLike = 0,
) -> Floats:
    r"""Worth served where another service stands in: :math:`A + (1 - A)(1 - \beta)\,A'\,q`.

    Parameters
    ----------
    availability_fraction
        Availability of the first service. [-]
    other_availability_fraction
        Availability of the one that stands in, when nothing is shared. [-]
    worth_fraction
        Worth of its answers beside the first's: 1 counts answers, whatever they are. [-]
    common_fraction
        Share of the first's time down that takes the other with it. [-]

    Returns
    -------
        Share of the full worth that is served. [-]

    Raises
    ------
    ValueError
        If a share is outside [0, 1] or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Two vendors of 99.7 %: by answers, and where the second's are worth half:

    >>> failover_fraction(
    ...     0.997, other_availability_fraction=0.997, worth_fraction=[1, 0.5],
    ... ).round(5)
    array([0.99999, 0.9985 ])
    """
    up = fraction("availability_fraction", availability_fraction)
    apart = 1 - fraction("common_fraction", common_fraction)
    other = fraction("other_availability_fraction", other_availability_fraction)
    return up + (1 - up) * apart * other * fraction("worth_fraction", worth_fraction)
