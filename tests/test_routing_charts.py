"""What the charts of `routing` are made of: savings by baseline, and the twin of the sliders."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import routers
from costlib.charts import routing as charts
from costlib.charts import routing_live
from costlib.charts.controls import initial
from costlib.widgets import sliders

EXAMPLE = Path(__file__).with_name("example_scores.csv")


@pytest.fixture(scope="module")
def saved():
    return charts.savings(0.95, strong_usd=24.7, weak_usd=0.24).set_index("bench")


def test_the_quoted_savings_are_against_the_strong_model(saved):
    """README of the source: over 85, 45 and 35 %; its calls between the points of its tables."""
    assert_allclose(saved["gap"], [0.505, 0.678, 0.805], atol=1e-3)
    assert_allclose(saved["calls"], [0.137, 0.561, 0.642], atol=1e-3)
    assert_allclose(saved["strong always"], [0.855, 0.435, 0.354], atol=1e-3)


def test_against_lots_they_are_what_the_gap_says(saved):
    lots = saved["gap"] * 24.7 + (1 - saved["gap"]) * 0.24
    mine = saved["calls"] * 24.7 + (1 - saved["calls"]) * 0.24
    assert_allclose(saved["lots"], 1 - mine / lots, rtol=1e-12)
    assert np.isnan(saved["length"]["MT-Bench"])
    assert saved["length"]["MMLU"] < 0  # no labels at all do better


def test_a_score_that_the_weak_model_keeps_alone_needs_no_call():
    low = charts.savings(0.5, strong_usd=24.7, weak_usd=0.24)
    assert low["calls"].tolist() == [0, 0, 0]
    assert_allclose(low["lots"], 0, atol=1e-12)


def test_published_calls_are_read_between_their_points_and_both_ends():
    rows = charts.trained("MMLU", in_domain=True).head(1)
    half, most = rows["cpt50_fraction"].iloc[0], rows["cpt80_fraction"].iloc[0]
    for gap, calls in ((0, 0), (0.5, half), (0.65, (half + most) / 2), (0.8, most), (1, 1)):
        assert charts.calls_at(rows, gap).iloc[0] == pytest.approx(calls)


CASE = {
    "weak_quality": 0.68,
    "strong_quality": 0.81,
    "only_weak_fraction": 0.0529,
    "skill_fraction": 0.13,
    "strong_usd": 0.0089,
    "weak_usd": 8.6e-5,
    "router_usd": 3e-6,
    "loss_usd": 0.1,
    "strong_fraction": 0.2,
}


@pytest.fixture(scope="module")
def controls():
    return routing_live.router_controls(**CASE)


def test_no_share_beats_the_best_one(controls):
    case = dict(initial(controls))
    case.pop("strong_fraction")
    found = routing_live.routed(np.linspace(0, 1, 2001), **case)
    best = routing_live.routed(found["best"], **case)
    assert best["paid"] == pytest.approx(found["best_paid"])
    assert found["paid"].min() >= found["best_paid"] - 1e-12
    assert found["paid"].min() == pytest.approx(found["best_paid"], rel=1e-3)


@pytest.mark.parametrize(("weak", "strong"), [(0.3, 0.9), (0.9, 0.3), (0.5, 0.5), (1.0, 1.0)])
@pytest.mark.parametrize("apart", [0.0, 1.0])
def test_any_two_scores_leave_shares_that_can_be(controls, weak, strong, apart):
    case = dict(initial(controls)) | {
        "weak_quality": weak,
        "strong_quality": strong,
        "apart_fraction": apart,
    }
    case.pop("strong_fraction")
    found = routing_live.routed([0.0, 1.0], **case)
    assert_allclose(found["quality"], [weak, strong], atol=1e-12)
    assert 0 <= found["worse"] <= min(weak, 1 - strong) + 1e-12
    assert 0 <= found["better"] <= min(strong, 1 - weak) + 1e-12


def test_the_twin_takes_a_table_by_its_path_and_says_what_is_wrong(controls):
    box = sliders(controls, routing_live.router_point, table="Path of your table")
    path, *_, drawing = box.children
    assert "to strong" in drawing.value
    path.value = str(EXAMPLE)
    assert "large" in drawing.value
    path.value = "nowhere.csv"
    assert "nowhere.csv: not found" in drawing.value


def test_the_twin_draws_the_tables_models_and_not_the_sliders():
    case = {control.parameter: control.value * control.scale for control in
            routing_live.router_controls(**CASE)}  # fmt: skip
    found = routers.summary(routers.read(EXAMPLE))
    drawn = routing_live.router_point(table=str(EXAMPLE), **case | {"strong_fraction": 1.0})
    right = f"{100 * found['strong_quality']:.1f}\u00a0% right"
    assert drawn.title.text.startswith(right)
    assert not routing_live.router_point(**case).title.text.startswith(right)


def test_a_table_without_a_pair_is_told_so(controls, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("query,score a,cost_usd a,score b,cost_usd b\nq,1,1,0,2\n")
    case = {control.parameter: control.value * control.scale for control in controls}
    with pytest.raises(routers.ScoresError, match="the best model, a, is the cheapest, too"):
        routing_live.router_point(table=str(path), **case)


def test_a_tables_pair_reaches_the_formulas():
    found = routers.summary(routers.read(EXAMPLE))
    share = found["only_strong_fraction"]
    case = routing_live._of_table(found)
    drawn = routing_live.routed(share, skill_fraction=1.0, router_usd=0.0, loss_usd=0.0, **case)
    assert_allclose(drawn["quality"], found["weak_quality"] + share, rtol=1e-9)
    assert_allclose(drawn["better"], share, rtol=1e-9)
    assert_allclose(drawn["alone"], [found["weak_usd"], found["strong_usd"]], rtol=1e-9)
