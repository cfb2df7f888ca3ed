"""Charts of `roofline`: intensities against ridges, price against speed, batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import pandas as pd

from costlib.charts.controls import Control, params
from costlib.charts.theme import cast, hue, titled, usd

__all__ = [
    "batch_curve",
    "frontier_controls",
    "frontier_point",
    "intensities",
    "price_of_speed",
    "waits",
]

OFFER_HUES: Final = ("blue", "teal", "violet", "brown", "ochre", "green")


SCHEDULES: Final = {"static": "ink", "dynamic": "teal", "continuous": "blue"}


def _devices(rows: pd.DataFrame) -> dict[str, str]:
    names = list(dict.fromkeys(rows["accelerator"]))
    return dict(zip(names, OFFER_HUES, strict=False))


def intensities(rows: pd.DataFrame, ridges: Mapping[str, float], *, title: str) -> Any:
    """FLOP per byte of each operation, and the ridges that it would have to reach.

    `rows` has `operation` and `flop_per_byte`.
    """
    shown = rows.assign(flop_per_byte=rows["flop_per_byte"].round(2))
    order = list(shown["operation"])
    low, high = shown["flop_per_byte"].min() / 2, shown["flop_per_byte"].max() * 3
    x = alt.X(
        "flop_per_byte:Q",
        title="FLOP per byte moved, logarithmic",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
    )
    y = alt.Y("operation:N", sort=order, title=None).axis(labelLimit=260)
    dots = (
        alt.Chart(shown).mark_point(size=130, filled=True, opacity=1, color=hue("ink")).encode(x, y)
    )
    rules = []
    for rank, (name, ridge) in enumerate(sorted(ridges.items(), key=lambda pair: pair[1])):
        line = alt.Chart(
            pd.DataFrame({"flop_per_byte": [round(ridge, 1)], "words": [f"{name}: {ridge:.0f}"]})
        )
        top = -10 - 16 * rank  # above the dots; a rule further right is higher than words before it
        rules += [
            line.mark_rule(strokeDash=[3, 3], color=hue("muted")).encode(
                x, y=alt.value(top - 6), y2=alt.value("height")
            ),
            line.mark_text(align="right", dx=-5, color=hue("muted"), fontSize=12).encode(
                x, y=alt.value(top), text="words:N"
            ),
        ]
    told = ", ".join(f"{row.operation} {row.flop_per_byte:g}" for row in shown.itertuples())
    return titled(
        alt.layer(dots, *rules),
        title=title,
        subtitle="Left of a ridge memory is the bound, right of it arithmetic",
        description=f"Dots of arithmetic intensity. {told}. Ridges: "
        + ", ".join(f"{name} {value:.0f}" for name, value in ridges.items())
        + ".",
        height=60 + 30 * len(order),
    )


def frontier_controls(
    *, models: Sequence[str], n_clients: Sequence[float], input_tokens: Sequence[float]
) -> tuple[Control, ...]:
    """What the reader of price against speed can move."""
    return (
        Control(
            parameter="model_number",
            label="Model",
            unit="",
            value=0.0,
            options=tuple(float(number) for number in range(len(models))),
            words=tuple(models),
        ),
        Control(
            parameter="n_clients",
            label="Clients",
            unit="",
            value=float(n_clients[len(n_clients) // 2]),
            options=tuple(float(n) for n in n_clients),
            words=tuple(f"{n:,.0f}" for n in n_clients),
        ),
        Control(
            parameter="input_tokens",
            label="Prompt",
            unit="tokens",
            value=float(input_tokens[0]),
            options=tuple(float(n) for n in input_tokens),
            words=tuple(f"{n:,.0f} tokens" for n in input_tokens),
        ),
        Control(
            parameter="rent_times",
            label="Rent",
            unit="times the listed one",
            value=1.0,
            low=0.2,
            high=3.0,
            step=0.05,
        ),
    )


def _axes(rows: pd.DataFrame, stated: float = 0.0) -> tuple[alt.X, alt.Y, alt.Y]:
    """Axes of speed and of cost, and the latter for the lower edge of a band."""
    speed, cost = rows["user_tokens_per_s"], rows["usd_per_mtok"]
    fastest = max(float(rows["light_user_tokens_per_s"].max()), 1.3 * stated)
    fast = alt.Scale(type="log", domain=[float(speed.min() * 0.8), fastest], nice=False)
    dear = alt.Scale(type="log", domain=[float(cost.min() / 4), float(cost.max() * 3)], nice=False)
    words = "USD per million tokens, in and out together"
    up, edge = (
        alt.Y(field, title=words, scale=dear).axis(format="$~r", tickCount=5)
        for field in ("usd:Q", "low:Q")
    )
    across = alt.X(
        "user_tokens_per_s:Q", title="Output tokens per second and user, logarithmic", scale=fast
    )
    thousands = "replace(datum.label, 'k', 'K')"  # the book writes K
    return across.axis(format="~s", labelExpr=thousands, tickCount=6), up, edge


def _rounded(rows: pd.DataFrame) -> pd.DataFrame:
    numbers = rows.select_dtypes("number").columns
    return rows.assign(**{name: [float(f"{v:.5g}") for v in rows[name]] for name in numbers})


def _numbered(rows: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Rows with the place of their model among the choices, which Vega compares."""
    return _rounded(rows.assign(model_number=[models.index(name) for name in rows["model"]]))


def _tiers(prices: pd.DataFrame) -> pd.DataFrame:
    """List prices with their words; vendors that ask the same share them.

    Of those without a speed, which are rules across the chart, the dearest and the cheapest.
    The words of a rule are a list, which the chart breaks at its commas.
    """
    same = ["model_number", "input_tokens", "usd_per_mtok", "user_tokens_per_s", "fast"]
    shared = prices.groupby(same, dropna=False)["vendor"].agg(", ".join).reset_index()
    here = shared[shared["user_tokens_per_s"].isna()].groupby(["model_number", "input_tokens"])
    ends = {*here["usd_per_mtok"].idxmin(), *here["usd_per_mtok"].idxmax()}
    shared = shared[shared["user_tokens_per_s"].notna() | shared.index.isin(list(ends))]
    tier = shared["fast"].map({True: "fast", False: "normal"})
    words = (shared["vendor"] + ": " + tier).where(
        shared["user_tokens_per_s"].notna(), tier + " tier, " + shared["vendor"]
    )
    return shared.assign(words=words).drop(columns=["vendor", "fast"])


def price_of_speed(
    curves: pd.DataFrame,
    points: pd.DataFrame,
    prices: pd.DataFrame,
    controls: Sequence[Control],
    *,
    title: str,
) -> Any:
    """Cost per million tokens against the speed of each user, with sliders.

    `curves`, `points` and `prices` come from `costlib.frontier`, each with its `model`.
    """
    models = list(controls[0].words)
    rows, runs = _numbered(curves, models), _numbered(points, models)
    lists = _tiers(_numbered(prices, models))
    placed = lists["user_tokens_per_s"].notna()
    stated = lists.loc[placed, "user_tokens_per_s"].max() if placed.any() else 0.0
    x, y, edge = _axes(curves, float(stated))
    color = alt.Color(
        "accelerator:N",
        scale=cast(_devices(curves)),
        legend=alt.Legend(columns=4, labelLimit=0, symbolType="stroke", symbolOpacity=1, offset=26),
    )
    here = "datum.model_number == model_number && datum.input_tokens == input_tokens"
    order = alt.Order("n_clients:Q")
    all_rows = alt.Chart(rows.drop(columns=["model", "offer"])).transform_filter(here)
    own = all_rows.transform_calculate(
        usd="datum.usd_per_mtok * rent_times",
        low="datum.usd_low * rent_times",
        high="datum.usd_high * rent_times",
    )
    bands = own.mark_area(opacity=0.16, clip=True).encode(x, edge, alt.Y2("high:Q"), color)
    lines = own.mark_line(strokeWidth=2.5, clip=True).encode(x, y, color, order=order)
    light = (
        all_rows.transform_calculate(
            usd="datum.light_usd_per_mtok * rent_times",
            user_tokens_per_s="datum.light_user_tokens_per_s",
        )
        .mark_line(strokeDash=[2, 4], strokeWidth=1.75, clip=True)
        .encode(x, y, color, order=order)
    )
    measured = (
        alt.Chart(runs.drop(columns="model"))
        .transform_filter(here)
        .transform_calculate(usd="datum.usd_per_mtok * rent_times")
        .mark_point(size=42, filled=True, opacity=0.9, clip=True)
        .encode(x, y, color, tooltip=["offer:N", "n_clients:Q", "user_tokens_per_s:Q", "usd:Q"])
    )
    yours = (
        own.transform_filter("datum.n_clients == n_clients")
        .mark_point(size=150, opacity=1, stroke=hue("you"), strokeWidth=3, filled=False, clip=True)
        .encode(x, y)
    )
    first = curves[
        (curves["model"] == models[0])
        & (curves["n_clients"] == controls[1].value)
        & (curves["input_tokens"] == controls[2].value)
    ]
    told = "; ".join(
        f"{row['offer']} {usd(row['usd_per_mtok'])} at {row['user_tokens_per_s']:.0f} tokens/s"
        for row in first.to_dict("records")
    )
    return titled(
        alt.layer(
            bands,
            lines,
            light,
            measured,
            *_listed(lists[~placed], here, x, y, at_a_speed=False),
            *_listed(lists[placed], here, x, y, at_a_speed=True),
            yours,
        ).add_params(*params(controls)),
        title=title,
        subtitle=(
            "Bands: 80\u00a0% intervals; dots: measured; dotted curves: the speed of light; rings: "
            "yours; diamonds and level rules: list prices of tiers"
        ),
        description=f"Interactive chart of cost against speed. At first: {told}.",
        note=(
            "List prices are per million tokens at the same mix of prompt and answer. A diamond "
            "stands at the speed that its vendor states, a rule where none is stated."
        ),
        height=420,
    )


def _listed(rows: pd.DataFrame, here: str, x: alt.X, y: alt.Y, *, at_a_speed: bool) -> list[Any]:
    """List prices: marks at a stated speed, or rules across the chart, with their words."""
    if rows.empty:
        return []
    base = alt.Chart(rows).transform_filter(here).transform_calculate(usd="datum.usd_per_mtok")
    if not at_a_speed:
        least = rows.groupby(["model_number", "input_tokens"])["usd_per_mtok"].transform("min")
        lowest = rows["usd_per_mtok"] == least
        above = "-14 * length(split(datum.words, ', ')) - 2"  # as many lines as commas, and one
        upper: dict[str, Any] = {"align": "left", "dx": 4, "dy": alt.ExprRef(above)}
        lower: dict[str, Any] = {"align": "right", "dx": -4, "dy": 4}
        words = [  # left of the curves above the upper rule, right of them below the lower one
            alt.Chart(part)
            .transform_filter(here)
            .transform_calculate(usd="datum.usd_per_mtok")
            .mark_text(
                baseline="top",
                lineBreak=", ",
                lineHeight=14,
                color=hue("muted"),
                fontSize=12,
                **style,
            )
            .encode(y=y, x=alt.value(edge), text="words:N")
            for part, edge, style in ((rows[lowest], "width", lower), (rows[~lowest], 0, upper))
            if len(part)
        ]
        return [base.mark_rule(color=hue("muted"), strokeDash=[2, 3]).encode(y), *words]
    diamond = base.mark_point(shape="diamond", size=130, filled=True, opacity=1, color=hue("ink"))
    fastest = f"datum.user_tokens_per_s == {float(rows['user_tokens_per_s'].max())!r}"
    style: dict[str, Any] = {  # above the fastest, beside the others; dotted lines pass behind
        "align": alt.ExprRef(f"{fastest} ? 'right' : 'left'"),
        "dx": alt.ExprRef(f"{fastest} ? 8 : 9"),
        "dy": alt.ExprRef(f"{fastest} ? -15 : -10"),
        "fontSize": 12,
    }
    halo = base.mark_text(stroke=hue("page"), strokeWidth=4, color=hue("page"), **style)
    ink = base.mark_text(color=hue("ink"), **style)
    words = [text.encode(x, y, text="words:N") for text in (halo, ink)]
    return [diamond.encode(x, y), *words]


def frontier_point(curves: pd.DataFrame, **moved: float) -> Any:
    """The twin of `price_of_speed` for one setting, computed in Python."""
    model = list(dict.fromkeys(curves["model"]))[int(moved["model_number"])]
    rows = curves[(curves["model"] == model) & (curves["input_tokens"] == moved["input_tokens"])]
    rows = _rounded(rows.assign(usd=rows["usd_per_mtok"] * moved["rent_times"]))
    mine = rows[rows["n_clients"] == moved["n_clients"]]
    x, y, _ = _axes(curves)
    color = alt.Color("accelerator:N", scale=cast(_devices(curves)), legend=alt.Legend(columns=4))
    spoken = "; ".join(
        f"{row['offer']}: {usd(row['usd'])} at {row['user_tokens_per_s']:.0f} tokens/s"
        for row in mine.to_dict("records")
    )
    drawn = alt.Chart(rows).mark_line(clip=True).encode(x, y, color, order=alt.Order("n_clients:Q"))
    ring = (
        alt.Chart(mine)
        .mark_point(size=150, stroke=hue("you"), strokeWidth=3, filled=False, clip=True)
        .encode(x, y)
    )
    return titled(
        drawn + ring,
        title=spoken or "No offer holds so many clients",
        subtitle=f"{model}, {moved['n_clients']:,.0f} clients, prompts of "
        f"{moved['input_tokens']:,.0f}",
        description=spoken or "No offer holds so many clients with prompts of this length.",
        height=320,
    )


def batch_curve(gains: Mapping[str, pd.DataFrame], claims: pd.DataFrame, *, title: str) -> Any:
    """Throughput over a batch of one for some mixes of lengths, with what sources say.

    `gains` holds what `frontier.batch_gains` found, by the words for a mix; the speed of light is
    that of the last. `claims` has the batch, the times and `words`.
    """
    last = list(gains)[-1]
    parts = [rows.assign(kind=name, times=rows["throughput_times"]) for name, rows in gains.items()]
    light = f"light, {last}"
    parts.append(gains[last].assign(kind=light, times=gains[last]["light_throughput_times"]))
    long = pd.concat(parts)[["n_clients", "kind", "times"]].round(3)
    hues = dict(zip([*gains], ("blue", "teal", "violet"), strict=False)) | {light: "muted"}
    dashes = [[1, 0]] * len(gains) + [[3, 4]]
    x = alt.X("n_clients:Q", title="Batch", scale=alt.Scale(type="log", base=2, nice=False)).axis(
        values=[1, 2, 4, 8, 16, 32, 64, 128, 256]
    )
    y = alt.Y(
        "times:Q", title="Throughput, times a batch of one", scale=alt.Scale(type="log", base=2)
    )
    legend = alt.Legend(labelLimit=0, offset=26, columns=2)
    lines = (
        alt.Chart(long)
        .mark_line()
        .encode(
            x,
            y,
            alt.Color("kind:N", scale=cast(hues), legend=legend),
            alt.StrokeDash("kind:N", scale=alt.Scale(domain=list(hues), range=dashes)),
        )
    )
    said = claims.assign(times=claims["throughput_times"].round(2))
    said = said[["n_clients", "times", "words"]]
    dots = alt.Chart(said).mark_point(size=110, filled=True, shape="diamond", color=hue("ink"))
    late = said["n_clients"] >= long["n_clients"].max() / 2  # no room to the right of them
    words = [
        alt.Chart(said[~late]).mark_text(align="left", dx=9, dy=-9, color=hue("ink")),
        alt.Chart(said[late]).mark_text(align="right", dx=-9, dy=-9, color=hue("ink")),
    ]
    told = "; ".join(
        f"{name}: {rows['throughput_times'].iloc[-1]:.1f} times at {rows['n_clients'].iloc[-1]:.0f}"
        for name, rows in gains.items()
    )
    return titled(
        alt.layer(lines, dots.encode(x, y), *(part.encode(x, y, text="words:N") for part in words)),
        title=title,
        subtitle="Both axes logarithmic; diamonds: what sources say",
        description=f"Lines of throughput over batch. {told}.",
        height=320,
    )


def waits(rows: pd.DataFrame, *, title: str) -> Any:
    """Seconds to a whole answer against arrivals, under each schedule until it is full.

    `rows` comes from `frontier.answer_times`.
    """
    shown = rows.assign(**{name: rows[name].round(4) for name in ("requests_per_s", "answer_s")})
    shown = shown[["schedule", "requests_per_s", "answer_s"]]
    x = alt.X(
        "requests_per_s:Q",
        title="Requests per second, logarithmic",
        scale=alt.Scale(type="log", nice=False),
    ).axis(tickCount=6, format="~g")
    y = alt.Y("answer_s:Q", title="Seconds to a whole answer, logarithmic").scale(type="log")
    color = alt.Color("schedule:N", scale=cast(SCHEDULES), legend=None)
    lines = alt.Chart(shown).mark_line(strokeWidth=2.5).encode(x, y, color)
    place = shown.groupby("schedule")["requests_per_s"]
    ends, starts = shown.loc[place.idxmax()], shown.loc[place.idxmin()]
    words: dict[str, tuple[pd.DataFrame, dict[str, Any]]] = {  # where each line stands alone
        "static": (starts, {"align": "left", "dx": 12, "dy": -4}),
        "dynamic": (ends, {"align": "left", "dx": 8}),
        "continuous": (ends, {"align": "right", "dx": -4, "dy": -11}),
    }
    names = [
        alt.Chart(rows[rows["schedule"] == name])
        .mark_text(fontWeight=600, **style)
        .encode(x, y, color, text="schedule:N")
        for name, (rows, style) in words.items()
    ]
    told = "; ".join(
        f"{row['schedule']} up to {row['requests_per_s']:.2g} requests/s, then "
        f"{row['answer_s']:.1f} s"
        for row in ends.to_dict("records")
    )
    return titled(
        alt.layer(lines, *names),
        title=title,
        subtitle="A line ends where its schedule is full",
        description=f"Lines of the time to an answer over arrivals: {told}.",
        height=300,
    )
