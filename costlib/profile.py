"""What a log of requests says: lengths, bursts, drift, reuse, cost, and where to begin.

Shares above a length and all quantiles are of the prompt. A NaN is what the log cannot tell;
`warnings` say why a number misleads.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from costlib import units
from costlib._checks import generator, non_negative, positive
from costlib.pricebook import Price
from costlib.pricing import request_usd
from costlib.requestlog import Log
from costlib.workloads import Requests, spread

__all__ = [
    "BRANCHES",
    "THRESHOLDS",
    "WINDOWS_S",
    "Branch",
    "Profile",
    "branch",
    "burstiness",
    "dispersion",
    "finite",
    "plain",
    "profile",
    "text",
]

THRESHOLDS: Final = (8_000, 32_000, 128_000)
QUANTILES: Final = (5, 10, 25, 50, 75, 90, 95, 99)
WINDOWS_S: Final = (1, 60, 300)
FEWEST_WINDOWS: Final = 10  # below that a variance of counts says nothing
LONG_SHARE: Final = 0.1  # of requests above 128K: the sources say "significant" and no number
MONTH_S: Final = units.HOURS_PER_MONTH * units.SECONDS_PER_HOUR
WEEK_S: Final = 7 * 24 * units.SECONDS_PER_HOUR
HOLE_MEANS: Final = 30  # mean gaps without a request: hardly ever by chance (1 in 10^13)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One way of the decision tree: when it is taken, what to do first, who says so."""

    name: str
    when: str
    advice: str
    source: str


BRANCHES: Final[Mapping[str, Branch]] = {
    one.name: one
    for one in (
        Branch(
            name="short",
            when="more than half of the requests are below 8K",
            advice="Leave the architecture. Page the cache, keep it in fewer bits, drop what is "
            "not read.",
            source="promit2026datascience",
        ),
        Branch(
            name="medium",
            when="more than half of the requests are below 32K",
            advice="Work on throughput at short context: batch, and share the KV heads. Long "
            "context is not what you pay for.",
            source="promit2026engineering",
        ),
        Branch(
            name="long",
            when=f"a share of {LONG_SHARE:.0%} or more is above 128K",
            advice="The cache decides. Where answers need exact recall, take a model with latent "
            "attention, keep its cache in fewer bits and page it; where they do not, a hybrid "
            "keeps less. Compare with an API that has done so.",
            source="promit2026engineering",
        ),
        Branch(
            name="between",
            when="half of the requests or more are above 32K, few above 128K",
            advice="Measure a smaller cache at your p95, first in fewer bits, then with latent "
            "attention, and compare with what an API asks for such lengths.",
            source="promit2026datascience;promit2026engineering",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a log says of its requests; NaN where it cannot."""

    name: str
    clock: str
    n_rows: int
    n_bad: int
    n_unsorted: int
    n_empty: int
    n_requests: int
    span_s: float
    requests_per_s: float
    input_tokens: Mapping[str, float]  # mean, scv, p5 to p99, max
    output_tokens: Mapping[str, float]
    above_requests_fraction: Mapping[int, float]  # by length of the prompt
    above_tokens_fraction: Mapping[int, float]  # input tokens in such prompts
    input_per_output: float  # all tokens in over all tokens out
    length_correlation: float  # of input and output
    tick_s: float  # step of the clock where many share a stamp; 0: none seen
    raw_gap_scv: float  # of the stamps as they are
    gap_scv: float  # the same with ticks spread evenly
    dispersion: Mapping[int, float]  # of counts, by window in seconds; NaN within a tick
    longest_gap_s: float
    n_holes: int  # gaps that no steady stream of this rate would leave
    peak_to_mean: float  # of 5-minute windows
    drift: float  # mean tokens of a request, second half of the time over the first
    cached_fraction: float  # of the input tokens
    cached_from: str
    session_bound_fraction: float  # of the input tokens: the most that sessions can find again
    repeated_prefix_fraction: float  # of the requests with a prefix id
    n_sessions: int
    n_users: int
    price: str
    usd_per_request: float
    usd_per_session: float
    usd_per_user_month: float
    branch: str
    warnings: tuple[str, ...]


def profile(log: Log, *, price: Price | None = None, seed: int = 0) -> Profile:
    """Describe a log.

    Parameters
    ----------
    log
        As `requestlog.read` gives it.
    price
        List price at which requests are billed; without one, no cost. What is cached pays the
        price of a cached read, writing the cache is free.
    seed
        Of the draw that spreads requests over the tick they are stamped with.

    Raises
    ------
    ValueError
        If the log holds fewer than two requests or all come at once.
    """
    asked, random = log.requests, generator(seed)
    n, span = asked.arrival_s.size, float(asked.arrival_s[-1] - asked.arrival_s[0])
    if span == 0:
        raise ValueError(f"{log.name}: all {n} requests come at once; a profile needs a time span")
    tick = _tick_s(asked.arrival_s)
    even = spread(asked, tick_s=tick, seed=random).arrival_s if tick else asked.arrival_s
    prompts = asked.input_tokens.astype(np.float64)
    above = {limit: prompts > limit for limit in THRESHOLDS}
    requests_above = {limit: float(longer.mean()) for limit, longer in above.items()}
    bursts = burstiness(even)
    usd = _usd(log, price)
    by_session, by_user = asked.session >= 0, log.user >= 0
    n_sessions, n_users = (int(ids.max(initial=-1)) + 1 for ids in (asked.session, log.user))
    found = Profile(
        name=log.name,
        clock=log.clock,
        n_rows=log.n_rows,
        n_bad=log.n_bad,
        n_unsorted=log.n_unsorted,
        n_empty=log.n_empty,
        n_requests=n,
        span_s=span,
        requests_per_s=(n - 1) / span,
        input_tokens=_lengths(prompts),
        output_tokens=_lengths(asked.output_tokens.astype(np.float64)),
        above_requests_fraction=requests_above,
        above_tokens_fraction={
            k: float(prompts[v].sum() / prompts.sum()) for k, v in above.items()
        },
        input_per_output=float(prompts.sum() / asked.output_tokens.sum()),
        length_correlation=_correlation(prompts, asked.output_tokens),
        tick_s=tick,
        raw_gap_scv=_scv(np.diff(asked.arrival_s)),
        gap_scv=bursts["gap_scv"],
        dispersion={
            window: bursts[f"dispersion_{window}s"] if window > tick else math.nan
            for window in WINDOWS_S
        },
        longest_gap_s=bursts["longest_gap_s"],
        n_holes=int((np.diff(even) > HOLE_MEANS * np.diff(even).mean()).sum()),
        peak_to_mean=bursts["peak_to_mean"],
        drift=_drift(asked),
        cached_fraction=float(asked.cached_tokens.sum() / prompts.sum())
        if log.cached_from
        else math.nan,
        cached_from=log.cached_from,
        session_bound_fraction=_session_bound(asked) if by_session.any() else math.nan,
        repeated_prefix_fraction=_repeated(log.prefix),
        n_sessions=n_sessions,
        n_users=n_users,
        price=price.name if price else "",
        usd_per_request=float(usd.mean()),
        usd_per_session=float(usd[by_session].sum() / n_sessions) if n_sessions else math.nan,
        usd_per_user_month=float(usd[by_user].sum() / n_users) * MONTH_S / span
        if n_users
        else math.nan,
        branch=branch(requests_above).name,
        warnings=(),
    )
    return dataclasses.replace(found, warnings=tuple(_warnings(found)))


def branch(above_requests_fraction: Mapping[int, float]) -> Branch:
    """Where two newsletters' decision tree leads, by shares of requests above 8K, 32K, 128K.

    One issue draws the line for short traffic at 8K, its sister of the same week at 32K; for
    "significant" traffic above 128K neither says how much, and a tenth of the requests is taken.

    >>> branch({8_000: 0.7, 32_000: 0.6, 128_000: 0.3}).name
    'long'
    """
    over = above_requests_fraction
    if over[8_000] < 0.5:
        return BRANCHES["short"]
    if over[32_000] < 0.5:
        return BRANCHES["medium"]
    return BRANCHES["long" if over[128_000] >= LONG_SHARE else "between"]


def burstiness(arrival_s: NDArray[np.float64]) -> dict[str, float]:
    """How arrivals vary: gaps, counts in windows, and the busiest 5 minutes over the mean.

    >>> burstiness(np.arange(0.0, 6000.0, 0.5))["peak_to_mean"]
    1.0
    """
    arrival_s = _times(arrival_s)
    gaps, five = np.diff(arrival_s), _counts(arrival_s, 300)
    return {
        "gap_scv": _scv(gaps),
        **{f"dispersion_{w}s": dispersion(arrival_s, window_s=w) for w in WINDOWS_S},
        "peak_to_mean": float(five.max() / five.mean()) if five.size > 1 else math.nan,
        "longest_gap_s": float(gaps.max()),
    }


def dispersion(arrival_s: NDArray[np.float64], *, window_s: float) -> float:
    """Index of dispersion: variance over mean of the counts in windows; 1 for a Poisson process.

    NaN with fewer than ten windows.

    >>> dispersion(np.arange(0.0, 601.0, 0.5), window_s=60)
    0.0
    """
    counts = _counts(_times(arrival_s), window_s)
    if counts.size < FEWEST_WINDOWS:
        return math.nan
    return float(counts.var() / counts.mean())


# --- parts -----------------------------------------------------------------------------------


def _times(arrival_s: ArrayLike) -> NDArray[np.float64]:
    return np.atleast_1d(non_negative("arrival_s", arrival_s, finite=True))


def _counts(arrival_s: NDArray[np.float64], window_s: float) -> NDArray[np.int64]:
    """Arrivals in each whole window."""
    since = (arrival_s - arrival_s[0]) / positive("window_s", window_s, finite=True)
    whole = int(since[-1])
    return np.bincount(since[since < whole].astype(np.int64), minlength=whole)


def _scv(values: NDArray[np.float64]) -> float:
    return float(values.var() / values.mean() ** 2)


def _lengths(tokens: NDArray[np.float64]) -> dict[str, float]:
    found = {f"p{q}": float(np.percentile(tokens, q)) for q in QUANTILES}
    return (
        {"mean": float(tokens.mean()), "scv": _scv(tokens)} | found | {"max": float(tokens.max())}
    )


def _correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    if one.std() == 0 or other.std() == 0:
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


def _tick_s(arrival_s: NDArray[np.float64]) -> float:
    """Step of a clock so coarse that many requests share a stamp; 0 where it is fine."""
    gaps = np.diff(arrival_s)
    steps = gaps[gaps > 0]
    if (gaps == 0).mean() < 0.05:
        return 0.0
    step = float(steps.min())
    off = np.abs(steps / step - np.rint(steps / step))
    return step if np.quantile(off, 0.95) < 0.05 else 0.0


def _drift(asked: Requests) -> float:
    tokens = asked.input_tokens + asked.output_tokens
    late = asked.arrival_s - asked.arrival_s[0] > (asked.arrival_s[-1] - asked.arrival_s[0]) / 2
    return float(tokens[late].mean() / tokens[~late].mean())


def _session_bound(asked: Requests) -> float:
    """Share of the input that stood in the session's last prompt or answer, at most."""
    order = np.argsort(asked.session, kind="stable")
    session, prompts = asked.session[order], asked.input_tokens[order]
    before = np.r_[0, (prompts + asked.output_tokens[order])[:-1]]
    again = np.r_[False, session[1:] == session[:-1]] & (session >= 0)
    return float(np.minimum(prompts, before)[again].sum() / prompts.sum())


def _repeated(prefix: NDArray[np.int64]) -> float:
    known = prefix[prefix >= 0]
    return 1 - np.unique(known).size / known.size if known.size else math.nan


def _usd(log: Log, price: Price | None) -> NDArray[np.float64]:
    asked = log.requests
    if price is None:
        return np.full(asked.arrival_s.size, math.nan)
    cached = price.cached_input_usd_per_mtok
    return np.asarray(
        request_usd(
            input_tokens=asked.input_tokens,
            output_tokens=asked.output_tokens,
            input_usd_per_mtok=price.input_usd_per_mtok,
            output_usd_per_mtok=price.output_usd_per_mtok,
            cached_input_usd_per_mtok=price.input_usd_per_mtok if math.isnan(cached) else cached,
            cached_tokens=asked.cached_tokens,
        )
    )


def _warnings(found: Profile) -> list[str]:
    told = []
    if found.n_bad:
        told.append(f"{found.n_bad:,} of {found.n_rows:,} rows were bad and are left out.")
    if found.n_unsorted:
        told.append(f"{found.n_unsorted:,} rows came out of order and were sorted.")
    if found.n_empty:
        told.append(f"{found.n_empty:,} empty prompts or answers count as one token.")
    if found.tick_s:
        told.append(
            f"Stamps are ticks of {found.tick_s:g} s: raw gaps look bursty (SCV "
            f"{found.raw_gap_scv:.3g}) and are not; requests were spread evenly over their tick."
        )
    if found.span_s < 24 * units.SECONDS_PER_HOUR:
        told.append(
            f"The log spans {_duration(found.span_s)}: it shows neither a day nor its peak."
        )
    if found.n_holes:
        told.append(
            f"{found.n_holes:,} gaps are longer than {HOLE_MEANS} mean gaps, up to "
            f"{_duration(found.longest_gap_s)}: few clients that come and go, or a log with holes."
        )
    if found.n_users and found.price and found.span_s < WEEK_S:
        told.append(
            f"Cost per user is {_duration(found.span_s)} stretched to a month; who was seen in it "
            "is not there all month."
        )
    limit = 8_000 if found.branch == "short" else 32_000
    most = found.above_tokens_fraction[limit]
    if found.branch in {"short", "medium"} and most > 0.5:
        told.append(
            f"Most requests are below {limit // 1000}K, but {most:.0%} of input tokens stand in "
            "longer ones: the tree counts requests, a bill counts tokens."
        )
    if found.branch != "long" and found.above_requests_fraction[128_000] >= LONG_SHARE:
        told.append(
            f"{found.above_requests_fraction[128_000]:.0%} of the requests are above 128K: serve "
            "them apart from the rest."
        )
    return told


# --- saying it -------------------------------------------------------------------------------


def plain(found: Profile) -> dict[str, Any]:
    """A profile as JSON can hold it: finite numbers, or null."""
    tree = dataclasses.asdict(BRANCHES[found.branch])
    record = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
    bare: dict[str, Any] = finite(record | {"branch": tree})
    return bare


def finite(value: Any) -> Any:
    """What JSON can hold: lists for tuples, null for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): finite(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def text(found: Profile) -> str:
    """A profile in words and numbers, for a terminal."""
    over, of_tokens = found.above_requests_fraction, found.above_tokens_fraction
    chosen = BRANCHES[found.branch]
    lines = [
        f"{found.name}: {found.n_requests:,} requests in {_duration(found.span_s)}, "
        f"{found.requests_per_s:.3g} a second",
        f"times      {found.clock}",
        "",
        "lengths    "
        + "".join(f"{name:>9}" for name in found.input_tokens if name != "scv")
        + f"{'scv':>7}",
        *(
            f"{name:<11}"
            + "".join(f"{value:>9,.0f}" for key, value in values.items() if key != "scv")
            + f"{values['scv']:>7.2f}"
            for name, values in (("input", found.input_tokens), ("output", found.output_tokens))
        ),
        f"in : out   {found.input_per_output:.3g} : 1, correlation {_or(found.length_correlation)}",
        *(
            f"above {limit // 1000:>3}K {over[limit]:7.2%} of requests, {of_tokens[limit]:.2%} of "
            "input tokens"
            for limit in THRESHOLDS
        ),
        "",
        f"gaps       SCV {found.gap_scv:.3g} (1: Poisson), longest "
        f"{_duration(found.longest_gap_s)}",
        "dispersion "
        + ", ".join(f"{_or(value)} at {window} s" for window, value in found.dispersion.items())
        + " (1: Poisson)",
        f"drift      peak 5 minutes {_or(found.peak_to_mean)} times the mean; a request of the "
        f"second half has {found.drift:.3g} times the tokens",
        "",
        *_reuse(found),
        *_cost(found),
        "",
        f"begin here {chosen.when} ({found.branch}).",
        f"           {chosen.advice} [{chosen.source}]",
        *(f"mind       {warning}" for warning in found.warnings),
    ]
    return "\n".join(line.rstrip() for line in lines)


def _reuse(found: Profile) -> list[str]:
    told = []
    if found.cached_from == "logged":
        told.append(
            f"reuse      {found.cached_fraction:.1%} of input tokens were cached, as logged"
        )
    elif found.cached_from:
        told.append(
            f"reuse      {found.cached_fraction:.1%} of input tokens, by block hashes and a cache "
            "that forgets nothing"
        )
    if found.n_sessions:
        told.append(
            f"sessions   {found.n_sessions:,}; at most {found.session_bound_fraction:.1%} of input "
            "tokens stood in the prompt or answer before"
        )
    if not math.isnan(found.repeated_prefix_fraction):
        told.append(
            f"prefixes   {found.repeated_prefix_fraction:.1%} of requests have one seen before"
        )
    return told or ["reuse      unknown: no session, prefix, cached tokens or block hashes"]


def _cost(found: Profile) -> list[str]:
    if not found.price:
        return []
    told = f"cost       USD {found.usd_per_request:.4g} a request at {found.price}"
    if found.n_sessions:
        told += f", {found.usd_per_session:.4g} a session"
    if found.n_users:
        told += f", {found.usd_per_user_month:,.2f} a month for each of {found.n_users:,} users"
    return [told]


def _or(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.3g}"


def _duration(seconds: float) -> str:
    for size, unit in (
        (units.SECONDS_PER_DAY, "days"),
        (units.SECONDS_PER_HOUR, "hours"),
        (60.0, "minutes"),
    ):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
