"""Charts of `availability`: what they draw is what other sums give, at the ends of the axes too."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from costlib import terms
from costlib.charts import availability as charts
from costlib.charts import availability_live as live

WORDS = {"title": "A title", "subtitle": "A subtitle"}


def drawn(chart, columns):
    """Rows of the one data set of a chart that has these columns, as a list of dicts."""
    sets = json.loads(chart.to_json())["datasets"].values()
    (rows,) = [rows for rows in sets if set(rows[0]) == set(columns)]
    return rows


def of(rows, name, *columns):
    return np.array([[row[column] for column in columns] for row in rows if row["name"] == name])


def test_spares_follow_the_binomial_and_stop_at_what_is_shared():
    chart = charts.spare_lines(
        {"alone": 0.0, "shared": 0.1},
        availability_fraction=0.99,
        n_needed=10,
        target_fraction=0.9999,
        **WORDS,
    )
    rows = drawn(chart, {"spares", "hours", "name"})
    spares, hours = of(rows, "alone", "spares", "hours").T
    exact = 8760 * stats.binom.sf(spares, 10 + spares, 0.01)
    assert_allclose(hours, exact, rtol=1e-3)
    assert hours.min() >= 1e-3
    assert of(rows, "shared", "hours").min() == pytest.approx(8.76, rel=2e-3)


def test_fleets_cost_what_they_and_their_people_do():
    chart = charts.fleet_lines(
        {"two regions": 2.0, "never": np.inf},
        watching_usd={"two regions": 1e6, "never": 0.0},
        fleet_usd=6e5,
        low_times=3,
        high_times=5,
        **WORDS,
    )
    rows = drawn(chart, {"fleet", "times", "name"})
    fleet, times = of(rows, "two regions", "fleet", "times").T
    assert_allclose(times, 2 + 1e6 / fleet, rtol=1e-3)
    assert times.max() <= 10
    assert len(of(rows, "never", "fleet")) == 0


def test_room_for_a_failure_grows_with_the_fleet():
    chart = charts.room_lines({"one": 1, "two": 2}, load_fraction=0.8, n_held=12, **WORDS)
    rows = drawn(chart, {"held", "load", "name"})
    held, load = of(rows, "two", "held", "load").T
    assert_allclose(load, 80 * np.maximum(1 - 2 / held, 0), atol=0.05)
    assert "one 77 %, two 73 %" in chart.description


def test_what_is_late_is_lost_before_anything_falls_back():
    chart = charts.usable_lines(
        {"half": 0.5},
        availability_fraction=0.9999,
        late_fraction=0.002,
        fallback_fraction=0.05,
        **WORDS,
    )
    share, hours = of(drawn(chart, {"share", "hours", "name"}), "half", "share", "hours").T
    assert_allclose(hours, 8760 * (1 - 0.9999 * 0.998 * (1 - share / 200)), rtol=1e-3)
    assert hours[0] == pytest.approx(8760 * 0.0021, rel=0.03)


def test_egress_takes_a_tenth_where_the_formula_says():
    chart = charts.wire_lines(
        {"dear": 15.0},
        {"text": 5},
        usd_per_gb=0.09,
        low_fraction=0.1,
        high_fraction=0.25,
        **WORDS,
    )
    size, share = of(drawn(chart, {"bytes", "share", "name"}), "dear", "bytes", "share").T
    assert np.interp(np.log(18_518.5), np.log(size), share) == pytest.approx(10, rel=1e-3)
    assert share.min() >= 0.001


def test_a_bill_starts_where_the_free_band_ends():
    chart = charts.bill_lines({"AWS": terms.bands("AWS")}, line_usd=9000, **WORDS)
    volume, bill = of(drawn(chart, {"tb", "usd", "name"}), "AWS", "tb", "usd").T
    assert bill.min() >= 10
    assert bill[-1] == pytest.approx(53_882.2, rel=1e-3)
    first = volume < 10
    assert_allclose(bill[first], 90 * (volume[first] - 0.1), rtol=0.02)


# --- the live chart ------------------------------------------------------------------------

START = {
    "availability_fraction": 0.99,
    "common_fraction": 0.02,
    "n_needed": 10.0,
    "replica_usd_per_h": 5.9,
    "loss_usd_per_h": 5708.0,
}


def test_the_pool_that_pays_is_found_by_trying_all():
    spares = np.arange(9)
    alone = 0.98 * 0.01 / (1 - 0.0002)
    down = 1 - 0.9998 * stats.binom.cdf(spares, 10 + spares, alone)
    yearly = 8760 * (spares * 5.9 + down * 5708)
    found = live.pool(**START)
    assert found["best"] == yearly.argmin() == 2
    assert found["least"] == pytest.approx(yearly.min())
    assert found["down"] == pytest.approx(down[2])


def test_a_start_beyond_the_usual_ends_widens_them():
    controls = live.pool_controls(
        **START | {"n_needed": 90.0, "common_fraction": 0.8, "availability_fraction": 0.5}
    )
    ends = {control.parameter: (control.low, control.high) for control in controls}
    assert ends["n_needed"] == (1, 90)
    assert ends["common_fraction"] == (0, 80)
    assert ends["availability_fraction"] == (50, 99.99)


def test_the_twin_says_what_the_page_says():
    drawing = live.pool_point(**START)
    assert drawing.title.text.startswith("2 spares pay: $123,")
    assert "down 3.45\u00a0h" in drawing.title.text
    values = json.loads(drawing.to_json())["datasets"]
    (rows,) = values.values()
    assert {row["name"] for row in rows} == {"spares", "lost", "both"}
    assert all(1e2 <= row["usd"] <= 1e9 for row in rows)
