"""What a page is made of: sentences, boxes, tables, figures."""

import json
import re
from types import SimpleNamespace

import altair as alt
import numpy as np
import pandas as pd
import pytest

from costlib import booktools
from costlib.charts import theme

# --- sentences -----------------------------------------------------------------------------


def test_prose_fills_a_template():
    found = booktools.prose("{n:,.0f} users pay ${usd:.2f}", n=1950.0, usd=0.336)
    assert found == "1,950 users pay $0.34"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, np.float64("nan"), np.float32("inf")])
def test_no_nan_and_no_infinity_reaches_a_sentence(bad):
    with pytest.raises(ValueError, match=r"^users is -?(nan|inf); say in words"):
        booktools.prose("{users:.0f} users", users=bad)


def test_a_value_that_a_template_lacks_is_refused():
    with pytest.raises(KeyError, match="users"):
        booktools.prose("{users} users")


def test_what_is_said_is_markdown_in_which_a_dollar_is_a_price():
    said = booktools.say("from ${low:.2f} to ${high:.2f}", low=0.336, high=19.841)
    assert said._repr_markdown_() == r"from <span>\$</span>0.34 to <span>\$</span>19.84"
    assert repr(said) == "from $0.34 to $19.84"


def test_markup_in_a_box_is_escaped_but_bold_and_links_are_read():
    box = booktools.box("ours", "**59** users <b> & [a source](https://example.org/?a=1&b=2)")
    markup = box._repr_html_()
    assert "<strong>59</strong> users &lt;b&gt; &amp; " in markup
    assert '<a href="https://example.org/?a=1&amp;b=2">a source</a>' in markup


@pytest.mark.parametrize("kind", booktools.KINDS)
def test_every_kind_of_box_has_a_title(kind):
    box = booktools.box(kind, ["one {n}", "two"], n=1)
    assert booktools.KINDS[kind] in box._repr_html_()
    assert box._repr_html_().count("<li>") == 2
    assert repr(box).splitlines()[1:] == ["one 1", "two"]


def test_an_unknown_kind_of_box_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"kind must be one of answer, .*, got 'boast'"):
        booktools.box("boast", "text")


@pytest.mark.parametrize(
    "lines",
    [
        ["**1** a", "**2** b"],
        ["**1** a", "**2** b", "**3** c", "**4** d"],
        ["**1** a", "2 b", "**3** c"],
        [],
    ],
)
def test_an_answer_is_three_lines_that_open_in_bold(lines):
    with pytest.raises(ValueError, match="three lines"):
        booktools.answer(*lines)


def test_three_lines_that_open_in_bold_are_an_answer():
    found = booktools.answer("**{n} users** fit", "**$0.34** each", "**Why**", n=59)
    assert found._repr_html_().count("<li><strong>") == 3
    assert "<strong>59 users</strong>" in found._repr_html_()


def test_an_exercise_folds_its_answer():
    markup = booktools.fold("How many at {k}K?", "{n} users", k=4, n=59)._repr_html_()
    asked, _, solved = markup.partition("<details>")
    assert "How many at 4K?" in asked
    assert "59 users" in solved


# --- tables --------------------------------------------------------------------------------

ROWS = pd.DataFrame(
    {
        "name": ["H100 <SXM>", "A & B"],
        "users": [1950.4, np.nan],
        "usd": [0.336, np.inf],
        "verdict": [booktools.chip("reproduces if"), booktools.chip("fails")],
        "why": ["**bold**", None],
    }
)
COLUMNS = {
    "name": ("Card", ""),
    "users": ("Users", "at once", ",.0f"),
    "usd": ("Cost", "USD/Mtok", ".2f"),
    "verdict": ("Verdict", ""),
    "why": ("Why", ""),
}


@pytest.fixture
def table():
    return booktools.Table(ROWS, COLUMNS, "Users & cost")


def test_a_table_escapes_its_texts(table):
    markup = table._repr_html_()
    assert "H100 &lt;SXM&gt;" in markup
    assert "A &amp; B" in markup
    assert "Users &amp; cost" in markup
    assert "<SXM>" not in markup


def test_numbers_stand_right_in_their_format_and_texts_left(table):
    markup = table._repr_html_()
    assert '<td class="num">1,950</td>' in markup
    assert '<td class="num">0.34</td>' in markup
    assert '<td class="text"><strong>bold</strong></td>' in markup
    assert '<th scope="row" class="text">H100' in markup
    assert '<span class="unit">USD/Mtok</span>' in markup


def test_what_is_missing_or_infinite_is_a_dash(table):
    assert table._repr_html_().count(">—</td>") == 3
    assert not re.search("nan|inf|None", repr(table))


def test_a_verdict_is_a_word_with_a_shape(table):
    assert '<span class="verdict only-if">reproduces if</span>' in table._repr_html_()
    assert '<span class="verdict fails">fails</span>' in table._repr_html_()


def test_a_table_reads_as_plain_text_too(table):
    title, first, second = repr(table).splitlines()
    assert title == "Users & cost"
    assert first == "H100 <SXM> | 1,950 | 0.34 | reproduces if | **bold**"
    assert second == "A & B | — | — | fails | —"


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="the frame lacks the column usd"):
        booktools.Table(ROWS.drop(columns="usd"), COLUMNS, "t")


def test_a_word_that_is_no_verdict_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"reproduces, reproduces if, .*, got 'true'"):
        booktools.chip("true")
    assert {str(booktools.chip(word)) for word in theme.VERDICT} == set(theme.VERDICT)
    assert str(booktools.chip("fails", "it is late")) == "fails: it is late"


# --- figures -------------------------------------------------------------------------------

# coordinates are rounded by pattern: what looks like an attribute must survive as text
SAYS = ["pi 3.14159265 <b> & more", 'and width="12.3456" role="img"']


def chart(*, live):
    rows = pd.DataFrame({"x": [0.123456, 1.987654], "y": [1 / 3, 2 / 3], "say": SAYS})
    layers = alt.layer(
        alt.Chart(rows).mark_line().encode(x="x:Q", y="y:Q"),
        alt.Chart(rows).mark_text().encode(x="x:Q", y="y:Q", text="say:N"),
    )
    if live:
        slider = alt.binding_range(min=0, max=1, name="</script> & more")
        layers = layers.add_params(alt.param("price", value=0.5, bind=slider))
    return theme.titled(
        layers, title="Costs <rise>", subtitle="USD & tokens", description="In words", note="Note"
    )


class Renderer:
    """What MyST-NB hands to a plugin, as far as the plugin uses it."""

    def __init__(self):
        self.scripts = []

    def add_js_file(self, *arguments):
        self.scripts.append(arguments)


def rendered(spec, *, mime=booktools.MIME, inline=False):
    renderer = Renderer()
    data = SimpleNamespace(mime_type=mime, content=spec)
    nodes = booktools.ChartRenderer.handle_mime(renderer, data, inline)
    return nodes, renderer.scripts


@pytest.fixture(scope="module", params=[False, True], ids=["still", "live"])
def figure(request):
    spec = chart(live=request.param).to_dict()
    (node,), scripts = rendered(spec)
    return SimpleNamespace(
        live=request.param, spec=spec, node=node, html=node.astext(), scripts=scripts
    )


def test_a_figure_has_a_wide_and_a_phone_drawing(figure):
    assert figure.node["format"] == "html"
    assert re.findall(r'<svg [^>]*?class="(\w+)"', figure.html) == ["wide", "phone"]
    widths = [float(w) for w in re.findall(r'<svg [^>]*\bwidth="([\d.]+)"', figure.html)]
    assert widths[1] < widths[0]
    assert all("<path" in part for part in figure.html.split("<svg ")[1:])


def test_only_a_live_chart_carries_its_spec_and_the_script(figure):
    assert ("<script" in figure.html) == figure.live
    assert bool(figure.scripts) == figure.live


def test_the_spec_of_a_live_chart_survives_the_page(figure):
    if figure.live:
        (text,) = re.findall(r"<script[^>]*>(.*?)</script>", figure.html, re.DOTALL)
        spec = {key: value for key, value in figure.spec.items() if key != "title"}
        assert json.loads(text) == spec


def test_title_note_and_description_are_text_on_the_page(figure):
    assert ">Costs &lt;rise&gt;</p>" in figure.html
    assert ">USD &amp; tokens</p>" in figure.html
    assert '<p class="sr-only">In words</p>' in figure.html
    assert '<p class="chart-note">Note</p>' in figure.html


def shown(markup):
    """Texts that a reader sees in the drawings."""
    return [
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
        for text in re.findall(r"<text[^>]*>(.*?)</text>", markup)
    ]


@pytest.mark.parametrize("text", SAYS)
def test_text_of_a_figure_is_never_altered(figure, text):
    assert shown(figure.html).count(text) == 2


def test_no_tag_of_a_figure_has_an_attribute_twice(figure):
    tags = re.findall(r"<\w+ [^>]*>", figure.html)
    names = [re.findall(r' ([\w:-]+)="', tag) for tag in tags]
    assert [
        tag for tag, found in zip(tags, names, strict=True) if len(set(found)) < len(found)
    ] == []


def test_coordinates_are_rounded_to_a_tenth(figure):
    paths = re.findall(r'<path[^>]* d="([^"]*)"', figure.html)
    assert paths
    assert not re.search(r"\.\d\d", " ".join(paths))


def test_the_drawings_are_hidden_from_screen_readers_which_have_the_words(figure):
    assert figure.html.count('<svg aria-hidden="true"') == 2
    assert 'role="graphics' not in figure.html


def test_the_same_chart_gives_the_same_figure():
    spec = chart(live=False).to_dict()
    assert booktools.figure(spec, live=False) == booktools.figure(spec, live=False)


def test_a_drawing_has_names_of_its_own_so_that_none_cuts_another():
    rows = pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})
    line = alt.Chart(rows).mark_line(clip=True).encode(x="x:Q", y="y:Q")
    spec = theme.titled(line, title="Up", subtitle="x", description="y").to_dict()
    drawn, again = (booktools.figure(spec, live=False) for _ in range(2))
    assert drawn == again
    label = re.search(r'<figure class="chart" id="([^"]+)"', drawn)[1]
    names = re.findall(r'id="([^"]+)"', drawn)
    assert len(names) == len(set(names))
    assert all(name.startswith(label) for name in names)
    used = set(re.findall(r"url\(#([^)]+)\)", drawn))
    assert used
    assert used <= set(names)


def test_a_spec_may_come_as_text():
    (node,), _ = rendered(json.dumps(chart(live=False).to_dict()))
    assert node.astext().startswith('<figure class="chart"')


@pytest.mark.parametrize("other", [{"mime": "text/html"}, {"inline": True}])
def test_what_is_not_a_chart_on_its_own_is_left_to_others(other):
    assert rendered({}, **other) == (None, [])


def test_a_chart_is_emitted_as_a_bare_spec_identical_on_every_run():
    chosen = alt.renderers.active
    try:
        booktools.enable()
        first, second = (chart(live=True)._repr_mimebundle_() for _ in range(2))
    finally:
        alt.renderers.enable(chosen)
    assert json.dumps(first) == json.dumps(second)
    assert set(first) == {booktools.MIME, "text/plain"}
    assert first["text/plain"] == "<Vega-Lite chart: In words>"


@pytest.mark.parametrize("value", [float("inf"), 1e300, float("nan"), "abc", -1])
def test_a_parameter_that_is_no_size_is_named_with_its_value(value):
    with pytest.raises(ValueError, match=rf"^load_per_s must .* got .*{str(value)[:3]}"):
        booktools.check("positive", load_per_s=value)


@pytest.mark.parametrize("value", [3, None, ["a"], "x" * 3_000, "a\0b", "", "nowhere.yml"])
def test_a_parameter_that_is_no_file_is_named_in_one_line(value):
    with pytest.raises(
        ValueError, match=r"^scenario_path: expected the path of a file, got "
    ) as no:
        booktools.own_file(scenario_path=value)
    assert len(str(no.value)) < 300
    assert "\n" not in str(no.value)


def test_a_file_is_found_from_here_or_from_the_folder_above(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    (tmp_path / "mine.yml").touch()
    for folder in (tmp_path, tmp_path / "inner"):
        monkeypatch.chdir(folder)
        assert booktools.own_file(scenario_path="mine.yml").samefile(tmp_path / "mine.yml")
