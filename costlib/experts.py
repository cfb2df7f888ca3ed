r"""Mixtures of experts in a step: which experts a batch touches, and the rows that it pads.

Each token asks for :math:`k` of :math:`E` experts. A batch of :math:`B` tokens reads every
expert that anybody asked for, and multiplies in tiles of rows that the last token never fills.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive, whole

__all__ = ["coverage_fraction", "load_imbalance", "padding_rows", "skewed_coverage_fraction"]

LOG_OF_NEVER = -1e9


def coverage_fraction(n_tokens: ArrayLike, *, n_experts: ArrayLike, top_k: ArrayLike) -> Floats:
    r"""Share of the experts that a batch reads: :math:`1 - (1 - k/E)^B`.

    Parameters
    ----------
    n_tokens
        Tokens of the step. [tokens]
    n_experts
        Routed experts of a layer; 0 where there are none. [-]
    top_k
        Experts that each token asks for, at most all of them. [-]

    Returns
    -------
        Share read, 1 where every expert is asked for; 0 without experts. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number, or `top_k` exceeds `n_experts`.

    Notes
    -----
    Tokens choose evenly and apart from each other. Source: epoch2025inference.

    Examples
    --------
    DeepSeek-V3 asks for 8 of 256: one token reads 3 %, 128 tokens 98 %:

    >>> coverage_fraction([1, 32, 128], n_experts=256, top_k=8).round(3)
    array([0.031, 0.638, 0.983])
    """
    tokens = non_negative("n_tokens", n_tokens)
    experts = non_negative("n_experts", n_experts, finite=True)
    asked = non_negative("top_k", top_k, finite=True)
    non_negative("n_experts minus top_k", experts - asked)
    share = np.where(experts > 0, asked / np.where(experts > 0, experts, 1.0), 0.0)
    # Log of the chance that one token passes an expert by; none does where all are asked for.
    passed = np.where(share < 1, np.log1p(-np.minimum(share, 0.999_999_999)), LOG_OF_NEVER)
    covered: Floats = -np.expm1(tokens * passed)
    return covered


def skewed_coverage_fraction(
    n_tokens: ArrayLike, *, n_experts: ArrayLike, top_k: ArrayLike, skew: ArrayLike
) -> Floats:
    r"""Share of the experts read when some are asked for more often, by Zipf's law.

    .. math:: \frac{1}{E} \sum_i 1 - (1 - q_i)^B, \quad q_i = \min(1, k\, i^{-s} / H)

    Parameters
    ----------
    n_tokens
        Tokens of the step. [tokens]
    n_experts
        Routed experts of a layer, a whole number; 0 where there are none. [-]
    top_k
        Experts that each token asks for. [-]
    skew
        Exponent of the popularity; 0 is the even `coverage_fraction`. [-]

    Returns
    -------
        Share read; never above the even one. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number, or `n_experts` is not a whole number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> skewed_coverage_fraction(32, n_experts=256, top_k=8, skew=[0, 0.5, 1]).round(3)
    array([0.638, 0.575, 0.378])
    """
    tokens = non_negative("n_tokens", n_tokens)
    exponent = non_negative("skew", skew)
    number = whole("n_experts", n_experts)
    asked = non_negative("top_k", top_k, finite=True)
    ranks = np.arange(1.0, np.max(number) + 1)
    total = sum(np.where(rank <= number, rank**-exponent, 0.0) for rank in ranks)
    total = np.where(number > 0, total, 1.0)
    read = sum(
        np.where(
            rank <= number,
            1.0 - (1.0 - np.minimum(asked * rank**-exponent / total, 1.0)) ** tokens,
            0.0,
        )
        for rank in ranks
    )
    return read / np.maximum(number, 1.0) + np.zeros_like(tokens * exponent * asked)


def load_imbalance(
    *, n_experts: ArrayLike, top_k: ArrayLike, skew: ArrayLike, n_accelerators: ArrayLike
) -> Floats:
    r"""Rows of the busiest device over those of the mean one, which all devices wait for.

    .. math:: D \sum_{i \bmod D = 1} q_i \Big/ \sum_i q_i, \quad q_i = \min(1, k\, i^{-s} / H)

    Experts are dealt out over :math:`D` devices like cards, the most popular first.

    Parameters
    ----------
    n_experts
        Routed experts of a layer, a whole number; 0 where there are none. [-]
    top_k
        Experts that each token asks for. [-]
    skew
        Zipf exponent of the popularity, see `skewed_coverage_fraction`. [-]
    n_accelerators
        Devices over which whole experts are dealt out, a whole number. [-]

    Returns
    -------
        At least 1; 1 where all experts are as popular and the devices hold equally many. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range, or experts or devices are not whole.

    Notes
    -----
    A mean over many steps; a single step is less even. Source: definition.

    Examples
    --------
    512 experts on 8 devices and on 64, even and with a popularity by Zipf's law:

    >>> load_imbalance(n_experts=512, top_k=10, skew=[0, 1], n_accelerators=8).round(2)
    array([1.  , 1.54])
    >>> load_imbalance(n_experts=512, top_k=10, skew=1, n_accelerators=64).round(1)
    np.float64(7.1)
    """
    number = whole("n_experts", n_experts)
    devices = whole("n_accelerators", positive("n_accelerators", n_accelerators))
    asked = non_negative("top_k", top_k, finite=True)
    exponent = non_negative("skew", skew)
    ranks = np.arange(1.0, np.max(number) + 1)
    total = sum(np.where(rank <= number, rank**-exponent, 0.0) for rank in ranks)
    total = np.where(number > 0, total, 1.0)
    every, busiest = np.zeros_like(total * asked), np.zeros_like(total * asked * devices)
    for rank in ranks:
        rows = np.where(rank <= number, np.minimum(asked * rank**-exponent / total, 1.0), 0.0)
        every = every + rows
        busiest = busiest + np.where(np.mod(rank - 1, devices) == 0, rows, 0.0)
    return np.where(every > 0, devices * busiest / np.where(every > 0, every, 1.0), 1.0)[()]


def padding_rows(
    *, n_experts: ArrayLike, coverage_fraction: ArrayLike, tile_rows: ArrayLike
) -> Floats:
    r"""Rows multiplied for nothing: half a tile for each expert that is read.

    An expert's tokens fill whole tiles of a matrix kernel; the last one is half empty on average.

    Parameters
    ----------
    n_experts
        Routed experts of a layer; 0 where there are none. [-]
    coverage_fraction
        Share of them that the step reads, see `coverage_fraction`. [-]
    tile_rows
        Rows of a tile; 0 pads nothing. [-]

    Returns
    -------
        Rows, each multiplied with one expert, on top of the tokens times `top_k`. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Grouped kernels round an expert's tokens up to tiles of 64 or 128. Source: deepgemm2025.

    Examples
    --------
    A prompt of 1,024 tokens in DeepSeek-V3 asks for 8,192 rows and multiplies twice as many:

    >>> padding_rows(n_experts=256, coverage_fraction=1, tile_rows=64)
    np.float64(8192.0)
    """
    read = non_negative("n_experts", n_experts, finite=True) * fraction(
        "coverage_fraction", coverage_fraction
    )
    return read * non_negative("tile_rows", tile_rows) / 2
