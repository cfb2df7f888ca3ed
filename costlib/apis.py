"""APIs in a scenario, and what is stated of routers: whether they will do, and what they ask."""

from __future__ import annotations

from typing import Any

import numpy as np

from costlib import fleet, pricebook, pricing, screening, units
from costlib.choices import THOUSAND, Choice, Numbers, Option, bill, bill_steps
from costlib.scenario import Api, Router, Scenario
from costlib.screening import Demand

__all__ = ["bought", "refused", "request_usd", "slow"]


def refused(scenario: Scenario, asked: Demand, one: Api | Router) -> str:
    """Why an API will not do by what is stated, if so; what is not stated refuses nobody."""
    promised = scenario.promises
    if promised.least_quality is not None and (one.quality or 0.0) < promised.least_quality:
        return screening.QUALITY
    if promised.exact_recall and _recall(scenario, asked, one) is False:
        return screening.RECALL
    return slow(scenario, one)


def slow(scenario: Scenario, one: Api | Router) -> str:
    """Which promise of speed is not kept by what is stated, if any."""
    promised = scenario.promises
    for stated, limit, reason in (
        (one.tpot_p95_s, promised.tpot_p95_s, screening.TPOT),
        (one.ttft_p95_s, promised.ttft_p95_s, screening.TTFT),
    ):
        if stated is not None and limit is not None and stated > limit:
            return reason
    return ""


def _recall(scenario: Scenario, asked: Demand, one: Api | Router) -> bool | None:
    """Whether an API recalls exactly: as stated, or as its open weights do; None: not known."""
    machines = {model.name for model in scenario.candidates.models}  # screened by themselves
    if one.exact_recall is not None:
        return one.exact_recall
    names = {one.name} if isinstance(one, Api) else {one.strong, one.weak} - machines
    weights = [pricebook.price(name).weights for name in names]
    known = [screening.recalls(name, asked.longest_tokens) for name in weights if name]
    return False if not all(known) else True if len(known) == len(names) else None


def request_usd(scenario: Scenario, asked: Demand, name: str, service: str) -> dict[str, float]:
    """Mean bill of a request by its parts, at list price less the discount, over the horizon."""
    prompts = asked.input_tokens
    prices = pricebook.request_prices(name, prompts, at=scenario.prices.at, service=service)
    found, written = asked.reused_fraction * prompts, asked.written_fraction * prompts
    nothing: dict[str, Any] = {"input_tokens": 0.0, "output_tokens": 0.0}
    parts: dict[str, dict[str, Any]] = {
        "fresh input": {"input_tokens": np.maximum(prompts - found - written, 0.0)},
        "input found again": {"input_tokens": found, "cached_tokens": found},
        "input written": {"input_tokens": written, "written_tokens": written},
        "answer": {"output_tokens": float(asked.output_tokens.mean())},
    }
    bills = {
        part: pricing.request_usd(
            **{**nothing, **tokens},
            discount_fraction=scenario.prices.api_discount_fraction,
            **prices,
        )
        for part, tokens in parts.items()
    }
    # The mean of any price that moves by the same factor every year.
    times = fleet.mean_rent_usd_per_h(
        rent_usd_per_h=1.0,
        yearly_times=scenario.prices.api_yearly_times,
        years=scenario.horizon_months / units.MONTHS_PER_YEAR,
    )
    return {part: float(np.mean(bill) * times) for part, bill in bills.items()}


def bought(scenario: Scenario, asked: Demand, one: Api) -> Option:
    """An API as a choice."""
    parts = request_usd(scenario, asked, one.name, one.service)
    each = sum(parts.values())
    name = one.name if one.service == pricebook.STANDARD else f"{one.name}, {one.service}"
    steps = [(f"{part}, a thousand", THOUSAND * usd, "USD") for part, usd in parts.items() if usd]

    def usd(volume: Numbers, times: float = 1.0) -> Numbers:
        month = volume * units.HOURS_PER_MONTH * units.SECONDS_PER_HOUR
        return each * times * month

    month_usd = float(usd(asked.requests_per_s))
    choice = Choice(
        way="API",
        name=name,
        model="",
        accelerator="",
        n_accelerators=np.nan,
        weight_format="",
        cache_bits=np.nan,
        prefix_reuse=asked.reused_fraction > 0,
        layout="",
        most_requests_per_s=np.nan,
        n_replicas=np.nan,
        n_held=np.nan,
        load_fraction=np.nan,
        ttft_p95_s=np.nan if one.ttft_p95_s is None else one.ttft_p95_s,
        tpot_p95_s=np.nan if one.tpot_p95_s is None else one.tpot_p95_s,
        low_usd=month_usd,
        high_usd=month_usd,
        carbon_kg=np.nan,
        carbon_usd=0.0,
        quality=np.nan if one.quality is None else one.quality,
        **bill(asked, month_usd),
        steps=(*steps, *bill_steps(asked, month_usd)),
        sides=(),
    )
    return Option(
        choice=choice,
        price=f"price of {name}",
        unit="USD a thousand requests",
        price_now=THOUSAND * each,
        usd=usd,
    )
