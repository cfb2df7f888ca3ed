r"""What a smaller cache saves: memory held, memory read, users and cost, on one baseline.

What a sequence holds and what a step reads are two things. Layers that share one cache hold it
once and read it once each. Layer parameters carry the groups on their last axis, as in
`costlib.kv`; the others broadcast over scenarios.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib import kv, serving, work
from costlib._checks import Floats, fraction, positive
from costlib.units import BITS_PER_BYTE

__all__ = ["compounded_times", "held_bytes", "held_usd_per_mtok", "held_users", "read_bytes"]


def held_bytes(
    context_tokens: ArrayLike,
    *,
    n_layers: ArrayLike,
    n_kv_heads: ArrayLike,
    cached_dim: ArrayLike,
    cache_bits: ArrayLike,
    window_tokens: ArrayLike = np.inf,
    sink_tokens: ArrayLike = 0,
    state_values: ArrayLike = 0,
    state_bits: ArrayLike = 32,
    layers_sharing: ArrayLike = 1,
) -> Floats:
    r"""Memory that one sequence holds when layers share a cache: :math:`C(n) / s + S`.

    Parameters
    ----------
    context_tokens
        Prompt plus output so far, over scenarios. [tokens]
    n_layers
        Layers of each group, groups on the last axis. [-]
    n_kv_heads
        Key-value heads per layer of each group. [-]
    cached_dim
        Values kept per head and token, of each group. [-]
    cache_bits
        Bits of a cached value, scales included, over scenarios. [bits]
    window_tokens
        Window of each group; infinite without one. [tokens]
    sink_tokens
        First tokens kept besides the window, of each group. [tokens]
    state_values
        Values of recurrent state per layer, of each group. [-]
    state_bits
        Bits of a state value, over scenarios. [bits]
    layers_sharing
        Neighbouring layers that keep one cache between them. [-]

    Returns
    -------
        Memory of one sequence: its cache :math:`C`, which :math:`s` layers share, and its state
        :math:`S`, which none do. [bytes]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: brandon2024cla.

    Examples
    --------
    Two layers to a cache halve the 320 KiB per token of a 70B in 16 bits:

    >>> shape = {"n_layers": 80, "n_kv_heads": 8, "cached_dim": 256, "cache_bits": 16}
    >>> held_bytes(1, **shape) / 2**10, held_bytes(1, **shape, layers_sharing=2) / 2**10
    (np.float64(320.0), np.float64(160.0))
    """
    cache = kv.sequence_bytes(
        context_tokens,
        n_layers=n_layers,
        n_kv_heads=n_kv_heads,
        cached_dim=cached_dim,
        bytes_per_value=positive("cache_bits", cache_bits) / BITS_PER_BYTE,
        window_tokens=window_tokens,
        sink_tokens=sink_tokens,
    )
    state = _state_bytes(n_layers, state_values, state_bits)
    return cache / positive("layers_sharing", layers_sharing) + state


def read_bytes(
    context_tokens: ArrayLike,
    *,
    n_layers: ArrayLike,
    n_kv_heads: ArrayLike,
    cached_dim: ArrayLike,
    cache_bits: ArrayLike,
    window_tokens: ArrayLike = np.inf,
    sink_tokens: ArrayLike = 0,
    state_values: ArrayLike = 0,
    state_bits: ArrayLike = 32,
) -> Floats:
    """Bytes that one decode step moves for one sequence: each layer reads what it attends to.

    Layers that share a cache read it once each, so sharing does not appear here.

    Parameters
    ----------
    context_tokens
        Prompt plus output so far, over scenarios. [tokens]
    n_layers
        Layers of each group, groups on the last axis. [-]
    n_kv_heads
        Key-value heads per layer of each group. [-]
    cached_dim
        Values kept per head and token, of each group. [-]
    cache_bits
        Bits of a cached value, scales included, over scenarios. [bits]
    window_tokens
        Window of each group; infinite without one. [tokens]
    sink_tokens
        First tokens kept besides the window, of each group. [tokens]
    state_values
        Values of recurrent state per layer, of each group. [-]
    state_bits
        Bits of a state value, over scenarios. [bits]

    Returns
    -------
        Traffic of one sequence and step; the state is read and written back. [bytes]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: brandon2024cla, which says so of the bandwidth.

    Examples
    --------
    The FP32 state of a 70B-wide Mamba, 84 MB, passes twice:

    >>> layers = {"n_layers": 80, "n_kv_heads": 0, "cached_dim": 0, "state_values": 16_384 * 16}
    >>> float(read_bytes(128e3, **layers, cache_bits=16) / 2**20)
    160.0
    """
    cache = kv.sequence_bytes(
        context_tokens,
        n_layers=n_layers,
        n_kv_heads=n_kv_heads,
        cached_dim=cached_dim,
        bytes_per_value=positive("cache_bits", cache_bits) / BITS_PER_BYTE,
        window_tokens=window_tokens,
        sink_tokens=sink_tokens,
    )
    state = _state_bytes(n_layers, state_values, state_bits)
    return kv.traffic_bytes(sequence_bytes=cache + state, state_bytes=state)


def held_users(
    context_tokens: ArrayLike,
    *,
    n_params: ArrayLike,
    weight_bits: ArrayLike,
    cache_bits: ArrayLike,
    n_layers: ArrayLike,
    n_kv_heads: ArrayLike,
    cached_dim: ArrayLike,
    memory_bytes: ArrayLike,
    window_tokens: ArrayLike = np.inf,
    sink_tokens: ArrayLike = 0,
    state_values: ArrayLike = 0,
    state_bits: ArrayLike = 32,
    layers_sharing: ArrayLike = 1,
    reserved_bytes: ArrayLike = 0,
    n_accelerators: ArrayLike = 1,
) -> Floats:
    """Users that fit beside the weights, whatever their layers keep.

    Parameters
    ----------
    context_tokens
        Tokens that each user holds, over scenarios. [tokens]
    n_params
        Parameters of the model. [-]
    weight_bits
        Bits per weight, scales included. [bits]
    cache_bits
        Bits of a cached value, scales included. [bits]
    n_layers
        Layers of each group, groups on the last axis. [-]
    n_kv_heads
        Key-value heads per layer of each group. [-]
    cached_dim
        Values kept per head and token, of each group. [-]
    memory_bytes
        Memory of one accelerator. [bytes]
    window_tokens
        Window of each group; infinite without one. [tokens]
    sink_tokens
        First tokens kept besides the window, of each group. [tokens]
    state_values
        Values of recurrent state per layer, of each group. [-]
    state_bits
        Bits of a state value. [bits]
    layers_sharing
        Neighbouring layers that keep one cache between them. [-]
    reserved_bytes
        Kept free on each accelerator. [bytes]
    n_accelerators
        Accelerators that share weights and cache evenly. [-]

    Returns
    -------
        Whole users; infinite where a sequence takes no memory. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: the chain of `held_bytes` and `serving.n_users`.

    Examples
    --------
    >>> seventy = {"n_params": 70e9, "n_layers": 80, "n_kv_heads": 8, "cached_dim": 256}
    >>> rig = {"memory_bytes": 80e9, "reserved_bytes": 6e9, "weight_bits": 4, "cache_bits": 8}
    >>> held_users(128e3, **seventy, **rig, layers_sharing=[1, 2])
    array([1., 3.])
    """
    room = serving.pool_bytes(
        memory_bytes=memory_bytes,
        weight_bytes=work.weight_bytes(n_params=n_params, weight_bits=weight_bits),
        reserved_bytes=reserved_bytes,
        n_accelerators=n_accelerators,
    )
    each = held_bytes(
        context_tokens,
        n_layers=n_layers,
        n_kv_heads=n_kv_heads,
        cached_dim=cached_dim,
        cache_bits=cache_bits,
        window_tokens=window_tokens,
        sink_tokens=sink_tokens,
        state_values=state_values,
        state_bits=state_bits,
        layers_sharing=layers_sharing,
    )
    return serving.n_users(pool_bytes=room, sequence_bytes=each)


def held_usd_per_mtok(
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
    window_tokens: ArrayLike = np.inf,
    sink_tokens: ArrayLike = 0,
    state_values: ArrayLike = 0,
    state_bits: ArrayLike = 32,
    layers_sharing: ArrayLike = 1,
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
        Bits per weight, scales included. [bits]
    cache_bits
        Bits of a cached value, scales included. [bits]
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
    window_tokens
        Window of each group; infinite without one. [tokens]
    sink_tokens
        First tokens kept besides the window, of each group. [tokens]
    state_values
        Values of recurrent state per layer, of each group. [-]
    state_bits
        Bits of a state value. [bits]
    layers_sharing
        Neighbouring layers that keep one cache between them. [-]
    reserved_bytes
        Kept free on each accelerator. [bytes]
    n_accelerators
        Accelerators that share weights, cache and step evenly. [-]

    Returns
    -------
        Cost; infinite where nobody fits. [USD/Mtok]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: the chain of `held_users`, `read_bytes` and `serving.token_usd_per_mtok`.

    Examples
    --------
    Sharing fits three users where one fitted, but each still reads 21 GB a step:

    >>> seventy = {"n_params": 70e9, "n_layers": 80, "n_heads": 64, "n_kv_heads": 8}
    >>> h100 = {"memory_bytes": 80e9, "memory_bytes_per_s": 3.35e12, "peak_flop_per_s": 989e12}
    >>> held_usd_per_mtok(
    ...     128e3, weight_bits=4, cache_bits=8, cached_dim=256, attended_dim=256,
    ...     reserved_bytes=6e9, rent_usd_per_h=2.5, layers_sharing=[1, 2], **seventy, **h100,
    ... ).round(2)
    array([11.6 ,  6.77])
    """
    users = held_users(
        context_tokens,
        n_params=n_params,
        weight_bits=weight_bits,
        cache_bits=cache_bits,
        n_layers=n_layers,
        n_kv_heads=n_kv_heads,
        cached_dim=cached_dim,
        memory_bytes=memory_bytes,
        window_tokens=window_tokens,
        sink_tokens=sink_tokens,
        state_values=state_values,
        state_bits=state_bits,
        layers_sharing=layers_sharing,
        reserved_bytes=reserved_bytes,
        n_accelerators=n_accelerators,
    )
    traffic = read_bytes(
        context_tokens,
        n_layers=n_layers,
        n_kv_heads=n_kv_heads,
        cached_dim=cached_dim,
        cache_bits=cache_bits,
        window_tokens=window_tokens,
        sink_tokens=sink_tokens,
        state_values=state_values,
        state_bits=state_bits,
    )
    attention = work.attention_flop(
        context_tokens,
        n_layers=n_layers,
        n_heads=n_heads,
        attended_dim=attended_dim,
        window_tokens=window_tokens,
        sink_tokens=sink_tokens,
    )
    recurrence = work.state_flop(n_layers=n_layers, state_values=state_values)
    return serving.token_usd_per_mtok(
        n_users=users,
        weight_bytes=work.weight_bytes(n_params=n_params, weight_bits=weight_bits),
        traffic_bytes=traffic,
        token_flop=work.token_flop(
            active_params=n_params, attention_flop=attention, state_flop=recurrence
        ),
        memory_bytes_per_s=memory_bytes_per_s,
        peak_flop_per_s=peak_flop_per_s,
        rent_usd_per_h=rent_usd_per_h,
        n_accelerators=n_accelerators,
    )


def compounded_times(
    *,
    size_times: ArrayLike,
    baseline_bits: ArrayLike,
    weight_bits: ArrayLike,
    kernel_times: ArrayLike,
    kernel_fraction: ArrayLike,
) -> Floats:
    r"""Product of a smaller model, fewer bits and a faster kernel.

    .. math:: r \, \frac{b_0}{b} \, \frac{1}{1 - f + f / k}

    Parameters
    ----------
    size_times
        Parameters before over after. [-]
    baseline_bits
        Bits per weight before. [bits]
    weight_bits
        Bits per weight after. [bits]
    kernel_times
        Speed-up of the kernel alone, above 0. [-]
    kernel_fraction
        Share of the time that the kernel takes: 1 where attention is all there is, next to 0
        in the decode of a short context. [-]

    Returns
    -------
        How many times cheaper, if every rung pays in full. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    A product holds where time goes with the bytes of the weights; freed memory that takes more
    users, and a cache that does not shrink, are left out. Source: definition; Amdahl's law.

    Examples
    --------
    The ladder of the field, from FP32, from FP16, and from FP16 in decode:

    >>> rungs = {"size_times": 4, "weight_bits": 8, "kernel_times": 2}
    >>> compounded_times(**rungs, baseline_bits=[32, 16, 16], kernel_fraction=[1, 1, 0])
    array([32., 16.,  8.])
    """
    share = fraction("kernel_fraction", kernel_fraction)
    kernel = 1 / (1 - share + share / positive("kernel_times", kernel_times))
    bits = positive("baseline_bits", baseline_bits) / positive("weight_bits", weight_bits)
    return positive("size_times", size_times) * bits * kernel


def _state_bytes(n_layers: ArrayLike, state_values: ArrayLike, state_bits: ArrayLike) -> Floats:
    """Recurrent state of one sequence, over all layer groups."""
    return kv.sequence_bytes(
        0,
        n_layers=n_layers,
        n_kv_heads=0,
        cached_dim=0,
        bytes_per_value=1,
        state_values=state_values,
        bytes_per_state_value=positive("state_bits", state_bits) / BITS_PER_BYTE,
    )
