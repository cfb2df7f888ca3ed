"""Predictions against measurements: `costlib validate FILE.csv` scores any file of benchmarks.

A file has the columns of `data/measured.csv`. No row stops the run: what cannot be predicted is
skipped and counted by reason, and what the model calls impossible counts as wrong by 100 %.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from costlib import catalog, deploy, serve
from costlib._checks import count
from costlib._files import csv_rows
from costlib.calibration import Constants, constants
from costlib.units import MS_PER_S

__all__ = [
    "METRICS",
    "by_group",
    "compare",
    "errors",
    "known_name",
    "load_of",
    "main",
    "read",
    "resolve",
    "scores",
    "shares",
    "table",
    "vintage",
]

Values = Callable[[serve.Prediction], Any]

METRICS: Final[dict[str, tuple[Values, str]]] = {  # and the interval that serves the metric
    "output_tokens_per_s_total": (lambda done: done.tokens_per_s, "tokens_per_s"),
    "tpot_ms": (lambda done: MS_PER_S * done.tpot_s, "tpot_s"),
    "itl_median_ms": (
        lambda done: MS_PER_S * np.where(done.fits, done.step_s, np.inf),
        "tpot_s",
    ),
    "ttft_ms": (lambda done: MS_PER_S * done.ttft_s, "ttft_s"),
    "energy_per_output_token_j": (lambda done: done.output_token_j, "output_token_j"),
    "avg_gpu_power_w_total": (
        lambda done: np.where(done.fits, done.power_w, np.inf),
        "power_w",
    ),
}

# Benchmarks that state their batch but no lengths run chats of about these.
ASSUMED_INPUT_TOKENS: Final = 256
ASSUMED_OUTPUT_TOKENS: Final = 768
LENGTH_FREE: Final = {"itl_median_ms", "energy_per_output_token_j", "avg_gpu_power_w_total"}
POWERED: Final = {"energy_per_output_token_j", "avg_gpu_power_w_total"}
CLIENT_FREE: Final = {"output_tokens_per_s_total"}  # a maximum is measured with clients without end

SMALLEST, LONGEST, MOST_DEVICES = 1e-9, 1e9, 1e6  # beyond these a number is a slip
MOST_ROWS: Final = 200_000

EXTRA: Final = "cells without a column"
COLUMNS: Final = ("model", "gpu", "weight_dtype", "metric", "value")
OPTIONAL: Final = (
    "software", "n_gpus", "tp", "pp_or_ep", "kv_dtype", "isl", "osl", "concurrency_or_batch",
    "source_class", "id", EXTRA,
)  # fmt: skip

_SUFFIX: Final = re.compile(
    r"[-_ ](instruct|chat|it|hf|base|thinking|reasoning|preview|dynamic|kv|fp8|fp4|nvfp4|mxfp4|bf16"
    r"|fp16|int4|int8|awq|gptq|w\d+a\d+|v\d+(\.\d+)*|\d{4}|\d+b[-_]\d+e)$",
    re.IGNORECASE,
)
_DEVICE_WORDS: Final = re.compile(
    r"\b(nvidia|amd|instinct|intel|google|tesla|geforce|blackwell|server|edition|tensor|core|gpu"
    r"|sxm\d?|oam|nvl72|hbm\d?e?|\d+ ?g[ib]?b)\b",
    re.IGNORECASE,
)
_SAME_ARCHITECTURE: Final = {"deepseekv31": "DeepSeek-V3"}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


@functools.cache
def _by_plain(known: tuple[str, ...]) -> Mapping[str, str]:
    return {_plain(name): name for name in known}


def known_name(text: str, known: Sequence[str]) -> str | None:
    """The name of a table that a published name means, or None.

    >>> known_name("meta-llama/Meta-Llama-3.1-70B-Instruct-FP8", ["Llama-3.1-70B"])
    'Llama-3.1-70B'
    >>> known_name("NVIDIA H100 80GB HBM3", ["H100", "H200"])
    'H100'
    """
    by_plain = _by_plain(tuple(known))
    bare = text.strip().rsplit("/", 1)[-1]
    while True:
        for form in (bare, re.sub(r"^(meta|nvidia|mistralai|openai)[-_ ]", "", bare, flags=re.I)):
            plain = _plain(form)
            if plain in by_plain:
                return by_plain[plain]
            if plain in _SAME_ARCHITECTURE and _SAME_ARCHITECTURE[plain] in known:
                return _SAME_ARCHITECTURE[plain]
        shorter = _SUFFIX.sub("", bare)
        if shorter == bare:
            break
        bare = shorter
    words = _DEVICE_WORDS.sub(" ", re.sub(r"[-_]", " ", text))
    return by_plain.get(_plain(words))


def read(path: Path) -> pd.DataFrame:
    """A file of measurements, every cell a text.

    Raises
    ------
    ValueError
        If it is not a readable CSV table, or lacks a column that says what was measured.
    """
    with csv_rows(path, ValueError) as lines:
        _, header = next(lines)
        if missing := [column for column in COLUMNS if column not in header]:
            raise ValueError(f"{path}: lacks the column {', '.join(missing)}")
        same: dict[str, str] = {}  # one copy of what many cells hold
        rows: list[list[str]] = []
        for _, cells in lines:
            if len(rows) == MOST_ROWS:
                raise ValueError(f"{path}: expected {MOST_ROWS:,} rows at most")
            whole = [same.setdefault(cell, cell) for cell in cells[: len(header)]]
            whole += [""] * (len(header) - len(cells))
            rows.append([*whole, "yes" if len(cells) > len(header) else ""])
    return pd.DataFrame(rows, columns=[*header, EXTRA], dtype=object)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _layout(row: Mapping[str, str]) -> tuple[float, float, float, float]:
    """Accelerators, stages, replicas and expert groups of a row; NaN where they make no sense."""
    parts = {key: float(n) for key, n in re.findall(r"(pp|dp|ep)(\d+)", row["pp_or_ep"].lower())}
    stages, replicas, groups = (parts.get(key, 1.0) for key in ("pp", "dp", "ep"))
    width = _number(row["tp"])
    devices = _number(row["n_gpus"])
    if np.isnan(devices):
        devices = (1.0 if np.isnan(width) else width) * stages * replicas
    sound = 1 <= devices <= MOST_DEVICES and min(stages, replicas, groups) >= 1
    sound = sound and not any(devices % part for part in (stages * replicas, stages * groups))
    if not (sound and float(devices).is_integer()):
        devices = float("nan")
    return devices, stages, replicas, groups


def _engine(software: str) -> str:
    start = software.strip().lower()
    for engine in catalog.engines().values():
        if start.startswith(engine.software):
            return engine.name
    return "vLLM"


def _format(dtype: str, model: catalog.Model) -> str | None:
    try:
        found = catalog.format_named(dtype).name
    except LookupError:
        return None
    native = found == "nvfp4" and model.native_bits < 4.5
    return "mxfp4" if native else found


def _resolve(row: Mapping[str, str]) -> dict[str, Any] | str:
    """Arguments of a scenario, or the reason why there is none."""
    metric, value = row["metric"], _number(row["value"])
    if row[EXTRA]:
        return "more cells than columns"
    if metric not in METRICS:
        return f"metric not scored: {metric}"
    if row["source_class"].endswith("suspect"):
        return "marked suspect"
    model = known_name(row["model"], list(catalog.models()))
    if model is None:
        return "model unknown"
    accelerator = known_name(row["gpu"], list(catalog.accelerators()))
    if accelerator is None:
        return "accelerator unknown"
    if not row["weight_dtype"] or row["weight_dtype"].startswith("unstated"):
        return "format not stated"
    form = _format(row["weight_dtype"], catalog.model(model))
    if form is None:
        return "format unknown"
    if not SMALLEST < value < np.inf:
        return "value not a number above 0"
    devices, stages, replicas, groups = _layout(row)
    if np.isnan(devices):
        return "layout unclear"
    if devices > 1 and np.isnan(catalog.accelerator(accelerator).link_bytes_per_s):
        return "links unknown"
    if np.isnan(catalog.accelerator(accelerator).peak_flop_per_s["bf16"]):
        return "peak unknown"
    if metric in POWERED and np.isnan(catalog.accelerator(accelerator).tdp_w):
        return "board power unknown"
    clients = _number(row["concurrency_or_batch"])
    lengths = [_number(row["isl"]), _number(row["osl"])]
    if any(np.isnan(lengths)) and (metric in LENGTH_FREE or clients > 0):
        lengths = [ASSUMED_INPUT_TOKENS, ASSUMED_OUTPUT_TOKENS]
    if not all(1 <= length <= LONGEST for length in lengths):
        return "lengths not stated"
    if np.isnan(clients) and metric in CLIENT_FREE:
        clients = np.inf
    if not clients >= 1 or LONGEST < clients < np.inf:
        return "concurrency not stated"
    wide = row["kv_dtype"].lower().startswith(("fp16", "bf16", "f16", "float16"))
    narrow = row["kv_dtype"].lower().startswith(("fp8", "int8", "e4m3", "e5m2"))
    bits = catalog.format_named(form).weight_bits
    return {
        "model": model,
        "accelerator": accelerator,
        "weight_format": form,
        "engine": _engine(row["software"]),
        "cache_bits": 16.0 if wide else 8.0 if narrow or bits <= 8 else 16.0,
        "n_accelerators": devices,
        "pipeline_stages": stages,
        "attention_replicas": replicas,
        "expert_groups": groups,
        "n_clients": clients,
        "input_tokens": lengths[0],
        "output_tokens": lengths[1],
    }


def resolve(rows: pd.DataFrame) -> pd.DataFrame:
    """Scenario of each row, with `metric`, `measured`, and `reason` where there is none."""
    full = rows.reindex(columns=[*COLUMNS, *OPTIONAL], fill_value="").map(str.strip)
    known: dict[tuple[str, ...], dict[str, Any] | str] = {}
    found = []
    decisive = [column for column in full.columns if column not in {"id", "value"}]
    for record in full.to_dict("records"):
        cells = {str(column): str(cell) for column, cell in record.items()}
        positive = "1" if SMALLEST < _number(cells["value"]) < np.inf else ""
        key = (*(cells[column] for column in decisive), positive)
        if key not in known:
            known[key] = _resolve({**cells, "value": positive})
        one = known[key]
        arguments = {"reason": one} if isinstance(one, str) else {"reason": "", **one}
        given = {"measured": _number(cells["value"]), "metric": cells["metric"]}
        given |= {"id": cells["id"], "software": cells["software"]}
        found.append({**given, "source_class": cells["source_class"], **arguments})
    columns = [*LABELS, *ARGUMENTS]
    return pd.DataFrame(found, index=rows.index).reindex(columns=columns)


LABELS: Final = ("id", "software", "source_class", "metric", "measured", "reason")
ARGUMENTS: Final = (
    "model", "accelerator", "weight_format", "engine", "cache_bits", "n_accelerators",
    "pipeline_stages", "attention_replicas", "expert_groups", "n_clients", "input_tokens",
    "output_tokens",
)  # fmt: skip


def load_of(resolved: pd.DataFrame) -> deploy.Scenarios:
    """Scenarios of rows that have no reason against them."""
    arguments: dict[str, Any] = {name: resolved[name].to_numpy() for name in ARGUMENTS}
    return deploy.scenarios(**arguments)


def compare(rows: pd.DataFrame, used: Constants | None = None) -> pd.DataFrame:
    """Each row with what is predicted, its 80 % interval, and the reason where it is skipped."""
    used = constants() if used is None else used
    out = resolve(rows)
    out["predicted"], out["low"], out["high"] = np.nan, np.nan, np.nan
    scored = out["reason"] == ""
    if scored.any():
        done = serve.prediction(load_of(out[scored]), used)
        for metric, (values, interval) in METRICS.items():
            here = (out.loc[scored, "metric"] == metric).to_numpy()
            ours = np.asarray(values(done))[here]
            low, high = used.interval.get(interval, (1.0, 1.0))
            index = out.index[scored][here]
            out.loc[index, "predicted"] = ours
            out.loc[index, "low"], out.loc[index, "high"] = ours * low, ours * high
    return out


def scores(compared: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Errors by metric as fractions, and skipped rows by reason."""
    found: dict[str, dict[str, Any]] = {}
    for metric in METRICS:
        rows = compared[compared["metric"] == metric]
        scored = rows[rows["reason"] == ""]
        if rows.empty:
            continue
        measured, ours = scored["measured"].to_numpy(), scored["predicted"].to_numpy()
        possible = np.isfinite(ours) & (ours > 0)
        signed = np.where(possible, np.where(possible, ours, 1.0) / measured - 1.0, -1.0)
        error = np.abs(signed)
        inside = possible & (measured >= scored["low"]) & (measured <= scored["high"])
        some = len(scored) > 0
        found[metric] = {
            "n": len(scored),
            "n_skipped": len(rows) - len(scored),
            "median_ape": float(np.median(error)) if some else None,
            "mean_ape": float(error.mean()) if some else None,
            "within_20": float((error <= 0.2).mean()) if some else None,
            "bias": float(np.median(signed)) if some else None,
            "coverage_80": float(inside.mean()) if some else None,
        }
    reasons = compared.loc[compared["reason"] != "", "reason"].value_counts()
    found["skipped"] = {str(reason): int(n) for reason, n in reasons.items()}
    return found


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The scores as text."""
    lines = [
        f"{'metric':<28}{'n':>7}{'skipped':>9}{'median':>9}{'mean':>9}{'in 20 %':>9}"
        f"{'bias':>9}{'cover':>9}"
    ]
    for metric, score in found.items():
        if metric == "skipped":
            continue
        cells = "".join(
            f"{'-' if score[key] is None else format(score[key], '.1%'):>9}"
            for key in ("median_ape", "mean_ape", "within_20", "bias", "coverage_80")
        )
        lines.append(f"{metric:<28}{score['n']:>7}{score['n_skipped']:>9}{cells}")
    skipped = found["skipped"]
    lines += [f"skipped {n:>7}  {reason}" for reason, n in skipped.items()]
    return "\n".join(lines)


# --- where the errors lie ------------------------------------------------------------------------


def errors(compared: pd.DataFrame) -> pd.DataFrame:
    """Rows that were scored, with `ratio` (predicted over measured) and `ape`, 1 if impossible."""
    scored = compared[compared["reason"] == ""].copy()
    ratio = scored["predicted"] / scored["measured"]
    possible = np.isfinite(ratio) & (ratio > 0)
    scored["ratio"] = ratio.where(possible, 0.0)
    scored["ape"] = (scored["ratio"] - 1.0).abs()
    return scored


def by_group(compared: pd.DataFrame, by: str, *, least: int = 1) -> pd.DataFrame:
    """Median error and median ratio of each metric in each group of at least `least` rows."""
    least = count("least", least)
    rows = errors(compared).groupby(["metric", by], sort=True)
    found = rows.agg(n=("ape", "size"), median_ape=("ape", "median"), ratio=("ratio", "median"))
    return found[found["n"] >= least].reset_index().rename(columns={by: "group"})


def vintage(compared: pd.DataFrame) -> pd.Series[float]:
    """Change of the same configuration from one release of its engine to the next, as a share."""
    rows = errors(compared)
    rows = rows[rows["metric"] == "output_tokens_per_s_total"].sort_values("software")
    same = rows.groupby(list(ARGUMENTS))["measured"]
    change = (rows["measured"] / same.shift() - 1.0).dropna()
    return change[change != 0]


def shares(compared: pd.DataFrame) -> pd.DataFrame:
    """What links, launches and other prompts take of the time per output token of each row."""
    rows = errors(compared)
    rows = rows[rows["metric"] == "tpot_ms"]
    done = serve.prediction(load_of(rows))
    each = np.asarray(done.tpot_s)
    return pd.DataFrame(
        {
            "links": np.asarray(done.terms_s["links"]) / each,
            "launches": np.asarray(done.terms_s["launches"] + done.terms_s["sequences"]) / each,
            "prompts": 1.0 - np.asarray(done.step_s) / each,
            "beyond_memory": np.asarray(rows["n_clients"] > done.capacity_users, dtype=np.float64),
        },
        index=rows.index,
    )


# --- the command ----------------------------------------------------------------------------------


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("file", type=Path, help="CSV with the columns of data/measured.csv")
    parser.add_argument("--json", action="store_true", help="scores as JSON, errors as fractions")


def text(chosen: argparse.Namespace) -> str:
    """What the command prints."""
    found = scores(compare(read(chosen.file)))
    return json.dumps(found, indent=2) if chosen.json else table(found)


def main(given: Sequence[str] | None = None) -> int:
    """Score a file; a mistake ends in one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="costlib validate", description="Score the model.")
    arguments(parser)
    chosen = parser.parse_args(given)
    try:
        print(text(chosen), flush=True)
    except (LookupError, ValueError) as why:
        print(f"costlib validate: {why}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
