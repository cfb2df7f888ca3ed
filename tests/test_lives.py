"""Lives: one asset in the books and at work, against sums written out here."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate

from costlib import lives
from costlib.tables import TableError, data_path

ASSET = lives.Asset(
    cost_usd=30e3,
    salvage_fraction=0,
    life_years=6,
    rent_usd_per_h=3,
    yearly_times=0.8,
    busy_fraction=0.8,
    opex_usd_per_h=0.6,
    interest_fraction=0.1,
    service_years=8,
)
TIERS = {"edges_years": [0, 2, 4, 6], "busy": [0.9, 0.7, 0.8], "rent_times": [1, 1, 0.5]}
COMPONENTS = {
    "gpu_fraction": 0.6,
    "gpu_salvage_fraction": 0.325,
    "gpu_years": 4,
    "rest_years": 7,
}


def test_every_method_starts_at_the_cost_and_writes_the_rest_off():
    table = lives.books(
        ASSET, np.arange(0, 9), edges_years=TIERS["edges_years"], busy=TIERS["busy"]
    )
    books = table.pivot(index="year", columns="method", values="book_usd")
    assert set(books) == set(lives.METHODS)
    assert_allclose(books.loc[0], 30e3)
    assert (books.diff().iloc[1:] <= 1e-9).all().all()
    assert_allclose(books.loc[6].drop("double declining"), 0, atol=1e-9)
    assert_allclose(books.loc[2, "by use"], 30e3 * (1 - 1.8 / 4.8))
    assert_allclose(books.loc[[1, 2], "double declining"], [20e3, 30e3 * 4 / 9])
    assert_allclose(books.loc[2, "tax (MACRS)"], 30e3 * 0.48)


def test_the_first_months_under_water_are_those_of_both_rules():
    table = lives.months(ASSET)
    assert len(table) == 73
    assert lives.first_month(table, "one_step_usd") == 4
    assert lives.first_month(table, "two_step_usd") == 11
    assert lives.first_month(lives.months(ASSET.falling(0.1)), "one_step_usd") == np.inf
    row = table.iloc[11]
    assert_allclose(row.two_step_usd, row.book_usd - row.in_use_usd)
    assert (table.two_step_usd <= table.one_step_usd + 1e-9).all()


def test_values_of_a_month_are_integrals():
    row = lives.months(ASSET).iloc[30]

    def hour(t, interest):
        return 8760 * (0.8 * 3 * 0.8**t - 0.6) * (1 + interest) ** (2.5 - t)

    end = np.log(0.25) / np.log(0.8)
    for name, interest in (("in_use_usd", 0.1), ("undiscounted_usd", 0)):
        assert_allclose(row[name], integrate.quad(hour, 2.5, end, (interest,))[0])


def test_a_table_of_lives_and_falls_says_what_each_asset_says_alone():
    table = lives.under_water(ASSET, [3, 6], [0.1, 0.2, 0.3]).set_index(
        ["life_years", "decline_fraction"]
    )
    for (life, fall), row in table.iterrows():
        alone = lives.months(replace(ASSET, life_years=life).falling(fall))
        under = alone.in_use_usd < alone.book_usd - 1e-6
        assert row.n_months == under[:-1].sum()
        assert row.first_month == (alone.month[under].min() if under.any() else np.inf)


def test_a_token_carries_charge_and_operation():
    table = lives.token_costs(ASSET, [3, 6], tokens_per_s=1000, **COMPONENTS)
    hours = 8760 * 0.8
    assert_allclose(table.usd_per_mtok[:2], (np.array([10e3, 5e3]) / hours + 0.75) / 3.6)
    assert_allclose(table.share_fraction * table.usd_per_mtok, table.charge_usd_per_mtok)
    assert_allclose(table.life_years, [3, 6, 6.313], rtol=1e-4)
    assert list(table.words) == ["3 years", "6 years", "by component"]


def test_holding_is_worth_what_its_flows_are():
    table = lives.held_values(ASSET, [0, 4], [0.2])

    def hour(t):
        return 8760 * (2.4 * 0.8**t - 0.6) * 1.1**-t

    value = integrate.quad(hour, 0, 4)[0] + 30e3 * ((0.8 / 1.1) ** 4 - 1)
    assert_allclose(table.npv_usd, [0, value], atol=1e-9)


def test_tiers_add_up_to_holding_where_use_and_price_do_not_change():
    same = TIERS | {"busy": [0.8] * 3, "rent_times": [1] * 3}
    table = lives.stages(ASSET, [0.1, 0.2], **same)
    whole = lives.held_values(ASSET, [6], [0.1, 0.2])
    resale = 30e3 * ((np.array([0.9, 0.8]) / 1.1) ** 6 - 1)
    assert_allclose(table.total_usd, whole.npv_usd - resale)
    worse = lives.stages(ASSET, [0.1, 0.2], **same | {"rent_times": [1, 1, 0.5]})
    assert_allclose(worse.stage_1, table.stage_1)
    assert (worse.stage_3 < table.stage_3).all()
    busier = lives.stages(ASSET, [0.1, 0.2], **same | {"busy": [0.9, 0.8, 0.8]})
    assert (busier.stage_1 > table.stage_1).all()
    assert_allclose(busier.stage_2, table.stage_2)


def test_it_earns_until_operation_costs_more():
    assert_allclose(lives.earning_years(ASSET, [0.2, 0.3]), np.log(0.25) / np.log([0.8, 0.7]))
    assert lives.earning_years(ASSET, 0) == 8


def test_schedules_imply_the_cost_that_explains_their_effect():
    table = lives.schedules()
    assert table.as_of.min() >= "2021"
    assert (table.life_from_years.dropna() >= 3).all()
    assert (table.life_to_years <= 6).all()
    shorter = table[table.life_to_years < table.life_from_years]
    assert list(shorter.company) == ["Amazon"]
    known = table[table.charge_usd.notna()]
    gap = abs(1 / known.life_from_years - 1 / known.life_to_years)
    assert_allclose(known.base_usd * gap, known.charge_usd)
    assert table.base_usd[table.charge_usd.isna()].isna().all()


def test_a_schedule_of_your_own_that_lacks_a_column_is_refused(tmp_path):
    path = tmp_path / "mine.csv"
    text = data_path("depreciation_schedules.csv").read_text("utf-8")
    path.write_text(text.replace("life_to_years", "life"), encoding="utf-8")
    with pytest.raises(TableError, match="lacks the column life_to_years"):
        lives.schedules(path)
