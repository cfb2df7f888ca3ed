"""Every row of the vectors at its own tolerance, against the formula that should give it."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import clipping, queueing, staffing

PATH = Path(__file__).parent / "vectors" / "queueing.csv"
with PATH.open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))


def numbers(text):
    """Parameters of a row that are one number."""
    return {
        name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)(?=;|$|/|min|s)", text)
    }


def single(rho, service=1.0):
    return {"requests_per_s": rho / service, "service_s": service}


def pk(row):
    return queueing.wait_s(**single(row["rho"]), service_scv=row["cs2"])


def spread(row):
    cubed = (1 + row["cs2"]) ** 3  # lognormal
    found = queueing.wait_deviation_s(
        **single(row["rho"]), service_scv=row["cs2"], service_third_moment=cubed
    )
    return found**2


def priority(row):
    if "exp" in row["params"]:
        given = {"requests_per_s": [0.3, 0.5], "service_s": 1, "service_scv": 1}
    else:  # ES = .5, 5; ES2 = .5, 125
        given = {"requests_per_s": [0.4, 0.1], "service_s": [0.5, 5], "service_scv": [1, 4]}
    return queueing.priority_wait_s(**given)[int(row["quantity"][-1]) - 1]


def general(formula):
    return lambda row: formula(**single(row["rho"]), arrival_scv=row["ca2"], service_scv=row["cs2"])


def pool(row):
    service = row.get("ES", 1.0)
    rate = row["a"] if "a" in row else row["lam"]
    given = {"requests_per_s": rate, "service_s": service}
    formula = staffing.pool_wait_s if row["quantity"] == "Wq" else staffing.waiting_fraction
    return formula(row["c"], **given)


def impatient(row):
    formula = {
        "Pab": staffing.abandoned_fraction,
        "Lq": staffing.n_impatient,
        "Pwait": staffing.impatient_waiting_fraction,
    }[row["quantity"]]
    given = {"service_s": 1 / row["mu"], "patience_s": 1 / row["theta"]}
    return formula(row["c"], requests_per_s=row["lam"], **given)


def constant_wait(n_servers, load):
    """Exact M/D/c: the embedded chain of the number in the system, one service apart."""
    size = 60 + int(12 * n_servers + 24 / (1 - load))  # what lies beyond is below 1e-9
    counts = np.arange(2 * size)
    mean = n_servers * load
    log = counts * np.log(mean) - mean - np.cumsum(np.log(np.maximum(counts, 1)))
    coming = np.exp(log)
    chain = np.zeros((size, size))
    for state in range(size):
        left = max(state - n_servers, 0)
        chain[state, left:] = coming[: size - left]
        chain[state, -1] += max(1 - chain[state].sum(), 0)
    balance = chain.T - np.eye(size)
    balance[-1] = 1.0
    share = np.linalg.solve(balance, np.eye(size)[-1])
    states = np.arange(size)
    return (np.maximum(states - n_servers, 0) * share).sum() / mean


def equal_services(row):
    return constant_wait(int(row["c"]), row["rho"])


def approximate(row):
    cosmetatos = row["quantity"].startswith("Cosmetatos")
    formula = staffing.cosmetatos_wait_s if cosmetatos else staffing.pool_wait_s
    found = formula(row["c"], requests_per_s=row["c"] * row["rho"], service_s=1, service_scv=0)
    return found / constant_wait(int(row["c"]), row["rho"])


def staffed(row):
    load = {"requests_per_s": row["R"], "service_s": 1}
    if row["quantity"] == "c min exact":
        return staffing.n_servers(waiting_fraction=0.2, **load)
    return staffing.n_square_root(safety=staffing.safety(waiting_fraction=0.2), **load)


def patience(row):
    given = single(row["rho"])
    late = queueing.late_fraction(**given, patience_s=row["tau"])
    return queueing.lost_fraction(late_fraction=late, **given)


def clipped(row):
    law = {"mean_tokens": np.exp(7 + 0.7**2 / 2), "sigma": 0.7}
    limit = clipping.share_limit_tokens(clipped_fraction=row["clip_share"], **law)
    assert_allclose(limit, row["L"], rtol=2e-6)  # printed with two decimals
    return clipping.wait_ratio(
        busy_fraction=row["rho0"],
        mean_tokens=law["mean_tokens"],
        length_scv=clipping.clipped_scv(limit_tokens=np.inf, **law),
        clipped_mean_tokens=clipping.clipped_mean_tokens(limit_tokens=limit, **law),
        clipped_scv=clipping.clipped_scv(limit_tokens=limit, **law),
    )


MODELS = {
    "M/M/c": pool,
    "M/M/c published": pool,
    "M/M/c/c": lambda row: staffing.blocked_fraction(
        row["c"], requests_per_s=row["a"], service_s=1
    ),
    "M/G/1 FIFO": pk,
    "M/G/1 FIFO lognormal service": spread,
    "M/D/1": lambda _: queueing.wait_s(requests_per_s=10 / 3600, service_s=120),
    "M/M/1": lambda _: queueing.wait_s(requests_per_s=1, service_s=0.75, service_scv=1),
    "M/G/1-PS": lambda row: queueing.shared_sojourn_s(job_s=1, **single(row["rho"])),
    "M/G/1 nonpreemptive priority": priority,
    "M/M/c+M (Erlang-A)": impatient,
    "M/D/c": equal_services,
    "M/D/c approx": approximate,
    "Halfin-Whitt": lambda row: staffing.halfin_whitt_fraction(safety=row["beta"]),
    "staffing P(wait)<=0.2": staffed,
    "GI/G/1 Kingman approx": general(queueing.kingman_wait_s),
    "GI/G/1 Kingman upper bound": general(queueing.kingman_bound_s),
    "GI/G/1 KLB": general(queueing.klb_wait_s),
    "M/M/1+D (patience tau)": patience,
    "M/G/1 clipped lognormal(7,0.7), S=n": clipped,
}
LEFT_OUT = {"M/M/1-SRPT"}  # shortest job first: no formula of costlib


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: f"{row['model']}, {row['params']}, {row['quantity']}"
)
def test_a_vector_is_met_at_its_tolerance(row):
    if row["model"] in LEFT_OUT:
        pytest.skip("costlib has no shortest-job-first queue")
    found = MODELS[row["model"]](row | numbers(row["params"]))
    assert_allclose(found, float(row["value"]), rtol=float(row["rel_tol"]), atol=0)


def test_all_rows_are_there_and_every_model_has_rows():
    assert len(ROWS) == 220
    assert {row["model"] for row in ROWS} == set(MODELS) | LEFT_OUT
