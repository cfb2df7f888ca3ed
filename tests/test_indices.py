"""Indices of list prices, against the steps they are made of."""

import pandas as pd
import pytest

from costlib import indices, pricebook
from costlib.tables import UnknownNameError


def test_only_dated_standard_prices_of_the_past_are_followed():
    found = indices.steps()
    assert set(found["service"]) == {"standard"}
    assert (found["above_input_tokens"] == 0).all()
    assert found["day"].is_monotonic_increasing
    assert found["day"].max() <= pd.Timestamp(pricebook.read_on())
    undated = pricebook.table()["since"] == ""
    assert undated.any()
    assert not set(pricebook.table().loc[undated, "name"]) <= set(found["name"])


@pytest.mark.parametrize(
    ("tier", "inputs"),
    [
        ("Claude Opus", [15, 15, 5, 5, 4]),
        ("Claude Haiku", [0.25, 0.8, 1, 0.1]),
        ("Gemini Flash-Lite", [0.075, 0.1, 0.25]),
        ("GPT flagship", [30, 10, 5, 2.5, 1.25, 1.75, 2.5, 5, 5, 4, 10]),
    ],
)
def test_a_tier_follows_its_name(tier, inputs):
    assert indices.tier(tier)["input_usd_per_mtok"].tolist() == inputs


def test_every_tier_has_every_model_of_its_list():
    for tier in indices.tiers():
        assert len(indices.tier(tier))


def test_an_unknown_tier_is_told_the_known_ones():
    with pytest.raises(UnknownNameError, match="no tier 'Opus'; there are GPT flagship, Claude"):
        indices.tier("Opus")


def test_the_cheapest_price_only_falls_and_nothing_undercuts_it():
    found, every = indices.cheapest(), indices.steps()
    assert (found["input_usd_per_mtok"].diff().dropna() < 0).all()
    for _, row in every.iterrows():
        so_far = found[found["day"] <= row["day"]]["input_usd_per_mtok"].min()
        assert so_far <= row["input_usd_per_mtok"]


def test_quality_is_followed_through_those_who_match_those_who_match():
    found = indices.at_quality("gpt-4")
    assert found["name"].tolist() == ["gpt-4", "claude-3-opus", "claude-3-5-sonnet", "gpt-4o-mini"]
    fall = indices.falls(found)
    assert fall["times"] == pytest.approx(200)
    with pytest.raises(
        UnknownNameError, match=r"no source matches anything with 'gpt-4o'; .*gpt-4"
    ):
        indices.at_quality("gpt-4o")


def test_a_fall_is_told_by_the_year():
    fall = indices.falls(indices.at_quality("gpt-3-davinci"))
    assert (fall["first"], fall["last"]) == (60, 0.1)
    assert (1 - fall["yearly"]) ** fall["years"] == pytest.approx(1 / 600)


def test_words_cost_more_where_a_tokenizer_makes_more_tokens_of_them():
    found = indices.words_usd().set_index("model")
    old, new = found.loc["claude-opus-4-6"], found.loc["claude-opus-4-7"]
    assert old["input_usd_per_mtok"] == new["input_usd_per_mtok"]
    assert new["input_usd"] / old["input_usd"] == pytest.approx(750 / 555)


def test_vendors_are_those_who_sell_models_of_their_own():
    assert indices.vendors()[:3] == ["OpenAI", "Anthropic", "Google"]
    assert "AWS" not in indices.vendors()
