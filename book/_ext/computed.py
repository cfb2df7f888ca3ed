"""Directives that fill pages under book/ with what the chapters computed: nothing is typed twice.

`{findings}` repeats lines of chapters' answers, `{picture}` a chart of a chapter, `{changes}` the
table "Numbers that changed" of CHANGELOG.md. They read the staged notebooks, outputs and all.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from costlib import booktools, claims, rulings
from costlib.charts import sheet, theme
from costlib.register import topic_words

SENTENCE_END = re.compile(r"(?<=[.!?]) (?=[A-Z“])")


def outputs(path: Path, cell_id: str) -> list[dict[str, Any]]:
    """MIME bundles of a cell; empty where the notebook has no such cell."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    found = [cell for cell in cells if cell.get("id") == cell_id]
    return [one["data"] for cell in found for one in cell.get("outputs", []) if "data" in one]


def plain(bundle: dict[str, Any]) -> str:
    """The text of an output."""
    text = bundle.get("text/plain", "")
    return text if isinstance(text, str) else "".join(text)


def finding(answer: str, number: int, *, brief: bool = False) -> str:
    r"""First sentence of a line of an answer; a brief one ends at the colon.

    >>> finding("In short\n**2** a: b. More.\n**3** c\n**4** d", 1, brief=True)
    '**2** a.'
    """
    line = SENTENCE_END.split(answer.splitlines()[number])[0]
    return line.split(": ")[0].rstrip(".") + "." if brief else line


class Computed(SphinxDirective):
    """What the directives share: the source tree, and complaints that fail the build."""

    has_content = True

    def chapter(self, name: str) -> Path:
        """Notebook of a chapter; the page is built anew when it changes."""
        path = Path(self.env.srcdir) / f"{name}.ipynb"
        if not path.is_file():
            raise self.error(f"no chapter {name!r}")
        self.env.note_dependency(str(path))
        return path

    def address(self, name: str) -> str:
        """Where a page stands, seen from this one."""
        return str(self.env.app.builder.get_relative_uri(self.env.docname, name))


class Findings(Computed):
    """A line per finding: chapter, line of its answer, `brief` to end at the colon | link."""

    def run(self) -> list[nodes.Node]:
        """Return the list."""
        items = []
        for line in self.content:
            where, _, link = line.partition("|")
            name, number, *brief = where.split()
            path = self.chapter(name)
            found = outputs(path, "answer")
            if not found:
                raise self.error(f"{name} has no answer")
            text = finding(plain(found[0]), int(number), brief=bool(brief))
            items.append(
                f"<li>{booktools._inline(text)} "
                f'<a href="{self.address(name)}">{html.escape(link.strip())}</a></li>'
            )
        markup = f'<ol class="findings {booktools.NO_MATH}">{"".join(items)}</ol>'
        return [nodes.raw("", markup, format="html")]


class Picture(Computed):
    """The first chart of a cell: chapter and cell id."""

    def run(self) -> list[nodes.Node]:
        """Return the figure, without sliders."""
        name, cell_id = self.content[0].split()
        specs = [
            one[booktools.MIME]
            for one in outputs(self.chapter(name), cell_id)
            if booktools.MIME in one
        ]
        if not specs:
            raise self.error(f"{name} has no chart in the cell {cell_id!r}")
        drawn = booktools.figure(specs[0], live=False)
        return [nodes.raw("", drawn, format="html", csv=sheet.text(specs[0]))]


class Changes(Computed):
    """The table of what changed, with a link to each claim and the verdicts as chips."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        path = Path(self.env.srcdir) / "CHANGELOG.md"
        self.env.note_dependency(str(path))
        topics = dict(zip(claims.ledger()["id"], claims.ledger()["topic"], strict=True))
        ledger = self.address("notebooks/ledger")
        rows = []
        for change in rulings.changes(path):
            known = change.id in topics
            thesis = change.id.startswith("thesis-")
            anchor = f"{ledger}#{change.id if thesis else f'claim-{change.id}'}"
            name = html.escape(change.id)
            link = f'<a href="{anchor}">{name}</a>' if known or thesis else name
            under = (
                f'<span class="unit">{html.escape(topic_words(topics[change.id]))}</span>'
                if known
                else ""
            )
            rows.append(
                f'<tr><th scope="row">{link}{under}</th>'
                f'<td><span data-label="Was">{self.word(change.was)}</span><br>'
                f'<span data-label="Is">{self.word(change.now)}</span></td>'
                f'<td data-label="Since">{change.date}</td>'
                f"<td>{booktools._inline(change.why)}</td></tr>"
            )
        heads = "".join(
            f'<th scope="col">{head}</th>' for head in ("Claim", "Was, and is", "Since", "Why")
        )
        markup = (
            f'<div class="ledger {booktools.NO_MATH}"><table aria-label="Numbers that changed" '
            'role="table" class="book changes"><thead><tr>'
            f"{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        )
        return [nodes.raw("", markup, format="html")]

    @staticmethod
    def word(text: str) -> str:
        """A verdict with its shape, or a number as it stands."""
        shape = {**theme.VERDICT, **theme.ARGUMENT}.get(text)
        safe = html.escape(text)
        return f'<span class="verdict {shape[1]}">{safe}</span>' if shape else safe


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("findings", Findings)
    app.add_directive("picture", Picture)
    app.add_directive("changes", Changes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
