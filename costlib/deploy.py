"""Scenarios: a model on a machine in a layout under a load, as arrays ready for prediction.

Names are looked up once. Every argument broadcasts: a model or a list of them, a batch or a
million.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib import catalog
from costlib._checks import Floats, fraction, non_negative, positive, whole
from costlib.units import BITS_PER_BYTE

__all__ = ["Scenarios", "scenarios"]

Names = str | Sequence[str]

DEFAULT_BLOCK_TOKENS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenarios:
    """Scenarios as arrays that broadcast; layer groups lie on the last axis of `layers`."""

    layers: Mapping[str, NDArray[np.float64]]
    hidden_size: Floats
    head_params: Floats
    embedding_params: Floats
    memory_bytes: Floats
    memory_bytes_per_s: Floats
    link_bytes_per_s: Floats
    tdp_w: Floats
    peak_flop_per_s: Floats  # in the format that the weights are multiplied in
    bf16_flop_per_s: Floats
    fp4_arithmetic: Floats
    weight_bits: Floats
    mixer_bits: Floats
    cache_bits: Floats
    memory_fraction: Floats
    stream_interval_tokens: Floats
    engine: NDArray[np.str_]
    n_accelerators: Floats
    pipeline_stages: Floats
    attention_replicas: Floats
    expert_groups: Floats
    n_clients: Floats
    batch_limit: Floats
    input_tokens: Floats
    output_tokens: Floats
    reused_fraction: Floats
    expert_skew: Floats
    draft_tokens: Floats
    acceptance_fraction: Floats
    draft_step_fraction: Floats
    block_tokens: Floats


def _each(names: Names, fact: Any) -> Any:
    """`fact` of one name, or of each of many, looked up once per name."""
    if isinstance(names, str):
        return fact(names)
    known = {name: fact(name) for name in dict.fromkeys(names)}
    return np.array([known[name] for name in names])


_GROUP: Final = tuple(catalog.LayerGroup.__slots__[1:])  # all but the group's name


def _layers(names: Names) -> dict[str, NDArray[np.float64]]:
    """Layer groups of each model, padded with groups of no layers."""
    most = max(
        len(catalog.model(name).layers)
        for name in ([names] if isinstance(names, str) else set(names))
    )

    def fact(name: str) -> NDArray[np.float64]:
        table = np.zeros((len(_GROUP), most))
        for column, group in enumerate(catalog.model(name).layers):
            table[:, column] = [getattr(group, field) for field in _GROUP]
        return table

    stacked = _each(names, fact)
    return {field: stacked[..., row, :] for row, field in enumerate(_GROUP)}


def _formats(
    model: Names, accelerator: Names, weight_format: Names, activation_format: Names
) -> dict[str, Any]:
    """Bits and peaks of each model on each machine in each format."""
    given = (model, accelerator, weight_format, activation_format)
    parts = [[part] if isinstance(part, str) else part for part in given]
    rows = np.broadcast(*(np.empty(len(part)) for part in parts)).size
    columns = [list(part) * (rows if len(part) == 1 else 1) for part in parts]
    keys = list(zip(*columns, strict=True))

    def fact(key: tuple[str, str, str, str]) -> tuple[float, ...]:
        form = catalog.format_named(key[2])
        peaks = catalog.accelerator(key[1]).peak_flop_per_s
        has_experts = any(group.n_experts for group in catalog.model(key[0]).layers)
        # Hopper multiplies MXFP4 in BF16: FP8 needs a unit that unpacks FP4 on the way.
        native = not np.isnan(peaks[form.arithmetic]) and (
            form.name != "mxfp4" or not np.isnan(peaks["fp4"])
        )
        used = form.arithmetic if native else form.fallback or "bf16"
        if key[3]:
            used = catalog.format_named(key[3]).arithmetic
            if np.isnan(peaks[used]):
                raise ValueError(f"activation_format {key[3]!r}: {key[1]} has no units for it")
        mixer = 16.0 if form.experts_only and has_experts else form.weight_bits
        return peaks[used], peaks["bf16"], float(used == "fp4"), form.weight_bits, mixer

    known = {key: fact(key) for key in dict.fromkeys(keys)}
    table = np.array([known[key] for key in keys])
    if all(isinstance(part, str) for part in given):
        table = table[0]
    names = ("peak_flop_per_s", "bf16_flop_per_s", "fp4_arithmetic", "weight_bits", "mixer_bits")
    return {name: table[..., column] for column, name in enumerate(names)}


def scenarios(
    model: Names,
    accelerator: Names,
    *,
    weight_format: Names = "fp8",
    activation_format: Names = "",
    engine: Names = "vLLM",
    cache_bits: ArrayLike | None = None,
    n_accelerators: ArrayLike = 1,
    pipeline_stages: ArrayLike = 1,
    attention_replicas: ArrayLike = 1,
    expert_groups: ArrayLike = 1,
    n_clients: ArrayLike = np.inf,
    input_tokens: ArrayLike = 1024,
    output_tokens: ArrayLike = 1024,
    reused_fraction: ArrayLike = 0,
    expert_skew: ArrayLike = 0,
    draft_tokens: ArrayLike = 0,
    acceptance_fraction: ArrayLike = 0,
    draft_step_fraction: ArrayLike = 0,
    block_tokens: ArrayLike = DEFAULT_BLOCK_TOKENS,
) -> Scenarios:
    """Facts and load of each scenario.

    Parameters
    ----------
    model, accelerator, weight_format, engine
        A name of `data/models.csv`, `accelerators.csv`, `formats.csv` and `engines.csv`, or one
        per scenario.
    activation_format
        Format that matrices are multiplied in; by default what kernels of the weights' format
        use on the device, see `data/formats.csv`. Between devices activations travel in BF16.
    cache_bits
        Bits of a cached value; by default 8 where weights take 8 or fewer, else 16.
    n_accelerators
        All that serve one copy of the model: tensor width times stages times replicas.
    pipeline_stages
        Stages of layers, one after the other.
    attention_replicas
        Copies of the attention weights that each serve a share of the sequences.
    expert_groups
        Accelerators over which whole experts are dealt out; 1 cuts every expert instead.
    n_clients
        Clients that each keep one request open. Infinite runs as many as fit and as the engine
        takes by default; who states a number has set the engine to it.
    reused_fraction
        Share of the input found in the cache: not read again, but kept resident.
    expert_skew
        Zipf exponent of the experts' popularity.
    draft_tokens, acceptance_fraction, draft_step_fraction
        Speculative decoding; a step of the draft takes this share of the model's.
    block_tokens
        Tokens of a page of the cache; the last page of a sequence is partly empty.

    Raises
    ------
    UnknownNameError
        If a name stands in no table.
    ValueError
        If an argument is out of its range, or a layout does not divide the accelerators.
    """
    model, accelerator, weight_format, activation_format, engine = (
        part if isinstance(part, str) else list(part)
        for part in (model, accelerator, weight_format, activation_format, engine)
    )
    formats = _formats(model, accelerator, weight_format, activation_format)
    bits = np.where(formats["weight_bits"] <= BITS_PER_BYTE, BITS_PER_BYTE, 16.0)
    devices = whole("n_accelerators", positive("n_accelerators", n_accelerators))
    stages = whole("pipeline_stages", positive("pipeline_stages", pipeline_stages))
    replicas = whole("attention_replicas", positive("attention_replicas", attention_replicas))
    groups = whole("expert_groups", positive("expert_groups", expert_groups))
    for name, part in (
        ("pipeline_stages", stages),
        ("attention_replicas", stages * replicas),
        ("expert_groups", stages * groups),
    ):
        uneven = np.mod(devices, part) != 0
        if np.any(uneven):
            into = np.broadcast_to(part, uneven.shape)[uneven].flat[0]
            raise ValueError(f"{name}: the accelerators do not divide into {into:g} whole groups")

    def of(names: Names, record: Any, field: str) -> Any:
        return _each(names, lambda name: getattr(record(name), field))

    return Scenarios(
        layers=_layers(model),
        **{
            field: of(model, catalog.model, field)
            for field in ("hidden_size", "head_params", "embedding_params")
        },
        **{
            field: of(accelerator, catalog.accelerator, field)
            for field in ("memory_bytes", "memory_bytes_per_s", "link_bytes_per_s", "tdp_w")
        },
        **formats,
        **{
            field: of(engine, catalog.engine, field)
            for field in ("memory_fraction", "stream_interval_tokens")
        },
        engine=np.asarray(of(engine, catalog.engine, "name")),
        batch_limit=of(engine, catalog.engine, "max_batch"),
        cache_bits=positive("cache_bits", bits if cache_bits is None else cache_bits),
        n_accelerators=devices,
        pipeline_stages=stages,
        attention_replicas=replicas,
        expert_groups=groups,
        n_clients=positive("n_clients", n_clients),
        input_tokens=positive("input_tokens", input_tokens),
        output_tokens=positive("output_tokens", output_tokens),
        reused_fraction=fraction("reused_fraction", reused_fraction),
        expert_skew=non_negative("expert_skew", expert_skew),
        draft_tokens=non_negative("draft_tokens", draft_tokens),
        acceptance_fraction=fraction("acceptance_fraction", acceptance_fraction),
        draft_step_fraction=fraction("draft_step_fraction", draft_step_fraction),
        block_tokens=positive("block_tokens", block_tokens),
    )
