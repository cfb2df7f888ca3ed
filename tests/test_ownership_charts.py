"""The live chart of `own_rent_api` says at its start what the chapter says above it."""

import re

import pytest
from test_ownership import LOAD, MACHINE
from test_parity import told_by

from costlib import ownership
from costlib.charts import ownership_live as live

HELD_FOR = {"peak_times": 1.23, "rent_peak_times": 1.1, "n_spares": 1}
N_ACCELERATORS = 2


@pytest.mark.parametrize("mtok", [10_000.0, 100_000.0])
def test_the_read_out_at_the_start_is_the_chapters_function(mtok):
    moved = {"load_fraction": 0.8, "rent_usd_per_h": 2.95, "api_usd_per_mtok": 0.88}
    mine = ownership.regimes(
        [mtok],
        owned_usd_per_h=float(ownership.hour(MACHINE)["owned"]),
        tokens_per_s=LOAD["tokens_per_s"],
        n_accelerators=N_ACCELERATORS,
        node_accelerators=MACHINE.node_accelerators,
        **moved,
        **HELD_FOR,
    ).iloc[0]
    controls = live.plan_controls(
        mtok_per_month=mtok, electricity_usd_per_kwh=0.1, years=4.0, **moved
    )
    chart = live.try_plan(MACHINE, LOAD["tokens_per_s"], N_ACCELERATORS, controls, HELD_FOR)
    spec = chart.to_dict()
    start = {p["name"]: p["value"] for p in spec["params"] if "bind" in p}
    told = told_by(spec, start, "readout")
    found = {way: float(usd) for way, usd in re.findall(r"(API|rent|own) \$([\d.]+)", told)}
    assert found == {way: float(f"{mine[way]:.3g}") for way in ownership.WAYS}
    best = {"API": "call an API", "rent": "rent", "own": "own"}[mine["cheapest"]]
    assert f": {best} is cheapest." in told
    point = live.plan_point(
        MACHINE,
        LOAD["tokens_per_s"],
        N_ACCELERATORS,
        held_for=HELD_FOR,
        mtok_per_month=mtok,
        electricity_usd_per_kwh=0.1,
        years=4.0,
        **moved,
    )
    assert point.title["text"].endswith(f"{mine['cheapest']} is cheapest")


def test_only_the_ways_drawn_are_in_the_legend():
    assert tuple(live.HUES) == ownership.WAYS
