"""Price against speed: the library's own numbers, in the shape of a chart."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import deploy, frontier, pricebook, serve, tables

OFFER = frontier.Offer(
    accelerator="H200", n_accelerators=2, weight_format="mxfp4", rent_usd_per_h=3.5
)
LOAD = {"input_tokens": [1024, 8192], "output_tokens": 1024}


def test_a_point_of_a_curve_is_a_prediction_and_its_rent():
    rows = frontier.curves("gpt-oss-120b", [OFFER], n_clients=[8, 64], **LOAD)
    row = rows[(rows.n_clients == 64) & (rows.input_tokens == 8192)].iloc[0]
    done = serve.prediction(
        deploy.scenarios(
            "gpt-oss-120b",
            "H200",
            weight_format="mxfp4",
            n_accelerators=2,
            n_clients=64,
            input_tokens=8192,
            output_tokens=1024,
        )
    )
    tokens_per_h = done.tokens_per_s * 3600 * (8192 + 1024) / 1024
    assert_allclose(row.usd_per_mtok, 2 * 3.5 / tokens_per_h * 1e6)
    assert_allclose(row.user_tokens_per_s, 1 / done.tpot_s)
    assert row.light_usd_per_mtok < row.usd_low < row.usd_per_mtok < row.usd_high


def test_what_does_not_fit_is_on_no_curve():
    rows = frontier.curves("gpt-oss-120b", [OFFER], n_clients=[8, 1e6], **LOAD)
    assert set(rows.n_clients) == {8}


def test_more_users_are_cheaper_and_slower():
    rows = frontier.curves("gpt-oss-120b", [OFFER], n_clients=2.0 ** np.arange(9), **LOAD)
    for _, curve in rows.groupby("input_tokens"):
        ordered = curve.sort_values("n_clients")
        assert (np.diff(ordered.usd_per_mtok) < 0).all()
        assert (np.diff(ordered.user_tokens_per_s) < 0).all()


def test_measured_points_are_published_runs_at_the_same_rent():
    points = frontier.points("gpt-oss-120b", [OFFER], **LOAD)
    assert len(points) >= 10
    assert points.n_clients.max() < 512  # those clients queue: 24 s to the first token
    dear = frontier.Offer(
        accelerator="H200", n_accelerators=2, weight_format="mxfp4", rent_usd_per_h=7
    )
    twice = frontier.points("gpt-oss-120b", [dear], **LOAD)
    assert_allclose(twice.usd_per_mtok, 2 * points.usd_per_mtok)


def test_a_list_price_is_the_mix_of_both_its_prices():
    prices = frontier.list_prices("gpt-oss-120b", input_tokens=[1024], output_tokens=1024)
    listed = pricebook.price("gpt-oss-120b at AWS")
    mean = (listed.input_usd_per_mtok + listed.output_usd_per_mtok) / 2
    assert_allclose(prices[prices.vendor == "AWS"].usd_per_mtok, mean)
    assert set(prices.fast) == {True, False}
    stated = prices.set_index("vendor").user_tokens_per_s
    assert stated["Cerebras"] == 3000
    assert np.isnan(stated["AWS"])
    none = frontier.list_prices("Falcon-180B", input_tokens=[1024], output_tokens=1024)
    assert none.empty


def test_a_batch_of_one_gains_nothing():
    gains = frontier.batch_gains(
        "gpt-oss-120b", OFFER, n_clients=[1, 32], input_tokens=256, output_tokens=256
    )
    assert_allclose(gains.iloc[0][["throughput_times", "latency_times"]].astype(float), 1)
    assert 1 < gains.throughput_times[1] < 32
    assert gains.latency_times[1] > 1


def test_a_kind_of_rent_that_nobody_lists_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match=r"'forever'.*on demand, owned by .*, spot, three years"):
        frontier.rents("forever")


def test_a_rent_is_the_lowest_of_those_listed():
    listed = [row for row in tables.rows("gpu_prices.csv") if row["kind"] == "on demand"]
    for name, rent in frontier.rents("on demand").items():
        assert rent == min(row["usd_per_h"] for row in listed if row["accelerator"] == name)


def test_memory_rents_name_who_lists_them_and_leave_open_what_nobody_does():
    found = frontier.memory_rents("on demand", ["H100", "MI300A", "A100"]).set_index("device")
    assert found.provider["H100"] == "Nebius"
    assert_allclose(found.usd_per_tb_s["H100"], 2.95 / 3.35)
    assert_allclose(found.usd_per_100_gb["H100"], 2.95 / 0.85521, rtol=1e-4)
    assert_allclose(found.loc["MI300A", ["tf32", "bf16", "fp8"]].tolist(), [92.5, 185, 370], 1e-3)
    assert np.isnan(found.usd_per_tb_s["MI300A"])
    assert np.isnan(found.fp8["A100"])


def test_generations_of_memory_give_what_their_standards_print():
    found = frontier.memory_generations("on demand", read_bytes=1e9)
    stacks = dict(zip(found.generation, found.stack_bytes_per_s / 1e9, strict=True))
    assert_allclose([stacks[name] for name in ("HBM3", "HBM3E", "HBM4")], [819.2, 1024, 2048])
    h100 = found[found.accelerator == "H100"].iloc[0]
    assert_allclose(h100.usd_per_mtok, 1e9 / 3.35e12 * 2.95 / 3600 * 1e6)
    assert np.isnan(found.usd_per_mtok.iloc[-1])


QUEUE = frontier.Offer(
    accelerator="A100-40GB", n_accelerators=1, weight_format="fp16", rent_usd_per_h=1
)
LENGTHS = np.minimum(np.random.default_rng(3).exponential(128, 2000), 1536)
SERVED = {"lengths_tokens": LENGTHS, "input_tokens": 512}


def test_a_schedule_that_waits_for_less_makes_more():
    ways = frontier.schedules("Llama-2-13B", QUEUE, **SERVED)
    full = ways[ways.schedule == "static"].iloc[-1]
    reserved, paged = ways.iloc[-2], ways.iloc[-1]
    assert full.tokens_per_s < reserved.tokens_per_s < paged.tokens_per_s
    assert full.n_running == reserved.n_running < paged.n_running
    assert paged.tokens_per_s < paged.light_tokens_per_s


def simulated(requests_per_s, static):
    """Mean seconds to an answer when batches of real draws are served one after the other."""
    ways = frontier.schedules("Llama-2-13B", QUEUE, **SERVED)
    most = int(ways[ways.schedule == "static"].n_running.max())
    done = serve.prediction(
        deploy.scenarios(
            "Llama-2-13B",
            "A100-40GB",
            weight_format="fp16",
            n_clients=np.arange(1, most + 1),
            input_tokens=512,
            output_tokens=LENGTHS.mean(),
        )
    )
    draw = np.random.default_rng(5)
    came = np.cumsum(draw.exponential(1 / requests_per_s, 30_000))
    long = draw.choice(LENGTHS, came.size)
    served, clock, waited = 0, 0.0, []
    while served < came.size - most:
        last = served + most - 1 if static else served
        clock = max(clock, came[last])
        here = np.searchsorted(came, clock, side="right") - served
        batch = most if static else min(here, most)
        mine = slice(served, served + batch)
        clock += batch * done.prompt_s[batch - 1] + long[mine].max() * done.step_s[batch - 1]
        waited.append(clock - came[mine])
        served += batch
    return np.concatenate(waited).mean()


@pytest.mark.parametrize(
    ("requests_per_s", "schedule"),
    [(0.1, "static"), (0.7, "static"), (0.05, "dynamic"), (0.3, "dynamic"), (0.7, "dynamic")],
)
def test_an_answer_takes_as_long_as_in_a_simulation(requests_per_s, schedule):
    found = frontier.answer_times(
        "Llama-2-13B", QUEUE, requests_per_s=[requests_per_s], **SERVED
    ).set_index("schedule")
    drawn = simulated(requests_per_s, schedule == "static")
    assert_allclose(found.answer_s[schedule], drawn, rtol=0.04)


def test_a_load_that_a_schedule_cannot_carry_is_left_out():
    found = frontier.answer_times("Llama-2-13B", QUEUE, requests_per_s=[0.5, 3, 1e4], **SERVED)
    carried = found.groupby("schedule").requests_per_s.max()
    assert carried.to_dict() == {"static": 0.5, "dynamic": 0.5, "continuous": 3}
    assert np.isfinite(found.answer_s).all()


def test_smaller_chunks_stall_others_less_and_their_owner_longer():
    found = frontier.stalls(
        "gpt-oss-120b",
        OFFER,
        n_clients=64,
        input_tokens=8192,
        output_tokens=1024,
        chunk_tokens=[np.inf, 2048, 512],
    )
    assert (np.diff(found.stall_s) < 0).all()
    assert (np.diff(found.reading_s) > 0).all()
    assert_allclose(found.stall_s * found.n_steps, found.stall_s[0])
