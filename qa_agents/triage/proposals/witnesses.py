"""What each witness says of each label, for many past reports at once: fitted on what was known at one moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qa_agents.triage.proposals.fusion import Floats, heard, vote_evidence
from qa_agents.triage.proposals.habits import Habits, count_habits
from qa_agents.triage.proposals.history import DAY, FILED_WITH, History, Labelled
from qa_agents.triage.proposals.linear import Linear, fit_linear
from qa_agents.triage.proposals.votes import ELECTORATES, Near, same_product, vote

MAX_ROWS = 15_000
"""Linear models are fitted on so many of the newest reports; older ones hardly weigh."""
HALF_LIFE = 180.0
"""Days in which a report loses half its weight for the linear models."""
TEXT_STRENGTH, VECTOR_STRENGTH = 8.0, 60.0
"""Inverse strength of the penalties."""
MAX_NAMES = 120
"""So many labels are trained on, those carried most; the others can win by votes and habits."""
VOTES = tuple(electorate.name for electorate in ELECTORATES)
VIA = "via component"


@dataclass(frozen=True)
class Witnesses:
    """Everything that was fitted on the labels of one field as known at one moment."""

    known: tuple[int, ...]
    """Places of the labels that the linear models know, in their order."""
    text: Linear | None
    vectors: Linear | None
    habits: Habits
    via: Floats | None = None
    """Components × labels: who of late resolved what was of a component; only for assignees."""

    @property
    def names(self) -> list[str]:
        """The witnesses, in the order of their evidence."""
        linear = [name for name, model in (("text", self.text), ("vectors", self.vectors)) if model]
        return [*linear, *VOTES, "prior", *FILED_WITH, *([VIA] if self.via is not None else [])]

    def by_component(self, components: Floats) -> Floats:
        """log P(label) given how likely each component is, less log P(label) in general; one row a report."""
        assert self.via is not None
        result: Floats = np.log(components @ self.via + 1e-4) - np.log(self.habits.prior + 1e-4)
        return result


def fit_witnesses(history: History, labelled: Labelled, at: float, components: Labelled | None = None) -> Witnesses:
    """Fit on what was known at `at` (seconds). `components` is given where labels depend on them.

    Ages are counted from the newest thing known then: in a memory that was not fed for long they would else all be
    so great that nothing weighed anything.
    """
    rows = history.trainable(labelled, at, len(history))
    at = min(at, history.now)
    newest = rows[-MAX_ROWS:]
    targets = labelled.targets[newest]
    carried = targets.sum(axis=0)
    known = np.flatnonzero(carried > 0)
    known = np.sort(known[np.argsort(-carried[known])][:MAX_NAMES])
    kept = targets[:, known].sum(axis=1) > 0
    newest, targets = newest[kept], targets[kept][:, known]
    targets = targets / targets.sum(axis=1, keepdims=True)
    age = np.maximum(at - history.created[newest], 0) / DAY
    weights = (0.5 ** (age / HALF_LIFE) * history.trust[newest]).astype(np.float32)
    text = vectors = None
    if len(known) > 1:
        text = fit_linear(history.words[newest], targets, weights, strength=TEXT_STRENGTH)
        if history.vectors is not None:
            vectors = fit_linear(history.vectors[newest], targets, weights, strength=VECTOR_STRENGTH)
    habits = count_habits(history, labelled, rows, at)
    via = None if components is None else _via(history, labelled, components, rows, habits, at)
    return Witnesses(tuple(known.tolist()), text, vectors, habits, via)


def evidence(
    witnesses: Witnesses,
    history: History,
    labelled: Labelled,
    queries: NDArray[np.int64],
    near: Near,
    components: Floats | None = None,
) -> Floats:
    """Queries × labels × witnesses: what each says of each label, on one scale; votes and habits as of each query."""
    labels = len(labelled.names)
    said: list[Floats] = []
    if witnesses.text:
        said.append(heard(witnesses.text.of_vectors(history.words[queries]), labels, witnesses.known))
    if witnesses.vectors and history.vectors is not None:
        rows = history.vectors[queries]
        spoken = heard(witnesses.vectors.of_vectors(rows), labels, witnesses.known)
        spoken[~np.abs(rows).sum(axis=1).astype(bool)] = -np.log(labels)
        said.append(spoken)
    same = same_product(history, queries, near)
    said += [vote_evidence(vote(history, labelled, queries, near, e, same)) for e in ELECTORATES]
    said.append(np.broadcast_to(np.log(witnesses.habits.prior), (len(queries), labels)))
    lifts = np.stack([witnesses.habits.lifts(history.incidents[row], FILED_WITH) for row in queries])
    said += [lifts[:, :, n] for n in range(len(FILED_WITH))]
    if witnesses.via is not None:
        assert components is not None
        said.append(witnesses.by_component(components))
    return np.stack(said, axis=2)


def _via(
    history: History, labelled: Labelled, components: Labelled, rows: NDArray[np.int64], habits: Habits, at: float
) -> Floats:
    weights = 0.5 ** (np.maximum(at - history.created[rows], 0) / DAY / HALF_LIFE)
    counts = components.carried[rows].T @ (labelled.targets[rows] * weights[:, None])
    counts = np.asarray(counts, np.float64)
    given: Floats = (counts + 2.0 * habits.prior) / (counts.sum(axis=1, keepdims=True) + 2.0)
    return given
