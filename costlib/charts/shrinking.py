"""Charts of the chapter on smaller caches: what each variant saves, reads and multiplies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import shrinking, units, variants
from costlib.charts.controls import Control, initial, params
from costlib.charts.physics import context_axis, usd_axis
from costlib.charts.theme import ARCHITECTURE, cast, hue, spread, titled, usd
from costlib.charts.vega import expression

__all__ = ["cache_controls", "cache_point", "saved_times", "step_paths", "try_cache"]

KTOK = units.TOKENS_PER_KTOK
SWEPT: Final = "context_tokens"
CONTEXT_K, USD_RANGE = (4.0, 256.0), (0.003, 300.0)
STEPS: Final = 160
ONE_LINE: Final = 0.05  # lines that are never further apart are seen as one
NO_WINDOW_K: Final = 1e6  # thousand tokens: longer than any context here
PLAIN: Final = {"cache_bits": 16.0, "window_tokens": NO_WINDOW_K * KTOK, "layers_sharing": 1.0}
SHAPE: Final = (
    "n_params",
    "n_layers",
    "n_heads",
    "n_kv_heads",
    "cached_dim",
    "attended_dim",
)
USERS: Final = (
    "n_params",
    "weight_bits",
    "cache_bits",
    "n_layers",
    "n_kv_heads",
    "cached_dim",
    "memory_bytes",
    "window_tokens",
    "sink_tokens",
    "layers_sharing",
    "reserved_bytes",
    "n_accelerators",
)


def _variants() -> alt.Scale:
    """Each variant in the hue of its family."""
    return cast({name: ARCHITECTURE[one.colour] for name, one in variants.variants().items()})


def _labels(rows: pd.DataFrame, **axis: float | bool) -> pd.DataFrame:
    """End labels, pushed apart."""
    last = rows.sort_values("context_k").groupby("variant", sort=False).tail(1).copy()
    last["label_y"] = np.round(spread(list(last["y"]), **axis), 5)  # type: ignore[arg-type]
    return last


def _merged(rows: pd.DataFrame) -> pd.DataFrame:
    """The end of each line with its `words`; variants of one hue that run together share them."""
    variant_hues = {name: one.colour for name, one in variants.variants().items()}
    wide = rows.pivot_table("y", "context_k", "variant", sort=False)
    leaders: dict[str, list[str]] = {}
    for name in dict.fromkeys(rows["variant"]):
        together = [
            leader
            for leader in leaders
            if variant_hues[leader] == variant_hues[name]
            and np.nanmax(np.abs(np.log(wide[leader] / wide[name]))) < ONE_LINE
        ]
        leaders.setdefault(together[0] if together else name, []).append(name)
    ends = rows.sort_values("context_k").groupby("variant", sort=False).tail(1)
    values = ends.set_index("variant")["y"]
    told = {
        leader: [f"{leader} × {values[leader]:.3g}"]
        if len(names) == 1
        else [", ".join(names), f"× {values[names].min():.2g}–{values[names].max():.2g}"]
        for leader, names in leaders.items()
    }
    kept = ends[ends["variant"].isin(list(told))]
    return kept.assign(words=kept["variant"].map(told))


def saved_times(costs: pd.DataFrame, *, baseline: str = "GQA") -> Any:
    """How many times cheaper than the baseline each variant is, over context.

    `costs` comes from `variants.costs`; points where the variant or the baseline serves nobody
    are left out.
    """
    usable = np.isfinite(costs["saves"]) & (costs["saves"] > 0)
    shown = costs[usable]
    rows = pd.DataFrame(
        {
            "variant": shown["variant"],
            "context_k": (shown["context_tokens"] / KTOK).round(3),
            "y": shown["saves"].round(4),
        }
    )
    low, high = float(rows["y"].min()) / 1.3, float(rows["y"].max()) * 1.3
    height = 400
    color = alt.Color("variant:N", scale=_variants(), legend=None)
    ticks = [0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256]
    y = alt.Y(
        "y:Q",
        title=f"Times cheaper than {baseline}",
        scale=alt.Scale(type="log", base=2, domain=[low, high], nice=False),
    ).axis(values=[tick for tick in ticks if low <= tick <= high], format="~r")
    lines = (
        alt.Chart(rows)
        .mark_line()
        .encode(
            context_axis(float(rows["context_k"].min()), float(rows["context_k"].max())),
            y,
            color,
        )
    )
    last = _labels(_merged(rows), low=low, high=high, height=height, gap=16.5)
    words = (
        alt.Chart(last[["context_k", "label_y", "variant", "words"]])
        .mark_text(
            align="left",
            baseline="middle",
            dx=7,
            dy=alt.ExprRef("7 - 7 * length(datum.words)"),
            lineHeight=14,
            fontWeight=600,
            fontSize=12,
        )
        .encode(x="context_k:Q", y="label_y:Q", text="words:N", color=color)
    )
    left_out = int((~usable).sum())
    best = last[last["variant"] != baseline].sort_values("y").iloc[-1]
    flat = rows.groupby("variant")["y"].agg(["min", "max"])
    steady = [str(name) for name, ends in flat.iterrows() if ends["max"] < 1.25 * ends["min"]]
    steady = [name for name in steady if name != baseline]
    single = rows.loc[rows["variant"] == "MQA", "y"].iloc[-1]
    return titled(
        lines + words,
        title=f"Fewer heads level off, a single one at × {single:.1f}; what stops growing saves "
        "more and more",
        subtitle=(
            f"Cost of output of {baseline} over that of each variant, same layers, bits and "
            "machine, as many users as fit; both axes logarithmic"
        ),
        description="Line chart of times cheaper at the longest context: "
        + ", ".join(" ".join(words) for words in last["words"])
        + f". The most is {best['variant']}. Within a quarter of one level at every length: "
        + (", ".join(steady) or "none")
        + ".",
        note=f"{left_out} points at which nobody fits are left out." if left_out else "",
        height=height,
    )


def step_paths(costs: pd.DataFrame, *, ridge_flop_per_byte: float) -> Any:
    """Bytes and FLOP of one user in a decode step, from the shortest to the longest context.

    `costs` comes from `variants.costs`. Weights are left out of the bytes: many users share them.
    """
    rows = pd.DataFrame(
        {
            "variant": costs["variant"],
            "context_k": (costs["context_tokens"] / KTOK).round(3),
            "x": (costs["user_bytes"] / units.GB).round(5),
            "y": (costs["user_flop"] / units.TFLOP).round(5),
        }
    )
    first, last = (float(end) for end in (rows["context_k"].min(), rows["context_k"].max()))
    left, right = float(rows["x"].min()) / 1.6, float(rows["x"].max()) * 1.6
    low, high = float(rows["y"].min()) / 1.75, float(rows["y"].max()) * 1.35
    height = 380
    x = alt.X(
        "x:Q",
        title="Cache and state read for one token (GB)",
        scale=alt.Scale(type="log", domain=[left, right], nice=False),
    ).axis(values=[0.1, 1, 10, 100], format="~r")
    y = alt.Y(
        "y:Q",
        title="TFLOP per token",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
    ).axis(values=[0.15, 0.2, 0.3, 0.5, 1, 2], format="~r")
    color = alt.Color("variant:N", scale=_variants(), legend=None)
    order = alt.Order("context_k:Q")
    paths = alt.Chart(rows).mark_line(strokeWidth=2).encode(x, y, color, order=order)
    ends = rows[rows["context_k"] == last]
    dots = alt.Chart(ends).mark_point(size=55, opacity=1).encode(x, y, color)
    # Variants that end in one place share a label: above the dot, beside it, or below the flat.
    merged = (
        ends.assign(place=ends["x"].map("{:.1e}".format) + ends["y"].map("{:.1e}".format))
        .groupby("place", sort=False)
        .agg(
            variant=("variant", "first"),
            words=("variant", ", ".join),
            x=("x", "max"),
            y=("y", "mean"),
        )
        .reset_index(drop=True)
    )
    high_up = merged["y"] > np.sqrt(low * high)
    above, beside = merged[high_up], merged[~high_up].copy()
    aim = np.where(beside["y"] < 1.12 * rows["y"].min(), 0.82, 1) * beside["y"]
    beside["y"] = np.round(spread(list(aim), low=low, high=high, height=height, gap=15.5), 5)
    style: dict[str, Any] = {"fontWeight": 600, "fontSize": 12}
    halo: dict[str, Any] = {"stroke": hue("page"), "strokeWidth": 4, "color": hue("page")}
    up, side = alt.Chart(above), alt.Chart(beside)
    words = [  # a line that passes behind a word leaves it room
        up.mark_text(dy=-13, **style, **halo).encode(x="x:Q", y="y:Q", text="words:N"),
        side.mark_text(align="left", dx=8, **style, **halo).encode(
            x="x:Q", y="y:Q", text="words:N"
        ),
        up.mark_text(dy=-13, **style).encode(x="x:Q", y="y:Q", text="words:N", color=color),
        side.mark_text(align="left", dx=8, **style).encode(
            x="x:Q", y="y:Q", text="words:N", color=color
        ),
    ]
    roof = np.array([low, high]) * units.TFLOP / ridge_flop_per_byte / units.GB
    ridge = (
        alt.Chart(pd.DataFrame({"x": roof.round(5), "y": [round(low, 5), round(high, 5)]}))
        .mark_line(strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted"), clip=True)
        .encode(x, y)
    )
    named = (
        alt.Chart(pd.DataFrame({"x": roof[1:].round(5), "y": [round(high, 5)]}))
        .mark_text(align="right", baseline="top", dx=-30, dy=2, lineHeight=15, color=hue("muted"))
        .encode(x, y, text=alt.value(["left of this line", "arithmetic binds"]))
    )
    return titled(
        alt.layer(ridge, named, paths, *words, dots),
        title="Attention reads more and multiplies more with length; a state does neither",
        subtitle=(
            f"One user in a step, from {first:g}K to {last:g}K tokens (the dot); weights are read "
            "once for all users; both axes logarithmic"
        ),
        description="Paths over context in the plane of bytes and FLOP per token. At the dot: "
        + "; ".join(
            f"{row['variant']} {row['x']:.3g} GB and {row['y']:.3g} TFLOP"
            for row in ends.to_dict("records")
        )
        + f". The ridge is {ridge_flop_per_byte:.0f} FLOP per byte.",
        height=height,
    )


# --- live ----------------------------------------------------------------------------------------


def cache_controls(
    facts: pd.DataFrame,
    *,
    model: str,
    context_tokens: float,
    weight_bits: float,
    cache_bits: float,
    n_accelerators: float,
    rent_usd_per_h: float,
) -> tuple[Control, ...]:
    """What the reader of the live chart can move, starting at the chapter's numbers.

    `facts` comes from `variants.shapes`.
    """
    names = list(facts["model"])
    if model not in names:
        raise ValueError(f"model must be one of {', '.join(names)}, got {model!r}")
    windows = (1.0, 4.0, 16.0, 64.0, NO_WINDOW_K)
    here = context_tokens / KTOK
    return (
        Control(
            parameter="model",
            label="Model",
            unit="",
            value=float(names.index(model)),
            options=tuple(float(place) for place in range(len(names))),
            words=tuple(names),
        ),
        Control(
            parameter=SWEPT,
            label="Context",
            unit="thousand tokens",
            value=here,
            low=min(CONTEXT_K[0], here),
            high=max(CONTEXT_K[1], here),
            step=4,
            scale=KTOK,
        ),
        Control(
            parameter="weight_bits",
            label="Weights",
            unit="bits",
            value=weight_bits,
            options=tuple(sorted({4.5, 8.0, 16.0, weight_bits})),
        ),
        Control(
            parameter="cache_bits",
            label="Cache",
            unit="bits",
            value=cache_bits,
            options=tuple(sorted({3.0, 4.5, 8.0, 16.0, cache_bits})),
        ),
        Control(
            parameter="window_tokens",
            label="Window",
            unit="thousand tokens",
            value=NO_WINDOW_K,
            options=windows,
            words=(*(f"{width:g}K tokens" for width in windows[:-1]), "none: all is kept"),
            scale=KTOK,
        ),
        Control(
            parameter="layers_sharing",
            label="Layers to a cache",
            unit="",
            value=1.0,
            options=(1.0, 2.0, 4.0),
            words=("1", "2", "4"),
        ),
        Control(
            parameter="n_accelerators",
            label="GPUs",
            unit="",
            value=n_accelerators,
            options=tuple(sorted({1.0, 2.0, 4.0, 8.0, n_accelerators})),
            words=tuple(f"{n:g}" for n in sorted({1.0, 2.0, 4.0, 8.0, n_accelerators})),
        ),
        Control(
            parameter="rent_usd_per_h",
            label="GPU rent",
            unit="USD per hour",
            value=rent_usd_per_h,
            low=min(0.5, rent_usd_per_h),
            high=max(12, rent_usd_per_h),
            step=0.05,
        ),
    )


def _expressions(
    controls: Sequence[Control],
    facts: pd.DataFrame,
    fixed: Mapping[str, float],
    context: str,
    **instead: float,
) -> tuple[str, str]:
    """Users and cost as Vega expressions at a context, some controls held where they are told."""
    own = {
        name: f"[{', '.join(repr(float(value)) for value in facts[name])}][model]" for name in SHAPE
    }
    moved = {
        control.parameter: control.expression
        for control in controls
        if control.parameter not in ("model", SWEPT)
    }
    given: dict[str, str | float] = {**fixed, **own, **moved, **instead, SWEPT: context}
    users = {name: given[name] for name in (SWEPT, *USERS)}
    return (
        expression(shrinking.held_users, **users),
        expression(shrinking.held_usd_per_mtok, **given),
    )


def _words(signal: str) -> str:
    return f"format({signal}, {signal} < 10 ? '$.3r' : '$,.2f')"


def try_cache(controls: Sequence[Control], facts: pd.DataFrame, fixed: Mapping[str, float]) -> Any:
    """The reader's own cache against the model as it comes, recomputed in the browser.

    `fixed` holds what no control moves: memory, speed, reserve and sinks.
    """
    swept = next(control for control in controls if control.parameter == SWEPT)
    low, high = swept.low, swept.high
    doublings = float(np.log2(high / low))
    at = f"datum.context_k * {KTOK!r}"
    axis, price = context_axis(low, high), usd_axis(*USD_RANGE)

    def curve(cost: str) -> alt.Chart:
        drawn: alt.Chart = (
            alt.Chart(alt.sequence(0, STEPS + 1, 1, as_="i"))
            .transform_calculate(context_k=f"{low!r} * pow(2, datum.i * {doublings / STEPS!r})")
            .transform_calculate(usd=cost)
            .transform_filter("isFinite(datum.usd)")
        )
        return drawn

    plain = (
        curve(_expressions(controls, facts, fixed, at, **PLAIN)[1])
        .mark_line(
            color=hue("muted"),
            strokeDash=[7, 5],
            strokeWidth=1.75,
            clip=True,
            interpolate="step-after",
        )
        .encode(axis, price)
    )
    mine = (
        curve(_expressions(controls, facts, fixed, at)[1])
        .mark_line(color=hue("you"), strokeWidth=3, clip=True, interpolate="step-after")
        .encode(axis, price)
    )
    here = (
        alt.Chart(alt.sequence(0, 1, 1, as_="i"))
        .transform_calculate(context_k=SWEPT, usd="my_usd", text=f"'You: ' + {_words('my_usd')}")
        .transform_filter("isFinite(datum.usd)")
    )
    dot = here.mark_point(
        size=150, color=hue("you"), stroke=hue("page"), strokeWidth=2.5, opacity=1, clip=True
    ).encode(x="context_k:Q", y="usd:Q")
    late = f"(width < 400 ? {SWEPT} > 40 : {SWEPT} > 100)"  # near the right edge: leftwards
    words = here.mark_text(
        align=alt.ExprRef(f"{late} ? 'right' : 'left'"),
        dx=alt.ExprRef(f"{late} ? -8 : 8"),
        dy=alt.ExprRef(f"{late} ? 46 : 24"),
        color=hue("you"),
        fontWeight=700,
        fontSize=14,
    ).encode(x="context_k:Q", y="usd:Q", text="text:N")
    my_users, my_usd = _expressions(controls, facts, fixed, swept.expression)
    plain_usd = _expressions(controls, facts, fixed, swept.expression, **PLAIN)[1]
    spoken = (
        f"my_users < 1 ? 'Nobody fits with ' + {SWEPT} + 'K tokens: take more GPUs or fewer "
        f"bits.' : 'At ' + {SWEPT} + 'K tokens: ' + format(my_users, ',') + (my_users == 1 ? "
        f"' user, ' : ' users, ') + {_words('my_usd')} + ' per million output tokens' + "
        "(isFinite(plain_usd) ? ', ' + format(plain_usd / my_usd, '.3r') + ' times cheaper than "
        "with a whole 16-bit cache.' : '. A whole 16-bit cache would fit nobody.')"
    )
    chart = (plain + mine + dot + words).add_params(
        *params(controls),
        alt.param("my_users", expr=my_users),
        alt.param("my_usd", expr=my_usd),
        alt.param("plain_usd", expr=plain_usd),
        alt.param("readout", expr=spoken),
    )
    first = _numbers(facts, fixed, **initial(controls))
    start = float(shrinking.held_usd_per_mtok(**first))
    told = usd(start)
    return titled(
        chart,
        title="Your cache: what is left of the bill?",
        subtitle="Dashed: the same model and weights with a whole cache in 16 bits; both axes "
        "logarithmic",
        description=(
            "Interactive line chart of cost per million output tokens against context, both axes "
            f"logarithmic. At first {told} at {first[SWEPT] / KTOK:g}K tokens."
        ),
        note="Recomputed in your browser by the library’s own formulas, at the speed of light.",
        height=360,
    )


def _numbers(facts: pd.DataFrame, fixed: Mapping[str, float], **moved: float) -> dict[str, Any]:
    """Arguments of the formulas for one setting of the controls."""
    given = {**fixed, **moved}
    shape = facts.iloc[int(given.pop("model"))]
    return given | {name: float(shape[name]) for name in SHAPE}


def cache_point(facts: pd.DataFrame, fixed: Mapping[str, float], **moved: float) -> Any:
    """The twin of `try_cache` for one setting, computed in Python."""
    given = _numbers(facts, fixed, **moved)
    here_k = given[SWEPT] / KTOK
    ends = min(CONTEXT_K[0], here_k), max(CONTEXT_K[1], here_k)
    contexts = KTOK * np.geomspace(*ends, STEPS + 1)
    layers = []
    for changed, token, width, dash in (
        (PLAIN, "muted", 1.75, [7, 5]),
        ({}, "you", 3, [1, 0]),
    ):
        cost = shrinking.held_usd_per_mtok(**{**given, **changed, SWEPT: contexts})
        rows = pd.DataFrame({"context_k": (contexts / KTOK).round(3), "usd": np.round(cost, 4)})
        layers.append(
            alt.Chart(rows[np.isfinite(rows["usd"])])
            .mark_line(
                color=hue(token),
                strokeWidth=width,
                strokeDash=dash,
                clip=True,
                interpolate="step-after",
            )
            .encode(context_axis(*ends), usd_axis(*USD_RANGE))
        )
    users = float(shrinking.held_users(**{name: given[name] for name in (SWEPT, *USERS)}))
    point = float(shrinking.held_usd_per_mtok(**given))
    if np.isfinite(point):
        here = pd.DataFrame({"context_k": [here_k], "usd": [round(point, 4)]})
        layers.append(
            alt.Chart(here)
            .mark_point(size=150, color=hue("you"), opacity=1, clip=True)
            .encode(x="context_k:Q", y="usd:Q")
        )
    spoken = (
        f"{users:,.0f} {'user' if users == 1 else 'users'}, {usd(point)} per million output tokens"
        if users
        else "Nobody fits: take more GPUs or fewer bits"
    )
    return titled(
        alt.layer(*layers),
        title=spoken,
        subtitle=f"At {here_k:,.0f}K tokens; dashed: a whole cache in 16 bits",
        description=spoken,
        height=320,
    )
