"""The build: what makes a chapter stale, what is written back, what a failure says."""

import importlib.util
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

TOOLS = Path(__file__).resolve().parents[1] / "tools"
TREE = {
    "costlib/__init__.py": "",
    "costlib/units.py": "GB = 1e9\n",
    "costlib/kv.py": "from costlib.units import GB\n",
    "costlib/catalog.py": "TABLE = 'models.csv'\n",
    "costlib/study.py": "from . import kv\n\ndef late():\n    from costlib import catalog\n",
    "costlib/lone.py": "TABLE = 'prices.csv'\n",
    "costlib/booktools.py": "",
    "costlib/register.py": "",
    "costlib/rulings.py": "",
    "costlib/charts/__init__.py": "",
    "costlib/charts/sheet.py": "",
    "costlib/charts/theme.py": "from .. import units\n",
    "costlib/charts/cliff.py": "from costlib.charts import theme\n",
    "data/models.csv": "name\nllama\n",
    "data/prices.csv": "name\ngpt\n",
    "data/unread.csv": "name\n",
    "book/intro.md": "# Book\n",
    "README.md": "# Read\n",
    "CHANGELOG.md": "# Changes\n",
    "CITATION.cff": "cff-version: 1.2.0\n",
    "requirements.lock": "numpy==2.4\n",
    "_config.yml": "title: Book\n",
    "_toc.yml": "format: jb-book\nroot: book/intro\nparts:\n  - caption: Part\n    chapters:\n"
    "      - file: notebooks/first\n      - file: notebooks/second\n",
}


def write_notebook(path, *code):
    cells = [new_markdown_cell("# Title", id="title")]
    cells += [new_code_cell(text, id=f"cell-{n}") for n, text in enumerate(code)]
    path.parent.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)


@pytest.fixture
def root(tmp_path):
    """A project of two small chapters with the tools of this one."""
    shutil.copytree(TOOLS, tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in TREE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    write_notebook(tmp_path / "notebooks/first.ipynb", "from costlib import study", "1 + 1")
    write_notebook(tmp_path / "notebooks/second.ipynb", "import costlib.lone as lone", "lone")
    return tmp_path


def load(root, name):
    """Load a tool of the small project anew, as each run does: it caches what it has read."""
    spec = importlib.util.spec_from_file_location(f"{name}_under_test", root / f"tools/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def keys(root):
    inputs = load(root, "inputs")
    return {path.stem: inputs.notebook_key(path) for path in root.glob("notebooks/*.ipynb")}


def stale_after(root, edit):
    """Chapters whose fingerprint an edit changes."""
    before = keys(root)
    edit()
    return {name for name, key in keys(root).items() if before[name] != key}


def add_a_line(root, name):
    path = root / name
    if path.suffix == ".ipynb":
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[0].source += " changed"
        nbformat.write(notebook, path)
    else:
        path.write_text(path.read_text("utf-8") + "# changed\n", "utf-8")


# --- what depends on what --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edited", "stale"),
    [
        ("notebooks/first.ipynb", {"first"}),
        ("notebooks/second.ipynb", {"second"}),
        ("costlib/study.py", {"first"}),
        ("costlib/kv.py", {"first"}),
        ("costlib/units.py", {"first"}),
        ("costlib/catalog.py", {"first"}),
        ("costlib/lone.py", {"second"}),
        ("costlib/__init__.py", {"first", "second"}),
        ("costlib/charts/theme.py", set()),
        ("data/models.csv", {"first"}),
        ("data/prices.csv", {"second"}),
        ("data/unread.csv", set()),
        ("requirements.lock", {"first", "second"}),
        ("tools/build.py", {"first", "second"}),
        ("book/intro.md", set()),
        ("README.md", set()),
    ],
)
def test_an_edit_makes_stale_what_depends_on_it_and_nothing_else(root, edited, stale):
    assert stale_after(root, lambda: add_a_line(root, edited)) == stale


def test_nothing_is_stale_when_nothing_changed(root):
    assert stale_after(root, lambda: None) == set()


@pytest.mark.parametrize(
    "code",
    [
        "from costlib.charts import cliff",
        "import costlib.charts.cliff",
        "%matplotlib inline\nfrom costlib.charts.cliff import draw",
        "import importlib\nimportlib.import_module('costlib.' + 'kv')",
        "from costlib import study\nthis is no Python",
    ],
)
def test_every_way_to_import_is_followed(root, code):
    write_notebook(root / "notebooks/second.ipynb", code)
    assert "second" in stale_after(root, lambda: add_a_line(root, "costlib/units.py"))


def test_a_table_that_the_chapter_names_itself_counts(root):
    write_notebook(root / "notebooks/second.ipynb", "read('data/unread.csv')")
    assert stale_after(root, lambda: add_a_line(root, "data/unread.csv")) == {"second"}


# --- what the book executes ------------------------------------------------------------------


@pytest.fixture
def book(root, monkeypatch, capsys):
    """Build the small book without kernels and Sphinx; what was executed, and what was said."""

    def build():
        monkeypatch.setitem(sys.modules, "inputs", load(root, "inputs"))
        tool, executed = load(root, "build"), []

        def execute_all(paths, done):
            for path in paths:
                executed.append(path.stem)
                done(path, nbformat.read(path, as_version=4))

        monkeypatch.setattr(tool, "execute_all", execute_all)
        monkeypatch.setattr(tool, "render", lambda: tool.SITE.mkdir(exist_ok=True))
        tool.book()
        return executed, capsys.readouterr().out

    return build


@pytest.mark.parametrize(
    ("edited", "executed", "rendered"),
    [
        (None, [], False),
        ("costlib/kv.py", ["first"], False),  # its outputs may be what they were
        ("notebooks/second.ipynb", ["second"], True),
        ("CHANGELOG.md", [], True),
        ("CITATION.cff", [], True),
        ("book/intro.md", [], True),
        ("_config.yml", [], True),
        ("README.md", [], False),
    ],
)
def test_the_book_does_again_only_what_an_edit_asks_for(root, book, edited, executed, rendered):
    assert book()[0] == ["first", "second"]
    if edited:
        add_a_line(root, edited)
    again, said = book()
    assert again == executed
    assert ("Rendering" in said) == rendered
    assert ("Nothing to do" in said) != rendered


def test_a_chapter_that_left_the_contents_leaves_the_stage(root, book):
    book()
    toc = root / "_toc.yml"
    toc.write_text(toc.read_text("utf-8").replace("      - file: notebooks/second\n", ""), "utf-8")
    assert book()[0] == []
    assert [path.stem for path in root.glob("build/stage/notebooks/*")] == ["first"]


def test_a_widget_stays_in_the_notebook_and_leaves_the_page(root, book):
    path = root / "notebooks/first.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata["tags"] = ["widget"]
    nbformat.write(notebook, path)
    book()
    page = json.loads((root / "build/stage/notebooks/first.ipynb").read_text("utf-8"))
    assert page["cells"][1]["metadata"]["tags"] == ["widget", "remove-cell"]
    assert nbformat.read(path, as_version=4).cells[1].metadata["tags"] == ["widget"]


# --- the command -----------------------------------------------------------------------------


def run(root, *arguments):
    return subprocess.run(
        [sys.executable, root / "tools/build.py", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=root,
    )


def test_refresh_writes_outputs_without_what_changes_from_run_to_run(root):
    path = root / "notebooks/first.ipynb"
    write_notebook(path, "from costlib import study", "print(study.kv.GB)\n6 * 7")
    done = run(root, "refresh", "first")
    assert done.returncode == 0, done.stderr
    first = path.read_bytes()
    notebook = nbformat.reads(first.decode(), as_version=4)
    stream, result = notebook.cells[2].outputs
    assert (stream.text, result.data["text/plain"]) == ("1000000000.0\n", "42")
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert str(root) not in first.decode()
    assert run(root, "refresh", "first").returncode == 0
    assert path.read_bytes() == first


def test_a_cell_that_raises_ends_in_one_message_with_notebook_cell_and_error(root):
    path = root / "notebooks/second.ipynb"
    code = "rent_usd_per_h = -1\nraise ValueError(f'rent_usd_per_h is {rent_usd_per_h}')"
    write_notebook(path, "1", code, "'never'")
    before = path.read_bytes()
    done = run(root, "refresh", "second")
    assert done.returncode == 1
    first, line, *_ = done.stderr.strip().splitlines()
    where = "notebooks/second.ipynb did not run: cell 3"
    assert first == f"{where} raised ValueError: rent_usd_per_h is -1"
    assert line.strip().startswith("line 2 of the cell: raise ValueError(")
    assert done.stderr.count("did not run") == 1
    assert done.stderr.count("Traceback (most recent call last)") <= 1
    assert path.read_bytes() == before


def test_after_a_failure_what_waits_is_left_and_the_run_ends(root, monkeypatch):
    build = load(root, "build")
    paths, kept, told = [build.ROOT / f"notebooks/{n}.ipynb" for n in range(40)], [], []

    def execute(path):
        if path == paths[0]:
            raise ValueError("no")
        time.sleep(0.05)
        return path, 0.05

    def run_all():
        with pytest.raises(build.BuildError) as stopped:
            build.execute_all(paths, lambda path, _: kept.append(path))
        told.append(str(stopped.value))

    monkeypatch.setattr(build, "execute", execute)
    runner = threading.Thread(target=run_all, daemon=True)
    runner.start()
    runner.join(timeout=30)
    assert not runner.is_alive()
    assert len(told) == 1
    assert len(kept) < 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["refresh", "third"], "no such notebook: third; there are first, second"),
        (["book"], "_toc.yml names notebooks that do not exist: gone.ipynb"),
    ],
)
def test_a_wrong_name_is_one_line(root, arguments, message):
    toc = root / "_toc.yml"
    toc.write_text(toc.read_text("utf-8").replace("notebooks/second", "notebooks/gone"), "utf-8")
    done = run(root, *arguments)
    assert (done.returncode, done.stderr.strip()) == (1, message)


def test_cleaning_keeps_outputs_and_drops_times_paths_and_widgets(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "inputs", load(root, "inputs"))
    data = {"text/plain": "slider", "application/vnd.jupyter.widget-view+json": {"model_id": "7"}}
    cell = new_code_cell("1", outputs=[new_output("display_data", data=data)])
    cell.metadata = {"papermill": {"duration": 1}, "execution": {}, "tags": []}
    notebook = new_notebook(cells=[cell], metadata={"papermill": {"input_path": "/a"}})
    cleaned = load(root, "build").clean(notebook)
    assert cleaned.cells[0].metadata == {}
    assert cleaned.cells[0].outputs[0].data == {"text/plain": "slider"}
    assert "papermill" not in cleaned.metadata
