"""The data of a chart as CSV: what is drawn, with units, and nothing that a spreadsheet runs."""

import csv
import io

from costlib.charts import sheet


def spec(*layers, **datasets):
    return {"layer": list(layers), "datasets": datasets}


def layer(mark, name, **fields):
    encoding = {
        channel: dict(zip(("field", "title"), told, strict=False))
        for channel, told in fields.items()
    }
    return {"mark": mark, "data": {"name": name}, "encoding": encoding}


def table(text):
    assert text.startswith("\ufeff")  # spreadsheets take it for Latin-1 without
    return list(csv.reader(io.StringIO(text[1:], newline="")))


LINE = layer("line", "a", x=("load", "Busy (%)"), y=("wait", "Wait (s, logarithmic)"), color=("n",))
RULE = layer("rule", "b", y=("value",))
LABEL = layer("text", "c", x=("load",), y=("label_y",), text=("label",))
ROWS = {
    "a": [{"load": 1, "wait": -0.5, "n": "=1+1"}, {"load": 2, "wait": None, "n": 'a,"b"'}],
    "b": [{"value": 3}],
    "c": [{"load": 2, "label_y": 9, "label": "a"}],
}


def test_headers_are_fields_with_the_title_of_their_axis():
    assert sheet.columns(spec(LINE, RULE, LABEL)) == {
        "load": "load [Busy (%)]",
        "wait": "wait [Wait (s)]",
        "n": "n",
        "value": "value [Wait (s)]",
    }


def test_rows_of_layers_follow_one_another_without_those_of_labels():
    found = table(sheet.text(spec(LINE, RULE, LABEL, **ROWS)))
    assert found[0] == ["load [Busy (%)]", "wait [Wait (s)]", "n", "value [Wait (s)]"]
    assert [row[0] for row in found[1:]] == ["1", "2", ""]
    assert found[3][-1] == "3"


def test_data_that_layers_share_are_told_once():
    point = layer("point", "a", x=("load",), y=("wait",))
    assert len(table(sheet.text(spec(LINE, point, **ROWS)))) == 3


def test_a_text_is_never_a_formula_and_a_number_keeps_its_sign():
    for start in "=+-@\t\r":
        rows = [{"load": 1, "wait": -0.5, "n": f"{start}1"}]
        found = table(sheet.text(spec(LINE, a=rows)))
        assert found[1] == ["1", "-0.5", f"'{start}1"]
    assert table(sheet.text(spec(LINE, **ROWS)))[2][2] == 'a,"b"'
