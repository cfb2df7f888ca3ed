"""The price book against the package genai-prices: what moved since, written on request.

    python tools/prices.py            what differs between data/api_prices.csv and the package
    python tools/prices.py --write    append a row for every price that moved

The package is optional: pip install "costlib[prices]". It is read and never updated from the
network. Only rows that carry its key as their source are compared; history is appended to, never
rewritten. What the package cannot say (see `traps`) stays as the book has it.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from costlib import pricebook
from costlib.columns import SCHEMA
from costlib.pricebook import PRICES, Price
from costlib.tables import data_path

SOURCE: Final = "genaiprices2026"
PROVIDERS: Final[Mapping[str, str]] = {
    "Anthropic": "anthropic",
    "AWS": "aws",
    "Azure": "azure",
    "Cerebras": "cerebras",
    "DeepSeek": "deepseek",
    "Fireworks": "fireworks",
    "Google": "google",
    "Groq": "groq",
    "Mistral": "mistral",
    "Moonshot AI": "moonshotai",
    "OpenAI": "openai",
    "Together": "together",
    "xAI": "x-ai",
    "Z.ai": "zai",
}
# What the package calls a price, and what the book does.
FIELDS: Final = dict(
    zip(
        (
            "input_mtok",
            "cache_read_mtok",
            "cache_write_mtok",
            "cache_write_1h_mtok",
            "output_mtok",
        ),
        PRICES,
        strict=True,
    )
)
SERVICES: Final[Mapping[str, str]] = {
    "processing=batch": "batch",
    "service_tier=flex": "flex",
    "service_tier=priority": "priority",
    "service_tier=fast": "fast",
    "speed=fast": "fast",
}


def listed(model: Any) -> Iterator[dict[str, Any]]:
    """Rows of one model of the package: service, tier, valid_from and the five prices.

    A window of the day is the service "peak" and carries no date: the package cannot say from
    which day on it holds.
    """
    prices = model.prices if isinstance(model.prices, list) else [None]
    for one in prices:
        constraint = getattr(one, "constraint", None)
        start = getattr(constraint, "start_date", None)
        service = "peak" if hasattr(constraint, "start_time") else pricebook.STANDARD
        yield from _tiers(model.prices if one is None else one.prices, service, start)
    for variant in model.price_variants or []:
        when = "&".join(f"{key}={value}" for key, value in variant.when.items())
        if when in SERVICES:
            start = getattr(variant.constraint, "start_date", None)
            yield from _tiers(variant.prices, SERVICES[when], start)


def _tiers(prices: Any, service: str, start: date | None) -> Iterator[dict[str, Any]]:
    by_field = {field: getattr(prices, field, None) for field in FIELDS}
    edges = {0} | {
        tier.start for value in by_field.values() for tier in getattr(value, "tiers", [])
    }
    for edge in sorted(edges):
        yield {
            "service": service,
            "above_input_tokens": float(edge),
            "valid_from": start.isoformat() if start else "",
            **{FIELDS[field]: _at(value, edge) for field, value in by_field.items()},
        }


def _at(value: Any, edge: int) -> float:
    if value is None:
        return math.nan
    if not hasattr(value, "tiers"):
        return float(value)
    held = [tier.price for tier in value.tiers if tier.start <= edge]
    return float(held[-1] if held else value.base)


def drift(
    rows: Iterable[Price], package: Mapping[tuple[str, str], Any], *, today: str
) -> list[dict[str, Any]]:
    """Prices that the package lists on a day and the book does not, one row each.

    Parameters
    ----------
    rows
        Rows of the book.
    package
        Models of the package by provider and id.
    today
        The day, as YYYY-MM-DD; what the package lists for later is left out.
    """
    latest: dict[tuple[str, str, str, float], Price] = {}
    for row in sorted(rows, key=lambda row: row.valid_from):
        if row.source.split(";")[0] == SOURCE and row.valid_from <= today:
            latest[row.provider, row.listed_as, row.service, row.above_input_tokens] = row
    now = {
        (provider, listed_as): _held(package[PROVIDERS[provider], listed_as], today)
        for provider, listed_as in {key[:2] for key in latest}
        if (PROVIDERS[provider], listed_as) in package
    }
    moved = []
    for (provider, listed_as, service, edge), row in latest.items():
        tiers = now.get((provider, listed_as), {}).get(service, [])
        below = [tier for tier in tiers if tier["above_input_tokens"] <= edge]
        offered = below[-1] if below else None  # a tier that was given up costs what lies below
        if offered is None:
            offered = {**dict.fromkeys(PRICES, math.nan), "valid_from": ""}
            moved.append({"row": row, "gone": True, **offered})
        elif any(_differs(getattr(row, price), offered[price]) for price in PRICES):
            moved.append({"row": row, "gone": False, **offered})
    return moved


def _held(model: Any, today: str) -> dict[str, list[dict[str, Any]]]:
    """Tiers of each service that a model of the package has on a day, the shortest first."""
    by_service: dict[str, list[dict[str, Any]]] = {}
    for row in listed(model):
        if row["valid_from"] <= today:
            by_service.setdefault(row["service"], []).append(row)
    return {
        service: [row for row in rows if row["valid_from"] == max(r["valid_from"] for r in rows)]
        for service, rows in by_service.items()
    }


def _differs(mine: float, theirs: float) -> bool:
    if math.isnan(mine) or math.isnan(theirs):
        return math.isnan(mine) != math.isnan(theirs)
    return not math.isclose(mine, theirs, rel_tol=1e-9)


def told(change: Mapping[str, Any]) -> str:
    """One line on a price that moved."""
    row = change["row"]
    edge = f" above {row.above_input_tokens:,.0f}" if row.above_input_tokens else ""
    head = f"{row.model} at {row.provider}, {row.service}{edge}: "
    if change["gone"]:
        return head + "no longer listed"
    pairs = [(price, getattr(row, price), change[price]) for price in PRICES]
    return head + ", ".join(
        f"{price.removesuffix('_usd_per_mtok')} {mine:g} -> {theirs:g}"
        for price, mine, theirs in pairs
        if _differs(mine, theirs)
    )


def installed() -> dict[tuple[str, str], Any]:
    """Models of the installed package by provider and id.

    Raises
    ------
    SystemExit
        If the package is missing; the message says how to get it.
    """
    try:
        from genai_prices.data import providers
    except ImportError:
        sys.exit('genai-prices is not installed: pip install "costlib[prices]"')
    return {(provider.id, model.id): model for provider in providers for model in provider.models}


def appended(changes: Iterable[Mapping[str, Any]], path: Path, *, today: str) -> int:
    """Write a row for every price that moved at the end of the book; its other rows stay."""
    columns = list(SCHEMA["api_prices.csv"])
    n = 0
    with path.open("a", encoding="utf-8", newline="") as book:
        writer = csv.DictWriter(book, columns, lineterminator="\n")
        for change in changes:
            if change["gone"]:
                continue
            old = {column: getattr(change["row"], column) for column in columns}
            new = {price: change[price] for price in PRICES}
            start = change["valid_from"] or today
            note = "" if change["valid_from"] else "The day is that of the reading."
            row = old | new | {"valid_from": start, "as_of": today, "note": note}
            writer.writerow({column: _cell(value) for column, value in row.items()})
            n += 1
    return n


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else f"{value:.10g}"


def main() -> None:
    """Print what moved, and write it where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="append what moved to the book")
    chosen = parser.parse_args()
    today = date.today().isoformat()
    changes = drift(pricebook.book(), installed(), today=today)
    for change in changes:
        print(told(change))
    if chosen.write:
        path = data_path("api_prices.csv")
        print(f"{appended(changes, path, today=today)} rows appended to {path}")
    else:
        print(f"{len(changes)} prices moved since {pricebook.read_on()}")


if __name__ == "__main__":
    main()
