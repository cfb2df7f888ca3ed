"""A report: one page that asks for nothing, overwrites nothing, and names what is wrong."""

import re
import tempfile
from pathlib import Path

import pytest

from costlib import cli, report

ROOT = Path(__file__).resolve().parents[1]
FILE = """
name: Two <hosts>
workload: {input_tokens: 1000, output_tokens: 200, requests_per_day: 1000}
candidates: {apis: [gpt-oss-120b at Together, gpt-oss-120b at DeepInfra]}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report written from a folder of its own by a relative path."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "mine.yml").write_text(FILE, encoding="utf-8")
    scratch = folder / "scratch"
    scratch.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(tempfile, "tempdir", str(scratch))
        assert cli.main(["plan", "mine.yml", "--report", "mine.html"]) == 0
    assert list(scratch.iterdir()) == []
    assert sorted(path.name for path in folder.iterdir()) == ["mine.html", "mine.yml", "scratch"]
    return (folder / "mine.html").read_text("utf-8")


def test_the_page_holds_the_scenarios_answer_and_its_charts(page):
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<html") == page.count("</html>") == 1
    assert "Two &lt;hosts&gt;: what a token costs" in page
    assert "gpt-oss-120b at DeepInfra" in page
    assert "Support chat" not in page
    assert page.count('<svg aria-hidden="true"') >= 8  # wide and for phones
    assert "Decision." in page


def test_the_page_asks_for_nothing_and_runs_nothing(page):
    bare = re.sub(r'xmlns(?::xlink)?="[^"]*"', "", page)
    assert re.findall(r"(?:https?:)?//[\w-]+\.\w+", bare) == []
    assert not re.search(r"<(script|link|iframe|img|object)\b", bare)
    assert re.findall(r'href="(?!#)[^"]*"', bare) == []
    assert "@import" not in bare


def test_the_page_shows_no_code_no_marks_of_the_book_and_no_folder(page):
    assert not re.search(r"\{cite|\$\$|booktools|display\(|papermill", page)
    assert "scenario_path" not in page
    assert not re.search(r"/(tmp|home|root|work)/", page)
    assert "Warning" not in page


def told(capsys, *arguments):
    code = cli.main(["plan", *map(str, arguments)])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return code, lines[0]


def test_what_exists_is_not_overwritten(tmp_path, capsys):
    kept = tmp_path / "kept.html"
    kept.write_text("mine", encoding="utf-8")
    code, line = told(capsys, ROOT / "examples/app_10k_users.yml", "--report", kept)
    assert code == 2
    assert "kept.html: exists already, and nothing is overwritten" in line
    assert kept.read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("mine.pdf", r"mine\.pdf: expected a name that ends in \.html"),
        ("nowhere/mine.html", r"mine\.html: there is no folder .*nowhere"),
    ],
)
def test_a_page_that_cannot_be_written_is_named(page, words, tmp_path, capsys):
    code, line = told(capsys, ROOT / "examples/app_10k_users.yml", "--report", tmp_path / page)
    assert code == 2
    assert re.search(words, line)


def test_a_wrong_scenario_is_one_line_and_leaves_no_page(tmp_path, capsys):
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(FILE.replace("workload", "wrokload"), encoding="utf-8")
    code, line = told(capsys, wrong, "--report", tmp_path / "wrong.html")
    assert code == 2
    assert "wrokload" in line
    assert "did you mean workload" in line
    code, line = told(capsys, tmp_path / "nowhere.yml", "--report", tmp_path / "wrong.html")
    assert code == 2
    assert "nowhere.yml" in line
    assert not (tmp_path / "wrong.html").exists()


def test_a_scenario_that_nobody_keeps_ends_in_one_line(tmp_path, capsys):
    never = tmp_path / "never.yml"
    never.write_text(
        FILE.replace("1000}", "1000}\npromises: {ttft_p95_s: 0.001}").replace(
            "gpt-oss-120b at Together, gpt-oss-120b at DeepInfra",
            "{name: gpt-oss-120b at Together, ttft_p95_s: 1}",
        ),
        encoding="utf-8",
    )
    code, line = told(capsys, never, "--report", tmp_path / "never.html")
    assert code == 2
    assert "no candidate keeps the promises" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["never.yml"]


def test_equations_citations_and_links_become_what_any_reader_takes():
    text = "So {cite:p}`sobol2001global` $x^2$ and\n\n$$ a = b $$ (label)\n\n[there](other.ipynb)."
    said = report._prose(text)
    assert said.count("<svg") == 2
    assert not re.search(r"cite|\$|label|other\.ipynb", said)
    assert "there" in said
