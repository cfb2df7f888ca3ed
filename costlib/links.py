r"""Links between accelerators: what tensor, expert and pipeline parallelism cost per layer.

Bandwidth is one way, as every device sends and receives at once. A collective costs a latency,
whatever its size, and the bytes that a device has to send.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive

__all__ = ["all_reduce_s", "all_to_all_s", "handover_s"]


def all_reduce_s(
    *,
    message_bytes: ArrayLike,
    n_accelerators: ArrayLike,
    link_bytes_per_s: ArrayLike,
    latency_s: ArrayLike = 0,
    link_fraction: ArrayLike = 1.0,
) -> Floats:
    r"""Seconds to sum a message over devices: :math:`l + 2 \frac{n-1}{n} m / \lambda`.

    Parameters
    ----------
    message_bytes
        Bytes that each device contributes. [bytes]
    n_accelerators
        Devices that take part; 1 costs nothing. [-]
    link_bytes_per_s
        Bandwidth of a device, one way. [bytes/s]
    latency_s
        Time of the smallest message. [s]
    link_fraction
        Share of the bandwidth that is reached, above 0. [-]

    Returns
    -------
        Time of one all-reduce. [s]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    A ring sends each byte twice, less its own share. Source: patarasuk2009allreduce.

    Examples
    --------
    64 MB over 8 H100s at one-way 450 GB/s; 577 microseconds are measured:

    >>> all_reduce_s(message_bytes=64e6, n_accelerators=8, link_bytes_per_s=450e9).round(6)
    np.float64(0.000249)
    """
    devices = positive("n_accelerators", n_accelerators)
    rounds = 2.0 * (devices - 1.0) / devices
    sent = rounds * non_negative("message_bytes", message_bytes)
    rate = _rate(link_bytes_per_s=link_bytes_per_s, link_fraction=link_fraction)
    return np.where(devices > 1, non_negative("latency_s", latency_s) + sent / rate, 0.0)[()]


def all_to_all_s(
    *,
    message_bytes: ArrayLike,
    n_accelerators: ArrayLike,
    link_bytes_per_s: ArrayLike,
    latency_s: ArrayLike = 0,
    link_fraction: ArrayLike = 1.0,
) -> Floats:
    r"""Seconds to send each device its part: :math:`l + \frac{n-1}{n} m / \lambda`.

    Parameters
    ----------
    message_bytes
        Bytes that each device has to deal out. [bytes]
    n_accelerators
        Devices that take part; 1 costs nothing. [-]
    link_bytes_per_s
        Bandwidth of a device, one way. [bytes/s]
    latency_s
        Time of the smallest message. [s]
    link_fraction
        Share of the bandwidth that is reached, above 0. [-]

    Returns
    -------
        Time of one all-to-all. [s]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Source: definition.

    Examples
    --------
    128 tokens to 8 experts each, 7,168 values of one byte, over 8 devices at 450 GB/s:

    >>> all_to_all_s(
    ...     message_bytes=128 * 8 * 7168, n_accelerators=8, link_bytes_per_s=450e9
    ... ).round(7)
    np.float64(1.43e-05)
    """
    devices = positive("n_accelerators", n_accelerators)
    sent = (devices - 1.0) / devices * non_negative("message_bytes", message_bytes)
    rate = _rate(link_bytes_per_s=link_bytes_per_s, link_fraction=link_fraction)
    return np.where(devices > 1, non_negative("latency_s", latency_s) + sent / rate, 0.0)[()]


def handover_s(
    *,
    message_bytes: ArrayLike,
    pipeline_stages: ArrayLike,
    link_bytes_per_s: ArrayLike,
    latency_s: ArrayLike = 0,
    link_fraction: ArrayLike = 1.0,
) -> Floats:
    r"""Seconds that a token spends between pipeline stages: :math:`(p - 1)(l + m / \lambda)`.

    Parameters
    ----------
    message_bytes
        Activations that a stage hands to the next. [bytes]
    pipeline_stages
        Stages, one after the other; 1 hands nothing over. [-]
    link_bytes_per_s
        Bandwidth of a device, one way. [bytes/s]
    latency_s
        Time of the smallest message. [s]
    link_fraction
        Share of the bandwidth that is reached, above 0. [-]

    Returns
    -------
        Time of all handovers of a step. [s]

    Raises
    ------
    ValueError
        If an argument is out of its range; there is at least one stage.

    Notes
    -----
    Source: definition.

    Examples
    --------
    >>> handover_s(
    ...     message_bytes=1e6, pipeline_stages=[1, 4], link_bytes_per_s=50e9, latency_s=1e-5
    ... )
    array([0.e+00, 9.e-05])
    """
    hops = non_negative("pipeline_stages minus 1", positive("pipeline_stages", pipeline_stages) - 1)
    rate = _rate(link_bytes_per_s=link_bytes_per_s, link_fraction=link_fraction)
    each = non_negative("latency_s", latency_s)
    return hops * (each + non_negative("message_bytes", message_bytes) / rate)


def _rate(*, link_bytes_per_s: ArrayLike, link_fraction: ArrayLike) -> Floats:
    reached = positive("link_fraction", fraction("link_fraction", link_fraction))
    return positive("link_bytes_per_s", link_bytes_per_s) * reached
