r"""Context of a chain of reasoning that summarises and deletes itself, block by block.

Each :math:`b` tokens of reasoning are followed by a summary of :math:`b/r`, and deleted once it
is written. After :math:`n` tokens, :math:`c = b \lfloor n/b \rfloor` of them are in summaries:

.. math:: h(n) = p + \frac{c}{r} + (n - c)

beside a prompt :math:`p`. Reasoning counts what the model thinks, without its summaries. A block
without end is reasoning that nobody summarises.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, non_negative, positive

__all__ = [
    "compactable_fraction",
    "compacted_tokens",
    "diluting_tokens",
    "lasting_tokens",
    "mean_tokens",
    "peak_tokens",
    "written_tokens",
]

ROUNDING: Final = 1e-12  # a summary that just fits must not miss by the last bit


def compacted_tokens(
    reasoning_tokens: ArrayLike,
    *,
    block_tokens: ArrayLike,
    compaction_times: ArrayLike,
    prompt_tokens: ArrayLike = 0,
) -> Floats:
    r"""Context held after some reasoning: :math:`p + c/r + (n - c)`.

    Parameters
    ----------
    reasoning_tokens
        Tokens thought so far, summaries not counted. [tokens]
    block_tokens
        Reasoning between two summaries; infinite where there are none. [tokens]
    compaction_times
        Tokens of a block over those of its summary. [-]
    prompt_tokens
        What is never summarised. [tokens]

    Returns
    -------
        Tokens whose cache is held; on the boundary of a block, those after its deletion. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: kontonis2026memento.

    Examples
    --------
    >>> compacted_tokens([1_149, 1_150, 2_300], block_tokens=1_150, compaction_times=5)
    array([1149.,  230.,  460.])
    """
    closed, still_open = _split(reasoning_tokens, block_tokens)
    prompt = non_negative("prompt_tokens", prompt_tokens, finite=True)
    return prompt + closed / positive("compaction_times", compaction_times) + still_open


def peak_tokens(
    reasoning_tokens: ArrayLike,
    *,
    block_tokens: ArrayLike,
    compaction_times: ArrayLike,
    prompt_tokens: ArrayLike = 0,
) -> Floats:
    r"""Largest context held so far: :math:`p + c/r + b`, a block beside its finished summary.

    Parameters
    ----------
    reasoning_tokens
        Tokens thought so far, summaries not counted. [tokens]
    block_tokens
        Reasoning between two summaries; infinite where there are none. [tokens]
    compaction_times
        Tokens of a block over those of its summary. [-]
    prompt_tokens
        What is never summarised. [tokens]

    Returns
    -------
        Memory that must be there, in tokens of cache; :math:`p + n` before the first summary.
        [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: kontonis2026memento.

    Examples
    --------
    Average block, summary and trace of OpenMementos [openmementos2026]: six times as small
    afterwards, under four times at the peak:

    >>> blocks = {"block_tokens": 1_150, "compaction_times": 1_150 / 194}
    >>> peak_tokens(10_900, **blocks).round(), (10_900 / peak_tokens(10_900, **blocks)).round(2)
    (np.float64(2896.0), np.float64(3.76))
    """
    closed, still_open = _split(reasoning_tokens, block_tokens)
    times = positive("compaction_times", compaction_times)
    block = positive("block_tokens", block_tokens)
    prompt = non_negative("prompt_tokens", prompt_tokens, finite=True)
    return prompt + np.where(closed > 0, closed / times + block, still_open)[()]


def written_tokens(
    reasoning_tokens: ArrayLike, *, block_tokens: ArrayLike, compaction_times: ArrayLike
) -> Floats:
    r"""Tokens generated, summaries included: :math:`n + c/r`.

    Parameters
    ----------
    reasoning_tokens
        Tokens thought so far, summaries not counted. [tokens]
    block_tokens
        Reasoning between two summaries; infinite where there are none. [tokens]
    compaction_times
        Tokens of a block over those of its summary. [-]

    Returns
    -------
        Decode steps taken. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: kontonis2026memento.

    Examples
    --------
    >>> written_tokens(12_000, block_tokens=1_200, compaction_times=6)
    np.float64(14000.0)
    """
    closed, still_open = _split(reasoning_tokens, block_tokens)
    return closed + still_open + closed / positive("compaction_times", compaction_times)


def mean_tokens(
    reasoning_tokens: ArrayLike,
    *,
    block_tokens: ArrayLike,
    compaction_times: ArrayLike,
    prompt_tokens: ArrayLike = 0,
) -> Floats:
    r"""Context that a step reads, on average over all steps, those that write summaries included.

    .. math:: \frac{c (1 + 1/r) \bigl( p + \tfrac{c}{2r} + \tfrac{b}{2} \bigr)
        + m \bigl( p + \tfrac{c}{r} + \tfrac{m}{2} \bigr)}{c (1 + 1/r) + m}, \qquad m = n - c

    Parameters
    ----------
    reasoning_tokens
        Tokens thought so far, summaries not counted. [tokens]
    block_tokens
        Reasoning between two summaries; infinite where there are none. [tokens]
    compaction_times
        Tokens of a block over those of its summary. [-]
    prompt_tokens
        What is never summarised. [tokens]

    Returns
    -------
        Mean over the steps, each counted in its middle; the prompt before the first. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    With a block without end it is half the reasoning:

    >>> mean_tokens(12_000, block_tokens=[np.inf, 1_200], compaction_times=6)
    array([6000., 1600.])
    """
    closed, still_open = _split(reasoning_tokens, block_tokens)
    times = positive("compaction_times", compaction_times)
    prompt = non_negative("prompt_tokens", prompt_tokens, finite=True)
    block = np.where(closed > 0, positive("block_tokens", block_tokens), 0.0)
    in_blocks = closed * (1 + 1 / times)
    read = in_blocks * (prompt + closed / times / 2 + block / 2)
    read = read + still_open * (prompt + closed / times + still_open / 2)
    steps = in_blocks + still_open
    return np.where(steps > 0, read / np.where(steps > 0, steps, 1.0), prompt)[()]


def lasting_tokens(
    *,
    room_tokens: ArrayLike,
    block_tokens: ArrayLike,
    compaction_times: ArrayLike,
    prompt_tokens: ArrayLike = 0,
) -> Floats:
    r"""Reasoning until the memory is full: about :math:`r (R - p - b)`, and not without end.

    Parameters
    ----------
    room_tokens
        Tokens whose cache the memory holds. [tokens]
    block_tokens
        Reasoning between two summaries; infinite where there are none. [tokens]
    compaction_times
        Tokens of a block over those of its summary. [-]
    prompt_tokens
        What is never summarised. [tokens]

    Returns
    -------
        Tokens thought when the next one, or the next summary, finds no room; 0 where the prompt
        alone takes it all, infinite only where a summary weighs nothing. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    39 GB of a 70B at 160 KiB per token, without summaries and with blocks of 1,150 tokens:

    >>> room = 39e9 / (160 * 2**10)
    >>> lasting_tokens(room_tokens=room, block_tokens=[np.inf, 1_150], compaction_times=6).round()
    array([ 238037., 1421400.])
    """
    block = positive("block_tokens", block_tokens)
    times = positive("compaction_times", compaction_times)
    prompt = non_negative("prompt_tokens", prompt_tokens, finite=True)
    room = np.maximum(non_negative("room_tokens", room_tokens) - prompt, 0.0)
    finite = np.where(np.isfinite(block), block, np.finfo(np.float64).max)
    spare, summary = room - finite, finite / times
    summaries = np.where(summary > 0, spare / np.where(summary > 0, summary, 1.0), np.inf)
    summaries = np.where(spare < 0, 0.0, np.floor(summaries * (1 + ROUNDING)))
    endless = np.isinf(summaries)
    closed = np.where(endless, 0.0, summaries) * finite
    left = room - closed / times
    return np.where(endless, np.inf, closed + np.minimum(left, block))[()]


def compactable_fraction(*, compaction_times: ArrayLike, cache_times: ArrayLike) -> Floats:
    r"""Share of a cache that must be summarised to shrink it so much: :math:`s`.

    .. math:: 1 - s + \frac{s}{r} = \frac{1}{R} \quad\Rightarrow\quad s = \frac{1-1/R}{1-1/r}

    Parameters
    ----------
    compaction_times
        Tokens of what is summarised over those of the summary, at least 1. [-]
    cache_times
        Whole cache before over after, between 1 and that. [-]

    Returns
    -------
        Share of the cache that is summarised; the rest is prompt, open block, answer. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: Amdahl's law.

    Examples
    --------
    Six times as few tokens and a cache 2.5 times as small [kontonis2026memento]:

    >>> compactable_fraction(compaction_times=6, cache_times=2.5).round(2)
    np.float64(0.72)
    """
    part = positive("compaction_times", compaction_times)
    whole = positive("cache_times", cache_times, finite=True)
    if not ((whole >= 1) & (whole <= part)).all():
        raise ValueError(
            f"cache_times must lie between 1 and compaction_times, got "
            f"{np.asarray(cache_times).tolist()!r} and {np.asarray(compaction_times).tolist()!r}"
        )
    able = np.where(part > 1, 1 - 1 / part, 1.0)
    return ((1 - 1 / whole) / able)[()]


def diluting_tokens(
    reasoning_tokens: ArrayLike,
    *,
    block_tokens: ArrayLike,
    compaction_times: ArrayLike,
    cache_times: ArrayLike,
) -> Floats:
    r"""Prompt beside which the peak shrinks only so much: :math:`(n - R k) / (R - 1)`.

    Parameters
    ----------
    reasoning_tokens
        Tokens thought so far, summaries not counted. [tokens]
    block_tokens
        Reasoning between two summaries; infinite where there are none. [tokens]
    compaction_times
        Tokens of a block over those of its summary. [-]
    cache_times
        Largest cache before over after, at least 1. [-]

    Returns
    -------
        Prompt, for a peak :math:`k` without one; 0 where the peak shrinks less even so, infinite
        where it is not to shrink at all. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Solves :math:`(p + n) / (p + k) = R`. Source: definition.

    Examples
    --------
    The average trace of OpenMementos, and a peak 2.5 times as small [kontonis2026memento]:

    >>> blocks = {"block_tokens": 1_150, "compaction_times": 1_150 / 194}
    >>> diluting_tokens(10_900, **blocks, cache_times=2.5).round()
    np.float64(2440.0)
    """
    times = positive("cache_times", cache_times, finite=True)
    if not (times >= 1).all():
        raise ValueError(f"cache_times must be at least 1, got {float(np.min(times))!r}")
    blocks = {"block_tokens": block_tokens, "compaction_times": compaction_times}
    spare = non_negative("reasoning_tokens", reasoning_tokens, finite=True) - times * peak_tokens(
        reasoning_tokens, **blocks
    )
    prompt = np.where(times > 1, spare / np.where(times > 1, times - 1, 1.0), np.inf)
    return np.where(spare > 0, prompt, 0.0)[()]


def _split(reasoning_tokens: ArrayLike, block_tokens: ArrayLike) -> tuple[Floats, Floats]:
    """Reasoning in closed blocks, and in the open one."""
    thought = non_negative("reasoning_tokens", reasoning_tokens, finite=True)
    still_open = np.mod(thought, positive("block_tokens", block_tokens))
    return thought - still_open, still_open
