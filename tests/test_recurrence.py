"""Rounding of a recurrent state: closed forms, a plain loop as oracle, where it stops moving."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import recurrence

seeded = settings(derandomize=True, deadline=None, max_examples=40)
decays = st.floats(0, 0.9999)


def bfloat16(value):
    """Round to the nearest number with eight significant bits, ties to even."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(mantissa * 2**8), exponent - 8)


def looped(n_tokens, *, decay, rounded, seed=0):
    """Error of the first channel, token by token, from the same inputs."""
    drawn = np.random.default_rng(seed)
    exact = state = 0.0
    for now in range(n_tokens):
        if now % recurrence.BLOCK_TOKENS == 0:
            block = (recurrence.BLOCK_TOKENS, recurrence.N_CHANNELS)
            inputs = drawn.standard_normal(block)
            drawn.random(block)
        u = inputs[now % recurrence.BLOCK_TOKENS, 0]
        exact, state = decay * exact + u, rounded(decay * state + u)
    return state - exact


def test_the_first_tokens_error_is_gone_by_token_100k_and_grows_only_in_a_state_that_explodes():
    left = recurrence.remaining_error(100e3, decay=[0.999, 1, 1.0001])
    assert_allclose(left, [3.5e-44, 1, 22_015], rtol=0.02)


def test_of_an_exploding_state_the_bound_and_the_expected_error_are_infinite_in_the_long_run():
    for decay in (1, 1.0001):
        assert recurrence.rounding_bound(decay=decay, rounding_step=1) == np.inf
        assert recurrence.rounding_rms(decay=decay, rounding_step=1) == np.inf
        assert recurrence.state_rms(decay=decay) == np.inf


def test_at_a_decay_of_one_the_error_is_a_random_walk():
    assert_allclose(recurrence.rounding_bound(100, decay=1, rounding_step=0.1), 5)
    assert_allclose(recurrence.rounding_rms(100, decay=1, rounding_step=0.1), 1 / math.sqrt(12))


@seeded
@given(decays, st.integers(1, 400), st.floats(1e-3, 10))
def test_the_closed_forms_are_the_sums_that_they_stand_for(decay, n_tokens, step):
    powers = decay ** np.arange(n_tokens)
    settings = {"decay": decay, "rounding_step": step}
    bound, rms = (
        form(n_tokens, **settings) for form in (recurrence.rounding_bound, recurrence.rounding_rms)
    )
    assert_allclose(bound, step / 2 * powers.sum(), rtol=1e-9)
    assert_allclose(rms, step * math.sqrt((powers**2).sum() / 12), rtol=1e-9)
    assert recurrence.rounding_bound(**settings) >= bound * (1 - 1e-12)


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.99])
def test_the_simulated_error_is_the_expected_one_and_never_above_the_bound(decay):
    tokens = np.array([1, 30, 1000, 3000])
    found = recurrence.rounding_error(tokens, decay=decay, rounding_step=0.5)
    expected = recurrence.rounding_rms(tokens, decay=decay, rounding_step=0.5)
    assert_allclose(found, expected, rtol=0.15)
    assert (found <= recurrence.rounding_bound(tokens, decay=decay, rounding_step=0.5)).all()


def test_an_int8_state_saturates_after_some_thousand_tokens_and_does_not_compound():
    size = recurrence.state_rms(decay=0.999)
    step = recurrence.integer_step(state_bits=8, largest_value=5 * size)
    errors = recurrence.rounding_error([10, 5_000, 20_000], decay=0.999, rounding_step=step)
    assert errors[0] < errors[1] / 5
    assert_allclose(errors[2], errors[1], rtol=0.15)
    assert_allclose(errors[2] / size, 0.25, rtol=0.1)


@pytest.mark.parametrize(
    ("settings", "rounded"),
    [
        ({"rounding_step": 0.25}, lambda value: round(value / 0.25) * 0.25),
        ({"mantissa_bits": 7}, bfloat16),
        (
            {"rounding_step": 0.25, "largest_value": 2},
            lambda value: min(max(round(value / 0.25) * 0.25, -2), 2),
        ),
    ],
)
def test_a_channel_follows_a_plain_loop_over_blocks_of_inputs(monkeypatch, settings, rounded):
    monkeypatch.setattr(recurrence, "N_CHANNELS", 1)
    monkeypatch.setattr(recurrence, "BLOCK_TOKENS", 50)
    for n_tokens in (1, 49, 50, 51, 120):
        found = recurrence.rounding_error(n_tokens, decay=0.95, seed=4, **settings)
        wanted = abs(looped(n_tokens, decay=0.95, rounded=rounded, seed=4))
        assert_allclose(found, wanted, atol=1e-12)


def test_a_state_that_is_not_rounded_has_no_error():
    assert recurrence.rounding_error(100, decay=0.9) == 0
    assert recurrence.rounding_error(0, decay=0.9, rounding_step=1) == 0


def test_float16_is_rounded_as_numpy_rounds_it():
    value = 1.0
    for _ in range(300):
        value = float(np.float16(0.99 * value))
    found = recurrence.rounded_state(300, decay=0.99, mantissa_bits=10, rounding_step=2.0**-24)
    assert found == value


@seeded
@given(st.floats(0.9, 0.99999), st.floats(0.001, 0.2))
def test_a_state_without_input_stops_below_the_bound(decay, step):
    found = recurrence.rounded_state(300, decay=decay, rounding_step=step)
    # What is left of the state, and half a step per token, each of which fades, too.
    left = recurrence.remaining_error(300, decay=decay)
    bound = recurrence.rounding_bound(decay=decay, rounding_step=step)
    assert found <= (left + bound) * (1 + 1e-9)


def test_rounding_to_nearest_neither_forgets_nor_learns_where_a_token_moves_less_than_half_a_step():
    slow = {"decay": 0.999, "rounding_step": 1 / 127}
    assert_allclose(recurrence.rounded_state(5000, **slow), 1)
    assert recurrence.rounded_state(5000, first_value=0, update_value=0.003, **slow) == 0
    exact = recurrence.rounded_state(5000, decay=0.999, first_value=0, update_value=0.003)
    assert_allclose(exact, 0.003 * (1 - 0.999**5000) / 0.001)


def test_no_bfloat16_moves_at_a_decay_above_511_over_512():
    stuck, moving = 1 - 2.0**-9 + 1e-6, 1 - 2.0**-8
    values = 1 + np.arange(128) / 128
    found = recurrence.rounded_state(50, decay=stuck, first_value=values, mantissa_bits=7)
    assert_allclose(found, values)
    assert (
        recurrence.rounded_state(1, decay=moving, first_value=values, mantissa_bits=7) < values
    ).all()


def test_stochastic_rounding_keeps_the_mean_and_pays_with_noise():
    slow = {"decay": 0.999, "rounding_step": 1 / 127}
    found = recurrence.rounded_state(1000, dither_fraction=1, **slow)
    assert_allclose(found, 0.999**1000, atol=0.01)
    errors = recurrence.rounding_error(
        np.arange(1000, 4000, 200), decay=0.99, rounding_step=1, dither_fraction=[[1], [0]]
    )
    noisy, nearest = np.sqrt((errors**2).mean(axis=1))
    assert_allclose(noisy / nearest, math.sqrt(2), rtol=0.05)


def test_the_seed_decides_and_the_same_one_gives_the_same_errors():
    def once(seed):
        return recurrence.rounding_error(50, decay=0.9, rounding_step=1, seed=seed)

    assert once(1) == once(1)
    assert once(1) != once(2)


def test_an_integer_format_has_as_many_steps_as_codes():
    assert_allclose(recurrence.integer_step(state_bits=[4, 8], largest_value=1), [1 / 7, 1 / 127])
    with pytest.raises(ValueError, match="state_bits"):
        recurrence.integer_step(state_bits=1, largest_value=1)


@pytest.mark.parametrize("bad", [{"n_tokens": 1.5}, {"n_tokens": np.inf}, {"seed": 0.5}])
def test_tokens_and_seeds_are_whole(bad):
    with pytest.raises(ValueError, match=rf"{next(iter(bad))} must be a whole number"):
        recurrence.rounding_error(**({"n_tokens": 10, "decay": 0.9, "rounding_step": 1} | bad))


def test_a_state_that_explodes_is_not_simulated():
    with pytest.raises(ValueError, match="decay must lie in"):
        recurrence.rounding_error(10, decay=1.001, rounding_step=1)
