"""What a reader can do with a page: send a setting, take data, cite, run anew, search, look up."""

import csv
import gzip
import html
import importlib.metadata
import importlib.util
import io
import json
import re
import shlex
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest
import yaml
from conftest import SITE
from pybtex.database import parse_string
from test_site import ALL_DRAWN, CLIFF, NOTEBOOKS, PAGES, SPEC, bring_to_life, opened

from costlib import __version__

ROOT = SITE.parents[1]
LIVE = "figure.chart[data-drawn]"
FIRST_LOAD, WITH_SLIDER = 150e3, 500e3
INPUTS = """(inputs) => inputs.map((input) => input.options
  ? input.options[input.selectedIndex].textContent : input.value)"""
FAR = """(inputs) => inputs.forEach((input) => {
  const last = input.options ? input.options.length - 1 : input.max;
  input.value = String(last);
  input.dispatchEvent(new Event("input", {bubbles: true}));
})"""
SEEN = """(node) => {
  const box = node.getBoundingClientRect();
  return box.height > 0 && box.top >= 0 && box.top < innerHeight;
}"""
OTHER_CHAPTERS = [name for name in NOTEBOOKS if name != CLIFF]
every_chapter = pytest.mark.parametrize(
    "name",
    [CLIFF, *(pytest.param(name, marks=pytest.mark.audit) for name in OTHER_CHAPTERS)],
)


@pytest.fixture(scope="module")
def reader():
    """The extension, which the build imports from its own folder."""
    spec = importlib.util.spec_from_file_location("reader", ROOT / "book/_ext/reader.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def visited(browser, site, address):
    seen = opened(browser, site, "wide", "light")
    seen.page.goto(f"{site}{address}", wait_until="load")
    return seen


def values(figure):
    return figure.locator(".controls input, .controls select").evaluate_all(INPUTS)


def table(path):
    text = Path(path).read_text("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def taken(page, control):
    with page.expect_download() as download:
        control.click()
    return table(download.value.path())


# --- a setting as a link ---------------------------------------------------------------------


@every_chapter
@pytest.mark.browser
def test_a_link_carries_every_control_to_another_reader(browser, site, name):
    seen = visited(browser, site, f"{name}.html")
    bring_to_life(seen.page)
    charts = seen.page.locator(LIVE)
    for place in range(charts.count()):
        figure = charts.nth(place)
        start = values(figure)
        figure.locator(".controls input, .controls select").evaluate_all(FAR)
        figure.locator("button.link").click()
        figure.locator(".said", has_text="link").wait_for()
        sent, moved = seen.page.url, values(figure)
        assert moved != start
        pairs = parse_qsl(sent.split("?")[1], strict_parsing=True)
        assert len(dict(pairs)) == len(moved)  # each control has a name of its own
        assert [words for _, words in pairs] == [words.strip() for words in moved]
        other = visited(browser, site, sent.removeprefix(site))
        there = other.page.locator("figure.chart", has=other.page.locator(SPEC)).nth(place)
        there.locator(".said", has_text="Set as in the link.").wait_for()
        assert there.locator(".said").inner_text() == "Set as in the link."
        assert values(there) == moved
        assert there.locator(".readout").all_inner_texts() == (
            figure.locator(".readout").all_inner_texts()
        )
        assert there.evaluate(SEEN)
        there.locator("button.reset").click()
        assert values(there) == start
        assert (other.console, other.failed, other.foreign) == ([], [], [])
        other.page.context.close()
    seen.page.context.close()


@pytest.mark.browser
def test_what_a_link_may_not_set_is_said_and_never_run(browser, site):
    asked = {
        "context_thousand_tokens": "4096",
        "gpu_rent_usd_per_hour": "alert(1)",
        "weights": "<img src=x onerror=alert(1)>",
        "reserve_gb": "8",
        "__proto__": "1",
    }
    seen = visited(browser, site, f"{CLIFF}.html#try-it?{urlencode(asked)}")
    said = seen.page.locator(f"{LIVE} .said", has_text="Set as in the link.")
    said.wait_for()
    assert said.inner_text() == (
        "Set as in the link. Context goes from 4 thousand tokens to 256 thousand tokens. "
        "“alert(1)” is no number for GPU rent. "
        "Weights has no choice “<img src=x onerror=alert(1)>”. There is no “__proto__” here."
    )
    assert "256K tokens" in seen.page.locator(f"{LIVE} .readout").inner_text()
    assert values(seen.page.locator(LIVE)) == ["256", "2.5", "80", "8", "4 bits", "8 bits"]
    assert seen.page.locator("figure img").count() == 0
    seen.page.evaluate("location.hash = '#try-it?context_thousand_tokens=8'")
    seen.page.wait_for_function("document.querySelector('.controls input').value === '8'")
    assert (seen.console, seen.failed, seen.foreign) == ([], [], [])
    seen.page.context.close()


@pytest.mark.browser
def test_a_link_works_on_a_page_that_was_never_served(browser):
    page = browser.new_context(accept_downloads=True).new_page()
    address = f"{(SITE / CLIFF).as_uri()}.html"
    page.goto(f"{address}#try-it?context_thousand_tokens=12")
    figure = page.locator(LIVE)
    figure.locator(".said", has_text="Set").wait_for()
    assert values(figure)[0] == "12"
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    figure.locator("button.link").click()
    figure.locator(".said", has_text="The address bar holds the link.").wait_for()
    assert page.url.startswith(f"{address}#try-it?context_thousand_tokens=12&")
    assert len(taken(page, figure.locator("button.csv"))) > 100
    page.context.close()


# --- data ------------------------------------------------------------------------------------


@every_chapter
@pytest.mark.browser
def test_every_chart_gives_its_data(browser, site, name):
    seen = visited(browser, site, f"{name}.html")
    bring_to_life(seen.page)
    charts = seen.page.locator("figure.chart")
    assert seen.page.locator("figure.chart .csv").count() == charts.count()
    for figure in charts.all():
        head, *rows = taken(seen.page, figure.locator(".csv"))
        assert len(set(head)) == len(head)
        assert rows
        assert all(len(row) == len(head) and any(row) for row in rows)
        assert not re.search("NaN|Infinity|undefined|null|object", str([head, rows]))
        number = r"[+-]?[\d.]+(?:e[+-]?\d+)?"
        told = [one for row in [head, *rows] for one in row if not re.fullmatch(number, one)]
        assert [one for one in told if one[:1] and one[0] in "=+-@\t\r"] == []
    assert (seen.console, seen.failed, seen.foreign) == ([], [], [])
    seen.page.context.close()


@pytest.mark.browser
def test_the_data_of_a_live_chart_are_those_of_its_sliders(browser, site):
    seen = visited(browser, site, f"{CLIFF}.html")
    bring_to_life(seen.page)
    figure = seen.page.locator(LIVE)
    first = taken(seen.page, figure.locator(".csv"))
    assert first[0][:3] == [
        "layer",
        "context_k [Thousand tokens per user]",
        "usd [USD per million output tokens]",
    ]
    rent = first[0].index("gpu_rent_usd_per_hour")
    assert {row[rent] for row in first[1:]} == {"2.5"}
    figure.locator(".controls input").nth(1).evaluate(
        "(input) => { input.value = 5; input.dispatchEvent(new Event('input')); }"
    )
    second = taken(seen.page, figure.locator(".csv"))
    assert {row[rent] for row in second[1:]} == {"5"}
    times = {
        one[0]: float(two[2]) / float(one[2])
        for one, two in zip(first[1:], second[1:], strict=True)
    }
    assert sorted(round(ratio, 3) for ratio in times.values()) == [1, 2, 2]  # the rig stays
    seen.page.context.close()


@pytest.mark.browser
def test_a_text_of_a_live_chart_is_never_a_formula(browser, site):
    seen = opened(browser, site, "wide", "light")
    page = (SITE / f"{CLIFF}.html").read_text("utf-8")
    assert '"8 bits"' in page
    changed = page.replace('"8 bits"', '"=8+1"')
    seen.page.route(
        f"{site}{CLIFF}.html",
        lambda route: route.fulfill(body=changed, content_type="text/html"),
    )
    seen.page.goto(f"{site}{CLIFF}.html", wait_until="load")
    bring_to_life(seen.page)
    head, *rows = taken(seen.page, seen.page.locator(f"{LIVE} .csv"))
    assert {row[head.index("cache")] for row in rows} == {"'=8+1"}
    seen.page.context.close()


@pytest.mark.browser
def test_without_a_script_nothing_dead_is_shown(browser, site):
    context = browser.new_context(java_script_enabled=False, accept_downloads=True)
    page = context.new_page()
    page.goto(f"{site}{CLIFF}.html")
    assert page.locator("figure.chart button").count() == 0
    links = page.locator("figure.chart a.csv")
    assert links.count() == page.locator("figure.chart").count() - 1
    assert len(taken(page, links.first)) > 10
    context.close()


# --- cite, run anew --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_foot_of_a_chapter_cites_it_and_runs_it(name):
    page = (SITE / f"{name}.html").read_text("utf-8")
    (foot,) = re.findall(r'<footer class="chapter-foot">.*?</footer>', page, re.DOTALL)
    bibtex, command = map(html.unescape, re.findall(r"<pre[^>]*>(.*?)</pre>", foot, re.DOTALL))
    ((key, entry),) = parse_string(bibtex, "bibtex").entries.items()
    heading = html.unescape(re.sub("<[^>]*>", "", re.findall(r"<h1>(.*?)<a", page)[0]))
    assert key == f"costlib-{name.removeprefix('notebooks/')}"
    assert re.sub(r"^[\d.]+\s*", "", heading) == entry.fields["title"]
    assert f"“{entry.fields['title']}”" in html.unescape(foot)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert entry.fields["note"] == f"Version {cited['version']}, {cited['date-released']}"
    assert entry.persons["author"][0].last_names == [f"{{{cited['authors'][0]['name']}}}"]
    program, path, _, flag, parameter, value = shlex.split(command.replace("\\\n", ""))
    assert (program, path, flag) == (".venv/bin/papermill", f"{name}.ipynb", "-p")
    cells = json.loads((ROOT / path).read_text("utf-8"))["cells"]
    (given,) = [
        "".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", [])
    ]
    chosen: dict = {}
    exec(given, chosen)
    assert float(value) == chosen[parameter]


def test_the_version_to_cite_is_that_of_the_library():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert cited["version"] == __version__ == importlib.metadata.version("costlib")


# --- search ----------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize(
    ("asked", "row", "chapter"),
    [
        ("pue-010", "claim-pue-010", "notebooks/pue.html"),
        ("Thesis-12", "thesis-12", "notebooks/"),
    ],
)
def test_the_search_finds_a_claim_by_its_number(browser, site, asked, row, chapter):
    seen = visited(browser, site, f"search.html?q={asked}")
    seen.page.locator(".search-summary", has_text=re.compile("found|matching")).wait_for()
    links = seen.page.locator("ul.search li > a")
    found = [link.removeprefix(site) for link in links.evaluate_all("(a) => a.map((l) => l.href)")]
    first = found.index(f"notebooks/ledger.html#{row}")
    assert first < 2
    assert found[1 - first].startswith(chapter)
    links.nth(first).click()
    there = seen.page.locator(f"#{row}")
    there.wait_for()
    seen.page.wait_for_function(f"({SEEN})(document.getElementById({row!r}))")
    assert (seen.console, seen.failed, seen.foreign) == ([], [], [])
    seen.page.context.close()


def test_the_number_of_every_claim_and_argument_is_in_the_search():
    text = (SITE / "searchindex.js").read_text("utf-8")
    index = json.loads(text[text.index("{") : text.rindex("}") + 1])
    ledger = (SITE / "notebooks/ledger.html").read_text("utf-8")
    rows = set(re.findall(r'<tr [^>]*id="((?:claim|thesis)-[^"]+)"', ledger))
    assert len(rows) > 500
    pages = {
        name: (SITE / f"{name}.html").read_text("utf-8")
        for name in index["docnames"]
        if name.startswith("notebooks/")
    }
    for row in rows:
        found = index["indexentries"][row.removeprefix("claim-")]
        places = [(index["docnames"][place], anchor) for place, anchor, _ in found]
        assert ("notebooks/ledger", row) in places
        assert [p for p in places if p[1] and f'id="{p[1]}"' not in pages[p[0]]] == []


# --- terms -----------------------------------------------------------------------------------

TERMS = {"batch": "b", "KV cache": "k", "GQA": "g", "queue": "q"}


@pytest.mark.parametrize(
    ("body", "linked"),
    [
        ("<p>A batch, a batch</p>", ["batch"]),
        ("<p>Batches</p>", ["Batches"]),
        ("<p>KV\ncache</p>", ["KV\ncache"]),
        ("<p>gqa GQA</p>", ["GQA"]),
        ("<p>batched, a-batch, batch-wise</p>", []),
        ("<h2>A batch</h2>", []),
        ("<p><a href='x'>batch</a> <code>batch</code></p>", []),
        ("<figure><p>batch</p><figure></figure>batch</figure>", []),
        ('<p class="table-title">batch</p><table><td>batch</td></table>', []),
        ('<p data-x="batch">none</p>', []),
    ],
)
def test_the_first_mention_in_prose_is_linked(reader, body, linked):
    found = {key if key.isupper() else key.lower(): anchor for key, anchor in TERMS.items()}
    markup = reader.linked(body, found, "g.html")
    assert re.findall(r'<a class="term" href="g.html#\w">([^<]*)</a>', markup) == linked
    assert re.sub(r'<a class="term"[^>]*>([^<]*)</a>', r"\1", markup) == body


def test_terms_of_every_page_lead_to_their_entries():
    glossary = (SITE / "book/glossary.html").read_text("utf-8")
    entries = set(re.findall(r'<dt id="([^"]+)"', glossary))
    reached: set[str] = set()
    for name in PAGES:
        page = (SITE / name).read_text("utf-8")
        links = re.findall(r'class="term" href="([^"#]*)#([^"]+)"', page)
        assert {(SITE / name).parent / where for where, _ in links} <= (
            {(SITE / name).parent / "glossary.html", SITE / "notebooks/../book/glossary.html"}
        )
        anchors = [anchor for _, anchor in links]
        assert len(set(anchors)) == len(anchors)
        assert set(anchors) <= entries
        reached |= set(anchors)
    assert len(reached) > 40


# --- weight ----------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize(
    "name",
    [f"{CLIFF}.html", *(pytest.param(n, marks=pytest.mark.audit) for n in PAGES if CLIFF not in n)],
)
def test_a_page_is_light(browser, site, name):
    seen = opened(browser, site, "wide", "light")
    asked: set[str] = set()
    seen.page.on("request", lambda request: asked.add(re.split("[?#]", request.url)[0]))

    def weight():
        paths = {SITE / url.removeprefix(site) for url in asked if url.startswith(site)}
        return sum(len(gzip.compress(path.read_bytes(), 9)) for path in paths)

    seen.page.goto(site + name, wait_until="load")
    seen.page.wait_for_load_state("networkidle")
    first = weight()
    bring_to_life(seen.page)
    seen.page.wait_for_function(ALL_DRAWN)
    print(f"{name}: {first / 1e3:.1f} kB, {weight() / 1e3:.1f} kB")
    assert first < FIRST_LOAD
    assert weight() < WITH_SLIDER
    seen.page.context.close()
