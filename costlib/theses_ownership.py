"""Theses on owning: use, power, rents, books, carbon (12 to 16, 26 to 28, 38, 39, 56 to 58)."""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from costlib import (
    facility,
    fleet,
    impairment,
    lives,
    margins,
    ownership,
    shrinking,
    sites,
    tables,
    tco,
    units,
    utilisation,
)
from costlib._thesis import Thesis, cases, flip, printed, verdict
from costlib._words import usd as money

__all__ = [
    "book_life",
    "break_even_volume",
    "busy_site",
    "carbon_site",
    "cascade_life",
    "compounding",
    "evicted_work",
    "falling_rents",
    "hidden_impairment",
    "power_above_hardware",
    "prices_below_cost",
    "use_over_pue",
    "use_to_own",
]

ELECTRICITY: Final = 0.1  # USD per kWh
IDLE: Final = 0.15  # of full power, as the chapter assumes
SITE: Final[dict[str, Any]] = {  # one GPU of $30,000 written off over five years
    "capital_usd_per_h": float(
        tco.capital_usd_per_h(cost_usd=30_000, salvage_fraction=0, interest_fraction=0, years=5)
    ),
    "power_w": 1_275.0,
}
MONTHS: Final = 36.0
NODE_USD: Final = 675_000.0  # of eight GPUs over three years, by the source
GPU: Final = lives.Asset(
    cost_usd=30_000.0,
    salvage_fraction=0.0,
    life_years=6.0,
    rent_usd_per_h=3.0,
    yearly_times=0.8,
    busy_fraction=0.8,
    opex_usd_per_h=0.6,
    interest_fraction=0.1,
    service_years=8.0,
)
FALLS: Final = (0.1, 0.2, 0.3)  # of rents in a year
RENT: Final = 2.95  # USD an hour of one H100 on demand, as the chapters on owning have it
OWN: Final = ownership.Machine(
    machine_usd=300_000.0,
    node_accelerators=8,
    network_fraction=0.1,
    installation_fraction=0.02,
    spare_fraction=0.03,
    salvage_fraction=0.1,
    interest_fraction=0.08,
    years=4.0,
    insurance_fraction=0.01,
    tax_fraction=0.01,
    repair_fraction=0.02,
    staff_usd_per_h=2.0,
    software_usd_per_h=0.5,
    provisioned_w=10_200.0,
    power_w=7_752.0,
    pue=1.3,
    colocation_usd_per_kw_month=120.0,
    electricity_usd_per_kwh=ELECTRICITY,
)


@functools.cache
def _speed() -> float:
    """Tokens per second of Llama-3.1-70B on two H100, as the chapters on owning assume it."""
    return ownership.speed(
        "Llama-3.1-70B",
        "H100",
        weight_format="fp8",
        n_accelerators=2,
        n_clients=64,
        input_tokens=1_000,
        output_tokens=300,
    )[0]


def use_over_pue(electricity_usd_per_kwh: ArrayLike | None = None) -> Thesis:
    """Thesis 12: tried over the price of power, by default the industrial prices of the table."""
    listed = sites.grid("usd_per_kwh").value
    here = SITE | {"pue": 1.3, "busy_fraction": 0.6, "idle_fraction": IDLE}

    def effects(power_usd: float) -> tuple[float, float]:
        """What a percent more use, and a percent less PUE, take off a token, in percent."""
        site = here | {"electricity_usd_per_kwh": power_usd}
        return (
            -float(utilisation.busy_elasticity(**site)),
            float(utilisation.pue_elasticity(**site)),
        )

    def margin(power_usd: float) -> float:
        busy, lean = effects(power_usd)
        return busy - lean

    at = float(utilisation.even_usd_per_kwh(**here))
    busy, lean = effects(ELECTRICITY)
    return Thesis(
        number=12,
        words="Utilisation moves the cost of a token more than PUE does.",
        verdict=verdict(margin, cases("electricity_usd_per_kwh", electricity_usd_per_kwh, listed)),
        because=f"A percent more use takes {busy:.2f} % off a token, a percent less PUE "
        f"{lean:.2f} %, at 60 % busy, PUE 1.3 and ${ELECTRICITY:.2f} per kWh. PUE moves a cost "
        "only by its share of energy.",
        value=busy / lean,
        unit="times",
        flip=f"electricity below ${at:.2f} a kWh; the dearest industrial price in our table of "
        f"grids is ${listed.max():.2f}",
        anchor="notebooks/pue#what-would-change-the-answer",
        turns=at,
    )


def busy_site(idle_fraction: ArrayLike | None = None) -> Thesis:
    """Thesis 13: in energy and in dollars, tried over what an idle machine draws of full power."""
    full, idle = (sites.facility(f"gb200-tray-{state}").value for state in ("full", "idle"))
    node = idle / full
    tried = cases("idle_fraction", idle_fraction, node)
    busy, lean = {"pue": 1.67, "busy_fraction": 0.9}, {"pue": 1.09, "busy_fraction": 0.4}

    def energy(draw: float) -> float:
        return float(
            utilisation.work_energy_times(**lean, idle_fraction=draw)
            - utilisation.work_energy_times(**busy, idle_fraction=draw)
        )

    pair = {"pue": np.array([1.67, 1.09]), "busy_fraction": np.array([0.85, 0.5])}

    def hours(draw: float, power_usd: float = ELECTRICITY) -> Any:
        return utilisation.useful_usd_per_h(
            **SITE, **pair, idle_fraction=draw, electricity_usd_per_kwh=power_usd
        )

    def dollars(draw: float, power_usd: float = ELECTRICITY) -> float:
        first, second = hours(draw, power_usd)
        return float(second - first)

    at = flip(energy, 0, 1)
    tie = flip(lambda power_usd: dollars(IDLE, power_usd), 0, 100)
    spent, lasting = hours(IDLE)
    margins = [margin for draw in tried for margin in (energy(draw), dollars(draw))]
    times = utilisation.work_energy_times(
        **busy, idle_fraction=node
    ) / utilisation.work_energy_times(**lean, idle_fraction=node)
    return Thesis(
        number=13,
        words="A busy site with a high PUE beats an idle one with a low PUE.",
        verdict=verdict(lambda margin: margin, margins),
        because=f"In dollars it does: an hour of work costs ${spent:.2f} at PUE 1.67 and 85 % "
        f"busy, ${lasting:.2f} at PUE 1.09 and 50 %. In energy it does not: a maker's node idles "
        f"at {node:.0%} of full power, and PUE 1.67 at 90 % takes {times:.2f} times the energy of "
        "PUE 1.09 at 40 %.",
        value=float(times),
        unit="times the energy",
        flip=f"an idle draw above {at:.0%} of full power, in energy; in dollars electricity below "
        f"${tie:.2f} a kWh",
        anchor="notebooks/pue#busy-against-lean",
        turns=at,
    )


def power_above_hardware(electricity_usd_per_kwh: ArrayLike = ELECTRICITY) -> Thesis:
    """Thesis 14: tried over the price of power, for a node of eight H100 and for a chip alone."""
    tried = cases("electricity_usd_per_kwh", electricity_usd_per_kwh)
    machines = {
        "node": (300_000.0, sites.facility("h100-node-rated").value),
        "chip": (30_000.0, 700.0),
    }
    period = MONTHS / units.MONTHS_PER_YEAR * units.HOURS_PER_YEAR
    parity, share = {}, {}
    for name, (usd, watts) in machines.items():
        energy = facility.energy_kwh(power_w=watts, period_h=period, pue=1.5)
        parity[name] = float(facility.parity_usd_per_kwh(cost_usd=usd, energy_kwh=energy))
        share[name] = ELECTRICITY / parity[name]
    at = min(parity.values())
    return Thesis(
        number=14,
        words="Power and cooling cost more than the hardware over 36 months.",
        verdict=verdict(lambda price: price - at, tried),
        because=f"At ${ELECTRICITY:.2f} a kWh and PUE 1.5 they come to {share['node']:.0%} of a "
        f"node of eight H100 for $300,000 and {share['chip']:.0%} of a chip for $30,000: too "
        f"little by {1 / share['node']:.0f} to {1 / share['chip']:.0f} times.",
        value=share["node"],
        unit="share of the hardware",
        flip=f"electricity above ${parity['node']:.2f} a kWh for the node, "
        f"${parity['chip']:.2f} for the chip",
        anchor="notebooks/pue#what-is-drawn",
        turns=at,
    )


def use_to_own(rent_usd_per_h: ArrayLike | None = None) -> Thesis:
    """Thesis 15: tried over the rents that the node would replace, by default those quoted."""
    quoted = ownership.quotes("H100")
    # rents to pay, not indices and not models of owning
    asked = quoted[quoted.kind.isin(["spot", "three years", "on demand"])].usd_per_h
    said = printed("tco-011") / 100
    held = NODE_USD / (8 * MONTHS / units.MONTHS_PER_YEAR * units.HOURS_PER_YEAR)

    def needed(rent: float) -> float:
        return float(tco.even_busy_share(owned_usd_per_h=held, rent_usd_per_h=rent))

    at = float(tco.worked_usd_per_h(owned_usd_per_h=held, busy_fraction=said))
    high, low = asked.max(), asked[asked < held]
    return Thesis(
        number=15,
        words="A machine of one's own beats the cloud above 60 % use.",
        verdict=verdict(
            lambda rent: rent - at * (1 - 1e-12),
            cases("rent_usd_per_h", rent_usd_per_h, asked),
        ),
        because=f"A node of $675,000 over three years costs {money(held)} a GPU-hour at full use. "
        f"Against {money(high)} it pays above {needed(high):.0%} use; {len(low)} of {len(asked)} "
        "quoted rents are below its cost at full use, and there it never pays.",
        value=at,
        unit="USD/h",
        flip=f"a cloud that asks {money(at)} a GPU-hour or more",
        anchor="notebooks/own_rent_api#from-which-use-owning-beats-renting",
        turns=at,
    )


def break_even_volume(api_usd_per_mtok: ArrayLike | None = None) -> Thesis:
    """Thesis 16: tried over the price of the API that is replaced."""
    chapter = ownership.api_usd_per_mtok(
        "Llama-3.3-70B at Together", input_tokens=1_000, output_tokens=300
    )
    tried = cases("api_usd_per_mtok", api_usd_per_mtok, [0.6, chapter, 15.0])
    rent = 2.0
    said = [printed(name) for name in ("tco-001", "tco-001-most")]

    def even(price: float) -> float:
        """Million tokens a month that pay for one GPU, if it can make any number."""
        month = fleet.month_tokens(
            held_usd_per_h=rent, n_accelerators=1, api_usd_per_mtok=price, tokens_per_s=1e9
        )
        return float(month) / units.TOKENS_PER_MTOK

    def margin(price: float) -> float:
        return said[1] - even(price)

    speed = _speed()
    fleets = ownership.regimes(
        np.logspace(1, 6, 401),
        owned_usd_per_h=np.inf,  # rented replicas only
        rent_usd_per_h=RENT,
        api_usd_per_mtok=chapter,
        tokens_per_s=speed,
        n_accelerators=2,
        node_accelerators=8,
        peak_times=1.23,
        rent_peak_times=1.1,
        load_fraction=0.8,
        n_spares=1,
    )
    fleet_mtok = ownership.crossing(fleets, "rent", "API")
    at = flip(margin, 0.1, 1e3)
    most = flip(lambda price: said[0] - even(price), 0.1, 1e3)
    return Thesis(
        number=16,
        words="Hosting one's own model breaks even at 10 to 50 million tokens a month.",
        verdict=verdict(margin, tried),
        because=f"One GPU at {money(rent)} an hour breaks even with an API at $0.60 a million from "
        f"{even(0.6):,.0f} million tokens a month on, with Llama-3.3-70B at {money(chapter)} from "
        f"{even(chapter):,.0f} million, and with one at $15 from {even(15):.0f} million. Rented "
        f"replicas at $2.95 that carry a peak and one failure undercut {money(chapter)} from "
        f"{fleet_mtok / 1e3:,.0f} billion on.",
        value=even(0.6),
        unit="million tokens a month",
        flip=f"an API at {money(at)} to {money(most)} a million",
        anchor="notebooks/own_rent_api#three-regimes-of-volume",
        turns=at,
    )


def cascade_life(decline_fraction: ArrayLike = FALLS) -> Thesis:
    """Thesis 26: tried over the yearly fall of rents."""
    tried = cases("decline_fraction", decline_fraction)

    def years(fall: float) -> float:
        return float(lives.earning_years(GPU, fall))

    def margin(fall: float) -> float:
        return min(years(fall) - 5, 7 - years(fall))

    low, high = flip(margin, 0.1, 0.2), flip(margin, 0.2, 0.3)
    return Thesis(
        number=26,
        words="A cascade from training to serving to batches carries a GPU to five or seven years.",
        verdict=verdict(margin, tried),
        because=f"A GPU that rents at $3.00 and takes $0.60 an hour to run, 80 % busy, earns its "
        f"keep for {years(0.1):.1f}, {years(0.2):.1f} or {years(0.3):.1f} years if rents fall by "
        f"10, 20 or 30 % a year; it serves {GPU.service_years:.0f} at most.",
        value=years(0.2),
        unit="years",
        flip=f"rents that fall {low:.0%} to {high:.0%} a year; slower they make it more, faster "
        "less",
        anchor="notebooks/depreciation#what-would-change-the-answer",
        turns=high,
    )


@functools.cache
def _under_water(fall: float) -> tuple[float, float]:
    """Months under water of six years in the books, and the first of them."""
    terms: dict[str, Any] = {
        "cost_usd": GPU.cost_usd,
        "salvage_fraction": GPU.salvage_fraction,
        **GPU.earning | {"yearly_times": 1 - fall},
        "interest_fraction": GPU.interest_fraction,
        "service_years": GPU.service_years,
    }
    return (
        float(impairment.n_months_under_water(GPU.life_years, **terms)),
        float(impairment.under_water_month(GPU.life_years, **terms)),
    )


def hidden_impairment(decline_fraction: ArrayLike = FALLS) -> Thesis:
    """Thesis 27: tried over the yearly fall of rents."""
    tried = cases("decline_fraction", decline_fraction)

    def margin(fall: float) -> float:
        return _under_water(fall)[0] - 0.5  # at least one month

    at = flip(margin, 0, 0.5)
    at_once = flip(lambda fall: 0.5 - _under_water(fall)[1], at + 0.001, 0.6)
    return Thesis(
        number=27,
        words="Six years in the books hide an impairment.",
        verdict=verdict(margin, tried),
        because=f"A GPU of $30,000 whose rent of $3.00 falls 20 % a year stands in the books for "
        f"more than it will still earn from month {_under_water(0.2)[1]:.0f} on, for "
        f"{_under_water(0.2)[0]:.0f} months. At 10 % a year it never does.",
        value=_under_water(0.2)[1],
        unit="month",
        flip=f"rents that fall more than {at:.0%} a year; above {at_once:.1%} it is there from "
        "the first day",
        anchor="notebooks/depreciation#when-the-books-must-give-way",
        turns=at,
    )


def book_life(life_years: ArrayLike = (3, 4, 5, 6)) -> Thesis:
    """Thesis 28: tried over lives in the books; the charge dominates above half of a token."""
    tried = cases("life_years", life_years)

    @functools.cache
    def token(life: float) -> Any:
        return lives.token_costs(
            GPU,
            [life],
            tokens_per_s=_speed() / 2,
            gpu_fraction=0.6,
            gpu_salvage_fraction=0.325,
            gpu_years=4.0,
            rest_years=7.0,
        ).iloc[0]

    def margin(life: float) -> float:
        return float(token(life).share_fraction) - 0.5

    at = flip(margin, 1, 20)
    short, long = token(3.0), token(6.0)
    return Thesis(
        number=28,
        words="The life in the books dominates the cost of a token that is reported.",
        verdict=verdict(margin, tried),
        because=f"The charge is {short.share_fraction:.0%} of a token over three years and "
        f"{long.share_fraction:.0%} over six: {money(short.usd_per_mtok)} against "
        f"{money(long.usd_per_mtok)} a million. The charge doubles, the token moves by "
        f"{short.usd_per_mtok / long.usd_per_mtok - 1:.0%}, and no cash moves.",
        value=float(short.usd_per_mtok / long.usd_per_mtok),
        unit="times",
        flip=f"a life below {at:.1f} years, at $0.60 an hour to run; beyond, operation is the "
        "larger part",
        anchor="notebooks/depreciation#what-a-life-does-to-a-token",
        turns=at,
    )


def carbon_site(grid_times: ArrayLike | None = None) -> Thesis:
    """Thesis 38: tried over how far the grids are apart, by default the countries of the table."""
    grams = sites.grid("g_per_kwh").query("~name.str.startswith('gcp')").value
    apart = float(grams.max() / grams.min())
    tried = cases("grid_times", grid_times, apart)
    rows = tables.frame("measured.csv").query("metric == 'energy_per_output_token_j'")
    joules = rows["value"].astype(float).groupby([rows["model"], rows["gpu"]])
    model = "Llama-3.1-70B"
    most, least = (
        {gpu: float(side[model, gpu]) for gpu in ("H100", "B200")}
        for side in (joules.max(), joules.min())
    )
    chips = sorted(side["H100"] / side["B200"] for side in (most, least))
    batch = most["H100"] / least["H100"]
    at = chips[-1]
    moves = np.divide.outer(grams.to_numpy(), grams.to_numpy())
    small = float((moves[moves > 1] < batch).mean())
    return Thesis(
        number=38,
        words="Where a site lies matters more for carbon than which hardware it runs.",
        verdict=verdict(lambda times: times - at, tried),
        because=f"The grids of our table differ {apart:.0f} times in grams per kWh. From H100 to "
        f"B200 the measured energy of a token differs {chips[0]:.2f} to {chips[1]:.2f} times, by "
        f"the batch. A full batch takes {batch:.0f} times less than a small one, which is more "
        f"than {small:.0%} of the moves between two of these grids save.",
        value=apart,
        unit="times",
        flip=f"grids more than {at:.2f} times apart; within {batch:.0f} times the batch matters "
        "more",
        anchor="notebooks/pue#carbon-and-water",
        turns=at,
    )


def compounding(baseline_bits: ArrayLike | None = None) -> Thesis:
    """Thesis 39: tried over the bits of the weights before, by default what models come in."""
    said = 32.0  # times, by the source
    ladder = {"size_times": 4.0, "weight_bits": 8.0, "kernel_times": 2.0}

    def times(bits: float, kernel_fraction: float = 1.0) -> float:
        return float(
            shrinking.compounded_times(
                **ladder, baseline_bits=bits, kernel_fraction=kernel_fraction
            )
        )

    at = flip(lambda bits: times(bits) - said * (1 - 1e-9), 1, 64)
    return Thesis(
        number=39,
        words="Layers of compression multiply: 32 times from a smaller model, INT8 and a kernel.",
        verdict=verdict(
            lambda bits: times(bits) - said * (1 - 1e-9),
            cases("baseline_bits", baseline_bits, (16, 32)),
        ),
        because=f"From 280B to 70B, to 8 bits and to a kernel twice as fast it is {times(32):.0f} "
        f"times from FP32, in which nobody serves, and {times(16):.0f} from FP16. In decode an "
        f"attention kernel saves no bytes, and {times(16, 0):.0f} are left.",
        value=times(16),
        unit="times",
        flip=f"weights of {at:.0f} bits before, and attention that takes all the time",
        anchor="notebooks/shrinking_the_cache#fewer-bits",
        turns=at,
    )


def falling_rents(yearly_times: ArrayLike = (0.7, 1.1)) -> Thesis:
    """Thesis 56: tried over what a year makes of a rent: a fall of 30 %, and a rise of 10 %."""
    tried = cases("yearly_times", yearly_times)
    owned = float(ownership.hour(OWN)["owned"])

    def mean(times: float) -> float:
        """Rent in the mean of the years that the machine is held."""
        return float(
            fleet.mean_rent_usd_per_h(rent_usd_per_h=RENT, yearly_times=times, years=OWN.years)
        )

    at = flip(lambda times: owned - mean(times), 0.5, 1)
    needed = float(tco.even_busy_share(owned_usd_per_h=owned, rent_usd_per_h=mean(1.1)))
    return Thesis(
        number=56,
        words="Rents will fall, so it cannot pay to buy.",
        verdict=verdict(lambda times: owned - mean(times), tried),
        because=f"An owned H100 costs {money(owned)} an hour over {OWN.years:.0f} years. A rent of "
        f"{money(RENT)} that falls by 30 % a year is {money(mean(0.7))} in the mean, and owning "
        f"never pays; one that rises by 10 % is {money(mean(1.1))}, and it pays above "
        f"{needed:.0%} use.",
        value=mean(0.7),
        unit="USD/h",
        flip=f"rents that fall by more than {1 - at:.0%} a year; if they fall more slowly, a "
        "machine that is always busy pays",
        anchor="notebooks/own_rent_api#what-rents-do",
        turns=at,
    )


def evicted_work(lost_fraction: ArrayLike = 0.1) -> Thesis:
    """Thesis 57: tried over the work that is lost to evictions: an hour in ten."""
    tried = cases("lost_fraction", lost_fraction)
    quoted = ownership.quotes("H100")
    spot = float(quoted.usd_per_h[quoted.kind == "spot"].min())

    def paid(lost: float) -> float:
        """Rent of an hour of work that is not lost."""
        return float(fleet.spot_usd_per_h(rent_usd_per_h=spot, eviction_h=1, lost_h=lost))

    at = flip(lambda lost: paid(lost) - RENT, 0, 0.99)
    return Thesis(
        number=57,
        words="Evictions eat up what spot machines save.",
        verdict=verdict(lambda lost: paid(lost) - RENT, tried),
        because=f"An H100 at {money(spot)} that is taken back every ten hours, with an hour lost, "
        f"costs {money(paid(0.1))} an hour of work. On demand it is {money(RENT)}.",
        value=paid(0.1),
        unit="USD/h",
        flip=f"evictions that lose {at:.0%} of the work or more",
        anchor="notebooks/own_rent_api#what-rents-do",
        turns=at,
    )


@functools.cache
def _list_prices() -> Any:
    """List prices of open models, each with the load from which its host earns."""
    shape = {"input_tokens": 2_000, "output_tokens": 500}
    machines = margins.machines(
        margins.hosted(), rent_kind="on demand", user_tokens_per_s=25, **shape
    )
    return margins.margins(machines, load=0.5, **shape)


def prices_below_cost(load_fraction: ArrayLike = (0.25, 0.4, 0.5)) -> Thesis:
    """Thesis 58: tried over how full the machine is, for the list price in the middle."""
    tried = cases("load_fraction", load_fraction)
    found = _list_prices()
    at = float(found.zero_load.median())
    covered = int((found.margin >= 0).sum())
    return Thesis(
        number=58,
        words="Tokens are sold below what they cost to make: investors pay the rest.",
        verdict=verdict(lambda load: at - load, tried),
        because=f"Of {len(found)} list prices of open models {covered} cover a rented machine that "
        f"is half full; the margin over it is {found.margin.median():.0%} in the median. Of closed "
        "models nobody outside can tell, and training is not in it.",
        value=float(found.margin.median()),
        unit="margin",
        flip=f"machines less than {at:.0%} full, in the median of these prices",
        anchor="notebooks/margins#what-a-list-price-implies",
        turns=at,
    )
