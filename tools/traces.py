"""Recorded requests that the tools read, and the one table that they write.

The recordings are not part of this project: Azure LLM inference traces 2023 (Microsoft, CC BY
4.0), Mooncake and kv-cache-tester (both Apache-2.0; of the latter an extract, one row per
request). Files with other checksums are refused.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from costlib import requestlog, workloads

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "data" / "trace_results.csv"
COLUMNS: Final = ["trace", "setup", "load", "at_s", "quantity", "value", "unit"]
PROVENANCE: Final = ["command", "sha256", "source", "as_of"]
SEED: Final = 2026
TICK_S: Final = 2.997  # the shortest tick of Mooncake, whose stamps are ticks and not moments


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A file of recorded requests."""

    name: str
    file: str
    sha256: str
    source: str
    as_of: str
    sessions: bool = False  # without a clock between them


RECORDINGS: Final = (
    Recording(
        name="Azure conversation",
        file="azure2023_conv.csv",
        sha256="2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8",
        source="azure2023traces",
        as_of="2023-11",
    ),
    Recording(
        name="Azure code",
        file="azure2023_code.csv",
        sha256="54e9a6d2a4bd06ba1e060304b900abbc74cbea53de96506e60fe5bb4f2277fb6",
        source="azure2023traces",
        as_of="2023-11",
    ),
    Recording(
        name="Mooncake conversation",
        file="mooncake_conversation.jsonl",
        sha256="b8cbb061a85206d729d91cdc2981f43c9e0d99209dce588d3af5f7934408b9df",
        source="mooncake2025traces",
        as_of="2026-11-20",
    ),
    Recording(
        name="Claude Code",
        file="claude_code_kvtester.csv",
        sha256="87b61329d8dc496ddc8554169cecbc3e59015a760ed7737d2b06004b6868f1fb",
        source="kvcachetester2026",
        as_of="2026-11-20",
        sessions=True,
    ),
)


def recordings(folder: Path, *, sessions: bool = False) -> Iterator[tuple[Recording, Path]]:
    """Each recording and its file; ends the run in one line if one is missing or another.

    Those without a clock between sessions only where they are asked for.
    """
    for one in RECORDINGS:
        path = folder / one.file
        if one.sessions and not sessions:
            continue
        if not path.is_file():
            sys.exit(f"{path}: not found; expected the file with the checksum {one.sha256}")
        if hashlib.sha256(path.read_bytes()).hexdigest() != one.sha256:
            sys.exit(f"{path}: not the file that the table was made of, whose checksum is "
                     f"{one.sha256}")  # fmt: skip
        yield one, path


def clocked(one: Recording, path: Path) -> workloads.Requests:
    """Requests of a recording; ticks are spread evenly over the time that they stand for."""
    requests = requestlog.read(path).requests
    if one.name.startswith("Mooncake"):
        requests = workloads.spread(requests, tick_s=TICK_S, seed=SEED)
    return requests


def write(one: Recording, command: str, rows: Iterable[Sequence[object]]) -> None:
    """Write rows of `COLUMNS` behind the name; what their set-ups had of this trace goes."""
    origin = dict(zip(PROVENANCE, (command, one.sha256, one.source, one.as_of), strict=True))
    fresh = pd.DataFrame([(one.name, *row) for row in rows], columns=COLUMNS).assign(**origin)
    fresh = fresh.astype(str).drop_duplicates()
    if TABLE.exists():
        old = pd.read_csv(TABLE, dtype=str, keep_default_na=False)
        again = (old["trace"] == one.name) & old["setup"].isin(fresh["setup"])
        fresh = pd.concat([old[~again], fresh])
    fresh.to_csv(TABLE, index=False, lineterminator="\n")
