"""Prices: what a request costs the buyer, and how a bill splits into input and output."""

from __future__ import annotations

from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive
from costlib.units import TOKENS_PER_MTOK

__all__ = ["request_usd", "split_usd_per_mtok"]


def request_usd(
    *,
    input_tokens: ArrayLike,
    output_tokens: ArrayLike,
    input_usd_per_mtok: ArrayLike,
    output_usd_per_mtok: ArrayLike,
    cached_input_usd_per_mtok: ArrayLike = 0,
    hit_fraction: ArrayLike = 0,
) -> Floats:
    r"""Bill of one request at list: fresh input, cached input and output, each at its price.

    Parameters
    ----------
    input_tokens
        Prompt, cached part included. [tokens]
    output_tokens
        Answer. [tokens]
    input_usd_per_mtok
        Price of fresh input. [USD/Mtok]
    output_usd_per_mtok
        Price of output. [USD/Mtok]
    cached_input_usd_per_mtok
        Price of input read from the vendor's cache. [USD/Mtok]
    hit_fraction
        Share of the prompt read from the cache. [-]

    Returns
    -------
        Bill; the surcharge for writing the cache is left out. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: genaiprices2026 for the prices; definition.

    Examples
    --------
    128K in and 1K out at $3/$15, without a hit and read wholly from the cache at $0.30:

    >>> sonnet = {"input_usd_per_mtok": 3, "output_usd_per_mtok": 15}
    >>> request_usd(
    ...     input_tokens=128e3, output_tokens=1e3, cached_input_usd_per_mtok=0.30,
    ...     hit_fraction=[0, 1], **sonnet,
    ... ).round(4)
    array([0.399 , 0.0534])
    """
    hit = fraction("hit_fraction", hit_fraction)
    fresh = (1 - hit) * non_negative("input_usd_per_mtok", input_usd_per_mtok)
    cached = hit * non_negative("cached_input_usd_per_mtok", cached_input_usd_per_mtok)
    prompt = non_negative("input_tokens", input_tokens) * (fresh + cached)
    answer = non_negative("output_tokens", output_tokens) * non_negative(
        "output_usd_per_mtok", output_usd_per_mtok
    )
    return (prompt + answer) / TOKENS_PER_MTOK


def split_usd_per_mtok(
    *,
    bill_usd: ArrayLike,
    own_tokens: ArrayLike,
    other_tokens: ArrayLike,
    own_weight: ArrayLike,
    other_weight: ArrayLike,
) -> Floats:
    r"""Price of one kind of token when a bill is shared by weight: :math:`b w / (n w + n' w')`.

    Parameters
    ----------
    bill_usd
        Cost of serving a request, or many. [USD]
    own_tokens
        Tokens of the kind that is priced: input or output. [tokens]
    other_tokens
        Tokens of the other kind. [tokens]
    own_weight
        What one token of the kind weighs: seconds it holds the accelerators, what it adds to
        the cost, or its list price. [-]
    other_weight
        What one token of the other kind weighs. [-]

    Returns
    -------
        Price; with the other kind's price it sums to the bill. [USD/Mtok]

    Raises
    ------
    ValueError
        If an argument is negative or not a number, or nothing weighs anything.

    Notes
    -----
    Source: definition.

    Examples
    --------
    A cent for 1,000 tokens in and 500 out, where an output token weighs four times as much:

    >>> split_usd_per_mtok(
    ...     bill_usd=0.01, own_tokens=[1000, 500], other_tokens=[500, 1000],
    ...     own_weight=[1, 4], other_weight=[4, 1],
    ... ).round(2)
    array([ 3.33, 13.33])
    """
    each = non_negative("own_weight", own_weight)
    all_of_it = positive(
        "the weight of all tokens",
        non_negative("own_tokens", own_tokens) * each
        + non_negative("other_tokens", other_tokens) * non_negative("other_weight", other_weight),
    )
    return non_negative("bill_usd", bill_usd) * each / all_of_it * TOKENS_PER_MTOK
