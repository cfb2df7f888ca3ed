"""Every way billed by the same draws: ranges, shares of wins, flips and the cascade of a bill."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import contest, ownership, plans, pricebook, sensitivity, units

FIELDS = {
    "name": "small",
    "workload": {
        "input_tokens": 1000,
        "output_tokens": 200,
        "requests_per_day": 4e5,
        "peak_times": 2,
    },
    "candidates": {
        "models": "gpt-oss-120b",
        "accelerators": "H100",
        "n_accelerators": 1,
        "weight_formats": "mxfp4",
        "apis": "gpt-oss-120b at Together",
    },
    "fleet": {"n_spares": 1},
}


@pytest.fixture(scope="module")
def found():
    return plans.plan(FIELDS)


@pytest.fixture(scope="module")
def table(found):
    return contest.ranges(found)


def row(table, parameter, way=""):
    (one,) = table[(table.parameter == parameter) & (table.way == way)].to_dict("records")
    return one


def test_ranges_come_from_the_books_tables(found, table):
    rent, api = row(table, "price_times", "rent"), row(table, "price_times", "API")
    quotes = ownership.quotes("H100").set_index(["provider", "kind"]).usd_per_h.sort_index()
    now = quotes["Nebius", "on demand"]
    assert_allclose(rent["low"] * now, quotes["Nebius", "spot"])
    assert_allclose(rent["high"] * now, quotes["AWS", "on demand"])
    each = {
        name: 1000 * pricebook.price(name).input_usd_per_mtok
        + 200 * pricebook.price(name).output_usd_per_mtok
        for name in ("gpt-oss-120b at Together", "gpt-oss-120b at DeepInfra")
    }
    mine, least = each.values()
    assert_allclose(api["low"], least / mine)
    assert_allclose(row(table, "requests_per_day")["high"], 4e6)
    assert (table.low <= table.now).all()
    assert (table.now <= table.high).all()
    assert (table.low < table.high).all()
    assert "pue" not in set(table.parameter)  # nothing is owned
    assert found.winner is not None


@pytest.mark.parametrize(
    ("prices", "ends", "why"),
    [
        (
            {"rent_kind": "spot"},
            (1 / 1.3, 6.88 / 1.25),
            "8 quotes of H100, spot to on demand; none is ",
        ),
        ({"rents_usd_per_h": {"H100": 9}}, (1.25 / 9, 1.3), "none is dearer, 1.3 assumed"),
        ({}, (1.25 / 2.95, 6.88 / 2.95), "8 quotes of H100, spot to on demand"),
    ],
)
def test_a_rent_moves_both_ways_and_says_what_nobody_quotes(prices, ends, why):
    found = plans.plan(
        {**FIELDS, "prices": prices, "candidates": FIELDS["candidates"] | {"ways": "rent"}}
    )
    rent = row(contest.ranges(found), "price_times", "rent")
    assert_allclose([rent["low"], rent["high"]], ends)
    assert why in rent["why"]
    assert ("assumed" in rent["why"]) == (1.3 in ends or 1 / 1.3 in ends)


@pytest.mark.parametrize(
    ("host", "side"), [("DeepInfra", "low"), ("Together", ""), ("Cerebras", "high")]
)
def test_an_apis_price_moves_both_ways(host, side):
    apis = f"gpt-oss-120b at {host}"
    found = plans.plan({**FIELDS, "candidates": {"apis": apis}})
    api = row(contest.ranges(found), "price_times", "API")
    assert api["low"] < 1 < api["high"]
    assumed = {"low": api["low"] == 0.5, "high": api["high"] == 1.5}
    assert [end for end, is_so in assumed.items() if is_so] == ([side] if side else [])
    assert ("assumed" in api["why"]) == bool(side)


def test_nothing_is_compared_where_nobody_keeps_the_promises():
    never = plans.plan(
        {**FIELDS, "promises": {"least_quality": 2}}
        | {
            "candidates": {
                "apis": [{"name": "gpt-oss-120b at Together", "quality": 1}],
            }
        }
    )
    with pytest.raises(ValueError, match="small: no candidate keeps the promises"):
        contest.ranges(never)


def test_todays_numbers_give_the_plans_bill(found):
    for way, (formula, base) in contest.token_costs(found).items():
        assert_allclose(formula(**base), found.cheapest[way].usd_per_mtok, rtol=1e-9)


def test_every_draw_is_billed_by_every_way_and_the_least_wins(found, table):
    drawn = contest.contest(found, table, n_draws=256, seed=3)
    again = contest.contest(found, table, n_draws=256, seed=3)
    assert drawn.equals(again)
    one = drawn.iloc[17]
    tokens = sum(found.asked.mean_tokens)
    days = units.HOURS_PER_MONTH / 24
    formula, base = sensitivity.bills(found)["rent"]
    given = {name: one[f"{name} rent" if name == "price_times" else name] for name in base}
    month = formula(**given) / (one["requests_per_day"] * days * tokens) * 1e6
    assert_allclose(one["rent"], month)
    assert_allclose(
        one["API"], found.cheapest["API"].usd_per_mtok * one["price_times API"], rtol=1e-9
    )
    least = np.where(drawn["API"] <= drawn["rent"], "API", "rent")
    assert (drawn["cheapest"] == least).all()
    won = contest.wins(drawn, ["API", "rent"])
    assert_allclose(won.wins_fraction.sum(), 1)
    assert won.wins_fraction.min() > 0
    assert_allclose(won.set_index("way").loc["API", "wins_fraction"], (least == "API").mean())


def test_the_mean_of_an_apis_draws_is_its_integral(found, table):
    """A price that is uniform between its ends has the mean of the ends."""
    drawn = contest.contest(found, table, n_draws=4096)
    ends = row(table, "price_times", "API")
    mean = found.cheapest["API"].usd_per_mtok * (ends["low"] + ends["high"]) / 2
    assert_allclose(drawn["API"].mean(), mean, rtol=1e-3)


def test_the_tornado_is_the_bill_at_the_ends(found, table):
    alone = contest.one_by_one(found, table)
    one = row(alone, "price_times", "rent")
    ends = row(table, "price_times", "rent")
    base = found.cheapest["rent"].usd_per_mtok
    assert_allclose(
        [one["result_low"], one["result_high"]], [base * ends["low"], base * ends["high"]]
    )
    assert set(alone.way) == {"API", "rent"}


def test_an_apis_price_takes_all_of_its_variance(found, table):
    shares = contest.shares(found, table, n_draws=512)
    assert_allclose(row(shares, "price_times", "API")["total"], 1, atol=0.02)
    assert_allclose(row(shares, "requests_per_day", "API")["total"], 0, atol=1e-9)
    rent = shares[shares.way == "rent"]
    assert rent.total.sum() >= rent["first"].sum() - 0.05
    assert rent.iloc[0].parameter == "requests_per_day"


def test_a_turn_is_where_both_cost_the_same(found, table):
    turns = contest.turns(found, table)
    winner = found.winner.way
    assert winner not in set(turns.to)
    assert (turns["at"].dropna() != turns.loc[turns["at"].notna(), "now"]).all()
    other = {"API": "rent", "rent": "API"}[winner]
    one = row(turns, "price_times", winner)
    wanted = found.cheapest[other].usd_per_mtok / found.cheapest[winner].usd_per_mtok
    if one["high"] > wanted:
        step = (one["high"] - one["low"]) / (contest.TRIED - 1)
        assert one["to"] == other
        assert wanted <= one["at"] <= wanted + step
    else:
        assert one["to"] == ""
    volume = row(turns, "requests_per_day")
    cost = {
        way: formula(**base | {"requests_per_day": volume["at"]})
        for way, (formula, base) in contest.token_costs(found).items()
    }
    assert volume["to"] == min(cost, key=cost.get) != winner


def test_the_map_names_the_cheapest_at_every_point(found, table):
    grid = contest.regimes(found, table, n_volumes=7, n_prices=5)
    assert len(grid) == 35
    assert set(grid.cheapest) == {"API", "rent"}
    winner = found.winner.way
    base = found.cheapest[winner].usd_per_mtok
    if winner == "API":
        assert_allclose(grid.API, base * grid.price_times)


def test_the_cascade_ends_at_the_bill(found):
    one = found.cheapest["rent"]
    steps = contest.cascade(found, one).set_index("step").usd_per_mtok
    assert_allclose(steps["in whole machines"], one.usd_per_mtok, rtol=1e-9)
    assert_allclose(steps["for the busiest hour"] / steps["under the promises"], 2)
    assert_allclose(
        steps["with spares"] / steps["in whole replicas"], one.n_replicas / (one.n_replicas - 1)
    )
    assert steps.is_monotonic_increasing
    saturated = one.usd_per_h / one.n_held / 3600 / (steps["at saturation"] * 1200 / 1e6)
    assert_allclose(
        found.asked.requests_per_s / (saturated * one.n_held), one.load_fraction, rtol=1e-9
    )
