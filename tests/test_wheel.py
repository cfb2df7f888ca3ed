"""The library as installed from its wheel, far from the checkout."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*command, cwd, **environment):
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run("-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Folder of an installation without dependencies, which this Python has already."""
    target = tmp_path_factory.mktemp("installed")
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    run("-m", "pip", "install", *options, "--target", target, wheel, cwd=target)
    return target


@pytest.fixture
def python(installed, tmp_path):
    """Run the installed library from a folder that holds nothing of ours."""

    def call(*arguments):
        return run(*arguments, cwd=tmp_path, PYTHONPATH=str(installed))

    return call


def test_the_wheel_holds_every_module_table_and_the_chapter_of_reports_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    tables = {f"costlib/data/{path.name}" for path in ROOT.glob("data/*.csv")}
    modules = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("costlib/**/*.py")}
    assert tables
    frozen = {f"costlib/{path.relative_to(ROOT)}" for path in ROOT.glob("data/forecasts/*.csv")}
    others = {"costlib/data/README.md", "costlib/py.typed", "costlib/notebooks/decision.ipynb"}
    assert "costlib/notebooks/decision.ipynb" in names
    assert names - others == tables | modules | frozen


def test_the_installation_reads_its_own_tables(python, installed):
    code = (
        "import costlib; from costlib import catalog;"
        "print(costlib.__file__, catalog.data_path(), catalog.data_path('models.csv'), sep='\\n')"
    )
    places = [Path(line) for line in python("-c", code).splitlines()]
    assert places[0] == installed / "costlib" / "__init__.py"
    assert places[1] == installed / "costlib" / "data"
    assert places[2].is_file()
    assert all(place.is_relative_to(installed) for place in places)


def test_the_lines_of_the_readme_print_what_it_says(python):
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    assert len(blocks) > 1
    for code in blocks:
        promised = re.findall(r"^print.*  # (.*)$", code, re.MULTILINE)
        assert promised
        assert python("-c", code).splitlines() == promised


def test_the_formulas_need_no_charts(python):
    code = (
        "import sys; from costlib import catalog, kv, roofline, serving, study, claims;"
        "print(sorted({'altair', 'ipywidgets', 'vl_convert', 'IPython'} & set(sys.modules)))"
    )
    assert python("-c", code).strip() == "[]"


def test_the_command_lists_the_models(python):
    told = python("-m", "costlib.cli", "models")
    assert "Llama-3.1-70B" in told
    assert "params_b" in told.splitlines()[0]


def test_the_script_of_the_installation_runs(python, installed):
    (script,) = installed.glob("bin/costlib*")
    assert "H100" in python(script, "accelerators")
