"""Three arguments about what moves a token, asked over a space of machines and not at one point.

Each function draws points of a stated space and returns one row per point with both sides of the
argument; the share of rows in which one side is larger is the answer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from costlib import catalog, deploy, ownership, serve, serving, sites, utilisation
from costlib._checks import count, generator

__all__ = ["SITE", "batch_and_chip", "busy_and_pue", "memory_and_arithmetic", "site_ranges"]

STEP: Final = 0.01  # by which bandwidth and arithmetic are moved
MODELS: Final = ("Llama-3.1-8B", "Llama-3.1-70B", "Mixtral-8x7B", "Qwen3-32B", "gpt-oss-120b")
CHIPS: Final = ("A100", "H100", "H200", "B200")
CLIENTS: Final = (1.0, 512.0)
PROMPT_TOKENS: Final = (128.0, 32_768.0)
ANSWER_TOKENS: Final = (64.0, 2_048.0)
PAIR: Final = ("H100", "B200")
USE: Final = (0.6, 0.9)  # the step in utilisation that the argument sets against a generation

SITE: Final[Mapping[str, str]] = {
    "capital_usd_per_h": "quotes and models of an hour, H100 to B200",
    "power_w": "the rating of a GPU alone to its share of a node",
    "pue": "as operators report it",
    "busy_fraction": "a tenth to all of the time",
    "idle_fraction": "power that follows the work to power that never falls",
    "electricity_usd_per_kwh": "the cheapest state to four times the dearest",
}


def site_ranges() -> dict[str, tuple[float, float]]:
    """The space of `busy_and_pue`, as `SITE` explains it.

    >>> site_ranges()["pue"]
    (1.04, 2.5)
    """
    pues, grid = sites.facilities("pue").value, sites.grid("usd_per_kwh").value
    hours = [price for chip in PAIR for price in ownership.quotes(chip).usd_per_h]
    node = sites.facility("h100-node-rated").value
    return {
        "capital_usd_per_h": (float(min(hours)) / 4, float(max(hours))),
        "power_w": (float(catalog.accelerator("A100").tdp_w), node / 8),
        "pue": (float(pues.min()), float(pues.max())),
        "busy_fraction": (0.1, 1.0),
        "idle_fraction": (0.0, 1.0),
        "electricity_usd_per_kwh": (float(grid.min()), 4 * float(grid.max())),
    }


def _points(n_columns: int, n_draws: int, seed: int) -> NDArray[np.float64]:
    number, random = count("n_draws", n_draws), generator(seed)
    return np.asarray(stats.qmc.Sobol(n_columns, rng=random).random(number))


def _named(column: NDArray[np.float64], names: Sequence[str]) -> list[str]:
    places = np.minimum((column * len(names)).astype(int), len(names) - 1)
    return [names[place] for place in places]


def _log(column: NDArray[np.float64], ends: tuple[float, float]) -> NDArray[np.float64]:
    low, high = ends
    return np.asarray(np.round(low * (high / low) ** column))


def busy_and_pue(
    ranges: Mapping[str, tuple[float, float]] | None = None,
    *,
    n_draws: int = 4096,
    seed: int = 0,
) -> pd.DataFrame:
    """By how many percent a percent of utilisation, and a percent of PUE, move a token's cost.

    Parameters
    ----------
    ranges
        Parameter of `utilisation.pue_elasticity`: (low, high); by default `site_ranges()`.
    n_draws, seed
        Points of a scrambled Sobol sequence.

    Returns
    -------
        A row per site: its numbers, `busy` and `pue_moves`, both 0 or more.
    """
    chosen = site_ranges() if ranges is None else ranges
    points = _points(len(chosen), n_draws, seed)
    site = {
        name: low + (high - low) * points[:, place]
        for place, (name, (low, high)) in enumerate(chosen.items())
    }
    return pd.DataFrame(site).assign(
        busy=-np.asarray(utilisation.busy_elasticity(**site)),
        pue_moves=utilisation.pue_elasticity(**site),
    )


def _space(n_draws: int, seed: int, chips: Sequence[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Loads: a model, a machine, clients and lengths, all but the names on a log scale."""
    points = _points(5, n_draws, seed)
    rows = pd.DataFrame(
        {
            "model": _named(points[:, 0], MODELS),
            "accelerator": _named(points[:, 1], chips),
            "n_clients": _log(points[:, 2], CLIENTS),
            "input_tokens": _log(points[:, 3], PROMPT_TOKENS),
            "output_tokens": _log(points[:, 4], ANSWER_TOKENS),
        }
    )
    given = {
        name: rows[name].to_numpy(float) for name in ("n_clients", "input_tokens", "output_tokens")
    }
    return rows, {"weight_format": "fp8", "n_accelerators": 4, **given}


def memory_and_arithmetic(*, n_draws: int = 1024, seed: int = 0) -> pd.DataFrame:
    """By how many percent a percent of bandwidth, and of arithmetic, shorten a decode step.

    Parameters
    ----------
    n_draws, seed
        Loads of a scrambled Sobol sequence: models, machines of four, 1 to 512 clients, prompts
        of 128 to 32,768 tokens, answers of 64 to 2,048, weights in 8 bits.

    Returns
    -------
        A row per load that fits: `bandwidth` and `arithmetic` as the calibrated model has them,
        `light_bandwidth` and `light_arithmetic` at the speed of light.
    """
    rows, given = _space(n_draws, seed, CHIPS)
    load = deploy.scenarios(list(rows.model), list(rows.accelerator), **given)
    now = serve.prediction(load)
    found = {}
    for name, field in (("bandwidth", "memory_bytes_per_s"), ("arithmetic", "peak_flop_per_s")):
        faster = getattr(load, field) * (1 + STEP)
        then = serve.prediction(dataclasses.replace(load, **{field: faster}))
        for kind, before, after in (
            ("", now.step_s, then.step_s),
            ("light_", now.light_step_s, then.light_step_s),
        ):
            with np.errstate(divide="ignore", invalid="ignore"):
                found[kind + name] = np.log(before / after) / np.log1p(STEP)
    return rows.assign(**found).loc[np.asarray(now.fits)].reset_index(drop=True)


def batch_and_chip(*, n_draws: int = 1024, seed: int = 0) -> pd.DataFrame:
    """How many times cheaper a token gets by a fuller batch, by use, and by a newer chip.

    Parameters
    ----------
    n_draws, seed
        Loads as in `memory_and_arithmetic`, on four H100; rents between the quotes on demand.

    Returns
    -------
        A row per load that fits both machines: `batch`, twice the clients on the same H100;
        `use`, 90 % for 60 % of the time; `chip`, the same load on four B200; `full_chip`, each
        as full as its memory allows.
    """
    rows, given = _space(n_draws, seed, PAIR[:1])
    models = list(rows.model)
    points = _points(2, n_draws, seed + 1)
    rents = {}
    for place, chip in enumerate(PAIR):
        quoted = ownership.quotes(chip)
        asked = quoted[quoted.kind == "on demand"].usd_per_h
        rents[chip] = asked.min() + (asked.max() - asked.min()) * points[:, place]

    def cost(chip: str, n_clients: Any) -> tuple[Any, Any]:
        load = deploy.scenarios(models, chip, **given | {"n_clients": n_clients})
        done = serve.prediction(load)
        held = np.where(done.fits, done.tokens_per_s, 1.0)
        each = serving.usd_per_mtok(
            rent_usd_per_h=rents[chip] * given["n_accelerators"], tokens_per_s=held
        )
        return each, np.asarray(done.fits)

    clients = given["n_clients"]
    old, fits = cost(PAIR[0], clients)
    doubled, _ = cost(PAIR[0], 2 * clients)
    new, both = cost(PAIR[1], clients)
    old_full, _ = cost(PAIR[0], np.inf)
    new_full, _ = cost(PAIR[1], np.inf)
    found = rows.assign(
        batch=old / doubled,
        use=USE[1] / USE[0],
        chip=old / new,
        full_chip=old_full / new_full,
        rent_times=rents[PAIR[1]] / rents[PAIR[0]],
    )
    return found.loc[np.asarray(fits & both)].reset_index(drop=True)
