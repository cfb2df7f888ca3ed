"""Controls and the widgets that they become in JupyterLab."""

import inspect
import re

import altair as alt
import ipywidgets
import pandas as pd
import pytest

from costlib import catalog, serving, units, widgets
from costlib.charts import cliff
from costlib.charts.controls import Control, initial, params

SLIDER = {
    "parameter": "memory_bytes",
    "label": "GPU memory",
    "unit": "GB",
    "value": 80,
    "low": 24,
    "high": 288,
    "step": 1,
    "scale": units.GB,
}
CHOICE = {
    "parameter": "weight_bits",
    "label": "Weights",
    "unit": "bits",
    "value": 4,
    "options": (4, 8, 16),
}
CHAPTER = {
    "context_tokens": 128e3,
    "rent_usd_per_h": 2.5,
    "memory_bytes": 80e9,
    "reserved_bytes": 6e9,
    "weight_bits": 4,
    "cache_bits": 8,
}
H100 = catalog.accelerator("H100")
FIXED = {
    "n_params": 70e9,
    "n_layers": 80,
    "n_heads": 64,
    "n_kv_heads": 8,
    "cached_dim": 256,
    "attended_dim": 256,
    "memory_bytes_per_s": H100.memory_bytes_per_s,
    "peak_flop_per_s": H100.peak_flop_per_s["bf16"],
    "n_accelerators": 1,
}

# --- controls --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [23.9, 289, -80, float("nan")])
def test_a_start_outside_the_range_is_refused_by_name(value):
    with pytest.raises(ValueError, match=rf"^memory_bytes must lie between 24 and 288 GB.*{value}"):
        Control(**SLIDER | {"value": value})


def test_a_start_that_is_no_option_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^weight_bits must be one of 4, 8, 16 bits, got 5"):
        Control(**CHOICE | {"value": 5})


@pytest.mark.parametrize("value", [24, 80, 288])
def test_both_ends_of_the_range_are_a_start(value):
    assert initial([Control(**SLIDER | {"value": value})]) == {"memory_bytes": value * units.GB}


def test_a_page_shows_the_unit_and_computes_in_base_units():
    slider, choice = Control(**SLIDER), Control(**CHOICE)
    assert slider.expression == "memory_bytes * 1000000000.0"
    assert choice.expression == "weight_bits"
    one, other = (parameter.param for parameter in params([slider, choice]))
    assert one.bind.to_dict() == {
        "input": "range",
        "min": 24,
        "max": 288,
        "step": 1,
        "name": "GPU memory (GB)",
    }
    assert other.bind.to_dict()["labels"] == ["4 bits", "8 bits", "16 bits"]
    assert (one.value, other.value) == (80, 4)


def test_every_control_of_the_cliff_is_a_parameter_of_its_formula():
    controls = cliff.cliff_controls(**CHAPTER)
    parameters = inspect.signature(serving.capacity_usd_per_mtok).parameters
    names = [control.parameter for control in controls]
    assert set(names) | set(FIXED) == set(parameters)
    assert len(set(names)) == len(names)
    assert initial(controls) == CHAPTER


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("context_tokens", 1e6),
        ("rent_usd_per_h", 0.1),
        ("memory_bytes", 1_440e9),
        ("reserved_bytes", 24e9),
        ("weight_bits", 5),
        ("cache_bits", 2.5),
    ],
)
def test_the_controls_of_the_cliff_reach_a_readers_own_numbers(name, value):
    controls = cliff.cliff_controls(**CHAPTER | {name: value})
    assert initial(controls)[name] == pytest.approx(value)
    others = {control.parameter: control for control in cliff.cliff_controls(**CHAPTER)}
    for control in controls:
        if control.parameter != name:
            assert control == others[control.parameter]


# --- widgets ---------------------------------------------------------------------------------


def told(drawing):
    """Text of the drawing."""
    return " ".join(re.sub(r"<[^>]*>", " ", drawing.value).split())


@pytest.fixture
def widget():
    controls = cliff.cliff_controls(**CHAPTER)
    box = widgets.sliders(controls, lambda **values: cliff.cliff_point(FIXED, **values))
    *inputs, drawing = box.children
    return dict(zip([control.parameter for control in controls], inputs, strict=True)), drawing


def test_a_widget_starts_at_the_numbers_of_the_chapter(widget):
    inputs, drawing = widget
    assert inputs["context_tokens"].value == 128
    assert isinstance(inputs["cache_bits"], ipywidgets.Dropdown)
    assert inputs["rent_usd_per_h"].description == "GPU rent (USD per hour)"
    assert drawing.value.startswith("<svg")
    assert "1 user, $11.60 per million output tokens" in told(drawing)


@pytest.mark.parametrize(
    "moved",
    [
        {"context_tokens": 4},
        {"cache_bits": 3},
        {"memory_bytes": 141, "weight_bits": 8, "context_tokens": 64},
        {"rent_usd_per_h": 12},
        {"reserved_bytes": 0, "context_tokens": 8},
    ],
    ids=str,
)
def test_moving_an_input_draws_what_the_library_computes(widget, moved):
    inputs, drawing = widget
    before = drawing.value
    for name, value in moved.items():
        inputs[name].value = value
    assert drawing.value != before
    scale = {"context_tokens": 1e3, "memory_bytes": 1e9, "reserved_bytes": 1e9}
    given = CHAPTER | {name: value * scale.get(name, 1) for name, value in moved.items()}
    usd = serving.capacity_usd_per_mtok(**FIXED, **given)
    taken = inspect.signature(serving.capacity_users).parameters
    users = serving.capacity_users(**{k: v for k, v in (FIXED | given).items() if k in taken})
    found = re.search(r"([\d,]+) users?, \$([\d,.]+) per million output tokens", told(drawing))
    assert float(found[1].replace(",", "")) == users
    assert float(found[2].replace(",", "")) == pytest.approx(usd, rel=5e-3)


def test_where_nobody_fits_a_widget_says_so(widget):
    inputs, drawing = widget
    inputs["weight_bits"].value = 16
    assert "Nobody fits" in told(drawing)
    assert not re.search("NaN|inf", told(drawing))


def test_an_impossible_setting_is_one_line_in_the_place_of_the_chart_and_goes_again():
    def draw(memory_bytes):
        if memory_bytes > 100e9:
            raise ValueError("memory_bytes must be <= 1e+11")
        return alt.Chart(alt.Data(values=[{"x": 1}])).mark_point()

    slider, drawing = widgets.sliders([Control(**SLIDER)], draw).children
    assert drawing.value.startswith("<svg")
    slider.value = 150
    assert drawing.value == "<p>memory_bytes must be &lt;= 1e+11</p>"
    slider.value = 90
    assert drawing.value.startswith("<svg")


def test_a_mistake_of_the_code_is_not_hidden():
    def draw(**_):
        raise KeyError("oops")

    with pytest.raises(KeyError, match="oops"):
        widgets.sliders([Control(**SLIDER)], draw)


def test_a_typed_argument_reaches_the_drawing_and_its_error_is_shown():
    seen = []

    def draw(*, log, a):
        seen.append((log, a))
        if log == "bad":
            raise ValueError("bad: not found <here>")
        return alt.Chart(pd.DataFrame({"x": [a]})).mark_point().encode(x="x:Q")

    control = Control(parameter="a", label="A", unit="", value=1, low=0, high=2)
    box = widgets.sliders([control], draw, log="Path")
    field = box.children[0]
    assert (field.description, field.value) == ("Path", "")
    field.value = " bad "
    assert seen == [("", 1.0), ("bad", 1.0)]
    assert box.children[-1].value == "<p>bad: not found &lt;here&gt;</p>"
    field.value = "good"
    assert "<svg" in box.children[-1].value
