"""Theses on load: peaks, limits, crowds, mixes, and what can be predicted (17, 18, 49 to 51)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib import catalog, clipping, staffing, tables, workloads
from costlib._thesis import Thesis, cases, flip, verdict

__all__ = ["busy_limit", "clipping_tails", "few_agents", "peaks_over_volume", "predicted_speed"]

WORK: Final = 30.0  # servers that work in the mean, as in the chapter
WAITING: Final = 0.2  # share that may have to wait
BUSY: Final = 0.8
CUT: Final = 0.01  # share of the answers that a limit cuts


def _servers(work: float) -> float:
    return float(staffing.n_servers(waiting_fraction=WAITING, requests_per_s=work, service_s=1))


def peaks_over_volume(peak_times: ArrayLike = (1.8, 2.5, 3.0)) -> Thesis:
    """Thesis 17: tried over the peak in units of the mean, as the chapters on load have it."""
    tried = cases("peak_times", peak_times)
    grown = 10  # times the volume
    volume = _servers(WORK) / WORK / (_servers(grown * WORK) / (grown * WORK))

    def margin(peak: float) -> float:
        return _servers(peak * WORK) / _servers(WORK) - volume

    at = flip(margin, 1, 3)
    peak = float(np.max(tried))
    return Thesis(
        number=17,
        words="Variance, not volume, drives what own machines cost per request.",
        verdict=verdict(margin, tried),
        because=f"A peak of {peak:g} times the mean takes "
        f"{_servers(peak * WORK) / _servers(WORK):.1f} times the servers for the same requests. "
        f"{grown} times the volume takes "
        f"{_servers(grown * WORK) / _servers(WORK):.1f} times as many, {1 - 1 / volume:.0%} fewer "
        "per request. The bill as a whole follows both.",
        value=(margin(peak) + volume) / volume,
        unit="times",
        flip=f"a peak above {at:.2f} times the mean; below, a tenth of the volume costs more than "
        "the peak",
        anchor="notebooks/queueing#how-many-servers",
        turns=at,
    )


def _saved(whole: float, scv: float, kept: float, kept_scv: float) -> float:
    ratio = clipping.wait_ratio(
        busy_fraction=BUSY,
        mean_tokens=whole,
        length_scv=scv,
        clipped_mean_tokens=kept,
        clipped_scv=kept_scv,
    )
    return float(1 - ratio)


def _saved_of_law(sigma: float) -> float:
    law = {"mean_tokens": 1.0, "sigma": sigma}
    limit = clipping.share_limit_tokens(clipped_fraction=CUT, **law)
    return _saved(
        1.0,
        float(clipping.clipped_scv(limit_tokens=np.inf, **law)),
        float(clipping.clipped_mean_tokens(limit_tokens=limit, **law)),
        float(clipping.clipped_scv(limit_tokens=limit, **law)),
    )


def _saved_of_record(lengths: NDArray[np.float64]) -> float:
    limit = float(np.quantile(lengths, 1 - CUT, method="inverted_cdf"))
    table = {"lengths_tokens": lengths}
    return _saved(
        float(lengths.mean()),
        float(clipping.kept_scv(np.inf, **table)),
        float(clipping.kept_mean_tokens(limit, **table)),
        float(clipping.kept_scv(limit, **table)),
    )


def clipping_tails(sigma: ArrayLike = (0.7, 1.0, 1.2, 1.5)) -> Thesis:
    """Thesis 18: tried over the spread of the lengths of answers, a sigma of their logarithm."""
    tried = cases("sigma", sigma)

    def margin(spread: float) -> float:
        return _saved_of_law(spread) - 0.5  # half of the wait is a collapse

    real = {
        name: _saved_of_record(trace.quantiles["output_tokens"])
        for name, trace in catalog.traces().items()
    }
    low, high = min(real, key=lambda name: real[name]), max(real, key=lambda name: real[name])
    at = flip(margin, 0.1, 3)
    return Thesis(
        number=18,
        words="Cutting a tiny tail of the answers collapses the wait in the queue.",
        verdict=verdict(margin, tried),
        because=f"Cutting the longest 1 % in front of one server that is {BUSY:.0%} busy saves "
        f"{_saved_of_law(0.7):.0%} of the wait at a sigma of 0.7, {_saved_of_law(1.2):.0%} at 1.2 "
        f"and {_saved_of_law(1.5):.0%} at 1.5; of recorded answers {real[low]:.0%} "
        f"({low}) to {real[high]:.0%} ({high}).",
        value=_saved_of_law(1.2),
        unit="share of the wait",
        flip=f"answers that spread with a sigma above {at:.2f}: only then half of the wait goes",
        anchor="notebooks/queueing#what-a-limit-gives-back",
        turns=at,
    )


def busy_limit(work: ArrayLike = (3, 30, 300, 3_000)) -> Thesis:
    """Thesis 49: tried over the servers that work in the mean, as the chapter has them."""
    tried = cases("work", work)
    safety = staffing.safety(waiting_fraction=WAITING)

    def margin(mean: float) -> float:
        """By how much the busiest fleet that keeps the promise stays below the limit."""
        needed = staffing.n_square_root(requests_per_s=mean, service_s=1, safety=safety)
        return BUSY - mean / float(needed)

    at = flip(margin, 1, 3_000)
    small, large = (mean / _servers(mean) for mean in (3.0, 300.0))
    return Thesis(
        number=49,
        words=f"A fleet should not be planned for more than {BUSY:.0%} busy.",
        verdict=verdict(margin, tried),
        because=f"If at most {WAITING:.0%} may have to wait, a fleet with work for three servers "
        f"can be {small:.0%} busy and one with work for 300 {large:.0%}. What stands by grows with "
        "the root of the work; no one share fits a small fleet and a large one.",
        value=large,
        unit="share busy",
        flip=f"work for fewer than {at:.0f} servers; a larger fleet may be busier",
        anchor="notebooks/queueing#how-many-servers",
        turns=at,
    )


def few_agents(request_fraction: ArrayLike = (0.001, 0.01, 0.1)) -> Thesis:
    """Thesis 50: tried over the agents' share of the requests, the others being chats."""
    tried = cases("request_fraction", request_fraction)
    turn, chat = (
        float(workloads.length_table(name)["input_tokens"].mean()) for name in ("agents", "chat")
    )

    def part(share: float) -> float:
        """Of the input tokens, what the agents send."""
        return share * turn / float(np.average([turn, chat], weights=[share, 1 - share]))

    at = flip(lambda share: 0.5 - part(share), 0, 1)
    return Thesis(
        number=50,
        words="A few agents among many chats do not matter.",
        verdict=verdict(lambda share: 0.5 - part(share), tried),
        because=f"A call of an agent reads {turn:,.0f} tokens in the mean, as much as "
        f"{turn / chat:.0f} chats of {chat:,.0f}. With one call in ten, "
        f"agents send {part(0.1):.0%} of the input tokens.",
        value=turn / chat,
        unit="chats",
        flip=f"agents that make less than {at:.1%} of the requests; from there on they have half "
        "of the input tokens",
        anchor="notebooks/workloads#what-would-change-the-answer",
        turns=at,
    )


def predicted_speed(forgiven_fraction: ArrayLike = 0.2) -> Thesis:
    """Thesis 51: tried over the error that is forgiven, for every measure that is predicted."""
    tried = cases("forgiven_fraction", forgiven_fraction)
    names = ("output_tokens_per_s_total", "tpot_ms", "ttft_ms")
    rows = [row for row in tables.rows("left_out.csv") if row["group"] == "all"]
    full, token, first = (
        max(float(row["median_ape"]) for row in rows if row["metric"] == name) for name in names
    )
    return Thesis(
        number=51,
        words="Bytes and FLOP tell how fast a server is to a fifth, without a benchmark.",
        verdict=verdict(
            lambda margin: margin,
            [each - error for each in tried for error in (full, token, first)],
        ),
        because=f"On machines and models that were left out of its fit the book's model errs by "
        f"{full:.1%} at full load and by {token:.1%} per output token, in the median. By the time "
        f"to first token it errs by {first:.1%}: that hangs on settings of the server, which "
        "published rows leave out.",
        value=first,
        unit="median error",
        flip=f"an error of {first:.0%} that is forgiven; for all but the first token "
        f"{token:.0%} is enough",
        anchor="notebooks/validation#rows-it-had-not-seen",
        turns=first,
    )
