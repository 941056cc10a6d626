"""The database: opening, transactions, and foreign errors mapped to one clear sentence."""

import contextlib
import math
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql import Executable

from qa_agents.errors import StorageError
from qa_agents.storage import migrations
from qa_agents.storage.tables import counters, workspace_facts

BUSY_TIMEOUT_MS = 15_000
_PAUSED_MS = 60_000
"""A PostgreSQL transaction in which nothing happens for so long is ended: a worker that was paused in it must not block all."""
_REST_SECONDS = 30.0
"""A connection to a server that was idle for longer is asked whether it still lives."""
_ADVISORY_SPACE = 7_301
"""First key of PostgreSQL's two-key advisory locks, so that ours meet nobody else's."""
_WRITERS = 1
"""Second key of the lock that every write transaction holds."""


class Database:
    """One engine and its transactions. Write transactions are serial: BEGIN IMMEDIATE on SQLite, one lock on PostgreSQL.

    So a check inside a write transaction holds until its commit, on both engines and without a word in the callers.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading one unchanging picture; nothing written through it is kept."""
        with _mapped(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """One transaction: committed and on disk when the block ends, rolled back when it raises.

        Not `durable`: it survives a crash of the process, and a power loss only together with a later durable one. Enough for
        what means nothing once every process is gone, as leases do.
        """
        options = {"qa_write": True, "qa_durable": durable, "qa_waiting": []}
        with _mapped(), self._engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection
            _send_waiting(connection, commit=True)

    @contextlib.contextmanager
    def single(self) -> Iterator[Connection]:
        """A connection outside every transaction: each statement stands for itself, and none is flushed.

        Half the cost of `read` where one statement sees all there is to see, and of `write` where one checks what it changes.
        """
        with _mapped(), self._engine.connect().execution_options(qa_single=True) as connection:
            yield connection

    def close(self) -> None:
        """Give every connection back; the object is unusable afterwards."""
        self._engine.dispose()


def open_database(target: Path | str) -> Database:
    """Open a SQLite file (a Path, its folder created) or a PostgreSQL URL, and migrate it to this release's schema.

    Raises StorageError when it cannot be opened, is damaged, read-only or newer than this release.
    """
    engine = _sqlite_engine(target) if isinstance(target, Path) else _postgres_engine(target)
    database = Database(engine)
    with database.read() as connection:
        current = migrations.stored_version(connection) == migrations.CURRENT
    if not current:
        with database.write() as connection:
            serialise(connection, "migrations")
            migrations.upgrade(connection)
    return database


def serialise(connection: Connection, name: str) -> None:
    """Let one transaction at a time past this point, until it ends. Within `Database.write` that holds already."""
    if connection.dialect.name == "postgresql" and not connection.get_execution_options().get("qa_write", False):
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:space, hashtext(:name))"), {"space": _ADVISORY_SPACE, "name": name}
        )


def next_values(connection: Connection, name: str, count: int = 1) -> range:
    """Take `count` consecutive numbers of the named counter, never given before; gaps are possible."""
    serialise(connection, name)
    taken = connection.execute(select(counters.c.value).where(counters.c.name == name)).scalar()
    if taken is None:
        connection.execute(insert(counters).values(name=name, value=count))
        taken = 0
    else:
        connection.execute(update(counters).where(counters.c.name == name).values(value=taken + count))
    return range(taken + 1, taken + count + 1)


def later(connection: Connection, statement: Executable, /, **values: object) -> None:
    """Execute a statement, with these parameters, whose result nobody needs: before the next one, or with the commit.

    Within `Database.write`. PostgreSQL gets all that wait in one message, with the commit; what is wrong with one is raised then.
    """
    waiting = connection.get_execution_options().get("qa_waiting")
    if waiting is None or connection.dialect.name != "postgresql":
        connection.execute(statement, values)
    else:
        waiting.append((statement, values))


def _send_waiting(connection: Connection, *, commit: bool = False) -> None:
    waiting = connection.get_execution_options().get("qa_waiting")
    if not waiting:
        return
    statements = list(waiting)
    waiting.clear()
    raw = _driver(connection)
    with raw.pipeline():
        for statement, values in statements:
            connection.execute(statement, values)
        if commit:
            raw.execute("COMMIT")


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def dialect_of(name: str) -> Any:
    """SQLAlchemy's module for `sqlite` or `postgresql`: its `insert` knows ON CONFLICT, in the same words on both."""
    return postgresql if name == "postgresql" else sqlite


def insert_new(connection: Connection, table: Table, unique: str, /, **values: object) -> bool:
    """Insert one row unless its `unique` column's value is there already; whether it was inserted."""
    statement = (
        dialect_of(connection.dialect.name)
        .insert(table)
        .values(**values)
        .on_conflict_do_nothing(index_elements=[unique])
    )
    # Without the option the count of an INSERT is not read from every driver.
    return connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount > 0


def remember_fact(connection: Connection, name: str, value: object) -> None:
    """Store one JSON fact about the workspace (which embedder filled it, say), replacing an earlier one."""
    table = workspace_facts
    if connection.execute(update(table).where(table.c.name == name).values(value=value)).rowcount == 0:
        connection.execute(insert(table).values(name=name, value=value))


def recall_fact(connection: Connection, name: str) -> object | None:
    """The JSON fact stored under `name`, or None."""
    table = workspace_facts
    return connection.execute(select(table.c.value).where(table.c.name == name)).scalar()


def _postgres_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(parsed, isolation_level="AUTOCOMMIT")  # BEGIN is ours to say, with what belongs to it
    except (ArgumentError, ModuleNotFoundError) as error:
        missing = isinstance(error, ModuleNotFoundError)
        raise StorageError(
            "Support for this database is not installed." if missing else "The database_url setting is no URL.",
            hint="Install it with `pip install 'qa-agents[postgres]'`."
            if missing
            else "It looks like postgresql://user:password@host/database.",
        ) from None

    @event.listens_for(engine, "checkin")
    def _given_back(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ping_when_rested(connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        rested = time.monotonic() - record.info.get("idle_since", math.inf)  # a new one has not rested
        if rested < _REST_SECONDS:
            return  # a round trip each time would cost as much as the statement itself
        try:
            alive = engine.dialect.do_ping(connection)  # type: ignore[arg-type]
        except engine.dialect.loaded_dbapi.Error:
            alive = False
        if not alive:
            raise DisconnectionError

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.execute("SET synchronous_commit = off")  # what must be flushed says so in its transaction
        connection.execute(f"SET lock_timeout = '{BUSY_TIMEOUT_MS}ms'")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("qa_single", False):
            return
        statement = "BEGIN ISOLATION LEVEL REPEATABLE READ"
        if options.get("qa_write", False):
            flush = "on" if options.get("qa_durable", True) else "off"
            statement = (
                f"BEGIN; SELECT set_config('lock_timeout', '{BUSY_TIMEOUT_MS}', true), "
                f"set_config('idle_in_transaction_session_timeout', '{_PAUSED_MS}', true), "
                f"set_config('synchronous_commit', '{flush}', true), "
                f"pg_advisory_xact_lock({_ADVISORY_SPACE}, {_WRITERS})"
            )
        raw = _driver(connection)
        try:
            raw.execute(statement, prepare=False)  # one message; a prepared statement could not hold two
        except engine.dialect.loaded_dbapi.Error:
            if raw.closed:
                engine.dispose(close=False)  # the server went away: the other connections are as dead
            raise

    @event.listens_for(engine, "before_execute")
    def _first_what_waits(
        connection: Connection, _statement: object, _many: object, _one: object, options: Any
    ) -> None:
        if not options.get("qa_unrelated", False):
            _send_waiting(connection)

    return engine


def _sqlite_engine(path: Path) -> Engine:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The workspace {path.parent} cannot be created ({error.strerror}).",
            hint="Choose a writable folder with --home.",
        ) from None
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: the driver's own is deferred and deadlocks
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("qa_single", False):
            connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
        elif options.get("qa_write", False):
            flush = "FULL" if options.get("qa_durable", True) else "NORMAL"
            connection.exec_driver_sql(f"PRAGMA synchronous={flush}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


_SENTENCES = (
    ("database or disk is full", "The disk is full.", "Free some space and repeat; nothing was lost."),
    ("readonly", "The workspace is read-only.", "Make it writable, or choose another with --home."),
    ("unable to open", "The workspace database cannot be opened.", "Check that --home names a writable folder."),
    ("lock timeout", "Another process keeps the database locked.", "Repeat when it has finished."),
    ("no space left", "The database server's disk is full.", "Free some space and repeat; nothing was lost."),
    ("is locked", "Another process keeps the workspace database locked.", "Repeat when it has finished."),
    ("decode to utf-8", "The workspace database is damaged.", "Restore a copy; `qa-agents doctor` says what is wrong."),
    ("malformed", "The workspace database is damaged.", "Restore a copy; `qa-agents doctor` says what is wrong."),
    ("not a database", "The workspace's qa-agents.db is not a database.", "Restore a copy, or choose another --home."),
    ("disk i/o error", "The disk failed while the workspace was used.", "Check the disk, then repeat."),
)


@contextlib.contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        damaged = isinstance(error.orig, sqlite3.DatabaseError) and not isinstance(error.orig, sqlite3.IntegrityError)
        if isinstance(error, OperationalError) or damaged:
            raise _storage_error(error.orig or error) from error
        raise
    except Exception as error:
        if type(error).__module__.startswith("psycopg"):  # from what went past SQLAlchemy
            raise _storage_error(error) from error
        raise


def _storage_error(error: BaseException) -> StorageError:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    for sign, sentence, hint in _SENTENCES:
        if sign in said.lower():
            return StorageError(sentence, hint=hint)
    return StorageError(f"The database could not be used ({said}).", hint="`qa-agents doctor` says more.")
