"""Numbers in words, for charts, theses and pages alike."""

from __future__ import annotations

import math

__all__ = ["usd"]


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
