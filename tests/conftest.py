"""What tests share: the built site, a browser to look at it, and a last word if there is none."""

from __future__ import annotations

import functools
import gc
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbval.kernel
import pytest
from playwright.sync_api import sync_playwright
from xdist.plugin import pytest_xdist_auto_num_workers as n_cores

SITE = Path(__file__).resolve().parents[1] / "build" / "html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
INSTALL = "to run them: apt-get install chromium (or .venv/bin/playwright install chromium)"
NO_BROWSER = "no Chromium found"


START_KERNEL = nbval.kernel.start_new_kernel


def start_patiently(*given: Any, **named: Any) -> Any:
    """Start a kernel; its ports are free when chosen, and a browser's may be there before it."""
    for _ in range(2):
        try:
            return START_KERNEL(*given, **named)
        except RuntimeError:
            continue
    return START_KERNEL(*given, **named)


nbval.kernel.start_new_kernel = start_patiently


# Fifteen thousand tests are collected and stay; to look for garbage among them took half the time.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage again, but not among the tests."""
    gc.freeze()
    gc.enable()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than cores: while one waits for a browser or a kernel, another works."""
    return n_cores(config) + 1


def find_chromium() -> str | None:
    """Path of a Chromium: named by CHROMIUM, on the path, or fetched by Playwright."""
    if named := os.environ.get("CHROMIUM"):
        return named if Path(named).is_file() else None
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser; the test is skipped where there is none, or fails in CI."""
    if found := find_chromium():
        return found
    if os.environ.get("CI_BROWSER") == "required":
        pytest.fail(f"{NO_BROWSER}, and CI_BROWSER=required", pytrace=False)
    pytest.skip(NO_BROWSER)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """A Chromium that asks nothing of a network."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """Address of the built book, served on this machine while tests run."""
    if not (SITE / "index.html").is_file():
        pytest.fail("the book is not built: make book", pytrace=False)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say last, after pytest's own closing line, that the browser tests did not run, and why."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    skipped = [r for r in reporter.stats.get("skipped", []) if NO_BROWSER in str(r.longrepr)]
    if skipped:
        reporter.write_line(f"{len(skipped)} browser tests skipped: {NO_BROWSER}; {INSTALL}")
