"""The refresh of the price book, and the traps of its source."""

import csv
import dataclasses
import datetime as dt
import math
import shutil

import pytest

import prices
from costlib import pricebook
from costlib.tables import data_path

genai_prices = pytest.importorskip("genai_prices", reason="needs costlib[prices]")
PACKAGE = prices.installed()
TODAY = "2026-11-20"


def cost(model, provider, when, *, output=1_000_000, **context):
    """What the package says that a million tokens of output cost at a moment, with their input."""
    usage = genai_prices.Usage(input_tokens=1_000_000, output_tokens=output)
    found = genai_prices.calc_price(
        usage,
        model,
        provider_id=provider,
        genai_request_timestamp=dt.datetime.fromisoformat(when),
        price_context=context or None,
    )
    return float(found.total_price)


# --- drift -------------------------------------------------------------------------------------


def test_the_book_agrees_with_the_package_it_was_read_from():
    moved = prices.drift(pricebook.book(), PACKAGE, today=TODAY)
    assert [prices.told(change) for change in moved] == []


def test_a_price_that_moved_is_reported_and_appended(tmp_path):
    rows = list(pricebook.book())
    place = next(n for n, row in enumerate(rows) if row.model == "gpt-4.1")
    rows[place] = dataclasses.replace(rows[place], output_usd_per_mtok=7.0)
    moved = prices.drift(rows, PACKAGE, today=TODAY)
    assert [prices.told(change) for change in moved] == [
        "gpt-4.1 at OpenAI, standard: output 7 -> 8"
    ]
    path = tmp_path / "api_prices.csv"
    shutil.copy(data_path("api_prices.csv"), path)
    before = path.read_text(encoding="utf-8")
    assert prices.appended(moved, path, today=TODAY) == 1
    after = path.read_text(encoding="utf-8")
    assert after.startswith(before)  # nothing is rewritten
    (line,) = csv.DictReader(after[len(before) :].splitlines(), before.splitlines()[0].split(","))
    assert (line["model"], line["output_usd_per_mtok"]) == ("gpt-4.1", "8")
    assert (line["valid_from"], line["as_of"]) == (TODAY, TODAY)


def test_a_model_that_is_no_longer_listed_is_reported():
    fewer = {key: model for key, model in PACKAGE.items() if key != ("openai", "gpt-4.1")}
    moved = prices.drift(pricebook.book(), fewer, today=TODAY)
    assert {prices.told(change) for change in moved} == {
        f"gpt-4.1 at OpenAI, {service}: no longer listed"
        for service in ("standard", "priority", "batch")
    }


# --- the four traps of the package ---------------------------------------------------------------


def test_trap_1_a_batch_before_the_package_knew_it_costs_the_full_price_there():
    batch = {"processing": "batch"}
    assert cost("gpt-4o", "openai", "2025-01-01T00:00+00:00", **batch) == 12.5
    assert cost("gpt-4o", "openai", "2026-11-01T00:00+00:00", **batch) == 6.25
    with pytest.raises(ValueError, match="knows no batch price of gpt-4o on 2025-01-01"):
        pricebook.price("gpt-4o", at="2025-01-01", service="batch")
    half = pricebook.price("gpt-4o", at="2026-11-01", service="batch")
    assert half.input_usd_per_mtok + half.output_usd_per_mtok == 6.25


def test_trap_2_an_hour_of_the_day_wins_over_the_date_there():
    by_night = cost("deepseek-v4-flash", "deepseek", "2026-07-01T02:00+00:00")
    by_day = cost("deepseek-v4-flash", "deepseek", "2026-07-01T20:00+00:00")
    assert (round(by_night, 6), round(by_day, 6)) == (1.5, 0.42)  # the peak price came in August
    with pytest.raises(ValueError, match="knows no peak price of deepseek-v4-flash on 2026-07-01"):
        pricebook.price("deepseek-v4-flash", at="2026-07-01", service="peak")
    then = pricebook.price("deepseek-v4-flash", at="2026-07-01")
    assert math.isclose(then.input_usd_per_mtok + then.output_usd_per_mtok, by_day)


def test_trap_3_changes_before_2025_are_other_names_there_and_history_here():
    assert cost("gpt-4o", "openai", "2024-06-01T00:00+00:00") == 12.5
    assert cost("gpt-4o-2024-05-13", "openai", "2024-06-01T00:00+00:00") == 20
    then = pricebook.price("gpt-4o", at="2024-06-01")
    assert then.input_usd_per_mtok + then.output_usd_per_mtok == 20


def test_trap_4_sources_disagree_on_a_tier_and_the_book_says_so():
    (row,) = (
        row
        for row in pricebook.book()
        if row.model == "claude-sonnet-4-5"
        and row.service == "standard"
        and row.above_input_tokens == 200_000
    )
    assert (row.input_usd_per_mtok, row.output_usd_per_mtok) == (6, 22.5)
    assert "LiteLLM" in row.note
    assert "litellm2026" in row.source
