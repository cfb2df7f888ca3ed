"""Implied margins: the machine that is taken, the bill against it, and DeepSeek's published day."""

import numpy as np
import pytest

from costlib import catalog, deploy, frontier, margins, pricebook, pricing, serve

SHAPE = {"input_tokens": 2_000, "output_tokens": 500}
SERVED = margins.machines(
    margins.hosted(), rent_kind="three years", user_tokens_per_s=25, **SHAPE
).set_index("model")


def test_every_open_model_with_a_price_is_studied():
    assert len(margins.hosted()) >= 20
    assert set(SERVED.index) <= set(margins.hosted())
    assert len(SERVED) >= 20


def test_the_machine_keeps_the_promise_and_none_that_does_costs_less():
    chosen = SERVED.loc["Llama-3.3-70B"]
    rent = frontier.rents("three years")
    cheapest = np.inf
    for device in margins.ACCELERATORS:
        for n in margins.SIZES:
            done = serve.prediction(
                deploy.scenarios(
                    "Llama-3.3-70B",
                    device,
                    weight_format="fp8",
                    n_accelerators=n,
                    n_clients=np.array(margins.CLIENTS),
                    **SHAPE,
                )
            )
            kept = done.fits & (done.n_running >= margins.CLIENTS) & (1 / done.tpot_s >= 25)
            if kept.any():
                rate = np.max(done.tokens_per_s[kept]) / 500
                cheapest = min(cheapest, n * rent[device] / 3600 / rate)
    assert chosen["full_usd"] == pytest.approx(cheapest)
    assert chosen["full_low_usd"] < chosen["full_usd"] < chosen["full_high_usd"]


@pytest.mark.parametrize(
    ("model", "form"),
    [("gpt-oss-120b", "mxfp4"), ("Kimi-K2.5", "int4"), ("DeepSeek-V3", "fp8"), ("GLM-5", "fp8")],
)
def test_a_host_serves_the_published_format_or_eight_bits(model, form):
    assert SERVED.loc[model, "weight_format"] == form


def test_a_faster_promise_costs_more_and_an_impossible_one_finds_no_machine():
    quick = margins.machines(
        ["Llama-3.3-70B"], rent_kind="three years", user_tokens_per_s=60, **SHAPE
    )
    assert quick["full_usd"].iloc[0] > SERVED.loc["Llama-3.3-70B", "full_usd"]
    with pytest.raises(ValueError, match=r"no machine answers Llama-3\.3-70B at 10000"):
        margins.machines(["Llama-3.3-70B"], rent_kind="three years", user_tokens_per_s=1e4, **SHAPE)


def test_a_cache_makes_a_request_cheaper_to_serve_and_to_buy():
    hit = {"hit_fraction": 0.8}
    served = margins.machines(
        ["DeepSeek-V3"], rent_kind="three years", user_tokens_per_s=25, **SHAPE, **hit
    )
    assert served["full_usd"].iloc[0] < SERVED.loc["DeepSeek-V3", "full_usd"]
    plain = margins.margins(SERVED.reset_index(), load=0.6, **SHAPE).set_index(
        ["model", "provider"]
    )
    cached = margins.margins(SERVED.reset_index(), load=0.6, **SHAPE, **hit).set_index(
        ["model", "provider"]
    )
    own = ("DeepSeek-V3", "DeepSeek")
    assert cached.loc[own, "bill_usd"] < plain.loc[own, "bill_usd"]
    blank = ("DeepSeek-V3", "SiliconFlow")  # lists no price for its cache
    assert cached.loc[blank, "bill_usd"] == plain.loc[blank, "bill_usd"]


def test_a_margin_is_the_bill_less_the_machine_over_the_bill():
    found = margins.margins(SERVED.reset_index(), load=0.6, **SHAPE)
    row = found[(found.model == "Llama-3.3-70B") & (found.provider == "Nebius")].iloc[0]
    price = pricebook.price("Llama-3.3-70B at Nebius")
    bill = (2000 * price.input_usd_per_mtok + 500 * price.output_usd_per_mtok) / 1e6
    assert row["bill_usd"] == pytest.approx(bill)
    cost = SERVED.loc["Llama-3.3-70B", "full_usd"]
    assert row["margin"] == pytest.approx(1 - cost / 0.6 / bill)
    assert row["zero_load"] == pytest.approx(cost / bill)
    assert (found.margin_low <= found.margin).all()
    assert (found.margin <= found.margin_high).all()
    assert (found.zero_load_low <= found.zero_load).all()
    assert (found.zero_load <= found.zero_load_high).all()


def test_fast_tiers_are_another_kind_of_hardware():
    found = margins.margins(SERVED.reset_index(), load=0.6, **SHAPE)
    assert not set(found.provider) & {"Groq", "Cerebras"}


def test_at_its_load_of_zero_a_host_earns_nothing():
    found = margins.margins(SERVED.reset_index(), load=0.6, **SHAPE)
    row = found.iloc[0]
    at_zero = pricing.gross_margin_fraction(
        bill_usd=row["bill_usd"],
        full_usd=SERVED.loc[row["model"], "full_usd"],
        load=row["zero_load"],
    )
    assert at_zero == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rent_kind": "leased"}, r"no rents of the kind 'leased'"),
        ({"user_tokens_per_s": 0}, r"user_tokens_per_s must be positive, got 0"),
    ],
)
def test_a_wrong_question_is_refused(given, told):
    asked = {"rent_kind": "three years", "user_tokens_per_s": 25} | given
    with pytest.raises(ValueError, match=told):
        margins.machines(["Llama-3.1-8B"], **asked, **SHAPE)


# --- DeepSeek's day -------------------------------------------------------------------------


def test_the_published_day_is_reproduced_from_its_tokens_and_nodes():
    day = margins.listed_day()
    assert day["cost_usd"] == day["stated_cost_usd"] == 87_072
    # its token counts are rounded to billions
    assert day["bill_usd"] == pytest.approx(day["stated_bill_usd"], rel=2e-4)
    assert day["over_cost"] == pytest.approx(day["stated_over_cost"], rel=2e-3)
    assert catalog.stated("deepseek_day.csv")["cached_tokens"] == 342e9


def test_the_stated_speeds_of_its_nodes_and_its_stated_nodes_agree():
    day = margins.listed_day()
    assert day["rate_nodes"] == pytest.approx(608e9 / 86_400 / 73_700 + 168e9 / 86_400 / 14_800)
    assert day["rate_nodes"] == pytest.approx(day["mean_nodes"], rel=1e-3)
    assert day["output_per_node_s"] == pytest.approx(8_575, rel=1e-3)


def test_the_day_at_the_list_of_v3():
    # $0.27, $0.07 cached and $1.10 from 8 February 2025
    assert margins.listed_day()["v3_usd"] == pytest.approx(
        266e3 * 0.27 + 342e3 * 0.07 + 168e3 * 1.1
    )


def test_the_rent_of_a_fast_rack_is_what_its_users_are_billed():
    found = margins.fast_rents("Llama-3.3-70B", load=0.5, **SHAPE).set_index("provider")
    assert set(found.index) == {"Groq", "Cerebras"}
    groq = found.loc["Groq"]
    assert groq["bill_usd"] == pytest.approx((2000 * 0.59 + 500 * 0.79) / 1e6)
    assert groq["rent_usd_per_h"] == pytest.approx(
        0.5 * groq["users_per_rack"] * 300 / 500 * 3600 * groq["bill_usd"]
    )
    assert margins.fast_rents("Kimi-K2.5", load=0.5, **SHAPE).empty


def test_the_parameters_at_work_tell_dense_models_from_mixtures():
    assert SERVED.loc["Llama-3.3-70B", "active_params"] == pytest.approx(70e9, rel=0.03)
    assert not SERVED.loc["Llama-3.3-70B", "is_mixture"]
    assert SERVED.loc["DeepSeek-V3", "active_params"] == pytest.approx(37e9, rel=0.05)
    assert SERVED.loc["DeepSeek-V3", "is_mixture"]


def test_the_model_needs_more_nodes_than_the_published_day_took():
    found = margins.needed_nodes(accelerator="H200", n_accelerators=8)
    day = margins.listed_day()
    assert (found["user_tokens_per_s"] >= day["user_tokens_per_s"]).all()
    least = found.iloc[-1]
    assert 2 < least["nodes"] / day["mean_nodes"] < 5  # as the chapter says: too pessimistic
    rate = catalog.stated("deepseek_day.csv")["output_tokens"] / 86_400
    per_node = found["n_clients"] * found["user_tokens_per_s"]
    assert (found["nodes"] >= rate / per_node).all()  # prompts take some of the time
    assert (found["nodes_low"] < found["nodes"]).all()
    assert (found["nodes"] < found["nodes_high"]).all()
