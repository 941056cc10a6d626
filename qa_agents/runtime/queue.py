"""The port to a queue of jobs: at least once, in order per key, known for ever by their dedup id, dead with a reason."""

from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from qa_agents.errors import ConflictError

LEASE_SECONDS = 30.0
"""How long a claimed job stays its worker's without a sign of life."""


class Job(BaseModel):
    """One claimed job."""

    model_config = ConfigDict(frozen=True)

    id: int
    key: str
    """Jobs of one key are done one at a time, in the order they were put."""
    payload: dict[str, Any]
    token: int
    """Grows with every claim: what a former holder sends back is refused."""
    attempts: int
    """How often it was claimed, this time included; what failed through no fault of its own is not counted."""


class LostError(ConflictError):
    """The job was claimed by another worker meanwhile; nothing was changed."""


class Backlog(BaseModel):
    """How many jobs are in each state, and how long the oldest that could be done has waited."""

    states: dict[str, int] = Field(default_factory=dict)
    oldest_seconds: float = 0.0


class JobQueue(Protocol):
    """Every method is one transaction; any number of processes may share a queue."""

    def put(
        self, key: str, dedup_id: str, payload: dict[str, Any], *, delay: float = 0.0, collapse: bool = False
    ) -> bool:
        """Add a job, due in `delay` seconds; False, changing nothing, when this dedup id was ever put before.

        `collapse` merges it into the key's job that nobody has claimed yet, if there is one, which then carries this payload.
        """
        ...

    def claim(self, holder: str) -> Job | None:
        """The oldest due job whose key nobody works on and that no earlier job of its key precedes; None when there is none.

        A job whose holder died, or did not `extend` in time, is given to the next who asks.
        """
        ...

    def extend(self, job: Job) -> None:
        """Keep a claimed job for another LEASE_SECONDS. Raises LostError."""
        ...

    def done(self, job: Job) -> None:
        """The job is finished. Raises LostError."""
        ...

    def fail(self, job: Job, error: str, *, retry_in: float | None, counted: bool = True) -> None:
        """Give a job back, due in `retry_in` seconds, or to the dead letters for None. Raises LostError.

        It keeps its place before later jobs of its key. Not `counted`: this attempt is forgotten.
        """
        ...

    def release(self, job: Job) -> None:
        """Give a job back untouched, because its worker ends. Raises LostError."""
        ...

    def recent(self, key: str, since: float) -> int:
        """How many jobs of this key ended well since a moment (seconds since the epoch)."""
        ...

    def backlog(self) -> Backlog:
        """The queue in numbers."""
        ...
