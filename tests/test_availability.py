"""Availability: every state counted, chance and time simulated, and what never happens."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import availability

seeded = settings(derandomize=True, deadline=None)
shares = st.floats(0, 1)


def counted(up, n, need, common):
    """Availability of a pool as an exact fraction: every state of every replica, added up."""
    down = 1 - up
    shared = common * down
    alone = (1 - common) * down / (1 - shared)
    total = Fraction(0)
    for state in itertools.product((True, False), repeat=n):
        chance = Fraction(1)
        for works in state:
            chance *= 1 - alone if works else alone
        total += chance if sum(state) >= need else 0
    return (1 - shared) * total


# --- pools ---------------------------------------------------------------------------------


@pytest.mark.parametrize("common", [Fraction(0), Fraction(1, 50), Fraction(1, 3), Fraction(1)])
@pytest.mark.parametrize("up", [Fraction(99, 100), Fraction(7, 10), Fraction(1, 4)])
def test_a_pool_is_the_sum_over_all_states(up, common):
    for n, need in itertools.product(range(1, 8), range(9)):
        found = availability.pool_fraction(
            float(up), n_replicas=n, n_needed=need, common_fraction=float(common)
        )
        exact = counted(up, n, need, common) if need else 1
        assert_allclose(found, float(exact), rtol=0, atol=1e-15)


@given(up=shares, common=shares)
@seeded
def test_a_pool_of_one_is_its_replica(up, common):
    found = availability.pool_fraction(up, n_replicas=1, common_fraction=common)
    assert_allclose(found, up, rtol=0, atol=1e-15)


def test_small_times_down_keep_their_digits():
    down = 1 - availability.pool_fraction(0.999, n_replicas=4)
    assert_allclose(down, 1e-12, rtol=1e-3)
    # through a pool of ten, of which eight are needed
    exact = counted(Fraction(999, 1000), 10, 8, Fraction(0))
    found = availability.pool_fraction(0.999, n_replicas=10, n_needed=8)
    assert_allclose(1 - found, float(1 - exact), rtol=1e-8)


def test_chance_agrees():
    rng = np.random.default_rng(7)
    size, up, common = 400_000, 0.9, 0.2
    shared = rng.random(size) < common * (1 - up)
    alone = (1 - common) * (1 - up) / (1 - common * (1 - up))
    works = (rng.random((size, 6)) >= alone).sum(axis=1)
    seen = (~shared & (works >= 4)).mean()
    found = availability.pool_fraction(up, n_replicas=6, n_needed=4, common_fraction=common)
    assert abs(seen - found) < 4 * np.sqrt(found * (1 - found) / size)


def test_replicas_that_fail_and_are_repaired_in_time_agree():
    """A clock instead of chances: failures of each replica and of all, and their repairs."""
    rng = np.random.default_rng(11)
    n, need, end = 5, 3, 400_000.0
    sources = n + 1  # each replica, and what takes all of them
    between, repair = np.array([*[90.0] * n, 900.0]), np.array([*[10.0] * n, 20.0])
    works = np.ones(sources, dtype=bool)
    turns = rng.exponential(between)
    now = good = 0.0
    while now < end:
        place = int(turns.argmin())
        then = min(float(turns[place]), end)
        good += (then - now) * (works[-1] and works[:-1].sum() >= need)
        now = then
        works[place] = not works[place]
        turns[place] = now + rng.exponential((between if works[place] else repair)[place])
    one = availability.up_fraction(90, repair_h=10) * availability.up_fraction(900, repair_h=20)
    shared = 1 - availability.up_fraction(900, repair_h=20)
    found = availability.pool_fraction(
        one, n_replicas=n, n_needed=need, common_fraction=shared / (1 - one)
    )
    assert_allclose(good / end, found, atol=0.002)


def test_a_part_of_a_replica_does_not_count_and_a_part_of_the_load_needs_a_whole_one():
    found = availability.pool_fraction(0.9, n_replicas=[2, 2.9, 3], n_needed=[2, 1.1, 1.1])
    assert_allclose(found, [0.81, 0.81, 0.972])


def test_regions_are_the_sum_over_the_states_of_all_their_replicas():
    """Two regions of three replicas, two needed: nothing shared between regions, then all."""
    given = {"n_replicas": 3, "n_needed": 2, "common_fraction": 0.1}
    region = float(counted(Fraction(9, 10), 3, 2, Fraction(1, 10)))
    apart, together = (
        availability.regions_fraction(0.9, region_common_fraction=share, **given)
        for share in (0, 1)
    )
    assert_allclose(apart, 1 - (1 - region) ** 2, rtol=1e-12)
    assert_allclose(together, region, rtol=1e-12)
    one = availability.regions_fraction(0.9, region_common_fraction=0.3, n_regions=1, **given)
    assert_allclose(one, region, rtol=1e-12)


# --- how many ------------------------------------------------------------------------------


@pytest.mark.parametrize("common", [0, 0.004, 0.05, 0.5])
@pytest.mark.parametrize("need", [1, 2, 10])
def test_the_fewest_replicas_are_found_by_trying_all(need, common):
    for up in (0.8, 0.95, 0.99, 0.999):
        for target in (0.91, 0.97, 0.9985, 0.99985, 0.999985):
            tried = availability.pool_fraction(
                up, n_replicas=np.arange(200), n_needed=need, common_fraction=common
            )
            reached = np.flatnonzero(tried >= target)
            found = availability.n_replicas(
                target, availability_fraction=up, n_needed=need, common_fraction=common
            )
            assert found == (reached[0] if reached.size else np.inf), (up, target)


@pytest.mark.parametrize(
    ("target", "common"), [(0.999, 0.1), (0.9999, 0.01), (0.99999, 0.001), (0.999999, 1e-4)]
)
def test_what_only_the_ceiling_would_meet_is_never_met(target, common):
    """Shared time down of exactly what may be lost, just above it, and just below."""
    given = {"availability_fraction": 0.99}
    assert availability.n_replicas(target, common_fraction=common, **given) == np.inf
    assert availability.n_replicas(target, common_fraction=1.001 * common, **given) == np.inf
    below = availability.n_replicas(target, common_fraction=0.999 * common, **given)
    assert np.isfinite(below)
    assert availability.break_even_common_fraction(target, **given) == pytest.approx(common)
    ceiling = availability.ceiling_fraction(0.99, common_fraction=common)
    assert ceiling == pytest.approx(target, abs=1e-15)


@pytest.mark.parametrize("n", range(1, 10))
def test_a_target_that_is_met_but_for_rounding_is_met(n):
    """Replicas of one nine reach n nines exactly with n of them."""
    assert availability.n_replicas(1 - 10.0**-n, availability_fraction=0.9) == n


@pytest.mark.parametrize(
    ("given", "n"),
    [
        ({"target_fraction": 0, "availability_fraction": 0.5}, 0),
        ({"target_fraction": 1, "availability_fraction": 0.99}, np.inf),
        ({"target_fraction": 1, "availability_fraction": 1, "n_needed": 3}, 3),
        ({"target_fraction": 0.9, "availability_fraction": 0}, np.inf),
        ({"target_fraction": 0.9, "availability_fraction": 0.95, "common_fraction": 1}, 1),
        ({"target_fraction": 0.96, "availability_fraction": 0.95, "common_fraction": 1}, np.inf),
        ({"target_fraction": 0.9, "availability_fraction": 0.5, "n_needed": 0}, 0),
    ],
)
def test_ends_of_the_range(given, n):
    assert availability.n_replicas(**given) == n


# --- the rest ------------------------------------------------------------------------------


@given(up=st.floats(0, 0.999), common=shares, load=shares, n=st.integers(2, 40))
@seeded
def test_inverses(up, common, load, n):
    ceiling = availability.ceiling_fraction(up, common_fraction=common)
    back = availability.break_even_common_fraction(ceiling, availability_fraction=up)
    assert_allclose(back, common, atol=1e-12)
    safe = availability.safe_load_fraction(load, n_replicas=n)
    assert_allclose(availability.survivor_load(safe, n_replicas=n), load, atol=1e-12)


def test_a_year_of_nines():
    found = availability.down_h([0.99, 0.999, 0.9999, 0.99999], period_h=8760)
    assert_allclose(found, [87.6, 8.76, 0.876, 0.0876])
    assert_allclose(availability.nines([0, 0.9, 0.99999]), [0, 1, 5])
    assert np.isinf(availability.nines(1))
    assert str(availability.nines(0)) == "0.0"


def test_what_never_fails_or_is_mended_at_once_is_always_up():
    found = availability.up_fraction([np.inf, 5, 0, 0], repair_h=[7, 0, 0, 3])
    assert found.tolist() == [1, 1, 1, 0]
    assert availability.up_fraction(np.inf, repair_h=np.inf) == 1


def test_what_is_needed_in_a_row_multiplies():
    found = availability.chain_fraction(0.999, n_parts=[0, 1, 3])
    assert_allclose(found, [1, 0.999, 0.999**3])


def test_where_no_replica_is_left_no_load_is_safe():
    assert np.isinf(availability.survivor_load(0.5, n_replicas=2, n_lost=2))
    assert availability.safe_load_fraction(0.5, n_replicas=2, n_lost=2) == 0
