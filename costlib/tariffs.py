r"""Tariffs: a price per seat, a cap, a fee beyond it, and who stays.

What a user costs in a month is lognormal, with a mean and a :math:`\sigma`. A plan asks a price,
includes use up to a cap, and sells some of the rest.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib._checks import Floats, fraction, non_negative, positive, within
from costlib._halving import halved
from costlib.clipping import clipped_fraction, clipped_mean_tokens
from costlib.usage import top_share

__all__ = [
    "band_usd",
    "break_even_usd",
    "kept_usd",
    "loss_fraction",
    "marked_up_usd",
    "plan_margin_fraction",
    "revenue_usd",
    "staying_fraction",
    "staying_usd",
]

HIGHEST: Final = 1e9  # times the mean cost: where a flat price counts as out of reach


def loss_fraction(
    *,
    price_usd: ArrayLike,
    mean_usd: ArrayLike,
    sigma: ArrayLike,
    cap_usd: ArrayLike = np.inf,
    overage_times: ArrayLike = 1,
    bought_fraction: ArrayLike = 0,
) -> Floats:
    r"""Share of the users who cost more than they pay.

    A user of cost :math:`X` brings :math:`p - X` below the cap :math:`L`, and
    :math:`p - L + (k-1)\,h\,(X - L)` above it.

    Parameters
    ----------
    price_usd
        What a user pays for a month. [USD]
    mean_usd
        What a user would cost in a month without a cap, on average. [USD]
    sigma
        Standard deviation of the logarithm of a user's use. [-]
    cap_usd
        Cost of the use that the price includes; infinite without a cap. [USD]
    overage_times
        Price of use beyond the cap, over its cost. [-]
    bought_fraction
        Share of the use beyond the cap that users go on to buy; the rest stops. [-]

    Returns
    -------
        Share of users at a loss. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; price, mean, sigma and cap must be above 0.

    Notes
    -----
    Lognormal use. A cap at or below the price ends all losses, unless what lies beyond is
    sold below its cost. Source: definition.

    Examples
    --------
    $20 a seat at a mean cost of $8 and a sigma of 1.5; then with caps of $15 and $40:

    >>> loss_fraction(price_usd=20, mean_usd=8, sigma=1.5, cap_usd=[np.inf, 15, 40]).round(4)
    array([0.0868, 0.    , 0.0868])
    """
    price = positive("price_usd", price_usd)
    cap = positive("cap_usd", cap_usd)
    mean = positive("mean_usd", mean_usd, finite=True)
    width = positive("sigma", sigma, finite=True)
    slope = _beyond_margin(overage_times, bought_fraction)
    edge = np.where(cap < np.inf, cap, price)  # without a cap nothing lies beyond it
    far = edge + np.abs(edge - price) / np.where(slope == 0, 1.0, np.abs(slope))
    first = np.where(cap > price, price, np.where(slope < 0, far, np.inf))
    last = np.where(cap < np.inf, np.where(slope > 0, far, np.inf), np.inf)
    above = clipped_fraction(limit_tokens=first, mean_tokens=mean, sigma=width)
    again = np.where(
        cap > price, clipped_fraction(limit_tokens=last, mean_tokens=mean, sigma=width), 0.0
    )
    return above - again


def kept_usd(
    *,
    mean_usd: ArrayLike,
    sigma: ArrayLike,
    cap_usd: ArrayLike = np.inf,
) -> Floats:
    r"""Mean cost of a user who stops at the cap: :math:`E[\min(X, L)]`.

    Parameters
    ----------
    mean_usd
        What a user would cost in a month without a cap, on average. [USD]
    sigma
        Standard deviation of the logarithm of a user's use. [-]
    cap_usd
        Cost of the use that the price includes; infinite without a cap. [USD]

    Returns
    -------
        Mean cost that the price includes. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; price, mean, sigma and cap must be above 0.

    Notes
    -----
    `clipping.clipped_mean_tokens`, of dollars: the law knows no unit. Source: definition.

    Examples
    --------
    >>> kept_usd(mean_usd=8, sigma=1.5, cap_usd=[np.inf, 40, 15]).round(2)
    array([8.  , 6.38, 4.78])
    """
    mean = positive("mean_usd", mean_usd, finite=True)
    width = positive("sigma", sigma, finite=True)
    return clipped_mean_tokens(
        limit_tokens=positive("cap_usd", cap_usd), mean_tokens=mean, sigma=width
    )


def revenue_usd(
    *,
    price_usd: ArrayLike,
    mean_usd: ArrayLike,
    sigma: ArrayLike,
    cap_usd: ArrayLike = np.inf,
    overage_times: ArrayLike = 1,
    bought_fraction: ArrayLike = 0,
) -> Floats:
    r"""What a user pays on average: :math:`p + k\,h\,E[(X - L)^+]`.

    Parameters
    ----------
    price_usd
        What a user pays for a month. [USD]
    mean_usd
        What a user would cost in a month without a cap, on average. [USD]
    sigma
        Standard deviation of the logarithm of a user's use. [-]
    cap_usd
        Cost of the use that the price includes; infinite without a cap. [USD]
    overage_times
        Price of use beyond the cap, over its cost. [-]
    bought_fraction
        Share of the use beyond the cap that users go on to buy; the rest stops. [-]

    Returns
    -------
        Mean revenue of a user. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; price, mean, sigma and cap must be above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> revenue_usd(
    ...     price_usd=20, mean_usd=8, sigma=1.5, cap_usd=15, overage_times=1.5,
    ...     bought_fraction=[0, 1],
    ... ).round(2)
    array([20.  , 24.83])
    """
    mean = positive("mean_usd", mean_usd, finite=True)
    beyond = np.maximum(mean - kept_usd(mean_usd=mean, sigma=sigma, cap_usd=cap_usd), 0)
    bought = fraction("bought_fraction", bought_fraction) * beyond
    return positive("price_usd", price_usd) + non_negative("overage_times", overage_times) * bought


def plan_margin_fraction(
    *,
    price_usd: ArrayLike,
    mean_usd: ArrayLike,
    sigma: ArrayLike,
    cap_usd: ArrayLike = np.inf,
    overage_times: ArrayLike = 1,
    bought_fraction: ArrayLike = 0,
) -> Floats:
    r"""Gross margin of a plan: what remains of the revenue once use is paid for.

    Parameters
    ----------
    price_usd
        What a user pays for a month. [USD]
    mean_usd
        What a user would cost in a month without a cap, on average. [USD]
    sigma
        Standard deviation of the logarithm of a user's use. [-]
    cap_usd
        Cost of the use that the price includes; infinite without a cap. [USD]
    overage_times
        Price of use beyond the cap, over its cost. [-]
    bought_fraction
        Share of the use beyond the cap that users go on to buy; the rest stops. [-]

    Returns
    -------
        Margin; negative where users cost more than they pay. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; price, mean, sigma and cap must be above 0.

    Notes
    -----
    Cost of tokens only: no payment fees, staff or storage. Source: definition.

    Examples
    --------
    No cap; a hard cap at $15; the rest sold at one and a half times its cost:

    >>> plan_margin_fraction(
    ...     price_usd=20, mean_usd=8, sigma=1.5, cap_usd=[np.inf, 15, 15], overage_times=1.5,
    ...     bought_fraction=[0, 0, 1],
    ... ).round(3)
    array([0.6  , 0.761, 0.678])
    """
    mean = positive("mean_usd", mean_usd, finite=True)
    kept = kept_usd(mean_usd=mean, sigma=sigma, cap_usd=cap_usd)
    bought = fraction("bought_fraction", bought_fraction) * np.maximum(mean - kept, 0)
    paid = revenue_usd(
        price_usd=price_usd,
        mean_usd=mean,
        sigma=sigma,
        cap_usd=cap_usd,
        overage_times=overage_times,
        bought_fraction=bought_fraction,
    )
    return 1 - (kept + bought) / paid


def band_usd(
    *,
    low_usd: ArrayLike,
    high_usd: ArrayLike,
    price_usd: ArrayLike,
    mean_usd: ArrayLike,
    sigma: ArrayLike,
    cap_usd: ArrayLike = np.inf,
    overage_times: ArrayLike = 1,
    bought_fraction: ArrayLike = 0,
) -> Floats:
    r"""Profit, per user of all, from those whose use would cost between two amounts.

    Parameters
    ----------
    low_usd
        Least cost of the band, without a cap. [USD]
    high_usd
        Most; infinite for all above. [USD]
    price_usd
        What a user pays for a month. [USD]
    mean_usd
        What a user would cost in a month without a cap, on average. [USD]
    sigma
        Standard deviation of the logarithm of a user's use. [-]
    cap_usd
        Cost of the use that the price includes; infinite without a cap. [USD]
    overage_times
        Price of use beyond the cap, over its cost. [-]
    bought_fraction
        Share of the use beyond the cap that users go on to buy; the rest stops. [-]

    Returns
    -------
        What they pay less what they cost, negative for a loss; the bands sum to the profit of a
        user. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range, or `low_usd` exceeds `high_usd`; all amounts must be
        above 0.

    Notes
    -----
    Lognormal use. Source: definition.

    Examples
    --------
    Of a mean of $12 a user, those below the price bring $14.71 and those above it cost $2.71:

    >>> band_usd(
    ...     low_usd=[1e-6, 20], high_usd=[20, np.inf], price_usd=20, mean_usd=8, sigma=1.5
    ... ).round(2)
    array([14.71, -2.71])
    """
    last = positive("high_usd", high_usd)
    first = within("low_usd", positive("low_usd", low_usd), "high_usd", last)
    price = positive("price_usd", price_usd)
    cap = positive("cap_usd", cap_usd)
    mean = positive("mean_usd", mean_usd, finite=True)
    width = positive("sigma", sigma, finite=True)
    slope = _beyond_margin(overage_times, bought_fraction)
    over_first = clipped_fraction(limit_tokens=first, mean_tokens=mean, sigma=width)
    over_last = clipped_fraction(limit_tokens=last, mean_tokens=mean, sigma=width)
    start = clipped_fraction(limit_tokens=np.maximum(first, cap), mean_tokens=mean, sigma=width)
    end = clipped_fraction(limit_tokens=np.maximum(last, cap), mean_tokens=mean, sigma=width)
    held_first = top_share(over_first, sigma=width)
    held_last = top_share(over_last, sigma=width)
    held_start = top_share(start, sigma=width)
    held_end = top_share(end, sigma=width)
    beyond = mean * (held_start - held_end) - np.where(cap < np.inf, cap, 0.0) * (start - end)
    spent = mean * (held_first - held_last) - beyond
    profit: Floats = price * (over_first - over_last) - spent + slope * beyond
    return profit


def marked_up_usd(
    cost_usd: ArrayLike,
    *,
    margin_fraction: ArrayLike,
) -> Floats:
    r"""Price that leaves a gross margin: :math:`c / (1 - m)`.

    Parameters
    ----------
    cost_usd
        Cost, of a user or of a token. [USD]
    margin_fraction
        Gross margin that is wanted. [-]

    Returns
    -------
        Price of what was costed: a seat, a task, a token; infinite for a margin of 1.
        [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Cost plus. Source: definition.

    Examples
    --------
    $20 of tokens at 80 %, and $8:

    >>> marked_up_usd([20, 8], margin_fraction=0.8).round(6)
    array([100.,  40.])
    """
    left = 1 - fraction("margin_fraction", margin_fraction)
    cost = non_negative("cost_usd", cost_usd)
    dear = np.where(cost > 0, np.inf, 0.0)
    return np.where(left > 0, cost / np.where(left > 0, left, 1.0), dear)[()]


def _beyond_margin(overage_times: ArrayLike, bought_fraction: ArrayLike) -> Floats:
    """What a dollar of use beyond the cap earns: some is bought, at a multiple of its cost."""
    over = non_negative("overage_times", overage_times) - 1
    return over * fraction("bought_fraction", bought_fraction)


# --- who stays ---------------------------------------------------------------------------------


def staying_fraction(
    *,
    price_usd: ArrayLike,
    mean_usd: ArrayLike,
    sigma: ArrayLike,
    value_times: ArrayLike,
) -> Floats:
    r"""Share of the users to whom their use is worth a flat price: :math:`P(v X \ge p)`.

    Parameters
    ----------
    price_usd
        What a user pays for a month. [USD]
    mean_usd
        What a user would cost in a month without a cap, on average. [USD]
    sigma
        Standard deviation of the logarithm of a user's use. [-]
    value_times
        What use is worth to a user, over what it costs. [-]

    Returns
    -------
        Share who buy. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; price, mean and sigma must be above 0.

    Notes
    -----
    What use is worth is taken as proportional to what it costs. Source: definition.

    Examples
    --------
    >>> staying_fraction(price_usd=[8, 20, 60], mean_usd=8, sigma=1.5, value_times=5).round(3)
    array([0.627, 0.387, 0.154])
    """
    price = positive("price_usd", price_usd)
    mean = positive("mean_usd", mean_usd, finite=True)
    worth = non_negative("value_times", value_times, finite=True)
    width = positive("sigma", sigma, finite=True)
    least = price / np.where(worth > 0, worth, 1.0)
    above = clipped_fraction(limit_tokens=least, mean_tokens=mean, sigma=width)
    return np.where(worth > 0, above, 0.0)[()]


def staying_usd(
    *,
    price_usd: ArrayLike,
    mean_usd: ArrayLike,
    sigma: ArrayLike,
    value_times: ArrayLike,
) -> Floats:
    r"""Mean cost of those who buy at a flat price: :math:`E[X \mid v X \ge p]`.

    Parameters
    ----------
    price_usd
        What a user pays for a month. [USD]
    mean_usd
        What a user would cost in a month without a cap, on average. [USD]
    sigma
        Standard deviation of the logarithm of a user's use. [-]
    value_times
        What use is worth to a user, over what it costs. [-]

    Returns
    -------
        Mean cost; it rises with the price, for the light users leave first. Infinite
        where nobody buys. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; price, mean and sigma must be above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> staying_usd(price_usd=[8, 20, 60], mean_usd=8, sigma=1.5, value_times=5).round(2)
    array([12.33, 18.36, 35.6 ])
    """
    mean = positive("mean_usd", mean_usd, finite=True)
    share = staying_fraction(
        price_usd=price_usd, mean_usd=mean, sigma=sigma, value_times=value_times
    )
    theirs = mean * top_share(share, sigma=sigma)
    return np.where(share > 0, theirs / np.where(share > 0, share, 1.0), np.inf)[()]


def break_even_usd(
    *,
    mean_usd: ArrayLike,
    sigma: ArrayLike,
    value_times: ArrayLike,
) -> Floats:
    r"""Lowest flat price that pays for those who buy at it: :math:`p = E[X \mid v X \ge p]`.

    Parameters
    ----------
    mean_usd
        What a user would cost in a month without a cap, on average. [USD]
    sigma
        Standard deviation of the logarithm of a user's use. [-]
    value_times
        What use is worth to a user, over what it costs. [-]

    Returns
    -------
        Price, found by bisection; infinite where use is worth no more than it costs: then
        the last user leaves. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range; mean and sigma must be above 0.

    Notes
    -----
    Adverse selection. One price solves it: of lognormal use the ratio of the mean above a
    threshold to the threshold falls from infinity to 1. Source: akerlof1970lemons for the
    spiral; definition.

    Examples
    --------
    >>> break_even_usd(mean_usd=8, sigma=1.5, value_times=[10, 5, 2, 1]).round(1)
    array([ 10.9,  16.8, 131.2,   inf])
    """
    mean = positive("mean_usd", mean_usd, finite=True)
    width = positive("sigma", sigma, finite=True)
    worth = non_negative("value_times", value_times, finite=True)

    def pays(log_usd: NDArray[np.float64]) -> NDArray[np.bool_]:
        price = np.exp(log_usd)
        asked = staying_usd(price_usd=price, mean_usd=mean, sigma=width, value_times=worth)
        return np.asarray(price >= asked)

    low = np.log(mean) + 0 * (width + worth)
    _, high = halved(pays, low, low + np.log(HIGHEST))
    unravels = (worth <= 1) | (high >= np.log(mean) + np.log(HIGHEST) - 1e-9)
    return np.where(unravels, np.inf, np.exp(high))[()]
