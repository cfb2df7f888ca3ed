r"""Power and energy of accelerators that serve.

A device draws its idle power, and the rest of its thermal design power in proportion to how
busy it is: in each operation, its memory or its arithmetic, whichever is the busier.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative

__all__ = ["output_token_j", "power_w"]


def power_w(
    *,
    tdp_w: ArrayLike,
    idle_fraction: ArrayLike,
    busy_fraction: ArrayLike,
    n_accelerators: ArrayLike = 1,
) -> Floats:
    r"""Power of accelerators under load: :math:`n P (i + (1 - i)\, u)`.

    Parameters
    ----------
    tdp_w
        Thermal design power of one accelerator. [W]
    idle_fraction
        Share of it that an idle accelerator with a loaded model draws. [-]
    busy_fraction
        The larger of bandwidth and arithmetic utilisation, operation by operation, as a mean
        over the time. [-]
    n_accelerators
        Accelerators. [-]

    Returns
    -------
        Power of all accelerators, hosts and cooling left out. [W]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition; the shape is that of patel2024splitwise, section 3.

    Examples
    --------
    >>> power_w(tdp_w=700, idle_fraction=0.1, busy_fraction=[0, 0.6, 1])
    array([ 70., 448., 700.])
    """
    idle = fraction("idle_fraction", idle_fraction)
    busy = fraction("busy_fraction", busy_fraction)
    rated = non_negative("n_accelerators", n_accelerators) * non_negative("tdp_w", tdp_w)
    return rated * (idle + (1.0 - idle) * busy)


def output_token_j(*, power_w: ArrayLike, tokens_per_s: ArrayLike) -> Floats:
    """Energy of an output token, with all that was spent on its prompt.

    Parameters
    ----------
    power_w
        Power of all accelerators, see `power_w`. [W]
    tokens_per_s
        Output of all users together. [tokens/s]

    Returns
    -------
        Energy; infinite where nothing is served. [J]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    10.4 kW on the wall and 104,000 tokens/s are the 0.1 J of MLPerf's Llama-2-70B on 8 B200:

    >>> output_token_j(power_w=10_400, tokens_per_s=104_000)
    np.float64(0.1)
    """
    rate = non_negative("tokens_per_s", tokens_per_s)
    made = np.where(rate > 0, rate, 1.0)
    return np.where(rate > 0, non_negative("power_w", power_w) / made, np.inf)[()]
