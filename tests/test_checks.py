"""Argument checks: what passes unchanged, what is refused, and in which words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costlib import _checks

sizes = st.floats(min_value=1e-6, max_value=1e15)
CHECKS = [_checks.positive, _checks.non_negative, _checks.fraction, _checks.at_least_one]
CHECKS += [_checks.finite, _checks.number, _checks.whole]
each_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


@settings(derandomize=True, deadline=None)
@given(value=sizes)
def test_what_is_in_range_passes_unchanged(value):
    assert _checks.positive("a", value) == _checks.non_negative("a", value) == value


@each_check
def test_a_scalar_stays_a_scalar_and_an_array_keeps_its_shape(check):
    assert isinstance(check("a", 1), np.float64)
    assert check("a", [[1, 1, 1]]).shape == (1, 3)


@pytest.mark.parametrize(
    ("check", "edge"),
    [
        (_checks.non_negative, 0),
        (_checks.non_negative, np.inf),  # a window without an end
        (_checks.positive, np.inf),
        (_checks.positive, 5e-324),
        (_checks.fraction, 0),
        (_checks.fraction, 1),
        (_checks.at_least_one, 1),
        (_checks.at_least_one, np.inf),
        (_checks.number, -np.inf),
        (_checks.count, 1),
        (_checks.count, 3.0),
    ],
)
def test_the_edge_of_a_range_belongs_to_it(check, edge):
    assert check("a", edge) == edge


@pytest.mark.parametrize(
    ("check", "bad", "message"),
    [
        (_checks.positive, 0, "rent must be positive, got 0.0"),
        (_checks.positive, -np.inf, "rent must be positive, got -inf"),
        (_checks.non_negative, -1, "rent must not be negative, got -1.0"),
        (_checks.fraction, 1.5, r"rent must lie in \[0, 1\], got 1.5"),
        (_checks.fraction, -0.5, r"rent must lie in \[0, 1\], got -0.5"),
        (_checks.positive, [1, 2, -3, -4], "rent must be positive, got -3.0 at index 2"),
        (_checks.fraction, [[0, 1], [2, 0]], r"rent must .*, got 2.0 at index 1, 0"),
        (_checks.finite, [1, -np.inf], "rent must be finite, got -inf at index 1"),
        (_checks.number, [1, np.nan], "rent must be a number, got nan at index 1"),
        (_checks.whole, 2.5, "rent must be a whole number, got 2.5"),
        (_checks.count, 2.5, "rent must be a whole number of at least 1, got 2.5"),
        (_checks.count, 0, "rent must be a whole number of at least 1, got 0"),
        (_checks.count, np.inf, "rent must be a whole number of at least 1, got inf"),
        (_checks.count, [1, 2], r"rent must be a whole number of at least 1, got \[1, 2\]"),
    ],
)
def test_a_refusal_names_the_parameter_the_value_and_its_place(check, bad, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        check("rent", bad)


@each_check
@pytest.mark.parametrize(
    "bad", [np.nan, [1, np.nan], "many", "12", None, 1j, [1, "x"], [[1], [1, 2]]]
)
def test_what_is_no_number_is_refused(check, bad):
    with pytest.raises(ValueError, match=r"^rent must "):
        check("rent", bad)


@pytest.mark.parametrize(("value", "shape"), [(3, (1,)), ([1, 2], (2, 1)), ([[1, 2]], (1, 2, 1))])
def test_a_scenario_parameter_gets_a_last_axis_for_the_groups(value, shape):
    assert _checks.over_groups("a", value).shape == shape


def test_a_count_may_have_a_largest():
    assert _checks.count("bits", 52, 52) == 52
    with pytest.raises(ValueError, match=r"^bits must be a whole number of 1 to 52, got 53$"):
        _checks.count("bits", 53, 52)


@pytest.mark.parametrize("bad", [-1, 0.5, "1", None, np.nan, np.timedelta64(3, "s")])
def test_a_source_of_draws_starts_from_a_whole_number_or_is_one(bad):
    drawn = np.random.default_rng(7)
    assert _checks.generator(drawn) is drawn
    assert _checks.generator(7).random() == drawn.random()
    with pytest.raises(ValueError, match=r"^seed must be a whole number of at least 0"):
        _checks.generator(bad)
