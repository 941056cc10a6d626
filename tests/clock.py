"""A clock that moves only when a test moves it."""


class Clock:
    """Seconds since the epoch, as `time.time` tells them."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
