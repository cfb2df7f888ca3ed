"""Where users come in, above the formulas: what is no input is refused there, too, by its name."""

import inspect
import zlib
from functools import partial

import numpy as np
import pytest
from test_adversary import N_BAD, impossible, refusals

from costlib import (
    architectures,
    bills,
    catalog,
    deploy,
    frontier,
    indices,
    laws,
    layouts,
    lengths,
    machines,
    margins,
    ownership,
    pricebook,
    profile,
    reloading,
    replays,
    replica,
    response,
    routers,
    serve,
    simulate,
    study,
    tenants,
    variants,
    workloads,
)

NAMES = [
    "architectures.decode_costs",
    "architectures.request_break_even",
    "architectures.request_costs",
    "architectures.rig_costs",
    "bills.by_length",
    "bills.provision",
    "bills.workload_bills",
    "deploy.scenarios",
    "frontier.memory_generations",
    "indices.implied_batches",
    "laws.allocation",
    "laws.best_tokens_per_param",
    "laws.budget_tokens_per_param",
    "laws.even_served_tokens",
    "laws.saved_fraction",
    "laws.worth_tokens",
    "layouts.candidates",
    "lengths.lognormal_fit",
    "machines.ring_decode",
    "machines.ring_prefill",
    "machines.sram_users",
    "machines.tensor_parallel",
    "margins.fast_rents",
    "ownership.api_usd_per_mtok",
    "ownership.cold_start",
    "ownership.regimes",
    "ownership.speed",
    "pricebook.price",
    "pricebook.request_prices",
    "profile.dispersion",
    "reloading.assumed_s",
    "reloading.parity",
    "reloading.reloads",
    "replays.dispatched",
    "replica.replica",
    "response.most_requests_per_s",
    "response.under_load",
    "routers.curve",
    "serve.cost_splits",
    "serve.open_loop",
    "simulate.served",
    "study.card",
    "tenants.adapter_params",
    "variants.costs",
    "variants.effective_bits",
    "variants.format_costs",
    "workloads.bursty_s",
    "workloads.day_shaped_s",
    "workloads.poisson_s",
    "workloads.replayed",
    "workloads.sessions",
    "workloads.spread",
]


@pytest.fixture(scope="module")
def entries():
    """Where a user comes in: a function and a valid call, what is tried last."""
    small = ("Llama-3.1-8B", "H100")
    h100 = catalog.accelerator("H100")
    rig = replica.replica(*small, input_tokens=1000, output_tokens=100)
    load = deploy.scenarios(*small, n_clients=8)
    device = {"weight_bits": 8, "cache_bits": 8, "rent_usd_per_h": 2.5, "reserved_bytes": 6e9}
    card = study.card(h100, activations="bf16", n_accelerators=4, **device)
    asked = workloads.drawn("chat", [1.0, 2.0, 3.0], seed=1)
    lengths_of = {"input_tokens": [1000], "output_tokens": [100], "cached_tokens": [0]}
    layout = {"n_accelerators": 1, "pipeline_stages": 1, "attention_replicas": 1}
    layout |= {"expert_groups": 1, "n_clients": 8, "input_tokens": 1000, "output_tokens": 100}
    layout |= {"reused_fraction": 0.1, "expert_skew": 0, "draft_tokens": 0, "block_tokens": 16}
    layout |= {"acceptance_fraction": 0.5, "draft_step_fraction": 0.1, "cache_bits": 8}
    ring = {"context_tokens": 1e6, "ring": 128, "tensor_width": 1, "link_bytes_per_s": 5e10}
    ring |= {"latency_s": 1e-5, "weight_bits": 8, "bytes_per_value": 2}
    stream = {"n_requests": 10, "requests_per_s": 1, "seed": 1}
    agents = {"n_sessions": 5, "sessions_per_s": 1, "n_turns": 4, "start_tokens": 100, "seed": 1}
    agents |= {"turn_tokens": 10, "output_tokens": [10], "think_s": [1.0], "answer_s": [1.0]}
    agents |= {"compact_at_tokens": 1000, "compacted_tokens": 100, "stable_tokens": 10}
    limits = {"ttft_s": 2, "tpot_s": 0.1, "quantile": 0.9, "load_fraction": 0.9, "precision": 0.01}
    again = {"context_tokens": [8000], "rent_usd_per_h": 2, "new_tokens": 100, "cache_bits": 8}
    lived = {"n_params": 70e9, "training_tokens": 1.4e12, "served_times": 1.0}
    cut = {"n_accelerators": 2, "weight_bytes": 1e9, "sequence_bytes": 1e8, "token_flop": 1e10}
    cut |= {"hidden_size": 4096, "n_layers": 32, "n_kv_heads": 8, "n_clients": 8, "fixed_s": 1e-3}
    cut |= {"memory_bytes_per_s": 3e12, "peak_flop_per_s": 1e15, "link_bytes_per_s": 4e11}
    cut |= {"latency_s": 1e-5, "rent_usd_per_h": 2, "bandwidth_fraction": 0.8}
    cut |= {"compute_fraction": 0.6, "link_fraction": 0.5}
    volumes = {"mtok_per_month": [100, 1000], "owned_usd_per_h": 2, "rent_usd_per_h": 3}
    volumes |= {"api_usd_per_mtok": 0.5, "tokens_per_s": 5000, "n_accelerators": 2, "n_spares": 1}
    volumes |= {"node_accelerators": 8, "peak_times": 2, "load_fraction": 0.8}
    volumes |= {"rent_peak_times": 1.1}
    seventy = catalog.model("Llama-3.1-70B")
    return {
        "architectures.decode_costs": (
            partial(architectures.decode_costs, rig=card),
            {"context_tokens": [8000], "user_tokens_per_s": 35.0},
        ),
        "architectures.request_break_even": (
            partial(architectures.request_break_even, rig=card, price=pricebook.price("gpt-4o")),
            {"hit_fraction": [0.5], "prompt_tokens": 8000, "answer_tokens": 500}
            | {"compute_fraction": 0.5},
        ),
        "architectures.rig_costs": (
            partial(architectures.rig_costs, {"one": card}),
            {"short_tokens": 4000, "long_tokens": 8000},
        ),
        "architectures.request_costs": (
            partial(architectures.request_costs, rig=card),
            {"context_tokens": [8000], "output_fraction": [0.3], "compute_fraction": 0.5},
        ),
        "bills.by_length": (
            partial(bills.by_length, "gpt-4o"),
            {"input_tokens": [100], "output_tokens": 10},
        ),
        "bills.provision": (
            bills.provision,
            {"demand_tokens_per_s": [100.0, 200.0], "full_price_fraction": 0.5}
            | {"list_usd_per_mtok": 1.0},
        ),
        "bills.workload_bills": (
            partial(bills.workload_bills, "claude-sonnet-4-6"),
            {"hit_fraction": 0.5},
        ),
        "deploy.scenarios": (partial(deploy.scenarios, *small), layout),
        "frontier.memory_generations": (
            partial(frontier.memory_generations, kind="on demand"),
            {"read_bytes": 1e10},
        ),
        "indices.implied_batches": (
            partial(indices.implied_batches, model="Llama-3.1-70B", accelerator="H100"),
            {"output_times": [5], "context_tokens": [4000], "weight_bits": 4, "cache_bits": 8}
            | {"compute_fraction": 0.5},
        ),
        "laws.best_tokens_per_param": (laws.best_tokens_per_param, lived | {"served_tokens": 1e12}),
        "laws.budget_tokens_per_param": (laws.budget_tokens_per_param, {"budget_flop": 1e23}),
        "laws.even_served_tokens": (laws.even_served_tokens, lived | {"tokens_per_param": 60}),
        "laws.saved_fraction": (laws.saved_fraction, lived | {"served_tokens": 1e12}),
        "laws.worth_tokens": (laws.worth_tokens, lived | {"saved_fraction": 0.05}),
        "layouts.candidates": (partial(layouts.candidates, small[0]), {"most_accelerators": 2}),
        "laws.allocation": (partial(laws.allocation, "Refit"), {"budget_flop": 1e23}),
        "lengths.lognormal_fit": (lengths.lognormal_fit, {"lengths_tokens": [10, 20, 30]}),
        "machines.ring_decode": (partial(machines.ring_decode, "Llama-3.1-70B", "H100"), ring),
        "machines.ring_prefill": (
            partial(machines.ring_prefill, "Llama-3.1-70B", "H100"),
            {"prompt_tokens": [1e6], "ring": 128, "tensor_width": 1, "link_bytes_per_s": 5e10}
            | {"compute_fraction": 0.5, "link_fraction": 0.5},
        ),
        "machines.tensor_parallel": (machines.tensor_parallel, cut),
        "margins.fast_rents": (
            partial(margins.fast_rents, "Llama-3.3-70B"),
            {"input_tokens": 1000, "output_tokens": 100, "load": 0.5},
        ),
        "machines.sram_users": (
            partial(machines.sram_users, "Llama-3.1-70B"),
            {"weight_bits": 8, "cache_bits": 8, "context_tokens": [4000]},
        ),
        "ownership.cold_start": (
            partial(ownership.cold_start, *small, weight_format="fp8"),
            {"n_accelerators": 1, "fixed_s": 30},
        ),
        "ownership.api_usd_per_mtok": (
            partial(ownership.api_usd_per_mtok, "gpt-4o"),
            {"input_tokens": 1000, "output_tokens": 100},
        ),
        "ownership.regimes": (ownership.regimes, volumes),
        "ownership.speed": (
            partial(ownership.speed, *small, weight_format="fp8"),
            {"n_accelerators": 1, "n_clients": 8, "input_tokens": 1000, "output_tokens": 100},
        ),
        "pricebook.request_prices": (
            partial(pricebook.request_prices, "gemini-2.5-pro"),
            {"input_tokens": [100]},
        ),
        "reloading.assumed_s": (
            partial(reloading.assumed_s, seventy),
            {"active_params": 70e9, "context_tokens": 96e3, "peak_flop_per_s": 989e12}
            | {"compute_fraction": 0.5},
        ),
        "reloading.parity": (
            partial(reloading.parity, small[:1], "H100"),
            {"context_tokens": [8000], "cache_bits": 8},
        ),
        "routers.curve": (partial(routers.curve, "MMLU", "length"), {"seed": 0}),
        "serve.cost_splits": (
            partial(serve.cost_splits, load, serve.prediction(load)),
            {"rent_usd_per_h": 2, "output_to_input_ratio": 4},
        ),
        "variants.effective_bits": (
            partial(variants.effective_bits, ["NVFP4"]),
            {"context_tokens": 8000},
        ),
        "variants.format_costs": (
            partial(variants.format_costs, rig=card, weights=["FP8"], caches=["FP8"]),
            {"context_tokens": 8000},
        ),
        "workloads.replayed": (partial(workloads.replayed, asked), {"requests_per_s": 1}),
        "workloads.spread": (partial(workloads.spread, asked), {"tick_s": 0.1, "seed": 1}),
        "pricebook.price": (partial(pricebook.price, "gpt-4o"), {"input_tokens": 100}),
        "profile.dispersion": (partial(profile.dispersion, np.arange(100.0)), {"window_s": 5}),
        "reloading.reloads": (partial(reloading.reloads, *small), again | {"n_accelerators": 1}),
        "replays.dispatched": (
            partial(replays.dispatched, asked, rig, how="random"),
            {"n_replicas": 2, "seed": 0},
        ),
        "replica.replica": (
            partial(replica.replica, *small),
            {"input_tokens": 1000, "output_tokens": 100, "n_accelerators": 1}
            | {"chunk_tokens": 2048, "most_running": 64},
        ),
        "response.most_requests_per_s": (
            partial(response.most_requests_per_s, rig),
            limits | lengths_of,
        ),
        "response.under_load": (
            partial(response.under_load, rig),
            lengths_of | {"requests_per_s": 1},
        ),
        "serve.open_loop": (
            partial(serve.open_loop, load),
            {"requests_per_s": 1, "prompt_scv": 1},
        ),
        "simulate.served": (partial(simulate.served, asked, rig), {"most_output_tokens": 100}),
        "study.card": (
            partial(study.card, h100, activations="bf16"),
            device | {"n_accelerators": 4},
        ),
        "tenants.adapter_params": (partial(tenants.adapter_params, "Llama-2-7B"), {"rank": 16}),
        "variants.costs": (partial(variants.costs, rig=card), {"context_tokens": [8000]}),
        "workloads.bursty_s": (workloads.bursty_s, stream | {"gap_scv": 2}),
        "workloads.day_shaped_s": (
            workloads.day_shaped_s,
            stream | {"peak_to_mean": 1.5, "period_s": 86400.0},
        ),
        "workloads.poisson_s": (workloads.poisson_s, stream),
        "workloads.sessions": (workloads.sessions, agents),
    }


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_input_is_refused_by_the_name_of_its_parameter(entries, name):
    assert set(entries) == set(NAMES)
    entry, valid = entries[name]
    entry(**valid)
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    unset = {
        parameter
        for parameter, given in inspect.signature(entry).parameters.items()
        if given.default is None
    }

    def bad(parameter):
        for value in impossible(parameter, draw, -(-N_BAD // len(valid))):
            if value is not None or parameter not in unset:
                yield value

    wrong, tried = refusals(entry, valid, bad)
    assert wrong == []
    assert tried >= N_BAD
