"""Charts of `speculative`: what a draft gains, by load, by context and by acceptance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from costlib import deploy, drafts, serve, units
from costlib.charts.controls import Control, initial, params
from costlib.charts.theme import end_labels, hue, reference, rounded, spread, titled
from costlib.charts.vega import expression

__all__ = [
    "acceptance_by_length",
    "best_lengths",
    "draft_controls",
    "draft_point",
    "gain_map",
    "gains",
    "gains_by_load",
    "intensity_by_draft",
    "passes",
    "try_drafts",
]

KTOK = units.TOKENS_PER_KTOK
MOST_SHOWN: Final = 8  # drafted tokens: what the measurements cover
CONTEXTS_K: Final = (1.0, 8.0, 32.0, 128.0)  # of the live chart
GAIN_RANGE: Final = (0.25, 8.0)
FADED, STRONG = 0.05, 0.55  # opacity of a tile that changes nothing, and of the strongest


def passes(
    model: str,
    accelerator: str,
    *,
    prompt_tokens: ArrayLike,
    n_clients: ArrayLike,
    draft_tokens: ArrayLike,
    **layout: Any,
) -> pd.DataFrame:
    """Seconds of a plain step and of a pass over a draft, for every prompt, load and draft.

    `layout` goes to `deploy.scenarios`. Loads that do not fit are left out.
    """
    axes = (prompt_tokens, n_clients, draft_tokens)
    grid = np.meshgrid(*(np.asarray(axis, dtype=float) for axis in axes), indexing="ij")
    prompt, clients, draft = (axis.ravel() for axis in grid)
    load = {"input_tokens": prompt, "n_clients": clients, **layout}
    plain = serve.prediction(deploy.scenarios(model, accelerator, **load))
    checked = serve.prediction(deploy.scenarios(model, accelerator, draft_tokens=draft, **load))
    rows = pd.DataFrame(
        {
            "prompt_tokens": prompt,
            "n_clients": clients,
            "draft_tokens": draft,
            "plain_s": plain.step_s,
            "pass_s": checked.step_s,
        }
    )
    fitting: pd.DataFrame = rows[plain.n_running >= clients].reset_index(drop=True)
    return fitting


def gains(
    rows: pd.DataFrame, *, acceptance_fraction: float, draft_step_fraction: float
) -> pd.DataFrame:
    """The rows of `passes` with `gain`: how many times as fast a token comes with the draft."""
    drafted = drafts.token_s(
        pass_s=rows["pass_s"],
        draft_s=rows["plain_s"] * draft_step_fraction,
        acceptance_fraction=acceptance_fraction,
        draft_tokens=rows["draft_tokens"],
    )
    return rows.assign(gain=rows["plain_s"] / drafted)


def _load_axis(most: float) -> alt.X:
    scale = alt.Scale(type="log", base=2, domain=[1, most], nice=False)
    ticks = [float(4**k) for k in range(int(np.log2(most)) // 2 + 1)]
    return alt.X("n_clients:Q", title="Users served at once", scale=scale).axis(values=ticks)


def gains_by_load(rows: pd.DataFrame, *, subtitle: str, field: str = "acceptance_fraction") -> Any:
    """Gain against the load, one line per acceptance. See `gains`."""
    shown = rows.assign(
        name=[f"{100 * value:.0f} % kept" for value in rows[field]],
        gain=rows["gain"].round(4),
        text=[f"{value:.2f} ×" for value in rows["gain"]],
    )
    high = 1.08 * float(shown["gain"].max())
    most = float(shown["n_clients"].max())
    lines = (
        alt.Chart(shown[["n_clients", "gain", "name"]])
        .mark_line(color=hue("blue"))
        .encode(
            _load_axis(most),
            alt.Y("gain:Q", title="Times as fast as without a draft").scale(domain=[0, high]),
            detail="name:N",
        )
    )
    ends = shown[shown["n_clients"] == most]
    labels = end_labels(  # on one line: the curves end close together
        ends.assign(name=ends["name"] + ": " + ends["text"], text=""),
        x="n_clients",
        y="gain",
        name="name",
        text="text",
        color=alt.Color("name:N", scale=alt.Scale(range=[hue("blue")]), legend=None),
        low=0,
        high=high,
        height=360,
        log=False,
        gap=17,
    )
    alone, crowd = (
        shown[shown["n_clients"] == edge].set_index("name")["gain"] for edge in (1, most)
    )
    return titled(
        lines + reference(1, "as fast as without") + labels,
        title=f"Alone the draft gains up to {alone.max():.1f} times; in the largest crowd "
        f"{(crowd < 1).sum()} of {len(crowd)} lines lie below 1",
        subtitle=subtitle,
        description="Line chart of gain by users served at once. "
        + " ".join(
            f"{name}: {alone[name]:.2f} times alone, {crowd[name]:.2f} with {most:.0f}."
            for name in alone.index
        ),
        height=360,
    )


def gain_map(rows: pd.DataFrame, *, title: str, subtitle: str) -> Any:
    """Gain over context and load, a tile each. `rows` comes from `gains`, with one draft length."""
    strength = np.minimum(np.abs(np.log2(rows["gain"])), 1.0)
    shown = pd.DataFrame(
        {
            "prompt": [f"{value / KTOK:g}K" for value in rows["prompt_tokens"]],
            "users": [f"{value:.0f}" for value in rows["n_clients"]],
            "pays": np.where(rows["gain"] > 1, "faster", "slower"),
            "strength": (FADED + (STRONG - FADED) * strength).round(3),
            "text": [f"{value:.2f}" for value in rows["gain"]],
        }
    )
    across, along = (list(dict.fromkeys(shown[name])) for name in ("prompt", "users"))
    x = alt.X("prompt:N", sort=across, title="Prompt (tokens)").axis(
        labelAngle=0, domain=False, ticks=False, orient="bottom"
    )
    y = alt.Y("users:N", sort=along[::-1], title="Users served at once")
    color = alt.Color(
        "pays:N",
        scale=alt.Scale(domain=["faster", "slower"], range=[hue("teal"), hue("brown")]),
        legend=None,
    )
    tiles = (
        alt.Chart(shown[["prompt", "users", "pays", "strength"]])
        .mark_rect()
        .encode(x, y, color, alt.Opacity("strength:Q", scale=None, legend=None))
    )
    words = (
        alt.Chart(shown[["prompt", "users", "text"]])
        .mark_text(fontSize=12, color=hue("ink"))
        .encode(x=x, y=y, text="text:N")
    )
    ordered = rows.sort_values("gain")
    least, most = ordered.iloc[0], ordered.iloc[-1]

    def told(row: Any) -> str:
        return (
            f"{row['gain']:.2f} with {row['n_clients']:.0f} users at "
            f"{row['prompt_tokens'] / KTOK:g}K"
        )

    return titled(
        tiles + words,
        title=title,
        subtitle=subtitle,
        description=f"Map of the gain by prompt length and load: from {told(least)} to "
        f"{told(most)}; {100 * np.mean(rows['gain'] > 1):.0f} % of the tiles gain.",
        note="Empty: so many users do not fit.",
        height=30 * len(along) + 20,
    )


def intensity_by_draft(rows: pd.DataFrame, ridges: Mapping[str, float]) -> Any:
    """FLOP per byte of cache against the draft, one line per attention, with the roofs.

    `rows` has attention, draft_tokens and flop_per_byte.
    """
    shown = rows.assign(
        intensity=rows["flop_per_byte"].round(2),
        text=[f"{value:,.0f} FLOP/byte" for value in rows["flop_per_byte"]],
    )
    low, high = 0.7 * float(shown["intensity"].min()), 2.0 * float(shown["intensity"].max())
    names = list(dict.fromkeys(shown["attention"]))
    color = alt.Color(
        "attention:N",
        scale=alt.Scale(domain=names, range=[hue("blue"), hue("green")]),
        legend=None,
    )
    lines = (
        alt.Chart(shown[["draft_tokens", "intensity", "attention"]])
        .mark_line(point=True)
        .encode(
            alt.X("draft_tokens:Q", title="Tokens drafted per pass").axis(format="d"),
            alt.Y(
                "intensity:Q",
                title="FLOP per byte of cache",
                scale=alt.Scale(type="log", domain=[low, high], nice=False),
            ).axis(values=[1, 10, 100, 1000, 10000], format=","),
            color,
        )
    )
    labels = end_labels(
        shown,
        x="draft_tokens",
        y="intensity",
        name="attention",
        text="text",
        color=color,
        low=low,
        high=high,
    )
    roofs = pd.DataFrame(
        [
            {"value": value, "words": f"{name}: {value:.0f} FLOP/byte"}
            for name, value in ridges.items()
        ]
    )
    rules = (
        alt.Chart(roofs)
        .mark_rule(strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted"))
        .encode(y="value:Q")
    )
    words = (
        alt.Chart(roofs)
        .mark_text(align="right", baseline="top", dy=5, fontSize=12, color=hue("muted"))
        .encode(x=alt.value("width"), y="value:Q", text="words:N")
    )
    return titled(
        lines + rules + words + labels,
        title="Grouped-query attention checks drafts almost for nothing; latent pays in full",
        subtitle="Arithmetic per byte of 16-bit cache, logarithmic; above the dotted line "
        "arithmetic is the bound",
        description="Line chart, logarithmic upwards. "
        + " ".join(
            f"{name}: {part['intensity'].iloc[0]:.0f} FLOP per byte without a draft, "
            f"{part['intensity'].iloc[-1]:.0f} with {part['draft_tokens'].iloc[-1]:.0f}."
            for name, part in shown.groupby("attention", sort=False)
        )
        + " "
        + " ".join(f"{name}: {value:.0f}." for name, value in ridges.items()),
    )


def acceptance_by_length(rows: pd.DataFrame) -> Any:
    """Acceptance behind measured yields against the draft length, one line per model.

    `rows` has model, draft_tokens and acceptance_fraction; a line is flat where one number serves.
    """
    shown = rows.assign(
        kept=(100 * rows["acceptance_fraction"]).round(2),
        text=[f"{100 * value:.0f} %" for value in rows["acceptance_fraction"]],
    )
    ends = shown.sort_values("draft_tokens").groupby("model")["kept"].agg(["first", "last"])
    named = {str(ends["last"].idxmax()): "blue", str(ends["last"].idxmin()): "brown"}
    low, high = 10 * np.floor(float(shown["kept"].min()) / 10), 100.0
    y = alt.Y("kept:Q", title="Implied acceptance (%)").scale(domain=[low, high])
    x = alt.X("draft_tokens:Q", title="Tokens drafted per pass").axis(format="d")
    columns = ["model", "draft_tokens", "kept"]
    others = shown[~shown["model"].isin(named)]
    thin = (
        alt.Chart(others[columns])
        .mark_line(point={"size": 40, "color": hue("muted")}, color=hue("muted"), strokeWidth=1.5)
        .encode(x, y, detail="model:N")
    )
    last = others.sort_values("draft_tokens").groupby("model", sort=False).tail(1)
    places = spread(list(last["kept"]), low=low, high=high, height=360, log=False, gap=16)
    names = (
        alt.Chart(last[["model", "draft_tokens"]].assign(label_y=rounded(places)))
        .mark_text(align="left", dx=8, fontSize=12, color=hue("muted"))
        .encode(x=x, y="label_y:Q", text="model:N")
    )
    marked = shown[shown["model"].isin(named)]
    color = alt.Color(
        "model:N",
        scale=alt.Scale(domain=list(named), range=[hue(token) for token in named.values()]),
        legend=None,
    )
    bold = alt.Chart(marked[columns]).mark_line(point={"size": 60}).encode(x, y, color)
    labels = end_labels(
        marked,
        x="draft_tokens",
        y="kept",
        name="model",
        text="text",
        color=color,
        low=low,
        high=high,
        log=False,
    )
    return titled(
        thin + bold + names + labels,
        title="Were acceptance one number, these lines would be flat",
        subtitle="Acceptance that explains the measured tokens per pass, "
        f"{shown['model'].nunique()} models on coding prompts",
        description="Line chart of implied acceptance by draft length. "
        + " ".join(
            f"{name}: {end['first']:.0f} percent from drafts of one, {end['last']:.0f} from the "
            "longest."
            for name, end in ends.iterrows()
        ),
        height=360,
    )


def best_lengths(rows: pd.DataFrame) -> Any:
    """Draft length of the fastest token against the load, one line per acceptance.

    `rows` has acceptance_fraction, n_clients and best_draft_tokens.
    """
    shown = rows.assign(
        name=[f"{100 * value:.0f} % kept" for value in rows["acceptance_fraction"]],
        best=rows["best_draft_tokens"],
        text=[f"{value:.0f} drafted" for value in rows["best_draft_tokens"]],
    )
    names = list(dict.fromkeys(shown["name"]))
    tokens = ("teal", "blue", "violet", "ochre")
    color = alt.Color(
        "name:N",
        scale=alt.Scale(domain=names, range=[hue(token) for token in tokens[: len(names)]]),
        legend=None,
    )
    high = 1.05 * float(shown["best"].max())
    lines = (
        alt.Chart(shown[["n_clients", "best", "name"]])
        .mark_line(interpolate="step-after")
        .encode(
            _load_axis(float(shown["n_clients"].max())),
            alt.Y("best:Q", title="Tokens to draft per pass").scale(domain=[0, high]),
            color,
        )
    )
    labels = end_labels(
        shown,
        x="n_clients",
        y="best",
        name="name",
        text="text",
        color=color,
        low=0,
        high=high,
        log=False,
    )
    ends = shown.sort_values("n_clients").groupby("name", sort=False)["best"].agg(["first", "last"])
    return titled(
        lines + labels,
        title="The busier the machine, the shorter the draft that pays",
        subtitle="Draft length of the fastest token, by load; logarithmic across",
        description="Step lines of the best draft length. "
        + " ".join(
            f"{name}: {end['first']:.0f} tokens alone, {end['last']:.0f} at the largest load."
            for name, end in ends.iterrows()
        ),
        height=320,
    )


# --- the reader's own ------------------------------------------------------------------------


def draft_controls(
    *, acceptance_fraction: float, draft_tokens: float, draft_step_fraction: float
) -> tuple[Control, ...]:
    """What the reader of the gain can move, starting at the chapter's numbers."""
    kept, cost = 100 * acceptance_fraction, 100 * draft_step_fraction
    return (
        Control(
            parameter="acceptance_fraction",
            label="Acceptance",
            unit="%",
            value=kept,
            low=min(20, kept),
            high=max(98, kept),
            step=1,
            scale=0.01,
        ),
        Control(
            parameter="draft_tokens",
            label="Draft",
            unit="tokens",
            value=draft_tokens,
            low=1,
            high=MOST_SHOWN,
            step=1,
        ),
        Control(
            parameter="draft_step_fraction",
            label="A draft's step",
            unit="% of the model's",
            value=cost,
            low=0,
            high=max(30, cost),
            step=0.5,
            scale=0.01,
        ),
        Control(
            parameter="prompt_tokens",
            label="Prompt",
            unit="thousand tokens",
            value=CONTEXTS_K[0],
            options=CONTEXTS_K,
            scale=KTOK,
        ),
    )


GAIN_AXIS: Final = alt.Scale(type="log", base=2, domain=list(GAIN_RANGE), nice=False)


def _gain_axis() -> alt.Y:
    return alt.Y(
        "gain:Q", title="Times as fast as without a draft (logarithmic)", scale=GAIN_AXIS
    ).axis(values=[0.25, 0.5, 1, 2, 4, 8], format="~r")


def try_drafts(rows: pd.DataFrame, controls: Sequence[Control], *, subtitle: str) -> Any:
    """The gain with sliders: steps tabulated by the serving model, tokens by the formula.

    `rows` comes from `passes` at the prompts of `draft_controls`.
    """
    table = pd.DataFrame(
        {
            "prompt_tokens": rows["prompt_tokens"] / KTOK,
            "n_clients": rows["n_clients"],
            "draft_tokens": rows["draft_tokens"],
            "plain_ms": [float(f"{1e3 * value:.7g}") for value in rows["plain_s"]],
            "pass_ms": [float(f"{1e3 * value:.7g}") for value in rows["pass_s"]],
        }
    )
    moved = {control.parameter: control.expression for control in controls}
    drafted = expression(
        drafts.token_s,
        pass_s="datum.pass_ms",
        draft_s=f"datum.plain_ms * {moved['draft_step_fraction']}",
        acceptance_fraction=moved["acceptance_fraction"],
        draft_tokens="datum.draft_tokens",
    )
    most = float(table["n_clients"].max())
    x, y = _load_axis(most), _gain_axis()
    mine = (
        alt.Chart(table)
        .transform_filter(
            "datum.prompt_tokens == prompt_tokens && datum.draft_tokens == draft_tokens"
        )
        .transform_calculate(token_ms=drafted)
        .transform_calculate(
            gain="datum.plain_ms / datum.token_ms", saved="datum.plain_ms - datum.token_ms"
        )
    )
    line = mine.mark_line(
        color=hue("you"), strokeWidth=3, clip=True, point={"color": hue("you"), "size": 36}
    ).encode(x, y)
    verdict = (
        mine.transform_window(
            sort=[alt.SortField("n_clients")],
            next_clients="lead(n_clients)",
            next_saved="lead(saved)",
        )
        .transform_calculate(
            paying="datum.saved <= 0 ? 0 : !isValid(datum.next_saved) || datum.next_saved > 0"
            " ? datum.n_clients : floor(datum.n_clients + (datum.next_clients - datum.n_clients)"
            " * datum.saved / (datum.saved - datum.next_saved))"
        )
        .transform_aggregate(paying="max(paying)", best="max(gain)", most="max(n_clients)")
        .transform_calculate(
            text="datum.paying == 0 ? 'Never pays here' : format(datum.best, '.2f') + "
            "' times at best; pays ' + (datum.paying == datum.most ? 'at every load drawn'"
            " : 'to ' + datum.paying + ' users')"
        )
        .mark_text(align="left", baseline="top", color=hue("you"), fontWeight=700, fontSize=13)
        .encode(x=alt.value(8), y=alt.value(4), text="text:N")
    )
    first = initial(controls)
    start = _mine(rows, first)
    chapter = (
        alt.Chart(start[["n_clients", "gain"]].round(4))
        .mark_line(color=hue("muted"), strokeDash=[7, 5], strokeWidth=1.75, clip=True)
        .encode(x, y)
    )
    return titled(
        (chapter + reference(1, "as fast as without") + line + verdict).add_params(
            *params(controls)
        ),
        title="Your draft: up to which load does it pay?",
        subtitle=subtitle,
        description=(
            "Interactive line chart of the gain against the load. With the chapter's numbers "
            f"{start['gain'].iloc[0]:.2f} times alone and {start['gain'].iloc[-1]:.2f} with "
            f"{start['n_clients'].iloc[-1]:.0f} users."
        ),
        note="Steps are tabulated by the serving model; your sliders go through the library’s own "
        "formula in your browser. A point is a load; between two of them the time saved is taken "
        "for a straight line. Loads that do not fit are left out.",
        height=360,
    )


def _mine(rows: pd.DataFrame, setting: Mapping[str, float]) -> pd.DataFrame:
    """Gains of one setting."""
    chosen = rows[
        (rows["prompt_tokens"] == setting["prompt_tokens"])
        & (rows["draft_tokens"] == setting["draft_tokens"])
    ]
    return gains(
        chosen,
        acceptance_fraction=setting["acceptance_fraction"],
        draft_step_fraction=setting["draft_step_fraction"],
    )


def _paying_users(rows: pd.DataFrame) -> float:
    """Most users that gain: between two loads of `gains` the time saved is a straight line."""
    users = rows["n_clients"].to_numpy()
    saved = (rows["plain_s"] * (1 - 1 / rows["gain"])).to_numpy()
    if not (saved > 0).any():
        return 0.0
    last = np.flatnonzero(saved > 0)[-1]
    if last == len(users) - 1:
        return float(users[last])
    step = (users[last + 1] - users[last]) / (saved[last] - saved[last + 1])
    return float(np.floor(users[last] + step * saved[last]))


def draft_point(rows: pd.DataFrame, **moved: float) -> Any:
    """The twin of `try_drafts` for one setting, computed in Python."""
    mine = _mine(rows, moved)
    paying = _paying_users(mine)
    loads = "at every load drawn" if paying == mine["n_clients"].max() else f"to {paying:.0f} users"
    spoken = (
        f"{mine['gain'].max():.2f} times at best; pays {loads}" if paying else "Never pays here"
    )
    line = (
        alt.Chart(mine[["n_clients", "gain"]].round(4))
        .mark_line(color=hue("you"), strokeWidth=3, clip=True)
        .encode(_load_axis(float(rows["n_clients"].max())), _gain_axis())
    )
    return titled(
        line + reference(1, "as fast as without"),
        title=spoken,
        subtitle=f"Drafts of {moved['draft_tokens']:.0f}, "
        f"{100 * moved['acceptance_fraction']:.0f}\u00a0% kept",
        description=spoken,
        height=320,
    )
