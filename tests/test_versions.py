"""The library and its chapters on the lowest and on the newest versions that pyproject allows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
QUICK = "not audit and not browser and not lab"


def run(*command, **environment):
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]


@pytest.mark.audit
@pytest.mark.parametrize("versions", ["lowest-direct", "highest"])
def test_units_and_chapters_hold(versions, tmp_path):
    pytest.importorskip("uv")
    uv = (sys.executable, "-m", "uv", "--quiet")
    python = tmp_path / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(*uv, "venv", "--seed", "--python", sys.executable, tmp_path)
    into = ("--python", python, "--resolution", versions, "--editable", f"{ROOT}[test]")
    run(*uv, "pip", "install", *into)
    tests = (
        "-m",
        "pytest",
        "--quiet",
        "-p",
        "no:cacheprovider",
        "-n",
        "auto",
        "--dist",
        "loadfile",
        "--maxfail=20",
    )
    one = {"OPENBLAS_NUM_THREADS": "1"}
    run(python, *tests, "-m", QUICK, "--ignore=tests/test_build.py", "costlib", "tests", **one)
    run(python, *tests, "--nbval-lax", "--nbval-current-env", "notebooks", **one)
