"""Charts of `api_prices`: list prices over time, bills, steps of the price, contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib.charts.controls import Control, params
from costlib.charts.theme import band, cast, end_labels, hue, reference, spread, titled, usd

__all__ = [
    "bill_dots",
    "contract_lines",
    "index_lines",
    "length_lines",
    "ratio_points",
    "timeline",
    "timeline_controls",
]

KINDS: Final = ("input_usd_per_mtok", "output_usd_per_mtok")
KIND_WORDS: Final = ("input", "output")
YEARS: Final = range(2020, 2027)
# ways to pay less, in the order of the bars
WAYS: Final[Mapping[str, str]] = {"cached": "teal", "batch": "ochre", "both": "blue"}


def _usd_axis(title: str, low: float, high: float) -> alt.Y:
    return alt.Y(
        "price:Q",
        title=title,
        scale=alt.Scale(type="log", domain=[low, high]),
        axis=alt.Axis(
            values=[0.01, 0.1, 1, 10, 100],
            labelExpr="datum.value < 1 ? format(datum.value, '$.2f') : format(datum.value, '$.0f')",
        ),
    )


def _day_axis(low: str, high: str) -> alt.X:
    return alt.X(
        "day:T",
        title=None,
        scale=alt.Scale(domain=[{"year": int(low)}, {"year": int(high)}]),
        axis=alt.Axis(format="%Y", tickCount="year"),
    )


# --- every price -------------------------------------------------------------------------------


def timeline_controls(
    vendors: Sequence[str], *, vendor: str, kind: str, years: int
) -> tuple[Control, ...]:
    """Whose prices to show, of which token, and of how many years."""
    if vendor not in ("all", *vendors):
        raise ValueError(f"vendor must be one of all, {', '.join(vendors)}, got {vendor!r}")
    if kind not in KIND_WORDS:
        raise ValueError(f"kind must be one of {', '.join(KIND_WORDS)}, got {kind!r}")
    return (
        Control(
            parameter="vendor",
            label="Show",
            unit="",
            value=float(["all", *vendors].index(vendor)),
            options=tuple(float(place) for place in range(len(vendors) + 1)),
            words=("all vendors", *vendors),
        ),
        Control(
            parameter="kind",
            label="Price of",
            unit="",
            value=float(KIND_WORDS.index(kind)),
            options=(0.0, 1.0),
            words=KIND_WORDS,
        ),
        Control(
            parameter="years",
            label="Of the last",
            unit="calendar years",
            value=float(years),
            low=1,
            high=len(YEARS),
            step=1,
        ),
    )


def _shown(steps: pd.DataFrame, vendors: Sequence[str]) -> pd.DataFrame:
    """Prices as the chart holds them: day, both prices, place of the vendor (0: another)."""
    places = {name: place for place, name in enumerate(vendors, start=1)}
    return pd.DataFrame(
        {
            "day": steps["day"].dt.strftime("%Y-%m-%d"),
            "name": steps["name"],
            "year": steps["day"].dt.year,
            "place": steps["provider"].map(places).fillna(0).astype(int),
            "input": steps["input_usd_per_mtok"],
            "output": steps["output_usd_per_mtok"],
        }
    )


def timeline(
    steps: pd.DataFrame, vendors: Sequence[str], controls: Sequence[Control], *, title: str
) -> Any:
    """Every dated list price, the chosen vendor's in colour, and the cheapest so far."""
    rows = _shown(steps, vendors)
    x, y = _day_axis("2020", "2027"), _usd_axis("USD per million tokens", 0.01, 200)
    price = "[datum.input, datum.output][kind]"
    base = alt.Chart(rows).transform_calculate(price=price)
    chosen = base.transform_filter(
        f"(vendor == 0 || datum.place == vendor) && datum.year > {YEARS[-1]} - years"
    )
    lowest = chosen.transform_window(
        low="min(price)", sort=[alt.SortField("day"), alt.SortField("price")], frame=[None, 0]
    )
    low_price = alt.Y("low:Q").scale(type="log", domain=[0.01, 200])
    counts, ranges = [], []
    for place in range(len(vendors) + 1):
        mine = rows if place == 0 else rows[rows["place"] == place]
        kept = [mine[mine["year"] >= year] for year in YEARS]
        counts.append([len(one) for one in kept])
        ranges.append(
            [
                [f"{usd(one[kind].min())} to {usd(one[kind].max())}" for one in kept if len(one)]
                for kind in KIND_WORDS
            ]
        )
    names, year = ["all vendors", *vendors], f"{len(YEARS)} - years"
    count = f"{counts!r}[vendor][{year}]"
    spoken = (
        f"{count} + ' dated prices of ' + {names!r}[vendor] + ' since ' + ({YEARS[-1] + 1} - years)"
        f" + ({count} > 0 ? ': ' + {list(KIND_WORDS)!r}[kind] + ' from ' + "
        f"{ranges!r}[vendor][kind][{year}] + ' per million tokens.' : '.')"
    )
    return titled(
        alt.layer(
            base.mark_circle(size=22, color=hue("muted"), opacity=0.18).encode(x, y),
            chosen.mark_circle(size=34, color=hue("blue"), opacity=0.75).encode(
                x, y, tooltip=["name:N", "day:N", "price:Q"]
            ),
            lowest.mark_line(interpolate="step-after", color=hue("magenta")).encode(x, low_price),
        ).add_params(*params(controls), alt.param("readout", expr=spoken)),
        title=title,
        subtitle="Standard list price in USD per million tokens, each from its first day on, "
        "logarithmic axis; line: the cheapest so far of those shown",
        description=f"Interactive scatter of {len(rows)} list prices from "
        f"{rows['day'].min()} to {rows['day'].max()}, {usd(float(rows['input'].min()))} to "
        f"{usd(float(rows['input'].max()))} per million tokens of input.",
        note="Filtered in your browser. Prices without a date are not here.",
        height=360,
    )


# --- indices -----------------------------------------------------------------------------------


def index_lines(
    indices: Mapping[str, pd.DataFrame], *, until: str, title: str, subtitle: str
) -> Any:
    """Three senses of "the price", each as a step line from its first day to the last."""
    hues = dict(zip(indices, ("blue", "ochre", "magenta"), strict=True))
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "index": name,
                    "day": [*found["day"].dt.strftime("%Y-%m-%d"), until],
                    "price": [*found["input_usd_per_mtok"], found["input_usd_per_mtok"].iloc[-1]],
                }
            )
            for name, found in indices.items()
        ]
    )
    color = alt.Color("index:N", scale=cast(hues), legend=None)
    low, high = 0.015, 100.0
    lines = (
        alt.Chart(rows)
        .mark_line(interpolate="step-after")
        .encode(_day_axis("2020", "2027"), _usd_axis("USD per million tokens", low, high), color)
    )
    ends = rows[rows["day"] == until].copy()
    ends["label_y"] = spread(list(ends["price"]), low=low, high=high, height=340)
    ends["label"] = [
        [name, usd(price)] for name, price in zip(ends["index"], ends["price"], strict=True)
    ]
    labels = (
        alt.Chart(ends[["day", "label_y", "label", "index"]])
        .mark_text(align="left", baseline="middle", dx=8, dy=-7, lineHeight=14, fontWeight=600)
        .encode(_day_axis("2020", "2027"), alt.Y("label_y:Q"), text="label:N", color=color)
    )
    told = " ".join(
        f"{name}: {usd(float(found['input_usd_per_mtok'].iloc[0]))} to "
        f"{usd(float(found['input_usd_per_mtok'].iloc[-1]))}."
        for name, found in indices.items()
    )
    return titled(
        alt.layer(lines, labels),
        title=title,
        subtitle=subtitle,
        description=f"Step lines of three price indices. {told}",
    )


def ratio_points(rows: pd.DataFrame, medians: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """Price of output over input: every model a dot, the median of each year a line.

    `rows` has day and times; `medians` has the middle of its year as day, and times.
    """
    x = _day_axis("2020", "2027")
    y = alt.Y("times:Q", title="Output over input (times)", scale=alt.Scale(domain=[0, 9]))

    def drawn(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(
            {"day": frame["day"].dt.strftime("%Y-%m-%d"), "times": frame["times"].round(3)}
        )

    dots = alt.Chart(drawn(rows)).mark_circle(size=30, color=hue("muted"), opacity=0.35)
    middle = alt.Chart(drawn(medians).assign(text=lambda r: r["times"].map("{:.1f}".format)))
    return titled(
        alt.layer(
            dots.encode(x, y),
            middle.mark_line(point=alt.OverlayMarkDef(size=50), color=hue("blue")).encode(x, y),
            middle.mark_text(dy=-14, fontWeight=600, color=hue("blue")).encode(x, y, text="text:N"),
        ),
        title=title,
        subtitle=subtitle,
        description="Scatter of the price of output over that of input by day, with the median "
        "of each year: "
        + ", ".join(
            f"{day:%Y} {times:.1f}"
            for day, times in zip(medians["day"], medians["times"], strict=True)
        )
        + " times.",
        height=280,
    )


# --- bills -------------------------------------------------------------------------------------


def bill_dots(bills: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """What each way to pay less leaves of the list bill of each workload."""
    rows = pd.DataFrame(
        [
            {
                "workload": row.workload,
                "way": way,
                "left": round(100 * getattr(row, f"{way}_fraction"), 2),
                "text": f"{100 * getattr(row, f'{way}_fraction'):.2g} %"
                if getattr(row, f"{way}_fraction") < 0.1
                else f"{100 * getattr(row, f'{way}_fraction'):.0f} %",
            }
            for row in bills.itertuples()
            for way in WAYS
            if np.isfinite(getattr(row, f"{way}_fraction"))
        ]
    )
    y = alt.Y("workload:N", sort=list(bills["workload"]), title=None).axis(labelFontSize=13)
    x = alt.X("left:Q", title="Left of the list bill (%)", scale=alt.Scale(domain=[0, 105]))
    color = alt.Color("way:N", scale=cast(WAYS), legend=alt.Legend(columns=3, title=None))
    offset = alt.YOffset("way:N", sort=list(WAYS))
    bars = alt.Chart(rows).mark_bar(height=9).encode(x, y, offset, color)
    words = (
        alt.Chart(rows)
        .mark_text(align="left", dx=4, fontSize=11)
        .encode(x, y, offset, color, text="text:N")
    )
    return titled(
        alt.layer(bars, words, reference(5, "“95 % off”", axis="x")),
        title=title,
        subtitle=subtitle,
        description="Bars of the share of the list bill that a cache, a batch and both leave. "
        + " ".join(f"{r.workload}, {r.way}: {r.text}." for r in rows.itertuples()),
        height=300,
    )


def length_lines(
    bills: pd.DataFrame, edges: Mapping[str, tuple[float, float]], *, title: str, subtitle: str
) -> Any:
    """Bill of a request by the length of its prompt; tinted: prompts that no one should send.

    `bills` has name, tokens (thousands) and usd; `edges` the tinted band of each name.
    """
    hues = dict(zip(dict.fromkeys(bills["name"]), ("blue", "ochre", "magenta"), strict=False))
    color = alt.Color("name:N", scale=cast(hues), legend=None)
    x = alt.X("tokens:Q", title="Prompt (thousand tokens)", scale=alt.Scale(nice=False))
    most = float(bills["usd"].max())
    y = alt.Y("usd:Q", title="USD per request", axis=alt.Axis(format="$.2f"))
    layers = [
        alt.Chart(bills).mark_line().encode(x, y, color),
        end_labels(
            bills.assign(text=bills["usd"].map(usd)),
            x="tokens",
            y="usd",
            name="name",
            text="text",
            color=color,
            low=0,
            high=most,
            log=False,
        ),
    ]
    for name, (low, high) in edges.items():
        tinted = bills[(bills["name"] == name) & bills["tokens"].between(low, high)]
        layers.insert(
            0,
            band(
                tinted.assign(zero=0.0), x="tokens", low="zero", high="usd", token=hues[str(name)]
            ),
        )
    return titled(
        alt.layer(*layers),
        title=title,
        subtitle=subtitle,
        description="Lines of the bill of a request by the length of its prompt, which jump at "
        "the edge of a tier. "
        + " ".join(
            f"{name}: from {low:,.0f} to {high:,.0f} thousand tokens cutting back is cheaper."
            for name, (low, high) in edges.items()
        ),
    )


def contract_lines(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """What is paid by what is used, under contracts; `rows` has contract, used, paid (millions)."""
    names = list(dict.fromkeys(rows["contract"]))
    color = alt.Color(
        "contract:N", scale=cast(dict(zip(names, ("muted", "blue", "ochre"), strict=False)))
    ).legend(None)
    top, height = 1.1 * float(rows["paid"].max()), 300
    x = alt.X("used:Q", title="Used, at list (million USD)").scale(nice=False)
    y = alt.Y("paid:Q", title="Paid in the year (million USD)").scale(domain=[0, top], nice=False)
    lines = [  # the second lies on the first, then on the third: it is dashed, so that both show
        alt.Chart(rows[rows["contract"] == name])
        .mark_line(strokeCap="butt", strokeDash=[9, 9] if name == names[1] else [1, 0])
        .encode(x, y, color)
        for name in [*names[:1], *names[2:], *names[1:2]]
    ]
    labels = end_labels(
        rows.assign(text=rows["paid"].map("${:.1f} M".format)),
        x="used",
        y="paid",
        name="contract",
        text="text",
        color=color,
        low=0,
        high=top,
        height=height,
        log=False,
        gap=40,
    )
    return titled(
        alt.layer(*lines, labels),
        title=title,
        subtitle=subtitle,
        description="Lines of the yearly payment by use under each contract: flat up to the "
        "commitment, then rising.",
        height=height,
    )
