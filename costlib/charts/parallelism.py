"""Charts of `parallelism`: layouts, links in dollars, rings, and pools of two kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import catalog, kv, layouts, links, machines, roofline, serving, units, work
from costlib.calibration import constants
from costlib.charts.controls import Control, initial, params
from costlib.charts.theme import end_labels, hue, reference, titled, usd
from costlib.charts.vega import expression

__all__ = [
    "costs_by_layout",
    "costs_by_link",
    "group_controls",
    "group_facts",
    "group_point",
    "pairs",
    "pools_by_promise",
    "ring_crossing",
    "try_group",
]

KINDS: Final[Mapping[str, str]] = {
    "tensor": "blue",
    "attention data": "green",
    "pipeline": "ochre",
    "mixed": "muted",
    "alone": "ink",
}
NARROW: Final = 400  # pixels of a plot in which names of links side by side would touch
USD_TICKS: Final = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]


def _usd_axis(
    field: str, low: float, high: float, title: str = "USD per million output tokens"
) -> Any:
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    return alt.Y(field, title=title, scale=scale).axis(values=USD_TICKS, format="$~r")


def _gpus_axis(most: float) -> Any:
    scale = alt.Scale(type="log", base=2, domain=[1, most], nice=False)
    ticks = [2**k for k in range(int(np.log2(most)) + 1)]
    return alt.X("n_accelerators:Q", title="GPUs of one copy", scale=scale).axis(values=ticks)


def costs_by_layout(found: pd.DataFrame, *, subtitle: str) -> Any:
    """Cost against GPUs: every layout that keeps the promise; one line per pure way to cut."""
    kept = found[found["reason"] == layouts.KEPT].copy()
    kept["usd"] = kept["usd_per_mtok"].round(4)
    kept["text"] = [usd(value) for value in kept["usd"]]
    low, high = 0.8 * float(kept["usd"].min()), 1.25 * float(kept["usd"].max())
    most = float(max(kept["n_accelerators"].max(), 2))
    x, y = _gpus_axis(most), _usd_axis("usd:Q", low, high)
    pure = kept[~kept["kind"].isin(["mixed", "alone"])]
    start = [kept[kept["kind"] == "alone"].assign(kind=kind) for kind in pure["kind"].unique()]
    lines = pd.concat([*start, pure]).sort_values("n_accelerators")
    columns = ["n_accelerators", "usd", "kind", "words"]
    color = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=list(KINDS), range=[hue(token) for token in KINDS.values()]),
        legend=None,
    )
    dots = (
        alt.Chart(kept.loc[kept["kind"] == "mixed", columns])
        .mark_point(size=28, color=hue("muted"), opacity=0.7)
        .encode(x, y, tooltip=["words:N", "usd:Q"])
    )
    drawn = (
        alt.Chart(lines[columns])
        .mark_line(point={"size": 50})
        .encode(x, y, color, tooltip=["words:N", "usd:Q"])
    )
    labels = end_labels(
        lines,
        x="n_accelerators",
        y="usd",
        name="kind",
        text="text",
        color=color,
        low=low,
        high=high,
    )
    cheapest = kept.iloc[int(kept["usd"].argmin())]
    widest = kept[kept["kind"].isin(["tensor", "alone"])].sort_values("n_accelerators").iloc[-1]
    return titled(
        dots + drawn + labels,
        title=f"{cheapest['words'][0].upper()}{cheapest['words'][1:]} is cheapest, at "
        f"{usd(cheapest['usd'])}; a tensor group of {widest['n_accelerators']} costs "
        f"{widest['usd'] / cheapest['usd']:.1f} times as much",
        subtitle=subtitle,
        description="Cost of layouts against the number of GPUs, both axes logarithmic. "
        + " ".join(
            f"{kind}: {usd(part['usd'].min())} at best, with "
            f"{part['n_accelerators'].iloc[int(part['usd'].argmin())]} GPUs, "
            f"{usd(part['usd'].iloc[-1])} with {part['n_accelerators'].iloc[-1]}."
            for kind, part in lines.groupby("kind", sort=False)
        ),
        note="Points on no line: layouts that mix two or three ways to cut.",
        height=360,
    )


def costs_by_link(rows: pd.DataFrame, *, subtitle: str) -> Any:
    """Cost against the link, one line per layout. `rows` has link, words and usd_per_mtok."""
    order = list(dict.fromkeys(rows["link"]))
    shown = rows.assign(
        place=[float(order.index(link)) for link in rows["link"]],
        usd=rows["usd_per_mtok"].round(4),
        text=[usd(value) for value in rows["usd_per_mtok"]],
    )
    low, high = 0.8 * float(shown["usd"].min()), 1.25 * float(shown["usd"].max())
    names = list(dict.fromkeys(shown["words"]))
    tokens = ("blue", "violet", "green", "ochre", "teal", "brown")
    color = alt.Color(
        "words:N",
        scale=alt.Scale(domain=names, range=[hue(token) for token in tokens[: len(names)]]),
        legend=None,
    )
    x = alt.X("place:Q", title=None, scale=alt.Scale(domain=[0, len(order) - 1], nice=False)).axis(
        values=list(range(len(order))), tickCount=len(order), labels=False
    )
    two_lines = [name.rsplit(" ", 1) for name in order]
    links_named = (  # in a narrow chart every second name stands lower
        alt.Chart(pd.DataFrame({"place": range(len(order)), "name": two_lines}))
        .mark_text(
            lineHeight=14,
            fontSize=12,
            color=hue("muted"),
            dy=alt.ExprRef(f"width < {NARROW} && datum.place % 2 ? 46 : 18"),
        )
        .encode(x, y=alt.value("height"), text="name:N")
    )
    lines = (
        alt.Chart(shown[["place", "usd", "words"]])
        .mark_line(point={"size": 50})
        .encode(x, _usd_axis("usd:Q", low, high), color)
    )
    labels = end_labels(
        shown, x="place", y="usd", name="words", text="text", color=color, low=low, high=high
    )
    last = shown[shown["place"] == shown["place"].max()].sort_values("usd")
    least, worst = last.iloc[0], last.iloc[-1]
    first = shown[shown["place"] == 0].set_index("words")["usd"]
    return titled(
        lines + links_named + labels,
        title=f"On the slowest link {worst['words']} costs "
        f"{worst['usd'] / first[worst['words']]:.1f} times as much, and {least['words']} "
        f"costs {least['usd'] / first[least['words']]:.2f} times",
        subtitle=f"{subtitle}; logarithmic upwards",
        description="Cost by link, logarithmic upwards. "
        + " ".join(
            f"{name}: {', '.join(part['text'])}."
            for name, part in shown.groupby("words", sort=False)
        ),
        height=360,
    )


def pairs(rows: pd.DataFrame, *, subtitle: str) -> Any:
    """Measured against predicted ratio of two cards that differ in their links."""
    shown = rows.assign(
        gpus=[f"{n:.0f} GPU{'s' if n > 1 else ''}" for n in rows["n_accelerators"]],
        measured=rows["measured"].round(3),
        predicted=rows["predicted"].round(3),
    )
    high = 1.05 * float(shown[["measured", "predicted"]].to_numpy().max())
    names = sorted(shown["gpus"].unique())
    color = alt.Color(
        "gpus:N",
        scale=alt.Scale(
            domain=names, range=[hue(t) for t in ("ink", "teal", "blue", "violet")[: len(names)]]
        ),
        legend=alt.Legend(orient="bottom-right"),
    )
    scale = alt.Scale(domain=[1, high], nice=False, clamp=True)
    equal = (
        alt.Chart(pd.DataFrame({"a": [1, high], "b": [1, high]}))
        .mark_line(strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted"))
        .encode(alt.X("a:Q", scale=scale), alt.Y("b:Q", scale=scale))
    )
    dots = (
        alt.Chart(shown[["predicted", "measured", "gpus", "model"]])
        .mark_point(size=60, filled=True, opacity=0.85)
        .encode(
            alt.X("predicted:Q", title="Predicted", scale=scale),
            alt.Y("measured:Q", title="Measured: times the throughput", scale=scale),
            color,
            tooltip=["model:N", "gpus:N", "predicted:Q", "measured:Q"],
        )
    )
    most = shown[shown["n_accelerators"] == shown["n_accelerators"].max()]
    return titled(
        equal + dots,
        title=f"With {most['n_accelerators'].iloc[0]:.0f} cards the fast link was measured at "
        f"{most['measured'].min():.1f} to {most['measured'].max():.1f} times the throughput",
        subtitle=subtitle,
        description="Scatter of measured against predicted throughput ratios. "
        + " ".join(
            f"{name}: measured {part['measured'].median():.2f}, predicted "
            f"{part['predicted'].median():.2f} in the median of {len(part)}."
            for name, part in shown.groupby("gpus")
        ),
        note="Dotted: where both agree.",
        height=360,
    )


def ring_crossing(*, queries: float, passing_s: float, computing_s: float, subtitle: str) -> Any:
    """One turn of a ring against the queries a device holds: passing a block, attending to it."""
    here = np.geomspace(1, 1e5, 101)
    lines = pd.DataFrame(
        {
            "queries": np.tile(here, 2),
            "ms": np.concatenate([computing_s * here, passing_s * np.ones_like(here)])
            * units.MS_PER_S,
            "name": ["attend to it"] * len(here) + ["pass the block on"] * len(here),
        }
    )
    lines["text"] = [f"{value:.2g} ms" for value in lines["ms"]]
    low, high = float(lines["ms"].min()), 4 * float(lines["ms"].max())  # room for words
    color = alt.Color(
        "name:N",
        scale=alt.Scale(
            domain=["attend to it", "pass the block on"], range=[hue("brown"), hue("violet")]
        ),
        legend=None,
    )
    drawn = (
        alt.Chart(lines[["queries", "ms", "name"]].round({"queries": 3, "ms": 7}))
        .mark_line()
        .encode(
            alt.X(
                "queries:Q",
                title="Queries per GPU (logarithmic)",
                scale=alt.Scale(type="log", domain=[1, 1e5], nice=False),
            ).axis(values=[1, 10, 100, 1000, 10000, 100000], format=","),
            alt.Y(
                "ms:Q",
                title="Milliseconds per turn (logarithmic)",
                scale=alt.Scale(type="log", domain=[low, high], nice=False),
            ).axis(values=[0.001, 0.01, 0.1, 1, 10], format="~r"),
            color,
        )
    )
    labels = end_labels(
        lines, x="queries", y="ms", name="name", text="text", color=color, low=low, high=high
    )
    cross = reference(round(queries, 1), f"{queries:,.0f} queries", axis="x")
    return titled(
        drawn + cross + labels,
        title=f"The mismatch is a number of queries: with {queries:,.0f} per GPU the ring hides "
        "its links",
        subtitle=subtitle,
        description=f"Two lines, both axes logarithmic: passing a block takes "
        f"{passing_s * units.MS_PER_S:.2f} ms whatever happens; attending to it takes "
        f"{computing_s * 1e6:.2f} microseconds for one query. They cross at {queries:,.0f}.",
    )


def pools_by_promise(rows: pd.DataFrame, *, subtitle: str) -> Any:
    """Cost of one pool and of two against the promised speed.

    `rows` has user_tokens_per_s, pool and usd_per_mtok.
    """
    shown = rows[np.isfinite(rows["usd_per_mtok"])].assign(
        usd=rows["usd_per_mtok"].round(4),
    )
    shown["text"] = [usd(value) for value in shown["usd"]]
    low, high = 0.8 * float(shown["usd"].min()), 1.25 * float(shown["usd"].max())
    color = alt.Color(
        "pool:N",
        scale=alt.Scale(domain=["one pool", "two pools"], range=[hue("ink"), hue("blue")]),
        legend=None,
    )
    span = [float(shown["user_tokens_per_s"].min()), float(shown["user_tokens_per_s"].max())]
    lines = (
        alt.Chart(shown[["user_tokens_per_s", "usd", "pool"]])
        .mark_line(point={"size": 40})
        .encode(
            alt.X(
                "user_tokens_per_s:Q",
                title="Promised tokens per second and user",
                scale=alt.Scale(domain=span, nice=False),
            ),
            _usd_axis("usd:Q", low, high),
            color,
        )
    )
    labels = end_labels(
        shown,
        x="user_tokens_per_s",
        y="usd",
        name="pool",
        text="text",
        color=color,
        low=low,
        high=high,
    )
    wide = shown.pivot_table("usd", "user_tokens_per_s", "pool")
    ratio = (wide["one pool"] / wide["two pools"]).dropna()
    return titled(
        lines + labels,
        title=f"Two pools save {100 - 100 / ratio.iloc[0]:.0f}\u00a0% at {ratio.index[0]:g}\u00a0"
        f"tokens/s and {100 - 100 / ratio.iloc[-1]:.0f}\u00a0% at {ratio.index[-1]:g}",
        subtitle=subtitle,
        description="Cost of one pool and of two by promise, logarithmic upwards. "
        + " ".join(
            f"At {speed:g} tokens/s {usd(row['one pool'])} against {usd(row['two pools'])}."
            for speed, row in wide.dropna().iterrows()
        ),
    )


# --- the reader's own ------------------------------------------------------------------------

GROUPS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
SPEEDS, COSTS = (2.0, 1000.0), (0.05, 200.0)


def group_facts(
    models: Sequence[str], *, weight_bits: float, bytes_per_value: float
) -> pd.DataFrame:
    """What a step of each dense model moves and multiplies, a row per model."""
    rows = []
    for name in models:
        of = catalog.model(name)
        group = of.layers[0]
        if len(of.layers) > 1 or group.n_experts:
            raise ValueError(f"models: {name} has layers of several kinds; this chart has one")
        read = work.active_params(
            **catalog.weight_layers(of, active=True), embedding_params=of.head_params
        )
        rows.append(
            {
                "model": name,
                "weight_bytes": work.weight_bytes(n_params=read, weight_bits=weight_bits),
                "token_flop": work.token_flop(active_params=read),
                "token_bytes": kv.sequence_bytes(
                    1, **catalog.cache_layers(of), bytes_per_value=bytes_per_value
                ),
                "hidden_size": of.hidden_size,
                "n_layers": group.n_layers,
                "n_kv_heads": group.n_kv_heads,
            }
        )
    return pd.DataFrame(rows)


def group_controls(
    facts: pd.DataFrame,
    rates: Mapping[str, float],
    *,
    model: str,
    n_clients: float,
    context_tokens: float,
    latency_s: float,
) -> tuple[Control, ...]:
    """What the reader of the live chart can move, starting at the chapter's numbers."""
    names = list(facts["model"])
    if model not in names:
        raise ValueError(f"model must be one of {', '.join(names)}, got {model!r}")
    contexts = sorted({1.0, 4.0, 8.0, 32.0, 128.0, context_tokens / units.TOKENS_PER_KTOK})
    crowd = sorted({1.0, 4.0, 16.0, 64.0, 256.0, n_clients})
    speeds = [rate / units.GB for rate in rates.values()]
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
            parameter="link_bytes_per_s",
            label="Link",
            unit="GB/s",
            value=speeds[0],
            options=tuple(speeds),
            words=tuple(f"{name}, {rate:g} GB/s" for name, rate in zip(rates, speeds, strict=True)),
            scale=units.GB,
        ),
        Control(
            parameter="latency_s",
            label="Latency per sum",
            unit="microseconds",
            value=round(latency_s * 1e6),
            low=0,
            high=max(60, round(latency_s * 1e6)),
            step=1,
            scale=1e-6,
        ),
        Control(
            parameter="n_clients",
            label="Users at once",
            unit="",
            value=n_clients,
            options=tuple(crowd),
            words=tuple(f"{users:g}" for users in crowd),
        ),
        Control(
            parameter="context_tokens",
            label="Context",
            unit="thousand tokens",
            value=context_tokens / units.TOKENS_PER_KTOK,
            options=tuple(contexts),
            scale=units.TOKENS_PER_KTOK,
        ),
    )


def _rig(accelerator: str, rent_usd_per_h: float, arithmetic: str) -> dict[str, float]:
    device, used = catalog.accelerator(accelerator), constants()
    return {
        "memory_bytes_per_s": device.memory_bytes_per_s,
        "peak_flop_per_s": device.peak_flop_per_s[arithmetic],
        "rent_usd_per_h": rent_usd_per_h,
        "bandwidth_fraction": used.bandwidth_fraction,
        "compute_fraction": used.compute_fraction,
        "link_fraction": used.link_fraction,
    }


def _axes() -> tuple[Any, Any]:
    return (
        alt.X(
            "speed:Q",
            title="Tokens per second and user (logarithmic)",
            scale=alt.Scale(type="log", domain=list(SPEEDS), nice=False),
        ).axis(values=[2, 5, 10, 20, 50, 100, 200, 500, 1000]),
        _usd_axis("usd:Q", *COSTS),
    )


def _points(
    facts: pd.DataFrame, accelerator: str, rent_usd_per_h: float, arithmetic: str, **moved: float
) -> pd.DataFrame:
    """Every group size that holds the load: speed of a user, cost, GPUs."""
    row = facts.iloc[int(moved["model"])]
    held = row["token_bytes"] * moved["context_tokens"]
    sizes = np.array(GROUPS)
    memory = catalog.accelerator(accelerator).memory_bytes
    cut = np.minimum(sizes, row["n_kv_heads"])
    fits = row["weight_bytes"] / sizes + moved["n_clients"] * held / cut <= memory
    found = machines.tensor_parallel(
        sizes,
        weight_bytes=row["weight_bytes"],
        sequence_bytes=held,
        token_flop=row["token_flop"],
        hidden_size=row["hidden_size"],
        n_layers=row["n_layers"],
        n_kv_heads=row["n_kv_heads"],
        n_clients=moved["n_clients"],
        link_bytes_per_s=moved["link_bytes_per_s"],
        latency_s=moved["latency_s"],
        fixed_s=row["n_layers"] * constants().layer_s,
        **_rig(accelerator, rent_usd_per_h, arithmetic),
    )
    rows = pd.DataFrame(
        {"gpus": sizes, "speed": found["user_tokens_per_s"], "usd": found["usd_per_mtok"]}
    )
    fitting: pd.DataFrame = rows[fits].reset_index(drop=True)
    return fitting


def try_group(
    facts: pd.DataFrame,
    controls: Sequence[Control],
    *,
    accelerator: str,
    rent_usd_per_h: float,
    arithmetic: str,
) -> Any:
    """Speed and cost of tensor groups of every size, recomputed in the reader's browser."""
    moved = {control.parameter: control.expression for control in controls}

    def fact(name: str) -> str:
        return f"[{', '.join(repr(float(value)) for value in facts[name])}][model]"

    rig = _rig(accelerator, rent_usd_per_h, arithmetic)
    gpus, clients = "datum.gpus", moved["n_clients"]
    held = f"({fact('token_bytes')} * {moved['context_tokens']})"
    cut = f"min({gpus}, {fact('n_kv_heads')})"
    mine_bytes = f"({fact('weight_bytes')} / {gpus} + {clients} * {held} / {cut})"
    step = expression(
        roofline.step_s,
        step_bytes=mine_bytes,
        step_flop=f"{clients} * {fact('token_flop')} / {gpus}",
        **{
            name: rig[name]
            for name in (
                "memory_bytes_per_s",
                "peak_flop_per_s",
                "bandwidth_fraction",
                "compute_fraction",
            )
        },
    )
    summing = expression(
        links.all_reduce_s,
        message_bytes=f"{clients} * {fact('hidden_size')} * {machines.ACTIVATION_BYTES!r}",
        n_accelerators=gpus,
        link_bytes_per_s=moved["link_bytes_per_s"],
        latency_s=moved["latency_s"],
        link_fraction=rig["link_fraction"],
    )
    layers = fact("n_layers")
    whole = f"({step} + 2 * {layers} * {summing} + {layers} * {constants().layer_s!r})"
    cost = expression(
        serving.usd_per_mtok,
        rent_usd_per_h=rent_usd_per_h,
        tokens_per_s=f"{clients} / datum.step",
        n_accelerators=gpus,
    )
    memory = catalog.accelerator(accelerator).memory_bytes
    mine = (
        alt.Chart(pd.DataFrame({"gpus": GROUPS}))
        .transform_filter(f"{mine_bytes} <= {memory!r}")
        .transform_calculate(step=whole)
        .transform_calculate(speed="1 / datum.step", usd=cost)
        .transform_calculate(text="datum.gpus + (datum.gpus == 1 ? ' GPU' : '')")
    )
    x, y = _axes()
    line = mine.mark_line(
        color=hue("you"), strokeWidth=2.5, clip=True, point={"color": hue("you"), "size": 70}
    ).encode(x, y, order="gpus:Q")
    names = mine.mark_text(
        align="left", baseline="top", dx=7, dy=5, color=hue("you"), fontWeight=700, clip=True
    ).encode(x, y, text="text:N")
    told = (
        mine.transform_aggregate(
            fastest="max(speed)", cheapest="min(usd)", fewest="min(gpus)", most="argmax(speed)"
        )
        .transform_calculate(
            told="'Fits from ' + datum.fewest + ' GPUs; fastest with ' + datum.most.gpus + ': ' + "
            "format(datum.fastest, '.3r') + ' tokens/s; cheapest ' + format(datum.cheapest, '$.3r')"
        )
        .mark_text(align="left", baseline="top", lineBreak="; ", color=hue("you"), fontWeight=700)
        .encode(x=alt.value(8), y=alt.value(4), text="told:N")
    )
    start = _points(facts, accelerator, rent_usd_per_h, arithmetic, **initial(controls))
    chapter = (
        alt.Chart(start.round(4))
        .mark_line(color=hue("muted"), strokeDash=[7, 5], strokeWidth=1.75, clip=True)
        .encode(x, y, order="gpus:Q")
    )
    return titled(
        (chapter + line + names + told).add_params(*params(controls)),
        title="Your tensor group: each point doubles the GPUs",
        subtitle="Cost against speed, both logarithmic; dashed: this chapter’s load",
        description="Interactive chart of cost against speed for groups of 1 to 64 GPUs. With the "
        "chapter's load "
        + " ".join(
            f"{row['gpus']:.0f}: {row['speed']:.1f} tokens/s at {usd(row['usd'])}."
            for row in start.to_dict("records")
        ),
        note="Decode only, of a dense model in 8 bits, recomputed in your browser by the library’s "
        "formulas with its calibrated shares of the peaks. Groups that do not hold the load are "
        "left out.",
        height=380,
    )


def group_point(
    facts: pd.DataFrame, *, accelerator: str, rent_usd_per_h: float, arithmetic: str, **moved: float
) -> Any:
    """The twin of `try_group` for one setting, computed in Python."""
    mine = _points(facts, accelerator, rent_usd_per_h, arithmetic, **moved)
    if mine.empty:
        raise ValueError("n_clients: no group of the chart holds so many users")
    fastest = mine.iloc[int(mine["speed"].argmax())]
    spoken = (
        f"Fits from {mine['gpus'].min():.0f} GPUs; fastest with {fastest['gpus']:.0f}: "
        f"{fastest['speed']:.3g} tokens/s; cheapest {usd(float(mine['usd'].min()))}"
    )
    x, y = _axes()
    line = (
        alt.Chart(mine.round(4))
        .mark_line(color=hue("you"), strokeWidth=2.5, clip=True, point=True)
        .encode(x, y, order="gpus:Q")
    )
    return titled(
        line,
        title=spoken,
        subtitle=f"{facts['model'].iloc[int(moved['model'])]}; each point doubles the GPUs",
        description=spoken,
        height=320,
    )
