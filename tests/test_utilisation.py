"""Utilisation against PUE: published values, derivatives by difference, ties by search."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from costlib import utilisation

ratios = st.floats(1.0, 3.0)
shares = st.floats(0.02, 0.98)
SITE = {
    "capital_usd_per_h": 30_000 / 43_800,
    "power_w": 1_275,
    "pue": 1.5,
    "busy_fraction": 0.6,
    "idle_fraction": 1,
    "electricity_usd_per_kwh": 0.1,
}
PRICED = [
    utilisation.site_usd_per_h,
    utilisation.useful_usd_per_h,
    utilisation.pue_elasticity,
    utilisation.busy_elasticity,
]


def slope(name, given):
    """Elasticity of a useful hour by a small step, the oracle of both elasticities."""
    step = 1e-6
    low, high = (
        utilisation.useful_usd_per_h(**given | {name: given[name] * (1 + sign * step)})
        for sign in (-1, 1)
    )
    return (np.log(high) - np.log(low)) / (np.log1p(step) - np.log1p(-step))


@settings(derandomize=True, deadline=None)
@given(
    pue=st.floats(1.01, 3), busy=shares, idle=shares, price=st.floats(0, 2), power=st.floats(1, 5e3)
)
def test_the_elasticities_are_the_slopes(pue, busy, idle, price, power):
    given = {
        "capital_usd_per_h": 0.7,
        "power_w": power,
        "pue": pue,
        "busy_fraction": busy,
        "idle_fraction": idle,
        "electricity_usd_per_kwh": price,
    }
    assert_allclose(utilisation.pue_elasticity(**given), slope("pue", given), atol=1e-6)
    assert_allclose(utilisation.busy_elasticity(**given), slope("busy_fraction", given), atol=1e-6)


def test_the_published_elasticities():
    assert_allclose(utilisation.pue_elasticity(**SITE), 0.22, atol=0.005)
    assert_allclose(utilisation.busy_elasticity(**SITE), -1)


def test_power_that_follows_the_work_takes_something_from_utilisation():
    follows = SITE | {"idle_fraction": 0.15}
    assert -1 < utilisation.busy_elasticity(**follows) < -0.8


def test_the_published_ranking_of_the_two_postures():
    hour = utilisation.useful_usd_per_h(
        **SITE | {"pue": [1.67, 1.09], "busy_fraction": [0.85, 0.5]}
    )
    assert_allclose(hour, [1.056, 1.648], atol=5e-4)


def test_twenty_percent_of_utilisation_is_twenty_percent_of_tokens():
    """60 to 72 % at an equal bill: 1.20 times the tokens, 16.7 % off each."""
    costs = utilisation.useful_usd_per_h(**SITE | {"busy_fraction": [0.6, 0.72]})
    assert_allclose(costs[0] / costs[1], 1.2)


@settings(derandomize=True, deadline=None)
@given(one=ratios, busy=shares, two=ratios, other=shares)
def test_the_tie_is_where_a_search_finds_it(one, busy, two, other):
    def gap(idle):
        first = utilisation.work_energy_times(busy_fraction=busy, idle_fraction=idle, pue=one)
        second = utilisation.work_energy_times(busy_fraction=other, idle_fraction=idle, pue=two)
        return float(first - second)

    assume(min(abs(gap(0)), abs(gap(1))) > 1e-6)
    found = utilisation.even_idle_fraction(
        pue=one, busy_fraction=busy, other_pue=two, other_busy_fraction=other
    )
    if gap(0) * gap(1) > 0:
        assert np.isinf(found)
    else:
        assert_allclose(found, brentq(gap, 0, 1), atol=1e-9)


def test_the_published_tie():
    given = {"pue": 1.67, "busy_fraction": 0.9, "other_pue": 1.09, "other_busy_fraction": 0.4}
    assert_allclose(utilisation.even_idle_fraction(**given), 0.40, atol=0.005)
    times = utilisation.work_energy_times(
        busy_fraction=[[0.9], [0.4]], idle_fraction=[0, 0.3, 0.5], pue=[[1.67], [1.09]]
    )
    assert_allclose(times, [[1.67, 1.73, 1.76], [1.09, 1.58, 1.91]], atol=0.006)


@settings(derandomize=True, deadline=None)
@given(pue=ratios, busy=shares, idle=shares)
def test_at_the_even_price_both_move_a_token_alike(pue, busy, idle):
    site = {
        "capital_usd_per_h": 0.7,
        "power_w": 1_275,
        "pue": pue,
        "busy_fraction": busy,
        "idle_fraction": idle,
    }
    even = utilisation.even_usd_per_kwh(**site)
    given = site | {"electricity_usd_per_kwh": even}
    assert_allclose(
        utilisation.pue_elasticity(**given), -utilisation.busy_elasticity(**given), rtol=1e-9
    )


def test_where_power_never_follows_the_work_pue_never_wins():
    site = {name: value for name, value in SITE.items() if name != "electricity_usd_per_kwh"}
    assert np.isinf(utilisation.even_usd_per_kwh(**site))
    assert np.isinf(utilisation.even_usd_per_kwh(**site | {"busy_fraction": 0}))


def test_what_does_nothing_has_no_finite_cost_and_what_is_free_moves_nothing():
    assert np.isinf(utilisation.useful_usd_per_h(**SITE | {"busy_fraction": 0}))
    assert np.isinf(utilisation.work_energy_times(busy_fraction=0, idle_fraction=0, pue=1))
    free = SITE | {"capital_usd_per_h": 0, "electricity_usd_per_kwh": 0}
    assert utilisation.pue_elasticity(**free) == utilisation.busy_elasticity(**free) == 0


def test_a_million_tokens_cost_their_share_of_the_hour():
    """1,000 tokens/s are 3.6 million in a useful hour."""
    cost = utilisation.site_usd_per_mtok(**SITE, tokens_per_s=1_000)
    assert_allclose(cost, utilisation.useful_usd_per_h(**SITE) / 3.6)


@pytest.mark.parametrize("formula", PRICED, ids=lambda formula: formula.__name__)
def test_no_price_is_negative(formula):
    with pytest.raises(ValueError, match=r"^electricity_usd_per_kwh must not be negative"):
        formula(**SITE | {"electricity_usd_per_kwh": -0.1})


@settings(derandomize=True, deadline=None)
@given(pue=ratios, busy=shares, idle=shares, price=st.floats(0, 2))
def test_on_a_line_of_equal_cost_the_cost_is_equal(pue, busy, idle, price):
    site = {
        "capital_usd_per_h": 0.7,
        "power_w": 1_275,
        "pue": pue,
        "idle_fraction": idle,
        "electricity_usd_per_kwh": price,
        "tokens_per_s": 1_858,
    }
    cost = utilisation.site_usd_per_mtok(**site, busy_fraction=busy)
    assert_allclose(utilisation.even_busy_fraction(cost_usd_per_mtok=cost, **site), busy, rtol=1e-9)
    dearer = utilisation.even_busy_fraction(cost_usd_per_mtok=cost, **site | {"pue": pue + 0.5})
    assert dearer >= busy * (1 - 1e-9)


def test_what_energy_alone_exceeds_no_utilisation_reaches():
    site = {name: value for name, value in SITE.items() if name != "busy_fraction"}
    site |= {"electricity_usd_per_kwh": 10, "idle_fraction": 0, "tokens_per_s": 1}
    assert np.isinf(utilisation.even_busy_fraction(cost_usd_per_mtok=0.1, **site))
