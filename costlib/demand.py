r"""Demand: what a price does to volume, spend and budget.

Ratios are now over before. An elasticity here is positive: 1.1 means that one per cent off the
price brings 1.1 per cent more volume.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive

__all__ = [
    "apparent_elasticity",
    "budget_times",
    "demand_times",
    "passed_times",
    "shift_times",
    "spend_times",
]


def demand_times(
    price_times: ArrayLike,
    *,
    elasticity: ArrayLike,
) -> Floats:
    r"""Volume at a price over the volume before: :math:`x^{-\varepsilon}`.

    Parameters
    ----------
    price_times
        Price now over the price before. [-]
    elasticity
        Price elasticity of demand :math:`\varepsilon`, taken as positive. [-]

    Returns
    -------
        Tokens bought, over those before; infinite where they are free. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    One elasticity at every price, everything else unchanged. Source: demirer2025emerging for
    the elasticity; definition.

    Examples
    --------
    A tenth of the price, at elasticities around one:

    >>> demand_times(0.1, elasticity=[1, 1.05, 1.11]).round(1)
    array([10. , 11.2, 12.9])
    """
    price = non_negative("price_times", price_times, finite=True)
    bent = non_negative("elasticity", elasticity)
    some = np.where(price > 0, price, 1.0)
    free = np.where(bent > 0, np.inf, 1.0)
    return np.where(price > 0, np.power(some, -bent), free)[()]


def spend_times(
    price_times: ArrayLike,
    *,
    elasticity: ArrayLike,
) -> Floats:
    r"""Spend at a price over the spend before: :math:`x^{1-\varepsilon}`.

    Parameters
    ----------
    price_times
        Price now over the price before. [-]
    elasticity
        Price elasticity of demand :math:`\varepsilon`, taken as positive. [-]

    Returns
    -------
        The bill, over that before: it falls with the price below an elasticity of 1,
        stays at 1 and rises above. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; a price must be above 0.

    Notes
    -----
    Source: demirer2025emerging for the elasticity; definition.

    Examples
    --------
    >>> spend_times(0.1, elasticity=[0.06, 1, 1.05, 1.1]).round(2)
    array([0.11, 1.  , 1.12, 1.26])
    """
    price = positive("price_times", price_times, finite=True)
    return np.power(price, 1 - non_negative("elasticity", elasticity))


def apparent_elasticity(
    *,
    price_times: ArrayLike,
    volume_times: ArrayLike,
) -> Floats:
    r"""Elasticity that would explain a price and a volume alone: :math:`-\ln v / \ln x`.

    Parameters
    ----------
    price_times
        Price now over the price before. [-]
    volume_times
        Volume now over the volume before. [-]

    Returns
    -------
        What a reader of two totals sees; infinite where the volume moved and the price
        did not, negative where both rose or both fell. [-]

    Raises
    ------
    ValueError
        If an argument is not positive.

    Notes
    -----
    Price and everything else that moved demand are mixed in it. Source: definition.

    Examples
    --------
    A fifth of the price and twice the spend, so ten times the volume; a 10 % cut that brings 10 %:

    >>> apparent_elasticity(price_times=[0.2, 0.9], volume_times=[10, 1.1]).round(3)
    array([1.431, 0.905])
    """
    fall = -np.log(positive("price_times", price_times, finite=True))
    rise = np.log(positive("volume_times", volume_times))
    moved = np.abs(fall) > 0
    still = np.where(np.abs(rise) > 0, np.inf, 0.0)
    return np.where(moved, rise / np.where(moved, fall, 1.0), still)[()]


def shift_times(
    *,
    price_times: ArrayLike,
    spend_times: ArrayLike,
    elasticity: ArrayLike,
) -> Floats:
    r"""Demand that did not come from the price: :math:`r / x^{1-\varepsilon}`.

    Parameters
    ----------
    price_times
        Price now over the price before. [-]
    spend_times
        Spend now over the spend before. [-]
    elasticity
        Price elasticity of demand :math:`\varepsilon`, taken as positive. [-]

    Returns
    -------
        Volume now over what the price alone would have made of the volume before. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; a price must be above 0.

    Notes
    -----
    The spend is the price's part times this. Source: definition.

    Examples
    --------
    A fifth of the price and twice the spend: at an elasticity of 1 demand doubled on its own, at
    0.5 it grew 4.5 times:

    >>> shift_times(price_times=0.2, spend_times=2, elasticity=[1, 0.5, 1.1]).round(2)
    array([2.  , 4.47, 1.7 ])
    """
    price = positive("price_times", price_times, finite=True)
    answered = np.power(price, 1 - non_negative("elasticity", elasticity))
    return non_negative("spend_times", spend_times) / answered


def passed_times(
    cost_times: ArrayLike,
    *,
    pass_through: ArrayLike,
) -> Floats:
    r"""Price now over the price before when a cost moves: :math:`c^{\beta}`.

    Parameters
    ----------
    cost_times
        Cost now over the cost before. [-]
    pass_through
        Elasticity :math:`\beta` of the price to the cost. [-]

    Returns
    -------
        What of the cost reaches the price. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: du2026tiered for 0.432, of the cost of training.

    Examples
    --------
    Training that costs a tenth less, and 63 times less:

    >>> passed_times([0.9, 1 / 63], pass_through=0.432).round(4)
    array([0.9555, 0.167 ])
    """
    return np.power(
        non_negative("cost_times", cost_times), non_negative("pass_through", pass_through)
    )


def budget_times(
    *,
    inference_fraction: ArrayLike,
    price_times: ArrayLike,
    volume_times: ArrayLike,
) -> Floats:
    r"""Budget now over the budget before, when only inference moves: :math:`1 - f + f x v`.

    Parameters
    ----------
    inference_fraction
        Share of the budget that buys inference, before. [-]
    price_times
        Price now over the price before. [-]
    volume_times
        Volume now over the volume before. [-]

    Returns
    -------
        The whole budget, over that before. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Of 85 % in inference, a fifth of the price and fifty times the volume make:

    >>> budget_times(inference_fraction=0.85, price_times=0.2, volume_times=50)
    np.float64(8.65)
    """
    part = fraction("inference_fraction", inference_fraction)
    moved = non_negative("price_times", price_times, finite=True) * non_negative(
        "volume_times", volume_times
    )
    return 1 - part + part * moved
