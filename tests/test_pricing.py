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
