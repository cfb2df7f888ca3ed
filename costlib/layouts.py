"""How to lay a model over accelerators, what the links of a layout cost, and pools of two kinds.

Layouts are tried out with the serving model. Groups that span nodes talk over the network, at the
bandwidth of `links` and with a latency of their own; everything else is as in `costlib.serve`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from costlib import (
    catalog,
    deploy,
    kv,
    links,
    queueing,
    roofline,
    serve,
    serving,
    tables,
    units,
    validate,
)
from costlib._checks import Floats, count, positive
from costlib._halving import halved
from costlib.calibration import constants
from costlib.deploy import Scenarios

__all__ = [
    "KEPT",
    "REASONS",
    "Case",
    "best",
    "candidates",
    "fast_links",
    "link_costs",
    "loads",
    "measured_pairs",
    "pools",
    "search",
]

Arrays = NDArray[np.float64]

# Why a layout is dropped, in the order of asking.
REASONS: Final = (
    "weights do not fit",
    "the context does not fit",
    "one user is too slow",
    "one user waits too long",
)
KEPT: Final = "keeps the promise"
MOST_CLIENTS: Final = 2**14  # of one copy of the model
LEAST_WIDTH: Final = 2.0  # of what counts as parallel


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model, a load, a promise, and the machines that may keep it."""

    model: str
    accelerator: str
    weight_format: str
    input_tokens: float
    output_tokens: float
    user_tokens_per_s: float  # promised to every user
    first_token_s: float  # promised at most, on average
    rent_usd_per_h: float
    most_accelerators: int
    node_accelerators: int  # joined by the fast link
    network_bytes_per_s: float  # of one accelerator, to other nodes
    network_latency_s: float  # that a collective takes longer across nodes
    engine: str = "vLLM"


def candidates(model: str, *, most_accelerators: int) -> pd.DataFrame:
    """Layouts by powers of two: stages, copies of the attention, and tensor width.

    Copies of the attention go with experts that are dealt out whole, where there are experts. No
    tensor group is wider than the attention has heads, no pipeline longer than the model.

    >>> candidates("Llama-3.1-8B", most_accelerators=2).words.tolist()
    ['1 GPU', 'tensor 2', 'attention data 2', 'pipeline 2']
    """
    count("most_accelerators", most_accelerators)
    layers = catalog.model(model).layers
    heads = min(group.n_heads for group in layers if group.n_heads)
    deepest = sum(group.n_layers for group in layers)
    experts = max(group.n_experts for group in layers)
    powers = [2**k for k in range(int(np.log2(most_accelerators)) + 1)]
    found = []
    for n in powers:
        for stages in (p for p in powers if n % p == 0 and p <= deepest):
            width = n // stages
            for replicas in (p for p in powers if width % p == 0 and width // p <= heads):
                dealt = width if experts >= width > 1 and replicas > 1 else 1
                parts = {
                    "tensor": width // replicas,
                    "attention data": replicas,
                    "pipeline": stages,
                }
                split = [f"{name} {size}" for name, size in parts.items() if size > 1]
                found.append(
                    {
                        "n_accelerators": n,
                        "pipeline_stages": stages,
                        "attention_replicas": replicas,
                        "expert_groups": dealt,
                        "tensor_width": width // replicas,
                        "words": " × ".join(split) or "1 GPU",
                        "kind": _kind(parts),
                    }
                )
    return pd.DataFrame(found)


def _kind(parts: Mapping[str, int]) -> str:
    """How a layout is cut, in one word where one way is used."""
    used = [name for name, size in parts.items() if size >= LEAST_WIDTH]
    return used[0] if len(used) == 1 else "mixed" if used else "alone"


def loads(case: Case, rows: pd.DataFrame, **changed: Any) -> Scenarios:
    """Scenarios of the layouts, with the bandwidth that their widest group sees."""
    layout = ("n_accelerators", "pipeline_stages", "attention_replicas", "expert_groups")
    given: dict[str, Any] = {
        "weight_format": case.weight_format,
        "engine": case.engine,
        "input_tokens": case.input_tokens,
        "output_tokens": case.output_tokens,
    }
    given |= {name: rows[name].to_numpy(float) for name in layout}
    load = deploy.scenarios(case.model, case.accelerator, **(given | changed))
    wire = {
        "n_accelerators": load.n_accelerators / load.pipeline_stages,
        "node_accelerators": case.node_accelerators,
        "link_bytes_per_s": load.link_bytes_per_s,
        "network_bytes_per_s": case.network_bytes_per_s,
    }
    rate = np.where(
        load.expert_groups > 1,
        links.all_to_all_bytes_per_s(**wire),
        links.all_reduce_bytes_per_s(**wire),
    )
    return dataclasses.replace(load, link_bytes_per_s=rate)


def _crossings(case: Case, load: Scenarios) -> Floats:
    """Collectives and handovers of a step that go from node to node."""
    layers = sum(group.n_layers for group in catalog.model(case.model).layers)
    width = load.n_accelerators / load.pipeline_stages
    mixers = width / load.attention_replicas > case.node_accelerators
    others = width > case.node_accelerators
    hops = np.where(load.n_accelerators > case.node_accelerators, load.pipeline_stages - 1.0, 0.0)
    dealt = np.where(load.expert_groups > 1, 2.0, 1.0)  # there and back
    return layers * (1.0 * mixers + dealt * others) + hops


def _predicted(case: Case, load: Scenarios) -> tuple[serve.Prediction, dict[str, Arrays]]:
    """Prediction, and its speeds with the network's latency on every crossing of a step."""
    # In steady operation nobody starts together with everybody else; prompts queue instead.
    done = serve.prediction(load, dataclasses.replace(constants(), burst_fraction=0.0))
    extra = _crossings(case, load) * case.network_latency_s
    running = np.maximum(done.n_running, 1.0)
    runs = done.tokens_per_s > 0
    each = running / np.where(runs, done.tokens_per_s, 1.0) + extra
    rate = np.where(runs, running / each, 0.0)
    queue = queueing.wait_s(
        requests_per_s=np.where(runs, rate, 1.0) / load.output_tokens,
        service_s=done.prompt_s / load.pipeline_stages,
    )
    return done, {
        "output_token_s": np.asarray(done.tpot_s + extra),
        "first_token_s": np.asarray(done.ttft_s + extra + queue),
        "tokens_per_s": rate,
        "links_fraction": np.asarray(
            (done.terms_s["links"] + extra) / (done.step_s + extra), dtype=float
        ),
    }


def search(case: Case, rows: pd.DataFrame | None = None, *, read_here: bool = True) -> pd.DataFrame:
    """Every layout with the largest crowd that keeps the promise, or the reason why none does.

    Parameters
    ----------
    case
        What is served and promised.
    rows
        Layouts; all `candidates` by default.
    read_here
        Whether the prompts are read by the same accelerators; otherwise their cache arrives from
        elsewhere, and the promise on the first token is not asked for.

    Returns
    -------
        The layouts with `reason`, and for those that keep the promise `n_clients` (of one copy of
        the model), speeds at that load, and `usd_per_mtok` of output.
    """
    rows = (
        candidates(case.model, most_accelerators=case.most_accelerators) if rows is None else rows
    )
    changed: dict[str, Any] = {} if read_here else {"reused_fraction": 1.0}

    def at(clients: ArrayLike) -> tuple[serve.Prediction, dict[str, Arrays], Any, Any]:
        load = loads(case, rows, n_clients=clients, **changed)
        done, speeds = _predicted(case, load)
        fast = speeds["output_token_s"] * case.user_tokens_per_s <= 1
        soon = speeds["first_token_s"] <= case.first_token_s if read_here else np.bool_(True)
        return done, speeds, fast, soon

    done, _, fast, soon = at(np.ones(len(rows)))
    memory = catalog.accelerator(case.accelerator).memory_bytes * rows["n_accelerators"].to_numpy()
    dropped = [done.weight_bytes >= memory, ~np.asarray(done.fits), ~fast, ~np.asarray(soon)]
    reason = np.select([np.broadcast_to(why, len(rows)) for why in dropped], REASONS, KEPT)
    kept = reason == KEPT
    low = np.ones(len(rows))
    high = np.maximum(np.minimum(done.capacity_users, MOST_CLIENTS), 1.0) + 1.0
    while np.any(high - low > 1):  # both waits grow with the crowd
        middle = np.floor((low + high) / 2)
        _, _, fast, soon = at(middle)
        keeps = fast & soon & kept
        low, high = np.where(keeps, middle, low), np.where(keeps, high, middle)
    _, speeds, _, _ = at(low)
    usd = serving.usd_per_mtok(
        rent_usd_per_h=case.rent_usd_per_h,
        tokens_per_s=speeds["tokens_per_s"],
        n_accelerators=rows["n_accelerators"].to_numpy(),
    )
    found = {
        "n_clients": low,
        "user_tokens_per_s": 1 / speeds["output_token_s"],
        "first_token_s": speeds["first_token_s"],
        "tokens_per_s": speeds["tokens_per_s"],
        "links_fraction": speeds["links_fraction"],
        "usd_per_mtok": usd,
    }
    return rows.assign(
        reason=reason, **{name: np.where(kept, value, np.nan) for name, value in found.items()}
    )


def best(found: pd.DataFrame) -> dict[str, Any] | None:
    """The fewest accelerators that keep the promise, and the cheapest layout; None if none does."""
    kept = found[found["reason"] == KEPT]
    if kept.empty:
        return None
    fewest = kept.sort_values(["n_accelerators", "usd_per_mtok"]).iloc[0]
    return {"fewest": fewest, "cheapest": kept.iloc[int(kept["usd_per_mtok"].argmin())]}


# --- links in dollars ---------------------------------------------------------------------------


def fast_links(accelerator: str) -> dict[str, float]:
    """Bandwidths to compare, one way: the device's own link, then those of `data/links.csv`."""
    device = catalog.accelerator(accelerator)
    kind = next(
        row["link_kind"] for row in tables.rows("accelerators.csv") if row["name"] == device.name
    )
    others = {row["name"]: row["gb_per_s"] * units.GB for row in tables.rows("links.csv")}
    slower = {
        name: rate
        for name, rate in sorted(others.items(), key=lambda pair: -pair[1])
        if rate < device.link_bytes_per_s
    }
    return {kind: device.link_bytes_per_s, **slower}


def link_costs(
    load: Scenarios, *, rates: Mapping[str, float], rent_usd_per_h: float
) -> pd.DataFrame:
    """What links cost per million output tokens: for their bytes, and for their latency.

    Parameters
    ----------
    load
        Scenarios on one row, all with the same links.
    rates
        Bandwidth of each link, one way; the first is what others are measured against.
    rent_usd_per_h
        Rent of one accelerator with the first link.

    Returns
    -------
        By link and scenario `usd_per_mtok`, `bytes_usd` and `latency_usd` of it, their share, and
        `fair_rent_usd_per_h`: the rent at which a token costs what it costs with the first link.
    """
    positive("rent_usd_per_h", rent_usd_per_h)
    free = serve.prediction(dataclasses.replace(load, link_bytes_per_s=np.float64(np.inf)))
    parts = []
    for name, rate in rates.items():
        done = serve.prediction(dataclasses.replace(load, link_bytes_per_s=np.float64(rate)))
        running = np.maximum(done.n_running, 1.0)
        # Output tokens share the steps; each carries its part of the prompts.
        sent = (done.terms_s["links"] - free.terms_s["links"]) / running
        sent = sent + (done.prompt_s - free.prompt_s) / load.pipeline_stages / load.output_tokens
        waited = free.terms_s["links"] / running
        usd = rent_usd_per_h * load.n_accelerators / units.SECONDS_PER_HOUR * units.TOKENS_PER_MTOK
        parts.append(
            pd.DataFrame(
                {
                    "link": name,
                    "n_accelerators": load.n_accelerators,
                    "n_clients": done.n_running,
                    "user_tokens_per_s": 1.0 / done.tpot_s,
                    "usd_per_mtok": serving.usd_per_mtok(
                        rent_usd_per_h=rent_usd_per_h,
                        tokens_per_s=done.tokens_per_s,
                        n_accelerators=load.n_accelerators,
                    ),
                    "bytes_usd": sent * usd,
                    "latency_usd": waited * usd,
                },
                index=pd.RangeIndex(np.size(done.n_running)),
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    rows["links_fraction"] = (rows["bytes_usd"] + rows["latency_usd"]) / rows["usd_per_mtok"]
    first = rows[rows["link"] == next(iter(rates))]["usd_per_mtok"].to_numpy()
    rows["fair_rent_usd_per_h"] = rent_usd_per_h * np.tile(first, len(rates)) / rows["usd_per_mtok"]
    return rows


# --- two pools ----------------------------------------------------------------------------------


def pools(case: Case) -> dict[str, Any]:
    """One pool against two that keep the same promise: layouts, accelerators per request/s, cost.

    One pool reads prompts between the steps of its answers. Two pools read on some accelerators,
    send the cache, and answer on the others.

    Returns
    -------
        For `one`, `prefill` and `decode` the cheapest layout as a row with
        `accelerators_per_request_s`, None where none keeps the promise; `transfer_s` and
        `cache_bytes` of a prompt; `usd_one` and `usd_two` per million output tokens, infinite
        where there is none.
    """
    rows = candidates(case.model, most_accelerators=case.most_accelerators)
    one = _per_request(case, search(case, rows))
    answering = _per_request(case, search(case, rows, read_here=False))
    load = loads(case, rows, n_clients=1.0)
    done, speeds = _predicted(case, load)
    held = _prompt_bytes(case, load)
    sending = roofline.transfer_s(
        moved_bytes=held / load.n_accelerators,
        bytes_per_s=case.network_bytes_per_s,
        bandwidth_fraction=constants().link_fraction,
    )
    spare = case.first_token_s - speeds["first_token_s"] - sending
    # By itself a prompt also takes what a step does: weights to read, layers to launch.
    service = (done.prompt_s + done.step_s) / load.pipeline_stages
    rate = _most_requests(service, spare)
    usable = np.asarray(done.fits) & (rate > 0)
    reading = rows.assign(
        transfer_s=sending,
        requests_per_s=rate,
        accelerators_per_request_s=np.where(
            usable, load.n_accelerators / np.where(usable, rate, 1.0), np.nan
        ),
    )
    first = _cheapest(reading)
    both = None if first is None or answering is None else (first, answering)
    per_request = case.rent_usd_per_h / units.SECONDS_PER_HOUR * units.TOKENS_PER_MTOK
    per_request = per_request / case.output_tokens

    def usd(*used: Any) -> float:
        if any(row is None for row in used):
            return np.inf
        return float(per_request * sum(row["accelerators_per_request_s"] for row in used))

    return {
        "one": one,
        "prefill": first,
        "decode": answering,
        "cache_bytes": float(np.max(held)),
        "usd_one": usd(one),
        "usd_two": usd(*(both or (None,))),
    }


def _per_request(case: Case, found: pd.DataFrame) -> Any:
    rate = found["tokens_per_s"] / case.output_tokens
    return _cheapest(found.assign(accelerators_per_request_s=found["n_accelerators"] / rate))


def _cheapest(rows: pd.DataFrame) -> Any:
    column = rows["accelerators_per_request_s"]
    return None if column.isna().all() else rows.iloc[int(np.nanargmin(column))]


def _prompt_bytes(case: Case, load: Scenarios) -> float:
    """Cache of a prompt, once: what a reading pool hands to an answering one."""
    return float(
        kv.sequence_bytes(
            case.input_tokens,
            **catalog.cache_layers(catalog.model(case.model)),
            bytes_per_value=float(np.max(load.cache_bits)) / units.BITS_PER_BYTE,
            bytes_per_state_value=2,
        )
    )


def _most_requests(service_s: Floats, wait_s: Floats) -> Arrays:
    """Requests per second that wait no longer than `wait_s` on average for those before them."""
    service, wait = np.broadcast_arrays(service_s, np.maximum(wait_s, 0.0))

    def longer(rate: Arrays) -> Arrays:
        asked = np.maximum(rate, np.finfo(float).tiny)
        return np.asarray(queueing.wait_s(requests_per_s=asked, service_s=service) > wait)

    low, _ = halved(longer, np.zeros(service.shape), 1.0 / service)
    return np.where(np.asarray(wait_s) > 0, low, 0.0)


# --- measured -----------------------------------------------------------------------------------


def measured_pairs(accelerator: str, slower: str) -> pd.DataFrame:
    """Published runs that differ in little but the links: throughput over that of the slower card.

    Returns
    -------
        By model, number of accelerators and lengths the ratio as `measured` and as `predicted`.
    """
    rows = validate.compare(validate.read(tables.data_path("measured.csv")))
    rows = rows[(rows["reason"] == "") & (rows["metric"] == "output_tokens_per_s_total")]
    same = ["model", "weight_format", "n_accelerators", "input_tokens", "output_tokens", "software"]
    sides = [
        rows[rows["accelerator"] == name].set_index(same)[["measured", "predicted"]].add_suffix(end)
        for name, end in ((accelerator, "_fast"), (slower, "_slow"))
    ]
    both = sides[0].join(sides[1], how="inner").reset_index()
    for side in ("measured", "predicted"):
        both[side] = both[f"{side}_fast"] / both[f"{side}_slow"]
    return both[[*same, "measured", "predicted"]]
