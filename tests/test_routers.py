"""Routers on recorded answers, and tables of one's own: what is read, and what is told."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import _files, routers, routing, tables

ROOT = Path(__file__).resolve().parents[1]
seeded = settings(derandomize=True, deadline=None, max_examples=60)


# --- recorded answers ------------------------------------------------------------------------

# per query, from the repositories themselves: questions, both scores, who alone is right
PER_QUERY = {
    "MMLU": (14_037, 11_312, 9_558, 2_496, 742),
    "GSM8K": (1_307, 1_121, 833, 382, 94),
}


@pytest.mark.parametrize("bench", PER_QUERY)
def test_the_counts_are_those_of_every_query(bench):
    n, strong, weak, only_strong, only_weak = PER_QUERY[bench]
    found = routers.outcomes(bench)
    assert found == {
        "n_questions": n,
        "strong_quality": strong / n,
        "weak_quality": weak / n,
        "only_strong_fraction": only_strong / n,
        "only_weak_fraction": only_weak / n,
    }


def test_mt_bench_without_the_questions_trained_on_is_what_its_authors_print():
    found = routers.outcomes("MT-Bench")
    assert found["n_questions"] == 72
    assert_allclose(found["strong_quality"], 9.212, atol=5e-4)
    assert_allclose(found["weak_quality"], 8.281, atol=5e-4)


def test_the_cheaper_model_of_router_arena_is_the_better_one():
    rows = routers.results().query("bench == 'RouterArena'")
    found = rows[["n", "strong_score", "weak_score", "strong_usd", "weak_usd"]].sum()
    assert found.n == 809
    assert_allclose(found[1:] / found.n, [0.5234, 0.6901, 1.760e-4, 4.749e-5], rtol=1e-3)


# APGR, CPT(50 %), CPT(80 %) of the router by length over single queries, ties by chance
LENGTH_PER_QUERY = {
    "GSM8K": (0.5978, 0.3660, 0.6675),
    "MMLU": (0.5858, 0.3590, 0.6909),
}


@pytest.mark.parametrize("bench", LENGTH_PER_QUERY)
def test_twelve_bins_of_length_stand_for_every_length(bench):
    found = routers.curve(bench, "length")
    area, half, most = LENGTH_PER_QUERY[bench]
    assert_allclose(found.area, area, atol=0.005)
    assert_allclose([found.calls(0.5), found.calls(0.8)], [half, most], atol=0.01)


@pytest.mark.parametrize(
    ("bench", "half", "most", "top"),
    [("GSM8K", 0.1109, 0.1767, 1.3264), ("MMLU", 0.0625, 0.1000, 1.4230)],
)
def test_an_oracle_needs_so_few_calls(bench, half, most, top):
    found = routers.curve(bench, "oracle")
    assert_allclose([found.calls(0.5), found.calls(0.8)], [half, most], atol=8e-4)
    assert_allclose(found.recovered.max(), top, atol=1e-4)
    assert found.recovered[-1] == pytest.approx(1)


@pytest.mark.parametrize("bench", ["GSM8K", "MMLU"])
def test_an_oracle_is_the_formula_at_full_skill(bench):
    both = routers.outcomes(bench)
    found = routers.curve(bench, "oracle")
    share = np.linspace(0, 1, 101)
    kept = {k: both[k] for k in ("weak_quality", "only_strong_fraction", "only_weak_fraction")}
    quality = routing.routed_quality(share, skill_fraction=1, **kept)
    recovered = routing.recovered_share(
        quality, strong_quality=both["strong_quality"], weak_quality=both["weak_quality"]
    )
    assert_allclose(found.at(share), recovered, atol=1e-9)
    wrong = {k: both[k] for k in ("only_strong_fraction", "only_weak_fraction")}
    assert_allclose(routing.skill_share(found.area, **wrong), 1, atol=1e-9)


def test_subjects_tell_more_apart_than_lengths_whatever_half_is_labelled():
    areas = [routers.curve("MMLU", "subject", seed=seed).area for seed in range(20)]
    assert_allclose(np.mean(areas), 0.674, atol=0.01)  # over single queries, 20 halves
    assert min(areas) > routers.curve("MMLU", "length").area
    assert len(set(areas)) == 20


def test_labels_are_not_looked_at_twice():
    """A label that says nothing of the other half must not help: subjects dealt by chance."""
    rng = np.random.default_rng(8)
    rows = routers.results().query("bench == 'MMLU'").copy()
    queries = rows.loc[rows.index.repeat(rows["n"].astype(int))].copy()
    for column in ("strong_score", "weak_score"):
        queries[column] /= queries["n"]
    queries["n"] = 1.0
    queries["subject"] = rng.integers(57, size=len(queries)).astype(str)
    areas = []
    for seed in range(8):
        shown, hidden = routers._halves(queries, seed)
        seen = shown.groupby("subject")[routers.SUMS].sum()
        gain = (seen["strong_score"] - seen["weak_score"]) / seen["n"]
        groups = hidden.groupby("subject")[routers.SUMS].sum()
        areas.append(routers._cumulated(groups, gain.reindex(groups.index)).area)
    assert_allclose(np.mean(areas), 0.5, atol=0.02)


def test_calls_between_points_and_out_of_reach():
    found = routers.Curve(strong_fraction=np.array([0, 0.5, 1]), recovered=np.array([0, 0.8, 1.0]))
    assert found.calls(0.4) == pytest.approx(0.25)
    assert found.calls(0.9) == pytest.approx(0.75)
    assert found.calls(0) == 0
    assert found.calls(1.2) == np.inf
    assert found.area == pytest.approx(0.2 + 0.45)


@pytest.mark.parametrize(
    ("bench", "router", "told"),
    [
        ("MMLU", "best", "router must be one of random, length, subject, oracle, got 'best'"),
        ("GSM8K", "subject", "GSM8K has no subjects"),
        ("MT-Bench", "length", "MT-Bench has no lengths"),
    ],
)
def test_a_router_that_cannot_be_is_told_why(bench, router, told):
    with pytest.raises(ValueError, match=told):
        routers.curve(bench, router)


def test_an_unknown_benchmark_is_told_the_known():
    with pytest.raises(tables.UnknownNameError, match="'MLU'; there are GSM8K, MMLU"):
        routers.outcomes("MLU")


def test_published_ratios_are_random_calls_over_the_routers():
    rows = routers.published()
    rows = rows[rows["strong"] == "gpt-4-1106-preview"]
    printed = {"MT-Bench": (3.66, 2.49), "MMLU": (1.41, 1.14), "GSM8K": (1.49, 1.27)}
    for bench, (half, most) in printed.items():
        mine = rows[rows["bench"] == bench]
        chance = mine[mine["router"] == "random"].iloc[0]
        assert_allclose(chance.cpt50_fraction / mine.cpt50_fraction.min(), half, atol=0.005)
        assert_allclose(chance.cpt80_fraction / mine.cpt80_fraction.min(), most, atol=0.02)


# --- the script that counts ------------------------------------------------------------------


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "tools" / "router_results.py"
    spec = importlib.util.spec_from_file_location("router_results", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clones(tmp_path, tool):
    """Repositories in small, laid out as the real ones."""
    evals = tmp_path / "RouteLLM" / "routellm" / "evals"
    head = f"prompt,{tool.WEAK},{tool.STRONG}\n"
    for folder in ("mmlu/responses", "gsm8k", "mt_bench"):
        (evals / folder).mkdir(parents=True)
    for place in ("mmlu", "gsm8k"):
        (evals / place / "contaminated_prompts.jsonl").write_text('{"eval_prompt": "seen"}\n')
    (evals / "gsm8k" / "gsm8k_responses.csv").write_text(
        head + "a,True,True\nseen,True,True\nbbbb,False,True\n"
    )
    (evals / "mmlu" / "responses" / "mmlu_law.csv").write_text(
        head + '"x\ny",True,False\nxx,False,True\nseen,False,False\n'
    )
    marks = [
        {"question_id": number, "model": model, "score": score + turn}
        for number in (81, 82, 111)
        for model, score in ((tool.WEAK, 6), (tool.STRONG, 8))
        for turn in (0, 1)
    ]
    (evals / "mt_bench" / "judgements.jsonl").write_text("\n".join(map(json.dumps, marks)))
    cached = tmp_path / "RouterArena" / "cached_results"
    cached.mkdir(parents=True)
    for model, score in ((tool.DEAR, 0.25), (tool.CHEAP, 1.0)):
        row = {
            "global_index": "AIME_112",
            "question": "?",
            "token_usage": {"input_tokens": 3, "output_tokens": 5},
            "evaluation_result": {"score": score, "inference_cost": 0.5},
        }
        (cached / f"{model}.jsonl").write_text(json.dumps(row))
    return tmp_path


def test_clones_are_counted_without_what_was_trained_on(tool, clones, tmp_path, capsys):
    path = tmp_path / "out.csv"
    tool.main([str(clones), "--table", str(path)])
    rows = pd.read_csv(path, keep_default_na=False)
    assert rows.groupby("bench")["n"].sum().to_dict() == {
        "GSM8K": 2,
        "MMLU": 2,
        "MT-Bench": 2,  # question 81 was trained on
        "RouterArena": 1,
    }
    arena = rows[rows["bench"] == "RouterArena"].iloc[0]
    assert (arena.subject, arena.strong_score, arena.weak_score) == ("AIME", 0.25, 1)
    assert (arena.strong_usd, arena.weak_output_tokens) == ("0.5", "5")
    law = rows[rows["bench"] == "MMLU"].set_index("prompt_chars")
    assert law.loc["3", "weak_score"] == 1
    assert law.loc["2", "strong_score"] == 1
    assert set(rows.loc[rows["bench"] == "MT-Bench", "subject"]) == {"writing", "math"}
    told = capsys.readouterr().out
    assert "7 queries; new" in told
    assert len([line for line in told.splitlines() if len(line.split()[0]) == 64]) == 7


def test_a_folder_without_the_files_ends_in_one_line(tool, tmp_path):
    with pytest.raises(SystemExit, match=r"contaminated_prompts\.jsonl: not found"):
        tool.main([str(tmp_path), "--table", str(tmp_path / "out.csv")])


# --- a table of one's own --------------------------------------------------------------------

HEADER = "query,score big,cost_usd big,score small,cost_usd small\n"


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "mine.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_a_table_is_its_scores_and_costs_whatever_stands_beside_them(written):
    text = "note,cost_usd b,score a,query,score b,cost_usd a\n\n"
    text += '"line\nbreak",0.1,1,q1,0.5,0.3\nx,0.2,0,"q, 2",1,0.4\n'
    found = routers.read(written("\ufeff" + text))
    assert (found.name, found.models) == ("mine.csv", ("a", "b"))
    assert found.scores.tolist() == [[1, 0.5], [0, 1]]
    assert found.costs_usd.tolist() == [[0.3, 0.1], [0.4, 0.2]]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        (HEADER, "has no row below its header"),
        (HEADER.encode("utf-16"), "is not text in UTF-8"),
        (HEADER + "\xff", "line 2: expected 5 cells, got 1"),
        (HEADER.encode() + b"q\xff,1,1,1,1\n", "is not text in UTF-8"),
        (HEADER + "q\0,1,1,1,1\n", "line 2: (is not text|not a row of CSV)"),
        ("a,b\n1,2\n", r"lacks the column query; found 'a', 'b'"),
        ("query,score a,cost_usd a\nq,1,1\n", "needs two models"),
        ("query,score a,cost_usd a,score b\nq,1,1,1\n", "lacks the column 'cost_usd b'"),
        ("query,score a,cost_usd a,cost_usd b\nq,1,1,1\n", "lacks the column 'score b'"),
        ("query,score a,score a,cost_usd a\nq,1,1,1\n", "'score a' stands there twice"),
        (HEADER + "q,1,1,1\n", "line 2: expected 5 cells, got 4"),
        (HEADER + "q,1,1,1,1,1\n", "line 2: expected 5 cells, got 6"),
        (HEADER + "q,yes,1,1,1\n", "line 2, column 'score big': expected a number from 0 to 1"),
        (HEADER + "q,1,1,1,1\nq,,1,1,1\n", "line 3, column 'score big': .* got ''"),
        (HEADER + "q,1.5,1,1,1\n", "column 'score big': expected a number from 0 to 1, got '1.5'"),
        (HEADER + "q,1,-1,1,1\n", "column 'cost_usd big': expected a number of at least 0"),
        (HEADER + "q,1,nan,1,1\n", "column 'cost_usd big': .* got 'nan'"),
        (HEADER + "q,1,inf,1,1\n", "column 'cost_usd big': .* got 'inf'"),
        (HEADER + 'q,"1,1,1,1\n', "not a row of CSV"),
        (HEADER + '"' + "x" * (_files.FIELD_CHARS + 9) + '",1,1,1,1\n', "not a row of CSV"),
    ],
)
def test_a_table_that_cannot_be_is_told_in_one_line(written, content, told):
    path = written(content)
    with pytest.raises(routers.ScoresError, match=told) as error:
        routers.read(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "told"), [("no.csv", "not found"), (".", "cannot be read")])
def test_a_file_that_is_not_there_is_named(tmp_path, name, told):
    with pytest.raises(routers.ScoresError, match=told):
        routers.read(tmp_path / name)


@seeded
@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_one_clear_line(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "mine.csv"
    path.write_bytes(HEADER.encode() + content)
    told = ""
    try:
        found = routers.read(path)
    except routers.ScoresError as why:
        told = str(why)
    assert told.count("\n") == 0
    assert told or np.isfinite(found.costs_usd).all()


def test_a_table_longer_than_a_chunk_is_read_like_a_short_one(written, monkeypatch):
    rows = [f"q{i},{i % 2},{i},1,0" for i in range(11)]
    whole = routers.read(written(HEADER + "\n".join(rows)))
    monkeypatch.setattr(routers, "CHUNK_ROWS", 4)
    parts = routers.read(written(HEADER + "\n".join(rows)))
    assert parts.scores.tolist() == whole.scores.tolist()
    assert parts.costs_usd[:, 0].tolist() == list(range(11))


def scores(*rows, models=("big", "small", "tiny")):
    values = np.array(rows, dtype=float)
    return routers.Scores(
        name="mine.csv", models=models, scores=values[:, 0::2], costs_usd=values[:, 1::2]
    )


def test_a_summary_pairs_the_best_model_with_the_cheaper_one_that_fills_its_gaps():
    mine = scores(
        [1, 9, 1, 0.5, 0, 1],
        [1, 9, 1, 0.5, 0, 1],
        [1, 9, 0, 0.5, 0, 1],
        [0, 9, 0, 0.5, 1, 1],
    )
    found = routers.summary(mine, loss_usd=10)
    assert (found["strong"], found["weak"]) == ("big", "tiny")  # small repeats big's mistakes
    assert (found["only_strong_fraction"], found["only_weak_fraction"]) == (0.75, 0.25)
    assert (found["n_only_strong"], found["n_only_weak"]) == (3, 1)
    assert (found["strong_usd"], found["weak_usd"]) == (9, 1)
    assert found["oracle_quality"] == 1
    assert found["oracle_usd"] == (0.5 + 0.5 + 9 + 1) / 4
    assert found["models"]["answer_usd"].tolist() == [9 + 2.5, 0.5 + 5, 1 + 7.5]


def test_where_the_best_model_is_the_cheapest_there_is_nothing_to_route_to():
    found = routers.summary(scores([1, 1, 0, 2, 0, 3]))
    assert (found["strong"], found["weak"]) == ("big", None)
    assert (found["oracle_quality"], found["oracle_usd"]) == (1, 1)
