"""How often a login may be tried: counted by name and address together, and more loosely by each alone."""

import time
from collections import deque
from collections.abc import Callable

from qa_agents.errors import NotAllowedError

TRIES, WINDOW = 5, 900.0
"""So many wrong logins of one name from one address, within so many seconds; then it has to wait."""
LOOSELY = 50
"""Wrong logins of one name from anywhere, or of any names from one address: many people may share an address."""
MOST_KEYS = 10_000


class TooManyTriesError(NotAllowedError):
    """Somebody has guessed too often and has to wait; `seconds` says how long."""

    def __init__(self, seconds: float) -> None:
        super().__init__("Too many wrong logins.", hint=f"Wait {max(1, round(seconds / 60))} minutes, then try again.")
        self.seconds = seconds


class Patience:
    """Counts wrong logins in this process; the oldest are forgotten first."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._wrong: dict[str, deque[float]] = {}

    def check(self, name: str, address: str) -> None:
        """Raise TooManyTriesError while this name or address has guessed too often."""
        for key, most in _keys(name, address).items():
            tries = self._wrong.get(key, deque())
            while tries and tries[0] <= self._now() - WINDOW:
                tries.popleft()
            if len(tries) >= most:
                raise TooManyTriesError(tries[0] + WINDOW - self._now())

    def wrong(self, name: str, address: str) -> None:
        """Note one wrong login."""
        for key in _keys(name, address):
            tries = self._wrong.pop(key, None) or deque(maxlen=LOOSELY)
            tries.append(self._now())
            self._wrong[key] = tries  # at the end: what was touched longest ago is the first to go
        while len(self._wrong) > MOST_KEYS:
            del self._wrong[next(iter(self._wrong))]


def _keys(name: str, address: str) -> dict[str, int]:
    """What is counted, each with how many are borne."""
    return {f"both {address} {name}": TRIES, f"name {name}": LOOSELY, f"address {address}": LOOSELY}
