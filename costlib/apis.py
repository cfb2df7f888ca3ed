"""APIs and routers in a scenario: whether they will do by what is stated, and what they ask."""

from __future__ import annotations

import numpy as np

from costlib import fleet, pricebook, pricing, screening, units
from costlib.scenario import Api, Router, Scenario
from costlib.screening import Demand

__all__ = ["refused", "request_usd"]


def refused(scenario: Scenario, asked: Demand, one: Api | Router) -> str:
    """Why an API will not do by what is stated, if so; what is not stated refuses nobody."""
    promised = scenario.promises
    if promised.least_quality is not None and (one.quality or 0.0) < promised.least_quality:
        return screening.QUALITY
    if promised.exact_recall and _recall(asked, one) is False:
        return screening.RECALL
    for stated, limit, reason in (
        (one.tpot_p95_s, promised.tpot_p95_s, screening.TPOT),
        (one.ttft_p95_s, promised.ttft_p95_s, screening.TTFT),
    ):
        if stated is not None and limit is not None and stated > limit:
            return reason
    return ""


def _recall(asked: Demand, one: Api | Router) -> bool | None:
    """Whether an API recalls exactly: as stated, or as its open weights do; None: not known."""
    if one.exact_recall is not None:
        return one.exact_recall
    names = [one.name] if isinstance(one, Api) else [one.strong, one.weak]
    weights = [pricebook.price(name).weights for name in names]
    known = [screening.recalls(name, asked.longest_tokens) for name in weights if name]
    return False if not all(known) else True if len(known) == len(names) else None


def request_usd(scenario: Scenario, asked: Demand, name: str, service: str) -> float:
    """Mean bill of a request at list price, less the discount, as a mean over the horizon."""
    prompts = asked.input_tokens
    bill = pricing.request_usd(
        input_tokens=prompts,
        output_tokens=float(asked.output_tokens.mean()),
        cached_tokens=asked.reused_fraction * prompts,
        written_tokens=asked.written_fraction * prompts,
        discount_fraction=scenario.prices.api_discount_fraction,
        **pricebook.request_prices(name, prompts, at=scenario.prices.at, service=service),
    )
    return float(
        fleet.mean_rent_usd_per_h(  # the mean of any price that moves by the same factor a year
            rent_usd_per_h=np.mean(bill),
            yearly_times=scenario.prices.api_yearly_times,
            years=scenario.horizon_months / units.MONTHS_PER_YEAR,
        )
    )
