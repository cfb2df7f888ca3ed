"""The one look of every chart: colours by name, an Altair theme, and the parts charts share.

A spec carries the light colours only. `css()` gives each its dark twin by an attribute selector
(`svg [fill="#193582"]`), so a page follows the reader's theme without redrawing anything. Specs
stay within Vega-Lite 5.6, which JupyterLab draws without a network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib._words import typeset, usd

__all__ = [
    "ARCHITECTURE",
    "ARGUMENT",
    "TOKENS",
    "VERDICT",
    "WORKLOAD",
    "band",
    "cast",
    "colours",
    "css",
    "end_labels",
    "hue",
    "line_colours",
    "reference",
    "rounded",
    "short",
    "spread",
    "titled",
    "usd",
]

FONT: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'

# name: (light, dark). Text reaches 4.5:1 and marks 3:1 on page and panel; tests measure it.
TOKENS: Final[Mapping[str, tuple[str, str]]] = {
    "page": ("#ffffff", "#12171d"),
    "panel": ("#f5f7f9", "#1b222b"),
    "rule": ("#d9dee4", "#2f3945"),
    "grid": ("#e6eaee", "#27303a"),
    "control": ("#77828f", "#77828e"),
    "ink": ("#1b2430", "#e8edf2"),
    "muted": ("#56616f", "#a3adb9"),
    "link": ("#0b5aa8", "#7db8ff"),
    "you": ("#c2410c", "#ff9b6a"),  # the reader's own point, and nothing else
    "blue": ("#193582", "#3e8afc"),
    "green": ("#286544", "#8ac091"),
    "violet": ("#7038ca", "#9f77b1"),
    "teal": ("#00789c", "#04d2ff"),
    "ochre": ("#8e7413", "#fed740"),
    "magenta": ("#c81471", "#ed3269"),
    "brown": ("#692404", "#e87f0f"),
}

# One hue keeps one meaning through the book; two casts never meet in one chart.
ARCHITECTURE: Final[Mapping[str, str]] = {
    "full attention": "ink",
    "GQA": "blue",
    "MLA": "green",
    "hybrid": "violet",
    "state space": "teal",
    "window": "ochre",
    "quantised": "magenta",
    "MoE": "brown",
}

WORKLOAD: Final[Mapping[str, str]] = {
    "chat": "blue",
    "code": "teal",
    "long-context": "green",
    "agents": "violet",
    "reasoning": "ochre",
}

# word of the ledger: (colour, shape in CSS, Vega shape); the word is always printed beside it
CROSS = "M-.7,-1L0,-.3 .7,-1 1,-.7 .3,0 1,.7 .7,1 0,.3 -.7,1 -1,.7 -.3,0 -1,-.7Z"
VERDICT: Final[Mapping[str, tuple[str, str, str]]] = {
    "reproduces": ("green", "holds", "circle"),
    "reproduces if": ("ochre", "only-if", "diamond"),
    "contradicted": ("magenta", "fails", CROSS),
    "fails": ("magenta", "fails", CROSS),
    "not checkable": ("muted", "open", "stroke"),
}
# the same for an argument, which hangs on more than one number
ARGUMENT: Final[Mapping[str, tuple[str, str, str]]] = {
    "holds": VERDICT["reproduces"],
    "holds only if": VERDICT["reproduces if"],
    "fails": VERDICT["fails"],
}


def hue(token: str) -> str:
    """Light colour of a name: what a spec carries."""
    return TOKENS[token][0]


def colours() -> frozenset[str]:
    """Every colour that a spec may carry."""
    return frozenset(light for light, _ in TOKENS.values())


def cast(meaning: Mapping[str, str]) -> alt.Scale:
    """Colour scale of a cast in its fixed order."""
    return alt.Scale(domain=list(meaning), range=[hue(token) for token in meaning.values()])


@alt.theme.register("costlib", enable=True)
def _theme() -> alt.theme.ThemeConfig:
    ink, muted = hue("ink"), hue("muted")
    return {
        "width": 660,  # "container" makes JupyterLab draw without end; the book sets its own
        "height": 340,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": {
            "font": FONT,
            "background": hue("page"),  # JupyterLab's dark theme would swallow dark text
            "view": {"stroke": None},
            "padding": {"left": 0, "top": 4, "right": 12, "bottom": 0},
            "title": {
                "anchor": "start",
                "frame": "group",
                "fontSize": 16,
                "fontWeight": 600,
                "color": ink,
                "offset": 14,
                "subtitleFontSize": 13,
                "subtitleColor": muted,
                "subtitlePadding": 4,
            },
            "axis": {
                "labelColor": muted,
                "labelFontSize": 12,
                "labelPadding": 6,
                "titleColor": muted,
                "titleFontSize": 12,
                "titleFontWeight": "normal",
                "gridColor": hue("grid"),
                "domain": False,
                "ticks": False,
            },
            "axisX": {
                "grid": False,
                "domain": True,
                "domainColor": hue("control"),
                "ticks": True,
                "tickColor": hue("control"),
                "tickSize": 5,
                "titlePadding": 8,
                "titleAnchor": "end",
                "labelFlush": True,
                "labelSeparation": 6,  # on a phone a label would touch the next
            },
            "axisY": {  # the title lies flat above its axis: nobody turns their head
                "titleAngle": 0,
                "titleAlign": "left",
                "titleAnchor": "end",
                "titleY": -10,
                "titleX": 0,
                "titleBaseline": "bottom",
            },
            "legend": {
                "orient": "top",
                "title": None,
                "labelColor": ink,
                "labelFontSize": 12,
                "symbolStrokeWidth": 2.5,
            },
            "line": {"strokeWidth": 2.5, "strokeCap": "round", "strokeJoin": "round"},
            "rule": {"color": muted},
            "point": {"size": 60, "filled": True},
            "text": {"font": FONT, "fontSize": 12.5, "color": ink},
            "bar": {"color": hue("blue"), "cornerRadiusEnd": 2},
            "area": {"line": False},
            "header": {
                "labelColor": ink,
                "labelFontSize": 13,
                "labelFontWeight": 600,
                "labelAnchor": "start",
                "title": None,
            },
            "range": {"category": [hue(token) for token in ARCHITECTURE.values()]},
        },
    }


def titled(
    chart: Any,
    *,
    title: str,
    subtitle: str,
    description: str,
    note: str = "",
    height: int = 340,
    tall: bool = False,
) -> Any:
    """Finish a chart: the finding, what is drawn, the numbers in words, the small print.

    One that is `tall` keeps its height on a phone, where others are cut down.
    """
    return chart.properties(
        title=alt.Title(typeset(title), subtitle=typeset(subtitle)),
        description=description,
        usermeta={"note": typeset(note)} | ({"tall": True} if tall else {}),
        height=height,
        padding={"left": 0, "top": 22, "right": 2, "bottom": 0},
    )


def short(front: str = "") -> str:
    """Labels of an axis as the book writes them, 8K and 1M, for Vega; `front` may be "$".

    >>> short("$")
    "replace(format(datum.value, '$~s'), 'k', 'K')"
    """
    return f"replace(format(datum.value, '{front}~s'), 'k', 'K')"


def spread(
    values: Sequence[float],
    *,
    low: float,
    high: float,
    height: float,
    gap: float = 34.0,
    log: bool = True,
) -> list[float]:
    """Label positions: `values` pushed apart until `gap` pixels lie between any two.

    >>> [round(v, 2) for v in spread([1, 1.01], low=0, high=10, height=100, gap=20, log=False)]
    [0.01, 2.0]
    """
    scale, unscale = (math.log, math.exp) if log else (float, float)
    bottom, length = scale(low), scale(high) - scale(low)
    pixels = [(scale(value) - bottom) / length * height for value in values]
    order = sorted(range(len(pixels)), key=pixels.__getitem__)
    for _ in range(200):
        for below, above in pairwise(order):
            need = gap - (pixels[above] - pixels[below])
            if need > 1e-6:
                pixels[below] -= need / 2
                pixels[above] += need / 2
    return [unscale(bottom + pixel / height * length) for pixel in pixels]


def end_labels(
    rows: pd.DataFrame,
    *,
    x: str,
    y: str,
    name: str,
    text: str,
    color: alt.Color,
    low: float,
    high: float,
    height: float = 340,
    log: bool = True,
    gap: float = 34.0,
) -> alt.Chart:
    """Names and last values at the right end of the lines, in the lines' colours."""
    last = rows.sort_values(x).groupby(name, sort=False).tail(1).copy()
    last["label_y"] = spread(list(last[y]), low=low, high=high, height=height, log=log, gap=gap)
    last["label"] = [
        [str(line) for line in pair if line] for pair in zip(last[name], last[text], strict=True)
    ]
    marks = alt.Chart(last[[x, "label_y", "label", name]]).mark_text(
        align="left",
        baseline="middle",
        dx=8,
        dy=-7 if last[text].astype(bool).any() else 0,
        lineHeight=14,
        fontWeight=600,
    )
    labels: alt.Chart = marks.encode(
        alt.X(x, type="quantitative"),
        alt.Y("label_y", type="quantitative"),
        text="label:N",
        color=color,
    )
    return labels


def line_colours(names: Sequence[str], tokens: Sequence[str], field: str = "name") -> alt.Color:
    """Colours of lines by their names, in order and without a legend: the lines are labelled."""
    shades = [hue(token) for token in tokens[: len(names)]]
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=list(names), range=shades), legend=None)


def rounded(values: Any) -> list[float]:
    """Four significant digits: more would not be seen, and would weigh."""
    return [float(f"{value:.4g}") for value in np.asarray(values, dtype=float)]


def reference(value: float, words: str, *, axis: str = "y", row: int = 0) -> Any:
    """A value that the reader knows: a thin dotted rule with its words on it, no colour.

    Words of upright rules that stand close together go into a row each.
    """
    rows = pd.DataFrame({"value": [value], "words": [words]})
    rule = alt.Chart(rows).mark_rule(strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted"))
    label = alt.Chart(rows).mark_text(
        align="left", baseline="bottom", dx=4, dy=-3, fontSize=12, color=hue("muted")
    )
    if axis == "y":
        pair = rule.encode(y="value:Q"), label.encode(x=alt.value(0), y="value:Q", text="words:N")
    else:
        pair = (
            rule.encode(x="value:Q"),
            label.encode(x="value:Q", y=alt.value(12 + 15 * row), text="words:N"),
        )
    return alt.layer(*pair)


def band(rows: pd.DataFrame, *, x: str, low: str, high: str, token: str) -> alt.Chart:
    """A range: a flat tint without outline; the words must say what its edges are."""
    tint: alt.Chart = (
        alt.Chart(rows)
        .mark_area(opacity=0.18, color=hue(token))
        .encode(alt.X(x, type="quantitative"), alt.Y(low, type="quantitative"), alt.Y2(high))
    )
    return tint


def css() -> str:
    """Colours as CSS variables for both themes, and the dark twin of what a chart may carry."""
    light = "".join(f"--{name}:{pair[0]};" for name, pair in TOKENS.items())
    dark = "".join(f"--{name}:{pair[1]};" for name, pair in TOKENS.items())
    twins = "".join(
        f'html[data-theme=dark] .chart svg [{attribute}="{pair[0]}"]{{{attribute}:{pair[1]}}}'
        for pair in TOKENS.values()
        for attribute in ("fill", "stroke")
    )
    return f":root{{{light}}}\n@media screen{{html[data-theme=dark]{{{dark}}}\n{twins}}}\n"
