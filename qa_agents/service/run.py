"""Running the service: the web server in this process and, if wanted, a worker beside it that is started anew when it dies."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from qa_agents.errors import UnavailableError

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

END_SECONDS = 30.0
"""How long a worker may take for the job in hand when the service ends."""
LONGEST_PAUSE = 30.0
FIRST_PAUSE = 1.0
"""Seconds before an ended worker is started again; doubled each time, up to LONGEST_PAUSE."""
STEADY_SECONDS = 10.0
"""A worker that was started again counts as working once it has run so long."""
ORPHAN_SECONDS = 1.0

log = logging.getLogger(__name__)


class WorkerProcess:
    """A child process that works; in a process of its own, so that triage never delays an acknowledgement."""

    def __init__(self, command: Sequence[str], now: Callable[[], float] = time.monotonic) -> None:
        self._command = list(command)
        self._now = now
        self._began = now()
        self._ended: str | None = None
        self._ending = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name="worker watch", daemon=True)

    def start(self) -> None:
        """Start it, and keep it running."""
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process that works now, or worked last; None before the first."""
        child = self._child
        return None if child is None else child.pid

    def trouble(self) -> str | None:
        """Why no job may be getting done now, in one sentence; None while the worker runs.

        A worker that ended unasked is in trouble until its successor has run for STEADY_SECONDS, so that one that dies at
        every start is not reported well in between.
        """
        child = self._child
        if child is not None and (code := child.poll()) is not None:
            return f"The worker {_end(code)}; it is being started again."
        if self._ended is not None and (child is None or self._now() - self._began < STEADY_SECONDS):
            return f"The worker {self._ended}; it is being started again."
        return None

    def stop(self) -> None:
        """Let it finish its job, then end it."""
        self._ending.set()
        child = self._child
        if child is not None and child.poll() is None:
            child.terminate()
            try:
                child.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
        self._thread.join(ORPHAN_SECONDS)

    def _watch(self) -> None:
        pause = FIRST_PAUSE
        while not self._ending.is_set():
            self._began = self._now()
            try:
                self._child = subprocess.Popen(self._command)
                self._ended = _end(self._child.wait())
            except OSError as error:
                self._child, self._ended = None, f"could not be started ({error.strerror})"
            if self._ending.is_set():
                return
            if self._now() - self._began >= LONGEST_PAUSE:
                pause = FIRST_PAUSE
            log.error("the worker %s; it is started again in %.0f s", self._ended, pause)
            self._ending.wait(pause)
            pause = min(LONGEST_PAUSE, pause * 2)


def _end(code: int) -> str:
    """How a process ended, by its exit code, which is negative for a signal."""
    return f"was ended by signal {-code}" if code < 0 else f"ended with {code}"


def worker_command(home: object) -> list[str]:
    """How a worker on this workspace is started."""
    return [sys.executable, "-m", "qa_agents", "--home", str(home), "worker", "--parent", str(os.getpid())]


def serve(
    workspace: "Workspace", host: str, port: int, *, with_worker: bool, ready: Callable[[str], None] = lambda _: None
) -> None:
    """Serve until SIGTERM or SIGINT. Raises UnavailableError when the address cannot be had."""
    import uvicorn

    from qa_agents.service.app import build_app

    worker = WorkerProcess(worker_command(workspace.settings.home)) if with_worker else None
    config = uvicorn.Config(
        build_app(workspace, worker),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    socket = _bound(config, host, port)
    if worker is not None:
        worker.start()
    # The server raises the signal that ended it once more, afterwards: the worker is still to be ended then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    ready(f"http://{host}:{socket.getsockname()[1]}")
    try:
        uvicorn.Server(config).run(sockets=[socket])
    finally:
        if worker is not None:
            worker.stop()
        socket.close()


def _bound(config: Any, host: str, port: int) -> Any:
    """The listening socket; bound here, because the server would end the process where it cannot."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(config.backlog)
    except OSError as error:
        made.close()
        raise UnavailableError(
            f"The address {host}:{port} cannot be had ({error.strerror}).", hint="Choose another with --host or --port."
        ) from None
    return made


def stop_at_signals(stop: threading.Event, parent: int | None = None) -> None:
    """Set `stop` at the first SIGTERM or SIGINT (a second one ends at once), or when the parent process is gone."""

    def told(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)
    if parent is None:
        return

    def watch() -> None:
        while os.getppid() == parent:
            if stop.wait(ORPHAN_SECONDS):
                return
        stop.set()

    threading.Thread(target=watch, daemon=True, name="parent watch").start()
