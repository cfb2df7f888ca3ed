"""What a notebook needs to become a page: sentences with numbers, boxes, tables, charts.

Every helper returns an object whose output is identical on every run, reads well in
JupyterLab, and is compared by strict nbval. `ChartRenderer` is the other half: at build it turns
a chart's spec into a figure with two static drawings, one for phones.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from costlib import _checks
from costlib._words import scientific, typeset
from costlib.charts import sheet
from costlib.charts.theme import ARGUMENT, FONT, VERDICT

__all__ = [
    "Box",
    "Chip",
    "Table",
    "answer",
    "box",
    "check",
    "chip",
    "enable",
    "fold",
    "own_file",
    "prose",
    "say",
    "verdicts",
]

WORDS: Final = {**VERDICT, **ARGUMENT}  # of a claim and of an argument

MOST: Final = 1e30  # of a parameter of a chapter; more is a slip
SHOWN_CHARS: Final = 200  # of one that is refused

MIME: Final = "application/vnd.vegalite.v5+json"
WIDE_PIXELS, PHONE_PIXELS, PHONE_HEIGHT = 660, 340, 300
WIDEST_FONT = "DejaVu Sans"  # of those that a reader may have: labels get the room that it takes

# JupyterLab typesets dollars in HTML and Markdown outputs; this class keeps prices as text.
NO_MATH: Final = "mathjax_ignore tex2jax_ignore"

LAB_STYLE: Final = """<style>
.jp-RenderedHTMLCommon .admonition{border-left:4px solid #77828f;padding:.25em 1em;margin:.5em 0}
.jp-RenderedHTMLCommon .admonition-title{font-weight:600;margin:.25em 0}
.jp-RenderedHTMLCommon table.book th,.jp-RenderedHTMLCommon table.book td{text-align:left}
.jp-RenderedHTMLCommon table.book .num{text-align:right}
.jp-RenderedHTMLCommon .unit{display:block;font-weight:normal;opacity:.7}
.jp-RenderedHTMLCommon .table-title{font-weight:600;margin:.5em 0}
</style>"""


class _Html:
    """An output with an HTML face and a plain one."""

    def __init__(self, markup: str, plain: str) -> None:
        self._markup, self._plain = markup, plain

    def _repr_html_(self) -> str:
        return self._markup

    def __repr__(self) -> str:
        return self._plain


class Markdown:
    """A Markdown output; JupyterLab and the book both draw it as prose."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_markdown_(self) -> str:
        # The span keeps JupyterLab from reading what lies between two prices as mathematics.
        return html.escape(self._text, quote=False).replace("$", r"<span>\$</span>")

    def __repr__(self) -> str:
        return self._text


def enable() -> _Html:
    """Draw charts as bare Vega-Lite specs, and style boxes and tables in JupyterLab."""
    import altair as alt

    def bare(spec: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {
            MIME: {key: value for key, value in spec.items() if key != "$schema"},  # any 5 or 6
            "text/plain": f"<Vega-Lite chart: {spec.get('description', 'no description')}>",
        }

    alt.renderers.register("costlib", bare)
    alt.renderers.enable("costlib")
    return _Html(LAB_STYLE, "charts and boxes are ready")


def check(rule: str, **parameters: Any) -> None:
    """Refuse parameters of a chapter that make no sense, by their names.

    Parameters
    ----------
    rule
        "positive", "non_negative" or "fraction".
    parameters
        Name and value of each.

    Raises
    ------
    ValueError
        If a value breaks the rule, is infinite or no number; the message names the parameter.

    Examples
    --------
    >>> check("positive", rent_usd_per_h=-1)
    Traceback (most recent call last):
    ValueError: rent_usd_per_h must be positive, got -1.0
    """
    for name, value in parameters.items():
        given = getattr(_checks, rule)(name, value)
        if not np.all(np.abs(given) <= MOST):
            raise ValueError(f"{name} must be at most {MOST:g}, got {float(np.max(given))!r}")


def own_file(**paths: Any) -> Path:
    """File that a parameter of a chapter names, as seen from here or from the folder above.

    Raises
    ------
    ValueError
        If there is no such file; the message names the parameter.

    Examples
    --------
    >>> own_file(scenario_path="nowhere.yml")
    Traceback (most recent call last):
    ValueError: scenario_path: expected the path of a file, got 'nowhere.yml'
    """
    ((name, path),) = paths.items()
    try:
        return next(place for place in (Path(path), Path("..") / path) if place.is_file())
    except (TypeError, OSError, StopIteration):  # no path at all, one too long, one to nothing
        given = repr(path)[:SHOWN_CHARS]
        raise ValueError(f"{name}: expected the path of a file, got {given}") from None


def prose(template: str, **values: Any) -> str:
    """Fill a template as `str.format` does; a value that is missing, infinite or NaN is refused.

    >>> prose("{n:,.0f} users pay ${usd:.2f}", n=1950.0, usd=0.0102)
    '1,950 users pay $0.01'
    """
    for name, value in values.items():
        if isinstance(value, float | np.floating) and not np.isfinite(value):
            raise ValueError(f"{name} is {value}; say in words what that means")
    return typeset(template.format_map(values))


def say(template: str, **values: Any) -> Markdown:
    """Markdown with computed numbers: `say("{users:,.0f} users", users=...)`.

    Every `$` is a price, never mathematics.
    """
    return Markdown(prose(template, **values))


class Box(_Html):
    """A titled box of the book."""


KINDS: Final = {
    "answer": "In short",
    "source": "The source says",
    "assumption": "Assumed, and not said by the source",
    "ours": "We compute",
    "leaves-out": "Not in this model",
}


def box(kind: str, lines: str | Sequence[str], title: str | None = None, **values: Any) -> Box:
    """A box of one of the book's kinds; a sequence of lines becomes a list.

    Lines are templates as in `say`; `**bold**` and `[words](address)` are understood.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    heading = title or KINDS[kind]
    texts = [prose(line, **values) for line in ([lines] if isinstance(lines, str) else lines)]
    if isinstance(lines, str):
        body = f"<p>{_inline(texts[0])}</p>"
    else:
        tag = "ol" if kind == "answer" else "ul"
        body = f"<{tag}>{''.join(f'<li>{_inline(text)}</li>' for text in texts)}</{tag}>"
    markup = (
        f'<div class="admonition {kind} {NO_MATH}"><p class="admonition-title">'
        f"{html.escape(heading)}</p>{body}</div>"
    )
    return Box(markup, "\n".join([heading, *texts]))


def answer(*lines: str, **values: Any) -> Box:
    """The answer of a chapter in three lines, each opening with its number in bold."""
    if len(lines) != 3 or not all(line.startswith("**") for line in lines):
        raise ValueError("an answer has three lines, each opening with its number in **bold**")
    return box("answer", lines, **values)


def fold(question: str, solution: str, **values: Any) -> Box:
    """An exercise whose answer folds open."""
    asked, solved = prose(question, **values), prose(solution, **values)
    markup = (
        f'<div class="exercise {NO_MATH}"><p>{_inline(asked)}</p>'
        f"<details><summary>Answer</summary><p>{_inline(solved)}</p></details></div>"
    )
    return Box(markup, f"{asked}\nAnswer: {solved}")


@dataclass(frozen=True, slots=True)
class Chip:
    """A verdict: the word with a shape on the page, and what it hangs on."""

    verdict: str
    because: str = ""

    def __str__(self) -> str:
        return f"{self.verdict}: {self.because}" if self.because else self.verdict


def chip(verdict: str, because: str = "") -> Chip:
    """A verdict as a table cell; the word must be one of the ledger's."""
    if verdict not in WORDS:
        raise ValueError(f"verdict must be one of {', '.join(WORDS)}, got {verdict!r}")
    return Chip(verdict, because)


def verdicts(found: pd.DataFrame, title: str) -> Table:
    """The table of a chapter's claims: what `claims.compare` found, in the book's words."""
    rows = pd.DataFrame(
        {
            "statement": found["statement"],
            "printed": [
                _with_unit(*cell) for cell in zip(found["printed"], found["unit"], strict=True)
            ],
            "ours": [_with_unit(*cell) for cell in zip(found["ours"], found["unit"], strict=True)],
            "verdict": [
                chip(*cell) for cell in zip(found["verdict"], found["because"], strict=True)
            ],
        }
    )
    columns: dict[str, tuple[str, ...]] = {
        "statement": ("Claim", ""),
        "printed": ("Source", "", "s"),
        "ours": ("Ours", "", "s"),
        "verdict": ("Verdict, and what it hangs on", ""),
    }
    return Table(rows, columns, title=title)


DOLLARS: Final = {"USD": "", "USD/Mtok": "", "USD/h": " an hour"}
COUNTED: Final = {"GPUs", "bits", "chips", "hours", "minutes", "months", "tokens"}
SIGNS: Final = {"us": "µs"}


def _with_unit(number: str, unit: str) -> str:
    r"""A printed value with its unit: dollars in front, one of a kind without an s.

    >>> _with_unit("above 50", "USD"), _with_unit("1", "GPUs"), _with_unit("2-4", "")
    ('above $50', '1\xa0GPU', '2–4')
    """
    before, space, digits = number.rpartition(" ")
    if not re.match(r"[−-]?\d", digits):
        return number
    shown = re.sub(r"(?<=\d)-(?=\d)", "–", digits)
    if power := re.fullmatch(r"([\d.]+)e[+-]?\d+", digits):
        shown = scientific(float(digits), len(power[1].replace(".", "")))
    if unit in DOLLARS:
        return f"{before}{space}${shown}{DOLLARS[unit]}"
    if unit in {"", "users"}:
        return f"{before}{space}{shown}"
    named = unit.removesuffix("s") if shown == "1" and unit in COUNTED else SIGNS.get(unit, unit)
    return f"{before}{space}{shown}\u00a0{named}"


class Table(_Html):
    """A table of the book: text left, numbers right, units under the headers.

    Parameters
    ----------
    rows
        A frame with one column per entry of `columns`; cells are texts, chips or numbers.
    columns
        Column name: (header, unit, format of numbers). Without a format the column is text.
    title
        What the table shows.
    ids
        Name of each row that a link may lead to; none by default.
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        columns: Mapping[str, tuple[str, ...]],
        title: str,
        ids: Sequence[str] = (),
    ) -> None:
        if missing := [name for name in columns if name not in rows]:
            raise ValueError(f"the frame lacks the column {', '.join(missing)}")
        kinds = ["num" if len(column) == 3 else "text" for column in columns.values()]
        head = "".join(
            f'<th scope="col" class="{kind}">{html.escape(column[0])}'
            + (f'<span class="unit">{html.escape(column[1])}</span>' if column[1] else "")
            + "</th>"
            for kind, column in zip(kinds, columns.values(), strict=True)
        )
        cells = [
            [
                _cell(value, column[2] if len(column) == 3 else "")
                for value, column in zip(record, columns.values(), strict=True)
            ]
            for record in rows[list(columns)].itertuples(index=False, name=None)
        ]
        names = [f' id="{html.escape(name)}"' for name in ids] or [""] * len(cells)
        body = "".join(
            f"<tr{name}>"
            + "".join(
                f'<th scope="row" class="{kind}">{shown}</th>'
                if position == 0
                else f'<td class="{kind}">{shown}</td>'
                for position, (kind, (shown, _)) in enumerate(zip(kinds, record, strict=True))
            )
            + "</tr>"
            for name, record in zip(names, cells, strict=True)
        )
        title = typeset(title)
        label = f"table-{hashlib.sha256(title.encode()).hexdigest()[:8]}"
        markup = (
            f'<p class="table-title" id="{label}">{html.escape(title)}</p>'
            f'<div class="table-scroll {NO_MATH}" tabindex="0" role="region" '
            f'aria-labelledby="{label}"><table class="book" aria-labelledby="{label}">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )
        lines = [" | ".join(plain for _, plain in record) for record in cells]
        super().__init__(markup, "\n".join([title, *lines]))


def _cell(value: Any, number_format: str) -> tuple[str, str]:
    """One cell as HTML and as text."""
    if isinstance(value, Chip):
        shape, because = WORDS[value.verdict][1], _inline(typeset(value.because))
        word = f'<span class="verdict {shape}">{value.verdict}</span>'
        return f'{word}<span class="because">{because}</span>' if because else word, str(value)
    if isinstance(value, str) or not number_format:
        text = "—" if value is None or value != value else typeset(str(value))
        return _inline(text), text
    if value is None or not np.isfinite(value):
        return "—", "—"
    text = typeset(format(value, number_format))
    return html.escape(text), text


def _inline(text: str) -> str:
    """Escape a line, then read `**bold**`, `[words](address)` and prices."""
    safe = html.escape(text, quote=False)
    safe = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe)
    # No colon but that of http: a name from a reader's file is no script.
    return re.sub(r"\[([^]]+)\]\(((?:https?:)?[^):\"\s]+)\)", r'<a href="\2">\1</a>', safe)


# --- the book's side ------------------------------------------------------------------------


class ChartRenderer:
    """MyST-NB plugin: a Vega-Lite output becomes a figure that needs no script to be seen."""

    mime_priority_overrides: Iterable[tuple[str, str, int]] = [("html", MIME, 5)]

    @staticmethod
    def handle_mime(renderer: Any, data: Any, inline: bool) -> list[Any] | None:
        """Return the figure's node, or None for what is not ours."""
        from docutils import nodes

        if inline or data.mime_type != MIME:
            return None
        spec = data.content if isinstance(data.content, dict) else json.loads(data.content)
        live = any("bind" in parameter for parameter in spec.get("params", []))
        if live:
            renderer.add_js_file("charts", "charts.js", {"defer": "defer"})
        told = {} if live else {"csv": sheet.text(spec)}  # the page makes a file of it
        return [nodes.raw(text=figure(spec, live=live), format="html", **told)]


def figure(spec: Mapping[str, Any], *, live: bool) -> str:
    """A chart as HTML: title and note as text, a wide and a phone drawing, the spec if live."""
    bare = dict(spec)
    title = bare.pop("title", {})
    heading, subtitle = (
        (title, "") if isinstance(title, str) else (title.get("text"), title.get("subtitle", ""))
    )
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"))
    label = f"chart-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    note = spec.get("usermeta", {}).get("note", "")
    parts = [
        f'<figure class="chart" id="{label}" aria-labelledby="{label}-t"><figcaption>',
        f'<p class="chart-title" id="{label}-t">{html.escape(str(heading))}</p>',
        f'<p class="chart-sub">{html.escape(str(subtitle))}</p></figcaption>',
        f'<p class="sr-only">{html.escape(str(spec.get("description", "")))}</p>',
        '<div class="view">'
        + "".join(_drawing(bare, label, width) for width in (WIDE_PIXELS, PHONE_PIXELS))
        + "</div>",
    ]
    if live:
        safe = text.replace("<", r"\u003c")  # so that no name ends or opens an element
        columns = html.escape(json.dumps(sheet.columns(spec), ensure_ascii=False))
        parts.append(
            f'<script type="application/vnd.vegalite+json" data-columns="{columns}">{safe}</script>'
        )
    if note:
        parts.append(f'<p class="chart-note">{html.escape(note)}</p>')
    return "".join([*parts, "</figure>"])


def _drawing(spec: Mapping[str, Any], label: str, width: int) -> str:
    import vl_convert

    measured = json.dumps(spec).replace(json.dumps(FONT), json.dumps(WIDEST_FONT))
    sized = json.loads(measured) | {"width": width}
    if width == PHONE_PIXELS and not spec.get("usermeta", {}).get("tall"):
        sized["height"] = min(PHONE_HEIGHT, int(sized.get("height", PHONE_HEIGHT)))
    kind = "phone" if width == PHONE_PIXELS else "wide"
    svg = re.sub(r"<[^>]*>", _slim_tag, vl_convert.vegalite_to_svg(sized))
    # Its own names: Vega counts its clips from 1 on this page, too, for the live chart.
    for place, name in enumerate(dict.fromkeys(re.findall(r'id="([^"]+)"', svg))):
        svg = re.sub(rf'(id="|url\(#){name}\b', rf"\g<1>{label}-{kind}-{place}", svg)
    return svg.replace("<svg ", f'<svg aria-hidden="true" focusable="false" class="{kind}" ', 1)


def _slim_tag(tag: re.Match[str]) -> str:
    """A tag without what figure and page say already; a tenth of a pixel is enough."""
    said = r' (aria-(label|roledescription|hidden)|role|class|font-family)="[^"]*"'
    text = re.sub(said, "", tag[0])
    return re.sub(
        r'( (?:d|transform|x|y|x1|x2|y1|y2|width|height)=")([^"]*)"',
        lambda match: match[1] + re.sub(r"(\d\.\d)\d+", r"\1", match[2]) + '"',
        text,
    )
