"""Units against the definitions of the SI and of IEC 80000-13."""

import pytest

from costlib import units

DEFINITIONS = {
    "MB": 1_000_000,
    "GB": 1_000_000_000,
    "TB": 1_000_000_000_000,
    "KIB": 1_024,
    "MIB": 1_048_576,
    "GIB": 1_073_741_824,
    "BITS_PER_BYTE": 8,
    "TFLOP": 1_000_000_000_000,
    "TOKENS_PER_KTOK": 1_000,
    "TOKENS_PER_MTOK": 1_000_000,
    "SECONDS_PER_MINUTE": 60,
    "SECONDS_PER_HOUR": 3_600,
    "SECONDS_PER_DAY": 86_400,
    "HOURS_PER_DAY": 24,
    "MONTHS_PER_YEAR": 12,
    "HOURS_PER_MONTH": 730,
    "HOURS_PER_YEAR": 8_760,
    "JOULES_PER_KWH": 3_600_000,
    "GRAMS_PER_KG": 1_000,
    "KG_PER_T": 1_000,
    "WATTS_PER_KW": 1_000,
    "MS_PER_S": 1_000,
}


@pytest.mark.parametrize(("unit", "definition"), DEFINITIONS.items())
def test_a_unit_is_what_the_standard_says(unit, definition):
    assert getattr(units, unit) == definition


def test_no_unit_goes_unchecked():
    assert set(units.__all__) == set(DEFINITIONS)
