"""A plan in words for a terminal of 100 columns, and as JSON can hold it."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Mapping
from typing import Any, Final

from costlib import units
from costlib.choices import Change, Choice, Plan
from costlib.profile import finite
from costlib.scenario import Scenario

__all__ = ["plain", "text"]

COLUMNS: Final = 100
ROWS: Final = 10  # of the frontier
MOST_DIGITS: Final = 1e9  # above it three digits and a power


def plain(found: Plan) -> dict[str, Any]:
    """A plan as JSON can hold it: finite numbers, or null where none is known."""
    winner = found.winner
    record = {
        "name": found.scenario.name,
        "ways": found.scenario.ways,
        "asked": {
            "requests_per_day": found.asked.requests_per_s * units.SECONDS_PER_DAY,
            "input_tokens": found.asked.mean_tokens[0],
            "output_tokens": found.asked.mean_tokens[1],
            "peak_times": found.asked.peak_times,
            "reused_fraction": found.asked.reused_fraction,
        },
        "promises": found.scenario.promises.model_dump(),
        "n_combinations": found.n_combinations,
        "n_exact": found.n_exact,
        "dropped": found.dropped,
        "winner": winner.way if winner else None,
        "cheapest": {way: _fields(one) for way, one in found.cheapest.items()},
        "runner_up": _fields(found.runner_up) if found.runner_up else None,
        "change": dataclasses.asdict(found.change) if found.change else None,
        "frontier": found.frontier.to_dict("records"),
        "notes": found.notes,
    }
    bare: dict[str, Any] = finite(record)
    return bare


def _fields(one: Choice) -> dict[str, Any]:
    record = dataclasses.asdict(one)
    names = ("what", "value", "unit")
    record["steps"] = [dict(zip(names, step, strict=True)) for step in one.steps]
    record["sides"] = [_fields(side) for side in one.sides]
    return record


def text(found: Plan) -> str:
    """A plan in words and numbers, for a terminal."""
    lines = [found.scenario.name, *_asked(found), "", *_tried(found), ""]
    winner = found.winner
    if winner is None:
        return "\n".join([*lines, *_wrapped("No candidate keeps the promises.", "")])
    lines += _table("cheapest", list(found.cheapest.values()), found.scenario)
    lines += ["", *_steps(winner)]
    held = next((one for one in found.cheapest.values() if one.accelerator), winner)
    if held is not winner:
        lines += ["", *_steps(held)]
    if found.runner_up and found.change:
        lines += ["", *_runner_up(found.runner_up, found.change, winner)]
    if len(found.frontier) > 1:
        rows = [Choice(**_filled(row)) for row in found.frontier.head(ROWS).to_dict("records")]
        more = len(found.frontier) - len(rows)
        lines += ["", *_table("frontier", rows, found.scenario)]
        lines += [f"  and {more} dearer ones (--json)"] if more else []
    if found.notes:
        lines.append("")
    for note in found.notes:
        lines += _wrapped(note, "mind  ")
    return "\n".join(line.rstrip() for line in lines)


def _filled(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "carbon_kg": math.nan,
        "carbon_usd": 0.0,
        "quality": math.nan,
        "steps": (),
        "sides": (),
        **{str(name): value for name, value in row.items()},
    }


def _wrapped(words: str, first: str) -> list[str]:
    return textwrap.wrap(words, COLUMNS, initial_indent=first, subsequent_indent=" " * len(first))


def _asked(found: Plan) -> list[str]:
    asked, promised = found.asked, found.scenario.promises
    prompt, answer = asked.mean_tokens
    day = asked.requests_per_s * units.SECONDS_PER_DAY
    words = (
        f"{_number(day)} requests a day, {_number(prompt)} tokens in and {_number(answer)} out on "
        f"average, the busiest hour {asked.peak_times:.3g} times the mean"
    )
    if asked.reused_fraction:
        words += f", {100 * asked.reused_fraction:.0f} % of a prompt found again"
    kept = [
        f"the first token within {promised.ttft_p95_s:g} s" if promised.ttft_p95_s else "",
        f"{units.MS_PER_S * promised.tpot_p95_s:g} ms a token" if promised.tpot_p95_s else "",
    ]
    told = " and ".join(one for one in kept if one)
    more = [f"promised to 95 % in the busiest hour: {told}"] if told else ["no time is promised"]
    more += ["exact recall"] if promised.exact_recall else []
    if promised.least_quality is not None:
        more.append(f"quality {promised.least_quality:g} at least")
    lines = _wrapped(words, "asked     ") + _wrapped("; ".join(more), "          ")
    months = f"prices as a mean over {found.scenario.horizon_months:g} months"
    return [*lines, f"          {months}"]


def _tried(found: Plan) -> list[str]:
    words = f"{found.n_combinations:,} combinations tried"
    if found.dropped:
        reasons = ", ".join(f"{name} {n:,}" for name, n in found.dropped.items())
        words += f"; {sum(found.dropped.values()):,} dropped: {reasons}"
    if found.n_exact:
        words += f". The best {found.n_exact} were computed with their queues"
    return _wrapped(words + ".", "tried     ")


def _words(one: Choice) -> str:
    if one.sides:
        machines = [f"; {_words(side)}" for side in one.sides if side.accelerator]
        return f"{one.way}, {one.name}" + "".join(machines)
    if not one.accelerator:
        return f"{one.way}, {one.name}"
    bits = "" if math.isnan(one.cache_bits) else f", cache {one.cache_bits:g} bits"
    experts = ", experts dealt out" if one.layout == "experts" else ""
    reuse = ", prefixes kept" if one.prefix_reuse else ""
    return f"{one.way} {one.full_name}, {one.model} in {one.weight_format}{bits}{experts}{reuse}"


def _table(title: str, rows: list[Choice], scenario: Scenario) -> list[str]:
    """Choices as rows; a column that says nothing is left out."""
    heads = [title, "USD a month", "80 %", "first token", "a token"]
    heads += ["CO2 kg"] if scenario.carbon else []
    heads += ["quality"] if scenario.rated else []
    body = []
    for one in rows:
        cells = [
            one.way,
            _usd(one.monthly_usd),
            "–".join(dict.fromkeys(map(_usd, (one.low_usd, one.high_usd))))
            if _held(one)
            else "list",
            _seconds(one.ttft_p95_s),
            _seconds(one.tpot_p95_s),
        ]
        cells += [_number(one.carbon_kg)] if scenario.carbon else []
        cells += [_number(one.quality)] if scenario.rated else []
        body.append(cells)
    widths = [max(map(len, column)) for column in zip(heads, *body, strict=True)]
    lines = []
    for cells in (heads, *body):
        first, *others = zip(cells, widths, strict=True)
        padded = [f"{first[0]:<{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]
        lines.append("  ".join(padded))
    indent = " " * (widths[0] + 2)
    told = [lines[0]]
    for line, one in zip(lines[1:], rows, strict=True):
        told += [line, *_wrapped(_words(one).removeprefix(f"{one.way} "), indent)]
    return told


def _held(one: Choice) -> bool:
    """Whether it holds machines, or a side of it does."""
    return not math.isnan(one.n_held)


def _steps(one: Choice) -> list[str]:
    """From bytes to dollars."""
    lines = _wrapped(_words(one), "reckoned  ")
    for what, value, unit in one.steps:
        shown = _usd(value) if unit == "USD" else _number(value)
        lines.append(f"          {what:<40}{shown:>12} {unit}")
    return lines


def _runner_up(one: Choice, change: Change, winner: Choice) -> list[str]:
    words = (
        f"{_words(one)}: {_usd(one.monthly_usd)} USD a month, "
        f"{one.monthly_usd / winner.monthly_usd:.3g} times the winner. It would win "
    )
    if math.isnan(change.price_even):
        words += f"at no {change.price}"
    else:
        now, even = _usd(change.price_now), _usd(change.price_even)
        words += f"if the {change.price} fell from {now} to {even} {change.unit}"
    if math.isnan(change.requests_per_day):
        words += ", and at no volume from a thousandth to a thousand times of today’s."
    else:
        side = "above" if change.grows else "below"
        words += f", or {side} {_rounded(change.requests_per_day)} requests a day"
        words += "." if change.stays else ", though not at every such volume."
    return _wrapped(words, "runner-up ")


def _usd(value: float) -> str:
    if value < 1 or value >= MOST_DIGITS:
        return f"{value:.3g}"
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def _rounded(value: float) -> str:
    """Three digits."""
    return _number(float(f"{value:.3g}"))


def _seconds(value: float) -> str:
    if math.isnan(value):
        return "not stated"
    if value < 1:
        return f"{units.MS_PER_S * value:.3g} ms"
    return f"{value:,.3g} s" if value < 1000 else f"{value:,.0f} s"


def _number(value: float) -> str:
    """Three digits, and all of them above a hundred."""
    if not math.isfinite(value):
        return "unknown"
    if value >= MOST_DIGITS:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
