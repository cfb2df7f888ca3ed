"""Price against speed: the library's own numbers, in the shape of a chart."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import catalog, deploy, frontier, serve

OFFER = frontier.Offer(
    accelerator="H200", n_accelerators=2, weight_format="mxfp4", rent_usd_per_h=3.5
)
LOAD = {"input_tokens": [1024, 8192], "output_tokens": 1024}


def test_a_point_of_a_curve_is_a_prediction_and_its_rent():
    rows = frontier.curves("gpt-oss-120b", [OFFER], n_clients=[8, 64], **LOAD)
    row = rows[(rows.n_clients == 64) & (rows.input_tokens == 8192)].iloc[0]
    done = serve.prediction(
        deploy.scenarios(
            "gpt-oss-120b",
            "H200",
            weight_format="mxfp4",
            n_accelerators=2,
            n_clients=64,
            input_tokens=8192,
            output_tokens=1024,
        )
    )
    tokens_per_h = done.tokens_per_s * 3600 * (8192 + 1024) / 1024
    assert_allclose(row.usd_per_mtok, 2 * 3.5 / tokens_per_h * 1e6)
    assert_allclose(row.user_tokens_per_s, 1 / done.tpot_s)
    assert row.light_usd_per_mtok < row.usd_low < row.usd_per_mtok < row.usd_high


def test_what_does_not_fit_is_on_no_curve():
    rows = frontier.curves("gpt-oss-120b", [OFFER], n_clients=[8, 1e6], **LOAD)
    assert set(rows.n_clients) == {8}


def test_more_users_are_cheaper_and_slower():
    rows = frontier.curves("gpt-oss-120b", [OFFER], n_clients=2.0 ** np.arange(9), **LOAD)
    for _, curve in rows.groupby("input_tokens"):
        ordered = curve.sort_values("n_clients")
        assert (np.diff(ordered.usd_per_mtok) < 0).all()
        assert (np.diff(ordered.user_tokens_per_s) < 0).all()


def test_measured_points_are_published_runs_at_the_same_rent():
    points = frontier.points("gpt-oss-120b", [OFFER], **LOAD)
    assert len(points) >= 10
    dear = frontier.Offer(
        accelerator="H200", n_accelerators=2, weight_format="mxfp4", rent_usd_per_h=7
    )
    twice = frontier.points("gpt-oss-120b", [dear], **LOAD)
    assert_allclose(twice.usd_per_mtok, 2 * points.usd_per_mtok)


def test_a_list_price_is_the_mix_of_both_its_prices():
    prices = frontier.list_prices("gpt-oss-120b", input_tokens=[1024], output_tokens=1024)
    listed = catalog.api_price("gpt-oss-120b at AWS")
    mean = (listed.input_usd_per_mtok + listed.output_usd_per_mtok) / 2
    assert_allclose(prices[prices.vendor == "AWS"].usd_per_mtok, mean)
    assert set(prices.fast) == {True, False}
    none = frontier.list_prices("Llama-3.1-8B", input_tokens=[1024], output_tokens=1024)
    assert none.empty


def test_a_batch_of_one_gains_nothing():
    gains = frontier.batch_gains(
        "gpt-oss-120b", OFFER, n_clients=[1, 32], input_tokens=256, output_tokens=256
    )
    assert_allclose(gains.iloc[0][["throughput_times", "latency_times"]].astype(float), 1)
    assert 1 < gains.throughput_times[1] < 32
    assert gains.latency_times[1] > 1


def test_a_kind_of_rent_that_nobody_lists_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match=r"'forever'.*on demand, spot, three years"):
        frontier.rents("forever")
