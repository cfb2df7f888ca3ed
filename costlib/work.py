r"""What a token asks for: parameters, bytes of weights, and FLOP of a decode step or a prompt.

A token is multiplied with every active parameter once, and with every cached token that its
attention still sees. Layer parameters carry the layer groups on their last axis, as in
`costlib.kv`; the others broadcast over scenarios.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, non_negative, over_groups, positive, summed
from costlib.kv import kept_tokens
from costlib.units import BITS_PER_BYTE

__all__ = [
    "active_params",
    "attended_pairs",
    "attention_flop",
    "cache_intensity_flop_per_byte",
    "plain_attention_bytes",
    "prefill_flop",
    "state_flop",
    "tiled_attention_bytes",
    "token_flop",
    "total_params",
    "weight_bytes",
]

FLOP_PER_MULTIPLY_ADD = 2.0

# A linear recurrence multiplies and adds once to update a state value and once to read it.
STATE_FLOP_PER_VALUE = 2 * FLOP_PER_MULTIPLY_ADD


def total_params(
    *,
    n_layers: ArrayLike,
    mixer_params: ArrayLike,
    dense_params: ArrayLike,
    expert_params: ArrayLike = 0,
    n_experts: ArrayLike = 0,
    embedding_params: ArrayLike = 0,
) -> Floats:
    r"""Parameters of a model: :math:`E + \sum L (m + d + N_e e)` over its layer groups.

    Parameters
    ----------
    n_layers
        Layers of each group, groups on the last axis. [-]
    mixer_params
        Weights of one layer's attention, recurrence or state-space mixer. [-]
    dense_params
        Weights of one layer that every token uses besides: MLP, shared experts, router. [-]
    expert_params
        Weights of one routed expert. [-]
    n_experts
        Routed experts per layer. [-]
    embedding_params
        Input embedding and output head. [-]

    Returns
    -------
        Parameters of the model; norms and biases are left out. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Llama-3.1-70B, published as 70.6 billion:

    >>> total_params(
    ...     n_layers=[80],
    ...     mixer_params=[2 * 8192 * 8192 + 2 * 8192 * 1024],
    ...     dense_params=[3 * 8192 * 28672],
    ...     embedding_params=2 * 128256 * 8192,
    ... )
    np.float64(70552387584.0)
    """
    return active_params(
        n_layers=n_layers,
        mixer_params=mixer_params,
        dense_params=dense_params,
        expert_params=expert_params,
        top_k=non_negative("n_experts", n_experts),
        embedding_params=embedding_params,
    )


def active_params(
    *,
    n_layers: ArrayLike,
    mixer_params: ArrayLike,
    dense_params: ArrayLike,
    expert_params: ArrayLike = 0,
    top_k: ArrayLike = 0,
    embedding_params: ArrayLike = 0,
) -> Floats:
    r"""Parameters that one token is multiplied with: :math:`E + \sum L (m + d + k e)`.

    Parameters
    ----------
    n_layers
        Layers of each group, groups on the last axis. [-]
    mixer_params
        Weights of one layer's attention, recurrence or state-space mixer. [-]
    dense_params
        Weights of one layer that every token uses besides. [-]
    expert_params
        Weights of one routed expert. [-]
    top_k
        Routed experts that a token visits. [-]
    embedding_params
        Embedding counted as active: the output head is multiplied, the input table only read. [-]

    Returns
    -------
        Active parameters. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> active_params(
    ...     n_layers=[2], mixer_params=[10], dense_params=[0], expert_params=[5], top_k=[2]
    ... )
    np.float64(40.0)
    """
    routed = non_negative("top_k", top_k) * non_negative("expert_params", expert_params)
    shared = non_negative("mixer_params", mixer_params) + non_negative("dense_params", dense_params)
    per_group = np.atleast_1d(non_negative("n_layers", n_layers) * (shared + routed))
    params: Floats = summed(per_group) + non_negative("embedding_params", embedding_params)
    return params


def weight_bytes(*, n_params: ArrayLike, weight_bits: ArrayLike) -> Floats:
    """Bytes of the weights as stored.

    Parameters
    ----------
    n_params
        Parameters. [-]
    weight_bits
        Bits per weight, scales included: 16, 8, 4.25 for MXFP4. [bits]

    Returns
    -------
        Weights. [bytes]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `weight_bits` must be above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> weight_bytes(n_params=70e9, weight_bits=[16, 8, 4]) / 1e9
    array([140.,  70.,  35.])
    """
    bits = positive("weight_bits", weight_bits)
    return non_negative("n_params", n_params) * bits / BITS_PER_BYTE


def attention_flop(
    context_tokens: ArrayLike,
    *,
    n_layers: ArrayLike,
    n_heads: ArrayLike,
    attended_dim: ArrayLike,
    window_tokens: ArrayLike = np.inf,
    sink_tokens: ArrayLike = 0,
) -> Floats:
    r"""FLOP that attention spends on one output token: :math:`\sum 2 L h a \min(n, w + z)`.

    Parameters
    ----------
    context_tokens
        Tokens that the new one looks back on, over scenarios. [tokens]
    n_layers
        Layers of each group, groups on the last axis. [-]
    n_heads
        Query heads per layer; 0 where nothing attends. [-]
    attended_dim
        Widths multiplied per query head and cached token: key plus value width; for absorbed
        MLA twice the rank plus the rope width. [-]
    window_tokens
        Window of each group; infinite without one. [tokens]
    sink_tokens
        First tokens kept besides the window. [tokens]

    Returns
    -------
        Attention arithmetic of one token. [FLOP]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition; absorbed form: deepseek2024v2, section 2.1.

    Examples
    --------
    One layer of an 8,192-wide model over one of 128 shards of 1M tokens, on an H100:

    >>> flop = attention_flop(1e6 / 128, n_layers=1, n_heads=64, attended_dim=256)
    >>> round(flop / 989e12 * 1e6, 4)  # microseconds
    np.float64(0.2588)
    """
    kept = kept_tokens(
        over_groups("context_tokens", context_tokens),
        window_tokens=window_tokens,
        sink_tokens=sink_tokens,
    )
    width = non_negative("attended_dim", attended_dim)
    per_token = _pair_flop(n_layers=n_layers, n_heads=n_heads, width=width)
    total: Floats = summed(kept * per_token)
    return total


def state_flop(*, n_layers: ArrayLike, state_values: ArrayLike) -> Floats:
    r"""FLOP to update and read the recurrent state for one token: :math:`\sum 4 L s`.

    Parameters
    ----------
    n_layers
        Layers of each group, groups on the last axis. [-]
    state_values
        Values of state per layer of each group. [-]

    Returns
    -------
        Recurrence arithmetic of one token. [FLOP]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    A multiply-add to update and one to read. Over two bytes read per value this is the 2
    FLOP per byte that the field quotes for linear attention; discretisation is left out.
    Source: katharopoulos2020linear, section 3.4.

    Examples
    --------
    >>> state_flop(n_layers=1, state_values=128 * 128) / (2 * 128 * 128)
    np.float64(2.0)
    """
    per_layer = STATE_FLOP_PER_VALUE * non_negative("state_values", state_values)
    total: Floats = summed(non_negative("n_layers", n_layers) * per_layer)
    return total


def cache_intensity_flop_per_byte(
    *,
    n_heads: ArrayLike,
    n_kv_heads: ArrayLike,
    attended_dim: ArrayLike,
    cached_dim: ArrayLike,
    bytes_per_value: ArrayLike,
) -> Floats:
    r"""FLOP of decode attention per byte of cache read: :math:`2 h a / (g c b)`.

    Neither batch nor context changes it: below the ridge attention is bound by memory at any
    load, above it by arithmetic.

    Parameters
    ----------
    n_heads
        Query heads. [-]
    n_kv_heads
        Key-value heads; 1 under MLA. [-]
    attended_dim
        Widths multiplied per query head and cached token. [-]
    cached_dim
        Values kept per head and token. [-]
    bytes_per_value
        Bytes of a cached value. [bytes]

    Returns
    -------
        Arithmetic intensity. [FLOP/byte]

    Raises
    ------
    ValueError
        If an argument is negative or not a number, or one below the line is 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Grouped-query attention with 64 over 8 heads in FP16, and MLA with 128 heads:

    >>> cache_intensity_flop_per_byte(
    ...     n_heads=[64, 128], n_kv_heads=[8, 1], attended_dim=[256, 1088],
    ...     cached_dim=[256, 576], bytes_per_value=2,
    ... ).round(1)
    array([  8. , 241.8])
    """
    read = positive("n_kv_heads", n_kv_heads) * positive("cached_dim", cached_dim)
    worked = non_negative("n_heads", n_heads) * non_negative("attended_dim", attended_dim)
    return FLOP_PER_MULTIPLY_ADD * worked / (read * positive("bytes_per_value", bytes_per_value))


def plain_attention_bytes(
    context_tokens: ArrayLike,
    *,
    n_queries: ArrayLike,
    head_dim: ArrayLike,
    bytes_per_value: ArrayLike,
) -> Floats:
    r"""Memory traffic of one head that keeps its scores: :math:`(2 (q + n) d + 4 q n)\,b`.

    Queries, keys, values and outputs pass once; scores are written, read, written as shares and
    read again.

    Parameters
    ----------
    context_tokens
        Keys, over scenarios. [tokens]
    n_queries
        Queries: as many as keys in a prompt, 1 in a decode step. [-]
    head_dim
        Width of a head. [-]
    bytes_per_value
        Bytes of a value. [bytes]

    Returns
    -------
        Bytes read and written in the device's memory. [bytes]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: dao2022flashattention, algorithm 0.

    Examples
    --------
    >>> float(plain_attention_bytes(1024, n_queries=1024, head_dim=64, bytes_per_value=2) / 1e6)
    8.912896
    """
    keys, queries = (
        non_negative("context_tokens", context_tokens),
        non_negative("n_queries", n_queries),
    )
    passing = 2.0 * (queries + keys) * non_negative("head_dim", head_dim)
    return (passing + 4.0 * queries * keys) * non_negative("bytes_per_value", bytes_per_value)


def tiled_attention_bytes(
    context_tokens: ArrayLike,
    *,
    n_queries: ArrayLike,
    head_dim: ArrayLike,
    bytes_per_value: ArrayLike,
    sram_bytes: ArrayLike,
) -> Floats:
    r"""The same in tiles that fit beside the processor: :math:`(2nd + 3qd \max(4ndb/M, 1))\,b`.

    Keys and values pass once, in blocks of a quarter of the tile memory :math:`M`; for each
    block every query is read, and its output read and written.

    Parameters
    ----------
    context_tokens
        Keys, over scenarios. [tokens]
    n_queries
        Queries: as many as keys in a prompt, 1 in a decode step. [-]
    head_dim
        Width of a head. [-]
    bytes_per_value
        Bytes of a value. [bytes]
    sram_bytes
        Memory for tiles: that of one multiprocessor. [bytes]

    Returns
    -------
        Bytes read and written in the device's memory. [bytes]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `sram_bytes` must be above 0.

    Notes
    -----
    Without the constants :math:`n^2 d^2 / M` against :math:`n^2`, :math:`M` in values.
    Source: dao2022flashattention, algorithm 1 and theorem 2.

    Examples
    --------
    What a long prompt saves in 192 KiB with heads 64 and 128 wide, and what a decode step does:

    >>> shape = {"head_dim": np.array([64, 128]), "bytes_per_value": 2}
    >>> (
    ...     plain_attention_bytes(1e6, n_queries=[1e6, 1e6], **shape)
    ...     / tiled_attention_bytes(1e6, n_queries=[1e6, 1e6], sram_bytes=192 * 1024, **shape)
    ... ).round(1)
    array([8., 2.])
    >>> (
    ...     plain_attention_bytes(1e6, n_queries=1, **shape)
    ...     / tiled_attention_bytes(1e6, n_queries=1, sram_bytes=192 * 1024, **shape)
    ... ).round(2)
    array([1.03, 1.01])
    """
    keys, queries = (
        non_negative("context_tokens", context_tokens),
        non_negative("n_queries", n_queries),
    )
    width = non_negative("head_dim", head_dim)
    each = non_negative("bytes_per_value", bytes_per_value)
    blocks = np.maximum(4.0 * keys * width * each / positive("sram_bytes", sram_bytes), 1.0)
    return (2.0 * keys * width + 3.0 * queries * width * blocks) * each


def token_flop(
    *, active_params: ArrayLike, attention_flop: ArrayLike = 0, state_flop: ArrayLike = 0
) -> Floats:
    r"""FLOP of one output token: :math:`2 N_a` plus attention plus recurrence.

    Parameters
    ----------
    active_params
        See `active_params`. [-]
    attention_flop
        See `attention_flop`. [FLOP]
    state_flop
        See `state_flop`. [FLOP]

    Returns
    -------
        Arithmetic of one token. [FLOP]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: kaplan2020scaling, section 2.1.

    Examples
    --------
    >>> token_flop(active_params=70e9) / 1e9
    np.float64(140.0)
    """
    weights = FLOP_PER_MULTIPLY_ADD * non_negative("active_params", active_params)
    mixing = non_negative("attention_flop", attention_flop)
    return weights + mixing + non_negative("state_flop", state_flop)


def attended_pairs(prompt_tokens: ArrayLike, *, kept_tokens: ArrayLike = np.inf) -> Floats:
    r"""Query-key pairs of a causal prefill: :math:`\sum_{i \le n} \min(i, w)`.

    Parameters
    ----------
    prompt_tokens
        Length of the prompt. [tokens]
    kept_tokens
        Most tokens that one query sees: window plus sinks, infinite without. [tokens]

    Returns
    -------
        Pairs per query head. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Half of the square of the prompt for full attention. Source: definition.

    Examples
    --------
    >>> attended_pairs([4, 4], kept_tokens=[np.inf, 2])
    array([10.,  7.])
    """
    n = non_negative("prompt_tokens", prompt_tokens)
    seen = np.minimum(n, non_negative("kept_tokens", kept_tokens))
    pairs: Floats = seen * (seen + 1) / 2 + (n - seen) * seen
    return pairs


def prefill_flop(
    prompt_tokens: ArrayLike,
    *,
    active_params: ArrayLike,
    n_layers: ArrayLike,
    n_heads: ArrayLike,
    prefill_attended_dim: ArrayLike,
    window_tokens: ArrayLike = np.inf,
    sink_tokens: ArrayLike = 0,
    state_values: ArrayLike = 0,
    reused_tokens: ArrayLike = 0,
) -> Floats:
    r"""FLOP to read a prompt: :math:`2 N_a n + \sum 2 L h a \sum_i \min(i, w)`.

    A reused prefix of :math:`r` tokens is not read again, but the rest still attends to it.

    Parameters
    ----------
    prompt_tokens
        Length of the prompt, over scenarios. [tokens]
    active_params
        Parameters that one token is multiplied with. [-]
    n_layers
        Layers of each group, groups on the last axis. [-]
    n_heads
        Query heads per layer; 0 where nothing attends. [-]
    prefill_attended_dim
        Widths multiplied per query head and pair, MLA un-absorbed. [-]
    window_tokens
        Window of each group; infinite without one. [tokens]
    sink_tokens
        First tokens kept besides the window. [tokens]
    state_values
        Values of recurrent state per layer of each group. [-]
    reused_tokens
        Prefix found in the cache, at most the prompt. [tokens]

    Returns
    -------
        Arithmetic of the prefill. [FLOP]

    Raises
    ------
    ValueError
        If an argument is negative or not a number, or the reused prefix exceeds the prompt.

    Notes
    -----
    Full attention in a :math:`d`-wide model: :math:`2 N n + 2 n^2 d L`. Source: definition.

    Examples
    --------
    Llama-3.1-405B over 1M tokens in 77 s on 128 GPUs is 501 TFLOP/s each [yang2024context]:

    >>> flop = prefill_flop(
    ...     1e6, active_params=405e9, n_layers=126, n_heads=128, prefill_attended_dim=256
    ... )
    >>> round(flop / (77 * 128) / 1e12)
    501
    """
    prompt = non_negative("prompt_tokens", prompt_tokens)
    reused = non_negative("reused_tokens", reused_tokens, finite=True)
    fresh = non_negative("prompt_tokens minus reused_tokens", prompt - reused)
    kept = non_negative("window_tokens", window_tokens) + non_negative("sink_tokens", sink_tokens)
    pairs = attended_pairs(
        over_groups("prompt_tokens", prompt_tokens), kept_tokens=kept
    ) - attended_pairs(over_groups("reused_tokens", reused_tokens), kept_tokens=kept)
    width = non_negative("prefill_attended_dim", prefill_attended_dim)
    per_pair = _pair_flop(n_layers=n_layers, n_heads=n_heads, width=width)
    attention: Floats = summed(pairs * per_pair)
    recurrence = state_flop(n_layers=n_layers, state_values=state_values)
    weights = FLOP_PER_MULTIPLY_ADD * non_negative("active_params", active_params)
    total: Floats = fresh * (weights + recurrence) + attention
    return total


def _pair_flop(*, n_layers: ArrayLike, n_heads: ArrayLike, width: Floats) -> Floats:
    """FLOP of a query meeting one cached token, in all layers and heads of a group."""
    heads = non_negative("n_layers", n_layers) * non_negative("n_heads", n_heads)
    return FLOP_PER_MULTIPLY_ADD * heads * width
