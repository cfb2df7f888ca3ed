"""Clipped lengths: closed forms against draws, tables against sums, the best limit by force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import special

from costlib import clipping, queueing

seeded = settings(derandomize=True, deadline=None)
tables = st.lists(st.integers(0, 50), min_size=1, max_size=12).map(
    lambda lengths: np.array(lengths, dtype=float)
)
DEVIATES = special.ndtri((np.arange(400_000) + 0.5) / 400_000)


# --- lognormal -------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.1, 0.7, 1.2])
@pytest.mark.parametrize("share", [0.3, 0.01])
def test_the_closed_forms_are_the_moments_of_a_fine_table(sigma, share):
    lengths = np.exp(5 + sigma * DEVIATES)
    law = {"mean_tokens": np.exp(5 + sigma**2 / 2), "sigma": sigma}
    limit = clipping.share_limit_tokens(clipped_fraction=share, **law)
    assert_allclose(clipping.clipped_fraction(limit_tokens=limit, **law), share, rtol=1e-9)
    assert_allclose((lengths > limit).mean(), share, rtol=1e-3)
    for formula, table in (
        (clipping.clipped_mean_tokens, clipping.kept_mean_tokens),
        (clipping.clipped_scv, clipping.kept_scv),
        (clipping.clipped_third_moment, clipping.kept_third_moment),
    ):
        assert_allclose(
            formula(limit_tokens=limit, **law), table(limit, lengths_tokens=lengths), rtol=1e-4
        )


@seeded
@given(st.floats(1, 1e5), st.floats(0.05, 2))
def test_without_a_limit_the_moments_are_those_of_the_law(mean, sigma):
    law = {"limit_tokens": np.inf, "mean_tokens": mean, "sigma": sigma}
    assert_allclose(clipping.clipped_mean_tokens(**law), mean)
    assert_allclose(clipping.clipped_scv(**law), np.expm1(sigma**2), rtol=1e-9)
    assert_allclose(clipping.clipped_third_moment(**law), np.exp(3 * sigma**2))
    assert clipping.clipped_fraction(**law) == 0
    assert np.isinf(clipping.share_limit_tokens(clipped_fraction=0, mean_tokens=mean, sigma=sigma))


# --- tables ----------------------------------------------------------------------------------


@seeded
@given(tables, st.floats(0, 60))
def test_a_table_is_summed_as_it_stands(lengths, limit):
    cut = np.minimum(lengths, limit)
    mean = cut.mean()
    given = {"lengths_tokens": lengths}
    assert_allclose(clipping.kept_mean_tokens(limit, **given), mean)
    if mean > 1e-3:
        scv = cut.var() / mean**2
        assert_allclose(clipping.kept_scv(limit, **given), scv, rtol=1e-6, atol=1e-12)
        assert_allclose(clipping.kept_third_moment(limit, **given), (cut**3).mean() / mean**3)


def test_where_nothing_is_left_nothing_varies():
    assert clipping.kept_scv(0, lengths_tokens=[1, 5]) == 0
    assert clipping.kept_third_moment(0, lengths_tokens=[1, 5]) == 1


# --- what it is worth ------------------------------------------------------------------------


@seeded
@given(st.floats(0, 0.99), st.floats(0.1, 1), st.floats(0, 5), st.floats(0, 5))
def test_the_ratio_is_that_of_two_queues(busy, left, whole_scv, left_scv):
    found = clipping.wait_ratio(
        busy_fraction=busy,
        mean_tokens=100,
        length_scv=whole_scv,
        clipped_mean_tokens=100 * left,
        clipped_scv=left_scv,
    )
    rate = max(busy, 1e-9) / 100
    cut = queueing.wait_s(requests_per_s=rate, service_s=100 * left, service_scv=left_scv)
    whole = queueing.wait_s(requests_per_s=rate, service_s=100, service_scv=whole_scv)
    assert_allclose(found, cut / whole, rtol=1e-6)


def test_only_a_limit_saves_a_server_that_is_always_busy():
    found = clipping.wait_ratio(
        busy_fraction=1, mean_tokens=100, length_scv=1, clipped_mean_tokens=[90, 100], clipped_scv=1
    )
    assert found.tolist() == [0, 0]


money = {
    "waiting_usd_per_h": st.floats(0, 100),
    "truncated_usd": st.floats(0, 1),
    "lost_usd_per_mtok": st.floats(0, 1e4),
}


@seeded
@given(tables, st.floats(0.001, 0.1), st.fixed_dictionaries(money))
def test_the_best_limit_is_the_best_of_all_tried(lengths, rate, prices):
    given = {"lengths_tokens": lengths, "requests_per_s": rate, "output_token_s": 1.0, **prices}
    best = clipping.best_limit_tokens(**given)
    assert best in lengths
    tried = []
    for limit in lengths:  # every cost in its plainest form
        cut = np.minimum(lengths, limit)
        load, square = rate * cut.mean(), rate * (cut**2).mean()
        wait = square / (2 * (1 - load)) if load < 1 else np.inf
        usd = (lengths > limit).mean() * prices["truncated_usd"]
        usd += (lengths - cut).mean() * prices["lost_usd_per_mtok"] / 1e6
        usd += prices["waiting_usd_per_h"] / 3600 * wait if prices["waiting_usd_per_h"] else 0
        assert_allclose(clipping.limit_usd(limit, **given), usd, rtol=1e-9, atol=1e-15)
        tried.append(usd)
    assert_allclose(clipping.limit_usd(best, **given), min(tried), rtol=1e-9, atol=1e-15)


@seeded
@given(tables, st.floats(0, 60), st.fixed_dictionaries({"truncated_usd": st.floats(0, 1)}))
def test_no_limit_between_two_lengths_is_better(lengths, limit, prices):
    given = {"lengths_tokens": lengths, "requests_per_s": 0.015, "output_token_s": 1.0, **prices}
    given["waiting_usd_per_h"] = 36.0
    best = clipping.limit_usd(clipping.best_limit_tokens(**given), **given)
    if limit >= lengths.min():
        assert clipping.limit_usd(limit, **given) >= best - 1e-12


def test_a_wait_that_costs_nothing_cuts_nothing():
    given = {"lengths_tokens": [1, 5, 9], "requests_per_s": 0.1, "output_token_s": 1}
    assert clipping.best_limit_tokens(**given, waiting_usd_per_h=0) == 9
