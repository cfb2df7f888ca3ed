"""The pages without a mouse, a script, a screen, full colour vision, or Chromium."""

import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from firefox import Firefox
from test_site import (
    ALL_DRAWN,
    CLIFF,
    FIGURES,
    MODES,
    PAGES,
    TOC,
    WIDTHS,
    bring_to_life,
    opened,
)

pytestmark = pytest.mark.browser

READ = PAGES[1:]  # index.html only leads to the first
CHAPTER = f"{CLIFF}.html"


def every_page(quick):
    """All pages, of which one in every run."""
    marked = [pytest.param(name, marks=pytest.mark.audit) for name in READ if name != quick]
    return pytest.mark.parametrize("name", [quick, *marked])


OPEN_ALL = "document.querySelectorAll('details').forEach((fold) => { fold.open = true; })"
# Equations and drawings are pictures with one description; test_theme.py measures their colours.
DRAWINGS = {"exclude": [[".view svg"], [".tex svg"]]}


@pytest.fixture
def visit(browser, site):
    """Open a page, sliders alive and folds open."""
    contexts = []

    def visited(name, width="wide", mode="light"):
        seen = opened(browser, site, width, mode)
        contexts.append(seen.page.context)
        seen.page.goto(site + name, wait_until="load")
        bring_to_life(seen.page)
        seen.page.evaluate(OPEN_ALL)
        return seen.page

    yield visited
    for context in contexts:
        context.close()


# --- axe -----------------------------------------------------------------------------------------


@every_page(f"{TOC['root']}.html")
@pytest.mark.parametrize(("width", "mode"), [("wide", "light"), ("phone", "dark")])
def test_axe_finds_nothing(visit, name, width, mode):
    page = visit(name, width, mode)
    found = Axe().run(page, context=DRAWINGS, options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


# --- the keyboard --------------------------------------------------------------------------------

FOCUS = """() => {
  const node = document.activeElement, style = getComputedStyle(node);
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const box = node.getBoundingClientRect();
  return {
    body: node === document.body,
    control: Boolean(node.closest(".controls")),
    what: node.outerHTML.slice(0, 120),
    colour: ring ? style.outlineColor : null,
    seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
  };
}"""


@pytest.mark.parametrize("mode", MODES)
def test_tab_reaches_everything_in_sight_and_never_sticks(visit, mode):
    page = visit(CHAPTER, "wide", mode)
    page.evaluate("scrollTo(0, 0)")
    stops = []
    for _ in range(400):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUS)
        if stop["body"]:
            break
        stops.append(stop)
    assert [s["what"] for s in stops if not (s["seen"] and s["colour"])] == []
    assert stop["body"], "the keyboard never leaves the page"
    assert "#main-content" in stops[0]["what"]
    controls = page.locator(".controls :is(input, select, button)").count()
    assert sum(stop["control"] for stop in stops) == controls > 0


def test_a_fold_opens_by_enter_and_the_search_by_its_keys(visit, site):
    page = visit(CHAPTER)
    fold = page.locator("details.hide").first
    fold.locator("summary").focus()
    for opened_now in (False, True):  # the visit opened it
        page.keyboard.press("Enter")
        assert fold.evaluate("(node) => node.open") == opened_now
    page.keyboard.press("Control+k")
    dialog = page.locator("dialog[open] input[type=search]")
    dialog.wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    page.keyboard.press("Control+k")
    page.keyboard.type("newsletter")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}search.html?q=newsletter")
    page.locator("ul.search li a").first.wait_for()


# --- without a script ----------------------------------------------------------------------------

WITHOUT = """() => {
  const seen = (node) => node.checkVisibility({visibilityProperty: true});
  const all = (selector) => [...document.querySelectorAll(selector)].filter(seen);
  const named = (nodes) => nodes.map((node) => node.outerHTML.slice(0, 120));
  const drawn = (figure) => [...figure.querySelectorAll(".view svg")].filter(seen).length;
  return {
    dead: named(all("button, input, select").filter((n) => !n.matches(".dropdown-toggle"))),
    blank: named(all("figure.chart").filter((figure) => drawn(figure) !== 1)),
    equations: named(all(".tex, .tex-body").filter((node) => !node.querySelector("svg"))),
    chapters: new Set(all(".bd-sidebar-primary a[href*='.html'], .bd-sidebar-primary a.current")
      .map((link) => link.href.split("#")[0])).size,
    across: document.documentElement.scrollWidth,
  };
}"""


@every_page(CHAPTER)
@pytest.mark.parametrize("width", WIDTHS)
def test_without_a_script_all_is_seen_and_nothing_dead_shown(browser, site, name, width):
    across, down = WIDTHS[width]
    context = browser.new_context(
        viewport={"width": across, "height": down}, java_script_enabled=False
    )
    page = context.new_page()
    page.goto(site + name)
    found = page.evaluate(WITHOUT)
    assert (found["dead"], found["blank"], found["equations"]) == ([], [], [])
    assert found["chapters"] >= sum(len(part["chapters"]) for part in TOC["parts"])
    assert found["across"] <= across
    menu = page.locator(".dropdown-menu")
    if menu.count():
        page.locator(".dropdown-toggle").focus()
        assert menu.is_visible()
    context.close()


# --- on paper ------------------------------------------------------------------------------------

PAPER = """([across, down]) => {
  const seen = (node) => node.checkVisibility({visibilityProperty: true});
  const all = (selector) => [...document.querySelectorAll(selector)].filter(seen);
  const named = (nodes) => nodes.map((node) => node.outerHTML.slice(0, 120));
  const box = (node) => node.getBoundingClientRect();
  const edge = box(document.querySelector(".bd-article-container")).left + across;
  return {
    screen: named(all("nav, aside, button, input, select, .bd-sidebar, .headerlink")),
    ground: getComputedStyle(document.body).backgroundColor,
    wide: named(all(".bd-article :is(p, pre, table, th, td, figure, .view svg, .tex-body)")
      .filter((node) => box(node).right > edge + 1)),
    split: named(all("figure.chart").filter((node) =>
      box(node).height > down || getComputedStyle(node).breakInside !== "avoid")),
    shapeless: named(all(".verdict").filter((node) =>
      getComputedStyle(node, "::before").printColorAdjust !== "exact")),
  };
}"""
A4 = (178 / 25.4 * 96, 261 / 25.4 * 96)  # pixels between the margins that book.css sets


@every_page(CHAPTER)
def test_on_paper_all_fits_and_nothing_of_the_screen_is_left(visit, name):
    page = visit(name, "wide", "dark")
    page.emulate_media(media="print")
    page.add_style_tag(content=f"html {{ width: {A4[0]}px; }}")
    found = page.evaluate(PAPER, A4)
    assert found.pop("ground") == "rgb(255, 255, 255)"
    assert {what: nodes for what, nodes in found.items() if nodes} == {}


# --- Firefox -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def firefox():
    executable = shutil.which("firefox-esr") or shutil.which("firefox")
    if not executable:
        pytest.skip("no Firefox found: apt-get install firefox-esr")
    driven = Firefox(executable)
    yield driven
    driven.close()


DRAW_ALL = f"""(async () => {{
  for (const figure of document.querySelectorAll("figure.chart")) {{
    figure.scrollIntoView();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }}
  while (!({ALL_DRAWN})()) await new Promise((resolve) => setTimeout(resolve, 50));
  return {{
    figures: ({FIGURES})([...document.querySelectorAll("figure.chart")]),
    across: document.documentElement.scrollWidth,
  }};
}})()"""


@pytest.mark.audit
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", READ)
def test_firefox_draws_what_chromium_draws(firefox, browser, site, name, width):
    firefox.console.clear()
    firefox.goto(site + name, *WIDTHS[width])
    found = firefox.evaluate(DRAW_ALL)
    assert firefox.console == []
    assert found["across"] <= WIDTHS[width][0]
    seen = opened(browser, site, width, "light")
    seen.page.goto(site + name)
    assert found["figures"] == seen.page.evaluate(DRAW_ALL)["figures"]
    seen.page.context.close()
