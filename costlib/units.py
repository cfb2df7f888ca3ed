"""Unit conversions, spelled here and nowhere else.

Base units in memory are bytes, FLOP, seconds, USD and tokens. A gigabyte is decimal, a
gibibyte is binary; tokens count in thousands of 1,000.
"""

from typing import Final

__all__ = [
    "BITS_PER_BYTE",
    "GB",
    "GIB",
    "GRAMS_PER_KG",
    "HOURS_PER_DAY",
    "HOURS_PER_MONTH",
    "HOURS_PER_YEAR",
    "JOULES_PER_KWH",
    "KG_PER_T",
    "KIB",
    "MB",
    "MIB",
    "MONTHS_PER_YEAR",
    "MS_PER_S",
    "SECONDS_PER_DAY",
    "SECONDS_PER_HOUR",
    "SECONDS_PER_MINUTE",
    "TB",
    "TFLOP",
    "TOKENS_PER_KTOK",
    "TOKENS_PER_MTOK",
    "WATTS_PER_KW",
]

BITS_PER_BYTE: Final = 8.0

MB: Final = 1e6
GB: Final = 1e9
TB: Final = 1e12
KIB: Final = 2.0**10
MIB: Final = 2.0**20
GIB: Final = 2.0**30

TFLOP: Final = 1e12

TOKENS_PER_KTOK: Final = 1e3
TOKENS_PER_MTOK: Final = 1e6

MS_PER_S: Final = 1e3
SECONDS_PER_MINUTE: Final = 60.0
SECONDS_PER_HOUR: Final = 3600.0
SECONDS_PER_DAY: Final = 86_400.0
HOURS_PER_DAY: Final = 24.0
MONTHS_PER_YEAR: Final = 12
WATTS_PER_KW: Final = 1e3
HOURS_PER_MONTH: Final = 730.0
HOURS_PER_YEAR: Final = 8760.0
JOULES_PER_KWH: Final = 3.6e6
GRAMS_PER_KG: Final = 1e3
KG_PER_T: Final = 1e3
