"""Theses on what a step takes: experts, batches, drafts, links (9 to 11, 29, 30, 42 to 45)."""

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
    layouts,
    mixtures,
    roofline,
    serve,
    serving,
    shrinking,
    work,
    workloads,
)
from costlib._thesis import Thesis, cases, flip, printed, verdict
from costlib._words import usd as money
from costlib.theses_physics import HEADS, RENT, RESERVE, SEVENTY, SHORT

__all__ = [
    "active_twin",
    "batch_saving",
    "chip_generation",
    "draft_acceptance",
    "draft_length",
    "draft_load",
    "expert_saving",
    "idle_hours",
    "slow_links",
]

DRAFT_TOKENS: Final = 4
DRAFT_STEP: Final = 0.05  # of a plain step, for each token drafted


def _twin_costs(n_clients: ArrayLike) -> Any:
    """Cost of a mixture on eight H200 over that of its dense twins, with its 80 % interval."""
    load = deploy.scenarios(
        "Qwen3.5-397B-A17B",
        "H200",
        weight_format="fp8",
        n_accelerators=8,
        n_clients=np.atleast_1d(np.asarray(n_clients, float)),
        input_tokens=1_024,
        output_tokens=1_024,
    )
    return mixtures.cost_ratios(load, rent_usd_per_h=RENT)


@functools.cache
def _twins() -> Any:
    clients = np.unique(np.append(2.0 ** np.arange(0, 12.5, 0.5), 128.0))
    return _twin_costs(clients).pivot_table("ratio", "clients", "twin")


def expert_saving(wanted_times: ArrayLike = 10.0) -> Thesis:
    """Thesis 9: tried over how many times cheaper than a dense model of its size it should be."""
    tried = cases("wanted_times", wanted_times)
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
        verdict=verdict(lambda times: most - times, tried),
        because=f"Qwen3.5-397B-A17B computes {sparse:.0f} times less than a dense model of its "
        f"size, but costs {whole.max():.0%} of it at {whole.idxmax():.0f} clients and "
        f"{whole.min():.0%} at {whole.idxmin():,.0f}, where every expert is read; against a dense "
        f"17B that is {active.max():.1f} and {active.iloc[-1]:.1f} times.",
        value=most,
        unit="times cheaper",
        flip=f"a saving of at most {most:.1f} times, reached with "
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
    tried = cases("rent_times", rent_times, listed, above_zero=True)
    old, new = (catalog.accelerator(name) for name in ("H100", "B200"))
    busy = 0.9 / 0.6
    equal = new.memory_bytes_per_s / old.memory_bytes_per_s  # the same batch
    full = _capacity_usd("H100") / _capacity_usd("B200")  # as many users as fit
    margins = [busy - gain / times for times in tried for gain in (equal, full)]
    at = flip(lambda times: busy - full / times, 0.1, 100)
    return Thesis(
        number=10,
        words="Filling a machine gains more than the next generation of chips.",
        verdict=verdict(lambda margin: margin, margins),
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
    recorded = [workloads.length_table(use)["input_tokens"] for use in workloads.workloads()]
    tried = cases("context_tokens", context_tokens, [np.median(lengths) for lengths in recorded])
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


def _passes(model: str, n_clients: ArrayLike, prompt_tokens: ArrayLike) -> Any:
    """Seconds of a plain step, and of a pass that checks drafts of four, on eight H200."""
    clients = np.asarray(n_clients, float)
    load: dict[str, Any] = {
        "weight_format": "fp8",
        "n_accelerators": 8,
        "n_clients": clients,
        "input_tokens": np.asarray(prompt_tokens, float),
        "output_tokens": 1_000,
    }
    return tuple(
        serve.prediction(deploy.scenarios(model, "H200", draft_tokens=n, **load)).step_s
        for n in (0, DRAFT_TOKENS)
    )


def _gain(model: str, n_clients: ArrayLike, prompt_tokens: ArrayLike, kept: float) -> Any:
    """How many times as fast drafts of four make a token on eight H200."""
    plain, checked = _passes(model, n_clients, prompt_tokens)
    return plain / drafts.token_s(
        pass_s=checked,
        draft_s=plain * DRAFT_STEP,
        acceptance_fraction=kept,
        draft_tokens=DRAFT_TOKENS,
    )


def draft_load(acceptance_fraction: ArrayLike = (0.5, 0.7, 0.8, 0.9)) -> Thesis:
    """Thesis 29: tried over the share of drafted tokens that is kept."""
    tried = cases("acceptance_fraction", acceptance_fraction)
    model, users = "Llama-3.1-70B", np.arange(1.0, 513)

    def margin(kept: float) -> float:
        alone, crowd = _gain(model, users[[0, -1]], 1_000, kept)
        return float(min(alone - 1, 1 - crowd))  # helps alone, and hurts in a crowd

    at = flip(margin, 0.5, 0.99)
    gain = _gain(model, users, 1_000, 0.7)
    return Thesis(
        number=29,
        words="Speculative decoding helps at low batch only.",
        verdict=verdict(margin, tried),
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
    tried = cases("intensity_flop_per_byte", intensity_flop_per_byte, list(own.values()))
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


def draft_acceptance(n_clients: ArrayLike = (1, 16, 64, 128, 256)) -> Thesis:
    """Thesis 42: tried over the users at once, as the chapter has them."""
    tried = cases("n_clients", n_clients)
    said = 0.5

    def needed(users: float) -> float:
        """Acceptance at which drafts break even."""
        plain, checked = _passes("Llama-3.1-70B", users, 1_000)
        return float(
            np.squeeze(
                drafts.acceptance_fraction(
                    accepted_tokens=checked / plain + DRAFT_TOKENS * DRAFT_STEP,
                    draft_tokens=DRAFT_TOKENS,
                )
            )
        )

    at = flip(lambda users: needed(users) - said, 1, 256)
    return Thesis(
        number=42,
        words="Drafts pay only if at least half of them are kept.",
        verdict=verdict(lambda users: needed(users) - said, tried),
        because=f"Drafts of {DRAFT_TOKENS} for Llama-3.1-70B on eight H200 break even where "
        f"{needed(1):.0%} are kept with one user, {needed(64):.0%} with 64 and {needed(256):.0%} "
        "with 256. While reading is the bound a rejected token costs next to nothing; once "
        "arithmetic is, each is paid for.",
        value=needed(256),
        unit="share kept",
        flip=f"more than {at:.0f} users at once; with fewer less than half is enough",
        anchor="notebooks/speculative#what-would-change-the-answer",
        turns=at,
    )


def active_twin(n_clients: ArrayLike = (1, 64, 4_096)) -> Thesis:
    """Thesis 43: tried over the clients at once: alone, at the dearest, and full."""
    tried = cases("n_clients", n_clients)

    def ratio(clients: float, column: str = "ratio") -> float:
        table = _twin_costs(clients)
        return float(table.loc[table.twin == "active size", column].iloc[0])

    def margin(clients: float) -> float:
        return 1 - ratio(clients, "low")  # the interval of the prediction spans equal cost

    few, at = flip(margin, 1, 64), flip(margin, 64, 4_096)
    alone, worst, full = (ratio(clients) for clients in (1, 64, 4_096))
    return Thesis(
        number=43,
        words="A mixture with 17B parameters at work costs what a dense 17B does.",
        verdict=verdict(margin, tried),
        because=f"On eight H200 Qwen3.5-397B-A17B costs {alone:.1f} times as much for one client, "
        f"{worst:.1f} times for 64 and {full:.1f} times for 4,096. A token multiplies 17B, but a "
        "step of 64 reads most of the experts, and few tokens share them.",
        value=worst,
        unit="times",
        flip=f"fewer than {np.ceil(few):.0f} clients at once, or more than some "
        f"{round(at, -2):,.0f}: there the 80 % interval of the prediction spans equal cost",
        anchor="notebooks/moe#two-dense-twins",
        turns=at,
    )


@functools.cache
def _linked(link_bytes_per_s: float) -> Any:
    """Cost of Llama-3.1-70B on eight H100 by layout and link; the first link is their own."""
    case = layouts.Case(
        model="Llama-3.1-70B",
        accelerator="H100",
        weight_format="fp8",
        input_tokens=8_000,
        output_tokens=1_000,
        user_tokens_per_s=30,
        first_token_s=3,
        rent_usd_per_h=RENT,
        most_accelerators=8,
        node_accelerators=8,
        network_bytes_per_s=50e9,
        network_latency_s=1e-5,
    )
    rows = layouts.candidates(case.model, most_accelerators=8).set_index("words")
    cuts = rows.loc[["tensor 8", "pipeline 8"]]
    own = catalog.accelerator(case.accelerator).link_bytes_per_s
    found = layouts.link_costs(
        layouts.loads(case, cuts, n_clients=64.0),
        rates={"own": own, "other": link_bytes_per_s},
        rent_usd_per_h=RENT,
    )
    return found.assign(words=np.tile(cuts.index, 2)).set_index(["words", "link"])


def slow_links(link_bytes_per_s: ArrayLike | None = None) -> Thesis:
    """Thesis 44: tried over the bandwidth of a link, by default those slower than NVLink."""
    rates = layouts.fast_links("H100")
    host = rates["PCIe 5 x16"]
    slower = [rate for rate in rates.values() if rate < max(rates.values())]
    forgiven = 1.1  # times as dear

    def dearer(rate: float, cut: str = "tensor 8") -> float:
        usd = _linked(rate).usd_per_mtok
        return float(usd[cut, "other"] / usd[cut, "own"])

    at = flip(lambda rate: forgiven - dearer(rate), host, max(rates.values()))
    usd = _linked(host).usd_per_mtok
    worth = float(_linked(host).fair_rent_usd_per_h["tensor 8", "other"])
    return Thesis(
        number=44,
        words="How the GPUs are joined is a detail: PCIe does as well as NVLink.",
        verdict=verdict(
            lambda rate: forgiven - dearer(rate),
            cases("link_bytes_per_s", link_bytes_per_s, slower),
        ),
        because=f"Cut into one tensor group of eight H100, Llama-3.1-70B costs "
        f"{money(float(usd['tensor 8', 'own']))} a million over NVLink and "
        f"{money(float(usd['tensor 8', 'other']))} over PCIe 5: such a GPU is worth "
        f"{money(worth)} an hour instead of {money(RENT)}. Cut between layers the link takes "
        f"{100 * (dearer(host, 'pipeline 8') - 1):.0f} %, but every user is slower.",
        value=dearer(host),
        unit="times",
        flip=f"links above {at / 1e9:.0f} GB/s for one tensor group, if a tenth is forgiven; or a "
        "pipeline, over any of them",
        anchor="notebooks/parallelism#what-the-links-cost",
        turns=at,
    )


def idle_hours(late_fraction: ArrayLike = (0, 0.05, 0.1, 0.2)) -> Thesis:
    """Thesis 45: tried over the live requests that backfill makes late, as the chapter has them."""
    tried = cases("late_fraction", late_fraction)
    busy, half = 0.7, 0.5  # of the time; of the price, as vendors list work that can wait

    def saved(late: float, price: float = half) -> float:
        return float(
            serving.backfill_saved_fraction(
                busy_fraction=busy,
                backfill_fraction=1 - busy,
                price_fraction=price,
                lost_fraction=late,
            )
        )

    at = flip(saved, 0, 0.99)
    return Thesis(
        number=45,
        words="Idle machines earn with work that can wait, even at half price.",
        verdict=verdict(saved, tried),
        because=f"A fleet that fills its idle {1 - busy:.0%} saves {saved(0):.0%} of a token at "
        f"half price, {saved(0.1):.0%} if a tenth of the live requests come late for it. The "
        f"{saved(0, 1):.0%} of a source take the full price.",
        value=saved(0),
        unit="share saved",
        flip=f"fewer than {at:.0%} of the live requests made late",
        anchor="notebooks/roofline#what-idle-capacity-is-worth",
        turns=at,
    )
