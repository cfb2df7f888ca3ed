"""The simulation: every request equal to a reference that takes one step after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import lengths
from costlib.replica import Replica, replica
from costlib.simulate import served
from costlib.workloads import Requests


def step_by_step(requests, on, *, most_output_tokens=np.inf, classes=None):
    """First and last token of each request, one step after the other."""
    n = requests.arrival_s.size
    answer = np.minimum(requests.output_tokens, most_output_tokens).astype(int)
    prompt = requests.input_tokens
    fits = prompt + answer <= on.pool_tokens
    first, done = np.full(n, np.inf), np.full(n, np.inf)
    rank = np.zeros(n) if classes is None else np.asarray(classes)
    waiting, reading, decoding = [], [], {}
    position, coming, clock = {}, [i for i in range(n) if fits[i]], 0.0
    while coming or waiting or reading or decoding:
        while coming and requests.arrival_s[coming[0]] <= clock:
            waiting.append(coming.pop(0))
        waiting.sort(key=lambda i: (rank[i], i))
        held = sum(prompt[i] + answer[i] for i in [*reading, *decoding])
        while (
            waiting
            and len(reading) + len(decoding) < on.most_running
            and held + prompt[waiting[0]] + answer[waiting[0]] <= on.pool_tokens
        ):
            i = waiting.pop(0)
            held += prompt[i] + answer[i]
            reading.append(i)
            position[i] = min(requests.cached_tokens[i], prompt[i] - 1)
        if not (reading or decoding):
            clock = requests.arrival_s[coming[0]]
            continue
        context = sum(prompt[i] + made for i, made in decoding.items())
        seconds = on.step_s[len(decoding)] + on.context_s * context
        room, read = on.chunk_tokens, []
        for i in reading:
            x = position[i]
            y = min(x + room, prompt[i])
            room -= y - x
            position[i] = y
            seconds += on.prompt_s * (y - x) + on.attention_s * (y * y - x * x) / 2
            if y == prompt[i]:
                read.append(i)
            if not room:
                break
        clock += seconds
        for i in list(decoding):
            decoding[i] += 1
            if decoding[i] == answer[i]:
                done[i] = clock
                del decoding[i]
        for i in read:
            reading.remove(i)
            first[i] = clock
            if answer[i] == 1:
                done[i] = clock
            else:
                decoding[i] = 1
    return first + on.request_s / 2, done + on.request_s / 2


def requests(arrival_s, input_tokens, output_tokens, cached_tokens=None):
    n = len(arrival_s)
    return Requests(
        arrival_s=np.asarray(arrival_s, float),
        input_tokens=np.asarray(input_tokens),
        output_tokens=np.asarray(output_tokens),
        cached_tokens=np.zeros(n, int) if cached_tokens is None else np.asarray(cached_tokens),
        session=np.full(n, -1),
    )


SMALL = Replica(
    step_s=0.01 + 0.001 * np.arange(9) ** 0.7,
    context_s=2e-6,
    prompt_s=3e-5,
    attention_s=2e-9,
    pool_tokens=9000,
    chunk_tokens=512,
    request_s=0.02,
)


def at_random(seed, n=400, rate=6.0, most_prompt=4000):
    rng = np.random.default_rng(seed)
    prompt = rng.integers(1, most_prompt, n)
    return requests(
        np.sort(rng.exponential(1 / rate, n).cumsum()),
        prompt,
        rng.geometric(1 / 40, n),
        (prompt * rng.choice([0, 0, 0.5, 0.95, 1], n)).astype(int),
    )


# --- against the reference -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "more", [{}, {"most_output_tokens": 20}, {"classes": "random"}, {"classes": "alike"}]
)
def test_jumps_are_the_steps_one_by_one(seed, more):
    coming = at_random(seed, rate=[2, 6, 30][seed % 3])
    if "classes" in more:
        number = coming.arrival_s.size
        ranks = np.random.default_rng(seed).integers(0, 3, number)
        more = {"classes": ranks if more["classes"] == "random" else np.zeros(number)}
    found = served(coming, SMALL, **more)
    first, done = step_by_step(coming, SMALL, **more)
    assert_allclose(found.first_token_s, first, rtol=0, atol=1e-9)
    assert_allclose(found.done_s, done, rtol=0, atol=1e-9)


@pytest.mark.parametrize("trace", ["Azure conversation", "Azure code", "Mooncake conversation"])
def test_jumps_are_the_steps_on_recorded_lengths(trace):
    rng = np.random.default_rng(1)
    prompt, answer = (
        rng.permutation(lengths.length_quantiles(trace, field))[:500].astype(int)
        for field in ("input_tokens", "output_tokens")
    )
    on = replica(
        "Llama-3.1-70B",
        "H100",
        n_accelerators=4,
        input_tokens=prompt.mean(),
        output_tokens=answer.mean(),
    )
    seconds = on.prompt_s * prompt.mean() * 1.6
    coming = requests(rng.exponential(seconds, 500).cumsum(), prompt, np.maximum(answer, 1))
    found = served(coming, on)
    first, done = step_by_step(coming, on)
    assert_allclose(found.first_token_s, first, rtol=0, atol=1e-9)
    assert_allclose(found.done_s, done, rtol=0, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 5),
            st.integers(1, 3000),
            st.integers(1, 60),
            st.integers(0, 3000),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=40,
    ),
    st.booleans(),
)
def test_any_crowd_is_served_as_step_by_step(rows, ranked):
    rows = sorted(rows)
    arrival, prompt, answer, cached, rank = map(list, zip(*rows, strict=True))
    coming = requests(arrival, prompt, answer, np.minimum(cached, prompt))
    more = {"classes": rank} if ranked else {}
    found = served(coming, SMALL, **more)
    first, done = step_by_step(coming, SMALL, **more)
    assert_allclose(found.first_token_s, first, rtol=0, atol=1e-9)
    assert_allclose(found.done_s, done, rtol=0, atol=1e-9)


# --- what must hold --------------------------------------------------------------------------


def test_what_can_never_fit_is_refused_and_stops_nobody():
    coming = requests([0, 0.1, 0.2], [100, 20_000, 100], [5, 5, 5])
    found = served(coming, SMALL)
    assert np.isfinite(found.done_s).tolist() == [True, False, True]
    alone = served(requests([0, 0.2], [100, 100], [5, 5]), SMALL)
    assert_allclose(found.done_s[[0, 2]], alone.done_s)
    assert np.isnan(found.tpot_s[1])


def test_a_cached_prefix_saves_its_reading_and_a_longer_pool_never_hurts_the_first():
    whole, half = (
        served(requests([0], [4000], [10], [cached]), SMALL).ttft_s[0] for cached in (0, 2000)
    )
    work = SMALL.prompt_s * 2000 + SMALL.attention_s * 2000**2 / 2
    steps = np.ceil(4000 / 512) - np.ceil(2000 / 512)
    assert_allclose(whole - half, work + steps * SMALL.step_s[0])


def test_a_lower_class_number_waits_less_and_nobody_is_lost():
    coming = at_random(3, n=800, rate=30)
    ranks = np.random.default_rng(0).integers(0, 2, 800)
    found = served(coming, SMALL, classes=ranks)
    assert np.isfinite(found.done_s).all()
    assert found.ttft_s[ranks == 0].mean() < 0.5 * found.ttft_s[ranks == 1].mean()


def test_clipping_ends_answers_and_shortens_the_queue():
    coming = at_random(4, n=800, rate=30)
    plain, clipped = served(coming, SMALL), served(coming, SMALL, most_output_tokens=30)
    assert clipped.output_tokens.max() == 30
    assert clipped.sojourn_s.mean() < plain.sojourn_s.mean()


def test_the_clock_is_never_before_the_arrival():
    found = served(at_random(5, rate=2), SMALL)
    assert (found.ttft_s > 0).all()
    assert (found.done_s >= found.first_token_s).all()


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"most_output_tokens": 0}, "most_output_tokens"),
        ({"most_output_tokens": 0.5}, "most_output_tokens"),
        ({"most_output_tokens": np.nan}, "most_output_tokens"),
        ({"classes": [1, 2]}, "classes"),
    ],
)
def test_senseless_arguments_are_named(more, named):
    with pytest.raises(ValueError, match=named):
        served(at_random(0), SMALL, **more)


def test_a_bar_counts_every_request(capsys):
    served(at_random(0), SMALL, progress=True)
    assert "/400" in capsys.readouterr().err
    served(at_random(0), SMALL)
    assert capsys.readouterr().err == ""
