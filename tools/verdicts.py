"""Check that no verdict changed in silence: `python tools/verdicts.py`, `--record` for new rows.

`tests/verdicts.csv` holds the verdict under which every claim and argument first stood in the
book. What is another one today must stand in CHANGELOG.md, under "Numbers that changed". The
record only grows: a line of it is never edited.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import importlib
import sys
from pathlib import Path

from costlib import rulings
from inputs import ROOT

RECORD = ROOT / "tests" / "verdicts.csv"
CHANGELOG = ROOT / "CHANGELOG.md"


def computed() -> dict[str, str]:
    """Verdict of every claim and every argument, computed now."""
    found = rulings.rulings()
    now = dict(zip(found["id"], found["verdict"], strict=True))
    theses = importlib.import_module("costlib.theses")
    return now | {f"thesis-{one.number}": one.verdict for one in theses.theses()}


def recorded(path: Path = RECORD) -> dict[str, str]:
    """First verdict of each."""
    with path.open(encoding="utf-8", newline="") as lines:
        return {row["id"]: row["verdict"] for row in csv.DictReader(lines)}


def complaints() -> list[str]:
    """What changed and is not told; empty if all is."""
    return rulings.unexplained(computed(), record=recorded(), told=rulings.changes(CHANGELOG))


def record(path: Path = RECORD) -> list[str]:
    """Append what has no first verdict yet, as of today; return the names."""
    known, now = recorded(path), computed()
    new = [name for name in now if name not in known]
    today = dt.datetime.now(dt.UTC).date().isoformat()
    with path.open("a", encoding="utf-8", newline="") as lines:
        csv.writer(lines, lineterminator="\n").writerows([name, now[name], today] for name in new)
    return new


def main() -> int:
    """Record or complain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="append rows that are new")
    if parser.parse_args().record:
        print(f"recorded {len(record())} first verdicts in {RECORD.relative_to(ROOT)}")
    found = complaints()
    print("\n".join(found) or "no verdict changed without a word")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
