"""Summarise when recorded requests came: bursts, drift, ticks, holes, requests by minute.

    python tools/trace_arrivals.py FOLDER

reads the recordings that have a clock (see tools/traces.py) from the folder and writes their rows
of data/trace_results.csv, with what `costlib profile` finds.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import traces
from costlib import requestlog
from costlib.profile import profile

COMMAND = "python tools/trace_arrivals.py FOLDER"
MINUTE_S = 60

Row = tuple[str, str, float, float, str]


def summary(log: requestlog.Log) -> Iterator[Row]:
    """Set-up, quantity, window or place in seconds, value and unit of each row."""
    found = profile(log)
    whole = "as recorded"
    even = "ticks spread" if found.tick_s else whole
    yield whole, "requests", 0, found.n_requests, ""
    yield whole, "span", 0, found.span_s, "s"
    yield whole, "rate", 0, found.requests_per_s, "requests/s"
    yield whole, "tick", 0, found.tick_s, "s"
    yield whole, "gap scv", 0, found.raw_gap_scv, ""
    if found.tick_s:
        yield even, "gap scv", 0, found.gap_scv, ""
    for window, value in found.dispersion.items():
        if not math.isnan(value):
            yield even, "dispersion", window, value, ""
    yield even, "peak to mean", 300, found.peak_to_mean, ""
    yield even, "longest gap", 0, found.longest_gap_s, "s"
    yield even, "holes", 0, found.n_holes, ""
    yield whole, "tokens of the second half over the first", 0, found.drift, ""
    correlation = abs(found.length_correlation)
    yield whole, "correlation of input and output, absolute", 0, correlation, ""
    minutes = np.bincount((log.requests.arrival_s // MINUTE_S).astype(np.int64))
    for minute, count in enumerate(minutes[: int(found.span_s // MINUTE_S)]):
        yield whole, "requests in a minute", minute * MINUTE_S, float(count), ""


def main() -> int:
    """Check the files, profile them, write their rows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    for one, path in traces.recordings(parser.parse_args().folder):
        rows = [
            (f"arrivals, {setup}", "", f"{at_s:g}", quantity, f"{value:.6g}", unit)
            for setup, quantity, at_s, value, unit in summary(requestlog.read(path))
        ]
        traces.write(one, COMMAND, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
