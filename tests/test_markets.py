"""Markets: concentration, choice between two kinds, growth by the year."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import markets

seeded = settings(derandomize=True, deadline=None)


@seeded
@given(st.floats(0.01, 1), st.integers(1, 50))
def test_an_index_gives_the_leader_back(share, n):
    leader = max(share, 1 / (n + 1))  # no smaller than the rivals
    shares = [leader, *[(1 - leader) / n] * n]
    index = markets.herfindahl(np.minimum(shares, 1))
    found = markets.leader_fraction(min(index, 1), n_rivals=n)
    assert_allclose(found, leader, rtol=1e-5)


def test_the_published_index_of_chips():
    assert_allclose(markets.herfindahl([0.77]), 0.5929)
    found = markets.leader_fraction(0.59, n_rivals=[1, np.inf])
    assert_allclose(found, [0.7121, 0.7681], atol=1e-4)
    assert_allclose(markets.herfindahl([found[0], 1 - found[0]]), 0.59)
    assert_allclose(markets.n_equal_firms(0.59), 1.695, atol=1e-3)


def test_equal_firms_count_as_many_as_they_are():
    for n in (1, 4, 100):
        assert_allclose(markets.n_equal_firms(markets.herfindahl(np.full(n, 1 / n))), n)


@pytest.mark.parametrize(
    ("formula", "given_", "told"),
    [
        (markets.herfindahl, ([0.7, 0.4],), "sum of shares_fraction must not exceed 1"),
        (markets.herfindahl, ([0.7, -0.4],), "shares_fraction must lie in"),
        (markets.leader_fraction, (0.1,), "1 / n_rivals must not exceed concentration"),
        (markets.needed_growth_times, (0.5,), "the first year must not exceed cumulative_times"),
    ],
)
def test_what_cannot_be_is_refused(formula, given_, told):
    more = {"leader_fraction": {"n_rivals": 4}, "needed_growth_times": {"n_years": 3}}
    with pytest.raises(ValueError, match=told):
        formula(*given_, **more.get(formula.__name__, {}))


@seeded
@given(st.floats(0.01, 10), st.floats(0.01, 0.99), st.floats(0, 3))
def test_the_preference_that_a_share_reveals_makes_that_share(price, share, elasticity):
    given_ = {"price_times": price, "elasticity": elasticity}
    preference = markets.preference_times(share_fraction=share, **given_)
    assert_allclose(markets.open_fraction(preference_times=preference, **given_), share)


def test_the_share_of_open_models():
    found = markets.open_fraction(price_times=0.1, preference_times=1, elasticity=1)
    assert_allclose(found, 10 / 11)
    assert_allclose(
        markets.preference_times(price_times=0.1, share_fraction=0.3, elasticity=1), 70 / 3
    )
    assert markets.open_fraction(price_times=0.1, preference_times=0, elasticity=1) == 1
    assert markets.preference_times(price_times=0.1, share_fraction=1, elasticity=1) == 0


@pytest.mark.parametrize("each", [0, 0.5, 1, 1 + 1e-8, 1.9, 3])
def test_years_sum_one_by_one(each):
    found = markets.summed_times(each, n_years=[1, 2, 5])
    assert_allclose(found, [sum(each**k for k in range(n)) for n in (1, 2, 5)], rtol=1e-6)


@seeded
@given(st.floats(1.0, 500), st.integers(2, 12))
def test_the_needed_growth_sums_to_the_total(total, n):
    growth = markets.needed_growth_times(total, n_years=n)
    assert_allclose(markets.summed_times(growth, n_years=n), total, rtol=1e-6)
