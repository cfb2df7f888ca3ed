"""A replica is the serving model, seen by a queue."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from costlib import serve
from costlib.deploy import scenarios
from costlib.replica import replica

TYPICAL = {"input_tokens": 2000, "output_tokens": 400}


@pytest.mark.parametrize(
    ("model", "accelerator", "n"),
    [("Llama-3.1-70B", "H100", 4), ("gpt-oss-120b", "B200", 2), ("DeepSeek-V3", "H200", 8)],
)
def test_steps_and_prompts_are_those_that_the_serving_model_predicts(model, accelerator, n):
    on = replica(model, accelerator, n_accelerators=n, **TYPICAL)
    load = scenarios(
        model, accelerator, n_accelerators=n, n_clients=np.array([1, 16, 64]), **TYPICAL
    )
    done = serve.prediction(load)
    crowd = np.array([1, 16, 64])
    steps = on.step_s[crowd] + on.context_s * crowd * 2200
    assert_allclose(steps, done.step_s, rtol=0.02)
    prompt = on.prompt_s * 2000 + on.attention_s * 2000**2 / 2
    assert_allclose(prompt, done.prompt_s[0], rtol=1e-6)
    fitting = on.pool_tokens / 2400
    assert_allclose(fitting, done.capacity_users[0], rtol=0.02)


def test_long_prompts_take_what_the_serving_model_says():
    on = replica("Llama-3.1-70B", "H100", n_accelerators=4, **TYPICAL)
    for length in (500, 8000, 60_000):
        load = scenarios(
            "Llama-3.1-70B",
            "H100",
            n_accelerators=4,
            n_clients=1,
            input_tokens=length,
            output_tokens=400,
        )
        ours = on.prompt_s * length + on.attention_s * length**2 / 2
        assert_allclose(ours, serve.prediction(load).prompt_s, rtol=0.02)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"n_accelerators": 1, "weight_format": "bf16"}, "does not fit on 1 H100"),
        ({"input_tokens": 0}, "input_tokens"),
        ({"chunk_tokens": 0}, "chunk_tokens"),
        ({"chunk_tokens": 10.5}, "chunk_tokens must be a whole number of at least 1, got 10.5"),
        ({"most_running": -1}, "most_running"),
    ],
)
def test_senseless_arguments_are_named(change, named):
    given = {"n_accelerators": 4, **TYPICAL} | change
    with pytest.raises(ValueError, match=named):
        replica("Llama-3.1-70B", "H100", **given)


def test_an_engine_limits_the_batch_and_a_caller_may_lower_it():
    low = replica("Llama-3.1-8B", "H100", most_running=10, **TYPICAL)
    assert low.most_running == 10
    high = replica("Llama-3.1-8B", "H100", most_running=9999, **TYPICAL)
    assert high.most_running == 1024
