"""The reader's own cliff: the chapter's one live chart, and its twin for JupyterLab."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from costlib import serving, units
from costlib.charts.controls import Control, initial, params
from costlib.charts.physics import context_axis, usd_axis
from costlib.charts.theme import hue, titled, usd
from costlib.charts.vega import expression

__all__ = ["cliff_controls", "cliff_point", "try_cliff"]

KTOK = units.TOKENS_PER_KTOK
SWEPT = "context_tokens"
CONTEXT_K, USD_RANGE = (4.0, 256.0), (0.02, 200.0)


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
            low=min(CONTEXT_K[0], context_tokens / KTOK),
            high=max(CONTEXT_K[1], context_tokens / KTOK),
            step=4,
            scale=KTOK,
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
        Control(
            parameter="memory_bytes",
            label="GPU memory",
            unit="GB",
            value=memory_bytes / units.GB,
            low=min(24, memory_bytes / units.GB),
            high=max(288, memory_bytes / units.GB),
            step=1,
            scale=units.GB,
        ),
        Control(
            parameter="reserved_bytes",
            label="Reserve",
            unit="GB",
            value=reserved_bytes / units.GB,
            low=min(0, reserved_bytes / units.GB),
            high=max(20, reserved_bytes / units.GB),
            step=0.5,
            scale=units.GB,
        ),
        Control(
            parameter="weight_bits",
            label="Weights",
            unit="bits",
            value=weight_bits,
            options=_choices(weight_bits, 4, 8, 16),
        ),
        Control(
            parameter="cache_bits",
            label="Cache",
            unit="bits",
            value=cache_bits,
            options=_choices(cache_bits, 3, 4, 6, 8, 16),
        ),
    )


def _choices(value: float, *usual: float) -> tuple[float, ...]:
    """The usual choices and the reader's own start."""
    return tuple(sorted({*usual, value}))


def _accepted(formula: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the arguments that a formula takes."""
    return {name: arguments[name] for name in signature(formula).parameters if name in arguments}


def _cliff_formulas(
    controls: Sequence[Control], fixed: Mapping[str, Any], context: str
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


def try_cliff(controls: Sequence[Control], fixed: Mapping[str, Any]) -> Any:
    """The cliff with sliders that recompute it in the reader's browser.

    `fixed` holds the arguments of `serving.capacity_usd_per_mtok` that no control moves. The
    expressions are translated from the library, see `costlib.charts.vega`.
    """
    swept = next(control for control in controls if control.parameter == SWEPT)
    _, curve_usd = _cliff_formulas(controls, fixed, f"datum.context_k * {KTOK!r}")
    my_users, my_usd = _cliff_formulas(controls, fixed, swept.expression)
    low, high, steps = swept.low, swept.high, 160
    doublings = float(np.log2(high / low))
    axis, price = context_axis(low, high), usd_axis(*USD_RANGE)
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
        subtitle="A 70B model with grouped-query attention on one GPU; dashed: this chapter’s rig; "
        "both axes logarithmic",
        description=(
            "Interactive line chart of cost per million output tokens against context, both axes "
            f"logarithmic. Users that fit with the chapter's numbers: {users:g}."
        ),
        note="Recomputed in your browser by the library’s own formulas, at the speed of light.",
    )


def _usd_words(signal: str) -> str:
    return f"format({signal}, {signal} < 10 ? '$.3r' : '$,.2f')"


def cliff_point(fixed: Mapping[str, Any], **moved: float) -> Any:
    """The twin of `try_cliff` for one setting, computed in Python: a chart for the widget."""
    arguments = {**fixed, **moved}
    here_k = arguments[SWEPT] / KTOK
    ends = min(CONTEXT_K[0], here_k), max(CONTEXT_K[1], here_k)
    contexts = KTOK * np.geomspace(*ends, 161)
    line = serving.capacity_usd_per_mtok(**{**arguments, SWEPT: contexts})
    point = float(serving.capacity_usd_per_mtok(**arguments))
    users = float(serving.capacity_users(**_accepted(serving.capacity_users, arguments)))
    rows = pd.DataFrame({"context_k": (contexts / KTOK).round(3), "usd": np.round(line, 4)})
    rows = rows[np.isfinite(rows["usd"])]
    drawn = (
        alt.Chart(rows)
        .mark_line(color=hue("you"), strokeWidth=3, clip=True, interpolate="step-after")
        .encode(context_axis(*ends), usd_axis(*USD_RANGE))
    )
    layers = [drawn]
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
        else "Nobody fits: the weights and the reserve leave no room for one user"
    )
    return titled(
        alt.layer(*layers),
        title=spoken,
        subtitle=(f"At {here_k:,.0f}K tokens on {arguments['memory_bytes'] / units.GB:g} GB"),
        description=spoken,
        height=320,
    )
