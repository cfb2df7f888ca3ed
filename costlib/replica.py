"""One copy of a model on its machines, as what a queue of requests sees: steps, prompts, memory.

The serving model predicts a step at one batch and one context. A replica holds its steps at every
batch, what each cached token adds to them, what a token of a prompt takes, and how many tokens
fit.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlib import catalog, serve
from costlib._checks import count, positive
from costlib.calibration import constants
from costlib.deploy import scenarios

__all__ = ["Replica", "replica"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """Seconds of a step and what fits."""

    step_s: NDArray[np.float64]  # with 0, 1, 2 .. sequences that decode, without their cache
    context_s: float  # per token that the decoding sequences hold
    prompt_s: float  # per token of a prompt
    attention_s: float  # per token of a prompt and token before it
    pool_tokens: float
    chunk_tokens: int  # of prompts, read in one step
    request_s: float = 0.0  # handling of a request, before and after; no resource of the engine
    n_accelerators: float = 1

    @property
    def most_running(self) -> int:
        """Sequences that run at once where memory allows."""
        return self.step_s.size - 1


def replica(
    model: str,
    accelerator: str,
    *,
    input_tokens: float,
    output_tokens: float,
    n_accelerators: float = 1,
    chunk_tokens: int = 2048,
    most_running: int = 256,
    **layout: str | float,
) -> Replica:
    """A replica by the serving model.

    Parameters
    ----------
    model, accelerator
        Names of the catalog.
    input_tokens, output_tokens
        A typical request. Memory per token and the cost of context are taken here; both are the
        same at every length where all layers attend to everything, and a tangent where windows
        or states do not.
    n_accelerators
        Accelerators of the copy.
    chunk_tokens
        Prompt tokens that a step reads at most.
    most_running
        Sequences that run at once at most; an engine's own limit may be lower.
    layout
        Other arguments of `costlib.deploy.scenarios`: formats, stages, engine.

    Raises
    ------
    ValueError
        If the model does not fit on the machines, or an argument is out of its range.
    UnknownNameError
        If a name is not in the catalog.

    Examples
    --------
    >>> one = replica("Llama-3.1-8B", "H100", input_tokens=1155, output_tokens=211)
    >>> f"{1e3 * one.step_s[1]:.1f} ms, {one.pool_tokens / 1e3:.0f}K tokens"
    '4.1 ms, 1042K tokens'
    """
    count("chunk_tokens", chunk_tokens)
    most_running = count("most_running", most_running)
    used, at = constants(), float(positive("input_tokens", input_tokens))
    engine = catalog.engine(str(layout.get("engine", "vLLM")))
    running = np.arange(1.0, int(min(most_running, engine.max_batch)) + 1)
    load = scenarios(
        model,
        accelerator,
        n_accelerators=n_accelerators,
        n_clients=running,
        input_tokens=at,
        output_tokens=output_tokens,
        **layout,  # type: ignore[arg-type]
    )
    # Whatever the memory holds, a step of n sequences takes as long as it takes.
    roomy = dataclasses.replace(load, memory_bytes=load.memory_bytes * 1e6)
    steps = serve.prediction(roomy)
    here = serve.prediction(dataclasses.replace(load, n_clients=np.ones(1)))
    if not np.all(here.fits):
        raise ValueError(
            f"{model} with one request of {at + output_tokens:,.0f} tokens does not fit on "
            f"{n_accelerators:g} {accelerator}: expected more n_accelerators"
        )
    held = at + output_tokens / 2
    with_context = steps.terms_s["cache"] + steps.terms_s["attention"]
    longer = serve.prediction(
        dataclasses.replace(roomy, input_tokens=np.asarray(2 * at + output_tokens / 2))
    )
    growth = longer.terms_s["cache"] + longer.terms_s["attention"] - with_context
    per_token = float(np.ravel(growth)[-1]) / (running[-1] * held)
    bare = np.ravel(steps.step_s) - per_token * running * held
    lengths = at * np.arange(1.0, 4.0)
    alone = dataclasses.replace(load, n_clients=np.ones(3), input_tokens=lengths)
    prompts = np.ravel(serve.prediction(alone).prompt_s)
    per_pair = max(float(np.diff(prompts, 2)[0]), 0.0) / at**2
    memory = float(np.ravel(here.memory_bytes["cache"] + here.memory_bytes["idle"])[0])
    return Replica(
        step_s=np.concatenate([bare[:1], bare]),
        context_s=per_token,
        prompt_s=float(prompts[0] / at - per_pair * at / 2),
        attention_s=per_pair,
        pool_tokens=memory / float(np.ravel(here.sequence_bytes)[0]) * (at + float(output_tokens)),
        chunk_tokens=int(chunk_tokens),
        request_s=used.request_s,
        n_accelerators=float(n_accelerators),
    )
