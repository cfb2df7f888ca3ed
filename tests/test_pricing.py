"""Bills at list prices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import pricing

SONNET = {"input_usd_per_mtok": 3, "cached_input_usd_per_mtok": 0.30, "output_usd_per_mtok": 15}

tokens = st.integers(min_value=0, max_value=10**7)
shares = st.floats(min_value=0, max_value=1)


@pytest.mark.parametrize(
    ("input_tokens", "output_tokens", "hit", "usd"),
    [
        (128_000, 1_000, 0, 0.399),  # 128 x $0.003 + $0.015
        (128_000, 1_000, 1, 0.0534),  # 128 x $0.0003 + $0.015
        (128_000, 1_000, 0.5, 0.2262),
        (1_000_000, 0, 0, 3),
        (0, 1_000_000, 1, 15),
        (0, 0, 0, 0),
    ],
)
def test_a_request_costs(input_tokens, output_tokens, hit, usd):
    found = pricing.request_usd(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=hit * input_tokens,
        **SONNET,
    )
    assert found == pytest.approx(usd, rel=1e-12, abs=1e-12)


@settings(derandomize=True, deadline=None)
@given(prompt=tokens, answer=tokens, hit=shares, more=shares)
def test_a_cheaper_cache_never_makes_a_bill_dearer_the_more_is_read_from_it(
    prompt, answer, hit, more
):
    found = pricing.request_usd(
        input_tokens=prompt,
        output_tokens=answer,
        cached_tokens=prompt * np.array([hit, min(hit + (1 - hit) * more, 1)]),
        **SONNET,
    )
    assert found[1] <= found[0] * (1 + 1e-12)


@settings(derandomize=True, deadline=None)
@given(prompt=tokens, answer=tokens, hit=shares, n=st.integers(2, 100))
def test_n_requests_cost_n_times_one(prompt, answer, hit, n):
    bill = {"input_tokens": prompt, "output_tokens": answer, "cached_tokens": hit * prompt}
    one = pricing.request_usd(**bill, **SONNET)
    many = pricing.request_usd(**{name: n * count for name, count in bill.items()}, **SONNET)
    assert_allclose(many, n * one)


# --- every kind of token -----------------------------------------------------------------------


def test_a_bill_is_the_sum_of_its_tokens_each_at_its_price():
    bill = pricing.request_usd(
        input_tokens=100_000,
        cached_tokens=60_000,
        written_tokens=30_000,
        output_tokens=1_000,
        reasoning_tokens=4_000,
        cache_write_usd_per_mtok=3.75,
        tokenizer_times=1.35,
        discount_fraction=0.2,
        **SONNET,
    )
    by_hand = 0.01 * 3 + 0.06 * 0.30 + 0.03 * 3.75 + 0.005 * 15
    assert bill == pytest.approx(by_hand * 1.35 * 0.8)


@pytest.mark.parametrize(
    ("cached", "written", "told"),
    [
        (6, 0, r"cached_tokens \+ written_tokens must not exceed input_tokens, got 6\.0 of 5\.0"),
        (3, 3, r"cached_tokens \+ written_tokens must not exceed input_tokens, got 6\.0 of 5\.0"),
        ([5, 5.1], 0, r"got 5\.1 of 5\.0 at index 1"),
    ],
)
def test_no_more_is_cached_than_was_sent(cached, written, told):
    with pytest.raises(ValueError, match=told):
        pricing.request_usd(
            input_tokens=5, output_tokens=0, cached_tokens=cached, written_tokens=written, **SONNET
        )


def test_what_rounding_adds_to_a_part_is_let_through():
    third = 0.1 + 0.2  # above 0.3 by one digit in 10^16
    assert pricing.request_usd(
        input_tokens=0.3, output_tokens=0, cached_tokens=third, **SONNET
    ) == pytest.approx(third * 0.30 / 1e6)


# --- tiers ---------------------------------------------------------------------------------------

PRO = {"tier_tokens": 200e3, "short_usd_per_mtok": 1.25, "long_usd_per_mtok": 2.5}


def test_one_token_more_prices_the_whole_request_anew():
    prompts = np.array([200_000, 200_001])
    bills = prompts * pricing.tier_usd_per_mtok(prompts, **PRO) / 1e6
    assert_allclose(bills, [0.25, 0.5000025])


@settings(derandomize=True, deadline=None)
@given(value=st.floats(0, 50), prompt=st.floats(200_001, 5e6))
def test_inside_the_band_cutting_back_is_worth_more_and_outside_it_is_not(value, prompt):
    end = pricing.dominated_tokens(**PRO, value_usd_per_mtok=value)
    edge = value * 200e3 - 1.25 * 200e3
    whole = value * prompt - 2.5 * prompt
    if prompt < end * (1 - 1e-9):
        assert edge > whole
    elif prompt > end * (1 + 1e-9):
        assert edge < whole


def test_without_a_step_there_is_no_band():
    flat = PRO | {"long_usd_per_mtok": 1.25}
    assert pricing.dominated_tokens(**flat, value_usd_per_mtok=[0, 1, 9]).tolist() == [200e3] * 3


# --- contracts -----------------------------------------------------------------------------------


@settings(derandomize=True, deadline=None)
@given(
    use=st.floats(0, 1e7),
    promised=st.floats(0, 1e7),
    off=st.floats(0, 0.9),
    beyond=st.floats(0, 0.9),
)
def test_a_commitment_is_paid_in_any_case_and_never_less_than_its_discounted_use(
    use, promised, off, beyond
):
    paid = pricing.committed_usd(
        use, commitment_usd=promised, discount_fraction=off, overage_discount_fraction=beyond
    )
    assert paid >= promised
    assert paid >= min(use * (1 - off), use * (1 - beyond)) * (1 - 1e-9) or paid >= promised
    flat = pricing.committed_usd([0, promised], commitment_usd=promised, discount_fraction=off)
    assert flat[0] == flat[1] == promised  # free at the margin up to the commitment


def test_beyond_a_commitment_each_dollar_of_list_costs_what_the_contract_says():
    contract = {
        "commitment_usd": 8e6,
        "discount_fraction": 0.2,
        "overage_discount_fraction": 0.1,
    }
    at_the_end = pricing.committed_usd(10e6, **contract)  # 10M of list, less 20 %, is 8M
    assert at_the_end == pytest.approx(8e6)
    assert pricing.committed_usd(11e6, **contract) == pytest.approx(8e6 + 0.9e6)


def test_a_reservation_pays_from_its_share_of_list_on():
    demand = np.linspace(0, 1000, 5)
    plain = demand * 3600 * 2 / 1e6
    held = pricing.provisioned_usd(
        demand,
        provisioned_tokens_per_s=1000,
        provisioned_usd_per_h=0.5 * 1000 * 3600 * 2 / 1e6,
        held_s=3600,
        spill_usd_per_mtok=2,
    )
    assert (held > plain).tolist() == [True, True, False, False, False]
    assert held[2] == pytest.approx(plain[2])


# --- ratios and falls ----------------------------------------------------------------------------


@settings(derandomize=True, deadline=None)
@given(n=st.floats(1, 1000), cache_s=st.floats(0, 1e-2))
def test_the_implied_batch_costs_what_the_ratio_says(n, cache_s):
    output_s = 0.01 / n + cache_s
    found = pricing.implied_requests(
        output_s / 3e-4, input_token_s=3e-4, weight_s=0.01, sequence_s=cache_s
    )
    assert found == pytest.approx(n, rel=1e-6)


def test_a_cache_dearer_than_the_ratio_leaves_no_batch():
    assert np.isinf(pricing.implied_requests(2, input_token_s=1e-4, weight_s=0.01, sequence_s=3e-4))


def test_a_rising_price_falls_by_less_than_nothing():
    found = pricing.yearly_fall_fraction(first_usd_per_mtok=1, last_usd_per_mtok=4, years=2)
    assert found == pytest.approx(-1)


def test_a_price_that_is_nothing_has_no_yearly_fall():
    given = {"first_usd_per_mtok": 10, "last_usd_per_mtok": 1, "years": 2}
    for name in given:
        with pytest.raises(ValueError, match=f"^{name} must be positive, got 0.0"):
            pricing.yearly_fall_fraction(**(given | {name: 0}))


# --- nothing, and the edges --------------------------------------------------------------------

LIST = {"input_usd_per_mtok": 3, "output_usd_per_mtok": 15}
TEN = {"input_tokens": 10e6, "output_tokens": 1e6}


@pytest.mark.parametrize(
    ("changed", "usd"),
    [
        ({}, 45),
        ({"cached_input_usd_per_mtok": 0.3, "cache_write_usd_per_mtok": 4}, 45),  # none is cached
        ({"cached_tokens": 4e6}, 33),  # read for nothing
        ({"written_tokens": 4e6}, 33),  # written for nothing
        ({"input_usd_per_mtok": 0}, 15),
        ({"output_usd_per_mtok": 0}, 30),
        ({"cached_tokens": 4e6, "cached_input_usd_per_mtok": 0}, 33),
        ({"tokenizer_times": 0}, 0),
        ({"discount_fraction": 1}, 0),
    ],
)
def test_a_kind_of_token_that_is_not_named_costs_nothing(changed, usd):
    assert_allclose(pricing.request_usd(**(TEN | LIST | changed)), usd)


def test_one_token_is_billed_as_a_million_are():
    """No default hides a token: the cached price touches nothing where nothing is cached."""
    found = pricing.request_usd(
        input_tokens=1, output_tokens=0, **SONNET, cache_write_usd_per_mtok=100
    )
    assert_allclose(found, 3e-6)


def test_free_tiers_and_empty_prompts_have_a_price():
    def price(prompt, **changed):
        return pricing.tier_usd_per_mtok(prompt, **(PRO | changed))

    assert price(0) == 1.25
    assert price(1, tier_tokens=0) == 2.5
    assert price(1, short_usd_per_mtok=0) == 0
    assert price(1e6, long_usd_per_mtok=0) == 0


@pytest.mark.parametrize(
    ("changed", "value", "end"),
    [
        ({}, 2.5, np.inf),  # worth its price, but not the edge that is lost
        ({"short_usd_per_mtok": 0}, 5, 400e3),  # free up to the edge: 5(n-T) = 2.5n
        ({"short_usd_per_mtok": 0, "long_usd_per_mtok": 0}, 5, 200e3),
        ({"tier_tokens": 0}, 5, 0),
        ({"short_usd_per_mtok": 5}, 4, 200e3),  # longer is cheaper: no band
        ({"short_usd_per_mtok": 5}, 1, 200e3),
    ],
)
def test_the_band_ends(changed, value, end):
    assert pricing.dominated_tokens(**(PRO | changed), value_usd_per_mtok=value) == end


def test_tokens_of_no_stated_value_are_worth_nothing():
    cheap = {"tier_tokens": 200e3, "short_usd_per_mtok": 0.1, "long_usd_per_mtok": 0.2}
    assert np.isinf(pricing.dominated_tokens(**cheap))


@settings(derandomize=True, deadline=None)
@given(use=st.floats(0.01, 100), promised=st.floats(0.01, 100), off=shares, beyond=shares)
def test_a_commitment_knows_no_unit_of_money(use, promised, off, beyond):
    def paid(unit):
        return pricing.committed_usd(
            use * unit,
            commitment_usd=promised * unit,
            discount_fraction=off,
            overage_discount_fraction=beyond,
        )

    assert_allclose(paid(1e-3), paid(1) / 1e3, rtol=1e-9)


def test_a_contract_that_gives_all_away_costs_its_commitment():
    paid = pricing.committed_usd([0, 1, 1e9], commitment_usd=5, discount_fraction=1)
    assert paid.tolist() == [5, 5, 5]


@pytest.mark.parametrize(
    ("changed", "usd"),
    [
        ({}, 3 + 0.36),
        ({"demand_tokens_per_s": 0}, 3),
        ({"provisioned_tokens_per_s": 0}, 3 + 0.72),
        ({"provisioned_usd_per_h": 0}, 0.36),
        ({"spill_usd_per_mtok": 0}, 3),
        ({"held_s": 0}, 0),
    ],
)
def test_a_stretch_costs_its_reservation_and_what_spills(changed, usd):
    stretch = {
        "demand_tokens_per_s": 200,  # 100 spill for half an hour: 0.18 Mtok at $2
        "provisioned_tokens_per_s": 100,
        "provisioned_usd_per_h": 6,
        "held_s": 1800,
        "spill_usd_per_mtok": 2,
    }
    assert_allclose(pricing.provisioned_usd(**(stretch | changed)), usd)


def test_a_host_to_whom_nothing_is_paid_has_no_margin_and_a_free_machine_is_all_margin():
    def margin(bill, full, load):
        return pricing.gross_margin_fraction(bill_usd=bill, full_usd=full, load=load)

    assert margin(0, 0.004, 1) == margin(0.01, 0.004, 0) == -np.inf
    assert margin(0.01, 0, 0.5) == 1
    with pytest.raises(ValueError, match=r"^load must not exceed 1, got 1\.5 of 1\.0"):
        margin(0.01, 0.004, 1.5)


@settings(derandomize=True, deadline=None)
@given(bill=st.floats(1e-4, 1), cost=st.floats(1e-4, 1))
def test_at_the_load_where_a_host_breaks_even_its_margin_is_nothing(bill, cost):
    load = pricing.break_even_load(bill_usd=bill, full_usd=cost)
    assert np.isinf(load) == (cost > bill)
    if cost <= bill:
        margin = pricing.gross_margin_fraction(bill_usd=bill, full_usd=cost, load=load)
        assert_allclose(margin, 0, atol=1e-12)


def test_hosts_that_ask_or_spend_nothing_break_even_at_once_or_never():
    found = pricing.break_even_load(bill_usd=[0, 0, 1, 1], full_usd=[0, 1, 0, 1])
    assert found.tolist() == [0, np.inf, 0, 1]


@pytest.mark.parametrize(
    ("changed", "batch"),
    [
        ({"output_times": 0}, np.inf),
        ({"input_token_s": 0}, np.inf),
        ({"weight_s": 0}, 0),
        ({"sequence_s": 0}, 2),
        ({"sequence_s": 0.5}, np.inf),  # the cache alone takes what the ratio allows
        ({"sequence_s": 0.25}, 4),
    ],
)
def test_a_ratio_stands_for_a_batch(changed, batch):
    given = {"output_times": 2, "input_token_s": 0.25, "weight_s": 1, "sequence_s": 0}
    assert pricing.implied_requests(**(given | changed)) == batch


@pytest.mark.parametrize(
    ("changed", "price"),
    [
        ({}, 1e4),  # the one million of own tokens weighs as much as the half of others
        ({"bill_usd": 0}, 0),
        ({"own_weight": 0}, 0),
        ({"other_weight": 0}, 2e4),
        ({"other_tokens": 0}, 2e4),
        ({"own_tokens": 0}, 2e4),
    ],
)
def test_a_bill_is_split_by_weight(changed, price):
    given = {
        "bill_usd": 2e4,
        "own_tokens": 1e6,
        "own_weight": 1,
        "other_tokens": 5e5,
        "other_weight": 2,
    }
    assert_allclose(pricing.split_usd_per_mtok(**(given | changed)), price)


def test_what_weighs_nothing_cannot_be_split():
    with pytest.raises(ValueError, match=r"by their weights must be positive, got 0\.0"):
        pricing.split_usd_per_mtok(
            bill_usd=1, own_tokens=0, other_tokens=0, own_weight=1, other_weight=1
        )


ENDLESS = {
    "dominated_tokens": {
        "tier_tokens": 200_000,
        "short_usd_per_mtok": 1.25,
        "long_usd_per_mtok": 2.5,
        "value_usd_per_mtok": np.inf,
    },
    "request_usd": {
        "input_tokens": np.inf,
        "written_tokens": np.inf,
        "output_tokens": 1,
        "input_usd_per_mtok": 1,
        "output_usd_per_mtok": 1,
    },
    "split_usd_per_mtok": {
        "bill_usd": 1,
        "own_tokens": 1,
        "other_tokens": 1,
        "own_weight": np.inf,
        "other_weight": 1,
    },
}


@pytest.mark.parametrize("formula", ENDLESS)
def test_what_has_no_limit_is_refused(formula):
    last = [name for name, value in ENDLESS[formula].items() if np.isinf(value)][-1]
    with pytest.raises(ValueError, match=f"^{last} must be finite, got inf"):
        getattr(pricing, formula)(**ENDLESS[formula])
