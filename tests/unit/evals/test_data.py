"""Loading: what the manifest vouches for, and what a report was when it was filed."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from evals.data import TITANIUM, as_filed, clusters, load_dataset, load_examples, load_file, manifest
from evals.suites.retrieval import earlier_of_cluster
from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.incidents.schema import Incident

ROWS = [
    {"id": "B", "summary": "second", "created": "2024-02-01", "duplicate_of": ["A"]},
    {"id": "A", "summary": "first", "created": "2024-01-01"},
    {"id": "C", "summary": "third", "created": "2024-03-01", "duplicate_of": ["B", "gone"]},
    {"id": "D", "summary": "fourth", "created": "2024-04-01"},
]


def test_a_file_is_read_in_time_order_compressed_or_not(tmp_path: Path) -> None:
    text = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    (tmp_path / "t.jsonl").write_bytes(text)
    (tmp_path / "t.jsonl.zst").write_bytes(zstandard.compress(text))
    plain, packed = load_file(tmp_path / "t.jsonl"), load_file(tmp_path / "t.jsonl.zst")
    assert [incident.id for incident in plain.incidents] == ["A", "B", "C", "D"]
    assert plain.incidents == packed.incidents
    assert (plain.name, plain.checked) == ("t", False)


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"id": "A", "summary": "x"}\n{"id": \n')
    with pytest.raises(InvalidInputError, match=r"t\.jsonl line 2 is no incident"):
        load_file(tmp_path / "t.jsonl")


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no file"):
        load_file(tmp_path / "nothing.jsonl")


def test_absent_public_data_are_none_not_an_error(tmp_path: Path) -> None:
    assert load_dataset(folder=tmp_path) is None


def test_another_file_than_the_manifests_is_refused(tmp_path: Path) -> None:
    path = tmp_path / manifest()[TITANIUM].path
    path.parent.mkdir(parents=True)
    path.write_bytes(zstandard.compress(b'{"id": "A", "summary": "x"}\n'))
    with pytest.raises(InvalidInputError, match=r"is not the titanium-2011-2013 of the manifest"):
        load_dataset(folder=tmp_path)


def test_the_real_data_are_what_the_manifest_says(shared_data: Path) -> None:
    found = load_dataset(folder=shared_data)
    assert found is not None
    assert found.checked
    assert found.licence == "Apache-2.0"
    assert len(earlier_of_cluster(found.incidents, datetime(2013, 1, 1, tzinfo=UTC))) == 327


def test_the_examples_are_always_there() -> None:
    assert len(load_examples().incidents) >= 250


def test_links_make_clusters_where_none_are_named() -> None:
    incidents = [Incident.model_validate(row) for row in sorted(ROWS, key=lambda row: str(row["id"]))]
    named = clusters(incidents)
    assert named[0] is not None
    assert named[0] == named[1] == named[2]
    assert named[3] is None


def test_named_clusters_win_over_links() -> None:
    rows = [{**row, "dup_cluster": "X" if row["id"] in "AD" else None} for row in ROWS]
    assert clusters([Incident.model_validate(row) for row in rows]) == [None, "X", None, "X"]


def test_only_earlier_reports_of_the_cluster_answer_a_query() -> None:
    incidents = [Incident.model_validate(row) for row in sorted(ROWS, key=lambda row: str(row["id"]))]
    assert earlier_of_cluster(incidents, datetime(2024, 1, 1, tzinfo=UTC)) == {1: {"A"}, 2: {"A", "B"}}
    assert earlier_of_cluster(incidents, datetime(2024, 2, 15, tzinfo=UTC)) == {2: {"A", "B"}}


def test_a_report_as_filed_knows_nothing_of_its_outcome() -> None:
    incident = Incident(
        id="A",
        summary="s",
        version="1.0",
        labels=["later"],
        component="Core",
        severity="High",
        resolution="Fixed",
        resolved=datetime(2024, 5, 1, tzinfo=UTC),
        duplicate_of=["B"],
        resolution_note="because",
    )
    filed = as_filed(incident)
    assert (filed.id, filed.summary, filed.version, filed.labels) == ("A", "s", "1.0", [])
    assert not filed.model_extra
