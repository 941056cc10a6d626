"""Plain retrieval over a whole history: every report against all earlier ones, by words, by vectors, by both.

Word weights are computed once over the whole file: they know the future, a small favour to these peers.
"""

import re
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qa_agents.incidents.embedders import Embedder, text_for_embedding
from qa_agents.incidents.schema import Incident

Scores = NDArray[np.float32]
WORD = re.compile(r"[^\W_]+")
Near = tuple[NDArray[np.intp], Scores]
"""Places of earlier reports, the nearest first, with their scores."""
RRF_K, RRF_POOL = 60, 100


class TextPeer(Protocol):
    """Scores every earlier report for one report, named by its place in time order."""

    @property
    def name(self) -> str:
        """As in the tables."""

    def scores(self, position: int) -> Scores:
        """One score for each of the first `position` reports, higher is nearer."""


class PlainBM25:
    """rank_bm25's BM25Okapi with its defaults over runs of letters and digits: equal scores from one sparse matrix.

    Robertson and Zaragoza: The Probabilistic Relevance Framework (2009); k1 = 1.5, b = 0.75, and rank_bm25's floor of
    a quarter of the mean weight under words that most texts hold.
    """

    name = "plain BM25"

    def __init__(self, incidents: Sequence[Incident], k1: float = 1.5, b: float = 0.75, epsilon: float = 0.25) -> None:
        from scipy import sparse

        counts = _counts([WORD.findall(incident.text.lower()) for incident in incidents])
        lengths = np.asarray(counts.sum(axis=1)).ravel()
        holding = np.bincount(counts.indices, minlength=counts.shape[1])
        idf = np.log(len(incidents) - holding + 0.5) - np.log(holding + 0.5)
        idf[idf < 0] = epsilon * idf.mean() if idf.size else 0.0
        rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        part = k1 * (1 - b + b * lengths / max(float(lengths.mean()), 1e-9))
        weights = idf[counts.indices] * counts.data * (k1 + 1) / (counts.data + part[rows])
        self._queries = counts
        self._weights = sparse.csr_matrix((weights.astype(np.float32), counts.indices, counts.indptr), counts.shape)

    def scores(self, position: int) -> Scores:
        """BM25 of each earlier report."""
        return _product(self._weights, self._queries, position)


class TfidfCosine:
    """scikit-learn's TfidfVectorizer with sublinear counts and English stop words, cosine."""

    name = "TF-IDF cosine"

    def __init__(self, incidents: Sequence[Incident]) -> None:
        self._rows = tfidf(incidents)

    def scores(self, position: int) -> Scores:
        """Cosine with each earlier report."""
        return _product(self._rows, self._rows, position)


class DenseCosine:
    """The same vectors that Chroma holds, searched exactly: what its approximate index comes near to."""

    name = "MiniLM cosine"

    def __init__(self, incidents: Sequence[Incident], embedder: Embedder) -> None:
        self.vectors = embedder.embed([text_for_embedding(incident) for incident in incidents])

    def scores(self, position: int) -> Scores:
        """Cosine with each earlier report."""
        found: Scores = self.vectors[:position] @ self.vectors[position]
        return found


class PlainHybrid:
    """Reciprocal rank fusion of two peers' first hundred, k = 60 (Cormack, Clarke and Büttcher, SIGIR 2009)."""

    name = "RRF hybrid"

    def __init__(self, *parts: TextPeer) -> None:
        self._parts = parts

    def scores(self, position: int) -> Scores:
        """Sum of 1 / (60 + rank)."""
        fused = np.zeros(position, np.float32)
        for part in self._parts:
            best = nearest(part.scores(position), RRF_POOL)
            fused[best] += 1.0 / (RRF_K + 1 + np.arange(len(best), dtype=np.float32))
        return fused


def nearest(scores: Scores, k: int) -> NDArray[np.intp]:
    """Places of the k highest scores, the highest first, ties by place."""
    k = min(k, scores.size)
    if k == 0:
        return np.empty(0, np.intp)
    best = np.sort(np.argpartition(-scores, k - 1)[:k])
    return best[np.argsort(-scores[best], kind="stable")]


def tfidf(incidents: Sequence[Incident]) -> Any:
    """One sparse row of length 1 for each report; a history without words has one empty column."""
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=1, dtype=np.float32)
    try:
        return vectorizer.fit_transform(incident.text for incident in incidents)
    except ValueError:  # no words but stop words
        return sparse.csr_matrix((len(incidents), 1), dtype=np.float32)


def _counts(texts: Sequence[Sequence[str]]) -> Any:
    """Word counts as a sparse matrix, one row a text."""
    from scipy import sparse

    ids: dict[str, int] = {}
    indptr = [0]
    indices: list[int] = []
    data: list[int] = []
    for text in texts:
        row: dict[int, int] = {}
        for word in text:
            key = ids.setdefault(word, len(ids))
            row[key] = row.get(key, 0) + 1
        indices.extend(row)
        data.extend(row.values())
        indptr.append(len(indices))
    return sparse.csr_matrix((np.array(data, np.float32), indices, indptr), (len(texts), max(1, len(ids))))


def _product(rows: Any, queries: Any, position: int) -> Scores:
    query = np.zeros(rows.shape[1], np.float32)
    start, end = queries.indptr[position], queries.indptr[position + 1]
    query[queries.indices[start:end]] = queries.data[start:end]
    found: Scores = (rows @ query)[:position]
    return found
