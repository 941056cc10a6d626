import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.errors import InvalidInputError, UsageError
from qa_agents.incidents.importers import Row, read_rows
from qa_agents.incidents.importers.source import LIMIT_BYTES, Piece
from qa_agents.incidents.importers.strict_json import RowError, parse_object
from qa_agents.incidents.importers.values import _Splitter

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=8), VALUES, max_size=4), max_size=6)


def rows_of(tmp_path: Path, body: bytes | str, name: str = "file", format: str = "auto") -> list[Row]:
    path = tmp_path / name
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return list(read_rows(path, format))


def split(body: bytes, *, issues: bool = False, step: int = 65_536, limit: int = 1_000_000) -> list[Piece]:
    splitter = _Splitter(limit, "is too large", issues)
    pieces = []
    for start in range(0, len(body), step):
        pieces += splitter.feed(body[start : start + step])
    return pieces + list(splitter.end(None))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"id": 1, "id": 2}', 'has the key "id" twice'),
        (b'{"a": {"b": 1, "b": 1}}', 'has the key "b" twice'),
        (b'{"a": NaN}', "has NaN for a number"),
        (b'{"a": -Infinity}', "has -Infinity for a number"),
        (b'{"a": 1e999}', "number too large"),
        (b'{"a": 18446744073709551616}', "number of 20 digits"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "number of 5000 digits"),
        (b'{"a": "\\ud800"}', "half of a character"),
        (b'{"\\udfff": 1}', "half of a character"),
        (b'{"a": "\xed\xa0\x80"}', "is not UTF-8"),
        (b'{"a": "caf\xe9"}', "line 7 is not UTF-8 (byte 0xe9 at 11)"),
        (b'{"a": "\0"}', "is not JSON"),
        (b'{"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested too deeply"),
        (b'{"a": ' + b"[" * 250 + b"]" * 250 + b"}", "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": 1', "is not JSON"),
        (b"{'a': 1}", "is not JSON"),
        (b"[1]", "is a list where a JSON object is expected"),
        (b'"x"', "is a text where"),
        (b"null", "is null where"),
        (b"17", "is a number where"),
    ],
)
def test_json_that_could_not_be_kept_faithfully_is_refused_with_its_reason(line: bytes, said: str) -> None:
    with pytest.raises(RowError) as caught:
        parse_object(line, 7)
    assert said in str(caught.value)


def test_escaped_nul_becomes_a_replacement_character_everywhere() -> None:
    parsed = parse_object(b'{"a\\u0000": "x\\u0000y", "b": ["\\u0000", {"c": "\\\\u0000"}], "n": 1}', 1)
    assert parsed == {"a\ufffd": "x\ufffdy", "b": ["\ufffd", {"c": "\\u0000"}], "n": 1}


def test_pairs_of_surrogates_are_characters() -> None:
    assert parse_object(b'{"a": "\\ud83d\\udca5"}', 1) == {"a": "\U0001f4a5"}


def test_a_hundred_thousand_keys_are_told_apart_in_linear_time() -> None:
    body = b"{" + b", ".join(b'"k%d": 1' % n for n in range(100_000)) + b', "k99999": 2}'
    with pytest.raises(RowError, match="k99999"):
        parse_object(body, 1)


@given(OBJECTS, st.integers(1, 40), st.sampled_from([None, 1, 2]))
def test_the_elements_of_an_array_are_found_wherever_chunks_break(
    values: list[dict[str, object]], step: int, indent: int | None
) -> None:
    body = json.dumps(values, indent=indent, ensure_ascii=False).encode()
    pieces = split(body, step=step)
    assert [json.loads(piece.raw) for piece in pieces] == values
    lines = body.split(b"\n")
    assert all(b"{" in lines[piece.line - 1] for piece in pieces)


@given(OBJECTS, VALUES, st.integers(1, 40))
def test_only_the_array_issues_of_a_top_level_object_counts(
    values: list[dict[str, object]], other: object, step: int
) -> None:
    page = {
        "expand": "issues",
        "nested": {"issues": [{"no": 1}]},
        "other": other,
        "issues": values,
        "names": {"x": "y"},
    }
    body = json.dumps(page).encode()
    assert [json.loads(piece.raw) for piece in split(body + b"\n" + body, issues=True, step=step)] == values * 2


@given(OBJECTS, st.integers(1, 40))
def test_objects_one_after_the_other_are_found(values: list[dict[str, object]], step: int) -> None:
    body = "\n".join(json.dumps(value, indent=1) for value in values).encode()
    assert [json.loads(piece.raw) for piece in split(body, step=step)] == values


@given(st.binary(max_size=200), st.integers(1, 40), st.booleans())
def test_no_bytes_break_the_splitter_nor_the_parser(body: bytes, step: int, issues: bool) -> None:
    for piece in split(body, step=step, issues=issues, limit=20):
        try:
            parse_object(piece.raw, piece.line)
        except RowError:
            continue


def test_what_is_no_object_in_an_array_is_a_piece_of_its_own() -> None:
    pieces = split(b'[{"a": 1}, 3, "x{y",\n [1, {"b": 2}], {"c": 3}] trailing')
    assert [piece.raw for piece in pieces] == [b'{"a": 1}', b'3, "x{y"', b'[1, {"b": 2}]', b'{"c": 3}', b"trailing"]
    assert [piece.line for piece in pieces] == [1, 2, 2, 2, 2]


def test_an_element_above_the_limit_is_skipped_and_the_rest_is_read() -> None:
    pieces = split(b'[{"a": 1}, {"b": "' + b"x" * 100 + b'"}, {"c": 1}]', step=7, limit=20)
    assert [piece.problem for piece in pieces] == [None, "is too large", None]


def test_an_array_that_ends_early_keeps_what_came_before() -> None:
    pieces = split(b'[{"a": 1}, {"b": ')
    assert [(piece.raw, piece.problem) for piece in pieces] == [
        (b'{"a": 1}', None),
        (b'{"b": ', "the file ends inside this object"),
    ]
    assert split(b'[{"a": 1},\n')[-1].problem == "the file ends before its JSON does"


HOSTILE = {
    "brackets": b"[" * 200_000,
    "braces": b"{" * 200_000,
    "quotes": b'"' * 200_001,
    "escapes": b'{"' + b"\\" * 200_000,
    "keys": b'{"a":{"a":' * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_json_is_read_to_a_reason(tmp_path: Path, name: str) -> None:
    rows = rows_of(tmp_path, b'{"id": 1, "summary": "ok"}\n' + HOSTILE[name] + b'\n{"id": 2, "summary": "ok"}\n')
    assert [row.incident is not None for row in rows] == [True, False, True]
    assert split(HOSTILE[name], issues=True) is not None


ONE = {"id": "I-1", "summary": "one", "created": "2024-05-01T10:00:00Z"}
TWO = {"id": "I-2", "summary": "two", "labels": ["x"]}


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(ONE) + "\n" + json.dumps(TWO),
        json.dumps(ONE) + "\r\n\r\n" + json.dumps(TWO) + "\r\n",
        "\ufeff" + json.dumps(ONE) + "\n" + json.dumps(TWO),
        json.dumps([ONE, TWO]),
        json.dumps([ONE, TWO], indent=2),
        json.dumps(ONE, indent=2) + "\n" + json.dumps(TWO, indent=2),
        "\n\n[" + json.dumps(ONE) + ",\n" + json.dumps(TWO) + "]\n",
    ],
)
def test_json_is_read_however_it_is_laid_out(tmp_path: Path, body: str) -> None:
    rows = rows_of(tmp_path, body)
    assert [row.incident.id for row in rows if row.incident] == ["I-1", "I-2"]
    assert all(row.reason is None for row in rows)


def test_a_single_spread_out_object_is_one_row(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, json.dumps(ONE, indent=4))
    assert row.incident is not None
    assert row.incident.created == datetime(2024, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("first", ['{"id": "broken', "# exported on Monday", '{"id": 1,', "[1, 2", "[]"])
def test_a_broken_first_line_does_not_hide_the_others(tmp_path: Path, first: str) -> None:
    rows = rows_of(tmp_path, "\n".join([first, json.dumps(ONE), json.dumps(TWO)]), format="jsonl")
    assert [(row.line, row.incident is not None) for row in rows] == [(1, False), (2, True), (3, True)]


@pytest.mark.parametrize("first", ['{"id": "broken', "# exported on Monday", '{"id": 1,'])
def test_a_broken_first_line_does_not_mislead_the_sniffing(tmp_path: Path, first: str) -> None:
    rows = rows_of(tmp_path, "\n".join([first, json.dumps(ONE), json.dumps(TWO)]))
    assert [row.incident is not None for row in rows] == [False, True, True]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"summary": "x"}, "has no id"),
        ({"id": "  ", "summary": "x"}, "has no id"),
        ({"id": "x"}, "has neither summary nor description"),
        ({"id": {"a": 1}, "summary": "x"}, "`id` should be a valid string"),
        ({"id": "x" * 300, "summary": "x"}, "`id` must be 1 to 200 printable characters"),
        ({"id": "a\nb", "summary": "x"}, "`id` must be 1 to 200 printable characters"),
        ({"id": 1, "summary": ["x"]}, "`summary` should be a valid string"),
        ({"id": 1, "summary": "x", "created": "yesterday"}, "`created` is not a date ('yesterday')"),
        ({"id": 1, "summary": "x", "created": "0001-01-01T00:00:00+14:00"}, "`created` is not a date"),
        ({"id": 1, "summary": "x", "resolved": 12}, "`resolved` is not a date (12)"),
        ({"id": 1, "summary": "x", "created": "2999-01-01"}, "was created in the future (2999-01-01)"),
        ({"id": 1, "summary": "x", "labels": [{"a": 1}]}, "`labels.0` should be a valid string"),
    ],
)
def test_a_record_that_is_no_incident_says_which_key_and_why(tmp_path: Path, record: object, said: str) -> None:
    first, second = rows_of(tmp_path, json.dumps(record) + "\n" + json.dumps(TWO))
    assert first.incident is None
    assert said in (first.reason or "")
    assert "\n" not in (first.reason or "")
    assert second.incident is not None


def test_numbers_stand_for_words_where_a_word_is_due(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, '{"id": 4711, "summary": "x", "version": 1.7, "priority": 2, "score": 0.5}')
    assert row.incident is not None
    assert (row.incident.id, row.incident.version, row.incident.priority) == ("4711", "1.7", "2")
    assert row.incident.model_extra == {"score": 0.5}


@pytest.mark.parametrize("key", ["", "__class__", "model_extra", "text", "model_config", "_x", "open_at", "__dict__"])
def test_any_key_is_kept_and_breaks_nothing(tmp_path: Path, key: str) -> None:
    (row,) = rows_of(tmp_path, json.dumps({"id": "1", "summary": "x", key: {"deep": [1]}}))
    assert row.incident is not None
    assert json.loads(row.incident.model_dump_json())[key] == {"deep": [1]}


def test_a_line_above_sixteen_megabytes_costs_that_line(tmp_path: Path) -> None:
    huge = json.dumps({"id": "huge", "summary": "x" * LIMIT_BYTES})
    rows = rows_of(tmp_path, "\n".join([json.dumps(ONE), huge, json.dumps(TWO)]))
    assert [row.reason for row in rows] == [None, "is larger than 16 MB", None]
    assert len(rows[1].raw_excerpt) <= 200
    rows = rows_of(tmp_path, "[" + ",\n".join([json.dumps(ONE), huge, json.dumps(TWO)]) + "]")
    assert [row.reason for row in rows] == [None, "is larger than 16 MB", None]


def test_a_line_in_another_encoding_costs_that_line(tmp_path: Path) -> None:
    body = json.dumps(ONE).encode() + b'\n{"id": "I-3", "summary": "caf\xe9"}\n' + json.dumps(TWO).encode()
    rows = rows_of(tmp_path, body)
    assert rows[1].reason == "line 2 is not UTF-8 (byte 0xe9 at 30)"
    assert [row.incident is not None for row in rows] == [True, False, True]


def test_xml_and_html_are_refused_with_what_to_do(tmp_path: Path) -> None:
    for body in ("<?xml version='1.0'?><rss/>", "<!DOCTYPE html><table>", "<html><body>"):
        with pytest.raises(InvalidInputError, match="XML or HTML") as caught:
            rows_of(tmp_path, body)
        assert "CSV" in caught.value.hint


def test_an_unknown_format_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format xml"):
        rows_of(tmp_path, "{}", format="xml")


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_no_bytes_raise_anything_but_one_sentence(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(b"\n".join(lines))
    with contextlib.suppress(InvalidInputError):
        for row in read_rows(path):
            assert (row.incident is None) != (row.reason is None)
