r"""Requests over time: how long they are, when they come, which belong together.

A workload of `data/workloads.csv` names the public trace whose lengths it takes. Arrivals are
drawn (even in the mean, in bursts, over a day) or replayed; whatever is drawn takes a `seed`, an
integer or a numpy `Generator`. Lengths that came with arrivals stay with them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib import sessions as growth
from costlib import units
from costlib._checks import count, generator, non_negative, positive
from costlib.lengths import length_quantiles
from costlib.tables import by_name, lookup, rows

__all__ = [
    "Requests",
    "Workload",
    "bursty_s",
    "day_shaped_s",
    "drawn",
    "length_table",
    "mixed",
    "poisson_s",
    "replayed",
    "sessions",
    "spread",
    "workload",
    "workloads",
]

Seed = int | np.random.Generator
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

TURNS_SEED = 2026  # of the one fixed pairing of prompts with what of them is new


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Requests in the order in which they arrive; every array has one entry per request."""

    arrival_s: NDArray[np.float64]  # ascending
    input_tokens: NDArray[np.int64]  # at least 1
    output_tokens: NDArray[np.int64]  # at least 1
    cached_tokens: NDArray[np.int64]  # of the input, found in a cache
    session: NDArray[np.int64]  # -1 where none is known

    def __post_init__(self) -> None:
        """Refuse requests that cannot be; the message names the field and the first entry."""
        n = self.arrival_s.shape
        for name in ("input_tokens", "output_tokens", "cached_tokens", "session"):
            if getattr(self, name).shape != n or len(n) != 1:
                raise ValueError(f"{name} must have one entry per arrival, {n[0] if n else 0}")
        ordered = np.isfinite(self.arrival_s) & (np.diff(self.arrival_s, prepend=-np.inf) >= 0)
        _all("arrival_s", self.arrival_s, ordered, "must be finite and ascend")
        for name in ("input_tokens", "output_tokens"):
            _all(name, getattr(self, name), getattr(self, name) >= 1, "must be at least 1")
        cached = self.cached_tokens
        held = (cached >= 0) & (cached <= self.input_tokens)
        _all("cached_tokens", cached, held, "must lie between 0 and input_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A kind of use, and the public trace whose lengths stand for it."""

    name: str
    trace: str
    words: str
    input_mean_tokens: float  # of all requests, before quantiles were taken
    output_mean_tokens: float
    source: str
    as_of: str


@functools.cache
def workloads(path: Path | None = None) -> Mapping[str, Workload]:
    """Workloads by name: chat, code, long-context, agents, reasoning."""
    return by_name("workloads.csv", (Workload(**row) for row in rows("workloads.csv", path)))


def workload(name: str) -> Workload:
    """One workload; an unknown name is answered with the nearest.

    >>> workload("code").trace
    'Azure code'
    """
    return lookup("workload", name, workloads())


# --- lengths ---------------------------------------------------------------------------------


def length_table(name: str) -> dict[str, Counts]:
    """What `drawn` draws from: equally likely prompts, each with its cached part, and answers.

    Raises
    ------
    UnknownNameError
        If there is no such workload.

    >>> {field: round(float(values.mean())) for field, values in length_table("chat").items()}
    {'input_tokens': 1154, 'output_tokens': 211, 'cached_tokens': 0}
    """
    trace = workload(name).trace
    return {
        "input_tokens": _whole(length_quantiles(trace, "input_tokens")),
        "output_tokens": _whole(length_quantiles(trace, "output_tokens")),
        "cached_tokens": _cached(trace),
    }


def drawn(name: str, arrivals_s: ArrayLike, *, seed: Seed) -> Requests:
    r"""Requests at given times, their lengths drawn from the tables of a workload.

    Input and output are drawn independently of each other and of the arrivals. In the traces
    they nearly are: :math:`|r| < 0.12` between input and output. Where a rate drifts with the
    lengths, as in a real hour, use `replayed`.

    For agents, what of a prompt is new is paired with the prompts once and for all: each of the
    1,000 values of `uncached_input_tokens`, the largest first, gets one of the 1,000 prompts that
    are long enough and not yet taken, by chance. So both tables are kept whole, no request has
    more new tokens than tokens, and the two are nearly as independent as in the trace (rank
    correlation 0.02; drawn: 0.01). The other workloads have `cached_tokens` 0, for their traces do
    not say what was cached.

    Parameters
    ----------
    name
        A workload.
    arrivals_s
        Ascending times. [s]
    seed
        An integer or a numpy Generator.

    Raises
    ------
    UnknownNameError
        If there is no such workload.
    ValueError
        If the arrivals do not ascend.

    Examples
    --------
    >>> agents = drawn("agents", poisson_s(100_000, requests_per_s=2, seed=1), seed=2)
    >>> float((agents.cached_tokens.sum() / agents.input_tokens.sum()).round(2))
    0.96
    """
    random = generator(seed)
    times = np.atleast_1d(non_negative("arrivals_s", arrivals_s, finite=True))
    table = length_table(name)
    prompts, answers = table["input_tokens"], table["output_tokens"]
    chosen = random.integers(prompts.size, size=times.size)
    return Requests(
        arrival_s=times,
        input_tokens=prompts[chosen],
        output_tokens=answers[random.integers(answers.size, size=times.size)],
        cached_tokens=table["cached_tokens"][chosen],
        session=_none(times.size),
    )


@functools.cache
def _cached(trace: str) -> Counts:
    """What is cached of each prompt of a trace's table, in the order of the table."""
    prompts = _whole(length_quantiles(trace, "input_tokens"))
    if trace != "Claude Code":
        return np.zeros_like(prompts)
    fresh = _whole(length_quantiles(trace, "uncached_input_tokens"))
    random = np.random.default_rng(TURNS_SEED)
    free = list(range(prompts.size))
    cached = np.empty_like(prompts)
    for new in fresh[::-1]:
        first = int(np.searchsorted(prompts[free], new))
        place = free.pop(int(random.integers(first, len(free))))
        cached[place] = prompts[place] - new
    return cached


# --- arrivals --------------------------------------------------------------------------------


def poisson_s(n_requests: int, *, requests_per_s: float, seed: Seed) -> Floats:
    r"""Arrivals that know nothing of each other: gaps :math:`-\ln U / \lambda`.

    >>> poisson_s(1_000_000, requests_per_s=4, seed=1)[-1].round(-3)
    np.float64(250000.0)
    """
    gaps = generator(seed).standard_exponential(count("n_requests", n_requests))
    return np.cumsum(gaps) / _rate("requests_per_s", requests_per_s)


def bursty_s(n_requests: int, *, requests_per_s: float, gap_scv: float, seed: Seed) -> Floats:
    r"""Arrivals with gamma gaps of a stated squared coefficient of variation :math:`c^2`.

    Gaps stay independent: above 1 they come in clumps, 1 is Poisson, 0 is a metronome.

    >>> gaps = np.diff(bursty_s(1_000_000, requests_per_s=4, gap_scv=9, seed=1))
    >>> (gaps.var() / gaps.mean() ** 2).round(1)
    np.float64(9.0)
    """
    rate = _rate("requests_per_s", requests_per_s)
    scv = _finite("gap_scv", float(non_negative("gap_scv", gap_scv)))
    n = count("n_requests", n_requests)
    if scv == 0:
        return np.arange(1, n + 1) / rate
    gaps = generator(seed).standard_gamma(1 / scv, size=n)
    return np.cumsum(gaps) * (scv / rate)


def day_shaped_s(
    n_requests: int,
    *,
    requests_per_s: float,
    peak_to_mean: float,
    seed: Seed,
    period_s: float = units.SECONDS_PER_HOUR * 24,
) -> Floats:
    r"""Poisson arrivals at a rate that follows the day: :math:`\lambda (1 - a \cos 2\pi t / T)`.

    `peak_to_mean` is :math:`1 + a`, from 1 (no day) to 2 (nobody at night); time 0 is the quiet
    hour. Exact: the points of a Poisson process of rate 1 are taken back through the integral of
    the rate, :math:`x - a \sin x = M`, which is Kepler's equation, by Newton's method.

    >>> day = day_shaped_s(1_000_000, requests_per_s=100 / 864, peak_to_mean=1.8, seed=1)
    >>> hours = np.histogram(day % 86400, bins=24)[0]
    >>> (hours.max() / hours.mean()).round(1)
    np.float64(1.8)
    """
    rate = _rate("requests_per_s", requests_per_s)
    period = _rate("period_s", period_s)
    if not 1 <= positive("peak_to_mean", peak_to_mean) <= 2:
        raise ValueError(f"peak_to_mean must lie in [1, 2], got {peak_to_mean!r}")
    turn = 2 * np.pi
    even = poisson_s(n_requests, requests_per_s=rate, seed=seed) * (turn / period)
    days = np.floor(even / turn)
    angle = _kepler(even - days * turn, peak_to_mean - 1)
    return np.maximum.accumulate((days * turn + angle) * (period / turn))


def _kepler(mean: Floats, eccentricity: float) -> Floats:
    """Solve x - e sin x = m for x in [0, 2 pi], from the ends of a cell of a fine table."""
    grid = np.linspace(0, 2 * np.pi, 100_001)
    at = np.maximum.accumulate(grid - eccentricity * np.sin(grid))
    cell = np.clip(np.searchsorted(at, mean, side="right") - 1, 0, grid.size - 2)
    low, high = grid[cell], grid[cell + 1]
    found = np.where(high <= np.pi, high, low)  # where Newton's method cannot overshoot
    for _ in range(100):
        slope = np.maximum(1 - eccentricity * np.cos(found), 1e-300)
        better = np.clip(found - (found - eccentricity * np.sin(found) - mean) / slope, low, high)
        moved = np.abs(better - found).max(initial=0)
        found = better
        if moved < 1e-12:
            break
    return found


# --- requests from requests ------------------------------------------------------------------


def replayed(requests: Requests, *, requests_per_s: float) -> Requests:
    """The same requests in the same order, stretched in time to a mean rate, from time 0 on.

    Each keeps its lengths: rate and lengths drift together in real traffic, and shuffling one
    against the other makes other waits, several times as long or as short.

    Raises
    ------
    ValueError
        If the rate is not positive, or fewer than two requests or all at once leave no rate.
    """
    rate = _rate("requests_per_s", requests_per_s)
    times = requests.arrival_s
    if times.size < 2 or times[-1] == times[0]:
        raise ValueError("requests must span some time, to be stretched to a rate")
    own = (times.size - 1) / (times[-1] - times[0])
    return _with(requests, arrival_s=(times - times[0]) * (own / rate))


def spread(requests: Requests, *, tick_s: float, seed: Seed) -> Requests:
    """Requests whose clock ticks, spread evenly over the tick that each is stamped with.

    Their order stays, and so their lengths. A trace of 3-second ticks looks bursty and is not.

    Raises
    ------
    ValueError
        If the tick is not positive, or longer than the shortest time between two stamps.
    """
    tick = _rate("tick_s", tick_s)
    times = requests.arrival_s
    steps = np.diff(np.unique(times))
    if steps.size and steps.min() < tick * (1 - 1e-9):
        raise ValueError(f"tick_s must not exceed the shortest step, {steps.min():g}, got {tick:g}")
    within = generator(seed).random(times.size) * tick
    return _with(requests, arrival_s=np.sort(times + within))


def sessions(
    n_sessions: int,
    *,
    sessions_per_s: float,
    n_turns: ArrayLike,
    start_tokens: ArrayLike,
    turn_tokens: ArrayLike,
    output_tokens: ArrayLike,
    think_s: ArrayLike,
    answer_s: ArrayLike,
    seed: Seed,
    compact_at_tokens: float = np.inf,
    compacted_tokens: float = 0,
    stable_tokens: float = 0,
) -> Requests:
    r"""Sessions that start by chance, and send their whole context with every turn.

    A turn comes when the answer before it, assumed to take `answer_s`, and a pause of `think_s`
    are over. The context grows as in `costlib.sessions`, and what is cached is the prompt before
    (after a compaction, the stable prefix): no other session's, and nothing is forgotten.

    Parameters
    ----------
    n_sessions
        How many. [-]
    sessions_per_s
        Rate at which they start. [sessions/s]
    n_turns, start_tokens, turn_tokens
        Of a session: turns, first prompt, growth per turn; a number, or equally likely values.
    output_tokens, think_s, answer_s
        Of a turn: answer, pause before the next turn, time from request to the end of the
        answer; a number, or equally likely values.
    seed
        An integer or a numpy Generator.
    compact_at_tokens, compacted_tokens, stable_tokens
        As in `costlib.sessions`. [tokens]

    Raises
    ------
    ValueError
        If a value is out of its range; the message names the parameter.

    Examples
    --------
    >>> two = sessions(
    ...     1, sessions_per_s=1, n_turns=3, start_tokens=10_000, turn_tokens=2_000,
    ...     output_tokens=300, think_s=20, answer_s=10, seed=1,
    ... )
    >>> two.input_tokens, two.cached_tokens, np.diff(two.arrival_s)
    (array([10000, 12000, 14000]), array([    0, 10000, 12000]), array([30., 30.]))
    """
    random = generator(seed)
    begin = poisson_s(
        count("n_sessions", n_sessions),
        requests_per_s=_rate("sessions_per_s", sessions_per_s),
        seed=random,
    )

    def draw(name: str, values: ArrayLike, size: int, *, least: float) -> Floats:
        allowed = np.atleast_1d(positive(name, values) if least else non_negative(name, values))
        table = np.ravel(allowed)
        if not table.size:
            raise ValueError(f"{name} must not be empty")
        _all(
            name, table, np.isfinite(table) & (table >= least), f"must be finite, at least {least}"
        )
        return table[random.integers(table.size, size=size)]

    turns = draw("n_turns", n_turns, begin.size, least=1).astype(np.int64)
    starts = draw("start_tokens", start_tokens, begin.size, least=1)
    grows = draw("turn_tokens", turn_tokens, begin.size, least=0)
    owner = np.repeat(np.arange(begin.size), turns)
    first = np.cumsum(turns) - turns
    turn = np.arange(owner.size) - first[owner] + 1
    pause = draw("think_s", think_s, owner.size, least=0) + draw(
        "answer_s", answer_s, owner.size, least=0
    )
    waited = np.cumsum(pause) - pause
    times = begin[owner] + waited - waited[first][owner]
    context: dict[str, ArrayLike] = {
        "start_tokens": starts[owner],
        "turn_tokens": grows[owner],
        "compact_at_tokens": compact_at_tokens,
        "compacted_tokens": compacted_tokens,
    }
    prompts = np.asarray(growth.context_tokens(turn.astype(np.float64), **context))
    reused = np.asarray(
        growth.reused_tokens(turn.astype(np.float64), **context, stable_tokens=stable_tokens)
    )
    order = np.argsort(times, kind="stable")
    prompt = _whole(prompts)[order]
    return Requests(
        arrival_s=times[order],
        input_tokens=prompt,
        output_tokens=_whole(draw("output_tokens", output_tokens, owner.size, least=0))[order],
        cached_tokens=np.minimum(np.rint(reused).astype(np.int64)[order], prompt),
        session=owner[order],
    )


def mixed(*requests: Requests) -> Requests:
    """Several streams as one, in order of arrival; sessions are numbered anew, none is merged.

    >>> chat, code = (
    ...     drawn(name, poisson_s(n, requests_per_s=n / 60, seed=n), seed=n)
    ...     for name, n in {"chat": 300, "code": 100}.items()
    ... )
    >>> mixed(chat, code).arrival_s.size
    400
    """
    if not requests:
        raise ValueError("requests must hold at least one stream")
    order = np.argsort(np.concatenate([r.arrival_s for r in requests]), kind="stable")
    known, offset = [], 0
    for one in requests:
        known.append(np.where(one.session >= 0, one.session + offset, -1))
        offset += int(one.session.max(initial=-1)) + 1
    fields = ("arrival_s", "input_tokens", "output_tokens", "cached_tokens")
    merged = {name: np.concatenate([getattr(r, name) for r in requests])[order] for name in fields}
    return Requests(**merged, session=np.concatenate(known)[order])


# --- helpers ---------------------------------------------------------------------------------


def _with(requests: Requests, *, arrival_s: Floats) -> Requests:
    """The same requests at other times; `dataclasses.replace` without copying."""
    return Requests(
        arrival_s=arrival_s,
        input_tokens=requests.input_tokens,
        output_tokens=requests.output_tokens,
        cached_tokens=requests.cached_tokens,
        session=requests.session,
    )


def _whole(tokens: Floats) -> Counts:
    """Whole tokens, at least one: an empty prompt or answer still takes a step."""
    return np.maximum(np.rint(tokens), 1).astype(np.int64)


def _none(n: int) -> Counts:
    return np.full(n, -1, dtype=np.int64)


def _rate(name: str, value: float) -> float:
    return _finite(name, float(positive(name, value)))


def _finite(name: str, value: float) -> float:
    if not np.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return value


def _all(name: str, values: NDArray[np.generic], holds: NDArray[np.bool_], rule: str) -> None:
    if not holds.all():
        place = int(np.argmin(holds))
        raise ValueError(f"{name} {rule}, got {values[place].item()!r} at index {place}")
