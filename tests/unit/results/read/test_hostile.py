# ruff: noqa: E501 - the files that are read have lines as long as they like
"""Damaged, cut off, hostile, huge: each file is read as far as it goes or refused in a sentence, nothing is lost quietly."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.results.read import Limits, read_run
from qa_agents.results.read.files import Contents, read_member
from qa_agents.results.read.reading import CUT_INSIDE, Attempt, Reading
from qa_agents.results.read.sources import Member
from qa_agents.results.schema import Coverage, ScoredOutput, TestResult

JUNIT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="s" tests="3" failures="1">
<testcase classname="c" name="one" time="0.1"/>
<testcase classname="c" name="two"><failure message="m">trace &lt;here&gt;</failure></testcase>
<testcase classname="c" name="three"></testcase>
</testsuite></testsuites>"""


def contents(body: bytes | str, limits: Limits | None = None) -> Contents:
    data = body if isinstance(body, bytes) else body.encode()
    return read_member(Member("x", lambda: io.BytesIO(data), True), Reading(limits or Limits()))


def results(read: Contents) -> list[TestResult]:
    return [
        item.result if isinstance(item, Attempt) else item
        for item in read.items
        if isinstance(item, Attempt | TestResult)
    ]


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&x;"/></testsuite>',
        '<!DOCTYPE t [<!ENTITY x SYSTEM "http://127.0.0.1:9/">]><testsuite name="&x;"/>',
        '<!DOCTYPE t [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><testsuite/>',
        '<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><testsuite name="&b;"/>',
        '<!DOCTYPE t [<!NOTATION n SYSTEM "n"><!ENTITY x SYSTEM "file:///etc/passwd" NDATA n>]><testsuite/>',
    ],
)
def test_xml_that_declares_entities_is_refused_whole(document: str) -> None:
    read = contents(document)
    assert read.items == []
    assert read.file.refused.startswith("The XML declares entities")
    assert "root:" not in read.file.refused


def test_a_harmless_doctype_is_allowed_and_nothing_is_fetched() -> None:
    read = contents(
        '<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd"><coverage line-rate="0"/>'
    )
    assert read.file.flavour == "Cobertura XML"


@pytest.mark.parametrize("end", range(60, len(JUNIT) - 3, 7))
def test_junit_cut_off_anywhere_never_makes_a_test_pass_that_was_not_seen_to_end(end: int) -> None:
    read = contents(JUNIT[:end])
    whole = {"one": "passed", "two": "failed", "three": "passed"}
    assert read.file.refused or not read.file.is_whole
    for result in results(read):
        assert result.outcome == whole[result.name] or result.message == CUT_INSIDE
    ended = sum(JUNIT[:end].count(sign) for sign in ("/>\n", "</testcase>"))
    assert len(results(read)) >= ended - JUNIT[:end].count('<?xml version="1.0"/>')


def test_json_cut_off_keeps_what_is_complete_and_says_so() -> None:
    document = json.dumps(
        {"stats": {}, "tests": [{"title": f"t{n}", "fullTitle": f"t{n}", "duration": 1, "err": {}} for n in range(5)]}
    )
    kept = 0
    for end in range(20, len(document) - 1, 11):
        read = contents(document[:end])
        assert read.file.refused or (read.file.notes and not read.file.is_whole), document[:end]
        assert all(result.outcome != "failed" for result in results(read))
        assert len([r for r in results(read) if r.outcome == "passed"]) <= document[:end].count('"err": {}}')
        kept = max(kept, len(results(read)))
    assert kept == 5


def test_control_characters_and_wrong_bytes_are_replaced_and_counted() -> None:
    body = b'<testsuite><testcase name="a\x01b"/><testcase name="c\xffd"/><testcase name="e&#0;f &"/></testsuite>'
    read = contents(body)
    assert [result.name for result in results(read)] == ["a\ufffdb", "c\ufffdd", "e\ufffdf &"]
    assert read.file.notes == (
        "1 characters are not utf-8 and were replaced.",
        "2 control characters that XML does not allow were replaced.",
        "1 bare ampersands were read as text.",
    )


def test_a_declared_encoding_is_honoured_and_an_unknown_one_is_said() -> None:
    latin = '<?xml version="1.0" encoding="ISO-8859-1"?><testsuite><testcase name="ü"/></testsuite>'.encode("latin-1")
    assert results(contents(latin))[0].name == "ü"
    utf16 = '<?xml version="1.0" encoding="UTF-16"?><testsuite><testcase name="ü"/></testsuite>'.encode("utf-16")
    assert results(contents(utf16))[0].name == "ü"
    odd = '<?xml version="1.0" encoding="klingon"?><testsuite><testcase name="ü"/></testsuite>'.encode()
    read = contents(odd)
    assert results(read)[0].name == "ü"
    assert "klingon" in read.file.notes[0]


def test_terminal_sequences_never_reach_what_is_kept() -> None:
    read = contents("1..1\nnot ok 1 - a\x1b[2J\x1b]0;title\x07b \u202e\n# \x1b[31mred\x1b[0m\n")
    assert results(read)[0].name.startswith("ab")
    assert results(read)[0].message == "red"


def test_a_test_without_a_name_is_kept_under_a_stated_one() -> None:
    read = contents("<testsuite><testcase/><testcase name=' '/></testsuite>")
    assert [result.name for result in results(read)] == ["(no name given)"] * 2
    assert read.file.notes == ('2 tests have no name; kept as "(no name given)".',)


def test_long_names_stay_different_and_long_texts_keep_both_ends() -> None:
    long = "n" * 5_000
    read = contents(
        f'<testsuite><testcase name="{long}a"/><testcase name="{long}b"><failure>HEAD{long * 9}TAIL</failure></testcase></testsuite>'
    )
    first, second = results(read)
    assert first.name != second.name
    assert len(first.name) == 2_000
    assert second.details.startswith("HEAD")
    assert second.details.endswith("TAIL")
    assert len(second.details) <= 20_000
    assert set(read.file.notes) == {"2 very long names were cut.", "One long text was cut."}


def test_elements_nested_too_deep_end_the_reading() -> None:
    read = contents("<testsuite>" * 5_000 + "</testsuite>" * 5_000)
    assert "nested more than 200 deep" in read.file.refused
    assert "too deeply nested" in contents("[" * 200_000).file.refused


def test_more_results_than_the_limit_are_said_not_to_be_read() -> None:
    read = contents(JUNIT, Limits(results=2))
    assert len(results(read)) == 2
    assert not read.file.is_whole
    assert "more than 2 results" in read.file.notes[0]


def test_what_takes_too_long_is_stopped_and_said() -> None:
    reading = Reading(deadline=0.0)
    read = read_member(Member("x", lambda: io.BytesIO(JUNIT.encode()), True), reading)
    assert read.file.refused == "Reading took too long and was stopped."


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def test_archives_are_read_in_place_and_names_in_them_open_nothing(tmp_path: Path) -> None:
    inner = zipped(**{"deep.xml": JUNIT.encode()})
    outer = zipped(**{"../../evil.xml": JUNIT.encode(), "inner.zip": inner, "a.png": b"\x89PNG\0\0"})
    (tmp_path / "r.zip").write_bytes(outer)
    run = read_run([str(tmp_path / "r.zip")])
    assert len(run.results) == 6
    assert [Path(file.name).name for file in run.files] == ["evil.xml", "deep.xml", "a.png"]
    assert run.files[2].refused == "It is no text, so no test results."
    assert run.files[2].is_whole
    assert not list(tmp_path.parent.rglob("evil.xml"))


def test_an_archive_bomb_stops_at_the_ratio(tmp_path: Path) -> None:
    bomb = zipped(**{"bomb.xml": b"<testsuite>" + b" " * 30_000_000})
    (tmp_path / "bomb.zip").write_bytes(bomb)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"ok 1\n" * 6_000_000))
    for name in ("bomb.zip", "bomb.gz"):
        with pytest.raises(InvalidInputError, match="larger than 10 MB unpacked"):
            read_run([str(tmp_path / name)], limits=Limits())


def test_damaged_and_encrypted_archives_are_refused(tmp_path: Path) -> None:
    body = bytearray(zipped(**{"a.xml": JUNIT.encode()}))
    (tmp_path / "cut.zip").write_bytes(body[:-30])
    with pytest.raises(InvalidInputError, match="The archive is damaged"):
        read_run([str(tmp_path / "cut.zip")])
    body[body.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "secret.zip").write_bytes(body)
    with pytest.raises(InvalidInputError, match="It is encrypted"):
        read_run([str(tmp_path / "secret.zip")])
    (tmp_path / "cut.gz").write_bytes(gzip.compress(JUNIT.encode())[:-20])
    with pytest.raises(InvalidInputError, match="It cannot be read"):
        read_run([str(tmp_path / "cut.gz")])


def test_folders_patterns_and_nothing(tmp_path: Path) -> None:
    for name in ("a/TEST-1.xml", "a/b/TEST-2.xml", ".git/TEST-3.xml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(JUNIT)
    (tmp_path / "a/readme.txt").write_text("hello")
    assert len(read_run([str(tmp_path)]).results) == 6
    assert len(read_run([str(tmp_path / "**/TEST-*.xml"), str(tmp_path / "a")]).results) == 6
    for nothing in ("missing.xml", "*.nope"):
        with pytest.raises(NotFoundError):
            read_run([str(tmp_path / nothing)])
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="holds no files"):
        read_run([str(tmp_path / "empty")])
    with pytest.raises(InvalidInputError, match="no regular file"):
        read_run(["/dev/null"])
    with pytest.raises(InvalidInputError, match=r"more than 1 files"):
        read_run([str(tmp_path / "a")], limits=Limits(files=1))


def test_the_same_files_are_the_same_run_and_another_commit_is_another(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(JUNIT)
    name = str(tmp_path / "a.xml")
    assert read_run([name]).info.run_id == read_run([name]).info.run_id
    assert read_run([name], commit="a").info.run_id != read_run([name], commit="b").info.run_id


SEEDS = [
    JUNIT.encode(),
    b'{"stats": {}, "tests": [{"title": "a", "fullTitle": "S a", "err": {"message": "no"}}]}',
    b'[{"uri": "f", "elements": [{"type": "scenario", "name": "S", "steps": [{"result": {"status": "failed", "duration": 1}}]}]}]',
    b'{"name": "t", "status": "failed", "uuid": "1", "labels": [{"name": "suite", "value": "s"}], "start": 1, "stop": 2}',
    b"TAP version 13\n1..2\nok 1 - a # TODO b\nnot ok 2\n  ---\n  message: m\n  ...\n",
    b'{"config": {}, "suites": [{"specs": [{"title": "t", "tests": [{"status": "flaky", "results": [{"status": "passed"}]}]}]}]}',
    b'{"Action":"run","Package":"p","Test":"A"}\n{"Action":"fail","Package":"p","Test":"A","Elapsed":0.5}\n',
    b'{"id": "q", "scores": {"a": 1}, "latency_ms": 5, "groups": {"l": "de"}, "at": "2026-03-01T12:00:00Z"}\n{"id": 2, "score": 0}\n',
    b'{"exitcode": 1, "tests": [{"nodeid": "a::b[c]", "outcome": "failed", "call": {"longrepr": "x"}}], "collectors": []}',
    b'<TestRun><Results><UnitTestResult testName="a.b" outcome="Failed" duration="00:00:01"/></Results></TestRun>',
    b'<coverage line-rate="1"><class filename="a"><line number="1" hits="1" condition-coverage="(1/2)"/></class></coverage>',
    b"SF:a\nDA:1,1\nBRDA:1,0,0,1\nend_of_record\n",
    b"mode: set\na.go:1.1,2.2 3 1\n",
    b'{"testResults": [{"name": "f", "status": "failed", "assertionResults": [{"title": "t", "status": "failed"}]}]}',
    b'{"id":{"testResult":{"label":"//a"}},"testResult":{"status":"FAILED"}}\n{"id":{"started":{}},"started":{"startTimeMillis":"1"}}\n',
    zipped(**{"a.xml": JUNIT.encode()}),
]
ODD = [
    b"null",
    b"{}",
    b"[]",
    b'"',
    b"<",
    b">",
    b"&",
    b"\0",
    b"\xff",
    b"-1",
    b"1e999",
    b"9" * 400,
    b"&#0;",
    b"\\ud800",
    b"<!DOCTYPE",
    b"]]>",
]


@given(st.data())
@examples(max_examples=250)
def test_whatever_happens_to_a_file_it_is_read_or_refused_in_a_sentence(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(SEEDS))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body)))
        kind = data.draw(st.sampled_from(["cut", "insert", "delete", "swap", "repeat"]))
        if kind == "cut":
            body = body[:at]
        elif kind == "insert":
            body = body[:at] + data.draw(st.sampled_from(ODD) | st.binary(max_size=6)) + body[at:]
        elif kind == "delete":
            body = body[:at] + body[at + data.draw(st.integers(1, 30)) :]
        elif kind == "swap" and at < len(body):
            body = body[:at] + bytes([data.draw(st.integers(0, 255))]) + body[at + 1 :]
        else:
            body = body[:at] + body[at : at + 40] * 3 + body[at:]
    read = contents(body)
    assert bool(read.file.refused) != bool(read.file.flavour)
    assert all(isinstance(item, TestResult | Attempt | ScoredOutput | Coverage) for item in read.items)
    for sentence in (read.file.refused, *read.file.notes):
        assert "\n" not in sentence
        assert len(sentence) < 500


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "name",
                        "status",
                        "tests",
                        "suites",
                        "results",
                        "stats",
                        "elements",
                        "uri",
                        "testResults",
                        "assertionResults",
                        "config",
                        "specs",
                        "exitcode",
                        "testCases",
                        "scores",
                        "labels",
                        "steps",
                        "result",
                        "err",
                        "uuid",
                        "nodeid",
                        "call",
                        "historyId",
                        "start",
                        "collectors",
                    ]
                ),
                inner,
                max_size=6,
            )
        ),
        max_leaves=30,
    )
)
@examples(max_examples=250)
def test_json_of_any_shape_is_read_or_refused(document: object) -> None:
    read = contents(json.dumps(document))
    assert bool(read.file.refused) != bool(read.file.flavour)
