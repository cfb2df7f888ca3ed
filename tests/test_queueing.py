"""One server: closed forms against simulations, limits, and what each formula refuses."""

import ciw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from costlib import queueing

seeded = settings(derandomize=True, deadline=None)
times = st.floats(1e-4, 10)
loads = st.floats(0.01, 0.99)
scvs = st.floats(0, 20)
N = 400_000


def plain_waits(gaps, services):
    """Waits of a single server, one request after the other."""
    waits = [0.0]
    for gap, service in zip(gaps[1:], services, strict=False):
        waits.append(max(0.0, waits[-1] + service - gap))
    return waits


def simulated(arrival, service, n_servers=1, seed=7):
    """Mean wait of 60,000 customers in Ciw, the first thousand left out."""
    network = ciw.create_network(
        arrival_distributions=[arrival],
        service_distributions=[service],
        number_of_servers=[n_servers],
    )
    ciw.seed(seed)
    run = ciw.Simulation(network)
    run.simulate_until_max_customers(60_000, method="Finish")
    return np.mean([record.waiting_time for record in run.get_all_records()][1000:])


# --- another simulator -----------------------------------------------------------------------


@pytest.mark.parametrize(("scv", "law"), [(1, "exponential"), (2, "lognormal")])
def test_the_mean_wait_is_that_of_another_simulator(scv, law):
    sigma = np.sqrt(np.log1p(scv))
    service = {
        "exponential": ciw.dists.Exponential(1.0),
        "lognormal": ciw.dists.Lognormal(-(sigma**2) / 2, sigma),
    }[law]
    found = simulated(ciw.dists.Exponential(0.6), service)
    wanted = queueing.wait_s(requests_per_s=0.6, service_s=1, service_scv=scv)
    assert_allclose(found, wanted, rtol=0.1)  # one run of this length: sd of 2 to 4 %


def test_kingmans_wait_is_near_that_of_another_simulator():
    gamma = ciw.dists.Gamma(0.5, 2 / 0.7)  # gaps of scv 2
    found = simulated(gamma, ciw.dists.Exponential(1.0))
    given = {"requests_per_s": 0.7, "service_s": 1, "arrival_scv": 2, "service_scv": 1}
    assert_allclose(found, queueing.kingman_wait_s(**given), rtol=0.15)
    assert_allclose(found, queueing.klb_wait_s(**given), rtol=0.15)
    assert found < queueing.kingman_bound_s(**given)


# --- waits one by one ------------------------------------------------------------------------


@seeded
@given(st.lists(st.tuples(times, times), min_size=1, max_size=50))
def test_the_running_sum_is_the_recursion(pairs):
    gaps, services = np.array(pairs).T
    found = queueing.lindley_s(gaps_s=gaps, services_s=services)
    assert_allclose(found, plain_waits(gaps, services), atol=1e-9)


def test_queues_side_by_side_do_not_mix():
    draw = np.random.default_rng(3)
    gaps, services = draw.exponential(1, (4, 500)), draw.exponential(0.9, (4, 500))
    found = queueing.lindley_s(gaps_s=gaps, services_s=services)
    assert_allclose(found, [plain_waits(*row) for row in zip(gaps, services, strict=True)])


@pytest.mark.parametrize("name", ["gaps_s", "services_s"])
def test_a_negative_time_is_named(name):
    given = {"gaps_s": [1.0, 2.0], "services_s": [1.0, 1.0]}
    with pytest.raises(ValueError, match=rf"^{name} .*-3.*index 1"):
        queueing.lindley_s(**(given | {name: [1.0, -3.0]}))


@pytest.mark.parametrize("scv", [0, 1])
def test_mean_and_spread_of_the_wait_are_those_of_the_recursion(scv):
    draw = np.random.default_rng(11)
    gaps = draw.exponential(1 / 0.7, N)
    services = draw.exponential(1, N) if scv else np.ones(N)
    waits = queueing.lindley_s(gaps_s=gaps, services_s=services)
    given = {"requests_per_s": 0.7, "service_s": 1, "service_scv": scv}
    assert_allclose(queueing.wait_s(**given), waits.mean(), rtol=0.05)
    spread = queueing.wait_deviation_s(**given, service_third_moment=6 if scv else 1)
    assert_allclose(spread, waits.std(), rtol=0.05)


def test_those_who_leave_are_those_of_a_simulation():
    draw = np.random.default_rng(5)
    gaps, services = draw.exponential(1 / 0.9, N), draw.lognormal(-0.5, 1, N)
    patience, wait, left = 4.0, 0.0, 0
    for gap, service in zip(gaps, services, strict=True):  # who would wait longer does not join
        wait = max(0.0, wait - gap)
        if wait > patience:
            left += 1
        else:
            wait += service
    endless = queueing.lindley_s(gaps_s=gaps, services_s=services)
    found = queueing.lost_fraction(
        late_fraction=(endless > patience).mean(), requests_per_s=0.9, service_s=1
    )
    assert_allclose(found, left / N, rtol=0.03)


# --- relations and limits --------------------------------------------------------------------


@seeded
@given(st.floats(1, 5), times)
def test_an_overloaded_queue_has_no_finite_wait(load, service):
    given = {"requests_per_s": load / service * (1 + 1e-9), "service_s": service}
    both = {"arrival_scv": 2, "service_scv": 1}
    assert np.isinf(queueing.wait_s(**given))
    assert np.isinf(queueing.wait_deviation_s(**given, service_scv=1, service_third_moment=6))
    assert np.isinf(queueing.kingman_wait_s(**given, **both))
    assert np.isinf(queueing.kingman_bound_s(**given, **both))
    assert np.isinf(queueing.klb_wait_s(**given, **both))
    assert np.isinf(queueing.shared_sojourn_s(**given, job_s=1))
    assert queueing.late_fraction(**given, patience_s=np.inf) == 1
    assert_allclose(queueing.lost_fraction(**given, late_fraction=1), 1 - 1 / load, atol=1e-6)


@seeded
@given(loads, times, scvs, scvs)
def test_kingmans_bound_is_never_undercut(load, service, gaps, services):
    given = {
        "requests_per_s": load / service,
        "service_s": service,
        "arrival_scv": gaps,
        "service_scv": services,
    }
    bound = queueing.kingman_bound_s(**given) * (1 + 1e-12)
    assert queueing.kingman_wait_s(**given) <= bound
    assert queueing.klb_wait_s(**given) <= queueing.kingman_wait_s(**given)


def test_equal_gaps_and_equal_services_never_wait():
    given = {"requests_per_s": [0, 0.9], "service_s": 1, "arrival_scv": 0, "service_scv": 0}
    assert (queueing.klb_wait_s(**given) == 0).all()


@seeded
@given(loads, times, scvs)
def test_one_class_has_no_priority(load, service, scv):
    given = {"requests_per_s": load / service, "service_s": service, "service_scv": scv}
    assert_allclose(queueing.priority_wait_s(**given), [queueing.wait_s(**given)], rtol=1e-9)


@seeded
@given(st.lists(st.tuples(st.floats(0.01, 0.3), times, scvs), min_size=2, max_size=3))
def test_priorities_move_the_work_that_waits_and_do_not_change_it(classes):
    load, service, scv = np.array(classes).T
    rate = load / service
    waits = queueing.priority_wait_s(requests_per_s=rate, service_s=service, service_scv=scv)
    residual = (load * service * (1 + scv) / 2).sum()
    assert_allclose((load * waits).sum(), load.sum() * residual / (1 - load.sum()), rtol=1e-9)
    assert (np.diff(waits) >= 0).all()


def test_an_urgent_class_waits_for_no_more_of_the_others_than_is_served():
    def waits(bulk):
        return queueing.priority_wait_s(requests_per_s=[0.3, bulk], service_s=1, service_scv=1)

    nearly, over, far = waits(0.7 - 1e-9), waits(0.7), waits(5.0)
    assert_allclose(nearly[0], over[0], rtol=1e-6)
    assert over[0] == far[0]
    assert np.isinf([over[1], far[1]]).all()


def test_priorities_take_scenarios_in_front_of_the_classes():
    rates = np.array([[0.1, 0.2], [0.3, 0.4]])
    found = queueing.priority_wait_s(requests_per_s=rates, service_s=[1, 0.5], service_scv=[0, 1])
    for row, rate in zip(found, rates, strict=True):
        alone = queueing.priority_wait_s(
            requests_per_s=rate, service_s=[1, 0.5], service_scv=[0, 1]
        )
        assert_allclose(row, alone)


# --- even gaps -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stages", "load", "tolerance"),
    [
        (np.inf, 0.5, 0.01),
        (np.inf, 0.8, 0.002),
        (np.inf, 0.9, 0.002),
        (2, 0.5, 0.09),
        (2, 0.8, 0.03),
    ],
)
def test_even_gaps_wait_as_long_as_the_exact_solution_says(stages, load, tolerance):
    """GI/M/1 with gaps that are equal, or the sum of two exponential stages.

    Exact: s x/(1-x), where x in (0, 1) solves x = A((1-x)/s) for the transform A of the gaps.
    """

    def excess(x):
        rate = (1 - x) / load  # in mean gaps
        return (np.exp(-rate) if np.isinf(stages) else (1 + rate / stages) ** -stages) - x

    root = brentq(excess, 0, 1 - 1e-6)
    found = queueing.klb_wait_s(
        requests_per_s=load / 3, service_s=3, arrival_scv=1 / stages, service_scv=1
    )
    assert_allclose(found, 3 * root / (1 - root), rtol=tolerance)


def test_at_light_load_bursts_keep_a_share_of_kingmans_wait_and_even_gaps_nothing():
    given = {"requests_per_s": 1e-9, "service_s": 1, "service_scv": 0}
    gaps = np.array([0.5, 1, 1.5, 4])
    kept = queueing.klb_wait_s(**given, arrival_scv=gaps) / queueing.kingman_wait_s(
        **given, arrival_scv=gaps
    )
    assert_allclose(kept, [0, 1, np.exp(-1 / 3), np.exp(-3 / 4)], rtol=1e-6)


# --- units, nothing, and the edge ------------------------------------------------------------

SPREAD = {"arrival_scv": 0.6, "service_scv": 2}
WAITS = {
    "wait_s": {"service_scv": 2},
    "wait_deviation_s": {"service_scv": 2, "service_third_moment": 20},
    "kingman_wait_s": SPREAD,
    "kingman_bound_s": SPREAD,
    "klb_wait_s": SPREAD,
    "priority_wait_s": {"service_scv": 2},
    "shared_sojourn_s": {"job_s": 3},
    "late_fraction": {"patience_s": 4},
    "lost_fraction": {"late_fraction": 0.3},
}


@pytest.mark.parametrize("name", WAITS)
def test_a_clock_in_minutes_tells_the_same_time(name):
    def formula(second):
        own = {k: v * second if k.endswith("_s") else v for k, v in WAITS[name].items()}
        return getattr(queueing, name)(requests_per_s=0.3 / second, service_s=2 * second, **own) / (
            second if name.endswith("_s") else 1
        )

    assert_allclose(formula(1 / 60), formula(1), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "nobody", "no_work"),
    [
        ("wait_s", 0, 0),
        ("wait_deviation_s", 0, 0),
        ("kingman_wait_s", 0, 0),
        ("klb_wait_s", 0, 0),
        ("priority_wait_s", [0], [0]),
        ("shared_sojourn_s", 3, 3),
        ("lost_fraction", 0.3, 0.3),  # whoever would not wait leaves
    ],
)
def test_where_nobody_comes_or_nothing_is_to_do_nobody_waits(name, nobody, no_work):
    formula = getattr(queueing, name)
    assert_allclose(formula(requests_per_s=0, service_s=2, **WAITS[name]), nobody)
    assert_allclose(formula(requests_per_s=2, service_s=0, **WAITS[name]), no_work)


def test_limits_that_are_nothing():
    assert queueing.wait_s(requests_per_s=0.5, service_s=1) == 0.5  # services that are all alike
    alone = {"requests_per_s": 0.5, "service_s": 1}
    wait = queueing.wait_s(**alone, service_scv=1)
    assert queueing.wait_deviation_s(**alone, service_scv=1, service_third_moment=0) == wait
    assert queueing.shared_sojourn_s(**alone, job_s=0) == 0
    assert queueing.late_fraction(**alone, patience_s=0) == 0.5
    assert queueing.late_fraction(requests_per_s=0, service_s=1, patience_s=3) == 0
    assert queueing.lindley_s(gaps_s=[0, 0, 1], services_s=[2, 0, 0]).tolist() == [0, 2, 1]
    bound = queueing.kingman_bound_s(requests_per_s=0.5, service_s=0, arrival_scv=1, service_scv=1)
    assert bound == 1  # half of the variance of a gap over its mean


@pytest.mark.parametrize("name", sorted(set(WAITS) - {"late_fraction", "lost_fraction"}))
def test_a_load_of_exactly_one_is_too_much(name):
    found = getattr(queueing, name)(requests_per_s=0.5, service_s=2, **WAITS[name])
    assert np.isinf(found).all()


def test_at_a_load_of_exactly_one_none_need_be_lost_and_all_are_late():
    full = {"requests_per_s": 0.5, "service_s": 2}
    assert queueing.lost_fraction(late_fraction=1, **full) == 0
    assert queueing.late_fraction(patience_s=4, **full) == 1


@pytest.mark.parametrize(
    ("name", "parameter", "told"),
    [
        ("kingman_bound_s", "requests_per_s", "must be positive, got 0.0"),
        ("late_fraction", "service_s", "must be positive, got 0.0"),
    ],
)
def test_what_divides_must_not_be_nothing(name, parameter, told):
    given = {"requests_per_s": 0.5, "service_s": 1, parameter: 0}
    with pytest.raises(ValueError, match=f"^{parameter} {told}"):
        getattr(queueing, name)(**(given | WAITS[name]))


@pytest.mark.parametrize("parameter", ["requests_per_s", "service_s", "service_scv"])
def test_a_class_below_nothing_is_refused_by_name_and_place(parameter):
    given = {"requests_per_s": [0.1, 0.2], "service_s": [1, 2], "service_scv": [1, 1]}
    with pytest.raises(ValueError, match=rf"^{parameter} must not be negative.*-1\.0 at index 1"):
        queueing.priority_wait_s(**(given | {parameter: [1, -1]}))


def test_a_correction_has_no_limit_in_the_spread_of_the_gaps():
    load = {"requests_per_s": 0.5, "service_s": 1, "service_scv": 1}
    assert queueing.kingman_wait_s(**load, arrival_scv=np.inf) == np.inf
    with pytest.raises(ValueError, match=r"^arrival_scv must be finite, got inf"):
        queueing.klb_wait_s(**load, arrival_scv=np.inf)
