"""A worker: claims one job after the other, keeps its lease while it works, and gives up on a job that never succeeds."""

import contextlib
import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from qa_agents.errors import ConflictError, QAAgentsError, StorageError, UnavailableError
from qa_agents.runtime.queue import LEASE_SECONDS, Job, JobQueue, LostError
from qa_agents.runtime.table_queue import holder_name

MAX_ATTEMPTS = 5
BACKOFF_SECONDS = 2.0
LONGEST_BACKOFF = 300.0
IDLE_SECONDS = 0.2
RESTING_SECONDS = 5.0
"""After the database itself failed, or another process owns the index."""
LONGEST_REST = 15.0
"""Between jobs while one after the other fails because something is out of reach: what refuses us must not be hammered."""

log = logging.getLogger(__name__)
Handler = Callable[[dict[str, Any]], None]
"""Does what a job's payload says. UnavailableError: not its fault, try later; any other error counts against it."""


class Worker:
    """Works on one job at a time. `before` runs before every claim (routing, upkeep) and says whether it had something to do."""

    def __init__(
        self,
        queue: JobQueue,
        handlers: Mapping[str, Handler],
        *,
        before: Callable[[], bool] = lambda: False,
        max_attempts: int = MAX_ATTEMPTS,
        beat_seconds: float = LEASE_SECONDS / 4,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._queue = queue
        self._handlers = handlers
        self._before = before
        self._max_attempts = max_attempts
        self._beat_seconds = beat_seconds
        self._jitter = jitter
        self._holder = holder_name()

    def run(self, stop: threading.Event, *, until_empty: bool = False) -> int:
        """Work until told to stop; the job in hand is finished first. How many jobs were handled.

        `until_empty` returns when nothing is due, which is what a test or a cron job wants.
        """
        handled = outages = 0
        while not stop.is_set():
            try:
                busy = self._before()
                job = self._queue.claim(self._holder) if not stop.is_set() else None
            except UnavailableError as error:
                log.warning("the workspace could not be used, resting: %s", error)
                stop.wait(RESTING_SECONDS)
                continue
            if job is not None:
                outages = outages + 1 if self._handle(job) == "out of reach" else 0
                handled += 1
                if outages > 1:
                    stop.wait(min(LONGEST_REST, BACKOFF_SECONDS * 2 ** min(outages - 2, 10)))
            elif not busy:
                if until_empty:
                    break
                stop.wait(IDLE_SECONDS)
        return handled

    def _handle(self, job: Job) -> Literal["out of reach"] | None:
        """Do it and end it, whatever comes of it; says so where something that others need, too, could not be reached."""
        try:
            if job.attempts > self._max_attempts:  # it ends its worker before that can say anything
                raise QAAgentsError(f"Its worker ended {self._max_attempts} times while it worked on it.")
            with self._beating(job):
                self._handlers[job.payload["do"]](job.payload)
            with contextlib.suppress(LostError):
                self._queue.done(job)
        except StorageError as error:
            log.warning("job %s waits for the database: %s", job.id, error)  # its lease runs out, and it is done again
            self._give_back(job, error, counted=False)
        except UnavailableError as error:
            self._give_back(job, error, counted=False)
            return "out of reach"
        except ConflictError as error:
            self._give_back(job, error, counted=False)
        except Exception as error:
            self._give_back(job, error, counted=True)
        return None

    def _give_back(self, job: Job, error: Exception, *, counted: bool) -> None:
        said = str(error) if isinstance(error, QAAgentsError) else f"{type(error).__name__}: {error}"
        hopeless = counted and job.attempts >= self._max_attempts
        wait = min(LONGEST_BACKOFF, BACKOFF_SECONDS * 2 ** min(job.attempts, 10)) * (0.5 + self._jitter() / 2)
        log.log(
            logging.ERROR if hopeless else logging.WARNING,
            "job %s %s: %s",
            job.id,
            "is dead" if hopeless else "failed",
            said[:300],
        )
        with contextlib.suppress(LostError, StorageError):
            self._queue.fail(job, said, retry_in=None if hopeless else wait, counted=counted)

    @contextlib.contextmanager
    def _beating(self, job: Job) -> Iterator[None]:
        """Show a sign of life from a thread of its own while the block runs."""
        ended = threading.Event()
        thread = threading.Thread(target=self._beat, args=(job, ended), daemon=True, name=f"job {job.id}")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _beat(self, job: Job, ended: threading.Event) -> None:
        while not ended.wait(self._beat_seconds):
            try:
                self._queue.extend(job)
            except LostError:
                return
            except QAAgentsError:
                continue
