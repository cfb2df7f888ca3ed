"""Charts of `queueing`: the tail, the limit, the replay, the batch, the crowd."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costlib import bulk, clipping, queueing, staffing
from costlib.charts.theme import WORKLOAD, end_labels, hue, reference, titled

__all__ = [
    "batching_lines",
    "batching_ways",
    "busy_fraction",
    "clipped_laws",
    "clipped_tables",
    "replay_lines",
    "short",
    "staffing_lines",
    "tail_lines",
]

LINES: Final = ("ink", "blue", "teal", "magenta", "brown")
TRACE: Final = {  # short names
    "Azure chat": WORKLOAD["chat"],
    "Mooncake": WORKLOAD["long-context"],
    "Claude Code": WORKLOAD["agents"],
    "Azure code": WORKLOAD["code"],
}


# --- frames ----------------------------------------------------------------------------------


def clipped_laws(
    sigmas: Sequence[float], *, clipped_fraction: float, loads: Sequence[float]
) -> pd.DataFrame:
    """Wait left (`at` a load) and tokens lost when the longest lognormal answers are cut."""
    rows = []
    for sigma in sigmas:
        law = {"mean_tokens": 1.0, "sigma": sigma}
        limit = clipping.share_limit_tokens(clipped_fraction=clipped_fraction, **law)
        mean = clipping.clipped_mean_tokens(limit_tokens=limit, **law)
        ratio = clipping.wait_ratio(
            busy_fraction=loads,
            mean_tokens=1.0,
            length_scv=clipping.clipped_scv(limit_tokens=np.inf, **law),
            clipped_mean_tokens=mean,
            clipped_scv=clipping.clipped_scv(limit_tokens=limit, **law),
        )
        row = {"name": f"sigma {sigma:g}", "lost_fraction": 1 - float(mean)}
        rows.append(row | _at(loads, np.asarray(ratio)))
    return pd.DataFrame(rows)


def clipped_tables(
    tables: Mapping[str, NDArray[np.float64]], *, clipped_fraction: float, loads: Sequence[float]
) -> pd.DataFrame:
    """The same of tables of equally likely lengths, with the limit."""
    rows = []
    for name, lengths in tables.items():
        given = {"lengths_tokens": lengths}
        limit = np.quantile(lengths, 1 - clipped_fraction, method="inverted_cdf")
        whole, mean = lengths.mean(), clipping.kept_mean_tokens(limit, **given)
        ratio = clipping.wait_ratio(
            busy_fraction=loads,
            mean_tokens=whole,
            length_scv=clipping.kept_scv(np.inf, **given),
            clipped_mean_tokens=mean,
            clipped_scv=clipping.kept_scv(limit, **given),
        )
        row = {"name": name, "lost_fraction": 1 - mean / whole, "limit_tokens": float(limit)}
        rows.append(row | _at(loads, np.asarray(ratio)))
    return pd.DataFrame(rows)


def _at(loads: Sequence[float], ratio: NDArray[np.float64]) -> dict[str, float]:
    return {f"at_{100 * load:.0f}": float(value) for load, value in zip(loads, ratio, strict=True)}


def batching_ways(
    requests_per_s: Sequence[float],
    *,
    lengths_tokens: NDArray[np.float64],
    cost: Mapping[str, float],
    n_most: int,
    n_fixed: Sequence[int],
) -> pd.DataFrame:
    """Mean time to the end of an answer, by way of batching and rate."""
    given: dict[str, Any] = {"lengths_tokens": lengths_tokens, **cost}
    padded, elastic = bulk.padded_s(n_most, **given), bulk.elastic_s(n_most, **given)
    held = padded.mean(axis=1)
    ways: dict[str, tuple[Any, Any, int]] = {
        "one at a time": (padded[:1], held[:1], 1),
        **{f"fixed, {n}": (padded[:n], held[:n], n) for n in n_fixed},
        "dynamic": (padded, held, 1),
        "elastic": (elastic, bulk.elastic_held_s(n_most, **given), 1),
    }
    frames = []
    for name, (durations, each, least) in ways.items():
        answers = bulk.sojourn_s(requests_per_s, durations_s=durations, held_s=each, n_least=least)
        frames.append(pd.DataFrame({"way": name, "rate": requests_per_s, "sojourn_s": answers}))
    return pd.concat(frames, ignore_index=True)


def short(traces: Any) -> Any:
    """Names of traces that fit a column or the end of a line."""
    return traces.str.replace("Azure conversation", "Azure chat").str.replace(
        "Mooncake conversation", "Mooncake"
    )


# --- still charts ----------------------------------------------------------------------------


def tail_lines(sigmas: Sequence[float], *, service_s: float, load: float, subtitle: str) -> Any:
    """Mean wait for one server against its load, a line per spread of the lengths."""
    loads = np.arange(5, 97.5, 0.5) / 100
    frames = []
    for sigma in sigmas:
        wait = queueing.wait_s(
            requests_per_s=loads / service_s, service_s=service_s, service_scv=np.expm1(sigma**2)
        )
        name = f"sigma {sigma:g}" if sigma else "all alike"
        frames.append(pd.DataFrame({"load": 100 * loads, "wait": wait, "name": name}))
    rows = pd.concat(frames, ignore_index=True)
    rows["wait"] = rows["wait"].map(lambda value: float(f"{value:.4g}"))
    rows["text"] = [f"{value:,.0f} s" for value in rows["wait"]]
    names = list(dict.fromkeys(rows["name"]))
    low, high = 0.1, 3000.0
    color = alt.Color(
        "name:N",
        scale=alt.Scale(domain=names, range=[hue(token) for token in LINES[: len(names)]]),
        legend=None,
    )
    lines = (
        alt.Chart(rows[["load", "wait", "name"]])
        .mark_line(clip=True)
        .encode(
            alt.X("load:Q", title="Server busy (%)")
            .scale(domain=[0, 100])
            .axis(values=[0, 20, 40, 60, 80, 100]),
            alt.Y(
                "wait:Q",
                title="Mean wait (s, logarithmic)",
                scale=alt.Scale(type="log", domain=[low, high], nice=False),
            ).axis(values=[0.1, 1, 10, 100, 1000], format=",~g"),
            color,
        )
    )
    labels = end_labels(
        rows, x="load", y="wait", name="name", text="text", color=color, low=low, high=high
    )
    here = {
        sigma: float(
            queueing.wait_s(
                requests_per_s=load / service_s,
                service_s=service_s,
                service_scv=np.expm1(sigma**2),
            )
        )
        for sigma in sigmas
    }
    first, last = here[sigmas[0]], here[sigmas[-1]]
    return titled(
        lines + labels + reference(100 * load, f"{100 * load:.0f} %", axis="x"),
        title=f"The same tokens, spread more: {first:.0f} s of wait become {last:.0f}",
        subtitle=subtitle,
        description=f"Line chart of the mean wait against the load. At {100 * load:.0f} percent: "
        + " ".join(f"{value:.1f} s with sigma {sigma:g}." for sigma, value in here.items()),
        height=360,
    )


def replay_lines(rows: pd.DataFrame, *, subtitle: str) -> Any:
    """Wait of a replay over that of the formula, by trace and load; `times` in `rows`."""
    shown = rows.assign(
        trace=short(rows["trace"]),
        load=100 * rows["load"],
        times=[float(f"{value:.4g}") for value in rows["times"]],
        text=[f"{value:.2g} ×" for value in rows["times"]],
    )
    low, high = 0.5, 20.0
    color = alt.Color(
        "trace:N",
        scale=alt.Scale(domain=list(TRACE), range=[hue(token) for token in TRACE.values()]),
        legend=None,
    )
    most = float(shown["load"].max())
    x = (
        alt.X("load:Q", title="Servers busy (%)")
        .scale(domain=[0, most], nice=False)
        .axis(values=[0, 20, 40, 60, 80])
    )
    y = alt.Y(
        "times:Q",
        title="Wait of the replay over the formula’s (logarithmic)",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
    ).axis(values=[0.5, 1, 2, 5, 10, 20], labelExpr="datum.value + ' ×'")
    base = alt.Chart(shown[["load", "times", "trace"]])
    ends = shown.sort_values("load").groupby("trace").tail(1).assign(load=most)  # past the rule
    labels = end_labels(
        ends, x="load", y="times", name="trace", text="text", color=color, low=low, high=high
    )
    code = shown.loc[shown["trace"] == "Azure code", "times"].max()
    chats = rows["times"][shown["trace"].isin(["Azure chat", "Mooncake"])]
    off = (chats - 1).abs().max()
    return titled(
        base.mark_line(strokeWidth=1.5).encode(x, y, color)
        + base.mark_point(size=60, opacity=1).encode(x, y, color)
        + labels
        + reference(1, "formula"),
        title=f"Within {100 * off:.0f} % of the formula for chats, up to {code:.0f} times above it "
        "for code",
        subtitle=subtitle,
        description="Line chart of the wait of replayed requests over that of Pollaczek and "
        "Khinchine, against the load. "
        + " ".join(
            f"{trace}: {part['times'].iloc[0]:.2f} times at {part['load'].iloc[0]:.0f} percent, "
            f"{part['times'].iloc[-1]:.2f} at {part['load'].iloc[-1]:.0f}."
            for trace, part in shown.sort_values("load").groupby("trace")
        ),
        height=340,
    )


def batching_lines(rows: pd.DataFrame, *, subtitle: str) -> Any:
    """Mean time to the end of an answer against the rate, a line per way of `batching_ways`."""
    finite = rows[np.isfinite(rows["sojourn_s"])].assign(
        sojourn_s=lambda frame: [float(f"{value:.4g}") for value in frame["sojourn_s"]],
        text=lambda frame: [f"{value:,.0f} s" for value in frame["sojourn_s"]],
    )
    low = 0.8 * float(finite["sojourn_s"].min())
    high = 50 * low
    shown = finite[finite["sojourn_s"] <= high]
    names = list(dict.fromkeys(rows["way"]))
    color = alt.Color(
        "way:N",
        scale=alt.Scale(domain=names, range=[hue(token) for token in LINES[: len(names)]]),
        legend=None,
    )
    first, last = float(shown["rate"].min()), float(shown["rate"].max())
    ticks = [digit * 10.0**power for power in range(-3, 3) for digit in (1, 2, 5)]
    lines = (
        alt.Chart(shown[["rate", "sojourn_s", "way"]])
        .mark_line(clip=True)
        .encode(
            alt.X(
                "rate:Q",
                title="Requests per second (logarithmic)",
                scale=alt.Scale(type="log", domain=[first, last], nice=False),
            ).axis(values=[tick for tick in ticks if first <= tick <= last], format="~g"),
            alt.Y(
                "sojourn_s:Q",
                title="From arrival to the last token (s, logarithmic)",
                scale=alt.Scale(type="log", domain=[low, high], nice=False),
            ).axis(values=[tick for tick in ticks if low <= tick <= high], format="~g"),
            color,
        )
    )
    to_the_end = shown.groupby("way")["rate"].transform("max") == last
    labels = end_labels(
        shown[to_the_end],
        x="rate",
        y="sojourn_s",
        name="way",
        text="text",
        color=color,
        low=low,
        high=high,
    )
    broken = shown[~to_the_end].sort_values("rate").groupby("way")
    high_up = broken.head(1).query(f"sojourn_s > {3 * low}")  # apart from the others at first
    stopped = broken.tail(1).query("way not in @high_up.way").sort_values("rate")
    sides: list[tuple[Any, Any, int, int]] = [
        (high_up, "left", 16, -6),
        (stopped.iloc[:-1], "center", 0, -26),  # on top of its line, between the others
        (stopped.iloc[-1:], "left", 6, -6),
    ]
    ends = alt.layer(
        *(
            alt.Chart(
                part[["rate", "sojourn_s", "way"]].assign(
                    words=[textwrap.wrap(way, 7) if dx == 0 else way for way in part["way"]]
                )
            )
            .mark_text(align=align, dx=dx, dy=dy, lineHeight=14, fontWeight=600)
            .encode(x="rate:Q", y="sojourn_s:Q", text="words:N", color=color)
            for part, align, dx, dy in sides
            if len(part)
        )
    )
    top = finite.groupby("way")["rate"].max()
    wide = finite.pivot_table(index="rate", columns="way", values="sojourn_s")
    saved = 1 - wide["elastic"] / wide["dynamic"]
    return titled(
        lines + labels + ends,
        title=f"Leaving when done saves {100 * saved.min():.0f} to {100 * saved.max():.0f} % of "
        "the time; waiting for a full batch wastes it",
        subtitle=subtitle,
        description="Line chart of the mean time to the end of an answer against the rate. "
        + " ".join(
            f"{way}: {wide[way].iloc[0]:.1f} s at {first:g} per second, finite up to {rate:.2g}."
            for way, rate in top.items()
        ),
        height=380,
    )


def staffing_lines(
    peaks: Sequence[float], *, waiting_fraction: float, mean_load: float, subtitle: str
) -> Any:
    """Share of the servers that work, in the mean, against the load; a line per peak over mean."""
    loads = np.unique(np.round(np.geomspace(5, 3000, 60), 1))
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "load": loads,
                    "busy": np.round(100 * busy_fraction(loads, peak, waiting_fraction), 2),
                    "name": f"peak {peak:g} ×",
                }
            )
            for peak in peaks
        ],
        ignore_index=True,
    )
    rows["text"] = [f"{value:.0f} % busy" for value in rows["busy"]]
    names = list(dict.fromkeys(rows["name"]))
    color = alt.Color(
        "name:N",
        scale=alt.Scale(domain=names, range=[hue(token) for token in LINES[: len(names)]]),
        legend=None,
    )
    lines = (
        alt.Chart(rows[["load", "busy", "name"]])
        .mark_line()
        .encode(
            alt.X(
                "load:Q",
                title="Mean work (servers, logarithmic)",
                scale=alt.Scale(type="log", domain=[5, 3000], nice=False),
            ).axis(values=[5, 10, 30, 100, 300, 1000, 3000], format=",~g"),
            alt.Y("busy:Q", title="Servers busy in the mean (%)").scale(domain=[0, 100]),
            color,
        )
    )
    labels = end_labels(
        rows,
        x="load",
        y="busy",
        name="name",
        text="text",
        color=color,
        low=0,
        high=100,
        log=False,
    )
    here = {peak: float(busy_fraction(mean_load, peak, waiting_fraction)) for peak in peaks}
    return titled(
        lines + labels + reference(mean_load, f"{mean_load:g}", axis="x"),
        title=f"At a mean of {mean_load:g} servers’ work, {100 * here[peaks[0]]:.0f} % are busy "
        f"without a peak, {100 * here[peaks[-1]]:.0f} % with the highest",
        subtitle=subtitle,
        description="Line chart of the share of servers that are busy in the mean, against the "
        f"mean load. At {mean_load:g}: "
        + " ".join(f"{100 * value:.0f} percent, peak {p:g} times." for p, value in here.items()),
        height=320,
    )


def busy_fraction(mean_load: Any, peak_times: float, waiting_fraction: float) -> Any:
    """Share of the servers that work in the mean, when a promise is kept at the peak."""
    needed = staffing.n_servers(
        waiting_fraction=waiting_fraction,
        requests_per_s=np.asarray(mean_load) * peak_times,
        service_s=1,
    )
    return mean_load / needed
