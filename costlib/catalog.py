"""Facts: the tables in `data/`, read once, checked, and turned into base units.

A table keeps its source's own unit; a record holds base units and computes nothing. What is
wrong with a table is said with file, line and column; an unknown name with its nearest names.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costlib import units

__all__ = [
    "Accelerator",
    "ApiPrice",
    "Architecture",
    "LayerGroup",
    "Model",
    "TableError",
    "UnknownNameError",
    "accelerator",
    "accelerators",
    "api_price",
    "api_prices",
    "architecture",
    "architectures",
    "attention_layers",
    "cache_layers",
    "data_path",
    "frame",
    "model",
    "models",
    "prefill_layers",
    "state_layers",
    "weight_layers",
]

FORMATS: Final = ("tf32", "bf16", "fp8", "int8", "fp4")
MEMORY_UNIT_BYTES: Final = {"GB": units.GB, "GiB": units.GIB, "MiB": units.MIB}


class TableError(ValueError):
    """A table of facts is missing, damaged or incomplete."""


class UnknownNameError(LookupError):
    """A name that no row of the table has."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model: what its maker prints, and the layers that its dimensions say."""

    name: str
    maker: str
    released: str
    hidden_size: float
    embedding_params: float
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
class ApiPrice:
    """List price of one model from one vendor."""

    name: str
    vendor: str
    input_usd_per_mtok: float
    cached_input_usd_per_mtok: float
    output_usd_per_mtok: float
    valid_from: str
    note: str
    source: str
    as_of: str


# --- reading a table -----------------------------------------------------------------------


def data_path(name: str = "") -> Path:
    """Path of a table, in a checkout (`data/`) or in an installation (`costlib/data/`).

    >>> data_path("models.csv").name
    'models.csv'
    """
    package = Path(__file__).resolve().parent
    checkout, installed = package.parent / "data", package / "data"
    folder = installed if installed.is_dir() else checkout
    path = folder / name
    if not path.exists():
        raise TableError(f"{path}: not found; expected it in {checkout} or {installed}")
    return path


def _text(cell: str) -> str:
    if not cell:
        raise ValueError("a text")
    return cell


def _number(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise ValueError("a number") from None
    if not (math.isfinite(value) and value >= 0):
        raise ValueError("a finite number of at least 0")
    return value


def _positive(cell: str) -> float:
    if (value := _number(cell)) == 0:
        raise ValueError("a number above 0")
    return value


def _date(cell: str) -> str:
    if not re.fullmatch(r"(19|20)\d\d(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?", cell):
        raise ValueError("a date as YYYY, YYYY-MM or YYYY-MM-DD")
    return cell


def _shape_sum(cell: str) -> float:
    if not re.fullmatch(r"\d+(x\d+)*(\+\d+(x\d+)*)*", cell):
        raise ValueError("shapes as 2x4096x1024+4096x4096")
    return float(sum(math.prod(map(int, term.split("x"))) for term in cell.split("+")))


def _truth(cell: str) -> bool:
    if cell not in {"yes", "no"}:
        raise ValueError("yes or no")
    return cell == "yes"


def _memory_unit(cell: str) -> float:
    if cell not in MEMORY_UNIT_BYTES:
        raise ValueError(f"one of {', '.join(MEMORY_UNIT_BYTES)}")
    return MEMORY_UNIT_BYTES[cell]


def _or(default: Any, parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda cell: parse(cell) if cell else default


def _printed_number(cell: str) -> str:
    _positive(cell)
    return cell


_PROVENANCE: Final[dict[str, Callable[[str], Any]]] = {
    "note": _or("", _text),
    "source": _text,
    "as_of": _date,
}

_LAYER: Final[dict[str, Callable[[str], Any]]] = {
    "group": _text,
    "n_layers": _positive,
    "n_heads": _number,
    "n_kv_heads": _number,
    "cached_dim": _number,
    "attended_dim": _number,
    "prefill_attended_dim": _number,
    "window_tokens": _or(math.inf, _positive),
    "sink_tokens": _number,
    "state_values": _shape_sum,
    "mixer_params": _shape_sum,
    "dense_params": _shape_sum,
    "expert_params": _shape_sum,
    "n_experts": _number,
    "top_k": _number,
}

SCHEMA: Final[dict[str, dict[str, Callable[[str], Any]]]] = {
    "accelerators.csv": {
        "name": _text,
        "maker": _text,
        "released": _date,
        "memory_type": _text,
        "memory_label_gb": _positive,
        "memory": _positive,
        "memory_unit": _memory_unit,
        "memory_gb_per_s": _positive,
        **{f"{name}_tflop_per_s": _or(math.nan, _positive) for name in FORMATS},
        "link_gb_per_s": _or(math.nan, _positive),
        "link_kind": _or("", _text),
        "tdp_w": _or(math.nan, _positive),
        **_PROVENANCE,
    },
    "models.csv": {
        "name": _text,
        "maker": _text,
        "released": _date,
        "hidden_size": _positive,
        "vocab_size": _positive,
        "embedding_params": _shape_sum,
        "outside_params": _shape_sum,
        "total_params_b": _printed_number,
        "active_params_b": _or("", _printed_number),
        "native_bits": _positive,
        "max_context_tokens": _positive,
        **_PROVENANCE,
    },
    "layers.csv": {"model": _text, **_LAYER, **_PROVENANCE},
    "architectures.csv": {
        "name": _text,
        "colour": _text,
        "exact_recall": _truth,
        "n_params_b": _positive,
        "cache_bits": _or(math.nan, _positive),  # blank: as wide as the rig's
        "state_bits": _positive,
        **_LAYER,
        **_PROVENANCE,
    },
    "api_prices.csv": {
        "name": _text,
        "vendor": _text,
        "input_usd_per_mtok": _number,
        "cached_input_usd_per_mtok": _or(math.nan, _number),
        "output_usd_per_mtok": _number,
        "valid_from": _date,
        **_PROVENANCE,
    },
}


def frame(table: str, path: Path | None = None) -> pd.DataFrame:
    """One table as it stands on disk, every cell a text.

    Parameters
    ----------
    table
        File name, such as "accelerators.csv".
    path
        A table of your own with the same columns; by default the one in `data/`.

    Raises
    ------
    TableError
        If the file is missing, unreadable, or lacks a column.
    """
    path = path or data_path(table)
    try:
        text = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise TableError(f"{path}: not found") from None
    except (ValueError, OSError) as why:  # pandas' parser errors are ValueErrors
        raise TableError(f"{path}: not a readable CSV table ({why})") from None
    wanted = SCHEMA.get(table, {})
    if missing := [column for column in wanted if column not in text]:
        raise TableError(f"{path}: lacks the column {', '.join(missing)}")
    return text.map(str.strip)


def _rows(table: str, path: Path | None) -> list[dict[str, Any]]:
    text = frame(table, path)
    schema, rows = SCHEMA[table], []
    for line, cells in enumerate(text.to_dict("records"), start=2):
        row: dict[str, Any] = {}
        for column, parse in schema.items():
            try:
                row[column] = parse(cells[column])
            except ValueError as expected:
                first = cells[next(iter(schema))] or "no name"
                raise TableError(
                    f"{path or data_path(table)}, line {line} ({first}), column {column}: "
                    f"expected {expected}, got {cells[column]!r}"
                ) from None
        rows.append(row)
    if not rows:
        raise TableError(f"{path or data_path(table)}: no rows")
    return rows


Named = TypeVar("Named", Accelerator, Model, Architecture, ApiPrice)


def _by_name(table: str, records: Iterable[Named]) -> dict[str, Named]:
    found: dict[str, Named] = {}
    for record in records:
        if record.name in found:
            raise TableError(f"{table}: {record.name!r} stands there twice")
        found[record.name] = record
    return found


def _lookup(kind: str, name: str, table: Mapping[str, Named]) -> Named:
    def plain(text: str) -> str:
        return re.sub(r"[^a-z0-9]", "", text.lower())

    by_plain = {plain(known): known for known in table}
    wanted = plain(name)
    if wanted in by_plain:
        return table[by_plain[wanted]]
    near = difflib.get_close_matches(wanted, by_plain, n=3, cutoff=0.4)
    near += [known for known in by_plain if wanted and wanted in known and known not in near]
    hint = ", ".join(by_plain[known] for known in near[:5]) or ", ".join(table)
    raise UnknownNameError(f"no {kind} {name!r}; did you mean {hint}?")


# --- the tables ------------------------------------------------------------------------------


@functools.cache
def accelerators(path: Path | None = None) -> Mapping[str, Accelerator]:
    """Every accelerator of the table, by name.

    >>> accelerators()["H100"].memory_bytes_per_s
    3350000000000.0
    """
    return _by_name(
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
            for row in _rows("accelerators.csv", path)
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
    return _lookup("accelerator", name, accelerators())


def _group(row: Mapping[str, Any]) -> LayerGroup:
    return LayerGroup(**{column: row[column] for column in _LAYER})


@functools.cache
def models(path: Path | None = None, layers_path: Path | None = None) -> Mapping[str, Model]:
    """Every model of the table, by name, with its layer groups.

    Raises
    ------
    TableError
        If a model has no layers, or layers have no model.
    """
    groups: dict[str, list[LayerGroup]] = {}
    for row in _rows("layers.csv", layers_path):
        groups.setdefault(row["model"], []).append(_group(row))
    rows = _rows("models.csv", path)
    names = {row["name"] for row in rows}
    if stray := sorted(set(groups) - names):
        raise TableError(f"layers.csv: layers of {stray[0]!r}, which models.csv lacks")
    if bare := sorted(names - set(groups)):
        raise TableError(f"models.csv: {bare[0]!r} has no layers in layers.csv")
    return _by_name(
        "models.csv",
        (
            Model(
                name=row["name"],
                maker=row["maker"],
                released=row["released"],
                hidden_size=row["hidden_size"],
                embedding_params=row["embedding_params"],
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
            for row in rows
        ),
    )


def model(name: str) -> Model:
    """One model; case, spaces and dashes in the name do not matter.

    Raises
    ------
    UnknownNameError
        If there is none; the message names the nearest.
    """
    return _lookup("model", name, models())


@functools.cache
def architectures(path: Path | None = None) -> Mapping[str, Architecture]:
    """The ways to build attention into one 70B model, by name."""
    groups: dict[str, list[LayerGroup]] = {}
    heads: dict[str, dict[str, Any]] = {}
    for row in _rows("architectures.csv", path):
        groups.setdefault(row["name"], []).append(_group(row))
        heads.setdefault(row["name"], row)
    return _by_name(
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
    return _lookup("architecture", name, architectures())


@functools.cache
def api_prices(path: Path | None = None) -> Mapping[str, ApiPrice]:
    """List prices by model name."""
    return _by_name("api_prices.csv", (ApiPrice(**row) for row in _rows("api_prices.csv", path)))


def api_price(name: str) -> ApiPrice:
    """List price of one model.

    Raises
    ------
    UnknownNameError
        If there is none; the message names the nearest.
    """
    return _lookup("API price", name, api_prices())


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
