r"""How long a share of those waits and is served who come to one server: quantiles by two moments.

Means of waits stand in `costlib.queueing`. A promise is made for 95 of 100, so it takes a law: what
never varies of a service, and a gamma law with the mean and the variance of the rest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from costlib import queueing
from costlib._checks import Floats, fraction, non_negative

__all__ = ["sojourn_quantile_s", "varied_s"]


def sojourn_quantile_s(
    *,
    requests_per_s: ArrayLike,
    service_s: ArrayLike,
    service_scv: ArrayLike = 1,
    within_fraction: ArrayLike = 0.95,
) -> Floats:
    r"""Time within which a share of the requests is done, wait and service together.

    What never varies of a service, :math:`s(1-c_s)`, and for the rest a gamma law with the mean
    :math:`s c_s + W` and the variance :math:`s^2 c_s^2 + \sigma_W^2`. The mean wait :math:`W` is
    exact; its deviation is that of exponential service times :math:`(1+c_s^2)/2`.

    Parameters
    ----------
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service; for prompts, the time to read one. [s]
    service_scv
        Squared coefficient of variation of the service; 0 where all are alike. [-]
    within_fraction
        Share of the requests that is done by then. [-]

    Returns
    -------
        Time; infinite at a load of 1 and above, and for all of them. [s]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Exact for exponential service, where it is :math:`\frac{s}{1-\rho}\ln\frac{1}{1-q}`, M/M/1.
    Source: kleinrock1975queueing; the gamma law is ours.

    Examples
    --------
    Alone, at 80 % load, and overloaded; then all services alike:

    >>> sojourn_quantile_s(requests_per_s=[0, 0.8, 1], service_s=1).round(2)
    array([ 3.  , 14.98,   inf])
    >>> sojourn_quantile_s(requests_per_s=[0, 0.8], service_s=1, service_scv=0).round(2)
    array([1.  , 7.93])
    """
    share = fraction("within_fraction", within_fraction)
    scv = non_negative("service_scv", service_scv)
    service = non_negative("service_s", service_s, finite=True)
    wait = queueing.wait_s(requests_per_s=requests_per_s, service_s=service, service_scv=scv)
    load = np.minimum(non_negative("requests_per_s", requests_per_s) * service, 1.0)
    left = np.where(load < 1, 1.0 - load, 1.0)
    deviation = (1.0 + scv) / 2.0 * service * np.sqrt(load * (2.0 - load)) / left
    done = varied_s(
        within_fraction=share,
        service_s=service,
        service_scv=scv,
        wait_s=np.where(load < 1, wait, 0.0),
        deviation_s=deviation,
    )
    return np.where(load < 1, done, np.inf)[()]


def varied_s(
    *,
    within_fraction: ArrayLike,
    service_s: ArrayLike,
    service_scv: ArrayLike,
    wait_s: ArrayLike,
    deviation_s: ArrayLike,
) -> Floats:
    r"""Time within which a share of the requests is done, of a wait with a mean and a deviation.

    Parameters
    ----------
    within_fraction
        Share of the requests that is done by then. [-]
    service_s
        Mean service. [s]
    service_scv
        Squared coefficient of variation of the service; 0 where all are alike. [-]
    wait_s
        Mean wait. [s]
    deviation_s
        Standard deviation of the wait. [s]

    Returns
    -------
        Time: what never varies, and the quantile of a gamma law with the mean and the variance of
        the rest; infinite for all of them, or where either has no end. [s]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    A service that varies exponentially and no wait; no variation at all:

    >>> alone = {"within_fraction": 0.95, "service_s": 1, "wait_s": 0, "deviation_s": 0}
    >>> varied_s(service_scv=[1, 0], **alone).round(3)
    array([2.996, 1.   ])
    """
    share = fraction("within_fraction", within_fraction)
    service = non_negative("service_s", service_s, finite=True)
    scv = non_negative("service_scv", service_scv)
    varying = np.minimum(np.sqrt(scv), 1.0)
    mean = service * varying + non_negative("wait_s", wait_s)
    variance = scv * service**2 + non_negative("deviation_s", deviation_s) ** 2
    bounded = np.isfinite(mean + variance)
    known = bounded & (mean > 0) & (variance > 0)
    some, spread = np.where(known, mean, 1.0), np.where(known, variance, 1.0)
    rest = special.gammaincinv(some**2 / spread, share) * spread / some
    late = np.where(bounded, np.where(known, rest, mean), np.inf)
    return service * (1.0 - varying) + late
