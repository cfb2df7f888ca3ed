"""Quantiles of waits and services against simulations and exact laws."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from costlib import queueing, sojourn

N = 400_000


@pytest.mark.parametrize("load", [0.2, 0.5, 0.8])
@pytest.mark.parametrize(
    ("scv", "services"),
    [
        (0, lambda _: np.ones(N)),
        (0.5, lambda draw: draw.gamma(2, 0.5, N)),
        (1, lambda draw: draw.exponential(1, N)),
        (3, lambda draw: draw.gamma(1 / 3, 3, N)),
    ],
)
def test_95_of_100_are_done_when_a_simulation_says_so(load, scv, services):
    draw = np.random.default_rng(8)
    gaps, held = draw.exponential(1 / load, N), services(draw)
    done = queueing.lindley_s(gaps_s=gaps, services_s=held) + held
    found = sojourn.sojourn_quantile_s(requests_per_s=load, service_s=1, service_scv=scv)
    assert_allclose(found, np.quantile(done, 0.95), rtol=0.12)


def test_exponential_service_is_exact():
    shares = np.array([0.1, 0.5, 0.99])
    found = sojourn.sojourn_quantile_s(requests_per_s=0.7, service_s=2 / 3, within_fraction=shares)
    assert_allclose(found, stats.expon(scale=(2 / 3) / (1 - 0.7 * 2 / 3)).ppf(shares))


def test_limits():
    given = {"requests_per_s": 0.7, "service_s": 1}
    ends = sojourn.sojourn_quantile_s(**given, within_fraction=[0, 1])
    assert ends.tolist() == [0, np.inf]
    for scv in (0, 1, 4):
        full = sojourn.sojourn_quantile_s(requests_per_s=[1, 2], service_s=1, service_scv=scv)
        assert np.isinf(full).all()
    still = sojourn.varied_s(
        within_fraction=[0.01, 0.99], service_s=2, service_scv=0, wait_s=3, deviation_s=0
    )
    assert still.tolist() == [5, 5]
