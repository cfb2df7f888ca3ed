"""The larger of two times: published steps and prefills, limits, properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import kv, roofline, work

H100 = {"memory_bytes_per_s": 3.35e12, "peak_flop_per_s": 989e12}  # BF16, dense
LLAMA_70B_LAYERS = {"n_layers": 80, "n_heads": 64}

seeded = settings(derandomize=True, deadline=None)
sizes = st.floats(min_value=1, max_value=1e15)
lengths = st.integers(min_value=0, max_value=300)
shares = st.floats(min_value=0.01, max_value=1)
instants = st.just(0.0) | st.floats(1e-9, 10)


@pytest.mark.parametrize(
    ("peak", "bandwidth", "digits", "printed"),
    [
        (1979e12, 3.35e12, 0, 591),  # the newsletter's H100: FP8
        (989e12, 3.35e12, 0, 295),  # the same card in BF16
        (490.3e12, 5.3e12, 1, 92.5),  # MI300A in TF32; the press prints 92
        (1.97e14, 8.2e11, 0, 240),  # TPU v5e: How To Scale Your Model, part 1
    ],
)
def test_ridges_are_those_published(peak, bandwidth, digits, printed):
    found = roofline.ridge_flop_per_byte(peak_flop_per_s=peak, memory_bytes_per_s=bandwidth)
    assert round(found, digits) == printed


def test_ring_decode_computes_for_0_2588_us_and_moves_for_0_64_ms_2473_times_longer():
    # the newsletter: 1M tokens over 128 H100s, one layer 8,192 wide, 4,096 bytes per token
    shard = 1e6 / 128
    flop = work.attention_flop(shard, n_layers=1, n_heads=64, attended_dim=256)
    computing = roofline.flop_s(flop=flop, peak_flop_per_s=989e12)
    cache = kv.sequence_bytes(shard, n_layers=1, n_kv_heads=8, cached_dim=256, bytes_per_value=2)
    moving = roofline.transfer_s(moved_bytes=cache, bytes_per_s=50e9)
    assert round(computing * 1e6, 4) == 0.2588
    assert round(moving * 1e3, 2) == 0.64
    assert round(moving / computing) == 2473


def test_the_query_alone_crosses_the_ring_in_0_33_us():
    # 8,192 values in BF16 over 400 Gbit/s
    assert round(roofline.transfer_s(moved_bytes=2 * 8192, bytes_per_s=50e9) * 1e6, 2) == 0.33


@pytest.mark.parametrize(("batch", "milliseconds"), [(1, 4.98), (8, 12.13), (240, 249.09)])
def test_steps_of_llama_2_13b_on_eight_tpu_v5e_take(batch, milliseconds):
    # How To Scale Your Model, part 7: 26 GB of weights, 6.7 GB per sequence, 8 x 0.82 TB/s
    moved = roofline.step_bytes(n_users=batch, weight_bytes=26e9, traffic_bytes=6.7e9)
    found = roofline.transfer_s(moved_bytes=moved, bytes_per_s=8 * 0.82e12)
    assert round(found * 1e3, 2) == milliseconds


@pytest.mark.parametrize(
    ("users", "traffic", "milliseconds", "user_tokens_per_s"),
    [
        (59, 655.36e6, 22.0, 45.5),  # 4K tokens: memory
        (1, 20.97152e9, 16.7, 59.9),  # 128K tokens: memory
        (1950, 20e6, 276.0, 3.6),  # a state of 20 MB: arithmetic
    ],
)
def test_a_70b_step_on_an_h100_takes(users, traffic, milliseconds, user_tokens_per_s):
    # hand arithmetic: (35 GB + users x traffic) / 3.35 TB/s against users x 140 GFLOP / 989 TFLOP/s
    found = roofline.step_s(
        step_bytes=roofline.step_bytes(n_users=users, weight_bytes=35e9, traffic_bytes=traffic),
        step_flop=roofline.step_flop(n_users=users, token_flop=140e9),
        **H100,
    )
    assert round(found * 1e3, 1) == milliseconds
    assert round(1 / found, 1) == user_tokens_per_s


@seeded
@given(moved=sizes, flop=sizes, bandwidth=sizes, peak=sizes, reached=shares)
def test_a_step_is_the_slower_of_its_two_roofs_and_never_faster_than_either(
    moved, flop, bandwidth, peak, reached
):
    found = roofline.step_s(
        step_bytes=moved,
        step_flop=flop,
        memory_bytes_per_s=bandwidth,
        peak_flop_per_s=peak,
        bandwidth_fraction=reached,
        compute_fraction=reached,
    )
    roofs = moved / (bandwidth * reached), flop / (peak * reached)
    assert_allclose(found, max(roofs))
    assert found >= max(moved / bandwidth, flop / peak)


@seeded
@given(context=st.integers(0, 10**7), more=st.integers(0, 10**7), users=st.integers(1, 1000))
def test_a_longer_context_never_shortens_a_step(context, more, users):
    shape = {"n_layers": 80, "n_kv_heads": 8, "cached_dim": 256, "bytes_per_value": 1}
    contexts = np.array([context, context + more])
    moved = roofline.step_bytes(
        n_users=users, weight_bytes=35e9, traffic_bytes=kv.sequence_bytes(contexts, **shape)
    )
    flop = work.attention_flop(contexts, **LLAMA_70B_LAYERS, attended_dim=256)
    worked = roofline.step_flop(
        n_users=users, token_flop=work.token_flop(active_params=70e9, attention_flop=flop)
    )
    short, long = roofline.step_s(step_bytes=moved, step_flop=worked, **H100)
    assert short <= long


@pytest.mark.parametrize("rate", ["bandwidth_fraction", "memory_bytes_per_s", "peak_flop_per_s"])
def test_a_roof_of_zero_is_refused(rate):
    with pytest.raises(ValueError, match=rf"^{rate} must be positive, got 0.0"):
        roofline.step_s(**({"step_bytes": 1, "step_flop": 1} | H100 | {rate: 0}))


def test_a_128k_prefill_of_a_70b_takes_79_7_s_at_half_of_the_peak():
    # hand arithmetic: 2 N n + 2 n^2 d L = 3.94e16 FLOP over 494.5 TFLOP/s
    flop = work.prefill_flop(
        128e3, active_params=70e9, **LLAMA_70B_LAYERS, prefill_attended_dim=256
    )
    assert round(flop / 1e16, 2) == 3.94
    found = roofline.prefill_s(prefill_flop=flop, weight_bytes=35e9, compute_fraction=0.5, **H100)
    assert round(found, 1) == 79.7


def test_a_one_token_prefill_waits_for_the_weights():
    # 35 GB over 3.35 TB/s
    found = roofline.prefill_s(prefill_flop=140e9, weight_bytes=35e9, **H100)
    assert round(found * 1e3, 2) == 10.45


def test_the_stacks_of_a_device_move_what_its_sheet_says():
    """MI300X: eight stacks of 1,024 pins at 5.2 Gbit/s."""
    stack = roofline.stack_bytes_per_s(n_pins=1024, pin_bits_per_s=5.2e9)
    assert_allclose(8 * stack, 5.325e12, rtol=1e-4)


@pytest.mark.parametrize("share", ["bandwidth_fraction", "compute_fraction"])
def test_a_share_of_zero_is_refused_by_its_name(share):
    with pytest.raises(ValueError, match=rf"^{share} must be positive, got 0\.0"):
        roofline.step_s(step_bytes=1, step_flop=1, **H100, **{share: 0})


def test_a_ridge_needs_both_roofs():
    roofs = {"peak_flop_per_s": 1e15, "memory_bytes_per_s": 3e12}
    for name in roofs:
        with pytest.raises(ValueError, match=f"^{name} must be positive, got 0.0"):
            roofline.ridge_flop_per_byte(**(roofs | {name: 0}))


def test_a_link_of_no_width_is_refused():
    with pytest.raises(ValueError, match=r"^bytes_per_s must be positive, got 0\.0"):
        roofline.transfer_s(moved_bytes=1, bytes_per_s=0)


@seeded
@given(moving=instants, computing=instants, unit=st.floats(0.1, 1000))
def test_an_overlap_favours_no_side_and_knows_no_unit_of_time(moving, computing, unit):
    both = roofline.overlapped_s(moving_s=moving, computing_s=computing)
    turned = roofline.overlapped_s(moving_s=computing, computing_s=moving)
    scaled = roofline.overlapped_s(moving_s=unit * moving, computing_s=unit * computing)
    assert_allclose([turned, scaled / unit], both, rtol=1e-9, atol=1e-12)
    slower, one_by_one = max(moving, computing), moving + computing
    assert slower * (1 - 1e-9) <= both <= one_by_one * (1 + 1e-9) + 1e-12


def test_nothing_to_do_takes_no_time():
    assert roofline.stack_bytes_per_s(n_pins=0, pin_bits_per_s=1e9) == 0
    assert roofline.stack_bytes_per_s(n_pins=1024, pin_bits_per_s=0) == 0
    assert roofline.flop_s(flop=0, peak_flop_per_s=1e15) == 0
    assert roofline.transfer_s(moved_bytes=0, bytes_per_s=1e9) == 0
    assert roofline.step_s(step_bytes=0, step_flop=0, **H100) == 0
    assert roofline.prefill_s(prefill_flop=0, weight_bytes=0, **H100) == 0


def test_an_empty_step_moves_the_weights_and_users_of_nothing_move_nothing():
    assert roofline.step_bytes(n_users=0, weight_bytes=35e9, traffic_bytes=1e9) == 35e9
    assert roofline.step_bytes(n_users=7, weight_bytes=0, traffic_bytes=1) == 7
    assert roofline.step_bytes(n_users=np.inf, weight_bytes=35e9, traffic_bytes=0) == 35e9
    assert roofline.step_flop(n_users=0, token_flop=140e9) == 0
    assert roofline.step_flop(n_users=7, token_flop=0) == 0


def test_each_share_slows_its_own_roof():
    """Memory-bound by half the bandwidth, arithmetic-bound by a tenth of the peak."""
    memory = {"step_bytes": 3.35e12, "step_flop": 1.0}
    arithmetic = {"step_bytes": 1.0, "step_flop": 989e12}
    shares = {"bandwidth_fraction": 0.5, "compute_fraction": 0.1}
    assert_allclose(roofline.step_s(**memory, **H100, **shares), 2)
    assert_allclose(roofline.step_s(**arithmetic, **H100, **shares), 10)
    assert_allclose(roofline.step_s(**memory, **H100), 1)
    assert_allclose(roofline.step_s(**arithmetic, **H100), 1)
    read = {"weight_bytes": 3.35e12, "prefill_flop": 1.0}
    assert_allclose(roofline.prefill_s(**read, **H100, **shares), 2)
