"""Speculative decoding: limits, a simulation as the oracle, published acceptance lengths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import drafts

seeded = settings(derandomize=True, deadline=None)
shares = st.floats(0, 1)
lengths = st.integers(0, 16)


@seeded
@given(lengths)
def test_nothing_accepted_gives_one_token_and_everything_gives_the_draft_and_one_more(draft):
    found = drafts.accepted_tokens(acceptance_fraction=[0, 1], draft_tokens=draft)
    assert_allclose(found, [1, draft + 1])


def test_tokens_of_a_pass_are_what_drawn_acceptances_yield():
    kept, draft = 0.7, 5
    drawn = np.random.default_rng(3).random((200_000, draft)) < kept
    yielded = 1 + np.cumprod(drawn, axis=1).sum(axis=1)
    found = drafts.accepted_tokens(acceptance_fraction=kept, draft_tokens=draft)
    assert_allclose(found, yielded.mean(), rtol=0.005)


def test_a_measured_first_draft_of_1_93_tokens_means_93_percent_kept():
    # Qwen3.5's own draft head on coding: 1.93 tokens a pass with a draft of one
    assert_allclose(drafts.accepted_tokens(acceptance_fraction=0.93, draft_tokens=1), 1.93)


@seeded
@given(st.floats(0.01, 1), st.integers(1, 16))
def test_the_acceptance_behind_a_yield_is_the_one_that_made_it(kept, draft):
    made = drafts.accepted_tokens(acceptance_fraction=kept, draft_tokens=draft)
    found = drafts.acceptance_fraction(accepted_tokens=made, draft_tokens=draft)
    assert_allclose(found, kept, atol=1e-9)


def test_one_token_needs_no_acceptance_and_more_than_all_is_out_of_reach():
    found = drafts.acceptance_fraction(accepted_tokens=[0.5, 1, 9, 9.1], draft_tokens=8)
    assert_allclose(found, [0, 0, 1, np.inf], atol=1e-12)


def test_without_a_draft_no_acceptance_is_defined():
    with pytest.raises(ValueError, match="draft_tokens"):
        drafts.acceptance_fraction(accepted_tokens=1, draft_tokens=0)


@seeded
@given(shares, lengths)
def test_more_acceptance_and_longer_drafts_never_yield_less(kept, draft):
    here = drafts.accepted_tokens(acceptance_fraction=kept, draft_tokens=draft)
    longer = drafts.accepted_tokens(acceptance_fraction=kept, draft_tokens=draft + 1)
    surer = drafts.accepted_tokens(acceptance_fraction=min(1, kept + 0.1), draft_tokens=draft)
    assert longer >= here - 1e-12
    assert surer >= here - 1e-12


@seeded
@given(shares, st.floats(0, 0.02), st.floats(0, 0.005))
def test_the_best_draft_is_the_fastest_of_all_tried(kept, row_s, draft_s):
    given = {"acceptance_fraction": kept, "draft_s": draft_s}
    best = drafts.best_draft_tokens(step_s=0.01, row_s=row_s, **given)
    times = [
        drafts.token_s(pass_s=0.01 + g * row_s, draft_tokens=g, **given)
        for g in range(drafts.MOST_DRAFT_TOKENS + 1)
    ]
    assert times[int(best)] == min(times)


def test_a_draft_that_is_never_kept_is_not_made():
    assert drafts.best_draft_tokens(step_s=1, row_s=0, draft_s=0.1, acceptance_fraction=0) == 0


def test_a_fraction_above_one_is_refused():
    with pytest.raises(ValueError, match="acceptance_fraction"):
        drafts.accepted_tokens(acceptance_fraction=1.2, draft_tokens=1)
