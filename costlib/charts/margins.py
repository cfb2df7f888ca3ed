"""Charts of `margins`: what hosts earn at list, and a host's margin to try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib.charts.controls import Control, initial, params
from costlib.charts.theme import end_labels, hue, reference, titled, usd
from costlib.charts.vega import expression
from costlib.pricing import break_even_load, gross_margin_fraction, request_usd
from costlib.serving import rent_usd

__all__ = [
    "day_bars",
    "host",
    "host_controls",
    "host_point",
    "load_dots",
    "margin_lines",
    "try_host",
]

LOADS: Final = np.round(np.arange(0.02, 1.001, 0.02), 2)
LOWEST: Final = -100  # percent: where the axis of a margin ends


def load_dots(found: pd.DataFrame, *, load: float, title: str, subtitle: str) -> Any:
    """Load from which each host earns, by model; beyond 100 % not even a full machine does.

    A host that never earns is a triangle at the right edge.
    """
    edge = 150.0
    order = found.groupby("model")["zero_load"].median().sort_values().index.tolist()
    rows = pd.DataFrame(
        {
            "model": found["model"],
            "load": np.minimum(100 * found["zero_load"], edge).round(3),
            "low": np.minimum(100 * found["zero_load_low"], edge).round(3),
            "high": np.minimum(100 * found["zero_load_high"], edge).round(3),
            "never": ~np.isfinite(found["zero_load"]),
        }
    )
    x = alt.X(
        "load:Q",
        title="Load from which the host earns (%), logarithmic",
        scale=alt.Scale(type="log", domain=[1, edge]),
        axis=alt.Axis(values=[1, 3, 10, 30, 100]),
    )
    y = alt.Y("model:N", sort=order, title=None)
    base = alt.Chart(rows)
    return titled(
        alt.layer(
            reference(100 * load, f"{100 * load:.0f} % load", axis="x"),
            base.mark_rule(color=hue("blue"), opacity=0.35, strokeWidth=3).encode(
                x=alt.X("low:Q").scale(type="log", domain=[1, edge]), x2="high:Q", y=y
            ),
            base.transform_filter("!datum.never")
            .mark_circle(size=46, color=hue("blue"), opacity=0.9)
            .encode(x, y),
            base.transform_filter("datum.never")
            .mark_point(
                shape="triangle-right", size=110, filled=True, opacity=1, color=hue("magenta")
            )
            .encode(x, y),
        ),
        title=title,
        subtitle=subtitle,
        description=f"Dots of {len(rows)} list prices by model: the load from which the host "
        "earns. Medians: "
        + ", ".join(
            f"{model} {100 * value:.0f} %"
            for model, value in found.groupby("model")["zero_load"].median()[order].items()
            if np.isfinite(value)
        )
        + ".",
        height=22 * len(order) + 40,
        tall=True,  # a phone shows every name
    )


def margin_lines(costs: pd.DataFrame, *, load: float, title: str, subtitle: str) -> Any:
    """Margin against load; `costs` has name, bill_usd and full_usd of each line."""
    rows = pd.concat(
        pd.DataFrame(
            {
                "name": row["name"],
                "load": 100 * LOADS,
                "margin": 100
                * gross_margin_fraction(
                    bill_usd=row["bill_usd"], full_usd=row["full_usd"], load=LOADS
                ),
            }
        )
        for _, row in costs.iterrows()
    )
    kept = rows[rows["margin"] >= LOWEST].round(4)
    names = list(costs["name"])
    hues = ["blue", "teal", "ochre", "magenta"][: len(names)]
    color = alt.Color(
        "name:N", scale=alt.Scale(domain=names, range=[hue(h) for h in hues]), legend=None
    )
    y = alt.Y("margin:Q", title="Gross margin (%)", scale=alt.Scale(domain=[LOWEST, 100]))
    return titled(
        alt.layer(
            reference(0, "", axis="y"),
            reference(100 * load, f"{100 * load:.0f} % load", axis="x"),
            alt.Chart(kept)
            .mark_line()
            .encode(
                alt.X("load:Q", title="Load of the machine (%)", scale=alt.Scale(domain=[0, 100])),
                y,
                color,
            ),
            end_labels(
                kept.assign(text=kept["margin"].map("{:.0f} %".format).str.replace("-", "−")),
                x="load",
                y="margin",
                name="name",
                text="text",
                color=color,
                low=LOWEST,
                high=100,
                log=False,
            ),
        ),
        title=title,
        subtitle=subtitle,
        description="Lines of the gross margin against the load of the machine. "
        + " ".join(
            f"{row['name']}: zero at {100 * row['full_usd'] / row['bill_usd']:.0f} %."
            for _, row in costs.iterrows()
        ),
        height=300,
    )


def day_bars(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """Amounts of one day as bars; `rows` has name, usd and whether it is a cost (`is_cost`)."""
    shown = rows.assign(
        thousand=(rows["usd"] / 1000).round(3),
        text=[usd(value) for value in rows["usd"].round(0)],
        kind=np.where(rows["is_cost"], "cost", "bill"),
    )[["name", "thousand", "text", "kind"]]
    base = alt.Chart(shown).encode(
        x=alt.X(
            "thousand:Q",
            title="Thousand USD a day",
            scale=alt.Scale(domain=[0, 1.4 * shown["thousand"].max()]),
        ),
        y=alt.Y("name:N", sort=list(shown["name"]), title=None),
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(domain=["cost", "bill"], range=[hue("ochre"), hue("magenta")]),
            legend=None,
        ),
    )
    return titled(
        alt.layer(
            base.mark_bar(height=20),
            base.mark_text(align="left", dx=5, fontWeight=600).encode(text="text:N"),
        ),
        title=title,
        subtitle=subtitle,
        description="Bars of one day. "
        + " ".join(f"{name}: {text}." for name, text in zip(shown.name, shown.text, strict=True)),
        height=44 * len(shown) + 40,
    )


# --- a host of one's own -------------------------------------------------------------------------


def host_controls(**start: float) -> tuple[Control, ...]:
    """What the reader can move, from `start`: machine, request, prices, load."""

    def at(name: str, scale: float = 1.0) -> float:
        return float(start[name]) / scale

    def slider(
        parameter: str, label: str, unit: str, high: float, step: float, scale: float = 1.0
    ) -> Control:
        value = at(parameter, scale)
        return Control(
            parameter=parameter,
            label=label,
            unit=unit,
            value=value,
            low=min(step, value),
            high=max(high, value),
            step=step,
            scale=scale,
        )

    def share(parameter: str, label: str, high: float = 100) -> Control:
        return Control(
            parameter=parameter,
            label=label,
            unit="%",
            value=100 * at(parameter),
            low=0,
            high=high,
            step=1,
            scale=0.01,
        )

    return (
        slider("machine_usd_per_h", "Machine, all its GPUs", "USD/h", 60, 0.5),
        slider("tokens_per_s", "Output when full", "tokens/s", 20_000, 100),
        Control(
            parameter="load",
            label="Load",
            unit="%",
            value=100 * at("load"),
            low=1,
            high=100,
            step=1,
            scale=0.01,
        ),
        slider("input_tokens", "Prompt", "tokens", 20_000, 100),
        slider("output_tokens", "Answer", "tokens", 4_000, 50),
        slider("input_usd_per_mtok", "Price of input", "USD/Mtok", 5, 0.01),
        slider("output_usd_per_mtok", "Price of output", "USD/Mtok", 15, 0.01),
        share("hit_fraction", "Of the prompt billed as cached"),
        share("cached_price_fraction", "Price of cached input, of fresh"),
        share("discount_fraction", "Discount to the customer", 90),
    )


def host(**moved: float) -> dict[str, float]:
    """Bill, cost of a request on a full machine, margin at the load, and load of zero margin."""
    bill = request_usd(
        input_tokens=moved["input_tokens"],
        output_tokens=moved["output_tokens"],
        input_usd_per_mtok=moved["input_usd_per_mtok"],
        output_usd_per_mtok=moved["output_usd_per_mtok"],
        cached_tokens=moved["hit_fraction"] * moved["input_tokens"],
        cached_input_usd_per_mtok=moved["cached_price_fraction"] * moved["input_usd_per_mtok"],
        discount_fraction=moved["discount_fraction"],
    )
    full = rent_usd(
        held_s=moved["output_tokens"] / moved["tokens_per_s"],
        rent_usd_per_h=moved["machine_usd_per_h"],
    )
    return {
        "bill_usd": float(bill),
        "full_usd": float(full),
        "margin": float(gross_margin_fraction(bill_usd=bill, full_usd=full, load=moved["load"])),
        "zero_load": float(break_even_load(bill_usd=bill, full_usd=full)),
    }


def try_host(controls: Sequence[Control]) -> Any:
    """Margin against load for the reader's machine and prices, recomputed in the browser."""
    moved = {control.parameter: control.expression for control in controls}
    bill = expression(
        request_usd,
        **{
            name: moved[name]
            for name in (
                "input_tokens",
                "output_tokens",
                "input_usd_per_mtok",
                "output_usd_per_mtok",
                "discount_fraction",
            )
        },
        cached_tokens=f"{moved['hit_fraction']} * {moved['input_tokens']}",
        cached_input_usd_per_mtok=f"{moved['cached_price_fraction']} * "
        f"{moved['input_usd_per_mtok']}",
    )
    full = expression(
        rent_usd,
        held_s=f"{moved['output_tokens']} / {moved['tokens_per_s']}",
        rent_usd_per_h=moved["machine_usd_per_h"],
    )
    signals = {"bill_usd": "bill_usd", "full_usd": "full_usd"}

    def margin(load: str) -> str:
        return expression(gross_margin_fraction, **signals, load=load)

    start = host(**initial(controls))
    x = alt.X("load:Q", title="Load of the machine (%)", scale=alt.Scale(domain=[0, 100]))
    y = alt.Y("margin:Q", title="Gross margin (%)", scale=alt.Scale(domain=[LOWEST, 100]))
    line = (
        alt.Chart(alt.sequence(0.01, 1.0001, 0.01, as_="u"))
        .transform_calculate(load="100 * datum.u", margin=f"100 * ({margin('datum.u')})")
        .transform_filter(f"datum.margin >= {LOWEST}")
    )
    mine = (
        alt.Chart(alt.sequence(0, 1, 1, as_="i"))
        .transform_calculate(
            load=f"100 * {moved['load']}", margin=f"max(100 * margin_here, {LOWEST})"
        )
        .transform_calculate(text="format(100 * margin_here, '.0f') + ' %'")
    )
    cost = f"full_usd / ({moved['load']})"
    spoken = (
        "'A thousand requests are billed ' + "
        f"{_thousand('bill_usd')} + ' and cost ' + {_thousand(cost)} + "
        "' at this load: a margin of ' + "
        "(bill_usd > 0 ? format(100 * margin_here, ',.0f') + '\u00a0%' : 'nothing, for nothing is "
        "billed') + '. ' + (isFinite(zero_load) ? 'It earns from ' + "
        "format(100 * zero_load, '.0f') + '\u00a0% load on.' : 'Not even a full machine earns.')"
    )
    return titled(
        alt.layer(
            reference(0, "", axis="y"),
            line.mark_line(color=hue("blue")).encode(x, y),
            mine.mark_point(
                size=150, strokeWidth=2.5, filled=False, opacity=1, color=hue("you")
            ).encode(x, y),
            mine.mark_text(  # the line comes from below on the left
                align=alt.ExprRef(f"{moved['load']} < 0.15 ? 'left' : 'right'"),
                dx=alt.ExprRef(f"{moved['load']} < 0.15 ? 12 : -8"),
                dy=-14,
                fontWeight=600,
                color=hue("you"),
            ).encode(x, y, text="text:N"),
        ).add_params(
            *params(controls),
            alt.param("bill_usd", expr=bill),
            alt.param("full_usd", expr=full),
            alt.param("margin_here", expr=margin(moved["load"])),
            alt.param("zero_load", expr=expression(break_even_load, **signals)),
            alt.param("readout", expr=spoken),
        ),
        title="Your host: what is left of the price?",
        subtitle="Gross margin over the machine alone, by how much of its traffic comes",
        description="Interactive line of the gross margin against the load. With the chapter's "
        f"numbers {100 * start['margin']:.0f} %, zero at {100 * start['zero_load']:.0f} % load.",
        note="Recomputed in your browser by the library’s own bill and rent. Output when full is "
        "what you measure with such requests; it does not follow their lengths. Margins below "
        f"{LOWEST} % are not drawn.",
        height=280,
    )


def _thousand(signal: str) -> str:
    """USD of a thousand requests in the browser's words, as `usd` has them."""
    price = f"1000 * {signal}"
    return f"format({price}, {price} < 9.995 ? '$.3r' : {price} < 1000 ? '$.2f' : '$,.0f')"


def host_point(**moved: float) -> Any:
    """The same margin computed in Python."""
    found = host(**moved)
    costs = pd.DataFrame([{"name": "yours", **found}])
    zero = (
        f"earns from {100 * found['zero_load']:.0f} % load on"
        if np.isfinite(found["zero_load"])
        else "not even a full machine earns"
    )
    rows = pd.DataFrame(
        {
            "load": 100 * LOADS,
            "margin": 100
            * gross_margin_fraction(
                bill_usd=costs["bill_usd"].iloc[0],
                full_usd=costs["full_usd"].iloc[0],
                load=LOADS,
            ),
        }
    )
    return titled(
        alt.Chart(rows[rows["margin"] >= LOWEST])
        .mark_line(color=hue("blue"))
        .encode(
            alt.X("load:Q", title="Load of the machine (%)"),
            alt.Y("margin:Q", title="Gross margin (%)", scale=alt.Scale(domain=[LOWEST, 100])),
        ),
        title=f"A thousand requests are billed {usd(1000 * found['bill_usd'])} and cost "
        f"{usd(1000 * found['full_usd'] / moved['load'])}: {100 * found['margin']:.0f} %",
        subtitle=f"The host {zero}",
        description="Line of the gross margin against the load.",
        height=220,
    )
