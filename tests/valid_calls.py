"""A valid call of every public function that takes numbers and is no formula: numbers come last.

Each stands under its name as a pair: the function with what is not tried (a plan, a rig, a name),
and the numbers that are.
"""

from functools import partial

import numpy as np
import pandas as pd
from test_contest import FIELDS

from costlib import (
    architectures,
    arguments,
    bills,
    catalog,
    choices,
    claims,
    cluster,
    contest,
    deploy,
    frontier,
    indices,
    kv,
    laws,
    layouts,
    lengths,
    lives,
    machines,
    margins,
    mixtures,
    ownership,
    plans,
    pricebook,
    profile,
    reloading,
    replays,
    replica,
    requestlog,
    response,
    routers,
    scenario,
    screening,
    sensitivity,
    serve,
    simulate,
    study,
    tables,
    tenants,
    validate,
    variants,
    workloads,
)

DEVICE = {"weight_bits": 8, "cache_bits": 8, "rent_usd_per_h": 2.5, "reserved_bytes": 6e9}
ASSET = {"cost_usd": 3e5, "salvage_fraction": 0.1, "life_years": 6, "rent_usd_per_h": 20}
ASSET |= {"yearly_times": 0.8, "busy_fraction": 0.7, "opex_usd_per_h": 3}
ASSET |= {"interest_fraction": 0.1, "service_years": 6}
MACHINE = {"machine_usd": 2.5e5, "node_accelerators": 8, "network_fraction": 0.1}
MACHINE |= {"installation_fraction": 0.05, "spare_fraction": 0.02, "salvage_fraction": 0.1}
MACHINE |= {"interest_fraction": 0.08, "years": 4, "insurance_fraction": 0.01}
MACHINE |= {"tax_fraction": 0.01, "repair_fraction": 0.02, "staff_usd_per_h": 2}
MACHINE |= {"software_usd_per_h": 1, "provisioned_w": 1e4, "power_w": 8e3, "pue": 1.3}
MACHINE |= {"colocation_usd_per_kw_month": 150, "electricity_usd_per_kwh": 0.1}
TENANCY = {"model": "Llama-3.1-8B", "accelerator": "H100", "weight_format": "bf16"}
TENANCY |= {"api_model": "gpt-4.1", "rent_usd_per_h": 2.0, "prompt_tokens": 2_000}
TENANCY |= {"example_tokens": 13_000, "output_tokens": 1_000, "requests_per_month": 10_000}
TENANCY |= {"peak_times": 3, "load_fraction": 0.6, "n_clients": 64, "rank": 16}
TENANCY |= {"tuning_tokens": 1e7, "tuning_mfu_fraction": 0.4, "tuning_months": 6}
TENANCY |= {"reused_fraction": 0.9}


def _entered(n_workers):
    with cluster.local_client(n_workers):
        pass


def loads():
    """Machines, requests, prices: what chapters put to the formulas."""
    small = ("Llama-3.1-8B", "H100")
    h100 = catalog.accelerator("H100")
    rig = replica.replica(*small, input_tokens=1000, output_tokens=100)
    load = deploy.scenarios(*small, n_clients=8)
    card = study.card(h100, activations="bf16", n_accelerators=4, **DEVICE)
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
        "profile.dispersion": (profile.dispersion, {"arrival_s": np.arange(100.0), "window_s": 5}),
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
        "response.largest_rate": (
            partial(response.largest_rate, partial(response.under_load, rig, **lengths_of)),
            {name: limits[name] for name in limits if name != "quantile"},
        ),
        "response.most_requests_per_s": (
            partial(response.most_requests_per_s, rig),
            limits | lengths_of,
        ),
        "response.under_load": (
            partial(response.under_load, rig),
            lengths_of | {"requests_per_s": 1, "quantiles": [0.5]},
        ),
        "serve.open_loop": (
            partial(serve.open_loop, load),
            {"requests_per_s": 1, "prompt_scv": 1},
        ),
        "simulate.served": (
            partial(simulate.served, asked, rig),
            {"most_output_tokens": 100, "classes": [0, 1, 0]},
        ),
        "study.card": (
            partial(study.card, h100, activations="bf16"),
            DEVICE | {"n_accelerators": 4, "memory_bytes": 80e9},
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


def studies():
    """Plans, owners, tables, draws: what stands on those."""
    h100, llama = catalog.accelerator("H100"), "Llama-3.1-8B"
    card = study.card(h100, activations="bf16", n_accelerators=4, **DEVICE)
    rig = replica.replica(llama, "H100", input_tokens=1000, output_tokens=100)
    asked = workloads.drawn("chat", np.arange(40.0), seed=1)
    log = requestlog.read("tests/example_log.csv")
    offer = frontier.Offer(
        accelerator="H100", n_accelerators=1, weight_format="fp8", rent_usd_per_h=2.0
    )
    request = {"input_tokens": 1000, "output_tokens": 100}
    table = {"input_tokens": [1000.0], "output_tokens": 1000}
    aim = laws.target(70e9, 1.4e12)
    asset = lives.Asset(**ASSET)
    machine = ownership.Machine(**MACHINE)
    tiers = {"edges_years": [0.0, 2.0, 4.0], "busy": [0.9, 0.5]}
    draws = {"n_draws": 4, "seed": 1}
    plan = plans.plan(FIELDS)
    ranges = contest.ranges(plan)
    product = {
        "formula": lambda a: 2 * np.asarray(a),
        "base": {"a": 1.0},
        "ranges": {"a": (1.0, 2.0)},
    }
    space = cluster.grid(
        model=llama, accelerator="H100", n_clients=[8], input_tokens=100, output_tokens=10,
        rent_usd_per_h=2.5,
    )  # fmt: skip
    experts = deploy.scenarios(
        "DeepSeek-V3", "H200", n_accelerators=8, n_clients=np.array([8.0]), weight_format="fp8",
        **request,
    )  # fmt: skip
    rows = validate.resolve(validate.read(tables.data_path("measured.csv")).head(20))
    found = scenario.read("examples/app_10k_users.yml")
    month = screening.demand(found)
    return {
        "architectures.check_room": (
            partial(architectures.check_room, card),
            {"context_tokens": 4e3},
        ),
        "architectures.cliff_ratio": (
            partial(
                architectures.cliff_ratio,
                n_params=8e9,
                weight_bits=8,
                cache_bits=8,
                n_layers=32,
                n_kv_heads=8,
                cached_dim=256,
                n_heads=32,
                attended_dim=256,
                memory_bytes=80e9,
                memory_bytes_per_s=3e12,
                peak_flop_per_s=1e15,
                rent_usd_per_h=2,
                reserved_bytes=6e9,
            ),
            {"short_tokens": 4e3, "long_tokens": 128e3},
        ),
        "arguments.batch_and_chip": (arguments.batch_and_chip, draws),
        "arguments.busy_and_pue": (arguments.busy_and_pue, draws),
        "arguments.memory_and_arithmetic": (arguments.memory_and_arithmetic, draws),
        "choices.bill": (partial(choices.bill, month), {"monthly_usd": 1e3}),
        "choices.bill_steps": (partial(choices.bill_steps, month), {"monthly_usd": 1e3}),
        "claims.product": (claims.product, {"of": 2, "by": 3}),
        "claims.quotient": (claims.quotient, {"of": 2, "over": 3}),
        "claims.reduction": (claims.reduction, {"part": 2, "whole": 3}),
        "claims.total": (claims.total, {"parts": [2, 3]}),
        "claims.whole": (claims.whole, {"of": 2.5}),
        "cluster.cheapest": (partial(cluster.cheapest, space, "n_clients"), {"limit_bytes": 1e9}),
        "cluster.local_client": (_entered, {"n_workers": 1}),
        "cluster.evaluate": (partial(cluster.evaluate, space, "tpot_s"), {"limit_bytes": 1e9}),
        "contest.contest": (partial(contest.contest, plan, ranges), draws),
        "contest.regimes": (
            partial(contest.regimes, plan, ranges),
            {"n_volumes": 3, "n_prices": 3},
        ),
        "contest.shares": (partial(contest.shares, plan, ranges), draws),
        "frontier.answer_times": (
            partial(frontier.answer_times, llama, offer),
            {"requests_per_s": [1.0], "lengths_tokens": [100, 200], "input_tokens": 1e5},
        ),
        "frontier.batch_gains": (
            partial(frontier.batch_gains, llama, offer),
            {"n_clients": [1, 8]} | request,
        ),
        "frontier.curves": (partial(frontier.curves, llama, [offer]), {"n_clients": [8]} | table),
        "frontier.list_prices": (partial(frontier.list_prices, "Llama-3.3-70B"), table),
        "frontier.points": (partial(frontier.points, llama, [offer]), table),
        "frontier.schedules": (
            partial(frontier.schedules, llama, offer),
            {"lengths_tokens": [100, 200], "input_tokens": 1000},
        ),
        "frontier.stalls": (
            partial(frontier.stalls, llama, offer),
            {"n_clients": 8, "chunk_tokens": [512]} | request,
        ),
        "laws.lives": (partial(laws.lives, of=aim), {"served_tokens": [1e12], "served_times": 1.0}),
        "laws.sizes": (
            partial(laws.sizes, of=aim),
            {"n_params": [70e9], "served_tokens": 1e12, "served_times": 1.0},
        ),
        "laws.target": (laws.target, {"n_params": 70e9, "training_tokens": 1.4e12}),
        "layouts.link_costs": (
            partial(layouts.link_costs, experts, rates={"own": 450e9}),
            {"rent_usd_per_h": 2.5},
        ),
        "lives.books": (partial(lives.books, asset), {"years": [0.0, 1.0]} | tiers),
        "lives.earning_years": (partial(lives.earning_years, asset), {"declines_fraction": [0.2]}),
        "lives.held_values": (
            partial(lives.held_values, asset),
            {"years": [1.0], "declines_fraction": [0.2]},
        ),
        "lives.stages": (
            partial(lives.stages, asset),
            {"declines_fraction": [0.2], "rent_times": [1.0, 0.5]} | tiers,
        ),
        "lives.token_costs": (
            partial(lives.token_costs, asset),
            {"lives": [4.0], "tokens_per_s": 1e3, "gpu_fraction": 0.7, "gpu_years": 3}
            | {"gpu_salvage_fraction": 0.1, "rest_years": 8},
        ),
        "lives.under_water": (
            partial(lives.under_water, asset),
            {"lives": [4.0], "declines_fraction": [0.2]},
        ),
        "margins.machines": (
            partial(margins.machines, ["Llama-3.3-70B"], rent_kind="on demand"),
            request | {"user_tokens_per_s": 20, "hit_fraction": 0.1},
        ),
        "margins.margins": (
            partial(
                margins.margins,
                pd.DataFrame({"model": ["Llama-3.3-70B"]}).assign(
                    full_usd=1e-4, full_low_usd=1e-4, full_high_usd=1e-4
                ),
            ),
            request | {"load": 0.5, "hit_fraction": 0.1},
        ),
        "margins.needed_nodes": (
            partial(margins.needed_nodes, accelerator="H200"),
            {"n_accelerators": 8},
        ),
        "mixtures.cost_ratios": (partial(mixtures.cost_ratios, experts), {"rent_usd_per_h": 2.5}),
        "mixtures.light_usd": (
            mixtures.light_usd,
            {"clients": [8], "n_experts": 256, "top_k": 8, "traffic_bytes": 1e8}
            | {"shared_params": 17e9, "routed_params": 654e9, "weight_bits": 8}
            | {"memory_bytes_per_s": 5e12, "peak_flop_per_s": 2e15, "rent_usd_per_h": 2}
            | {"n_accelerators": 8},
        ),
        "ownership.flows": (
            partial(ownership.flows, machine),
            {"busy_fraction": 0.5, "rent_usd_per_h": 3, "yearly_times": 0.9},
        ),
        "ownership.hour": (
            partial(ownership.hour, machine),
            {"years": [4.0], "electricity_usd_per_kwh": 0.1},
        ),
        "ownership.returns": (
            partial(ownership.returns, machine),
            {"busy": [0.5], "rent_usd_per_h": 3, "yearly_times": 0.9},
        ),
        "profile.burstiness": (profile.burstiness, {"arrival_s": np.arange(700.0)}),
        "profile.profile": (partial(profile.profile, log), {"seed": 1}),
        "replays.against_poisson": (
            partial(replays.against_poisson, asked, rig),
            {"loads": [0.5], "seed": 1},
        ),
        "replays.scored": (
            partial(replays.scored, "chat", rig),
            {"loads": [0.5], "n_requests": 40, "seed": 1},
        ),
        "replays.times": (
            partial(replays.times, simulate.served(asked, rig)),
            {"warm_fraction": 0.1},
        ),
        "requestlog.read": (
            partial(requestlog.read, "tests/example_log.csv"),
            {"block_tokens": 512},
        ),
        "routers.summary": (
            partial(routers.summary, routers.read("tests/example_scores.csv")),
            {"loss_usd": 0.1},
        ),
        "screening.carbon_kg": (
            partial(screening.carbon_kg, found, busy_w=500, tdp_w=700),
            {"n_accelerators": 1, "n_held": 2, "load": 0.5},
        ),
        "screening.recalls": (partial(screening.recalls, llama), {"tokens": 1e4}),
        "sensitivity.drawn": (partial(sensitivity.drawn, **product), draws),
        "sensitivity.shares": (partial(sensitivity.shares, **product), draws),
        "study.flip_point": (
            partial(study.flip_point, lambda x: x * x - 4),
            {"low": 0, "high": 10, "target": 0.0},
        ),
        "study.sweep": (
            partial(study.sweep, kv.kept_tokens),
            {"context_tokens": [10, 20], "window_tokens": 5},
        ),
        "study.one_at_a_time": (partial(study.one_at_a_time, **product), {"n_points": 5}),
        "tenants.bills": (
            partial(tenants.bills, of=tenants.Tenancy(**TENANCY)),
            {"n_tenants": [10]},
        ),
        "validate.by_group": (
            partial(validate.by_group, validate.compare(rows), "model"),
            {"least": 1},
        ),
        "variants.check_room": (partial(variants.check_room, card), {"context_tokens": 4e3}),
        "workloads.drawn": (
            partial(workloads.drawn, "chat"),
            {"arrivals_s": [1.0, 2.0], "seed": 1},
        ),
    }
