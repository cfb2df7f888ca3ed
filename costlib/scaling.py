r"""Scaling laws: the loss of a model, and the cheapest training that reaches it.

The loss of :math:`N` parameters after :math:`D` tokens is

.. math:: L = E + A\,N^{-\alpha} + B\,D^{-\beta} ,

with constants that were fitted to trained models (`data/scaling_laws.csv`). Training takes
:math:`6ND` FLOP.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, non_negative, positive
from costlib.work import token_flop

__all__ = [
    "budget_params",
    "budget_tokens",
    "loss",
    "loss_params",
    "loss_tokens",
    "needed_tokens",
    "power_law_params",
    "training_flop",
]

PASSES: Final = 3.0  # a token that trains costs a forward pass and a backward one, twice as dear


def training_flop(n_params: ArrayLike, *, training_tokens: ArrayLike) -> Floats:
    r"""Arithmetic of a training run: :math:`6 N D`.

    Parameters
    ----------
    n_params
        Parameters that a token meets. [-]
    training_tokens
        Tokens trained on. [tokens]

    Returns
    -------
        Forward and backward passes; attention over long texts left out. [FLOP]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: kaplan2020scaling.

    Examples
    --------
    GPT-3; Chinchilla and Gopher, which are said to have had the same budget:

    >>> training_flop([175e9, 70e9, 280e9], training_tokens=[300e9, 1.4e12, 300e9])
    array([3.15e+23, 5.88e+23, 5.04e+23])
    """
    forward = token_flop(active_params=non_negative("n_params", n_params))
    return PASSES * forward * non_negative("training_tokens", training_tokens)


def loss(
    n_params: ArrayLike,
    *,
    training_tokens: ArrayLike,
    floor_loss: ArrayLike,
    params_scale: ArrayLike,
    params_exponent: ArrayLike,
    tokens_scale: ArrayLike,
    tokens_exponent: ArrayLike,
) -> Floats:
    r"""Loss that the law expects: :math:`E + A N^{-\alpha} + B D^{-\beta}`.

    Parameters
    ----------
    n_params
        Parameters, above 0. [-]
    training_tokens
        Tokens trained on, above 0. [tokens]
    floor_loss
        Loss of an endless model on endless text, :math:`E`. [-]
    params_scale
        :math:`A`. [-]
    params_exponent
        :math:`\alpha`. [-]
    tokens_scale
        :math:`B`. [-]
    tokens_exponent
        :math:`\beta`. [-]

    Returns
    -------
        Cross entropy per token, in nats. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: hoffmann2022chinchilla; besiroglu2024replication.

    Examples
    --------
    Chinchilla and Gopher by the refit: the smaller model is the better one.

    >>> loss(
    ...     [70e9, 280e9], training_tokens=[1.4e12, 300e9], floor_loss=1.8172,
    ...     params_scale=482.01, params_exponent=0.3478, tokens_scale=2085.43,
    ...     tokens_exponent=0.3658,
    ... ).round(3)
    array([1.974, 2.   ])
    """
    small = _share(
        positive("n_params", n_params),
        positive("params_scale", params_scale),
        positive("params_exponent", params_exponent, finite=True),
    )
    short = _share(
        positive("training_tokens", training_tokens),
        positive("tokens_scale", tokens_scale),
        positive("tokens_exponent", tokens_exponent, finite=True),
    )
    expected: Floats = non_negative("floor_loss", floor_loss) + small + short
    return expected


def budget_params(
    budget_flop: ArrayLike,
    *,
    params_scale: ArrayLike,
    params_exponent: ArrayLike,
    tokens_scale: ArrayLike,
    tokens_exponent: ArrayLike,
) -> Floats:
    r"""Parameters of the best model that a training budget buys.

    .. math:: N = \left(\frac{\alpha A}{\beta B}\right)^{\frac{1}{\alpha+\beta}}
        \left(\frac{C}{6}\right)^{\frac{\beta}{\alpha+\beta}}

    Parameters
    ----------
    budget_flop
        Training budget, :math:`C`. [FLOP]
    params_scale
        :math:`A`. [-]
    params_exponent
        :math:`\alpha`. [-]
    tokens_scale
        :math:`B`. [-]
    tokens_exponent
        :math:`\beta`. [-]

    Returns
    -------
        Parameters. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: hoffmann2022chinchilla.

    Examples
    --------
    Chinchilla's budget, by the refit and by the constants that the paper prints:

    >>> budget_params(
    ...     5.88e23, params_scale=[482.01, 406.4], params_exponent=[0.3478, 0.34],
    ...     tokens_scale=[2085.43, 410.7], tokens_exponent=[0.3658, 0.28],
    ... ).round(-8)
    array([7.30e+10, 3.25e+10])
    """
    steep = positive("params_exponent", params_exponent, finite=True)
    flat = positive("tokens_exponent", tokens_exponent, finite=True)
    weight = (
        steep
        * positive("params_scale", params_scale)
        / (flat * positive("tokens_scale", tokens_scale))
    )
    pairs = positive("budget_flop", budget_flop) / (2 * PASSES)
    best: Floats = np.power(weight, 1 / (steep + flat)) * np.power(pairs, flat / (steep + flat))
    return best


def budget_tokens(budget_flop: ArrayLike, *, n_params: ArrayLike) -> Floats:
    r"""Tokens that a budget trains a model on: :math:`C / 6N`.

    Parameters
    ----------
    budget_flop
        Training budget, :math:`C`. [FLOP]
    n_params
        Parameters, above 0. [-]

    Returns
    -------
        Tokens. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: kaplan2020scaling.

    Examples
    --------
    >>> budget_tokens(5.88e23, n_params=70e9)
    np.float64(1400000000000.0)
    """
    one = training_flop(positive("n_params", n_params), training_tokens=1.0)
    return non_negative("budget_flop", budget_flop) / one


def power_law_params(
    budget_flop: ArrayLike, *, unit_flop: ArrayLike, unit_params: ArrayLike, exponent: ArrayLike
) -> Floats:
    r"""Parameters by a law that states the best size alone: :math:`N_1 (C / C_1)^a`.

    Parameters
    ----------
    budget_flop
        Training budget, :math:`C`. [FLOP]
    unit_flop
        Budget at which the law is anchored, :math:`C_1`. [FLOP]
    unit_params
        Parameters there, :math:`N_1`. [-]
    exponent
        :math:`a`. [-]

    Returns
    -------
        Parameters. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: kaplan2020scaling, who counts parameters without embeddings.

    Examples
    --------
    Ten times the budget, 5.4 times the parameters:

    >>> power_law_params(10, unit_flop=1, unit_params=1, exponent=0.73).round(2)
    np.float64(5.37)
    """
    times = positive("budget_flop", budget_flop) / positive("unit_flop", unit_flop)
    size: Floats = positive("unit_params", unit_params) * np.power(
        times, positive("exponent", exponent)
    )
    return size


def loss_params(
    gap_loss: ArrayLike,
    *,
    params_scale: ArrayLike,
    params_exponent: ArrayLike,
    tokens_exponent: ArrayLike,
) -> Floats:
    r"""Parameters that reach a loss with the least training, :math:`N_0`.

    .. math:: N_0 = \left(\frac{(\alpha+\beta)A}{\beta\,G}\right)^{1/\alpha}

    Parameters
    ----------
    gap_loss
        Loss above the floor, :math:`G = L - E`. [-]
    params_scale
        :math:`A`. [-]
    params_exponent
        :math:`\alpha`. [-]
    tokens_exponent
        :math:`\beta`. [-]

    Returns
    -------
        Parameters. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: hoffmann2022chinchilla, solved for a loss in place of a budget.

    Examples
    --------
    >>> loss_params(
    ...     0.1567, params_scale=482.01, params_exponent=0.3478, tokens_exponent=0.3658
    ... ).round(-9)
    np.float64(73000000000.0)
    """
    steep = positive("params_exponent", params_exponent, finite=True)
    flat = positive("tokens_exponent", tokens_exponent, finite=True)
    share = flat / (steep + flat) * positive("gap_loss", gap_loss)
    size: Floats = np.power(positive("params_scale", params_scale) / share, 1 / steep)
    return size


def loss_tokens(
    gap_loss: ArrayLike,
    *,
    params_exponent: ArrayLike,
    tokens_scale: ArrayLike,
    tokens_exponent: ArrayLike,
) -> Floats:
    r"""Tokens that reach a loss with the least training, :math:`D_0`.

    .. math:: D_0 = \left(\frac{(\alpha+\beta)B}{\alpha\,G}\right)^{1/\beta}

    Parameters
    ----------
    gap_loss
        Loss above the floor, :math:`G = L - E`. [-]
    params_exponent
        :math:`\alpha`. [-]
    tokens_scale
        :math:`B`. [-]
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
    Source: hoffmann2022chinchilla, solved for a loss in place of a budget.

    Examples
    --------
    >>> loss_tokens(
    ...     0.1567, params_exponent=0.3478, tokens_scale=2085.43, tokens_exponent=0.3658
    ... ).round(-10)
    np.float64(1340000000000.0)
    """
    # the same by the symmetry of the law
    return loss_params(
        gap_loss,
        params_scale=positive("tokens_scale", tokens_scale),
        params_exponent=positive("tokens_exponent", tokens_exponent, finite=True),
        tokens_exponent=positive("params_exponent", params_exponent, finite=True),
    )


def needed_tokens(
    n_params: ArrayLike,
    *,
    gap_loss: ArrayLike,
    params_scale: ArrayLike,
    params_exponent: ArrayLike,
    tokens_scale: ArrayLike,
    tokens_exponent: ArrayLike,
) -> Floats:
    r"""Tokens after which a model of a given size has a given loss.

    .. math:: D = \left(\frac{B}{G - A N^{-\alpha}}\right)^{1/\beta}

    Parameters
    ----------
    n_params
        Parameters, above 0. [-]
    gap_loss
        Loss above the floor, :math:`G = L - E`. [-]
    params_scale
        :math:`A`. [-]
    params_exponent
        :math:`\alpha`. [-]
    tokens_scale
        :math:`B`. [-]
    tokens_exponent
        :math:`\beta`. [-]

    Returns
    -------
        Tokens; infinite where the model is too small for the loss. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: hoffmann2022chinchilla, solved for the tokens.

    Examples
    --------
    At the loss of 70B on 1.4T: half the size takes 2.6 times the text, a
    seventh never gets there.

    >>> needed_tokens(
    ...     [70e9, 35e9, 10e9], gap_loss=0.15657, params_scale=482.01, params_exponent=0.3478,
    ...     tokens_scale=2085.43, tokens_exponent=0.3658,
    ... ).round(-11)
    array([1.4e+12, 3.7e+12,     inf])
    """
    small = _share(
        positive("n_params", n_params),
        positive("params_scale", params_scale),
        positive("params_exponent", params_exponent, finite=True),
    )
    left = positive("gap_loss", gap_loss) - small
    scale = positive("tokens_scale", tokens_scale) / np.where(left > 0, left, 1.0)
    text = np.power(scale, 1 / positive("tokens_exponent", tokens_exponent, finite=True))
    return np.where(left > 0, text, np.inf)[()]


def _share(amount: Floats, scale: Floats, exponent: Floats) -> Floats:
    """What too little of one thing adds to the loss: a scale times a falling power."""
    return scale * np.power(amount, -exponent)
