"""Count what two models got right, query by query, into `data/router_results.csv`.

    python tools/router_results.py FOLDER            clones `RouteLLM`, `FastChat` and `RouterArena`
    python tools/router_results.py FOLDER --extracts tables cut from them, one query a row

The repositories are not part of this project: RouteLLM (lm-sys, Apache-2.0), of whose answers and
judgements only right, wrong and marks are used; FastChat (lm-sys, Apache-2.0), for the questions
of MT-Bench; RouterArena (RouteWorks, Apache-2.0). Queries that RouteLLM found among its own
training data are left out, as its paper does. Nothing of a prompt or an answer is kept but the
length of the prompt, and of that only which twelfth of its benchmark it falls into.

Extracts are `routellm_perquery.csv` (bench, domain, strong, weak, plen: characters of the prompt),
`routellm_mtbench_perquestion.csv` (question_id, strong, weak: mean mark of two turns) and
`routerarena_perquery.csv` (model, id, out_tok, score, cost). The checksum of every file read is
printed; the table is compared with what stands in `data/` and written.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "data" / "router_results.csv"
STRONG: Final = "gpt-4-1106-preview"
WEAK: Final = "mixtral-8x7b-instruct-v0.1"
DEAR: Final = "claude-3-haiku-20240307"
CHEAP: Final = "gemini-2.0-flash-001"
N_BINS: Final = 12  # of prompt lengths
ORIGIN: Final = {
    "MMLU": ("routellm2024code", "2024-08"),
    "GSM8K": ("routellm2024code", "2024-08"),
    "MT-Bench": ("routellm2024code", "2024-08"),
    "RouterArena": ("routerarena2025code", "2026-11"),
}
# questions of MT-Bench that contaminated_prompts.jsonl of RouteLLM names (eval_idx counts from 81)
SEEN: Final = (81, 88, 91, 92, 101, 104, 120, 122)
CATEGORIES: Final = (  # of MT-Bench, ten questions each, from 81 on
    *("writing", "roleplay", "reasoning", "math"),
    *("coding", "extraction", "stem", "humanities"),
)


def told(path: Path) -> Path:
    """The path, once its checksum is printed; ends the run in one line if there is no file."""
    if not path.is_file():
        sys.exit(f"{path}: not found; expected it in the folder that was given")
    print(hashlib.sha256(path.read_bytes()).hexdigest(), path.name)
    return path


# --- one query a row -------------------------------------------------------------------------


def from_clones(folder: Path) -> pd.DataFrame:
    """Queries of all benchmarks, from clones of the repositories."""
    evals = folder / "RouteLLM" / "routellm" / "evals"
    parts = []
    for bench, place, files in (
        ("GSM8K", "gsm8k", [evals / "gsm8k" / "gsm8k_responses.csv"]),
        ("MMLU", "mmlu", sorted((evals / "mmlu" / "responses").glob("mmlu_*.csv"))),
    ):
        seen = pd.read_json(told(evals / place / "contaminated_prompts.jsonl"), lines=True)
        for path in files:
            rows = pd.read_csv(told(path))
            rows = rows[~rows["prompt"].isin(seen["eval_prompt"])]
            parts.append(
                pd.DataFrame(
                    {
                        "bench": bench,
                        "subject": "" if bench == "GSM8K" else path.stem.removeprefix("mmlu_"),
                        "strong": rows[STRONG].astype(float),
                        "weak": rows[WEAK].astype(float),
                        "chars": rows["prompt"].str.len(),
                    }
                )
            )
    marks = pd.read_json(told(evals / "mt_bench" / "judgements.jsonl"), lines=True)
    marks = marks.pivot_table(index="question_id", columns="model", values="score")
    parts.append(judged(marks.rename(columns={STRONG: "strong", WEAK: "weak"}).reset_index()))
    cached = folder / "RouterArena" / "cached_results"
    answers = []
    for model in (DEAR, CHEAP):
        rows = pd.read_json(told(cached / f"{model}.jsonl"), lines=True)
        graded = pd.DataFrame(rows["evaluation_result"].tolist())
        tokens = pd.DataFrame(rows["token_usage"].tolist())
        answers.append(
            pd.DataFrame(
                {
                    "model": model,
                    "id": rows["global_index"],
                    "out_tok": tokens["output_tokens"],
                    "score": graded["score"],
                    "cost": graded["inference_cost"],
                }
            )
        )
    parts.append(paired(pd.concat(answers)))
    return pd.concat(parts, ignore_index=True)


def from_extracts(folder: Path) -> pd.DataFrame:
    """The same from tables that were cut from the repositories before."""
    rows = pd.read_csv(told(folder / "routellm_perquery.csv"))
    known = rows.assign(
        bench=rows["bench"].str.upper(),
        subject=rows["domain"].where(rows["bench"] == "mmlu", ""),
        chars=rows["plen"],
    )[["bench", "subject", "strong", "weak", "chars"]]
    marks = pd.read_csv(told(folder / "routellm_mtbench_perquestion.csv"))
    arena = pd.read_csv(told(folder / "routerarena_perquery.csv"))
    return pd.concat([known, judged(marks), paired(arena)], ignore_index=True)


def judged(marks: pd.DataFrame) -> pd.DataFrame:
    """Questions of MT-Bench with their category, without those that were trained on."""
    marks = marks[~marks["question_id"].isin(SEEN)]
    category = [CATEGORIES[(number - 81) // 10] for number in marks["question_id"]]
    return marks.assign(bench="MT-Bench", subject=category)[["bench", "subject", "strong", "weak"]]


def paired(rows: pd.DataFrame) -> pd.DataFrame:
    """RouterArena: both models' answers to a query side by side; its data set is the subject."""
    wide = rows.pivot_table(index="id", columns="model", values=["score", "cost", "out_tok"])
    return pd.DataFrame(
        {
            "bench": "RouterArena",
            "subject": wide.index.str.replace(r"_.*", "", regex=True),
            **{
                f"{role}{suffix}": wide[column, model].to_numpy()
                for role, model in (("strong", DEAR), ("weak", CHEAP))
                for suffix, column in (("", "score"), ("_usd", "cost"), ("_tokens", "out_tok"))
            },
        }
    )


# --- counts ----------------------------------------------------------------------------------


def counted(queries: pd.DataFrame) -> pd.DataFrame:
    """Counts and sums by benchmark, subject, twelfth of the lengths and outcome."""
    parts = []
    for bench, rows in queries.groupby("bench", sort=True):
        sums = rows[["subject"]].assign(n=1, prompt_chars="")
        if rows["chars"].notna().all():
            edges = np.unique(np.quantile(rows["chars"], np.arange(N_BINS) / N_BINS).round())
            place = np.maximum(np.digitize(rows["chars"], edges) - 1, 0)
            sums["prompt_chars"] = [f"{edges[at]:.0f}" for at in place]
        for role in ("strong", "weak"):
            sums[f"{role}_score"] = rows[role]
            sums[f"{role}_usd"] = rows[f"{role}_usd"]
            sums[f"{role}_output_tokens"] = rows[f"{role}_tokens"]
        limit = 0.5 if bench == "RouterArena" else None  # marks between 0 and 1 are right or wrong
        keys = [rows[role] if limit is None else rows[role] >= limit for role in ("strong", "weak")]
        grouped = sums.groupby(
            [sums["subject"], sums["prompt_chars"], *(key.rename(f"k{i}") for i, key in
             enumerate(keys))]
        )  # fmt: skip
        table = grouped.sum(numeric_only=True, min_count=1).reset_index()
        source, as_of = ORIGIN[str(bench)]
        parts.append(table.assign(bench=bench, source=source, as_of=as_of))
    table = pd.concat(parts, ignore_index=True)
    order = table["prompt_chars"].replace("", "0").astype(int)
    table = table.assign(order=order).sort_values(
        ["bench", "subject", "order", "k0", "k1"], ignore_index=True, kind="stable"
    )
    for column in ("strong_score", "weak_score"):
        table[column] = [f"{value:.6g}" for value in table[column]]
    for column in ("strong_usd", "weak_usd"):
        table[column] = ["" if np.isnan(value) else f"{value:.6g}" for value in table[column]]
    for column in ("strong_output_tokens", "weak_output_tokens"):
        table[column] = ["" if np.isnan(value) else f"{value:.0f}" for value in table[column]]
    return table[
        [
            *("bench", "subject", "prompt_chars", "n", "strong_score", "weak_score"),
            *("strong_usd", "weak_usd", "strong_output_tokens", "weak_output_tokens"),
            *("source", "as_of"),
        ]
    ]


def main(arguments: list[str] | None = None) -> None:
    """Read, count, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--extracts", action="store_true", help="tables cut before, not clones")
    parser.add_argument("--table", type=Path, default=TABLE)
    given = parser.parse_args(arguments)
    table = counted((from_extracts if given.extracts else from_clones)(given.folder))
    text = table.to_csv(index=False, lineterminator="\n")
    old = given.table.read_text("utf-8") if given.table.exists() else ""
    given.table.write_text(text, "utf-8")
    said = "as before" if text == old else "changed" if old else "new"
    print(f"{given.table.name}: {len(table)} rows, {table['n'].sum()} queries; {said}")


if __name__ == "__main__":
    main()
