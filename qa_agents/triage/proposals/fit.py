"""Fits everything that proposes on the team's own outcomes, split by time: what is weighed was not trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qa_agents.incidents.schema import Incident
from qa_agents.triage.calibrate import fit_reliability
from qa_agents.triage.proposals.fitted import FittedProposals
from qa_agents.triage.proposals.fusion import Floats, fit_beta, fit_fusion, probabilities
from qa_agents.triage.proposals.history import FIELDS, History, Labelled, Progress
from qa_agents.triage.proposals.model import FieldModel
from qa_agents.triage.proposals.votes import Near, nearest
from qa_agents.triage.proposals.witnesses import evidence, fit_witnesses
from qa_agents.triage.proposals.words import Numbers
from qa_agents.triage.schema import FieldName

MIN_OUTCOMES = 100
"""Fewer labelled reports than this give no model for a field: its neighbours vote, and no probability is shown."""
MIN_WEIGHED = 40
"""Witnesses are weighed on at least so many reports."""
WINDOW_SHARE, MIN_WINDOW, MAX_WINDOW = 0.3, 150, 3_000
"""The newest reports, on which the witnesses are weighed and the probabilities measured; never more than half of all."""
FOLDS = 2


class Fold(NamedTuple):
    """Reports that are predicted by what was known before the first of them."""

    at: float
    queries: NDArray[np.int64]
    near: Near


def fit_proposals(
    incidents: Sequence[Incident],
    vectors: Mapping[str, Numbers] | None,
    as_of: datetime,
    progress: Progress = lambda *_: None,
) -> FittedProposals:
    """Fit on incidents as they were known at `as_of` (what is dated later is left out).

    `vectors` by incident id; None, or for fewer than half of them, fits without. A field of too few outcomes is left out
    and named in `left_alone`.
    """
    history = History(incidents, vectors, as_of, progress)
    folds = _folds(history)
    fields: dict[FieldName, FieldModel] = {}
    left_alone: dict[FieldName, str] = {}
    components: tuple[Labelled, list[Floats]] | None = None
    for number, field in enumerate(FIELDS):
        progress("fitting proposals", number, len(FIELDS))
        labelled = history.labelled(field)
        count = len(history.trainable(labelled, history.as_of, len(history)))
        weighable = sum(int(_usable(history, labelled, fold.queries).sum()) for fold in folds)
        if count < MIN_OUTCOMES:
            left_alone[field] = f"{count} incidents with a known {field}; {MIN_OUTCOMES} are needed"
            continue
        if weighable < MIN_WEIGHED:
            left_alone[field] = (
                f"{weighable} recent incidents with a known {field} to measure on; {MIN_WEIGHED} are needed"
            )
            continue
        if len(labelled.names) < 2:
            left_alone[field] = f"every incident has the same {field}"
            continue
        through = components if field == "assignee" else None
        fields[field], said = _fit_field(history, labelled, folds, through)
        if field == "component":
            components = (labelled, said)
    progress("fitting proposals", len(FIELDS), len(FIELDS))
    return FittedProposals(
        as_of=as_of,
        outcomes=int(np.isfinite(history.resolved).sum()),
        vocabulary=history.vocabulary,
        with_vectors=history.vectors is not None,
        fields=fields,
        left_alone=left_alone,
    )


def _folds(history: History) -> list[Fold]:
    window = min(max(int(len(history) * WINDOW_SHARE), MIN_WINDOW), len(history) // 2, MAX_WINDOW)
    parts = np.array_split(np.arange(len(history) - window, len(history)), FOLDS)
    return [Fold(float(history.created[part[0]]), part, nearest(history, part)) for part in parts if len(part)]


def _fit_field(
    history: History, labelled: Labelled, folds: Sequence[Fold], components: tuple[Labelled, list[Floats]] | None
) -> tuple[FieldModel, list[Floats]]:
    """The model, and what it would have said of each fold's reports."""
    through = components[0] if components else None
    said: list[Floats] = []
    names: list[str] = []
    for number, fold in enumerate(folds):
        earlier = fit_witnesses(history, labelled, fold.at, through)
        likely = components[1][number] if components else None
        said.append(evidence(earlier, history, labelled, fold.queries, fold.near, likely))
        names = earlier.names
    usable = [_usable(history, labelled, fold.queries) for fold in folds]
    truth = [(labelled.carried[fold.queries].toarray() > 0) for fold in folds]
    features = np.concatenate([one[kept] for one, kept in zip(said, usable, strict=True)])
    right = np.concatenate([one[kept] for one, kept in zip(truth, usable, strict=True)])
    weights = fit_fusion(features, right, names)
    p = probabilities(features, weights)
    hit, sure = _of_best(p, right)
    majority, _ = _of_best(features[:, :, names.index("prior")], right)
    final = fit_witnesses(history, labelled, history.as_of, through)
    model = FieldModel(
        names=labelled.names,
        witnesses=final,
        weights=dict(zip(names, weights.tolist(), strict=True)),
        beta=fit_beta(sure, hit),
        curve=fit_reliability(sure.tolist(), hit.tolist()),
        lead=_lead(hit, majority),
        last_used=_last_used(history, labelled),
        load=_load(history, labelled),
        outcomes=len(history.trainable(labelled, history.as_of, len(history))),
        now=datetime.fromtimestamp(history.now, UTC),
        at_once=labelled.at_once,
    )
    return model, [probabilities(one, weights) for one in said]


def _usable(history: History, labelled: Labelled, queries: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of these reports have a label that is known by now."""
    kept: NDArray[np.bool_] = np.isfinite(labelled.known[queries])
    return kept


def _of_best(p: Floats, right: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Floats]:
    """Whether the best label of each report was right, and its probability."""
    at, best = np.arange(len(p)), p.argmax(axis=1)
    return right[at, best], p[at, best]


def _lead(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> float:
    """By how much we are surely right more often: the lower 95 % bound of the paired difference of two rates (Wald)."""
    difference = ours.astype(np.float64) - theirs.astype(np.float64)
    return float(difference.mean() - 1.96 * difference.std() / len(difference) ** 0.5)


def _last_used(history: History, labelled: Labelled) -> dict[str, datetime]:
    """When each label was last given: at the closing where that is known, else at the filing."""
    moments = np.where(np.isfinite(history.resolved), history.resolved, history.created)
    latest = np.zeros(len(labelled.names))
    carried = labelled.carried.tocoo()
    np.maximum.at(latest, carried.col, moments[carried.row])
    return {
        name: datetime.fromtimestamp(moment, UTC) for name, moment in zip(labelled.names, latest.tolist(), strict=True)
    }


def _load(history: History, labelled: Labelled) -> dict[str, int]:
    """How many open incidents each label's bearer is assigned; of people only, other labels bear none."""
    names = set(labelled.names)
    held = (i.assignee for i, end in zip(history.incidents, history.resolved, strict=True) if not np.isfinite(end))
    return dict(Counter(person for person in held if person in names))
