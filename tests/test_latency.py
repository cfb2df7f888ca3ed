"""Latency: a closed loop counted by hand, limits."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import latency

seeded = settings(derandomize=True, deadline=None)
times = st.floats(1e-4, 1)
counts = st.integers(1, 4096)


@seeded
@given(times, counts, times, counts)
def test_rate_and_time_per_token_agree_but_for_the_clients_own_prompt(step, running, prompt, out):
    given = {"step_s": step, "n_running": running, "prefill_s": prompt, "output_tokens": out}
    rate = latency.closed_loop_tokens_per_s(**given)
    each = latency.output_token_s(**given)
    assert_allclose(running / rate, each + prompt / out, rtol=1e-9)


@seeded
@given(times, counts)
def test_a_client_alone_waits_for_nobody(step, out):
    alone = {"step_s": step, "n_running": 1, "prefill_s": 9, "output_tokens": out}
    assert latency.output_token_s(**alone) == step


def test_slots_are_waited_for_as_little_says():
    # 100 clients, 40 slots, answers of 10 s: a request is open for 100 / (40 / 10 s) = 25 s
    wait = latency.slot_wait_s(n_clients=100, n_running=40, output_tokens=1000, output_token_s=0.01)
    assert_allclose(wait + 10, 100 / (40 / 10))


def test_nothing_that_runs_is_waited_for_without_end():
    found = latency.slot_wait_s(
        n_clients=[4, np.inf], n_running=[0, 8], output_tokens=10, output_token_s=0.1
    )
    assert np.isinf(found).all()


def test_the_first_token_waits_for_the_chunk_that_the_engine_streams():
    given = {"request_s": 0.02, "prefill_s": 0.1, "step_s": 0.01, "n_running": 1}
    one, thirty = latency.first_token_s(**given, stream_interval_tokens=[1, 30])
    assert_allclose(thirty - one, 0.29)


def test_chunks_spread_a_prompt_and_its_sum_stays():
    chunks = np.array([100, 250, 1000])
    stall = latency.stall_s(1000, chunk_tokens=chunks, prefill_s=0.6)
    assert_allclose(stall * 1000 / chunks, 0.6)
    assert_allclose(latency.stall_s(1000, chunk_tokens=[1000, 5000, np.inf], prefill_s=0.6), 0.6)


def test_the_owner_of_a_prompt_waits_for_every_step_that_reads_it():
    steps = []
    left = 1000.0
    while left > 0:  # chunk by chunk
        read = min(300.0, left)
        steps.append(0.02 + 0.6 * read / 1000)
        left -= read
    found = latency.chunked_s(1000, chunk_tokens=300, prefill_s=0.6, step_s=0.02)
    assert_allclose(found, sum(steps))
    whole = latency.chunked_s(1000, chunk_tokens=np.inf, prefill_s=0.6, step_s=0.02)
    assert_allclose(whole, 0.62)
