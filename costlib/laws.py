"""Published scaling laws and training runs as facts, and the cheapest lives that laws give."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from costlib import catalog, lifetime, scaling, tables, training, units
from costlib._checks import fraction, non_negative, positive
from costlib._halving import halved

__all__ = [
    "PETAFLOP_DAY",
    "USED",
    "Law",
    "Target",
    "allocation",
    "best_tokens_per_param",
    "budget_tokens_per_param",
    "even_served_tokens",
    "law",
    "laws",
    "lives",
    "runs",
    "saved_fraction",
    "sizes",
    "target",
    "worth_tokens",
]

PETAFLOP_DAY: Final = 1e15 * units.SECONDS_PER_DAY  # FLOP, at which a law of the size is anchored
USED: Final = "Refit"
LOG_ENDS: Final = (-40.0, 40.0)  # of the bill of serving over that of training


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """Constants of one published law, of the loss or of the best size alone."""

    name: str
    kind: str
    floor_loss: float
    params_scale: float
    params_exponent: float
    tokens_scale: float
    tokens_exponent: float
    note: str
    source: str
    as_of: str

    @property
    def constants(self) -> dict[str, float]:
        """Arguments of `scaling.budget_params`."""
        names = ("params_scale", "params_exponent", "tokens_scale", "tokens_exponent")
        return {name: getattr(self, name) for name in names}

    @property
    def exponents(self) -> dict[str, float]:
        """Arguments of the formulas of `lifetime`."""
        return {name: getattr(self, name) for name in ("params_exponent", "tokens_exponent")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A loss, the pair that states it, and the pair that reaches it with the least training."""

    law: Law
    n_params: float
    training_tokens: float
    gap_loss: float  # above the law's floor
    cheapest_params: float
    cheapest_tokens: float


@functools.cache
def laws(path: Path | None = None) -> Mapping[str, Law]:
    """Every law by its name."""
    rows = (Law(**row) for row in tables.rows("scaling_laws.csv", path))
    return MappingProxyType(tables.by_name("scaling_laws.csv", rows))


def law(name: str = USED, path: Path | None = None) -> Law:
    """A law by its name.

    Raises
    ------
    UnknownNameError
        If there is none; the message names the nearest.

    Examples
    --------
    >>> law().tokens_exponent
    0.3658
    """
    return tables.lookup("scaling law", name, laws(path))


def allocation(name: str, budget_flop: ArrayLike) -> dict[str, Any]:
    """Parameters, tokens and their ratio that a law gives a training budget.

    >>> round(float(allocation("Hoffmann printed", 5.88e23)["tokens_per_param"]))
    93
    """
    found = law(name)
    if found.kind == "loss":
        size = scaling.budget_params(budget_flop, **found.constants)
    else:
        size = scaling.power_law_params(
            budget_flop,
            unit_flop=PETAFLOP_DAY,
            unit_params=found.params_scale,
            exponent=found.params_exponent,
        )
    text = scaling.budget_tokens(budget_flop, n_params=size)
    return {"n_params": size, "training_tokens": text, "tokens_per_param": text / size}


def budget_tokens_per_param(budget_flop: float, *, name: str = USED) -> float:
    """Training tokens per parameter that a law gives a training budget.

    >>> [round(budget_tokens_per_param(5.88e23, name=n), 1) for n in ("Hoffmann source", "Refit")]
    [59.2, 18.4]
    """
    return float(allocation(name, budget_flop)["tokens_per_param"])


def target(n_params: float, training_tokens: float, *, name: str = USED) -> Target:
    """The loss of a size and a training text, and the least training that reaches it.

    Raises
    ------
    ValueError
        If the law states no loss, or a size is not positive.
    """
    found = law(name)
    if found.kind != "loss":
        raise ValueError(f"the scaling law {found.name!r} states no loss, only a best size")
    reached = scaling.loss(
        n_params,
        training_tokens=training_tokens,
        floor_loss=found.floor_loss,
        **found.constants,
    )
    gap = float(reached) - found.floor_loss
    return Target(
        law=found,
        n_params=float(n_params),
        training_tokens=float(training_tokens),
        gap_loss=gap,
        cheapest_params=float(
            scaling.loss_params(gap, params_scale=found.params_scale, **found.exponents)
        ),
        cheapest_tokens=float(
            scaling.loss_tokens(gap, tokens_scale=found.tokens_scale, **found.exponents)
        ),
    )


def lives(served_tokens: ArrayLike, *, of: Target, served_times: float = 1.0) -> pd.DataFrame:
    """The cheapest model at a loss for each number of served tokens, and what it saves.

    Returns
    -------
        served_tokens, ratio (the bill of serving over that of training), n_params,
        training_tokens, tokens_per_param, life_flop, saved_fraction against the model that was
        stated, and least_saved_fraction against the one that is cheapest to train.
    """
    served = np.atleast_1d(non_negative("served_tokens", served_tokens, finite=True))
    price: dict[str, Any] = {"served_tokens": served, "served_times": served_times}
    ratio = lifetime.served_ratio(cheapest_tokens=of.cheapest_tokens, **price, **of.law.exponents)
    size = lifetime.optimal_params(ratio, cheapest_params=of.cheapest_params, **of.law.exponents)
    text = lifetime.optimal_tokens(ratio, cheapest_tokens=of.cheapest_tokens, **of.law.exponents)
    life = lifetime.life_flop(size, training_tokens=text, **price)
    stated = lifetime.life_flop(of.n_params, training_tokens=of.training_tokens, **price)
    least = lifetime.life_flop(of.cheapest_params, training_tokens=of.cheapest_tokens, **price)
    return pd.DataFrame(
        {
            "served_tokens": served,
            "ratio": ratio,
            "n_params": size,
            "training_tokens": text,
            "tokens_per_param": text / size,
            "life_flop": life,
            "saved_fraction": 1 - life / stated,
            "least_saved_fraction": 1 - life / least,
        }
    )


def best_tokens_per_param(
    served_tokens: float,
    *,
    n_params: float,
    training_tokens: float,
    served_times: float = 1.0,
    name: str = USED,
) -> float:
    """Training tokens per parameter of the cheapest life at the loss of a size and a text.

    >>> at = {"n_params": 70e9, "training_tokens": 1.4e12}
    >>> [round(best_tokens_per_param(served, **at), 1) for served in (0, 1e12, 4.1e12)]
    [18.4, 30.1, 60.2]
    """
    non_negative("served_tokens", served_tokens, finite=True)
    of = target(n_params, training_tokens, name=name)
    return float(lives(served_tokens, of=of, served_times=served_times).tokens_per_param[0])


def even_served_tokens(
    tokens_per_param: float,
    *,
    n_params: float,
    training_tokens: float,
    served_times: float = 1.0,
    name: str = USED,
) -> float:
    """Tokens to serve at which a ratio of training tokens to parameters is the cheapest.

    0 where the ratio is that of the least training, or below.

    >>> round(even_served_tokens(60, n_params=70e9, training_tokens=1.4e12) / 1e12, 2)
    4.08
    """
    positive("tokens_per_param", tokens_per_param, finite=True)
    of = target(n_params, training_tokens, name=name)
    if tokens_per_param <= of.cheapest_tokens / of.cheapest_params:
        return 0.0

    def text(log: ArrayLike) -> Any:
        return lifetime.optimal_tokens(
            np.exp(log), cheapest_tokens=of.cheapest_tokens, **of.law.exponents
        )

    def reached(log: ArrayLike) -> Any:
        size = lifetime.optimal_params(
            np.exp(log), cheapest_params=of.cheapest_params, **of.law.exponents
        )
        return text(log) / size >= tokens_per_param

    _, log = halved(reached, *LOG_ENDS)
    return float(
        lifetime.served_tokens(np.exp(log), served_times=served_times, training_tokens=text(log))
    )


def saved_fraction(
    served_tokens: float,
    *,
    n_params: float,
    training_tokens: float,
    served_times: float = 1.0,
    name: str = USED,
    least_training: bool = False,
) -> float:
    """What the cheapest life saves against a size and a text with the same loss.

    Parameters
    ----------
    served_tokens
        Tokens served over the life.
    n_params, training_tokens
        The size and the text that state the loss, and what is compared with.
    served_times
        What a served FLOP costs in training FLOP.
    name
        The law.
    least_training
        Compare with the size that reaches the loss with the least training instead.

    Examples
    --------
    >>> at = {"n_params": 70e9, "training_tokens": 1.4e12}
    >>> [round(100 * saved_fraction(served, **at), 1) for served in (1e12, 4.5e12)]
    [1.7, 13.6]
    """
    non_negative("served_tokens", served_tokens, finite=True)
    of = target(n_params, training_tokens, name=name)
    row = lives(served_tokens, of=of, served_times=served_times).iloc[0]
    return float(row.least_saved_fraction if least_training else row.saved_fraction)


def worth_tokens(
    saved_fraction: float,
    *,
    n_params: float,
    training_tokens: float,
    served_times: float = 1.0,
    name: str = USED,
) -> float:
    """Tokens to serve from which the cheapest life saves a share of the least training's life.

    Raises
    ------
    ValueError
        If the share is not from 0 to below 1.

    Examples
    --------
    >>> at = {"n_params": 70e9, "training_tokens": 1.4e12}
    >>> [round(worth_tokens(share, **at) / 1e12, 2) for share in (0.05, 0.1)]
    [1.66, 2.92]
    """
    fraction("saved_fraction", saved_fraction)
    at_least = 1 - float(positive("1 minus saved_fraction", 1 - saved_fraction))
    of = target(n_params, training_tokens, name=name)
    whole = lifetime.served_tokens(1, served_times=served_times, training_tokens=of.cheapest_tokens)

    def reached(log: NDArray[np.float64]) -> Any:
        served = whole * np.exp(log)
        saved = lives(served, of=of, served_times=served_times).least_saved_fraction
        return saved.to_numpy() >= fraction("saved_fraction", at_least)

    _, log = halved(reached, *np.atleast_2d(LOG_ENDS).T)
    return float((whole * np.exp(log))[0])


def sizes(
    n_params: ArrayLike, *, of: Target, served_tokens: float, served_times: float = 1.0
) -> pd.DataFrame:
    """Training and whole life of models of several sizes with the same loss.

    Sizes that are too small for the loss have infinite tokens.
    """
    size = np.atleast_1d(positive("n_params", n_params, finite=True))
    text = scaling.needed_tokens(size, gap_loss=of.gap_loss, **of.law.constants)
    return pd.DataFrame(
        {
            "n_params": size,
            "training_tokens": text,
            "life_flop": lifetime.life_flop(
                size, training_tokens=text, served_tokens=served_tokens, served_times=served_times
            ),
        }
    )


@functools.cache
def runs(path: Path | None = None) -> pd.DataFrame:
    """Published training runs, smallest budget first.

    Returns
    -------
        name, n_params, training_tokens, tokens_per_param, flop, accelerator, accelerator_h and
        mfu_fraction, the share of the dense BF16 peak that all the hours make; the last are blank
        or NaN where no hours are published.
    """
    found = []
    for row in tables.rows("trained_models.csv", path):
        size, text = row["params_b"] * 1e9, row["tokens_b"] * 1e9
        flop = float(scaling.training_flop(size, training_tokens=text))
        shown: dict[str, Any] = {
            "name": row["name"],
            "n_params": size,
            "training_tokens": text,
            "tokens_per_param": text / size,
            "flop": flop,
            "accelerator": row["accelerator"],
            "accelerator_h": row["accelerator_h"],
        }
        share = math.nan
        if row["accelerator"]:
            peak = catalog.accelerator(row["accelerator"]).peak_flop_per_s["bf16"]
            share = float(
                training.mfu_fraction(
                    flop / (row["accelerator_h"] * units.SECONDS_PER_HOUR),
                    n_accelerators=1,
                    peak_flop_per_s=peak,
                )
            )
        found.append(shown | {"mfu_fraction": share})
    return pd.DataFrame(found).sort_values("flop", ignore_index=True)
