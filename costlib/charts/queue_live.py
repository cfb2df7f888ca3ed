"""The queue to try of `queueing`: load, lengths, tail, limit, servers and promise on sliders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from costlib import clipping, queueing, staffing
from costlib.charts.controls import Control, initial, params
from costlib.charts.theme import hue, reference, titled
from costlib.charts.vega import expression

__all__ = ["interpolation_error", "load_controls", "load_point", "try_load", "waits"]

N_NODES: Final = 200  # of Erlang C between no load and a full one
WAIT_S: Final = (0.01, 1000.0)
LOAD: Final = (5, 99)  # %, a step each


def erlang_table(n_servers: Sequence[float]) -> NDArray[np.float64]:
    """Log of Erlang C over the load per server, at even steps of it, a row per number."""
    load = np.arange(1, N_NODES) / N_NODES
    rows = [
        np.log(staffing.waiting_fraction(n, requests_per_s=n * load, service_s=1) / load)
        for n in n_servers
    ]
    logs = np.array(rows)
    nothing = 2 * logs[:, :1] - logs[:, 1:2]  # at no load nobody waits; this is never looked at
    return np.round(np.hstack([nothing, logs, np.zeros((len(logs), 1))]), 5)


def interpolation_error(n_servers: Sequence[float]) -> float:
    """Largest relative error of a wait between the nodes, where one request in 1,000 waits."""
    table, worst = erlang_table(n_servers), 0.0
    load = np.linspace(0.03, 0.9999, 4001)  # no slider goes lower
    for n, row in zip(n_servers, table, strict=True):
        exact = staffing.waiting_fraction(n, requests_per_s=n * load, service_s=1)
        found = load * np.exp(np.interp(load * N_NODES, np.arange(N_NODES + 1), row))
        worst = max(worst, float(np.abs(found / exact - 1)[exact > 1e-3].max()))
    return worst


def load_controls(
    *,
    load: float,
    mean_tokens: float,
    sigma: float,
    clipped_fraction: float,
    n_servers: float,
    wait_s: float,
) -> tuple[Control, ...]:
    """What the reader can move, starting at the chapter's numbers."""
    pools = tuple(sorted({1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, float(n_servers)}))
    return (
        Control(
            parameter="load",
            label="Servers busy",
            unit="%, without a limit",
            value=round(100 * load),
            low=LOAD[0],
            high=LOAD[1],
            step=1,
            scale=0.01,
        ),
        Control(
            parameter="mean_tokens",
            label="Mean answer",
            unit="tokens",
            value=mean_tokens,
            low=min(20, mean_tokens),
            high=max(2000, mean_tokens),
            step=10,
        ),
        Control(
            parameter="sigma",
            label="Tail",
            unit="sigma of the lengths",
            value=sigma,
            low=min(0.1, sigma),
            high=max(1.8, sigma),
            step=0.05,
        ),
        Control(
            parameter="clipped_fraction",
            label="Longest answers cut",
            unit="%",
            value=round(100 * clipped_fraction, 1),
            low=0,
            high=max(10, 100 * clipped_fraction),
            step=0.1,
            scale=0.01,
        ),
        Control(
            parameter="pool",
            label="Servers",
            unit="",
            value=float(pools.index(float(n_servers))),
            options=tuple(float(place) for place in range(len(pools))),
            words=tuple(f"{n:g}" for n in pools),
        ),
        Control(
            parameter="promise",
            label="Promised mean wait",
            unit="s",
            value=wait_s,
            low=min(0.1, wait_s),
            high=max(60, wait_s),
            step=0.1,
        ),
    )


def _pools(controls: Sequence[Control]) -> list[float]:
    (pool,) = (control for control in controls if control.parameter == "pool")
    return [float(words) for words in pool.words]


def _axes() -> tuple[Any, Any]:
    return (
        alt.X("load:Q", title="Servers busy without a limit (%)")
        .scale(domain=[0, 100])
        .axis(values=[0, 20, 40, 60, 80, 100]),
        alt.Y(
            "wait:Q",
            title="Mean wait (s, logarithmic)",
            scale=alt.Scale(type="log", domain=list(WAIT_S), nice=False),
        ).axis(values=[0.01, 0.1, 1, 10, 100, 1000], format=",~g"),
    )


def try_load(controls: Sequence[Control], *, output_token_s: float) -> Any:
    """Mean wait against the load, with and without a limit, beside a promise."""
    moved = {control.parameter: control.expression for control in controls}
    pools = _pools(controls)
    table = ", ".join(f"[{', '.join(f'{v:.5g}' for v in row)}]" for row in erlang_table(pools))
    law = {"mean_tokens": "mean_tokens", "sigma": "sigma"}

    def wait(load: str, service: str, scv: str) -> str:
        """Erlang C, over the load, times the wait for one server as fast as all together."""
        place = f"min(floor({load} * {N_NODES}), {N_NODES - 1})"
        row = "erlang[pool]"
        rise = f"({row}[{place} + 1] - {row}[{place}])"
        log = f"{row}[{place}] + ({load} * {N_NODES} - {place}) * {rise}"
        fast = f"({service} / servers)"
        one = expression(
            queueing.wait_s, requests_per_s=f"{load} / {fast}", service_s=fast, service_scv=scv
        )
        return f"exp({log}) * {one}"

    x, y = _axes()
    curve = alt.Chart(alt.sequence(LOAD[0], LOAD[1] + 1, 1, as_="load"))
    plain = curve.transform_calculate(
        wait=wait("(datum.load / 100)", "whole_s", "whole_scv")
    ).transform_filter("isFinite(datum.wait)")
    cut = curve.transform_calculate(
        wait=wait("(datum.load / 100 * left)", "cut_s", "cut_scv")
    ).transform_filter("isFinite(datum.wait)")
    seen = f"datum.wait >= {WAIT_S[0]} && datum.wait <= {WAIT_S[1]}"
    plain_line, cut_line = (
        line.transform_filter(seen).mark_line(color=hue(token), strokeWidth=width).encode(x, y)
        for line, token, width in ((plain, "ink", 2), (cut, "you", 3))
    )
    kept_words = [  # top left no line comes
        line.transform_filter("datum.wait <= promise")
        .transform_aggregate(most="max(load)")
        .transform_calculate(text=f"'{words} to ' + datum.most + '\u00a0% busy'", load="1")
        .mark_text(align="left", color=hue(token), fontWeight=600)
        .encode(x, y=alt.value(height), text="text:N")
        for line, words, token, height in (
            (plain, "Promise kept up", "ink", 12),
            (cut, "with the limit up", "you", 30),
        )
    ]
    promised = alt.Chart(alt.sequence(0, 1, 1, as_="i")).transform_calculate(
        wait="promise", load="1", text="'promised'"
    )
    rule = promised.mark_rule(strokeDash=[2, 3], strokeWidth=1.25, color=hue("muted")).encode(y=y)
    rule_words = promised.mark_text(
        align="left", baseline="bottom", dx=4, dy=-3, color=hue("muted")
    ).encode(x, y, text="text:N")
    here = (
        alt.Chart(alt.sequence(0, 1, 1, as_="i"))
        .transform_calculate(load="load", wait="my_wait", text="'You: ' + " + _seconds("my_wait"))
        .transform_filter(seen)
    )
    dot = here.mark_point(
        size=150, color=hue("you"), stroke=hue("page"), strokeWidth=2.5, opacity=1
    ).encode(x, y)
    # Below the dot, where no line is: the farther down the less room is right of it, and not on
    # the rule of the promise.
    beside = "min(10, width * (1 - load / 100) - 80)"
    under = f"(20 + 0.8 * (10 - {beside}))"
    to_rule = f"(log(my_wait / promise) / LN10 * height / {np.log10(WAIT_S[1] / WAIT_S[0]):g})"
    words = here.mark_text(
        align="left",
        dx=alt.ExprRef(beside),
        dy=alt.ExprRef(f"abs({to_rule} - {under}) < 11 ? {to_rule} + 13 : {under}"),
        color=hue("you"),
        fontWeight=700,
        fontSize=14,
    ).encode(x, y, text="text:N")
    spoken = (
        "servers + (servers == 1 ? ' server' : ' servers') + ', ' + load + '\u00a0% busy with ' + "
        "format(rate, '.3r') + ' requests per second: a mean wait of ' + "
        f"{_seconds('plain_wait')} + (clipped_fraction > 0 ? ', and of ' + {_seconds('my_wait')} + "
        "' if the longest ' + clipped_fraction + '\u00a0% are cut at ' + format(limit, ',.0f') + "
        "' tokens, which loses ' + format(100 * (1 - left), '.2r') + '\u00a0% of all tokens' : '') "
        "+ "
        "'. The promise is ' + (plain_wait <= promise ? 'kept' : my_wait <= promise ? "
        "'kept with the limit only' : 'broken') + '.'"
    )
    cut_law = {"limit_tokens": "limit", **law}
    signals = {
        "erlang": f"[{table}]",
        "servers": f"[{', '.join(f'{n:g}' for n in pools)}][pool]",
        "limit": expression(
            clipping.share_limit_tokens, clipped_fraction=moved["clipped_fraction"], **law
        ),
        "left": expression(clipping.clipped_mean_tokens, **cut_law) + " / mean_tokens",
        "whole_s": f"mean_tokens * {output_token_s!r}",
        "cut_s": "whole_s * left",
        "whole_scv": expression(clipping.clipped_scv, limit_tokens=np.inf, **law),
        "cut_scv": f"max({expression(clipping.clipped_scv, **cut_law)}, 0)",
        "rate": f"{moved['load']} * servers / whole_s",
        "plain_wait": wait(f"({moved['load']})", "whole_s", "whole_scv"),
        "my_wait": wait(f"({moved['load']} * left)", "cut_s", "cut_scv"),
        "readout": spoken,
    }
    chart = alt.layer(rule, rule_words, plain_line, cut_line, *kept_words, dot, words).add_params(
        *params(controls), *(alt.param(name, expr=text) for name, text in signals.items())
    )
    start = waits(**_case(pools, dict(initial(controls))), output_token_s=output_token_s)
    return titled(
        chart,
        title="Your queue: what the tail costs, and what a limit gives back",
        subtitle="Mean wait in front of servers that answer one at a time; thin: no limit; thick: "
        "the longest answers cut",
        description="Interactive line chart of the mean wait against the load. With the chapter's "
        f"numbers {start['plain']:.2f} seconds without a limit and {start['cut']:.2f} with it.",
        note=f"{1000 * output_token_s:g} ms a token. Recomputed in your browser by the library’s "
        "own formulas; Erlang C is interpolated in a table of its making, which moves a wait by "
        f"at most {100 * interpolation_error(pools):.1g} % wherever one request in a thousand "
        "waits. Lognormal lengths, Poisson arrivals.",
        height=380,
    )


def _seconds(signal: str) -> str:
    return (
        f"({signal} < 0.01 ? 'less than 0.01\u00a0s' : {signal} < 100 ? "
        f"format({signal}, '.2r') + '\u00a0s' : format({signal}, ',.0f') + '\u00a0s')"
    )


def waits(
    *,
    n_servers: float,
    load: Any,
    mean_tokens: float,
    sigma: float,
    clipped_fraction: float,
    output_token_s: float,
) -> dict[str, Any]:
    """Mean waits of lognormal answers without a limit (`plain`) and with one (`cut`).

    Returns
    -------
        Both, with the `limit` in tokens, the share of tokens `left`, and the `rate` per second at
        which the servers are busy for `load` without a limit.
    """
    law = {"mean_tokens": mean_tokens, "sigma": sigma}
    limit = clipping.share_limit_tokens(clipped_fraction=clipped_fraction, **law)
    rate = np.asarray(load, dtype=float) * n_servers / (mean_tokens * output_token_s)
    found: dict[str, Any] = {"limit": float(limit), "rate": rate}
    for name, cut in (("plain", np.inf), ("cut", limit)):
        mean = clipping.clipped_mean_tokens(limit_tokens=cut, **law)
        found[name] = staffing.pool_wait_s(
            n_servers,
            requests_per_s=rate,
            service_s=mean * output_token_s,
            service_scv=np.maximum(clipping.clipped_scv(limit_tokens=cut, **law), 0),
        )
        found["left"] = float(mean) / mean_tokens
    return found


def _case(pools: Sequence[float], moved: dict[str, float]) -> dict[str, Any]:
    """What `waits` takes of the controls' values."""
    kept = {name: value for name, value in moved.items() if name not in ("pool", "promise")}
    return kept | {"n_servers": pools[int(moved["pool"])]}


def load_point(controls: Sequence[Control], *, output_token_s: float, **moved: float) -> Any:
    """The twin of `try_load` for one setting, computed in Python."""
    pools = _pools(controls)
    case = _case(pools, moved)
    here = waits(**case, output_token_s=output_token_s)
    grid = np.arange(LOAD[0], LOAD[1] + 1)
    lines = waits(**{**case, "load": grid / 100}, output_token_s=output_token_s)
    x, y = _axes()
    layers = [
        alt.Chart(
            pd.DataFrame({"load": grid, "wait": lines[name]})
            .query("0 < wait < inf")
            .assign(wait=lambda frame: frame["wait"].round(6).clip(lower=WAIT_S[0] / 100))
        )
        .mark_line(color=hue(token), strokeWidth=width, clip=True)
        .encode(x, y)
        for name, token, width in (("plain", "ink", 2), ("cut", "you", 3))
    ]
    kept = (
        "kept"
        if here["plain"] <= moved["promise"]
        else "kept with the limit only"
        if here["cut"] <= moved["promise"]
        else "broken"
    )
    spoken = (
        f"{here['plain']:,.2f} s without a limit, {here['cut']:,.2f} s with it: "
        f"the promise is {kept}"
    )
    return titled(
        alt.layer(*layers, reference(moved["promise"], "promised")),
        title=spoken,
        subtitle="Mean wait against the load, with and without a limit",
        description=spoken,
        height=320,
    )
