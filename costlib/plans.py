"""From a scenario to a plan: the cheapest way to keep its promises, and what would change it.

`costlib.screening` tries every combination by closed forms. What is left over is computed here
with the queue of `costlib.response`, for the busiest hour, and priced in whole replicas and whole
machines; only these numbers are told. Nothing in a scenario is executed, nothing is written.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from costlib import (
    apis,
    catalog,
    ownership,
    pricebook,
    screening,
    serve,
    units,
)
from costlib import scenario as scenarios
from costlib._checks import Floats
from costlib._halving import halved
from costlib.calibration import constants
from costlib.choices import ROUTER, Change, Choice, Numbers, Option, Plan, bill, bill_steps
from costlib.rigs import Rig, rigged
from costlib.scenario import Api, Router, Scenario
from costlib.screening import Demand, Holding

__all__ = ["Change", "Choice", "Plan", "plan"]

WAY_RIGS: Final = 4  # of each way that are computed exactly, the cheapest
FRONTIER_RIGS: Final = 10  # of the frontier, evenly from the cheapest to the dearest
KEPT: Final = "prefixes that fit beside those running"
SURVIVES: Final = "a prefix survives"
VOLUMES: Final = np.logspace(-3, 3, 601)  # over today's, where ways may change places


def plan(scenario: Scenario | str | Path | Mapping[str, Any], *, progress: bool = False) -> Plan:
    """The cheapest way to serve a scenario under its promises.

    Parameters
    ----------
    scenario
        A scenario, its fields, or the path of a file.
    progress
        Show bars on standard error where that is a terminal and it takes long.

    Raises
    ------
    ValueError
        If the scenario or its log cannot be read; one line.

    Examples
    --------
    >>> found = plan({
    ...     "name": "a small chat", "workload": {"like": "chat", "requests_per_day": 1000},
    ...     "candidates": {"apis": ["gpt-4o", "gpt-4o-mini"]},
    ... })
    >>> found.winner.name, f"{found.winner.monthly_usd:.2f} USD a month"
    ('gpt-4o-mini', '9.05 USD a month')
    """
    if isinstance(scenario, str | Path):
        scenario = scenarios.read(scenario)
    elif not isinstance(scenario, Scenario):
        scenario = scenarios.scenario(scenario)
    asked = screening.demand(scenario)
    some = scenario.candidates
    found = _machines(scenario, asked, progress=progress)
    options, dropped = found.options, found.dropped
    sold: list[Api | Router] = [*some.apis] if "API" in scenario.ways else []
    sold += some.routers
    for one in sold:
        made: Option | str = apis.refused(scenario, asked, one) or (
            apis.bought(scenario, asked, one)
            if isinstance(one, Api)
            else _routed(scenario, asked, one)
        )
        if isinstance(made, str):
            dropped[made] += 1
        else:
            options.append(made)
    options.sort(key=lambda option: option.order)
    cheapest: dict[str, Option] = {}
    for option in options:
        cheapest.setdefault(option.choice.way, option)
    ranked = list(cheapest.values())
    second = ranked[1] if len(ranked) > 1 else next(iter(options[1:]), None)
    return Plan(
        scenario=scenario,
        asked=asked,
        n_combinations=found.n_combinations + len(sold),
        n_exact=found.n_exact,
        dropped=dict(dropped + found.failed) if not options else dict(dropped),
        cheapest={way: option.choice for way, option in cheapest.items()},
        runner_up=second.choice if second else None,
        change=_change(asked, ranked[0], second) if second else None,
        frontier=_frontier(scenario, options),
        notes=(*asked.notes, *_notes(scenario, asked, found.failed, ranked)),
    )


# --- routers ----------------------------------------------------------------------------------


def _routed(scenario: Scenario, asked: Demand, one: Router) -> Option | str:
    """A router with the cheapest way to serve each side its part of the requests; or why not.

    What the router sends does not depend on lengths: both sides see the same ones.
    """
    sides: list[tuple[float, Option]] = []
    for name, part in ((one.strong, one.strong_fraction), (one.weak, 1 - one.strong_fraction)):
        side = _side(scenario, asked, name, part) if part else None
        if isinstance(side, str):
            return side
        if side:
            sides.append((part, side))
    choices = tuple(side.choice for _, side in sides)
    dear = max((side for _, side in sides), key=lambda side: side.choice.monthly_usd)

    def fees(volume: Numbers) -> Numbers:
        return one.fee_usd * volume * units.HOURS_PER_MONTH * units.SECONDS_PER_HOUR

    def usd(volume: Numbers, times: float = 1.0) -> Numbers:
        paid = (side.usd(volume * part, times if side is dear else 1.0) for part, side in sides)
        return sum(paid) + fees(volume)

    def slowest(stated: float | None, times: list[float]) -> float:
        return float(np.max(times)) if stated is None else stated  # NaN where one is not known

    mean = asked.requests_per_s
    month_usd, fee = float(usd(mean)), float(fees(mean))
    held = [side.n_held for side in choices if side.accelerator]
    steps = [
        *((f"{side.name}, a month", side.monthly_usd, "USD") for side in choices),
        *([("the router, a month", fee, "USD")] if fee else []),
    ]
    choice = Choice(
        way=ROUTER,
        name=one.name,
        model="",
        accelerator="",
        n_accelerators=np.nan,
        weight_format="",
        cache_bits=np.nan,
        prefix_reuse=any(side.prefix_reuse for side in choices),
        layout="",
        most_requests_per_s=np.nan,
        n_replicas=np.nan,
        n_held=sum(held) if held else np.nan,
        load_fraction=np.nan,
        ttft_p95_s=slowest(one.ttft_p95_s, [side.ttft_p95_s for side in choices]),
        tpot_p95_s=slowest(one.tpot_p95_s, [side.tpot_p95_s for side in choices]),
        low_usd=sum(side.low_usd for side in choices) + fee,
        high_usd=sum(side.high_usd for side in choices) + fee,
        carbon_kg=sum(side.carbon_kg for side in choices),
        carbon_usd=sum(side.carbon_usd for side in choices),
        quality=np.nan if one.quality is None else one.quality,
        **bill(asked, month_usd),
        steps=(*steps, *bill_steps(asked, month_usd)),
        sides=choices,
    )
    return Option(
        choice=choice,
        price=dear.price,
        unit=dear.unit,
        price_now=dear.price_now,
        usd=usd,
        n_extra=sum(side.n_extra for _, side in sides),
    )


def _side(scenario: Scenario, asked: Demand, name: str, part: float) -> Option | str:
    """The cheapest way to serve a part of the requests with one model; or why there is none."""
    some = scenario.candidates
    mine = dataclasses.replace(asked, requests_per_s=part * asked.requests_per_s)
    models = tuple(model for model in some.models if model.name == name)
    if not models:
        known = (api for api in some.apis if (api.name, api.service) == (name, pricebook.STANDARD))
        api = next(known, Api(name=name))
        return apis.slow(scenario, api) or apis.bought(scenario, mine, api)
    alone = scenario.model_copy(update={"candidates": some.model_copy(update={"models": models})})
    found = _machines(alone, mine, progress=False)
    if found.options:
        return min(found.options, key=lambda option: option.order)
    reasons = found.dropped + found.failed
    return max(reasons, key=reasons.__getitem__)


# --- machines ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machines:
    """Options that hold machines, and why others do not do."""

    options: list[Option]
    dropped: Counter[str]  # by the closed forms
    failed: Counter[str]  # by the queue
    n_combinations: int
    n_exact: int


def _machines(scenario: Scenario, asked: Demand, *, progress: bool) -> _Machines:
    """Every combination screened, the best computed with their queues."""
    if not {"own", "rent"} & set(scenario.ways):
        return _Machines(
            options=[], dropped=Counter(), failed=Counter(), n_combinations=0, n_exact=0
        )
    screened = screening.screened(scenario, asked, progress=progress)
    finalists = _finalists(screened.rows)
    options, failed = _exact(scenario, asked, finalists, progress=progress)
    return _Machines(
        options=options,
        dropped=Counter(screened.dropped),
        failed=failed,
        n_combinations=screened.n_combinations,
        n_exact=len(finalists),
    )


def _finalists(rows: pd.DataFrame) -> pd.DataFrame:
    """The cheapest rigs of each way and a thinned frontier."""
    if rows.empty:
        return rows
    rows = rows.sort_values(["monthly_usd", "ttft_p95_s"], kind="stable", ignore_index=True)
    rigs = rows.drop_duplicates(["way", *screening.RIG])
    best = rigs.groupby("way", sort=False).head(WAY_RIGS).index
    front = np.flatnonzero(screening.efficient(rows))
    places = np.unique(np.linspace(0, front.size - 1, FRONTIER_RIGS).round().astype(int))
    chosen = np.union1d(best, front[places])
    return rows.loc[chosen].drop_duplicates(["way", *screening.RIG, "n_replicas"])


def _exact(
    scenario: Scenario, asked: Demand, rows: pd.DataFrame, *, progress: bool
) -> tuple[list[Option], Counter[str]]:
    """Options of the finalists with the queue of their replicas, and why others fail after all."""
    if rows.empty:
        return [], Counter()
    held = screening.holdings(scenario, asked)
    known: dict[tuple[str, ...], Rig | str] = {}

    def key_of(row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(row[column]) for column in screening.RIG)

    def rig_of(row: Mapping[str, Any]) -> Rig | str:
        key = key_of(row)
        if key not in known:
            known[key] = rigged(scenario, asked, row)
        return known[key]

    options, failed, seen = [], Counter[str](), set()
    bar = tqdm(
        [{str(column): value for column, value in row.items()} for row in rows.to_dict("records")],
        unit=" replica",
        delay=1.0,
        leave=False,
        disable=None if progress else True,
    )
    for row in bar:
        rig = rig_of(row)
        if isinstance(rig, Rig) and rig.forgets(scenario.workload.reuse_within_s or 0.0):
            rig = rig_of({**row, "prefix_reuse": 0.0})
        if isinstance(rig, str):
            failed[rig] += 1
            continue
        # A point of the frontier answers sooner, with more replicas than it must have.
        way = held[row["way"], row["accelerator"]]
        fewest = _fewest(asked, way, rig)
        for least in (fewest, max(fewest, float(row["n_replicas"]))):
            held_so = (row["way"], key_of(rig.row), least)
            if held_so not in seen:
                seen.add(held_so)
                options.append(_held(scenario, asked, way, rig, least))
    return options, failed


def _fewest(asked: Demand, held: Holding, rig: Rig) -> float:
    """Replicas for the busiest hour, spares included."""
    peak = dataclasses.replace(held, peak_times=asked.peak_times)
    most, n = rig.most_per_s, rig.replica.n_accelerators
    return float(peak.n_held(asked.requests_per_s, most_per_s=most, n_accelerators=n)[0])


def _held(scenario: Scenario, asked: Demand, held: Holding, rig: Rig, least: float) -> Option:
    """A finalist as a choice: its fleet, its times in the busiest hour, its bill."""
    devices = float(rig.row["n_accelerators"])
    serving, peak = max(least - held.n_spares, 1.0), asked.requests_per_s * asked.peak_times
    extra = max(least - _fewest(asked, held, rig), 0.0)
    rate = peak / serving if extra else rig.most_per_s

    def fleet_of(volume: Numbers, times: float = 1.0) -> tuple[Floats, Floats]:
        return held.n_held(volume, most_per_s=rate * times, n_accelerators=devices)

    seen = rig.at(peak / serving)
    n_running = max(float(seen.n_decoding[0]), 1.0)
    grid = {**rig.row, "n_clients": n_running}
    busy = serve.prediction(screening.load(scenario, asked, rig.row, grid))
    tdp = catalog.accelerator(held.accelerator).tdp_w
    prompt, answer = asked.mean_tokens

    def emitted(volume: Numbers) -> tuple[Floats, Floats]:
        """Carbon of a month and its price; nothing where it is not known."""
        n = fleet_of(volume)[1]
        mass = screening.carbon_kg(
            scenario,
            busy_w=busy.power_w,
            tdp_w=tdp,
            n_accelerators=devices,
            n_held=n,
            load=volume * devices * answer / (float(busy.tokens_per_s) * n),
        )
        price = scenario.carbon.usd_per_t if scenario.carbon else 0.0
        return mass, np.nan_to_num(mass) / units.KG_PER_T * price

    def usd(volume: Numbers, times: float = 1.0, speed: float = 1.0) -> Floats:
        hour = fleet_of(volume, speed)[1] * held.hour_usd(times)
        return hour * units.HOURS_PER_MONTH + emitted(volume)[1]

    slow, fast = constants().interval["tokens_per_s"]
    month_usd, mean = float(usd(asked.requests_per_s)), asked.requests_per_s
    n, accelerators = map(float, fleet_of(mean))
    mass, priced = map(float, emitted(mean))
    hour = accelerators * held.hour_usd()
    load = mean / (rig.saturation_per_s * accelerators / devices)
    place = min(n_running, rig.replica.most_running)
    step = float(np.interp(place, np.arange(rig.replica.step_s.size), rig.replica.step_s))
    step += rig.replica.context_s * place * (prompt + answer / 2)
    portion = devices if held.machine is None else held.machine.node_accelerators
    kept: tuple[tuple[str, float, str], ...] = ()
    if rig.row["prefix_reuse"]:
        n_kept, kept_s = rig.kept(peak / serving)
        minutes = kept_s / units.SECONDS_PER_MINUTE
        kept = (
            (KEPT, n_kept, "a replica"),
            (SURVIVES, minutes, "min, where each request has its own"),
        )
    steps = (
        ("weights", rig.weight_bytes / units.GB, "GB"),
        ("cache of one request", rig.sequence_bytes / units.GB, "GB"),
        ("requests that fit a replica", np.floor(rig.n_fit), ""),
        ("requests at once in the busiest hour", float(seen.n_decoding[0]), "a replica"),
        *kept,
        ("step with these", units.MS_PER_S * step, "ms"),
        ("most under the promises", rig.most_per_s, "requests/s a replica"),
        ("replicas", n, f"of {devices:g} {held.accelerator}"),
        ("of these spare", float(held.n_spares), ""),
        ("accelerators held", accelerators, f"in portions of {portion:g}"),
        ("load, on average", 100 * load, "% of the saturation"),
        ("an hour of one accelerator", held.hour_usd(), "USD"),
        ("an hour of all", hour, "USD"),
        *([("carbon price a month", priced, "USD")] if priced else []),
    )
    choice = Choice(
        way=held.way,
        name=f"{n:,.0f} × {devices:g} {held.accelerator}",
        model=str(rig.row["model"]),
        accelerator=held.accelerator,
        n_accelerators=devices,
        weight_format=str(rig.row["weight_format"]),
        cache_bits=float(rig.row["cache_bits"]),
        prefix_reuse=bool(rig.row["prefix_reuse"]),
        layout="experts" if rig.row["experts"] else "tensor",
        most_requests_per_s=rate,
        n_replicas=n,
        n_held=accelerators,
        load_fraction=load,
        ttft_p95_s=float(seen.ttft_quantiles_s[0, 0]),
        tpot_p95_s=float(seen.tpot_quantiles_s[0, 0]),
        low_usd=float(usd(mean, 1.0, fast)),
        high_usd=float(usd(mean, 1.0, slow)),
        carbon_kg=mass,
        carbon_usd=priced,
        quality=float(rig.row["quality"]),
        **bill(asked, month_usd),
        steps=(*steps, *bill_steps(asked, month_usd)),
        sides=(),
    )
    own = held.machine is not None
    return Option(
        choice=choice,
        price=f"{'price of a machine of' if own else 'rent of'} {held.accelerator}",
        unit="USD" if own else "USD an hour",
        price_now=held.price_usd,
        usd=usd,
        n_extra=extra,
    )


# --- what would change it ---------------------------------------------------------------------


def _change(asked: Demand, first: Option, second: Option) -> Change:
    """At which price, and at which volume, the runner-up costs no more than the winner."""
    rate = asked.requests_per_s
    shared = first.price == second.price

    def dearer(times: float) -> bool:
        return bool(second.usd(rate, times) > first.usd(rate, times if shared else 1.0))

    even = np.nan
    if not dearer(1e-9):
        even = float(halved(lambda t: np.asarray(dearer(float(t))), 0.0, 1.0)[0])

    def wins(times: Floats) -> NDArray[np.bool_]:
        return np.asarray(second.usd(rate * times, 1.0) <= first.usd(rate * times, 1.0))

    won = wins(VOLUMES)
    volume, grows, stays = np.nan, False, False
    if won.any():
        place = int(np.argmin(np.where(won, np.abs(np.log(VOLUMES)), np.inf)))
        grows = bool(VOLUMES[place] > 1)
        stays = bool((won[place:] if grows else won[: place + 1]).all())
        beside = min(max(place + (-1 if grows else 1), 0), VOLUMES.size - 1)
        low, high = sorted((float(VOLUMES[beside]), float(VOLUMES[place])))
        _, edge = halved(lambda t: wins(t) == grows, low, high)
        volume = float(edge) * rate * units.SECONDS_PER_DAY
    return Change(
        price=second.price,
        unit=second.unit,
        price_now=second.price_now,
        price_even=even * second.price_now,
        requests_per_day=volume,
        grows=grows,
        stays=stays,
    )


def _frontier(scenario: Scenario, options: list[Option]) -> pd.DataFrame:
    """Choices that no other beats; axes that the scenario does not have are absent."""
    fields = [f for f in Choice.__slots__ if f not in {"steps", "sides"}]
    absent = set() if scenario.rated else {"quality"}
    absent |= {"carbon_kg", "carbon_usd"} if scenario.carbon is None else set()
    table = pd.DataFrame(
        [{f: getattr(option.choice, f) for f in fields} for option in options], columns=fields
    )
    kept = [f for f in fields if f not in absent]
    axes = [axis for axis in screening.AXES if axis not in absent]
    return table.loc[screening.efficient(table, axes), kept].reset_index(drop=True)


def _kept(scenario: Scenario, chosen: list[Choice]) -> list[str]:
    """Whether what is found again is still there."""
    told = []
    for one in chosen:
        if one.accelerator and one.prefix_reuse:
            steps = {what: value for what, value, _ in one.steps}
            told.append(
                f"{one.way}, {one.name}: a replica of {one.model} keeps {steps[KEPT]:,.0f} "
                "prefixes beside its running requests; in the busiest hour each survives "
                f"{steps[SURVIVES]:,.2g} minutes where every request has its own."
            )
    if within := scenario.workload.reuse_within_s:
        told.append(
            f"A machine that is as full as the promises allow and then keeps a prefix for less "
            f"than {within:g} s is planned without reuse."
        )
    if any(not one.accelerator for one in chosen):
        told.append("An API asks its cached price where the vendor lists one.")
    return told


def _notes(
    scenario: Scenario, asked: Demand, failed: Counter[str], ranked: list[Option]
) -> list[str]:
    """What a reader should know of the numbers."""
    told = []
    if failed:
        reasons = ", ".join(f"{name} {n}" for name, n in failed.items())
        told.append(f"{failed.total()} that passed the closed forms fail the queue: {reasons}.")
    promised = (scenario.promises.ttft_p95_s, scenario.promises.tpot_p95_s)
    chosen = [side for option in ranked for side in option.choice.sides or (option.choice,)]
    for one in {side.name: side for side in chosen if not side.accelerator}.values():
        stated = (one.ttft_p95_s, one.tpot_p95_s)
        if any(p is not None and np.isnan(s) for p, s in zip(promised, stated, strict=True)):
            told.append(
                f"Nobody stated how fast {one.name} is: whether it keeps the promises is not known."
            )
    if scenario.carbon and any(not one.accelerator for one in chosen):
        told.append("Nobody states the carbon of an API: none is counted and none is priced.")
    if scenario.carbon and any(one.accelerator for one in chosen):
        told.append(
            f"Carbon is that of the accelerators at a PUE of {screening.pue(scenario):g}; hosts "
            "are left out."
        )
    if scenario.promises.exact_recall:
        told.append(
            "Exact recall: every layer attends to every token, or you say so; of a closed model "
            "nobody knows."
        )
    if asked.reused_fraction > 0:
        told += _kept(scenario, chosen)
    quotes = {one.accelerator for one in chosen if one.way == "rent"}
    for name in sorted(quotes - set(scenario.prices.rents_usd_per_h)):
        table = ownership.quotes(name)
        row = table[table.kind == scenario.prices.rent_kind].iloc[0]
        told.append(
            f"Rent of {name}: {row.provider}, {row.kind}, {row.usd_per_h:g} USD an hour "
            f"({row.as_of})."
        )
    return told
