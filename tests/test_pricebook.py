"""The price book: what it knows on a day, and how it says what it does not know."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from costlib import catalog, pricebook, pricing
from costlib.tables import TableError, UnknownNameError

TABLE = pricebook.table()


# --- what it holds ---------------------------------------------------------------------------


def test_it_is_a_book_and_not_a_sample():
    assert len(TABLE) >= 150
    assert TABLE["provider"].nunique() >= 8


def test_every_open_model_is_one_of_the_catalog():
    assert set(TABLE["weights"]) - {""} <= set(catalog.models())


def test_what_lies_before_2025_names_a_source_that_was_opened():
    old = TABLE[(TABLE["since"] != "") & (TABLE["since"] < "2025")]
    opened = {"genaiprices2026", "modelsdev2026", "llmprices2026", "tanaka2026palanor"}
    opened |= {"portkey2026caching"}
    assert len(old)
    assert all(set(source.split(";")) <= opened for source in old["source"])


def test_cached_input_is_never_dearer_and_a_long_tier_never_cheaper():
    assert not (TABLE["cached_input_usd_per_mtok"] > TABLE["input_usd_per_mtok"]).any()
    key = ["provider", "model", "service", "valid_from"]
    for _, tiers in TABLE.groupby(key):
        in_order = tiers.sort_values("above_input_tokens")
        assert in_order["input_usd_per_mtok"].is_monotonic_increasing
        assert in_order["output_usd_per_mtok"].is_monotonic_increasing


def test_a_batch_is_never_dearer_than_the_same_day_without_it():
    for row in pricebook.book():
        if row.service == "batch":
            whole = pricebook.price(row.name, input_tokens=row.above_input_tokens + 1)
            half = pricebook.price(
                row.name, service="batch", input_tokens=row.above_input_tokens + 1
            )
            assert half.input_usd_per_mtok < whole.input_usd_per_mtok, row


# Prices that two of the sources give alike, by hand from the documents.
@pytest.mark.parametrize(
    ("model", "at", "input_tokens", "prices"),
    [
        ("gpt-3-davinci", "2020-06", 1, (60, 60)),
        ("gpt-4", "2023-04", 1, (30, 60)),
        ("gpt-4-turbo", "2023-12", 1, (10, 30)),
        ("gpt-4o", "2024-06-01", 1, (5, 15)),
        ("gpt-4o", "2024-08-06", 1, (2.5, 10)),
        ("gpt-4o-mini", "2024-07-18", 1, (0.15, 0.6)),
        ("claude-3-opus", "2024-03", 1, (15, 75)),
        ("claude-3-haiku", "2024-04", 1, (0.25, 1.25)),
        ("o3", "2025-06-01", 1, (10, 40)),
        ("o3", "2025-06-11", 1, (2, 8)),
        ("gemini-2.5-pro", "2026-11", 200_000, (1.25, 10)),
        ("gemini-2.5-pro", "2026-11", 200_001, (2.5, 15)),
        ("claude-sonnet-4-6", "2026-03-01", 500_000, (6, 22.5)),
        ("claude-sonnet-4-6", "2026-04-01", 500_000, (3, 15)),
        ("deepseek-chat", "2025-01-10", 1, (0.14, 0.28)),
        ("deepseek-chat", "2025-03", 1, (0.27, 1.10)),
        ("gemini-3.8-flash", "2026-12-31", 1, (0.75, 3.75)),
        ("gemini-3.8-flash", "2027-01-01", 1, (1.5, 7.5)),
    ],
)
def test_a_price_on_a_day(model, at, input_tokens, prices):
    found = pricebook.price(model, at=at, input_tokens=input_tokens)
    assert (found.input_usd_per_mtok, found.output_usd_per_mtok) == prices


def test_the_tier_that_was_given_up_cost_twice_as_much_the_day_before():
    asked = {"input_tokens": 500_000, "output_tokens": 10_000}
    bills = [
        pricing.request_usd(
            **asked,
            **pricebook.request_prices("claude-sonnet-4-6", 500_000, at=at),
        )
        for at in ("2026-03-01", "2026-04-01")
    ]
    assert_allclose(bills, [3.225, 1.65])


def test_prices_of_many_requests_are_those_of_each():
    prompts = np.array([[1, 199_999, 200_000], [200_001, 250_000, 1e6]])
    found = pricebook.request_prices("gemini-2.5-pro", prompts)
    for column, values in found.items():
        each = [
            getattr(pricebook.price("gemini-2.5-pro", input_tokens=n), column)
            for n in prompts.ravel()
        ]
        fresh = found["input_usd_per_mtok"].ravel()
        assert_allclose(values.ravel(), np.where(np.isnan(each), fresh, each))


def test_without_a_price_for_the_cache_its_tokens_cost_what_fresh_ones_do():
    found = pricebook.request_prices("gpt-4", 1000)
    assert found["cached_input_usd_per_mtok"] == found["cache_write_usd_per_mtok"] == 30


def test_a_cache_for_an_hour_is_another_price():
    hour = pricebook.request_prices("claude-sonnet-4-6", 1000, cache_hours=True)
    assert hour["cache_write_usd_per_mtok"] == 6
    with pytest.raises(ValueError, match="cache_hours: gpt-4 sells no cache for an hour"):
        pricebook.request_prices("gpt-4", 1000, cache_hours=True)


# --- what it does not know -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "kind", "told"),
    [
        ({"model": "sonnet"}, UnknownNameError, r"no API price 'sonnet'; did you mean .*claude-"),
        ({"model": "gpt4o mni"}, UnknownNameError, r"did you mean gpt-4o-mini"),
        (
            {"model": "gpt-oss-120b"},
            UnknownNameError,
            r"gpt-oss-120b has several providers; name one of .*gpt-oss-120b at Groq",
        ),
        (
            {"model": "gpt-4o", "service": "peak"},
            UnknownNameError,
            r"gpt-4o has no 'peak' price in the book; it has standard, priority, batch",
        ),
        (
            {"model": "gpt-4o", "at": "2023-12-31"},
            ValueError,
            r"at: gpt-4o was launched on 2024-05-13, so it has no price on 2023-12-31",
        ),
        (
            {"model": "gpt-4o", "at": "2025-01-01", "service": "batch"},
            ValueError,
            r"at: the book knows no batch price of gpt-4o on 2025-01-01; its first is of 2026-10",
        ),
        ({"model": "gpt-4o", "at": "yesterday"}, ValueError, r"at must be a date as YYYY"),
        ({"model": "gpt-4o", "at": "2026-02-31"}, ValueError, r"at must be a date as YYYY"),
    ],
)
def test_what_the_book_does_not_know_is_said(asked, kind, told):
    with pytest.raises(kind, match=told):
        pricebook.price(**asked)


@pytest.mark.parametrize("bad", [-1, np.nan])
def test_a_prompt_must_have_a_length(bad):
    with pytest.raises(ValueError, match="input_tokens must not be negative"):
        pricebook.request_prices("gpt-4o", [1, bad])


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        (
            "valid_from",
            "1999",
            r"line 2 \(.*\), column valid_from: expected a date from the launch",
        ),
        ("model", None, r"line 3 \(.*\): stands there twice"),
    ],
)
def test_a_damaged_book_is_told_its_line(tmp_path, column, value, told):
    table = catalog.frame("api_prices.csv")
    table = table[table["launched"] != ""].head(3).copy()
    if value:
        table.iloc[0, table.columns.get_loc(column)] = value
    else:
        table.iloc[1] = table.iloc[0]
    table.to_csv(tmp_path / "api_prices.csv", index=False)
    with pytest.raises(TableError, match=told):
        pricebook.book(tmp_path / "api_prices.csv")


def test_the_day_of_the_book_is_its_last_reading():
    assert pricebook.read_on() == max(TABLE["as_of"])
    assert date.fromisoformat(pricebook.read_on()) >= date(2026, 11, 20)


def test_undated_prices_stay_undated():
    blank = TABLE[(TABLE["launched"] == "") & (TABLE["valid_from"] == "")]
    assert len(blank)
    assert (blank["since"] == "").all()
    assert pd.to_datetime(TABLE.loc[TABLE["since"] != "", "since"], format="ISO8601").notna().all()
