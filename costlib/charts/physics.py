"""Charts of part I, the physics of a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from costlib import catalog, units
from costlib.charts.theme import (
    ARCHITECTURE,
    band,
    cast,
    end_labels,
    hue,
    reference,
    titled,
    usd,
)

__all__ = [
    "architecture_cliff",
    "busy_share",
    "cheapest_map",
    "context_axis",
    "latent_roof",
    "ratio_swings",
    "roofline_cliff",
    "usd_axis",
]

KTOK = units.TOKENS_PER_KTOK
CONTEXT_TITLE = "Thousand tokens per user"
USD_TITLE = "USD per million output tokens"
COLUMN, CLEAR = 1.35, 0.7  # doublings of a map that a figure takes, and half a name


def _architectures() -> alt.Scale:
    """Each architecture in the colour that it has through the book."""
    found = catalog.architectures()
    hues = {name: ARCHITECTURE[architecture.colour] for name, architecture in found.items()}
    return cast(hues)


def _thousands(rows: pd.DataFrame) -> pd.Series[float]:
    return rows["context_tokens"] / KTOK


def _doublings(low: float, high: float) -> list[float]:
    return [float(2**k) for k in range(int(np.log2(low)), int(np.log2(high)) + 1)]


def _corners(rows: pd.DataFrame, line: str, values: Sequence[str]) -> pd.DataFrame:
    """What a step line needs: the points at which it moves, and both ends of each line."""
    before = rows.groupby(line, sort=False)[list(values)].shift()
    moves = (rows[list(values)] != before).any(axis=1)
    last = ~rows[line].duplicated(keep="last")
    return rows[moves | last]


def context_axis(low: float, high: float) -> alt.X:
    """Context in thousands of tokens, ticks at doublings."""
    scale = alt.Scale(type="log", base=2, domain=[low, high], nice=False)
    return alt.X("context_k:Q", title=CONTEXT_TITLE, scale=scale).axis(values=_doublings(low, high))


def usd_axis(low: float, high: float) -> alt.Y:
    """Cost of a million output tokens, ticks at decades."""
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    values = [float(f"1e{k}") for k in range(-3, 5) if low <= 10.0**k <= high]
    return alt.Y("usd:Q", title=USD_TITLE, scale=scale).axis(values=values, format="$~r")


def _decades(values: pd.Series[float], room: float = 1.6) -> tuple[float, float]:
    finite = values[np.isfinite(values) & (values > 0)]
    return float(finite.min() / room), float(finite.max() * room)


def architecture_cliff(costs: pd.DataFrame, *, user_tokens_per_s: float) -> Any:
    """Cost against context, one line per architecture, at one speed for everybody.

    `costs` comes from `architectures.decode_costs`; where nobody fits, points are left out.
    """
    shown = costs[np.isfinite(costs["flat_usd_per_mtok"])]
    left_out = len(costs) - len(shown)
    rows = pd.DataFrame(
        {
            "architecture": shown["architecture"],
            "context_k": _thousands(shown),
            "usd": shown["flat_usd_per_mtok"].round(4),
        }
    )
    rows["text"] = rows["usd"].map(usd)
    low, high = _decades(rows["usd"], 2.2)
    color = alt.Color("architecture:N", scale=_architectures(), legend=None)
    lines = (
        alt.Chart(_corners(rows.drop(columns="text"), "architecture", ["usd"]))
        .mark_line(interpolate="step-after")
        .encode(
            context_axis(rows["context_k"].min(), rows["context_k"].max()),
            usd_axis(low, high),
            color,
            strokeWidth=alt.condition(
                "datum.architecture == 'full attention'", alt.value(3.5), alt.value(2.25)
            ),
        )
    )
    names = end_labels(
        rows,
        x="context_k",
        y="usd",
        name="architecture",
        text="text",
        color=color,
        low=low,
        high=high,
        height=380,
        gap=34,
    )
    ends = rows.groupby("architecture", sort=False).agg(
        first=("usd", "first"), last=("usd", "last")
    )
    return titled(
        lines + names,
        title="A window or a state stays flat; a smaller cache starts lower and climbs as fast",
        subtitle=(
            f"Cost of output by context, {user_tokens_per_s:g}\u00a0tokens/s for each user that "
            "fits; both axes logarithmic"
        ),
        description="Line chart, both axes logarithmic. "
        + " ".join(
            f"{name}: {usd(end['first'])} at the left, {usd(end['last'])} at the right."
            for name, end in ends.iterrows()
        ),
        note="Steps appear because users are whole."
        + (f" {left_out} points at which nobody fits are left out." if left_out else ""),
        height=380,
    )


def roofline_cliff(costs: pd.DataFrame, *, slowest_fraction: float, list_usd: float) -> Any:
    """Fixed speed against the roofline, with a band for kernels below the peak bandwidth.

    `costs` holds one architecture; the band runs to `slowest_fraction` of the peak.
    """
    shown = costs[np.isfinite(costs["usd_per_mtok"])]
    rows = pd.DataFrame(
        {
            "context_k": _thousands(shown),
            "source": shown["flat_usd_per_mtok"].round(4),
            "speed of light": shown["usd_per_mtok"].round(4),
            "slowest": (shown["usd_per_mtok"] / slowest_fraction).round(4),
        }
    )
    lines = rows.melt("context_k", ["source", "speed of light"], "line", "usd")
    lines["text"] = lines["usd"].map(usd)
    low, high = _decades(pd.concat([rows["speed of light"], rows["slowest"]]))
    names = ["source", "speed of light"]
    color = alt.Color(
        "line:N", scale=alt.Scale(domain=names, range=[hue("muted"), hue("ink")]), legend=None
    )
    dash = alt.StrokeDash(
        "line:N", scale=alt.Scale(domain=names, range=[[7, 5], [1, 4]]), legend=None
    )
    drawn = (
        alt.Chart(lines.drop(columns="text"))
        .mark_line(interpolate="step-after")
        .encode(
            context_axis(rows["context_k"].min(), rows["context_k"].max()),
            usd_axis(low, high),
            color,
            dash,
        )
    )
    tint = band(
        rows.rename(columns={"speed of light": "light"})[["context_k", "light", "slowest"]],
        x="context_k",
        low="light",
        high="slowest",
        token="teal",
    )
    labels = end_labels(
        lines,
        x="context_k",
        y="usd",
        name="line",
        text="text",
        color=color,
        low=low,
        high=high,
    )
    last = rows.iloc[-1]
    return titled(
        tint + reference(list_usd, f"list price of output, {usd(list_usd)}") + drawn + labels,
        title="Counted in bytes, the cliff is lower at both ends and less steep",
        subtitle=(
            "Full attention. Dashed: the same speed for everybody; shaded: kernels at "
            f"{100 * slowest_fraction:.0f} to 100\u00a0% of peak bandwidth; both axes logarithmic"
        ),
        description=(
            "Line chart with a band. At the longest context the fixed speed gives "
            f"{usd(last['source'])}, the speed of light {usd(last['speed of light'])}, "
            f"kernels at {100 * slowest_fraction:.0f} % of the bandwidth {usd(last['slowest'])}."
        ),
    )


def latent_roof(rows: pd.DataFrame, ridges: Mapping[str, float]) -> Any:
    """Intensity of latent attention against its query heads, one line per width of the cache.

    `rows` is a `study.sweep` of `work.cache_intensity_flop_per_byte` over n_heads and
    bytes_per_value; `ridges` names the roofs.
    """
    shown = rows.assign(
        intensity=rows["result"].round(2),
        bits=(rows["bytes_per_value"] * units.BITS_PER_BYTE).map("{:g}-bit cache".format),
        text=rows["result"].map("{:.0f} FLOP/byte".format),
    )
    low, high = 0.8 * float(shown["intensity"].min()), 1.3 * float(shown["intensity"].max())
    heads = [float(shown["n_heads"].min()), float(shown["n_heads"].max())]
    color = alt.value(hue("green"))
    x = alt.X(
        "n_heads:Q",
        title="Query heads that read one latent",
        scale=alt.Scale(type="log", base=2, domain=heads, nice=False),
    ).axis(values=_doublings(*heads))
    y = alt.Y(
        "intensity:Q",
        title="FLOP per byte of cache",
        scale=alt.Scale(type="log", base=2, domain=[low, high], nice=False),
    ).axis(values=_doublings(low, high)[1:], format="d")
    lines = (
        alt.Chart(shown[["n_heads", "intensity", "bits"]])
        .mark_line()
        .encode(x, y, detail="bits:N", color=color)
    )
    labels = end_labels(
        shown,
        x="n_heads",
        y="intensity",
        name="bits",
        text="text",
        color=alt.Color("bits:N", scale=alt.Scale(range=[hue("green")]), legend=None),
        low=low,
        high=high,
    )
    roofs = [reference(value, f"{name}: {value:.0f} FLOP/byte") for name, value in ridges.items()]
    return titled(
        alt.layer(lines, *roofs, labels),
        title="The more heads share a latent, the sooner decode leaves the bandwidth roof",
        subtitle="Arithmetic per byte of latent cache; above a dotted line arithmetic is the "
        "bound; both axes logarithmic",
        description="Line chart, both axes logarithmic. "
        + " ".join(
            f"{group['bits'].iloc[0]}: {group['intensity'].iloc[-1]:.0f} FLOP per byte "
            f"at {group['n_heads'].iloc[-1]:g} heads."
            for _, group in shown.groupby("bits", sort=False)
        )
        + " "
        + " ".join(f"{name}: {value:.0f}." for name, value in ridges.items()),
    )


def busy_share(rows: pd.DataFrame, *, words: Mapping[str, str]) -> Any:
    """Share of rented hours that must be busy before an owned GPU meets the list price.

    `rows` has hit_fraction, case and busy_fraction; `words` labels each case.
    """
    shown = rows.assign(
        hit=(rows["hit_fraction"] * 100).round(2),
        busy=(rows["busy_fraction"] * 100).round(2),
        name=rows["case"].map(words),
    )
    high = 1.08 * float(shown["busy"].max())
    shown["text"] = shown["busy"].map("{:.0f} %".format)
    names = list(words.values())
    color = alt.Color(
        "name:N",
        scale=alt.Scale(domain=names, range=[hue("blue"), hue("ochre")][: len(names)]),
        legend=None,
    )
    x = alt.X("hit:Q", title="Prompt found in a cache (%)").scale(domain=[0, 100])
    y = alt.Y("busy:Q", title="Busy share of rented hours that breaks even (%)").scale(
        domain=[0, high]
    )
    lines = alt.Chart(shown[["hit", "busy", "name"]]).mark_line().encode(x, y, color)
    labels = end_labels(
        shown, x="hit", y="busy", name="name", text="text", color=color, low=0, high=high, log=False
    )
    ends = shown.groupby("name", sort=False)["busy"].agg(["first", "last"])
    return titled(
        lines + reference(100, "never idle") + labels,
        title="Cache hits at the vendor raise the bar; hits on your own GPU lower it again",
        subtitle="Below a line the list price is cheaper, above it the own GPU",
        description="Line chart. "
        + " ".join(
            f"{name}: {end['first']:.0f} % without hits, {end['last']:.0f} % with full hits."
            for name, end in ends.iterrows()
        ),
    )


def cheapest_map(cells: pd.DataFrame, *, recall: str, thresholds: Mapping[str, float]) -> Any:
    """Cheapest architecture over context and output share, with both documents' thresholds.

    `cells` comes from `architectures.decision_map`; `thresholds` names contexts in tokens.
    """
    shown = cells[cells["recall"] == recall]
    across, along = (
        float(np.sqrt(values[1] / values[0]))
        for values in (
            np.sort(shown["context_tokens"].unique()),
            np.sort(shown["output_fraction"].unique()),
        )
    )
    rows = _tiles(shown, across, along)
    low, high = float(rows["x"].min()), float(rows["x2"].max())
    bottom, top = float(rows["y"].min()), float(rows["y2"].max())
    x = alt.X(
        "x:Q",
        title="Prompt plus answer (thousand tokens)",
        scale=alt.Scale(type="log", base=2, domain=[low, high], nice=False),
    ).axis(values=_doublings(max(low, 0.5), high), format="~r")
    y = alt.Y(
        "y:Q",
        title="Answer, share of prompt and answer (%)",
        scale=alt.Scale(type="log", domain=[bottom, top], nice=False),
    ).axis(
        values=[value for value in (0.1, 1, 10, 100) if bottom <= value <= top],
        format="~r",
        grid=False,
    )
    color = alt.Color("architecture:N", scale=_architectures(), legend=None)
    tiles = alt.Chart(rows).mark_rect(opacity=0.3).encode(x, y, x2="x2:Q", y2="y2:Q", color=color)
    rules = [tokens / KTOK for tokens in thresholds.values()]
    figures = _savings(shown, rules)
    words = (  # in ink: no hue is easily read on its own tint
        alt.Chart(_names(shown, figures, rules))
        .mark_text(fontWeight=600, fontSize=12, lineHeight=14, color=hue("ink"))
        .encode(x="x:Q", y="y:Q", text="words:N")
    )
    saved = (
        alt.Chart(figures)
        .mark_text(fontSize=12, color=hue("ink"))
        .encode(x="x:Q", y="y:Q", text="text:N")
    )
    marks = [reference(tokens / KTOK, name, axis="x") for name, tokens in thresholds.items()]
    return titled(
        alt.layer(tiles, *marks, saved, words),
        title="Cheapest per request with exact recall"
        if recall == "exact recall"
        else "Cheapest per request when recall may be lossy",
        subtitle=(
            "Prompt and answer in the price; figures: saving against full attention; dotted: where "
            "the two documents draw the line; both axes logarithmic"
        ),
        description=f"Map of the cheapest architecture with {recall}: "
        + ", ".join(
            f"{name} on {100 * part:.0f} % of the area"
            for name, part in shown["architecture"].value_counts(normalize=True).items()
        )
        + ". Saving against full attention "
        + ", ".join(figures["text"])
        + " over a grid from short contexts and short answers upwards.",
        note="Edges are ragged because users are whole."
        if len(set(shown["architecture"])) > 1
        else "",
        height=300,
    )


def _tiles(shown: pd.DataFrame, across: float, along: float) -> pd.DataFrame:
    """Rectangles of a map: equal neighbours of one context are one tile."""
    ordered = shown.sort_values(["context_tokens", "output_fraction"])
    winner, context = ordered["architecture"], ordered["context_tokens"]
    run = ((winner != winner.shift()) | (context != context.shift())).cumsum()
    runs = ordered.groupby(run)
    share = runs["output_fraction"].agg(["min", "max"]) * 100
    first = runs["context_tokens"].first() / KTOK
    return pd.DataFrame(
        {
            "architecture": runs["architecture"].first(),
            "x": (first / across).round(4),
            "x2": (first * across).round(4),
            "y": (share["min"] / along).round(4),
            "y2": (share["max"] * along).round(4),
        }
    )


def _names(shown: pd.DataFrame, figures: pd.DataFrame, rules: Sequence[float]) -> pd.DataFrame:
    """Where each region is named: near its middle, between lines of figures, beside the rules."""
    points = pd.DataFrame(
        {
            "architecture": shown["architecture"],
            "x": np.log(shown["context_tokens"] / KTOK),
            "y": np.log(shown["output_fraction"] * 100),
        }
    )
    gaps = _between(np.log(np.sort(figures["y"].unique())), points["y"])
    away = np.abs(points["x"].to_numpy()[:, np.newaxis] - np.log(rules)) > CLEAR * np.log(2)
    points["free"] = away.all(axis=1) & points["y"].isin(gaps)
    rows = []
    for name, region in points.groupby("architecture"):
        if len(region) < 0.02 * len(points):
            continue  # a region of crumbs gets no name
        free = region[region["free"]]
        centre = region[["x", "y"]].median()
        spot = (free if len(free) else region)[["x", "y"]]
        nearest = np.exp(spot.iloc[int(((spot - centre) ** 2).sum(axis=1).argmin())])
        rows.append(
            {
                "architecture": name,
                "words": str(name).split(),
                "x": round(float(nearest["x"]), 4),
                "y": round(float(nearest["y"]), 4),
            }
        )
    return pd.DataFrame(rows)


def _between(taken: np.ndarray[Any, Any], cells: pd.Series[float]) -> set[float]:
    """The cells nearest to the middles between the taken places and the map's edges."""
    grid = np.sort(cells.unique())
    stops = np.concatenate([grid[:1], taken, grid[-1:]])
    middles = (stops[:-1] + stops[1:]) / 2
    return {float(grid[np.abs(grid - middle).argmin()]) for middle in middles}


def _savings(shown: pd.DataFrame, rules: Sequence[float]) -> pd.DataFrame:
    """Savings to print on a map: the cells nearest to a coarse grid with the rules in its gaps."""
    contexts, shares = (
        np.sort(shown[column].unique()) for column in ("context_tokens", "output_fraction")
    )
    ends = np.log2([contexts[0] / KTOK, *sorted(rules), contexts[-1] / KTOK])
    columns = []
    for left, right in pairwise(ends):
        number = max(int((right - left) / COLUMN), 1)
        wanted = left + (right - left) * (np.arange(number) + 0.5) / number
        columns += [contexts[np.abs(np.log2(contexts / KTOK) - place).argmin()] for place in wanted]
    lines = shares[np.linspace(0, len(shares) - 1, 6).round().astype(int)[1:-1]]
    picked = shown[shown["context_tokens"].isin(columns) & shown["output_fraction"].isin(lines)]
    return pd.DataFrame(
        {
            "x": (picked["context_tokens"] / KTOK).round(4),
            "y": (picked["output_fraction"] * 100).round(4),
            "text": (picked["saving_fraction"] * 100).map("{:.0f} %".format),
        }
    )


def ratio_swings(table: pd.DataFrame, *, labels: Mapping[str, str]) -> Any:
    """How far each assumption alone moves a ratio: a bar from low to high, the base as a rule.

    `table` comes from `study.one_at_a_time`; `labels` says each parameter in words.
    """
    rows = pd.DataFrame(
        {
            "name": table["parameter"].map(labels),
            "low": table["result_min"].round(2),
            "high": table["result_max"].round(2),
            "rank": range(len(table)),
        }
    )
    rows["text"] = [
        (f"{low:.1f} to {high:.1f}" if high - low >= 0.1 else "does not move it")
        + (", then nobody fits" if fits < 1 else "")
        for low, high, fits in zip(rows["low"], rows["high"], table["finite_fraction"], strict=True)
    ]
    base = float(table["result_base"].iloc[0])
    rows["words"] = rows["name"] + ": " + rows["text"]
    y = alt.Y("name:N", sort=alt.EncodingSortField("rank"), title=None, axis=None)
    x = alt.X("low:Q", title="Cost at the long context over the short one").scale(
        domain=[0, float(rows["high"].max()) * 1.05]
    )
    bars = (
        alt.Chart(rows[["name", "low", "high", "rank"]])
        .mark_bar(height=12, yOffset=8, color=hue("muted"))
        .encode(x, y, x2="high:Q")
    )
    text = (
        alt.Chart(rows[["name", "words", "rank"]])
        .mark_text(align="left", dy=-8, fontSize=13)
        .encode(x=alt.value(0), y=y, text="words:N")
    )
    return titled(
        alt.layer(bars, reference(round(base, 2), f"{base:.1f}", axis="x"), text),
        title="Memory decides how steep the cliff is; bandwidth and rent do not",
        subtitle="Each assumption moved alone, the others as in the newsletter’s rig",
        description="Bars of the ratio as each assumption moves: "
        + "; ".join(
            f"{row.name_}: {row.text}"
            for row in rows.rename(columns={"name": "name_"}).itertuples()
        )
        + f"; base {base:.1f}.",
        note="Where nobody fits at the long context the ratio has no value and the bar ends.",
        height=44 * len(rows) + 30,
    )
