"""The command: what it prints is what the library says, and a mistake is one line."""

import json
import re

import pytest
from numpy.testing import assert_allclose

from costlib import catalog, claims, cli, deploy, serve, units


@pytest.fixture
def costlib(capsys):
    """Run a command; its exit code, its lines, and what it said of a mistake."""

    def run(*arguments):
        code = cli.main(arguments)
        told = capsys.readouterr()
        return code, told.out.splitlines(), told.err.splitlines()

    return run


def fields(lines):
    """One record, a field to a line."""
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in lines if "  " in line)


@pytest.mark.parametrize(
    ("listing", "records"),
    [("models", catalog.models()), ("accelerators", catalog.accelerators())],
)
def test_a_list_names_every_record_once(costlib, listing, records):
    code, (header, *rows), _ = costlib(listing)
    assert code == 0
    assert "source" in header
    assert len(rows) == len(records)
    assert all(record.name in "\n".join(rows) for record in records.values())


def test_a_model_is_shown_with_its_memory_per_token(costlib):
    code, lines, _ = costlib("models", "Llama-3.1-70B")
    shown = fields(lines)
    assert code == 0
    assert float(shown["kv_kib_per_token_bf16"]) == 80 * 8 * 256 * 2 / units.KIB
    assert float(shown["params_b"]) == pytest.approx(70.6, abs=0.1)


def test_an_accelerator_is_shown_with_its_ridge(costlib):
    code, lines, _ = costlib("accelerators", "h100")
    device, shown = catalog.accelerator("H100"), fields(lines)
    assert code == 0
    ridge = device.peak_flop_per_s["bf16"] / device.memory_bytes_per_s
    assert float(shown["ridge_bf16_flop_per_byte"]) == pytest.approx(ridge, abs=0.01)


PARAMS = 70.55e9  # as published, and as the layers add up to
CLIFF = ["cliff", "Llama-3.1-70B", "H100", "--rent", "2.5", "--weight-bits", "4"]


def table(lines):
    header, *rows = (line.split() for line in lines)
    return [dict(zip(header, map(float, row), strict=True)) for row in rows]


def test_the_cliff_falls_with_context(costlib):
    code, lines, _ = costlib(*CLIFF, "--cache-bits", "8", "--context", "4e3", "128e3")
    assert code == 0
    short, long = table(lines)
    assert (short["context_tokens"], long["context_tokens"]) == (4_000, 128_000)
    pool = catalog.accelerator("H100").memory_bytes - 6e9 - PARAMS * 4 / 8
    for row in (short, long):
        held = 80 * 8 * 256 * row["context_tokens"]
        assert row["gb_per_user"] == pytest.approx(held / units.GB, abs=1e-4)
        assert row["users"] == pool // held
    assert long["usd_per_mtok"] > 20 * short["usd_per_mtok"]


def test_twice_the_rent_is_twice_the_cost_and_more_cards_hold_more(costlib):
    _, lines, _ = costlib(*CLIFF)
    base = table(lines)
    _, lines, _ = costlib(*CLIFF, "--rent", "5")
    dear = table(lines)
    _, lines, _ = costlib(*CLIFF, "--gpus", "2")
    two = table(lines)
    assert len(base) == 6
    for one, twice, more in zip(base, dear, two, strict=True):
        assert twice["usd_per_mtok"] == pytest.approx(2 * one["usd_per_mtok"], rel=1e-3)
        assert more["users"] > one["users"]


def test_the_ledger_is_printed_by_topic(costlib):
    topic = str(claims.ledger()["topic"].iloc[0])
    code, (header, *rows), _ = costlib("claims", topic)
    assert code == 0
    assert {"id", "printed", "ours", "verdict"} <= set(header.split())
    assert len(rows) == (claims.ledger()["topic"] == topic).sum()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["models", "Llama-3.1-7OB"], r"no model 'Llama-3\.1-7OB'; did you mean .*Llama-3\.1-70B"),
        (["accelerators", "H1OO"], "no accelerator 'H1OO'; did you mean H100"),
        (["claims", "weather"], "weather"),
        ([*CLIFF, "--rent", "-1"], "rent_usd_per_h .*-1"),
        ([*CLIFF, "--cache-bits", "0"], "cache_bits|bytes_per_value .*0"),
        ([*CLIFF, "--weight-bits", "0"], "weight_bits .*0"),
        ([*CLIFF, "--activations", "fp4"], "H100 has no fp4 peak; it has .*bf16"),
        ([*CLIFF, "--context", "-4"], "context_tokens .*-4"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_that_names_it_and_exit_code_2(costlib, arguments, words):
    code, lines, complaint = costlib(*arguments)
    assert (code, lines) == (2, [])
    (line,) = complaint
    assert line.startswith(f"costlib {arguments[0]}: ")
    assert re.search(words, line), line


@pytest.mark.parametrize("arguments", [[], ["cliff"], ["cliff", "a", "b", "--rent", "much"]])
def test_what_the_parser_refuses_has_exit_code_2_too(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert "usage: costlib" in capsys.readouterr().err


def test_a_prediction_is_the_librarys_for_every_load(costlib):
    code, (header, *rows), _ = costlib(
        "predict", "gpt-oss-120b", "H200", "--format", "mxfp4", "--clients", "1", "64"
    )
    assert code == 0
    load = deploy.scenarios("gpt-oss-120b", "H200", weight_format="mxfp4", n_clients=[1, 64])
    done = serve.prediction(load)
    place = header.split().index("ms_per_token")
    found = [float(row.split()[place]) for row in rows]
    assert_allclose(found, done.tpot_s * 1e3, atol=0.005)


def test_what_does_not_fit_is_said_in_bytes(costlib):
    code, lines, told = costlib("predict", "Llama-3.1-405B", "H100")
    assert (code, lines) == (2, [])
    assert re.search(r"nothing fits: the weights take 410 GB .* 1 H100 hold 86 GB", told[0])


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["--gpus", "3", "--stages", "2"], "pipeline_stages"),
        (["--gpus", "1.5"], "n_accelerators"),
        (["--clients", "0"], "n_clients"),
        (["--input", "-1"], "input_tokens"),
        (["--reused", "2"], "reused_fraction"),
        (["--format", "fp7"], "fp7"),
        (["--engine", "vLM"], "vLLM"),
    ],
)
def test_a_wrong_load_is_one_line_that_names_it(costlib, given, named):
    code, lines, told = costlib("predict", "Llama-3.1-8B", "H100", *given)
    assert (code, lines, len(told)) == (2, [], 1)
    assert named in told[0]


def test_validate_is_a_command_like_the_others(costlib):
    code, lines, _ = costlib("validate", str(catalog.data_path("measured.csv")))
    assert code == 0
    assert lines[0].startswith("metric")
    code, _, told = costlib("validate", "nowhere.csv")
    assert code == 2
    assert told == ["costlib validate: nowhere.csv: not found"]


LOG = (
    "timestamp,input_tokens,output_tokens,user,session\n"
    "0,100,10,ann,a\n60,900,20,bob,b\nsoon,1,1,bob,b\n90,9000,20,ann,a\n"
)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "my.csv"
    path.write_text(LOG, "utf-8")
    return str(path)


def test_a_log_is_described_in_words_and_its_bad_rows_are_told(costlib, log):
    code, lines, told = costlib("profile", log)
    assert code == 0
    assert lines[0].startswith("my.csv: 3 requests in 90 s")
    assert any(line.startswith("begin here") for line in lines)
    assert told == [
        "my.csv, line 4, column timestamp: expected a number, within 100 years of the "
        "others, got 'soon'"
    ]


def test_a_log_is_described_for_machines(costlib, log):
    code, lines, _ = costlib("profile", log, "--json", "--price", "gpt-4.1")
    found = json.loads("\n".join(lines))
    assert code == 0
    assert (found["n_requests"], found["n_bad"], found["n_users"]) == (3, 1, 2)
    assert found["price"] == "gpt-4.1"
    assert found["dispersion"]["300"] is None


def test_a_log_in_milliseconds_can_be_said_to_be(costlib, log):
    _, lines, _ = costlib("profile", log, "--json", "--time-unit", "ms")
    assert json.loads("\n".join(lines))["span_s"] == pytest.approx(0.09)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--fatal"], "line 4, column timestamp: expected a number"),
        (["--price", "gpt-0"], "no API price 'gpt-0'"),
        (["--time-unit", "min"], "time_unit must be one of s, ms, us, ns, got 'min'"),
    ],
)
def test_a_mistake_about_a_log_is_one_line(costlib, log, given, told):
    code, lines, (line,) = costlib("profile", log, *given)
    assert (code, lines) == (2, [])
    assert told in line


def test_a_log_that_is_not_there_is_one_line(costlib):
    assert costlib("profile", "nowhere.csv") == (
        2,
        [],
        ["costlib profile: nowhere.csv: not found"],
    )


PLAN = """\
name: Small chat
workload: {like: chat, requests_per_day: 20_000}
candidates: {models: Qwen3-8B, accelerators: H100, n_accelerators: 1, apis: gpt-5-mini}
prices: {at: 2026-11-20, rents_usd_per_h: {H100: 2}}
"""


@pytest.fixture
def plan_file(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text(PLAN, "utf-8")
    return path


def test_a_plan_is_told_in_words_and_for_machines_with_the_same_numbers(costlib, plan_file):
    code, lines, told = costlib("plan", str(plan_file))
    assert (code, told) == (0, [])
    assert lines[0] == "Small chat"
    assert any(line.startswith("runner-up ") for line in lines)
    code, machine, _ = costlib("plan", str(plan_file), "--json")
    found = json.loads("\n".join(machine))
    assert code == 0
    assert found["cheapest"]["rent"]["monthly_usd"] == 2 * 730
    assert found["cheapest"]["API"]["ttft_p95_s"] is None
    row = next(line for line in lines if line.startswith("rent "))
    assert row.split()[1] == "1,460"


def test_a_plan_writes_no_file(costlib, plan_file, monkeypatch):
    monkeypatch.chdir(plan_file.parent)
    costlib("plan", str(plan_file))
    assert [path.name for path in plan_file.parent.iterdir()] == ["mine.yml"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("20_000", "often", "workload.requests_per_day: expected a number above 0"),
        ("workload:", "workload: {log: none.csv}\nhorizon_months: 3\nz:", "no field 'z'; expected"),
        ("{like: chat, requests_per_day: 20_000}", "{log: none.csv}", "none.csv: not found"),
        ("Small chat", "!!python/name:os.system", "line 1: expected no tag"),
    ],
)
def test_a_mistake_in_a_scenario_is_one_line(costlib, plan_file, old, new, told):
    plan_file.write_text(PLAN.replace(old, new), "utf-8")
    code, lines, (line,) = costlib("plan", str(plan_file))
    assert (code, lines) == (2, [])
    assert line.startswith("costlib plan: ")
    assert told in line


def test_a_scenario_that_is_not_there_is_one_line(costlib):
    assert costlib("plan", "nowhere.yml") == (2, [], ["costlib plan: nowhere.yml: not found"])
