"""Charts of part I, the physics of a token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from costlib import serving, units
from costlib.charts.controls import Control, initial, params
from costlib.charts.theme import (
    ARCHITECTURE,
    band,
    cast,
    end_labels,
    hue,
    reference,
    titled,
    usd,
)
from costlib.charts.vega import expression

__all__ = [
    "architecture_cliff",
    "busy_share",
    "cheapest_map",
    "cliff_controls",
    "cliff_point",
    "latent_roof",
    "ratio_swings",
    "roofline_cliff",
    "try_cliff",
]

KTOK = units.TOKENS_PER_KTOK
CONTEXT_TITLE = "Context per user (thousand tokens)"
USD_TITLE = "USD per million output tokens"


def _thousands(rows: pd.DataFrame) -> pd.Series[float]:
    return rows["context_tokens"] / KTOK


def _doublings(low: float, high: float) -> list[float]:
    return [float(2**k) for k in range(int(np.log2(low)), int(np.log2(high)) + 1)]


def _context_axis(low: float, high: float) -> alt.X:
    scale = alt.Scale(type="log", base=2, domain=[low, high], nice=False)
    return alt.X("context_k:Q", title=CONTEXT_TITLE, scale=scale).axis(values=_doublings(low, high))


def _usd_axis(low: float, high: float, title: str = USD_TITLE) -> alt.Y:
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    values = [float(f"1e{k}") for k in range(-3, 5) if low <= 10.0**k <= high]
    return alt.Y("usd:Q", title=title, scale=scale).axis(values=values, format="$~r")


def _decades(values: pd.Series[float], room: float = 1.6) -> tuple[float, float]:
    finite = values[np.isfinite(values) & (values > 0)]
    return float(finite.min() / room), float(finite.max() * room)


def architecture_cliff(costs: pd.DataFrame, *, user_tokens_per_s: float) -> Any:
    """Cost against context, one line per architecture, at one speed for everybody.

    `costs` comes from `study.architecture_costs`; contexts at which nobody fits are left out.
    """
    shown = costs[np.isfinite(costs["flat_usd_per_mtok"])]
    left_out = len(costs) - len(shown)
    rows = pd.DataFrame(
        {
            "architecture": shown["architecture"].replace({"2-bit cache": "quantised"}),
            "context_k": _thousands(shown),
            "usd": shown["flat_usd_per_mtok"].round(4),
        }
    )
    rows["text"] = rows["usd"].map(usd)
    low, high = _decades(rows["usd"], 2.2)
    color = alt.Color("architecture:N", scale=cast(ARCHITECTURE), legend=None)
    lines = (
        alt.Chart(rows.drop(columns="text"))
        .mark_line(interpolate="step-after")
        .encode(
            _context_axis(rows["context_k"].min(), rows["context_k"].max()),
            _usd_axis(low, high),
            color,
            strokeWidth=alt.condition(
                "datum.architecture == 'full attention'", alt.value(3.5), alt.value(2.25)
            ),
        )
    )
    names = end_labels(
        rows,
        x="context_k",
        y="usd",
        name="architecture",
        text="text",
        color=color,
        low=low,
        high=high,
        height=380,
        gap=34,
    )
    ends = rows.groupby("architecture", sort=False).agg(first=("usd", "first"), last=("usd", "last"))
    return titled(
        lines + names,
        title="Only a window or a state stays flat; the others start lower and climb as fast",
        subtitle=(
            f"Cost of output by context, {user_tokens_per_s:g} tokens/s for each user that fits; "
            "both axes logarithmic"
        ),
        description="Line chart, both axes logarithmic. "
        + " ".join(
            f"{name}: {usd(end['first'])} at the left, {usd(end['last'])} at the right."
            for name, end in ends.iterrows()
        ),
        note="Steps appear because users are whole."
        + (f" {left_out} points at which nobody fits are left out." if left_out else ""),
        height=380,
    )


def roofline_cliff(costs: pd.DataFrame, *, slowest_fraction: float, list_usd: float) -> Any:
    """Fixed speed against the roofline, with a band for kernels below the peak bandwidth.

    `costs` holds one architecture; the band runs to `slowest_fraction` of the peak.
    """
    shown = costs[np.isfinite(costs["usd_per_mtok"])]
    rows = pd.DataFrame(
        {
            "context_k": _thousands(shown),
            "source": shown["flat_usd_per_mtok"].round(4),
            "speed of light": shown["usd_per_mtok"].round(4),
            "slowest": (shown["usd_per_mtok"] / slowest_fraction).round(4),
        }
    )
    lines = rows.melt("context_k", ["source", "speed of light"], "line", "usd")
    lines["text"] = lines["usd"].map(usd)
    low, high = _decades(pd.concat([rows["speed of light"], rows["slowest"]]))
    names = ["source", "speed of light"]
    color = alt.Color(
        "line:N", scale=alt.Scale(domain=names, range=[hue("muted"), hue("ink")]), legend=None
    )
    dash = alt.StrokeDash(
        "line:N", scale=alt.Scale(domain=names, range=[[7, 5], [1, 4]]), legend=None
    )
    drawn = (
        alt.Chart(lines.drop(columns="text"))
        .mark_line(interpolate="step-after")
        .encode(
            _context_axis(rows["context_k"].min(), rows["context_k"].max()),
            _usd_axis(low, high),
            color,
            dash,
        )
    )
    tint = band(
        rows.rename(columns={"speed of light": "light"})[["context_k", "light", "slowest"]],
        x="context_k",
        low="light",
        high="slowest",
        token="teal",
    )
    labels = end_labels(
        lines,
        x="context_k",
        y="usd",
        name="line",
        text="text",
        color=color,
        low=low,
        high=high,
    )
    last = rows.iloc[-1]
    return titled(
        tint + reference(list_usd, f"list price of output, {usd(list_usd)}") + drawn + labels,
        title="Counted in bytes, the cliff is lower at both ends and less steep",
        subtitle=(
            "Full attention. Dashed: the same speed for everybody; shaded: kernels at "
            f"{slowest_fraction:.0%} to 100 % of peak bandwidth; both axes logarithmic"
        ),
        description=(
            "Line chart with a band. At the longest context the fixed speed gives "
            f"{usd(last['source'])}, the speed of light {usd(last['speed of light'])}, "
            f"kernels at {slowest_fraction:.0%} of the bandwidth {usd(last['slowest'])}."
        ),
    )


def latent_roof(rows: pd.DataFrame, ridges: Mapping[str, float]) -> Any:
    """Intensity of latent attention against its query heads, one line per width of the cache.

    `rows` is a `study.sweep` of `roofline.cache_intensity_flop_per_byte` over n_heads and
    bytes_per_value; `ridges` names the roofs.
    """
    shown = rows.assign(
        intensity=rows["result"].round(2),
        bits=(rows["bytes_per_value"] * units.BITS_PER_BYTE).map("{:g}-bit cache".format),
        text=rows["result"].map("{:.0f} FLOP/byte".format),
    )
    low, high = 0.8 * float(shown["intensity"].min()), 1.3 * float(shown["intensity"].max())
    heads = [float(shown["n_heads"].min()), float(shown["n_heads"].max())]
    color = alt.value(hue("green"))
    x = alt.X(
        "n_heads:Q",
        title="Query heads that read one latent",
        scale=alt.Scale(type="log", base=2, domain=heads, nice=False),
    ).axis(values=_doublings(*heads))
    y = alt.Y(
        "intensity:Q",
        title="FLOP per byte of cache",
        scale=alt.Scale(type="log", base=2, domain=[low, high], nice=False),
    ).axis(values=_doublings(low, high)[1:], format="d")
    lines = (
        alt.Chart(shown[["n_heads", "intensity", "bits"]])
        .mark_line()
        .encode(x, y, detail="bits:N", color=color)
    )
    labels = end_labels(
        shown,
        x="n_heads",
        y="intensity",
        name="bits",
        text="text",
        color=alt.Color("bits:N", scale=alt.Scale(range=[hue("green")]), legend=None),
        low=low,
        high=high,
    )
    roofs = [reference(value, f"{name}: {value:.0f} FLOP/byte") for name, value in ridges.items()]
    return titled(
        alt.layer(lines, *roofs, labels),
        title="The more heads share a latent, the sooner decode leaves the bandwidth roof",
        subtitle="Arithmetic per byte of latent cache; above a dotted line arithmetic is the bound",
        description="Line chart, both axes logarithmic. "
        + " ".join(
            f"{group['bits'].iloc[0]}: {group['intensity'].iloc[-1]:.0f} FLOP per byte "
            f"at {group['n_heads'].iloc[-1]:g} heads."
            for _, group in shown.groupby("bits", sort=False)
        )
        + " "
        + " ".join(f"{name}: {value:.0f}." for name, value in ridges.items()),
    )


def busy_share(rows: pd.DataFrame, *, words: Mapping[str, str]) -> Any:
    """Share of rented hours that must be busy before an own GPU meets the list price.

    `rows` has hit_fraction, case and busy_fraction; `words` labels each case.
    """
    shown = rows.assign(
        hit=(rows["hit_fraction"] * 100).round(2),
        busy=(rows["busy_fraction"] * 100).round(2),
        name=rows["case"].map(words),
    )
    high = 1.08 * float(shown["busy"].max())
    shown["text"] = shown["busy"].map("{:.0f} %".format)
    names = list(words.values())
    color = alt.Color(
        "name:N",
        scale=alt.Scale(domain=names, range=[hue("blue"), hue("ochre")][: len(names)]),
        legend=None,
    )
    x = alt.X("hit:Q", title="Share of the prompt found in a cache (%)").scale(domain=[0, 100])
    y = alt.Y("busy:Q", title="Busy share of rented hours that breaks even (%)").scale(
        domain=[0, high]
    )
    lines = alt.Chart(shown[["hit", "busy", "name"]]).mark_line().encode(x, y, color)
    labels = end_labels(
        shown, x="hit", y="busy", name="name", text="text", color=color, low=0, high=high, log=False
    )
    ends = shown.groupby("name", sort=False)["busy"].agg(["first", "last"])
    return titled(
        lines + reference(100, "never idle") + labels,
        title="Cache hits at the vendor raise the bar; hits on your own GPU lower it again",
        subtitle="Below a line the list price is cheaper, above it the own GPU",
        description="Line chart. "
        + " ".join(
            f"{name}: {end['first']:.0f} % without hits, {end['last']:.0f} % with full hits."
            for name, end in ends.iterrows()
        ),
    )


def cheapest_map(
    cells: pd.DataFrame, *, recall: str, thresholds: Mapping[str, float], list_usd: str = ""
) -> Any:
    """Cheapest architecture over context and output share, with both documents' thresholds.

    `cells` comes from `study.decision_map`; `thresholds` are contexts in tokens by their name.
    """
    shown = cells[cells["recall"] == recall].copy()
    contexts = np.sort(shown["context_tokens"].unique())
    shares = np.sort(shown["output_fraction"].unique())
    across = float(np.sqrt(contexts[1] / contexts[0]))
    along = float(np.sqrt(shares[1] / shares[0]))
    rows = pd.DataFrame(
        {
            "architecture": shown["architecture"].replace({"2-bit cache": "quantised"}),
            "x": (shown["context_tokens"] / KTOK / across).round(4),
            "x2": (shown["context_tokens"] / KTOK * across).round(4),
            "y": (shown["output_fraction"] * 100 / along).round(4),
            "y2": (shown["output_fraction"] * 100 * along).round(4),
        }
    )
    low, high = float(rows["x"].min()), float(rows["x2"].max())
    bottom, top = float(rows["y"].min()), float(rows["y2"].max())
    x = alt.X(
        "x:Q",
        title="Prompt plus answer (thousand tokens)",
        scale=alt.Scale(type="log", base=2, domain=[low, high], nice=False),
    ).axis(values=_doublings(max(low, 0.5), high), format="~r")
    y = alt.Y(
        "y:Q",
        title="Answer as a share of it (%)",
        scale=alt.Scale(type="log", domain=[bottom, top], nice=False),
    ).axis(values=[value for value in (0.1, 1, 10, 100) if bottom <= value <= top], format="~r")
    color = alt.Color("architecture:N", scale=cast(ARCHITECTURE), legend=None)
    tiles = alt.Chart(rows).mark_rect(opacity=0.3).encode(x, y, x2="x2:Q", y2="y2:Q", color=color)
    centres = (
        rows.assign(
            x=lambda r: np.sqrt(r["x"] * r["x2"]),
            y=lambda r: np.sqrt(r["y"] * r["y2"]),
        )
        .groupby("architecture")[["x", "y"]]
        .median()
        .round(4)
        .reset_index()
    )
    share = rows["architecture"].value_counts(normalize=True)
    centres = centres[centres["architecture"].map(share) > 0.02]
    words = (
        alt.Chart(centres)
        .mark_text(fontWeight=600, fontSize=14)
        .encode(x="x:Q", y="y:Q", text="architecture:N", color=color)
    )
    marks = [reference(tokens / KTOK, name, axis="x") for name, tokens in thresholds.items()]
    return titled(
        alt.layer(tiles, *marks, words),
        title="Cheapest per request with exact recall"
        if recall == "exact recall"
        else "Cheapest per request when recall may be lossy",
        subtitle="Same 80 layers, prefill in the price; dotted: the thresholds of the two documents",
        description=f"Map of the cheapest architecture with {recall}: "
        + ", ".join(f"{name} on {part:.0%} of the area" for name, part in share.items())
        + ".",
        height=300,
    )


def ratio_swings(table: pd.DataFrame, *, labels: Mapping[str, str]) -> Any:
    """How far each assumption alone moves a ratio: a bar from low to high, the base as a rule.

    `table` comes from `study.one_at_a_time`; `labels` says each parameter in words.
    """
    finite = table[np.isfinite(table[["result_low", "result_high"]]).all(axis=1)]
    left_out = [labels[name] for name in table["parameter"] if name not in set(finite["parameter"])]
    rows = pd.DataFrame(
        {
            "name": finite["parameter"].map(labels),
            "low": finite[["result_low", "result_high"]].min(axis=1).round(2),
            "high": finite[["result_low", "result_high"]].max(axis=1).round(2),
            "rank": range(len(finite)),
        }
    )
    rows["text"] = [
        f"{low:.1f} to {high:.1f}" for low, high in zip(rows["low"], rows["high"], strict=True)
    ]
    base = float(table["result_base"].iloc[0])
    y = alt.Y("name:N", sort=alt.EncodingSortField("rank"), title=None).axis(
        labelColor=hue("ink"), labelFontSize=13, labelLimit=260, grid=False
    )
    x = alt.X("low:Q", title="Cost at the long context over cost at the short one").scale(
        domain=[0, float(rows["high"].max()) * 1.25]
    )
    bars = (
        alt.Chart(rows[["name", "low", "high", "rank"]])
        .mark_bar(height=16, color=hue("muted"))
        .encode(x, y, x2="high:Q")
    )
    text = (
        alt.Chart(rows[["name", "high", "text", "rank"]])
        .mark_text(align="left", dx=6)
        .encode(x="high:Q", y=y, text="text:N")
    )
    return titled(
        alt.layer(bars, reference(round(base, 2), f"{base:.1f}", axis="x"), text),
        title="Memory decides how steep the cliff is; bandwidth and rent do not",
        subtitle="Each assumption moved alone, the others as in the newsletter's rig",
        description="Bars of the ratio as each assumption moves: "
        + "; ".join(f"{row.name_}: {row.text}" for row in rows.rename(columns={"name": "name_"}).itertuples())
        + f"; base {base:.1f}.",
        note=f"Left out, since one end serves nobody: {', '.join(left_out)}." if left_out else "",
        height=40 * len(rows) + 40,
    )


# --- the reader's own cliff ------------------------------------------------------------------


def cliff_controls(
    *,
    context_tokens: float,
    rent_usd_per_h: float,
    memory_bytes: float,
    reserved_bytes: float,
    weight_bits: float,
    cache_bits: float,
) -> tuple[Control, ...]:
    """What the reader of the cliff can move, starting at the chapter's numbers."""
    return (
        Control(
            parameter="context_tokens",
            label="Context",
            unit="thousand tokens",
            value=context_tokens / KTOK,
            low=4,
            high=256,
            step=4,
            scale=KTOK,
        ),
        Control(
            parameter="rent_usd_per_h",
            label="GPU rent",
            unit="USD per hour",
            value=rent_usd_per_h,
            low=0.5,
            high=12,
            step=0.05,
        ),
        Control(
            parameter="memory_bytes",
            label="GPU memory",
            unit="GB",
            value=memory_bytes / units.GB,
            low=24,
            high=288,
            step=1,
            scale=units.GB,
        ),
        Control(
            parameter="reserved_bytes",
            label="Reserve",
            unit="GB",
            value=reserved_bytes / units.GB,
            low=0,
            high=20,
            step=0.5,
            scale=units.GB,
        ),
        Control(
            parameter="weight_bits",
            label="Weights",
            unit="bits",
            value=weight_bits,
            options=(4, 8, 16),
        ),
        Control(
            parameter="cache_bits",
            label="Cache",
            unit="bits",
            value=cache_bits,
            options=(3, 4, 6, 8, 16),
        ),
    )


SWEPT = "context_tokens"
def _accepted(formula: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the arguments that a formula takes."""
    return {name: arguments[name] for name in signature(formula).parameters if name in arguments}


def _cliff_formulas(
    controls: Sequence[Control], fixed: Mapping[str, float], context: str
) -> tuple[str, str]:
    """Users and cost as Vega expressions at a context."""
    arguments: dict[str, str | float] = {
        **fixed,
        **{control.parameter: control.expression for control in controls},
        SWEPT: context,
    }
    users = _accepted(serving.capacity_users, arguments)
    return (
        expression(serving.capacity_users, **users),
        expression(serving.capacity_usd_per_mtok, **arguments),
    )


def try_cliff(controls: Sequence[Control], fixed: Mapping[str, float]) -> Any:
    """The cliff with sliders that recompute it in the reader's browser.

    `fixed` holds the arguments of `serving.capacity_usd_per_mtok` that no control moves. The
    expressions are translated from the library, see `costlib.charts.vega`.
    """
    swept = next(control for control in controls if control.parameter == SWEPT)
    _, curve_usd = _cliff_formulas(controls, fixed, f"datum.context_k * {KTOK!r}")
    my_users, my_usd = _cliff_formulas(controls, fixed, swept.expression)
    low, high, steps = swept.low, swept.high, 160
    doublings = float(np.log2(high / low))
    axis, price = _context_axis(low, high), _usd_axis(0.02, 200)
    curve = (
        alt.Chart(alt.sequence(0, steps + 1, 1, as_="i"))
        .transform_calculate(context_k=f"{low!r} * pow(2, datum.i * {doublings / steps!r})")
        .transform_calculate(usd=curve_usd)
        .transform_filter("isFinite(datum.usd)")
    )
    mine = curve.mark_line(
        color=hue("you"), strokeWidth=3, clip=True, interpolate="step-after"
    ).encode(axis, price)
    contexts = low * 2 ** (np.arange(steps + 1) * doublings / steps)
    arguments = {**fixed, **initial(controls), SWEPT: contexts * KTOK}
    start = pd.DataFrame(
        {
            "context_k": contexts.round(3),
            "usd": np.round(serving.capacity_usd_per_mtok(**arguments), 4),
        }
    )
    start = start[np.isfinite(start["usd"])]
    chapter = (
        alt.Chart(start)
        .mark_line(
            color=hue("muted"), strokeDash=[7, 5], strokeWidth=1.75, interpolate="step-after"
        )
        .encode(x="context_k:Q", y="usd:Q")
    )
    here = (
        alt.Chart(alt.sequence(0, 1, 1, as_="i"))
        .transform_calculate(
            context_k=swept.parameter, usd="my_usd", text=f"'You: ' + {_usd_words('my_usd')}"
        )
        .transform_filter("isFinite(datum.usd)")
    )
    dot = here.mark_point(
        size=150, color=hue("you"), stroke=hue("page"), strokeWidth=2.5, opacity=1, clip=True
    ).encode(x="context_k:Q", y="usd:Q")
    late = f"(width < 400 ? {SWEPT} > 40 : {SWEPT} > 100)"  # near the right edge: above, leftwards
    words = here.mark_text(
        align=alt.ExprRef(f"{late} ? 'right' : 'left'"),
        dx=alt.ExprRef(f"{late} ? -8 : 8"),
        dy=alt.ExprRef(f"{late} ? -14 : 22"),
        color=hue("you"),
        fontWeight=700,
        fontSize=14,
    ).encode(x="context_k:Q", y="usd:Q", text="text:N")
    spoken = (
        f"my_users < 1 ? 'Nobody fits: the weights and the reserve leave no room for one user with "
        f"' + {SWEPT} + 'K tokens on ' + memory_bytes + ' GB.' : 'At ' + {SWEPT} + 'K tokens: ' + "
        f"my_users + (my_users == 1 ? ' user' : ' users') + ' on the GPU, ' + "
        f"{_usd_words('my_usd')} + ' per million output tokens.'"
    )
    chart = (chapter + mine + dot + words).add_params(
        *params(controls),
        alt.param("my_users", expr=my_users),
        alt.param("my_usd", expr=my_usd),
        alt.param("readout", expr=spoken),
    )
    first = {**fixed, **initial(controls)}
    users = float(serving.capacity_users(**_accepted(serving.capacity_users, first)))
    return titled(
        chart,
        title="Your cliff: where do you stand on it?",
        subtitle="A 70B model with grouped-query attention on one GPU; dashed: this chapter's rig",
        description=(
            "Interactive line chart of cost per million output tokens against context, both axes "
            f"logarithmic. With the chapter's numbers {users:g} users fit."
        ),
        note="Recomputed in your browser by the library's own formulas, at the speed of light.",
    )


def _usd_words(signal: str) -> str:
    return f"format({signal}, {signal} < 10 ? '$.3r' : '$,.2f')"


def cliff_point(fixed: Mapping[str, float], **moved: float) -> Any:
    """The twin of `try_cliff` for one setting, computed in Python: a chart for the widget."""
    contexts = 4e3 * 2 ** (np.arange(161) * 6 / 160)
    arguments = {**fixed, **moved}
    line = serving.capacity_usd_per_mtok(**{**arguments, SWEPT: contexts})
    point = float(serving.capacity_usd_per_mtok(**arguments))
    users = float(serving.capacity_users(**_accepted(serving.capacity_users, arguments)))
    rows = pd.DataFrame({"context_k": (contexts / KTOK).round(3), "usd": np.round(line, 4)})
    rows = rows[np.isfinite(rows["usd"])]
    drawn = (
        alt.Chart(rows)
        .mark_line(color=hue("you"), strokeWidth=3, clip=True, interpolate="step-after")
        .encode(_context_axis(4, 256), _usd_axis(0.02, 200))
    )
    layers = [drawn]
    if np.isfinite(point):
        here = pd.DataFrame({"context_k": [arguments[SWEPT] / KTOK], "usd": [round(point, 4)]})
        layers.append(
            alt.Chart(here)
            .mark_point(size=150, color=hue("you"), opacity=1, clip=True)
            .encode(x="context_k:Q", y="usd:Q")
        )
    spoken = (
        f"{users:,.0f} {'user' if users == 1 else 'users'}, {usd(point)} per million output tokens"
        if users
        else "Nobody fits: the weights and the reserve leave no room for one user"
    )
    return titled(
        alt.layer(*layers),
        title=spoken,
        subtitle=f"At {arguments[SWEPT] / KTOK:,.0f}K tokens on {arguments['memory_bytes'] / 1e9:g} GB",
        description=spoken,
        height=320,
    )
