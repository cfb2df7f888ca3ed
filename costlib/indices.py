"""Price indices: what the price book says has happened to prices, in the three senses of the word.

The list price of a tier follows what a vendor calls by one name; the cheapest price is that of
any model on sale; the price at constant quality is the cheapest of the models that a source
calls at least as good as an old one (`data/quality_matches.csv`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from costlib import catalog, kv, pricebook, pricing, roofline, units, work
from costlib._checks import positive
from costlib.tables import UnknownNameError, rows

__all__ = [
    "at_quality",
    "cheapest",
    "falls",
    "implied_batches",
    "steps",
    "tier",
    "tiers",
    "vendors",
    "words_usd",
]

DAYS_PER_YEAR = 365.25


@functools.cache
def _first_tiers() -> pd.DataFrame:
    """Standard prices of short prompts with a day, in the order of their days."""
    table = pricebook.table()
    kept = table[
        (table["service"] == pricebook.STANDARD)
        & (table["above_input_tokens"] == 0)
        & (table["since"] != "")
    ]
    day = pd.to_datetime(kept["since"], format="ISO8601")
    past = kept.assign(day=day)[day <= pd.Timestamp(pricebook.read_on())]
    return past.sort_values(["day", "name"], kind="stable").reset_index(drop=True)


def steps(names: Iterable[str] | None = None) -> pd.DataFrame:
    """Every dated standard price, or those of some models, in the order of their days.

    Returns
    -------
        Rows of `pricebook.table` with `day` as a timestamp; announced prices are left out.
    """
    found = _first_tiers()
    return found if names is None else found[found["name"].isin(list(names))]


def vendors() -> list[str]:
    """Providers that make models of their own, those with most dated prices first."""
    made = _first_tiers()
    return made.loc[made["weights"] == "", "provider"].value_counts().index.tolist()


def tiers() -> list[str]:
    """Names of the tiers of `data/price_tiers.csv`, in its order."""
    return list(dict.fromkeys(row["tier"] for row in rows("price_tiers.csv")))


def tier(name: str) -> pd.DataFrame:
    """List price of a tier: each model's price from its day until the next model of the tier.

    Raises
    ------
    UnknownNameError
        If there is no such tier; the message names those there are.
    """
    models = [row["model"] for row in rows("price_tiers.csv") if row["tier"] == name]
    if not models:
        raise UnknownNameError(f"no tier {name!r}; there are {', '.join(tiers())}")
    return steps(models).assign(tier=name).reset_index(drop=True)


def _lowest(found: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rows that undercut all before them."""
    before = found[column].cummin().shift(fill_value=np.inf)
    return found[found[column] < before].reset_index(drop=True)


def cheapest(column: str = "input_usd_per_mtok") -> pd.DataFrame:
    """Prices that undercut every earlier one of the book, whatever the model can do."""
    return _lowest(_first_tiers(), column)


def at_quality(model: str, column: str = "input_usd_per_mtok") -> pd.DataFrame:
    """Prices that undercut all earlier ones of a model or of what sources call as good.

    Raises
    ------
    UnknownNameError
        If no source compares anything with the model.
    """
    pairs = [(row["model"], row["matches"]) for row in rows("quality_matches.csv")]
    as_good = {model}
    while more := {new for new, old in pairs if old in as_good} - as_good:
        as_good |= more
    if len(as_good) == 1:
        known = ", ".join(sorted({old for _, old in pairs}))
        raise UnknownNameError(f"no source matches anything with {model!r}; some do with {known}")
    return _lowest(steps(as_good), column)


def falls(found: pd.DataFrame, column: str = "input_usd_per_mtok") -> pd.Series[float]:
    """What happened between the first and the last row of an index.

    Returns
    -------
        first and last price, the times between them (above 1: it fell), the years, and the
        yearly fall; NaN where the index has one day only.
    """
    first, last = found[column].iloc[0], found[column].iloc[-1]
    years = (found["day"].iloc[-1] - found["day"].iloc[0]).days / DAYS_PER_YEAR
    yearly = (
        pricing.yearly_fall_fraction(first_usd_per_mtok=first, last_usd_per_mtok=last, years=years)
        if years > 0
        else np.nan
    )
    return pd.Series(
        {"first": first, "last": last, "times": first / last, "years": years, "yearly": yearly}
    )


def words_usd() -> pd.DataFrame:
    """List price of a million English words where the tokenizer's rate is known."""
    found = []
    for row in rows("tokenizers.csv"):
        listed = pricebook.price(row["model"])
        times = 1e6 / row["words_per_mtok"]
        found.append(
            {
                "model": row["model"],
                "words_per_mtok": row["words_per_mtok"],
                "input_usd_per_mtok": listed.input_usd_per_mtok,
                "output_usd_per_mtok": listed.output_usd_per_mtok,
                "input_usd": times * listed.input_usd_per_mtok,
                "output_usd": times * listed.output_usd_per_mtok,
            }
        )
    return pd.DataFrame(found)


def implied_batches(
    output_times: Sequence[float],
    context_tokens: Sequence[float],
    *,
    model: str,
    accelerator: str,
    weight_bits: float,
    cache_bits: float,
    compute_fraction: float,
) -> pd.DataFrame:
    """Batch that each price ratio would stand for on one accelerator, if prices followed costs.

    Parameters
    ----------
    output_times
        Prices of output over input. [-]
    context_tokens
        Lengths of the cache that a token of output reads. [tokens]
    model
        A name of the catalog.
    accelerator
        A name of the catalog.
    weight_bits
        Bits of a weight. [bits]
    cache_bits
        Bits of a cached value. [bits]
    compute_fraction
        Share of the peak that reading a prompt reaches. [-]

    Returns
    -------
        A row per ratio: `times`, and a column per context; infinite where reading the cache
        alone makes output dearer.
    """
    positive("output_times", output_times, finite=True)
    positive("context_tokens", context_tokens, finite=True)
    positive("weight_bits", weight_bits, finite=True)
    positive("cache_bits", cache_bits, finite=True)
    device, of = catalog.accelerator(accelerator), catalog.model(model)
    rate = {"bytes_per_s": device.memory_bytes_per_s}
    total, active = (
        float(
            count(
                **catalog.weight_layers(of, active=only_active),
                embedding_params=of.embedding_params,
            )
        )
        for count, only_active in ((work.total_params, False), (work.active_params, True))
    )
    found = pd.DataFrame({"times": np.asarray(output_times, dtype=np.float64)})
    for context in context_tokens:
        held = kv.sequence_bytes(
            context, **catalog.cache_layers(of), bytes_per_value=cache_bits / units.BITS_PER_BYTE
        )
        found[f"at_{context:.0f}"] = pricing.implied_requests(
            found["times"],
            input_token_s=roofline.flop_s(
                flop=2 * active,
                peak_flop_per_s=device.peak_flop_per_s["bf16"],
                compute_fraction=compute_fraction,
            ),
            weight_s=roofline.transfer_s(
                moved_bytes=total * weight_bits / units.BITS_PER_BYTE, **rate
            ),
            sequence_s=roofline.transfer_s(moved_bytes=held, **rate),
        )
    return found
