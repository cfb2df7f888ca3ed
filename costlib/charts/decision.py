"""Charts of `decision`: ways, the cascade of costs, the frontier, and what moves the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib.charts.ownership import PLAN
from costlib.charts.theme import cast, hue, reference, short, titled, usd
from costlib.contest import WORDS

__all__ = [
    "argument_bars",
    "cascade_bars",
    "frontier_dots",
    "regime_map",
    "share_bars",
    "tornado",
    "way_bars",
    "win_bars",
]

BAR: Final = 22
ROW: Final = 34
COLOR: Final = alt.Color("way:N", scale=cast(PLAN), legend=None)


def _digits(values: Any) -> list[float]:
    return [float(f"{value:.4g}") for value in np.asarray(values, dtype=float)]


def _wider(values: pd.Series, times: float) -> alt.Scale:
    """From 0 to so many times the largest that its number stands inside, on a phone too."""
    return alt.Scale(domain=[0, *_digits([times * values.max()])], nice=False)


def way_bars(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """USD a month of each way's cheapest; columns way, name, monthly_usd."""
    shown = pd.DataFrame(
        {
            "way": rows["way"],
            "label": rows["way"] + ": " + rows["name"],
            "usd": _digits(rows["monthly_usd"]),
            "text": [usd(value) for value in rows["monthly_usd"]],
        }
    )
    x = alt.X("usd:Q", title="USD a month", scale=_wider(shown["usd"], 1.3)).axis(
        format="$,.0f", tickCount=5
    )
    y = alt.Y("label:N", title=None, sort=None).axis(None)
    base = alt.Chart(shown)
    return titled(
        alt.layer(
            base.mark_bar(height=BAR).encode(x, y, COLOR),
            base.mark_text(align="left", dy=-20, fontWeight=600).encode(
                y=y, x=alt.value(0), text="label:N", color=COLOR
            ),
            base.mark_text(align="left", dx=5).encode(x, y, text="text:N"),
        ),
        title=title,
        subtitle=subtitle,
        description="Bars of a month's bill: "
        + "; ".join(f"{row.label} {row.text}" for row in shown.itertuples()),
        height=62 * len(shown),
    )


def cascade_bars(rows: pd.DataFrame, *, way: str, title: str, subtitle: str) -> Any:
    """USD of a million tokens after each step from a full machine to the bill."""
    shown = pd.DataFrame(
        {
            "step": rows["step"],
            "usd": _digits(rows["usd_per_mtok"]),
            "text": [usd(value) for value in rows["usd_per_mtok"]],
        }
    )
    x = alt.X("usd:Q", title="USD per million tokens", scale=_wider(shown["usd"], 1.45)).axis(
        format="$.2f", tickCount=5
    )
    y = alt.Y("step:N", title=None, sort=list(shown["step"])).axis(labelLimit=160)
    base = alt.Chart(shown)
    return titled(
        alt.layer(
            base.mark_bar(height=BAR, color=hue(PLAN[way])).encode(x, y),
            base.mark_text(align="left", dx=5, fontWeight=600).encode(x, y, text="text:N"),
        ),
        title=title,
        subtitle=subtitle,
        description="Bars of the cost of a million tokens, each step on top of the last: "
        + ", ".join(f"{row.step} {row.text}" for row in shown.itertuples()),
        height=ROW * len(shown),
    )


def frontier_dots(
    rows: pd.DataFrame, *, promised_s: float | None, title: str, subtitle: str
) -> Any:
    """Monthly cost against the time to the first token; what states no time is counted."""
    stated = rows[np.isfinite(rows["ttft_p95_s"])]
    shown = pd.DataFrame(
        {
            "way": stated["way"],
            "ms": _digits(1e3 * stated["ttft_p95_s"]),
            "usd": _digits(stated["monthly_usd"]),
        }
    )
    left_out = len(rows) - len(shown)
    times = [*shown["ms"], *([1e3 * promised_s] if promised_s else [])]
    low, high = min(times) / 1.2, max(times)
    x = alt.X(
        "ms:Q",
        title="Time to first token, 95 % within (ms, logarithmic)",
        # A word beside the promise stands inside, where that is the longest time.
        scale=alt.Scale(type="log", domain=_digits([low, high * (high / low) ** 0.25])),
    ).axis(tickCount=5, format=",")
    y = alt.Y(
        "usd:Q", title="USD a month (logarithmic)", scale=alt.Scale(type="log", nice=True)
    ).axis(format="$,.0f", values=[10.0**power for power in range(9)])
    color = alt.Color(
        "way:N",
        scale=cast({way: PLAN[way] for way in PLAN if way in set(shown["way"])}),
        legend=alt.Legend(title=None, orient="top", offset=26),
    )
    layers: list[Any] = [alt.Chart(shown).mark_circle(size=90, opacity=1).encode(x, y, color)]
    if promised_s:
        layers.insert(0, reference(round(1e3 * promised_s, 1), "promised", axis="x"))
    return titled(
        alt.layer(*layers),
        title=title,
        subtitle=subtitle,
        description=f"Dots of {len(shown)} plans that no other beats, from "
        + " to ".join(usd(float(end)) for end in (shown["usd"].min(), shown["usd"].max()))
        + " a month.",
        note=f"{left_out} more state no time and are not drawn." if left_out else "",
        height=280,
    )


def win_bars(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """Share of the draws in which each way is the cheapest; columns way, wins_fraction."""
    shown = pd.DataFrame(
        {
            "way": rows["way"],
            "percent": [round(100 * share, 1) for share in rows["wins_fraction"]],
            "text": [f"{100 * share:.0f} %" for share in rows["wins_fraction"]],
        }
    )
    x = alt.X("percent:Q", title="Draws in which it is the cheapest (%)").scale(domain=[0, 100])
    x = x.axis(values=[0, 20, 40, 60, 80, 100])
    y = alt.Y("way:N", title=None, sort=list(shown["way"])).axis(labelFontSize=13)
    base = alt.Chart(shown)
    return titled(
        alt.layer(
            base.mark_bar(height=BAR).encode(x, y, COLOR),
            base.mark_text(align="left", dx=5, fontWeight=600).encode(x, y, text="text:N"),
        ),
        title=title,
        subtitle=subtitle,
        description="Bars of the share of draws in which each way is the cheapest: "
        + ", ".join(f"{row.way} {row.text}" for row in shown.itertuples()),
        height=ROW * len(shown) + 20,
    )


SHORT: Final[Mapping[str, str]] = {"peak_times": "Peak over mean"}  # so that a label is not cut


def _labels(rows: pd.DataFrame) -> list[str]:
    names = [SHORT.get(name, WORDS[name].partition(",")[0]) for name in rows["parameter"]]
    return [f"{way}: {name}" for way, name in zip(rows["way"], names, strict=True)]


def _mark(base: alt.Chart, x: Any, y: Any) -> alt.Chart:
    """A mark above each bar, where no bar's colour lies beneath it."""
    mark: alt.Chart = base.mark_point(
        shape="triangle-down", size=55, yOffset=-13, filled=True, opacity=1, color=hue("ink")
    ).encode(x, y)
    return mark


def tornado(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """Range of a token's cost, each number moved alone; as of `contest.one_by_one`."""
    moved = rows[rows["result_max"] > rows["result_min"] * (1 + 1e-9)]
    shown = pd.DataFrame(
        {
            "way": moved["way"],
            "label": _labels(moved),
            "low": _digits(moved["result_min"]),
            "high": _digits(moved["result_max"]),
            "now": _digits(moved["result_base"]),
        }
    )
    scale = alt.Scale(type="log", nice=True)
    x = alt.X("low:Q", title="USD per million tokens (logarithmic)", scale=scale).axis(
        format="$.2~f", tickCount=6
    )
    y = alt.Y("label:N", title=None, sort=list(shown["label"])).axis(labelLimit=190)
    base = alt.Chart(shown)
    return titled(
        alt.layer(
            base.mark_bar(height=16).encode(x, alt.X2("high"), y, COLOR),
            _mark(base, alt.X("now:Q", scale=scale), y),
        ),
        title=title,
        subtitle=subtitle,
        description="Bars from the least to the largest cost of a million tokens: "
        + "; ".join(
            f"{label} {usd(low)} to {usd(high)}"
            for label, low, high in zip(shown["label"], shown["low"], shown["high"], strict=True)
        ),
        note=f"{len(rows) - len(moved)} numbers move nothing alone and are not drawn."
        if len(moved) < len(rows)
        else "",
        height=28 * len(shown) + 10,
    )


def share_bars(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """Sobol's indices: bars of the total, marks of the first order; as of `contest.shares`."""
    kept = rows[rows["total"] >= 0.005]
    shown = pd.DataFrame(
        {
            "way": kept["way"],
            "label": _labels(kept),
            "total": [round(100 * value, 1) for value in kept["total"]],
            "first": [round(100 * max(value, 0.0), 1) for value in kept["first"]],
            "text": [f"{100 * value:.0f} %" for value in kept["total"]],
        }
    )
    x = alt.X("total:Q", title="Share of the variance of the cost’s logarithm (%)").scale(
        domain=[0, 145], nice=False
    )
    x = x.axis(values=[0, 20, 40, 60, 80, 100])
    y = alt.Y("label:N", title=None, sort=list(shown["label"])).axis(labelLimit=190)
    base = alt.Chart(shown)
    return titled(
        alt.layer(
            base.mark_bar(height=16).encode(x, y, COLOR),
            _mark(base, alt.X("first:Q"), y),
            base.mark_text(align="left", dx=6).encode(x, y, text="text:N"),
        ),
        title=title,
        subtitle=subtitle,
        description="Bars of the total index, alone and with others: "
        + "; ".join(f"{row.label} {row.total:g} percent" for row in shown.itertuples()),
        note=f"{len(rows) - len(kept)} numbers take less than half a percent and are not drawn."
        if len(kept) < len(rows)
        else "",
        height=28 * len(shown) + 10,
    )


def regime_map(grid: pd.DataFrame, *, way: str, here: float, title: str, subtitle: str) -> Any:
    """Cheapest way over volume and the price of one way; as of `contest.regimes`."""
    day, price = (np.unique(grid[name]) for name in ("requests_per_day", "price_times"))
    edge = np.sqrt(day[1] / day[0])
    half = (price[1] - price[0]) / 2 if price.size > 1 else 0.5
    ends = [np.clip(grid["requests_per_day"] * t, day[0], day[-1]) for t in (1 / edge, edge)]
    shown = pd.DataFrame(
        {
            "left": _digits(ends[0]),
            "right": _digits(ends[1]),
            "low": _digits(np.clip(grid["price_times"] - half, price[0] - half, price[-1])),
            "high": _digits(np.clip(grid["price_times"] + half, price[0], price[-1] + half)),
            "way": grid["cheapest"],
        }
    )
    ways = [name for name in PLAN if name in set(shown["way"])]
    x = alt.X(
        "left:Q",
        title="Requests a day (logarithmic)",
        scale=alt.Scale(type="log", nice=False, domain=_digits([day[0], day[-1]])),
    ).axis(labelExpr=short(), tickCount=5)
    y = alt.Y(
        "low:Q",
        title=f"Price of the {way}, times today’s",
        scale=alt.Scale(
            nice=False, zero=False, domain=_digits([price[0] - half, price[-1] + half])
        ),
    ).axis(format=".1f", tickCount=6)
    color = alt.Color(
        "way:N",
        scale=cast({name: PLAN[name] for name in ways}),
        legend=alt.Legend(title=None, orient="top", offset=26),
    )
    point = pd.DataFrame({"left": [float(f"{here:.4g}")], "low": [1.0], "words": ["today"]})
    base = alt.Chart(point)
    parts = ", ".join(
        f"{name} on {100 * float((shown['way'] == name).mean()):.0f} percent" for name in ways
    )
    return titled(
        alt.layer(
            alt.Chart(shown).mark_rect(opacity=0.55).encode(x, y, color, x2="right", y2="high"),
            base.mark_point(shape="circle", size=110, color=hue("ink"), filled=True).encode(x, y),
            base.mark_text(align="left", dx=9, dy=-4, fontWeight=600).encode(x, y, text="words:N"),
        ),
        title=title,
        subtitle=subtitle,
        description=f"Map of the cheapest way over volume and the price of the {way}: {parts} "
        "of the map.",
        height=260,
    )


def argument_bars(held: Mapping[str, float], *, title: str, subtitle: str) -> Any:
    """Share of its space in which each argument holds."""
    shown = pd.DataFrame(
        {
            "argument": list(held),
            "percent": [round(100 * share, 1) for share in held.values()],
            "text": [f"{100 * share:.0f} %" for share in held.values()],
        }
    )
    x = alt.X("percent:Q", title="Share of the space in which it holds (%)").scale(
        domain=[0, 118], nice=False
    )
    x = x.axis(values=[0, 20, 40, 60, 80, 100])
    y = alt.Y("argument:N", title=None, sort=None).axis(None)
    base = alt.Chart(shown)
    return titled(
        alt.layer(
            base.mark_bar(height=14, color=hue("teal")).encode(x, y),
            base.mark_text(align="left", dy=-17).encode(y=y, x=alt.value(0), text="argument:N"),
            base.mark_text(align="left", dx=5, fontWeight=600).encode(x, y, text="text:N"),
        ),
        title=title,
        subtitle=subtitle,
        description="Bars of the share of the space in which an argument holds: "
        + "; ".join(f"{row.argument} {row.text}" for row in shown.itertuples()),
        height=52 * len(shown) + 16,
    )
