"""Prices: what a request costs the buyer, under tiers, discounts and commitments."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive, within
from costlib.units import SECONDS_PER_HOUR, TOKENS_PER_MTOK

__all__ = [
    "break_even_load",
    "committed_usd",
    "dominated_tokens",
    "gross_margin_fraction",
    "implied_requests",
    "provisioned_usd",
    "request_usd",
    "split_usd_per_mtok",
    "tier_usd_per_mtok",
    "yearly_fall_fraction",
]


def request_usd(
    *,
    input_tokens: ArrayLike,
    output_tokens: ArrayLike,
    input_usd_per_mtok: ArrayLike,
    output_usd_per_mtok: ArrayLike,
    cached_tokens: ArrayLike = 0,
    cached_input_usd_per_mtok: ArrayLike = 0,
    written_tokens: ArrayLike = 0,
    cache_write_usd_per_mtok: ArrayLike = 0,
    reasoning_tokens: ArrayLike = 0,
    tokenizer_times: ArrayLike = 1,
    discount_fraction: ArrayLike = 0,
) -> Floats:
    r"""Bill of one request: every kind of token at its price, less a discount.

    .. math:: (1-d)\,z\,[(n-c-w)\,p_{in} + c\,p_{hit} + w\,p_{write} + (m+r)\,p_{out}]

    Parameters
    ----------
    input_tokens
        Prompt :math:`n`, what is read from a cache or written to it included. [tokens]
    output_tokens
        Answer :math:`m` that the user sees. [tokens]
    input_usd_per_mtok
        Price of fresh input. [USD/Mtok]
    output_usd_per_mtok
        Price of output. [USD/Mtok]
    cached_tokens
        Part :math:`c` of the prompt read from the vendor's cache. [tokens]
    cached_input_usd_per_mtok
        Price of input read from the cache. [USD/Mtok]
    written_tokens
        Part :math:`w` of the prompt written to the cache. [tokens]
    cache_write_usd_per_mtok
        Price of input that is written to the cache. [USD/Mtok]
    reasoning_tokens
        Tokens :math:`r` that the model thinks and vendors bill as output. [tokens]
    tokenizer_times
        Tokens :math:`z` that this model makes of a text that the counts above take as one. [-]
    discount_fraction
        Share :math:`d` of the list price that a contract takes off. [-]

    Returns
    -------
        Bill. Prices may differ from request to request: a context tier that moves the whole
        request is another price (`tier_usd_per_mtok`), so is a batch. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range, or what is cached and written exceeds the prompt.

    Notes
    -----
    Source: genaiprices2026 for what is billed at which price; definition.

    Examples
    --------
    128K in and 1K out at $3/$15, without a hit and read wholly from the cache at $0.30:

    >>> sonnet = {"input_usd_per_mtok": 3, "output_usd_per_mtok": 15}
    >>> request_usd(
    ...     input_tokens=128e3, output_tokens=1e3, cached_input_usd_per_mtok=0.30,
    ...     cached_tokens=[0, 128e3], **sonnet,
    ... ).round(4)
    array([0.399 , 0.0534])
    """
    prompt = non_negative("input_tokens", input_tokens)
    read = non_negative("cached_tokens", cached_tokens)
    written = non_negative("written_tokens", written_tokens, finite=True)
    kept = within("cached_tokens + written_tokens", read + written, "input_tokens", prompt)
    output = non_negative("output_tokens", output_tokens) + non_negative(
        "reasoning_tokens", reasoning_tokens
    )
    bill = (
        np.maximum(prompt - kept, 0) * non_negative("input_usd_per_mtok", input_usd_per_mtok)
        + read * non_negative("cached_input_usd_per_mtok", cached_input_usd_per_mtok)
        + written * non_negative("cache_write_usd_per_mtok", cache_write_usd_per_mtok)
        + output * non_negative("output_usd_per_mtok", output_usd_per_mtok)
    )
    times = non_negative("tokenizer_times", tokenizer_times)
    paid = 1 - fraction("discount_fraction", discount_fraction)
    return bill * times * paid / TOKENS_PER_MTOK


def tier_usd_per_mtok(
    input_tokens: ArrayLike,
    *,
    tier_tokens: ArrayLike,
    short_usd_per_mtok: ArrayLike,
    long_usd_per_mtok: ArrayLike,
) -> Floats:
    r"""Price of a token where a long prompt moves the whole request to another tier.

    Parameters
    ----------
    input_tokens
        Prompt, cached part included. [tokens]
    tier_tokens
        Longest prompt of the short tier; infinite without a tier. [tokens]
    short_usd_per_mtok
        Price up to it. [USD/Mtok]
    long_usd_per_mtok
        Price of every token of a request above it. [USD/Mtok]

    Returns
    -------
        Price of each token of the request. [USD/Mtok]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: genaiprices2026; definition. It is no marginal tariff: one token too many re-prices
    all those before it.

    Examples
    --------
    Gemini 2.5 Pro, input: 200,000 tokens cost $0.25, one more doubles that:

    >>> price = tier_usd_per_mtok(
    ...     [200_000, 200_001], tier_tokens=200_000, short_usd_per_mtok=1.25, long_usd_per_mtok=2.5
    ... )
    >>> price
    array([1.25, 2.5 ])
    """
    long = non_negative("input_tokens", input_tokens) > non_negative("tier_tokens", tier_tokens)
    return np.where(
        long,
        non_negative("long_usd_per_mtok", long_usd_per_mtok),
        non_negative("short_usd_per_mtok", short_usd_per_mtok),
    )[()]


def dominated_tokens(
    *,
    tier_tokens: ArrayLike,
    short_usd_per_mtok: ArrayLike,
    long_usd_per_mtok: ArrayLike,
    value_usd_per_mtok: ArrayLike = 0,
) -> Floats:
    r"""Prompt up to which cutting back to the tier's edge beats sending all of it.

    Sending :math:`n` tokens at :math:`p_2` is worth it against the edge :math:`T` at
    :math:`p_1` once :math:`v(n-T) \ge p_2 n - p_1 T`:

    .. math:: n^* = T\,\frac{v-p_1}{v-p_2} \quad (v > p_2), \qquad \infty \text{ otherwise.}

    Parameters
    ----------
    tier_tokens
        Longest prompt of the short tier, :math:`T`. [tokens]
    short_usd_per_mtok
        Price of input up to it, :math:`p_1`. [USD/Mtok]
    long_usd_per_mtok
        Price of all input of a longer prompt, :math:`p_2`. [USD/Mtok]
    value_usd_per_mtok
        What the tokens beyond the edge are worth to the buyer, :math:`v`. [USD/Mtok]

    Returns
    -------
        End of the band that no one should send; it begins at `tier_tokens`. [tokens]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition. Output moves too, and makes the band wider.

    Examples
    --------
    Gemini 2.5 Pro: at a value of twice the long price the band ends at 300,000 tokens, and a
    buyer to whom more context is worth nothing never crosses:

    >>> dominated_tokens(
    ...     tier_tokens=200e3, short_usd_per_mtok=1.25, long_usd_per_mtok=2.5,
    ...     value_usd_per_mtok=[5, 0],
    ... )
    array([300000.,     inf])
    """
    edge = non_negative("tier_tokens", tier_tokens)
    short = non_negative("short_usd_per_mtok", short_usd_per_mtok)
    long = non_negative("long_usd_per_mtok", long_usd_per_mtok)
    value = non_negative("value_usd_per_mtok", value_usd_per_mtok, finite=True)
    pays = value > long
    end = edge * (value - short) / np.where(pays, value - long, 1)
    return np.where(pays, np.maximum(end, edge), np.where(long > short, np.inf, edge))[()]


def committed_usd(
    usage_usd: ArrayLike,
    *,
    commitment_usd: ArrayLike,
    discount_fraction: ArrayLike = 0,
    overage_discount_fraction: ArrayLike = 0,
) -> Floats:
    r"""Payment under a commitment to spend: what is unused is forfeited, what exceeds it is billed.

    Parameters
    ----------
    usage_usd
        Use at list price in the term. [USD]
    commitment_usd
        What is paid in any case. [USD]
    discount_fraction
        Discount on use up to the commitment. [-]
    overage_discount_fraction
        Discount on use beyond it. [-]

    Returns
    -------
        Payment: flat up to the commitment, so use there is free at the margin. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: tanaka2026palanor for the practice; definition.

    Examples
    --------
    $8M committed: from $5.5M used to $8M nothing more is paid, the two millions beyond are billed:

    >>> committed_usd([5.5e6, 8e6, 10e6], commitment_usd=8e6)
    array([ 8000000.,  8000000., 10000000.])
    """
    used = non_negative("usage_usd", usage_usd)
    promised = non_negative("commitment_usd", commitment_usd)
    kept = 1 - fraction("discount_fraction", discount_fraction)
    beyond = 1 - fraction("overage_discount_fraction", overage_discount_fraction)
    over = np.maximum(used * kept - promised, 0)
    return promised + np.where(over > 0, over * beyond / np.where(kept > 0, kept, 1), 0)[()]


def provisioned_usd(
    demand_tokens_per_s: ArrayLike,
    *,
    provisioned_tokens_per_s: ArrayLike,
    provisioned_usd_per_h: ArrayLike,
    held_s: ArrayLike,
    spill_usd_per_mtok: ArrayLike,
) -> Floats:
    r"""Cost of a stretch with provisioned throughput, what exceeds it spilling to list price.

    Parameters
    ----------
    demand_tokens_per_s
        Tokens asked for. [tokens/s]
    provisioned_tokens_per_s
        Throughput that is reserved. [tokens/s]
    provisioned_usd_per_h
        Price of the reservation, used or not. [USD/h]
    held_s
        Length of the stretch. [s]
    spill_usd_per_mtok
        Mean price of a token as one goes. [USD/Mtok]

    Returns
    -------
        Cost. [USD]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: tanaka2026palanor for the practice; definition. Tokens within a stretch are taken as
    even: what peaks inside it spills earlier.

    Examples
    --------
    A reservation that costs what 60 % of its throughput would at list: below that it loses.

    >>> provisioned_usd(
    ...     [0, 600, 1200], provisioned_tokens_per_s=1000, provisioned_usd_per_h=2.16 * 2,
    ...     held_s=3600, spill_usd_per_mtok=2,
    ... ).round(2)
    array([4.32, 4.32, 5.76])
    """
    asked = non_negative("demand_tokens_per_s", demand_tokens_per_s)
    held = non_negative("held_s", held_s)
    spilled = np.maximum(
        asked - non_negative("provisioned_tokens_per_s", provisioned_tokens_per_s), 0
    )
    reserved = (
        non_negative("provisioned_usd_per_h", provisioned_usd_per_h) * held / SECONDS_PER_HOUR
    )
    price = non_negative("spill_usd_per_mtok", spill_usd_per_mtok)
    return reserved + spilled * held * price / TOKENS_PER_MTOK


def gross_margin_fraction(*, bill_usd: ArrayLike, full_usd: ArrayLike, load: ArrayLike) -> Floats:
    r"""Gross margin of a host, :math:`1 - C/(u B)`: what the bill leaves after the machine.

    Parameters
    ----------
    bill_usd
        What the buyer pays for a request, :math:`B`. [USD]
    full_usd
        What the machine costs per request if it is full at every hour, :math:`C`. [USD]
    load
        Share of that traffic which comes, :math:`u`. [-]

    Returns
    -------
        Share of the bill, negative where the machine costs more; minus infinity where nothing
        is billed or nobody comes. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number, or the load exceeds one.

    Notes
    -----
    The machine alone: no staff, network, taxes or failures. Source: definition.

    Examples
    --------
    A cent billed for what costs four tenths of a cent on a full machine; half full, and 40 %:

    >>> gross_margin_fraction(bill_usd=0.01, full_usd=0.004, load=[1, 0.5, 0.4]).round(2)
    array([0.6, 0.2, 0. ])
    """
    used = within("load", non_negative("load", load), "1", np.float64(1))
    earned = used * non_negative("bill_usd", bill_usd)
    cost = non_negative("full_usd", full_usd)
    return np.where(earned > 0, 1 - cost / np.where(earned > 0, earned, 1), -np.inf)[()]


def break_even_load(*, bill_usd: ArrayLike, full_usd: ArrayLike) -> Floats:
    r"""Load from which a host earns: :math:`C/B`; infinite where not even a full machine does.

    Parameters
    ----------
    bill_usd
        What the buyer pays for a request. [USD]
    full_usd
        What the machine costs per request if it is full at every hour. [USD]

    Returns
    -------
        Share of a full machine's traffic. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> break_even_load(bill_usd=[0.01, 0.003], full_usd=0.004)
    array([0.4, inf])
    """
    bill = non_negative("bill_usd", bill_usd)
    cost = non_negative("full_usd", full_usd)
    return np.where(bill >= cost, cost / np.where(bill > 0, bill, 1), np.inf)[()]


def implied_requests(
    output_times: ArrayLike,
    *,
    input_token_s: ArrayLike,
    weight_s: ArrayLike,
    sequence_s: ArrayLike,
) -> Floats:
    r"""Requests that decode at once if the ratio of two list prices were the ratio of two costs.

    A token of output takes :math:`t_w/n + t_c` of the machine, one of input :math:`t_{in}`, so a
    price ratio :math:`r` stands for

    .. math:: n = \frac{t_w}{r\,t_{in} - t_c} .

    Parameters
    ----------
    output_times
        Price of output over that of input, :math:`r`. [-]
    input_token_s
        Time in which the machine reads one token of a prompt, :math:`t_{in}`. [s]
    weight_s
        Time in which it reads its weights once, :math:`t_w`. [s]
    sequence_s
        Time in which it reads the cache of one request, :math:`t_c`. [s]

    Returns
    -------
        Batch; infinite where the cache alone makes output dearer than the ratio says. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition; decode bound by memory, prefill by arithmetic.

    Examples
    --------
    A 70B in four bits on one H100, 4K in the cache: output at five times input stands for a
    batch of nine, at twice for 28:

    >>> implied_requests(
    ...     [5, 2], input_token_s=140e9 / (0.5 * 989e12), weight_s=35e9 / 3.35e12,
    ...     sequence_s=0.655e9 / 3.35e12,
    ... ).round(1)
    array([ 8.6, 28.2])
    """
    spare = non_negative("output_times", output_times) * non_negative(
        "input_token_s", input_token_s
    ) - non_negative("sequence_s", sequence_s)
    weights = non_negative("weight_s", weight_s)
    return np.where(spare > 0, weights / np.where(spare > 0, spare, 1), np.inf)[()]


def yearly_fall_fraction(
    *, first_usd_per_mtok: ArrayLike, last_usd_per_mtok: ArrayLike, years: ArrayLike
) -> Floats:
    r"""Yearly fall of a price between two dates, :math:`1-(p_1/p_0)^{1/t}`; negative: it rose.

    Parameters
    ----------
    first_usd_per_mtok
        Price at the start, :math:`p_0`. [USD/Mtok]
    last_usd_per_mtok
        Price at the end, :math:`p_1`. [USD/Mtok]
    years
        Years between them, :math:`t`. [-]

    Returns
    -------
        Share of the price that is lost each year; negative where it rose. [-]

    Raises
    ------
    ValueError
        If an argument is not positive.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Ten times in two years, 600 times in 5.6 years, a thousand times in 2.25 years:

    >>> yearly_fall_fraction(
    ...     first_usd_per_mtok=[10, 60, 1000], last_usd_per_mtok=[1, 0.1, 1], years=[2, 5.6, 2.25],
    ... ).round(2)
    array([0.68, 0.68, 0.95])
    """
    ratio = positive("last_usd_per_mtok", last_usd_per_mtok) / positive(
        "first_usd_per_mtok", first_usd_per_mtok
    )
    return 1 - np.power(ratio, 1 / positive("years", years))


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
    each = non_negative("own_weight", own_weight, finite=True)
    all_of_it = positive(
        "own_tokens and other_tokens by their weights",
        non_negative("own_tokens", own_tokens) * each
        + non_negative("other_tokens", other_tokens) * non_negative("other_weight", other_weight),
    )
    return non_negative("bill_usd", bill_usd) * each / all_of_it * TOKENS_PER_MTOK
