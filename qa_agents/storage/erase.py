"""Erasing for good: what is overwritten must not stay readable in the database's files."""

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from qa_agents.errors import StorageError
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import metadata


@contextlib.contextmanager
def erasing(database: Database) -> Iterator[Connection]:
    """A write transaction after which overwritten values are gone from SQLite's file and its log, not merely unlinked.

    A reader that is active meanwhile delays the log's clearing until the next checkpoint. On PostgreSQL old row versions go with
    the next VACUUM. Backups are beyond reach of either.
    """
    with database.write() as connection:
        if database.dialect == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        yield connection
    if database.dialect == "sqlite":
        with database.read() as connection:
            raw = connection.connection.driver_connection  # a checkpoint must not run inside a transaction
            if raw is not None:
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()


def compact(database: Database) -> None:
    """Write the database's files anew, so that nothing is left in the gaps of what was overwritten or deleted before.

    Needs as much free space as the database takes, and nobody writing meanwhile on SQLite. On PostgreSQL the old row versions
    are given up; its own log and backups keep what they hold. Raises StorageError; repeating is safe.
    """
    try:
        if database.dialect == "sqlite":
            with database.read() as connection:
                raw = connection.connection.driver_connection
                if raw is not None:
                    raw.execute("VACUUM").close()
                    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        else:
            with database.single() as connection:
                connection.exec_driver_sql(f"VACUUM {', '.join(metadata.tables)}")
    except (DBAPIError, sqlite3.Error) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise StorageError(
            f"The database could not be written anew ({said}).", hint="Repeat when nobody uses it."
        ) from None
