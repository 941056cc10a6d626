import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from qa_agents.errors import StorageError
from qa_agents.storage import engine, migrations
from qa_agents.storage.artifacts import get_artifact, put_artifact
from qa_agents.storage.engine import Database, next_values, open_database, recall_fact, remember_fact
from tests.postgres import fresh_schema


def test_a_workspace_of_a_newer_release_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "qa-agents.db"
    open_database(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("INSERT INTO schema_version VALUES (?)", (migrations.CURRENT + 1,))
    before = path.read_bytes()
    with pytest.raises(StorageError, match="newer qa-agents"):
        open_database(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "qa-agents.db"
    path.write_text("not a database at all " * 100)
    with pytest.raises(StorageError, match="not a database"):
        open_database(path)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be created"):
        open_database(tmp_path / "file" / "qa-agents.db")


def test_a_write_that_raises_leaves_nothing(db: Database) -> None:
    def interrupted() -> None:
        with db.write() as connection:
            remember_fact(connection, "x", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    with db.read() as connection:
        assert recall_fact(connection, "x") is None


def test_facts_are_replaced(db: Database) -> None:
    for value in ({"a": 1}, ["b"]):
        with db.write() as connection:
            remember_fact(connection, "x", value)
    with db.read() as connection:
        assert recall_fact(connection, "x") == ["b"]


def test_numbers_are_given_once_even_to_threads(db: Database) -> None:
    taken: list[int] = []

    def take() -> None:
        for _ in range(20):
            with db.write() as connection:
                taken.extend(next_values(connection, "seq", 3))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, 241))


def test_a_full_disk_is_one_sentence_and_loses_nothing(db: Database) -> None:
    with db.write() as connection:
        remember_fact(connection, "before", True)

    def fill() -> None:
        with db.write() as connection:
            connection.execute(text("PRAGMA max_page_count = 1"))
            put_artifact(connection, bytes(range(256)) * 4000)
            for number in range(100):
                remember_fact(connection, f"fill-{number}", "x" * 5000)

    with pytest.raises(StorageError, match="disk is full"):
        fill()
    with db.read() as connection:
        assert recall_fact(connection, "before") is True
        assert recall_fact(connection, "fill-1") is None


def test_documents_are_kept_once_by_hash(db: Database) -> None:
    with db.write() as connection:
        first, second = put_artifact(connection, b"report"), put_artifact(connection, b"report")
    assert first == second
    with db.read() as connection:
        assert get_artifact(connection, first) == b"report"
        assert connection.execute(text("SELECT count(*) FROM artifacts")).scalar() == 1


def test_two_workspaces_in_one_server_database_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 50)
    with fresh_schema() as one, fresh_schema() as other:
        first, second, again = open_database(one), open_database(other), open_database(one)
        with first.write() as connection:
            remember_fact(connection, "a", 1)
            with second.write() as elsewhere:
                remember_fact(elsewhere, "a", 2)
            with pytest.raises(StorageError, match="locked"), again.write() as same:
                remember_fact(same, "a", 3)
        for database in (first, second, again):
            database.close()
