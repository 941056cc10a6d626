"""A circuit breaker: after repeated failures an endpoint is left alone for a while, then tried by one question."""

import time
from collections.abc import Callable
from threading import Lock

FAILURES = 4
"""In a row; then it is left alone."""
FIRST_REST = 30.0
LONGEST_REST = 600.0
"""Seconds; the rest doubles with each failed trial."""


class Breaker:
    """Closed (all pass), open (none passes), or trying (one passes). Safe to share between threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, failures: int = FAILURES) -> None:
        self._clock, self._allowed = clock, failures
        self._lock = Lock()
        self._failed = 0
        self._rest = FIRST_REST
        self._open_until: float | None = None
        self._trying = False

    def admit(self) -> float:
        """0 when a question may be put now; else how many seconds the endpoint is left alone still.

        Whoever is admitted says afterwards how it went: `succeeded`, `failed` or `abandoned`.
        """
        with self._lock:
            if self._open_until is None:
                return 0.0
            left = self._open_until - self._clock()
            if left > 0:
                return left
            if self._trying:
                return FIRST_REST / 10
            self._trying = True
            return 0.0

    def succeeded(self) -> None:
        """The endpoint answered, whatever the answer was worth."""
        with self._lock:
            self._failed, self._rest, self._open_until, self._trying = 0, FIRST_REST, None, False

    def failed(self, *, for_certain: bool = False) -> None:
        """No answer. `for_certain`: asking again will not help (a key that is not accepted), so it opens at once."""
        with self._lock:
            self._failed += 1
            if self._trying or for_certain or self._failed >= self._allowed:
                self._rest = min(self._rest * 2, LONGEST_REST) if self._trying else self._rest
                self._open_until = self._clock() + self._rest
            self._trying = False

    def abandoned(self) -> None:
        """The caller gave up: nothing was learned about the endpoint."""
        with self._lock:
            self._trying = False
