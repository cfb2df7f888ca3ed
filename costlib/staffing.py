r"""Many servers and one queue: how many are needed so that hardly anyone waits.

The offered load :math:`a = \lambda s` is what :math:`c` servers would have to do; at :math:`a \ge
c` all wait, and without end. The Erlang formulas suppose Poisson arrivals and exponential
service. Only whole servers serve: a fraction of one does not count.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from costlib._checks import Floats, fraction, non_negative, positive
from costlib._erlang import erlang_c, impatient_states, states_below
from costlib._halving import halved

__all__ = [
    "abandoned_fraction",
    "blocked_fraction",
    "cosmetatos_wait_s",
    "halfin_whitt_fraction",
    "impatient_waiting_fraction",
    "n_impatient",
    "n_servers",
    "n_servers_for_wait",
    "n_square_root",
    "pool_wait_s",
    "safety",
    "waiting_fraction",
]


def blocked_fraction(
    n_servers: ArrayLike, *, requests_per_s: ArrayLike, service_s: ArrayLike
) -> Floats:
    r"""Share turned away where nobody can wait: :math:`\frac{a^c/c!}{\sum_{k=0}^{c} a^k/k!}`.

    Parameters
    ----------
    n_servers
        Servers; what is left of a whole one does not count. [-]
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service, of any law. [s]

    Returns
    -------
        Erlang B. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Below the load from the distribution function of Poisson, above it from a sum of falling
    terms: exact to 12 digits for thousands of servers. Source: erlang1917solution.

    Examples
    --------
    >>> blocked_fraction([2, 10], requests_per_s=[1, 8], service_s=1).round(4)
    array([0.2   , 0.1217])
    """
    return (1 / (1 + states_below(_servers(n_servers), _load(requests_per_s, service_s))))[()]


def waiting_fraction(
    n_servers: ArrayLike, *, requests_per_s: ArrayLike, service_s: ArrayLike
) -> Floats:
    r"""Share that has to wait where all do: :math:`B / (1 - \frac{a}{c} (1 - B))`.

    Parameters
    ----------
    n_servers
        Servers. [-]
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service. [s]

    Returns
    -------
        Erlang C; 1 where the load fills the servers. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: erlang1917solution.

    Examples
    --------
    >>> waiting_fraction([2, 10], requests_per_s=[1.5, 8], service_s=1).round(4)
    array([0.6429, 0.4092])
    """
    return erlang_c(_servers(n_servers), _load(requests_per_s, service_s))[()]


def pool_wait_s(
    n_servers: ArrayLike,
    *,
    requests_per_s: ArrayLike,
    service_s: ArrayLike,
    service_scv: ArrayLike = 1,
) -> Floats:
    r"""Mean wait in front of several servers: :math:`\frac{C\,s}{c - a}\,\frac{1 + c_s^2}{2}`.

    Parameters
    ----------
    n_servers
        Servers. [-]
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service. [s]
    service_scv
        Squared coefficient of variation of the service; 1 for exponential. [-]

    Returns
    -------
        Mean wait of all, those included who do not wait; infinite where the load fills the
        servers. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    M/M/c exactly, M/G/c as Allen and Cunneen approximate it; exact for one server, too, and some
    percent short for equal services. Source: allen1990probability.

    Examples
    --------
    >>> pool_wait_s([1, 10], requests_per_s=[0.8, 8], service_s=1).round(4)
    array([4.    , 0.2046])
    """
    servers, load = _servers(n_servers), _load(requests_per_s, service_s)
    free = servers - load
    spread = (1 + non_negative("service_scv", service_scv, finite=True)) / 2
    each = np.asarray(service_s, dtype=float) / np.where(free > 0, free, 1.0)
    return np.where(free > 0, erlang_c(servers, load) * each * spread, np.inf)[()]


def cosmetatos_wait_s(
    n_servers: ArrayLike,
    *,
    requests_per_s: ArrayLike,
    service_s: ArrayLike,
    service_scv: ArrayLike = 0,
) -> Floats:
    r"""The same, better for even services: :math:`W_{M/M/c}\,[c_s^2 + \frac{(1-c_s^2)(1+f)}{2}]`.

    Parameters
    ----------
    n_servers
        Servers. [-]
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service. [s]
    service_scv
        Squared coefficient of variation of the service; above 1 this is Allen and Cunneen. [-]

    Returns
    -------
        Mean wait; infinite where the load fills the servers. [s]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    :math:`f = (1-\rho)(c-1)(\sqrt{4+5c}-2)/(16\rho c)`, at most 1: equal services never wait
    longer than exponential ones. Source: cosmetatos1976approximate.

    Examples
    --------
    Ten servers, 80 % busy, equal services: exactly it is 0.10983.

    >>> cosmetatos_wait_s(10, requests_per_s=8, service_s=1).round(5)
    np.float64(0.10999)
    """
    servers, load = _servers(n_servers), _load(requests_per_s, service_s)
    scv = non_negative("service_scv", service_scv, finite=True)
    filled = np.where(load > 0, 16 * load, 1.0)  # 16 rho c
    idle = np.maximum(1 - load / np.maximum(servers, 1.0), 0.0)
    more = np.minimum(
        idle * np.maximum(servers - 1, 0) * (np.sqrt(4 + 5 * servers) - 2) / filled, 1
    )
    plain = pool_wait_s(
        n_servers, requests_per_s=requests_per_s, service_s=service_s, service_scv=scv
    )
    wait: Floats = (plain * (1 + np.maximum(1 - scv, 0.0) / (1 + scv) * more))[()]
    return wait


# --- impatience ------------------------------------------------------------------------------


def impatient_waiting_fraction(
    n_servers: ArrayLike,
    *,
    requests_per_s: ArrayLike,
    service_s: ArrayLike,
    patience_s: ArrayLike,
) -> Floats:
    r"""Share that has to wait where those who wait may leave: :math:`P(N \ge c)`.

    Parameters
    ----------
    n_servers
        Servers. [-]
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service, exponential. [s]
    patience_s
        Mean patience, exponential; infinite where nobody leaves. [s]

    Returns
    -------
        Erlang A: share that finds all servers busy. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `service_s` and `patience_s` must be above 0.

    Notes
    -----
    M/M/c+M. Source: garnett2002impatient.

    Examples
    --------
    >>> impatient_waiting_fraction(10, requests_per_s=12, service_s=1, patience_s=1).round(4)
    np.float64(0.7576)
    """
    busy, _ = _impatient(n_servers, requests_per_s, service_s, patience_s)
    return busy[()]


def n_impatient(
    n_servers: ArrayLike,
    *,
    requests_per_s: ArrayLike,
    service_s: ArrayLike,
    patience_s: ArrayLike,
) -> Floats:
    r"""Mean number that waits, where those who wait may leave: :math:`E[(N - c)^+]`.

    Parameters
    ----------
    n_servers
        Servers. [-]
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service, exponential. [s]
    patience_s
        Mean patience, exponential; infinite where nobody leaves. [s]

    Returns
    -------
        Erlang A: length of the queue; infinite only where nobody leaves an overload. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `service_s` and `patience_s` must be above 0.

    Notes
    -----
    M/M/c+M. Source: garnett2002impatient.

    Examples
    --------
    >>> n_impatient(10, requests_per_s=12, service_s=1, patience_s=[1, np.inf]).round(4)
    array([2.5636,    inf])
    """
    _, waiting = _impatient(n_servers, requests_per_s, service_s, patience_s)
    return waiting[()]


def abandoned_fraction(
    n_servers: ArrayLike,
    *,
    requests_per_s: ArrayLike,
    service_s: ArrayLike,
    patience_s: ArrayLike,
) -> Floats:
    r"""Share that leaves before it is served: :math:`E[(N - c)^+] / (\lambda \tau)`.

    Parameters
    ----------
    n_servers
        Servers. [-]
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service, exponential. [s]
    patience_s
        Mean patience, exponential. [s]

    Returns
    -------
        Erlang A; of an endless patience what no server could serve, :math:`1 - c/a`, or 0. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number; `service_s` and `patience_s` must be above 0.

    Notes
    -----
    M/M/c+M. Source: garnett2002impatient.

    Examples
    --------
    >>> abandoned_fraction(10, requests_per_s=12, service_s=1, patience_s=[1, np.inf]).round(4)
    array([0.2136, 0.1667])
    """
    _, waiting = _impatient(n_servers, requests_per_s, service_s, patience_s)
    servers, load = _servers(n_servers), _load(requests_per_s, service_s)
    rate, finite = np.asarray(requests_per_s, dtype=float), np.isfinite(waiting)
    coming = np.where(rate > 0, rate, 1.0) * np.asarray(patience_s, dtype=float)
    left = np.where(finite, waiting, 0.0) / coming
    lost = np.where(finite, left, 1 - servers / np.maximum(load, 1e-300))
    return np.minimum(lost, 1.0)[()]  # beyond it by rounding only


# --- how many --------------------------------------------------------------------------------


def n_servers(
    *, waiting_fraction: ArrayLike, requests_per_s: ArrayLike, service_s: ArrayLike
) -> Floats:
    r"""Fewest servers at which few enough wait: smallest :math:`c > a` with :math:`C(c, a) \le p`.

    Parameters
    ----------
    waiting_fraction
        Share that may have to wait. [-]
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service. [s]

    Returns
    -------
        Whole servers; infinite where nobody at all may wait. [-]

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    By halving, all scenarios at once. Source: erlang1917solution.

    Examples
    --------
    >>> n_servers(waiting_fraction=0.2, requests_per_s=[5, 100, 2500], service_s=1)
    array([   8.,  111., 2554.])
    """
    promised = fraction("waiting_fraction", waiting_fraction)
    load = _load(requests_per_s, service_s)
    load, promised = np.broadcast_arrays(load, promised)
    return _fewest(lambda servers: erlang_c(servers, load) <= promised, load, promised)


def n_servers_for_wait(
    *,
    wait_s: ArrayLike,
    requests_per_s: ArrayLike,
    service_s: ArrayLike,
    service_scv: ArrayLike = 1,
) -> Floats:
    r"""Fewest servers at which the mean wait is short enough: smallest :math:`c > a`.

    Parameters
    ----------
    wait_s
        Mean wait promised. [s]
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service. [s]
    service_scv
        Squared coefficient of variation of the service. [-]

    Returns
    -------
        Whole servers, by the wait of `pool_wait_s`; infinite where nobody may wait. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    By halving, all scenarios at once. Source: allen1990probability.

    Examples
    --------
    >>> n_servers_for_wait(wait_s=[0.1, 1], requests_per_s=8, service_s=1)
    array([11.,  9.])
    """
    load, promised, rate, service, scv = np.broadcast_arrays(
        _load(requests_per_s, service_s),
        non_negative("wait_s", wait_s),
        np.asarray(requests_per_s, dtype=float),
        np.asarray(service_s, dtype=float),
        non_negative("service_scv", service_scv, finite=True),
    )

    def met(servers: NDArray[np.float64]) -> NDArray[np.bool_]:
        wait = pool_wait_s(servers, requests_per_s=rate, service_s=service, service_scv=scv)
        return np.asarray(wait <= promised)

    return _fewest(met, load, promised)


def n_square_root(*, requests_per_s: ArrayLike, service_s: ArrayLike, safety: ArrayLike) -> Floats:
    r"""Servers by the rule of the square root: :math:`a + \beta \sqrt{a}`.

    Parameters
    ----------
    requests_per_s
        Poisson arrivals. [requests/s]
    service_s
        Mean service. [s]
    safety
        :math:`\beta`, which sets the share that waits. [-]

    Returns
    -------
        Servers, not rounded. [-]

    Raises
    ------
    ValueError
        If an argument is negative or not a number.

    Notes
    -----
    Source: halfin1981heavy.

    Examples
    --------
    Ten times the load need less than ten times the reserve:

    >>> n_square_root(requests_per_s=[100, 1000], service_s=1, safety=1).round(1)
    array([ 110. , 1031.6])
    """
    load = _load(requests_per_s, service_s)
    return (load + non_negative("safety", safety) * np.sqrt(load))[()]


def halfin_whitt_fraction(*, safety: ArrayLike) -> Floats:
    r"""Share that waits with that reserve: :math:`[1 + \beta\,\Phi(\beta)/\phi(\beta)]^{-1}`.

    Parameters
    ----------
    safety
        :math:`\beta` of the rule of the square root. [-]

    Returns
    -------
        Limit of Erlang C as load and servers grow. [-]

    Raises
    ------
    ValueError
        If `safety` is negative or not a number.

    Notes
    -----
    Source: halfin1981heavy.

    Examples
    --------
    >>> halfin_whitt_fraction(safety=[0, 1, 2]).round(4)
    array([1.    , 0.2234, 0.0269])
    """
    beta = non_negative("safety", safety)
    density = np.exp(-(beta**2) / 2) / np.sqrt(2 * np.pi)
    share: Floats = (density / (density + beta * special.ndtr(beta)))[()]
    return share


def safety(*, waiting_fraction: ArrayLike) -> Floats:
    r"""Reserve :math:`\beta` at which a share waits, many servers: that formula, turned around.

    Parameters
    ----------
    waiting_fraction
        Share that may have to wait. [-]

    Returns
    -------
        :math:`\beta` of the rule of the square root; 0 where all may wait, infinite where nobody
        may. [-]

    Raises
    ------
    ValueError
        If `waiting_fraction` lies outside [0, 1].

    Notes
    -----
    By halving. Source: halfin1981heavy.

    Examples
    --------
    >>> safety(waiting_fraction=[0.05, 0.2]).round(4)
    array([1.7398, 1.0615])
    """
    wanted = np.asarray(fraction("waiting_fraction", waiting_fraction))
    _, high = halved(
        lambda middle: halfin_whitt_fraction(safety=middle) <= wanted,
        np.zeros(wanted.shape),
        np.full(wanted.shape, 40.0),
    )
    return np.where(wanted > 0, np.where(wanted < 1, high, 0.0), np.inf)[()]


# --- arguments and search --------------------------------------------------------------------


def _servers(n_servers: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(np.floor(non_negative("n_servers", n_servers, finite=True)))


def _load(requests_per_s: ArrayLike, service_s: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(
        non_negative("requests_per_s", requests_per_s, finite=True)
        * non_negative("service_s", service_s, finite=True)
    )


def _fewest(
    met: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
    load: NDArray[np.float64],
    promised: NDArray[np.float64],
) -> Floats:
    """Smallest whole number above the load at which a promise is met that more servers keep."""
    low, step = np.floor(load), np.ceil(np.sqrt(load)) + 1.0
    possible = promised > 0
    high = low + step
    while not (enough := met(high) | ~possible).all():
        step = np.where(enough, step, 2 * step)
        low = np.where(enough, low, high)
        high = np.where(enough, high, high + step)
    while (apart := high - low > 1).any():
        middle = np.floor((low + high) / 2)
        enough = met(middle) & apart
        high = np.where(enough, middle, high)
        low = np.where(apart & ~enough, middle, low)
    return np.where(possible | (load == 0), high, np.inf)[()]


def _impatient(
    n_servers: ArrayLike, requests_per_s: ArrayLike, service_s: ArrayLike, patience_s: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return impatient_states(
        _servers(n_servers),
        non_negative("requests_per_s", requests_per_s, finite=True),
        positive("service_s", service_s, finite=True),
        positive("patience_s", patience_s),
    )
