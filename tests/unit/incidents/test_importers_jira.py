import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.importers import read_rows
from qa_agents.incidents.importers.adf import MAX_CHARS, text_of_body
from qa_agents.incidents.importers.jira_fields import Comment, closing_note, link_kind
from qa_agents.incidents.importers.jira_json import field_names, issue_record, person
from qa_agents.incidents.importers.rows import incident_of
from qa_agents.incidents.importers.strict_json import RowError
from qa_agents.incidents.schema import Incident

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DUPLICATE = {"name": "Duplicate", "inward": "is duplicated by", "outward": "duplicates"}
CLONERS = {"name": "Cloners", "inward": "is cloned by", "outward": "clones"}
LONG = "The null check was missing; it is added in 1.7.2."


def issue(**fields: object) -> dict[str, object]:
    return {"id": "1", "key": "A-1", "fields": {"summary": "x", **fields}}


def incident(names: dict[str, str] | None = None, **fields: object) -> Incident:
    return incident_of(issue_record(issue(**fields), names or {}), NOW)


def comment(body: object, created: str = "2013-01-02T00:00:00.000+0000", author: str = "ann", **more: object) -> Any:
    return {"body": body, "created": created, "author": {"name": author}, **more}


def paragraph(text: str) -> dict[str, object]:
    return {"type": "paragraph", "content": [{"type": "text", "text": text}]}


def doc(*content: object) -> dict[str, object]:
    return {"type": "doc", "version": 1, "content": list(content)}


def test_an_issue_is_read_field_by_field() -> None:
    found = incident(
        {"customfield_1": "Bug Severity", "customfield_2": "Team", "customfield_3": "Rank"},
        summary=" Crash ", description="It crashes\r\nalways\r\n", environment="Nexus 5",
        project={"key": "A", "name": "App"}, components=[{"name": "Android"}, {"name": "iOS"}],
        priority={"name": "High"}, issuetype={"name": "Bug"},
        status={"name": "Closed"}, resolution={"name": "Fixed"}, resolutiondate="2013-01-02T00:00:00.000+0000",
        created="2013-01-01T00:00:00.000-0700", updated="2013-01-03T00:00:00.000+0000", versions=[{"name": "1.7"}],
        labels=["crash"], assignee={"name": "ann", "displayName": "Ann A."},
        reporter={"accountId": "5b1", "displayName": "Bob B."}, comment={"comments": [comment(LONG)]},
        customfield_1={"value": "S1", "id": "3"}, customfield_2=[{"value": "Blue"}, {"value": "Red"}],
        customfield_3=None, watches={"watchCount": 3},
    )  # fmt: skip
    assert found == Incident(
        id="A-1", summary="Crash", description="It crashes\nalways\n\nEnvironment: Nexus 5", product="A", version="1.7",
        created=datetime(2013, 1, 1, 7, tzinfo=UTC), resolved=datetime(2013, 1, 2, tzinfo=UTC), severity="S1",
        updated=datetime(2013, 1, 3, tzinfo=UTC), components=["Android", "iOS"], priority="High", type="Bug",
        status="Closed", resolution="Fixed", labels=["crash"], assignee="ann", reporter="Bob B.", resolution_note=LONG,
        environment="Nexus 5", Team=["Blue", "Red"], **{"Bug Severity": "S1"},
    )  # fmt: skip


def test_priority_never_stands_in_for_severity() -> None:
    found = incident(priority={"name": "Blocker"}, customfield_9={"value": "S1"})
    assert (found.priority, found.severity) == ("Blocker", None)


def test_the_field_called_severity_wins_over_longer_names() -> None:
    names = {"customfield_1": "Customer Severity", "customfield_2": "Severity"}
    assert incident(names, customfield_1="low", customfield_2={"value": "high"}).severity == "high"
    assert incident(names, customfield_1="low", customfield_2=None).severity == "low"
    assert incident(severity="S2").severity == "S2"


@pytest.mark.parametrize(
    ("kind", "side", "expected"),
    [
        (DUPLICATE, "outwardIssue", (["A-2"], None)),
        (DUPLICATE, "inwardIssue", ([], None)),
        (CLONERS, "outwardIssue", ([], ["A-2"])),
        (CLONERS, "inwardIssue", ([], None)),
        ({"name": "Duplicate", "inward": "duplicates", "outward": "is duplicated by"}, "inwardIssue", (["A-2"], None)),
        ({"name": "Duplicate", "inward": "duplicates", "outward": "is duplicated by"}, "outwardIssue", ([], None)),
        ({"name": "Cloners", "inward": "is cloned into", "outward": "is cloned from"}, "outwardIssue", ([], ["A-2"])),
        ({"name": "Duplicate", "inward": "", "outward": ""}, "outwardIssue", (["A-2"], None)),
        ({"name": "Relates", "inward": "relates to", "outward": "relates to"}, "outwardIssue", ([], None)),
        ({"name": "Blocks", "inward": "is blocked by", "outward": "blocks"}, "outwardIssue", ([], None)),
    ],
)
def test_the_direction_of_a_link_is_what_its_wording_says(
    kind: dict[str, str], side: str, expected: tuple[list[str], list[str] | None]
) -> None:
    found = incident(issuelinks=[{"type": kind, side: {"key": "A-2"}}])
    assert (found.duplicate_of, (found.model_extra or {}).get("cloned_from")) == expected


def test_link_wordings_in_passing() -> None:
    assert link_kind("Duplicate", "is a duplicate of", outward=False) == "duplicate_of"
    assert link_kind("Dupe", "", outward=True) is None


RESOLVED = datetime(2013, 1, 10, tzinfo=UTC)


def test_the_closing_note_is_the_last_substantial_comment_of_somebody_else_near_the_end() -> None:
    day = timedelta(days=1)
    comments = [
        Comment(RESOLVED - 5 * day, "ann", "An early guess, forty characters long at least."),
        Comment(RESOLVED - day, "ann", LONG),
        Comment(RESOLVED, "ann", "Fixed."),
        Comment(RESOLVED, "bob", "The reporter says at length that it works now, thank you."),
        Comment(RESOLVED + 2 * day, "ann", "Much later the ticket was moved to another board by a script."),
        Comment(None, "ann", "A comment without a date could have been written at any time."),
    ]
    assert closing_note(comments, {"bob"}, RESOLVED) == LONG
    assert closing_note(comments, {"bob"}, None) is None
    assert closing_note([], set(), RESOLVED) is None


def test_restricted_comments_are_not_remembered_for_everybody() -> None:
    closed = {"resolutiondate": "2013-01-02T00:00:00.000+0000"}
    for more in ({"visibility": {"type": "role", "value": "Developers"}}, {"jsdPublic": False}):
        assert incident(**closed, comment={"comments": [comment(LONG, **more)]}).resolution_note is None
    assert incident(**closed, comment={"comments": [comment(LONG, jsdPublic=True)]}).resolution_note == LONG


def test_a_restricted_issue_keeps_its_level() -> None:
    assert (incident(security={"name": "Internal"}).model_extra or {})["security"] == "Internal"


def test_people_have_one_name_each() -> None:
    assert person({"name": "ann", "displayName": "Ann"}) == "ann"
    assert person({"accountId": "5b1", "displayName": "Ann"}) == "Ann"
    assert person({"accountId": "unknown"}) == "unknown"
    assert person(None) is None


def test_formatted_bodies_become_text_in_reading_order() -> None:
    body = doc(
        {"type": "heading", "content": [{"type": "text", "text": "Steps"}]},
        {"type": "orderedList", "content": [
            {"type": "listItem", "content": [paragraph("open"), {"type": "bulletList", "content": [
                {"type": "listItem", "content": [paragraph("fast")]}]}]},
            {"type": "listItem", "content": [paragraph("tap")]}]},
        {"type": "codeBlock", "content": [{"type": "text", "text": "NullPointerException\n  at A.b"}]},
        {"type": "table", "content": [{"type": "tableRow", "content": [
            {"type": "tableHeader", "content": [paragraph("OS")]},
            {"type": "tableCell", "content": [paragraph("17")]}]}]},
        {"type": "paragraph", "content": [
            {"type": "mention", "attrs": {"text": "@Mia"}}, {"type": "hardBreak"},
            {"type": "emoji", "attrs": {"shortName": ":boom:"}},
            {"type": "text", "text": " log", "marks": [{"type": "link", "attrs": {"href": "https://x.test/1"}}]}]},
        {"type": "futureNode", "content": [paragraph("kept")]}, None, 3,
    )  # fmt: skip
    assert text_of_body(body) == (
        "Steps\n1. open\n- fast\n2. tap\nNullPointerException\n  at A.b\nOS | 17 \n@Mia\n:boom: log (https://x.test/1)\nkept"
    )
    assert incident(description=body).description.startswith("Steps\n1. open")


def test_a_body_is_bounded_in_depth_and_size() -> None:
    deep: dict[str, object] = {"type": "text", "text": "x"}
    for _ in range(100_000):
        deep = {"type": "blockquote", "content": [deep]}
    assert text_of_body(deep) == ""
    wide = doc(*[paragraph("y" * 1_000)] * 5_000)
    assert len(text_of_body(wide)) <= MAX_CHARS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "content", "attrs", "marks", "text", "name", "key", "comments", "body", "author",
                         "created", "outwardIssue", "inwardIssue", "outward", "value", "href"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_any_body_is_text(body: object) -> None:
    assert isinstance(text_of_body(body), str)


FIELDS = ["summary", "description", "environment", "project", "components", "priority", "status", "resolutiondate",
          "created", "versions", "labels", "reporter", "issuelinks", "comment", "customfield_1", "names",
          "severity"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_fields_give_an_incident_or_a_reason(fields: dict[str, object]) -> None:
    try:
        found = incident_of(issue_record({"key": "A-1", "fields": fields}, {"customfield_1": "Severity"}), NOW)
    except RowError:
        return
    assert found.id == "A-1"


NAMES = {"summary": "Summary", "customfield_1": "Severity"}
ISSUES = [issue(customfield_1={"value": f"S{n}"}, description='with "names": {"no": "no"} inside') for n in range(3)]


@pytest.mark.parametrize("order", [("names", "issues"), ("issues", "names")])
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_names_are_found_wherever_they_stand(order: tuple[str, str], step: int) -> None:
    page = {"issues": ISSUES, "names": NAMES}
    body = json.dumps({"expand": "names,schema", **{key: page[key] for key in order}, "other": {"names": [1]}}).encode()
    assert field_names(body[start : start + step] for start in range(0, len(body), step)) == NAMES


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("order", [("names", "issues"), ("issues", "names")])
def test_a_search_export_is_read_with_the_names_of_its_fields(
    tmp_path: Path, order: tuple[str, str], indent: int | None
) -> None:
    page = {"issues": [{**each, "key": f"A-{n}"} for n, each in enumerate(ISSUES)], "names": NAMES}
    path = tmp_path / "search.json"
    path.write_text(json.dumps({"startAt": 0, "total": 3, **{key: page[key] for key in order}}, indent=indent))
    rows = list(read_rows(path))
    assert [(row.id, row.incident and row.incident.severity) for row in rows] == [
        ("A-0", "S0"), ("A-1", "S1"), ("A-2", "S2"),
    ]  # fmt: skip


def test_pages_one_after_the_other_and_single_issues_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "pages"
    page = json.dumps({"issues": [issue()], "isLast": False})
    for body in (f"{page}\n{page}", json.dumps([issue(), issue()]), f"{json.dumps(issue())}\n{json.dumps(issue())}"):
        path.write_text(body)
        assert [row.incident is not None for row in read_rows(path)] == [True, True]


def test_a_truncated_export_keeps_the_issues_before_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    path.write_text(json.dumps({"issues": ISSUES})[:-60])
    first, second, last = read_rows(path)
    assert first.incident is not None
    assert second.incident is not None
    assert last.reason == "the file ends inside this object"


def test_what_is_no_issue_is_refused_when_issues_were_promised(tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    path.write_text(json.dumps({"issues": [{"key": "A-1"}, issue(), 7]}))
    assert [row.reason for row in read_rows(path)] == [
        "is not a Jira issue (it has no `fields`)",
        None,
        "is a number where a JSON object is expected",
    ]


def test_the_public_sample_imports_whole_and_agrees_with_the_prepared_rows(shared_data: Path) -> None:
    folder = shared_data / "triage"
    prepared = {row.id: row.incident for row in read_rows(folder / "titanium-2011-2013.jsonl.zst")}
    sample = [row.incident for row in read_rows(folder / "jira-search-export.sample.json.zst")]
    assert len(sample) == 250
    for name in ("created", "resolved", "summary", "product", "components", "priority", "type", "status", "resolution",
                 "version", "labels"):  # fmt: skip
        differ = [one.id for one in sample if one is None or getattr(one, name) != getattr(prepared[one.id], name)]
        assert differ == [], name
    linked = [one for one in sample if one and one.duplicate_of and prepared[one.id].duplicate_of]  # type: ignore[union-attr]
    assert len(linked) >= 5
    assert all(one.duplicate_of == prepared[one.id].duplicate_of for one in linked)  # type: ignore[union-attr]
