"""Charts of `prefix_and_tiers`: hits by size and by life of a cache, and a prompt of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import catalog, kv, reuse, serving, units, work
from costlib.charts.controls import Control, initial, params
from costlib.charts.theme import hue, reference, titled, usd
from costlib.charts.vega import expression

__all__ = [
    "hits_by_capacity",
    "hits_by_life",
    "prompt_controls",
    "prompt_facts",
    "prompt_point",
    "try_prompt",
]

KTOK: Final = units.TOKENS_PER_KTOK
CONTEXT_K: Final = (4.0, 256.0)
USD_RANGE: Final = (0.001, 10.0)
STEPS: Final = 48
CHAT = ("Mooncake conversation", "Mooncake synthetic")


def hits_by_capacity(rows: pd.DataFrame, *, marks: Mapping[str, float], subtitle: str) -> Any:
    """Hit rate against the size of the cache, a line per trace and rate of sessions.

    `rows` are those of `prefix_hits.csv`; `marks` names sizes in tokens that the reader knows.
    """
    shown = rows[np.isfinite(rows["capacity_tokens"])].assign(
        mtok=lambda frame: frame["capacity_tokens"] / units.TOKENS_PER_MTOK,
        hit=lambda frame: 100 * frame["token_hit_fraction"].round(5),
        line=lambda frame: [
            trace if np.isnan(rate) else f"{rate:,.0f} sessions a day"
            for trace, rate in zip(frame["trace"], frame["sessions_per_day"], strict=True)
        ],
    )
    low, high = 0.25, 300.0
    shown = shown[shown["mtok"].between(low, high)]
    x = alt.X(
        "mtok:Q",
        title="Cache (million tokens, logarithmic)",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
    ).axis(values=[0.3, 1, 3, 10, 30, 100, 300], format="~g")
    y = alt.Y("hit:Q", title="Input tokens found in the cache (%)").scale(domain=[0, 100])
    tokens = {trace: "ochre" if trace == CHAT[0] else "violet" for trace in CHAT}
    names = list(dict.fromkeys(shown["line"]))
    color = alt.Color(
        "line:N",
        scale=alt.Scale(domain=names, range=[hue(tokens.get(name, "blue")) for name in names]),
        legend=None,
    )
    lines = (
        alt.Chart(shown[["mtok", "hit", "line"]])
        .mark_line(point={"size": 28}, clip=True)
        .encode(x, y, color)
    )
    labels, busiest = [], rows["sessions_per_day"].max()
    for name, part in shown.sort_values("mtok").groupby("line", sort=False):
        if name in tokens:
            place, side = len(part) - 1, "end"
        elif part["sessions_per_day"].iloc[0] == busiest:  # agents' lines end together
            place, side = int(np.argmax(part["hit"].to_numpy() > 80)), "after"
        else:
            place, side = int(np.argmax(part["hit"].to_numpy() > 50)), "before"
        words = str(name).replace(" sessions", "").split(maxsplit=1)
        labels.append(part.iloc[[place]].assign(side=side, text=[words]))
    named, fields = pd.concat(labels), ["line", "mtok", "hit", "text"]
    ends, rising, late = (
        alt.Chart(named.loc[named["side"] == side, fields]) for side in ("end", "before", "after")
    )
    style: dict[str, Any] = {"lineHeight": 14, "fontWeight": 600, "fontSize": 12}
    texts = [
        drawn.encode(x, y, text="text:N", color=color)
        for drawn in (
            ends.mark_text(align="left", dx=6, dy=-2, **style),
            rising.mark_text(align="right", dx=-5, dy=-9, **style),
            late.mark_text(align="left", dx=8, dy=12, **style),
        )
    ]
    known = [
        reference(size / units.TOKENS_PER_MTOK, name, axis="x") for name, size in marks.items()
    ]
    most = rows.groupby("trace")["token_hit_fraction"].max()
    agents, chats = most.drop(list(CHAT)).max(), most[list(CHAT)]
    return titled(
        alt.layer(*known, lines, *texts),
        title=f"Agents find up to {100 * agents:.0f}\u00a0% of their tokens again, chats "
        f"{100 * chats.min():.0f} to {100 * chats.max():.0f}\u00a0%",
        subtitle=subtitle,
        description="Line chart of the token-weighted hit rate of a cache that drops what was used "
        "longest ago, against its size. "
        + " ".join(
            f"{name}: {part['hit'].iloc[0]:.0f} percent with {part['mtok'].iloc[0]:g} million "
            f"tokens, {part['hit'].iloc[-1]:.0f} with {part['mtok'].iloc[-1]:g} million."
            for name, part in shown.sort_values("mtok").groupby("line", sort=False)
        ),
        height=360,
    )


def hits_by_life(rows: pd.DataFrame, *, subtitle: str) -> Any:
    """Hit rate of agents against the time to live, and what remains for ever.

    `rows` are those of `ttl_hits.csv`.
    """
    endless = float(100 * rows.loc[np.isinf(rows["ttl_s"]), "token_hit_fraction"].iloc[0])
    shown = rows[np.isfinite(rows["ttl_s"])].assign(
        minutes=lambda frame: frame["ttl_s"] / 60,
        hit=lambda frame: (100 * frame["token_hit_fraction"]).round(2),
    )
    low, high = 0.4, 1600.0
    x = alt.X(
        "minutes:Q",
        title="Time to live after the last use (logarithmic)",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
    ).axis(
        values=[0.5, 1, 5, 10, 60, 360, 1440],
        labelExpr="datum.value < 1 ? '30 s' : datum.value < 60 ? datum.value + ' min' : "
        "datum.value / 60 + ' h'",
    )
    y = alt.Y("hit:Q", title="Input tokens found in the cache (%)").scale(domain=[0, 100])
    line = (
        alt.Chart(shown[["minutes", "hit"]])
        .mark_line(color=hue("blue"), point={"size": 45, "color": hue("blue")})
        .encode(x, y)
    )
    sold = shown[shown["minutes"].isin([0.5, 1, 5, 60])].assign(
        text=lambda frame: [f"{value:.0f} %" for value in frame["hit"]]
    )
    words = (
        alt.Chart(sold[["minutes", "hit", "text"]])
        .mark_text(align="left", dx=4, dy=16, color=hue("blue"), fontWeight=600)
        .encode(x, y, text="text:N")
    )
    by_minutes = shown.set_index("minutes")["hit"]
    return titled(
        line + words + reference(round(endless, 2), f"never forgotten: {endless:.0f} %"),
        title=f"Five minutes find {100 * by_minutes[5] / endless:.0f}\u00a0% of what keeping for "
        "ever would",
        subtitle=subtitle,
        description="Line chart of the token-weighted hit rate of Claude Code sessions against the "
        "time to live. "
        + " ".join(
            f"{minutes:g} minutes: {hit:.1f} percent." for minutes, hit in by_minutes.items()
        )
        + f" For ever: {endless:.1f} percent.",
        height=320,
    )


# --- the reader's own ------------------------------------------------------------------------


def prompt_facts(models: Sequence[str]) -> pd.DataFrame:
    """What reading a prompt multiplies and keeps, a row per model whose layers attend alike."""
    rows = []
    for name in models:
        of = catalog.model(name)
        first = of.layers[0]
        alike = {
            (g.n_heads, g.n_kv_heads, g.cached_dim, g.prefill_attended_dim, g.window_tokens)
            for g in of.layers
        }
        if len(alike) > 1 or np.isfinite(first.window_tokens) or first.state_values:
            raise ValueError(f"models: layers of {name} attend in several ways; this chart has one")
        rows.append(
            {
                "model": name,
                "active_params": work.active_params(
                    **catalog.weight_layers(of, active=True), embedding_params=of.head_params
                ),
                "n_layers": sum(group.n_layers for group in of.layers),
                "n_heads": first.n_heads,
                "prefill_attended_dim": first.prefill_attended_dim,
                "n_kv_heads": first.n_kv_heads,
                "cached_dim": first.cached_dim,
            }
        )
    return pd.DataFrame(rows)


def prompt_controls(
    facts: pd.DataFrame,
    rates: Mapping[str, float],
    *,
    model: str,
    cache_bits: float,
    context_tokens: float,
    hit_fraction: float,
    link: str,
    rent_usd_per_h: float,
    input_usd_per_mtok: float,
    read_times: float,
    write_times: float,
) -> tuple[Control, ...]:
    """What the reader can move, starting at the chapter's numbers; `rates` are bytes/s by link."""
    names, links = list(facts["model"]), list(rates)
    if model not in names:
        raise ValueError(f"model must be one of {', '.join(names)}, got {model!r}")
    if link not in links:
        raise ValueError(f"link must be one of {', '.join(links)}, got {link!r}")
    speeds = [rate / units.GB for rate in rates.values()]
    here, hit = context_tokens / KTOK, 100 * hit_fraction
    return (
        Control(
            parameter="model",
            label="Model",
            unit="",
            value=float(names.index(model)),
            options=tuple(float(place) for place in range(len(names))),
            words=tuple(names),
        ),
        Control(
            parameter="cache_bits",
            label="Cache",
            unit="bits",
            value=cache_bits,
            options=tuple(sorted({4.0, 8.0, 16.0, cache_bits})),
        ),
        Control(
            parameter="context_tokens",
            label="Prompt",
            unit="thousand tokens",
            value=here,
            low=min(CONTEXT_K[0], here),
            high=max(CONTEXT_K[1], here),
            step=1,
            scale=KTOK,
        ),
        Control(
            parameter="hit_fraction",
            label="Found in the cache",
            unit="% of the prompt",
            value=hit,
            low=0,
            high=100,
            step=1,
            scale=0.01,
        ),
        Control(
            parameter="link",
            label="Comes from",
            unit="",
            value=float(links.index(link)),
            options=tuple(float(place) for place in range(len(links))),
            words=tuple(
                f"{name}, {speed:g} GB/s" for name, speed in zip(links, speeds, strict=True)
            ),
        ),
        Control(
            parameter="rent_usd_per_h",
            label="GPU rent",
            unit="USD per hour",
            value=rent_usd_per_h,
            low=min(0.5, rent_usd_per_h),
            high=max(12, rent_usd_per_h),
            step=0.1,
        ),
        Control(
            parameter="input_usd_per_mtok",
            label="Input at list",
            unit="USD per million",
            value=input_usd_per_mtok,
            low=min(0.05, input_usd_per_mtok),
            high=max(10, input_usd_per_mtok),
            step=0.05,
        ),
        Control(
            parameter="read_times",
            label="Reading the cache",
            unit="× list",
            value=read_times,
            low=0,
            high=max(1, read_times),
            step=0.01,
        ),
        Control(
            parameter="write_times",
            label="Writing the cache",
            unit="× list",
            value=write_times,
            low=min(1, write_times),
            high=max(2, write_times),
            step=0.05,
        ),
    )


def _axes() -> tuple[Any, Any]:
    doublings = [float(4 * 2**k) for k in range(7)]
    return (
        alt.X(
            "context_k:Q",
            title="Prompt (thousand tokens, logarithmic)",
            scale=alt.Scale(type="log", base=2, domain=list(CONTEXT_K), nice=False),
        ).axis(values=doublings, labelExpr="datum.value + 'K'"),
        alt.Y(
            "usd:Q",
            title="USD per million input tokens (logarithmic)",
            scale=alt.Scale(type="log", domain=list(USD_RANGE), nice=False),
        ).axis(values=[0.001, 0.01, 0.1, 1, 10], format="$~g"),
    )


def try_prompt(
    facts: pd.DataFrame,
    rates: Mapping[str, float],
    controls: Sequence[Control],
    *,
    accelerator: str,
    peak_flop_per_s: float,
    compute_fraction: float,
) -> Any:
    """Cost of input by length, computed anew or partly brought back, beside a list price."""
    moved = {control.parameter: control.expression for control in controls}
    rig = {"peak_flop_per_s": peak_flop_per_s, "compute_fraction": compute_fraction}

    def chosen(values: Sequence[float], by: str) -> str:
        return f"[{', '.join(repr(float(value)) for value in values)}][{by}]"

    def fact(name: str) -> str:
        return chosen(list(facts[name]), "model")

    def seconds(prompt: str, reused: str) -> str:
        return expression(
            reuse.prompt_ready_s,
            moved_bytes=expression(
                kv.group_bytes,
                context_tokens=reused,
                n_layers=fact("n_layers"),
                n_kv_heads=fact("n_kv_heads"),
                cached_dim=fact("cached_dim"),
                bytes_per_value=f"{moved['cache_bits']} / 8",
            ),
            bytes_per_s=chosen(list(rates.values()), "link"),
            prefill_flop=expression(
                work.prefill_flop,
                prompt_tokens=prompt,
                reused_tokens=reused,
                **{
                    name: fact(name)
                    for name in ("active_params", "n_layers", "n_heads", "prefill_attended_dim")
                },
            ),
            **rig,
        )

    def cost(prompt: str, time: str) -> str:
        return expression(
            serving.usd_per_mtok,
            rent_usd_per_h=moved["rent_usd_per_h"],
            tokens_per_s=f"{prompt} / {time}",
        )

    mine, at = moved["context_tokens"], f"datum.context_k * {KTOK!r}"
    hit = moved["hit_fraction"]
    low, high = CONTEXT_K
    x, y = _axes()
    curve = alt.Chart(alt.sequence(0, STEPS + 1, 1, as_="i")).transform_calculate(
        context_k=f"{low!r} * pow({high / low!r}, datum.i / {STEPS})"
    )
    anew = curve.transform_calculate(seconds=seconds(at, "0")).transform_calculate(
        usd=cost(at, "datum.seconds")
    )
    back = curve.transform_calculate(seconds=seconds(at, f"{hit} * {at}")).transform_calculate(
        usd=cost(at, "datum.seconds")
    )
    anew_line = anew.mark_line(color=hue("ink"), strokeWidth=2, clip=True).encode(x, y)
    mine_line = back.mark_line(color=hue("you"), strokeWidth=3, clip=True).encode(x, y)
    # Names stand a third of the way along, where no other line is.
    named = anew.transform_filter("datum.i == 3").transform_calculate(text="'all computed anew'")
    anew_words = named.mark_text(align="left", dy=-14, fontWeight=600, clip=True).encode(
        x, y, text="text:N"
    )
    listed = alt.Chart(alt.sequence(0, 1, 1, as_="i")).transform_calculate(
        usd="my_list", context_k=repr(low), text="'list, with your multipliers'"
    )
    rule = listed.mark_rule(
        strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted"), clip=True
    ).encode(y=y)
    rule_words = listed.mark_text(
        align="left", baseline="bottom", dx=4, dy=-3, color=hue("muted"), clip=True
    ).encode(x, y, text="text:N")
    here = alt.Chart(alt.sequence(0, 1, 1, as_="i")).transform_calculate(
        context_k="context_tokens", usd="my_usd", text=f"'You: ' + {_usd_words('my_usd')}"
    )
    dot = here.mark_point(
        size=150, color=hue("you"), stroke=hue("page"), strokeWidth=2.5, opacity=1, clip=True
    ).encode(x, y)
    late = "(width < 400 ? context_tokens > 24 : context_tokens > 100)"
    words = here.mark_text(
        align=alt.ExprRef(f"{late} ? 'right' : 'left'"),
        dx=alt.ExprRef(f"{late} ? -8 : 8"),
        dy=alt.ExprRef(f"{late} ? -14 : 20"),
        color=hue("you"),
        fontWeight=700,
        fontSize=14,
        clip=True,
    ).encode(x, y, text="text:N")
    spoken = (
        "'A prompt of ' + context_tokens + 'K takes ' + format(all_s, '.3r') + ' s computed anew '"
        f" + 'and ' + format(my_s, '.3r') + ' s with ' + hit_fraction + ' % brought back: ' + "
        f"{_usd_words('all_usd')} + ' and ' + {_usd_words('my_usd')} + ' per million tokens; the "
        f"list asks ' + {_usd_words('my_list')} + '.'"
    )
    chart = alt.layer(rule, rule_words, anew_line, anew_words, mine_line, dot, words).add_params(
        *params(controls),
        alt.param("all_s", expr=seconds(mine, "0")),
        alt.param("my_s", expr=seconds(mine, f"{hit} * {mine}")),
        alt.param("all_usd", expr=cost(mine, "all_s")),
        alt.param("my_usd", expr=cost(mine, "my_s")),
        alt.param(
            "my_list",
            expr=expression(
                reuse.effective_usd_per_mtok,
                hit_fraction=hit,
                cached_input_usd_per_mtok=f"{moved['read_times']} * input_usd_per_mtok",
                cache_write_usd_per_mtok=f"{moved['write_times']} * input_usd_per_mtok",
            ),
        ),
        alt.param("readout", expr=spoken),
    )
    start = _prompt(facts, rates, rig, **initial(controls))
    return titled(
        chart,
        title="Your prompt: computed anew, or partly brought back?",
        subtitle=f"GPU time of one {accelerator} for input, both axes logarithmic; dotted: what a "
        "vendor’s list asks",
        description="Interactive line chart of the cost of input against the length of the prompt. "
        f"With the chapter's numbers {start['all_s']:.1f} seconds computed anew and "
        f"{start['my_s']:.1f} with the hits; {usd(start['all_usd'])} and {usd(start['my_usd'])} "
        "per million tokens.",
        note="Recomputed in your browser by the library’s own formulas, at "
        f"{100 * compute_fraction:.0f} % of the peak. A GPU is paid while a cache comes back. A "
        "model that needs several GPUs "
        "shares these seconds among them, if each has such a link.",
        height=380,
    )


def _usd_words(signal: str) -> str:
    return f"format({signal}, {signal} < 10 ? '$.3r' : '$,.2f')"


def _prompt(
    facts: pd.DataFrame, rates: Mapping[str, float], rig: Mapping[str, float], **moved: Any
) -> dict[str, Any]:
    """Seconds and cost of prompts, anew and with hits, computed in Python."""
    row = facts.iloc[int(moved["model"])]
    prompt = np.asarray(moved["context_tokens"], dtype=float)
    reading = {
        name: row[name] for name in ("active_params", "n_layers", "n_heads", "prefill_attended_dim")
    }
    found: dict[str, Any] = {}
    for name, share in (("all", 0.0), ("my", moved["hit_fraction"])):
        reused = share * prompt
        found[f"{name}_s"] = reuse.prompt_ready_s(
            moved_bytes=kv.group_bytes(
                reused,
                n_layers=row["n_layers"],
                n_kv_heads=row["n_kv_heads"],
                cached_dim=row["cached_dim"],
                bytes_per_value=moved["cache_bits"] / 8,
            ),
            bytes_per_s=list(rates.values())[int(moved["link"])],
            prefill_flop=work.prefill_flop(prompt, reused_tokens=reused, **reading),
            **rig,
        )
        found[f"{name}_usd"] = serving.usd_per_mtok(
            rent_usd_per_h=moved["rent_usd_per_h"], tokens_per_s=prompt / found[f"{name}_s"]
        )
    found["my_list"] = reuse.effective_usd_per_mtok(
        hit_fraction=moved["hit_fraction"],
        cached_input_usd_per_mtok=moved["read_times"] * moved["input_usd_per_mtok"],
        cache_write_usd_per_mtok=moved["write_times"] * moved["input_usd_per_mtok"],
    )
    return found


def prompt_point(
    facts: pd.DataFrame,
    rates: Mapping[str, float],
    *,
    peak_flop_per_s: float,
    compute_fraction: float,
    **moved: float,
) -> Any:
    """The twin of `try_prompt` for one setting, computed in Python."""
    rig = {"peak_flop_per_s": peak_flop_per_s, "compute_fraction": compute_fraction}
    here = _prompt(facts, rates, rig, **moved)
    contexts = np.geomspace(*CONTEXT_K, STEPS + 1)
    lines = _prompt(facts, rates, rig, **{**moved, "context_tokens": contexts * KTOK})
    x, y = _axes()
    layers = [
        alt.Chart(pd.DataFrame({"context_k": contexts.round(3), "usd": np.round(values, 6)}))
        .mark_line(color=hue(token), strokeWidth=width, clip=True)
        .encode(x, y)
        for values, token, width in (
            (lines["all_usd"], "ink", 2),
            (lines["my_usd"], "you", 3),
        )
    ]
    spoken = (
        f"{here['all_s']:.3g} s anew, {here['my_s']:.3g} s with the hits: "
        f"{usd(float(here['all_usd']))} and {usd(float(here['my_usd']))}; the list asks "
        f"{usd(float(here['my_list']))}"
    )
    return titled(
        alt.layer(*layers),
        title=spoken,
        subtitle=f"{facts['model'].iloc[int(moved['model'])]}; USD per million input tokens",
        description=spoken,
        height=320,
    )
