"""A finalist of a plan: its replica, the most that it takes under the promises, what stays cached.

`costlib.screening` leaves few combinations; each is computed here with the queue of
`costlib.response`, and held and billed by `costlib.plans`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from costlib import response, screening, serve
from costlib.replica import Replica, replica
from costlib.scenario import Scenario
from costlib.screening import Demand

__all__ = ["Rig", "rigged"]

MOST_RUNNING: Final = 256  # sequences of a replica
PRECISION: Final = 0.005  # of the rate of a replica, as a share of its saturation
REFUSED: Final = 0.01  # requests too large for the memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """A replica with its rate, its bytes and what its clients see."""

    row: Mapping[str, Any]
    replica: Replica
    most_per_s: float
    saturation_per_s: float
    weight_bytes: float
    sequence_bytes: float
    prefix_bytes: float  # of the part of a prompt that is found again
    n_fit: float
    at: Callable[[float], response.Response]  # what clients see at a rate, kept once computed

    def kept(self, requests_per_s: float) -> tuple[float, float]:
        """Prefixes that fit beside the running requests, and seconds that each then survives.

        Every request is taken to leave a prefix of its own: the oldest goes when as many as fit
        have come after it. One that all requests share survives as long as it fits.
        """
        running = float(self.at(requests_per_s).n_decoding[0]) + 1  # and one that is being read
        spare = max(self.n_fit - running, 0.0) * self.sequence_bytes
        n = float(np.floor(spare / self.prefix_bytes))
        return n, n / requests_per_s

    def forgets(self, reuse_within_s: float) -> bool:
        """Whether a prefix that it counts on is gone before it is asked for again."""
        return bool(self.row["prefix_reuse"]) and self.kept(self.most_per_s)[1] < reuse_within_s


def rigged(scenario: Scenario, asked: Demand, row: Mapping[str, Any]) -> Rig | str:
    """A finalist's replica and the most that it takes under the promises; or why it fails."""
    prompt, answer = asked.mean_tokens
    promised, most = scenario.promises, scenario.fleet.load_fraction
    one = serve.prediction(screening.load(scenario, asked, row, {**row, "n_clients": 1.0}))
    lengths: dict[str, Any] = {
        "input_tokens": asked.input_tokens,
        "output_tokens": asked.output_tokens,
        "cached_tokens": row["prefix_reuse"] * asked.reused_fraction * asked.input_tokens,
        "exponential": False,
    }
    try:
        machine = replica(
            row["model"],
            row["accelerator"],
            input_tokens=prompt,
            output_tokens=answer,
            chunk_tokens=screening.CHUNK_TOKENS,
            most_running=min(MOST_RUNNING, max(scenario.candidates.n_clients)),
            weight_format=row["weight_format"],
            **screening.layout(scenario, row),
        )
        if row["experts"]:  # a prompt alone is read by one copy of the attention, not by all
            several = response.under_load(machine, response.QUIET, **lengths)
            longer = max(float(np.ravel(one.ttft_s)[0]) - float(several.ttft_s[0]), 0.0)
            machine = dataclasses.replace(machine, request_s=machine.request_s + longer)
        at = functools.cache(
            functools.partial(response.under_load, machine, quantiles=(0.95,), **lengths)
        )
        quiet = at(response.QUIET)
    except ValueError:
        return screening.FITS
    if quiet.refused_fraction > REFUSED:
        return screening.FITS
    top = quiet.saturation_requests_per_s
    if promised.ttft_p95_s is None and promised.tpot_p95_s is None:
        rate = most * top
    else:
        rate = response.largest_rate(
            at,
            ttft_s=promised.ttft_p95_s or np.inf,
            tpot_s=promised.tpot_p95_s or np.inf,
            load_fraction=min(most, 1 - response.PRECISION),
            precision=PRECISION,
        )
    if rate == 0:
        late = quiet.ttft_quantiles_s[0, -1] > (promised.ttft_p95_s or np.inf)
        return screening.TTFT if late else screening.TPOT
    again = np.maximum(asked.reused_fraction * asked.input_tokens - 1.0, 1.0)
    prefix = serve.prediction(
        screening.load(
            scenario,
            dataclasses.replace(asked, input_tokens=again, output_tokens=np.ones(1)),
            row,
            {**row, "n_clients": 1.0},
        )
    )
    return Rig(
        row=row,
        replica=machine,
        most_per_s=rate,
        saturation_per_s=top,
        weight_bytes=float(np.ravel(one.weight_bytes)[0]),
        sequence_bytes=float(np.ravel(one.sequence_bytes)[0]),
        prefix_bytes=float(np.ravel(prefix.sequence_bytes)[0]),
        n_fit=float(np.ravel(one.capacity_users)[0]),
        at=at,
    )
