"""The bill calculator of `api_prices`: one request at list, in the browser and in Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import pricebook
from costlib.charts.controls import Control, initial, params
from costlib.charts.theme import cast, hue, titled, usd
from costlib.charts.vega import expression
from costlib.pricing import request_usd, tier_usd_per_mtok

__all__ = ["bill", "bill_controls", "bill_point", "card", "try_bill"]

PARTS: Final = {
    "fresh input": "blue",
    "from cache": "teal",
    "into cache": "ochre",
    "output": "brown",
}
USD_LABEL: Final = (
    "datum.value < 1e3 ? format(datum.value, '$~g') : format(datum.value / 1e3, '$,~g') + 'K'"
)
SERVICES: Final = ("standard", "batch")
COLUMNS: Final = (
    "input_usd_per_mtok",
    "cached_input_usd_per_mtok",
    "cache_write_usd_per_mtok",
    "output_usd_per_mtok",
)


def card(models: Sequence[str], *, at: str | None = None) -> pd.DataFrame:
    """Rate card: a row per model and service, each price below and above the edge of the tier.

    A model that sells no batches has the standard price in both rows, and `sold` says so.
    """
    found = []
    for model in models:
        services = {row.service for row in pricebook.book() if row.name == model}
        for service in SERVICES:
            asked = service if service in services else pricebook.STANDARD
            low, high = (
                pricebook.price(model, at=at, service=asked, input_tokens=n) for n in (1, 1e7)
            )
            short, long = (
                {column: float(value) for column, value in prices.items()}
                for prices in (
                    pricebook.request_prices(model, 1, at=at, service=asked),
                    pricebook.request_prices(model, 1e7, at=at, service=asked),
                )
            )
            found.append(
                {
                    "model": model,
                    "service": service,
                    "sold": service in services,
                    "tier_tokens": high.above_input_tokens if high != low else np.inf,
                    **{f"short_{column}": short[column] for column in COLUMNS},
                    **{f"long_{column}": long[column] for column in COLUMNS},
                }
            )
    return pd.DataFrame(found)


def bill_controls(models: Sequence[str], **start: float | str) -> tuple[Control, ...]:
    """What the reader can move, from `start`: model, tokens, shares and requests.

    Raises
    ------
    ValueError
        If the model is not among `models`, or a start lies outside its range.
    """
    if start["model"] not in models:
        raise ValueError(f"model must be one of {', '.join(models)}, got {start['model']!r}")

    def at(name: str) -> float:
        return float(start[name])

    return (
        Control(
            parameter="model",
            label="Model",
            unit="",
            value=float(list(models).index(str(start["model"]))),
            options=tuple(float(place) for place in range(len(models))),
            words=tuple(models),
        ),
        Control(
            parameter="input_tokens",
            label="Prompt",
            unit="K tokens",
            value=at("input_tokens") / 1000,
            low=0,
            high=max(500, at("input_tokens") / 1000),
            step=1,
            scale=1000,
        ),
        Control(
            parameter="hit_fraction",
            label="Of it from cache",
            unit="%",
            value=100 * at("hit_fraction"),
            low=0,
            high=100,
            step=1,
            scale=0.01,
        ),
        Control(
            parameter="output_tokens",
            label="Answer",
            unit="tokens",
            value=at("output_tokens"),
            low=0,
            high=max(8000, at("output_tokens")),
            step=50,
        ),
        Control(
            parameter="reasoning_tokens",
            label="Thinking before it",
            unit="tokens",
            value=at("reasoning_tokens"),
            low=0,
            high=max(30_000, at("reasoning_tokens")),
            step=500,
        ),
        Control(
            parameter="batch",
            label="Service",
            unit="",
            value=0.0,
            options=(0.0, 1.0),
            words=("at once", "batch, within a day"),
        ),
        Control(
            parameter="tokenizer_times",
            label="Tokens of your text, against the counts above",
            unit="×",
            value=at("tokenizer_times"),
            low=0.5,
            high=2,
            step=0.05,
        ),
        Control(
            parameter="discount_fraction",
            label="Discount of your contract",
            unit="%",
            value=100 * at("discount_fraction"),
            low=0,
            high=50,
            step=1,
            scale=0.01,
        ),
        Control(
            parameter="n_requests",
            label="Requests a month",
            unit="thousand",
            value=at("n_requests") / 1000,
            low=1,
            high=max(10_000, at("n_requests") / 1000),
            step=1,
            scale=1000,
        ),
    )


def bill(rates: pd.DataFrame, **moved: float) -> dict[str, float]:
    """Monthly bill by part, at the prices of `rates`, and at the list price of the same tokens.

    What is cached is read at its price; the rest of the prompt is written to the cache where any
    of it is cached.
    """
    row = rates.iloc[int(2 * moved["model"] + moved["batch"])]
    plain = rates.iloc[int(2 * moved["model"])]
    tokens = moved["tokenizer_times"] * moved["input_tokens"]

    def at(which: pd.Series[Any], column: str) -> float:
        return float(
            tier_usd_per_mtok(
                tokens,
                tier_tokens=which["tier_tokens"],
                short_usd_per_mtok=which[f"short_{column}"],
                long_usd_per_mtok=which[f"long_{column}"],
            )
        )

    read = moved["hit_fraction"] * moved["input_tokens"]
    written = (moved["input_tokens"] - read) * (moved["hit_fraction"] > 0)
    fresh = (moved["input_tokens"] - read) * (moved["hit_fraction"] == 0)
    more = {
        "tokenizer_times": moved["tokenizer_times"],
        "discount_fraction": moved["discount_fraction"],
    }
    none = dict.fromkeys(("input_tokens", "output_tokens"), 0.0) | {
        column: at(row, column) for column in COLUMNS
    }
    parts = {
        "fresh input": request_usd(**none | {"input_tokens": fresh}, **more),
        "from cache": request_usd(**none | {"input_tokens": read, "cached_tokens": read}, **more),
        "into cache": request_usd(
            **none | {"input_tokens": written, "written_tokens": written}, **more
        ),
        "output": request_usd(
            **none | {"output_tokens": moved["output_tokens"]},
            reasoning_tokens=moved["reasoning_tokens"],
            **more,
        ),
    }
    listed = request_usd(
        input_tokens=moved["input_tokens"],
        output_tokens=moved["output_tokens"],
        input_usd_per_mtok=at(plain, "input_usd_per_mtok"),
        output_usd_per_mtok=at(plain, "output_usd_per_mtok"),
        reasoning_tokens=moved["reasoning_tokens"],
        tokenizer_times=moved["tokenizer_times"],
    )
    n = moved["n_requests"]
    return {name: n * float(part) for name, part in parts.items()} | {"list": n * float(listed)}


def _choice(values: Sequence[float], place: str) -> str:
    told = ", ".join("1 / 0" if np.isinf(value) else repr(float(value)) for value in values)
    return f"[{told}][{place}]"


def try_bill(rates: pd.DataFrame, controls: Sequence[Control]) -> Any:
    """The month's bill by part, recomputed in the browser; in words beside its share of list."""
    moved = {control.parameter: control.expression for control in controls}
    place, plain = "2 * model + batch", "2 * model"

    def at(column: str, which: str) -> str:
        return expression(
            tier_usd_per_mtok,
            input_tokens=f"({moved['tokenizer_times']}) * ({moved['input_tokens']})",
            tier_tokens=_choice(list(rates["tier_tokens"]), which),
            short_usd_per_mtok=_choice(list(rates[f"short_{column}"]), which),
            long_usd_per_mtok=_choice(list(rates[f"long_{column}"]), which),
        )

    prices = {column: f"price_{number}" for number, column in enumerate(COLUMNS)}
    more = {name: moved[name] for name in ("tokenizer_times", "discount_fraction")}
    fresh = f"({moved['input_tokens']} - read) * ({moved['hit_fraction']} == 0)"
    written = f"({moved['input_tokens']} - read) * ({moved['hit_fraction']} > 0)"

    def part(**tokens: str) -> str:
        given: dict[str, str | float] = {"input_tokens": 0.0, "output_tokens": 0.0, **tokens}
        return expression(request_usd, **given, **prices, **more)

    parts = [
        part(input_tokens=fresh),
        part(input_tokens="read", cached_tokens="read"),
        part(input_tokens=written, written_tokens=written),
        part(output_tokens=moved["output_tokens"], reasoning_tokens=moved["reasoning_tokens"]),
    ]
    listed = expression(
        request_usd,
        input_tokens=moved["input_tokens"],
        output_tokens=moved["output_tokens"],
        reasoning_tokens=moved["reasoning_tokens"],
        tokenizer_times=moved["tokenizer_times"],
        input_usd_per_mtok=at("input_usd_per_mtok", plain),
        output_usd_per_mtok=at("output_usd_per_mtok", plain),
    )
    names = list(PARTS)
    signals = [f"part_{number}" for number in range(len(parts))]
    bars = (
        alt.Chart(alt.sequence(0, len(parts), 1, as_="i"))
        .transform_calculate(part=f"{names!r}[datum.i]", usd=f"[{', '.join(signals)}][datum.i]")
        .transform_calculate(text="format(datum.usd, datum.usd < 100 ? '$.2f' : '$,.0f')")
    )
    y = alt.Y("part:N", title=None, sort=names).axis(labelFontSize=13)
    x = alt.X("usd:Q", title="USD a month").axis(labelExpr=USD_LABEL)
    color = alt.Color("part:N", scale=cast(PARTS), legend=None)
    sold = [int(one) for one in rates["sold"]]
    month = f"({' + '.join(signals)})"
    spoken = (
        f"{list(rates['model'][::2])!r}[model] + (batch == 1 ? ({sold!r}[{place}] ? ', as a batch' "
        ": ', which sells no batches: standard price') : '') + ': ' + "
        "format(month_usd, month_usd < 100 ? '$.2f' : '$,.0f') + ' a month, ' + "
        f"format(month_usd / ({moved['n_requests']}), month_usd / ({moved['n_requests']}) < 0.01 "
        "? '$.5f' : '$.4f') + ' a request, ' + "
        "(list_usd > 0 ? format(100 * month_usd / list_usd, '.0f') + '\u00a0% of list' : "
        f"'nothing is asked') + ({_choice(list(rates['tier_tokens']), place)} < "
        f"{moved['tokenizer_times']} * {moved['input_tokens']} ? '; the long tier prices every "
        "token of the request.' : '.')"
    )
    start = bill(rates, **initial(controls))
    listed_usd = start.pop("list")
    total = sum(start.values())
    return titled(
        alt.layer(
            bars.mark_bar(height=26).encode(x, y, color),
            bars.mark_text(align="left", dx=5, fontWeight=600, color=hue("ink")).encode(
                x, y, text="text:N"
            ),
        ).add_params(
            *params(controls),
            *(alt.param(name, expr=at(column, place)) for column, name in prices.items()),
            alt.param("read", expr=f"{moved['hit_fraction']} * {moved['input_tokens']}"),
            *(
                alt.param(name, expr=f"{moved['n_requests']} * ({one})")
                for name, one in zip(signals, parts, strict=True)
            ),
            alt.param("list_usd", expr=f"{moved['n_requests']} * ({listed})"),
            alt.param("month_usd", expr=month),
            alt.param("readout", expr=spoken),
        ),
        title="Your bill: which tokens make it?",
        subtitle="USD a month by kind of token, at list less your discount",
        description="Interactive bars of a monthly bill by kind of token. With the chapter's "
        f"numbers {usd(total)} a month, {100 * total / listed_usd:.0f} % of list.",
        note="Recomputed in your browser by the library’s own bill of a request. Where part of "
        "the prompt comes from the cache, the rest is written to it.",
        height=230,
    )


def bill_point(rates: pd.DataFrame, **moved: float) -> Any:
    """The same bill computed in Python."""
    found = bill(rates, **moved)
    listed = found.pop("list")
    total = sum(found.values())
    rows = pd.DataFrame({"part": list(found), "usd": [round(v, 2) for v in found.values()]})
    row = rates.iloc[int(2 * moved["model"] + moved["batch"])]
    unsold = "" if row["sold"] else ", which sells no batches: standard price"
    share = f"{100 * total / listed:.0f} % of list" if listed else "nothing is asked"
    return titled(
        alt.Chart(rows)
        .mark_bar(height=26)
        .encode(
            alt.X("usd:Q", title="USD a month").axis(labelExpr=USD_LABEL),
            alt.Y("part:N", title=None, sort=list(PARTS)),
            alt.Color("part:N", scale=cast(PARTS), legend=None),
        ),
        title=f"{row['model']}{unsold}: {usd(total)} a month, {share}",
        subtitle=f"{usd(total / moved['n_requests'])} a request",
        description="Bars of a monthly bill by kind of token.",
        height=200,
    )
