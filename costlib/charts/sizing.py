"""How many replicas: the reader's traffic and promise, from a table of waits by load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costlib import serving
from costlib.charts.controls import Control, initial, params
from costlib.charts.serving import seconds_axis
from costlib.charts.theme import hue, titled, usd
from costlib.charts.vega import expression
from costlib.replica import Replica
from costlib.response import under_load
from costlib.workloads import length_table

__all__ = [
    "KNOTS",
    "TOP_LOAD",
    "Sizing",
    "size_controls",
    "size_point",
    "sized",
    "sizing",
    "try_size",
]

KNOTS: Final = np.linspace(0.04, 3.0, 13)  # of -log(1 - load): loads from 4 to 95 %
TOP_LOAD: Final = float(-np.expm1(-KNOTS[-1]))
MOST_REPLICAS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What a replica does for each workload, at the loads of the knots."""

    names: tuple[str, ...]
    saturation_requests_per_s: NDArray[np.float64]  # by workload
    answer_tokens: NDArray[np.float64]  # mean, by workload
    ttft_p95_s: NDArray[np.float64]  # by workload and knot
    error_fraction: float  # largest of the interpolation, between the knots
    n_accelerators: float


def sizing(replicas: Mapping[str, Replica]) -> Sizing:
    """Tabulate the 95th percentile of the time to first token; the names are workloads."""
    middles = ((KNOTS[1:] + KNOTS[:-1]) / 2)[::2]
    tops, answers, rows, errors = [], [], [], []
    for name, one in replicas.items():
        table: dict[str, Any] = length_table(name)
        top = under_load(one, 1e-6, **table).saturation_requests_per_s
        loads = -np.expm1(-np.concatenate([KNOTS, middles]))
        found = under_load(one, loads * top, quantiles=(0.95,), **table).ttft_quantiles_s[:, 0]
        at, between = found[: KNOTS.size], found[KNOTS.size :]
        tops.append(top)
        answers.append(float(np.mean(table["output_tokens"])))
        rows.append([float(f"{value:.6g}") for value in at])  # as the page carries them
        errors.append(np.abs(_read(middles, np.array(rows[-1])) / between - 1).max())
    return Sizing(
        names=tuple(replicas),
        saturation_requests_per_s=np.array([float(f"{top:.6g}") for top in tops]),
        answer_tokens=np.array(answers),
        ttft_p95_s=np.array(rows),
        error_fraction=float(max(errors)),
        n_accelerators=next(iter(replicas.values())).n_accelerators,
    )


def _read(at: Any, knots_s: NDArray[np.float64]) -> Any:
    """Interpolated time, straight in its logarithm over -log(1 - load)."""
    return np.exp(np.interp(at, KNOTS, np.log(knots_s)))


# --- the reader's case ------------------------------------------------------------------------


def size_controls(
    table: Sizing,
    *,
    workload: str,
    requests_per_s: float,
    peak_times: float,
    promised_ttft_s: float,
    rent_usd_per_h: float,
) -> list[Control]:
    """What a reader may move."""
    if workload not in table.names:
        raise ValueError(f"workload must be one of {', '.join(table.names)}, got {workload!r}")
    return [
        Control(
            parameter="workload",
            label="Workload",
            unit="",
            value=float(table.names.index(workload)),
            options=tuple(float(i) for i in range(len(table.names))),
            words=table.names,
        ),
        Control(
            parameter="requests_per_s",
            label="Traffic, mean",
            unit="requests/s",
            value=requests_per_s,
            low=0.5,
            high=60,
            step=0.5,
        ),
        Control(
            parameter="peak_times",
            label="Peak over mean",
            unit="times",
            value=peak_times,
            low=1,
            high=4,
            step=0.1,
        ),
        Control(
            parameter="promised_ttft_s",
            label="Promise: first token, p95",
            unit="s",
            value=promised_ttft_s,
            low=0.2,
            high=30,
            step=0.1,
        ),
        Control(
            parameter="rent_usd_per_h",
            label="GPU rent",
            unit="USD per hour",
            value=rent_usd_per_h,
            low=0.5,
            high=10,
            step=0.05,
        ),
    ]


def sized(
    table: Sizing,
    *,
    workload: float,
    requests_per_s: float,
    peak_times: float,
    promised_ttft_s: float,
    rent_usd_per_h: float,
) -> dict[str, float]:
    """Replicas that keep the promise at the peak, and what they cost over the mean."""
    row = int(workload)
    top, knots_s = float(table.saturation_requests_per_s[row]), table.ttft_p95_s[row]
    most_load = 0.0
    if promised_ttft_s >= knots_s[0]:
        at = np.interp(np.log(promised_ttft_s), np.log(knots_s), KNOTS)
        most_load = float(-np.expm1(-at))
    peak = requests_per_s * peak_times
    replicas = max(float(np.ceil(peak / (top * most_load))), 1.0) if most_load else 0.0
    load = peak / (top * replicas) if replicas else np.inf
    return {
        "replicas": replicas,
        "peak_load": load,
        "mean_load": load / peak_times,
        "ttft_s": float(_read(-np.log1p(-min(load, TOP_LOAD)), knots_s)),
        "usd_per_mtok": float(
            serving.usd_per_mtok(
                rent_usd_per_h=rent_usd_per_h,
                tokens_per_s=requests_per_s * table.answer_tokens[row] if replicas else 0.0,
                n_accelerators=replicas * table.n_accelerators,
            )
        ),
        "floor_usd_per_mtok": float(
            serving.usd_per_mtok(
                rent_usd_per_h=rent_usd_per_h,
                tokens_per_s=top * table.answer_tokens[row],
                n_accelerators=table.n_accelerators,
            )
        ),
    }


def _axes(high: float) -> tuple[alt.X, alt.Y]:
    x = alt.X(
        "replicas:Q",
        title="Replicas",
        scale=alt.Scale(type="log", domain=[1, MOST_REPLICAS], nice=False),
    ).axis(values=[1, 2, 5, 10, 20, 50, 100, 200, 400], format="d")
    return x, seconds_axis(0.1, high, "First token, p95 at the peak (s)")


def try_size(table: Sizing, controls: Sequence[Control], *, replica: str) -> Any:
    """The reader's traffic and promise: how many replicas, and what they cost."""
    rows = [[float(value) for value in row] for row in table.ttft_p95_s]
    chosen = f"{rows!r}[workload]"
    top = f"{[float(v) for v in table.saturation_requests_per_s]!r}[workload]"
    answers = f"{[float(v) for v in table.answer_tokens]!r}[workload]"
    gap, first = float(KNOTS[1] - KNOTS[0]), float(KNOTS[0])
    last = len(KNOTS) - 1

    def read(load: str) -> str:
        """Interpolated seconds at a load below the last knot's."""
        at = f"clamp((-log(1 - {load}) - {first!r}) / {gap!r}, 0, {last})"
        low = f"min(floor({at}), {last - 1})"
        return (
            f"exp(log(knots[{low}]) + ({at} - {low}) * (log(knots[{low} + 1]) - log(knots[{low}])))"
        )

    below = " + ".join(f"(knots[{i}] <= promised_ttft_s ? 1 : 0)" for i in range(len(KNOTS)))
    segment = f"clamp(({below}) - 1, 0, {last - 1})"
    share = (
        "clamp((log(promised_ttft_s) - log(knots[segment])) / "
        "(log(knots[segment + 1]) - log(knots[segment])), 0, 1)"
    )
    most_load = (
        f"(promised_ttft_s >= knots[0] ? 1 - exp(-({first!r} + (segment + {share}) * {gap!r})) : 0)"
    )
    devices = float(table.n_accelerators)
    cost = expression(
        serving.usd_per_mtok,
        rent_usd_per_h="rent_usd_per_h",
        tokens_per_s=f"(my_replicas > 0 ? requests_per_s * {answers} : 0)",
        n_accelerators=f"my_replicas * {devices!r}",
    )
    x, y = _axes(60)
    curve = (
        alt.Chart(alt.sequence(1, MOST_REPLICAS + 1, 1, as_="replicas"))
        .transform_calculate(load="requests_per_s * peak_times / (top * datum.replicas)")
        .transform_filter(f"datum.load <= {TOP_LOAD!r}")
        .transform_calculate(seconds=read("datum.load"))
        .mark_line(color=hue("ink"), point=alt.OverlayMarkDef(size=14, color=hue("ink")), clip=True)
        .encode(x, y)
    )
    one = alt.Chart(alt.sequence(0, 1, 1, as_="i"))
    late = "(my_replicas > 40)"  # then there is room on the left only
    promise = one.transform_calculate(
        seconds="promised_ttft_s",
        replicas=f"{late} ? 1 : {MOST_REPLICAS}",
        text="'promised: ' + promised_ttft_s + '\u00a0s'",
    )
    rule = promise.mark_rule(
        strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted"), clip=True
    ).encode(y=y)
    words = promise.mark_text(
        align=alt.ExprRef(f"{late} ? 'left' : 'right'"),
        baseline="bottom",
        dx=alt.ExprRef(f"{late} ? 4 : -4"),
        dy=-3,
        color=hue("muted"),
        clip=True,
    ).encode(x, y, text="text:N")
    mine = one.transform_filter("my_replicas > 0").transform_calculate(
        replicas="my_replicas",
        seconds="my_s",
        text="'You: ' + my_replicas + (my_replicas == 1 ? ' replica' : ' replicas')",
    )
    dot = mine.mark_point(
        size=150, color=hue("you"), stroke=hue("page"), strokeWidth=2.5, opacity=1, clip=True
    ).encode(x, y)
    close = "(my_s > promised_ttft_s / 2)"
    bold: dict[str, Any] = {"color": hue("you"), "fontWeight": 700, "fontSize": 14, "clip": True}
    said = [
        mine.transform_filter(late)
        .mark_text(align="right", dx=-10, dy=16, **bold)
        .encode(x, y, text="text:N"),
        mine.transform_filter(f"!{late}")  # above the words at the promise, or well below them
        .transform_calculate(seconds=f"{close} ? promised_ttft_s : my_s")
        .mark_text(align="left", dx=10, dy=alt.ExprRef(f"{close} ? -25 : -14"), **bold)
        .encode(x, y, text="text:N"),
    ]

    def money(signal: str) -> str:
        return f"format({signal}, {signal} < 10 ? '$.3r' : '$,.2f')"

    spoken = (
        "my_replicas > 0 ? my_replicas + (my_replicas == 1 ? ' replica keeps' : ' replicas keep') "
        "+ ' the promise at the peak, ' + format(100 * my_load, '.0f') + '\u00a0% busy there and ' "
        "+ format(100 * my_load / peak_times, '.0f') + '\u00a0% on average: ' + "
        f"{money('my_usd')} + ' per million output tokens, where machines that are never idle take "
        f"' + {money('floor_usd')} + '.' : 'No number of replicas keeps this promise: even a quiet "
        "one needs ' + format(knots[0], '.2f') + '\u00a0s for one first token in twenty.'"
    )
    chart = alt.layer(rule, words, curve, dot, *said).add_params(
        *params(controls),
        alt.param("knots", expr=chosen),
        alt.param("top", expr=top),
        alt.param("segment", expr=segment),
        alt.param("most_load", expr=most_load),
        alt.param(
            "my_replicas",
            expr="most_load > 0 ? "
            "max(ceil(requests_per_s * peak_times / (top * most_load)), 1) : 0",
        ),
        alt.param("my_load", expr="requests_per_s * peak_times / (top * max(my_replicas, 1))"),
        alt.param("my_s", expr=read(f"min(my_load, {TOP_LOAD!r})")),
        alt.param("my_usd", expr=cost),
        alt.param(
            "floor_usd",
            expr=expression(
                serving.usd_per_mtok,
                rent_usd_per_h="rent_usd_per_h",
                tokens_per_s=f"top * {answers}",
                n_accelerators=devices,
            ),
        ),
        alt.param("readout", expr=spoken),
    )
    start = sized(table, **initial(controls))
    return titled(
        chart,
        title="Your traffic and your promise: how many replicas?",
        subtitle=f"p95 of the time to first token by the number of replicas ({replica}); both "
        "axes logarithmic",
        description="Interactive chart: the 95th percentile of the time to first token falls with "
        f"the number of replicas. With the chapter's numbers {start['replicas']:.0f} replicas keep "
        f"the promise, {100 * start['mean_load']:.0f} percent busy on average, at "
        f"{usd(start['usd_per_mtok'])} per million output tokens.",
        note="Requests are dealt out by chance, so each replica sees Poisson arrivals. Read from "
        f"a table that the library made; between its points it is off by at most "
        f"{100 * table.error_fraction:.2g} %. Loads above {100 * TOP_LOAD:.0f} % are left out.",
        height=380,
    )


def size_point(table: Sizing, **moved: float) -> Any:
    """The twin of `try_size` for one setting, computed in Python."""
    here = sized(table, **moved)
    row = int(moved["workload"])
    replicas = np.arange(1, MOST_REPLICAS + 1)
    load = moved["requests_per_s"] * moved["peak_times"]
    load = load / (table.saturation_requests_per_s[row] * replicas)
    fits = load <= TOP_LOAD
    seconds = _read(-np.log1p(-load[fits]), table.ttft_p95_s[row])
    x, y = _axes(60)
    curve = (
        alt.Chart(pd.DataFrame({"replicas": replicas[fits], "seconds": seconds.round(4)}))
        .mark_line(color=hue("ink"), clip=True)
        .encode(x, y)
    )
    promise = pd.DataFrame({"seconds": [moved["promised_ttft_s"]]})
    rule = (
        alt.Chart(promise).mark_rule(strokeDash=[2, 3], color=hue("muted"), clip=True).encode(y=y)
    )
    layers = [rule, curve]
    spoken = "No number of replicas keeps this promise"
    if here["replicas"]:
        point = pd.DataFrame({"replicas": [here["replicas"]], "seconds": [here["ttft_s"]]})
        layers.append(
            alt.Chart(point).mark_point(size=150, color=hue("you"), clip=True).encode(x, y)
        )
        many = "" if here["replicas"] == 1 else "s"
        spoken = (
            f"{here['replicas']:.0f} replica{many}, {100 * here['mean_load']:.0f} % busy on "
            f"average, {usd(here['usd_per_mtok'])} per million output tokens"
        )
    return titled(
        alt.layer(*layers),
        title=spoken,
        subtitle=f"{table.names[row]}; p95 of the time to first token by number of replicas",
        description=spoken,
        height=320,
    )
