"""Charts of what is lost in a small memory: a rounded state over tokens, recall over distance."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import altair as alt
import pandas as pd

from costlib.charts.theme import end_labels, hue, reference, short, spread, titled

__all__ = ["errors_by_token", "recall_by_distance", "value_by_token"]

LEAST_SHOWN: Final = 0.005  # share of the state
TALLEST: Final = 2.0
PERCENT: Final = "format(100 * datum.value, '~r') + '\u00a0%'"  # of an axis of shares


def _beside(rows: pd.DataFrame, *, y: str, high: float, height: float, gap: float) -> pd.DataFrame:
    """`rows`, one of each line, with a `label_y` that is `gap` pixels from any other's and above 0.

    Half a gap lies between the lowest and the axis.
    """
    unit = high / height
    order = rows.sort_values(y).copy()
    places = spread(list(order[y]), low=0, high=high, height=height, gap=gap, log=False)
    places[0] = max(places[0], gap / 2 * unit)
    for below, above in pairwise(range(len(places))):
        places[above] = max(places[above], places[below] + gap * unit)
    order["label_y"] = [round(place, 4) for place in places]
    return order


def errors_by_token(rows: pd.DataFrame, *, subtitle: str, note: str = "") -> alt.LayerChart:
    """Relative error of a rounded state over tokens, one line per decay.

    `rows` has n_tokens, decay and error: root mean squares over that of the state.
    """
    shown = rows.assign(
        name=[f"decay {value:g}" for value in rows["decay"]],
        text=[f"{100 * value:.3g} %" for value in rows["error"]],
        error=rows["error"].round(5),
    )
    most = float(shown["n_tokens"].max())
    x = alt.X(
        "n_tokens:Q", title="Tokens", scale=alt.Scale(type="log", domain=[1, most], nice=False)
    ).axis(values=[10.0**k for k in range(len(f"{most:.0f}"))], labelExpr=short())
    y = alt.Y(
        "error:Q",
        title="Error over the size of the state",
        scale=alt.Scale(type="log", domain=[LEAST_SHOWN, TALLEST], nice=False),
    ).axis(values=[0.01, 0.1, 1], labelExpr=PERCENT)
    lines = (
        alt.Chart(shown[["n_tokens", "error", "name"]])
        .mark_line(color=hue("teal"), clip=True)
        .encode(x, y, detail="name:N")
    )
    labels = end_labels(
        shown,
        x="n_tokens",
        y="error",
        name="name",
        text="text",
        color=alt.Color("name:N", scale=alt.Scale(range=[hue("teal")]), legend=None),
        low=LEAST_SHOWN,
        high=TALLEST,
    )
    at_the_end = shown[shown["n_tokens"] == most]
    last = dict(zip(at_the_end["decay"], at_the_end["error"], strict=True))
    settled = shown.loc[shown["error"] > 0.9 * shown["decay"].map(last)]
    since = settled.groupby("decay")["n_tokens"].min().to_dict()
    fast, slow = min(last), max(last)
    chart: alt.LayerChart = titled(
        lines + reference(1, "as large as the state itself") + labels,
        title=f"The error stops growing: at {100 * last[fast]:.0f}\u00a0% of the state with a "
        f"decay of {fast:g}, at {100 * last[slow]:.0f}\u00a0% with {slow:g}",
        subtitle=subtitle,
        description="Line chart on logarithmic axes. "
        + " ".join(
            f"Decay {decay:g}: {100 * error:.1f} % of the state, reached by token "
            f"{since[decay]:,.0f}."
            for decay, error in last.items()
        ),
        note=note,
    )
    return chart


def value_by_token(
    rows: pd.DataFrame, *, tokens: Mapping[str, str], decay: float, subtitle: str
) -> alt.LayerChart:
    """What is left of a value written once, one line per format.

    `rows` has n_tokens, format and value; `tokens` gives the formats their colours in order.
    """
    shown = rows.assign(
        value=rows["value"].round(4), text=[f"{value:.2f}" for value in rows["value"]]
    )
    formats = list(tokens)
    color = alt.Color(
        "format:N",
        scale=alt.Scale(domain=formats, range=[hue(token) for token in tokens.values()]),
        legend=None,
    )
    x = alt.X("n_tokens:Q", title="Tokens since it was written").axis(
        labelExpr=short(), tickCount=6, titleAnchor="middle"
    )
    y = alt.Y("value:Q", title="Left of it").scale(domain=[0, 1.1]).axis(values=[0, 0.5, 1])
    # The exact state lies under the formats that follow it: dashes let it show. Formats that run
    # on one line share it: the dashes of one lie in the gaps of the other.
    alike = shown.pivot_table("value", "format", "n_tokens").apply(tuple, axis=1)
    layers = []
    for name in formats:
        twins = [other for other in formats[1:] if alike[other] == alike[name]]
        dashes = len(twins) > 1 and name != formats[0]
        style = (
            {"strokeDash": [8, 8 * (len(twins) - 1)], "strokeDashOffset": -8 * twins.index(name)}
            if dashes
            else {"strokeDash": [1, 0] if name == formats[0] else [7, 5]}
        )
        part = alt.Chart(shown.loc[shown["format"] == name, ["n_tokens", "value", "format"]])
        layers.append(
            part.mark_line(strokeCap="butt" if dashes else "round", **style).encode(x, y, color)
        )
    ends = shown.sort_values("n_tokens").groupby("format", sort=False).tail(1)
    ends = _beside(ends, y="value", high=1.1, height=300, gap=17)
    labels = (
        alt.Chart(ends.assign(words=ends["format"] + " " + ends["text"]))
        .mark_text(align="left", dx=8, fontWeight=600)
        .encode(x="n_tokens:Q", y="label_y:Q", text="words:N", color=color)
    )
    last = shown.sort_values("n_tokens").groupby("format", sort=False)["value"].last()
    exact = last[formats[0]]
    stuck = [name for name in formats[1:] if last[name] > exact + 0.5]
    chart: alt.LayerChart = titled(
        alt.layer(*layers, labels),
        title=f"At a decay of {decay:g}, {' and '.join(stuck)} never forget"
        if stuck
        else f"At a decay of {decay:g}, every format forgets",
        subtitle=subtitle,
        description="Line chart. At the last token are left: "
        + ", ".join(f"{name} {last[name]:.2f}" for name in formats)
        + ".",
        height=300,
    )
    return chart


def _sinks(ordered: pd.DataFrame) -> pd.DataFrame:
    """Words beside the fall and the last rise of memories that answer again at the far end.

    `ordered` has distance, memory and recall, by distance.
    """
    rows = []
    for name, part in ordered.groupby("memory", sort=False):
        low = part[part["recall"] < 0.5]
        if len(low) and part["recall"].iloc[-1] > 0.5:
            least = f"{100 * low['recall'].iloc[-1]:.0f} %"
            rows += [
                (name, "fall", low["distance"].iloc[0], [str(name), f"then {least}"]),
                (name, "rise", low["distance"].iloc[-1], ["again:", "its sinks"]),
            ]
    return pd.DataFrame(rows, columns=["memory", "side", "distance", "words"]).assign(middle=0.5)


def recall_by_distance(
    rows: pd.DataFrame, *, tokens: Mapping[str, str], title: str, subtitle: str, note: str = ""
) -> alt.LayerChart:
    """Share of queries answered over how long ago the pair was written, one line per memory.

    `rows` has distance, memory and recall; `tokens` gives the memories their colours in order.
    """
    shown = rows.assign(
        recall=rows["recall"].round(4), text=[f"{100 * value:.0f} %" for value in rows["recall"]]
    )
    memories = list(tokens)
    color = alt.Color(
        "memory:N",
        scale=alt.Scale(domain=memories, range=[hue(token) for token in tokens.values()]),
        legend=None,
    )
    high = 1.05
    far = float(shown["distance"].max())
    x = (
        alt.X("distance:Q", title="Tokens since the pair was written")
        .scale(domain=[0, far], nice=False)
        .axis(format=",d", tickCount=6, titleAnchor="middle")
    )
    y = (
        alt.Y("recall:Q", title="Queries answered")
        .scale(domain=[0, high])
        .axis(values=[0, 0.25, 0.5, 0.75, 1], labelExpr=PERCENT)
    )
    lines = alt.Chart(shown[["distance", "recall", "memory"]]).mark_line().encode(x, y, color)
    ordered = shown.sort_values("distance")
    last = ordered.groupby("memory", sort=False).tail(1)
    back = _sinks(ordered)
    ends = _beside(
        last[~last["memory"].isin(back["memory"])], y="recall", high=high, height=340, gap=32
    )
    style: dict[str, Any] = {"lineHeight": 14, "fontWeight": 600}
    ends["words"] = [list(pair) for pair in zip(ends["memory"], ends["text"], strict=True)]
    labels = (
        alt.Chart(ends[["distance", "label_y", "memory", "words"]])
        .mark_text(align="left", dx=8, dy=-7, **style)
        .encode(x="distance:Q", y="label_y:Q", text="words:N", color=color)
    )
    inside = [
        alt.Chart(back[back["side"] == "fall"]).mark_text(align="left", dx=8, **style),
        alt.Chart(back[back["side"] == "rise"]).mark_text(align="right", dx=-8, **style),
    ]
    sides = [
        words.encode(x="distance:Q", y="middle:Q", text="words:N", color=color) for words in inside
    ]
    middle = shown.groupby("memory", sort=False)["recall"].mean()
    chart: alt.LayerChart = titled(
        alt.layer(lines, labels, *sides),
        title=title,
        subtitle=subtitle,
        description="Line chart. Mean over all distances: "
        + ", ".join(f"{name} {100 * middle[name]:.0f} %" for name in memories)
        + ".",
        note=note,
    )
    return chart
