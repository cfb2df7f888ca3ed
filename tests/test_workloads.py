"""Workloads: tables kept, arrivals as promised, lengths never parted from their times."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from costlib import catalog, workloads
from costlib import sessions as growth
from costlib.workloads import Requests

N = 200_000
NAMES = list(workloads.workloads())
each_workload = pytest.mark.parametrize("name", NAMES)


def requests(arrival_s, **changed):
    """Requests that tell each other apart by their lengths."""
    n = len(arrival_s)
    fields = {
        "arrival_s": np.asarray(arrival_s, dtype=np.float64),
        "input_tokens": np.arange(1, n + 1) * 10,
        "output_tokens": np.arange(1, n + 1),
        "cached_tokens": np.zeros(n, dtype=np.int64),
        "session": np.full(n, -1),
    }
    return Requests(**(fields | changed))


def scv(values):
    return values.var() / values.mean() ** 2


# --- the record ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "values", "told"),
    [
        ("input_tokens", np.array([1, 0, 1]), "input_tokens must be at least 1, got 0 at index 1"),
        ("output_tokens", np.array([1, 1, -3]), "output_tokens .* got -3 at index 2"),
        ("output_tokens", np.array([1, 1]), "output_tokens must have one entry per arrival, 3"),
        ("cached_tokens", np.array([0, 21, 0]), "cached_tokens .* input_tokens, got 21 at index 1"),
        ("cached_tokens", np.array([-1, 0, 0]), "cached_tokens .* got -1 at index 0"),
        ("session", np.array([1]), "session must have one entry per arrival, 3"),
    ],
)
def test_requests_that_cannot_be_are_refused(field, values, told):
    with pytest.raises(ValueError, match=told):
        requests([0.0, 1.0, 2.0], **{field: values})


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ([0.0, 2.0, 1.0], "arrival_s must be finite and ascend, got 1.0 at index 2"),
        ([0.0, np.nan, 1.0], "arrival_s must be finite and ascend, got nan at index 1"),
        ([0.0, np.inf], "arrival_s must be finite and ascend, got inf at index 1"),
    ],
)
def test_times_that_do_not_ascend_are_refused(times, told):
    with pytest.raises(ValueError, match=told):
        requests(times)


def test_no_requests_are_requests():
    assert requests([]).arrival_s.size == 0


# --- lengths ---------------------------------------------------------------------------------


def test_the_workloads_are_the_five_and_an_unknown_one_names_the_nearest():
    assert NAMES == ["chat", "code", "long-context", "agents", "reasoning"]
    with pytest.raises(catalog.UnknownNameError, match=r"no workload 'agent'.* agents"):
        workloads.workload("agent")


@each_workload
def test_a_workload_is_a_trace_with_the_same_source(name):
    chosen = workloads.workload(name)
    trace = catalog.traces()[next(t for t in catalog.traces() if t == chosen.trace)]
    assert (chosen.source, chosen.as_of) == (trace.source, trace.as_of)


@each_workload
def test_drawn_lengths_have_the_mean_and_the_quantiles_of_the_table(name):
    drawn = workloads.drawn(name, np.arange(N), seed=1)
    trace = workloads.workload(name).trace
    for field in ("input_tokens", "output_tokens"):
        table = np.maximum(catalog.length_quantiles(trace, field), 1)
        found = getattr(drawn, field)
        assert_allclose(found.mean(), table.mean(), rtol=0.03)
        assert_allclose(np.median(found), np.median(table), rtol=0.05)
        assert set(np.unique(found)) <= set(table)


@each_workload
def test_drawn_input_and_output_are_independent(name):
    drawn = workloads.drawn(name, np.arange(N), seed=2)
    assert abs(np.corrcoef(drawn.input_tokens, drawn.output_tokens)[0, 1]) < 0.01


def test_drawn_agents_keep_both_tables_and_never_read_more_than_they_send():
    drawn = workloads.drawn("agents", np.arange(N), seed=3)
    fresh = drawn.input_tokens - drawn.cached_tokens
    table = catalog.length_quantiles("Claude Code", "uncached_input_tokens")
    assert (fresh >= 1).all()
    assert_allclose(fresh.mean(), table.mean(), rtol=0.05)
    assert set(np.unique(fresh)) == set(table)
    by_rank = [np.argsort(np.argsort(values)) for values in (fresh, drawn.input_tokens)]
    assert np.corrcoef(by_rank)[0, 1] == pytest.approx(0.01, abs=0.01)  # as the docstring says


@pytest.mark.parametrize("name", [name for name in NAMES if name != "agents"])
def test_traces_that_do_not_say_what_was_cached_give_no_hits(name):
    assert not workloads.drawn(name, [0.0, 1.0], seed=1).cached_tokens.any()


def test_the_seed_decides():
    one, again, other = (workloads.drawn("chat", np.arange(50), seed=s) for s in (1, 1, 2))
    assert_array_equal(one.input_tokens, again.input_tokens)
    assert (one.input_tokens != other.input_tokens).any()
    generator = np.random.default_rng(1)
    assert_array_equal(
        workloads.drawn("chat", np.arange(50), seed=generator).input_tokens, one.input_tokens
    )


@pytest.mark.parametrize("name", [name for name in NAMES if name != "reasoning"])
def test_the_means_of_the_tables_are_those_counted_before(name):
    chosen = workloads.workload(name)
    table = workloads.length_table(name)
    assert_allclose(table["input_tokens"].mean(), chosen.input_mean_tokens, rtol=0.002)
    assert_allclose(table["output_tokens"].mean(), chosen.output_mean_tokens, rtol=0.02)


# what data/README.md says of the difference that interpolating between eight quantiles makes
@pytest.mark.parametrize(
    ("field", "above", "spread"), [("input", 0.095, 11.7), ("output", 0.071, 2.8)]
)
def test_the_interpolated_lengths_differ_from_the_published_ones_as_the_dictionary_says(
    field, above, spread
):
    table = catalog.length_quantiles("DeepSeek-R1", f"{field}_tokens")
    published = getattr(workloads.workload("reasoning"), f"{field}_mean_tokens")
    assert table.mean() / published - 1 == pytest.approx(above, abs=0.001)
    assert scv(table) == pytest.approx(spread, abs=0.05)


# --- arrivals --------------------------------------------------------------------------------


@pytest.mark.parametrize("gap_scv", [0.0, 0.25, 1.0, 4.0])
def test_bursty_arrivals_have_the_rate_and_the_spread_asked_for(gap_scv):
    times = workloads.bursty_s(N, requests_per_s=5, gap_scv=gap_scv, seed=1)
    assert_allclose(N / times[-1], 5, rtol=0.02)
    assert scv(np.diff(times)) == pytest.approx(gap_scv, rel=0.05, abs=1e-9)


def test_poisson_counts_vary_as_their_mean():
    times = workloads.poisson_s(N, requests_per_s=5, seed=4)
    counts = np.bincount(times.astype(int))
    assert counts.var() / counts.mean() == pytest.approx(1, abs=0.03)
    assert counts.mean() == pytest.approx(5, rel=0.01)


@pytest.mark.parametrize("peak_to_mean", [1.0, 1.3, 2.0])
def test_a_day_has_the_shape_that_its_rate_says(peak_to_mean):
    times = workloads.day_shaped_s(10 * N, requests_per_s=2, peak_to_mean=peak_to_mean, seed=5)
    hours = np.bincount((times // 3600).astype(int))
    counts = hours[: hours.size // 24 * 24].reshape(-1, 24).mean(axis=0)
    edges = 2 * np.pi * np.arange(25) / 24
    area = edges - (peak_to_mean - 1) * np.sin(edges)
    expected = 2 * 3600 * np.diff(area) * 24 / (2 * np.pi)
    assert_allclose(counts, expected, atol=2 * np.sqrt(expected.max()))


@pytest.mark.parametrize("eccentricity", [0.0, 0.5, 0.99, 1.0])
def test_the_inversion_is_exact(eccentricity):
    angles = np.sort(np.r_[np.random.default_rng(6).uniform(0, 2 * np.pi, 10_000), 0, 1e-6, 6.2831])
    means = angles - eccentricity * np.sin(angles)
    found = workloads._kepler(means, eccentricity)
    # at the quiet hour of a day that goes down to nothing the rate is 0: the time is not defined
    clear = np.minimum(angles, 2 * np.pi - angles) > (1e-3 if eccentricity == 1 else 0)
    assert_allclose(found[clear], angles[clear], atol=1e-9)
    assert_allclose(found - eccentricity * np.sin(found), means, atol=1e-14)


def test_a_day_without_a_shape_is_poisson():
    flat = workloads.day_shaped_s(1000, requests_per_s=3, peak_to_mean=1, seed=7)
    assert_allclose(flat, workloads.poisson_s(1000, requests_per_s=3, seed=7), rtol=1e-9)


# --- requests from requests ------------------------------------------------------------------


def test_replayed_requests_keep_their_lengths_and_their_shape():
    own = requests([10.0, 10.0, 14.0, 20.0], session=np.array([3, 3, -1, 4]))
    again = workloads.replayed(own, requests_per_s=3)
    assert_allclose(again.arrival_s, [0, 0, 0.4, 1.0])
    for name in ("input_tokens", "output_tokens", "cached_tokens", "session"):
        assert_array_equal(getattr(again, name), getattr(own, name))


@pytest.mark.parametrize("times", [[], [4.0], [4.0, 4.0]])
def test_requests_that_span_no_time_cannot_be_stretched(times):
    with pytest.raises(ValueError, match="requests must span some time"):
        workloads.replayed(requests(times), requests_per_s=1)


def test_ticks_are_spread_within_themselves_and_in_order():
    own = requests(np.repeat(np.arange(0, 3000, 3.0), 10))
    even = workloads.spread(own, tick_s=3, seed=1)
    assert_array_equal(even.input_tokens, own.input_tokens)
    assert ((even.arrival_s >= own.arrival_s) & (even.arrival_s < own.arrival_s + 3)).all()
    assert scv(np.diff(own.arrival_s)) > 8
    assert scv(np.diff(even.arrival_s)) < 1.1
    with pytest.raises(ValueError, match="tick_s must not exceed the shortest step, 3, got 4"):
        workloads.spread(own, tick_s=4, seed=1)


SESSION = {
    "sessions_per_s": 0.5,
    "n_turns": [1, 5, 9],
    "start_tokens": [8e3, 12e3],
    "turn_tokens": [500, 1500],
    "output_tokens": [100, 300],
    "think_s": [1, 60],
    "answer_s": [2, 20],
}


def test_a_sessions_turns_come_after_the_answer_and_carry_the_prompt_before():
    found = workloads.sessions(400, **SESSION, seed=1)
    turns = []
    for owner in range(400):
        own = found.session == owner
        times, prompts, cached = (
            getattr(found, name)[own] for name in ("arrival_s", "input_tokens", "cached_tokens")
        )
        assert set(np.diff(times).round(6)) <= {3.0, 21.0, 62.0, 80.0}
        assert_array_equal(cached, np.r_[0, prompts[:-1]])
        assert set(np.diff(prompts)) <= {500, 1500}
        turns.append(times.size)
    assert set(turns) == {1, 5, 9}
    assert np.mean(turns) == pytest.approx(5, abs=0.5)


def test_sessions_start_at_their_rate():
    found = workloads.sessions(20_000, **SESSION, seed=2)
    starts = np.sort(found.arrival_s[found.cached_tokens == 0])
    assert starts.size == 20_000
    assert_allclose(20_000 / starts[-1], 0.5, rtol=0.03)


def test_a_compaction_is_that_of_the_session_formulas():
    limit = {"compact_at_tokens": 15e3, "compacted_tokens": 8e3}
    one = SESSION | {"n_turns": 12, "start_tokens": 10e3, "turn_tokens": 2e3}
    found = workloads.sessions(1, **one, **limit, stable_tokens=5e3, seed=1)
    turn, grown = np.arange(1, 13), {"start_tokens": 10e3, "turn_tokens": 2e3}
    assert_array_equal(found.input_tokens, growth.context_tokens(turn, **grown, **limit))
    reused = growth.reused_tokens(turn, **grown, **limit, stable_tokens=5e3)
    assert_array_equal(found.cached_tokens, reused)
    assert 5000 in found.cached_tokens


def test_a_mix_is_in_order_and_parts_no_request_from_its_lengths():
    first = requests([0.0, 2.0, 4.0], session=np.array([0, -1, 1]))
    second = requests([1.0, 2.0], session=np.array([0, 0]), output_tokens=np.array([70, 80]))
    found = workloads.mixed(first, second)
    assert_array_equal(found.arrival_s, [0, 1, 2, 2, 4])
    assert_array_equal(found.output_tokens, [1, 70, 2, 80, 3])
    assert_array_equal(found.input_tokens, [10, 10, 20, 20, 30])
    assert_array_equal(found.session, [0, 2, -1, 2, 1])
    with pytest.raises(ValueError, match="requests must hold at least one stream"):
        workloads.mixed()


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "given", "named"),
    [
        ("poisson_s", {"n_requests": 0}, "n_requests must be a whole number of at least 1, got 0"),
        ("poisson_s", {"n_requests": 2.5}, "n_requests .* got 2.5"),
        ("poisson_s", {"requests_per_s": 0}, "requests_per_s must be positive, got 0"),
        ("poisson_s", {"requests_per_s": np.nan}, "requests_per_s .* nan"),
        ("poisson_s", {"requests_per_s": np.inf}, "requests_per_s must be finite, got inf"),
        ("bursty_s", {"gap_scv": -1}, "gap_scv must not be negative, got -1"),
        ("bursty_s", {"gap_scv": np.inf}, "gap_scv must be finite"),
        ("day_shaped_s", {"peak_to_mean": 0.9}, r"peak_to_mean must lie in \[1, 2\], got 0.9"),
        ("day_shaped_s", {"peak_to_mean": np.nan}, "peak_to_mean .* nan"),
        ("day_shaped_s", {"period_s": 0}, "period_s must be positive, got 0"),
        ("sessions", {"n_sessions": 0}, "n_sessions must be a whole number of at least 1, got 0"),
        ("sessions", {"sessions_per_s": -1}, "sessions_per_s must be positive, got -1"),
        ("sessions", {"n_turns": 0.5}, "n_turns must be finite, at least 1, got 0.5"),
        ("sessions", {"n_turns": []}, "n_turns must not be empty"),
        ("sessions", {"think_s": np.nan}, "think_s must not be negative, got nan"),
        ("sessions", {"answer_s": np.inf}, "answer_s must be finite"),
        ("sessions", {"start_tokens": [8e3, 0]}, "start_tokens must be positive, got 0.0 at index"),
        ("sessions", {"output_tokens": "many"}, "output_tokens must be a number"),
    ],
)
def test_a_senseless_value_is_refused_by_name(formula, given, named):
    good = {
        "poisson_s": {"n_requests": 10, "requests_per_s": 1},
        "bursty_s": {"n_requests": 10, "requests_per_s": 1, "gap_scv": 2},
        "day_shaped_s": {"n_requests": 10, "requests_per_s": 1, "peak_to_mean": 1.5},
        "sessions": {"n_sessions": 3, **SESSION},
    }[formula]
    with pytest.raises(ValueError, match=named):
        getattr(workloads, formula)(**(good | given), seed=1)
