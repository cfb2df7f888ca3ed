"""Theses on nines, promises and egress (35 to 37, 52)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from costlib import availability, egress, outages, pricebook, terms, units
from costlib._thesis import Thesis, cases, verdict
from costlib._words import usd as money

__all__ = ["another_replica", "egress_share", "nines_cost", "promised_uptime"]

REPLICA_USD: Final = 2 * 2.95 * units.HOURS_PER_YEAR  # two H100 on demand, a year
PEOPLE_USD: Final = 1e6  # a year, who watch a second region
STREAM_BYTES: Final = 300.0  # an event for each token


def _up() -> float:
    """What one replica is up, as the chapter has it."""
    return float(availability.up_fraction(396.0, repair_h=4.0))


def _fleet(n_needed: float) -> tuple[float, float, float]:
    """Replicas of three nines, of four on their own, and of four in two regions."""
    up = _up()
    pool: dict[str, Any] = {"availability_fraction": up, "n_needed": n_needed}
    three, four = np.asarray(availability.n_replicas([0.999, 0.9999], **pool))
    tried = n_needed + np.arange(41)
    regions = availability.regions_fraction(
        up,
        n_replicas=tried,
        n_needed=n_needed,
        common_fraction=0.02,
        region_common_fraction=0.05,
    )
    return float(three), float(four), 2 * float(tried[np.argmax(regions >= 0.9999)])


def nines_cost(fleet_usd: ArrayLike | None = None) -> Thesis:
    """Thesis 35: tried over the yearly cost of a fleet, by default for loads of 10 and of 100."""
    three, four, doubled = _fleet(10)
    regions = doubled / three
    tried = [_fleet(load)[0] * REPLICA_USD for load in (10, 100)]
    low, high = 3.0, 5.0

    def times(fleet: float) -> float:
        """Cost of a second region and the people for it, over that of three nines."""
        return regions + PEOPLE_USD / fleet

    def margin(fleet: float) -> float:
        return min(times(fleet) - low, high - times(fleet))

    most, least = (
        float(outages.even_fleet_usd(end, replica_times=regions, watching_usd=PEOPLE_USD))
        for end in (low, high)
    )
    return Thesis(
        number=35,
        words="Four nines cost three to five times what three nines do.",
        verdict=verdict(margin, cases("fleet_usd", fleet_usd, tried)),
        because=f"Replicas that fail on their own make it {four / three:.2f} times, {four:.0f} in "
        f"place of {three:.0f} for a load of ten. If they share 2 % of their time down, no number "
        f"of them reaches four nines: a second region makes it {regions:.2f} times, and people at "
        f"{money(PEOPLE_USD)} a year {times(tried[0]):.2f}.",
        value=times(tried[0]),
        unit="times",
        flip=f"fleets of {money(least)} to {money(most)} a year, with people at "
        f"{money(PEOPLE_USD)}; a larger one "
        f"comes near {regions:.0f} times",
        anchor="notebooks/availability#what-the-next-nine-costs-and-what-it-is-worth",
        turns=most,
    )


def promised_uptime(fallback_fraction: ArrayLike = 0.05) -> Thesis:
    """Thesis 36: tried over the answers that fall back to a model worth four fifths."""
    tried = cases("fallback_fraction", fallback_fraction)
    promised, usable, worth, late = 0.9999, 0.999, 0.8, 0.002

    def kept(share: float, late_fraction: float = 0.0) -> float:
        return float(
            outages.usable_fraction(
                promised,
                late_fraction=late_fraction,
                fallback_fraction=share,
                worth_fraction=worth,
            )
        )

    at = float(
        outages.affordable_fallback_fraction(
            usable, availability_fraction=promised, worth_fraction=worth
        )
    )
    left = float(availability.nines(kept(0.05, late)))
    return Thesis(
        number=36,
        words="A promise of uptime overstates what of it can be used.",
        verdict=verdict(lambda share: usable - kept(share), tried),
        because=f"{availability.nines(promised):.0f} nines become {left:.2f} when "
        f"{100 * late:.1f} % of the answers come late and 5 % fall back to a model worth "
        f"{worth:.0%}. The promise counts an answer in time as an answer.",
        value=left,
        unit="nines",
        flip=f"more than {at:.2%} of answers that fall back; with fewer, and none late, three "
        "nines are left",
        anchor="notebooks/availability#an-answer-in-time-is-not-yet-the-answer",
        turns=at,
    )


def egress_share(output_usd_per_mtok: ArrayLike | None = None) -> Thesis:
    """Thesis 37: tried over the price of output, by default of a dear and of a cheap model."""
    dear, cheap = (
        pricebook.price(name).output_usd_per_mtok
        for name in ("claude-sonnet-4-6", "Llama-3.3-70B at DeepInfra")
    )
    sent: dict[str, Any] = {"usd_per_gb": float(terms.bands("AWS")["band_usd_per_gb"].max())}
    low, high = 0.1, 0.25

    def share(price: float) -> float:
        return float(egress.wire_fraction(STREAM_BYTES, output_usd_per_mtok=price, **sent))

    def margin(price: float) -> float:
        return min(share(price) - low, high - share(price))

    most, least = (
        float(egress.material_output_usd_per_mtok(end, bytes_per_token=STREAM_BYTES, **sent))
        for end in (low, high)
    )
    return Thesis(
        number=37,
        words="Egress is 10 to 25 % of what inference costs.",
        verdict=verdict(margin, cases("output_usd_per_mtok", output_usd_per_mtok, [dear, cheap])),
        because=f"Text that is streamed takes {STREAM_BYTES:.0f} bytes a token. At "
        f"${sent['usd_per_gb']:.2f} a GB that is {100 * share(dear):.2g} % of the spend at "
        f"{money(dear)} a million and {100 * share(cheap):.2g} % at {money(cheap)}.",
        value=share(dear),
        unit="share of the spend",
        flip=f"output at {money(least)} to {money(most)} a million, with an event for each token; "
        "or caches that cross zones",
        anchor="notebooks/availability#what-leaves-the-building",
        turns=most,
    )


def another_replica(common_fraction: ArrayLike = (0, 0.005, 0.02, 0.1)) -> Thesis:
    """Thesis 52: tried over what replicas share of their time down, as the chapter has it."""
    tried = cases("common_fraction", common_fraction)
    up, four = _up(), 0.9999

    def most(shared: float) -> float:
        """Nines that no number of replicas passes."""
        return float(availability.nines(availability.ceiling_fraction(up, common_fraction=shared)))

    at = float(availability.break_even_common_fraction(four, availability_fraction=up))
    two, three, more = np.asarray(
        availability.n_replicas([0.99, 0.999, four], availability_fraction=up, n_needed=10)
    )
    return Thesis(
        number=52,
        words="Another replica buys another nine.",
        verdict=verdict(lambda shared: most(shared) - availability.nines(four), tried),
        because=f"Where each fails on its own, {two:.0f}, {three:.0f} and {more:.0f} replicas for "
        f"a load of ten have two, three and four nines. If they share "
        f"2 % of their time down, no number of them passes {most(0.02):.2f}: a bad release takes "
        "all at once.",
        value=most(0.02),
        unit="nines",
        flip=f"replicas that share less than {100 * at:.1f} % of their time down, for four nines",
        anchor="notebooks/availability#how-many-replicas-a-nine-takes",
        turns=at,
    )
