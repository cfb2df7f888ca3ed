"""Plans against two million users who pay one by one, and the spiral against each price tried."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special

from costlib import tariffs

N = 2_000_000
DEVIATES = special.ndtri((np.arange(N) + 0.5) / N)
LAWS = [(8.0, 1.5), (25.0, 0.6), (19.0, 1.0)]
PLANS = [
    (np.inf, 1.0, 0.0),
    (15.0, 1.0, 0.0),
    (45.0, 1.0, 0.0),
    (15.0, 0.0, 1.0),
    (15.0, 0.7, 0.8),
    (45.0, 0.5, 0.6),
    (15.0, 1.6, 0.5),
    (45.0, 1.6, 0.5),
    (45.0, 3.0, 1.0),
    (20.0, 1.0, 1.0),
    (20.0, 0.5, 1.0),
]


def users(mean, sigma):
    return np.exp(sigma * DEVIATES - sigma**2 / 2) * mean


@pytest.mark.parametrize(("law", "plan"), [*itertools.product(LAWS, PLANS)])
def test_a_plan_is_what_its_users_pay_and_cost(law, plan):
    cap, times, bought = plan
    cost = users(*law)
    within = np.minimum(cost, cap)
    more = bought * (cost - within)
    paid, spent = 20 + times * more, within + more
    given = {"price_usd": 20, "mean_usd": law[0], "sigma": law[1], "cap_usd": cap}
    given |= {"overage_times": times, "bought_fraction": bought}
    kept = tariffs.kept_usd(mean_usd=law[0], sigma=law[1], cap_usd=cap)
    assert_allclose(kept, within.mean(), rtol=1e-3)
    assert_allclose(tariffs.revenue_usd(**given), paid.mean(), rtol=1e-3)
    margin = 1 - spent.mean() / paid.mean()
    assert_allclose(tariffs.plan_margin_fraction(**given), margin, atol=1e-3)
    lost = (spent > paid * (1 + 1e-12)).mean()
    assert_allclose(tariffs.loss_fraction(**given), lost, atol=2e-6)


@pytest.mark.parametrize(("law", "plan"), [*itertools.product(LAWS[:2], PLANS)])
def test_a_band_is_what_its_users_bring(law, plan):
    cap, times, bought = plan
    cost = users(*law)
    within = np.minimum(cost, cap)
    brought = 20 + (times - 1) * bought * (cost - within) - within
    edges = np.array([1e-9, 3, 12, 18, 40, 90, np.inf])
    given = {"price_usd": 20, "mean_usd": law[0], "sigma": law[1], "cap_usd": cap}
    given |= {"overage_times": times, "bought_fraction": bought}
    found = tariffs.band_usd(low_usd=edges[:-1], high_usd=edges[1:], **given)
    wanted = [
        brought[(cost > low) & (cost <= high)].sum() / N for low, high in itertools.pairwise(edges)
    ]
    assert_allclose(found, wanted, rtol=2e-3, atol=2e-3)
    profit = tariffs.revenue_usd(**given) * tariffs.plan_margin_fraction(**given)
    assert_allclose(found.sum(), profit, rtol=1e-9)


def test_the_published_seat():
    seat = {"price_usd": 20, "mean_usd": 8, "sigma": 1.5}
    assert_allclose(tariffs.loss_fraction(**seat), 0.087, atol=5e-4)
    assert_allclose(tariffs.plan_margin_fraction(**seat), 0.6)


def test_a_margin_is_what_remains_of_the_price():
    price = tariffs.marked_up_usd([20, 8], margin_fraction=[0.798, 0])
    assert_allclose(price, [99.01, 8], atol=0.01)
    assert tariffs.marked_up_usd([3, 0], margin_fraction=1).tolist() == [np.inf, 0]


# --- who stays -------------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "sigma"), LAWS)
@pytest.mark.parametrize("value", [1.5, 5])
def test_those_stay_to_whom_it_is_worth_the_price(mean, sigma, value):
    cost = users(mean, sigma)
    for price in (5, 20, 60):
        stay = value * cost >= price
        given = {"price_usd": price, "mean_usd": mean, "sigma": sigma, "value_times": value}
        assert_allclose(tariffs.staying_fraction(**given), stay.mean(), atol=2e-6)
        assert_allclose(tariffs.staying_usd(**given), cost[stay].mean(), rtol=2e-3)


@pytest.mark.parametrize(("mean", "sigma", "value"), [(8, 1.5, 5), (8, 1.0, 3), (20, 1.2, 10)])
def test_a_seller_who_reprices_until_it_pays_ends_at_the_break_even_price(mean, sigma, value):
    law = {"mean_usd": mean, "sigma": sigma, "value_times": value}
    price = mean  # what all would cost
    for _ in range(400):
        price = tariffs.staying_usd(price_usd=price, **law)
    assert_allclose(tariffs.break_even_usd(**law), price, rtol=1e-6)


def test_use_worth_no_more_than_it_costs_supports_no_flat_price():
    law = {"mean_usd": 8, "sigma": 1.5}
    found = tariffs.break_even_usd(value_times=[0, 0.5, 1], **law)
    assert np.isinf(found).all()
    assert tariffs.staying_fraction(price_usd=5, value_times=0, **law) == 0
    assert tariffs.staying_usd(price_usd=5, value_times=0, **law) == np.inf


def test_users_who_value_it_without_end_all_stay():
    found = tariffs.break_even_usd(mean_usd=8, sigma=1.5, value_times=1e9)
    assert_allclose(found, 8, rtol=1e-6)
