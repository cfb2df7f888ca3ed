"""Reloading a cache against computing it again: formulas, table of tiers, study, charts."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from costlib import catalog, kv, reloading, roofline, serve, serving, tiers, units, work
from costlib.charts import tiers as charts
from costlib.deploy import scenarios
from costlib.tables import TableError

LLAMA = catalog.model("Llama-3.1-70B")
H100 = catalog.accelerator("H100")
PER_TOKEN = 163_840  # bytes of Llama-3.1-70B at one byte per value
SHAPE = {"active_params": 70e9, "n_layers": 80, "n_heads": 64, "prefill_attended_dim": 256}
HALF = {"peak_flop_per_s": 989e12, "compute_fraction": 0.5}


def cache_bytes(tokens):
    return kv.sequence_bytes(tokens, **catalog.cache_layers(LLAMA), bytes_per_value=1)


# --- what sources print ------------------------------------------------------------------------


def test_96k_come_back_from_a_drive_in_2_25_s_and_over_pcie_in_246_ms():
    assert round(cache_bytes(96e3) / 1e9, 2) == 15.73
    table = catalog.tiers()
    assert roofline.transfer_s(
        moved_bytes=cache_bytes(96e3), bytes_per_s=table["Local NVMe"].bytes_per_s
    ) == pytest.approx(2.25, abs=0.005)
    assert roofline.transfer_s(
        moved_bytes=cache_bytes(96e3), bytes_per_s=table["Host memory"].bytes_per_s
    ) == pytest.approx(0.246, abs=0.0005)


def test_96k_are_computed_in_51_6_s_at_half_of_the_peak():
    seconds = reloading.assumed_s(LLAMA, active_params=70e9, context_tokens=96e3, **HALF)
    assert round(float(seconds), 1) == 51.6


def test_128k_across_zones_cost_21_cents_at_one_end_and_twice_that_as_billed():
    zone = catalog.tiers()["Memory in another zone"].read_usd_per_gb
    usd = tiers.transfer_usd(moved_bytes=cache_bytes(128e3), usd_per_gb=[zone / 2, zone])
    assert_allclose(usd, [0.2097, 0.4194], rtol=1e-3)
    prefill = reloading.assumed_s(LLAMA, active_params=70e9, context_tokens=128e3, **HALF)
    cost = serving.rent_usd(held_s=prefill, rent_usd_per_h=2.5)
    assert round(float(cost), 3) == 0.055


# --- the crossing --------------------------------------------------------------------------------


@pytest.mark.parametrize("gb_per_s", [0.05, 0.2, 0.3, 0.4, 0.5, 0.57])
def test_at_the_crossing_both_ways_take_equally_long(gb_per_s):
    def ahead(tokens):
        flop = work.prefill_flop(tokens, **SHAPE)
        return float(
            roofline.flop_s(flop=flop, **HALF)
            - roofline.transfer_s(moved_bytes=PER_TOKEN * tokens, bytes_per_s=gb_per_s * 1e9)
        )

    found = tiers.crossing_tokens(
        bytes_per_token=PER_TOKEN, bytes_per_s=gb_per_s * 1e9, **SHAPE, **HALF
    )
    assert found == pytest.approx(brentq(ahead, 1, 1e7, xtol=1e-6), rel=1e-9)
    assert ahead(found * 0.9) < 0 < ahead(found * 1.1)


def test_a_fast_link_always_wins_and_without_attention_a_slow_one_never_does():
    crossing = tiers.crossing_tokens(
        bytes_per_token=PER_TOKEN, bytes_per_s=[0.6e9, 7e9, 1e15], **SHAPE, **HALF
    )
    assert crossing.tolist() == [0, 0, 0]
    flat = SHAPE | {"n_heads": 0}
    ends = tiers.crossing_tokens(
        bytes_per_token=[PER_TOKEN, PER_TOKEN, 0], bytes_per_s=[0.1e9, 7e9, 1], **flat, **HALF
    )
    assert ends.tolist() == [np.inf, 0, 0]


def test_parity_has_its_limits():
    found = tiers.parity_bytes_per_s(sequence_bytes=[6.0, 6.0, 0.0, 0.0], prefill_s=[2, 0, 2, 0])
    assert found.tolist() == [3, np.inf, 0, 0]


# --- keeping -------------------------------------------------------------------------------------


def test_keeping_up_to_the_break_even_costs_what_it_saves():
    kept = {"sequence_bytes": 15.7e9, "usd_per_gb_h": 0.0032}
    hours = tiers.worth_holding_h(prefill_usd=0.03, reload_usd=0.002, **kept)
    assert tiers.holding_usd(held_s=hours * 3600, **kept) + 0.002 == pytest.approx(0.03)


def test_keeping_has_its_limits():
    def hours(prefill_usd, reload_usd, usd_per_gb_h):
        return tiers.worth_holding_h(
            prefill_usd=prefill_usd,
            reload_usd=reload_usd,
            sequence_bytes=1e9,
            usd_per_gb_h=usd_per_gb_h,
        )

    assert hours([1, 2, 3], 2, 0).tolist() == [0, 0, np.inf]
    assert hours([1, 2, 3], 2, 0.5).tolist() == [0, 0, 2]
    free = tiers.affordable_sessions(
        budget_usd_per_h=[0, 1], sequence_bytes=1e9, usd_per_gb_h=[0.5, 0]
    )
    assert free.tolist() == [0, np.inf]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: tiers.transfer_j(moved_bytes=1, j_per_gb=-1), "j_per_gb"),
        (lambda: tiers.transfer_usd(moved_bytes=np.nan, usd_per_gb=1), "moved_bytes"),
        (
            lambda: tiers.crossing_tokens(
                bytes_per_token=1, bytes_per_s=0, peak_flop_per_s=1, **SHAPE
            ),
            "bytes_per_s",
        ),
        (
            lambda: tiers.crossing_tokens(
                bytes_per_token=1, bytes_per_s=1, peak_flop_per_s=1, compute_fraction=0, **SHAPE
            ),
            "compute_fraction",
        ),
        (
            lambda: reloading.reloads("Llama-3.1-8B", "H100", context_tokens=0, rent_usd_per_h=1),
            "context_tokens",
        ),
        (
            lambda: reloading.reloads("Llama-3.1-8B", "H100", context_tokens=9, rent_usd_per_h=-1),
            "rent_usd_per_h",
        ),
        (
            lambda: reloading.reloads(
                "Llama-3.1-8B", "H100", context_tokens=9, rent_usd_per_h=1, new_tokens=0
            ),
            "new_tokens",
        ),
        (lambda: reloading.parity(["Llama-3.1-8B"], "H100", context_tokens=-5), "context_tokens"),
    ],
)
def test_bad_input_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=f"^{named} "):
        call()


# --- the table of tiers --------------------------------------------------------------------------


def test_a_tier_is_as_fast_as_the_slower_of_device_and_link():
    table = catalog.tiers()
    assert table["Local NVMe"].bytes_per_s == 7 * units.GB  # the drive
    assert table["Host memory"].bytes_per_s == 64 * units.GB  # the link
    assert np.isnan(table[reloading.OWN_MEMORY].bytes_per_s)


def test_prices_are_the_differences_that_the_notes_state():
    table = catalog.tiers()
    memory = (8.064 - 2 * 2.72) / (768 * units.GIB / units.GB)
    assert table["Host memory"].usd_per_gb_h == pytest.approx(memory, rel=1e-3)
    assert table["Local NVMe"].usd_per_gb_h == pytest.approx((0.4608 - 0.4032) / 474, rel=1e-3)
    assert table["Shared storage"].usd_per_gb_h == pytest.approx(0.11 / 730, rel=1e-3)


def test_energies_are_what_the_notes_state():
    table = catalog.tiers()
    bits = 8 * units.GB * 1e-12  # of a gigabyte, at a picojoule each
    drive, optics, memory = 1000 / (608 / 1.3), 4 * 9 / 50, 14 * bits
    assert_allclose(
        [tier.j_per_gb for tier in table.values()],
        [3.97 * bits, memory, drive, 1000 / 608, memory + optics, drive + optics, memory + optics],
        rtol=1e-3,
    )


def test_a_tier_over_an_unknown_link_is_refused(tmp_path):
    good = (catalog.data_path("tiers.csv")).read_text(encoding="utf-8")
    bad = tmp_path / "tiers.csv"
    bad.write_text(good.replace("PCIe 5 x16,,yes", "string,,yes"), encoding="utf-8")
    with pytest.raises(TableError, match=r"link 'string', which links\.csv lacks"):
        catalog.tiers(bad)


# --- the study -----------------------------------------------------------------------------------

FOUR = {"rent_usd_per_h": 2.5, "n_accelerators": 4}


@pytest.fixture(scope="module")
def at_once():
    table = reloading.reloads("Llama-3.1-70B", "H100", context_tokens=96e3, **FOUR)
    return table.set_index("tier")


def test_every_tier_stands_there_once_per_length():
    table = reloading.reloads("Llama-3.1-70B", "H100", context_tokens=[1e3, 1e4], **FOUR)
    assert len(table) == 2 * len(catalog.tiers())
    assert not table.duplicated(["tier", "context_tokens"]).any()


def test_computing_is_what_the_serving_model_predicts(at_once):
    alone = {"n_accelerators": 4, "n_clients": 1, "output_tokens": 1}
    done = serve.prediction(scenarios("Llama-3.1-70B", "H100", input_tokens=96e3, **alone))
    row = at_once.loc["Local NVMe"]
    assert row.prefill_s == pytest.approx(float(done.prompt_s))
    assert row.prefill_usd == pytest.approx(4 * 2.5 * row.prefill_s / 3600)
    assert row.prefill_low_s < row.prefill_s < row.prefill_high_s
    later = serve.prediction(scenarios("Llama-3.1-70B", "H100", input_tokens=97e3, **alone))
    assert row.prefill_ttft_s == pytest.approx(float(later.ttft_s))


def test_each_accelerator_has_its_own_drive_but_all_share_the_storage(at_once):
    one = reloading.reloads("Llama-3.1-70B", "H100", context_tokens=96e3, rent_usd_per_h=2.5)
    alone = one.set_index("tier").reload_s
    assert at_once.reload_s["Local NVMe"] == pytest.approx(alone["Local NVMe"] / 4)
    assert alone["Local NVMe"] == pytest.approx(2.2469, abs=1e-4)
    assert at_once.reload_s["Shared storage"] == pytest.approx(alone["Shared storage"])


def test_what_is_already_there_is_not_moved(at_once):
    own = at_once.loc[reloading.OWN_MEMORY]
    assert [own.reload_s, own.reload_j, own.reload_usd] == [0, 0, 0]
    assert own.usd_per_gb_h == pytest.approx(2.5 / (H100.memory_bytes / 1e9))
    beside_weights = 4 * H100.memory_bytes - 70e9
    assert 0 < own.held_sessions <= beside_weights / own.sequence_bytes


def test_the_first_token_waits_for_the_cache_and_for_what_is_new(at_once):
    waits = at_once.reload_ttft_s - at_once.reload_s
    assert_allclose(waits, waits[reloading.OWN_MEMORY], rtol=1e-9)
    assert waits[reloading.OWN_MEMORY] > 0
    assert (at_once.reload_ttft_s < at_once.prefill_ttft_low_s).all()


def test_money_and_energy_are_those_of_who_waits_and_of_the_bytes(at_once):
    row, tier = at_once.loc["Shared storage"], catalog.tiers()["Shared storage"]
    gigabytes = row.sequence_bytes / 1e9
    assert row.reload_usd == pytest.approx(
        4 * 2.5 * row.reload_s / 3600 + gigabytes * tier.read_usd_per_gb
    )
    idle_w = 4 * 700 * 0.15
    assert row.reload_j == pytest.approx(idle_w * row.reload_s + gigabytes * tier.j_per_gb)


def test_farther_tiers_keep_more_for_a_dollar_and_are_worth_it_for_longer(at_once):
    near = [reloading.OWN_MEMORY, "Host memory", "Local NVMe"]
    assert at_once.sessions_per_usd_h[near].is_monotonic_increasing
    assert at_once.worth_holding_h[near].is_monotonic_increasing
    assert at_once.worth_holding_h["Memory in another zone"] == 0  # the bill exceeds the saving


def test_parity_is_the_cache_over_the_seconds_of_one_accelerator():
    found = reloading.parity(["Llama-3.1-70B"], "H100", context_tokens=96e3).iloc[0]
    one = reloading.reloads("Llama-3.1-70B", "H100", context_tokens=96e3, rent_usd_per_h=0)
    assert found.bytes_per_s == pytest.approx(one.sequence_bytes[0] / one.prefill_s[0])
    assert found.low < found.bytes_per_s < found.high


# --- charts --------------------------------------------------------------------------------------


def words_of(chart):
    return chart.to_dict()["title"]["text"]


def test_the_title_of_the_lines_says_what_they_show():
    table = reloading.reloads("Llama-3.1-70B", "H100", context_tokens=[1e3, 1e5], **FOUR)
    least = (table.prefill_s / table.reload_s)[table.tier == "Shared storage"].min()
    assert f"by {least:.1f} times" in words_of(charts.reload_lines(table, machine="4 H100s"))
    slow = table.assign(reload_s=table.reload_s * 100)
    assert "can be the faster way" in words_of(charts.reload_lines(slow, machine="4 H100s"))


def test_the_parity_chart_names_its_highest_point_and_refuses_too_many_lines():
    rows = reloading.parity(["Llama-3.1-8B"], "H100", context_tokens=[1e3, 1e5])
    chart = charts.parity_lines(rows, {"Local NVMe": 7e9}, accelerator="H100")
    assert f"{rows.bytes_per_s.max() / 1e9:.2g}\u00a0GB/s" in words_of(chart)
    many = pd.concat([rows.assign(model=f"m{k}") for k in range(8)])
    with pytest.raises(ValueError, match=r"^models"):
        charts.parity_lines(many, {"Local NVMe": 7e9}, accelerator="H100")


def test_the_table_has_computing_last_and_says_never_where_keeping_never_pays(at_once):
    plain = repr(charts.tier_table(at_once.reset_index(), title="tiers"))
    assert plain.splitlines()[-1].startswith("Compute again | 9.43")
    (zone,) = [line for line in plain.splitlines() if line.startswith("Memory in another zone")]
    assert "never pays" in zone
