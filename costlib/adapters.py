r"""Adapters: how large one is, what many of them cost a step, and when one pays.

A low-rank adapter adds :math:`BA` to a matrix of a frozen model, with
:math:`B \in \mathbb{R}^{d_o \times r}` and :math:`A \in \mathbb{R}^{r \times d_i}`. Many tenants
share the model and bring an adapter each; without one they bring long prompts, or a model each.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, at_least_one, non_negative, positive, within
from costlib.experts import coverage_fraction
from costlib.work import token_flop

__all__ = [
    "break_even_requests",
    "lora_params",
    "read_adapters",
    "slow_times",
    "tenant_usd",
    "tuning_flop",
]

TINY: Final = 1e-9  # a load that fills machines exactly needs no more of them


def lora_params(
    rank: ArrayLike, *, input_dim: ArrayLike, output_dim: ArrayLike, n_matrices: ArrayLike
) -> Floats:
    r"""Parameters of a low-rank adapter: :math:`n\,r\,(d_i + d_o)`.

    Parameters
    ----------
    rank
        Rank of the update, :math:`r`. [-]
    input_dim
        Width of a matrix's input, :math:`d_i`. [-]
    output_dim
        Width of its output, :math:`d_o`. [-]
    n_matrices
        Matrices of that shape that are adapted, :math:`n`. [-]

    Returns
    -------
        Parameters that are trained. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: hu2021lora.

    Examples
    --------
    GPT-2 of 124M, rank 8 on the joint query, key and value of 12 layers; GPT-3, rank 4 on query
    and value of 96 layers:

    >>> lora_params(8, input_dim=768, output_dim=2304, n_matrices=12)
    np.float64(294912.0)
    >>> lora_params(4, input_dim=12288, output_dim=12288, n_matrices=192)
    np.float64(18874368.0)
    """
    edges = non_negative("input_dim", input_dim) + non_negative("output_dim", output_dim)
    return non_negative("rank", rank) * edges * non_negative("n_matrices", n_matrices)


def tuning_flop(
    n_params: ArrayLike, *, trained_params: ArrayLike, training_tokens: ArrayLike
) -> Floats:
    r"""Arithmetic of tuning a part of a model: :math:`(4N + 2N')\,D`.

    A token goes forward through all of the model and its error back through all of it; only what
    is trained needs gradients of its own. All of it trained is :math:`6ND`.

    Parameters
    ----------
    n_params
        Parameters that a token meets, the adapter's among them, :math:`N`. [-]
    trained_params
        Parameters that are trained, at most all, :math:`N'`. [-]
    training_tokens
        Tokens trained on, :math:`D`. [tokens]

    Returns
    -------
        Forward and backward passes, attention over long texts left out. [FLOP]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: derivation from kaplan2020scaling.

    Examples
    --------
    An adapter takes two thirds of the arithmetic of a full tuning:

    >>> tuning_flop(7e9, trained_params=[7e9, 20e6], training_tokens=5e6).round(-14)
    array([2.100e+17, 1.402e+17])
    """
    whole = non_negative("n_params", n_params)
    trained = within(
        "trained_params", non_negative("trained_params", trained_params), "n_params", whole
    )
    forward, own = token_flop(active_params=whole), token_flop(active_params=trained)
    return (2 * forward + own) * non_negative("training_tokens", training_tokens)


def read_adapters(n_running: ArrayLike, *, n_tenants: ArrayLike) -> Floats:
    r"""Adapters that a batch reads: :math:`M\,(1 - (1 - 1/M)^B)`.

    Parameters
    ----------
    n_running
        Requests of the batch, :math:`B`. [-]
    n_tenants
        Tenants with an adapter each, at least 1, equally busy, :math:`M`. [-]

    Returns
    -------
        Mean number of different adapters in the batch. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    The experts of a mixture that a batch touches follow the same law. Source: sheng2023slora.

    Examples
    --------
    32 requests from one tenant, from 75, from very many:

    >>> read_adapters(32, n_tenants=[1, 75, 1e9]).round(1)
    array([ 1. , 26.2, 32. ])
    """
    tenants = at_least_one("n_tenants", n_tenants, finite=True)
    asked = non_negative("n_running", n_running)
    return tenants * coverage_fraction(asked, n_experts=tenants, top_k=1)


def slow_times(
    read_adapters: ArrayLike, *, adapter_bytes: ArrayLike, step_bytes: ArrayLike
) -> Floats:
    r"""How much longer a step takes that reads adapters as well: :math:`1 + a A / S`.

    Parameters
    ----------
    read_adapters
        Adapters that a batch reads, :math:`a`. [-]
    adapter_bytes
        Bytes of one, :math:`A`. [bytes]
    step_bytes
        Bytes that the step reads without them, above 0, :math:`S`. [bytes]

    Returns
    -------
        Ratio of the times, where memory sets them. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    The adapters' arithmetic and the launches of their kernels are left out. Source:
    sheng2023slora.

    Examples
    --------
    26 adapters of 84 MB beside the 16 GB of an 8B model:

    >>> slow_times(26, adapter_bytes=84e6, step_bytes=16e9).round(3)
    np.float64(1.136)
    """
    read = non_negative("read_adapters", read_adapters) * non_negative(
        "adapter_bytes", adapter_bytes
    )
    return 1 + read / positive("step_bytes", step_bytes)


def tenant_usd(
    n_tenants: ArrayLike,
    *,
    load_share: ArrayLike,
    machine_usd: ArrayLike,
    slow_times: ArrayLike = 1,
) -> Floats:
    r"""Cost of a tenant on machines that all share: :math:`U \lceil n\,l\,s \rceil / n`.

    Parameters
    ----------
    n_tenants
        Tenants, at least 1, :math:`n`; 1 for a machine of their own. [-]
    load_share
        Load of one in machines without adapters, :math:`l`. [-]
    machine_usd
        Cost of a machine over the period, :math:`U`. [USD]
    slow_times
        How much longer a step takes with the adapters, at least 1, :math:`s`. [-]

    Returns
    -------
        Cost per tenant; there is always one machine. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    75 tenants on one machine of $500 a month; a tenant on its own:

    >>> tenant_usd([75, 1], load_share=0.01, machine_usd=500, slow_times=1.05).round(2)
    array([  6.67, 500.  ])
    """
    tenants = at_least_one("n_tenants", n_tenants, finite=True)
    load = tenants * non_negative("load_share", load_share) * at_least_one("slow_times", slow_times)
    machines = np.maximum(np.ceil(load - TINY), 1.0)
    return non_negative("machine_usd", machine_usd) * machines / tenants


def break_even_requests(
    fixed_usd: ArrayLike, *, request_usd: ArrayLike, tuned_request_usd: ArrayLike
) -> Floats:
    r"""Requests at which a fixed cost has paid itself: :math:`F / (c - c')`.

    Parameters
    ----------
    fixed_usd
        Cost that does not hang on use, over the period: training, a machine. [USD]
    request_usd
        Cost of a request without it. [USD]
    tuned_request_usd
        Cost of a request with it. [USD]

    Returns
    -------
        Requests in the period; infinite where a request gets no cheaper. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    $500 a month against $0.51 a rewrite; against less than the machine's own tokens cost:

    >>> break_even_requests(500, request_usd=[0.51, 0.0001], tuned_request_usd=[0, 0.0002]).round()
    array([980.,  inf])
    """
    saved = non_negative("request_usd", request_usd) - non_negative(
        "tuned_request_usd", tuned_request_usd
    )
    fixed = non_negative("fixed_usd", fixed_usd)
    return np.where(saved > 0, fixed / np.where(saved > 0, saved, 1.0), np.inf)[()]
