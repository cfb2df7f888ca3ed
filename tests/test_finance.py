"""Money over time, against numpy-financial and pyxirr."""

import numpy as np
import numpy_financial
import pytest
import pyxirr
from numpy.testing import assert_allclose

from costlib import finance

RNG = np.random.default_rng(8)
FLOWS = [np.r_[-1000.0, RNG.uniform(0, 900, n)] for n in RNG.integers(2, 9, 40)]


@pytest.mark.parametrize("interest", [0, 0.01, 0.08, 0.5])
@pytest.mark.parametrize("salvage", [0, 0.1, 1])
@pytest.mark.parametrize("years", [1, 3, 10])
@pytest.mark.parametrize("n", [1, 12])
def test_the_annuity_is_that_of_others(interest, salvage, years, n):
    found = finance.annuity_usd(
        cost_usd=5e3,
        interest_fraction=interest,
        years=years,
        salvage_fraction=salvage,
        n_payments=n,
    )
    wanted = -numpy_financial.pmt(interest / n, years * n, 5e3, -salvage * 5e3)
    assert_allclose(found, wanted, atol=1e-9)
    assert_allclose(found, -pyxirr.pmt(interest / n, years * n, 5e3, -salvage * 5e3), atol=1e-9)


@pytest.mark.parametrize("flows", FLOWS)
def test_present_value_and_internal_rate_are_those_of_others(flows):
    for interest in (0, 0.1, 0.7):
        value = finance.npv_usd(flows, interest_fraction=interest)
        assert_allclose(value, numpy_financial.npv(interest, flows), atol=1e-9)
        assert_allclose(value, pyxirr.npv(interest, flows), atol=1e-9)
    rate = finance.irr_fraction(flows)
    assert_allclose(rate, pyxirr.irr(flows), atol=1e-8)
    assert_allclose(rate, numpy_financial.irr(flows), atol=1e-6)


def test_a_rate_that_is_none_or_several_is_none():
    assert np.isnan(finance.irr_fraction([-1, -2, -3]))
    assert np.isnan(finance.irr_fraction([-100, 230, -132]))  # 10 % and 20 %
    assert_allclose(finance.irr_fraction([-1, 0, 0, 8]), 1)


def test_a_payback_within_a_year_is_in_proportion():
    assert finance.payback([-100, 50, 50, 50]) == 2
    assert finance.payback([-100, 50, 100]) == 1.5
    assert finance.payback([0, 5]) == 0
    assert np.isinf(finance.payback([-100, 50]))
    assert finance.payback([-100, 110, 0], interest_fraction=0.1) == pytest.approx(1)
    assert np.isinf(finance.payback([-100, 109, 0], interest_fraction=0.1))


@pytest.mark.parametrize("flows", [3, [1, np.nan], [1, np.inf]])
def test_flows_that_are_none_are_refused(flows):
    for formula in (finance.irr_fraction, finance.payback):
        with pytest.raises(ValueError, match="flows_usd must be finite"):
            formula(flows)
    with pytest.raises(ValueError, match="flows_usd must be finite"):
        finance.npv_usd(flows, interest_fraction=0.1)


def test_an_interest_that_is_none_is_refused():
    with pytest.raises(ValueError, match="interest_fraction"):
        finance.npv_usd([-1, 2], interest_fraction=1.5)
    with pytest.raises(ValueError, match="interest_fraction"):
        finance.payback([-1, 2], interest_fraction=-0.1)
