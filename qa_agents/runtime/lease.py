"""Leases: one worker at a time on one run, with a fencing token that tells an old holder from the new one."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import Connection, Text, bindparam, or_, select, update
from sqlalchemy.sql import Executable

from qa_agents.errors import ConflictError, QAAgentsError
from qa_agents.storage.engine import Answer, Database, ask, dialect_of, later, soon
from qa_agents.storage.prepared import Prepared
from qa_agents.storage.tables import leases

LEASE_SECONDS = 300.0
BEAT_SECONDS = LEASE_SECONDS / 5
"""A live worker renews so often that several renewals may fail before its lease runs out."""


@dataclass
class _Held:
    token: int
    given_back: bool = False


_held: ContextVar[Mapping[tuple[int, str], _Held]] = ContextVar("held", default=MappingProxyType({}))
"""(database, name) to lease, for the block that holds it and whatever it calls, in other threads too.

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
        self._beating = threading.Condition()
        self._alive: dict[str, int] = {}
        self._heart: threading.Thread | None = None

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[int]:
        """Hold the lease `name` for the block and yield its fencing token, which only ever grows.

        It is renewed for as long as the block runs. Raises ConflictError when somebody else holds it.
        """
        held = _Held(self._acquire(name))
        reset = _held.set({**_held.get(), (id(self._database), name): held})
        try:
            self._beat_for(name, held.token)
            yield held.token
        except BaseException:
            held.given_back = False  # what gave it back may not have been committed
            raise
        finally:
            _held.reset(reset)
            with self._beating:
                self._alive.pop(name, None)
            if not held.given_back:
                self._release(name, held.token)

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
        held = _held.get().get((id(self._database), name))
        return held.token if held else None

    def give_back(self, connection: Connection, name: str) -> None:
        """Let the calling block's lease end with the caller's transaction: the last thing that is written under it."""
        held = _held.get().get((id(self._database), name))
        if held is not None:
            later(connection, _SET, the_name=name, the_token=held.token, expires_at=0.0)
            held.given_back = True

    def is_current(self, connection: Connection, name: str, token: int) -> bool:
        """Whether this token is still the newest: ask inside the transaction that must not come from an old holder.

        Nobody takes the lease over before that transaction ends.
        """
        return _is_newest(soon(connection, _NEWEST, the_name=name), token)

    def refuse_stale(self, connection: Connection) -> None:
        """Raise ConflictError when the calling block lost one of the leases it took; ask first in whatever it writes."""
        self.stale_asked(connection)()

    def stale_asked(self, connection: Connection) -> Callable[[], None]:
        """As `refuse_stale`; the question travels with others, and calling what is returned, in the same transaction, refuses."""
        mine = [(name, held.token) for (database, name), held in _held.get().items() if database == id(self._database)]
        asked = [(name, token, soon(connection, _NEWEST, the_name=name)) for name, token in mine]

        def refuse() -> None:
            for name, token, newest in asked:
                if not _is_newest(newest, token):
                    raise ConflictError(
                        f"{name} was taken over by another worker; this one wrote nothing more.",
                        hint="The other one goes on with it.",
                    )

        return refuse

    def renew(self, connection: Connection, name: str, token: int) -> bool:
        """Prolong the lease inside the caller's transaction; False, changing nothing, when the token is not the newest."""
        until = self._now() + LEASE_SECONDS
        return len(ask(connection, _RENEW, the_name=name, the_token=token, expires_at=until)) == 1

    def _beat_for(self, name: str, token: int) -> None:
        """Have the lease renewed from the thread that renews all of this object's; a stopped or dead process stops renewing."""
        with self._beating:
            self._alive[name] = token
            if self._heart is None or not self._heart.is_alive():
                self._heart = threading.Thread(target=self._beat, daemon=True, name="leases")
                self._heart.start()

    def _beat(self) -> None:
        """Renew what is held every `beat_seconds`, until nothing was held for as long."""
        while True:
            with self._beating:
                self._beating.wait(self._beat_seconds)
                alive = dict(self._alive)
                if not alive:
                    self._heart = None
                    return
            for name, token in alive.items():
                # The database may be locked or full just now: the next beat tries again.
                with contextlib.suppress(QAAgentsError), self._database.write(durable=False) as connection:
                    self.renew(connection, name, token)

    def _acquire(self, name: str) -> int:
        token = self._take(name)
        if token is not None:
            return token
        with self._database.single() as connection:
            holder = connection.execute(select(leases.c.holder).where(leases.c.name == name)).scalar() or ""
        token = self._take(name, left_by=holder) if is_dead(holder) else None
        if token is None:
            raise ConflictError(
                f"{name} is being worked on by another process ({holder}).", hint="Repeat when it has finished."
            )
        return token

    def _take(self, name: str, left_by: str | None = None) -> int | None:
        """Take the lease where nobody holds it, or where `left_by` does; the new token, None when it is somebody else's."""
        now = self._now()
        given = {"name": name, "token": 1, "holder": self._holder, "expires_at": now + LEASE_SECONDS}
        with self._database.single() as connection:
            taken = ask(connection, _TAKE, **given, now=now, left_by=left_by)
        return taken[0]["token"] if taken else None

    def _release(self, name: str, token: int) -> None:
        with self._database.single() as connection:
            later(connection, _SET, the_name=name, the_token=token, expires_at=0.0)


def _taking(dialect: str) -> Executable:
    new = dialect_of(dialect).insert(leases)
    given = {"token": leases.c.token + 1, "holder": new.excluded.holder, "expires_at": new.excluded.expires_at}
    free = or_(leases.c.expires_at <= bindparam("now"), leases.c.holder == bindparam("left_by", type_=Text))
    taking = new.on_conflict_do_update(index_elements=[leases.c.name], set_=given, where=free)
    statement: Executable = taking.returning(leases.c.token)
    return statement


_MINE = update(leases).where(leases.c.name == bindparam("the_name"), leases.c.token == bindparam("the_token"))
_SET = Prepared(_MINE)
_RENEW = Prepared(_MINE.where(leases.c.expires_at > 0).returning(leases.c.token))
_TAKE = Prepared(_taking)
_NEWEST = Prepared(select(leases.c.token).where(leases.c.name == bindparam("the_name")).with_for_update(read=True))


def _is_newest(newest: Answer, token: int) -> bool:
    return [row["token"] for row in newest.records()] == [token]


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
