r"""What a client waits for: time to first token and time per output token.

A closed loop of :math:`c` clients keeps :math:`B \le c` sequences running. Each decodes with
the others, and once per answer every other one's prompt is read in between. At the start all
prompts come at once; a published mean carries a share of that burst.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive

__all__ = [
    "chunked_s",
    "closed_loop_tokens_per_s",
    "first_token_s",
    "output_token_s",
    "slot_wait_s",
    "stall_s",
]


def output_token_s(
    *, step_s: ArrayLike, n_running: ArrayLike, prefill_s: ArrayLike, output_tokens: ArrayLike
) -> Floats:
    r"""Time per output token: a step, and the prompts read meanwhile: :math:`t + (B-1)\,p/o`.

    Parameters
    ----------
    step_s
        Step of the running batch. [s]
    n_running
        Sequences that decode together. [-]
    prefill_s
        Arithmetic of one prompt, mixed into the steps of the others. [s]
    output_tokens
        Length of an answer. [tokens]

    Returns
    -------
        Mean time between output tokens of one client. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `output_tokens` must be above 0.

    Notes
    -----
    Prompts are cut into chunks that ride along with decode steps, so that weights are read
    once for both. Source: agrawal2024sarathi.

    Examples
    --------
    >>> output_token_s(step_s=0.010, n_running=[1, 65], prefill_s=0.016, output_tokens=1024)
    array([0.01 , 0.011])
    """
    others = np.maximum(non_negative("n_running", n_running, finite=True) - 1.0, 0.0)
    reading = others * non_negative("prefill_s", prefill_s)
    return non_negative("step_s", step_s) + reading / positive("output_tokens", output_tokens)


def closed_loop_tokens_per_s(
    *, step_s: ArrayLike, n_running: ArrayLike, prefill_s: ArrayLike, output_tokens: ArrayLike
) -> Floats:
    r"""Output tokens per second of a batch that is refilled at once: :math:`B / (t + B p/o)`.

    Parameters
    ----------
    step_s
        Step of the running batch. [s]
    n_running
        Sequences that decode together. [-]
    prefill_s
        Arithmetic of one prompt. [s]
    output_tokens
        Length of an answer. [tokens]

    Returns
    -------
        Output of all clients together; 0 where nobody runs. [tokens/s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `step_s` and `output_tokens` must be above 0.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> closed_loop_tokens_per_s(
    ...     step_s=0.010, n_running=[0, 64], prefill_s=0.016, output_tokens=1024
    ... )
    array([   0.        , 5818.18181818])
    """
    running = non_negative("n_running", n_running, finite=True)
    reading = running * non_negative("prefill_s", prefill_s)
    return running / (
        positive("step_s", step_s) + reading / positive("output_tokens", output_tokens)
    )


def slot_wait_s(
    *,
    n_clients: ArrayLike,
    n_running: ArrayLike,
    output_tokens: ArrayLike,
    output_token_s: ArrayLike,
) -> Floats:
    r"""Wait for memory where more clients send than sequences fit: :math:`(c/B - 1)\, o\, t`.

    Parameters
    ----------
    n_clients
        Clients that each keep one request open; infinite for an offline run. [-]
    n_running
        Sequences that fit and run. [-]
    output_tokens
        Length of an answer. [tokens]
    output_token_s
        Time per output token. [s]

    Returns
    -------
        Mean wait for a slot; 0 while all fit, infinite where nothing runs or clients have no
        end. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Little's law: :math:`c` requests are open and :math:`B` of them are served.
    Source: little1961proof.

    Examples
    --------
    >>> slot_wait_s(n_clients=[64, 96], n_running=64, output_tokens=1000, output_token_s=0.01)
    array([0., 5.])
    """
    clients = non_negative("n_clients", n_clients)
    running = non_negative("n_running", n_running, finite=True)
    served = positive("output_tokens", output_tokens) * non_negative(
        "output_token_s", output_token_s
    )
    slots = np.where(running > 0, running, 1.0)
    ahead = np.where(clients > running, clients / slots - 1.0, 0.0) * served
    return np.where((running > 0) | (clients == 0), ahead, np.inf)[()]


def first_token_s(
    *,
    request_s: ArrayLike,
    prefill_s: ArrayLike,
    step_s: ArrayLike,
    n_running: ArrayLike,
    burst_fraction: ArrayLike = 0,
    stream_interval_tokens: ArrayLike = 1,
    wait_s: ArrayLike = 0,
) -> Floats:
    r"""Mean time to first token: :math:`r + w + p\,(1 + b\,(B - 1)) + s\,t`.

    Parameters
    ----------
    request_s
        Handling of a request: network, tokenizer, scheduler. [s]
    prefill_s
        One prompt read by itself, with its pass over the weights and its launches. [s]
    step_s
        Step of the running batch. [s]
    n_running
        Sequences that run. [-]
    burst_fraction
        Share of the others' prompts that stand in front, on average. [-]
    stream_interval_tokens
        Tokens that the engine gathers before it sends. [tokens]
    wait_s
        Wait for a slot or in a queue. [s]

    Returns
    -------
        Mean time to first token as a client sees it. [s]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Clients that start together and send ten requests each leave half of a tenth of the others
    in front. Source: definition.

    Examples
    --------
    >>> first_token_s(
    ...     request_s=0.02, prefill_s=0.03, step_s=0.01, n_running=[1, 101],
    ...     burst_fraction=0.05, stream_interval_tokens=10,
    ... )
    array([0.15, 0.3 ])
    """
    others = np.maximum(non_negative("n_running", n_running, finite=True) - 1.0, 0.0)
    ahead = 1.0 + fraction("burst_fraction", burst_fraction) * others
    gathered = positive("stream_interval_tokens", stream_interval_tokens)
    return (
        non_negative("request_s", request_s)
        + non_negative("wait_s", wait_s)
        + ahead * non_negative("prefill_s", prefill_s)
        + gathered * non_negative("step_s", step_s)
    )


def stall_s(prompt_tokens: ArrayLike, *, chunk_tokens: ArrayLike, prefill_s: ArrayLike) -> Floats:
    r"""Longest that a prompt holds up one token of the others: :math:`p \min(c / n, 1)`.

    Parameters
    ----------
    prompt_tokens
        Length of the prompt. [tokens]
    chunk_tokens
        Tokens of it that one step reads; infinite where prompts are not cut. [tokens]
    prefill_s
        Arithmetic of the whole prompt. [s]

    Returns
    -------
        What the prompt adds to a step of the running batch. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `prompt_tokens` must be above 0.

    Notes
    -----
    Chunks ride along with decode steps; the last ones, which attend to more, take longer than
    this mean. Source: agrawal2024sarathi.

    Examples
    --------
    A chunk of 512 tokens of a 70B model at half of the BF16 peak of an H100 takes 145 ms:

    >>> reading = 2 * 70e9 * 8192 / (0.5 * 989e12)
    >>> stall_s(8192, chunk_tokens=[512, np.inf], prefill_s=reading).round(3)
    array([0.145, 2.319])
    """
    share = non_negative("chunk_tokens", chunk_tokens) / positive("prompt_tokens", prompt_tokens)
    return np.minimum(share, 1.0) * non_negative("prefill_s", prefill_s)


def chunked_s(
    prompt_tokens: ArrayLike, *, chunk_tokens: ArrayLike, prefill_s: ArrayLike, step_s: ArrayLike
) -> Floats:
    r"""Seconds until a prompt is read beside a running batch: :math:`p + t\,\lceil n/c \rceil`.

    Parameters
    ----------
    prompt_tokens
        Length of the prompt. [tokens]
    chunk_tokens
        Tokens of it that one step reads; infinite where prompts are not cut. [tokens]
    prefill_s
        Arithmetic of the whole prompt. [s]
    step_s
        Step of the running batch, which each chunk rides along with. [s]

    Returns
    -------
        What the owner of the prompt waits for, without a queue. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; both lengths must be above 0.

    Notes
    -----
    Source: agrawal2024sarathi.

    Examples
    --------
    Sixteen steps instead of one:

    >>> chunked_s(8192, chunk_tokens=[512, np.inf], prefill_s=0.4, step_s=0.01).round(2)
    array([0.56, 0.41])
    """
    pieces = positive("prompt_tokens", prompt_tokens) / positive("chunk_tokens", chunk_tokens)
    steps = np.maximum(np.ceil(pieces), 1.0) * non_negative("step_s", step_s)
    return non_negative("prefill_s", prefill_s) + steps
