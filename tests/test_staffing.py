"""Many servers: recursions, chains and another simulator, to thousands of servers."""

import ciw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import queueing, staffing

seeded = settings(derandomize=True, deadline=None)


def blocked(n_servers, load):
    """Erlang B by its recursion, which adds only what is positive."""
    inverse = 1.0
    for n in range(1, n_servers + 1):
        inverse = 1 + n / load * inverse
    return 1 / inverse


def impatient(n_servers, rate, service, patience, size=40_000):
    """Probabilities of the numbers in the system, state by state."""
    states = np.arange(1, size)
    leaving = np.minimum(states, n_servers) / service
    leaving = leaving + np.maximum(states - n_servers, 0) / patience
    log = np.concatenate([[0], np.cumsum(np.log(rate) - np.log(leaving))])
    weight = np.exp(log - log.max())
    return weight / weight.sum()


# --- sums ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_servers", "load"),
    [
        (1, 1e-9),
        (15, 14.5),
        (16, 15.5),
        (17, 400.0),
        (1000, 999.5),
        (5000, 4900.0),
        (5000, 5000.0),
        (5000, 5100.0),
        (5000, 20_000.0),
        (20_000, 19_900.0),
    ],
)
def test_few_and_thousands_of_servers_block_as_the_recursion_says(n_servers, load):
    found = staffing.blocked_fraction(n_servers, requests_per_s=load, service_s=1)
    assert_allclose(found, blocked(n_servers, load), rtol=1e-12)


def test_no_server_and_no_load_are_limits():
    given = {"requests_per_s": [1, 0, 0], "service_s": 1}
    assert staffing.blocked_fraction([0, 3, 0], **given).tolist() == [1, 0, 1]
    assert staffing.waiting_fraction([0, 3, 0], **given).tolist() == [1, 0, 1]
    assert staffing.pool_wait_s([0, 3], requests_per_s=[1, 0], service_s=1).tolist() == [np.inf, 0]


def test_a_part_of_a_server_serves_nobody():
    whole, part = staffing.waiting_fraction([10, 10.9], requests_per_s=8, service_s=1)
    assert whole == part


@pytest.mark.parametrize(
    ("n_servers", "rate", "patience"),
    [(1, 0.8, 2), (10, 25, 0.3), (10, 10, 50), (100, 60, 5), (300, 320, 2), (40, 1, 0.01)],
)
def test_impatience_is_that_of_the_chain(n_servers, rate, patience):
    share = impatient(n_servers, rate, 1.3, patience)
    queued = (np.maximum(np.arange(share.size) - n_servers, 0) * share).sum()
    given = {"requests_per_s": rate, "service_s": 1.3, "patience_s": patience}
    busy = staffing.impatient_waiting_fraction(n_servers, **given)
    assert_allclose(busy, share[n_servers:].sum(), rtol=1e-9)
    assert_allclose(staffing.n_impatient(n_servers, **given), queued, rtol=1e-9)
    left = queued / (rate * patience)
    assert_allclose(staffing.abandoned_fraction(n_servers, **given), left, rtol=1e-9)


def test_endless_patience_is_erlang_c():
    given = {"requests_per_s": [8, 9.9, 12], "service_s": 1}
    found = staffing.impatient_waiting_fraction(10, **given, patience_s=np.inf)
    assert_allclose(found, staffing.waiting_fraction(10, **given), rtol=1e-9)
    queued = np.array([8, 9.9, 12]) * staffing.pool_wait_s(10, **given)
    assert_allclose(staffing.n_impatient(10, **given, patience_s=np.inf), queued, rtol=1e-9)
    left = staffing.abandoned_fraction(10, **given, patience_s=np.inf)
    assert_allclose(left, [0, 0, 1 - 10 / 12])


def test_nobody_who_comes_alone_leaves():
    given = {"requests_per_s": 0, "service_s": 1, "patience_s": 1}
    assert staffing.abandoned_fraction(3, **given) == 0
    assert staffing.impatient_waiting_fraction(3, **given) == 0


# --- waits -----------------------------------------------------------------------------------


def test_three_servers_wait_as_in_another_simulator():
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(2.1)],
        service_distributions=[ciw.dists.Exponential(1.0)],
        number_of_servers=[3],
    )
    ciw.seed(3)
    run = ciw.Simulation(network)
    run.simulate_until_max_customers(60_000, method="Finish")
    waits = np.array([record.waiting_time for record in run.get_all_records()][1000:])
    given = {"requests_per_s": 2.1, "service_s": 1}
    assert_allclose(waits.mean(), staffing.pool_wait_s(3, **given), rtol=0.1)
    assert_allclose((waits > 0).mean(), staffing.waiting_fraction(3, **given), rtol=0.05)


@seeded
@given(st.floats(0.01, 0.99), st.floats(0.01, 10), st.floats(0, 10))
def test_a_pool_of_one_is_one_server(load, service, scv):
    given = {"requests_per_s": load / service, "service_s": service, "service_scv": scv}
    wanted = queueing.wait_s(**given)
    assert_allclose(staffing.pool_wait_s(1, **given), wanted, rtol=1e-9)
    assert_allclose(staffing.cosmetatos_wait_s(1, **given), wanted, rtol=1e-9)


@seeded
@given(st.integers(2, 200), st.floats(0.05, 0.99), st.floats(0, 3))
def test_cosmetatos_lies_between_allen_and_cunneen_and_exponential(n_servers, load, scv):
    given = {"requests_per_s": n_servers * load, "service_s": 1}
    found = staffing.cosmetatos_wait_s(n_servers, **given, service_scv=scv)
    low = staffing.pool_wait_s(n_servers, **given, service_scv=scv)
    assert low <= found <= max(low, staffing.pool_wait_s(n_servers, **given)) * (1 + 1e-12)


# --- how many --------------------------------------------------------------------------------


@seeded
@given(st.floats(0.01, 3000), st.floats(1e-6, 0.999))
def test_one_server_less_would_break_the_promise(load, share):
    given = {"requests_per_s": load, "service_s": 1}
    found = staffing.n_servers(waiting_fraction=share, **given)
    assert found == np.floor(found) > load
    assert staffing.waiting_fraction(found, **given) <= share
    assert found - 1 <= load or staffing.waiting_fraction(found - 1, **given) > share


@seeded
@given(st.floats(0.01, 3000), st.floats(1e-6, 10), st.floats(0, 5))
def test_one_server_less_would_wait_too_long(load, wait, scv):
    given = {"requests_per_s": load, "service_s": 1, "service_scv": scv}
    found = staffing.n_servers_for_wait(wait_s=wait, **given)
    assert staffing.pool_wait_s(found, **given) <= wait
    assert found - 1 <= load or staffing.pool_wait_s(found - 1, **given) > wait


def test_promises_that_cannot_be_kept_or_broken():
    given = {"requests_per_s": [2, 0, 7], "service_s": 1}
    found = staffing.n_servers(waiting_fraction=[0, 0.5, 1], **given)
    assert found.tolist() == [np.inf, 1, 8]
    assert np.isinf(staffing.n_servers_for_wait(wait_s=0, requests_per_s=2, service_s=1))


@seeded
@given(st.floats(1e-9, 1 - 1e-9))
def test_the_reserve_gives_the_share_back(share):
    beta = staffing.safety(waiting_fraction=share)
    assert_allclose(staffing.halfin_whitt_fraction(safety=beta), share, rtol=1e-9)


def test_the_reserve_at_its_ends():
    assert staffing.safety(waiting_fraction=[0, 1]).tolist() == [np.inf, 0]


def test_the_rule_of_the_square_root_is_right_for_many_servers():
    load = np.array([1e3, 1e5])
    beta = staffing.safety(waiting_fraction=0.1)
    rule = staffing.n_square_root(requests_per_s=load, service_s=1, safety=beta)
    exact = staffing.n_servers(waiting_fraction=0.1, requests_per_s=load, service_s=1)
    assert (np.abs(exact - rule) <= 2).all()
