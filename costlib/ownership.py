"""Own, rent or call: one workload's bill in three ways, over volume, use and years."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from costlib import (
    catalog,
    deploy,
    facility,
    finance,
    fleet,
    pricebook,
    pricing,
    serve,
    tables,
    tco,
    units,
)
from costlib._checks import fraction, non_negative, positive

__all__ = [
    "PARTS",
    "WAYS",
    "Machine",
    "api_usd_per_mtok",
    "cold_start",
    "crossing",
    "flows",
    "hour",
    "quotes",
    "regimes",
    "returns",
    "speed",
]

PARTS: Final = ("purchase", "upkeep and people", "room", "energy")
WAYS: Final = ("API", "rent", "own")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that one can buy, and what holding it takes."""

    machine_usd: float
    node_accelerators: int
    network_fraction: float
    installation_fraction: float
    spare_fraction: float
    salvage_fraction: float
    interest_fraction: float
    years: float
    insurance_fraction: float
    tax_fraction: float
    repair_fraction: float
    staff_usd_per_h: float
    software_usd_per_h: float
    provisioned_w: float
    power_w: float
    pue: float
    colocation_usd_per_kw_month: float
    electricity_usd_per_kwh: float

    @property
    def cost_usd(self) -> float:
        """Purchase with network, installation and spares."""
        return float(
            tco.purchase_usd(
                machine_usd=self.machine_usd,
                network_fraction=self.network_fraction,
                installation_fraction=self.installation_fraction,
                spare_fraction=self.spare_fraction,
            )
        )


def hour(machine: Machine, **moved: ArrayLike) -> dict[str, Any]:
    """Hour of one accelerator of a machine by part, and `owned`, their sum.

    Parameters
    ----------
    machine
        What is bought and what it takes.
    moved
        `years` or `electricity_usd_per_kwh` in place of the machine's; may be arrays.
    """
    years = moved.get("years", machine.years)
    price = moved.get("electricity_usd_per_kwh", machine.electricity_usd_per_kwh)
    capital = tco.capital_usd_per_h(
        cost_usd=machine.cost_usd,
        salvage_fraction=machine.salvage_fraction,
        interest_fraction=machine.interest_fraction,
        years=years,
    )
    upkeep = tco.upkeep_usd_per_h(
        cost_usd=machine.cost_usd,
        insurance_fraction=machine.insurance_fraction,
        tax_fraction=machine.tax_fraction,
        repair_fraction=machine.repair_fraction,
        staff_usd_per_h=machine.staff_usd_per_h,
        software_usd_per_h=machine.software_usd_per_h,
    )
    room = tco.room_usd_per_h(
        provisioned_w=machine.provisioned_w,
        colocation_usd_per_kw_month=machine.colocation_usd_per_kw_month,
    )
    owned = tco.owned_usd_per_h(
        capital_usd_per_h=capital,
        upkeep_usd_per_h=upkeep,
        room_usd_per_h=room,
        power_w=machine.power_w,
        pue=machine.pue,
        electricity_usd_per_kwh=price,
    )
    energy = facility.energy_usd(
        power_w=machine.power_w, period_h=1, electricity_usd_per_kwh=price, pue=machine.pue
    )
    n = machine.node_accelerators
    parts = dict(zip(PARTS, (capital, upkeep, room, energy), strict=True))
    return {name: value / n for name, value in parts.items()} | {"owned": owned / n}


def speed(
    model: str,
    accelerator: str,
    *,
    weight_format: str,
    n_accelerators: int,
    n_clients: float,
    input_tokens: float,
    output_tokens: float,
) -> tuple[float, float, float]:
    """Tokens per second of a replica, prompt and answer together: expected, and 80 % interval.

    Raises
    ------
    ValueError
        If the model does not fit on so many accelerators.
    """
    done = serve.prediction(
        deploy.scenarios(
            model,
            accelerator,
            weight_format=weight_format,
            n_accelerators=n_accelerators,
            n_clients=n_clients,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )
    )
    if not done.fits:
        raise ValueError(f"n_accelerators: {model} does not fit on {n_accelerators} {accelerator}")
    whole = (input_tokens + output_tokens) / output_tokens
    low, high = done.interval["tokens_per_s"]
    return float(done.tokens_per_s) * whole, float(low) * whole, float(high) * whole


def api_usd_per_mtok(
    model: str, *, input_tokens: float, output_tokens: float, at: str | None = None
) -> float:
    """What an API asks for a million tokens of a request, prompt and answer together.

    >>> round(api_usd_per_mtok("gpt-4o", input_tokens=1000, output_tokens=1000), 2)
    6.25
    """
    non_negative("input_tokens", input_tokens, finite=True)
    bill = pricing.request_usd(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        **pricebook.request_prices(model, input_tokens, at=at),
    )
    return float(bill) * units.TOKENS_PER_MTOK / (input_tokens + output_tokens)


def regimes(
    mtok_per_month: Sequence[float] | NDArray[np.float64],
    *,
    owned_usd_per_h: float,
    rent_usd_per_h: float,
    api_usd_per_mtok: float,
    tokens_per_s: float,
    n_accelerators: int,
    node_accelerators: int,
    peak_times: float,
    load_fraction: float,
    n_spares: float = 0,
    rent_peak_times: float | None = None,
) -> pd.DataFrame:
    """USD per million tokens of each way over the volume of a month.

    Rented replicas come one by one and go with the demand (`rent_peak_times` of it, `peak_times`
    by default); owned ones come in whole machines and carry the peak.

    Returns
    -------
        A row per volume: `mtok`, `API`, `rent`, `own`, accelerators rented and owned, and the
        cheapest.
    """
    positive("mtok_per_month", mtok_per_month, finite=True)
    non_negative("owned_usd_per_h", owned_usd_per_h)  # infinite: not on offer
    non_negative("rent_usd_per_h", rent_usd_per_h)
    non_negative("api_usd_per_mtok", api_usd_per_mtok)
    volume = np.asarray(mtok_per_month, dtype=float)
    demand = volume * units.TOKENS_PER_MTOK / (units.HOURS_PER_MONTH * units.SECONDS_PER_HOUR)
    follows = peak_times
    if rent_peak_times is not None:
        follows = float(positive("rent_peak_times", rent_peak_times))
    held = {
        "rent": (rent_usd_per_h, n_accelerators, follows),
        "own": (owned_usd_per_h, node_accelerators, peak_times),
    }
    found: dict[str, Any] = {"mtok": volume, "API": np.full(len(volume), api_usd_per_mtok)}
    for way, (price, whole, times) in held.items():
        replicas = fleet.n_replicas(
            demand_tokens_per_s=demand,
            tokens_per_s=tokens_per_s,
            peak_times=times,
            load_fraction=load_fraction,
            n_least=1,
            n_spares=n_spares,
        )
        n = fleet.n_held_accelerators(
            n_replicas=replicas, n_accelerators=n_accelerators, node_accelerators=whole
        )
        found[f"n_{way}"] = n
        found[way] = fleet.even_usd_per_mtok(
            held_usd_per_h=price, n_accelerators=n, demand_tokens_per_s=demand
        )
    table = pd.DataFrame(found)
    return table.assign(cheapest=table[list(WAYS)].idxmin(axis=1))


def crossing(table: pd.DataFrame, cheaper: str, dearer: str) -> float:
    """First volume of `regimes` from which one way stays at or below another; infinite: never."""
    below = (table[cheaper] <= table[dearer]).to_numpy()
    if not below[-1]:
        return float("inf")
    last = np.flatnonzero(~below)
    return float(table["mtok"].iloc[last[-1] + 1 if len(last) else 0])


def flows(
    machine: Machine, *, busy_fraction: float, rent_usd_per_h: float, yearly_times: float = 1
) -> NDArray[np.float64]:
    """Yearly flows of buying one machine instead of renting the hours that it works.

    The purchase first, then rents saved less what holding it costs, the resale in the last year.
    """
    fraction("busy_fraction", busy_fraction)
    non_negative("rent_usd_per_h", rent_usd_per_h, finite=True)
    positive("yearly_times", yearly_times, finite=True)
    spent = hour(machine)
    opex = (spent["owned"] - spent["purchase"]) * machine.node_accelerators * units.HOURS_PER_YEAR
    n_years = int(machine.years)
    each = [
        fleet.mean_rent_usd_per_h(
            rent_usd_per_h=rent_usd_per_h * yearly_times**year, yearly_times=yearly_times, years=1
        )
        for year in range(n_years)
    ]
    hours = machine.node_accelerators * units.HOURS_PER_YEAR * busy_fraction
    found = np.r_[-machine.cost_usd, np.array(each) * hours - opex]
    found[-1] += machine.salvage_fraction * machine.cost_usd
    return np.asarray(found, dtype=float)


def returns(
    machine: Machine,
    busy: Sequence[float],
    *,
    rent_usd_per_h: float,
    yearly_times: float = 1,
) -> pd.DataFrame:
    """Present value, internal rate and payback of buying, by use: NaN and infinite are never."""
    rows = []
    for one in np.atleast_1d(fraction("busy", busy)):
        year = flows(
            machine, busy_fraction=one, rent_usd_per_h=rent_usd_per_h, yearly_times=yearly_times
        )
        rows.append(
            {
                "busy_fraction": one,
                "npv_usd": float(
                    finance.npv_usd(year, interest_fraction=machine.interest_fraction)
                ),
                "irr_fraction": float(finance.irr_fraction(year)),
                "payback_months": units.MONTHS_PER_YEAR * float(finance.payback(year)),
            }
        )
    return pd.DataFrame(rows)


def quotes(accelerator: str) -> pd.DataFrame:
    """Every quoted hour of an accelerator, rented, owned or an index, cheapest first.

    Raises
    ------
    UnknownNameError
        If there is no such accelerator, or nobody quotes it.
    """
    catalog.accelerator(accelerator)
    quoted = _quotes()
    found = quoted[quoted.accelerator == accelerator]
    if found.empty:
        raise catalog.UnknownNameError(f"nobody quotes an hour of {accelerator!r}")
    return found.sort_values("usd_per_h", ignore_index=True)


@functools.cache
def _quotes() -> pd.DataFrame:
    return pd.DataFrame(tables.rows("gpu_prices.csv"))


def cold_start(
    model: str, accelerator: str, *, weight_format: str, n_accelerators: int, fixed_s: float
) -> Mapping[str, float]:
    """Seconds to start a replica, by where its weights come from."""
    load = deploy.scenarios(
        model, accelerator, weight_format=weight_format, n_accelerators=n_accelerators
    )
    weights = float(serve.prediction(load).weight_bytes)
    tiers = catalog.tiers()
    return {
        name: float(
            fleet.start_s(
                weight_bytes=weights,
                bytes_per_s=tiers[name].bytes_per_s
                * (n_accelerators if tiers[name].per_accelerator else 1),
                fixed_s=fixed_s,
            )
        )
        for name in ("Host memory", "Local NVMe", "Shared storage")
    }
