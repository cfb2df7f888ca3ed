"""The ledger as one page: every claim with its verdict, grouped by topic, in plain HTML.

Without a script the topics fold open and an address that ends in `#claim-pue-010` leads to its
row; `ledger.js` adds search, filters and an order of one's own on top of the same rows.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from costlib import booktools, rulings
from costlib._words import typeset
from costlib.booktools import NO_MATH, chip

__all__ = ["Arguments", "Register", "page_of", "reference", "topic_words"]

SPELLED: Final[Mapping[str, str]] = {
    "api": "API",
    "gpu": "GPU",
    "kv": "KV",
    "moe": "Mixtures of experts",
    "pue": "PUE",
    "sla": "Availability",
    "speculative": "Speculative decoding",
    "tco": "Owning, renting, calling",
    "quantization": "Quantising",
    "xposts": "Posts on X",
    "lmsys": "LMSYS",
    "storagereview": "StorageReview",
    "semiwiki": "SemiWiki",
}
GROUPS: Final[Mapping[str, str]] = {
    "reproduces": "reproduce",
    "reproduces if": "reproduce if",
    "contradicted": "contradicted",
    "fails": "fail",
    "not checkable": "not checkable",
}
STYLE: Final = (
    "<style>.jp-RenderedHTMLCommon .ledger code{white-space:normal}"
    ".jp-RenderedHTMLCommon .ledger table{table-layout:auto;width:100%}</style>"
)


def topic_words(topic: str) -> str:
    """A topic as a heading.

    >>> topic_words("cloud-gpu-price"), topic_words("kv-cache"), topic_words("moe")
    ('Cloud GPU price', 'KV cache', 'Mixtures of experts')
    """
    words = " ".join(SPELLED.get(word, word) for word in topic.split("-"))
    return words[:1].upper() + words[1:]


def reference(source: str, among: Collection[str] = ()) -> str:
    """A key of the bibliography as words: who, when, and which where there are several.

    >>> reference("promit2026engineering"), reference("xposts2026")
    ('Promit 2026', 'Posts on X 2026')
    >>> reference("promit2026engineering", ["promit2026engineering", "promit2026datascience"])
    'Promit 2026 (engineering)'
    """
    found = re.fullmatch(r"([a-z]+)(\d{4})(\w*)", source)
    if not found:
        return source
    who, year, which = found.groups()
    several = sum(key.startswith(f"{who}{year}") for key in among) > 1
    words = SPELLED.get(who, who.capitalize())
    return f"{words} {year}" + (f" ({which})" if which and several else "")


def page_of(anchor: str) -> str:
    """Address of a place in a chapter, from another chapter.

    >>> page_of("notebooks/pue#against-the-source"), page_of("")
    ('pue.html#against-the-source', '')
    """
    name, _, heading = anchor.removeprefix("notebooks/").partition("#")
    return f"{name}.html" + (f"#{heading}" if heading else "") if name else ""


class Arguments(booktools._Html):
    """Arguments in a table: what is said, the verdict, where it turns, and why in a fold.

    Parameters
    ----------
    found
        Records with number, words, verdict, because, flip and anchor, as of `theses.theses()`.
    title
        What is shown.
    """

    def __init__(self, found: Sequence[Any], title: str) -> None:
        body = "".join(_argument(one) for one in found)
        markup = (
            f'<div class="ledger arguments {NO_MATH}"><p class="table-title">{html.escape(title)}'
            f'</p><table class="book" role="table" aria-label="{html.escape(title)}">'
            '<thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">Argument'
            '</th><th scope="col" role="columnheader">Verdict, and where it turns</th></tr></thead>'
            f'<tbody role="rowgroup">{body}</tbody></table></div>'
        )
        lines = [f"{one.number}. {one.words} {one.verdict}: {one.flip}" for one in found]
        super().__init__(markup, "\n".join([title, *lines]))


def _argument(one: Any) -> str:
    shown, _ = booktools._cell(chip(one.verdict), "")
    holds = "would hold with" if one.verdict == "fails" else "holds with"
    flip = one.flip if one.flip.startswith("no flip") else f"{holds} {one.flip}"
    return (
        f'<tr role="row" id="thesis-{one.number}"><th scope="row" role="rowheader">'
        f'<a class="claim-id" href="#thesis-{one.number}">{one.number}</a> '
        f"{booktools._inline(one.words)}</th>"
        f'<td role="cell">{shown}<span class="flip">{booktools._inline(flip)}</span>'
        f"<details><summary>Why</summary><p>{booktools._inline(one.because)} "
        f'<a href="{html.escape(page_of(one.anchor))}">In its chapter</a></p></details></td></tr>'
    )


class Register(booktools._Html):
    """Every claim in a table per topic, each in a fold; the rows carry their permanent names.

    Parameters
    ----------
    found
        Rows of `rulings.rulings`.
    title
        What is shown.
    """

    def __init__(self, found: pd.DataFrame, title: str) -> None:
        counted = rulings.counts(found)
        names = {key: reference(key, set(found["source"])) for key in found["source"].unique()}
        found = found.assign(source=found["source"].map(names))
        folds = [
            _fold(topic, found[found["topic"] == topic], counted.loc[topic])
            for topic in counted.index
        ]
        markup = (
            f'{STYLE}<div class="ledger register {NO_MATH}" data-total="{len(found)}">'
            f'<p class="table-title">{html.escape(title)}</p>{"".join(folds)}</div>'
        )
        lines = [f"{topic_words(str(topic))}: {_summary(row)}" for topic, row in counted.iterrows()]
        super().__init__(markup, "\n".join([title, *lines]))


def _summary(row: pd.Series[Any]) -> str:
    parts = [f"{n} {word if n == 1 else GROUPS[str(word)]}" for word, n in row.items() if n]
    return f"{row.sum()} " + ("claim: " if row.sum() == 1 else "claims: ") + ", ".join(parts)


def _fold(topic: str, rows: pd.DataFrame, row: pd.Series[Any]) -> str:
    words = html.escape(topic_words(topic))
    heads = ("Claim", "Source", "Ours", "Verdict, and what it hangs on")
    head = "".join(
        f'<th scope="col" role="columnheader"{kind}>{name}</th>'
        for name, kind in zip(heads, ("", ' class="num"', ' class="num"', ""), strict=True)
    )
    body = "".join(_row(record) for record in rows.to_dict("records"))
    return (
        f'<details class="topic" id="topic-{topic}"><summary><b>{words}</b> '
        f'<span class="unit">{_summary(row)}</span></summary>'
        f'<table class="book" role="table" aria-label="{words}"><thead role="rowgroup">'
        f'<tr role="row">{head}</tr></thead><tbody role="rowgroup">{body}</tbody></table></details>'
    )


def _row(row: Mapping[Any, Any]) -> str:
    name = html.escape(row["id"])
    times = row["times"]
    off = f' data-times="{times:.4g}"' if np.isfinite(times) and times > 0 else ""
    where = page_of(row["anchor"])
    chapter = f' · <a href="{html.escape(where)}">in its chapter</a>' if where else ""
    source = row["source"].replace(f" {row['as_of'][:4]}", "", 1)
    after = row["after"]
    if after:
        after = f'<span class="because">After: {booktools._inline(typeset(after))}</span>'
    shown, _ = booktools._cell(chip(row["verdict"], row["because"]), "")
    how = (
        f"<details><summary>How</summary><code>{html.escape(row['expression'])}</code></details>"
        if row["expression"]
        else ""
    )
    printed, ours = (
        html.escape(booktools._with_unit(row[column], row["unit"]))
        for column in ("printed", "ours")
    )
    return (
        f'<tr role="row" id="claim-{name}" data-verdict="{row["verdict"]}" '
        f'data-kind="{row["kind"]}" data-date="{row["as_of"]}"{off}>'
        f'<th scope="row" role="rowheader"><a class="claim-id" href="#claim-{name}">{name}</a> '
        f'{booktools._inline(typeset(row["statement"]))}{after}<span class="because">'
        f"{html.escape(source)}, {row['as_of']}{chapter}</span></th>"
        f'<td role="cell" class="num" data-label="Source">{printed}</td>'
        f'<td role="cell" class="num" data-label="Ours">{ours}</td>'
        f'<td role="cell">{shown}{how}</td></tr>'
    )
