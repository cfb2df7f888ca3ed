"""Times under a load: within 10 % of the simulation, and never plausible past saturation."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import serve, workloads
from costlib.deploy import scenarios
from costlib.replica import replica
from costlib.response import most_requests_per_s, under_load
from costlib.simulate import served

ANY = {"ttft_s": 1, "tpot_s": 0.05}


def rig(name, n_accelerators=4):
    table = workloads.length_table(name)
    means = {field: table[field].mean() for field in ("input_tokens", "output_tokens")}
    return replica("Llama-3.1-70B", "H100", n_accelerators=n_accelerators, **means), table


@pytest.mark.parametrize("name", ["chat", "code", "long-context"])
def test_the_mean_sojourn_is_within_a_tenth_of_the_simulation_up_to_80_percent_load(name):
    on, table = rig(name)
    top = under_load(on, 1e-3, **table).saturation_requests_per_s
    loads = np.array([0.2, 0.5, 0.7, 0.8])
    found = under_load(on, loads * top, **table)
    assert_allclose(found.offered_load, loads)
    for row, rate in enumerate(found.requests_per_s):
        arrivals = workloads.poisson_s(120_000, requests_per_s=rate, seed=7)
        done = served(workloads.drawn(name, arrivals, seed=8), on)
        late = slice(10_000, None)  # it starts empty
        assert_allclose(found.sojourn_s[row], done.sojourn_s[late].mean(), rtol=0.10)
        assert_allclose(found.ttft_s[row], done.ttft_s[late].mean(), rtol=0.15)
        tokens = (done.output_tokens[late] - 1).sum()
        tpot = (done.done_s - done.first_token_s)[late].sum() / tokens
        assert_allclose(found.tpot_s[row], tpot, rtol=0.10)


def test_an_empty_replica_is_what_the_serving_model_says_of_one_client():
    on, _ = rig("chat")
    done = under_load(on, 1e-4, input_tokens=1155, output_tokens=211)
    one = serve.prediction(
        scenarios(
            "Llama-3.1-70B",
            "H100",
            n_accelerators=4,
            n_clients=1,
            input_tokens=1155,
            output_tokens=211,
        )
    )
    assert_allclose(done.tpot_s[0], one.tpot_s, rtol=0.02)
    assert_allclose(done.ttft_s[0], one.ttft_s, rtol=0.15)


def test_past_saturation_everything_is_infinite_and_throughput_stops():
    on, table = rig("chat")
    top = under_load(on, 1e-3, **table).saturation_requests_per_s
    done = under_load(on, [0.99 * top, top, 3 * top], **table)
    for field in ("ttft_s", "tpot_s", "sojourn_s", "n_decoding"):
        assert np.isfinite(getattr(done, field)).tolist() == [True, False, False]
    for field in ("ttft_quantiles_s", "tpot_quantiles_s", "sojourn_quantiles_s"):
        assert np.isinf(getattr(done, field)[1:]).all()
    assert_allclose(done.tokens_per_s[1:], top * table["output_tokens"].mean())


def test_times_grow_with_the_load_and_quantiles_in_order():
    on, table = rig("code")
    top = under_load(on, 1e-3, **table).saturation_requests_per_s
    done = under_load(on, top * np.linspace(0.05, 0.95, 12), quantiles=(0.5, 0.9, 0.95), **table)
    for field in ("ttft_s", "tpot_s", "sojourn_s"):
        assert (np.diff(getattr(done, field)) > 0).all()
    for field in ("ttft_quantiles_s", "tpot_quantiles_s", "sojourn_quantiles_s"):
        assert (np.diff(getattr(done, field), axis=1) >= 0).all()


def test_a_cache_hit_raises_what_is_served():
    on, table = rig("agents", 8)
    plain = under_load(on, 1e-3, **(table | {"cached_tokens": 0}))
    cached = under_load(on, 1e-3, **table)
    assert cached.saturation_requests_per_s > 3 * plain.saturation_requests_per_s


def test_the_most_that_keeps_a_promise_keeps_it_and_a_little_more_does_not():
    on, table = rig("chat")
    promise = {"ttft_s": 0.5, "tpot_s": 0.04}
    most = most_requests_per_s(on, **promise, **table)
    done = under_load(on, [most, 1.02 * most], quantiles=(0.95,), **table)
    kept = (done.ttft_quantiles_s[:, 0] <= 0.5) & (done.tpot_quantiles_s[:, 0] <= 0.04)
    assert kept.tolist() == [True, False]
    assert most_requests_per_s(on, ttft_s=1e-3, tpot_s=1, **table) == 0


def test_a_rate_that_no_promise_bounds_is_bounded_by_the_load_that_is_allowed():
    on, table = rig("chat")
    top = under_load(on, 1e-6, **table).saturation_requests_per_s
    loose = {"ttft_s": 1e3, "tpot_s": np.inf}
    assert_allclose(most_requests_per_s(on, **loose, load_fraction=0.6, **table), 0.6 * top)
    tight = {"ttft_s": 0.5, "tpot_s": 0.04}
    exact, rough = (
        most_requests_per_s(on, **tight, load_fraction=0.9, precision=p, **table)
        for p in (1e-3, 1e-2)
    )
    assert exact - 0.01 * top <= rough <= exact + 1e-3 * top
    with pytest.raises(ValueError, match="load_fraction"):
        most_requests_per_s(on, **tight, load_fraction=1.5, **table)


@pytest.mark.parametrize("load", [0.05, 0.3, 0.6, 0.8])
def test_prompts_that_are_all_alike_wait_as_long_as_in_a_simulation(load):
    n, lengths = 8000, {"input_tokens": 127_000, "output_tokens": 1000}
    on = replica("Llama-3.1-70B", "H200", n_accelerators=8, **lengths)
    rate = load * under_load(on, 1e-6, **lengths).saturation_requests_per_s
    coming = workloads.Requests(
        arrival_s=workloads.poisson_s(n, requests_per_s=rate, seed=1),
        **{name: np.full(n, tokens) for name, tokens in lengths.items()},
        cached_tokens=np.zeros(n, int),
        session=np.full(n, -1),
    )
    seen = served(coming, on).ttft_s
    done = under_load(on, rate, quantiles=(0.95,), exponential=False, **lengths)
    assert_allclose(done.ttft_s[0], seen.mean(), rtol=0.02)
    assert_allclose(done.ttft_quantiles_s[0, 0], np.quantile(seen, 0.95), rtol=0.08)
    longer = under_load(on, rate, quantiles=(0.95,), **lengths)
    assert longer.ttft_quantiles_s[0, 0] > 1.5 * done.ttft_quantiles_s[0, 0]


def test_what_does_not_fit_is_counted_or_refused():
    on, _ = rig("chat")
    huge = 2 * on.pool_tokens
    done = under_load(on, 1, input_tokens=[1000, huge], output_tokens=100)
    assert done.refused_fraction == 0.5
    with pytest.raises(ValueError, match="input_tokens must fit"):
        under_load(on, 1, input_tokens=huge, output_tokens=100)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"requests_per_s": 0}, "requests_per_s"),
        ({"requests_per_s": np.nan}, "requests_per_s"),
        ({"input_tokens": 0}, "input_tokens"),
        ({"output_tokens": -3}, "output_tokens"),
        ({"cached_tokens": -1}, "cached_tokens"),
        ({"quantiles": (1.5,)}, "quantiles"),
    ],
)
def test_senseless_arguments_are_named(change, named):
    on, _ = rig("chat")
    given = {"requests_per_s": 1, "input_tokens": 1000, "output_tokens": 100} | change
    with pytest.raises(ValueError, match=f"^{named}"):
        under_load(on, given.pop("requests_per_s"), **given)


@pytest.mark.parametrize("name", ANY)
def test_a_promise_is_a_time_above_nothing(name):
    on, table = rig("chat")
    with pytest.raises(ValueError, match=name):
        most_requests_per_s(on, **(ANY | {name: 0}), **table)


def simulated(on, answers, load, *, prompts=200, n=30_000):
    """Mean sojourn of equal prompts with exponential answers at a load, formula and simulation."""
    draw = np.random.default_rng(5)
    lengths = np.maximum(np.round(-answers * np.log1p(-(np.arange(500) + 0.5) / 500)), 1).astype(
        int
    )
    table = {"input_tokens": np.full(500, prompts), "output_tokens": lengths}
    rate = load * under_load(on, 1e-6, **table).saturation_requests_per_s
    coming = workloads.Requests(
        arrival_s=workloads.poisson_s(n, requests_per_s=rate, seed=6),
        input_tokens=np.full(n, prompts),
        output_tokens=draw.choice(lengths, n),
        cached_tokens=np.zeros(n, int),
        session=np.full(n, -1),
    )
    found = under_load(on, rate, **table)
    return found.sojourn_s[0], served(coming, on).sojourn_s[3000:].mean()


def test_long_answers_hold_what_they_have_written_so_far():
    on, _ = rig("chat")
    slow = dataclasses.replace(on, context_s=20 * on.context_s)
    ours, wanted = simulated(slow, 2000, 0.5)
    assert_allclose(ours, wanted, rtol=0.04)


def test_a_small_memory_lets_fewer_in_and_they_wait():
    on, _ = rig("chat")
    small = dataclasses.replace(on, pool_tokens=40_000)
    ours, wanted = simulated(small, 1000, 0.6)
    assert_allclose(ours, wanted, rtol=0.12)
