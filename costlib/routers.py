"""Routers on recorded answers: who was right where, and what a router makes of it.

`results` are counts of queries by benchmark, subject, length of the prompt and outcome; a router is
an order in which groups of queries go to the strong model. `read` takes a table of one's own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costlib import routing, tables
from costlib._checks import generator
from costlib._files import csv_rows, printable

__all__ = [
    "ROUTERS",
    "Curve",
    "Scores",
    "ScoresError",
    "cascades",
    "chance",
    "curve",
    "outcomes",
    "published",
    "read",
    "results",
    "summary",
]

ROUTERS: Final = ("random", "length", "subject", "oracle")
SUMS: Final = ["n", "strong_score", "weak_score"]
CHUNK_ROWS: Final = 65_536


# --- recorded answers ------------------------------------------------------------------------


@functools.cache
def results() -> pd.DataFrame:
    """Counts and sums of `data/router_results.csv`, NaN where a benchmark has no such column."""
    return pd.DataFrame(tables.rows("router_results.csv"))


@functools.cache
def published() -> pd.DataFrame:
    """Routers as their makers report them: `data/router_published.csv`."""
    return pd.DataFrame(tables.rows("router_published.csv"))


@functools.cache
def cascades() -> pd.DataFrame:
    """Models and learned cascades on five data sets: `data/cascades.csv`."""
    return pd.DataFrame(tables.rows("cascades.csv"))


def outcomes(bench: str) -> dict[str, float]:
    """Both models on a benchmark.

    Returns
    -------
        `n_questions`, `strong_quality`, `weak_quality`, and the shares of the queries on which
        only one is better: `only_strong_fraction`, `only_weak_fraction`.

    Raises
    ------
    tables.UnknownNameError
        If there is no such benchmark; the message names those that are there.
    """
    rows = _of(bench)
    n = rows["n"].sum()
    better = rows["strong_score"] > rows["weak_score"]
    worse = rows["strong_score"] < rows["weak_score"]
    return {
        "n_questions": float(n),
        "strong_quality": float(rows["strong_score"].sum() / n),
        "weak_quality": float(rows["weak_score"].sum() / n),
        "only_strong_fraction": float(rows.loc[better, "n"].sum() / n),
        "only_weak_fraction": float(rows.loc[worse, "n"].sum() / n),
    }


def _of(bench: str) -> pd.DataFrame:
    rows = results()
    found = rows[rows["bench"] == bench]
    if found.empty:
        known = ", ".join(dict.fromkeys(rows["bench"]))
        raise tables.UnknownNameError(f"no benchmark {bench!r}; there are {known}")
    return found


# --- routers ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A router at every threshold: share of strong calls, and part of the gap recovered."""

    strong_fraction: NDArray[np.float64]  # from 0 to 1
    recovered: NDArray[np.float64]  # from 0 to 1; above 1 where it beats the strong model

    @property
    def area(self) -> float:
        """APGR: the recovered part, averaged over all shares."""
        return float(np.trapezoid(self.recovered, self.strong_fraction))

    def calls(self, recovered: float) -> float:
        """CPT: smallest share of strong calls that recovers so much, between the points."""
        reached = self.recovered >= recovered - 1e-12
        place = int(np.argmax(reached))
        if not reached.any() or place == 0:
            return 0.0 if reached.any() else math.inf
        low, high = self.recovered[place - 1], self.recovered[place]
        part = (recovered - low) / (high - low)
        x = self.strong_fraction
        return float(x[place - 1] + part * (x[place] - x[place - 1]))

    def at(self, strong_fraction: Any) -> Any:
        """Part recovered at shares of strong calls."""
        return np.interp(strong_fraction, self.strong_fraction, self.recovered)


def chance() -> Curve:
    """The router that draws lots."""
    ends = np.array([0.0, 1.0])
    return Curve(strong_fraction=ends, recovered=ends)


def curve(bench: str, router: str, *, trained_on: str = "", seed: int = 0) -> Curve:
    """A router on a benchmark.

    Parameters
    ----------
    bench
        A benchmark of `results`.
    router
        `random`; `length`: long prompts to the strong model first; `subject`: first the subjects
        where a labelled half of the queries shows the larger gain, tried on the other half;
        `oracle`: it knows who will be right, and is made to reach every share.
    trained_on
        A benchmark whose lengths set the order of `length` instead: how far they, there, told
        apart what the strong model gains. Empty for the rule that long prompts go first.
    seed
        Of the half that is labelled.

    Raises
    ------
    ValueError
        If the router is unknown, or the benchmark lacks what it looks at.
    """
    generator(seed)
    if router not in ROUTERS:
        raise ValueError(f"router must be one of {', '.join(ROUTERS)}, got {router!r}")
    rows = _of(bench)
    if router == "random":
        return chance()
    if router == "oracle":
        gain = (rows["strong_score"] - rows["weak_score"]) / rows["n"]
        return _cumulated(rows, gain)
    if router == "length":
        if rows["prompt_chars"].isna().any():
            raise ValueError(f"{bench} has no lengths; router must be another than 'length'")
        groups = rows.groupby("prompt_chars")[SUMS].sum().reset_index()
        return _cumulated(groups, _length_gain(groups, trained_on))
    if rows["subject"].nunique() < 2:
        raise ValueError(f"{bench} has no subjects; router must be another than 'subject'")
    shown, hidden = _halves(rows, seed)
    seen = shown.groupby("subject")[SUMS].sum()
    gain = (seen["strong_score"] - seen["weak_score"]) / np.maximum(seen["n"], 1)
    groups = hidden.groupby("subject")[SUMS].sum()
    return _cumulated(groups, gain.reindex(groups.index).fillna(0.0))


def _length_gain(groups: pd.DataFrame, trained_on: str) -> pd.Series:
    if not trained_on:
        return groups["prompt_chars"]
    other = _of(trained_on).groupby("prompt_chars")[SUMS].sum().reset_index()
    gain = (other["strong_score"] - other["weak_score"]) / other["n"]
    found = np.interp(groups["prompt_chars"], other["prompt_chars"], gain)
    return pd.Series(found, index=groups.index)


def _halves(rows: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every query in one of two halves by chance; rows hold queries of one outcome."""
    drawn = generator(seed).binomial(rows["n"].astype(int), 0.5)
    part = drawn / rows["n"].to_numpy()
    sums = rows[SUMS].to_numpy()
    first = pd.DataFrame(sums * part[:, None], columns=SUMS).assign(
        subject=rows["subject"].to_numpy()
    )
    rest = pd.DataFrame(sums * (1 - part)[:, None], columns=SUMS).assign(
        subject=rows["subject"].to_numpy()
    )
    return first, rest


def _cumulated(groups: pd.DataFrame, order: pd.Series) -> Curve:
    """Groups to the strong model one after another, the highest first; within one by chance."""
    first = np.argsort(-order.to_numpy(dtype=float), kind="stable")
    rows = groups.iloc[first]
    n = rows["n"].to_numpy(dtype=float)
    gain = (rows["strong_score"] - rows["weak_score"]).to_numpy(dtype=float)
    share = np.concatenate([[0.0], np.cumsum(n) / n.sum()])
    found = np.concatenate([[0.0], np.cumsum(gain) / gain.sum()])
    return Curve(strong_fraction=np.minimum(share, 1.0), recovered=found)


# --- a table of one's own --------------------------------------------------------------------


class ScoresError(ValueError):
    """A table of scores cannot be read; one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Every model's score and cost on the same queries."""

    name: str
    models: tuple[str, ...]
    scores: NDArray[np.float64]  # query by model, from 0 to 1
    costs_usd: NDArray[np.float64]  # query by model


def read(path: str | Path) -> Scores:
    """Read a CSV with columns `query` and, per model, `score MODEL` and `cost_usd MODEL`.

    Parameters
    ----------
    path
        The file, in UTF-8. A score is a share from 0 to 1: right or wrong, or a mark over the
        highest mark. Other columns are passed over; of a query nothing is kept.

    Raises
    ------
    ScoresError
        If the file is missing, empty, not UTF-8, lacks a column, has fewer than two models, or a
        cell that does not fit. The message is one line and names file, line and column.
    """
    with csv_rows(path, ScoresError) as rows:
        return _scores(str(path), rows)


def _scores(name: str, rows: Iterator[tuple[int, list[str]]]) -> Scores:
    _, names = next(rows)
    places = _places(name, names)
    blocks: list[NDArray[np.float64]] = []
    cells: list[list[float]] = []
    columns = [(place, names[place]) for pair in places.values() for place in pair]
    for line, row in rows:
        if len(row) != len(names):
            raise ScoresError(f"{name}, line {line}: expected {len(names)} cells, got {len(row)}")
        cells.append([_cell(name, line, column, row[place]) for place, column in columns])
        if len(cells) == CHUNK_ROWS:
            blocks.append(np.array(cells))
            cells = []
    if cells:
        blocks.append(np.array(cells))
    if not blocks:
        raise ScoresError(f"{name}: has no row below its header")
    values = np.concatenate(blocks)
    return Scores(
        name=printable(Path(name).name),
        models=tuple(places),
        scores=values[:, 0::2],
        costs_usd=values[:, 1::2],
    )


def _places(name: str, names: list[str]) -> dict[str, tuple[int, int]]:
    """Where each model's score and cost stand."""
    shown = ", ".join(repr(each[:40]) for each in names[:6])
    if "query" not in names:
        raise ScoresError(f"{name}: lacks the column query; found {shown}")
    found: dict[str, dict[str, int]] = {"score": {}, "cost_usd": {}}
    for place, column in enumerate(names):
        kind, _, model = column.partition(" ")
        if kind in found and model:
            found[kind][model] = place
    for kind, other in (("score", "cost_usd"), ("cost_usd", "score")):
        if alone := [model for model in found[kind] if model not in found[other]]:
            raise ScoresError(f"{name}: lacks the column '{other} {alone[0]}'")
    if len(found["score"]) < 2:
        raise ScoresError(
            f"{name}: needs two models, each with 'score MODEL' and 'cost_usd MODEL'; found {shown}"
        )
    return {model: (found["score"][model], found["cost_usd"][model]) for model in found["score"]}


def _cell(name: str, line: int, column: str, text: str) -> float:
    is_score = column.startswith("score ")
    expected = "a number from 0 to 1" if is_score else "a number of at least 0"
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 <= value <= 1 if is_score else 0 <= value < math.inf):
        got = repr(text.strip()[:40])
        raise ScoresError(f"{name}, line {line}, column {column!r}: expected {expected}, got {got}")
    return value


def summary(scores: Scores, *, loss_usd: float = 0.0) -> dict[str, Any]:
    """What a table says of its models, of the best pair, and of a router between them.

    Parameters
    ----------
    scores
        A table of one's own.
    loss_usd
        What a wrong answer costs.

    Returns
    -------
        `models`: a row per model (score, cost, cost with losses); `strong` and `weak`: the best
        model and, among the cheaper ones, that which the best router would pair with it;
        their costs and the shares `only_strong_fraction`, `only_weak_fraction` (`weak` is None, and
        there is nothing to route to, where the best model is the cheapest); `oracle_usd` and
        `oracle_quality`: asking for every query the cheapest model with the best score.
    """
    quality, usd = scores.scores.mean(axis=0), scores.costs_usd.mean(axis=0)
    frame = pd.DataFrame(
        {
            "model": scores.models,
            "quality": quality,
            "usd": usd,
            "answer_usd": routing.answer_usd(usd, success_fraction=quality, loss_usd=loss_usd),
        }
    )
    best = scores.scores.max(axis=1, keepdims=True)
    cheapest = np.where(scores.scores >= best, scores.costs_usd, np.inf).min(axis=1)
    found: dict[str, Any] = {
        "n": len(scores.scores),
        "models": frame,
        "oracle_quality": float(best.mean()),
        "oracle_usd": float(cheapest.mean()),
    }
    strong = int(np.lexsort((usd, -quality))[0])
    cheaper = np.flatnonzero(usd < usd[strong])
    if not cheaper.size:
        return found | {"strong": scores.models[strong], "weak": None}
    together = np.maximum(scores.scores[:, cheaper], scores.scores[:, [strong]]).mean(axis=0)
    weak = int(cheaper[np.lexsort((usd[cheaper], -together))[0]])
    first, second = scores.scores[:, strong], scores.scores[:, weak]
    return found | {
        "strong": scores.models[strong],
        "weak": scores.models[weak],
        **_pair(first, second, usd[strong], usd[weak]),
    }


def _pair(
    strong: NDArray[np.float64], weak: NDArray[np.float64], strong_usd: float, weak_usd: float
) -> Mapping[str, float]:
    """Arguments of the formulas of `routing`; marks between 0 and 1 count for their difference."""
    return {
        "strong_quality": float(strong.mean()),
        "weak_quality": float(weak.mean()),
        "strong_usd": float(strong_usd),
        "weak_usd": float(weak_usd),
        "only_strong_fraction": float(np.maximum(strong - weak, 0).mean()),
        "only_weak_fraction": float(np.maximum(weak - strong, 0).mean()),
        "n_only_strong": float((strong > weak).sum()),
        "n_only_weak": float((strong < weak).sum()),
    }
