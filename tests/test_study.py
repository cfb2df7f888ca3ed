"""Sweeps, ranges and flips."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import kv, serving, study

# --- tools ---------------------------------------------------------------------------------


def test_a_sweep_has_one_row_per_combination_the_last_axis_fastest():
    table = study.sweep(
        kv.kept_tokens, context_tokens=[10, 20], window_tokens=[5, 15], sink_tokens=1
    )
    assert list(table.columns) == ["context_tokens", "window_tokens", "result"]
    assert table.to_numpy().tolist() == [[10, 5, 6], [10, 15, 10], [20, 5, 6], [20, 15, 16]]


def test_a_sweep_keeps_rows_of_a_formula_that_ignores_an_axis():
    table = study.sweep(lambda a, b: np.asarray(a) + 0 * b[0], a=3, b=np.array([1, 2]))
    assert table["result"].tolist() == [3, 3]


def test_ranges_are_ordered_by_swing_and_leave_the_others_at_their_base():
    table = study.one_at_a_time(
        lambda a, b, c: a + 10 * b + c, {"a": 1, "b": 1, "c": 5}, {"a": (0, 2), "b": (0, 2)}
    )
    assert table["parameter"].tolist() == ["b", "a"]
    assert table["result_low"].tolist() == [6, 15]
    assert table["result_high"].tolist() == [26, 17]
    assert set(table["result_base"]) == {16}


def test_a_range_without_a_base_value_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^colour has a range but no base value"):
        study.one_at_a_time(lambda a: a, {"a": 1}, {"colour": (0, 1)})


@settings(derandomize=True, deadline=None)
@given(root=st.floats(0.01, 99.9), scale=st.floats(1e-3, 1e3))
def test_a_flip_point_is_where_the_line_crosses(root, scale):
    found = study.flip_point(lambda x: scale * (x - root), low=0, high=100)
    assert_allclose(found, root, rtol=1e-9)


def test_a_flip_point_may_be_a_jump_even_to_infinity():
    # 39e9 / (2 * 163,840): two users no longer fit
    found = study.flip_point(
        lambda n: serving.n_users(pool_bytes=39e9, sequence_bytes=163_840 * n),
        low=1e4,
        high=2e5,
        target=1.5,
    )
    assert round(found) == 119_019
    leap = study.flip_point(lambda x: np.inf if x > 2 else -1.0, low=0, high=10)
    assert_allclose(leap, 2, rtol=1e-9)


def test_without_a_flip_both_ends_are_told():
    with pytest.raises(ValueError, match=r"no flip between 1 and 2: .* from 11 to 12 .* meets 5"):
        study.flip_point(lambda x: x + 10, low=1, high=2, target=5)


def test_a_range_of_whole_numbers_is_tried_at_whole_numbers_only():
    tried = []

    def formula(n_accelerators):
        tried.append(n_accelerators)
        return float(n_accelerators)

    study.one_at_a_time(formula, {"n_accelerators": 1}, {"n_accelerators": (1, 8)})
    assert {float(value) for value in tried} == {float(n) for n in range(1, 9)}
