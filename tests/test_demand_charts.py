"""Charts of `demand`: what they print is what the formulas say; the live chart and its twin."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from costlib import demand, tariffs, usage
from costlib._words import typeset
from costlib.charts import demand as charts
from costlib.charts import margin_live
from costlib.charts.controls import initial

SEAT = {"price_usd": 20.0, "mean_usd": 8.0, "sigma": 1.5}


def rows_of(chart):
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


def test_the_bars_of_users_hold_all_users_and_all_cost():
    rows = [row for row in rows_of(charts.user_bars(**SEAT, subtitle="s")) if "kind" in row]
    width = 8 * np.log10([row["high"] / row["low"] for row in rows])
    users = np.array([row["users"] for row in rows]) * width
    assert users.sum() == pytest.approx(100, abs=0.4)
    lost = sum(u for u, row in zip(users, rows, strict=True) if row["kind"] == "loss")
    assert lost == pytest.approx(100 * tariffs.loss_fraction(**SEAT), abs=0.1)
    assert {row["kind"] for row in rows if row["high"] <= 20} == {"gain"}
    assert {row["kind"] for row in rows if row["low"] >= 20} == {"loss"}


def test_the_line_of_an_elasticity_is_its_bill():
    chart = charts.spend_lines({"a": 0.5, "b": 1.11}, price_times=0.1, subtitle="s")
    found = {(row["name"], row["cut"]): row["spend"] for row in rows_of(chart) if "spend" in row}
    assert found["a", 90] == pytest.approx(demand.spend_times(0.1, elasticity=0.5), rel=1e-3)
    assert found["b", 45] == pytest.approx(demand.spend_times(0.55, elasticity=1.11), rel=1e-3)
    assert "0.32 to 1.3 times" in chart.title["text"]
    assert max(cut for _, cut in found) == 90


def test_the_line_of_a_bill_crosses_one_at_the_apparent_elasticity():
    chart = charts.shift_lines([1, 2, 5], price_times=0.2, elasticity=1.11, subtitle="s")
    assert "at 1.43" in chart.title["text"]
    found = {
        (row["name"], row["elasticity"]): row["shift"] for row in rows_of(chart) if "shift" in row
    }
    assert found["the bill × 2", 1.0] == 2
    assert found["the bill × 2", 1.42] > 1 > found["the bill × 2", 1.44]


def test_the_top_line_and_the_cap_line_are_the_formulas():
    points = usage_points()
    rows = rows_of(charts.top_lines([1.5], points, subtitle="s"))
    found = {row["top"]: row["share"] for row in rows if row.get("name") == "sigma 1.5"}
    assert found[1.0] == pytest.approx(100 * usage.top_share(0.01, sigma=1.5), abs=0.01)
    chart = charts.margin_lines({"use stops": (1.0, 0.0)}, **SEAT, subtitle="s")
    assert "from 60 to 74\u00a0%" in chart.title["text"]


def usage_points():
    return pd.DataFrame({"top_fraction": [0.1], "value": [0.5], "words": ["w"]})


def test_a_scenario_ends_at_price_times_volume():
    chart = charts.scenario_lines(
        {"a": 1.0, "b": 30.0}, price_times=0.1, first_year=2025, years=5, subtitle="s"
    )
    ends = {
        row["name"]: row["bill"] for row in rows_of(chart) if "bill" in row and row["year"] == 2030
    }
    assert ends == pytest.approx({"a": 0.1, "b": 3.0})


# --- to try ----------------------------------------------------------------------------------


def controls(**changed):
    given = SEAT | {"cap_times": np.inf, "overage_times": 1.5, "bought_fraction": 0.0} | changed
    return margin_live.margin_controls(**given)


def test_the_twin_draws_the_profit_of_a_hundred_users():
    moved = dict(initial(controls(cap_times=2.0, bought_fraction=0.5)))
    found = margin_live.margin(controls(cap_times=2.0, bought_fraction=0.5), **moved)
    plan = SEAT | {"cap_usd": 40, "overage_times": 1.5, "bought_fraction": 0.5}
    assert found["margin"] == tariffs.plan_margin_fraction(**plan)
    assert found["lost"] == tariffs.loss_fraction(**plan)
    drawn = margin_live.margin_point(controls(cap_times=2.0, bought_fraction=0.5), **moved)
    reach = tariffs.staying_fraction(price_usd=40, mean_usd=8, sigma=1.5, value_times=1)
    assert drawn.title["text"].endswith(f"the cap stops {100 * reach:.1f}\u00a0%")
    rows = rows_of(drawn)
    profit = 100 * tariffs.revenue_usd(**plan) * found["margin"]
    assert_allclose(sum(row["profit"] for row in rows), profit, rtol=1e-4)


def test_the_twin_says_nothing_of_a_cap_where_there_is_none():
    drawn = margin_live.margin_point(controls(), **initial(controls()))
    assert drawn.title["text"] == typeset(
        "Margin 60 %, 8.7 % of users at a loss; the top 1 % cost 20 % of all use"
    )


def test_a_cap_of_the_chapter_joins_the_choices():
    (cap,) = (c for c in controls(cap_times=1.25) if c.parameter == "cap")
    assert cap.words[int(cap.value)] == "1.25 × the price"
    assert margin_live.margin(controls(cap_times=1.25), **initial(controls(cap_times=1.25)))[
        "cap_usd"
    ] == pytest.approx(25)
