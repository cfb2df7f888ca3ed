"""Reading the tables in `data/`: where they lie, and what is refused.

What a cell may hold stands in `costlib.columns`. What is wrong with a table is said with file,
line and column; an unknown name with its nearest names. `costlib.catalog` makes records of the
rows.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import pandas as pd

from costlib._files import csv_rows
from costlib.columns import SCHEMA

__all__ = [
    "TableError",
    "UnknownNameError",
    "by_name",
    "data_path",
    "frame",
    "lookup",
    "rows",
]

MOST_ROWS: Final = 200_000  # of a table of facts
SHOWN_CHARS: Final = 80  # of a cell, in a message


class TableError(ValueError):
    """A table of facts is missing, damaged or incomplete."""


class UnknownNameError(LookupError):
    """A name that no row of the table has."""


# --- files -----------------------------------------------------------------------------------


def data_path(name: str = "") -> Path:
    """Path of a table, in a checkout (`data/`) or in an installation (`costlib/data/`).

    >>> data_path("models.csv").name
    'models.csv'
    """
    package = Path(__file__).resolve().parent
    checkout, installed = package.parent / "data", package / "data"
    folder = installed if installed.is_dir() else checkout
    path = folder / name
    if not path.exists():
        raise TableError(f"{path}: not found; expected it in {checkout} or {installed}")
    return path


def frame(table: str, path: Path | None = None) -> pd.DataFrame:
    """One table as it stands on disk, every cell a text.

    Parameters
    ----------
    table
        File name, such as "accelerators.csv".
    path
        A table of your own with the same columns; by default the one in `data/`.

    Raises
    ------
    TableError
        If the file is missing, unreadable, or lacks a column.
    """
    header, found = _read(table, path or data_path(table))
    return pd.DataFrame([cells for _, cells in found], columns=header, dtype=object)


def _read(table: str, path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Names of the columns, and the rows with the line on which each ends."""
    with csv_rows(path, TableError) as lines:
        _, header = next(lines)
        if missing := [column for column in SCHEMA.get(table, {}) if column not in header]:
            raise TableError(f"{path}: lacks the column {', '.join(missing)}")
        found: list[tuple[int, list[str]]] = []
        for line, cells in lines:
            if len(cells) != len(header):
                raise TableError(
                    f"{path}, line {line}: expected {len(header)} cells, got {len(cells)}"
                )
            if len(found) == MOST_ROWS:
                raise TableError(f"{path}: expected {MOST_ROWS:,} rows at most")
            found.append((line, cells))
    return header, found


def rows(table: str, path: Path | None = None) -> list[dict[str, Any]]:
    """Rows of one table, every cell as what its column holds.

    Raises
    ------
    TableError
        If `frame` refuses the table, a cell does not fit its column, or there is no row.
    """
    path = path or data_path(table)
    schema, found = SCHEMA[table], []
    header, read = _read(table, path)
    for line, texts in read:
        cells = dict(zip(header, texts, strict=True))
        row: dict[str, Any] = {}
        for column, parse in schema.items():
            try:
                row[column] = parse(cells[column])
            except ValueError as expected:
                first = cells[next(iter(schema))][:SHOWN_CHARS] or "no name"
                raise TableError(
                    f"{path}, line {line} ({first}), column {column}: "
                    f"expected {expected}, got {cells[column][:SHOWN_CHARS]!r}"
                ) from None
        found.append(row)
    if not found:
        raise TableError(f"{path}: no rows")
    return found


# --- names -----------------------------------------------------------------------------------


class _HasName(Protocol):
    @property
    def name(self) -> str: ...


Named = TypeVar("Named", bound=_HasName)


def by_name(table: str, records: Iterable[Named]) -> dict[str, Named]:
    """Records by their name, which no two may share."""
    found: dict[str, Named] = {}
    for record in records:
        if record.name in found:
            raise TableError(f"{table}: {record.name!r} stands there twice")
        found[record.name] = record
    return found


def lookup(kind: str, name: str, table: Mapping[str, Named]) -> Named:
    """Record of a name, whose case, spaces and dashes do not matter.

    Raises
    ------
    UnknownNameError
        If there is none; the message names the nearest.
    """

    def plain(text: str) -> str:
        return re.sub(r"[^a-z0-9]", "", text.lower())

    if isinstance(name, str) and name in table:  # as most are asked for
        return table[name]
    by_plain = {plain(known): known for known in table}
    wanted = plain(str(name))  # a parameter of a chapter may be anything
    if wanted in by_plain:
        return table[by_plain[wanted]]
    near = difflib.get_close_matches(wanted, by_plain, n=3, cutoff=0.4)
    near += [known for known in by_plain if wanted and wanted in known and known not in near]
    hint = ", ".join(by_plain[known] for known in near[:5]) or ", ".join(table)
    raise UnknownNameError(f"no {kind} {name!r}; did you mean {hint}?")
