"""Sums over the states of many servers, to all digits: what `staffing` is made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from costlib._checks import Floats

__all__: list[str] = []  # for `staffing` alone

LOG_MOST = 600.0  # exp of it, squared, is still no infinity
CERTAIN = 1e-17  # a term this small changes no sum


def log_poisson(count: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of the Poisson probability of a count, to all digits where both are large.

    Stirling's series for the factorial, and the deviance without the difference of large numbers.
    """
    large = np.maximum(count, 16.0)
    square = large**2
    rest = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / 1680 / square) / square) / square) / large
    ahead = (mean - large) / large
    deviance = (mean - large) - large * np.log1p(np.maximum(ahead, 1e-15 - 1))
    stirling = -deviance - rest - np.log(2 * np.pi * large) / 2
    plain = special.xlogy(count, mean) - mean - special.gammaln(count + 1)
    return np.where(count < 16, plain, stirling)


def falling(
    ratio: Callable[[int], NDArray[np.float64]], wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of the products of the first 1, 2, 3 .. ratios, and of them times 1, 2, 3 .."""
    term = np.where(wanted, 1.0, 0.0)
    total, weighted = np.zeros(term.shape), np.zeros(term.shape)
    step = 0
    while True:
        step += 1
        term = term * ratio(step)
        total, weighted = total + term, weighted + step * term
        if (step * term <= CERTAIN * weighted).all():
            return total, weighted


def states_below(servers: NDArray[np.float64], load: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight of all states with a free server, that of none free being 1: 1/B - 1."""
    servers, load = np.broadcast_arrays(servers, load)
    over = (load >= servers) & (load > 0)
    busy = np.where(load > 0, load, 1.0)
    fewer, _ = falling(lambda step: np.maximum(servers - step + 1, 0.0) / busy, over)
    log_full = np.maximum(log_poisson(servers, np.where(over, servers, load)), -LOG_MOST)
    rising = special.gammaincc(np.maximum(servers, 1.0), load) / np.exp(log_full)
    empty = np.where(servers > 0, np.inf, 0.0)  # no load at all
    return np.where(over, fewer, np.where(load > 0, rising, empty))


def erlang_c(servers: NDArray[np.float64], load: NDArray[np.float64]) -> NDArray[np.float64]:
    below = states_below(servers, load)
    idle = 1 - load / np.where(servers > 0, servers, 1.0)
    stable = load < servers
    return np.where(stable, 1 / (1 + np.where(stable, idle, 1.0) * below), 1.0)


def impatient_states(
    servers: Floats, rate: Floats, service: Floats, patience: Floats
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probability that all servers are busy, and the mean number that waits: Erlang A."""
    rate, servers, service, leaving = np.broadcast_arrays(rate, servers, service, 1 / patience)
    served, load = servers / service, rate * service
    over, endless = load >= servers, leaving == 0
    some = np.where(endless, 1.0, leaving)
    coming, going = rate / some, served / some
    total, weighted = falling(
        lambda step: rate / np.where(over, 1.0, served + step * leaving), ~over
    )
    log_full = np.maximum(log_poisson(going, np.where(over, coming, 1.0)), -LOG_MOST)
    share = special.gammainc(np.where(going > 0, going, 1.0), coming)
    share = np.where(going > 0, share, 1.0)
    rising = share / np.exp(log_full) - 1  # weight of the states with someone waiting
    queued = coming + (coming - going) * rising
    above = np.where(over, np.where(endless, np.inf, rising), total)
    queue = np.where(over, queued, weighted)
    below = states_below(servers, load)
    busy = 1 / (1 + below / (1 + above))
    waiting = queue / (1 + above + below)
    return busy, np.where(over & endless, np.inf, waiting)
