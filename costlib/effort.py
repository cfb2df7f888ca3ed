"""What the steps of a load move, multiply and send, before any constant is applied.

Bytes and FLOP turn into seconds at the speed of light here, and into predictions in
`costlib.serve`. A running batch is what clients ask for, as far as the memory holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib import experts, kv, links, roofline, work
from costlib import serving as decode
from costlib._checks import Floats, summed
from costlib.deploy import Scenarios
from costlib.units import BITS_PER_BYTE

__all__ = ["Rows", "Work"]

Arrays = NDArray[np.float64]

# Facts of engines and kernels that no row was fitted to.
STATE_BYTES: Final = 2.0  # recurrent state is kept in BF16
INDEX_BYTES: Final = 1.0  # keys of a sparse selector are kept in FP8
ACTIVATION_BYTES: Final = 2.0  # BF16 between layers
DISPATCH_BYTES: Final = 1.0  # to the experts in FP8, back in BF16
EMBEDDING_BYTES: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Seconds at the speed of light that some rows take on one accelerator of each stage."""

    weights: Floats
    matrices: Floats
    padding: Floats  # per row of a tile
    attention: Floats
    links: Floats


def _last(value: ArrayLike) -> Arrays:
    return np.asarray(value)[..., np.newaxis]


class Work:
    """What the steps of a load move, multiply and send."""

    def __init__(self, load: Scenarios) -> None:
        group = load.layers
        self.load = load
        self.width = load.n_accelerators / load.pipeline_stages  # accelerators of a stage
        self.attention_width = self.width / load.attention_replicas
        layers = group["n_layers"]
        self.n_layers = summed(layers)
        self.moe_layers = summed(layers * (group["n_experts"] > 0))
        self.sparse_layers = summed(layers * (group["index_dim"] > 0))
        self.mixer_params = summed(layers * group["mixer_params"])
        self.dense_params = summed(layers * group["dense_params"])
        self.expert_params = layers * group["expert_params"]  # of one expert in each layer
        self.window = group["window_tokens"] + group["sink_tokens"]
        self.kept = np.minimum(self.window, group["sparse_tokens"])
        # Heads cut a cache, as far as there are heads; beyond that it is copied.
        self.cut = np.minimum(
            _last(self.attention_width), np.where(group["n_kv_heads"] > 0, group["n_kv_heads"], 1.0)
        )
        self.state_bytes = summed(
            kv.state_bytes(
                n_layers=layers,
                state_values=group["state_values"],
                bytes_per_state_value=STATE_BYTES,
            )
        )
        self._memory()
        # What does not fit is given one sequence, so that its unused terms stay finite.
        self.busy = np.where(self.fits, self.running, 1.0)[()]
        self.rows = np.maximum(self.busy / load.pipeline_stages, np.minimum(self.busy, 1.0))
        # A replica serves whole sequences: the busiest has at least one.
        self.mine = np.maximum(self.rows / load.attention_replicas, np.minimum(self.rows, 1.0))
        self._cache()
        drafted = load.draft_tokens + 1.0
        self.step = self._rows(
            self.rows * drafted,
            self.mine * drafted,
            self.mine * drafted * self._attended() / self.attention_width,
            with_head=True,
        )
        reused = load.reused_fraction * load.input_tokens
        fresh = np.maximum(load.input_tokens - reused, 1.0)  # the last token is always read
        read = self._read(load.input_tokens - fresh)
        # One prompt is read by one replica; a crowd of them by all, each its share.
        self.lone_prompt = self._rows(fresh, fresh, read / self.attention_width, with_head=False)
        self.prompt = self.lone_prompt
        if np.any(load.attention_replicas > 1):
            share = fresh / load.attention_replicas
            self.prompt = self._rows(fresh, share, read / self.width, with_head=False)

    def _memory(self) -> None:
        """Bytes of the weights and of a sequence, sequences that fit, and sequences that run."""
        load, group = self.load, self.load.layers
        routed = summed(self.expert_params * group["n_experts"])
        mixers = work.weight_bytes(n_params=self.mixer_params, weight_bits=load.mixer_bits)
        others = work.weight_bytes(
            n_params=self.dense_params + routed, weight_bits=load.weight_bits
        )
        self.weights = (
            mixers * load.attention_replicas + others + load.embedding_params * EMBEDDING_BYTES
        )
        pages = np.ceil((load.input_tokens + load.output_tokens) / load.block_tokens)
        # A selector holds what it does not read, and heads that cannot be cut are copied.
        copies = _last(self.attention_width) / self.cut
        held = self._cache_bytes(pages * load.block_tokens, self.window) * copies
        self.sequence = summed(held) + self.state_bytes
        left = decode.pool_bytes(
            memory_bytes=load.memory_bytes,
            weight_bytes=self.weights,
            n_accelerators=load.n_accelerators,
        )
        self.capacity = decode.n_users(
            pool_bytes=load.memory_fraction * left, sequence_bytes=self.sequence
        )
        self.fits = self.capacity >= 1
        asked = np.where(np.isinf(load.n_clients), load.batch_limit, load.n_clients)
        self.running = np.minimum(asked, self.capacity)

    def _cache_bytes(self, tokens: ArrayLike, kept: ArrayLike) -> Arrays:
        """Cache by group at a length, the index of a sparse selector included."""
        group = self.load.layers
        cache = kv.group_bytes(
            _last(tokens),
            n_layers=group["n_layers"],
            n_kv_heads=group["n_kv_heads"],
            cached_dim=group["cached_dim"],
            bytes_per_value=_last(self.load.cache_bits) / BITS_PER_BYTE,
            window_tokens=kept,
        )
        index = group["n_layers"] * group["index_dim"] * INDEX_BYTES
        return np.asarray(cache + index * _last(tokens) if index.any() else cache)

    def _cache(self) -> None:
        load = self.load
        self.mean_context = load.input_tokens + load.output_tokens / 2
        read = summed(self._cache_bytes(self.mean_context, self.kept) / self.cut)
        state = 2 * self.state_bytes / self.attention_width  # read and written
        self.cache_s = roofline.transfer_s(
            moved_bytes=self.mine * (read + state),
            bytes_per_s=load.memory_bytes_per_s,
        )

    def _attended(self) -> Floats:
        """FLOP of one row's attention to its cache, choosing what to attend to included."""
        group = self.load.layers
        flop = work.attention_flop(
            self.mean_context,
            n_layers=group["n_layers"],
            n_heads=group["n_heads"],
            attended_dim=group["attended_dim"],
            window_tokens=self.kept,
        )
        if group["state_values"].any():
            flop = flop + work.state_flop(
                n_layers=group["n_layers"], state_values=group["state_values"]
            )
        if group["index_dim"].any():
            flop = flop + work.attention_flop(
                self.mean_context,
                n_layers=group["n_layers"],
                n_heads=group["index_heads"],
                attended_dim=group["index_dim"],
            )
        return flop

    def _read(self, reused: Floats) -> Floats:
        """FLOP of a prompt's attention, its recurrence and its choosing included."""
        load, group = self.load, self.load.layers
        prompt = {"active_params": 0.0, "reused_tokens": reused, "n_layers": group["n_layers"]}
        flop = work.prefill_flop(
            load.input_tokens,
            n_heads=group["n_heads"],
            prefill_attended_dim=group["prefill_attended_dim"],
            window_tokens=self.kept,
            state_values=group["state_values"],
            **prompt,
        )
        if group["index_dim"].any():
            flop = flop + work.prefill_flop(
                load.input_tokens,
                n_heads=group["index_heads"],
                prefill_attended_dim=group["index_dim"],
                **prompt,
            )
        return flop

    def _rows(self, rows: Floats, mine: Floats, attention_flop: Floats, *, with_head: bool) -> Rows:
        """Light of rows that pass through all layers, `mine` of them through one replica's mixers.

        With the output head or without it.
        """
        load, group = self.load, self.load.layers
        head = load.head_params if with_head else 0.0
        mixers = work.weight_bytes(n_params=self.mixer_params, weight_bits=load.mixer_bits)
        per_row = self.dense_params + head
        read: Floats = np.float64(0.0)
        padding: Floats = np.float64(0.0)
        if self.moe_layers.any():
            covered = self._coverage(rows)
            read = summed(covered * self.expert_params * group["n_experts"])
            per_row = per_row + summed(self.expert_params * group["top_k"])
            spare = experts.padding_rows(
                n_experts=group["n_experts"], coverage_fraction=covered, tile_rows=1
            )
            padding = summed(spare * self.expert_params)
        others = work.weight_bytes(n_params=self.dense_params + read, weight_bits=load.weight_bits)
        moved = (
            mixers / self.attention_width
            + (others + load.head_params * EMBEDDING_BYTES) / self.width
        )
        mixed = mine * self.mixer_params / self.attention_width
        peak = load.peak_flop_per_s / work.FLOP_PER_MULTIPLY_ADD
        return Rows(
            weights=roofline.transfer_s(moved_bytes=moved, bytes_per_s=load.memory_bytes_per_s),
            matrices=roofline.flop_s(
                flop=mixed + rows * per_row / self.width, peak_flop_per_s=peak
            ),
            padding=roofline.flop_s(flop=padding / self.width, peak_flop_per_s=peak),
            attention=roofline.flop_s(flop=attention_flop, peak_flop_per_s=load.bf16_flop_per_s),
            links=self._links(rows),
        )

    def _coverage(self, rows: Floats) -> Floats:
        """Share of each group's experts that a step reads."""
        load, group = self.load, self.load.layers
        mixture = {"n_experts": group["n_experts"], "top_k": group["top_k"]}
        even = experts.coverage_fraction(_last(rows), **mixture)
        if not np.any(load.expert_skew):
            return even
        skewed = experts.skewed_coverage_fraction(
            _last(rows), skew=_last(load.expert_skew), **mixture
        )
        return np.where(_last(load.expert_skew) > 0, skewed, even)

    def _links(self, rows: Floats) -> Floats:
        """Seconds of the bytes that collectives and handovers send, latencies left out."""
        load = self.load
        alone = load.n_accelerators == 1
        if np.all(alone):
            return np.zeros_like(rows)
        if np.any(np.isnan(load.link_bytes_per_s) & ~alone):
            raise ValueError("accelerator: its links are in no table, so it can only serve alone")
        wire = {"link_bytes_per_s": np.where(alone, 1.0, load.link_bytes_per_s)}
        row_bytes = load.hidden_size * ACTIVATION_BYTES
        message = rows * row_bytes
        summed = links.all_reduce_s(message_bytes=message, n_accelerators=self.width, **wire)
        mixers, moe = summed, summed
        if np.any(load.attention_replicas > 1):
            mixers = links.all_reduce_s(
                message_bytes=message / load.attention_replicas,
                n_accelerators=self.attention_width,
                **wire,
            )
            # Replicas hold different sequences: rows are dealt out to whole experts and back.
            fan_out = np.minimum(load.layers["top_k"].max(axis=-1), load.expert_groups)
            dealt = links.all_to_all_s(
                message_bytes=rows
                / self.width
                * fan_out
                * load.hidden_size
                * (DISPATCH_BYTES + ACTIVATION_BYTES),
                n_accelerators=load.expert_groups,
                **wire,
            )
            deals = (load.attention_replicas > 1) & (load.expert_groups > 1)
            moe = np.where(deals, dealt, summed)
        hops = links.handover_s(message_bytes=message, pipeline_stages=load.pipeline_stages, **wire)
        return (
            self.n_layers * mixers
            + (self.n_layers - self.moe_layers) * summed
            + self.moe_layers * moe
            + hops
        )
