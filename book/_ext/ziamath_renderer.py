r"""Typeset TeX to SVG while the book is built: no script, no font and no network for the reader.

What ziamath would print wrongly without a word becomes a Sphinx warning, so that a strict build
fails: unknown commands, `\tag`, unbalanced braces, prices and prose caught between two dollars.
"""

from __future__ import annotations

import re
from typing import Any

import ziamath
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number, wrap_displaymath
from sphinx.writers.html5 import HTML5Translator

LOG = logging.getLogger(__name__)
UNITS_PER_EM = 20.0
ALIGNED = re.compile(r"\\(begin|end)\{(?:align|gather|equation|split)\*?\}")
UPRIGHT = re.compile(r"\\(?:text\w*|math\w+|operatorname\*?|begin|end|label)\s*\{[^{}]*\}")
WORD = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{3,}")
MAX_WORDS = 2


def complaint(tex: str) -> str | None:
    """Why the text between the dollars is hardly an equation, or None."""
    words = WORD.findall(UPRIGHT.sub(" ", tex))
    opening_number = re.match(r"[\d.,]+", tex)
    if re.search(r"\$\s*\d", tex):
        return "equation holds a price; write the dollar outside of it"
    if opening_number and (words or tex.count("(") != tex.count(")")):
        return "equation looks like a price; escape the dollars"
    if len(words) > MAX_WORDS:
        return f"equation holds prose ({' '.join(words[:4])}); use \\text or escape the dollars"
    return None


def typeset(translator: HTML5Translator, node: nodes.Element, tex: str, *, inline: bool) -> str:
    """SVG of the equation in the colour of the text; each glyph is drawn once per page."""

    def warn(message: str) -> None:
        LOG.warning("%s: %s", message, tex, location=node, type="ziamath")

    if doubt := complaint(tex):
        warn(doubt)
    try:
        equation = ziamath.Latex(tex, size=UNITS_PER_EM, inline=inline, color="currentColor")
        svg: str = equation.svg()
        unknown = "\\" in equation.mathmlstr() or r"\tag" in tex
    except Exception as error:  # the parser raises what it likes
        warn(f"equation cannot be typeset ({type(error).__name__})")
        return f"<code>{translator.encode(tex)}</code>"
    if unknown:
        warn("equation holds a command that ziamath does not know")

    box = re.search(r'viewBox="([^"]+)"', svg)
    x, y, width, height = (float(number) for number in box[1].split()) if box else (0, 0, 0, 0)
    drawn: set[str] = translator.__dict__.setdefault("ziamath_glyphs", set())

    def once(symbol: re.Match[str]) -> str:
        known = symbol[1] in drawn
        drawn.add(symbol[1])
        return "" if known else symbol[0]

    body = re.sub(r'<symbol id="([^"]+)".*?</symbol>', once, svg.partition(">")[2], flags=re.S)
    body = re.sub(r"(-?\d+\.\d\d)\d+", r"\1", body).replace('"black"', '"currentColor"')
    style = f"width:{width / UNITS_PER_EM:.3f}em;height:{height / UNITS_PER_EM:.3f}em"
    if inline:  # sit on the baseline of the line
        style += f";vertical-align:{-(y + height) / UNITS_PER_EM:.3f}em"
    label = translator.attval(" ".join(tex.split()))
    view = f"{x:g} {y:g} {width:g} {height:g}"
    return f'<svg role="img" aria-label="{label}" style="{style}" viewBox="{view}">{body}'


def display_tex(node: nodes.math_block) -> str:
    """TeX of a display equation with the environments that ziamath knows."""
    tex = node.astext().strip()
    if not node["nowrap"] and "\\begin" not in tex:
        tex = wrap_displaymath(tex, None, False)  # Sphinx's rule for blank lines and bare \\
    tex = re.sub(r"\\(begin|end)\{equation\*?\}", "", tex)
    tex = ALIGNED.sub(r"\\\1{aligned}", tex).strip()
    one_row = r"^\\begin\{aligned\}\s*((?:(?!\\\\|&).)*)\\end\{aligned\}$"
    tex = re.sub(one_row, r"\1", tex, flags=re.S)
    if "{aligned}" in tex:  # ziamath sets rows of fractions so close that they touch
        tex = tex.replace(r"\\", r"\\ \vphantom{\Bigg(}")
    return tex


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write an inline equation. Its class is not `math`, which the theme turns into a box."""
    svg = typeset(translator, node, node.astext(), inline=True)
    translator.body.append(f'<span class="tex">{svg}</span>')
    raise nodes.SkipNode


def visit_display(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a display equation that scrolls inside itself, its number beside it."""
    svg = typeset(translator, node, display_tex(node), inline=False)
    translator.body += [
        translator.starttag(node, "div", CLASS="tex-display"),
        f'<div class="tex-body" tabindex="0" role="group" aria-label="Equation">{svg}</div>',
    ]
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append("</div>")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer under the name that _config.yml asks for."""
    app.add_html_math_renderer("ziamath", (visit_inline, None), (visit_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
