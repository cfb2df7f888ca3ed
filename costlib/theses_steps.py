"""Theses on what a step takes: experts, chips, batches, drafts (9 to 11, 29, 30)."""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from costlib import (
    catalog,
    claims,
    deploy,
    drafts,
    frontier,
    kv,
    mixtures,
    roofline,
    serve,
    serving,
    shrinking,
    work,
    workloads,
)
from costlib._thesis import Thesis, flip, printed, verdict
from costlib.theses_physics import HEADS, RENT, RESERVE, SEVENTY, SHORT

__all__ = ["batch_saving", "chip_generation", "draft_length", "draft_load", "expert_saving"]

DRAFT_TOKENS: Final = 4


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
        flip=f"a saving of less than {most:.1f} times, which is the most, at "
        f"{whole.idxmin():,.0f} clients on eight H200",
        anchor="notebooks/moe#two-dense-twins",
        turns=most,
    )


def _held_bytes(context_tokens: float) -> float:
    return float(shrinking.held_bytes(context_tokens, cache_bits=8, **SEVENTY))


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
        words="Filling a machine gains more than the next generation of chips.",
        verdict=verdict(lambda margin: margin, cases),
        because=f"From 60 % to 90 % use a token gets {busy:.1f} times cheaper. A B200 for an H100 "
        f"at {min(listed):.2f} to {max(listed):.2f} times the rent makes it "
        f"{equal / max(listed):.2f} to {equal / min(listed):.2f} times at equal batch, and "
        f"{full / max(listed):.2f} to {full / min(listed):.2f} full of users at 4K, for its "
        f"memory holds more of them. At the spot rents of the source it is "
        f"{claims.compare(['batching-011']).value.iloc[0]:.1f} times.",
        value=full / max(listed),
        unit="times cheaper",
        flip=f"a B200 at more than {at:.2f} times the rent of an H100 where it is full of users, "
        f"at more than {equal / busy:.2f} times with the same batch",
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
        return saved(weights, _held_bytes(tokens)) - said

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
        because=f"By its bytes a 70B in 4 bits saves {saved(weights, _held_bytes(SHORT)):.1%} "
        f"with 4K tokens each; 85 % takes a step {users * (1 - said):.1f} times as long as that "
        f"of one request. With launches and prompts an 8B on an A100 saves {measured[0]:.0%} to "
        f"{measured[1]:.0%}. What no batch shares is the cache of each request.",
        value=saved(weights, _held_bytes(SHORT)),
        unit="share saved",
        flip=f"fewer than {at / 1e3:.1f}K tokens in each request; for a 7B with all of its "
        f"key-value heads fewer than {flip(plain, 1, 1e7) / 1e3:.1f}K",
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
        flip=f"an acceptance below {at:.0%}; above, drafts pay even with 512 users",
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
        flip=f"attention below {at:.0f} FLOP per byte of cache, with drafts of {DRAFT_TOKENS} on "
        "an H200; above, arithmetic is the bound",
        anchor="notebooks/speculative#long-context-brings-it-back",
        turns=at,
    )
