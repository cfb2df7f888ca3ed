"""Bits with their scales, and rounding: published formats, limits, and slow second opinions."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from costlib import catalog, quantizing, tables
from costlib.charts import quantizing as charts

GENERATOR = np.random.default_rng(7)
KIVI = {"payload_bits": 2, "group_values": 32, "scale_bits": 16, "zero_bits": 16}
PARTS = ("payload_bits", "group_values", "scale_bits", "zero_bits", "residual_tokens")
ROWS = {row["name"]: row for row in tables.rows("value_formats.csv")}


def bits_of(name, context_tokens=np.inf):
    return quantizing.effective_bits(context_tokens, **{part: ROWS[name][part] for part in PARTS})


# --- bits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row["format"]])
def test_scales_explain_the_bits_of_the_table_of_formats(name):
    assert bits_of(name) == catalog.format_named(ROWS[name]["format"]).weight_bits


def test_every_format_of_weights_is_explained():
    explained = {row["format"] for row in ROWS.values()} - {""}
    assert explained == set(catalog.formats()) - {"bf16"}  # as wide as FP16


@pytest.mark.parametrize(
    ("name", "bits"),
    [("KIVI, 2 bits", 3.0), ("KIVI, 4 bits", 5.0), ("INT4 by 128", 4.15625), ("NVFP4", 4.5)],
)
def test_published_formats(name, bits):
    assert bits_of(name) == bits


def test_nvfp4_cuts_an_fp8_cache_by_44_percent():
    assert 1 - bits_of("NVFP4") / bits_of("FP8") == 0.4375


@settings(derandomize=True, deadline=None, max_examples=50)
@given(context=st.integers(1, 5_000), window=st.integers(0, 600))
def test_bits_are_those_counted_token_by_token(context, window):
    counted = [16.0 if token >= context - window else 3.0 for token in range(context)]
    found = quantizing.effective_bits(context, **KIVI, residual_tokens=window)
    assert_allclose(found, np.mean(counted), rtol=1e-12)


@pytest.mark.parametrize(
    ("context", "window", "bits"),
    [(0, 128, 16), (0, 0, 3), (128, 128, 16), (np.inf, 128, 3), (10, np.inf, 16)],
)
def test_limits_of_the_window(context, window, bits):
    assert quantizing.effective_bits(context, **KIVI, residual_tokens=window) == bits


def test_a_kivi_cache_is_what_its_tokens_take_over_a_whole_period_of_the_window():
    window, contexts = 128, np.arange(10 * 128, 11 * 128)
    keys, values = contexts % window, np.minimum(contexts, window)  # kept in full, algorithm 1
    slow = (3 + 13 * keys / contexts + 3 + 13 * values / contexts) / 2
    found = quantizing.kivi_bits(contexts, residual_tokens=window)
    assert_allclose(found.mean(), slow.mean(), rtol=3e-3)  # R/2 for (R - 1)/2


@pytest.mark.parametrize(("context", "bits"), [(0, 16), (127, 16), (1e12, 3)])
def test_limits_of_a_kivi_cache(context, bits):
    assert_allclose(quantizing.kivi_bits(context), bits)


def test_memory_saved_runs_from_none_to_that_of_the_cache_alone():
    share = {"sequence_bytes": 16.0, "smaller_bytes": 3.0, "weight_bytes": 160.0}
    found = quantizing.memory_times(n_users=[0, 10, np.inf], **share)
    assert_allclose(found, [1, 320 / 190, 16 / 3])


def test_four_bit_weights_and_an_eight_bit_cache_leave_no_room_for_two_point_six():
    gone = {"weight_bytes": 41e9, "sequence_bytes": 163_840 * 128e3, "smaller_bytes": 1e-9}
    assert quantizing.memory_times(n_users=1, **gone) < 1.52


# --- even steps ------------------------------------------------------------------------------


def slowly(values, bits, group):
    """Round a vector group by group, value by value."""
    out = []
    for start in range(0, len(values), group):
        part = values[start : start + group]
        low, high = min(part), max(part)
        grid = [low + (high - low) * code / (2**bits - 1) for code in range(2**bits)]
        out += [min(grid, key=lambda level, x=x: abs(level - x)) for x in part]
    return out


@pytest.mark.parametrize(("bits", "group"), [(1, 4), (2, 32), (3, 7), (4, 128), (8, 33)])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_every_line_is_rounded_group_by_group_to_the_nearest_level(bits, group, axis):
    values = GENERATOR.standard_normal((5, 70, 6))
    found = quantizing.quantised(values, payload_bits=bits, group_values=group, axis=axis)
    slow = np.apply_along_axis(slowly, axis, values, bits, group)
    assert_allclose(found, slow, rtol=0, atol=1e-12)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(seed=st.integers(0, 1_000), bits=st.integers(1, 12), group=st.integers(1, 50))
def test_nothing_is_off_by_more_than_half_a_step_of_its_group(seed, bits, group):
    values = np.random.default_rng(seed).standard_normal(100)
    found = quantizing.quantised(values, payload_bits=bits, group_values=group)
    for start in range(0, 100, group):
        part = slice(start, start + group)
        step = np.ptp(values[part]) / (2**bits - 1)
        assert np.abs(found[part] - values[part]).max() <= step / 2 + 1e-12


def test_numbers_on_the_grid_come_back_exactly():
    grid = np.array([[-3.0, -1.0, 1.0, 3.0], [0.0, 4.0, 8.0, 12.0]])
    assert_array_equal(quantizing.quantised(grid, payload_bits=2), grid)
    assert_array_equal(quantizing.quantised(np.full(5, 0.1), payload_bits=2), np.full(5, 0.1))


def test_many_bits_lose_nothing():
    values = GENERATOR.standard_normal((40, 64))
    found = quantizing.quantised(values, payload_bits=40, group_values=32)
    assert_allclose(found, values, rtol=0, atol=1e-11)


def test_a_scalar_is_its_own_group():
    assert quantizing.quantised(-2.5, payload_bits=1) == -2.5


# --- small floats ----------------------------------------------------------------------------


def every(exponent_bits, mantissa_bits, bias, codes):
    """Every number of a small float by the definition of its code, and its mantissa's last bit."""
    numbers = {}
    for exponent, mantissa in itertools.product(range(2**exponent_bits), range(2**mantissa_bits)):
        if exponent * 2**mantissa_bits + mantissa < codes:
            whole = mantissa / 2**mantissa_bits + (exponent > 0)
            numbers[whole * 2.0 ** (max(exponent, 1) - bias)] = mantissa % 2
    return numbers


E4M3 = every(4, 3, 7, 127)  # the last code is NaN
E2M1 = every(2, 1, 1, 8)


def nearest(numbers, x):
    size = min(numbers, key=lambda number: (abs(number - abs(x)), numbers[number]))
    return np.copysign(size, x)


def test_the_largest_numbers_are_the_published_ones():
    assert max(E4M3) == quantizing.FP8_LARGEST == 448
    assert sorted(E2M1) == [0, 0.5, 1, 1.5, 2, 3, 4, 6]


def test_fp8_takes_the_nearest_number_and_halves_to_even():
    sizes = np.array(sorted(E4M3))
    between = (sizes[1:] + sizes[:-1]) / 2
    tried = np.concatenate([sizes, -between, between * (1 + 1e-9), [1e4, -1e4, 1e-6]])
    assert_array_equal(quantizing.rounded_fp8(tried), [nearest(E4M3, x) for x in tried])


def test_nvfp4_is_fp4_under_the_scale_of_sixteen():
    values = GENERATOR.standard_normal((3, 40)) * [[1], [30], [0.01]]
    tensor = np.abs(values).max() / 6 / 448
    slow = np.empty_like(values)
    for row, start in itertools.product(range(3), range(0, 40, 16)):
        part = values[row, start : start + 16]
        scale = tensor * nearest(E4M3, np.abs(part).max() / 6 / tensor)
        slow[row, start : start + 16] = [scale * nearest(E2M1, x / scale) for x in part]
    assert_allclose(quantizing.rounded_nvfp4(values), slow, rtol=1e-12)


def test_nvfp4_keeps_zeros_and_exact_numbers():
    assert_array_equal(quantizing.rounded_nvfp4(np.zeros((2, 20))), np.zeros((2, 20)))
    exact = np.array([6.0, -4.0, 3.0, 0.5, 0.0])
    assert_allclose(quantizing.rounded_nvfp4(exact), exact, rtol=1e-12)


# --- KIVI ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tokens", "window"), [(300, 128), (256, 128), (100, 128), (96, 0)])
def test_kivi_rounds_keys_by_channel_values_by_token_and_spares_the_window(tokens, window):
    keys, values = GENERATOR.standard_normal((2, 2, 3, tokens, 64))
    k, v = quantizing.kivi(keys=keys, values=values, residual_tokens=window)
    old_keys = tokens - (tokens % window if window else 0)
    old_values = max(tokens - window, 0)
    for head in np.ndindex(2, 3):
        for channel in range(64):
            line = keys[(*head, slice(old_keys), channel)]
            assert_allclose(k[(*head, slice(old_keys), channel)], slowly(line, 2, 32), atol=1e-12)
        for token in range(old_values):
            assert_allclose(v[(*head, token)], slowly(values[(*head, token)], 2, 32), atol=1e-12)
    assert_array_equal(k[..., old_keys:, :], keys[..., old_keys:, :])
    assert_array_equal(v[..., old_values:, :], values[..., old_values:, :])


def test_kivi_leaves_the_callers_arrays_alone():
    keys = GENERATOR.standard_normal((64, 32))
    before = keys.copy()
    quantizing.kivi(keys=keys, values=keys, residual_tokens=0)
    assert_array_equal(keys, before)


def test_a_window_without_end_or_many_bits_change_nothing():
    keys, values = GENERATOR.standard_normal((2, 200, 64))
    for changed in ({"residual_tokens": np.inf}, {"payload_bits": 40}):
        k, v = quantizing.kivi(keys=keys, values=values, **changed)
        assert_allclose(k, keys, rtol=0, atol=1e-10)
        assert_allclose(v, values, rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_on_outlier_channels_keys_per_channel_beat_keys_per_token(seed):
    rows = charts.errors([2, 4], seed=seed).pivot_table(["keys", "output"], "bits", "scheme")
    for what, factor in (("keys", 2.5), ("output", 1.8)):
        errors = rows[what]
        assert (errors["keys per token"] > factor * errors["keys per channel"]).all()


def test_without_outliers_neither_side_wins():
    rows = charts.errors([2], outlier_offset=0).set_index("scheme")["keys"]
    assert_allclose(rows.iloc[0], rows.iloc[1], rtol=0.02)


def test_the_error_of_the_output_falls_with_every_bit():
    rows = charts.errors([2, 3, 4, 6, 8])
    assert (rows.groupby("scheme")["output"].diff().dropna() < 0).all()


def test_attention_is_softmax_written_out():
    q, k, v = GENERATOR.standard_normal((3, 5, 4))
    scores = np.array([[sum(a * b for a, b in zip(x, y, strict=True)) / 2 for y in k] for x in q])
    weights = np.exp(scores) / np.exp(scores).sum(axis=1)[:, None]
    assert_allclose(quantizing.attention_output(queries=q, keys=k, values=v), weights @ v)
    huge = quantizing.attention_output(queries=1e3 * q, keys=1e3 * k, values=v)
    assert np.isfinite(huge).all()


def test_relative_error_at_its_limits():
    assert quantizing.relative_error(found=[0, 0], exact=[0, 0]) == 0
    assert quantizing.relative_error(found=[1, 0], exact=[0, 0]) == np.inf


def test_keys_are_the_same_for_the_same_seed():
    size = {"n_tokens": 10, "n_channels": 8}
    assert_array_equal(quantizing.outlier_keys(**size), quantizing.outlier_keys(**size))
    assert (quantizing.outlier_keys(**size) != quantizing.outlier_keys(**size, seed=1)).any()


def test_the_printed_saving_of_the_whole_memory_takes_the_small_window_and_a_large_batch():
    load = {"context_tokens": 160 + 338, "n_users": [96, 254], "residual_tokens": [32, 128]}
    found = charts.whole_memory("Llama-2-7B", **load).pivot_table("times", "n_users", "window")
    assert_allclose(found.to_numpy(), [[2.01, 1.74], [2.80, 2.20]], atol=0.006)


# --- what is refused -------------------------------------------------------------------------

MATRIX = np.ones((4, 4))


@pytest.mark.parametrize(
    ("formula", "given", "message"),
    [
        ("quantised", {"values": [np.nan], "payload_bits": 2}, "values must be finite, got nan"),
        (
            "quantised",
            {"values": [1], "payload_bits": 0},
            "payload_bits must be a whole number of 1 to 52, got 0",
        ),
        ("quantised", {"values": [1], "payload_bits": 1.5}, "payload_bits .* 1 to 52, got 1.5"),
        ("quantised", {"values": [1], "payload_bits": np.inf}, "payload_bits .* got inf"),
        (
            "quantised",
            {"values": [1], "payload_bits": 2, "group_values": 0.5},
            "group_values must be a whole number of at least 1, got 0.5",
        ),
        (
            "quantised",
            {"values": MATRIX, "payload_bits": 2, "axis": 2},
            "axis must be a whole number of -2 to 1",
        ),
        (
            "quantised",
            {"values": MATRIX, "payload_bits": 2, "axis": 0.5},
            "axis must be a whole number of -2 to 1",
        ),
        ("rounded_fp8", {"values": [np.inf]}, "values must be finite, got inf"),
        ("rounded_nvfp4", {"values": [np.inf]}, "values must be finite, got inf"),
        ("kivi", {"keys": [1.0], "values": MATRIX}, r"keys must have axes .* got shape \(1,\)"),
        ("kivi", {"keys": MATRIX, "values": [1.0]}, "values must have axes"),
        (
            "kivi",
            {"keys": MATRIX, "values": MATRIX, "residual_tokens": 1.5},
            "residual_tokens must be a whole number of at least 1, got 1.5",
        ),
        (
            "kivi",
            {"keys": MATRIX, "values": MATRIX, "residual_tokens": -1},
            "residual_tokens must not be negative, got -1",
        ),
        (
            "attention_output",
            {"queries": MATRIX, "keys": MATRIX * np.nan, "values": MATRIX},
            "keys must be finite",
        ),
        ("relative_error", {"found": [np.nan], "exact": [1]}, "found must be finite"),
        (
            "outlier_keys",
            {"n_tokens": 0, "n_channels": 4},
            "n_tokens must be a whole number of at least 1, got 0",
        ),
        ("outlier_keys", {"n_tokens": 4, "n_channels": 4, "seed": -1}, "seed must not be neg"),
        (
            "outlier_keys",
            {"n_tokens": 4, "n_channels": 4, "outlier_offset": -1},
            "outlier_offset must not be negative",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(formula, given, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        getattr(quantizing, formula)(**given)


# --- charts ----------------------------------------------------------------------------------


def test_the_table_of_formats_orders_losses_by_bits_but_for_who_scales_per_channel():
    rows = charts.format_table(128e3).set_index("name")
    assert rows["output"]["INT8"] < rows["output"]["NVFP4"] < rows["output"]["KIVI, 2 bits"]
    assert rows["output"]["KIVI, 4 bits"] < rows["output"]["INT4 by 32"]
    assert rows["bits"].between(3, 16).all()
    assert rows["output"].isna().sum() == 1


def test_titles_say_what_the_charts_show():
    rows = charts.errors([2, 8])
    title = charts.errors_by_bits(rows, subtitle="s").to_dict()["title"]["text"]
    ratio = rows["output"][1] / rows["output"][0]
    assert f"{ratio:.1f} times" in title
    load = {"context_tokens": 498, "n_users": [0, 100, 250], "residual_tokens": [32, 128]}
    saved = charts.whole_memory("Llama-2-7B", **load)
    for printed, words in ((2.6, "the window of 32"), (4.0, "more than fits here")):
        chart = charts.memory_by_users(saved, printed_times=printed, subtitle="s")
        assert words in chart.to_dict()["title"]["text"]
