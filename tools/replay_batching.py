"""Replay recorded hours against Poisson arrivals of the same requests, on one replica.

    python tools/replay_batching.py FOLDER

reads azure2023_conv.csv, azure2023_code.csv and mooncake_conversation.jsonl from the folder and
writes their rows of data/trace_results.csv. The files are not part of this project: Azure LLM
inference traces 2023 (Microsoft, CC BY 4.0) and Mooncake (Apache-2.0). Files with other checksums
are refused. Each trace is stretched in time to a share of what saturates the replica; Poisson
arrivals bring the same prompts with answers drawn from the same hour.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from costlib import replays, requestlog, workloads
from costlib.replica import replica

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "data" / "trace_results.csv"
COMMAND: Final = "python tools/replay_batching.py FOLDER"
MODEL, ACCELERATOR, N_ACCELERATORS = "Llama-3.1-70B", "H100", 4
SETUP: Final = f"continuous batching, {MODEL} fp8 on {N_ACCELERATORS} {ACCELERATOR}"
LOADS: Final = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9)
SEED, TICK_S = 2026, 2.997  # the shortest tick of Mooncake

QUANTITIES: Final = {"mean sojourn": "sojourn_s", "p95 first token": "ttft_p95_s"}

# name: (file, its checksum, key of the bibliography, when it was read)
TRACES: Final = {
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


def main() -> int:
    """Check the files, replay them, write their rows."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("folder", type=Path)
    folder = asked.parse_args().folder
    rows = []
    for name, (file, wanted, source, as_of) in TRACES.items():
        path = folder / file
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != wanted:
            print(f"{path}: not the file that the table was made of", file=sys.stderr)
            return 2
        requests = requestlog.read(path).requests
        # No prefix is reused: prompts are as long as recorded, in all three ways.
        requests = dataclasses.replace(
            requests, cached_tokens=np.zeros_like(requests.cached_tokens)
        )
        if name.startswith("Mooncake"):  # stamps are ticks, not moments
            requests = workloads.spread(requests, tick_s=TICK_S, seed=SEED)
        on = replica(
            MODEL,
            ACCELERATOR,
            n_accelerators=N_ACCELERATORS,
            input_tokens=float(requests.input_tokens.mean()),
            output_tokens=float(requests.output_tokens.mean()),
        )
        found = replays.against_poisson(requests, on, LOADS, seed=SEED, progress=True)
        rows += [
            (
                name,
                SETUP,
                row.load,
                f"{quantity}, {row.way}",
                f"{getattr(row, column):.5g}",
                "s",
                COMMAND,
                digest,
                source,
                as_of,
            )
            for row in found.itertuples()
            for quantity, column in QUANTITIES.items()
        ]
    merge(rows)
    return 0


def merge(rows: Sequence[tuple[object, ...]]) -> None:
    """Write rows into the table; set-ups that were not run again keep theirs."""
    columns = ["trace", "setup", "load", "quantity", "value", "unit"]
    columns += ["command", "sha256", "source", "as_of"]
    fresh = pd.DataFrame(rows, columns=columns).astype(str)
    if TABLE.exists():
        kept = pd.read_csv(TABLE, dtype=str, keep_default_na=False)
        fresh = pd.concat([kept[~kept["setup"].isin(fresh["setup"])], fresh])
    fresh.to_csv(TABLE, index=False, lineterminator="\n")


if __name__ == "__main__":
    raise SystemExit(main())
