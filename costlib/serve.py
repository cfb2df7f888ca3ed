"""The serving model: from a model, a machine and a load to speed, latency and energy.

`prediction` turns scenarios (see `costlib.deploy`) into seconds term by term, with the speed of
light beside them and an interval from rows that the constants had not seen.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib import drafts, energy, latency, pricing, queueing, roofline
from costlib._checks import Floats, non_negative, positive
from costlib._halving import halved
from costlib.calibration import Constants, constants
from costlib.deploy import Scenarios
from costlib.effort import Rows, Work
from costlib.units import SECONDS_PER_HOUR

__all__ = ["Prediction", "cost_splits", "open_loop", "prediction"]

Arrays = NDArray[np.float64]

SELECTOR_LAUNCHES: Final = 2.0  # score and select, besides the layer itself
COLLECTIVES_PER_LAYER: Final = 2.0  # behind the attention and behind the MLP
PARTED: Final = ("memory_bytes", "terms_s")  # fields that are sums, part by part
LEAST_BATCH = 1e-6  # of the search for a batch
BLOCK: Final = 2**13  # scenarios at a time: their arrays stay in the processor's cache


# --- seconds, with the constants -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What each scenario does, the terms that make it, its light and its interval."""

    fits: NDArray[np.bool_] | np.bool_
    memory_bytes: Mapping[str, Floats]  # of all accelerators: what takes it; sums to all of it
    weight_bytes: Floats  # on all accelerators together
    sequence_bytes: Floats  # of one request at its full length, copied heads included
    capacity_users: Floats
    n_running: Floats
    terms_s: Mapping[str, Floats]  # of a step; they sum to it
    step_s: Floats
    prompt_s: Floats  # what a prompt adds to a running batch
    tpot_s: Floats
    ttft_s: Floats
    tokens_per_s: Floats
    power_w: Floats  # NaN where no source states the board power
    output_token_j: Floats
    light_step_s: Floats
    light_tpot_s: Floats
    light_ttft_s: Floats
    light_tokens_per_s: Floats
    interval: Mapping[str, tuple[Floats, Floats]]  # 80 % of measurements lie within


def prediction(load: Scenarios, used: Constants | None = None) -> Prediction:
    """Speed, latency and energy of each scenario.

    Where weights or a single sequence do not fit, `fits` is false, nothing runs, throughput is 0
    and latency infinite.

    >>> from costlib.deploy import scenarios
    >>> one = scenarios("Llama-3.1-70B", "H100", n_accelerators=8, n_clients=[1, 64])
    >>> done = prediction(one)
    >>> bool((done.step_s > done.light_step_s).all()), bool(done.tpot_s[1] > done.tpot_s[0])
    (True, True)
    """
    used = constants() if used is None else used
    shape = _shape(load)
    if len(shape) != 1 or shape[0] <= BLOCK:
        return _filled(timed(Work(load), used), shape)
    length = shape[0]
    parts = (
        timed(Work(_part(load, slice(start, start + BLOCK), length)), used)
        for start in range(0, length, BLOCK)
    )
    return _filled(_joined(parts, length), shape)


def _shape(load: Scenarios) -> tuple[int, ...]:
    """Shape of all scenarios together."""
    shapes = {np.shape(getattr(load, field)) for field in Scenarios.__slots__ if field != "layers"}
    return np.broadcast_shapes(*shapes, *{column.shape[:-1] for column in load.layers.values()})


def _filled(done: Prediction, shape: tuple[int, ...]) -> Prediction:
    """Every quantity for every scenario, whether or not it hangs on what varies."""

    def fill(value: Any) -> Any:
        return value if np.shape(value) == shape else np.broadcast_to(value, shape)

    plain = {
        field: fill(getattr(done, field))
        for field in Prediction.__slots__
        if field not in {*PARTED, "interval"}
    }
    parted: dict[str, Any] = {
        field: {name: fill(part) for name, part in getattr(done, field).items()} for field in PARTED
    }
    return Prediction(
        **plain,
        **parted,
        interval={name: (fill(low), fill(high)) for name, (low, high) in done.interval.items()},
    )


def _part(load: Scenarios, here: slice, length: int) -> Scenarios:
    """Some scenarios of a row; memory between input and answer then stays small."""

    def cut(value: Any) -> Any:
        return value[here] if np.shape(value)[:1] == (length,) else value

    return dataclasses.replace(
        load,
        layers={
            name: column[here] if column.shape[:-1] == (length,) else column
            for name, column in load.layers.items()
        },
        **{field: cut(getattr(load, field)) for field in Scenarios.__slots__ if field != "layers"},
    )


def _joined(parts: Iterable[Prediction], length: int) -> Prediction:
    """One prediction of the row that was cut, filled part by part."""
    whole: dict[str, Any] = {}
    parted: dict[str, Any] = {field: {} for field in PARTED}
    ends: dict[str, tuple[Any, Any]] = {}

    def fill(into: Any, value: Any, start: int) -> Any:
        """Keep a number that no block changes; write everything else into a row of its own."""
        if np.ndim(value) == 0 and (into is None or np.array_equal(into, value)):
            return value
        if np.ndim(into) == 0:
            before, into = into, np.empty(length, np.asarray(value).dtype)
            into[:start] = before
        into[start : start + BLOCK] = value
        return into

    for number, part in enumerate(parts):
        for field in Prediction.__slots__:
            value, start = getattr(part, field), number * BLOCK
            if field == "interval":
                for name, pair in value.items():
                    old = ends.get(name, (None, None))
                    ends[name] = (fill(old[0], pair[0], start), fill(old[1], pair[1], start))
            elif field in PARTED:
                for name, term in value.items():
                    parted[field][name] = fill(parted[field].get(name), term, start)
            else:
                whole[field] = fill(whole.get(field), value, start)
    return Prediction(**whole, **parted, interval=ends)


def timed(done: Work, used: Constants) -> Prediction:
    """Seconds of work that is already counted."""
    load = done.load
    terms, busy = _terms(done, used)
    step = functools.reduce(np.add, terms.values())
    prompt, alone = _prompt(done, used, terms)
    tpot, ttft, rate = _speeds(done, used, step, prompt, alone)
    light_step, light_tpot, light_ttft, light_rate = _light(done)
    reading = done.busy * prompt / load.pipeline_stages / load.output_tokens
    unknown = np.isnan(load.tdp_w)
    power = energy.power_w(
        tdp_w=np.where(unknown, 0.0, load.tdp_w),
        idle_fraction=used.idle_fraction,
        busy_fraction=np.minimum((busy + reading) / (step + reading), 1.0),
        n_accelerators=load.n_accelerators,
    )
    joules = energy.output_token_j(power_w=power, tokens_per_s=rate)
    power, joules = (np.where(unknown, np.nan, value)[()] for value in (power, joules))
    values = {"tokens_per_s": rate, "tpot_s": tpot, "ttft_s": ttft, "power_w": power}
    values["output_token_j"] = joules
    all_memory = load.n_accelerators * load.memory_bytes
    cache = np.where(done.fits, done.running, 0.0) * done.sequence
    left = np.maximum(all_memory - done.weights, 0.0)
    memory = {
        "weights": np.minimum(done.weights, all_memory),
        "cache": cache,
        "idle": load.memory_fraction * left - cache,
        "reserve": (1.0 - load.memory_fraction) * left,
    }
    return Prediction(
        fits=done.fits,
        memory_bytes=memory,
        weight_bytes=done.weights,
        sequence_bytes=done.sequence,
        capacity_users=done.capacity,
        n_running=np.where(done.fits, done.running, 0.0)[()],
        terms_s=terms,
        step_s=step,
        prompt_s=prompt,
        tpot_s=tpot,
        ttft_s=ttft,
        tokens_per_s=rate,
        power_w=power,
        output_token_j=joules,
        light_step_s=light_step,
        light_tpot_s=light_tpot,
        light_ttft_s=light_ttft,
        light_tokens_per_s=light_rate,
        interval={
            name: (values[name] * low, values[name] * high)
            for name, (low, high) in used.interval.items()
        },
    )


def _terms(done: Work, used: Constants) -> tuple[dict[str, Floats], Floats]:
    """Terms of a step, and the part of it that a meter would call busy."""
    load, light = done.load, done.step
    moving = light.weights / used.bandwidth_fraction
    computing = (light.matrices + used.tile_rows * light.padding) / _share(load, used)
    attending = light.attention / used.compute_fraction
    sending = light.links / used.link_fraction
    terms = {
        "weights": moving,
        "arithmetic": roofline.overlapped_s(moving_s=moving, computing_s=computing) - moving,
        "cache": done.cache_s / used.bandwidth_fraction,
        "attention": attending,
        "links": sending + _latencies_s(done, used),
        "launches": _layer_s(load, used)
        * (done.n_layers + done.moe_layers + SELECTOR_LAUNCHES * done.sparse_layers),
        "sequences": used.sequence_s * done.busy,
    }
    # A memory that reaches a share of its peak draws that share; matrices at their pace draw all.
    busy = np.maximum(light.weights, computing) + done.cache_s + attending + sending
    return terms, busy


def _prompt(done: Work, used: Constants, terms: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Seconds that a prompt adds to a running batch, and that it takes by itself."""

    def worked(light: Rows) -> Floats:
        return (
            (light.matrices + used.tile_rows * light.padding) / _share(done.load, used)
            + light.attention / used.compute_fraction
            + light.links / used.link_fraction
        )

    alone = (
        worked(done.lone_prompt)
        + done.lone_prompt.weights / used.bandwidth_fraction
        + terms["launches"]
        + terms["sequences"]
        + _latencies_s(done, used)
    )
    return worked(done.prompt), alone


def _speeds(
    done: Work, used: Constants, step_s: Floats, prompt_s: Floats, alone_s: Floats
) -> tuple[Floats, Floats, Floats]:
    """Time per output token, time to first token and output of all clients together."""
    load = done.load
    mixed = {
        "step_s": step_s * _steps_per_token(load),
        "n_running": done.busy,
        "prefill_s": prompt_s / load.pipeline_stages,
        "output_tokens": load.output_tokens,
    }
    tpot = latency.output_token_s(**mixed)
    wait = latency.slot_wait_s(
        n_clients=load.n_clients,
        n_running=done.busy,
        output_tokens=load.output_tokens,
        output_token_s=tpot,
    )
    ttft = latency.first_token_s(
        request_s=used.request_s,
        prefill_s=alone_s,
        step_s=step_s,
        n_running=done.busy,
        burst_fraction=used.burst_fraction,
        stream_interval_tokens=load.stream_interval_tokens,
        wait_s=wait,
    )
    return _where_it_fits(done, tpot, ttft, latency.closed_loop_tokens_per_s(**mixed))


def _light(done: Work) -> tuple[Floats, Floats, Floats, Floats]:
    """The same at the speed of light: memory, arithmetic and links each at its peak, overlapped."""
    load, step, prompt, lone = done.load, done.step, done.prompt, done.lone_prompt
    memory, arithmetic = step.weights + done.cache_s, step.matrices + step.attention
    steps = _steps_per_token(load)
    per_token = done.busy / load.output_tokens / load.pipeline_stages
    others = np.maximum(done.busy - 1.0, 0.0) / load.output_tokens / load.pipeline_stages

    def overlapped(prompts: Floats) -> Floats:
        reading = prompts * (prompt.matrices + prompt.attention)
        sending = prompts * prompt.links
        return np.maximum(
            np.maximum(steps * memory, steps * arithmetic + reading), steps * step.links + sending
        )

    first = np.maximum(np.maximum(lone.weights, lone.matrices + lone.attention), lone.links)
    found = _where_it_fits(done, overlapped(others), first, done.busy / overlapped(per_token))
    return np.maximum(np.maximum(memory, arithmetic), step.links), *found


def _steps_per_token(load: Scenarios) -> Floats:
    """Steps that one output token takes: fewer than one where drafts are accepted."""
    return drafts.token_s(
        pass_s=1.0,
        draft_s=load.draft_step_fraction,
        acceptance_fraction=load.acceptance_fraction,
        draft_tokens=load.draft_tokens,
    )


def _where_it_fits(
    done: Work, tpot: Floats, ttft: Floats, rate: Floats
) -> tuple[Floats, Floats, Floats]:
    return (
        np.where(done.fits, tpot, np.inf)[()],
        np.where(done.fits, ttft, np.inf)[()],
        np.where(done.fits, rate, 0.0)[()],
    )


def _share(load: Scenarios, used: Constants) -> Floats:
    """Share of the arithmetic peak that matrices reach."""
    return used.compute_fraction * np.where(load.fp4_arithmetic > 0, used.fp4_fraction, 1.0)


def _layer_s(load: Scenarios, used: Constants) -> Floats:
    """Launches of one layer under the scenario's engine."""
    factor = np.ones(load.engine.shape)
    for name, value in used.engine_factor.items():
        factor = np.where(load.engine == name, value, factor)
    return used.layer_s * factor[()]


def _latencies_s(done: Work, used: Constants) -> Floats:
    """Latencies of all collectives of a step: a pair of them costs what a layer's launches do."""
    load = done.load
    behind_mixers = done.attention_width > 1
    behind_others = done.width > 1
    number = done.n_layers * (behind_mixers + 1.0 * behind_others) + (load.pipeline_stages - 1.0)
    return _layer_s(load, used) / COLLECTIVES_PER_LAYER * number


# --- open arrivals ------------------------------------------------------------------------------


def open_loop(
    load: Scenarios,
    *,
    requests_per_s: ArrayLike,
    prompt_scv: ArrayLike = 0,
    used: Constants | None = None,
) -> Prediction:
    """The same for requests that arrive at random, whether or not others are done.

    The running batch is the one whose output equals what arrives (Little's law), so `n_clients`
    of the load is not used. A prompt waits for those before it, as in a queue of one server.

    Parameters
    ----------
    load
        Scenarios.
    requests_per_s
        Poisson arrivals, above 0.
    prompt_scv
        Squared coefficient of variation of the time to read a prompt; 0 where all are alike.

    Returns
    -------
        As `prediction`; where more arrives than can be served, nothing waits for a finite time:
        `tpot_s` is that of a full machine and `ttft_s` infinite.

    >>> from costlib.deploy import scenarios
    >>> done = open_loop(scenarios("Llama-3.1-8B", "H100"), requests_per_s=[1, 10, 1000])
    >>> np.isfinite(done.ttft_s).tolist()
    [True, True, False]
    """
    used = constants() if used is None else used
    arriving = positive("requests_per_s", requests_per_s)
    spread = non_negative("prompt_scv", prompt_scv)
    shape = np.broadcast_shapes(_shape(load), np.shape(arriving))
    full = prediction(dataclasses.replace(load, n_clients=np.full(shape, np.inf)), used)
    wanted = arriving * load.output_tokens

    def enough(log_batch: NDArray[np.float64]) -> NDArray[np.bool_]:  # output grows with the batch
        tried = dataclasses.replace(load, n_clients=np.exp(log_batch))
        return np.asarray(prediction(tried, used).tokens_per_s > wanted)

    most = np.log(np.maximum(full.n_running, 1.0))
    _, log_batch = halved(enough, np.full(shape, np.log(LEAST_BATCH)), most)
    settled = dataclasses.replace(load, n_clients=np.exp(log_batch))
    done = prediction(settled, used)
    quiet = prediction(settled, dataclasses.replace(used, burst_fraction=0.0))  # nobody in step
    wait = queueing.wait_s(
        requests_per_s=arriving,
        service_s=done.prompt_s / load.pipeline_stages,
        service_scv=spread,
    )
    ttft = np.where(full.tokens_per_s > wanted, quiet.ttft_s + wait, np.inf)[()]
    low_end, high_end = used.interval.get("ttft_s", (1.0, 1.0))
    interval = {**done.interval, "ttft_s": (ttft * low_end, ttft * high_end)}
    return dataclasses.replace(done, ttft_s=ttft, interval=interval)


# --- cost ----------------------------------------------------------------------------------------


def cost_splits(
    load: Scenarios,
    done: Prediction,
    *,
    rent_usd_per_h: ArrayLike,
    output_to_input_ratio: ArrayLike,
) -> dict[str, tuple[Floats, Floats]]:
    """USD per million input and output tokens by three splits; each sums to the bill.

    Parameters
    ----------
    load, done
        Scenarios and what is predicted of them.
    rent_usd_per_h
        Rent of one accelerator.
    output_to_input_ratio
        List price of an output token over that of an input token.

    Returns
    -------
        By name of the split, prices of input and of output: `time` by the seconds that prompts
        and answers hold the accelerators, `marginal` by what one token more adds, `list` by the
        ratio of list prices. Infinite where nothing runs.
    """
    running = np.maximum(done.n_running, 1.0)
    held = done.prompt_s / load.pipeline_stages / load.input_tokens
    answer = done.step_s * _steps_per_token(load)
    added = sum(done.terms_s[name] for name in ("arithmetic", "cache", "attention", "sequences"))
    ratio = positive("output_to_input_ratio", output_to_input_ratio)
    weights = {
        "time": (held, answer / running),
        "marginal": (held, answer / running * added / done.step_s),
        "list": (np.ones_like(held), ratio * np.ones_like(held)),
    }
    served = done.tokens_per_s > 0
    seconds = load.output_tokens / np.where(served, done.tokens_per_s, 1.0)
    rent = load.n_accelerators * non_negative("rent_usd_per_h", rent_usd_per_h) / SECONDS_PER_HOUR
    bill = np.where(served, rent * seconds, np.inf)
    counts = (load.input_tokens, load.output_tokens)

    def price(pair: tuple[Floats, Floats], own: int) -> Floats:
        return pricing.split_usd_per_mtok(
            bill_usd=bill,
            own_tokens=counts[own],
            other_tokens=counts[1 - own],
            own_weight=pair[own],
            other_weight=pair[1 - own],
        )

    return {name: (price(pair, 0), price(pair, 1)) for name, pair in weights.items()}
