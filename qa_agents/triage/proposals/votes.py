"""The neighbours' vote: each past incident near a report votes for its own labels, the closer and the fresher the more.

A weighted k-nearest-neighbour vote (Dudani, 1976), in two variants: a few close neighbours, and many fresh ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qa_agents.triage.proposals.history import DAY, History, Labelled

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]
WORDS_SHARE = 0.4
"""Share of the words in the closeness of two reports whose vectors are known, the vectors' cosine having the rest."""
NEIGHBOURS = 30
"""So many vote at most."""
OTHER_PRODUCT = 0.2
"""Factor on the vote of an incident of another product: its labels may not exist in the report's."""
EMPTY = 0.02
"""Weight of an imagined vote for no label, as a share of the heaviest: keeps one weak vote from looking unanimous."""
_CHUNK = 200


class Electorate(NamedTuple):
    """One variant of the vote."""

    name: str
    voters: int
    sharpness: float
    """A vote weighs closeness**sharpness."""
    half_life: float
    """Days in which a vote loses half its weight."""


ELECTORATES = (Electorate("close", 12, 4.0, 365.0), Electorate("fresh", NEIGHBOURS, 2.0, 90.0))


class Near(NamedTuple):
    """For each of n reports its nearest earlier incidents, best first; -1 where there are no more."""

    rows: NDArray[np.int64]
    closeness: Floats
    """0 to 1."""


def closeness(words: Floats, vectors: Floats | None) -> Floats:
    """One measure from the cosine of the words and, where both reports have vectors (else NaN), theirs; 0 to 1."""
    if vectors is None:
        return np.clip(words, 0, 1)
    mixed = WORDS_SHARE * words + (1 - WORDS_SHARE) * np.clip(vectors, 0, 1)
    return np.clip(np.where(np.isnan(vectors), words, mixed), 0, 1)


def cast(near: Floats, days: Floats, same: Floats, electorate: Electorate) -> Floats:
    """The weights of the votes: by closeness, age in days, and OTHER_PRODUCT where `same` is 0."""
    fresh = 0.5 ** (np.maximum(days, 0) / electorate.half_life)
    weights: Floats = near**electorate.sharpness * fresh * np.where(same > 0, 1.0, OTHER_PRODUCT)
    return weights


def shares(tallied: Floats, heaviest: Floats) -> Floats:
    """Summed votes per label to shares, which add to a little less than 1, or to 0 where nobody votes."""
    total = tallied.sum(axis=-1, keepdims=True) + EMPTY * heaviest[..., None] + 1e-9
    result: Floats = tallied / total
    return result


def nearest(history: History, queries: NDArray[np.int64], k: int = NEIGHBOURS) -> Near:
    """For rows of the history, the k nearest incidents that were filed before each."""
    rows = np.full((len(queries), k), -1, np.int64)
    near = np.zeros((len(queries), k))
    turned = history.words.T.tocsr()
    lengths = np.array([float(np.linalg.norm(row.weights)) or 1.0 for row in history.rows])
    for start in range(0, len(queries), _CHUNK):
        chunk = queries[start : start + _CHUNK]
        words = (history.words[chunk] @ turned).toarray() / lengths[chunk][:, None] / lengths[None, :]
        cosines = None if history.vectors is None else _cosines(history.vectors[chunk], history.vectors)
        close = closeness(words, cosines)
        close[history.created[None, :] >= history.created[chunk][:, None]] = -1
        best = np.argpartition(-close, min(k, close.shape[1] - 1), axis=1)[:, :k]
        at = np.arange(len(chunk))[:, None]
        best = best[at, np.argsort(-close[at, best], axis=1)]
        found = close[at, best]
        rows[start : start + len(chunk), : best.shape[1]] = np.where(found > 0, best, -1)
        near[start : start + len(chunk), : best.shape[1]] = np.maximum(found, 0)
    return Near(rows, near)


def vote(
    history: History, labelled: Labelled, queries: NDArray[np.int64], near: Near, electorate: Electorate, same: Floats
) -> Floats:
    """Queries × labels: the share of each label among the votes of the neighbours whose labels were known then."""
    from scipy.sparse import csr_matrix

    rows, close = near.rows[:, : electorate.voters], near.closeness[:, : electorate.voters]
    moments = history.created[queries][:, None]
    valid = (rows >= 0) & (labelled.known[rows] <= moments)
    weights = cast(close, (moments - history.created[rows]) / DAY, same[:, : electorate.voters], electorate)
    weights = np.where(valid, weights * history.trust[rows], 0.0)
    ends = np.arange(len(queries) + 1) * rows.shape[1]
    ballots: csr_matrix = csr_matrix(
        (weights.ravel(), np.where(valid, rows, 0).ravel(), ends), shape=(len(queries), len(history))
    )
    return shares((ballots @ labelled.carried).toarray(), weights.max(axis=1, initial=0))


def same_product(history: History, queries: NDArray[np.int64], near: Near) -> Floats:
    """1 for each neighbour of the query's product, or where one of the two has none; else 0."""
    products = np.array([i.product or "" for i in history.incidents], dtype=object)
    mine, theirs = products[queries][:, None], products[near.rows]
    result: Floats = ((mine == theirs) | (mine == "") | (theirs == "")).astype(np.float64)
    return result


def tally(ballots: Sequence[tuple[Sequence[str], float]], names: Sequence[str]) -> Floats:
    """One report's shares over `names`, from (labels, weight) of each voter."""
    place = {name: n for n, name in enumerate(names)}
    summed = np.zeros(len(names))
    heaviest = 0.0
    for labels, weight in ballots:
        heaviest = max(heaviest, weight)
        for label in labels:
            summed[place[label]] += weight
    return shares(summed, np.array(heaviest))


def _cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> Floats:
    cosines = (left @ right.T).astype(np.float64)
    cosines[~left.any(axis=1)] = np.nan
    cosines[:, ~right.any(axis=1)] = np.nan
    return cosines
