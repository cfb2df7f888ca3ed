"""The house rules that a reviewer would otherwise check by eye."""

import ast
import csv
import dataclasses
import functools
import importlib
import inspect
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import costlib
from costlib import catalog

PACKAGE = Path(costlib.__file__).parent
ROOT = PACKAGE.parent


def floors(drawing):
    """Modules of each floor from the ground up, and the libraries that it adds."""
    found = []
    for line in drawing.splitlines():
        if floor := re.fullmatch(r" {4}[A-Z][a-z ]+: (.+)", line):
            found.append([[], floor[1].split()])
        elif found and line.startswith(" " * 8):
            found[-1][0].extend(re.sub(r"^ +[a-z ]+: ", "", line).split())
    return found[::-1]


FLOORS = floors(costlib.__doc__)
LEVEL = {name: level for level, (names, _) in enumerate(FLOORS) for name in names}


def dotted(path):
    """Name of a module below costlib; the package itself is `costlib`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "costlib"


SOURCES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@functools.cache
def tree(module):
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


# --- floors ----------------------------------------------------------------------------------


def imported(node):
    """Full names that an import statement asks for; a relative import keeps its dots."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    start = "." * node.level + (node.module or "")
    return [f"{start}.{alias.name}" for alias in node.names]


def misplaced(source, level):
    """Imports of a source text that its floor does not allow."""
    libraries = {name for _, names in FLOORS[: level + 1] for name in names}
    wrong = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in imported(node):
                top, *rest = name.split(".")
                own = top == "costlib" and rest and LEVEL.get(rest[0], len(FLOORS)) <= level
                if not (own or top in libraries or top in sys.stdlib_module_names):
                    wrong.append(name)
    return wrong


@pytest.mark.parametrize("module", SOURCES)
def test_every_module_has_a_floor(module):
    assert module.partition(".")[0] in LEVEL


def test_the_package_draws_four_floors_and_every_module_once():
    drawn = [name for names, _ in FLOORS for name in names]
    assert len(FLOORS) == 4
    assert sorted(drawn) == sorted(set(drawn))


def test_every_name_of_a_floor_is_a_module():
    assert set(LEVEL) == {module.partition(".")[0] for module in SOURCES}


@pytest.mark.parametrize("module", SOURCES)
def test_imports_point_downwards_and_stay_within_the_libraries_of_the_floor(module):
    level = LEVEL[module.partition(".")[0]]
    assert misplaced(SOURCES[module].read_text(encoding="utf-8"), level) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pandas",
        "from costlib import kv, catalog",
        "from costlib.catalog import model",
        "def late():\n    import altair.vegalite",
        "from . import kv",
        "import requests",
    ],
)
def test_the_floors_refuse_an_import_from_above(source):
    assert len(misplaced(source, 1)) == 1


# --- formulas --------------------------------------------------------------------------------

FORMULAS = [
    getattr(module, name)
    for module in (importlib.import_module(f"costlib.{m}") for m in SOURCES if LEVEL.get(m) == 1)
    for name in module.__all__
]
each_formula = pytest.mark.parametrize(
    "formula", FORMULAS, ids=lambda f: f"{f.__module__.removeprefix('costlib.')}.{f.__name__}"
)

UNIT_OF_SUFFIX = {
    "bytes_per_state_value": "bytes",
    "usd_per_kw_month": "USD/kW/month",
    "bytes_per_token": "bytes/token",
    "bytes_per_value": "bytes",
    "requests_per_s": "requests/s",
    "flop_per_byte": "FLOP/byte",
    "tokens_per_s": "tokens/s",
    "usd_per_gb_h": "USD/GB/h",
    "usd_per_mtok": "USD/Mtok",
    "kwh_per_mtok": "kWh/Mtok",
    "bytes_per_s": "bytes/s",
    "usd_per_kwh": "USD/kWh",
    "kg_per_mtok": "kg/Mtok",
    "flop_per_s": "FLOP/s",
    "bits_per_s": "bits/s",
    "usd_per_gb": "USD/GB",
    "l_per_mtok": "l/Mtok",
    "usd_per_t": "USD/t",
    "g_per_kwh": "g/kWh",
    "l_per_kwh": "l/kWh",
    "usd_per_h": "USD/h",
    "j_per_gb": "J/GB",
    "tokens": "tokens",
    "bytes": "bytes",
    "bits": "bits",
    "flop": "FLOP",
    "kwh": "kWh",
    "usd": "USD",
    "kg": "kg",
    "h": "h",
    "j": "J",
    "s": "s",
    "w": "W",
}  # longest first; anything else is a pure number


def promised(name):
    return next((u for s, u in UNIT_OF_SUFFIX.items() if f"_{name}".endswith(f"_{s}")), "-")


def section(formula, title):
    doc = inspect.getdoc(formula) + "\n"
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^\w+\n---|\Z)", doc, re.DOTALL | re.MULTILINE)
    return found.group(1) if found else ""


def unit_at_the_end(text):
    found = re.search(r"\[([^]]+)\]$", text.strip())
    return found.group(1) if found else None


def test_suffixes_are_tried_longest_first():
    lengths = [len(suffix) for suffix in UNIT_OF_SUFFIX]
    assert lengths == sorted(lengths, reverse=True)


@each_formula
def test_every_parameter_states_the_unit_that_its_name_promises(formula):
    entries = dict(
        re.findall(r"^(\w+)\n((?: {4}.*\n)+)", section(formula, "Parameters"), re.MULTILINE)
    )
    parameters = list(inspect.signature(formula).parameters)
    assert list(entries) == parameters
    assert {name: unit_at_the_end(text) for name, text in entries.items()} == {
        name: promised(name) for name in parameters
    }


@each_formula
def test_every_result_states_the_unit_that_the_function_is_named_after(formula):
    assert unit_at_the_end(section(formula, "Returns")) == promised(formula.__name__)


@each_formula
def test_every_formula_says_what_raises_where_it_comes_from_and_shows_a_value(formula):
    assert "ValueError" in section(formula, "Raises")
    assert "Source:" in section(formula, "Notes")
    assert ">>> " in section(formula, "Examples")


@each_formula
def test_every_key_that_a_formula_cites_is_in_the_bibliography(formula):
    entries = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("book/*.bib"))
    known = set(re.findall(r"^@\w+\{\s*([^,\s]+)", entries, re.MULTILINE))
    cited = set(re.findall(r"\b[a-z]+\d{4}[a-z0-9]*\b", inspect.getdoc(formula)))
    assert cited <= known, f"not in book/*.bib: {sorted(cited - known)}"


@each_formula
def test_parameters_are_keyword_only_but_for_one_sweep_variable(formula):
    kinds = [parameter.kind for parameter in inspect.signature(formula).parameters.values()]
    assert kinds[1:] == [inspect.Parameter.KEYWORD_ONLY] * (len(kinds) - 1)


# --- arrays in, arrays out -------------------------------------------------------------------

# One valid value per parameter name: a name means the same in every formula.
SAMPLE = {
    "acceptance_fraction": 0.7,
    "accepted_tokens": 2.5,
    "active_fraction": 0.6,
    "active_params": 7e9,
    "adapter_bytes": 8.4e7,
    "age_years": 2,
    "alignment_fraction": 0.016,
    "api_usd_per_mtok": 2,
    "area": 0.6,
    "arrival_scv": 1.5,
    "attended_dim": 256,
    "attention_flop": 1e9,
    "availability_fraction": 0.99,
    "backfill_fraction": 0.2,
    "band_start_bytes": 0,
    "band_usd_per_gb": 0.09,
    "bandwidth_fraction": 0.8,
    "baseline_bits": 16,
    "baseline_waste_fraction": 0.6,
    "below_fraction": 0.9995,
    "between_failures_h": 400,
    "bill_usd": 0.01,
    "block_tokens": 16,
    "books_usd": 100,
    "bought_fraction": 0.5,
    "bubble_ratio": 0.2,
    "budget_flop": 5.88e23,
    "budget_tokens": 16,
    "budget_usd_per_h": 10,
    "burst_fraction": 0.1,
    "busy_fraction": 0.7,
    "bytes_per_s": 5e10,
    "bytes_per_state_value": 4,
    "bytes_per_token": 163_840,
    "bytes_per_value": 2,
    "cache_bits": 8,
    "cache_life_s": 300,
    "cache_times": 4,
    "cache_write_usd_per_mtok": 3.75,
    "cached_dim": 256,
    "cached_input_usd_per_mtok": 0.3,
    "cached_tokens": 5e3,
    "cadence_years": 1,
    "cap_kwh": 3,
    "cap_usd": 30,
    "capital_usd_per_h": 0.7,
    "carbon_free_fraction": 0.3,
    "carbon_kg": 100,
    "carbon_usd_per_t": 80,
    "carrying_usd": 9e3,
    "caught_fraction": 0.8,
    "charge_usd": 5e3,
    "cheapest_params": 7.3e10,
    "cheapest_tokens": 1.34e12,
    "check_usd": 0.001,
    "chunk_tokens": 512,
    "clipped_fraction": 0.01,
    "clipped_mean_tokens": 400,
    "clipped_scv": 0.5,
    "colocation_usd_per_kw_month": 150,
    "commitment_fraction": 0.5,
    "commitment_usd": 1e5,
    "common_fraction": 0.05,
    "compact_at_tokens": 5e4,
    "compacted_tokens": 1e4,
    "compaction_times": 24,
    "compute_fraction": 0.5,
    "computing_s": 0.02,
    "concentration": 0.59,
    "confidence_fraction": 0.95,
    "context_tokens": 4e3,
    "cost_times": 0.9,
    "cost_usd": 8,
    "cost_usd_per_mtok": 2,
    "coverage_fraction": 0.6,
    "credit_fraction": 0.1,
    "cumulative_times": 27,
    "decay": 0.9,
    "demand_tokens_per_s": 2e3,
    "dense_params": 2e8,
    "deviation_s": 0.3,
    "discount_fraction": 0.1,
    "distance_tokens": 16,
    "dither_fraction": 0.5,
    "draft_s": 0.001,
    "draft_tokens": 4,
    "drawn_fraction": 0.76,
    "edit_fraction": 0.1,
    "effect_usd": 1e9,
    "elasticity": 1.1,
    "electricity_usd_per_kwh": 0.1,
    "embedding_params": 1e9,
    "embodied_kg": 7884,
    "energy_kwh": 1e3,
    "escalated_fraction": 0.3,
    "eviction_h": 40,
    "expert_params": 1e7,
    "exponent": 0.73,
    "facility_w": 2e4,
    "fair_usd": 5e3,
    "fallback_fraction": 0.05,
    "false_alarm_fraction": 0.1,
    "first_usd_per_mtok": 30,
    "first_value": 1,
    "fixed_fraction": 0.5,
    "fixed_kwh": 1,
    "fixed_s": 0.1,
    "fixed_usd": 500,
    "flexible_kwh": 2,
    "floor_loss": 1.8,
    "flop": 1e15,
    "flop_per_s": 5e14,
    "from_years": 1,
    "full_usd": 0.002,
    "gap_loss": 0.3,
    "gap_s": 600,
    "gini_fraction": 0.72,
    "gpu_fraction": 0.6,
    "gradient_bits": 16,
    "grid_g_per_kwh": 370,
    "grid_l_per_kwh": 3.1,
    "group_values": 32,
    "growth_each_times": 1.5,
    "head_dim": 128,
    "heavy_fraction": 0.2,
    "heavy_tokens": 4e7,
    "held_s": 100,
    "held_usd_per_h": 2,
    "held_years": 2,
    "high_usd": 40,
    "hit_fraction": 0.5,
    "host_w": 4600,
    "hour_g_per_kwh": 300,
    "hourly_times": 8,
    "idle_fraction": 0.15,
    "in_use_usd": 4e3,
    "inference_fraction": 0.85,
    "input_dim": 768,
    "input_lengths_tokens": 2e3,
    "input_token_s": 2.8e-4,
    "input_tokens": 1e5,
    "input_usd_per_mtok": 3,
    "installation_fraction": 0.02,
    "insurance_fraction": 0.01,
    "interest_fraction": 0.08,
    "j_per_gb": 2,
    "job_s": 0.3,
    "kept_tokens": 4e3,
    "kernel_fraction": 0.4,
    "kernel_times": 2,
    "label_usd": 1e6,
    "largest_value": 100,
    "last_usd_per_mtok": 3,
    "late_fraction": 0.2,
    "latency_s": 1e-5,
    "layers_sharing": 2,
    "length_scv": 1,
    "lengths_tokens": 2e3,
    "life_years": 6,
    "light_tokens": 2e6,
    "limit_tokens": 10,
    "line_usd": 9e3,
    "link_bytes_per_s": 4.5e11,
    "link_fraction": 0.5,
    "load": 0.6,
    "load_fraction": 0.8,
    "load_share": 0.05,
    "long_usd_per_mtok": 2.5,
    "loss_usd": 1,
    "loss_usd_per_h": 1e3,
    "lost_fraction": 0.1,
    "lost_h": 1,
    "lost_usd_per_mtok": 20,
    "low_usd": 5,
    "machine_usd": 250000,
    "mantissa_bits": 10,
    "margin_fraction": 0.7,
    "match_fraction": 0.6,
    "mean_tokens": 500,
    "mean_usd": 8,
    "median_times": 8,
    "memory_bytes": 8e10,
    "memory_bytes_per_s": 3e12,
    "message_bytes": 1e7,
    "mixer_params": 1e8,
    "moved_bytes": 1e9,
    "moved_fraction": 0.05,
    "moving_s": 0.01,
    "n_accelerators": 4,
    "n_agents": 50,
    "n_chunks": 8,
    "n_clients": 64,
    "n_edits": 1,
    "n_experts": 8,
    "n_failed": 148,
    "n_heads": 64,
    "n_in_service": 16384,
    "n_kv_heads": 8,
    "n_layers": 80,
    "n_least": 1,
    "n_lifetime": 1e5,
    "n_lost": 1,
    "n_made": 20e3,
    "n_matrices": 12,
    "n_micro_batches": 32,
    "n_more_replicas": 4,
    "n_needed": 2,
    "n_only_first": 40,
    "n_only_second": 20,
    "n_pairs": 64,
    "n_params": 7e9,
    "n_parts": 5,
    "n_payments": 12,
    "n_pins": 1024,
    "n_prompts": 4,
    "n_queries": 16,
    "n_questions": 1000,
    "n_regions": 2,
    "n_replicas": 3,
    "n_requests": 16,
    "n_rivals": 8,
    "n_running": 16,
    "n_servers": 16,
    "n_sessions": 20,
    "n_spares": 1,
    "n_strong_servers": 8,
    "n_tenants": 75,
    "n_tokens": 32,
    "n_tries": 2,
    "n_turns": 40,
    "n_users": 16,
    "n_weak_servers": 8,
    "n_years": 5,
    "needed_bytes": 2e11,
    "needed_fraction": 0.7,
    "network_bytes_per_s": 5e10,
    "network_fraction": 0.1,
    "node_accelerators": 2,
    "observed_tokens": 16,
    "only_first_fraction": 0.2,
    "only_second_fraction": 0.05,
    "only_strong_fraction": 0.2,
    "only_weak_fraction": 0.05,
    "opex_usd_per_h": 0.5,
    "other_availability_fraction": 0.97,
    "other_busy_fraction": 0.9,
    "other_carbon_free_fraction": 0.9,
    "other_pue": 4.8,
    "other_success_fraction": 0.9,
    "other_tokens": 2e3,
    "other_weight": 4,
    "output_dim": 2304,
    "output_lengths_tokens": 500,
    "output_times": 5,
    "output_token_s": 0.02,
    "output_tokens": 1e3,
    "output_usd_per_mtok": 15,
    "overage_discount_fraction": 0.05,
    "overage_times": 1.5,
    "own_tokens": 1e3,
    "own_weight": 1,
    "owned_usd_per_h": 2,
    "params_exponent": 0.3478,
    "params_scale": 482,
    "pass_s": 0.02,
    "pass_through": 0.432,
    "patience_s": 2,
    "payload_bits": 4,
    "peak_flop_per_s": 1e15,
    "peak_times": 10,
    "per_request_s": 0.01,
    "period_h": 8760,
    "pin_bits_per_s": 6.4e9,
    "pipeline_stages": 4,
    "pool_bytes": 4e10,
    "position_fraction": 0.5,
    "power_fraction": 0.8,
    "power_w": 5e3,
    "preference_times": 20,
    "prefill_attended_dim": 256,
    "prefill_flop": 1e15,
    "prefill_s": 0.03,
    "prefill_usd": 0.05,
    "price_fraction": 0.5,
    "price_times": 0.1,
    "price_usd": 20,
    "prompt_deviation": 0.02,
    "prompt_tokens": 1e5,
    "provisioned_tokens_per_s": 1e3,
    "provisioned_usd_per_h": 5,
    "provisioned_w": 10200,
    "pue": 4,
    "quality": 0.8,
    "rank": 8,
    "rate_times": 2,
    "read_adapters": 20,
    "reasoning_tokens": 3e4,
    "recalled_fraction": 0.5,
    "region_common_fraction": 0.05,
    "reload_usd": 0.01,
    "rent_usd_per_h": 2.5,
    "repair_fraction": 0.02,
    "repair_h": 4,
    "replica_times": 0.5,
    "replica_usd": 5e4,
    "replica_usd_per_h": 6,
    "request_s": 0.02,
    "request_usd": 0.01,
    "requests_per_s": 2,
    "resale_times": 0.8,
    "resale_usd": 3e3,
    "research_times": 1,
    "resemblance_fraction": 0.5,
    "reserved_bytes": 6e9,
    "reserved_tokens": 8e3,
    "resident_tokens": 1e3,
    "residual_bits": 16,
    "residual_tokens": 128,
    "rest_life_years": 7,
    "reused_tokens": 1e3,
    "revenue_usd": 1e6,
    "room_tokens": 6e5,
    "room_usd_per_h": 2,
    "rounding_step": 0.01,
    "router_usd": 0.0001,
    "row_s": 0.002,
    "run_usd": 4e6,
    "safety": 1,
    "salvage_fraction": 0.1,
    "saving_fraction": 0.4,
    "scale_bits": 16,
    "seed": 3,
    "seen_fraction": 0.1,
    "sequence_bytes": 6e8,
    "sequence_s": 2e-4,
    "served_times": 2,
    "served_tokens": 1e12,
    "service_s": 0.1,
    "service_scv": 1,
    "service_third_moment": 6,
    "service_years": 8,
    "serving_fraction": 0.8,
    "serving_mfu_fraction": 0.1,
    "serving_ratio": 0.2,
    "share_fraction": 0.3,
    "sharpness": 32,
    "shift": 0.5,
    "short_usd_per_mtok": 1.25,
    "shorter_years": 2.5,
    "sigma": 1,
    "sink_tokens": 4,
    "site_l_per_kwh": 0.15,
    "site_w": 1e6,
    "size_times": 4,
    "skew": 0.5,
    "skill_fraction": 0.3,
    "slow_times": 4,
    "smaller_bytes": 2e8,
    "software_usd_per_h": 1,
    "spare_fraction": 0.03,
    "spend_times": 2,
    "spill_usd_per_mtok": 2,
    "sram_bytes": 2e5,
    "stable_tokens": 5e3,
    "staff_usd_per_h": 2,
    "start_s": 50,
    "start_tokens": 2e4,
    "state_bits": 32,
    "state_bytes": 8e7,
    "state_flop": 1e8,
    "state_values": 1e5,
    "step_bytes": 4e10,
    "step_flop": 1e13,
    "step_s": 0.02,
    "stream_interval_tokens": 10,
    "strong_fraction": 0.3,
    "strong_quality": 0.9,
    "strong_service_s": 2,
    "strong_success_fraction": 0.9,
    "strong_usd": 0.02,
    "success_fraction": 0.7,
    "summary_tokens": 1e3,
    "surviving_fraction": 0.9,
    "target_fraction": 0.999,
    "tax_fraction": 0.01,
    "tdp_w": 700,
    "tenant_fraction": 0.25,
    "tier_tokens": 2e5,
    "tile_rows": 64,
    "token_flop": 1.4e11,
    "token_j": 0.5,
    "token_kg_per_mtok": 0.1,
    "tokenizer_times": 1.2,
    "tokens_exponent": 0.3658,
    "tokens_per_param": 120,
    "tokens_per_s": 2e3,
    "tokens_scale": 2085,
    "top_fraction": 0.01,
    "top_k": 2,
    "traffic_bytes": 6e8,
    "trained_params": 1e9,
    "training_mfu_fraction": 0.4,
    "training_tokens": 1.4e12,
    "truncated_usd": 0.01,
    "tuned_request_usd": 0.001,
    "turn": 40,
    "turn_tokens": 2e3,
    "undercut_fraction": 0.3,
    "undiscounted_usd": 8e3,
    "unit_flop": 1e19,
    "unit_params": 1e9,
    "until_years": 4,
    "update_value": 0.1,
    "upkeep_usd_per_h": 3,
    "usable_bytes": 7e10,
    "usage_usd": 2e5,
    "usd_per_gb": 0.02,
    "usd_per_gb_h": 0.003,
    "value_times": 5,
    "value_usd_per_mtok": 20,
    "volume_times": 10,
    "wait_s": 0.1,
    "waiting_fraction": 0.2,
    "waiting_usd_per_h": 10,
    "waste_fraction": 0.04,
    "watching_usd": 1e5,
    "water_l_per_kwh": 3.75,
    "weak_quality": 0.7,
    "weak_service_s": 4,
    "weak_success_fraction": 0.7,
    "weak_usd": 0.002,
    "weight_bits": 4,
    "weight_bytes": 3.5e10,
    "weight_s": 0.0104,
    "whole_ratio": 0.25,
    "window_tokens": 1e3,
    "within_fraction": 0.95,
    "working_fraction": 0.5,
    "worth_fraction": 0.8,
    "written_tokens": 1e4,
    "yearly_times": 0.7,
    "years": 2,
    "zero_bits": 16,
}

# Parameters of a layer, which a formula that sums over groups takes along the last axis.
LAYER = {field.name for field in dataclasses.fields(catalog.LayerGroup)}


# Parameters that are one table for all scenarios.
TABLES = {
    "band_start_bytes",
    "band_usd_per_gb",
    "below_fraction",
    "credit_fraction",
    "input_lengths_tokens",
    "lengths_tokens",
    "output_lengths_tokens",
    "seed",
}


# Functions of whole tensors: their axes have meanings, so they do not broadcast, and their entries
# may be negative. What they refuse is in their own tests.
TENSORS = {
    "bulk.elastic_held_s",
    "bulk.elastic_s",
    "bulk.padded_s",
    "bulk.sojourn_s",
    "bulk.wait_s",
    "carbon.shifted_fraction",
    "carbon.shifted_kwh",
    "finance.irr_fraction",
    "finance.npv_usd",
    "finance.payback",
    "impairment.group_losses_usd",
    "markets.herfindahl",
    "quantizing.attention_output",
    "quantizing.kivi",
    "quantizing.outlier_keys",
    "quantizing.quantised",
    "quantizing.relative_error",
    "quantizing.rounded_fp8",
    "quantizing.rounded_nvfp4",
    "queueing.lindley_s",
    "queueing.priority_wait_s",
    "routing.blended_usd_per_mtok",
    "sharing.saturation_requests_per_s",
    "sharing.stationary",
}
SCENARIO_FORMULAS = [
    f for f in FORMULAS if f"{f.__module__.removeprefix('costlib.')}.{f.__name__}" not in TENSORS
]
each_scenario_formula = pytest.mark.parametrize(
    "formula",
    SCENARIO_FORMULAS,
    ids=lambda f: f"{f.__module__.removeprefix('costlib.')}.{f.__name__}",
)


def arguments(formula):
    return {name: SAMPLE[name] for name in inspect.signature(formula).parameters}


def scenario_parameters(formula):
    summed = "groups on the last axis" in inspect.getdoc(formula)
    fixed = TABLES | (LAYER if summed else set())
    return [name for name in arguments(formula) if name not in fixed]


@each_scenario_formula
def test_scalars_stay_scalars(formula):
    result = formula(**arguments(formula))
    assert isinstance(result, np.float64)
    assert np.isfinite(result)


@each_scenario_formula
def test_an_array_of_one_scenario_parameter_gives_the_scalar_results_one_by_one(formula):
    given = arguments(formula)
    for name in scenario_parameters(formula):
        values = given[name] * np.array([1, 0.5, 0.25])
        found = formula(**(given | {name: values}))
        assert isinstance(found, np.ndarray), name
        one_by_one = [formula(**(given | {name: value})) for value in values]
        assert_allclose(found, one_by_one, rtol=1e-12, err_msg=name)


@each_scenario_formula
def test_scenario_parameters_broadcast_against_each_other(formula):
    given, swept = arguments(formula), scenario_parameters(formula)
    shapes = [(3,) if position % 2 else (2, 1) for position in range(len(swept))]
    grid = {
        name: np.full(shape, float(given[name])) for name, shape in zip(swept, shapes, strict=True)
    }
    found = formula(**(given | grid))
    assert np.shape(found) == np.broadcast_shapes(*shapes)
    assert_allclose(found, formula(**given), rtol=1e-12)


@each_scenario_formula
def test_an_impossible_value_is_refused_by_the_name_of_its_parameter(formula):
    for name in inspect.signature(formula).parameters:
        for bad in (np.nan, -1.0, *([1.5] if name.endswith("_fraction") else [])):
            with pytest.raises(ValueError, match=rf"^{name} .*{bad}"):
                formula(**(arguments(formula) | {name: bad}))


# --- names -----------------------------------------------------------------------------------


def public_names(module):
    """Names that a reader meets: definitions, their parameters, fields of classes."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name
            yield from (a.arg for a in (*node.args.posonlyargs, *node.args.args))
            yield from (a.arg for a in node.args.kwonlyargs)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name
            yield from (n.target.id for n in node.body if isinstance(n, ast.AnnAssign))
        elif isinstance(node, ast.Assign):
            yield from (t.id for t in node.targets if isinstance(t, ast.Name))


def header(path):
    with path.open(encoding="utf-8", newline="") as table:
        return next(csv.reader(table))


@pytest.mark.parametrize(
    ("names", "place"),
    [(public_names, module) for module in SOURCES]
    + [(header, path) for path in sorted((ROOT / "data").glob("*.csv"))],
    ids=lambda given: getattr(given, "__name__", getattr(given, "stem", given)),
)
def test_no_name_leaves_open_whether_it_is_an_amount_a_rate_or_a_share(names, place):
    assert [name for name in names(place) if re.search("flops|percent|pct", name.lower())] == []


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_can_be_read_in_one_sitting(module):
    assert len(SOURCES[module].read_text(encoding="utf-8").splitlines()) <= 600
