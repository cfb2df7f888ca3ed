"""The live chart of `pue`: lines of equal cost, and the reader's site on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import utilisation
from costlib.charts.controls import Control, initial, params, slider
from costlib.charts.theme import hue, titled, usd
from costlib.charts.vega import expression
from costlib.units import HOURS_PER_YEAR

__all__ = ["LEVELS", "site", "site_controls", "site_point", "try_site"]

LEVELS: Final = (0.7, 0.85, 1.0, 1.3, 2.0)  # times the reader's cost
LOW, TOP, N = 1.0, 2.0, 26  # PUE, and points of a line
FIRST: Final = 0.1  # utilisation at the left edge
RATE_STEP: Final = 20  # tokens per second; less would not be seen in the cost


def site_controls(
    *,
    pue: float,
    busy_fraction: float,
    idle_fraction: float,
    electricity_usd_per_kwh: float,
    accelerator_usd: float,
    years: float,
    power_w: float,
    tokens_per_s: float,
) -> tuple[Control, ...]:
    """What the reader can move, starting at the chapter's numbers."""
    return (
        slider("pue", "PUE", "", pue, (LOW, TOP), step=0.01),
        slider(
            "busy_fraction",
            "Utilisation",
            "%",
            round(100 * busy_fraction),
            (10, 100),
            step=1,
            scale=0.01,
        ),
        slider(
            "idle_fraction",
            "Power drawn when idle",
            "% of full power",
            round(100 * idle_fraction),
            (0, 100),
            step=5,
            scale=0.01,
        ),
        slider(
            "electricity_usd_per_kwh",
            "Electricity",
            "US cents per kWh",
            round(100 * electricity_usd_per_kwh, 1),
            (0, 150),
            step=0.5,
            scale=0.01,
        ),
        slider(
            "accelerator_usd",
            "Price of a GPU",
            "USD",
            accelerator_usd,
            (5_000, 80_000),
            step=500,
        ),
        slider("years", "Written off over", "years", years, (2, 8), step=0.5),
        slider("power_w", "Full power of a GPU with its host", "W", power_w, (300, 2_500), step=5),
        slider(
            "tokens_per_s",
            "Speed of a full GPU",
            "tokens/s",
            tokens_per_s,
            (tokens_per_s % RATE_STEP + RATE_STEP, 6_000),  # the start lies on a step
            step=RATE_STEP,
        ),
    )


def _axes() -> tuple[Any, Any]:
    return (
        alt.X("busy:Q", title="Utilisation (% of the full rate)")
        .scale(domain=[100 * FIRST, 100], nice=False)
        .axis(values=[10, 20, 40, 60, 80, 100]),
        alt.Y("pue:Q", title="PUE")
        .scale(domain=[LOW, TOP], nice=False)
        .axis(values=[1, 1.2, 1.4, 1.6, 1.8, 2]),
    )


def try_site(controls: Sequence[Control]) -> Any:
    """Lines of equal cost per million tokens, the reader's site on the line of its own cost."""
    moved = {control.parameter: control.expression for control in controls}
    plain = {
        "capital_usd_per_h": "capital",
        "power_w": "power_w",
        "idle_fraction": f"({moved['idle_fraction']})",
        "electricity_usd_per_kwh": f"({moved['electricity_usd_per_kwh']})",
    }
    here = {**plain, "pue": "pue", "busy_fraction": f"({moved['busy_fraction']})"}

    def cost(**changed: str) -> str:
        return expression(
            utilisation.site_usd_per_mtok, **here | {"tokens_per_s": "tokens_per_s"} | changed
        )

    def busy(level: float, pue: str) -> str:
        found = expression(
            utilisation.even_busy_fraction,
            cost_usd_per_mtok=f"({level} * cost)",
            pue=pue,
            tokens_per_s="tokens_per_s",
            **plain,
        )
        return f"100 * ({found})"

    x, y = _axes()
    seen = f"datum.busy >= {100 * FIRST} && datum.busy <= 100"
    step = (TOP - LOW) / (N - 1)
    layers: list[Any] = []
    leaving: list[Any] = []  # names of lines that leave at the right, below the top
    for level in LEVELS:
        mine = level == 1
        token = "you" if mine else "muted"
        layers.append(
            alt.Chart(alt.sequence(0, N, 1, as_="i"))
            .transform_calculate(pue=f"{LOW} + {step} * datum.i")
            .transform_calculate(busy=busy(level, "datum.pue"))
            .transform_filter(seen)
            .mark_line(color=hue(token), strokeWidth=3 if mine else 1.5)
            .encode(x, y, order="i:Q")
        )
        layers.append(
            alt.Chart(alt.sequence(0, 1, 1, as_="i"))
            .transform_calculate(pue=f"{TOP}")
            .transform_calculate(busy=busy(level, "datum.pue"), text=_usd(f"({level} * cost)"))
            .transform_filter(seen)
            .mark_text(dy=-8, fontSize=12, color=hue(token), fontWeight=700 if mine else 400)
            .encode(x, y, text="text:N")
        )
        leaving.append(
            alt.Chart(alt.sequence(0, N - 1, 1, as_="i"))
            .transform_calculate(pue=f"{LOW} + {step} * datum.i")
            .transform_calculate(
                busy=busy(level, "datum.pue"),
                after=busy(level, f"(datum.pue + {step})"),
                text=_usd(f"({level} * cost)"),
            )
            .transform_filter(f"{seen} && datum.after > 100")
            .mark_text(
                align="right",
                dx=-8,
                fontSize=12,
                color=hue(token),
                fontWeight=700 if mine else 400,
            )
            .encode(x, y, text="text:N")
        )
    point = alt.Chart(alt.sequence(0, 1, 1, as_="i")).transform_calculate(
        busy="busy_fraction", text="'You'", pue="pue * 1"
    )
    right = "(busy_fraction > 75)"
    dot = point.mark_point(
        size=150, filled=True, color=hue("you"), stroke=hue("page"), strokeWidth=2.5, opacity=1
    ).encode(x, y)
    side: dict[str, Any] = {
        "align": alt.ExprRef(f"{right} ? 'right' : 'left'"),
        "dx": alt.ExprRef(f"{right} ? -12 : 12"),
        "dy": 4,
        "fontWeight": 700,
        "fontSize": 14,
    }
    words = [
        point.mark_text(**side, **paint).encode(x, y, text="text:N")
        for paint in (
            {"color": hue("page"), "stroke": hue("page"), "strokeWidth": 4},  # over a line, too
            {"color": hue("you")},
        )
    ]
    signals = {
        "capital": f"accelerator_usd / (years * {HOURS_PER_YEAR})",
        "cost": cost(),
        "busier": "1 - "
        + cost(busy_fraction=f"min(1, 1.1 * {moved['busy_fraction']})")
        + " / cost",
        "leaner": "1 - " + cost(pue="max(1, pue / 1.1)") + " / cost",
        "energy": expression(utilisation.pue_elasticity, **here),
        "even_cents": "100 * "
        + expression(
            utilisation.even_usd_per_kwh,
            **{name: value for name, value in here.items() if name != "electricity_usd_per_kwh"},
        ),
        "readout": _spoken(),
    }
    chart = alt.layer(*layers, dot, *words, *leaving).add_params(
        *params(controls), *(alt.param(name, expr=text) for name, text in signals.items())
    )
    start = site(**initial(controls))
    return titled(
        chart,
        title="Your site: a step to the right against a step down",
        subtitle="Lines of equal cost of a million tokens; a tenth more utilisation is a step to "
        "the right, a tenth less PUE a step down",
        description="Interactive contour chart of the cost of a million tokens over utilisation "
        f"and PUE. With the chapter's numbers it is {usd(start['cost'])}; a tenth more utilisation "
        f"saves {100 * start['busier']:.1f} percent, a tenth less PUE "
        f"{100 * start['leaner']:.1f} percent.",
        note="Recomputed in your browser by the library’s own formulas. Capital in a straight line "
        "without interest; where a line leaves the frame it is not drawn.",
        height=380,
    )


def _usd(signal: str) -> str:
    return (
        f"(isFinite({signal}) ? '$' + format({signal}, {signal} < 10 ? '.3r' : ',.0f') : 'nothing')"
    )


def _spoken() -> str:
    share = "format(100 * {0}, '.1f') + ' %'"
    return (
        "'A million tokens cost ' + "
        + _usd("cost")
        + " + ', of which energy is ' + "
        + share.format("energy")
        + " + '. A tenth more utilisation takes off ' + "
        + share.format("busier")
        + " + ', a tenth less PUE ' + "
        + share.format("leaner")
        + " + (isFinite(even_cents) ? '. A percent of PUE outweighs a percent of utilisation "
        "above ' + format(even_cents, ',.0f') + ' cents per kWh.' : '. A percent of PUE never "
        "outweighs one of utilisation.')"
    )


def _given(moved: dict[str, float]) -> dict[str, float]:
    names = ("pue", "busy_fraction", "idle_fraction", "electricity_usd_per_kwh", "power_w")
    capital = moved["accelerator_usd"] / (moved["years"] * HOURS_PER_YEAR)
    return {"capital_usd_per_h": capital} | {name: moved[name] for name in names}


def site(**moved: float) -> dict[str, float]:
    """What the words of `try_site` say at one setting."""
    given = _given(moved)

    def cost(**changed: float) -> float:
        return float(
            utilisation.site_usd_per_mtok(**given | changed, tokens_per_s=moved["tokens_per_s"])
        )

    even = {name: value for name, value in given.items() if name != "electricity_usd_per_kwh"}
    return {
        "cost": cost(),
        "busier": 1 - cost(busy_fraction=min(1.0, 1.1 * given["busy_fraction"])) / cost(),
        "leaner": 1 - cost(pue=max(1.0, given["pue"] / 1.1)) / cost(),
        "energy": float(utilisation.pue_elasticity(**given)),
        "even_cents": 100 * float(utilisation.even_usd_per_kwh(**even)),
    }


def site_point(**moved: float) -> Any:
    """The twin of `try_site` for one setting, computed in Python."""
    here, given = site(**moved), _given(moved)
    plain = {
        name: value for name, value in given.items() if name not in {"pue", "busy_fraction"}
    } | {"tokens_per_s": moved["tokens_per_s"]}
    across = np.linspace(LOW, TOP, N)
    parts = []
    for level in LEVELS:
        busy = 100 * np.asarray(
            utilisation.even_busy_fraction(
                cost_usd_per_mtok=level * here["cost"], pue=across, **plain
            )
        )
        parts.append(pd.DataFrame({"pue": across, "busy": busy, "level": level}))
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[(rows.busy >= 100 * FIRST) & (rows.busy <= 100)].round(4)
    x, y = _axes()
    lines = (
        alt.Chart(rows)
        .mark_line(color=hue("muted"), strokeWidth=1.5)
        .encode(x, y, detail="level:N", order="pue:Q")
    )
    dot = (
        alt.Chart(pd.DataFrame({"pue": [given["pue"]], "busy": [100 * given["busy_fraction"]]}))
        .mark_point(size=150, filled=True, color=hue("you"), opacity=1)
        .encode(x, y)
    )
    spoken = (
        f"A million tokens cost {usd(here['cost'])}; a tenth more utilisation takes off "
        f"{100 * here['busier']:.1f} %, a tenth less PUE {100 * here['leaner']:.1f} %"
    )
    return titled(
        alt.layer(lines, dot),
        title=spoken,
        subtitle="Lines of equal cost over utilisation and PUE",
        description=spoken,
        height=320,
    )
