"""Fleets: whole replicas and machines, renting in its forms, volumes that pay."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from costlib import fleet, serving

DEMAND = {"tokens_per_s": 1_000, "peak_times": 2, "load_fraction": 0.8}


def test_replicas_are_whole_carry_the_peak_and_never_fall_below_the_least():
    demand = np.linspace(0, 9_000, 400)
    held = fleet.n_replicas(demand_tokens_per_s=demand, **DEMAND, n_least=2, n_spares=1)
    assert_array_equal(held, np.floor(held))
    assert held.min() == 3
    assert (demand * 2 <= (held - 1) * 800 + 1e-6).all()
    beyond = held > 3
    assert (demand[beyond] * 2 > (held[beyond] - 2) * 800).all()


def test_a_demand_that_just_fits_buys_no_further_replica():
    assert fleet.n_replicas(demand_tokens_per_s=1_200, **DEMAND, n_least=1, n_spares=0) == 3


@pytest.mark.parametrize("bad", [{"peak_times": 0.9}, {"load_fraction": 0}, {"tokens_per_s": 0}])
def test_a_load_that_is_none_is_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        fleet.n_replicas(demand_tokens_per_s=1, **DEMAND | bad, n_least=1, n_spares=0)


def test_a_third_of_a_gpu_buys_a_machine():
    found = fleet.n_held_accelerators(
        n_replicas=[0, 1, 8, 9], n_accelerators=1, node_accelerators=8
    )
    assert_array_equal(found, [0, 8, 8, 16])


def test_at_the_even_volume_fleet_and_api_cost_the_same():
    volume = fleet.month_tokens(
        held_usd_per_h=2, n_accelerators=8, api_usd_per_mtok=0.6, tokens_per_s=16_000
    )
    second = volume / (730 * 3600)
    assert_allclose(
        fleet.even_usd_per_mtok(held_usd_per_h=2, n_accelerators=8, demand_tokens_per_s=second), 0.6
    )
    assert_allclose(volume / 1e6 * 0.6, 8 * 2 * 730)


def test_a_volume_that_the_fleet_cannot_make_is_never():
    made = 2_000 * 730 * 3600
    edge = 2 * 730 / (made / 1e6)
    given = {"held_usd_per_h": 2, "n_accelerators": 1, "tokens_per_s": 2_000}
    assert np.isfinite(fleet.month_tokens(**given, api_usd_per_mtok=edge * 1.001))
    assert np.isinf(fleet.month_tokens(**given, api_usd_per_mtok=edge * 0.999))
    assert np.isinf(fleet.month_tokens(**given, api_usd_per_mtok=0))


def test_10_to_50_million_tokens_need_29_to_146_dollars():
    found = fleet.even_usd_per_mtok(
        held_usd_per_h=2, n_accelerators=1, demand_tokens_per_s=np.array([50e6, 10e6]) / 2_628_000
    )
    assert_allclose(found, [29.2, 146])


def test_a_mean_rent_is_the_integral_of_its_course():
    for times in (0.5, 0.9999999999, 1, 1.4):
        years = (np.arange(100_000) + 0.5) / 25_000
        assert_allclose(
            fleet.mean_rent_usd_per_h(rent_usd_per_h=2, yearly_times=times, years=4),
            (2 * times**years).mean(),
            rtol=1e-6,
        )


def test_spot_work_that_is_always_lost_costs_without_end():
    assert np.isinf(fleet.spot_usd_per_h(rent_usd_per_h=1, eviction_h=1, lost_h=2))
    assert_allclose(fleet.spot_usd_per_h(rent_usd_per_h=1, eviction_h=10, lost_h=2), 1.25)


def test_a_start_reads_the_weights_and_the_lag_follows_it():
    start = fleet.start_s(weight_bytes=70e9, bytes_per_s=7e9, fixed_s=50)
    assert start == 60
    assert_allclose(fleet.lag_fraction(hourly_times=4, start_s=[0, 1800, 3600]), [0, 1, 3])


def test_tenants_pay_the_whole_fleet():
    shares = np.array([0.1, 0.2, 0.7])
    paid = fleet.tenant_usd_per_h(held_usd_per_h=3, n_accelerators=8, tenant_fraction=shares)
    assert_allclose(paid.sum(), 24)


def test_a_commitment_pays_above_one_less_its_discount():
    given = {"rent_usd_per_h": 2, "discount_fraction": 0.3}
    bound = fleet.committed_usd_per_h(**given, commitment_fraction=1, needed_fraction=[0.69, 0.71])
    free = fleet.committed_usd_per_h(**given, commitment_fraction=0, needed_fraction=[0.69, 0.71])
    assert (bound > free).tolist() == [True, False]


def test_the_bill_of_a_fleet_is_that_of_serving():
    assert fleet.even_usd_per_mtok(
        held_usd_per_h=2, n_accelerators=3, demand_tokens_per_s=10
    ) == serving.usd_per_mtok(rent_usd_per_h=2, tokens_per_s=10, n_accelerators=3)
