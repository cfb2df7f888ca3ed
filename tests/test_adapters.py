"""Adapters: published sizes, a batch drawn at random, and machines that are whole."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import adapters, scaling


def test_an_adapter_is_the_matrices_that_it_is_made_of():
    first, second = np.zeros((8, 768)), np.zeros((2304, 8))
    found = adapters.lora_params(8, input_dim=768, output_dim=2304, n_matrices=12)
    assert found == 12 * (first.size + second.size) == 294_912
    assert f"{found / 124_734_720:.3%}" == "0.236%"


def test_adapters_read_are_those_that_a_random_batch_meets():
    rng = np.random.default_rng(1)
    drawn = [len(set(rng.integers(75, size=32))) for _ in range(20_000)]
    assert_allclose(adapters.read_adapters(32, n_tenants=75), np.mean(drawn), rtol=0.005)


def test_machines_are_whole_and_a_load_that_fills_one_needs_no_second():
    given = {"machine_usd": 100, "slow_times": 1}
    assert adapters.tenant_usd(4, load_share=0.25, **given) == 25
    assert 100 * 0.07 > 7  # as floats multiply
    assert adapters.tenant_usd(100, load_share=0.07, **given) == 7
    assert adapters.tenant_usd(5, load_share=0.25, **given) == 40
    assert adapters.tenant_usd(1, load_share=0, **given) == 100


def test_a_request_that_gets_no_cheaper_never_pays():
    found = adapters.break_even_requests(500, request_usd=[1, 1, 0.5], tuned_request_usd=[0, 1, 1])
    assert found.tolist() == [500, np.inf, np.inf]


def test_tuning_everything_is_training_and_tuning_nothing_saves_the_weights_own_gradients():
    whole = adapters.tuning_flop(7e9, trained_params=[7e9, 0], training_tokens=5e6)
    assert_allclose(whole[0], scaling.training_flop(7e9, training_tokens=5e6))
    assert_allclose(whole[1] / whole[0], 2 / 3)


def test_the_matrices_of_a_backward_pass_counted_one_by_one():
    """y = xW, tuned by BA on a square W: one multiplication each, 2 FLOP a weight and token."""
    width, rank = 512, 8
    frozen, added = width * width, 2 * rank * width
    forward, through, own = 2 * (frozen + added), 2 * (frozen + added), 2 * added
    found = adapters.tuning_flop(frozen + added, trained_params=added, training_tokens=1)
    assert found == forward + through + own


def test_more_than_the_model_cannot_be_tuned():
    with pytest.raises(ValueError, match="trained_params must not exceed n_params"):
        adapters.tuning_flop(7e9, trained_params=8e9, training_tokens=1)


def test_a_step_lasts_as_long_as_what_it_reads():
    found = adapters.slow_times([0, 1, 10], adapter_bytes=1.6e8, step_bytes=1.6e10)
    assert_allclose(found, [1, 1.01, 1.1])
