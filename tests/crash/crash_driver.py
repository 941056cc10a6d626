"""Processes that can be killed or paused at any point: every durable operation and node entry of the real parts is one."""

import contextlib
import faulthandler
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import langgraph.checkpoint.sqlite
import langgraph.graph
import langgraph.types  # noqa: F401 - imported before the fork, so that no child pays for it

import qa_agents.operations.deciding
import qa_agents.operations.handling
import qa_agents.operations.intervening
import qa_agents.runtime.outbox
import qa_agents.runtime.received
import qa_agents.runtime.record  # noqa: F401 - a clock is moved in what is imported
from qa_agents.checkpoint import node as checkpoint_node
from qa_agents.errors import QAAgentsError
from qa_agents.incidents.lexical import LexicalIndex
from qa_agents.runtime import redact, savers
from qa_agents.settings import Settings
from qa_agents.storage.engine import Database
from qa_agents.trackers.file import FileTracker
from qa_agents.triage import graph as triage_graph
from qa_agents.triage.steps import Steps
from qa_agents.wiring import Workspace
from tests.postgres import copy_database, drop_database, url_of

NODES = [name for name, value in vars(Steps).items() if callable(value) and not name.startswith("_")]
Work = Callable[[Workspace], object]
PATIENCE = 120.0
"""Seconds that a child may take; every wait of the system's own for a lock or a connection is far shorter."""


@dataclass(frozen=True)
class Home:
    """A workspace to try things on: a folder, and on PostgreSQL a database beside it."""

    folder: Path
    database: str | None = None

    @property
    def settings(self) -> Settings:
        if self.database is None:
            return Settings(home=self.folder, embedder="none")
        return Settings.model_validate({"home": self.folder, "embedder": "none", "database_url": url_of(self.database)})

    @property
    def engine(self) -> str:
        return "postgresql" if self.database else "sqlite"

    @contextlib.contextmanager
    def copy(self, folder: Path) -> Iterator["Home"]:
        """A copy that may be ruined, and is gone afterwards."""
        shutil.copytree(self.folder, folder)
        home = Home(folder, copy_database(self.database) if self.database else None)
        try:
            yield home
        finally:
            home.drop()

    def drop(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.database:
            drop_database(self.database)


@dataclass
class Points:
    """Counts the points passed, and strikes this process with a signal at the one it was told."""

    strike_at: int | None = None
    log: Path | None = None
    signal: int = signal.SIGKILL
    count: int = 0

    def pass_(self, name: str) -> None:
        self.count += 1
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{name}\n")
        if self.count == self.strike_at:
            os.kill(os.getpid(), self.signal)

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.pass_(f"before {name}")
            result = function(*args, **kwargs)
            self.pass_(f"after {name}")
            return result

        return wrapped


def install(points: Points, url: str | None) -> None:
    """Put a point before and after every commit, saver write, tracker write and node.

    A commit is named after the function that makes it; "before" lies inside its transaction, when everything is written.
    """
    write = Database.write

    @contextlib.contextmanager
    def counted(self: Database, **options: bool) -> Iterator[Any]:
        name = sys._getframe(2).f_code.co_qualname
        with write(self, **options) as connection:
            yield connection
            points.pass_(f"before commit {name}")
        points.pass_(f"after commit {name}")

    Database.write = counted  # type: ignore[method-assign]
    FileTracker.apply = points.around("tracker", FileTracker.apply)  # type: ignore[method-assign]
    FileTracker._store = points.around("tracker file", FileTracker._store)  # type: ignore[method-assign]
    for name in NODES:
        setattr(Steps, name, points.around(f"node {name}", getattr(Steps, name)))
    triage_graph.checkpoint = points.around("node checkpoint", checkpoint_node.checkpoint)
    LexicalIndex.purge = points.around("index purge", LexicalIndex.purge)  # type: ignore[method-assign]
    redact.compact = points.around("compact", redact.compact)
    opened = savers.open_saver

    def open_saver(target: Any) -> Any:
        saver = opened(url or target)
        for name in ("put", "put_writes", "delete_thread"):
            setattr(saver, name, points.around(f"saver {name}", getattr(saver, name)))
        return saver

    savers.open_saver = open_saver


def shift_clock(seconds: float) -> None:
    """Move the wall clock of this process: what reads it later, and every default that holds it already."""
    real = time.time

    def shifted() -> float:
        return real() + seconds

    for module in [module for name, module in sys.modules.items() if name.startswith("qa_agents.")]:
        for value in list(vars(module).values()):
            made = vars(value).get("__init__") if isinstance(value, type) else value
            defaults = getattr(made, "__defaults__", None)
            if defaults and real in defaults:
                made.__defaults__ = tuple(  # type: ignore[union-attr]
                    shifted if default is real else default for default in defaults
                )
    time.time = shifted


@dataclass
class Child:
    """One forked process that does `work` on a workspace."""

    work: Work
    home: Home
    points: Points = field(default_factory=Points)
    before: Callable[[], object] = lambda: None
    """Run in the process before anything else: a limit, a moved clock, a barrier."""
    pid: int = 0

    def start(self) -> "Child":
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 70
            try:
                faulthandler.register(signal.SIGUSR1)
                install(self.points, url_of(self.home.database) if self.home.database else None)
                self.before()
                with Workspace(self.home.settings) as workspace:
                    self.work(workspace)
                code = 0
            except BaseException as error:
                code = error.exit_code if isinstance(error, QAAgentsError) else code
                with contextlib.suppress(BaseException):
                    print(f"{type(error).__name__}: {error}", flush=True)
            finally:
                os._exit(code)
        return self

    def wait(self, seconds: float = PATIENCE) -> int:
        """The exit code, or the negated number of the signal that ended it. One that does not end is killed, and fails the test.

        It says where it was: its threads' stacks are in the output.
        """
        ended = self._ended(seconds)
        if ended is None:
            os.kill(self.pid, signal.SIGCONT)
            os.kill(self.pid, signal.SIGUSR1)
            ended = self._ended(1.0)
        if ended is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        assert ended is not None, f"the child did not end within {seconds:g} s"
        return ended

    def _ended(self, seconds: float) -> int | None:
        """The exit code once it has ended; None when it has not after so long."""
        descriptor = os.pidfd_open(self.pid)
        try:
            if not select.select([descriptor], [], [], seconds)[0]:
                return None
        finally:
            os.close(descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def wait_for_pause(self) -> bool:
        """Whether it paused itself; False when it ended before."""
        return os.WIFSTOPPED(os.waitpid(self.pid, os.WUNTRACED)[1])

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


def run(work: Work, home: Home, *, log: Path | None = None, before: Callable[[], object] = lambda: None) -> float:
    """Do `work` undisturbed, which must succeed; the seconds it took."""
    started = time.monotonic()
    assert Child(work, home, Points(log=log), before).start().wait() == 0, (
        "the child failed; its error is in the output"
    )
    return time.monotonic() - started


def kill(work: Work, home: Home, at: int) -> bool:
    """Do `work` until point number `at` and die there; False when it ended before reaching it."""
    code = Child(work, home, Points(at)).start().wait()
    assert code in (0, -signal.SIGKILL), f"the child failed with {code}; its error is in the output"
    return code != 0


def race(works: list[Work], home: Home, *, delays: tuple[int, ...] = (), codes: tuple[int, ...] = (0,)) -> None:
    """Do all `works` at once, each in a process of its own, let loose together.

    `delays`: microseconds that each waits after the start, to vary who comes first.
    """
    ready_r, ready_w = os.pipe()
    gate_r, gate_w = os.pipe()

    def barrier(delay: int) -> None:
        os.close(gate_w)
        os.write(ready_w, b".")
        os.read(gate_r, 1)
        time.sleep(delay / 1e6)

    children = []
    for number, work in enumerate(works):
        delay = delays[number] if delays else 0
        children.append(Child(work, home, before=lambda delay=delay: barrier(delay)).start())  # type: ignore[misc]
    os.close(gate_r)
    for _ in children:
        os.read(ready_r, 1)
    for end in (gate_w, ready_r, ready_w):
        os.close(end)
    ended = [child.wait() for child in children]
    assert all(code in codes for code in ended), f"a racer failed: {ended}; its error is in the output"
