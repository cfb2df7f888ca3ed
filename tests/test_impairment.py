"""Value in use against quadrature and search, and the standards' tests against worked cases."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, optimize

from costlib import depreciation, holding, impairment

GPU = {
    "rent_usd_per_h": 3.0,
    "yearly_times": 0.8,
    "busy_fraction": 0.8,
    "opex_usd_per_h": 0.6,
    "interest_fraction": 0.1,
}


def integral(start, end, **given):
    def margin(t):
        earned = given["busy_fraction"] * given["rent_usd_per_h"] * given["yearly_times"] ** t
        worth = (1 + given["interest_fraction"]) ** (start - t)
        return 8760 * (earned - given["opex_usd_per_h"]) * worth

    return integrate.quad(margin, start, end, epsabs=1e-9)[0]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"interest_fraction": 0},
        {"yearly_times": 1.1},
        {"yearly_times": 1.2},
        {"yearly_times": 1},
    ],
)
@pytest.mark.parametrize(("start", "end"), [(0, 6), (1.5, 4), (3, 3)])
def test_flows_are_the_integral(start, end, change):
    given = GPU | change
    found = holding.flows_usd(start, until_years=end, **given)
    assert found == pytest.approx(integral(start, end, **given), rel=1e-6, abs=1e-6)
    stage = holding.stage_value_usd(start, until_years=end, **given)
    assert stage == pytest.approx(found * (1 + given["interest_fraction"]) ** -start)


def test_nothing_is_earned_before_the_beginning():
    assert holding.flows_usd(3, until_years=2, **GPU) == 0


@pytest.mark.parametrize("resale", [0, 6e3])
def test_a_holder_retires_a_machine_when_it_is_worth_most(resale):
    def worth(end):
        return -(integral(0, end, **GPU) + resale * 1.1**-end)

    best = optimize.minimize_scalar(worth, bounds=(0, 9), method="bounded").x
    found = holding.retirement_years(9, **GPU, resale_usd=resale)
    assert found == pytest.approx(best, abs=1e-3)
    value = holding.value_in_use_usd(0, **GPU, resale_usd=resale, service_years=9)
    assert value == pytest.approx(-worth(best), rel=1e-6)


def test_a_machine_that_never_earns_its_keep_is_sold_at_once():
    poor = GPU | {"rent_usd_per_h": 0.5}
    assert holding.retirement_years(9, **poor, resale_usd=0) == 0
    assert holding.value_in_use_usd(2, **poor, resale_usd=500, service_years=9) == 500
    rising = poor | {"yearly_times": 1.1}
    assert holding.retirement_years(9, **rising, resale_usd=0) == 0
    assert holding.retirement_years(9, **(GPU | {"yearly_times": 1.1}), resale_usd=0) == 9


def test_a_machine_sold_at_once_gains_nothing_and_a_year_is_its_margin_and_loss_of_price():
    found = holding.holding_npv_usd([0, 1], cost_usd=30e3, resale_times=0.9, **GPU)
    assert found[0] == 0
    assert found[1] == pytest.approx(integral(0, 1, **GPU) + 30e3 * (0.9 / 1.1 - 1))


def test_months_under_water_are_those_of_a_loop():
    terms = GPU | {"service_years": 8}
    for times in (0.7, 0.8, 0.85, 1.1):
        for salvage in (0, 0.3):
            given = terms | {"yearly_times": times}
            below = []
            for month in range(72):
                book = depreciation.straight_book_usd(
                    month / 12, cost_usd=30e3, salvage_fraction=salvage, life_years=6
                )
                value = holding.value_in_use_usd(month / 12, resale_usd=30e3 * salvage, **given)
                below.append(value < book - 3e-5)
            asked = {"cost_usd": 30e3, "salvage_fraction": salvage, **given}
            assert impairment.n_months_under_water(6, **asked) == sum(below)
            first = below.index(True) if any(below) else np.inf
            assert impairment.under_water_month(6, **asked) == first


def test_asc_360_and_ias_36_part_on_the_constructed_case():
    flows = np.array([4, 3.5, 2.5, 1.5])
    fair = (flows / 1.1 ** np.arange(1, 5)).sum()
    us = impairment.two_step_loss_usd([12, 11, 11.5], undiscounted_usd=flows.sum(), fair_usd=fair)
    assert_allclose(us, [2.568267, 0, 0], atol=1e-6)
    them = impairment.one_step_loss_usd([12, 11], in_use_usd=fair, fair_usd=[0, 10])
    assert_allclose(them, [2.568267, 1], atol=1e-6)


def test_a_book_below_the_market_is_no_loss():
    assert impairment.two_step_loss_usd(5, undiscounted_usd=4, fair_usd=6) == 0


def test_a_group_shares_its_loss_by_book_down_to_what_each_would_sell_for():
    books, floors = [6.0, 3.0, 3.0], [0, 2.9, 2.5]
    even = impairment.group_losses_usd(books, group_loss_usd=2.4, floors_usd=0)
    assert_allclose(even, [1.2, 0.6, 0.6])
    held = impairment.group_losses_usd(books, group_loss_usd=2.4, floors_usd=floors)
    assert_allclose(held, [1.8, 0.1, 0.5])
    assert_allclose(impairment.group_losses_usd(books, group_loss_usd=0, floors_usd=0), 0)
    with pytest.raises(ValueError, match=r"^group_loss_usd .*6\.6.*7"):
        impairment.group_losses_usd(books, group_loss_usd=7, floors_usd=floors)
    with pytest.raises(ValueError, match=r"^books_usd .*-1"):
        impairment.group_losses_usd([-1.0], group_loss_usd=0, floors_usd=0)
