"""Mutation testing: change one thing in a formula, and see whether the tests of its module notice.

    python tools/mutate.py [MODULE ...]

A mutant differs from its function in one place: an operator, a comparison, a constant, a branch,
a check, an argument. It is tried in a forked child of a pytest session that has everything
collected, on the tests that reach the function (doctests, the module's own test file and the
conventions), the quickest first, until one fails. Survivors that change nothing are explained in
tests/survivors.csv; any other survivor, or a module with fewer than nine in ten killed, fails.
"""

from __future__ import annotations

import ast
import copy
import csv
import importlib
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy: every child has a core of its own

import pytest
from tqdm.auto import tqdm

from inputs import ROOT

MODULES = ("kv", "roofline", "queueing", "tco", "pricing")
TABLE = ROOT / "tests" / "survivors.csv"
LEAST_PERCENT = 90
CONTROL = "nothing changed"
LIMIT_S = 60  # of computing, then a mutant counts as killed: it does not end

PAIRS = "Add Sub, Mult Div, BitAnd BitOr, Lt LtE, Gt GtE, Eq NotEq, And Or"
OPERATORS = {a: b for pair in PAIRS.split(", ") for a, b in (pair.split(), pair.split()[::-1])}
OPERATORS |= {"Pow": "Mult", "FloorDiv": "Div", "Mod": "Mult"}
OPPOSITES = {"Lt": "GtE", "GtE": "Lt", "Gt": "LtE", "LtE": "Gt"}
PAIRS = "minimum maximum, min max, floor ceil, any all, argmin argmax, ones_like zeros_like"
NAMES = {a: b for pair in PAIRS.split(", ") for a, b in (pair.split(), pair.split()[::-1])}
NAMES |= {"sqrt": "cbrt", "exp": "expm1", "log": "log1p", "inf": "e"}
CHECKS = {
    "positive": "non_negative",
    "non_negative": "positive",
    "fraction": "non_negative",
    "at_least_one": "positive",
}
COMMUTE = {"np.minimum", "np.maximum", "np.broadcast_arrays", "within", "over_groups", *CHECKS}


class Mutant(NamedTuple):
    """A function with one thing changed, and in words what."""

    function: str
    mutation: str
    code: CodeType


def changed(node: ast.AST, **fields: Any) -> Any:
    """The same node with other fields."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def swapped(parts: list[Any], place: int) -> list[Any]:
    """The list with an entry and the next one exchanged."""
    return [*parts[:place], parts[place + 1], parts[place], *parts[place + 2 :]]


def calls(node: ast.Call, module: ModuleType) -> Iterator[ast.AST]:
    """What a call can be changed to: its check, its arguments, the keywords it can do without."""
    name = ast.unparse(node.func)
    if name in CHECKS:
        yield changed(node, func=ast.Name(CHECKS[name], ast.Load()))
        yield changed(node, func=ast.parse("np.float64", mode="eval").body, args=node.args[1:])
    elif name == "within":
        yield node.args[1]
    if name not in COMMUTE:
        for place in range(name == "np.where", len(node.args) - 1):
            yield changed(node, args=swapped(node.args, place))
    for place in range(len(node.keywords) - 1):
        values = swapped([keyword.value for keyword in node.keywords], place)
        pairs = zip(node.keywords, values, strict=True)
        yield changed(node, keywords=[changed(keyword, value=value) for keyword, value in pairs])
    top, *rest = name.split(".")
    callee = getattr(vars(module).get(top), rest[0], None) if rest else vars(module).get(top)
    for place, keyword in enumerate(node.keywords):
        if keyword.arg in (getattr(callee, "__kwdefaults__", None) or ()):
            others = node.keywords[:place] + node.keywords[place + 1 :]
            yield changed(node, keywords=others)


def changes(node: ast.AST, module: ModuleType) -> Iterator[ast.AST]:
    """What a node of the syntax tree is replaced by, one mutant each."""
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op):
            yield changed(node, op=getattr(ast, OPERATORS[type(op).__name__])())
        case ast.Compare(ops=[op]):
            for table in (OPERATORS, OPPOSITES):
                if type(op).__name__ in table:
                    yield changed(node, ops=[getattr(ast, table[type(op).__name__])()])
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(2 * value or 1)
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.Attribute(attr=name) if name in NAMES:
            yield changed(node, attr=NAMES[name])
        case ast.Name(id=name) if name in NAMES:
            yield changed(node, id=NAMES[name])
        case ast.If(test=test) | ast.IfExp(test=test):
            yield changed(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.Expr() | ast.Raise():
            yield ast.Pass()
        case ast.Return(value=ast.expr() as value):
            yield ast.Return(ast.BinOp(ast.Constant(2), ast.Mult(), value))
        case ast.Call():
            yield from calls(node, module)


def compiled(function: ast.FunctionDef) -> CodeType:
    """Code that defines the function as its tree now stands."""
    return compile(ast.fix_missing_locations(ast.Module([function], [])), "<mutant>", "exec")


def places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Every node below, with its parent and where it hangs; no annotations, no text."""
    for field, value in ast.iter_fields(node):
        if field not in ("annotation", "returns", "decorator_list"):
            listed = isinstance(value, list)
            for index, child in enumerate(value if listed else [value]):
                docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
                message = isinstance(child, ast.JoinedStr)
                if isinstance(child, ast.AST) and not docstring and not message:
                    yield node, field, index if listed else None, child
                    yield from places(child)


def mutants(module: ModuleType) -> Iterator[Mutant]:
    """Every mutant of a module's functions, and each function as it is, which must survive."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        seen: Counter[str] = Counter()
        yield Mutant(function.name, CONTROL, compiled(function))
        for parent, field, index, node in list(places(function)):
            for new in changes(node, module):
                around = parent if isinstance(parent, ast.expr | ast.keyword) else node
                before = ast.unparse(around)
                siblings = getattr(parent, field)
                setattr(parent, field, new)
                if index is not None:
                    setattr(parent, field, [*siblings[:index], new, *siblings[index + 1 :]])
                after = ast.unparse(parent if around is parent else new)
                code = compiled(function)
                setattr(parent, field, siblings)
                if field == "kw_defaults" and isinstance(parent, ast.arguments):
                    before = f"{parent.kwonlyargs[index or 0].arg}={before}"
                text = f"{before.splitlines()[0]} -> {after.splitlines()[0]}"
                seen[text] += 1
                again = f" ({seen[text]})" if seen[text] > 1 else ""
                yield Mutant(function.name, text + again, code)


def passes(items: list[pytest.Item]) -> bool:
    """Whether all tests pass; the rest is left out after the first that fails."""
    for item in items:
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        if item.session.testsfailed:
            return False
    return True


class Campaign:
    """A plugin that takes the place of pytest's loop over the tests."""

    def __init__(self, modules: list[ModuleType]) -> None:
        self.modules = modules
        self.failed = False

    def pytest_configure(self) -> None:
        """A failure is enough: hypothesis looks for no smaller example."""
        from hypothesis import Phase, settings  # not before pytest, which rewrites its assertions

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutate", phases=phases, database=None)
        settings.load_profile("mutate")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try every mutant of every module, and print a row for each module."""
        with TABLE.open(encoding="utf-8", newline="") as file:
            rows = {(r["module"], r["function"], r["mutation"]) for r in csv.DictReader(file)}
        print(f"{'module':12}{'mutants':>8}{'killed':>8}{'share':>9}{'seconds':>9}")
        for module in self.modules:
            start = time.perf_counter()
            name = module.__name__.removeprefix("costlib.")
            tried = list(mutants(module))
            living = survivors(module, tried, reaching(module, session.items))
            killed = len(tried) - len(living)
            controls = {(name, m.function, CONTROL) for m in tried if m.mutation == CONTROL}
            n_mutants = len(tried) - len(controls)
            share = 100 * killed / n_mutants
            spent = time.perf_counter() - start
            print(f"{name:12}{n_mutants:8}{killed:8}{share:7.1f} %{spent:9.1f}", flush=True)
            found = {(name, mutant.function, mutant.mutation) for mutant in living}
            known = {row for row in rows if row[0] == name} | controls
            wrong = [f"survived: {m}.{f}: {text}" for m, f, text in sorted(found - known)]
            wrong += [f"no survivor: {m}.{f}: {text}" for m, f, text in sorted(known - found)]
            if share < LEAST_PERCENT:
                wrong.append(f"{name}: {share:.1f} % killed, below {LEAST_PERCENT} %")
            print("".join(f"  {line}\n" for line in wrong), end="", flush=True)
            self.failed = self.failed or bool(wrong)
        return True


def concerns(module: ModuleType, item: pytest.Item) -> bool:
    """Whether a test is a doctest of the module, in its file, or a convention of its formulas."""
    if item.path.name == "test_conventions.py":
        formula = item.callspec.params.get("formula") if hasattr(item, "callspec") else None
        return getattr(formula, "__module__", "") == module.__name__
    name = module.__name__.removeprefix("costlib.")
    return item.path.stem in (name, f"test_{name}")


def reaching(module: ModuleType, items: list[pytest.Item]) -> dict[str, list[pytest.Item]]:
    """Tests that enter each function of a module, the quickest first."""
    entered: set[tuple[str, str]] = set()

    def note(frame: FrameType, _event: str, _arg: Any) -> None:
        entered.add((frame.f_code.co_filename, frame.f_code.co_name))

    own = [item for item in items if concerns(module, item)]
    with tempfile.NamedTemporaryFile() as file:
        if (child := os.fork()) == 0:  # apart, so that nothing computed here is remembered
            rows = []
            for place, item in enumerate(own):
                entered.clear()
                start = time.perf_counter()
                sys.setprofile(note)
                fine = passes([item])
                sys.setprofile(None)
                if not fine:
                    print(f"fails without any mutation: {item.nodeid}", flush=True)
                    os._exit(1)
                spent = time.perf_counter() - start
                rows.append((spent, place, [f for where, f in entered if where == module.__file__]))
            Path(file.name).write_text(json.dumps(sorted(rows)), encoding="utf-8")
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            raise SystemExit(f"{module.__name__}: its tests must pass before mutants are tried")
        rows = json.load(file)
    return {f: [own[place] for _, place, fs in rows if f in fs] for _, _, fs in rows for f in fs}


def survivors(
    module: ModuleType, tried: list[Mutant], tests: dict[str, list[pytest.Item]]
) -> list[Mutant]:
    """Mutants that no test notices: each tried in a child of its own, one on each core."""
    living: list[Mutant] = []
    running: dict[int, Mutant] = {}
    queue = list(tried)
    tqdm.monitor_interval = 0  # no thread beside the forks
    with tqdm(total=len(tried), desc=module.__name__, leave=False) as bar:
        while queue or running:
            if queue and len(running) < (os.cpu_count() or 1):
                mutant = queue.pop()
                if (child := os.fork()) == 0:
                    lived_through(module, mutant, tests.get(mutant.function, []))
                running[child] = mutant
            else:
                child, status = os.wait()
                if status == 0:
                    living.append(running[child])
                del running[child]
                bar.update()
    return living


def lived_through(module: ModuleType, mutant: Mutant, tests: list[pytest.Item]) -> None:
    """Put a mutant in the place of its function, try the tests, and end the process."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    namespace = dict(vars(module))
    exec(mutant.code, namespace)
    function, new = getattr(module, mutant.function), namespace[mutant.function]
    function.__code__ = new.__code__  # in place: whoever imported the function has the mutant
    function.__defaults__, function.__kwdefaults__ = new.__defaults__, new.__kwdefaults__
    os._exit(0 if passes(tests) else 1)


def main() -> int:
    """Run the campaign; 1 where a module falls short or a survivor is unexplained."""
    names = sys.argv[1:] or MODULES
    campaign = Campaign([importlib.import_module(f"costlib.{name}") for name in names])
    files = [path for n in names for path in (f"costlib/{n}.py", f"tests/test_{n}.py")]
    options = ["-p", "no:terminal", "-p", "no:cacheprovider", "--capture=no"]
    os.chdir(ROOT)
    result = pytest.main([*options, *files, "tests/test_conventions.py"], plugins=[campaign])
    return int(campaign.failed or result != 0)


if __name__ == "__main__":
    sys.exit(main())
