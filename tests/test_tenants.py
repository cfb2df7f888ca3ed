"""Tenants: adapters counted matrix by matrix, bills by hand, and what a machine carries."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import catalog, deploy, serve, tenants

OF = tenants.Tenancy(
    model="Llama-3.1-8B",
    accelerator="H100",
    weight_format="bf16",
    rent_usd_per_h=2.0,
    prompt_tokens=2_000,
    example_tokens=13_000,
    output_tokens=1_000,
    requests_per_month=10_000,
    peak_times=3,
    load_fraction=0.6,
    n_clients=64,
    rank=16,
    tuning_tokens=1e7,
    tuning_mfu_fraction=0.4,
    tuning_months=6,
    reused_fraction=0.9,
    api_model="gpt-4.1",
)
API, EXAMPLES, ADAPTER, OWN = tenants.WAYS


def changed(**fields):
    return dataclasses.replace(OF, **fields)


def test_an_adapter_of_every_matrix_counted_one_by_one():
    """Llama 3.1 8B at rank 16 has the 41,943,040 that its users print."""
    pairs = [(4096, 4096), (4096, 1024), (4096, 1024), (4096, 4096), *[(4096, 14336)] * 3]
    assert sum(16 * (a + b) for a, b in pairs) * 32 == 41_943_040
    assert tenants.adapter_params("Llama-3.1-8B", rank=16) == 41_943_040
    assert tenants.adapter_bytes(OF) == 2 * 41_943_040


def test_layers_of_two_kinds_are_both_adapted():
    """Gemma 3: 62 layers alike in their matrices, 10 of one group and 52 of the other."""
    each = [(5376, 4096), *[(5376, 2048)] * 2, (4096, 5376), *[(5376, 21504)] * 3]
    wanted = 62 * 8 * sum(a + b for a, b in each)
    assert tenants.adapter_params("Gemma-3-27B", rank=8) == wanted


def test_what_cannot_be_counted_is_refused_by_name():
    for model in ("DeepSeek-V3", "Mamba-2.8B"):
        with pytest.raises(ValueError, match=f"{model} has experts or states"):
            tenants.adapter_params(model, rank=8)
    with pytest.raises(catalog.UnknownNameError, match=r"Llama-3\.1-8"):
        tenants.adapter_params("Llama-3.1-8", rank=8)


def test_a_model_has_the_parameters_of_its_name():
    assert_allclose(tenants.model_params("Llama-3.1-8B"), 8.03e9, rtol=1e-3)


def test_a_rewrite_by_gpt4_costs_what_was_paid():
    """13,000 tokens of examples, 2,000 of prompt, 1,000 of answer at $30 and $60: $0.51."""
    then = changed(reused_fraction=0.0)
    assert_allclose(tenants.api_request_usd(then, api_model="gpt-4", at="2023-06-01"), 0.51)
    assert_allclose(tenants.api_request_usd(then, api_model="gpt-4-32k", at="2023-06-01"), 1.02)


def test_cached_examples_cost_the_price_of_the_cache():
    """gpt-4.1: $2, $0.50 from the cache, $8."""
    wanted = (0.9 * 13_000 * 0.5 + (0.1 * 13_000 + 2_000) * 2 + 1_000 * 8) / 1e6
    assert_allclose(tenants.api_request_usd(OF), wanted)


def test_a_machine_carries_its_rate_over_the_month_less_peak_and_slack():
    rate = serve.prediction(
        deploy.scenarios(
            "Llama-3.1-8B",
            "H100",
            weight_format="bf16",
            n_clients=64,
            input_tokens=2_000,
            output_tokens=1_000,
        )
    )
    found = tenants.carried(OF)
    assert_allclose(found["tuned"], float(rate.tokens_per_s) / 1_000 * 0.6 / 3 * 730 * 3600)
    flop = float(rate.tokens_per_s) / 1_000 * 3_000 * 2 * tenants.model_params(OF.model)
    assert_allclose(found["full_mfu_fraction"], flop / 989e12, rtol=1e-3)
    assert found["examples"] < found["tuned"]
    assert tenants.carried(changed(reused_fraction=0))["examples"] < found["examples"]
    cached = 2 * 32 * 8 * 128 * 2 * 13_000  # keys and values of 32 layers, 8 heads of 128, 2 bytes
    assert_allclose(found["example_bytes"], cached, rtol=0.01)


def test_a_model_too_large_for_one_machine_is_refused():
    with pytest.raises(ValueError, match=r"Llama-3\.1-405B does not fit on one H100"):
        tenants.carried(changed(model="Llama-3.1-405B"))


def test_one_tuning_costs_its_arithmetic():
    whole, added = tenants.model_params(OF.model), 41_943_040
    found = tenants.tunings(OF)
    second = 989.4e12 * 0.4  # of one H100
    usd = {
        "adapter": (4 * (whole + added) + 2 * added) * 1e7 / second / 3600 * 2,
        "model": 6 * whole * 1e7 / second / 3600 * 2,
    }
    assert_allclose([found[name] for name in usd], list(usd.values()), rtol=1e-3)


def test_bills_of_tenants_by_hand():
    machine, tuned = tenants.carried(OF), tenants.tunings(OF)
    rows = tenants.bills([1, 75, 500], OF).set_index("n_tenants")
    month = 2.0 * 730
    assert_allclose(rows[API], 10_000 * tenants.api_request_usd(OF))
    assert_allclose(rows[OWN], month + tuned["model"] / 6)
    assert_allclose(rows[ADAPTER][1], month + tuned["adapter"] / 6)
    for n in (75, 500):
        machines = np.ceil(n * 10_000 / machine["examples"])
        assert_allclose(rows[EXAMPLES][n], month * machines / n)
        read = n * (1 - (1 - 1 / n) ** 64)
        slow = 1 + read * 2 * 41_943_040 / machine["step_bytes"]
        machines = np.ceil(n * 10_000 * slow / machine["tuned"])
        assert_allclose(rows[ADAPTER][n], month * machines / n + tuned["adapter"] / 6)
        assert_allclose(rows.slow_times[n], slow)


def test_a_tenant_that_fills_a_machine_saves_nothing_by_an_adapter():
    """At the load of one machine a model of one's own costs no more than a shared base."""
    full = changed(requests_per_month=tenants.carried(OF)["tuned"], tuning_tokens=0)
    row = tenants.bills(50, full).iloc[0]
    assert row[OWN] <= row[ADAPTER]
