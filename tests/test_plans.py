"""Plans against sums by hand, brute force, and what must not happen when a price moves."""

import functools
import json
import math
import re
import tracemalloc
from pathlib import Path

import numpy as np
import numpy_financial as npf
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import (
    catalog,
    plans,
    plantext,
    pricebook,
    replica,
    requestlog,
    response,
    scenario,
    screening,
    study,
)

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.yml"))
DAYS = 730 / 24  # of a month
LENGTHS = {"input_tokens": 1000, "output_tokens": 200}
MACHINE = {"machine_usd": 250e3, "provisioned_w": 10e3, "power_w": 7e3, "years": 4}
SMALL = {
    "name": "small",
    "workload": {**LENGTHS, "requests_per_day": 50_000},
    "candidates": {
        "models": ["Llama-3.1-8B"],
        "accelerators": ["H100"],
        "n_accelerators": [2],
        "apis": ["gpt-4o-mini"],
    },
    "prices": {
        "at": "2026-11-20",
        "rents_usd_per_h": {"H100": 2.0},
        "machines": {"H100": MACHINE},
        "electricity_usd_per_kwh": 0.1,
        "pue": 1.25,
    },
}


def changed(fields, **places):
    """Fields with others in the parts that are named, `part__field=value`."""
    copied = json.loads(json.dumps(fields))
    for place, value in places.items():
        *parts, last = place.split("__")
        inner = functools.reduce(lambda found, part: found.setdefault(part, {}), parts, copied)
        if value is None:
            inner.pop(last)
        else:
            inner[last] = value
    return copied


def saturation(model="Llama-3.1-8B", n=2, **lengths):
    """The replica of a test, and the rate at which it saturates."""
    lengths = lengths or LENGTHS
    means = {name: float(np.mean(value)) for name, value in lengths.items()}
    one = replica.replica(model, "H100", n_accelerators=n, weight_format="fp8", **means)
    return one, response.under_load(one, 1e-6, **lengths).saturation_requests_per_s


# --- by hand ----------------------------------------------------------------------------------


def test_a_small_scenario_is_right_to_the_dollar():
    found = study.plan(SMALL)
    month = 50_000 * DAYS
    assert_allclose(found.cheapest["API"].monthly_usd, month * (1000 * 0.15 + 200 * 0.60) / 1e6)
    assert_allclose(found.cheapest["rent"].monthly_usd, 2 * 2.0 * 730)
    capital = 250e3 * (1 + 0.1 + 0.02) * (1 + 0.03)
    repaid = -npf.pmt(0.08 / 12, 48, capital, -0.1 * capital) / 730
    upkeep = 0.04 * capital / 8760 + 2.0 + 0.5
    room, energy = 10 * 120 / 730, 7 * 1.25 * 0.1
    owned = 730 * (repaid + upkeep + room + energy)
    assert_allclose(found.cheapest["own"].monthly_usd, owned, rtol=1e-9)
    assert list(found.cheapest) == ["API", "rent", "own"]
    assert found.winner.way == "API"
    assert found.runner_up.way == "rent"
    for one in found.cheapest.values():
        assert_allclose(one.usd_per_request * month, one.monthly_usd)
        assert_allclose(one.usd_per_mtok * month * 1200 / 1e6, one.monthly_usd)
        assert_allclose(one.usd_per_h * 730, one.monthly_usd)


def test_the_runner_up_wins_at_the_price_and_the_volume_that_are_told():
    found = study.plan(SMALL)
    api, month = (1000 * 0.15 + 200 * 0.60) / 1e6, 50_000 * DAYS
    change = found.change
    assert (change.price, change.price_now) == ("rent of H100", 2.0)
    assert_allclose(change.price_even, api * month / (2 * 730))
    assert_allclose(change.requests_per_day, 2 * 2.0 * 730 / api / DAYS)
    assert change.grows
    cheaper = changed(SMALL, prices__rents_usd_per_h={"H100": change.price_even * 0.999})
    assert study.plan(cheaper).winner.way == "rent"
    more = changed(SMALL, workload__requests_per_day=change.requests_per_day * 1.001)
    assert study.plan(more).winner.way == "rent"


def test_what_never_wins_is_said_to():
    dear = changed(SMALL, candidates__apis=["Llama-3.1-8B at Novita"], workload__peak_times=100)
    found = study.plan(dear)
    assert found.winner.way == "API"
    assert math.isnan(found.change.requests_per_day)
    assert "at no volume" in plantext.text(found)
    free = study.plan(changed(SMALL, candidates__ways=["own", "API"], fleet={"n_spares": 30}))
    assert free.runner_up.way == "own"
    assert math.isnan(free.change.price_even)  # people and power alone cost more than the API
    assert "at no price of a machine" in plantext.text(free)


def test_replicas_are_the_fewest_that_stay_below_the_load_that_is_allowed():
    _, top = saturation()
    for load in (0.5, 0.8):
        fields = changed(
            SMALL,
            workload__requests_per_day=9e6,
            workload__peak_times=1.5,
            candidates__ways=["rent"],
            fleet={"load_fraction": load, "n_spares": 2},
        )
        one = study.plan(fields).cheapest["rent"]
        peak = 9e6 / 86_400 * 1.5
        assert one.n_replicas == math.ceil(peak / (load * top)) + 2
        assert_allclose(one.load_fraction, 9e6 / 86_400 / (top * one.n_replicas))


def test_replicas_are_the_fewest_that_keep_the_promise_in_the_busiest_hour():
    machine, _ = saturation()
    promised = 0.08
    fields = changed(
        SMALL,
        workload__requests_per_day=2e8,
        candidates__ways=["rent"],
        promises={"ttft_p95_s": promised},
        fleet={"load_fraction": 0.99},
    )
    one = study.plan(fields).cheapest["rent"]

    def late(n):
        seen = response.under_load(
            machine, 2e8 / 86_400 / n, quantiles=(0.95,), exponential=False, **LENGTHS
        )
        return seen.ttft_quantiles_s[0, 0]

    assert_allclose(one.ttft_p95_s, late(one.n_replicas))
    assert late(one.n_replicas) <= promised
    assert late(one.n_replicas * 0.98 - 1) > promised  # the rate is found to half a percent


def test_own_machines_come_whole_and_rented_ones_follow_the_day():
    _, top = saturation()
    volume = 3.2 * 0.8 * top * 86_400  # four replicas of two
    fields = changed(SMALL, workload__requests_per_day=volume, workload__peak_times=2)
    found = study.plan(changed(fields, workload__rent_peak_times=1))
    assert found.cheapest["own"].n_replicas == 7
    assert found.cheapest["own"].n_held == 16
    assert found.cheapest["rent"].n_replicas == 4
    assert found.cheapest["rent"].n_held == 8


def test_the_interval_is_that_of_the_serving_model_through_to_whole_replicas():
    _, top = saturation()
    volume = 20 * 0.8 * top * 86_400
    fields = changed(SMALL, workload__requests_per_day=volume, candidates__ways=["rent"])
    one = study.plan(fields).cheapest["rent"]
    slow, fast = plans.constants().interval["tokens_per_s"]
    assert one.n_replicas == 20
    assert_allclose(one.low_usd, math.ceil(20 / fast) * 2 * 2.0 * 730)
    assert_allclose(one.high_usd, math.ceil(20 / slow) * 2 * 2.0 * 730)


def test_cached_written_and_discounted_tokens_are_billed_as_listed():
    fields = changed(
        SMALL,
        workload__reused_fraction=0.6,
        workload__written_fraction=0.3,
        candidates__apis=["claude-sonnet-4-6"],
        candidates__ways=["API"],
        prices__api_discount_fraction=0.1,
    )
    bill = (100 * 3 + 600 * 0.3 + 300 * 3.75 + 200 * 15) / 1e6 * 0.9
    one = study.plan(fields).winner
    assert_allclose(one.usd_per_request, bill)
    steps = {what: value for what, value, _ in one.steps}
    parts = ("fresh input", "input found again", "input written", "answer")
    assert_allclose(sum(steps[f"{part}, a thousand"] for part in parts), 1000 * bill)


KEPT = "prefixes that fit beside those running"


def cached(**more):
    """A plan that rents and finds most of every prompt again, and its steps."""
    found = study.plan(
        changed(
            SMALL,
            candidates__ways=["rent"],
            workload__input_tokens=8000,
            workload__requests_per_day=400_000,
            workload__reused_fraction=0.75,
            **more,
        )
    )
    return found, {what: value for what, value, _ in found.winner.steps}


def test_prefixes_fill_the_memory_beside_the_running_requests():
    """8B: 32 layers of 2 x 8 heads x 128 values of 2 bytes, 6,000 tokens of a prefix."""
    found, steps = cached(candidates__cache_bits=[16])
    token_gb = 32 * 2 * 8 * 128 * 2 / 1e9
    assert_allclose(steps["cache of one request"], 8200 * token_gb, rtol=2e-3)  # whole blocks
    spare = steps["requests that fit a replica"] - steps["requests at once in the busiest hour"] - 1
    assert_allclose(steps[KEPT], spare * 8200 / 6000, atol=2)
    rate = found.asked.requests_per_s / found.winner.n_replicas
    assert_allclose(steps["a prefix survives"], steps[KEPT] / rate / 60)
    (told,) = [note for note in found.notes if "prefixes" in note]
    assert f"keeps {steps[KEPT]:,.0f} prefixes" in told
    assert f"survives {steps['a prefix survives']:,.2g} minutes" in told


def test_who_comes_back_later_than_a_prefix_survives_finds_nothing():
    given, steps = cached()
    (soon, same), (late, none) = (cached(workload__reuse_within_s=t) for t in (0.1, 3600))
    assert soon.winner.prefix_reuse
    assert same[KEPT] == steps[KEPT]
    assert not late.winner.prefix_reuse
    assert KEPT not in none
    never, _ = cached(candidates__prefix_reuse=[False])
    assert late.winner.most_requests_per_s == never.winner.most_requests_per_s
    assert late.winner.most_requests_per_s < given.winner.most_requests_per_s
    assert any("less than 3600 s is planned without reuse" in note for note in late.notes)


def test_a_router_pays_both_models_and_its_fee():
    fields = changed(
        SMALL,
        candidates={
            "routers": [
                {
                    "strong": "gpt-4o",
                    "weak": "gpt-4o-mini",
                    "strong_fraction": 0.25,
                    "fee_usd": 1e-4,
                }
            ]
        },
        prices={"at": "2026-11-20"},
    )
    strong, weak = (1000 * 2.5 + 200 * 10) / 1e6, (1000 * 0.15 + 200 * 0.6) / 1e6
    assert_allclose(study.plan(fields).winner.usd_per_request, strong / 4 + 3 * weak / 4 + 1e-4)


MIXED = {"strong": "gpt-4o", "weak": "Llama-3.1-8B", "strong_fraction": 0.2, "fee_usd": 1e-4}


def test_a_router_pays_machines_for_their_part_and_an_api_for_the_rest():
    alone = changed(SMALL, workload__requests_per_day=0.8 * 50_000, candidates__apis=None)
    both = changed(
        SMALL, workload__requests_per_day=50_000, candidates__routers=[MIXED], candidates__apis=None
    )
    machines, found = study.plan(alone).winner, study.plan(both)
    one = found.cheapest["router"]
    api = (1000 * 2.5 + 200 * 10) / 1e6
    month = 50_000 / 24 * 730
    assert_allclose(one.monthly_usd, machines.monthly_usd + month * (0.2 * api + 1e-4))
    assert_allclose(one.low_usd, machines.low_usd + month * (0.2 * api + 1e-4))
    assert one.n_held == machines.n_held
    assert [side.way for side in one.sides] == ["API", machines.way]
    assert np.isnan(one.ttft_p95_s)  # nobody states the API's
    assert one.name in plantext.text(found)
    _, told = plantext.plain(found)["cheapest"]["router"]["sides"]
    assert told["model"] == "Llama-3.1-8B"
    assert json.loads(json.dumps(plantext.plain(found)))


def test_a_router_keeps_the_promises_only_if_both_sides_do():
    def dropped(**more):
        fields = changed(SMALL, candidates__routers=[MIXED], candidates__apis=None, **more)
        found = study.plan(fields)
        return "router" not in found.cheapest, found

    gone, found = dropped(promises={"tpot_p95_s": 1e-4})
    assert gone, "no machine writes a token in a tenth of a millisecond"
    assert found.dropped[screening.TPOT] > found.n_combinations - 10
    slow = [{"name": "gpt-4o", "ttft_p95_s": 9}]
    fields = changed(SMALL, candidates__routers=[MIXED], candidates__apis=slow)
    assert "router" in study.plan(fields).cheapest
    fields = changed(fields, promises={"ttft_p95_s": 5})
    assert "router" not in study.plan(fields).cheapest


def test_a_router_that_sends_all_to_one_side_is_that_side():
    for share, way in ((1.0, "API"), (0.0, "rent")):
        routers = [{**MIXED, "strong_fraction": share, "fee_usd": 0.0}]
        found = study.plan(changed(SMALL, candidates__routers=routers, candidates__apis=["gpt-4o"]))
        assert_allclose(found.cheapest["router"].monthly_usd, found.cheapest[way].monthly_usd)


def test_prices_that_fall_count_as_their_mean_over_the_horizon():
    fields = changed(
        SMALL, prices__api_yearly_times=0.5, prices__rent_yearly_times=2, horizon_months=24
    )
    found, level = study.plan(fields), study.plan(SMALL)
    year = np.linspace(0, 2, 200_001)
    for way, times in (("API", 0.5), ("rent", 2.0)):
        ratio = found.cheapest[way].monthly_usd / level.cheapest[way].monthly_usd
        assert_allclose(ratio, np.mean(times**year), rtol=1e-4)


def test_the_carbon_of_a_month_is_power_and_pue_and_grid():
    fields = changed(SMALL, candidates__ways=["rent"], carbon={"grid_g_per_kwh": 400})
    one = study.plan(fields).winner
    idle = plans.constants().idle_fraction * 700 * 2
    at_most, at_least = (watts / 1e3 * 730 * 1.25 * 0.4 for watts in (2 * 700, idle))
    assert at_least < one.carbon_kg < at_most
    nothing = study.plan(changed(fields, workload__requests_per_day=1e-3)).winner
    assert_allclose(nothing.carbon_kg, at_least, rtol=1e-6)
    priced = study.plan(changed(fields, carbon__usd_per_t=100)).winner
    assert_allclose(priced.monthly_usd - one.monthly_usd, one.carbon_kg / 1000 * 100)
    api = study.plan(changed(fields, candidates__ways=["API"])).winner
    assert math.isnan(api.carbon_kg)


# --- what is dropped, and why -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        ({"promises": {"exact_recall": True}, "candidates__models": ["Gemma-3-27B"]}, "recall"),
        ({"candidates__accelerators": ["GB300"], "prices": {}}, "no price"),
        ({"workload__input_tokens": 200_000}, "longer than the model's context"),
        ({"candidates__models": ["Llama-3.1-405B"]}, "does not fit"),
        ({"candidates__layouts": ["experts"]}, "no experts to deal out"),
        (
            {
                "candidates__accelerators": ["Trainium2"],
                "prices__rents_usd_per_h": {"Trainium2": 1},
            },
            "a figure of the machine is unknown",
        ),
        ({"promises": {"tpot_p95_s": 1e-4}}, "time per output token"),
        ({"promises": {"ttft_p95_s": 1e-3}}, "time to first token"),
        (
            {
                "promises": {"least_quality": 2},
                "candidates__models": [{"name": "Llama-3.1-8B", "quality": 1}],
            },
            "quality",
        ),
    ],
)
def test_every_combination_that_is_dropped_is_counted_by_its_reason(places, reason):
    fields = changed(SMALL, candidates__apis=None, candidates__ways=["rent"], **places)
    found = study.plan(fields)
    ((told, n),) = found.dropped.items()
    assert reason in told
    assert n == found.n_combinations == 10
    assert found.winner is None
    assert found.frontier.empty
    assert "No candidate keeps the promises." in plantext.text(found)
    assert json.loads(json.dumps(plantext.plain(found), allow_nan=False))["winner"] is None


def test_a_promise_that_only_the_queue_breaks_drops_a_finalist_and_says_so():
    machine, _ = saturation()
    quiet = response.under_load(
        machine, 1e-6, quantiles=(0.95,), exponential=False, **LENGTHS
    ).tpot_quantiles_s[0, 0]
    fields = changed(SMALL, candidates__ways=["rent"], promises={"tpot_p95_s": float(quiet) * 0.97})
    found = study.plan(fields)
    told = " ".join(found.notes) if found.winner else str(found.dropped)
    assert "time per output token" in told


def test_a_rig_that_holds_the_mean_request_but_not_the_long_ones_is_dropped():
    fields = changed(
        SMALL,
        workload={"like": "long-context", "requests_per_day": 100},
        candidates__models=["Llama-3.1-8B"],
        candidates__accelerators=["L4"],
        candidates__weight_formats=["bf16"],
        candidates__n_accelerators=[1],
        candidates__ways=["rent"],
        prices={"rents_usd_per_h": {"L4": 1}},
    )
    asked = scenario.scenario(fields)
    assert len(screening.screened(asked, screening.demand(asked)).rows)
    found = study.plan(fields)
    assert found.winner is None
    assert "does not fit" in found.dropped
    assert study.plan(changed(fields, candidates__n_accelerators=[8])).winner


def test_the_cheapest_wins_wherever_it_stands():
    names = ["gpt-4.1", "gpt-4o-mini", "gpt-4o"]
    for order in (names, names[::-1]):
        found = study.plan(changed(SMALL, candidates={"apis": order}, prices={}))
        assert found.winner.name == "gpt-4o-mini"
        assert found.runner_up.name == "gpt-4.1"  # of the same way, there being no other


def test_an_api_is_dropped_by_what_is_stated_and_never_by_what_is_not():
    named = [
        {"name": "gpt-4o", "ttft_p95_s": 2},
        {"name": "gpt-4o-mini", "tpot_p95_s": 0.2},
        {"name": "gpt-4.1", "exact_recall": False},
        {"name": "gpt-oss-120b at Groq"},  # open weights: windows in every other layer
        {"name": "o3"},
    ]
    promised = {"ttft_p95_s": 1, "tpot_p95_s": 0.1, "exact_recall": True}
    fields = changed(SMALL, candidates={"apis": named}, promises=promised, prices={})
    found = study.plan(fields)
    assert [one.name for one in found.frontier.itertuples()] == ["o3"]
    assert found.dropped == {
        "time to first token": 1,
        "time per output token": 1,
        "no exact recall": 2,
    }
    assert any("Nobody stated how fast o3 is" in note for note in found.notes)
    assert "not stated" in plantext.text(found)


def test_recall_is_exact_where_every_layer_reads_every_token():
    exact = {name for name in catalog.models() if screening.recalls(name, 100_000)}
    assert {"Llama-3.1-70B", "DeepSeek-V3", "Kimi-K2.5", "MiniMax-M2.5"} <= exact
    assert not exact & {"gpt-oss-120b", "Gemma-3-27B", "Jamba-v0.1", "GLM-5", "Mistral-7B"}
    assert screening.recalls("Mistral-7B", 4000)  # a window that is never full


def test_quality_is_an_axis_only_where_it_is_stated():
    assert "quality" not in study.plan(SMALL).frontier
    rated = changed(
        SMALL,
        candidates__models=[{"name": "Llama-3.1-8B", "quality": 0.6}],
        candidates__apis=[
            {"name": "gpt-4o-mini", "quality": 0.7},
            {"name": "gpt-4o", "quality": 0.9},
        ],
    )
    front = study.plan(rated).frontier.set_index("name").quality
    assert front["gpt-4o"] == 0.9  # dearer, and better


# --- what must not happen ---------------------------------------------------------------------


def rented(**places):
    places = {"promises": {"ttft_p95_s": 0.3}} | places
    fields = changed(SMALL, candidates__ways=["rent"], **places)
    return study.plan(fields).cheapest["rent"]


def test_a_dearer_rent_is_never_cheaper():
    bills = [rented(prices__rents_usd_per_h={"H100": rent}).monthly_usd for rent in (1, 1.5, 4)]
    assert_allclose(bills, [1460, 2190, 5840])


def test_a_tighter_promise_is_never_cheaper():
    tighter = [
        rented(workload__requests_per_day=2e7, promises={"ttft_p95_s": limit}).monthly_usd
        for limit in (1.0, 0.1, 0.06, 0.05)
    ]
    assert tighter == sorted(tighter)
    assert tighter[-1] > tighter[0]


def test_more_volume_never_takes_fewer_machines():
    held = [rented(workload__requests_per_day=day).n_held for day in (1e3, 1e6, 5e6, 2e7, 6e7)]
    assert held == sorted(held)
    assert held[-1] > held[0] == 2


def test_more_candidates_are_never_dearer():
    few = rented()
    more = rented(candidates__n_accelerators=[1, 2, 4], candidates__accelerators=["H100", "H200"])
    assert more.monthly_usd <= few.monthly_usd


def test_no_row_of_a_frontier_is_beaten_by_another():
    draw = np.random.default_rng(4)
    table = pd.DataFrame(draw.integers(0, 6, (300, 5)).astype(float), columns=screening.AXES)
    table.loc[draw.random(300) < 0.1, "ttft_p95_s"] = np.nan
    kept = screening.efficient(table)
    cost = table.assign(quality=-table.quality).fillna(np.inf).to_numpy()
    beaten = [((cost <= row).all(axis=1) & (cost < row).any(axis=1)).any() for row in cost]
    first = ~table.duplicated()
    assert (kept == (~np.array(beaten) & first.to_numpy())).all()


# --- the closed form --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "accelerator", "n", "prompt", "answer"),
    [
        ("Llama-3.1-8B", "H100", 1, 1500, 300),
        ("Llama-3.1-70B", "H100", 4, 1500, 300),
        ("Llama-3.1-70B", "H200", 8, 60_000, 1000),
        ("DeepSeek-V3", "H200", 8, 8000, 1000),
        ("gpt-oss-120b", "B200", 1, 500, 2000),
    ],
)
def test_the_line_of_prompts_is_at_most_half_longer_than_the_queue_says(
    model, accelerator, n, prompt, answer
):
    fields = changed(
        SMALL,
        workload={"input_tokens": prompt, "output_tokens": answer, "requests_per_day": 1},
        candidates__models=[model],
        candidates__accelerators=[accelerator],
        candidates__n_accelerators=[n],
        candidates__ways=["rent"],
        prices={},
        fleet={"load_fraction": 1},
    )
    lengths = {"input_tokens": prompt, "output_tokens": answer}
    machine = replica.replica(model, accelerator, n_accelerators=n, weight_format="fp8", **lengths)
    ratios = []
    for clients in (1, 4, 16, 64, 256):
        one = scenario.scenario(changed(fields, candidates__n_clients=[clients]))
        rows = screening.screened(one, screening.demand(one)).rows
        rate = rows.most_per_s.to_numpy() if len(rows) else np.empty(0)
        for row, arriving in enumerate(rate):
            seen = response.under_load(
                machine, arriving, quantiles=(0.95,), exponential=False, **lengths
            )
            if seen.offered_load[0] < 0.85:
                ratios.append(rows.ttft_p95_s[row] / seen.ttft_quantiles_s[0, 0])
    assert len(ratios) >= 2
    assert min(ratios) > 0.8
    assert max(ratios) < 1.5


def test_dealt_out_experts_do_not_speed_up_a_prompt_that_is_alone():
    lengths = {"input_tokens": 60_000, "output_tokens": 300}
    fields = changed(
        SMALL,
        workload={**lengths, "requests_per_day": 10},
        candidates__models=["DeepSeek-V3"],
        candidates__accelerators=["H200"],
        candidates__n_accelerators=[8],
        candidates__layouts=["experts"],
        candidates__ways=["rent"],
        prices={},
    )
    alone = plans.serve.prediction(
        plans.screening.deploy.scenarios(
            "DeepSeek-V3",
            "H200",
            n_accelerators=8,
            attention_replicas=8,
            expert_groups=8,
            n_clients=1,
            **lengths,
        )
    )
    assert_allclose(study.plan(fields).winner.ttft_p95_s, alone.ttft_s, rtol=1e-3)


# --- logs, examples, anything -----------------------------------------------------------------


def test_a_log_gives_lengths_rate_peak_and_reuse(tmp_path):
    log, file = tmp_path / "mine.csv", tmp_path / "mine.yml"
    draw = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "timestamp": np.sort(draw.uniform(0, 86_400, 5000)),
            "input_tokens": draw.integers(500, 1500, 5000),
            "output_tokens": draw.integers(100, 300, 5000),
        }
    )
    rows.assign(cached_tokens=rows.input_tokens // 2).to_csv(log, index=False)
    file.write_text(
        "name: mine\nworkload: {log: mine.csv}\ncandidates: {apis: gpt-4o-mini}\n", "utf-8"
    )
    asked = plans.plan(file).asked
    assert_allclose(asked.requests_per_s * 86_400, 5000, rtol=0.01)
    assert_allclose(asked.mean_tokens, rows[["input_tokens", "output_tokens"]].mean(), rtol=0.01)
    assert 1.3 < asked.peak_times < 3
    assert_allclose(asked.reused_fraction, 0.5, atol=0.001)
    log.unlink()
    with pytest.raises(requestlog.LogError, match=r"mine\.csv: not found"):
        plans.plan(file)


@functools.cache
def example(path):
    return plans.plan(path)


LONG = {"app_10k_users", "support_chat"}  # seconds each: an audit's
each_example = pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=pytest.mark.audit if path.stem in LONG else ())
        for path in EXAMPLES
    ],
)


@each_example
def test_an_example_adds_up(path):
    found = example(path)
    prices = found.scenario.prices
    assert found.winner is not None
    assert found.n_combinations > sum(found.dropped.values())
    bills = [one.monthly_usd for one in found.cheapest.values()]
    assert bills == sorted(bills)
    for way, one in found.cheapest.items():
        steps = {what: value for what, value, _ in one.steps}
        if not one.accelerator:
            thousand = one.monthly_usd / found.asked.requests_per_month * 1000
            assert_allclose(steps["a thousand requests"], thousand)
            continue
        hour = steps["an hour of one accelerator"]
        if way == "rent":
            quotes = pd.read_csv(ROOT / "data" / "gpu_prices.csv")
            here = quotes[(quotes.accelerator == one.accelerator)]
            listed = here[here.kind == prices.rent_kind].usd_per_h.min()
            assert_allclose(hour, prices.rents_usd_per_h.get(one.accelerator, listed))
        assert_allclose(one.monthly_usd, one.n_held * hour * 730 + one.carbon_usd)
        assert one.n_held >= one.n_replicas * one.n_accelerators
        whole = one.n_held == one.n_replicas * one.n_accelerators
        assert one.full_name == one.name + ("" if whole else f" ({one.n_held:.0f} held)")
        assert one.full_name in plantext.text(found)
        assert one.low_usd <= one.monthly_usd <= one.high_usd
        promised = found.scenario.promises
        assert one.ttft_p95_s <= (promised.ttft_p95_s or np.inf)
        assert one.tpot_p95_s <= (promised.tpot_p95_s or np.inf)
        assert 0 < one.load_fraction <= found.scenario.fleet.load_fraction


@each_example
def test_an_example_is_told_in_100_columns_and_as_plain_json(path):
    found = example(path)
    lines = plantext.text(found).splitlines()
    assert max(map(len, lines)) <= 100
    assert not re.search(r"\b(nan|inf|None)\b", "\n".join(lines))
    record = json.loads(json.dumps(plantext.plain(found), allow_nan=False))
    assert record["winner"] == found.winner.way
    assert record["cheapest"][found.winner.way]["monthly_usd"] == found.winner.monthly_usd
    assert len(record["frontier"]) == len(found.frontier)


def test_an_api_price_by_hand_in_an_example():
    found = example(next(path for path in EXAMPLES if path.stem == "nightly_enrichment"))
    one = pricebook.price("gpt-5-nano", at="2026-11-20", service="batch")
    bill = 450 * one.input_usd_per_mtok + 450 * one.cached_input_usd_per_mtok
    bill = (bill + 150 * one.output_usd_per_mtok) / 1e6
    assert_allclose(found.cheapest["API"].usd_per_request, bill)


tokens = st.floats(1, 3e5)
scenarios = st.fixed_dictionaries(
    {
        "name": st.just("any"),
        "workload": st.fixed_dictionaries(
            {
                "input_tokens": tokens,
                "output_tokens": tokens,
                "requests_per_day": st.floats(1e-6, 1e12),
                "peak_times": st.floats(1, 1000),
                "reused_fraction": st.just(0) | st.floats(1e-9, 1),
            }
        ),
        "promises": st.fixed_dictionaries(
            {},
            optional={
                "ttft_p95_s": st.floats(1e-9, 1e6),
                "tpot_p95_s": st.floats(1e-9, 1e6),
                "exact_recall": st.booleans(),
            },
        ),
        "candidates": st.fixed_dictionaries(
            {
                "models": st.lists(
                    st.sampled_from(sorted(catalog.models())), min_size=1, max_size=2, unique=True
                ),
                "accelerators": st.lists(
                    st.sampled_from(sorted(catalog.accelerators())),
                    min_size=1,
                    max_size=2,
                    unique=True,
                ),
                "n_accelerators": st.lists(st.integers(1, 64), min_size=1, max_size=2, unique=True),
                "weight_formats": st.lists(
                    st.sampled_from(sorted(catalog.formats())), min_size=1, max_size=2, unique=True
                ),
                "layouts": st.just(["tensor", "experts"]),
                "n_clients": st.just([1, 8, 64]),
                "apis": st.just(["gpt-4o-mini"]),
            }
        ),
        "fleet": st.fixed_dictionaries(
            {"load_fraction": st.floats(1e-6, 1), "n_spares": st.integers(0, 9)}
        ),
        "carbon": st.just({"grid": "usa", "usd_per_t": 100}),
        "horizon_months": st.floats(1, 240),
    }
)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(scenarios, st.floats(1e-3, 1e3))
def test_any_scenario_ends_in_a_plan(fields, rent):
    names = fields["candidates"]["accelerators"]
    found = study.plan(fields | {"prices": {"rents_usd_per_h": dict.fromkeys(names, rent)}})
    assert found.winner is not None  # the API states no latency
    assert max(map(len, plantext.text(found).splitlines())) <= 100
    json.dumps(plantext.plain(found), allow_nan=False)
    for one in found.cheapest.values():
        assert math.isfinite(one.monthly_usd)


def test_many_combinations_take_no_more_memory_than_few():
    peaks = []
    for n in (1, 12):
        fields = changed(
            SMALL,
            candidates__ways=["rent"],
            candidates__models=["Llama-3.1-8B"],
            candidates__n_accelerators=list(range(1, n + 1)),
            candidates__cache_bits=list(range(1, 16)),
            candidates__n_clients=list(range(1, 1001)),
        )
        asked = scenario.scenario(fields)
        tracemalloc.start()
        found = screening.screened(asked, screening.demand(asked))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(found.rows) < 1000
    assert found.n_combinations == 180_000
    assert peaks[1] < 2 * peaks[0]
