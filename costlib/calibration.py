"""What machines reach of their peaks: the constants that a script fitted, and the light."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from costlib import catalog, tables

__all__ = ["INTERVALS", "LIGHT", "Constants", "constants"]

INTERVALS: Final = ("tokens_per_s", "tpot_s", "ttft_s", "power_w")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What a machine reaches of its peaks and spends besides: `data/calibration.csv`."""

    bandwidth_fraction: float
    compute_fraction: float
    fp4_fraction: float  # of the share above, where the arithmetic is FP4
    link_fraction: float
    layer_s: float  # launches of one layer; a pair of collectives costs as much
    sequence_s: float  # scheduling and sampling of one sequence
    request_s: float
    burst_fraction: float
    engine_factor: Mapping[str, float]  # on launches and latencies
    idle_fraction: float
    tile_rows: float
    interval: Mapping[str, tuple[float, float]]  # measured over predicted, 10 % and 90 %


LIGHT: Final = Constants(
    bandwidth_fraction=1.0,
    compute_fraction=1.0,
    fp4_fraction=1.0,
    link_fraction=1.0,
    layer_s=0.0,
    sequence_s=0.0,
    request_s=0.0,
    burst_fraction=0.0,
    engine_factor={},
    idle_fraction=0.0,
    tile_rows=0.0,
    interval={},
)


@functools.cache
def constants(path: Path | None = None) -> Constants:
    """Calibrated constants, from `data/calibration.csv` or a table of your own like it.

    Raises
    ------
    TableError
        If the table lacks a constant.

    >>> 0.5 < constants().bandwidth_fraction < 1
    True
    """
    rows = {row["name"]: row["value"] for row in tables.rows("calibration.csv", path)}
    plain = [name for name in Constants.__slots__ if name not in {"engine_factor", "interval"}]
    wanted = [*plain, *(f"{m}_{end}" for m in INTERVALS for end in ("low", "high"))]
    if missing := [name for name in wanted if name not in rows]:
        raise tables.TableError(f"calibration.csv: lacks {', '.join(missing)}")
    interval = {m: (rows[f"{m}_low"], rows[f"{m}_high"]) for m in INTERVALS}
    # Energy is power over throughput: both are uncertain, and apart from each other.
    apart = np.log([interval["power_w"], interval["tpot_s"]])
    low, high = np.exp(np.array([-1.0, 1.0]) * np.hypot(*apart))
    interval["output_token_j"] = (float(low), float(high))
    return Constants(
        engine_factor={
            engine.name: rows.get(f"engine_factor {engine.name}", 1.0)
            for engine in catalog.engines().values()
        },
        interval=interval,
        **{name: rows[name] for name in plain},
    )
