"""Carbon and water: published values; load shifting against a linear programme."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import linprog

from costlib import carbon, sites


def test_the_intensity_of_all_data_centres():
    assert_allclose(carbon.mean_g_per_kwh(carbon_kg=182e9, energy_kwh=460e9), 395.65, atol=5e-3)


def test_an_emission_and_its_intensity_are_inverse():
    emitted = carbon.carbon_kg(energy_kwh=7, grid_g_per_kwh=395)
    assert_allclose(carbon.mean_g_per_kwh(carbon_kg=emitted, energy_kwh=7), 395)


def test_a_million_tokens_by_hand():
    """0.36 J a token are 0.1 kWh a million; at PUE 1.5 and 400 g/kWh 0.06 kg."""
    found = carbon.token_kg_per_mtok(token_j=0.36, pue=1.5, grid_g_per_kwh=400)
    assert_allclose(found, 0.06)
    assert_allclose(carbon.token_kwh_per_mtok(token_j=0.36), 0.1)
    assert_allclose(
        carbon.carbon_usd_per_mtok(token_kg_per_mtok=found, carbon_usd_per_t=80), 0.0048
    )


def test_the_rests_differ_sixteen_fold_and_the_shares_twenty_three_fold():
    times = carbon.residual_times(carbon_free_fraction=0.04, other_carbon_free_fraction=0.94)
    assert_allclose(times, 16)
    assert np.isinf(carbon.residual_times(carbon_free_fraction=0.5, other_carbon_free_fraction=1))


def test_water_on_site_and_at_the_plants():
    """Twice the PUE doubles what the plants take, not what the towers do."""
    one, two = carbon.water_l_per_kwh(site_l_per_kwh=0.5, pue=[1, 2], grid_l_per_kwh=3)
    assert (one, two) == (3.5, 6.5)
    assert_allclose(carbon.water_l_per_mtok(token_j=3.6, water_l_per_kwh=two), 6.5)


def test_embodied_carbon_spreads_over_the_tokens_of_a_life():
    """One token a second for an hour are 3,600 tokens."""
    found = carbon.embodied_kg_per_mtok(
        embodied_kg=3.6, period_h=[1, 2, 0], busy_fraction=1, tokens_per_s=1
    )
    assert_allclose(found, [1_000, 500, np.inf])


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    grid=st.lists(st.floats(10, 800), min_size=1, max_size=24),
    fixed=st.floats(0, 2),
    share=st.floats(0, 1),
    room=st.floats(0.1, 3),
)
def test_shifting_finds_the_minimum_of_the_linear_programme(grid, fixed, share, room):
    work = share * room * len(grid)
    load = carbon.shifted_kwh(grid, fixed_kwh=fixed, flexible_kwh=work, cap_kwh=fixed + room)
    assert_allclose(load.sum(), fixed * len(grid) + work)
    assert (load >= fixed - 1e-9).all()
    assert (load <= fixed + room + 1e-9).all()
    best = linprog(grid, A_eq=np.ones((1, len(grid))), b_eq=[work], bounds=[(0, room)] * len(grid))
    assert_allclose((load - fixed) @ grid, best.fun, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"flexible_kwh": 9}, r"flexible_kwh must fit under the cap, got 9\.0 of 6\.0"),
        ({"fixed_kwh": 4}, r"fixed_kwh must not exceed cap_kwh, got 4\.0 of 3\.0"),
        ({"flexible_kwh": -1}, r"flexible_kwh must not be negative, got -1\.0"),
        ({"fixed_kwh": -1}, r"fixed_kwh must not be negative, got -1\.0"),
        ({"cap_kwh": np.nan}, r"cap_kwh must not be negative, got nan"),
        ({"hour_g_per_kwh": [100, -1]}, r"hour_g_per_kwh must not be negative, got -1\.0"),
    ],
)
def test_work_that_does_not_fit_is_refused(change, told):
    given = {"hour_g_per_kwh": [300, 100, 200], "fixed_kwh": 1, "flexible_kwh": 3, "cap_kwh": 3}
    given |= change
    with pytest.raises(ValueError, match=f"^{told}"):
        carbon.shifted_kwh(given.pop("hour_g_per_kwh"), **given)


@pytest.mark.parametrize("name", ["pace", "banc"])
def test_a_day_has_24_hours_and_shifting_saves_in_it(name):
    day = sites.hours(name)
    assert day.shape == (24,)
    load = carbon.shifted_kwh(day, fixed_kwh=0.5, flexible_kwh=12, cap_kwh=1.5)
    assert load @ day < day.sum()


def test_nothing_is_saved_on_a_flat_grid_or_without_room_or_without_carbon():
    for grid, work, cap in (([200] * 4, 2, 2), ([300, 100], 2, 2), ([0, 0], 1, 2)):
        saved = carbon.shifted_fraction(grid, fixed_kwh=1, flexible_kwh=work, cap_kwh=cap)
        assert_allclose(saved, 0, atol=1e-12)


def test_half_the_work_of_two_hours_in_the_cleaner_one():
    """1 fixed each, 2 more: even 2 and 2 at 300 and 100 is 800; shifted 1 and 3 is 600."""
    saved = carbon.shifted_fraction([300, 100], fixed_kwh=1, flexible_kwh=2, cap_kwh=3)
    assert_allclose(saved, 0.25)
