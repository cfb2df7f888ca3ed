"""The live chart of `availability`: spares and what outages lose, in the reader's own numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import availability, outages
from costlib.charts.controls import Control, initial, params, slider
from costlib.charts.theme import cast, hue, titled, usd
from costlib.charts.vega import expression
from costlib.units import HOURS_PER_YEAR

__all__ = ["down", "pool", "pool_controls", "pool_point", "try_pool"]

MOST: Final = 8  # spares that are drawn
USD: Final = (1e2, 1e9)  # a year, on the axis
LINES: Final = {"spares": "ochre", "lost": "brown", "both": "ink"}


def pool_controls(
    *,
    availability_fraction: float,
    common_fraction: float,
    n_needed: float,
    replica_usd_per_h: float,
    loss_usd_per_h: float,
) -> tuple[Control, ...]:
    """What the reader can move, starting at the chapter's numbers."""
    return (
        slider(
            "availability_fraction",
            "One replica is up",
            "%",
            round(100 * availability_fraction, 2),
            (90, 99.99),
            step=0.01,
            scale=0.01,
        ),
        slider(
            "common_fraction",
            "Time down that all share",
            "%",
            round(100 * common_fraction, 2),
            (0, 50),
            step=0.1,
            scale=0.01,
        ),
        slider("n_needed", "Replicas that carry the load", "", n_needed, (1, 40), step=1),
        slider(
            "replica_usd_per_h",
            "A replica",
            "USD an hour",
            round(replica_usd_per_h, 2),
            (0.5, 100),
            step=0.1,
        ),
        slider(
            "loss_usd_per_h",
            "An hour down loses",
            "USD",
            round(loss_usd_per_h),
            (0, 100_000),
            step=100,
        ),
    )


def down(spares: str, *, needed: str, up: str, common: str) -> str:
    """Share of the time in which fewer are up than needed, for the browser, to `MOST` spares.

    `availability.pool_fraction` is an incomplete beta function, which Vega lacks; this is the sum
    that it stands for.
    """
    shared = f"({common} * (1 - {up}))"
    alone = f"((1 - {common}) * (1 - {up}) / (1 - {shared}))"
    terms = []
    for failed in range(MOST + 1):
        n = f"({needed} + {spares})"
        ways = " * ".join([f"({n} - {i})" for i in range(failed)] or ["1"])
        chance = f"pow({alone}, {failed}) * pow(1 - {alone}, {n} - {failed})"
        terms.append(f"({spares} >= {failed} ? {ways} / {factorial(failed)} * {chance} : 0)")
    return f"max(0, 1 - (1 - {shared}) * ({' + '.join(terms)}))"


def _axes() -> tuple[Any, Any]:
    return (
        alt.X("spares:Q", title="Spare replicas", scale=alt.Scale(domain=[0, MOST])).axis(
            values=list(range(MOST + 1)), format="d"
        ),
        alt.Y(
            "usd:Q",
            title="USD a year, logarithmic",
            scale=alt.Scale(type="log", domain=list(USD), nice=False, clamp=True),
        ).axis(
            labelExpr="replace(replace(format(datum.value, '$~s'), 'G', 'B'), 'k', 'K')",
            values=[1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9],
        ),
    )


def try_pool(controls: Sequence[Control]) -> Any:
    """What spares cost and what outages lose a year, over the spares; the least is marked."""
    moved = {control.parameter: f"({control.expression})" for control in controls}
    given = {
        "needed": moved["n_needed"],
        "up": moved["availability_fraction"],
        "common": moved["common_fraction"],
    }
    signals = {f"down_{n}": down(str(n), **given) for n in range(MOST + 1)}
    signals["spare_usd"] = f"{moved['replica_usd_per_h']} * {HOURS_PER_YEAR}"
    signals["year_usd"] = f"{moved['loss_usd_per_h']} * {HOURS_PER_YEAR}"
    for n in range(MOST + 1):
        signals[f"usd_{n}"] = f"{n} * spare_usd + down_{n} * year_usd"
    signals["least"] = f"min({', '.join(f'usd_{n}' for n in range(MOST + 1))})"
    signals["best"] = _first(lambda n: f"least == usd_{n}", str)
    signals["best_down"] = _first(lambda n: f"best == {n}", lambda n: f"down_{n}")
    signals["next_down"] = _first(lambda n: f"best + 1 == {n}", lambda n: f"down_{n}")
    signals["floor"] = "1 - " + expression(
        availability.ceiling_fraction,
        availability_fraction=moved["availability_fraction"],
        common_fraction=moved["common_fraction"],
    )
    signals["readout"] = _spoken(moved["n_needed"])
    x, y = _axes()
    color = alt.Color("name:N", scale=cast(LINES), legend=alt.Legend(title=None, orient="bottom"))
    lines = []
    for name, text in {
        "spares": "datum.spares * spare_usd",
        "lost": "[{}][datum.spares] * year_usd".format(
            ", ".join(f"down_{n}" for n in range(MOST + 1))
        ),
        "both": "[{}][datum.spares]".format(", ".join(f"usd_{n}" for n in range(MOST + 1))),
    }.items():
        base = (
            alt.Chart(alt.sequence(0, MOST + 1, 1, as_="spares"))
            .transform_calculate(usd=text, name=f"'{name}'")
            .transform_filter(f"datum.usd >= {USD[0]} && datum.usd <= {USD[1]}")
            .encode(x, y, color)
        )
        lines += [base.mark_line(), base.mark_point(size=40, filled=True, opacity=1)]
    dot = (
        alt.Chart(alt.sequence(0, 1, 1, as_="i"))
        .transform_calculate(spares="best", usd="least")
        .transform_filter(f"datum.usd >= {USD[0]} && datum.usd <= {USD[1]}")
        .mark_point(
            size=170, filled=True, color=hue("you"), stroke=hue("page"), strokeWidth=2.5, opacity=1
        )
        .encode(x, y)
    )
    chart = alt.layer(*lines, dot).add_params(
        *params(controls), *(alt.param(name, expr=text) for name, text in signals.items())
    )
    start = pool(**initial(controls))
    return titled(
        chart,
        title="Your pool: how many spares pay?",
        subtitle="What spares cost and what outages lose in a year, by the number of spares; the "
        "large dot is the least of both",
        description="Interactive lines of what spare replicas cost and what outages lose in a "
        f"year. With the chapter's numbers {start['best']:.0f} spares pay: "
        f"{usd(start['least'])} a year, {100 * start['down']:.3g} percent of the time down.",
        note="Recomputed in your browser by the library’s own formulas. Up to "
        f"{MOST} spares; what is below $100 or above $1 billion a year is not drawn.",
        height=360,
    )


def _first(test: Callable[[int], str], value: Callable[[int], str]) -> str:
    """Value of the first number of spares whose test holds, as nested conditions."""
    text = "0"
    for n in reversed(range(MOST + 1)):
        text = f"({test(n)} ? {value(n)} : {text})"
    return text


def _spoken(needed: str) -> str:
    def time(share: str) -> str:
        hours = f"({share} * {HOURS_PER_YEAR})"
        return (
            f"({hours} >= 1 ? format({hours}, ',.1f') + ' h' : format(60 * {hours}, '.2r')"
            " + ' min')"
        )

    def money(text: str) -> str:
        return f"'$' + format({text}, {text} > 0 && {text} < 10 ? '.2f' : ',.0f')"

    return (
        f"'With ' + format({needed}, '.0f') + ' needed, ' + best + "
        "(best == 1 ? ' spare pays' : ' spares pay') + ': down ' + "
        + time("best_down")
        + " + ' a year. ' + (best == "
        + str(MOST)
        + " ? 'More are not tried.' : 'One more costs ' + "
        + money("spare_usd")
        + " + ' and saves ' + "
        + money("((best_down - next_down) * year_usd)")
        + " + '.') + (floor > 0 ? ' What they share leaves ' + "
        + time("floor")
        + " + ' whatever you add.' : '')"
    )


def pool(**moved: float) -> dict[str, float]:
    """What the words of `try_pool` say at one setting."""
    spares = np.arange(MOST + 1)
    given = {
        "availability_fraction": moved["availability_fraction"],
        "n_needed": moved["n_needed"],
        "common_fraction": moved["common_fraction"],
    }
    yearly = outages.pool_usd(
        moved["n_needed"] + spares,
        replica_usd_per_h=moved["replica_usd_per_h"],
        loss_usd_per_h=moved["loss_usd_per_h"],
        period_h=HOURS_PER_YEAR,
        **given,
    )
    extra = np.asarray(yearly) - moved["n_needed"] * moved["replica_usd_per_h"] * HOURS_PER_YEAR
    best = int(np.argmin(extra))
    up = availability.pool_fraction(n_replicas=moved["n_needed"] + best, **given)
    return {"best": best, "least": float(extra[best]), "down": float(1 - up)}


def pool_point(**moved: float) -> Any:
    """The twin of `try_pool` for one setting, computed in Python."""
    spares = np.arange(MOST + 1)
    up = availability.pool_fraction(
        moved["availability_fraction"],
        n_replicas=moved["n_needed"] + spares,
        n_needed=moved["n_needed"],
        common_fraction=moved["common_fraction"],
    )
    cost = spares * moved["replica_usd_per_h"] * HOURS_PER_YEAR
    lost = (1 - np.asarray(up)) * moved["loss_usd_per_h"] * HOURS_PER_YEAR
    parts = dict(zip(LINES, (cost, lost, cost + lost), strict=True))
    long = pd.concat(
        pd.DataFrame({"spares": spares, "usd": values, "name": name})
        for name, values in parts.items()
    )
    long = long[(long["usd"] >= USD[0]) & (long["usd"] <= USD[1])]
    here = pool(**moved)
    x, y = _axes()
    spoken = (
        f"{here['best']:.0f} spares pay: {usd(here['least'])} a year with what is lost, down "
        f"{here['down'] * HOURS_PER_YEAR:.3g} h"
    )
    color = alt.Color("name:N", scale=cast(LINES), legend=alt.Legend(title=None))
    return titled(
        alt.Chart(long).mark_line(point=True).encode(x, y, color),
        title=spoken,
        subtitle="What spares cost and what outages lose in a year, by the number of spares",
        description=spoken,
        height=320,
    )
