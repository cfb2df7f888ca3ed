"""Replicas under arrivals: what the studies compare, and how requests are dealt out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import catalog, replays, workloads
from costlib.charts import replay
from costlib.charts.controls import initial
from costlib.replica import replica
from costlib.simulate import served

ON = replica("Llama-3.1-70B", "H100", n_accelerators=4, input_tokens=1155, output_tokens=211)


def chat(n=4000, rate=8.0, seed=1):
    return workloads.drawn("chat", workloads.poisson_s(n, requests_per_s=rate, seed=seed), seed=2)


def test_times_are_those_of_the_run():
    done = served(chat(), ON)
    found = replays.times(done)
    assert_allclose(found["ttft_s"], done.ttft_s.mean())
    assert_allclose(found["sojourn_p95_s"], np.quantile(done.sojourn_s, 0.95))
    assert_allclose(
        found["tpot_s"],
        (done.done_s - done.first_token_s).sum() / (done.output_tokens - 1).sum(),
    )
    late = replays.times(done, warm_fraction=0.5)
    assert_allclose(late["ttft_s"], done.ttft_s[2000:].mean())


def test_scores_pair_formula_and_simulation_at_every_load():
    found = replays.scored("chat", ON, [0.3, 0.6], n_requests=20_000)
    assert found.groupby("load")["way"].apply(list).tolist() == [["formula", "simulated"]] * 2
    wide = found.pivot(index="load", columns="way", values="sojourn_s")
    assert_allclose(wide["formula"], wide["simulated"], rtol=0.1)


def test_a_poisson_log_replays_as_poisson_and_a_burst_does_not():
    loads = [0.6]
    even = replays.against_poisson(chat(30_000), ON, loads).set_index("way")["sojourn_s"]
    assert_allclose(even["replayed"], even["Poisson"], rtol=0.1)
    arrivals = workloads.bursty_s(30_000, requests_per_s=8, gap_scv=200, seed=1)
    bursts = workloads.drawn("chat", arrivals, seed=2)
    uneven = replays.against_poisson(bursts, ON, loads).set_index("way")["sojourn_s"]
    assert uneven["replayed"] > 2 * uneven["Poisson"]
    assert_allclose(uneven["formula"], even["formula"], rtol=0.02)


@pytest.mark.parametrize("how", replays.DISPATCH)
def test_one_replica_gets_everything(how):
    coming = chat(2000)
    found = replays.dispatched(coming, ON, 1, how)
    alone = served(coming, ON)
    assert_allclose(found.done_s, alone.done_s)


def test_a_round_robin_spreads_arrivals_better_than_chance():
    coming = chat(30_000, rate=40.0)
    robin, chance = (
        replays.dispatched(coming, ON, 4, how).ttft_s.mean() for how in ("round robin", "random")
    )
    assert robin < chance


def test_sessions_keep_their_prefix_only_where_they_return():
    coming = workloads.sessions(
        60,
        sessions_per_s=0.02,
        n_turns=20,
        start_tokens=20_000,
        turn_tokens=1000,
        output_tokens=100,
        think_s=20,
        answer_s=5,
        seed=1,
    )
    kept = replays.dispatched(coming, ON, 8, "by session")
    lost = replays.dispatched(coming, ON, 8, "random")
    assert kept.ttft_s.mean() < 0.5 * lost.ttft_s.mean()


@pytest.mark.parametrize(
    ("n", "how", "named"),
    [(2, "least loaded", "how must be one of random"), (0, "random", "n_replicas"),
     (1.5, "random", "n_replicas must be a whole number of at least 1, got 1.5")],
)  # fmt: skip
def test_senseless_arguments_are_named(n, how, named):
    with pytest.raises(ValueError, match=named):
        replays.dispatched(chat(10), ON, n, how)


RIG = {"model": "Llama-3.1-70B", "accelerator": "H100", "n_accelerators": 4}


def test_a_log_is_replayed_beside_even_arrivals(tmp_path):
    made = workloads.drawn("chat", workloads.bursty_s(2000, requests_per_s=3, gap_scv=60, seed=1),
                           seed=2)  # fmt: skip
    path = tmp_path / "mine.csv"
    rows = zip(made.arrival_s, made.input_tokens, made.output_tokens, strict=True)
    text = "".join(f"{t},{i},{o}\n" for t, i, o in rows)
    path.write_text("timestamp,input_tokens,output_tokens\n" + text, "utf-8")
    given = {"workload": 0, "gap_scv": 1, "load": 0.6, "most_output_tokens": 4000} | RIG
    chart = replay.replay_point(log=str(path), **given).to_dict()
    (rows,) = chart["datasets"].values()
    seconds = {(row["way"], row["time"]): row["seconds"] for row in rows}
    wanted = replays.against_poisson(made, ON, [0.6]).set_index("way")
    assert "2,000 requests" in chart["title"]["text"]
    assert_allclose(
        seconds["replayed", "answer, mean"], wanted.loc["replayed", "sojourn_s"], rtol=0.02
    )
    assert seconds["replayed", "answer, mean"] > 1.5 * seconds["formula", "answer, mean"]
    with pytest.raises(ValueError, match=r"nowhere\.csv: not found"):
        replay.replay_point(log="nowhere.csv", **given)


def test_every_control_of_a_replay_moves_it():
    controls = replay.replay_controls(workload="chat", load=0.7)
    start = dict(initial(controls)) | RIG
    plain = replay.replay_point(log="", **start).to_dict()["title"]["text"]
    for name, value in {
        "workload": 1,
        "gap_scv": 2,
        "load": 0.4,
        "most_output_tokens": 100,
    }.items():
        moved = replay.replay_point(log="", **(start | {name: value})).to_dict()["title"]["text"]
        assert moved != plain, name


def test_the_recorded_hours_wait_as_the_table_says():
    rows = catalog.trace_results("continuous batching")
    rows = rows[rows["load"] == 0.8]
    wide = rows.pivot(index="trace", columns="quantity", values="value")
    ratio = wide["mean sojourn, replayed"] / wide["mean sojourn, Poisson"]
    assert 2 < ratio["Azure conversation"] < 4
    assert 15 < ratio["Azure code"] < 40
    assert_allclose(wide["mean sojourn, formula"], wide["mean sojourn, Poisson"], rtol=0.1)
