"""The cheapest life of a model: against a grid, scipy, and what Sardana prints."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq, minimize_scalar

from costlib import laws, lifetime, scaling

TARGET = laws.target(70e9, 1.4e12)
LAW = TARGET.law


def tokens_for(n_params, target=TARGET):
    """Training tokens at which a size has the target's loss, from the law itself."""
    law = target.law
    left = target.gap_loss - law.params_scale * n_params**-law.params_exponent
    return (law.tokens_scale / left) ** (1 / law.tokens_exponent)


@pytest.mark.parametrize("served", [0, 1e9, 1e12, 4.1e12, 1e14, 1e17])
@pytest.mark.parametrize("times", [0.3, 1, 12])
@pytest.mark.parametrize("name", ["Refit", "Hoffmann printed"])
def test_no_size_with_the_same_loss_is_cheaper_over_its_life(served, times, name):
    target = laws.target(70e9, 1.4e12, name=name)
    law = target.law
    least = (law.params_scale / target.gap_loss) ** (1 / law.params_exponent)
    sizes = least * (1 + np.geomspace(1e-4, 1e3, 20_001))
    grid = 6 * sizes * tokens_for(sizes, target) + 2 * times * sizes * served
    row = laws.lives(served, of=target, served_times=times).iloc[0]
    assert_allclose(row.life_flop, grid.min(), rtol=1e-5)
    assert row.life_flop <= grid.min() * (1 + 1e-12)
    assert_allclose(tokens_for(row.n_params, target), row.training_tokens, rtol=1e-8)


def test_scipy_finds_the_same_size():
    found = minimize_scalar(
        lambda log: 6 * np.exp(log) * tokens_for(np.exp(log)) + 2 * np.exp(log) * 4.5e12,
        bounds=(np.log(3e10), np.log(1e11)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert_allclose(laws.lives(4.5e12, of=TARGET).n_params[0], np.exp(found.x), rtol=1e-5)


@pytest.mark.parametrize("whole", [0, 1e-9, 0.25, 7, 1e5, 1e9])
def test_twelve_steps_of_newton_solve_the_equation(whole):
    ratio = lifetime.served_ratio(3 * whole, served_times=1, cheapest_tokens=1, **LAW.exponents)
    a, b = LAW.params_exponent, LAW.tokens_exponent
    if whole:
        root = brentq(
            lambda log: log + np.log1p(b * np.exp(log) / (a + b)) / b - np.log(whole), -60, 60
        )
        assert_allclose(ratio, np.exp(root), rtol=1e-9)
    else:
        assert ratio == 0


def test_the_ratio_is_that_of_the_two_bills():
    row = laws.lives(2e12, of=TARGET, served_times=3).iloc[0]
    training = 6 * row.n_params * row.training_tokens
    assert_allclose(row.ratio, 2 * 3 * row.n_params * 2e12 / training)


def test_sardana_and_frankle_save_what_they_print():
    """Figure 1: a 13B with 2e12 served tokens against a 7B with its loss: 1.7e22 FLOP, 17 %."""
    law = laws.law("Sardana")
    text = brentq(
        lambda log: float(scaling.budget_params(6 * 13e9 * np.exp(log), **law.constants)) - 13e9,
        20,
        35,
    )
    target = laws.target(13e9, np.exp(text), name="Sardana")
    served = {"served_tokens": 2e12, "served_times": 1}
    large = lifetime.life_flop(13e9, training_tokens=np.exp(text), **served)
    small = lifetime.life_flop(7e9, training_tokens=tokens_for(7e9, target), **served)
    assert f"{large - small:.1e}" == "1.7e+22"
    assert f"{1 - small / large:.0%}" == "17%"


def test_the_bill_of_serving_gives_the_tokens_back():
    served = np.geomspace(1e9, 1e16, 30)
    rows = laws.lives(served, of=TARGET, served_times=2.5)
    back = lifetime.served_tokens(
        rows.ratio.to_numpy(),
        served_times=2.5,
        training_tokens=rows.training_tokens.to_numpy(),
    )
    assert_allclose(back, served, rtol=1e-12)


@pytest.mark.parametrize("served", [1e9, 1e12, 4.1e12, 1e16])
def test_tokens_to_serve_at_a_ratio_are_the_inverse_of_the_best_ratio(served):
    given = {"n_params": 70e9, "training_tokens": 1.4e12, "served_times": 2.5}
    ratio = laws.best_tokens_per_param(served, **given)
    assert_allclose(laws.even_served_tokens(ratio, **given), served, rtol=1e-9)


def test_below_the_ratio_of_the_least_training_nothing_has_to_be_served():
    given = {"n_params": 70e9, "training_tokens": 1.4e12}
    plain = TARGET.cheapest_tokens / TARGET.cheapest_params
    assert laws.even_served_tokens(plain / 2, **given) == 0
    assert laws.even_served_tokens(plain, **given) == 0 < laws.even_served_tokens(19, **given)


def test_a_model_without_serving_is_the_one_that_is_cheapest_to_train():
    row = laws.lives(0, of=TARGET).iloc[0]
    assert (row.n_params, row.training_tokens) == (TARGET.cheapest_params, TARGET.cheapest_tokens)
    assert row.least_saved_fraction == row.ratio == 0 < row.saved_fraction


def test_sizes_of_one_loss_lie_above_the_cheapest_life_and_end_where_they_are_too_small():
    rows = laws.sizes([1e9, 20e9, 58e9, 70e9, 1e12], of=TARGET, served_tokens=1e12)
    least = laws.lives(1e12, of=TARGET).life_flop[0]
    assert np.isinf(rows.life_flop[0])
    assert (rows.life_flop[1:] > least).all()
    assert_allclose(rows.training_tokens[3], 1.4e12)
    assert_allclose(rows.life_flop[3], 6 * 70e9 * 1.4e12 + 2 * 70e9 * 1e12)


def test_what_is_saved_at_the_loss_of_70b_on_1_4t():
    rows = laws.lives([1e12, 4.1e12, 4.5e12], of=TARGET)
    assert rows.tokens_per_param.round().tolist() == [30, 60, 64]
    plain = lifetime.life_flop(
        70e9, training_tokens=1.4e12, served_tokens=rows.served_tokens, served_times=1
    )
    assert (100 * (1 - rows.life_flop / plain)).round(1).tolist() == [1.7, 12.4, 13.6]
    assert_allclose(rows.saved_fraction, 1 - rows.life_flop / plain)
    least = {"n_params": 70e9, "training_tokens": 1.4e12, "least_training": True}
    assert laws.saved_fraction(4.5e12, **least) == rows.least_saved_fraction[2]
    assert (100 * rows.least_saved_fraction).round(1).tolist() == [2.4, 14.2, 15.5]


def test_a_served_flop_costs_more_where_serving_uses_less_of_the_peak():
    found = lifetime.served_times(2, training_mfu_fraction=0.4, serving_mfu_fraction=[0.4, 0.1])
    assert_allclose(found, [2, 8])


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("times", [1, 5])
def test_from_the_tokens_that_are_worth_it_on_the_share_is_saved(share, times):
    given = {"n_params": 8e9, "training_tokens": 3e12, "served_times": times}
    served = laws.worth_tokens(share, **given)
    assert_allclose(laws.saved_fraction(served, **given, least_training=True), share, rtol=1e-9)
    # What is saved hangs on the bill of serving over that of the least training alone.
    per_token = served * times / laws.target(8e9, 3e12).cheapest_tokens
    other = laws.worth_tokens(share, n_params=70e9, training_tokens=1.4e12)
    assert_allclose(per_token, other / TARGET.cheapest_tokens, rtol=1e-9)


def test_a_share_that_cannot_be_saved_is_refused():
    given = {"n_params": 8e9, "training_tokens": 3e12}
    with pytest.raises(ValueError, match="1 minus saved_fraction"):
        laws.worth_tokens(1, **given)
    with pytest.raises(ValueError, match="saved_fraction must lie in"):
        laws.worth_tokens(-0.1, **given)
