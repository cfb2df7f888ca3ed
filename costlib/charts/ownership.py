"""Charts of `own_rent_api`: an hour in parts, use, rents, volumes, years."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib.charts.theme import cast, end_labels, hue, reference, titled, usd
from costlib.ownership import PARTS, WAYS

__all__ = ["PLAN", "hour_bars", "regime_lines", "rent_dots", "return_lines", "work_lines"]

PLAN: Final[Mapping[str, str]] = {
    "API": "magenta",
    "router": "violet",
    "rent": "ochre",
    "own": "blue",
}
HUES: Final[Mapping[str, str]] = dict(zip(PARTS, ("blue", "brown", "violet", "teal"), strict=True))


def hour_bars(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """Parts of an owned hour: columns part and usd_per_h."""
    shown = rows.assign(
        usd_per_h=rows["usd_per_h"].round(4), text=[usd(value) for value in rows["usd_per_h"]]
    )
    x = alt.X("usd_per_h:Q", title="USD per GPU and hour").axis(format="$.2f")
    y = alt.Y("part:N", title=None, sort=list(PARTS)).axis(labelFontSize=13)
    base = alt.Chart(shown)
    return titled(
        alt.layer(
            base.mark_bar(height=26).encode(
                x, y, alt.Color("part:N", scale=cast(HUES), legend=None)
            ),
            base.mark_text(align="left", dx=5, fontWeight=600, color=hue("ink")).encode(
                x, y, text="text:N"
            ),
        ),
        title=title,
        subtitle=subtitle,
        description="Bars of an owned hour by part: "
        + ", ".join(
            f"{part} {text}" for part, text in zip(shown["part"], shown["text"], strict=True)
        ),
        height=190,
    )


def work_lines(
    rows: pd.DataFrame,
    rents: Mapping[str, float],
    *,
    rent_usd: float,
    high_usd: float,
    title: str,
    subtitle: str,
) -> Any:
    """Cost of an hour of work by use; `rows` has name, busy (%), usd; rents are level."""
    shown = rows[rows["usd"] <= high_usd].assign(usd=lambda s: s["usd"].round(3))
    names = list(dict.fromkeys(shown["name"]))
    hues = dict(zip(names, ("blue", "ink"), strict=False))
    color = alt.Color("name:N", scale=cast(hues), legend=None)
    x = alt.X(
        "busy:Q", title="Share of the time that it works (%)", scale=alt.Scale(domain=[0, 100])
    )
    y = alt.Y(
        "usd:Q", title="USD per GPU-hour of work", scale=alt.Scale(domain=[0, high_usd])
    ).axis(format="$.0f")
    lines = alt.Chart(shown).mark_line().encode(x, y, color)
    last = shown.sort_values("busy").groupby("name", sort=False).last().reset_index()
    labels = (
        alt.Chart(last)
        .mark_text(align="left", dx=8, fontWeight=600)
        .encode(x, y, color, text="name:N")
    )
    levels = alt.Chart(
        pd.DataFrame(
            {
                "usd": list(rents.values()),
                "words": [f"{name} {usd(value)}".split(", ", 1) for name, value in rents.items()],
            }
        )
    )
    rules = levels.mark_rule(strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted")).encode(y=y)
    words = levels.mark_text(
        align="left", baseline="middle", dx=8, lineHeight=14, fontSize=12, color=hue("muted")
    ).encode(x=alt.value("width"), y=y, text="words:N")
    return titled(
        alt.layer(rules, words, reference(rent_usd, f"rent here {usd(rent_usd)}"), lines, labels),
        title=title,
        subtitle=subtitle,
        description="Lines of the cost of an owned hour of work, falling as its use rises, and "
        f"level rents: here {usd(rent_usd)}, "
        + ", ".join(f"{name} {usd(value)}" for name, value in rents.items()),
        height=340,
    )


def rent_dots(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """What an hour is quoted at: columns provider, kind, usd_per_h, as_of, held."""
    shown = rows.assign(
        usd_per_h=rows["usd_per_h"].round(4),
        label=rows["provider"] + ", " + rows["kind"] + ", " + rows["as_of"].str[:7],
        text=[usd(value) for value in rows["usd_per_h"]],
    )
    hues = {"owned": "blue", "rented": "ochre", "an index or median": "ink"}
    x = alt.X("usd_per_h:Q", title="USD per GPU and hour", scale=alt.Scale(domainMin=0)).axis(
        format="$.0f", tickMinStep=1
    )
    y = alt.Y("label:N", title=None, sort=alt.SortField("usd_per_h")).axis(None)
    base = alt.Chart(shown)
    return titled(
        alt.layer(
            base.mark_text(align="left", dy=-15, fontSize=12, color=hue("muted")).encode(
                y=y, x=alt.value(0), text="label:N"
            ),
            base.mark_circle(size=80, opacity=1).encode(
                x,
                y,
                alt.Color(
                    "held:N",
                    scale=cast(hues),
                    legend=alt.Legend(title=None, orient="top", columns=1),
                ),
            ),
            base.mark_text(align="left", dx=8, color=hue("ink")).encode(x, y, text="text:N"),
        ),
        title=title,
        subtitle=subtitle,
        description=f"Dots of {len(shown)} quotes, {usd(float(shown['usd_per_h'].min()))} to "
        f"{usd(float(shown['usd_per_h'].max()))} an hour.",
        height=36 * len(shown) + 20,
        tall=True,  # a phone shows every quote
    )


def regime_lines(
    table: pd.DataFrame, marks: Mapping[str, float], *, title: str, subtitle: str, note: str = ""
) -> Any:
    """Cost per million tokens of each way over volume, log axes; `marks` are break-evens."""
    long = table.melt("mtok", list(WAYS), var_name="way", value_name="usd").assign(
        usd=lambda s: [float(f"{value:.4g}") for value in s["usd"]],
        mtok=lambda s: [float(f"{value:.4g}") for value in s["mtok"]],
    )
    top = 30 * float(table["API"].iloc[0])
    long = long[long["usd"] <= top]
    low = float(long["usd"].min()) / 1.5
    color = alt.Color("way:N", scale=cast(PLAN), legend=None)
    x = alt.X(
        "mtok:Q",
        title="Million tokens a month, logarithmic",
        scale=alt.Scale(type="log", nice=False),
    ).axis(format=",", values=[10.0**n for n in range(1, 7)])
    y = alt.Y(
        "usd:Q",
        title="USD per million tokens, logarithmic",
        scale=alt.Scale(type="log", domain=[low, top], nice=False),
    ).axis(format="$.2~f", values=[0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50])
    last = long.sort_values("mtok").groupby("way").last().reset_index()
    last["text"] = [usd(value) for value in last["usd"]]
    ends = end_labels(
        last, x="mtok", y="usd", name="way", text="text", color=color, low=low, high=top, height=340
    )
    return titled(
        alt.layer(
            *(
                reference(round(value, 1), words, axis="x")
                for words, value in marks.items()
                if np.isfinite(value)
            ),
            alt.Chart(long).mark_line(interpolate="step-before").encode(x, y, color),
            ends,
        ),
        title=title,
        subtitle=subtitle,
        description="Lines over volume: "
        + ", ".join(last["way"] + " " + last["text"])
        + "; break-evens: "
        + ", ".join(
            f"{words} {value:,.0f} million tokens" if np.isfinite(value) else f"{words} never"
            for words, value in marks.items()
        ),
        note=note,
        height=340,
    )


def return_lines(
    rows: pd.DataFrame, life_months: float, *, title: str, subtitle: str, names: Sequence[str]
) -> Any:
    """Payback in months by use, a line per rent; never is left out."""
    drawn = rows[["name", "busy", "payback_months"]]
    shown = drawn[np.isfinite(drawn["payback_months"])].round(2)
    hues = dict(zip(names, ("blue", "ochre", "violet", "teal"), strict=False))
    color = alt.Color("name:N", scale=cast(hues), legend=None)
    x = alt.X(
        "busy:Q", title="Share of the time that it works (%)", scale=alt.Scale(domain=[0, 100])
    )
    y = alt.Y("payback_months:Q", title="Months", scale=alt.Scale(domain=[0, life_months]))
    last = shown.sort_values("busy").groupby("name", sort=False).last().reset_index()
    labels = (
        alt.Chart(last)
        .mark_text(align="left", dx=8, fontWeight=600)
        .encode(x, y, color, text="name:N")
    )
    return titled(
        alt.layer(alt.Chart(shown).mark_line().encode(x, y, color), labels),
        title=title,
        subtitle=subtitle,
        description="Lines of payback in months by use; "
        + "; ".join(
            f"{name} {value:.0f} months at full use"
            for name, value in zip(last["name"], last["payback_months"], strict=True)
        ),
        height=320,
    )
