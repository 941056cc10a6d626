"""Leases: one worker at a time on one run, with a fencing token that tells an old holder from the new one."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType

from sqlalchemy import Connection, insert, select, update

from qa_agents.errors import ConflictError, QAAgentsError
from qa_agents.storage.engine import Database, serialise
from qa_agents.storage.tables import leases

LEASE_SECONDS = 300.0
BEAT_SECONDS = LEASE_SECONDS / 5
"""A live worker renews so often that several renewals may fail before its lease runs out."""

_held: ContextVar[Mapping[tuple[int, str], int]] = ContextVar("held", default=MappingProxyType({}))
"""(database, name) to token, for the block that holds it and whatever it calls, in other threads too.

A context and not the process: two threads of one process must never take each other's token for their own.
"""


class Leases:
    """Rows that say who works on what until when. A holder on this machine that died loses its lease at once.

    Every object over the same Database speaks of the same leases.
    """

    def __init__(
        self, database: Database, now: Callable[[], float] = time.time, beat_seconds: float = BEAT_SECONDS
    ) -> None:
        self._database = database
        self._now = now
        self._beat_seconds = beat_seconds
        self._holder = f"{socket.gethostname()}:{os.getpid()}"

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[int]:
        """Hold the lease `name` for the block and yield its fencing token, which only ever grows.

        It is renewed for as long as the block runs. Raises ConflictError when somebody else holds it.
        """
        token = self._acquire(name)
        reset = _held.set({**_held.get(), (id(self._database), name): token})
        try:
            with self._beating(name, token):
                yield token
        finally:
            _held.reset(reset)
            self._release(name, token)

    @contextlib.contextmanager
    def ensure(self, name: str) -> Iterator[int]:
        """The token under which the caller holds `name`; where it holds none, hold it for the block."""
        token = self.token_of(name)
        if token is not None:
            yield token
            return
        with self.hold(name) as taken:
            yield taken

    def token_of(self, name: str) -> int | None:
        """The token under which the calling block holds `name`, newest or not; None when it never took it."""
        return _held.get().get((id(self._database), name))

    def is_current(self, connection: Connection, name: str, token: int) -> bool:
        """Whether this token is still the newest: ask inside the transaction that must not come from an old holder."""
        return connection.execute(select(leases.c.token).where(leases.c.name == name)).scalar() == token

    def refuse_stale(self, connection: Connection) -> None:
        """Raise ConflictError when the calling block lost one of the leases it took; ask first in whatever it writes."""
        for (database, name), token in _held.get().items():
            if database == id(self._database) and not self.is_current(connection, name, token):
                raise ConflictError(
                    f"{name} was taken over by another worker; this one wrote nothing more.",
                    hint="The other one goes on with it.",
                )

    def renew(self, connection: Connection, name: str, token: int) -> bool:
        """Prolong the lease inside the caller's transaction; False, changing nothing, when the token is not the newest."""
        mine = leases.c.name == name, leases.c.token == token, leases.c.expires_at > 0
        lasting = self._now() + LEASE_SECONDS
        return connection.execute(update(leases).where(*mine).values(expires_at=lasting)).rowcount == 1

    @contextlib.contextmanager
    def _beating(self, name: str, token: int) -> Iterator[None]:
        """Renew from a thread of its own while the block runs; a stopped or dead process stops renewing."""
        ended = threading.Event()
        thread = threading.Thread(target=self._beat, args=(name, token, ended), daemon=True, name=f"lease {name}")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _beat(self, name: str, token: int, ended: threading.Event) -> None:
        while not ended.wait(self._beat_seconds):
            try:
                with self._database.write(durable=False) as connection:
                    if not self.renew(connection, name, token):
                        return
            except QAAgentsError:
                continue  # the database is locked or full just now: the next beat tries again

    def _acquire(self, name: str) -> int:
        with self._database.write(durable=False) as connection:
            serialise(connection, f"lease:{name}")
            row = connection.execute(select(leases).where(leases.c.name == name)).first()
            values = {"holder": self._holder, "expires_at": self._now() + LEASE_SECONDS}
            if row is None:
                connection.execute(insert(leases).values(name=name, token=1, **values))
                return 1
            if row.expires_at > self._now() and not is_dead(row.holder):
                raise ConflictError(
                    f"{name} is being worked on by another process ({row.holder}).", hint="Repeat when it has finished."
                )
            token = int(row.token) + 1
            connection.execute(update(leases).where(leases.c.name == name).values(token=token, **values))
            return token

    def _release(self, name: str, token: int) -> None:
        with self._database.write(durable=False) as connection:
            connection.execute(
                update(leases).where(leases.c.name == name, leases.c.token == token).values(expires_at=0.0)
            )


def is_dead(holder: str) -> bool:
    """Whether the holder is a process of this machine that no longer runs; unknown counts as alive."""
    host, _, pid = holder.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError):
        return False
    return False
