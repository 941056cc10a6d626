"""Plain BM25: `rank_bm25` over whole texts, words split at blanks, every document scored for every query."""

from collections.abc import Sequence

import numpy as np

from evals.peers.base import MissingPeerError
from qa_agents.incidents.schema import Incident, Report


class BM25Scan:
    """rank_bm25's BM25Okapi with its defaults (k1 = 1.5, b = 0.75), built once: it cannot be added to."""

    name = "bm25_scan"

    def __init__(self, incidents: Sequence[Incident]) -> None:
        try:
            from rank_bm25 import BM25Okapi
        except ImportError:
            raise MissingPeerError("rank_bm25 is not installed.", hint="pip install -e '.[evals]'") from None
        self._ids = [incident.id for incident in incidents]
        self._index = BM25Okapi([words(incident) for incident in incidents])

    def search(self, report: Report, k: int, among: int | None = None) -> list[str]:
        """The k best of the first `among` documents (of all, when None)."""
        scores = self._index.get_scores(words(report))[:among]
        k = min(k, len(scores))
        if k == 0:
            return []
        best = np.argpartition(-scores, k - 1)[:k]
        return [self._ids[row] for row in best[np.argsort(-scores[best], kind="stable")]]

    def close(self) -> None:
        """Forget the index."""
        self._ids, self._index = [], None


def words(report: Report) -> list[str]:
    """The text in lower case, split at blanks."""
    return report.text.lower().split()
