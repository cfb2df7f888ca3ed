"""The built pages as a reader meets them: wide and narrow, light and dark, without a network."""

import json
import re
from types import SimpleNamespace

import pytest
import yaml
from conftest import SITE

from costlib import catalog, serving, units
from costlib.charts import theme

pytestmark = pytest.mark.browser

TOC = yaml.safe_load((SITE.parents[1] / "_toc.yml").read_text("utf-8"))
CHAPTERS = [entry["file"] for part in TOC["parts"] for entry in part["chapters"]]
NOTEBOOKS = [name for name in CHAPTERS if name.startswith("notebooks/")]
PAGES = [f"{name}.html" for name in ["index", TOC["root"], *CHAPTERS, "search"]]
NO_READER = {"genindex.html"}  # Sphinx writes it; nothing leads there
WIDTHS = {"wide": (1280, 900), "phone": (390, 844)}
MODES = ("light", "dark")
WAIT_MS = 20_000
SPEC = "script[type='application/vnd.vegalite+json']"

ALL_DRAWN = f"""() => [...document.querySelectorAll("figure.chart")].every((figure) =>
  !figure.querySelector("{SPEC}") || figure.dataset.drawn || figure.dataset.error)"""

PASS_BY = """async () => {
  for (const figure of document.querySelectorAll("figure.chart")) {
    figure.scrollIntoView({block: "center", behavior: "instant"});
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  }
}"""

# Guides (axes, grids, legends, headers) let the pointer through; marks do not.
FIGURES = f"""(figures) => figures.map((figure) => {{
  const text = (selector) => (figure.querySelector(selector)?.textContent ?? "").trim();
  const shown = [...figure.querySelectorAll(".view svg")].filter(
    (svg) => svg.getClientRects().length && svg.getBoundingClientRect().width > 0);
  const ground = getComputedStyle(document.body).backgroundColor;
  const painted = (node) => {{
    const {{fill, stroke}} = getComputedStyle(node);
    return [fill, stroke].some((colour) => colour !== "none" && colour !== ground);
  }};
  const inside = (node, svg) => {{
    const box = node.getBoundingClientRect(), all = svg.getBoundingClientRect();
    const size = node.getBBox(); // without its stroke, which browsers count differently
    const bare = getComputedStyle(node).stroke === "none"; // a side of nothing shows nothing
    return Math[bare ? "min" : "max"](size.width, size.height) > (bare ? 0.1 : 0.5) &&
      box.right > all.left && box.left < all.right &&
      box.bottom > all.top && box.top < all.bottom;
  }};
  const marks = shown.map((svg) =>
    [...svg.querySelectorAll("g :is(path, rect, circle, line, text)")].filter((node) =>
      !node.closest("[pointer-events=none]") && painted(node) && inside(node, svg)).length);
  return {{
    id: figure.id,
    title: text(".chart-title"),
    words: [text(".chart-sub"), text(".sr-only")],
    live: Boolean(figure.querySelector("{SPEC}")),
    data: {{...figure.dataset}},
    broken: shown.some((svg) => /NaN|Infinity|undefined/.test(svg.outerHTML)),
    fills: [...new Set(shown.flatMap((svg) =>
      [...svg.querySelectorAll("text")].map((node) => getComputedStyle(node).fill)))],
    marks,
  }};
}})"""

# A margin of 16 pixels lies beside the column of a phone.
BESIDE = """(figures) => figures.flatMap((figure) => {
  const column = figure.getBoundingClientRect();
  return [...figure.querySelectorAll(".view svg text")].filter((text) => {
    const box = text.getBoundingClientRect();
    return box.width && (box.left < column.left - 18 || box.right > column.right + 18);
  }).map((text) => text.textContent);
})"""

EQUATIONS = """(nodes) => nodes.map((node) => {
  const svg = node.querySelector("svg");
  const box = svg?.getBoundingClientRect();
  return {tex: svg?.getAttribute("aria-label") ?? "", width: box?.width ?? 0,
    height: box?.height ?? 0, glyphs: svg ? svg.querySelectorAll("use, path").length : 0};
})"""

PROSE = """(main) => {
  const copy = main.cloneNode(true);
  const unread = "pre, code, script, noscript, style, svg";
  for (const node of copy.querySelectorAll(unread)) node.remove();
  return copy.textContent;
}"""


def opened(browser, site, width, mode):
    """A page of its own context, and what goes wrong on it."""
    across, down = WIDTHS[width]
    context = browser.new_context(
        viewport={"width": across, "height": down}, color_scheme=mode, reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    log = SimpleNamespace(foreign=[], failed=[], console=[], page=page, width=width, mode=mode)

    def refuse(route):
        log.foreign.append(route.request.url)
        route.abort()

    def listen(message):
        if message.type in ("error", "warning"):
            log.console.append(message.text)

    def check(response):
        if response.status >= 400:
            log.failed.append(f"{response.status} {response.url}")

    def lose(request):
        if request.failure != "net::ERR_ABORTED":  # a page that is left drops what still loads
            log.failed.append(request.url)

    context.route(re.compile(rf"^(?!{re.escape(site)}|data:|blob:)"), refuse)
    page.on("console", listen)
    page.on("pageerror", lambda error: log.console.append(str(error)))
    page.on("response", check)
    page.on("requestfailed", lose)
    return log


def bring_to_life(page):
    """Scroll to every figure and wait until those with sliders are drawn."""
    page.evaluate(PASS_BY)
    page.wait_for_function(ALL_DRAWN)


FIRST = {"notebooks/long_context_cliff", "notebooks/pue"}  # seen in full by every run


def visits():
    """Every page once and two in all four views; the other views wait for an audit."""
    for name in PAGES:
        for width in WIDTHS:
            for mode in MODES:
                often = (width, mode) == ("wide", "light") or name.removesuffix(".html") in FIRST
                marks = () if often else pytest.mark.audit
                yield pytest.param((name, width, mode), marks=marks, id=f"{name}-{width}-{mode}")


@pytest.fixture(scope="module", params=visits())
def visit(request, browser, site):
    name, width, mode = request.param
    seen = opened(browser, site, width, mode)
    seen.page.goto(site + name, wait_until="load")
    if name == "index.html":
        seen.page.wait_for_url(f"{site}{TOC['root']}.html")
    bring_to_life(seen.page)
    seen.page.wait_for_load_state("networkidle")  # what a page does late is heard, too
    seen.pair = MODES.index(mode)  # of light and dark
    seen.figures = seen.page.locator("figure.chart").evaluate_all(FIGURES)
    yield seen
    seen.page.context.close()


def rgb(colour):
    """#rrggbb as the browser computes it."""
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


# --- every page ------------------------------------------------------------------------------


@pytest.mark.usefixtures("site")
def test_every_page_of_the_site_is_visited():
    built = {path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html")}
    assert {name for name in built if not name.startswith("_")} - NO_READER == set(PAGES)


def test_a_page_has_one_heading_of_the_first_level(visit):
    (heading,) = visit.page.locator("h1:visible").all_inner_texts()
    assert heading.strip()


def test_a_page_does_not_scroll_sideways(visit):
    across = visit.page.evaluate("document.documentElement.scrollWidth")
    assert across <= WIDTHS[visit.width][0]


def test_no_cell_of_a_table_runs_into_the_next(visit):
    over = "(all) => all.filter((c) => c.scrollWidth > c.clientWidth + 1).map((c) => c.innerText)"
    assert visit.page.locator("table.book :is(th, td)").evaluate_all(over) == []


def test_the_names_of_the_neighbours_are_not_cut(visit):
    cut = "(links) => links.filter((a) => a.scrollWidth > a.clientWidth).map((a) => a.textContent)"
    assert visit.page.locator(".prev-next-area a").evaluate_all(cut) == []


def test_a_page_wears_the_colours_of_its_mode(visit):
    found = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert found == rgb(theme.TOKENS["page"][visit.pair])
    allowed = {rgb(pair[visit.pair]) for pair in theme.TOKENS.values()}
    assert {fill for figure in visit.figures for fill in figure["fills"]} <= allowed


def test_every_figure_has_its_words_and_one_drawing_with_marks(visit):
    poor = [
        figure
        for figure in visit.figures
        if not figure["title"]
        or not any(figure["words"])
        or len(figure["marks"]) != 1
        or not figure["marks"][0]
        or figure["broken"]
    ]
    assert poor == []


def test_every_word_of_a_figure_fits_beside_its_drawing(visit):
    assert visit.page.locator("figure.chart").evaluate_all(BESIDE) == []


def test_every_figure_with_sliders_is_drawn_without_a_warning(visit):
    found = {figure["id"]: figure["data"] for figure in visit.figures if figure["live"]}
    assert found == {name: {"warnings": "0", "drawn": "live"} for name in found}


def test_every_equation_is_drawn_and_is_one(visit):
    equations = visit.page.locator(".tex, .tex-body").evaluate_all(EQUATIONS)
    empty = [e for e in equations if not (e["width"] > 1 and e["height"] > 1 and e["glyphs"])]
    price = re.compile(r"\$|\d\.\d\d\s*(?:\\[,;: ]\s*)?(?:\\text\w*\{\s*)?(?i:usd|dollars?)")
    prose = re.compile(r"(?<![\\A-Za-z{])[A-Za-z]{2,}(?:\s+[A-Za-z]{2,}){2}")
    doubtful = [e["tex"] for e in equations if price.search(e["tex"]) or prose.search(e["tex"])]
    assert (empty, doubtful) == ([], [])


def test_no_markup_is_left_as_text(visit):
    told = visit.page.locator("main").first.evaluate(PROSE)
    marks = r"\$\$|\\[a-zA-Z]+\{|\\(?:frac|left|right|sum|cdot)\b|\\\$|\{[a-z:]+\}`|\*\*\w|<\w+ "
    assert re.findall(f".{{0,20}}(?:{marks}).{{0,20}}", told) == []


# The last of them, so that what a page does late is heard.


def test_a_page_asks_nothing_of_another_host_and_gets_all_that_it_asks(visit):
    assert (visit.foreign, visit.failed) == ([], [])


def test_a_page_leaves_the_console_silent(visit):
    assert visit.console == []


# --- sliders ---------------------------------------------------------------------------------

# What a reader sees of a figure; the numbers of Vega's clip paths count up with every drawing.
STATE = """async (figure) => {
  await figure.vegaView.runAsync();
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  return {
    drawing: figure.querySelector(".view svg").outerHTML.replace(/clip\\d+/g, "clip"),
    readout: figure.querySelector(".readout")?.textContent ?? "",
    values: [...figure.querySelectorAll(".controls input, .controls select")].map(
      (input) => [input.value, input.getAttribute("aria-valuetext")]),
  };
}"""

MOVE = """(input, value) => {
  input.value = value;
  input.dispatchEvent(new Event("input", {bubbles: true}));
}"""

SETTINGS = """(inputs) => inputs.map((input) => ({
  initial: input.value,
  values: input.options ? [...input.options].map((option) => option.value)
                        : [input.min, input.max],
}))"""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=() if name in FIRST else pytest.mark.audit) for name in NOTEBOOKS
    ],
)
def chapter(request, browser, site):
    seen = opened(browser, site, "wide", "light")
    seen.page.goto(f"{site}{request.param}.html", wait_until="load")
    bring_to_life(seen.page)
    seen.live = seen.page.locator("figure.chart[data-drawn]").all()
    yield seen
    seen.page.context.close()


def state(figure):
    return SimpleNamespace(**figure.evaluate(STATE))


def picture(seen):
    """What is seen, in whatever order its axes were drawn anew, and the inputs beside it."""
    marks = re.findall(r"<[^>]*>[^<]*", seen.drawing)
    return sorted(marks), seen.readout, seen.values


def reset(figure):
    figure.locator("button.reset").click()


def test_every_input_moves_its_figure_and_reset_restores_it(chapter):
    for figure in chapter.live:
        first, idle = state(figure), []
        inputs = figure.locator(".controls input, .controls select")
        for place, setting in enumerate(inputs.evaluate_all(SETTINGS)):
            for value in setting["values"]:
                inputs.nth(place).evaluate(MOVE, value)
                moved = state(figure)
                same = (moved.drawing, moved.readout) == (first.drawing, first.readout)
                if same and value != setting["initial"]:
                    idle.append((inputs.nth(place).get_attribute("id"), value))
                told = re.sub(r"<[^>]*>", " ", moved.drawing) + moved.readout
                assert not re.search("NaN|Infinity|undefined|null", told), (place, value)
                assert not re.search("NaN|Infinity|undefined", moved.drawing), (place, value)
                reset(figure)
                assert picture(state(figure)) == picture(first), (place, value)
        assert idle == []
        assert figure.get_attribute("data-warnings") == "0"
    assert (chapter.console, chapter.failed, chapter.foreign) == ([], [], [])


def test_a_slider_moves_by_keyboard_and_says_its_value(chapter):
    for figure in chapter.live:
        first = state(figure)
        slider = figure.locator("input[type=range]").first
        slider.focus()
        chapter.page.keyboard.press("ArrowLeft")
        moved = state(figure)
        assert moved.values != first.values
        assert moved.drawing != first.drawing
        reset(figure)


# --- the cliff against the library -------------------------------------------------------------

CLIFF = "notebooks/long_context_cliff"
SEVENTY = {"n_params": 70e9, "n_layers": 80, "n_kv_heads": 8, "cached_dim": 256}
SCALES = {"context_tokens": 1e3, "memory_bytes": units.GB, "reserved_bytes": units.GB}


@pytest.fixture(scope="module")
def cliff(browser, site):
    seen = opened(browser, site, "wide", "light")
    seen.page.goto(f"{site}{CLIFF}.html", wait_until="load")
    bring_to_life(seen.page)
    (figure,) = seen.page.locator("figure.chart[data-drawn]").all()
    spec = json.loads(figure.locator(SPEC).text_content())
    bound = [parameter for parameter in spec["params"] if "bind" in parameter]
    yield SimpleNamespace(
        figure=figure, initial={p["name"]: p["value"] for p in bound}, page=seen.page
    )
    seen.page.context.close()


def put(figure, name, value):
    control = figure.locator(f".controls [id$='-{name}']")
    if control.evaluate("(node) => node.tagName") == "SELECT":
        control.select_option(label=f"{value} bits")
    else:
        control.evaluate(MOVE, str(value))


@pytest.mark.parametrize(
    "moved",
    [
        {},
        {"context_tokens": 4},
        {"cache_bits": 3},
        {"context_tokens": 32, "cache_bits": 16},
        {"memory_bytes": 141, "weight_bits": 8, "context_tokens": 64},
        {"memory_bytes": 288, "context_tokens": 8, "rent_usd_per_h": 12, "reserved_bytes": 20},
        {"context_tokens": 256, "memory_bytes": 96, "cache_bits": 4, "rent_usd_per_h": 0.5},
        {"weight_bits": 16},
        {"memory_bytes": 24},
    ],
    ids=str,
)
def test_the_cliff_says_what_the_library_says(cliff, moved):
    for name, value in moved.items():
        put(cliff.figure, name, value)
    readout = state(cliff.figure).readout
    reset(cliff.figure)
    given = SEVENTY | {
        name: value * SCALES.get(name, 1) for name, value in (cliff.initial | moved).items()
    }
    rent = given.pop("rent_usd_per_h")
    users = serving.capacity_users(**given)
    device = catalog.accelerator("H100")
    cost = serving.capacity_usd_per_mtok(
        **given,
        rent_usd_per_h=rent,
        n_heads=64,
        attended_dim=256,
        memory_bytes_per_s=device.memory_bytes_per_s,
        peak_flop_per_s=device.peak_flop_per_s["bf16"],
    )
    if not users:
        assert readout.startswith("Nobody fits: ")
        return
    found = re.fullmatch(
        r"At (\d+)K tokens: (\d+) (users?) on the GPU, \$([\d.,]+) per million output tokens\.",
        readout,
    )
    assert found, readout
    assert int(found[1]) * 1e3 == given["context_tokens"]
    assert int(found[2]) == users
    assert found[3] == ("user" if users == 1 else "users")
    assert float(found[4].replace(",", "")) == pytest.approx(cost, rel=5e-3)


# --- the theme switch and the search -----------------------------------------------------------


def test_the_switch_turns_the_page_dark_and_the_next_page_remembers(browser, site):
    seen = opened(browser, site, "wide", "light")
    page, mode = seen.page, "document.documentElement.dataset.theme"
    page.goto(f"{site}{TOC['root']}.html")
    assert page.evaluate(mode) == "light"
    button = page.locator(".theme-switch-button:visible").first
    for _ in range(3):  # it goes round: as the system has it, light, dark
        if page.evaluate(mode) == "light":
            button.click()
    assert page.evaluate(mode) == "dark"
    page.goto(f"{site}{CHAPTERS[0]}.html")
    assert page.evaluate(mode) == "dark"
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == rgb(theme.TOKENS["page"][1])
    assert (seen.console, seen.failed, seen.foreign) == ([], [], [])
    page.context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_search_finds_a_word_of_the_chapter(browser, site, width):
    seen = opened(browser, site, width, "light")
    seen.page.goto(f"{site}search.html?q=newsletter")
    seen.page.locator(".search-summary", has_text=re.compile("found|matching")).wait_for()
    links = seen.page.locator("ul.search li a")
    links.first.wait_for()
    found = links.evaluate_all("(all) => all.map((link) => link.href.split(/[?#]/)[0])")
    assert f"{site}{CLIFF}.html" in found
    seen.page.goto(found[0])
    assert (seen.console, seen.failed, seen.foreign) == ([], [], [])
    seen.page.context.close()
