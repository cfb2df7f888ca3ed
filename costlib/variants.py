"""Twelve ways to keep less in one 70B model, compared on one machine in the same bits.

The variants are rows of `data/variants.csv`. Only what they keep differs: layers, parameters,
bits, memory and rent are those of the baseline.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costlib import catalog, quantizing, roofline, shrinking, tables, work
from costlib._checks import positive
from costlib.study import Rig
from costlib.units import GB

__all__ = ["Variant", "check_room", "costs", "effective_bits", "format_costs", "shapes", "variants"]

Array = NDArray[np.float64]
BASELINE: Final = "GQA"
GROUPED: Final = (
    "n_layers",
    "n_heads",
    "n_kv_heads",
    "cached_dim",
    "attended_dim",
    "window_tokens",
    "sink_tokens",
    "state_values",
)
PARTS: Final = ("payload_bits", "group_values", "scale_bits", "zero_bits", "residual_tokens")
KEPT: Final = tuple(name for name in GROUPED if name not in ("n_heads", "attended_dim"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to keep less: its layers, and what it gives up."""

    name: str
    colour: str
    change: str
    loses: str
    n_params: float
    state_bits: float
    layers_sharing: float
    layers: Mapping[str, Array]  # arguments of the formulas, groups on the last axis
    note: str
    source: str


@functools.cache
def variants() -> Mapping[str, Variant]:
    """The variants of `data/variants.csv` by name."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in tables.rows("variants.csv"):
        groups.setdefault(row["name"], []).append(row)
    return tables.by_name(
        "variants.csv",
        (
            Variant(
                name=name,
                n_params=rows[0]["n_params_b"] * 1e9,
                layers={key: np.array([float(row[key]) for row in rows]) for key in GROUPED},
                **{
                    key: rows[0][key]
                    for key in (
                        "colour",
                        "change",
                        "loses",
                        "state_bits",
                        "layers_sharing",
                        "note",
                        "source",
                    )
                },
            )
            for name, rows in groups.items()
        ),
    )


def costs(
    context_tokens: Sequence[float], rig: Rig, *, names: Iterable[str] | None = None
) -> pd.DataFrame:
    """What each variant holds, reads and costs over contexts, at the speed of light.

    Parameters
    ----------
    context_tokens
        Tokens that each user holds. [tokens]
    rig
        Accelerators, weights, bits of the cache, and rent.
    names
        Variants; all by default.

    Returns
    -------
        Rows (variant, context_tokens): bytes_per_token (what the next token adds),
        sequence_bytes, n_users, user_bytes and user_flop (of one user in a step, without the
        weights' share of bytes), step_bytes, step_flop, bound, usd_per_mtok, and `saves`: cost
        of the baseline over this one. Infinite or 0 where nobody fits.

    Raises
    ------
    UnknownNameError
        If there is no such variant.
    """
    context = np.atleast_1d(positive("context_tokens", context_tokens, finite=True))
    found = variants()
    frames = []
    for name in [BASELINE, *(names or found)]:
        columns = _columns(tables.lookup("variant", name, found), context, rig)
        rows = {key: np.broadcast_to(values, context.shape) for key, values in columns.items()}
        frames.append(pd.DataFrame({"variant": name, "context_tokens": context, **rows}))
    usd = frames[0]["usd_per_mtok"].to_numpy()
    with np.errstate(invalid="ignore"):
        saves = [frame.assign(saves=usd / frame["usd_per_mtok"]) for frame in frames[1:]]
    table: pd.DataFrame = pd.concat(saves, ignore_index=True)
    return table.fillna({"saves": 0.0})  # neither fits


def _columns(variant: Variant, context: Array, rig: Rig) -> dict[str, Any]:
    kept = {key: variant.layers[key] for key in KEPT}
    bits = {"cache_bits": rig.cache_bits, "state_bits": variant.state_bits}
    shared = {"layers_sharing": variant.layers_sharing}
    place = asdict(rig)
    machine = {
        key: place[key]
        for key in ("memory_bytes", "reserved_bytes", "n_accelerators", "weight_bits")
    }
    held = shrinking.held_bytes(context, **kept, **bits, **shared)
    users = shrinking.held_users(
        context, n_params=variant.n_params, **machine, **kept, **bits, **shared
    )
    read = shrinking.read_bytes(context, **kept, **bits)
    flop = work.token_flop(
        active_params=variant.n_params,
        attention_flop=work.attention_flop(
            context,
            **{
                key: variant.layers[key]
                for key in ("n_layers", "n_heads", "attended_dim", "window_tokens", "sink_tokens")
            },
        ),
        state_flop=work.state_flop(
            **{key: variant.layers[key] for key in ("n_layers", "state_values")}
        ),
    )
    weights = work.weight_bytes(n_params=variant.n_params, weight_bits=rig.weight_bits)
    step_bytes = roofline.step_bytes(n_users=users, weight_bytes=weights, traffic_bytes=read)
    step_flop = roofline.step_flop(n_users=users, token_flop=flop)
    ridge = rig.peak_flop_per_s / rig.memory_bytes_per_s
    return {
        "bytes_per_token": shrinking.held_bytes(context + 1, **kept, **bits, **shared) - held,
        "sequence_bytes": held,
        "n_users": users,
        "user_bytes": read,
        "user_flop": flop,
        "step_bytes": step_bytes,
        "step_flop": step_flop,
        "bound": np.where(step_flop > ridge * step_bytes, "compute", "memory"),
        "usd_per_mtok": shrinking.held_usd_per_mtok(
            context,
            n_params=variant.n_params,
            **variant.layers,
            **shared,
            **(place | bits),
        ),
    }


def check_room(rig: Rig, context_tokens: float, name: str = BASELINE) -> None:
    """Refuse a rig on which not one user of the baseline fits.

    Raises
    ------
    ValueError
        With what the user needs and what may be changed.

    Examples
    --------
    >>> from costlib import study
    >>> rig = study.card(
    ...     catalog.accelerator("H100"), activations="bf16", weight_bits=16, cache_bits=16,
    ...     rent_usd_per_h=2.5, reserved_bytes=6e9,
    ... )
    >>> check_room(rig, 8_000)
    Traceback (most recent call last):
    ValueError: nobody fits: a user of GQA with 8,000 tokens needs 2.6 GB beside weights of \
140.0 GB; change n_gpus, accelerator, weight_bits, cache_bits or long_tokens
    """
    (row,) = costs([context_tokens], rig, names=[name]).to_dict("records")
    if not row["n_users"] >= 1:
        weights = work.weight_bytes(n_params=variants()[name].n_params, weight_bits=rig.weight_bits)
        raise ValueError(
            f"nobody fits: a user of {name} with {context_tokens:,.0f} tokens needs "
            f"{row['sequence_bytes'] / GB:.1f} GB beside weights of {weights / GB:.1f} GB; change "
            "n_gpus, accelerator, weight_bits, cache_bits or long_tokens"
        )


def effective_bits(names: Iterable[str], context_tokens: float = np.inf) -> dict[str, float]:
    """Bits of a value with its scales, for formats of `data/value_formats.csv`.

    Parameters
    ----------
    names
        Formats.
    context_tokens
        Tokens held, of which KIVI keeps the latest in full. [tokens]

    Raises
    ------
    ValueError
        If there is no such format.

    Examples
    --------
    >>> effective_bits(["NVFP4", "KIVI, 2 bits"])
    {'NVFP4': 4.5, 'KIVI, 2 bits': 3.0}
    """
    rows = {row["name"]: row for row in tables.rows("value_formats.csv")}
    if stray := [name for name in names if name not in rows]:
        raise ValueError(f"no format {stray[0]!r}; there are {', '.join(rows)}")
    found = {}
    for name in names:
        parts = {key: rows[name][key] for key in PARTS}
        kivi = parts["residual_tokens"] > 0
        bits = quantizing.kivi_bits if kivi else quantizing.effective_bits
        found[name] = float(bits(context_tokens, **parts))
    return found


def format_costs(
    context_tokens: float,
    rig: Rig,
    *,
    weights: Sequence[str],
    caches: Sequence[str],
    name: str = BASELINE,
) -> pd.DataFrame:
    """Users and cost of one variant in every pair of a weight and a cache format.

    Arithmetic stays in the rig's format: narrow numbers save bytes here, and no FLOP.

    Returns
    -------
        Rows (weights, cache) with weight_bits, cache_bits, weight_bytes, sequence_bytes, n_users
        and usd_per_mtok.
    """
    variant = tables.lookup("variant", name, variants())
    pairs = pd.MultiIndex.from_product([weights, caches], names=["weights", "cache"])
    rows = pairs.to_frame(index=False)
    weight_bits = rows["weights"].map(effective_bits(weights)).to_numpy()
    cache_bits = rows["cache"].map(effective_bits(caches, context_tokens)).to_numpy()
    kept = {key: variant.layers[key] for key in KEPT}
    own = {"state_bits": variant.state_bits, "layers_sharing": variant.layers_sharing}
    place = asdict(rig) | {"weight_bits": weight_bits, "cache_bits": cache_bits} | own
    machine = {
        key: place[key]
        for key in ("memory_bytes", "reserved_bytes", "n_accelerators", "weight_bits")
    }
    return rows.assign(
        weight_bits=weight_bits,
        cache_bits=cache_bits,
        weight_bytes=work.weight_bytes(n_params=variant.n_params, weight_bits=weight_bits),
        sequence_bytes=shrinking.held_bytes(context_tokens, **kept, cache_bits=cache_bits, **own),
        n_users=shrinking.held_users(
            context_tokens,
            n_params=variant.n_params,
            cache_bits=cache_bits,
            **machine,
            **kept,
            **own,
        ),
        usd_per_mtok=shrinking.held_usd_per_mtok(
            context_tokens, n_params=variant.n_params, **variant.layers, **place
        ),
    )


def shapes(names: Iterable[str]) -> pd.DataFrame:
    """Dense models of one layer group as arguments of `shrinking.held_usd_per_mtok`.

    Returns
    -------
        One row per model: model, n_params and the layer arguments.

    Raises
    ------
    ValueError
        If a model has experts, a window or layers of several kinds.
    """
    rows = []
    for name in names:
        model = catalog.model(name)
        group, *others = model.layers
        if others or group.n_experts or np.isfinite(group.window_tokens):
            raise ValueError(f"{name} has experts, a window or layers of several kinds")
        params = work.total_params(
            **catalog.weight_layers(model), embedding_params=model.embedding_params
        )
        layers = {key: float(getattr(group, key)) for key in GROUPED[:5]}
        rows.append({"model": name, "n_params": float(params), **layers})
    return pd.DataFrame(rows)
