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
