"""The memory with its candidates in learned order. Without weights or features it says so and keeps the fused order."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from qa_agents.incidents.bm25f import Numbers
from qa_agents.incidents.pool import Pool, fuse
from qa_agents.incidents.schema import Candidate, Report, Retrieval
from qa_agents.incidents.search import Memory
from qa_agents.triage.ranking.features import features
from qa_agents.triage.ranking.weights import Odds, Ranker


@dataclass(frozen=True, slots=True)
class Order:
    """How one workspace orders candidates: the shipped ranker, the team's own, and how much the own one counts."""

    name: str
    """What answered, for the record."""
    shipped: Ranker
    own: Ranker | None = None
    weight: float = 0.0
    """Of the own one, 0 to 1."""
    odds: Odds | None = None
    """Fitted on the blend; None: the shipped one's."""

    def scores(self, pool: Pool) -> Numbers:
        """One for each candidate, higher is closer; comparable between reports only through `probabilities`."""
        names, matrix = features(pool)
        has_vectors = pool.vectors is not None
        total = np.zeros(len(matrix))
        for ranker, weight in ((self.shipped, 1.0 - self.weight), (self.own, self.weight)):
            if ranker is None or not weight:
                continue
            if ranker.names != names:
                raise ValueError("the weights were fitted on other features")
            total += weight * ranker.model(has_vectors).trees.predict(matrix)
        return total

    def probabilities(self, pool: Pool) -> Numbers:
        """That each candidate is the same bug as the report, as far as links told; in the order of the scores."""
        odds = self.odds or self.shipped.model(pool.vectors is not None).odds
        return odds.probabilities(self.scores(pool))


class RankedMemory(Memory):
    """A memory that orders what it finds by what it learned."""

    def __init__(self, *parts: Any, order: Callable[[], Order | None], **named: Any) -> None:
        super().__init__(*parts, **named)
        self._order = order

    def search(self, report: Report, *, k: int = 20, as_of: datetime | None = None) -> Retrieval:
        """See Memory.search; `Candidate.score` is then a probability, and `Candidate.probability` holds it too."""
        found = self.gather(report, as_of=as_of)
        order = self._order()
        scores = np.zeros(len(found.pks))
        try:
            if order is None:
                raise ValueError("its file is missing or damaged")
            pool = self.pool(found)
            scores[np.isin(found.pks, pool.pks)] = order.probabilities(pool)
        except ValueError as why:
            found.notes.append(f"The learned order was not used ({why}): the candidates come in the fused order.")
            return self.answer(found, fuse(found.ratio, found.cosine, found.log_gap), k)
        answer = self.answer(found, scores, k)
        candidates = [_with_probability(candidate) for candidate in answer.candidates]
        return answer.model_copy(update={"candidates": candidates, "index": {**answer.index, "ranker": order.name}})


def _with_probability(candidate: Candidate) -> Candidate:
    return candidate.model_copy(update={"probability": candidate.score})
