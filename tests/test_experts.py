"""Experts of a step: published coverage, limits, and a simulation as the oracle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import experts

seeded = settings(derandomize=True, deadline=None)
mixtures = st.tuples(st.integers(1, 64), st.integers(1, 64)).map(sorted)
batches = st.integers(1, 4000)


def test_one_token_reads_its_own_experts_and_a_crowd_reads_all():
    found = experts.coverage_fraction([1, 1e6], n_experts=128, top_k=8)
    assert_allclose(found, [8 / 128, 1])


def test_a_model_without_experts_reads_none_and_pads_nothing():
    assert experts.coverage_fraction(64, n_experts=0, top_k=0) == 0
    assert experts.padding_rows(n_experts=0, coverage_fraction=0, tile_rows=128) == 0
    assert experts.skewed_coverage_fraction(64, n_experts=0, top_k=0, skew=1) == 0


@pytest.mark.parametrize("skew", [0, 0.7])
def test_coverage_is_what_drawn_tokens_read(skew):
    # each token draws 4 of 32 experts apart from each other, as the formula assumes
    number, asked, tokens = 32, 4, 6
    popularity = np.arange(1, number + 1) ** -float(skew)
    chance = np.minimum(asked * popularity / popularity.sum(), 1)
    hits = np.random.default_rng(7).random((20_000, tokens, number)) < chance
    found = experts.skewed_coverage_fraction(tokens, n_experts=number, top_k=asked, skew=skew)
    assert_allclose(found, hits.any(axis=1).mean(), rtol=0.01)


@seeded
@given(mixtures, batches)
def test_coverage_grows_with_the_batch_and_all_experts_asked_for_is_dense(mixture, batch):
    asked, number = mixture
    small, large = experts.coverage_fraction([batch, batch + 1], n_experts=number, top_k=asked)
    assert 0 < small <= large <= 1
    assert experts.coverage_fraction(batch, n_experts=number, top_k=number) == 1


@seeded
@given(mixtures, batches, st.floats(0, 3))
def test_skew_reads_fewer_experts_and_none_is_the_even_case(mixture, batch, skew):
    asked, number = mixture
    given = {"n_experts": number, "top_k": asked}
    even = experts.coverage_fraction(batch, **given)
    assert_allclose(experts.skewed_coverage_fraction(batch, **given, skew=0), even)
    assert experts.skewed_coverage_fraction(batch, **given, skew=skew) <= even * (1 + 1e-12)


def test_padding_is_what_rounding_up_to_tiles_adds():
    # tokens of 64 experts, drawn many times: the mean gap to the next whole tile
    tokens = np.random.default_rng(5).poisson(700, (4000, 64))
    gaps = (np.ceil(tokens / 64) * 64 - tokens).sum(axis=1).mean()
    found = experts.padding_rows(n_experts=64, coverage_fraction=1, tile_rows=64)
    assert_allclose(found, gaps, rtol=0.05)


@pytest.mark.parametrize("skew", [0, 0.7])
def test_imbalance_is_that_of_experts_dealt_out_like_cards(skew):
    popularity = np.arange(1, 33) ** -float(skew)
    chance = np.minimum(4 * popularity / popularity.sum(), 1)
    loads = chance.reshape(-1, 8).sum(axis=0)  # one column for each of 8 devices
    found = experts.load_imbalance(n_experts=32, top_k=4, skew=skew, n_accelerators=8)
    assert_allclose(found, loads.max() / loads.mean())


def test_one_device_waits_for_nobody_and_spare_devices_make_it_worse():
    found = experts.load_imbalance(n_experts=8, top_k=2, skew=1, n_accelerators=[1, 8, 16])
    assert found[0] == 1
    assert_allclose(found[2], 2 * found[1])
    assert experts.load_imbalance(n_experts=0, top_k=0, skew=1, n_accelerators=8) == 1


def test_more_experts_asked_for_than_there_are_is_refused():
    with pytest.raises(ValueError, match="n_experts minus top_k"):
        experts.coverage_fraction(1, n_experts=4, top_k=8)


def test_half_an_expert_is_refused():
    with pytest.raises(ValueError, match="n_experts must be a whole number"):
        experts.skewed_coverage_fraction(1, n_experts=2.5, top_k=1, skew=0)
    with pytest.raises(ValueError, match="n_accelerators must be a whole number"):
        experts.load_imbalance(n_experts=8, top_k=1, skew=0, n_accelerators=1.5)
