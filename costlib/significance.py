r"""How many questions it takes to tell two models or two routers apart.

A score on :math:`n` questions is an estimate. Two models that answer the same questions are
compared by those on which they differ: a share :math:`b` that only the first answers right, and a
share :math:`c` that only the second does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from costlib._checks import Floats, fraction, non_negative, positive

__all__ = [
    "apart_half_width",
    "contaminated_fraction",
    "mcnemar_fraction",
    "n_paired_questions",
    "n_unpaired_questions",
    "score_half_width",
]


def score_half_width(
    success_fraction: ArrayLike,
    *,
    n_questions: ArrayLike,
    prompt_deviation: ArrayLike = 0,
    n_prompts: ArrayLike = 1,
    confidence_fraction: ArrayLike = 0.95,
) -> Floats:
    r"""Half width of a score's interval: :math:`z \sqrt{s(1-s)/n + \sigma^2/m}`.

    Parameters
    ----------
    success_fraction
        Score. [-]
    n_questions
        Questions asked. [-]
    prompt_deviation
        Standard deviation :math:`\sigma` of the score between wordings of the same questions. [-]
    n_prompts
        Wordings :math:`m` that the score is a mean of. [-]
    confidence_fraction
        Share of such intervals that hold the true score. [-]

    Returns
    -------
        Half width, as a fraction; infinite for certainty where anything varies. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range; questions and prompts must be more than 0.

    Notes
    -----
    Normal approximation: too narrow within a few wrong answers of 0 or 1. Source:
    miller2024evals.

    Examples
    --------
    95 % on MMLU and on HumanEval:

    >>> score_half_width(0.95, n_questions=[14042, 164]).round(4)
    array([0.0036, 0.0334])
    """
    right = fraction("success_fraction", success_fraction)
    asked = right * (1 - right) / positive("n_questions", n_questions)
    worded = non_negative("prompt_deviation", prompt_deviation) ** 2 / positive(
        "n_prompts", n_prompts
    )
    return _times(_two_sided(confidence_fraction), np.sqrt(asked + worded))


def apart_half_width(
    only_first_fraction: ArrayLike,
    *,
    only_second_fraction: ArrayLike,
    n_questions: ArrayLike,
    confidence_fraction: ArrayLike = 0.95,
) -> Floats:
    r"""Half width of a difference on the same questions: :math:`z \sqrt{(b + c - (b - c)^2)/n}`.

    Parameters
    ----------
    only_first_fraction
        Share of the questions that only the first model answers right. [-]
    only_second_fraction
        Share that only the second does. [-]
    n_questions
        Questions that both were asked. [-]
    confidence_fraction
        Share of such intervals that hold the true difference. [-]

    Returns
    -------
        Half width, as a fraction; infinite for certainty where anything varies. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: miller2024evals.

    Examples
    --------
    GPT-4 and Mixtral on MMLU, 12.5 points apart:

    >>> apart_half_width(0.1778, only_second_fraction=0.0529, n_questions=14_037).round(4)
    np.float64(0.0077)
    """
    first = fraction("only_first_fraction", only_first_fraction)
    second = fraction("only_second_fraction", only_second_fraction)
    spread = np.maximum(first + second - (first - second) ** 2, 0)
    error = np.sqrt(spread / positive("n_questions", n_questions))
    return _times(_two_sided(confidence_fraction), error)


def n_unpaired_questions(
    success_fraction: ArrayLike,
    *,
    other_success_fraction: ArrayLike,
    confidence_fraction: ArrayLike = 0.95,
    power_fraction: ArrayLike = 0.8,
) -> Floats:
    r"""Questions per model that show a difference, each model asked others.

    Parameters
    ----------
    success_fraction
        Score of one model. [-]
    other_success_fraction
        Score of the other. [-]
    confidence_fraction
        One less the chance of seeing a difference where there is none. [-]
    power_fraction
        Chance of seeing it where there is one. [-]

    Returns
    -------
        :math:`[z_\alpha \sqrt{2 \bar{s}(1-\bar{s})} + z_\beta \sqrt{s(1-s) + s'(1-s')}]^2 / (s -
        s')^2`, whole; infinite where both are equally good. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: fleiss1981rates.

    Examples
    --------
    Three points apart at 70, and at 95 %:

    >>> n_unpaired_questions([0.70, 0.95], other_success_fraction=[0.73, 0.98])
    array([3554.,  588.])
    """
    one = fraction("success_fraction", success_fraction)
    other = fraction("other_success_fraction", other_success_fraction)
    middle = (one + other) / 2
    gap = np.abs(one - other)
    alike = _times(_two_sided(confidence_fraction), np.sqrt(2 * middle * (1 - middle)))
    apart = _times(_power(power_fraction), np.sqrt(one * (1 - one) + other * (1 - other)))
    return _whole(alike + apart, gap)


def n_paired_questions(
    only_first_fraction: ArrayLike,
    *,
    only_second_fraction: ArrayLike,
    confidence_fraction: ArrayLike = 0.95,
    power_fraction: ArrayLike = 0.8,
) -> Floats:
    r"""Questions that show a difference if both models answer all of them.

    Parameters
    ----------
    only_first_fraction
        Share of the questions that only the first model answers right. [-]
    only_second_fraction
        Share that only the second does. [-]
    confidence_fraction
        One less the chance of seeing a difference where there is none. [-]
    power_fraction
        Chance of seeing it where there is one. [-]

    Returns
    -------
        :math:`[z_\alpha \sqrt{b+c} + z_\beta \sqrt{b + c - (b-c)^2}]^2 / (b-c)^2`, whole; infinite
        where both are equally good. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    For the test of McNemar. Source: connor1987paired.

    Examples
    --------
    Three points apart, differing on a tenth and on a third of the questions:

    >>> n_paired_questions([0.065, 0.18], only_second_fraction=[0.035, 0.15])
    array([ 870., 2876.])
    """
    first = fraction("only_first_fraction", only_first_fraction)
    second = fraction("only_second_fraction", only_second_fraction)
    gap = np.abs(first - second)
    differ = first + second
    alike = _times(_two_sided(confidence_fraction), np.sqrt(differ))
    apart = _times(_power(power_fraction), np.sqrt(np.maximum(differ - gap**2, 0)))
    return _whole(alike + apart, gap)


def mcnemar_fraction(n_only_first: ArrayLike, *, n_only_second: ArrayLike) -> Floats:
    r"""Chance of such a split, or a clearer one, between equally good models.

    Parameters
    ----------
    n_only_first
        Questions that only the first model answered right. [-]
    n_only_second
        Questions that only the second did. [-]

    Returns
    -------
        Two-sided exact probability, at most 1. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    :math:`2 P(X \le \min(b, c))` of a fair coin thrown :math:`b + c` times. Source:
    mcnemar1947correlated.

    Examples
    --------
    >>> mcnemar_fraction([10, 40], n_only_second=[5, 20]).round(4)
    array([0.3018, 0.0135])
    """
    first = np.floor(non_negative("n_only_first", n_only_first, finite=True))
    second = np.floor(non_negative("n_only_second", n_only_second, finite=True))
    fewer, thrown = np.minimum(first, second), first + second
    tail = 2 * special.bdtr(fewer, thrown.astype(np.int64), 0.5)
    return np.minimum(tail, 1)[()]


def contaminated_fraction(
    success_fraction: ArrayLike, *, seen_fraction: ArrayLike, recalled_fraction: ArrayLike = 1
) -> Floats:
    r"""Score once a part of the questions was in the training data: :math:`s + o r (1 - s)`.

    Parameters
    ----------
    success_fraction
        Share that the model would answer right without. [-]
    seen_fraction
        Share of the questions that were in its training data. [-]
    recalled_fraction
        Share of those, among what it would get wrong, that it answers from memory. [-]

    Returns
    -------
        Score that is reported. [-]

    Raises
    ------
    ValueError
        If an argument lies outside [0, 1].

    Notes
    -----
    Questions that were seen are as hard as the others. Source: definition.

    Examples
    --------
    60 % in truth, 8 and 18 % of the questions seen:

    >>> contaminated_fraction(0.6, seen_fraction=[0.08, 0.18]).round(3)
    array([0.632, 0.672])
    """
    right = fraction("success_fraction", success_fraction)
    known = fraction("seen_fraction", seen_fraction) * fraction(
        "recalled_fraction", recalled_fraction
    )
    return right + known * (1 - right)


def _two_sided(confidence_fraction: ArrayLike) -> Floats:
    width: Floats = special.ndtri((1 + fraction("confidence_fraction", confidence_fraction)) / 2)
    return width


def _power(power_fraction: ArrayLike) -> Floats:
    power: Floats = special.ndtri(
        positive("power_fraction", fraction("power_fraction", power_fraction))
    )
    return power


def _times(deviate: Floats, error: Floats) -> Floats:
    """Deviate, infinite for certainty, times an error; nothing is left where nothing varies."""
    some = error > 0
    return np.where(some, deviate, 0.0)[()] * error


def _whole(root: Floats, gap: Floats) -> Floats:
    some = gap > 0
    number = np.ceil((np.maximum(root, 0.0) / np.where(some, gap, 1.0)) ** 2 - 1e-9)
    return np.where(some, number, np.inf)[()]
