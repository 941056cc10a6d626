import gzip
import io
import json
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.errors import InvalidInputError, NotFoundError, StorageError, UsageError
from qa_agents.incidents.importers import ImportReport, Outcome, import_files
from qa_agents.incidents.importers import run as run_module
from qa_agents.incidents.schema import Incident
from qa_agents.incidents.store import IncidentStore
from qa_agents.storage.engine import Database


class Memory:
    """The writer's contract, in a dictionary."""

    def __init__(self) -> None:
        self.known: dict[str, Incident] = {}
        self.batches: list[int] = []

    def write(self, batch: Sequence[Incident]) -> list[Outcome]:
        assert len({incident.id for incident in batch}) == len(batch), "an id came twice in a batch"
        self.batches.append(len(batch))
        return [self._settle(incident) for incident in batch]

    def _settle(self, incident: Incident) -> Outcome:
        known = self.known.get(incident.id)
        if known == incident:
            return "unchanged"
        if known and known.updated and incident.updated and incident.updated < known.updated:
            return "stale"
        self.known[incident.id] = incident
        return "updated" if known else "imported"


def row(number: object, **more: object) -> dict[str, object]:
    return {"id": f"I-{number}", "summary": f"summary {number}", **more}


def put(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in rows))
    return path


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    return report.imported, report.updated, report.unchanged, report.rejected


def test_the_same_file_twice_changes_nothing_and_a_newer_row_updates(tmp_path: Path, db: Database) -> None:
    store = IncidentStore(db)
    path = put(tmp_path / "a.jsonl", *(row(n, updated="2024-01-01") for n in range(1_203)))
    assert counts(import_files([path], store.upsert)) == (1203, 0, 0, 0)
    before = store.last_seq()
    assert counts(import_files([path], store.upsert)) == (0, 0, 1203, 0)
    assert store.last_seq() == before
    newer = put(tmp_path / "b.jsonl", row(5, updated="2024-02-01", status="Closed"), row(6, updated="2023-01-01", x=1))
    report = import_files([newer], store.upsert)
    assert counts(report) == (0, 1, 1, 0)
    assert "1 rows are older than what is known and changed nothing" in report.notes


def test_bad_rows_are_told_with_file_line_id_and_reason_and_the_rest_is_done(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", row(1), "{broken", {"id": "I-9", "created": "2999-01-01", "summary": "x"}, row(2))
    memory = Memory()
    report = import_files([path], memory.write)
    assert counts(report) == (2, 0, 0, 2)
    assert [(r.file, r.line, r.id) for r in report.rejections] == [(str(path), 2, None), (str(path), 3, "I-9")]
    assert report.rejections[1].reason == "was created in the future (2999-01-01)"
    assert set(memory.known) == {"I-1", "I-2"}


def test_an_id_twice_is_settled_by_content_then_by_update(tmp_path: Path) -> None:
    path = put(
        tmp_path / "a.jsonl",
        row("same"), row("same"),
        row("later", updated="2024-01-01", status="Open"), row("later", updated="2024-01-02", status="Closed"),
        row("older", updated="2024-01-02", status="Closed"), row("older", updated="2024-01-01", status="Open"),
        row("unclear", status="Open"), row("unclear", status="Closed"), row("unclear", status="Open"),
        row("half", status="Open", updated="2024-01-02"), row("half", status="Closed"),
    )  # fmt: skip
    memory = Memory()
    report = import_files([path], memory.write)
    assert counts(report) == (5, 1, 3, 2)
    assert {incident.id: incident.status for incident in memory.known.values()} == {
        "I-same": None, "I-later": "Closed", "I-older": "Closed", "I-unclear": "Open", "I-half": "Open",
    }  # fmt: skip
    assert [(r.line, r.reason) for r in report.rejections] == [
        (8, "second row with id I-unclear (first on line 7), and no later `updated` says which is right"),
        (11, "second row with id I-half (first on line 10), and no later `updated` says which is right"),
    ]
    again = import_files([path], memory.write)
    assert (again.imported, again.updated) == (0, 0)


UPDATES = st.sampled_from([None, "2024-01-01", "2024-01-02", "2024-01-03"])
ROWS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["Open", "Closed"]), UPDATES), max_size=12)


@given(ROWS, st.integers(1, 5))
def test_importing_any_file_again_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str, str | None]], batch: int
) -> None:
    path = tmp_path_factory.mktemp("import") / "a.jsonl"
    put(path, row("first"), *(row(n, status=status, updated=updated) for n, status, updated in rows))
    memory = Memory()
    report = import_files([path], memory.write, batch=batch)
    assert sum(counts(report)) == len(rows) + 1
    before = dict(memory.known)
    again = import_files([path], memory.write, batch=batch)
    assert (again.imported, again.updated, again.rejected) == (0, 0, report.rejected)
    assert memory.known == before
    assert all(size <= batch for size in memory.batches)


def test_the_batches_before_a_full_disk_are_kept_and_counted(tmp_path: Path) -> None:
    memory = Memory()

    def write(batch: Sequence[Incident]) -> list[Outcome]:
        if len(memory.known) >= 20:
            raise StorageError("The disk is full.", hint="Free some space and repeat.")
        return memory.write(batch)

    path = put(tmp_path / "a.jsonl", *map(row, range(100)))
    with pytest.raises(StorageError, match="disk is full") as caught:
        import_files([path], write, batch=10)
    assert "20 rows before are kept" in caught.value.hint
    assert len(memory.known) == 20


def test_an_unusable_file_is_raised_alone_and_reported_among_others(tmp_path: Path) -> None:
    good, memory = put(tmp_path / "a.jsonl", row(1)), Memory()
    with pytest.raises(NotFoundError, match="There is no file"):
        import_files([tmp_path / "nowhere"], memory.write)
    with pytest.raises(InvalidInputError, match="is a directory"):
        import_files([tmp_path], memory.write)
    report = import_files([tmp_path / "nowhere", good, tmp_path], memory.write)
    assert counts(report) == (1, 0, 0, 2)
    assert [(r.file, r.line) for r in report.rejections] == [(str(tmp_path / "nowhere"), 0), (str(tmp_path), 0)]
    with pytest.raises(UsageError):
        import_files([good], memory.write, format="xml")


def test_unknown_columns_are_kept_and_noted_once(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", *(row(n, Team="Blue", cloned_from=["I-0"]) for n in range(3)))
    other = put(tmp_path / "b.jsonl", row(9, Team="Red", **{"x\n[bold]": 1}))
    report = import_files([path, other], Memory().write)
    assert report.notes == ["kept unknown column `Team`", "kept unknown column `x\\n[bold]`"]
    wide = put(tmp_path / "c.jsonl", row(1, **{f"c{n}": n for n in range(50)}))
    assert import_files([wide], Memory().write).notes[-1] == "kept 30 more unknown columns"


def test_what_an_export_cannot_say_is_noted(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("Issue key,Summary,Created\nA-1,x,29/Mar/11 4:48 PM\n")
    assert "carry no time zone" in import_files([table], Memory().write).notes[0]
    search = put(tmp_path / "a.json", {"issues": [{"key": "A-2", "fields": {"summary": "x"}}]})
    assert "severity is unknown" in import_files([search], Memory().write).notes[0]


def test_a_file_without_rows_is_noted(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "id,summary")
    report = import_files([path], Memory().write)
    assert report.notes == [f"{path} holds no rows"]


def test_progress_counts_rows_and_bytes_over_all_files(tmp_path: Path) -> None:
    first = put(tmp_path / "a.jsonl", *map(row, range(250)))
    second = tmp_path / "b.jsonl.gz"
    second.write_bytes(gzip.compress(put(tmp_path / "b", *map(row, range(250, 300))).read_bytes()))
    total = first.stat().st_size + second.stat().st_size
    told: list[tuple[int, int, int | None]] = []
    import_files([first, second], Memory().write, batch=100, progress=lambda *seen: told.append(seen))
    assert told[-1] == (300, total, total)
    assert [rows for rows, _, _ in told] == sorted(rows for rows, _, _ in told)
    assert [read for _, read, _ in told] == sorted(read for _, read, _ in told)


def test_standard_input_is_imported_and_its_size_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(row(1)).encode())))
    told: list[int | None] = []
    report = import_files(["-"], Memory().write, progress=lambda rows, read, total: told.append(total))
    assert (counts(report), told) == ((1, 0, 0, 0), [None])


def test_a_truncated_file_gives_its_rows_and_one_rejection(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    body = gzip.compress("\n".join(json.dumps(row(n, x=hash(str(n)))) for n in range(5_000)).encode())
    path.write_bytes(body[: len(body) // 2])
    report = import_files([path], Memory().write)
    assert report.imported > 500
    assert [r.reason for r in report.rejections] == ["the compressed file ends early"]


def test_rejections_beyond_the_limit_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "KEPT_REJECTIONS", 3)
    report = import_files([put(tmp_path / "a.jsonl", row(1), *["{"] * 10)], Memory().write)
    assert (report.rejected, len(report.rejections)) == (10, 3)
    assert report.notes == ["7 more rejections are counted and not listed"]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = tmp_path / "a.jsonl"
        with path.open("w") as file:
            file.writelines(json.dumps(row(n, description="x" * 4_000)) + "\n" for n in range(rows))
        tracemalloc.start()
        import_files([path], lambda batch: ["imported"] * len(batch), batch=100)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    small, large = peak(500), peak(5_000)
    assert large - small < 4_500 * 400, "an id is remembered in some hundred bytes, a row of 4 kB is not"


@pytest.fixture
def hostile(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "jira" / "payloads").glob("*.json"))


def test_captured_and_hostile_payloads_are_incidents_or_reasons(hostile: list[Path]) -> None:
    report = import_files(hostile, Memory().write)
    assert sum(counts(report)) >= len(hostile)
    assert all("\n" not in rejection.reason for rejection in report.rejections)
