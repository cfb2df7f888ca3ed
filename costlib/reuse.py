r"""Prompt caches as they are sold and held: what a hit saves, what writing and waiting cost.

A vendor bills a prompt token at :math:`p` fresh, at :math:`r` when it is read from the cache and at
:math:`w` when it is written to it. A share :math:`h` of all input tokens is read; the others are
written, to be read next time. Shares are of tokens, never of requests.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive
from costlib.pricing import request_usd
from costlib.roofline import flop_s, transfer_s

__all__ = [
    "break_even_hit_fraction",
    "break_even_reuses",
    "effective_usd_per_mtok",
    "kept_usd_per_mtok",
    "longest_warm_s",
    "prompt_ready_s",
    "saved_fraction",
]


def effective_usd_per_mtok(
    *,
    hit_fraction: ArrayLike,
    cached_input_usd_per_mtok: ArrayLike,
    cache_write_usd_per_mtok: ArrayLike,
) -> Floats:
    r"""Mean price of input when every miss is written to the cache: :math:`h r + (1 - h) w`.

    Parameters
    ----------
    hit_fraction
        Share of the input tokens that is read from the cache. [-]
    cached_input_usd_per_mtok
        Price of input read from the cache. [USD/Mtok]
    cache_write_usd_per_mtok
        Price of input written to the cache; that of fresh input where writing is free.
        [USD/Mtok]

    Returns
    -------
        Mean price; relative to list if the two prices are. [USD/Mtok]

    Raises
    ------
    ValueError
        If a price is negative or the share is none.

    Notes
    -----
    Source: genaiprices2026 for the prices; definition.

    Examples
    --------
    Reads at a tenth of list, writes at 1.25 times for five minutes or twice for an hour, with
    the hits of a trace of agents [kvcachetester2026]:

    >>> effective_usd_per_mtok(
    ...     hit_fraction=[0.9163, 0.95965], cached_input_usd_per_mtok=0.1,
    ...     cache_write_usd_per_mtok=[1.25, 2],
    ... ).round(3)
    array([0.196, 0.177])
    """
    hit = fraction("hit_fraction", hit_fraction)
    read = non_negative("cached_input_usd_per_mtok", cached_input_usd_per_mtok)
    write = non_negative("cache_write_usd_per_mtok", cache_write_usd_per_mtok)
    return hit * read + (1 - hit) * write


def break_even_reuses(
    *,
    input_usd_per_mtok: ArrayLike,
    cached_input_usd_per_mtok: ArrayLike,
    cache_write_usd_per_mtok: ArrayLike,
) -> Floats:
    r"""Reuses from which writing a prefix pays: :math:`(w - p) / (p - r)`.

    Parameters
    ----------
    input_usd_per_mtok
        Price of fresh input. [USD/Mtok]
    cached_input_usd_per_mtok
        Price of input read from the cache. [USD/Mtok]
    cache_write_usd_per_mtok
        Price of input written to the cache. [USD/Mtok]

    Returns
    -------
        Reuses after the write; above it each one saves. 0 where writing carries no surcharge,
        infinite where it does and reading is no cheaper than fresh input. [-]

    Raises
    ------
    ValueError
        If a price is negative or not a number.

    Notes
    -----
    Source: one write and n reads against n + 1 fresh inputs, :math:`w + n r = (n + 1) p`.

    Examples
    --------
    A surcharge of 25 % and reads at a tenth pay with the first reuse; twice the price, with the
    second:

    >>> break_even_reuses(
    ...     input_usd_per_mtok=1, cached_input_usd_per_mtok=0.1,
    ...     cache_write_usd_per_mtok=[1, 1.25, 2],
    ... ).round(3)
    array([0.   , 0.278, 1.111])
    """
    fresh = non_negative("input_usd_per_mtok", input_usd_per_mtok)
    read = non_negative("cached_input_usd_per_mtok", cached_input_usd_per_mtok)
    write = non_negative("cache_write_usd_per_mtok", cache_write_usd_per_mtok)
    saved = fresh - read
    repaid = np.maximum(write - fresh, 0) / np.where(saved > 0, saved, 1)
    found: Floats = np.where(write <= fresh, 0.0, np.where(saved > 0, repaid, np.inf))[()]
    return found


def break_even_hit_fraction(
    *,
    input_usd_per_mtok: ArrayLike,
    cached_input_usd_per_mtok: ArrayLike,
    cache_write_usd_per_mtok: ArrayLike,
) -> Floats:
    r"""Hit rate above which writing every miss beats no cache: :math:`(w - p) / (w - r)`.

    Parameters
    ----------
    input_usd_per_mtok
        Price of fresh input. [USD/Mtok]
    cached_input_usd_per_mtok
        Price of input read from the cache. [USD/Mtok]
    cache_write_usd_per_mtok
        Price of input written to the cache. [USD/Mtok]

    Returns
    -------
        Share of the input tokens. 0 where writing carries no surcharge, infinite where it does
        and reading is no cheaper than fresh input: then no rate pays. [-]

    Raises
    ------
    ValueError
        If a price is negative or not a number.

    Notes
    -----
    Source: `effective_usd_per_mtok` at the price of fresh input. With n reuses of each write the
    rate is n / (n + 1), so this is `break_even_reuses` in other words.

    Examples
    --------
    >>> break_even_hit_fraction(
    ...     input_usd_per_mtok=3, cached_input_usd_per_mtok=0.3,
    ...     cache_write_usd_per_mtok=[3, 3.75, 6],
    ... ).round(3)
    array([0.   , 0.217, 0.526])
    """
    reuses = break_even_reuses(
        input_usd_per_mtok=input_usd_per_mtok,
        cached_input_usd_per_mtok=cached_input_usd_per_mtok,
        cache_write_usd_per_mtok=cache_write_usd_per_mtok,
    )
    endless = np.isinf(reuses)
    counted = np.where(endless, 0.0, reuses)
    found: Floats = np.where(endless, np.inf, counted / (counted + 1))[()]
    return found


def kept_usd_per_mtok(
    gap_s: ArrayLike, *, cached_input_usd_per_mtok: ArrayLike, cache_life_s: ArrayLike
) -> Floats:
    r"""Price of finding a prefix still cached after a gap: :math:`\lceil T / L \rceil r`.

    Each use renews the life of a cache. A gap longer than that is bridged by reads that serve no
    one, one at the end of every life; the last read is the use itself.

    Parameters
    ----------
    gap_s
        Time between two uses, finite. [s]
    cached_input_usd_per_mtok
        Price of input read from the cache. [USD/Mtok]
    cache_life_s
        How long a cache lives after its last use; infinite: for ever. [s]

    Returns
    -------
        Price of the second use with what kept it warm; the few tokens of output that a read
        needs are left out. [USD/Mtok]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: portkey2026caching for the renewal; definition.

    Examples
    --------
    Half an hour on a life of five minutes takes five reads between, and the use:

    >>> kept_usd_per_mtok(
    ...     [60, 300, 1800], cached_input_usd_per_mtok=0.3, cache_life_s=300
    ... ).round(2)
    array([0.3, 0.3, 1.8])
    """
    gap = non_negative("gap_s", gap_s)
    lives = np.ceil(gap / positive("cache_life_s", cache_life_s))
    price = non_negative("cached_input_usd_per_mtok", cached_input_usd_per_mtok)
    return np.maximum(lives, 1) * price


def longest_warm_s(
    *,
    cached_input_usd_per_mtok: ArrayLike,
    cache_write_usd_per_mtok: ArrayLike,
    cache_life_s: ArrayLike,
) -> Floats:
    r"""Longest gap that reads bridge no dearer than a new write: :math:`\lfloor w / r \rfloor L`.

    Parameters
    ----------
    cached_input_usd_per_mtok
        Price of input read from the cache. [USD/Mtok]
    cache_write_usd_per_mtok
        Price of input written to the cache. [USD/Mtok]
    cache_life_s
        How long a cache lives after its last use. [s]

    Returns
    -------
        Gap; infinite where reading is free. [s]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: `kept_usd_per_mtok` against the price of a write; definition.

    Examples
    --------
    At a tenth and 1.25 times of list a cache of five minutes is worth renewing for an hour:

    >>> longest_warm_s(
    ...     cached_input_usd_per_mtok=0.3, cache_write_usd_per_mtok=3.75, cache_life_s=300
    ... ) / 60
    np.float64(60.0)
    """
    read = non_negative("cached_input_usd_per_mtok", cached_input_usd_per_mtok)
    write = non_negative("cache_write_usd_per_mtok", cache_write_usd_per_mtok)
    lives = np.where(read > 0, np.floor(write / np.where(read > 0, read, 1)), np.inf)
    found: Floats = (lives * positive("cache_life_s", cache_life_s))[()]
    return found


def prompt_ready_s(
    *,
    moved_bytes: ArrayLike,
    bytes_per_s: ArrayLike,
    prefill_flop: ArrayLike,
    peak_flop_per_s: ArrayLike,
    compute_fraction: ArrayLike = 1.0,
) -> Floats:
    r"""Seconds until a prompt may be answered, one part brought back, the rest computed.

    .. math:: m / \lambda + F / (\eta P)

    Parameters
    ----------
    moved_bytes
        Cache of the part that is brought back. [bytes]
    bytes_per_s
        Bandwidth of the way it comes; infinite where it is there already. [bytes/s]
    prefill_flop
        Arithmetic of the rest, see `work.prefill_flop` and its `reused_tokens`. [FLOP]
    peak_flop_per_s
        Dense peak of what computes. [FLOP/s]
    compute_fraction
        Share of the peak that is reached, above 0. [-]

    Returns
    -------
        Time, one after the other; engines that overlap the two need the longer of them. [s]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    96K tokens of a 70B model with a cache of one byte per value, from an NVMe drive of 7 GB/s
    and at half of the BF16 peak of an H100:

    >>> from costlib import work
    >>> shape = {"n_layers": 80, "n_heads": 64, "prefill_attended_dim": 256}
    >>> whole = work.prefill_flop(96e3, active_params=70e9, **shape)
    >>> prompt_ready_s(
    ...     moved_bytes=[0, 96e3 * 163840], bytes_per_s=7e9, prefill_flop=[whole, 0],
    ...     peak_flop_per_s=989e12, compute_fraction=0.5,
    ... ).round(2)
    array([51.61,  2.25])
    """
    moving = transfer_s(moved_bytes=moved_bytes, bytes_per_s=bytes_per_s)
    return moving + flop_s(
        flop=non_negative("prefill_flop", prefill_flop),
        peak_flop_per_s=peak_flop_per_s,
        compute_fraction=compute_fraction,
    )


def saved_fraction(
    *,
    hit_fraction: ArrayLike,
    input_tokens: ArrayLike,
    output_tokens: ArrayLike,
    input_usd_per_mtok: ArrayLike,
    cached_input_usd_per_mtok: ArrayLike,
    cache_write_usd_per_mtok: ArrayLike,
    output_usd_per_mtok: ArrayLike,
) -> Floats:
    r"""Share of a bill that caching saves: its input share times :math:`1 - \bar p / p`.

    Parameters
    ----------
    hit_fraction
        Share of the input tokens that is read from the cache; 1 gives the ceiling. [-]
    input_tokens
        Prompt, cached part included. [tokens]
    output_tokens
        Answer, which no cache makes cheaper. [tokens]
    input_usd_per_mtok
        Price of fresh input. [USD/Mtok]
    cached_input_usd_per_mtok
        Price of input read from the cache. [USD/Mtok]
    cache_write_usd_per_mtok
        Price of input written to the cache. [USD/Mtok]
    output_usd_per_mtok
        Price of output. [USD/Mtok]

    Returns
    -------
        Share of the bill without a cache; below 0 where the surcharge outweighs the hits. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range, or the bill is nothing.

    Notes
    -----
    Source: genaiprices2026 for the prices; definition.

    Examples
    --------
    96 tokens in for each one out: 86 % at best, and 59 % at hits of 69 % if writing is free:

    >>> saved_fraction(
    ...     hit_fraction=[1, 0.69], input_tokens=96, output_tokens=1, input_usd_per_mtok=3,
    ...     cached_input_usd_per_mtok=0.3, cache_write_usd_per_mtok=3, output_usd_per_mtok=15,
    ... ).round(2)
    array([0.86, 0.59])
    """
    mean = effective_usd_per_mtok(
        hit_fraction=hit_fraction,
        cached_input_usd_per_mtok=cached_input_usd_per_mtok,
        cache_write_usd_per_mtok=cache_write_usd_per_mtok,
    )
    with_cache, without = (
        request_usd(
            input_tokens=non_negative("input_tokens", input_tokens, finite=True),
            output_tokens=non_negative("output_tokens", output_tokens, finite=True),
            input_usd_per_mtok=price,
            output_usd_per_mtok=non_negative(
                "output_usd_per_mtok", output_usd_per_mtok, finite=True
            ),
        )
        for price in (mean, input_usd_per_mtok)
    )
    return 1 - with_cache / positive("input_tokens, output_tokens by price", without)
