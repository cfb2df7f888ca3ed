"""Formulas put together for one machine: a ring, a tensor group, memory on the chip."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from costlib import catalog, kv, links, roofline, serving, tables, units, work
from costlib._checks import Floats, non_negative, positive

__all__ = ["ACTIVATION_BYTES", "ring_decode", "ring_prefill", "sram_users", "tensor_parallel"]

PARTIAL_BYTES: Final = 4.0  # of a partial result of attention, summed in FP32
ACTIVATION_BYTES: Final = 2.0  # BF16 between layers


# --- a ring -------------------------------------------------------------------------------------


def ring_decode(
    model: str,
    accelerator: str,
    *,
    context_tokens: float,
    ring: float,
    tensor_width: float,
    link_bytes_per_s: float,
    latency_s: float,
    weight_bits: float,
    bytes_per_value: float,
) -> pd.DataFrame:
    """One token of one user against a context that lies on a ring, by what travels.

    Every member of the ring has the weights, cut over `tensor_width` devices, and its part of the
    context. Speeds are those of light but for `latency_s` per message.

    Returns
    -------
        By schedule seconds of a layer (`computing_s`, `reading_s` of the block, `passing_s` of one
        message, `layer_s` with all turns) and of the step (`attention_s`, `weights_s`, `step_s`).
    """
    of, device = catalog.model(model), catalog.accelerator(accelerator)
    group = _only_group(of)
    positive("context_tokens", context_tokens, finite=True)
    positive("ring", ring, finite=True)
    positive("tensor_width", tensor_width, finite=True)
    block = context_tokens / ring
    computing = roofline.flop_s(
        flop=work.attention_flop(
            block, n_layers=1, n_heads=group.n_heads, attended_dim=group.attended_dim
        )
        / tensor_width,
        peak_flop_per_s=device.peak_flop_per_s["bf16"],
    )
    held = (
        kv.sequence_bytes(
            block,
            n_layers=1,
            n_kv_heads=group.n_kv_heads,
            cached_dim=group.cached_dim,
            bytes_per_value=bytes_per_value,
        )
        / tensor_width
    )
    reading = roofline.transfer_s(moved_bytes=held, bytes_per_s=device.memory_bytes_per_s)
    attending = np.maximum(computing, reading)
    query = group.n_heads * group.attended_dim / 2 * bytes_per_value / tensor_width
    wire = {"link_bytes_per_s": link_bytes_per_s, "latency_s": latency_s}
    around = {"computing_s": attending, "n_accelerators": ring, **wire}
    partial = group.n_heads * group.attended_dim / 2 * PARTIAL_BYTES / tensor_width
    sent = links.handover_s(message_bytes=query, pipeline_stages=min(ring, 2), **wire)
    merged = links.all_reduce_s(message_bytes=partial, n_accelerators=ring, **wire)
    schedules = {
        "the cache goes round": (held, links.ring_s(message_bytes=held, **around)),
        "the query goes round": (query, links.ring_s(message_bytes=query, **around)),
        "the query goes to all": (query, sent + attending + merged),
    }
    weights = work.weight_bytes(
        n_params=work.total_params(**catalog.weight_layers(of), embedding_params=of.head_params),
        weight_bits=weight_bits,
    )
    read = roofline.transfer_s(
        moved_bytes=weights / tensor_width, bytes_per_s=device.memory_bytes_per_s
    )
    rows = pd.DataFrame(
        {
            "schedule": list(schedules),
            "computing_s": computing,
            "reading_s": reading,
            "message_bytes": [message for message, _ in schedules.values()],
            "layer_s": [seconds for _, seconds in schedules.values()],
            "weights_s": read,
        }
    )
    rows["passing_s"] = roofline.transfer_s(
        moved_bytes=rows["message_bytes"].to_numpy(), bytes_per_s=link_bytes_per_s
    )
    rows["attention_s"] = rows["layer_s"] * group.n_layers
    rows["step_s"] = rows["attention_s"] + rows["weights_s"]
    return rows


def ring_prefill(
    model: str,
    accelerator: str,
    *,
    prompt_tokens: ArrayLike,
    ring: float,
    tensor_width: float,
    link_bytes_per_s: float,
    compute_fraction: float,
    link_fraction: float,
) -> pd.DataFrame:
    """Seconds to read a prompt on a ring, and how much of its links the arithmetic hides.

    Parts of the prompt are dealt out so that all devices attend to equally many pairs.

    Returns
    -------
        By prompt `prefill_s`, `flop`, and for one turn of one layer `computing_s`, `passing_s`.
    """
    positive("prompt_tokens", prompt_tokens, finite=True)
    positive("ring", ring, finite=True)
    positive("tensor_width", tensor_width, finite=True)
    of, device = catalog.model(model), catalog.accelerator(accelerator)
    group = _only_group(of)
    tokens = np.atleast_1d(np.asarray(prompt_tokens, float))
    active = work.active_params(
        **catalog.weight_layers(of, active=True), embedding_params=of.head_params
    )
    shape = {
        "n_layers": group.n_layers,
        "n_heads": group.n_heads,
        "prefill_attended_dim": group.prefill_attended_dim,
    }
    flop = work.prefill_flop(tokens, active_params=active, **shape)
    attention = work.prefill_flop(tokens, active_params=0.0, **shape)
    devices = ring * tensor_width
    peak = {
        "peak_flop_per_s": device.peak_flop_per_s["bf16"],
        "compute_fraction": compute_fraction,
    }
    turn = roofline.flop_s(flop=attention / devices / ring / group.n_layers, **peak)
    held = (
        kv.sequence_bytes(
            tokens / ring,
            n_layers=1,
            n_kv_heads=group.n_kv_heads,
            cached_dim=group.cached_dim,
            bytes_per_value=2.0,
        )
        / tensor_width
    )
    around = links.ring_s(
        message_bytes=held,
        computing_s=turn,
        n_accelerators=ring,
        link_bytes_per_s=link_bytes_per_s,
        link_fraction=link_fraction,
    )
    matrices = roofline.flop_s(flop=(flop - attention) / devices, **peak)
    return pd.DataFrame(
        {
            "prompt_tokens": tokens,
            "flop": flop,
            "computing_s": turn,
            "passing_s": held / (link_bytes_per_s * link_fraction),
            "prefill_s": matrices + group.n_layers * around,
        }
    )


def _only_group(of: catalog.Model) -> catalog.LayerGroup:
    if len(of.layers) > 1:
        raise ValueError(f"model: {of.name} has layers of several kinds, a ring here has one")
    return of.layers[0]


# --- memory on the chip -------------------------------------------------------------------------


def sram_users(
    model: str, *, weight_bits: float, cache_bits: float, context_tokens: ArrayLike
) -> pd.DataFrame:
    """Racks that hold a model and one user, and users per rack, by machine and context.

    Machines of `data/sram_machines.csv`. `light_tokens_per_s` is one user's speed if all memory
    that holds weights were read at once; `stated_fraction` is the share of it that a stated speed
    of the same model reaches.
    """
    of = catalog.model(model)
    weights = float(
        work.weight_bytes(
            n_params=work.total_params(
                **catalog.weight_layers(of), embedding_params=of.embedding_params
            ),
            weight_bits=weight_bits,
        )
    )
    contexts = np.atleast_1d(positive("context_tokens", context_tokens, finite=True))
    each = kv.sequence_bytes(
        contexts,
        **catalog.cache_layers(of),
        bytes_per_value=float(positive("cache_bits", cache_bits)) / units.BITS_PER_BYTE,
        bytes_per_state_value=2,
    )
    parts = []
    for row in tables.rows("sram_machines.csv"):
        rack = row["sram_mb"] * units.MB * row["rack_chips"]
        racks = serving.n_accelerators(needed_bytes=weights + each, usable_bytes=rack)
        users = serving.n_users(
            pool_bytes=serving.pool_bytes(
                memory_bytes=rack, weight_bytes=weights, n_accelerators=racks
            ),
            sequence_bytes=each,
        )
        parts.append(
            pd.DataFrame(
                {
                    "machine": row["name"],
                    "context_tokens": contexts,
                    "rack_gb": rack / units.GB,
                    "chips": np.ceil(weights / (row["sram_mb"] * units.MB)),
                    "racks": racks,
                    "users": users,
                    "users_per_rack": users / racks,
                    "more_per_rack": np.floor(rack / each),
                    "light_tokens_per_s": row["sram_tb_per_s"]
                    * units.TB
                    / (row["sram_mb"] * units.MB)
                    * np.ones_like(contexts),
                    "stated_tokens_per_s": row["stated_user_tokens_per_s"],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


# --- one formula for the reader's own -----------------------------------------------------------


def tensor_parallel(
    n_accelerators: ArrayLike,
    *,
    weight_bytes: ArrayLike,
    sequence_bytes: ArrayLike,
    token_flop: ArrayLike,
    hidden_size: ArrayLike,
    n_layers: ArrayLike,
    n_kv_heads: ArrayLike,
    n_clients: ArrayLike,
    memory_bytes_per_s: ArrayLike,
    peak_flop_per_s: ArrayLike,
    link_bytes_per_s: ArrayLike,
    latency_s: ArrayLike,
    fixed_s: ArrayLike,
    rent_usd_per_h: ArrayLike,
    bandwidth_fraction: ArrayLike,
    compute_fraction: ArrayLike,
    link_fraction: ArrayLike,
) -> dict[str, Floats]:
    """A decode step over a tensor group: `step_s`, `user_tokens_per_s` and `usd_per_mtok`.

    Two sums per layer; the cache is cut as far as there are heads. Prompts are left out.
    """
    positive("n_accelerators", n_accelerators, finite=True)
    non_negative("weight_bytes", weight_bytes, finite=True)
    non_negative("sequence_bytes", sequence_bytes, finite=True)
    non_negative("token_flop", token_flop, finite=True)
    non_negative("hidden_size", hidden_size, finite=True)
    non_negative("n_layers", n_layers, finite=True)
    non_negative("n_kv_heads", n_kv_heads, finite=True)
    non_negative("n_clients", n_clients, finite=True)
    non_negative("fixed_s", fixed_s, finite=True)
    devices, clients, held, used, layers, fixed = (
        np.asarray(value, float)
        for value in (n_accelerators, n_clients, sequence_bytes, token_flop, n_layers, fixed_s)
    )
    cut = np.minimum(devices, n_kv_heads)
    step = roofline.step_s(
        step_bytes=np.asarray(weight_bytes) / devices + clients * held / cut,
        step_flop=clients * used / devices,
        memory_bytes_per_s=memory_bytes_per_s,
        peak_flop_per_s=peak_flop_per_s,
        bandwidth_fraction=bandwidth_fraction,
        compute_fraction=compute_fraction,
    )
    summing = links.all_reduce_s(
        message_bytes=clients * np.asarray(hidden_size, float) * ACTIVATION_BYTES,
        n_accelerators=n_accelerators,
        link_bytes_per_s=link_bytes_per_s,
        latency_s=latency_s,
        link_fraction=link_fraction,
    )
    step = step + 2.0 * layers * summing + fixed
    usd = serving.usd_per_mtok(
        rent_usd_per_h=rent_usd_per_h,
        tokens_per_s=clients / step,
        n_accelerators=n_accelerators,
    )
    return {"step_s": step, "user_tokens_per_s": 1.0 / step, "usd_per_mtok": usd}
