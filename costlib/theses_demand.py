"""Theses on demand: elasticities, bills, and users who are not alike (31, 32, 41)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from costlib import demand, readings, tariffs, usage
from costlib._thesis import Thesis, cases, flip, verdict
from costlib._words import usd as money

__all__ = ["flat_plans", "jevons", "rising_bills"]

CUT: Final = 0.1  # of the price is left
FALLEN: Final = 0.2
AGENTS: Final = 50  # for each assistant
SEAT_USD: Final = 20.0
MEAN_USD: Final = 8.0
SIGMA: Final = 1.5


def jevons(elasticity: ArrayLike | None = None) -> Thesis:
    """Thesis 31: tried over elasticities, by default the published one that lies above one."""
    read = readings.elasticities().elasticity.to_numpy()
    above = read[read > 1]

    def bill(answer: float) -> float:
        return float(demand.spend_times(CUT, elasticity=answer))

    def margin(answer: float) -> float:
        return 1 - bill(answer)

    at = flip(margin, 0, 2)
    one = float(above[0])
    return Thesis(
        number=31,
        words="With an elasticity just above one, cheaper tokens do not raise the bill: Jevons is "
        "ruled out in the short run.",
        verdict=verdict(margin, cases("elasticity", elasticity, above)),
        because=f"Above one it is the reverse: at {one:.2f} tokens 90 % cheaper make the bill "
        f"{bill(one):.2f} times as large. At the {read.min():.2f} that is published across models "
        f"it falls to {bill(float(read.min())):.2f}, but that is not just above one. Nobody has "
        "measured the whole market.",
        value=bill(one),
        unit="times the bill",
        flip=f"an elasticity below {at:.0f}",
        anchor="notebooks/demand#a-price-and-its-bill",
        turns=at,
    )


def rising_bills(volume_times: ArrayLike | None = None) -> Thesis:
    """Thesis 32: tried over the growth of tokens: what the price alone does, and fifty agents."""
    read = readings.elasticities().elasticity.to_numpy()
    alone = demand.demand_times(FALLEN, elasticity=read)
    tried = cases("volume_times", volume_times, np.append(alone, AGENTS))

    def margin(tokens: float) -> float:
        return FALLEN * tokens - 1

    at = flip(margin, 0, 1e3)
    one = readings.reading("one-provider")
    doubled = 2.0
    shift = demand.shift_times(price_times=FALLEN, spend_times=doubled, elasticity=one)
    agents = demand.budget_times(inference_fraction=0.85, price_times=FALLEN, volume_times=AGENTS)
    return Thesis(
        number=32,
        words="Prices fall, and bills rise.",
        verdict=verdict(margin, tried),
        because=f"Tokens 80 % cheaper and a doubled bill mean {doubled / FALLEN:.0f} times the "
        f"tokens. At an elasticity of {one:.2f} the price explains "
        f"{demand.spend_times(FALLEN, elasticity=one):.2f} times the bill and new demand "
        f"{float(shift):.2f}; at {read.min():.2f} the bill would fall to "
        f"{demand.spend_times(FALLEN, elasticity=float(read.min())):.2f}. {AGENTS} agents for "
        f"each assistant make a budget {float(agents):.2f} times as large.",
        value=float(shift),
        unit="times",
        flip=f"more than {at:.0f} times the tokens at prices that are 80 % lower",
        anchor="notebooks/demand#a-price-and-its-bill",
        turns=at,
    )


def flat_plans(value_times: ArrayLike = (2, 3, 5, 10)) -> Thesis:
    """Thesis 41: tried over what use is worth to users, in what it costs."""
    tried = cases("value_times", value_times)
    seat = {"price_usd": SEAT_USD, "mean_usd": MEAN_USD, "sigma": SIGMA}
    users = {"mean_usd": MEAN_USD, "sigma": SIGMA}

    def even(worth: float) -> float:
        return float(tariffs.break_even_usd(**users, value_times=worth))

    def margin(worth: float) -> float:
        return float(np.minimum(even(worth), 1e6)) - SEAT_USD

    at = flip(margin, 1.5, 100)
    stay = tariffs.staying_fraction(price_usd=even(2), **users, value_times=2)
    return Thesis(
        number=41,
        words="Customers who use much destroy flat subscriptions.",
        verdict=verdict(margin, tried),
        because=f"If a user of a ${SEAT_USD:g} seat costs ${MEAN_USD:g} on average, with a "
        f"sigma of {SIGMA:g}, {tariffs.loss_fraction(**seat):.1%} of them cost more than they pay "
        f"and the top 1 % make {usage.top_share(0.01, sigma=SIGMA):.0%} of the cost, yet the "
        f"margin is {tariffs.plan_margin_fraction(**seat):.0%}. What destroys the plan is that "
        f"light users leave: if use is worth twice its cost, only {money(even(2))} breaks even, "
        f"and {stay:.1%} stay.",
        value=float(tariffs.loss_fraction(**seat)),
        unit="share of users",
        flip=f"use that is worth less than {at:.1f} times its cost to users who may leave; a cap "
        "at the price ends every loss",
        anchor="notebooks/demand#a-cap-a-fee-a-menu",
        turns=at,
    )
