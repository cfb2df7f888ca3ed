"""Charts of `pue`: their titles say what the formulas say, at the chapter's numbers and beyond."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from costlib import carbon, facility, sites, utilisation
from costlib.charts import facility as charts
from costlib.charts import facility_live as live

MACHINE = {
    "capital_usd_per_h": 0.7,
    "power_w": 1_275,
    "idle_fraction": 0.15,
    "electricity_usd_per_kwh": 0.1,
    "tokens_per_s": 1_858,
}
MOVED = {
    "pue": 1.3,
    "busy_fraction": 0.6,
    "idle_fraction": 0.15,
    "electricity_usd_per_kwh": 0.1,
    "accelerator_usd": 30_000.0,
    "years": 5.0,
    "power_w": 1_275.0,
    "tokens_per_s": 1_858.0,
}


def title(chart):
    return chart.to_dict()["title"]["text"].replace("\u00a0", " ")


def test_the_first_chart_weighs_the_worst_building_against_half_the_work():
    chart = charts.busy_lines(
        {"a": 1.0, "b": 1.3, "c": 1.67}, busy_fraction=0.6, subtitle="", **MACHINE
    )
    lean, wasteful, half = (
        utilisation.site_usd_per_mtok(pue=pue, busy_fraction=busy, **MACHINE)
        for pue, busy in ((1, 0.6), (1.67, 0.6), (1.67, 0.3))
    )
    assert f"adds {100 * (wasteful / lean - 1):.0f} %;" in title(chart)
    assert title(chart).endswith(f"adds {100 * (half / wasteful - 1):.0f} %")


def test_two_sites_that_never_tie_are_said_not_to():
    tied = charts.idle_lines({"a": (1.67, 0.9), "b": (1.09, 0.4)}, subtitle="")
    apart = charts.idle_lines({"a": (1.1, 0.9), "b": (1.6, 0.4)}, subtitle="")
    assert "over 40 %" in title(tied)
    assert title(apart) == "One of the two sites saves energy whatever idling takes"


@pytest.mark.parametrize(("period_h", "start"), [(26_280, "In 36 months"), (8_760, "Power")])
def test_the_title_names_the_months_only_where_it_is_them(period_h, start):
    chart = charts.share_lines(
        {"an H100": (30_000, 700.0)},
        pue=1.5,
        period_h=period_h,
        electricity_usd_per_kwh=0.1,
        subtitle="",
    )
    share = 100 * facility.energy_usd(
        power_w=700, period_h=period_h, electricity_usd_per_kwh=0.1, pue=1.5
    )
    assert title(chart).startswith(start)
    assert f"{share / 30_000:.0f} %" in title(chart)


def test_the_grids_are_drawn_from_clean_to_dirty_and_their_ratio_is_theirs():
    places = pd.DataFrame({"words": ["coal", "water"], "value": [600.0, 30.0]})
    chart = charts.grid_bars(places, token_j=0.36, pue=1.5, subtitle="")
    assert "20 times" in title(chart)
    (rows,) = chart.to_dict()["datasets"].values()
    assert [row["words"] for row in rows] == ["water", "coal"]
    assert_allclose([row["grams"] for row in rows], [4.5, 90])


def test_the_hours_carry_the_shifted_load():
    day = sites.hours("pace")
    work = {"fixed_kwh": 0.6, "flexible_kwh": 9.6, "cap_kwh": 1.3}
    saved = float(carbon.shifted_fraction(day, **work))
    chart = charts.hour_bars(
        day,
        carbon.shifted_kwh(day, **work),
        saved_fraction=saved,
        words="Utah",
        subtitle="",
    )
    assert f"saves {100 * saved:.1f} %" in title(chart)
    rows = max(chart.to_dict()["datasets"].values(), key=len)
    assert_allclose(np.mean([row["load"] for row in rows]), 100, rtol=1e-3)


def test_a_batch_drop_is_that_of_the_points():
    rows = pd.DataFrame({"name": ["x", "x"], "batch": [8, 1024], "joules": [4.0, 0.4]})
    assert "a 10th" in title(charts.batch_lines(rows, subtitle=""))


def test_the_twin_says_what_the_library_computes():
    here = live.site(**MOVED)
    assert_allclose(here["cost"], 0.198, atol=5e-4)
    assert_allclose(here["busier"], 0.081, atol=5e-4)
    assert f"{100 * here['busier']:.1f} %" in title(live.site_point(**MOVED))


def test_a_site_outside_the_usual_range_moves_the_ends_of_its_slider():
    controls = live.site_controls(**MOVED | {"pue": 2.6, "accelerator_usd": 100_000.0})
    ends = {control.parameter: (control.low, control.high) for control in controls}
    assert ends["pue"] == (1.0, 2.6)
    assert ends["accelerator_usd"] == (5_000, 100_000.0)
