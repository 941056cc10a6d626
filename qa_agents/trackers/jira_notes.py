"""Which issue was created for which report, and when its creation was last tried: kept here, because Jira cannot tell at once."""

from typing import Protocol

from pydantic import BaseModel, ConfigDict

from qa_agents.storage.canonical import digest_of
from qa_agents.storage.engine import Database, recall_fact, remember_fact


class Created(BaseModel):
    """What is known about the issue for one report."""

    model_config = ConfigDict(frozen=True)

    tried_at: float
    """Seconds since the epoch when its creation was last begun."""
    issue_id: str | None = None
    """Jira's id, once it answered."""


class Notes(Protocol):
    """Remembers creations; what is noted must survive the process before `note` returns."""

    def recall(self, target: str) -> Created | None:
        """What was noted about this report's issue."""
        ...

    def note(self, target: str, created: Created) -> None:
        """Replace what was noted."""
        ...


class MemoryNotes:
    """Notes of one process, for tests and read-only use."""

    def __init__(self) -> None:
        self._noted: dict[str, Created] = {}

    def recall(self, target: str) -> Created | None:
        """What was noted about this report's issue."""
        return self._noted.get(target)

    def note(self, target: str, created: Created) -> None:
        """Replace what was noted."""
        self._noted[target] = created


class DatabaseNotes:
    """Notes in the workspace's database, per site."""

    def __init__(self, database: Database, site: str) -> None:
        self._database, self._site = database, site

    def recall(self, target: str) -> Created | None:
        """What was noted about this report's issue."""
        with self._database.read() as connection:
            found = recall_fact(connection, self._name(target))
        return None if found is None else Created.model_validate(found)

    def note(self, target: str, created: Created) -> None:
        """Replace what was noted."""
        with self._database.write() as connection:
            remember_fact(connection, self._name(target), created.model_dump(mode="json"))

    def _name(self, target: str) -> str:
        return f"jira_issue.{digest_of([self._site, target])[:32]}"
