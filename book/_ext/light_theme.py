"""Make Jupyter Book's theme light, offline and accessible.

Pages keep the scripts that they use; theme CSS keeps the rules that can match; our tokens and the
Vega bundle are written at build, so nothing third-party is committed and nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vl_convert
from docutils import nodes
from sphinx.application import Sphinx

from costlib.charts import theme

UNUSED_SCRIPTS = (
    "clipboard",
    "copybutton",
    "design-tabs",
    "doctools",
    "fontawesome",
    "plot_directive",
    "require",
    "sphinx_highlight",
    "thebe",
    "togglebutton",
)
SEARCH_SCRIPTS = ("doctools", "sphinx_highlight")
# These become one slim sheet, which _templates/static/webpack-macros.html links.
THEME_STYLES = (
    "basic.css",
    "styles/theme.css",
    "styles/pydata-sphinx-theme.css",
    "styles/sphinx-book-theme.css",
    "mystnb.*.css",
    "sphinx-design.min.css",
)
UNUSED_STYLES = ("copybutton", "plot_directive", "sphinx-thebe", "togglebutton")
LINKED_STYLES = ("mystnb", "sphinx-book-theme", "sphinx-design")
NAME = re.compile(r"[A-Za-z_][\w-]*")
LABEL = re.compile(r'\b(?:class|id)="([^"]*)"')


def write_generated(app: Sphinx) -> None:
    """Write what no commit holds into a static folder of its own: our tokens, and Vega."""
    folder = Path(app.doctreedir).parent / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokens.css").write_text(theme.css(), "utf-8")
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    (folder / "vega.js").write_text(f"(()=>{{{bundle}}})();", "utf-8")  # leaks no globals
    app.config.html_static_path.append(str(folder))


def drop_unused(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Leave out scripts and styles that the page does not use."""
    del templatename, doctree
    if 'class="ledger register' in context.get("body", ""):
        app.add_js_file("ledger.js", loading_method="defer")

    def text(asset: Any) -> str:
        body = (getattr(asset, "attributes", None) or {}).get("body") or ""
        return f"{getattr(asset, 'filename', asset) or ''} {body}".lower()

    kept = SEARCH_SCRIPTS if pagename == "search" else ()
    scripts = [name for name in UNUSED_SCRIPTS if name not in kept]
    styles = (*UNUSED_STYLES, *LINKED_STYLES)
    for key, unused in (("script_files", scripts), ("css_files", styles)):
        context[key] = [a for a in context[key] if not any(name in text(a) for name in unused)]


def rules(css: str) -> Iterator[tuple[str, str]]:
    """Split a style sheet into (selector or at-rule, body)."""
    start = 0
    while (brace := css.find("{", start)) >= 0:
        depth, end = 1, brace + 1
        while depth:
            depth += {"{": 1, "}": -1}.get(css[end], 0)
            end += 1
        yield css[start:brace].strip(), css[brace + 1 : end - 1]
        start = end


def slim(css: str, names: set[str]) -> str:
    """Keep the rules with a selector whose classes and ids are all among `names`."""

    def can_match(selector: str) -> bool:
        positive = re.sub(r":not\([^)]*\)", "", selector)
        return all(name in names for name in re.findall(r"[.#]([A-Za-z_][\w-]*)", positive))

    kept = []
    for head, body in rules(css):
        selector = head.split(";")[-1].strip()  # @charset and @import stand before a rule
        if selector.startswith("@font-face"):  # Font Awesome: our icons are masks in book.css
            continue
        if selector.startswith(("@media", "@supports")):
            if inner := slim(body, names):
                kept.append(f"{selector}{{{inner}}}")
        elif selector.startswith("@"):
            kept.append(f"{selector}{{{body}}}")
        elif alive := [s for s in re.split(r",(?![^(]*\))", selector) if can_match(s)]:
            kept.append(f"{','.join(alive)}{{{body}}}")
    return "".join(kept)


def drop_unread_variables(css: str, elsewhere: str) -> str:
    """Drop custom properties that no rule reads; the theme declares some hundreds for its parts."""
    while True:
        read = set(re.findall(r"var\(\s*(--[\w-]+)", css + elsewhere))

        def declaration(match: re.Match[str], read: set[str] = read) -> str:
            return match[0] if match[1] in read else ""

        less = re.sub(r'(?<=[{;\s])(--[\w-]+)\s*:(?:"[^"]*"|[^;{}"])*;?', declaration, css)
        if less == css:
            return css
        css = less


def repair(page: str) -> str:
    """Mend names, which must begin with what is seen, and roles that the theme sets."""
    page = page.replace(' aria-label="Toggle hidden content"', "")
    page = page.replace('title="Search" aria-label="Search" data-bs', 'title="Search" data-bs')
    page = page.replace('role="doc-biblioentry"', 'role="listitem"')  # deprecated, and in a list
    sidebar = '<div id="pst-primary-sidebar" class'
    named = '<div id="pst-primary-sidebar" role="navigation" aria-label="Book" class'
    return page.replace(sidebar, named)


def finish(app: Sphinx, error: Exception | None) -> None:
    """After the build: repair the pages and write the theme's rules that one of them can match."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    static = out / "_static"
    names: set[str] = set()
    for path in out.rglob("*.html"):
        page = path.read_text("utf-8")
        if (mended := repair(page)) != page:
            path.write_text(mended, "utf-8")
        names.update(NAME.findall(" ".join(LABEL.findall(mended))))
    for path in [*static.glob("scripts/*-theme.js"), static / "charts.js", static / "ledger.js"]:
        names.update(NAME.findall(path.read_text("utf-8")))
    sheets = [path for name in THEME_STYLES for path in static.glob(name)]
    css = "\n".join(path.read_text("utf-8") for path in sheets)
    css = slim(re.sub(r"/\*.*?\*/", "", css, flags=re.S), names)
    css = drop_unread_variables(css, (static / "book.css").read_text("utf-8"))
    (static / "styles" / "theme-slim.css").write_text(css, "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the trimming; our own styles come last."""
    app.connect("builder-inited", write_generated)
    app.connect("html-page-context", drop_unused, priority=999)
    app.connect("build-finished", finish, priority=999)
    app.add_css_file("tokens.css", priority=800)
    app.add_css_file("book.css", priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
