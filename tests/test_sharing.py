"""The queue of prompts and answers against oracles that know nothing of its algebra."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import sharing

N = 6
TABLES = {
    "reading_s": 0.1 + 0.02 * np.arange(N + 1),
    "step_s": 0.01 + 0.002 * np.arange(N + 1),
    "slowed_step_s": 0.05 + 0.002 * np.arange(N + 1),
    "answer_tokens": 12.0,
}


def truncated(arriving, *, reading_s, step_s, slowed_step_s, answer_tokens, reading_scv, levels):
    """The chain with at most so many prompts, state by state, solved as it stands."""
    most = reading_s.size - 1
    go_on, phases = (0.5 / reading_scv, 2) if reading_scv > 1 else (0.0, 1)
    states = [(0, n, 0) for n in range(most + 1)]
    states += [
        (k, n, p) for k in range(1, levels + 1) for n in range(most + 1) for p in range(phases)
    ]
    place = {state: i for i, state in enumerate(states)}
    rates = np.zeros((len(states), len(states)))

    def add(a, b, rate):
        rates[place[a], place[b]] += rate
        rates[place[a], place[a]] -= rate

    for k, n, p in states:
        if k < levels:
            add((k, n, p), (k + 1, n, p), arriving)
        slowed = k > 0 and n < most
        if n:
            down = (k, n - 1, p)
            add((k, n, p), down, n / (slowed_step_s if slowed else step_s)[n] / answer_tokens)
        if slowed:
            after = (k - 1, n + 1, 0)
            if p == 0:
                add((k, n, 0), after, (1 - go_on) * phases / reading_s[n])
                if phases == 2:
                    add((k, n, 0), (k, n, 1), go_on * 2 / reading_s[n])
            else:
                add((k, n, 1), after, go_on * 2 / reading_s[n])
    flow = rates.T.copy()
    flow[-1] = 1
    found = np.linalg.solve(flow, np.eye(len(states))[-1])
    quiet, busy, prompts, pairs = np.zeros(most + 1), np.zeros(most + 1), 0.0, 0.0
    for (k, n, _), chance in zip(states, found, strict=True):
        (busy if k else quiet)[n] += chance
        prompts += k * chance
        pairs += k * (k - 1) * chance
    return quiet, busy, prompts, pairs


@pytest.mark.parametrize("scv", [1.0, 1.5, 3.0])
def test_the_algebra_is_the_chain_state_by_state(scv):
    for load in (0.2, 0.6):
        rate = load * sharing.saturation_requests_per_s(reading_scv=scv, **TABLES)
        found = sharing.stationary(rate, reading_scv=scv, **TABLES)
        wanted = truncated(rate, reading_scv=scv, levels=80, **TABLES)
        for one, other in zip(found, wanted, strict=True):
            assert_allclose(one, other, rtol=1e-6, atol=1e-12)


def test_probabilities_sum_to_one_and_flow_in_is_flow_out():
    rate = 0.7 * sharing.saturation_requests_per_s(**TABLES)
    quiet, busy, _, _ = sharing.stationary(rate, **TABLES)
    assert_allclose(quiet.sum() + busy.sum(), 1)
    n = np.arange(N + 1)
    slowed = np.where(n < N, TABLES["slowed_step_s"], TABLES["step_s"])
    out = (n * quiet / TABLES["step_s"] + n * busy / slowed).sum() / TABLES["answer_tokens"]
    assert_allclose(out, rate)


def test_reading_of_one_server_is_pollaczek_khinchine():
    steps = {"step_s": np.full(2, 1e-9), "slowed_step_s": np.full(2, 1e-9)}
    for scv in (1, 1.5, 4):
        for rate in (2.0, 8.0):
            *_, prompts, pairs = sharing.stationary(
                rate, reading_s=np.full(2, 0.1), answer_tokens=1e-6, reading_scv=scv, **steps
            )
            load = rate * 0.1
            assert_allclose(prompts, load + load**2 * (1 + scv) / 2 / (1 - load), rtol=1e-6)
            assert pairs > prompts**2 - prompts


def test_prompts_that_vary_less_than_exponential_ones_count_as_these():
    one, other = (sharing.stationary(3, reading_scv=scv, **TABLES) for scv in (0.2, 1))
    assert one[2] == other[2]


@pytest.mark.parametrize(
    ("reading_s", "scv", "load", "grows"),
    [(0.005, 1, 0.6, False), (0.02, 9, 0.9, True), (0.02, 9, 0.6, True), (0.1, 9, 0.3, True)],
)
def test_the_states_that_are_tried_first_are_enough_or_grow(
    reading_s, scv, load, grows, monkeypatch
):
    n = np.arange(200)
    tables = {
        "reading_s": np.full(200, reading_s),
        "step_s": 0.01 + 0.0001 * n,
        "slowed_step_s": 0.03 + 0.0001 * n,
        "answer_tokens": 100.0,
        "reading_scv": scv,
    }
    tried = []
    chain, cut = sharing._Chain, sharing._Chain.cut
    monkeypatch.setattr(chain, "cut", lambda self, *ends: tried.append(ends) or cut(self, *ends))
    rate = load * sharing.saturation_requests_per_s(**tables)
    quiet, busy, prompts, pairs = sharing.stationary(rate, **tables)
    whole = chain(*tables.values()).solved(rate)
    assert (len(tried) > 1) == grows
    assert tried[0][1] - tried[0][0] < 199  # less work than the whole
    missing = n.size - quiet.size
    assert_allclose(np.pad(quiet + busy, (0, missing)), whole[0] + whole[1], atol=1e-8)
    assert_allclose((quiet + busy) @ n[: quiet.size], (whole[0] + whole[1]) @ n, rtol=1e-7)
    assert_allclose((prompts, pairs), whole[2:], rtol=1e-6)


def test_at_and_above_saturation_nothing_plausible_is_said():
    limit = sharing.saturation_requests_per_s(**TABLES)
    for rate in (limit, 1.5 * limit):
        quiet, busy, prompts, pairs = sharing.stationary(rate, **TABLES)
        assert quiet.sum() == busy.sum() == 0
        assert np.isinf([prompts, pairs]).all()
    near = sharing.stationary(0.999 * limit, **TABLES)
    assert 100 < near[2] < np.inf


@pytest.mark.parametrize("name", ["reading_s", "step_s", "slowed_step_s", "answer_tokens"])
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_bad_tables_are_named(name, bad):
    given = TABLES | {name: TABLES[name] * 0 + bad}
    with pytest.raises(ValueError, match=f"^{name}"):
        sharing.saturation_requests_per_s(**given)
    with pytest.raises(ValueError, match=f"^{name}"):
        sharing.stationary(1, **given)


def test_tables_of_different_lengths_and_senseless_rates_are_refused():
    short = TABLES | {"step_s": np.ones(3)}
    with pytest.raises(ValueError, match=r"step_s.*\(3,\)"):
        sharing.saturation_requests_per_s(**short)
    with pytest.raises(ValueError, match="requests_per_s"):
        sharing.stationary(-1, **TABLES)
    with pytest.raises(ValueError, match="reading_scv"):
        sharing.stationary(1, reading_scv=-1, **TABLES)
