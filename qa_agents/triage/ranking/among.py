"""What tells a candidate from the others of its pool: words that few of them hold, vectors held against each other.

A pool gathers what is alike, so that what all of it shares says little: siblings differ in the rest.
"""

from collections.abc import Collection, Mapping, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from qa_agents.incidents.bm25f import Numbers
from qa_agents.incidents.pool import Matches, Pool
from qa_agents.incidents.tokens import sequence
from qa_agents.triage.ranking.lexical import share, to_best

FIRST_WORDS = 3
"""The rarest words of the summary, each looked for by itself."""
NEAR = 3
"""Words that stand so close together make a pair."""
UNKNOWN = 8.0
"""Rarity of a term that no incident holds."""
BETTER = 20
"""A candidate is held against so many better ones by fused score."""
ALIKE = 0.75
"""From this cosine on two candidates are siblings."""


def word_features(matches: Matches) -> dict[str, Numbers]:
    """Coverage by words weighed by their rarity within the pool, and which of the summary's rarest words are missing."""
    in_summary, own = matches.summary > 0, matches.own_summary > 0
    held = in_summary | (matches.body > 0)
    rarity, summary_rarity = _rarity(held), _rarity(in_summary)
    wanted = own[:, np.newaxis]
    found = {
        "told_apart": share(rarity, held),
        "told_apart_summary": share(summary_rarity * own, in_summary),
        "told_apart_covered": share(rarity * own, held),
        "told_apart_both": share(np.sqrt(matches.idf * summary_rarity) * own, in_summary),
        "rarest_missing": _highest(matches.idf, wanted & ~held),
        "rarest_missing_summary": _highest(matches.idf, wanted & ~in_summary),
        "rarest_in_both": _highest(matches.idf, wanted & in_summary),
        "summary_missing": (wanted & ~in_summary).sum(axis=0).astype(np.float64),
        "summary_extra": matches.summary_length - (matches.summary * wanted).sum(axis=0),
        **_rarest_words(matches, held.astype(np.float64) + in_summary),
    }
    for name in ("told_apart", "told_apart_summary"):
        found[f"{name}_to_best"] = to_best(found[name])
    return found


def _rarest_words(matches: Matches, where: Numbers) -> dict[str, Numbers]:
    """Each of the summary's rarest words: 2 in the candidate's summary, 1 in its body only, 0 missing; NaN without one."""
    own = np.flatnonzero(matches.own_summary)
    rarest = own[np.argsort(-matches.idf[own], kind="stable")][:FIRST_WORDS]
    rows = np.full((FIRST_WORDS, where.shape[1]), np.nan)
    rows[: len(rarest)] = where[rarest]
    return {f"word_{place}": row for place, row in enumerate(rows, start=1)}


def pair_features(pool: Pool) -> dict[str, Numbers]:
    """Pairs of words that stand in both summaries in the same order, next to each other or near, by their rarer half."""
    rarity = dict(zip(pool.matches.terms.tolist(), pool.matches.idf.tolist(), strict=True))
    own, theirs = sequence(pool.report.summary), [sequence(incident.summary) for incident in pool.incidents]
    words = frozenset(own)
    return {
        name: _pairs_shared(_pairs(own, reach, words), [_pairs(one, reach, words) for one in theirs], rarity)
        for name, reach in (("pairs_shared", 1), ("near_pairs_shared", NEAR))
    }


def _pairs(terms: Sequence[int], reach: int, words: Set[int]) -> set[tuple[int, int]]:
    """Of these words, the pairs that stand in this order and at most `reach` apart."""
    return {
        (one, other)
        for place, one in enumerate(terms)
        if one in words
        for other in terms[place + 1 : place + 1 + reach]
        if other in words
    }


def _pairs_shared(
    own: Collection[tuple[int, int]], theirs: Sequence[Set[tuple[int, int]]], rarity: Mapping[int, float]
) -> Numbers:
    """The share of the own pairs, by weight; a term that nobody holds is as rare as UNKNOWN."""
    weights = {(a, b): min(rarity.get(a, UNKNOWN), rarity.get(b, UNKNOWN)) for a, b in sorted(own)}
    total = sum(weights.values()) or 1.0
    return np.array([sum(weight for pair, weight in weights.items() if pair in one) / total for one in theirs])


def _rarity(held: NDArray[np.bool_]) -> Numbers:
    frequency, size = held.sum(axis=1), held.shape[1]
    rarity: Numbers = np.log1p((size - frequency + 0.5) / (frequency + 0.5))
    return rarity


def _highest(weights: Numbers, where: NDArray[np.bool_]) -> Numbers:
    """For each candidate the highest weight of the terms marked, 0 without any."""
    highest: Numbers = np.where(where, weights[:, np.newaxis], 0.0).max(axis=0, initial=0.0)
    return highest


def vector_features(pool: Pool, fused: Numbers) -> dict[str, Numbers]:
    """How close a candidate is to the others, those before it above all; NaN without vectors."""
    if pool.vectors is None:
        return dict.fromkeys(("like_first", "like_better", "siblings"), np.full(len(pool.incidents), np.nan))
    vectors = np.nan_to_num(pool.vectors)
    between = (vectors @ vectors.T).astype(np.float64)
    order = np.argsort(-fused, kind="stable")
    return {
        "like_first": _like_first(between, order),
        "like_better": _like_better(between, order),
        "siblings": (between > ALIKE).sum(axis=1) - 1.0,
    }


def _like_first(between: Numbers, order: NDArray[np.int64]) -> Numbers:
    """Cosine with the first by fused score; of the first itself with the second."""
    like: Numbers = between[order[0]].copy()
    like[order[0]] = between[order[0], order[1]] if len(order) > 1 else np.nan
    return like


def _like_better(between: Numbers, order: NDArray[np.int64]) -> Numbers:
    """Highest cosine with one of the BETTER best that come before the candidate by fused score; 0 for the first."""
    best = order[:BETTER]
    before = np.arange(len(best))[:, np.newaxis] < np.arange(len(order))
    like = np.empty(len(order))
    like[order] = np.where(before, between[best][:, order], 0.0).max(axis=0, initial=0.0)
    return like
