"""The facts themselves: where they come from, and whether they agree with each other."""

import csv
import math
import re
from decimal import Decimal
from pathlib import Path

import pytest
from pybtex.database import parse_string

from costlib import catalog, units, work

ROOT = Path(__file__).resolve().parents[1]
TABLES = sorted(path.name for path in (ROOT / "data").glob("*.csv"))
ACCELERATORS = catalog.accelerators().values()
MODELS = catalog.models().values()

by_name = {"ids": lambda record: record.name}


def rows_of(table):
    with (ROOT / "data" / table).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def licences():
    """Licence of every entry of the bibliography; empty where it says none."""
    return {
        key: entry.fields.get("licence", "").strip()
        for path in sorted((ROOT / "book").glob("*.bib"))
        for key, entry in parse_string(path.read_text(encoding="utf-8"), "bibtex").entries.items()
    }


# --- provenance ----------------------------------------------------------------------------


def faults(row, known):
    """What is wrong with the origin of a row."""
    keys = [key.strip() for key in (row.get("source") or "").split(";")]
    return [
        *(f"{key!r} is in no .bib" for key in keys if key not in known),
        *(f"{key!r} has no licence" for key in keys if known.get(key) == ""),
        *([] if re.fullmatch(r"20\d\d(-\d\d){0,2}", row.get("as_of") or "") else ["no as_of"]),
    ]


@pytest.mark.parametrize("table", TABLES)
def test_every_row_has_a_source_with_a_licence_and_a_date(table):
    known = licences()
    wrong = {
        f"{table}, line {line}": found
        for line, row in enumerate(rows_of(table), start=2)
        if (found := faults(row, known))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("row", "known", "fault"),
    [
        ({"source": "", "as_of": "2026"}, {"a": "MIT"}, ["'' is in no .bib"]),
        ({"as_of": "2026"}, {"a": "MIT"}, ["'' is in no .bib"]),
        ({"source": "b", "as_of": "2026"}, {"a": "MIT"}, ["'b' is in no .bib"]),
        ({"source": "a;b", "as_of": "2026"}, {"a": "MIT"}, ["'b' is in no .bib"]),
        ({"source": "a", "as_of": "2026"}, {"a": ""}, ["'a' has no licence"]),
        ({"source": "a", "as_of": ""}, {"a": "MIT"}, ["no as_of"]),
        ({"source": "a", "as_of": "soon"}, {"a": "MIT"}, ["no as_of"]),
        ({"source": "a"}, {"a": "MIT"}, ["no as_of"]),
        ({"source": "a; b", "as_of": "2026-11-20"}, {"a": "MIT", "b": "MIT"}, []),
    ],
)
def test_a_row_without_source_licence_or_date_is_refused(row, known, fault):
    assert faults(row, known) == fault


def test_every_table_has_a_schema():
    assert set(TABLES) <= set(catalog.SCHEMA) | {"claims.csv"}
    assert set(catalog.SCHEMA) <= set(TABLES)


@pytest.mark.parametrize("table", sorted(catalog.SCHEMA))
def test_a_table_has_no_column_that_nothing_reads(table):
    (header,) = {tuple(row) for row in rows_of(table)}
    assert sorted(header) == sorted(catalog.SCHEMA[table])


# --- accelerators --------------------------------------------------------------------------


def test_there_are_at_least_twenty_devices_and_twenty_models():
    assert len(ACCELERATORS) >= 20
    assert len(MODELS) >= 20


@pytest.mark.parametrize("device", ACCELERATORS, **by_name)
def test_memory_is_what_the_label_says_in_one_of_its_two_meanings(device):
    label = device.label_bytes / units.GB
    assert 0.9 * label * units.GB <= device.memory_bytes <= 1.1 * label * units.GIB


@pytest.mark.parametrize("device", ACCELERATORS, **by_name)
def test_fewer_bits_are_never_slower(device):
    peaks = [device.peak_flop_per_s[name] for name in ("tf32", "bf16", "fp8", "fp4")]
    known = [peak for peak in peaks if not math.isnan(peak)]
    assert known == sorted(known)
    assert known


# --- models: the dimensions against what the maker prints -----------------------------------


def agrees(billions, printed, *, half_units):
    """Within 0.6 %, or within so many halves of a unit of the last printed digit."""
    digit = 10.0 ** int(Decimal(printed).as_tuple().exponent)
    return abs(billions - float(printed)) <= max(0.006 * float(printed), half_units * digit / 2)


@pytest.mark.parametrize(
    ("billions", "printed", "agreed"),
    [
        (6.74, "7", True),
        (6.49, "7", False),
        (70.55, "70.6", True),
        (71.1, "70.6", False),
        (1026.4, "1e3", True),  # one digit
        (1026.4, "1000", False),
    ],
)
def test_a_count_agrees_with_a_printed_figure_to_its_last_digit(billions, printed, agreed):
    assert agrees(billions, printed, half_units=1) == agreed


@pytest.mark.parametrize("model", MODELS, **by_name)
def test_the_shapes_sum_to_the_parameters_that_the_maker_prints(model):
    text = work.total_params(
        **catalog.weight_layers(model), embedding_params=model.embedding_params
    )
    assert agrees((text + model.outside_params) / 1e9, model.printed_params, half_units=1)


@pytest.mark.parametrize("model", [m for m in MODELS if m.printed_active_params], **by_name)
def test_the_active_parameters_are_those_printed_under_one_way_of_counting(model):
    # makers count both embeddings, the output head only, or neither
    ways = [
        work.active_params(**catalog.weight_layers(model, active=True), embedding_params=e)
        for e in (0, model.embedding_params / 2, model.embedding_params)
    ]
    printed = model.printed_active_params
    assert any(agrees(way / 1e9, printed, half_units=2) for way in ways), ways


@pytest.mark.parametrize("model", MODELS, **by_name)
def test_only_models_with_experts_print_active_parameters(model):
    routed = any(group.n_experts for group in model.layers)
    assert bool(model.printed_active_params) == routed


@pytest.mark.parametrize("model", MODELS, **by_name)
def test_a_group_of_layers_makes_sense(model):
    for group in model.layers:
        assert group.top_k <= group.n_experts
        assert bool(group.n_experts) == bool(group.expert_params)
        assert bool(group.n_heads) == bool(group.n_kv_heads) == bool(group.cached_dim)
        assert group.n_kv_heads <= group.n_heads
        assert group.n_heads or group.state_values
        assert group.attended_dim >= group.prefill_attended_dim or group.n_kv_heads > 1


def test_an_output_price_is_never_below_the_input_price():
    for price in catalog.api_prices().values():
        assert price.cached_input_usd_per_mtok <= price.input_usd_per_mtok
        assert price.input_usd_per_mtok <= price.output_usd_per_mtok
