"""Egress: bands as exact fractions, a line against them, and what a token takes along."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import egress, terms

seeded = settings(derandomize=True, deadline=None)
STARTS = [0, Fraction(100), Fraction(10_240), Fraction(51_200), Fraction(153_600)]
PRICES = [Fraction(0), *map(Fraction, ("9/100", "85/1000", "7/100", "5/100"))]
BANDS = {
    "band_start_bytes": [float(start) * 1e9 for start in STARTS],
    "band_usd_per_gb": [float(price) for price in PRICES],
}


def billed(gigabytes):
    """The bill as a clerk makes it: fill a band, pay for it, go on with the rest."""
    left, total = Fraction(gigabytes), Fraction(0)
    ends = [*STARTS[1:], None]
    for start, end, price in zip(STARTS, ends, PRICES, strict=True):
        part = left if end is None else min(left, end - start)
        total, left = total + part * price, left - part
    return total


@given(st.fractions(0, 10**7))
@seeded
def test_bands_are_filled_one_after_another(gigabytes):
    found = egress.banded_usd(float(gigabytes) * 1e9, **BANDS)
    assert_allclose(found, float(billed(gigabytes)), rtol=1e-12, atol=1e-9)


def test_two_published_volumes():
    """75 TB and 1 PB a month at the list, in place of the flat $0.09 of the notes."""
    found = egress.banded_usd([75e12, 1e15], **BANDS)
    assert_allclose(found, [6060.2, 53_882.2])
    flat = egress.banded_usd([75e12, 1e15], band_start_bytes=0, band_usd_per_gb=0.09)
    assert_allclose(flat, [6750, 90_000])


@given(st.floats(0.01, 1e6))
@seeded
def test_at_the_break_even_the_bands_cost_what_the_line_does(line):
    even = egress.break_even_bytes(line, **BANDS)
    assert_allclose(egress.banded_usd(even, **BANDS), line, rtol=1e-9)


def test_a_line_that_nothing_is_saved_by_never_pays():
    free = {"band_start_bytes": [0, 1e12], "band_usd_per_gb": [0.09, 0]}
    assert np.isinf(egress.break_even_bytes([91, 1e6], **free)).all()
    assert egress.break_even_bytes(90, **free) == pytest.approx(1e12)
    assert egress.break_even_bytes(0, **free) == 0


@pytest.mark.parametrize(
    ("bands", "told"),
    [
        (([1, 2], [0.1, 0.1]), r"^band_start_bytes must rise from 0, got \[1, 2\]"),
        (([0, 5, 5], [0.1, 0.1, 0.1]), r"^band_start_bytes must rise from 0"),
        (([0, 5], [0.1]), r"^band_usd_per_gb must hold a price for each of 2 bands"),
        (([[0, 5]], [[0.1, 0.2]]), r"^band_start_bytes must rise from 0"),
    ],
)
def test_bands_that_are_no_table_are_refused(bands, told):
    starts, prices = bands
    with pytest.raises(ValueError, match=told):
        egress.banded_usd(1, band_start_bytes=starts, band_usd_per_gb=prices)


@given(
    share=st.floats(0.001, 0.999),
    price=st.floats(0.001, 0.2),
    cost=st.floats(0.01, 100),
    sent=st.floats(1, 1e6),
)
@seeded
def test_inverses(share, price, cost, sent):
    given = {"usd_per_gb": price}
    size = egress.material_bytes_per_token(share, output_usd_per_mtok=cost, **given)
    found = egress.wire_fraction(size, output_usd_per_mtok=cost, **given)
    assert_allclose(found, share, rtol=1e-9)
    dear = egress.material_output_usd_per_mtok(share, bytes_per_token=sent, **given)
    found = egress.wire_fraction(sent, output_usd_per_mtok=dear, **given)
    assert_allclose(found, share, rtol=1e-9)


def test_the_ends_of_a_share():
    given = {"usd_per_gb": 0.09}
    assert np.isinf(egress.material_bytes_per_token(1, output_usd_per_mtok=15, **given))
    assert egress.material_bytes_per_token(0, output_usd_per_mtok=15, **given) == 0
    assert np.isinf(egress.material_output_usd_per_mtok(0, bytes_per_token=5, **given))
    assert egress.wire_fraction(0, output_usd_per_mtok=0, **given) == 0


def test_a_line_fills_as_its_bits_do():
    """10 Gb/s for a month of 730 hours carry 3.285 PB."""
    assert_allclose(egress.line_load(3.285e15, link_bytes_per_s=1.25e9, period_h=730), 1)


def test_a_gigabyte_of_the_wire_costs_its_price():
    assert egress.wire_usd_per_mtok(1000, usd_per_gb=0.09) == pytest.approx(0.09)
    assert_allclose(terms.bands("AWS")["band_start_bytes"], BANDS["band_start_bytes"])
    assert_allclose(terms.bands("AWS")["band_usd_per_gb"], BANDS["band_usd_per_gb"])
