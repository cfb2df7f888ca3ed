"""The 70B comparison against hand arithmetic, and the map on doctored costs."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from costlib import architectures, catalog, pricebook, serving, study

RIG = study.Rig(
    memory_bytes=80e9,
    memory_bytes_per_s=3.35e12,
    peak_flop_per_s=989e12,
    rent_usd_per_h=2.50,
    reserved_bytes=6e9,
    weight_bits=4,
    cache_bits=8,
)


# --- architectures of a 70B model ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "users", "flat_usd", "usd", "bound"),
    [
        # 39 GB over bytes at 128K; flat at 35 tokens/s; (35 GB + users x traffic) / 3.35 TB/s
        ("full attention", 1, 19.84, 11.60, "memory"),  # 20.97 GB
        ("MLA", 6, 3.31, 2.43, "memory"),  # 5.90 GB
        ("2-bit cache", 4, 4.96, 3.44, "memory"),  # 7.86 GB
        ("hybrid", 14, 1.42, 1.09, "memory"),  # 2.62 GB, and 73 MB of state read and written
        ("state space", 464, 0.04, 0.10, "compute"),  # 84 MB: 140.1 GFLOP / 989 TFLOP/s
        ("window", 59, 0.34, 0.26, "memory"),  # 0.66 GB
    ],
)
def test_at_128k_an_architecture_serves(name, users, flat_usd, usd, bound):
    (row,) = architectures.decode_costs([128e3], RIG, names=[name]).to_dict("records")
    assert row["n_users"] == users
    assert round(row["flat_usd_per_mtok"], 2) == flat_usd
    assert round(row["usd_per_mtok"], 2) == usd
    assert row["bound"] == bound


def test_every_architecture_has_a_row_per_context():
    table = architectures.decode_costs([4e3, 128e3], RIG)
    assert table["architecture"].tolist() == [n for n in catalog.architectures() for _ in (0, 1)]
    assert table["context_tokens"].tolist() == [4e3, 128e3] * len(catalog.architectures())
    assert not table.isna().to_numpy().any()


def test_the_rig_decides_the_bits_of_a_cache_unless_the_architecture_has_its_own():
    wide = dataclasses.replace(RIG, cache_bits=16)
    narrow = architectures.decode_costs([32e3], RIG).set_index("architecture")["sequence_bytes"]
    double = architectures.decode_costs([32e3], wide).set_index("architecture")["sequence_bytes"]
    assert double["MLA"] == 2 * narrow["MLA"]
    assert double["2-bit cache"] == narrow["2-bit cache"]
    assert double["state space"] == narrow["state space"]


def test_weights_that_do_not_fit_serve_nobody_at_infinite_cost():
    table = architectures.decode_costs([4e3, 128e3], dataclasses.replace(RIG, weight_bits=16))
    assert (table["n_users"] == 0).all()
    assert np.isinf(table[["flat_usd_per_mtok", "usd_per_mtok"]]).to_numpy().all()


def test_the_comparison_agrees_with_the_formula_in_one_call():
    context = [1e3, 4e3, 32e3, 128e3, 300e3]
    table = architectures.decode_costs(context, RIG, names=["full attention"])
    whole = serving.capacity_usd_per_mtok(
        context,
        n_params=70e9,
        n_layers=80,
        n_heads=64,
        n_kv_heads=8,
        cached_dim=256,
        attended_dim=256,
        **dataclasses.asdict(RIG),
    )
    assert_allclose(table["usd_per_mtok"], whole)


def test_rigs_are_compared_at_two_contexts():
    two = dataclasses.replace(RIG, n_accelerators=2)
    table = architectures.rig_costs({"one": RIG, "two": two}, short_tokens=4e3, long_tokens=128e3)
    assert table["rig"].tolist() == ["one", "two"]
    assert table["short_users"].tolist() == [59, 172]  # 39 GB and 113 GB over 0.65536 GB
    assert table["long_users"].tolist() == [1, 5]
    assert round(table["ratio"][0], 1) == 44.8
    assert table["ratio"][1] < table["ratio"][0]


@pytest.mark.parametrize(
    ("long_tokens", "ratio"), [(4e3, 1), (128e3, 44.8), (238e3, 59.3), (239e3, np.inf)]
)
def test_the_cliff_is_44_8_high_at_128k_and_endless_where_nobody_fits(long_tokens, ratio):
    # one user holds up to 39e9 / 163,840 = 238,037 tokens: the pool that 59 short ones hold
    found = architectures.cliff_ratio(
        short_tokens=4e3,
        long_tokens=long_tokens,
        n_params=70e9,
        n_layers=80,
        n_heads=64,
        n_kv_heads=8,
        cached_dim=256,
        attended_dim=256,
        **dataclasses.asdict(RIG),
    )
    assert round(found, 1) == ratio if np.isfinite(ratio) else np.isinf(found)


# --- requests ------------------------------------------------------------------------------


def requests(**changes):
    given = {"context_tokens": 128e3, "output_fraction": 0.0, "rig": RIG, "compute_fraction": 0.5}
    return architectures.request_costs(**(given | changes))


def test_reading_128k_tokens_costs_5_53_cents_and_an_empty_answer_nothing():
    # 79.7 s at $2.50 an hour
    (row,) = requests(names=["full attention"]).to_dict("records")
    assert round(row["prefill_usd"], 4) == 0.0553
    assert row["decode_usd"] == 0


def test_a_request_of_128k_in_and_1k_out_costs_about_7_cents():
    # 1,000 steps of (35 GB + 21.05 GB) / 3.35 TB/s are 16.7 s: 1.16 cents on top
    (row,) = requests(
        context_tokens=129e3, output_fraction=1 / 129, names=["full attention"]
    ).to_dict("records")
    assert round(row["decode_usd"], 4) == 0.0116
    assert round(row["usd"], 2) == 0.07


def test_costs_of_requests_cover_the_grid_and_add_up():
    table = requests(
        context_tokens=np.array([[4e3], [64e3]]), output_fraction=np.array([0.01, 0.5, 0.9])
    )
    assert len(table) == 6 * len(catalog.architectures())
    assert_allclose(table["usd"], table["prefill_usd"] + table["decode_usd"])
    assert (table["usd"] > 0).all()


def test_a_request_that_does_not_fit_costs_infinitely_much_and_is_never_nan():
    table = requests(rig=dataclasses.replace(RIG, weight_bits=16), output_fraction=0.5)
    assert np.isinf(table["usd"]).all()


def test_own_requests_break_even_with_a_list_price():
    # $0.0553 to read and $0.0116 to write against 128 x $0.003 + $0.015 = $0.399
    price = pricebook.price("claude-sonnet-4-6")
    table = architectures.request_break_even(
        [0, 1], RIG, price, prompt_tokens=128e3, answer_tokens=1e3, compute_fraction=0.5
    ).set_index(["case", "hit_fraction"])
    assert table["api_usd"].round(4).tolist() == [0.399, 0.0534] * 2
    assert table["own_usd"].round(4).tolist() == [0.0669, 0.0669, 0.0669, 0.0116]
    assert round(table.loc[("recomputes", 0), "busy_fraction"], 3) == 0.168
    assert table.loc[("recomputes", 1), "busy_fraction"] > 1


@pytest.mark.parametrize(("prompt", "answer"), [(128e3, 1e3), (60e3, 60e3), (1e3, 30e3)])
def test_a_request_costs_the_same_whether_it_is_compared_with_others_or_with_a_list_price(
    prompt, answer
):
    whole = prompt + answer
    (alone,) = requests(
        context_tokens=whole, output_fraction=answer / whole, names=["full attention"]
    )["usd"]
    against = architectures.request_break_even(
        [0],
        RIG,
        pricebook.price("gpt-4.1"),
        prompt_tokens=prompt,
        answer_tokens=answer,
        compute_fraction=0.5,
    )
    assert_allclose(against["own_usd"], alone)


# --- the map -------------------------------------------------------------------------------


def cell(context, **usd):
    names = dict(zip(["full", "mla", "hybrid"], ["full attention", "MLA", "hybrid"], strict=True))
    return [
        {
            "architecture": names[name],
            "context_tokens": context,
            "output_fraction": 0.1,
            "usd": cost,
        }
        for name, cost in usd.items()
    ]


@pytest.fixture
def cells():
    return architectures.decision_map(
        pd.DataFrame(
            [
                *cell(1, full=1.0, mla=2.0, hybrid=3.0),
                *cell(2, full=4.0, mla=2.0, hybrid=1.0),
                *cell(3, full=np.inf, mla=5.0, hybrid=np.inf),
                *cell(4, full=np.inf, mla=np.inf, hybrid=np.inf),
            ]
        )
    ).set_index(["recall", "context_tokens"])


def test_the_cheapest_wins_its_cell_among_those_that_recall_exactly_and_among_all(cells):
    assert cells.loc["exact recall", "architecture"].to_dict() == {
        1: "full attention",
        2: "MLA",
        3: "MLA",
    }
    assert cells.loc["any recall", "architecture"].to_dict() == {
        1: "full attention",
        2: "hybrid",
        3: "MLA",
    }


def test_a_saving_is_measured_against_full_attention(cells):
    assert cells.loc["any recall", "saving_fraction"].to_dict() == {1: 0, 2: 0.75, 3: 1}


def test_cells_in_which_nothing_fits_are_left_out(cells):
    assert 4 not in cells.index.get_level_values("context_tokens")


def test_who_wins_no_cell_is_named(cells):
    cells = cells.reset_index()
    assert architectures.never_cheapest(cells, "exact recall") == ["2-bit cache"]
    assert architectures.never_cheapest(cells, "any recall") == [
        "2-bit cache",
        "state space",
        "window",
    ]
