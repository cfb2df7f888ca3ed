"""Demand: published readings, limits, and the two parts of a bill that multiply to the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import demand

seeded = settings(derandomize=True, deadline=None)
prices = st.floats(1e-3, 10)
elasticities = st.floats(0, 4)


@pytest.mark.parametrize(
    ("cut", "elasticity", "tokens", "spend"),
    [  # what the readings of "just above one" make of it
        (0.9, 1.0, 1.111, 1.0),
        (0.9, 1.1, 1.123, 1.0106),
        (0.1, 1.05, 11.22, 1.122),
        (0.1, 1.1, 12.59, 1.259),
        (0.1, 1.5, 31.62, 3.162),
        (0.2, 1.1, 5.873, 1.1746),
    ],
)
def test_a_cut_at_an_elasticity(cut, elasticity, tokens, spend):
    assert_allclose(demand.demand_times(cut, elasticity=elasticity), tokens, rtol=5e-4)
    assert_allclose(demand.spend_times(cut, elasticity=elasticity), spend, rtol=5e-4)


@seeded
@given(prices, elasticities)
def test_spend_is_price_times_volume(price, elasticity):
    volume = demand.demand_times(price, elasticity=elasticity)
    found = demand.spend_times(price, elasticity=elasticity)
    assert_allclose(found, price * volume, rtol=1e-12)


@seeded
@given(prices, st.floats(0.01, 4))
def test_an_elasticity_is_the_slope_of_the_logarithms(price, elasticity):
    near = np.array([price, price * 1.0001])
    slope = np.diff(np.log(demand.demand_times(near, elasticity=elasticity)))
    assert_allclose(-slope / np.log(1.0001), elasticity, rtol=1e-6)


@seeded
@given(st.floats(1e-3, 0.99), elasticities)
def test_the_apparent_elasticity_gives_the_true_one_back_where_only_the_price_moved(price, true):
    volume = demand.demand_times(price, elasticity=true)
    found = demand.apparent_elasticity(price_times=price, volume_times=volume)
    assert_allclose(found, true, atol=1e-9)


def test_a_free_token_is_bought_without_end_unless_nobody_looks_at_prices():
    assert demand.demand_times(0, elasticity=[0.5, 0]).tolist() == [np.inf, 1]


def test_a_price_that_stood_still_explains_nothing():
    found = demand.apparent_elasticity(price_times=1, volume_times=[1, 3])
    assert found.tolist() == [0, np.inf]


@seeded
@given(prices, st.floats(0.01, 100), elasticities)
def test_spend_is_what_the_price_did_times_what_demand_did_on_its_own(price, spend, elasticity):
    given_ = {"price_times": price, "elasticity": elasticity}
    shift = demand.shift_times(spend_times=spend, **given_)
    assert_allclose(shift * demand.spend_times(price, elasticity=elasticity), spend, rtol=1e-12)


def test_a_fifth_of_the_price_and_twice_the_bill():
    apparent = demand.apparent_elasticity(price_times=0.2, volume_times=10)
    assert_allclose(apparent, 1.4307, rtol=1e-4)
    assert_allclose(demand.shift_times(price_times=0.2, spend_times=2, elasticity=1), 2)
    assert_allclose(demand.shift_times(price_times=0.2, spend_times=2, elasticity=apparent), 1)


def test_the_published_pass_through():
    assert_allclose(1 - demand.passed_times(0.9, pass_through=0.432), 0.0445, atol=5e-5)
    assert_allclose(1 / demand.passed_times(1 / 63, pass_through=0.432), 5.99, atol=5e-3)
    assert demand.passed_times([0, 1, 5], pass_through=[1, 0.4, 0]).tolist() == [0, 1, 1]


def test_a_budget_moves_with_its_part():
    found = demand.budget_times(
        inference_fraction=[0, 0.85, 1], price_times=0.2, volume_times=[9, 5, 50]
    )
    assert_allclose(found, [1, 1, 10])
