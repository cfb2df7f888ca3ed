"""Terms: the tables of charges, credits and causes, and what a wrong name is told."""

import pytest

from costlib import tables, terms


@pytest.mark.parametrize("provider", ["AWS", "Azure", "Google"])
def test_a_way_out_starts_free_and_grows_cheaper(provider):
    found = terms.bands(provider)
    starts, prices = found["band_start_bytes"], found["band_usd_per_gb"]
    assert starts[0] == prices[0] == 0
    assert (starts[1:] > starts[:-1]).all()
    assert (prices[2:] < prices[1:-1]).all()


def test_a_gibibyte_is_more_than_a_gigabyte():
    found = terms.bands("Google")
    assert found["band_start_bytes"][2] == 2.0**40
    assert found["band_usd_per_gb"][1] == pytest.approx(0.12 / 1.073741824)
    zone = terms.moves().set_index(["provider", "kind"]).usd_per_gb
    assert zone["AWS", "another zone"] == 0.01
    assert zone["Google", "another zone"] == pytest.approx(0.01 / 1.073741824)


def test_a_move_is_no_way_out():
    assert "internet" not in set(terms.moves().kind)


def test_steps_of_a_promise_fall_as_credits_rise():
    found = terms.credit_steps("Bedrock")
    assert found["below_fraction"].tolist() == [0.999, 0.99, 0.95]
    assert found["credit_fraction"].tolist() == [0.1, 0.25, 1]


def test_the_triggers_are_those_of_the_appendix():
    found = terms.triggers()
    assert found.share_fraction.sum() == pytest.approx(1)
    assert found[found.pushed].share_fraction.sum() == pytest.approx(0.68)
    assert found.set_index("name").share_fraction["hardware"] == 0.02


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: terms.bands("Hetzner"), r"no way out of 'Hetzner'; there are AWS, Azure, Google"),
        (lambda: terms.credit_steps("Vertex"), r"no credits of 'Vertex'; there are Bedrock"),
    ],
)
def test_an_unknown_name_is_told_what_there_is(ask, told):
    with pytest.raises(tables.UnknownNameError, match=told):
        ask()
