"""Constants: few, within their bounds, from the rows that are there, and as good as they claim."""

import csv
import dataclasses
import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from costlib import calibration, catalog, validate
from costlib.calibration import LIGHT, constants

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT / "data" / "measured.csv"


def rows(name):
    with (ROOT / "data" / name).open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


CALIBRATION = rows("calibration.csv")
FITTED = [row for row in CALIBRATION if row["kind"] == "fitted"]
ALL_LEFT_OUT = [row for row in rows("left_out.csv") if row["group"] == "all"]


def tool():
    spec = importlib.util.spec_from_file_location("calibrate_tool", ROOT / "tools/calibrate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- the table -------------------------------------------------------------------------------


def test_at_most_ten_constants_are_fitted():
    assert 0 < len(FITTED) <= 10


@pytest.mark.parametrize("row", FITTED, ids=lambda row: row["name"])
def test_a_fitted_constant_lies_within_its_bounds(row):
    # On a bound the fit would have gone further, and the number would be ours, not the rows'.
    assert float(row["low"]) < float(row["value"]) < float(row["high"])


def test_every_row_says_how_its_value_was_found():
    kinds = {row["kind"] for row in CALIBRATION}
    assert kinds == {"fitted", "published", "residual", "chosen"}
    names = [row["name"] for row in CALIBRATION]
    assert len(names) == len(set(names))


def test_the_constants_come_from_the_rows_that_are_there():
    # Whoever changes a row fits anew: python tools/calibrate.py --write
    found = hashlib.sha256(MEASURED.read_bytes()).hexdigest()
    assert {row["rows_sha256"] for row in CALIBRATION} == {found}


def test_the_command_that_wrote_the_table_exists():
    (command,) = {row["command"] for row in CALIBRATION}
    python, script, *options = command.split()
    assert python == "python"
    told = subprocess.run(
        [sys.executable, str(ROOT / script), "--help"], capture_output=True, text=True, check=True
    )
    assert options
    assert all(option in told.stdout for option in options)


def test_the_tool_fits_what_the_table_says_within_the_same_bounds():
    fitted = {row["name"]: (float(row["low"]), float(row["high"])) for row in FITTED}
    assert {name: row[1:3] for name, row in tool().FITTED.items()} == fitted


def test_no_constant_moved_by_a_tenth_fits_better():
    calibrate = tool()
    known = calibrate.Rows(MEASURED)
    best = np.array([float(row["value"]) for row in FITTED])

    def loss(values):
        wrong = np.abs(known.log_ratio(calibrate.constants_of(values)))
        return float(np.sum(known.weight**2 * wrong))

    at_best = loss(best)
    for place, row in enumerate(FITTED):
        for factor in (0.9, 1.1):
            moved = best.copy()
            moved[place] *= factor
            assert loss(moved) > at_best, f"{row['name']} times {factor}"


def test_an_interval_surrounds_the_prediction_but_not_the_world():
    for low, high in constants().interval.values():
        assert 0.3 < low < 1 < high < 3


# --- reading it ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [row["name"] for row in CALIBRATION if " " not in row["name"]])
def test_a_table_that_lacks_a_constant_is_refused_by_its_name(tmp_path, name):
    path = tmp_path / "calibration.csv"
    text = (ROOT / "data" / "calibration.csv").read_text(encoding="utf-8").splitlines(True)
    path.write_text("".join(line for line in text if not line.startswith(f"{name},")), "utf-8")
    with pytest.raises(catalog.TableError, match=rf"lacks {name}$"):
        constants(path)


def test_an_engine_without_a_factor_counts_as_one(tmp_path):
    path = tmp_path / "calibration.csv"
    text = (ROOT / "data" / "calibration.csv").read_text(encoding="utf-8").splitlines(True)
    path.write_text("".join(line for line in text if "SGLang" not in line), "utf-8")
    assert constants(path).engine_factor["SGLang"] == 1
    assert constants().engine_factor["SGLang"] != 1
    assert constants().engine_factor["vLLM"] == 1


def test_the_light_reaches_every_peak_and_waits_for_nothing():
    for field in dataclasses.fields(LIGHT):
        value = getattr(LIGHT, field.name)
        if field.name in {"engine_factor", "interval"}:
            assert value == {}
        elif field.name in {
            "bandwidth_fraction",
            "compute_fraction",
            "fp4_fraction",
            "link_fraction",
        }:
            assert value == 1
        else:
            assert value == 0, field.name


# --- how good it is --------------------------------------------------------------------------

BARS = {"output_tokens_per_s_total": 0.13, "tpot_ms": 0.18}


def test_both_ways_to_leave_rows_out_are_scored():
    found = {(row["left_out"], row["metric"]) for row in ALL_LEFT_OUT}
    metrics = (*BARS, "ttft_ms")
    assert found == {(by, metric) for by in ("accelerator", "model") for metric in metrics}


@pytest.mark.parametrize(
    "row",
    [row for row in ALL_LEFT_OUT if row["metric"] in BARS],
    ids=lambda row: f"{row['left_out']}-{row['metric']}",
)
def test_rows_that_the_constants_had_not_seen_are_met_within_the_bar(row):
    assert 0 < float(row["median_ape"]) <= BARS[row["metric"]]


@pytest.mark.parametrize("row", ALL_LEFT_OUT, ids=lambda row: f"{row['left_out']}-{row['metric']}")
def test_four_of_five_rows_left_out_lie_within_the_interval(row):
    assert 0.75 <= float(row["coverage_80"]) <= 0.85


@pytest.fixture(scope="module")
def scores():
    return validate.scores(validate.compare(validate.read(MEASURED)))


@pytest.mark.parametrize(
    ("metric", "n", "bar"),
    [
        ("output_tokens_per_s_total", 696, 0.095),
        ("tpot_ms", 2037, 0.16),
        ("ttft_ms", 2037, 0.30),
    ],
)
def test_the_rows_of_the_table_are_met_within_the_bar(scores, metric, n, bar):
    assert scores[metric]["n"] == n
    assert 0 < scores[metric]["median_ape"] <= bar


def test_no_row_is_left_out_but_for_what_its_source_does_not_say(scores):
    measured = rows("measured.csv")
    unstated = [row for row in measured if row["weight_dtype"].startswith("unstated")]
    assert scores["skipped"]["format not stated"] == len(unstated)
    other = {row["metric"] for row in measured} - set(validate.METRICS)
    assert set(scores["skipped"]) - {"format not stated"} == {
        f"metric not scored: {metric}" for metric in other
    }


def test_the_names_of_the_intervals_are_those_of_predictions():
    assert set(constants().interval) == {*calibration.INTERVALS, "output_token_j"}
    assert set(calibration.INTERVALS) == {"tokens_per_s", "tpot_s", "ttft_s", "power_w"}
