"""Scoring a file of measurements: what a row means, what is skipped, and the errors."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import catalog, cli, validate

seeded = settings(derandomize=True, deadline=None)

GOOD = {
    "id": "a-1",
    "software": "vllm 0.10",
    "model": "Llama-3.1-8B",
    "gpu": "H100",
    "n_gpus": "1",
    "tp": "1",
    "pp_or_ep": "",
    "weight_dtype": "fp8",
    "kv_dtype": "",
    "isl": "1000",
    "osl": "1000",
    "concurrency_or_batch": "16",
    "metric": "tpot_ms",
    "value": "9",
    "source_class": "inferencex_slo",
}
SCORE_KEYS = ["n", "n_skipped", "median_ape", "mean_ape", "within_20", "bias", "coverage_80"]


def frame(*rows):
    return pd.DataFrame([GOOD | row for row in rows], dtype=str)


def written(path, *rows):
    frame(*rows).to_csv(path, index=False)
    return str(path)


def reason(**cells):
    return validate.resolve(frame(cells))["reason"].item()


def resolved(**cells):
    found = validate.resolve(frame(cells)).iloc[0]
    assert found["reason"] == ""
    return found


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("published", "name"),
    [
        ("meta-llama/Meta-Llama-3.1-70B-Instruct-FP8", "Llama-3.1-70B"),
        ("meta-llama/Llama-3.3-70B-Instruct", "Llama-3.3-70B"),
        ("nvidia/Llama-3.3-70B-Instruct-FP4", "Llama-3.3-70B"),
        ("Qwen3-235B-A22B-Instruct-2507", "Qwen3-235B-A22B"),
        ("Qwen/Qwen3-30B-A3B-Thinking-2507-FP8", "Qwen3-30B-A3B"),
        ("nvidia/DeepSeek-R1-0528-FP4-v2", "DeepSeek-R1"),
        ("deepseek-ai/DeepSeek-R1-0528", "DeepSeek-R1"),
        ("DeepSeek-V3.1", "DeepSeek-V3"),
        ("deepseek-ai/DeepSeek-V3-0324", "DeepSeek-V3"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("GPT OSS 20B", "gpt-oss-20b"),
        ("Llama-4-Maverick-17B-128E-Instruct-FP8", "Llama-4-Maverick"),
        ("Mixtral-8x7B-Instruct-v0.1", "Mixtral-8x7B"),
        ("llama_3.1_8b", "Llama-3.1-8B"),
    ],
)
def test_a_published_name_means_a_model(published, name):
    assert validate.known_name(published, list(catalog.models())) == name


@pytest.mark.parametrize(
    ("published", "name"),
    [
        ("H100PCIe", "H100-PCIe"),
        ("A100PCIe", "A100-PCIe"),
        ("h200_sxm", "H200"),
        ("NVIDIA B200-SXM-180GB", "B200"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("AMD Instinct MI300X", "MI300X"),
        ("RTX PRO 6000 Blackwell Server Edition", "RTX-PRO-6000"),
        ("NVIDIA GeForce RTX 4090", "RTX-4090"),
        ("GB200 NVL72", "GB200"),
        ("L40S", "L40S"),
    ],
)
def test_a_published_name_means_an_accelerator(published, name):
    assert validate.known_name(published, list(catalog.accelerators())) == name


@pytest.mark.parametrize(
    "published",
    [
        "",
        " ",
        "-",
        "Llama-5-70B",
        "Llama-3.1",
        "DeepSeek",
        "DeepSeek-V3.2",
        "instruct",
        "70B",
        "Kimi-K2",
    ],
)
def test_another_model_is_not_taken_for_one_that_is_known(published):
    assert validate.known_name(published, list(catalog.models())) is None


@pytest.mark.parametrize("published", ["", "NVIDIA", "80GB", "H1000", "B100", "MI300", "H100 H200"])
def test_another_device_is_not_taken_for_one_that_is_known(published):
    assert validate.known_name(published, list(catalog.accelerators())) is None


@pytest.mark.parametrize("table", [catalog.models, catalog.accelerators])
def test_every_name_of_a_table_means_itself(table):
    known = list(table())
    assert [validate.known_name(name, known) for name in known] == known


# --- what a row means ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "layout"),  # accelerators, stages, replicas, groups
    [
        ({"n_gpus": "8", "tp": "8", "pp_or_ep": ""}, (8, 1, 1, 1)),
        ({"n_gpus": "8", "tp": "4", "pp_or_ep": "pp2"}, (8, 2, 1, 1)),
        ({"n_gpus": "8", "tp": "1", "pp_or_ep": "dp8 ep8"}, (8, 1, 8, 8)),
        ({"n_gpus": "8", "tp": "8", "pp_or_ep": "EP8"}, (8, 1, 1, 8)),
        ({"n_gpus": "", "tp": "4", "pp_or_ep": "pp2"}, (8, 2, 1, 1)),
        ({"n_gpus": "", "tp": "", "pp_or_ep": ""}, (1, 1, 1, 1)),
        ({"n_gpus": "8", "tp": "8", "pp_or_ep": "moetp4"}, (8, 1, 1, 1)),
    ],
)
def test_a_layout_is_read(cells, layout):
    found = resolved(model="DeepSeek-V3", gpu="B200", **cells)
    fields = ("n_accelerators", "pipeline_stages", "attention_replicas", "expert_groups")
    assert tuple(found[field] for field in fields) == layout


@pytest.mark.parametrize(
    ("weights", "cache", "bits"),
    [
        ("fp16", "", 16),
        ("fp8", "", 8),
        ("fp8", "fp16", 16),
        ("fp8", "BF16 (default)", 16),
        ("bf16", "fp8_e4m3", 8),
        ("fp8", "auto", 8),
    ],
)
def test_the_cache_is_as_stated_or_follows_the_weights(weights, cache, bits):
    assert resolved(weight_dtype=weights, kv_dtype=cache)["cache_bits"] == bits


@pytest.mark.parametrize(("model", "form"), [("gpt-oss-120b", "mxfp4"), ("DeepSeek-R1", "nvfp4")])
def test_fp4_is_what_the_checkpoint_has(model, form):
    found = resolved(model=model, gpu="B200", n_gpus="8", tp="8", weight_dtype="fp4")
    assert found["weight_format"] == form


@pytest.mark.parametrize(
    ("software", "engine"),
    [("TRTLLM 1.1", "TensorRT-LLM"), ("sglang", "SGLang"), ("vLLM v0.9", "vLLM"), ("own", "vLLM")],
)
def test_an_engine_is_known_by_how_its_name_starts(software, engine):
    assert resolved(software=software)["engine"] == engine


@pytest.mark.parametrize("metric", ["energy_per_output_token_j", "avg_gpu_power_w_total"])
def test_a_batch_without_lengths_is_a_chat(metric):
    found = resolved(metric=metric, isl="", osl="")
    assert found["input_tokens"] == validate.ASSUMED_INPUT_TOKENS
    assert found["output_tokens"] == validate.ASSUMED_OUTPUT_TOKENS
    assert found["n_clients"] == 16


def test_only_a_maximum_may_leave_its_clients_out():
    found = resolved(metric="output_tokens_per_s_total", concurrency_or_batch="")
    assert found["n_clients"] == np.inf
    assert reason(metric="tpot_ms", concurrency_or_batch="") == "concurrency not stated"


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"metric": "joy"}, "metric not scored: joy"),
        ({"source_class": "vendor_suspect"}, "marked suspect"),
        ({"model": "Llama-9"}, "model unknown"),
        ({"gpu": "Z80"}, "accelerator unknown"),
        ({"weight_dtype": ""}, "format not stated"),
        ({"weight_dtype": "unstated(bf16?)"}, "format not stated"),
        ({"weight_dtype": "fp3"}, "format unknown"),
        ({"value": ""}, "value not a number above 0"),
        ({"value": "0"}, "value not a number above 0"),
        ({"value": "-3"}, "value not a number above 0"),
        ({"value": "n/a"}, "value not a number above 0"),
        ({"value": "nan"}, "value not a number above 0"),
        # Once wrong: taken for a measurement that every prediction misses by 100 %.
        ({"value": "inf"}, "value not a number above 0"),
        ({"n_gpus": "0"}, "layout unclear"),
        ({"n_gpus": "1.5"}, "layout unclear"),
        ({"n_gpus": "inf"}, "layout unclear"),
        ({"n_gpus": "8", "pp_or_ep": "pp3"}, "layout unclear"),
        ({"n_gpus": "8", "pp_or_ep": "pp0"}, "layout unclear"),
        ({"gpu": "Trainium2", "n_gpus": "2"}, "links unknown"),
        ({"isl": "", "concurrency_or_batch": ""}, "lengths not stated"),
        ({"concurrency_or_batch": ""}, "concurrency not stated"),
        ({"concurrency_or_batch": "0"}, "concurrency not stated"),
        ({"osl": "0"}, "lengths not stated"),
    ],
)
def test_a_row_that_cannot_be_predicted_is_told_why(cells, told):
    assert reason(**cells) == told


def test_one_value_of_two_equal_rows_does_not_decide_for_the_other():
    found = validate.resolve(frame({"value": "9"}, {"value": "-9"}, {"value": "8"}))
    assert found["reason"].tolist() == ["", "value not a number above 0", ""]
    assert found["measured"].tolist() == [9, -9, 8]


# --- a file ----------------------------------------------------------------------------------

ODD = {
    "model": ["Llama-3.1-8B", "DeepSeek-R1", "?", ""],
    "gpu": ["H100", "b200", "GB200 NVL72", "Trainium2", "Gaudi-3", "abacus"],
    "n_gpus": ["", "1", "8", "72", "-1", "many"],
    "tp": ["", "1", "8", "0", "1e400"],
    "pp_or_ep": ["", "pp2", "dp8ep8", "pp0dp0", "ep99999999999999999999", "?!"],
    "weight_dtype": ["fp8", "fp4", "int4", "", "unstated", "fp7"],
    "kv_dtype": ["", "fp8", "abc"],
    "isl": ["", "1", "1000", "-1", "0.5", "nan", "1e6", "1,000"],
    "osl": ["", "1", "1000", "0", "x"],
    "concurrency_or_batch": ["", "1", "64", "inf", "1e9", "0", "-2", "all"],
    "metric": [*validate.METRICS, "", "joy"],
    "value": ["1", "1e6", "0", "", "x"],
    "source_class": ["", "suspect", "x_suspect"],
    "software": ["", "vllm", "trtllm", "sglang", "ünï"],
}
odd_rows = st.fixed_dictionaries({column: st.sampled_from(few) for column, few in ODD.items()})


@seeded
@given(st.lists(odd_rows, min_size=1, max_size=20))
def test_no_row_stops_the_run_or_gets_lost(rows):
    compared = validate.compare(pd.DataFrame(rows, dtype=str))
    found = validate.scores(compared)
    scored = sum(score["n"] for name, score in found.items() if name != "skipped")
    assert scored + sum(found["skipped"].values()) == len(rows)
    assert not compared.loc[compared["reason"] == "", "predicted"].isna().any()
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    "cells",
    [
        # Bugs when written: each of these ended the whole run.
        {"gpu": "TPU-v5e"},
        {"gpu": "Trainium3"},
        {"isl": "inf"},
        {"osl": "inf"},
        {"isl": "1e200"},
        {"osl": "1e300"},
        {"n_gpus": "1e300"},
        {"value": "1e-320"},
    ],
    ids=lambda cells: "-".join(*cells.items()),
)
def test_a_row_beyond_reason_stops_no_other(cells):
    found = validate.scores(validate.compare(frame({}, cells)))
    assert found["tpot_ms"]["n"] >= 1
    assert found["tpot_ms"]["n"] + found["tpot_ms"]["n_skipped"] == 2


def test_a_file_of_garbage_is_skipped_row_by_row(tmp_path, capsys):
    path = written(
        tmp_path / "a.csv",
        {"model": "?"},
        {"gpu": "?"},
        {"weight_dtype": "?"},
        {"value": "?"},
        {"metric": "?"},
        dict.fromkeys(GOOD, "?"),
        dict.fromkeys(GOOD, ""),  # as a spreadsheet leaves it: no row
    )
    assert validate.main([path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(found["skipped"].values()) == 6
    assert found["tpot_ms"] == dict.fromkeys(SCORE_KEYS) | {"n": 0, "n_skipped": 4}


def test_the_scores_are_those_of_the_metrics_that_occur(tmp_path, capsys):
    path = written(tmp_path / "a.csv", {}, {"metric": "ttft_ms"}, {"model": "?"})
    assert validate.main([path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["tpot_ms", "ttft_ms", "skipped"]
    assert list(found["tpot_ms"]) == SCORE_KEYS
    assert (found["tpot_ms"]["n"], found["tpot_ms"]["n_skipped"]) == (1, 1)
    assert found["skipped"] == {"model unknown": 1}


def test_both_commands_print_the_same(tmp_path, capsys):
    path = written(tmp_path / "a.csv", {}, {"metric": "ttft_ms", "value": "80"}, {"model": "?"})
    for options in ([], ["--json"]):
        assert validate.main([path, *options]) == 0
        ours = capsys.readouterr().out
        assert cli.main(["validate", path, *options]) == 0
        assert capsys.readouterr().out == ours


def test_the_table_lists_what_was_skipped_and_why(tmp_path, capsys):
    path = written(tmp_path / "a.csv", {}, {"model": "?"}, {"model": "!"}, {"gpu": "?"})
    assert validate.main([path]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["metric", "n", "skipped"]
    assert lines[1].split()[:3] == ["tpot_ms", "1", "3"]
    assert [line.split(maxsplit=2) for line in lines[2:]] == [
        ["skipped", "2", "model unknown"],
        ["skipped", "1", "accelerator unknown"],
    ]


def test_a_metric_of_which_every_row_is_skipped_shows_dashes(tmp_path, capsys):
    assert validate.main([written(tmp_path / "a.csv", {"model": "?"})]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["tpot_ms", "0", "1", *"-----"]


def test_columns_beyond_what_was_measured_may_be_missing():
    few = frame({"metric": "output_tokens_per_s_total"})[[*validate.COLUMNS, "isl", "osl"]]
    compared = validate.compare(few)
    assert compared["reason"].tolist() == [""]
    assert compared["predicted"].item() > 0
    assert compared["n_accelerators"].item() == 1


def test_the_order_of_columns_and_blanks_around_cells_do_not_matter():
    rows = frame({})
    padded = rows[rows.columns[::-1]].map(lambda cell: f" {cell} ")
    assert (
        validate.compare(padded)["predicted"].item() == validate.compare(rows)["predicted"].item()
    )


@pytest.mark.parametrize("column", validate.COLUMNS)
@pytest.mark.parametrize("command", ["costlib", "module"])
def test_a_file_without_what_was_measured_ends_in_one_line(tmp_path, capsys, column, command):
    path = tmp_path / "a.csv"
    frame({}).drop(columns=column).to_csv(path, index=False)
    run = validate.main if command == "module" else lambda given: cli.main(["validate", *given])
    assert run([str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("costlib validate: ")
    assert err.rstrip().endswith(f"lacks the column {column}")


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b'model,gpu\n"open'])
def test_a_file_that_cannot_be_read_ends_in_one_line(tmp_path, capsys, content):
    path = tmp_path / "a.csv"
    if content is not None:
        path.write_bytes(content)
    assert validate.main([str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip().count("\n") == 0
    assert "a.csv" in err


def test_a_header_without_rows_scores_nothing(tmp_path, capsys):
    path = tmp_path / "a.csv"
    frame({}).iloc[:0].to_csv(path, index=False)
    assert validate.main([str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"skipped": {}}


def test_a_row_that_is_too_short_is_a_row_with_empty_cells(tmp_path):
    path = tmp_path / "a.csv"
    header = "model,gpu,weight_dtype,metric,value,isl,osl,concurrency_or_batch\n"
    path.write_text(f"{header}Llama-3.1-8B,H100,fp8,tpot_ms,9\nLlama-3.1-8B,H100\n")
    found = validate.scores(validate.compare(validate.read(path)))
    assert found["skipped"] == {"lengths not stated": 1, "metric not scored: ": 1}


def test_a_row_that_is_too_long_stops_no_other(tmp_path):
    # Once wrong: one comma too many in one row, and no row was scored.
    path = tmp_path / "a.csv"
    written(path, {}, {})
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, f"{lines[1]},,more", ""]))
    found = validate.scores(validate.compare(validate.read(path)))
    assert found["tpot_ms"]["n"] >= 2


# --- errors ----------------------------------------------------------------------------------


def test_errors_are_those_of_hand_arithmetic():
    compared = pd.DataFrame(
        {
            "metric": "tpot_ms",
            "reason": ["", "", "", "", "model unknown"],
            "measured": [100.0, 100.0, 100.0, 100.0, 5.0],
            "predicted": [110.0, 130.0, 95.0, np.inf, np.nan],
            "low": [99.0, 117.0, 85.5, np.inf, np.nan],
            "high": [132.0, 156.0, 114.0, np.inf, np.nan],
        }
    )
    found = validate.scores(compared)
    score = found["tpot_ms"]
    # off by 0.1, 0.3, -0.05 and, where nothing can run, -1
    assert (score["n"], score["n_skipped"]) == (4, 1)
    assert_allclose(score["median_ape"], 0.2)
    assert_allclose(score["mean_ape"], 1.45 / 4)
    assert score["within_20"] == 0.5
    assert_allclose(score["bias"], 0.025)
    assert score["coverage_80"] == 0.5
    assert found["skipped"] == {"model unknown": 1}


@pytest.mark.parametrize("metric", [m for m in validate.METRICS if "power" not in m])
def test_a_row_that_cannot_run_counts_as_wholly_wrong(metric):
    row = {"model": "Llama-3.1-405B", "weight_dtype": "fp16", "metric": metric}
    score = validate.scores(validate.compare(frame(row)))[metric]
    assert score == {
        "n": 1,
        "n_skipped": 0,
        "median_ape": 1.0,
        "mean_ape": 1.0,
        "within_20": 0.0,
        "bias": -1.0,
        "coverage_80": 0.0,
    }


def test_what_cannot_run_draws_no_power():
    # Once wrong: the power of one sequence that does not fit was taken for a prediction.
    row = {"model": "Llama-3.1-405B", "weight_dtype": "fp16", "metric": "avg_gpu_power_w_total"}
    score = validate.scores(validate.compare(frame(row)))["avg_gpu_power_w_total"]
    assert score["median_ape"] == 1.0


@pytest.mark.parametrize("metric", validate.METRICS)
def test_a_perfect_prediction_has_no_error_and_is_covered(tmp_path, metric):
    rows = [{"metric": metric, "concurrency_or_batch": str(n)} for n in (1, 8, 64)]
    exact = validate.compare(frame(*rows))["predicted"]
    path = tmp_path / "a.csv"
    written(path, *(row | {"value": repr(float(v))} for row, v in zip(rows, exact, strict=True)))
    score = validate.scores(validate.compare(validate.read(path)))[metric]
    assert score["n"] == 3
    assert_allclose([score["median_ape"], score["mean_ape"], score["bias"]], 0, atol=1e-12)
    assert score["within_20"] == score["coverage_80"] == 1


@seeded
@given(st.floats(0.1, 10))
def test_a_bias_has_the_sign_of_what_is_predicted_too_much(factor):
    exact = validate.compare(frame({}))["predicted"].item()
    score = validate.scores(validate.compare(frame({"value": repr(exact / factor)})))["tpot_ms"]
    assert_allclose(score["bias"], factor - 1, atol=1e-9)
    assert_allclose(score["median_ape"], abs(factor - 1), atol=1e-9)
    if abs(abs(factor - 1) - 0.2) > 1e-9:
        assert score["within_20"] == (abs(factor - 1) < 0.2)


def test_milliseconds_are_not_seconds():
    found = {
        metric: validate.compare(frame({"metric": metric, "concurrency_or_batch": "1"}))[
            "predicted"
        ].item()
        for metric in ("output_tokens_per_s_total", "tpot_ms")
    }
    # One client: tokens per second are the inverse of the time for one, less what prompts take.
    assert 0.8 < found["output_tokens_per_s_total"] * found["tpot_ms"] / 1e3 <= 1
