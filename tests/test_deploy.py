"""Scenarios: names and layouts that make no sense are refused, formats meet the device."""

import numpy as np
import pytest

from costlib import catalog
from costlib.deploy import scenarios

# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "wrong", "nearest"),
    [
        ("model", "Llama-3.1-7OB", "Llama-3.1-70B"),
        ("accelerator", "H1OO", "H100"),
        ("weight_format", "nvfp5", "nvfp4"),
        ("engine", "vLLMM", "vLLM"),
    ],
)
@pytest.mark.parametrize("listed", [False, True], ids=["name", "list"])
def test_an_unknown_name_is_told_its_nearest(field, wrong, nearest, listed):
    fields = {"model": "Llama-3.1-8B", "accelerator": "H100"}
    with pytest.raises(catalog.UnknownNameError, match=rf"{wrong}.*{nearest}"):
        scenarios(**fields | {field: [wrong] if listed else wrong})


def test_a_name_may_be_written_as_others_write_it():
    load = scenarios("llama 3.1 70b", "h100", weight_format="float16", engine="trtllm")
    assert load.weight_bits == 16
    assert load.engine == "TensorRT-LLM"
    assert load.memory_bytes_per_s == 3.35e12


def test_names_in_lists_stand_in_their_order():
    load = scenarios(
        ["GLM-5", "Llama-3.1-8B", "GLM-5"],
        ["B200", "H100", "A100"],
        weight_format=["nvfp4", "fp8", "fp16"],
        engine=["SGLang", "vLLM", "TensorRT-LLM"],
    )
    assert load.hidden_size.tolist() == [6144, 4096, 6144]
    assert (load.memory_bytes_per_s / 1e9).tolist() == [7700, 3350, 2039]
    assert load.weight_bits.tolist() == [4.5, 8, 16]
    assert load.engine.tolist() == ["SGLang", "vLLM", "TensorRT-LLM"]
    assert load.batch_limit.tolist() == [np.inf, 1024, 2048]


def test_a_list_meets_a_single_name():
    load = scenarios("DeepSeek-V3", ["H100", "B200"], weight_format="nvfp4")
    assert (load.peak_flop_per_s / 1e12).tolist() == [989, 9000]
    assert load.weight_bits.tolist() == [4.5, 4.5]


def test_models_with_fewer_groups_are_filled_up_with_layers_of_nothing():
    load = scenarios(["Llama-4-Maverick", "Llama-3.1-8B"], "H200")
    assert load.layers["n_layers"].tolist() == [[12, 12, 24], [32, 0, 0]]
    assert load.layers["n_experts"].tolist() == [[128, 128, 0], [0, 0, 0]]


# --- layouts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("pipeline_stages", {"n_accelerators": 8, "pipeline_stages": 3}),
        ("pipeline_stages", {"n_accelerators": 1, "pipeline_stages": 2}),
        ("attention_replicas", {"n_accelerators": 8, "attention_replicas": 3}),
        (
            "attention_replicas",
            {"n_accelerators": 8, "pipeline_stages": 4, "attention_replicas": 4},
        ),
        ("pipeline_stages", {"n_accelerators": [8, 6], "pipeline_stages": [4, 4]}),
        # Once wrong: experts could be dealt out to groups that are not there.
        ("expert_groups", {"n_accelerators": 8, "attention_replicas": 8, "expert_groups": 3}),
        ("expert_groups", {"n_accelerators": 8, "attention_replicas": 8, "expert_groups": 16}),
    ],
)
def test_a_layout_that_does_not_divide_the_accelerators_is_refused(name, fields):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        scenarios("DeepSeek-V3", "H200", **fields)


@pytest.mark.parametrize(
    "name", ["n_accelerators", "pipeline_stages", "attention_replicas", "expert_groups"]
)
@pytest.mark.parametrize("bad", [1.5, 0, -1, np.inf, np.nan, [1, 2.5], "many"])
def test_only_whole_numbers_of_devices_are_taken(name, bad):
    with pytest.raises(ValueError, match=rf"^{name} must be"):
        scenarios("Llama-3.1-8B", "H100", **{name: bad})


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("cache_bits", 0),
        ("n_clients", 0),
        ("input_tokens", 0),
        ("output_tokens", 0),
        ("reused_fraction", 1.1),
        ("expert_skew", -1),
        ("draft_tokens", -1),
        ("acceptance_fraction", -0.1),
        ("draft_step_fraction", 2),
        ("block_tokens", 0),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(name, bad):
    with pytest.raises(ValueError, match=rf"^{name} must .*{bad}"):
        scenarios("Llama-3.1-8B", "H100", **{name: bad})


# --- formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "bits"),
    [("fp16", 16), ("bf16", 16), ("fp8", 8), ("int8", 8), ("nvfp4", 8), ("mxfp4", 8), ("int4", 8)],
)
def test_the_cache_takes_8_bits_where_the_weights_take_8_or_fewer(form, bits):
    assert scenarios("Llama-3.1-8B", "H100", weight_format=form).cache_bits == bits
    assert scenarios("Llama-3.1-8B", "H100", weight_format=form, cache_bits=4).cache_bits == 4


@pytest.mark.parametrize(
    ("accelerator", "form", "tflop_per_s"),
    [
        ("H100", "fp16", 989),
        ("H100", "fp8", 1979),
        ("A100", "fp8", 312),  # no FP8 units: BF16
        ("A100", "int8", 624),
        ("H100", "int4", 989),  # unpacked to 16 bits
        ("B200", "int4", 2250),
        ("H100", "nvfp4", 989),  # no FP4 units: BF16
        ("B200", "nvfp4", 9000),
        ("H100", "mxfp4", 989),  # FP8 units, but none that unpack FP4
        ("H200", "mxfp4", 989),
        ("B200", "mxfp4", 4500),
        ("MI300X", "mxfp4", 1307.4),
        ("MI355X", "mxfp4", 5033),
    ],
)
def test_weights_are_multiplied_in_what_the_device_has(accelerator, form, tflop_per_s):
    load = scenarios("gpt-oss-120b", accelerator, weight_format=form)
    assert load.peak_flop_per_s / 1e12 == tflop_per_s
    assert load.fp4_arithmetic == (tflop_per_s == 9000)
    assert load.bf16_flop_per_s == catalog.accelerator(accelerator).peak_flop_per_s["bf16"]


@pytest.mark.parametrize(
    ("model", "form", "mixer_bits"),
    [
        ("DeepSeek-V3", "nvfp4", 16),
        ("DeepSeek-V3", "fp8", 8),
        ("gpt-oss-120b", "mxfp4", 16),
        ("Kimi-K2.5", "int4", 16),
        ("Llama-3.1-70B", "nvfp4", 4.5),
        ("Llama-3.1-70B", "int4", 4.5),
    ],
)
def test_four_bit_mixtures_keep_their_attention_at_16(model, form, mixer_bits):
    assert scenarios(model, "B200", weight_format=form).mixer_bits == mixer_bits


def test_activations_may_have_a_format_of_their_own():
    given = {"model": "Llama-3.1-70B", "accelerator": "H100", "weight_format": "int4"}
    peaks = catalog.accelerator("H100").peak_flop_per_s
    assert scenarios(**given).peak_flop_per_s == peaks["bf16"]
    assert scenarios(**given, activation_format="fp8").peak_flop_per_s == peaks["fp8"]
    both = scenarios(**given, activation_format=["bf16", "fp8"]).peak_flop_per_s
    assert both.tolist() == [peaks["bf16"], peaks["fp8"]]


def test_activations_in_a_format_that_the_device_lacks_are_refused():
    with pytest.raises(ValueError, match="activation_format 'fp8': A100 has no units"):
        scenarios("Llama-3.1-70B", "A100", activation_format="fp8")
