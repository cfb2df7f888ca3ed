"""A menu of two plans against every menu of a grid, where users take what leaves them most."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import menus

CASES = [
    (1e6, 5e6, 0.2, 20.0, 4.0),
    (1e6, 2e6, 0.5, 10.0, 1.0),
    (2e6, 4e7, 0.1, 20.0, 2.0),
    (3e6, 3e6, 0.4, 15.0, 3.0),
]


def case(light, heavy, share, value, cost):
    return {
        "light_tokens": light,
        "heavy_tokens": heavy,
        "heavy_fraction": share,
        "value_usd_per_mtok": value,
        "cost_usd_per_mtok": cost,
    }


def surplus(tokens, price, value):
    """What a user gains from tokens at a price, before any fee."""
    return value * (tokens / 1e6) * np.maximum(1 - price / value, 0) ** 2 / 2


def profit(tokens, price, fee, value, cost):
    return fee + (price - cost) * (tokens / 1e6) * np.maximum(1 - price / value, 0)


def best_of_a_grid(light, heavy, share, value, cost, n=41):
    """Highest profit per user over prices and fees on a grid; users choose, or buy nothing."""
    prices = np.linspace(0, value, n)
    tops = [np.linspace(0, surplus(tokens, 0, value), 81) for tokens in (light, heavy)]
    best = 0.0
    for first, second in itertools.product(prices, prices):
        fee_1, fee_2 = np.meshgrid(*tops, indexing="ij")
        total = 0.0
        for tokens, part in ((light, 1 - share), (heavy, share)):
            gain_1 = surplus(tokens, first, value) - fee_1
            gain_2 = surplus(tokens, second, value) - fee_2
            to_1 = profit(tokens, first, fee_1, value, cost)
            to_2 = profit(tokens, second, fee_2, value, cost)
            buys = np.maximum(gain_1, gain_2) >= -1e-9
            takes = np.where(
                gain_2 > gain_1 + 1e-9,
                to_2,
                np.where(gain_1 > gain_2 + 1e-9, to_1, np.maximum(to_1, to_2)),
            )
            total = total + part * np.where(buys, takes, 0.0)
        best = max(best, float(total.max()))
    return best


@pytest.mark.parametrize("values", CASES)
def test_no_menu_of_a_grid_earns_more_and_one_nearly_as_much(values):
    found = menus.menu_usd(**case(*values))
    best = best_of_a_grid(*values)
    assert best <= found * (1 + 1e-9)
    assert best >= 0.96 * found


@pytest.mark.parametrize("values", CASES)
def test_each_takes_the_plan_made_for_them(values):
    light, heavy, _, value, cost = values
    given = case(*values)
    u, f = menus.light_usd_per_mtok(**given), menus.light_fee_usd(**given)
    fee = menus.heavy_fee_usd(**given)
    assert_allclose(surplus(light, u, value) - f, 0, atol=1e-9)
    assert_allclose(surplus(heavy, cost, value) - fee, surplus(heavy, u, value) - f, atol=1e-9)
    assert surplus(light, cost, value) - fee <= 1e-9  # light users do not want the heavy plan
    share = given["heavy_fraction"]
    earned = (1 - share) * profit(light, u, f, value, cost) + share * fee
    assert_allclose(menus.menu_usd(**given), earned, rtol=1e-12)


@pytest.mark.parametrize("values", CASES)
def test_one_price_per_token_and_one_flat_price_are_the_best_of_their_kind(values):
    light, heavy, share, value, cost = values
    prices = np.linspace(0, value, 20_001)
    mean = (1 - share) * light + share * heavy
    metered = profit(mean, prices, 0, value, cost).max()
    assert_allclose(menus.metered_usd(**case(*values)), metered, rtol=1e-6)
    flat = 0.0
    for price in np.linspace(0, surplus(heavy, 0, value), 20_001):
        earned = sum(
            part * profit(tokens, 0, price, value, cost)
            for tokens, part in ((light, 1 - share), (heavy, share))
            if surplus(tokens, 0, value) >= price - 1e-9
        )
        flat = max(flat, earned)
    assert_allclose(menus.unlimited_usd(**case(*values)), flat, atol=1e-3 * max(flat, 1))
    assert menus.menu_usd(**case(*values)) >= max(metered, flat) - 1e-9


def test_limits():
    only_light, only_heavy = (case(1e6, 5e6, share, 20, 4) for share in (0, 1))
    assert_allclose(menus.light_usd_per_mtok(**only_light), 4)  # nobody to keep away
    assert menus.light_usd_per_mtok(**only_heavy) == 20  # nobody is left to serve
    assert_allclose(menus.menu_usd(**only_heavy), surplus(5e6, 4, 20))
    dear = case(1e6, 5e6, 0.2, 20, 25)  # tokens cost more than they are worth
    for formula in (menus.menu_usd, menus.metered_usd, menus.unlimited_usd):
        assert formula(**dear) == 0
    alike = case(1e6, 1e6, 1, 20, 4)
    assert_allclose(menus.menu_usd(**alike), surplus(1e6, 4, 20))


def test_light_users_who_want_more_than_heavy_ones_are_refused():
    with pytest.raises(ValueError, match="light_tokens must not exceed heavy_tokens"):
        menus.menu_usd(**case(6e6, 5e6, 0.2, 20, 4))
