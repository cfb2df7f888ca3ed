"""Charts of `training_and_tuning`: laws, lives, what serving saves, a run's price, tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import laws
from costlib._words import RAISED, scientific
from costlib.charts.theme import end_labels, hue, line_colours, reference, rounded, titled, usd
from costlib.tenants import WAYS

__all__ = [
    "law_lines",
    "life_lines",
    "ratio_lines",
    "run_bars",
    "saving_lines",
    "scientific",
    "tenant_lines",
    "trillions",
]

LAWS: Final[Mapping[str, tuple[str, str]]] = {  # name of the table: words, colour
    "Kaplan": ("Kaplan", "teal"),
    "Hoffmann printed": ("Hoffmann", "magenta"),
    "Refit": ("Refit", "ink"),
}
BESIDE: Final = ("left", 7, 0)  # of its dot a name starts at the right
PLACES: Final[Mapping[str, tuple[str, int, int]]] = {  # or where it is free: align, dx, dy
    "GPT-3": ("right", -7, 0),
    "Gopher": ("right", -5, 11),
    "Chinchilla": ("right", -5, -11),
    "Llama 2 7B": ("center", 0, -11),
    "Llama 3.1 70B": ("center", 0, -11),
    "Llama 3.1 405B": ("right", 0, -11),
}
EXPONENT: Final = "round(log(datum.value) / LN10)"
POWER_LABEL: Final = (  # 10²³ of 1e23, on an axis
    f"'10' + ({EXPONENT} > 9 ? '{RAISED}'[floor({EXPONENT} / 10)] : '') + "
    f"'{RAISED}'[{EXPONENT} % 10]"
)
DEMANDS: Final = ("ink", "blue", "teal", "violet")
TENANTS: Final = dict(zip(WAYS, ("magenta", "ochre", "blue", "ink"), strict=True))


def _powers(title: str, field: str, low: float, high: float, axis: str = "x", **more: Any) -> Any:
    channel = alt.X if axis == "x" else alt.Y
    return channel(
        f"{field}:Q", title=title, scale=alt.Scale(type="log", domain=[low, high], nice=False)
    ).axis(**more)


def _clear(chart: alt.Chart, *, color: str, **how: Any) -> list[alt.Chart]:
    """Words that stay readable where a line runs beneath them."""
    page = hue("page")
    return [
        chart.mark_text(color=page, stroke=page, strokeWidth=4, **how),
        chart.mark_text(color=color, **how),
    ]


def trillions(tokens: float) -> str:
    """Tokens in words: 0.1T, 4.1T.

    >>> trillions(4.1e12), trillions(1e15)
    ('4.1T', '1,000T')
    """
    return f"{float(f'{tokens / 1e12:.2g}'):,g}T"


def law_lines(runs: pd.DataFrame, *, budget_flop: float, subtitle: str) -> Any:
    """Tokens per parameter that three laws give a budget, and what was trained."""
    first = min(22, int(np.floor(np.log10(budget_flop))))
    last = max(26, int(np.ceil(np.log10(budget_flop))))
    budgets = np.logspace(first, last, 51)
    low, high = 0.008, 4_000.0
    rows = pd.concat(
        pd.DataFrame(
            {
                "flop": rounded(budgets),
                "ratio": rounded(laws.allocation(name, budgets)["tokens_per_param"]),
                "name": words,
            }
        )
        for name, (words, _) in LAWS.items()
    ).reset_index(drop=True)
    rows["text"] = [f"{float(f'{value:.2g}'):g}" for value in rows["ratio"]]
    color = line_colours(
        [words for words, _ in LAWS.values()], [token for _, token in LAWS.values()]
    )
    x = _powers(
        "Training budget (FLOP, logarithmic)",
        "flop",
        10.0**first,
        10.0**last,
        labelExpr=POWER_LABEL,
        labelOverlap="greedy",
        labelSeparation=8,
        values=[10.0**n for n in range(first, last + 1)],
    )
    y = _powers(
        "Training tokens per parameter (logarithmic)",
        "ratio",
        low,
        high,
        axis="y",
        values=[0.01, 0.1, 1, 10, 100, 1000],
        format=",~g",
    )
    lines = alt.Chart(rows[["flop", "ratio", "name"]]).mark_line().encode(x, y, color)
    labels = end_labels(
        rows, x="flop", y="ratio", name="name", text="text", color=color, low=low, high=high
    )
    dots = pd.DataFrame(
        {
            "flop": rounded(runs["flop"]),
            "ratio": rounded(runs["tokens_per_param"]),
            "run": runs["name"],
        }
    )
    base = alt.Chart(dots).encode(x, y)
    places = dots["run"].map(lambda run: PLACES.get(run, BESIDE))
    names = [
        mark.encode(x, y, text="run:N")
        for place in dict.fromkeys(places)
        for mark in _clear(
            alt.Chart(dots[places == place]),
            align=place[0],
            dx=place[1],
            dy=place[2],
            fontSize=11,
            color=hue("muted"),
        )
    ]
    here = {
        words: laws.budget_tokens_per_param(budget_flop, name=name)
        for name, (words, _) in LAWS.items()
    }
    times = here["Hoffmann"] / here["Refit"]
    return titled(
        alt.layer(
            reference(budget_flop, "the budget asked for", axis="x"),
            lines,
            base.mark_point(size=55, filled=True, color=hue("blue"), opacity=1),
            *names,
            labels,
        ),
        title=f"The printed law asks for {times:.1f} times the text per parameter "
        "that its refit does",
        subtitle=subtitle,
        description="Line chart of training tokens per parameter against the training budget by "
        f"three scaling laws, with nine published runs as dots. At {scientific(budget_flop)} "
        "FLOP: " + ", ".join(f"{words} {value:.3g}" for words, value in here.items()) + ".",
        height=380,
    )


def life_lines(of: laws.Target, served: Sequence[float], *, served_times: float) -> Any:
    """Training and serving of every size with the loss, a line per demand, the least marked."""
    sizes = np.geomspace(1.05 * _least_size(of), 4 * of.cheapest_params, 81)
    names: list[str] = []
    parts: list[pd.DataFrame] = []
    least: list[dict[str, Any]] = []
    for tokens in served:
        name = f"{trillions(tokens)} served" if tokens else "none served"
        rows = laws.sizes(sizes, of=of, served_tokens=tokens, served_times=served_times)
        best = laws.lives(tokens, of=of, served_times=served_times).iloc[0]
        names.append(name)
        parts.append(
            pd.DataFrame(
                {
                    "size": rounded(rows["n_params"] / 1e9),
                    "flop": rounded(rows["life_flop"] / 1e23),
                    "name": name,
                }
            )
        )
        least.append(
            {
                "size": float(f"{best.n_params / 1e9:.4g}"),
                "flop": float(f"{best.life_flop / 1e23:.4g}"),
                "name": name,
                "label": f"{best.n_params / 1e9:.0f}B",
            }
        )
    high = 4.0 * max(row["flop"] for row in least)
    low = 0.7 * min(row["flop"] for row in least)
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[rows["flop"] <= high]
    rows["text"] = [f"{value:.1f} × 10²³" for value in rows["flop"]]
    color = line_colours(names, DEMANDS)
    x = _powers(
        "Parameters (billion, logarithmic)",
        "size",
        float(rows["size"].min()),
        float(rows["size"].max()),
        values=[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000],
        format="~g",
    )
    y = _powers(
        "Whole life (10²³ FLOP, logarithmic)",
        "flop",
        low,
        high,
        axis="y",
        values=[n * 10.0**e for e in range(-4, 8) for n in (1, 2, 5)],
        format="~g",
    )
    lines = alt.Chart(rows[["size", "flop", "name"]]).mark_line().encode(x, y, color)
    labels = end_labels(
        rows, x="size", y="flop", name="name", text="text", color=color, low=low, high=high
    )
    marks = alt.Chart(pd.DataFrame(least))
    first, last = least[0]["label"], least[-1]["label"]
    return titled(
        alt.layer(
            lines,
            marks.mark_point(size=80, filled=True, opacity=1).encode(x, y, color),
            marks.mark_text(dy=-14, fontWeight=600).encode(x, y, color, text="label:N"),
            labels,
        ),
        title=f"The same loss, ever more served: the cheapest model shrinks from {first} to {last}",
        subtitle="Training and serving of models with the loss of "
        f"{of.n_params / 1e9:.3g}B on {trillions(of.training_tokens)}; the dot is the cheapest"
        + ("" if served_times == 1 else f"; a served FLOP counts {served_times:.3g}"),
        description="Line chart of training and serving together against the size of the model, "
        "at one loss. "
        + " ".join(
            f"{row['name']}: cheapest at {row['label']}, {row['flop']:.3g} × 10²³ FLOP."
            for row in least
        ),
        height=360,
    )


def _least_size(of: laws.Target) -> float:
    """Size below which no text reaches the loss."""
    law = of.law
    return float((law.params_scale / of.gap_loss) ** (1 / law.params_exponent))


def _ends(served: float) -> tuple[float, float]:
    """Ends of the axis of served tokens."""
    return min(1e10, served), max(1e15, served)


def _served_axis(low: float, high: float) -> Any:
    decades = range(round(np.log10(low)), round(np.log10(high)) + 1)
    return _powers(
        "Tokens served (trillion, logarithmic)",
        "served",
        low / 1e12,
        high / 1e12,
        values=[10.0 ** (n - 12) for n in decades],
        format=",~g",
        labelOverlap="greedy",
        labelSeparation=8,
    )


def ratio_lines(of: laws.Target, served_times: Mapping[str, float], *, served: float) -> Any:
    """Tokens per parameter of the cheapest life against what is served; a line per price."""
    across = np.geomspace(*_ends(served), 101)
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "served": rounded(across / 1e12),
                    "ratio": rounded(
                        laws.lives(across, of=of, served_times=times)["tokens_per_param"]
                    ),
                    "name": name,
                }
            )
            for name, times in served_times.items()
        ],
        ignore_index=True,
    )
    rows["text"] = [f"{value:,.0f} : 1" for value in rows["ratio"]]
    plain = of.cheapest_tokens / of.cheapest_params
    low, high = 0.5 * plain, 2 * float(rows["ratio"].max())
    color = line_colours(list(served_times), ("ink", "violet"))
    y = _powers(
        "Training tokens per parameter (logarithmic)",
        "ratio",
        low,
        high,
        axis="y",
        values=[n * 10.0**e for e in range(0, 7) for n in (1, 3)],
        format=",~g",
    )
    x = _served_axis(*_ends(served))
    lines = alt.Chart(rows[["served", "ratio", "name"]]).mark_line().encode(x, y, color)
    labels = end_labels(
        rows,
        x="served",
        y="ratio",
        name="name",
        text="text",
        color=color,
        low=low,
        high=high,
        height=300,
    )
    floor = alt.Chart(
        pd.DataFrame({"ratio": [float(f"{plain:.4g}")], "words": [f"least training: {plain:.3g}"]})
    )
    first = next(iter(served_times.values()))
    here = float(laws.lives(served, of=of, served_times=first).tokens_per_param[0])
    return titled(
        alt.layer(
            lines,
            labels,
            floor.mark_rule(strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted")).encode(y),
            reference(served / 1e12, "here", axis="x"),
            *(
                mark.encode(y, x=alt.value(0), text="words:N")
                for mark in _clear(
                    floor,
                    align="left",
                    baseline="top",
                    dx=4,
                    dy=4,
                    fontSize=12,
                    color=hue("muted"),
                )
            ),
        ),
        title=f"{here:,.0f} tokens per parameter are cheapest at {trillions(served)} served, "
        f"{float(rows['ratio'].iloc[len(across) - 1]):,.0f} at {trillions(across[-1])}",
        subtitle="Cheapest ratio at the stated loss against the tokens that are served",
        description="Line chart of the cheapest training tokens per parameter against served "
        f"tokens. Without serving {plain:.3g}, at {trillions(served)} {here:,.1f}.",
        height=300,
    )


def saving_lines(of: laws.Target, *, served: float, served_times: float) -> Any:
    """What the cheapest life saves over two baselines against what is served."""
    across = np.geomspace(*_ends(served), 101)
    found = laws.lives(across, of=of, served_times=served_times)
    stated = f"{of.n_params / 1e9:.3g}B, {trillions(of.training_tokens)}"
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "served": rounded(across / 1e12),
                    "saved": np.round(100 * found[column], 2),
                    "name": name,
                }
            )
            for name, column in (
                (stated, "saved_fraction"),
                ("least training", "least_saved_fraction"),
            )
        ],
        ignore_index=True,
    )
    rows["text"] = [f"{value:.0f} %" for value in rows["saved"]]
    color = line_colours(list(dict.fromkeys(rows["name"])), ("magenta", "ink"))
    high = 100.0
    y = (
        alt.Y("saved:Q", title="Saved by the cheapest life (% of the whole)")
        .scale(domain=[0, high], nice=False)
        .axis(values=[0, 20, 40, 60, 80, 100])
    )
    x = _served_axis(*_ends(served))
    lines = alt.Chart(rows[["served", "saved", "name"]]).mark_line().encode(x, y, color)
    labels = end_labels(
        rows,
        x="served",
        y="saved",
        name="name",
        text="text",
        color=color,
        low=0,
        high=high,
        height=300,
        log=False,
    )
    here = laws.lives([served, 10 * served], of=of, served_times=served_times)
    one, ten = (100 * here.saved_fraction).tolist()
    return titled(
        alt.layer(lines, labels, reference(served / 1e12, "here", axis="x")),
        title=f"It saves {one:.1f} % at {trillions(served)} served, {ten:.0f} % at ten times that",
        subtitle=f"Against {stated} tokens, and against the size that is cheapest to train to the "
        "same loss",
        description="Line chart of what the cheapest life saves against served tokens. At "
        f"{trillions(served)} {one:.2f} percent against the stated model and "
        f"{100 * here.least_saved_fraction[0]:.2f} percent against the least training.",
        height=300,
    )


def run_bars(steps: Mapping[str, float], *, subtitle: str) -> Any:
    """A run's price built up: what each step adds, in USD, in the order given."""
    rows, total = [], 0.0
    for name, value in steps.items():
        rows.append(
            {
                "step": name,
                "from": float(f"{total / 1e6:.4g}"),
                "to": float(f"{(total + value) / 1e6:.4g}"),
                "text": f"{value / 1e6:,.2f}",
            }
        )
        total += value
    table = pd.DataFrame(rows)
    x = alt.X("from:Q", title="Cost (million USD)").scale(
        domain=[0, 1.25 * total / 1e6], nice=False
    )
    bars = alt.Chart(table).encode(alt.Y("step:N", sort=None, title=None).axis(labelLimit=170), x)
    first = next(iter(steps))
    return titled(
        alt.layer(
            bars.mark_bar(color=hue("blue"), opacity=0.85).encode(x2="to:Q"),
            bars.mark_text(align="left", dx=4, color=hue("ink")).encode(x="to:Q", text="text:N"),
        ),
        title=f"The arithmetic at the peak is {100 * steps[first] / total:.0f} % of what a model "
        "costs before it serves",
        subtitle=subtitle,
        description="Stepped bars of the cost of a model before it serves, in million USD. "
        + " ".join(f"{row['step']}: {row['text']}." for row in rows)
        + f" Together {total / 1e6:.2f}.",
        height=32 * len(rows),
    )


def tenant_lines(rows: pd.DataFrame, *, n_tenants: float, subtitle: str) -> Any:
    """USD a month of one tenant in each way against the number of tenants."""
    long = pd.concat(
        [
            pd.DataFrame({"tenants": rounded(rows["n_tenants"]), "usd": rounded(rows[way])}).assign(
                name=way
            )
            for way in WAYS
        ],
        ignore_index=True,
    )
    long["text"] = [usd(value) for value in long["usd"]]
    low, high = 0.6 * long["usd"].min(), 1.6 * long["usd"].max()
    color = line_colours(WAYS, list(TENANTS.values()))
    x = _powers(
        "Tenants (logarithmic)",
        "tenants",
        float(long["tenants"].min()),
        float(long["tenants"].max()),
        values=[1, 10, 100, 1000],
        format=",",
    )
    y = _powers(
        "Cost of a tenant (USD a month, logarithmic)",
        "usd",
        low,
        high,
        axis="y",
        values=[n * 10.0**e for e in range(-3, 7) for n in (1, 3)],
        format="$,~g",
    )
    lines = alt.Chart(long[["tenants", "usd", "name"]]).mark_line().encode(x, y, color)
    labels = end_labels(
        long,
        x="tenants",
        y="usd",
        name="name",
        text="text",
        color=color,
        low=low,
        high=high,
        height=380,
    )
    near = rows.iloc[int(np.argmin(np.abs(np.log(rows["n_tenants"] / n_tenants))))]
    tuned, own = near["an adapter each"], near["a model each"]
    return titled(
        alt.layer(lines, labels, reference(n_tenants, "here", axis="x")),
        title=f"Sharing one base makes {n_tenants:,.0f} tenants {own / tuned:.0f} times as cheap "
        "as a model each",
        subtitle=subtitle,
        description="Line chart of the monthly cost of a tenant against the number of tenants. At "
        f"{near['n_tenants']:,.0f}: "
        + ", ".join(f"{way} {usd(float(near[way]))}" for way in WAYS)
        + ".",
        height=380,
    )
