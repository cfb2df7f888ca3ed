"""Charts of `ledger`: what came of the claims, topic by topic, and how far off the others are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib.charts.theme import VERDICT, cast, hue, titled
from costlib.register import topic_words

__all__ = ["OFF", "miss_bars", "off_counts", "topic_bars", "verdict_strip"]

MISSED: Final = "contradicted or fails"
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "reproduces": ("reproduces",),
    "reproduces if": ("reproduces if",),
    MISSED: ("contradicted", "fails"),
    "not checkable": ("not checkable",),
}
COLOURS: Final = {group: VERDICT[words[0]][0] for group, words in GROUPS.items()}
LINE_PIXELS: Final = 22

# our value over the printed one: upper ends of the bins, and their words
OFF: Final[Mapping[float, str]] = {
    0.1: "less than a tenth",
    0.5: "a tenth to half",
    0.9: "half to 0.9",
    1.1: "within a tenth",
    float(np.nextafter(2.0, 3.0)): "1.1 to 2 times",  # half and double are not yet far off
    10.0: "2 to 10 times",
    np.inf: "more than 10 times",
}


def _rows(parts: pd.DataFrame) -> pd.DataFrame:
    """Counts by the four groups that a bar shows."""
    return pd.DataFrame({group: parts[list(words)].sum(axis=1) for group, words in GROUPS.items()})


def verdict_strip(counted: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """All claims as one bar, split by verdict: rows of `rulings.counts` added up."""
    totals = _rows(counted).sum()
    shown = pd.DataFrame({"verdict": totals.index, "claims": totals.to_numpy(int)})
    shown["end"] = shown["claims"].cumsum()
    shown["start"] = shown["end"] - shown["claims"]
    scale = alt.Scale(domain=[0, int(shown["end"].max())], nice=False)
    colour = alt.Color("verdict:N", scale=cast(COLOURS), legend=None)
    x = alt.X("start:Q", title="Claims", scale=scale).axis(tickCount=5, tickMinStep=1)
    parts = [
        alt.Chart(shown)
        .mark_bar(height=26, cornerRadiusEnd=0, stroke=hue("page"), strokeWidth=1)
        .encode(x, alt.X2("end"), colour, y=alt.value(42))
    ]
    labels: list[Any] = [[f"{n:,}", word] for word, n in totals.items()]
    named = shown.assign(
        label=labels,
        at=np.where(shown["verdict"] == "not checkable", shown["end"], shown["start"]),
    )[["at", "label", "verdict"]][shown["claims"] > 0]
    last = named["verdict"] == "not checkable"
    above = named["verdict"].isin(["reproduces", MISSED])
    for rows, y in ((named[above], 8), (named[~above & ~last], 66), (named[last], 66)):
        right = bool(rows["verdict"].eq("not checkable").any())
        parts.append(
            alt.Chart(rows)
            .mark_text(
                align="right" if right else "left",
                baseline="middle",
                lineHeight=14,
                fontWeight=600,
            )
            .encode(alt.X("at:Q", scale=scale), colour, text="label:N", y=alt.value(y))
        )
    return titled(
        alt.layer(*parts),
        title=title,
        subtitle=subtitle,
        description="One bar of claims by verdict: "
        + ", ".join(f"{row.verdict} {row.claims}" for row in shown.itertuples()),
        height=92,
    )


def topic_bars(counted: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """One bar per topic, split by verdict: rows of `rulings.counts`."""
    groups = _rows(counted)
    groups.index = pd.Index([topic_words(str(topic)) for topic in groups.index], name="topic")
    order = list(groups.index)
    shown = groups.reset_index().melt("topic", var_name="verdict", value_name="claims")
    shown = shown[shown["claims"] > 0]
    shown = shown.assign(place=shown["verdict"].map({name: i for i, name in enumerate(GROUPS)}))
    return titled(
        alt.Chart(shown)
        .mark_bar(height=LINE_PIXELS - 6, cornerRadiusEnd=0)
        .encode(
            alt.X("claims:Q", title="Claims").axis(tickCount=5, tickMinStep=1),
            alt.Y("topic:N", title=None, sort=order).axis(labelLimit=175, labelOverlap=False),
            alt.Color(
                "verdict:N",
                scale=cast(COLOURS),
                legend=alt.Legend(title=None, orient="top", columns=1),
            ),
            order="place:Q",
        ),
        title=title,
        subtitle=subtitle,
        description="Stacked bars of claims by topic. "
        + "; ".join(
            f"{topic} " + ", ".join(f"{n} {group}" for group, n in row.items() if n)
            for topic, row in groups.head(6).iterrows()
        ),
        height=LINE_PIXELS * len(groups) + 20,
        tall=True,  # a phone shows every line
    )


def off_counts(found: pd.DataFrame) -> pd.DataFrame:
    """Numbers that do not come out, by how far ours lies from theirs: rows of `rulings.rulings`."""
    missed = found[found["verdict"].isin(GROUPS[MISSED]) & (found["times"] > 0)]
    bins = pd.cut(missed["times"], [0.0, *OFF], labels=list(OFF.values()), right=False)
    counted = bins.value_counts().reindex(list(OFF.values()), fill_value=0)
    return pd.DataFrame({"off": counted.index.astype(str), "claims": counted.to_numpy(int)})


def miss_bars(counted: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """How far off: rows of `off_counts`."""
    scale = alt.Scale(domain=[0, round(1.15 * max(float(counted["claims"].max()), 1))], nice=False)
    base = alt.Chart(counted).encode(
        alt.X("claims:Q", title="Claims", scale=scale).axis(tickCount=5, tickMinStep=1),
        alt.Y("off:N", title=None, sort=list(OFF.values())).axis(labelFontSize=13),
    )
    return titled(
        alt.layer(
            base.mark_bar(height=18, color=hue("magenta")),
            base.mark_text(align="left", dx=6, fontWeight=600, color=hue("ink")).encode(
                text="claims:Q"
            ),
        ),
        title=title,
        subtitle=subtitle,
        description="Bars of claims that do not come out, by our value over the printed one: "
        + ", ".join(f"{row.off} {row.claims}" for row in counted.itertuples()),
        height=28 * len(counted) + 20,
    )
