r"""What a training run costs, from arithmetic to money, and what stands beside the run.

A run of :math:`F` FLOP takes :math:`F / mP` accelerator-seconds at a share :math:`m` of the peak
:math:`P`: the model FLOP utilisation (MFU). Research before it, alignment after it and labels
add. What is sunk spreads over all tokens that are ever served.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, at_least_one, fraction, non_negative, positive, within
from costlib.roofline import flop_s
from costlib.serving import rent_usd
from costlib.units import BITS_PER_BYTE, SECONDS_PER_HOUR, TOKENS_PER_MTOK

__all__ = [
    "bubble_ratio",
    "mfu_fraction",
    "piped_fraction",
    "programme_usd",
    "run_h",
    "run_usd",
    "sunk_usd_per_mtok",
    "training_bytes",
]


def mfu_fraction(
    flop_per_s: ArrayLike, *, n_accelerators: ArrayLike, peak_flop_per_s: ArrayLike
) -> Floats:
    r"""Share of the peak that a run reaches: :math:`R / nP`.

    Parameters
    ----------
    flop_per_s
        Arithmetic of the model per second, without recomputation, :math:`R`. [FLOP/s]
    n_accelerators
        Accelerators of the run, above 0. [-]
    peak_flop_per_s
        Dense peak of one, :math:`P`. [FLOP/s]

    Returns
    -------
        Model FLOP utilisation. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range, or more than the peak is reached.

    Notes
    -----
    Source: narayanan2021megatron.

    Examples
    --------
    A trillion parameters at 502 PFLOP/s on 3,072 A100:

    >>> mfu_fraction(502e15, n_accelerators=3072, peak_flop_per_s=312e12).round(4)
    np.float64(0.5238)
    """
    peak = positive("n_accelerators", n_accelerators) * positive("peak_flop_per_s", peak_flop_per_s)
    reached = non_negative("flop_per_s", flop_per_s)
    return within("flop_per_s", reached, "n_accelerators * peak_flop_per_s", peak) / peak


def run_h(flop: ArrayLike, *, peak_flop_per_s: ArrayLike, compute_fraction: ArrayLike) -> Floats:
    r"""Accelerator-hours of a run: :math:`F / mP`.

    Parameters
    ----------
    flop
        Arithmetic of the run, :math:`F`. [FLOP]
    peak_flop_per_s
        Dense peak of one accelerator, :math:`P`. [FLOP/s]
    compute_fraction
        Share of the peak that the run reaches, above 0, :math:`m`. [-]

    Returns
    -------
        Hours of one accelerator, whatever their number. [h]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: narayanan2021megatron.

    Examples
    --------
    GPT-3 on A100 at half of their peak takes 64 GPU-years:

    >>> (run_h(3.15e23, peak_flop_per_s=312e12, compute_fraction=0.5) / 8760).round(1)
    np.float64(64.0)
    """
    held = flop_s(flop=flop, peak_flop_per_s=peak_flop_per_s, compute_fraction=compute_fraction)
    return held / SECONDS_PER_HOUR


def run_usd(
    flop: ArrayLike,
    *,
    peak_flop_per_s: ArrayLike,
    compute_fraction: ArrayLike,
    rent_usd_per_h: ArrayLike,
) -> Floats:
    r"""Rent of a run: :math:`p\,F / mP`.

    Parameters
    ----------
    flop
        Arithmetic of the run, :math:`F`. [FLOP]
    peak_flop_per_s
        Dense peak of one accelerator, :math:`P`. [FLOP/s]
    compute_fraction
        Share of the peak that the run reaches, above 0, :math:`m`. [-]
    rent_usd_per_h
        Rent of one accelerator, :math:`p`. [USD/h]

    Returns
    -------
        Cost of the run that succeeds. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    GPT-3 at 28 TFLOP/s sustained on a V100 of 125 TFLOP/s, at $1.50:

    >>> run_usd(
    ...     3.14e23, peak_flop_per_s=125e12, compute_fraction=0.224, rent_usd_per_h=1.5
    ... ).round(-5)
    np.float64(4700000.0)
    """
    held = flop_s(flop=flop, peak_flop_per_s=peak_flop_per_s, compute_fraction=compute_fraction)
    return rent_usd(held_s=held, rent_usd_per_h=rent_usd_per_h)


def bubble_ratio(
    pipeline_stages: ArrayLike, *, n_micro_batches: ArrayLike, n_chunks: ArrayLike = 1
) -> Floats:
    r"""Idle time of a pipeline over its working time: :math:`(p - 1) / vm`.

    Parameters
    ----------
    pipeline_stages
        Stages, one after the other, :math:`p`. [-]
    n_micro_batches
        Parts of a batch that follow each other, at least 1, :math:`m`. [-]
    n_chunks
        Parts of the model that each stage holds in turn, at least 1, :math:`v`. [-]

    Returns
    -------
        What a schedule without bubbles gains in throughput. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Forward, then backward, one by one (1F1B). Source: narayanan2021megatron.

    Examples
    --------
    Eight stages, in one chunk and in two:

    >>> bubble_ratio(8, n_micro_batches=32, n_chunks=[1, 2]).round(3)
    array([0.219, 0.109])
    """
    waits = at_least_one("pipeline_stages", pipeline_stages) - 1
    parts = at_least_one("n_chunks", n_chunks) * at_least_one("n_micro_batches", n_micro_batches)
    return waits / parts


def piped_fraction(working_fraction: ArrayLike, *, bubble_ratio: ArrayLike) -> Floats:
    r"""Share of the peak that is left of a pipeline's stages: :math:`m / (1 + b)`.

    Parameters
    ----------
    working_fraction
        Share of the peak that a stage reaches while it works, :math:`m`. [-]
    bubble_ratio
        Idle time of a pipeline over its working time, :math:`b`. [-]

    Returns
    -------
        Share of the peak over all the time that is paid. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: narayanan2021megatron.

    Examples
    --------
    >>> piped_fraction(0.5, bubble_ratio=bubble_ratio(8, n_micro_batches=[8, 32, 128])).round(3)
    array([0.267, 0.41 , 0.474])
    """
    whole = 1 + non_negative("bubble_ratio", bubble_ratio)
    return fraction("working_fraction", working_fraction) / whole


def training_bytes(
    n_params: ArrayLike,
    *,
    trained_params: ArrayLike,
    weight_bits: ArrayLike = 16,
    gradient_bits: ArrayLike = 16,
    state_bits: ArrayLike = 96,
) -> Floats:
    r"""Memory of weights, gradients and the optimiser's state.

    Parameters
    ----------
    n_params
        Parameters of the model. [-]
    trained_params
        Parameters that are trained, at most all; of an adapter, its own. [-]
    weight_bits
        Bits of a weight. [bits]
    gradient_bits
        Bits of a gradient. [bits]
    state_bits
        Bits of the optimiser per trained parameter: of AdamW a 4-byte copy of the weight and two
        moments of 4 bytes each. [bits]

    Returns
    -------
        Memory, activations left out. [bytes]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    An adapter's own weights are left out beside those of the model. Source: rajbhandari2020zero.

    Examples
    --------
    7B, 65B in full, GB; and GPT-3 with 18M trained:

    >>> training_bytes([7e9, 65e9, 175e9], trained_params=[7e9, 65e9, 18e6]) / 1e9
    array([ 112.   , 1040.   ,  350.252])
    """
    whole = positive("n_params", n_params)
    trained = within(
        "trained_params", non_negative("trained_params", trained_params), "n_params", whole
    )
    bits = whole * non_negative("weight_bits", weight_bits) + trained * (
        non_negative("gradient_bits", gradient_bits) + non_negative("state_bits", state_bits)
    )
    return bits / BITS_PER_BYTE


def programme_usd(
    run_usd: ArrayLike,
    *,
    research_times: ArrayLike,
    alignment_fraction: ArrayLike,
    label_usd: ArrayLike,
) -> Floats:
    r"""Cost of a model: the run, what was tried before it, alignment and its labels.

    .. math:: R\,(1 + r + a) + H

    Parameters
    ----------
    run_usd
        Cost of the run that succeeds, :math:`R`. [USD]
    research_times
        Compute of experiments and failed runs over that of the run, :math:`r`. [-]
    alignment_fraction
        Compute of alignment over that of the run, at most 1, :math:`a`. [-]
    label_usd
        People who write and rank answers, :math:`H`. [USD]

    Returns
    -------
        Cost before the first token is served. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> programme_usd(4.6e6, research_times=1, alignment_fraction=0.016, label_usd=1e6).round(-4)
    np.float64(10270000.0)
    """
    beside = non_negative("research_times", research_times) + fraction(
        "alignment_fraction", alignment_fraction
    )
    total: Floats = non_negative("run_usd", run_usd) * (1 + beside)
    return total + non_negative("label_usd", label_usd)


def sunk_usd_per_mtok(cost_usd: ArrayLike, *, served_tokens: ArrayLike) -> Floats:
    r"""Cost of making a model, spread over the tokens that it serves.

    Parameters
    ----------
    cost_usd
        Cost of making it. [USD]
    served_tokens
        Tokens served over its life. [tokens]

    Returns
    -------
        Share of a million tokens; infinite where nothing is served. [USD/Mtok]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Five million of labels over 1e12 and over 1e15 tokens:

    >>> sunk_usd_per_mtok(5e6, served_tokens=[1e12, 1e15])
    array([5.   , 0.005])
    """
    served = non_negative("served_tokens", served_tokens)
    each = non_negative("cost_usd", cost_usd) / np.where(served > 0, served, 1.0)
    return np.where(served > 0, each * TOKENS_PER_MTOK, np.inf)[()]
