"""The look: contrast that can be measured, meanings that stay apart, prices in words."""

import itertools
import math
import re

import altair as alt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costlib.charts import theme

TEXT = ["ink", "muted", "link", "you"]
HUES = ["blue", "green", "violet", "teal", "ochre", "magenta", "brown"]
modes = pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])


def luminance(colour):
    """Relative luminance of #rrggbb, WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21), ("#ffffff", "#ffffff", 1), ("#777777", "#ffffff", 4.48)],
)
def test_the_measure_of_contrast_is_that_of_wcag(one, other, ratio):
    assert round(contrast(one, other), 2) == ratio


@modes
@pytest.mark.parametrize(
    ("tokens", "ground", "least"),
    [
        (TEXT, "page", 4.5),
        (TEXT, "panel", 4.5),
        (HUES, "page", 4.5),  # names of lines stand in the lines' own hues
        (HUES, "panel", 3),
        (["control"], "page", 3),
        (["control"], "panel", 3),
    ],
)
def test_a_token_stands_out_from_its_ground(tokens, ground, least, mode):
    found = {t: contrast(theme.TOKENS[t][mode], theme.TOKENS[ground][mode]) for t in tokens}
    assert {token: ratio for token, ratio in found.items() if ratio < least} == {}


def test_every_colour_of_a_meaning_is_measured():
    verdicts = {token for token, _, _ in theme.VERDICT.values()}
    assert {*theme.ARCHITECTURE.values(), *theme.WORKLOAD.values(), *verdicts} <= {*TEXT, *HUES}


@modes
def test_every_token_is_a_colour_of_its_own(mode):
    found = [pair[mode] for pair in theme.TOKENS.values()]
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in found)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("cast", [theme.ARCHITECTURE, theme.WORKLOAD])
def test_a_cast_gives_every_meaning_its_own_hue_and_never_the_readers(cast):
    assert len(set(cast.values())) == len(cast)
    assert set(cast.values()) <= set(theme.TOKENS) - {"you"}


# Machado, Oliveira and Fernandes 2009, severity 1, over linear light.
BLIND = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# Ottosson 2020: linear light to cones, and their cube roots to a space of even steps
CONES = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def seen_by(colour, sight):
    """Oklab of #rrggbb as someone sees it."""
    light = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    return OKLAB @ np.cbrt(CONES @ np.clip(BLIND[sight] @ light, 0, 1))


@modes
@pytest.mark.parametrize("sight", BLIND)
@pytest.mark.parametrize("cast", [theme.ARCHITECTURE, theme.WORKLOAD])
def test_the_hues_of_a_cast_stay_apart_without_full_colour_vision(cast, sight, mode):
    pairs = itertools.combinations([theme.TOKENS[token][mode] for token in cast.values()], 2)
    apart = [np.linalg.norm(seen_by(one, sight) - seen_by(other, sight)) for one, other in pairs]
    assert min(apart) > 0.09  # a step of 0.02 is just seen


def test_a_cast_keeps_its_order_in_the_scale():
    scale = theme.cast({"memory": "teal", "compute": "brown"}).to_dict()
    assert scale["domain"] == ["memory", "compute"]
    assert scale["range"] == [theme.hue("teal"), theme.hue("brown")]


def test_every_colour_of_a_themed_chart_is_one_that_has_a_dark_twin():
    rows = pd.DataFrame({"x": [1, 2], "y": [1, 2]})
    parts = alt.layer(
        alt.Chart(rows).mark_line().encode(x="x", y="y"),
        theme.reference(1.5, "list price"),
        theme.reference(1.5, "today", axis="x"),
    )
    spec = theme.titled(parts, title="t", subtitle="s", description="d").to_json()
    assert set(re.findall(r"#[0-9a-fA-F]{6}\b", spec)) <= theme.colours()


def test_css_gives_every_light_colour_its_dark_twin():
    text = theme.css()
    for name, (light, dark) in theme.TOKENS.items():
        assert f"--{name}:{light};" in text
        assert f"--{name}:{dark};" in text
        assert f'[fill="{light}"]{{fill:{dark}}}' in text
        assert f'[stroke="{light}"]{{stroke:{dark}}}' in text


def test_every_verdict_has_a_shape_besides_its_colour():
    words = theme.VERDICT
    assert all(token in theme.TOKENS for token, _, _ in words.values())
    # colour and shape go together: whoever sees no colour loses nothing
    assert len({shape for _, shape, _ in words.values()}) == len({c for c, _, _ in words.values()})


# --- labels --------------------------------------------------------------------------------


@settings(derandomize=True, deadline=None)
@given(values=st.lists(st.floats(1, 100), min_size=1, max_size=6), log=st.booleans())
def test_spread_labels_keep_their_gap_and_their_order(values, log):
    scale = math.log if log else float
    found = theme.spread(values, low=1, high=100, height=340, gap=34, log=log)
    pixel = [(scale(v) - scale(1)) / (scale(100) - scale(1)) * 340 for v in found]
    placed = sorted(pixel)
    assert all(above - below >= 34 - 0.5 for below, above in itertools.pairwise(placed))
    order = sorted(range(len(values)), key=values.__getitem__)
    assert [pixel[i] for i in order] == placed


def test_labels_far_enough_apart_stay_where_they_are():
    assert theme.spread([1, 10, 100], low=1, high=100, height=300) == pytest.approx([1, 10, 100])


def test_end_labels_stand_at_the_last_point_of_each_line():
    rows = pd.DataFrame(
        {"n": [1, 2, 1, 2], "usd": [1, 2, 5, 9], "who": list("aabb"), "say": ["", "$2", "", "$9"]}
    )
    chart = theme.end_labels(
        rows, x="n", y="usd", name="who", text="say", color=alt.Color("who"), low=1, high=10
    )
    data = next(iter(chart.to_dict()["datasets"].values()))
    assert [(row["n"], row["label"]) for row in data] == [(2, ["a", "$2"]), (2, ["b", "$9"])]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.33626, "$0.336"),
        (0.0102, "$0.0102"),
        (1.4172, "$1.42"),
        (9.994, "$9.99"),
        (10, "$10.00"),
        (19.8413, "$19.84"),
        (999.99, "$999.99"),
        (1000, "$1,000"),
        (1234.5, "$1,234"),
        (1234567, "$1,234,567"),
        (0, "$0"),
        (math.inf, "no one fits"),
    ],
)
def test_a_price_in_words(value, words):
    assert theme.usd(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [(9.996, "$10.00"), (0.9996, "$1.00"), (999.996, "$1,000")]
)
def test_a_price_that_rounds_up_keeps_the_digits_of_where_it_lands(value, words):
    assert theme.usd(value) == words


def test_nan_is_no_price():
    with pytest.raises(ValueError, match=r"(?i)nan"):
        theme.usd(math.nan)


def test_dollars_are_written_with_three_digits_or_cents():
    shown = [theme.usd(value) for value in (0.0983, 2.5, 19.8413, 1234.5)]
    assert shown == ["$0.0983", "$2.50", "$19.84", "$1,234"]
