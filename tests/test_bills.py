"""Bills of whole workloads, services and reservations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import bills, pricebook, workloads

SONNET = "claude-sonnet-4-6"


def test_the_bill_of_agents_is_that_of_their_table():
    found = bills.workload_bills(SONNET).set_index("workload").loc["agents"]
    table, price = workloads.length_table("agents"), pricebook.price(SONNET)
    prompts, read = table["input_tokens"], table["cached_tokens"]
    answers = table["output_tokens"].mean() * price.output_usd_per_mtok
    assert found["list"] == pytest.approx((prompts.mean() * 3 + answers) / 1e6)
    kept = read.mean() * 0.30 + (prompts - read).mean() * 3.75
    assert found["cached"] == pytest.approx((kept + answers) / 1e6)
    assert found["both"] == pytest.approx(found["cached"] / 2)
    assert found["output_fraction"] == pytest.approx(answers / 1e6 / found["list"])


def test_without_a_hit_a_cache_is_not_written():
    found = bills.workload_bills(SONNET).set_index("workload")
    assert_allclose(found.loc[["chat", "code", "reasoning"], "cached_fraction"], 1)


def test_a_hit_share_of_ones_own_is_taken_for_all():
    found = bills.workload_bills(SONNET, hit_fraction=0.9)
    assert_allclose(found["hit_fraction"], 0.9)
    assert (found["both_fraction"] > 0.05).all()  # no cache makes output cheaper
    with pytest.raises(ValueError, match=r"hit_fraction must lie in \[0, 1\], got 90"):
        bills.workload_bills(SONNET, hit_fraction=90)


def test_who_sells_no_batches_has_none():
    found = bills.workload_bills("gpt-4-turbo")
    assert found[["batch", "both"]].isna().all(axis=None)
    assert found["list"].notna().all()
    assert_allclose(found["least_fraction"], 1)


def test_a_batch_that_the_book_does_not_know_on_a_day_is_left_out_and_no_price_is():
    found = bills.workload_bills(SONNET, at="2026-06-01")
    assert found["batch"].isna().all()
    assert found["cached"].notna().all()
    with pytest.raises(ValueError, match="was launched on 2026-02-17"):
        bills.workload_bills(SONNET, at="2025-06-01")


def test_a_longer_prompt_jumps_at_the_edge_of_the_tier():
    usd = bills.by_length("gemini-2.5-pro", [200_000, 200_001, 400_000], output_tokens=0)
    assert_allclose(usd, [0.25, 0.5000025, 1.0])


def test_a_batch_costs_half_and_a_hurry_twice():
    found = bills.services()
    assert_allclose(found.loc[found.service == "flex", "input_times"], 0.5)
    fast = found[(found.provider == "Anthropic") & (found.service == "fast")]
    assert_allclose(fast[["input_times", "output_times"]], 2)
    assert set(bills.services(["gpt-4.1"]).model) == {"gpt-4.1"}


def test_the_best_reservation_is_what_is_exceeded_for_its_price_share_of_the_day():
    demand = np.repeat([100.0, 200.0, 300.0, 400.0], 6)
    found = bills.provision(demand, full_price_fraction=0.6, list_usd_per_mtok=3)
    best = found.loc[found.times.idxmin()]
    assert best.reserved_tokens_per_s == 200  # exceeded for half the day, 100 for three quarters
    assert best.busy_fraction == pytest.approx((100 + 200 + 200 + 200) / 4 / 200)
    assert found.times.iloc[0] == pytest.approx(1)
    everything = found.iloc[-1]
    assert everything.times == pytest.approx(0.6 * 400 / demand.mean())
    assert everything.busy_fraction == pytest.approx(demand.mean() / 400)


@pytest.mark.parametrize(
    ("demand", "share", "told"),
    [
        ([0, 0], 0.5, "with some demand"),
        (5.0, 0.5, "a day of stretches"),
        ([1, 2], 1.5, r"full_price_fraction must lie in \[0, 1\], got 1.5"),
    ],
)
def test_a_day_without_demand_is_refused(demand, share, told):
    with pytest.raises(ValueError, match=told):
        bills.provision(demand, full_price_fraction=share, list_usd_per_mtok=1)
