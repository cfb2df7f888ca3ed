"""Execute the chapters and render the book: `python tools/build.py book` or `refresh [names]`.

Everything is built under build/; heavy imports wait until there is work, so an idle run is instant.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import yaml

from inputs import ROOT, digest, files_under, fingerprint, notebook_key

NOTEBOOKS = ROOT / "notebooks"
BUILD = ROOT / "build"
STAGE = BUILD / "stage"
SPHINX = BUILD / "jupyter"
SITE = BUILD / "html"
STATE = BUILD / "state.json"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
CELL_TIMEOUT_S = 300
ANSI = re.compile(r"\x1b\[[0-9;]*m")
Done = Callable[[Path, Any], None]


class BuildError(Exception):
    """What went wrong, in words that a reader of the terminal can act on."""


def chapters() -> list[Path]:
    """Notebooks named by the table of contents, in its order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    files = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    found = [ROOT / f"{name}.ipynb" for name in files if name.startswith("notebooks/")]
    if missing := [path.name for path in found if not path.is_file()]:
        raise BuildError(f"_toc.yml names notebooks that do not exist: {', '.join(missing)}")
    return found


# Executing


def explain(path: Path, error: Any) -> str:
    """One message for a chapter that did not run: where, which line, and the traceback's end."""
    where = f"{path.relative_to(ROOT)} did not run"
    if not hasattr(error, "traceback"):
        return f"{where}: {type(error).__name__}: {error}"
    trace = ANSI.sub("", "\n".join(error.traceback))
    in_cell = re.findall(r"Cell In\[\d+\], line (\d+)", trace)
    lines = error.source.splitlines() or [""]
    number = min(int(in_cell[0]), len(lines)) if in_cell else 1
    tail = "\n".join(f"    {line}" for line in trace.rstrip().splitlines()[-12:])
    return (
        f"{where}: cell {error.cell_index + 1} raised {error.ename}: {error.evalue}\n"
        f"  line {number} of the cell: {lines[number - 1].strip()}\n{tail}"
    )


def clean(notebook: Any) -> Any:
    """Drop what differs from run to run or from machine to machine; outputs and ids stay."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        for key in ("papermill", "execution", "exception", "collapsed", "scrolled"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    return notebook


def execute(path: Path) -> tuple[Any, float]:
    """Run one notebook in a fresh kernel at the root of the project; the notebook, seconds."""
    import papermill

    start = time.perf_counter()
    notebook = papermill.execute_notebook(
        path,
        None,
        cwd=ROOT,
        kernel_name=KERNEL["name"],
        execution_timeout=CELL_TIMEOUT_S,
        extra_arguments=["--log-level=CRITICAL"],  # what went wrong stands in the notebook
        progress_bar=False,
        log_output=False,
    )
    return clean(notebook), time.perf_counter() - start


def execute_all(paths: list[Path], done: Done) -> None:
    """Run notebooks, as many at once as there are cores; `done` receives each that ran.

    After a failure nothing new starts; what runs already finishes and is kept.
    """
    import logging

    from tqdm.auto import tqdm

    for name in ("papermill", "tornado"):  # the error itself is told once, by `explain`
        logging.getLogger(name).setLevel(logging.CRITICAL)
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # kernels already take every core
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    failures: list[str] = []
    with (
        ThreadPoolExecutor(min(cores, len(paths), 8)) as pool,
        tqdm(total=len(paths), desc="notebooks", leave=False, disable=None) as bar,
    ):
        running: dict[Future[tuple[Any, float]], Path] = {
            pool.submit(execute, path): path for path in paths
        }
        for future in as_completed(running):
            path = running[future]
            if future.cancelled():
                continue
            if error := future.exception():
                failures.append(explain(path, error))
                for waiting in running:  # a pool that shuts down would never say they ended
                    waiting.cancel()
            else:
                notebook, seconds = future.result()
                done(path, notebook)
                bar.write(f"  {path.stem:<24}{seconds:6.1f} s")
            bar.update()
    if failures:
        raise BuildError("\n\n".join(failures))


# Staging and rendering


def write_if_changed(path: Path, content: bytes) -> bool:
    """Write only what differs, so that modification times tell the truth."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return True


def mirror(source: Path, target: Path) -> None:
    """Make `target` the same tree as `source`, touching only files that differ."""
    names = {path.relative_to(source) for path in files_under(source)}
    for name in names:
        write_if_changed(target / name, (source / name).read_bytes())
    for path in files_under(target):
        if path.relative_to(target) not in names:
            path.unlink()


def as_page(notebook: Any) -> bytes:
    """Write the notebook as the book shows it: a widget needs a kernel, so its cell goes."""
    import nbformat

    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "widget" in tags and "remove-cell" not in tags:
            cell.metadata["tags"] = [*tags, "remove-cell"]
    return (str(nbformat.writes(notebook)) + "\n").encode()


def render() -> None:
    """Run Jupyter Book over the stage, every warning an error, and publish the site if it holds."""
    program = str(Path(sys.executable).with_name("jupyter-book"))
    run = subprocess.run(
        [program, "build", STAGE, "--path-output", SPHINX, "-W", "-n", "--keep-going"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    if run.returncode:
        # Sphinx would not repeat the warnings of pages that it has read already.
        shutil.rmtree(SPHINX)
        log = ANSI.sub("", run.stdout + run.stderr).replace(f"{STAGE}{os.sep}", "").splitlines()
        notes = [line for line in log if re.search(r"\b(WARNING|ERROR|CRITICAL)\b", line)]
        told = "\n".join(dict.fromkeys(notes or log[-30:]))  # some are given twice
        raise BuildError(f"the book did not render:\n{told}")
    mirror(SPHINX / "_build" / "html", SITE)


def book() -> None:
    """Execute the chapters whose inputs changed, then render the pages that did."""
    wanted = {path: notebook_key(path) for path in chapters()}
    state = json.loads(STATE.read_text("utf-8")) if STATE.is_file() else {}
    keys: dict[str, str] = state.get("notebooks", {})

    def save(**changes: Any) -> None:
        state.update(changes)
        write_if_changed(STATE, json.dumps(state, indent=1).encode())

    def staged(path: Path) -> Path:
        return STAGE / "notebooks" / path.name

    def keep(path: Path, notebook: Any) -> None:
        write_if_changed(staged(path), as_page(notebook))
        keys[path.name] = wanted[path]
        save(notebooks=keys)

    for path in (STAGE / "notebooks").glob("*"):
        if path.name not in {chapter.name for chapter in wanted}:
            path.unlink()
            keys.pop(path.name, None)
    changed = [p for p, key in wanted.items() if keys.get(p.name) != key or not staged(p).is_file()]
    if changed:
        print(f"Executing {len(changed)} of {len(wanted)} notebooks", flush=True)
        execute_all(changed, keep)

    mirror(ROOT / "book", STAGE / "book")
    for name in ("_config.yml", "_toc.yml", "CHANGELOG.md", "CITATION.cff"):
        write_if_changed(STAGE / name, (ROOT / name).read_bytes())
    faces = ("booktools.py", "register.py", "rulings.py")
    look = [ROOT / "costlib" / name for name in faces]
    look += [ROOT / "costlib" / "charts" / name for name in ("sheet.py", "theme.py")]
    names = ("CITATION.cff", "requirements.lock", "_config.yml", "_toc.yml")
    look += [ROOT / name for name in names]
    look += files_under(*(ROOT / "book" / name for name in ("_ext", "_templates", "_static")))
    look_key = fingerprint(look, platform.python_version())
    digest.cache_clear()
    page_key = fingerprint(files_under(STAGE))
    if (state.get("look"), state.get("pages")) == (look_key, page_key) and SITE.is_dir():
        print("Nothing to do: build/html/index.html is current")
        return
    if state.get("look") != look_key:
        shutil.rmtree(SPHINX, ignore_errors=True)
    save(look=None, pages=None)
    print("Rendering", end=" ", flush=True)
    start = time.perf_counter()
    render()
    save(look=look_key, pages=page_key)
    print(f"took {time.perf_counter() - start:.1f} s: build/html/index.html")


def refresh(names: list[str]) -> None:
    """Execute notebooks and write them back, outputs and all, if every cell ran."""
    import nbformat

    found = {path.stem: path for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    if unknown := [name for name in names if name not in found]:
        raise BuildError(f"no such notebook: {', '.join(unknown)}; there are {', '.join(found)}")

    def keep(path: Path, notebook: Any) -> None:
        write_if_changed(path, (str(nbformat.writes(notebook)) + "\n").encode())

    if chosen := [found[name] for name in names or found]:
        execute_all(chosen, keep)


def main() -> int:
    """Parse the command line and report a failure in one message."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("book", help="build the site under build/html")
    again = commands.add_parser("refresh", help="execute notebooks and write them back")
    again.add_argument("names", nargs="*", help="stems of notebooks; all if none")
    options = parser.parse_args()
    try:
        book() if options.command == "book" else refresh(options.names)
    except BuildError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
