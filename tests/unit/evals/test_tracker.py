"""Any tracker can be read: what fits no field is put right or dropped, said so, and never costs the report."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.data import load_examples
from evals.tracker import default_start, incident_of, read_tracker, tracker_of
from qa_agents.errors import InvalidInputError, NotFoundError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELD = st.sampled_from(
    ["id", "created", "resolved", "updated", "labels", "component", "components", "severity", "priority", "type",
     "status", "resolution", "duplicate_of", "assignee", "product", "version", "dup_cluster", "strange"]
)  # fmt: skip


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def test_unsorted_rows_come_out_in_the_order_of_time(tmp_path: Path) -> None:
    rows = [{"id": str(n), "summary": "The lamp flickers", "created": f"2024-01-0{n}"} for n in (3, 1, 2)]
    found = read_tracker(written(tmp_path / "t.jsonl", *rows))
    assert [incident.id for incident in found.incidents] == ["1", "2", "3"]


def test_words_in_other_shapes_are_read_where_their_meaning_is_plain(tmp_path: Path) -> None:
    row = {
        "id": 7,
        "summary": "The lamp flickers",
        "created": 1_700_000_000,
        "resolved": 1_700_000_900_000,
        "component": {"name": "Lamps"},
        "components": [{"name": "Lamps"}, "Hall", None],
        "severity": 2,
        "priority": ["P1"],
        "assignee": {"displayName": "Rosa"},
        "labels": "flicker",
        "type": None,
    }
    incident = read_tracker(written(tmp_path / "t.jsonl", row)).incidents[0]
    assert (incident.id, incident.severity, incident.priority, incident.assignee) == ("7", "2", "P1", "Rosa")
    assert (incident.component, incident.components, incident.labels) == ("Lamps", ["Lamps", "Hall"], ["flicker"])
    assert incident.created == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert incident.resolved == datetime(2023, 11, 14, 22, 28, 20, tzinfo=UTC)
    assert incident.type is None


def test_what_cannot_be_read_is_dropped_and_said(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "summary": "The lamp flickers", "created": "yesterday or so"},
        {"id": "b", "summary": "The lamp flickers", "created": "2024-01-01"},
        {"id": "c", "summary": "", "description": None},
        "not json",
        "[1, 2]",
        "",
        {"summary": "Nameless"},
        {"id": "b", "summary": "The lamp flickers again", "created": "2024-01-02"},
    ]
    found = read_tracker(written(tmp_path / "t.jsonl", *rows))
    assert [incident.id for incident in found.incidents] == ["a", "b", "line-7"]
    told = " ".join(found.notes)
    for sentence in (
        "no JSON object",
        "values of created",
        "neither summary nor",
        "no id",
        "repeated an id",
        "no date",
    ):
        assert sentence in told


def test_a_history_without_any_date_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [{"id": name, "summary": "The lamp flickers"} for name in "zab"]
    found = read_tracker(written(tmp_path / "t.jsonl", *rows))
    assert [incident.id for incident in found.incidents] == ["z", "a", "b"]
    assert all(incident.created for incident in found.incidents)
    assert "no date" in found.notes[0]


def test_a_closed_report_without_a_closing_date_gets_a_likely_one(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "summary": "x", "created": "2024-01-01", "resolved": "2024-01-11", "resolution": "Fixed"},
        {"id": "b", "summary": "x", "created": "2024-02-01", "resolution": "Fixed"},
        {"id": "c", "summary": "x", "created": "2024-02-01", "status": "Closed", "updated": "2024-03-01"},
        {"id": "d", "summary": "x", "created": "2024-02-01"},
        {"id": "e", "summary": "x", "created": "2024-02-02", "resolved": "2024-01-02"},
    ]
    found = {i.id: i.resolved for i in read_tracker(written(tmp_path / "t.jsonl", *rows)).incidents}
    assert found["b"] == datetime(2024, 2, 11, tzinfo=UTC)
    assert found["c"] == datetime(2024, 3, 1, tzinfo=UTC)
    assert found["d"] is None
    assert found["e"] == datetime(2024, 2, 2, tzinfo=UTC)


def test_a_file_without_incidents_and_no_file_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="holds no incident"):
        read_tracker(written(tmp_path / "t.jsonl", "nothing"))
    with pytest.raises(InvalidInputError, match="Zstandard"):
        read_tracker(written(tmp_path / "t.jsonl.zst", "nothing"))
    with pytest.raises(NotFoundError):
        read_tracker(tmp_path / "nowhere.jsonl")


def test_the_default_start_leaves_the_last_three_in_ten_to_measure() -> None:
    incidents = tracker_of(load_examples()).incidents
    measured = sum((i.created or datetime.min.replace(tzinfo=UTC)) >= default_start(incidents) for i in incidents)
    assert 0.25 * len(incidents) <= measured <= 0.35 * len(incidents)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(FIELD, JSON, max_size=8))
def test_no_row_with_a_summary_is_ever_refused(row: dict[str, object]) -> None:
    incident = incident_of({**row, "summary": "The lamp flickers"}, "line-1", Counter())
    assert incident is not None
    assert incident.summary == "The lamp flickers"
