r"""Memory that a sequence holds: key-value cache, recurrent state, and their sum over layers.

A decoder is a stack of layer groups. A group of :math:`L` layers with :math:`g` KV heads keeps
:math:`c` values per head and token (a key and a value; a latent under MLA) for the tokens it
still sees, and :math:`s` values of state that do not grow:

.. math:: M(n) = \sum_{\text{groups}} L \, \bigl( g \, c \, b \, \min(n, w + z) + s \, b_s \bigr)

with a window :math:`w`, sinks :math:`z`, :math:`b` bytes per cached value and :math:`b_s` per
state value. Multi-head, grouped-query, multi-query and latent attention, windows, linear
attention, state-space layers and their hybrids are values of these parameters, not cases.

Layer parameters (`n_layers` to `state_values`) carry the groups on their last axis, or are
scalars where one group says it all. The others broadcast over scenarios.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, non_negative, over_groups, positive, summed

__all__ = [
    "bytes_per_token",
    "group_bytes",
    "kept_tokens",
    "sequence_bytes",
    "state_bytes",
    "traffic_bytes",
]


def bytes_per_token(
    *, n_layers: ArrayLike, n_kv_heads: ArrayLike, cached_dim: ArrayLike, bytes_per_value: ArrayLike
) -> Floats:
    r"""Cache bytes that one more token costs in one group: :math:`k = L g c b`.

    Parameters
    ----------
    n_layers
        Layers of the group. [-]
    n_kv_heads
        Key-value heads per layer: 1 for multi-query and latent attention, 0 without cache. [-]
    cached_dim
        Values kept per head and token: key plus value width; rank plus rope under MLA. [-]
    bytes_per_value
        2 for BF16, 1 for FP8, 0.5 for 4 bits. [bytes]

    Returns
    -------
        Growth of one sequence per token. [bytes/token]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `bytes_per_value` must be above 0.

    Notes
    -----
    Source: ainslie2023gqa; DeepSeek's latent cache: deepseek2024v2, section 2.1.

    Examples
    --------
    Llama-3-70B at one byte is 160 KiB; DeepSeek-V2 at six bits [deepseek2024v2]:

    >>> bytes_per_token(n_layers=80, n_kv_heads=8, cached_dim=256, bytes_per_value=1) / 2**10
    np.float64(160.0)
    >>> bytes_per_token(n_layers=60, n_kv_heads=1, cached_dim=576, bytes_per_value=0.75)
    np.float64(25920.0)
    """
    width = non_negative("n_kv_heads", n_kv_heads) * non_negative("cached_dim", cached_dim)
    per_layer = width * positive("bytes_per_value", bytes_per_value)
    return non_negative("n_layers", n_layers, finite=True) * per_layer


def kept_tokens(
    context_tokens: ArrayLike, *, window_tokens: ArrayLike = np.inf, sink_tokens: ArrayLike = 0
) -> Floats:
    r"""Tokens whose cache is still held: :math:`\min(n, w + z)`.

    Parameters
    ----------
    context_tokens
        Prompt plus output so far. [tokens]
    window_tokens
        Latest tokens that a sliding window keeps; infinite without one. [tokens]
    sink_tokens
        First tokens kept besides the window. [tokens]

    Returns
    -------
        Tokens held. [tokens]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: xiao2024streamingllm, section 3.2.

    Examples
    --------
    >>> kept_tokens([1_000, 128_000], window_tokens=4_000, sink_tokens=4)
    array([1000., 4004.])
    """
    window = non_negative("window_tokens", window_tokens)
    cap = window + non_negative("sink_tokens", sink_tokens)
    return np.minimum(non_negative("context_tokens", context_tokens), cap)


def state_bytes(
    *, n_layers: ArrayLike, state_values: ArrayLike, bytes_per_state_value: ArrayLike = 4.0
) -> Floats:
    r"""Recurrent state of one sequence in one group: :math:`L s b_s`, whatever its length.

    Parameters
    ----------
    n_layers
        Layers of the group. [-]
    state_values
        Values of state per layer; for Mamba inner width times state width. [-]
    bytes_per_state_value
        4 for FP32. [bytes]

    Returns
    -------
        State of one sequence. [bytes]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `bytes_per_state_value` must be above 0.

    Notes
    -----
    Source: gu2023mamba, section 3.

    Examples
    --------
    The 20 MB of a 70B-wide Mamba are one byte per value; in FP32 they are 84 MB:

    >>> shape = {"n_layers": 80, "state_values": 16_384 * 16}
    >>> state_bytes(**shape, bytes_per_state_value=1), state_bytes(**shape)
    (np.float64(20971520.0), np.float64(83886080.0))
    """
    per_layer = non_negative("state_values", state_values) * positive(
        "bytes_per_state_value", bytes_per_state_value
    )
    return non_negative("n_layers", n_layers, finite=True) * per_layer


def group_bytes(
    context_tokens: ArrayLike,
    *,
    n_layers: ArrayLike,
    n_kv_heads: ArrayLike,
    cached_dim: ArrayLike,
    bytes_per_value: ArrayLike,
    window_tokens: ArrayLike = np.inf,
    sink_tokens: ArrayLike = 0,
    state_values: ArrayLike = 0,
    bytes_per_state_value: ArrayLike = 4.0,
) -> Floats:
    r"""Memory of one sequence in one group of equal layers: cache plus state.

    Parameters
    ----------
    context_tokens
        Prompt plus output so far. [tokens]
    n_layers
        Layers of the group. [-]
    n_kv_heads
        Key-value heads per layer; 0 without cache. [-]
    cached_dim
        Values kept per head and token. [-]
    bytes_per_value
        Bytes of a cached value. [bytes]
    window_tokens
        Latest tokens that a sliding window keeps; infinite without one. [tokens]
    sink_tokens
        First tokens kept besides the window. [tokens]
    state_values
        Values of recurrent state per layer. [-]
    bytes_per_state_value
        Bytes of a state value. [bytes]

    Returns
    -------
        Memory of one sequence in this group. [bytes]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: the sum of `bytes_per_token` and `state_bytes`; definition.

    Examples
    --------
    GPT-3 keeps 9.66 GB for one full window of 2,048 tokens in FP16:

    >>> group_bytes(2_048, n_layers=96, n_kv_heads=96, cached_dim=256, bytes_per_value=2) / 1e9
    np.float64(9.663676416)
    """
    kept = kept_tokens(context_tokens, window_tokens=window_tokens, sink_tokens=sink_tokens)
    cache = kept * bytes_per_token(
        n_layers=n_layers,
        n_kv_heads=n_kv_heads,
        cached_dim=cached_dim,
        bytes_per_value=bytes_per_value,
    )
    return cache + state_bytes(
        n_layers=n_layers, state_values=state_values, bytes_per_state_value=bytes_per_state_value
    )


def sequence_bytes(
    context_tokens: ArrayLike,
    *,
    n_layers: ArrayLike,
    n_kv_heads: ArrayLike,
    cached_dim: ArrayLike,
    bytes_per_value: ArrayLike,
    window_tokens: ArrayLike = np.inf,
    sink_tokens: ArrayLike = 0,
    state_values: ArrayLike = 0,
    bytes_per_state_value: ArrayLike = 4.0,
) -> Floats:
    r"""Memory of one sequence: the sum of `group_bytes` over the layer groups.

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
    bytes_per_value
        Bytes of a cached value, over scenarios. [bytes]
    window_tokens
        Window of each group; infinite without one. [tokens]
    sink_tokens
        First tokens kept besides the window, of each group. [tokens]
    state_values
        Values of recurrent state per layer, of each group. [-]
    bytes_per_state_value
        Bytes of a state value, over scenarios. [bytes]

    Returns
    -------
        Memory of one sequence, in the shape of the scenarios. [bytes]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Jamba at 256K (1,024-token K) in FP16: 4 of 32 layers hold a cache of 4 GB [lieber2024jamba]:

    >>> layers = {"n_layers": [4, 28], "n_kv_heads": [8, 0], "cached_dim": [256, 0]}
    >>> sequence_bytes(256 * 1024, **layers, bytes_per_value=2) / 2**30
    np.float64(4.0)
    """
    per_group = group_bytes(
        over_groups("context_tokens", context_tokens),
        n_layers=n_layers,
        n_kv_heads=n_kv_heads,
        cached_dim=cached_dim,
        bytes_per_value=over_groups("bytes_per_value", bytes_per_value),
        window_tokens=window_tokens,
        sink_tokens=sink_tokens,
        state_values=state_values,
        bytes_per_state_value=over_groups("bytes_per_state_value", bytes_per_state_value),
    )
    total: Floats = summed(per_group)
    return total


def traffic_bytes(*, sequence_bytes: ArrayLike, state_bytes: ArrayLike = 0) -> Floats:
    """Bytes that one decode step moves for one sequence: all is read, the state written back.

    The one token that a step appends to the cache is left out: it is one part in the context.

    Parameters
    ----------
    sequence_bytes
        Memory of the sequence, state included. [bytes]
    state_bytes
        The part of it that is recurrent state. [bytes]

    Returns
    -------
        Traffic of one sequence and step. [bytes]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> traffic_bytes(sequence_bytes=655_360_000), traffic_bytes(sequence_bytes=84, state_bytes=84)
    (np.float64(655360000.0), np.float64(168.0))
    """
    resident = non_negative("sequence_bytes", sequence_bytes)
    return resident + non_negative("state_bytes", state_bytes)
