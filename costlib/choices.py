"""What a plan says: choices, what would change them, and their bills."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from costlib import units
from costlib._checks import Floats, non_negative
from costlib.scenario import Scenario
from costlib.screening import Demand

__all__ = [
    "ROUTER",
    "THOUSAND",
    "Change",
    "Choice",
    "Numbers",
    "Option",
    "Plan",
    "bill",
    "bill_steps",
]

Numbers = float | Floats  # one, or an array of them

ROUTER: Final = "router"  # a way of its own, whatever its sides are
THOUSAND: Final = 1000.0  # requests that a small price is told for


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One way to serve a workload; NaN where nobody states a number."""

    way: str
    name: str
    model: str
    accelerator: str
    n_accelerators: float  # of a replica
    weight_format: str
    cache_bits: float  # NaN: as the engine does by default
    prefix_reuse: bool
    layout: str
    most_requests_per_s: float  # that a replica takes
    n_replicas: float
    n_held: float  # accelerators, in whole replicas or whole machines
    load_fraction: float  # of what all that is held can take, on average
    ttft_p95_s: float  # in the busiest hour
    tpot_p95_s: float
    monthly_usd: float
    low_usd: float  # 80 % of measurements lie within
    high_usd: float
    usd_per_h: float
    usd_per_request: float
    usd_per_mtok: float  # prompt and answer together
    carbon_kg: float  # a month
    carbon_usd: float  # a month, in the above
    quality: float
    steps: tuple[tuple[str, float, str], ...]  # from bytes to dollars: what, how much, unit
    sides: tuple[Choice, ...]  # of a router, each with its own part of the requests

    @property
    def dear_side(self) -> Choice:
        """The side that costs more, or the choice itself if it has none."""
        return max(self.sides, key=lambda side: side.monthly_usd, default=self)

    @property
    def full_name(self) -> str:
        """The name, and what is held where machines are larger than what runs on them."""
        larger = self.n_held > self.n_replicas * self.n_accelerators
        return f"{self.name} ({self.n_held:g} held)" if larger else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What would have to change for the runner-up to win; NaN: never."""

    price: str  # which
    unit: str
    price_now: float
    price_even: float
    requests_per_day: float  # at which both cost the same: of all such volumes the nearest
    grows: bool  # whether it wins above that volume, not below
    stays: bool  # whether it then wins at every volume that was tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What serves a scenario: the cheapest of each way, the frontier, and why not the others."""

    scenario: Scenario
    asked: Demand
    n_combinations: int
    n_exact: int
    dropped: Mapping[str, int]
    cheapest: Mapping[str, Choice]  # by way, the cheapest first
    runner_up: Choice | None
    change: Change | None
    frontier: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def winner(self) -> Choice | None:
        """The cheapest that keeps the promises, if any does."""
        return next(iter(self.cheapest.values()), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What can be chosen, with its cost at any volume and any price of what it is made of."""

    choice: Choice
    price: str
    unit: str
    price_now: float
    usd: Callable[[Numbers, float], Numbers]  # requests/s, times the price
    n_extra: float = 0.0  # replicas beyond what the promises need

    @property
    def order(self) -> tuple[float, float, float]:
        """The cheapest first; of equal ones the leanest, then the one that answers soonest."""
        time = self.choice.ttft_p95_s
        return self.choice.monthly_usd, self.n_extra, math.inf if math.isnan(time) else time


def bill(asked: Demand, monthly_usd: float) -> dict[str, float]:
    """A month's bill by the hour, the request and the million tokens."""
    monthly_usd = float(non_negative("monthly_usd", monthly_usd))
    each = monthly_usd / asked.requests_per_month
    return {
        "monthly_usd": monthly_usd,
        "usd_per_h": monthly_usd / units.HOURS_PER_MONTH,
        "usd_per_request": each,
        "usd_per_mtok": each * units.TOKENS_PER_MTOK / sum(asked.mean_tokens),
    }


def bill_steps(asked: Demand, monthly_usd: float) -> tuple[tuple[str, float, str], ...]:
    """The same as the last steps from bytes to dollars."""
    told = bill(asked, monthly_usd)
    return (
        ("a month", told["monthly_usd"], "USD"),
        ("a thousand requests", THOUSAND * told["usd_per_request"], "USD"),
        ("a million tokens, prompt and answer", told["usd_per_mtok"], "USD"),
    )
