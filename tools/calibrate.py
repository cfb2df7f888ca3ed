"""Fit the constants of the serving model to published rows, and score them on rows left out.

    python tools/calibrate.py            print the fit and its scores
    python tools/calibrate.py --write    and write data/calibration.csv and data/left_out.csv

One set of constants serves saturated throughput, time per output token and time to first token.
Each of the first two weighs as much as the other, the third half; the loss is the root of the
absolute log error, so that a few rows far away do not pull. Intervals are the 10 % and 90 %
quantiles of measured over predicted, each row predicted by constants that had not seen its
accelerator, and again its model.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares

from costlib import serve, validate
from costlib.calibration import INTERVALS, LIGHT, Constants
from costlib.effort import Work

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "python tools/calibrate.py --write"
FIRST, LAST = 0.1, 0.9  # quantiles of an 80 % interval
SMALLEST_GROUP = 20
WEIGHT = {"output_tokens_per_s_total": 1.0, "tpot_ms": 1.0, "ttft_ms": 0.5}
IMPOSSIBLE = np.log(100.0)
POWER_INTERVAL = (0.8, 1.25)

# name: start, least, most, unit, meaning
FITTED = {
    "bandwidth_fraction": (0.75, 0.3, 1.0, "", "share of the memory bandwidth that is reached"),
    "compute_fraction": (0.6, 0.2, 0.95, "", "share of the arithmetic peak that is reached"),
    "fp4_fraction": (0.7, 0.2, 1.0, "", "of compute_fraction, where the arithmetic is FP4"),
    "link_fraction": (0.45, 0.05, 1.0, "", "share of the one-way bandwidth of the links"),
    "layer_s": (3e-5, 1e-6, 2e-4, "s", "launches of a layer; two collectives take as long"),
    "sequence_s": (5e-6, 1e-7, 5e-5, "s", "scheduling and sampling of one sequence per step"),
    "request_s": (0.02, 1e-4, 0.3, "s", "network, tokenizer, scheduler; ahead of a prompt"),
    "burst_fraction": (0.08, 0.01, 0.5, "", "share of the others' prompts that stand in front"),
    "engine_factor TensorRT-LLM": (0.8, 0.3, 3.0, "", "on launches and latencies; vLLM is 1"),
    "engine_factor SGLang": (1.15, 0.3, 3.0, "", "on launches and latencies; vLLM is 1"),
}  # fmt: skip
PUBLISHED = {
    "tile_rows": (64.0, "rows", "tile of grouped matrix kernels", "deepgemm2025"),
    "idle_fraction": (0.15, "", "share of the design power drawn idle", "vadari2026parking"),
}  # fmt: skip

Floats = NDArray[np.float64]


class Rows:
    """Rows that can be predicted, each with its scenario once."""

    def __init__(self, path: Path) -> None:
        rows = validate.resolve(validate.read(path))
        rows = rows[(rows["reason"] == "") & rows["metric"].isin(list(WEIGHT))]
        self.rows = rows.reset_index(drop=True)
        distinct = self.rows.drop_duplicates(list(validate.ARGUMENTS))
        keys = pd.MultiIndex.from_frame(distinct[list(validate.ARGUMENTS)])
        self.scenario = keys.get_indexer(
            pd.MultiIndex.from_frame(self.rows[list(validate.ARGUMENTS)])
        )
        self.work = Work(validate.load_of(distinct))
        self.measured = self.rows["measured"].to_numpy()
        self.metric = self.rows["metric"].to_numpy()
        count = self.rows["metric"].value_counts()
        most = float(count.max())
        self.weight = np.array([np.sqrt(WEIGHT[m] * most / count[m]) for m in self.metric])

    def predicted(self, used: Constants) -> Floats:
        """Prediction of every row in the unit of its metric."""
        done = serve.timed(self.work, used)
        out = np.empty(len(self.rows))
        for metric in WEIGHT:
            here = self.metric == metric
            out[here] = np.asarray(validate.METRICS[metric][0](done))[self.scenario[here]]
        return out

    def log_ratio(self, used: Constants) -> Floats:
        """Log of predicted over measured; a hundredfold where it is called impossible."""
        ours = self.predicted(used)
        possible = np.isfinite(ours) & (ours > 0)
        ratio = np.where(possible, ours, 1.0) / self.measured
        logs: Floats = np.where(possible, np.log(ratio), IMPOSSIBLE)
        return logs


def constants_of(values: Floats) -> Constants:
    """Constants in the order of FITTED, with the published ones."""
    named = dict(zip(FITTED, values, strict=True))
    factor = {n.split(" ", 1)[1]: v for n, v in named.items() if " " in n}
    plain: dict[str, Any] = {n: v for n, v in named.items() if " " not in n}
    plain |= {n: row[0] for n, row in PUBLISHED.items()}
    return dataclasses.replace(LIGHT, **plain, engine_factor=factor)


LEAST = np.array([row[1] for row in FITTED.values()])
MOST = np.array([row[2] for row in FITTED.values()])


def fit(
    rows: Rows, kept: NDArray[np.bool_], start: Floats | None = None, turns: int = 40
) -> Floats:
    """Constants, within their bounds, that fit the kept rows best."""
    first = np.array([row[0] for row in FITTED.values()]) if start is None else start

    def bounded(free: Floats) -> Floats:
        inside: Floats = LEAST + (MOST - LEAST) / (1 + np.exp(-np.clip(free, -30, 30)))
        return inside

    def residuals(free: Floats) -> Floats:
        error = rows.log_ratio(constants_of(bounded(free)))[kept]
        pull: Floats = np.sign(error) * np.sqrt(np.abs(error) + 1e-3) * rows.weight[kept]
        return pull

    share = np.clip((first - LEAST) / (MOST - LEAST), 1e-6, 1 - 1e-6)
    return bounded(least_squares(residuals, np.log(share / (1 - share)), max_nfev=turns).x)


def error(log_ratio: Floats) -> Floats:
    """Absolute error as a fraction; 1 where the model calls a row impossible."""
    wrong = np.abs(np.expm1(log_ratio))
    return np.where(log_ratio == IMPOSSIBLE, 1.0, wrong)


def left_out(rows: Rows, start: Floats) -> dict[str, Floats]:
    """Log of predicted over measured of each row, its accelerator or its model left out."""
    found = {}
    for by in ("accelerator", "model"):
        labels = rows.rows[by].to_numpy()
        out = np.empty(len(labels))
        for label in np.unique(labels):
            out_of = labels == label
            out[out_of] = rows.log_ratio(constants_of(fit(rows, ~out_of, start, 12)))[out_of]
            print(f"  without {label:<22}{np.median(error(out[out_of])):7.1%}", flush=True)
        found[by] = out
    return found


def quantiles(log_ratio: Floats) -> tuple[float, float]:
    """Measured over predicted at both ends of the interval."""
    low, high = np.quantile(np.exp(-log_ratio), [FIRST, LAST])
    return float(low), float(high)


def group_scores(rows: Rows, missed: dict[str, Floats]) -> list[dict[str, Any]]:
    """Error and coverage of every group that was left out; intervals come from the others."""
    table = []
    for by, log_ratio in missed.items():
        labels = rows.rows[by].to_numpy()
        for metric in WEIGHT:
            here = rows.metric == metric
            inside_all, error_all = [], []
            for label in np.unique(labels[here]):
                mine = here & (labels == label)
                low, high = quantiles(log_ratio[here & (labels != label)])
                ratio = np.exp(-log_ratio[mine])
                inside = (ratio >= low) & (ratio <= high)
                wrong = error(log_ratio[mine])
                if mine.sum() < SMALLEST_GROUP:
                    continue
                inside_all.append(inside)
                error_all.append(wrong)
                table.append((by, str(label), metric, wrong, inside))
            table.append((by, "all", metric, np.concatenate(error_all), np.concatenate(inside_all)))
    return [
        {
            "left_out": by,
            "group": label,
            "metric": metric,
            "n": len(wrong),
            "median_ape": f"{np.median(wrong):.4f}",
            "mean_ape": f"{wrong.mean():.4f}",
            "coverage_80": f"{inside.mean():.4f}",
            "source": "aiconfigurator2026"
            if metric != "output_tokens_per_s_total"
            else "trtllmdocs2025",
            "as_of": AS_OF,
        }
        for by, label, metric, wrong, inside in table
    ]


AS_OF = "2026-11-21"


def main() -> int:
    """Fit, score, and write if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the two tables")
    write = parser.parse_args().write
    path = ROOT / "data" / "measured.csv"
    rows = Rows(path)
    best = fit(rows, np.full(len(rows.rows), True))
    for name, value in zip(FITTED, best, strict=True):
        print(f"{name:<28}{value:.4g}")
    wrong = error(rows.log_ratio(constants_of(best)))
    for metric in WEIGHT:
        mine = wrong[rows.metric == metric]
        print(f"{metric:<28}n {len(mine)}  median {np.median(mine):.2%}  mean {mine.mean():.1%}")
    missed = left_out(rows, best)
    scores = group_scores(rows, missed)
    for row in scores:
        if row["group"] == "all":
            print(row)
    if write:
        sha = hashlib.sha256(path.read_bytes()).hexdigest()
        both = np.concatenate([missed["accelerator"], missed["model"]])
        metrics = np.concatenate([rows.metric, rows.metric])
        shared = {"command": COMMAND, "rows_sha256": sha, "as_of": AS_OF}
        out = [
            {
                "name": name, "value": f"{value:.6g}", "low": row[1], "high": row[2],
                "unit": row[3], "kind": "fitted", "meaning": row[4],
                "source": "aicsilicon2026;trtllmdocs2025", **shared,
            }
            for (name, row), value in zip(FITTED.items(), best, strict=True)
        ]  # fmt: skip
        out += [
            {
                "name": name, "value": value, "unit": unit, "kind": "published",
                "meaning": meaning, "source": source, **shared,
            }
            for name, (value, unit, meaning, source) in PUBLISHED.items()
        ]  # fmt: skip
        for name, of in zip(INTERVALS, WEIGHT, strict=False):
            for end, value in zip(("low", "high"), quantiles(both[metrics == of]), strict=True):
                meaning = f"measured over predicted {of}, rows left out, {end} end of 80 %"
                out.append(
                    {
                        "name": f"{name}_{end}", "value": f"{value:.4f}", "kind": "residual",
                        "meaning": meaning, "source": "aicsilicon2026;trtllmdocs2025", **shared,
                    }
                )  # fmt: skip
        for end, value in zip(("low", "high"), POWER_INTERVAL, strict=True):
            meaning = f"measured over predicted power, {end} end: a guess, no rows were left out"
            out.append(
                {
                    "name": f"power_w_{end}", "value": value, "kind": "chosen",
                    "meaning": meaning, "source": "mlenergy2026", **shared,
                }
            )  # fmt: skip
        columns = "name value low high unit kind meaning command rows_sha256 source as_of"
        _write(ROOT / "data" / "calibration.csv", columns.split(), out)
        _write(ROOT / "data" / "left_out.csv", list(scores[0]), scores)
    return 0


def _write(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)
    print(f"wrote {path.relative_to(ROOT)}: {len(rows)} rows")


if __name__ == "__main__":
    sys.exit(main())
