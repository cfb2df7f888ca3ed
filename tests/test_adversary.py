"""An adversary of the formulas: what is no input, odd input, other units, and more of everything.

Nothing here is listed by hand but exceptions: formulas, their parameters and units are read from
the modules and the docstrings, valid values from the conventions.
"""

import importlib
import inspect
import itertools
import zlib
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.testing import assert_allclose
from test_conventions import (
    FLOORS,
    FORMULAS,
    SAMPLE,
    SCENARIO_FORMULAS,
    TENSORS,
    arguments,
    promised,
    scenario_parameters,
)

from costlib.tables import UnknownNameError


def called(formula):
    return f"{formula.__module__.removeprefix('costlib.')}.{formula.__name__}"


def generator(formula):
    return np.random.default_rng(zlib.crc32(called(formula).encode()))


def drawn(formula):
    """Whether it draws whole contexts, which takes seconds where others take milliseconds."""
    return called(formula).startswith("recall.") and "seed" in inspect.signature(formula).parameters


each = pytest.mark.parametrize(
    "formula",
    [
        pytest.param(one, id=called(one), marks=pytest.mark.audit if drawn(one) else ())
        for one in SCENARIO_FORMULAS
    ],
)
each_tensor = pytest.mark.parametrize(
    "formula", [one for one in FORMULAS if called(one) in TENSORS], ids=called
)


# --- what is no input ------------------------------------------------------------------------

N_BAD = 200  # per formula

NO_NUMBERS = [
    *("many", "", "12", b"12", ["1", "2"], [1, "x"], np.array(["2"], dtype=object)),
    *(None, [None], [1, None], {}, {1: 2}, {1, 2}, object(), slice(3), float, abs),
    *(1j, np.complex64(1), np.array([1 + 0j]), [[1], [1, 2]]),
    *(datetime(2026, 1, 1, tzinfo=UTC), np.datetime64("2026-01-01"), np.timedelta64(3, "s")),
    *(np.nan, [1, np.nan], np.array([np.nan], np.float32), [[np.nan], [0.5]]),
]
BELOW = [-1, -1.0, -1e-9, -5e-324, -np.inf, np.int8(-3), np.float16(-np.inf), [[1, 1], [1, -4]]]
ABOVE = [1 + 1e-9, 1.5, 2, np.inf, [0.5, 1.1]]


def impossible(name, draw, n):
    """At least n values that a parameter of this name cannot have."""
    yield from NO_NUMBERS + BELOW
    whole = name.endswith("_fraction")
    if whole:
        yield from ABOVE
    for _ in range(max(n - len(NO_NUMBERS + BELOW), 20)):
        size = 10.0 ** draw.uniform(-12, 12)
        wrong = 1 + size if whole and draw.random() < 0.5 else -size
        shape = draw.integers(1, 4, size=draw.integers(1, 4))
        array = draw.uniform(0, 1, shape)
        array.flat[draw.integers(array.size)] = draw.choice([wrong, np.nan, -np.inf])
        yield from (wrong, np.float32(-size), array)


def no_number(draw, n, among=(np.nan,)):
    """At least n values that are none, or hold one of those that are no number here."""
    yield from NO_NUMBERS
    for _ in range(n):
        array = draw.normal(size=draw.integers(1, 4, size=draw.integers(1, 4)))
        array.flat[draw.integers(array.size)] = draw.choice(among)
        yield array


def no_finite_number(draw, n):
    """The same where infinity is none either."""
    yield from (np.inf, -np.inf)
    yield from no_number(draw, n, (np.nan, np.inf, -np.inf))


def refusals(formula, valid, impossible_of):
    """What went other than a ValueError that opens with the name; how much was tried."""
    tried, wrong = 0, []
    for name in valid:
        for bad in impossible_of(name):
            tried += 1
            try:
                found = formula(**(valid | {name: bad}))
            except ValueError as error:
                if not str(error).startswith(f"{name} "):
                    wrong.append((name, bad, str(error)))
            else:
                wrong.append((name, bad, found))
    return wrong, tried


@each
def test_whatever_is_no_input_is_refused_by_the_name_of_its_parameter(formula):
    valid, draw = arguments(formula), generator(formula)
    n = -(-N_BAD // len(valid))
    wrong, tried = refusals(formula, valid, lambda name: impossible(name, draw, n))
    assert wrong == []
    assert tried >= N_BAD


@each
def test_shapes_that_do_not_fit_are_refused(formula):
    names = scenario_parameters(formula)
    for one, other in itertools.pairwise(names):
        valid = arguments(formula)
        shaped = {one: np.full(2, float(valid[one])), other: np.full(3, float(valid[other]))}
        with pytest.raises(ValueError, match=r"broadcast|shape"):
            formula(**(valid | shaped))


BATCHES = {"lengths_tokens": [100, 300], "fixed_s": 0.1, "per_request_s": 0.01}
BATCHES |= {"n_most": 2, "step_s": 0.02, "row_s": 0.001, "seed": 3}
DURATIONS = {"requests_per_s": 0.5, "durations_s": [[1.0], [1.5]], "n_least": 1}
HOURS = {"hour_g_per_kwh": [300, 100], "fixed_kwh": 1, "flexible_kwh": 1, "cap_kwh": 3}
CACHE = [[0.0, 1], [0.4, 1.1], [1, 1.2], [0.6, 1.6]]
SHARED = {"reading_s": [0.1] * 3, "step_s": [0.01] * 3, "slowed_step_s": [0.02] * 3}
SHARED |= {"answer_tokens": 10, "reading_scv": 1}
CLASSES = {"requests_per_s": [0.3, 0.4], "service_s": 1, "service_scv": 1}
GROUP = {"books_usd": [6, 3, 3], "group_loss_usd": 2.4, "floors_usd": [0, 2.9, 0]}
MADE_UP = {"n_tokens": 8, "n_channels": 8, "n_outliers": 2, "outlier_offset": 10, "seed": 0}
WHOLE_TENSORS = {
    "bulk.elastic_held_s": BATCHES,
    "bulk.elastic_s": BATCHES,
    "bulk.padded_s": BATCHES,
    "bulk.sojourn_s": DURATIONS | {"held_s": [1.0, 1.5]},
    "bulk.wait_s": DURATIONS,
    "carbon.shifted_fraction": HOURS,
    "carbon.shifted_kwh": HOURS,
    "finance.irr_fraction": {"flows_usd": [-10, 6, 6]},
    "finance.npv_usd": {"flows_usd": [-10, 6, 6], "interest_fraction": 0.1},
    "finance.payback": {"flows_usd": [-10, 6, 6], "interest_fraction": 0.1},
    "impairment.group_losses_usd": GROUP,
    "markets.herfindahl": {"shares_fraction": [0.5, 0.3]},
    "quantizing.attention_output": {"queries": CACHE, "keys": CACHE, "values": CACHE},
    "quantizing.kivi": {"keys": CACHE, "values": CACHE, "payload_bits": 2, "residual_tokens": 1},
    "quantizing.outlier_keys": MADE_UP,
    "quantizing.quantised": {"values": [0.1, 0.5, 3], "payload_bits": 2, "group_values": 2},
    "quantizing.relative_error": {"found": [3, 4.5], "exact": [3, 4]},
    "quantizing.rounded_fp8": {"values": [1.0, 2]},
    "quantizing.rounded_nvfp4": {"values": [1.0, 2]},
    "queueing.lindley_s": {"gaps_s": [0, 1, 1], "services_s": [3, 1, 1]},
    "queueing.priority_wait_s": CLASSES,
    "routing.blended_usd_per_mtok": {"tier_fractions": [0.7, 0.3], "tier_usd_per_mtok": [5, 15]},
    "sharing.saturation_requests_per_s": SHARED,
    "sharing.stationary": SHARED | {"requests_per_s": 2},
}
SIGNED = {"flows_usd", "queries", "keys", "values", "found", "exact"}


@each_tensor
def test_what_is_no_tensor_is_refused_by_the_name_of_its_parameter(formula):
    valid, draw = WHOLE_TENSORS[called(formula)], generator(formula)
    n = -(-N_BAD // len(valid))
    formula(**valid)

    def bad(name):
        if name in SIGNED:
            yield from no_finite_number(draw, n)
        else:
            yield from impossible(name, draw, n)
        if name.startswith("n_") or name == "seed":
            yield from (0.5, 2.5)

    wrong, tried = refusals(formula, valid, bad)
    assert wrong == []
    assert tried >= N_BAD


# --- odd but possible input ------------------------------------------------------------------

N_POINTS = 25
WHOLE = ("_tokens", "_dim", "_bits", "seed", "turn", "rank")
# What a docstring says of a result below zero, above one, or without an end.
BELOW_ZERO = ("negative", "below 0", "below that", "-1", "minus")
NO_END = ("infinit", "no end", "without end", "never")


def possible(name, draw):
    """A value that a parameter of this name can have: zero, one, usual, or decades away."""
    if name.endswith("_fraction"):
        tiny = 10.0 ** -draw.integers(1, 12)
        return draw.choice([0.0, 1.0, tiny, 1 - tiny, draw.random(), draw.random()])
    decades = 1 if name.startswith("n_") else 2 if promised(name) != "-" else 0.5
    far = SAMPLE[name] * 10 ** draw.uniform(-decades, decades)
    value = draw.choice([0.0, 1.0, SAMPLE[name], *[far] * 7])
    return np.round(value) if name.startswith("n_") or name.endswith(WHOLE) else value


def points(formula, n, tries=20):
    """Up to n draws of arguments that the formula accepts, with what it makes of them."""
    draw, names = generator(formula), list(arguments(formula))
    found = []
    for _ in range(tries * n):
        given = {name: possible(name, draw) for name in names}
        try:
            result = formula(**given)
        except ValueError as refused:
            if not any(name in str(refused) for name in names):
                raise
        else:
            found.append((given, result))
            if len(found) == n:
                break
    assert found, "no draw was accepted"
    return found


@each
def test_of_any_possible_input_comes_a_number_or_a_limit_that_is_documented(formula):
    told = " ".join(inspect.getdoc(formula).split()).lower()
    for given, found in points(formula, N_POINTS):
        assert isinstance(found, np.float64), given
        assert not np.isnan(found), given
        if np.isinf(found):
            assert [word for word in NO_END if word in told], given
        if found < 0:
            assert [word for word in BELOW_ZERO if word in told], given
        if found > 1 and formula.__name__.endswith("_fraction"):
            assert [word for word in ("above 1", *NO_END) if word in told], given


@each
def test_what_is_infinite_has_its_limit_or_is_refused_by_name(formula):
    valid, wrong = arguments(formula), []
    for name in valid:
        if name.endswith("_fraction"):
            continue
        try:
            found = formula(**(valid | {name: np.inf}))
        except ValueError as refused:
            if not str(refused).startswith(f"{name} "):
                wrong.append((name, str(refused)))
        else:
            if np.isnan(found):
                wrong.append((name, found))
    assert wrong == []


@each
def test_many_scenarios_at_once_are_each_of_them_alone_and_leave_their_input_alone(formula):
    drawn = points(formula, N_POINTS)
    swept = scenario_parameters(formula)
    fixed = {name: drawn[0][0][name] for name in arguments(formula) if name not in swept}
    table = {name: np.array([given[name] for given, _ in drawn], dtype=float) for name in swept}
    for column in table.values():
        column.flags.writeable = False
    alone = [formula(**(given | fixed)) for given, _ in drawn] if fixed else [y for _, y in drawn]
    together = formula(**(table | fixed))
    assert together.dtype == np.float64
    assert_allclose(together, alone, rtol=1e-9, atol=1e-11)


@each
def test_whole_and_short_numbers_are_taken_as_the_numbers_that_they_are(formula):
    valid = arguments(formula)
    short = {name: np.float32(value) for name, value in valid.items()}
    exact = {name: float(np.float32(value)) for name, value in valid.items()}
    found = formula(**short)
    assert isinstance(found, np.float64)
    assert_allclose(found, formula(**exact), rtol=1e-12)


# --- other units -----------------------------------------------------------------------------

# What each unit is made of. Tokens and requests are counts: a time per token and a time end in
# the same letter, so that no name tells them apart.
MADE_OF = {
    "bytes": {"data": 1},
    "bits": {"data": 1},
    "GB": {"data": 1},
    "USD": {"money": 1},
    "FLOP": {"work": 1},
    "s": {"time": 1},
    "h": {"time": 1},
    "month": {"time": 1},
    "J": {"energy": 1},
    "kWh": {"energy": 1},
    "W": {"energy": 1, "time": -1},
    "kW": {"energy": 1, "time": -1},
    "kg": {"mass": 1},
    "g": {"mass": 1},
    "t": {"mass": 1},
    "l": {"volume": 1},
    "byte": {"data": 1},
    **{count: {} for count in ("tokens", "token", "Mtok", "requests", "-")},
}
DIMENSIONS = sorted({dimension for parts in MADE_OF.values() for dimension in parts})
# Formulas that hold a quantity of their own.
OWN = {
    "time": (
        "a year, a month or an hour is what rates are told by",
        "charges.failing_fraction fleet.lag_fraction fleet.month_tokens holding.flows_usd "
        "holding.holding_npv_usd holding.stage_value_usd holding.value_in_use_usd "
        "tco.upkeep_usd_per_h",
    ),
    "data": (
        "a bit more doubles what can be told apart",
        "quantizing.kivi_bits recall.kivi_recall_fraction recurrence.integer_step "
        "recurrence.rounded_state recurrence.rounding_error",
    ),
    "work": (
        "a parameter costs 2 FLOP per token, or 6",
        "links.hiding_queries scaling.budget_params scaling.budget_tokens tiers.crossing_tokens "
        "serving.capacity_usd_per_mtok shrinking.held_usd_per_mtok work.token_flop",
    ),
}


def power(name, dimension):
    """Power of a dimension in the unit of a name."""
    over, *under = promised(name).split("/")
    below = sum(MADE_OF[part].get(dimension, 0) for part in under)
    return MADE_OF[over].get(dimension, 0) - below


def measured():
    """Every formula with every dimension that goes in; it fails where a quantity is its own."""
    for formula in SCENARIO_FORMULAS:
        for dimension in DIMENSIONS:
            if any(power(name, dimension) for name in arguments(formula)):
                reason, names = OWN.get(dimension, ("", ""))
                own = called(formula) in names.split()
                marks = [pytest.mark.xfail(reason=reason)] if own else []
                name = f"{called(formula)}-{dimension}"
                yield pytest.param(formula, dimension, id=name, marks=marks)


@pytest.mark.parametrize(("formula", "dimension"), [*measured()])
def test_no_result_hangs_on_the_size_of_a_unit(formula, dimension):
    grown = 2.0 ** power(formula.__name__, dimension)
    for given, found in points(formula, 5):
        other = {name: value * 2.0 ** power(name, dimension) for name, value in given.items()}
        assert_allclose(formula(**other), found * grown, rtol=1e-9)


# --- more of everything ----------------------------------------------------------------------

# What the field believes: the result rises or falls, or stays, as one argument grows.
BELIEFS = """
    rises kv.sequence_bytes context_tokens
    rises roofline.step_s step_bytes step_flop
    falls roofline.step_s memory_bytes_per_s peak_flop_per_s bandwidth_fraction
    rises roofline.prefill_s prefill_flop weight_bytes
    rises work.prefill_flop prompt_tokens active_params
    falls work.prefill_flop reused_tokens
    falls serving.capacity_users context_tokens n_params cache_bits weight_bits
    rises serving.capacity_users memory_bytes
    rises serving.token_usd_per_mtok weight_bytes traffic_bytes token_flop rent_usd_per_h
    falls serving.token_usd_per_mtok n_users memory_bytes_per_s peak_flop_per_s
    rises latency.output_token_s n_running prefill_s
    rises latency.slot_wait_s n_clients
    rises queueing.wait_s requests_per_s service_s service_scv
    rises queueing.late_fraction requests_per_s
    falls queueing.late_fraction patience_s
    rises queueing.shared_sojourn_s requests_per_s service_s
    falls staffing.pool_wait_s n_servers
    rises staffing.pool_wait_s requests_per_s service_scv
    rises staffing.waiting_fraction requests_per_s
    rises staffing.n_servers requests_per_s service_s
    falls staffing.n_servers waiting_fraction
    falls staffing.abandoned_fraction n_servers
    rises sojourn.sojourn_quantile_s within_fraction requests_per_s
    rises experts.coverage_fraction n_tokens top_k
    rises drafts.accepted_tokens acceptance_fraction draft_tokens
    falls drafts.token_s acceptance_fraction
    rises links.all_reduce_s message_bytes latency_s
    falls links.all_reduce_s link_bytes_per_s
    falls reuse.saved_fraction cached_input_usd_per_mtok cache_write_usd_per_mtok
    rises pricing.request_usd input_tokens output_tokens output_usd_per_mtok
    rises pricing.gross_margin_fraction load bill_usd
    falls pricing.gross_margin_fraction full_usd
    rises pricing.break_even_load full_usd
    falls pricing.committed_usd discount_fraction
    falls routing.correct_usd success_fraction
    rises routing.routed_quality skill_fraction
    rises tariffs.kept_usd mean_usd cap_usd
    rises tariffs.plan_margin_fraction price_usd
    rises tco.owned_usd_per_h capital_usd_per_h power_w pue electricity_usd_per_kwh
    falls tco.worked_usd_per_h busy_fraction
    rises tco.capital_usd_per_h cost_usd interest_fraction
    falls tco.capital_usd_per_h years salvage_fraction
    rises tco.even_busy_share owned_usd_per_h
    falls depreciation.straight_book_usd age_years
    falls depreciation.declining_book_usd age_years
    rises depreciation.straight_book_usd life_years
    rises holding.holding_npv_usd busy_fraction resale_times
    falls holding.holding_npv_usd opex_usd_per_h
    rises facility.energy_usd power_w pue electricity_usd_per_kwh
    rises energy.power_w busy_fraction idle_fraction
    falls utilisation.site_usd_per_mtok busy_fraction
    rises utilisation.site_usd_per_mtok pue idle_fraction
    falls utilisation.work_energy_times busy_fraction
    rises carbon.token_kg_per_mtok token_j pue grid_g_per_kwh
    falls carbon.embodied_kg_per_mtok busy_fraction period_h
    rises training.run_usd flop rent_usd_per_h
    falls training.run_usd compute_fraction
    falls scaling.loss n_params training_tokens
    rises training.bubble_ratio pipeline_stages
    falls training.bubble_ratio n_micro_batches
    rises availability.pool_fraction availability_fraction n_replicas
    falls availability.pool_fraction n_needed
    rises availability.n_replicas target_fraction n_needed
    falls demand.demand_times price_times
    rises fleet.n_replicas demand_tokens_per_s peak_times
    falls fleet.n_replicas load_fraction
    rises egress.banded_usd moved_bytes
    falls tiers.worth_holding_h reload_usd usd_per_gb_h
"""
BY_NAME = {called(formula): formula for formula in SCENARIO_FORMULAS}


@pytest.mark.parametrize(
    ("way", "name", "parameter"),
    [
        (way, name, parameter)
        for way, name, *parameters in map(str.split, BELIEFS.strip().splitlines())
        for parameter in parameters
    ],
)
def test_more_goes_the_way_that_the_field_believes(way, name, parameter):
    formula, draw = BY_NAME[name], np.random.default_rng(7)
    compared = 0
    for given, less in points(formula, N_POINTS):
        value = given[parameter]
        more = (value + 1) / 2 if parameter.endswith("_fraction") else np.ceil(value * 1.7)
        if not parameter.startswith("n_") and not parameter.endswith(("_fraction", *WHOLE)):
            more = value * (1 + draw.random())
        try:
            grown = formula(**(given | {parameter: more}))
        except ValueError:
            continue
        compared += grown != less
        slack = 1e-9 * abs(less) if np.isfinite(less) else 0
        assert (grown >= less - slack) if way == "rises" else (grown <= less + slack), given
    assert compared >= 3


# --- facts -----------------------------------------------------------------------------------

ONE_NAME = {"accelerator", "engine", "model", "name", "workload", "facility", "place", "tier"}


def looked_up():
    """Public functions of the floor of facts that need a name and nothing else."""
    for module in FLOORS[2][0]:
        source = importlib.import_module(f"costlib.{module}")
        for function in map(source.__dict__.get, getattr(source, "__all__", ())):
            if inspect.isfunction(function):
                free = [
                    one.name
                    for one in inspect.signature(function).parameters.values()
                    if one.default is one.empty and one.kind is not one.VAR_KEYWORD
                ]
                if len(free) == 1 and free[0] in ONE_NAME:
                    yield function


@pytest.mark.parametrize("function", [*looked_up()], ids=called)
@pytest.mark.parametrize("unknown", ["H1000", "gpt-", "", "nowhere.csv", "chät"])
def test_a_name_that_no_table_holds_is_refused_with_those_that_it_does(function, unknown):
    with pytest.raises(UnknownNameError, match=f"{unknown!r}.*(did you mean|there are|some do)"):
        function(unknown)
