"""Charts of `validation`: how wrong the serving model is, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib.charts.controls import Control, params
from costlib.charts.theme import cast, hue, titled

__all__ = [
    "METRIC_WORDS",
    "error_groups",
    "left_out_scores",
    "predicted_measured",
    "step_terms",
    "within",
    "within_controls",
    "within_point",
]

METRIC_WORDS: Final[Mapping[str, str]] = {
    "output_tokens_per_s_total": "saturated throughput",
    "tpot_ms": "time per output token",
    "ttft_ms": "time to first token",
}
UNITS: Final = {"output_tokens_per_s_total": "tokens/s", "tpot_ms": "ms", "ttft_ms": "ms"}
METRIC_HUES: Final = dict(zip(METRIC_WORDS.values(), ("blue", "teal", "brown"), strict=True))
TERM_HUES: Final = {
    "weights": "teal",
    "arithmetic": "brown",
    "cache": "blue",
    "attention": "ochre",
    "links": "violet",
    "launches": "magenta",
    "sequences": "muted",
}
POINTS_PER_METRIC: Final = 220
MOST_SHOWN: Final = 100  # a hundredth each


def step_terms(terms_s: Mapping[str, Any], light_s: Any, clients: Sequence[float]) -> Any:
    """What a step's time goes into, against the speed of light, one bar for each load."""
    names = [f"{n:,.0f} client{'s' if n > 1 else ''}" for n in clients]
    rows = pd.DataFrame(
        [
            {"clients": name, "term": term, "ms": round(float(value) * 1e3, 3), "order": order}
            for order, term in enumerate(TERM_HUES)
            for name, value in zip(names, np.broadcast_to(terms_s[term], len(names)), strict=True)
        ]
    )
    light = pd.DataFrame({"clients": names, "ms": np.round(np.asarray(light_s) * 1e3, 3)})
    shares = rows.groupby("term")["ms"].sum() / rows["ms"].sum()
    y = alt.Y("clients:N", sort=names, title=None)
    bars = (
        alt.Chart(rows)
        .mark_bar(height=22)
        .encode(
            alt.X("ms:Q", title="Milliseconds of a decode step"),
            y,
            alt.Color("term:N", scale=cast(TERM_HUES), legend=alt.Legend(columns=3)),
            order="order:Q",
        )
    )
    ticks = (
        alt.Chart(light).mark_tick(color=hue("ink"), thickness=3, height=30).encode(x="ms:Q", y=y)
    )
    return titled(
        bars + ticks,
        title=f"{str(shares.idxmax()).capitalize()} take most here; light would stop at the mark",
        subtitle="Terms of a predicted step; they add up",
        description="Stacked bars of step time by term. Share of all bars: "
        + ", ".join(f"{term} {share:.0%}" for term, share in shares.items()),
        height=40 + 44 * len(names),
    )


def within_controls() -> tuple[Control, ...]:
    """What the reader of the scatter can move."""
    return (
        Control(
            parameter="metric_number",
            label="Metric",
            unit="",
            value=1.0,
            options=tuple(float(n) for n in range(len(METRIC_WORDS))),
            words=tuple(METRIC_WORDS.values()),
        ),
        Control(
            parameter="error_fraction",
            label="Error allowed",
            unit="%",
            value=20,
            low=1,
            high=MOST_SHOWN,
            step=1,
            scale=0.01,
        ),
    )


def within(errors: pd.DataFrame) -> pd.DataFrame:
    """Share of each metric's rows within every whole hundredth of error.

    `errors` comes from `validate.errors`.
    """
    allowed = np.arange(1, MOST_SHOWN + 1)
    return pd.DataFrame(
        [
            {
                "metric_number": number,
                "hundredths": int(hundredths),
                "share": round(float((ape <= hundredths / 100).mean()), 4),
                "n": len(ape),
            }
            for number, metric in enumerate(METRIC_WORDS)
            for ape in [errors.loc[errors["metric"] == metric, "ape"].to_numpy()]
            if len(ape)
            for hundredths in allowed
        ]
    )


def _sample(errors: pd.DataFrame) -> pd.DataFrame:
    """Every so many rows of each metric, as points with their words."""
    parts = []
    for number, metric in enumerate(METRIC_WORDS):
        rows = errors[(errors["metric"] == metric) & (errors["ratio"] > 0)]
        rows = rows.sort_values("measured").iloc[:: max(1, len(rows) // POINTS_PER_METRIC)]
        parts.append(
            pd.DataFrame(
                {
                    "metric_number": number,
                    "measured": [float(f"{value:.3g}") for value in rows["measured"]],
                    "predicted": [float(f"{value:.3g}") for value in rows["predicted"]],
                    "row": [_words(row) for row in rows.to_dict("records")],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _words(row: Mapping[Any, Any]) -> str:
    """One measured row in words."""
    clients = f", {row['n_clients']:.0f} clients" if row["n_clients"] < np.inf else ""
    return (
        f"{row['model']}, {row['n_accelerators']:.0f} {row['accelerator']}, {row['engine']}, "
        f"{row['weight_format'].upper()}, {row['input_tokens']:,.0f} in, "
        f"{row['output_tokens']:,.0f} out"
        f"{clients}"
    )


LOG: Final = alt.Scale(type="log", nice=False, padding=8)


def _axes(unit: str = "") -> tuple[alt.X, alt.Y, alt.Y]:
    """Axes of measured and of predicted values, and the latter for the lower edge of a band."""
    words = f" ({unit})" if unit else ""
    across = alt.X("measured:Q", title=f"Measured{words}", scale=LOG)
    up, edge = (
        alt.Y(field, title=f"Predicted{words}", scale=LOG).axis(format=",", tickCount=5)
        for field in ("predicted:Q", "low:Q")
    )
    return across.axis(format=",", tickCount=5), up, edge


def predicted_measured(errors: pd.DataFrame, controls: Sequence[Control]) -> Any:
    """Predicted against measured, both logarithmic; the share of rows within a band.

    `errors` comes from `validate.errors`. Points are a sample; the share counts every row.
    """
    points, counted = _sample(errors), within(errors)
    chosen = "datum.metric_number == metric_number"
    x, y, edge = _axes()
    ends = points.groupby("metric_number")["measured"].agg(["min", "max"])
    lines = pd.DataFrame(
        [
            {"metric_number": number, "measured": float(end)}
            for number, row in ends.iterrows()
            for end in (row["min"], row["max"])
        ]
    )
    start = {control.parameter: control.value for control in controls}
    tint = (
        alt.Chart(lines)
        .transform_filter(chosen)
        .transform_calculate(
            low="datum.measured * max(1 - error_fraction / 100, 0.01)",
            high="datum.measured * (1 + error_fraction / 100)",
        )
        .mark_area(color=hue("you"), opacity=0.16, clip=True)
        .encode(x, edge, alt.Y2("high:Q"))
    )
    same = (
        alt.Chart(lines)
        .transform_filter(chosen)
        .transform_calculate(predicted="datum.measured")
        .mark_line(color=hue("muted"), strokeDash=[4, 3], strokeWidth=1.5)
        .encode(x, y)
    )
    dots = (
        alt.Chart(points)
        .transform_filter(chosen)
        .mark_point(filled=True, size=34, color=hue("blue"), opacity=0.65)
        .encode(x, y, tooltip=["row:N", "measured:Q", "predicted:Q"])
    )
    unit = (
        alt.Chart(
            pd.DataFrame(
                [
                    {"metric_number": number, "unit": f"both axes in {UNITS[metric]}"}
                    for number, metric in enumerate(METRIC_WORDS)
                ]
            )
        )
        .transform_filter(chosen)
        .mark_text(align="right", baseline="bottom", dy=-5, color=hue("muted"))
        .encode(x=alt.value("width"), y=alt.value("height"), text="unit:N")
    )
    words = (
        alt.Chart(counted)
        .transform_filter(f"{chosen} && datum.hundredths == error_fraction")
        .transform_calculate(
            share="datum.share",
            text="format(100 * datum.share, '.0f') + '\u00a0% of ' + format(datum.n, ',') "
            "+ ' rows within ' + error_fraction + '\u00a0%'",
        )
        .mark_text(align="left", baseline="top", color=hue("you"), fontWeight=700, fontSize=14)
        .encode(x=alt.value(8), y=alt.value(4), text="text:N")
    )
    shown = counted[
        (counted["metric_number"] == start["metric_number"])
        & (counted["hundredths"] == start["error_fraction"])
    ].iloc[0]
    return titled(
        (tint + same + dots + unit + words).add_params(*params(controls)),
        title="Predicted against measured: pick a metric, and how wrong it may be",
        subtitle="Both axes logarithmic; dashed: the two are equal",
        description=(
            "Interactive scatter of predicted against measured values. At first the time per "
            f"output token: {100 * shown['share']:.0f} percent of {shown['n']:,.0f} rows within "
            f"{start['error_fraction']:.0f} percent."
        ),
        note=f"About {POINTS_PER_METRIC} rows of each metric are drawn; the share counts all.",
        height=380,
    )


def within_point(errors: pd.DataFrame, **moved: float) -> Any:
    """The twin of `predicted_measured` for one setting, computed in Python."""
    number, allowed = int(moved["metric_number"]), moved["error_fraction"]
    metric = list(METRIC_WORDS)[number]
    rows = errors[errors["metric"] == metric]
    points = _sample(errors)
    points = points[points["metric_number"] == number]
    share = float((rows["ape"] <= allowed).mean())
    ends = points["measured"].agg(["min", "max"]).to_numpy()
    tint = pd.DataFrame(
        {
            "measured": ends,
            "low": ends * max(1 - allowed, 0.01),
            "high": ends * (1 + allowed),
            "predicted": ends,
        }
    )
    x, y, edge = _axes(UNITS[metric])
    layers = [
        alt.Chart(tint).mark_area(color=hue("you"), opacity=0.16).encode(x, edge, alt.Y2("high:Q")),
        alt.Chart(tint).mark_line(color=hue("muted"), strokeDash=[4, 3]).encode(x, y),
        alt.Chart(points)
        .mark_point(filled=True, size=34, color=hue("blue"), opacity=0.65)
        .encode(x, y),
    ]
    spoken = f"{100 * share:.0f}\u00a0% of {len(rows):,} rows within {100 * allowed:.0f}\u00a0%"
    return titled(
        alt.layer(*layers),
        title=spoken,
        subtitle=METRIC_WORDS[metric].capitalize(),
        description=spoken,
        height=320,
    )


def error_groups(groups: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """Median error of each metric in each group, worst on top. See `validate.by_group`."""
    rows = groups.assign(
        metric=groups["metric"].map(METRIC_WORDS),
        error=(groups["median_ape"] * 100).round(1),
        bias=((groups["ratio"] - 1) * 100).round(1),
    )[["group", "metric", "error", "bias", "n"]]
    order = list(rows.groupby("group")["error"].mean().sort_values(ascending=False).index)
    base = alt.Chart(rows).encode(
        alt.X(
            "error:Q",
            title="Median absolute error (%), logarithmic",
            scale=alt.Scale(type="log", nice=False, padding=12),
        ).axis(values=[2, 5, 10, 20, 50, 100]),
        alt.Y("group:N", sort=order, title=None).axis(labelLimit=220),
        alt.Color(
            "metric:N",
            scale=cast(METRIC_HUES),
            legend=alt.Legend(columns=1, symbolType="circle", labelLimit=0),
        ),
    )
    dots = base.mark_point(size=110, filled=True, opacity=1).encode(
        tooltip=["group:N", "metric:N", "error:Q", "bias:Q", "n:Q"]
    )
    worst = rows.sort_values("error").iloc[-1]
    return titled(
        dots,
        title=title,
        subtitle=subtitle,
        description=(
            f"Dots of median error by group and metric. Worst: {worst['group']}, "
            f"{worst['metric']}, {worst['error']:.0f} percent of {worst['n']:.0f} rows."
        ),
        height=70 + 24 * len(order),
    )


def left_out_scores(scores: pd.DataFrame, *, bars: Mapping[str, float]) -> Any:
    """Median error of groups that the constants had not seen, with the bar each has to clear.

    `scores` is `data/left_out.csv` as numbers; `bars` the most that is allowed, by metric.
    """
    rows = scores[scores["group"] != "all"].assign(
        metric=lambda t: t["metric"].map(METRIC_WORDS),
        error=lambda t: (t["median_ape"] * 100).round(1),
    )[["left_out", "group", "metric", "error", "n"]]
    whole = scores[scores["group"] == "all"].assign(
        metric=lambda t: t["metric"].map(METRIC_WORDS),
        error=lambda t: (t["median_ape"] * 100).round(1),
    )[["left_out", "metric", "error"]]
    limit = pd.DataFrame(
        [{"metric": METRIC_WORDS[m], "bar": round(value * 100, 1)} for m, value in bars.items()]
    )
    y = alt.Y("metric:N", sort=list(METRIC_HUES), title=None).axis(labelLimit=220)
    scale = alt.Scale(type="log", nice=False, padding=12)
    x = alt.X("error:Q", title="Median absolute error of rows left out (%)", scale=scale).axis(
        values=[5, 10, 20, 50, 100]
    )
    color = alt.Color("metric:N", scale=cast(METRIC_HUES), legend=None)
    dots = (
        alt.Chart(rows)
        .mark_point(size=60, filled=True, opacity=0.55)
        .encode(x, y, color, tooltip=["left_out:N", "group:N", "error:Q", "n:Q"])
    )
    means = (
        alt.Chart(whole)
        .mark_point(shape="diamond", size=170, filled=True, opacity=1, stroke=hue("page"))
        .encode(x, y, color)
    )
    rules = (
        alt.Chart(limit)
        .mark_tick(color=hue("ink"), thickness=3, height=34)
        .encode(alt.X("bar:Q", scale=scale), y)
    )
    told = "; ".join(
        f"{row.metric} without its {row.left_out} {row.error:.0f} percent"
        for row in whole.itertuples()
    )
    return titled(
        dots + rules + means,
        title="Left out of the fit, most groups still come close; a few do not",
        subtitle="Dots: one accelerator or model left out; diamonds: all of them; "
        "upright marks: what we had set as the most; logarithmic axis",
        description=f"Errors of rows left out. {told}.",
        height=190,
    )
