"""Charts of `pue`: busy against lean, power against hardware, batches, grids, hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import carbon, facility, utilisation
from costlib.charts.theme import end_labels, hue, line_colours, reference, rounded, titled, usd

__all__ = [
    "batch_lines",
    "busy_lines",
    "grid_bars",
    "hour_bars",
    "idle_lines",
    "share_lines",
]

LINES: Final = ("teal", "ink", "magenta")  # lean, yours, wasteful
BUSY, LEAN = "magenta", "teal"  # the busy site with a high PUE, the idle one with a low PUE


def busy_lines(
    pues: Mapping[str, float], *, busy_fraction: float, subtitle: str, **site: float
) -> Any:
    """Cost of a million tokens against utilisation; a line per PUE by its name."""
    across = np.arange(0.1, 1.001, 0.01)
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "busy": np.round(100 * across, 1),
                    "cost": rounded(
                        utilisation.site_usd_per_mtok(pue=pue, busy_fraction=across, **site)
                    ),
                    "name": name,
                }
            )
            for name, pue in pues.items()
        ],
        ignore_index=True,
    )
    rows["text"] = [usd(value) for value in rows["cost"]]
    low, high = 0.8 * rows["cost"].min(), 1.05 * rows["cost"].max()
    color = line_colours(list(pues), LINES)
    lines = (
        alt.Chart(rows[["busy", "cost", "name"]])
        .mark_line()
        .encode(
            alt.X("busy:Q", title="Utilisation (% of the full rate)")
            .scale(domain=[10, 100], nice=False)
            .axis(values=[10, 20, 40, 60, 80, 100]),
            alt.Y(
                "cost:Q",
                title="Cost (USD per million tokens, logarithmic)",
                scale=alt.Scale(type="log", domain=[low, high], nice=False),
            ).axis(format="$.2f", tickCount=6),
            color,
        )
    )
    labels = end_labels(
        rows, x="busy", y="cost", name="name", text="text", color=color, low=low, high=high
    )
    ends = [
        float(utilisation.site_usd_per_mtok(pue=pue, busy_fraction=busy_fraction, **site))
        for pue in (min(pues.values()), max(pues.values()))
    ]
    apart = 100 * (ends[1] / ends[0] - 1)
    half = float(
        utilisation.site_usd_per_mtok(
            pue=max(pues.values()), busy_fraction=busy_fraction / 2, **site
        )
    )
    return titled(
        alt.layer(lines, labels, reference(100 * busy_fraction, "here", axis="x")),
        title=f"PUE {max(pues.values()):g} instead of {min(pues.values()):g} adds {apart:.0f} %; "
        f"half the utilisation then adds {100 * (half / ends[1] - 1):.0f} %",
        subtitle=subtitle,
        description="Line chart of the cost of a million tokens against utilisation. At "
        f"{100 * busy_fraction:.0f} percent it is {usd(ends[0])} at the lowest PUE and "
        f"{usd(ends[1])} at the highest; at half of that {usd(half)}.",
    )


def idle_lines(sites: Mapping[str, tuple[float, float]], *, subtitle: str) -> Any:
    """Energy of a piece of work against idle draw, of a busy and of a lean site (PUE, busy)."""
    across = np.arange(0, 1.001, 0.01)
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "idle": np.round(100 * across, 1),
                    "times": rounded(
                        utilisation.work_energy_times(
                            busy_fraction=busy, idle_fraction=across, pue=pue
                        )
                    ),
                    "name": name,
                }
            )
            for name, (pue, busy) in sites.items()
        ],
        ignore_index=True,
    )
    rows["text"] = [f"× {value:.2f}" for value in rows["times"]]
    high = 1.1 * rows["times"].max()
    color = line_colours(list(sites), (BUSY, LEAN))
    lines = (
        alt.Chart(rows[["idle", "times", "name"]])
        .mark_line()
        .encode(
            alt.X("idle:Q", title="Power drawn when idle (% of full power)")
            .scale(domain=[0, 100])
            .axis(values=[0, 20, 40, 60, 80, 100]),
            alt.Y("times:Q", title="Energy of the work (×, full at PUE 1 is 1)")
            .scale(domain=[0, high], nice=False)
            .axis(tickCount=5),
            color,
        )
    )
    labels = end_labels(
        rows,
        x="idle",
        y="times",
        name="name",
        text="text",
        color=color,
        low=0,
        high=high,
        log=False,
    )
    (one, first), (two, other) = sites.values()
    even = float(
        utilisation.even_idle_fraction(
            pue=one, busy_fraction=first, other_pue=two, other_busy_fraction=other
        )
    )
    flip = np.isfinite(even)
    title = (
        f"The busy site saves energy only where idling takes over {100 * even:.0f} % of full power"
        if flip
        else "One of the two sites saves energy whatever idling takes"
    )
    rule = [reference(100 * even, f"{100 * even:.0f} %", axis="x")] if flip else []
    return titled(
        alt.layer(lines, labels, *rule),
        title=title,
        subtitle=subtitle,
        description="Line chart of the energy of a piece of work against idle draw, for two sites. "
        + (f"The lines cross at {100 * even:.1f} percent." if flip else "They do not cross."),
        height=320,
    )


def share_lines(
    machines: Mapping[str, tuple[float, float]],
    *,
    pue: float,
    period_h: float,
    electricity_usd_per_kwh: float,
    subtitle: str,
) -> Any:
    """Energy over hardware against the price of electricity; a line per machine (USD, W)."""
    across = np.linspace(0, 1.2, 61)
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "price": np.round(100 * across, 2),
                    "share": rounded(
                        100
                        * facility.energy_usd(
                            power_w=power,
                            period_h=period_h,
                            electricity_usd_per_kwh=across,
                            pue=pue,
                        )
                        / cost
                    ),
                    "name": name,
                }
            )
            for name, (cost, power) in machines.items()
        ],
        ignore_index=True,
    )
    rows["text"] = [f"{value:.0f} %" for value in rows["share"]]
    high = 1.05 * max(110.0, rows["share"].max())
    color = line_colours(list(machines), ("blue", "ink", "violet"))
    lines = (
        alt.Chart(rows[["price", "share", "name"]])
        .mark_line()
        .encode(
            alt.X("price:Q", title="Price of electricity (US cents per kWh)").scale(
                domain=[0, 120], nice=False
            ),
            alt.Y("share:Q", title="Energy over hardware (%)")
            .scale(domain=[0, high], nice=False)
            .axis(tickCount=6),
            color,
        )
    )
    labels = end_labels(
        rows,
        x="price",
        y="share",
        name="name",
        text="text",
        color=color,
        low=0,
        high=high,
        log=False,
    )
    here = {
        name: 100
        * float(
            facility.energy_usd(
                power_w=power,
                period_h=period_h,
                electricity_usd_per_kwh=electricity_usd_per_kwh,
                pue=pue,
            )
        )
        / cost
        for name, (cost, power) in machines.items()
    }
    least, most = min(here.values()), max(here.values())
    clear = pd.DataFrame(  # between the rule of the price and the lines
        {
            "price": [min(100 * electricity_usd_per_kwh, 40.0)],
            "share": [100.0],
            "words": [["as much as", "the hardware"]],
        }
    )
    same = (
        alt.Chart(clear)
        .mark_text(align="left", dx=5, dy=-22, lineHeight=14, fontSize=12, color=hue("muted"))
        .encode(alt.X("price:Q"), alt.Y("share:Q"), text="words:N")
    )
    return titled(
        alt.layer(
            lines,
            labels,
            reference(100, ""),
            same,
            reference(100 * electricity_usd_per_kwh, "here", axis="x"),
        ),
        title=f"In 36 months power and cooling cost {least:.0f} to {most:.0f} % of the hardware"
        if round(period_h / 730) == 36
        else f"Power and cooling cost {least:.0f} to {most:.0f} % of the hardware",
        subtitle=subtitle,
        description="Line chart of energy over hardware against the price of electricity. "
        + " ".join(f"{value:.1f} percent, {name}." for name, value in here.items()),
        height=320,
    )


def batch_lines(rows: pd.DataFrame, *, subtitle: str) -> Any:
    """Measured energy of an output token at a small and a large batch: name, batch, joules."""
    shown = rows[["name", "batch", "joules"]]
    names = list(dict.fromkeys(shown["name"]))
    shown = shown.assign(text=[f"{value:.2g} J" for value in shown["joules"]])
    low, high = 0.1, 15.0
    color = line_colours(names, ("ink", "blue", "brown"))
    base = alt.Chart(shown[["name", "batch", "joules"]]).encode(
        alt.X(
            "batch:Q",
            title="Batch (requests, logarithmic)",
            scale=alt.Scale(type="log", domain=[6, 4_000], nice=False),
        ).axis(values=[8, 32, 128, 512, 2048]),
        alt.Y(
            "joules:Q",
            title="Energy (J per output token, logarithmic)",
            scale=alt.Scale(type="log", domain=[low, high], nice=False),
        ).axis(values=[0.1, 0.3, 1, 3, 10]),
        color,
    )
    labels = end_labels(
        shown, x="batch", y="joules", name="name", text="text", color=color, low=low, high=high
    )
    drops = [
        float(part["joules"].max() / part["joules"].min()) for _, part in shown.groupby("name")
    ]
    return titled(
        alt.layer(base.mark_line(), base.mark_point(size=60, filled=True), labels),
        title=f"A full batch makes a token for a {min(drops):.0f}th to a {max(drops):.0f}th "
        "of the energy",
        subtitle=subtitle,
        description="Line chart of measured energy per output token against the batch. "
        + " ".join(
            f"{row.name}: {row.joules:g} J at {row.batch:g}."
            for row in shown.itertuples(index=False)
        ),
    )


def grid_bars(places: pd.DataFrame, *, token_j: float, pue: float, subtitle: str) -> Any:
    """Emissions of a million tokens by place: words and value (g/kWh)."""
    rows = places.assign(
        grams=rounded(
            1e3
            * carbon.token_kg_per_mtok(
                token_j=token_j, pue=pue, grid_g_per_kwh=places["value"].to_numpy()
            )
        )
    ).sort_values("grams")[["words", "grams"]]
    rows["text"] = [f"{value:.2g} g" if value < 100 else f"{value:.0f} g" for value in rows.grams]
    most = float(rows["grams"].max())
    bars = alt.Chart(rows).encode(
        alt.Y("words:N", sort=None, title=None).axis(labelLimit=170),
        alt.X("grams:Q", title="CO₂ equivalents (g per million output tokens)").scale(
            domain=[0, 1.2 * most], nice=False
        ),
    )
    times = most / float(rows["grams"].min())
    return titled(
        alt.layer(
            bars.mark_bar(color=hue("brown"), opacity=0.85),
            bars.mark_text(align="left", dx=4, color=hue("ink")).encode(text="text:N"),
        ),
        title=f"The same tokens emit {times:.0f} times as much on the dirtiest grid shown",
        subtitle=subtitle,
        description="Bar chart of emissions of a million tokens by place. "
        + " ".join(f"{row.words}: {row.grams:.3g} g." for row in rows.itertuples(index=False)),
        height=24 * len(rows),
    )


def hour_bars(
    grid: Sequence[float],
    load: Sequence[float],
    *,
    saved_fraction: float,
    words: str,
    subtitle: str,
) -> Any:
    """Load of each hour after shifting as bars, the grid's intensity as a line, hours in UTC."""
    grams, run = np.asarray(grid, dtype=float), np.asarray(load, dtype=float)
    saved = 100 * saved_fraction
    rows = pd.DataFrame(
        {
            "hour": np.arange(run.size),
            "grams": rounded(grams),
            "load": rounded(100 * run / run.mean()),
        }
    )
    x = alt.X("hour:O", title="Hour of the day (UTC)").axis(
        labelAngle=0, values=list(range(0, 24, 4))
    )
    high = 1.15 * max(float(rows["grams"].max()), 1.0)
    line = (
        alt.Chart(rows)
        .mark_line(color=hue("brown"), strokeWidth=2.5)
        .encode(
            x,
            alt.Y("grams:Q", title="Line: g per kWh")
            .scale(domain=[0, high], nice=False)
            .axis(titleColor=hue("brown")),
        )
    )
    bars = (
        alt.Chart(rows)
        .mark_bar(color=hue("teal"), opacity=0.55)
        .encode(
            x,
            alt.Y("load:Q", title="Bars: load (%)")
            .scale(domain=[0, 1.15 * float(rows["load"].max())], nice=False)
            .axis(titleColor=hue("teal"), orient="right"),
        )
    )
    return titled(
        alt.layer(bars, line).resolve_scale(y="independent"),
        title=f"Moving the work that can wait saves {saved:.1f} % of the carbon in {words}",
        subtitle=subtitle,
        description="Bars of the load of each hour after shifting, and a line of the grid's carbon "
        f"intensity from {grams.min():.0f} to {grams.max():.0f} g per kWh. "
        f"It saves {saved:.1f} percent.",
        height=320,
    )
