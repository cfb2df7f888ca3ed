"""The data of a chart as CSV: what its marks show, under headers that carry the units."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["columns", "text"]

Unit = tuple[str, Any, Mapping[str, Any]]


def _units(
    node: Mapping[str, Any], data: Any = None, outer: Mapping[str, Any] | None = None
) -> Iterator[Unit]:
    """Mark, data and encoding of every layer, with what a layer inherits."""
    data = node.get("data", data)
    encoding = {**(outer or {}), **node.get("encoding", {})}
    if "mark" in node:
        mark = node["mark"]
        yield (mark if isinstance(mark, str) else mark["type"]), data, encoding
    for child in node.get("layer", ()):
        yield from _units(child, data, encoding)


def _shown(spec: Mapping[str, Any]) -> list[Unit]:
    """The layers whose data some mark shows; data of labels alone are places, not numbers."""
    units = list(_units(spec))
    drawn = [data for mark, data, _ in units if mark != "text"]
    return [unit for unit in units if unit[1] in drawn]


def columns(spec: Mapping[str, Any]) -> dict[str, str]:
    """Header of every field that a chart's marks show: its name, and its axis with the unit.

    >>> x, y = {"field": "load", "title": "Server busy (%)"}, {"field": "value"}
    >>> columns({"mark": "rule", "data": {"name": "a"}, "encoding": {"x": x, "y": y}})
    {'load': 'load [Server busy (%)]', 'value': 'value'}
    """
    units = _shown(spec)
    titles: dict[str, str] = {}  # of the axes, which layers share
    for _, _, encoding in units:
        for channel, one in encoding.items():
            if isinstance(one, Mapping) and one.get("title"):
                titles.setdefault(channel, one["title"])
    headers: dict[str, str] = {}
    for _, _, encoding in units:
        for channel, one in encoding.items():
            if not isinstance(one, Mapping) or "field" not in one:
                continue
            field = one["field"]
            title = one.get("title") or titles.get(channel.removesuffix("2"), "")
            plain = re.sub(r", logarithmic|\s*\(logarithmic\)", "", title)
            if plain or field not in headers:
                headers[field] = f"{field} [{plain}]" if plain else field
    return headers


def text(spec: Mapping[str, Any]) -> str:
    """The rows of a chart that computes nothing by itself; empty cells where layers differ.

    A text that a spreadsheet would take for a formula gets an apostrophe.
    """
    headers = columns(spec)
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for _, data, _ in _shown(spec):
        held = data.get("values") or spec.get("datasets", {}).get(data.get("name"), [])
        rows.setdefault(json.dumps(data, sort_keys=True), held)
    every = [row for held in rows.values() for row in held]
    fields = [field for field in headers if any(field in row for row in every)]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_cell(headers[field]) for field in fields])
    writer.writerows([_cell(row.get(field)) for field in fields] for row in every)
    return "\ufeff" + out.getvalue()


def _cell(value: Any) -> Any:
    return re.sub(r"^(?=[=+\-@\t\r])", "'", value) if isinstance(value, str) else value
