"""The ledger: verdicts agree with the numbers, and the numbers with their inputs."""

import contextlib
import json

import numpy as np
import pandas as pd
import pytest

from costlib import catalog, claims
from costlib.charts import theme

LEDGER = claims.ledger().to_dict("records")
CHECKABLE = [row for row in LEDGER if row["function"]]
each_checkable = pytest.mark.parametrize("row", CHECKABLE, ids=lambda row: row["id"])


FACTORS = (1e-4, 0.01, 0.5, 2, 100, 1e4)  # the lower of two roofs may be far below


def leaves(value, path=()):
    """Every number in a row's inputs, with the way to it."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from leaves(inner, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def scaled(inputs, path, factor):
    """The inputs with one number multiplied."""
    changed = json.loads(inputs)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] *= factor
    return json.dumps(changed)


def moves(row, path):
    """Whether the result follows this number."""
    once = claims.recomputed(row["function"], row["inputs"])
    for factor in FACTORS:
        try:
            again = claims.recomputed(row["function"], scaled(row["inputs"], path, factor))
        except ValueError:  # out of its range, such as a share above 1
            continue
        if again != once:
            return True
    return False


# --- every row -----------------------------------------------------------------------------


@each_checkable
def test_what_does_not_come_out_says_why(row):
    value = claims.recomputed(row["function"], row["inputs"]) / claims.UNITS[row["unit"]]
    found = claims.verdict(value, printed=row["printed"], basis=row["basis"])
    assert row["because"] or found == "reproduces"


@each_checkable
def test_the_value_that_the_source_prints_is_not_among_its_inputs(row):
    try:
        printed = float(row["printed"])
    except ValueError:
        return  # a word, or a direction
    values = {value for _, value in leaves(json.loads(row["inputs"]))}
    values -= {1}  # a byte per value or one user is no copy of a result
    assert not values & {printed, printed * claims.UNITS[row["unit"]]}


@each_checkable
def test_every_number_and_every_fact_among_the_inputs_moves_the_result(row, monkeypatch):
    found = list(leaves(json.loads(row["inputs"])))
    assert [path for path, _ in found if not moves(row, path)] == []
    once, asked = claims.recomputed(row["function"], row["inputs"]), []
    plain = claims._fact
    change = {}

    def counted(*fact):
        asked.append(fact)
        return plain(*fact) * change.get(len(asked) - 1, 1)

    monkeypatch.setattr(claims, "_fact", counted)

    def recomputed():
        asked.clear()
        return claims.recomputed(row["function"], row["inputs"])

    recomputed()
    facts = list(asked)
    assert found or facts
    for place, fact in enumerate(facts):
        values = []
        for factor in FACTORS:
            change.clear()
            change[place] = factor
            with contextlib.suppress(ValueError):  # out of its range
                values.append(recomputed())
        assert set(values) - {once}, fact


def test_an_input_that_nothing_follows_is_noticed():
    row = {
        "function": "kv.kept_tokens",
        "inputs": '{"context_tokens": 10, "window_tokens": 1e9}',
    }
    assert moves(row, ("context_tokens",))
    assert not moves(row, ("window_tokens",))


def test_the_words_of_the_ledger_are_those_of_the_charts():
    assert set(claims.VERDICTS) == set(theme.VERDICT)


# --- comparing -----------------------------------------------------------------------------


def test_a_comparison_keeps_the_order_asked_for():
    ids = [row["id"] for row in LEDGER[:4]][::-1]
    assert claims.compare(ids)["id"].tolist() == ids


def test_a_topic_selects_its_rows():
    topics = {row["topic"] for row in LEDGER}
    for topic in topics:
        wanted = [row["id"] for row in LEDGER if row["topic"] == topic]
        assert claims.compare(topic=topic)["id"].tolist() == wanted


@pytest.mark.parametrize("asked", [{"ids": ["no-such-claim"]}, {"topic": "no-such-topic"}])
def test_an_unknown_claim_or_topic_is_refused_by_name(asked):
    with pytest.raises(catalog.UnknownNameError, match="no-such-"):
        claims.compare(**asked)


@pytest.mark.parametrize(
    ("value", "printed", "shown"),
    [
        (19.8413, "19.84", "19.841"),
        (59.0, "58", "59"),  # a count stays whole
        (44.77, "58", "44.8"),
        (2472.5, "2.5e3", "2,472"),
        (np.nan, "", "—"),
        (0.0983, "negligible", "0.0983"),
        (1_421_400.0, "no end", "1,421,400"),
        (2.347, ">1", "2.35"),
    ],
)
def test_ours_shows_one_digit_more_than_the_source(value, printed, shown):
    assert claims._one_digit_more(value, printed) == shown


def test_a_number_of_many_digits_keeps_its_power_of_ten():
    assert claims._one_digit_more(3.1428e23, "3.14e23") == "3.143e23"
    assert claims._plain("3.14e23") == "3.14e23"
    assert claims._plain("2.57e4") == "25,700"


@pytest.mark.parametrize(
    ("value", "printed", "met"),
    [
        (19.8413, "19.84", True),
        (19.8451, "19.84", False),
        (0.335, "0.34", True),  # a half goes either way
        (0.3349, "0.34", False),
        (58.5, "58", True),
        (59.0, "58", False),
        (2473, "2.5e3", True),
        (2473, "2500", False),
        (-1.0, "-1", True),
        (np.inf, "1", False),
        (np.nan, "1", False),
        (1.0, "much", False),
        (1.01, ">1", True),
        (1.0, ">1", False),
        (0.99, "<1", True),
        (np.nan, "<1", False),
        (2.0, ">much", False),
    ],
)
def test_a_value_meets_what_is_printed_to_its_last_digit(value, printed, met):
    assert claims.rounds_to(value, printed) == met


# --- recomputing ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "inputs", "value"),
    [
        ("claims.quotient", '{"of": 3, "over": {"claims.product": {"of": 2, "by": 3}}}', 0.5),
        ("claims.total", '{"parts": [1, {"claims.reduction": {"part": 1, "whole": 4}}]}', 1.75),
        ("claims.product", '{"of": {"accelerator.H100.tdp_w": null}, "by": 2}', 1400),
        (
            "claims.product",
            '{"of": {"accelerator.h100.peak_flop_per_s.bf16": null}, "by": 1}',
            989e12,
        ),
        ("claims.product", '{"of": {"law.Hoffmann printed.floor_loss": null}, "by": 1}', 1.69),
        ("kv.kept_tokens", '{"context_tokens": 10, "window_tokens": 4}', 4),
        ("claims.whole", '{"of": {"claims.quotient": {"of": 11, "over": 4}}}', 2),
        (
            "egress.banded_usd",
            '{"moved_bytes": 1e12,'
            ' "band_start_bytes": {"bands.band_start_bytes": {"provider": "AWS"}},'
            ' "band_usd_per_gb": {"bands.band_usd_per_gb": {"provider": "AWS"}}}',
            81,
        ),
    ],
)
def test_inputs_may_be_numbers_lists_other_formulas_and_facts(function, inputs, value):
    assert claims.recomputed(function, inputs) == value


@pytest.mark.parametrize(
    ("function", "inputs", "told"),
    [
        ("kv.kept_tokens", "{broken", "inputs are not JSON"),
        ("kv.no_such", "{}", "'kv.no_such' is no public function"),
        ("os.remove", "{}", "'os.remove' is no public function"),
        ("kv._checks", "{}", "'kv._checks' is no public function"),
        ("kv.non_negative", "{}", "'kv.non_negative' is no public function"),
        ("kv.np", "{}", "'kv.np' is no public function"),
        ("kv.kept_tokens", "[1, 2]", "takes its inputs by name"),
        ("kv.kept_tokens", "{}", "context_tokens"),
        ("kv.kept_tokens", '{"context_tokens": 1, "colour": 2}', "colour"),
        ("kv.kept_tokens", '{"context_tokens": -1}', "^context_tokens must not be negative"),
    ],
)
def test_inputs_that_do_not_fit_are_told_why(function, inputs, told):
    with pytest.raises(ValueError, match=told):
        claims.recomputed(function, inputs)


def test_an_unknown_fact_is_told_its_nearest():
    with pytest.raises(catalog.UnknownNameError, match="H100"):
        claims.recomputed("claims.product", '{"of": {"accelerator.H1OO.tdp_w": null}, "by": 1}')


# --- damaged ledgers -----------------------------------------------------------------------

GOOD = {
    "id": "a-1",
    "topic": "cache",
    "statement": "Four tokens are kept.",
    "printed": "4",
    "unit": "tokens",
    "function": "kv.kept_tokens",
    "inputs": '{"context_tokens": 10, "window_tokens": 4}',
    "basis": "stated",
    "because": "",
    "anchor": "",
    "source": "somebody2026",
    "as_of": "2026-11",
}
OPEN = GOOD | {
    "id": "a-2",
    "printed": "",
    "function": "",
    "inputs": "",
    "basis": "",
    "because": "opinion",
}


def refused(path, rows):
    pd.DataFrame(rows).to_csv(path, index=False)
    with pytest.raises(catalog.TableError) as told:
        claims.ledger(path)
    return str(told.value)


def test_a_good_ledger_loads(tmp_path):
    path = tmp_path / "claims.csv"
    pd.DataFrame([GOOD, OPEN]).to_csv(path, index=False)
    assert claims.ledger(path)["id"].tolist() == ["a-1", "a-2"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", ""),
        ("id", "Two Words"),
        ("topic", ""),
        ("statement", ""),
        ("printed", ""),
        ("unit", "furlongs"),
        ("function", ""),
        ("inputs", ""),
        ("basis", "true"),
        ("basis", "fails"),
        ("source", ""),
        ("as_of", ""),
        ("as_of", "soon"),
    ],
)
def test_a_wrong_cell_is_told_its_file_line_and_column(tmp_path, column, value):
    told = refused(tmp_path / "claims.csv", [OPEN, GOOD | {column: value}])
    assert "claims.csv, line 3 (" in told
    assert f"column {column}: expected" in told
    assert told.endswith(f"got {value!r}")


def test_what_is_assumed_is_said(tmp_path):
    told = refused(tmp_path / "claims.csv", [GOOD | {"basis": "assumed"}])
    assert "column because: expected" in told


def test_a_row_without_a_basis_has_nothing_to_compute(tmp_path):
    told = refused(tmp_path / "claims.csv", [GOOD | {"basis": "", "because": "no inputs"}])
    assert "column function: expected" in told


@pytest.mark.parametrize(
    ("value", "printed", "basis", "found"),
    [
        (59.0, "58", "stated", "contradicted"),
        (59.0, "58", "assumed", "fails"),
        (58.4, "58", "stated", "reproduces"),
        (58.4, "58", "assumed", "reproduces if"),
        (0.9, ">1", "stated", "contradicted"),
        (1.1, ">1", "assumed", "reproduces if"),
        (np.nan, "58", "assumed", "not checkable"),
    ],
)
def test_a_verdict_follows_from_the_value_and_from_whose_inputs_it_has(
    value, printed, basis, found
):
    assert claims.verdict(value, printed=printed, basis=basis) == found


def test_no_verdict_is_typed_in_the_ledger():
    cells = set(claims.ledger().drop(columns=["statement", "because"]).to_numpy().ravel())
    assert not cells & set(claims.VERDICTS)


def test_what_is_not_checkable_names_no_formula(tmp_path):
    told = refused(tmp_path / "claims.csv", [OPEN | {"function": "kv.kept_tokens"}])
    assert "column function: expected" in told


def test_an_id_that_stands_twice_is_named(tmp_path):
    assert "'a-1' stands there twice" in refused(tmp_path / "claims.csv", [GOOD, GOOD])


@pytest.mark.parametrize("column", claims.COLUMNS)
def test_a_missing_column_is_named(tmp_path, column):
    rows = pd.DataFrame([GOOD]).drop(columns=column)
    assert refused(tmp_path / "claims.csv", rows).endswith(f"lacks the column {column}")


def test_an_empty_or_a_missing_ledger_is_refused(tmp_path):
    path = tmp_path / "claims.csv"
    with pytest.raises(catalog.TableError, match="not found"):
        claims.ledger(path)
    path.write_bytes(b"")
    with pytest.raises(catalog.TableError, match="is empty"):
        claims.ledger(path)
