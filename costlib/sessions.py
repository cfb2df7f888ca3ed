r"""Agent sessions: how the prompt grows by turn, what of it is reused, and what the session costs.

Every turn sends the whole context again. Turn :math:`n` of a session that only appends has
:math:`c_n = s + (n - 1) g` tokens. Above a limit the session is compacted: the next prompt is
the stable prefix and a summary, and it grows from there. What the cache returns is the prefix
that the prompt shares with the one before it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive
from costlib.pricing import request_usd

__all__ = [
    "context_tokens",
    "first_edit_fraction",
    "hit_fraction",
    "recomputed_tokens",
    "reused_tokens",
    "session_input_tokens",
    "session_reused_tokens",
    "session_usd",
    "surviving_fraction",
]


# --- one turn --------------------------------------------------------------------------------


def context_tokens(
    turn: ArrayLike,
    *,
    start_tokens: ArrayLike,
    turn_tokens: ArrayLike,
    compact_at_tokens: ArrayLike = np.inf,
    compacted_tokens: ArrayLike = 0,
) -> Floats:
    r"""Prompt of a turn: :math:`s + (n - 1) g`, and after a compaction :math:`k + j g`.

    Parameters
    ----------
    turn
        Which turn, from 1. [-]
    start_tokens
        First prompt: system prompt, tool schemas, first files and question. [tokens]
    turn_tokens
        What each turn appends: the answer, tool results, files read. [tokens]
    compact_at_tokens
        Longest prompt that is sent; the turn that would exceed it sends a summary. [tokens]
    compacted_tokens
        Prompt right after a compaction, stable prefix included. [tokens]

    Returns
    -------
        Length of the prompt. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    A first prompt above the limit is sent as it is; a summary above the limit makes every later
    turn a compaction. Source: definition.

    Examples
    --------
    Ten thousand tokens to begin with, two thousand more per turn, a limit of 15K:

    >>> context_tokens(
    ...     [1, 2, 3, 4, 5], start_tokens=10e3, turn_tokens=2e3,
    ...     compact_at_tokens=15e3, compacted_tokens=8e3,
    ... )
    array([10000., 12000., 14000.,  8000., 10000.])
    """
    return _prompt(
        positive("turn", turn, finite=True),
        start_tokens,
        turn_tokens,
        compact_at_tokens,
        compacted_tokens,
    )


def reused_tokens(
    turn: ArrayLike,
    *,
    start_tokens: ArrayLike,
    turn_tokens: ArrayLike,
    compact_at_tokens: ArrayLike = np.inf,
    compacted_tokens: ArrayLike = 0,
    stable_tokens: ArrayLike = 0,
    surviving_fraction: ArrayLike = 1,
) -> Floats:
    r"""What a turn finds in the cache: :math:`v c_{n-1}`, after a compaction the stable prefix.

    Parameters
    ----------
    turn
        Which turn, from 1. [-]
    start_tokens
        First prompt. [tokens]
    turn_tokens
        What each turn appends. [tokens]
    compact_at_tokens
        Longest prompt that is sent. [tokens]
    compacted_tokens
        Prompt right after a compaction. [tokens]
    stable_tokens
        What a compaction leaves untouched at the front: system prompt and tool schemas. [tokens]
    surviving_fraction
        Share of the last prompt that is still a prefix of this one; 0 without a cache. [-]

    Returns
    -------
        Prefix read from a cache that drops nothing; the first turn finds none. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Appending 2K to 96K reuses 97.96 % of the next prompt; an edit halfway, half of it:

    >>> turn = {"start_tokens": 96e3, "turn_tokens": 2e3}
    >>> found = reused_tokens(2, **turn, surviving_fraction=[1, 0.5])
    >>> (found / context_tokens(2, **turn)).round(4)
    array([0.9796, 0.4898])
    """
    growth = (start_tokens, turn_tokens, compact_at_tokens, compacted_tokens)
    n, *_, again, ahead, every = _cycles(positive("turn", turn, finite=True), *growth)
    before = _prompt(np.maximum(n - 1, 1), *growth)
    kept = fraction("surviving_fraction", surviving_fraction) * before
    stable = np.minimum(non_negative("stable_tokens", stable_tokens), again)
    compacted = (n > ahead) & (np.mod(np.maximum(n - ahead - 1, 0), every) < 1)
    found = np.where(compacted, stable, kept)
    tokens: Floats = np.where(n > 1, found, 0 * found)[()]
    return tokens


def recomputed_tokens(
    turn: ArrayLike,
    *,
    start_tokens: ArrayLike,
    turn_tokens: ArrayLike,
    compact_at_tokens: ArrayLike = np.inf,
    compacted_tokens: ArrayLike = 0,
    stable_tokens: ArrayLike = 0,
    surviving_fraction: ArrayLike = 1,
) -> Floats:
    r"""Tokens of a turn that were computed before and are again: :math:`(1 - v) c_{n-1}`.

    What a turn computes and writes to the cache, `context_tokens` less `reused_tokens`, is this
    and what it sends for the first time: the start, what it appended, or a summary.

    Parameters
    ----------
    turn
        Which turn, from 1. [-]
    start_tokens
        First prompt. [tokens]
    turn_tokens
        What each turn appends. [tokens]
    compact_at_tokens
        Longest prompt that is sent. [tokens]
    compacted_tokens
        Prompt right after a compaction. [tokens]
    stable_tokens
        What a compaction leaves untouched at the front. [tokens]
    surviving_fraction
        Share of the last prompt that is still a prefix of this one. [-]

    Returns
    -------
        Tokens behind the first edit that stood in the last prompt already. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    An edit in the middle of every turn; the first turn recomputes nothing:

    >>> recomputed_tokens(
    ...     [1, 2, 3], start_tokens=10e3, turn_tokens=2e3, surviving_fraction=0.5
    ... )
    array([   0., 5000., 6000.])
    """
    session = {
        "start_tokens": start_tokens,
        "turn_tokens": turn_tokens,
        "compact_at_tokens": compact_at_tokens,
        "compacted_tokens": compacted_tokens,
        "stable_tokens": stable_tokens,
    }
    found = reused_tokens(turn, **session, surviving_fraction=surviving_fraction)
    lost: Floats = reused_tokens(turn, **session) - found
    return lost


# --- edits -----------------------------------------------------------------------------------


def first_edit_fraction(n_edits: ArrayLike) -> Floats:
    r"""Where the first of several edits falls on average: :math:`1 / (1 + m)` of the context.

    Parameters
    ----------
    n_edits
        Edits, each anywhere in the context with the same chance. [-]

    Returns
    -------
        Share of the context in front of the first edit. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    The mean of the least of :math:`m` uniform numbers. Source: definition.

    Examples
    --------
    No edit keeps all, one keeps half, three keep a quarter:

    >>> first_edit_fraction([0, 1, 3])
    array([1.  , 0.5 , 0.25])
    """
    share: Floats = 1 / (1 + non_negative("n_edits", n_edits))
    return share


def surviving_fraction(*, edit_fraction: ArrayLike, position_fraction: ArrayLike) -> Floats:
    r"""Share of a prompt that the next one can reuse: :math:`1 - e (1 - x)`.

    Parameters
    ----------
    edit_fraction
        Share of turns that change something in front of the end. [-]
    position_fraction
        Where the first change falls, on average: 0 at the front, 1 at the end. [-]

    Returns
    -------
        Expected share of the last prompt that is still a prefix. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition; agentic2026economics for the claim that it tests.

    Examples
    --------
    An edit at a uniform place on every turn, on one in fifty, and never:

    >>> surviving_fraction(edit_fraction=[1, 0.02, 0], position_fraction=0.5)
    array([0.5 , 0.99, 1.  ])
    """
    edited = fraction("edit_fraction", edit_fraction)
    share: Floats = 1 - edited * (1 - fraction("position_fraction", position_fraction))
    return share


# --- a session -------------------------------------------------------------------------------


def session_input_tokens(
    n_turns: ArrayLike,
    *,
    start_tokens: ArrayLike,
    turn_tokens: ArrayLike,
    compact_at_tokens: ArrayLike = np.inf,
    compacted_tokens: ArrayLike = 0,
) -> Floats:
    r"""Input of a whole session: :math:`N s + g N (N - 1) / 2`, quadratic in its turns.

    Parameters
    ----------
    n_turns
        Turns of the session. [-]
    start_tokens
        First prompt. [tokens]
    turn_tokens
        What each turn appends. [tokens]
    compact_at_tokens
        Longest prompt that is sent; without a limit the input stays quadratic. [tokens]
    compacted_tokens
        Prompt right after a compaction. [tokens]

    Returns
    -------
        Prompts of all turns; each compaction reads the longest prompt once more. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    With compactions the sum runs over arithmetic series, and grows in proportion to the turns.
    Source: definition.

    Examples
    --------
    A hundred turns of 2K on a first prompt of 20K send 11.9M tokens; at most 218K are new:

    >>> session_input_tokens(100, start_tokens=20e3, turn_tokens=2e3)
    np.float64(11900000.0)
    """
    growth = (start_tokens, turn_tokens, compact_at_tokens, compacted_tokens)
    sent, longest, _ = _sent(positive("n_turns", n_turns, finite=True), *growth)
    return sent + longest


def session_reused_tokens(
    n_turns: ArrayLike,
    *,
    start_tokens: ArrayLike,
    turn_tokens: ArrayLike,
    compact_at_tokens: ArrayLike = np.inf,
    compacted_tokens: ArrayLike = 0,
    stable_tokens: ArrayLike = 0,
    surviving_fraction: ArrayLike = 1,
) -> Floats:
    r"""What a session reads from the cache: :math:`v (\sum c_n - c_N) + m p`.

    Of a session that only appends, all but the last prompt comes again. Each of :math:`m`
    compactions reads the longest prompt, and leaves a stable prefix :math:`p` to the next turn.

    Parameters
    ----------
    n_turns
        Turns of the session. [-]
    start_tokens
        First prompt. [tokens]
    turn_tokens
        What each turn appends. [tokens]
    compact_at_tokens
        Longest prompt that is sent. [tokens]
    compacted_tokens
        Prompt right after a compaction. [tokens]
    stable_tokens
        What a compaction leaves untouched at the front. [tokens]
    surviving_fraction
        Share of a prompt that is still a prefix of the next; 0 without a cache. [-]

    Returns
    -------
        Tokens read from a cache that drops nothing, compactions' own reading included. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    What is computed, the input less this, grows in proportion to the turns if nothing is
    edited, and with the square of them if something is. Source: definition.

    Examples
    --------
    A hundred turns that append compute 218K of 11.9M tokens; with an edit in the middle of
    every turn, 6.06M:

    >>> session = {"start_tokens": 20e3, "turn_tokens": 2e3}
    >>> found = session_reused_tokens(100, **session, surviving_fraction=[1, 0.5])
    >>> (session_input_tokens(100, **session) - found) / 1e6
    array([0.218, 6.059])
    """
    n = positive("n_turns", n_turns, finite=True)
    growth = (start_tokens, turn_tokens, compact_at_tokens, compacted_tokens)
    # the longest prompts are no prefix of the next turn, but of the request that sums them up
    sent, _, times = _sent(n, *growth)
    stable = np.minimum(non_negative("stable_tokens", stable_tokens), compacted_tokens)
    kept = fraction("surviving_fraction", surviving_fraction)
    return kept * (sent - _prompt(n, *growth)) + times * stable


def hit_fraction(
    n_turns: ArrayLike,
    *,
    start_tokens: ArrayLike,
    turn_tokens: ArrayLike,
    compact_at_tokens: ArrayLike = np.inf,
    compacted_tokens: ArrayLike = 0,
    stable_tokens: ArrayLike = 0,
    surviving_fraction: ArrayLike = 1,
) -> Floats:
    """Share of a session's input that is read from the cache.

    Parameters
    ----------
    n_turns
        Turns of the session. [-]
    start_tokens
        First prompt. [tokens]
    turn_tokens
        What each turn appends. [tokens]
    compact_at_tokens
        Longest prompt that is sent. [tokens]
    compacted_tokens
        Prompt right after a compaction. [tokens]
    stable_tokens
        What a compaction leaves untouched at the front. [tokens]
    surviving_fraction
        Share of a prompt that is still a prefix of the next. [-]

    Returns
    -------
        Hits, weighted by tokens, of a cache that drops nothing. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; `start_tokens` must be above 0.

    Notes
    -----
    Source: definition; kvcachetester2026 for the sessions that the book compares with.

    Examples
    --------
    >>> hit_fraction(100, start_tokens=20e3, turn_tokens=2e3).round(3)
    np.float64(0.982)
    """
    growth = {
        "start_tokens": start_tokens,
        "turn_tokens": turn_tokens,
        "compact_at_tokens": compact_at_tokens,
        "compacted_tokens": compacted_tokens,
    }
    found = session_reused_tokens(
        n_turns, **growth, stable_tokens=stable_tokens, surviving_fraction=surviving_fraction
    )
    share: Floats = found / session_input_tokens(n_turns, **growth)
    return share


def session_usd(
    n_turns: ArrayLike,
    *,
    start_tokens: ArrayLike,
    turn_tokens: ArrayLike,
    output_tokens: ArrayLike,
    input_usd_per_mtok: ArrayLike,
    output_usd_per_mtok: ArrayLike,
    cached_input_usd_per_mtok: ArrayLike = 0,
    compact_at_tokens: ArrayLike = np.inf,
    compacted_tokens: ArrayLike = 0,
    stable_tokens: ArrayLike = 0,
    summary_tokens: ArrayLike = 0,
    surviving_fraction: ArrayLike = 1,
) -> Floats:
    """Bill of a session at list prices; over an array of turns, the bill so far.

    Parameters
    ----------
    n_turns
        Turns of the session. [-]
    start_tokens
        First prompt. [tokens]
    turn_tokens
        What each turn appends. [tokens]
    output_tokens
        Answer of a turn. [tokens]
    input_usd_per_mtok
        Price of what is computed; with a cache, what writing to it costs. [USD/Mtok]
    output_usd_per_mtok
        Price of output. [USD/Mtok]
    cached_input_usd_per_mtok
        Price of what is read from the cache. [USD/Mtok]
    compact_at_tokens
        Longest prompt that is sent. [tokens]
    compacted_tokens
        Prompt right after a compaction. [tokens]
    stable_tokens
        What a compaction leaves untouched at the front; 0 without a cache. [tokens]
    summary_tokens
        Output of the request that writes a summary. [tokens]
    surviving_fraction
        Share of a prompt that is still a prefix of the next; 0 without a cache. [-]

    Returns
    -------
        Bill, compactions included. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: genaiprices2026 for the prices; definition.

    Examples
    --------
    A hundred turns at $3 and $15, without a cache, and read at $0.30 after a write at $3.75:

    >>> session_usd(
    ...     100, start_tokens=20e3, turn_tokens=2e3, output_tokens=500,
    ...     input_usd_per_mtok=[3, 3.75], cached_input_usd_per_mtok=0.30,
    ...     output_usd_per_mtok=15, surviving_fraction=[0, 1],
    ... ).round(2)
    array([36.45,  5.07])
    """
    n = positive("n_turns", n_turns, finite=True)
    growth = {
        "start_tokens": start_tokens,
        "turn_tokens": turn_tokens,
        "compact_at_tokens": compact_at_tokens,
        "compacted_tokens": compacted_tokens,
    }
    *_, times = _sent(n, *growth.values())
    summaries = times * non_negative("summary_tokens", summary_tokens)
    answers = n * non_negative("output_tokens", output_tokens)
    prompts = session_input_tokens(n, **growth)
    return request_usd(
        input_tokens=prompts,
        output_tokens=answers + summaries,
        input_usd_per_mtok=input_usd_per_mtok,
        output_usd_per_mtok=output_usd_per_mtok,
        cached_input_usd_per_mtok=cached_input_usd_per_mtok,
        cached_tokens=prompts
        * hit_fraction(
            n, **growth, stable_tokens=stable_tokens, surviving_fraction=surviving_fraction
        ),
    )


def _cycles(
    n: Floats,
    start_tokens: ArrayLike,
    turn_tokens: ArrayLike,
    compact_at_tokens: ArrayLike,
    compacted_tokens: ArrayLike,
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
    """Turns, first prompt, growth, prompt after a compaction, turns to the first and the next."""
    start = positive("start_tokens", start_tokens, finite=True)
    step = non_negative("turn_tokens", turn_tokens, finite=True)
    again = non_negative("compacted_tokens", compacted_tokens, finite=True)
    limit = positive("compact_at_tokens", compact_at_tokens)

    def turns(first: Floats) -> Floats:
        growing = np.floor((limit - first) / np.where(step > 0, step, 1)) + 1
        found: Floats = np.where(step > 0, growing, np.where(first > limit, 1, np.inf))
        return np.maximum(found, 1)

    return n, start, step, again, turns(start), np.minimum(turns(again), np.maximum(n, 1))


def _prompt(n: Floats, *growth: ArrayLike) -> Floats:
    """Prompt of a turn."""
    n, start, step, again, ahead, every = _cycles(n, *growth)
    later = again + np.mod(np.maximum(n - ahead - 1, 0), every) * step
    tokens: Floats = np.where(n > ahead, later, start + np.maximum(n - 1, 0) * step)[()]
    return tokens


def _sent(n: Floats, *growth: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Sum of all prompts, sum of those in front of a compaction, and how many those are."""
    n, start, step, again, ahead, every = _cycles(n, *growth)
    first = np.minimum(n, ahead)
    whole, times = np.floor((n - first) / every), np.ceil((n - first) / every)
    rest = n - first - whole * every
    sent = _series(start, step, first) + whole * _series(again, step, every)
    before_first = np.minimum(times, 1) * (start + (first - 1) * step)
    before_others = np.maximum(times - 1, 0) * (again + (every - 1) * step)
    return sent + _series(again, step, rest), before_first + before_others, times


def _series(first: Floats, step: Floats, n: Floats) -> Floats:
    """Sum of so many terms of an arithmetic series."""
    return n * first + step * n * (n - 1) / 2
