"""Where users come in, above the formulas: what is no input is refused there, too, by its name."""

import functools
import importlib
import inspect
import re
import zlib

import numpy as np
import pytest
import valid_calls
from test_adversary import N_BAD, impossible, no_finite_number, no_number, refusals
from test_conventions import LEVEL

from costlib import theses

NUMBER = re.compile(r"\b(float|int|ArrayLike|Floats|Seed|NDArray|Arrays)\b")
OTHER = re.compile("Mapping|dict|Callable")


def numbers(function):
    """Parameters of a function that take a number, or several."""
    return [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if NUMBER.search(str(parameter.annotation))
        and not OTHER.search(str(parameter.annotation))
        and parameter.kind is not parameter.VAR_KEYWORD
    ]


def above_the_formulas():
    """Public functions that take numbers, by name, but for formulas and theses."""
    for module, level in LEVEL.items():
        if level > 1 and not module.startswith(("_", "theses_")):
            source = importlib.import_module(f"costlib.{module}")
            for name in getattr(source, "__all__", ()):
                function = getattr(source, name)
                home = getattr(function, "__module__", "").removeprefix("costlib.")
                again = home != module and not home.startswith("_")  # named where it is at home
                if (
                    not inspect.isclass(function)
                    and callable(function)
                    and not again
                    and numbers(function)
                ):
                    yield f"{module}.{name}", function


FUNCTIONS = dict(above_the_formulas())
# Not tried: a number that is looked up as a name is, and what is not known, which is NaN.
LOOKED_UP = {"catalog.session_growth", "theses.thesis"}
MAY_BE_NAN = {
    "claims.rounds_to": {"value"},
    "claims.verdict": {"value"},
    "screening.carbon_kg": {"busy_w", "tdp_w"},
}
SIGNED = {"study.flip_point": no_finite_number} | dict.fromkeys(
    ["claims.product", "claims.quotient", "claims.reduction", "claims.total", "claims.whole"],
    no_number,
)
BY_ANY_NAME = {"ownership.hour", "study.sweep"}  # numbers under names of the caller's
TRIED = sorted(FUNCTIONS.keys() - LOOKED_UP - {"claims.rounds_to", "claims.verdict"} | BY_ANY_NAME)


@functools.cache
def calls():
    return valid_calls.loads() | valid_calls.studies()


def impossible_of(function, valid, bad, name):
    """What a parameter cannot be, unless it is left out by None."""
    draw, n = np.random.default_rng(zlib.crc32(name.encode())), -(-N_BAD // len(valid))
    given = inspect.signature(function).parameters
    for value in impossible(name, draw, n) if bad is None else bad(draw, n):
        if value is not None or name not in given or given[name].default is not None:
            yield value


def test_every_function_that_takes_numbers_is_tried():
    wanted = {
        name: set(numbers(FUNCTIONS[name])) - MAY_BE_NAN.get(name, set()) for name in FUNCTIONS
    }
    for name in LOOKED_UP:
        del wanted[name]
    assert set(calls()) == set(TRIED)
    assert {name for name, left in wanted.items() if left} == set(TRIED) - BY_ANY_NAME
    missing = {name: left - set(calls().get(name, ("", {}))[1]) for name, left in wanted.items()}
    assert {name: left for name, left in missing.items() if left} == {}


@pytest.mark.parametrize("name", TRIED)
def test_what_is_no_input_is_refused_by_the_name_of_its_parameter(name):
    function, valid = calls()[name]
    function(**valid)
    wrong, tried = refusals(
        function, valid, functools.partial(impossible_of, function, valid, SIGNED.get(name))
    )
    assert wrong == []
    assert tried >= N_BAD


def computed(thesis):
    """Whether the cases of the chapters are computed first, which takes seconds for 200 of them."""
    return any(given.default is None for given in inspect.signature(thesis).parameters.values())


@pytest.mark.parametrize(
    "thesis",
    [
        pytest.param(one, id=one.__name__, marks=pytest.mark.audit if computed(one) else ())
        for one in theses.ARGUMENTS.values()
    ],
)
def test_what_no_thesis_can_be_tried_over_is_refused_by_its_name(thesis):
    tried_over = numbers(thesis)
    if not tried_over:
        assert thesis.__name__ == "architecture_choice"  # over what has to be recalled
        return
    bad = functools.partial(impossible_of, thesis, tried_over, None)
    wrong, tried = refusals(thesis, dict.fromkeys(tried_over), lambda name: [*bad(name), []])
    assert wrong == []
    assert tried >= N_BAD
