r"""A server that answers in batches: how long requests wait for one to end, or to fill.

Whoever waits when a batch ends is taken, but no more than `most` and no fewer than `least`: a
dynamic server takes whoever is there (least 1), a fixed one waits until a batch is full. A batch
of :math:`b` answers of :math:`n_i` tokens takes :math:`k_2 + k_1 b` to read the prompts and
:math:`k_4 + k_3 b` for each step. Padded, all stay until the longest is done; elastic, each
leaves when it is done, and steps get cheaper.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from costlib._checks import Floats, count, non_negative, positive, whole

__all__ = ["elastic_held_s", "elastic_s", "padded_s", "sojourn_s", "wait_s"]

Table = NDArray[np.float64]

N_DRAWS: Final = 512  # batches of each size
CLOSE: Final = 1e-9  # relative change at which more states are not needed
MOST_STATES: Final = 4096


# --- how long a batch takes ------------------------------------------------------------------


def padded_s(
    n_most: int,
    *,
    lengths_tokens: ArrayLike,
    fixed_s: float,
    per_request_s: float,
    step_s: float,
    row_s: float,
    seed: int = 0,
) -> Table:
    r"""Batches that last as long as their longest: :math:`k_2 + k_1 b + (k_4 + k_3 b)\max n_i`.

    Parameters
    ----------
    n_most
        Largest batch. [-]
    lengths_tokens
        Lengths of answers, each as likely as the others. [tokens]
    fixed_s
        Time of a batch, whatever its size and lengths. [s]
    per_request_s
        What each request adds, whatever its length. [s]
    step_s
        Time of a step, whatever the batch. [s]
    row_s
        What each row of the batch adds to a step. [s]
    seed
        Of the draws. [-]

    Returns
    -------
        Durations, a row per size from 1 on; those of a row are equally likely. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Lengths are drawn in strata, so that every part of the table is met equally often.
    Source: yang2024variable.

    Examples
    --------
    >>> padded_s(
    ...     2, lengths_tokens=[100], fixed_s=0.1, per_request_s=0, step_s=0.02, row_s=0.01
    ... ).mean(axis=1).round(6)
    array([3.1, 4.1])
    """
    cost = _cost(fixed_s, per_request_s, step_s, row_s)
    return np.array(
        [
            cost[0] + cost[1] * b + (cost[2] + cost[3] * b) * drawn[:, -1]
            for b, drawn in _drawn(n_most, lengths_tokens, seed)
        ]
    )


def elastic_s(
    n_most: int,
    *,
    lengths_tokens: ArrayLike,
    fixed_s: float,
    per_request_s: float,
    step_s: float,
    row_s: float,
    seed: int = 0,
) -> Table:
    r"""Batches that answers leave when they are done: :math:`k_2+k_1 b+k_4\max n_i+k_3\sum n_i`.

    Parameters
    ----------
    n_most
        Largest batch. [-]
    lengths_tokens
        Lengths of answers, each as likely as the others. [tokens]
    fixed_s
        Time of a batch, whatever its size and lengths. [s]
    per_request_s
        What each request adds, whatever its length. [s]
    step_s
        Time of a step, whatever the batch. [s]
    row_s
        What each row that still runs adds to a step. [s]
    seed
        Of the draws. [-]

    Returns
    -------
        Time until the last is done, a row per size from 1 on; those of a row are equally
        likely. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Nobody joins before the last is done. Source: yang2024variable.

    Examples
    --------
    >>> elastic_s(
    ...     2, lengths_tokens=[100], fixed_s=0.1, per_request_s=0, step_s=0.02, row_s=0.01
    ... ).mean(axis=1).round(6)
    array([3.1, 4.1])
    """
    cost = _cost(fixed_s, per_request_s, step_s, row_s)
    return np.array(
        [
            cost[0] + cost[1] * b + cost[2] * drawn[:, -1] + cost[3] * drawn.sum(axis=1)
            for b, drawn in _drawn(n_most, lengths_tokens, seed)
        ]
    )


def elastic_held_s(
    n_most: int,
    *,
    lengths_tokens: ArrayLike,
    fixed_s: float,
    per_request_s: float,
    step_s: float,
    row_s: float,
    seed: int = 0,
) -> Table:
    r"""How long an answer of such a batch takes: :math:`k_2+k_1 b+k_4 n_i+k_3\sum_j\min(n_j,n_i)`.

    Parameters
    ----------
    n_most
        Largest batch. [-]
    lengths_tokens
        Lengths of answers, each as likely as the others. [tokens]
    fixed_s
        Time of a batch, whatever its size and lengths. [s]
    per_request_s
        What each request adds, whatever its length. [s]
    step_s
        Time of a step, whatever the batch. [s]
    row_s
        What each row that still runs adds to a step. [s]
    seed
        Of the draws. [-]

    Returns
    -------
        Mean over the answers, by size of the batch from 1 on. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: yang2024variable.

    Examples
    --------
    >>> elastic_held_s(
    ...     1, lengths_tokens=[100, 300], fixed_s=0, per_request_s=0, step_s=0.02, row_s=0
    ... ).round(6)
    array([4.])
    """
    cost = _cost(fixed_s, per_request_s, step_s, row_s)
    held = []
    for b, drawn in _drawn(n_most, lengths_tokens, seed):
        shared = drawn * (2 * (b - np.arange(b)) - 1)  # in order, each is the lesser of so many
        rows = cost[2] * drawn.sum(axis=1) + cost[3] * shared.sum(axis=1)
        held.append(cost[0] + cost[1] * b + rows.mean() / b)
    return np.array(held)


def _cost(fixed_s: float, per_request_s: float, step_s: float, row_s: float) -> list[float]:
    named = {"fixed_s": fixed_s, "per_request_s": per_request_s, "step_s": step_s, "row_s": row_s}
    return [float(non_negative(name, value)) for name, value in named.items()]


def _drawn(n_most: int, lengths_tokens: ArrayLike, seed: int) -> list[tuple[int, Table]]:
    """Batches of each size: lengths in ascending order, a batch per row."""
    lengths = np.sort(np.atleast_1d(non_negative("lengths_tokens", lengths_tokens)).ravel())
    draw = np.random.default_rng(int(whole("seed", seed)))
    found = []
    for b in range(1, count("n_most", n_most) + 1):
        strata = draw.permuted(np.tile(np.arange(N_DRAWS), (b, 1)), axis=1)
        place = (strata + draw.random((b, N_DRAWS))) / N_DRAWS * lengths.size
        found.append((b, np.sort(lengths[place.astype(int)].T, axis=1)))
    return found


# --- how long requests wait ------------------------------------------------------------------


def wait_s(requests_per_s: ArrayLike, *, durations_s: ArrayLike, n_least: int = 1) -> Floats:
    r"""Mean wait until the batch starts: :math:`\frac{E[\int Q]}{\lambda\,E[\text{cycle}]}`.

    Parameters
    ----------
    requests_per_s
        Poisson arrivals. [requests/s]
    durations_s
        How long batches take, a row per size from 1 to the largest; those of a row are equally
        likely. [s]
    n_least
        Smallest batch: 1 for dynamic batching, the largest for fixed. [-]

    Returns
    -------
        Mean wait; infinite where full batches do not keep up. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number, or no batch has `n_least` requests.

    Notes
    -----
    Exact: the number left behind by a batch is a Markov chain, whose tail is geometric; a cycle
    from one end of a batch to the next gives the mean queue, Little's law the wait.
    Source: neuts1967bulk.

    Examples
    --------
    Batches of one are M/D/1; batches of four that wait until they are full:

    >>> wait_s([0.8, 1], durations_s=[[1.0]]).round(6)
    array([ 2., inf])
    >>> wait_s(0.1, durations_s=[[1.0]] * 4, n_least=4).round(2)
    np.float64(15.0)
    """
    return _means(requests_per_s, durations_s, None, n_least)


def sojourn_s(
    requests_per_s: ArrayLike,
    *,
    durations_s: ArrayLike,
    held_s: ArrayLike,
    n_least: int = 1,
) -> Floats:
    r"""Mean time from arrival to the end of the answer: that wait, and the time in a batch.

    Parameters
    ----------
    requests_per_s
        Poisson arrivals. [requests/s]
    durations_s
        How long batches take, a row per size from 1 to the largest; those of a row are equally
        likely. [s]
    held_s
        How long an answer takes on average, by size of its batch: the mean duration where all
        stay to the end. [s]
    n_least
        Smallest batch. [-]

    Returns
    -------
        Mean time to the end; infinite where full batches do not keep up. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number, or no batch has `n_least` requests.

    Notes
    -----
    Most requests are in large batches: sizes count by the requests in them. Source: neuts1967bulk.

    Examples
    --------
    >>> sojourn_s(0.8, durations_s=[[1.0]], held_s=[1.0]).round(6)
    np.float64(3.0)
    """
    return _means(requests_per_s, durations_s, non_negative("held_s", held_s), n_least)


def _means(
    requests_per_s: ArrayLike, durations_s: ArrayLike, held: Floats | None, n_least: int
) -> Floats:
    durations = np.atleast_2d(positive("durations_s", durations_s))
    most = len(durations)
    least = int(positive("n_least", n_least))
    if least != n_least or least > most:
        raise ValueError(f"n_least must be a whole number up to {most}, got {n_least!r}")
    if held is not None and np.shape(held) != (most,):
        raise ValueError(f"held_s must have one value for each of {most} sizes")
    rates = non_negative("requests_per_s", requests_per_s)
    means = [_mean(float(rate), durations, held, least) for rate in np.ravel(rates)]
    shaped: Floats = np.reshape(means, np.shape(rates))[()]
    return shaped


def _mean(rate: float, durations: Table, held: Floats | None, least: int) -> float:
    """Wait at one rate, with the time in a batch where `held` is given."""
    most = len(durations)
    mean, square = durations.mean(axis=1), (durations**2).mean(axis=1)
    if rate * mean[-1] >= most or (rate == 0 and least > 1):
        return np.inf
    if rate == 0:
        return 0.0 if held is None else float(np.ravel(held)[0])
    ratio = _tail_ratio(rate, durations[-1], most)
    n_states, before = 2 * most + 64, np.nan
    while True:
        share = _left_behind(rate, durations, least, n_states, ratio)
        states = np.arange(n_states)
        size = np.clip(states, least, most)
        missing = np.maximum(least - states, 0)
        # while it fills, each of `least - N` gaps is waited through by those who are there
        filling = missing * (states + least - 1) / 2 / rate
        over = np.maximum(states - most, 0)
        time = missing / rate + mean[size - 1]
        area = filling + over * mean[size - 1] + rate * square[size - 1] / 2
        tail, far = share[-1] * ratio / (1 - ratio), share[-1] * ratio / (1 - ratio) ** 2
        cycle = share @ time + tail * mean[-1]
        queue = share @ area + (tail * (n_states - 1 - most) + far) * mean[-1]
        queue += tail * rate * square[-1] / 2
        found = queue / cycle / rate
        if abs(found - before) <= CLOSE * found or n_states > MOST_STATES:
            break
        n_states, before = 2 * n_states, found
    if held is None:
        return float(found)
    by_size = np.asarray(held)
    taken = share @ size + tail * most
    in_batches = share @ (size * by_size[size - 1]) + tail * most * by_size[-1]
    return float(found + in_batches / taken)


def _tail_ratio(rate: float, longest: Table, most: int) -> float:
    """How much rarer one more left behind is: 1 over the root of z^most = E[e^(rate T (z - 1))]."""

    def above(z: float) -> float:
        grown = special.logsumexp(rate * longest * (z - 1)) - np.log(longest.size)
        return float(grown - most * np.log(z))

    low, high = 1.0, 2.0
    while above(high) < 0:
        low, high = high, 2 * high
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if above(middle) < 0 else (low, middle)
    return 1 / high


def _left_behind(rate: float, durations: Table, least: int, n_states: int, ratio: float) -> Table:
    """Share of batches that leave 0, 1, 2 .. requests behind; beyond, it falls by `ratio`."""
    most = len(durations)
    counts = np.arange(n_states + most)[:, np.newaxis]
    factorial = special.gammaln(counts + 1)
    coming = np.array(
        [  # Poisson, mixed over the durations of each size
            np.exp(counts * np.log(rate * row) - rate * row - factorial).mean(axis=1)
            for row in durations[least - 1 :]
        ]
    )
    chain = np.zeros((n_states, n_states))
    for state in range(n_states):
        left = max(state - most, 0)
        row = coming[min(max(state, least), most) - least]
        chain[state, left:] = row[: n_states - left]
    for beyond in range(1, most + 1):  # states past the last one, each `ratio` of the one before
        left = n_states - 1 + beyond - most
        if left < n_states:
            start = max(left, 0)
            chain[-1, start:] += ratio**beyond * coming[-1][start - left : n_states - left]
    balance = chain.T - np.eye(n_states)
    balance[-1] = 1.0
    balance[-1, -1] = 1 / (1 - ratio)
    share: Table = np.linalg.solve(balance, np.eye(n_states)[-1])
    return share
