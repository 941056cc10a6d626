"""The team's past as arrays: who was filed when, what it was labelled, and from when on that was known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qa_agents.incidents.schema import Incident, Report
from qa_agents.triage.proposals.words import Numbers, Row, Vocabulary, matrix, read_report
from qa_agents.triage.schema import FieldName

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FIELDS: tuple[FieldName, ...] = ("component", "type", "priority", "assignee")
"""What is proposed here."""
FILED_WITH = ("product", "version", "platform", "reporter")
"""What a report brings beside its text."""
HUMAN_WEIGHT = 3.0
"""A label that a person gave at a review counts for so many of the tracker's."""
MIN_OPEN = 20
LABELLED_AT_ONCE = 0.5
"""Open incidents are labelled at least half as often as closed ones: then labels are known from filing on."""
DAY = 86_400.0

Times = NDArray[np.float64]
Progress = Callable[[str, int, int], None]


def labels_of(incident: Incident, field: FieldName) -> list[str]:
    """The incident's labels for a field, without blanks or repetitions. A person counts as assignee once it is resolved."""
    if field == "component":
        return list(dict.fromkeys(name for name in incident.components if name.strip()))
    if field == "assignee" and incident.resolved is None:
        return []
    value: str | None = getattr(incident, field)
    return [value] if value else []


def trust(incident: Incident) -> float:
    """How much an incident's labels count: a person's decision outweighs what a tracker holds."""
    return HUMAN_WEIGHT if (incident.model_extra or {}).get("labelled_by") else 1.0


def filed_with(report: Report, name: str) -> str | None:
    """What a report brings under one of FILED_WITH."""
    value = getattr(report, name)
    return value if isinstance(value, str) else None


@dataclass(frozen=True)
class Labelled:
    """The labels of one field over the whole past."""

    names: tuple[str, ...]
    carried: csr_matrix
    """Incidents × labels: 1 where the incident carries the label."""
    known: Times
    """From when on an incident's labels were known; inf for one without any."""
    at_once: bool = False
    """Whether people label at triage, so that labels are known from filing on."""

    @cached_property
    def targets(self) -> Numbers:
        """Incidents × labels: the incident's labels share 1."""
        dense: Numbers = self.carried.toarray().astype(np.float32)
        shared: Numbers = dense / np.maximum(dense.sum(axis=1, keepdims=True), 1)
        return shared


class History:
    """Dated incidents from before `as_of`, the oldest first; nothing here tells of later."""

    def __init__(
        self,
        incidents: Sequence[Incident],
        vectors: Mapping[str, Numbers] | None,
        as_of: datetime,
        progress: Progress = lambda *_: None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        dated = sorted((i.created, i.id, i) for i in incidents if i.created is not None and i.created < as_of)
        self.incidents = [incident for _, _, incident in dated]
        self.as_of = as_of.timestamp()
        self.created = np.array([created.timestamp() for created, _, _ in dated], np.float64)
        self.resolved = np.array([_seconds(i.resolved, self.as_of) for i in self.incidents], np.float64)
        self.trust = np.array([trust(i) for i in self.incidents], np.float32)
        read = []
        for place, incident in enumerate(self.incidents):
            read.append(read_report(incident))
            if place % 1_000 == 999:
                progress("reading", place + 1, len(self.incidents))
        self.vocabulary = vocabulary or Vocabulary.of(read)
        self.rows: list[Row] = [self.vocabulary.row(one) for one in read]
        self.words = matrix(self.rows, self.vocabulary.width)
        self.vectors = _stacked(self.incidents, vectors)

    def __len__(self) -> int:
        return len(self.incidents)

    @property
    def now(self) -> float:
        """The newest thing the memory knows of, in seconds: in a memory that was not fed for long, time stands still."""
        ends = self.resolved[np.isfinite(self.resolved)]
        return min(self.as_of, float(max(self.created.max(initial=-np.inf), ends.max(initial=-np.inf))))

    def labelled(self, field: FieldName) -> Labelled:
        """The labels of a field, and since when each was known.

        A tracker's export holds final values. Where open incidents carry the field as often as closed ones (half as often
        will do), people label at triage, and a label counts as known from filing on; otherwise from the closing date on.
        """
        from scipy.sparse import csr_matrix

        carried = [labels_of(i, field) for i in self.incidents]
        names = sorted({label for labels in carried for label in labels})
        place = {name: n for n, name in enumerate(names)}
        flat = [place[label] for labels in carried for label in labels]
        ends = np.cumsum([0, *map(len, carried)])
        has = np.diff(ends) > 0
        closed = np.isfinite(self.resolved)
        at_once = (
            field != "assignee"
            and int((~closed).sum()) >= MIN_OPEN
            and has[~closed].mean() >= LABELLED_AT_ONCE * has[closed].mean()
            if closed.any()
            else field != "assignee"
        )
        known = np.where(has, self.created if at_once else self.resolved, np.inf)
        values = np.ones(len(flat), np.float32)
        matrix_of = csr_matrix((values, flat, ends), shape=(len(carried), len(names)))
        return Labelled(tuple(names), matrix_of, known, bool(at_once))

    def trainable(self, labelled: Labelled, at: float, limit: int) -> NDArray[np.int64]:
        """Rows whose labels may be learned from at `at`, the newest `limit` of them.

        At `as_of` itself that is every label there is: what the memory holds now is known now.
        """
        known = np.diff(labelled.carried.indptr) > 0 if at >= self.as_of else labelled.known < at
        rows: NDArray[np.int64] = np.flatnonzero(known & (self.created < at))
        return rows[-limit:]


def _seconds(moment: datetime | None, as_of: float) -> float:
    return np.inf if moment is None or moment.timestamp() > as_of else moment.timestamp()


def _stacked(incidents: Sequence[Incident], vectors: Mapping[str, Numbers] | None) -> Numbers | None:
    """One row an incident, zeros for one without a vector; None when fewer than half have one."""
    found = [vectors.get(i.id) for i in incidents] if vectors else []
    width = next((len(v) for v in found if v is not None), 0)
    if not width or 2 * sum(v is not None for v in found) < len(incidents):
        return None
    stacked = np.zeros((len(incidents), width), np.float32)
    for place, vector in enumerate(found):
        if vector is not None:
            stacked[place] = vector
    return stacked
