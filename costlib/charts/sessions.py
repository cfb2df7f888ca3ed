"""Charts of agent sessions: how a prompt grows, what its turns cost, what edits do to hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import catalog, deploy, serve, sessions, units
from costlib.charts.theme import band, end_labels, hue, titled, usd
from costlib.pricebook import Price

__all__ = ["bills", "cost_by_turn", "growth_by_turn", "hits_by_edits", "median_session", "prompt_s"]

KTOK: Final = units.TOKENS_PER_KTOK
COLOURS: Final = ("ink", "magenta", "blue", "teal", "brown")
TURNS: Final = (1, 2, 5, 10, 20, 50, 100, 200)  # of `session_growth.csv`
LENGTHS: Final = ("start_tokens", "turn_tokens", "compact_at_tokens", "compacted_tokens")


def median_session() -> dict[str, float]:
    """The median start, growth and compaction of the recorded sessions, and how edits hit them."""
    found = {name: catalog.session_growth(name)["p50"] for name in (*LENGTHS, "stable_tokens")}
    edits = catalog.session_growth("edit_position_fraction")
    return found | {
        "surviving_fraction": float(
            sessions.surviving_fraction(
                edit_fraction=edits["n"] / catalog.session_growth("later_turns")["total"],
                position_fraction=edits["mean"],
            )
        )
    }


def bills(
    n_turns: int,
    cases: Mapping[str, Mapping[str, float]],
    *,
    price: Price,
    output_tokens: float,
) -> pd.DataFrame:
    """Every turn of every case: tokens sent, read and computed, and the bill so far.

    A case holds the arguments of `sessions.session_usd` that say how its prompts grow. One that
    keeps no prefix at all pays the plain price of input.
    """
    if np.isnan(price.cached_input_usd_per_mtok):
        raise ValueError(f"price must have one for cached input, {price.name} has none")
    turns = np.arange(1, n_turns + 1)
    parts = []
    for name, case in cases.items():
        lengths = {key: case[key] for key in LENGTHS if key in case}
        cache = {key: case[key] for key in ("stable_tokens", "surviving_fraction") if key in case}
        cached = case.get("surviving_fraction", 1) > 0
        write = price.input_usd_per_mtok
        if cached and np.isfinite(price.cache_write_usd_per_mtok):
            write = price.cache_write_usd_per_mtok
        sent = sessions.session_input_tokens(turns, **lengths)
        parts.append(
            pd.DataFrame(
                {
                    "name": name,
                    "turn": turns,
                    "context_tokens": sessions.context_tokens(turns, **lengths),
                    "reused_tokens": sessions.reused_tokens(turns, **lengths, **cache),
                    "input_tokens": sent,
                    "computed_tokens": sent
                    - sessions.session_reused_tokens(turns, **lengths, **cache),
                    "hit_fraction": sessions.hit_fraction(turns, **lengths, **cache),
                    "usd": sessions.session_usd(
                        turns,
                        **case,
                        output_tokens=output_tokens,
                        input_usd_per_mtok=write,
                        cached_input_usd_per_mtok=price.cached_input_usd_per_mtok,
                        output_usd_per_mtok=price.output_usd_per_mtok,
                    ),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def prompt_s(rows: pd.DataFrame, model: str, accelerator: str, **layout: Any) -> pd.Series:
    """Seconds that a machine of one's own reads each prompt of `bills`; infinite if it cannot.

    `layout` goes to `deploy.scenarios`. The requests that write summaries are left out: all of
    their prompt but the question is in the cache.
    """
    load = deploy.scenarios(
        model,
        accelerator,
        input_tokens=rows["context_tokens"].to_numpy(),
        reused_fraction=(rows["reused_tokens"] / rows["context_tokens"]).to_numpy(),
        n_clients=1,
        **layout,
    )
    done = serve.prediction(load)
    return pd.Series(np.where(done.fits, done.prompt_s, np.inf), index=rows.index)


# --- drawings --------------------------------------------------------------------------------


def growth_by_turn(session: Mapping[str, float]) -> Any:
    """Recorded prompts by turn, median and middle half, and the model's session through them."""
    found = [catalog.session_growth("context_tokens", turn) for turn in TURNS]
    measured = pd.DataFrame(found)[["p25", "p50", "p75"]] / KTOK
    measured = measured.round(2).assign(turn=TURNS)
    turns = np.arange(1, max(TURNS) + 1)
    lengths = {key: session[key] for key in LENGTHS}
    line = pd.DataFrame(
        {"turn": turns, "ktok": (sessions.context_tokens(turns, **lengths) / KTOK).round(2)}
    )
    front = sum(catalog.session_growth(name)["p50"] for name in ("system_tokens", "tool_tokens"))
    x = alt.X(
        "turn:Q",
        title="Turn",
        scale=alt.Scale(type="log", domain=[1, max(TURNS)], nice=False),
    ).axis(values=list(TURNS), format="d")
    y = alt.Y("ktok:Q", title="Prompt (thousand tokens)")
    dots = (
        alt.Chart(measured.rename(columns={"p50": "ktok"})[["turn", "ktok"]])
        .mark_point(color=hue("ink"), clip=False)
        .encode(x, y)
    )
    known = pd.DataFrame(
        {"ktok": [front / KTOK], "words": [f"system prompt and tool schemas: {front / KTOK:.0f}K"]}
    )
    rule = alt.Chart(known[["ktok"]]).mark_rule(
        strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted")
    )
    words = alt.Chart(known).mark_text(  # below the rule: the lines lie above it
        align="left", baseline="top", dy=4, fontSize=12, color=hue("muted")
    )
    model = alt.Chart(line).mark_line(color=hue("blue"), strokeWidth=2).encode(x, y)
    at_1, at_2, at_50 = (measured.set_index("turn")["p50"][turn] for turn in (1, 2, 50))
    straight = line.set_index("turn")["ktok"]
    return titled(
        band(measured, x="turn", low="p25", high="p75", token="muted")
        + rule.encode(y="ktok:Q")
        + words.encode(x=alt.value(4), y="ktok:Q", text="words:N")
        + model
        + dots,
        title=f"The second prompt is {at_2 / at_1:.1f} times the first; the fiftieth has "
        f"{at_50:.0f}K tokens",
        subtitle="Recorded prompts: median (dots) and middle half (band); the line is the median "
        "session of the model. Turns on a logarithmic axis",
        description=f"Recorded median prompt: {at_1:.0f}K tokens at turn 1, {at_2:.0f}K at turn 2, "
        f"{at_50:.0f}K at turn 50. The model's session has {straight[1]:.0f}K, {straight[2]:.0f}K "
        f"and {straight[50]:.0f}K there, and is compacted to "
        f"{session['compacted_tokens'] / KTOK:.0f}K above "
        f"{session['compact_at_tokens'] / KTOK:.0f}K.",
        note="Dots and band are of the sessions that last so long; few do after turn 100. The "
        "line is low at first: most files are read in the first turns.",
        height=300,
    )


def cost_by_turn(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """The bill so far by turn, one line per case. `rows` comes from `bills`."""
    names = list(dict.fromkeys(rows["name"]))
    shown = rows.assign(
        bill=rows["usd"].round(4), text=[usd(float(value)) for value in rows["usd"]]
    )
    color = alt.Color(
        "name:N",
        scale=alt.Scale(domain=names, range=[hue(token) for token in COLOURS[: len(names)]]),
        legend=None,
    )
    high = 1.05 * float(shown["bill"].max())
    lines = (
        alt.Chart(shown[["turn", "bill", "name"]])
        .mark_line()
        .encode(
            alt.X("turn:Q", title="Turn").scale(domain=[1, int(shown["turn"].max())]),
            alt.Y("bill:Q", title="Bill so far (USD)").scale(domain=[0, high]),
            color,
        )
    )
    labels = end_labels(
        shown,
        x="turn",
        y="bill",
        name="name",
        text="text",
        color=color,
        low=0,
        high=high,
        height=320,
        log=False,
    )
    ends = shown.groupby("name", sort=False)["text"].last()
    return titled(
        lines + labels,
        title=title,
        subtitle=subtitle,
        description=f"Lines of the bill so far. After turn {shown['turn'].max()}: "
        + ", ".join(f"{name} {text}" for name, text in ends.items())
        + ".",
        height=320,
    )


def hits_by_edits(
    n_turns: float, session: Mapping[str, float], *, positions: Sequence[float]
) -> Any:
    """Hits of the median session against the share of turns that edit, with the recorded ones."""
    edited = np.linspace(0, 1, 101)
    lengths = {key: session[key] for key in (*LENGTHS, "stable_tokens")}
    names = [f"edits at {100 * place:.0f} %" for place in positions]
    shown = pd.concat(
        [
            pd.DataFrame(
                {
                    "edited": (100 * edited).round(1),
                    "hit": (
                        100
                        * sessions.hit_fraction(
                            n_turns,
                            **lengths,
                            surviving_fraction=sessions.surviving_fraction(
                                edit_fraction=edited, position_fraction=place
                            ),
                        )
                    ).round(2),
                    "name": name,
                }
            )
            for place, name in zip(positions, names, strict=True)
        ],
        ignore_index=True,
    )
    shown["text"] = [f"{value:.0f} %" for value in shown["hit"]]
    share = 100 * catalog.session_growth("edit_position_fraction")["n"]
    share /= catalog.session_growth("later_turns")["total"]
    hits = catalog.session_growth("hit_fraction")
    point = pd.DataFrame(
        {
            "edited": [round(share, 2)],
            "hit": [round(100 * hits["p50"], 2)],
            "low": [round(100 * hits["p5"], 2)],
            "high": [round(100 * hits["p95"], 2)],
            "words": ["recorded"],
        }
    )
    color = alt.Color(
        "name:N",
        scale=alt.Scale(domain=names, range=[hue(c) for c in ("brown", "blue", "teal")]),
        legend=None,
    )
    x = alt.X("edited:Q", title="Turns that edit what was sent (%)").scale(domain=[0, 100])
    y = alt.Y("hit:Q", title="Input tokens found in the cache (%)")
    y = y.scale(domain=[0, 108]).axis(values=[0, 25, 50, 75, 100])
    lines = alt.Chart(shown[["edited", "hit", "name"]]).mark_line().encode(x, y, color)
    labels = end_labels(
        shown,
        x="edited",
        y="hit",
        name="name",
        text="text",
        color=color,
        low=0,
        high=108,
        height=300,
        log=False,
    )
    span = (
        alt.Chart(point[["edited", "low", "high"]])
        .mark_rule(color=hue("ink"), strokeWidth=2)
        .encode(x, alt.Y("low:Q"), alt.Y2("high:Q"))
    )
    dot = alt.Chart(point[["edited", "hit"]]).mark_point(color=hue("ink"), size=90).encode(x, y)
    words = (
        alt.Chart(point[["edited", "hit", "words"]])
        .mark_text(align="left", baseline="bottom", dx=6, dy=-6, fontWeight=600, color=hue("ink"))
        .encode(x, y, text="words:N")
    )
    ends = shown.groupby("name", sort=False)["hit"].last()
    return titled(
        lines + span + dot + words + labels,
        title=f"Recorded agents edit {share:.1f}\u00a0% of their turns and find "
        f"{100 * hits['p50']:.1f}\u00a0% of their tokens again",
        subtitle=f"The median session of {n_turns:.0f} turns, a cache that drops nothing; a line "
        "per mean place of an edit, 0\u00a0% is the front of the prompt",
        description="Lines of the hit share by share of turns that edit, falling to "
        + ", ".join(f"{value:.0f} percent with {name}" for name, value in ends.items())
        + f". Recorded: {share:.1f} percent of turns edit, {100 * hits['p50']:.1f} percent hits "
        f"in the median session, {100 * hits['p5']:.0f} to {100 * hits['p95']:.0f} percent from "
        "the 5th to the 95th percentile.",
        note="Recorded: the median session and, as a bar, the 5th to the 95th percentile.",
        height=300,
    )
