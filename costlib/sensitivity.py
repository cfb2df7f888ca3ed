"""What moves a bill: draws over stated ranges, their spread, and the share of it that each takes.

`costlib.study.one_at_a_time` moves one parameter; here all move at once. A formula takes arrays
and returns one; `bills` makes such formulas of a plan.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from costlib import _checks, ownership, screening, units
from costlib.choices import Choice, Plan
from costlib.screening import Holding

__all__ = ["bills", "drawn", "shares", "spread"]

Arrays = NDArray[np.float64]
Formula = Callable[..., Any]
Ranges = Mapping[str, tuple[float, float]]

QUANTILES: Final = (0.1, 0.5, 0.9)


def _law(name: str, ends: tuple[float, float], log: Collection[str]) -> Any:
    """Uniform between two ends, on a log scale where that is wanted."""
    low, high = ends
    if not (np.isfinite(ends).all() and low < high and (low > 0 or name not in log)):
        least = "above 0 " if name in log else ""
        raise ValueError(f"{name}: expected a range from low {least}to high, got {low!r}, {high!r}")
    return stats.loguniform(low, high) if name in log else stats.uniform(low, high - low)


def _laws(base: Mapping[str, Any], ranges: Ranges, log: Collection[str]) -> dict[str, Any]:
    if stray := sorted({*ranges, *log} - set(base)):
        raise ValueError(f"{stray[0]} has a range but no base value")
    if not ranges:
        raise ValueError("ranges: expected at least one parameter with a range")
    return {name: _law(name, ends, log) for name, ends in ranges.items()}


def drawn(
    formula: Formula,
    base: Mapping[str, Any],
    ranges: Ranges,
    *,
    log: Collection[str] = (),
    n_draws: int = 4096,
    seed: int = 0,
) -> pd.DataFrame:
    """Draw every parameter from its range, all at once, and evaluate the formula in one call.

    Parameters
    ----------
    formula
        A function of arrays.
    base
        Every argument of the formula.
    ranges
        Parameter: (low, high), uniform between them and apart from each other.
    log
        Parameters that are uniform on a log scale.
    n_draws, seed
        Points of a scrambled Sobol sequence, which fills the space evenly.

    Returns
    -------
        A row per draw: the parameters that move, and `result`.

    Raises
    ------
    ValueError
        If a range has no base value or no width.

    Examples
    --------
    >>> found = drawn(lambda a, b: a * b, {"a": 1, "b": 2}, {"a": (0, 1)}, n_draws=1024)
    >>> round(found.result.mean(), 3)
    np.float64(1.0)
    """
    laws = _laws(base, ranges, log)
    n_draws = _checks.count("n_draws", n_draws)
    sequence = stats.qmc.Sobol(len(laws), rng=_checks.generator(seed))
    points = sequence.random_base2(int(np.ceil(np.log2(n_draws))))
    columns = {
        name: law.ppf(points[:n_draws, place]) for place, (name, law) in enumerate(laws.items())
    }
    result = np.broadcast_to(np.asarray(formula(**{**base, **columns}), float), (n_draws,))
    return pd.DataFrame({**columns, "result": result})


def spread(draws: pd.DataFrame) -> dict[str, float]:
    """Quantiles of what was drawn, how much of it is finite, and 90 % over 10 %.

    >>> spread(pd.DataFrame({"result": [1.0, 2.0, 3.0, np.inf]}))["finite_fraction"]
    0.75
    """
    result = draws["result"].to_numpy()
    finite = result[np.isfinite(result)]
    found = {
        f"p{100 * q:.0f}": float(np.quantile(finite, q)) if finite.size else np.nan
        for q in QUANTILES
    }
    found["finite_fraction"] = finite.size / result.size
    return found | {"times": found["p90"] / found["p10"]}


def shares(
    formula: Formula,
    base: Mapping[str, Any],
    ranges: Ranges,
    *,
    log: Collection[str] = (),
    n_draws: int = 4096,
    seed: int = 0,
) -> pd.DataFrame:
    """Share of the variance of a result that each parameter takes: Sobol's indices.

    Parameters
    ----------
    formula, base, ranges, log
        As in `drawn`; the result must be finite everywhere.
    n_draws, seed
        Points per matrix, a power of 2.

    Returns
    -------
        Per parameter `first`, what it takes alone, and `total`, with all that it does together
        with others; the largest total first.

    Raises
    ------
    ValueError
        If a range is wrong, `n_draws` is no power of 2, or a result is not finite.

    Examples
    --------
    Of a sum the wider term takes the more, as the square of its width:

    >>> found = shares(lambda a, b: a + b, {"a": 0, "b": 0}, {"a": (0, 1), "b": (0, 3)})
    >>> found.parameter.tolist(), found.total.round(2).tolist()
    (['b', 'a'], [0.9, 0.1])
    >>> shares(lambda a: a, {"a": 0}, {"a": (0, 1)}).total.tolist()
    [1.0]
    """
    laws = _laws(base, ranges, log)
    _checks.power_of_2("n_draws", n_draws)
    random = _checks.generator(seed)
    if len(laws) == 1:  # alone it takes all; scipy asks for two
        return pd.DataFrame({"parameter": list(laws), "first": 1.0, "total": 1.0})

    def evaluated(points: Arrays) -> Arrays:
        moved = dict(zip(laws, points, strict=True))
        result = np.asarray(formula(**{**base, **moved}), float)
        if not np.isfinite(result).all():
            raise ValueError(
                f"shares need a finite result everywhere, got {(~np.isfinite(result)).sum()} "
                f"of {result.size} that are not"
            )
        return np.array(np.broadcast_to(result, points.shape[1:]))  # scipy writes into it

    found = stats.sobol_indices(func=evaluated, n=n_draws, dists=list(laws.values()), rng=random)
    table = pd.DataFrame(
        {
            "parameter": list(laws),
            "first": found.first_order,
            "total": found.total_order,
        }
    )
    return table.sort_values("total", ascending=False, kind="stable", ignore_index=True)


# --- the bills of a plan ----------------------------------------------------------------------


def bills(found: Plan) -> dict[str, tuple[Formula, dict[str, float]]]:
    """USD a month of the cheapest choice of each way, as a formula with its base values.

    Parameters
    ----------
    found
        A plan.

    Returns
    -------
        By way a formula of arrays and its arguments: `requests_per_day` and `price_times` (the
        price of a request, a rent or a machine over today's; of a router the price on which most
        is spent); for machines `peak_times` and `speed_times` (what a replica truly makes over
        what is predicted); for owned ones `electricity_usd_per_kwh` and `pue`. A carbon price is
        left out.
    """
    day = found.asked.requests_per_s * units.SECONDS_PER_DAY
    held = screening.holdings(found.scenario, found.asked)

    def billed(one: Choice) -> tuple[Formula, dict[str, float]]:
        base = {"requests_per_day": day, "price_times": 1.0}
        if one.sides:
            sides = [(side, *billed(side)) for side in one.sides]
            return _routed(one, sides), {k: v for *_, its in sides for k, v in its.items()}
        if not one.accelerator:
            return _bought(one), base
        holding = held[one.way, one.accelerator]
        base |= {"peak_times": holding.peak_times, "speed_times": 1.0}
        if holding.machine is not None:
            base["electricity_usd_per_kwh"] = holding.machine.electricity_usd_per_kwh
            base["pue"] = holding.machine.pue
        return _held(one, holding), base

    return {way: billed(one) for way, one in found.cheapest.items()}


def _bought(one: Choice) -> Formula:
    days = units.HOURS_PER_MONTH / units.HOURS_PER_DAY

    def monthly_usd(requests_per_day: Any, price_times: Any) -> Any:
        return one.usd_per_request * price_times * requests_per_day * days

    return monthly_usd


def _routed(one: Choice, sides: list[tuple[Choice, Formula, dict[str, float]]]) -> Formula:
    """Both sides with their parts of the requests; the price that moves is the dear one's."""
    everything = one.monthly_usd / one.usd_per_request
    fee_usd = (one.monthly_usd - sum(side.monthly_usd for side in one.sides)) / everything
    days = units.HOURS_PER_MONTH / units.HOURS_PER_DAY

    def monthly_usd(**given: Any) -> Any:
        total = fee_usd * given["requests_per_day"] * days
        for side, formula, base in sides:
            part = side.monthly_usd / side.usd_per_request / everything
            mine = {name: given[name] for name in base}
            mine["requests_per_day"] = part * given["requests_per_day"]
            if side is not one.dear_side:
                mine["price_times"] = 1.0
            total = total + formula(**mine)
        return total

    return monthly_usd


def _held(one: Choice, holding: Holding) -> Formula:
    hour, dearer = holding.hour_usd(1.0), holding.hour_usd(2.0) - holding.hour_usd(1.0)

    def monthly_usd(
        requests_per_day: Any,
        price_times: Any,
        peak_times: Any,
        speed_times: Any,
        electricity_usd_per_kwh: Any = None,
        pue: Any = None,
    ) -> Any:
        each = hour + dearer * (price_times - 1.0)  # the price of a machine moves a part of it
        if holding.machine is not None and pue is not None:
            energy = float(ownership.hour(holding.machine)["energy"])
            level = holding.machine.pue * holding.machine.electricity_usd_per_kwh
            drawn = energy / level if level else 0.0
            each = each + drawn * (pue * electricity_usd_per_kwh - level)
        _, n = dataclasses.replace(holding, peak_times=peak_times).n_held(
            requests_per_day / units.SECONDS_PER_DAY,
            most_per_s=one.most_requests_per_s * speed_times,
            n_accelerators=one.n_accelerators,
        )
        return n * each * units.HOURS_PER_MONTH

    return monthly_usd
