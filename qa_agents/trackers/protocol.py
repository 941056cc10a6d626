"""The port to wherever the team keeps its issues; one contract test runs against every implementation."""

from typing import Protocol

from qa_agents.trackers.schema import Action, Applied, Issue


class Tracker(Protocol):
    """Reads issues and makes one change at a time, exactly once per idempotency key."""

    @property
    def name(self) -> str:
        """How the tracker is called in the ledger: `file`, `jira`, …"""
        ...

    def get(self, key: str) -> Issue | None:
        """The issue as it is now, or None. Raises UnavailableError when the tracker cannot be asked."""
        ...

    def apply(self, action: Action, idempotency_key: str) -> Applied:
        """Make the change unless one with this key was made before, which is then reported as `already_there`.

        Raises NotFoundError when the target is gone, ConflictError when it cannot be changed so, UnavailableError.
        """
        ...

    def was_applied(self, key: str, idempotency_key: str) -> bool:
        """Whether the change with this key is on the issue: how one looks before one repeats."""
        ...
