"""Lengths of requests: the table against what is known of the traces, and its refusals."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special

from costlib import catalog, lengths

FIELDS = [(name, field) for name, trace in lengths.traces().items() for field in trace.quantiles]
each_field = pytest.mark.parametrize(("trace", "field"), FIELDS)


@each_field
def test_a_field_is_a_thousand_values_that_never_fall(trace, field):
    values = catalog.length_quantiles(trace, field)
    assert values.shape == (1000,)
    assert (np.diff(values) >= 0).all()
    assert values[-1] > values[0] >= 0


@each_field
def test_tokens_are_whole(trace, field):
    values = catalog.length_quantiles(trace, field)
    assert field.endswith("_s") or (values == values.round()).all()


# of all requests, counted before the quantiles were taken [azure2023traces, mooncake2025traces,
# kvcachetester2026]: mean, median, 99th percentile
COUNTED = [
    ("Azure conversation", "input_tokens", 1155, 1020, 4142),
    ("Azure conversation", "output_tokens", 211, 129, 601),
    ("Azure code", "input_tokens", 2048, 1469, 7436),
    ("Azure code", "output_tokens", 27.9, 13, 251),
    ("Mooncake conversation", "input_tokens", 12035, 6909, 85400),
    ("Mooncake conversation", "output_tokens", 343, 350, 1119),
    ("Mooncake synthetic", "input_tokens", 15325, 11587, 66456),
    ("Mooncake synthetic", "output_tokens", 149, 69, 768),
    ("Claude Code", "input_tokens", 122379, 103659, 498519),
    ("Claude Code", "output_tokens", 440, 216, 3686),
    ("Claude Code", "uncached_input_tokens", 4509, 727, 94290),
]


@pytest.mark.parametrize(("trace", "field", "mean", "median", "p99"), COUNTED)
def test_the_quantiles_keep_mean_median_and_tail(trace, field, mean, median, p99):
    values = catalog.length_quantiles(trace, field)
    assert_allclose(values.mean(), mean, rtol=0.02)
    assert_allclose(np.median(values), median, rtol=0.01)
    assert_allclose(np.quantile(values, 0.99), p99, rtol=0.05)


def test_what_is_left_to_read_is_never_more_than_the_prompt():
    prompts, fresh = (
        catalog.length_quantiles("Claude Code", field)
        for field in ("input_tokens", "uncached_input_tokens")
    )
    assert (fresh <= prompts).all()


def test_one_table_serves_all_so_nobody_may_write_to_it():
    values = catalog.length_quantiles("Azure code", "input_tokens")
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 1


def test_case_spaces_and_dashes_in_a_name_do_not_matter():
    assert catalog.length_quantiles("azure-CODE", "input_tokens")[0] == 6


def test_an_unknown_trace_names_the_nearest():
    with pytest.raises(catalog.UnknownNameError, match=r"no trace 'Azur code'.* Azure code"):
        catalog.length_quantiles("Azur code", "input_tokens")


def test_an_unknown_field_names_those_there_are():
    told = "no field 'think_time_s' of Azure code; it has input_tokens, output_tokens"
    with pytest.raises(catalog.UnknownNameError, match=told):
        catalog.length_quantiles("Azure code", "think_time_s")


def changed(tmp_path, change):
    path = tmp_path / "length_quantiles.csv"
    table = catalog.frame(path.name)
    change(table).to_csv(path, index=False)
    return path


def test_a_quantile_that_is_missing_is_refused(tmp_path):
    path = changed(tmp_path, lambda table: table.drop(index=500))
    with pytest.raises(catalog.TableError, match="input_tokens: quantiles are not evenly spaced"):
        lengths.traces(path)


def test_values_that_fall_are_refused(tmp_path):
    def swap(table):
        table.loc[[10, 990], "value"] = table.loc[[990, 10], "value"].to_numpy()
        return table

    with pytest.raises(catalog.TableError, match="Azure conversation, input_tokens: values fall"):
        lengths.traces(changed(tmp_path, swap))


# --- a lognormal -----------------------------------------------------------------------------


def test_lengths_that_are_lognormal_are_fitted_to_the_last_percent():
    table = np.exp(6 + 0.9 * special.ndtri((np.arange(1000) + 0.5) / 1000))
    fit = lengths.lognormal_fit(np.append(table, [0.0] * 20))  # 0 has no logarithm
    assert_allclose(fit.sigma, 0.9, rtol=0.01)
    assert_allclose(fit.mean_tokens, np.exp(6 + 0.405), rtol=0.01)
    assert_allclose(fit.scv, np.expm1(0.81), rtol=0.02)
    assert fit.distance_fraction < 0.001


def test_the_distance_is_taken_on_both_sides_of_a_step():
    fit = lengths.lognormal_fit([1, 1, 1, 4])
    deviates = (np.log([1, 4]) - np.log(4) / 4) / fit.sigma
    low, high = special.ndtr(deviates)
    assert_allclose(fit.distance_fraction, max(0.75 - low, low, high - 0.75, 1 - high))
    assert lengths.lognormal_fit([7, 7]).distance_fraction == 0.5


@pytest.mark.parametrize(("bad", "told"), [([-1.0, 2], "^lengths_tokens .*-1"), ([0], "above 0")])
def test_lengths_that_fit_nothing_are_named(bad, told):
    with pytest.raises(ValueError, match=told):
        lengths.lognormal_fit(bad)
