"""Theses on prices: indices, discounts, caches, tiers, routers (19 to 25, 53 to 55)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from costlib import (
    bills,
    catalog,
    claims,
    indices,
    pricebook,
    pricing,
    reuse,
    routers,
    routing,
    sessions,
    significance,
    units,
    workloads,
)
from costlib._thesis import Thesis, cases, flip, printed, verdict
from costlib._words import usd as money

__all__ = [
    "caching_agents",
    "cheap_answers",
    "context_tiers",
    "expiring_premium",
    "output_ratio",
    "reserved_throughput",
    "routing_saving",
    "shorter_answers",
    "structural_discount",
    "three_points",
]

STRONG_USD: Final = 24.7  # per million tokens: GPT-4, as the paper on routers has it
WEAK_USD: Final = 0.24  # Mixtral
QUERY_TOKENS: Final = 359.0
KEPT: Final = 0.95  # of the strong model's score


def output_ratio(output_times: ArrayLike | None = None) -> Thesis:
    """Thesis 19: tried over prices of output in those of input, by default of the named tiers."""
    listed = {}
    for name in indices.tiers():
        rows = indices.tier(name)
        listed[name] = rows["output_usd_per_mtok"] / rows["input_usd_per_mtok"]
    now = [float(rows.iloc[-1]) for rows in listed.values()]
    said = printed("api-pricing-006")
    flagship = listed["GPT flagship"]
    at = said + 0.5  # what still rounds to it
    batch = indices.implied_batches(
        [said],
        [4_000, 96_000],
        model="Llama-3.1-70B",
        accelerator="H100",
        weight_bits=4,
        cache_bits=8,
        compute_fraction=0.5,
    ).iloc[0]
    return Thesis(
        number=19,
        words="The price of output over that of input will compress to two.",
        verdict=verdict(lambda times: at - times, cases("output_times", output_times, now)),
        because=f"At OpenAI's flagship it went from {flagship.iloc[0]:.0f} to "
        f"{flagship.iloc[-1]:.0f}; the named tiers now ask {min(now):.0f} to "
        f"{max(now):.0f}. So far it rises.",
        value=float(flagship.iloc[-1]),
        unit="times",
        flip=f"a ratio below {at:g}, which rounds to {said:.0f}; as a cost {said:.0f} is a batch "
        f"of {batch['at_4000']:.0f} at 4K of context on an H100"
        + (", and no batch at 96K" if np.isinf(batch["at_96000"]) else ""),
        anchor="notebooks/api_prices#what-output-costs-over-input-and-what-haste-does",
        turns=at,
    )


def expiring_premium(fall_fraction: ArrayLike | None = None) -> Thesis:
    """Thesis 20: tried over yearly falls of a price, by default of gpt-4's ability and tiers."""
    tiers = {name: float(indices.falls(indices.tier(name)).yearly) for name in indices.tiers()}
    ability = indices.falls(indices.at_quality("gpt-4"))
    tried = cases("fall_fraction", fall_fraction, [ability.yearly, *tiers.values()])
    half = float(pricing.yearly_fall_fraction(first_usd_per_mtok=2, last_usd_per_mtok=1, years=1))
    rose = [name for name, fall in tiers.items() if fall < 0]
    return Thesis(
        number=20,
        words="Models become a commodity: what a capability costs more expires within months.",
        verdict=verdict(lambda fall: fall - half, tried),
        because=f"What gpt-4 could do became {ability.times:,.0f} times cheaper in "
        f"{ability.years:.1f} years, {ability.yearly:.0%} a year. Named tiers did not: the "
        f"flagship fell {tiers['GPT flagship']:.0%} a year and {len(rose)} of {len(tiers)} rose, "
        "among them " + " and ".join(rose[-2:]) + ".",
        value=float(ability.yearly),
        unit="share a year",
        flip=f"an index that falls more than {half:.0%} a year, so that a premium halves within "
        "it: that of an ability did, those of names did not",
        anchor="notebooks/api_prices#three-indices-one-market",
        turns=half,
    )


def structural_discount(output_fraction: ArrayLike | None = None) -> Thesis:
    """Thesis 21: tried over the share of answers in the list bill, each with an agent's hits."""
    model = "claude-sonnet-5-5"
    table = bills.workload_bills(model).set_index("workload")
    agents = table.astype(float).loc["agents"].to_dict()
    batch, both, answered = (
        float(agents[f"{name}_fraction"]) for name in ("batch", "both", "output")
    )
    read = (both - batch * answered) / (1 - answered)
    said = 0.95
    tried = cases("output_fraction", output_fraction, table.output_fraction)

    def margin(answers: float) -> float:
        return 1 - batch * answers - read * (1 - answers) - said

    at = flip(margin, 0, 1)
    other = table.least_fraction.drop("agents")
    return Thesis(
        number=21,
        words="Cache and batch together are a structural discount of 95 %.",
        verdict=verdict(margin, tried),
        because=f"At {model} they leave {both:.1%} of the bill of an agent whose "
        f"prompts are found to {agents['hit_fraction']:.0%}, and {other.min():.0%} of the other "
        "recorded bills, which find nothing. 95 % is the discount of a cached input token; "
        "answers are never cached.",
        value=1 - both,
        unit="share saved",
        flip=f"answers below {at:.1%} of the list bill, with an agent's hits; an agent's are "
        f"{answered:.1%}",
        anchor="notebooks/api_prices#what-is-left-of-a-bill",
        turns=at,
    )


def caching_agents(hit_fraction: ArrayLike | None = None) -> Thesis:
    """Thesis 22: tried over what the cache finds, by default of the record by life of the cache."""
    lives = {hit.ttl_s: hit.token_hit_fraction for hit in catalog.ttl_hits()}
    price = pricebook.price("claude-sonnet-4-6")
    low, high = (printed(f"caching-004-{end}") / 100 for end in ("least", "most"))

    def saved(hits: float, written_usd: float = price.cache_write_usd_per_mtok) -> float:
        return float(
            reuse.saved_fraction(
                hit_fraction=hits,
                input_tokens=96_000,
                output_tokens=1_000,
                input_usd_per_mtok=price.input_usd_per_mtok,
                cached_input_usd_per_mtok=price.cached_input_usd_per_mtok,
                cache_write_usd_per_mtok=written_usd,
                output_usd_per_mtok=price.output_usd_per_mtok,
            )
        )

    def margin(hits: float) -> float:
        return min(saved(hits) - low, high - saved(hits))

    at = flip(margin, 0, 1)
    plain = flip(lambda hits: saved(hits, price.input_usd_per_mtok) - low, 0, 1)
    grown = {name: catalog.session_growth(name)["p50"] for name in ("start_tokens", "turn_tokens")}
    edited = sessions.hit_fraction(200, **grown, surviving_fraction=sessions.first_edit_fraction(1))
    return Thesis(
        number=22,
        words="Prompt caching saves agents 40 to 90 % of the bill.",
        verdict=verdict(margin, cases("hit_fraction", hit_fraction, list(lives.values()))),
        because=f"A cache of five minutes finds {lives[300]:.0%} of what recorded sessions send: "
        f"of 96K in and 1K out at {price.name} it saves {saved(lives[300]):.0%}, and "
        f"{saved(1):.0%} at most, since answers are billed in full. Even a cache of "
        f"{min(lives):.0f} s saves {saved(lives[min(lives)]):.0%}.",
        value=saved(lives[300]),
        unit="share saved",
        flip=f"hits above {at:.0%} of the input, or {plain:.0%} where writing costs nothing "
        f"extra; an edit in every turn would leave {edited:.1%}",
        anchor="notebooks/prefix_and_tiers#what-a-hit-is-worth-at-list",
        turns=at,
    )


def context_tiers(long_times: ArrayLike | None = None) -> Thesis:
    """Thesis 23: tried over the long price in the short one, by default as it is listed."""
    short, long = (pricebook.price("gemini-2.5-pro", input_tokens=n) for n in (1, 1e6))
    edge = long.above_input_tokens
    listed = long.input_usd_per_mtok / short.input_usd_per_mtok
    worth = 5.0  # USD a million further tokens, as the chapter assumes

    def step(times: float) -> float:
        """What the first token past the edge costs, over its own price, in USD."""
        dear = times * short.input_usd_per_mtok
        rate = pricing.tier_usd_per_mtok(
            input_tokens=[edge, edge + 1],
            tier_tokens=edge,
            short_usd_per_mtok=short.input_usd_per_mtok,
            long_usd_per_mtok=dear,
        )
        bill = rate * np.array([edge, edge + 1]) / units.TOKENS_PER_MTOK
        return float(bill[1] - bill[0] - dear / units.TOKENS_PER_MTOK)

    end = pricing.dominated_tokens(
        tier_tokens=edge,
        short_usd_per_mtok=short.input_usd_per_mtok,
        long_usd_per_mtok=long.input_usd_per_mtok,
        value_usd_per_mtok=worth,
    )
    at = flip(step, 0.5, 10)
    further = step(listed) / short.input_usd_per_mtok * units.TOKENS_PER_MTOK
    return Thesis(
        number=23,
        words="Prices that step with the context make the cost jump.",
        verdict=verdict(step, cases("long_times", long_times, listed)),
        because=f"At Gemini 2.5 Pro the first token past {edge / 1e3:.0f}K costs "
        f"{money(step(listed))}, as much as {further / 1e3:.0f}K further ones at the lower price. "
        f"Who values them at {money(worth)} a million sends {edge / 1e3:.0f}K, or more than "
        f"{end / 1e3:.0f}K; at {money(long.input_usd_per_mtok)} or less, never more.",
        value=step(listed),
        unit="USD",
        flip=f"a long price above {at:.1f} times the short one, charged on the whole prompt; "
        "charged on what lies beyond the edge it never jumps",
        anchor="notebooks/api_prices#steps-and-contracts",
        turns=at,
    )


def routing_saving(strong_fraction: ArrayLike | None = None) -> Thesis:
    """Thesis 24: tried over strong calls, by default of the best routers at 95 % of the score."""
    prices = {"strong_usd": STRONG_USD, "weak_usd": WEAK_USD}
    names = {"MT-Bench": "routing-007", "MMLU": "routing-007-mmlu", "GSM8K": "routing-007-gsm8k"}
    saved = claims.compare(list(names.values())).value.to_numpy() / 100
    calls = np.asarray(routing.affordable_fraction(saving_fraction=saved, **prices))
    said = printed("routing-003") / 100

    def cost(strong: float) -> float:
        return float(routing.routed_usd(strong, **prices))

    def margin(strong: float) -> float:
        return 1 - cost(strong) / STRONG_USD - said

    both = routers.outcomes("MMLU")
    gap = routing.recovered_share(
        KEPT * both["strong_quality"],
        strong_quality=both["strong_quality"],
        weak_quality=both["weak_quality"],
    )
    at = flip(margin, 0, 1)
    shown = ", ".join(f"{share:.0%} on {name}" for name, share in zip(names, saved, strict=True))
    return Thesis(
        number=24,
        words="Routing saves 60 to 80 % with hardly any loss of quality.",
        verdict=verdict(margin, cases("strong_fraction", strong_fraction, calls)),
        because=f"At {KEPT:.0%} of GPT-4's score the best published router saves {shown}, against "
        f"asking GPT-4 always. Against drawing lots it is "
        f"{1 - cost(float(calls[1])) / cost(float(gap)):.0%} on MMLU: most of the saving is that "
        "the cheap model is nearly as good.",
        value=float(saved[1]),
        unit="share saved",
        flip=f"a router that needs GPT-4 for less than {at:.0%} of the queries; on MMLU the best "
        f"needs {calls[1]:.0%}",
        anchor="notebooks/routing#saved-against-what",
        turns=at,
    )


def cheap_answers(loss_usd: ArrayLike = (0.0, 0.1)) -> Thesis:
    """Thesis 25: tried over what a wrong answer costs: nothing, and what the chapter assumes."""
    tried = cases("loss_usd", loss_usd)
    both = routers.outcomes("MMLU")
    strong_usd, weak_usd = (
        price * QUERY_TOKENS / units.TOKENS_PER_MTOK for price in (STRONG_USD, WEAK_USD)
    )

    def margin(loss: float) -> float:
        return float(
            routing.answer_usd(
                request_usd=strong_usd, success_fraction=both["strong_quality"], loss_usd=loss
            )
            - routing.answer_usd(
                request_usd=weak_usd, success_fraction=both["weak_quality"], loss_usd=loss
            )
        )

    at = flip(margin, 0, 10)
    other = routing.break_even_loss_usd(  # 1,000 tokens at the two prices that the source gives
        strong_usd=25 / 1e3,
        weak_usd=0.28 / 1e3,
        strong_success_fraction=1,
        weak_success_fraction=0.79,
    )
    return Thesis(
        number=25,
        words="Counted per correct answer, the cheap model wins.",
        verdict=verdict(margin, tried),
        because=f"On MMLU GPT-4 is {STRONG_USD / WEAK_USD:.0f} times as dear as Mixtral and right "
        f"on {both['strong_quality']:.1%} instead of {both['weak_quality']:.1%}. If a wrong "
        "answer costs nothing, Mixtral is far cheaper per right one; but a loss of cents on each "
        "outweighs the price of all its tokens.",
        value=at,
        unit="USD per wrong answer",
        flip=f"a wrong answer that costs less than {money(at)}; for 1,000 tokens at $0.28 and $25 "
        f"a million, right on 79 % and always, less than {money(float(other))}",
        anchor="notebooks/routing#when-the-cheap-answer-is-wrong",
        turns=at,
    )


def reserved_throughput(peak_times: ArrayLike = (1.23, 1.8, 2.3)) -> Thesis:
    """Thesis 53: tried over the peak in units of the mean, as the chapters have it."""
    tried = cases("peak_times", peak_times)
    full = 0.6  # of list, for a token of a reservation that is always full

    def times(peak: float) -> float:
        """Cost of a reservation for the peak, over that of the same tokens at list."""
        rate = units.TOKENS_PER_MTOK  # tokens per second, so that a second at list costs a dollar
        cost = pricing.provisioned_usd(
            rate,
            provisioned_tokens_per_s=peak * rate,
            provisioned_usd_per_h=full * peak * units.SECONDS_PER_HOUR,
            held_s=1,
            spill_usd_per_mtok=1,
        )
        return float(cost)

    hours = np.arange(0, 24, 0.5)
    day = (1 + 1.5 * np.cos(2 * np.pi * (hours - 14) / 24)).clip(0)
    sizes = bills.provision(day, full_price_fraction=full, list_usd_per_mtok=3)
    at = flip(lambda peak: 1 - times(peak), 1, 10)
    return Thesis(
        number=53,
        words="Reserved throughput is cheaper than paying by the token.",
        verdict=verdict(lambda peak: 1 - times(peak), tried),
        because=f"It costs {full:.0%} of list if it is always full. Reserved for a peak of "
        f"{day.max() / day.mean():.1f} times the mean it costs {sizes.times.iloc[-1]:.2f} of list; "
        f"the best reservation of that day, which lets the peak spill, {sizes.times.min():.2f}.",
        value=float(sizes.times.iloc[-1]),
        unit="times list",
        flip=f"a peak below {at:.2f} times the mean, where the peak is reserved: more than "
        f"{1 / at:.0%} in use",
        anchor="notebooks/api_prices#steps-and-contracts",
        turns=at,
    )


def shorter_answers(input_per_output: ArrayLike | None = None) -> Thesis:
    """Thesis 54: tried over tokens read for each one written, by default in the recorded uses."""
    model = "claude-sonnet-5-5"
    price = pricebook.price(model)
    listed = {
        "input_usd_per_mtok": price.input_usd_per_mtok,
        "output_usd_per_mtok": price.output_usd_per_mtok,
    }
    recorded = [
        float(table["input_tokens"].mean() / table["output_tokens"].mean())
        for table in map(workloads.length_table, workloads.workloads())
    ]

    def share(tokens: float) -> float:
        """Of the bill, what the answer costs."""
        answer, whole = (
            pricing.request_usd(input_tokens=read, output_tokens=1, **listed)
            for read in (0, tokens)
        )
        return float(answer / whole)

    at = flip(lambda tokens: share(tokens) - 0.5, 0, 1e3)
    made = bills.workload_bills(model).set_index("workload").output_fraction
    return Thesis(
        number=54,
        words="Shorter answers are the way to a smaller bill.",
        verdict=verdict(
            lambda tokens: share(tokens) - 0.5,
            cases("input_per_output", input_per_output, recorded),
        ),
        because=f"Output costs {at:.0f} times input at {model}, yet answers make "
        f"{made['reasoning']:.0%} of the bill of the recorded reasoning, {made['chat']:.0%} of "
        f"chats and {made['agents']:.0%} of agents: to halve an agent's answers saves a percent.",
        value=float(made["agents"]),
        unit="share of the bill",
        flip=f"fewer than {at:.0f} tokens read for each one written: then answers are more than "
        "half of the bill",
        anchor="notebooks/api_prices#what-would-change-the-answer",
        turns=at,
    )


def three_points(n_questions: ArrayLike = (164, 1_319, 14_042)) -> Thesis:
    """Thesis 55: tried over questions, by default those of HumanEval, GSM8K and MMLU."""
    tried = cases("n_questions", n_questions)
    both, gap = routers.outcomes("MMLU"), 0.03
    differ = both["only_strong_fraction"] + both["only_weak_fraction"]

    def needed(apart: float) -> float:
        return float(
            significance.n_paired_questions(
                (apart + gap) / 2, only_second_fraction=(apart - gap) / 2
            )
        )

    at = needed(differ)
    few, many = (
        100 * float(significance.score_half_width(0.7, n_questions=n)) for n in (164, 14_042)
    )
    return Thesis(
        number=55,
        words="Three points more on a benchmark mean nothing.",
        verdict=verdict(lambda n: at - n, tried),
        because=f"Two models that differ on {differ:.0%} of MMLU, as GPT-4 and Mixtral do, take "
        f"{at:,.0f} questions that both answer. Chance moves a score of 70 % by "
        f"{few:.1f} points on HumanEval and by {many:.1f} on MMLU; how a "
        "question is worded may move it by more.",
        value=at,
        unit="questions",
        flip=f"fewer than {at:,.0f} questions that both models answer",
        anchor="notebooks/routing#how-many-queries-prove-it",
        turns=at,
    )
