"""The role {verdict}`reproduces if` for pages under book/: the same chip as in the tables."""

from __future__ import annotations

import html
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from costlib.charts import theme


class Verdict(SphinxRole):
    """A verdict word with its shape; any other word is an error."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the chip, or an error that names the words there are."""
        if self.text not in theme.VERDICT:
            known = ", ".join(theme.VERDICT)
            message = self.inliner.reporter.error(f"no verdict {self.text!r}; there are {known}")
            return [], [message]
        _, shape, _ = theme.VERDICT[self.text]
        chip = f'<span class="verdict {shape}">{html.escape(self.text)}</span>'
        return [nodes.raw("", chip, format="html")], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the role."""
    app.add_role("verdict", Verdict())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
