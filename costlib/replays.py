"""Replicas under arrivals: the formula against the simulation, real hours against Poisson ones.

Every function takes requests or a workload and returns a tidy frame of times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from costlib import workloads
from costlib._checks import count, fraction, generator, positive
from costlib.replica import Replica
from costlib.response import under_load
from costlib.simulate import Served, served
from costlib.workloads import Requests

__all__ = ["against_poisson", "dispatched", "scored", "times"]

DISPATCH: Final = ("random", "round robin", "by session")
WARM_FRACTION: Final = 0.1  # of the requests, left out: the machine starts empty
N_POISSON: Final = 100_000


def times(done: Served, *, warm_fraction: float = 0.0) -> dict[str, float]:
    """Means and 95th percentiles of a simulated run, in seconds; tokens weigh alike in the mean.

    >>> import numpy as np
    >>> one = Requests(
    ...     arrival_s=np.zeros(1), input_tokens=np.ones(1, int), output_tokens=np.full(1, 3),
    ...     cached_tokens=np.zeros(1, int), session=np.zeros(1, int),
    ... )
    >>> done = Served(
    ...     requests=one, first_token_s=np.ones(1), done_s=np.full(1, 2.0),
    ...     output_tokens=np.full(1, 3),
    ... )
    >>> times(done)["tpot_s"], times(done)["sojourn_s"]
    (0.5, 2.0)
    """
    late = slice(int(fraction("warm_fraction", warm_fraction) * done.done_s.size), None)
    ttft, whole, tpot = done.ttft_s[late], done.sojourn_s[late], done.tpot_s[late]
    later = np.maximum(done.output_tokens[late] - 1, 0)
    decoding = np.where(later > 0, np.nan_to_num(tpot) * later, 0.0)
    several = later > 0
    return {
        "ttft_s": float(ttft.mean()),
        "ttft_p95_s": float(np.quantile(ttft, 0.95)),
        "tpot_s": float(decoding.sum() / max(later.sum(), 1)),
        "tpot_p95_s": float(np.nanquantile(tpot[several], 0.95)) if several.any() else np.nan,
        "sojourn_s": float(whole.mean()),
        "sojourn_p95_s": float(np.quantile(whole, 0.95)),
    }


def _formula(replica: Replica, rate: float, lengths: dict[str, Any]) -> dict[str, float]:
    found = under_load(replica, rate, quantiles=(0.95,), **lengths)
    return {
        "ttft_s": float(found.ttft_s[0]),
        "ttft_p95_s": float(found.ttft_quantiles_s[0, 0]),
        "tpot_s": float(found.tpot_s[0]),
        "tpot_p95_s": float(found.tpot_quantiles_s[0, 0]),
        "sojourn_s": float(found.sojourn_s[0]),
        "sojourn_p95_s": float(found.sojourn_quantiles_s[0, 0]),
    }


def scored(
    name: str,
    replica: Replica,
    loads: Sequence[float],
    *,
    n_requests: int = N_POISSON,
    seed: int = 0,
) -> pd.DataFrame:
    """Formula and simulation of a workload at loads: Poisson arrivals, lengths independent.

    Parameters
    ----------
    name
        A workload.
    replica
        Who serves it.
    loads
        Shares of what saturates the replica.

    Returns
    -------
        Two rows a load (`way`: formula, simulated) with `times`.
    """
    lengths: dict[str, Any] = workloads.length_table(name)
    shares = np.atleast_1d(positive("loads", loads, finite=True))
    count("n_requests", n_requests)
    generator(seed)
    top = under_load(replica, 1e-6, **lengths).saturation_requests_per_s
    rows = []
    for load in shares:
        rate = load * top
        random = generator(seed)
        arrivals = workloads.poisson_s(n_requests, requests_per_s=rate, seed=random)
        done = served(workloads.drawn(name, arrivals, seed=random), replica)
        head: dict[str, Any] = {"workload": name, "load": load, "requests_per_s": rate}
        rows.append(head | {"way": "formula"} | _formula(replica, rate, lengths))
        rows.append(head | {"way": "simulated"} | times(done, warm_fraction=WARM_FRACTION))
    return pd.DataFrame(rows)


def against_poisson(
    requests: Requests,
    replica: Replica,
    loads: Sequence[float],
    *,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Recorded requests in their order, stretched to loads, beside Poisson arrivals of the same.

    Parameters
    ----------
    requests
        A log; each request keeps its lengths.
    replica
        Who serves it.
    loads
        Shares of what saturates the replica.
    progress
        Show a bar over the loads.

    Returns
    -------
        Three rows a load (`way`: replayed, Poisson, formula) with `times`. The Poisson run draws
        prompts (with what of them is cached) and answers from the log, independently.
    """
    lengths: dict[str, Any] = {
        "input_tokens": requests.input_tokens,
        "output_tokens": requests.output_tokens,
        "cached_tokens": requests.cached_tokens,
    }
    shares = np.atleast_1d(positive("loads", loads, finite=True))
    generator(seed)
    top = under_load(replica, 1e-6, **lengths).saturation_requests_per_s
    number, rows = requests.arrival_s.size, []
    for load in tqdm(shares, desc="loads", leave=False, disable=not progress):
        rate = load * top
        random = generator(seed)
        prompts, answers = random.integers(number, size=(2, N_POISSON))
        evenly = Requests(
            arrival_s=workloads.poisson_s(N_POISSON, requests_per_s=rate, seed=random),
            input_tokens=requests.input_tokens[prompts],
            output_tokens=requests.output_tokens[answers],
            cached_tokens=requests.cached_tokens[prompts],
            session=np.full(N_POISSON, -1),
        )
        stretched = workloads.replayed(requests, requests_per_s=rate)
        head: dict[str, Any] = {"load": load, "requests_per_s": rate}
        rows += [
            head | {"way": "replayed"} | times(served(stretched, replica)),
            head | {"way": "Poisson"} | times(served(evenly, replica)),
            head | {"way": "formula"} | _formula(replica, rate, lengths),
        ]
    return pd.DataFrame(rows)


def dispatched(
    requests: Requests, replica: Replica, n_replicas: int, how: str, *, seed: int = 0
) -> Served:
    """Requests dealt out to equal replicas, each of which serves its own line.

    Parameters
    ----------
    requests
        All that come.
    replica
        One of the replicas.
    n_replicas
        How many.
    how
        "random"; "round robin"; or "by session": all of a session to one place, chosen by chance.
        A prefix is found only where the request before of its session went; requests without a
        session keep what is cached of them.

    Raises
    ------
    ValueError
        If `how` is none of these, or `n_replicas` no whole number above 0.
    """
    if how not in DISPATCH:
        raise ValueError(f"how must be one of {', '.join(DISPATCH)}, got {how!r}")
    count("n_replicas", n_replicas)
    number = requests.arrival_s.size
    random = generator(seed)
    chosen = random.integers(n_replicas, size=number)
    if how == "round robin":
        chosen = np.arange(number) % n_replicas
    elif how == "by session":
        _, place = np.unique(requests.session, return_inverse=True)
        kept = random.integers(n_replicas, size=int(place.max(initial=0)) + 1)
        chosen = np.where(requests.session >= 0, kept[place], chosen)
    order = np.lexsort((np.arange(number), requests.session))
    same_session = np.diff(requests.session[order], prepend=-2) == 0
    same_place = np.diff(chosen[order], prepend=-1) == 0
    found = np.empty(number, bool)
    found[order] = ~same_session | same_place
    cached = np.where((requests.session < 0) | found, requests.cached_tokens, 0)
    first, done = np.empty(number), np.empty(number)
    answers = requests.output_tokens
    for one in range(int(n_replicas)):
        mine = chosen == one
        part = served(
            Requests(
                arrival_s=requests.arrival_s[mine],
                input_tokens=requests.input_tokens[mine],
                output_tokens=answers[mine],
                cached_tokens=cached[mine],
                session=requests.session[mine],
            ),
            replica,
        )
        first[mine], done[mine] = part.first_token_s, part.done_s
    return Served(requests=requests, first_token_s=first, done_s=done, output_tokens=answers)
