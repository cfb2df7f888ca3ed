"""Charts of `routing`: what a router recovers, against what it saves, and when that turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import coupling, routers, routing, significance
from costlib.charts.theme import end_labels, hue, reference, titled, usd
from costlib.units import SECONDS_PER_HOUR

__all__ = [
    "BASELINES",
    "baseline_dots",
    "calls_at",
    "frontier_lines",
    "load_lines",
    "loss_lines",
    "question_lines",
    "savings",
]

ROUTER: Final = {  # what a router looks at: its hue, and what it is called
    "random": ("muted", "lots"),
    "length": ("blue", "length"),
    "subject": ("teal", "subject"),
    "oracle": ("ink", "oracle"),
}
BASELINES: Final = {  # what a saving is measured against: its hue
    "strong always": "ink",
    "lots": "muted",
    "length": "blue",
    "subject": "teal",
}
PAIR: Final = "gpt-4-1106-preview"
N_HALVES: Final = 20  # over which a router by subject is averaged


# --- frames ----------------------------------------------------------------------------------


def by_subject(bench: str) -> routers.Curve:
    """The router by subject, averaged over labelled halves."""
    share = np.linspace(0, 1, 101)
    found = [routers.curve(bench, "subject", seed=seed).at(share) for seed in range(N_HALVES)]
    return routers.Curve(strong_fraction=share, recovered=np.mean(found, axis=0))


def curves(bench: str) -> dict[str, routers.Curve]:
    """Routers that a benchmark allows, by what they look at."""
    rows = routers.results().query("bench == @bench")
    found = {"random": routers.chance()}
    if rows["prompt_chars"].notna().all():
        found["length"] = routers.curve(bench, "length")
    if bench == "MMLU":  # of the others, categories are too few or too small to be halved
        found["subject"] = by_subject(bench)
    return found | {"oracle": routers.curve(bench, "oracle")}


def trained(bench: str, *, in_domain: bool) -> pd.DataFrame:
    """Published routers of a benchmark, those that saw its kind of question or the others."""
    rows = routers.published()
    rows = rows[(rows["bench"] == bench) & (rows["strong"] == PAIR)]
    return rows[rows["training"].str.contains("+", regex=False) == in_domain].query(
        "router != 'random'"
    )


def calls_at(rows: pd.DataFrame, recovered: float) -> pd.Series:
    """Strong calls of published routers at a recovered part, between their points and the ends."""
    found = [
        np.interp(recovered, [0, 0.5, 0.8, 1], [0, half, most, 1])
        for half, most in zip(rows["cpt50_fraction"], rows["cpt80_fraction"], strict=True)
    ]
    return pd.Series(found, index=rows.index, dtype=float)


def savings(kept_fraction: float, *, strong_usd: float, weak_usd: float) -> pd.DataFrame:
    """What the best published router saves at a part of the strong score, by its baseline.

    Returns
    -------
        A row per benchmark: part of the gap to recover, `calls` of the best router, of chance, of
        the routers by length and by subject (NaN where there is none), and the saving of cost
        against each of `BASELINES`.
    """
    rows = []
    for bench in ("MT-Bench", "MMLU", "GSM8K"):
        both = routers.outcomes(bench)
        wanted = max(kept_fraction * both["strong_quality"], both["weak_quality"])
        gap = float(
            routing.recovered_share(
                wanted, strong_quality=both["strong_quality"], weak_quality=both["weak_quality"]
            )
        )
        found = curves(bench)
        calls = {
            "strong always": 1.0,
            "lots": gap,
            "length": found["length"].calls(gap) if "length" in found else np.nan,
            "subject": found["subject"].calls(gap) if "subject" in found else np.nan,
        }
        best = float(calls_at(trained(bench, in_domain=True), gap).min())
        cost = float(routing.routed_usd(best, strong_usd=strong_usd, weak_usd=weak_usd))
        saved = {
            name: 1
            - cost / float(routing.routed_usd(share, strong_usd=strong_usd, weak_usd=weak_usd))
            if np.isfinite(share)
            else np.nan
            for name, share in calls.items()
        }
        row: dict[str, Any] = {"bench": bench, "gap": gap, "calls": best}
        row["oracle"] = found["oracle"].calls(gap)
        rows.append(row | {f"calls, {name}": share for name, share in calls.items()} | saved)
    return pd.DataFrame(rows)


# --- still charts ----------------------------------------------------------------------------


def frontier_lines(bench: str, *, strong: str, weak: str) -> Any:
    """Part of the gap recovered against the share of strong calls, a line per router."""
    found = curves(bench)
    grid = np.linspace(0, 1, 101)
    lines = pd.concat(
        [
            pd.DataFrame(
                {
                    "calls": np.round(100 * grid, 2),
                    "recovered": np.round(100 * one.at(grid), 2),
                    "name": name,
                }
            )
            for name, one in found.items()
        ],
        ignore_index=True,
    )
    color = alt.Color(
        "name:N",
        scale=alt.Scale(domain=list(ROUTER), range=[hue(token) for token, _ in ROUTER.values()]),
        legend=None,
    )
    x = (
        alt.X("calls:Q", title=f"Queries that {strong} answers (%)")
        .scale(domain=[0, 100])
        .axis(values=[0, 20, 40, 60, 80, 100])
    )
    top = 20 * np.ceil(lines["recovered"].max() / 20)
    y = alt.Y("recovered:Q", title="Part of the gap between the models recovered (%)").scale(
        domain=[0, top]
    )
    drawn = [
        alt.Chart(part).mark_line(strokeDash=dash).encode(x, y, color)
        for name, part in lines.groupby("name", sort=False)
        for dash in [[1, 4] if name == "oracle" else [7, 5] if name == "random" else [1, 0]]
    ]
    at = {  # where the name stands; that of length lies in its line: no room is beside it
        "random": (0.83, "left", 16),
        "length": (0.6, "center", 4),
        "subject": (0.33, "right", -12),
        "oracle": (0.34, "left", -10),
    }
    spots = [
        {
            "calls": 100 * place,
            "recovered": round(100 * float(found[name].at(place)), 2),
            "words": ROUTER[name][1],
            "token": ROUTER[name][0],
            "align": align,
            "dy": dy,
        }
        for name, (place, align, dy) in at.items()
        if name in found
    ]
    roof = 100 * float(found["oracle"].recovered.max())
    points = []
    for in_domain, token, name in ((True, "magenta", "same kind"),
                                   (False, "brown", "chats")):  # fmt: skip
        rows = trained(bench, in_domain=in_domain)
        spots_of = pd.DataFrame(
            {
                "calls": 100 * np.concatenate([rows["cpt50_fraction"], rows["cpt80_fraction"]]),
                "recovered": [50.0] * len(rows) + [80.0] * len(rows),
            }
        ).round(2)
        spots.append(
            {
                "calls": 36.0,
                "recovered": round(roof, 2),
                "words": f"◇\u00a0{name}",
                "token": token,
                "align": "left",
                "dy": 20 if in_domain else 38,
            }
        )
        points.append(
            alt.Chart(spots_of)
            .mark_point(
                shape="diamond",
                filled=False,
                size=70,
                strokeWidth=1.75,
                color=hue(token),
                opacity=1,
            )
            .encode(x, y)
        )
    words = [mark for spot in spots for mark in _written(spot, x, y)]
    best = trained(bench, in_domain=True)
    least = 100 * float(best["cpt50_fraction"].min())
    plain = {name: 100 * one.calls(0.5) for name, one in found.items()}
    rival = min((name for name in found if name != "oracle"), key=plain.__getitem__)
    return titled(
        alt.layer(*drawn, *points, *words),
        title=f"Half of the gap costs {least:.0f} % strong calls; by {rival} alone, "
        f"{plain[rival]:.0f} %",
        subtitle=f"{strong} and {weak} on {bench}: gap recovered against the share of strong "
        "calls; diamonds: published routers, trained on the same kind of question or on chats",
        description=f"Line chart for {bench}. Calls that recover half of the gap: "
        + ", ".join(f"{ROUTER[name][1]} {value:.0f} percent" for name, value in plain.items())
        + f"; best published router {least:.0f} percent. An oracle reaches "
        f"{100 * found['oracle'].recovered.max():.0f} percent of the gap.",
        height=380,
    )


def _written(spot: Mapping[str, Any], x: Any, y: Any) -> list[Any]:
    """Words beside a line, readable where they cross another."""
    base = alt.Chart(pd.DataFrame([{name: spot[name] for name in ("calls", "recovered", "words")}]))
    side: dict[str, Any] = {
        "align": spot["align"],
        "dx": {"left": 6, "center": 0, "right": -6}[spot["align"]],
        "dy": spot["dy"],
        "fontWeight": 600,
    }
    halo = {"stroke": hue("page"), "strokeWidth": 4, "color": hue("page")}
    return [
        base.mark_text(**side, **ink).encode(x, y, text="words:N")
        for ink in (halo, {"color": hue(spot["token"])})
    ]


def baseline_dots(saved: pd.DataFrame, *, kept: str) -> Any:
    """The saving of `savings`, a dot per benchmark and baseline."""
    rows = saved.melt(
        id_vars="bench", value_vars=list(BASELINES), var_name="against", value_name="saved"
    ).dropna()
    rows["saved"] = (100 * rows["saved"]).round(2)
    rows["text"] = [f"{value:.0f} %".replace("-", "−") for value in rows["saved"]]
    names = [name for name in BASELINES if name in set(rows["against"])]
    color = alt.Color(
        "against:N",
        scale=alt.Scale(domain=names, range=[hue(BASELINES[name]) for name in names]),
        legend=alt.Legend(columns=2, symbolType="circle", labelLimit=300, title=None),
    )
    low = min(-10.0, 10 * np.floor(rows["saved"].min() / 10))
    x = alt.X("saved:Q", title="Cost saved (%)").scale(domain=[low, 100])
    y = alt.Y("bench:N", title=None, sort=list(saved["bench"]))
    offset = alt.YOffset("against:N", sort=names)
    base = alt.Chart(rows)
    dots = base.mark_point(size=110, opacity=1).encode(x, y, color, yOffset=offset)
    sides: list[tuple[str, Any, int]] = [(">=", "left", 9), ("<", "right", -9)]
    words = alt.layer(
        *(
            base.transform_filter(f"datum.saved {sign} 0")
            .mark_text(align=align, dx=dx)
            .encode(x, y, text="text:N", yOffset=offset)
            for sign, align, dx in sides
        )
    )
    zero = alt.Chart(pd.DataFrame({"saved": [0]})).mark_rule(color=hue("control")).encode(x)
    wide = {row["bench"]: row for row in saved.to_dict("records")}
    first, second = "strong always", "lots"
    return titled(
        zero + dots + words,
        title=f"MMLU: {100 * wide['MMLU'][first]:.0f} % saved against always asking GPT-4, "
        f"{100 * wide['MMLU'][second]:.0f} % against drawing lots",
        subtitle=f"What the best published router saves at {kept} of GPT-4’s score, by baseline",
        description="Dot chart of savings. "
        + " ".join(
            f"{bench}: "
            + ", ".join(
                f"{100 * row[name]:.0f} percent against {name}"
                for name in BASELINES
                if np.isfinite(row[name])
            )
            + "."
            for bench, row in wide.items()
        ),
        height=300,
    )


def loss_lines(ways: Mapping[str, tuple[float, float]], *, flip_usd: float, subtitle: str) -> Any:
    """Cost of an answer with its failures against the loss per failure.

    `ways` are cost and score by name, the two models first: weak, strong.
    """
    weak, strong = list(ways)[:2]
    low = 10.0 ** np.floor(np.log10(flip_usd) - 2)
    high = low * 1e5
    loss = np.geomspace(low, high, 101)
    tokens = dict(zip(ways, ("blue", "ink", "teal", "brown"), strict=False))
    frames = []
    for name, (cost, right) in ways.items():
        paid = np.asarray(routing.answer_usd(cost, success_fraction=right, loss_usd=loss))
        frames.append(
            pd.DataFrame(
                {
                    "loss": [float(f"{value:.4g}") for value in loss],
                    "paid": [float(f"{value:.4g}") for value in paid],
                    "name": name,
                }
            )
        )
    rows = pd.concat(frames, ignore_index=True)
    rows["text"] = [usd(value) for value in rows["paid"]]
    color = alt.Color(
        "name:N",
        scale=alt.Scale(domain=list(tokens), range=[hue(token) for token in tokens.values()]),
        legend=None,
    )
    ticks = [float(f"{low * 10**power:.3g}") for power in range(6)]
    money = "'$' + format(datum.value, ',~f')"
    lines = (
        alt.Chart(rows[["loss", "paid", "name"]])
        .mark_line(clip=True, strokeCap="butt")
        .encode(
            alt.X(
                "loss:Q",
                title="Loss per wrong answer (USD, logarithmic)",
                scale=alt.Scale(type="log", domain=[low, high], nice=False),
            ).axis(values=ticks, labelExpr=money),
            alt.Y(
                "paid:Q",
                title="An answer, with its failures (USD, logarithmic)",
                scale=alt.Scale(type="log", domain=[low, 4 * high], nice=False),
            ).axis(values=ticks, labelExpr=money),
            color,
            strokeDash=alt.condition(  # so that the strong model shows where it lies beneath
                "datum.name == 'Router'", alt.value([7, 7]), alt.value([1, 0])
            ),
        )
    )
    labels = end_labels(
        rows, x="loss", y="paid", name="name", text="text", color=color, low=low, high=4 * high
    )
    return titled(
        lines + labels + reference(flip_usd, usd(flip_usd), axis="x"),
        title=f"{weak} is cheaper than {strong} while a wrong answer costs less than "
        f"{usd(flip_usd)}",
        subtitle=subtitle,
        description="Line chart of the cost of an answer with its failures against the loss per "
        f"wrong answer. {weak} and {strong} cross at {flip_usd:.3f} dollars. "
        + " ".join(
            f"{name}: {cost:.5f} dollars, {s:.2f} right." for name, (cost, s) in ways.items()
        ),
        height=360,
    )


def load_lines(
    prices_usd_per_h: Sequence[float],
    *,
    strong_usd: float,
    weak_usd: float,
    load: Mapping[str, float],
    subtitle: str,
) -> Any:
    """Money and time of a request against the share sent to the cheap model."""
    share = np.arange(0, 1.0001, 0.005)
    time_s = coupling.routed_sojourn_s(1 - share, **load)
    money = routing.routed_usd(1 - share, strong_usd=strong_usd, weak_usd=weak_usd)
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "share": np.round(100 * share, 2),
                    "paid": 100 * (money + price / SECONDS_PER_HOUR * np.asarray(time_s)),
                    "name": f"${price:g} an hour",
                }
            )
            for price in prices_usd_per_h
        ],
        ignore_index=True,
    )
    top = 1.6 * float(rows.loc[rows["share"] == 0, "paid"].max())
    shown = rows[np.isfinite(rows["paid"]) & (rows["paid"] <= top)].round({"paid": 4})
    names = list(dict.fromkeys(rows["name"]))
    color = alt.Color(
        "name:N",
        scale=alt.Scale(
            domain=names,
            range=[hue(token) for token in ("ink", "blue", "teal", "brown")[: len(names)]],
        ),
        legend=None,
    )
    x = (
        alt.X("share:Q", title="Requests sent to the cheap model (%)")
        .scale(domain=[0, 100])
        .axis(values=[0, 20, 40, 60, 80, 100])
    )
    y = alt.Y("paid:Q", title="A request with the time it takes (cents)").scale(domain=[0, top])
    starts = shown[shown["share"] == 0]
    best = shown.loc[shown.groupby("name", sort=False)["paid"].idxmin()]
    chart = (
        alt.Chart(shown).mark_line().encode(x, y, color)
        + alt.Chart(best).mark_point(size=80, opacity=1).encode(x, y, color)
        + alt.Chart(starts)
        .mark_text(align="left", dx=4, dy=-8, fontWeight=600)
        .encode(x, y, color, text="name:N")
    )
    work = load["requests_per_s"] * load["weak_service_s"]
    full = 100 * min(np.floor(load["n_weak_servers"]) / work, 1)
    chosen = dict(zip(best["name"], best["share"], strict=True))
    return titled(
        chart,
        title=f"The cheap model is full at {full:.0f} %; dear time wants fewer sent there"
        if full < 100
        else "The cheap model keeps up with all requests: "
        f"best to send {min(chosen.values()):.0f} % there or more",
        subtitle=subtitle,
        description="Line chart of the cost of a request, time included, against the share sent to "
        "the cheap model. Lowest at "
        + ", ".join(f"{place:.0f} percent for {name}" for name, place in chosen.items())
        + ".",
        height=340,
    )


def question_lines(
    differing: Mapping[str, float], *, score: float, sizes: Mapping[str, float], subtitle: str
) -> Any:
    """Questions that show a gap against the gap, paired by share of questions that differ."""
    gap = np.geomspace(0.005, 0.2, 61)
    parts: dict[str, Any] = {
        "others each": lambda gap: significance.n_unpaired_questions(
            score, other_success_fraction=np.minimum(score + gap, 1)
        )
    } | {
        name: lambda gap, differ=differ: significance.n_paired_questions(
            (differ + gap) / 2, only_second_fraction=(differ - gap) / 2
        )
        for name, differ in differing.items()
    }
    # Models that answer differently on a tenth cannot be further apart than that.
    within = {
        name: np.append(gap[gap < differing[name]], min(differing[name], gap[-1]))
        if name in differing
        else gap
        for name in parts
    }
    rows = pd.concat(
        [
            pd.DataFrame(
                {"gap": np.round(100 * within[name], 4), "n": at(within[name]), "name": name}
            )
            for name, at in parts.items()
        ],
        ignore_index=True,
    )
    low, high = 30.0, 200_000.0
    rows["text"] = [f"{n:,.0f}" for n in rows["n"]]
    color = alt.Color(
        "name:N",
        scale=alt.Scale(
            domain=list(parts),
            range=[hue(t) for t in ("ink", "blue", "teal", "brown")[: len(parts)]],
        ),
        legend=None,
    )
    x = alt.X(
        "gap:Q",
        title="True difference (points, logarithmic)",
        scale=alt.Scale(type="log", domain=[0.5, 20], nice=False),
    ).axis(values=[0.5, 1, 2, 3, 5, 10, 20])
    y = alt.Y(
        "n:Q",
        title="Questions needed (logarithmic)",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
    ).axis(values=[100, 1000, 10_000, 100_000], format=",~g")
    lines = alt.Chart(rows[["gap", "n", "name"]]).mark_line(clip=True).encode(x, y, color)
    ended = rows.groupby("name")["gap"].transform("max") < 100 * gap[-1]
    labels = end_labels(
        rows[~ended], x="gap", y="n", name="name", text="text", color=color, low=low, high=high
    )
    early = rows[ended & (rows["gap"] > 4)].groupby("name").head(1)  # below their lines
    named = alt.Chart(early[["gap", "n", "name"]]).mark_text(
        align="right", baseline="top", dx=-8, dy=4, fontWeight=600
    )
    asked = alt.Chart(
        pd.DataFrame(
            [{"gap": 20, "n": n, "words": f"{name}: {n:,.0f}"} for name, n in sizes.items()]
        )
    )
    rules = [
        asked.mark_rule(strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted")).encode(y=y),
        asked.mark_text(align="left", dx=8, dy=-6, color=hue("muted")).encode(x, y, text="words:N"),
    ]
    here = {name: float(at(0.03)) for name, at in parts.items() if within[name].max() >= 0.03}
    least = min(here, key=here.__getitem__)
    return titled(
        alt.layer(lines, labels, named.encode(x, y, color, text="name:N"), *rules),
        title=f"Three points apart: {here['others each']:,.0f} questions each, or "
        f"{here[least]:,.0f} that both answer",
        subtitle=subtitle,
        description="Line chart of the questions needed against the true difference. At three "
        "points: " + ", ".join(f"{n:,.0f} ({name})" for name, n in here.items()) + ".",
        height=360,
    )
