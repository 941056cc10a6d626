"""What the statistical second opinion on severity reads: a report as numbers, in the same way when fitting and when asked.

Words of the summary and the description by the memory's own tokenizer (TF-IDF, Salton and Buckley 1988), the rubric's
factors, the severities of the nearest incidents, the reporter's habit, product, lengths. Nothing that became known only
after filing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qa_agents.incidents.schema import Report
from qa_agents.incidents.tokens import analyse
from qa_agents.triage.facts.signals import find_signals
from qa_agents.triage.severity.factors import UNKNOWN, read_factors
from qa_agents.triage.severity.rubric import Rubric

Numbers = NDArray[np.float64]
Terms = NDArray[np.uint64]

READ_CHARS = 4_000
"""Characters of a description that are read: what matters for severity stands in front, and logs are long."""
SUMMARY_WEIGHT = 2.0
HABIT_PRIOR = 2.0
"""A reporter's own record is mixed with the team's as if so many reports had gone the team's way."""
HABIT_DAYS = (30.0, 365.0)
"""Half-lives by which a reporter's earlier reports fade: what they file this month, and in general."""
HABIT_KEPT = 60
"""So many of each reporter's newest reports are looked at."""
VOTE_PRIOR = 0.5
"""Weight of the team's base rates among the neighbours' votes: what cosine 0.84 alone weighs."""
VOTE_SHARPNESS = 4
EXTRA_SCALE = 0.5
"""Brings the other features to the size of a text vector of length 1, so that one penalty fits both."""

Vote = tuple[float, int]
"""(cosine, level from 0) of one near incident whose severity is known."""
Past = Sequence[tuple[float, int]]
"""A reporter's earlier reports, (filed in seconds, level from 0), oldest first."""


class Words(NamedTuple):
    """A report's terms and weights before idf; sorted by term."""

    terms: Terms
    weights: NDArray[np.float32]


class Reading(NamedTuple):
    """A report as read once: words, stated factor values, product, reporter, length of the description."""

    words: Words
    factors: tuple[str, ...]
    """`name=value`, of stated factors only."""
    product: str
    reporter: str
    chars: int


def read(report: Report, rubric: Rubric) -> Reading:
    """Read a report's own text; linear, total."""
    short = report.model_copy(update={"description": report.description[:READ_CHARS]})
    found = read_factors(short, find_signals(short, []), rubric)
    factors = tuple(f"{name}={factor.value}" for name, factor in found.items() if factor.value != UNKNOWN)
    return Reading(
        _words(short.summary, short.description),
        factors,
        report.product or "",
        report.reporter or "",
        len(report.description),
    )


def _words(summary: str, description: str) -> Words:
    found = analyse(summary, description)
    weights = SUMMARY_WEIGHT * found.tf_summary + found.tf_body.astype(np.float32)
    return Words(found.terms, (1 + np.log(np.maximum(weights, 1.0))).astype(np.float32))


class Shape(NamedTuple):
    """What the columns mean; fixed when a model is fitted."""

    levels: int
    terms: Terms
    """Sorted; one column each."""
    idf: NDArray[np.float32]
    flags: tuple[str, ...]
    """Factor values and products that have a column."""
    base: Numbers
    """The team's base rates."""

    @property
    def width(self) -> int:
        """Columns beside the words."""
        return len(self.flags) + (1 + len(HABIT_DAYS)) * self.levels + len(HABIT_DAYS) + 3


def word_row(shape: Shape, words: Words) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Columns and TF-IDF weights of the known terms, of length 1; empty when none is known."""
    at = np.searchsorted(shape.terms, words.terms)
    at[at == len(shape.terms)] = 0
    known = shape.terms[at] == words.terms if len(shape.terms) else np.zeros(len(at), bool)
    columns = at[known].astype(np.int64)
    values = words.weights[known] * shape.idf[columns]
    length = float(np.linalg.norm(values))
    return columns, (values / length if length else values).astype(np.float32)


def other_row(shape: Shape, reading: Reading, votes: Sequence[Vote], past: Past, moment: float) -> Numbers:
    """The columns beside the words, for a report filed at `moment` (seconds) by somebody with this past."""
    said = {*reading.factors, f"product={reading.product}"}
    flags = [1.0 if flag in said else 0.0 for flag in shape.flags]
    near = VOTE_PRIOR * shape.base
    for cosine, level in votes:
        near[level] += max(cosine, 0.0) ** VOTE_SHARPNESS
    columns = [*flags, *np.log(near / near.sum() / shape.base)]
    for days in HABIT_DAYS:
        counts = _faded(past, moment, days, shape.levels)
        own = (counts + HABIT_PRIOR * shape.base) / (counts.sum() + HABIT_PRIOR)
        columns += [*np.log(own / shape.base), float(np.log1p(counts.sum())) / 2]
    columns += [
        float(np.log1p(reading.chars)) / 4,
        float(np.log1p(len(reading.factors))),
        1.0 if votes else 0.0,
    ]
    return EXTRA_SCALE * np.asarray(columns, np.float64)


def _faded(past: Past, moment: float, days: float, levels: int) -> Numbers:
    """The earlier reports per level, each by its age's weight; what is not from before counts nothing."""
    counts = np.zeros(levels)
    for filed, level in past[-HABIT_KEPT:]:
        if filed < moment:
            counts[level] += 0.5 ** ((moment - filed) / 86_400 / days)
    return counts
