"""Reservations and blocks: token by token, against the paper, and at the limits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import catalog, paging

LENGTHS = st.lists(st.integers(0, 60), min_size=1, max_size=6)
ANSWERS = LENGTHS.filter(any)


def tables(prompts, answers):
    return {"input_lengths_tokens": prompts, "output_lengths_tokens": answers}


def watched(prompts, answers, room):
    """Mean of what is set aside, looking at every step of every pair."""
    seen = [
        room(prompt=prompt, answer=answer, held=prompt + step)
        for prompt in prompts
        for answer in answers
        for step in range(1, answer + 1)
    ]
    return sum(seen) / len(seen)


@given(LENGTHS, ANSWERS)
def test_what_is_held_is_the_mean_over_every_step(prompts, answers):
    found = paging.resident_tokens(**tables(prompts, answers))
    assert_allclose(found, watched(prompts, answers, lambda held, **_: held))


@given(LENGTHS, ANSWERS)
def test_room_for_the_final_length_is_the_mean_over_every_step(prompts, answers):
    found = paging.final_tokens(**tables(prompts, answers))
    assert_allclose(found, watched(prompts, answers, lambda prompt, answer, **_: prompt + answer))


@given(LENGTHS, ANSWERS)
def test_room_in_powers_of_two_is_the_mean_over_every_step(prompts, answers):
    def room(prompt, answer, **_):
        return prompt + next(2**k for k in range(10) if 2**k >= answer)

    found = paging.doubled_tokens(**tables(prompts, answers))
    assert_allclose(found, watched(prompts, answers, room))


@given(LENGTHS, ANSWERS, st.integers(1, 40))
def test_room_in_blocks_is_the_mean_over_every_step(prompts, answers, block):
    def room(held, **_):
        return math.ceil(held / block) * block

    found = paging.paged_tokens(block, **tables(prompts, answers))
    assert_allclose(found, watched(prompts, answers, room))


@given(LENGTHS, ANSWERS)
def test_held_final_and_doubled_stand_in_this_order(prompts, answers):
    given_tables = tables(prompts, answers)
    held, final, doubled = (
        formula(**given_tables)
        for formula in (paging.resident_tokens, paging.final_tokens, paging.doubled_tokens)
    )
    assert held <= final <= doubled < 2 * final + 1e-9


def test_blocks_of_one_waste_nothing():
    given_tables = tables([100, 7], [1, 30])
    assert_allclose(paging.paged_tokens(1, **given_tables), paging.resident_tokens(**given_tables))


def test_the_tail_is_what_blocks_leave_empty_where_all_lengths_are_as_likely():
    given_tables = tables([0], [16 * 50])
    tail = paging.paged_tokens(16, **given_tables) - paging.resident_tokens(**given_tables)
    assert_allclose(tail, paging.tail_tokens(16))


@pytest.mark.parametrize("trace", catalog.traces())
def test_blocks_of_16_waste_under_four_per_cent_of_every_trace(trace):
    given_tables = tables(
        *(catalog.length_quantiles(trace, f) for f in ("input_tokens", "output_tokens"))
    )
    held = paging.resident_tokens(**given_tables)
    room = paging.paged_tokens(16, **given_tables)
    assert 0 < paging.waste_fraction(resident_tokens=held, reserved_tokens=room) < 0.01
    assert_allclose(room - held, paging.tail_tokens(16), atol=0.5)  # real lengths are not uniform


def test_the_published_range_of_gains():
    # 60 to 80 % wasted before, 4 % after [kwon2023pagedattention]
    gains = paging.capacity_times(waste_fraction=0.04, baseline_waste_fraction=[0.6, 0.8])
    assert_allclose(gains, [2.4, 4.8])


def test_half_of_a_reservation_for_an_answer_without_prompt_is_wasted():
    given_tables = tables([0], [2047])
    waste = paging.waste_fraction(
        resident_tokens=paging.resident_tokens(**given_tables),
        reserved_tokens=paging.final_tokens(**given_tables),
    )
    assert_allclose(waste, 0.5, atol=0.001)


def test_limits():
    assert paging.waste_fraction(resident_tokens=5, reserved_tokens=np.inf) == 1
    assert paging.waste_fraction(resident_tokens=5, reserved_tokens=5) == 0
    gain = paging.capacity_times(waste_fraction=[0.5, 1, 1], baseline_waste_fraction=[1, 1, 0.5])
    assert_allclose(gain, [np.inf, 0, 0])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"block_tokens": 0}, "block_tokens must be positive"),
        ({"block_tokens": 2.5}, "block_tokens must be a whole number"),
        ({"block_tokens": np.inf}, "block_tokens must be a whole number"),
        ({"input_lengths_tokens": [3, 0.5]}, "input_lengths_tokens must be a whole number"),
        ({"input_lengths_tokens": []}, "input_lengths_tokens must hold at least one"),
        ({"output_lengths_tokens": [3, np.inf]}, "output_lengths_tokens must be a whole number"),
        ({"output_lengths_tokens": []}, "output_lengths_tokens must hold at least one"),
        ({"output_lengths_tokens": [0, 0]}, "output_lengths_tokens must hold a length above 0"),
    ],
)
def test_bad_lengths_are_told_by_name(change, told):
    arguments = {"block_tokens": 16, **tables([100], [10])} | change
    with pytest.raises(ValueError, match=told):
        paging.paged_tokens(**arguments)


def test_room_for_less_than_is_held_is_refused():
    with pytest.raises(ValueError, match=r"reserved_tokens must hold what is resident, got 4\.0"):
        paging.waste_fraction(resident_tokens=5, reserved_tokens=[6, 4])
