"""Charts of `depreciation`: book against value, schedules, tokens, holding, write-downs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib.charts.theme import cast, end_labels, hue, reference, titled, usd
from costlib.lives import METHODS

__all__ = [
    "BOOK",
    "book_lines",
    "held_lines",
    "life_moves",
    "token_bars",
    "value_lines",
    "water_lines",
]

BOOK: Final = "ink"  # the books, in every chart of the chapter
FALLS: Final = ("teal", "violet", "magenta")  # slow, middle and fast falls of the rent
PHONE_HEIGHT: Final = 300  # pixels: labels keep apart there, too
LIVES: Final = ("magenta", "ochre", "teal", "ink")  # three to six years; six is the books'
SCHEDULES: Final[Mapping[str, str]] = dict(
    zip(METHODS, ("ink", "teal", "ochre", "violet", "brown"), strict=True)
)


def _thousand(value: float) -> str:
    return f"{'−' if value < 0 else ''}${abs(value) / 1000:,.1f}K"


def _dollars(name: str, title: str | None, low: float, high: float) -> alt.Y:
    return alt.Y(f"{name}:Q", title=title, scale=alt.Scale(domain=[low, high], nice=False)).axis(
        format="$,.0f", tickCount=6
    )


def _falls(names: list[str]) -> alt.Color:
    return alt.Color("name:N", scale=cast(dict(zip(names, FALLS, strict=False))), legend=None)


def value_lines(
    frames: Mapping[str, pd.DataFrame], *, months: int, title: str, subtitle: str
) -> Any:
    """Book value, and value in use by how fast rents fall: `lives.months` by name."""
    book = next(iter(frames.values()))[["month", "book_usd"]].rename(columns={"book_usd": "usd"})
    rows = pd.concat(
        frame[["month", "in_use_usd"]].rename(columns={"in_use_usd": "usd"}).assign(name=name)
        for name, frame in frames.items()
    ).round(0)
    names = list(frames)
    high = 1.05 * max(float(book["usd"].max()), float(rows["usd"].max()))
    x = alt.X(
        "month:Q", title="Months since the purchase", scale=alt.Scale(domain=[0, months])
    ).axis(values=list(range(0, months + 1, 12)))
    y = _dollars("usd", "USD", 0, high)
    hues = dict(zip(names, FALLS, strict=False)) | {"book value": BOOK}
    color = alt.Color("name:N", scale=cast(hues), legend=None)
    firsts = rows.groupby("name", sort=False).first().reset_index()
    book = book.assign(name="book value").round(0)
    line = alt.Chart(book).mark_line(strokeWidth=3).encode(x, y, color)
    # Most lines end at nothing: their names stand upon each other, as the lines do before the end.
    ends = pd.concat([rows, book])
    late = ends[ends["month"] == months * 2 // 3].sort_values("usd", kind="stable")["name"]
    last = ends[ends["month"] == months].set_index("name").loc[list(late)].reset_index()
    steps = high * 17 / PHONE_HEIGHT * np.arange(len(last))
    last["place"] = (np.maximum.accumulate(last["usd"] - steps) + steps).round(0)
    words = (
        alt.Chart(last)
        .mark_text(align="left", dx=8, fontWeight=600)
        .encode(x, alt.Y("place:Q"), color, text="name:N")
    )
    return titled(
        alt.layer(alt.Chart(rows).mark_line().encode(x, y, color), line, words),
        title=title,
        subtitle=subtitle,
        description=f"Lines over months: the book value falls from {usd(book['usd'].iloc[0])} in "
        "a straight line; value in use, new: "
        + ", ".join(
            f"{name} {usd(value)}"
            for name, value in zip(firsts["name"], firsts["usd"], strict=True)
        ),
        height=360,
    )


def book_lines(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """Book value by year and method; columns year, method, book_usd."""
    shown = rows[["year", "method", "book_usd"]].round({"book_usd": 0, "year": 4})
    color = alt.Color(
        "method:N",
        scale=cast(SCHEDULES),
        legend=alt.Legend(title=None, orient="top", columns=2),
    )
    last = shown[shown["year"] == 2]
    return titled(
        alt.Chart(shown)
        .mark_line()
        .encode(
            alt.X("year:Q", title="Years since the purchase").axis(tickMinStep=1),
            _dollars("book_usd", None, 0, float(shown["book_usd"].max())),
            color,
        ),
        title=title,
        subtitle=subtitle,
        description="Lines of book value over years; after two years "
        + ", ".join(
            f"{name} {usd(value)}"
            for name, value in zip(last["method"], last["book_usd"], strict=True)
        ),
        height=300,
    )


def life_moves(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """Lives before and after each change, by date: rows of `lives.schedules`."""
    shown = rows.sort_values("effective").reset_index(drop=True)
    shown = shown.assign(
        words=shown["company"] + ", " + shown["effective"],
        turn=np.where(
            shown["life_from_years"].isna(),
            "stated",
            np.where(shown["life_to_years"] > shown["life_from_years"], "longer", "shorter"),
        ),
        told=[
            f"${charge / 1e9:.1f}B a year" if charge == charge else ""
            for charge in shown.charge_usd
        ],
    )
    hues = {"longer": "teal", "shorter": "magenta", "stated": "ink"}
    y = alt.Y("words:N", title=None, sort=list(shown["words"])).axis(labelLimit=180)
    scale = alt.Scale(domain=[2, 9], nice=False)
    x = alt.X("life_to_years:Q", title="Years in the books", scale=scale).axis(
        values=[2, 3, 4, 5, 6], format="d"
    )
    color = alt.Color(
        "turn:N", scale=cast(hues), legend=alt.Legend(title=None, orient="top", columns=3)
    )
    moved = shown[shown["turn"] != "stated"]
    bars = (
        alt.Chart(moved[["words", "life_from_years", "life_to_years", "turn"]])
        .mark_rule(strokeWidth=3)
        .encode(
            alt.X("life_from_years:Q", scale=scale, title="Years in the books"),
            y,
            color,
            x2="life_to_years:Q",
        )
    )
    ends = (
        alt.Chart(shown[["words", "life_to_years", "turn"]])
        .mark_circle(size=90, opacity=1)
        .encode(x, y, color)
    )
    text = (
        alt.Chart(
            shown.assign(right=shown[["life_from_years", "life_to_years"]].max(axis=1)).loc[
                shown["told"] != "", ["words", "right", "told"]
            ]
        )
        .mark_text(align="left", dx=10, color=hue("ink"))
        .encode(alt.X("right:Q", scale=scale), y, text="told:N")
    )
    return titled(
        alt.layer(bars, ends, text),
        title=title,
        subtitle=subtitle,
        description=f"Ranges of {len(shown)} lives in the books by date: "
        + "; ".join(f"{row.words} to {row.life_to_years:g} years" for row in shown.itertuples()),
        height=22 * len(shown) + 20,
    )


def token_bars(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """Cost of a token by life, charge and operation: rows of `lives.token_costs`."""
    parts = {"capital charge": "blue", "operation": "teal"}
    shown = rows.assign(
        **{
            "capital charge": rows["charge_usd_per_mtok"],
            "operation": rows["rest_usd_per_mtok"],
        }
    ).melt("words", list(parts), var_name="part", value_name="usd")
    shown = shown.assign(usd=shown["usd"].round(5), order=np.where(shown.part == "operation", 1, 0))
    totals = rows.assign(
        total=rows["usd_per_mtok"].round(5),
        text=[
            f"{usd(total)} ({100 * share:.0f} %)"
            for total, share in zip(rows["usd_per_mtok"], rows["share_fraction"], strict=True)
        ],
    )[["words", "total", "text"]]
    y = alt.Y("words:N", title=None, sort=list(rows["words"])).axis(labelFontSize=13)
    scale = alt.Scale(domain=[0, 1.8 * float(totals["total"].max())], nice=False)
    bars = (
        alt.Chart(shown)
        .mark_bar(height=22)
        .encode(
            alt.X("usd:Q", title="USD per million tokens", scale=scale).axis(
                format="$.2f", tickCount=5
            ),
            y,
            alt.Color("part:N", scale=cast(parts), legend=alt.Legend(title=None, orient="top")),
            order="order:Q",
        )
    )
    text = (
        alt.Chart(totals)
        .mark_text(align="left", dx=6, fontWeight=600, color=hue("ink"))
        .encode(alt.X("total:Q", scale=scale), y, text="text:N")
    )
    return titled(
        alt.layer(bars, text),
        title=title,
        subtitle=subtitle,
        description="Bars of the cost of a million tokens by life in the books: "
        + "; ".join(f"{row.words} {row.text}" for row in totals.itertuples()),
        height=34 * len(rows) + 20,
    )


def held_lines(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """Present value of buying by years held; rows of `lives.held_values` with a name."""
    shown = rows[["years", "npv_usd", "name"]].round({"npv_usd": 0, "years": 4})
    names = list(dict.fromkeys(shown["name"]))
    low, high = float(shown["npv_usd"].min()), float(shown["npv_usd"].max())
    room = 0.08 * (high - low)
    color = _falls(names)
    labelled = shown.assign(text=[_thousand(value) for value in shown["npv_usd"]])
    labels = end_labels(
        labelled,
        x="years",
        y="npv_usd",
        name="name",
        text="text",
        color=color,
        low=low - room,
        high=high + room,
        height=330,
        log=False,
    )
    return titled(
        alt.layer(
            reference(0.0, ""),
            alt.Chart(shown)
            .mark_line()
            .encode(
                alt.X("years:Q", title="Years held, then sold").axis(tickMinStep=1),
                _dollars("npv_usd", "Present value (USD)", low - room, high + room),
                color,
            ),
            labels,
        ),
        title=title,
        subtitle=subtitle,
        description="Lines of present value over years held; at the end "
        + ", ".join(
            f"{row.name} {row.text}"
            for row in labelled.sort_values("years")
            .groupby("name", sort=False)
            .tail(1)
            .itertuples()
        ),
        height=330,
    )


def water_lines(
    rows: pd.DataFrame, marks: Mapping[str, float], *, title: str, subtitle: str
) -> Any:
    """Share of a life under water by fall of rents, a line per life: `lives.under_water`."""
    shown = pd.DataFrame(
        {
            "fall": (100 * rows["decline_fraction"]).round(2),
            "months": rows["n_months"],
            "name": [f"{life:g} years" for life in rows["life_years"]],
        }
    )
    names = list(dict.fromkeys(shown["name"]))
    color = alt.Color(
        "name:N", scale=cast(dict(zip(names, LIVES[-len(names) :], strict=True))), legend=None
    )
    high = 1.1 * float(shown["months"].max())
    labels = end_labels(
        shown.assign(text=""),
        x="fall",
        y="months",
        name="name",
        text="text",
        color=color,
        low=0,
        high=high,
        height=320,
        log=False,
        gap=20,
    )
    x = alt.X("fall:Q", title="Rents fall by (% a year)")
    y = alt.Y(
        "months:Q",
        title="Months in which the books exceed the value in use",
        scale=alt.Scale(domain=[0, high], nice=False),
    ).axis(values=list(range(0, int(high) + 1, 12)))
    return titled(
        alt.layer(
            *(
                reference(round(100 * at, 1), words, axis="x", row=row)
                for row, (words, at) in enumerate(marks.items())
            ),
            alt.Chart(shown).mark_line(interpolate="step-after").encode(x, y, color),
            labels,
        ),
        title=title,
        subtitle=subtitle,
        description="Step lines of months under water by the yearly fall of rents: "
        + "; ".join(
            f"{name} from a fall of {group.loc[group['months'] > 0, 'fall'].min():g} percent"
            for name, group in shown.groupby("name", sort=False)
            if (group["months"] > 0).any()
        ),
        height=320,
    )
