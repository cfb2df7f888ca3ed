"""The tables of facts: what survives loading, what a damaged table is told, names."""

import dataclasses
import functools
import math

import pytest

from costlib import catalog, kv, pricebook, tables, work

# --- what the loader makes of a row --------------------------------------------------------


def test_a_device_keeps_every_fact_of_its_row_in_base_units():
    h100 = catalog.accelerator("H100")
    assert h100.maker == "NVIDIA"
    assert h100.label_bytes == 80e9
    assert h100.memory_bytes == 81_559 * 1024 * 1024  # the driver reports MiB
    assert h100.memory_bytes_per_s == 3.35e12
    assert h100.peak_flop_per_s["bf16"] == 989e12  # dense
    assert h100.peak_flop_per_s["fp8"] == 1979e12
    assert math.isnan(h100.peak_flop_per_s["fp4"])  # it has no such unit
    assert h100.link_bytes_per_s == 450e9  # one way
    assert h100.tdp_w == 700


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (catalog.accelerators(), "accelerators.csv"),
        (catalog.models(), "models.csv"),
        (catalog.architectures(), "architectures.csv"),
        (catalog.engines(), "engines.csv"),
        (catalog.formats(), "formats.csv"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_origin_of_every_record_survives_loading(found, names):
    rows = catalog.frame(names).drop_duplicates("name").set_index("name")
    assert list(found) == list(rows.index)
    for name, record in found.items():
        row = rows.loc[name]
        assert (record.source, record.as_of, record.note) == (row.source, row.as_of, row.note)
        assert record.source
        assert record.as_of


def test_a_model_keeps_what_its_maker_prints_and_the_sum_of_its_shapes():
    llama = catalog.model("Llama-3.1-70B")
    assert llama.printed_params == "70.6"
    assert llama.embedding_params == 2 * 128256 * 8192
    (layers,) = llama.layers
    assert layers.mixer_params == 2 * 8192 * 8192 + 2 * 8192 * 1024
    assert layers.window_tokens == math.inf


def test_the_output_head_is_one_matrix_whether_tied_or_not():
    llama, gemma = catalog.model("Llama-3.1-70B"), catalog.model("Gemma-3-27B")
    assert llama.head_params == llama.embedding_params / 2 == 128256 * 8192
    assert gemma.head_params == gemma.embedding_params == 262144 * 5376


def test_a_sparse_selector_is_a_fact_of_the_layer_and_its_absence_no_limit():
    for group in catalog.model("GLM-5").layers:
        assert (group.sparse_tokens, group.index_dim, group.index_heads) == (2048, 128, 32)
    (llama,) = catalog.model("Llama-3.1-70B").layers
    assert (llama.sparse_tokens, llama.index_dim, llama.index_heads) == (math.inf, 0, 0)


def test_an_engine_keeps_what_the_scripts_set():
    engine = catalog.engine("TensorRT-LLM")
    assert engine.software == ("trtllm", "tensorrt-llm")
    assert engine.stream_interval_tokens == 10
    assert engine.memory_fraction == 0.9
    assert engine.max_batch == 2048
    assert catalog.engine("SGLang").max_batch == math.inf  # no default is known


def test_a_format_keeps_its_bits_and_what_multiplies_it():
    mxfp4 = catalog.format_named("mxfp4")
    assert (mxfp4.weight_bits, mxfp4.arithmetic, mxfp4.fallback) == (4.25, "fp8", "bf16")
    assert mxfp4.experts_only
    assert mxfp4.aliases == ()
    assert not catalog.format_named("fp8").experts_only
    assert catalog.format_named("bf16").fallback == ""


def test_layers_of_a_hybrid_come_in_groups_in_the_order_of_the_table():
    jamba = catalog.model("Jamba-v0.1")
    assert sum(group.n_layers for group in jamba.layers) == 32
    assert sum(group.n_layers for group in jamba.layers if group.n_kv_heads) == 4


def test_layer_arguments_fit_the_formulas_they_are_made_for():
    jamba = catalog.model("Jamba-v0.1")
    scenarios = [1e3, 256e3, 1e6]
    assert kv.sequence_bytes(scenarios, **catalog.cache_layers(jamba), bytes_per_value=2).shape == (
        3,
    )
    assert work.attention_flop(scenarios, **catalog.attention_layers(jamba)).shape == (3,)
    assert work.prefill_flop(
        scenarios, active_params=12e9, **catalog.prefill_layers(jamba)
    ).shape == (3,)
    assert work.state_flop(**catalog.state_layers(jamba)) > 0
    active = work.active_params(**catalog.weight_layers(jamba, active=True))
    assert active < work.total_params(**catalog.weight_layers(jamba))


@pytest.mark.parametrize("record", [catalog.accelerator("H100"), catalog.model("Llama-2-7B")])
def test_records_hold_facts_and_cannot_be_changed(record):
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.note = "changed"


def test_a_blank_figure_is_nan_and_never_zero():
    silent = [one for one in catalog.accelerators().values() if math.isnan(one.tdp_w)]
    assert "TPU-v5e" in {one.name for one in silent}
    assert all(one.memory_bytes_per_s > 0 for one in catalog.accelerators().values())


# --- names ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["H100", "h100", " H 100 ", "h-100", "H_100"])
def test_a_device_is_found_whatever_the_case_and_dashes(name):
    assert catalog.accelerator(name).name == "H100"


@pytest.mark.parametrize("name", ["Llama-3.1-70B", "llama 3.1 70b", "LLAMA3.1-70B", "llama-31-70b"])
def test_a_model_is_found_whatever_the_case_and_dashes(name):
    assert catalog.model(name).name == "Llama-3.1-70B"


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("FP4", "nvfp4"),
        ("NVFP4", "nvfp4"),
        ("half", "fp16"),
        ("float16", "fp16"),
        ("W8A8", "fp8"),
        ("e4m3", "fp8"),
        ("AWQ", "int4"),
        ("gptq", "int4"),
        ("w4a16", "int4"),
        ("BF16", "bf16"),
    ],
)
def test_a_format_is_found_by_its_aliases(alias, name):
    assert catalog.format_named(alias).name == name


@pytest.mark.parametrize(
    ("alias", "name"),
    [("vllm", "vLLM"), ("trtllm", "TensorRT-LLM"), ("TensorRT LLM", "TensorRT-LLM")],
)
def test_an_engine_is_found_by_what_measurements_call_it(alias, name):
    assert catalog.engine(alias).name == name


@pytest.mark.parametrize(
    ("lookup", "name", "nearest"),
    [
        (catalog.accelerator, "H1OO", "H100"),  # the letter O
        (catalog.accelerator, "MI300", "MI300X"),
        (catalog.model, "lama 3.1 70b", "Llama-3.1-70B"),
        (catalog.model, "deepseek", "DeepSeek-V3"),
        (catalog.architecture, "full", "full attention"),
        (pricebook.price, "sonnet", "claude-sonnet-5"),
        (catalog.engine, "vlm", "vLLM"),
        (catalog.format_named, "fp88", "fp8"),
        (catalog.accelerator, "", "H100"),
        (catalog.accelerator, "$$$", "H100"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(lookup, name, nearest):
    with pytest.raises(catalog.UnknownNameError) as told:
        lookup(name)
    assert repr(name) in str(told.value)
    assert nearest in str(told.value).partition("did you mean")[2]


def test_no_two_names_of_a_table_differ_only_in_case_and_dashes():
    formats, engines = catalog.formats(), catalog.engines()
    for table in (
        catalog.accelerators(),
        catalog.models(),
        catalog.architectures(),
        [*formats, *(alias for one in formats.values() for alias in one.aliases)],
        [*engines],
        [prefix for one in engines.values() for prefix in one.software],
    ):
        plain = {"".join(filter(str.isalnum, name.lower())) for name in table}
        assert len(plain) == len(table)


# --- damaged tables ------------------------------------------------------------------------

LOADERS = {
    "accelerators.csv": catalog.accelerators,
    "models.csv": catalog.models,
    "layers.csv": lambda path: catalog.models(None, path),
    "architectures.csv": catalog.architectures,
    "api_prices.csv": pricebook.book,
    "engines.csv": catalog.engines,
    "formats.csv": catalog.formats,
    "length_quantiles.csv": catalog.traces,
    "prefix_hits.csv": catalog.prefix_hits,
    "ttl_hits.csv": catalog.ttl_hits,
    "measured.csv": lambda path: tables.rows("measured.csv", path),
}
each_table = pytest.mark.parametrize("table", LOADERS)


undamaged = functools.cache(catalog.frame)


@pytest.fixture
def damaged(tmp_path):
    """Load a table from a copy with one thing changed; the message of the refusal."""

    def message(table, change):
        path = tmp_path / table
        frame = undamaged(table).copy()
        changed = change(frame)
        (frame if changed is None else changed).to_csv(path, index=False)
        with pytest.raises(catalog.TableError) as told:
            LOADERS[table](path)
        return str(told.value)

    return message


def put(row, column, value):
    def change(frame):
        frame.loc[row, column] = value

    return change


@each_table
def test_an_undamaged_copy_loads(tmp_path, table):
    path = tmp_path / table
    path.write_bytes(catalog.data_path(table).read_bytes())
    assert LOADERS[table](path)


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table in LOADERS for column in catalog.SCHEMA[table]]
)
def test_a_missing_column_is_named(damaged, table, column):
    told = damaged(table, lambda frame: frame.drop(columns=column))
    assert table in told
    assert told.endswith(f"lacks the column {column}")


MAY_BE_EMPTY = {
    "note",
    "window_tokens",
    "sparse_tokens",
    "active_params_b",
    "cache_bits",
    "cached_input_usd_per_mtok",
    "cache_write_usd_per_mtok",
    "cache_write_1h_usd_per_mtok",
    "cache_life_s",
    "sessions_per_day",
    "capacity_tokens",
    "request_hit_fraction",
    "ttl_s",
    "link_gb_per_s",
    "link_kind",
    "tdp_w",
    "max_batch",
    "fallback",
    "aliases",
    "launched",
    "valid_from",
    "weights",
    "listed_as",
} | {f"{name}_tflop_per_s" for name in catalog.FORMATS}
NEVER_EMPTY_IN_MEASUREMENTS = {
    "id",
    "model",
    "gpu",
    "n_gpus",
    "metric",
    "value",
    "unit",
    "source",
    "as_of",
}


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (table, column)
        for table in LOADERS
        for column in catalog.SCHEMA[table]
        if column
        not in (
            MAY_BE_EMPTY
            if table != "measured.csv"
            else set(catalog.SCHEMA[table]) - NEVER_EMPTY_IN_MEASUREMENTS
        )
    ],
)
def test_an_empty_cell_is_told_its_file_line_and_column(damaged, table, column):
    told = damaged(table, put(1, column, ""))
    assert f"{table}, line 3 (" in told
    assert f"column {column}: expected" in told


@pytest.mark.parametrize(
    ("table", "column", "value", "expected"),
    [
        ("accelerators.csv", "memory", "many", "a number"),
        ("accelerators.csv", "memory", "-80", "a finite number of at least 0"),
        ("accelerators.csv", "memory", "nan", "a finite number of at least 0"),
        ("accelerators.csv", "memory", "inf", "a finite number of at least 0"),
        ("accelerators.csv", "memory", "0", "a number above 0"),
        ("accelerators.csv", "memory", "80,5", "a number"),
        ("accelerators.csv", "memory_unit", "Gb", "one of GB, GiB, MiB"),
        ("accelerators.csv", "tdp_w", "-1", "a finite number of at least 0"),
        ("accelerators.csv", "as_of", "20-11-2026", "a date as"),
        ("accelerators.csv", "as_of", "2026-13", "a date as"),
        ("accelerators.csv", "as_of", "2025-02-29", "a date as"),
        ("accelerators.csv", "released", "soon", "a date as"),
        ("models.csv", "embedding_params", "2x-5", "shapes as"),
        ("models.csv", "total_params_b", "7B", "a number"),
        ("models.csv", "total_params_b", "-7", "a finite number of at least 0"),
        ("layers.csv", "n_layers", "0", "a number above 0"),
        ("layers.csv", "mixer_params", "4096 x 4096", "shapes as"),
        ("architectures.csv", "exact_recall", "maybe", "yes or no"),
        ("api_prices.csv", "input_usd_per_mtok", "free", "a number"),
        ("layers.csv", "sparse_tokens", "0", "a number above 0"),
        ("engines.csv", "memory_fraction", "90", "a share above 0 and up to 1"),
        ("engines.csv", "stream_interval_tokens", "0", "a number above 0"),
        ("engines.csv", "software", "trtllm;", "names as one;two"),
        ("formats.csv", "arithmetic", "fp16", "one of tf32, bf16, fp8, int8, fp4"),
        ("formats.csv", "fallback", "none", "one of tf32, bf16, fp8, int8, fp4"),
        ("formats.csv", "experts_only", "true", "yes or no"),
        ("prefix_hits.csv", "token_hit_fraction", "96", "a share from 0 to 1"),
        ("ttl_hits.csv", "ttl_s", "-60", "a finite number of at least 0"),
        ("length_quantiles.csv", "quantile", "1.5", "a share above 0 and up to 1"),
        ("length_quantiles.csv", "value", "-7", "a finite number of at least 0"),
        ("measured.csv", "value", "fast", "a number"),
        ("measured.csv", "isl", "-1", "a finite number of at least 0"),
    ],
)
def test_an_impossible_cell_is_told_what_was_expected(damaged, table, column, value, expected):
    told = damaged(table, put(1, column, value))
    assert f"{table}, line 3 (" in told
    assert f"column {column}: expected {expected}" in told
    assert told.endswith(f"got {value!r}")


@pytest.mark.parametrize("table", ["accelerators.csv", "models.csv"])
def test_a_name_that_stands_twice_is_named(damaged, table):
    name = catalog.frame(table)["name"][0]
    told = damaged(table, lambda frame: frame.iloc[[*range(len(frame)), 0]])
    assert f"{table}: {name!r} stands there twice" in told


def test_a_model_without_layers_is_named(damaged):
    told = damaged("layers.csv", lambda frame: frame[frame["model"] != "Llama-2-7B"])
    assert told == "models.csv: 'Llama-2-7B' has no layers in layers.csv"


def test_layers_without_a_model_are_named(damaged):
    told = damaged("models.csv", lambda frame: frame.iloc[1:])
    assert told == "layers.csv: layers of 'Llama-2-7B', which models.csv lacks"


@each_table
def test_a_table_without_rows_is_refused(damaged, table):
    told = damaged(table, lambda frame: frame.iloc[:0])
    assert table in told
    assert told.endswith("no rows")


@each_table
@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00\x01" * 99, b"\x89PNG\r\n\x1a\n\x00\xff", b'a,b\n1,"2\n']
)
def test_what_is_no_table_is_refused_by_its_path(tmp_path, table, content):
    path = tmp_path / table
    path.write_bytes(content)
    with pytest.raises(catalog.TableError, match=table):
        LOADERS[table](path)


@each_table
def test_a_row_with_too_many_cells_is_refused(tmp_path, table):
    path = tmp_path / table
    path.write_bytes(catalog.data_path(table).read_bytes() + b"one" + b",more" * 40 + b"\n")
    with pytest.raises(catalog.TableError, match=table):
        LOADERS[table](path)


@each_table
def test_a_missing_file_is_named(tmp_path, table):
    path = tmp_path / "gone" / table
    with pytest.raises(catalog.TableError, match=f"{table}: not found"):
        LOADERS[table](path)


def test_a_table_that_costlib_does_not_have_is_refused_with_the_places_looked_in():
    with pytest.raises(catalog.TableError, match=r"nowhere.csv: not found; expected it in "):
        catalog.data_path("nowhere.csv")


def test_spaces_around_a_cell_do_not_matter(tmp_path):
    path = tmp_path / "accelerators.csv"
    catalog.frame(path.name).map(lambda cell: f" {cell} ").to_csv(path, index=False)
    assert repr(catalog.accelerators(path)) == repr(catalog.accelerators())
