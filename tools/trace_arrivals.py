"""Summarise when recorded requests came: bursts, drift, ticks, holes, requests by minute.

    python tools/trace_arrivals.py FOLDER

reads azure2023_conv.csv, azure2023_code.csv and mooncake_conversation.jsonl from the folder and
writes data/trace_arrivals.csv, with what `costlib profile` finds. The files are not part of this
project: Azure LLM inference traces 2023 (Microsoft, CC BY 4.0) and Mooncake (Apache-2.0). Files
with other checksums are refused.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from costlib import requestlog
from costlib.profile import profile

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "data" / "trace_arrivals.csv"
COMMAND = "python tools/trace_arrivals.py FOLDER"
COLUMNS = ["trace", "setup", "quantity", "at_s", "value", "unit", "command", "sha256"]
COLUMNS += ["source", "as_of"]
MINUTE_S = 60

# name: (file, its checksum, key of the bibliography, when it was read)
TRACES = {
    "Azure conversation": (
        "azure2023_conv.csv",
        "2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8",
        "azure2023traces",
        "2023-11",
    ),
    "Azure code": (
        "azure2023_code.csv",
        "54e9a6d2a4bd06ba1e060304b900abbc74cbea53de96506e60fe5bb4f2277fb6",
        "azure2023traces",
        "2023-11",
    ),
    "Mooncake conversation": (
        "mooncake_conversation.jsonl",
        "b8cbb061a85206d729d91cdc2981f43c9e0d99209dce588d3af5f7934408b9df",
        "mooncake2025traces",
        "2026-11-20",
    ),
}

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
    """Write the table; a file with another checksum ends in one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    written = []
    for trace, (name, known, source, as_of) in TRACES.items():
        path = folder / name
        if not path.is_file():
            print(f"{path}: not found", file=sys.stderr)
            return 2
        if hashlib.sha256(path.read_bytes()).hexdigest() != known:
            print(f"{path}: not the file that this was written for", file=sys.stderr)
            return 2
        for setup, quantity, at_s, value, unit in summary(requestlog.read(path)):
            row = [trace, setup, quantity, at_s, f"{value:.6g}", unit]
            written.append([*row, COMMAND, known, source, as_of])
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *written])
    print(f"{len(written)} rows in {TABLE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
