"""Who files what, where: how often each label was used of late, in all and for a product, version, platform or reporter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qa_agents.incidents.schema import Report
from qa_agents.triage.proposals.history import DAY, FILED_WITH, History, Labelled, filed_with

Floats = NDArray[np.float64]
PRIOR_HALF_LIFE = 90.0
HABIT_HALF_LIFE = 180.0
"""Days."""
PSEUDO = 2.0
"""The prior counts as so many reports in every habit."""
FLOOR = 1e-4
MAX_VALUES = 5_000
"""Values of one filing-time field that are remembered, those of most weight."""


@dataclass(frozen=True)
class Habits:
    """Recency-weighted counts of labels; `lifts` compares a value's with everyone's."""

    prior: Floats
    """Share of each label of late; adds to 1."""
    tables: Mapping[str, Mapping[str, Mapping[int, float]]] = field(default_factory=dict)
    """Field, its value, label's place: weight."""

    def lift(self, name: str, value: str | None) -> Floats:
        """log P(label | value) - log P(label), shrunk to 0 where little is known of the value."""
        counts = self.tables.get(name, {}).get(value or "")
        if not counts:
            return np.zeros(len(self.prior))
        seen = np.zeros(len(self.prior))
        seen[list(counts)] = list(counts.values())
        given = (seen + PSEUDO * self.prior) / (seen.sum() + PSEUDO)
        result: Floats = np.log(given + FLOOR) - np.log(self.prior + FLOOR)
        return result

    def lifts(self, report: Report, names: Sequence[str]) -> Floats:
        """Labels × names."""
        found = [self.lift(name, filed_with(report, name)) for name in names]
        return np.stack(found, axis=1) if found else np.zeros((len(self.prior), 0))


def count_habits(history: History, labelled: Labelled, rows: NDArray[np.int64], at: float) -> Habits:
    """Count over these rows of the history, each weighing half as much for every half-life that it lies before `at`."""
    targets = labelled.targets[rows].astype(np.float64) * history.trust[rows][:, None]
    age = np.maximum(at - history.created[rows], 0) / DAY
    summed = 0.5 ** (age / PRIOR_HALF_LIFE) @ targets + 0.01
    weights = 0.5 ** (age / HABIT_HALF_LIFE)
    tables: dict[str, dict[str, dict[int, float]]] = {}
    for name in FILED_WITH:
        table: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        for place, row in enumerate(rows):
            value = filed_with(history.incidents[row], name)
            if value:
                for label in np.flatnonzero(targets[place]):
                    table[value][int(label)] += float(weights[place] * targets[place, label])
        heaviest = sorted(table, key=lambda value: -sum(table[value].values()))[:MAX_VALUES]
        tables[name] = {value: dict(table[value]) for value in heaviest}
    return Habits(summed / summed.sum(), tables)
