"""Outages: money against a plain sum, and answers against requests counted one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import availability, outages, terms

seeded = settings(derandomize=True, deadline=None)
shares = st.floats(0, 1)


def test_a_pool_costs_its_replicas_and_its_hours_down():
    given = {"n_needed": 2, "common_fraction": 0.03}
    for n in range(6):
        up = availability.pool_fraction(0.98, n_replicas=n, **given)
        found = outages.pool_usd(
            n,
            availability_fraction=0.98,
            replica_usd_per_h=6,
            loss_usd_per_h=500,
            period_h=730,
            **given,
        )
        hours_down = availability.down_h(up, period_h=730)
        assert_allclose(found, n * 6 * 730 + hours_down * 500, rtol=1e-12)


# --- one more nine -------------------------------------------------------------------------


@given(
    now=st.integers(1, 40),
    more=st.integers(0, 80),
    replica=st.floats(1, 1e6),
    watching=st.floats(1, 1e7),
)
@seeded
def test_a_fleet_of_the_even_size_pays_so_many_times(now, more, replica, watching):
    times = float(
        outages.nine_cost_times(
            now, n_more_replicas=more, replica_usd=replica, watching_usd=watching
        )
    )
    even = outages.even_fleet_usd(times, replica_times=more / now, watching_usd=watching)
    assert_allclose(even, now * replica, rtol=1e-6)


def test_a_nine_that_no_replicas_reach_costs_without_end():
    given = {"replica_usd": 5, "watching_usd": 0}
    found = outages.nine_cost_times(
        [2, 0, 2, np.inf], n_more_replicas=[np.inf, 3, 3, np.inf], **given
    )
    assert found.tolist() == [np.inf, np.inf, 1.5, np.inf]
    assert np.isinf(outages.even_fleet_usd(2, replica_times=2, watching_usd=1e6))


def test_the_value_of_a_nine_as_the_book_on_operations_works_it():
    value = outages.nine_value_usd(0.999, target_fraction=0.9999, revenue_usd=1e6)
    assert_allclose(value, 1e6 * 0.0009)
    assert outages.nine_value_usd(0.99, target_fraction=0.9, revenue_usd=100) == pytest.approx(-9)


@given(up=st.floats(0, 0.99), gained=st.floats(0.001, 0.01), cost=st.floats(1, 1e9))
@seeded
def test_at_the_even_revenue_a_nine_is_worth_its_cost(up, gained, cost):
    given = {"target_fraction": up + gained}
    revenue = outages.even_revenue_usd(cost, availability_fraction=up, **given)
    assert_allclose(outages.nine_value_usd(up, revenue_usd=revenue, **given), cost, rtol=1e-9)


def test_no_revenue_pays_for_what_is_no_better():
    found = outages.even_revenue_usd(1, availability_fraction=0.9, target_fraction=[0.9, 0.8])
    assert np.isinf(found).all()


# --- promises ------------------------------------------------------------------------------


def test_credits_are_those_of_the_agreement():
    """The agreement's own words: less than 99.9 % but at least 99.0 % is 10 %, and so on."""
    months = [1, 0.999, 0.99899, 0.99, 0.98999, 0.95, 0.94999, 0]
    found = outages.credit_usd(months, bill_usd=100, **terms.credit_steps("Bedrock"))
    assert found.tolist() == [0, 0, 10, 10, 25, 25, 100, 100]


def test_the_order_of_the_steps_does_not_matter():
    found = outages.credit_usd(
        0.98, bill_usd=100, below_fraction=[0.95, 0.999, 0.99], credit_fraction=[1, 0.1, 0.25]
    )
    assert found == 25


def test_a_step_without_a_credit_is_refused():
    with pytest.raises(ValueError, match=r"^credit_fraction must hold one share for each of 2"):
        outages.credit_usd(0.9, bill_usd=1, below_fraction=[0.9, 0.8], credit_fraction=[0.1])


# --- what can be used ----------------------------------------------------------------------


def test_usable_answers_are_those_of_a_crowd():
    """A million requests: answered or not, late or not, by the lesser model or not."""
    rng = np.random.default_rng(3)
    size = 1_000_000
    up, late, fallback, worth = 0.97, 0.04, 0.3, 0.6
    answered = rng.random(size) < up
    timely = rng.random(size) >= late
    lesser = rng.random(size) < fallback
    seen = np.where(answered & timely, np.where(lesser, worth, 1.0), 0.0).mean()
    found = outages.usable_fraction(
        up, late_fraction=late, fallback_fraction=fallback, worth_fraction=worth
    )
    assert abs(seen - found) < 0.002


@given(up=st.floats(0.01, 1), late=st.floats(0, 0.9), worth=st.floats(0, 0.99), share=shares)
@seeded
def test_the_affordable_fallback_meets_the_target(up, late, worth, share):
    given = {"late_fraction": late, "worth_fraction": worth}
    target = outages.usable_fraction(up, fallback_fraction=share, **given)
    most = outages.affordable_fallback_fraction(target, availability_fraction=up, **given)
    assert_allclose(most, share, atol=1e-9)


@pytest.mark.parametrize(
    ("target", "up", "worth", "most"),
    [(0.999, 0.99, 0.5, 0), (0.99, 0.99, 1, 1), (0.999, 0.99, 1, 0), (0, 0.99, 0.5, 1)],
)
def test_a_target_out_of_reach_affords_no_fallback(target, up, worth, most):
    found = outages.affordable_fallback_fraction(
        target, availability_fraction=up, worth_fraction=worth
    )
    assert found == most


def test_a_second_service_of_the_same_kind_is_a_pool_of_two():
    given = {"common_fraction": 0}
    pool = availability.pool_fraction(0.97, n_replicas=2, **given)
    assert_allclose(outages.failover_fraction(0.97, other_availability_fraction=0.97), pool)


@given(up=shares, other=shares, worth=shares)
@seeded
def test_a_fallback_never_harms_and_what_is_shared_never_helps(up, other, worth):
    given = {"other_availability_fraction": other, "worth_fraction": worth}
    alone, shared = (
        outages.failover_fraction(up, common_fraction=common, **given) for common in (0, 1)
    )
    assert alone >= shared == up
