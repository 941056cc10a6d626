import sqlite3
from pathlib import Path

import pytest

from qa_agents.storage import wal
from qa_agents.storage.wal import use_wal


@pytest.fixture
def holder(tmp_path: Path) -> sqlite3.Connection:
    """Somebody who reads a file that has no write-ahead log yet, and so keeps others from giving it one."""
    connection = sqlite3.connect(tmp_path / "new.db", isolation_level=None)
    connection.execute("CREATE TABLE t (a)")
    connection.execute("BEGIN")
    connection.execute("SELECT * FROM t").fetchall()
    return connection


def test_a_file_that_another_process_opens_at_the_same_moment_is_asked_again(
    holder: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def paused(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            holder.execute("COMMIT")

    monkeypatch.setattr(wal.time, "sleep", paused)
    connection = sqlite3.connect(tmp_path / "new.db", timeout=0)
    use_wal(connection, 60.0)
    assert len(pauses) == 3
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_stays_locked_is_said_to_be(holder: sqlite3.Connection, tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        use_wal(sqlite3.connect(tmp_path / "new.db", timeout=0), 0.0)
    assert holder.in_transaction
