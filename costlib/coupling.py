r"""Routing coupled to load: the cheaper model queues, and time costs, too.

Two models, each with servers of its own, answer one request at a time per server; a request waits
as `staffing.pool_wait_s` says. What a router saves in money it may lose in time once the traffic
that it sends to the cheap model fills it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib import staffing
from costlib._checks import Floats, fraction, non_negative, positive
from costlib._halving import halved
from costlib.units import SECONDS_PER_HOUR

__all__ = ["backfire_usd_per_h", "routed_sojourn_s", "settled_fraction"]


def routed_sojourn_s(
    strong_fraction: ArrayLike,
    *,
    requests_per_s: ArrayLike,
    strong_service_s: ArrayLike,
    weak_service_s: ArrayLike,
    n_strong_servers: ArrayLike,
    n_weak_servers: ArrayLike,
    service_scv: ArrayLike = 1,
) -> Floats:
    r"""Mean time to an answer behind a router: :math:`p T_s(p \lambda) + (1-p) T_w((1-p)\lambda)`.

    Parameters
    ----------
    strong_fraction
        Share of the requests that the strong model answers. [-]
    requests_per_s
        Requests of all. [requests/s]
    strong_service_s
        Time that the strong model takes for an answer. [s]
    weak_service_s
        Time that the weak one takes. [s]
    n_strong_servers
        Answers that the strong model gives at once. [-]
    n_weak_servers
        Answers that the weak one gives at once. [-]
    service_scv
        Squared coefficient of variation of both times. [-]

    Returns
    -------
        Wait and service; infinite where a model that is asked cannot keep up. [s]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: allen1990probability for the wait.

    Examples
    --------
    One server each, 0.9 requests/s, of which the weak model takes half or all:

    >>> load = {"requests_per_s": 0.9, "strong_service_s": 1, "weak_service_s": 1}
    >>> routed_sojourn_s([0.5, 0], n_strong_servers=1, n_weak_servers=1, **load).round(3)
    array([ 1.818, 10.   ])
    """
    share, rate = fraction("strong_fraction", strong_fraction), requests_per_s
    strong = _sojourn_s(
        share,
        rate,
        non_negative("strong_service_s", strong_service_s, finite=True),
        non_negative("n_strong_servers", n_strong_servers, finite=True),
        service_scv,
    )
    weak = _sojourn_s(
        1 - share,
        rate,
        non_negative("weak_service_s", weak_service_s, finite=True),
        non_negative("n_weak_servers", n_weak_servers, finite=True),
        service_scv,
    )
    asked, left = np.where(share > 0, strong, 0.0), np.where(share < 1, weak, 0.0)
    return np.asarray(share * asked + (1 - share) * left)[()]


def backfire_usd_per_h(
    strong_fraction: ArrayLike,
    *,
    strong_usd: ArrayLike,
    weak_usd: ArrayLike,
    requests_per_s: ArrayLike,
    strong_service_s: ArrayLike,
    weak_service_s: ArrayLike,
    n_strong_servers: ArrayLike,
    n_weak_servers: ArrayLike,
    service_scv: ArrayLike = 1,
) -> Floats:
    r"""Price of time above which a router loses more than it saves: :math:`\Delta C / \Delta T`.

    Parameters
    ----------
    strong_fraction
        Share of the requests that the strong model answers. [-]
    strong_usd
        Cost of a request there. [USD]
    weak_usd
        Cost of a request at the weak model. [USD]
    requests_per_s
        Requests of all. [requests/s]
    strong_service_s
        Time that the strong model takes for an answer. [s]
    weak_service_s
        Time that the weak one takes. [s]
    n_strong_servers
        Answers that the strong model gives at once. [-]
    n_weak_servers
        Answers that the weak one gives at once. [-]
    service_scv
        Squared coefficient of variation of both times. [-]

    Returns
    -------
        Against sending all to the strong model; infinite where the router is no slower, 0 where
        it saves nothing or its queue has no end. [USD/h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: allen1990probability for the wait.

    Examples
    --------
    A cent saved per request, and eight seconds lost:

    >>> backfire_usd_per_h(
    ...     0, strong_usd=0.011, weak_usd=0.001, requests_per_s=0.9, strong_service_s=2,
    ...     weak_service_s=1, n_strong_servers=50, n_weak_servers=1,
    ... ).round(2)
    np.float64(4.5)
    """
    share = fraction("strong_fraction", strong_fraction)
    load = {
        "requests_per_s": requests_per_s,
        "strong_service_s": strong_service_s,
        "weak_service_s": weak_service_s,
        "n_strong_servers": n_strong_servers,
        "n_weak_servers": n_weak_servers,
        "service_scv": service_scv,
    }
    dear, cheap = (
        non_negative("strong_usd", strong_usd, finite=True),
        non_negative("weak_usd", weak_usd),
    )
    saved = np.maximum((1 - share) * (dear - cheap), 0)
    routed = np.asarray(routed_sojourn_s(share, **load))
    alone = np.asarray(routed_sojourn_s(np.ones_like(share), **load))
    slower = routed > alone
    lost_s = np.where(slower, routed - np.where(slower, alone, 0.0), 1.0)
    return np.where(slower, saved / lost_s * SECONDS_PER_HOUR, np.inf)[()]


def settled_fraction(
    *,
    strong_usd: ArrayLike,
    weak_usd: ArrayLike,
    waiting_usd_per_h: ArrayLike,
    requests_per_s: ArrayLike,
    strong_service_s: ArrayLike,
    weak_service_s: ArrayLike,
    n_strong_servers: ArrayLike,
    n_weak_servers: ArrayLike,
    service_scv: ArrayLike = 1,
) -> Floats:
    r"""Share of strong calls at which nobody gains by changing: :math:`S + v T_s = W + v T_w`.

    Parameters
    ----------
    strong_usd
        Cost of a request at the strong model. [USD]
    weak_usd
        Cost of a request at the weak one, with what its worse answer costs. [USD]
    waiting_usd_per_h
        Price :math:`v` of the time of whoever waits. [USD/h]
    requests_per_s
        Requests of all. [requests/s]
    strong_service_s
        Time that the strong model takes for an answer; above 0. [s]
    weak_service_s
        Time that the weak one takes; above 0. [s]
    n_strong_servers
        Answers that the strong model gives at once. [-]
    n_weak_servers
        Answers that the weak one gives at once. [-]
    service_scv
        Squared coefficient of variation of both times. [-]

    Returns
    -------
        Share of the requests that end up at the strong model: 0 or 1 where one model is the
        better choice for all. Where both are too slow together, the loads are shared. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    The equilibrium of Wardrop, by halving: each model's time grows with its share. Source:
    wardrop1952traffic.

    Examples
    --------
    The cheap model has a server, and time costs nothing, $10 and $100 an hour:

    >>> settled_fraction(
    ...     strong_usd=0.011, weak_usd=0.001, waiting_usd_per_h=[0, 10, 100], requests_per_s=0.9,
    ...     strong_service_s=2, weak_service_s=1, n_strong_servers=50, n_weak_servers=1,
    ... ).round(3)
    array([0.   , 0.087, 0.36 ])
    """
    extra = non_negative("strong_usd", strong_usd, finite=True) - non_negative("weak_usd", weak_usd)
    price = non_negative("waiting_usd_per_h", waiting_usd_per_h)
    rate = non_negative("requests_per_s", requests_per_s, finite=True)
    strong_s = positive("strong_service_s", strong_service_s, finite=True)
    weak_s = positive("weak_service_s", weak_service_s, finite=True)
    strong_n = non_negative("n_strong_servers", n_strong_servers, finite=True)
    weak_n = non_negative("n_weak_servers", n_weak_servers, finite=True)
    scv = non_negative("service_scv", service_scv, finite=True)

    def dearer(share: Floats) -> Floats:
        """How much a strong answer costs more than a weak one, time included."""
        strong = np.asarray(_sojourn_s(share, rate, strong_s, strong_n, scv))
        weak = np.asarray(_sojourn_s(1 - share, rate, weak_s, weak_n, scv))
        # Two queues without end are compared by how full they are.
        endless = np.isinf(strong) & np.isinf(weak)
        full = _busy(share, strong_s, strong_n) - _busy(1 - share, weak_s, weak_n)
        later = np.where(endless, full, np.where(endless, 0.0, strong) - np.where(endless, 0, weak))
        time = np.where(price > 0, _times(price / SECONDS_PER_HOUR, later), 0.0)
        return np.asarray(np.where(endless, full, extra + time))

    given = (extra, price, rate, strong_s, weak_s, strong_n, weak_n, scv)
    shape = np.broadcast_shapes(*map(np.shape, given))
    low, high = halved(lambda share: dearer(share) > 0, np.zeros(shape), np.ones(shape))
    found = np.where(high >= 1, 1.0, np.where(low <= 0, 0.0, (low + high) / 2))
    return found[()]


def _sojourn_s(
    share: Floats,
    requests_per_s: ArrayLike,
    service_s: Floats,
    n_servers: Floats,
    service_scv: ArrayLike,
) -> Floats:
    rate = share * non_negative("requests_per_s", requests_per_s, finite=True)
    wait = staffing.pool_wait_s(
        n_servers, requests_per_s=rate, service_s=service_s, service_scv=service_scv
    )
    return wait + service_s


def _busy(share: Floats, service_s: Floats, n_servers: Floats) -> Floats:
    return share * service_s / np.maximum(np.floor(n_servers), 1e-9)


def _times(weight: Floats, value: Floats) -> Floats:
    """Product in which nothing of what is infinite is nothing."""
    return np.where(np.asarray(weight) == 0, 0.0, weight * np.where(weight == 0, 0.0, value))
