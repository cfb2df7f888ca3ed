"""Unequal users: against a million equally likely ones, and each measure against the others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import special

from costlib import usage

seeded = settings(derandomize=True, deadline=None)
sigmas = st.floats(0.05, 2.5)


def users(sigma, n=2_000_000):
    """Use of equally likely users, the lightest first; exact but for the outermost."""
    return np.exp(sigma * special.ndtri((np.arange(n) + 0.5) / n))


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.5, 2.0])
def test_shares_percentiles_and_gini_are_those_of_the_users(sigma):
    use = users(sigma)
    for top in (0.01, 0.1, 0.5):
        n = round(top * use.size)
        heaviest = use[-n:].sum() / use.sum()
        assert_allclose(usage.top_share(top, sigma=sigma), heaviest, rtol=2e-3)
        found = usage.share_sigma(top_fraction=top, share_fraction=heaviest)
        assert_allclose(found, sigma, rtol=2e-3)
    edge = use[-round(0.05 * use.size)] / np.median(use)
    found = usage.quantile_sigma(top_fraction=0.05, median_times=edge)
    assert_allclose(found, sigma, rtol=1e-4)
    rank = np.arange(1, use.size + 1)
    gini = (2 * (rank * use).sum() / (use.size * use.sum())) - (use.size + 1) / use.size
    assert_allclose(usage.gini_sigma(gini), sigma, rtol=2e-3)


@seeded
@given(st.floats(1e-4, 0.9999), sigmas)
def test_a_share_gives_its_sigma_back(top, sigma):
    share = usage.top_share(top, sigma=sigma)
    if share < 1 - 1e-9:
        found = usage.share_sigma(top_fraction=top, share_fraction=share)
        assert_allclose(found, sigma, rtol=1e-5, atol=1e-6)


def test_the_published_top_one_in_a_hundred():
    assert_allclose(usage.top_share(0.01, sigma=1.5), 0.204, atol=5e-4)


def test_nobody_and_everybody_and_equals():
    assert usage.top_share([0, 1], sigma=1.5).tolist() == [0, 1]
    assert_allclose(usage.top_share([0.2, 0.7], sigma=0), [0.2, 0.7])
    assert usage.share_sigma(top_fraction=[0.3, 1], share_fraction=[0.3, 1]).tolist() == [0, 0]
    assert usage.share_sigma(top_fraction=0.1, share_fraction=1) == np.inf
    assert usage.gini_sigma([0, 1]).tolist() == [0, np.inf]
    assert usage.quantile_sigma(top_fraction=0.05, median_times=1) == 0


@pytest.mark.parametrize(
    ("given_", "named"),
    [
        ({"top_fraction": 0.3, "share_fraction": 0.2}, "top_fraction must not exceed share"),
        ({"top_fraction": 0.6, "median_times": 2}, "top_fraction must not exceed a half"),
        ({"top_fraction": 0.1, "median_times": 0.5}, "the median must not exceed median_times"),
    ],
)
def test_a_top_that_is_none_is_refused(given_, named):
    formula = usage.share_sigma if "share_fraction" in given_ else usage.quantile_sigma
    with pytest.raises(ValueError, match=named):
        formula(**given_)


def test_a_user_costs_all_requests_of_all_sessions_and_idle_ones_nothing():
    given_ = {"n_sessions": 4, "n_requests": 25, "request_usd": 0.02}
    assert_allclose(usage.user_usd(**given_), 2)
    assert_allclose(usage.user_usd(**given_, active_fraction=[0, 0.25]), [0, 0.5])


def test_agents_run_all_day():
    found = usage.agents_usd(n_agents=[1, 50], requests_per_s=0.5, held_s=3600, request_usd=0.01)
    assert_allclose(found, [18, 900])
