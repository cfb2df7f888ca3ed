"""Draws, spreads and Sobol's indices against published values; the bills of a plan."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import plans, sensitivity

PI = np.pi


def ishigami(x, y, z):
    return np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)


BASE = {"x": 0.0, "y": 0.0, "z": 0.0}
RANGES = dict.fromkeys(BASE, (-PI, PI))


def test_sobols_indices_are_those_of_ishigamis_function():
    found = sensitivity.shares(ishigami, BASE, RANGES, n_draws=2**12).set_index("parameter")
    assert_allclose(found["first"][["x", "y", "z"]], [0.3139, 0.4424, 0], atol=0.02)
    assert_allclose(found["total"][["x", "y", "z"]], [0.5576, 0.4424, 0.2437], atol=0.02)
    assert (found["first"] <= found["total"] + 0.02).all()
    assert found.index[0] == "x"


def test_draws_fill_their_ranges_evenly():
    found = sensitivity.drawn(
        lambda a, b, c: a * c + 0 * b,
        {"a": 1, "b": 1, "c": 2},
        {"a": (1, 3), "b": (1e-2, 1e2)},
        log=["b"],
    )
    assert len(found) == 4096
    assert_allclose(found["a"].quantile([0.1, 0.5, 0.9]), [1.2, 2, 2.8], atol=0.01)
    assert_allclose(np.log10(found["b"]).quantile([0.1, 0.5, 0.9]), [-1.6, 0, 1.6], atol=0.01)
    assert_allclose(found["result"], 2 * found["a"])
    told = sensitivity.spread(found)
    assert_allclose([told["p10"], told["p50"], told["p90"]], [2.4, 4, 5.6], atol=0.01)
    assert_allclose(told["times"], 5.6 / 2.4, atol=0.01)
    same = sensitivity.drawn(ishigami, BASE, RANGES, n_draws=64, seed=3)
    assert same.equals(sensitivity.drawn(ishigami, BASE, RANGES, n_draws=64, seed=3))


def test_what_is_not_finite_is_counted_and_has_no_shares():
    def cliff(x, y, z):
        return np.where(x > 0, y + z, np.inf)

    told = sensitivity.spread(sensitivity.drawn(cliff, BASE, RANGES))
    assert_allclose(told["finite_fraction"], 0.5, atol=0.01)
    assert np.isfinite(told["p90"])
    with pytest.raises(ValueError, match="finite result everywhere"):
        sensitivity.shares(cliff, BASE, RANGES)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ranges": {"w": (0, 1)}}, "w has a range but no base value"),
        ({"ranges": {"x": (1, 1)}}, "x: expected a range from low to high, got 1, 1"),
        ({"ranges": {"x": (0, np.inf)}}, "x: expected a range"),
        ({"ranges": {"x": (0, 1)}, "log": ["x"]}, "x: expected a range from low above 0"),
        ({"ranges": {}}, "at least one parameter"),
        ({"ranges": RANGES, "n_draws": 100}, "n_draws must be a power of 2, got 100"),
    ],
)
def test_a_wrong_range_is_named(given, words):
    with pytest.raises(ValueError, match=words):
        sensitivity.shares(ishigami, BASE, **given)


FIELDS = {
    "name": "small",
    "workload": {
        "input_tokens": 1000,
        "output_tokens": 200,
        "requests_per_day": 4e6,
        "peak_times": 2,
    },
    "candidates": {
        "models": ["Llama-3.1-8B"],
        "accelerators": ["H100"],
        "n_accelerators": [1],
        "apis": ["gpt-4o-mini"],
    },
    "prices": {
        "rents_usd_per_h": {"H100": 2.0},
        "machines": {"H100": {"machine_usd": 250e3, "provisioned_w": 10e3}},
        "electricity_usd_per_kwh": 0.1,
        "pue": 1.25,
    },
    "fleet": {"n_spares": 1},
}


def test_the_bills_of_a_plan_are_the_plans_at_its_base_and_elsewhere():
    found = plans.plan(FIELDS)
    made = sensitivity.bills(found)
    assert set(made) == {"API", "rent", "own"}
    for way, (formula, base) in made.items():
        assert_allclose(formula(**base), found.cheapest[way].monthly_usd, rtol=1e-9)
    more = plans.plan(FIELDS | {"workload": FIELDS["workload"] | {"requests_per_day": 9e6}})
    prices = FIELDS["prices"] | {"electricity_usd_per_kwh": 0.2, "pue": 1.5}
    dear = plans.plan(FIELDS | {"prices": prices})
    for way, (formula, base) in made.items():
        other = formula(**base | {"requests_per_day": 9e6})
        assert_allclose(other, more.cheapest[way].monthly_usd, rtol=1e-9)
    formula, base = made["own"]
    assert_allclose(
        formula(**base | {"electricity_usd_per_kwh": 0.2, "pue": 1.5}),
        dear.cheapest["own"].monthly_usd,
        rtol=1e-9,
    )
    formula, base = made["rent"]
    assert_allclose(formula(**base | {"price_times": 3.0}), 3 * formula(**base))


def test_the_bill_of_a_router_is_the_plans_at_its_base_and_elsewhere():
    router = {"strong": "gpt-4o", "weak": "Llama-3.1-8B", "strong_fraction": 0.2, "fee_usd": 1e-4}
    fields = FIELDS | {"candidates": FIELDS["candidates"] | {"routers": [router]}}
    found = plans.plan(fields)
    formula, base = sensitivity.bills(found)["router"]
    one = found.cheapest["router"]
    assert_allclose(formula(**base), one.monthly_usd, rtol=1e-9)
    more = plans.plan(fields | {"workload": fields["workload"] | {"requests_per_day": 9e6}})
    other = formula(**base | {"requests_per_day": np.array([9e6])})
    assert_allclose(other, more.cheapest["router"].monthly_usd, rtol=1e-9)
    dear = one.dear_side.monthly_usd
    assert_allclose(formula(**base | {"price_times": 3.0}), one.monthly_usd + 2 * dear)


def test_use_moves_an_owned_bill_more_than_pue():
    formula, base = sensitivity.bills(plans.plan(FIELDS))["own"]

    def per_request(**given):
        return formula(**given) / given["requests_per_day"]

    ranges = {"requests_per_day": (1e6, 8e6), "pue": (1.05, 1.6), "speed_times": (0.7, 1.3)}
    found = sensitivity.shares(per_request, base, ranges).set_index("parameter")
    assert found["total"]["requests_per_day"] > 10 * found["total"]["pue"]
