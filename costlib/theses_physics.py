"""Theses on what a context takes: users, caches, architectures, a ring (1 to 8)."""

from __future__ import annotations

import functools
import math
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from costlib import (
    architectures,
    catalog,
    machines,
    pricebook,
    roofline,
    serving,
    shrinking,
    study,
    units,
    variants,
    work,
    workloads,
)
from costlib._thesis import Thesis, cases, flip, printed, verdict
from costlib._words import usd as money

__all__ = [
    "architecture_choice",
    "bytes_decide",
    "cache_quantisation",
    "context_cliff",
    "latent_leader",
    "ring_decode",
    "self_hosting",
    "user_count",
]

# The cases of the chapters, as their pages state them.
SHORT: Final = 4_000.0  # tokens
LONG: Final = 128_000.0
RENT: Final = 2.50  # USD an hour of one GPU
RESERVE: Final = 6 * units.GB
SEVENTY: Final[dict[str, Any]] = {"n_layers": 80, "n_kv_heads": 8, "cached_dim": 256}
HEADS: Final = {"n_heads": 64, "attended_dim": 256}


def _rig(weight_bits: float, cache_bits: float, n: int, peak: str, label: bool) -> study.Rig:
    device = catalog.accelerator("H100")
    return study.card(
        device,
        activations=peak,
        weight_bits=weight_bits,
        cache_bits=cache_bits,
        rent_usd_per_h=RENT,
        reserved_bytes=RESERVE,
        memory_bytes=device.label_bytes if label else None,
        n_accelerators=n,
    )


def _newsletter() -> study.Rig:
    """The card behind the table that the field quotes."""
    return _rig(4, 8, 1, "bf16", label=True)


def _rigs() -> dict[str, study.Rig]:
    return {"card": _newsletter()} | {f"fp8 {n}": _rig(8, 8, n, "fp8", False) for n in (2, 8)}


def _pool_bytes(rig: study.Rig) -> float:
    return float(
        serving.pool_bytes(
            memory_bytes=rig.memory_bytes,
            weight_bytes=work.weight_bytes(n_params=70e9, weight_bits=rig.weight_bits),
            reserved_bytes=rig.reserved_bytes,
            n_accelerators=rig.n_accelerators,
        )
    )


def _held(context_tokens: float, cache_bits: float = 8) -> float:
    return float(shrinking.held_bytes(context_tokens, cache_bits=cache_bits, **SEVENTY))


def context_cliff(room_gb: ArrayLike | None = None) -> Thesis:
    """Thesis 1: tried over the room for caches, by default that of the chapter's three rigs."""
    rigs = _rigs()
    rooms = cases("room_gb", room_gb, [_pool_bytes(rig) / units.GB for rig in rigs.values()])
    said = printed("long-context-008")

    def times(room: float) -> float:
        users = [
            serving.n_users(pool_bytes=room * units.GB, sequence_bytes=_held(tokens))
            for tokens in (SHORT, LONG)
        ]
        return float(users[0] / users[1]) if users[1] else math.inf

    def margin(room: float) -> float:
        return 0.1 - abs(times(room) / said - 1)  # within a tenth of what is said

    card = _pool_bytes(rigs["card"]) / units.GB
    light = architectures.rig_costs(rigs, short_tokens=SHORT, long_tokens=LONG).ratio
    low = flip(margin, _held(LONG) / units.GB * 1.001, card)
    at = flip(margin, card, _pool_bytes(rigs["fp8 2"]) / units.GB)
    return Thesis(
        number=1,
        words="A token costs about 58 times as much at 128K of context as at 4K.",
        verdict=verdict(margin, rooms),
        because=f"On one card with 4-bit weights, where every user gets the same speed, it is "
        f"{times(card):.0f} times; with the bytes of each step {light[0]:.1f}, and in FP8 on two "
        f"and eight GPUs {light[1]:.1f} and {light[2]:.1f}. Context grows {LONG / SHORT:.0f} "
        "times; the rest is whole users on a small card.",
        value=times(card),
        unit="times",
        flip=f"room for caches of {low:.1f} to {at:.1f} GB; with more a second user fits at 128K, "
        f"and about {times(at * 1.001):.0f} times are left",
        anchor="notebooks/long_context_cliff#what-would-change-the-answer",
        turns=at,
    )


def _seconds(context_tokens: float) -> tuple[float, float]:
    """What one user of the 70B adds to a step in moving and in arithmetic, in seconds."""
    card = _newsletter()
    flop = work.token_flop(
        active_params=70e9,
        attention_flop=work.attention_flop(context_tokens, n_layers=80, **HEADS),
    )
    return (
        float(
            roofline.transfer_s(
                moved_bytes=_held(context_tokens), bytes_per_s=card.memory_bytes_per_s
            )
        ),
        float(roofline.flop_s(flop=flop, peak_flop_per_s=card.peak_flop_per_s)),
    )


def bytes_decide(context_tokens: ArrayLike | None = None) -> Thesis:
    """Thesis 2: tried over contexts, by default the median prompts of the recorded uses."""
    recorded = {
        use: float(np.median(workloads.length_table(use)["input_tokens"]))
        for use in workloads.workloads()
    }
    tried = cases("context_tokens", context_tokens, list(recorded.values()))
    card = _newsletter()

    def margin(tokens: float) -> float:
        moving, computing = _seconds(tokens)
        return moving - computing

    def batch(tokens: float) -> float:
        """Users from which arithmetic binds."""
        moving, computing = _seconds(tokens)
        weights = work.weight_bytes(n_params=70e9, weight_bits=card.weight_bits)
        read = roofline.transfer_s(moved_bytes=weights, bytes_per_s=card.memory_bytes_per_s)
        return float(read) / (computing - moving)

    at = flip(margin, 1, LONG)
    attention = work.cache_intensity_flop_per_byte(
        n_heads=64, n_kv_heads=8, attended_dim=256, cached_dim=256, bytes_per_value=2
    )
    ridge = roofline.ridge_flop_per_byte(
        peak_flop_per_s=card.peak_flop_per_s, memory_bytes_per_s=card.memory_bytes_per_s
    )
    floor = serving.usd_per_mtok(
        rent_usd_per_h=RENT,
        tokens_per_s=card.peak_flop_per_s / work.token_flop(active_params=70e9),
    )
    return Thesis(
        number=2,
        words="Bytes moved per token, not arithmetic, decide what decode costs.",
        verdict=verdict(margin, tried),
        because=f"Attention in decode does {attention:.0f} FLOP per byte, and an H100 would need "
        f"{ridge:.0f} to be busy. A 70B in 4 bits is bound by memory at any batch once a user "
        f"holds {at:,.0f} tokens in an 8-bit cache, as the median prompts of "
        f"{' and '.join(use for use, tokens in recorded.items() if tokens > at)} do. Below, a "
        f"large batch is bound by arithmetic, and no token costs less than {money(float(floor))} "
        "a million.",
        value=at,
        unit="tokens",
        flip=f"a context above {at:,.0f} tokens, or a batch too small for arithmetic: at 1K of "
        f"less than {np.ceil(batch(1_000)):.0f} users",
        anchor="notebooks/roofline#what-a-step-asks-for",
        turns=at,
    )


@functools.cache
def _variants() -> Any:
    """The twelve ways to keep less at 128K: 16 bits throughout, eight H100."""
    return variants.costs([LONG], _rig(16, 16, 8, "bf16", False)).set_index("variant")


def latent_leader(cache_bits: ArrayLike | None = None) -> Thesis:
    """Thesis 3: tried over the bits of the plain cache that MLA is compared with."""
    formats = variants.effective_bits(["FP16", "FP8", "NVFP4", "KIVI, 2 bits"], LONG)
    tried = cases("cache_bits", cache_bits, list(formats.values()), above_zero=True)
    table = _variants()

    def margin(bits: float) -> float:
        return _held(LONG, bits) - float(table.sequence_bytes["MLA"])

    usd = table.usd_per_mtok
    at = flip(margin, 0.1, 64)
    return Thesis(
        number=3,
        words="Latent attention (MLA) is the efficiency leader in production at 128K.",
        verdict=verdict(margin, tried),
        because=f"With the same layers, bits and machine a million tokens cost "
        f"{money(usd['MLA'])} by MLA and {money(usd['GQA'])} by grouped queries, but "
        f"{money(usd['Mamba hybrid'])} by a hybrid, {money(usd['MQA'])} by one shared head and "
        f"{money(usd['window'])} by a window. MLA leads only among those that keep every "
        "token and lose nothing by their papers.",
        value=float(usd["MLA"]),
        unit="USD/Mtok",
        flip=f"a model that may lose nothing, and grouped queries in more than {at:.1f} bits "
        f"beside it; in {at:.1f} they are as small as MLA in 16, without training anew",
        anchor="notebooks/shrinking_the_cache#one-honest-baseline",
        turns=at,
    )


def cache_quantisation(cache_bits: ArrayLike = (8, 16)) -> Thesis:
    """Thesis 4: tried over the bits that the cache has before, as it is kept today."""
    tried = cases("cache_bits", cache_bits, above_zero=True)
    rig = _rig(8, 16, 8, "bf16", False)
    small = variants.effective_bits(["KIVI, 2 bits"], LONG)["KIVI, 2 bits"]
    place: dict[str, Any] = {
        "n_params": 70e9,
        "weight_bits": rig.weight_bits,
        "memory_bytes": rig.memory_bytes,
        "reserved_bytes": rig.reserved_bytes,
        **SEVENTY,
    }

    def usd(bits: float) -> float:
        return float(
            shrinking.held_usd_per_mtok(
                LONG, cache_bits=bits, **place, **HEADS, **rig.speed, **rig.rent
            )
        )

    saved = float(_variants().saves["MLA"])  # what a new architecture saves, for comparison

    def margin(bits: float) -> float:
        return usd(bits) / usd(small) - saved

    def users(bits: float) -> float:
        pool = _pool_bytes(_newsletter())
        return float(serving.n_users(pool_bytes=pool, sequence_bytes=_held(LONG, bits)))

    at = flip(margin, small, 16)
    return Thesis(
        number=4,
        words="Quantising the cache is the cheapest quick win at long context: nothing is trained, "
        "and it saves more than a new kind of attention.",
        verdict=verdict(margin, tried),
        because=f"With its scales a 2-bit cache has {small:.1f} bits. At 128K on eight H100 with "
        f"8-bit weights it saves {usd(16) / usd(small):.1f} times off a 16-bit cache and "
        f"{usd(8) / usd(small):.1f} off an 8-bit one; MLA saves {saved:.1f} in equal "
        f"bits. A window saves {float(_variants().saves['window']):.0f}, and forgets. On "
        f"one card it takes {users(16):.0f} users to {users(small):.0f} from 16 bits and "
        f"{users(8):.0f} to {users(small):.0f} from 8.",
        value=usd(16) / usd(small),
        unit="times",
        flip=f"a cache that now has more than {at:.1f} bits",
        anchor="notebooks/shrinking_the_cache#fewer-bits",
        turns=at,
    )


@functools.cache
def _map() -> Any:
    """Cheapest architecture over contexts and shares of output, as the chapter draws it."""
    return architectures.decision_map(
        architectures.request_costs(
            *np.meshgrid(1e3 * 2 ** np.linspace(-1, 7.75, 36), np.geomspace(0.001, 0.9, 30)),
            _newsletter(),
            compute_fraction=0.5,
        )
    )


def architecture_choice(recall: tuple[str, ...] = ("exact recall", "any recall")) -> Thesis:
    """Thesis 5: tried over what an answer needs of the context: all of it, or what is kept."""
    cells = _map()
    area = {
        need: cells[cells.recall == need].architecture.value_counts(normalize=True)
        for need in ("exact recall", "any recall")
    }
    exact, lossy = area.values()
    needs = list(area)
    return Thesis(
        number=5,
        words="No architecture wins everywhere: the workload has to choose.",
        verdict=verdict(
            lambda place: len(area[needs[int(place)]]) - 1, [needs.index(need) for need in recall]
        ),
        because=f"With exact recall {len(exact)} of them are cheapest somewhere: "
        + ", ".join(f"{name} on {share:.0%}" for name, share in exact.items())
        + f" of the map. Where answers may forget, {lossy.index[0]} wins on {lossy.iloc[0]:.0%}.",
        value=float(exact.iloc[0]),
        unit="share of the map",
        flip=f"exact recall: where it is not needed, one architecture wins on {lossy.iloc[0]:.0%} "
        "of the map",
        anchor="notebooks/long_context_cliff#which-architecture-wins-where",
    )


def self_hosting(busy_fraction: ArrayLike = (0.4, 1.0)) -> Thesis:
    """Thesis 6: tried over how busy an owned card is; 0.4 is a fleet for a peak of 2.5 times."""
    tried = cases("busy_fraction", busy_fraction)
    price = pricebook.price("claude-sonnet-4-6")
    request: dict[str, Any] = {
        "prompt_tokens": LONG,
        "answer_tokens": 1_000,
        "compute_fraction": 0.5,
    }

    def even(hits: float) -> Any:
        table = architectures.request_break_even([hits], _newsletter(), price, **request)
        return table.set_index("case").loc["recomputes"]

    own, listed = float(even(0).own_usd), float(even(0).api_usd)

    def margin(busy: float) -> float:
        return own - listed * busy

    at = flip(margin, 0.001, 1)
    hits = flip(lambda share: even(share).busy_fraction - 1, 0, 1)
    return Thesis(
        number=6,
        words="Answering at 128K on one's own card costs more than the retail price of an API.",
        verdict=verdict(margin, tried),
        because=f"A request of 128K in and 1K out costs {money(own)} on a busy H100 and "
        f"{money(listed)} at the list price of {price.name}: retail bills the prompt, too.",
        value=own / listed,
        unit="times the list price",
        flip=f"a card that is busy less than {at:.0%} of its hours, or a vendor that finds more "
        f"than {hits:.0%} of the prompt in its cache where the card finds nothing",
        anchor="notebooks/long_context_cliff#the-prompt-has-a-price-too",
        turns=at,
    )


def user_count(user_mb: ArrayLike | None = None) -> Thesis:
    """Thesis 7: tried over what a user holds, by default the rows of the quoted table at 128K."""
    card = _newsletter()
    rows = architectures.decode_costs([LONG], card).set_index("architecture")
    tried = cases("user_mb", user_mb, rows.sequence_bytes / units.MB, above_zero=True)
    pool = _pool_bytes(card)

    def seconds(held_mb: float) -> tuple[float, float, float]:
        """Users that fit, and their step in moving and in arithmetic."""
        users = pool / (held_mb * units.MB)
        moved = roofline.step_bytes(
            n_users=users,
            weight_bytes=work.weight_bytes(n_params=70e9, weight_bits=card.weight_bits),
            traffic_bytes=held_mb * units.MB,
        )
        flop = roofline.step_flop(n_users=users, token_flop=work.token_flop(active_params=70e9))
        return (
            users,
            float(roofline.transfer_s(moved_bytes=moved, bytes_per_s=card.memory_bytes_per_s)),
            float(roofline.flop_s(flop=flop, peak_flop_per_s=card.peak_flop_per_s)),
        )

    def margin(held_mb: float) -> float:
        _, moving, computing = seconds(held_mb)
        return moving - computing

    at = flip(margin, 1, 1e5)
    crowd, _, computing = seconds(20)
    return Thesis(
        number=7,
        words="Users that fit on a GPU are the right measure of its capacity.",
        verdict=verdict(margin, tried),
        because=f"A 70B on an H100 reads its memory as slowly as it computes for "
        f"{seconds(at)[0]:.0f} users. Of states of 20 MB {crowd:,.0f} fit, but their step takes "
        f"{computing * units.MS_PER_S:.0f} ms of arithmetic and each gets {1 / computing:.1f} "
        "tokens/s: more users add no tokens.",
        value=at,
        unit="MB per user",
        flip=f"more than {at:.0f} MB per user; below, arithmetic is the capacity",
        anchor="notebooks/long_context_cliff#against-the-source",
        turns=at,
    )


def ring_decode(message_kb: ArrayLike | None = None) -> Thesis:
    """Thesis 8: tried over what travels in a ring of 128 H100s: a block of cache, or a query."""
    ring: dict[str, Any] = {
        "context_tokens": 1e6,
        "link_bytes_per_s": 50 * units.GB,
        "latency_s": 10e-6,
        "weight_bits": 8,
        "bytes_per_value": 2,
    }
    wide, nodes = (
        machines.ring_decode("Llama-3.1-70B", "H100", ring=n, tensor_width=width, **ring).set_index(
            "schedule"
        )
        for n, width in ((128, 1), (16, 8))
    )
    cache, query = "the cache goes round", "the query goes round"
    tried = cases("message_kb", message_kb, wide.message_bytes[[cache, query]] / 1e3)
    reading, computing = (float(wide[column].iloc[0]) for column in ("reading_s", "computing_s"))

    def margin(kilobytes: float) -> float:
        passing = roofline.transfer_s(
            moved_bytes=kilobytes * 1e3, bytes_per_s=ring["link_bytes_per_s"]
        )
        return float(passing) - reading

    at = flip(margin, 0.001, 1e6)
    return Thesis(
        number=8,
        words="Ring attention is hopeless for decode.",
        verdict=verdict(margin, tried),
        because=f"A block of cache takes {wide.passing_s[cache] / computing:,.0f} times as long on "
        f"the link as its arithmetic; a query {wide.passing_s[query] / computing:.1f} times. With "
        f"1M tokens on 128 H100s a user gets {1 / wide.step_s[cache]:.1f} tokens/s if the cache "
        f"goes round, {1 / wide.step_s[query]:.1f} if the query does, and "
        f"{1 / nodes.step_s['the query goes to all']:.0f} if it goes to all, in nodes of eight.",
        value=float(wide.passing_s[cache] / computing),
        unit="times",
        flip=f"a message above {at:,.0f} kB, which takes longer than reading the block from "
        f"memory; the block of cache has {wide.message_bytes[cache] / 1e3:,.0f} kB and a "
        f"query {wide.message_bytes[query] / 1e3:.0f}",
        anchor="notebooks/parallelism#a-ring-of-a-million-tokens",
        turns=at,
    )
