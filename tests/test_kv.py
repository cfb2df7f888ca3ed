"""Cache and state: published values, limits, layer groups, properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from costlib import kv

LLAMA_2_7B = {"n_layers": 32, "n_kv_heads": 32, "cached_dim": 256}
LLAMA_2_13B = {"n_layers": 40, "n_kv_heads": 40, "cached_dim": 256}
LLAMA_3_70B = {"n_layers": 80, "n_kv_heads": 8, "cached_dim": 256}
GPT_3 = {"n_layers": 96, "n_kv_heads": 96, "cached_dim": 256}
JAMBA = {
    "n_layers": np.array([4, 28]),
    "n_kv_heads": np.array([8, 0]),
    "cached_dim": np.array([256, 0]),
    "state_values": np.array([0, 8192 * 16]),
}

seeded = settings(derandomize=True, deadline=None)
counts = st.integers(min_value=1, max_value=200)
contexts = st.integers(min_value=0, max_value=10_000_000)
widths = st.floats(min_value=0.25, max_value=4)


@pytest.mark.parametrize(
    ("shape", "bytes_per_value", "printed"),
    [
        # Zhao et al. 2025, Insights into DeepSeek-V3, table 1: BF16, in KB
        ({"n_layers": 61, "n_kv_heads": 1, "cached_dim": 576}, 2, 70_272),
        ({"n_layers": 80, "n_kv_heads": 8, "cached_dim": 256}, 2, 327_680),
        ({"n_layers": 126, "n_kv_heads": 8, "cached_dim": 256}, 2, 516_096),
        # Kwon et al. 2023, section 3: OPT-13B in FP16, 800 KB of 1,024 bytes
        (LLAMA_2_13B, 2, 800 * 1024),
        # the newsletter's 70B at one byte: 160 KiB
        (LLAMA_3_70B, 1, 160 * 1024),
    ],
)
def test_bytes_per_token_are_those_published(shape, bytes_per_value, printed):
    assert kv.bytes_per_token(**shape, bytes_per_value=bytes_per_value) == printed


def test_gpt_3_keeps_4_7_mb_per_token_in_fp16():
    assert round(kv.bytes_per_token(**GPT_3, bytes_per_value=2) / 1e6, 1) == 4.7


def test_deepseek_v2_saves_93_3_percent_against_deepseek_67b():
    # DeepSeek-V2, abstract: 6-bit latents of 60 layers against FP16 in the 95 layers of the 67B
    v2 = kv.bytes_per_token(n_layers=60, n_kv_heads=1, cached_dim=576, bytes_per_value=6 / 8)
    dense = kv.bytes_per_token(n_layers=95, n_kv_heads=8, cached_dim=256, bytes_per_value=2)
    assert round(1 - v2 / dense, 3) == 0.933


@pytest.mark.parametrize(
    ("context_tokens", "shape", "bytes_per_value", "unit", "digits", "printed"),
    [
        (128_000, LLAMA_3_70B, 1, 1e9, 2, 20.97),  # the newsletter
        (8_192, LLAMA_2_13B, 2, 1e9, 1, 6.7),  # How To Scale Your Model, part 7
        # Jamba, table 1: 16-bit cache at 256K tokens, in GB of 2**30 bytes
        (256 * 1024, LLAMA_2_7B, 2, 2**30, 0, 128),
        (256 * 1024, {"n_layers": 32, "n_kv_heads": 8, "cached_dim": 256}, 2, 2**30, 0, 32),
        (256 * 1024, {"n_layers": 4, "n_kv_heads": 8, "cached_dim": 256}, 2, 2**30, 0, 4),
    ],
)
def test_sequences_take_the_published_memory(
    context_tokens, shape, bytes_per_value, unit, digits, printed
):
    found = kv.sequence_bytes(context_tokens, **shape, bytes_per_value=bytes_per_value)
    assert round(found / unit, digits) == printed


def test_state_of_a_70b_wide_mamba_is_20_97_mb_at_one_byte_and_four_times_that_in_fp32():
    shape = {"n_layers": 80, "state_values": 16_384 * 16}
    one_byte = kv.state_bytes(**shape, bytes_per_state_value=1)
    assert round(one_byte / 1e6, 2) == 20.97  # the newsletter prints 20 MB
    assert kv.state_bytes(**shape) == 4 * one_byte


@pytest.mark.parametrize(
    ("context", "window", "sinks", "kept"),
    [
        (0, 4_000, 4, 0),
        (4_003, 4_000, 4, 4_003),
        (4_004, 4_000, 4, 4_004),
        (128_000, 4_000, 4, 4_004),
        (128_000, np.inf, 0, 128_000),
        (128_000, np.inf, 4, 128_000),
        (128_000, 0, 4, 4),
        (128_000, 0, 0, 0),
    ],
)
def test_a_window_keeps_its_latest_tokens_and_the_sinks(context, window, sinks, kept):
    assert kv.kept_tokens(context, window_tokens=window, sink_tokens=sinks) == kept


def test_without_context_only_the_state_is_left():
    empty = kv.sequence_bytes(0, **JAMBA, bytes_per_value=2)
    assert empty == kv.state_bytes(n_layers=28, state_values=8192 * 16)


def test_the_sum_over_groups_is_the_sum_of_each_group_alone():
    together = kv.sequence_bytes([0, 1_000, 256_000], **JAMBA, bytes_per_value=2)
    alone = [
        kv.sequence_bytes(
            [0, 1_000, 256_000],
            **{name: values[group] for name, values in JAMBA.items()},
            bytes_per_value=2,
        )
        for group in (0, 1)
    ]
    assert_array_equal(together, sum(alone))


def test_equal_layers_may_be_split_into_groups_at_will():
    whole = kv.sequence_bytes(9_999, **LLAMA_3_70B, bytes_per_value=1)
    assert whole == kv.sequence_bytes(
        9_999, n_layers=[1, 29, 50], n_kv_heads=8, cached_dim=256, bytes_per_value=1
    )


def test_scenarios_broadcast_against_each_other_and_keep_apart_from_the_groups():
    # two scenario axes of lengths 3 and 2 with two groups: no axis may be taken for another
    context, width = np.array([[1e3], [32e3], [128e3]]), np.array([2, 0.5])
    grid = kv.sequence_bytes(context, **JAMBA, bytes_per_value=width)
    one_by_one = [
        [kv.sequence_bytes(c, **JAMBA, bytes_per_value=b) for b in width] for c in context[:, 0]
    ]
    assert_array_equal(grid, one_by_one)


@seeded
@given(context=contexts, layers=counts, heads=counts, factor=st.integers(2, 64))
def test_the_cache_is_linear_in_context(context, layers, heads, factor):
    shape = {"n_layers": layers, "n_kv_heads": heads, "cached_dim": 256, "bytes_per_value": 2}
    assert kv.sequence_bytes(factor * context, **shape) == factor * kv.sequence_bytes(
        context, **shape
    )


@seeded
@given(context=contexts, width=widths, narrow=contexts, more=contexts)
def test_a_wider_window_never_keeps_less_and_an_infinite_one_keeps_all(
    context, width, narrow, more
):
    found = [
        kv.group_bytes(context, **LLAMA_3_70B, bytes_per_value=width, window_tokens=window)
        for window in (narrow, narrow + more, np.inf)
    ]
    assert found == sorted(found)
    assert found[-1] == kv.group_bytes(context, **LLAMA_3_70B, bytes_per_value=width)


@seeded
@given(sequence=contexts, state=contexts)
def test_a_step_reads_everything_and_writes_the_state_back(sequence, state):
    moved = kv.traffic_bytes(sequence_bytes=sequence + state, state_bytes=state)
    assert_allclose(moved, sequence + 2 * state)


def test_a_refusal_inside_a_sweep_says_where_it_happened():
    with pytest.raises(
        ValueError, match=r"^context_tokens must not be negative, got -2.0 at index"
    ):
        kv.sequence_bytes([1, -2], **LLAMA_3_70B, bytes_per_value=1)


def test_what_is_not_said_is_not_there():
    """No window, no sinks; and a state that is named without its width is FP32."""
    bare = {"n_layers": 3, "n_kv_heads": 1, "cached_dim": 1, "bytes_per_value": 1}
    assert kv.kept_tokens(10**9) == 10**9
    assert kv.kept_tokens(100, window_tokens=7) == 7
    for memory_bytes in (kv.group_bytes, kv.sequence_bytes):
        assert memory_bytes(10**9, **bare) == 3 * 10**9
        assert memory_bytes(100, **bare, window_tokens=7) == 3 * 7
        assert memory_bytes(0, **bare, state_values=5) == 3 * 5 * 4


def test_a_model_without_layers_keeps_nothing():
    cache = {"n_kv_heads": 8, "cached_dim": 256, "bytes_per_value": 2}
    assert kv.bytes_per_token(n_layers=0, **cache) == 0
    assert kv.state_bytes(n_layers=0, state_values=100) == 0


@pytest.mark.parametrize("width", ["bytes_per_value", "bytes_per_state_value"])
def test_a_value_takes_room(width):
    given = {"bytes_per_value": 2, "bytes_per_state_value": 4} | {width: 0}
    with pytest.raises(ValueError, match=f"^{width} must be positive, got 0.0"):
        kv.sequence_bytes(1_000, **JAMBA, **given)


@pytest.mark.parametrize("formula", ["bytes_per_token", "state_bytes"])
def test_no_model_has_layers_without_end(formula):
    shape = {"bytes_per_token": {"n_kv_heads": 8, "cached_dim": 256, "bytes_per_value": 1}}
    given = shape.get(formula, {"state_values": 0})
    with pytest.raises(ValueError, match=r"^n_layers must be finite, got inf"):
        getattr(kv, formula)(n_layers=np.inf, **given)
