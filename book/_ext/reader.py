"""What a page offers its reader: terms that lead to the glossary, data, a citation, a new run.

And in the search, the number of a claim leads to its row and to the chapter that shows it. All of
it is made of what the book holds: glossary, charts, cells of parameters, CITATION.cff, ledger.
"""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

GLOSSARY, LEDGER = "book/glossary", "notebooks/ledger"
NO_TERMS = {GLOSSARY, "book/references"}  # pages that link no term
SHORT = re.compile(r"\b(?:Short|Also):? ([^.:]+)\.")
# words that mean another thing on a page than in the glossary
OTHERWISE = {
    "notebooks/api_prices": {"batch"},
    "notebooks/depreciation": {"batch", "cascade"},
    "notebooks/pue": {"straight line"},
}
TAG = re.compile(r"(<[^>]*>)")
NAME = re.compile(r"<(/?)([a-z][a-z0-9]*)")
TITLE = re.compile(r'^<p [^>]*class="[^"]*title')
NOT_PROSE = {"a", "button", "code", "dt", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "pre"}
NOT_PROSE |= {"script", "strong", "style", "summary", "svg", "table"}
ROW = re.compile(r'<tr [^>]*\bid="(?:claim-([\w-]+)|(thesis-\d+))".*?</tr>', re.DOTALL)
SHOWN = re.compile(r'<a href="(\w+)\.html#?([^"]*)">[Ii]n its chapter')


# --- terms -----------------------------------------------------------------------------------


def terms(glossary: nodes.document) -> dict[str, str]:
    """Anchor of every term, and of what it says to be short or another word for it."""
    found: dict[str, str] = {}
    for item in glossary.findall(nodes.definition_list_item):
        term = next(item.findall(nodes.term))
        others = [name for told in SHORT.findall(item.astext()) for name in told.split(", ")]
        names = [term.astext(), *others]
        found |= {name if name.isupper() else name.lower(): term["ids"][0] for name in names}
    return found


def linked(body: str, found: dict[str, str], page: str) -> str:
    """Link the first mention of each term in the prose of a page; a plural counts.

    >>> linked("<h1>Batch</h1><p>Batches: a batch</p>", {"batch": "term-Batch"}, "g.html")
    '<h1>Batch</h1><p><a class="term" href="g.html#term-Batch">Batches</a>: a batch</p>'
    """
    words = [
        r"\s+".join(map(re.escape, name.split())) for name in sorted(found, key=len, reverse=True)
    ]
    cased = [word if word.isupper() else f"(?i:{word})" for word in words]
    term = re.compile(rf"(?<![\w-])({'|'.join(cased)})(?:e?s)?(?![\w-])")
    done: set[str] = set()

    def link(match: re.Match[str]) -> str:
        words = " ".join(match[1].split())
        anchor = found.get(words) or found[words.lower()]
        if anchor in done:
            return match[0]
        done.add(anchor)
        return f'<a class="term" href="{page}#{anchor}">{match[0]}</a>'

    parts, within, depth = [], "", 0
    for part in TAG.split(body):
        tag = NAME.match(part)
        if tag and within:
            depth += (-1 if tag[1] else 1) * (tag[2] == within)
            within = within if depth else ""
        elif tag and not tag[1] and (tag[2] in NOT_PROSE or TITLE.match(part)):
            within, depth = tag[2], 1
        elif not within and not part.startswith("<"):
            part = term.sub(link, part)
        parts.append(part)
    return "".join(parts)


# --- the foot of a chapter -------------------------------------------------------------------


def parameter(notebook: dict[str, Any]) -> tuple[str, str]:
    """Name and value of a chapter's first number that a reader may want to be another one."""
    (cell,) = [c for c in notebook["cells"] if "parameters" in c["metadata"].get("tags", [])]
    for line in ast.parse("".join(cell["source"])).body:
        match line:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Constant(value=int() | float() as value)
            ):
                return name, repr(value)
    raise ValueError("the cell of parameters holds no number")


def foot(docname: str, title: str, book: str, cited: dict[str, Any], run: tuple[str, str]) -> str:
    """How to cite a chapter, and how to run it with other numbers: folded, without a script."""
    name, value = run
    stem = docname.rpartition("/")[2]
    author = " and ".join(one["name"] for one in cited["authors"])
    date, version = cited["date-released"], cited["version"]  # not the clock: builds are alike
    told = f"{author[:1].upper()}{author[1:]} ({date:%Y}). “{title}”. In: {book}"
    bibtex = (
        f"@incollection{{costlib-{stem},\n  author = {{{{{author}}}}},\n  title = {{{title}}},\n"
        f"  booktitle = {{{book}}},\n  year = {{{date:%Y}}},\n"
        f"  note = {{Version {version}, {date}}}\n}}"
    )
    command = f".venv/bin/papermill {docname}.ipynb mine.ipynb \\\n    -p {name} {value}"
    return (
        '<footer class="chapter-foot"><details><summary>Cite this chapter</summary>'
        f"<p>{html.escape(told)}, version {version}, {date}.</p>"
        f"<pre>{html.escape(bibtex)}</pre></details>"
        "<details><summary>Re-run this chapter</summary>"
        "<p>From the folder of the project, with your value in place of the last one, and a "
        f"<code>-p</code> for each further parameter:</p><pre>{html.escape(command)}"
        f"</pre><p>Or <code>make lab</code> opens JupyterLab: in <code>{docname}.ipynb</code> "
        "change the cell of parameters and run all cells.</p></details></footer>"
    )


# --- the search ------------------------------------------------------------------------------


def claims(ledger: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Number of every claim and argument with its row, and its place in a chapter."""
    outputs = [o for cell in ledger["cells"] for o in cell.get("outputs", [])]
    markup = "".join("".join(o.get("data", {}).get("text/html", "")) for o in outputs)
    for row in ROW.finditer(markup):
        anchor = row[2] or f"claim-{row[1]}"
        chapters = [(f"notebooks/{shown[1]}", shown[2]) for shown in SHOWN.finditer(row[0])]
        yield row[1] or row[2], [(LEDGER, anchor), *chapters]


def extend_search(app: Sphinx, error: Exception | None) -> None:
    """After the build: the numbers of the ledger become entries of the search's index."""
    path = Path(app.outdir) / "searchindex.js"
    if error or app.builder.format != "html" or not path.is_file():
        return
    text = path.read_text("utf-8")
    start, end = text.index("{"), text.rindex("}") + 1
    index = json.loads(text[start:end])
    places = {name: number for number, name in enumerate(index["docnames"])}
    for number, found in claims(notebook(app.env, LEDGER)):
        # a main entry stands before what merely holds the words
        index["indexentries"][number] = [[places[name], anchor, True] for name, anchor in found]
    told = json.dumps(index, separators=(",", ":"), sort_keys=True)
    path.write_text(text[:start] + told + text[end:], "utf-8")


# --- pages -----------------------------------------------------------------------------------


def notebook(env: BuildEnvironment, docname: str) -> dict[str, Any]:
    """A staged chapter."""
    found: dict[str, Any] = json.loads(Path(env.doc2path(docname)).read_text("utf-8"))
    return found


def add_data(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Write the data of each chart beside the page, and a link to them under it."""
    if app.builder.format != "html":
        return
    stem, up = docname.rpartition("/")[2], "../" * docname.count("/")
    charts = [node for node in doctree.findall(nodes.raw) if "csv" in node]
    for number, node in enumerate(charts, 1):
        name = f"_static/csv/{stem}-{number}.csv"
        path = Path(app.outdir) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(node["csv"].encode())
        label = re.findall(r'aria-labelledby="([^"]+)"', node.astext())[0]
        link = f'<a class="csv" href="{up}{name}" download aria-describedby="{label}">CSV</a>'
        bare = node.astext().removesuffix("</figure>")
        if 'class="chart-note"' in bare:  # the figure's last part
            whole = bare.removesuffix("</p>") + f" {link}</p></figure>"
        else:
            whole = f'{bare}<p class="chart-note">{link}</p></figure>'
        node.replace_self(nodes.raw("", whole, format="html"))


def finish_page(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Link the terms of a page; a chapter gets its foot."""
    del templatename
    if doctree is None or pagename in NO_TERMS:
        return
    env = app.builder.env
    page = app.builder.get_relative_uri(pagename, GLOSSARY)
    found = terms(env.get_doctree(GLOSSARY))
    for word in OTHERWISE.get(pagename, ()):
        del found[word]
    body = linked(context["body"], found, page)
    if pagename.startswith("notebooks/"):
        title = env.titles[pagename].astext()
        cited = yaml.safe_load((Path(env.srcdir) / "CITATION.cff").read_text("utf-8"))
        run = parameter(notebook(env, pagename))
        body += foot(pagename, title, app.config.html_title, cited, run)
    context["body"] = body


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> Iterable[str]:
    """Every page, when the glossary has changed that they link to."""
    del app, removed
    return env.found_docs if GLOSSARY in added | changed else ()


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the parts."""
    app.connect("env-get-outdated", outdated)
    app.connect("doctree-resolved", add_data)
    app.connect("html-page-context", finish_page)
    app.connect("build-finished", extend_search)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
