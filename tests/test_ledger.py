"""The ledger as a whole: counts, permanent names, and the guard of what changes."""

import csv
import importlib.util
import json
import re
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest

import verdicts
from costlib import booktools, catalog, claims, pricebook, register, rulings, sites
from costlib.charts import ledger as charts

ROOT = Path(__file__).resolve().parents[1]
ROWS = claims.ledger().set_index("id", drop=False)
FOUND = rulings.rulings()
LEAST_RECOMPUTED = 420


def headings(name):
    """Anchors of a chapter's headings, as Sphinx names them."""
    chapter = nbformat.read(ROOT / f"{name}.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in chapter.cells if cell.cell_type == "markdown")
    return {
        re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())
        for heading in re.findall(r"(?m)^#+ (.+)$", text)
    }


# --- counts ----------------------------------------------------------------------------------


def test_at_least_420_rows_are_recomputed_and_arithmetic_is_counted_apart():
    kinds = {"recomputed": 0, "arithmetic": 0, "open": 0}
    with (ROOT / "data" / "claims.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):  # by another way than the library's
            called = {row["function"].split(".")[0]} if row["function"] else set()
            called |= set(re.findall(r'\{"([a-z_]+)\.', row["inputs"]))
            called |= set(re.findall(r'"([a-z_]+)\.[\w.-]+": *\{', row["inputs"]))
            kinds[
                "open" if not called else "recomputed" if called - {"claims"} else "arithmetic"
            ] += 1
    assert FOUND["kind"].value_counts().to_dict() == kinds
    assert kinds["recomputed"] >= LEAST_RECOMPUTED


def test_counts_add_up_by_topic_and_verdict():
    counted = rulings.counts(FOUND)
    assert counted.to_numpy().sum() == len(ROWS)
    assert list(counted.columns) == list(claims.VERDICTS)
    for topic, row in counted.iterrows():
        assert row.sum() == (ROWS["topic"] == topic).sum()
    sums = counted.sum(axis=1)
    assert (sums.diff().dropna() <= 0).all()


def test_what_is_open_has_a_reason_and_nothing_to_compute():
    unchecked = FOUND[FOUND["kind"] == "open"]
    assert set(unchecked["verdict"]) == {"not checkable"}
    assert (unchecked["because"].str.len() > 4).all()
    assert (unchecked["expression"] == "").all()
    groups = unchecked["because"].map(rulings.reason)
    assert set(groups) <= {*rulings.REASONS, "another reason"}
    assert (groups == "another reason").mean() < 0.15


@pytest.mark.parametrize(
    ("function", "inputs", "kind"),
    [
        (
            "claims.quotient",
            '{"of": 1, "over": {"claims.product": {"of": 2, "by": 3}}}',
            "arithmetic",
        ),
        ("claims.total", '{"parts": [1, {"kv.kept_tokens": {"context_tokens": 3}}]}', "recomputed"),
        ("claims.product", '{"of": 2, "by": {"price.input_usd_per_mtok": {}}}', "recomputed"),
        ("kv.kept_tokens", '{"context_tokens": 3}', "recomputed"),
    ],
)
def test_a_row_that_only_divides_its_own_numbers_is_arithmetic(function, inputs, kind):
    assert rulings.kind(function, inputs) == kind


# --- verdicts --------------------------------------------------------------------------------


def test_a_changed_formula_changes_the_verdicts(monkeypatch):
    plain = claims.recomputed
    monkeypatch.setattr(claims, "recomputed", lambda *row: 3 * plain(*row))
    moved = rulings.rulings().set_index("id")["verdict"]
    assert (moved != FOUND.set_index("id")["verdict"]).mean() > 0.3
    told = rulings.changes(verdicts.CHANGELOG)
    assert len(rulings.unexplained(dict(moved), record=verdicts.recorded(), told=told)) > 100


def test_the_python_of_every_row_gives_its_value():
    space = {**claims.MODULES, "catalog": catalog, "pricebook": pricebook, "sites": sites}
    names = {
        name for text in FOUND["expression"] for name in re.findall(r"\b([a-z_]+)\.[a-z]", text)
    }
    for name in names - set(space):
        if importlib.util.find_spec(f"costlib.{name}"):
            space[name] = importlib.import_module(f"costlib.{name}")
    for row in FOUND[FOUND["kind"] != "open"].to_dict("records"):
        value = float(eval(row["expression"], space))
        wanted = claims.recomputed(*ROWS.loc[row["id"], ["function", "inputs"]])
        assert value == pytest.approx(wanted, rel=1e-12), row["id"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(8e10, "8e10"), (2.5, "2.5"), (128000.0, "128000"), (1e-6, "1e-6"), (-3, "-3"), (0, "0")],
)
def test_a_number_is_written_short(value, text):
    assert rulings._number(value) == text
    assert float(text) == value


def test_sums_in_products_keep_their_brackets():
    inputs = {
        "of": {"claims.total": {"parts": [1, 2]}},
        "over": {"claims.product": {"of": 3, "by": 4}},
    }
    text = rulings.expression("claims.quotient", json.dumps(inputs))
    assert text == "(1 + 2) / (3 * 4)"


def test_a_kind_of_fact_that_nobody_told_of_is_named(monkeypatch):
    monkeypatch.setattr(claims, "FACTS", (*claims.FACTS, "weather"))
    with pytest.raises(ValueError, match=r"weather\.berlin: rulings\.HOMES does not say"):
        rulings.expression("claims.product", '{"of": {"weather.berlin": null}, "by": 1}')


# --- permanent names -------------------------------------------------------------------------


def test_every_claim_has_one_row_with_its_own_address():
    markup = register.Register(FOUND, "all")._repr_html_()
    names = re.findall(r'<tr [^>]*\bid="([^"]+)"', markup)
    assert sorted(names) == sorted(f"claim-{name}" for name in ROWS["id"])
    links = re.findall(r'class="claim-id" href="#([^"]+)"', markup)
    assert links == names


def test_every_claim_leads_to_a_heading_that_is_there():
    lost = [
        anchor
        for anchor in sorted(set(ROWS["anchor"]))
        if not (ROOT / f"{anchor.partition('#')[0]}.ipynb").is_file()
        or ("#" in anchor and anchor.split("#")[1] not in headings(anchor.split("#")[0]))
    ]
    assert lost == []


def test_the_script_knows_the_words_of_the_ledger():
    script = (ROOT / "book/_static/ledger.js").read_text("utf-8")
    listed = re.search(r"const VERDICTS = \[(.*?)\]", script, re.DOTALL)[1]
    assert re.findall(r'"([^"]+)"', listed) == list(claims.VERDICTS)
    kinds = re.search(r"const KINDS = \{(.*?)\}", script, re.DOTALL)[1]
    assert re.findall(r"(\w+): \"", kinds) == list(rulings.KINDS)


@pytest.mark.parametrize("column", ["statement", "because", "after", "expression", "printed"])
def test_what_a_row_says_is_escaped(column):
    row = FOUND[FOUND["kind"] == "recomputed"].iloc[[0]]
    markup = register.Register(row.assign(**{column: "<img src=x> & so"}), "<img>")._repr_html_()
    assert "<img" not in markup
    assert "&lt;img src=x&gt; &amp; so" in markup


def test_a_statement_that_leans_on_another_names_it():
    said = ["One is two.", "The same, in bytes.", "Its price fell.", "Italy is warm.", "… to 60 %."]
    table = pd.DataFrame({"id": list("abcde"), "statement": said})
    leaned = [said[0], said[0], said[3]]
    assert rulings._leaned_on(table).to_list() == ["", *leaned[:2], "", leaned[2]]
    alone = FOUND[FOUND["after"] == ""]["statement"]
    assert not alone.str.match("The same|It |And ").any()
    assert not FOUND["after"].str.match("The same|It |And ").any()


THESIS = SimpleNamespace(
    number=7,
    words="Users < GPUs.",
    verdict="holds only if",
    because="at 5 users",
    flip="more than 250 MB per user",
    anchor="notebooks/pue#busy-against-lean",
)


def test_an_argument_has_its_verdict_its_turn_and_its_chapter():
    markup = register.Arguments([THESIS], "Arguments")._repr_html_()
    assert '<tr role="row" id="thesis-7">' in markup
    assert '<span class="verdict only-if">holds only if</span>' in markup
    assert "holds with more than 250 MB per user" in markup
    assert 'href="pue.html#busy-against-lean"' in markup
    assert "Users &lt; GPUs." in markup
    never = SimpleNamespace(**{**vars(THESIS), "flip": "no flip: it never does"})
    assert "holds with" not in register.Arguments([never], "A")._repr_html_()


def test_a_chip_knows_the_words_of_arguments_and_no_others():
    assert booktools.chip("holds").verdict == "holds"
    with pytest.raises(ValueError, match="holds only if, got 'maybe'"):
        booktools.chip("maybe")


# --- charts ----------------------------------------------------------------------------------


def test_how_far_off_counts_what_does_not_come_out():
    rows = pd.DataFrame(
        {
            "times": [0.05, 0.5, 0.95, 1.1, 2.0, 3.0, 1000.0, 0.95, np.nan],
            "verdict": ["fails"] * 7 + ["reproduces", "fails"],
        }
    )
    counted = charts.off_counts(rows).set_index("off")["claims"]
    assert counted.to_list() == [1, 0, 1, 1, 2, 1, 1]  # 0.5 and 1.1 open the bin above
    assert counted.sum() == 7


def test_the_far_bars_are_those_more_than_two_times_off():
    off = FOUND[FOUND["verdict"].isin(["contradicted", "fails"]) & (FOUND["times"] > 0)]["times"]
    counted = charts.off_counts(FOUND)["claims"].to_numpy()
    assert counted[[0, 1, 5, 6]].sum() == ((off > 2) | (off < 0.5)).sum() > 0


def test_the_strip_holds_every_claim():
    spec = charts.verdict_strip(rulings.counts(FOUND), title="t", subtitle="s").to_dict()
    ends = [row["end"] for rows in spec["datasets"].values() for row in rows if "end" in row]
    assert max(ends) == len(ROWS)
    assert sum(f"{n}" in spec["description"] for n in FOUND["verdict"].value_counts()) >= 3


# --- the guard -------------------------------------------------------------------------------

WORDS = {"a-1": "reproduces", "a-2": "fails"}


def change(name, was, now, date="2026-12-01"):
    return rulings.Change(id=name, was=was, now=now, date=date, why="we looked again")


@pytest.fixture(scope="module")
def now():
    return verdicts.computed()


def test_no_verdict_changed_without_its_row_in_the_changelog(monkeypatch, now):
    monkeypatch.setattr(verdicts, "computed", lambda: now)
    assert verdicts.complaints() == []


def test_the_record_names_each_once_with_a_day():
    with verdicts.RECORD.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", row["since"]) for row in rows)


def test_a_verdict_that_changes_in_silence_is_named():
    told = rulings.unexplained({**WORDS, "a-1": "fails"}, record=WORDS, told=[])
    assert told == ["a-1 was 'reproduces' and is 'fails': the changelog does not say so"]


@pytest.mark.parametrize("name", [FOUND["id"].iloc[5], "thesis-12"])
def test_a_real_verdict_that_changes_in_silence_fails_the_guard(monkeypatch, now, name):
    monkeypatch.setattr(verdicts, "computed", lambda: {**now, name: "not a verdict"})
    (told,) = verdicts.complaints()
    assert told.startswith(f"{name} was ")


@pytest.mark.parametrize(
    ("now", "changes", "told"),
    [
        (WORDS, [], None),
        ({**WORDS, "a-1": "fails"}, [change("a-1", "reproduces", "fails")], None),
        (WORDS, [change("a-1", "58", "59")], None),  # a number, and no verdict
        (
            {**WORDS, "a-1": "contradicted"},
            [change("a-1", "fails", "contradicted"), change("a-1", "reproduces", "fails")],
            None,
        ),
        (
            {**WORDS, "a-1": "contradicted"},
            [change("a-1", "reproduces", "fails")],
            "a-1 was 'fails' and is 'contradicted'",
        ),
        (WORDS, [change("a-1", "reproduces", "fails")], "a-1 was 'fails' and is 'reproduces'"),
        (
            {**WORDS, "a-1": "contradicted"},
            [change("a-1", "fails", "contradicted")],
            "a-1 stood as 'reproduces' before 2026-12-01, and the changelog says 'fails'",
        ),
        (WORDS, [change("b-9", "fails", "withdrawn")], "b-9 stood as nowhere before"),
        ({**WORDS, "a-3": "fails"}, [], "a-3 is new: record it with"),
        ({"a-1": "reproduces"}, [], "a-2 is gone: the changelog does not say that it is withdrawn"),
        ({"a-1": "reproduces"}, [change("a-2", "fails", "withdrawn")], None),
        (WORDS, [change("a-2", "fails", "withdrawn")], "a-2 was 'withdrawn' and is 'fails'"),
    ],
)
def test_the_changelog_is_a_chain_from_the_record_to_now(now, changes, told):
    found = rulings.unexplained(now, record=WORDS, told=changes)
    assert bool(found) == bool(told)
    assert told is None or found[0].startswith(told)


GOOD = """# Changelog

## Numbers that changed

Words.

| id | was | is | date | why |
|---|---|---|---|---|
| a-1 | fails | reproduces | 2026-12-02 | we misread it |
| `a-2` | 58 | 59 | 2026-12-01 | a bit more |

## Something else

| a-3 | not | in | the | section |
"""


def test_the_table_of_changes_is_read_and_no_other(tmp_path):
    path = tmp_path / "CHANGELOG.md"
    path.write_text(GOOD, "utf-8")
    first, second = rulings.changes(path)
    assert first == rulings.Change(
        id="a-1", was="fails", now="reproduces", date="2026-12-02", why="we misread it"
    )
    assert second.id == "a-2"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("## Numbers that changed", "## Numbers", r"lacks the heading '## Numbers that changed'"),
        ("| id | was |", "| name | was |", r"line 7: expected the columns id \| was \| is"),
        ("we misread it", "", r"line 9: expected 5 filled cells"),
        ("2026-12-02", "December", r"line 9: expected a date such as .*'December'"),
        ("| fails | reproduces |", "| fails | fails |", r"line 9: a-1 was and is 'fails'"),
        ("2026-12-01", "2026-12-03", r"line 10: expected the newest first"),
    ],
)
def test_a_damaged_changelog_is_told_its_line(tmp_path, old, new, told):
    path = tmp_path / "CHANGELOG.md"
    path.write_text(GOOD.replace(old, new), "utf-8")
    with pytest.raises(catalog.TableError, match=told):
        rulings.changes(path)


def test_a_changelog_without_a_table_or_a_file_is_refused(tmp_path):
    path = tmp_path / "CHANGELOG.md"
    with pytest.raises(catalog.TableError, match="not found"):
        rulings.changes(path)
    path.write_text("## Numbers that changed\n\nnone\n", "utf-8")
    with pytest.raises(catalog.TableError, match="no table under"):
        rulings.changes(path)


def test_recording_appends_what_is_new_and_edits_nothing(tmp_path, monkeypatch):
    path = tmp_path / "verdicts.csv"
    path.write_text("id,verdict,since\na-1,reproduces,2026-11-20\n", "utf-8")
    monkeypatch.setattr(verdicts, "computed", lambda: {"a-1": "fails", "a-2": "fails"})
    assert verdicts.record(path) == ["a-2"]
    lines = path.read_text("utf-8").splitlines()
    assert lines[:2] == ["id,verdict,since", "a-1,reproduces,2026-11-20"]
    assert re.fullmatch(r"a-2,fails,20\d\d-\d\d-\d\d", lines[2])
    assert verdicts.record(path) == []


# --- the front page --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def computed():
    """The extension that fills the pages."""
    spec = importlib.util.spec_from_file_location("computed", ROOT / "book/_ext/computed.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


INTRO = (ROOT / "book" / "intro.md").read_text("utf-8")
LINES = re.search(r"```\{findings\}\n(.*?)```", INTRO, re.DOTALL)[1].splitlines()


def test_the_front_page_has_ten_findings_of_ten_chapters_and_types_no_number():
    assert len({line.split()[0] for line in LINES}) == len(LINES) == 10
    prose = re.sub(r"(?ms)^```.*?^```|^\d+\. |\(.*?\)|<.*?>", "", INTRO)
    assert re.findall(r"\d[\d.,]*", prose) == []


@pytest.mark.parametrize("line", LINES)
def test_a_finding_is_a_line_of_its_chapter_that_opens_with_a_number(line, computed):
    name, number, *brief = line.partition("|")[0].split()
    answer = computed.plain(computed.outputs(ROOT / f"{name}.ipynb", "answer")[0])
    found = computed.finding(answer, int(number), brief=bool(brief))
    assert re.match(r"\*\*[^*]*\d[^*]*\*\*", found)
    assert found.rstrip(".") in answer


def test_a_finding_ends_with_its_sentence_and_a_brief_one_at_the_colon(computed):
    answer = "In short\n**$2.39** is it: at 0.5 of e.g. this. And more.\n**2** b\n**3** c"
    assert computed.finding(answer, 1) == "**$2.39** is it: at 0.5 of e.g. this."
    assert computed.finding(answer, 1, brief=True) == "**$2.39** is it."
