"""Tenants of one base model: what each pays for prompts, for an adapter, for a model of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from costlib import (
    adapters,
    catalog,
    deploy,
    pricebook,
    pricing,
    roofline,
    serve,
    tables,
    training,
    work,
)
from costlib._checks import positive
from costlib.units import HOURS_PER_MONTH, SECONDS_PER_HOUR

__all__ = [
    "WAYS",
    "Tenancy",
    "adapter_bytes",
    "adapter_params",
    "api_request_usd",
    "bills",
    "carried",
    "model_params",
    "tunings",
]

WAYS: Final = ("examples to an API", "examples, own base", "an adapter each", "a model each")
ADAPTER_BITS: Final = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenancy:
    """What one tenant asks for, and the machines that answer."""

    model: str
    accelerator: str
    weight_format: str
    rent_usd_per_h: float
    prompt_tokens: float  # of a request, without examples
    example_tokens: float  # that stand before it where nothing is tuned
    output_tokens: float
    requests_per_month: float  # of one tenant
    peak_times: float  # busiest hour over the mean one
    load_fraction: float  # of the full rate, at the peak
    n_clients: float  # requests at a time on one machine
    rank: float
    tuning_tokens: float
    tuning_mfu_fraction: float
    tuning_months: float  # until the tenant tunes again
    reused_fraction: float  # of the examples, found in the cache
    api_model: str


def adapter_params(model: str, *, rank: float) -> float:
    """Parameters of an adapter on every matrix of attention and of dense MLPs.

    Raises
    ------
    UnknownNameError
        If the catalog has no such model.
    ValueError
        If its layers hold experts or a recurrent state.

    Examples
    --------
    >>> adapter_params("Llama-3.1-8B", rank=16)
    41943040.0
    """
    catalog.model(model)
    groups = tables.frame("layers.csv")
    total = 0.0
    for row in groups[groups.model == model].to_dict("records"):
        if row["expert_params"] != "0" or row["state_values"] != "0":
            raise ValueError(f"{model} has experts or states; their adapters are not counted here")
        shapes = f"{row['mixer_params']}+{row['dense_params']}".split("+")
        for shape in (shape for shape in shapes if shape != "0"):  # a layer without an MLP
            *times, first, second = map(float, shape.split("x"))
            total += float(
                adapters.lora_params(
                    rank,
                    input_dim=first,
                    output_dim=second,
                    n_matrices=math.prod(times) * float(row["n_layers"]),
                )
            )
    return total


def api_request_usd(of: Tenancy, *, api_model: str = "", at: str | None = None) -> float:
    """A request with its examples at an API, of which the reused share comes from its cache."""
    whole = of.prompt_tokens + of.example_tokens
    bill = pricing.request_usd(
        input_tokens=whole,
        cached_tokens=of.reused_fraction * of.example_tokens,
        output_tokens=of.output_tokens,
        **pricebook.request_prices(api_model or of.api_model, whole, at=at),
    )
    return float(bill)


def adapter_bytes(of: Tenancy) -> float:
    """Bytes of one tenant's adapter in 16 bits."""
    n_params = adapter_params(of.model, rank=of.rank)
    return float(work.weight_bytes(n_params=n_params, weight_bits=ADAPTER_BITS))


def carried(of: Tenancy) -> dict[str, float]:
    """Requests a month that one machine carries, with examples and without, and its step.

    Raises
    ------
    ValueError
        If the model does not fit on one accelerator.
    """
    found: dict[str, float] = {}
    for name, examples in (("examples", of.example_tokens), ("tuned", 0.0)):
        whole = of.prompt_tokens + examples
        done = serve.prediction(
            deploy.scenarios(
                of.model,
                of.accelerator,
                weight_format=of.weight_format,
                n_clients=of.n_clients,
                input_tokens=whole,
                output_tokens=of.output_tokens,
                reused_fraction=of.reused_fraction * examples / whole,
            )
        )
        if not done.fits:
            raise ValueError(f"model: {of.model} does not fit on one {of.accelerator}")
        full = float(done.tokens_per_s) / of.output_tokens
        busy = full * of.load_fraction / of.peak_times
        found |= {
            name: busy * HOURS_PER_MONTH * SECONDS_PER_HOUR,
            f"{name}_running": float(done.n_running),
        }
        if name == "examples":
            share = examples / (whole + of.output_tokens)
            found["example_bytes"] = float(done.sequence_bytes) * share
        else:
            token_flop = work.token_flop(active_params=model_params(of.model))
            whole_flop = (whole + of.output_tokens) * float(token_flop)
            found["step_bytes"] = float(
                roofline.step_bytes(
                    n_users=done.n_running,
                    weight_bytes=done.weight_bytes,
                    traffic_bytes=done.sequence_bytes,
                )
            )
            found["pool_bytes"] = float(done.sequence_bytes * done.capacity_users)
            found["full_mfu_fraction"] = float(
                training.mfu_fraction(
                    full * whole_flop,
                    n_accelerators=1,
                    peak_flop_per_s=catalog.accelerator(of.accelerator).peak_flop_per_s["bf16"],
                )
            )
    return found


def model_params(model: str) -> float:
    """Parameters of a model of the catalog, embeddings included."""
    base = catalog.model(model)
    return float(
        work.total_params(embedding_params=base.embedding_params, **catalog.weight_layers(base))
    )


def tunings(of: Tenancy) -> dict[str, float]:
    """USD of one tuning: of an adapter, and of the whole model."""
    whole = model_params(of.model)
    added = adapter_params(of.model, rank=of.rank)
    flop = adapters.tuning_flop(
        [whole + added, whole], trained_params=[added, whole], training_tokens=of.tuning_tokens
    )
    usd = training.run_usd(
        flop,
        peak_flop_per_s=catalog.accelerator(of.accelerator).peak_flop_per_s["bf16"],
        compute_fraction=of.tuning_mfu_fraction,
        rent_usd_per_h=of.rent_usd_per_h,
    )
    return dict(zip(("adapter", "model"), np.ravel(usd).tolist(), strict=True))


def bills(n_tenants: ArrayLike, of: Tenancy) -> pd.DataFrame:
    """USD a month of one tenant in each way, for each number of tenants.

    Returns
    -------
        n_tenants, a column for each of `WAYS`, and slow_times, what reading adapters does to a
        step.
    """
    tenants = np.atleast_1d(positive("n_tenants", n_tenants, finite=True))
    machine, tuned = carried(of), tunings(of)
    machine_usd = of.rent_usd_per_h * HOURS_PER_MONTH
    read = adapters.read_adapters(machine["tuned_running"], n_tenants=tenants)
    slow = adapters.slow_times(
        read,
        adapter_bytes=adapter_bytes(of),
        step_bytes=machine["step_bytes"],
    )
    share = {name: of.requests_per_month / machine[name] for name in ("examples", "tuned")}
    shared = {"machine_usd": machine_usd}
    columns = (
        np.full_like(tenants, of.requests_per_month * api_request_usd(of)),
        adapters.tenant_usd(tenants, load_share=share["examples"], **shared),
        adapters.tenant_usd(tenants, load_share=share["tuned"], slow_times=slow, **shared)
        + tuned["adapter"] / of.tuning_months,
        np.full_like(tenants, adapters.tenant_usd(1, load_share=share["tuned"], **shared))
        + tuned["model"] / of.tuning_months,
    )
    return pd.DataFrame(
        {"n_tenants": tenants} | dict(zip(WAYS, columns, strict=True)) | {"slow_times": slow}
    )
