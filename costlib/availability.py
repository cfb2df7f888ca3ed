r"""Availability: nines, pools of replicas, what they share, how many reach a target.

A replica that is up a share :math:`A` of the time is down :math:`u = 1 - A`. It fails alone, or by
a cause that takes all of them: a bad release, a zone, a certificate. Of its time down a share
:math:`\beta` is of the second kind, and no number of replicas mends that share. A pool of one is up
exactly as its replica is:

.. math:: 1 - u = (1 - \beta u)(1 - v), \qquad v = \frac{(1-\beta)\,u}{1 - \beta u}.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from costlib._checks import Floats, fraction, non_negative
from costlib._halving import halved

__all__ = [
    "break_even_common_fraction",
    "ceiling_fraction",
    "chain_fraction",
    "down_h",
    "n_replicas",
    "nines",
    "pool_fraction",
    "regions_fraction",
    "safe_load_fraction",
    "survivor_load",
    "up_fraction",
]

MOST: Final = 2.0**40  # replicas: where as many do not reach a target, none do
CLOSE: Final = 1e-15  # of all time: rounding of a share next to one, which 1 - T inherits


def down_h(availability_fraction: ArrayLike, *, period_h: ArrayLike) -> Floats:
    r"""Time down in a period: :math:`(1 - A)\,T`.

    Parameters
    ----------
    availability_fraction
        Share of the time that the service is up. [-]
    period_h
        Period: 8,760 for a year, 730 for a month. [h]

    Returns
    -------
        Hours down. [h]

    Raises
    ------
    ValueError
        If the share is outside [0, 1], or the period negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Three nines in a year, and four in minutes:

    >>> down_h(0.999, period_h=8760).round(2)
    np.float64(8.76)
    >>> (60 * down_h(0.9999, period_h=8760)).round(1)
    np.float64(52.6)
    """
    up = fraction("availability_fraction", availability_fraction)
    return (1 - up) * non_negative("period_h", period_h)


def nines(availability_fraction: ArrayLike) -> Floats:
    r"""Nines of an availability: :math:`-\log_{10}(1 - A)`.

    Parameters
    ----------
    availability_fraction
        Share of the time that the service is up. [-]

    Returns
    -------
        Nines; 0 where it is never up, infinite where it always is. [-]

    Raises
    ------
    ValueError
        If the share is outside [0, 1] or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> nines([0.999, 0.9997, 0.9999]).round(2)
    array([3.  , 3.52, 4.  ])
    """
    up = fraction("availability_fraction", availability_fraction)
    with np.errstate(divide="ignore"):
        return -np.log10(1 - up) + 0.0


def up_fraction(between_failures_h: ArrayLike, *, repair_h: ArrayLike) -> Floats:
    r"""Share of the time up, from failures and repairs: :math:`\frac{F}{F + R}`.

    Parameters
    ----------
    between_failures_h
        Mean time from a repair to the next failure. [h]
    repair_h
        Mean time from a failure until answers come again: of a repair, of a cold standby that
        loads, or of the switch to a warm one. [h]

    Returns
    -------
        Availability; 1 where nothing fails or all is mended at once. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    A failure every 999.9 hours, mended in an hour or in six minutes:

    >>> up_fraction(999.9, repair_h=[1, 0.1]).round(6)
    array([0.999001, 0.9999  ])
    """
    between = non_negative("between_failures_h", between_failures_h)
    repair = non_negative("repair_h", repair_h)
    always = np.isinf(between) | (between + repair == 0)
    spent, whole = np.where(always, 1, between), np.where(always, 1, between + repair)
    return (spent / whole)[()]


def chain_fraction(availability_fraction: ArrayLike, *, n_parts: ArrayLike) -> Floats:
    r"""Availability of parts that are all needed: :math:`A^n`.

    Parameters
    ----------
    availability_fraction
        Availability of each: balancer, gateway, model, store. [-]
    n_parts
        Parts in a row. [-]

    Returns
    -------
        Availability of the chain; 1 of no part. [-]

    Raises
    ------
    ValueError
        If the share is outside [0, 1], or the number negative or not a number.

    Notes
    -----
    Parts that fail on their own. Source: definition.

    Examples
    --------
    Five parts of three nines make a chain of less than three:

    >>> chain_fraction(0.999, n_parts=5).round(4)
    np.float64(0.995)
    """
    up = fraction("availability_fraction", availability_fraction)
    whole: Floats = np.power(up, non_negative("n_parts", n_parts))
    return whole


def ceiling_fraction(availability_fraction: ArrayLike, *, common_fraction: ArrayLike) -> Floats:
    r"""Availability that no number of replicas passes: :math:`1 - \beta\,(1 - A)`.

    Parameters
    ----------
    availability_fraction
        Availability of one replica. [-]
    common_fraction
        Share of its time down that takes all replicas with it. [-]

    Returns
    -------
        Ceiling; 1 where replicas fail only on their own. [-]

    Raises
    ------
    ValueError
        If a share is outside [0, 1] or not a number.

    Notes
    -----
    Source: reliasoft2010beta.

    Examples
    --------
    Replicas of two nines, a tenth of whose time down is shared, come near three nines:

    >>> ceiling_fraction(0.99, common_fraction=0.1).round(6)
    np.float64(0.999)
    """
    up = fraction("availability_fraction", availability_fraction)
    return 1 - fraction("common_fraction", common_fraction) * (1 - up)


def pool_fraction(
    availability_fraction: ArrayLike,
    *,
    n_replicas: ArrayLike,
    n_needed: ArrayLike = 1,
    common_fraction: ArrayLike = 0,
) -> Floats:
    r"""At least so many replicas are up: :math:`(1-\beta u)\,P(X \ge k)`.

    :math:`X` of :math:`n` replicas are up, each on its own :math:`1 - v` of the time.

    Parameters
    ----------
    availability_fraction
        Availability of one replica. [-]
    n_replicas
        Replicas; a part of one does not count. [-]
    n_needed
        Replicas that carry the load; a part of one needs a whole one. [-]
    common_fraction
        Share of a replica's time down that takes all replicas with it; 0: each fails on its
        own. [-]

    Returns
    -------
        Availability of the pool; 0 where more are needed than there are. [-]

    Raises
    ------
    ValueError
        If a share is outside [0, 1], or a number negative or not a number.

    Notes
    -----
    The beta-factor model, exact in its cross term. Source: reliasoft2010beta.

    Examples
    --------
    Two replicas of two nines make four; with a tenth of the time down shared, not even three:

    >>> pool_fraction(0.99, n_replicas=2, common_fraction=[0, 0.1]).round(6)
    array([0.9999  , 0.998919])
    """
    up = fraction("availability_fraction", availability_fraction)
    have = np.floor(non_negative("n_replicas", n_replicas, finite=True))
    need = np.ceil(non_negative("n_needed", n_needed))
    return 1 - _down(up, have, need, fraction("common_fraction", common_fraction))


def regions_fraction(
    availability_fraction: ArrayLike,
    *,
    n_replicas: ArrayLike,
    n_needed: ArrayLike,
    common_fraction: ArrayLike,
    region_common_fraction: ArrayLike,
    n_regions: ArrayLike = 2,
) -> Floats:
    r"""Regions each of which carries all of the load: a pool of pools.

    Parameters
    ----------
    availability_fraction
        Availability of one replica. [-]
    n_replicas
        Replicas in each region. [-]
    n_needed
        Replicas that carry the load. [-]
    common_fraction
        Share of a replica's time down that takes all of its region with it. [-]
    region_common_fraction
        Share of a region's time down that takes all regions with it. [-]
    n_regions
        Regions. [-]

    Returns
    -------
        Availability of the service. [-]

    Raises
    ------
    ValueError
        If a share is outside [0, 1], or a number negative or not a number.

    Notes
    -----
    `pool_fraction` of regions that are each a `pool_fraction`. Source: reliasoft2010beta.

    Examples
    --------
    Twelve replicas for ten, in one region and in two that share a twentieth of their time down:

    >>> regions_fraction(
    ...     0.99, n_replicas=12, n_needed=10, common_fraction=0.02, region_common_fraction=0.05,
    ...     n_regions=[1, 2],
    ... ).round(5)
    array([0.99961, 0.99998])
    """
    region = pool_fraction(
        availability_fraction,
        n_replicas=n_replicas,
        n_needed=n_needed,
        common_fraction=common_fraction,
    )
    return pool_fraction(
        region,
        n_replicas=non_negative("n_regions", n_regions, finite=True),
        common_fraction=fraction("region_common_fraction", region_common_fraction),
    )


def n_replicas(
    target_fraction: ArrayLike,
    *,
    availability_fraction: ArrayLike,
    n_needed: ArrayLike = 1,
    common_fraction: ArrayLike = 0,
) -> Floats:
    r"""Fewest replicas whose pool reaches a target: the least :math:`n` with :math:`A_n \ge T`.

    Parameters
    ----------
    target_fraction
        Availability wanted of the pool. [-]
    availability_fraction
        Availability of one replica. [-]
    n_needed
        Replicas that carry the load. [-]
    common_fraction
        Share of a replica's time down that takes all replicas with it. [-]

    Returns
    -------
        Replicas; infinite where what they share takes all of the time that may be lost. [-]

    Raises
    ------
    ValueError
        If a share is outside [0, 1], or a number negative or not a number.

    Notes
    -----
    By halving, as more replicas are never worse. A target that is met but for rounding is met;
    one that only the ceiling itself would meet is never. Source: reliasoft2010beta.

    Examples
    --------
    Three, four and five nines of replicas of two, and four with a hundredth shared:

    >>> n_replicas([0.999, 0.9999, 0.99999], availability_fraction=0.99)
    array([2., 2., 3.])
    >>> n_replicas(0.9999, availability_fraction=0.99, common_fraction=0.01)
    np.float64(inf)
    """
    target = fraction("target_fraction", target_fraction)
    up = fraction("availability_fraction", availability_fraction)
    need = np.ceil(non_negative("n_needed", n_needed))
    common = fraction("common_fraction", common_fraction)
    allowed = 1 - target
    _, found = halved(
        lambda n: _down(up, np.floor(n), need, common) <= allowed + CLOSE,
        np.maximum(need - 1, 0),
        np.broadcast_to(MOST, np.broadcast(target, up, need, common).shape),
    )
    shared = (common < 1) & (common * (1 - up) >= allowed - CLOSE)
    never = (up < 1) & (shared | (_down(up, np.floor(found), need, common) > allowed + CLOSE))
    return np.where((need == 0) | (target == 0), 0, np.where(never, np.inf, found))[()]


def break_even_common_fraction(
    target_fraction: ArrayLike, *, availability_fraction: ArrayLike
) -> Floats:
    r"""What replicas may share before none reach a target: :math:`\frac{1-T}{1-A}`.

    Parameters
    ----------
    target_fraction
        Availability wanted. [-]
    availability_fraction
        Availability of one replica. [-]

    Returns
    -------
        Share of a replica's time down from which on no number of them reaches the target, at
        most 1. [-]

    Raises
    ------
    ValueError
        If a share is outside [0, 1] or not a number.

    Notes
    -----
    Where `ceiling_fraction` is the target. Source: reliasoft2010beta.

    Examples
    --------
    Four nines of replicas of two: less than a hundredth may be shared.

    >>> break_even_common_fraction(0.9999, availability_fraction=0.99).round(6)
    np.float64(0.01)
    """
    target = fraction("target_fraction", target_fraction)
    up = fraction("availability_fraction", availability_fraction)
    down = np.where(up < 1, 1 - up, 1)
    return np.where(up < 1, np.minimum((1 - target) / down, 1), 1.0)[()]


def survivor_load(
    load_fraction: ArrayLike, *, n_replicas: ArrayLike, n_lost: ArrayLike = 1
) -> Floats:
    r"""Load of each replica that is left after a failure: :math:`\frac{\rho\,n}{n - m}`.

    Parameters
    ----------
    load_fraction
        Load of each while all are up. [-]
    n_replicas
        Replicas. [-]
    n_lost
        Replicas that fail together. [-]

    Returns
    -------
        Load; above 1 the others cannot carry it, infinite where none is left. [-]

    Raises
    ------
    ValueError
        If the load is outside [0, 1], or a number negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> survivor_load(0.6, n_replicas=[2, 3, 10]).round(3)
    array([1.2  , 0.9  , 0.667])
    """
    load = fraction("load_fraction", load_fraction)
    have = non_negative("n_replicas", n_replicas, finite=True)
    left = have - non_negative("n_lost", n_lost)
    carried = load * have / np.where(left > 0, left, 1)
    return np.where(left > 0, carried, np.inf)[()]


def safe_load_fraction(
    load_fraction: ArrayLike, *, n_replicas: ArrayLike, n_lost: ArrayLike = 1
) -> Floats:
    r"""Load at which the others can still keep a promise: :math:`\rho\,(1 - m/n)`.

    Parameters
    ----------
    load_fraction
        Load up to which a replica keeps it. [-]
    n_replicas
        Replicas. [-]
    n_lost
        Replicas that fail together. [-]

    Returns
    -------
        Load of each while all are up; 0 where none is left. [-]

    Raises
    ------
    ValueError
        If the load is outside [0, 1], or a number negative or not a number.

    Notes
    -----
    The inverse of `survivor_load`. Source: definition.

    Examples
    --------
    >>> safe_load_fraction(0.8, n_replicas=[1, 2, 10]).round(2)
    array([0.  , 0.4 , 0.72])
    """
    load = fraction("load_fraction", load_fraction)
    have = non_negative("n_replicas", n_replicas, finite=True)
    left = have - non_negative("n_lost", n_lost)
    return np.where(left > 0, load * left / np.where(left > 0, have, 1), 0.0)[()]


def _down(up: Floats, have: Floats, need: Floats, common: Floats) -> Floats:
    """Share of the time in which fewer are up than needed, to the last digit of small ones."""
    shared = common * (1 - up)
    alone = (1 - common) * (1 - up) / np.where(shared < 1, 1 - shared, 1)
    some = (need > 0) & (have >= need)
    few = special.betainc(np.where(some, have - need + 1, 1), np.where(some, need, 1), alone)
    own = np.where(have >= need, np.where(need > 0, few, 0), 1)
    return np.where(need > 0, shared + (1 - shared) * own, 0)[()]
