r"""Two models and who is asked: cost, quality, and what a wrong answer costs.

A router sends a share :math:`p` of the queries to a strong and dear model and the rest to a weak
and cheap one. Of all queries, a share :math:`b` is answered right by the strong model only and a
share :math:`c` by the weak one only; :math:`b - c` is the gap between their scores. Costs are per
query, or per million tokens throughout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from costlib._checks import Floats, fraction, non_negative, positive, within

__all__ = [
    "affordable_fraction",
    "answer_usd",
    "blended_usd_per_mtok",
    "break_even_loss_usd",
    "break_even_retry_loss_usd",
    "correct_usd",
    "recovered_share",
    "routed_quality",
    "routed_usd",
    "shifted_fraction",
    "skill_share",
]


def blended_usd_per_mtok(tier_fractions: ArrayLike, *, tier_usd_per_mtok: ArrayLike) -> Floats:
    r"""Price of a mix of tiers: :math:`\sum_i w_i P_i` over the last axis.

    Parameters
    ----------
    tier_fractions
        Share of the tokens that each tier takes; they sum to 1 over the last axis. [-]
    tier_usd_per_mtok
        Price of each tier. [USD/Mtok]

    Returns
    -------
        Mean price. [USD/Mtok]

    Raises
    ------
    ValueError
        If a share lies outside [0, 1], a price is negative, or the shares do not sum to 1.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> blended_usd_per_mtok([0.7, 0.2, 0.1], tier_usd_per_mtok=[5, 15, 25]).round(2)
    np.float64(9.0)
    """
    shares = np.asarray(fraction("tier_fractions", tier_fractions))
    prices = np.asarray(non_negative("tier_usd_per_mtok", tier_usd_per_mtok))
    whole = shares.sum(axis=-1)
    if (off := np.abs(whole - 1)).max() > 1e-9:
        raise ValueError(f"tier_fractions must sum to 1, got {np.ravel(whole)[off.argmax()]:.9g}")
    mean: Floats = (shares * prices).sum(axis=-1)[()]
    return mean


def routed_usd(
    strong_fraction: ArrayLike,
    *,
    strong_usd: ArrayLike,
    weak_usd: ArrayLike,
    router_usd: ArrayLike = 0,
) -> Floats:
    r"""Cost of a query behind a router: :math:`p S + (1 - p) W + o`.

    Parameters
    ----------
    strong_fraction
        Share of the queries that the strong model answers. [-]
    strong_usd
        Cost of a query there. [USD]
    weak_usd
        Cost of a query at the weak model. [USD]
    router_usd
        Cost of deciding. [USD]

    Returns
    -------
        Mean cost. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: ong2025routellm.

    Examples
    --------
    GPT-4 and Mixtral at $24.7 and $0.24 per million tokens, 26 % of the calls to GPT-4:

    >>> routed_usd([0.26, 1], strong_usd=24.7, weak_usd=0.24).round(2)
    array([ 6.6, 24.7])
    """
    share = fraction("strong_fraction", strong_fraction)
    dear = share * non_negative("strong_usd", strong_usd, finite=True)
    cheap = (1 - share) * non_negative("weak_usd", weak_usd)
    return dear + cheap + non_negative("router_usd", router_usd)


def affordable_fraction(
    saving_fraction: ArrayLike,
    *,
    strong_usd: ArrayLike,
    weak_usd: ArrayLike,
    router_usd: ArrayLike = 0,
) -> Floats:
    r"""Share of strong calls that a saving leaves room for: :math:`\frac{(1-z)S - W - o}{S - W}`.

    Parameters
    ----------
    saving_fraction
        What is saved against asking the strong model always. [-]
    strong_usd
        Cost of a query there. [USD]
    weak_usd
        Cost of a query at the weak model. [USD]
    router_usd
        Cost of deciding. [USD]

    Returns
    -------
        Share from 0 to 1; 0 where not even the weak model alone saves as much. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    `routed_usd` turned around. Source: ong2025routellm.

    Examples
    --------
    Saving 85, 45 and 35 % with GPT-4 and Mixtral:

    >>> affordable_fraction([0.85, 0.45, 0.35], strong_usd=24.7, weak_usd=0.24).round(3)
    array([0.142, 0.546, 0.647])
    """
    kept = 1 - fraction("saving_fraction", saving_fraction)
    dear, cheap = (
        non_negative("strong_usd", strong_usd, finite=True),
        non_negative("weak_usd", weak_usd),
    )
    gap = dear - cheap
    room = kept * dear - cheap - non_negative("router_usd", router_usd)
    share = np.where(gap > 0, room / np.where(gap > 0, gap, 1.0), np.where(room >= 0, 1.0, 0.0))
    return np.maximum(share, 0)[()]


# --- quality ---------------------------------------------------------------------------------


def recovered_share(
    quality: ArrayLike, *, strong_quality: ArrayLike, weak_quality: ArrayLike
) -> Floats:
    r"""Part of the gap between two models that a mix recovers (PGR): :math:`\frac{q-w}{s-w}`.

    Parameters
    ----------
    quality
        Score of the mix, a share or a mark. [-]
    strong_quality
        Score of the strong model. [-]
    weak_quality
        Score of the weak model. [-]

    Returns
    -------
        0 at the weak model, 1 at the strong; below 0 and above 1 outside of both; without a gap
        1 where the mix is as good, and minus infinity where it is not. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: ong2025routellm.

    Examples
    --------
    95 % of the strong model's score on MT-Bench, MMLU and GSM8K, in their scores:

    >>> strong, weak = np.array([9.2118, 0.8059, 0.8577]), np.array([8.2813, 0.6809, 0.6373])
    >>> recovered_share(0.95 * strong, strong_quality=strong, weak_quality=weak).round(3)
    array([0.505, 0.678, 0.805])
    """
    mix = non_negative("quality", quality)
    strong = non_negative("strong_quality", strong_quality)
    weak = non_negative("weak_quality", weak_quality, finite=True)
    gap = strong - weak
    apart = gap != 0
    share = np.where(apart, (mix - weak) / np.where(apart, gap, 1.0), np.nan)
    return np.where(apart, share, np.where(mix >= strong, 1.0, -np.inf))[()]


def routed_quality(
    strong_fraction: ArrayLike,
    *,
    weak_quality: ArrayLike,
    only_strong_fraction: ArrayLike,
    only_weak_fraction: ArrayLike,
    skill_fraction: ArrayLike,
) -> Floats:
    r"""Score behind a router of some skill: :math:`w + (1-k)\,p(b-c) + k\,[g(p)]`.

    Parameters
    ----------
    strong_fraction
        Share of the queries that the strong model answers. [-]
    weak_quality
        Score of the weak model alone. [-]
    only_strong_fraction
        Share of the queries that only the strong model answers right. [-]
    only_weak_fraction
        Share that only the weak one does. [-]
    skill_fraction
        Share :math:`k` of the queries that it tells apart; the others it sends by chance. [-]

    Returns
    -------
        Score of the mix: :math:`g(p) = \min(p, b) - \max(0, p - 1 + c)` is what a router that
        knows every answer gains. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Chance at a skill of 0, an oracle at 1; between them a router that is sure of some queries and
    guesses the others, for all shares alike. Source: ong2025routellm for the two ends.

    Examples
    --------
    MMLU with GPT-4 and Mixtral: chance, and an oracle that asks GPT-4 where only it is right.

    >>> mmlu = {"weak_quality": 0.681, "only_strong_fraction": 0.178, "only_weak_fraction": 0.053}
    >>> routed_quality([0.178, 1], skill_fraction=0, **mmlu).round(3)
    array([0.703, 0.806])
    >>> routed_quality([0.178, 1], skill_fraction=1, **mmlu).round(3)
    array([0.859, 0.806])
    """
    share = fraction("strong_fraction", strong_fraction)
    better = fraction("only_strong_fraction", only_strong_fraction)
    weak = non_negative("weak_quality", weak_quality, finite=True)
    worse = fraction("only_weak_fraction", only_weak_fraction)
    worse = within("only_weak_fraction", worse, "weak_quality", weak)
    skill = fraction("skill_fraction", skill_fraction)
    chance = share * (better - worse)
    oracle = np.minimum(share, better) - np.maximum(share - 1 + worse, 0)
    return weak + (1 - skill) * chance + skill * oracle


def skill_share(
    area: ArrayLike, *, only_strong_fraction: ArrayLike, only_weak_fraction: ArrayLike
) -> Floats:
    r"""Skill of a router whose recovered gap averages to an area (APGR).

    Parameters
    ----------
    area
        Recovered part of the gap, averaged over all shares of strong calls. [-]
    only_strong_fraction
        Share of the queries that only the strong model answers right. [-]
    only_weak_fraction
        Share that only the weak one does. [-]

    Returns
    -------
        :math:`k = \frac{(2A - 1)(b - c)}{b(1-b) + c(1-c)}`: 1 for an oracle, 0 for chance, below
        that for a router that is worse than chance; 0 where the models differ on nothing. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    The area under `routed_quality` is linear in its skill. Source: ong2025routellm for the area.

    Examples
    --------
    The best router published for MMLU tells an eighth of the queries apart:

    >>> mmlu = {"only_strong_fraction": 0.1778, "only_weak_fraction": 0.0529}
    >>> skill_share([0.5, 0.603], **mmlu).round(3)
    array([0.   , 0.131])
    """
    better = fraction("only_strong_fraction", only_strong_fraction)
    worse = fraction("only_weak_fraction", only_weak_fraction)
    spread = better * (1 - better) + worse * (1 - worse)
    some = spread > 0
    found = (2 * non_negative("area", area) - 1) * (better - worse) / np.where(some, spread, 1.0)
    return np.where(some, found, 0.0)[()]


def shifted_fraction(strong_fraction: ArrayLike, *, shift: ArrayLike) -> Floats:
    r"""Share of strong calls once prompts look harder: :math:`\Phi(\Phi^{-1}(p) + d)`.

    Parameters
    ----------
    strong_fraction
        Share at which the threshold was set. [-]
    shift
        How far the router's scores move up, in their own standard deviations. [-]

    Returns
    -------
        Share of live traffic above the same threshold. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Scores that are normal before and after. A shift the other way: swap the models. Source:
    definition.

    Examples
    --------
    >>> shifted_fraction([0.26, 0.5], shift=0.5).round(3)
    array([0.443, 0.691])
    """
    share = fraction("strong_fraction", strong_fraction)
    moved: Floats = special.ndtr(special.ndtri(share) + non_negative("shift", shift))
    return moved


# --- failures --------------------------------------------------------------------------------


def answer_usd(
    request_usd: ArrayLike, *, success_fraction: ArrayLike, loss_usd: ArrayLike
) -> Floats:
    r"""What an answer costs with what its failures cost: :math:`C + (1 - s) L`.

    Parameters
    ----------
    request_usd
        Cost of the request. [USD]
    success_fraction
        Share of the answers that are right. [-]
    loss_usd
        What a wrong one costs whoever relies on it. [USD]

    Returns
    -------
        Mean cost of an answer, right or wrong. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> answer_usd([0.00028, 0.025], success_fraction=[0.79, 1], loss_usd=1).round(4)
    array([0.2103, 0.025 ])
    """
    wrong = 1 - fraction("success_fraction", success_fraction)
    return non_negative("request_usd", request_usd) + wrong * non_negative("loss_usd", loss_usd)


def correct_usd(
    request_usd: ArrayLike, *, success_fraction: ArrayLike, loss_usd: ArrayLike = 0
) -> Floats:
    r"""Cost per right answer: :math:`[C + (1 - s) L] / s`.

    Parameters
    ----------
    request_usd
        Cost of a request. [USD]
    success_fraction
        Share of the answers that are right. [-]
    loss_usd
        What a wrong one costs. [USD]

    Returns
    -------
        Cost of asking until an answer is right; infinite where none ever is. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Tries are independent, and whoever asks sees which are wrong. Source: definition.

    Examples
    --------
    At $0.28 and 79 %, and at $25 and 100 %, per million tokens:

    >>> correct_usd([0.28, 25], success_fraction=[0.79, 1]).round(3)
    array([ 0.354, 25.   ])
    """
    right = fraction("success_fraction", success_fraction)
    paid = answer_usd(request_usd, success_fraction=right, loss_usd=loss_usd)
    return np.where(right > 0, paid / np.where(right > 0, right, 1.0), np.inf)[()]


def break_even_loss_usd(
    *,
    strong_usd: ArrayLike,
    weak_usd: ArrayLike,
    strong_success_fraction: ArrayLike,
    weak_success_fraction: ArrayLike,
) -> Floats:
    r"""Loss per failure at which both models cost the same: :math:`\frac{S - W}{s_s - s_w}`.

    Parameters
    ----------
    strong_usd
        Cost of a query at the strong model. [USD]
    weak_usd
        Cost of a query at the weak model. [USD]
    strong_success_fraction
        Share that the strong model answers right. [-]
    weak_success_fraction
        Share that the weak one does. [-]

    Returns
    -------
        Above it the strong model is the cheaper; infinite where it is dearer and no better, 0
        where it is no dearer and better. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Every query is asked once, and its failure borne. Source: definition.

    Examples
    --------
    1,000 tokens at $25 and at $0.28 per million, right always and in 79 %:

    >>> break_even_loss_usd(
    ...     strong_usd=0.025, weak_usd=0.00028,
    ...     strong_success_fraction=1, weak_success_fraction=0.79,
    ... ).round(3)
    np.float64(0.118)
    """
    more = non_negative("strong_usd", strong_usd, finite=True) - non_negative("weak_usd", weak_usd)
    better = fraction("strong_success_fraction", strong_success_fraction) - fraction(
        "weak_success_fraction", weak_success_fraction
    )
    wins = better > 0
    loss = np.maximum(more, 0) / np.where(wins, better, 1.0)
    return np.where(wins, loss, np.where(more > 0, np.inf, 0.0))[()]


def break_even_retry_loss_usd(
    *,
    strong_usd: ArrayLike,
    weak_usd: ArrayLike,
    strong_success_fraction: ArrayLike,
    weak_success_fraction: ArrayLike,
) -> Floats:
    r"""The same if all is asked until right: :math:`\frac{S/s_s - W/s_w}{1/s_w - 1/s_s}`.

    Parameters
    ----------
    strong_usd
        Cost of a query at the strong model. [USD]
    weak_usd
        Cost of a query at the weak model. [USD]
    strong_success_fraction
        Share that the strong model answers right; above 0. [-]
    weak_success_fraction
        Share that the weak one does; above 0. [-]

    Returns
    -------
        Above it the strong model is the cheaper; infinite where it is dearer and no better, 0
        where it is no dearer per right answer and better. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    `correct_usd` of both, set equal. Source: definition.

    Examples
    --------
    >>> break_even_retry_loss_usd(
    ...     strong_usd=0.025, weak_usd=0.00028,
    ...     strong_success_fraction=1, weak_success_fraction=0.79,
    ... ).round(4)
    np.float64(0.0927)
    """
    strong = positive(
        "strong_success_fraction", fraction("strong_success_fraction", strong_success_fraction)
    )
    weak = positive(
        "weak_success_fraction", fraction("weak_success_fraction", weak_success_fraction)
    )
    dear, cheap = (
        non_negative("strong_usd", strong_usd, finite=True),
        non_negative("weak_usd", weak_usd),
    )
    more = dear / strong - cheap / weak
    fewer = (1 - weak) / weak - (1 - strong) / strong  # failures per right answer that it saves
    wins = fewer > 0
    loss = np.maximum(more, 0) / np.where(wins, fewer, 1.0)
    return np.where(wins, loss, np.where(more > 0, np.inf, 0.0))[()]
