"""The ledger: what sources claim, recomputed from its inputs, with a computed verdict.

A row of `data/claims.csv` names a public function of costlib and its inputs as JSON. An input is
a number, a list of numbers, `{"module.function": {inputs}}` for the output of another function,
`{"accelerator.H100.tdp_w": null}` for a fact of the catalog, `{"site.aws-2025.value": null}` or
`{"place.fra": {"quantity": "g_per_kwh"}}` for one of a building or a grid,
`{"law.Refit.floor_loss": null}` for one of a scaling law,
`{"bands.band_usd_per_gb": {"provider": "AWS"}}` for the bands of a way out, or
`{"price.output_usd_per_mtok": {"model": "gpt-4o", "at": "2024-06"}}` for one of the price book.
The value that the source prints is never among them. No verdict stands in a row: it follows
from the value and from `basis`, which says whose inputs they are.
"""

from __future__ import annotations

import functools
import json
import math
import re
import sys
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from costlib import (
    adapters,
    availability,
    batching,
    carbon,
    cascading,
    catalog,
    charges,
    clipping,
    compaction,
    coupling,
    demand,
    depreciation,
    drafts,
    egress,
    energy,
    experts,
    facility,
    finance,
    fleet,
    holding,
    impairment,
    kv,
    latency,
    laws,
    lifetime,
    links,
    markets,
    menus,
    outages,
    paging,
    pricebook,
    pricing,
    quantizing,
    queueing,
    recall,
    recurrence,
    reuse,
    roofline,
    routing,
    scaling,
    serving,
    sessions,
    shrinking,
    significance,
    sites,
    staffing,
    tariffs,
    tco,
    terms,
    tiers,
    training,
    units,
    usage,
    utilisation,
    work,
)
from costlib._checks import number
from costlib.catalog import TableError, UnknownNameError, data_path

__all__ = [
    "COLUMNS",
    "UNITS",
    "VERDICTS",
    "compare",
    "ledger",
    "product",
    "quotient",
    "recomputed",
    "reduction",
    "rounds_to",
    "total",
    "verdict",
    "whole",
]

COLUMNS: Final = (
    "id",
    "topic",
    "statement",
    "printed",
    "unit",
    "function",
    "inputs",
    "basis",
    "because",
    "anchor",
    "source",
    "as_of",
)
SIDES: Final = {">": "above", "<": "below"}  # of a claim that gives a direction
WORDY: Final = 1e15  # from here on a number keeps its power of ten
VERDICTS: Final = ("reproduces", "reproduces if", "contradicted", "fails", "not checkable")
# whose inputs a row has: the source's own and published facts, or some that it leaves out
BASES: Final = ("stated", "assumed")

# unit in which a source prints: base units that it stands for
UNITS: Final[Mapping[str, float]] = {
    "": 1.0,
    "users": 1.0,
    "GPUs": 1.0,
    "chips": 1.0,
    "times": 1.0,
    "bits": 1.0,
    "billion": 1e9,
    "%": 0.01,
    "MB": units.MB,
    "GB": units.GB,
    "GB/s": units.GB,
    "TB/s": units.TB,
    "KiB/token": units.KIB,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "tokens": 1.0,
    "tokens/s": 1.0,
    "TFLOP/s": units.TFLOP,
    "FLOP/byte": 1.0,
    "USD": 1.0,
    "USD/Mtok": 1.0,
    "USD/h": 1.0,
    "hours": 1.0,
    "minutes": 1.0,
    "months": 1.0,
    "years": 1.0,
    "bytes": 1.0,
    "kW": 1e3,
    "MW": 1e6,
    "GW": 1e9,
    "g/kWh": 1.0,
    # The row divides by what these scale by: its sentence speaks so.
    "thousand USD": 1.0,
    "million USD": 1.0,
    "million tokens": 1.0,
    "million requests": 1.0,
    "million parameters": 1.0,
    "trillion tokens": 1.0,
    "trillion words": 1.0,
    "TB": 1.0,
    "GPU-years": 1.0,
    "petaflop/s-days": 1.0,
    "reuses": 1.0,
    "requests/s": 1.0,
}

MODULES: Final[Mapping[str, Any]] = {
    "kv": kv,
    "work": work,
    "roofline": roofline,
    "serving": serving,
    "shrinking": shrinking,
    "pricing": pricing,
    "reuse": reuse,
    "drafts": drafts,
    "energy": energy,
    "experts": experts,
    "latency": latency,
    "batching": batching,
    "links": links,
    "paging": paging,
    "compaction": compaction,
    "quantizing": quantizing,
    "recall": recall,
    "recurrence": recurrence,
    "tiers": tiers,
    "sessions": sessions,
    "queueing": queueing,
    "staffing": staffing,
    "clipping": clipping,
    "routing": routing,
    "cascading": cascading,
    "coupling": coupling,
    "significance": significance,
    "demand": demand,
    "usage": usage,
    "markets": markets,
    "tariffs": tariffs,
    "menus": menus,
    "finance": finance,
    "charges": charges,
    "depreciation": depreciation,
    "holding": holding,
    "impairment": impairment,
    "tco": tco,
    "fleet": fleet,
    "facility": facility,
    "utilisation": utilisation,
    "carbon": carbon,
    "scaling": scaling,
    "lifetime": lifetime,
    "training": training,
    "adapters": adapters,
    "laws": laws,
    "availability": availability,
    "outages": outages,
    "egress": egress,
    "claims": sys.modules[__name__],
}
FACTS: Final = ("accelerator", "price", "site", "place", "law", "bands")


def quotient(*, of: float, over: float) -> float:
    """One value over another: the ratio that a source prints."""
    if not number("over", over):
        raise ValueError("over must not be 0")
    return float(number("of", of) / number("over", over))


def product(*, of: float, by: float) -> float:
    """One value times another."""
    return float(number("of", of) * number("by", by))


def total(*, parts: ArrayLike) -> float:
    """Sum of values."""
    return float(np.sum(number("parts", parts)))


def reduction(*, part: float, whole: float) -> float:
    """Share of the whole that is saved when a part of it remains."""
    if not number("whole", whole):
        raise ValueError("whole must not be 0")
    return float(1 - number("part", part) / number("whole", whole))


def whole(*, of: float) -> float:
    """A value without its fraction, as a source prints it that cuts and does not round."""
    return float(np.floor(number("of", of)))


def recomputed(function: str, inputs: str) -> float:
    """Value of a row: the named function applied to its inputs.

    Raises
    ------
    ValueError
        If the JSON, the function or an argument does not fit; the message says which.

    Examples
    --------
    >>> recomputed("serving.n_users", '{"pool_bytes": 39e9, "sequence_bytes": 2e7}')
    1950.0
    """
    try:
        arguments = json.loads(inputs)
    except json.JSONDecodeError as why:
        raise ValueError(f"inputs are not JSON: {why}") from None
    return float(_called(function, arguments))


def _called(name: str, arguments: Any) -> Any:
    module, _, function = name.partition(".")
    if module in FACTS:
        return _fact(module, function, arguments)
    home = MODULES.get(module)
    if home is None or function not in home.__all__:
        raise ValueError(f"{name!r} is no public function of costlib")
    target = getattr(home, function)
    if not isinstance(arguments, dict):
        raise ValueError(f"{name} takes its inputs by name, got {arguments!r}")
    values = {key: _valued(value) for key, value in arguments.items()}
    try:
        return target(**values)
    except TypeError as why:
        raise ValueError(f"{name}: {why}") from None


def _fact(table: str, path: str, arguments: Any) -> Any:
    if table == "price":
        return getattr(pricebook.price(**arguments), path)
    if table == "place":
        return sites.place(path, **arguments)
    if table == "bands":
        return terms.bands(**arguments)[path]
    name, _, field = path.partition(".")
    named: Mapping[str, Callable[[str], Any]] = {
        "accelerator": catalog.accelerator,
        "site": sites.facility,
        "law": laws.law,
    }
    value = named[table](name)
    for part in field.split("."):
        value = value[part] if isinstance(value, Mapping) else getattr(value, part)
    return value


def _valued(value: Any) -> Any:
    if isinstance(value, dict):
        ((name, arguments),) = value.items()
        return _called(name, arguments)
    if isinstance(value, list):
        return [_valued(each) for each in value]
    return value


def verdict(value: float, *, printed: str, basis: str) -> str:
    """Verdict of a row: whether its value meets what the source prints, and on whose inputs.

    Parameters
    ----------
    value
        Recomputed, in the source's unit; NaN where nothing can be.
    printed
        As the source prints it.
    basis
        "stated" where all inputs are the source's own or published facts, "assumed" where some
        are what it leaves out.

    >>> verdict(19.84, printed="19.84", basis="stated"), verdict(59, printed="59", basis="assumed")
    ('reproduces', 'reproduces if')
    >>> verdict(19.9, printed="19.84", basis="stated"), verdict(58, printed="59", basis="assumed")
    ('contradicted', 'fails')
    >>> verdict(math.nan, printed="", basis="")
    'not checkable'
    """
    if math.isnan(value):
        return "not checkable"
    met = rounds_to(value, printed)
    if basis == "stated":
        return "reproduces" if met else "contradicted"
    return "reproduces if" if met else "fails"


def rounds_to(value: float, printed: str) -> bool:
    """Whether a value, rounded to the digits that a source prints, is what it prints.

    A claim that gives a direction and no number is written as a bound: ">1" is met by what lies
    above. A word is never met.

    >>> rounds_to(19.8413, "19.84"), rounds_to(59.0, "58"), rounds_to(2473, "2.5e3")
    (True, False, True)
    >>> rounds_to(2.5, ">1"), rounds_to(0.098, "negligible")
    (True, False)
    """
    if printed[:1] in SIDES and _is_number(printed[1:]):
        side, bound = SIDES[printed[0]], float(printed[1:])
        return value > bound if side == "above" else value < bound
    if not _is_number(printed):
        return False
    number = Decimal(printed)
    half = Decimal(1).scaleb(int(number.as_tuple().exponent)) / 2
    return math.isfinite(value) and abs(Decimal(value) - number) <= half * Decimal("1.000001")


@functools.cache
def ledger(path: Path | None = None) -> pd.DataFrame:
    """Every row of the ledger, checked for form; the values are computed by `compare`.

    Raises
    ------
    TableError
        If a row is incomplete or holds an unknown word; the message names line and column.
    """
    path = path or data_path("claims.csv")
    table = catalog.frame("claims.csv", path)
    if missing := [column for column in COLUMNS if column not in table]:
        raise TableError(f"{path}: lacks the column {', '.join(missing)}")
    for line, row in enumerate(table.to_dict("records"), start=2):
        if wrong := _wrong(row):
            column, expected = wrong
            raise TableError(
                f"{path}, line {line} ({row['id'] or 'no id'}), column {column}: "
                f"expected {expected}, got {row[column]!r}"
            )
    if table["id"].duplicated().any():
        twice = table.loc[table["id"].duplicated(), "id"].iloc[0]
        raise TableError(f"{path}: the id {twice!r} stands there twice")
    return table[list(COLUMNS)]


def _wrong(row: Mapping[Any, str]) -> tuple[str, str] | None:
    """First column of a row that breaks the schema, and what was expected."""
    checkable = row["basis"] != ""
    rules = {
        "id": (re.fullmatch(r"[a-z0-9-]+", row["id"]), "an id of a-z, 0-9 and dashes"),
        "topic": (row["topic"], "a topic"),
        "statement": (row["statement"], "the claim in our words"),
        "printed": (not checkable or row["printed"], "the number or word that the source prints"),
        "unit": (row["unit"] in UNITS, f"one of {', '.join(filter(None, UNITS))}, or nothing"),
        "function": (bool(row["function"]) == checkable, "a function, where it is checkable"),
        "inputs": (bool(row["inputs"]) == checkable, "inputs, where it is checkable"),
        "basis": (row["basis"] in (*BASES, ""), f"one of {', '.join(BASES)}, or nothing"),
        "because": (row["basis"] == "stated" or row["because"], "the assumption or reason"),
        "source": (row["source"], "a key of the bibliography"),
        "as_of": (re.fullmatch(r"20\d\d(-\d\d){0,2}", row["as_of"]), "a date"),
    }
    return next(((column, rule[1]) for column, rule in rules.items() if not rule[0]), None)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?(e\d+)?", text) is not None


def compare(ids: Collection[str] | None = None, *, topic: str | None = None) -> pd.DataFrame:
    """Source against recomputation, row by row, ready for a table.

    Parameters
    ----------
    ids
        Rows in this order; all rows of `topic` by default.
    topic
        A topic of the ledger.

    Returns
    -------
        id, statement, printed and ours (with one digit more) as texts in the source's unit,
        unit, value (a number in that unit, NaN where not checkable), verdict and because.

    Raises
    ------
    UnknownNameError
        If an id or the topic is not in the ledger.
    """
    table = ledger().set_index("id", drop=False)
    if ids is not None:
        if stray := [wanted for wanted in ids if wanted not in table.index]:
            raise UnknownNameError(f"no claim {stray[0]!r} in the ledger")
        table = table.loc[list(ids)]
    if topic is not None:
        table = table[table["topic"] == topic]
        if table.empty:
            known = ", ".join(sorted(set(ledger()["topic"])))
            raise UnknownNameError(f"no claims on {topic!r}; the ledger has {known}")
    values = [
        recomputed(row["function"], row["inputs"]) / UNITS[row["unit"]]
        if row["function"]
        else np.nan
        for row in table.to_dict("records")
    ]
    shown = [
        _one_digit_more(value, printed)
        for value, printed in zip(values, table["printed"], strict=True)
    ]
    return pd.DataFrame(
        {
            "id": table["id"],
            "statement": table["statement"],
            "printed": [_plain(printed) for printed in table["printed"]],
            "ours": shown,
            "unit": table["unit"],
            "value": values,
            "verdict": [
                verdict(value, printed=printed, basis=basis)
                for value, printed, basis in zip(
                    values, table["printed"], table["basis"], strict=True
                )
            ],
            "because": table["because"],
        }
    ).reset_index(drop=True)


def _plain(printed: str) -> str:
    if printed[:1] in SIDES:
        return f"{SIDES[printed[0]]} {_plain(printed[1:])}"
    if _is_number(printed) and float(printed) < WORDY:
        return f"{Decimal(printed):,f}"
    return printed or "—"


def _one_digit_more(value: float, printed: str) -> str:
    """Ours with one decimal more than the source prints; whole numbers of things stay whole."""
    if math.isnan(value):
        return "—"
    if not _is_number(printed) or abs(value) < float(printed) / 100:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if float(printed) >= WORDY:
        return f"{value:.{len(Decimal(printed).as_tuple().digits)}e}".replace("e+", "e")
    exponent = int(Decimal(printed).as_tuple().exponent)
    whole = exponent >= 0 and float(value).is_integer()
    return f"{value:,.{0 if whole else max(1 - exponent, 0)}f}"
