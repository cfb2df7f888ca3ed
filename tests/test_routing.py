"""Two models and a router between them: published values, and queries counted one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import routing

seeded = settings(derandomize=True, deadline=None)
shares = st.floats(0.01, 0.45)
GPT4 = {"strong_usd": 24.7, "weak_usd": 0.24}


# --- cost ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strong", "saved"),
    [(0.26, 0.733), (0.14, 0.852), (0.51, 0.485)],  # of GPT-4's price
)
def test_a_share_of_calls_saves_nearly_as_much_where_the_other_model_is_nearly_free(strong, saved):
    cost = routing.routed_usd(strong, **GPT4)
    assert_allclose(1 - cost / 24.7, saved, atol=5e-4)
    assert_allclose(routing.affordable_fraction(1 - cost / 24.7, **GPT4), strong, rtol=1e-12)


def test_a_saving_out_of_reach_leaves_no_call_and_none_at_all_leaves_every_call():
    assert routing.affordable_fraction([0.995, 0.0], **GPT4).tolist() == [0, 1]
    assert routing.affordable_fraction(0.5, strong_usd=1, weak_usd=1) == 0  # nothing to save
    assert routing.affordable_fraction(0, strong_usd=1, weak_usd=1) == 1


def test_deciding_costs_what_it_costs_on_every_query():
    with_router = routing.routed_usd([0, 0.5, 1], **GPT4, router_usd=1)
    assert_allclose(with_router - routing.routed_usd([0, 0.5, 1], **GPT4), 1)


def test_a_mix_of_tiers_must_be_whole():
    with pytest.raises(ValueError, match=r"tier_fractions must sum to 1, got 0\.9"):
        routing.blended_usd_per_mtok([0.7, 0.2], tier_usd_per_mtok=[1, 2])
    with pytest.raises(ValueError, match="tier_usd_per_mtok must not be negative"):
        routing.blended_usd_per_mtok([0.5, 0.5], tier_usd_per_mtok=[1, -2])
    many = routing.blended_usd_per_mtok([[1, 0], [0, 1]], tier_usd_per_mtok=[3, 7])
    assert many.tolist() == [3, 7]


# --- quality ---------------------------------------------------------------------------------


def counted(share, skill, both, better, worse, neither):
    """Score of a router by counting: it knows a part of each kind of query, and draws the rest."""
    n = both + better + worse + neither
    known = skill * share * n  # strong calls among the queries that it knows
    to_better = min(known, skill * better)
    known -= to_better
    to_alike = min(known, skill * (both + neither))
    to_worse = known - to_alike
    by_chance = (1 - skill) * share
    right = both + worse - to_worse - by_chance * worse + to_better + by_chance * better
    return right / n


@seeded
@given(st.floats(0, 1), st.floats(0, 1), shares, shares, shares)
def test_a_router_of_any_skill_scores_what_counting_finds(share, skill, both, better, worse):
    neither = 0.1
    n = both + better + worse + neither
    found = routing.routed_quality(
        share,
        weak_quality=(both + worse) / n,
        only_strong_fraction=better / n,
        only_weak_fraction=worse / n,
        skill_fraction=skill,
    )
    assert_allclose(found, counted(share, skill, both, better, worse, neither), atol=1e-12)


@seeded
@given(st.floats(0, 1), shares, shares)
def test_skill_is_the_area_under_the_curve_turned_around(skill, better, worse):
    given_ = {"only_strong_fraction": better, "only_weak_fraction": worse}
    if abs(better - worse) < 0.02:
        return
    share = np.linspace(0, 1, 20_001)
    quality = routing.routed_quality(share, weak_quality=0.5, skill_fraction=skill, **given_)
    gap = better - worse
    area = np.trapezoid((quality - 0.5) / gap, share)
    if area < 0:
        return  # a weak model that is the better one
    assert_allclose(routing.skill_share(area, **given_), skill, atol=1e-4)


def test_models_that_never_differ_leave_nothing_to_tell_apart():
    assert routing.skill_share(0.9, only_strong_fraction=0, only_weak_fraction=0) == 0


def test_a_mix_of_equal_models_recovers_all_or_is_worse():
    found = routing.recovered_share([0.7, 0.6, 0.8], strong_quality=0.7, weak_quality=0.7)
    assert found.tolist() == [1, -np.inf, 1]


def test_a_weak_model_that_is_better_turns_the_gap_around():
    assert routing.recovered_share(0.6, strong_quality=0.5, weak_quality=0.7) == pytest.approx(0.5)


def test_a_threshold_moves_with_the_prompts():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=400_000)
    threshold = np.quantile(scores, 1 - 0.26)
    live = (scores + 0.5 > threshold).mean()
    assert_allclose(routing.shifted_fraction(0.26, shift=0.5), live, atol=2e-3)
    assert routing.shifted_fraction([0, 1], shift=3).tolist() == [0, 1]


# --- failures --------------------------------------------------------------------------------

CHEAP = {"strong_usd": 0.025, "weak_usd": 0.00028}
SURE = {"strong_success_fraction": 1.0, "weak_success_fraction": 0.79}


def test_at_the_break_even_loss_both_answers_cost_the_same():
    loss = routing.break_even_loss_usd(**CHEAP, **SURE)
    assert_allclose(loss, 0.1177, atol=5e-5)
    strong, weak = routing.answer_usd([0.025, 0.00028], success_fraction=[1, 0.79], loss_usd=loss)
    assert_allclose(strong, weak, rtol=1e-12)


@seeded
@given(st.floats(0.05, 0.95), st.floats(0.01, 0.9), st.floats(0.001, 1))
def test_at_the_retry_break_even_both_right_answers_cost_the_same(weak, part, cheap):
    strong = weak + (1 - weak) * part
    dear = 3 * cheap / weak
    costs = {"strong_usd": dear, "weak_usd": cheap}
    rates = {"strong_success_fraction": strong, "weak_success_fraction": weak}
    loss = routing.break_even_retry_loss_usd(**costs, **rates)
    both = routing.correct_usd([dear, cheap], success_fraction=[strong, weak], loss_usd=loss)
    assert_allclose(both[0], both[1], rtol=1e-9)
    more, less = (
        routing.correct_usd([dear, cheap], success_fraction=[strong, weak], loss_usd=factor * loss)
        for factor in (1.1, 0.9)
    )
    assert more[0] < more[1]
    assert less[0] > less[1]


@pytest.mark.parametrize("formula", ["break_even_loss_usd", "break_even_retry_loss_usd"])
def test_the_ranking_never_flips_towards_a_dearer_model_that_is_no_better(formula):
    worse = {"strong_success_fraction": 0.7, "weak_success_fraction": 0.7}
    break_even = getattr(routing, formula)
    assert break_even(strong_usd=2, weak_usd=1, **worse) == np.inf
    assert break_even(strong_usd=0.5, weak_usd=1, **SURE) == 0


def test_right_answers_of_a_model_that_is_never_right_have_no_price():
    assert routing.correct_usd(1, success_fraction=0) == np.inf


def test_a_right_answer_costs_what_asking_until_it_comes_does():
    rng = np.random.default_rng(2)
    tries = rng.geometric(0.6, size=400_000)
    found = routing.correct_usd(0.02, success_fraction=0.6, loss_usd=0.5)
    assert_allclose(found, (0.02 * tries + 0.5 * (tries - 1)).mean(), rtol=5e-3)
