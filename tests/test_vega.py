"""The slider is the library: translated formulas, evaluated by Vega, equal the Python ones."""

import html
import json
import re

import numpy as np
import pytest
import vl_convert
from numpy.testing import assert_allclose
from scipy import special

from costlib import clipping, kv, pricing, queueing, roofline, serving, work
from costlib.charts.vega import expression

LLAMA_70B = {"n_params": 70e9, "n_layers": 80, "n_kv_heads": 8, "cached_dim": 256}
CARD = {"memory_bytes": 80e9, "reserved_bytes": 6e9}
SPEED = {"memory_bytes_per_s": 3.35e12, "peak_flop_per_s": 989e12}
HEADS = {"n_heads": 64, "attended_dim": 256}
PREFILL = {"active_params": 70e9, "n_layers": 80, "n_heads": 64, "prefill_attended_dim": 256}
SEQUENCE = {"n_layers": 80, "n_kv_heads": 8, "cached_dim": 256, "bytes_per_value": 1}
PRICES = {"input_usd_per_mtok": 3, "output_usd_per_mtok": 15, "cached_input_usd_per_mtok": 0.3}


def evaluated(text, points):
    """Values of an expression of `datum` at each point, as Vega computes them.

    A mark's description comes back as the aria-label of the drawing, with every digit.
    """
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": [point | {"place": place} for place, point in enumerate(points)]},
        "transform": [
            {"calculate": f"toString(datum.place) + '|' + toString({text})", "as": "told"}
        ],
        "mark": "point",
        "encoding": {"x": {"value": 1}, "y": {"value": 1}, "description": {"field": "told"}},
    }
    svg = html.unescape(vl_convert.vegalite_to_svg(json.dumps(spec)))
    told = dict(re.findall(r'aria-label="(\d+)\|([^"|]+)"', svg))
    return np.array([float(told[str(place)]) for place in range(len(points))])


def log_grid(rng, n, **ranges):
    """Points at random over decades, so that no quotient is whole by design."""
    return [
        {
            name: float(np.exp(rng.uniform(np.log(low), np.log(high))))
            for name, (low, high) in ranges.items()
        }
        for _ in range(n)
    ]


@pytest.mark.parametrize(
    ("formula", "fixed", "ranges"),
    [
        (
            serving.capacity_users,
            LLAMA_70B | CARD,
            {"context_tokens": (1e3, 1e6), "weight_bits": (2, 16), "cache_bits": (2, 16)},
        ),
        (
            serving.capacity_usd_per_mtok,
            LLAMA_70B | CARD | SPEED | HEADS,
            {
                "context_tokens": (1e3, 1e6),
                "weight_bits": (2, 16),
                "cache_bits": (2, 16),
                "rent_usd_per_h": (0.5, 20),
                "n_accelerators": (1, 16),
            },
        ),
        (
            serving.token_usd_per_mtok,
            SPEED | {"weight_bytes": 35e9, "rent_usd_per_h": 2.5},
            {
                "n_users": (1, 5e3),
                "traffic_bytes": (1e6, 1e11),
                "token_flop": (1e9, 1e12),
                "compute_fraction": (0.1, 1),
            },
        ),
        (
            serving.pool_bytes,
            {"reserved_bytes": 6e9},
            {
                "memory_bytes": (1e9, 1e12),
                "weight_bytes": (1e9, 1e12),
                "n_accelerators": (1, 16),
            },
        ),
        (serving.n_accelerators, {}, {"needed_bytes": (1e9, 1e13), "usable_bytes": (1e9, 1e11)}),
        (serving.usd_per_mtok, {}, {"rent_usd_per_h": (0.1, 99), "tokens_per_s": (1, 1e6)}),
        (
            kv.sequence_bytes,
            SEQUENCE | {"sink_tokens": 4},
            {"context_tokens": (1e2, 1e6), "window_tokens": (1e2, 1e6)},
        ),
        (
            roofline.step_s,
            {},
            {
                "step_bytes": (1e9, 1e13),
                "step_flop": (1e9, 1e16),
                "memory_bytes_per_s": (1e11, 1e13),
                "peak_flop_per_s": (1e13, 1e16),
                "bandwidth_fraction": (0.1, 1),
                "compute_fraction": (0.1, 1),
            },
        ),
        (work.prefill_flop, PREFILL, {"prompt_tokens": (1e3, 1e6), "reused_tokens": (1, 1e3)}),
        (
            work.prefill_flop,
            PREFILL,
            {"prompt_tokens": (1e3, 1e6), "window_tokens": (1e2, 1e5)},
        ),
        (
            pricing.request_usd,
            PRICES,
            {"input_tokens": (1, 1e6), "output_tokens": (1, 1e5), "cached_tokens": (0.01, 1)},
        ),
        (
            queueing.wait_s,
            {},
            {"requests_per_s": (1e-3, 5), "service_s": (1e-2, 10), "service_scv": (1e-2, 10)},
        ),
        (
            clipping.share_limit_tokens,
            {},
            {"clipped_fraction": (1e-4, 0.5), "mean_tokens": (50, 2e3), "sigma": (0.1, 2)},
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_translated_formula_equals_the_library(formula, fixed, ranges):
    points = log_grid(np.random.default_rng(0), 60, **ranges)
    text = expression(formula, **fixed, **{name: f"datum.{name}" for name in ranges})
    expected = [formula(**fixed, **point) for point in points]
    assert_allclose(evaluated(text, points), expected, rtol=1e-12)


def test_the_normal_law_of_vega_is_right_to_fifteen_digits():
    at = np.linspace(-9, 9, 361)
    points = [{"x": float(x)} for x in at]
    assert_allclose(evaluated("cumulativeNormal(datum.x)", points), special.ndtr(at), atol=5e-16)
    shares = np.geomspace(1e-6, 0.5, 40)
    found = evaluated("quantileNormal(datum.x)", [{"x": float(share)} for share in shares])
    assert_allclose(found, special.ndtri(shares), rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize(
    "formula",
    [
        clipping.clipped_fraction,
        clipping.clipped_mean_tokens,
        clipping.clipped_scv,
        clipping.clipped_third_moment,
    ],
)
def test_a_clipped_law_equals_the_library_but_for_the_last_digits_of_a_tail(formula):
    ranges = {"limit_tokens": (50, 2e4), "mean_tokens": (50, 2e3), "sigma": (0.3, 2)}
    points = log_grid(np.random.default_rng(0), 60, **ranges)
    text = expression(formula, **{name: f"datum.{name}" for name in ranges})
    expected = [formula(**point) for point in points]
    assert_allclose(evaluated(text, points), expected, rtol=1e-8, atol=1e-14)


def test_no_limit_is_no_limit_in_vega_too():
    law = {"mean_tokens": 400, "sigma": 1.2}
    limit = expression(clipping.share_limit_tokens, clipped_fraction="datum.share", **law)
    points = [{"share": 0.0}, {"share": 0.01}]
    limits = clipping.share_limit_tokens(clipped_fraction=[0, 0.01], **law)
    assert_allclose(evaluated(limit, points), limits)
    for formula in (clipping.clipped_mean_tokens, clipping.clipped_scv):
        text = expression(formula, limit_tokens=limit, **law)
        assert_allclose(evaluated(text, points), formula(limit_tokens=limits, **law), rtol=1e-12)


@pytest.mark.parametrize("tokens", [0.0, 35.0])
def test_a_limit_is_infinite_in_vega_too(tokens):
    text = expression(serving.usd_per_mtok, rent_usd_per_h=2.5, tokens_per_s="datum.rate")
    expected = serving.usd_per_mtok(rent_usd_per_h=2.5, tokens_per_s=tokens)
    assert_allclose(evaluated(text, [{"rate": tokens}]), expected)


def test_where_nobody_fits_vega_says_zero_users_and_infinite_cost():
    given = LLAMA_70B | CARD | {"weight_bits": 16, "cache_bits": 8, "context_tokens": "datum.n"}
    users = expression(serving.capacity_users, **given)
    cost = expression(serving.capacity_usd_per_mtok, **given, **SPEED, **HEADS, rent_usd_per_h=2.5)
    assert evaluated(users, [{"n": 4e3}]) == [0]
    assert evaluated(cost, [{"n": 4e3}]) == [np.inf]


def test_an_argument_may_itself_be_an_expression():
    text = expression(kv.kept_tokens, context_tokens="datum.k * 1000 + 1", window_tokens=5_000)
    assert evaluated(text, [{"k": 2}, {"k": 9}]).tolist() == [2_001, 5_000]


def test_an_expression_of_numbers_alone_is_their_value():
    text = expression(work.weight_bytes, n_params=70e9, weight_bits=4)
    assert float(text) == 35e9


# --- refusals ------------------------------------------------------------------------------


def branches(n):
    """Take a branch, which no expression can say."""
    if n > 1:
        return n
    return 0


def loops(n):
    """Add up in a loop."""
    total = 0
    for i in range(3):
        total = total + i * n
    return total


def sorts(n):
    """Call what Vega lacks."""
    return np.sort(n)


def rounds(n):
    """Divide without a remainder."""
    return n // 2


def reads_a_global(n):
    """Use a name that nobody defined."""
    return n * undefined_rate  # noqa: F821


def test_an_unknown_parameter_is_refused_by_name():
    with pytest.raises(TypeError, match="kept_tokens has no parameter colour"):
        expression(kv.kept_tokens, context_tokens="n", colour=1)


def test_a_missing_parameter_is_refused_by_name():
    with pytest.raises(TypeError, match="n_accelerators lacks usable_bytes"):
        expression(serving.n_accelerators, needed_bytes="n")


@pytest.mark.parametrize(
    ("formula", "quoted"),
    [
        (branches, "if n > 1"),
        (loops, "for i in range"),
        (sorts, "np.sort"),
        (rounds, "n // 2"),
        (reads_a_global, "undefined_rate"),
    ],
)
def test_what_vega_cannot_say_is_refused_and_quoted(formula, quoted):
    with pytest.raises(NotImplementedError, match=re.escape(quoted)):
        expression(formula, n="datum.n")
