"""The ledger as a whole: how each row is recomputed, what it comes to, what has changed since.

A row is *recomputed* when a formula or a table of costlib stands in its inputs, *arithmetic* when
it only sets numbers of the source against each other, and *open* when nothing can be recomputed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from costlib import catalog, claims, laws, sites
from costlib.catalog import TableError

__all__ = [
    "KINDS",
    "WITHDRAWN",
    "Change",
    "changes",
    "counts",
    "expression",
    "kind",
    "reason",
    "rulings",
    "unexplained",
]

KINDS: Final = ("recomputed", "arithmetic", "open")
WITHDRAWN: Final = "withdrawn"
HOMES: Final[Mapping[str, Callable[[str], Any]]] = {
    "accelerator": catalog.accelerator,
    "site": sites.facility,
    "law": laws.law,
}
FORMS: Final[Mapping[str, str]] = {
    "quotient": "{of} / {over}",
    "product": "{of} * {by}",
    "reduction": "1 - {part} / {whole}",
}
SECTION: Final = "Numbers that changed"
# why nothing can be recomputed: the first group that fits the row's reason
REASONS: Final[Mapping[str, str]] = {
    "a measurement of somebody else": r"measur|kernel|engine|bench|trace",
    "a forecast, an opinion or advice": r"forecast|opinion|advice|thumb|predict|asked|plan",
    "what others report": r"disclos|quote|statement|survey|count of|private|report|bill",
    "a definition, a date or a limit": r"definition|\bdate|limit|fact|descri|conven|naming|law",
    "no number, or none of its inputs": r"no |not |none|neither|without|names|prints|its |given",
}
# how a statement begins that cannot be read without the one before it
LEANING: Final = re.compile(
    r"(?:The same|Its?|And|…|That is|This|With 18 %, the|So|They|Over six years it|At the same)\b|…"
)
HEADER: Final = ("id", "was", "is", "date", "why")


def _names(function: str, arguments: Any) -> Iterator[str]:
    """Every formula and fact that a row calls, from the outside in."""
    yield function
    pending = list(arguments.values()) if isinstance(arguments, Mapping) else []
    for value in pending:
        yield from _inner(value)


def _inner(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _inner(each)
    elif isinstance(value, Mapping):
        for name, arguments in value.items():
            yield from _names(name, arguments)


def kind(function: str, inputs: str) -> str:
    """How a row comes to its value: "recomputed", "arithmetic" or "open".

    >>> kind("claims.quotient", '{"of": 3, "over": 2}')
    'arithmetic'
    >>> kind("claims.quotient", '{"of": {"accelerator.H100.tdp_w": null}, "over": 2}')
    'recomputed'
    >>> kind("", "")
    'open'
    """
    if not function:
        return "open"
    names = _names(function, json.loads(inputs))
    return "arithmetic" if all(name.startswith("claims.") for name in names) else "recomputed"


def expression(function: str, inputs: str) -> str:
    """What a row computes, as a line of Python that calls costlib.

    >>> expression("kv.kept_tokens", '{"context_tokens": 128000, "window_tokens": 4e9}')
    'kv.kept_tokens(context_tokens=128000, window_tokens=4e9)'
    >>> expression("claims.reduction", '{"part": 1, "whole": {"accelerator.H100.tdp_w": null}}')
    '1 - 1 / catalog.accelerator("H100").tdp_w'
    """
    return _called(function, json.loads(inputs))


def _called(name: str, arguments: Any) -> str:
    module, _, path = name.partition(".")
    if module in claims.FACTS:
        return _fact(module, path, arguments)
    if module == "claims":
        return _arithmetic(path, arguments)
    return f"{name}({_named(arguments)})"


def _named(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={_written(value)}" for key, value in arguments.items())


def _arithmetic(function: str, given: Mapping[str, Any]) -> str:
    if function == "total" and not isinstance(given["parts"], list):
        return f"sum({_written(given['parts'])})"
    if function == "total":
        return " + ".join(_operand(part) for part in given["parts"])
    if function not in FORMS:
        return f"claims.{function}({_named(given)})"
    return FORMS[function].format(**{key: _operand(value) for key, value in given.items()})


def _operand(value: Any) -> str:
    """A value inside a sum or product: in brackets where it is one itself."""
    if isinstance(value, Mapping) and next(iter(value)).startswith("claims."):
        return f"({_written(value)})"
    return _written(value)


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        ((name, arguments),) = value.items()
        return _called(name, arguments)
    if isinstance(value, list):
        return f"[{', '.join(_written(each) for each in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return _number(value) if isinstance(value, int | float) else repr(value)


def _number(value: float) -> str:
    """The shortest of the ways to write a number that all mean the same."""
    if isinstance(value, bool):
        return str(value)
    forms = [repr(value), *(f"{value:.{digits}e}" for digits in range(17))]
    forms = [re.sub(r"e\+?(-?)0*(\d)", r"e\1\2", form) for form in forms]
    if float(value).is_integer() and abs(value) < 1e7:
        forms.insert(0, f"{value:.0f}")
    return min((form for form in forms if float(form) == value), key=len)


def _fact(table: str, path: str, arguments: Any) -> str:
    if table == "price":
        return f"pricebook.price({_named(arguments)}).{path}"
    if table == "place":
        return f'sites.place("{path}", {_named(arguments)})'
    if table == "bands":
        return f'terms.bands({_named(arguments)})["{path}"]'
    name, _, field = path.partition(".")
    if table not in HOMES:
        raise ValueError(f"{table}.{path}: rulings.HOMES does not say where {table!r} is found")
    home = HOMES[table]
    value: Any = home(name)
    written = f'{home.__module__.removeprefix("costlib.")}.{home.__name__}("{name}")'
    for part in field.split("."):
        inside = isinstance(value, Mapping)
        written += f'["{part}"]' if inside else f".{part}"
        value = value[part] if inside else getattr(value, part)
    return written


def reason(because: str) -> str:
    """Group of a reason for which a claim cannot be checked.

    >>> reason("a forecast without inputs"), reason("a disclosure, second hand")
    ('a forecast, an opinion or advice', 'what others report')
    """
    found = (group for group, words in REASONS.items() if re.search(words, because))
    return next(found, "another reason")


def rulings(topic: str | None = None) -> pd.DataFrame:
    """Every row of the ledger, recomputed now.

    Parameters
    ----------
    topic
        A topic of the ledger; all of them by default.

    Returns
    -------
        Columns of `claims.compare`, and topic, kind, expression, source,
        as_of, anchor, `after`: the statement that one leans on, if it does, and `times`: our
        value over the printed one, NaN where one is no number.

    Raises
    ------
    UnknownNameError
        If the topic is not in the ledger.
    """
    table = claims.ledger()
    found = claims.compare(topic=topic).set_index("id", drop=False)
    rows = table.set_index("id", drop=False).loc[found["id"]]
    printed = pd.to_numeric(rows["printed"], errors="coerce").to_numpy(float)
    ours = found["value"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.where((printed != 0) & np.isfinite(ours / printed), ours / printed, np.nan)
    return found.assign(
        topic=rows["topic"],
        kind=[kind(*pair) for pair in zip(rows["function"], rows["inputs"], strict=True)],
        expression=[
            expression(function, inputs) if function else ""
            for function, inputs in zip(rows["function"], rows["inputs"], strict=True)
        ],
        source=rows["source"],
        as_of=rows["as_of"],
        anchor=rows["anchor"],
        after=_leaned_on(table)[rows.index].to_numpy(),
        times=times,
    ).reset_index(drop=True)


def _leaned_on(table: pd.DataFrame) -> pd.Series[str]:
    """Per id: the last statement above that stands by itself, for one that leans on it."""
    said, last = [], ""
    for words in table["statement"]:
        leans = LEANING.match(words)
        said.append(last if leans else "")
        last = last if leans else words
    return pd.Series(said, index=table["id"])


def counts(found: pd.DataFrame) -> pd.DataFrame:
    """Rows by topic, most first, and by verdict, in the order of the ledger's words.

    Parameters
    ----------
    found
        Rows of `rulings`.
    """
    table = pd.crosstab(found["topic"], found["verdict"])
    table = table.reindex(columns=list(claims.VERDICTS), fill_value=0)
    order = table.sum(axis=1).sort_values(ascending=False, kind="stable").index
    return table.loc[order]


# --- what changed ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A number or verdict of the book that is another one since a day."""

    id: str
    was: str
    now: str
    date: str
    why: str


def changes(path: Path) -> list[Change]:
    """Rows under "Numbers that changed" of a changelog, newest first.

    Raises
    ------
    TableError
        If the section or its table is missing, or a row is incomplete; the line is named.
    """
    if not path.is_file():
        raise TableError(f"{path.name}: not found")
    lines = path.read_text("utf-8").splitlines()
    try:
        start = lines.index(f"## {SECTION}")
    except ValueError:
        raise TableError(f"{path.name}: lacks the heading '## {SECTION}'") from None
    found: list[Change] = []
    header = False
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        if line.startswith("## "):
            break
        if not line.startswith("|"):
            continue
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        where = f"{path.name}, line {number}"
        if not header:
            if tuple(cells) != HEADER:
                raise TableError(f"{where}: expected the columns {' | '.join(HEADER)}")
            header = True
        elif set("".join(cells)) <= set("-: "):
            continue
        elif len(cells) != len(HEADER) or not all(cells):
            raise TableError(f"{where}: expected {len(HEADER)} filled cells, got {line!r}")
        elif not re.fullmatch(r"20\d\d-\d\d-\d\d", cells[3]):
            raise TableError(f"{where}: expected a date such as 2026-11-28, got {cells[3]!r}")
        elif cells[1] == cells[2]:
            raise TableError(f"{where}: {cells[0]} was and is {cells[1]!r}: that is no change")
        elif found and cells[3] > found[-1].date:
            raise TableError(f"{where}: expected the newest first, got {cells[3]} below an older")
        else:
            found.append(
                Change(id=cells[0], was=cells[1], now=cells[2], date=cells[3], why=cells[4])
            )
    if not header:
        raise TableError(f"{path.name}: no table under '## {SECTION}'")
    return found


def unexplained(
    now: Mapping[str, str], *, record: Mapping[str, str], told: Iterable[Change]
) -> list[str]:
    """What differs from the record of first verdicts and is not told as a change.

    Parameters
    ----------
    now
        Verdict of every claim and argument, computed.
    record
        The verdict under which each first stood in the book.
    told
        Changes, newest first: a chain from the record to now. Those whose words are no verdicts
        tell of numbers and are left alone.

    Returns
    -------
        One sentence for each difference; empty if all is told.

    Examples
    --------
    >>> unexplained({"pue-010": "fails"}, record={"pue-010": "reproduces"}, told=[])
    ["pue-010 was 'reproduces' and is 'fails': the changelog does not say so"]
    """
    words = {*claims.VERDICTS, "holds", "holds only if", WITHDRAWN}
    stands = dict(record)
    wrong = []
    for change in reversed(list(told)):
        if not {change.was, change.now} & words:
            continue
        if stands.get(change.id) != change.was:
            stood = repr(stands[change.id]) if change.id in stands else "nowhere"
            wrong.append(
                f"{change.id} stood as {stood} before {change.date}, "
                f"and the changelog says {change.was!r}"
            )
        stands[change.id] = change.now
    for name, verdict in now.items():
        if name not in stands:
            wrong.append(f"{name} is new: record it with python tools/verdicts.py --record")
        elif stands[name] != verdict:
            wrong.append(
                f"{name} was {stands[name]!r} and is {verdict!r}: the changelog does not say so"
            )
    wrong += [
        f"{name} is gone: the changelog does not say that it is {WITHDRAWN}"
        for name, verdict in stands.items()
        if name not in now and verdict != WITHDRAWN
    ]
    return wrong
