"""What CONTRIBUTING.md shows does what it says: its lines fit their tables, its chapter runs."""

import re
from pathlib import Path

import nbformat
import pytest
from IPython.display import display
from pybtex.database import parse_string

from costlib import catalog, claims, pricebook

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## Add an? (\w+)\n(.*?)(?=^## |\Z)", GUIDE, re.DOTALL | re.MULTILINE))


def block(section, language):
    return re.search(rf"^(```+){language}\n(.*?)^\1$", SECTIONS[section], re.DOTALL | re.M)[2]


@pytest.fixture
def grown(tmp_path):
    """Path of a copy of a table with the line that a section shows at its end."""

    def copy(table, section):
        path = tmp_path / table
        path.write_text((ROOT / "data" / table).read_text("utf-8") + block(section, "csv"), "utf-8")
        return path

    return copy


def test_the_accelerator_is_read(grown):
    path = grown("accelerators.csv", "accelerator")
    assert catalog.accelerators(path)["L40"].memory_bytes == 48 * 2**30


def test_the_price_is_read_and_its_source_has_a_licence(grown):
    last = pricebook.book(grown("api_prices.csv", "price"))[-1]
    entries = parse_string(block("price", "bibtex"), "bibtex").entries
    assert last.output_usd_per_mtok == 0.5
    assert entries[last.source].fields["licence"]


def test_the_claim_comes_to_the_verdict_that_the_guide_names(grown):
    row = claims.ledger(grown("claims.csv", "claim")).iloc[-1]
    value = claims.recomputed(row["function"], row["inputs"]) / claims.UNITS[row["unit"]]
    said = re.search(r"here \*(.+?)\*", SECTIONS["claim"])[1]
    assert claims.verdict(value, printed=row["printed"], basis=row["basis"]) == said


def test_the_chapter_runs(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    exec(block("chapter", "python"), {})
    (path,) = tmp_path.glob("notebooks/*.ipynb")
    chapter = nbformat.read(path, as_version=4)
    nbformat.validate(chapter)
    space = {"display": display}
    for cell in chapter.cells:
        if cell.cell_type == "code":
            exec(cell.source, space)
    assert space["mine"] > space["always"]
