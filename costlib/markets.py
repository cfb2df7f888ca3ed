r"""Markets: how concentrated they are, what buyers prefer, and what growth a projection takes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive, within
from costlib._halving import halved

__all__ = [
    "herfindahl",
    "leader_fraction",
    "n_equal_firms",
    "needed_growth_times",
    "open_fraction",
    "preference_times",
    "summed_times",
]

FASTEST: Final = 1e6  # times a year: no growth is looked for above


def herfindahl(shares_fraction: ArrayLike) -> Floats:
    r"""Concentration of a market: :math:`\sum_i s_i^2`, the Herfindahl-Hirschman index.

    Parameters
    ----------
    shares_fraction
        Shares of the firms, along the last axis; what they leave of 1 is a fringe of many. [-]

    Returns
    -------
        The index, 0 to 1; times 10,000 in the usual points. [-]

    Raises
    ------
    ValueError
        If a share is out of its range, or they sum to more than 1.

    Notes
    -----
    Source: dojftc2023merger for the index and for what counts as concentrated.

    Examples
    --------
    One with 77 % and a fringe; four alike:

    >>> herfindahl([[0.77, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]]).round(3)
    array([0.593, 0.25 ])
    """
    shares = np.atleast_1d(fraction("shares_fraction", shares_fraction))
    within("the sum of shares_fraction", shares.sum(axis=-1), "1", np.float64(1))
    index: Floats = (shares * shares).sum(axis=-1)
    return index


def n_equal_firms(
    concentration: ArrayLike,
) -> Floats:
    r"""Equal firms that would be as concentrated: :math:`1/H`.

    Parameters
    ----------
    concentration
        Sum of the squared shares, 0 to 1. [-]

    Returns
    -------
        Number of firms. [-]

    Raises
    ------
    ValueError
        If the index does not lie in (0, 1].

    Notes
    -----
    Source: dojftc2023merger; definition.

    Examples
    --------
    >>> n_equal_firms([0.59, 0.18]).round(2)
    array([1.69, 5.56])
    """
    return 1 / positive("concentration", fraction("concentration", concentration))


def leader_fraction(
    concentration: ArrayLike,
    *,
    n_rivals: ArrayLike,
) -> Floats:
    r"""Share of a leader whose rivals are alike: :math:`s^2 + (1-s)^2/n = H`.

    Parameters
    ----------
    concentration
        Sum of the squared shares, 0 to 1. [-]
    n_rivals
        Rivals of the leader, all alike; infinite for a fringe of many. [-]

    Returns
    -------
        The larger solution. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range, or the index is below that of equal firms.

    Notes
    -----
    Source: definition.

    Examples
    --------
    What an index of 0.59 says of the leader, with one rival, with four and with a fringe:

    >>> leader_fraction(0.59, n_rivals=[1, 4, np.inf]).round(3)
    array([0.712, 0.759, 0.768])
    """
    index = positive("concentration", fraction("concentration", concentration))
    each = 1 / positive("n_rivals", n_rivals)
    spread = (1 + each) * index
    least = within("1 / n_rivals", each, "concentration * (1 + 1 / n_rivals)", spread)
    return (each + np.sqrt(np.maximum(spread - least, 0))) / (1 + each)


def open_fraction(
    *,
    price_times: ArrayLike,
    preference_times: ArrayLike,
    elasticity: ArrayLike,
) -> Floats:
    r"""Share of the cheaper of two kinds: :math:`x^{-\varepsilon} / (x^{-\varepsilon} + w)`.

    Parameters
    ----------
    price_times
        Its price over that of the other kind. [-]
    preference_times
        How many times as much of the other would be bought at equal prices. [-]
    elasticity
        How the odds answer the ratio of the prices, :math:`\varepsilon`. [-]

    Returns
    -------
        Its share of the volume. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; a price must be above 0.

    Notes
    -----
    A logit choice. Source: demirer2025emerging for the prices and the share; definition.

    Examples
    --------
    Open models at a tenth of the price, without and with a preference for closed ones:

    >>> open_fraction(price_times=0.1, preference_times=[1, 23.3], elasticity=1).round(3)
    array([0.909, 0.3  ])
    """
    odds = np.power(
        positive("price_times", price_times), non_negative("elasticity", elasticity, finite=True)
    )
    return 1 / (1 + odds * non_negative("preference_times", preference_times))


def preference_times(
    *,
    price_times: ArrayLike,
    share_fraction: ArrayLike,
    elasticity: ArrayLike,
) -> Floats:
    r"""Preference for the dearer kind in a share: :math:`w = \frac{1-s}{s}\, x^{-\varepsilon}`.

    Parameters
    ----------
    price_times
        Price of the cheaper kind over that of the dearer. [-]
    share_fraction
        Share of the cheaper kind, above 0. [-]
    elasticity
        How the odds answer the ratio of the prices, :math:`\varepsilon`. [-]

    Returns
    -------
        How many times as much of the dearer would be bought at equal prices. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; price and share must be above 0.

    Notes
    -----
    Source: demirer2025emerging for the prices and the share; definition.

    Examples
    --------
    Open models at a tenth of the price with 30 % of the tokens:

    >>> preference_times(price_times=0.1, share_fraction=0.3, elasticity=[0.5, 1, 1.11]).round(1)
    array([ 7.4, 23.3, 30.1])
    """
    share = positive("share_fraction", fraction("share_fraction", share_fraction))
    odds = np.power(
        positive("price_times", price_times), non_negative("elasticity", elasticity, finite=True)
    )
    return (1 - share) / share / odds


def summed_times(
    growth_each_times: ArrayLike,
    *,
    n_years: ArrayLike,
) -> Floats:
    r"""Sum of years that grow at one rate, in years of the first: :math:`(g^n - 1)/(g - 1)`.

    Parameters
    ----------
    growth_each_times
        Value of a year over that of the year before. [-]
    n_years
        Years that are summed, the first included. [-]

    Returns
    -------
        The sum. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Five years, flat, doubling, and growing by 93 %:

    >>> summed_times([1, 2, 1.93], n_years=5).round(1)
    array([ 5. , 31. , 27.7])
    """
    each = non_negative("growth_each_times", growth_each_times, finite=True)
    count = non_negative("n_years", n_years, finite=True)
    grows = np.abs(each - 1) > 1e-9
    above = np.where(grows, each - 1, 1.0)
    return np.where(grows, (np.power(each, count) - 1) / above, count)[()]


def needed_growth_times(
    cumulative_times: ArrayLike,
    *,
    n_years: ArrayLike,
) -> Floats:
    r"""Growth a year whose years sum to a total: the inverse of `summed_times`.

    Parameters
    ----------
    cumulative_times
        Sum over the years, in years of the first. [-]
    n_years
        Years that are summed, the first included. [-]

    Returns
    -------
        Value of a year over that of the year before, found by bisection. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range, or the total is less than the first year.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Server costs of 26.6 years of this year's revenue, within five and ten years:

    >>> needed_growth_times(26.6, n_years=[5, 10]).round(3)
    array([1.905, 1.205])
    """
    total = positive("cumulative_times", cumulative_times, finite=True)
    years = total / within("the first year", np.float64(1), "cumulative_times", total)
    count = positive("n_years", n_years, finite=True)
    low = 0 * (years + count)
    _, high = halved(
        lambda each: summed_times(each, n_years=count) >= years,
        low,
        low + FASTEST,
    )
    return high[()]
