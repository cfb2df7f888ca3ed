"""Freeze predictions for configurations that nobody has published yet, to be scored later.

    python tools/forecast.py 2026-11

writes data/forecasts/2026-11.csv and refuses to touch a file that is there: a forecast that can
be changed is none. The rows have the columns of data/measured.csv, with the prediction, its 80 %
interval and its speed of light in place of the value.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from costlib import deploy, serve, validate
from costlib.units import MS_PER_S

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = [
    "id", "software", "model", "gpu", "n_gpus", "tp", "pp_or_ep", "weight_dtype", "isl", "osl",
    "concurrency_or_batch", "metric", "predicted", "low", "high", "light", "unit",
    "calibration_sha256", "made_on",
]  # fmt: skip

# model, accelerator, accelerators, format, engine
RIGS = [
    ("Qwen3.5-397B-A17B", "B300", 8, "nvfp4", "SGLang"),
    ("GLM-5", "B300", 8, "fp8", "SGLang"),
    ("Kimi-K2.5", "GB300", 4, "nvfp4", "vLLM"),
    ("DeepSeek-R1", "GB300", 4, "nvfp4", "TensorRT-LLM"),
    ("gpt-oss-20b", "H100", 1, "mxfp4", "vLLM"),
    ("gpt-oss-20b", "RTX-PRO-6000", 1, "mxfp4", "vLLM"),
    ("Qwen3-Coder-Next", "H100", 4, "fp8", "vLLM"),
    ("Qwen3-Coder-Next", "B200", 2, "fp8", "vLLM"),
    ("Nemotron-3-Nano-30B-A3B", "H100", 1, "fp8", "vLLM"),
    ("Llama-3.3-70B", "MI355X", 1, "fp8", "vLLM"),
    ("Qwen3-32B", "RTX-PRO-6000", 2, "fp8", "vLLM"),
    ("Gemma-3-27B", "L40S", 2, "fp8", "vLLM"),
]
LENGTHS = [(1024, 1024), (8192, 1024)]
CLIENTS = [4, 32, 128]


def forecast(made_on: str) -> pd.DataFrame:
    """Every rig under every load, three metrics each."""
    sha = hashlib.sha256((ROOT / "data" / "calibration.csv").read_bytes()).hexdigest()
    rows = []
    for model, accelerator, number, form, engine in RIGS:
        for isl, osl in LENGTHS:
            load = deploy.scenarios(
                model, accelerator, weight_format=form, engine=engine, n_accelerators=number,
                n_clients=np.array(CLIENTS, dtype=float), input_tokens=isl, output_tokens=osl,
            )  # fmt: skip
            done = serve.prediction(load)
            light = {
                "output_tokens_per_s_total": np.asarray(done.light_tokens_per_s),
                "tpot_ms": MS_PER_S * np.asarray(done.light_tpot_s),
                "ttft_ms": MS_PER_S * np.asarray(done.light_ttft_s),
            }
            fits = np.asarray(done.fits)
            for metric, unit in zip(light, ("tok/s", "ms", "ms"), strict=True):
                values, name = validate.METRICS[metric]
                scale = values(done) / getattr(done, name)
                low, high = (end * scale for end in done.interval[name])
                for i, clients in enumerate(CLIENTS):
                    if not fits[i]:
                        continue
                    rows.append(
                        {
                            "software": engine, "model": model, "gpu": accelerator,
                            "n_gpus": number, "tp": number, "pp_or_ep": "pp1",
                            "weight_dtype": form, "isl": isl, "osl": osl,
                            "concurrency_or_batch": clients, "metric": metric,
                            "predicted": f"{values(done)[i]:.5g}", "low": f"{low[i]:.5g}",
                            "high": f"{high[i]:.5g}", "light": f"{light[metric][i]:.5g}",
                            "unit": unit, "calibration_sha256": sha, "made_on": made_on,
                        }
                    )  # fmt: skip
    table = pd.DataFrame(rows)
    table["id"] = [f"forecast-{number:03d}" for number in range(1, len(table) + 1)]
    return table[COLUMNS]


def main() -> int:
    """Write a forecast once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("month", help="YYYY-MM, the name of the file")
    parser.add_argument("--made-on", required=True, help="YYYY-MM-DD")
    given = parser.parse_args()
    path = ROOT / "data" / "forecasts" / f"{given.month}.csv"
    if path.exists():
        print(f"{path.relative_to(ROOT)}: is frozen; name another month", file=sys.stderr)
        return 2
    path.parent.mkdir(exist_ok=True)
    table = forecast(given.made_on)
    table.to_csv(path, index=False, lineterminator="\n")
    print(f"wrote {path.relative_to(ROOT)}: {len(table)} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
