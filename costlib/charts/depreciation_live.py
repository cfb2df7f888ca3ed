"""The live chart of `depreciation`: book value against value in use, month by month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import depreciation, holding
from costlib.charts.controls import Control, initial, params, slider
from costlib.charts.depreciation import BOOK
from costlib.charts.theme import hue, titled, usd
from costlib.charts.vega import expression
from costlib.lives import Asset
from costlib.units import MONTHS_PER_YEAR

__all__ = ["asset_controls", "asset_point", "here", "try_asset"]

LAST_YEARS: Final = 8  # the chart's right edge
N_MONTHS: Final = int(LAST_YEARS * MONTHS_PER_YEAR) + 1
USE: Final = "violet"


def asset_controls(asset: Asset, *, month: int) -> tuple[Control, ...]:
    """What the reader can move, starting at the chapter's numbers."""

    def shared(parameter: str, label: str, unit: str, value: float, ends: Any) -> Control:
        return slider(parameter, label, unit, round(100 * value, 1), ends, step=0.5, scale=0.01)

    return (
        shared("decline_fraction", "Rents fall by", "% a year", 1 - asset.yearly_times, (-20, 60)),
        slider(
            "life_years", "Life in the books", "years", asset.life_years, (2, LAST_YEARS), step=0.5
        ),
        shared(
            "salvage_fraction", "Salvage value", "% of the cost", asset.salvage_fraction, (0, 50)
        ),
        shared("busy_fraction", "Utilisation", "%", asset.busy_fraction, (5, 100)),
        slider(
            "rent_usd_per_h",
            "Rent when new",
            "USD an hour",
            asset.rent_usd_per_h,
            (0.5, 8),
            step=0.05,
        ),
        slider(
            "opex_usd_per_h",
            "Operation",
            "USD an hour",
            asset.opex_usd_per_h,
            (0, 2),
            step=0.05,
        ),
        shared("interest_fraction", "Discount rate", "% a year", asset.interest_fraction, (0, 25)),
        slider("cost_usd", "Cost", "USD", asset.cost_usd, (5_000, 80_000), step=500),
        slider("month", "Look at month", "", month, (0, N_MONTHS - 1), step=1),
    )


def _expressions(asset: Asset, controls: Sequence[Control], age: str) -> Mapping[str, str]:
    """Book value, value in use and the age at which it retires, at an age in the browser."""
    moved = {control.parameter: f"({control.expression})" for control in controls}
    plain = {name: moved[name] for name in ("cost_usd", "salvage_fraction")}
    earning: dict[str, str | float] = {
        "rent_usd_per_h": moved["rent_usd_per_h"],
        "yearly_times": f"(1 - {moved['decline_fraction']})",
        "busy_fraction": moved["busy_fraction"],
        "opex_usd_per_h": moved["opex_usd_per_h"],
        "resale_usd": f"({moved['cost_usd']} * {moved['salvage_fraction']})",
        "interest_fraction": moved["interest_fraction"],
        "service_years": asset.service_years,
    }
    return {
        "book": expression(
            depreciation.straight_book_usd, age_years=age, life_years=moved["life_years"], **plain
        ),
        "use": expression(holding.value_in_use_usd, age_years=age, **earning),
        "retired": expression(holding.retirement_years, **earning),
    }


def _axes() -> tuple[Any, Any]:
    return (
        alt.X(
            "month:Q",
            title="Months since the purchase",
            scale=alt.Scale(domain=[0, N_MONTHS - 1], nice=False),
        ).axis(values=list(range(0, N_MONTHS, 12))),
        alt.Y("usd:Q", title="USD", scale=alt.Scale(domainMin=0)).axis(format="$,.0f", tickCount=6),
    )


def try_asset(asset: Asset, controls: Sequence[Control]) -> Any:
    """Both values by month, where the books carry too much, and the reader's month on both."""
    x, y = _axes()
    each = _expressions(asset, controls, f"(datum.month / {MONTHS_PER_YEAR})")
    grid = (
        alt.Chart(alt.sequence(0, N_MONTHS, 1, as_="month"))
        .transform_calculate(book=each["book"], use=each["use"])
        .transform_filter(f"datum.month <= {MONTHS_PER_YEAR} * life_years")
    )
    under = "datum.use < datum.book - 1e-9 * cost_usd"
    gap = (
        grid.transform_calculate(usd="datum.book", least="min(datum.book, datum.use)")
        .mark_area(opacity=0.18, color=hue("magenta"))
        .encode(x, y, y2="least:Q")
    )
    lines = [
        grid.transform_calculate(usd=f"datum.{name}")
        .mark_line(color=hue(token), strokeWidth=3 if name == "book" else 2.5)
        .encode(x, y)
        for name, token in (("book", BOOK), ("use", USE))
    ]
    count = (
        grid.transform_calculate(
            under=f"{under} && datum.month < {MONTHS_PER_YEAR} * life_years ? 1 : 0"
        )
        .transform_aggregate(n="sum(under)", top="max(book)")
        .transform_calculate(
            text="datum.n > 0 ? 'Under water in ' + datum.n + ' of ' + "
            f"ceil({MONTHS_PER_YEAR} * life_years) + ' months' : 'Never under water'"
        )
        .mark_text(align="right", fontWeight=600, fontSize=14, color=hue("magenta"))
        .encode(x=alt.value("width"), y=alt.value(12), text="text:N")
    )
    at = _expressions(asset, controls, f"(month / {MONTHS_PER_YEAR})")
    point = alt.Chart(alt.sequence(0, 1, 1, as_="i"))
    dots = [
        point.transform_calculate(month="month * 1", usd=f"{name}_usd")
        .mark_circle(size=130, opacity=1, color=hue("you"))
        .encode(x, y)
        for name in ("book", "use")
    ]
    told = "'$' + format({0}, ',.0f')"
    spoken = (
        "'After ' + format(month, '.0f') + ' months the books carry ' + "
        + told.format("book_usd")
        + " + '; ' + "
        + told.format("use_usd")
        + " + ' is still to come' + (use_usd < book_usd - 1 ? ': ' + "
        + told.format("(book_usd - use_usd)")
        + " + ' under water' : '') + '. It earns its keep for ' + format(retired, '.1f') + "
        "' years.'"
    )
    signals = {
        "book_usd": at["book"],
        "use_usd": at["use"],
        "retired": at["retired"],
        "readout": spoken,
    }
    start = here(asset, **initial(controls))
    return titled(
        alt.layer(gap, *lines, count, *dots).add_params(
            *params(controls), *(alt.param(name, expr=text) for name, text in signals.items())
        ),
        title="Your machine: what the books carry, and what it will still earn",
        subtitle="USD by month; straight: book value; curved: value in use; "
        "shaded: where the books carry more",
        description="Interactive lines of book value and value in use over months. With the "
        f"chapter's numbers the books carry {usd(start['book_usd'])} in the month looked at and "
        f"{usd(start['use_usd'])} is still to come.",
        note="Recomputed in your browser by the library’s own formulas. The salvage value is what "
        f"it sells for when it retires, after {asset.service_years:g} years at the latest.",
        height=360,
    )


def _moved(asset: Asset, **moved: float) -> dict[str, Any]:
    given = {name: value for name, value in moved.items() if name not in ("month", "life_years")}
    given["yearly_times"] = 1 - given.pop("decline_fraction")
    given["resale_usd"] = given.pop("cost_usd") * given.pop("salvage_fraction")
    return given | {"service_years": asset.service_years}


def _values(asset: Asset, month: Any, **moved: float) -> tuple[Any, Any]:
    age = np.asarray(month) / MONTHS_PER_YEAR
    book = depreciation.straight_book_usd(
        age,
        **{name: moved[name] for name in ("cost_usd", "salvage_fraction", "life_years")},
    )
    return book, holding.value_in_use_usd(age, **_moved(asset, **moved))


def here(asset: Asset, *, month: float, **moved: float) -> dict[str, float]:
    """What the words of `try_asset` say at one setting."""
    book, use = _values(asset, month, **moved)
    retired = holding.retirement_years(**_moved(asset, **moved))
    return {"book_usd": float(book), "use_usd": float(use), "retired": float(retired)}


def asset_point(asset: Asset, *, month: float, **moved: float) -> Any:
    """The twin of `try_asset` for one setting, computed in Python."""
    at = np.arange(round(MONTHS_PER_YEAR * moved["life_years"]) + 1)
    book, use = _values(asset, at, **moved)
    rows = pd.DataFrame({"month": at, "book value": book, "value in use": use}).melt(
        "month", var_name="name", value_name="usd"
    )
    now = here(asset, month=month, **moved)
    x, y = _axes()
    hues = {"book value": hue(BOOK), "value in use": hue(USE)}
    spoken = (
        f"After {month:.0f} months the books carry {usd(now['book_usd'])}; "
        f"{usd(now['use_usd'])} is still to come"
    )
    n_under = int((use[:-1] < book[:-1] - 1e-9 * moved["cost_usd"]).sum())
    return titled(
        alt.Chart(rows.round(2))
        .mark_line()
        .encode(
            x,
            y,
            alt.Color(
                "name:N",
                scale=alt.Scale(domain=list(hues), range=list(hues.values())),
                legend=alt.Legend(title=None, orient="top"),
            ),
        ),
        title=spoken,
        subtitle=f"Under water in {n_under} of {len(at) - 1} months"
        if n_under
        else "Never under water",
        description=spoken,
        height=320,
    )
