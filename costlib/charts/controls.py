"""What a reader can move: one description serves the page's sliders and JupyterLab's widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

__all__ = ["Control", "initial", "params", "slider"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A slider (low, high, step) or a choice (options) for one parameter of a formula.

    The reader sees `value` in `unit`; the formula gets `value * scale` as `parameter`.
    """

    parameter: str
    label: str
    unit: str
    value: float
    low: float = 0.0
    high: float = 0.0
    step: float = 1.0
    options: tuple[float, ...] = ()
    words: tuple[str, ...] = ()  # of the options, where numbers do not say it
    scale: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a start outside the range; the message names the parameter."""
        if self.options and self.value not in self.options:
            raise ValueError(
                f"{self.parameter} must be one of {', '.join(f'{o:g}' for o in self.options)} "
                f"{self.unit}, got {self.value:g}"
            )
        if not self.options and not self.low <= self.value <= self.high:
            raise ValueError(
                f"{self.parameter} must lie between {self.low:g} and {self.high:g} {self.unit}, "
                f"got {self.value:g}"
            )

    @property
    def labels(self) -> list[str]:
        """What the reader sees of the options."""
        return list(self.words) or [f"{option:g} {self.unit}" for option in self.options]

    @property
    def expression(self) -> str:
        """The parameter in base units, as Vega sees it."""
        return self.parameter if self.scale == 1 else f"{self.parameter} * {self.scale!r}"


def slider(
    parameter: str, label: str, unit: str, value: float, ends: tuple[float, float], **more: Any
) -> Control:
    """A slider between two ends, which give way to a value of the reader's own beyond them."""
    low, high = min(ends[0], value), max(ends[1], value)
    return Control(
        parameter=parameter, label=label, unit=unit, value=value, low=low, high=high, **more
    )


def params(controls: Sequence[Control]) -> list[alt.Parameter]:
    """The controls as bound Vega parameters."""
    return [
        alt.param(
            control.parameter,
            value=control.value,
            bind=alt.binding_select(
                options=list(control.options),
                labels=control.labels,
                name=control.label,
            )
            if control.options
            else alt.binding_range(
                min=control.low,
                max=control.high,
                step=control.step,
                name=f"{control.label} ({control.unit})",
            ),
        )
        for control in controls
    ]


def initial(controls: Sequence[Control]) -> Mapping[str, float]:
    """The controls' first values in base units, as arguments of the formula."""
    return {control.parameter: control.value * control.scale for control in controls}
