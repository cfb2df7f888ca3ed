"""Three arguments over a space: both sides at every point, and where they are known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import arguments, deploy, roofline, serve

SITE = {
    "capital_usd_per_h": (1.0, 2.0),
    "power_w": (700.0, 1300.0),
    "pue": (1.1, 1.6),
    "busy_fraction": (0.2, 0.9),
    "idle_fraction": (0.1, 0.5),
    "electricity_usd_per_kwh": (0.05, 0.2),
}


def test_a_percent_of_each_moves_the_cost_as_the_difference_says():
    site = arguments.busy_and_pue(SITE, n_draws=128)
    names = list(SITE)

    def cost(**moved):
        given = {name: site[name] for name in names} | moved
        load = given["idle_fraction"] + (1 - given["idle_fraction"]) * given["busy_fraction"]
        kw = given["power_w"] / 1e3 * given["pue"] * load
        hour = given["capital_usd_per_h"] + kw * given["electricity_usd_per_kwh"]
        return hour / given["busy_fraction"]

    step = 1e-6
    busy = np.log(cost(busy_fraction=site.busy_fraction * (1 + step)) / cost()) / step
    pue = np.log(cost(pue=site.pue * (1 + step)) / cost()) / step
    assert_allclose(site.busy, -busy, rtol=1e-4)
    assert_allclose(site.pue_moves, pue, rtol=1e-4)


def test_sites_lie_in_their_ranges_and_the_default_space_turns_somewhere():
    ranges = arguments.site_ranges()
    site = arguments.busy_and_pue(n_draws=1024, seed=1)
    for name, (low, high) in ranges.items():
        assert site[name].between(low, high).all()
        assert site[name].max() - site[name].min() > 0.9 * (high - low)
    assert set(arguments.SITE) == set(ranges)
    assert 0.95 < (site.busy > site.pue_moves).mean() < 1
    dear = SITE | {"electricity_usd_per_kwh": (5.0, 6.0), "idle_fraction": (0.0, 0.1)}
    assert (arguments.busy_and_pue(dear, n_draws=64).pue_moves > 0.5).any()


def test_the_speed_of_light_knows_only_memory_or_arithmetic():
    step = arguments.memory_and_arithmetic(n_draws=128)
    light = step[["light_bandwidth", "light_arithmetic"]].sum(axis=1)
    assert (light <= 1 + 1e-9).all()
    assert (abs(light - 1) < 1e-9).mean() > 0.95  # the others stand at the ridge
    assert (step[["bandwidth", "arithmetic"]] >= 0).all().all()
    assert (step.bandwidth + step.arithmetic < 1).all()  # launches and links take the rest
    few, many = step[step.n_clients < 8], step[step.n_clients > 128]
    assert few.arithmetic.mean() < many.arithmetic.mean()


def test_a_point_is_what_the_serving_model_says():
    step = arguments.memory_and_arithmetic(n_draws=32, seed=5)
    one = step.iloc[3]
    load = deploy.scenarios(
        one.model,
        one.accelerator,
        weight_format="fp8",
        n_accelerators=4,
        n_clients=one.n_clients,
        input_tokens=one.input_tokens,
        output_tokens=one.output_tokens,
    )
    now = serve.prediction(load)
    terms = sum(float(np.ravel(value)[0]) for value in now.terms_s.values())
    assert_allclose(float(now.step_s), terms)
    assert 0 < one.bandwidth < 1
    moved = roofline.overlapped_s(moving_s=1 / 1.01, computing_s=0)
    assert_allclose(np.log(1 / moved) / np.log1p(0.01), 1)


def test_use_is_the_quotient_and_a_batch_never_gains_more_than_twofold():
    gain = arguments.batch_and_chip(n_draws=128)
    assert (gain.use == 1.5).all()
    assert (gain.batch <= 2).all()
    assert (gain.chip > 0).all()
    assert gain.full_chip.median() > gain.chip.median()
    once = arguments.batch_and_chip(n_draws=128)
    assert gain.equals(once)
    dearer = gain.chip * gain.rent_times  # at the same rent
    assert (dearer >= 1).all()


@pytest.mark.parametrize("name", ["memory_and_arithmetic", "batch_and_chip", "busy_and_pue"])
def test_another_seed_is_another_sample_of_the_same_space(name):
    function = getattr(arguments, name)
    assert not function(n_draws=64, seed=0).equals(function(n_draws=64, seed=1))
