"""Money over time: what a loan costs a month, what later flows are worth, when they pay back."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib._checks import Floats, finite, fraction, non_negative, positive
from costlib._halving import halved

__all__ = ["annuity_usd", "irr_fraction", "npv_usd", "payback"]

CLOSE = 1e-12  # of the largest flow: what rounding leaves of nothing
LEAST_RATE, MOST_RATE = -0.9999, 1e6  # a loss of nearly all, and a gain beyond any market


def annuity_usd(
    *,
    cost_usd: ArrayLike,
    interest_fraction: ArrayLike,
    years: ArrayLike,
    salvage_fraction: ArrayLike = 0,
    n_payments: ArrayLike = 12,
) -> Floats:
    r"""Equal payments that repay a purchase with interest, its resale taken off.

    With :math:`j = i/m` a period and :math:`n = m\,t` periods:

    .. math:: A = \Bigl(C - \frac{s\,C}{(1+j)^n}\Bigr) \frac{j}{1-(1+j)^{-n}},
              \qquad A \to (1-s)\,C/n \text{ at } i = 0.

    Parameters
    ----------
    cost_usd
        Purchase :math:`C`. [USD]
    interest_fraction
        Nominal interest of a year :math:`i`, the cost of capital. [-]
    years
        Life :math:`t` over which it is repaid. [-]
    salvage_fraction
        Share :math:`s` of the purchase that a resale brings at the end. [-]
    n_payments
        Payments in a year, :math:`m`, each at the end of its period. [-]

    Returns
    -------
        One payment. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: hamilton2010costs for the method; definition of an annuity.

    Examples
    --------
    45,978 servers of $1,450 over three years at 5 %: the monthly payment of the case study,
    and the same without interest:

    >>> annuity_usd(cost_usd=45_978 * 1_450, interest_fraction=[0.05, 0], years=3).round()
    array([1998103., 1851892.])
    """
    cost = non_negative("cost_usd", cost_usd)
    times = positive("n_payments", n_payments)
    periods = positive("years", years) * times
    each = fraction("interest_fraction", interest_fraction) / times
    some = np.where(each > 0, each, 1.0)
    shrunk = np.power(1 + each, -periods)
    left = fraction("salvage_fraction", salvage_fraction)
    growth = np.where(each > 0, some / (1 - np.power(1 + some, -periods)), 1 / periods)
    return cost * (1 - left * shrunk) * growth


def _flows(flows_usd: ArrayLike) -> NDArray[np.float64]:
    flows = np.asarray(finite("flows_usd", flows_usd))
    if flows.ndim == 0:
        raise ValueError(f"flows_usd must be finite, one per year from now on, got {flows_usd!r}")
    return flows


def _value(flows: NDArray[np.float64], rate: ArrayLike) -> NDArray[np.float64]:
    years = np.arange(flows.shape[-1])
    worth: NDArray[np.float64] = (flows * (1 + np.asarray(rate)[..., np.newaxis]) ** -years).sum(-1)
    return worth


def npv_usd(flows_usd: ArrayLike, *, interest_fraction: ArrayLike) -> Floats:
    r"""Present value of yearly flows, the first of them now: :math:`\sum_t f_t (1+i)^{-t}`.

    Parameters
    ----------
    flows_usd
        Flows, what is paid negative, along the last axis. [USD]
    interest_fraction
        Interest of a year. [-]

    Returns
    -------
        Value today. [USD]

    Raises
    ------
    ValueError
        If a flow is not finite or the interest lies outside [0, 1].

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> npv_usd([-1000, 600, 600], interest_fraction=[0, 0.1]).round(2)
    array([200.  ,  41.32])
    """
    return _value(_flows(flows_usd), fraction("interest_fraction", interest_fraction))[()]


def irr_fraction(flows_usd: ArrayLike) -> Floats:
    """Interest at which a purchase and what it brings are worth nothing together.

    Parameters
    ----------
    flows_usd
        A purchase first (negative), then what it brings, along the last axis. [USD]

    Returns
    -------
        Internal rate of a year; minus one and less than nothing are losses. NaN where the flows
        do not change their sign exactly once, and so have none or several. [-]

    Raises
    ------
    ValueError
        If a flow is not finite.

    Notes
    -----
    Source: definition; found by halving.

    Examples
    --------
    >>> irr_fraction([[-1000, 600, 600], [-1000, 400, 400]]).round(4)
    array([ 0.1307, -0.1367])
    """
    flows = _flows(flows_usd)
    falling = _value(flows, LEAST_RATE) > _value(flows, MOST_RATE)
    ends = (np.full(flows.shape[:-1], np.log1p(rate)) for rate in (LEAST_RATE, MOST_RATE))
    _, growth = halved(lambda grown: (_value(flows, np.expm1(grown)) > 0) != falling, *ends)
    signs = np.sign(flows)
    changes = np.zeros(flows.shape[:-1])
    last = np.zeros(flows.shape[:-1])
    for year in range(flows.shape[-1]):
        now = signs[..., year]
        changes = changes + ((now != 0) & (last != 0) & (now != last))
        last = np.where(now != 0, now, last)
    found: Floats = np.where(changes == 1, np.expm1(growth), np.nan)[()]
    return found


def payback(flows_usd: ArrayLike, *, interest_fraction: ArrayLike = 0) -> Floats:
    """Years until a purchase has come back, within a year in proportion.

    Parameters
    ----------
    flows_usd
        A purchase first (negative), then what it brings, along the last axis. [USD]
    interest_fraction
        Interest of a year; at 0 the plain payback. [-]

    Returns
    -------
        Years; infinite where it never comes back. [-]

    Raises
    ------
    ValueError
        If a flow is not finite or the interest lies outside [0, 1].

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> payback([[-1000, 600, 600], [-1000, 400, 400]]).round(4)
    array([1.6667,    inf])
    """
    flows = _flows(flows_usd)
    rate = np.asarray(fraction("interest_fraction", interest_fraction))[..., np.newaxis]
    sums = np.cumsum(flows * (1 + rate) ** -np.arange(flows.shape[-1]), axis=-1)
    back = sums >= -CLOSE * np.abs(flows).max(axis=-1, keepdims=True)
    year = np.argmax(back, axis=-1)
    after = np.take_along_axis(sums, year[..., np.newaxis], -1)[..., 0]
    before = np.take_along_axis(sums, np.maximum(year - 1, 0)[..., np.newaxis], -1)[..., 0]
    step = np.where(year > 0, after - before, 1.0)
    part = np.where(year > 0, year - 1 - before / np.where(step > 0, step, 1.0), 0.0)
    found: Floats = np.where(back.any(axis=-1), part, np.inf)[()]
    return found
