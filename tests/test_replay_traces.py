"""The replay of recorded requests, on requests of which the waits are known."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

import replay_traces as replay
from costlib import catalog, staffing


def trace(n=100_000, rate=8.0, period_s=0.0):
    draw = np.random.default_rng(3)
    arrival = np.cumsum(draw.exponential(1 / rate, n))
    if period_s:
        arrival = np.sort(draw.uniform(0, period_s, n))
    return replay.Trace(
        arrival_s=arrival,
        service_s=draw.exponential(1, n),
        session=draw.integers(50, size=n),
        period_s=period_s,
    )


def found(rows):
    return {quantity.removeprefix("mean wait, "): value for _, quantity, value in rows}


def test_poisson_arrivals_wait_as_pollaczek_and_khinchine_say():
    one = found(replay.one_queue([trace()], 0.7))
    assert_allclose(one["replayed"], one["Pollaczek-Khinchine"], rtol=0.1)
    assert_allclose(one["lengths shuffled"], one["Pollaczek-Khinchine"], rtol=0.1)
    assert_allclose(one["Kingman"], one["Pollaczek-Khinchine"], rtol=0.05)
    split = found(replay.dealt_out([trace()], 0.7, "random"))
    assert_allclose(split["replayed"], split["Pollaczek-Khinchine"], rtol=0.1)


def test_turns_wait_less_than_chance_and_one_line_least():
    here = [trace()]
    ways = {how: found(replay.dealt_out(here, 0.8, how)) for how in ("random", "round robin")}
    shared = found(replay.shared_queue(here, 0.8))
    assert shared["replayed"] < ways["round robin"]["replayed"] < ways["random"]["replayed"]
    assert_allclose(shared["replayed"], shared["Allen-Cunneen"], rtol=0.15)


def test_a_shared_line_is_that_of_the_formula():
    waits = replay.shared_waits(trace(rate=2.1), 3)
    wanted = staffing.pool_wait_s(3, requests_per_s=2.1, service_s=1)
    assert_allclose(waits.mean(), wanted, rtol=0.1)
    alone = trace(rate=0.6)
    one = replay.waits(alone, np.zeros(alone.arrival_s.size, int))
    assert_allclose(replay.shared_waits(alone, 1), one, atol=1e-6)


def test_a_day_that_repeats_starts_with_what_the_last_one_left():
    day = replay.Trace(
        arrival_s=np.array([1.0, 9.0]),
        service_s=np.array([1.0, 4.0]),
        session=np.zeros(2, int),
        period_s=10.0,
    )
    for waits in (replay.waits(day, np.zeros(2, int)), replay.shared_waits(day, 1)):
        assert waits.tolist() == [2.0, 0.0]  # 9 + 4 ends 2 s after 11


def test_another_file_is_refused(tmp_path, monkeypatch):
    for one in replay.traces.RECORDINGS:
        (tmp_path / one.file).write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n", "utf-8")
    monkeypatch.setattr(sys, "argv", ["replay_traces.py", str(tmp_path)])
    monkeypatch.setattr(replay.traces, "write", lambda *_: pytest.fail("nothing may be written"))
    with pytest.raises(SystemExit, match="not the file that the table was made of"):
        replay.main()


# --- what the table says ---------------------------------------------------------------------


def errors(setup):
    """Error of Pollaczek and Khinchine by trace and load."""
    rows = catalog.trace_results(f"one at a time, {setup}")
    wide = rows.pivot(index=["trace", "load"], columns="quantity", values="value")
    return wide["mean wait, Pollaczek-Khinchine"] / wide["mean wait, replayed"] - 1


def test_behind_a_random_split_the_formula_is_right_for_chats_and_wrong_for_code():
    found = errors("random split")
    for chat in ("Azure conversation", "Mooncake conversation"):
        low = found[chat][found[chat].index < 0.82]
        assert (low.abs() < 0.1).all()
    assert found["Azure code"].between(-0.93, -0.88).all()
    assert found["Claude Code"].is_monotonic_decreasing
    assert -0.5 < found["Claude Code"].iloc[-1] < -0.4


def test_in_one_queue_it_is_wrong_by_up_to_sixty_times():
    found = errors("one queue")
    assert 1 / 65 < (1 + found).min() < 1 / 55
    assert (1 + errors("session affinity")).between(1 / 35, 1 / 8).all()
