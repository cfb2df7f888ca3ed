r"""Menus: two plans for two kinds of users, each a fee and a price per token.

Light and heavy users are enough to see what a menu of two-part tariffs is for: nobody can be told
apart, and each takes the plan that leaves more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive, within
from costlib.units import TOKENS_PER_MTOK

__all__ = [
    "heavy_fee_usd",
    "light_fee_usd",
    "light_usd_per_mtok",
    "menu_usd",
    "metered_usd",
    "unlimited_usd",
]


def light_usd_per_mtok(
    *,
    light_tokens: ArrayLike,
    heavy_tokens: ArrayLike,
    heavy_fraction: ArrayLike,
    value_usd_per_mtok: ArrayLike,
    cost_usd_per_mtok: ArrayLike,
) -> Floats:
    r"""Price of a token in the plan for light users, in the menu that earns most.

    A user who would take :math:`Q` tokens for nothing buys :math:`Q(1 - u/\theta)` at a price
    :math:`u`. Heavy users pay the cost :math:`c` per token and a high fee. The light plan is made
    dear by the token, so that heavy users do not take it:

    .. math:: 1 - \frac{u}{\theta} = \frac{(1 - c/\theta)(1-h)}{1 - h + h\,(Q_H/Q_L - 1)} .

    Parameters
    ----------
    light_tokens
        What a light user would use if tokens were free. [tokens]
    heavy_tokens
        What a heavy user would. [tokens]
    heavy_fraction
        Share of the users who are heavy. [-]
    value_usd_per_mtok
        What the first tokens are worth to either; the last one is worth nothing.
        [USD/Mtok]
    cost_usd_per_mtok
        What tokens cost the seller. [USD/Mtok]

    Returns
    -------
        Price per token; that of heavy users is the cost. [USD/Mtok]

    Raises
    ------
    ValueError
        If an argument is out of its range, or light users want more than heavy ones.

    Notes
    -----
    Source: bergemann2025economics for menus of two-part tariffs; definition, with two kinds
    of users and a straight demand.

    Examples
    --------
    >>> light_usd_per_mtok(
    ...     light_tokens=1e6, heavy_tokens=5e6, heavy_fraction=[0, 0.2, 0.5], value_usd_per_mtok=20,
    ...     cost_usd_per_mtok=4,
    ... )
    array([ 4. , 12. , 16.8])
    """
    bought = _light_use(
        light_tokens, heavy_tokens, heavy_fraction, value_usd_per_mtok, cost_usd_per_mtok
    )
    return positive("value_usd_per_mtok", value_usd_per_mtok) * (1 - bought)


def light_fee_usd(
    *,
    light_tokens: ArrayLike,
    heavy_tokens: ArrayLike,
    heavy_fraction: ArrayLike,
    value_usd_per_mtok: ArrayLike,
    cost_usd_per_mtok: ArrayLike,
) -> Floats:
    r"""Fee of the plan for light users: all they would gain, :math:`\theta Q_L (1-u/\theta)^2/2`.

    Parameters
    ----------
    light_tokens
        What a light user would use if tokens were free. [tokens]
    heavy_tokens
        What a heavy user would. [tokens]
    heavy_fraction
        Share of the users who are heavy. [-]
    value_usd_per_mtok
        What the first tokens are worth to either; the last one is worth nothing.
        [USD/Mtok]
    cost_usd_per_mtok
        What tokens cost the seller. [USD/Mtok]

    Returns
    -------
        Fee of a month. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range, or light users want more than heavy ones.

    Notes
    -----
    Source: bergemann2025economics; definition.

    Examples
    --------
    >>> light_fee_usd(
    ...     light_tokens=1e6, heavy_tokens=5e6, heavy_fraction=0.2, value_usd_per_mtok=20,
    ...     cost_usd_per_mtok=4,
    ... ).round(3)
    np.float64(1.6)
    """
    bought = _light_use(
        light_tokens, heavy_tokens, heavy_fraction, value_usd_per_mtok, cost_usd_per_mtok
    )
    worth = positive("value_usd_per_mtok", value_usd_per_mtok) / TOKENS_PER_MTOK
    return worth * positive("light_tokens", light_tokens) * bought * bought / 2


def heavy_fee_usd(
    *,
    light_tokens: ArrayLike,
    heavy_tokens: ArrayLike,
    heavy_fraction: ArrayLike,
    value_usd_per_mtok: ArrayLike,
    cost_usd_per_mtok: ArrayLike,
) -> Floats:
    r"""Fee of the plan for heavy users: their gain, less what the light plan would leave them.

    Parameters
    ----------
    light_tokens
        What a light user would use if tokens were free. [tokens]
    heavy_tokens
        What a heavy user would. [tokens]
    heavy_fraction
        Share of the users who are heavy. [-]
    value_usd_per_mtok
        What the first tokens are worth to either; the last one is worth nothing.
        [USD/Mtok]
    cost_usd_per_mtok
        What tokens cost the seller. [USD/Mtok]

    Returns
    -------
        Fee of a month; tokens come at cost. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range, or light users want more than heavy ones.

    Notes
    -----
    Source: bergemann2025economics; definition.

    Examples
    --------
    >>> heavy_fee_usd(
    ...     light_tokens=1e6, heavy_tokens=5e6, heavy_fraction=0.2, value_usd_per_mtok=20,
    ...     cost_usd_per_mtok=4,
    ... ).round(3)
    np.float64(25.6)
    """
    bought = _light_use(
        light_tokens, heavy_tokens, heavy_fraction, value_usd_per_mtok, cost_usd_per_mtok
    )
    value = positive("value_usd_per_mtok", value_usd_per_mtok)
    light, heavy = (
        positive("light_tokens", light_tokens),
        positive("heavy_tokens", heavy_tokens, finite=True),
    )
    own = _efficient_use(value, cost_usd_per_mtok)
    gain = heavy * own * own - (heavy - light) * bought * bought
    return value / TOKENS_PER_MTOK * gain / 2


def menu_usd(
    *,
    light_tokens: ArrayLike,
    heavy_tokens: ArrayLike,
    heavy_fraction: ArrayLike,
    value_usd_per_mtok: ArrayLike,
    cost_usd_per_mtok: ArrayLike,
) -> Floats:
    r"""Profit per user of the menu of two plans that earns most.

    Parameters
    ----------
    light_tokens
        What a light user would use if tokens were free. [tokens]
    heavy_tokens
        What a heavy user would. [tokens]
    heavy_fraction
        Share of the users who are heavy. [-]
    value_usd_per_mtok
        What the first tokens are worth to either; the last one is worth nothing.
        [USD/Mtok]
    cost_usd_per_mtok
        What tokens cost the seller. [USD/Mtok]

    Returns
    -------
        Mean profit of a month. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range, or light users want more than heavy ones.

    Notes
    -----
    Source: bergemann2025economics; definition.

    Examples
    --------
    Against one price per token and one flat price for all:

    >>> base = {"light_tokens": 1e6, "heavy_tokens": 5e6, "heavy_fraction": 0.2}
    >>> base |= {"value_usd_per_mtok": 20, "cost_usd_per_mtok": 4}
    >>> [f(**base).round(2) for f in (menu_usd, metered_usd, unlimited_usd)]
    [np.float64(8.96), np.float64(5.76), np.float64(6.0)]
    """
    users = {
        "light_tokens": light_tokens,
        "heavy_tokens": heavy_tokens,
        "heavy_fraction": heavy_fraction,
        "value_usd_per_mtok": value_usd_per_mtok,
        "cost_usd_per_mtok": cost_usd_per_mtok,
    }
    bought = positive("light_tokens", light_tokens) * _light_use(**users) / TOKENS_PER_MTOK
    markup = light_usd_per_mtok(**users) - non_negative(
        "cost_usd_per_mtok", cost_usd_per_mtok, finite=True
    )
    share = fraction("heavy_fraction", heavy_fraction)
    from_light = light_fee_usd(**users) + bought * markup
    return (1 - share) * from_light + share * heavy_fee_usd(**users)


def metered_usd(
    *,
    light_tokens: ArrayLike,
    heavy_tokens: ArrayLike,
    heavy_fraction: ArrayLike,
    value_usd_per_mtok: ArrayLike,
    cost_usd_per_mtok: ArrayLike,
) -> Floats:
    r"""Profit per user of the best price per token without a fee: :math:`u = (\theta + c)/2`.

    Parameters
    ----------
    light_tokens
        What a light user would use if tokens were free. [tokens]
    heavy_tokens
        What a heavy user would. [tokens]
    heavy_fraction
        Share of the users who are heavy. [-]
    value_usd_per_mtok
        What the first tokens are worth to either; the last one is worth nothing.
        [USD/Mtok]
    cost_usd_per_mtok
        What tokens cost the seller. [USD/Mtok]

    Returns
    -------
        Mean profit of a month. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range, or light users want more than heavy ones.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> metered_usd(
    ...     light_tokens=1e6, heavy_tokens=5e6, heavy_fraction=0.2, value_usd_per_mtok=20,
    ...     cost_usd_per_mtok=4,
    ... ).round(2)
    np.float64(5.76)
    """
    value = positive("value_usd_per_mtok", value_usd_per_mtok)
    mean = _mean_use(light_tokens, heavy_tokens, heavy_fraction)
    own = _efficient_use(value, cost_usd_per_mtok)
    return value / TOKENS_PER_MTOK * mean * own * own / 4


def unlimited_usd(
    *,
    light_tokens: ArrayLike,
    heavy_tokens: ArrayLike,
    heavy_fraction: ArrayLike,
    value_usd_per_mtok: ArrayLike,
    cost_usd_per_mtok: ArrayLike,
) -> Floats:
    r"""Profit per user of the best flat price for unlimited use, by all or by the heavy alone.

    Parameters
    ----------
    light_tokens
        What a light user would use if tokens were free. [tokens]
    heavy_tokens
        What a heavy user would. [tokens]
    heavy_fraction
        Share of the users who are heavy. [-]
    value_usd_per_mtok
        What the first tokens are worth to either; the last one is worth nothing.
        [USD/Mtok]
    cost_usd_per_mtok
        What tokens cost the seller. [USD/Mtok]

    Returns
    -------
        Mean profit of a month; 0 where every flat price loses. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range, or light users want more than heavy ones.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Cheap tokens, and dear ones:

    >>> unlimited_usd(
    ...     light_tokens=1e6, heavy_tokens=5e6, heavy_fraction=0.2, value_usd_per_mtok=20,
    ...     cost_usd_per_mtok=[1, 4, 12],
    ... ).round(2)
    array([9., 6., 0.])
    """
    value = positive("value_usd_per_mtok", value_usd_per_mtok)
    cost = non_negative("cost_usd_per_mtok", cost_usd_per_mtok, finite=True)
    mean = _mean_use(light_tokens, heavy_tokens, heavy_fraction)
    share = fraction("heavy_fraction", heavy_fraction)
    to_all = value * positive("light_tokens", light_tokens) / 2 - cost * mean
    to_heavy = share * positive("heavy_tokens", heavy_tokens, finite=True) * (value / 2 - cost)
    return np.maximum(np.maximum(to_all, to_heavy), 0) / TOKENS_PER_MTOK


def _light_use(
    light_tokens: ArrayLike,
    heavy_tokens: ArrayLike,
    heavy_fraction: ArrayLike,
    value_usd_per_mtok: ArrayLike,
    cost_usd_per_mtok: ArrayLike,
) -> Floats:
    """Share of what they would use for nothing that light users buy in the best menu."""
    light, heavy = (
        positive("light_tokens", light_tokens),
        positive("heavy_tokens", heavy_tokens, finite=True),
    )
    ratio = heavy / within("light_tokens", light, "heavy_tokens", heavy)
    share = fraction("heavy_fraction", heavy_fraction)
    value = positive("value_usd_per_mtok", value_usd_per_mtok)
    own = _efficient_use(value, cost_usd_per_mtok)
    against = 1 - share + share * (ratio - 1)
    bought: Floats = own * (1 - share) / np.where(against > 0, against, 1.0)
    return bought


def _efficient_use(value_usd_per_mtok: Floats, cost_usd_per_mtok: ArrayLike) -> Floats:
    """Share of what they would use for nothing that users buy where tokens come at cost."""
    worth: Floats = (
        1 - non_negative("cost_usd_per_mtok", cost_usd_per_mtok, finite=True) / value_usd_per_mtok
    )
    return np.maximum(worth, 0)


def _mean_use(
    light_tokens: ArrayLike, heavy_tokens: ArrayLike, heavy_fraction: ArrayLike
) -> Floats:
    """Mean over the users of what each would use for nothing."""
    light, heavy = (
        positive("light_tokens", light_tokens),
        positive("heavy_tokens", heavy_tokens, finite=True),
    )
    light = within("light_tokens", light, "heavy_tokens", heavy)
    share = fraction("heavy_fraction", heavy_fraction)
    return (1 - share) * light + share * heavy
