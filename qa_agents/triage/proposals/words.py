"""The words of reports as sparse TF-IDF rows: one block for the whole text, one for the summary alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qa_agents.incidents.schema import Report
from qa_agents.incidents.tokens import Analysed, Hashes, analyse

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Numbers = NDArray[np.float32]
READ_CHARS = 20_000
"""So much of a description is read."""
MIN_DOCUMENTS = 3
"""A term of fewer reports says nothing about the next."""
MAX_TERMS = 15_000
SUMMARY_WEIGHT = 0.8
"""Length of the summary's block beside the whole text's, which is 1."""


class Row(NamedTuple):
    """A report's non-zero features: columns and their weights."""

    columns: NDArray[np.int32]
    weights: Numbers

    def cosine(self, other: Row) -> float:
        """Cosine of two rows, 0 to 1; 0 when one is empty."""
        _, mine, theirs = np.intersect1d(self.columns, other.columns, assume_unique=True, return_indices=True)
        lengths = float(np.linalg.norm(self.weights) * np.linalg.norm(other.weights))
        return float(self.weights[mine] @ other.weights[theirs]) / lengths if lengths else 0.0


@dataclass(frozen=True)
class Vocabulary:
    """The terms that count, ascending by hash, with their inverse document frequencies."""

    terms: Hashes
    idf: Numbers

    @classmethod
    def of(cls, read: Sequence[Analysed]) -> Vocabulary:
        """The terms of at least MIN_DOCUMENTS of these reports, the MAX_TERMS most frequent of them."""
        found = np.concatenate([np.empty(0, np.uint64), *(one.terms for one in read)]).astype(np.uint64)
        terms, counts = np.unique(found, return_counts=True)
        rarest = int(np.partition(counts, -MAX_TERMS)[-MAX_TERMS]) if len(terms) > MAX_TERMS else 0
        floor = max(MIN_DOCUMENTS, rarest)
        kept = counts >= floor
        return cls(terms[kept], np.log1p(len(read) / counts[kept]).astype(np.float32))

    @property
    def width(self) -> int:
        """How many columns a row may have."""
        return 2 * len(self.terms)

    def row(self, read: Analysed) -> Row:
        """The report's features: the block of the whole text has length 1, the summary's SUMMARY_WEIGHT."""
        if not len(self.terms):
            return Row(np.empty(0, np.int32), np.empty(0, np.float32))
        places = np.minimum(np.searchsorted(self.terms, read.terms), len(self.terms) - 1)
        known = self.terms[places] == read.terms
        places, titled = places[known].astype(np.int32), read.tf_summary[known].astype(np.float32)
        whole = np.log1p(titled + read.tf_body[known]) * self.idf[places]
        in_title = titled > 0
        title = np.log1p(titled[in_title]) * self.idf[places[in_title]]
        columns = np.concatenate([places, places[in_title] + np.int32(len(self.terms))])
        return Row(columns, np.concatenate([_unit(whole), SUMMARY_WEIGHT * _unit(title)]).astype(np.float32))

    def term_of(self, column: int) -> int:
        """The hash of the term that a column counts."""
        return int(self.terms[column % len(self.terms)])


def matrix(rows: Sequence[Row], width: int) -> csr_matrix:
    """The rows as one SciPy matrix; for fitting only."""
    from scipy.sparse import csr_matrix

    lengths = np.cumsum([0, *(len(row.columns) for row in rows)])
    columns = np.concatenate([np.empty(0, np.int32), *(row.columns for row in rows)])
    weights = np.concatenate([np.empty(0, np.float32), *(row.weights for row in rows)])
    return csr_matrix((weights, columns, lengths), shape=(len(rows), width))


def read_report(report: Report) -> Analysed:
    """The report's terms."""
    return _read(report.summary, report.description[:READ_CHARS])


@lru_cache(maxsize=2_048)
def _read(summary: str, description: str) -> Analysed:
    # The same neighbours come up again and again.
    return analyse(summary, description)


def _unit(values: Numbers) -> Numbers:
    length = float(np.linalg.norm(values))
    return values / length if length else values
