"""The same commit built twice, in another folder, time zone and order of sets: the same bytes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("_toc.yml", "costlib", "data", "examples", "notebooks", "requirements.lock", "tools")
PLACES = {
    "here": {"PYTHONHASHSEED": "0", "TZ": "UTC"},
    "some/where else": {"PYTHONHASHSEED": "4242", "TZ": "Pacific/Auckland"},
}


def executed(folder, environment):
    """Bytes of the chapters, executed in a copy of the sources at the folder."""
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        folder.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, folder / name)
    done = subprocess.run(
        [sys.executable, folder / "tools" / "build.py", "refresh"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment | {"PYTHONPATH": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in sorted(folder.glob("notebooks/*.ipynb"))}


@pytest.mark.audit
def test_executed_outputs_are_the_same_bytes_wherever_and_whenever_they_are_made(tmp_path):
    one, other = (executed(tmp_path / place, given) for place, given in PLACES.items())
    assert len(one) > 20
    assert [name for name in one if one[name] != other[name]] == []
