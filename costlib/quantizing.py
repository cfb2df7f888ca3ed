r"""Fewer bits per cached value: what they weigh with their scales, and what they lose.

`effective_bits` prices a format. The rest are references on arrays [..., tokens, channels], to
see what rounding does to keys, values and the attention over them; they pack no bits.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib._checks import Floats, count, finite, non_negative, positive, whole

__all__ = [
    "attention_output",
    "effective_bits",
    "kivi",
    "kivi_bits",
    "memory_times",
    "outlier_keys",
    "quantised",
    "relative_error",
    "rounded_fp8",
    "rounded_nvfp4",
]

FP8_LARGEST: Final = 448.0  # E4M3
FP4_LARGEST: Final = 6.0  # E2M1
NVFP4_GROUP: Final = 16
FINEST_BITS: Final = 52  # of a float64: more steps would be no finer


def effective_bits(
    context_tokens: ArrayLike = np.inf,
    *,
    payload_bits: ArrayLike,
    group_values: ArrayLike = np.inf,
    scale_bits: ArrayLike = 0,
    zero_bits: ArrayLike = 0,
    residual_tokens: ArrayLike = 0,
    residual_bits: ArrayLike = 16,
) -> Floats:
    r"""Bits that a value takes on average: :math:`b + (s + z)/g`, and recent tokens in full.

    .. math:: \bar b = (1 - \rho)\left(b + \frac{s + z}{g}\right) + \rho\, b_r,
        \qquad \rho = \min(1, R / L)

    Parameters
    ----------
    context_tokens
        Tokens held, L; infinite for weights, and for a cache far longer than the window. [tokens]
    payload_bits
        Bits of the rounded value itself, b. [bits]
    group_values
        Values that share one scale and zero point, g; infinite for one scale per tensor. [-]
    scale_bits
        Bits of a group's scale, s. [bits]
    zero_bits
        Bits of a group's zero point, z; 0 for a symmetric format. [bits]
    residual_tokens
        Recent tokens kept in full precision, R. [tokens]
    residual_bits
        Bits of a value among them. [bits]

    Returns
    -------
        Mean bits per value, scales included; the full precision while the window holds all. [bits]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `group_values` must be above 0.

    Notes
    -----
    KIVI's window holds R tokens of the values, and of the keys between 0 and R, as a block of R
    keys is rounded at once: R/2 on average. Source: liu2024kivi.

    Examples
    --------
    KIVI, 2 bits and a 16-bit scale and zero point per 32 values, makes 3 bits; NVFP4 4.5,
    MXFP4 4.25, INT4 by 32 and by 128 with zero points:

    >>> effective_bits(payload_bits=2, group_values=32, scale_bits=16, zero_bits=16)
    np.float64(3.0)
    >>> effective_bits(payload_bits=4, group_values=[16, 32, 32, 128], scale_bits=[8, 8, 16, 16],
    ...     zero_bits=[0, 0, 0, 4])
    array([4.5    , 4.25   , 4.5    , 4.15625])

    With 128 recent tokens in 16 bits, at 100, 500 and 128K tokens:

    >>> effective_bits([100, 500, 128e3], payload_bits=2, group_values=32, scale_bits=16,
    ...     zero_bits=16, residual_tokens=128).round(2)
    array([16.  ,  6.33,  3.01])
    """
    context = non_negative("context_tokens", context_tokens)
    recent = non_negative("residual_tokens", residual_tokens)
    overhead = non_negative("scale_bits", scale_bits, finite=True) + non_negative(
        "zero_bits", zero_bits, finite=True
    )
    rounded = non_negative("payload_bits", payload_bits, finite=True) + overhead / positive(
        "group_values", group_values
    )
    longer = context > recent
    part = np.where(longer, recent, 1.0) / np.where(longer, context, 1.0)
    share = np.where(recent > 0, part, 0.0)
    full = non_negative("residual_bits", residual_bits)
    return (rounded + share * (full - rounded))[()]


def kivi_bits(
    context_tokens: ArrayLike,
    *,
    payload_bits: ArrayLike = 2,
    group_values: ArrayLike = 32,
    scale_bits: ArrayLike = 16,
    zero_bits: ArrayLike = 16,
    residual_tokens: ArrayLike = 128,
) -> Floats:
    """Bits per value of a whole KIVI cache: keys and values, half each, with their windows.

    Parameters
    ----------
    context_tokens
        Tokens held. [tokens]
    payload_bits
        Bits of a rounded value. [bits]
    group_values
        Values that share one scale and zero point. [-]
    scale_bits
        Bits of a group's scale. [bits]
    zero_bits
        Bits of a group's zero point. [bits]
    residual_tokens
        Window R: the values keep the last R tokens in full; the keys, rounded in blocks of R,
        half of that on average, and all of them until the first block is full. [tokens]

    Returns
    -------
        Mean bits per value; 16 while the window holds everything. [bits]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `group_values` must be above 0.

    Notes
    -----
    Source: liu2024kivi, algorithm 1; kivitest2024.

    Examples
    --------
    The published test, 160 + 338 tokens, takes twice the 3 bits; a long context does not:

    >>> kivi_bits([160 + 338, 4e3, 128e3]).round(2)
    array([5.51, 3.31, 3.01])
    """
    context = non_negative("context_tokens", context_tokens)
    window = non_negative("residual_tokens", residual_tokens)
    each = {
        "payload_bits": payload_bits,
        "group_values": group_values,
        "scale_bits": scale_bits,
        "zero_bits": zero_bits,
    }
    recent_keys = np.where(context < window, window, window / 2)
    keys = effective_bits(context, residual_tokens=recent_keys, **each)
    return (keys + effective_bits(context, residual_tokens=window, **each)) / 2


def memory_times(
    *,
    n_users: ArrayLike,
    sequence_bytes: ArrayLike,
    smaller_bytes: ArrayLike,
    weight_bytes: ArrayLike = 0,
) -> Floats:
    r"""How many times less memory a smaller cache makes of the whole: :math:`(W + U M)/(W + U m)`.

    Parameters
    ----------
    n_users
        Sequences held at once, U; infinite: the cache alone. [-]
    sequence_bytes
        Memory of one sequence before, M. [bytes]
    smaller_bytes
        Memory of one sequence after, m. [bytes]
    weight_bytes
        Weights, W, and whatever else stays. [bytes]

    Returns
    -------
        The ratio; 1 without users. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `smaller_bytes` must be above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Llama-2-7B in 16 bits, 498 tokens each: 2 bits save 1.7 times with 96 users and cannot save
    more than 2.9, as recent tokens stay in full:

    >>> small = 524_288 * 498 * kivi_bits(498) / 16
    >>> memory_times(
    ...     n_users=[1, 96, np.inf], sequence_bytes=524_288 * 498, smaller_bytes=small,
    ...     weight_bytes=13.5e9,
    ... ).round(2)
    array([1.01, 1.74, 2.91])
    """
    users = non_negative("n_users", n_users)
    weights = non_negative("weight_bytes", weight_bytes, finite=True)
    before = non_negative("sequence_bytes", sequence_bytes)
    after = positive("smaller_bytes", smaller_bytes)
    share = weights / np.where(users > 0, users, 1.0)
    return np.where(users > 0, (share + before) / (share + after), 1.0)[()]


# --- what rounding does to tensors ---------------------------------------------------------


def quantised(
    values: ArrayLike, *, payload_bits: float, group_values: float = np.inf, axis: int = -1
) -> Floats:
    r"""Values rounded to :math:`2^b` even steps between the least and the largest of their group.

    .. math:: \hat x = l + s \operatorname{round}\frac{x - l}{s}, \qquad s = \frac{h - l}{2^b - 1}

    Parameters
    ----------
    values
        Numbers of any shape. [-]
    payload_bits
        Whole bits per value, b. [bits]
    group_values
        Neighbours along `axis` that share scale s and zero point l; infinite for the whole axis.
        The last group may be shorter. [-]
    axis
        Axis along which values are grouped. [-]

    Returns
    -------
        The rounded values, each at most s/2 off. Scale and zero point are kept exactly, where a
        kernel stores them in 16 bits. [-]

    Raises
    ------
    ValueError
        If a value is not finite, bits or group are no whole number of at least 1, or there is no
        such axis.

    Notes
    -----
    Source: liu2024kivi.

    Examples
    --------
    >>> quantised([0.0, 0.2, 0.5, 0.9, 10, 12.1, 11, 13], payload_bits=2, group_values=4)
    array([ 0. ,  0.3,  0.6,  0.9, 10. , 12. , 11. , 13. ])
    """
    bits = count("payload_bits", payload_bits, FINEST_BITS)
    whole = finite("values", values)
    axes = max(whole.ndim, 1)
    if not (isinstance(axis, int | np.integer) and -axes <= axis < axes):
        raise ValueError(f"axis must be a whole number of -{axes} to {axes - 1}, got {axis!r}")
    lines = np.moveaxis(np.atleast_1d(whole), axis, -1)
    length = lines.shape[-1]
    group = _at_most("group_values", group_values, max(length, 1))
    filling = [(0, 0)] * (lines.ndim - 1) + [(0, -length % group)]
    grouped = np.pad(lines, filling, mode="edge") if length % group else lines
    grouped = grouped.reshape(*lines.shape[:-1], -(-length // group), group)
    low = grouped.min(axis=-1, keepdims=True)
    step = (grouped.max(axis=-1, keepdims=True) - low) / (2.0**bits - 1)
    codes = np.rint((grouped - low) / np.where(step > 0, step, 1.0))
    rounded = (low + codes * step).reshape(
        *lines.shape[:-1], grouped.shape[-2] * grouped.shape[-1]
    )[..., :length]
    back: Floats = np.moveaxis(rounded, -1, axis).reshape(whole.shape)[()]
    return back


def rounded_fp8(values: ArrayLike) -> Floats:
    """Values rounded to FP8 (E4M3) as they are, without a scale; beyond 448 they stay there.

    Parameters
    ----------
    values
        Numbers of any shape. [-]

    Returns
    -------
        The nearest FP8 numbers, halves to even: 1 part in 16 off at most above 1/64. [-]

    Raises
    ------
    ValueError
        If a value is not finite.

    Notes
    -----
    Source: micikevicius2022fp8, table 1.

    Examples
    --------
    >>> rounded_fp8([1.06, 1.07, 17.5, -500.0, 0.0005]).tolist()
    [1.0, 1.125, 18.0, -448.0, 0.0]
    """
    return _minifloat(np.asarray(finite("values", values)), 3, -6, FP8_LARGEST)


def rounded_nvfp4(values: ArrayLike) -> Floats:
    """Values rounded to NVFP4: FP4 (E2M1) with one FP8 scale for 16 neighbours on the last axis.

    Parameters
    ----------
    values
        Numbers of any shape. [-]

    Returns
    -------
        The rounded values. One scale in full precision per tensor brings the FP8 scales into
        range. [-]

    Raises
    ------
    ValueError
        If a value is not finite.

    Notes
    -----
    Source: nemonvfp42026.

    Examples
    --------
    >>> rounded_nvfp4([6.0, 5.2, 4.4, 1.2, 0.1])
    array([6., 6., 4., 1., 0.])
    """
    whole = finite("values", values)
    lines = np.atleast_1d(whole)
    count = lines.shape[-1]
    filling = [(0, 0)] * (lines.ndim - 1) + [(0, -count % NVFP4_GROUP)]
    grouped = np.pad(lines, filling).reshape(
        *lines.shape[:-1], -(-count // NVFP4_GROUP), NVFP4_GROUP
    )
    largest = np.abs(grouped).max(axis=-1, keepdims=True, initial=0.0) / FP4_LARGEST
    tensor = largest.max(initial=0.0) / FP8_LARGEST
    scale = tensor * _minifloat(largest / (tensor if tensor > 0 else 1.0), 3, -6, FP8_LARGEST)
    codes = _minifloat(grouped / np.where(scale > 0, scale, 1.0), 1, 0, FP4_LARGEST)
    rounded = (codes * scale).reshape(*lines.shape[:-1], grouped.shape[-2] * grouped.shape[-1])[
        ..., :count
    ]
    back: Floats = rounded.reshape(whole.shape)[()]
    return back


def kivi(
    *,
    keys: ArrayLike,
    values: ArrayLike,
    payload_bits: float = 2,
    group_values: float = 32,
    residual_tokens: float = 128,
) -> tuple[Floats, Floats]:
    """Keys rounded per channel, values per token, recent tokens left alone: the KIVI cache.

    Parameters
    ----------
    keys
        Keys [..., tokens, channels]. [-]
    values
        Values [..., tokens, channels]. [-]
    payload_bits
        Whole bits per rounded value. [bits]
    group_values
        Tokens of one channel, or channels of one token, that share scale and zero point. [-]
    residual_tokens
        R: keys are rounded in whole blocks of R tokens, the rest is left; of the values the last
        R tokens are left. [tokens]

    Returns
    -------
        Keys and values as attention sees them. [-]

    Raises
    ------
    ValueError
        If an entry is not finite, an array has fewer than two axes, or a count is no whole
        number of at least 1 (0 for the window).

    Notes
    -----
    R should be a multiple of the group, as the source has it; else the last group is shorter.
    Source: liu2024kivi, algorithm 1; kivitest2024.

    Examples
    --------
    Four tokens and a window of one: the last value is exact, no key is:

    >>> cache = [[0.0, 1.0], [0.4, 1.1], [1.0, 1.2], [0.6, 1.6]]
    >>> k, v = kivi(keys=cache, values=cache, payload_bits=1, group_values=4, residual_tokens=1)
    >>> k.tolist()
    [[0.0, 1.0], [0.0, 1.0], [1.0, 1.0], [1.0, 1.6]]
    >>> v.tolist()
    [[0.0, 1.0], [0.4, 1.1], [1.0, 1.2], [0.6, 1.6]]
    """
    k, v = _matrix("keys", keys).copy(), _matrix("values", values).copy()
    window = float(non_negative("residual_tokens", residual_tokens))
    longest = max(k.shape[-2], v.shape[-2])
    recent = _at_most("residual_tokens", window, longest + 1) if window else 0
    n_keys = k.shape[-2] - (k.shape[-2] % recent if recent else 0)
    n_values = max(v.shape[-2] - recent, 0)
    for old, axis in ((k[..., :n_keys, :], -2), (v[..., :n_values, :], -1)):
        old[...] = quantised(old, payload_bits=payload_bits, group_values=group_values, axis=axis)
    return k, v


def attention_output(*, queries: ArrayLike, keys: ArrayLike, values: ArrayLike) -> Floats:
    r"""Attention: :math:`\operatorname{softmax}(q k^\top / \sqrt d)\, v`, every key visible.

    Parameters
    ----------
    queries
        Queries [..., queries, channels]. [-]
    keys
        Keys [..., tokens, channels]. [-]
    values
        Values [..., tokens, channels of the values]. [-]

    Returns
    -------
        Outputs [..., queries, channels of the values]. [-]

    Raises
    ------
    ValueError
        If an entry is not finite, or an array has fewer than two axes.

    Notes
    -----
    Source: vaswani2017attention, equation 1.

    Examples
    --------
    >>> attention_output(queries=[[0.0]], keys=[[1.0], [2.0]], values=[[1.0], [3.0]])
    array([[2.]])
    """
    q, k, v = _matrix("queries", queries), _matrix("keys", keys), _matrix("values", values)
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(k.shape[-1])
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    output: Floats = (weights / weights.sum(axis=-1, keepdims=True)) @ v
    return output


def relative_error(*, found: ArrayLike, exact: ArrayLike) -> Floats:
    r"""Length of the error over length of what is right: :math:`\|f - e\| / \|e\|`.

    Parameters
    ----------
    found
        What came out, of any shape. [-]
    exact
        What should have, in the same shape. [-]

    Returns
    -------
        The ratio over all entries; infinite where nothing but an error is left. [-]

    Raises
    ------
    ValueError
        If an entry is not finite.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> relative_error(found=[3.0, 4.5], exact=[3.0, 4.0])
    np.float64(0.1)
    """
    right = finite("exact", exact)
    off = np.linalg.norm(np.ravel(finite("found", found) - right))
    length = np.linalg.norm(np.ravel(right))
    return np.where(
        length > 0, off / np.where(length > 0, length, 1.0), np.where(off > 0, np.inf, 0.0)
    )[()]


def outlier_keys(
    *,
    n_tokens: int,
    n_channels: int,
    n_outliers: int = 4,
    outlier_offset: float = 10,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Keys as models have them: normal numbers, and a few channels that are large at every token.

    Parameters
    ----------
    n_tokens
        Tokens. [tokens]
    n_channels
        Channels of a head. [-]
    n_outliers
        Channels that are large, spread evenly over the head. [-]
    outlier_offset
        How far these lie from zero, in standard deviations. [-]
    seed
        Of the generator. [-]

    Returns
    -------
        Keys [tokens, channels]. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number, or a count no whole number.

    Notes
    -----
    An idealised shape, not a sample of a model. Source: liu2024kivi.

    Examples
    --------
    >>> outlier_keys(n_tokens=1000, n_channels=8, n_outliers=2).mean(axis=0).round(0) + 0.0
    array([10.,  0.,  0.,  0., 10.,  0.,  0.,  0.])
    """
    tokens, channels = count("n_tokens", n_tokens), count("n_channels", n_channels)
    generator = np.random.default_rng(int(whole("seed", seed)))
    keys = generator.standard_normal((tokens, channels))
    large = np.linspace(0, channels, int(whole("n_outliers", n_outliers)), endpoint=False)
    offset = non_negative("outlier_offset", finite("outlier_offset", outlier_offset))
    keys[:, large.astype(int)] += offset
    return keys


def _minifloat(
    values: NDArray[np.float64], mantissa_bits: int, least_exponent: int, largest: float
) -> NDArray[np.float64]:
    """Round to a small float, halves to even, subnormals below the least exponent."""
    _, exponent = np.frexp(values)
    step = np.exp2(np.maximum(exponent - 1, least_exponent) - mantissa_bits)
    rounded: NDArray[np.float64] = np.clip(np.rint(values / step) * step, -largest, largest)
    return rounded


def _matrix(name: str, value: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(finite(name, value))
    if array.ndim < 2:
        raise ValueError(f"{name} must have axes [..., tokens, channels], got shape {array.shape}")
    return array


def _at_most(name: str, value: float, most: int) -> int:
    """A count, of which an infinite one takes all that there are."""
    return most if np.isinf(positive(name, value)) else min(count(name, value), most)
