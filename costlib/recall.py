r"""What a smaller cache forgets: recall of one pair among many, on made-up keys and values.

Keys and values are random directions, one pair per token. A query asks for a pair by its own key;
softmax attention mixes the values that are still kept, with weights :math:`\propto e^{\beta \cos}`
for a sharpness :math:`\beta`, and the answer is right if, of all values, the true one is nearest.
Nothing is trained: this is what the memory allows at best, not what a model makes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib import quantizing
from costlib._checks import Floats, fraction, non_negative, positive, whole

__all__ = [
    "eviction_recall_fraction",
    "interference",
    "kivi_recall_fraction",
    "state_recall_fraction",
    "window_recall_fraction",
]

N_CONTEXTS: Final = 32  # contexts that an experiment averages over
N_ANYWHERE: Final = 8  # queries per context where the distance does not matter
ANYWHERE: Final = np.zeros(())  # stands for the distance there

Array = NDArray[np.float64]


def window_recall_fraction(
    distance_tokens: ArrayLike,
    *,
    n_pairs: ArrayLike,
    head_dim: ArrayLike,
    window_tokens: ArrayLike = np.inf,
    sink_tokens: ArrayLike = 0,
    match_fraction: ArrayLike = 1,
    sharpness: ArrayLike = 32,
    seed: ArrayLike = 0,
) -> Floats:
    r"""Share of queries answered by attention over a sliding window and the first tokens.

    Parameters
    ----------
    distance_tokens
        How many pairs ago the wanted one was written; 1 is the last. [tokens]
    n_pairs
        Pairs in the context, one per token. [-]
    head_dim
        Width of keys and of values. [-]
    window_tokens
        Last tokens kept; infinite for full attention. [tokens]
    sink_tokens
        First tokens kept besides. [tokens]
    match_fraction
        Cosine between a query and the key that it wants. [-]
    sharpness
        Attention to a pair over that to an orthogonal one, as a natural logarithm. [-]
    seed
        Of keys and values, one for all scenarios. [-]

    Returns
    -------
        Share of queries answered right, over 32 contexts. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range or a count not whole, or the distance exceeds `n_pairs`.

    Notes
    -----
    Source: experiment; windows with sinks are those of xiao2024streamingllm.

    Examples
    --------
    >>> window_recall_fraction(
    ...     [1, 64, 65, 252, 253], n_pairs=256, head_dim=64, window_tokens=64, sink_tokens=4
    ... )
    array([1., 1., 0., 0., 1.])
    """

    def answered(
        task: _Task, window: float, sinks: float, match: float, sharp: float
    ) -> NDArray[np.bool_]:
        place = np.arange(task.keys.shape[1])
        kept = (place >= len(place) - window) | (place < sinks)
        return task.attended(np.where(kept, sharp * task.scores(match), -np.inf))

    return _experiment(
        answered,
        distance_tokens,
        n_pairs,
        head_dim,
        positive("window_tokens", window_tokens),
        non_negative("sink_tokens", sink_tokens),
        fraction("match_fraction", match_fraction),
        non_negative("sharpness", sharpness, finite=True),
        seed=seed,
    )


def eviction_recall_fraction(
    resemblance_fraction: ArrayLike,
    *,
    n_pairs: ArrayLike,
    head_dim: ArrayLike,
    budget_tokens: ArrayLike,
    observed_tokens: ArrayLike = 16,
    match_fraction: ArrayLike = 1,
    sharpness: ArrayLike = 32,
    seed: ArrayLike = 0,
) -> Floats:
    r"""Share of queries answered after all but the pairs most attended to have been dropped.

    The end of the prompt is observed: `observed_tokens` queries, one of which resembles what is
    asked later. The pairs with the largest sum of their attention stay, as in SnapKV.

    Parameters
    ----------
    resemblance_fraction
        Cosine between the key that is wanted later and the observed query most like it. [-]
    n_pairs
        Pairs in the context. [-]
    head_dim
        Width of keys and of values. [-]
    budget_tokens
        Pairs kept. [tokens]
    observed_tokens
        Queries that decide; the others ask for nothing in particular. [tokens]
    match_fraction
        Cosine between the later query and the key that it wants. [-]
    sharpness
        Attention to a pair over that to an orthogonal one, as a natural logarithm. [-]
    seed
        Of keys, values and queries, one for all scenarios. [-]

    Returns
    -------
        Share of queries answered right, over 256 of them. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range or a count not whole.

    Notes
    -----
    Without pooling over neighbours, and with one head. Source: experiment; the policy is that of
    li2024snapkv.

    Examples
    --------
    A tenth of the cache answers what the end of the prompt was about, and little else:

    >>> eviction_recall_fraction([0, 0.5, 1], n_pairs=320, head_dim=64, budget_tokens=32).round(1)
    array([0.1, 1. , 1. ])
    """

    def answered(
        task: _Task, like: float, budget: float, observed: float, match: float, sharp: float
    ) -> NDArray[np.bool_]:
        others = _directions(task.draw, int(observed) - 1, task.keys.shape[-1])
        strangers = _softmax(sharp * others @ task.keys.swapaxes(1, 2)).sum(axis=1, keepdims=True)
        seen = strangers + _softmax(sharp * task.scores(like))
        rank = np.argsort(np.argsort(-seen, axis=-1), axis=-1)
        return task.attended(np.where(rank < budget, sharp * task.scores(match), -np.inf))

    return _experiment(
        answered,
        ANYWHERE,
        n_pairs,
        head_dim,
        fraction("resemblance_fraction", resemblance_fraction),
        positive("budget_tokens", budget_tokens),
        positive("observed_tokens", whole("observed_tokens", observed_tokens)),
        fraction("match_fraction", match_fraction),
        non_negative("sharpness", sharpness, finite=True),
        seed=seed,
    )


def state_recall_fraction(
    distance_tokens: ArrayLike,
    *,
    n_pairs: ArrayLike,
    head_dim: ArrayLike,
    decay: ArrayLike = 1,
    match_fraction: ArrayLike = 1,
    seed: ArrayLike = 0,
) -> Floats:
    r"""Share of queries answered from a linear state: :math:`S_t = a S_{t-1} + v_t k_t^T`.

    The answer to a query q is :math:`S q`. The state holds `head_dim` squared values, however many
    pairs were written into it.

    Parameters
    ----------
    distance_tokens
        How many pairs ago the wanted one was written; 1 is the last. [tokens]
    n_pairs
        Pairs written, one per token. [-]
    head_dim
        Width of keys and of values. [-]
    decay
        Factor of the state per token, a. [-]
    match_fraction
        Cosine between a query and the key that it wants. [-]
    seed
        Of keys and values, one for all scenarios. [-]

    Returns
    -------
        Share of queries answered right, over 32 contexts. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range or a count not whole, or the distance exceeds `n_pairs`.

    Notes
    -----
    Pairs are added, never corrected; a delta rule holds more (schlag2021linear). Source:
    experiment; the state is that of katharopoulos2020linear, without a feature map.

    Examples
    --------
    >>> [float(state_recall_fraction(1, n_pairs=n, head_dim=64).round(1)) for n in (32, 256, 2048)]
    [1.0, 0.7, 0.0]
    """

    def answered(task: _Task, kept: float, match: float) -> NDArray[np.bool_]:
        age = np.arange(task.keys.shape[1])[::-1, np.newaxis]
        state = task.keys.swapaxes(1, 2) @ (kept**age * task.values)
        return task.nearest(task.queries(match) @ state)

    return _experiment(
        answered,
        distance_tokens,
        n_pairs,
        head_dim,
        fraction("decay", decay),
        fraction("match_fraction", match_fraction),
        seed=seed,
    )


def kivi_recall_fraction(
    distance_tokens: ArrayLike,
    *,
    n_pairs: ArrayLike,
    head_dim: ArrayLike,
    payload_bits: ArrayLike = 2,
    group_values: ArrayLike = 32,
    residual_tokens: ArrayLike = 128,
    match_fraction: ArrayLike = 1,
    sharpness: ArrayLike = 32,
    seed: ArrayLike = 0,
) -> Floats:
    r"""Share of queries answered by attention over a rounded cache: all pairs, in few bits.

    Parameters
    ----------
    distance_tokens
        How many pairs ago the wanted one was written; 1 is the last. [tokens]
    n_pairs
        Pairs in the context, one per token. [-]
    head_dim
        Width of keys and of values. [-]
    payload_bits
        Whole bits per rounded value. [bits]
    group_values
        Values that share scale and zero point. [-]
    residual_tokens
        Last tokens left in full. [tokens]
    match_fraction
        Cosine between a query and the key that it wants. [-]
    sharpness
        Attention to a pair over that to an orthogonal one, as a natural logarithm. [-]
    seed
        Of keys and values, one for all scenarios. [-]

    Returns
    -------
        Share of queries answered right, over 32 contexts. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range or a count not whole, or the distance exceeds `n_pairs`.

    Notes
    -----
    The answer is compared with the values before rounding. Source: experiment, through
    `quantizing.kivi`; liu2024kivi.

    Examples
    --------
    >>> kivi_recall_fraction([200, 256], n_pairs=256, head_dim=64, payload_bits=2)
    array([1., 1.])
    """

    def answered(
        task: _Task, bits: float, group: float, recent: float, match: float, sharp: float
    ) -> NDArray[np.bool_]:
        keys, values = quantizing.kivi(
            keys=task.keys,
            values=task.values,
            payload_bits=bits,
            group_values=group,
            residual_tokens=recent,
        )
        scores = sharp * task.queries(match) @ np.swapaxes(keys, 1, 2)
        return task.nearest(_softmax(scores) @ values)

    return _experiment(
        answered,
        distance_tokens,
        n_pairs,
        head_dim,
        positive("payload_bits", payload_bits),
        positive("group_values", group_values),
        non_negative("residual_tokens", residual_tokens),
        fraction("match_fraction", match_fraction),
        non_negative("sharpness", sharpness, finite=True),
        seed=seed,
    )


def interference(
    distance_tokens: ArrayLike,
    *,
    n_pairs: ArrayLike,
    head_dim: ArrayLike,
    decay: ArrayLike = 1,
    match_fraction: ArrayLike = 1,
) -> Floats:
    r"""Noise over signal of a linear state: :math:`\sum_{j \ne t} a^{2(j - t)} / (c^2 d)`.

    Parameters
    ----------
    distance_tokens
        How many pairs ago the wanted one was written, t; 1 is the last. [tokens]
    n_pairs
        Pairs written. [-]
    head_dim
        Width of the keys, d. [-]
    decay
        Factor of the state per token, a, above 0. [-]
    match_fraction
        Cosine between a query and the key that it wants, c, above 0. [-]

    Returns
    -------
        Square of what other pairs add to the answer over that of the wanted value;
        :math:`(n - 1) / d` without decay, for a query that is the key. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range, or the distance exceeds `n_pairs`.

    Notes
    -----
    Random keys have cosines of variance 1/d. Source: definition.

    Examples
    --------
    >>> interference(1, n_pairs=[65, 1025], head_dim=64)
    array([ 1., 16.])
    >>> interference([1, 1000], n_pairs=1025, head_dim=64, decay=0.99).round(1)
    array([8.000000e-01, 4.129031e+08])
    """
    pairs = positive("n_pairs", n_pairs)
    distance = _within(distance_tokens, pairs)
    factor = positive("decay", fraction("decay", decay)) ** 2
    one = factor == 1
    # A slow decay is a small difference of ones: through logarithms, digits survive.
    rate = np.where(one, -1.0, np.log(factor))
    all_pairs = np.where(one, pairs, np.expm1(pairs * rate) / np.expm1(rate))
    with np.errstate(over="ignore"):
        others = all_pairs * np.exp(-np.where(one, 0.0, rate) * (distance - 1)) - 1
    signal = positive("match_fraction", fraction("match_fraction", match_fraction)) ** 2
    noise: Floats = np.maximum(others, 0.0) / (signal * positive("head_dim", head_dim))
    return noise


def _directions(draw: np.random.Generator, rows: int, dim: int) -> Array:
    """Random vectors of length 1, for each context."""
    drawn = draw.standard_normal((N_CONTEXTS, rows, dim))
    lengths: Array = np.linalg.norm(drawn, axis=-1, keepdims=True)
    return drawn / lengths


def _softmax(scores: Array) -> Array:
    weights: Array = np.exp(scores - scores.max(axis=-1, keepdims=True))
    total: Array = weights.sum(axis=-1, keepdims=True)
    return weights / total


class _Task:
    """Contexts of pairs, and which of them are asked for."""

    def __init__(self, pairs: int, dim: int, seed: int) -> None:
        self.seed = seed
        drawn = np.random.default_rng(seed)
        self.keys = _directions(drawn, pairs, dim)
        self.values = _directions(drawn, pairs, dim)
        self.wanted = np.empty((N_CONTEXTS, 0), dtype=np.int64)

    def ask(self, wanted: NDArray[np.int64]) -> None:
        """Ask for pairs [contexts, queries]; what else is drawn is the same at every asking."""
        self.draw = np.random.default_rng([self.seed, 1])
        # One direction for each context, across each of the true keys.
        across = _directions(self.draw, 1, self.keys.shape[-1])
        if np.array_equal(wanted, self.wanted):
            return
        self.wanted = wanted
        self.truth = np.take_along_axis(self.keys, wanted[..., np.newaxis], axis=1)
        across = across - (across * self.truth).sum(axis=-1, keepdims=True) * self.truth
        self.across = across / np.linalg.norm(across, axis=-1, keepdims=True)
        turned = self.keys.swapaxes(1, 2)
        self.cosines = self.truth @ turned, self.across @ turned

    def queries(self, match: float) -> Array:
        """Queries of this cosine with the true keys."""
        turned: Array = match * self.truth + np.sqrt(1 - match**2) * self.across
        return turned

    def scores(self, match: float) -> Array:
        """Cosines of such queries with all keys."""
        along, across = self.cosines
        mixed: Array = match * along + np.sqrt(1 - match**2) * across
        return mixed

    def attended(self, scores: Array) -> NDArray[np.bool_]:
        """Whether softmax attention with these scores answers right."""
        return self.nearest(_softmax(scores) @ self.values)

    def nearest(self, answers: Array) -> NDArray[np.bool_]:
        """Whether the value nearest to each answer is the wanted one; all have length 1."""
        found: NDArray[np.int64] = np.argmax(answers @ self.values.swapaxes(1, 2), axis=-1)
        return np.equal(found, self.wanted)


def _experiment(
    answered: Callable[..., NDArray[np.bool_]],
    distance_tokens: ArrayLike,
    n_pairs: ArrayLike,
    head_dim: ArrayLike,
    *settings: Floats,
    seed: ArrayLike,
) -> Floats:
    """Share of right answers; every setting meets the same contexts."""
    anywhere = distance_tokens is ANYWHERE
    number = int(whole("seed", seed))
    pairs = positive("n_pairs", whole("n_pairs", n_pairs))
    away = ANYWHERE if anywhere else _within(distance_tokens, pairs)
    width = positive("head_dim, less 1,", whole("head_dim", head_dim) - 1) + 1
    aways, *columns = np.broadcast_arrays(away, pairs, width, *settings)
    table = np.stack([column.ravel() for column in columns], axis=1)
    runs, run = np.unique(table, axis=0, return_inverse=True)
    shares, shape = np.empty(aways.size), (0, 0)
    for index, (rows, dim, *setting) in enumerate(runs):
        if shape != (rows, dim):
            task, shape = _Task(int(rows), int(dim), number), (rows, dim)
        mine = run.ravel() == index
        asked, which = np.unique(aways.ravel()[mine], return_inverse=True)
        if anywhere:
            draw = np.random.default_rng([number, 2])
            wanted = draw.integers(int(rows), size=(N_CONTEXTS, N_ANYWHERE))
        else:
            wanted = np.broadcast_to((rows - asked).astype(np.int64), (N_CONTEXTS, len(asked)))
        task.ask(wanted)
        right = answered(task, *setting)
        share = right.mean(axis=0)
        shares[mine] = share.mean() if anywhere else share[which]
    return shares.reshape(aways.shape)[()]


def _within(distance_tokens: ArrayLike, pairs: Floats) -> Floats:
    distance = positive("distance_tokens", whole("distance_tokens", distance_tokens))
    if np.any(distance > pairs):
        raise ValueError(f"distance_tokens must not exceed n_pairs, got {distance_tokens!r}")
    return distance
