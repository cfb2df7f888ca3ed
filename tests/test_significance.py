"""How many questions: published widths, exact tests, and draws that keep the promised power."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from costlib import significance


@pytest.mark.parametrize(
    ("n", "score", "points"),
    [(14_042, 0.95, 0.36), (164, 0.95, 3.3), (1319, 0.5, 2.7)],
)
def test_half_widths_in_points(n, score, points):
    assert_allclose(100 * significance.score_half_width(score, n_questions=n), points, atol=0.05)


def test_wordings_add_a_part_that_questions_do_not_shrink():
    one, many = significance.score_half_width(
        0.7, n_questions=[1e9, 1e9], prompt_deviation=0.03, n_prompts=[1, 9]
    )
    assert_allclose([one, many], [1.96 * 0.03, 1.96 * 0.01], rtol=1e-4)


def test_a_difference_on_the_same_questions_has_the_spread_of_its_draws():
    rng = np.random.default_rng(5)
    kinds = rng.multinomial(2000, [0.18, 0.05, 0.77], size=20_000)
    spread = ((kinds[:, 0] - kinds[:, 1]) / 2000).std()
    found = significance.apart_half_width(0.18, only_second_fraction=0.05, n_questions=2000)
    assert_allclose(found, 1.96 * spread, rtol=0.02)


@pytest.mark.parametrize(
    ("first", "second"), [(10, 5), (0, 0), (1, 0), (120, 90), (7, 7), (40, 20)]
)
def test_mcnemars_chance_is_that_of_the_exact_test(first, second):
    thrown = first + second
    exact = stats.binomtest(first, thrown, 0.5).pvalue if thrown else 1.0
    assert_allclose(significance.mcnemar_fraction(first, n_only_second=second), exact, rtol=1e-12)


@pytest.mark.parametrize(("b", "c"), [(0.065, 0.035), (0.18, 0.15), (0.12, 0.08)])
def test_so_many_shared_questions_show_the_difference_in_four_of_five(b, c):
    n = int(significance.n_paired_questions(b, only_second_fraction=c))
    rng = np.random.default_rng(6)
    kinds = rng.multinomial(n, [b, c, 1 - b - c], size=20_000)
    z = (kinds[:, 0] - kinds[:, 1]) / np.sqrt(np.maximum(kinds[:, 0] + kinds[:, 1], 1))
    assert_allclose((np.abs(z) > 1.96).mean(), 0.8, atol=0.02)


@pytest.mark.parametrize(("s", "t"), [(0.70, 0.73), (0.95, 0.98), (0.5, 0.6)])
def test_so_many_questions_each_show_it_in_four_of_five(s, t):
    n = int(significance.n_unpaired_questions(s, other_success_fraction=t))
    rng = np.random.default_rng(7)
    one, two = rng.binomial(n, s, 20_000) / n, rng.binomial(n, t, 20_000) / n
    middle = (one + two) / 2
    z = (two - one) / np.sqrt(2 * middle * (1 - middle) / n)
    assert_allclose((np.abs(z) > 1.96).mean(), 0.8, atol=0.02)


def test_models_that_agree_on_much_are_told_apart_by_fewer_questions():
    both = significance.n_paired_questions([0.04, 0.2], only_second_fraction=[0.01, 0.17])
    assert both[0] < both[1]
    alone = significance.n_unpaired_questions(0.7, other_success_fraction=0.73)
    assert both[0] < alone


@pytest.mark.parametrize(("b", "c", "n"), [(0.065, 0.035, 870), (0.3, 0.1, 77)])
def test_the_number_for_a_test_of_mcnemar_is_connors(b, c, n):
    z, power = stats.norm.ppf([0.975, 0.8])
    exact = (z * np.sqrt(b + c) + power * np.sqrt(b + c - (b - c) ** 2)) ** 2 / (b - c) ** 2
    assert np.ceil(exact) == n
    assert significance.n_paired_questions(b, only_second_fraction=c) == n


def test_equal_models_are_never_told_apart():
    assert significance.n_unpaired_questions(0.7, other_success_fraction=0.7) == np.inf
    assert significance.n_paired_questions(0.1, only_second_fraction=0.1) == np.inf


def test_contamination_is_counted_question_by_question():
    n_seen, n_recalled = 180, 126  # of a thousand
    told = significance.contaminated_fraction(
        [0.2, 0.6, 1.0], seen_fraction=n_seen / 1000, recalled_fraction=n_recalled / n_seen
    )
    answered = [n_recalled + right * (1000 - n_recalled) for right in (0.2, 0.6, 1.0)]
    assert_allclose(1000 * told, answered)
