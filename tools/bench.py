"""Measure, and print: formulas, a grid, book, tests, and the weight of the chapter pages.

Everything but the formulas runs in a copy of the project, so nothing here is touched.
"""

from __future__ import annotations

import functools
import gzip
import http.server
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import space
from costlib import (
    catalog,
    deploy,
    queueing,
    replica,
    response,
    scenario,
    screening,
    serve,
    serving,
    simulate,
    units,
    workloads,
)
from inputs import ROOT

PREDICTIONS = 1_000_000
ROWS = 1_000_000
READ = """
import re, sys, time
from costlib import requestlog
start = time.perf_counter()
requestlog.read(sys.argv[1])
spent = time.perf_counter() - start
peak = re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())  # Linux
print(spent, int(peak[1]) * 1024 / 1e6)
"""
TRIES = 10  # of what a browser does; the median is printed
PAINTED = """window.painted = new Promise((resolve) => {
  const look = () => document.querySelector("figure.chart .view svg")
    ? requestAnimationFrame(() => setTimeout(() => resolve(performance.now())))
    : requestAnimationFrame(look);
  requestAnimationFrame(look);
});"""
REDRAWN = """async (figure, tries) => {
  const slider = figure.querySelector("input[type=range]"), spent = [];
  for (let i = 1; i <= tries; i += 1) {
    const start = performance.now();
    slider.value = Number(slider.min) + (slider.max - slider.min) * i / (tries + 1);
    slider.dispatchEvent(new Event("input", {bubbles: true}));
    await figure.vegaView.runAsync();
    figure.getBoundingClientRect(); // the layout, too
    spent.push(performance.now() - start);
  }
  return spent;
}"""
CUSTOMERS = 10_000_000
REQUESTS = 200_000
CHUNKS, CHUNK = 512, 8192  # a chunk fits the cache of one core; larger calls wait for memory
MODEL = {"n_params": 70e9, "n_layers": 80, "n_kv_heads": 8, "cached_dim": 256}
CARD = {"memory_bytes": 80e9, "reserved_bytes": 6e9}
LEFT_OUT = (".git", ".venv", "build", "__pycache__", ".*_cache", ".hypothesis")


def timed(call: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def line(what: str, value: float, unit: str) -> None:
    """Print one measure."""
    print(f"  {what:<52}{value:9,.2f} {unit}", flush=True)


def formulas() -> None:
    """Evaluations per second of the cliff, over arrays, on one core."""
    context = np.random.default_rng(2026).uniform(1e3, 1e6, (CHUNKS, CHUNK))
    users = functools.partial(serving.capacity_users, weight_bits=4, cache_bits=8, **MODEL, **CARD)
    cost = functools.partial(
        serving.capacity_usd_per_mtok,
        weight_bits=4,
        cache_bits=8,
        n_heads=64,
        attended_dim=256,
        memory_bytes_per_s=3.35e12,
        peak_flop_per_s=989e12,
        rent_usd_per_h=2.5,
        **MODEL,
        **CARD,
    )
    print("formulas, one core")
    for name, formula in (("capacity_users", users), ("capacity_usd_per_mtok", cost)):
        best = min(timed(functools.partial(list, map(formula, context))) for _ in range(3))
        line(f"serving.{name}", context.size / best / 1e6, "million evaluations/s")
    draw = np.random.default_rng(2026)
    load: dict[str, Any] = {
        "n_accelerators": 8,
        "n_clients": draw.integers(1, 512, PREDICTIONS).astype(float),
        "input_tokens": draw.integers(100, 16_000, PREDICTIONS).astype(float),
        "output_tokens": draw.integers(100, 4_000, PREDICTIONS).astype(float),
    }
    for model in ("Llama-3.1-70B", "DeepSeek-V3"):
        ready = deploy.scenarios(model, "H200", **load)
        best = min(timed(functools.partial(serve.prediction, ready)) for _ in range(3))
        line(f"serve.prediction, {model}", PREDICTIONS / best / 1e6, "million predictions/s")
    waiting = {
        "gaps_s": draw.exponential(1.25, CUSTOMERS),
        "services_s": draw.exponential(1.0, CUSTOMERS),
    }
    best = min(timed(functools.partial(queueing.lindley_s, **waiting)) for _ in range(3))
    line("queueing.lindley_s", CUSTOMERS / best / 1e6, "million customers/s")
    for name in workloads.workloads():
        requests, machine = at_70_percent(name)
        best = min(timed(functools.partial(simulate.served, requests, machine)) for _ in range(3))
        line(f"simulate.served, {name} at 70 % load", REQUESTS / best / 1e3, "thousand requests/s")


def plans() -> None:
    """Combinations of a scenario per second, on one core."""
    asked = scenario.scenario(
        {
            "name": "everything",
            "workload": {"like": "chat", "requests_per_day": 1e6, "reused_fraction": 0.5},
            "promises": {"ttft_p95_s": 2, "tpot_p95_s": 0.05},
            "candidates": {
                "models": list(catalog.models()),
                "accelerators": ["H100", "H200", "B200", "MI300X", "L40S", "A100"],
                "n_accelerators": [1, 2, 4, 8, 16, 32],
                "weight_formats": ["bf16", "fp8", "int4", "mxfp4", "nvfp4"],
                "cache_bits": [4, 8, 16],
                "prefix_reuse": [True, False],
                "layouts": ["tensor", "experts"],
                "n_clients": list(range(1, 257, 16)),
            },
        }
    )
    want = screening.demand(asked)
    print("plans, one core")
    spent = timed(functools.partial(screening.screened, asked, want))
    number = asked.candidates.n_combinations
    line(f"screening.screened, {number:,} combinations", spent, "s")


def at_70_percent(name: str) -> tuple[workloads.Requests, replica.Replica]:
    """Poisson arrivals of a workload at a replica, and the replica."""
    lengths: dict[str, Any] = workloads.length_table(name)
    machine = replica.replica(
        "Llama-3.1-70B",
        "H100",
        n_accelerators=8,
        input_tokens=float(np.mean(lengths["input_tokens"])),
        output_tokens=float(np.mean(lengths["output_tokens"])),
    )
    top = response.under_load(machine, 1e-6, **lengths).saturation_requests_per_s
    arrivals = workloads.poisson_s(REQUESTS, requests_per_s=0.7 * top, seed=2026)
    return workloads.drawn(name, arrivals, seed=2026), machine


def grids() -> None:
    """Seconds and peak memory of the cheapest of a hundred million scenarios, on two processes."""
    best, run = space.searched()
    print(f"a grid of {int(best['count'].sum()):,} scenarios, two processes")
    line("cluster.cheapest", run["run_s"], "s")
    line("peak memory of a worker", run["worker_mb"], "MB")
    line("peak memory of the client", run["client_mb"], "MB")


def logs(folder: Path) -> None:
    """Rows per second and peak memory of a reader of logs, each in a process of its own."""
    lengths: dict[str, Any] = workloads.length_table("chat")
    draw = np.random.default_rng(2026)
    columns = [np.arange(ROWS) / 5, *(draw.choice(v, ROWS) for v in lengths.values())]
    rows = list(zip(*(column.tolist() for column in columns), np.arange(ROWS) // 7, strict=True))
    names = ("timestamp", "input_tokens", "output_tokens", "cached_tokens", "session")
    texts = {
        "csv": [",".join(names), *(",".join(map(str, row)) for row in rows)],
        "jsonl": [json.dumps(dict(zip(names, map(float, row), strict=True))) for row in rows],
    }
    print("logs, one core")
    for kind, told in texts.items():
        path = folder / f"log.{kind}"
        path.write_text("\n".join(told), "utf-8")
        command = [sys.executable, "-c", READ, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds, mb = map(float, done.stdout.split())
        line(f"requestlog.read, {ROWS:,} rows of {kind}", ROWS / seconds / 1e3, "thousand rows/s")
        line("peak memory, libraries included", mb, "MB")
        path.unlink()


def book(copy: Path) -> None:
    """Seconds of a clean, an incremental and an idle build."""

    def build() -> None:
        subprocess.run([sys.executable, "tools/build.py", "book"], cwd=copy, check=True)

    print("book")
    line("clean make book", timed(build), "s")
    line("idle make book", timed(build), "s")
    chapter = min((copy / "notebooks").glob("*.ipynb"))
    text = chapter.read_text("utf-8")
    notebook = json.loads(text)
    notebook["cells"][0]["source"] = [*notebook["cells"][0]["source"], "\n\nEdited."]
    chapter.write_text(json.dumps(notebook), "utf-8")
    line(f"make book after an edit in {chapter.stem}", timed(build), "s")
    chapter.write_text(text, "utf-8")
    build()


def tests(copy: Path) -> None:
    """Seconds of the test suite, the book being built."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "--dist", "loadfile"]
    command += ["--nbval", "--nbval-current-env", "costlib", "tests", "notebooks"]
    print("tests")

    def run() -> None:
        outcome = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
        print(f"  {(outcome.stdout.strip().splitlines() or ['no output'])[-1]}")

    line("make test after make book", timed(run), "s")


def pages(copy: Path) -> None:
    """Compressed bytes of each chapter page; times to its first, live and moved picture."""
    from playwright.sync_api import sync_playwright

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    site = copy / "build" / "html"
    handler = functools.partial(Quiet, directory=site)
    print("pages")
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}/"
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or playwright.chromium.executable_path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for chapter in sorted((site / "notebooks").glob("*.html")):
            page = browser.new_page()
            page.add_init_script(PAINTED)
            painted = []
            for _ in range(TRIES):
                page.goto(f"{base}notebooks/{chapter.name}")
                painted.append(page.evaluate("painted"))
            asked: list[str] = []
            page.on("request", functools.partial(note, asked))
            page.goto(f"{base}notebooks/{chapter.name}")
            weigh = functools.partial(compressed, site=site, base=base)
            line(f"{chapter.stem}: first load, {len(set(asked))} files", weigh(asked), "kB")
            line("first chart painted", np.median(painted) / units.MS_PER_S, "s")
            live = page.locator("figure.chart:has(script)")
            if live.count():
                start = time.perf_counter()
                live.first.scroll_into_view_if_needed()
                page.wait_for_selector("figure[data-drawn]", timeout=20_000)
                line("slider in view to live chart drawn", time.perf_counter() - start, "s")
                line(f"with the slider, {len(set(asked))} files", weigh(asked), "kB")
                moved = page.locator("figure[data-drawn]").first.evaluate(REDRAWN, TRIES)
                line("slider moved to chart redrawn", np.median(moved), "ms")
            page.close()
        browser.close()
        server.shutdown()


def note(asked: list[str], request: Any) -> None:
    """Remember what a page asked for."""
    asked.append(request.url)


def compressed(asked: list[str], *, site: Path, base: str) -> float:
    """Compressed kB of what was asked for."""
    paths = {site / url.removeprefix(base).split("?")[0].split("#")[0] for url in asked}
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in paths) / 1e3


def main() -> None:
    """Print every measure."""
    formulas()
    plans()
    grids()
    with tempfile.TemporaryDirectory() as folder:
        logs(Path(folder))
        copy = Path(folder) / "book"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        book(copy)
        pages(copy)
        tests(copy)


if __name__ == "__main__":
    main()
