"""Facilities: the meter, the bill, the connection; published values and hand calculations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import facility

ratios = st.floats(1.0, 4.0)
shares = st.floats(0.01, 0.99)


def test_the_meter_gives_back_the_ratio():
    met = facility.facility_w(power_w=2e6, pue=[1, 1.3, 2])
    assert_allclose(facility.pue(facility_w=met, power_w=2e6), [1, 1.3, 2])


def test_equipment_cannot_draw_more_than_its_building():
    with pytest.raises(ValueError, match=r"power_w must not exceed facility_w, got 2\.0 of 1\.0"):
        facility.pue(facility_w=1, power_w=2)


@pytest.mark.parametrize("function", ["facility_w", "overhead_fraction", "boundary_pue"])
def test_a_pue_below_one_is_refused(function):
    more = {"facility_w": {"power_w": 1}, "boundary_pue": {"moved_fraction": 0.1}}.get(function, {})
    with pytest.raises(ValueError, match=r"^pue must be at least 1, got 0\.99"):
        getattr(facility, function)(pue=0.99, **more)


def test_half_of_the_meter_is_overhead_from_a_pue_of_two_on():
    assert facility.overhead_fraction(pue=[1, 2, 4]).tolist() == [0, 0.5, 0.75]


@settings(derandomize=True, deadline=None)
@given(pue=ratios, moved=shares)
def test_moving_the_boundary_leaves_the_building_as_it_was(pue, moved):
    """The oracle counts watts: 1 W of equipment, of which a share becomes overhead."""
    whole, left = pue * 1.0, 1.0 - moved
    assert_allclose(facility.boundary_pue(pue=pue, moved_fraction=moved), whole / left)
    assert np.isinf(facility.boundary_pue(pue=pue, moved_fraction=1))


@settings(derandomize=True, deadline=None)
@given(pue=ratios, fixed=shares, load=shares)
def test_at_part_load_the_watts_add_up(pue, fixed, load):
    overhead = (pue - 1) * fixed + (pue - 1) * (1 - fixed) * load
    assert_allclose(
        facility.load_pue(pue=pue, fixed_fraction=fixed, load_fraction=load),
        (load + overhead) / load,
    )


def test_without_load_a_fixed_overhead_has_no_finite_pue():
    given = {"pue": 1.4, "load_fraction": 0.0}
    assert np.isinf(facility.load_pue(fixed_fraction=0.5, **given))
    assert facility.load_pue(fixed_fraction=0.0, **given) == 1.4
    assert facility.load_pue(pue=1, fixed_fraction=0.5, load_fraction=0) == 1


def test_the_node_of_three_years_against_its_price():
    """10.2 kW at PUE 1.5 and ten cents: $40K, 13 % of $300K; an H100 alone 9 % of $30K."""
    bill = facility.energy_usd(
        power_w=[10_200, 700], period_h=26_280, electricity_usd_per_kwh=0.1, pue=1.5
    )
    assert_allclose(bill, [40_208.4, 2_759.4])
    assert_allclose(bill / [300_000, 30_000], [0.134, 0.092], atol=5e-4)
    parity = facility.parity_usd_per_kwh(
        cost_usd=30_000, energy_kwh=facility.energy_kwh(power_w=700, period_h=26_280, pue=1.5)
    )
    assert_allclose(parity, 1.09, atol=0.005)


def test_the_saving_of_the_megawatt():
    saved = facility.energy_kwh(power_w=1e6, period_h=8_760, pue=[1.5, 1.35])
    assert_allclose(saved[0] - saved[1], 1_314_000)
    assert_allclose(1_314_000 * 0.098, 128_772)
    assert facility.parity_usd_per_kwh(cost_usd=1, energy_kwh=0) == np.inf


def test_what_a_connection_carries():
    assert facility.n_hosted(site_w=4e6, power_w=1_275) == 3_137
    assert facility.n_hosted(site_w=2.32e6, power_w=4_000, pue=[1, 1.09]).tolist() == [580, 532]
    assert facility.n_hosted(site_w=999, power_w=1_000) == 0


def test_a_node_is_its_cards_and_its_host():
    assert facility.node_w(tdp_w=700, n_accelerators=8, host_w=4_600) == 10_200


def test_what_is_never_drawn_was_built_for_nothing():
    assert facility.provisioned_times(drawn_fraction=[1, 0.5, 0]).tolist() == [1, 2, np.inf]
