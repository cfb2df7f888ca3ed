"""Every combination of a scenario at once: what fits, what keeps the promises, what it costs.

Fast and coarse: lengths count by their means, replicas run at the listed numbers of clients, and
the 95 % of the time to first token is that of a line of prompts (`costlib.sojourn`).
What is left over is computed anew by `costlib.plans` with the queue of `costlib.response`.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from costlib import (
    calibration,
    carbon,
    catalog,
    deploy,
    energy,
    facility,
    fleet,
    frontier,
    latency,
    ownership,
    profile,
    requestlog,
    serve,
    sites,
    sojourn,
    units,
    workloads,
)
from costlib._checks import Floats, non_negative, positive
from costlib.scenario import Machine, Scenario

__all__ = [
    "AXES",
    "CHUNK_TOKENS",
    "REASONS",
    "Demand",
    "Holding",
    "Screened",
    "carbon_kg",
    "demand",
    "efficient",
    "holdings",
    "recalls",
    "screened",
]

Arrays = NDArray[np.float64]

CHUNK_TOKENS: Final = 2048  # of a prompt, read in one step
POINTS: Final = (np.arange(48) + 0.5) / 48  # equally likely lengths of a table
WAY_ROWS: Final = 24  # cheapest of a way that are kept beside the frontier
BLOCK_ROWS: Final = 2**14  # of combinations that are held at once
AXES: Final = ("monthly_usd", "ttft_p95_s", "tpot_p95_s", "carbon_kg", "quality")
RECALL: Final = "no exact recall"
PRICE: Final = "no price"
CONTEXT: Final = "longer than the model's context"
EXPERTS: Final = "no experts to deal out"
FIGURE: Final = "a figure of the machine is unknown"
FITS: Final = "does not fit"
TPOT: Final = "time per output token"
TTFT: Final = "time to first token"
QUALITY: Final = "quality"
REASONS: Final = (QUALITY, RECALL, PRICE, CONTEXT, EXPERTS, FIGURE, FITS, TPOT, TTFT)
RIG: Final = (
    *("model", "accelerator", "n_accelerators", "weight_format", "cache_bits"),
    *("prefix_reuse", "experts"),
)


# --- what is asked ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A workload as numbers: equally likely lengths, a rate, its peak, what is found again."""

    input_tokens: Arrays
    output_tokens: Arrays
    requests_per_s: float
    peak_times: float
    rent_peak_times: float
    reused_fraction: float
    written_fraction: float
    notes: tuple[str, ...]

    @property
    def mean_tokens(self) -> tuple[float, float]:
        """Of a prompt and of an answer."""
        return float(self.input_tokens.mean()), float(self.output_tokens.mean())

    @property
    def requests_per_month(self) -> float:
        """Requests in 730 hours."""
        return self.requests_per_s * units.HOURS_PER_MONTH * units.SECONDS_PER_HOUR

    @property
    def longest_tokens(self) -> float:
        """Prompt and answer of the longest request."""
        return float(self.input_tokens.max() + self.output_tokens.max())


def demand(scenario: Scenario) -> Demand:
    """What a scenario's workload asks for.

    Raises
    ------
    LogError
        If the log cannot be read.
    """
    asked = scenario.workload
    notes: list[str] = []
    prompts: NDArray[Any]
    answers: NDArray[Any]
    rate, peak, reused = asked.requests_per_day, asked.peak_times, asked.reused_fraction
    if asked.log:
        log = requestlog.read(asked.log, time_unit=asked.log_time_unit or "")
        seen = profile.profile(log)
        prompts, answers = (
            np.quantile(tokens, POINTS).round()
            for tokens in (log.requests.input_tokens, log.requests.output_tokens)
        )
        if log.n_bad:
            notes.append(f"{log.n_bad:,} of {log.n_rows:,} rows of the log are bad and left out.")
        rate = seen.requests_per_s * units.SECONDS_PER_DAY if rate is None else rate
        if peak is None:
            peak = max(1.0, float(np.nan_to_num(seen.peak_to_mean, nan=1.0)))
            notes.append(f"The busiest five minutes of the log see {peak:.3g} times its mean rate.")
        if reused is None and log.cached_from:
            reused = seen.cached_fraction
            notes.append(f"{reused:.0%} of input tokens are found again ({log.cached_from}).")
    elif asked.like:
        table = workloads.length_table(asked.like)
        prompts, answers = (table[name] for name in ("input_tokens", "output_tokens"))
        if reused is None:
            reused = float(table["cached_tokens"].sum() / prompts.sum())
        prompts, answers = (np.quantile(lengths, POINTS).round() for lengths in (prompts, answers))
    else:
        prompts, answers = (np.array([n]) for n in (asked.input_tokens, asked.output_tokens))
        notes.append(
            "Every request is taken to have the mean lengths; give a log, or `like`, for a spread."
        )
    peak = 1.0 if peak is None else peak
    return Demand(
        input_tokens=np.maximum(prompts.astype(np.float64), 1.0),
        output_tokens=np.maximum(answers.astype(np.float64), 1.0),
        requests_per_s=float(rate or 0.0) / units.SECONDS_PER_DAY,
        peak_times=peak,
        rent_peak_times=peak if asked.rent_peak_times is None else asked.rent_peak_times,
        reused_fraction=reused or 0.0,
        written_fraction=min(asked.written_fraction, 1.0 - (reused or 0.0)),
        notes=tuple(notes),
    )


# --- what is held -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """How accelerators of one kind are held: at which price, in which portions."""

    way: str
    accelerator: str
    price_usd: float  # of an hour rented, or of a machine owned
    months: float
    yearly_times: float
    peak_times: float  # of the demand that portions follow
    n_spares: int
    machine: ownership.Machine | None = None

    def hour_usd(self, times: float = 1.0) -> float:
        """Hour of one accelerator, as a mean over the horizon; at so many times the price."""
        price = self.price_usd * times
        if self.machine is None:
            rent = fleet.mean_rent_usd_per_h(
                rent_usd_per_h=price,
                yearly_times=self.yearly_times,
                years=self.months / units.MONTHS_PER_YEAR,
            )
            return float(rent)
        given = {name: getattr(self.machine, name) for name in ownership.Machine.__slots__}
        return float(ownership.hour(ownership.Machine(**given | {"machine_usd": price}))["owned"])

    def n_held(
        self, requests_per_s: ArrayLike, *, most_per_s: ArrayLike, n_accelerators: ArrayLike
    ) -> tuple[Floats, Floats]:
        """Replicas and accelerators that are held for a mean rate of requests."""
        replicas = fleet.n_replicas(
            demand_tokens_per_s=requests_per_s,  # requests for tokens: the quotient is the same
            tokens_per_s=most_per_s,
            peak_times=self.peak_times,
            load_fraction=1.0,
            n_least=1,
            n_spares=self.n_spares,
        )
        portion = n_accelerators if self.machine is None else self.machine.node_accelerators
        return replicas, fleet.n_held_accelerators(
            n_replicas=replicas, n_accelerators=n_accelerators, node_accelerators=portion
        )


def holdings(scenario: Scenario, asked: Demand) -> dict[tuple[str, str], Holding]:
    """How each accelerator that has a price can be held, by way and accelerator."""
    prices = scenario.prices
    found: dict[tuple[str, str], Holding] = {}
    quoted = frontier.rents(prices.rent_kind)
    for name in scenario.candidates.accelerators:
        rent = prices.rents_usd_per_h.get(name, quoted.get(name))
        if "rent" in scenario.ways and rent is not None:
            found["rent", name] = Holding(
                way="rent",
                accelerator=name,
                price_usd=rent,
                yearly_times=prices.rent_yearly_times,
                peak_times=asked.rent_peak_times,
                months=scenario.horizon_months,
                n_spares=scenario.fleet.n_spares,
            )
        if "own" in scenario.ways and name in prices.machines:
            machine = _machine(scenario, prices.machines[name])
            found["own", name] = Holding(
                way="own",
                accelerator=name,
                price_usd=machine.machine_usd,
                yearly_times=1.0,
                peak_times=asked.peak_times,
                months=scenario.horizon_months,
                n_spares=scenario.fleet.n_spares,
                machine=machine,
            )
    return found


def _machine(scenario: Scenario, given: Machine) -> ownership.Machine:
    years = given.years or scenario.horizon_months / units.MONTHS_PER_YEAR
    drawn = sites.facility("h100-node-mean").value  # of the rating, on average
    fields = given.model_dump() | {
        "years": years,
        "power_w": given.power_w or drawn * given.provisioned_w,
        "pue": pue(scenario),
        "electricity_usd_per_kwh": scenario.prices.electricity_usd_per_kwh,
    }
    return ownership.Machine(**fields)


def pue(scenario: Scenario) -> float:
    """The scenario's PUE, or the average of a survey."""
    return scenario.prices.pue or sites.facility("survey-2025").value


def carbon_kg(
    scenario: Scenario,
    *,
    busy_w: ArrayLike,
    tdp_w: ArrayLike,
    n_accelerators: ArrayLike,
    n_held: ArrayLike,
    load: ArrayLike,
) -> Floats:
    """CO2 of a month: held accelerators idle, and draw more in proportion to their load.

    Parameters
    ----------
    scenario
        Says the grid and the PUE; without a grid there is no answer, NaN.
    busy_w
        Power of a replica that runs as it was predicted.
    tdp_w
        Thermal design power of one accelerator.
    n_accelerators
        Of a replica.
    n_held
        Accelerators that are held.
    load
        Mean load of all that is held, over that at which `busy_w` is drawn.
    """
    for name, value in {"n_accelerators": n_accelerators, "n_held": n_held, "load": load}.items():
        non_negative(name, value)
    if scenario.carbon is None:
        return np.full(np.broadcast_shapes(*map(np.shape, (busy_w, n_held, load))), np.nan)[()]
    idle = calibration.constants().idle_fraction
    known = np.isfinite(tdp_w) & np.isfinite(busy_w)
    rated = np.where(known, tdp_w, 1.0)
    drawn = np.where(known, busy_w, 0.0) / (rated * n_accelerators)
    busy = np.clip((drawn - idle) / (1.0 - idle), 0.0, 1.0)
    power = energy.power_w(
        tdp_w=rated,
        idle_fraction=idle,
        busy_fraction=busy * np.minimum(load, 1.0),
        n_accelerators=n_held,
    )
    used = facility.energy_kwh(power_w=power, period_h=units.HOURS_PER_MONTH, pue=pue(scenario))
    mass = carbon.carbon_kg(energy_kwh=used, grid_g_per_kwh=scenario.carbon.g_per_kwh)
    return np.where(known, mass, np.nan)[()]


# --- all combinations -------------------------------------------------------------------------


def recalls(name: str, tokens: float) -> bool:
    """Whether every layer of a model attends to every token of a request of such a length."""
    positive("tokens", tokens)
    return all(
        group.state_values == 0 and min(group.window_tokens, group.sparse_tokens) >= tokens
        for group in catalog.model(name).layers
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """What is left of all combinations, why the others are not, and how many there were."""

    rows: pd.DataFrame  # a combination and a way to hold it, the cheapest first
    dropped: Mapping[str, int]
    n_combinations: int


def screened(scenario: Scenario, asked: Demand, *, progress: bool = False) -> Screened:
    """Try every combination of models, machines and numbers of clients.

    Parameters
    ----------
    scenario, asked
        What may serve, and what is asked.
    progress
        Show a bar on standard error where that is a terminal and it takes long.
    """
    some, held = scenario.candidates, holdings(scenario, asked)
    axes = _axes(scenario, asked)
    size = math.prod(axis.size for axis in axes.values())
    triples = list(itertools.product(some.models, some.accelerators, some.weight_formats))
    dropped: Counter[str] = Counter()
    kept: list[pd.DataFrame] = []
    n_kept = 0
    bar = tqdm(
        total=len(triples) * size,
        unit=" combinations",
        unit_scale=True,
        delay=1.0,
        leave=False,
        disable=None if progress else True,
    )
    for model, accelerator, weight_format in triples:
        here = [one for (_, name), one in held.items() if name == accelerator]
        reason = _refused(scenario, model, here, asked)
        if reason:
            dropped[reason] += size
        else:
            for part in _blocks(axes):
                names = {
                    "model": model.name,
                    "accelerator": accelerator,
                    "weight_format": weight_format,
                }
                rows, why = _tried(scenario, asked, here, names, part)
                dropped.update(why)
                if len(rows):
                    quality = np.nan if model.quality is None else model.quality
                    kept.append(_best(rows.assign(quality=quality)))
                    n_kept += len(kept[-1])
            if n_kept > BLOCK_ROWS:
                kept = [_best(pd.concat(kept, ignore_index=True))]
                n_kept = len(kept[0])
        bar.update(size)
    bar.close()
    rows = _best(pd.concat(kept, ignore_index=True)) if kept else pd.DataFrame()
    return Screened(
        rows=rows,
        dropped={name: dropped[name] for name in REASONS if dropped[name]},
        n_combinations=len(triples) * size,
    )


def _axes(scenario: Scenario, asked: Demand) -> dict[str, Arrays]:
    """Everything but the names; the clients vary fastest."""
    some = scenario.candidates
    axes = {
        "n_accelerators": some.n_accelerators,
        "cache_bits": some.cache_bits or (np.nan,),
        "prefix_reuse": some.prefix_reuse if asked.reused_fraction > 0 else (False,),
        "experts": [layout == "experts" for layout in some.layouts],
        "n_clients": some.n_clients,
    }
    return {name: np.asarray(values, np.float64) for name, values in axes.items()}


def _blocks(axes: Mapping[str, Arrays]) -> Iterator[dict[str, Arrays]]:
    """The product of all axes as columns, some whole rigs at a time."""
    shape = tuple(axis.size for axis in axes.values())
    step = max(BLOCK_ROWS // shape[-1], 1) * shape[-1]
    for start in range(0, math.prod(shape), step):
        rows = np.arange(start, min(start + step, math.prod(shape)))
        places = np.unravel_index(rows, shape)
        yield {name: axis[place] for (name, axis), place in zip(axes.items(), places, strict=True)}


def _refused(scenario: Scenario, model: Any, held: list[Holding], asked: Demand) -> str:
    """Why no combination of a model and an accelerator will do, if so."""
    least = scenario.promises.least_quality
    if least is not None and model.quality < least:
        return QUALITY
    if scenario.promises.exact_recall:
        recall = model.exact_recall
        if not (recalls(model.name, asked.longest_tokens) if recall is None else recall):
            return RECALL
    if not held:
        return PRICE
    if catalog.model(model.name).max_context_tokens < asked.longest_tokens:
        return CONTEXT
    return ""


def _tried(
    scenario: Scenario,
    asked: Demand,
    held: list[Holding],
    names: Mapping[str, str],
    part: Mapping[str, Arrays],
) -> tuple[pd.DataFrame, Counter[str]]:
    """Rows of one model, accelerator and format that keep the promises, by way; and reasons."""
    why: Counter[str] = Counter()
    device = catalog.accelerator(names["accelerator"])
    can = np.ones(part["n_clients"].size, bool)

    def drop(bad: NDArray[np.bool_], reason: str) -> None:
        why[reason] += int((can & bad).sum())
        can[bad] = False

    dense = not any(group.n_experts for group in catalog.model(names["model"]).layers)
    drop((part["experts"] > 0) & (dense | (part["n_accelerators"] == 1)), EXPERTS)
    if np.isnan(device.link_bytes_per_s):
        drop(part["n_accelerators"] > 1, FIGURE)
    grid = {name: column[can] for name, column in part.items()}
    none: tuple[pd.DataFrame, Counter[str]] = (pd.DataFrame(), why)
    if not grid["n_clients"].size:
        return none
    done = serve.prediction(load(scenario, asked, names, grid))
    fits = np.asarray(done.fits & (done.n_running >= grid["n_clients"]))
    why[FITS] += int((~fits).sum())
    if not fits.any():
        return none
    rate = np.atleast_1d(np.where(fits, done.tokens_per_s / asked.mean_tokens[1], 0.0))
    rate = np.minimum(rate, scenario.fleet.load_fraction * _top(grid, rate))
    reading = _reading_s(asked, grid, done)
    scv = asked.input_tokens.var() / asked.input_tokens.mean() ** 2
    ttft: Arrays = np.asarray(
        sojourn.sojourn_quantile_s(requests_per_s=rate, service_s=reading, service_scv=scv)
    )
    ttft = ttft + calibration.constants().request_s + _alone_s(scenario, asked, names, grid)
    promised = scenario.promises
    slow = fits & (done.tpot_s > (promised.tpot_p95_s or np.inf))
    late = fits & ~slow & (ttft > (promised.ttft_p95_s or np.inf))
    why[TPOT] += int(slow.sum())
    why[TTFT] += int(late.sum())
    good = fits & ~slow & ~late & (rate > 0)
    if not good.any():
        return none
    columns = {name: column[good] for name, column in grid.items()}
    columns |= {
        "most_per_s": rate[good],
        "ttft_p95_s": np.asarray(ttft)[good],
        "tpot_p95_s": np.asarray(done.tpot_s)[good],
        "power_w": np.asarray(done.power_w)[good],
    }
    base = pd.DataFrame(columns).assign(**names)
    return pd.concat([_priced(scenario, asked, one, base) for one in held], ignore_index=True), why


def _reading_s(asked: Demand, grid: Mapping[str, Arrays], done: serve.Prediction) -> Arrays:
    """Seconds that a prompt holds the line beside a running batch."""
    fresh = asked.mean_tokens[0] * (1 - grid["prefix_reuse"] * asked.reused_fraction)
    reading = latency.chunked_s(
        np.maximum(fresh, 1.0),
        chunk_tokens=CHUNK_TOKENS,
        prefill_s=done.prompt_s,
        step_s=done.step_s,
    )
    return np.asarray(reading)


def _alone_s(
    scenario: Scenario, asked: Demand, names: Mapping[str, str], grid: Mapping[str, Arrays]
) -> Arrays:
    """What one replica of the attention takes longer for a prompt than all for their share."""
    dealt = np.asarray(grid["experts"]) > 0
    if not dealt.any():
        return np.zeros(dealt.shape)
    alone = {name: column[dealt] for name, column in grid.items()}
    alone["n_clients"] = np.ones(int(dealt.sum()))
    quiet = serve.prediction(load(scenario, asked, names, alone))
    longer = np.zeros(dealt.shape)
    shared = calibration.constants().request_s + _reading_s(asked, alone, quiet)
    longer[dealt] = np.where(quiet.fits, np.maximum(quiet.ttft_s - shared, 0.0), 0.0)
    return longer


def load(
    scenario: Scenario, asked: Demand, names: Mapping[str, str], grid: Mapping[str, Any]
) -> deploy.Scenarios:
    """Combinations as the serving model takes them."""
    prompt, answer = asked.mean_tokens
    return deploy.scenarios(
        names["model"],
        names["accelerator"],
        weight_format=names["weight_format"],
        n_clients=grid["n_clients"],
        input_tokens=prompt,
        output_tokens=answer,
        reused_fraction=grid["prefix_reuse"] * asked.reused_fraction,
        **layout(scenario, grid),
    )


def layout(scenario: Scenario, grid: Mapping[str, Any]) -> dict[str, Any]:
    """Accelerators, layout, cache and engine as arguments of `deploy.scenarios`."""
    devices = grid["n_accelerators"]
    parts = np.where(np.asarray(grid["experts"]) > 0, devices, 1.0)[()]
    bits = {} if np.isnan(grid["cache_bits"]).any() else {"cache_bits": grid["cache_bits"]}
    deal = {"attention_replicas": parts, "expert_groups": parts}
    return {"engine": scenario.candidates.engine, "n_accelerators": devices, **deal, **bits}


def _top(grid: Mapping[str, Arrays], rate: Arrays) -> Arrays:
    """The highest rate of each rig, over its numbers of clients."""
    rig = [grid[name] for name in ("n_accelerators", "cache_bits", "prefix_reuse", "experts")]
    _, group = np.unique(np.nan_to_num(np.array(rig)), axis=1, return_inverse=True)
    most = np.zeros(group.max() + 1)
    np.maximum.at(most, group.ravel(), rate)
    return most[group.ravel()]


def _priced(scenario: Scenario, asked: Demand, held: Holding, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with what holding them costs and emits in a month."""
    most, devices = (rows[name].to_numpy() for name in ("most_per_s", "n_accelerators"))
    replicas, n = held.n_held(asked.requests_per_s, most_per_s=most, n_accelerators=devices)
    mass = carbon_kg(
        scenario,
        busy_w=rows["power_w"].to_numpy(),
        tdp_w=catalog.accelerator(held.accelerator).tdp_w,
        n_accelerators=devices,
        n_held=n,
        load=asked.requests_per_s * devices / (most * n),
    )
    usd = np.asarray(n * held.hour_usd() * units.HOURS_PER_MONTH)
    if scenario.carbon:
        usd = usd + np.nan_to_num(mass) / units.KG_PER_T * scenario.carbon.usd_per_t
    return rows.assign(way=held.way, n_replicas=replicas, n_held=n, carbon_kg=mass, monthly_usd=usd)


# --- the frontier -----------------------------------------------------------------------------


def efficient(table: pd.DataFrame, axes: Sequence[str] = AXES) -> NDArray[np.bool_]:
    """Rows that no other row beats: as good on every axis and better on one.

    What is unknown counts as the worst; more is better for `quality`, less for all others. Of
    equal rows the first stays.

    >>> table = pd.DataFrame({"monthly_usd": [1, 2, 3], "ttft_p95_s": [2.0, 1.0, 2.0]})
    >>> efficient(table, ("monthly_usd", "ttft_p95_s")).tolist()
    [True, True, False]
    """
    signs = [-1.0 if axis == "quality" else 1.0 for axis in axes]
    points = np.column_stack(
        [s * table[a].to_numpy(float) for s, a in zip(signs, axes, strict=True)]
    )
    points = np.nan_to_num(points, nan=np.inf, posinf=np.inf, neginf=-np.inf)
    order = np.lexsort(points.T[::-1])
    left = points[order]
    places, kept = order.copy(), np.zeros(len(points), bool)
    while len(left):
        kept[places[0]] = True
        better = (left < left[0]).any(axis=1)
        left, places = left[better], places[better]
    return kept


def _best(rows: pd.DataFrame) -> pd.DataFrame:
    """The frontier, and of each way the cheapest rigs."""
    rigs = rows.sort_values("monthly_usd", kind="stable")
    few = rigs.drop_duplicates(["way", *RIG])
    cheapest = few.groupby("way", sort=False).head(WAY_ROWS).index
    kept = efficient(rigs) | rigs.index.isin(cheapest)
    return rigs.loc[kept].reset_index(drop=True)
