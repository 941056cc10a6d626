"""The database: opening, transactions, and foreign errors mapped to one clear sentence."""

import contextlib
import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, create_engine, event, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from qa_agents.errors import StorageError
from qa_agents.storage import migrations
from qa_agents.storage.prepared import Call, Prepared, Record
from qa_agents.storage.tables import counters, workspace_facts
from qa_agents.storage.wal import use_wal

BUSY_TIMEOUT_MS = 15_000
_PAUSED_MS = 60_000
"""A PostgreSQL transaction in which nothing happens for so long is ended: a worker that was paused in it must not block all."""
_REST_SECONDS = 30.0
"""A connection to a server that was idle for longer is asked whether it still lives."""
_ADVISORY_SPACE = 7_301
"""First key of PostgreSQL's two-key advisory locks, so that ours meet nobody else's."""
WRITERS_LOCK = "pg_advisory_xact_lock(7302, hashtext(current_schema()))"
"""The lock that every write transaction holds on PostgreSQL: one per schema, as several workspaces may share a database."""


class Database:
    """One engine and its transactions. Write transactions are serial: BEGIN IMMEDIATE on SQLite, a lock per schema on PostgreSQL.

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
        options = {"qa_single": True, "qa_waiting": []}
        with _mapped(), self._engine.connect().execution_options(**options) as connection:
            yield connection
            _send_waiting(connection)

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


class Answer:
    """What a statement returns, from when it is sent."""

    def __init__(self, connection: Connection, call: Call) -> None:
        self._connection = connection
        self._call = call
        self._records: list[Record] | None = None

    def records(self) -> list[Record]:
        """The rows. Sends what waits if this statement is among it. Raises StorageError when its transaction failed before."""
        if self._records is None:
            _send_waiting(self._connection)
        if self._records is None:
            raise StorageError("The database was not asked: its transaction had failed.", hint="Repeat it.")
        return self._records

    def take(self, cursor: Any) -> None:
        """Fetch every row: for the sender alone. A row left behind would keep SQLite's lock."""
        self._records = self._call.decode(cursor.fetchall())


def later(connection: Connection, statement: Prepared, /, **values: object) -> None:
    """Execute a statement, with these parameters, whose result nobody needs: before the next one, or with the commit.

    PostgreSQL gets all that wait in one message; what is wrong with one is raised then.
    """
    _send(connection, statement.call(connection.dialect, values), None)


def soon(connection: Connection, statement: Prepared, /, **values: object) -> Answer:
    """Ask for rows that are needed a moment later: as `later`, so that several questions travel together."""
    call = statement.call(connection.dialect, values)
    answer = Answer(connection, call)
    _send(connection, call, answer)
    return answer


def ask(connection: Connection, statement: Prepared, /, **values: object) -> list[Record]:
    """The rows that a statement returns, now."""
    return soon(connection, statement, **values).records()


def _send(connection: Connection, call: Call, answer: Answer | None) -> None:
    """Give a statement to the driver: at once on SQLite, with the others that wait on PostgreSQL."""
    if not connection.in_transaction():
        connection.begin()
    waiting = connection.get_execution_options().get("qa_waiting")
    if waiting is not None and connection.dialect.name == "postgresql":
        waiting.append((call, answer))
        return
    cursor = _driver(connection).execute(call.sql, call.parameters)
    if answer is not None:
        answer.take(cursor)


def _send_waiting(connection: Connection, *, commit: bool = False) -> None:
    waiting = connection.get_execution_options().get("qa_waiting")
    if not waiting:
        return
    calls = [*waiting, (_COMMIT, None)] if commit else list(waiting)
    waiting.clear()
    _deliver(connection, calls)


def _deliver(connection: Connection, calls: Sequence[tuple[Call, Answer | None]]) -> None:
    """Give statements to PostgreSQL, several in one message."""
    raw = _driver(connection)
    try:
        with raw.pipeline() if len(calls) > 1 else contextlib.nullcontext():
            rest, asked = raw.cursor(), []
            for call, answer in calls:
                cursor = rest if answer is None else raw.cursor()
                cursor.execute(call.sql, call.parameters)
                if answer is not None:
                    asked.append((answer, cursor))
        for answer, cursor in asked:
            answer.take(cursor)
    except Exception:
        if raw.closed:
            connection.engine.dispose(close=False)  # the server went away: the other connections are as dead
            connection.invalidate()
        raise


_COMMIT = Call("COMMIT")


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
    return fact_asked(connection, name)()


def fact_asked(connection: Connection, name: str) -> Callable[[], object | None]:
    """As `recall_fact`; the question travels with others, and the answer is there when it is called for."""
    answer = soon(connection, _FACT, the_name=name)
    return lambda: next((row["value"] for row in answer.records()), None)


_FACT = Prepared(select(workspace_facts.c.value).where(workspace_facts.c.name == bindparam("the_name")))


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
        if not options.get("qa_write", False):
            _deliver(connection, [(Call("BEGIN ISOLATION LEVEL REPEATABLE READ"), None)])
            return
        flush = "on" if options.get("qa_durable", True) else "off"
        alone = (
            f"SELECT set_config('lock_timeout', '{BUSY_TIMEOUT_MS}', true), "
            f"set_config('idle_in_transaction_session_timeout', '{_PAUSED_MS}', true), "
            f"set_config('synchronous_commit', '{flush}', true), {WRITERS_LOCK}"
        )
        # They travel with the first statement.
        options["qa_waiting"].extend([(Call("BEGIN"), None), (Call(alone), None)])

    @event.listens_for(engine, "before_cursor_execute")
    def _first_what_waits(connection: Connection, *_: object) -> None:
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
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        use_wal(connection, BUSY_TIMEOUT_MS / 1000)
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("qa_single", False):
            _set_flush(connection, "NORMAL")
        elif options.get("qa_write", False):
            flush = "FULL" if options.get("qa_durable", True) else "NORMAL"
            _set_flush(connection, flush)
            _driver(connection).execute("BEGIN IMMEDIATE")
        else:
            _driver(connection).execute("BEGIN")

    return engine


def _set_flush(connection: Connection, when: str) -> None:
    """Set SQLite's `synchronous` for what is committed next, unless it is that already."""
    if connection.info.get("qa_synchronous") != when:
        _driver(connection).execute(f"PRAGMA synchronous={when}")
        connection.info["qa_synchronous"] = when


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
        if isinstance(error, OperationalError) or _is_damage(error.orig):
            raise _storage_error(error.orig or error) from error
        raise
    except Exception as error:
        if type(error).__module__.startswith("psycopg") or _is_damage(error):  # from what went past SQLAlchemy
            raise _storage_error(error) from error
        raise


def _is_damage(error: BaseException | None) -> bool:
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError)


def _storage_error(error: BaseException) -> StorageError:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    for sign, sentence, hint in _SENTENCES:
        if sign in said.lower():
            return StorageError(sentence, hint=hint)
    return StorageError(f"The database could not be used ({said}).", hint="`qa-agents doctor` says more.")
