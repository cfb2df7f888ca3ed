"""What clients of a replica wait for at a load, without simulating: means and percentiles.

Takes lengths from tables, the steps of a replica, and the queue of `costlib.sharing`. The
arrivals are Poisson and lengths do not hang on them: a bursty log waits far longer, which
`costlib.simulate` shows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import gammaincinv, ndtri

from costlib import sharing, sojourn
from costlib._checks import fraction, non_negative, positive
from costlib.replica import Replica

__all__ = ["Response", "largest_rate", "most_requests_per_s", "under_load"]

Arrays = NDArray[np.float64]

QUANTILES: Final = (0.5, 0.95)
POINTS: Final = (np.arange(24) + 0.5) / 24  # equally likely values of a time
QUIET: Final = 1e-6  # requests/s at which a request is alone
PRECISION: Final = 1e-3  # of a rate that is looked for, as a share of the saturation


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Times by arrival rate; quantiles on the last axis. Infinite from saturation on."""

    requests_per_s: Arrays
    saturation_requests_per_s: float
    offered_load: Arrays  # share of the saturation
    n_decoding: Arrays
    tokens_per_s: Arrays  # output; what saturates is served at the saturation
    ttft_s: Arrays
    tpot_s: Arrays
    sojourn_s: Arrays
    quantiles: tuple[float, ...]
    ttft_quantiles_s: Arrays
    tpot_quantiles_s: Arrays
    sojourn_quantiles_s: Arrays
    refused_fraction: float  # requests larger than the memory


def under_load(
    replica: Replica,
    requests_per_s: ArrayLike,
    *,
    input_tokens: ArrayLike,
    output_tokens: ArrayLike,
    cached_tokens: ArrayLike = 0,
    quantiles: tuple[float, ...] = QUANTILES,
    exponential: bool = True,
) -> Response:
    """Time to first token, time per output token and whole time of Poisson arrivals.

    Parameters
    ----------
    replica
        Steps, prompts and memory.
    requests_per_s
        Arrival rates at this replica.
    input_tokens
        Equally likely lengths of a prompt.
    output_tokens
        Equally likely lengths of an answer, independent of the prompts.
    cached_tokens
        What of each prompt is found in a cache.
    quantiles
        Shares of requests whose times are wanted.
    exponential
        Whether prompts that vary less than exponential times do are taken to vary like these.
        Else their line shrinks as that of one server does, and each waits for its own length.

    Returns
    -------
        Where the load is at or above the saturation every time is infinite. The time to first
        token has its exact mean and variance within the model (Little's law for distributions,
        keilson1988distributional) and the quantiles of a gamma law with both. A request's time per
        output token is that of the crowd it meets, slowed for the share of its life in which
        prompts are read.

    Raises
    ------
    ValueError
        If an argument is out of its range, or no request fits.

    Examples
    --------
    >>> from costlib.lengths import length_quantiles
    >>> from costlib.replica import replica
    >>> chat = {
    ...     field: length_quantiles("Azure conversation", field)
    ...     for field in ("input_tokens", "output_tokens")
    ... }
    >>> means = {field: table.mean() for field, table in chat.items()}
    >>> one = replica("Llama-3.1-70B", "H100", n_accelerators=4, **means)
    >>> done = under_load(one, [3, 30], **chat)
    >>> f"{done.saturation_requests_per_s:.1f} requests/s", np.isfinite(done.ttft_s).tolist()
    ('12.7 requests/s', [True, False])
    """
    arriving = np.atleast_1d(positive("requests_per_s", requests_per_s))
    quantiles = tuple(np.atleast_1d(fraction("quantiles", quantiles)).tolist())
    prompts = np.atleast_1d(positive("input_tokens", input_tokens)).ravel()
    cached = np.minimum(non_negative("cached_tokens", cached_tokens), prompts - 1)
    answers = np.atleast_1d(positive("output_tokens", output_tokens)).ravel()
    fits = np.searchsorted(np.sort(answers), replica.pool_tokens - prompts, side="right")
    refused = 1 - float(fits.mean()) / answers.size
    if not fits.any():
        raise ValueError(
            f"input_tokens must fit into {replica.pool_tokens:,.0f} tokens of memory with their "
            f"answers, the shortest is {prompts.min():,.0f}"
        )
    served = fits > 0
    prompts, cached = prompts[served], np.broadcast_to(cached, prompts.shape)[served]
    later = np.maximum(answers - 1.0, 0.0)  # tokens behind the first
    mean_later = max(float(later.mean()), 1e-9)
    fresh = prompts - cached
    work = replica.prompt_s * fresh + replica.attention_s * (prompts**2 - cached**2) / 2
    chunks = fresh / replica.chunk_tokens
    # Of those who decode, the long answers are seen most.
    weight = later / max(later.sum(), 1e-9)
    held = prompts.mean() + 1 + (weight * (later - 1)).sum() / 2
    reserved = prompts.mean() + (weight * answers).sum()
    most = int(max(1, min(replica.most_running, replica.pool_tokens / reserved)))
    crowd = np.arange(most + 1.0)
    step = replica.step_s[: most + 1] + replica.context_s * crowd * held
    ride = work.mean() / chunks.mean()
    reading = work.mean() + chunks.mean() * step
    middle = work + chunks * step[min(most, 4)]
    queue = {
        "reading_s": reading,
        "step_s": step,
        "slowed_step_s": step + ride,
        "answer_tokens": mean_later,
        "reading_scv": middle.var() / middle.mean() ** 2,
    }
    saturation = float(sharing.saturation_requests_per_s(**queue))
    shape = (arriving.size, len(quantiles))
    columns = {
        name: np.full(arriving.size, np.inf)
        for name in ("n_decoding", "ttft_s", "tpot_s", "sojourn_s")
    }
    spread = {name: np.full(shape, np.inf) for name in ("ttft", "tpot", "sojourn")}
    for row, rate in enumerate(arriving):
        if rate >= saturation:
            continue
        quiet, busy, number, pairs = sharing.stationary(rate, **queue)
        here, n = quiet + busy, crowd[: quiet.size]
        mean_step = float(here @ step[: n.size])
        # Whoever finds no line waits for half a step; the last chunk takes a whole one.
        rounding = mean_step * (quiet.sum() / 2 + (np.ceil(chunks) - chunks).mean())
        waited = float(number) / rate
        variance = max(float(pairs) / rate**2 - waited**2, 1e-12 * waited**2)
        offset = replica.request_s + rounding
        if not exponential and queue["reading_scv"] < 1:
            first, waited = _steady(
                np.array([*quantiles, *POINTS]),
                reading_s=float(here @ reading[: n.size]),
                scv=float(queue["reading_scv"]),
                waited=waited,
                variance=variance,
            )
            first = offset + first
        else:
            form = waited**2 / variance
            first = offset + gammaincinv(form, np.array([*quantiles, *POINTS])) * variance / waited
        decoding = float(here @ n)
        tpot = decoding / rate / mean_later
        lives = np.maximum(np.quantile(later, POINTS) * tpot, 1e-9)
        pace, seen = _paces(n, quiet, busy, step[: n.size], ride, rate=rate, life_s=lives)
        spread["tpot"][row] = _weighted(pace.ravel(), seen.ravel(), np.array(quantiles))
        spread["ttft"][row] = first[: len(quantiles)]
        answering = [
            life / tpot * _weighted(paces, weights, POINTS)
            for life, paces, weights in zip(lives, pace, seen, strict=True)
        ]
        whole = np.add.outer(first[len(quantiles) :], np.concatenate(answering))
        spread["sojourn"][row] = np.quantile(whole, quantiles)
        columns["n_decoding"][row] = decoding
        columns["ttft_s"][row] = offset + waited
        columns["tpot_s"][row] = tpot
        columns["sojourn_s"][row] = offset + waited + decoding / rate
    return Response(
        requests_per_s=arriving,
        saturation_requests_per_s=saturation,
        offered_load=arriving / saturation,
        tokens_per_s=np.minimum(arriving, saturation) * answers.mean(),
        quantiles=quantiles,
        ttft_quantiles_s=spread["ttft"],
        tpot_quantiles_s=spread["tpot"],
        sojourn_quantiles_s=spread["sojourn"],
        refused_fraction=refused,
        **columns,
    )


def most_requests_per_s(
    replica: Replica,
    *,
    ttft_s: float,
    tpot_s: float,
    quantile: float = 0.95,
    input_tokens: ArrayLike,
    output_tokens: ArrayLike,
    cached_tokens: ArrayLike = 0,
    load_fraction: float = 1 - PRECISION,
    precision: float = PRECISION,
    exponential: bool = True,
) -> float:
    """Largest arrival rate at which so many requests see both promises kept.

    Parameters
    ----------
    replica
        Steps, prompts and memory.
    ttft_s, tpot_s
        Promised time to first token and time per output token.
    quantile
        Share of the requests for which each is promised.
    input_tokens, output_tokens, cached_tokens, exponential
        As in `under_load`.
    load_fraction
        Share of the saturation that the rate may not exceed, whatever is promised.
    precision
        Of the rate, as a share of the saturation.

    Returns
    -------
        Requests per second; 0 where even a lone request breaks a promise.

    Raises
    ------
    ValueError
        As `under_load`.
    """
    fraction("quantile", quantile)

    @functools.cache
    def at(rate: float) -> Response:
        return under_load(
            replica,
            rate,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_tokens=cached_tokens,
            quantiles=(quantile,),
            exponential=exponential,
        )

    return largest_rate(
        at, ttft_s=ttft_s, tpot_s=tpot_s, load_fraction=load_fraction, precision=precision
    )


def largest_rate(
    at: Callable[[float], Response],
    *,
    ttft_s: float,
    tpot_s: float,
    load_fraction: float = 1 - PRECISION,
    precision: float = PRECISION,
) -> float:
    """The same for one who keeps what was computed: `at` a rate, of the share promised to.

    Parameters
    ----------
    at
        What clients see at a rate, with one quantile. Its ends are asked for twice.
    ttft_s, tpot_s, load_fraction, precision
        As in `most_requests_per_s`.

    Returns
    -------
        Requests per second; 0 where even a lone request breaks a promise.

    Raises
    ------
    ValueError
        If an argument is out of its range, or `at` raises it.
    """
    positive("ttft_s", ttft_s)
    positive("tpot_s", tpot_s)
    positive("precision", precision, finite=True)
    fraction("load_fraction", load_fraction)
    top = at(QUIET).saturation_requests_per_s

    def broken(load: float) -> float:
        """How far the worse promise is broken; negative where both are kept."""
        done = at(load * top)
        ratio = max(done.ttft_quantiles_s[0, 0] / ttft_s, done.tpot_quantiles_s[0, 0] / tpot_s)
        return float(np.log(ratio))

    most = float(load_fraction)
    if broken(PRECISION) > 0:
        return 0.0
    if broken(most) < 0:
        return most * top
    edge = float(brentq(broken, PRECISION, most, xtol=precision / 2))
    return max(edge - precision / 2, PRECISION) * top  # on the side where they are kept


def _steady(
    shares: Arrays, *, reading_s: float, scv: float, waited: float, variance: float
) -> tuple[Arrays, float]:
    """Quantiles and mean of a line whose prompts vary less than the exponential ones given."""
    times = (1.0 + scv) / 2.0
    wait = times * max(waited - reading_s, 0.0)
    deviation = times * float(np.sqrt(max(variance - reading_s**2, 0.0)))
    done = sojourn.varied_s(
        within_fraction=shares,
        service_s=reading_s,
        service_scv=scv,
        wait_s=wait,
        deviation_s=deviation,
    )
    return np.asarray(done), reading_s + wait


def _paces(
    n: Arrays,
    quiet: Arrays,
    busy: Arrays,
    step_s: Arrays,
    ride_s: float,
    *,
    rate: float,
    life_s: Arrays,
) -> tuple[Arrays, Arrays]:
    """Times per token of answers that live so long, and how many of them see each.

    Reading prompts goes on and off. Over a life its share has the mean of the state, and of its
    variance what a two-state process leaves when it is seen for so long; a bell cut off at none
    and all has about both.
    """
    here = quiet + busy
    slow = (busy / np.where(here > 0, here, 1.0))[:, None]
    switches = rate * life_s / max(float(busy.sum()), 1e-9)  # on and off, in one life
    left = (2 * (switches + np.expm1(-switches)) / switches**2)[:, None, None]
    share = np.clip(
        slow + np.sqrt(np.maximum(left * slow * (1 - slow), 0.0)) * ndtri(POINTS), 0.0, 1.0
    )
    fast, slowed = step_s[:, None], (step_s + ride_s)[:, None]
    pace = 1 / ((1 - share) / fast + share / slowed)
    seen = np.broadcast_to((n * here)[:, None], pace.shape)
    return pace.reshape(life_s.size, -1), seen.reshape(life_s.size, -1)


def _weighted(values: Arrays, weights: Arrays, shares: Arrays) -> Arrays:
    """Quantiles of weighted values."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    ranked = values[order]
    found: Arrays = ranked[np.minimum(np.searchsorted(below, shares * below[-1]), below.size - 1)]
    return found
