"""Time the formulas over a million scenarios, drawn at random and given in one call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from costlib import kv, serving

SCENARIOS = 1_000_000
REPEATS = 3
MODEL = {"n_layers": 80, "n_kv_heads": 8, "cached_dim": 256}


def seconds(call: Callable[[], Any]) -> float:
    """Best of a few runs, which is the least disturbed."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print the time of each formula."""
    random = np.random.default_rng(2026)
    context_tokens = random.uniform(1e3, 1e6, SCENARIOS)
    rent_usd_per_h = random.uniform(1, 10, SCENARIOS)
    memory_bytes = random.uniform(40e9, 300e9, SCENARIOS)

    def cache() -> Any:
        return kv.sequence_bytes(context_tokens, bytes_per_value=1, **MODEL)

    def cost() -> Any:
        return serving.capacity_usd_per_mtok(
            context_tokens,
            n_params=70e9,
            weight_bits=4,
            cache_bits=8,
            n_heads=64,
            attended_dim=256,
            memory_bytes=memory_bytes,
            memory_bytes_per_s=3.35e12,
            peak_flop_per_s=989e12,
            rent_usd_per_h=rent_usd_per_h,
            **MODEL,
        )

    print(f"{SCENARIOS:,} scenarios in one call, best of {REPEATS}")
    for name, call in (
        ("kv.sequence_bytes", cache),
        ("serving.capacity_usd_per_mtok", cost),
    ):
        print(f"  {name:<32}{seconds(call):7.3f} s")


if __name__ == "__main__":
    main()
