"""A chapter in a real JupyterLab: run, drawn, and its widget moved by hand."""

import contextlib
import inspect
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from costlib import booktools, catalog, serving

pytestmark = [pytest.mark.lab, pytest.mark.audit]

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "notebooks" / "long_context_cliff.ipynb"
WITH_WIDGET = [
    path
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    if path != CHAPTER and '"widget"' in path.read_text("utf-8")
]
START_S = 60
RUN_MS = 150_000
REST_MS = 40_000
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is on the page
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address of a JupyterLab of its own: no token, no settings of the user, no network."""
    home = tmp_path_factory.mktemp("lab")
    folders = {
        name: str(home / name.lower())
        for name in (
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_RUNTIME_DIR",
            "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
            "IPYTHONDIR",
        )
    }
    for plugin, settings in SETTINGS.items():
        path = Path(folders["JUPYTERLAB_SETTINGS_DIR"], "@jupyterlab", plugin)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".jupyterlab-settings").write_text(json.dumps(settings), "utf-8")
    root = home / "root"
    root.mkdir()
    for path in (CHAPTER, *WITH_WIDGET):
        shutil.copy(path, root)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    log = home / "log"
    with log.open("w") as told:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"),
                *(f"--port={port}", "--ServerApp.port_retries=0", "--allow-root"),
                *("--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"),
                f"--ServerApp.root_dir={root}",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                "--LabApp.news_url=",
                "--LabApp.expose_app_in_browser=True",
            ],
            env=os.environ | folders | {"PYTHONPATH": str(ROOT)},
            cwd=root,
            stdout=told,
            stderr=told,
        )
    try:
        for _ in range(START_S * 4):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}api", timeout=5):
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(0.25)
                break
        assert server.poll() is None, log.read_text("utf-8")
        yield url
        stop = urllib.request.Request(f"{url}api/shutdown", method="POST")
        with urllib.request.urlopen(stop, timeout=10):  # ends the kernels too
            pass
        server.wait(20)
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait(20)


# A chart as wide as its container makes JupyterLab draw it again without end.
CHART = ".jp-RenderedVegaLite .chart-wrapper :is(svg, canvas)"
AT_REST = f"""() => {{
  const before = window.chartsBefore ?? [];
  const now = window.chartsBefore = [...document.querySelectorAll("{CHART}")];
  return now.length && now.length === before.length && now.every((c, n) => c === before[n]);
}}"""


# What is run while the kernel is still being connected is lost.
CONNECTED = """() => {
  const kernel = jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === "connected" && kernel.status === "idle";
}"""
RUN_ALL = """() => {
  jupyterapp.commands.execute("notebook:run-all-cells").then(() => { window.ran = true; });
}"""


# What is drawn, or said instead; ids of clip paths differ from one drawing to the next.
MARKS = """(box) => [...box.querySelectorAll(".widget-html :is(path, text, p)")]
  .map((mark) => [mark.getAttribute("d"), mark.getAttribute("transform"), mark.textContent])
  .join()"""


def wait_until_at_rest(page):
    try:
        page.wait_for_function(AT_REST, polling=1000, timeout=REST_MS)
    except PlaywrightTimeout:
        pytest.fail("charts are drawn again and again, or not at all", pytrace=False)


@contextlib.contextmanager
def opened(lab, browser, path):
    """A chapter after "Run All Cells", in a window of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(RUN_MS)
    foreign = []

    def refuse(route):
        foreign.append(route.request.url)
        route.abort()

    page.route(re.compile(rf"^(?!{re.escape(lab)}|data:|blob:)https?:"), refuse)
    page.goto(f"{lab}lab/tree/{path.name}?reset")
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.wait_for_function(CONNECTED)
    wait_until_at_rest(page)
    page.evaluate(RUN_ALL)
    page.wait_for_function("window.ran")
    boxes = page.locator(".jp-OutputArea .widget-vbox")
    boxes.last.locator(".widget-html svg").wait_for()
    wait_until_at_rest(page)
    yield SimpleNamespace(page=page, boxes=boxes, box=boxes.first, foreign=foreign)
    context.close()


@pytest.fixture(scope="module")
def chapter(lab, browser):
    with opened(lab, browser, CHAPTER) as found:
        yield found


def expected(**moved):
    """The sentence over the widget's drawing, from the library."""
    h100 = catalog.accelerator("H100")
    given = {
        "context_tokens": 128e3,
        "rent_usd_per_h": 2.5,
        "memory_bytes": 80e9,
        "reserved_bytes": 6e9,
        "weight_bits": 4,
        "cache_bits": 8,
        "n_params": 70e9,
        "n_layers": 80,
        "n_heads": 64,
        "n_kv_heads": 8,
        "cached_dim": 256,
        "attended_dim": 256,
        "memory_bytes_per_s": h100.memory_bytes_per_s,
        "peak_flop_per_s": h100.peak_flop_per_s["bf16"],
    } | moved
    usd = serving.capacity_usd_per_mtok(**given)
    taken = inspect.signature(serving.capacity_users).parameters
    users = serving.capacity_users(**{key: given[key] for key in taken if key in given})
    cost = f"{usd:.2f}" if usd >= 1 else f"{usd:.3g}"
    return f"{users:.0f} user{'' if users == 1 else 's'}, ${cost} per million output tokens"


def test_the_chapter_runs_without_an_error(chapter):
    assert chapter.page.locator('.jp-OutputArea [data-mime-type*="stderr"]').count() == 0
    assert chapter.page.locator('.jp-OutputArea [data-mime-type*="error"]').count() == 0


def test_every_chart_is_drawn(chapter):
    cells = nbformat.read(CHAPTER, as_version=4).cells
    charts = [
        output
        for cell in cells
        for output in cell.get("outputs", [])
        if booktools.MIME in output.get("data", {})
    ]
    drawn = chapter.page.locator(CHART)
    drawn.nth(len(charts) - 1).wait_for()
    sizes = drawn.evaluate_all("(all) => all.map((node) => node.getBoundingClientRect().width)")
    assert len(sizes) == len(charts) > 0
    assert min(sizes) > 200


def test_equations_are_typeset_and_prices_are_not(chapter):
    assert chapter.page.locator(".jp-MarkdownCell mjx-container").count() > 0
    outputs = chapter.page.locator(".jp-CodeCell .jp-OutputArea")
    assert outputs.locator("mjx-container").count() == 0
    assert "$" in " ".join(outputs.all_inner_texts())


def test_the_widget_starts_at_the_chapter_and_follows_the_reader(chapter):
    drawing = chapter.box.locator(".widget-html svg")
    drawing.get_by_text(expected()).wait_for()
    cache = chapter.box.locator(".widget-dropdown", has_text="Cache").locator("select")
    cache.select_option(label="4")
    drawing.get_by_text(expected(cache_bits=4)).wait_for()
    rent = chapter.box.locator(".widget-slider", has_text="GPU rent").locator(".noUi-handle")
    rent.focus()
    chapter.page.keyboard.press("ArrowRight")
    drawing.get_by_text(expected(cache_bits=4, rent_usd_per_h=2.55)).wait_for()


def test_nothing_was_asked_of_another_host(chapter):
    assert chapter.foreign == []


def move(page, control, *, there):
    """A dropdown or a slider by one, there or back."""
    if control.locator("select").count():
        chosen, n = control.locator("select").evaluate("(one) => [one.selectedIndex, one.length]")
        control.locator("select").select_option(index=(chosen + (1 if there else -1)) % n)
    else:
        handle = control.locator(".noUi-handle")
        handle.focus()
        if there:  # a slider at its least can only go up
            down = handle.get_attribute("aria-valuenow") != handle.get_attribute("aria-valuemin")
            control.evaluate("(one, down) => { one.dataset.down = down; }", down)
        down = control.get_attribute("data-down") == "true"
        page.keyboard.press("ArrowLeft" if down == there else "ArrowRight")


@pytest.mark.parametrize("path", WITH_WIDGET, ids=[path.stem for path in WITH_WIDGET])
def test_every_other_widget_follows_the_reader_too(path, lab, browser):
    with opened(lab, browser, path) as found:
        errors = found.page.locator(
            '.jp-OutputArea :is([data-mime-type*="stderr"], [data-mime-type*="error"])'
        )
        assert errors.count() == 0, errors.all_inner_texts()
        for box in found.boxes.all():
            for control in box.locator(".widget-slider, .widget-dropdown").all():
                for there in (True, False):  # and back, so that each is tried from the start
                    before = found.page.evaluate(MARKS, box.element_handle())
                    move(found.page, control, there=there)
                    found.page.wait_for_function(
                        f"([box, before]) => ![before, ''].includes(({MARKS})(box))",
                        arg=[box.element_handle(), before],
                        timeout=REST_MS,
                    )
        assert found.foreign == []


def test_a_log_of_the_reader_is_replayed_and_a_wrong_path_is_named(lab, browser):
    with opened(lab, browser, ROOT / "notebooks" / "serving_at_load.ipynb") as found:
        box = found.boxes.last
        field = box.locator(".widget-text input")
        field.fill("nowhere.csv")
        field.press("Enter")
        box.locator(".widget-html").get_by_text("nowhere.csv: not found").wait_for()
        log = ROOT / "tests" / "example_log.csv"
        field.fill(str(log))
        field.press("Enter")
        box.locator(".widget-html svg").get_by_text(log.name).first.wait_for()
        assert found.foreign == []
