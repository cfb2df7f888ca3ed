r"""Links between accelerators: tensor, expert, pipeline and context parallelism, per layer.

Bandwidth is one way, as every device sends and receives at once. A collective costs a latency,
whatever its size, and the bytes that a device has to send.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costlib._checks import Floats, fraction, non_negative, positive

__all__ = [
    "all_reduce_bytes_per_s",
    "all_reduce_s",
    "all_to_all_bytes_per_s",
    "all_to_all_s",
    "handover_s",
    "hiding_queries",
    "passing_cache_fraction",
    "ring_s",
]


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
    devices = positive("n_accelerators", n_accelerators, finite=True)
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
    devices = positive("n_accelerators", n_accelerators, finite=True)
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


def all_reduce_bytes_per_s(
    *,
    n_accelerators: ArrayLike,
    node_accelerators: ArrayLike,
    link_bytes_per_s: ArrayLike,
    network_bytes_per_s: ArrayLike,
) -> Floats:
    r"""Bandwidth at which `all_reduce_s` would equal a sum over nodes of fast links.

    .. math:: \frac{1 - 1/n}{(1 - 1/g)/\lambda + (1 - 1/k)/(g\,\nu)}, \quad g = \min(n, G), k = n/g

    Parameters
    ----------
    n_accelerators
        Devices that take part. [-]
    node_accelerators
        Devices that the fast link joins, at least 1. [-]
    link_bytes_per_s
        Bandwidth of a device within its node, one way. [bytes/s]
    network_bytes_per_s
        Bandwidth of a device to other nodes, one way. [bytes/s]

    Returns
    -------
        That of the fast link, within a node. [bytes/s]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Each node sums in parts, every device sums its part with its peers of the other nodes, and
    the node shares what came out: the network carries a part, not the message. Source:
    patarasuk2009allreduce, within nodes and between them.

    Examples
    --------
    Two nodes of eight: the network is nine times slower, the sum 1.5 times.

    >>> rate = all_reduce_bytes_per_s(
    ...     n_accelerators=[8, 16], node_accelerators=8, link_bytes_per_s=450e9,
    ...     network_bytes_per_s=50e9,
    ... )
    >>> (rate / 1e9).round(1)
    array([450. , 293.5])
    """
    devices = positive("n_accelerators", n_accelerators, finite=True)
    node = np.maximum(positive("node_accelerators", node_accelerators), 1.0)
    link = positive("link_bytes_per_s", link_bytes_per_s)
    network = positive("network_bytes_per_s", network_bytes_per_s)
    many = np.maximum(devices, 2.0)
    here = np.minimum(many, node)
    within = (1.0 - 1.0 / here) / link
    between = (1.0 - here / many) / (here * network)
    # Two devices stand in for fewer, so that neither branch divides by nothing.
    found = (1.0 - 1.0 / many) / (within + between)
    return np.where(devices > node, found, link)[()]


def all_to_all_bytes_per_s(
    *,
    n_accelerators: ArrayLike,
    node_accelerators: ArrayLike,
    link_bytes_per_s: ArrayLike,
    network_bytes_per_s: ArrayLike,
) -> Floats:
    r"""Bandwidth at which `all_to_all_s` would equal an exchange over nodes of fast links.

    .. math:: \frac{n - 1}{\max((g - 1)/\lambda, (n - g)/\nu)}, \quad g = \min(n, G)

    Parameters
    ----------
    n_accelerators
        Devices that take part. [-]
    node_accelerators
        Devices that the fast link joins, at least 1. [-]
    link_bytes_per_s
        Bandwidth of a device within its node, one way. [bytes/s]
    network_bytes_per_s
        Bandwidth of a device to other nodes, one way. [bytes/s]

    Returns
    -------
        That of the fast link within a node, near the network's over many. [bytes/s]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Every device has another message, so nothing can be summed on the way: what is meant for
    other nodes crosses the network whole, while the fast link carries the rest. Source:
    definition.

    Examples
    --------
    >>> rate = all_to_all_bytes_per_s(
    ...     n_accelerators=[8, 16, 64], node_accelerators=8, link_bytes_per_s=450e9,
    ...     network_bytes_per_s=50e9,
    ... )
    >>> (rate / 1e9).round(1)
    array([450. ,  93.8,  56.2])
    """
    devices = positive("n_accelerators", n_accelerators, finite=True)
    node = np.maximum(positive("node_accelerators", node_accelerators), 1.0)
    link = positive("link_bytes_per_s", link_bytes_per_s)
    network = positive("network_bytes_per_s", network_bytes_per_s)
    many = np.maximum(devices, 2.0)
    here = np.minimum(many, node)
    slower = np.maximum((here - 1.0) / link, (many - here) / network)
    return np.where(devices > node, (many - 1.0) / slower, link)[()]


def ring_s(
    *,
    message_bytes: ArrayLike,
    computing_s: ArrayLike,
    n_accelerators: ArrayLike,
    link_bytes_per_s: ArrayLike,
    latency_s: ArrayLike = 0,
    link_fraction: ArrayLike = 1.0,
) -> Floats:
    r"""Seconds of one layer's attention on a ring: :math:`(n-1)\max(c, l + m/\lambda) + c`.

    Parameters
    ----------
    message_bytes
        What each device passes on per turn: its block of the cache, or queries. [bytes]
    computing_s
        Attention of one device's queries to one block. [s]
    n_accelerators
        Devices of the ring; 1 passes nothing on. [-]
    link_bytes_per_s
        Bandwidth of a device, one way. [bytes/s]
    latency_s
        Time of the smallest message. [s]
    link_fraction
        Share of the bandwidth that is reached, above 0. [-]

    Returns
    -------
        Time until every query has met every block. [s]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    A block travels while the one before it is attended to. Source: liu2023ring; yang2024context.

    Examples
    --------
    One token decoded against 1M on 128 devices: 7,812.5 tokens of 4 KiB go round.

    >>> ring_s(
    ...     message_bytes=4096 * 7812.5, computing_s=0.26e-6, n_accelerators=128,
    ...     link_bytes_per_s=50e9,
    ... ).round(4)
    np.float64(0.0813)
    """
    devices = positive("n_accelerators", n_accelerators, finite=True)
    computing = non_negative("computing_s", computing_s)
    rate = _rate(link_bytes_per_s=link_bytes_per_s, link_fraction=link_fraction)
    passing = non_negative("latency_s", latency_s)
    passing = passing + non_negative("message_bytes", message_bytes) / rate
    return np.maximum(devices - 1.0, 0.0) * np.maximum(computing, passing) + computing


def hiding_queries(
    *,
    n_heads: ArrayLike,
    n_kv_heads: ArrayLike,
    attended_dim: ArrayLike,
    cached_dim: ArrayLike,
    bytes_per_value: ArrayLike,
    peak_flop_per_s: ArrayLike,
    link_bytes_per_s: ArrayLike,
) -> Floats:
    r"""Queries whose attention to a cached token takes as long as passing that token on.

    .. math:: q = \frac{g\,d_c\,b / \lambda}{2\,h\,d_a / P}

    Parameters
    ----------
    n_heads
        Query heads. [-]
    n_kv_heads
        Key-value heads. [-]
    attended_dim
        Width multiplied per query head and cached token, keys and values together. [-]
    cached_dim
        Values cached per KV head and token. [-]
    bytes_per_value
        Bytes of a cached value. [bytes]
    peak_flop_per_s
        Dense peak of a device. [FLOP/s]
    link_bytes_per_s
        Bandwidth of a device, one way. [bytes/s]

    Returns
    -------
        With as many queries per device a ring that passes the cache hides its links. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Neither the context nor the number of devices matters. Source: definition.

    Examples
    --------
    A 70B model in 16 bits on H100s with 400 Gb/s each: the mismatch of a single query.

    >>> hiding_queries(
    ...     n_heads=64, n_kv_heads=8, attended_dim=256, cached_dim=256, bytes_per_value=2,
    ...     peak_flop_per_s=989e12, link_bytes_per_s=50e9,
    ... ).round(1)
    np.float64(2472.5)
    """
    held = positive("n_kv_heads", n_kv_heads) * positive("cached_dim", cached_dim)
    passing = held * positive("bytes_per_value", bytes_per_value)
    passing = passing / positive("link_bytes_per_s", link_bytes_per_s)
    flop = 2.0 * positive("n_heads", n_heads) * positive("attended_dim", attended_dim)
    return passing * positive("peak_flop_per_s", peak_flop_per_s) / flop


def passing_cache_fraction(
    *, n_heads: ArrayLike, n_kv_heads: ArrayLike, attended_dim: ArrayLike, cached_dim: ArrayLike
) -> Floats:
    r"""Share of a context that must be new for its cache to be the smaller thing to pass.

    .. math:: \min(1, g\,d_c / (h\,d_a / 2))

    Parameters
    ----------
    n_heads
        Query heads. [-]
    n_kv_heads
        Key-value heads. [-]
    attended_dim
        Width multiplied per query head and cached token, keys and values together. [-]
    cached_dim
        Values cached per KV head and token. [-]

    Returns
    -------
        Above it a ring passes the cache, below it the queries. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    New tokens bring queries, all tokens are cached. Query and value are equally wide. Source:
    yang2024context.

    Examples
    --------
    Llama 3.1 405B, with 128 query heads and 8 for the cache:

    >>> passing_cache_fraction(n_heads=128, n_kv_heads=8, attended_dim=256, cached_dim=256)
    np.float64(0.125)
    """
    held = positive("n_kv_heads", n_kv_heads) * positive("cached_dim", cached_dim)
    asked = positive("n_heads", n_heads) * positive("attended_dim", attended_dim) / 2.0
    return np.minimum(held / asked, 1.0)


def _rate(*, link_bytes_per_s: ArrayLike, link_fraction: ArrayLike) -> Floats:
    reached = positive("link_fraction", fraction("link_fraction", link_fraction))
    return positive("link_bytes_per_s", link_bytes_per_s) * reached
