"""SQLite's write-ahead log, switched on by whichever process opens a new file first."""

import sqlite3
import time

PAUSE_SECONDS = 0.01


def use_wal(connection: sqlite3.Connection, seconds: float) -> None:
    """Let the file have a write-ahead log: readers and the one writer do not wait for each other.

    Of processes that open a new file at once, SQLite refuses all but one without waiting (each holds the lock that the
    others need), whatever `busy_timeout` says: so it is asked again, for `seconds`. Raises sqlite3.OperationalError when the
    file stays locked.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_SECONDS)
