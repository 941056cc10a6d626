"""Group commit: many requests wait for one flush of the disk, made by one thread."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from qa_agents.errors import QAAgentsError, UnavailableError
from qa_agents.runtime.intake import Delivery, Stored

MAX_BATCH = 256
MAX_BATCH_BYTES = 16 * 1024 * 1024
STALLED_SECONDS = 1.0
"""A flush that takes longer means that the disk cannot follow."""

log = logging.getLogger(__name__)
Append = Callable[[Sequence[Delivery]], list[Stored]]
_Waiting = tuple[Delivery, "asyncio.Future[Stored]"]


class OverloadedError(UnavailableError):
    """The sender should come back later; nothing of its delivery was kept."""


class GroupCommit:
    """Stores deliveries through `append`, in order, in batches that are as large as what came during the last flush."""

    def __init__(
        self,
        append: Append,
        *,
        limit: int,
        observe: Callable[[int, float], None] = lambda size, seconds: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._append = append
        self._limit = limit
        self._observe = observe
        self._clock = clock
        self._queue: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._ending = False
        self._writing_since: float | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def depth(self) -> int:
        """How many deliveries wait for the next flush."""
        return len(self._queue)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def stalled_seconds(self) -> float:
        """How long the flush that is under way has taken so far; 0 when none is."""
        since = self._writing_since
        return 0.0 if since is None else self._clock() - since

    def start(self) -> None:
        """Start the thread; called in the event loop that will submit."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="intake writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Store what was submitted, then end the thread."""
        with self._wake:
            self._ending = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def submit(self, delivery: Delivery) -> "asyncio.Future[Stored]":
        """A future that is done once the delivery is on disk. Raises OverloadedError, and then it was not taken."""
        if self._loop is None or not self.is_alive or self._ending:
            raise OverloadedError("The service is starting or ending.")
        if len(self._queue) >= self._limit:
            raise OverloadedError(f"{self._limit} deliveries wait for the disk.")
        if self.stalled_seconds > STALLED_SECONDS:
            raise OverloadedError("The disk does not follow.")
        future: asyncio.Future[Stored] = self._loop.create_future()
        with self._wake:
            self._queue.append((delivery, future))
            self._wake.notify()
        return future

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._ending:
                    self._wake.wait()
                if not self._queue:
                    return
                batch = self._take()
            self._writing_since = began = self._clock()
            answers = self._store(batch)
            self._writing_since = None
            self._answer(batch, answers, self._clock() - began)

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._queue and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            batch.append(self._queue.popleft())
            size += len(batch[-1][0].body)
        return batch

    def _store(self, batch: list[_Waiting]) -> "list[Stored | Exception]":
        """What became of each. One that cannot be stored must not cost the others."""
        try:
            return list(self._append([delivery for delivery, _ in batch]))
        except QAAgentsError as error:  # the database: it would meet each one alone, too
            log.error("deliveries could not be stored: %s", error)
            return [error] * len(batch)
        except Exception as error:
            if len(batch) == 1:
                log.exception("a delivery could not be stored")
                return [error]
        return [answer for one in batch for answer in self._store([one])]

    def _answer(self, batch: list[_Waiting], answers: "list[Stored | Exception]", seconds: float) -> None:
        def settle() -> None:
            self._observe(len(batch), seconds)
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():  # the request was given up meanwhile
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

        loop: Any = self._loop
        try:
            loop.call_soon_threadsafe(settle)  # one wake-up for the whole batch
        except RuntimeError:
            return  # the loop has ended, and with it whoever waited
