"""Numbers in words, for charts, theses and pages alike."""

from __future__ import annotations

import math
import re
from typing import Final

__all__ = ["RAISED", "scientific", "typeset", "usd"]

RAISED: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹"  # digits of an exponent
NARROW: Final = "\u00a0"  # a space that does not break
UNITS: Final = (
    r"(?:[kMGTP]?B|[kMG]?W|kWh|MWh|ms|µs|s|h|USD|GPUs?|K|million|billion|trillion|thousand)"
)


def typeset(text: str) -> str:
    """As print has it: a true minus, no sign at zero, no break before % or a unit, apostrophes.

    >>> typeset("-3% of 80 GB, -0.0 and 2026-05-21").replace(NARROW, "_")
    '−3_% of 80_GB, 0.0 and 2026-05-21'
    >>> typeset("× 1.29 in 1.5 × the time").replace(NARROW, "_")
    '×_1.29 in 1.5_× the time'
    >>> typeset("the month's bill, its users' share and 'quoted'")
    "the month’s bill, its users’ share and 'quoted'"
    """
    text = re.sub(r"(?<=[A-Za-z])'(?=[a-z])|(?<=s)'(?= )", "’", text)
    text = re.sub(r"(?<=\d)\s?%", f"{NARROW}%", text)
    text = re.sub(r"(?<![\w.)\]}/#–-])-(?=[$]?\d)", "−", text)
    text = re.sub(r"(?<![\w.])[+−](?=0(?:\.0+)?(?![\d.,]))", "", text)
    text = re.sub(r"× (?=\d)", f"×{NARROW}", text)
    text = re.sub(r"(?<=\d) ×(?![ \u00a0]?\d)", f"{NARROW}×", text)
    return re.sub(rf"(?<=\d) (?={UNITS}(?![\w]))", NARROW, text)


def scientific(value: float, digits: int = 3) -> str:
    """Large number as a power of ten, which does not break at a line's end.

    >>> [scientific(value, 2).replace(NARROW, "_") for value in (7.2e23, 1e21, 0.05)]
    ['7.2_×_10²³', '1.0_×_10²¹', '5.0_×_10⁻²']
    """
    front, exponent = f"{value:.{digits - 1}e}".split("e")
    raised = str(int(exponent)).replace("-", "⁻").translate(str.maketrans("0123456789", RAISED))
    return f"{front}{NARROW}×{NARROW}10{raised}"


def usd(value: float) -> str:
    """Price in words: three significant digits below 10, cents to 1,000, then whole dollars.

    >>> usd(0.33626), usd(19.8413), usd(1234.5), usd(float("inf"))
    ('$0.336', '$19.84', '$1,234', 'no one fits')
    """
    if math.isnan(value):
        raise ValueError("a price is NaN; say in words what that means")
    if math.isinf(value):
        return "no one fits"
    if value <= 0:
        return "$0"
    shown = float(f"{value:.3g}")  # 0.9996 is 1.00, not 1.000
    if shown < 10:
        return f"${shown:.{max(2, 2 - math.floor(math.log10(shown)))}f}"
    return f"${value:,.0f}" if round(value, 2) >= 1000 else f"${value:,.2f}"
