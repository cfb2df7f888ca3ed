"""Files of a reader's own: opened in one way, read in bounded memory, refused in one line."""

from __future__ import annotations

import contextlib
import csv
import io
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, Final

__all__ = ["csv_rows", "lines", "opened", "printable"]

LINE_CHARS: Final = 1 << 24  # longest line; the rest of a longer one is passed over
FIELD_CHARS: Final = 1 << 20  # longest cell


def printable(text: object) -> str:
    r"""A text as one line that moves no cursor: what no printer shows is escaped.

    >>> print(printable("two\nlines \x1b[31m"))
    two\nlines \x1b[31m
    """
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in str(text)
    )


@contextlib.contextmanager
def opened(path: str | Path, error: type[ValueError]) -> Iterator[BinaryIO]:
    """A file, or a pipe that is open already; what goes wrong while it is read is an `error`.

    A pipe with a name of its own waits for a writer that may never come, and a device has no end.
    """
    try:
        if "\0" in str(path):
            raise FileNotFoundError
        mode = Path(path).stat().st_mode
        piped = stat.S_ISFIFO(mode) and str(path).startswith(("/dev/", "/proc/"))
        if not (stat.S_ISREG(mode) or piped):
            found = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
            raise error(f"{printable(path)}: cannot be read (expected a file, got {found})")
        with Path(path).open("rb") as file:
            yield file
    except FileNotFoundError:
        raise error(f"{printable(path)}: not found") from None
    except UnicodeError:
        raise error(f"{printable(path)}: is not text in UTF-8") from None
    except (OSError, EOFError, zlib.error) as why:
        raise error(
            f"{printable(path)}: cannot be read ({getattr(why, 'strerror', None) or why})"
        ) from None


def lines(file: IO[str], most_chars: int = LINE_CHARS) -> Iterator[str]:
    """Lines as they end in the file, the rest of a longer one cut off."""
    while whole := file.readline(most_chars):
        line = whole
        while line and not line.endswith(("\n", "\r")):  # cut off, or the last of the file
            line = file.readline(most_chars)
        yield whole


@contextlib.contextmanager
def csv_rows(
    path: str | Path, error: type[ValueError]
) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """Header and rows of a CSV table in UTF-8, each with the line on which it ends.

    Cells are stripped, rows without any are passed over. No name of a column stands there twice;
    one without a name is called by its place.
    """
    limit = csv.field_size_limit(FIELD_CHARS)
    try:
        with (
            opened(path, error) as raw,
            io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file,
        ):
            yield _rows(path, error, file)
    finally:
        csv.field_size_limit(limit)


def _rows(
    path: str | Path, error: type[ValueError], file: IO[str]
) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines(file), strict=True)
    header: list[str] = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if "\0" in "".join(row):
                raise error(f"{printable(path)}, line {reader.line_num}: is not text in UTF-8")
            if not any(cells):
                continue
            if not header:
                header = cells = [cell or f"column {n}" for n, cell in enumerate(cells, 1)]
                if twice := next((name for name in header if header.count(name) > 1), ""):
                    raise error(f"{printable(path)}: the column {twice!r} stands there twice")
            yield reader.line_num, cells
    except csv.Error as why:
        raise error(
            f"{printable(path)}, line {reader.line_num}: not a row of CSV ({why})"
        ) from None
    if not header:
        raise error(f"{printable(path)}: is empty")
