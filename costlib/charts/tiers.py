"""Charts of reloading a cache against computing it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import pandas as pd

from costlib import units
from costlib.booktools import Table
from costlib.charts.theme import cast, end_labels, hue, short, titled

__all__ = ["parity_lines", "reload_lines", "tier_table"]

COMPUTE: Final = "Compute again"
TIER_HUES: Final[Mapping[str, str]] = {
    COMPUTE: "brown",
    "Shared storage": "ochre",
    "Local NVMe": "teal",
    "Host memory": "blue",
}
MODEL_HUES: Final = ("brown", "blue", "green", "violet", "magenta", "teal", "ink")
HEIGHT: Final = 360


def _length_axis(low: float, high: float) -> alt.X:
    ticks = [k for k in (1e3, 2e3, 4e3, 8e3, 16e3, 32e3, 64e3, 128e3) if low <= k <= high]
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    return alt.X("context_tokens:Q", title="Tokens of the prefix", scale=scale).axis(
        values=ticks,
        labelExpr=short(),
    )


def _log_axis(field: str, low: float, high: float, title: str, ticks: Sequence[float]) -> alt.Y:
    shown = [tick for tick in ticks if low <= tick <= high]
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    return alt.Y(field, title=title, scale=scale).axis(values=shown, format="~r")


def _seconds(value: float) -> str:
    return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"


def reload_lines(table: pd.DataFrame, *, machine: str) -> Any:
    """Seconds to bring a prefix back from each tier, and to compute it, against its length.

    `table` comes from `reloading.reloads` over several lengths; `machine` names it in words.
    """
    drawn = table[table["tier"].isin(TIER_HUES)]
    tiers = pd.DataFrame(
        {"what": drawn["tier"], "context_tokens": drawn["context_tokens"], "s": drawn["reload_s"]}
    )
    once = table.drop_duplicates("context_tokens")
    again = pd.DataFrame(
        {"what": COMPUTE, "context_tokens": once["context_tokens"], "s": once["prefill_s"]}
    )
    band = once[["context_tokens", "prefill_low_s", "prefill_high_s"]]
    rows = pd.concat([again, tiers], ignore_index=True)
    low, high = float(rows["s"].min()) / 1.3, float(band["prefill_high_s"].max()) * 1.3
    x = _length_axis(float(rows["context_tokens"].min()), float(rows["context_tokens"].max()))
    ticks = (1e-4, 1e-3, 0.01, 0.1, 1, 10, 100)
    y = _log_axis("s:Q", low, high, "Seconds", ticks)
    color = alt.Color("what:N", scale=cast(TIER_HUES), legend=None)
    tint = (
        alt.Chart(band)
        .mark_area(opacity=0.16, color=hue(TIER_HUES[COMPUTE]))
        .encode(
            x,
            _log_axis("prefill_low_s:Q", low, high, "Seconds", ticks),
            alt.Y2("prefill_high_s:Q"),
        )
    )
    lines = alt.Chart(rows).mark_line().encode(x, y, color)
    last = rows.sort_values("context_tokens").groupby("what", sort=False).tail(1)
    names = end_labels(
        last.assign(text=[_seconds(value) for value in last["s"]]),
        x="context_tokens",
        y="s",
        name="what",
        text="text",
        color=color,
        low=low,
        high=high,
        height=HEIGHT,
    )
    slowest = str(drawn.sort_values("reload_s")["tier"].iloc[-1])
    closest = float((drawn["prefill_s"] / drawn["reload_s"].where(drawn["reload_s"] > 0)).min())
    finding = (
        f"Every tier is faster than computing again, the slowest by {closest:.1f} times or more"
        if closest > 1
        else "Where a tier crosses the band, computing again can be the faster way"
    )
    return titled(
        tint + lines + names,
        title=finding,
        subtitle=f"Seconds on {machine}; the band is the model’s 80\u00a0% interval; logarithmic",
        description="Lines of seconds against tokens. At "
        f"{last['context_tokens'].iloc[0]:,.0f} tokens: "
        + ", ".join(f"{row['what']} {_seconds(row['s'])}" for row in last.to_dict("records"))
        + f". The slowest tier is {slowest.lower()}.",
        note="Reloading at the full rate of device and link. Drives of the next generation halve "
        "the line of local NVMe; another machine's memory lies on that of the host.",
        height=HEIGHT,
    )


def parity_lines(rows: pd.DataFrame, tiers: Mapping[str, float], *, accelerator: str) -> Any:
    """Bandwidth per accelerator at which a reload equals computing again, by model and length.

    `rows` comes from `reloading.parity`; `tiers` are bandwidths to lay across. [bytes/s]
    """
    shown = rows.assign(gb_per_s=rows["bytes_per_s"] / units.GB)
    names = list(dict.fromkeys(shown["model"]))
    if len(names) > len(MODEL_HUES):
        raise ValueError(f"models: at most {len(MODEL_HUES)} lines can be told apart")
    hues = dict(zip(names, MODEL_HUES, strict=False))
    levels = pd.DataFrame(
        {
            "gb_per_s": [rate / units.GB for rate in tiers.values()],
            "words": list(tiers),
            "context_tokens": shown["context_tokens"].max(),  # where the models' lines lie low
        }
    )
    low = float(shown["gb_per_s"].min()) / 1.3
    high = max(float(shown["gb_per_s"].max()), float(levels["gb_per_s"].max())) * 1.6
    x = _length_axis(float(shown["context_tokens"].min()), float(shown["context_tokens"].max()))
    y = _log_axis("gb_per_s:Q", low, high, "GB/s per accelerator", (0.1, 0.3, 1, 3, 10, 30, 100))
    color = alt.Color("model:N", scale=cast(hues), legend=None)
    lines = (
        alt.Chart(shown[["model", "context_tokens", "gb_per_s"]]).mark_line().encode(x, y, color)
    )
    rules = (
        alt.Chart(levels)
        .mark_rule(strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted"))
        .encode(y=y)
    )
    style: dict[str, Any] = {"align": "right", "baseline": "bottom", "dx": -4, "dy": -3}
    words = alt.layer(
        *(
            alt.Chart(levels).mark_text(fontSize=12, **style, **ink).encode(x, y, text="words:N")
            for ink in (
                {"color": hue("page"), "stroke": hue("page"), "strokeWidth": 4},
                {"color": hue("muted")},
            )
        )
    )
    last = shown.sort_values("context_tokens").groupby("model", sort=False).tail(1)
    ends = end_labels(
        last.assign(text=[f"{rate:.2g} GB/s" for rate in last["gb_per_s"]]),
        x="context_tokens",
        y="gb_per_s",
        name="model",
        text="text",
        color=color,
        low=low,
        high=high,
        height=HEIGHT,
    )
    return titled(
        rules + lines + words + ends,
        title="A tier above a model’s line reloads faster than the model reads: "
        f"the most it takes is {shown['gb_per_s'].max():.2g}\u00a0GB/s",
        subtitle=f"Cache over seconds of one {accelerator} to compute it, against length; "
        "logarithmic",
        description="Lines of break-even bandwidth against tokens. "
        + " ".join(f"{name} brings {rate / units.GB:.3g} GB/s." for name, rate in tiers.items())
        + " "
        + " ".join(
            f"{name}: {group['gb_per_s'].iloc[0]:.2g} GB/s at the left, "
            f"{group['gb_per_s'].iloc[-1]:.2g} at the right."
            for name, group in shown.groupby("model", sort=False)
        ),
        note="Weights and cache in 8 bits. Longer prefixes cost more arithmetic per token, so the "
        "lines fall in the end; a mixture’s rises first, for a short prompt gives each expert too "
        "few tokens to be quick. Windows and latent caches store less per token and lie lower.",
        height=HEIGHT,
    )


def tier_table(at_once: pd.DataFrame, *, title: str) -> Table:
    """Every tier beside computing again, at one length.

    `at_once` comes from `reloading.reloads` at a single length.
    """
    again = at_once.iloc[[0]].assign(
        tier=COMPUTE,
        reload_s=at_once["prefill_s"],
        reload_ttft_s=at_once["prefill_ttft_s"],
        reload_j=at_once["prefill_j"],
        reload_usd=at_once["prefill_usd"],
        worth_holding_h=float("nan"),
        sessions_per_usd_h=float("nan"),
    )
    rows = pd.concat([at_once, again], ignore_index=True)
    return Table(
        rows.assign(held_for=[_duration(hours) for hours in rows["worth_holding_h"]]),
        {
            "tier": ("Where from", ""),
            "reload_s": ("Time", "s", ".2f"),
            "reload_ttft_s": ("First token", "s", ".2f"),
            "reload_j": ("Energy", "J", ",.0f"),
            "reload_usd": ("Cost", "USD", ".4f"),
            "held_for": ("Worth keeping", ""),
            "sessions_per_usd_h": ("Sessions", "per USD/h", ",.0f"),
        },
        title=title,
    )


def _duration(hours: float) -> str:
    """Hours in the words of a table; minutes below two hours."""
    if pd.isna(hours):
        return "—"
    if hours <= 0:
        return "never pays"
    return f"{60 * hours:.0f} min" if hours < 2 else f"{hours:,.0f} h"
