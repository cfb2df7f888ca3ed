"""Reload or recompute: every tier against the arithmetic it saves, in time, energy and money.

Recomputing is what the serving model predicts for one prompt on an otherwise idle machine, with its
interval; reloading is bytes over bandwidth at the rates of `data/tiers.csv`, with nothing lost on
the way: a floor, not a forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from costlib import catalog, deploy, energy, kv, roofline, serve, serving, tiers, units, work
from costlib._checks import Floats, non_negative, positive
from costlib.calibration import constants

__all__ = ["OWN_MEMORY", "assumed_s", "parity", "reloads"]

OWN_MEMORY: Final = "HBM"  # the tier that the accelerator itself is

Arrays = NDArray[np.float64]


def assumed_s(
    of: catalog.Model | catalog.Architecture,
    *,
    active_params: float,
    context_tokens: ArrayLike,
    peak_flop_per_s: ArrayLike,
    compute_fraction: ArrayLike,
) -> Floats:
    """Seconds to read a prompt at a stated share of the peak, as sources reckon.

    >>> llama = catalog.model("Llama-3.1-70B")
    >>> assumed_s(
    ...     llama, active_params=70e9, context_tokens=96e3, peak_flop_per_s=989e12,
    ...     compute_fraction=0.5,
    ... ).round(1)
    np.float64(51.6)
    """
    positive("context_tokens", context_tokens, finite=True)
    flop = work.prefill_flop(
        context_tokens, active_params=active_params, **catalog.prefill_layers(of)
    )
    return roofline.flop_s(
        flop=flop, peak_flop_per_s=peak_flop_per_s, compute_fraction=compute_fraction
    )


def _predicted(load: deploy.Scenarios) -> tuple[serve.Prediction, tuple[float, float]]:
    """What the model says, and the ends of its interval as factors."""
    return serve.prediction(load), constants().interval["ttft_s"]


def reloads(
    model: str,
    accelerator: str,
    *,
    context_tokens: ArrayLike,
    rent_usd_per_h: float,
    new_tokens: float = 1000.0,
    n_accelerators: int = 1,
    weight_format: str = "fp8",
    cache_bits: float = 8.0,
) -> pd.DataFrame:
    """Each tier against recomputing, at each length.

    Parameters
    ----------
    model, accelerator
        Names of the catalog.
    context_tokens
        Length of the prefix; one or several.
    rent_usd_per_h
        Of one accelerator.
    new_tokens
        What the request adds behind the prefix; both ways have to read it.
    n_accelerators
        That hold the model together; each fetches its share from a tier of its own, if it has one.
    weight_format, cache_bits
        Of the weights, and of a cached value.

    Returns
    -------
        One row per length and tier. `sequence_bytes` is the cache; `prefill_s`, `prefill_low_s`,
        `prefill_high_s`, `prefill_j`, `prefill_usd` and `prefill_ttft_s` (with `_low`, `_high`)
        what computing takes; `reload_s`, `reload_j`, `reload_usd` and `reload_ttft_s` what the tier
        takes, the machine idle the while; `usd_per_gb_h`, `worth_holding_h` and
        `sessions_per_usd_h` what keeping takes; `held_sessions` how many fit beside the machine
        (NaN where no bound matters).

    Raises
    ------
    UnknownNameError
        If a name stands in no table.
    ValueError
        If an argument is out of its range.
    """
    lengths = np.atleast_1d(positive("context_tokens", context_tokens))
    added = float(positive("new_tokens", new_tokens))
    rent = float(non_negative("rent_usd_per_h", rent_usd_per_h))
    layout: dict[str, Any] = {
        "weight_format": weight_format,
        "cache_bits": positive("cache_bits", cache_bits),
        "n_accelerators": n_accelerators,
        "n_clients": 1,
        "output_tokens": 1,
    }
    found = catalog.model(model)
    device = catalog.accelerator(accelerator)
    whole, ends = _predicted(deploy.scenarios(model, accelerator, input_tokens=lengths, **layout))
    fresh, _ = _predicted(
        deploy.scenarios(model, accelerator, input_tokens=lengths + added, **layout)
    )
    reused, _ = _predicted(
        deploy.scenarios(
            model,
            accelerator,
            input_tokens=lengths + added,
            reused_fraction=lengths / (lengths + added),
            **layout,
        )
    )
    cache = kv.sequence_bytes(
        lengths,
        **catalog.cache_layers(found),
        bytes_per_value=cache_bits / units.BITS_PER_BYTE,
    )
    prefill = np.asarray(whole.prompt_s)
    held = {"rent_usd_per_h": rent, "n_accelerators": n_accelerators}
    computing: dict[str, Any] = {
        "context_tokens": lengths,
        "sequence_bytes": cache,
        "prefill_s": prefill,
        "prefill_low_s": prefill * ends[0],
        "prefill_high_s": prefill * ends[1],
        "prefill_j": prefill * whole.power_w,
        "prefill_usd": serving.rent_usd(held_s=prefill, **held),
        "prefill_ttft_s": fresh.ttft_s,
        "prefill_ttft_low_s": fresh.interval["ttft_s"][0],
        "prefill_ttft_high_s": fresh.interval["ttft_s"][1],
    }
    waiting_w = energy.power_w(
        tdp_w=device.tdp_w,
        idle_fraction=constants().idle_fraction,
        busy_fraction=0,
        n_accelerators=n_accelerators,
    )
    parts = [
        _tier(tier, device, computing, waiting_w, held, np.asarray(reused.ttft_s))
        for tier in catalog.tiers().values()
    ]
    table = pd.concat(parts, ignore_index=True)
    table.loc[table["tier"] == OWN_MEMORY, "held_sessions"] = np.asarray(whole.capacity_users)
    return table


def _tier(
    tier: catalog.Tier,
    device: catalog.Accelerator,
    computing: dict[str, Any],
    waiting_w: Floats,
    held: dict[str, Any],
    reused_ttft_s: Arrays,
) -> pd.DataFrame:
    """Rows of one tier."""
    own = tier.name == OWN_MEMORY
    width = held["n_accelerators"] if tier.per_accelerator else 1
    speed = device.memory_bytes_per_s if own else tier.bytes_per_s
    price = held["rent_usd_per_h"] / (device.memory_bytes / units.GB) if own else tier.usd_per_gb_h
    cache = computing["sequence_bytes"]
    # A cache in the accelerator's own memory is in place: nothing is moved, nobody waits.
    seconds = (
        np.zeros_like(cache)
        if own
        else roofline.transfer_s(moved_bytes=cache, bytes_per_s=speed * width)
    )
    moved = np.zeros_like(cache) if own else cache
    usd = serving.rent_usd(held_s=seconds, **held) + tiers.transfer_usd(
        moved_bytes=moved, usd_per_gb=tier.read_usd_per_gb
    )
    joules = tiers.transfer_j(moved_bytes=moved, j_per_gb=tier.j_per_gb) + seconds * waiting_w
    room = np.full(cache.shape, tier.capacity_bytes * held["n_accelerators"])
    return pd.DataFrame(
        {
            "tier": tier.name,
            **computing,
            "reload_s": seconds,
            "reload_j": joules,
            "reload_usd": usd,
            "reload_ttft_s": seconds + reused_ttft_s,
            "usd_per_gb_h": price,
            "worth_holding_h": tiers.worth_holding_h(
                prefill_usd=computing["prefill_usd"],
                reload_usd=usd,
                sequence_bytes=cache,
                usd_per_gb_h=price,
            ),
            "sessions_per_usd_h": tiers.affordable_sessions(
                budget_usd_per_h=1, sequence_bytes=cache, usd_per_gb_h=price
            ),
            "held_sessions": np.floor(room / cache),
        }
    )


def parity(
    models: Sequence[str],
    accelerator: str,
    *,
    context_tokens: ArrayLike,
    weight_format: str = "fp8",
    cache_bits: float = 8.0,
) -> pd.DataFrame:
    """Bandwidth of one accelerator above which reloading beats recomputing, by model and length.

    Prefill is the serving model's on one accelerator, whether or not the weights fit: seconds of
    one are seconds of many, links left out.

    Returns
    -------
        Columns model, context_tokens, bytes_per_s, low, high: where measurements of the first
        token lie with it.
    """
    positive("cache_bits", cache_bits, finite=True)
    lengths = np.atleast_1d(positive("context_tokens", context_tokens))
    parts = []
    for name in models:
        found = catalog.model(name)
        cache = kv.sequence_bytes(
            lengths,
            **catalog.cache_layers(found),
            bytes_per_value=cache_bits / units.BITS_PER_BYTE,
        )
        done, (low, high) = _predicted(
            deploy.scenarios(
                name,
                accelerator,
                weight_format=weight_format,
                cache_bits=cache_bits,
                n_clients=1,
                input_tokens=lengths,
                output_tokens=1,
            )
        )
        need = tiers.parity_bytes_per_s(sequence_bytes=cache, prefill_s=done.prompt_s)
        parts.append(
            pd.DataFrame(
                {
                    "model": found.name,
                    "context_tokens": lengths,
                    "bytes_per_s": need,
                    "low": need / high,
                    "high": need / low,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
