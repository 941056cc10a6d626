"""Plain answers for a field: the most frequent label, the neighbours' vote, a linear text model, the reporter's choice.

All see what the system sees: labels of earlier reports as far as they are known by then; the linear model is fitted at
the same moments as the system's.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from evals.peers.texts import Near, TextPeer, nearest
from evals.suites.triage.seen import Guess
from qa_agents.incidents.schema import Incident

SHOWN = 5
VOTERS, SHARPNESS = 15, 4
KEPT = 300
"""So many nearest are looked through for voters whose label is known."""
MIN_LABEL = 2
"""A linear model learns labels that occur so often."""
MAX_FITTED = 30_000
"""It is fitted on the newest so many."""
FILED_KEYS = ("{}_filed", "filed_{}", "{}_at_filing", "initial_{}", "original_{}")
"""Keys under which a data set may hold what the reporter chose; or an object `filed` with the field's name."""

KnownAt = Callable[[int], datetime | None]
"""When the label of the report at a place became known; None: never."""


def majority(labels: Sequence[str | None], known: KnownAt, moments: Sequence[datetime], first: int) -> list[Guess]:
    """The labels known by then, the most frequent first, with their share as the probability."""
    order = sorted((when, n) for n, label in enumerate(labels) if label and (when := known(n)) is not None)
    counts: Counter[str] = Counter()
    seen, guesses = 0, []
    for position in range(first, len(labels)):
        while seen < len(order) and order[seen] < (moments[position], position):
            counts[labels[order[seen][1]] or ""] += 1
            seen += 1
        best = counts.most_common(SHOWN)
        guesses.append(Guess(ranked=[name for name, _ in best], probability=_share(best, counts)))
    return guesses


def neighbours_vote(
    peer: TextPeer, labels: Sequence[str | None], known: KnownAt, moments: Sequence[datetime], first: int
) -> list[Guess]:
    """As vote_among, over all earlier reports as `peer` scores them."""
    near = []
    for position in range(first, len(labels)):
        scores = peer.scores(position)
        places = nearest(scores, KEPT)
        near.append((places, scores[places]))
    return vote_among(near, labels, known, moments, first)


def vote_among(
    near: Sequence[Near], labels: Sequence[str | None], known: KnownAt, moments: Sequence[datetime], first: int
) -> list[Guess]:
    """Of the fifteen nearest whose label is known by then, each votes with similarity⁴; the share is the probability.

    `near` holds, for each report from place `first` on, its nearest earlier reports; the fifteen are among those.
    """
    whens = [known(n) if label else None for n, label in enumerate(labels)]
    guesses = []
    for position, (places, scores) in enumerate(near, start=first):
        now, votes, voters = moments[position], dict[str, float](), 0
        for n, score in zip(places.tolist(), scores.tolist(), strict=True):
            when = whens[n]
            if when is None or when > now:
                continue
            label = labels[n] or ""
            votes[label] = votes.get(label, 0.0) + max(0.0, score) ** SHARPNESS
            voters += 1
            if voters == VOTERS:
                break
        named = sorted(votes.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
        guesses.append(Guess(ranked=[name for name, _ in named], probability=_share(named, votes)))
    return guesses


def linear(
    rows: Any,
    labels: Sequence[str | None],
    known: KnownAt,
    moments: Sequence[datetime],
    first: int,
    marks: Sequence[datetime],
) -> list[Guess]:
    """TF-IDF and a linear model (logistic loss, one against the rest), fitted anew at each mark on what is known then."""
    from sklearn.linear_model import SGDClassifier

    guesses = [Guess(answered=False) for _ in range(first, len(labels))]
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        places = [
            n
            for n in range(first, len(moments))
            if moments[n] >= mark and (following is None or moments[n] < following)
        ]
        whens = {n: known(n) for n, label in enumerate(labels) if label}
        asked = set(places)
        taught = [n for n, when in whens.items() if when is not None and when <= mark and n not in asked]
        often = {label for label, count in Counter(labels[n] for n in taught).items() if count >= MIN_LABEL}
        taught = [n for n in taught if labels[n] in often][-MAX_FITTED:]
        if not places or len(often) < 2:
            continue
        model = SGDClassifier(loss="log_loss", alpha=1e-5, max_iter=30, tol=1e-3, random_state=0)
        model.fit(rows[taught], [labels[n] for n in taught])
        said = model.predict_proba(rows[places])
        for place, chances in zip(places, said, strict=True):
            best = np.argsort(-chances, kind="stable")[:SHOWN]
            names = [str(model.classes_[n]) for n in best]
            guesses[place - first] = Guess(ranked=names, probability=float(chances[best[0]]))
    return guesses


def reporters_choice(incidents: Sequence[Incident], field: str, first: int) -> list[Guess] | None:
    """What the reporter chose at filing, where the data hold it; None where they do not."""
    chosen = [_filed(incident, field) for incident in incidents[first:]]
    if not any(chosen):
        return None
    return [Guess(ranked=[value] if value else [], answered=value is not None) for value in chosen]


def _filed(incident: Incident, field: str) -> str | None:
    extra = incident.model_extra or {}
    nested = extra.get("filed")
    values = [nested.get(field)] if isinstance(nested, dict) else []
    values += [extra.get(key.format(field)) for key in FILED_KEYS]
    return next((str(value) for value in values if isinstance(value, str | int) and str(value).strip()), None)


def _share(best: Sequence[tuple[str, float]], counts: Mapping[str, float]) -> float | None:
    total = sum(counts.values())
    return float(best[0][1] / total) if best and total > 0 else None
