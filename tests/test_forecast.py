"""Forecasts: frozen, dated, never faster than light, and scored like any other file."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from numpy.testing import assert_allclose

from costlib import serve, validate

ROOT = Path(__file__).resolve().parents[1]

# Month: the checksum under which it was published. A forecast that changes is none.
FROZEN = {"2026-11": "c4908f58f4e2a476a861bdce5710054edd7362abfc8704b7abae876feaf04cfd"}


def forecast(month):
    return pd.read_csv(ROOT / "data" / "forecasts" / f"{month}.csv")


def test_every_forecast_is_frozen():
    found = {
        path.stem: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (ROOT / "data" / "forecasts").glob("*.csv")
    }
    assert found == FROZEN


@pytest.mark.parametrize("month", FROZEN)
def test_a_forecast_keeps_between_its_ends_and_off_the_speed_of_light(month):
    rows = forecast(month)
    assert (rows.low < rows.predicted).all()
    assert (rows.predicted < rows.high).all()
    faster = rows.metric == "output_tokens_per_s_total"
    assert (rows.light[faster] > rows.predicted[faster]).all()
    assert (rows.light[~faster] < rows.predicted[~faster]).all()
    assert rows.id.is_unique


@pytest.mark.parametrize("month", FROZEN)
def test_a_forecast_speaks_of_what_the_table_has_no_row_of(month):
    named = ["model", "gpu"]
    measured = validate.read(ROOT / "data" / "measured.csv")[named].drop_duplicates()
    both = forecast(month)[named].drop_duplicates().merge(measured, on=named)
    assert both.empty


@pytest.mark.parametrize("month", FROZEN)
def test_a_forecast_is_what_the_model_says_while_its_constants_stand(month):
    rows = forecast(month)
    sha = hashlib.sha256((ROOT / "data" / "calibration.csv").read_bytes()).hexdigest()
    if set(rows.calibration_sha256) != {sha}:
        pytest.skip("the constants were fitted anew since; the forecast keeps the old ones")
    text = rows.rename(columns={"predicted": "value"}).astype(str)
    resolved = validate.resolve(text)
    assert set(resolved.reason) == {""}
    done = serve.prediction(validate.load_of(resolved))
    for metric, (values, _) in validate.METRICS.items():
        here = (rows.metric == metric).to_numpy()
        assert_allclose(values(done)[here], rows.predicted[here], rtol=1e-4)


@pytest.mark.parametrize("month", FROZEN)
def test_the_tool_refuses_to_write_a_forecast_again(month):
    command = [sys.executable, "tools/forecast.py", month, "--made-on", "2030-01-01"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is frozen" in done.stderr
