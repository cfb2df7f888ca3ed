"""A log of one's own, replayed through the simulation beside even arrivals."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from costlib import replays, requestlog, workloads
from costlib.charts.controls import Control
from costlib.charts.serving import TIMES
from costlib.charts.theme import hue, titled
from costlib.replica import replica

__all__ = ["replay_controls", "replay_point"]
WAYS: Final = {"formula": "formula", "Poisson": "even arrivals, simulated", "replayed": "replayed"}
N_REPLAYED: Final = 20_000


def replay_controls(*, workload: str, load: float) -> list[Control]:
    """What can be moved of a replay."""
    names = tuple(workloads.workloads())
    return [
        Control(
            parameter="workload",
            label="Without a log: workload",
            unit="",
            value=float(names.index(workload)),
            options=tuple(float(i) for i in range(len(names))),
            words=names,
        ),
        Control(
            parameter="gap_scv",
            label="Without a log: SCV of gaps",
            unit="",
            value=20,
            low=1,
            high=200,
            step=1,
        ),
        Control(
            parameter="load",
            label="Offered load",
            unit="%",
            value=100 * load,
            low=10,
            high=95,
            step=5,
            scale=0.01,
        ),
        Control(
            parameter="most_output_tokens",
            label="Longest answer",
            unit="tokens",
            value=400,
            low=50,
            high=4000,
            step=50,
        ),
    ]


def replay_point(
    *,
    log: str,
    workload: float,
    gap_scv: float,
    load: float,
    most_output_tokens: float,
    model: str,
    accelerator: str,
    n_accelerators: float,
) -> Any:
    """A log replayed through the simulation at a load, beside even arrivals of its requests.

    Without a log, requests of a workload whose gaps vary as asked.
    """
    if log:
        found = requestlog.read(log)
        requests, what = found.requests, f"{found.name}, {found.requests.arrival_s.size:,} requests"
    else:
        name = list(workloads.workloads())[int(workload)]
        arrivals = workloads.bursty_s(N_REPLAYED, requests_per_s=1, gap_scv=gap_scv, seed=1)
        requests, what = workloads.drawn(name, arrivals, seed=2), f"{name}, gaps of SCV {gap_scv:g}"
    clipped = np.minimum(requests.output_tokens, int(most_output_tokens))
    requests = dataclasses.replace(requests, output_tokens=clipped)
    on = replica(
        model,
        accelerator,
        n_accelerators=n_accelerators,
        input_tokens=float(requests.input_tokens.mean()),
        output_tokens=float(clipped.mean()),
    )
    rows = replays.against_poisson(requests, on, [load]).set_index("way")
    seconds = {column: rows[column].astype(float).to_dict() for column in TIMES}
    rate = float(rows["requests_per_s"].iloc[0])
    shown = pd.DataFrame(
        [
            {"way": said, "time": words, "seconds": float(f"{seconds[column][way]:.4g}")}
            for column, (words, _) in TIMES.items()
            for way, said in WAYS.items()
        ]
    )
    shown["text"] = [f"{value:.3g} s" for value in shown["seconds"]]
    top = float(shown["seconds"].max())
    y = alt.Y("time:N", title=None, sort=[words for words, _ in TIMES.values()])
    base = alt.Chart(shown).encode(
        alt.X("seconds:Q", title="Seconds").scale(domain=[0, 1.15 * top]),
        y,
        alt.YOffset("way:N", sort=list(WAYS.values())),
    )
    color = alt.Color(
        "way:N",
        scale=alt.Scale(
            domain=list(WAYS.values()), range=[hue(t) for t in ("muted", "ink", "you")]
        ),
    )
    whole, first = seconds["sojourn_s"], seconds["ttft_p95_s"]
    spoken = (
        f"{what}: {whole['replayed']:.3g} s an answer, "
        f"{whole['replayed'] / whole['Poisson']:.2f} times even arrivals; p95 first token "
        f"{first['replayed']:.3g} s"
    )
    return titled(
        base.mark_bar().encode(color) + base.mark_text(align="left", dx=4).encode(text="text:N"),
        title=spoken,
        subtitle=f"{model} on {n_accelerators:g} {accelerator} at {100 * load:.0f} % of what "
        f"saturates it, {rate:.3g} requests/s",
        description=spoken,
        height=220,
    )
