"""Book values and charges against textbook tables, and against each other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import charges, depreciation

TEN = {"cost_usd": 10e3, "salvage_fraction": 0.2, "life_years": 5}


def yearly(book, **given):
    return -np.diff(book(np.arange(6), **given))


def test_the_textbook_table_of_ten_thousand_over_five_years():
    assert_allclose(yearly(depreciation.straight_book_usd, **TEN), 1600)
    digits = yearly(depreciation.digits_book_usd, **TEN)
    assert_allclose(digits, np.array([5, 4, 3, 2, 1]) / 15 * 8e3)
    double = yearly(depreciation.declining_book_usd, **TEN, rate_times=2)
    assert_allclose(double, [4000, 2400, 1440, 160, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("life", "table"),
    [
        (3, [33.33, 44.45, 14.81, 7.41]),
        (5, [20, 32, 19.2, 11.52, 11.52, 5.76]),
        (7, [14.29, 24.49, 17.49, 12.49, 8.93, 8.92, 8.93, 4.46]),
        (10, [10, 18, 14.4, 11.52, 9.22, 7.37, 6.55, 6.55, 6.56, 6.55, 3.28]),
    ],
)
def test_macrs_is_the_table_of_the_tax_code(life, table):
    book = depreciation.macrs_book_usd(np.arange(life + 3), cost_usd=100, life_years=life)
    assert_allclose(-np.diff(book), [*table, 0], atol=0.011)


@pytest.mark.parametrize("age", [0.25, 1.5, 3.75])
def test_within_a_year_every_schedule_is_straight(age):
    for book, more in (
        (depreciation.digits_book_usd, TEN),
        (depreciation.declining_book_usd, {**TEN, "rate_times": 2}),
        (depreciation.macrs_book_usd, {"cost_usd": 10e3, "life_years": 5}),
    ):
        year = np.floor(age)
        ends = book([year, year + 1], **more)
        assert_allclose(book(age, **more), ends[0] + (age - year) * (ends[1] - ends[0]))


def test_schedules_end_at_the_salvage_value_and_stay_there():
    for book in (depreciation.straight_book_usd, depreciation.digits_book_usd):
        assert_allclose(book([5, 5.5, 40], **TEN), 2e3)
    used = {"cost_usd": 10e3, "salvage_fraction": 0.2, "n_lifetime": 100}
    assert_allclose(depreciation.units_book_usd([0, 50, 100, 300], **used), [10e3, 6e3, 2e3, 2e3])


def test_components_alike_are_one_straight_line():
    one = charges.component_charge_usd(
        0.6, cost_usd=9e5, salvage_fraction=0, life_years=6, rest_life_years=6
    )
    assert one == pytest.approx(
        depreciation.straight_charge_usd(6, cost_usd=9e5, salvage_fraction=0)
    )
    assert charges.equivalent_life_years(one, cost_usd=9e5) == pytest.approx(6)


def test_a_shorter_life_moves_charges_and_adds_none():
    lives = {"cost_usd": 1e9, "shorter_years": 2.5, "life_years": 5.5}
    extra = charges.extra_charge_usd(np.arange(8), **lives)
    assert extra[3] == pytest.approx(1e9 * (1 - 3 / 5.5))  # the shorter one is over
    assert_allclose(extra[[0, 6, 7]], 0)
    first = charges.extra_charge_usd(1, **lives)
    base = charges.implied_base_usd(first, shorter_years=2.5, life_years=5.5)
    assert base == pytest.approx(1e9)


def test_an_hour_of_a_machine_that_stands_has_no_finite_charge():
    found = charges.charge_usd_per_h([8760, 0, 8760], busy_fraction=[0, 0, 0.5])
    assert found.tolist() == [np.inf, 0, 2]


def test_equal_lives_explain_no_effect():
    assert charges.implied_base_usd(1, shorter_years=4, life_years=4) == np.inf


def test_failures_scale_with_the_time_watched_and_survival_compounds():
    once = charges.failing_fraction(10, n_in_service=100, period_h=8760)
    assert once == pytest.approx(0.1)
    assert charges.failing_fraction(10, n_in_service=100, period_h=876) == pytest.approx(1)
    assert charges.working_fraction(2, lost_fraction=once) == pytest.approx(0.81)


def test_two_generations_in_a_year_undercut_twice():
    assert charges.undercut_times(0.3, cadence_years=0.5) == pytest.approx(0.49)


BOOKS = {
    depreciation.straight_charge_usd: {"salvage_fraction": 0.2},
    depreciation.straight_book_usd: {"age_years": 1, "salvage_fraction": 0.2},
    depreciation.declining_book_usd: {"age_years": 1, "salvage_fraction": 0.2, "rate_times": 2},
    depreciation.digits_book_usd: {"age_years": 1, "salvage_fraction": 0.2},
    depreciation.units_book_usd: {"n_made": 1, "salvage_fraction": 0.2},
    depreciation.macrs_book_usd: {"age_years": 1},
}


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.__name__)
def test_what_cost_nothing_loses_nothing_and_no_life_is_refused(book):
    life = "n_lifetime" if book is depreciation.units_book_usd else "life_years"
    assert book(**BOOKS[book], cost_usd=0, **{life: 5}) == 0
    with pytest.raises(ValueError, match=r"must be positive, got 0\.0"):
        book(**BOOKS[book], cost_usd=100, **{life: 0})


def test_a_balance_that_does_not_decline_stays():
    """No switch to a straight line is made."""
    assert (depreciation.declining_book_usd([0, 1.5, 9], **TEN, rate_times=0) == 10e3).all()
