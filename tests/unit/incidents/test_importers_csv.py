import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.errors import InvalidInputError
from qa_agents.incidents.importers import Row, read_rows
from qa_agents.incidents.importers.source import LIMIT_BYTES
from qa_agents.incidents.importers.table import plain
from qa_agents.incidents.schema import Incident


def rows_of(tmp_path: Path, body: bytes | str, format: str = "auto") -> list[Row]:
    path = tmp_path / "issues.csv"
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return list(read_rows(path, format))


def incidents_of(tmp_path: Path, body: bytes | str, format: str = "auto") -> list[Incident]:
    rows = rows_of(tmp_path, body, format)
    assert [row.reason for row in rows if row.reason] == []
    return [row.incident for row in rows if row.incident]


def test_headers_go_by_any_common_name(tmp_path: Path) -> None:
    (incident,) = incidents_of(
        tmp_path,
        "Bug ID,Title,Body,Opened At,Project,Component/s,Severity,Prio,Kind,State,Resolution,Fixed date,Duplicate of,"
        "Assigned To,Reported by,Tags,Last Updated,Resolution notes,OS,Team\n"
        'B-1,Crash,It crashes,2024-05-01 10:00,Shop,"Cart; Checkout, EU",High,P1,Bug,Closed,Fixed,2024-05-03,'
        '"B-0, B-9",Ann,Bob,"ios,crash",2024-05-04,Null check added,iOS 17,Blue\n',
    )
    assert incident == Incident(
        id="B-1", summary="Crash", description="It crashes", created=datetime(2024, 5, 1, 10, tzinfo=UTC),
        product="Shop", components=["Cart", "Checkout, EU"], severity="High", priority="P1", type="Bug",
        status="Closed", resolution="Fixed", resolved=datetime(2024, 5, 3, tzinfo=UTC), duplicate_of=["B-0", "B-9"],
        assignee="Ann", reporter="Bob", labels=["ios", "crash"], updated=datetime(2024, 5, 4, tzinfo=UTC),
        resolution_note="Null check added", platform="iOS 17", Team="Blue",
    )  # fmt: skip
    assert incident.component == "Cart"


@pytest.mark.parametrize("name", ["Issue key", "ISSUE-KEY", "issue_key", " Issue  Key "])
def test_case_and_punctuation_of_a_header_do_not_matter(name: str) -> None:
    assert plain(name) == "issuekey"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_delimiter_is_told_from_the_header(tmp_path: Path, delimiter: str) -> None:
    body = "\n".join(delimiter.join(cells) for cells in (["id", "summary", "labels"], ["1", '"a, b; c\td|e"', "x"]))
    (incident,) = incidents_of(tmp_path, body)
    assert (incident.summary, incident.labels) == ("a, b; c\td|e", ["x"])


def test_the_best_column_leads_and_the_others_are_kept(tmp_path: Path) -> None:
    (incident,) = incidents_of(tmp_path, "Issue id,Issue key,Details,Description,Details\n77,X-1,a,b,c\n", "csv")
    assert (incident.id, incident.description) == ("X-1", "b")
    assert incident.model_extra == {"Issue id": "77", "Details": "a; c"}


def test_blank_cells_and_missing_ones_are_nothing(tmp_path: Path) -> None:
    first, second = incidents_of(tmp_path, "id,summary,severity,Team,\n1,x, ,,\n2,y\n")
    assert (first.severity, first.model_extra) == (None, {})
    assert second.summary == "y"


def test_the_line_of_a_row_is_its_first_physical_line(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, 'id,summary\r\n1,"one\r\n\r\nmore"\r\n\r\n2,"two\nlines"\n3,x,y,z\n')
    assert [(row.line, row.id) for row in rows] == [(2, "1"), (6, "2"), (8, None)]
    assert rows[0].incident is not None
    assert rows[0].incident.summary == "one\n\nmore"
    assert rows[2].reason == "has 4 columns where the header has 2"


@pytest.mark.parametrize(
    "broken",
    [
        '2,"never closed',
        '2,"said "loudly" today"',
        '2,"said "loudly"\nand, more\nlines, of, prose",x',
        '2,"never closed\nin, two lines',
    ],
)
def test_a_stray_quote_costs_its_row_and_not_the_rest(tmp_path: Path, broken: str) -> None:
    good = "".join(f'{n},"summary {n}",x\n' for n in range(10, 30))
    rows = rows_of(tmp_path, f"id,summary,labels\n1,one,x\n{broken}\n{good}")
    ids = [row.id for row in rows if row.incident]
    assert ids == ["1", *map(str, range(10, 30))]
    bad = next(row for row in rows if row.incident is None)
    assert bad.line == 3
    assert "quote" in (bad.reason or "")


def test_a_quote_that_stays_open_for_sixteen_megabytes_costs_its_row(tmp_path: Path) -> None:
    line = "x" * 1_000_000
    body = 'id,summary\n1,"open\n' + f"{line}\n" * (LIMIT_BYTES // 1_000_000 + 2) + "2,fine\n"
    rows = rows_of(tmp_path, body)
    assert "larger than 16 MB: is a quote never closed?" in (rows[0].reason or "")
    assert [row.id for row in rows if row.incident] == ["2"]


def test_a_hostile_table_of_quotes_stays_linear(tmp_path: Path) -> None:
    body = "id,summary\n" + '","\n"",""x\n' * 20_000 + 'last,"open'
    rows = rows_of(tmp_path, body)
    assert all(row.incident is None or row.incident.summary for row in rows)
    assert rows


def test_a_line_above_the_limit_costs_its_row(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"id,summary\n1,one\n2,{'x' * LIMIT_BYTES}xx\n3,three\n")
    assert [row.id for row in rows if row.incident] == ["1", "3"]
    assert "larger than 16 MB" in (rows[1].reason or "")


def test_a_row_in_another_encoding_costs_that_row(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, b'id,summary\n1,one\n2,"caf\xe9\nmore"\n3,three\n')
    assert [row.reason for row in rows] == [None, "line 3 is not UTF-8 (byte 0xe9 at 7)", None]


def test_nul_bytes_in_a_table_become_replacement_characters(tmp_path: Path) -> None:
    (incident,) = incidents_of(tmp_path, "id,summary,Team\n1,a\0b,c\0d\n")
    assert (incident.summary, incident.model_extra) == ("a\ufffdb", {"Team": "c\ufffdd"})


def test_one_clear_day_settles_the_order_of_day_and_month_for_the_file(tmp_path: Path) -> None:
    incidents = incidents_of(tmp_path, "id,summary,created\n1,x,03/04/2011\n2,y,25/04/2011\n")
    assert [incident.created for incident in incidents] == [
        datetime(2011, 4, 3, tzinfo=UTC),
        datetime(2011, 4, 25, tzinfo=UTC),
    ]
    (row,) = rows_of(tmp_path, "id,summary,created\n1,x,03/04/2011\n")
    assert "either of two days" in (row.reason or "")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("name,age\nBob,3\n", r"no column of its header holds an id \(found: 'name', 'age'\)"),
        ("id,age\nBob,3\n", "holds a summary or description"),
        ("Dear team,\nthe app crashes.\n", "no column of its header holds an id"),
        (b"id,caf\xe9\n1,x\n", "not UTF-8"),
    ],
)
def test_a_table_without_what_is_needed_is_refused_at_once(tmp_path: Path, body: bytes | str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said) as caught:
        rows_of(tmp_path, body)
    assert caught.value.hint


def test_a_header_without_rows_is_no_row(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "id,summary\n") == []


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('",;\n'), max_size=20)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8), st.sampled_from([",", ";", "\t"]))
def test_what_csv_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], delimiter: str
) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow(["id", "summary", "Team"])
    writer.writerows([f"I-{number}", f"s{summary}", team] for number, (summary, team) in enumerate(cells))
    found = incidents_of(tmp_path_factory.mktemp("csv"), file.getvalue())
    assert [incident.summary for incident in found] == [f"s{summary}" for summary, _ in cells]
    assert [(incident.model_extra or {}).get("Team", "") for incident in found] == [
        team if team.strip() else "" for _, team in cells
    ]


@given(st.binary(max_size=300))
def test_no_bytes_under_a_header_raise(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    for row in rows_of(tmp_path_factory.mktemp("csv"), b"id,summary\n" + b"1,first\n" * 1_000 + body):
        assert (row.incident is None) != (row.reason is None)


JIRA_HEADER = (
    "Summary,Issue key,Issue id,Issue Type,Status,Project key,Project name,Priority,Resolution,Assignee,Reporter,"
    "Creator,Created,Updated,Last Viewed,Resolved,Affects Version/s,Affects Version/s,Component/s,Component/s,Labels,"
    "Labels,Description,Environment,Watchers,Inward issue link (Duplicate),Outward issue link (Duplicate),"
    "Outward issue link (Duplicate),Outward issue link (Cloners),Custom field (Customer Severity),"
    "Custom field (Severity),Custom field (Status),Custom field (Team),Team,Comment,Comment,Comment\n"
)
JIRA_ROW = (
    "Crash on start,TIMOB-1,10001,Bug,Closed,TIMOB,Titanium,High,Duplicate,ann,bob,bob,"
    "29/Mar/11 4:48 PM,2013-09-16 17:45,,16/Sep/13 5:45 PM,1.7.0,1.7.1,Android,iOS,crash,start,"
    '"It crashes,\r\nalways",Nexus 5,bob,TIMOB-7,TIMOB-2,TIMOB-3,TIMOB-4,S3,S1,'
    "odd,Blue,Red,"
    '"29/Mar/11 5:00 PM;bob;I, the reporter, see this on every one of my devices.",'
    '"16/Sep/13 5:40 PM;ann;The null check was missing; added in 1.7.2, see the commit.",'
    "16/Sep/13 5:45 PM;ann;Closing.\n"
)


def test_jiras_export_is_known_by_its_header_and_read_field_by_field(tmp_path: Path) -> None:
    (incident,) = incidents_of(tmp_path, JIRA_HEADER + JIRA_ROW)
    assert incident == Incident(
        id="TIMOB-1", summary="Crash on start", description="It crashes,\nalways\n\nEnvironment: Nexus 5",
        created=datetime(2011, 3, 29, 16, 48, tzinfo=UTC), updated=datetime(2013, 9, 16, 17, 45, tzinfo=UTC),
        resolved=datetime(2013, 9, 16, 17, 45, tzinfo=UTC), product="TIMOB", version="1.7.0",
        components=["Android", "iOS"], labels=["crash", "start"], severity="S1", priority="High", type="Bug",
        status="Closed", resolution="Duplicate", assignee="ann", reporter="bob", duplicate_of=["TIMOB-2", "TIMOB-3"],
        resolution_note="The null check was missing; added in 1.7.2, see the commit.",
        environment="Nexus 5", cloned_from=["TIMOB-4"], Status="odd",
        **{"Team": ["Blue", "Red"], "Customer Severity": "S3"},
    )  # fmt: skip


def test_an_unresolved_issue_of_jiras_has_no_resolution_and_no_note(tmp_path: Path) -> None:
    (incident,) = incidents_of(
        tmp_path,
        "Issue key,Summary,Resolution,Resolved,Comment\n"
        "A-1,x,Unresolved,,16/Sep/13 5:40 PM;ann;A long comment that explains a lot about the issue.\n",
    )
    assert (incident.resolution, incident.resolved, incident.resolution_note) == (None, None, None)


def test_only_a_table_with_jiras_columns_passes_as_jiras(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="not an export of Jira's"):
        rows_of(tmp_path, "id,summary\n1,x\n", "jira")
