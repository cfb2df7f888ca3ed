"""Logs of one's own: what is read, what is refused and how, and that nothing else breaks it."""

import csv
import gzip
import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from costlib import requestlog
from costlib.requestlog import LogError

PLAIN = "timestamp,input_tokens,output_tokens\n0,100,10\n2.5,200,20\n5,300,30\n"


@pytest.fixture
def log(tmp_path):
    """A log from text or bytes."""

    def made(content, name="my.csv", **asked):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return requestlog.read(path, **asked)

    return made


def rows(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


# --- what is read ----------------------------------------------------------------------------


def test_a_plain_log_is_its_requests_from_time_0_on(log):
    found = log(PLAIN)
    assert_array_equal(found.requests.arrival_s, [0, 2.5, 5])
    assert_array_equal(found.requests.input_tokens, [100, 200, 300])
    assert_array_equal(found.requests.output_tokens, [10, 20, 30])
    assert_array_equal(found.requests.cached_tokens, [0, 0, 0])
    assert_array_equal(found.requests.session, [-1, -1, -1])
    assert (found.n_rows, found.n_bad, found.bad, found.n_unsorted) == (3, 0, (), 0)
    assert (found.name, found.cached_from) == ("my.csv", "")
    assert found.clock == "numbers in timestamp, taken as seconds"


FULL = (
    "id,Session ID,input tokens,User,cached_tokens,prefix,OUTPUT_TOKENS,time\n"
    "a,x,100,u,40,p,10,1\nb,y,200,u,0,q,20,2\nc,,300,v,,p,30,3\nd,x,400,,100,,40,4\n"
)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_all_columns_in_any_order_and_spelling(log, delimiter):
    found = log(FULL.replace(",", delimiter))
    assert_array_equal(found.requests.session, [0, 1, -1, 0])
    assert_array_equal(found.user, [0, 0, 1, -1])
    assert_array_equal(found.prefix, [0, 1, 0, -1])
    assert_array_equal(found.requests.cached_tokens, [40, 0, 0, 100])
    assert found.cached_from == "logged"
    assert found.columns["session"] == "Session ID"


AZURE = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"
)


def test_azures_columns_and_dates(log):
    found = log(AZURE)
    assert_allclose(found.requests.arrival_s, [0, 4.314579], atol=1e-6)
    assert_array_equal(found.requests.output_tokens, [44, 109])
    assert found.clock == "dates without a zone, taken as UTC"


def test_mooncakes_columns_milliseconds_and_block_hashes(log):
    head = {"output_length": 5}
    found = log(
        rows(
            head | {"timestamp": 0, "input_length": 1000, "hash_ids": [0, 1]},
            head | {"timestamp": 3000, "input_length": 1500, "hash_ids": [0, 1, 2]},
            head | {"timestamp": 3000, "input_length": 600, "hash_ids": [0, 1]},
            head | {"timestamp": 6000, "input_length": 900, "hash_ids": [7, 1]},
        ),
        "trace.jsonl",
    )
    assert_array_equal(found.requests.arrival_s, [0, 3, 3, 6])
    assert_array_equal(found.requests.cached_tokens, [0, 1024, 600, 0])
    assert found.cached_from == "block hashes"
    assert found.clock == "numbers in timestamp, taken as milliseconds"


def test_openais_usage_is_found_inside_its_records(log):
    records = [
        {
            "created": 1_770_000_000 + second,
            "messages": [{"content": "text"}],
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 10,
                "prompt_tokens_details": {"cached_tokens": 64 * second},
            },
        }
        for second in (0, 1)
    ]
    found = log(rows(*records))
    assert_array_equal(found.requests.arrival_s, [0, 1])
    assert_array_equal(found.requests.cached_tokens, [0, 64])
    assert found.clock == "numbers in created, taken as seconds since 1970"


def test_input_that_counts_the_cache_apart_is_put_together(log):
    found = log(
        "timestamp,input_tokens,cache_read_input_tokens,cache_creation_input_tokens,output_tokens\n"
        "0,10,900,90,5\n1,10,,,5\n"
    )
    assert_array_equal(found.requests.input_tokens, [1000, 10])
    assert_array_equal(found.requests.cached_tokens, [900, 0])


@pytest.mark.parametrize(
    ("times", "gap_s", "words"),
    [
        (("0", "1500"), 1500, "seconds"),
        (("1770000000", "1770000001.5"), 1.5, "seconds since 1970"),
        (("1770000000000", "1770000001500"), 1.5, "milliseconds since 1970"),
        (("1770000000000000", "1770000001500000"), 1.5, "microseconds since 1970"),
        (("1770000000000000000", "1770000001500000000"), 1.5, "nanoseconds since 1970"),
        (("2026-11-20T12:00:00Z", "2026-11-20T12:00:01.5Z"), 1.5, "with a zone"),
        (("2026-11-20T12:00:00+02:00", "2026-11-20T11:00:01.5+01:00"), 1.5, "with a zone"),
        (("2026-11-20 12:00:00", "2026-11-20 12:00:01.5"), 1.5, "without a zone"),
    ],
)
def test_times_of_every_kind_are_seconds_and_the_assumption_is_said(log, times, gap_s, words):
    found = log("timestamp,input_tokens,output_tokens\n" + "".join(f"{t},1,1\n" for t in times))
    assert_allclose(found.requests.arrival_s, [0, gap_s], atol=1e-6)
    assert words in found.clock


def test_the_unit_of_times_can_be_told(log):
    assert_allclose(log(PLAIN, time_unit="ms").requests.arrival_s, [0, 0.0025, 0.005])
    named = PLAIN.replace("timestamp", "timestamp_ms")
    assert_allclose(log(named).requests.arrival_s, [0, 0.0025, 0.005])
    with pytest.raises(ValueError, match="time_unit must be one of s, ms, us, ns, got 'min'"):
        log(PLAIN, time_unit="min")
    with pytest.raises(
        ValueError, match="block_tokens must be a whole number of at least 1, got 0"
    ):
        log(PLAIN, block_tokens=0)


def test_rows_out_of_order_are_sorted_with_their_lengths_and_counted(log):
    found = log("timestamp,input_tokens,output_tokens\n5,300,30\n0,100,10\n2,200,20\n")
    assert_array_equal(found.requests.arrival_s, [0, 2, 5])
    assert_array_equal(found.requests.input_tokens, [100, 200, 300])
    assert found.n_unsorted == 1


def test_an_empty_answer_is_one_token_and_counted(log):
    found = log("timestamp,input_tokens,output_tokens\n0,100,0\n1,0,5\n2,5,5\n")
    assert_array_equal(found.requests.output_tokens, [1, 5, 5])
    assert_array_equal(found.requests.input_tokens, [100, 1, 5])
    assert (found.n_empty, found.n_bad) == (2, 0)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("note", "M\u00fcller").encode("latin-1"),
        lambda text: gzip.compress(text.encode(), mtime=0),
        lambda text: gzip.compress(text.encode("utf-16"), mtime=0),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.rstrip("\n").encode(),
        lambda text: ("\n\n" + text).encode(),
    ],
    ids=["bom", "utf-16", "latin-1", "gzip", "gzip-16", "crlf", "no-last-newline", "blank-lines"],
)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_encodings_marks_and_line_ends_do_not_matter(log, encode, kind):
    if kind == "csv":
        text = "timestamp,note,input_tokens,output_tokens\n0,a,100,10\n1,b,200,20\n"
    else:
        record = {"note": "a", "output_tokens": 10}
        text = rows(*({"timestamp": t, "input_tokens": 100 * (t + 1)} | record for t in (0, 1)))
    found = log(encode(text), f"log.{kind}")
    assert_array_equal(found.requests.input_tokens, [100, 200])
    assert found.n_bad == 0


def test_quotes_and_line_breaks_in_a_text_that_is_passed_over(log):
    found = log(
        "timestamp,prompt,input_tokens,output_tokens\n"
        '0,"a ""quoted"", comma\nand a line",100,10\n1,,x,20\n2,plain,300,30\n'
    )
    assert_array_equal(found.requests.input_tokens, [100, 300])
    assert [row.line for row in found.bad] == [4]


def test_no_text_is_kept(log):
    secret = "the secret prompt"
    found = log(
        rows(
            *({"timestamp": t, "input_tokens": 1, "output_tokens": 1, "p": secret} for t in (0, 1))
        )
    )
    assert secret not in repr(found)


def test_a_log_longer_than_a_chunk_is_read_like_a_short_one(log, monkeypatch):
    times = "".join(f"{n},{n + 1},1,s{n % 3}\n" if n % 4 else f"{n},x,1,s\n" for n in range(23))
    text = "timestamp,input_tokens,output_tokens,session\n" + times
    whole = log(text)
    monkeypatch.setattr(requestlog, "CHUNK_ROWS", 5)
    parts = log(text)
    assert_array_equal(whole.requests.input_tokens, parts.requests.input_tokens)
    assert_array_equal(whole.requests.session, parts.requests.session)
    assert whole.bad == parts.bad
    assert whole.n_bad == parts.n_bad == 6
    assert [row.line for row in whole.bad] == [2 + n for n in range(0, 23, 4)]


def test_a_chunk_of_empty_lines_does_not_end_the_log(log, monkeypatch):
    monkeypatch.setattr(requestlog, "CHUNK_ROWS", 5)
    found = log(PLAIN.replace("2.5,", "\n" * 12 + "2.5,"))
    assert found.requests.arrival_s.size == 3


# --- bad rows --------------------------------------------------------------------------------

BAD_CELLS = [
    ("timestamp", "soon", "a number"),
    ("timestamp", "nan", "a number"),
    ("timestamp", "1e300", "a number"),
    ("timestamp", "", "a number"),
    ("input_tokens", "-3", "a whole number from 0 to 1,000,000,000"),
    ("input_tokens", "1e300", "a whole number"),
    ("input_tokens", "inf", "a whole number"),
    ("input_tokens", "12.5", "a whole number"),
    ("input_tokens", "=1+1", "a whole number"),
    ("input_tokens", '=HYPERLINK("http://x")', "a whole number"),
    ("input_tokens", "", "a whole number"),
    ("output_tokens", "nan", "a whole number"),
    ("output_tokens", "ten", "a whole number"),
    ("cached_tokens", "101", "at most the input tokens"),
    ("cached_tokens", "-1", "a whole number"),
    ("cached_tokens", "x", "a whole number"),
]


@pytest.mark.parametrize(("column", "cell", "expected"), BAD_CELLS)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_bad_row_is_left_out_and_told_by_line_column_expected_and_got(
    log, column, cell, expected, kind
):
    good = {"timestamp": "1", "input_tokens": "100", "output_tokens": "9", "cached_tokens": "0"}
    records = [good, good | {column: cell}, good]
    if kind == "csv":
        quoted = [['"' + v.replace('"', '""') + '"' for v in r.values()] for r in records]
        text = "\n".join(map(",".join, [list(good), *quoted]))
    else:
        text = rows(*records)
    found = log(text, f"log.{kind}")
    line = 3 if kind == "csv" else 2
    (bad,) = found.bad
    assert (found.n_rows, found.n_bad, found.requests.arrival_s.size) == (3, 1, 2)
    assert (bad.line, bad.column) == (line, column)
    assert bad.expected.startswith(expected)
    assert bad.got == repr(cell)
    with pytest.raises(LogError) as stop:
        log(text, f"log.{kind}", fatal=True)
    told = str(stop.value)
    assert f"line {line}, column {column}: expected {expected}" in told
    assert told.endswith(f"got {cell!r}")
    assert "\n" not in told


@pytest.mark.parametrize("value", [True, None, [1], {"a": 1}, 10**400, math.nan, math.inf, -1])
def test_a_json_value_that_is_no_number_of_tokens_is_a_bad_row(log, value):
    good = {"timestamp": 1, "input_tokens": 100, "output_tokens": 9}
    found = log(rows(good, good | {"input_tokens": value}, good))
    assert [row.line for row in found.bad] == [2]


@pytest.mark.parametrize("line", ["{", "[1, 2]", "null", "12", '{"a": 1} x', "[" * 100_000])
def test_a_line_that_is_no_json_object_is_a_bad_row(log, line):
    good = '{"timestamp": 1, "input_tokens": 100, "output_tokens": 9}'
    found = log("\n".join([good, line, good]))
    (bad,) = found.bad
    assert (bad.line, bad.expected) == (2, "a JSON object")
    assert len(bad.got) <= 40


def test_a_row_with_too_few_fields_is_a_bad_row_and_one_with_more_is_not(log):
    found = log(PLAIN + "6,1\n7,1,1,extra\n\n")
    assert [str(row) for row in found.bad] == ["line 5: expected 3 fields, got 2"]
    assert found.requests.arrival_s.size == 4


def test_a_quote_that_never_ends_costs_its_row_and_not_the_rest(log, monkeypatch):
    monkeypatch.setattr(requestlog, "FIELD_CHARS", 30)
    more = "".join(f"{n},1,1\n" for n in range(6, 20))
    found = log(PLAIN + '5.5,"1,1\n' + more)
    assert found.n_bad == 1
    assert found.bad[0].line == 5
    assert "up to line" in found.bad[0].got
    assert found.requests.arrival_s.size >= 10


def test_a_broken_row_at_the_start_of_a_chunk_does_not_end_the_log(log, monkeypatch):
    monkeypatch.setattr(requestlog, "CHUNK_ROWS", 3)
    found = log(PLAIN + '5.5,"1"x,1\n6,1,1\n')
    assert (found.n_rows, found.n_bad) == (5, 1)


def test_reading_leaves_csvs_limit_as_it_was(log):
    before = csv.field_size_limit(12_345)
    log(PLAIN)
    assert csv.field_size_limit(before) == 12_345


def test_a_line_without_an_end_is_a_bad_row(log, monkeypatch):
    monkeypatch.setattr(requestlog, "LINE_CHARS", 1 << 17)
    good = '{"timestamp": 1, "input_tokens": 100, "output_tokens": 9, "p": "%s"}\n'
    found = log(good % "a" + good % ("b" * (1 << 18)) + good % "c")
    (bad,) = found.bad
    assert (bad.line, bad.got, found.requests.arrival_s.size) == (2, "a line that is too long", 2)


def test_all_bad_rows_are_counted_and_the_first_are_kept(log):
    found = log(PLAIN + "x,1,1\n" * 500)
    assert (found.n_bad, len(found.bad), found.n_rows) == (500, requestlog.KEPT, 503)
    assert [row.line for row in found.bad] == list(range(5, 5 + requestlog.KEPT))


# --- whole files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"timestamp,input_tokens,output_tokens\n", "no usable row among 0"),
        (
            b"timestamp,input_tokens,output_tokens\nx,y,z\n",
            "no usable row among 1; the first: line",
        ),
        (b"timestamp,output_tokens\n1,2\n", "no column for input tokens: expected one of input_to"),
        (b"a,b,c\n1,2,3\n", "no column for a time: .* found 'a', 'b', 'c'"),
        (b"input_tokens,output_tokens\n1,2\n", "no column for a time"),
        (b"timestamp,input_tokens\n1,2\n", "no column for output tokens"),
        (b'{"a": 1}\n', "no column for a time"),
        (b'[{"timestamp": 1}]', "is one JSON array; expected one JSON object per line"),
        (b"PK\x03\x04\x00\x00\x08", "is not text"),
        ("timestamp,input_tokens".encode("utf-16-le"), "is not text"),
        (b"\x1f\x8b\x08\x00broken", "cannot be read"),
        (gzip.compress(PLAIN.encode() * 99, mtime=0)[:-20], "cannot be read"),
        (b"\xff\xfea", "is not text"),
        (b'"timestamp,input_tokens\n', "not a header of column names"),
    ],
)
def test_a_file_that_is_no_log_ends_in_one_line_that_names_it(log, content, told):
    with pytest.raises(LogError, match=rf"my\.csv: .*{told}") as stop:
        log(content)
    assert "\n" not in str(stop.value)


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(LogError, match=r"(not found|cannot be read)"):
        requestlog.read(tmp_path / name)


CELLS = st.one_of(
    st.sampled_from(["1", "2.0", "100", "-1", "nan", "1e400", "", "=A1", "2026-11-20T00:00:00Z"]),
    st.text(max_size=6),
    st.integers(-10, 10**20).map(str),
    st.floats().map(str),
)
HEADERS = st.sampled_from(["timestamp,input_tokens,output_tokens", "ts,isl,osl", "{", ""])
QUIET = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@QUIET
@given(header=HEADERS, body=st.lists(st.lists(CELLS, max_size=5), max_size=12))
def test_any_rubbish_is_a_log_or_one_clear_line(log, header, body):
    text = "\n".join([header, *(",".join(row) for row in body)])
    one_or_the_other(log, text.encode("utf-8", "surrogatepass"))


@QUIET
@given(content=st.binary(max_size=300))
@pytest.mark.parametrize("before", [b"", PLAIN.encode(), b'{"timestamp": 1}\n', b"\x1f\x8b\x08"])
def test_any_bytes_are_a_log_or_one_clear_line(log, before, content):
    one_or_the_other(log, before + content)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@QUIET
@given(
    records=st.lists(
        st.fixed_dictionaries(
            {"timestamp": JSON, "input_length": JSON, "output_length": JSON},
            optional={"session": JSON, "hash_ids": JSON, "cached_tokens": JSON, "usage": JSON},
        ),
        max_size=8,
    )
)
def test_any_json_is_a_log_or_one_clear_line(log, records):
    one_or_the_other(log, rows(*records).encode())


def one_or_the_other(log, content):
    try:
        found = log(content)
    except LogError as why:
        complaint = str(why)
    else:
        complaint = ""
    assert len(complaint.splitlines()) <= 1
    if complaint:
        return
    kept = found.requests.arrival_s.size
    assert kept == found.n_rows - found.n_bad
    assert kept > 0
    assert np.isfinite(found.requests.arrival_s).all()
    assert all(len(str(row).splitlines()) == 1 for row in found.bad)
