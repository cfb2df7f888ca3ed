"""Published readings: what is printed stays, what it implies is computed, damage is named."""

import pytest

from costlib import catalog, readings, tables
from costlib.readings import reading


def test_the_readings_of_an_elasticity():
    found = readings.elasticities().set_index("name")["elasticity"]
    assert found["one-provider"] == 1.11
    assert found["across-models-low"] == pytest.approx(0.0473, abs=1e-4)
    assert found["across-models-high"] == pytest.approx(0.0662, abs=1e-4)


def test_the_readings_of_a_spread():
    found = readings.sigmas().set_index("name")["sigma"]
    wanted = {
        "chatgpt-power": 1.18,
        "viberank-1": 1.25,
        "viberank-10": 1.31,
        "cursor-tokens": 1.53,
        "cursor-lines-p90": 1.80,
        "api-customers": 1.55,
    }
    assert found[list(wanted)].to_dict() == pytest.approx(wanted, abs=5e-3)
    assert len(found) == 9


def test_every_row_says_how_it_was_read_and_what_it_is_of():
    rows = readings.readings().values()
    assert {row.read for row in rows} == {"quoted", "abstract", "counted"}
    assert {row.kind for row in rows} == {"price", "users", "market", "budget", "projection"}
    assert all(row.note for row in rows if row.read == "quoted")
    tops = {row.quantity for row in rows if row.top_fraction == row.top_fraction}
    assert tops == {"share", "median_times"}


def test_an_unknown_reading_is_told_its_nearest():
    with pytest.raises(catalog.UnknownNameError, match="one-provider"):
        reading("one-providers")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("one-provider,", "hhi-2023,", "stands there twice"),
        (",1.11,", ",much,", "line 2 .one-provider., column value"),
        (",1.11,,", ",1.11,1.5,", "column top_fraction"),
    ],
)
def test_a_damaged_table_is_named(tmp_path, old, new, told):
    path = tmp_path / "demand.csv"
    text = tables.data_path("demand.csv").read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(tables.TableError, match=told):
        readings.readings(path)
