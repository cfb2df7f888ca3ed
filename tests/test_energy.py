"""Power and energy: limits and published figures."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from costlib import energy

seeded = settings(derandomize=True, deadline=None)
shares = st.floats(0, 1)


@seeded
@given(shares, shares)
def test_power_lies_between_idle_and_the_design_power(idle, busy):
    found = energy.power_w(tdp_w=700, idle_fraction=idle, busy_fraction=busy)
    assert 700 * idle - 1e-9 <= found <= 700 + 1e-9


def test_eight_accelerators_draw_eight_times_as_much_and_more_when_busier():
    given = {"tdp_w": 1000, "idle_fraction": 0.2}
    one = energy.power_w(**given, busy_fraction=[0, 0.5, 1])
    assert_allclose(one, [200, 600, 1000])
    assert_allclose(energy.power_w(**given, busy_fraction=0.5, n_accelerators=8), 8 * one[1])


def test_a_token_that_is_never_made_has_no_finite_energy():
    assert np.isinf(energy.output_token_j(power_w=700, tokens_per_s=0))
