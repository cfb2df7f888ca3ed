"""Charts of `availability`: spares, the next nine, usable answers, and what leaves the building."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import availability, egress, outages, units
from costlib.charts.theme import band, cast, end_labels, hue, reference, rounded, short, titled, usd

__all__ = [
    "bill_lines",
    "fleet_lines",
    "room_lines",
    "spare_lines",
    "usable_lines",
    "wire_lines",
]

N_SPARES: Final = 6
HUES: Final = ("ink", "teal", "violet", "brown")
CLOUDS: Final[Mapping[str, str]] = {
    "AWS": "ochre",
    "Azure": "blue",
    "Google": "green",
    "flat $0.09": "ink",
}
HOURS: Final = (1e-4, 1e3)  # down in a year, on the axis
LOST: Final = (0.1, 1e4)  # of full worth


def _hours(value: float) -> str:
    """Time in words: hours, minutes where it is less than one, and seconds."""
    if value < 1 / 60:
        return f"{units.SECONDS_PER_HOUR * value:.2g} s"
    if value < 1:
        return f"{60 * value:.2g} min"
    return f"{value:.3g} h" if value < 100 else f"{value:,.0f} h"


def _color(names: list[str]) -> alt.Color:
    shades = dict(zip(names, HUES, strict=False))
    return alt.Color("name:N", scale=cast(shades), legend=None)


def _hours_axis(title: str, ends: tuple[float, float]) -> alt.Y:
    return alt.Y(
        "hours:Q", title=title, scale=alt.Scale(type="log", domain=list(ends), nice=False)
    ).axis(values=[10.0**n for n in range(-4, 5)], format=",~g")


def spare_lines(
    common: Mapping[str, float],
    *,
    availability_fraction: float,
    n_needed: float,
    target_fraction: float,
    title: str,
    subtitle: str,
) -> Any:
    """Hours down in a year over spare replicas, a line for each share that replicas share."""
    spares = np.arange(N_SPARES + 1)
    parts = []
    for name, share in common.items():
        up = availability.pool_fraction(
            availability_fraction,
            n_replicas=n_needed + spares,
            n_needed=n_needed,
            common_fraction=share,
        )
        hours = availability.down_h(up, period_h=units.HOURS_PER_YEAR)
        parts.append(pd.DataFrame({"spares": spares, "hours": rounded(hours), "name": name}))
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[(rows["hours"] >= 10 * HOURS[0]) & (rows["hours"] <= HOURS[1])]  # room for a label
    color = _color(list(common))
    x = alt.X("spares:Q", title="Spare replicas", scale=alt.Scale(domain=[0, N_SPARES])).axis(
        values=list(range(N_SPARES + 1)), format="d"
    )
    y = _hours_axis("Down (hours a year, logarithmic)", HOURS)
    last = rows.sort_values("spares").groupby("name", sort=False).tail(1)
    last = last.assign(text=[_hours(value) for value in last["hours"]])
    labels = end_labels(
        last,
        x="spares",
        y="hours",
        name="name",
        text="text",
        color=color,
        low=HOURS[0],
        high=HOURS[1],
    )
    allowed = float(availability.down_h(target_fraction, period_h=units.HOURS_PER_YEAR))
    nines = float(availability.nines(target_fraction))
    base = alt.Chart(rows).encode(x, y, color)
    words = pd.DataFrame(
        {"hours": [round(allowed, 4)], "words": [[f"{nines:.3g} nines:", _hours(allowed)]]}
    )
    label = (
        alt.Chart(words)  # under the rule: the lines come down at its right
        .mark_text(align="left", baseline="top", dx=4, dy=4, lineHeight=14, color=hue("muted"))
        .encode(x=alt.value(0), y="hours:Q", text="words:N")
    )
    return titled(
        alt.layer(
            reference(round(allowed, 4), ""),
            label,
            base.mark_line(),
            base.mark_point(size=45, filled=True, opacity=1),
            labels,
        ),
        title=title,
        subtitle=subtitle,
        description="Lines of the hours down in a year over spare replicas. With the most drawn: "
        + ", ".join(f"{row.name} {row.text}" for row in last.itertuples(index=False))
        + ".",
    )


def fleet_lines(
    replica_times: Mapping[str, float],
    *,
    watching_usd: Mapping[str, float],
    fleet_usd: float,
    low_times: float,
    high_times: float,
    title: str,
    subtitle: str,
) -> Any:
    """Cost with a nine more over the cost without, by the size of the fleet; a claim as a band.

    `replica_times` and `watching_usd` give each way its machines, over those one has, and people.
    """
    fleets = np.logspace(4.5, 8, 141)
    parts = [
        pd.DataFrame(
            {
                "fleet": rounded(fleets),
                "times": rounded(
                    outages.nine_cost_times(
                        1,
                        n_more_replicas=grown,
                        replica_usd=fleets,
                        watching_usd=watching_usd[name],
                    )
                ),
                "name": name,
            }
        )
        for name, grown in replica_times.items()
        if np.isfinite(grown)
    ]
    rows = pd.concat(parts, ignore_index=True)
    high = 10.0
    shown = rows[rows["times"] <= high]
    color = _color(list(replica_times))
    x = alt.X(
        "fleet:Q",
        title="Fleet (USD a year, logarithmic)",
        scale=alt.Scale(type="log", domain=[10**4.5, 1e8], nice=False),
    ).axis(labelExpr=short("$"), values=[1e5, 1e6, 1e7])
    y = alt.Y(
        "times:Q",
        title="Cost with the nine (×, without it is 1)",
        scale=alt.Scale(domain=[0, high]),
    ).axis(values=[1, 2, 3, 5, 10])
    last = shown.groupby("name", sort=False).tail(1)
    last = last.assign(text=[f"× {value:.2f}" for value in last["times"]])
    labels = end_labels(
        last,
        x="fleet",
        y="times",
        name="name",
        text="text",
        color=color,
        low=0,
        high=high,
        log=False,
    )
    tint = pd.DataFrame({"fleet": [10**4.5, 1e8], "low": [low_times] * 2, "high": [high_times] * 2})
    middle = (low_times + high_times) / 2
    words = pd.DataFrame({"fleet": [1e8], "times": [middle], "words": ["the claim"]})
    claim = (
        alt.Chart(words)
        .mark_text(align="right", baseline="middle", dx=-4, color=hue("muted"))
        .encode(x, y, text="words:N")
    )
    return titled(
        alt.layer(
            band(tint, x="fleet", low="low", high="high", token="muted"),
            claim,
            reference(float(f"{fleet_usd:.4g}"), f"yours: {usd(fleet_usd)}", axis="x"),
            alt.Chart(shown).mark_line().encode(x, y, color),
            labels,
        ),
        title=title,
        subtitle=subtitle,
        description="Lines of the cost with one nine more over the cost without, falling as the "
        "fleet grows; the claim is a band. On the right: "
        + ", ".join(f"{row.name} {row.text}" for row in last.itertuples(index=False))
        + ".",
        height=320,
    )


def room_lines(
    lost: Mapping[str, float], *, load_fraction: float, n_held: float, title: str, subtitle: str
) -> Any:
    """Load that still leaves room for a failure, over the replicas; a line for each that fail."""
    most = 24
    held = np.arange(1, most + 1)
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "held": held,
                    "load": rounded(
                        100
                        * availability.safe_load_fraction(
                            load_fraction, n_replicas=held, n_lost=failed
                        )
                    ),
                    "name": name,
                }
            )
            for name, failed in lost.items()
        ],
        ignore_index=True,
    )
    color = _color(list(lost))
    x = alt.X("held:Q", title="Replicas", scale=alt.Scale(domain=[1, most], nice=False)).axis(
        values=[1, 5, 10, 15, 20], format="d"
    )
    y = alt.Y(
        "load:Q", title="Load of each before (%)", scale=alt.Scale(domain=[0, 100], nice=False)
    ).axis(values=[0, 20, 40, 60, 80, 100])
    last = rows.groupby("name", sort=False).tail(1)
    last = last.assign(text=[f"{value:.0f} %" for value in last["load"]])
    labels = end_labels(
        last,
        x="held",
        y="load",
        name="name",
        text="text",
        color=color,
        low=0,
        high=100,
        height=280,
        log=False,
    )
    base = alt.Chart(rows).encode(x, y, color)
    shown = [reference(n_held, "yours", axis="x")] if n_held <= most else []
    return titled(
        alt.layer(
            reference(round(100 * load_fraction, 2), f"promise: {100 * load_fraction:.0f}\u00a0%"),
            *shown,
            base.mark_line(),
            base.mark_point(size=25, filled=True, opacity=1),
            labels,
        ),
        title=title,
        subtitle=subtitle,
        description="Lines of the load that still leaves room for a failure, over the replicas. "
        f"With {most}: "
        + ", ".join(f"{row.name} {row.text}" for row in last.itertuples(index=False))
        + ".",
        height=280,
    )


def usable_lines(
    worths: Mapping[str, float],
    *,
    availability_fraction: float,
    late_fraction: float,
    fallback_fraction: float,
    title: str,
    subtitle: str,
) -> Any:
    """Hours of full worth lost in a year over the share that falls back, a line per worth."""
    shares = np.logspace(-4, np.log10(0.3), 120)
    parts = [
        pd.DataFrame(
            {
                "share": np.round(100 * shares, 4),
                "hours": rounded(
                    availability.down_h(
                        outages.usable_fraction(
                            availability_fraction,
                            late_fraction=late_fraction,
                            fallback_fraction=shares,
                            worth_fraction=worth,
                        ),
                        period_h=units.HOURS_PER_YEAR,
                    )
                ),
                "name": name,
            }
        )
        for name, worth in worths.items()
    ]
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[(rows["hours"] >= LOST[0]) & (rows["hours"] <= LOST[1])]
    color = _color(list(worths))
    x = alt.X(
        "share:Q",
        title="From the lesser model (% of answers)",
        scale=alt.Scale(type="log", domain=[0.01, 30], nice=False),
    ).axis(values=[0.01, 0.1, 1, 10], format="~g")
    y = _hours_axis("Lost (hours of full worth a year, logarithmic)", LOST)
    last = rows.groupby("name", sort=False).tail(1)
    last = last.assign(text=[_hours(value) for value in last["hours"]])
    labels = end_labels(
        last,
        x="share",
        y="hours",
        name="name",
        text="text",
        color=color,
        low=LOST[0],
        high=LOST[1],
    )
    promised = float(availability.down_h(availability_fraction, period_h=units.HOURS_PER_YEAR))
    return titled(
        alt.layer(
            reference(round(promised, 4), f"promised: {_hours(promised)}"),
            reference(round(100 * fallback_fraction, 2), "here", axis="x"),
            alt.Chart(rows).mark_line().encode(x, y, color),
            labels,
        ),
        title=title,
        subtitle=subtitle,
        description="Lines of the hours of full worth lost in a year over the share of answers "
        "that a lesser model gives. At 30 percent: "
        + ", ".join(f"{row.name} {row.text}" for row in last.itertuples(index=False))
        + ".",
        height=320,
    )


def wire_lines(
    prices: Mapping[str, float],
    sizes: Mapping[str, float],
    *,
    usd_per_gb: float,
    low_fraction: float,
    high_fraction: float,
    title: str,
    subtitle: str,
) -> Any:
    """Egress in the spend over the bytes of a token, a line per price; what is sent is marked."""
    across = np.logspace(0, 6, 181)
    parts = [
        pd.DataFrame(
            {
                "bytes": rounded(across),
                "share": rounded(
                    100
                    * egress.wire_fraction(across, usd_per_gb=usd_per_gb, output_usd_per_mtok=price)
                ),
                "name": name,
            }
        )
        for name, price in prices.items()
    ]
    rows = pd.concat(parts, ignore_index=True)
    low, high = 0.001, 100.0
    rows = rows[rows["share"] >= low]
    color = _color(list(prices))
    x = alt.X(
        "bytes:Q",
        title="Bytes for each output token",
        scale=alt.Scale(type="log", domain=[1, 1e6], nice=False),
    ).axis(format=",", values=[1, 10, 100, 1e3, 1e4, 1e5])
    y = alt.Y(
        "share:Q",
        title="Egress (% of the spend)",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
    ).axis(format="~g", values=[0.001, 0.01, 0.1, 1, 10, 100])
    last = rows.groupby("name", sort=False).tail(1)
    last = last.assign(text="a million")
    labels = end_labels(
        last, x="bytes", y="share", name="name", text="text", color=color, low=low, high=high
    )
    edges = [100 * low_fraction, 100 * high_fraction]
    tint = pd.DataFrame({"bytes": [1, 1e6], "low": [edges[0]] * 2, "high": [edges[1]] * 2})
    first = min(sizes.values())
    words = pd.DataFrame({"bytes": [first], "share": [edges[0]], "words": ["the claim"]})
    claim = (
        alt.Chart(words)
        .mark_text(align="left", baseline="bottom", dx=4, dy=-3, color=hue("muted"))
        .encode(x, y, text="words:N")
    )
    sent = (
        alt.Chart(pd.DataFrame({"bytes": list(sizes.values()), "words": list(sizes)}))
        .mark_text(align="left", baseline="bottom", dx=4, dy=-4, fontSize=12, color=hue("muted"))
        .encode(x, y=alt.value("height"), text="words:N")
    )
    return titled(
        alt.layer(
            band(tint, x="bytes", low="low", high="high", token="muted"),
            claim,
            *(reference(value, "", axis="x") for value in sizes.values()),
            sent,
            alt.Chart(rows).mark_line().encode(x, y, color),
            labels,
        ),
        title=title,
        subtitle=subtitle,
        description="Lines of the share of the spend that egress takes, over the bytes sent for "
        "each token, a line per price of tokens; the claim is a band. Marked: "
        + ", ".join(f"{name} {value:,.0f} bytes" for name, value in sizes.items())
        + ".",
    )


def bill_lines(
    bands: Mapping[str, Mapping[str, Any]], *, line_usd: float, title: str, subtitle: str
) -> Any:
    """Bill of a month over what leaves in it, by cloud, and a line at a flat price."""
    volumes = np.logspace(-1, 3, 161)  # TB
    parts = [
        pd.DataFrame(
            {
                "tb": rounded(volumes),
                "usd": rounded(egress.banded_usd(volumes * units.TB, **table)),
                "name": name,
            }
        )
        for name, table in bands.items()
    ]
    rows = pd.concat(parts, ignore_index=True)
    low, high = 10.0, 1e5
    rows = rows[(rows["usd"] >= low) & (rows["usd"] <= high)]
    color = alt.Color(
        "name:N", scale=cast({name: CLOUDS.get(name, "violet") for name in bands}), legend=None
    )
    x = alt.X(
        "tb:Q",
        title="Leaves in a month (TB, logarithmic)",
        scale=alt.Scale(type="log", domain=[0.1, 1000], nice=False),
    ).axis(format=",~g", values=[0.1, 1, 10, 100, 1000])
    y = alt.Y(
        "usd:Q",
        title="Bill (USD a month, logarithmic)",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
    ).axis(labelExpr=short("$"), values=[10, 100, 1e3, 1e4, 1e5])
    last = rows.groupby("name", sort=False).tail(1)
    last = last.assign(text=[usd(value) for value in last["usd"]])
    labels = end_labels(
        last,
        x="tb",
        y="usd",
        name="name",
        text="text",
        color=color,
        low=low,
        high=high,
        height=320,
    )
    beneath = alt.datum.name == next(iter(bands))
    return titled(
        alt.layer(
            reference(round(line_usd, 2), f"a line of one’s own: {usd(line_usd)}"),
            # The first lies beneath the others, and shows at their sides where they are as dear.
            alt.Chart(rows).transform_filter(beneath).mark_line(strokeWidth=7).encode(x, y, color),
            alt.Chart(rows).transform_filter(~beneath).mark_line().encode(x, y, color),
            labels,
        ),
        title=title,
        subtitle=subtitle,
        description="Lines of a month's bill for what leaves, by cloud: "
        + ", ".join(
            f"{row.name} {row.text} at {row.tb:g} TB" for row in last.itertuples(index=False)
        )
        + f"; a line at a flat {usd(line_usd)}.",
        height=320,
    )
