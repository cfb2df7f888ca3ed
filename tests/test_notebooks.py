"""Chapters as committed: their shape, their outputs, and what other parameters do to them."""

import ast
import io
import json
import re
import socket
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import altair as alt
import nbformat
import pytest
import vl_convert
import yaml
from IPython.display import display

from costlib import booktools
from costlib.charts import theme

ROOT = Path(__file__).resolve().parents[1]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHAPTERS = {path.stem: nbformat.read(path, as_version=4) for path in PATHS}
MAX_CELLS = 25
MAX_TYPED_NUMBERS = 12

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS.values(), ids=CHAPTERS)


def cells(chapter, kind):
    return [cell for cell in chapter.cells if cell.cell_type == kind]


def tagged(chapter, tag):
    return [cell for cell in chapter.cells if tag in cell.metadata.get("tags", [])]


def bundles(chapter):
    """Every MIME bundle of the outputs."""
    outputs = [output for cell in cells(chapter, "code") for output in cell.outputs]
    return [output.data for output in outputs if "data" in output]


def specs(chapter):
    return [bundle[booktools.MIME] for bundle in bundles(chapter) if booktools.MIME in bundle]


# --- shape -----------------------------------------------------------------------------------


def test_the_table_of_contents_names_every_chapter_and_no_other():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    named = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    found = sorted(name for name in named if name.startswith("notebooks/"))
    assert found == [f"notebooks/{name}" for name in CHAPTERS]


def test_the_readme_lists_every_chapter_under_its_title_in_the_order_of_the_book():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    named = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    names = [Path(name).stem for name in named if name.startswith("notebooks/")]
    titles = [CHAPTERS[name].cells[0].source.splitlines()[0][2:] for name in names]
    listed = re.findall(
        r"^\| \[(.*)\]\((notebooks/.*)\.ipynb\) \|",
        (ROOT / "README.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert listed == [(t, f"notebooks/{n}") for t, n in zip(titles, names, strict=True)]


@each_chapter
def test_a_chapter_is_a_valid_notebook_of_at_most_25_cells(chapter):
    nbformat.validate(chapter)
    assert len(chapter.cells) <= MAX_CELLS


@each_chapter
def test_its_one_title_opens_it(chapter):
    titles = [
        (place, line)
        for place, cell in enumerate(chapter.cells)
        if cell.cell_type == "markdown"
        for line in re.sub(r"(?ms)^```.*?^```", "", cell.source).splitlines()
        if line.startswith("# ") or re.fullmatch("=+", line)
    ]
    assert [place for place, _ in titles] == [0]
    assert chapter.cells[0].source.startswith("# ")


@each_chapter
def test_its_parameters_are_literals_in_one_cell(chapter):
    (cell,) = tagged(chapter, "parameters")
    for statement in ast.parse(cell.source).body:
        assert isinstance(statement, ast.Assign), ast.unparse(statement)
        (target,) = statement.targets
        assert isinstance(target, ast.Name)
        ast.literal_eval(statement.value)


@each_chapter
def test_its_code_compiles_and_defines_nothing(chapter):
    for cell in cells(chapter, "code"):
        compile(cell.source, cell.id, "exec")
        kinds = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
        found = [node.name for node in ast.walk(ast.parse(cell.source)) if isinstance(node, kinds)]
        assert found == [], cell.id


# --- outputs ---------------------------------------------------------------------------------


@each_chapter
def test_it_was_run_from_top_to_bottom_and_kept_what_it_said(chapter):
    code = cells(chapter, "code")
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    quiet = {cell.id for cell in tagged(chapter, "parameters")}
    assert [cell.id for cell in code if not cell.outputs and cell.id not in quiet] == []


@each_chapter
def test_its_metadata_holds_nothing_that_changes_from_run_to_run(chapter):
    assert set(chapter.metadata) == {"kernelspec", "language_info"}
    assert chapter.metadata.language_info == {"name": "python"}
    for cell in chapter.cells:
        assert set(cell.metadata) <= {"tags", "jupyter", "mystnb"}, cell.id
    for cell in cells(chapter, "code"):
        for output in cell.outputs:
            assert output.output_type in ("display_data", "execute_result"), output
            assert output.metadata == {}, cell.id


@each_chapter
def test_its_outputs_are_the_same_on_any_machine_and_day(chapter):
    kinds = {kind for bundle in bundles(chapter) for kind in bundle}
    assert kinds <= {booktools.MIME, "text/plain", "text/html", "text/markdown"}
    told = json.dumps(bundles(chapter), ensure_ascii=False)
    path = r"(?<![\w/.:<])/(?:home|root|tmp|usr|opt|var|srv|mnt|Users|private)/|\b[A-Z]:\\\\\w"
    moment = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\b\d\d:\d\d:\d\d\b"
    host = rf"\b{re.escape(socket.gethostname())}\b|localhost|127\.0\.0\.1"
    for pattern in (path, moment, host, r"\b0x[0-9a-f]{6,}"):
        found = re.search(pattern, told)
        assert not found, told[max(found.start() - 40, 0) : found.end() + 20]
    assert str(ROOT) not in told


@each_chapter
def test_nothing_in_it_points_to_another_host(chapter):
    told = [cell.source for cell in chapter.cells]
    told += [
        text for bundle in bundles(chapter) for kind, text in bundle.items() if kind[:4] == "text"
    ]
    assert re.findall(r"(?:https?:)?//[\w-]+\.\S{0,40}", "\n".join(told)) == []


# --- charts ----------------------------------------------------------------------------------


def painted(value, key=""):
    """Every colour that a spec names, rows of data left out."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in ("datasets", "values", "title", "description"):
                yield from painted(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from painted(inner, key)
    elif isinstance(value, str) and (
        value.startswith("#") or re.search("(?:color|fill|stroke|background)$", key.lower())
    ):
        yield value


@each_chapter
def test_every_colour_of_a_chart_has_a_dark_twin(chapter):
    used = {colour for spec in specs(chapter) for colour in painted(spec)}
    assert used - theme.colours() == set()
    anywhere = re.findall(r'"(#[0-9a-fA-F]{3,8})"', json.dumps(specs(chapter)))
    assert set(anywhere) <= theme.colours()


@pytest.mark.audit
@each_chapter
def test_every_chart_is_valid(chapter):
    for spec in specs(chapter):
        alt.Chart.from_dict(spec, validate=True)


@each_chapter
def test_every_chart_draws_without_a_warning(chapter, capfd):
    for spec in specs(chapter):
        svg = vl_convert.vegalite_to_svg(spec | {"width": 600}, show_warnings=True)
        assert capfd.readouterr().err == "", spec["title"]
        assert "<path" in svg
        assert not re.search("NaN|Infinity|undefined", svg), spec["title"]


@each_chapter
def test_every_chart_has_a_title_and_its_numbers_in_words(chapter):
    for bundle in bundles(chapter):
        if spec := bundle.get(booktools.MIME):
            assert spec["title"]["text"]
            assert len(spec["description"]) > 40, spec["title"]
            assert bundle["text/plain"] == f"<Vega-Lite chart: {spec['description']}>"


# --- prose -----------------------------------------------------------------------------------


def typed_numbers(chapter):
    """Numbers in Markdown cells outside mathematics, code, links and labels."""
    text = "\n\n".join(cell.source for cell in cells(chapter, "markdown"))
    for pattern in (
        r"(?s)```.*?```",
        r"(?s)\$\$.*?\$\$(?: *\([\w-]+\))?",
        r"(?<!\\)\$[^$\n]+(?<!\\)\$",
        r"(?:\{[\w:]+\})?`[^`]+`",
        r"\]\([^)]*\)",
        r"(?m)^\d+\. ",
    ):
        text = re.sub(pattern, " ", text)
    return re.findall(r"\d[\d.,]*", text)


@each_chapter
def test_hardly_a_number_is_typed(chapter):
    found = typed_numbers(chapter)
    assert len(found) <= MAX_TYPED_NUMBERS, found


@each_chapter
def test_every_citation_is_in_the_bibliography(chapter):
    entries = (ROOT / "book" / "references.bib").read_text("utf-8")
    known = set(re.findall(r"^@\w+\{\s*([^,\s]+)", entries, re.MULTILINE))
    text = "\n".join(cell.source for cell in cells(chapter, "markdown"))
    cited = {
        key.strip()
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text)
        for key in keys.split(",")
    }
    assert cited, "a chapter has sources"
    assert cited <= known


# --- other parameters ------------------------------------------------------------------------

# Per chapter: numbers of a reader's own, and what is senseless with what the error has to name.
OTHER = {
    "api_prices": {
        "model": "deepseek-v4-pro",
        "at": "2026-09-01",
        "quality_of": "gpt-3-davinci",
        "vendor": "Google",
        "kind": "output",
        "years": 2,
        "input_tokens": 300_000,
        "hit_fraction": 0,
        "tokenizer_times": 1.35,
        "commitment_musd": 2,
        "usage_musd": 3,
        "value_usd_per_mtok": 1,
        "peak_to_mean": 1.5,
    },
    "own_rent_api": {
        "machine_usd": 500_000,
        "years": 3,
        "rent_usd_per_h": 2.0,
        "api": "Llama-3.3-70B at DeepInfra",
        "peak_times": 4,
        "n_spares": 0,
        "mtok_per_month": 200,
    },
    "depreciation": {
        "cost_usd": 45_000,
        "salvage_fraction": 0.1,
        "life_years": 4,
        "rent_usd_per_h": 6,
        "decline_fraction": 0.35,
        "busy_fraction": 0.6,
        "accelerator": "H200",
    },
    "availability": {
        "n_needed": 1,
        "between_failures_h": 95,
        "repair_h": 5,
        "common_fraction": 0.3,
        "target_fraction": 0.99,
        "watching_usd_per_year": 0,
        "revenue_usd_per_year": 2e9,
        "promised_fraction": 0.999,
        "worth_fraction": 1,
        "cloud": "Google",
        "dear": "gpt-4o-mini",
    },
    "decision": {"scenario_path": "examples/app_10k_users.yml", "n_draws": 1_024},
    "demand": {
        "price_times": 0.3,
        "elasticity": 0.7,
        "model": "gpt-4.1",
        "price_usd": 49,
        "mean_usd": 14,
        "sigma": 1.2,
        "cap_times": 2,
        "value_times": 1,
    },
    "ledger": {"topic": "pue", "forgiven_fraction": 0.25},
    "long_context_cliff": {
        "rent_usd_per_h": 3.2,
        "memory_gb": 141,
        "weight_bits": 8,
        "long_tokens": 64_000,
    },
    "margins": {
        "input_tokens": 8_000,
        "output_tokens": 1_000,
        "user_tokens_per_s": 40,
        "load": 0.3,
        "hit_fraction": 0.5,
        "rent_kind": "spot",
        "machine_usd_per_h": 24,
        "tokens_per_s": 12_000,
        "discount_fraction": 0.1,
    },
    "moe": {
        "model": "DeepSeek-V3",
        "accelerator": "B200",
        "rent_usd_per_h": 4,
        "input_tokens": 4_096,
        "most_clients": 256,
    },
    "parallelism": {
        "model": "Llama-3.1-405B",
        "accelerator": "H200",
        "user_tokens_per_s": 20,
        "first_token_s": 6,
        "n_clients": 16,
        "rent_usd_per_h": 3.5,
    },
    "prefix_and_tiers": {
        "model": "Qwen3-32B",
        "accelerator": "H200",
        "n_accelerators": 2,
        "context_tokens": 32_000,
        "cache_bits": 16,
        "api_model": "gemini-2.5-pro",
        "tier": "Host memory",
        "rent_usd_per_h": 4,
    },
    "pue": {
        "pue": 1.5,
        "busy_fraction": 0.35,
        "idle_fraction": 0.3,
        "electricity_usd_per_kwh": 1.2,
        "place": "pol",
        "day": "banc",
        "flexible_fraction": 0.2,
    },
    "queueing": {
        "load": 0.7,
        "mean_tokens": 250,
        "sigma": 0.9,
        "clipped_fraction": 0.02,
        "output_token_s": 0.02,
        "n_servers": 16,
        "trace": "Azure conversation",
        "peak_times": 2.5,
    },
    "roofline": {
        "model": "Llama-3.1-70B",
        "weight_format": "fp8",
        "gpus_h100": 4,
        "gpus_h200": 2,
        "rent_kind": "three years",
        "promised_tokens_per_s": 30,
        "queue_accelerator": "A100",
        "busy_fraction": 0.5,
    },
    "routing": {
        "bench": "GSM8K",
        "strong_usd_per_mtok": 30,
        "weak_usd_per_mtok": 2,
        "kept_fraction": 0.9,
        "loss_usd": 0.5,
        "waiting_usd_per_h": 60,
        "n_weak_servers": 40,
        "table_path": "tests/example_scores.csv",
    },
    "serving_at_load": {
        "model": "gpt-oss-120b",
        "accelerator": "H200",
        "n_accelerators": 2,
        "workload": "code",
        "promised_ttft_s": 2,
        "promised_tpot_s": 0.2,
        "rent_usd_per_h": 4,
        "requests_per_s": 10,
    },
    "shrinking_the_cache": {
        "accelerator": "B200",
        "n_gpus": 4,
        "weight_bits": 8,
        "cache_bits": 8,
        "long_tokens": 64_000,
        "live_model": "Llama-3.1-8B",
    },
    "speculative": {
        "accelerator": "H100",
        "acceptance_fraction": 0.8,
        "draft_tokens": 3,
        "rent_usd_per_h": 4,
        "crowd_users": 96,
    },
    "training_and_tuning": {
        "n_params": 8e9,
        "training_tokens": 15e12,
        "served_tokens": 3e14,
        "working_fraction": 0.3,
        "pipeline_stages": 1,
        "serving_mfu_fraction": 0.3,
        "price_times": 0.5,
        "accelerator": "H200",
        "rent_usd_per_h": 4,
        "research_times": 3,
        "model": "Llama-2-7B",
        "n_tenants": 4,
        "requests_per_month": 200_000,
        "prompt_tokens": 1_000,
        "example_tokens": 2_000,
        "rank": 64,
        "api_model": "gpt-4.1-nano",
    },
    "validation": {
        "example_model": "gpt-oss-120b",
        "example_format": "mxfp4",
        "example_accelerator": "B200",
        "example_gpus": 2,
        "rent_usd_per_h": 5,
        "smallest_group": 60,
    },
    "workloads": {
        "log": "tests/example_log.csv",
        "price": "gpt-4.1",
        "requests_per_day": 50_000,
        "gap_scv": 4,
        "peak_to_mean": 1.3,
        "cap_tokens": 512,
    },
}
SENSELESS = {
    "api_prices": [
        ("hit_fraction", 1.2, r"hit_fraction .*1\.2"),
        ("model", "sonnet", r"no API price 'sonnet'; did you mean .*claude-"),
        ("at", "2020-01-01", r"at: claude-sonnet-5-5 was launched on 2026-09-28"),
        ("at", "last year", r"at must be a date .*'last year'"),
        ("quality_of", "gpt-5", r"no source matches anything with 'gpt-5'"),
        ("years", 0, r"years must lie between 1 and 7 .*\b0"),
        ("vendor", "AWS", r"vendor must be one of all, OpenAI, .*'AWS'"),
        ("input_tokens", -1, r"input_tokens .*-1"),
        ("commitment_musd", 0, r"commitment_musd .*\b0"),
        ("full_price_fraction", 60, r"full_price_fraction .*60"),
    ],
    "own_rent_api": [
        ("accelerator", "H1000", r"H1000"),
        ("machine_usd", 0, r"machine_usd .*\b0"),
        ("interest_fraction", 8, r"interest_fraction .*8"),
        ("model", "Llama-3.1-405B", r"n_accelerators: .*does not fit on 2 H100"),
        ("api", "Llama-9", r"no API price 'Llama-9'"),
        ("peak_times", 0.5, r"peak_times .*0\.5"),
        ("rent_usd_per_h", -1, r"rent_usd_per_h .*-1"),
    ],
    "depreciation": [
        ("cost_usd", 0, r"cost_usd .*\b0"),
        ("decline_fraction", 20, r"decline_fraction .*20"),
        ("life_years", 0, r"life_years .*\b0"),
        ("busy_fraction", 0, r"busy_fraction .*\b0"),
        ("tier_busy", [2, 0.5, 0.5], r"busy .*2"),
        ("model", "Llama-3.1-405B", r"n_accelerators: .*does not fit on 2 H100"),
    ],
    "availability": [
        ("n_needed", 0, r"n_needed .*\b0"),
        ("repair_h", -1, r"repair_h .*-1"),
        ("common_fraction", 2, r"common_fraction .*\b2"),
        ("target_fraction", 1, r"1 minus target_fraction .*\b0"),
        ("fallback_fraction", 5, r"fallback_fraction .*\b5"),
        ("cloud", "Hetzner", r"no way out of 'Hetzner'; there are AWS, Azure, Google"),
        ("dear", "claude-sonet-4-6", r"'claude-sonet-4-6'.*\bclaude-sonnet-4-6\b"),
    ],
    "decision": [
        ("scenario_path", "nowhere.yml", r"scenario_path: .*'nowhere\.yml'"),
        ("scenario_path", 3, r"scenario_path: .*\b3\b"),
        ("n_draws", 1_000, r"n_draws must be a power of 2.*\b1000\b"),
        ("n_draws", -4, r"n_draws .*-4"),
    ],
    "demand": [
        ("price_usd", -1, r"price_usd .*-1"),
        ("price_times", 2, r"price_times .*2"),
        ("sigma", 0, r"sigma .*\b0"),
        ("bought_fraction", 1.5, r"bought_fraction .*1\.5"),
        ("elasticity", -1, r"elasticity .*-1"),
        ("model", "gpt-44", r"'gpt-44'.*\bgpt-4\b"),
    ],
    "ledger": [
        ("topic", "weather", r"no claims on 'weather'; the ledger has .*\bpue\b"),
        ("forgiven_fraction", 10, r"forgiven_fraction .*10"),
    ],
    "long_context_cliff": [
        ("rent_usd_per_h", -1, r"rent_usd_per_h .*-1"),
        ("memory_gb", "big", r"memory.*'?big'?"),
        ("accelerator", "H1OO", r"'H1OO'.*\bH100\b"),
        ("weight_bits", 0, r"weight_bits .*\b0"),
    ],
    "margins": [
        ("rent_kind", "leased", r"no rents of the kind 'leased'; there are .*on demand"),
        ("load", 1.4, r"load .*1\.4"),
        ("load", 0, r"load .*\b0"),
        ("hit_fraction", -0.1, r"hit_fraction .*-0\.1"),
        ("user_tokens_per_s", 0, r"user_tokens_per_s .*\b0"),
        ("user_tokens_per_s", 1e5, r"user_tokens_per_s: no machine .*100000"),
        ("machine_usd_per_h", -1, r"machine_usd_per_h .*-1"),
    ],
    "moe": [
        ("model", "Qwen3.5-397B", r"'Qwen3.5-397B'.*\bQwen3.5-397B-A17B\b"),
        ("model", "Llama-3.1-70B", r"Llama-3\.1-70B is no mixture"),
        ("n_gpus", 2, r"n_gpus: 2 H200"),
        ("rent_usd_per_h", -1, r"rent_usd_per_h .*-1"),
    ],
    "parallelism": [
        ("model", "Llama-3.1-70", r"'Llama-3.1-70'.*Llama-3\.1-70B"),
        ("user_tokens_per_s", 0, r"user_tokens_per_s .*\b0"),
        ("user_tokens_per_s", 5_000, r"most_gpus: no layout"),
        ("rent_usd_per_h", -1, r"rent_usd_per_h .*-1"),
    ],
    "prefix_and_tiers": [
        ("model", "Llama-3.1-70", r"'Llama-3.1-70'.*Llama-3\.1-70B"),
        ("tier", "NVMe drive", r"'NVMe drive'.*\bLocal NVMe\b"),
        ("api_model", "gpt-oss-120b at AWS", r"cached_input_usd_per_mtok .*nan"),
        ("context_tokens", 0, r"context_tokens .*\b0"),
        ("rent_usd_per_h", -1, r"rent_usd_per_h .*-1"),
        ("n_accelerators", -4, r"n_accelerators .*-4"),
    ],
    "pue": [
        ("pue", 0.9, r"pue must be at least 1, got 0\.9"),
        ("busy_fraction", 60, r"busy_fraction .*60"),
        ("electricity_usd_per_kwh", -1, r"electricity_usd_per_kwh .*-1"),
        ("place", "atlantis", r"no place 'atlantis' with g_per_kwh"),
        ("day", "fra", r"no hours of 'fra'; there are banc, pace"),
        ("years", 0, r"years .*\b0"),
    ],
    "queueing": [
        ("load", 1.2, r"load .*1\.2"),
        ("sigma", 0, r"sigma .*\b0"),
        ("trace", "Claude", r"'Claude'.*\bClaude Code\b"),
        ("clipped_fraction", 5, r"clipped_fraction .*\b5"),
        ("truncated_usd", -1, r"truncated_usd .*-1"),
        ("peak_times", 0, r"peak_times .*\b0"),
    ],
    "roofline": [
        ("model", "gpt-oss-12b", r"'gpt-oss-12b'.*gpt-oss-120b"),
        ("rent_kind", "forever", r"'forever'.*on demand"),
        ("gpus_h100", -2, r"gpus_h100 .*-2"),
        ("weight_format", "mxfp5", r"'mxfp5'.*mxfp4"),
        ("busy_fraction", 1.2, r"busy_fraction .*1\.2"),
    ],
    "routing": [
        ("bench", "MMLUU", r"'MMLUU'; there are GSM8K, MMLU"),
        ("bench", "MT-Bench", r"the score of bench MT-Bench must lie in \[0, 1\]"),
        ("bench", "RouterArena", r"the gap between the models of bench RouterArena must be pos"),
        ("kept_fraction", 1.2, r"kept_fraction .*1\.2"),
        ("loss_usd", -1, r"loss_usd .*-1"),
        ("weak_usd_per_mtok", 30, r"strong_usd_per_mtok minus weak_usd_per_mtok .*-5\.3"),
        ("n_weak_servers", 0, r"n_weak_servers .*\b0"),
        ("table_path", "nowhere.csv", r"nowhere\.csv: not found"),
        ("table_path", "data/hbm.csv", r"data/hbm\.csv: lacks the column query"),
    ],
    "serving_at_load": [
        ("workload", "chats", r"'chats'.*\bchat\b"),
        ("rent_usd_per_h", -1, r"rent_usd_per_h .*-1"),
        ("peak_times", 0, r"peak_times .*\b0"),
        ("promised_ttft_s", 0.01, r"promised_ttft_s of 0.01 s .* no load"),
        ("n_accelerators", -4, r"n_accelerators .*-4"),
        ("chunk_tokens", 0, r"chunk_tokens .*\b0"),
    ],
    "shrinking_the_cache": [
        ("rent_usd_per_h", -1, r"rent_usd_per_h .*-1"),
        ("accelerator", "H1OO", r"'H1OO'.*\bH100\b"),
        ("n_gpus", 1, r"nobody fits.*n_gpus"),
        ("short_tokens", 200_000, r"long_tokens minus short_tokens .*-72000"),
        ("live_model", "Llama-3.1-7B", r"'Llama-3\.1-7B'"),
    ],
    "speculative": [
        ("acceptance_fraction", 1.5, r"acceptance_fraction .*1\.5"),
        ("accelerator", "H2OO", r"'H2OO'.*\bH200\b"),
        ("draft_tokens", -1, r"draft_tokens .*-1"),
        ("n_gpus", 2.5, r"n_accelerators .*2\.5"),
    ],
    "training_and_tuning": [
        ("served_tokens", 0, r"served_tokens .*\b0"),
        ("serving_mfu_fraction", 10, r"serving_mfu_fraction .*10"),
        ("model", "Llama-3.1-405B", r"Llama-3\.1-405B does not fit on one H100"),
        ("model", "DeepSeek-V3", r"DeepSeek-V3 .*(experts|does not fit)"),
        ("accelerator", "H1OO", r"'H1OO'.*\bH100\b"),
        ("api_model", "gpt-4.2", r"'gpt-4\.2'; did you mean gpt-4"),
        ("n_tenants", 0, r"n_tenants must be at least 1"),
    ],
    "validation": [
        ("example_model", "Lama-3.1-70B", r"'Lama-3.1-70B'.*\bLlama-3.1-70B\b"),
        ("example_format", "fp7", r"'fp7'.*\bfp8\b"),
        ("example_gpus", 2.5, r"n_accelerators .*2\.5"),
        ("input_tokens", 0, r"input_tokens .*\b0"),
    ],
    "workloads": [
        ("log", "nowhere.csv", r"nowhere\.csv: not found"),
        ("log", "README.md", r"README\.md: no column for a time"),
        ("price", "gpt-4", r"price must be one of .*gpt-4\.1.*'gpt-4'"),
        ("requests_per_day", 0, r"requests_per_day .*\b0"),
        ("gap_scv", -1, r"gap_scv .*-1"),
        ("peak_to_mean", 3, r"peak_to_mean .*3"),
        ("cap_tokens", 300, r"cap_tokens must be one of .*300"),
    ],
}
FIRST = "long_context_cliff"  # run by the command in every run of the tests


def run(name, parameters, folder):
    """What became of the command that the chapter names."""
    out = folder / f"{name}.ipynb"
    given = [text for key, value in parameters.items() for text in ("-p", key, str(value))]
    command = [sys.executable, "-m", "papermill", f"notebooks/{name}.ipynb", str(out), *given]
    done = subprocess.run(
        [*command, "--no-progress-bar", "--log-level", "CRITICAL"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1:]
    return SimpleNamespace(failed=done.returncode, last="".join(last), path=out)


def answer_of(notebook):
    """Text of the chapter's answer; a run with parameters holds one cell more."""
    (cell,) = [cell for cell in notebook.cells if cell.get("id") == "answer"]
    return cell.outputs[0].data["text/plain"]


def test_every_chapter_is_tried_with_other_parameters_and_with_senseless_ones():
    assert set(OTHER) == set(SENSELESS) == set(CHAPTERS)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == FIRST else pytest.mark.audit) for name in OTHER],
)
def test_a_chapter_answers_for_other_parameters(name, tmp_path):
    found = run(name, OTHER[name], tmp_path)
    assert not found.failed, found.last
    notebook = nbformat.read(found.path, as_version=4)
    assert answer_of(notebook) != answer_of(CHAPTERS[name])


def test_a_run_that_stops_ends_in_one_line(tmp_path):
    parameter, value, named = SENSELESS[FIRST][0]
    found = run(FIRST, {parameter: value}, tmp_path)
    assert found.failed, "it ran to the end"
    assert re.search(f"^ValueError: .*{named}", found.last), found.last


@pytest.mark.parametrize(
    ("name", "parameter", "value", "named"),
    [(name, *row) for name, rows in SENSELESS.items() for row in rows],
)
def test_a_senseless_parameter_stops_the_chapter_and_is_named(name, parameter, value, named):
    space = {"display": display, "__name__": "__main__"}

    def execute():  # as papermill would, without a kernel
        for cell in cells(CHAPTERS[name], "code"):
            exec(compile(cell.source, cell.id, "exec"), space)
            if "parameters" in cell.metadata.get("tags", []):
                assert parameter in space
                space[parameter] = value

    with redirect_stdout(io.StringIO()), pytest.raises((ValueError, LookupError)) as stopped:
        execute()
    assert re.fullmatch(f".*{named}.*", str(stopped.value)), stopped.value
