"""Fits the second opinion on severity to the team's own labels; split by time, never at random. Scikit-learn only here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qa_agents.incidents.schema import Incident
from qa_agents.storage.learned import keep_learned
from qa_agents.triage.calibrate import fit_reliability
from qa_agents.triage.severity.features import HABIT_KEPT, Numbers, Reading, Shape, Vote, other_row, read, word_row
from qa_agents.triage.severity.model import MIN_COSINE, NAME, VOTERS, SeverityModel, fingerprint_of, softmax
from qa_agents.triage.severity.rubric import Rubric
from qa_agents.triage.severity.scale import UNSCALED, Scale, fit_scale, rubric_level

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from qa_agents.incidents.search import Memory
    from qa_agents.storage.engine import Database

MAX_FITTED = 10_000
"""Only the newest labelled incidents are fitted on: older ones weigh next to nothing."""
PAGE = 1_000
MIN_LABELLED = 300
"""Fewer labelled incidents give no model."""
MIN_PER_LEVEL = 20
"""A level of fewer examples cannot be told apart; without at least two such levels there is no model."""
HELD_OUT = 0.12
"""The newest share, on which the probabilities are calibrated."""
HALF_LIFE = timedelta(days=240)
"""An example loses half its weight in this time: what teams call severe changes."""
MIN_DOCUMENTS, MAX_TERMS = 4, 20_000
MIN_FLAG = 20
PENALTY = 0.5
"""Inverse strength of the L2 penalty (scikit-learn's C)."""
TAUS = tuple(step / 10 for step in range(11))


class Labelled(NamedTuple):
    """One past report with the level (from 0) that the team gave it, read as it was filed."""

    created: datetime
    reading: Reading
    votes: Sequence[Vote]
    """Of incidents from before."""
    level: int


def fit(
    cases: Sequence[Labelled],
    levels: int,
    fingerprint: str,
    *,
    rubric: Rubric | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> SeverityModel | None:
    """Fit and calibrate; None where there is too little to tell levels apart. Cases may come in any order.

    With the `rubric` that they were read by, its levels are held against those that people gave.
    """
    cases = sorted(cases, key=lambda case: case.created)
    counts = Counter(case.level for case in cases)
    if len(cases) < MIN_LABELLED or sum(n >= MIN_PER_LEVEL for n in counts.values()) < 2:
        return None
    cut = int(len(cases) * (1 - HELD_OUT))
    shape = _shape(cases, levels)
    others, past = _others(cases, shape)
    matrix = _matrix(shape, cases, others)
    truth, weights = np.array([case.level for case in cases]), _freshness(cases)
    tell("fitting on the older part")
    early = _regress(matrix[:cut], truth[:cut], weights[:cut], levels)
    logits = np.asarray(matrix[cut:] @ early[:-1]) + early[-1]
    scale, offset = _vector_scaling(logits, truth[cut:])
    likely = softmax(scale * logits + offset)
    tau = _best_tau(likely, truth[cut:], shape.base)
    top = likely.max(axis=1)
    curve = fit_reliability(top.tolist(), (likely.argmax(axis=1) == truth[cut:]).tolist())
    tell("fitting on all")
    final = _regress(matrix, truth, weights, levels) * scale
    final[-1] += offset
    own = _scale(cases, rubric) if rubric else UNSCALED
    return SeverityModel(shape, final, past, tau, curve, len(cases), fingerprint, own)


def _scale(cases: Sequence[Labelled], rubric: Rubric) -> Scale:
    """Over the reports of the last HALF_LIFE only: what teams call severe changes."""
    newest = [case for case in cases if cases[-1].created - case.created <= HALF_LIFE]
    rated = ((rubric_level(case.reading.factors, rubric), case.level + 1) for case in newest)
    return fit_scale(((level, given) for level, given in rated if level is not None), len(rubric.levels))


def fit_memory(
    memory: Memory, database: Database, rubric: Rubric, progress: Callable[[str, int, int], None] | None = None
) -> dict[str, object] | None:
    """Fit on the memory's labelled incidents and keep the model; what it was fitted on, or None with too few labels.

    Incidents count with the severity they have now, open ones too: leaving those out would leave out what is slow to fix.
    """
    seq = memory.store.last_seq()
    labelled = sorted(_labelled(memory), key=lambda pair: (pair[1].created or datetime.min, pair[0]))[-MAX_FITTED:]
    words = sorted({incident.severity for _, incident in labelled if incident.severity})
    rated = [
        (pk, incident, incident.created, level - 1)
        for pk, incident in labelled
        if incident.created and (level := rubric.level_of(incident.severity or "", words)) is not None
    ]
    if len(rated) < MIN_LABELLED:
        return None
    votes = _votes(memory, [(pk, created, level) for pk, _, created, level in rated])
    cases = []
    for place, (pk, incident, created, level) in enumerate(rated):
        if progress is not None and place % 200 == 0:
            progress("reading for severity", place, len(rated))
        cases.append(Labelled(created, read(incident, rubric), votes.get(pk, ()), level))
    model = fit(cases, len(rubric.levels), fingerprint_of(rubric, memory.fingerprint), rubric=rubric)
    if model is None:
        return None
    about: dict[str, object] = {"n": model.n, "fingerprint": model.fingerprint, "seq": seq, "words": words}
    with database.write() as connection:
        keep_learned(connection, NAME, model.to_bytes(), **about)
    return about


def _labelled(memory: Memory) -> Iterator[tuple[int, Incident]]:
    after = 0
    while page := memory.store.changes(after, PAGE):
        yield from ((change.pk, change.incident) for change in page if change.incident.severity)
        after = page[-1].seq


def _votes(memory: Memory, rated: Sequence[tuple[int, datetime, int]]) -> dict[int, list[Vote]]:
    """For each incident the votes of its nearest earlier ones; {} where there are no vectors. Quadratic, in blocks."""
    vectors = memory.stored_vectors(pk for pk, _, _ in rated)
    held = [one for one in rated if one[0] in vectors]
    if len(held) < 2:
        return {}
    matrix = np.stack([vectors[pk] for pk, _, _ in held])
    found: dict[int, list[Vote]] = {}
    for start in range(0, len(held), 512):
        cosines = matrix[start : start + 512] @ matrix.T
        for place, (pk, created, _) in enumerate(held[start : start + 512], start=start):
            row = cosines[place - start, :place]  # in order of time, so that only earlier ones stand before
            near = (
                np.argsort(-row, kind="stable")[:VOTERS] if place <= VOTERS else np.argpartition(-row, VOTERS)[:VOTERS]
            )
            votes = [(float(row[at]), held[at][2]) for at in near if row[at] >= MIN_COSINE and held[at][1] < created]
            found[pk] = sorted(votes, key=lambda vote: -vote[0])
    return found


def macro_f1(truth: Sequence[int], said: Sequence[int | None]) -> float:
    """Mean F1 over the levels that occur in `truth`; None is never right."""
    pairs = list(zip(truth, said, strict=True))
    scores = []
    for level in sorted(set(truth)):
        hits = sum(t == s == level for t, s in pairs)
        named, real = sum(s == level for _, s in pairs), sum(t == level for t, _ in pairs)
        scores.append(2 * hits / (named + real))
    return sum(scores) / len(scores)


def _shape(cases: Sequence[Labelled], levels: int) -> Shape:
    documents: Counter[int] = Counter()
    flags: Counter[str] = Counter()
    for case in cases:
        documents.update(case.reading.words.terms.tolist())
        flags.update([*case.reading.factors, f"product={case.reading.product}"])
    kept = sorted((term for term, n in documents.items() if n >= MIN_DOCUMENTS), key=lambda t: (-documents[t], t))
    terms = np.array(sorted(kept[:MAX_TERMS]), np.uint64)
    frequency = np.array([documents[int(term)] for term in terms.tolist()], np.float64)
    idf = (np.log((1 + len(cases)) / (1 + frequency)) + 1).astype(np.float32)
    share = np.bincount([case.level for case in cases], weights=_freshness(cases), minlength=levels) + 1
    known = tuple(sorted(flag for flag, n in flags.items() if n >= MIN_FLAG))
    return Shape(levels, terms, idf, known, share / share.sum())


def _others(cases: Sequence[Labelled], shape: Shape) -> tuple[Numbers, dict[str, list[tuple[float, int]]]]:
    """The columns beside the words, each reporter's past as it was then; and the pasts as they are now."""
    past: dict[str, list[tuple[float, int]]] = defaultdict(list)
    rows = []
    for case in cases:
        own, filed = past[case.reading.reporter], case.created.timestamp()
        rows.append(other_row(shape, case.reading, case.votes, own, filed))
        if case.reading.reporter:
            own.append((filed, case.level))
    return np.stack(rows), {name: own[-HABIT_KEPT:] for name, own in past.items() if own}


def _matrix(shape: Shape, cases: Sequence[Labelled], others: Numbers) -> csr_matrix:
    from scipy.sparse import csr_matrix, hstack

    rows = [word_row(shape, case.reading.words) for case in cases]
    ends = np.cumsum([0, *(len(columns) for columns, _ in rows)])
    columns = np.concatenate([columns for columns, _ in rows])
    values = np.concatenate([values for _, values in rows])
    words = csr_matrix((values, columns, ends), shape=(len(rows), len(shape.terms)))
    return csr_matrix(hstack([words, csr_matrix(others)], format="csr"))


def _freshness(cases: Sequence[Labelled]) -> Numbers:
    newest = cases[-1].created
    return np.array([0.5 ** ((newest - case.created) / HALF_LIFE) for case in cases])


def _regress(matrix: csr_matrix, truth: Numbers, weights: Numbers, levels: int) -> Numbers:
    """Weights, columns by levels with the bias last; a level without an example is all but impossible."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=PENALTY, max_iter=300, tol=1e-3)
    model.fit(matrix, truth, sample_weight=weights)
    found = np.full((matrix.shape[1] + 1, levels), 0.0)
    found[-1] = -20.0
    coefficients, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coefficients, intercept = (
            np.vstack([-coefficients / 2, coefficients / 2]),
            np.array([-intercept[0], intercept[0]]) / 2,
        )
    found[:-1, model.classes_] = coefficients.T
    found[-1, model.classes_] = intercept
    return found


def _vector_scaling(logits: Numbers, truth: Numbers) -> tuple[float, Numbers]:
    """One temperature and one offset per level, by maximum likelihood with a light pull to none."""
    from scipy.optimize import minimize

    rows = np.arange(len(truth))

    def loss(point: Numbers) -> float:
        likely = softmax(np.exp(point[0]) * logits + point[1:])
        return float(-np.log(likely[rows, truth] + 1e-12).mean() + 1e-3 * (point @ point))

    best = minimize(loss, np.zeros(1 + logits.shape[1]), method="L-BFGS-B").x
    return float(np.exp(best[0])), best[1:]


def _best_tau(likely: Numbers, truth: Numbers, base: Numbers) -> float:
    """The adjustment with the best macro-F1 on the held-out cases; the smaller one when two are equal."""
    said = [(likely / base**tau).argmax(axis=1) for tau in TAUS]
    scores = [round(macro_f1(truth.tolist(), named.tolist()), 4) for named in said]
    return TAUS[scores.index(max(scores))]
