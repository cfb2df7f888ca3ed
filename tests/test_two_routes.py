"""The same quantity by two routes, which chapters take without knowing of each other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import (
    availability,
    carbon,
    catalog,
    charges,
    deploy,
    depreciation,
    energy,
    facility,
    finance,
    fleet,
    kv,
    outages,
    ownership,
    pricebook,
    pricing,
    queueing,
    reuse,
    roofline,
    serving,
    sessions,
    shrinking,
    sojourn,
    staffing,
    tco,
    tiers,
    training,
    units,
    usage,
    utilisation,
    work,
)

SEVENTY = {"n_params": 70e9, "weight_bits": 4, "cache_bits": 8, "n_layers": 80, "n_kv_heads": 8}
CONTEXTS = np.array([1e3, 4e3, 32e3, 128e3, 1e6])
RIG = {"memory_bytes": 80e9, "reserved_bytes": 6e9, "n_accelerators": 2}
SPEED = {"memory_bytes_per_s": 3.35e12, "peak_flop_per_s": 989e12}
LOADS = np.array([0.1, 0.5, 0.8, 0.95])
SITE = {"power_w": 900.0, "pue": 1.3, "electricity_usd_per_kwh": 0.1}


def test_users_of_the_cliff_are_the_pool_over_a_sequence_and_those_of_an_unshrunk_cache():
    cliff = serving.capacity_users(CONTEXTS, cached_dim=256, **SEVENTY, **RIG)
    weights = work.weight_bytes(n_params=70e9, weight_bits=4)
    each = kv.sequence_bytes(CONTEXTS, n_layers=80, n_kv_heads=8, cached_dim=256, bytes_per_value=1)
    pool = serving.pool_bytes(weight_bytes=weights, **RIG)
    assert_allclose(cliff, serving.n_users(pool_bytes=pool, sequence_bytes=each))
    assert_allclose(cliff, shrinking.held_users(CONTEXTS, cached_dim=256, **SEVENTY, **RIG))


def test_a_token_of_the_cliff_costs_what_the_steps_of_its_roofline_do():
    shape = {"n_heads": 64, "cached_dim": 256, "attended_dim": 256, "rent_usd_per_h": 2.5}
    chain = {**SEVENTY, **RIG, **SPEED, **shape}
    cliff = serving.capacity_usd_per_mtok(CONTEXTS, **chain)
    users = serving.capacity_users(CONTEXTS, cached_dim=256, **SEVENTY, **RIG)
    read = kv.sequence_bytes(CONTEXTS, n_layers=80, n_kv_heads=8, cached_dim=256, bytes_per_value=1)
    attention = work.attention_flop(CONTEXTS, n_layers=80, n_heads=64, attended_dim=256)
    flop = work.token_flop(active_params=70e9, attention_flop=attention)
    step = roofline.step_s(
        step_bytes=roofline.step_bytes(n_users=users, weight_bytes=35e9, traffic_bytes=read),
        step_flop=roofline.step_flop(n_users=users, token_flop=flop),
        **{name: 2 * value for name, value in SPEED.items()},
    )
    steps = serving.usd_per_mtok(
        rent_usd_per_h=2.5,
        n_accelerators=2,
        tokens_per_s=serving.tokens_per_s(n_users=users, step_s=step),
    )
    assert_allclose(cliff, steps, rtol=1e-12)
    assert_allclose(cliff, shrinking.held_usd_per_mtok(CONTEXTS, **chain), rtol=1e-12)


@pytest.mark.parametrize("name", ["Llama-3.1-70B", "DeepSeek-V3", "gpt-oss-120b"])
def test_a_sequence_of_an_architecture_takes_what_its_deployment_holds(name):
    model = catalog.model(name)
    held = deploy.scenarios(name, "H100", n_accelerators=8, n_clients=1, input_tokens=4e3)
    names = ("n_layers", "n_kv_heads", "cached_dim", "window_tokens", "state_values")
    groups = {key: held.layers[key] for key in names}
    wide = kv.sequence_bytes(4e3, bytes_per_value=held.cache_bits / 8, **groups)
    own = {key: np.array([getattr(group, key) for group in model.layers]) for key in names}
    assert_allclose(wide, kv.sequence_bytes(4e3, bytes_per_value=held.cache_bits / 8, **own))


def test_one_server_waits_alike_by_every_formula():
    alone = {"requests_per_s": LOADS, "service_s": 1.0}
    exponential = queueing.wait_s(service_scv=1, **alone)
    assert_allclose(exponential, LOADS / (1 - LOADS))
    assert_allclose(exponential, staffing.pool_wait_s(1, service_scv=1, **alone))
    assert_allclose(exponential, queueing.klb_wait_s(arrival_scv=1, service_scv=1, **alone))
    assert_allclose(
        [
            queueing.priority_wait_s(requests_per_s=[x], service_s=1, service_scv=1)[0]
            for x in LOADS
        ],
        exponential,
    )
    assert_allclose(
        queueing.wait_s(service_scv=0, **alone),
        staffing.cosmetatos_wait_s(1, service_scv=0, **alone),
    )
    assert_allclose(
        queueing.late_fraction(patience_s=0, **alone), staffing.waiting_fraction(1, **alone)
    )


def test_a_queue_waits_as_pollaczek_and_khinchine_say():
    draw = np.random.default_rng(5)
    gaps, services = draw.exponential(1 / 0.7, (40, 20_000)), np.ones((40, 20_000))
    seen = queueing.lindley_s(gaps_s=gaps, services_s=services)[:, 2_000:].mean(axis=1)
    told = queueing.wait_s(requests_per_s=0.7, service_s=1.0, service_scv=0)
    assert abs(seen.mean() - told) < 4 * seen.std(ddof=1) / np.sqrt(len(seen))


def test_the_share_beyond_a_quantile_is_what_the_quantile_leaves():
    last = sojourn.sojourn_quantile_s(
        requests_per_s=LOADS, service_s=1.0, service_scv=1, within_fraction=0.95
    )
    assert_allclose(np.exp(-(1 - LOADS) * last), 0.05, rtol=0.02)


def test_a_bill_with_a_cache_saves_what_the_chapter_on_prefixes_says():
    price = {"input_usd_per_mtok": 3.0, "output_usd_per_mtok": 15.0}
    tokens = {"input_tokens": 1e5, "output_tokens": 1e3}
    hits = np.array([0.0, 0.5, 0.94])
    cache = {"cached_input_usd_per_mtok": 0.3, "cache_write_usd_per_mtok": 3.75}
    stored = {"cached_tokens": hits * 1e5, "written_tokens": (1 - hits) * 1e5}
    bill = pricing.request_usd(**tokens, **price, **cache, **stored)
    plain = pricing.request_usd(**tokens, **price)
    saved = reuse.saved_fraction(hit_fraction=hits, **tokens, **price, **cache)
    assert_allclose(1 - bill / plain, saved, rtol=1e-12)


@pytest.mark.parametrize("surviving", [0, 0.9, 1])
def test_a_session_costs_the_sum_of_its_turns(surviving):
    growth = {"start_tokens": 2e4, "turn_tokens": 2e3}
    price = {"input_usd_per_mtok": 3, "output_usd_per_mtok": 15, "cached_input_usd_per_mtok": 0.3}
    whole = sessions.session_usd(
        40, output_tokens=500, surviving_fraction=surviving, **growth, **price
    )
    turns = np.arange(1, 41)
    prompts = sessions.context_tokens(turns, **growth)
    found = sessions.reused_tokens(turns, surviving_fraction=surviving, **growth)
    each = pricing.request_usd(
        input_tokens=prompts, output_tokens=500, cached_tokens=found, **price
    )
    assert_allclose(whole, each.sum(), rtol=1e-12)


@pytest.mark.parametrize("name", ["gpt-4o", "claude-sonnet-4-6", "gpt-5"])
def test_a_million_tokens_of_an_api_cost_what_its_requests_do(name):
    mixed = ownership.api_usd_per_mtok(name, input_tokens=3e3, output_tokens=1e3)
    price = pricebook.price(name, input_tokens=3e3)
    assert_allclose(mixed, (3 * price.input_usd_per_mtok + price.output_usd_per_mtok) / 4)


def test_the_load_that_breaks_even_leaves_no_margin():
    full = np.array([0.1, 0.5, 0.9])
    load = pricing.break_even_load(bill_usd=1.0, full_usd=full)
    margin = pricing.gross_margin_fraction(bill_usd=1.0, full_usd=full, load=load)
    assert_allclose(margin, 0, atol=1e-12)


def test_owned_hours_are_the_same_by_the_bill_and_by_the_site():
    owned = tco.owned_usd_per_h(capital_usd_per_h=1.7, upkeep_usd_per_h=0, room_usd_per_h=0, **SITE)
    site = {"capital_usd_per_h": 1.7, "idle_fraction": 0.2, **SITE}
    assert_allclose(owned, utilisation.site_usd_per_h(busy_fraction=1, **site))
    assert_allclose(owned, utilisation.useful_usd_per_h(busy_fraction=1, **site))
    made = utilisation.site_usd_per_mtok(busy_fraction=1, tokens_per_s=2e3, **site)
    assert_allclose(made, serving.usd_per_mtok(rent_usd_per_h=owned, tokens_per_s=2e3))


def test_the_share_of_work_at_which_owning_is_even_pays_the_rent():
    share = tco.even_busy_share(owned_usd_per_h=1.4, rent_usd_per_h=2.5)
    assert_allclose(tco.worked_usd_per_h(owned_usd_per_h=1.4, busy_fraction=share), 2.5)


def test_the_volume_that_fills_a_rented_machine_is_where_the_curves_of_a_month_cross():
    tokens = fleet.month_tokens(
        held_usd_per_h=2.5, n_accelerators=4, api_usd_per_mtok=3.0, tokens_per_s=1e9
    )
    table = ownership.regimes(
        tokens / 1e6 * np.array([0.999, 1.001]),
        owned_usd_per_h=9.0,
        rent_usd_per_h=2.5,
        api_usd_per_mtok=3.0,
        tokens_per_s=1e9,
        n_accelerators=4,
        node_accelerators=8,
        peak_times=1,
        load_fraction=1,
    )
    assert table["cheapest"].tolist() == ["API", "rent"]


def test_payments_of_a_purchase_are_worth_its_price():
    hour = tco.capital_usd_per_h(
        cost_usd=300e3, salvage_fraction=0, interest_fraction=0.08, years=4
    )
    month = hour * units.HOURS_PER_MONTH
    rate = 0.08 / 12
    assert_allclose(month * (1 - (1 + rate) ** -48) / rate, 300e3, rtol=1e-9)
    flows = [-300e3, *[month] * 48]
    assert_allclose(finance.irr_fraction(flows), rate, rtol=1e-9)


def test_what_the_book_falls_by_in_a_year_is_the_charge_of_a_year():
    terms = {"cost_usd": 30e3, "salvage_fraction": 0.1, "life_years": 6}
    falls = -np.diff(depreciation.straight_book_usd(np.arange(7), **terms))
    assert_allclose(falls, depreciation.straight_charge_usd(**terms))
    assert_allclose(
        charges.component_charge_usd(
            1.0, cost_usd=30e3, salvage_fraction=0.1, life_years=6, rest_life_years=6
        ),
        falls[0],
    )


def test_a_token_emits_what_the_energy_of_its_machine_does():
    token = energy.output_token_j(power_w=5e3, tokens_per_s=2e3)
    by_token = carbon.token_kg_per_mtok(token_j=token, pue=1.3, grid_g_per_kwh=400)
    hours = 1e6 / 2e3 / units.SECONDS_PER_HOUR
    made = facility.energy_kwh(power_w=5e3, period_h=hours, pue=1.3)
    assert_allclose(by_token, carbon.carbon_kg(energy_kwh=made, grid_g_per_kwh=400))


def test_a_run_costs_the_rent_of_its_hours():
    run = {"flop": 3e24, "peak_flop_per_s": 989e12, "compute_fraction": 0.4}
    held = training.run_h(**run) * units.SECONDS_PER_HOUR
    assert_allclose(
        training.run_usd(rent_usd_per_h=2.5, **run),
        serving.rent_usd(held_s=held, rent_usd_per_h=2.5),
    )


def test_a_pool_loses_the_hours_that_its_availability_leaves():
    pool = {"availability_fraction": 0.99, "n_needed": 2, "common_fraction": 0.05}
    up = availability.pool_fraction(n_replicas=3, **pool)
    lost = availability.down_h(availability_fraction=up, period_h=8760) * 1e3
    both = outages.pool_usd(3, replica_usd_per_h=0, loss_usd_per_h=1e3, period_h=8760, **pool)
    assert_allclose(both, lost)


def test_a_cache_is_worth_holding_as_long_as_it_costs_what_it_saves():
    sequence = {"sequence_bytes": 2e9, "usd_per_gb_h": 0.003}
    hours = tiers.worth_holding_h(prefill_usd=0.05, reload_usd=0.01, **sequence)
    assert_allclose(tiers.holding_usd(held_s=hours * 3600, **sequence), 0.04)


def test_the_share_of_the_top_comes_back_from_the_spread_it_makes():
    sigma = usage.share_sigma(top_fraction=0.1, share_fraction=0.6)
    assert_allclose(usage.top_share(0.1, sigma=sigma), 0.6)
