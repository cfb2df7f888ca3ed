"""Layouts: the search against trying everything, dollars of links against the bill, two pools."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from costlib import calibration, layouts, queueing, serve, serving

CASE = layouts.Case(
    model="Llama-3.1-70B",
    accelerator="H100",
    weight_format="fp8",
    input_tokens=8_000,
    output_tokens=1_000,
    user_tokens_per_s=30,
    first_token_s=3,
    rent_usd_per_h=2.5,
    most_accelerators=16,
    node_accelerators=8,
    network_bytes_per_s=50e9,
    network_latency_s=1e-5,
)


def changed(**given):
    return dataclasses.replace(CASE, **given)


def one(words, case=CASE):
    rows = layouts.candidates(case.model, most_accelerators=case.most_accelerators)
    return rows[rows["words"] == words].reset_index(drop=True)


# --- what is tried ---------------------------------------------------------------------------


def test_every_layout_divides_its_accelerators_and_stands_there_once():
    rows = layouts.candidates("DeepSeek-V3", most_accelerators=64)
    parts = rows["tensor_width"] * rows["attention_replicas"] * rows["pipeline_stages"]
    assert (parts == rows["n_accelerators"]).all()
    assert not rows.duplicated().any()
    assert rows["pipeline_stages"].max() <= 61
    dealt = rows[rows["expert_groups"] > 1]
    assert (dealt["expert_groups"] * dealt["pipeline_stages"] == dealt["n_accelerators"]).all()


def test_no_tensor_group_is_wider_than_the_attention_has_heads():
    assert layouts.candidates("Llama-3.1-8B", most_accelerators=64)["tensor_width"].max() == 32


# --- the search ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "case"),
    [
        ("tensor 4", CASE),
        ("attention data 8", CASE),
        ("tensor 16", CASE),
        ("tensor 8 × pipeline 2", CASE),
        ("tensor 4", changed(first_token_s=0.6, user_tokens_per_s=10)),  # the wait decides
    ],
)
def test_the_largest_crowd_is_the_one_that_trying_each_would_find(words, case):
    row = one(words, case)
    (found,) = layouts.search(case, row).to_dict("records")
    crowds = np.arange(1.0, 2 * found["n_clients"] + 2)
    load = layouts.loads(case, pd.concat([row] * len(crowds)), n_clients=crowds)
    done = serve.prediction(load, dataclasses.replace(calibration.constants(), burst_fraction=0.0))
    # 80 layers with two sums each, or handovers, where a layout leaves its node
    extra = {"tensor 16": 160, "tensor 8 × pipeline 2": 1}.get(words, 0) * CASE.network_latency_s
    speed = 1 / (done.tpot_s + extra)
    rate = crowds / (crowds / done.tokens_per_s + extra)
    wait = queueing.wait_s(
        requests_per_s=rate / case.output_tokens,
        service_s=done.prompt_s / load.pipeline_stages,
    )
    keeps = (speed >= case.user_tokens_per_s) & (done.ttft_s + extra + wait <= case.first_token_s)
    keeps &= done.n_running >= crowds
    assert keeps[0]
    assert not keeps[-1]
    assert found["n_clients"] == crowds[keeps].max()
    at = int(found["n_clients"]) - 1
    assert_allclose(found["user_tokens_per_s"], speed[at])
    assert_allclose(
        found["usd_per_mtok"],
        serving.usd_per_mtok(
            rent_usd_per_h=2.5, tokens_per_s=rate[at], n_accelerators=row["n_accelerators"][0]
        ),
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"model": "Llama-3.1-405B"}, "weights do not fit"),
        ({"input_tokens": 120_000, "output_tokens": 4_000}, "the context does not fit"),
        ({"user_tokens_per_s": 1_000}, "one user is too slow"),
        ({"first_token_s": 0.01}, "one user waits too long"),
        ({}, layouts.KEPT),
    ],
)
def test_a_layout_is_dropped_for_the_first_reason_that_holds(given, reason):
    case = changed(**given)
    if reason == "the context does not fit":
        case = dataclasses.replace(case, weight_format="fp8", input_tokens=200_000)
    found = layouts.search(case, one("1 GPU", case))
    assert found["reason"].tolist() == [reason]
    assert np.isnan(found["usd_per_mtok"][0]) == (reason != layouts.KEPT)


def test_the_reasons_count_every_layout_and_a_promise_nobody_keeps_has_no_best():
    found = layouts.search(changed(model="Llama-3.1-405B"))
    counts = found["reason"].value_counts()
    assert set(counts.index) <= {*layouts.REASONS, layouts.KEPT}
    assert counts.sum() == len(found)
    assert layouts.best(layouts.search(changed(user_tokens_per_s=1e6))) is None


def test_the_best_are_the_fewest_and_the_cheapest():
    found = layouts.search(CASE)
    kept = found[found["reason"] == layouts.KEPT]
    best = layouts.best(found)
    assert best["fewest"]["n_accelerators"] == kept["n_accelerators"].min()
    assert best["cheapest"]["usd_per_mtok"] == kept["usd_per_mtok"].min()


def test_a_stricter_promise_never_costs_less():
    usd = [
        layouts.best(layouts.search(changed(user_tokens_per_s=speed)))["cheapest"]["usd_per_mtok"]
        for speed in (5, 20, 40, 60)
    ]
    assert usd == sorted(usd)


def test_within_a_node_the_network_does_not_matter_and_beyond_it_does():
    slow = changed(network_bytes_per_s=1e9, network_latency_s=1e-4)
    for words, same in (("tensor 8", True), ("tensor 16", False)):
        fast_usd, slow_usd = (
            layouts.search(case, one(words))["usd_per_mtok"][0]
            for case in (CASE, dataclasses.replace(slow, user_tokens_per_s=1, first_token_s=1e3))
            for case in [dataclasses.replace(case, user_tokens_per_s=1, first_token_s=1e3)]
        )
        assert (fast_usd == slow_usd) == same


# --- links in dollars ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def costs():
    rows = pd.concat([one("tensor 8"), one("tensor 4 × pipeline 2")])
    load = layouts.loads(CASE, rows, n_clients=64.0)
    rates = {"fast": 450e9, "slow": 50e9, "none": np.inf}
    return layouts.link_costs(load, rates=rates, rent_usd_per_h=2.5)


def test_what_bytes_cost_is_what_free_bytes_would_save(costs):
    wide = costs.assign(layout=[0, 1] * 3).pivot_table(index="layout", columns="link")
    saved = wide["usd_per_mtok"]["slow"] - wide["usd_per_mtok"]["none"]
    assert_allclose(wide["bytes_usd"]["slow"], saved, rtol=1e-9)
    assert_allclose(wide["bytes_usd"]["none"], 0, atol=1e-12)
    assert_allclose(wide["latency_usd"]["slow"], wide["latency_usd"]["fast"])


def test_at_the_fair_rent_a_token_costs_what_it_costs_on_the_first_link(costs):
    slow, fast = (costs[costs["link"] == name].reset_index() for name in ("slow", "fast"))
    again = slow["usd_per_mtok"] * slow["fair_rent_usd_per_h"] / 2.5
    assert_allclose(again, fast["usd_per_mtok"])


def test_the_links_compared_start_with_the_device_and_fall():
    rates = list(layouts.fast_links("H100").values())
    assert rates[0] == 450e9
    assert rates == sorted(rates, reverse=True)
    assert "PCIe 5 x16" not in list(layouts.fast_links("L40S"))[1:]


def test_published_pairs_differ_by_more_the_more_cards_talk():
    pairs = layouts.measured_pairs("A100", "A100-PCIe")
    assert len(pairs) >= 40
    middle = pairs.groupby("n_accelerators")[["measured", "predicted"]].median()
    assert middle["measured"][8] > 2 > middle["measured"][1]
    assert_allclose(middle["predicted"][8], middle["measured"][8], rtol=0.1)


# --- two pools -------------------------------------------------------------------------------


def test_two_pools_cost_their_accelerators_and_hand_over_the_prompts_cache():
    found = layouts.pools(CASE)
    assert_allclose(found["cache_bytes"], 8_000 * 163_840)
    each = [found[name]["accelerators_per_request_s"] for name in ("prefill", "decode")]
    assert_allclose(found["usd_two"], sum(each) * 2.5 / 3600 * 1e6 / 1_000)
    sent = found["cache_bytes"] / found["prefill"]["n_accelerators"] / 50e9
    share = calibration.constants().link_fraction
    assert_allclose(found["prefill"]["transfer_s"], sent / share)


def test_one_pool_costs_what_the_search_finds():
    assert_allclose(
        layouts.pools(CASE)["usd_one"],
        layouts.best(layouts.search(CASE))["cheapest"]["usd_per_mtok"],
    )


def test_a_tight_promise_favours_two_pools():
    ratios = [
        found["usd_one"] / found["usd_two"]
        for speed in (10, 30, 60)
        for found in [layouts.pools(changed(user_tokens_per_s=speed))]
    ]
    assert ratios == sorted(ratios)
    assert ratios[-1] > 1.5


def test_a_first_token_that_nobody_can_read_in_time_leaves_no_pools():
    found = layouts.pools(changed(first_token_s=0.01))
    assert found["one"] is None
    assert found["prefill"] is None
    assert found["usd_one"] == found["usd_two"] == np.inf


def test_the_reading_pool_is_as_busy_as_the_promised_wait_allows():
    rate = layouts._most_requests(np.array([0.1, 0.1, 0.1]), np.array([0.05, 0.0, -1.0]))
    assert_allclose(queueing.wait_s(requests_per_s=rate[0], service_s=0.1), 0.05, rtol=1e-6)
    assert_allclose(rate[1:], 0, atol=1e-9)
