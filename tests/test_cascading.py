"""Cascades, second tries and fallbacks, against queries drawn one by one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import cascading

GSM8K = {"only_strong_fraction": 0.2923, "only_weak_fraction": 0.0719}


@pytest.fixture(scope="module")
def drawn():
    """Half a million queries: who is right, and whether a check rejects the cheap answer."""
    rng = np.random.default_rng(3)
    kind = rng.choice(4, size=500_000, p=[0.5654, 0.2923, 0.0719, 0.0704])
    weak, strong = np.isin(kind, (0, 2)), np.isin(kind, (0, 1))
    rejected = np.where(weak, rng.random(kind.size) < 0.1, rng.random(kind.size) < 0.8)
    return weak, strong, rejected


def test_a_cascade_costs_and_scores_what_its_queries_do(drawn):
    weak, strong, rejected = drawn
    check = {"caught_fraction": 0.8, "false_alarm_fraction": 0.1}
    passed_on = cascading.escalated_fraction(0.6373, **check)
    assert_allclose(passed_on, rejected.mean(), atol=2e-3)
    assert_allclose(
        cascading.cascade_quality(0.6373, **GSM8K, **check),
        np.where(rejected, strong, weak).mean(),
        atol=2e-3,
    )
    cost = cascading.cascade_usd(passed_on, strong_usd=24.7, weak_usd=0.24, check_usd=0.1)
    assert_allclose(cost, (0.34 + 24.7 * rejected).mean(), rtol=5e-3)


def test_a_perfect_check_beats_the_strong_model_and_a_blind_one_is_chance():
    perfect = cascading.cascade_quality(0.6373, **GSM8K, caught_fraction=1)
    assert perfect == pytest.approx(0.6373 + 0.2923)
    blind = cascading.cascade_quality(
        0.6373, **GSM8K, caught_fraction=0.4, false_alarm_fraction=0.4
    )
    assert_allclose(blind, 0.6373 + 0.4 * (0.2923 - 0.0719))


def test_a_distilled_model_costs_its_share_and_what_falls_back():
    ratio = cascading.cascade_usd([0, 0.2, 0.95], strong_usd=140, weak_usd=7) / 140
    assert_allclose(ratio, [0.05, 0.25, 1.0])


def test_tries_follow_the_coin():
    rng = np.random.default_rng(4)
    until = rng.geometric(0.3, size=300_000)
    for n in (1, 2, 5):
        assert_allclose(
            cascading.tried_fraction(n, success_fraction=0.3), (until <= n).mean(), atol=3e-3
        )
        assert_allclose(
            cascading.tried_usd(n, request_usd=2, success_fraction=0.3),
            2 * np.minimum(until, n).mean(),
            rtol=5e-3,
        )


def test_tries_of_a_model_that_is_never_right_cost_all_of_them():
    assert cascading.tried_usd(4, request_usd=2, success_fraction=0) == 8
    assert cascading.tried_fraction(4, success_fraction=0) == 0
