"""Replay recorded requests one at a time, and compare their waits with the formulas.

    python tools/replay_traces.py FOLDER [--only SETUP ...]

reads the recordings of tools/traces.py from the folder and writes their rows of
data/trace_results.csv; set-ups that were not run again keep theirs.

A request holds a server for its input at 8,000 tokens/s and its output at 30 ms a token, alone:
the M/G/1 of the text books. In one queue a trace is stretched in time to a load. With several
servers its clock stays, and their number sets the load. Sessions have no clock between them:
they are laid over a day at random, circularly, four times, and a second day is measured. Of
their input, what an earlier request of the session had is cached and costs nothing.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

import traces
from costlib import queueing, staffing
from traces import SEED

COMMAND: Final = "python tools/replay_traces.py FOLDER"
READ_TOKENS_PER_S, OUTPUT_TOKEN_S = 8_000, 0.030
LOADS: Final = (0.3, 0.5, 0.7, 0.8, 0.9)
SPLITS = 8  # ways to deal requests out by chance
DAYS = 4  # ways to lay sessions over a day
DAY_S = 86_400.0
BLOCK_TOKENS = 64

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Row = tuple[float, str, float]  # load, quantity, value


@dataclass(frozen=True, kw_only=True)
class Trace:
    """When requests come, how long they take alone, and what they belong to.

    Of a trace whose clock was drawn, one per way to draw it; each lasts `period_s` and repeats.
    """

    arrival_s: Floats
    service_s: Floats
    session: Counts
    period_s: float = 0.0  # 0: it happens once

    @property
    def requests_per_s(self) -> float:
        """Mean rate."""
        return self.arrival_s.size / (self.period_s or float(np.ptp(self.arrival_s)))

    @property
    def service_scv(self) -> float:
        """Squared coefficient of variation of the service."""
        return float(self.service_s.var() / self.service_s.mean() ** 2)

    @property
    def arrival_scv(self) -> float:
        """Squared coefficient of variation of the gaps."""
        gaps = np.diff(self.arrival_s)
        return float(gaps.var() / gaps.mean() ** 2)


def waits(trace: Trace, place: Counts, service_s: Floats | None = None) -> Floats:
    """Waits where each place serves its own line; of a trace that repeats, on its second day."""
    services = trace.service_s if service_s is None else service_s
    found = np.empty(trace.arrival_s.size)
    for one in range(int(place.max()) + 1):
        mine = np.flatnonzero(place == one)
        times, lengths = trace.arrival_s[mine], services[mine]
        if trace.period_s:
            times, lengths = np.append(times, times + trace.period_s), np.tile(lengths, 2)
        if mine.size:
            gaps = np.diff(times, prepend=times[0])
            line = np.asarray(queueing.lindley_s(gaps_s=gaps, services_s=lengths))
            found[mine] = line[-mine.size :]
    return found


def shared_waits(trace: Trace, n_servers: int) -> Floats:
    """Waits where the first server that is free takes the first in one line."""
    n = trace.arrival_s.size
    times, lengths = trace.arrival_s, trace.service_s
    if trace.period_s:
        times, lengths = np.append(times, times + trace.period_s), np.tile(lengths, 2)
    free = [0.0] * n_servers
    found = []
    for arrival, service in zip(times.tolist(), lengths.tolist(), strict=True):
        start = max(arrival, free[0])
        found.append(start - arrival)
        heapq.heapreplace(free, start + service)
    return np.array(found[-n:])


# --- set-ups: each yields load, quantity and value in seconds --------------------------------


def one_queue(traces: list[Trace], load: float) -> Iterator[Row]:
    """One server, and the trace stretched or squeezed until it is busy so much of the time."""
    draw = np.random.default_rng(SEED)
    found: dict[str, list[float]] = {}
    for trace in traces:
        stretch = trace.requests_per_s * trace.service_s.mean() / load
        slow = Trace(
            arrival_s=trace.arrival_s * stretch,
            service_s=trace.service_s,
            session=trace.session,
            period_s=trace.period_s * stretch,
        )
        here = np.zeros(trace.arrival_s.size, int)
        law = moments(slow, slow.requests_per_s)
        mixed = draw.permutation(trace.service_s)
        for quantity, value in (
            ("replayed", waits(slow, here).mean()),
            ("Pollaczek-Khinchine", queueing.wait_s(**law)),
            ("Kingman", queueing.kingman_wait_s(**law, arrival_scv=trace.arrival_scv)),
            ("lengths shuffled", waits(slow, here, mixed).mean()),
        ):
            found.setdefault(quantity, []).append(float(value))
    yield from means(load, found)


def dealt_out(traces: list[Trace], load: float, how: str) -> Iterator[Row]:
    """Several servers on the trace's own clock, each with its own line."""
    draw = np.random.default_rng(SEED)
    found: dict[str, list[float]] = {}
    for trace in traces:
        n, actual = servers(trace, load)
        law = moments(trace, trace.requests_per_s / n)
        for _ in range(1 if how == "round robin" else SPLITS):
            if how == "session affinity":
                place = draw.integers(n, size=int(trace.session.max()) + 1)[trace.session]
            elif how == "round robin":
                place = np.arange(trace.arrival_s.size) % n
            else:
                place = draw.integers(n, size=trace.arrival_s.size)
            found.setdefault("replayed", []).append(float(waits(trace, place).mean()))
        found.setdefault("Pollaczek-Khinchine", []).append(float(queueing.wait_s(**law)))
    yield from means(actual, found)


def shared_queue(traces: list[Trace], load: float) -> Iterator[Row]:
    """Several servers on the trace's own clock, and one line for all."""
    found: dict[str, list[float]] = {}
    for trace in traces:
        n, actual = servers(trace, load)
        law = moments(trace, trace.requests_per_s)
        found.setdefault("replayed", []).append(float(shared_waits(trace, n).mean()))
        found.setdefault("Allen-Cunneen", []).append(float(staffing.pool_wait_s(n, **law)))
    yield from means(actual, found)


def servers(trace: Trace, load: float) -> tuple[int, float]:
    """How many servers come nearest to a load, and the load that they have."""
    work = trace.requests_per_s * float(trace.service_s.mean())
    n = max(round(work / load), 1)
    return n, work / n


def moments(trace: Trace, requests_per_s: float) -> dict[str, Any]:
    """What the formulas know of a trace."""
    return {
        "requests_per_s": requests_per_s,
        "service_s": float(trace.service_s.mean()),
        "service_scv": trace.service_scv,
    }


def means(load: float, found: dict[str, list[float]]) -> Iterator[Row]:
    """Rows of means over all the ways that a trace was laid out."""
    for quantity, values in found.items():
        yield load, f"mean wait, {quantity}", float(np.mean(values))


# A set-up of your own: a function of the traces and a load that yields such rows.
SETUPS: Final[dict[str, Callable[[list[Trace], float], Iterator[Row]]]] = {
    "one queue": one_queue,
    "random split": lambda traces, load: dealt_out(traces, load, "random"),
    "round robin": lambda traces, load: dealt_out(traces, load, "round robin"),
    "shared queue": shared_queue,
    "session affinity": lambda traces, load: dealt_out(traces, load, "session affinity"),
}


# --- files -----------------------------------------------------------------------------------


def recorded(one: traces.Recording, path: Path) -> list[Trace]:
    """An hour of a service, with its clock."""
    requests = traces.clocked(one, path)
    service = requests.input_tokens / READ_TOKENS_PER_S + requests.output_tokens * OUTPUT_TOKEN_S
    return [Trace(arrival_s=requests.arrival_s, service_s=service, session=requests.session)]


def laid_over_a_day(path: Path) -> list[Trace]:
    """Sessions that start at random within a day and go on over midnight, drawn several times."""
    rows = pd.read_csv(path)
    session = pd.factorize(rows["trace"])[0]
    cached = np.minimum(BLOCK_TOKENS * rows["prefix_blocks_any"], rows["in_tokens"])
    service = (rows["in_tokens"] - cached) / READ_TOKENS_PER_S + rows["out_tokens"] * OUTPUT_TOKEN_S
    draw = np.random.default_rng(SEED)
    days = []
    for _ in range(DAYS):
        start = draw.uniform(0, DAY_S, session.max() + 1)
        arrival = (start[session] + rows["t"].to_numpy()) % DAY_S
        order = np.argsort(arrival, kind="stable")
        days.append(
            Trace(
                arrival_s=arrival[order],
                service_s=service.to_numpy()[order],
                session=session[order],
                period_s=DAY_S,
            )
        )
    return days


def main() -> int:
    """Check the files, replay them, write their rows."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("folder", type=Path)
    asked.add_argument("--only", nargs="+", choices=SETUPS, default=list(SETUPS))
    given = asked.parse_args()
    for one, path in traces.recordings(given.folder, sessions=True):
        found = laid_over_a_day(path) if one.sessions else recorded(one, path)
        runs = [
            (setup, load)
            for setup in given.only
            for load in LOADS
            if one.sessions or setup != "session affinity"
        ]
        rows = [  # with few servers two loads may be one
            (f"one at a time, {setup}", f"{at:.4g}", "", quantity, f"{value:.5g}", "s")
            for setup, load in tqdm(runs, desc=one.name)
            for at, quantity, value in SETUPS[setup](found, load)
        ]
        traces.write(one, COMMAND, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
