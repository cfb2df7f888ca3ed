r"""Speculative decoding: a cheap draft proposes tokens, one pass of the model checks them all.

A pass over :math:`g` drafted tokens keeps the ones before the first that the model would not
have written, and one of its own. It reads weights and cache once, and multiplies
:math:`g + 1` times as much.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive
from costlib._halving import halved

__all__ = ["acceptance_fraction", "accepted_tokens", "best_draft_tokens", "token_s"]

MOST_DRAFT_TOKENS = 16


def accepted_tokens(*, acceptance_fraction: ArrayLike, draft_tokens: ArrayLike) -> Floats:
    r"""Tokens that one pass yields: :math:`(1 - a^{g+1}) / (1 - a)`.

    Parameters
    ----------
    acceptance_fraction
        Chance that a drafted token is kept, given that those before it were. [-]
    draft_tokens
        Tokens drafted per pass; 0 decodes as usual. [tokens]

    Returns
    -------
        Tokens per pass, from 1 (nothing kept) to `draft_tokens` + 1 (all kept). [tokens]

    Raises
    ------
    ValueError
        If the fraction is outside [0, 1] or the draft is negative.

    Notes
    -----
    Source: leviathan2023speculative, equation 1.

    Examples
    --------
    >>> accepted_tokens(acceptance_fraction=[0, 0.5, 0.8, 1], draft_tokens=4).round(2)
    array([1.  , 1.94, 3.36, 5.  ])
    """
    kept = fraction("acceptance_fraction", acceptance_fraction)
    return _yielded(kept, non_negative("draft_tokens", draft_tokens) + 1.0)


def _yielded(kept: Floats, most: Floats) -> Floats:
    """Tokens of a pass that yields `most` at best."""
    missed = np.where(kept < 1, 1.0 - kept, 1.0)
    return np.where(kept < 1, (1.0 - kept**most) / missed, most)[()]


def acceptance_fraction(*, accepted_tokens: ArrayLike, draft_tokens: ArrayLike) -> Floats:
    r"""Constant acceptance behind a yield: the :math:`a` of :math:`E = (1 - a^{g+1}) / (1 - a)`.

    Of a measured yield it is the acceptance that the formula needs; of a pass and its drafts in
    units of a plain step it is the one at which drafting breaks even.

    Parameters
    ----------
    accepted_tokens
        Tokens that one pass yields, or has to. [tokens]
    draft_tokens
        Tokens drafted per pass, above 0. [tokens]

    Returns
    -------
        Chance that a drafted token is kept, given that those before it were; 0 where one token
        is enough, infinite where not even `draft_tokens` + 1 are. [-]

    Raises
    ------
    ValueError
        If an argument is not above 0.

    Notes
    -----
    Source: leviathan2023speculative, equation 1.

    Examples
    --------
    >>> acceptance_fraction(accepted_tokens=[1, 1.9375, 5, 6], draft_tokens=4).round(3)
    array([0. , 0.5, 1. , inf])
    """
    most = positive("draft_tokens", draft_tokens) + 1.0
    wanted = positive("accepted_tokens", accepted_tokens)
    shape = np.broadcast_shapes(np.shape(wanted), np.shape(most))
    _, high = halved(
        lambda middle: _yielded(middle, most) >= wanted,
        np.zeros(shape),
        np.ones(shape),
    )
    return np.where(wanted > most, np.inf, np.where(wanted > 1, high, 0.0))[()]


def token_s(
    *,
    pass_s: ArrayLike,
    draft_s: ArrayLike,
    acceptance_fraction: ArrayLike,
    draft_tokens: ArrayLike,
) -> Floats:
    r"""Seconds per output token: :math:`(t_v + g\, t_d)` over the tokens of a pass.

    Parameters
    ----------
    pass_s
        Step of the model over the draft and one token more, for each user. [s]
    draft_s
        One step of the draft model. [s]
    acceptance_fraction
        Chance that a drafted token is kept. [-]
    draft_tokens
        Tokens drafted per pass. [tokens]

    Returns
    -------
        Time per output token. [s]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: leviathan2023speculative, section 3.3.

    Examples
    --------
    A free draft of four at 80 % is 3.4 times as fast while the pass stays as short:

    >>> token_s(pass_s=0.01, draft_s=0, acceptance_fraction=0.8, draft_tokens=[0, 4]).round(5)
    array([0.01   , 0.00297])
    """
    drafted = non_negative("draft_tokens", draft_tokens)
    spent = non_negative("pass_s", pass_s) + drafted * non_negative("draft_s", draft_s, finite=True)
    return spent / accepted_tokens(
        acceptance_fraction=acceptance_fraction, draft_tokens=draft_tokens
    )


def best_draft_tokens(
    *,
    step_s: ArrayLike,
    row_s: ArrayLike,
    draft_s: ArrayLike,
    acceptance_fraction: ArrayLike,
) -> Floats:
    r"""Draft length of the fastest token, up to 16, when each drafted row adds the same time.

    Parameters
    ----------
    step_s
        Step without a draft. [s]
    row_s
        What one more row per user adds to the step. [s]
    draft_s
        One step of the draft model. [s]
    acceptance_fraction
        Chance that a drafted token is kept. [-]

    Returns
    -------
        Tokens to draft; 0 where drafting does not pay. [tokens]

    Raises
    ------
    ValueError
        If an argument is out of its range; `step_s` must be above 0.

    Notes
    -----
    Source: leviathan2023speculative, section 3.4.

    Examples
    --------
    A step bound by memory drafts far; one bound by arithmetic not at all:

    >>> best_draft_tokens(
    ...     step_s=10e-3, row_s=[0.05e-3, 1e-3, 8e-3], draft_s=0.5e-3, acceptance_fraction=0.7
    ... )
    array([5., 3., 0.])
    """
    lengths = np.arange(MOST_DRAFT_TOKENS + 1.0)

    def last(name: str, value: ArrayLike) -> Floats:
        return np.asarray(non_negative(name, value, finite=True))[..., np.newaxis]

    each = token_s(
        pass_s=positive("step_s", last("step_s", step_s)) + lengths * last("row_s", row_s),
        draft_s=last("draft_s", draft_s),
        acceptance_fraction=last("acceptance_fraction", acceptance_fraction),
        draft_tokens=lengths,
    )
    fastest: Floats = np.argmin(each, axis=-1).astype(np.float64)
    return fastest
