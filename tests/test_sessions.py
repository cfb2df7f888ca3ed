"""Agent sessions: a turn-by-turn count as the oracle, drawn edits, and the recorded sessions."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import catalog, pricebook, pricing, sessions
from costlib.charts import sessions as charts

ROOT = Path(__file__).resolve().parents[1]
seeded = settings(derandomize=True, deadline=None)

lengths = st.fixed_dictionaries(
    {
        "start_tokens": st.integers(1, 50),
        "turn_tokens": st.integers(0, 10),
        "compact_at_tokens": st.one_of(st.just(np.inf), st.integers(1, 80)),
        "compacted_tokens": st.integers(0, 40),
    }
)


def counted(
    n_turns, stable, survives, *, start_tokens, turn_tokens, compact_at_tokens, compacted_tokens
):
    """Turn by turn: prompts, prefixes found, and what compactions send and find besides."""
    sent, found, summed, prompt = [], [], [0.0, 0.0], None
    for _ in range(n_turns):
        if prompt is None:
            prompt, prefix = start_tokens, 0
        elif prompt + turn_tokens > compact_at_tokens:
            summed = [summed[0] + prompt, summed[1] + survives * prompt]
            prompt, prefix = compacted_tokens, min(stable, compacted_tokens)
        else:
            prompt, prefix = prompt + turn_tokens, survives * prompt
        sent.append(prompt)
        found.append(prefix)
    return np.array(sent), np.array(found), *summed


@seeded
@given(st.integers(1, 60), lengths, st.integers(0, 20), st.floats(0, 1))
def test_every_turn_and_every_sum_is_what_counting_gives(n_turns, growth, stable, survives):
    sent, found, more_sent, more_found = counted(n_turns, stable, survives, **growth)
    turns = np.arange(1, n_turns + 1)
    cache = {"stable_tokens": stable, "surviving_fraction": survives}
    assert_allclose(sessions.context_tokens(turns, **growth), sent)
    assert_allclose(sessions.reused_tokens(turns, **growth, **cache), found)
    assert_allclose(sessions.session_input_tokens(n_turns, **growth), sent.sum() + more_sent)
    reused = sessions.session_reused_tokens(n_turns, **growth, **cache)
    assert_allclose(reused, found.sum() + more_found)
    if sent.sum() + more_sent > 0:
        share = sessions.hit_fraction(n_turns, **growth, **cache)
        assert_allclose(share, reused / (sent.sum() + more_sent))


@seeded
@given(st.integers(1, 60), lengths, st.integers(0, 20), st.floats(0, 1))
def test_a_turn_computes_what_is_new_and_what_an_edit_spoilt(n_turns, growth, stable, survives):
    turns = np.arange(1, n_turns + 1)
    whole = growth | {"stable_tokens": stable}
    computed = sessions.context_tokens(turns, **growth) - sessions.reused_tokens(
        turns, **whole, surviving_fraction=survives
    )
    new = sessions.context_tokens(turns, **growth) - sessions.reused_tokens(turns, **whole)
    again = sessions.recomputed_tokens(turns, **whole, surviving_fraction=survives)
    assert_allclose(computed, new + again, atol=1e-9)
    assert (again >= -1e-9).all()


def test_without_a_limit_input_is_quadratic_and_what_is_computed_linear():
    session = {"start_tokens": 0.001, "turn_tokens": 1e3}
    sent = sessions.session_input_tokens([1_000, 2_000], **session)
    computed = sent - sessions.session_reused_tokens([1_000, 2_000], **session)
    assert_allclose(sent[1] / sent[0], 4, rtol=2e-3)
    assert_allclose(computed[1] / computed[0], 2, rtol=2e-3)
    edited = sessions.session_reused_tokens([1_000, 2_000], **session, surviving_fraction=0.9)
    assert_allclose((sent - edited)[1] / (sent - edited)[0], 4, rtol=0.02)


def test_with_a_limit_input_is_linear_in_the_turns():
    session = {"start_tokens": 2e4, "turn_tokens": 2e3}
    limit = {"compact_at_tokens": 1.5e5, "compacted_tokens": 3e4}
    sent = sessions.session_input_tokens([1_000, 2_000], **session, **limit)
    assert_allclose(sent[1] / sent[0], 2, rtol=0.01)


@pytest.mark.parametrize(("limit", "again"), [(5, 1), (100, 200)])
def test_a_limit_below_the_prompts_compacts_every_turn(limit, again):
    found = sessions.context_tokens(
        [1, 2, 3],
        start_tokens=200,
        turn_tokens=10,
        compact_at_tokens=limit,
        compacted_tokens=max(again, limit),
    )
    assert_allclose(found, [200, max(again, limit), max(again, limit)])


def test_appending_2k_to_96k_keeps_98_percent_and_a_uniform_edit_half():
    # the mutation model behind agentic2026economics: 0.979 against 50 %
    turn = {"start_tokens": 94e3, "turn_tokens": 2e3}
    prompt = sessions.context_tokens(2, **turn)
    assert prompt == 96e3
    assert_allclose(sessions.reused_tokens(2, **turn) / prompt, 0.979, atol=0.0005)
    half = sessions.surviving_fraction(
        edit_fraction=1, position_fraction=sessions.first_edit_fraction(1)
    )
    assert half == 0.5


@pytest.mark.parametrize("n_edits", [1, 2, 5])
def test_the_first_of_several_edits_falls_where_drawn_ones_do(n_edits):
    drawn = np.random.default_rng(7).random((200_000, n_edits)).min(axis=1)
    assert_allclose(sessions.first_edit_fraction(n_edits), drawn.mean(), rtol=0.01)


def test_drawn_edits_leave_what_the_model_says():
    rng, growth = np.random.default_rng(5), {"start_tokens": 2e4, "turn_tokens": 1_500}
    prompts = sessions.context_tokens(np.arange(1, 101), **growth)
    places = rng.random((4_000, 99)).clip(max=0.4)  # towards the front: 0.32 on average
    kept = np.where(rng.random((4_000, 99)) < 0.3, places, 1)
    drawn = (kept * prompts[:-1]).sum(axis=1).mean() / prompts.sum()
    survives = sessions.surviving_fraction(edit_fraction=0.3, position_fraction=0.32)
    found = sessions.hit_fraction(100, **growth, surviving_fraction=survives)
    assert_allclose(found, drawn, rtol=0.005)


# --- money -----------------------------------------------------------------------------------

PRICES = {"input_usd_per_mtok": 3.75, "cached_input_usd_per_mtok": 0.3, "output_usd_per_mtok": 15}


def test_the_bill_of_a_session_is_the_bill_of_its_requests():
    growth = {
        "start_tokens": 2e4,
        "turn_tokens": 3e3,
        "compact_at_tokens": 6e4,
        "compacted_tokens": 2.5e4,
    }
    cache = {"stable_tokens": 1.5e4, "surviving_fraction": 0.97}
    turns = np.arange(1, 41)
    sent = sessions.context_tokens(turns, **growth)
    found = sessions.reused_tokens(turns, **growth, **cache)
    answers = pricing.request_usd(
        input_tokens=sent, cached_tokens=found, output_tokens=400, **PRICES
    )
    longest = sent[:-1][np.diff(sent) < 0]
    summaries = pricing.request_usd(
        input_tokens=longest, cached_tokens=0.97 * longest, output_tokens=1_200, **PRICES
    )
    bill = sessions.session_usd(
        40, **growth, **cache, output_tokens=400, summary_tokens=1_200, **PRICES
    )
    assert len(longest) == 3
    assert_allclose(bill, answers.sum() + summaries.sum())


def test_a_bill_never_falls_as_turns_go_by_or_as_edits_come_more_often():
    turns, growth = np.arange(1, 200), {"start_tokens": 2e4, "turn_tokens": 2e3}
    survives = np.linspace(1, 0, 11)[:, np.newaxis]
    bills = sessions.session_usd(
        turns, **growth, output_tokens=400, surviving_fraction=survives, **PRICES
    )
    assert (np.diff(bills, axis=1) > 0).all()
    assert (np.diff(bills, axis=0) >= 0).all()


@pytest.mark.parametrize(
    ("formula", "name", "bad"),
    [
        (sessions.context_tokens, "start_tokens", 0),
        (sessions.session_input_tokens, "compact_at_tokens", 0),
        (sessions.hit_fraction, "surviving_fraction", 1.2),
        (sessions.reused_tokens, "stable_tokens", -5),
    ],
)
def test_a_session_that_cannot_be_is_refused_by_name(formula, name, bad):
    with pytest.raises(ValueError, match=rf"^{name} .*{bad}"):
        formula(10, **{"start_tokens": 10, "turn_tokens": 2} | {name: bad})


# --- the recorded sessions -------------------------------------------------------------------


def recorded(quantity, statistic="total", turn=0):
    return catalog.session_growth(quantity, turn)[statistic]


PARTS = (
    "reused_tokens",
    "first_tokens",
    "appended_tokens",
    "edited_tokens",
    "compacted_tokens",
    "rounded_tokens",
)


def test_the_tokens_by_origin_sum_to_the_input_and_96_percent_were_reused():
    parts = sum(recorded(part) for part in PARTS)
    assert parts == recorded("input_tokens")
    assert_allclose(recorded("reused_tokens") / parts, 0.963, atol=0.0005)


def test_the_share_and_place_of_edits_explain_the_hits_of_the_trace():
    # the model sees what could have been reused, how often a turn edits, and where on average
    whole = recorded("input_tokens")
    could = whole - recorded("first_tokens") - recorded("appended_tokens")
    survives = sessions.surviving_fraction(
        edit_fraction=recorded("edit_position_fraction", "n") / recorded("later_turns"),
        position_fraction=recorded("edit_position_fraction", "mean"),
    )
    assert_allclose(survives * could / whole, recorded("reused_tokens") / whole, atol=0.002)


def test_the_growth_of_the_median_session_gives_the_median_session_its_hits():
    median = {name: recorded(name, "p50") for name in ("start_tokens", "turn_tokens")}
    survives = sessions.surviving_fraction(
        edit_fraction=recorded("edit_position_fraction", "n") / recorded("later_turns"),
        position_fraction=recorded("edit_position_fraction", "mean"),
    )
    found = sessions.hit_fraction(recorded("n_turns", "p50"), **median, surviving_fraction=survives)
    assert_allclose(found, recorded("hit_fraction", "p50"), atol=0.005)


def test_what_outlives_a_compaction_is_about_the_system_prompt_and_the_tools():
    front = recorded("system_tokens", "p50") + recorded("tool_tokens", "p50")
    assert_allclose(recorded("stable_tokens", "p50"), front, rtol=0.05)


def test_quantiles_rise_and_turns_get_rarer():
    for quantity in ("context_tokens", "new_tokens", "output_tokens"):
        counts = []
        for turn in (1, 2, 5, 10, 20, 50, 100, 200):
            found = catalog.session_growth(quantity, turn)
            values = [found[f"p{share}"] for share in (5, 25, 50, 75, 95)]
            assert values == sorted(values)
            counts.append(found["n"])
        assert counts == sorted(counts, reverse=True)


def test_an_unknown_quantity_is_told_what_there_is():
    with pytest.raises(catalog.UnknownNameError, match=r"no 'turns' at turn 0; .*n_turns"):
        catalog.session_growth("turns")
    with pytest.raises(catalog.UnknownNameError, match="at turn 3"):
        catalog.session_growth("context_tokens", 3)


def script():
    spec = importlib.util.spec_from_file_location("growth", ROOT / "tools/session_growth.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_tells_appended_edited_and_compacted_tokens_apart():
    requests = pd.DataFrame(
        {
            "trace": "one",
            "sub": None,
            "in_tokens": [6_400, 7_000, 7_100, 3_000],
            "prefix_blocks_any": [0, 100, 50, 20],
        }
    )
    rows = script().turns(requests)
    assert rows["reused"].tolist() == [0, 6_400, 3_200, 1_280]
    assert rows["first"].tolist() == [6_400, 0, 0, 0]
    assert rows["appended"].tolist() == [0, 600, 100, 0]
    assert rows["edited"].tolist() == [0, 0, 3_800, 0]
    assert rows["compacted"].tolist() == [0, 0, 0, 1_720]
    assert rows["rounded"].tolist() == [0, 0, 0, 0]


def test_the_script_refuses_other_files(tmp_path, monkeypatch, capsys):
    path = tmp_path / "claude_code_kvtester.csv"
    path.write_text("trace\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["session_growth.py", str(path), str(path)])
    assert script().main() == 2
    assert "not the requests" in capsys.readouterr().err


# --- what the chapter draws ------------------------------------------------------------------


def chapter(n_turns=30, api="claude-sonnet-4-6"):
    median = charts.median_session()
    growth = {name: median[name] for name in ("start_tokens", "turn_tokens")}
    cases = {"without": growth | {"surviving_fraction": 0}, "with": growth}
    return charts.bills(n_turns, cases, price=pricebook.price(api), output_tokens=400)


def test_the_bills_of_a_chapter_add_up_turn_by_turn():
    rows = chapter()
    for name, part in rows.groupby("name"):
        assert_allclose(part["context_tokens"].cumsum(), part["input_tokens"])
        computed = (part["context_tokens"] - part["reused_tokens"]).cumsum()
        assert_allclose(computed, part["computed_tokens"])
        assert (part["hit_fraction"].iloc[-1] > 0) == (name == "with")
    first = rows[rows["turn"] == 1].set_index("name")["usd"]
    start = catalog.session_growth("start_tokens")["p50"]
    # the one that keeps its prefixes pays the surcharge for writing them
    assert_allclose(first["with"] - first["without"], start * 0.75 / 1e6)


def test_a_vendor_that_writes_for_nothing_asks_the_plain_price_and_one_without_a_cache_is_refused():
    first = chapter(api="gpt-4.1").query("turn == 1").set_index("name")["usd"]
    assert_allclose(first["with"], first["without"])
    with pytest.raises(ValueError, match=r"^price .* gpt-oss-120b at AWS has none"):
        chapter(api="gpt-oss-120b at AWS")


def test_a_machine_reads_less_with_reuse_and_not_at_all_what_does_not_fit():
    rows = chapter()
    seconds = charts.prompt_s(rows, "Llama-3.1-70B", "H100", n_accelerators=4)
    total = seconds.groupby(rows["name"]).sum()
    assert 0 < total["with"] < total["without"] / 3
    assert np.isinf(charts.prompt_s(rows, "Llama-3.1-405B", "H100", n_accelerators=1)).all()


def test_the_charts_say_what_they_show():
    median = charts.median_session()
    drawn = [
        charts.growth_by_turn(median),
        charts.cost_by_turn(chapter(), title="Bills", subtitle="USD"),
        charts.hits_by_edits(45, median, positions=[0.1, 0.5, 0.9]),
    ]
    descriptions = [chart.to_dict()["description"] for chart in drawn]
    assert "44K at turn 2" in descriptions[0]
    assert "After turn 30: without" in descriptions[1]
    assert "48 percent with edits at 50 %" in descriptions[2]
