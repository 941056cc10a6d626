"""Issues in memory, for tests: what a worker reads again."""

from datetime import datetime

from qa_agents.incidents.schema import Report


class MemoryIssues:
    """An issue source over a dict of id to report; `reads` lists what was asked for, `fail_next` raises that error once."""

    def __init__(self, account: str | None = None) -> None:
        self.reports: dict[str, Report] = {}
        self.changed: dict[str, datetime] = {}
        self.reads: list[str] = []
        self.fail_next: Exception | None = None
        self._account = account

    def put(self, id: str, report: Report, at: datetime) -> None:
        """Create or change an issue."""
        self.reports[id], self.changed[id] = report, at

    def issue(self, id: str) -> Report | None:
        """The report, or None."""
        self.reads.append(id)
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error
        return self.reports.get(id)

    def changed_since(self, project: str, moment: datetime) -> list[str]:
        """Ids of the reports whose own id begins with the project."""
        mine = (id for id, report in self.reports.items() if report.id.startswith(f"{project}-"))
        return [id for id in mine if self.changed[id] >= moment]

    def account_id(self) -> str | None:
        """The account given at the start."""
        return self._account
