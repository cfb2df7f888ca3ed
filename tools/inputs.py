"""What a notebook's outputs depend on, as one fingerprint.

That is the notebook itself, the modules of costlib that it imports, directly or not, the tables
under data/ that one of these names, the pinned versions and Python.
"""

from __future__ import annotations

import ast
import hashlib
import json
import platform
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@cache
def digest(path: Path) -> str:
    """Fingerprint of one file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fingerprint(paths: Iterable[Path], *extra: str) -> str:
    """One fingerprint of many files and their names."""
    lines = [f"{path.relative_to(ROOT)} {digest(path)}" for path in sorted(set(paths))]
    return hashlib.sha256("\n".join([*lines, *extra]).encode()).hexdigest()


def files_under(*folders: Path) -> list[Path]:
    """Every file below the folders; hidden files and caches are left out."""
    found = ((path, folder) for folder in folders for path in folder.rglob("*") if path.is_file())
    return [
        path
        for path, folder in found
        if not any(p[0] == "." or p == "__pycache__" for p in path.relative_to(folder).parts)
    ]


def imported_names(source: str, package: str) -> set[str]:
    """Dotted names that the source imports; `package` resolves relative imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return names


def module_files(name: str) -> list[Path]:
    """Files that importing the dotted name runs, if it is ours: the module and its packages."""
    parts = name.split(".")
    if parts[0] != "costlib":
        return []
    found = [ROOT.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)]
    return [path for path in [*found, ROOT.joinpath(*parts).with_suffix(".py")] if path.is_file()]


@cache
def imported_files(path: Path) -> frozenset[Path]:
    """Files of costlib that one of its modules imports directly."""
    package = ".".join(path.parent.relative_to(ROOT).parts)
    names = imported_names(path.read_text("utf-8"), package)
    return frozenset(file for name in names for file in module_files(name))


def notebook_code(path: Path) -> str:
    """Join the code cells into one Python source, line magics left out."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return "\n".join(line for line in "\n".join(code).splitlines() if line[:1] not in "%!?")


def notebook_key(path: Path) -> str:
    """Fingerprint of everything that the notebook's outputs depend on."""
    code = notebook_code(path)
    try:
        names = imported_names(code, "")
        pending = [file for name in names for file in module_files(name)]
    except SyntaxError:  # the kernel will explain it better
        pending = files_under(ROOT / "costlib")
    modules: set[Path] = set()
    while pending:
        if (module := pending.pop()) not in modules:
            modules.add(module)
            pending += imported_files(module)
    text = code + "".join(module.read_text("utf-8") for module in modules)
    if "import_module" in text:  # whatever it imports by name can be any of ours
        modules.update(path for path in files_under(ROOT / "costlib") if path.suffix == ".py")
        text = code + "".join(module.read_text("utf-8") for module in modules)
    data = [file for file in files_under(ROOT / "data") if file.name in text]
    fixed = [path, ROOT / "requirements.lock", *files_under(ROOT / "tools")]
    return fingerprint([*modules, *data, *fixed], platform.python_version())
