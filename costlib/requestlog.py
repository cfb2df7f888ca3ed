"""A log of requests of one's own: CSV or JSON lines, checked row by row, in bounded memory.

Needed are a time, input tokens and output tokens; a session, a user, a prefix, cached tokens and
block hashes are used where they are there. Column names are matched without case, spaces and
signs, against `NAMES`. Other columns, a prompt's text among them, are passed over and not kept; of
ids only numbers are kept. Nothing in a file is executed.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import json
import math
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costlib._checks import count
from costlib._files import FIELD_CHARS, LINE_CHARS, lines, opened, printable
from costlib.units import SECONDS_PER_DAY
from costlib.workloads import Requests

__all__ = ["NAMES", "BadRow", "Log", "LogError", "read"]

# what a column is for: how it may be called; the first that a file has is taken
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "time": (
        *("timestamp", "time", "arrival_s", "arrival_time", "arrived_at", "request_time"),
        *("start_time", "datetime", "created", "created_at", "ts"),
        *("timestamp_ms", "time_ms", "arrival_ms", "ts_ms"),
    ),
    "input": (
        *("input_tokens", "context_tokens", "prompt_tokens", "input_length", "request_tokens"),
        *("num_prefill_tokens", "n_input_tokens", "input_len", "prompt_len", "in_tokens"),
        *("usage.input_tokens", "usage.prompt_tokens"),
    ),
    "output": (
        *("output_tokens", "generated_tokens", "completion_tokens", "output_length"),
        *("response_tokens", "num_decode_tokens", "n_output_tokens", "output_len", "out_tokens"),
        *("usage.output_tokens", "usage.completion_tokens"),
    ),
    "session": ("session", "session_id", "conversation", "conversation_id", "chat_id", "thread_id"),
    "user": ("user", "user_id"),
    "prefix": ("prefix", "prefix_id", "prefix_hash", "prompt_hash"),
    "cached": (
        *("cached_tokens", "cached_input_tokens", "cache_read_input_tokens"),
        *("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens"),
        *("usage.prompt_tokens_details.cached_tokens", "usage.cache_read_input_tokens"),
        "usage.input_tokens_details.cached_tokens",
    ),
    "written": ("cache_creation_input_tokens", "usage.cache_creation_input_tokens"),
    "blocks": ("hash_ids",),
}
NEEDED: Final = {"time": "a time", "input": "input tokens", "output": "output tokens"}
TOKENS: Final = ("input", "output", "cached", "written")
IDS: Final = ("session", "user", "prefix")

MOST_TOKENS: Final = 1e9  # of one request; more is a slip
LONGEST_S: Final = 100 * 365.25 * SECONDS_PER_DAY  # between a row and the first; more is a slip
CHUNK_ROWS: Final = 65_536
KEPT: Final = 20  # bad rows that are described

EPOCHS: Final = (  # size of a number that counts from 1970, seconds in its unit, its name
    (1e17, 1e-9, "nanoseconds since 1970"),
    (1e14, 1e-6, "microseconds since 1970"),
    (1e11, 1e-3, "milliseconds since 1970"),
    (1e8, 1.0, "seconds since 1970"),
)


class LogError(ValueError):
    """A log cannot be read, or has a bad row and was not allowed any; one line."""


class _HeaderError(LogError):
    """The columns do not say what is needed; the file is named by who catches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that was not used: where it stands, what was expected, what was found."""

    line: int
    column: str
    expected: str
    got: str

    def __str__(self) -> str:
        """The row in one line."""
        column = f", column {self.column}" if self.column else ""
        return f"line {self.line}{column}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a log holds: requests from time 0 on, sorted, and what was found wrong."""

    name: str
    requests: Requests
    user: NDArray[np.int64]  # -1 where none is known
    prefix: NDArray[np.int64]  # id of a shared prefix; -1 where none is known
    clock: str  # how times were understood
    cached_from: str  # where `cached_tokens` come from: "logged", "block hashes" or ""
    columns: Mapping[str, str]  # what each column was for: its name in the file
    n_rows: int  # rows read, bad ones included
    n_bad: int
    bad: tuple[BadRow, ...]  # the first of them
    n_unsorted: int  # rows earlier than the one before them; sorted
    n_empty: int  # rows with an empty prompt or answer; counted as one token


def read(
    path: str | Path,
    *,
    fatal: bool = False,
    time_unit: str = "",
    block_tokens: int = 512,
) -> Log:
    """Read a log of requests: CSV or JSON lines, plain or gzipped, told apart by content.

    Parameters
    ----------
    path
        The file.
    fatal
        Stop at the first bad row instead of leaving bad rows out.
    time_unit
        Unit of times that are numbers: s, ms, us or ns. By default it is told from the column
        (a name that ends in `_ms`; Mooncake's `timestamp` beside `input_length`) or from the size
        of the first (a count since 1970), else seconds. `Log.clock` says what was taken.
    block_tokens
        Tokens of a block in `hash_ids`, which count as cached if a request before had them and
        all before them; the cache forgets nothing.

    Raises
    ------
    LogError
        If the file is missing, empty, not text, lacks a column or holds no usable row; with
        `fatal`, also at the first bad row. The message is one line.
    """
    if time_unit not in UNITS:
        raise ValueError(f"time_unit must be one of s, ms, us, ns, got {time_unit!r}")
    reader = _Reader(str(path), fatal, time_unit, count("block_tokens", block_tokens))
    try:
        with opened(path, LogError) as raw, _decoded(raw) as file:
            read = lines(file, LINE_CHARS)
            n_blank, first = next(
                ((n, line) for n, line in enumerate(read) if line.strip()), (0, "")
            )
            if not first:
                raise LogError(f"{path}: is empty")
            if "\0" in first:
                raise UnicodeError
            head = first.lstrip()
            if head.startswith("["):
                raise LogError(f"{path}: is one JSON array; expected one JSON object per line")
            whole = itertools.chain(itertools.repeat("\n", n_blank), [first], read)
            for chunk in _json_chunks(whole) if head.startswith("{") else _csv_chunks(whole):
                reader.add(chunk)
    except _HeaderError as why:
        raise LogError(f"{path}: {why}") from None
    return reader.log()


# --- files -----------------------------------------------------------------------------------


@contextlib.contextmanager
def _decoded(raw: Any) -> Iterator[IO[str]]:
    """The file as text, whatever its mark says; what is not UTF-8 in it passes through."""
    with contextlib.ExitStack() as stack:
        if raw.peek(2)[:2] == b"\x1f\x8b":
            raw = io.BufferedReader(stack.enter_context(gzip.open(raw)))
        mark = raw.peek(2)[:2]
        encoding = "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        wrong = "strict" if encoding == "utf-16" else "surrogateescape"
        yield stack.enter_context(
            io.TextIOWrapper(raw, encoding=encoding, errors=wrong, newline="")
        )


# --- chunks of rows --------------------------------------------------------------------------


@dataclass(slots=True)
class _Chunk:
    """Rows as they stand in the file: where, and by what a column is for."""

    lines: list[int]
    cells: Mapping[str, Sequence[Any]]
    names: dict[str, str]
    bad: list[BadRow] = field(default_factory=list)  # rows that are no rows


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", name.lower())


def _matched(found: Sequence[str]) -> dict[str, str]:
    """What each column is for: its name in the file."""
    known = {_plain(name): name for name in reversed(found)}
    roles = {
        role: next((known[_plain(n)] for n in names if _plain(n) in known), None)
        for role, names in NAMES.items()
    }
    for role, words in NEEDED.items():
        if roles[role] is None:
            shown = ", ".join(_shown(name) for name in found[:8]) or "none"
            raise _HeaderError(
                f"no column for {words}: expected one of "
                f"{', '.join(NAMES[role][:5])}; found {shown}"
            )
    return {role: name for role, name in roles.items() if name is not None}


def _csv_chunks(lines: Iterator[str]) -> Iterator[_Chunk]:
    limit = csv.field_size_limit(FIELD_CHARS)
    try:
        begin, header = next((n, line) for n, line in enumerate(lines, 1) if line.strip())
        delimiter = max(",;\t|", key=header.count)
        (head,) = csv.reader([header.strip("\r\n")], delimiter=delimiter, strict=True)
        names = _matched([name.strip() for name in head])
        names.pop("blocks", None)  # lists do not stand in cells
        places = [[name.strip() for name in head].index(name) for name in names.values()]
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        pick = operator.itemgetter(*places)
        line, ended = begin, False
        while not ended:
            rows: list[tuple[str, ...]] = []
            at: list[int] = []
            bad: list[BadRow] = []
            try:
                ended = True
                for row in itertools.islice(reader, CHUNK_ROWS):
                    ended = False
                    try:
                        rows.append(pick(row))
                        at.append(line + 1)
                    except IndexError:
                        if row and (len(row) > 1 or row[0].strip()):  # an empty line is none
                            bad.append(_no_row(line, f"{len(head)} fields", f"{len(row)}"))
                    line = reader.line_num + begin
            except csv.Error as why:
                ended = False
                bad.append(_no_row(line, "a row", f"{why} up to line {reader.line_num + begin}"))
                line = reader.line_num + begin
            columns = list(zip(*rows, strict=True)) or [()] * len(names)
            yield _Chunk(at, dict(zip(names, columns, strict=True)), names, bad)
    except csv.Error as why:
        raise _HeaderError(f"line 1: not a header of column names ({why})") from None
    finally:
        csv.field_size_limit(limit)


def _no_row(before: int, expected: str, got: str) -> BadRow:
    return BadRow(line=before + 1, column="", expected=expected, got=got)


def _json_chunks(lines: Iterator[str]) -> Iterator[_Chunk]:
    names: dict[str, str] = {}
    for part in _parts(enumerate(lines, start=1)):
        rows: list[dict[str, Any]] = []
        at: list[int] = []
        bad: list[BadRow] = []
        for line, text in part:
            try:
                row = json.loads(text)
                if not isinstance(row, dict):
                    raise TypeError
            except (ValueError, TypeError, RecursionError):
                if text.strip():
                    got = "a line that is too long" if len(text) >= LINE_CHARS else _shown(text)
                    bad.append(BadRow(line=line, column="", expected="a JSON object", got=got))
                continue
            rows.append(row)
            at.append(line)
        if rows and not names:
            names = _matched(list(dict.fromkeys(key for row in rows for key in _keys(row))))
        values = {role: [_under(row, name) for row in rows] for role, name in names.items()}
        yield _Chunk(at, values, names, bad)


def _parts(numbered: Iterator[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Lines in portions of CHUNK_ROWS, or fewer where they are long: records hold whole prompts."""
    part: list[tuple[int, str]] = []
    n_chars = 0
    for line, text in numbered:
        part.append((line, text))
        n_chars += len(text)
        if len(part) == CHUNK_ROWS or n_chars >= LINE_CHARS:
            yield part
            part, n_chars = [], 0
    if part:
        yield part


def _keys(row: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in row.items():
        yield above + key
        if isinstance(value, dict) and above.count(".") < 2:
            yield from _keys(value, f"{above}{key}.")


def _under(row: Any, name: str) -> Any:
    """A value by its name, or by the names on the way to it."""
    if name in row:
        return row[name]
    for key in name.split("."):
        row = row.get(key) if isinstance(row, dict) else None
    return row


def _shown(value: Any) -> str:
    """What was found, short and in one line."""
    text = repr(value if isinstance(value, str | int | float | bool | None) else type(value))
    return text if len(text) <= 40 else f"{text[:36]}...{text[-1]}"


def _name(column: str) -> str:
    """Name of a column as it can be printed."""
    return _shown(column)[1:-1]


# --- checks ----------------------------------------------------------------------------------

UNITS: Final[Mapping[str, tuple[float, str]]] = {
    "": (0.0, ""),
    "s": (1.0, "seconds"),
    "ms": (1e-3, "milliseconds"),
    "us": (1e-6, "microseconds"),
    "ns": (1e-9, "nanoseconds"),
}


class _Reader:
    """Chunks in, arrays out; keeps nothing of a row but numbers."""

    def __init__(self, name: str, fatal: bool, time_unit: str, block_tokens: int) -> None:
        self.name, self.fatal, self.block_tokens = name, fatal, block_tokens
        self.unit_s, self.unit_name = UNITS[time_unit]
        self.is_text: bool | None = None
        self.clock = ""
        self.origin = 0.0  # a time in the midst of the first rows, in the unit of the file
        self.names: dict[str, str] = {}
        self.parts: list[dict[str, NDArray[Any]]] = []
        self.seen: set[Any] = set()
        self.bad: list[BadRow] = []
        self.n_rows = self.n_bad = self.n_empty = 0

    def add(self, chunk: _Chunk) -> None:
        """Check a chunk and keep its numbers."""
        self.names = chunk.names
        bad = list(chunk.bad)
        self.n_rows += len(chunk.lines) + len(chunk.bad)
        self.n_bad += len(chunk.bad)
        if chunk.lines:
            numbers = self._parsed(chunk)
            rules = self._rules(chunk, numbers)
            if "written" in numbers:  # counted beside the input, not in it
                beside = numbers["written"] + numbers.get("cached", np.float64(0))
                numbers["input"] = numbers["input"] + beside
            if "cached" in numbers:
                over = numbers["cached"] > numbers["input"]  # never true of what is not a number
                rules.append(("cached", "at most the input tokens", ~over))
            good = np.logical_and.reduce([holds for _, _, holds in rules])
            for place in np.flatnonzero(~good)[: KEPT + 1]:
                role, expected = next((r, words) for r, words, holds in rules if not holds[place])
                bad.append(
                    BadRow(
                        line=chunk.lines[place],
                        column=_name(chunk.names[role]),
                        expected=expected,
                        got=_shown(chunk.cells[role][place]),
                    )
                )
            self.n_bad += int((~good).sum())
            self._keep(chunk, numbers, good)
        bad.sort(key=lambda row: row.line)
        if bad and self.fatal:
            raise LogError(f"{self.name}, {bad[0]}")
        self.bad += bad[: KEPT - len(self.bad)]

    def _parsed(self, chunk: _Chunk) -> dict[str, NDArray[np.float64]]:
        numbers = {"time": self._times(chunk.cells["time"])}
        numbers |= {role: _numbers(chunk.cells[role]) for role in TOKENS if role in chunk.cells}
        for role in ("cached", "written"):  # may be left out
            if role in numbers:
                numbers[role] = np.where(_missing(chunk.cells[role]), 0.0, numbers[role])
        return numbers

    def _rules(
        self, chunk: _Chunk, numbers: Mapping[str, NDArray[np.float64]]
    ) -> list[tuple[str, str, NDArray[np.bool_]]]:
        """What is asked of each column, in words and row by row."""
        date = "a date as 2026-11-20T12:00:00Z" if self.is_text else "a number"
        near = f"{date}, within 100 years of the others"
        rules = [("time", near, np.abs(numbers["time"]) <= LONGEST_S)]
        for role, values in numbers.items():
            if role != "time":
                whole = (values >= 0) & (values <= MOST_TOKENS) & (values == np.floor(values))
                rules.append((role, f"a whole number from 0 to {MOST_TOKENS:,.0f}", whole))
        if "blocks" in chunk.cells:
            lists = np.array([isinstance(cell, list) for cell in chunk.cells["blocks"]])
            rules.append(("blocks", "a list of block hashes", lists))
        return rules

    def _keep(
        self, chunk: _Chunk, numbers: Mapping[str, NDArray[np.float64]], good: NDArray[np.bool_]
    ) -> None:
        kept: dict[str, NDArray[Any]] = {"time": numbers["time"][good]}
        for role in ("input", "output", "cached"):
            if role in numbers:
                kept[role] = numbers[role][good].astype(np.int64)
        if "blocks" in chunk.cells and "cached" not in kept:
            found = [
                self._found(blocks)
                for blocks, used in zip(chunk.cells["blocks"], good.tolist(), strict=True)
                if used
            ]
            tokens = np.array(found, dtype=np.int64) * self.block_tokens
            kept["cached"] = np.minimum(tokens, kept["input"])
        for role in IDS:
            if role in chunk.cells:
                ids = np.fromiter(map(_id, chunk.cells[role]), np.int64, len(chunk.lines))
                kept[role] = ids[good]
        empty = (kept["input"] == 0) | (kept["output"] == 0)
        self.n_empty += int(empty.sum())
        self.parts.append(kept)

    def _found(self, blocks: list[Any]) -> int:
        """How many blocks from the front were there before; then all of them are."""
        keys = [block if isinstance(block, int) else repr(block) for block in blocks]
        known = next((n for n, key in enumerate(keys) if key not in self.seen), len(keys))
        self.seen.update(keys)
        return known

    def _times(self, values: Sequence[Any]) -> NDArray[np.float64]:
        """Seconds since the first row that has a time; NaN where there is none."""
        if self.is_text is None:
            first = next((v for v in values if _is_date(v) or math.isfinite(_number(v))), None)
            self.is_text = None if first is None else _is_date(first)
        if self.is_text:
            dates = pd.Series([value if _is_date(value) else None for value in values])
            stamps = pd.to_datetime(dates, format="ISO8601", utc=True, errors="coerce")
            micros = stamps.astype("datetime64[us, UTC]").astype(np.int64).to_numpy()
            known = stamps.notna().to_numpy()
            if not self.clock and known.any():
                self.origin = int(np.median(micros[known]))
                zone = re.search(r"(Z|[+-]\d\d:?\d\d)\s*$", dates[int(np.argmax(known))])
                self.clock = "dates with a zone" if zone else "dates without a zone, taken as UTC"
            return np.where(known, (micros - int(self.origin)) * 1e-6, np.nan)
        numbers = _numbers(values)
        known = np.isfinite(numbers)
        if not self.clock and known.any():
            self.origin = float(np.median(numbers[known]))
            self._choose_unit(abs(self.origin))
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray((numbers - self.origin) * self.unit_s)

    def _choose_unit(self, size: float) -> None:
        column = _name(self.names["time"])
        if not self.unit_s:
            epoch = ((unit, words) for least, unit, words in EPOCHS if size >= least)
            self.unit_s, self.unit_name = next(epoch, UNITS["s"])
            mooncake = _plain(self.names["input"]) == "inputlength" and size < EPOCHS[-1][0]
            if column.lower().endswith("ms") or mooncake:
                self.unit_s, self.unit_name = UNITS["ms"]
        self.clock = f"numbers in {column}, taken as {self.unit_name}"

    def log(self) -> Log:
        """All chunks as one log."""
        if not sum(len(part["time"]) for part in self.parts):
            told = f"; the first: {self.bad[0]}" if self.bad else ""
            raise LogError(f"{self.name}: no usable row among {self.n_rows}{told}")

        def joined(role: str, missing: int) -> NDArray[np.int64]:
            return np.concatenate(
                [part.get(role, np.full(len(part["time"]), missing)) for part in self.parts]
            )

        times = np.concatenate([part["time"] for part in self.parts])
        order = np.argsort(times, kind="stable")
        prompts = np.maximum(joined("input", 1), 1)
        from_blocks = "blocks" in self.names and "cached" not in self.names
        ids = {role: _numbered(joined(role, NO_ID)[order]) for role in IDS}
        return Log(
            name=printable(Path(self.name).name),
            requests=Requests(
                arrival_s=times[order] - times.min(),
                input_tokens=prompts[order],
                output_tokens=np.maximum(joined("output", 1), 1)[order],
                cached_tokens=joined("cached", 0)[order],
                session=ids["session"],
            ),
            user=ids["user"],
            prefix=ids["prefix"],
            clock=self.clock,
            cached_from="block hashes" if from_blocks else "logged" * ("cached" in self.names),
            columns={role: _name(name) for role, name in self.names.items()},
            n_rows=self.n_rows,
            n_bad=self.n_bad,
            bad=tuple(self.bad),
            n_unsorted=int((np.diff(times) < 0).sum()),
            n_empty=self.n_empty,
        )


NO_ID: Final = -1


def _id(value: Any) -> int:
    """A number for an id, the same for the same id; NO_ID for none."""
    if value is None or value == "":
        return NO_ID
    return hash(value if isinstance(value, str) else repr(value))


def _numbered(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ids counted from 0 in the order in which they appear."""
    known = ids != NO_ID
    found = np.full(ids.size, NO_ID, dtype=np.int64)
    found[known] = pd.factorize(ids[known])[0]
    return found


def _numbers(values: Sequence[Any]) -> NDArray[np.float64]:
    """Values as numbers; NaN where one is none."""
    if bool not in set(map(type, values)):
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            return np.fromiter(map(float, values), np.float64, len(values))
    return np.fromiter(map(_number, values), np.float64, len(values))


def _number(value: Any) -> float:
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (ValueError, TypeError, OverflowError):
        return math.nan


def _missing(values: Sequence[Any]) -> NDArray[np.bool_]:
    return np.fromiter((value is None or value == "" for value in values), np.bool_, len(values))


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"\s*\d{4}-?\d\d-?\d\d[T ]", value) is not None
