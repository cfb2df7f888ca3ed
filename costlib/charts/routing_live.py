"""The router to try of `routing`: scores, skill, prices and losses on sliders, or a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import routers, routing
from costlib.charts.controls import Control, initial, params
from costlib.charts.theme import hue, reference, titled, usd
from costlib.charts.vega import expression

__all__ = ["routed", "router_controls", "router_point", "try_router"]

TOP: Final = 200.0  # % of the strong model's cost, the height of the drawing
LOSSES_USD: Final = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
TIMES: Final = (2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0, 200.0)


def router_controls(
    *,
    weak_quality: float,
    strong_quality: float,
    only_weak_fraction: float,
    skill_fraction: float,
    strong_usd: float,
    weak_usd: float,
    router_usd: float,
    loss_usd: float,
    strong_fraction: float,
) -> tuple[Control, ...]:
    """What the reader can move, starting at the chapter's numbers, rounded to the steps."""
    low, high = _bounds(weak_quality, strong_quality)
    apart = (only_weak_fraction - low) / (high - low) if high > low else 0.0
    losses = tuple(sorted({*LOSSES_USD, float(loss_usd)}))
    times = min(TIMES, key=lambda each: abs(np.log(each * weak_usd / strong_usd)))
    thousand = round(1000 * strong_usd, 1)
    deciding = float(round(1e6 * router_usd))
    return (
        _percent("strong_fraction", "Sent to the strong model", "% of queries", strong_fraction),
        _percent("skill_fraction", "Queries the router can tell", "% told apart", skill_fraction),
        _percent("strong_quality", "Strong model right", "%", strong_quality),
        _percent("weak_quality", "Weak model right", "%", weak_quality),
        _percent("apart_fraction", "Their errors differ", "% of the most", apart),
        Control(
            parameter="strong_usd",
            label="Strong model",
            unit="USD per 1,000 queries",
            value=thousand,
            low=min(0.1, thousand),
            high=max(50, thousand),
            step=0.1,
            scale=0.001,
        ),
        Control(
            parameter="cheaper",
            label="Weak model cheaper by",
            unit="times",
            value=times,
            options=TIMES,
            words=tuple(f"{each:g} times" for each in TIMES),
        ),
        Control(
            parameter="router_usd",
            label="Deciding",
            unit="USD per million queries",
            value=deciding,
            low=0,
            high=max(1000, deciding),
            step=1,
            scale=1e-6,
        ),
        Control(
            parameter="loss_usd",
            label="Loss per wrong answer",
            unit="USD",
            value=float(loss_usd),
            options=losses,
            words=tuple("nothing" if not each else usd(each) for each in losses),
        ),
    )


def _percent(parameter: str, label: str, unit: str, value: float) -> Control:
    return Control(
        parameter=parameter,
        label=label,
        unit=unit,
        value=float(round(100 * value)),
        low=0,
        high=100,
        step=1,
        scale=0.01,
    )


def _bounds(weak: float, strong: float) -> tuple[float, float]:
    """Least and most that only the weak model can get right, both scores given."""
    return max(weak - strong, 0.0), min(weak, 1 - strong)


def routed(
    share: Any,
    *,
    skill_fraction: float,
    strong_quality: float,
    weak_quality: float,
    apart_fraction: float,
    strong_usd: float,
    cheaper: float,
    router_usd: float,
    loss_usd: float,
) -> dict[str, Any]:
    """A router at some shares of strong calls, and the best share.

    Returns
    -------
        `usd` per query, `quality`, `paid` (an answer with its failures), `correct_usd` (per right
        answer), of the router; the same of the models `alone` (weak, strong); the `best` share.
    """
    low, high = _bounds(weak_quality, strong_quality)
    worse = low + apart_fraction * (high - low)
    better = min(max(strong_quality - weak_quality + worse, 0.0), 1.0)
    weak_usd = strong_usd / cheaper

    def at(shares: Any) -> tuple[Any, Any, Any]:
        quality = routing.routed_quality(
            shares,
            weak_quality=weak_quality,
            only_strong_fraction=better,
            only_weak_fraction=worse,
            skill_fraction=skill_fraction,
        )
        quality = np.clip(quality, 0, 1)
        cost = routing.routed_usd(
            shares, strong_usd=strong_usd, weak_usd=weak_usd, router_usd=router_usd
        )
        paid = routing.answer_usd(cost, success_fraction=quality, loss_usd=loss_usd)
        return cost, quality, paid

    turns = np.array([0.0, better, 1 - worse, 1.0])
    found, right, bill = at(share)
    alone = routing.answer_usd(
        [weak_usd, strong_usd], success_fraction=[weak_quality, strong_quality], loss_usd=loss_usd
    )
    return {
        "usd": found,
        "quality": right,
        "paid": bill,
        "correct_usd": routing.correct_usd(found, success_fraction=right, loss_usd=loss_usd),
        "alone": np.asarray(alone),
        "best": float(turns[np.argmin(at(turns)[2])]),
        "best_paid": float(np.min(at(turns)[2])),
        "better": better,
        "worse": worse,
    }


def _axes() -> tuple[Any, Any]:
    return (
        alt.X("share:Q", title="Queries sent to the strong model (%)")
        .scale(domain=[0, 100])
        .axis(values=[0, 20, 40, 60, 80, 100]),
        alt.Y("cost:Q", title="Answer with failures (% of the strong one’s)").scale(
            domain=[0, TOP]
        ),
    )


def try_router(controls: Sequence[Control]) -> Any:
    """Cost of an answer with its failures against the share of strong calls."""
    moved = {control.parameter: control.expression for control in controls}

    def quality(share: str, skill: str) -> str:
        found = expression(
            routing.routed_quality,
            strong_fraction=share,
            weak_quality="weak_right",
            only_strong_fraction="better",
            only_weak_fraction="worse",
            skill_fraction=skill,
        )
        return f"min(max({found}, 0), 1)"

    def cost(share: str) -> str:
        return expression(
            routing.routed_usd,
            strong_fraction=share,
            strong_usd="strong_cost",
            weak_usd="weak_cost",
            router_usd=moved["router_usd"],
        )

    def paid(request: str, right: str) -> str:
        return expression(
            routing.answer_usd, request_usd=request, success_fraction=right, loss_usd="loss_usd"
        )

    x, y = _axes()
    seen = f"datum.cost >= 0 && datum.cost <= {TOP}"
    lines = []
    for skill, token, width, dash in (
        ("0", "muted", 1.5, [7, 5]),
        ("1", "ink", 1.5, [1, 4]),
        (moved["skill_fraction"], "you", 3, [1, 0]),
    ):
        share = "(datum.share / 100)"
        lines.append(
            alt.Chart(alt.sequence(0, 101, 1, as_="share"))
            .transform_calculate(
                cost=f"100 * ({paid(cost(share), quality(share, skill))}) / strong_paid"
            )
            .transform_filter(seen)
            .mark_line(color=hue(token), strokeWidth=width, strokeDash=dash)
            .encode(x, y)
        )
    one = alt.Chart(alt.sequence(0, 1, 1, as_="i"))
    halo = {"stroke": hue("page"), "strokeWidth": 4, "color": hue("page")}
    ends: list[tuple[str, str, str, Any, int, str]] = [  # above the lines where they fall, or below
        ("strong_paid", "100", "strong alone", "right", -24, "15 : -9"),
        ("weak_paid", "0", "weak alone", "left", 4, "-9 : 15"),
    ]
    alone = [
        one.transform_calculate(
            cost=f"100 * {signal} / strong_paid", share=place, text=f"'{words}'"
        )
        .transform_filter(seen)
        .mark_text(align=align, dx=dx, dy=alt.ExprRef(f"weak_paid > strong_paid ? {height}"), **ink)
        .encode(x, y, text="text:N")
        for signal, place, words, align, dx, height in ends
        for ink in (halo, {"color": hue("muted")})
    ]
    rules = [
        one.transform_calculate(cost=f"100 * {signal} / strong_paid")
        .transform_filter(seen)
        .mark_rule(strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted"))
        .encode(y=y)
        for signal in ("strong_paid", "weak_paid")
    ]
    best = (
        one.transform_calculate(share="100 * best", cost="100 * best_paid / strong_paid")
        .transform_filter(seen)
        .mark_point(size=90, filled=False, strokeWidth=2, color=hue("you"), opacity=1)
        .encode(x, y)
    )
    here = one.transform_calculate(
        share="strong_fraction",
        cost="100 * my_paid / strong_paid",
        text="'You: ' + format(100 * my_paid / strong_paid, '.1f') + '\u00a0%'",
    ).transform_filter(seen)
    dot = here.mark_point(
        size=150, color=hue("you"), stroke=hue("page"), strokeWidth=2.5, opacity=1
    ).encode(x, y)
    late = "(strong_fraction > 70)"
    words = [
        here.mark_text(
            align=alt.ExprRef(f"{late} ? 'right' : 'left'"),
            dx=alt.ExprRef(f"{late} ? -12 : 6"),
            dy=26,
            fontWeight=700,
            fontSize=14,
            **ink,
        ).encode(x, y, text="text:N")
        for ink in (halo, {"color": hue("you")})
    ]
    mine = moved["skill_fraction"]
    kinks = {
        f"kink_{place}": paid(cost(share), quality(share, mine))
        for place, share in enumerate(("0", "better", "(1 - worse)", "1"))
    }
    signals = {
        "weak_right": moved["weak_quality"],
        "strong_right": moved["strong_quality"],
        "strong_cost": moved["strong_usd"],
        "weak_cost": "strong_cost / cheaper",
        "worse": f"max(weak_right - strong_right, 0) + {moved['apart_fraction']} * "
        "(min(weak_right, 1 - strong_right) - max(weak_right - strong_right, 0))",
        "better": "min(max(strong_right - weak_right + worse, 0), 1)",
        "strong_paid": paid("strong_cost", "strong_right"),
        "weak_paid": paid("weak_cost", "weak_right"),
        **kinks,
        "best_paid": f"min({', '.join(kinks)})",
        "best": "kink_0 <= best_paid ? 0 : kink_1 <= best_paid ? better : "
        "kink_2 <= best_paid ? 1 - worse : 1",
        "my_quality": quality(f"({moved['strong_fraction']})", mine),
        "my_usd": cost(f"({moved['strong_fraction']})"),
        "my_paid": paid("my_usd", "my_quality"),
        "my_correct": expression(
            routing.correct_usd,
            request_usd="my_usd",
            success_fraction="my_quality",
            loss_usd="loss_usd",
        ),
        "readout": _spoken(),
    }
    chart = alt.layer(*rules, *lines, *alone, best, dot, *words).add_params(
        *params(controls), *(alt.param(name, expr=text) for name, text in signals.items())
    )
    start = dict(initial(controls))
    asked = start.pop("strong_fraction")
    first = routed(asked, **start)
    return titled(
        chart,
        title="Your router: what an answer costs with its failures, and the best share",
        subtitle="Against the share sent to the strong model; thick: your router, dashed: lots, "
        "dotted: an oracle; ring: the best share",
        description="Interactive line chart of the cost of an answer with its failures, in percent "
        "of the strong model's, against the share sent to the strong model. With the chapter's "
        f"numbers {100 * first['paid'] / first['alone'][1]:.1f} percent at "
        f"{100 * asked:.0f} percent, lowest at {100 * first['best']:.0f} percent.",
        note="Recomputed in your browser by the library’s own formulas. A failure costs what it "
        "costs whoever relies on the answer; a router of skill k is sure of a share k of the "
        "queries and draws lots for the others. Lines are cut at twice the strong model’s cost.",
        height=380,
    )


def _spoken() -> str:
    money = (  # of a thousand, as `usd` has it
        "format(1000 * {0}, 1000 * {0} < 9.995 ? '$.3r' : 1000 * {0} < 1000 ? '$.2f' : '$,.0f')"
    )
    saved = "100 * (1 - my_usd / strong_cost)"
    return (
        "format(100 * my_quality, '.1f') + '\u00a0% right. A thousand answers cost ' + "
        f"{money.format('my_usd')} + ' to ask, ' + ({saved} >= 0 ? format({saved}, '.0f') + "
        f"'\u00a0% less' : format(-({saved}), '.0f') + '\u00a0% more') + ' than from the strong "
        f"model alone, and ' + {money.format('my_paid')} + ' with their failures' + (my_quality > "
        f"0 ? '; a thousand right ones ' + {money.format('my_correct')} : '') + '. ' + "
        "(best_paid < min(weak_paid, strong_paid) ? 'Best is ' + format(100 * best, '.0f') + "
        "'\u00a0% to the strong model.' : weak_paid <= strong_paid ? 'No share of this router "
        "beats the weak model alone.' : 'No share of this router beats the strong model alone.')"
    )


def router_point(table: str = "", **moved: float) -> Any:
    """The twin of `try_router` for one setting; a table's own models take the sliders' place.

    Parameters
    ----------
    table
        Path of a CSV as `routers.read` takes it; empty for the sliders' models.
    moved
        The controls' values. Of a table, only skill, share, deciding and loss are taken.
    """
    case: dict[str, float] = dict(moved)
    share = case.pop("strong_fraction")
    names = "strong", "weak"
    if table:
        found = routers.summary(routers.read(table), loss_usd=case["loss_usd"])
        if found["weak"] is None:
            raise routers.ScoresError(
                f"{table}: the best model, {found['strong']}, is the cheapest, too: there is "
                "nothing to route to"
            )
        case |= _of_table(found)
        names = found["strong"], found["weak"]
    grid = np.arange(0, 101)
    here, line = routed(share, **case), routed(grid / 100, **case)
    strong_paid = float(here["alone"][1])
    whole = strong_paid if strong_paid > 0 else 1.0
    x, y = _axes()
    rows = pd.DataFrame({"share": grid, "cost": np.round(100 * line["paid"] / whole, 4)})
    dots = pd.DataFrame({"share": [100 * share], "cost": [round(100 * here["paid"] / whole, 4)]})
    drawn = [
        alt.Chart(rows[rows["cost"] <= TOP]).mark_line(color=hue("you")).encode(x, y),
        alt.Chart(dots[dots["cost"] <= TOP])
        .mark_point(size=150, color=hue("you"), opacity=1)
        .encode(x, y),
        reference(100, f"{names[0]} alone"),
    ]
    if here["best_paid"] < here["alone"].min():
        verdict = f"best is {100 * here['best']:.0f} % to {names[0]}"
    else:
        verdict = f"{names[int(np.argmin(here['alone']))]} alone is the cheapest"
    spoken = (
        f"{100 * here['quality']:.1f} % right, {usd(1000 * here['usd'])} per 1,000 to ask, "
        f"{usd(1000 * here['paid'])} with the failures; {verdict}"
    )
    return titled(
        alt.layer(*drawn),
        title=spoken,
        subtitle=f"An answer with its failures, by the share sent to {names[0]} instead of "
        f"{names[1]}",
        description=spoken,
        height=320,
    )


def _of_table(found: Mapping[str, Any]) -> dict[str, float]:
    """Arguments of `routed` from a table's best pair."""
    low, high = _bounds(found["weak_quality"], found["strong_quality"])
    apart = (found["only_weak_fraction"] - low) / (high - low) if high > low else 0.0
    free = found["weak_usd"] <= 0
    return {
        "strong_quality": found["strong_quality"],
        "weak_quality": found["weak_quality"],
        "apart_fraction": float(np.clip(apart, 0, 1)),
        "strong_usd": found["strong_usd"],
        "cheaper": np.inf if free else found["strong_usd"] / found["weak_usd"],
    }
