"""What the team knew when: a report as filed, then with the labels people chose, then with what became of it."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

from evals.data import as_filed
from qa_agents.incidents.schema import Incident

LabelsKnown = Literal["filed", "resolved"]
"""When the labels that people chose (component, type, priority, severity) count as known: at the first synchronisation
after filing, as a tracker shows them, or only once the report is closed. Assignee and outcome: always the latter."""
SYNC = timedelta(days=1)
"""How often the memory takes over what the tracker says."""
CHOSEN = ("component", "components", "severity", "priority", "type")
FUTURE = frozenset({"dup_cluster", "dup_query", "n_comments", "updated"})
"""Keys that tell of later, or are the answer itself."""


def filed(incident: Incident) -> Incident:
    """Only what the reporter wrote."""
    return Incident.model_validate(as_filed(incident).model_dump())


def labelled(incident: Incident) -> Incident:
    """With the labels people chose, still open."""
    return Incident.model_validate({**as_filed(incident).model_dump(), **incident.model_dump(include=set(CHOSEN))})


def closed(incident: Incident) -> Incident:
    """With everything that was known when it was closed."""
    return Incident.model_validate({k: v for k, v in incident.model_dump().items() if k not in FUTURE})


class History:
    """Hands out, in time order, how each incident changes in the tracker; nothing before its time."""

    def __init__(
        self, incidents: Sequence[Incident], labels: LabelsKnown, linked: Collection[str] | None = None
    ) -> None:
        """Of incidents outside of `linked` (None: of none) the duplicate links stay hidden for good."""
        self._incidents, self._labels, self._linked = incidents, labels, linked
        self._filed = 0
        """Incidents of which the tracker has told at all."""
        ends = [(i.resolved, n) for n, i in enumerate(incidents) if i.resolved is not None]
        self._ends = [n for _, n in sorted(ends)]
        self._ended = 0

    def due(self, now: datetime, before: int) -> Iterator[Incident]:
        """What the tracker says anew at `now` about the first `before` incidents, each at most once."""
        changed: dict[int, Incident] = {}
        for n in range(self._filed, before):
            changed[n] = self._open(n)
        self._filed = max(self._filed, before)
        later: list[int] = []
        while self._ended < len(self._ends):
            n = self._ends[self._ended]
            resolved = self._incidents[n].resolved
            if resolved is None or resolved > now:
                break
            if n < self._filed:
                changed[n] = self._closed(n)
            else:
                later.append(n)  # closed in the very moment of its filing, and not yet told of
            self._ended += 1
        if later:
            self._ended -= len(later)
            self._ends[self._ended : self._ended + len(later)] = later
        yield from changed.values()

    def _closed(self, n: int) -> Incident:
        incident = closed(self._incidents[n])
        hidden = self._linked is not None and incident.id not in self._linked
        return incident.model_copy(update={"duplicate_of": []}) if hidden else incident

    def _open(self, n: int) -> Incident:
        return labelled(self._incidents[n]) if self._labels == "filed" else filed(self._incidents[n])
