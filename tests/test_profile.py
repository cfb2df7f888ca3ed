"""Profiles: every number against a log whose answer is known, and the tree's four ways."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import trace_arrivals
from costlib import catalog, pricebook, profile, requestlog, workloads
from costlib.pricing import request_usd
from costlib.workloads import Requests

PRICE = pricebook.price("claude-sonnet-4-6")
HOUR_S = 3600.0
ROOT = Path(__file__).resolve().parents[1]


def log(arrival_s, **changed):
    """A log as if it had been read."""
    n = len(arrival_s)
    fields = {
        "input_tokens": np.full(n, 1000),
        "output_tokens": np.full(n, 100),
        "cached_tokens": np.zeros(n, dtype=np.int64),
        "session": np.full(n, -1),
    }
    fields |= {name: np.asarray(changed.pop(name)) for name in list(changed) if name in fields}
    record = {
        "name": "made",
        "user": np.full(n, -1),
        "prefix": np.full(n, -1),
        "clock": "",
        "cached_from": "",
        "columns": {},
        "n_rows": n,
        "n_bad": 0,
        "bad": (),
        "n_unsorted": 0,
        "n_empty": 0,
    }
    changed |= {name: np.asarray(changed[name]) for name in {"user", "prefix"} & set(changed)}
    asked = Requests(arrival_s=np.asarray(arrival_s, dtype=np.float64), **fields)
    return requestlog.Log(requests=asked, **(record | changed))


def described(*args, **changed):
    return profile.profile(log(*args, **changed), price=PRICE)


# --- lengths ---------------------------------------------------------------------------------


def test_shares_above_a_length_are_by_request_and_by_token():
    found = described(range(5), input_tokens=[8_000, 8_001, 40_000, 100_000, 243_999])
    assert found.above_requests_fraction == {8_000: 0.8, 32_000: 0.6, 128_000: 0.2}
    whole = 400_000
    assert_allclose(
        list(found.above_tokens_fraction.values()),
        [(whole - 8_000) / whole, 383_999 / whole, 243_999 / whole],
    )


def test_quantiles_ratio_and_correlation():
    tokens = np.arange(1, 101)
    found = described(range(100), input_tokens=10 * tokens, output_tokens=tokens[::-1])
    assert found.input_tokens["p50"] == 505
    assert found.input_tokens["p95"] == pytest.approx(950.5)
    assert found.input_tokens["max"] == 1000
    assert found.output_tokens["mean"] == 50.5
    assert found.input_per_output == 10
    assert found.length_correlation == pytest.approx(-1)
    assert found.output_tokens["scv"] == pytest.approx(tokens.var() / 50.5**2)


def test_equal_lengths_have_no_correlation_to_speak_of():
    assert math.isnan(described(range(5)).length_correlation)


# --- arrivals --------------------------------------------------------------------------------


def test_a_poisson_log_looks_poisson():
    found = described(workloads.poisson_s(40_000, requests_per_s=5, seed=1))
    assert found.gap_scv == pytest.approx(1, abs=0.03)
    assert found.dispersion[1] == pytest.approx(1, abs=0.05)
    assert found.dispersion[60] == pytest.approx(1, abs=0.35)
    assert found.peak_to_mean == pytest.approx(1, abs=0.1)
    assert found.requests_per_s == pytest.approx(5, rel=0.02)
    assert (found.tick_s, found.n_holes) == (0, 0)
    assert found.raw_gap_scv == found.gap_scv


def test_a_bursty_log_is_as_bursty_as_it_was_made():
    times = workloads.bursty_s(40_000, requests_per_s=5, gap_scv=9, seed=2)
    found = described(times)
    assert found.gap_scv == pytest.approx(9, rel=0.05)
    assert found.dispersion[60] > 5


def test_ticks_are_no_bursts():
    even = workloads.poisson_s(12_000, requests_per_s=3.4, seed=3)
    found = described(np.floor(even / 3) * 3)
    assert found.tick_s == pytest.approx(3)
    assert found.raw_gap_scv > 8
    assert found.gap_scv == pytest.approx(1, abs=0.05)
    assert math.isnan(found.dispersion[1])
    assert found.dispersion[60] == pytest.approx(1, abs=0.3)
    assert any("ticks of 3 s" in warning for warning in found.warnings)


def test_milliseconds_are_no_ticks():
    even = workloads.poisson_s(12_000, requests_per_s=20, seed=3)
    assert described(np.floor(even * 1000) / 1000).tick_s == 0


def test_holes_are_counted_and_told():
    even = workloads.poisson_s(6_000, requests_per_s=5, seed=4)
    found = described(even + 100 * (even > 500) + 50 * (even > 900))
    assert found.n_holes == 2
    assert found.longest_gap_s == pytest.approx(100, abs=2)
    assert any("2 gaps are longer" in warning for warning in found.warnings)


def test_a_peak_and_a_drift_are_seen():
    calm, busy = np.arange(0, 3000, 3.0), np.arange(3000, 3600, 1.0)
    times = np.r_[calm, busy, 3600]
    lengths = np.where(times > 1800, 2000, 1000)
    found = described(times, input_tokens=lengths)
    mean = 1600 / 12  # requests in a window of 5 minutes
    assert found.peak_to_mean == pytest.approx(300 / mean, rel=0.01)
    assert found.drift == pytest.approx(2100 / 1100)


def test_windows_that_the_log_is_too_short_for_are_unknown():
    found = described(workloads.poisson_s(500, requests_per_s=5, seed=1))
    assert np.isfinite(found.dispersion[1])
    assert math.isnan(found.dispersion[60])
    assert math.isnan(found.peak_to_mean)


# --- reuse -----------------------------------------------------------------------------------


def test_logged_tokens_are_reuse_as_logged():
    found = described(range(4), cached_tokens=[0, 500, 1000, 100], cached_from="logged")
    assert (found.cached_fraction, found.cached_from) == (0.4, "logged")
    assert math.isnan(described(range(4)).cached_fraction)


def test_a_session_can_find_at_most_its_last_prompt_and_answer():
    found = described(
        range(6),
        session=[0, 1, 0, 0, -1, -1],
        input_tokens=[1000, 5000, 1500, 1200, 3000, 3000],
        output_tokens=[200, 10, 10, 10, 10, 10],
    )
    assert found.n_sessions == 2
    assert found.session_bound_fraction == pytest.approx((1200 + 1200) / 14_700)
    assert math.isnan(described(range(4)).session_bound_fraction)


def test_a_real_sessions_reuse_is_within_its_bound():
    made = workloads.sessions(
        50,
        sessions_per_s=0.01,
        n_turns=20,
        start_tokens=20e3,
        turn_tokens=2e3,
        output_tokens=300,
        think_s=[5, 60],
        answer_s=9,
        seed=1,
    )
    fields = {f.name: getattr(made, f.name) for f in dataclasses.fields(made)}
    found = described(fields.pop("arrival_s"), **fields, cached_from="logged")
    assert 0.9 < found.cached_fraction < found.session_bound_fraction < 1


def test_prefix_ids_tell_how_many_requests_share_one():
    assert described(range(4), prefix=[0, 0, 1, -1]).repeated_prefix_fraction == pytest.approx(
        1 / 3
    )
    assert math.isnan(described(range(4)).repeated_prefix_fraction)


# --- cost ------------------------------------------------------------------------------------


def test_cost_is_the_bill_at_list_by_session_and_by_user_and_month():
    times = np.linspace(0, 10 * 24 * HOUR_S, 4)
    found = described(
        times,
        input_tokens=[1000, 2000, 3000, 4000],
        cached_tokens=[0, 1000, 0, 4000],
        cached_from="logged",
        session=[0, 0, 1, -1],
        user=[0, 1, 0, -1],
    )
    bills = request_usd(
        input_tokens=[1000, 2000, 3000, 4000],
        output_tokens=100,
        input_usd_per_mtok=PRICE.input_usd_per_mtok,
        output_usd_per_mtok=PRICE.output_usd_per_mtok,
        cached_input_usd_per_mtok=PRICE.cached_input_usd_per_mtok,
        cached_tokens=[0, 1000, 0, 4000],
    )
    assert found.usd_per_request == pytest.approx(bills.mean())
    assert found.usd_per_session == pytest.approx(bills[:3].sum() / 2)
    assert found.usd_per_user_month == pytest.approx(bills[:3].sum() / 2 * 730 / 240)
    assert not any("stretched" in warning for warning in found.warnings)


def test_an_hour_stretched_to_a_month_is_told():
    found = described([0.0, HOUR_S], user=[0, 1])
    assert any("stretched to a month" in warning for warning in found.warnings)


def test_without_a_price_there_is_no_cost():
    found = profile.profile(log(range(4), user=[0, 0, 1, 1]))
    assert math.isnan(found.usd_per_request)
    assert "cost" not in profile.text(found)


def test_a_list_without_a_price_for_the_cache_bills_what_is_cached_as_fresh():
    bare = dataclasses.replace(PRICE, cached_input_usd_per_mtok=math.nan)
    cached = log(range(4), cached_tokens=[500] * 4, cached_from="logged")
    fresh = log(range(4))
    bills = [profile.profile(one, price=bare).usd_per_request for one in (cached, fresh)]
    assert bills[0] == bills[1] > 0


# --- the tree --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "name"),
    [
        ((0.49, 0.4, 0.3), "short"),
        ((0.5, 0.49, 0.3), "medium"),
        ((0.9, 0.5, 0.1), "long"),
        ((0.9, 0.5, 0.09), "between"),
    ],
)
def test_the_tree_has_four_ways(over, name):
    assert profile.branch(dict(zip(profile.THRESHOLDS, over, strict=True))).name == name


def test_every_way_cites_what_the_bibliography_has():
    bib = (catalog.data_path().parent / "book" / "references.bib").read_text("utf-8")
    for way in profile.BRANCHES.values():
        assert all(f"{{{key}," in bib for key in way.source.split(";"))


def test_where_requests_and_tokens_disagree_it_is_told():
    found = described(range(4), input_tokens=[1000, 1000, 1000, 60_000])
    assert found.branch == "short"
    assert any("Most requests are below 8K, but 95% of" in warning for warning in found.warnings)


def test_long_requests_among_short_ones_are_to_be_served_apart():
    found = described(range(5), input_tokens=[1000] * 4 + [200_000])
    assert any(warning.startswith("20% of the requests are above") for warning in found.warnings)


# --- refusals and what is said -----------------------------------------------------------------


@pytest.mark.parametrize("times", [[0.0], [3.0, 3.0, 3.0]])
def test_a_log_without_a_time_span_is_refused(times):
    with pytest.raises(ValueError, match=rf"made: all {len(times)} requests come at once"):
        described(times)


def test_json_is_finite_or_null():
    found = described(range(30), session=[0] * 30)
    written = json.loads(json.dumps(profile.plain(found), allow_nan=False))
    assert written["dispersion"] == {"1": 0.0, "60": None, "300": None}
    assert written["cached_fraction"] is None
    assert written["above_requests_fraction"]["8000"] == 0
    assert written["branch"]["name"] == "short"
    assert set(written) == {field.name for field in dataclasses.fields(profile.Profile)}


def test_the_text_says_what_the_profile_holds():
    found = described(
        workloads.poisson_s(4_000, requests_per_s=5, seed=1),
        n_bad=3,
        n_rows=4_003,
        n_unsorted=2,
        n_empty=1,
        cached_from="block hashes",
        prefix=np.zeros(4_000, dtype=np.int64),
    )
    told = profile.text(found)
    for words in (
        "4,000 requests",
        "3 of 4,003 rows were bad",
        "2 rows came out of order",
        "1 empty prompts",
        "by block hashes",
        "100.0% of requests have one seen before",
        "more than half of the requests are below 8K (short)",
        f"USD {found.usd_per_request:.4g} a request at {PRICE.name}",
    ):
        assert words in told, words
    assert "nan" not in told


# --- what data/trace_results.csv says of arrivals ----------------------------------------------


# counted before [azure2023traces, mooncake2025traces]: requests, rate, dispersion at 60 and 300 s,
# peak to mean of 5 minutes
COUNTED = {
    "Azure conversation": (19_366, 5.530, 16.13, 56.10, 1.324),
    "Azure code": (8_819, 2.567, 163.96, 137.84, 1.558),
    "Mooncake conversation": (12_031, 3.401, 2.86, 7.3, 1.09),
}


def recorded(trace, quantity, at_s=0, setup=None):
    (found,) = {
        row["value"]
        for row in catalog.trace_results("arrivals").to_dict("records")
        if (row["trace"], row["quantity"], row["at_s"]) == (trace, quantity, at_s)
        and (setup is None or row["setup"].endswith(setup))
    }
    return found


@pytest.mark.parametrize("trace", COUNTED)
def test_the_table_of_arrivals_has_what_was_counted_before(trace):
    n, rate, minute, five, peak = COUNTED[trace]
    assert recorded(trace, "requests") == n
    assert recorded(trace, "rate") == pytest.approx(rate, rel=1e-3)
    assert recorded(trace, "dispersion", 60) == pytest.approx(minute, rel=0.02)
    assert recorded(trace, "dispersion", 300) == pytest.approx(five, rel=0.02)
    assert recorded(trace, "peak to mean", 300) == pytest.approx(peak, rel=0.02)
    assert recorded(trace, "correlation of input and output, absolute") < 0.12


def test_mooncakes_ticks_are_three_seconds_and_no_bursts():
    trace = "Mooncake conversation"
    assert recorded(trace, "tick") == pytest.approx(3, abs=0.01)
    assert recorded(trace, "gap scv", setup="as recorded") > 9
    assert recorded(trace, "gap scv", setup="ticks spread") == pytest.approx(1.02, abs=0.02)


def test_the_script_counts_every_minute_and_says_what_the_profile_says():
    made = log(workloads.poisson_s(2_000, requests_per_s=2, seed=1))
    rows = list(trace_arrivals.summary(made))
    minutes = [row for row in rows if row[1] == "requests in a minute"]
    assert [row[2] for row in minutes] == [60.0 * k for k in range(len(minutes))]
    assert sum(row[3] for row in minutes) == (made.requests.arrival_s < 60 * len(minutes)).sum()
    (scv,) = (row[3] for row in rows if row[1] == "gap scv")
    assert scv == profile.profile(made).gap_scv


@pytest.mark.parametrize("content", [None, "TIMESTAMP\n"])
def test_the_script_refuses_other_files_and_none(tmp_path, monkeypatch, content):
    if content:
        (tmp_path / "azure2023_conv.csv").write_text(content, "utf-8")
    monkeypatch.setattr("sys.argv", ["trace_arrivals.py", str(tmp_path)])
    told = "not the file that the table was made of" if content else "not found"
    with pytest.raises(SystemExit, match=told):
        trace_arrivals.main()
