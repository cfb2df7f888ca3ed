"""Charts of `demand`: the bill of a cheaper token, unequal users, caps, and years to come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import demand, tariffs, usage
from costlib.charts.theme import end_labels, hue, line_colours, reference, rounded, titled, usd

__all__ = [
    "margin_lines",
    "scenario_lines",
    "shift_lines",
    "spend_lines",
    "top_lines",
    "user_bars",
]

LINES: Final = ("ink", "blue", "teal", "violet", "brown")
GAIN, LOSS = "blue", "magenta"  # users who pay more, and less, than they cost
BINS_PER_DECADE: Final = 8


def _clear(chart: Any, x: Any, y: Any, text: str, color: Any, *, dx: int, dy: int) -> Any:
    """Words that no line runs through: the page shows around the letters."""
    drawn = {"align": "left", "dx": dx, "dy": dy, "fontWeight": 600}
    behind = chart.mark_text(**drawn, color=hue("page"), stroke=hue("page"), strokeWidth=4)
    front = chart.mark_text(**drawn)
    return behind.encode(x=x, y=y, text=text) + front.encode(x=x, y=y, text=text, color=color)


# --- prices ----------------------------------------------------------------------------------


def spend_lines(elasticities: Mapping[str, float], *, price_times: float, subtitle: str) -> Any:
    """The bill over that before, against the price cut; a line per elasticity by its name."""
    cut = 100 * (1 - price_times)
    cuts = np.round(np.linspace(0, cut, 181), 3)
    low, high = 0.05, 6.0
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "cut": cuts,
                    "spend": rounded(demand.spend_times(1 - cuts / 100, elasticity=value)),
                    "name": name,
                }
            )
            for name, value in elasticities.items()
        ],
        ignore_index=True,
    )
    rows["text"] = [f"× {value:.2g}" for value in rows["spend"]]
    color = line_colours(list(elasticities), LINES)
    lines = (
        alt.Chart(rows[["cut", "spend", "name"]])
        .mark_line(clip=True)
        .encode(
            alt.X("cut:Q", title="Price cut (%)")
            .scale(domain=[0, max(cut, 1)], nice=False)
            .axis(values=[tick for tick in (0, 20, 40, 60, 80, 90) if tick <= cut]),
            alt.Y(
                "spend:Q",
                title="Bill, over that before (logarithmic)",
                scale=alt.Scale(type="log", domain=[low, high], nice=False),
            ).axis(values=[0.05, 0.1, 0.2, 0.5, 1, 2, 5], labelExpr="'× ' + datum.value"),
            color,
        )
    )
    labels = end_labels(
        rows, x="cut", y="spend", name="name", text="text", color=color, low=low, high=high
    )
    here = {
        name: float(demand.spend_times(price_times, elasticity=value))
        for name, value in elasticities.items()
    }
    least, most = min(here.values()), max(here.values())
    return titled(
        lines + labels,
        title=f"After a cut of {cut:.0f} % the bill is {least:.2g} to {most:.2g} times the old one",
        subtitle=subtitle,
        description=f"Line chart of the bill against the price cut. At {cut:.0f} percent: "
        + " ".join(f"{value:.3g} times, {name}." for name, value in here.items()),
        height=340,
    )


def shift_lines(
    spends: Sequence[float], *, price_times: float, elasticity: float, subtitle: str
) -> Any:
    """Growth that the price did not cause, against the elasticity; a line per bill observed."""
    across = np.arange(0, 2.01, 0.02)
    low, high = 0.5, 40.0
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "elasticity": np.round(across, 2),
                    "shift": rounded(
                        demand.shift_times(
                            price_times=price_times, spend_times=spend, elasticity=across
                        )
                    ),
                    "name": f"the bill × {spend:g}",
                }
            )
            for spend in spends
        ],
        ignore_index=True,
    )
    rows["text"] = [f"× {value:.2g}" for value in rows["shift"]]
    names = list(dict.fromkeys(rows["name"]))
    color = line_colours(names, LINES)
    seen = rows[(rows["shift"] >= low) & (rows["shift"] <= high)]
    lines = (
        alt.Chart(seen[["elasticity", "shift", "name"]])
        .mark_line(clip=True)
        .encode(
            alt.X("elasticity:Q", title="Elasticity")
            .scale(domain=[0, 2])
            .axis(values=[0, 0.5, 1, 1.5, 2]),
            alt.Y(
                "shift:Q",
                title="Demand that came on its own (logarithmic)",
                scale=alt.Scale(type="log", domain=[low, high], nice=False),
            ).axis(values=[0.5, 1, 2, 5, 10, 20, 40], labelExpr="'× ' + datum.value"),
            color,
        )
    )
    first = seen.groupby("name", sort=False).head(1).copy()
    most = spends[-1]  # the uppermost line has room for all words, those below it for few
    first["text"] = [
        name if name == f"the bill × {most:g}" else name.removeprefix("the bill ")
        for name in first["name"]
    ]
    labels = _clear(
        alt.Chart(first[["elasticity", "shift", "name", "text"]]),
        "elasticity:Q",
        "shift:Q",
        "text:N",
        color,
        dx=10,
        dy=-10,
    )
    here = {
        spend: float(
            demand.shift_times(price_times=price_times, spend_times=spend, elasticity=elasticity)
        )
        for spend in spends
    }
    middle = spends[len(spends) // 2]
    apparent = float(
        demand.apparent_elasticity(price_times=price_times, volume_times=middle / price_times)
    )
    return titled(
        lines + labels + reference(1, "the price alone"),
        title=f"Prices {100 * (1 - price_times):.0f} % lower, bill × {middle:g}: the price "
        f"alone explains it at {apparent:.2f}",
        subtitle=subtitle,
        description="Line chart of the growth of demand that the price did not cause, against "
        f"the elasticity. At {elasticity:g}: "
        + " ".join(f"{value:.2f} times where the bill is {s:g} times." for s, value in here.items())
        + f" The line of {middle:g} times crosses 1 at an elasticity of {apparent:.2f}.",
        height=320,
    )


# --- users -----------------------------------------------------------------------------------


def user_bars(*, price_usd: float, mean_usd: float, sigma: float, subtitle: str) -> Any:
    """Users by what they cost, those at a loss apart, and the cost that each bar holds."""
    step = 1 / BINS_PER_DECADE
    centre = np.log10(mean_usd) - sigma**2 / 2 / np.log(10)
    wide = 3.4 * sigma / np.log(10)
    first = np.floor((centre - wide) / step) * step
    edge = np.log10(price_usd)
    logs = np.arange(first, max(centre + wide, edge) + sigma + step, step)
    logs = np.unique(np.round(np.append(logs, edge), 6))  # no bar is half at a loss
    ends = 10**logs
    above = np.asarray(
        tariffs.staying_fraction(price_usd=ends, mean_usd=mean_usd, sigma=sigma, value_times=1)
    )
    held = np.asarray(usage.top_share(above, sigma=sigma))
    width = np.diff(logs) / step  # the two bars at the price are narrower: show their density
    rows = pd.DataFrame(
        {
            "low": rounded(ends[:-1]),
            "high": rounded(ends[1:]),
            "middle": rounded(np.sqrt(ends[:-1] * ends[1:])),
            "users": np.round(-100 * np.diff(above) / width, 3),
            "cost": np.round(-100 * np.diff(held) / width, 3),
            "kind": np.where(ends[:-1] >= price_usd * (1 - 1e-6), "loss", "gain"),
        }
    )
    rows = rows[(rows["users"] > 0.03) | (rows["cost"] > 0.1)]
    top = float(rows[["users", "cost"]].to_numpy().max())
    lost = float(tariffs.loss_fraction(price_usd=price_usd, mean_usd=mean_usd, sigma=sigma))
    theirs = float(usage.top_share(lost, sigma=sigma))
    domain = [float(rows["low"].min()), float(rows["high"].max())]
    ticks = [10.0**power for power in range(-4, 6) if domain[0] <= 10.0**power <= domain[1]]
    x = alt.X(
        "low:Q",
        title="What a user costs in a month (USD, logarithmic)",
        scale=alt.Scale(type="log", domain=domain, nice=False),
    ).axis(values=ticks, format="$,~g")
    bars = (
        alt.Chart(rows[["low", "high", "users", "kind"]])
        .mark_bar(opacity=0.85, stroke=hue("page"), strokeWidth=0.5)
        .encode(
            x,
            alt.X2("high"),
            alt.Y("users:Q", title="Of all users, and of all cost (% per bar)", stack=None).scale(
                domain=[0, 1.15 * top], nice=False
            ),
            alt.Color(
                "kind:N",
                scale=alt.Scale(domain=["gain", "loss"], range=[hue(GAIN), hue(LOSS)]),
                legend=None,
            ),
            y2=alt.datum(0),
        )
    )
    line = (
        alt.Chart(rows[["middle", "cost"]])
        .mark_line(color=hue("ink"), strokeWidth=2)
        .encode(alt.X("middle:Q"), alt.Y("cost:Q"))
    )
    labels = alt.layer(
        *(
            alt.Chart(rows.nlargest(1, field)[[at, field]].assign(text=field))
            .mark_text(align="left", dx=dx, dy=-4, fontWeight=600, color=hue(token))
            .encode(x=f"{at}:Q", y=f"{field}:Q", text="text:N")
            for field, at, dx, token in (
                ("cost", "middle", 40, "ink"),
                ("users", "low", -50, GAIN),
            )
        )
    )
    return titled(
        bars + line + labels + reference(price_usd, f"{usd(price_usd)} a seat", axis="x"),
        title=f"{100 * lost:.1f} % of the users cost more than they pay: they make "
        f"{100 * theirs:.0f} % of all cost",
        subtitle=subtitle,
        description=f"Bar chart of users by monthly cost, with the share of all cost as a line. "
        f"Mean {mean_usd:g} dollars, sigma {sigma:g}. Above the price of {price_usd:g} dollars lie "
        f"{100 * lost:.2f} percent of the users with {100 * theirs:.1f} percent of the cost.",
        height=340,
    )


def top_lines(sigmas: Sequence[float], points: pd.DataFrame, *, subtitle: str) -> Any:
    """Share of all use that the heaviest have; `points`: published top_fraction, value, words."""
    tops = np.unique(np.round(np.geomspace(0.001, 1, 61), 5))
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "top": rounded(100 * tops),
                    "share": np.round(100 * np.asarray(usage.top_share(tops, sigma=sigma)), 2),
                    "name": f"sigma {sigma:g}",
                }
            )
            for sigma in sigmas
        ],
        ignore_index=True,
    )
    names = list(dict.fromkeys(rows["name"]))
    color = line_colours(names, LINES)
    x = alt.X(
        "top:Q",
        title="Heaviest users (% of all, logarithmic)",
        scale=alt.Scale(type="log", domain=[0.1, 100], nice=False),
    ).axis(values=[0.1, 1, 10, 100], format="~g")
    y = alt.Y("share:Q", title="What they use (% of all use)").scale(domain=[0, 100])
    lines = alt.Chart(rows).mark_line().encode(x, y, color)
    at = rows[rows["top"] == rows["top"].iloc[int(np.argmin(np.abs(tops - 0.007)))]]
    most = f"sigma {max(sigmas):g}"  # above the uppermost line is room for the word
    at = at.assign(text=[n if n == most else n.removeprefix("sigma ") for n in at["name"]])
    labels = (
        alt.Chart(at)
        .mark_text(align="right", dx=-6, dy=-10, fontWeight=600)
        .encode(x, y, text="text:N", color=color)
    )
    shown = pd.DataFrame(
        {
            "top": rounded(100 * points["top_fraction"]),
            "share": np.round(100 * points["value"], 1),
            "text": points["words"],
        }
    )
    marks = [  # beside a point no name has room: they stand where no line is
        part
        for place, (words, who) in enumerate(shown.groupby("text", sort=False))
        for part in (
            alt.Chart(who)
            .mark_point(
                shape="diamond",
                size=80,
                filled=not place,
                strokeWidth=1.75,
                color=hue("magenta"),
                opacity=1,
            )
            .encode(x, y, detail="text:N"),
            alt.Chart(pd.DataFrame([{"words": f"{'◇' if place else '◆'}\u00a0{words}"}]))
            .mark_text(align="right", fontWeight=600, color=hue("magenta"))
            .encode(x=alt.datum(100), y=alt.datum(6 + 7 * place), text="words:N"),
        )
    ]
    one = {sigma: float(usage.top_share(0.01, sigma=sigma)) for sigma in sigmas}
    return titled(
        alt.layer(lines, labels, *marks),
        title=f"The top 1 % use {100 * min(one.values()):.0f} to "
        f"{100 * max(one.values()):.0f} % of everything",
        subtitle=subtitle,
        description="Line chart of the share of all use that the heaviest users have. Of the top 1 "
        "percent: "
        + " ".join(f"{100 * value:.1f} percent with sigma {s:g}." for s, value in one.items()),
        height=320,
    )


# --- plans -----------------------------------------------------------------------------------


def margin_lines(
    plans: Mapping[str, tuple[float, float]],
    *,
    price_usd: float,
    mean_usd: float,
    sigma: float,
    subtitle: str,
) -> Any:
    """Gross margin against the cap; `plans` by name: overage price over cost, share bought."""
    caps = np.round(np.geomspace(0.25, 10, 81), 4)
    base = {"price_usd": price_usd, "mean_usd": mean_usd, "sigma": sigma}
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "cap": caps,
                    "margin": np.round(
                        100
                        * np.asarray(
                            tariffs.plan_margin_fraction(
                                **base,
                                cap_usd=caps * price_usd,
                                overage_times=times,
                                bought_fraction=bought,
                            )
                        ),
                        2,
                    ),
                    "name": name,
                }
            )
            for name, (times, bought) in plans.items()
        ],
        ignore_index=True,
    )
    rows["text"] = [f"{value:.0f} %" for value in rows["margin"]]
    names = list(plans)
    color = line_colours(names, LINES)
    flat = 100 * float(tariffs.plan_margin_fraction(**base))
    low = float(min(rows["margin"].min(), flat)) - 5
    lines = (
        alt.Chart(rows[["cap", "margin", "name"]])
        .mark_line()
        .encode(
            alt.X(
                "cap:Q",
                title="Cap, over the price of the seat (logarithmic)",
                scale=alt.Scale(type="log", domain=[0.25, 10], nice=False),
            ).axis(values=[0.25, 1, 2, 5, 10], labelExpr="'× ' + datum.value"),
            alt.Y("margin:Q", title="Gross margin (%)").scale(domain=[low, 100], nice=False),
            color,
        )
    )
    # The lines fan out and meet again: their names stand beside them, in their order.
    order = rows[rows["cap"] == caps[0]].sort_values("margin", ascending=False)
    labels = [
        alt.Chart(pd.DataFrame([{"name": name}]))
        .mark_text(align="right", fontWeight=600)
        .encode(x=alt.datum(10), y=alt.value(12 + 19 * place), text="name:N", color=color)
        for place, name in enumerate(order["name"])
    ]
    at_price = {
        name: 100
        * float(
            tariffs.plan_margin_fraction(
                **base, cap_usd=price_usd, overage_times=times, bought_fraction=bought
            )
        )
        for name, (times, bought) in plans.items()
    }
    best = max(at_price, key=at_price.__getitem__)
    return titled(
        alt.layer(lines, *labels, reference(flat, f"no cap: {flat:.0f} %")),
        title=f"A cap at the price lifts the margin from {flat:.0f} to {at_price[best]:.0f} %",
        subtitle=subtitle,
        description=f"Line chart of the gross margin against the cap. Without a cap {flat:.1f} "
        "percent. With a cap at the price: "
        + " ".join(f"{value:.1f} percent, {name}." for name, value in at_price.items()),
        height=320,
    )


# --- years -----------------------------------------------------------------------------------


def scenario_lines(
    volumes: Mapping[str, float], *, price_times: float, first_year: int, years: int, subtitle: str
) -> Any:
    """The bill by year when the price falls and the volume grows, each at an even rate."""
    at = np.arange(years + 1)
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "year": first_year + at,
                    "bill": rounded((price_times * volume) ** (at / years)),
                    "name": name,
                }
            )
            for name, volume in volumes.items()
        ],
        ignore_index=True,
    )
    rows["text"] = [f"× {value:.2g}" for value in rows["bill"]]
    names = list(volumes)
    color = line_colours(names, LINES)
    low, high = 0.08, 5.0
    lines = (
        alt.Chart(rows[["year", "bill", "name"]])
        .mark_line(point=alt.OverlayMarkDef(size=40))
        .encode(
            alt.X("year:Q", title="Year")
            .scale(domain=[first_year, first_year + years])
            .axis(values=[int(first_year + year) for year in at[1::2]], format="d"),
            alt.Y(
                "bill:Q",
                title=f"Bill, over that of {first_year} (logarithmic)",
                scale=alt.Scale(type="log", domain=[low, high], nice=False),
            ).axis(values=[0.1, 0.2, 0.5, 1, 2, 5], labelExpr="'× ' + datum.value"),
            color,
        )
    )
    labels = end_labels(
        rows, x="year", y="bill", name="name", text="text", color=color, low=low, high=high
    )
    ends = {name: price_times * volume for name, volume in volumes.items()}
    return titled(
        lines + labels + reference(1, ""),
        title=f"At {100 * (1 - price_times):.0f} % off, the bill falls until volume grows "
        f"{1 / price_times:.0f} times",
        subtitle=subtitle,
        description=f"Line chart of the bill by year to {first_year + years}. At the end: "
        + " ".join(f"{value:.2g} times, {name}." for name, value in ends.items()),
        height=300,
    )
