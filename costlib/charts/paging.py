"""Charts of memory that lies empty: slots against blocks, and reasoning that deletes itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import catalog, compaction, paging
from costlib.charts.theme import cast, end_labels, hue, reference, titled

__all__ = ["compacted_context", "memory_by_scheme", "memory_in_use"]

SLOT: Final = "slot for the longest"
DOUBLED: Final = "answers in powers of two"
KNOWN: Final = "lengths known beforehand"
BLOCKS: Final = "blocks"

# scheme: (hue, shape)
SCHEMES: Final[Mapping[str, tuple[str, str]]] = {
    SLOT: ("ink", "square"),
    DOUBLED: ("ochre", "triangle-up"),
    KNOWN: ("violet", "diamond"),
    BLOCKS: ("teal", "circle"),
}
ROW_PIXELS: Final = 50
WAYS: Final = ("all kept", "pruned")


def memory_in_use(block_tokens: float) -> pd.DataFrame:
    """What each public trace holds of the memory set aside for it, by way of setting it aside.

    Columns trace, scheme, reserved_tokens, resident_tokens, used_fraction.
    """
    rows = []
    for name in catalog.traces():
        prompts, answers = (
            catalog.length_quantiles(name, field) for field in ("input_tokens", "output_tokens")
        )
        drawn = {"input_lengths_tokens": prompts, "output_lengths_tokens": answers}
        held = paging.resident_tokens(**drawn)
        reserved = {
            SLOT: prompts.max() + answers.max(),
            DOUBLED: paging.doubled_tokens(**drawn),
            KNOWN: paging.final_tokens(**drawn),
            BLOCKS: paging.paged_tokens(block_tokens, **drawn),
        }
        for scheme, room in reserved.items():
            waste = paging.waste_fraction(resident_tokens=held, reserved_tokens=room)
            rows.append((name, scheme, float(room), float(held), float(1 - waste)))
    columns = ["trace", "scheme", "reserved_tokens", "resident_tokens", "used_fraction"]
    return pd.DataFrame(rows, columns=columns)


def memory_by_scheme(
    use: pd.DataFrame, *, block_tokens: float, published: Mapping[str, float], publication: str
) -> Any:
    """Share of the cache's memory that holds tokens: one row per trace, and what was published.

    `use` comes from `memory_in_use`; `published` gives the share of some schemes.
    """
    first = pd.DataFrame(
        [(publication, scheme, share) for scheme, share in published.items()],
        columns=["trace", "scheme", "used_fraction"],
    )
    rows = pd.concat([first, use[["trace", "scheme", "used_fraction"]]], ignore_index=True)
    rows["used"] = (100 * rows["used_fraction"]).round(2)
    rows["text"] = [  # what is nearly full is not full
        f"{used:.0f} %" if used < 99 else f"{np.floor(10 * used) / 10:.1f} %"
        for used in rows["used"]
    ]
    order = list(dict.fromkeys(rows["trace"]))
    scale = alt.Scale(domain=[0, 108], nice=False)
    title = "% of the memory set aside"
    x = alt.X("used:Q", title=title, scale=scale).axis(values=[0, 20, 40, 60, 80, 100])
    y = alt.Y("trace:N", sort=order, axis=None)
    meaning = {scheme: token for scheme, (token, _) in SCHEMES.items()}
    shapes = alt.Scale(domain=list(SCHEMES), range=[shape for _, shape in SCHEMES.values()])
    legend = alt.Legend(columns=1, labelLimit=0, symbolSize=90)
    ends = rows.groupby("trace", sort=False)["used"].agg(["min", "max"]).reset_index()
    bars = (
        alt.Chart(ends)
        .mark_rule(strokeWidth=1.5, color=hue("control"))
        .encode(alt.X("min:Q", title=title, scale=scale), alt.X2("max:Q"), y)
    )
    dots = (
        alt.Chart(rows[["trace", "scheme", "used"]])
        .mark_point(size=90, filled=True, opacity=1)
        .encode(
            x,
            y,
            alt.Color("scheme:N", scale=cast(meaning), legend=legend),
            alt.Shape("scheme:N", scale=shapes, legend=legend),
        )
    )
    told = rows[rows["scheme"].isin([SLOT, BLOCKS])]
    words = (
        alt.Chart(told[["trace", "scheme", "used", "text"]])
        .mark_text(dy=14, fontWeight=600)
        .encode(x, y, text="text:N", color=alt.Color("scheme:N", scale=cast(meaning)))
    )
    names = (
        alt.Chart(pd.DataFrame({"trace": order, "used": 0.0}))
        .mark_text(align="left", baseline="bottom", dy=-7, color=hue("ink"))
        .encode(x, y, text="trace:N")
    )
    slots, blocks = (
        100 * use.loc[use["scheme"] == name, "used_fraction"] for name in (SLOT, BLOCKS)
    )
    return titled(
        bars + dots + words + names,
        title=f"In these traces slots for the longest request are {slots.min():.0f} to "
        f"{slots.max():.0f}\u00a0% full, blocks of {block_tokens:g} tokens over "
        f"{np.floor(blocks.min()):.0f}\u00a0%",
        subtitle="Memory set aside that holds tokens, mean over all decode steps",
        description=" ".join(
            f"{name}: "
            + ", ".join(f"{row['scheme']} {row['used']:.1f} %" for row in group.to_dict("records"))
            + "."
            for name, group in rows.groupby("trace", sort=False)
        ),
        note="Prompts and answers are paired at random; gaps between reservations come on top.",
        height=ROW_PIXELS * len(order),
    )


def compacted_context(
    reasoning_tokens: float, *, block_tokens: float, compaction_times: float, prompt_tokens: float
) -> Any:
    """Context held while a model reasons, with and without summaries, to the end of a trace."""
    blocks = {"block_tokens": block_tokens, "prompt_tokens": prompt_tokens}
    blocks["compaction_times"] = compaction_times
    ends = block_tokens * np.arange(1, np.floor(reasoning_tokens / block_tokens) + 1)
    after = compaction.compacted_tokens(ends, **blocks)
    peak = compaction.peak_tokens(ends, **blocks)
    # each boundary three times: block full, summary written, block deleted
    thought = np.concatenate([[0], np.repeat(ends, 3), [reasoning_tokens]])
    full = peak - block_tokens / compaction_times
    held = np.concatenate(
        [
            [prompt_tokens],
            np.column_stack([full, peak, after]).ravel(),
            [compaction.compacted_tokens(reasoning_tokens, **blocks)],
        ]
    )
    kept = prompt_tokens + reasoning_tokens
    lines = pd.concat(
        [
            pd.DataFrame(
                {"way": WAYS[0], "thought": [0.0, reasoning_tokens], "held": [prompt_tokens, kept]}
            ),
            pd.DataFrame({"way": WAYS[1], "thought": thought, "held": held}),
        ],
        ignore_index=True,
    ).round(1)
    lines["place"] = range(len(lines))
    lines["text"] = [f"{tokens:,.0f}" for tokens in lines["held"]]
    most = float(compaction.peak_tokens(reasoning_tokens, **blocks))
    top = 1.06 * float(kept)
    color = alt.Color("way:N", scale=cast(dict(zip(WAYS, ("ink", "teal"), strict=True))))
    color = color.legend(None)
    x = alt.X("thought:Q", title="Tokens thought").scale(
        alt.Scale(domain=[0, 1.2 * reasoning_tokens], nice=False)
    )
    x = x.axis(format=",d", tickCount=6)
    y = alt.Y("held:Q", title="Tokens in the cache").scale(alt.Scale(domain=[0, top], nice=False))
    drawn = (
        alt.Chart(lines[["way", "thought", "held", "place"]])
        .mark_line(strokeJoin="miter")
        .encode(x, y.axis(format=",d"), color, order="place:Q")
    )
    names = end_labels(
        lines,
        x="thought",
        y="held",
        name="way",
        text="text",
        color=color,
        low=0,
        high=top,
        log=False,
    )
    times = kept / most
    return titled(
        drawn + names + reference(round(most, 1), f"peak: ÷ {times:.1f}"),
        title=f"Summaries {compaction_times:.1f} times as short leave a peak {times:.1f} times as "
        "small, and it keeps growing",
        subtitle=f"A prompt of {prompt_tokens:,.0f} tokens, then blocks of {block_tokens:,.0f}, "
        "each deleted once its summary is written",
        description=(
            f"Two lines over {reasoning_tokens:,.0f} tokens of reasoning. All kept: {kept:,.0f} "
            f"tokens at the end. Pruned: a sawtooth that peaks at {most:,.0f} and ends at "
            f"{held[-1]:,.0f}; its teeth rise by {block_tokens / compaction_times:,.0f} each."
        ),
        height=300,
    )
