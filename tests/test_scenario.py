"""Scenario files: what is read, and that a mistake is one line that says where and what."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from costlib import scenario
from costlib.scenario import ScenarioError

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.yml"))
GOOD = """\
name: chat
workload:
  input_tokens: 1500
  output_tokens: 3e2
  requests_per_day: 200_000
candidates:
  models: [Llama-3.1-70B]
  accelerators: H100
  apis: gpt-4o
"""


def wrote(folder, text):
    path = folder / "mine.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_numbers_names_and_lists_are_read_as_they_are_meant(tmp_path):
    found = scenario.read(wrote(tmp_path, GOOD.replace("Llama-3.1-70B", "llama 3.1 70b")))
    assert (found.workload.output_tokens, found.workload.requests_per_day) == (300, 200_000)
    assert [one.name for one in found.candidates.models] == ["Llama-3.1-70B"]
    assert found.candidates.accelerators == ("H100",)
    assert found.candidates.n_clients == tuple(2**n for n in range(10))
    assert found.ways == ("API", "rent")
    assert found.candidates.n_combinations == 4 * 10
    assert not found.rated
    with pytest.raises(ValueError, match="frozen"):
        found.name = "other"


def test_a_day_stays_a_day_and_numbers_are_decimal(tmp_path):
    more = "prices: {at: 2026-11-20, rents_usd_per_h: {h100: 010}}\n"
    found = scenario.read(wrote(tmp_path, GOOD + more))
    assert found.prices.at == "2026-11-20"
    assert found.prices.rents_usd_per_h == {"H100": 10.0}


def test_a_log_is_found_beside_its_file(tmp_path):
    text = re.sub(r"  input_tokens.*\n  output.*\n  requests.*\n", "  log: a.csv\n", GOOD)
    found = scenario.read(wrote(tmp_path, text))
    assert found.workload.log == str(tmp_path / "a.csv")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_read_and_say_how_to_run_them(path):
    text = path.read_text(encoding="utf-8")
    assert f"# costlib plan examples/{path.name}" in text
    assert scenario.read(path).name
    assert yaml.safe_load(text)["name"] == scenario.read(path).name


def test_there_is_an_example_of_each_kind():
    assert {path.stem for path in EXAMPLES} == {
        "app_10k_users",
        "coding_agent",
        "document_review",
        "nightly_enrichment",
        "support_chat",
    }


MORE = "  apis: gpt-4o\n"
MACHINE = "prices: {machines: {H100: {machine_usd: 3e5, provisioned_w: 10200}}"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("1500", "[1, 2]", r"workload\.input_tokens: expected tokens, .* got the list \[1, 2\]"),
        ("1500", "{a: 1}", r"workload\.input_tokens: expected tokens, .* got the fields"),
        ("1500", "-5", r"workload\.input_tokens: expected tokens, 1 to 100,000,000, got -5"),
        ("1500", "many", r"workload\.input_tokens: expected tokens, .* got 'many'"),
        ("1500", "true", r"workload\.input_tokens: .* got true"),
        ("1500", ".nan", r"workload\.input_tokens: .* got '\.nan'"),
        ("1500", "1e999", r"workload\.input_tokens: .* got 1e999"),
        ("1500", "", r"workload: lacks input_tokens; expected a number of tokens"),
        ("1500\n", "1500\n  like: chat\n", r"workload: expected lengths from one of .* and like"),
        ("  input_tokens: 1500\n  output_tokens: 3e2\n", "", r"workload: .* got none"),
        ("1500\n", "1500\n  log_time_unit: h\n", r"log_time_unit: expected 's', .* got 'h'"),
        ("1500\n", "1500\n  log_time_unit: s\n", r"workload: log_time_unit belongs to a log"),
        ("1500\n", "1500\n  reused_fraction: 1.2\n", r"reused_fraction: .* 0 to 1, got 1\.2"),
        (
            "1500\n",
            "1500\n  reused_fraction: 0.9\n  written_fraction: 0.2\n",
            r"workload: reused_fraction and written_fraction must not exceed 1 together",
        ),
        ("1500\n", "1500\n  peak_times: 0.5\n", r"peak_times: expected a number of 1 or more"),
        ("input_tokens", "inptu_tokens", r"workload: no field 'inptu_tokens'; .* input_tokens"),
        ("  requests_per_day: 200_000\n", "", r"workload: lacks requests_per_day"),
        ("200_000", "1:30", r"requests_per_day: expected a number above 0, .* got '1:30'"),
        ("Llama-3.1-70B", "Lama-70B", r"candidates\.models\[0\]\.name: no model 'Lama-70B'; did"),
        ("[Llama-3.1-70B]", "[]", r"candidates\.models: expected at least one"),
        ("[Llama-3.1-70B]", "[Qwen3-8B, qwen3 8b]", r"candidates\.models: .* Qwen3-8B twice"),
        ("[Llama-3.1-70B]", "[[Qwen3-8B]]", r"candidates\.models\[0\]: expected fields"),
        ("H100", "H1000", r"candidates\.accelerators\[0\]: no accelerator 'H1000'; did you"),
        ("  models: [Llama-3.1-70B]\n", "", r"candidates: lacks models; .* accelerators"),
        (MORE, "  n_accelerators: 1.5\n", r"n_accelerators\[0\]: expected a whole number, .* 1\.5"),
        (MORE, "  weight_formats: fp9\n", r"weight_formats\[0\]: no format 'fp9'; did you mean"),
        (MORE, "  engine: vlm\n", r"candidates\.engine: no engine 'vlm'; did you mean"),
        (MORE, "  layouts: ring\n", r"layouts\[0\]: expected 'tensor' or 'experts', got 'ring'"),
        (MORE, "  prefix_reuse: maybe\n", r"prefix_reuse\[0\]: expected true or false, got 'may"),
        (MORE, "  ways: lease\n", r"ways\[0\]: expected 'own', 'rent' or 'API', got 'lease'"),
        (MORE, "  ways: own\n", r"prices\.machines: expected a machine per accelerator"),
        (MORE, "  ways: API\n", r"candidates\.apis: expected an API or a router, got none"),
        (
            "gpt-4o",
            "gpt-40",
            r"candidates\.apis\[0\]: no API price 'gpt-40'; did you mean .*gpt-4o",
        ),
        ("gpt-4o", "{name: gpt-4o, service: fast}", r"apis\[0\]: gpt-4o has no 'fast' price"),
        ("gpt-4o", "{name: gpt-4o, quality: 1}", r"candidates: Llama-3\.1-70B lacks quality"),
        ("gpt-4o", "{name: gpt-4o, qualty: 1}", r"apis\[0\]: no field 'qualty'; .* quality\?"),
        (
            MORE,
            "  routers: {strong: gpt-4o, weak: gpt-9, strong_fraction: 0.5}\n",
            r"candidates\.routers\[0\]\.weak: no API price 'gpt-9'",
        ),
        (
            MORE,
            "  ways: rent\n  routers: {strong: o3, weak: Llama-3.1-70B, strong_fraction: 0.5}\n",
            r"candidates\.routers: 'o3' is an API, and the ways are rent",
        ),
        (MORE, MORE + "prices: {at: 2020-01-01}\n", r"prices\.at: gpt-4o was launched on 2024"),
        (MORE, MORE + "prices: {at: yesterday}\n", r"prices\.at must be a date as YYYY"),
        (MORE, MORE + "prices: {rent_kind: forever}\n", r"prices\.rent_kind: expected one of .*'f"),
        (MORE, MORE + "prices: {rents_usd_per_h: {H10: 2}}\n", r"rents_usd_per_h\.H10: no accel"),
        (MORE, MORE + "prices: {rents_usd_per_h: {H100: 0}}\n", r"rents_usd_per_h\.H100: .* got 0"),
        (MORE, MORE + MACHINE + "}\n", r"prices: lacks electricity_usd_per_kwh"),
        (MORE, MORE + "prices: {machines: {H100: {machine_usd: 9}}}\n", r"H100: lacks provision"),
        (MORE, MORE + "carbon: {grid: moon}\n", r"carbon: grid: no place 'moon'"),
        (MORE, MORE + "carbon: {usd_per_t: 5}\n", r"carbon: expected one of grid_g_per_kwh and"),
        (
            MORE,
            MORE + "promises: {ttft_p95_ms: 5}\n",
            r"promises: no field .*; did you mean ttft_p",
        ),
        (MORE, MORE + "promises: {ttft_p95_s: 0}\n", r"promises\.ttft_p95_s: .* above 0, got 0"),
        (MORE, MORE + "promises: {least_quality: 1}\n", r"promises\.least_quality: no candidate"),
        (
            MORE,
            MORE + "fleet: {load_fraction: 0}\n",
            r"fleet\.load_fraction: .* above 0, 1 at most",
        ),
        (MORE, MORE + "horizon_months: 0\n", r"horizon_months: expected months, 1 to 240, got 0"),
        (MORE, MORE + "horizon: 3\n", r"no field 'horizon'; did you mean horizon_months\?"),
        (MORE, MORE + "zebra: 3\n", r"no field 'zebra'; expected one of name, workload"),
        ("name: chat", "name: [a]", r"name: expected a text, got the list"),
        ("name: chat\n", "", r"mine\.yml: lacks name"),
        ("name: chat", "name: a\nname: b", r"mine\.yml, line 2: the field name stands there twice"),
        ("name: chat", "name: &n a\nhorizon_months: *n", r"line 2: expected no alias, got \*n"),
        ("1500", "!!python/object/apply:os.system [ls]", r"line 3: expected no tag, got tag:yaml"),
        ("1500", "!!int 5", r"line 3: expected no tag"),
        (GOOD, "", r"mine\.yml: is empty"),
        (GOOD, "- 1", r"mine\.yml: expected fields \(name, .* got the list"),
        (GOOD, "a: b: c", r"mine\.yml, line 1: mapping values"),
        (GOOD, "{? [a]: b}", r"mine\.yml, line 1: expected the name of a field"),
        (GOOD, "a: 1\0", r"mine\.yml: is no YAML"),
        (GOOD, "[" * 9999, r"mine\.yml: is nested too deeply"),
        (GOOD, "#" * 200_001, r"mine\.yml: expected 200,000 bytes at most"),
        (GOOD, b"\xff\xfe\xfa", r"mine\.yml: is not text in UTF-8"),
    ],
)
def test_a_mistake_is_one_line_with_the_field_and_what_was_expected(tmp_path, old, new, words):
    assert old in GOOD
    text = new if isinstance(new, bytes) else GOOD.replace(old, new, 1)
    with pytest.raises(ScenarioError) as told:
        scenario.read(wrote(tmp_path, text))
    line = str(told.value)
    assert line.startswith(str(tmp_path / "mine.yml"))
    assert "\n" not in line
    assert re.search(words, line), line


def test_what_is_no_file_is_said_in_one_line(tmp_path):
    with pytest.raises(ScenarioError, match=r"nowhere\.yml: not found"):
        scenario.read(tmp_path / "nowhere.yml")
    with pytest.raises(ScenarioError, match="cannot be read"):
        scenario.read(tmp_path)


def test_too_many_combinations_are_refused_before_anything_is_computed():
    many = {"models": ["Qwen3-8B"], "accelerators": ["H100"], "cache_bits": list(range(1, 33))}
    many |= {"n_accelerators": list(range(1, 1001)), "n_clients": list(range(1, 1001))}
    fields = {"name": "a", "workload": {"like": "chat", "requests_per_day": 1}, "candidates": many}
    with pytest.raises(ScenarioError, match="expected 20,000,000 combinations at most, got 32,0"):
        scenario.scenario(fields)


def test_several_mistakes_are_counted_and_the_first_is_told(tmp_path):
    text = GOOD.replace("1500", "-1").replace("H100", "H1000")
    with pytest.raises(ScenarioError, match=r"input_tokens: .* \(and 1 more\)$"):
        scenario.read(wrote(tmp_path, text))


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.just("H100")
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=12), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = [
    *scenario.Scenario.model_fields,
    *scenario.Workload.model_fields,
    *scenario.Candidates.model_fields,
    *scenario.Prices.model_fields,
]
fields = st.sampled_from(FIELDS)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.dictionaries(
        fields, st.one_of(anything, st.dictionaries(fields, anything, max_size=4)), max_size=6
    )
)
def test_whatever_a_file_holds_is_read_or_refused_in_one_line(given_fields):
    told = ""
    try:
        scenario.scenario(given_fields)
    except ScenarioError as why:
        told = str(why)
    assert "\n" not in told
    assert len(told) < 1000
