"""Charts of `roofline`: intensities against ridges, price against speed, the batch."""

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
]

OFFER_HUES: Final = ("blue", "teal", "violet", "brown", "ochre", "green")


def _offers(rows: pd.DataFrame) -> dict[str, str]:
    names = list(dict.fromkeys(rows["offer"]))
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
    lines = pd.DataFrame(
        {
            "flop_per_byte": [round(value, 1) for value in ridges.values()],
            "words": [f"{name}: {value:.0f}" for name, value in ridges.items()],
            "place": range(len(ridges)),
        }
    )
    rungs = alt.Scale(domain=[14, -0.2])  # the words of each rule below those of the one before
    rules = alt.Chart(lines).mark_rule(strokeDash=[3, 3], color=hue("muted")).encode(x)
    words = (
        alt.Chart(lines)
        .mark_text(align="right", dx=-5, baseline="top", color=hue("muted"), fontSize=12)
        .encode(x, alt.Y("place:Q", axis=None, scale=rungs), text="words:N")
    )
    told = ", ".join(f"{row.operation} {row.flop_per_byte:g}" for row in shown.itertuples())
    return titled(
        alt.layer(dots, rules, words).resolve_scale(y="independent"),
        title=title,
        subtitle="Left of a ridge memory is the bound, right of it arithmetic",
        description=f"Dots of arithmetic intensity. {told}. Ridges: "
        + ", ".join(f"{name} {value:.0f}" for name, value in ridges.items())
        + ".",
        height=60 + 30 * len(order),
    )


def frontier_controls(
    *, n_clients: Sequence[float], input_tokens: Sequence[float]
) -> tuple[Control, ...]:
    """What the reader of price against speed can move."""
    return (
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


def _axes(rows: pd.DataFrame) -> tuple[alt.X, alt.Y, alt.Y]:
    """Axes of speed and of cost, and the latter for the lower edge of a band."""
    speed, cost = rows["user_tokens_per_s"], rows["usd_per_mtok"]
    fastest = float(rows["light_user_tokens_per_s"].max())
    fast = alt.Scale(type="log", domain=[float(speed.min() * 0.8), fastest], nice=False)
    dear = alt.Scale(type="log", domain=[float(cost.min() / 4), float(cost.max() * 3)], nice=False)
    words = "USD per million tokens, prompt and answer together"
    up, edge = (
        alt.Y(field, title=words, scale=dear).axis(format="$~r", tickCount=5)
        for field in ("usd:Q", "low:Q")
    )
    across = alt.X(
        "user_tokens_per_s:Q", title="Output tokens per second and user, logarithmic", scale=fast
    )
    return across.axis(format="~s", tickCount=6), up, edge


def _rounded(rows: pd.DataFrame) -> pd.DataFrame:
    numbers = rows.select_dtypes("number").columns
    return rows.assign(**{name: [float(f"{v:.5g}") for v in rows[name]] for name in numbers})


def price_of_speed(
    curves: pd.DataFrame,
    points: pd.DataFrame,
    prices: pd.DataFrame,
    controls: Sequence[Control],
    *,
    title: str,
) -> Any:
    """Cost per million tokens against the speed of each user, with sliders.

    `curves`, `points` and `prices` come from `costlib.frontier`.
    """
    rows, runs, lists = _rounded(curves), _rounded(points), _rounded(prices)
    lists["words"] = [
        f"{vendor}, {'fast' if fast else 'normal'} tier"
        for vendor, fast in zip(prices["vendor"], prices["fast"], strict=True)
    ]
    same = ["input_tokens", "usd_per_mtok"]  # vendors that ask the same share a line
    lists = lists.groupby(same)["words"].agg("; ".join).reset_index()
    hues = _offers(curves)
    x, y, edge = _axes(curves)
    color = alt.Color(
        "offer:N",
        scale=cast(hues),
        legend=alt.Legend(columns=4, labelLimit=0, symbolType="stroke", offset=26),
    )
    here = "datum.input_tokens == input_tokens"
    order = alt.Order("n_clients:Q")
    all_rows = alt.Chart(rows).transform_filter(here)
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
        .mark_line(strokeDash=[2, 4], strokeWidth=1.25, clip=True, opacity=0.8)
        .encode(x, y, color, order=order)
    )
    measured = (
        alt.Chart(runs)
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
    listed = alt.Chart(lists).transform_filter(here).transform_calculate(usd="datum.usd_per_mtok")
    marks = listed.mark_rule(color=hue("muted"), strokeDash=[2, 3]).encode(y)
    names = listed.mark_text(
        align="left", baseline="bottom", dy=-3, color=hue("muted"), fontSize=12
    ).encode(y=y, x=alt.value(4), text="words:N")
    first = curves[
        (curves["n_clients"] == controls[0].value) & (curves["input_tokens"] == controls[1].value)
    ]
    told = "; ".join(
        f"{row['offer']} {usd(row['usd_per_mtok'])} at {row['user_tokens_per_s']:.0f} tokens/s"
        for row in first.to_dict("records")
    )
    return titled(
        alt.layer(bands, lines, light, measured, marks, names, yours).add_params(*params(controls)),
        title=title,
        subtitle="Bands: 80 % intervals; dots: measured; dotted: the speed of light; rings: yours",
        description=f"Interactive chart of cost against speed. At first: {told}.",
        note="Listed prices are per million tokens at the same mix of prompt and answer.",
        height=420,
    )


def frontier_point(curves: pd.DataFrame, **moved: float) -> Any:
    """The twin of `price_of_speed` for one setting, computed in Python."""
    rows = curves[curves["input_tokens"] == moved["input_tokens"]]
    rows = _rounded(rows.assign(usd=rows["usd_per_mtok"] * moved["rent_times"]))
    mine = rows[rows["n_clients"] == moved["n_clients"]]
    x, y, _ = _axes(curves)
    color = alt.Color("offer:N", scale=cast(_offers(curves)), legend=alt.Legend(columns=4))
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
        subtitle=f"{moved['n_clients']:,.0f} clients, prompts of {moved['input_tokens']:,.0f}",
        description=spoken or "No offer holds so many clients with prompts of this length.",
        height=320,
    )


def batch_curve(gains: pd.DataFrame, claims: pd.DataFrame, *, title: str) -> Any:
    """Throughput over a batch of one, predicted and at light, with what sources say.

    `gains` comes from `frontier.batch_gains`; `claims` has the batch, the times and `words`.
    """
    long = pd.concat(
        [
            gains.assign(kind="predicted", times=gains["throughput_times"]),
            gains.assign(kind="speed of light", times=gains["light_throughput_times"]),
        ]
    )[["n_clients", "kind", "times"]].round(3)
    hues = {"predicted": "blue", "speed of light": "muted"}
    x = alt.X("n_clients:Q", title="Batch", scale=alt.Scale(type="log", base=2, nice=False)).axis(
        values=[1, 2, 4, 8, 16, 32, 64, 128, 256]
    )
    y = alt.Y(
        "times:Q", title="Throughput, times a batch of one", scale=alt.Scale(type="log", base=2)
    )
    lines = (
        alt.Chart(long)
        .mark_line()
        .encode(
            x,
            y,
            alt.Color("kind:N", scale=cast(hues), legend=alt.Legend(labelLimit=0, offset=26)),
            alt.StrokeDash(
                "kind:N",
                scale=alt.Scale(domain=list(hues), range=[[1, 0], [3, 4]]),
            ),
        )
    )
    said = claims.assign(times=claims["throughput_times"].round(2))[["n_clients", "times", "words"]]
    dots = alt.Chart(said).mark_point(size=110, filled=True, color=hue("ink"), opacity=1)
    words = alt.Chart(said).mark_text(align="right", dx=-9, dy=-4, color=hue("ink"))
    last = gains.iloc[-1]
    return titled(
        lines + dots.encode(x, y) + words.encode(x, y, text="words:N"),
        title=title,
        subtitle="Both axes logarithmic; black: what sources say",
        description=(
            f"Lines of throughput over batch. At {last['n_clients']:.0f}: predicted "
            f"{last['throughput_times']:.1f} times, at light {last['light_throughput_times']:.1f}."
        ),
        height=320,
    )
