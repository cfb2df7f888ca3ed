r"""One server and those who wait for it: means, spread, priorities, impatience.

Requests arrive at rate :math:`\lambda` and hold the server for :math:`s` on average, so that it is
busy :math:`\rho = \lambda s` of the time. At :math:`\rho \ge 1` the queue grows without end: a
wait is infinite, never an error. :math:`c_a^2` and :math:`c_s^2` are squared coefficients of
variation of the gaps between arrivals and of the service.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive

__all__ = [
    "kingman_bound_s",
    "kingman_wait_s",
    "klb_wait_s",
    "late_fraction",
    "lindley_s",
    "lost_fraction",
    "priority_wait_s",
    "shared_sojourn_s",
    "wait_deviation_s",
    "wait_s",
]


def wait_s(
    *, requests_per_s: ArrayLike, service_s: ArrayLike, service_scv: ArrayLike = 0
) -> Floats:
    r"""Mean wait of Poisson arrivals for one server: :math:`\frac{\rho s (1 + c_s^2)}{2(1-\rho)}`.

    Parameters
    ----------
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean time that a request holds the server; for prompts, the time to read one. [s]
    service_scv
        Squared coefficient of variation of the service; 0 where all are alike. [-]

    Returns
    -------
        Mean wait; infinite at an offered load of 1 and above. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Pollaczek and Khinchine, M/G/1. Source: kleinrock1975queueing.

    Examples
    --------
    At 80 % load, equal prompts wait for two services, exponential ones for four:

    >>> wait_s(requests_per_s=0.8, service_s=1, service_scv=[0, 1])
    array([2., 4.])
    >>> wait_s(requests_per_s=1, service_s=1)
    np.float64(inf)
    """
    return kingman_wait_s(
        requests_per_s=requests_per_s,
        service_s=service_s,
        arrival_scv=1,
        service_scv=service_scv,
    )


def wait_deviation_s(
    *,
    requests_per_s: ArrayLike,
    service_s: ArrayLike,
    service_scv: ArrayLike,
    service_third_moment: ArrayLike,
) -> Floats:
    r"""Standard deviation of that wait: :math:`\sqrt{W^2 + \lambda E[S^3] / (3(1-\rho))}`.

    Parameters
    ----------
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service. [s]
    service_scv
        Squared coefficient of variation of the service. [-]
    service_third_moment
        Mean cube of the service over the cube of its mean: 1 where all are alike, 6 for
        exponential ones, the cube of :math:`1 + c_s^2` for lognormal ones. [-]

    Returns
    -------
        Spread of the wait, those included who do not wait; infinite at a load of 1 and above. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    The second step of the recursion of Takács. Source: takacs1962queues.

    Examples
    --------
    Exponential service at 50 % load: the mean wait is 1, the variance 3:

    >>> wait_deviation_s(
    ...     requests_per_s=0.5, service_s=1, service_scv=1, service_third_moment=6
    ... ).round(4)
    np.float64(1.7321)
    """
    mean = wait_s(requests_per_s=requests_per_s, service_s=service_s, service_scv=service_scv)
    service = non_negative("service_s", service_s)
    load = non_negative("requests_per_s", requests_per_s) * service
    cubed = non_negative("service_third_moment", service_third_moment)
    idle = np.where(load < 1, 1.0 - load, 1.0)
    return np.sqrt(mean**2 + load * service**2 * cubed / (3 * idle))


def kingman_wait_s(
    *,
    requests_per_s: ArrayLike,
    service_s: ArrayLike,
    arrival_scv: ArrayLike,
    service_scv: ArrayLike,
) -> Floats:
    r"""Mean wait of any independent arrivals: :math:`\frac{\rho s (c_a^2 + c_s^2)}{2(1-\rho)}`.

    Parameters
    ----------
    requests_per_s
        Arrivals. [requests/s]
    service_s
        Mean service. [s]
    arrival_scv
        Squared coefficient of variation of the gaps between arrivals; 1 for Poisson. [-]
    service_scv
        Squared coefficient of variation of the service. [-]

    Returns
    -------
        Mean wait; infinite at a load of 1 and above. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    GI/G/1, exact for Poisson arrivals and as the load nears 1. Gaps must be independent of each
    other: a rate that drifts is not in :math:`c_a^2`. Source: kingman1961single.

    Examples
    --------
    >>> kingman_wait_s(requests_per_s=0.8, service_s=1, arrival_scv=[1, 4], service_scv=1)
    array([ 4., 10.])
    """
    service = non_negative("service_s", service_s)
    load = non_negative("requests_per_s", requests_per_s) * service
    spread = non_negative("arrival_scv", arrival_scv) + non_negative("service_scv", service_scv)
    idle = np.where(load < 1, 1.0 - load, 1.0)
    return np.where(load < 1, load * service * spread / (2 * idle), np.inf)[()]


def kingman_bound_s(
    *,
    requests_per_s: ArrayLike,
    service_s: ArrayLike,
    arrival_scv: ArrayLike,
    service_scv: ArrayLike,
) -> Floats:
    r"""No mean wait is longer: :math:`\frac{\lambda(\sigma_a^2 + \sigma_s^2)}{2(1-\rho)}`.

    Parameters
    ----------
    requests_per_s
        Arrivals. [requests/s]
    service_s
        Mean service. [s]
    arrival_scv
        Squared coefficient of variation of the gaps between arrivals. [-]
    service_scv
        Squared coefficient of variation of the service. [-]

    Returns
    -------
        Upper bound of the mean wait; infinite at a load of 1 and above. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `requests_per_s` must be above 0.

    Notes
    -----
    GI/G/1. Source: kingman1961single.

    Examples
    --------
    >>> kingman_bound_s(requests_per_s=[0.5, 1], service_s=1, arrival_scv=1, service_scv=1)
    array([2.5, inf])
    """
    rate, service = positive("requests_per_s", requests_per_s), non_negative("service_s", service_s)
    load = rate * service
    variances = (
        non_negative("arrival_scv", arrival_scv) / rate**2
        + non_negative("service_scv", service_scv) * service**2
    )
    idle = np.where(load < 1, 1.0 - load, 1.0)
    return np.where(load < 1, rate * variances / (2 * idle), np.inf)[()]


def klb_wait_s(
    *,
    requests_per_s: ArrayLike,
    service_s: ArrayLike,
    arrival_scv: ArrayLike,
    service_scv: ArrayLike,
) -> Floats:
    r"""Mean wait of any independent arrivals, corrected at light load: :math:`W\,g`.

    Parameters
    ----------
    requests_per_s
        Arrivals. [requests/s]
    service_s
        Mean service. [s]
    arrival_scv
        Squared coefficient of variation of the gaps between arrivals. [-]
    service_scv
        Squared coefficient of variation of the service. [-]

    Returns
    -------
        Mean wait; infinite at a load of 1 and above. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Kingman's :math:`W` times
    :math:`g = \exp(-\frac{2(1-\rho)}{3\rho} \frac{(1-c_a^2)^2}{c_a^2+c_s^2})` for
    :math:`c_a^2 < 1` and :math:`\exp(-(1-\rho)\frac{c_a^2-1}{c_a^2+4c_s^2})` above; 1 for Poisson.
    Source: kraemer1976approximate.

    Examples
    --------
    >>> klb_wait_s(requests_per_s=0.8, service_s=1, arrival_scv=[1, 4], service_scv=1).round(3)
    array([4.   , 9.277])
    """
    kingman = kingman_wait_s(
        requests_per_s=requests_per_s,
        service_s=service_s,
        arrival_scv=arrival_scv,
        service_scv=service_scv,
    )
    load = non_negative("requests_per_s", requests_per_s) * non_negative("service_s", service_s)
    gaps = non_negative("arrival_scv", arrival_scv, finite=True)
    services = non_negative("service_scv", service_scv)
    even, spread = gaps < 1, 3 * load * (gaps + services)
    below = 2 * (1 - gaps) ** 2 / np.maximum(spread, 1e-300)
    above = (gaps - 1) / np.where(even, 1.0, gaps + 4 * services)
    idle = np.maximum(1.0 - load, 0.0)
    wait: Floats = (kingman * np.exp(-idle * np.where(even, below, above)))[()]
    return wait


def shared_sojourn_s(
    *, job_s: ArrayLike, requests_per_s: ArrayLike, service_s: ArrayLike
) -> Floats:
    r"""Time in a server that all who are there share evenly: :math:`x / (1 - \rho)`.

    Parameters
    ----------
    job_s
        What the request would take alone; the mean service for the mean of all. [s]
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean of what requests would take alone. [s]

    Returns
    -------
        Mean time from arrival to end; infinite at a load of 1 and above. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    M/G/1 with processor sharing: only the mean of the service counts, not its spread.
    Source: kleinrock1976queueing.

    Examples
    --------
    >>> shared_sojourn_s(job_s=[1, 10], requests_per_s=0.8, service_s=1).round(12)
    array([ 5., 50.])
    """
    load = non_negative("requests_per_s", requests_per_s) * non_negative("service_s", service_s)
    idle = np.where(load < 1, 1.0 - load, 1.0)
    return np.where(load < 1, non_negative("job_s", job_s) / idle, np.inf)[()]


def priority_wait_s(
    *, requests_per_s: ArrayLike, service_s: ArrayLike, service_scv: ArrayLike
) -> Floats:
    r"""Mean wait of each class, some going first: :math:`w_0 / ((1-\sigma_{k-1})(1-\sigma_k))`.

    Parameters
    ----------
    requests_per_s
        Poisson arrivals of each class, classes on the last axis, the most urgent first.
        [requests/s]
    service_s
        Mean service of each class. [s]
    service_scv
        Squared coefficient of variation of the service of each class. [-]

    Returns
    -------
        Mean wait of each class; infinite from the class on whose load fills the server. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Nobody is interrupted. :math:`\sigma_k` is the load of the first :math:`k` classes,
    :math:`w_0 = \sum_k \rho_k s_k (1 + c_k^2) / 2` what is left of the request in service; of a
    class that does not fit, the part that is served counts. Source: cobham1954priority.

    Examples
    --------
    >>> priority_wait_s(requests_per_s=[0.3, 0.5], service_s=1, service_scv=1).round(3)
    array([1.143, 5.714])
    """
    rate, service, scv = np.broadcast_arrays(
        np.atleast_1d(non_negative("requests_per_s", requests_per_s)),
        np.atleast_1d(non_negative("service_s", service_s)),
        np.atleast_1d(non_negative("service_scv", service_scv)),
    )
    filled = np.cumsum(rate * service, axis=-1)
    left = np.maximum(1.0 - filled, 0.0)  # idle, once this class and the more urgent are served
    before = np.concatenate([np.ones_like(left[..., :1]), left[..., :-1]], axis=-1)
    residual = ((before - left) * service * (1 + scv) / 2).sum(axis=-1, keepdims=True)
    product = left * before
    return np.where(product > 0, residual / np.where(product > 0, product, 1.0), np.inf)


def late_fraction(
    *, requests_per_s: ArrayLike, service_s: ArrayLike, patience_s: ArrayLike
) -> Floats:
    r"""Share that waits longer than a limit, exponential service: :math:`\rho e^{-(1-\rho)\tau/s}`.

    Parameters
    ----------
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service. [s]
    patience_s
        The limit. [s]

    Returns
    -------
        Probability; 1 at a load of 1 and above. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `service_s` must be above 0.

    Notes
    -----
    M/M/1. Source: kleinrock1975queueing.

    Examples
    --------
    >>> late_fraction(requests_per_s=[0.8, 1.2], service_s=1, patience_s=5).round(4)
    array([0.2943, 1.    ])
    """
    service = positive("service_s", service_s)
    load = non_negative("requests_per_s", requests_per_s) * service
    idle = np.maximum(1.0 - load, 0.0)
    waits = non_negative("patience_s", patience_s) / service
    late: Floats = (np.minimum(load, 1.0) * np.exp(-idle * np.where(idle > 0, waits, 0.0)))[()]
    return late


def lost_fraction(
    *, late_fraction: ArrayLike, requests_per_s: ArrayLike, service_s: ArrayLike
) -> Floats:
    r"""Share that leaves when all leave after one same wait: :math:`\frac{(1-\rho)P}{1-\rho P}`.

    Parameters
    ----------
    late_fraction
        Share that would wait longer than the limit if nobody left. [-]
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service of any law. [s]

    Returns
    -------
        Share lost; at a load of 1 and above :math:`1 - 1/\rho`, the least that must be. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    M/G/1+D, exact for a load below 1: with it, the wait of those who stay is the wait of the queue
    that nobody leaves, cut at the limit. Source: boots1999multiserver.

    Examples
    --------
    >>> late = late_fraction(requests_per_s=0.8, service_s=1, patience_s=[2, 5])
    >>> lost_fraction(late_fraction=late, requests_per_s=0.8, service_s=1).round(4)
    array([0.1878, 0.077 ])
    """
    load = non_negative("requests_per_s", requests_per_s) * non_negative("service_s", service_s)
    late = fraction("late_fraction", late_fraction)
    below = load < 1
    stable = np.where(below, load, 0.0)
    leaving = (1 - stable) * late / (1 - stable * late)
    return np.where(below, leaving, 1 - 1 / np.where(below, 1.0, load))[()]


def lindley_s(*, gaps_s: ArrayLike, services_s: ArrayLike) -> Floats:
    r"""Wait of each request, first come first served: :math:`W_n = \max(0, W_{n-1}+S_{n-1}-A_n)`.

    Parameters
    ----------
    gaps_s
        Time from the arrival before to this one, requests on the last axis; of the first it
        does not count. [s]
    services_s
        How long each request holds the server. [s]

    Returns
    -------
        Wait of each request, the first finding nobody. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    The wait is what a running sum lies above its lowest point so far, so that no loop is needed.
    Source: lindley1952theory.

    Examples
    --------
    >>> lindley_s(gaps_s=[0, 1, 1, 5], services_s=[3, 1, 1, 1])
    array([0., 2., 2., 0.])
    """
    gaps, services = np.broadcast_arrays(
        np.atleast_1d(non_negative("gaps_s", gaps_s)),
        np.atleast_1d(non_negative("services_s", services_s)),
    )
    waits = np.zeros(gaps.shape)
    excess = waits[..., 1:]  # filled in place: memory is what takes the time
    np.subtract(services[..., :-1], gaps[..., 1:], out=excess)
    np.cumsum(excess, axis=-1, out=excess)
    lowest = np.minimum.accumulate(excess, axis=-1)
    np.minimum(lowest, 0.0, out=lowest)
    excess -= lowest
    return waits
