r"""What serving does to a scaling law: the cheapest of all models with the same loss.

Training :math:`N` parameters on :math:`D` tokens takes :math:`6ND` FLOP, serving :math:`T` tokens
:math:`2NT`, each at :math:`k` times the price. Of all pairs with the same loss the cheapest
hangs on one number, the bill of serving over that of training, :math:`w = kT / 3D`, and
everything else follows from it in closed form.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive
from costlib.scaling import PASSES, training_flop
from costlib.work import token_flop

__all__ = [
    "life_flop",
    "optimal_params",
    "optimal_tokens",
    "served_ratio",
    "served_times",
    "served_tokens",
    "serving_step",
]

N_STEPS: Final = 12


def served_times(
    price_times: ArrayLike, *, training_mfu_fraction: ArrayLike, serving_mfu_fraction: ArrayLike
) -> Floats:
    r"""What a served FLOP costs in training FLOP: :math:`k = r\,m_t / m_s`.

    Parameters
    ----------
    price_times
        Hour of a serving GPU over that of a training one, :math:`r`. [-]
    training_mfu_fraction
        Share of the peak that training reaches, :math:`m_t`. [-]
    serving_mfu_fraction
        Share that serving reaches, over all hours that are paid, above 0, :math:`m_s`. [-]

    Returns
    -------
        Price ratio. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: sardana2024beyond, who splits serving into prompts and answers.

    Examples
    --------
    >>> served_times(1, training_mfu_fraction=0.4, serving_mfu_fraction=0.04)
    np.float64(10.0)
    """
    slow = positive("serving_mfu_fraction", fraction("serving_mfu_fraction", serving_mfu_fraction))
    fast = fraction("training_mfu_fraction", training_mfu_fraction)
    return non_negative("price_times", price_times) * fast / slow


def serving_step(
    serving_fraction: ArrayLike,
    *,
    whole_ratio: ArrayLike,
    params_exponent: ArrayLike,
    tokens_exponent: ArrayLike,
) -> Floats:
    r"""One step of Newton's towards the bill of serving at the optimum.

    With :math:`w_0 = kT/3D_0` and :math:`w = s\,w_0`, the optimum is where

    .. math:: \ln s + \frac{1}{\beta} \ln\left(1 + \frac{\beta\,s\,w_0}{\alpha+\beta}\right) = 0 .

    Parameters
    ----------
    serving_fraction
        The guess, :math:`s`, above 0; the first is 1. [-]
    whole_ratio
        Serving over training of the model that is cheapest to train, :math:`w_0`. [-]
    params_exponent
        :math:`\alpha`. [-]
    tokens_exponent
        :math:`\beta`. [-]

    Returns
    -------
        The next guess. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    The left side rises and is convex in :math:`\ln s`, so that steps from 1 fall onto the root.
    Source: derivation from sardana2024beyond.

    Examples
    --------
    >>> serving_step(1, whole_ratio=0, params_exponent=0.35, tokens_exponent=0.37)
    np.float64(1.0)
    """
    share = positive("serving_fraction", fraction("serving_fraction", serving_fraction))
    flat = positive("tokens_exponent", tokens_exponent, finite=True)
    bend = (
        flat
        * share
        * non_negative("whole_ratio", whole_ratio, finite=True)
        / (positive("params_exponent", params_exponent, finite=True) + flat)
    )
    value = np.log(share) + np.log(1 + bend) / flat
    slope = 1 + bend / (1 + bend) / flat
    return np.minimum(share * np.exp(-value / slope), 1.0)[()]


def served_ratio(
    served_tokens: ArrayLike,
    *,
    served_times: ArrayLike,
    cheapest_tokens: ArrayLike,
    params_exponent: ArrayLike,
    tokens_exponent: ArrayLike,
) -> Floats:
    r"""Bill of serving over that of training at the optimum, :math:`w`.

    .. math:: w\,\left(1 + \frac{\beta w}{\alpha+\beta}\right)^{1/\beta} = \frac{kT}{3 D_0}

    Parameters
    ----------
    served_tokens
        Tokens served over the model's life, :math:`T`. [tokens]
    served_times
        What a served FLOP costs in training FLOP, :math:`k`. [-]
    cheapest_tokens
        Training tokens of the model that reaches the loss with the least training,
        :math:`D_0`. [tokens]
    params_exponent
        :math:`\alpha`. [-]
    tokens_exponent
        :math:`\beta`. [-]

    Returns
    -------
        Ratio; 0 where nothing is served. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: derivation from sardana2024beyond, who solves it by Newton's method as well.

    Examples
    --------
    At the loss of 70B on 1.4T a life of 1e12 tokens costs a fifth of its training:

    >>> served_ratio(
    ...     1e12, served_times=1, cheapest_tokens=1.342e12, params_exponent=0.3478,
    ...     tokens_exponent=0.3658,
    ... ).round(3)
    np.float64(0.192)
    """
    served = non_negative("served_tokens", served_tokens, finite=True) * non_negative(
        "served_times", served_times, finite=True
    )
    whole = served / (PASSES * positive("cheapest_tokens", cheapest_tokens))
    share: Floats = np.ones_like(whole)
    for _ in range(N_STEPS):
        share = serving_step(
            share,
            whole_ratio=whole,
            params_exponent=params_exponent,
            tokens_exponent=tokens_exponent,
        )
    return share * whole


def optimal_params(
    serving_ratio: ArrayLike,
    *,
    cheapest_params: ArrayLike,
    params_exponent: ArrayLike,
    tokens_exponent: ArrayLike,
) -> Floats:
    r"""Parameters of the cheapest model over its life.

    .. math:: N = N_0 \left(\frac{\alpha + \beta + \beta w}{(\alpha+\beta)(1+w)}\right)^{1/\alpha}

    Parameters
    ----------
    serving_ratio
        Bill of serving over that of training, :math:`w`. [-]
    cheapest_params
        Parameters of the model that reaches the loss with the least training,
        :math:`N_0`. [-]
    params_exponent
        :math:`\alpha`. [-]
    tokens_exponent
        :math:`\beta`. [-]

    Returns
    -------
        Parameters; they fall to a limit, however much is served. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: derivation from sardana2024beyond.

    Examples
    --------
    >>> optimal_params(
    ...     [0, 0.192], cheapest_params=73e9, params_exponent=0.3478, tokens_exponent=0.3658
    ... ).round(-9)
    array([7.3e+10, 5.8e+10])
    """
    ratio = non_negative("serving_ratio", serving_ratio, finite=True)
    steep = positive("params_exponent", params_exponent, finite=True)
    flat = positive("tokens_exponent", tokens_exponent, finite=True)
    shrunk = (steep + flat + flat * ratio) / ((steep + flat) * (1 + ratio))
    size: Floats = positive("cheapest_params", cheapest_params) * np.power(shrunk, 1 / steep)
    return size


def optimal_tokens(
    serving_ratio: ArrayLike,
    *,
    cheapest_tokens: ArrayLike,
    params_exponent: ArrayLike,
    tokens_exponent: ArrayLike,
) -> Floats:
    r"""Training tokens of the cheapest model over its life.

    .. math:: D = D_0 \left(1 + \frac{\beta w}{\alpha+\beta}\right)^{1/\beta}

    Parameters
    ----------
    serving_ratio
        Bill of serving over that of training, :math:`w`. [-]
    cheapest_tokens
        Tokens of the model that reaches the loss with the least training, :math:`D_0`. [tokens]
    params_exponent
        :math:`\alpha`. [-]
    tokens_exponent
        :math:`\beta`. [-]

    Returns
    -------
        Tokens. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: derivation from sardana2024beyond.

    Examples
    --------
    >>> optimal_tokens(
    ...     [0, 0.192], cheapest_tokens=1.342e12, params_exponent=0.3478, tokens_exponent=0.3658
    ... ).round(-10)
    array([1.34e+12, 1.73e+12])
    """
    ratio = non_negative("serving_ratio", serving_ratio, finite=True)
    flat = positive("tokens_exponent", tokens_exponent, finite=True)
    grown = 1 + flat * ratio / (positive("params_exponent", params_exponent, finite=True) + flat)
    tokens: Floats = positive("cheapest_tokens", cheapest_tokens) * np.power(grown, 1 / flat)
    return tokens


def life_flop(
    n_params: ArrayLike,
    *,
    training_tokens: ArrayLike,
    served_tokens: ArrayLike,
    served_times: ArrayLike,
) -> Floats:
    r"""Training and serving together, in training FLOP: :math:`6ND + 2kNT`.

    Parameters
    ----------
    n_params
        Parameters that a token meets. [-]
    training_tokens
        Tokens trained on. [tokens]
    served_tokens
        Tokens served over the model's life. [tokens]
    served_times
        What a served FLOP costs in training FLOP. [-]

    Returns
    -------
        Arithmetic, weighted by what it costs. [FLOP]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: sardana2024beyond.

    Examples
    --------
    >>> life_flop(70e9, training_tokens=1.4e12, served_tokens=1e12, served_times=1)
    np.float64(7.28e+23)
    """
    served = non_negative("served_times", served_times, finite=True) * non_negative(
        "served_tokens", served_tokens, finite=True
    )
    training = training_flop(n_params, training_tokens=training_tokens)
    return training + served * token_flop(active_params=n_params)


def served_tokens(
    serving_ratio: ArrayLike, *, served_times: ArrayLike, training_tokens: ArrayLike
) -> Floats:
    r"""Tokens whose serving costs a given multiple of the training: :math:`T = 3 w D / k`.

    Parameters
    ----------
    serving_ratio
        Bill of serving over that of training, :math:`w`. [-]
    served_times
        What a served FLOP costs in training FLOP, above 0, :math:`k`. [-]
    training_tokens
        Tokens trained on, :math:`D`. [tokens]

    Returns
    -------
        Tokens served over the model's life; its size drops out. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: sardana2024beyond.

    Examples
    --------
    Serving costs what 1.4T tokens of training cost after 4.2T tokens, and ten times that:

    >>> served_tokens([1, 10], served_times=1, training_tokens=1.4e12) / 1e12
    array([ 4.2, 42. ])
    """
    times = positive("served_times", served_times, finite=True)
    text = non_negative("training_tokens", training_tokens)
    return PASSES * non_negative("serving_ratio", serving_ratio, finite=True) * text / times
