"""Runs, bubbles and memory, against a pipeline played out and published numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import training


@pytest.mark.parametrize(("stages", "parts"), [(1, 4), (4, 8), (8, 24)])
def test_a_pipeline_played_out_idles_as_the_formula_says(stages, parts):
    """All forwards (1 each), then all backwards (2 each), which idles as long as 1F1B."""
    ready = np.zeros(parts)
    for each in (1, 2):
        ready = np.full(parts, ready.max())
        for _ in range(stages):
            end = 0.0
            for part in range(parts):
                end = max(end, ready[part]) + each
                ready[part] = end
    idle = ready.max() - 3 * parts
    assert_allclose(training.bubble_ratio(stages, n_micro_batches=parts), idle / (3 * parts))


def test_chunks_shorten_the_bubble():
    assert_allclose(training.bubble_ratio(9, n_micro_batches=8, n_chunks=[1, 4]), [1, 0.25])


@pytest.mark.parametrize("n_params", [7e9, 65e9])
def test_mixed_precision_adam_takes_sixteen_bytes(n_params):
    assert_allclose(training.training_bytes(n_params, trained_params=n_params), 16 * n_params)


def test_frozen_weights_have_neither_gradients_nor_moments():
    assert_allclose(training.training_bytes(7e9, trained_params=0, weight_bits=4), 3.5e9)


def test_more_than_all_weights_cannot_be_trained():
    with pytest.raises(ValueError, match="trained_params must not exceed n_params"):
        training.training_bytes(7e9, trained_params=8e9)


def test_a_run_costs_its_hours_at_the_rent():
    run = {"peak_flop_per_s": 989e12, "compute_fraction": 0.4}
    hours = 5.88e23 / (989e12 * 0.4) / 3600
    assert_allclose(training.run_h(5.88e23, **run), hours)
    assert_allclose(training.run_usd(5.88e23, rent_usd_per_h=2.5, **run), 2.5 * hours)


def test_what_is_sunk_weighs_on_the_first_tokens():
    assert np.isinf(training.sunk_usd_per_mtok(1, served_tokens=0))
    assert_allclose(training.sunk_usd_per_mtok(3e6, served_tokens=1e12), 3)


def test_research_alignment_and_labels_add():
    given = {"research_times": 2, "alignment_fraction": 0.5, "label_usd": 7}
    assert_allclose(training.programme_usd(10, **given), 10 + 20 + 5 + 7)


def test_megatron_reaches_the_share_that_it_prints():
    found = training.mfu_fraction(502e15, n_accelerators=3072, peak_flop_per_s=312e12)
    assert f"{found:.0%}" == "52%"


def test_a_share_of_the_peak_shrinks_by_the_bubbles_of_a_pipeline_played_out():
    """Work w of a stage lasts w + idle: the share is that of the work over the whole."""
    idle = training.bubble_ratio(8, n_micro_batches=24)
    assert_allclose(training.piped_fraction(0.5, bubble_ratio=idle), 0.5 * 24 / 31)
