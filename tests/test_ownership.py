"""Own, rent or call as studies: parts, speeds, regimes, returns."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import frontier, ownership
from costlib.catalog import UnknownNameError

MACHINE = ownership.Machine(
    machine_usd=300e3,
    node_accelerators=8,
    network_fraction=0.1,
    installation_fraction=0.02,
    spare_fraction=0.03,
    salvage_fraction=0.1,
    interest_fraction=0.08,
    years=4,
    insurance_fraction=0.01,
    tax_fraction=0.01,
    repair_fraction=0.02,
    staff_usd_per_h=2,
    software_usd_per_h=1,
    provisioned_w=10_200,
    power_w=7_752,
    pue=1.3,
    colocation_usd_per_kw_month=150,
    electricity_usd_per_kwh=0.1,
)
LOAD = {
    "owned_usd_per_h": 2,
    "rent_usd_per_h": 3,
    "api_usd_per_mtok": 0.9,
    "tokens_per_s": 5_000,
    "n_accelerators": 2,
    "node_accelerators": 8,
    "peak_times": 2,
    "load_fraction": 0.8,
}


def test_the_parts_of_an_hour_sum_to_it():
    found = ownership.hour(MACHINE)
    assert_allclose(sum(found[part] for part in ownership.PARTS), found["owned"])
    assert_allclose(found["energy"], 7.752 * 1.3 * 0.1 / 8)
    assert_allclose(found["room"], 10.2 * 150 / 730 / 8)


def test_longer_life_is_cheaper_and_dearer_power_is_not():
    owned = ownership.hour(MACHINE, years=np.array([3, 4, 5]))["owned"]
    assert (np.diff(owned) < 0).all()
    dear = ownership.hour(MACHINE, electricity_usd_per_kwh=0.3)["owned"]
    assert_allclose(dear - ownership.hour(MACHINE)["owned"], 7.752 * 1.3 * 0.2 / 8)


def test_a_model_that_does_not_fit_is_refused():
    load = {"weight_format": "bf16", "n_clients": 8, "input_tokens": 1000, "output_tokens": 300}
    with pytest.raises(ValueError, match=r"n_accelerators: Llama-3.1-70B does not fit on 1 H100"):
        ownership.speed("Llama-3.1-70B", "H100", n_accelerators=1, **load)
    rate, low, high = ownership.speed("Llama-3.1-8B", "H100", n_accelerators=1, **load)
    assert low < rate < high


def test_regimes_are_the_bill_over_the_tokens():
    table = ownership.regimes([100, 10_000, 100_000], **LOAD)
    assert table["n_rent"].tolist() == [2, 4, 40]
    assert table["n_own"].tolist() == [8, 8, 40]
    assert_allclose(table["own"], table["n_own"] * 2 * 730 / table["mtok"])
    assert_allclose(table["rent"], table["n_rent"] * 3 * 730 / table["mtok"])
    assert table["cheapest"].tolist() == ["API", "rent", "own"]


def test_a_crossing_is_final_or_never():
    table = ownership.regimes(np.logspace(1, 6, 400), **LOAD)
    at = ownership.crossing(table, "own", "API")
    after = table[table["mtok"] >= at]
    assert (after["own"] <= after["API"]).all()
    before = table[table["mtok"] < at].iloc[-1]
    assert before["own"] > before["API"]
    dear = ownership.regimes(np.logspace(1, 6, 400), **LOAD | {"api_usd_per_mtok": 0.01})
    assert np.isinf(ownership.crossing(dear, "own", "API"))
    assert ownership.crossing(dear, "API", "own") == pytest.approx(10)


def test_returns_turn_where_owning_breaks_even():
    table = ownership.returns(MACHINE, [0.3, 0.6, 0.9], rent_usd_per_h=4)
    assert (np.diff(table["npv_usd"]) > 0).all()
    assert ((table["npv_usd"] > 0) == (table["irr_fraction"] > 0.08)).all()
    assert np.isinf(table["payback_months"][0])
    falling = ownership.returns(MACHINE, [0.9], rent_usd_per_h=4, yearly_times=0.6)
    assert falling["npv_usd"][0] < table["npv_usd"][2]


def test_quotes_are_sorted_and_more_quotes_leave_the_lowest_rents_alone():
    found = ownership.quotes("H100")
    assert found["usd_per_h"].is_monotonic_increasing
    assert frontier.rents("on demand")["H100"] == 2.95
    assert frontier.rents("spot")["H100"] == 1.25
    index = found[found["kind"] == "index"].sort_values("as_of")
    assert index["usd_per_h"].tolist() == [1.7, 2.35]
    with pytest.raises(UnknownNameError):
        ownership.quotes("H1000")


def test_a_cold_start_waits_for_the_weights():
    found = ownership.cold_start(
        "Llama-3.1-70B", "H100", weight_format="fp8", n_accelerators=2, fixed_s=60
    )
    assert found["Local NVMe"] == pytest.approx(60 + 72.65e9 / 14e9, rel=0.01)
    assert found["Host memory"] < found["Local NVMe"] < found["Shared storage"]


def test_rented_replicas_follow_the_demand_and_owned_ones_carry_the_peak():
    table = ownership.regimes([100_000], **LOAD | {"rent_peak_times": 1})
    assert table["n_rent"].tolist() == [20]
    assert table["n_own"].tolist() == [40]
    assert table["cheapest"].tolist() == ["rent"]
