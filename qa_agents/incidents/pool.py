"""The candidates of one report before they are ordered, with everything a ranking may look at, as known at the time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from qa_agents.incidents.bm25f import Numbers, Scores
from qa_agents.incidents.minilm import Vectors
from qa_agents.incidents.schema import Incident, Report
from qa_agents.incidents.tokens import Analysed, Hashes

Counts = NDArray[np.uint8]
MATCHED_TERMS = 160
"""The rarest terms of a long report that are held against the candidates field by field."""
BY_WORDS, BY_WORDS_AND_TIME, BY_VECTOR = 100, 100, 200
"""How many of each list are weighed against each other: the best by words, by words and date, the nearest by vector."""
POOL = 250
"""How many of them are kept, by words, vector and date together; on Titanium 2013 the original is among them in 97 %."""
TYPICAL_LOG_GAP = 5.0
"""log(1 + days) between a report and a candidate where a date is missing: 150 days, the mean of a pool."""


def fuse(ratio: Numbers, cosine: Numbers, log_gap: Numbers) -> Numbers:
    """One score in (0, 1) from BM25F ratio, cosine (NaN: not compared) and log(1 + days between).

    A logistic function, rising with both similarities and falling with the gap. Fitted by maximum likelihood on the
    392 reports of the Appcelerator Titanium tracker that duplicate an earlier one and were filed before October 2012,
    over the pools this module forms; checked on the last quarter of 2012, measured on 2013 (recall@10 .81; BM25F
    alone .69, vectors alone .69). Without a cosine, a second fit to the same data without it (recall@10 .74). It
    orders candidates; nobody calibrated it as a probability.
    """
    with_vector = 5.12 * ratio + 8.48 * cosine - 0.32 * log_gap - 9.64
    words_only = 8.25 * ratio - 0.33 * log_gap - 6.01
    scores: Numbers = 1.0 / (1.0 + np.exp(-np.where(np.isnan(cosine), words_only, with_vector)))
    return scores


@dataclass(frozen=True, slots=True)
class Gathered:
    """The candidates of one search before they are ordered; arrays are parallel to `rows`."""

    query: Report
    """The report, boilerplate taken out."""
    moment: datetime
    scores: Scores
    rows: NDArray[np.int64]
    ratio: Numbers
    cosine: Numbers
    log_gap: Numbers
    stored: dict[int, Vectors]
    """Vectors that were read on the way."""
    memory_size: int
    notes: list[str]

    @property
    def pks(self) -> NDArray[np.int64]:
        """The candidates' keys."""
        return self.scores.snapshot.pk[self.rows]


@dataclass(frozen=True, slots=True)
class Matches:
    """Which of a report's terms each candidate holds, and where; matrices are (terms, candidates)."""

    terms: Hashes
    frequency: NDArray[np.int64]
    """In how many incidents of the time each term occurs."""
    own_summary: Counts
    own_body: Counts
    summary: Counts
    body: Counts
    summary_length: Numbers
    body_length: Numbers
    """Terms in each candidate's fields."""
    size: int
    """Incidents of the time."""

    @property
    def idf(self) -> Numbers:
        """Rarity of each term, as BM25 has it."""
        rarity: Numbers = np.log1p((self.size - self.frequency + 0.5) / (self.frequency + 0.5))
        return rarity


@dataclass(frozen=True, slots=True)
class Pool:
    """The best by words and the nearest by vector, ordered by nothing; every sequence is parallel to `incidents`."""

    report: Report
    """The report, boilerplate taken out."""
    moment: datetime
    incidents: Sequence[Incident]
    """Outcomes hidden that were not known at `moment`."""
    pks: NDArray[np.int64]
    lexical: Numbers
    """BM25F score; 0 where no word is shared."""
    ratio: Numbers
    """BM25F score divided by the report's against itself."""
    cosine: Numbers
    """NaN where no vector was compared."""
    log_gap: Numbers
    """log(1 + days) between candidate and report."""
    matches: Matches
    vectors: Vectors | None
    """Unit vectors, NaN where missing; None when vectors were not used."""
    summary_cosine: Numbers
    """Cosine of the candidate's vector with that of the report's summary alone; NaN as above."""
    duplicates: Sequence[Sequence[str]]
    """Incidents that were by then confirmed as duplicates of the candidate."""


def matches_of(scores: Scores, query: Analysed, rows: NDArray[np.int64]) -> Matches:
    """Hold the terms of a report against the documents in these rows."""
    snapshot, allowed = scores.snapshot, scores.allowed
    frequency = snapshot.frequencies(query.terms, allowed)
    chosen = _rarest(query, frequency)
    column = np.full(len(snapshot.pk), -1, np.int64)
    column[rows] = np.arange(len(rows))
    summary = np.zeros((len(chosen), len(rows)), np.uint8)
    body = np.zeros_like(summary)
    for segment, start, _ in snapshot.spans():
        found = segment.postings(query.terms[chosen])
        place = column[found.docs.astype(np.int64) + start]
        held = np.flatnonzero(place >= 0)
        summary[found.term[held], place[held]] = found.tf_summary[held]
        body[found.term[held], place[held]] = found.tf_body[held]
    return Matches(
        terms=query.terms[chosen],
        frequency=frequency[chosen],
        own_summary=query.tf_summary[chosen],
        own_body=query.tf_body[chosen],
        summary=summary,
        body=body,
        summary_length=snapshot.summary_length[rows].astype(np.float64),
        body_length=snapshot.body_length[rows].astype(np.float64),
        size=int(np.count_nonzero(allowed)),
    )


def _rarest(query: Analysed, frequency: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions, ascending, of the terms that count: all of the summary's, then the rarest that occur at all."""
    present = np.flatnonzero(frequency)
    order = np.lexsort((present, frequency[present], query.tf_summary[present] == 0))
    return np.sort(present[order[:MATCHED_TERMS]])


def gathered_rows(scores: Scores, cosines: Iterable[int], exclude: set[int], moment: datetime) -> NDArray[np.int64]:
    """Rows of the best of each list, ascending; only such as were there at the time."""
    snapshot = scores.snapshot
    nearest = snapshot.rows(list(cosines))
    every = np.arange(len(snapshot.pk))
    by_time = fuse(scores.ratios(every), np.full(len(every), np.nan), log_gaps(snapshot.created, moment))
    timed = replace(scores, values=np.where(scores.values > 0, by_time, 0.0)).top(BY_WORDS_AND_TIME, exclude)
    rows = np.union1d(np.union1d(scores.top(BY_WORDS, exclude), timed), nearest[scores.allowed[nearest]])
    return rows.astype(np.int64)


def best(fused: Numbers, rows: NDArray[np.int64], scores: Scores) -> NDArray[np.int64]:
    """Positions, ascending, of the POOL best."""
    return np.sort(np.lexsort((scores.snapshot.pk[rows], -fused))[:POOL])


def log_gaps(created: Numbers, moment: datetime) -> Numbers:
    """log(1 + days) from each date (seconds) to the moment; TYPICAL_LOG_GAP where there is none."""
    days = (moment.timestamp() - created) / 86_400
    gaps: Numbers = np.where(
        np.isfinite(days), np.log1p(np.maximum(np.where(np.isfinite(days), days, 0), 0)), TYPICAL_LOG_GAP
    )
    return gaps
