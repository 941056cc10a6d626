"""A tracker in memory, for tests: keeps the same promises as every other."""

import copy
from typing import Any

from qa_agents.errors import NotFoundError
from qa_agents.storage.canonical import digest_of
from qa_agents.trackers.changes import change
from qa_agents.trackers.schema import Action, Applied, Issue


class MemoryTracker:
    """Issues in a dict. `applied` lists every change in the order it was made; `fail_next` raises that error once."""

    name = "memory"

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Any]] = {}
        self._done: dict[tuple[str, str], Applied] = {}
        self.applied: list[tuple[str, Action]] = []
        self.fail_next: Exception | None = None

    def get(self, key: str) -> Issue | None:
        """The issue, or None."""
        record = self._records.get(key)
        return None if record is None else Issue(key=key, version=digest_of(record)[:16], **copy.deepcopy(record))

    def was_applied(self, key: str, idempotency_key: str) -> bool:
        """Whether a change with this key was made."""
        return (key, idempotency_key) in self._done

    def apply(self, action: Action, idempotency_key: str) -> Applied:
        """Make the change once."""
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error
        earlier = self._done.get((action.target, idempotency_key))
        if earlier is not None:
            return earlier.model_copy(update={"already_there": True})
        record = self._records.get(action.target)
        if record is None and action.kind != "create_issue":
            raise NotFoundError(f"The issue {action.target} does not exist.")
        changed, applied = change(action, record)
        self._records[action.target] = changed
        self._done[(action.target, idempotency_key)] = applied
        self.applied.append((idempotency_key, action))
        return applied
