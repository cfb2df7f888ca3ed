r"""Rounding a recurrent state at every token: what accumulates, what fades, what stops moving.

A state-space layer keeps :math:`x_t = a\, x_{t-1} + u_t` and writes it back rounded. The decay
:math:`a` of Mamba depends on the data and lies between 0 and 1; here it is constant, as in a
channel whose tokens are all alike.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib._checks import Floats, fraction, non_negative, positive, whole

__all__ = [
    "integer_step",
    "remaining_error",
    "rounded_state",
    "rounding_bound",
    "rounding_error",
    "rounding_rms",
    "state_rms",
]

N_CHANNELS: Final = 256  # independent runs that a simulation averages over
BLOCK_TOKENS: Final = 1_000  # inputs drawn at a time
FINEST: Final = 2.0**-1000  # a power of two: dividing by it and back changes nothing


def remaining_error(n_tokens: ArrayLike, *, decay: ArrayLike) -> Floats:
    r"""What is left of one rounding error: :math:`e_t / e_0 = a^t`.

    Parameters
    ----------
    n_tokens
        Tokens since the error was made, t. [tokens]
    decay
        Factor of the state per token, a. [-]

    Returns
    -------
        Error over the first one: it fades below a decay of 1, and grows only above. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    By token 100K the error of the first token is gone, unless the state itself explodes:

    >>> remaining_error(100e3, decay=[0.999, 1, 1.0001])
    array([3.53852769e-44, 1.00000000e+00, 2.20154560e+04])
    """
    tokens = non_negative("n_tokens", n_tokens)
    with np.errstate(over="ignore"):
        return np.power(non_negative("decay", decay, finite=True), tokens)


def rounding_bound(
    n_tokens: ArrayLike = np.inf, *, decay: ArrayLike, rounding_step: ArrayLike
) -> Floats:
    r"""Most that rounding to nearest can add up to: :math:`\frac{q}{2}\,\frac{1 - a^t}{1 - a}`.

    Parameters
    ----------
    n_tokens
        Tokens, each of which rounds the state once, t. [tokens]
    decay
        Factor of the state per token, a. [-]
    rounding_step
        Distance of neighbouring values of the state, q; of a float with m bits after the point
        at most :math:`2^{-m}` of the largest state. [-]

    Returns
    -------
        Largest error: :math:`q / (2 (1 - a))` in the long run below a decay of 1, infinite
        from there on. A state without input stays below it, where it stops moving. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Every step adds at most half a rounding step, and what was there fades. Source: definition.

    Examples
    --------
    >>> rounding_bound([1, 1000, np.inf], decay=0.999, rounding_step=1).round(1)
    array([  0.5, 316.2, 500. ])
    """
    step = non_negative("rounding_step", rounding_step, finite=True)
    times = _geometric(
        non_negative("n_tokens", n_tokens), non_negative("decay", decay, finite=True)
    )
    error: Floats = step / 2 * np.where(step > 0, times, 0.0)
    return error


def rounding_rms(
    n_tokens: ArrayLike = np.inf, *, decay: ArrayLike, rounding_step: ArrayLike
) -> Floats:
    r"""Error to expect, a random walk that fades: :math:`q \sqrt{(1 - a^{2t}) / 12 (1 - a^2)}`.

    Parameters
    ----------
    n_tokens
        Tokens, each of which rounds the state once, t. [tokens]
    decay
        Factor of the state per token, a. [-]
    rounding_step
        Distance of neighbouring values of the state, q. [-]

    Returns
    -------
        Root mean square of the error, if each rounding is as good as random. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    It holds while the inputs are larger than a step; where they are not, errors agree with each
    other, see `rounded_state`. Source: definition.

    Examples
    --------
    >>> rounding_rms([1, 1000, np.inf], decay=0.999, rounding_step=1).round(2)
    array([0.29, 6.  , 6.46])
    """
    step = non_negative("rounding_step", rounding_step, finite=True)
    tokens = non_negative("n_tokens", n_tokens)
    times = _geometric(tokens, non_negative("decay", decay, finite=True) ** 2)
    error: Floats = step * np.sqrt(np.where(step > 0, times, 0.0) / 12)
    return error


def state_rms(*, decay: ArrayLike) -> Floats:
    r"""Size of a state whose inputs are random with a root mean square of 1.

    .. math:: 1 / \sqrt{1 - a^2}

    Parameters
    ----------
    decay
        Factor of the state per token, a. [-]

    Returns
    -------
        Root mean square of the state in the long run; infinite from a decay of 1 on. [-]

    Raises
    ------
    ValueError
        If `decay` is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> state_rms(decay=[0.9, 0.999]).round(1)
    array([ 2.3, 22.4])
    """
    return np.sqrt(_geometric(np.float64(np.inf), non_negative("decay", decay, finite=True) ** 2))


def integer_step(*, state_bits: ArrayLike, largest_value: ArrayLike) -> Floats:
    r"""Distance of neighbouring values of a signed integer format: :math:`R / (2^{b-1} - 1)`.

    Parameters
    ----------
    state_bits
        Bits of a value, b, above 1. [bits]
    largest_value
        Value of the largest code, R. [-]

    Returns
    -------
        The rounding step. [-]

    Raises
    ------
    ValueError
        If a bit is left for nothing but the sign, or `largest_value` is negative.

    Notes
    -----
    Codes are symmetric about 0. Source: definition.

    Examples
    --------
    >>> integer_step(state_bits=8, largest_value=127)
    np.float64(1.0)
    """
    bits = positive("state_bits, less 1,", non_negative("state_bits", state_bits) - 1)
    code = np.exp2(-bits)
    step: Floats = non_negative("largest_value", largest_value) * code / (1 - code)
    return step


def rounding_error(
    n_tokens: ArrayLike,
    *,
    decay: ArrayLike,
    rounding_step: ArrayLike = 0,
    mantissa_bits: ArrayLike = np.inf,
    largest_value: ArrayLike = np.inf,
    dither_fraction: ArrayLike = 0,
    seed: ArrayLike = 0,
) -> Floats:
    r"""Error of a state that is rounded at every token, simulated over random inputs.

    .. math:: \hat x_t = Q(a\, \hat x_{t-1} + u_t), \qquad u_t \sim N(0, 1)

    :math:`Q` rounds to the nearest multiple of
    :math:`\max(q,\; 2^{\lfloor \log_2 |x| \rfloor - m})`.

    Parameters
    ----------
    n_tokens
        Tokens so far, each of which rounds the state once. [tokens]
    decay
        Factor of the state per token, a. [-]
    rounding_step
        Step of a fixed-point format, q, or the finest of a float; 0 for none. [-]
    mantissa_bits
        Bits of a float after the point, m: 7 for BF16, 10 for FP16, infinite for a fixed step.
        [bits]
    largest_value
        Where the format ends and clips. [-]
    dither_fraction
        Random part of a step added before rounding: 0 rounds to nearest, 1 is stochastic
        rounding. [-]
    seed
        Of the inputs, one for all scenarios. [-]

    Returns
    -------
        Root mean square over channels of the rounded less the exact state, in units of the
        inputs' root mean square. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range, or tokens or seed are not whole.

    Notes
    -----
    Source: simulation; the recurrence is that of gu2023mamba with a constant decay.

    Examples
    --------
    The error of a state in steps of one is there after some hundred tokens, and stays:

    >>> rounding_error([1, 100, 1000, 2000], decay=0.99, rounding_step=1).round(1)
    array([0.3, 1.8, 1.9, 1.8])
    """
    exact, rounded = _runs(
        n_tokens,
        decay,
        rounding_step,
        mantissa_bits,
        largest_value,
        dither_fraction,
        0,
        0,
        seed=seed,
        noise=1.0,
    )
    squared: Floats = np.mean((rounded - exact) ** 2, axis=-1)
    return np.sqrt(squared)[()]


def rounded_state(
    n_tokens: ArrayLike,
    *,
    decay: ArrayLike,
    first_value: ArrayLike = 1,
    update_value: ArrayLike = 0,
    rounding_step: ArrayLike = 0,
    mantissa_bits: ArrayLike = np.inf,
    dither_fraction: ArrayLike = 0,
    seed: ArrayLike = 0,
) -> Floats:
    r"""State that starts at a value and gets the same update at every token, rounded each time.

    Parameters
    ----------
    n_tokens
        Tokens since the value was written. [tokens]
    decay
        Factor of the state per token, a. [-]
    first_value
        State before the first token. [-]
    update_value
        What each token adds. [-]
    rounding_step
        Step of a fixed-point format, or the finest of a float; 0 for none. [-]
    mantissa_bits
        Bits of a float after the point; infinite for a fixed step. [bits]
    dither_fraction
        Random part of a step added before rounding: 0 rounds to nearest, 1 is stochastic
        rounding. [-]
    seed
        Of the dither, one for all scenarios. [-]

    Returns
    -------
        Mean state over channels; the exact one where nothing is rounded. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range, or tokens or seed are not whole.

    Notes
    -----
    Where a token would move the state by less than half a step, rounding to nearest puts it back:
    the state neither forgets nor learns. Source: simulation.

    Examples
    --------
    A value written once: exactly, in INT8, and in BF16, which has no number as near as 0.999:

    >>> rounded_state(5000, decay=0.999, rounding_step=[0, 1 / 127]).round(3)
    array([0.007, 1.   ])
    >>> rounded_state(5000, decay=0.999, mantissa_bits=7)
    np.float64(1.0)

    Stochastic rounding forgets at the right pace on average:

    >>> rounded_state(5000, decay=0.999, mantissa_bits=7, dither_fraction=1).round(2)
    np.float64(0.01)
    """
    _, rounded = _runs(
        n_tokens,
        decay,
        rounding_step,
        mantissa_bits,
        np.inf,
        dither_fraction,
        first_value,
        update_value,
        seed=seed,
        noise=0.0,
    )
    mean: Floats = np.mean(rounded, axis=-1)
    return mean


def _geometric(tokens: Floats, factor: Floats) -> Floats:
    r"""Sum of the first powers of a factor, :math:`(1 - f^t) / (1 - f)`; t for a factor of 1."""
    one = factor == 1
    with np.errstate(over="ignore"):
        powers = np.power(factor, tokens)
    return np.where(one, tokens, (1 - powers) / np.where(one, 1.0, 1 - factor))[()]


def _whole(name: str, value: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(whole(name, value)).astype(np.int64)


def _runs(
    n_tokens: ArrayLike,
    decay: ArrayLike,
    rounding_step: ArrayLike,
    mantissa_bits: ArrayLike,
    largest_value: ArrayLike,
    dither_fraction: ArrayLike,
    first_value: ArrayLike,
    update_value: ArrayLike,
    *,
    seed: ArrayLike,
    noise: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact and rounded states, channels on the last axis; each setting is run once."""
    tokens, *settings = np.broadcast_arrays(
        _whole("n_tokens", n_tokens),
        fraction("decay", decay),
        non_negative("rounding_step", rounding_step, finite=True),
        non_negative("mantissa_bits", mantissa_bits),
        non_negative("largest_value", largest_value),
        fraction("dither_fraction", dither_fraction),
        non_negative("first_value", first_value),
        non_negative("update_value", update_value),
    )
    drawn = np.random.default_rng(int(_whole("seed", seed)))
    stops, stop = np.unique(tokens.ravel(), return_inverse=True)
    table = np.stack([setting.ravel() for setting in settings], axis=1)
    runs, run = np.unique(table, axis=0, return_inverse=True)
    kept, step, bits, most, dithered, first, update = (column[:, np.newaxis] for column in runs.T)
    floating = bool(np.isfinite(bits).any())
    step = np.maximum(step, FINEST)

    exact = first + np.zeros(N_CHANNELS)
    state = exact
    seen = np.empty((len(stops), 2, *exact.shape))
    for now in range(int(stops[-1]) + 1):
        at = now % BLOCK_TOKENS
        if at == 0:
            inputs = noise * drawn.standard_normal((BLOCK_TOKENS, N_CHANNELS))
            offsets = drawn.random((BLOCK_TOKENS, N_CHANNELS)) - 0.5
        if now in stops:
            seen[np.searchsorted(stops, now)] = exact, state
        added = update + inputs[at]
        exact = kept * exact + added
        state = kept * state + added
        grid = np.maximum(step, np.exp2(np.frexp(state)[1] - 1 - bits)) if floating else step
        state = grid * np.rint(state / grid + dithered * offsets[at])
        state = np.minimum(np.maximum(state, -most), most)
    shape = (*tokens.shape, N_CHANNELS)
    found = seen[stop.ravel(), :, run.ravel()]
    return found[:, 0].reshape(shape), found[:, 1].reshape(shape)
