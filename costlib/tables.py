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
from typing import Any, Protocol, TypeVar

import pandas as pd

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
    path = path or data_path(table)
    try:
        text = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise TableError(f"{path}: not found") from None
    except (ValueError, OSError) as why:  # pandas' parser errors are ValueErrors
        raise TableError(f"{path}: not a readable CSV table ({why})") from None
    wanted = SCHEMA.get(table, {})
    if missing := [column for column in wanted if column not in text]:
        raise TableError(f"{path}: lacks the column {', '.join(missing)}")
    return text.map(str.strip)


def rows(table: str, path: Path | None = None) -> list[dict[str, Any]]:
    """Rows of one table, every cell as what its column holds.

    Raises
    ------
    TableError
        If `frame` refuses the table, a cell does not fit its column, or there is no row.
    """
    text = frame(table, path)
    schema, found = SCHEMA[table], []
    for line, cells in enumerate(text.to_dict("records"), start=2):
        row: dict[str, Any] = {}
        for column, parse in schema.items():
            try:
                row[column] = parse(cells[column])
            except ValueError as expected:
                first = cells[next(iter(schema))] or "no name"
                raise TableError(
                    f"{path or data_path(table)}, line {line} ({first}), column {column}: "
                    f"expected {expected}, got {cells[column]!r}"
                ) from None
        found.append(row)
    if not found:
        raise TableError(f"{path or data_path(table)}: no rows")
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

    by_plain = {plain(known): known for known in table}
    wanted = plain(name)
    if wanted in by_plain:
        return table[by_plain[wanted]]
    near = difflib.get_close_matches(wanted, by_plain, n=3, cutoff=0.4)
    near += [known for known in by_plain if wanted and wanted in known and known not in near]
    hint = ", ".join(by_plain[known] for known in near[:5]) or ", ".join(table)
    raise UnknownNameError(f"no {kind} {name!r}; did you mean {hint}?")
