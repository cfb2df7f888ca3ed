"""The facts themselves: where they come from, and whether they agree with each other."""

import csv
import math
import re
from decimal import Decimal
from pathlib import Path

import pytest
from pybtex.database import parse_string

from costlib import catalog, pricebook, tables, units, work

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


@pytest.mark.parametrize("table", sorted(catalog.SCHEMA))
def test_the_dictionary_describes_every_column(table):
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    here = parts[table] + text.partition("## ")[0]
    if "columns of `layers.csv`" in here:
        here += parts["layers.csv"]
    known = set(re.findall(r"`([^`]+)`", here))
    known |= {f"{name}tflop_per_s" for name in known if name.endswith("_")}
    assert set(catalog.SCHEMA[table]) - known - {"name"} == set()


def owed():
    """Lines that the dictionary has to hold: works whose licence goes on to hold for a table."""
    known, tables = licences(), {}
    for table in TABLES:
        for keys in {row["source"] for row in rows_of(table)}:
            for key in keys.split(";"):
                tables.setdefault(key.strip(), set()).add(table.removesuffix(".csv"))
    return [
        f"| `{key}` | {known[key]} | {', '.join(sorted(tables[key]))} |"
        for key in sorted(tables)
        if re.match(r"Apache-2\.0|MIT|CC|ODbL", known[key])
        and not re.search("only|cited|this project", known[key])  # single facts, or our own
    ]


def test_the_dictionary_names_every_work_that_a_table_is_derived_from():
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    here = text.partition("## Licences and attribution")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `.*", here, re.MULTILINE) == owed()


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


@pytest.mark.parametrize("model", MODELS, **by_name)
def test_the_output_head_is_a_whole_part_of_the_embeddings(model):
    positions = 2048 * model.hidden_size if model.name == "GPT-3-175B" else 0
    assert (model.embedding_params - positions) / model.head_params in {1, 2}


@pytest.mark.parametrize("model", MODELS, **by_name)
def test_a_selector_of_tokens_is_there_as_a_whole_or_not_at_all(model):
    for group in model.layers:
        assert math.isfinite(group.sparse_tokens) == bool(group.index_dim)
        assert bool(group.index_dim) == bool(group.index_heads)


# --- engines and formats ---------------------------------------------------------------------


def test_a_format_of_fewer_bits_than_16_says_what_to_do_without_its_units():
    for form in catalog.formats().values():
        assert 4 <= form.weight_bits <= 16
        assert bool(form.fallback) == (form.arithmetic != "bf16")
        assert not (form.experts_only and form.weight_bits >= 8)


# --- measurements ----------------------------------------------------------------------------

MEASURED = tables.rows("measured.csv")
UNITS = {
    "output_tokens_per_s_total": "tok/s",
    "output_tokens_per_s_per_gpu": "tok/s",
    "tokens_per_s_ambiguous": "tok/s",
    "tpot_ms": "ms",
    "ttft_ms": "ms",
    "energy_per_output_token_j": "J/token",
}


def test_measurements_keep_their_22_columns_and_unix_lines():
    raw = (ROOT / "data" / "measured.csv").read_bytes()
    header = raw.splitlines()[0].decode().split(",")
    assert header[0] == "id"
    assert header[21:] == ["source_class", "source", "as_of"]
    assert b"\r" not in raw
    assert len(raw) < 2.5e6


def test_every_measurement_has_a_name_of_its_own_a_unit_and_a_value():
    assert len(MEASURED) > 5000
    assert len({row["id"] for row in MEASURED}) == len(MEASURED)
    assert {(row["metric"], row["unit"]) for row in MEASURED} == set(UNITS.items())
    assert all(row["value"] > 0 for row in MEASURED)


def test_every_measurement_is_of_a_known_model_on_a_known_device():
    assert {row["model"] for row in MEASURED} <= set(catalog.models())
    devices = {row["gpu"] for row in MEASURED}
    assert {"".join(filter(str.isalnum, name.lower())) for name in devices} <= {
        "".join(filter(str.isalnum, name.lower())) for name in catalog.accelerators()
    }


def test_the_software_of_a_measurement_names_one_engine():
    for software in {row["software"].lower() for row in MEASURED} - {""}:
        named = [
            engine.name
            for engine in catalog.engines().values()
            if software.startswith(engine.software)
        ]
        assert len(named) == 1, software


WITHOUT_LENGTHS = {"energy_point", "mlperf_offline"}


def test_a_latency_says_its_load_and_an_energy_its_batch():
    for row in MEASURED:
        if row["unit"] != "tok/s":
            assert row["concurrency_or_batch"] > 0, row["id"]
        assert math.isnan(row["isl"]) == (row["source_class"] in WITHOUT_LENGTHS), row["id"]
        assert math.isnan(row["osl"]) == math.isnan(row["isl"]), row["id"]


def test_both_latencies_of_a_run_are_there():
    runs = {}
    for row in MEASURED:
        if row["source_class"] == "inferencex_slo":
            runs.setdefault(row["source_path"], set()).add(row["metric"])
    assert set(map(frozenset, runs.values())) == {frozenset({"tpot_ms", "ttft_ms"})}


def test_a_larger_batch_takes_less_energy_per_token():
    points = {}
    for row in MEASURED:
        if row["source_class"] == "energy_point":
            machine = row["model"], row["gpu"], row["n_gpus"]
            points.setdefault(machine, []).append((row["concurrency_or_batch"], row["value"]))
    assert len(points) == 3
    for found in points.values():
        energies = [energy for _, energy in sorted(found)]
        assert energies == sorted(energies, reverse=True)
        assert len(energies) > 1


def test_an_output_price_is_never_below_the_input_price():
    for price in pricebook.book():
        assert not price.cached_input_usd_per_mtok > price.input_usd_per_mtok  # blank: unstated
        assert price.input_usd_per_mtok <= price.output_usd_per_mtok
