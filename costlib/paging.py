r"""Memory that requests hold, and memory set aside for them: contiguous, or in blocks.

A request reads :math:`p` tokens and writes :math:`o`, one per step; during step :math:`j` it holds
:math:`p + j`. A server that looks at its memory at some moment meets long answers more often
than short ones, so every mean here is over steps, not over requests. Prompts and answers are
tables of equally likely whole lengths, drawn independently.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib._checks import Floats, fraction, non_negative, positive, whole

__all__ = [
    "capacity_times",
    "doubled_tokens",
    "final_tokens",
    "paged_tokens",
    "resident_tokens",
    "tail_tokens",
    "waste_fraction",
]


def resident_tokens(
    *, input_lengths_tokens: ArrayLike, output_lengths_tokens: ArrayLike
) -> np.float64:
    r"""Tokens that a running request holds: :math:`E[p] + E[o(o+1)] / 2E[o]`.

    Parameters
    ----------
    input_lengths_tokens
        Prompts, each as likely as the others. [tokens]
    output_lengths_tokens
        Answers, each as likely as the others. [tokens]

    Returns
    -------
        Mean over all steps of all requests. [tokens]

    Raises
    ------
    ValueError
        If a length is negative or not whole, a table is empty, or no answer has a token.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Four steps hold 101, and 101, 102, 103 tokens:

    >>> resident_tokens(input_lengths_tokens=[100], output_lengths_tokens=[1, 3])
    np.float64(101.75)
    """
    outputs = _outputs(output_lengths_tokens)
    return _over_steps(input_lengths_tokens, outputs, (outputs + 1) / 2)


def final_tokens(
    *, input_lengths_tokens: ArrayLike, output_lengths_tokens: ArrayLike
) -> np.float64:
    r"""Tokens set aside if each answer's length is known beforehand: :math:`E[p] + E[o^2] / E[o]`.

    Parameters
    ----------
    input_lengths_tokens
        Prompts, each as likely as the others. [tokens]
    output_lengths_tokens
        Answers, each as likely as the others. [tokens]

    Returns
    -------
        Mean over all steps of all requests. [tokens]

    Raises
    ------
    ValueError
        If a length is negative or not whole, a table is empty, or no answer has a token.

    Notes
    -----
    Source: kwon2023pagedattention, the oracle of section 6.1.

    Examples
    --------
    >>> final_tokens(input_lengths_tokens=[100], output_lengths_tokens=[1, 3])
    np.float64(102.5)
    """
    outputs = _outputs(output_lengths_tokens)
    return _over_steps(input_lengths_tokens, outputs, outputs)


def doubled_tokens(
    *, input_lengths_tokens: ArrayLike, output_lengths_tokens: ArrayLike
) -> np.float64:
    r"""Tokens set aside if room for an answer comes in powers of two.

    .. math:: E[p] + E[o \, 2^{\lceil \log_2 o \rceil}] / E[o]

    Parameters
    ----------
    input_lengths_tokens
        Prompts, each as likely as the others. [tokens]
    output_lengths_tokens
        Answers, each as likely as the others. [tokens]

    Returns
    -------
        Mean over all steps of all requests. [tokens]

    Raises
    ------
    ValueError
        If a length is negative or not whole, a table is empty, or no answer has a token.

    Notes
    -----
    Source: kwon2023pagedattention, section 6.1.

    Examples
    --------
    An answer of 25 tokens takes room for 32 [kwon2023pagedattention]:

    >>> doubled_tokens(input_lengths_tokens=[0], output_lengths_tokens=[25])
    np.float64(32.0)
    """
    outputs = _outputs(output_lengths_tokens)
    mantissa, exponent = np.frexp(outputs)  # a power of two is a half times the next
    room = np.where(mantissa == 0.5, outputs, np.ldexp(1.0, exponent))
    return _over_steps(input_lengths_tokens, outputs, room)


def paged_tokens(
    block_tokens: ArrayLike, *, input_lengths_tokens: ArrayLike, output_lengths_tokens: ArrayLike
) -> Floats:
    r"""Tokens that the blocks of a running request have room for: :math:`E[b \lceil n/b \rceil]`.

    Parameters
    ----------
    block_tokens
        Tokens in a block, whole. [tokens]
    input_lengths_tokens
        Prompts, each as likely as the others. [tokens]
    output_lengths_tokens
        Answers, each as likely as the others. [tokens]

    Returns
    -------
        Mean over all steps of all requests; `resident_tokens` for blocks of one. [tokens]

    Raises
    ------
    ValueError
        If a block is not a whole number above 0, a length is negative or not whole, a table is
        empty, or no answer has a token.

    Notes
    -----
    Exact: every pair of the two tables, every step. Source: kwon2023pagedattention, section 4.3.

    Examples
    --------
    Four steps of 101 to 103 tokens, in 26 blocks of 4:

    >>> paged_tokens(4, input_lengths_tokens=[100], output_lengths_tokens=[1, 3])
    np.float64(104.0)
    """
    blocks = np.asarray(whole("block_tokens", positive("block_tokens", block_tokens)))
    outputs = _outputs(output_lengths_tokens)
    before = _table("input_lengths_tokens", input_lengths_tokens)
    after = before[:, np.newaxis] + outputs
    steps = outputs.sum() * before.size
    room = [
        (_blocks_sum(after, b).sum() - _blocks_sum(before, b).sum() * outputs.size) / steps
        for b in blocks.ravel()
    ]
    mean: Floats = np.reshape(room, blocks.shape)[()]
    return mean


def tail_tokens(block_tokens: ArrayLike) -> Floats:
    r"""Empty places in the last block where no length is likelier than the next: :math:`(b-1)/2`.

    Parameters
    ----------
    block_tokens
        Tokens in a block, at least 1. [tokens]

    Returns
    -------
        Mean room left over, whatever the length. [tokens]

    Raises
    ------
    ValueError
        If a block is not a whole number above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Blocks of 16, the default of vLLM [kwon2023pagedattention]:

    >>> tail_tokens([1, 16, 256])
    array([  0. ,   7.5, 127.5])
    """
    return (whole("block_tokens", positive("block_tokens", block_tokens)) - 1) / 2


def waste_fraction(*, resident_tokens: ArrayLike, reserved_tokens: ArrayLike) -> Floats:
    r"""Share of the memory set aside that holds nothing: :math:`1 - r/R`.

    Parameters
    ----------
    resident_tokens
        Tokens held. [tokens]
    reserved_tokens
        Tokens that there is room for, no less. [tokens]

    Returns
    -------
        Waste; 1 for room without end. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Gaps between reservations come on top. Source: kwon2023pagedattention, section 3.1.

    Examples
    --------
    7.5 empty places behind 4,000 tokens and behind 200, in per cent:

    >>> held = np.array([4000, 200])
    >>> (100 * waste_fraction(resident_tokens=held, reserved_tokens=held + 7.5)).round(2)
    array([0.19, 3.61])
    """
    held = non_negative("resident_tokens", resident_tokens, finite=True)
    room = positive("reserved_tokens", reserved_tokens)
    if not (held <= room).all():
        raise ValueError(
            f"reserved_tokens must hold what is resident, got {float(np.min(room))!r} "
            f"for up to {float(np.max(held))!r}"
        )
    return 1 - held / room


def capacity_times(*, waste_fraction: ArrayLike, baseline_waste_fraction: ArrayLike) -> Floats:
    r"""Users in the same memory, of those before: :math:`(1 - w) / (1 - w_0)`.

    Parameters
    ----------
    waste_fraction
        Share of the memory that holds nothing, now. [-]
    baseline_waste_fraction
        The same before. [-]

    Returns
    -------
        Ratio; infinite where nothing was held before, 0 where nothing is held now. [-]

    Raises
    ------
    ValueError
        If an argument lies outside 0 to 1.

    Notes
    -----
    Source: definition.

    Examples
    --------
    From 20.4 and 38.2 % in use to 96.3 % [kwon2023pagedattention]:

    >>> before = 1 - np.array([0.204, 0.382])
    >>> capacity_times(waste_fraction=1 - 0.963, baseline_waste_fraction=before).round(2)
    array([4.72, 2.52])
    """
    now = 1 - fraction("waste_fraction", waste_fraction)
    before = 1 - fraction("baseline_waste_fraction", baseline_waste_fraction)
    without = np.where(now > 0, np.inf, 0.0)
    return np.where(before > 0, now / np.where(before > 0, before, 1.0), without)[()]


def _table(name: str, lengths: ArrayLike) -> NDArray[np.float64]:
    table = np.atleast_1d(whole(name, lengths)).ravel()
    if not table.size:
        raise ValueError(f"{name} must hold at least one length, got none")
    return table


def _outputs(lengths: ArrayLike) -> NDArray[np.float64]:
    outputs = _table("output_lengths_tokens", lengths)
    if not outputs.any():
        raise ValueError("output_lengths_tokens must hold a length above 0, got only 0.0")
    return outputs


def _over_steps(
    inputs: ArrayLike, outputs: NDArray[np.float64], room: NDArray[np.float64]
) -> np.float64:
    """Mean prompt, plus the mean room of the answers weighted by the steps that they take."""
    prompts = _table("input_lengths_tokens", inputs)
    return np.float64(prompts.mean() + (outputs * room).sum() / outputs.sum())


def _blocks_sum(lengths: NDArray[np.float64], block: np.float64) -> NDArray[np.float64]:
    """Sum of the room of blocks over the lengths 1, 2, ..., n, in closed form."""
    full = np.floor(lengths / block)
    rest = lengths - full * block
    return block * (full + 1) * (block * full / 2 + rest)
