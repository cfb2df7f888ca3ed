"""Translate a formula of costlib into a Vega expression, so that a slider runs the library.

The translator walks the syntax tree of the function: arithmetic, comparison, `np.where` and the
functions below, and calls between formulas, which it inlines. Argument checks drop out. What it
does not know it refuses. A sum over layer groups is the group itself: an expression speaks of
models whose layers are all alike.
"""

from __future__ import annotations

import ast
import inspect
import math
import operator
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["expression"]

CHECKS = {
    "at_least_one",
    "positive",
    "non_negative",
    "fraction",
    "over_groups",
    "within",
}  # pass their value
IDENTITIES = {"atleast_1d"}
FUNCTIONS = {
    "minimum": "min",
    "maximum": "max",
    "floor": "floor",
    "ceil": "ceil",
    "exp": "exp",
    "log": "log",
    "sqrt": "sqrt",
    "abs": "abs",
    "power": "pow",
    "ndtr": "cumulativeNormal",
    "ndtri": "quantileNormal",
}
FOLDED = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARISONS = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}

Formula = Callable[..., Any]


def expression(formula: Formula, **arguments: str | float) -> str:
    """Vega expression of a formula, each parameter a number or a Vega expression.

    Parameters
    ----------
    formula
        A function of costlib's formula modules.
    arguments
        What stands for each parameter; the others take their defaults.

    Raises
    ------
    TypeError
        If a parameter has neither an argument nor a default, or an argument no parameter.
    NotImplementedError
        If the body holds something that Vega cannot say; the message quotes it.

    Examples
    --------
    >>> from costlib import serving
    >>> expression(serving.n_accelerators, needed_bytes="ctx", usable_bytes=39e9)
    'ceil((ctx / 39000000000.0))'
    """
    return _inlined(formula, {name: _literal(value) for name, value in arguments.items()})


def _inlined(formula: Formula, given: Mapping[str, str]) -> str:
    parameters = inspect.signature(formula).parameters
    if unknown := sorted(set(given) - set(parameters)):
        raise TypeError(f"{formula.__name__} has no parameter {', '.join(unknown)}")
    defaults = {
        name: _literal(parameter.default)
        for name, parameter in parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    names = defaults | dict(given)
    if missing := [name for name in parameters if name not in names]:
        raise TypeError(f"{formula.__name__} lacks {', '.join(missing)}")
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(formula))).body
    assert isinstance(body, ast.FunctionDef)
    scope = inspect.getmodule(formula).__dict__
    for statement in body.body:
        match statement:
            case ast.Expr(value=ast.Constant()):  # the docstring
                continue
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                names[name] = _translated(value, names, scope)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                names[name] = _translated(value, names, scope)
            case ast.Return(value=ast.expr() as value):
                return _translated(value, names, scope)
            case _:
                break
    raise NotImplementedError(f"{formula.__name__}: {ast.unparse(statement)}")


def _literal(value: str | float) -> str:
    if isinstance(value, str):
        return value if value.isidentifier() else f"({value})"
    return "(1 / 0)" if math.isinf(value) else repr(float(value))


def _folded(left: str, sign: str, right: str) -> str:
    """One operation, done here where both sides are plain numbers."""
    try:
        numbers = float(left), float(right)
    except ValueError:
        return f"({left} {sign} {right})"
    return repr(FOLDED[sign](*numbers))


def _translated(node: ast.expr, names: Mapping[str, str], scope: Mapping[str, Any]) -> str:
    def go(child: ast.expr) -> str:
        return _translated(child, names, scope)

    match node:
        case ast.Constant(value=int() | float() as value):
            return _literal(value)
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Name() | ast.Attribute():
            return _literal(_resolved(node, scope))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"(-{go(operand)})"
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return f"pow({go(left)}, {go(right)})"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return _folded(go(left), OPERATORS[type(op)], go(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
            return f"({go(left)} {COMPARISONS[type(op)]} {go(right)})"
        case ast.Subscript(value=value, slice=ast.Tuple(elts=[])):  # x[()]: a scalar stays one
            return go(value)
        case ast.Call(func=ast.Name(id="summed"), args=[value]):
            return go(value)
        case ast.Call(func=ast.Name(id=name), args=[_, value, *_]) if name in CHECKS:
            return go(value)
        case ast.Call(func=ast.Attribute(attr=name), args=[value]) if name in IDENTITIES:
            return go(value)
        case ast.Call(func=ast.Attribute(attr="where"), args=[test, yes, no]):
            return f"({go(test)} ? {go(yes)} : {go(no)})"
        case ast.Call(func=ast.Attribute(attr=name), args=args, keywords=[]) if name in FUNCTIONS:
            return f"{FUNCTIONS[name]}({', '.join(go(argument) for argument in args)})"
        case ast.Call(func=func, args=args, keywords=keywords):
            target = _resolved(func, scope)
            if inspect.isfunction(target) and target.__module__.startswith("costlib."):
                bound = inspect.signature(target).bind(
                    *(go(argument) for argument in args),
                    **{str(keyword.arg): go(keyword.value) for keyword in keywords},
                )
                return _inlined(target, bound.arguments)
    raise NotImplementedError(f"no Vega expression for {ast.unparse(node)!r}")


def _resolved(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    """Value of a name or of `module.name` as the formula's own module sees it."""
    match node:
        case ast.Name(id=name) if name in scope:
            return scope[name]
        case ast.Attribute(value=value, attr=name):
            return getattr(_resolved(value, scope), name)
    raise NotImplementedError(f"no Vega expression for {ast.unparse(node)!r}")
