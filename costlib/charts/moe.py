"""Charts of `moe`: a mixture of experts against dense models of its two sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import mixtures, serving, units, work
from costlib.charts.controls import Control, initial, params
from costlib.charts.theme import cast, end_labels, hue, titled, usd
from costlib.charts.vega import expression

__all__ = [
    "list_price_times",
    "mixture_controls",
    "mixture_point",
    "model_ratios",
    "try_mixture",
    "twin_ratios",
]

TWIN_HUES: Final = dict(zip(mixtures.TWINS, ("ink", "teal", "violet"), strict=True))
MODEL_HUES: Final = ("brown", "blue", "green", "violet", "ochre", "magenta", "teal", "ink")
CLIENTS_TITLE: Final = "Clients at once"
LIVE_CLIENTS: Final = (1.0, 1024.0)
LIVE_TIMES: Final = (0.8, 40.0)
TIMES_TITLE: Final = "Times the cost of the active size"


def _clients_axis(low: float, high: float) -> alt.X:
    """Clients, ticks at every second doubling."""
    ticks = [float(2**k) for k in range(0, int(np.log2(high)) + 1, 2) if 2**k >= low]
    scale = alt.Scale(type="log", base=2, domain=[low, high], nice=False)
    return alt.X("clients:Q", title=CLIENTS_TITLE, scale=scale).axis(values=ticks, format=",d")


def _times_axis(
    field: str, low: float, high: float, title: str, ticks: Sequence[float] = ()
) -> alt.Y:
    usual = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
    shown = [tick for tick in (ticks or usual) if low <= tick <= high]
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    return alt.Y(field, title=title, scale=scale).axis(values=shown, format="~r")


def _level(value: float, words: str, *, clients: float, above: bool) -> Any:
    """A level that the reader knows, with its words where no line crosses them."""
    rows = pd.DataFrame({"level": [value], "clients": [clients], "words": [words]})
    rule = alt.Chart(rows).mark_rule(strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted"))
    label = alt.Chart(rows).mark_text(
        align="left",
        baseline="bottom" if above else "top",
        dy=-3 if above else 4,
        fontSize=12,
        color=hue("muted"),
    )
    return rule.encode(y="level:Q") + label.encode(x="clients:Q", y="level:Q", text="words:N")


def _ends(*columns: pd.Series[float]) -> tuple[float, float]:
    together = pd.concat(columns)
    return float(together.min()) / 1.15, float(together.max()) * 1.15


def twin_ratios(ratios: pd.DataFrame, *, model: str) -> Any:
    """Cost of a mixture over that of each dense twin, with its interval, against clients.

    `ratios` comes from `mixtures.cost_ratios`.
    """
    rows = ratios[["twin", "clients", "ratio", "low", "high"]].round(4)
    low, high = _ends(rows["low"], rows["high"])
    x = _clients_axis(rows["clients"].min(), rows["clients"].max())
    color = alt.Color("twin:N", scale=cast(TWIN_HUES), legend=None)
    tints = (
        alt.Chart(rows)
        .mark_area(opacity=0.14)
        .encode(
            x,
            _times_axis("low:Q", low, high, "Mixture over twin"),
            alt.Y2("high:Q"),
            color,
        )
    )
    lines = (
        alt.Chart(rows)
        .mark_line()
        .encode(x, _times_axis("ratio:Q", low, high, "Mixture over twin"), color)
    )
    names = _names(rows, low, high)
    by_twin = rows.groupby("twin", sort=False)["ratio"]
    return titled(
        tints + lines + names + _level(1.0, "equal", clients=16, above=False),
        title=f"{model} costs like its active size only at the ends of the batch",
        subtitle="Cost of output over that of a dense twin, with 80\u00a0% intervals; logarithmic",
        description="Lines of cost ratios against clients. "
        + " ".join(
            f"Against a dense model of the {name!s}: {group.iloc[0]:.2f} at the left, "
            f"at most {group.max():.2f}, {group.iloc[-1]:.2f} at the right."
            for name, group in by_twin
        ),
        note="The errors of the two predictions count as independent.",
        height=380,
    )


def _names(rows: pd.DataFrame, low: float, high: float) -> alt.Chart:
    last = rows.sort_values("clients").groupby("twin", sort=False).tail(1)
    told = last.assign(text=[f"× {ratio:.2f}" for ratio in last["ratio"]])
    return end_labels(
        told,
        x="clients",
        y="ratio",
        name="twin",
        text="text",
        color=alt.Color("twin:N", scale=cast(TWIN_HUES), legend=None),
        low=low,
        high=high,
        height=380,
    )


def _models(names: Sequence[str]) -> dict[str, str]:
    """A hue for each model, in order."""
    return {name: MODEL_HUES[k % len(MODEL_HUES)] for k, name in enumerate(names)}


def model_ratios(ratios: pd.DataFrame, *, twin: str) -> Any:
    """Cost of each mixture over that of one of its twins, against clients."""
    rows = ratios.loc[ratios["twin"] == twin, ["model", "clients", "ratio"]].round(4)
    low, high = _ends(rows["ratio"])
    low = min(low, 0.9)
    hues = _models(list(dict.fromkeys(rows["model"])))
    color = alt.Color("model:N", scale=cast(hues), legend=None)
    lines = (
        alt.Chart(rows)
        .mark_line()
        .encode(
            _clients_axis(rows["clients"].min(), rows["clients"].max()),
            _times_axis("ratio:Q", low, high, "Mixture over twin", (0.5, 1, 1.5, 2, 3, 4, 5)),
            color,
        )
    )
    last = rows.sort_values("clients").groupby("model", sort=False).tail(1)
    names = end_labels(
        last.assign(text=[f"× {ratio:.2f}" for ratio in last["ratio"]]),
        x="clients",
        y="ratio",
        name="model",
        text="text",
        color=color,
        low=low,
        high=high,
    )
    most = rows.loc[rows.groupby("model", sort=False)["ratio"].idxmax()]
    return titled(
        lines + names + _level(1.0, "equal", clients=1, above=True),
        title="Every mixture is dearest in the middle: most experts read, few tokens to share them",
        subtitle=f"Cost of output over that of a dense model of the {twin}, same GPUs; both axes "
        "logarithmic",
        description=f"Lines of cost ratios against clients, dense twin of the {twin}. Highest: "
        + ", ".join(
            f"{row['model']} {row['ratio']:.2f} at {row['clients']:,.0f} clients"
            for row in most.to_dict("records")
        )
        + ".",
    )


def list_price_times(rows: pd.DataFrame, *, api: str, title: str) -> Any:
    """List price over own cost of a request against clients, with its interval.

    Columns clients, times, low, high.
    """
    rows = rows[["clients", "times", "low", "high"]].round(4)
    low, high = _ends(rows["low"], rows["high"])
    x = _clients_axis(rows["clients"].min(), rows["clients"].max())
    label = "Times cheaper than list"
    ticks = (0.1, 0.3, 1, 3, 10, 30, 100, 300)
    tint = (
        alt.Chart(rows)
        .mark_area(opacity=0.18, color=hue("brown"))
        .encode(x, _times_axis("low:Q", low, high, label, ticks), alt.Y2("high:Q"))
    )
    line = (
        alt.Chart(rows)
        .mark_line(color=hue("brown"))
        .encode(x, _times_axis("times:Q", low, high, label, ticks))
    )
    first, last = rows.iloc[0], rows.iloc[-1]
    return titled(
        tint
        + line
        + _level(1.0, "as dear as the list", clients=16, above=True)
        + _level(10.0, "ten times cheaper", clients=1, above=True),
        title=title,
        subtitle=f"List price of a request to {api} over its cost on own GPUs, 80\u00a0% interval; "
        "both axes logarithmic",
        description=(
            f"Line of list price over own cost: {first['times']:.2g} at "
            f"{first['clients']:,.0f} client, {last['times']:.3g} at {last['clients']:,.0f}."
        ),
        height=300,
    )


# --- live ----------------------------------------------------------------------------------------


def mixture_controls(
    *, n_experts: float, top_k: float, traffic_bytes: float, clients: float
) -> tuple[Control, ...]:
    """What the reader of the live chart can move, starting at the chapter's model."""
    choices = tuple(sorted({16.0, 32.0, 64.0, 128.0, 256.0, 512.0, n_experts}))
    megabytes = float(round(traffic_bytes / units.MB))
    return (
        Control(
            parameter="clients",
            label="Sequences at once",
            unit="",
            value=clients,
            low=LIVE_CLIENTS[0],
            high=LIVE_CLIENTS[1],
            step=1,
        ),
        Control(
            parameter="n_experts",
            label="Experts in a layer",
            unit="",
            value=n_experts,
            options=choices,
            words=tuple(f"{choice:g}" for choice in choices),
        ),
        Control(
            parameter="top_k",
            label="Experts per token",
            unit="",
            value=top_k,
            low=1,
            high=max(top_k, choices[0]),
            step=1,
        ),
        Control(
            parameter="traffic_bytes",
            label="Cache per sequence",
            unit="MB",
            value=megabytes,
            low=0,
            high=max(2000, megabytes),
            step=1,
            scale=units.MB,
        ),
    )


# Vega has no log1p; tests/test_parity.py holds this against `experts.coverage_fraction`.
COVERED: Final = "(1 - pow(1 - top_k / n_experts, {clients}))"


def _light_expressions(
    controls: Sequence[Control], fixed: Mapping[str, float], clients: str
) -> dict[str, str]:
    """Costs of `mixtures.light_usd` as Vega expressions at a number of clients."""
    given = {control.parameter: control.expression for control in controls}
    rig = {
        name: fixed[name]
        for name in ("memory_bytes_per_s", "peak_flop_per_s", "rent_usd_per_h", "n_accelerators")
    }
    outside, inside = fixed["shared_params"], fixed["routed_params"]
    active = f"({outside!r} + {inside!r} * top_k / n_experts)"
    read = f"({outside!r} + {inside!r} * {COVERED.format(clients=clients)})"
    whole = repr(outside + inside)
    return {
        name: expression(
            serving.token_usd_per_mtok,
            n_users=clients,
            weight_bytes=expression(
                work.weight_bytes, n_params=size, weight_bits=fixed["weight_bits"]
            ),
            traffic_bytes=given["traffic_bytes"],
            token_flop=expression(work.token_flop, active_params=used),
            **rig,
        )
        for name, (size, used) in {
            "mixture": (read, active),
            "active": (active, active),
            "total": (whole, whole),
        }.items()
    }


def _live_axes() -> tuple[alt.X, alt.Y]:
    return _clients_axis(*LIVE_CLIENTS).title("Sequences at once"), _times_axis(
        "times:Q", *LIVE_TIMES, TIMES_TITLE
    )


def try_mixture(controls: Sequence[Control], fixed: Mapping[str, float], *, model: str) -> Any:
    """The reader's own mixture between its dense twins, recomputed in the browser."""
    steps = 80
    doublings = float(np.log2(LIVE_CLIENTS[1] / LIVE_CLIENTS[0]))
    curve_usd = _light_expressions(controls, fixed, "datum.clients")
    mine = _light_expressions(controls, fixed, "clients")
    x, y = _live_axes()

    def curve(of: str) -> alt.Chart:
        drawn: alt.Chart = (
            alt.Chart(alt.sequence(0, steps + 1, 1, as_="i"))
            .transform_calculate(
                clients=f"{LIVE_CLIENTS[0]!r} * pow(2, datum.i * {doublings / steps!r})"
            )
            .transform_calculate(times=f"({curve_usd[of]}) / ({curve_usd['active']})")
        )
        return drawn

    whole = curve("total").mark_line(color=hue("ink"), strokeWidth=1.75, clip=True).encode(x, y)
    mixture = curve("mixture").mark_line(color=hue("you"), strokeWidth=3, clip=True).encode(x, y)
    here = alt.Chart(alt.sequence(0, 1, 1, as_="i")).transform_calculate(
        clients="clients",
        times="my_times",
        text="'You: × ' + format(my_times, '.2f')",
    )
    dot = here.mark_point(
        size=150, color=hue("you"), stroke=hue("page"), strokeWidth=2.5, opacity=1, clip=True
    ).encode(x="clients:Q", y="times:Q")
    words = here.mark_text(  # in the corner: both lines fall before it, wherever the point lies
        align="right", baseline="top", color=hue("you"), fontWeight=700, fontSize=14
    ).encode(x=alt.value("width"), y=alt.value(4), text="text:N")
    spoken = (
        "clients + (clients == 1 ? ' sequence reads ' : ' sequences read ') + "
        f"format(100 * {COVERED.format(clients='clients')}, '.1f') + '\u00a0% of the experts. "
        "A million tokens cost ' + format(my_usd, '$.3r') + ', ' + format(my_times, '.2f') + "
        "' times the dense model of the active size and ' + format(100 * my_usd / my_total, '.0f') "
        "+ '\u00a0% of the dense model of the total size.'"
    )
    first = {**fixed, **initial(controls)}
    start = mixtures.light_usd(**first)
    level = _level(1.0, "dense, active size", clients=1.2, above=False)
    named = (
        curve("total")
        .transform_filter("datum.i == 6")
        .transform_calculate(text="'dense, total size'")
        .mark_text(align="left", baseline="bottom", dy=-5, fontSize=12, color=hue("ink"), clip=True)
        .encode(x="clients:Q", y="times:Q", text="text:N")
    )
    chart = (level + whole + named + mixture + dot + words).add_params(
        *params(controls),
        alt.param("my_usd", expr=mine["mixture"]),
        alt.param("my_total", expr=mine["total"]),
        alt.param("my_times", expr=f"({mine['mixture']}) / ({mine['active']})"),
        alt.param("readout", expr=spoken),
    )
    return titled(
        chart,
        title="Your mixture, between a dense model of its active and one of its total size",
        subtitle=f"Cost at the speed of light, with the parameters of {model}; both axes "
        "logarithmic",
        description=(
            "Interactive line chart of the cost of a mixture over that of its active size. At "
            f"first {float(start['mixture'] / start['active']):.2f} times at "
            f"{first['clients']:.0f} sequences, where the total size costs "
            f"{float(start['total'] / start['active']):.2f} times as much."
        ),
        note="Recomputed in your browser by the library’s own formulas, at the speed of light.",
        height=360,
    )


def mixture_point(fixed: Mapping[str, float], **moved: float) -> Any:
    """The twin of `try_mixture` for one setting, computed in Python."""
    given = {**fixed, **moved}
    here = float(given.pop("clients"))
    batch = np.geomspace(*LIVE_CLIENTS, 81)
    curve = mixtures.light_usd(batch, **given)
    point = {name: float(value) for name, value in mixtures.light_usd(here, **given).items()}
    x, y = _live_axes()
    lines = [
        alt.Chart(
            pd.DataFrame(
                {"clients": batch.round(3), "times": np.round(curve[name] / curve["active"], 4)}
            )
        )
        .mark_line(color=hue(token), strokeWidth=width, clip=True)
        .encode(x, y)
        for name, token, width in (("total", "ink", 1.75), ("mixture", "you", 3))
    ]
    times = point["mixture"] / point["active"]
    dot = (
        alt.Chart(pd.DataFrame({"clients": [here], "times": [round(times, 4)]}))
        .mark_point(size=150, color=hue("you"), opacity=1, clip=True)
        .encode(x="clients:Q", y="times:Q")
    )
    spoken = (
        f"{usd(point['mixture'])} per million tokens: {times:.2f} times the active size, "
        f"{100 * point['mixture'] / point['total']:.0f}\u00a0% of the total size"
    )
    return titled(
        alt.layer(*lines, dot),
        title=spoken,
        subtitle=f"{here:,.0f} sequences at once; the thin line: a dense model of the total size",
        description=spoken,
        height=320,
    )
