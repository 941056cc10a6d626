import json
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select

from qa_agents.checkpoint.anchor import Anchor, Anchors
from qa_agents.checkpoint.ledger import Ledger, verify
from qa_agents.errors import UnavailableError
from qa_agents.storage.engine import Database, open_database
from qa_agents.storage.tables import ledger as table


@pytest.fixture
def anchors(tmp_path: Path) -> Anchors:
    return Anchors(tmp_path / "elsewhere" / "ledger.anchors.jsonl", every=10)


def grown(db: Database, ledger: Ledger, count: int = 5) -> None:
    for number in range(count):
        with db.write() as connection:
            ledger.append(connection, "received", f"R-{number}")
    ledger.anchor(db)


def kinds(db: Database, anchors: Anchors) -> list[str]:
    return [finding.kind for finding in verify(db, anchors=anchors).findings]


def lines(anchors: Anchors) -> list[int]:
    return [json.loads(line)["seq"] for line in anchors.path.read_text().splitlines()]


def test_the_end_of_a_command_anchors_the_newest_entry_once(db: Database, anchors: Anchors) -> None:
    ledger = Ledger(anchors=anchors)
    assert ledger.anchor(db) is None
    grown(db, ledger)
    assert lines(anchors) == [6]  # the sixth entry says that anchors were begun
    assert ledger.anchor(db) is None
    result = verify(db, anchors=anchors)
    assert (result.intact, result.anchors) == (True, 1)


def test_a_long_job_anchors_every_so_many_committed_entries(db: Database, anchors: Anchors) -> None:
    ledger = Ledger(anchors=anchors)
    grown(db, ledger, 1)
    for _ in range(35):
        with db.write() as connection:
            ledger.append(connection, "received", "R")
    assert lines(anchors) == [2, 12, 22, 32]
    assert verify(db, anchors=anchors).intact


def test_an_entry_that_was_rolled_back_is_never_anchored(db: Database, anchors: Anchors) -> None:
    ledger = Ledger(anchors=anchors)
    grown(db, ledger, 1)

    def rolled_back() -> None:
        with db.write() as connection:
            for _ in range(40):
                ledger.append(connection, "received", "R")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rolled_back()
    ledger.anchor(db)
    assert set(lines(anchors)) == {2}
    assert verify(db, anchors=anchors).intact


def test_no_anchor_is_written_of_an_entry_that_a_power_loss_could_take(
    db: Database, anchors: Anchors, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(anchors=anchors)
    grown(db, ledger, 1)
    for number in range(20):
        with db.write(durable=False) as connection:
            ledger.append(connection, "review_opened", f"R-{number}")
    assert lines(anchors) == [2], "twenty entries later, none of them is on disk for certain"
    order: list[str] = []
    real_write, real_anchor = Database.write, anchors.write

    def write(self: Database, *, durable: bool = True) -> AbstractContextManager[Connection]:
        order.append("flushed" if durable else "not flushed")
        return real_write(self, durable=durable)

    def anchor(anchor: Anchor) -> None:
        order.append("anchored")
        real_anchor(anchor)

    monkeypatch.setattr(Database, "write", write)
    monkeypatch.setattr(anchors, "write", anchor)
    ledger.anchor(db)
    assert order == ["flushed", "anchored"]
    assert lines(anchors) == [2, 22]


def test_a_tail_that_was_cut_off_is_found_by_the_anchor_only(db: Database, anchors: Anchors) -> None:
    grown(db, Ledger(anchors=anchors), 8)
    with db.write() as connection:
        connection.execute(delete(table).where(table.c.seq > 5))
    assert verify(db).intact
    assert kinds(db, anchors) == ["truncated"]


def test_what_was_cut_off_after_a_good_anchor_is_named(db: Database, anchors: Anchors) -> None:
    ledger = Ledger(anchors=anchors)
    grown(db, ledger, 3)
    grown(db, ledger, 5)
    with db.write() as connection:
        connection.execute(delete(table).where(table.c.seq > 6))
    (finding,) = verify(db, anchors=anchors).findings
    assert finding.kind == "truncated"
    assert "ends at entry 6, but entries 7 to at least 9" in finding.says


def rewritten(db: Database, keep: int) -> None:
    """Everything after entry `keep`, written anew as somebody would who owns the database."""
    with db.write() as connection:
        count = len(connection.execute(select(table.c.seq)).all())
        connection.execute(delete(table).where(table.c.seq > keep))
        for _ in range(count - keep):
            Ledger().append(connection, "received", "something else")


def test_a_ledger_rewritten_from_an_entry_on_is_found_by_the_anchor_only(db: Database, anchors: Anchors) -> None:
    ledger = Ledger(anchors=anchors)
    grown(db, ledger, 3)
    grown(db, ledger, 5)
    rewritten(db, keep=6)
    assert verify(db).intact
    (finding,) = verify(db, anchors=anchors).findings
    assert finding.kind == "rewritten"
    assert "Entry 9 is not the one" in finding.says


def test_another_database_is_called_that(db: Database, anchors: Anchors, tmp_path: Path) -> None:
    grown(db, Ledger(anchors=anchors), 8)
    other = open_database(tmp_path / "other" / "qa-agents.db")
    grown(other, Ledger(), 20)
    (finding,) = verify(other, anchors=anchors).findings
    assert finding.kind == "swapped"
    other.close()


def test_a_backup_that_went_on_is_found(db: Database, anchors: Anchors) -> None:
    ledger = Ledger(anchors=anchors)
    grown(db, ledger, 3)
    grown(db, ledger, 4)
    with db.write() as connection:
        connection.execute(delete(table).where(table.c.seq > 5))
    grown(db, Ledger(anchors=anchors), 10)
    assert kinds(db, anchors) == ["rewritten"]


def test_a_missing_anchor_file_is_a_note_before_it_was_begun_and_a_finding_after(
    db: Database, anchors: Anchors
) -> None:
    grown(db, Ledger(), 2)
    result = verify(db, anchors=anchors)
    assert (result.intact, result.anchors) == (True, None)
    assert "There is no anchor file" in result.notes[0]
    grown(db, Ledger(anchors=anchors), 2)
    anchors.path.unlink()
    (finding,) = verify(db, anchors=anchors).findings
    assert finding.kind == "anchor"
    assert "is missing, though entry 5 began it" in finding.says


def test_an_anchor_file_begun_anew_is_said(db: Database, anchors: Anchors) -> None:
    ledger = Ledger(anchors=anchors)
    grown(db, ledger, 2)
    anchors.path.unlink()
    grown(db, ledger, 2)
    result = verify(db, anchors=anchors)
    assert result.intact
    assert "this file begins later" in result.notes[0]


def test_a_line_torn_by_a_crash_costs_only_itself(db: Database, anchors: Anchors) -> None:
    ledger = Ledger(anchors=anchors)
    grown(db, ledger, 2)
    with anchors.path.open("a") as file:
        file.write('{"seq": 3, "ha')
    grown(db, ledger, 2)
    result = verify(db, anchors=anchors)
    assert result.anchors == 2
    assert [finding.kind for finding in result.findings] == ["anchor"]
    assert "Line 2" in result.findings[0].says


@pytest.mark.parametrize(
    "line", ["[]", "{}", '{"seq": -1, "hash": "x", "at": 0}', "[" * 900, "\x00\xff", "x" * 5000, '{"seq": 1e999}']
)
def test_a_hostile_line_is_a_finding_and_no_traceback(db: Database, anchors: Anchors, line: str) -> None:
    grown(db, Ledger(anchors=anchors), 2)
    with anchors.path.open("a") as file:
        file.write(line + "\n")
    assert set(kinds(db, anchors)) == {"anchor"}


def test_an_unwritable_anchor_file_fails_no_entry_and_is_said_at_the_end(db: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ledger = Ledger(anchors=Anchors(tmp_path / "file" / "anchors.jsonl"))
    with pytest.raises(UnavailableError, match="cannot be written"):
        grown(db, ledger, 3)
    assert verify(db).entries == 4


def test_an_entry_is_kept_when_its_anchor_cannot_be_written(
    db: Database, anchors: Anchors, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(anchors=anchors)
    grown(db, ledger, 1)

    def fail(_: Anchor) -> None:
        raise UnavailableError("no room")

    monkeypatch.setattr(anchors, "write", fail)
    for _ in range(20):
        with db.write() as connection:
            ledger.append(connection, "received", "R")
    assert verify(db, anchors=anchors).entries == 22


def test_the_file_is_committed_where_a_working_tree_is_given(db: Database, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
    anchors = Anchors(tree / "anchors.jsonl", git=tree)
    ledger = Ledger(anchors=anchors)
    for _ in range(2):
        grown(db, ledger, 2)
    anchors.publish()  # nothing new: no error, no commit
    log = subprocess.run(["git", "-C", str(tree), "log", "--oneline"], capture_output=True, text=True, check=True)
    assert len(log.stdout.splitlines()) == 2


def test_a_folder_that_is_no_working_tree_is_one_sentence(db: Database, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    ledger = Ledger(anchors=Anchors(tmp_path / "plain" / "anchors.jsonl", git=tmp_path / "plain"))
    with pytest.raises(UnavailableError, match="git did not take it"):
        grown(db, ledger, 1)
    assert ledger._anchors is not None
    assert lines(ledger._anchors) == [2]


def test_thousands_of_anchors_are_compared_page_by_page(db: Database, anchors: Anchors) -> None:
    grown(db, Ledger(anchors=anchors), 3)
    with db.write() as connection:
        rows = connection.execute(select(table)).all()
        connection.execute(delete(table))
        connection.execute(insert(table), [dict(row._mapping) for row in rows])
    line = anchors.path.read_text()
    anchors.path.write_text(line * 1300)
    result = verify(db, anchors=anchors)
    assert (result.intact, result.anchors) == (True, 1300)
