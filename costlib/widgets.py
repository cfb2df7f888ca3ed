"""Sliders in JupyterLab: the twin of a page's in-browser chart, computed in Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets
import vl_convert

from costlib.charts.controls import Control

__all__ = ["sliders"]

WIDTH_PIXELS = 660
STYLE = {"description_width": "14em"}


def sliders(controls: Sequence[Control], draw: Callable[..., Any], **texts: str) -> ipywidgets.VBox:
    """Widgets for the controls, and under them the chart that `draw` makes of their values.

    Parameters
    ----------
    controls
        What can be moved; each is one argument of `draw`, in base units.
    draw
        A function of the controls' parameters that returns an Altair chart. The message of a
        ValueError that it raises is shown in the chart's place.
    texts
        Arguments of `draw` that the reader types, such as the path of a file, each with what
        its field is called; empty at first.

    Returns
    -------
        The inputs, and the drawing as the last of `children`: an HTML widget with an SVG.
    """
    inputs = {control.parameter: _input(control) for control in controls}
    scales = {control.parameter: control.scale for control in controls}
    typed = {name: _field(words) for name, words in texts.items()}
    drawing = ipywidgets.HTML()

    def redraw(_: object = None) -> None:
        values = {name: float(widget.value) * scales[name] for name, widget in inputs.items()}
        words = {name: widget.value.strip() for name, widget in typed.items()}
        try:
            drawing.value = _svg(draw(**words, **values))
        except ValueError as why:
            drawing.value = f"<p>{escape(str(why))}</p>"

    for widget in (*typed.values(), *inputs.values()):
        widget.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([*typed.values(), *inputs.values(), drawing])


def _svg(chart: Any) -> str:
    """The chart as a picture, so that a widget needs neither script nor network to show it."""
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict() | {"width": WIDTH_PIXELS})
    # Labels are measured in another font than the browser's, and may be a little wider.
    return svg.replace("<svg ", '<svg style="overflow: visible" ', 1)


def _field(words: str) -> ipywidgets.Widget:
    return ipywidgets.Text(
        description=words, continuous_update=False, style=STYLE, layout={"width": "40em"}
    )


def _input(control: Control) -> ipywidgets.Widget:
    style, layout = STYLE, {"width": "40em"}
    description = f"{control.label} ({control.unit})" if control.unit else control.label
    if control.options:
        return ipywidgets.Dropdown(
            options=list(
                zip(
                    control.words or map("{:g}".format, control.options),
                    control.options,
                    strict=True,
                )
            ),
            value=control.value,
            description=description,
            style=style,
            layout=layout,
        )
    return ipywidgets.FloatSlider(
        value=control.value,
        min=control.low,
        max=control.high,
        step=control.step,
        readout_format=".2f" if control.step < 1 else ".0f",
        description=description,
        continuous_update=False,
        style=style,
        layout=layout,
    )
