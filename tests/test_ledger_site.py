"""The ledger's page and the front page in a browser: with a script, without one, on a phone."""

import gzip
import re

import pytest
from conftest import SITE
from test_ledger import FOUND
from test_site import WAIT_MS, WIDTHS, opened

from costlib import claims, rulings, theses

pytestmark = pytest.mark.browser

PAGE = "notebooks/ledger.html"
FRONT = "book/intro.html"
MOST_BYTES = 150e3
each_width = pytest.mark.parametrize("width", WIDTHS)
each_width_in_turn = pytest.mark.parametrize(  # a phone, too, in an audit
    "width", ["wide", pytest.param("phone", marks=pytest.mark.audit)]
)

SHOWN = """(rows) => rows.filter((row) => row.checkVisibility()).map((row) => row.id)"""
SEEN = """(node) => {
  const box = node.getBoundingClientRect();
  return box.height > 0 && box.bottom > 0 && box.top < innerHeight;
}"""


@pytest.fixture
def ledger(browser, site, width):
    """The page, as a reader has it before anything is chosen; nothing may go wrong on it."""
    seen = opened(browser, site, width, "light")
    seen.page.goto(site + PAGE, wait_until="load")
    seen.page.locator(".register-controls").wait_for()
    yield seen
    assert (seen.console, seen.failed, seen.foreign) == ([], [], [])
    seen.page.context.close()


def shown(page):
    return page.locator(".register tbody tr").evaluate_all(SHOWN)


def status(page):
    return page.locator(".register-status").inner_text()


def names(rows):
    return {f"claim-{name}" for name in rows["id"]}


# --- search, filters, order ------------------------------------------------------------------


@each_width_in_turn
def test_topics_are_folded_until_something_is_asked(ledger):
    assert shown(ledger.page) == []
    assert (
        ledger.page.locator(".register details.topic:visible").count() == FOUND["topic"].nunique()
    )
    assert status(ledger.page) == f"{len(FOUND)} of {len(FOUND)} claims"


@each_width_in_turn
def test_a_search_shows_the_rows_with_all_of_its_words(ledger):
    ledger.page.fill("#ledger-q", "PUE  Electricity")
    found = shown(ledger.page)
    texts = ledger.page.locator(".register tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [row.id, row.textContent.toLowerCase()])"
    )
    wanted = {name for name, text in texts if "pue" in text and "electricity" in text}
    assert 0 < len(wanted) < 60
    assert set(found) == wanted
    assert status(ledger.page) == f"{len(wanted)} of {len(FOUND)} claims"
    listed = ledger.page.locator(".register-also a")
    texts = ledger.page.locator(".arguments tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [row.id, row.textContent.toLowerCase()])"
    )
    wanted = [name for name, text in texts if "pue" in text and "electricity" in text]
    assert [f"thesis-{n}" for n in listed.all_inner_texts()] == wanted
    assert 0 < len(wanted) < 10
    ledger.page.fill("#ledger-q", "no such words at all")
    assert listed.count() == 0
    assert shown(ledger.page) == []
    assert status(ledger.page).startswith("No claim fits")


@each_width_in_turn
def test_filters_by_topic_verdict_and_kind_meet(ledger):
    page = ledger.page
    page.select_option("#ledger-verdict", "fails")
    assert set(shown(page)) == names(FOUND[FOUND.verdict == "fails"])
    page.select_option("#ledger-topic", "roofline")
    both = FOUND[(FOUND.verdict == "fails") & (FOUND.topic == "roofline")]
    assert set(shown(page)) == names(both)
    page.select_option("#ledger-kind", "recomputed")
    assert set(shown(page)) == names(both[both.kind == "recomputed"])
    page.click(".register-controls .reset")
    assert status(page) == f"{len(FOUND)} of {len(FOUND)} claims"
    assert shown(page) == []


@each_width_in_turn
def test_an_order_of_ones_own_spans_the_topics_and_can_be_taken_back(ledger):
    page = ledger.page
    before = page.locator(".register tbody tr").evaluate_all("(all) => all.map((row) => row.id)")
    page.select_option("#ledger-sort", "off")
    times = FOUND[FOUND.times > 0].set_index("id").times
    farthest = (times.where(times > 1, 1 / times)).nlargest(3)
    assert shown(page)[:3] == [f"claim-{name}" for name in farthest.index]
    assert len(shown(page)) == len(FOUND)
    page.select_option("#ledger-sort", "verdict")
    verdicts = FOUND.set_index("id").verdict
    order = [verdicts[name.removeprefix("claim-")] for name in shown(page)]
    assert list(dict.fromkeys(order)) == list(claims.VERDICTS)
    page.select_option("#ledger-sort", "topic")
    after = page.locator(".register tbody tr").evaluate_all("(all) => all.map((row) => row.id)")
    assert after == before


@each_width_in_turn
def test_the_form_is_worked_by_keyboard_alone(ledger):
    page = ledger.page
    page.focus("#ledger-q")
    page.keyboard.type("pue-010")
    page.keyboard.press("Enter")  # leads nowhere else
    assert "claim-pue-010" in shown(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "ledger-topic"
    page.focus("#ledger-q")
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    summary = page.locator("#topic-pue > summary")
    summary.focus()
    page.keyboard.press("Enter")
    assert set(shown(page)) == names(FOUND[FOUND.topic == "pue"])


@each_width_in_turn
def test_what_is_typed_stays_text(ledger):
    ledger.page.fill("#ledger-q", "<img src=x onerror=alert(1)>")
    ledger.page.reload()
    assert ledger.page.input_value("#ledger-q") == "<img src=x onerror=alert(1)>"
    assert ledger.page.locator(".register img").count() == 0


@each_width
def test_the_page_never_scrolls_sideways_however_much_is_open(ledger):
    ledger.page.evaluate(
        "document.querySelectorAll('.ledger details').forEach((d) => d.open = true)"
    )
    assert len(shown(ledger.page)) == len(FOUND)
    across = ledger.page.evaluate("document.documentElement.scrollWidth")
    assert across <= WIDTHS[ledger.width][0]
    wide = ledger.page.locator(".ledger tr").evaluate_all(
        "(rows) => rows.filter((row) => row.scrollWidth > row.clientWidth + 1).map((r) => r.id)"
    )
    assert wide == []


# --- the address -----------------------------------------------------------------------------


@each_width_in_turn
@pytest.mark.parametrize("hash_", ["#pue-010", "#claim-pue-010"])
def test_an_address_opens_its_row(browser, site, width, hash_):
    seen = opened(browser, site, width, "dark")
    seen.page.goto(site + PAGE + hash_, wait_until="load")
    row = seen.page.locator("#claim-pue-010")
    row.wait_for()
    assert row.evaluate(SEEN)
    seen.page.wait_for_function("document.activeElement.textContent === 'pue-010'")
    assert (seen.console, seen.failed, seen.foreign) == ([], [], [])
    seen.page.context.close()


@each_width_in_turn
def test_a_view_with_filters_can_be_sent(ledger, browser, site, width):
    ledger.page.fill("#ledger-q", "gpu")
    ledger.page.select_option("#ledger-verdict", "reproduces if")
    ledger.page.select_option("#ledger-sort", "id")
    address, found = ledger.page.url, shown(ledger.page)
    assert address.endswith("#q=gpu&verdict=reproduces+if&sort=id")
    assert len(found) > 3
    other = opened(browser, site, width, "light")
    other.page.goto(address, wait_until="load")
    other.page.locator(".register-controls").wait_for()
    assert shown(other.page) == found
    assert other.page.locator(".register-controls").evaluate(SEEN)
    other.page.evaluate("location.hash = '#tco-005'")  # a row that the filters hide
    row = other.page.locator("#claim-tco-005")
    row.wait_for()
    assert row.evaluate(SEEN)
    other.page.context.close()


@each_width_in_turn
def test_an_address_of_unknown_words_shows_everything(browser, site, width):
    seen = opened(browser, site, width, "light")
    seen.page.goto(f"{site}{PAGE}#verdict=perhaps&topic=weather&sort=%zz", wait_until="load")
    seen.page.locator(".register-controls").wait_for()
    assert status(seen.page) == f"{len(FOUND)} of {len(FOUND)} claims"
    assert (seen.console, seen.failed) == ([], [])
    seen.page.context.close()


@each_width_in_turn
def test_a_click_on_a_number_leaves_its_address_to_copy(ledger):
    ledger.page.locator("#topic-pue > summary").click()
    ledger.page.locator("#claim-pue-010 .claim-id").click()
    assert ledger.page.url.endswith("#claim-pue-010")


@each_width_in_turn
def test_every_argument_has_a_row_to_link_to(ledger):
    found = ledger.page.locator(".arguments tbody tr").evaluate_all("(all) => all.map((r) => r.id)")
    assert found == [f"thesis-{n}" for n in theses.ARGUMENTS]
    chips = ledger.page.locator(".arguments .verdict").all_inner_texts()
    assert len(chips) == len(found)
    assert set(chips) <= {"holds", "holds only if", "fails"}


def test_links_of_rows_lead_to_pages_and_places_that_are_there():
    markup = (SITE / PAGE).read_text("utf-8")
    table = markup[markup.index('class="ledger arguments') :]
    links = set(re.findall(r'href="([a-z_]+\.html)(?:#([^"]+))?"', table))
    assert len({page for page, _ in links}) > 10
    pages = {page: (SITE / "notebooks" / page).read_text("utf-8") for page, _ in links}
    assert [link for link in links if link[1] and f'id="{link[1]}"' not in pages[link[0]]] == []


# --- without a script ------------------------------------------------------------------------


@pytest.fixture
def scriptless(browser, width):
    across, down = WIDTHS[width]
    context = browser.new_context(
        viewport={"width": across, "height": down}, java_script_enabled=False
    )
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    yield page
    context.close()


@each_width
def test_without_a_script_topics_open_and_addresses_lead_to_rows(scriptless, site):
    scriptless.goto(f"{site}{PAGE}#claim-pue-010", wait_until="load")
    row = scriptless.locator("#claim-pue-010")
    row.wait_for()  # the browser opens the fold around it
    box = row.bounding_box()
    assert 0 <= box["y"] < scriptless.viewport_size["height"]
    assert scriptless.locator(".register-controls").count() == 0
    fold = scriptless.locator("#topic-carbon > summary")
    fold.click()
    assert scriptless.locator("#topic-carbon tbody tr").first.is_visible()
    assert scriptless.locator(".register tbody tr").count() == len(FOUND)


@each_width
def test_without_a_script_the_front_page_has_its_picture(scriptless, site):
    scriptless.goto(site + FRONT, wait_until="load")
    assert scriptless.locator("ol.findings > li").count() == 10
    picture = scriptless.locator("figure.chart svg:visible")
    assert picture.count() == 1
    assert picture.bounding_box()["height"] > 60


def test_the_front_page_is_one_screen(browser, site):
    seen = opened(browser, site, "wide", "light")
    seen.page.goto(site + FRONT, wait_until="load")
    box = seen.page.locator("figure.chart").bounding_box()
    assert box["y"] + box["height"] <= WIDTHS["wide"][1]
    for reader in ("Platform engineers", "FinOps and analysts", "founders"):
        assert seen.page.locator("strong", has_text=reader).first.evaluate(SEEN)
    seen.page.context.close()


# --- weight, and what changed ----------------------------------------------------------------


def test_the_page_weighs_little_before_anything_is_asked(browser, site):
    seen = opened(browser, site, "wide", "light")
    sizes = {}
    seen.page.on(
        "response", lambda answer: sizes.update({answer.url: len(gzip.compress(answer.body(), 9))})
    )
    seen.page.goto(site + PAGE, wait_until="networkidle")
    assert len(sizes) > 4
    assert sum(sizes.values()) < MOST_BYTES, sizes
    seen.page.context.close()


@each_width_in_turn
def test_the_page_of_mistakes_shows_every_row_of_the_changelog(browser, site, width):
    seen = opened(browser, site, width, "light")
    seen.page.goto(f"{site}book/changes.html", wait_until="load")
    told = rulings.changes(SITE.parents[1] / "CHANGELOG.md")
    rows = seen.page.locator("table.changes tbody tr")
    assert rows.count() == len(told)
    assert rows.first.locator("th").inner_text().startswith(told[0].id)
    links = rows.locator("th a").evaluate_all("(all) => all.map((link) => link.href)")
    ids = {f"claim-{name}" for name in FOUND["id"]} | {f"thesis-{n}" for n in theses.ARGUMENTS}
    assert links
    assert {link.split("#")[1] for link in links} <= ids
    assert seen.page.locator("table.changes .verdict").count() >= len(told)
    seen.page.context.close()


def test_on_a_phone_the_cells_of_a_row_take_its_whole_width(browser, site):
    seen = opened(browser, site, "phone", "light")
    for page, rows in ((PAGE, ".arguments tbody tr"), ("book/changes.html", ".changes tbody tr")):
        seen.page.goto(site + page, wait_until="load")
        widths = seen.page.locator(f"{rows} > *").evaluate_all(
            "(cells) => cells.map((cell) => cell.clientWidth / cell.parentElement.clientWidth)"
        )
        assert min(widths) > 0.95
    seen.page.context.close()
