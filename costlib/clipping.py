r"""Answers cut off at a limit: what is left of their lengths, and what those in the queue gain.

A length :math:`X` becomes :math:`\min(X, L)`. Of lognormal lengths the moments are closed forms;
of a table of equally likely lengths they are exact sums. One lognormal fits real lengths badly:
use it to see what a tail does, and the table to decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from costlib import queueing, units
from costlib._checks import Floats, fraction, non_negative, positive

__all__ = [
    "best_limit_tokens",
    "clipped_fraction",
    "clipped_mean_tokens",
    "clipped_scv",
    "clipped_third_moment",
    "kept_mean_tokens",
    "kept_scv",
    "kept_third_moment",
    "limit_usd",
    "share_limit_tokens",
    "wait_ratio",
]

NOTHING = 1e-100  # tokens, below which the cube of a mean is no number any more


# --- lognormal lengths -----------------------------------------------------------------------


def share_limit_tokens(
    *, clipped_fraction: ArrayLike, mean_tokens: ArrayLike, sigma: ArrayLike
) -> Floats:
    r"""Limit that cuts a share of lognormal answers: :math:`m\, e^{-\sigma z - \sigma^2/2}`.

    Parameters
    ----------
    clipped_fraction
        Share of answers cut off; :math:`z` is the normal deviate below which this share lies. [-]
    mean_tokens
        Mean length, uncut. [tokens]
    sigma
        Standard deviation of the logarithm of the length. [-]

    Returns
    -------
        The limit; infinite where none are cut. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    A median of 200 tokens and a sigma of 1.2:

    >>> share_limit_tokens(clipped_fraction=0.01, mean_tokens=200 * np.exp(0.72), sigma=1.2).round()
    np.float64(3261.0)
    """
    deviate = special.ndtri(fraction("clipped_fraction", clipped_fraction))
    width = positive("sigma", sigma, finite=True)
    return positive("mean_tokens", mean_tokens, finite=True) * np.exp(
        -width * deviate - width * width / 2
    )


def clipped_fraction(
    *, limit_tokens: ArrayLike, mean_tokens: ArrayLike, sigma: ArrayLike
) -> Floats:
    r"""Share of lognormal answers that a limit cuts: :math:`\Phi(-(\ln(L/m)/\sigma + \sigma/2))`.

    Parameters
    ----------
    limit_tokens
        The limit; infinite for none. [tokens]
    mean_tokens
        Mean length, uncut. [tokens]
    sigma
        Standard deviation of the logarithm of the length. [-]

    Returns
    -------
        Share of answers that would have been longer. [-]

    Raises
    ------
    ValueError
        If an argument is not above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> clipped_fraction(limit_tokens=[200, np.inf], mean_tokens=200, sigma=1).round(4)
    array([0.3085, 0.    ])
    """
    return _moment(0, limit_tokens, mean_tokens, sigma)


def clipped_mean_tokens(
    *, limit_tokens: ArrayLike, mean_tokens: ArrayLike, sigma: ArrayLike
) -> Floats:
    r"""Mean of lognormal answers cut at a limit: :math:`E[\min(X, L)]`.

    Parameters
    ----------
    limit_tokens
        The limit; infinite for none. [tokens]
    mean_tokens
        Mean length, uncut. [tokens]
    sigma
        Standard deviation of the logarithm of the length. [-]

    Returns
    -------
        Mean length that remains; 1 minus its ratio to `mean_tokens` is the share of tokens
        lost. [tokens]

    Raises
    ------
    ValueError
        If an argument is not above 0.

    Notes
    -----
    :math:`E[\min(X,L)^k] = m^k e^{k(k-1)\sigma^2/2}\,\Phi(z - k\sigma) + L^k\,\Phi(-z)` with
    :math:`z = \ln(L/m)/\sigma + \sigma/2`. Source: definition.

    Examples
    --------
    >>> clipped_mean_tokens(limit_tokens=[3261, np.inf], mean_tokens=410.9, sigma=1.2).round(1)
    array([390.1, 410.9])
    """
    return _moment(1, limit_tokens, mean_tokens, sigma)


def clipped_scv(*, limit_tokens: ArrayLike, mean_tokens: ArrayLike, sigma: ArrayLike) -> Floats:
    r"""Squared coefficient of variation of them: :math:`E[Y^2]/E[Y]^2 - 1`.

    Parameters
    ----------
    limit_tokens
        The limit; infinite for none. [tokens]
    mean_tokens
        Mean length, uncut. [tokens]
    sigma
        Standard deviation of the logarithm of the length. [-]

    Returns
    -------
        What a queue feels of the tail; without a limit :math:`e^{\sigma^2} - 1`. [-]

    Raises
    ------
    ValueError
        If an argument is not above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> clipped_scv(limit_tokens=[3261, np.inf], mean_tokens=410.9, sigma=1.2).round(2)
    array([1.9 , 3.22])
    """
    mean = _moment(1, limit_tokens, mean_tokens, sigma)
    scv = _moment(2, limit_tokens, mean_tokens, sigma) / (mean * mean) - 1
    return np.maximum(scv, 0.0)  # below it by rounding only


def clipped_third_moment(
    *, limit_tokens: ArrayLike, mean_tokens: ArrayLike, sigma: ArrayLike
) -> Floats:
    r"""Mean cube of them over the cube of their mean: :math:`E[Y^3]/E[Y]^3`.

    Parameters
    ----------
    limit_tokens
        The limit; infinite for none. [tokens]
    mean_tokens
        Mean length, uncut. [tokens]
    sigma
        Standard deviation of the logarithm of the length. [-]

    Returns
    -------
        What the spread of the wait needs; without a limit :math:`e^{3\sigma^2}`. [-]

    Raises
    ------
    ValueError
        If an argument is not above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> clipped_third_moment(limit_tokens=[3261, np.inf], mean_tokens=410.9, sigma=1.2).round(1)
    array([14.8, 75.2])
    """
    mean = _moment(1, limit_tokens, mean_tokens, sigma)
    return _moment(3, limit_tokens, mean_tokens, sigma) / (mean * mean * mean)


def _moment(
    order: float, limit_tokens: ArrayLike, mean_tokens: ArrayLike, sigma: ArrayLike
) -> Floats:
    """Mean of a power of lognormal lengths, cut at a limit; of order 0, the share that is cut."""
    limit = positive("limit_tokens", limit_tokens)
    mean = positive("mean_tokens", mean_tokens, finite=True)
    width = positive("sigma", sigma, finite=True)
    place = np.log(limit / mean) / width + width / 2
    cut = np.where(limit < np.inf, limit, 0.0) ** order * special.ndtr(-place)
    growth = np.exp(order * (order - 1) * width * width / 2)
    kept = np.minimum(order, 1) * mean**order * growth * special.ndtr(place - order * width)
    moment: Floats = cut + kept
    return moment


# --- a table of lengths ----------------------------------------------------------------------


def kept_mean_tokens(limit_tokens: ArrayLike, *, lengths_tokens: ArrayLike) -> Floats:
    r"""Mean of answers of a table, cut at a limit: :math:`\frac{1}{n}\sum_i \min(x_i, L)`.

    Parameters
    ----------
    limit_tokens
        The limit; infinite for none. [tokens]
    lengths_tokens
        Lengths, each as likely as the others. [tokens]

    Returns
    -------
        Mean length that remains. [tokens]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> kept_mean_tokens([2, np.inf], lengths_tokens=[1, 2, 9])
    array([1.66666667, 4.        ])
    """
    return _power_mean(1, limit_tokens, lengths_tokens)


def kept_scv(limit_tokens: ArrayLike, *, lengths_tokens: ArrayLike) -> Floats:
    r"""Squared coefficient of variation of them: :math:`E[Y^2]/E[Y]^2 - 1`.

    Parameters
    ----------
    limit_tokens
        The limit; infinite for none. [tokens]
    lengths_tokens
        Lengths, each as likely as the others. [tokens]

    Returns
    -------
        What a queue feels of the tail; 0 where nothing is left. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> kept_scv([2, np.inf], lengths_tokens=[1, 2, 9]).round(3)
    array([0.08 , 0.792])
    """
    mean = np.asarray(_power_mean(1, limit_tokens, lengths_tokens))
    square = _power_mean(2, limit_tokens, lengths_tokens)
    some = np.where(mean > NOTHING, mean, 1.0)
    # equal lengths may differ from 0 in the last digit, and a scv must not be negative
    return np.where(mean > NOTHING, np.maximum(square / some**2 - 1, 0.0), 0.0)[()]


def kept_third_moment(limit_tokens: ArrayLike, *, lengths_tokens: ArrayLike) -> Floats:
    r"""Mean cube of them over the cube of their mean: :math:`E[Y^3]/E[Y]^3`.

    Parameters
    ----------
    limit_tokens
        The limit; infinite for none. [tokens]
    lengths_tokens
        Lengths, each as likely as the others. [tokens]

    Returns
    -------
        What the spread of the wait needs; 1 where nothing is left. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> kept_third_moment([2, np.inf], lengths_tokens=[1, 2, 9]).round(3)
    array([1.224, 3.844])
    """
    mean = np.asarray(_power_mean(1, limit_tokens, lengths_tokens))
    cube = _power_mean(3, limit_tokens, lengths_tokens)
    some = np.where(mean > NOTHING, mean, 1.0)
    return np.where(mean > NOTHING, cube / some**3, 1.0)[()]


def _power_mean(order: int, limit_tokens: ArrayLike, lengths_tokens: ArrayLike) -> Floats:
    lengths = np.sort(
        np.atleast_1d(non_negative("lengths_tokens", lengths_tokens, finite=True)).ravel()
    )
    limit = non_negative("limit_tokens", limit_tokens)
    below = np.concatenate([[0.0], np.cumsum(lengths**order)])
    whole = np.searchsorted(lengths, limit, side="right")
    cut = lengths.size - whole
    mean: Floats = (below[whole] + np.where(cut > 0, limit, 0.0) ** order * cut) / lengths.size
    return mean


# --- what it is worth ------------------------------------------------------------------------


def wait_ratio(
    *,
    busy_fraction: ArrayLike,
    mean_tokens: ArrayLike,
    length_scv: ArrayLike,
    clipped_mean_tokens: ArrayLike,
    clipped_scv: ArrayLike,
) -> Floats:
    r"""Mean wait with a limit over the wait without, at the same arrivals: Pollaczek–Khinchine.

    Parameters
    ----------
    busy_fraction
        Share of the time that the server is busy without the limit. [-]
    mean_tokens
        Mean length, uncut; the service is proportional to the length. [tokens]
    length_scv
        Squared coefficient of variation of the lengths, uncut. [-]
    clipped_mean_tokens
        Mean length that remains. [tokens]
    clipped_scv
        Its squared coefficient of variation. [-]

    Returns
    -------
        :math:`W_L / W`; 0 at a load of 1, where only the limit makes the wait finite. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; `mean_tokens` must be above 0.

    Notes
    -----
    M/G/1. A limit acts twice: it takes the tail from the second moment, and load from the
    server. Source: kleinrock1975queueing.

    Examples
    --------
    A sigma of 1.2, clipped at 1 %, at 80 % load:

    >>> law = {"mean_tokens": 410.9, "sigma": 1.2}
    >>> wait_ratio(
    ...     busy_fraction=0.8, mean_tokens=410.9, length_scv=np.expm1(1.44),
    ...     clipped_mean_tokens=clipped_mean_tokens(limit_tokens=3261, **law),
    ...     clipped_scv=clipped_scv(limit_tokens=3261, **law),
    ... ).round(3)
    np.float64(0.515)
    """
    busy, whole = (
        fraction("busy_fraction", busy_fraction),
        positive("mean_tokens", mean_tokens, finite=True),
    )
    left = non_negative("clipped_mean_tokens", clipped_mean_tokens) / whole
    squares = left * left * (1 + non_negative("clipped_scv", clipped_scv))
    freed = np.where(busy * left < 1, 1 - busy * left, 1.0)
    return squares / (1 + non_negative("length_scv", length_scv)) * (1 - busy) / freed


def limit_usd(
    limit_tokens: ArrayLike,
    *,
    lengths_tokens: ArrayLike,
    requests_per_s: ArrayLike,
    output_token_s: ArrayLike,
    waiting_usd_per_h: ArrayLike,
    truncated_usd: ArrayLike = 0,
    lost_usd_per_mtok: ArrayLike = 0,
) -> Floats:
    r"""What a limit costs per request: answers cut, tokens lost, and users who wait.

    Parameters
    ----------
    limit_tokens
        The limit; infinite for none. [tokens]
    lengths_tokens
        Lengths, each as likely as the others. [tokens]
    requests_per_s
        Poisson arrivals at one server that answers one at a time. [requests/s]
    output_token_s
        Time per token. [s]
    waiting_usd_per_h
        What an hour of a waiting user costs. [USD/h]
    truncated_usd
        What an answer costs that is cut off. [USD]
    lost_usd_per_mtok
        What the tokens cost that are not written. [USD/Mtok]

    Returns
    -------
        :math:`k P(X > L) + l\,E[(X - L)^+] + w\,W(L)`, with the mean wait of Pollaczek and
        Khinchine; infinite where the server is overloaded even so. [USD]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: yang2024variable.

    Examples
    --------
    >>> limit_usd(
    ...     [2, np.inf], lengths_tokens=[1, 2, 9], requests_per_s=0.2, output_token_s=1,
    ...     waiting_usd_per_h=36, truncated_usd=0.1,
    ... ).round(4)
    array([0.0378, 0.1433])
    """
    lengths = np.sort(
        np.atleast_1d(non_negative("lengths_tokens", lengths_tokens, finite=True)).ravel()
    )
    limit = non_negative("limit_tokens", limit_tokens)
    cut = 1 - np.searchsorted(lengths, limit, side="right") / lengths.size
    mean = kept_mean_tokens(limit, lengths_tokens=lengths)
    wait = queueing.wait_s(
        requests_per_s=requests_per_s,
        service_s=mean * non_negative("output_token_s", output_token_s),
        service_scv=kept_scv(limit, lengths_tokens=lengths),
    )
    rate = non_negative("waiting_usd_per_h", waiting_usd_per_h) / units.SECONDS_PER_HOUR
    lost = np.maximum(lengths.mean() - mean, 0.0) / units.TOKENS_PER_MTOK
    usd: Floats = (
        cut * non_negative("truncated_usd", truncated_usd, finite=True)
        + lost * non_negative("lost_usd_per_mtok", lost_usd_per_mtok, finite=True)
        + rate * np.where(rate > 0, wait, 0.0)  # free, even where it has no end
    )
    return usd


def best_limit_tokens(
    *,
    lengths_tokens: ArrayLike,
    requests_per_s: ArrayLike,
    output_token_s: ArrayLike,
    waiting_usd_per_h: ArrayLike,
    truncated_usd: ArrayLike = 0,
    lost_usd_per_mtok: ArrayLike = 0,
) -> Floats:
    r"""Limit that costs least, among the lengths of the table: :math:`\arg\min_L` of that cost.

    Parameters
    ----------
    lengths_tokens
        Lengths, each as likely as the others. [tokens]
    requests_per_s
        Poisson arrivals at one server that answers one at a time. [requests/s]
    output_token_s
        Time per token. [s]
    waiting_usd_per_h
        What an hour of a waiting user costs. [USD/h]
    truncated_usd
        What an answer costs that is cut off. [USD]
    lost_usd_per_mtok
        What the tokens cost that are not written. [USD/Mtok]

    Returns
    -------
        The limit; the longest of the table where cutting does not pay. [tokens]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Between two lengths of the table a limit cuts as many answers as at the lower one and makes
    the queue longer, so with `truncated_usd` alone no other limit is better. Of limits that cost
    the same the longest is taken. Source: yang2024variable.

    Examples
    --------
    A cut answer costs nothing, ten cents, or ten dollars:

    >>> best_limit_tokens(
    ...     lengths_tokens=[1, 2, 9], requests_per_s=0.2, output_token_s=1,
    ...     waiting_usd_per_h=36, truncated_usd=[0, 0.1, 10],
    ... )
    array([1., 2., 9.])
    """
    lengths = np.unique(non_negative("lengths_tokens", lengths_tokens, finite=True))[::-1]
    cost = limit_usd(
        lengths,
        lengths_tokens=lengths_tokens,
        requests_per_s=_last("requests_per_s", requests_per_s),
        output_token_s=_last("output_token_s", output_token_s),
        waiting_usd_per_h=_last("waiting_usd_per_h", waiting_usd_per_h),
        truncated_usd=_last("truncated_usd", truncated_usd),
        lost_usd_per_mtok=_last("lost_usd_per_mtok", lost_usd_per_mtok),
    )
    best: Floats = lengths[np.argmin(cost, axis=-1)][()]
    return best


def _last(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """A scenario parameter with a last axis, over which it broadcasts against the limits."""
    return np.asarray(non_negative(name, value))[..., np.newaxis]
