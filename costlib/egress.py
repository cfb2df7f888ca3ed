r"""Egress: what leaves the building, what a cloud charges for it, and a line of one's own.

Clouds charge by the gigabyte in bands: the first is free, the next is dear, and those after are
cheaper. One move at one price (between zones, or out of a store) is `tiers.transfer_usd`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from costlib import tiers
from costlib._checks import Floats, fraction, non_negative, positive
from costlib._halving import halved
from costlib.units import SECONDS_PER_HOUR, TOKENS_PER_MTOK

__all__ = [
    "banded_usd",
    "break_even_bytes",
    "line_load",
    "material_bytes_per_token",
    "material_output_usd_per_mtok",
    "wire_fraction",
    "wire_usd_per_mtok",
]

MOST: Final = 1e24  # bytes: what does not pay at as many never does


def banded_usd(
    moved_bytes: ArrayLike, *, band_start_bytes: ArrayLike, band_usd_per_gb: ArrayLike
) -> Floats:
    r"""Charge in bands: :math:`\sum_i p_i \min(\max(x - a_i, 0),\; a_{i+1} - a_i)`.

    Parameters
    ----------
    moved_bytes
        Bytes of the period. [bytes]
    band_start_bytes
        Where each band begins, rising from 0: one table for all. [bytes]
    band_usd_per_gb
        Price within each band. [USD/GB]

    Returns
    -------
        Charge of the period. [USD]

    Raises
    ------
    ValueError
        If an argument is negative or not a number, the bands do not rise from 0, or there is not
        a price for each.

    Notes
    -----
    Source: definition.

    Examples
    --------
    10 TB, the first 100 GB of them free:

    >>> banded_usd(1e13, band_start_bytes=[0, 1e11], band_usd_per_gb=[0, 0.09]).round(2)
    np.float64(891.0)
    """
    moved = np.asarray(non_negative("moved_bytes", moved_bytes))
    starts = np.atleast_1d(non_negative("band_start_bytes", band_start_bytes))
    prices = np.atleast_1d(non_negative("band_usd_per_gb", band_usd_per_gb))
    if starts.ndim != 1 or starts[0] != 0 or (np.diff(starts) <= 0).any():
        raise ValueError(f"band_start_bytes must rise from 0, got {band_start_bytes!r}")
    if prices.shape != starts.shape:
        raise ValueError(
            f"band_usd_per_gb must hold a price for each of {starts.size} bands, "
            f"got {band_usd_per_gb!r}"
        )
    widths = np.append(np.diff(starts), np.inf)
    within = np.minimum(np.maximum(moved[..., np.newaxis] - starts, 0), widths)
    charged = np.asarray(tiers.transfer_usd(moved_bytes=within, usd_per_gb=prices))
    total: Floats = charged.sum(axis=-1)
    return total


def break_even_bytes(
    line_usd: ArrayLike, *, band_start_bytes: ArrayLike, band_usd_per_gb: ArrayLike
) -> Floats:
    r"""Bytes from which a line at a flat price is the cheaper way out.

    Parameters
    ----------
    line_usd
        Price of the line for the period, however much it carries. [USD]
    band_start_bytes
        Where each band of the charge begins, rising from 0: one table for all. [bytes]
    band_usd_per_gb
        Price within each band; one band is a flat price. [USD/GB]

    Returns
    -------
        Bytes of the period; infinite where the charge never comes to as much. [bytes]

    Raises
    ------
    ValueError
        If an argument is negative or not a number, the bands do not rise from 0, or there is not
        a price for each.

    Notes
    -----
    Where `banded_usd` is the price of the line, by halving. Source: tanaka2026palanor.

    Examples
    --------
    $12.33 an hour against nine cents:

    >>> break_even_bytes(12.33 * 730, band_start_bytes=0, band_usd_per_gb=0.09) / 1e12
    np.float64(100.01)
    """
    line = non_negative("line_usd", line_usd)
    bands = {"band_start_bytes": band_start_bytes, "band_usd_per_gb": band_usd_per_gb}
    _, found = halved(lambda moved: banded_usd(moved, **bands) >= line, 0, np.full_like(line, MOST))
    never = banded_usd(MOST, **bands) < line
    return np.where(line == 0, 0.0, np.where(never, np.inf, found))[()]


def line_load(
    moved_bytes: ArrayLike, *, link_bytes_per_s: ArrayLike, period_h: ArrayLike
) -> Floats:
    r"""Load of a line: :math:`\frac{x}{B\,T}`.

    Parameters
    ----------
    moved_bytes
        Bytes of the period. [bytes]
    link_bytes_per_s
        Speed of the line, one way. [bytes/s]
    period_h
        Period. [h]

    Returns
    -------
        Load; above 1 the line cannot carry it. [-]

    Raises
    ------
    ValueError
        If the bytes are negative, or the speed or the period not positive.

    Notes
    -----
    Source: definition.

    Examples
    --------
    100 TB in a month over 10 Gb/s:

    >>> line_load(1e14, link_bytes_per_s=1.25e9, period_h=730).round(4)
    np.float64(0.0304)
    """
    moved = non_negative("moved_bytes", moved_bytes)
    seconds = positive("period_h", period_h) * SECONDS_PER_HOUR
    return moved / (positive("link_bytes_per_s", link_bytes_per_s) * seconds)


def wire_usd_per_mtok(bytes_per_token: ArrayLike, *, usd_per_gb: ArrayLike) -> Floats:
    r"""Charge for sending a million tokens out: :math:`b\,p`.

    Parameters
    ----------
    bytes_per_token
        Bytes on the wire for each token: its text alone, or its packaging too. [bytes/token]
    usd_per_gb
        Charge for what leaves. [USD/GB]

    Returns
    -------
        Charge. [USD/Mtok]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Plain text of five bytes, and one event of a stream for each token:

    >>> wire_usd_per_mtok([5, 300], usd_per_gb=0.09).round(5)
    array([0.00045, 0.027  ])
    """
    sent = non_negative("bytes_per_token", bytes_per_token, finite=True) * TOKENS_PER_MTOK
    price = non_negative("usd_per_gb", usd_per_gb, finite=True)
    return tiers.transfer_usd(moved_bytes=sent, usd_per_gb=price)


def wire_fraction(
    bytes_per_token: ArrayLike, *, usd_per_gb: ArrayLike, output_usd_per_mtok: ArrayLike
) -> Floats:
    r"""Share of the spend that pays for what leaves: :math:`\frac{b\,p}{b\,p + c}`.

    Parameters
    ----------
    bytes_per_token
        Bytes on the wire for each output token. [bytes/token]
    usd_per_gb
        Charge for what leaves. [USD/GB]
    output_usd_per_mtok
        What the tokens themselves cost. [USD/Mtok]

    Returns
    -------
        Share of both; 0 where neither costs anything. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: definition.

    Examples
    --------
    Text of five bytes a token beside a price of $15:

    >>> float(wire_fraction(5, usd_per_gb=0.09, output_usd_per_mtok=15).round(6))
    3e-05
    """
    wire = wire_usd_per_mtok(bytes_per_token, usd_per_gb=usd_per_gb)
    both = wire + non_negative("output_usd_per_mtok", output_usd_per_mtok)
    return np.where(both > 0, wire / np.where(both > 0, both, 1), 0.0)[()]


def material_bytes_per_token(
    share_fraction: ArrayLike, *, usd_per_gb: ArrayLike, output_usd_per_mtok: ArrayLike
) -> Floats:
    r"""Bytes a token at which egress is a share of the spend: :math:`\frac{s\,c}{(1-s)\,p}`.

    Parameters
    ----------
    share_fraction
        Share of the spend. [-]
    usd_per_gb
        Charge for what leaves. [USD/GB]
    output_usd_per_mtok
        What the tokens themselves cost. [USD/Mtok]

    Returns
    -------
        Bytes for each output token; infinite for the whole spend. [bytes/token]

    Raises
    ------
    ValueError
        If the share is outside [0, 1], the charge not positive, or the price negative.

    Notes
    -----
    Where `wire_fraction` is the share. Source: definition.

    Examples
    --------
    A tenth of the spend, beside $15:

    >>> material_bytes_per_token(0.1, usd_per_gb=0.09, output_usd_per_mtok=15).round()
    np.float64(18519.0)
    """
    share = fraction("share_fraction", share_fraction)
    each = wire_usd_per_mtok(1, usd_per_gb=positive("usd_per_gb", usd_per_gb, finite=True))
    cost = non_negative("output_usd_per_mtok", output_usd_per_mtok)
    rest = np.where(share < 1, 1 - share, 1)
    return np.where(share < 1, share * cost / (rest * each), np.inf)[()]


def material_output_usd_per_mtok(
    share_fraction: ArrayLike, *, bytes_per_token: ArrayLike, usd_per_gb: ArrayLike
) -> Floats:
    r"""Price of tokens below which egress is more than a share: :math:`\frac{(1-s)\,b\,p}{s}`.

    Parameters
    ----------
    share_fraction
        Share of the spend. [-]
    bytes_per_token
        Bytes on the wire for each output token. [bytes/token]
    usd_per_gb
        Charge for what leaves. [USD/GB]

    Returns
    -------
        Price of output tokens; infinite for no share. [USD/Mtok]

    Raises
    ------
    ValueError
        If the share is outside [0, 1], or another argument negative or not a number.

    Notes
    -----
    Where `wire_fraction` is the share. Source: definition.

    Examples
    --------
    A tenth of the spend, of plain text and of a streamed token:

    >>> material_output_usd_per_mtok(0.1, bytes_per_token=[5, 300], usd_per_gb=0.09).round(5)
    array([0.00405, 0.243  ])
    """
    share = fraction("share_fraction", share_fraction)
    wire = wire_usd_per_mtok(bytes_per_token, usd_per_gb=usd_per_gb)
    return np.where(share > 0, (1 - share) * wire / np.where(share > 0, share, 1), np.inf)[()]
