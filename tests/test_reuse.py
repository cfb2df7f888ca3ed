"""Prompt caches: published prices, limits, and a bill replayed use by use."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import catalog, pricebook, reuse

SONNET = pricebook.price("claude-sonnet-4-6")
PRICES = {
    "input_usd_per_mtok": SONNET.input_usd_per_mtok,
    "cached_input_usd_per_mtok": SONNET.cached_input_usd_per_mtok,
    "cache_write_usd_per_mtok": SONNET.cache_write_usd_per_mtok,
}
READ_WRITE = {name: value for name, value in PRICES.items() if name != "input_usd_per_mtok"}

prices = st.floats(min_value=0.01, max_value=100)
shares = st.floats(min_value=0, max_value=1)


# --- price of input --------------------------------------------------------------------------


@pytest.mark.parametrize(("hit", "usd"), [(0, 3.75), (1, 0.30), (0.5, 2.025)])
def test_a_mean_price_lies_between_a_write_and_a_read(hit, usd):
    assert reuse.effective_usd_per_mtok(hit_fraction=hit, **READ_WRITE) == pytest.approx(usd)


@settings(derandomize=True, deadline=None)
@given(fresh=prices, read=prices, write=prices, n=st.integers(0, 60))
def test_writing_pays_from_the_break_even_on(fresh, read, write, n):
    """The bill of n + 1 uses, added up one by one, against the same without a cache."""
    listed = {
        "input_usd_per_mtok": fresh,
        "cached_input_usd_per_mtok": read,
        "cache_write_usd_per_mtok": write,
    }
    needed = reuse.break_even_reuses(**listed)
    assume(abs(n - needed) > 1e-6)
    assume(read < 0.999 * fresh or write > fresh)
    assume(abs(write - fresh) > 1e-3)
    with_cache = write + sum(read for _ in range(n))
    without = sum(fresh for _ in range(n + 1))
    assert (with_cache < without) == (n > needed)
    rate = reuse.break_even_hit_fraction(**listed)
    mean = reuse.effective_usd_per_mtok(
        hit_fraction=n / (n + 1), cached_input_usd_per_mtok=read, cache_write_usd_per_mtok=write
    )
    assert (mean < fresh) == (n / (n + 1) > rate)


def test_the_surcharge_of_a_quarter_is_back_with_the_first_reuse_and_twice_with_the_second():
    long = PRICES | {"cache_write_usd_per_mtok": SONNET.cache_write_1h_usd_per_mtok}
    assert reuse.break_even_reuses(**PRICES) == pytest.approx(0.25 / 0.9)
    assert math.ceil(reuse.break_even_reuses(**long)) == 2
    assert reuse.break_even_hit_fraction(**PRICES) == pytest.approx(0.217, abs=5e-4)


@pytest.mark.parametrize(
    ("read", "write", "reuses", "rate"),
    [
        (0.3, 3, 0, 0),  # no surcharge: nothing to earn back
        (3, 3, 0, 0),
        (3, 3.75, math.inf, math.inf),  # a read is no cheaper: never
        (4, 3.75, math.inf, math.inf),
        (0, 6, 1, 0.5),
    ],
)
def test_break_even_at_its_limits(read, write, reuses, rate):
    given_prices = {
        "input_usd_per_mtok": 3,
        "cached_input_usd_per_mtok": read,
        "cache_write_usd_per_mtok": write,
    }
    assert reuse.break_even_reuses(**given_prices) == reuses
    assert reuse.break_even_hit_fraction(**given_prices) == rate


# --- waiting ---------------------------------------------------------------------------------


def replayed(gap, life):
    """Reads that keep a cache alive over a gap and use it at its end, one after the other."""
    times, clock = [0.0], 0.0
    while clock < gap:
        clock = min(clock + life, gap)
        times.append(clock)
    assert all(later - earlier <= life + 1e-9 for earlier, later in pairwise(times))
    return max(len(times) - 1, 1)


@settings(derandomize=True, deadline=None)
@given(gap=st.integers(0, 20_000), life=st.integers(1, 4_000))
def test_a_gap_takes_as_many_reads_as_a_replay_of_it(gap, life):
    found = reuse.kept_usd_per_mtok(gap, cached_input_usd_per_mtok=0.3, cache_life_s=life)
    assert found == pytest.approx(0.3 * replayed(gap, life))


def test_a_cache_that_lives_for_ever_takes_one_read():
    for gap in (0, 1e9):
        found = reuse.kept_usd_per_mtok(gap, cached_input_usd_per_mtok=0.3, cache_life_s=np.inf)
        assert found == 0.3


@settings(derandomize=True, deadline=None)
@given(read=prices, write=prices, life=st.integers(60, 3600))
def test_up_to_the_longest_gap_keeping_is_no_dearer_than_writing(read, write, life):
    assume(abs(write / read - round(write / read)) > 1e-6)
    longest = reuse.longest_warm_s(
        cached_input_usd_per_mtok=read, cache_write_usd_per_mtok=write, cache_life_s=life
    )
    at, after = reuse.kept_usd_per_mtok(
        [longest, longest + 1], cached_input_usd_per_mtok=read, cache_life_s=life
    )
    assert at <= write or longest == 0
    assert after > write


def test_free_reads_keep_a_cache_for_ever():
    assert (
        reuse.longest_warm_s(
            cached_input_usd_per_mtok=0, cache_write_usd_per_mtok=3.75, cache_life_s=300
        )
        == np.inf
    )


def test_a_prompt_waits_for_what_comes_back_and_for_what_is_computed():
    ready = {"bytes_per_s": 7e9, "prefill_flop": 989e12, "peak_flop_per_s": 989e12}
    found = reuse.prompt_ready_s(moved_bytes=[0, 7e9], compute_fraction=[1, 0.5], **ready)
    assert_allclose(found, [1, 3])
    at_hand = reuse.prompt_ready_s(moved_bytes=7e9, **(ready | {"bytes_per_s": np.inf}))
    assert at_hand == 1


# --- a bill ----------------------------------------------------------------------------------

BILL = PRICES | {
    "input_tokens": 96,
    "output_tokens": 1,
    "output_usd_per_mtok": SONNET.output_usd_per_mtok,
}


def test_the_ceiling_of_a_bill_and_the_case_that_practitioners_report():
    free = BILL | {"cache_write_usd_per_mtok": SONNET.input_usd_per_mtok}
    found = reuse.saved_fraction(hit_fraction=[1, 0.69], **free)
    assert_allclose(found, [0.86, 0.59], atol=0.005)


def test_hits_below_the_break_even_cost_more_than_no_cache():
    rate = reuse.break_even_hit_fraction(**PRICES)
    below, at, above = reuse.saved_fraction(hit_fraction=[rate - 0.01, rate, rate + 0.01], **BILL)
    assert below < 0 < above
    assert at == pytest.approx(0, abs=1e-12)


@settings(derandomize=True, deadline=None)
@given(hit=shares, answer=st.floats(0.01, 1e3))
def test_a_saving_never_reaches_the_discount_of_a_read(hit, answer):
    found = reuse.saved_fraction(hit_fraction=hit, **(BILL | {"output_tokens": answer}))
    assert found < 1 - SONNET.cached_input_usd_per_mtok / SONNET.input_usd_per_mtok


def test_a_bill_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"^input_tokens, output_tokens by price must be"):
        reuse.saved_fraction(hit_fraction=0.5, **(BILL | {"input_tokens": 0, "output_tokens": 0}))


# --- the tables ------------------------------------------------------------------------------


def by_trace(hits):
    found = {}
    for hit in hits:
        found.setdefault((hit.trace, str(getattr(hit, "sessions_per_day", ""))), []).append(hit)
    return found.values()


@pytest.mark.parametrize(
    ("hits", "size"),
    [(catalog.prefix_hits(), "capacity_tokens"), (catalog.ttl_hits(), "ttl_s")],
    ids=["prefix_hits", "ttl_hits"],
)
def test_a_larger_or_longer_cache_never_hits_less(hits, size):
    for curve in by_trace(hits):
        by_size = sorted(curve, key=lambda hit: getattr(hit, size))
        shares = [hit.token_hit_fraction for hit in by_size]
        assert shares == sorted(shares)
        assert len(curve) >= 10
        assert math.isinf(getattr(by_size[-1], size))


def test_both_tables_agree_on_agents_with_an_unlimited_cache():
    (by_life,) = (hit for hit in catalog.ttl_hits() if math.isinf(hit.ttl_s))
    assert by_life.token_hit_fraction == pytest.approx(0.963, abs=5e-4)
    sizes = [
        hit.token_hit_fraction
        for hit in catalog.prefix_hits()
        if hit.trace == "Claude Code" and math.isinf(hit.capacity_tokens)
    ]
    assert_allclose(sizes, by_life.token_hit_fraction, atol=0.002)


def test_the_chat_trace_is_what_its_authors_drew():
    """Published cache ratio of 40 % for conversation and 66 % for the mix, to a few points."""
    most = {
        hit.trace: hit.token_hit_fraction
        for hit in catalog.prefix_hits()
        if math.isinf(hit.capacity_tokens)
    }
    assert most["Mooncake conversation"] == pytest.approx(0.40, abs=0.03)
    assert most["Mooncake synthetic"] == pytest.approx(0.66, abs=0.03)


def test_the_tables_are_attributed():
    assert {hit.source for hit in catalog.prefix_hits()} == {
        "mooncake2025traces",
        "kvcachetester2026",
    }
    assert {hit.source for hit in catalog.ttl_hits()} == {"kvcachetester2026"}


# --- free prices, and lives that are none ------------------------------------------------------


def test_what_is_free_has_its_price():
    free = {"cached_input_usd_per_mtok": 0, "cache_write_usd_per_mtok": 0}
    assert reuse.effective_usd_per_mtok(hit_fraction=0.5, **free) == 0
    assert reuse.break_even_reuses(input_usd_per_mtok=0, **free) == 0
    assert np.isinf(reuse.break_even_reuses(input_usd_per_mtok=0, **READ_WRITE))
    assert reuse.kept_usd_per_mtok(900, cached_input_usd_per_mtok=0, cache_life_s=300) == 0
    assert (
        reuse.longest_warm_s(**(READ_WRITE | {"cache_write_usd_per_mtok": 0}), cache_life_s=9) == 0
    )


def test_a_cache_that_lives_no_time_is_refused():
    with pytest.raises(ValueError, match=r"^cache_life_s must be positive, got 0\.0"):
        reuse.kept_usd_per_mtok(900, cached_input_usd_per_mtok=1, cache_life_s=0)
    with pytest.raises(ValueError, match=r"^cache_life_s must be positive, got 0\.0"):
        reuse.longest_warm_s(**READ_WRITE, cache_life_s=0)
