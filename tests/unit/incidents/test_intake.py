import gzip
import hashlib
import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.errors import InvalidInputError, NotFoundError, QAAgentsError
from qa_agents.incidents.intake import ReceivedReport, made_id, read_batch, read_report, split_text
from qa_agents.incidents.schema import Report

LIMIT = 10_000
ONE = {"id": "R-1", "summary": "one", "description": "d"}
TWO = {"id": "R-2", "summary": "two"}


def put(tmp_path: Path, name: str, body: bytes | str | object) -> Path:
    path = tmp_path / name
    if isinstance(body, bytes):
        path.write_bytes(body)
    else:
        path.write_text(body if isinstance(body, str) else json.dumps(body), encoding="utf-8")
    return path


def ids(received: list[ReceivedReport]) -> list[str | None]:
    return [each.report.id if each.report else None for each in received]


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("a.json", json.dumps(ONE), ["R-1"]),
        ("a.json", json.dumps(ONE, indent=2), ["R-1"]),
        ("a.json", json.dumps([ONE, TWO], indent=2), ["R-1", "R-2"]),
        ("a.json", json.dumps(ONE) + "\n" + json.dumps(TWO), ["R-1", "R-2"]),
        ("a.jsonl", json.dumps(ONE) + "\n\n" + json.dumps(TWO) + "\n", ["R-1", "R-2"]),
        ("a", json.dumps(ONE), ["R-1"]),
        ("a.json", "\ufeff" + json.dumps(ONE), ["R-1"]),
    ],
)
def test_json_is_read_whatever_its_layout(tmp_path: Path, name: str, body: str, expected: list[str]) -> None:
    assert ids(read_report(put(tmp_path, name, body), LIMIT)) == expected


@pytest.mark.parametrize("pack", [gzip.compress, lambda body: zstandard.ZstdCompressor().compress(body)])
def test_packed_reports_are_unpacked_and_told_by_the_name_inside(tmp_path: Path, pack: object) -> None:
    path = put(tmp_path, "a.txt.gz", pack(b'{"code": 500} came back\nwhen saving'))  # type: ignore[operator]
    (received,) = read_report(path, LIMIT)
    assert received.report is not None
    assert received.report.summary == '{"code": 500} came back'


def test_a_report_is_identified_by_its_bytes(tmp_path: Path) -> None:
    raws = [json.dumps(ONE).encode(), json.dumps(TWO).encode()]
    received = list(read_batch(put(tmp_path, "a.jsonl", b"\r\n".join(raws) + b"\r\n"), LIMIT))
    assert [each.raw for each in received] == raws
    assert [each.raw_sha256 for each in received] == [hashlib.sha256(raw).hexdigest() for raw in raws]
    assert [each.line for each in received] == [1, 2]


@pytest.mark.parametrize(
    ("text", "summary", "description"),
    [
        ("\n\nIt crashes\n\nsteps\n 1. open\n", "It crashes", "steps\n 1. open"),
        ("# It *crashes*\r\nsteps\r\nmore", "It *crashes*", "steps\nmore"),
        ("only one line", "only one line", ""),
        ("#hashtag first\nrest", "#hashtag first", "rest"),
        ("[ERROR] it broke\nrest", "[ERROR] it broke", "rest"),
    ],
)
def test_the_first_line_of_a_text_is_the_summary(tmp_path: Path, text: str, summary: str, description: str) -> None:
    for name in ("a.txt", "a.md", "a"):
        (received,) = read_report(put(tmp_path, name, text.encode()), LIMIT)
        assert received.report is not None
        assert (received.report.summary, received.report.description) == (summary, description)
        assert received.report.id == made_id(received.raw_sha256) == f"R-{received.raw_sha256[:10]}"
        assert received.raw == text.encode()


def test_a_first_line_that_is_a_whole_text_stays_in_the_description() -> None:
    text = "It crashed and then " * 50
    summary, description = split_text(text)
    assert len(summary) <= 301
    assert summary.endswith("…")
    assert description == text.strip()


def test_texts_in_other_encodings_are_read_and_it_is_said_so(tmp_path: Path) -> None:
    (western,) = read_report(put(tmp_path, "a.txt", "Caf\u00e9 stürzt ab".encode("cp1252")), LIMIT)
    assert western.report is not None
    assert western.report.summary == "Café stürzt ab"
    assert western.notes == ["it is not UTF-8 and was read as Windows-1252"]
    (wide,) = read_report(put(tmp_path, "b.txt", "Café\nzu".encode("utf-16")), LIMIT)
    assert wide.report is not None
    assert (wide.report.summary, wide.report.description) == ("Café", "zu")


def test_a_truncated_text_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    body = gzip.compress(("It crashes\n" + "".join(f"line {n * 7919 % 1009}\n" for n in range(900))).encode())
    (received,) = read_report(put(tmp_path, "a.txt.gz", body[:-200]), LIMIT)
    assert received.report is not None
    assert received.report.summary == "It crashes"
    assert "ends early" in received.notes[0]


def test_an_invalid_line_is_kept_with_its_reason_and_the_batch_goes_on(tmp_path: Path) -> None:
    lines = [json.dumps(ONE).encode(), b'{"id": ', b'{"summary": "caf\xe9"}', b"[]", b"", json.dumps(TWO).encode()]
    received = list(read_batch(put(tmp_path, "a.jsonl", b"\n".join(lines)), LIMIT))
    assert ids(received) == ["R-1", None, None, None, "R-2"]
    assert [each.line for each in received] == [1, 2, 3, 4, 6]
    assert [each.raw for each in received] == [line for line in lines if line]
    assert "is not JSON" in (received[1].problem or "")
    assert received[2].problem == "line 3 is not UTF-8 (byte 0xe9 at 17)"
    assert received[3].problem == "is a list where a JSON object is expected"


def test_a_report_without_id_is_called_after_its_content(tmp_path: Path) -> None:
    for record in ({"summary": "x"}, {"id": None, "summary": "x"}, {"id": " ", "summary": "x"}):
        (received,) = read_report(put(tmp_path, "a.json", record), LIMIT)
        assert received.report is not None
        assert received.report.id == made_id(received.raw_sha256)
        assert "has no id" in received.notes[0]


def test_a_date_that_cannot_be_meant_is_dropped_with_a_note(tmp_path: Path) -> None:
    for created, said in (("2999-01-01", "lies in the future (2999-01-01)"), ("soon", "is not a date ('soon')")):
        (received,) = read_report(put(tmp_path, "a.json", {**ONE, "created": created}), LIMIT)
        assert received.report is not None
        assert received.report.created is None
        assert said in received.notes[0]
    (received,) = read_report(put(tmp_path, "a.json", {**ONE, "created": "29/Mar/11 4:48 PM"}), LIMIT)
    assert received.report is not None
    assert received.report.created == datetime(2011, 3, 29, 16, 48, tzinfo=UTC)


def test_what_a_report_says_about_its_outcome_is_kept_beside_it(tmp_path: Path) -> None:
    said = {"component": "Cart", "severity": "S1", "duplicate_of": ["R-0"], "Team": {"a": [1]}}
    (received,) = read_report(put(tmp_path, "a.json", {**ONE, **said, "version": 1.7}), LIMIT)
    assert received.report is not None
    assert received.report.model_extra == said
    assert received.report.version == "1.7"
    assert not hasattr(type(received.report), "component")


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"title": "x", "body": "y"}, "has neither summary nor description (its keys: 'title', 'body')"),
        ({}, "has neither summary nor description (its keys: none)"),
        ({"id": "a\nb", "summary": "x"}, "`id` must be 1 to 200 printable characters"),
        ({"id": 1, "summary": ["x"]}, "`summary` should be a valid string"),
        ({"key": "A-1", "fields": {"summary": "x"}}, "is an issue as Jira stores it"),
        ({"id": 1, "summary": "\ud800"}, "half of a character"),
    ],
)
def test_what_is_no_report_says_why(tmp_path: Path, record: object, said: str) -> None:
    (received,) = read_report(put(tmp_path, "a.json", record), LIMIT)
    assert received.report is None
    assert said in (received.problem or "")
    assert received.raw


@pytest.mark.parametrize("name", ["a.txt", "a.json", "a.jsonl", "a"])
def test_a_report_above_the_limit_leaves_its_hash_and_a_reason(tmp_path: Path, name: str) -> None:
    body = b"It crashes " * 2_000 if name in ("a.txt", "a") else json.dumps({**ONE, "log": "x" * 20_000}).encode()
    (received,) = read_report(put(tmp_path, name, body), LIMIT)
    assert (received.report, received.raw) == (None, b"")
    assert received.raw_sha256 == hashlib.sha256(body).hexdigest()
    assert received.problem == "is larger than 10,000 bytes (setting max_report_bytes); only its hash is kept"


def test_a_line_above_the_limit_does_not_stop_the_batch(tmp_path: Path) -> None:
    lines = [json.dumps(ONE), json.dumps({"summary": "x" * 20_000}), json.dumps(TWO)]
    received = list(read_batch(put(tmp_path, "a.jsonl", "\n".join(lines)), LIMIT))
    assert ids(received) == ["R-1", None, "R-2"]
    assert received[1].raw_sha256 == hashlib.sha256(lines[1].encode()).hexdigest()


EXPORTS = {
    "search.json": json.dumps({"startAt": 0, "issues": [{"key": "A-1", "fields": {"summary": "x"}}]}),
    "export.csv": "Summary,Issue key\nx,A-1\n",
    "table.tsv": "whatever",
    "unnamed": "id,summary,status\n1,x,Open\n",
}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_of_past_issues_is_sent_to_the_import(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name, EXPORTS[name])
    for read in (read_report, lambda *args: list(read_batch(*args))):
        with pytest.raises(InvalidInputError, match="export of many issues, not a report") as caught:
            read(path, LIMIT)  # type: ignore[operator]
        assert "qa-agents incidents import" in caught.value.hint


def test_files_that_hold_no_report_are_one_sentence_each(tmp_path: Path) -> None:
    put(tmp_path, "empty.json", b"")
    put(tmp_path, "none.json", "[]")
    put(tmp_path, "sheet.txt", b"PK\x03\x04" + bytes(50))
    put(tmp_path, "picture", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    for name, error, said in (
        ("nowhere", NotFoundError, "There is no file"),
        (".", InvalidInputError, "is a directory"),
        ("empty.json", InvalidInputError, "is empty"),
        ("none.json", InvalidInputError, "holds no report"),
        ("sheet.txt", InvalidInputError, "a zip archive or a spreadsheet"),
        ("picture", InvalidInputError, "is not a text file"),
    ):
        with pytest.raises(error, match=said):
            read_report(tmp_path / name, LIMIT)


@pytest.mark.parametrize(
    ("body", "expected"),
    [(json.dumps(ONE), ["R-1"]), (json.dumps([ONE, TWO]), ["R-1", "R-2"]), ("It crashes\nbadly", None)],
)
def test_standard_input_is_told_by_its_content(
    monkeypatch: pytest.MonkeyPatch, body: str, expected: list[str] | None
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body.encode())))
    received = read_report("-", LIMIT)
    assert ids(received) == (expected or [made_id(hashlib.sha256(body.encode()).hexdigest())])


@given(st.lists(st.binary(max_size=60), max_size=8), st.sampled_from(["a.json", "a.jsonl", "a.txt", "a"]))
def test_any_bytes_are_reports_problems_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], name: str
) -> None:
    path = put(tmp_path_factory.mktemp("any"), name, b"\n".join(lines))
    for read in (read_report, lambda *args: list(read_batch(*args))):
        try:
            found = read(path, 50)  # type: ignore[operator]
        except QAAgentsError:
            continue
        for received in found:
            assert (received.report is None) == (received.problem is not None)
            assert len(received.raw_sha256) == 64


def test_every_example_report_is_readable() -> None:
    folder = Path(__file__).resolve().parents[3] / "examples" / "reports"
    if not folder.is_dir():
        pytest.skip("no examples in this checkout")
    for path in sorted(folder.iterdir()):
        assert all(received.report for received in read_report(path, 10_000_000)), path.name


def test_the_captured_payloads_are_problems_and_never_crashes(shared_data: Path) -> None:
    for path in sorted((shared_data / "jira" / "payloads").glob("*.json")):
        if path.stat().st_size:
            assert all(received.problem for received in read_report(path, 10_000_000)), path.name


@pytest.mark.parametrize(
    ("given", "restriction"),
    [
        ({}, None),
        ({"security": ""}, None),
        ({"security": None}, None),
        ({"restricted": False}, None),
        ({"restricted": "No"}, None),
        ({"security": "Embargo"}, "Embargo"),
        ({"security": {"name": "Embargo", "id": "10000"}}, "Embargo"),
        ({"Security Level": "Staff"}, "Staff"),
        ({"security_level": 3}, "restricted"),
        ({"restricted": True}, "restricted"),
        ({"restricted": "yes"}, "restricted"),
        ({"security": ["a"]}, "restricted"),
        ({"security": "Staff", "restricted": True}, "restricted"),
    ],
)
def test_what_keeps_people_from_a_report_is_read_from_its_keys_and_in_doubt_it_is_restricted(
    given: dict[str, object], restriction: str | None
) -> None:
    report = Report.model_validate({"id": "R-1", "summary": "x", **given})
    assert report.restriction == restriction
    assert report.open_to([]) is (restriction is None)
