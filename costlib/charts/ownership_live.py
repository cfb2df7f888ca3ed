"""Own, rent or call, to try: load, power price, life, rent and volume on sliders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import fleet, ownership, tco, units
from costlib.charts.controls import Control, initial, params
from costlib.charts.ownership import PLAN
from costlib.charts.theme import cast, hue, titled, usd
from costlib.charts.vega import expression
from costlib.ownership import WAYS, Machine

__all__ = ["plan_controls", "plan_point", "plans", "try_plan"]

HUES: Final[Mapping[str, str]] = {way: PLAN[way] for way in WAYS}  # a router is not drawn here

FIRST, LAST, PER_DECADE = 1, 6, 20  # decades of million tokens a month, and points in each
VOLUMES: Final = (*(m * 10.0**n for n in range(FIRST, LAST) for m in (1, 2, 5)), 10.0**LAST)
N_POINTS: Final = (LAST - FIRST) * PER_DECADE + 1
MONTH_S: Final = units.HOURS_PER_MONTH * units.SECONDS_PER_HOUR


def plan_controls(
    *,
    mtok_per_month: float,
    load_fraction: float,
    electricity_usd_per_kwh: float,
    years: float,
    rent_usd_per_h: float,
    api_usd_per_mtok: float,
) -> tuple[Control, ...]:
    """What the reader can move, starting at the chapter's numbers."""
    api = round(api_usd_per_mtok, 2)
    volumes = sorted({*VOLUMES, float(mtok_per_month)})
    return (
        Control(
            parameter="mtok_per_month",
            label="Volume",
            unit="million tokens a month",
            value=float(mtok_per_month),
            options=tuple(volumes),
            words=tuple(f"{volume:,.12g} million tokens a month" for volume in volumes),
        ),
        Control(
            parameter="load_fraction",
            label="Load at the busiest hour",
            unit="%",
            value=round(100 * load_fraction),
            low=5,
            high=100,
            step=1,
            scale=0.01,
        ),
        Control(
            parameter="electricity_usd_per_kwh",
            label="Electricity",
            unit="cents per kWh",
            value=round(100 * electricity_usd_per_kwh, 1),
            low=0,
            high=max(60, 100 * electricity_usd_per_kwh),
            step=0.5,
            scale=0.01,
        ),
        Control(
            parameter="years",
            label="Life of the machine",
            unit="years",
            value=years,
            low=1,
            high=max(8, years),
            step=0.5,
        ),
        Control(
            parameter="rent_usd_per_h",
            label="Rent",
            unit="USD per GPU and hour",
            value=rent_usd_per_h,
            low=0.5,
            high=max(12, rent_usd_per_h),
            step=0.05,
        ),
        Control(
            parameter="api_usd_per_mtok",
            label="API",
            unit="USD per million tokens",
            value=api,
            low=min(0.05, api),
            high=max(15, api),
            step=0.01,
        ),
    )


def _axes() -> tuple[Any, Any]:
    return (
        alt.X(
            "mtok:Q",
            title="Million tokens a month, logarithmic",
            scale=alt.Scale(type="log", domain=[10**FIRST, 10**LAST], nice=False),
        ).axis(format=",", values=[10.0**n for n in range(FIRST, LAST + 1)]),
        alt.Y(
            "usd:Q",
            title="USD per million tokens, logarithmic",
            scale=alt.Scale(type="log", domain=[0.05, 100], nice=False, clamp=True),
        ).axis(format="$.2~f", values=[0.1, 1, 10, 100]),
    )


def _expressions(
    machine: Machine,
    tokens_per_s: float,
    n_accelerators: int,
    controls: Sequence[Control],
    held_for: Mapping[str, float],
) -> tuple[str, Any]:
    """Owned hour of one accelerator, and the cost of a way at a demand, for the browser."""
    moved = {control.parameter: control.expression for control in controls}
    capital = expression(
        tco.capital_usd_per_h,
        cost_usd=machine.cost_usd,
        salvage_fraction=machine.salvage_fraction,
        interest_fraction=machine.interest_fraction,
        years=moved["years"],
    )
    fixed = ownership.hour(machine)
    n = machine.node_accelerators
    owned = expression(
        tco.owned_usd_per_h,
        capital_usd_per_h=capital,
        upkeep_usd_per_h=float(fixed["upkeep and people"]) * n,
        room_usd_per_h=float(fixed["room"]) * n,
        power_w=machine.power_w,
        pue=machine.pue,
        electricity_usd_per_kwh=moved["electricity_usd_per_kwh"],
    )

    def cost(way: str, demand: str) -> str:
        if way == "API":
            return moved["api_usd_per_mtok"]
        replicas = expression(
            fleet.n_replicas,
            demand_tokens_per_s=demand,
            tokens_per_s=tokens_per_s,
            peak_times=held_for["peak_times" if way == "own" else "rent_peak_times"],
            load_fraction=moved["load_fraction"],
            n_least=1.0,
            n_spares=held_for["n_spares"],
        )
        held = expression(
            fleet.n_held_accelerators,
            n_replicas=replicas,
            n_accelerators=float(n_accelerators),
            node_accelerators=float(n if way == "own" else n_accelerators),
        )
        return expression(
            fleet.even_usd_per_mtok,
            held_usd_per_h="owned_usd_per_h" if way == "own" else moved["rent_usd_per_h"],
            n_accelerators=held,
            demand_tokens_per_s=demand,
        )

    return f"({owned}) / {n}", cost


def plans(
    machine: Machine,
    tokens_per_s: float,
    n_accelerators: int,
    mtok_per_month: Any,
    *,
    held_for: Mapping[str, float],
    **moved: float,
) -> pd.DataFrame:
    """The same in Python: USD per million tokens of each way at volumes of a month.

    `held_for` has what nobody moves: peak_times, rent_peak_times and n_spares.
    """
    owned = ownership.hour(
        machine,
        years=moved["years"],
        electricity_usd_per_kwh=moved["electricity_usd_per_kwh"],
    )["owned"]
    return ownership.regimes(
        np.atleast_1d(mtok_per_month),
        owned_usd_per_h=float(owned),
        rent_usd_per_h=moved["rent_usd_per_h"],
        api_usd_per_mtok=moved["api_usd_per_mtok"],
        tokens_per_s=tokens_per_s,
        n_accelerators=n_accelerators,
        node_accelerators=machine.node_accelerators,
        load_fraction=moved["load_fraction"],
        **held_for,
    )


def try_plan(
    machine: Machine,
    tokens_per_s: float,
    n_accelerators: int,
    controls: Sequence[Control],
    held_for: Mapping[str, float],
) -> Any:
    """Three lines over volume and the reader's own volume on each, recomputed in the browser."""
    owned, cost = _expressions(machine, tokens_per_s, n_accelerators, controls, held_for)
    x, y = _axes()
    color = alt.Color("way:N", scale=cast(HUES), legend=alt.Legend(title=None, orient="bottom"))
    demand = f"datum.mtok * {units.TOKENS_PER_MTOK} / {MONTH_S}"
    grid = alt.Chart(alt.sequence(0, N_POINTS, 1, as_="i")).transform_calculate(
        mtok=f"pow(10, {FIRST} + datum.i / {PER_DECADE})"
    )
    lines = [
        grid.transform_calculate(usd=cost(way, demand), way=f"'{way}'")
        .transform_filter("datum.usd <= 100")
        .mark_line()
        .encode(x, y, color)
        for way in WAYS
    ]
    one = alt.Chart(alt.sequence(0, 1, 1, as_="i")).transform_calculate(mtok="mtok_per_month * 1")
    rule = one.mark_rule(strokeDash=[2, 3], color=hue("you")).encode(x="mtok:Q")
    points = [
        one.transform_calculate(usd=f"{way}_usd", way=f"'{way}'")
        .transform_filter("datum.usd <= 100")
        .mark_circle(size=130, opacity=1)
        .encode(x, y, color)
        for way in WAYS
    ]
    now = f"mtok_per_month * {units.TOKENS_PER_MTOK} / {MONTH_S}"
    least = "min(API_usd, rent_usd, own_usd)"

    def told(way: str) -> str:
        return f"format({way}_usd, {way}_usd < 10 ? '.3r' : ',.0f')"

    spoken = (
        "format(mtok_per_month, ',.3~r') + ' million tokens a month: ' + "
        f"(API_usd == {least} ? 'call an API' : rent_usd == {least} ? 'rent' : 'own')"
        " + ' is cheapest. Per million tokens: API $' + "
        + told("API")
        + " + ', rent $' + "
        + told("rent")
        + " + ', own $' + "
        + told("own")
        + " + '; an owned GPU costs $' + format(owned_usd_per_h, '.2f') + ' an hour.'"
    )
    signals = {
        "owned_usd_per_h": owned,
        **{f"{way}_usd": cost(way, now) for way in WAYS},
        "readout": spoken,
    }
    chart = alt.layer(rule, *lines, *points).add_params(
        *params(controls), *(alt.param(name, expr=text) for name, text in signals.items())
    )
    start = dict(initial(controls))
    here = plans(machine, tokens_per_s, n_accelerators, held_for=held_for, **start).iloc[0]
    return titled(
        chart,
        title="Your volume: own, rent or call?",
        subtitle="USD per million tokens, prompt and answer together, over the volume of a month; "
        "dotted: yours",
        description="Interactive lines of the cost of a million tokens over volume. With the "
        f"chapter's numbers the cheapest is {here['cheapest']}: API {usd(here['API'])}, rent "
        f"{usd(here['rent'])}, own {usd(here['own'])}.",
        note="Recomputed in your browser by the library’s own formulas. Rented replicas come one "
        f"by one and carry {held_for['rent_peak_times']:g} times the mean, owned ones in whole "
        f"machines and carry {held_for['peak_times']:g} times; spare replicas each "
        f"way: {held_for['n_spares']:g}. Costs above $100 are not drawn.",
        height=360,
    )


def plan_point(
    machine: Machine,
    tokens_per_s: float,
    n_accelerators: int,
    *,
    held_for: Mapping[str, float],
    mtok_per_month: float,
    **moved: float,
) -> Any:
    """The twin of `try_plan` for one setting, computed in Python."""
    grid = np.logspace(FIRST, LAST, N_POINTS)
    table, mine = (
        plans(machine, tokens_per_s, n_accelerators, volume, held_for=held_for, **moved)
        for volume in (grid, mtok_per_month)
    )
    rows = table.melt("mtok", list(WAYS), var_name="way", value_name="usd")
    rows = rows[rows["usd"] <= 100]
    here = mine.iloc[0]
    x, y = _axes()
    return titled(
        alt.Chart(rows)
        .mark_line()
        .encode(x, y, alt.Color("way:N", scale=cast(HUES), legend=alt.Legend(title=None))),
        title=f"{mtok_per_month:,.0f} million tokens a month: {here['cheapest']} is cheapest",
        subtitle=f"Per million tokens: API {usd(here['API'])}, rent {usd(here['rent'])}, own "
        f"{usd(here['own'])}",
        description="Lines of the cost of a million tokens over volume.",
        height=320,
    )
