"""The cheapest of a hundred million scenarios, by two processes: `python tools/space.py`.

Writes data/space.csv, which the chapter `decision` shows: of each model, how its scenarios end and
what the cheapest machine for each length of prompt and answer is, with the time and the memory
that this run took.
"""

from __future__ import annotations

import csv
import datetime as dt
import functools
import resource
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from costlib import cluster
from costlib.columns import SCHEMA
from inputs import ROOT

COMMAND: Final = "python tools/space.py"
GRID: Final[dict[str, Any]] = {  # the rent is no axis, so each scenario is a prediction of its own
    "model": ["Llama-3.1-8B", "Llama-3.1-70B", "DeepSeek-V3", "GLM-5"],
    "accelerator": ["H100", "H200", "B200"],
    "weight_format": ["fp8", "bf16"],
    "n_accelerators": [1, 2, 4, 8, 16],
    "n_clients": range(1, 258),
    "input_tokens": np.linspace(100, 64_000, 64),
    "output_tokens": np.linspace(100, 4_000, 51),
}
RENTS: Final = {"H100": 2.5, "H200": 3.5, "B200": 5.0}
CHOSEN: Final = ["accelerator", "weight_format", "n_accelerators", "n_clients"]
PROMISES: Final = {"ttft_s": 2.0, "tpot_s": 0.05}


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that a call takes, and what it returns."""
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def peak_mb() -> float:
    """Most memory that this process has held."""
    kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # Linux counts kB
    return kb * 1024 / 1e6


def searched() -> tuple[Any, dict[str, float]]:
    """The cheapest of every cell of the grid; seconds, and the most that any process held."""
    space = cluster.grid(**GRID, rent_usd_per_h=RENTS)
    search = functools.partial(cluster.cheapest, at_most=PROMISES)
    with cluster.local_client(2) as client:
        search(space.isel(n_clients=slice(0, 1)), CHOSEN, client)  # the workers' first import
        seconds, best = timed(functools.partial(search, space, CHOSEN, client))
        worker = max(client.run(peak_mb).values())
    return best, {"run_s": seconds, "worker_mb": worker, "client_mb": peak_mb()}


def rows(best: Any, run: dict[str, float], as_of: str) -> list[dict[str, Any]]:
    """A row per model."""
    found = []
    for model in GRID["model"]:
        here = best.sel(model=model)
        counts = here["count"].sum(["input_tokens", "output_tokens"])
        shares = counts / int(counts.sum())
        price = here["usd_per_mtok"].values
        served = np.isfinite(price)
        chosen = here["accelerator"].values[served].astype(str)
        names, times = np.unique(chosen, return_counts=True)
        outcomes = dict(zip(shares["outcome"].values, shares.values, strict=True))
        found.append(
            {
                "model": model,
                "n_scenarios": int(counts.sum()),
                **PROMISES,
                "rents": ", ".join(f"{name} {usd:.2f}" for name, usd in RENTS.items()),
                "fits_fraction": 1 - float(outcomes["does not fit"]),
                "kept_fraction": float(outcomes["kept"]),
                "n_cells": price.size,
                "served_fraction": float(served.mean()),
                "low_usd_per_mtok": float(price[served].min()),
                "high_usd_per_mtok": float(price[served].max()),
                "accelerator": str(names[times.argmax()]),
                "accelerator_fraction": float(times.max() / served.sum()),
                **run,
                "command": COMMAND,
                "source": "costlib2026space",
                "as_of": as_of,
            }
        )
    return found


def main() -> None:
    """Search, and write the table."""
    best, run = searched()
    path = ROOT / "data" / "space.csv"
    lines = rows(best, run, dt.datetime.now(dt.UTC).date().isoformat())
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(SCHEMA["space.csv"]), lineterminator="\n")
        table.writeheader()
        for line in lines:
            table.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in line.items()})
    print(f"{sum(line['n_scenarios'] for line in lines):,} scenarios in {run['run_s']:.1f} s")


if __name__ == "__main__":
    main()
