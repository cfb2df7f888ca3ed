r"""Usage: what an active user costs, and how unequal users are.

Use differs from user to user as a lognormal, whose :math:`\sigma` is the one number that says how
much. Published shares of the heaviest users, their percentiles or a Gini coefficient give it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from costlib._checks import Floats, fraction, non_negative, positive, within

__all__ = [
    "agents_usd",
    "gini_sigma",
    "quantile_sigma",
    "share_sigma",
    "top_share",
    "user_usd",
]


def user_usd(
    *,
    n_sessions: ArrayLike,
    n_requests: ArrayLike,
    request_usd: ArrayLike,
    active_fraction: ArrayLike = 1,
) -> Floats:
    r"""What a paying user costs in a month: :math:`a\, s\, r\, b`.

    Parameters
    ----------
    n_sessions
        Sessions of an active user in the month. [-]
    n_requests
        Requests per session. [-]
    request_usd
        Bill of a request. [USD]
    active_fraction
        Share of the paying users who are active in the month. [-]

    Returns
    -------
        Mean cost of a paying user; with every one active, that of an active user. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    `pricing.request_usd` bills the request. Source: definition.

    Examples
    --------
    Twenty sessions of ten requests at 0.7 cents, six users in ten active:

    >>> user_usd(n_sessions=20, n_requests=10, request_usd=0.007, active_fraction=[1, 0.6])
    array([1.4 , 0.84])
    """
    count = non_negative("n_sessions", n_sessions) * non_negative("n_requests", n_requests)
    active = fraction("active_fraction", active_fraction)
    return active * count * non_negative("request_usd", request_usd)


def agents_usd(
    *,
    n_agents: ArrayLike,
    requests_per_s: ArrayLike,
    held_s: ArrayLike,
    request_usd: ArrayLike,
) -> Floats:
    r"""Bill of agents that run all day: :math:`n\,\lambda\,t\,b`.

    Parameters
    ----------
    n_agents
        Agents that run without a pause. [-]
    requests_per_s
        Requests that each of them sends. [requests/s]
    held_s
        Length of the stretch. [s]
    request_usd
        Bill of a request. [USD]

    Returns
    -------
        Bill of the stretch. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Fifty agents with a call a minute at 4.6 cents, for a day:

    >>> agents_usd(n_agents=50, requests_per_s=1 / 60, held_s=86400, request_usd=0.046)
    np.float64(3312.0)
    """
    calls = non_negative("requests_per_s", requests_per_s) * non_negative("held_s", held_s)
    return non_negative("n_agents", n_agents) * calls * non_negative("request_usd", request_usd)


def top_share(
    top_fraction: ArrayLike,
    *,
    sigma: ArrayLike,
) -> Floats:
    r"""Share of all use that the heaviest users have: :math:`\Phi(\sigma - z)`.

    Parameters
    ----------
    top_fraction
        Share of the users that is looked at, the heaviest first. [-]
    sigma
        Standard deviation of the logarithm of a user's use. [-]

    Returns
    -------
        Their share, where a user's use is lognormal. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    The Lorenz curve from above; the normal deviate :math:`z` is exceeded by the top. Source:
    definition.

    Examples
    --------
    The top 1 % at a sigma of 1.5:

    >>> top_share(0.01, sigma=[0, 1, 1.5, 2]).round(3)
    array([0.01 , 0.092, 0.204, 0.372])
    """
    deviate = special.ndtri(fraction("top_fraction", top_fraction))
    return special.ndtr(deviate + non_negative("sigma", sigma))


def share_sigma(
    *,
    top_fraction: ArrayLike,
    share_fraction: ArrayLike,
) -> Floats:
    r"""Sigma at which the heaviest users have a share: :math:`\Phi^{-1}(s) + z`.

    Parameters
    ----------
    top_fraction
        Share of the users that is looked at, the heaviest first. [-]
    share_fraction
        What they use, of all use. [-]

    Returns
    -------
        Spread of a lognormal use; infinite where they have all. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range, or the top has less than its number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    A fifth of the firms with three quarters of the returns:

    >>> share_sigma(top_fraction=0.2, share_fraction=0.75).round(2)
    np.float64(1.52)
    """
    top = fraction("top_fraction", top_fraction)
    share = fraction("share_fraction", share_fraction)
    more = share > within("top_fraction", top, "share_fraction", share)
    spread = special.ndtri(np.where(more, share, 0.5)) - special.ndtri(np.where(more, top, 0.5))
    return np.where(more, spread, 0.0)[()]


def quantile_sigma(
    *,
    top_fraction: ArrayLike,
    median_times: ArrayLike,
) -> Floats:
    r"""Sigma at which the edge of the top lies so many medians high: :math:`\ln(t) / z`.

    Parameters
    ----------
    top_fraction
        Share of the users that is looked at, the heaviest first. [-]
    median_times
        Use of a user at the edge of the top, over that of the median user. [-]

    Returns
    -------
        Spread of a lognormal use. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range: a top above a half, or an edge below the
        median.

    Notes
    -----
    Source: definition.

    Examples
    --------
    The 90th percentile at ten medians, the 99th at 46:

    >>> quantile_sigma(top_fraction=[0.1, 0.01], median_times=[10, 46]).round(2)
    array([1.8 , 1.65])
    """
    top = positive("top_fraction", fraction("top_fraction", top_fraction))
    times = positive("median_times", median_times)
    least = within("the median", np.float64(1), "median_times", times)
    deviate = -special.ndtri(within("top_fraction", top, "a half", np.float64(0.5)))
    return np.log(times / least) / deviate


def gini_sigma(
    gini_fraction: ArrayLike,
) -> Floats:
    r"""Sigma of a lognormal use with a Gini coefficient: :math:`\sqrt{2}\,\Phi^{-1}((1+g)/2)`.

    Parameters
    ----------
    gini_fraction
        Gini coefficient of the use. [-]

    Returns
    -------
        Spread; infinite at 1. [-]

    Raises
    ------
    ValueError
        If the coefficient does not lie in [0, 1].

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> gini_sigma(0.77).round(2)
    np.float64(1.7)
    """
    half = (1 + fraction("gini_fraction", gini_fraction)) / 2
    sigma: Floats = np.sqrt(2.0) * special.ndtri(half)
    return sigma
