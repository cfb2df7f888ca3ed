"""Facts: the tables in `data/`, read once, checked, and turned into base units.

A table keeps its source's own unit; a record holds base units and computes nothing. Reading and
refusing is `costlib.tables`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costlib import units
from costlib.columns import FORMATS, LAYER, SCHEMA
from costlib.lengths import Trace, length_quantiles, traces
from costlib.tables import (
    TableError,
    UnknownNameError,
    by_name,
    data_path,
    frame,
    lookup,
    rows,
)

__all__ = [
    "FORMATS",
    "SCHEMA",
    "Accelerator",
    "Architecture",
    "Engine",
    "Format",
    "LayerGroup",
    "Model",
    "PrefixHit",
    "TableError",
    "Tier",
    "Trace",
    "TtlHit",
    "UnknownNameError",
    "accelerator",
    "accelerators",
    "architecture",
    "architectures",
    "attention_layers",
    "cache_layers",
    "data_path",
    "engine",
    "engines",
    "format_named",
    "formats",
    "frame",
    "length_quantiles",
    "model",
    "models",
    "prefill_layers",
    "prefix_hits",
    "session_growth",
    "state_layers",
    "stated",
    "tiers",
    "trace_results",
    "traces",
    "ttl_hits",
    "weight_layers",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One device: dense peaks by format, true bytes, one-way links. NaN where no source says."""

    name: str
    maker: str
    released: str
    label_bytes: float
    memory_bytes: float
    memory_bytes_per_s: float
    peak_flop_per_s: Mapping[str, float]
    link_bytes_per_s: float
    tdp_w: float
    note: str
    source: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerGroup:
    """Equal layers of a model, as the parameters of the formulas of `kv` and `roofline`."""

    group: str
    n_layers: float
    n_heads: float
    n_kv_heads: float
    cached_dim: float
    attended_dim: float
    prefill_attended_dim: float
    window_tokens: float
    sink_tokens: float
    state_values: float
    mixer_params: float
    dense_params: float
    expert_params: float
    n_experts: float
    top_k: float
    sparse_tokens: float  # cached tokens that a query attends to once a selector has chosen
    index_dim: float  # values per cached token that the selector keeps, and reads every step
    index_heads: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model: what its maker prints, and the layers that its dimensions say."""

    name: str
    maker: str
    released: str
    hidden_size: float
    embedding_params: float
    head_params: float  # output head, tied or not: every token is multiplied with it
    outside_params: float  # in the printed figure, but no part of a text step: a vision tower
    printed_params: str
    printed_active_params: str
    native_bits: float
    max_context_tokens: float
    layers: tuple[LayerGroup, ...]
    note: str
    source: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A way to build attention into the same 80 layers, for comparison like for like."""

    name: str
    colour: str
    exact_recall: bool
    n_params: float
    cache_bits: float
    state_bits: float
    layers: tuple[LayerGroup, ...]
    note: str
    source: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixHit:
    """Share of a trace that a prefix cache of some size finds."""

    trace: str
    sessions_per_day: float  # NaN where the trace has a clock of its own
    block_tokens: float
    capacity_tokens: float
    token_hit_fraction: float
    request_hit_fraction: float
    note: str
    source: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TtlHit:
    """Share of a trace that a prefix cache finds when it forgets after some time."""

    trace: str
    ttl_s: float
    token_hit_fraction: float
    requests_within_fraction: float
    note: str
    source: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A serving engine, as its defaults and the public benchmark scripts set it."""

    name: str
    software: tuple[str, ...]  # what its name starts with in `measured.csv`, in lower case
    stream_interval_tokens: float
    memory_fraction: float
    max_batch: float  # infinite where no default is known
    note: str
    source: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A number format of weights, and the one of the device that multiplies it."""

    name: str
    weight_bits: float
    arithmetic: str
    fallback: str  # where the device lacks the former; empty if it never does
    experts_only: bool  # in mixtures of experts, attention keeps 16 bits
    aliases: tuple[str, ...]
    note: str
    source: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A place that can keep a cache; NaN is what the accelerator alone decides."""

    name: str
    bytes_per_s: float  # the slower of the device and its link
    per_accelerator: bool  # each has one of its own, or all of a machine share one
    capacity_bytes: float
    usd_per_gb_h: float
    read_usd_per_gb: float
    j_per_gb: float
    note: str
    source: str
    as_of: str


# --- the tables ------------------------------------------------------------------------------


@functools.cache
def accelerators(path: Path | None = None) -> Mapping[str, Accelerator]:
    """Every accelerator of the table, by name.

    >>> accelerators()["H100"].memory_bytes_per_s
    3350000000000.0
    """
    return by_name(
        "accelerators.csv",
        (
            Accelerator(
                name=row["name"],
                maker=row["maker"],
                released=row["released"],
                label_bytes=row["memory_label_gb"] * units.GB,
                memory_bytes=row["memory"] * row["memory_unit"],
                memory_bytes_per_s=row["memory_gb_per_s"] * units.GB,
                peak_flop_per_s={
                    name: row[f"{name}_tflop_per_s"] * units.TFLOP for name in FORMATS
                },
                link_bytes_per_s=row["link_gb_per_s"] * units.GB,
                tdp_w=row["tdp_w"],
                note=row["note"],
                source=row["source"],
                as_of=row["as_of"],
            )
            for row in rows("accelerators.csv", path)
        ),
    )


def accelerator(name: str) -> Accelerator:
    """One accelerator; case, spaces and dashes in the name do not matter.

    Raises
    ------
    UnknownNameError
        If there is none; the message names the nearest.

    >>> accelerator("h100").tdp_w
    700.0
    """
    return lookup("accelerator", name, accelerators())


def _group(row: Mapping[str, Any]) -> LayerGroup:
    return LayerGroup(**{column: row[column] for column in LAYER})


@functools.cache
def models(path: Path | None = None, layers_path: Path | None = None) -> Mapping[str, Model]:
    """Every model of the table, by name, with its layer groups.

    Raises
    ------
    TableError
        If a model has no layers, or layers have no model.
    """
    groups: dict[str, list[LayerGroup]] = {}
    for row in rows("layers.csv", layers_path):
        groups.setdefault(row["model"], []).append(_group(row))
    table = rows("models.csv", path)
    names = {row["name"] for row in table}
    if stray := sorted(set(groups) - names):
        raise TableError(f"layers.csv: layers of {stray[0]!r}, which models.csv lacks")
    if bare := sorted(names - set(groups)):
        raise TableError(f"models.csv: {bare[0]!r} has no layers in layers.csv")
    return by_name(
        "models.csv",
        (
            Model(
                name=row["name"],
                maker=row["maker"],
                released=row["released"],
                hidden_size=row["hidden_size"],
                embedding_params=row["embedding_params"],
                head_params=row["vocab_size"] * row["hidden_size"],
                outside_params=row["outside_params"],
                printed_params=row["total_params_b"],
                printed_active_params=row["active_params_b"],
                native_bits=row["native_bits"],
                max_context_tokens=row["max_context_tokens"],
                layers=tuple(groups[row["name"]]),
                note=row["note"],
                source=row["source"],
                as_of=row["as_of"],
            )
            for row in table
        ),
    )


def model(name: str) -> Model:
    """One model; case, spaces and dashes in the name do not matter.

    Raises
    ------
    UnknownNameError
        If there is none; the message names the nearest.
    """
    return lookup("model", name, models())


@functools.cache
def architectures(path: Path | None = None) -> Mapping[str, Architecture]:
    """The ways to build attention into one 70B model, by name."""
    groups: dict[str, list[LayerGroup]] = {}
    heads: dict[str, dict[str, Any]] = {}
    for row in rows("architectures.csv", path):
        groups.setdefault(row["name"], []).append(_group(row))
        heads.setdefault(row["name"], row)
    return by_name(
        "architectures.csv",
        (
            Architecture(
                name=name,
                colour=row["colour"],
                exact_recall=row["exact_recall"],
                n_params=row["n_params_b"] * 1e9,
                cache_bits=row["cache_bits"],
                state_bits=row["state_bits"],
                layers=tuple(groups[name]),
                note=row["note"],
                source=row["source"],
                as_of=row["as_of"],
            )
            for name, row in heads.items()
        ),
    )


def architecture(name: str) -> Architecture:
    """One architecture of the 70B comparison.

    Raises
    ------
    UnknownNameError
        If there is none; the message names the nearest.
    """
    return lookup("architecture", name, architectures())


def stated(table: str, path: Path | None = None) -> dict[str, float]:
    """Values of a table of single published numbers, by their quantity."""
    return {row["quantity"]: row["value"] for row in rows(table, path)}


def prefix_hits(path: Path | None = None) -> tuple[PrefixHit, ...]:
    """Hit rates of prefix caches against their size."""
    return tuple(PrefixHit(**row) for row in rows("prefix_hits.csv", path))


def trace_results(setup: str = "", path: Path | None = None) -> pd.DataFrame:
    """What replays of recorded requests came to, row by row; only of set-ups that start so.

    Raises
    ------
    UnknownNameError
        If no set-up does; the message lists those there are.
    """
    found = pd.DataFrame(rows("trace_results.csv", path))
    chosen = found[found["setup"].str.startswith(setup)]
    if chosen.empty:
        known = "; ".join(sorted(set(found["setup"])))
        raise UnknownNameError(f"no replays with a set-up {setup!r}; there are: {known}")
    return chosen.reset_index(drop=True)


def ttl_hits(path: Path | None = None) -> tuple[TtlHit, ...]:
    """Hit rates of prefix caches against their time to live."""
    return tuple(TtlHit(**row) for row in rows("ttl_hits.csv", path))


@functools.cache
def session_growth(quantity: str, turn: float = 0, path: Path | None = None) -> Mapping[str, float]:
    """Statistics of a quantity of recorded agent sessions by their names, and `n`.

    Raises
    ------
    UnknownNameError
        If there is none for that turn; 0 stands for all turns.

    >>> session_growth("n_turns")["p50"]
    45.0
    """
    table = rows("session_growth.csv", path)
    found = [row for row in table if (row["quantity"], row["turn"]) == (quantity, turn)]
    if not found:
        known = ", ".join(sorted({row["quantity"] for row in table}))
        raise UnknownNameError(f"no {quantity!r} at turn {turn:g}; there are {known}")
    return {"n": found[0]["n"], **{row["statistic"]: row["value"] for row in found}}


@functools.cache
def engines(path: Path | None = None) -> Mapping[str, Engine]:
    """Serving engines by name."""
    return by_name("engines.csv", (Engine(**row) for row in rows("engines.csv", path)))


def engine(name: str) -> Engine:
    """One serving engine, by its name or what `measured.csv` calls it.

    Raises
    ------
    UnknownNameError
        If there is none; the message names the nearest.

    >>> engine("trtllm").name
    'TensorRT-LLM'
    """
    found = engines()
    others = {short: one for one in found.values() for short in one.software}
    return lookup("engine", name, {**others, **found})


@functools.cache
def formats(path: Path | None = None) -> Mapping[str, Format]:
    """Number formats of weights by name."""
    return by_name("formats.csv", (Format(**row) for row in rows("formats.csv", path)))


def format_named(name: str) -> Format:
    """One number format, by its name or an alias.

    Raises
    ------
    UnknownNameError
        If there is none; the message names the nearest.

    >>> format_named("fp4").weight_bits
    4.5
    """
    found = formats()
    others = {alias: one for one in found.values() for alias in one.aliases}
    return lookup("format", name, {**others, **found})


@functools.cache
def tiers(path: Path | None = None) -> Mapping[str, Tier]:
    """Places that can keep a cache, by name, from the accelerator outwards.

    Raises
    ------
    TableError
        If a tier names a link that `links.csv` lacks.

    >>> [name for name, tier in tiers().items() if not tier.per_accelerator]
    ['Shared storage', 'Memory in another zone']
    """
    links = {row["name"]: row["gb_per_s"] for row in rows("links.csv")}
    table = rows("tiers.csv", path)
    if stray := [row["link"] for row in table if row["link"] and row["link"] not in links]:
        raise TableError(f"tiers.csv: link {stray[0]!r}, which links.csv lacks")
    return by_name(
        "tiers.csv",
        (
            Tier(
                name=row["name"],
                bytes_per_s=float(np.fmin(row["gb_per_s"], links.get(row["link"], np.nan)))
                * units.GB,
                per_accelerator=row["per_accelerator"],
                capacity_bytes=row["capacity_gb"] * units.GB,
                usd_per_gb_h=row["usd_per_gb_h"],
                read_usd_per_gb=row["read_usd_per_gb"],
                j_per_gb=row["j_per_gb"],
                note=row["note"],
                source=row["source"],
                as_of=row["as_of"],
            )
            for row in table
        ),
    )


# --- layer groups as arguments of the formulas -------------------------------------------------

_WINDOW: Final = ("window_tokens", "sink_tokens")
_CACHE: Final = ("n_layers", "n_kv_heads", "cached_dim", *_WINDOW, "state_values")
_ATTENTION: Final = ("n_layers", "n_heads", "attended_dim", *_WINDOW)
_PREFILL: Final = ("n_layers", "n_heads", "prefill_attended_dim", *_WINDOW, "state_values")
_STATE: Final = ("n_layers", "state_values")
_WEIGHTS: Final = ("n_layers", "mixer_params", "dense_params", "expert_params")

Arrays = dict[str, NDArray[np.float64]]


def _columns(of: Model | Architecture, names: Iterable[str]) -> Arrays:
    return {name: np.array([getattr(group, name) for group in of.layers]) for name in names}


def cache_layers(of: Model | Architecture) -> Arrays:
    """Layer arguments of `kv.sequence_bytes`."""
    return _columns(of, _CACHE)


def attention_layers(of: Model | Architecture) -> Arrays:
    """Layer arguments of `work.attention_flop`."""
    return _columns(of, _ATTENTION)


def prefill_layers(of: Model | Architecture) -> Arrays:
    """Layer arguments of `work.prefill_flop`."""
    return _columns(of, _PREFILL)


def state_layers(of: Model | Architecture) -> Arrays:
    """Layer arguments of `work.state_flop`."""
    return _columns(of, _STATE)


def weight_layers(of: Model | Architecture, *, active: bool = False) -> Arrays:
    """Layer arguments of `work.total_params`, or of `work.active_params`."""
    return _columns(of, (*_WEIGHTS, "top_k" if active else "n_experts"))
