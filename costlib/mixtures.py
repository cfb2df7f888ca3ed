"""Mixtures of experts beside dense models of their active and of their total size.

A twin keeps the layers, the attention and the cache of the mixture. Its MLP is as wide as all the
experts that a token asks for, or as all there are, and nothing is routed.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from costlib import catalog, experts, serve, serving, work
from costlib._checks import Floats, non_negative, positive
from costlib.calibration import Constants, constants
from costlib.deploy import Scenarios

__all__ = ["TWINS", "cost_ratios", "dense_twin", "light_usd", "split_params"]

# name of a twin: column of its experts, whether each accelerator has a copy of its own
TWINS: Final = {
    "total size": ("n_experts", False),
    "active size": ("top_k", False),
    "active size, copied": ("top_k", True),
}


def dense_twin(load: Scenarios, twin: str) -> Scenarios:
    """The same scenarios for a dense model: one of `TWINS`.

    >>> from costlib.deploy import scenarios
    >>> mixture = scenarios("Mixtral-8x7B", "H200")
    >>> dense_twin(mixture, "active size").layers["dense_params"] / 1e6
    array([352.354304])
    """
    column, alone = TWINS[twin]
    group = load.layers
    none = np.zeros_like(group["n_experts"])
    wide = group["dense_params"] + group[column] * group["expert_params"]
    layers = {**group, "dense_params": wide, "n_experts": none, "top_k": none}
    changed: dict[str, Any] = {"layers": layers}
    if alone:
        one = np.float64(1.0)
        whole = ("n_accelerators", "pipeline_stages", "attention_replicas", "expert_groups")
        changed |= dict.fromkeys(whole, one)
        changed["n_clients"] = load.n_clients / load.n_accelerators
    return dataclasses.replace(load, **changed)


def cost_ratios(
    load: Scenarios, *, rent_usd_per_h: float, used: Constants | None = None
) -> pd.DataFrame:
    """Cost of output of a mixture over that of its dense twins, on as many accelerators.

    Parameters
    ----------
    load
        Scenarios of one mixture over `n_clients`, which is one-dimensional.
    rent_usd_per_h
        Rent of one accelerator. [USD/h]

    Returns
    -------
        Rows (twin, clients) with usd of the mixture and twin_usd, USD per million output tokens,
        and ratio, low and high: the errors of the two count as independent, so the interval is
        a wide one. Rows where either does not fit are left out.
    """
    used = constants() if used is None else used
    clients = np.asarray(load.n_clients, dtype=float)
    apart = float(np.exp(np.hypot(*np.log(used.interval["tpot_s"]))))

    def usd(rate: ArrayLike) -> Floats:
        return serving.usd_per_mtok(
            rent_usd_per_h=rent_usd_per_h, tokens_per_s=rate, n_accelerators=load.n_accelerators
        )

    own = usd(serve.prediction(load, used).tokens_per_s)
    frames = []
    for name, (_, alone) in TWINS.items():
        rate = serve.prediction(dense_twin(load, name), used).tokens_per_s
        twin = usd(rate * (load.n_accelerators if alone else 1.0))
        fits = np.isfinite(own) & np.isfinite(twin)
        rows = pd.DataFrame({"twin": name, "clients": clients, "usd": own, "twin_usd": twin})[fits]
        ratio = rows["usd"] / rows["twin_usd"]
        frames.append(rows.assign(ratio=ratio, low=ratio / apart, high=ratio * apart))
    return pd.concat(frames, ignore_index=True)


def split_params(name: str) -> dict[str, float]:
    """Parameters of a model in a step: outside its experts and in them, and its routing.

    Raises
    ------
    ValueError
        If the model has no experts, or layers that route differently.

    >>> split_params("Mixtral-8x7B")["n_experts"]
    8.0
    """
    of = catalog.model(name)
    routing = {(group.n_experts, group.top_k) for group in of.layers if group.n_experts}
    if len(routing) != 1:
        raise ValueError(f"model: {name} is no mixture with one kind of routing")
    ((number, asked),) = routing
    shape = catalog.weight_layers(of)
    shared = {key: shape[key] for key in ("n_layers", "mixer_params", "dense_params")}
    outside = work.total_params(**shared, embedding_params=of.head_params)
    everything = work.total_params(**shape, embedding_params=of.head_params)
    return {
        "shared_params": float(outside),
        "routed_params": float(everything - outside),
        "n_experts": number,
        "top_k": asked,
    }


def light_usd(
    clients: ArrayLike,
    *,
    n_experts: ArrayLike,
    top_k: ArrayLike,
    traffic_bytes: ArrayLike,
    shared_params: float,
    routed_params: float,
    weight_bits: float,
    **rig: float,
) -> dict[str, Floats]:
    """Cost of output at the speed of light: the mixture, and dense models of its two sizes.

    Parameters
    ----------
    clients
        Sequences decoded together. [-]
    n_experts, top_k
        Routed experts of a layer, and how many a token asks for. [-]
    traffic_bytes
        Cache and state that a step moves per sequence. [bytes]
    shared_params, routed_params
        Parameters outside the experts and in all of them. [-]
    weight_bits
        Bits per weight. [bits]
    rig
        memory_bytes_per_s, peak_flop_per_s, rent_usd_per_h and n_accelerators.
    """
    non_negative("shared_params", shared_params)
    non_negative("routed_params", routed_params)
    asked = non_negative("top_k", top_k) / positive("n_experts", n_experts)
    active = shared_params + routed_params * asked
    covered = experts.coverage_fraction(
        positive("clients", clients), n_experts=n_experts, top_k=top_k
    )
    sizes = {  # parameters read in a step, parameters that a token is multiplied with
        "mixture": (shared_params + routed_params * covered, active),
        "active": (active, active),
        "total": (shared_params + routed_params, shared_params + routed_params),
    }
    return {
        name: serving.token_usd_per_mtok(
            n_users=clients,
            weight_bytes=work.weight_bytes(n_params=read, weight_bits=weight_bits),
            traffic_bytes=traffic_bytes,
            token_flop=work.token_flop(active_params=used),
            **rig,
        )
        for name, (read, used) in sizes.items()
    }
