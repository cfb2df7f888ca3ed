"""The margin to try of `demand`: price, users, cap and fee on sliders; who pays for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import tariffs, usage
from costlib.charts.controls import Control, initial, params
from costlib.charts.theme import hue, reference, titled
from costlib.charts.vega import expression

__all__ = ["CAPS", "margin", "margin_controls", "margin_point", "try_margin"]

CAPS: Final = (np.inf, 10.0, 5.0, 3.0, 2.0, 1.5, 1.0, 0.75, 0.5, 0.25)  # times the price
LOW, HIGH, PER_DECADE = 0.1, 1000.0, 8  # USD, and bars
N_BARS: Final = round(PER_DECADE * np.log10(HIGH / LOW))
NOTHING: Final = 1e-9  # USD: where the first bar begins
GAIN, LOSS = "blue", "magenta"


def margin_controls(
    *,
    price_usd: float,
    mean_usd: float,
    sigma: float,
    cap_times: float,
    overage_times: float,
    bought_fraction: float,
) -> tuple[Control, ...]:
    """What the reader can move, starting at the chapter's numbers; an infinite cap is none."""
    caps = tuple(sorted({*CAPS, float(cap_times)}, reverse=True))
    return (
        Control(
            parameter="price_usd",
            label="Price of a seat",
            unit="USD a month",
            value=price_usd,
            low=min(1, price_usd),
            high=max(300, price_usd),
            step=1,
        ),
        Control(
            parameter="mean_usd",
            label="Mean cost of an active user",
            unit="USD a month",
            value=mean_usd,
            low=min(0.5, mean_usd),
            high=max(150, mean_usd),
            step=0.5,
        ),
        Control(
            parameter="sigma",
            label="How unequal users are",
            unit="sigma",
            value=sigma,
            low=min(0.2, sigma),
            high=max(2.4, sigma),
            step=0.05,
        ),
        Control(
            parameter="cap",
            label="Cap",
            unit="",
            value=float(caps.index(float(cap_times))),
            options=tuple(float(place) for place in range(len(caps))),
            words=tuple("none" if np.isinf(c) else f"{c:g} × the price" for c in caps),
        ),
        Control(
            parameter="bought_fraction",
            label="Bought beyond the cap",
            unit="% of the use",
            value=round(100 * bought_fraction),
            low=0,
            high=100,
            step=5,
            scale=0.01,
        ),
        Control(
            parameter="overage_times",
            label="Fee beyond the cap",
            unit="× its cost",
            value=overage_times,
            low=0,
            high=max(4, overage_times),
            step=0.1,
        ),
    )


def _caps(controls: Sequence[Control]) -> list[float]:
    (cap,) = (control for control in controls if control.parameter == "cap")
    return [np.inf if word == "none" else float(word.split()[0]) for word in cap.words]


def _axes() -> tuple[Any, Any]:
    return (
        alt.X(
            "low:Q",
            title="Cost of a user (USD a month, logarithmic)",
            scale=alt.Scale(type="log", domain=[LOW, HIGH], nice=False),
        ).axis(values=[0.1, 1, 10, 100, 1000], format="$,~g"),
        alt.Y("profit:Q", title="Profit from 100 users (USD per bar)", stack=None),
    )


def _colour(test: str) -> Any:
    return alt.condition(test, alt.value(hue(LOSS)), alt.value(hue(GAIN)))


def try_margin(controls: Sequence[Control]) -> Any:
    """Profit by what a user costs, with the plan's margin, losses and break-even in words."""
    moved = {control.parameter: control.expression for control in controls}
    caps = ", ".join("1 / 0" if np.isinf(cap) else f"{cap:g}" for cap in _caps(controls))
    law = {"mean_usd": "mean_usd", "sigma": "sigma"}
    plan = {
        **law,
        "price_usd": "price_usd",
        "cap_usd": "cap_usd",
        "overage_times": "overage_times",
        "bought_fraction": moved["bought_fraction"],
    }
    x, y = _axes()
    bars = (
        alt.Chart(alt.sequence(0, N_BARS, 1, as_="i"))
        .transform_calculate(
            low=f"{LOW} * pow(10, datum.i / {PER_DECADE})",
            high=f"{LOW} * pow(10, (datum.i + 1) / {PER_DECADE})",
            first=f"datum.i == 0 ? {NOTHING} : {LOW} * pow(10, datum.i / {PER_DECADE})",
            last=f"datum.i == {N_BARS - 1} ? 1 / 0 : {LOW} * pow(10, (datum.i + 1) / {PER_DECADE})",
        )
        .transform_calculate(
            profit="100 * "
            + expression(tariffs.band_usd, low_usd="datum.first", high_usd="datum.last", **plan)
        )
        .mark_bar(opacity=0.85, stroke=hue("page"), strokeWidth=0.5)
        .encode(x, alt.X2("high"), y, y2=alt.datum(0), color=_colour("datum.profit < 0"))
    )
    zero = reference(0, "")
    here = alt.Chart(alt.sequence(0, 1, 1, as_="i"))
    price = here.transform_calculate(low="price_usd", text="'the price'").transform_filter(
        f"datum.low >= {LOW} && datum.low <= {HIGH}"
    )
    cap = here.transform_calculate(low="cap_usd", text="'the cap'").transform_filter(
        f"datum.low >= {LOW} && datum.low <= {HIGH}"
    )
    rules = [
        part
        for chart, height in ((price, 52), (cap, 68))
        for part in (
            chart.mark_rule(strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted")).encode(
                x="low:Q"
            ),
            chart.mark_text(align="left", dx=4, color=hue("muted")).encode(
                x="low:Q", y=alt.value(height), text="text:N"
            ),
        )
    ]
    told = [
        here.transform_calculate(low=f"{HIGH}", text=text)
        .mark_text(align="right", dx=-2, color=hue("you"), fontWeight=700, fontSize=14)
        .encode(x="low:Q", y=alt.value(height), text="text:N")
        for text, height in (
            ("'Margin ' + " + _whole("margin"), 12),
            (_part("lost") + " + ' at a loss'", 30),
        )
    ]
    spoken = (
        "'A seat at ' + "
        + _usd("price_usd")
        + " + ' for users who cost ' + "
        + _usd("mean_usd")
        + " + ' on average: a gross margin of ' + "
        + _whole("margin")
        + " + ', with ' + "
        + _part("lost")
        + " + ' of the users at a loss. A user breaks even at ' + "
        "format(price_usd / mean_usd, '.2r') + ' times the mean use, and the top 1\u00a0% cost ' + "
        + _part("top")
        + " + ' of all use' + (isFinite(cap_usd) ? ', before the cap of ' + "
        + _usd("cap_usd")
        + " + ', which ' + "
        + _part("stopped")
        + " + ' of the users reach' : '')"
        " + '.'"
    )
    signals = {
        "cap_usd": f"[{caps}][cap] * price_usd",
        "margin": expression(tariffs.plan_margin_fraction, **plan),
        "lost": f"max({expression(tariffs.loss_fraction, **plan)}, 0)",
        "top": expression(usage.top_share, top_fraction=0.01, sigma="sigma"),
        "stopped": expression(tariffs.staying_fraction, **law, price_usd="cap_usd", value_times=1),
        "readout": spoken,
    }
    chart = alt.layer(zero, bars, *rules, *told).add_params(
        *params(controls), *(alt.param(name, expr=text) for name, text in signals.items())
    )
    start = margin(controls, **initial(controls))
    return titled(
        chart,
        title="Your plan: who pays for whom",
        subtitle="Profit from 100 users by what their use would cost; below zero they cost more "
        "than they pay",
        description="Interactive bar chart of the profit from users by what they cost. With the "
        f"chapter's numbers the margin is {100 * start['margin']:.1f} percent and "
        f"{100 * start['lost']:.1f} percent of the users cost more than they pay.",
        note="Recomputed in your browser by the library’s own formulas. Lognormal use; the first "
        f"bar holds all users below ${LOW * 10 ** (1 / PER_DECADE):.2f} and the last all above "
        f"${HIGH * 10 ** (-1 / PER_DECADE):.0f}. Tokens are the only cost.",
        height=360,
    )


def _whole(signal: str) -> str:
    return f"(format(100 * {signal}, '.0f') + '\u00a0%')"


def _part(signal: str) -> str:
    digits = f"({signal} < 0.0995 ? '.1f' : '.0f')"
    return (
        f"({signal} < 1e-9 ? 'none' : {signal} < 0.0005 ? 'fewer than 0.1\u00a0%' : "
        f"format(100 * {signal}, {digits}) + '\u00a0%')"
    )


def _usd(signal: str) -> str:
    return f"('$' + format({signal}, {signal} < 10 ? '.2f' : ',.0f'))"


def margin(controls: Sequence[Control], **moved: float) -> dict[str, float]:
    """What the words of `try_margin` say at one setting: margin, loss-makers, top, cap."""
    cap = _caps(controls)[int(moved["cap"])] * moved["price_usd"]
    law = {"mean_usd": moved["mean_usd"], "sigma": moved["sigma"]}
    plan = {
        **law,
        "price_usd": moved["price_usd"],
        "cap_usd": cap,
        "overage_times": moved["overage_times"],
        "bought_fraction": moved["bought_fraction"],
    }
    return {
        "margin": float(tariffs.plan_margin_fraction(**plan)),
        "lost": float(tariffs.loss_fraction(**plan)),
        "top": float(usage.top_share(0.01, sigma=moved["sigma"])),
        "stopped": float(tariffs.staying_fraction(**law, price_usd=cap, value_times=1)),
        "cap_usd": cap,
    }


def margin_point(controls: Sequence[Control], **moved: float) -> Any:
    """The twin of `try_margin` for one setting, computed in Python."""
    here = margin(controls, **moved)
    logs = np.arange(N_BARS + 1) / PER_DECADE
    edges = LOW * 10**logs
    ends = np.concatenate([[NOTHING], edges[1:-1], [np.inf]])
    profit = tariffs.band_usd(
        low_usd=ends[:-1],
        high_usd=ends[1:],
        price_usd=moved["price_usd"],
        mean_usd=moved["mean_usd"],
        sigma=moved["sigma"],
        cap_usd=here["cap_usd"],
        overage_times=moved["overage_times"],
        bought_fraction=moved["bought_fraction"],
    )
    rows = pd.DataFrame(
        {
            "low": edges[:-1].round(4),
            "high": edges[1:].round(4),
            "profit": np.round(100 * np.asarray(profit), 3),
        }
    )
    x, y = _axes()
    bars = (
        alt.Chart(rows)
        .mark_bar(opacity=0.85)
        .encode(x, alt.X2("high"), y, y2=alt.datum(0), color=_colour("datum.profit < 0"))
    )
    spoken = (
        f"Margin {100 * here['margin']:.0f} %, {100 * here['lost']:.1f} % of users at a loss; "
        f"the top 1 % cost {100 * here['top']:.0f} % of all use"
        + (f", the cap stops {100 * here['stopped']:.1f} %" if here["stopped"] else "")
    )
    cap = f"a cap of ${here['cap_usd']:.2f}" if np.isfinite(here["cap_usd"]) else "a cap, if any,"
    return titled(
        bars,
        title=spoken,
        subtitle=f"Profit from 100 users by what their use would cost; beyond {cap} "
        f"{100 * moved['bought_fraction']:.0f} % is sold at {moved['overage_times']:g} × its cost",
        description=spoken,
        height=320,
    )
