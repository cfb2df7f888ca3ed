"""A router whose cheap model queues: two lines in closed form, and nobody who would change."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize

from costlib import coupling

ONE_EACH = {"n_strong_servers": 1, "n_weak_servers": 1}


def line(rate, service):
    """Time in a line of one server, exponential."""
    return 1 / (1 / service - rate) if rate * service < 1 else np.inf


@pytest.mark.parametrize("share", [0.1, 0.4, 0.75, 0.9])
def test_time_behind_a_router_is_that_of_two_lines(share):
    found = coupling.routed_sojourn_s(
        share, requests_per_s=1.1, strong_service_s=0.9, weak_service_s=0.7, **ONE_EACH
    )
    parts = share * line(1.1 * share, 0.9), (1 - share) * line(1.1 * (1 - share), 0.7)
    assert_allclose(found, sum(parts), rtol=1e-12)


def test_a_model_that_nobody_asks_does_not_count_and_a_full_one_has_no_end():
    load = {"requests_per_s": 5, "strong_service_s": 1, "weak_service_s": 0.1, **ONE_EACH}
    assert_allclose(coupling.routed_sojourn_s(0, **load), line(5, 0.1))
    assert coupling.routed_sojourn_s(0.5, **load) == np.inf
    none = coupling.routed_sojourn_s(
        0,
        requests_per_s=1,
        strong_service_s=1,
        weak_service_s=0.5,
        n_strong_servers=0,
        n_weak_servers=1,
    )
    assert_allclose(none, line(1, 0.5))


MONEY = {"strong_usd": 0.012, "weak_usd": 0.002}


def test_at_the_price_of_backfiring_router_and_strong_model_cost_the_same():
    load = {"requests_per_s": 1.3, "strong_service_s": 0.4, "weak_service_s": 0.7, **ONE_EACH}
    price = coupling.backfire_usd_per_h(0.1, **MONEY, **load)
    routed_s, alone_s = coupling.routed_sojourn_s([0.1, 1], **load)
    routed = 0.1 * 0.012 + 0.9 * 0.002 + price / 3600 * routed_s
    assert_allclose(routed, 0.012 + price / 3600 * alone_s, rtol=1e-12)


@pytest.mark.parametrize(
    ("share", "rate", "found"),
    [
        (0.5, 0.2, np.inf),  # the cheap model is faster: nothing is lost
        (0.0, 3.0, 0.0),  # its line has no end
        (1.0, 0.5, np.inf),  # nobody is sent there
    ],
)
def test_the_ends_of_the_price(share, rate, found):
    price = coupling.backfire_usd_per_h(
        share,
        **MONEY,
        requests_per_s=rate,
        strong_service_s=0.5,
        weak_service_s=0.4,
        n_strong_servers=4,
        n_weak_servers=1,
    )
    assert price == found


@pytest.mark.parametrize("price", [1.0, 10.0, 100.0, 1000.0])
def test_nobody_gains_by_changing(price):
    def dearer(share):
        strong, weak = line(1.2 * share, 1.1), line(1.2 * (1 - share), 0.9)
        return 0.01 + price / 3600 * (strong - weak)

    low = 1 - 0.999999 / (1.2 * 0.9)  # above it the cheap line has an end
    wanted = optimize.brentq(dearer, low, 0.75)
    found = coupling.settled_fraction(
        **MONEY,
        waiting_usd_per_h=price,
        requests_per_s=1.2,
        strong_service_s=1.1,
        weak_service_s=0.9,
        **ONE_EACH,
    )
    assert_allclose(found, wanted, atol=1e-5)


def test_where_one_model_is_best_for_all_all_are_there():
    quiet = {"requests_per_s": 0.01, "strong_service_s": 1, "weak_service_s": 1, **ONE_EACH}
    assert coupling.settled_fraction(**MONEY, waiting_usd_per_h=1, **quiet) == 0
    slow = quiet | {"weak_service_s": 90}
    assert coupling.settled_fraction(**MONEY, waiting_usd_per_h=100, **slow) == 1
    free = quiet | {"requests_per_s": 0.9}
    assert coupling.settled_fraction(**MONEY, waiting_usd_per_h=0, **free) == 0


def test_two_models_that_cannot_keep_up_share_the_load():
    found = coupling.settled_fraction(
        **MONEY,
        waiting_usd_per_h=10,
        requests_per_s=10,
        strong_service_s=1,
        weak_service_s=1,
        n_strong_servers=3,
        n_weak_servers=1,
    )
    assert_allclose(found, 0.75, atol=1e-9)
