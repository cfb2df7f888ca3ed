"""Batch service: the chain against one server, a simulation of its own, and one made before."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import special

from costlib import batching, bulk, queueing

seeded = settings(derandomize=True, deadline=None, max_examples=25)
LENGTHS = np.exp(5 + 0.7 * special.ndtri((np.arange(100_000) + 0.5) / 100_000))
COST = {"fixed_s": 0.02, "per_request_s": 0.04, "step_s": 0.02, "row_s": 0.0002}
PADDED = bulk.padded_s(32, lengths_tokens=LENGTHS, **COST)
ELASTIC = bulk.elastic_s(32, lengths_tokens=LENGTHS, **COST)
HELD = bulk.elastic_held_s(32, lengths_tokens=LENGTHS, **COST)
# Simulated once, with lognormal(5, 0.7) lengths and these costs.
with (Path(__file__).parent / "vectors" / "batching.csv").open(encoding="utf-8") as file:
    SIMULATED = list(csv.DictReader(file))


def simulated(rate, durations, least, n=60_000, seed=1):
    """Mean wait and mean batch, event by event."""
    draw = np.random.default_rng(seed)
    arrivals = np.cumsum(draw.exponential(1 / rate, n)).tolist()
    most, free, first, waits, batches = len(durations), 0.0, 0, 0.0, 0
    while first + least <= n:
        start = max(free, arrivals[first + least - 1])
        last = first + least
        while last < min(n, first + most) and arrivals[last] <= start:
            last += 1
        waits += sum(start - arrival for arrival in arrivals[first:last])
        free = start + draw.choice(durations[last - first - 1])
        first, batches = last, batches + 1
    return waits / first, first / batches


# --- durations -------------------------------------------------------------------------------


def test_a_padded_batch_lasts_as_its_longest_answer():
    lengths = LENGTHS[::100]
    drawn = bulk.padded_s(8, lengths_tokens=lengths, **COST).mean(axis=1)
    size = np.arange(1, 9)
    longest = batching.longest_tokens(size, lengths_tokens=lengths)
    wanted = batching.batch_s(
        size, lengths_tokens=lengths, step_s=0.02 + 0.0002 * size, prefill_s=0.04
    )
    assert_allclose(drawn, 0.02 + wanted, rtol=0.02)
    assert_allclose(drawn, 0.02 + 0.04 * size + (0.02 + 0.0002 * size) * longest, rtol=0.02)


def test_steps_get_cheaper_as_answers_leave():
    rows = COST | {"row_s": 0.01}
    padded = bulk.padded_s(4, lengths_tokens=[100, 300], **rows)
    elastic = bulk.elastic_s(4, lengths_tokens=[100, 300], **rows)
    held = bulk.elastic_held_s(4, lengths_tokens=[100, 300], **rows)
    assert_allclose(elastic[0], padded[0])
    assert (elastic[1:].mean(axis=1) < padded[1:].mean(axis=1)).all()
    assert (held <= elastic.mean(axis=1) + 1e-12).all()
    # two answers: half of the batches have one of each length; the short one ends after 100 steps
    steps = 0.02 + 0.02
    short, long = 100 * steps, 100 * steps + 200 * 0.03
    mixed, alike = (short + long) / 2, (100 * steps + 300 * steps) / 2
    assert_allclose(held[1], 0.02 + 0.08 + (mixed + alike) / 2, rtol=0.03)


def test_draws_are_those_of_the_seed():
    given = {"lengths_tokens": LENGTHS, **COST}
    again = bulk.padded_s(3, **given)
    assert (again == PADDED[:3]).all()
    assert (bulk.padded_s(3, **given, seed=1) != again).any()


# --- waits -----------------------------------------------------------------------------------


@seeded
@given(st.floats(0.01, 0.999), st.lists(st.floats(0.1, 5), min_size=1, max_size=6))
def test_a_batch_of_one_is_one_server(load, durations):
    table = np.array(durations)
    rate = load / table.mean()
    wanted = queueing.wait_s(
        requests_per_s=rate, service_s=table.mean(), service_scv=table.var() / table.mean() ** 2
    )
    assert_allclose(bulk.wait_s(rate, durations_s=[durations]), wanted, rtol=1e-6)
    total = bulk.sojourn_s(rate, durations_s=[durations], held_s=[table.mean()])
    assert_allclose(total, wanted + table.mean(), rtol=1e-6)


@pytest.mark.parametrize(
    ("rate", "durations", "least"),
    [(0.3, PADDED[:8], 1), (0.8, PADDED, 1), (0.3, PADDED[:4], 4), (0.5, ELASTIC[:8], 3)],
)
def test_the_wait_is_that_of_a_simulation(rate, durations, least):
    wait, _ = simulated(rate, durations, least)
    assert_allclose(bulk.wait_s(rate, durations_s=durations, n_least=least), wait, rtol=0.04)


@pytest.mark.parametrize("row", SIMULATED, ids=lambda row: f"{row['lam']} requests/s")
def test_the_waits_are_those_of_the_table(row):
    rate = float(row["lam"])
    ways = {
        "dyn": (PADDED, PADDED.mean(axis=1), 1),
        "fix4": (PADDED[:4], PADDED[:4].mean(axis=1), 4),
        "fix16": (PADDED[:16], PADDED[:16].mean(axis=1), 16),
        "elastic": (ELASTIC, HELD, 1),
    }
    for name, (durations, held, least) in ways.items():
        wait = bulk.wait_s(rate, durations_s=durations, n_least=least)
        total = bulk.sojourn_s(rate, durations_s=durations, held_s=held, n_least=least)
        if float(row[f"{name}_W"]) > 1000:  # the run did not keep up
            assert np.isinf([wait, total]).all()
        else:  # one run with heavy tails: up to 4 % off
            assert_allclose(wait, float(row[f"{name}_W"]), rtol=0.05, err_msg=name)
            assert_allclose(total, float(row[f"{name}_T"]), rtol=0.03, err_msg=name)


def test_a_busy_dynamic_server_settles_at_the_batch_that_comes_meanwhile():
    durations = [[1 + 0.01 * b] for b in range(1, 129)]  # ends at 0.01 s for each of 128
    settled = batching.busy_batch(requests_per_s=30, fixed_s=1, per_request_s=0.01)
    wait = bulk.wait_s(30, durations_s=durations)
    _, batch = simulated(30, durations, 1)
    assert_allclose(batch, settled, rtol=0.03)
    assert_allclose(wait, (1 + 0.01 * settled) / 2, rtol=0.05)  # half a batch, on average


def test_a_full_batch_is_waited_for():
    durations = [[1e-6]] * 16
    found = bulk.wait_s([0.05, 0.5], durations_s=durations, n_least=16)
    assert_allclose(found, 15 / 2 / np.array([0.05, 0.5]), rtol=1e-4)


def test_a_tail_that_no_table_of_states_could_hold_is_in_it():
    load = 0.99999  # a hundred thousand wait
    wanted = queueing.wait_s(requests_per_s=load, service_s=1)
    assert_allclose(bulk.wait_s(load, durations_s=[[1.0]]), wanted, rtol=1e-6)
    pairs = bulk.wait_s(2 * load, durations_s=[[0.6], [1.0]])
    assert_allclose(pairs * (1 - load), wanted * (1 - load) / 2, rtol=1e-3)


def test_limits():
    durations = [[1.0], [1.5]]
    waits = bulk.wait_s([0, 2 / 1.5, 9], durations_s=durations)
    assert waits.tolist() == [0, np.inf, np.inf]
    assert np.isfinite(bulk.wait_s(1.33, durations_s=durations))
    assert np.isinf(bulk.wait_s(0, durations_s=durations, n_least=2))
    assert bulk.sojourn_s(0, durations_s=durations, held_s=[1, 1.2]) == 1
    assert isinstance(bulk.wait_s(0.1, durations_s=durations), np.float64)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"requests_per_s": -1.0}, "^requests_per_s .*-1"),
        ({"durations_s": [[1.0, -2.0]]}, "^durations_s .*-2"),
        ({"n_least": 3}, "^n_least must be a whole number up to 2, got 3"),
        ({"n_least": 1.5}, "^n_least .*1.5"),
        ({"held_s": [1.0]}, "^held_s must have one value for each of 2 sizes"),
    ],
)
def test_what_does_not_fit_is_named(change, told):
    given = {"requests_per_s": 0.1, "durations_s": [[1.0], [1.5]], "held_s": [1, 1.5]} | change
    with pytest.raises(ValueError, match=told):
        bulk.sojourn_s(**given)


@pytest.mark.parametrize("name", ["lengths_tokens", *COST])
@pytest.mark.parametrize("formula", [bulk.padded_s, bulk.elastic_s, bulk.elastic_held_s])
def test_a_negative_cost_is_named(formula, name):
    with pytest.raises(ValueError, match=rf"^{name} must not be negative"):
        formula(2, **({"lengths_tokens": [1.0], **COST} | {name: -1.0}))
