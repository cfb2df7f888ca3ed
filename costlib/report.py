"""A scenario's report: the chapter `decision` run on it, as one page that asks for nothing else."""

from __future__ import annotations

import contextlib
import html
import os
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any, Final

from costlib import booktools, catalog
from costlib import scenario as scenarios
from costlib.charts import theme

__all__ = ["report"]

CHAPTER: Final = "decision"
LEFT_OUT: Final = {"try-it", "exercises", "exercise"}  # cells of the book, not of a report
STYLE: Final = """
body{font:17px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
max-width:44rem;margin:2rem auto;padding:0 1rem;color:#1b2430;background:#fff}
h1{font-size:2rem;line-height:1.15}h2{font-size:1.4rem;margin-top:2.5rem}
table{border-collapse:collapse;font-size:.88rem;width:100%}.table-scroll{overflow-x:auto}
th,td{padding:.35rem .6rem;border-bottom:1px solid #d9dee4;text-align:left;vertical-align:top}
.num{text-align:right;font-variant-numeric:tabular-nums}.unit{display:block;font-weight:400;
opacity:.7}.admonition{border-left:4px solid #77828f;padding:.25em 1em;margin:1em 0}
.admonition-title,.table-title,.chart-title{font-weight:650;margin:1rem 0 .2rem}
figure{margin:1.5rem 0}.chart-sub,.chart-note,.because{color:#56616f;font-size:.88rem;margin:0}
.because{display:block}.sr-only{position:absolute;clip-path:inset(50%);height:1px;width:1px;
overflow:hidden}svg.wide{max-width:100%;height:auto}
.view svg{overflow:visible}svg.phone{display:none}
.equation{overflow-x:auto}
@media(max-width:600px){svg.wide{display:none}svg.phone{display:block;max-width:100%;height:auto}}
"""


def _chapter() -> Path:
    """The notebook in a checkout, or as it travels with an installation."""
    path = catalog.data_path("models.csv").parent.parent / "notebooks" / f"{CHAPTER}.ipynb"
    if path.is_file():
        return path
    raise ValueError(f"the chapter {CHAPTER}.ipynb is not installed; run this in a checkout")


def report(scenario: str | Path, target: str | Path) -> Path:
    """Run the chapter on a scenario and write it as one page.

    Parameters
    ----------
    scenario
        Path of a scenario file.
    target
        Page to write; its name ends in .html.

    Returns
    -------
        The page.

    Raises
    ------
    ValueError
        If the scenario is wrong, the page exists or cannot be written, or the chapter does not
        run; one line.
    """
    page, given = Path(target), Path(scenario)
    if page.suffix.lower() not in {".html", ".htm"}:
        raise ValueError(f"{page}: expected a name that ends in .html")
    if page.exists() or page.is_symlink():
        raise ValueError(f"{page}: exists already, and nothing is overwritten")
    if not page.parent.is_dir():
        raise ValueError(f"{page}: there is no folder {page.parent}")
    title = scenarios.read(given).name
    text = _page(_run(given.resolve()), title)
    try:
        opened = page.open("x", encoding="utf-8")
        with opened, contextlib.ExitStack() as undo:
            undo.callback(page.unlink, missing_ok=True)  # half a page is none
            opened.write(text)
            opened.flush()
            undo.pop_all()
    except OSError as why:
        raise ValueError(f"{page}: cannot be written: {why.strerror}") from None
    return page


def _run(scenario: Path) -> Any:
    """The chapter, executed on a scenario in a folder that is gone afterwards."""
    try:
        import nbformat
        import papermill
    except ImportError:
        raise ValueError("a report needs the extra costlib[book]") from None
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    with tempfile.TemporaryDirectory(prefix="costlib-") as folder:
        done = Path(folder) / "done.ipynb"
        try:
            papermill.execute_notebook(
                _chapter(),
                done,
                parameters={"scenario_path": str(scenario)},
                cwd=folder,
                kernel_name="python3",
                extra_arguments=["--log-level=CRITICAL"],
                progress_bar=False,
                log_output=False,
            )
        except papermill.PapermillExecutionError as why:
            raise ValueError(f"{why.ename}: {str(why.evalue).splitlines()[0]}") from None
        return nbformat.read(done, as_version=4)


def _page(notebook: Any, title: str) -> str:
    """A notebook as one page: no code, charts drawn, nothing fetched."""
    from nbconvert.exporters import HTMLExporter
    from nbformat.v4 import new_output

    kept = []
    for cell in notebook.cells:
        tags = set(cell.metadata.get("tags", []))
        hidden = {"remove-cell", "widget", "injected-parameters"} & tags
        if hidden or cell.get("id") in LEFT_OUT:
            continue
        if cell.cell_type == "markdown":
            cell.source = _prose(cell.source)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if "data" in output]
        for place, output in enumerate(cell.get("outputs", [])):
            if spec := output.get("data", {}).get(booktools.MIME):
                drawn = booktools.figure(spec, live=False)
                cell.outputs[place] = new_output("display_data", {"text/html": drawn})
            elif "text/html" in output.get("data", {}):
                output.data["text/html"] = _offline(output.data["text/html"])
            elif "text/markdown" in output.get("data", {}):
                output.data["text/markdown"] = _offline(output.data["text/markdown"])
        kept.append(cell)
    notebook.cells = kept
    exporter = HTMLExporter(template_name="basic")  # type: ignore[no-untyped-call]
    exporter.exclude_input = exporter.exclude_anchor_links = True
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    body, _ = exporter.from_notebook_node(notebook)
    style = re.sub(r"(?s)html\[data-theme=dark\].*", "", theme.css().partition("\n@media")[0])
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}: what a token costs</title>"
        f"<style>{style}{STYLE}</style></head><body>{body}</body></html>\n"
    )


def _offline(text: str) -> str:
    """Links to other pages of the book as words, in HTML and in Markdown."""
    text = re.sub(r'<a href="(?!#)[^"]*">(.*?)</a>', r"\1", text)
    return re.sub(r"(?<!!)\[([^]]+)\]\((?!#)[^)\s]+\)", r"\1", text)


def _prose(text: str) -> str:
    """Markdown of the book as any reader takes it: equations drawn, citations left to the book."""
    text = re.sub(r" ?\{cite(?::\w+)?\}`[^`]+`", "", text)
    text = re.sub(r"(?s)\$\$(.+?)\$\$(?: *\([\w-]+\))?", lambda m: _equation(m[1]), text)
    text = re.sub(r"(?<!\\)\$([^$\n]+)\$", lambda m: _equation(m[1], inline=True), text)
    return _offline(text)


def _equation(latex: str, *, inline: bool = False) -> str:
    with warnings.catch_warnings():  # it reads its fonts as Python did before 3.11
        warnings.simplefilter("ignore", DeprecationWarning)
        import ziamath

    drawn = ziamath.Latex(latex.strip(), size=18, inline=inline).svg()
    drawn = re.sub(r"<\?xml.*?\?>|\n", "", drawn)
    return drawn if inline else f'\n\n<div class="equation">{drawn}</div>\n\n'
