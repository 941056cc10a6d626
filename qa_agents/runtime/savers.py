"""Where LangGraph keeps a run's steps. Savers, durability and strict deserialisation are known here and nowhere else."""

import contextlib
import functools
import math
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy.engine import make_url

from qa_agents.errors import StorageError
from qa_agents.storage.wal import use_wal

RECURSION_LIMIT = 50
DURABILITY = "sync"
"""Each step is stored before the next begins; LangGraph's default lost finished steps when killed."""
ANSWERED_DURABILITY = "exit"
"""After an answer the steps are stored once, when the run ends or asks again. The answer and all that follows from it are rows of
our own, so a crash takes the same answer again from where it was asked, and what was done then is not done twice."""
WAIT_SECONDS = 15.0
"""How long to wait for a lock or a connection before saying so."""
PAUSED_SECONDS = 60.0
"""A PostgreSQL transaction in which nothing happens for so long is ended: a worker that was paused in it must not block all."""
REST_SECONDS = 30.0
"""A connection to a server that was idle for longer is asked whether it still lives."""
POOL_SIZE = 4
"""LangGraph writes a step's results from threads beside the one that runs it."""
_SETUP_LOCK = 7_302
_OPERATIONS = ("get_tuple", "put", "put_writes", "delete_thread")


def open_saver(target: Path | str) -> Any:
    """A LangGraph saver in its own SQLite file (a Path), or in a PostgreSQL database (an URL as SQLAlchemy writes it).

    Steps are not flushed one by one: they survive kill -9, and a power loss may take the last ones, which a run then repeats.
    Decisions, claims of actions and the ends of runs are in the main database, flushed before anything follows from them.
    Raises StorageError, here and in every operation of the saver.
    """
    saver = _sqlite_saver(target) if isinstance(target, Path) else _postgres_saver(target)
    for name in _OPERATIONS:
        setattr(saver, name, _mapped(getattr(saver, name)))
    return saver


def close_saver(saver: Any) -> None:
    """Give the saver's connections back."""
    with contextlib.suppress(sqlite3.Error):
        saver.conn.close()


def forget_threads(saver: Any, run_ids: Iterable[str]) -> None:
    """Delete the steps of these runs so that nothing of them stays readable in the saver's files. Raises StorageError.

    On PostgreSQL the old row versions go with the next VACUUM.
    """
    for run_id in run_ids:
        saver.delete_thread(run_id)
    if isinstance(saver.conn, sqlite3.Connection):
        with saver.lock:
            _mapped(_compact)(saver.conn)


def _compact(connection: sqlite3.Connection) -> None:
    """Write the file anew: steps of finished runs were deleted before, and leave gaps that can be read."""
    connection.commit()
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()


def run_config(run_id: str) -> dict[str, Any]:
    """LangGraph's configuration for one run: its thread and a bound on steps."""
    return {"configurable": {"thread_id": run_id}, "recursion_limit": RECURSION_LIMIT}


def _sqlite_saver(path: Path) -> Any:
    from langgraph.checkpoint.sqlite import SqliteSaver

    try:
        connection = sqlite3.connect(path, check_same_thread=False, timeout=WAIT_SECONDS)
        use_wal(connection, WAIT_SECONDS)
        connection.execute("PRAGMA synchronous=NORMAL")
        saver = SqliteSaver(connection)
        saver.setup()
    except sqlite3.Error as error:
        raise StorageError(
            f"The run store {path} cannot be opened ({error}).", hint="`qa-agents doctor` says more."
        ) from None
    return saver


def _postgres_saver(url: str) -> Any:
    try:
        from langgraph.checkpoint.postgres import PostgresSaver
        from psycopg import Error
        from psycopg.rows import dict_row
        from psycopg_pool import ConnectionPool, PoolTimeout
    except ModuleNotFoundError:
        raise StorageError(
            "Support for PostgreSQL is not installed.", hint="Install it with `pip install 'qa-agents[postgres]'`."
        ) from None
    rest = _Rest(ConnectionPool.check_connection)
    pool: Any = ConnectionPool(
        make_url(url).set(drivername="postgresql").render_as_string(hide_password=False),
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
        check=rest.check,
        reset=rest.begin,
        configure=_unhurried,
        min_size=1,
        max_size=POOL_SIZE,
        timeout=WAIT_SECONDS,
        open=False,
    )
    try:
        pool.open(wait=True, timeout=WAIT_SECONDS)
        with pool.connection() as connection:
            _set_up_once(PostgresSaver(connection), connection)
    except (Error, PoolTimeout) as error:
        pool.close()
        raise StorageError(
            f"The run store in PostgreSQL cannot be opened ({_first_line(error)}).",
            hint="Check the database_url setting, and that the server runs.",
        ) from None
    return PostgresSaver(pool)


class _Rest:
    """Asks a connection whether it lives when it was idle for REST_SECONDS: each time would double what a step costs."""

    def __init__(self, ask: Callable[[Any], None]) -> None:
        self._ask = ask
        self._since: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

    def begin(self, connection: Any) -> None:
        """It is given back."""
        self._since[connection] = time.monotonic()

    def check(self, connection: Any) -> None:
        """It is wanted. Raises the driver's error when it is dead."""
        if time.monotonic() - self._since.get(connection, -math.inf) > REST_SECONDS:
            self._ask(connection)


def _unhurried(connection: Any) -> None:
    """What `synchronous=NORMAL` is on SQLite: the steps reach the disk in order, a moment later. No wait is for ever."""
    connection.execute("SET synchronous_commit = off")
    connection.execute(f"SET lock_timeout = '{WAIT_SECONDS:g}s'")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{PAUSED_SECONDS:g}s'")


def _set_up_once(saver: Any, connection: Any) -> None:
    """Create the saver's tables unless they are there; of several processes that start together, one does it.

    The lock is asked for again and again and never waited for: a waiting statement would hold back the indexes that setup
    builds concurrently, for ever. Raises StorageError when another process does not come to an end with it.
    """
    deadline = time.monotonic() + 4 * WAIT_SECONDS
    while not _is_set_up(saver, connection):
        if time.monotonic() > deadline:
            raise StorageError("Another process is setting up the run store and does not finish.", hint="Repeat later.")
        if not connection.execute("SELECT pg_try_advisory_lock(%s) AS held", (_SETUP_LOCK,)).fetchone()["held"]:
            time.sleep(0.05)
            continue
        try:
            if not _is_set_up(saver, connection):
                saver.setup()
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_SETUP_LOCK,))


def _is_set_up(saver: Any, connection: Any) -> bool:
    if connection.execute("SELECT to_regclass('checkpoint_migrations') AS found").fetchone()["found"] is None:
        return False
    stored = connection.execute("SELECT max(v) AS v FROM checkpoint_migrations").fetchone()["v"]
    return stored is not None and stored + 1 >= len(saver.MIGRATIONS)


def _mapped(operation: Callable[..., Any]) -> Callable[..., Any]:
    """The operation with its driver's errors told as ours: a full disk meets every run, not only this one."""

    @functools.wraps(operation)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return operation(*args, **kwargs)
        except Exception as error:
            if isinstance(error, sqlite3.Error) or type(error).__module__.startswith("psycopg"):
                raise StorageError(
                    f"The run store could not be used ({_first_line(error)}).",
                    hint="Free space or repair it, then `qa-agents recover` goes on where the run stopped.",
                ) from error
            raise

    return call


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
