"""Scenario files: a workload, its promises, what may serve it and what that costs, in YAML.

A file is read safely: nothing in it is executed, aliases and tags are refused, a field that is
unknown or stands twice is an error, and an error is one line that names the field, the value and
what was expected. `costlib.plans` turns a scenario into a plan.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    model_validator,
)

from costlib import catalog, ownership, pricebook, sites, tables, workloads
from costlib._safeyaml import one_line, safe_yaml, shown

__all__ = [
    "Api",
    "Candidates",
    "Carbon",
    "Fleet",
    "Machine",
    "Model",
    "Prices",
    "Promises",
    "Router",
    "Scenario",
    "ScenarioError",
    "Workload",
    "read",
    "scenario",
]

LEAST_NUMBER, MOST_NUMBER = 1e-12, 1e15  # beyond these a number is a slip
MOST_ENTRIES: Final = 1_000  # of a list
MOST_TOKENS: Final = 1e8  # of a prompt or an answer
MOST_REQUESTS: Final = 1e12  # a day
MOST_COMBINATIONS: Final = 20_000_000
JOINER: Final = "\u200d"  # within one emoji


class ScenarioError(ValueError):
    """A scenario cannot be read; one line."""


# --- values -----------------------------------------------------------------------------------


def _number(words: str, holds: Callable[[float], bool]) -> BeforeValidator:
    """What refuses everything but a number for which `holds`; the file's numbers are texts."""

    def parsed(value: Any) -> float:
        try:
            if isinstance(value, bool):
                raise TypeError
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not holds(number) or abs(number) == math.inf:
            raise ValueError(f"expected {words}, got {shown(value)}")
        if number and not LEAST_NUMBER <= abs(number) <= MOST_NUMBER:
            size = f"{LEAST_NUMBER:g} to {MOST_NUMBER:g} in size"
            raise ValueError(f"expected {words}, {size}, got {shown(value)}")
        return number

    return BeforeValidator(parsed)


def _words(words: str, *, most: int = 200) -> BeforeValidator:
    def parsed(value: Any) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not (isinstance(value, str) and value.strip() and len(value) <= most):
            raise ValueError(f"expected {words}, got {shown(value)}")
        if not value.replace(JOINER, "").isprintable():
            raise ValueError(f"expected {words} that prints on one line, got {shown(value)}")
        return value.strip()

    return BeforeValidator(parsed)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, got {shown(value)}")
    return value


def _named(value: Any) -> Any:
    """A bare name where fields are expected."""
    return {"name": value} if isinstance(value, str | int | float) else value


def _known(fact: Callable[[str], Any]) -> AfterValidator:
    """A name of the catalog, spelled as the catalog does."""

    def found(name: str) -> str:
        try:
            return str(fact(name).name)
        except LookupError as why:
            raise ValueError(str(why)) from None

    return AfterValidator(found)


Positive = Annotated[float, _number("a number above 0", lambda x: x > 0)]
NonNegative = Annotated[float, _number("a number of 0 or more", lambda x: x >= 0)]
Fraction = Annotated[float, _number("a number from 0 to 1", lambda x: 0 <= x <= 1)]
Part = Annotated[float, _number("a number above 0, 1 at most", lambda x: 0 < x <= 1)]
Below = Annotated[float, _number("a number of 0 or more, below 1", lambda x: 0 <= x < 1)]
AtLeastOne = Annotated[
    float, _number("a number of 1 or more, 1,000 at most", lambda x: 1 <= x <= 1e3)
]
Tokens = Annotated[float, _number("tokens, 1 to 100,000,000", lambda x: 1 <= x <= MOST_TOKENS)]
Requests = Annotated[
    float, _number("a number above 0, 1e12 at most", lambda x: 0 < x <= MOST_REQUESTS)
]
Times = Annotated[float, _number("a factor from 0.01 to 100", lambda x: 0.01 <= x <= 100)]
Bits = Annotated[float, _number("bits, 1 to 32", lambda x: 1 <= x <= 32)]
Count = Annotated[
    int, _number("a whole number, 1 to 4,096", lambda x: 1 <= x <= 4096 and x == int(x))
]
Spares = Annotated[
    int, _number("a whole number, 0 to 1,000", lambda x: 0 <= x <= 1000 and x == int(x))
]
Quality = Annotated[float, _number("a number", lambda x: not math.isnan(x))]
Text = Annotated[str, _words("a text")]
Truth = Annotated[bool, BeforeValidator(_truth)]
Date = Annotated[str, _words("a date as YYYY-MM-DD")]
AcceleratorName = Annotated[
    str, _words("the name of an accelerator"), _known(lambda name: catalog.accelerator(name))
]
FormatName = Annotated[
    str, _words("the name of a format"), _known(lambda name: catalog.format_named(name))
]


def _several(value: Any) -> Any:
    """One value where a list is expected is a list of one."""
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError("expected at least one, got an empty list")
        if len(value) > MOST_ENTRIES:
            raise ValueError(f"expected {MOST_ENTRIES:,} entries at most, got {len(value):,}")
        return value
    return [value]


def _different(values: tuple[Any, ...]) -> tuple[Any, ...]:
    names = [(getattr(value, "name", value), getattr(value, "service", "")) for value in values]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"expected each once, got {shown(twice[0])} twice")
    return values


# --- fields -----------------------------------------------------------------------------------


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _no_stranger(cls, given: Any) -> Any:
        """Refuse what is no mapping, and name the nearest of what a stranger may have meant."""
        if not isinstance(given, Mapping):
            if isinstance(given, BaseModel):
                return given
            known = ", ".join(cls.model_fields)
            raise ValueError(f"expected fields ({known}), got {shown(given)}")
        for name in given:
            if name not in cls.model_fields:
                raise ValueError(f"no field {shown(name)}; {_nearest(str(name), cls)}")
        return {name: value for name, value in given.items() if value is not None}


def _nearest(name: str, of: type[BaseModel]) -> str:
    near = difflib.get_close_matches(name, of.model_fields, n=2, cutoff=0.5)
    near += [field for field in of.model_fields if field.startswith(name) and field not in near]
    if near:
        return f"did you mean {' or '.join(near[:2])}?"
    return f"expected one of {', '.join(of.model_fields)}"


class Workload(_Fields):
    """What is asked: lengths as numbers, as in a recorded workload, or as in a log of one's own."""

    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    like: Text | None = None
    log: Text | None = None
    log_time_unit: Literal["s", "ms", "us", "ns"] | None = None
    requests_per_day: Requests | None = None
    peak_times: AtLeastOne | None = None
    rent_peak_times: AtLeastOne | None = None
    reused_fraction: Fraction | None = None
    reuse_within_s: Positive | None = None
    written_fraction: Fraction = 0.0

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [
            name
            for name, value in (
                ("input_tokens and output_tokens", self.input_tokens or self.output_tokens),
                ("like", self.like),
                ("log", self.log),
            )
            if value is not None
        ]
        if len(given) != 1:
            raise ValueError(
                "expected lengths from one of input_tokens and output_tokens, like, or log, got "
                + (" and ".join(given) or "none")
            )
        if (self.input_tokens is None) != (self.output_tokens is None):
            lacking = "input_tokens" if self.input_tokens is None else "output_tokens"
            raise ValueError(f"lacks {lacking}; expected a number of tokens")
        if self.requests_per_day is None and not self.log:
            raise ValueError("lacks requests_per_day; expected a number above 0")
        if self.log_time_unit and not self.log:
            raise ValueError("log_time_unit belongs to a log, and there is none")
        if self.like:
            try:
                workloads.workload(self.like)
            except LookupError as why:
                raise ValueError(f"like: {why}") from None
        if (self.reused_fraction or 0.0) + self.written_fraction > 1:
            raise ValueError("reused_fraction and written_fraction must not exceed 1 together")
        return self


class Promises(_Fields):
    """What 95 % of the requests of the busiest hour must see, and what answers need."""

    ttft_p95_s: Positive | None = None
    tpot_p95_s: Positive | None = None
    exact_recall: Truth = False
    least_quality: Quality | None = None


class Model(_Fields):
    """A model with open weights."""

    name: Annotated[str, _words("the name of a model"), _known(lambda name: catalog.model(name))]
    quality: Quality | None = None
    exact_recall: Truth | None = None


class Api(_Fields):
    """A price of the price book, and what you know of its speed."""

    name: Annotated[str, _words("the name of an API price")]
    service: Text = pricebook.STANDARD
    quality: Quality | None = None
    ttft_p95_s: Positive | None = None
    tpot_p95_s: Positive | None = None
    exact_recall: Truth | None = None


class Router(_Fields):
    """Two models, each of the candidates or of the price book, and the share of the strong one."""

    strong: Text
    weak: Text
    strong_fraction: Fraction
    fee_usd: NonNegative = 0.0
    quality: Quality | None = None
    ttft_p95_s: Positive | None = None
    tpot_p95_s: Positive | None = None
    exact_recall: Truth | None = None

    @property
    def name(self) -> str:
        """Both models and the share."""
        return f"{100 * self.strong_fraction:g} % {self.strong}, rest {self.weak}"


class Candidates(_Fields):
    """What may serve: every combination is tried."""

    ways: Annotated[
        tuple[Literal["own", "rent", "API"], ...],
        BeforeValidator(_several),
        AfterValidator(_different),
    ] = ()
    models: Annotated[
        tuple[Annotated[Model, BeforeValidator(_named)], ...],
        BeforeValidator(_several),
        AfterValidator(_different),
    ] = ()
    accelerators: Annotated[
        tuple[AcceleratorName, ...], BeforeValidator(_several), AfterValidator(_different)
    ] = ()
    n_accelerators: Annotated[
        tuple[Count, ...], BeforeValidator(_several), AfterValidator(_different)
    ] = (1, 2, 4, 8)
    weight_formats: Annotated[
        tuple[FormatName, ...], BeforeValidator(_several), AfterValidator(_different)
    ] = ("fp8",)
    cache_bits: Annotated[
        tuple[Bits, ...], BeforeValidator(_several), AfterValidator(_different)
    ] = ()
    prefix_reuse: Annotated[
        tuple[Truth, ...], BeforeValidator(_several), AfterValidator(_different)
    ] = (True,)
    layouts: Annotated[
        tuple[Literal["tensor", "experts"], ...],
        BeforeValidator(_several),
        AfterValidator(_different),
    ] = ("tensor",)
    n_clients: Annotated[
        tuple[Count, ...], BeforeValidator(_several), AfterValidator(_different)
    ] = tuple(2**power for power in range(10))
    engine: Annotated[str, _words("the name of an engine"), _known(catalog.engine)] = "vLLM"
    apis: Annotated[
        tuple[Annotated[Api, BeforeValidator(_named)], ...],
        BeforeValidator(_several),
        AfterValidator(_different),
    ] = ()
    routers: Annotated[
        tuple[Router, ...], BeforeValidator(_several), AfterValidator(_different)
    ] = ()

    @property
    def n_combinations(self) -> int:
        """Of machines; APIs and routers come on top."""
        axes = (self.models, self.accelerators, self.n_accelerators, self.weight_formats)
        more = (self.cache_bits or (None,), self.prefix_reuse, self.layouts, self.n_clients)
        return math.prod(len(axis) for axis in (*axes, *more))

    @property
    def qualities(self) -> list[tuple[str, float | None]]:
        """Every candidate with the quality that it states."""
        return [
            *((one.name, one.quality) for one in self.models),
            *((one.name, one.quality) for one in self.apis),
            *((one.name, one.quality) for one in self.routers),
        ]

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.models or self.apis or self.routers):
            raise ValueError("expected models, apis or routers, got none")
        if bool(self.models) != bool(self.accelerators):
            lacking = "accelerators" if self.models else "models"
            raise ValueError(f"lacks {lacking}; models need accelerators, and these need models")
        if self.n_combinations > MOST_COMBINATIONS:
            raise ValueError(
                f"expected {MOST_COMBINATIONS:,} combinations at most, got {self.n_combinations:,}"
            )
        qualities = self.qualities
        without = [name for name, quality in qualities if quality is None]
        if 0 < len(without) < len(qualities):
            raise ValueError(f"{without[0]} lacks quality, which other candidates have")
        return self


class Machine(_Fields):
    """A machine that can be bought; what is not given is as in the chapter on owning."""

    machine_usd: Positive
    provisioned_w: Positive
    power_w: Positive | None = None
    node_accelerators: Count = 8
    network_fraction: NonNegative = 0.1
    installation_fraction: NonNegative = 0.02
    spare_fraction: NonNegative = 0.03
    salvage_fraction: Below = 0.1
    interest_fraction: Fraction = 0.08
    years: Times | None = None
    insurance_fraction: Fraction = 0.01
    tax_fraction: Fraction = 0.01
    repair_fraction: Fraction = 0.02
    staff_usd_per_h: NonNegative = 2.0
    software_usd_per_h: NonNegative = 0.5
    colocation_usd_per_kw_month: NonNegative = 120.0


class Prices(_Fields):
    """What is paid; rents not given are the lowest of their kind in `data/gpu_prices.csv`."""

    at: Date | None = None
    rent_kind: Text = "on demand"
    rents_usd_per_h: dict[AcceleratorName, Positive] = {}
    rent_yearly_times: Times = 1.0
    api_yearly_times: Times = 1.0
    api_discount_fraction: Below = 0.0
    machines: dict[AcceleratorName, Machine] = {}
    electricity_usd_per_kwh: NonNegative | None = None
    pue: AtLeastOne | None = None

    @model_validator(mode="after")
    def _power_is_priced(self) -> Self:
        if self.machines and self.electricity_usd_per_kwh is None:
            raise ValueError("lacks electricity_usd_per_kwh, which machines need")
        return self


class Fleet(_Fields):
    """How machines are held."""

    n_spares: Spares = 0
    load_fraction: Part = 0.8


class Carbon(_Fields):
    """What a kilowatt-hour emits, as a number or a place of `data/grid.csv`, and its price."""

    grid_g_per_kwh: NonNegative | None = None
    grid: Text | None = None
    usd_per_t: NonNegative = 0.0

    @model_validator(mode="after")
    def _one_grid(self) -> Self:
        if (self.grid_g_per_kwh is None) == (self.grid is None):
            raise ValueError("expected one of grid_g_per_kwh and grid")
        if self.grid is not None:
            try:
                sites.place(self.grid)
            except LookupError as why:
                raise ValueError(f"grid: {why}") from None
        return self

    @property
    def g_per_kwh(self) -> float:
        """The number, or the place's."""
        if self.grid_g_per_kwh is not None:
            return self.grid_g_per_kwh
        return sites.place(str(self.grid))


class Scenario(_Fields):
    """A workload, its promises, its candidates and their prices."""

    name: Text
    workload: Workload
    promises: Promises = Promises()
    candidates: Candidates
    prices: Prices = Prices()
    fleet: Fleet = Fleet()
    carbon: Carbon | None = None
    horizon_months: Annotated[
        float, _number("months, 1 to 240", lambda months: 1 <= months <= 240)
    ] = 36.0

    @property
    def ways(self) -> tuple[str, ...]:
        """Ways that are asked for, or all for which there are candidates."""
        some, here = self.candidates, {"rent": self.candidates.models}
        if some.ways:
            return some.ways
        there = {"API": some.apis or self._routed_to, **here, "own": self.prices.machines}
        return tuple(way for way in ownership.WAYS if there[way])

    @model_validator(mode="after")
    def _complete(self) -> Self:
        some = self.candidates
        if "own" in self.ways and not self.prices.machines:
            raise ValueError("prices.machines: expected a machine per accelerator to own, got none")
        if {"own", "rent"} & set(self.ways) and not some.models:
            raise ValueError("candidates.models: expected a model to own or rent for, got none")
        if "API" in some.ways and not (some.apis or some.routers):
            raise ValueError("candidates.apis: expected an API or a router, got none")
        if self._routed_to and "API" not in self.ways:
            name, ways = self._routed_to[0], ", ".join(self.ways)
            raise ValueError(f"candidates.routers: {name!r} is an API, and the ways are {ways}")
        for place, name, service in self._priced():
            try:
                pricebook.price(name, at=self.prices.at, service=service)
            except (LookupError, ValueError) as why:
                where = "prices." if str(why).startswith("at") else f"{place}: "
                raise ValueError(f"{where}{why}") from None
        kinds = sorted({str(row["kind"]) for row in tables.rows("gpu_prices.csv")})
        if self.prices.rent_kind not in kinds:
            raise ValueError(
                f"prices.rent_kind: expected one of {', '.join(kinds)}, "
                f"got {self.prices.rent_kind!r}"
            )
        if self.promises.least_quality is not None and not self.rated:
            raise ValueError("promises.least_quality: no candidate states a quality")
        return self

    @property
    def rated(self) -> bool:
        """Whether candidates state a quality."""
        return self.candidates.qualities[0][1] is not None

    def _priced(self) -> list[tuple[str, str, str]]:
        """Places, names and services of all prices that are looked up."""
        some = self.candidates
        found = [
            (f"candidates.apis[{i}]", one.name, one.service) for i, one in enumerate(some.apis)
        ]
        for i, one in enumerate(some.routers):
            for part in ("strong", "weak"):
                place = f"candidates.routers[{i}].{part}"
                if getattr(one, part) in self._routed_to:
                    found.append((place, getattr(one, part), pricebook.STANDARD))
        return found

    @property
    def _routed_to(self) -> list[str]:
        """APIs that a router sends requests to."""
        machines = {model.name for model in self.candidates.models}
        named = [name for one in self.candidates.routers for name in (one.strong, one.weak)]
        return [name for name in named if name not in machines]


# --- reading ----------------------------------------------------------------------------------


def read(path: str | Path) -> Scenario:
    """Read a scenario file; the path of a log in it is relative to the file.

    Raises
    ------
    ScenarioError
        If the file is missing, too large, no safe YAML, or a field is unknown, missing or out of
        its range. The message is one line.
    """
    try:
        given = safe_yaml(path)
    except ValueError as why:
        raise ScenarioError(str(why)) from None
    return scenario(given, name=str(path), folder=Path(path).parent)


def scenario(given: Any, *, name: str = "scenario", folder: Path | None = None) -> Scenario:
    """A scenario from its fields.

    Parameters
    ----------
    given
        Fields as a file holds them.
    name
        Of the file, for messages.
    folder
        What the path of a log is relative to.

    Raises
    ------
    ScenarioError
        If a field is unknown, missing or out of its range; one line.

    Examples
    --------
    >>> scenario({"name": "chat", "workload": {"input_token": 9}, "candidates": {"apis": "o3"}})
    ... # doctest: +ELLIPSIS
    Traceback (most recent call last):
    costlib.scenario.ScenarioError: scenario: workload: no field 'input_token'; did you mean inp...
    """
    try:
        found = Scenario.model_validate(given)
    except ValidationError as why:
        errors = why.errors(include_url=False)
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise ScenarioError(f"{name}: {_error(errors[0])}{more}") from None
    except RecursionError:
        raise ScenarioError(f"{name}: is nested too deeply") from None
    log = found.workload.log
    if log and folder is not None:
        workload = found.workload.model_copy(update={"log": str(folder / log)})
        found = found.model_copy(update={"workload": workload})
    return found


def _error(error: Any) -> str:
    """One mistake in one line: the path of the field, and what is wrong with its value."""
    path = ""
    for part in error["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    path = path.replace(".[key]", "")
    if error["type"] == "value_error":
        words = one_line(error["ctx"]["error"])
    elif error["type"] == "missing":
        path, _, field = path.rpartition(".")
        words = f"lacks {field}"
    elif error["type"] == "literal_error":
        words = f"expected {error['ctx']['expected']}, got {shown(error['input'])}"
    else:
        kind = {"dict_type": "fields", "tuple_type": "a list"}.get(error["type"], error["msg"])
        words = f"expected {kind}, got {shown(error['input'])}"
    return f"{path}: {words}" if path else words
