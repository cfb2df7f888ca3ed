"""Theses on training and tuning: scaling laws, serving, adapters (33, 34, 40, 59)."""

from __future__ import annotations

from typing import Any, Final

from numpy.typing import ArrayLike

from costlib import laws, lifetime, scaling, tenants, training
from costlib._thesis import Thesis, cases, flip, verdict
from costlib._words import scientific
from costlib._words import usd as money

__all__ = ["adapter_tenants", "printed_laws", "serving_and_training", "training_bill"]

CHINCHILLA: Final[dict[str, Any]] = {"n_params": 70e9, "training_tokens": 1.4e12}


def serving_and_training(served_tokens: ArrayLike = (1e12, 1e13)) -> Thesis:
    """Thesis 33: tried over tokens that are served, FLOP for FLOP with those of training."""
    tried = cases("served_tokens", served_tokens)

    def saved(tokens: float) -> float:
        """What the cheapest life saves against the least training of the same loss."""
        return laws.saved_fraction(tokens, **CHINCHILLA, least_training=True)

    worth = 0.05
    at = laws.worth_tokens(worth, **CHINCHILLA)
    dear = laws.worth_tokens(worth, **CHINCHILLA, served_times=4)
    ratio = [laws.best_tokens_per_param(tokens, **CHINCHILLA) for tokens in (0, 1e12)]
    return Thesis(
        number=33,
        words="Demand for inference reverses Chinchilla: smaller models, trained longer.",
        verdict=verdict(lambda tokens: saved(tokens) - worth, tried),
        because=f"At the loss of 70B on 1.4T it takes the cheapest model from {ratio[0]:.1f} to "
        f"{ratio[1]:.1f} tokens per parameter to serve 1T, which saves {saved(1e12):.1%} against "
        f"the least training; ten times that saves {saved(1e13):.0%}.",
        value=ratio[1],
        unit="tokens per parameter",
        flip=f"{at / 1e12:.1f}T tokens served, for {worth:.0%} saved, where a served FLOP costs "
        f"as much as one of training; {dear / 1e12:.2f}T where it costs four times as much",
        anchor="notebooks/training_and_tuning#serving-joins-the-bill",
        turns=at,
    )


def printed_laws(budget_flop: ArrayLike | None = None) -> Thesis:
    """Thesis 34: tried over training budgets, by default those of the trained models."""
    known = laws.runs()
    own = float(
        scaling.training_flop(CHINCHILLA["n_params"], training_tokens=CHINCHILLA["training_tokens"])
    )
    budgets = scaling.training_flop(
        known.n_params.to_numpy(), training_tokens=known.training_tokens.to_numpy()
    )
    names = ("Hoffmann printed", "Refit")

    def plan(name: str, budget: float) -> dict[str, float]:
        return {key: float(value) for key, value in laws.allocation(name, budget).items()}

    def needless(budget: float) -> float:
        """Share of the training that the printed law orders in vain, if the refit is right."""
        order = plan(names[0], budget)
        reached = laws.target(order["n_params"], order["training_tokens"])
        needed = scaling.training_flop(
            reached.cheapest_params, training_tokens=reached.cheapest_tokens
        )
        return 1 - float(needed) / budget

    worth = 0.05
    at = flip(lambda budget: needless(10**budget) - worth, 20, 24)
    printed, refit = (plan(name, own) for name in names)
    return Thesis(
        number=34,
        words="Published coefficients of scaling laws mislead those who buy compute.",
        verdict=verdict(
            lambda budget: needless(budget) - worth,
            cases("budget_flop", budget_flop, budgets),
        ),
        because=f"At the budget of 70B on 1.4T the printed constants ask for "
        f"{printed['tokens_per_param']:.0f} tokens per parameter, their refit for "
        f"{refit['tokens_per_param']:.1f}: {printed['n_params'] / 1e9:.0f}B on "
        f"{printed['training_tokens'] / 1e12:.1f}T instead of {refit['n_params'] / 1e9:.0f}B on "
        f"{refit['training_tokens'] / 1e12:.1f}T. If the refit is right, {needless(own):.0%} of "
        "that training is needless.",
        value=printed["tokens_per_param"] / refit["tokens_per_param"],
        unit="times",
        flip=f"a budget above {scientific(10**at, 2)} FLOP; below, less than {worth:.0%} of a run "
        "is needless",
        anchor="notebooks/training_and_tuning#three-laws-one-budget",
        turns=10**at,
    )


def adapter_tenants(requests_per_month: ArrayLike | None = None) -> Thesis:
    """Thesis 40: tried over what a tenant asks for, by default little, and ten machines full."""
    asked, n_tenants = 10_000.0, 75
    of = tenants.Tenancy(
        model="Llama-3.1-8B",
        accelerator="H100",
        weight_format="bf16",
        rent_usd_per_h=2.95,
        prompt_tokens=2_000,
        example_tokens=13_000,
        output_tokens=1_000,
        requests_per_month=asked,
        peak_times=3,
        load_fraction=0.6,
        n_clients=64,
        rank=16,
        tuning_tokens=10e6,
        tuning_mfu_fraction=float(
            training.piped_fraction(0.45, bubble_ratio=training.bubble_ratio(8, n_micro_batches=64))
        ),
        tuning_months=6,
        reused_fraction=0.9,
        api_model="gpt-4.1",
    )
    full = tenants.carried(of)["tuned"]
    bill = tenants.bills([n_tenants], of).iloc[0]
    examples, _, adapter, own = (float(bill[way]) for way in tenants.WAYS)
    return Thesis(
        number=40,
        words="Adapters turn the cost of a model per tenant into that of parameters per tenant.",
        verdict=verdict(
            lambda requests: full - requests,
            cases("requests_per_month", requests_per_month, [asked, 10 * full]),
        ),
        because=f"Each of {n_tenants} tenants with {asked:,.0f} requests a month pays "
        f"{money(adapter)} for an adapter on a shared base, {money(examples)} with examples in "
        f"the prompts of an API and {money(own)} for a model of its own. What is saved are idle "
        "machines, not training.",
        value=own / adapter,
        unit="times cheaper",
        flip=f"tenants with fewer than {full / 1e6:.2f} million requests a month; with more each "
        "fills a machine, and only its part-filled last one is left to save",
        anchor="notebooks/training_and_tuning#what-a-tenant-costs",
        turns=full,
    )


def training_bill(served_tokens: ArrayLike = (1e12, 1e13)) -> Thesis:
    """Thesis 59: tried over the tokens that are served, FLOP for FLOP with those of training."""
    tried = cases("served_tokens", served_tokens)
    asked = 1_000  # tokens a request

    def even(ratio: float, served_times: float = 1.0) -> float:
        """Tokens whose serving costs so many times what the training did."""
        return float(
            lifetime.served_tokens(
                ratio,
                served_times=served_times,
                training_tokens=CHINCHILLA["training_tokens"],
            )
        )

    at = even(1)
    return Thesis(
        number=59,
        words="What a model costs is its training; serving is the smaller part.",
        verdict=verdict(lambda tokens: at - tokens, tried),
        because=f"To serve 70B that were trained on 1.4T has cost what the training did after "
        f"{at / asked / 1e9:.1f} billion requests of {asked:,} tokens, and after "
        f"{even(1, 4.1) / asked / 1e9:.1f} billion where a served FLOP costs 4.1 times one of "
        "training.",
        value=at / asked,
        unit="requests",
        flip=f"fewer than {at / 1e12:.1f}T tokens served, three for each one trained on, FLOP for "
        "FLOP",
        anchor="notebooks/training_and_tuning#serving-joins-the-bill",
        turns=at,
    )
