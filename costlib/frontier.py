"""Price against speed: what a token costs at every speed that a user may be promised.

And what a batch costs its users: ways to schedule it, and prompts that stall it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import poisson

from costlib import (
    batching,
    catalog,
    deploy,
    latency,
    pricebook,
    pricing,
    roofline,
    serve,
    serving,
    tables,
    units,
    validate,
)
from costlib._checks import positive

__all__ = [
    "Offer",
    "answer_times",
    "batch_gains",
    "curves",
    "list_prices",
    "memory_generations",
    "memory_rents",
    "points",
    "rents",
    "schedules",
    "stalls",
]

Arrays = NDArray[np.float64]

CARRIED: Final = 0.95  # of its most requests: above it a queue of batches takes too long to say
LENGTH_CELLS: Final = 60  # of a table of lengths, in the queue of batches
QUEUE_STATES: Final = 25  # longest queue of batches, in batches


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Accelerators that serve one copy of a model, and what one of them rents for."""

    accelerator: str
    n_accelerators: int
    weight_format: str
    rent_usd_per_h: float
    engine: str = "vLLM"

    @property
    def words(self) -> str:
        """Name in charts and tables."""
        return f"{self.n_accelerators} {self.accelerator}"


def _load(
    model: str,
    offer: Offer,
    *,
    input_tokens: ArrayLike,
    output_tokens: ArrayLike,
    n_clients: ArrayLike = np.inf,
) -> deploy.Scenarios:
    """Scenarios of an offer; without a number of clients as many as fit."""
    return deploy.scenarios(
        model,
        offer.accelerator,
        weight_format=offer.weight_format,
        engine=offer.engine,
        n_accelerators=offer.n_accelerators,
        n_clients=n_clients,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )


def _lowest(kind: str) -> dict[str, dict[str, Any]]:
    """The cheapest row of each accelerator."""
    rows = [row for row in tables.rows("gpu_prices.csv") if row["kind"] == kind]
    if not rows:
        kinds = sorted({row["kind"] for row in tables.rows("gpu_prices.csv")})
        raise ValueError(f"no rents of the kind {kind!r}; there are {', '.join(kinds)}")
    dearest_first = sorted(rows, key=lambda row: -row["usd_per_h"])
    return {row["accelerator"]: row for row in dearest_first}


def rents(kind: str) -> dict[str, float]:
    """USD per hour of each accelerator that `data/gpu_prices.csv` lists of a kind: the lowest.

    >>> rents("spot")["H200"]
    1.45
    """
    return {name: row["usd_per_h"] for name, row in _lowest(kind).items()}


def curves(
    model: str,
    offers: Sequence[Offer],
    *,
    n_clients: Sequence[float],
    input_tokens: Sequence[float],
    output_tokens: float,
) -> pd.DataFrame:
    """Cost of a million tokens, prompt and answer together, and the speed that each user gets.

    Returns
    -------
        One row per offer, context and number of clients that fit: `user_tokens_per_s`,
        `usd_per_mtok` with the ends of its interval, and both at the speed of light.
    """
    clients, context = (
        grid.ravel()
        for grid in np.meshgrid(
            positive("n_clients", n_clients), positive("input_tokens", input_tokens), indexing="ij"
        )
    )
    parts = []
    for offer in offers:
        done = serve.prediction(
            _load(
                model, offer, n_clients=clients, input_tokens=context, output_tokens=output_tokens
            )
        )
        low, high = done.interval["tokens_per_s"]
        whole = (context + output_tokens) / output_tokens  # tokens billed per token written
        cost = {
            name: serving.usd_per_mtok(
                rent_usd_per_h=offer.rent_usd_per_h,
                tokens_per_s=rate * whole,
                n_accelerators=offer.n_accelerators,
            )
            for name, rate in {
                "usd_per_mtok": done.tokens_per_s,
                "usd_low": high,
                "usd_high": low,
                "light_usd_per_mtok": done.light_tokens_per_s,
            }.items()
        }
        parts.append(
            pd.DataFrame(
                {
                    "offer": offer.words,
                    "accelerator": offer.accelerator,
                    "n_clients": clients,
                    "input_tokens": context,
                    "fits": done.fits & (done.n_running >= clients),
                    "user_tokens_per_s": 1.0 / done.tpot_s,
                    "light_user_tokens_per_s": 1.0 / done.light_tpot_s,
                    **cost,
                }
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows["fits"]].drop(columns="fits").reset_index(drop=True)


def points(
    model: str, offers: Sequence[Offer], *, input_tokens: Sequence[float], output_tokens: float
) -> pd.DataFrame:
    """Published runs of the same offers: speed of a user, and cost at the offer's rent.

    Runs whose clients wait longer for the first token than for all others are left out: more of
    them came than ran at once, and the speed is that of those who ran.
    """
    prompts = np.atleast_1d(positive("input_tokens", input_tokens))
    positive("output_tokens", output_tokens)
    rows = validate.resolve(validate.read(tables.data_path("measured.csv")))
    rows = rows[(rows["reason"] == "") & (rows["model"] == model)]
    rows = rows[rows["output_tokens"] == output_tokens]
    run = [name for name in validate.ARGUMENTS if name != "model"] + ["software"]
    wide = rows.pivot_table(index=run, columns="metric", values="measured").reset_index()
    wide = wide.dropna(subset=["tpot_ms", "ttft_ms"])
    wide = wide[wide["ttft_ms"] < wide["tpot_ms"] * output_tokens]
    parts = []
    for offer in offers:
        here = wide[
            (wide["accelerator"] == offer.accelerator)
            & (wide["n_accelerators"] == offer.n_accelerators)
            & (wide["weight_format"] == offer.weight_format)
            & (wide["engine"] == offer.engine)
            & (wide["attention_replicas"] == 1)
            & wide["input_tokens"].isin(prompts)
        ]
        answer_s = (here["ttft_ms"] + here["tpot_ms"] * output_tokens) / units.MS_PER_S
        rate = here["n_clients"] * (here["input_tokens"] + output_tokens) / answer_s
        parts.append(
            pd.DataFrame(
                {
                    "offer": offer.words,
                    "accelerator": offer.accelerator,
                    "n_clients": here["n_clients"],
                    "input_tokens": here["input_tokens"],
                    "user_tokens_per_s": units.MS_PER_S / here["tpot_ms"],
                    "usd_per_mtok": serving.usd_per_mtok(
                        rent_usd_per_h=offer.rent_usd_per_h,
                        tokens_per_s=rate.to_numpy(),
                        n_accelerators=offer.n_accelerators,
                    ),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def list_prices(model: str, *, input_tokens: Sequence[float], output_tokens: float) -> pd.DataFrame:
    """What vendors list for the model, per million tokens of prompt and answer together.

    `user_tokens_per_s` is the speed that a vendor states for its tier, NaN where it states none.
    """
    speeds = {row["name"]: row["output_tokens_per_s"] for row in tables.rows("tier_speeds.csv")}
    listed = [
        pricebook.price(name) for name, first in pricebook.offers().items() if first.model == model
    ]
    prompts = np.atleast_1d(positive("input_tokens", input_tokens, finite=True))
    return pd.DataFrame(
        [
            {
                "vendor": row.provider,
                "fast": row.note.startswith("Fast tier"),
                "input_tokens": float(prompt),
                "user_tokens_per_s": speeds.get(f"{model} at {row.provider}", np.nan),
                "usd_per_mtok": float(
                    pricing.request_usd(
                        input_tokens=prompt,
                        output_tokens=output_tokens,
                        input_usd_per_mtok=row.input_usd_per_mtok,
                        output_usd_per_mtok=row.output_usd_per_mtok,
                    )
                )
                / (prompt + output_tokens)
                * units.TOKENS_PER_MTOK,
            }
            for row in listed
            for prompt in prompts
        ],
        columns=["vendor", "fast", "input_tokens", "user_tokens_per_s", "usd_per_mtok"],
    )


def batch_gains(
    model: str,
    offer: Offer,
    *,
    n_clients: Sequence[float],
    input_tokens: float,
    output_tokens: float,
) -> pd.DataFrame:
    """What a larger batch buys over a batch of one: throughput, latency and cost per token."""
    clients = np.atleast_1d(positive("n_clients", n_clients))
    done = serve.prediction(
        _load(
            model,
            offer,
            n_clients=np.r_[1.0, clients],
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )
    )
    found = pd.DataFrame({"n_clients": clients})
    for name, rate, wait in (
        ("", np.asarray(done.tokens_per_s), np.asarray(done.tpot_s)),
        ("light_", np.asarray(done.light_tokens_per_s), np.asarray(done.light_tpot_s)),
    ):
        found[f"{name}throughput_times"] = rate[1:] / rate[0]
        found[f"{name}latency_times"] = wait[1:] / wait[0]
        found[f"{name}saved_fraction"] = 1.0 - rate[0] / rate[1:]
    found["n_running"] = np.asarray(done.n_running)[1:]
    return found


# --- memory ----------------------------------------------------------------------------------


def memory_rents(kind: str, accelerators: Sequence[str]) -> pd.DataFrame:
    """Ridge in each format, and what bandwidth and capacity rent for, NaN where nobody lists it.

    Columns `tf32`, `bf16` and `fp8` are FLOP per byte; `usd_per_tb_s` and `usd_per_100_gb` USD
    per hour at the lowest rent, which `provider` lists.
    """
    listed, found = _lowest(kind), []
    for name in accelerators:
        device = catalog.accelerator(name)
        row = listed.get(device.name, {"usd_per_h": np.nan, "provider": "nobody"})
        ridges = {
            name: float(
                roofline.ridge_flop_per_byte(
                    peak_flop_per_s=peak, memory_bytes_per_s=device.memory_bytes_per_s
                )
            )
            for name, peak in device.peak_flop_per_s.items()
            if peak > 0
        }
        found.append(
            {
                "device": device.name,
                "provider": row["provider"],
                **{name: ridges.get(name, np.nan) for name in ("tf32", "bf16", "fp8")},
                "usd_per_tb_s": row["usd_per_h"] / (device.memory_bytes_per_s / units.TB),
                "usd_per_100_gb": row["usd_per_h"] / (device.memory_bytes / units.GB) * 100,
            }
        )
    return pd.DataFrame(found)


def memory_generations(kind: str, *, read_bytes: float) -> pd.DataFrame:
    """Bandwidth of a stack of each generation, and what an accelerator makes of it.

    `stacks_worth` is the accelerator's bandwidth in stacks at their full rate; `usd_per_mtok`
    the floor under tokens that each read `read_bytes`, at the lowest rent.
    """
    positive("read_bytes", read_bytes, finite=True)
    rent, found = rents(kind), []
    for row in tables.rows("hbm.csv"):
        stack = roofline.stack_bytes_per_s(
            n_pins=row["n_pins"], pin_bits_per_s=row["pin_gbit_per_s"] * units.GB
        )
        moves, here = np.nan, np.nan
        if row["accelerator"]:
            device = catalog.accelerator(row["accelerator"])
            moves, here = device.memory_bytes_per_s, rent.get(device.name, np.nan)
        floor = (
            serving.usd_per_mtok(rent_usd_per_h=here, tokens_per_s=moves / read_bytes)
            if here > 0
            else np.nan
        )
        found.append(
            {
                "generation": row["generation"],
                "released": row["released"],
                "stack_bytes_per_s": float(stack),
                "accelerator": row["accelerator"],
                "stacks_worth": moves / float(stack),
                "usd_per_mtok": float(floor),
            }
        )
    return pd.DataFrame(found)


# --- schedules -------------------------------------------------------------------------------


def schedules(
    model: str, offer: Offer, *, lengths_tokens: ArrayLike, input_tokens: float
) -> pd.DataFrame:
    """One table of answers served one at a time, in static batches, and continuously.

    Static and dynamic batches reserve memory for the longest answer, and so does the first of
    the continuous rows; with pages a sequence takes what it uses. A full machine is meant; a
    full dynamic batch is a static one.

    Returns
    -------
        `schedule`, `n_running`, `tokens_per_s` (output), `answer_s` (of a mean answer, from its
        start), `light_tokens_per_s` where the schedule keeps every slot busy, else NaN.
    """
    lengths = np.atleast_1d(positive("lengths_tokens", lengths_tokens, finite=True))
    mean = float(lengths.mean())
    full = serve.prediction(
        _load(
            model, offer, input_tokens=input_tokens, output_tokens=np.array([lengths.max(), mean])
        )
    )
    reserved, paged = np.maximum(np.floor(full.n_running), 1)
    batch = np.r_[np.arange(1, reserved + 1), paged]
    done = serve.prediction(
        _load(model, offer, n_clients=batch, input_tokens=input_tokens, output_tokens=mean)
    )
    lasting = batching.batch_s(
        batch, lengths_tokens=lengths, step_s=done.step_s, prefill_s=done.prompt_s
    )
    static = pd.DataFrame(
        {
            "schedule": "static",
            "n_running": batch,
            "tokens_per_s": batch * mean / lasting,
            "answer_s": lasting,
            "light_tokens_per_s": np.nan,
        }
    )
    continuous = pd.DataFrame(
        {
            "schedule": "continuous, longest reserved",
            "n_running": batch,
            "tokens_per_s": done.tokens_per_s,
            "answer_s": done.prompt_s + mean * done.tpot_s,
            "light_tokens_per_s": done.light_tokens_per_s,
        }
    )
    continuous.loc[continuous.index[-1], "schedule"] = "continuous, paged"
    return pd.concat([static[:-1], continuous[-2:]], ignore_index=True)


def answer_times(
    model: str,
    offer: Offer,
    *,
    requests_per_s: ArrayLike,
    lengths_tokens: ArrayLike,
    input_tokens: float,
) -> pd.DataFrame:
    """Seconds from a request to the last token of its answer, under each schedule and load.

    Requests arrive at random. A static batch waits until its slots are taken, a dynamic one takes
    whoever is there; both are solved exactly, as queues that a batch at a time leaves. A
    continuous one is `serve.open_loop`. Loads above `CARRIED` of what a schedule can do are left
    out.

    Returns
    -------
        `schedule`, `requests_per_s`, `n_running` (mean batch) and `answer_s`.
    """
    arriving = np.atleast_1d(positive("requests_per_s", requests_per_s, finite=True))
    lengths = np.sort(np.atleast_1d(positive("lengths_tokens", lengths_tokens, finite=True)))
    full = schedules(model, offer, lengths_tokens=lengths, input_tokens=input_tokens)
    most = int(full.loc[full["schedule"] == "static", "n_running"].max())
    batch = np.arange(1.0, most + 1)
    done = serve.prediction(
        _load(
            model, offer, n_clients=batch, input_tokens=input_tokens, output_tokens=lengths.mean()
        )
    )
    cells = np.array_split(
        lengths, min(LENGTH_CELLS, lengths.size)
    )  # of equal weight, but for a rounded request
    levels = np.array([cell.mean() for cell in cells])
    below = np.cumsum([0, *(cell.size for cell in cells)]) / lengths.size
    chance = np.diff(below ** batch[:, np.newaxis])  # of the longest in a batch
    seconds = batch * done.prompt_s + levels[:, np.newaxis] * done.step_s
    rows = []
    for rate in arriving:
        if rate * (chance[-1] @ seconds[:, -1]) > CARRIED * most:
            continue
        for name, least in (("static", most), ("dynamic", 1)):
            running, waited = _batch_queue(rate, least, seconds.T, chance)
            rows.append((name, rate, running, waited))
    flowing = serve.open_loop(
        _load(model, offer, input_tokens=input_tokens, output_tokens=lengths.mean()),
        requests_per_s=arriving,
    )
    answer = flowing.ttft_s + lengths.mean() * flowing.tpot_s
    rows += [
        ("continuous", *row)
        for row in zip(arriving, np.asarray(flowing.n_running), np.asarray(answer), strict=True)
        if np.isfinite(row[-1])
    ]
    columns = ["schedule", "requests_per_s", "n_running", "answer_s"]
    return pd.DataFrame(rows, columns=columns)


def _batch_queue(rate: float, least: int, seconds: Arrays, chance: Arrays) -> tuple[float, float]:
    """Mean batch and mean time to its end of a server that starts with `least` or more.

    Row n - 1 of `seconds` and `chance` says how long a batch of n takes, and how likely. The chain
    runs from the end of one batch to the end of the next; its states are those who wait.
    """
    most = len(seconds)
    states = np.arange(QUEUE_STATES * most)
    taken = np.clip(states, least, most)
    drawn = poisson.pmf(states, rate * seconds[..., np.newaxis])  # batch, duration, arrivals
    coming = np.einsum("nd,nda->na", chance, drawn)
    into = np.zeros((states.size, states.size))
    for state in states:
        left = max(int(state) - most, 0)
        into[state, left:] = coming[taken[state] - 1, : states.size - left]
    into[:, -1] += 1 - into.sum(axis=1)  # the queue is cut where it hardly ever gets
    system = into.T - np.eye(states.size)
    system[-1] = 1
    often = np.linalg.solve(system, np.r_[np.zeros(states.size - 1), 1])
    mean, square = ((chance * seconds**power).sum(axis=1)[taken - 1] for power in (1, 2))
    missing = np.maximum(least - states, 0)
    gathering = missing * (states + least - 1) / (2 * rate)  # users times seconds
    present = np.maximum(states, least) * mean + rate * square / 2 + gathering
    together = often @ present / (often @ (mean + missing / rate))
    return float(often @ taken), float(together / rate)  # Little's law


def stalls(
    model: str,
    offer: Offer,
    *,
    n_clients: float,
    input_tokens: float,
    output_tokens: float,
    chunk_tokens: ArrayLike,
) -> pd.DataFrame:
    """What a prompt that arrives does to those who decode, by the size of its chunks.

    Returns
    -------
        `chunk_tokens` (infinite: not cut), `step_s`, `stall_s` (what a token of the others waits
        longer), `n_steps` (tokens of theirs that wait so), `reading_s` (until the prompt is read).
    """
    chunks = np.atleast_1d(positive("chunk_tokens", chunk_tokens))
    done = serve.prediction(
        _load(
            model,
            offer,
            n_clients=n_clients,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )
    )
    prompt = {"chunk_tokens": chunks, "prefill_s": done.prompt_s}
    return pd.DataFrame(
        {
            "chunk_tokens": chunks,
            "step_s": float(done.step_s),
            "stall_s": latency.stall_s(input_tokens, **prompt),
            "n_steps": np.maximum(np.ceil(input_tokens / chunks), 1),
            "reading_s": latency.chunked_s(input_tokens, step_s=done.step_s, **prompt),
        }
    )
