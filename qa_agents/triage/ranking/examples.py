"""What a ranker is fitted on: past reports held against the memory as it was when each was filed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from qa_agents.incidents.schema import Incident, Report
from qa_agents.incidents.search import Memory
from qa_agents.triage.ranking.features import features

AS_FILED = ("id", "summary", "description", "created", "product", "version", "platform", "reporter")
"""What a report says of itself when it comes in; labels are added later."""

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Examples:
    """Pools with their answers, in the order the reports were filed."""

    names: tuple[str, ...] = ()
    rows: list[NDArray[np.float32]] = field(default_factory=list)
    right: list[NDArray[np.bool_]] = field(default_factory=list)
    """Which candidates are linked with the report."""
    filed: list[datetime] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def answered(self) -> "Examples":
        """Those in whose pool a right answer is: an order can be learned from no others."""
        return self.where([bool(right.any()) for right in self.right])

    def where(self, kept: Sequence[bool]) -> "Examples":
        """Those that are marked."""
        places = [i for i, keep in enumerate(kept) if keep]
        return Examples(
            self.names,
            [self.rows[i] for i in places],
            [self.right[i] for i in places],
            [self.filed[i] for i in places],
        )

    def __add__(self, other: "Examples") -> "Examples":
        return Examples(
            self.names or other.names, self.rows + other.rows, self.right + other.right, self.filed + other.filed
        )


def as_filed(report: Report) -> Report:
    """The report as it came in: without outcomes and labels."""
    return Report.model_validate(report.model_dump(include=set(AS_FILED)))


def collect(
    memory: Memory,
    queries: Iterable[tuple[Report, frozenset[str]]],
    *,
    progress: Progress | None = None,
    total: int = 0,
    stage: str = "ranker",
) -> Examples:
    """The pool of each dated report with its right answers; what was filed later is not looked at."""
    found = Examples()
    for done, (report, wanted) in enumerate(queries, start=1):
        if report.created is None:
            continue
        pool = memory.pool(memory.gather(as_filed(report), as_of=report.created))
        if pool.incidents:
            found.names, rows = features(pool)
            found.rows.append(rows)
            found.right.append(np.array([incident.id in wanted for incident in pool.incidents], np.bool_))
            found.filed.append(report.created)
        if progress:
            progress(stage, done, max(total, done))
    return found


def earlier_members(links: Iterable[tuple[str, str]], created: Mapping[str, datetime]) -> dict[str, frozenset[str]]:
    """For each incident that repeats an earlier one, the earlier ones that links connect it with; dated ones only.

    Union by root over the links (Tarjan 1975).
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for source, target in links:
        if source in created and target in created:
            parent[root(source)] = root(target)
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(parent, key=lambda name: (created[name], name)):
        groups[root(name)].append(name)
    return {
        name: frozenset(members[:place]) for members in groups.values() for place, name in enumerate(members) if place
    }


def linked_queries(memory: Memory, limit: int, until: datetime | None = None) -> list[tuple[Incident, frozenset[str]]]:
    """The newest `limit` incidents that repeat an earlier one, oldest first, with what they repeat.

    Only links that were revealed at `until` count; without it, all.
    """
    links = memory.store.links()
    known = memory.store.get_many({name for link in links for name in link})
    created = {name: incident.created for name, incident in known.items() if incident.created is not None}
    revealed = [
        (source, target)
        for source, target in links
        if source in known and (until is None or known[source].revealed_at(until))
    ]
    wanted = earlier_members(revealed, created)
    newest = sorted(wanted, key=lambda name: (created[name], name))[-limit:]
    return [(known[name], wanted[name]) for name in newest]
