"""Bad files, by every way in: a clean result or one line that says what, where and what else.

Nothing large is kept: every file is made here. No reader waits for a pipe, runs what a file
holds, or takes more memory for a longer file; nothing that exists is overwritten.
"""

import gzip
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from costlib import _files, booktools, catalog, cli, plans, pricebook, report, requestlog, routers
from costlib.widgets import sliders

LOG = "timestamp,input_tokens,output_tokens,user\n0,100,10,ann\n60,900,20,bob\n90,9000,20,ann\n"
PLAN = """\
name: Small chat
workload: {input_tokens: 1000, output_tokens: 200, requests_per_day: 20_000}
candidates: {apis: [gpt-5-mini, gpt-4o]}
prices: {at: 2026-11-20}
"""
MEASURED = (
    "model,gpu,weight_dtype,isl,osl,concurrency_or_batch,metric,value\n"
    "Llama-3.1-8B,H100,fp8,1024,1024,32,tpot_ms,12.5\n"
    "Llama-3.1-8B,H100,fp8,1024,1024,8,tpot_ms,10.5\n"
)
SCORES = "query,score a,cost_usd a,score b,cost_usd b\nq1,1,0.01,0.5,0.001\nq2,0,0.02,0,0.002\n"
PRICES = "".join(catalog.data_path("api_prices.csv").read_text("utf-8").splitlines(True)[:4])


def told_by(call):
    """A reader of the library as a command: its code, and what it says on standard error."""

    def run(path):
        try:
            call(Path(path))
        except (ValueError, LookupError) as why:
            print(why, file=sys.stderr)
            return 2
        return 0

    return run


READERS = {
    "profile": (LOG, lambda path: cli.main(["profile", str(path)])),
    "plan": (PLAN, lambda path: cli.main(["plan", str(path)])),
    "validate": (MEASURED, lambda path: cli.main(["validate", str(path)])),
    "scores": (SCORES, told_by(routers.read)),
    "prices": (PRICES, told_by(pricebook.book)),
}
TABLES = [name for name in READERS if name not in {"plan", "profile"}]


def with_row(text, change):
    """The text, and its last row once more, changed."""
    return text + change(text.splitlines()[-1]) + "\n"


def beside(text, name):
    """The text with one column more."""
    header, *rows = text.splitlines()
    return "\n".join([f"{header},{name}", *(f"{row},1" for row in rows), ""])


BROKEN = {
    "empty": lambda _: b"",
    "blank": lambda _: b"\n \n\n",
    "UTF-16 without its mark": lambda text: text.encode("utf-16-le"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "Latin-1": lambda text: text.replace("a", "\xe9", 1).encode("latin-1"),
    "NUL": lambda text: text.encode().replace(b"a", b"\0", 1),
    "zip": lambda _: b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(range(256)),
    "picture": lambda _: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)),
    "page": lambda _: b"<!DOCTYPE html><html><body>404, not found</body></html>\n",
    "JSON": lambda _: b'{"a": [1, 2, 3]}',
    "JSON array": lambda _: b'[{"a": 1}]',
    "gzip cut off": lambda text: gzip.compress(text.encode() * 50)[:-30],
    "long first line": lambda text: b"x" * 1_000_000 + b"\n" + text.encode(),
}
WHOLE = {
    "BOM": lambda text: text.encode("utf-8-sig"),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR": lambda text: text.replace("\n", "\r").encode(),
    "no last line end": lambda text: text.rstrip("\n").encode(),
}
DAMAGED_TABLES = {
    "a column twice": (lambda text: beside(text, text.split(",")[1]), "stands there twice"),
    "no first column": (lambda text: re.sub("(?m)^[^,]*,", "", text), "lacks the column"),
    "semicolons": (lambda text: text.replace(",", ";"), "lacks the column"),
    "an open quote": (lambda text: with_row(text, lambda row: f'"{row}'), r"line \d+: not a row"),
    "text after a quote": (lambda text: with_row(text, lambda row: f'"x"y{row}'), "not a row"),
    "a NUL late": (lambda text: with_row(text, lambda row: f"\0{row}"), "is not text"),
    "a long cell": (lambda text: with_row(text, lambda row: "x" * 1_100_000 + row), "not a row"),
}
HOSTILE = {
    "huge": "1e308",
    "beyond": "1e999",
    "below zero": "-1",
    "NaN": "nan",
    "infinite": "-inf",
    "formula": '"=HYPERLINK(""http://e.example"",""x"")"',
    "command": "+cmd|' /C calc'!A0",
    "picture": '"<img src=x onerror=alert(1)>"',
    "script": "</script><script>alert(1)</script>",
    "right to left": "\u202e99",
    "no width": "1\u200b0",
    "emoji": "\U0001f600",
    "accents": "e\u0301" * 50,
    "long number": "9" * 5000,
    "long text": "z" * 5000,
    "escape": "\x1b[31mred",
    "two lines": '"a\nb"',
    "nothing": "",
}


@pytest.fixture
def outcome(capsys):
    """Run a reader on a file: its code, and lines on standard error; a complaint is one line."""

    def run(reader, path):
        code = READERS[reader][1](path)
        told = capsys.readouterr()
        lines = told.err.rstrip("\n").split("\n") if told.err else []
        assert code in (0, 2)
        if code:
            assert len(lines) == 1
            assert len(lines[0]) < 1500
            assert not told.out
        return code, "".join(lines[:1])

    return run


# --- what a file holds --------------------------------------------------------------------------


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_such_file_is_one_line_that_names_it(tmp_path, outcome, reader, kind):
    path = tmp_path / "mine.txt"
    path.write_bytes(BROKEN[kind](READERS[reader][0]))
    code, line = outcome(reader, path)
    if (reader, kind) == ("profile", "gzip cut off"):
        assert "cannot be read (Compressed file ended" in line
    assert (code, "mine.txt" in line) == (2, True), line


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", WHOLE)
def test_marks_and_line_ends_of_any_machine_are_read(tmp_path, outcome, reader, kind):
    path = tmp_path / "mine.txt"
    path.write_bytes(WHOLE[kind](READERS[reader][0]))
    assert outcome(reader, path) == (0, "")


@pytest.mark.parametrize("reader", TABLES)
@pytest.mark.parametrize("kind", DAMAGED_TABLES)
def test_a_damaged_table_is_one_line_that_says_where(tmp_path, outcome, reader, kind):
    change, words = DAMAGED_TABLES[kind]
    path = tmp_path / "mine.csv"
    path.write_text(change(READERS[reader][0]), "utf-8")
    code, line = outcome(reader, path)
    assert code == 2
    assert re.search(rf"mine\.csv.*{words}", line), line


@pytest.mark.parametrize("reader", ["scores", "prices"])
@pytest.mark.parametrize("row", ["a", "a,1,2,3,4" + ",5" * 20])
def test_a_row_of_another_length_is_told_its_line(tmp_path, outcome, reader, row):
    path = tmp_path / "mine.csv"
    text = READERS[reader][0]
    path.write_text(f"{text}{row}\n", "utf-8")
    code, line = outcome(reader, path)
    assert code == 2
    assert re.search(rf"line {text.count(chr(10)) + 1}: expected \d+ cells, got", line), line


def test_rows_of_one_cell_more_than_the_header_are_not_shifted(tmp_path, outcome):
    # Once wrong: the first column was taken for a name of the row, and every other moved.
    path = tmp_path / "mine.csv"
    header, *rows = PRICES.splitlines()
    path.write_text("\n".join([header, *(f"x,{row}" for row in rows)]), "utf-8")
    assert "line 2: expected 17 cells, got 18" in outcome("prices", path)[1]


def with_cells(text):
    """Rows, each with one hostile cell in the place of one of the last row's."""
    last = text.splitlines()[-1].split(",")
    places = range(len(last))
    return [
        ",".join([*last[:n], cell, *last[n + 1 :]]) + "\n"
        for cell in HOSTILE.values()
        for n in places
    ]


@pytest.mark.parametrize("reader", ["scores", "prices"])
def test_no_cell_is_more_than_a_cell(tmp_path, outcome, reader):
    path = tmp_path / "mine.csv"
    for row in with_cells(READERS[reader][0]):
        path.write_text(READERS[reader][0] + row, "utf-8")
        outcome(reader, path)


@pytest.mark.parametrize("reader", ["profile", "validate"])
def test_a_row_with_a_hostile_cell_stops_no_other(tmp_path, capsys, reader):
    path = tmp_path / "mine.csv"
    path.write_text(READERS[reader][0] + "".join(with_cells(READERS[reader][0])), "utf-8")
    assert cli.main([reader, str(path), "--json"]) == 0
    told = capsys.readouterr()
    json.loads(told.out, parse_constant=pytest.fail)
    assert all(line.isprintable() and len(line) < 200 for line in told.err.split("\n"))


def test_blank_rows_of_a_spreadsheet_and_columns_without_a_name_are_none(tmp_path, outcome):
    path = tmp_path / "mine.csv"
    path.write_text(f"{beside(beside(MEASURED, ''), '')}{',' * 9}\n", "utf-8")
    assert outcome("validate", path) == (0, "")


# --- what is no file ------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", READERS)
def test_no_reader_waits_for_a_pipe_or_reads_a_device(tmp_path, outcome, reader):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, words in {
        tmp_path: "cannot be read (expected a file, got a folder)",
        tmp_path / "pipe": "cannot be read (expected a file, got a pipe or a device)",
        Path("/dev/zero"): "cannot be read (expected a file, got a pipe or a device)",
        tmp_path / "loop": "cannot be read (Too many levels of symbolic links)",
        tmp_path / "nowhere": "not found",
        tmp_path / ("a" * 300): "cannot be read (File name too long)",
    }.items():
        code, line = outcome(reader, path)
        assert code == 2
        assert f"{path}: {words}" in line


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.skipif(os.geteuid() == 0, reason="root reads what nobody may")
def test_what_may_not_be_read_is_said(tmp_path, outcome, reader):
    path = tmp_path / "mine"
    path.touch(mode=0)
    assert "cannot be read (Permission denied)" in outcome(reader, path)[1]


def test_an_open_pipe_is_read(outcome):
    reading, writing = os.pipe()
    os.write(writing, LOG.encode())
    os.close(writing)
    assert outcome("profile", f"/dev/fd/{reading}") == (0, "")
    os.close(reading)


NAMES = ["with space", "-x", "two\nlines", "\x1b[31m", "\u202ename", "quo'te\"", "{0}", "\udcff"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_may_have_any_name_and_none_breaks_a_line(tmp_path, outcome, capsys, name):
    path = tmp_path / name
    for command in ("profile", "plan", "validate"):
        assert outcome(command, path)[1].endswith(f"{_files.printable(name)}: not found")
    path.write_text(LOG, "utf-8")
    assert cli.main(["profile", str(path)]) == 0
    first = capsys.readouterr().out.split("\n")[0]
    assert first == f"{_files.printable(name)}: 3 requests in 90 s, 0.0222 a second"


# --- scenarios ------------------------------------------------------------------------------------

CHAT = "workload: {like: chat, requests_per_day: 9}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [x, x]\nb: [*a, *a]\n", "line 2: expected no alias"),
        ("name: !!python/object/apply:os.system [touch x]\n", "line 1: expected no tag"),
        ("[" * 2_000, "nested too deeply"),
        ("a:\n" + "".join(" " * n + "a:\n" for n in range(1, 500)), "nested too deeply"),
        (PLAN + "---\nname: b\n", "line 5: expected a single document in the stream, but found"),
        (PLAN + "name: b\n", "line 5: the field name stands there twice"),
        (PLAN.replace("20_000", "1e-300"), "a number above 0.* 1e-12 to 1e.15 in size, got 1e-300"),
        (PLAN.replace("20_000", "9" * 5000), "requests_per_day: expected a number above 0"),
        (PLAN.replace("2026-11-20}", "2026-11-20, api_discount_fraction: 1}"), "below 1, got 1"),
        (PLAN.replace("Small", r'"a\nb" #'), r"name: expected a text that prints on one line"),
        (PLAN.replace("Small chat", r'"a\e[31m"'), r"prints on one line, got 'a\\x1b\[31m'"),
        (PLAN.replace("Small chat", '"a\u202eb"'), "prints on one line"),
        (PLAN.replace("gpt-5-mini", ",".join(f"g{n}" for n in range(1100))), "1,000 entries at"),
        ('name: a\nworkload: {log: "a\\0b"}\n', r"workload\.log: expected a text that prints"),
        ("name: a\nworkload: {log: /dev/zero}\ncandidates: {apis: o3}\n", "got a pipe or a device"),
    ],
)
def test_a_scenario_that_asks_for_too_much_is_refused_at_once(tmp_path, outcome, text, words):
    path = tmp_path / "mine.yml"
    path.write_text(text, "utf-8")
    code, line = outcome("plan", path)
    assert code == 2
    assert re.search(words, line), line
    assert [each.name for each in tmp_path.iterdir()] == ["mine.yml"]


@pytest.mark.parametrize("size", ["1e-12", "1e12"])
def test_the_least_and_the_most_give_json_without_what_json_lacks(tmp_path, capsys, size):
    path = tmp_path / "mine.yml"
    path.write_text(PLAN.replace("20_000", size), "utf-8")
    assert cli.main(["plan", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["asked"]["requests_per_day"] == pytest.approx(float(size))


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["nan", "inf", "1e308", "1e-320", "many"])
@pytest.mark.parametrize("option", ["--input", "--clients", "--reused"])
def test_a_number_from_the_shell_has_a_size(capsys, value, option):
    with pytest.raises(SystemExit) as stop:
        cli.main(["predict", "Llama-3.1-8B", "H100", option, value])
    assert stop.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert option in last
    assert value in last


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "costlib plan: interrupted"),
        (MemoryError(), 2, "costlib plan: more memory is needed than there is"),
        (ValueError("two\nlines\x1b"), 2, r"costlib plan: two\nlines\x1b"),
    ],
)
def test_whatever_ends_a_command_ends_it_in_one_line(monkeypatch, capsys, error, code, words):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr(plans, "plan", stop)
    assert cli.main(["plan", "mine.yml"]) == code
    assert capsys.readouterr().err == f"{words}\n"


@pytest.mark.parametrize(
    ("out", "code", "words"),
    [("closed", 0, ""), ("/dev/full", 2, "costlib models: cannot be written (No space left on")],
)
def test_a_closed_pipe_is_silent_and_a_full_disk_is_one_line(out, code, words):
    if out == "closed":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open(out, os.O_WRONLY)
    command = [sys.executable, "-m", "costlib.cli", "models"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode == code
    assert done.stderr.startswith(words)
    assert done.stderr.count("\n") == bool(words)


# --- what is made of it ---------------------------------------------------------------------------

IMAGE = "<img src=x onerror=alert(1)>"


def test_a_name_is_no_markup_where_it_is_said():
    said = booktools.say("{name} costs $1", name=IMAGE)._repr_markdown_()
    assert said == r"&lt;img src=x onerror=alert(1)&gt; costs <span>\$</span>1"
    boxed = booktools.box("ours", "{name} [a](javascript:alert) [b](page.html)", name=IMAGE)
    markup = boxed._repr_html_()
    assert IMAGE not in markup
    assert re.findall('href="([^"]*)"', markup) == ["page.html"]
    spec = {"title": IMAGE, "description": IMAGE, "usermeta": {"note": IMAGE}, "mark": "bar"}
    drawn = booktools.figure(spec | {"params": [{"name": "</script><!--<script>"}]}, live=True)
    assert "<img" not in drawn
    assert drawn.count("<script") == drawn.count("</script") == 1


def test_a_widget_escapes_what_it_reads(tmp_path):
    path = tmp_path / f"{IMAGE}.csv"

    def draw(log):
        return requestlog.read(log)

    box = sliders([], draw, log="Log")
    box.children[0].value = str(path)
    assert "&lt;img src=x onerror=alert(1)&gt;.csv: not found" in box.children[-1].value


def test_half_a_page_is_not_left_behind(tmp_path, monkeypatch):
    scenario = tmp_path / "mine.yml"
    scenario.write_text(PLAN, "utf-8")
    monkeypatch.setattr(report, "_run", lambda _: None)
    monkeypatch.setattr(report, "_page", lambda *_: "\udcff")  # cannot be written in UTF-8
    with pytest.raises(ValueError, match="utf-8"):
        report.report(scenario, tmp_path / "mine.html")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yml"]


WORST = f"""\
name: "{IMAGE}</title></style><script>alert(2)</script>[a](javascript:alert(3))\
<http://e.example/>![i](http://e.example/x.png){{0}}%s$x$\\" onload=alert(4) '"
workload: {{input_tokens: 1000, output_tokens: 200, requests_per_day: 1000}}
candidates:
  apis: "gpt-5-<mini>"
  routers: {{strong: "g<p>t-4o", weak: "gpt-4o-m<i>ni", strong_fraction: 0.01}}
"""


@pytest.mark.audit
@pytest.mark.browser
def test_a_page_made_of_a_hostile_scenario_runs_and_fetches_nothing(tmp_path, chromium):
    from playwright.sync_api import sync_playwright

    folder = tmp_path / "q'); open('ran', 'w') #\nx\\"
    folder.mkdir()
    (folder / "mine.yml").write_text(WORST, "utf-8")
    page = report.report(folder / "mine.yml", folder / "mine.html")
    assert sorted(path.name for path in folder.iterdir()) == ["mine.html", "mine.yml"]
    assert not re.search(r"<(script|img|iframe|object|g<p|mini|p>t)\b", page.read_text("utf-8"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        tab, dialogs, requests = browser.new_page(), [], []
        tab.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        tab.on("request", lambda request: requests.append(request.url))
        tab.set_content(page.read_text("utf-8"))
        tab.wait_for_load_state("networkidle")
        assert tab.title().startswith(IMAGE)
        assert IMAGE in tab.inner_text("body")
        links = tab.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")
        browser.close()
    assert dialogs == requests == []
    assert all(link.startswith("#") for link in links)


# --- memory ---------------------------------------------------------------------------------------

RUN = """
import re, sys
from costlib import cli
peak = lambda: int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) // 1024
before = peak()
code = cli.main(sys.argv[1:])
print(code, peak() - before, file=sys.stderr)
"""


def rows(head, row, n):
    return io.StringIO(head + "".join(row(i) for i in range(n)))


LARGE = {
    "a million rows": (
        *("profile", lambda: rows(LOG, lambda i: f"{i},{i % 5000},20,u{i % 99}\n", 1_000_000)),
        *(0, 300, ""),
    ),
    "a line of 100 MB": (
        *("profile", lambda: rows(LOG, lambda _: "x" * 1_000_000, 100)),
        *(0, 200, "line 5: expected "),
    ),
    "records with their prompts": (
        "profile",
        lambda: rows(
            "",
            lambda i: (
                json.dumps({"ts": i, "input_tokens": 9, "output_tokens": 9, "prompt": "x" * 50_000})
                + "\n"
            ),
            6_000,
        ),
        *(0, 150, ""),
    ),
    "a million measurements": (
        *("validate", lambda: rows(MEASURED, lambda _: MEASURED.splitlines()[1] + "\n", 1_000_000)),
        *(2, 400, "expected 200,000 rows at most"),
    ),
    "a scenario of 100 MB": (
        *("plan", lambda: rows(PLAN, lambda _: "#" * 1_000_000, 100)),
        *(2, 50, "expected 200,000 bytes at most"),
    ),
}


@pytest.mark.audit
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux")
@pytest.mark.parametrize("kind", LARGE)
def test_memory_is_bounded_whatever_the_file(tmp_path, kind):
    command, content, code, most_mb, words = LARGE[kind]
    path = tmp_path / "large"
    path.write_text(content().getvalue(), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUN, command, str(path)], capture_output=True, text=True, check=True
    )
    *lines, last = done.stderr.splitlines()
    found, mb = map(int, last.split())
    assert (found, len(lines)) == (code, bool(words))
    assert words in "".join(lines)
    assert mb <= most_mb, f"{mb} MB"
