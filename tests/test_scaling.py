"""Scaling laws: published optima, scipy's minimum, and what a law must obey."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar

from costlib import laws, scaling

NAMES = ["Hoffmann printed", "Hoffmann source", "Sardana", "Refit"]


def at(name, n_params, training_tokens):
    law = laws.law(name)
    return scaling.loss(
        n_params, training_tokens=training_tokens, floor_loss=law.floor_loss, **law.constants
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("budget", [1e18, 5.88e23, 1e26])
def test_the_best_size_of_a_budget_is_where_a_search_finds_the_least_loss(name, budget):
    found = minimize_scalar(
        lambda log: at(name, np.exp(log), budget / (6 * np.exp(log))),
        bounds=(np.log(1e6), np.log(1e14)),
        method="bounded",
        options={"xatol": 1e-10},
    )
    size = scaling.budget_params(budget, **laws.law(name).constants)
    assert_allclose(size, np.exp(found.x), rtol=1e-5)
    assert_allclose(at(name, size, scaling.budget_tokens(budget, n_params=size)), found.fun)


@pytest.mark.parametrize("name", NAMES)
def test_the_least_training_at_a_loss_is_the_best_size_of_its_own_budget(name):
    law = laws.law(name)
    target = laws.target(70e9, 1.4e12, name=name)
    size, text = target.cheapest_params, target.cheapest_tokens
    loss = law.floor_loss + target.gap_loss
    assert_allclose([at(name, size, text), at(name, 70e9, 1.4e12)], loss, rtol=1e-12)
    budget = scaling.training_flop(size, training_tokens=text)
    assert_allclose(scaling.budget_params(budget, **law.constants), size, rtol=1e-12)
    assert budget <= 6 * 70e9 * 1.4e12


@pytest.mark.parametrize(
    ("name", "ratio"), [("Hoffmann printed", 93), ("Refit", 18), ("Hoffmann source", 59)]
)
def test_tokens_per_parameter_at_the_budget_of_chinchilla(name, ratio):
    assert round(laws.budget_tokens_per_param(5.88e23, name=name)) == ratio


@pytest.mark.parametrize("name", NAMES)
def test_the_tokens_that_a_size_needs_give_it_the_loss(name):
    law = laws.law(name)
    found = scaling.needed_tokens([30e9, 70e9, 1e12], gap_loss=0.3, **law.constants)
    assert_allclose(at(name, np.array([30e9, 70e9, 1e12]), found), law.floor_loss + 0.3)
    least = (law.params_scale / 0.3) ** (1 / law.params_exponent)
    short = scaling.needed_tokens(least * np.array([0.9, 1.1]), gap_loss=0.3, **law.constants)
    assert np.isinf(short).tolist() == [True, False]


def test_gpt3_has_the_arithmetic_that_its_makers_print():
    run = scaling.training_flop(175e9, training_tokens=300e9)
    assert_allclose(run, 3.14e23, rtol=0.005)
    assert_allclose(run / laws.PETAFLOP_DAY, 3640, rtol=0.005)


def test_kaplan_gives_a_larger_budget_to_size_with_the_printed_exponent():
    found = laws.allocation("Kaplan", [laws.PETAFLOP_DAY, 10 * laws.PETAFLOP_DAY])["n_params"]
    assert_allclose(found, [1.3e9, 1.3e9 * 10**0.73])


def test_a_law_of_the_size_alone_has_no_loss():
    with pytest.raises(ValueError, match="'Kaplan' states no loss"):
        laws.target(1e9, 1e10, name="Kaplan")


def test_exactly_one_law_is_marked_as_used_and_it_is_the_default():
    assert [law.name for law in laws.laws().values() if law.note.startswith("Used")] == [laws.USED]


def test_a_law_states_what_its_kind_needs():
    for law in laws.laws().values():
        assert law.kind in {"loss", "size"}
        stated = [law.floor_loss, law.tokens_scale, law.tokens_exponent]
        assert np.isfinite(stated).all() == (law.kind == "loss"), law.name


def test_published_runs_reach_what_their_makers_hours_say():
    """GPU-hours of the model cards: 43 % of an A100 for Llama 2 70B, a third for 405B."""
    shares = laws.runs().set_index("name").mfu_fraction.dropna()
    assert_allclose(
        shares["Llama 2 70B"], 6 * 70e9 * 2e12 / (1_720_320 * 3600 * 312e12), rtol=1e-12
    )
    assert_allclose(
        shares["Llama 3.1 405B"], 6 * 405e9 * 15e12 / (30.84e6 * 3600 * 989e12), rtol=1e-3
    )
    assert ((shares > 0.1) & (shares < 0.6)).all()
    assert laws.runs().flop.is_monotonic_increasing


def test_chinchilla_and_gopher_have_twenty_and_one_token_per_parameter():
    ratios = laws.runs().set_index("name").tokens_per_param
    assert ratios["Chinchilla"] == 20
    assert_allclose(ratios[["GPT-3", "Gopher"]], [1.71, 1.07], rtol=0.005)
