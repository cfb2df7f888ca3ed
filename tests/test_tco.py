"""Owning: published vectors at the digits they print, and identities."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import claims, tco

VECTORS = Path(__file__).parent / "vectors" / "tco.csv"
ROWS = list(csv.DictReader(VECTORS.read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["case"])
def test_a_worked_example_comes_out_at_the_digits_it_prints(row):
    found = claims.recomputed(row["function"], row["inputs"])
    assert_allclose(found, float(row["expected"]), rtol=float(row["tolerance"]))


def test_the_vectors_are_all_there_and_say_how_far_they_are_to_be_trusted():
    assert len(ROWS) == 19
    assert {row["status"].split(",")[0].split(" from")[0] for row in ROWS} == {
        "printed",
        "computed",
    }
    assert all(json.loads(row["inputs"]) for row in ROWS)


def test_the_day_of_deepseek_earned_545_percent():
    cost, revenue = (
        claims.recomputed(row["function"], row["inputs"])
        for row in ROWS
        if row["case"].startswith("deepseek")
    )
    assert round(100 * (revenue / cost - 1)) in (545, 546)
    assert round(100 * (562_027 / cost - 1)) == 545


def test_a_purchase_multiplies_machines_and_parts():
    assert_allclose(
        tco.purchase_usd(
            machine_usd=100, network_fraction=0.5, installation_fraction=0.25, spare_fraction=0.1
        ),
        100 * 1.75 * 1.1,
    )


def test_capital_repays_purchase_less_resale():
    """Paid month by month at its interest, what is left at the end is the resale."""
    month = 730 * tco.capital_usd_per_h(
        cost_usd=1_000, salvage_fraction=0.2, interest_fraction=0.12, years=2
    )
    left = 1_000.0
    for _ in range(24):
        left = left * 1.01 - month
    assert_allclose(left, 200)


def test_every_part_of_an_owned_hour_is_added_once():
    parts = {"capital_usd_per_h": 1, "upkeep_usd_per_h": 2, "room_usd_per_h": 4}
    hour = tco.owned_usd_per_h(**parts, power_w=2_000, pue=1.5, electricity_usd_per_kwh=0.2)
    assert_allclose(hour, 7.6)
    assert_allclose(
        tco.upkeep_usd_per_h(
            cost_usd=87_600,
            insurance_fraction=0.1,
            tax_fraction=0.2,
            repair_fraction=0.3,
            staff_usd_per_h=10,
            software_usd_per_h=20,
        ),
        36,
    )
    assert_allclose(tco.room_usd_per_h(provisioned_w=7_300, colocation_usd_per_kw_month=100), 1)


def test_at_the_even_use_an_hour_of_work_costs_the_rent():
    own, rent = 2.2, np.array([2.5, 4, 8])
    even = tco.even_busy_share(owned_usd_per_h=own, rent_usd_per_h=rent)
    assert_allclose(tco.worked_usd_per_h(owned_usd_per_h=own, busy_fraction=even), rent)


def test_never_is_infinite():
    assert np.isinf(tco.even_busy_share(owned_usd_per_h=3.21, rent_usd_per_h=2))
    assert np.isinf(tco.even_busy_share(owned_usd_per_h=3.21, rent_usd_per_h=0))
    assert np.isinf(tco.worked_usd_per_h(owned_usd_per_h=1, busy_fraction=0))
    assert np.isinf(tco.even_h(cost_usd=1, rent_usd_per_h=0.5, opex_usd_per_h=0.5))


def test_at_the_even_hour_both_have_cost_the_same():
    hours = tco.even_h(cost_usd=300e3, rent_usd_per_h=30, opex_usd_per_h=4)
    assert_allclose(300e3 + 4 * hours, 30 * hours)


def test_cents_count_as_dollars_do():
    """Rents and savings below a dollar; at the rent itself full use is just enough."""
    found = tco.even_busy_share(owned_usd_per_h=0.5, rent_usd_per_h=[0, 0.4, 0.5, 0.8])
    assert_allclose(found, [np.inf, np.inf, 1, 0.625])
    assert_allclose(tco.even_h(cost_usd=100, rent_usd_per_h=0.75, opex_usd_per_h=0.5), 400)
