"""What a cell of each table in `data/` may hold; `costlib.tables` reads the files by it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from typing import Any, Final

from costlib import units

__all__ = ["FORMATS", "LAYER", "SCHEMA", "is_date"]

FORMATS: Final = ("tf32", "bf16", "fp8", "int8", "fp4")
MEMORY_UNIT_BYTES: Final = {"GB": units.GB, "GiB": units.GIB, "MiB": units.MIB}


# --- cells ---------------------------------------------------------------------------------


def _text(cell: str) -> str:
    if not cell:
        raise ValueError("a text")
    return cell


def _number(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise ValueError("a number") from None
    if not (math.isfinite(value) and value >= 0):
        raise ValueError("a finite number of at least 0")
    return value


def _positive(cell: str) -> float:
    if (value := _number(cell)) == 0:
        raise ValueError("a number above 0")
    return value


def is_date(text: str) -> bool:
    """Whether a text is YYYY, YYYY-MM or YYYY-MM-DD, of a day that there is.

    >>> is_date("2026-02"), is_date("2026-02-31")
    (True, False)
    """
    if not re.fullmatch(r"(19|20)\d\d(-\d\d){0,2}", text, re.ASCII):
        return False
    try:
        date.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        return False
    return True


def _date(cell: str) -> str:
    if not is_date(cell):
        raise ValueError("a date as YYYY, YYYY-MM or YYYY-MM-DD")
    return cell


def _shape_sum(cell: str) -> float:
    if not re.fullmatch(r"\d+(x\d+)*(\+\d+(x\d+)*)*", cell):
        raise ValueError("shapes as 2x4096x1024+4096x4096")
    return float(sum(math.prod(map(int, term.split("x"))) for term in cell.split("+")))


def _truth(cell: str) -> bool:
    if cell not in {"yes", "no"}:
        raise ValueError("yes or no")
    return cell == "yes"


def _memory_unit(cell: str) -> float:
    if cell not in MEMORY_UNIT_BYTES:
        raise ValueError(f"one of {', '.join(MEMORY_UNIT_BYTES)}")
    return MEMORY_UNIT_BYTES[cell]


def _share(cell: str) -> float:
    if (value := _positive(cell)) > 1:
        raise ValueError("a share above 0 and up to 1")
    return value


def _part(cell: str) -> float:
    if (value := _number(cell)) > 1:
        raise ValueError("a share from 0 to 1")
    return value


def _format(cell: str) -> str:
    if cell not in FORMATS:
        raise ValueError(f"one of {', '.join(FORMATS)}")
    return cell


def _names(cell: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in cell.split(";"))
    if not all(names):
        raise ValueError("names as one;two")
    return names


def _or(default: Any, parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda cell: parse(cell) if cell else default


def _printed_number(cell: str) -> str:
    _positive(cell)
    return cell


# --- columns ---------------------------------------------------------------------------------

_PROVENANCE: Final[dict[str, Callable[[str], Any]]] = {
    "note": _or("", _text),
    "source": _text,
    "as_of": _date,
}

LAYER: Final[dict[str, Callable[[str], Any]]] = {
    "group": _text,
    "n_layers": _positive,
    "n_heads": _number,
    "n_kv_heads": _number,
    "cached_dim": _number,
    "attended_dim": _number,
    "prefill_attended_dim": _number,
    "window_tokens": _or(math.inf, _positive),
    "sink_tokens": _number,
    "state_values": _shape_sum,
    "mixer_params": _shape_sum,
    "dense_params": _shape_sum,
    "expert_params": _shape_sum,
    "n_experts": _number,
    "top_k": _number,
    "sparse_tokens": _or(math.inf, _positive),
    "index_dim": _number,
    "index_heads": _number,
}

SCHEMA: Final[dict[str, dict[str, Callable[[str], Any]]]] = {
    "accelerators.csv": {
        "name": _text,
        "maker": _text,
        "released": _date,
        "memory_type": _text,
        "memory_label_gb": _positive,
        "memory": _positive,
        "memory_unit": _memory_unit,
        "memory_gb_per_s": _positive,
        **{f"{name}_tflop_per_s": _or(math.nan, _positive) for name in FORMATS},
        "link_gb_per_s": _or(math.nan, _positive),
        "link_kind": _or("", _text),
        "tdp_w": _or(math.nan, _positive),
        **_PROVENANCE,
    },
    "models.csv": {
        "name": _text,
        "maker": _text,
        "released": _date,
        "hidden_size": _positive,
        "vocab_size": _positive,
        "embedding_params": _shape_sum,
        "outside_params": _shape_sum,
        "total_params_b": _printed_number,
        "active_params_b": _or("", _printed_number),
        "native_bits": _positive,
        "max_context_tokens": _positive,
        **_PROVENANCE,
    },
    "layers.csv": {"model": _text, **LAYER, **_PROVENANCE},
    "architectures.csv": {
        "name": _text,
        "colour": _text,
        "exact_recall": _truth,
        "n_params_b": _positive,
        "cache_bits": _or(math.nan, _positive),  # blank: as wide as the rig's
        "state_bits": _positive,
        **LAYER,
        **_PROVENANCE,
    },
    "variants.csv": {
        "name": _text,
        "colour": _text,
        "change": _text,
        "n_params_b": _positive,
        "group": _text,
        "n_layers": _positive,
        "n_heads": _number,
        "n_kv_heads": _number,
        "cached_dim": _number,
        "attended_dim": _number,
        "window_tokens": _or(math.inf, _positive),
        "sink_tokens": _number,
        "state_values": _shape_sum,
        "state_bits": _positive,
        "layers_sharing": _positive,
        "loses": _or("", _text),  # blank: said in the first row of the variant
        **_PROVENANCE,
    },
    "api_prices.csv": {
        "provider": _text,
        "model": _text,
        "launched": _or("", _date),
        "valid_from": _or("", _date),
        "service": _text,
        "above_input_tokens": _number,
        "input_usd_per_mtok": _number,
        "cached_input_usd_per_mtok": _or(math.nan, _number),
        "cache_write_usd_per_mtok": _or(math.nan, _number),
        "cache_write_1h_usd_per_mtok": _or(math.nan, _number),
        "cache_life_s": _or(math.nan, _positive),
        "output_usd_per_mtok": _number,
        "weights": _or("", _text),
        "listed_as": _or("", _text),
        **_PROVENANCE,
    },
    "price_tiers.csv": {"tier": _text, "model": _text, **_PROVENANCE},
    "quality_matches.csv": {"model": _text, "matches": _text, **_PROVENANCE},
    "deepseek_day.csv": {
        "quantity": _text,
        "value": _number,
        "unit": _or("", _text),
        **_PROVENANCE,
    },
    "tokenizers.csv": {"model": _text, "words_per_mtok": _positive, **_PROVENANCE},
    "prefix_hits.csv": {
        "trace": _text,
        "sessions_per_day": _or(math.nan, _positive),
        "block_tokens": _positive,
        "capacity_tokens": _or(math.inf, _positive),
        "token_hit_fraction": _part,
        "request_hit_fraction": _or(math.nan, _part),
        **_PROVENANCE,
    },
    "ttl_hits.csv": {
        "trace": _text,
        "ttl_s": _or(math.inf, _positive),
        "token_hit_fraction": _part,
        "requests_within_fraction": _part,
        **_PROVENANCE,
    },
    "session_growth.csv": {
        "quantity": _text,
        "turn": _or(0.0, _positive),
        "statistic": _text,
        "value": _number,
        "n": _positive,
        **_PROVENANCE,
    },
    "length_quantiles.csv": {
        "trace": _text,
        "field": _text,
        "quantile": _share,
        "value": _number,
        "source": _text,
        "as_of": _date,
    },
    "workloads.csv": {
        **dict.fromkeys(("name", "trace", "words", "source"), _text),
        "input_mean_tokens": _positive,
        "output_mean_tokens": _positive,
        "as_of": _date,
    },
    "engines.csv": {
        "name": _text,
        "software": _names,
        "stream_interval_tokens": _positive,
        "memory_fraction": _share,
        "max_batch": _or(math.inf, _positive),
        **_PROVENANCE,
    },
    "formats.csv": {
        "name": _text,
        "weight_bits": _positive,
        "arithmetic": _format,
        "fallback": _or("", _format),
        "experts_only": _truth,
        "aliases": _or((), _names),
        **_PROVENANCE,
    },
    "value_formats.csv": {
        "name": _text,
        "format": _or("", _text),
        "payload_bits": _positive,
        "group_values": _or(math.inf, _positive),
        "scale_bits": _number,
        "zero_bits": _number,
        "residual_tokens": _number,
        **_PROVENANCE,
    },
    "measured.csv": {
        "id": _text,
        "source_repo_or_url": _or("", _text),
        "source_path": _or("", _text),
        "source_commit_or_date": _or("", _text),
        "software": _or("", _text),
        "model": _text,
        "total_params_b": _or(math.nan, _number),
        "active_params_b": _or(math.nan, _number),
        "gpu": _text,
        "n_gpus": _positive,
        "tp": _or(math.nan, _positive),
        "pp_or_ep": _or("", _text),
        "weight_dtype": _or("", _text),
        "kv_dtype": _or("", _text),
        "isl": _or(math.nan, _number),
        "osl": _or(math.nan, _number),
        "concurrency_or_batch": _or(math.nan, _number),
        "metric": _text,
        "value": _number,
        "unit": _text,
        "source_class": _or("", _text),
        **_PROVENANCE,
    },
    "acceptance.csv": {
        "model": _text,
        "drafter": _text,
        "reasoning": _truth,
        "workload": _text,
        "draft_tokens": _positive,
        "accepted_tokens": _positive,
        **_PROVENANCE,
    },
    "depreciation_schedules.csv": {
        **dict.fromkeys(("company", "kind"), _text),
        "effective": _date,
        "asset": _text,
        "life_from_years": _or(math.nan, _positive),
        "life_to_years": _positive,
        **dict.fromkeys(("charge_usd", "income_usd"), _or(math.nan, _positive)),
        "income_fraction": _or(math.nan, _share),
        **_PROVENANCE,
    },
    "facilities.csv": {
        **dict.fromkeys(("name", "words", "quantity"), _text),
        "value": _positive,
        "category": _or("", _text),
        "interval": _or("", _text),
        **_PROVENANCE,
    },
    "scaling_laws.csv": {
        **dict.fromkeys(("name", "kind"), _text),
        **dict.fromkeys(("params_scale", "params_exponent"), _positive),
        **dict.fromkeys(("floor_loss", "tokens_scale", "tokens_exponent"), _or(math.nan, _number)),
        **_PROVENANCE,
    },
    "trained_models.csv": {
        "name": _text,
        **dict.fromkeys(("params_b", "tokens_b"), _positive),
        "accelerator": _or("", _text),
        "accelerator_h": _or(math.nan, _positive),
        **_PROVENANCE,
    },
    "grid.csv": {
        **dict.fromkeys(("name", "words", "quantity"), _text),
        "hour": _or(math.nan, _number),
        "value": _positive,
        **_PROVENANCE,
    },
    "egress_prices.csv": {
        **dict.fromkeys(("provider", "kind"), _text),
        **dict.fromkeys(("from_units", "usd_per_unit"), _number),
        "unit": _memory_unit,
        **_PROVENANCE,
    },
    "sla_credits.csv": {
        "provider": _text,
        **dict.fromkeys(("below_fraction", "credit_fraction"), _share),
        **_PROVENANCE,
    },
    "outage_triggers.csv": {
        "name": _text,
        "share_fraction": _share,
        "pushed": _truth,
        **_PROVENANCE,
    },
    "calibration.csv": {
        "name": _text,
        "value": _number,
        "low": _or(math.nan, _number),
        "high": _or(math.nan, _number),
        "unit": _or("", _text),
        "kind": _text,
        "meaning": _text,
        "command": _text,
        "rows_sha256": _text,
        "source": _text,
        "as_of": _date,
    },
    "gpu_prices.csv": {
        "provider": _text,
        "accelerator": _text,
        "kind": _text,
        "usd_per_h": _positive,
        **_PROVENANCE,
    },
    "hbm.csv": {
        "generation": _text,
        "released": _date,
        "n_pins": _positive,
        "pin_gbit_per_s": _positive,
        "accelerator": _or("", _text),
        **_PROVENANCE,
    },
    "tier_speeds.csv": {
        "name": _text,
        "output_tokens_per_s": _positive,
        **_PROVENANCE,
    },
    "links.csv": {"name": _text, "kind": _text, "gb_per_s": _positive, **_PROVENANCE},
    "tiers.csv": {
        "name": _text,
        "link": _or("", _text),  # blank: the accelerator's own memory
        "gb_per_s": _or(math.nan, _positive),  # blank: as fast as the link
        "per_accelerator": _truth,
        "capacity_gb": _or(math.nan, _positive),
        "usd_per_gb_h": _or(math.nan, _positive),  # blank: the accelerator's rent
        "read_usd_per_gb": _number,
        "j_per_gb": _positive,
        **_PROVENANCE,
    },
    "sram_machines.csv": {
        "name": _text,
        "maker": _text,
        "chip": _text,
        "sram_mb": _positive,
        "sram_tb_per_s": _positive,
        "rack_chips": _positive,
        "stated_model": _or("", _text),
        "stated_user_tokens_per_s": _or(math.nan, _positive),
        **_PROVENANCE,
    },
    "trace_results.csv": {
        **dict.fromkeys(("trace", "setup"), _text),
        "load": _or(math.nan, _positive),
        "at_s": _or(math.nan, _number),
        "quantity": _text,
        "value": _number,
        "unit": _or("", _text),
        **dict.fromkeys(("command", "sha256", "source"), _text),
        "as_of": _date,
    },
    "space.csv": {
        "model": _text,
        **dict.fromkeys(("n_scenarios", "ttft_s", "tpot_s"), _positive),
        "rents": _text,
        **dict.fromkeys(("fits_fraction", "kept_fraction"), _part),
        "n_cells": _positive,
        "served_fraction": _share,
        **dict.fromkeys(("low_usd_per_mtok", "high_usd_per_mtok"), _positive),
        "accelerator": _text,
        "accelerator_fraction": _share,
        **dict.fromkeys(("run_s", "worker_mb", "client_mb"), _positive),
        **dict.fromkeys(("command", "source"), _text),
        "as_of": _date,
    },
    "router_results.csv": {
        "bench": _text,
        "subject": _or("", _text),
        "prompt_chars": _or(math.nan, _positive),
        "n": _positive,
        "strong_score": _number,
        "weak_score": _number,
        "strong_usd": _or(math.nan, _number),
        "weak_usd": _or(math.nan, _number),
        "strong_output_tokens": _or(math.nan, _positive),
        "weak_output_tokens": _or(math.nan, _positive),
        "source": _text,
        "as_of": _date,
    },
    "demand.csv": {
        "name": _text,
        "kind": _text,
        "words": _text,
        "quantity": _text,
        "value": _positive,
        "top_fraction": _or(math.nan, _share),
        "read": _text,
        **_PROVENANCE,
    },
    "router_published.csv": {
        **dict.fromkeys(("bench", "strong", "weak", "router"), _text),
        "training": _or("", _text),
        "cpt50_fraction": _share,
        "cpt80_fraction": _share,
        "apgr": _part,
        "router_usd_per_million_requests": _or(math.nan, _positive),
        **_PROVENANCE,
    },
    "cascades.csv": {
        **dict.fromkeys(("dataset", "way"), _text),
        "n": _positive,
        **dict.fromkeys(("train_accuracy", "test_accuracy"), _part),
        **dict.fromkeys(("train_usd", "test_usd"), _positive),
        "source": _text,
        "as_of": _date,
    },
    "peer_accuracy.csv": {
        **dict.fromkeys(("tool", "kind", "quantity", "stated", "rows", "caveat"), _text),
        "source": _text,
        "as_of": _date,
    },
    "left_out.csv": {
        "left_out": _text,
        "group": _text,
        "metric": _text,
        "n": _positive,
        "median_ape": _number,
        "mean_ape": _number,
        "coverage_80": _number,
        "source": _text,
        "as_of": _date,
    },
}
