"""Sites: what the tables of buildings and grids hold, and what a wrong name is told."""

import pytest

from costlib import sites, tables

KINDS = {
    "pue",
    "site_l_per_kwh",
    "rated_w",
    "peak_w",
    "idle_w",
    "mean_fraction",
    "allin_w",
    "embodied_kg",
}


def test_every_fact_is_of_a_known_kind_and_its_place_is_no_interval():
    rows = tables.rows("facilities.csv")
    assert {row["quantity"] for row in rows} == KINDS
    assert {row["category"] for row in rows} <= {"", "UPS", "PDU", "IT input", "utility"}
    assert {row["interval"] for row in rows} <= {"", "year", "run", "instant"}


def test_no_building_draws_less_than_its_equipment():
    found = sites.facilities("pue")
    assert len(found) >= 15
    assert (found.value >= 1).all()
    assert found.value.is_monotonic_increasing


def test_the_measured_node_draws_less_than_its_rating():
    rated, peak = (sites.facility(f"h100-node-{kind}").value for kind in ("rated", "peak"))
    mean = sites.facility("h100-node-mean").value
    assert mean * rated < peak < rated
    assert peak / rated == pytest.approx(1 - 0.18, abs=0.005)  # the paper's "18 % lower"


def test_a_price_is_in_dollars_and_an_hour_is_no_place():
    assert sites.place("california", "usd_per_kwh") == pytest.approx(0.1864)
    assert set(sites.grid("g_per_kwh").name).isdisjoint({"pace", "banc"})
    assert sites.place("nor") == 30.08


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: sites.facility("h100-node"), "h100-node-rated"),
        (lambda: sites.place("atlantis"), "no place 'atlantis' with g_per_kwh; there are nor"),
        (lambda: sites.hours("fra"), "no hours of 'fra'; there are banc, pace"),
    ],
)
def test_an_unknown_name_is_told_what_there_is(ask, told):
    with pytest.raises(tables.UnknownNameError, match=told):
        ask()
