"""Theses on load: what a peak costs, and what a limit on answers gives back (17, 18)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib import catalog, clipping, staffing
from costlib._thesis import Thesis, flip, verdict

__all__ = ["clipping_tails", "peaks_over_volume"]

WORK: Final = 30.0  # servers that work in the mean, as in the chapter
WAITING: Final = 0.2  # share that may have to wait
BUSY: Final = 0.8
CUT: Final = 0.01  # share of the answers that a limit cuts


def _servers(work: float) -> float:
    return float(staffing.n_servers(waiting_fraction=WAITING, requests_per_s=work, service_s=1))


def peaks_over_volume(peak_times: ArrayLike = (1.8, 2.5, 3.0)) -> Thesis:
    """Thesis 17: tried over the peak in units of the mean, as the chapters on load have it."""
    grown = 10  # times the volume
    volume = _servers(WORK) / WORK / (_servers(grown * WORK) / (grown * WORK))

    def margin(peak: float) -> float:
        return _servers(peak * WORK) / _servers(WORK) - volume

    at = flip(margin, 1, 3)
    peak = float(np.max(peak_times))
    return Thesis(
        number=17,
        words="Variance, not volume, drives what own machines cost per request.",
        verdict=verdict(margin, peak_times),
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
        verdict=verdict(margin, sigma),
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
