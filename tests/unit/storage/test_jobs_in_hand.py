"""The migration that lets the database hold one job of a key in hand at a time."""

import sqlite3
from pathlib import Path

import pytest

from qa_agents.runtime.table_queue import TableQueue
from qa_agents.storage.engine import open_database


def test_jobs_that_an_earlier_release_left_in_hand_are_given_back_and_done_in_order(tmp_path: Path) -> None:
    path = tmp_path / "qa-agents.db"
    open_database(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("DROP INDEX jobs_in_hand")
        raw.execute("DELETE FROM schema_version WHERE version > 9")
        raw.executemany(
            "INSERT INTO jobs (key, dedup_id, payload, state, ready_at, token, attempts, holder, lease_until, put_at)"
            " VALUES ('a', ?, '{}', 'doing', 0, 1, 1, 'elsewhere:1', 9e9, 0)",
            [("1",), ("2",)],
        )
    raw.close()
    database = open_database(path)
    queue = TableQueue(database)
    assert queue.backlog().states == {"todo": 2}
    first = queue.claim("elsewhere:2")
    assert first
    assert (first.id, first.token) == (1, 2)
    assert queue.claim("elsewhere:2") is None
    database.close()
    with sqlite3.connect(path) as raw, pytest.raises(sqlite3.IntegrityError):
        raw.execute("UPDATE jobs SET state = 'doing'")
    raw.close()
