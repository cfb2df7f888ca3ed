"""Which way wins if nothing is certain: ranges of a plan's numbers, and every way's bill in them.

`costlib.sensitivity` draws and shares; here stands how far each number may move, and why. Every
range comes from a table of the book where there is one.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from costlib import ownership, pricebook, pricing, sensitivity, serving, sites, study, units
from costlib._checks import count
from costlib.calibration import constants
from costlib.choices import Choice, Plan
from costlib.sensitivity import Formula

__all__ = [
    "cascade",
    "contest",
    "money",
    "one_by_one",
    "ranges",
    "regimes",
    "shares",
    "token_costs",
    "turns",
    "wins",
]

VOLUME_TIMES: Final = 10.0  # a forecast of demand, either way
PEAK_TIMES: Final = 1.5
RENT_TIMES: Final = 1.3  # of a rent or a machine, either way, where nobody quotes one
API_TIMES: Final = (0.5, 1.5)  # where no other host sells it for less, or for more
RENTED: Final = ("on demand", "spot", "three years", "median")  # the other quotes own, or index
LOG: Final = ("requests_per_day",)
TRIED: Final = 4001  # values of a number between the ends of its range
WORDS: Final[Mapping[str, str]] = {
    "requests_per_day": "Requests a day",
    "price_times": "Price, times today’s",
    "peak_times": "Peak over the mean",
    "speed_times": "Speed over the predicted",
    "electricity_usd_per_kwh": "Electricity, USD per kWh",
    "pue": "PUE",
}


def _quoted(found: Plan, way: str) -> tuple[float, float, str]:
    """Lowest and highest price of what a way chose, over the plan's, and who says so."""
    one = found.cheapest[way].dear_side
    if one.way == "own":
        return 1 / RENT_TIMES, RENT_TIMES, "assumed: nobody lists what a machine is sold for"
    if one.way == "rent":
        prices = found.scenario.prices
        now = prices.rents_usd_per_h.get(one.accelerator)
        try:
            table = ownership.quotes(one.accelerator)
        except LookupError:
            return 1 / RENT_TIMES, RENT_TIMES, f"assumed: nobody quotes {one.accelerator}"
        if now is None:
            now = float(table[table.kind == prices.rent_kind].usd_per_h.min())
        table = table[table.kind.isin(RENTED)]
        kinds = " to ".join(dict.fromkeys([*table.kind.head(1), *table.kind.tail(1)]))
        return _both(
            table.usd_per_h / now,
            f"{len(table)} quotes of {one.accelerator}, {kinds}",
            1 / RENT_TIMES,
            RENT_TIMES,
        )
    model = {row.name: row.model for row in pricebook.book()}.get(one.name, one.name)
    hosts = sorted(
        {
            row.name
            for row in pricebook.book()
            if row.model == model and row.service == pricebook.STANDARD
        }
    )
    if len(hosts) < 2:
        return *API_TIMES, "assumed: half is what a batch costs; nobody else sells it"
    prompt, answer = found.asked.mean_tokens
    asked = {
        host: float(
            pricing.request_usd(
                input_tokens=prompt,
                output_tokens=answer,
                **pricebook.request_prices(host, prompt),
            )
        )
        for host in hosts
    }
    quoted = np.array(list(asked.values())) / asked[one.name]
    return _both(quoted, f"{len(hosts)} hosts of {model}", *API_TIMES)


def _both(quoted: Any, who: str, low: float, high: float) -> tuple[float, float, str]:
    """Ends of what is quoted over the plan's price; on a side with no quote, what is assumed."""
    why = who
    if min(quoted, default=1.0) < 1.0:
        low = float(min(quoted))
    else:
        why += f"; none is cheaper, {low:.2g} assumed"
    if max(quoted, default=1.0) > 1.0:
        high = float(max(quoted))
    else:
        why += f"; none is dearer, {high:.2g} assumed"
    return low, high, why


def ranges(found: Plan) -> pd.DataFrame:
    """How far each number of a plan may move, and why: a row per number, one price per way.

    Parameters
    ----------
    found
        A plan.

    Returns
    -------
        `parameter`, `way` (empty where all ways share it), `now`, `low`, `high`, `why`. What has
        no width is left out, and so is what no way asks for.

    Raises
    ------
    ValueError
        If no candidate keeps the promises: then nothing is left to compare.
    """
    if found.winner is None:
        raise ValueError(f"{found.scenario.name}: no candidate keeps the promises")
    bases: dict[str, float] = {}
    for _, base in sensitivity.bills(found).values():
        bases |= base
    day, peak = bases["requests_per_day"], bases.get("peak_times", 1.0)
    pues, grid = sites.facilities("pue"), sites.grid("usd_per_kwh")
    pues = pues[pues.as_of.str[:4].astype(int) >= 2023]
    slow, fast = constants().interval["tokens_per_s"]
    shared: dict[str, tuple[float, float, str]] = {
        "requests_per_day": (
            day / VOLUME_TIMES,
            day * VOLUME_TIMES,
            "assumed: demand a tenth of the forecast, or ten times; on a log scale",
        ),
        "peak_times": (
            max(1.0, peak / PEAK_TIMES),
            peak * PEAK_TIMES,
            "assumed: a third flatter, or half as steep again",
        ),
        "speed_times": (slow, fast, "four of five published measurements lie between"),
        "electricity_usd_per_kwh": (
            float(grid.value.min()),
            float(grid.value.max()),
            f"industrial customers in {len(grid)} states",
        ),
        "pue": (
            float(pues.value.min()),
            float(pues.value.max()),
            "as operators report it since 2023",
        ),
    }
    rows = [
        {"parameter": name, "way": "", "now": bases[name], "low": low, "high": high, "why": why}
        for name, (low, high, why) in shared.items()
        if name in bases
    ]
    for way in found.cheapest:
        low, high, why = _quoted(found, way)
        rows.append(
            {
                "parameter": "price_times",
                "way": way,
                "now": 1.0,
                "low": low,
                "high": high,
                "why": why,
            }
        )
    table = pd.DataFrame(rows)
    table["low"] = np.minimum(table["low"], table["now"])
    table["high"] = np.maximum(table["high"], table["now"])
    return table[table["high"] > table["low"]].reset_index(drop=True)


def money(table: pd.DataFrame, way: str, base: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Ranges of the parameters that one way's formula has."""
    mine = table[table["parameter"].isin(list(base)) & table["way"].isin(["", way])]
    return {
        str(row["parameter"]): (float(row["low"]), float(row["high"]))
        for row in mine.to_dict("records")
    }


def token_costs(found: Plan) -> dict[str, tuple[Formula, dict[str, float]]]:
    """USD of a million tokens, prompt and answer, of each way: as `sensitivity.bills`."""
    days = units.HOURS_PER_MONTH / units.HOURS_PER_DAY
    mtok = days * sum(found.asked.mean_tokens) / units.TOKENS_PER_MTOK  # a month, by request a day

    def per_mtok(monthly_usd: Formula) -> Formula:
        def usd_per_mtok(**given: Any) -> Any:
            return monthly_usd(**given) / (given["requests_per_day"] * mtok)

        return usd_per_mtok

    return {way: (per_mtok(bill), base) for way, (bill, base) in sensitivity.bills(found).items()}


def contest(
    found: Plan, table: pd.DataFrame, *, n_draws: int = 4096, seed: int = 0
) -> pd.DataFrame:
    """Draw every number of a plan from its range and bill every way by the same draw.

    Parameters
    ----------
    found
        A plan.
    table
        As of `ranges`.
    n_draws, seed
        As of `sensitivity.drawn`.

    Returns
    -------
        A row per draw: the numbers (a price as `price_times API`), USD of a million tokens by
        way, and the cheapest.
    """
    names = [f"{row.parameter} {row.way}".strip() for row in table.itertuples()]
    drawn = sensitivity.drawn(
        lambda **_: 0.0,
        dict(zip(names, table["now"], strict=True)),
        dict(zip(names, zip(table["low"], table["high"], strict=True), strict=True)),
        log=[name for name in LOG if name in names],
        n_draws=n_draws,
        seed=seed,
    ).drop(columns="result")
    bills: dict[str, Any] = {}
    for way, (formula, base) in token_costs(found).items():
        given = {}
        for name, value in base.items():
            column = f"{name} {way}" if name == "price_times" else name
            given[name] = drawn[column].to_numpy() if column in drawn else value
        bills[way] = np.broadcast_to(formula(**given), len(drawn))
    billed = pd.DataFrame(bills)
    return drawn.join(billed).assign(cheapest=billed.idxmin(axis=1))


def wins(drawn: pd.DataFrame, ways: list[str]) -> pd.DataFrame:
    """Share of the draws in which each way is the cheapest, and where its cost lies."""
    rows = []
    for way in ways:
        told = sensitivity.spread(pd.DataFrame({"result": drawn[way]}))
        share = float((drawn["cheapest"] == way).mean())
        rows.append({"way": way, "wins_fraction": share, **told})
    return pd.DataFrame(rows)


def _ranged(found: Plan, table: pd.DataFrame) -> list[tuple[str, Formula, dict[str, Any], Any]]:
    """Every way that has something to move: its formula, base and ranges."""
    made = []
    for way, (formula, base) in token_costs(found).items():
        if moved := money(table, way, base):
            made.append((way, formula, base, moved))
    return made


def one_by_one(found: Plan, table: pd.DataFrame) -> pd.DataFrame:
    """USD of a million tokens of every way, each number moved alone: `study.one_at_a_time`."""
    parts = [
        study.one_at_a_time(formula, base, moved, n_points=257).assign(way=way)
        for way, formula, base, moved in _ranged(found, table)
    ]
    return pd.concat(parts, ignore_index=True)


def shares(found: Plan, table: pd.DataFrame, *, n_draws: int = 2048, seed: int = 0) -> pd.DataFrame:
    """Sobol's indices of the logarithm of a token's cost, by way: `sensitivity.shares`.

    The logarithm counts half and twice alike; of the cost itself the smallest volumes would take
    nearly all.
    """

    def logarithm(formula: Formula) -> Formula:
        return lambda **given: np.log(formula(**given))

    # A number that moves nothing has no interval.
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        parts = [
            sensitivity.shares(
                logarithm(formula),
                base,
                moved,
                log=[name for name in LOG if name in moved],
                n_draws=n_draws,
                seed=seed,
            ).assign(way=way)
            for way, formula, base, moved in _ranged(found, table)
        ]
    return pd.concat(parts, ignore_index=True)


def turns(found: Plan, table: pd.DataFrame) -> pd.DataFrame:
    """Where each number, moved alone over its range, makes another way the cheapest.

    Returns
    -------
        A row per number: `at`, the value nearest to today's at which it is so, and `to`, the way;
        NaN and empty where the winner stays within the whole range.
    """
    costs = token_costs(found)
    rows = []
    for row in table.to_dict("records"):
        name, way, now = str(row["parameter"]), str(row["way"]), float(row["now"])
        space = np.geomspace if name in LOG else np.linspace
        tried = np.unique(np.append(space(row["low"], row["high"], TRIED), now))
        billed = pd.DataFrame(
            {
                each: np.broadcast_to(
                    formula(**{**base, **({name: tried} if way in ("", each) else {})})
                    if name in base
                    else formula(**base),
                    tried.shape,
                )
                for each, (formula, base) in costs.items()
            }
        )
        cheapest = billed.idxmin(axis=1).to_numpy()
        other = np.flatnonzero(cheapest != cheapest[np.searchsorted(tried, now)])
        far = np.abs(np.log(tried[other] / now)) if other.size else np.array([])
        place = other[int(far.argmin())] if other.size else -1
        rows.append(
            {
                **row,
                "at": float(tried[place]) if other.size else np.nan,
                "to": str(cheapest[place]) if other.size else "",
            }
        )
    return pd.DataFrame(rows)


def regimes(
    found: Plan, table: pd.DataFrame, *, n_volumes: int = 41, n_prices: int = 27
) -> pd.DataFrame:
    """Cheapest way over the volume and the price of the winner, all else as planned.

    Returns
    -------
        A row per point of the grid: `requests_per_day`, `price_times` of the winner, USD of a
        million tokens by way, and the `cheapest`.
    """
    first = next(iter(found.cheapest))
    ends = {
        str(row["parameter"]): (float(row["low"]), float(row["high"]))
        for row in table[table["way"].isin(["", first])].to_dict("records")
    }
    volumes = np.geomspace(*ends["requests_per_day"], count("n_volumes", n_volumes))
    n_prices = count("n_prices", n_prices)
    prices = np.linspace(*ends["price_times"], n_prices) if "price_times" in ends else np.ones(1)
    volume, price = (axis.ravel() for axis in np.meshgrid(volumes, prices, indexing="ij"))
    billed = pd.DataFrame(
        {
            way: formula(
                **base
                | {"requests_per_day": volume}
                | {"price_times": price if way == first else np.ones_like(price)}
            )
            for way, (formula, base) in token_costs(found).items()
        }
    )
    grid = pd.DataFrame({"requests_per_day": volume, "price_times": price})
    return grid.join(billed).assign(cheapest=billed.idxmin(axis=1))


def cascade(found: Plan, one: Choice) -> pd.DataFrame:
    """From a machine at full speed to the bill: USD of a million tokens after each step.

    Parameters
    ----------
    found
        A plan.
    one
        A choice of it that holds machines.

    Returns
    -------
        `step` and `usd_per_mtok`: saturated; as full as the promises allow; sized for the busiest
        hour; in whole replicas; with spares; in whole machines. A carbon price is left out.
    """
    asked, spares = found.asked, found.scenario.fleet.n_spares
    peak = asked.rent_peak_times if one.way == "rent" else asked.peak_times
    held = one.n_held / one.n_accelerators
    saturated = asked.requests_per_s / (one.load_fraction * held)
    replica = (one.usd_per_h - one.carbon_usd / units.HOURS_PER_MONTH) / held
    each = asked.requests_per_s
    rates = {
        "at saturation": saturated,
        "under the promises": one.most_requests_per_s,
        "for the busiest hour": one.most_requests_per_s / peak,
        "in whole replicas": each / max(one.n_replicas - spares, 1.0),
        "with spares": each / one.n_replicas,
        "in whole machines": each / held,
    }
    tokens = sum(asked.mean_tokens)
    return pd.DataFrame(
        {
            "step": list(rates),
            "usd_per_mtok": [
                float(serving.usd_per_mtok(rent_usd_per_h=replica, tokens_per_s=rate * tokens))
                for rate in rates.values()
            ],
        }
    )
