r"""Ask again: a cheap answer that is checked, a second try, and a fallback.

The cheap model answers every query; a check passes or rejects its answer, and what is rejected
goes to the strong model, or is asked again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, within

__all__ = [
    "cascade_quality",
    "cascade_usd",
    "escalated_fraction",
    "tried_fraction",
    "tried_usd",
]


def escalated_fraction(
    success_fraction: ArrayLike, *, caught_fraction: ArrayLike, false_alarm_fraction: ArrayLike = 0
) -> Floats:
    r"""Share of the cheap answers that a check rejects: :math:`(1 - s)\,h + s f`.

    Parameters
    ----------
    success_fraction
        Share that the cheap model answers right. [-]
    caught_fraction
        Share of its wrong answers that the check rejects. [-]
    false_alarm_fraction
        Share of its right answers that it rejects, too. [-]

    Returns
    -------
        Share that the strong model is asked. [-]

    Raises
    ------
    ValueError
        If an argument lies outside [0, 1].

    Notes
    -----
    Source: chen2023frugalgpt.

    Examples
    --------
    >>> escalated_fraction(0.7, caught_fraction=[1, 0.8], false_alarm_fraction=[0, 0.1]).round(2)
    array([0.3 , 0.31])
    """
    right = fraction("success_fraction", success_fraction)
    wrong = (1 - right) * fraction("caught_fraction", caught_fraction)
    return wrong + right * fraction("false_alarm_fraction", false_alarm_fraction)


def cascade_usd(
    escalated_fraction: ArrayLike,
    *,
    strong_usd: ArrayLike,
    weak_usd: ArrayLike,
    check_usd: ArrayLike = 0,
) -> Floats:
    r"""Cost of a query of which a part is asked twice: :math:`W + v + r S`.

    Parameters
    ----------
    escalated_fraction
        Share that goes on to the strong model: rejected by a check, or beyond a small model. [-]
    strong_usd
        Cost of a query there. [USD]
    weak_usd
        Cost of a query at the cheap model, which all pay. [USD]
    check_usd
        Cost of the check. [USD]

    Returns
    -------
        Mean cost. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    A distilled model with a fallback is the same: what it cannot do is paid twice. Source:
    chen2023frugalgpt.

    Examples
    --------
    A model of a twentieth of the cost, with no, a fifth and all of the queries falling back:

    >>> cascade_usd([0, 0.2, 1], strong_usd=1, weak_usd=0.05).round(2)
    array([0.05, 0.25, 1.05])
    """
    share = fraction("escalated_fraction", escalated_fraction)
    first = non_negative("weak_usd", weak_usd) + non_negative("check_usd", check_usd)
    return first + share * non_negative("strong_usd", strong_usd)


def cascade_quality(
    weak_quality: ArrayLike,
    *,
    only_strong_fraction: ArrayLike,
    only_weak_fraction: ArrayLike,
    caught_fraction: ArrayLike,
    false_alarm_fraction: ArrayLike = 0,
) -> Floats:
    r"""Score of a cascade: :math:`w + h b - f c`.

    Parameters
    ----------
    weak_quality
        Share that the cheap model answers right. [-]
    only_strong_fraction
        Share of the queries that only the strong model answers right. [-]
    only_weak_fraction
        Share that only the cheap one does. [-]
    caught_fraction
        Share of the cheap model's wrong answers that the check rejects. [-]
    false_alarm_fraction
        Share of its right answers that it rejects, too. [-]

    Returns
    -------
        Share of all queries answered right. [-]

    Raises
    ------
    ValueError
        If an argument lies outside [0, 1], or more is right at one model only than can be.

    Notes
    -----
    The check sees right and wrong, and nothing of what the strong model would say. Source:
    chen2023frugalgpt.

    Examples
    --------
    >>> gsm8k = {"only_strong_fraction": 0.2923, "only_weak_fraction": 0.0719}
    >>> cascade_quality(0.6373, caught_fraction=[1, 0.8], false_alarm_fraction=[0, 0.1], **gsm8k)
    array([0.9296 , 0.86395])
    """
    kept = fraction("weak_quality", weak_quality)
    better = fraction("only_strong_fraction", only_strong_fraction)
    worse = fraction("only_weak_fraction", only_weak_fraction)
    won = fraction("caught_fraction", caught_fraction) * within(
        "only_strong_fraction", better, "1 - weak_quality", 1 - kept
    )
    lost = fraction("false_alarm_fraction", false_alarm_fraction) * within(
        "only_weak_fraction", worse, "weak_quality", kept
    )
    return kept + won - lost


def tried_fraction(n_tries: ArrayLike, *, success_fraction: ArrayLike) -> Floats:
    r"""Share answered right within so many tries: :math:`1 - (1 - s)^n`.

    Parameters
    ----------
    n_tries
        Most tries. [-]
    success_fraction
        Share of the answers that are right. [-]

    Returns
    -------
        Share of the queries. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Each try has the same chance and whoever asks sees which are wrong; a model that errs on the
    same queries every time gains nothing. Source: definition.

    Examples
    --------
    >>> tried_fraction([1, 2, 3], success_fraction=0.7).round(3)
    array([0.7  , 0.91 , 0.973])
    """
    wrong = 1 - fraction("success_fraction", success_fraction)
    return 1 - wrong ** non_negative("n_tries", n_tries)


def tried_usd(n_tries: ArrayLike, *, request_usd: ArrayLike, success_fraction: ArrayLike) -> Floats:
    r"""Cost of a query asked until it is right, or so many times: :math:`C\,[1 - (1-s)^n] / s`.

    Parameters
    ----------
    n_tries
        Most tries. [-]
    request_usd
        Cost of one. [USD]
    success_fraction
        Share of the answers that are right. [-]

    Returns
    -------
        Mean cost; :math:`n C` where no answer is right. [USD]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> tried_usd([1, 2, 3], request_usd=1, success_fraction=0.7).round(2)
    array([1.  , 1.3 , 1.39])
    """
    right = fraction("success_fraction", success_fraction)
    tries = non_negative("n_tries", n_tries)
    some = right > 0
    mean = tried_fraction(tries, success_fraction=right) / np.where(some, right, 1.0)
    return (non_negative("request_usd", request_usd) * np.where(some, mean, tries))[()]
