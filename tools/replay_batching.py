"""Replay recorded hours against Poisson arrivals of the same requests, on one replica.

    python tools/replay_batching.py FOLDER

reads the recordings that have a clock (see tools/traces.py) from the folder and writes their rows
of data/trace_results.csv. Each is stretched in time to a share of what saturates the replica;
Poisson arrivals bring the same prompts with answers drawn from the same hour.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Final

import numpy as np

import traces
from costlib import replays
from costlib.replica import replica

COMMAND: Final = "python tools/replay_batching.py FOLDER"
MODEL, ACCELERATOR, N_ACCELERATORS = "Llama-3.1-70B", "H100", 4
SETUP: Final = f"continuous batching, {MODEL} fp8 on {N_ACCELERATORS} {ACCELERATOR}"
LOADS: Final = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9)
QUANTITIES: Final = {"mean sojourn": "sojourn_s", "p95 first token": "ttft_p95_s"}


def main() -> int:
    """Check the files, replay them, write their rows."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("folder", type=Path)
    for one, path in traces.recordings(asked.parse_args().folder):
        requests = traces.clocked(one, path)
        # No prefix is reused: prompts are as long as recorded, in all three ways.
        nothing = np.zeros_like(requests.cached_tokens)
        requests = dataclasses.replace(requests, cached_tokens=nothing)
        on = replica(
            MODEL,
            ACCELERATOR,
            n_accelerators=N_ACCELERATORS,
            input_tokens=float(requests.input_tokens.mean()),
            output_tokens=float(requests.output_tokens.mean()),
        )
        found = replays.against_poisson(requests, on, LOADS, seed=traces.SEED, progress=True)
        rows = [
            (SETUP, run["load"], "", f"{quantity}, {run['way']}", f"{run[column]:.5g}", "s")
            for run in found.to_dict("records")
            for quantity, column in QUANTITIES.items()
        ]
        traces.write(one, COMMAND, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
