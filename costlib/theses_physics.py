"""Theses on what a token takes: cache, bytes, batches, experts, rings, drafts (1 to 11, 29, 30)."""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from costlib import (
    architectures,
    catalog,
    claims,
    deploy,
    drafts,
    frontier,
    kv,
    machines,
    mixtures,
    pricebook,
    roofline,
    serve,
    serving,
    shrinking,
    study,
    units,
    variants,
    work,
    workloads,
)
from costlib._thesis import Thesis, flip, money, printed, verdict

__all__ = [
    "architecture_choice",
    "batch_saving",
    "bytes_decide",
    "cache_quantisation",
    "chip_generation",
    "context_cliff",
    "draft_length",
    "draft_load",
    "expert_saving",
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
    rooms = [_pool_bytes(rig) / units.GB for rig in rigs.values()] if room_gb is None else room_gb
    said = printed("long-context-008")

    def times(room: float) -> float:
        users = [
            serving.n_users(pool_bytes=room * units.GB, sequence_bytes=_held(tokens))
            for tokens in (SHORT, LONG)
        ]
        return float(users[0] / users[1])

    def margin(room: float) -> float:
        return 0.1 - abs(times(room) / said - 1)  # within a tenth of what is said

    card = _pool_bytes(rigs["card"]) / units.GB
    light = architectures.rig_costs(rigs, short_tokens=SHORT, long_tokens=LONG).ratio
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
        flip=f"room for caches: above {at:.1f} GB, where a second user fits at 128K, about "
        f"{times(at * 1.001):.0f} times are left",
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
    tried = (
        [float(np.median(workloads.length_table(use)["input_tokens"])) for use in
         workloads.workloads()]
        if context_tokens is None
        else context_tokens
    )  # fmt: skip
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
    floor = serving.usd_per_mtok(
        rent_usd_per_h=RENT,
        tokens_per_s=card.peak_flop_per_s / work.token_flop(active_params=70e9),
    )
    return Thesis(
        number=2,
        words="Bytes moved per token, not arithmetic, decide what decode costs.",
        verdict=verdict(margin, tried),
        because=f"A 70B in 4 bits on an H100 is bound by memory at any batch once a user holds "
        f"{at:,.0f} tokens in an 8-bit cache. Below, arithmetic takes over: at 1K from "
        f"{np.ceil(batch(1_000)):.0f} users on, and no token then costs less than "
        f"{money(float(floor))} a million.",
        value=at,
        unit="tokens",
        flip=f"context: below {at:,.0f} tokens a large enough batch is bound by arithmetic",
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
    tried = list(formats.values()) if cache_bits is None else cache_bits
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
        f"{money(usd['window'])} by a window. MLA leads only where every token must be kept "
        "exactly, in the bits it was computed in.",
        value=float(usd["MLA"]),
        unit="USD/Mtok",
        flip=f"the cache it is set against: grouped queries in {at:.1f} bits are as small as MLA "
        "in 16, without training anew",
        anchor="notebooks/shrinking_the_cache#one-honest-baseline",
        turns=at,
    )


def cache_quantisation(cache_bits: ArrayLike = (8, 16)) -> Thesis:
    """Thesis 4: tried over the bits that the cache has before, as it is kept today."""
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
        verdict=verdict(margin, cache_bits),
        because=f"With its scales a 2-bit cache has {small:.1f} bits. At 128K on eight H100 with "
        f"8-bit weights it saves {usd(16) / usd(small):.1f} times off a 16-bit cache and "
        f"{usd(8) / usd(small):.1f} off an 8-bit one; MLA saves {saved:.1f} in equal bits. On one "
        f"card it takes {users(16):.0f} users to {users(small):.0f} from 16 bits and "
        f"{users(8):.0f} to {users(small):.0f} from 8.",
        value=usd(16) / usd(small),
        unit="times",
        flip=f"the cache that is there: it has to have more than {at:.1f} bits",
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
        flip="exact recall: without that need one architecture wins at every context and length "
        "of answer",
        anchor="notebooks/long_context_cliff#which-architecture-wins-where",
    )


def self_hosting(busy_fraction: ArrayLike = (0.4, 1.0)) -> Thesis:
    """Thesis 6: tried over how busy an own card is; 0.4 is a fleet for a peak of 2.5 times."""
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
        return own / busy - listed

    at = flip(margin, 0.001, 1)
    hits = flip(lambda share: even(share).busy_fraction - 1, 0, 1)
    return Thesis(
        number=6,
        words="Answering at 128K on one's own card costs more than the retail price of an API.",
        verdict=verdict(margin, busy_fraction),
        because=f"A request of 128K in and 1K out costs {money(own)} on a busy H100 and "
        f"{money(listed)} at the list price of {price.name}: retail bills the prompt, too.",
        value=own / listed,
        unit="times the list price",
        flip=f"load and hits: it holds for a card that is busy less than {at:.0%} of its hours, "
        f"or where the vendor finds more than {hits:.0%} of the prompt in its cache and the card "
        "nothing",
        anchor="notebooks/long_context_cliff#the-prompt-has-a-price-too",
        turns=at,
    )


def user_count(user_mb: ArrayLike | None = None) -> Thesis:
    """Thesis 7: tried over what a user holds, by default the rows of the quoted table at 128K."""
    card = _newsletter()
    rows = architectures.decode_costs([LONG], card).set_index("architecture")
    tried = rows.sequence_bytes / units.MB if user_mb is None else user_mb
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
        flip=f"what a user holds: below {at:.0f} MB arithmetic is the capacity",
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
    tried = wide.message_bytes[[cache, query]] / 1e3 if message_kb is None else message_kb
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
        flip=f"what travels: a message above {at:,.0f} kB takes longer than reading the block "
        f"from memory; the block has {wide.message_bytes[cache] / 1e3:,.0f} kB and a query "
        f"{wide.message_bytes[query] / 1e3:.0f}",
        anchor="notebooks/parallelism#a-ring-of-a-million-tokens",
        turns=at,
    )


@functools.cache
def _twins() -> Any:
    clients = np.unique(np.append(2.0 ** np.arange(0, 12.5, 0.5), 128.0))
    load = deploy.scenarios(
        "Qwen3.5-397B-A17B",
        "H200",
        weight_format="fp8",
        n_accelerators=8,
        n_clients=clients,
        input_tokens=1_024,
        output_tokens=1_024,
    )
    table = mixtures.cost_ratios(load, rent_usd_per_h=RENT)
    return table.pivot_table("ratio", "clients", "twin")


def expert_saving(wanted_times: ArrayLike = 10.0) -> Thesis:
    """Thesis 9: tried over how many times cheaper than a dense model of its size it should be."""
    ratio = _twins()
    whole, active = ratio["total size"], ratio["active size"]
    most = 1 / float(whole.min())
    split = mixtures.split_params("Qwen3.5-397B-A17B")
    asked = split["top_k"] / split["n_experts"]
    sparse = (split["shared_params"] + split["routed_params"]) / (
        split["shared_params"] + split["routed_params"] * asked
    )
    return Thesis(
        number=9,
        words="A mixture of experts makes frontier quality ten times cheaper to host.",
        verdict=verdict(lambda times: most - times, wanted_times),
        because=f"Qwen3.5-397B-A17B computes {sparse:.0f} times less than a dense model of its "
        f"size, but costs {whole.max():.0%} of it at {whole.idxmax():.0f} clients and "
        f"{whole.min():.0%} at {whole.idxmin():,.0f}, where every expert is read; against a dense "
        f"17B that is {active.max():.1f} and {active.iloc[-1]:.1f} times.",
        value=most,
        unit="times cheaper",
        flip=f"how much cheaper is meant: {most:.1f} times are the most, at "
        f"{whole.idxmin():,.0f} clients on eight H200",
        anchor="notebooks/moe#two-dense-twins",
        turns=most,
    )


def _capacity_usd(name: str) -> float:
    device = catalog.accelerator(name)
    return float(
        serving.capacity_usd_per_mtok(
            SHORT,
            n_params=70e9,
            weight_bits=4,
            cache_bits=8,
            **SEVENTY,
            **HEADS,
            memory_bytes=device.label_bytes,
            memory_bytes_per_s=device.memory_bytes_per_s,
            peak_flop_per_s=device.peak_flop_per_s["bf16"],
            rent_usd_per_h=1,
            reserved_bytes=RESERVE,
        )
    )


def chip_generation(rent_times: ArrayLike | None = None) -> Thesis:
    """Thesis 10: tried over the rent of a B200 in that of an H100, by default as listed."""
    listed = [
        rents["B200"] / rents["H100"]
        for rents in map(frontier.rents, ("on demand", "spot", "three years"))
    ]
    tried = np.atleast_1d(listed if rent_times is None else rent_times)
    old, new = (catalog.accelerator(name) for name in ("H100", "B200"))
    busy = 0.9 / 0.6
    equal = new.memory_bytes_per_s / old.memory_bytes_per_s  # the same batch
    full = _capacity_usd("H100") / _capacity_usd("B200")  # as many users as fit
    cases = [busy - gain / times for times in tried for gain in (equal, full)]
    at = flip(lambda times: busy - full / times, 0.1, 100)
    return Thesis(
        number=10,
        words="A larger batch and a busier machine gain more than the next generation of chips.",
        verdict=verdict(lambda margin: margin, cases),
        because=f"From 60 % to 90 % use a token gets {busy:.1f} times cheaper. A B200 for an H100 "
        f"at {min(listed):.2f} to {max(listed):.2f} times the rent makes it "
        f"{equal / max(listed):.2f} to {equal / min(listed):.2f} times at equal batch, and "
        f"{full / max(listed):.2f} to {full / min(listed):.2f} full of users at 4K, for its "
        f"memory holds more of them. At the spot rents of the source it is "
        f"{claims.compare(['batching-011']).value.iloc[0]:.1f} times.",
        value=full / max(listed),
        unit="times cheaper",
        flip=f"the rent: a full B200 gains less than use does above {at:.2f} times the rent of an "
        f"H100, one with the same batch above {equal / busy:.2f}",
        anchor="notebooks/roofline#against-the-source",
        turns=at,
    )


def batch_saving(context_tokens: ArrayLike | None = None) -> Thesis:
    """Thesis 11: tried over the tokens of each request, by default the recorded medians."""
    tried = (
        [float(np.median(workloads.length_table(use)["input_tokens"])) for use in
         workloads.workloads()]
        if context_tokens is None
        else context_tokens
    )  # fmt: skip
    said = printed("batching-001") / 100
    users = 32
    weights = float(work.weight_bytes(n_params=70e9, weight_bits=4))

    def saved(weight_bytes: float, held_bytes: float) -> float:
        one, all_of_them = (
            roofline.step_bytes(n_users=n, weight_bytes=weight_bytes, traffic_bytes=held_bytes)
            for n in (1, users)
        )
        return float(1 - all_of_them / users / one)

    def margin(tokens: float) -> float:
        return saved(weights, _held(tokens)) - said

    def plain(tokens: float) -> float:
        held = kv.sequence_bytes(
            tokens, n_layers=32, n_kv_heads=32, cached_dim=256, bytes_per_value=2
        )
        small = work.weight_bytes(n_params=7e9, weight_bits=16)
        return saved(float(small), float(held)) - said

    at = flip(margin, 1, 1e7)
    small = frontier.Offer(
        accelerator="A100", n_accelerators=1, weight_format="fp16", rent_usd_per_h=1.0
    )
    measured = [
        frontier.batch_gains(
            "Llama-3.1-8B", small, n_clients=[users], input_tokens=read, output_tokens=answer
        ).saved_fraction.iloc[-1]
        for read, answer in ((512, 64), (256, 256))
    ]
    return Thesis(
        number=11,
        words="A batch of 32 cuts the cost of a token by 85 % or more.",
        verdict=verdict(margin, tried),
        because=f"By its bytes a 70B in 4 bits saves {saved(weights, _held(SHORT)):.1%} "
        f"with 4K tokens each; 85 % takes a step {users * (1 - said):.1f} times as long as that "
        f"of one request. With launches and prompts an 8B on an A100 saves {measured[0]:.0%} to "
        f"{measured[1]:.0%}. What no batch shares is the cache of each request.",
        value=saved(weights, _held(SHORT)),
        unit="share saved",
        flip=f"context: above {at:,.0f} tokens each it saves less; a 7B with all of its key-value "
        f"heads above {flip(plain, 1, 1e7):,.0f}",
        anchor="notebooks/roofline#the-batch",
        turns=at,
    )


def _gain(model: str, n_clients: ArrayLike, prompt_tokens: ArrayLike, kept: float) -> Any:
    """How many times as fast drafts of four make a token on eight H200."""
    clients = np.asarray(n_clients, float)
    load: dict[str, Any] = {
        "weight_format": "fp8",
        "n_accelerators": 8,
        "n_clients": clients,
        "input_tokens": np.asarray(prompt_tokens, float),
        "output_tokens": 1_000,
    }
    plain, checked = (
        serve.prediction(deploy.scenarios(model, "H200", draft_tokens=n, **load)).step_s
        for n in (0, DRAFT_TOKENS)
    )
    return plain / drafts.token_s(
        pass_s=checked,
        draft_s=plain * 0.05,
        acceptance_fraction=kept,
        draft_tokens=DRAFT_TOKENS,
    )


DRAFT_TOKENS: Final = 4


def draft_load(acceptance_fraction: ArrayLike = (0.5, 0.7, 0.8, 0.9)) -> Thesis:
    """Thesis 29: tried over the share of drafted tokens that is kept."""
    model, users = "Llama-3.1-70B", np.arange(1.0, 513)

    def margin(kept: float) -> float:
        alone, crowd = _gain(model, users[[0, -1]], 1_000, kept)
        return float(min(alone - 1, 1 - crowd))  # helps alone, and hurts in a crowd

    at = flip(margin, 0.5, 0.99)
    gain = _gain(model, users, 1_000, 0.7)
    return Thesis(
        number=29,
        words="Speculative decoding helps at low batch only.",
        verdict=verdict(margin, acceptance_fraction),
        because=f"Drafts of {DRAFT_TOKENS} of which 70 % are kept make Llama-3.1-70B on eight H200 "
        f"{gain[0]:.2f} times as fast for one user and {gain[255]:.2f} for 256; they stop paying "
        f"above {users[gain > 1].max():.0f}.",
        value=float(users[gain > 1].max()),
        unit="users",
        flip=f"acceptance: above {at:.0%} drafts pay even with 512 users; a longer prompt and a "
        "draft that follows the load move it too",
        anchor="notebooks/speculative#what-would-change-the-answer",
        turns=at,
    )


def draft_length(intensity_flop_per_byte: ArrayLike | None = None) -> Thesis:
    """Thesis 30: tried over what attention computes per byte of cache, by default in two models."""
    device = catalog.accelerator("H200")
    names = {"Llama-3.1-70B": 128.0, "DeepSeek-V3": 32.0}  # and users at once
    own = {}
    for name in names:
        group = catalog.model(name).layers[-1]
        own[name] = float(
            work.cache_intensity_flop_per_byte(
                n_heads=group.n_heads,
                n_kv_heads=group.n_kv_heads,
                attended_dim=group.attended_dim,
                cached_dim=group.cached_dim,
                bytes_per_value=2,
            )
        )
    tried = list(own.values()) if intensity_flop_per_byte is None else intensity_flop_per_byte
    ridge = roofline.ridge_flop_per_byte(
        peak_flop_per_s=device.peak_flop_per_s["bf16"],
        memory_bytes_per_s=device.memory_bytes_per_s,
    )
    at = float(ridge) / (DRAFT_TOKENS + 1)  # every drafted token is a query more
    gains = {name: _gain(name, [users], [1e3, 32e3], 0.7) for name, users in names.items()}
    (grouped, latent), (few, many) = gains.values(), own.values()
    return Thesis(
        number=30,
        words="Long context brings the gains of speculative decoding back.",
        verdict=verdict(lambda flop: at - flop, tried),
        because=f"From prompts of 1K to 32K the gain of 128 users of Llama-3.1-70B grows from "
        f"{grouped[0]:.2f} to {grouped[1]:.2f}, since a cache is read once per pass. Under "
        f"DeepSeek-V3's latent attention that of 32 users falls from {latent[0]:.2f} to "
        f"{latent[1]:.2f}: it computes {many:.0f} FLOP per byte instead of {few:.0f}.",
        value=float(grouped[1] / grouped[0]),
        unit="times",
        flip=f"the kind of attention: with drafts of {DRAFT_TOKENS} on an H200 above "
        f"{at:.0f} FLOP per byte of cache arithmetic is the bound",
        anchor="notebooks/speculative#long-context-brings-it-back",
        turns=at,
    )
