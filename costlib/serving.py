r"""From memory and speed to users, tokens per second and USD per million tokens.

The chain of a decode fleet: what weights and reserve leave is the pool, the pool holds users,
the users share a step, the step makes one token each, and the rent is spread over them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib import kv, roofline, work
from costlib._checks import Floats, fraction, non_negative, positive
from costlib.units import BITS_PER_BYTE, SECONDS_PER_HOUR, TOKENS_PER_MTOK

__all__ = [
    "backfill_saved_fraction",
    "capacity_usd_per_mtok",
    "capacity_users",
    "n_accelerators",
    "n_users",
    "pool_bytes",
    "rent_usd",
    "token_usd_per_mtok",
    "tokens_per_s",
    "usd_per_mtok",
]


def pool_bytes(
    *,
    memory_bytes: ArrayLike,
    weight_bytes: ArrayLike,
    reserved_bytes: ArrayLike = 0,
    n_accelerators: ArrayLike = 1,
) -> Floats:
    """Memory left for sequences after one copy of the weights and each device's reserve.

    Parameters
    ----------
    memory_bytes
        Memory of one accelerator. [bytes]
    weight_bytes
        Weights, sharded over the accelerators. [bytes]
    reserved_bytes
        Kept free on each accelerator for activations, graphs and fragments. [bytes]
    n_accelerators
        Accelerators that share the weights. [-]

    Returns
    -------
        Cache pool of the group; 0 where the weights do not fit. [bytes]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    The newsletter's pool: 80 GB less 4-bit weights and 6 GB; 8-bit weights leave a tenth:

    >>> pool_bytes(memory_bytes=80e9, weight_bytes=[35e9, 70e9, 140e9], reserved_bytes=6e9) / 1e9
    array([39.,  4.,  0.])
    """
    usable = non_negative("memory_bytes", memory_bytes) - non_negative(
        "reserved_bytes", reserved_bytes
    )
    shared = non_negative("n_accelerators", n_accelerators, finite=True) * usable
    return np.maximum(shared - non_negative("weight_bytes", weight_bytes), 0.0)


def n_users(*, pool_bytes: ArrayLike, sequence_bytes: ArrayLike) -> Floats:
    """Whole sequences that fit into the pool at once.

    Parameters
    ----------
    pool_bytes
        See `pool_bytes`. [bytes]
    sequence_bytes
        Memory of one sequence, see `costlib.kv.sequence_bytes`. [bytes]

    Returns
    -------
        Users, 0 where not even one fits; infinite where a sequence takes no memory. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> n_users(pool_bytes=39e9, sequence_bytes=[655.36e6, 20.97152e9, 20e6])
    array([5.90e+01, 1.00e+00, 1.95e+03])
    """
    pool = non_negative("pool_bytes", pool_bytes)
    each = non_negative("sequence_bytes", sequence_bytes)
    return np.where(each > 0, np.floor(pool / np.where(each > 0, each, 1.0)), np.inf)[()]


def n_accelerators(*, needed_bytes: ArrayLike, usable_bytes: ArrayLike) -> Floats:
    """Accelerators whose usable memory holds so many bytes.

    Parameters
    ----------
    needed_bytes
        Bytes to hold. [bytes]
    usable_bytes
        Memory that one accelerator offers for them. [bytes]

    Returns
    -------
        Whole accelerators. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `usable_bytes` must be above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    The cache of 1M tokens at 160 KiB, on pools of 39 GB and on bare cards of 80 GB:

    >>> n_accelerators(needed_bytes=163_840 * 1e6, usable_bytes=[39e9, 80e9])
    array([5., 3.])
    """
    needed = non_negative("needed_bytes", needed_bytes)
    return np.ceil(needed / positive("usable_bytes", usable_bytes))


def tokens_per_s(*, n_users: ArrayLike, step_s: ArrayLike) -> Floats:
    """Output tokens per second of all users together: one each per step.

    Parameters
    ----------
    n_users
        Sequences decoded together; 1 gives the speed that each user sees. [-]
    step_s
        See `costlib.roofline.step_s`. [s]

    Returns
    -------
        Throughput. [tokens/s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `step_s` must be above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> tokens_per_s(n_users=[1, 59], step_s=0.02199).round(1)
    array([  45.5, 2683. ])
    """
    return non_negative("n_users", n_users) / positive("step_s", step_s)


def usd_per_mtok(
    *, rent_usd_per_h: ArrayLike, tokens_per_s: ArrayLike, n_accelerators: ArrayLike = 1
) -> Floats:
    r"""Cost of a million tokens at a throughput: :math:`n p / 3600 \cdot 10^6 / r`.

    Parameters
    ----------
    rent_usd_per_h
        Rent of one accelerator, used or not. [USD/h]
    tokens_per_s
        Throughput of all users together. [tokens/s]
    n_accelerators
        Accelerators that make it. [-]

    Returns
    -------
        Cost; infinite where nothing is served. [USD/Mtok]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    59 users and one user at 35 tokens/s each; vLLM's 4,741 tokens/s:

    >>> usd_per_mtok(rent_usd_per_h=2.50, tokens_per_s=[59 * 35, 35, 4741]).round(4)
    array([ 0.3363, 19.8413,  0.1465])
    """
    rate = non_negative("tokens_per_s", tokens_per_s)
    second = rent_usd(held_s=1, rent_usd_per_h=rent_usd_per_h, n_accelerators=n_accelerators)
    served = np.where(rate > 0, rate, 1.0)
    return np.where(rate > 0, second * TOKENS_PER_MTOK / served, np.inf)[()]


def rent_usd(
    *, held_s: ArrayLike, rent_usd_per_h: ArrayLike, n_accelerators: ArrayLike = 1
) -> Floats:
    """Rent of accelerators for some seconds.

    Parameters
    ----------
    held_s
        Time that they are held. [s]
    rent_usd_per_h
        Rent of one accelerator. [USD/h]
    n_accelerators
        Accelerators held. [-]

    Returns
    -------
        Cost. [USD]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    77 s on 128 accelerators:

    >>> rent_usd(held_s=77, rent_usd_per_h=2.50, n_accelerators=128).round(2)
    np.float64(6.84)
    """
    held = non_negative("n_accelerators", n_accelerators, finite=True) * non_negative(
        "held_s", held_s
    )
    return held * non_negative("rent_usd_per_h", rent_usd_per_h) / SECONDS_PER_HOUR


def token_usd_per_mtok(
    *,
    n_users: ArrayLike,
    weight_bytes: ArrayLike,
    traffic_bytes: ArrayLike,
    token_flop: ArrayLike,
    memory_bytes_per_s: ArrayLike,
    peak_flop_per_s: ArrayLike,
    rent_usd_per_h: ArrayLike,
    n_accelerators: ArrayLike = 1,
    bandwidth_fraction: ArrayLike = 1.0,
    compute_fraction: ArrayLike = 1.0,
) -> Floats:
    """Cost of output tokens at a batch: the roofline's step, its throughput, its rent.

    Parameters
    ----------
    n_users
        Sequences decoded together. [-]
    weight_bytes
        Weights that a step reads. [bytes]
    traffic_bytes
        Cache and state that a step moves per user. [bytes]
    token_flop
        Arithmetic of one token. [FLOP]
    memory_bytes_per_s
        Memory bandwidth of one accelerator. [bytes/s]
    peak_flop_per_s
        Dense peak of one accelerator in the format of the activations. [FLOP/s]
    rent_usd_per_h
        Rent of one accelerator. [USD/h]
    n_accelerators
        Accelerators that share the step evenly. [-]
    bandwidth_fraction
        Share of the bandwidth that is reached, above 0. [-]
    compute_fraction
        Share of the peak that is reached, above 0. [-]

    Returns
    -------
        Cost; infinite without users. [USD/Mtok]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Links between the accelerators cost nothing here. Source: pope2023scaling, section 2.

    Examples
    --------
    >>> token_usd_per_mtok(
    ...     n_users=[59, 1], weight_bytes=35e9, traffic_bytes=[655.36e6, 20.97152e9],
    ...     token_flop=140e9, memory_bytes_per_s=3.35e12, peak_flop_per_s=989e12,
    ...     rent_usd_per_h=2.5,
    ... ).round(3)
    array([ 0.259, 11.603])
    """
    users = non_negative("n_users", n_users)
    devices = non_negative("n_accelerators", n_accelerators, finite=True)
    weights = non_negative("weight_bytes", weight_bytes)
    per_token = roofline.step_s(  # one user's share, so that a crowd without end has a limit
        step_bytes=roofline.step_bytes(
            n_users=1,
            weight_bytes=weights / np.where(users > 0, users, 1.0),
            traffic_bytes=traffic_bytes,
        ),
        step_flop=non_negative("token_flop", token_flop),
        memory_bytes_per_s=devices * positive("memory_bytes_per_s", memory_bytes_per_s),
        peak_flop_per_s=devices * positive("peak_flop_per_s", peak_flop_per_s),
        bandwidth_fraction=bandwidth_fraction,
        compute_fraction=compute_fraction,
    )
    rent = rent_usd(held_s=1, rent_usd_per_h=rent_usd_per_h, n_accelerators=n_accelerators)
    return np.where(users > 0, rent * per_token * TOKENS_PER_MTOK, np.inf)[()]


def capacity_users(
    context_tokens: ArrayLike,
    *,
    n_params: ArrayLike,
    weight_bits: ArrayLike,
    cache_bits: ArrayLike,
    n_layers: ArrayLike,
    n_kv_heads: ArrayLike,
    cached_dim: ArrayLike,
    memory_bytes: ArrayLike,
    reserved_bytes: ArrayLike = 0,
    n_accelerators: ArrayLike = 1,
) -> Floats:
    """Users that fit, straight from parameters, bits and memory.

    Parameters
    ----------
    context_tokens
        Tokens that each user holds, over scenarios. [tokens]
    n_params
        Parameters of the model. [-]
    weight_bits
        Bits per weight. [bits]
    cache_bits
        Bits per cached value. [bits]
    n_layers
        Layers of each group, groups on the last axis. [-]
    n_kv_heads
        Key-value heads per layer of each group. [-]
    cached_dim
        Values kept per head and token, of each group. [-]
    memory_bytes
        Memory of one accelerator. [bytes]
    reserved_bytes
        Kept free on each accelerator. [bytes]
    n_accelerators
        Accelerators that share the weights. [-]

    Returns
    -------
        Whole users; infinite where a sequence takes no memory. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: the chain of `weight_bytes`, `pool_bytes`, `sequence_bytes` and `n_users`.

    Examples
    --------
    >>> seventy = {"n_params": 70e9, "n_layers": 80, "n_kv_heads": 8, "cached_dim": 256}
    >>> rig = {"memory_bytes": 80e9, "reserved_bytes": 6e9}
    >>> capacity_users([4e3, 128e3], weight_bits=4, cache_bits=8, **seventy, **rig)
    array([59.,  1.])
    """
    room = pool_bytes(
        memory_bytes=memory_bytes,
        weight_bytes=work.weight_bytes(n_params=n_params, weight_bits=weight_bits),
        reserved_bytes=reserved_bytes,
        n_accelerators=n_accelerators,
    )
    each = kv.sequence_bytes(
        context_tokens,
        n_layers=n_layers,
        n_kv_heads=n_kv_heads,
        cached_dim=cached_dim,
        bytes_per_value=positive("cache_bits", cache_bits) / BITS_PER_BYTE,
    )
    return n_users(pool_bytes=room, sequence_bytes=each)


def capacity_usd_per_mtok(
    context_tokens: ArrayLike,
    *,
    n_params: ArrayLike,
    weight_bits: ArrayLike,
    cache_bits: ArrayLike,
    n_layers: ArrayLike,
    n_heads: ArrayLike,
    n_kv_heads: ArrayLike,
    cached_dim: ArrayLike,
    attended_dim: ArrayLike,
    memory_bytes: ArrayLike,
    memory_bytes_per_s: ArrayLike,
    peak_flop_per_s: ArrayLike,
    rent_usd_per_h: ArrayLike,
    reserved_bytes: ArrayLike = 0,
    n_accelerators: ArrayLike = 1,
) -> Floats:
    """Cost of output at the speed of light when every user that fits is served.

    Parameters
    ----------
    context_tokens
        Tokens that each user holds, over scenarios. [tokens]
    n_params
        Parameters of a dense model. [-]
    weight_bits
        Bits per weight. [bits]
    cache_bits
        Bits per cached value. [bits]
    n_layers
        Layers of each group, groups on the last axis. [-]
    n_heads
        Query heads per layer of each group. [-]
    n_kv_heads
        Key-value heads per layer of each group. [-]
    cached_dim
        Values kept per head and token, of each group. [-]
    attended_dim
        Widths multiplied per query head and cached token, of each group. [-]
    memory_bytes
        Memory of one accelerator. [bytes]
    memory_bytes_per_s
        Memory bandwidth of one accelerator. [bytes/s]
    peak_flop_per_s
        Dense peak of one accelerator in the format of the activations. [FLOP/s]
    rent_usd_per_h
        Rent of one accelerator. [USD/h]
    reserved_bytes
        Kept free on each accelerator. [bytes]
    n_accelerators
        Accelerators that share weights and step evenly. [-]

    Returns
    -------
        Cost; infinite where nobody fits. [USD/Mtok]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: the chain of `capacity_users` and `token_usd_per_mtok`.

    Examples
    --------
    The cliff in bytes: 44.8 times from 4K to 128K, where users alone say 59:

    >>> seventy = {"n_params": 70e9, "n_layers": 80, "n_heads": 64, "n_kv_heads": 8}
    >>> h100 = {"memory_bytes": 80e9, "memory_bytes_per_s": 3.35e12, "peak_flop_per_s": 989e12}
    >>> usd = capacity_usd_per_mtok(
    ...     [4e3, 128e3], weight_bits=4, cache_bits=8, cached_dim=256, attended_dim=256,
    ...     reserved_bytes=6e9, rent_usd_per_h=2.5, **seventy, **h100,
    ... )
    >>> usd.round(3), round(usd[1] / usd[0], 1)
    (array([ 0.259, 11.603]), np.float64(44.8))
    """
    users = capacity_users(
        context_tokens,
        n_params=n_params,
        weight_bits=weight_bits,
        cache_bits=cache_bits,
        n_layers=n_layers,
        n_kv_heads=n_kv_heads,
        cached_dim=cached_dim,
        memory_bytes=memory_bytes,
        reserved_bytes=reserved_bytes,
        n_accelerators=n_accelerators,
    )
    each = kv.sequence_bytes(
        context_tokens,
        n_layers=n_layers,
        n_kv_heads=n_kv_heads,
        cached_dim=cached_dim,
        bytes_per_value=positive("cache_bits", cache_bits) / BITS_PER_BYTE,
    )
    attention = work.attention_flop(
        context_tokens, n_layers=n_layers, n_heads=n_heads, attended_dim=attended_dim
    )
    return token_usd_per_mtok(
        n_users=users,
        weight_bytes=work.weight_bytes(n_params=n_params, weight_bits=weight_bits),
        traffic_bytes=kv.traffic_bytes(sequence_bytes=each),
        token_flop=work.token_flop(active_params=n_params, attention_flop=attention),
        memory_bytes_per_s=memory_bytes_per_s,
        peak_flop_per_s=peak_flop_per_s,
        rent_usd_per_h=rent_usd_per_h,
        n_accelerators=n_accelerators,
    )


def backfill_saved_fraction(
    *,
    busy_fraction: ArrayLike,
    backfill_fraction: ArrayLike,
    price_fraction: ArrayLike = 1,
    lost_fraction: ArrayLike = 0,
) -> Floats:
    r"""Share of a token's cost that backfill pays for: :math:`1 - u / (u (1 - x) + f v)`.

    Parameters
    ----------
    busy_fraction
        Share of the fleet that work in real time keeps busy, above 0. [-]
    backfill_fraction
        Share filled with work that can wait, at most what is left. [-]
    price_fraction
        Price of such work, as a share of that in real time. [-]
    lost_fraction
        Share of the work in real time that is lost, or must be served elsewhere, because
        backfill makes it late. [-]

    Returns
    -------
        Fall of the cost per token in real time; negative where backfill costs more than it
        brings. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range, nothing is left to earn with, or both shares
        together exceed the fleet.

    Notes
    -----
    The rent is spread by price. Source: definition.

    Examples
    --------
    The idle three tenths of a fleet, at the full price, at half of it, and late for a fifth:

    >>> backfill_saved_fraction(
    ...     busy_fraction=0.7, backfill_fraction=0.3, price_fraction=[1, 0.5, 0.5],
    ...     lost_fraction=[0, 0, 0.2],
    ... ).round(3)
    array([0.3  , 0.176, 0.014])
    """
    busy = positive("busy_fraction", fraction("busy_fraction", busy_fraction))
    filled = fraction("backfill_fraction", backfill_fraction)
    fraction("busy_fraction plus backfill_fraction", np.round(busy + filled, 9))
    kept = busy * (1.0 - fraction("lost_fraction", lost_fraction))
    earning = kept + filled * fraction("price_fraction", price_fraction)
    saved: Floats = 1.0 - busy / positive("busy_fraction less lost_fraction", earning)
    return saved
