"""Charts of `workloads`: how long requests are, when they came, and a mix of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import catalog, clipping, pricebook, units
from costlib.charts.controls import Control, initial, params
from costlib.charts.theme import WORKLOAD, hue, reference, titled, usd
from costlib.charts.vega import expression
from costlib.pricing import request_usd
from costlib.profile import THRESHOLDS
from costlib.workloads import length_table, workloads

__all__ = [
    "by_minute",
    "length_summary",
    "lengths",
    "mix_controls",
    "mix_facts",
    "mix_point",
    "mixed_day",
    "try_mix",
]

YOURS: Final = "yours"
DAYS: Final = units.HOURS_PER_MONTH / 24
# names of the price book that the reader can choose from
LISTED: Final = (
    "claude-sonnet-4-6",
    "gpt-4.1",
    "gpt-5.6-terra",
    "gemini-2.5-pro",
    "deepseek-v4-pro",
    "gpt-oss-120b at AWS",
    "gpt-oss-120b at Groq",
    "gpt-oss-120b at Cerebras",
    "gpt-oss-120b at Together",
    "Llama-3.1-70B at AWS",
    "Llama-3.1-70B at Together",
    "Llama-3.1-70B at Groq",
)
MEASURES: Final = ("Requests", "Tokens in", "Tokens out", "Bill")
HALO: Final[Mapping[str, Any]] = {
    "color": hue("page"),
    "stroke": hue("page"),
    "strokeWidth": 4,
}  # behind words


def length_summary(field: str, own: np.ndarray[Any, Any] | None = None) -> pd.DataFrame:
    """Quantiles of one field by workload, the reader's own last; `field` as `input_tokens`."""
    tables = {
        name: catalog.length_quantiles(load.trace, field) for name, load in workloads().items()
    }
    if own is not None:
        tables[YOURS] = np.asarray(own, dtype=np.float64)
    return pd.DataFrame(
        {
            "workload": name,
            "mean": values.mean(),
            "scv": values.var() / values.mean() ** 2,
            **{f"p{q}": np.percentile(values, q).round() for q in (5, 25, 50, 75, 95, 99)},
            **{f"above_{k // 1000}k": (values > k).mean() for k in THRESHOLDS},
            **{f"tokens_{k // 1000}k": values[values > k].sum() / values.sum() for k in THRESHOLDS},
            "top": np.sort(values)[-max(1, values.size // 100) :].sum() / values.sum(),
        }
        for name, values in tables.items()
    )


def lengths(rows: pd.DataFrame, *, title: str, subtitle: str, of: str) -> Any:
    """Where the lengths of a workload lie: median, middle half, 5th to 95th percentile, mean."""
    order = list(rows["workload"])
    shown = rows.round(1)
    low, high = 5.0, 500_000.0
    span = ["workload", "p5", "p25", "p50", "p75", "p95", "mean"]
    y = alt.Y("workload:N", title=None, sort=order).axis(domain=False, labelFontSize=13)
    scale = alt.Scale(type="log", domain=[low, high], nice=False, clamp=True)
    color = alt.Color(
        "workload:N",
        scale=alt.Scale(domain=order, range=[hue(WORKLOAD.get(name, "you")) for name in order]),
        legend=None,
    )
    base = alt.Chart(shown[span])
    x = alt.X("p5:Q", title=f"Tokens of {of} (logarithmic)", scale=scale).axis(
        values=[10, 100, 1000, 10_000, 100_000],
        labelExpr="datum.value < 1000 ? datum.value : datum.value / 1000 + 'K'",
    )
    thin = base.mark_rule(strokeWidth=2).encode(x, alt.X2("p95"), y, color=color)
    thick = base.mark_bar(height=12, cornerRadius=2).encode(
        alt.X("p25:Q", scale=scale), alt.X2("p75"), y, color=color
    )
    middle = base.mark_tick(color=hue("page"), thickness=3, height=12, opacity=1).encode(
        alt.X("p50:Q", scale=scale), y
    )
    mean = base.mark_point(
        shape="diamond", size=70, color=hue("ink"), stroke=hue("page"), strokeWidth=1, opacity=1
    ).encode(alt.X("mean:Q", scale=scale), y)
    told = base.transform_calculate(told="format(datum.p50, ',.0f')")
    words = [
        told.mark_text(dy=-15, fontWeight=600, **ink).encode(
            alt.X("p50:Q", scale=scale), y, text="told:N"
        )
        for ink in (HALO, {})
    ]
    marks = [*words, thin, thick, middle, mean]
    known = [reference(float(k), f"{k // 1000}K", axis="x") for k in THRESHOLDS]
    return titled(
        alt.layer(*(known if of == "a prompt" else []), *marks),
        title=title,
        subtitle=subtitle,
        description=f"Ranges of the tokens of {of} by workload. "
        + " ".join(
            f"{row.workload}: median {row.p50:,.0f}, mean {row.mean:,.0f}, 5th to 95th percentile "
            f"{row.p5:,.0f} to {row.p95:,.0f}."
            for row in shown.itertuples()
        ),
        note="Bar: the middle half; line: 5th to 95th percentile; number: the median; diamond: the "
        "mean.",
        height=52 * len(order) + 30,
    )


def by_minute(rows: pd.DataFrame, names: Mapping[str, str], *, title: str, subtitle: str) -> Any:
    """Requests in each minute over the trace's mean, a line per trace.

    `rows` are those of `trace_results.csv` on arrivals; `names` gives the workload of a trace.
    """
    counts = rows[rows["quantity"] == "requests in a minute"]
    shown = pd.DataFrame(
        {
            "minute": (counts["at_s"] / 60).astype(int),
            "times": (counts["value"] / counts.groupby("trace")["value"].transform("mean")).round(
                3
            ),
            "workload": counts["trace"].map(names),
        }
    )
    order = [name for name in WORKLOAD if name in set(shown["workload"])]
    color = alt.Color(
        "workload:N",
        scale=alt.Scale(domain=order, range=[hue(WORKLOAD[name]) for name in order]),
        legend=None,
    )
    x = alt.X("minute:Q", title="Minute of the recorded hour").axis(values=[*range(0, 61, 10)])
    y = alt.Y("times:Q", title="Requests in a minute, × the mean")
    lines = alt.Chart(shown).mark_line(strokeWidth=2).encode(x, y, color)
    busiest = shown.loc[shown.groupby("workload", sort=False)["times"].idxmax()]
    steady = shown["workload"] == order[-1]  # named at its end, where the others are low
    named = pd.concat([busiest[busiest["workload"] != order[-1]], shown[steady].tail(1)])
    above = alt.Chart(named).encode(x, y, text="workload:N")
    words = [
        above.mark_text(dy=-13, fontWeight=600, **HALO),
        above.mark_text(dy=-13, fontWeight=600).encode(color),
    ]
    spread = shown.groupby("workload", sort=False)["times"].agg(["min", "max"])
    return titled(
        alt.layer(lines, *words),
        title=title,
        subtitle=subtitle,
        description="Line chart of requests in a minute over the trace's mean. "
        + " ".join(f"{r.Index}: {r.min:.2f} to {r.max:.2f} times." for r in spread.itertuples()),
        height=300,
    )


# --- a mix of one's own ------------------------------------------------------------------------


def mix_facts(caps: Sequence[float]) -> pd.DataFrame:
    """Means of each workload, a row each: prompt, its cached share, answer by cap, long shares."""
    found = []
    for name in workloads():
        table = length_table(name)
        prompts, cached = table["input_tokens"], table["cached_tokens"]
        kept = clipping.kept_mean_tokens(list(caps), lengths_tokens=table["output_tokens"])
        found.append(
            {
                "workload": name,
                "input_tokens": prompts.mean(),
                "cached_tokens": cached.mean(),
                **{f"out_{place}": tokens for place, tokens in enumerate(np.asarray(kept))},
                **{f"above_{k}": (prompts > k).mean() for k in THRESHOLDS},
            }
        )
    return pd.DataFrame(found)


def mix_controls(
    facts: pd.DataFrame,
    caps: Sequence[float],
    *,
    requests_per_day: float,
    shares: Mapping[str, float],
    cap: float,
    price: str,
    cached: bool,
) -> tuple[Control, ...]:
    """What the reader can move, starting at the chapter's numbers; shares are in percent."""
    prices, day = list(LISTED), requests_per_day / 1000
    if price not in prices:
        raise ValueError(f"price must be one of {', '.join(prices)}, got {price!r}")
    if cap not in caps:
        raise ValueError(f"cap_tokens must be one of {', '.join(map(str, caps))}, got {cap!r}")
    return (
        Control(
            parameter="requests_per_day",
            label="Requests a day",
            unit="thousand",
            value=day,
            low=min(1, day),
            high=max(1000, day),
            step=1,
            scale=1000,
        ),
        *(
            Control(
                parameter=f"share_{place}",
                label=f"Of them {name}",
                unit="parts",
                value=float(shares[name]),
                low=0,
                high=100,
                step=1,
            )
            for place, name in enumerate(facts["workload"])
        ),
        Control(
            parameter="cap",
            label="Answers end at",
            unit="",
            value=float(list(caps).index(cap)),
            options=tuple(float(place) for place in range(len(caps))),
            words=tuple(f"{c:,.0f} tokens" if np.isfinite(c) else "their own end" for c in caps),
        ),
        Control(
            parameter="price",
            label="List",
            unit="",
            value=float(prices.index(price)),
            options=tuple(float(place) for place in range(len(prices))),
            words=tuple(prices),
        ),
        Control(
            parameter="cached",
            label="Agents’ prompts",
            unit="",
            value=float(cached),
            options=(0.0, 1.0),
            words=("read anew every turn", "cached as recorded"),
        ),
    )


def _list(values: Sequence[float], at: str) -> str:
    return f"[{', '.join(repr(float(value)) for value in values)}][{at}]"


def _prices() -> pd.DataFrame:
    """List prices in the order of the control; where cached input has none, that of fresh."""
    rows = pd.DataFrame(
        {
            name: getattr(price, name)
            for name in (
                "input_usd_per_mtok",
                "output_usd_per_mtok",
                "cached_input_usd_per_mtok",
            )
        }
        for price in map(pricebook.price, LISTED)
    )
    rows["cached_input_usd_per_mtok"] = rows["cached_input_usd_per_mtok"].fillna(
        rows["input_usd_per_mtok"]
    )
    return rows


def try_mix(facts: pd.DataFrame, caps: Sequence[float], controls: Sequence[Control]) -> Any:
    """What each kind of use has of the requests, the tokens and the bill; all of it in words."""
    n, prices = len(facts), _prices()
    moved = {control.parameter: control.expression for control in controls}
    weights = [f"share_{place}" for place in range(n)]
    whole = f"max({' + '.join(weights)}, 1e-9)"

    def outputs(place: str) -> str:
        return (
            "["
            + ", ".join(
                _list([r[f"out_{c}"] for c in range(len(caps))], "cap") for _, r in facts.iterrows()
            )
            + f"][{place}]"
        )

    def bill(place: str) -> str:
        return expression(
            request_usd,
            input_tokens=_list(list(facts["input_tokens"]), place),
            output_tokens=outputs(place),
            cached_tokens=f"cached * {_list(list(facts['cached_tokens']), place)}",
            **{str(name): _list(list(prices[name]), "price") for name in prices},
        )

    def value(measure: int, place: str) -> str:
        """What one request of a kind adds to a measure."""
        return ("1", _list(list(facts["input_tokens"]), place), outputs(place), bill(place))[
            measure
        ]

    def mean(each: Sequence[str]) -> str:
        """Mean over the mix."""
        parts = [f"{weight} * ({one})" for weight, one in zip(weights, each, strict=True)]
        return f"(({' + '.join(parts)}) / {whole})"

    means = [mean([value(measure, str(place)) for place in range(n)]) for measure in range(4)]
    share = " : ".join(
        f"datum.measure == {measure} ? {value(measure, 'datum.place')} / max(mean_{measure}, 1e-12)"
        for measure in range(3)
    )
    share = f"({share} : {value(3, 'datum.place')} / max(mean_3, 1e-12))"
    bars = (
        alt.Chart(alt.sequence(0, 4 * n, 1, as_="i"))
        .transform_calculate(place=f"datum.i % {n}", measure=f"floor(datum.i / {n})")
        .transform_calculate(
            share=f"100 * [{', '.join(weights)}][datum.place] / {whole} * {share}",
            workload=f"{list(facts['workload'])!r}[datum.place]",
            what=f"{list(MEASURES)!r}[datum.measure]",
        )
        .transform_stack(
            stack="share", groupby=["what"], sort=[alt.SortField("place")], as_=["left", "right"]
        )
    )
    y = alt.Y("what:N", title=None, sort=list(MEASURES)).axis(labelFontSize=13)
    color = alt.Color(
        "workload:N",
        scale=alt.Scale(
            domain=list(facts["workload"]),
            range=[hue(WORKLOAD[name]) for name in facts["workload"]],
        ),
        legend=alt.Legend(columns=3),  # more do not fit a phone
    )
    x = alt.X("left:Q", title="Share of the whole (%)", scale=alt.Scale(domain=[0, 100])).axis(
        values=[0, 20, 40, 60, 80, 100]
    )
    drawn = bars.mark_bar(height=30, stroke=hue("page"), strokeWidth=1, cornerRadius=0).encode(
        x, alt.X2("right"), y, color
    )
    told = (
        bars.transform_filter("datum.share > (width < 400 ? 15 : 6)")
        .transform_calculate(
            middle="(datum.left + datum.right) / 2", text="format(datum.share, '.0f') + ' %'"
        )
        .mark_text(color=hue("page"), fontWeight=600)
        .encode(alt.X("middle:Q"), y, text="text:N")
    )
    whole_words = [
        "requests_per_day + 'K'",
        _tokens_words("day_in"),
        _tokens_words("day_out"),
        "format(month_usd, '$,.0f')",
    ]
    totals = (
        alt.Chart(alt.sequence(0, 4, 1, as_="measure"))
        .transform_calculate(
            what=f"{list(MEASURES)!r}[datum.measure]",
            end="100",
            text=f"[{', '.join(whole_words)}][datum.measure]",
        )
        .mark_text(align="right", dy=-24, fontWeight=600)
        .encode(alt.X("end:Q"), y, text="text:N")
    )
    above = [mean([repr(float(one)) for one in facts[f"above_{limit}"]]) for limit in THRESHOLDS]
    spoken = (
        "requests_per_day + 'K requests a day read ' + "
        f"{_tokens_words('day_in')} + ' tokens and write ' + {_tokens_words('day_out')} + ': ' + "
        f"format(month_usd, '$,.0f') + ' a month at ' + {[*LISTED]!r}[price] + '. "
        "Longer than 8K, 32K and 128K are ' + format(100 * above_0, '.1f') + ', ' + "
        "format(100 * above_1, '.1f') + ' and ' + format(100 * above_2, '.1f') + '\u00a0% of the "
        "prompts.'"
    )
    start = mixed_day(facts, **initial(controls))
    return titled(
        alt.layer(drawn, told, totals).add_params(
            *params(controls),
            *(alt.param(f"mean_{place}", expr=mean_of) for place, mean_of in enumerate(means)),
            *(alt.param(f"above_{place}", expr=one) for place, one in enumerate(above)),
            alt.param("day_in", expr=f"{moved['requests_per_day']} * mean_1"),
            alt.param("day_out", expr=f"{moved['requests_per_day']} * mean_2"),
            alt.param("month_usd", expr=f"{DAYS} * {moved['requests_per_day']} * mean_3"),
            alt.param("readout", expr=spoken),
        ),
        title="Your mix: who asks, who fills the context, who pays?",
        subtitle="Share of each kind of use in a day’s requests and tokens, and in a month’s bill",
        description="Interactive stacked bars of a mix of workloads. With the chapter's numbers "
        f"{start['day_in'] / 1e6:,.0f} million tokens in and {start['day_out'] / 1e6:,.0f} million "
        f"out a day, {usd(start['month_usd'])} a month.",
        note="Recomputed in your browser: means of the tables, the library’s own bill of a "
        f"request, {units.HOURS_PER_MONTH:g} hours a month. A cap is applied to every answer; a "
        "share of the answers is cut by it.",
        height=290,
    )


def _tokens_words(signal: str) -> str:
    return (
        f"({signal} < 1e9 ? format({signal} / 1e6, '.3r') + ' million' : "
        f"format({signal} / 1e9, '.3r') + ' billion')"
    )


def mixed_day(facts: pd.DataFrame, **moved: float) -> dict[str, float]:
    """Tokens of a day, the bill of a month and the long prompts of a mix, computed in Python."""
    weights = np.array([moved[f"share_{place}"] for place in range(len(facts))])
    if weights.sum() == 0:
        raise ValueError("at least one kind of use must have a share")
    asked = _prices().iloc[int(moved["price"])]
    answers = facts[f"out_{int(moved['cap'])}"].to_numpy()
    bills = np.asarray(
        request_usd(
            input_tokens=facts["input_tokens"].to_numpy(),
            output_tokens=answers,
            cached_tokens=moved["cached"] * facts["cached_tokens"].to_numpy(),
            **{str(name): float(price) for name, price in asked.items()},
        )
    )
    day = moved["requests_per_day"]
    return {
        "day_in": day * float(np.average(facts["input_tokens"], weights=weights)),
        "day_out": day * float(np.average(answers, weights=weights)),
        "month_usd": DAYS * day * float(np.average(bills, weights=weights)),
        **{
            f"above_{place}": float(np.average(facts[f"above_{limit}"], weights=weights))
            for place, limit in enumerate(THRESHOLDS)
        },
        **{
            f"bill_{name}": float(part)
            for name, part in zip(
                facts["workload"], weights * bills / (weights @ bills), strict=True
            )
        },
    }


def mix_point(facts: pd.DataFrame, **moved: float) -> Any:
    """The twin in JupyterLab: who pays in the reader's mix."""
    found = mixed_day(facts, **moved)
    rows = pd.DataFrame(
        {
            "workload": facts["workload"],
            "bill": [round(100 * found[f"bill_{name}"], 2) for name in facts["workload"]],
        }
    )
    bars = (
        alt.Chart(rows)
        .mark_bar(color=hue("you"), height=20)
        .encode(
            alt.X("bill:Q", title="Share of the bill (%)"),
            alt.Y("workload:N", title=None, sort=list(facts["workload"])),
        )
    )
    return titled(
        bars,
        title=f"{found['day_in'] / 1e6:,.0f} million tokens in and {found['day_out'] / 1e6:,.1f} "
        f"million out a day: {usd(found['month_usd'])} a month",
        subtitle=f"Longer than 32K: {100 * found['above_1']:.1f} % of the prompts, than 128K: "
        f"{100 * found['above_2']:.1f} %",
        description="Bars of the share of each workload in the bill of a mix.",
        height=200,
    )
