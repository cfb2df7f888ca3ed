"""Price against speed: what a token costs at every speed that a user may be promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from costlib import deploy, pricing, serve, serving, tables, units, validate

__all__ = ["Offer", "batch_gains", "curves", "list_prices", "points", "rents"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Accelerators that serve one copy of a model, and what one of them rents for."""

    accelerator: str
    n_accelerators: int
    weight_format: str
    rent_usd_per_h: float
    engine: str = "vLLM"

    @property
    def words(self) -> str:
        """Name in charts and tables."""
        return f"{self.n_accelerators} {self.accelerator}"


def rents(kind: str) -> dict[str, float]:
    """USD per hour of each accelerator that `data/gpu_prices.csv` lists of a kind.

    >>> rents("spot")["H200"]
    1.45
    """
    found = {
        row["accelerator"]: row["usd_per_h"]
        for row in tables.rows("gpu_prices.csv")
        if row["kind"] == kind
    }
    if not found:
        kinds = sorted({row["kind"] for row in tables.rows("gpu_prices.csv")})
        raise ValueError(f"no rents of the kind {kind!r}; there are {', '.join(kinds)}")
    return found


def curves(
    model: str,
    offers: Sequence[Offer],
    *,
    n_clients: Sequence[float],
    input_tokens: Sequence[float],
    output_tokens: float,
) -> pd.DataFrame:
    """Cost of a million tokens, prompt and answer together, and the speed that each user gets.

    Returns
    -------
        One row per offer, context and number of clients that fit: `user_tokens_per_s`,
        `usd_per_mtok` with the ends of its interval, and both at the speed of light.
    """
    clients, context = (
        grid.ravel()
        for grid in np.meshgrid(
            np.asarray(n_clients, float), np.asarray(input_tokens, float), indexing="ij"
        )
    )
    parts = []
    for offer in offers:
        load = deploy.scenarios(
            model,
            offer.accelerator,
            weight_format=offer.weight_format,
            engine=offer.engine,
            n_accelerators=offer.n_accelerators,
            n_clients=clients,
            input_tokens=context,
            output_tokens=output_tokens,
        )
        done = serve.prediction(load)
        low, high = done.interval["tokens_per_s"]
        whole = (context + output_tokens) / output_tokens  # tokens billed per token written
        cost = {
            name: serving.usd_per_mtok(
                rent_usd_per_h=offer.rent_usd_per_h,
                tokens_per_s=rate * whole,
                n_accelerators=offer.n_accelerators,
            )
            for name, rate in {
                "usd_per_mtok": done.tokens_per_s,
                "usd_low": high,
                "usd_high": low,
                "light_usd_per_mtok": done.light_tokens_per_s,
            }.items()
        }
        parts.append(
            pd.DataFrame(
                {
                    "offer": offer.words,
                    "n_clients": clients,
                    "input_tokens": context,
                    "fits": done.fits & (done.n_running >= clients),
                    "user_tokens_per_s": 1.0 / done.tpot_s,
                    "light_user_tokens_per_s": 1.0 / done.light_tpot_s,
                    **cost,
                }
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows["fits"]].drop(columns="fits").reset_index(drop=True)


def points(
    model: str, offers: Sequence[Offer], *, input_tokens: Sequence[float], output_tokens: float
) -> pd.DataFrame:
    """Published runs of the same offers: speed of a user, and cost at the offer's rent."""
    rows = validate.resolve(validate.read(tables.data_path("measured.csv")))
    rows = rows[(rows["reason"] == "") & (rows["model"] == model)]
    rows = rows[rows["output_tokens"] == output_tokens]
    run = [name for name in validate.ARGUMENTS if name != "model"] + ["software"]
    wide = rows.pivot_table(index=run, columns="metric", values="measured").reset_index()
    wide = wide.dropna(subset=["tpot_ms", "ttft_ms"])
    parts = []
    for offer in offers:
        here = wide[
            (wide["accelerator"] == offer.accelerator)
            & (wide["n_accelerators"] == offer.n_accelerators)
            & (wide["weight_format"] == offer.weight_format)
            & (wide["engine"] == offer.engine)
            & (wide["attention_replicas"] == 1)
            & wide["input_tokens"].isin(list(input_tokens))
        ]
        answer_s = (here["ttft_ms"] + here["tpot_ms"] * output_tokens) / units.MS_PER_S
        rate = here["n_clients"] * (here["input_tokens"] + output_tokens) / answer_s
        parts.append(
            pd.DataFrame(
                {
                    "offer": offer.words,
                    "n_clients": here["n_clients"],
                    "input_tokens": here["input_tokens"],
                    "user_tokens_per_s": units.MS_PER_S / here["tpot_ms"],
                    "usd_per_mtok": serving.usd_per_mtok(
                        rent_usd_per_h=offer.rent_usd_per_h,
                        tokens_per_s=rate.to_numpy(),
                        n_accelerators=offer.n_accelerators,
                    ),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def list_prices(model: str, *, input_tokens: Sequence[float], output_tokens: float) -> pd.DataFrame:
    """What vendors list for the model, per million tokens of prompt and answer together."""
    rows = [row for row in tables.rows("api_prices.csv") if row["name"].startswith(f"{model} at ")]
    return pd.DataFrame(
        [
            {
                "vendor": row["vendor"],
                "fast": row["note"].startswith("Fast tier"),
                "input_tokens": float(prompt),
                "usd_per_mtok": float(
                    pricing.request_usd(
                        input_tokens=prompt,
                        output_tokens=output_tokens,
                        input_usd_per_mtok=row["input_usd_per_mtok"],
                        output_usd_per_mtok=row["output_usd_per_mtok"],
                    )
                )
                / (prompt + output_tokens)
                * units.TOKENS_PER_MTOK,
            }
            for row in rows
            for prompt in input_tokens
        ],
        columns=["vendor", "fast", "input_tokens", "usd_per_mtok"],
    )


def batch_gains(
    model: str,
    offer: Offer,
    *,
    n_clients: Sequence[float],
    input_tokens: float,
    output_tokens: float,
) -> pd.DataFrame:
    """What a larger batch buys over a batch of one: throughput, latency and cost per token."""
    clients = np.asarray(n_clients, float)
    load = deploy.scenarios(
        model,
        offer.accelerator,
        weight_format=offer.weight_format,
        engine=offer.engine,
        n_accelerators=offer.n_accelerators,
        n_clients=np.r_[1.0, clients],
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )
    done = serve.prediction(load)
    found = pd.DataFrame({"n_clients": clients})
    for name, rate, wait in (
        ("", np.asarray(done.tokens_per_s), np.asarray(done.tpot_s)),
        ("light_", np.asarray(done.light_tokens_per_s), np.asarray(done.light_tpot_s)),
    ):
        found[f"{name}throughput_times"] = rate[1:] / rate[0]
        found[f"{name}latency_times"] = wait[1:] / wait[0]
        found[f"{name}saved_fraction"] = 1.0 - rate[0] / rate[1:]
    found["n_running"] = np.asarray(done.n_running)[1:]
    return found
