"""Charts of replicas under a load: waits by load, real hours, the price of a promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib.charts.theme import WORKLOAD, end_labels, hue, reference, titled, usd

__all__ = ["TIMES", "by_load", "by_promise", "real_hours", "seconds_axis"]

BESIDE: Final[Mapping[str, tuple[Any, int, int]]] = {  # where a name crosses no line
    "chat": ("left", 8, -10),
    "code": ("right", 0, 16),
    "long-context": ("right", -2, -46),
    "reasoning": ("left", 8, -7),
}
SHORT: Final = {  # trace: its name on a chart, and whose colour it has
    "Azure conversation": ("Azure chat", "chat"),
    "Azure code": ("Azure code", "code"),
    "Mooncake conversation": ("Mooncake", "long-context"),
}
SECONDS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
TIMES: Final = {
    "sojourn_s": ("answer, mean", "ink"),
    "ttft_p95_s": ("first, p95", "magenta"),
}


def seconds_axis(low: float, high: float, title: str) -> alt.Y:
    """Seconds on a logarithmic axis, with the usual ticks."""
    y = alt.Y("seconds:Q", title=title, scale=alt.Scale(type="log", domain=[low, high], nice=False))
    return y.axis(values=[tick for tick in SECONDS if low <= tick <= high], format=",~g")


def _load_axis(field: str, top: float = 100) -> alt.X:
    x = alt.X(field, title="Offered load (% of saturation)").scale(domain=[0, top], nice=False)
    return x.axis(values=[tick for tick in (0, 20, 40, 60, 80, 100) if tick <= top])


def by_load(lines: pd.DataFrame, dots: pd.DataFrame, *, name: str, subtitle: str) -> Any:
    """Formula as lines, simulation as dots. Both frames have `load` and the columns of times."""

    def long(frame: pd.DataFrame) -> pd.DataFrame:
        parts = [
            pd.DataFrame(
                {
                    "load": (100 * frame["load"]).round(1),
                    "seconds": [float(f"{value:.4g}") for value in frame[column]],
                    "name": words,
                }
            )
            for column, (words, _) in TIMES.items()
        ]
        return pd.concat(parts, ignore_index=True)

    drawn, points = long(lines), long(dots)
    drawn["text"] = [f"{value:.3g} s" for value in drawn["seconds"]]
    low = 0.7 * float(drawn["seconds"].min())
    high = 1.4 * float(max(drawn["seconds"].max(), points["seconds"].max()))
    color = alt.Color(
        "name:N",
        scale=alt.Scale(
            domain=[words for words, _ in TIMES.values()],
            range=[hue(token) for _, token in TIMES.values()],
        ),
        legend=None,
    )
    x = _load_axis("load:Q")
    y = seconds_axis(low, high, "Seconds")
    curve = alt.Chart(drawn[["load", "seconds", "name"]]).mark_line().encode(x, y, color)
    marks = alt.Chart(points).mark_point(size=70).encode(x, y, color)
    labels = end_labels(
        drawn, x="load", y="seconds", name="name", text="text", color=color, low=low, high=high
    )
    first = drawn[drawn["name"] == TIMES["ttft_p95_s"][0]]
    half = float(np.interp(50, first["load"], first["seconds"]))
    end = first.iloc[-1]
    return titled(
        curve + marks + labels,
        title=f"{name[0].upper()}{name[1:]}: the p95 first token takes {half:.2g} s at half load, "
        f"{end['seconds']:.2g} s at {end['load']:.0f} %",
        subtitle=subtitle,
        description=f"Lines by offered load, on a logarithmic axis of seconds. The 95th percentile "
        f"of the time to first token is {half:.2g} s at 50 percent and {end['seconds']:.2g} s at "
        f"{end['load']:.0f} percent. Dots of the simulation lie on or near the lines.",
        note="Lines: the queue of prompts and answers. Dots: the simulation, which draws the same "
        "lengths for Poisson arrivals.",
    )


def real_hours(rows: pd.DataFrame) -> Any:
    """Replayed hours over Poisson arrivals of the same requests, by load.

    `rows` has trace, load and ratio.
    """
    names, uses = zip(*(SHORT[trace] for trace in dict.fromkeys(rows["trace"])), strict=True)
    shown = rows.assign(
        trace=[SHORT[trace][0] for trace in rows["trace"]],
        percent=(100 * rows["load"]).round(0),
        ratio=rows["ratio"].round(3),
        text=[f"{value:.3g} times" for value in rows["ratio"]],
    )
    color = alt.Color(
        "trace:N",
        scale=alt.Scale(domain=list(names), range=[hue(WORKLOAD[use]) for use in uses]),
        legend=None,
    )
    low, high = 0.7, 1.3 * float(shown["ratio"].max())
    x = _load_axis("percent:Q", float(shown["percent"].max()))
    y = alt.Y(
        "ratio:Q",
        title="Mean time, replayed over Poisson",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
    ).axis(values=[1, 2, 5, 10, 20, 50], format="~g")
    lines = alt.Chart(shown[["percent", "ratio", "trace"]]).encode(x, y, color)
    labels = end_labels(
        shown, x="percent", y="ratio", name="trace", text="text", color=color, low=low, high=high
    )
    at_80 = shown[shown["percent"] == 80].set_index("trace")["ratio"]
    worst = at_80.idxmax()
    chance = reference(1, "Poisson arrivals")
    return titled(
        chance + lines.mark_line() + lines.mark_point(size=60) + labels,
        title=f"A recorded hour takes {at_80.min():.2g} to {at_80.max():.0f} times as long as "
        "Poisson arrivals at 80 % load",
        subtitle="Mean time from arrival to last token, the same requests replayed in their order "
        "over Poisson arrivals; log axis",
        description="Lines by offered load. At 80 percent: "
        + ", ".join(f"{trace} {value:.3g} times" for trace, value in at_80.items())
        + f". {worst} waits longest.",
        note="Each hour is stretched in time to the load; every request keeps its lengths.",
    )


def by_promise(grid: pd.DataFrame, *, subtitle: str) -> Any:
    """USD per million output tokens at the most traffic that keeps a promise.

    `grid` has workload, ttft_p95_s and usd_per_mtok along rising loads.
    """
    names = list(dict.fromkeys(grid["workload"]))
    shown = grid.assign(
        ttft=[float(f"{value:.4g}") for value in grid["ttft_p95_s"]],
        usd=[float(f"{value:.4g}") for value in grid["usd_per_mtok"]],
        text=[usd(float(value)) for value in grid["usd_per_mtok"]],
    )
    color = alt.Color(
        "workload:N",
        scale=alt.Scale(domain=names, range=[hue(WORKLOAD[name]) for name in names]),
        legend=None,
    )
    low, high = 0.7 * shown["usd"].min(), 1.4 * shown["usd"].max()
    x = alt.X(
        "ttft:Q",
        title="Promised time to first token, p95 (s)",
        scale=alt.Scale(type="log", domain=[0.2, float(shown["ttft"].max())], nice=False),
    ).axis(values=[0.2, 0.5, 1, 2, 5, 10, 20, 50], format="~g")
    y = alt.Y(
        "usd:Q",
        title="USD per million output tokens",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
    ).axis(values=[0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500], format="$~g")
    lines = alt.Chart(shown[["ttft", "usd", "workload"]]).mark_line(clip=True).encode(x, y, color)
    tails = shown.groupby("workload", sort=False).tail(1).copy()
    tails["words"] = [list(pair) for pair in zip(tails["workload"], tails["text"], strict=True)]
    labels = [
        alt.Chart(tails.loc[tails["workload"] == name, ["ttft", "usd", "workload", "words"]])
        .mark_text(align=align, dx=dx, dy=dy, lineHeight=14, fontWeight=600)
        .encode(x, y, color, text="words:N")
        for name, (align, dx, dy) in BESIDE.items()
        if name in names
    ]
    starts = shown.groupby("workload", sort=False)["usd"].first()
    ends = shown.groupby("workload", sort=False)["usd"].last()
    return titled(
        alt.layer(lines, *labels),
        title="A tight promise is paid with idle machines: the price falls as the promise loosens",
        subtitle=subtitle,
        description="Falling lines of the price by the promised time to first token, both axes "
        "logarithmic. From the lowest load to the highest: "
        + ", ".join(f"{name} {usd(starts[name])} to {usd(ends[name])}" for name in names)
        + ".",
        note="At each promise as much traffic as keeps it. Input is in the price: all rent is "
        "spread over output tokens.",
    )
