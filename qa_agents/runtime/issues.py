"""Where a worker reads an issue again: the port that a tracker's adapter implements, and a folder of reports that does."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from qa_agents.errors import InvalidInputError, UnavailableError
from qa_agents.incidents.intake import read_report
from qa_agents.incidents.schema import Report


class IssueSource(Protocol):
    """Reads issues as they are now. All three raise UnavailableError when the tracker cannot be asked."""

    def issue(self, id: str) -> Report | None:
        """The issue with this id or key as a report whose id is its key; None when it is gone or may not be seen.

        Holds what people reported and nothing that our own writes change, so that equal means there is nothing new to judge.
        """
        ...

    def changed_since(self, project: str, moment: datetime) -> Iterable[str]:
        """Ids of the issues of a project that were changed at or after `moment`, which knows its zone."""
        ...

    def account_id(self) -> str | None:
        """The account that our own writes appear under; None where there is no such thing."""
        ...


class FolderIssues:
    """An IssueSource without a server: `<folder>/<id>.json`, one report each, written by whoever puts them there."""

    def __init__(self, folder: Path, max_bytes: int = 10_000_000) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def issue(self, id: str) -> Report | None:
        """The report in the issue's file. Raises InvalidInputError when it holds none."""
        path = self._folder / f"{quote(id, safe='')}.json"
        if not path.is_file():
            if not self._folder.is_dir():
                raise UnavailableError(
                    f"The folder {self._folder} is not there.", hint="Create it, or correct the setting."
                )
            return None
        found = read_report(path, self._max_bytes)[0]
        if found.report is None:
            raise InvalidInputError(f"{path.name} {found.problem}.")
        return found.report

    def changed_since(self, project: str, moment: datetime) -> list[str]:
        """Files of a project (`<project>-<number>.json`) by when they were last written."""
        since = moment.astimezone(UTC).timestamp()
        found = self._folder.glob(f"{quote(project, safe='')}-*.json")
        return sorted(path.stem for path in found if path.stat().st_mtime >= since)

    def account_id(self) -> str | None:
        """None: nobody signs files."""
        return None
