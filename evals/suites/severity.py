"""Severity, its second opinion, the inflation meter, the hypothesis and the questions, on a tracker replayed in time.

Every report is read as it was filed. A label (severity) counts as known from the filing on, as a tracker shows it
(`labels="filed"`), or only once the report was closed (`"resolved"`); the values are final ones either way. The model is
fitted anew each quarter on what is known then. Neighbours are the nearest by meaning alone; the live search weighs words
and links too, so hypothesis and relation figures here are those of a weaker search.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from pydantic import BaseModel

from evals.data import Dataset, as_filed
from evals.peers.fields import linear, majority, neighbours_vote
from evals.peers.texts import Scores, tfidf
from evals.provenance import Provenance, provenance
from evals.scorers.calibration import expected_calibration_error
from evals.scorers.labels import confusion, macro_f1
from evals.stats import Interval, wilson
from evals.suites.triage.seen import Guess
from evals.vectors import KeptVectors, Tell
from qa_agents.incidents.embedders import text_for_embedding
from qa_agents.incidents.minilm import Vectors
from qa_agents.incidents.schema import Candidate, Incident
from qa_agents.incidents.search import as_known
from qa_agents.triage.facts.extract import extract_facts
from qa_agents.triage.facts.signals import find_signals
from qa_agents.triage.hypothesis import hypothesise
from qa_agents.triage.notes import note_sentences, tells_a_cause
from qa_agents.triage.questions.missing import ask, lacking_of
from qa_agents.triage.questions.required_facts import Required, learn, load_required_rules, observe
from qa_agents.triage.questions.stakes import severity_stakes
from qa_agents.triage.severity.factors import read_factors
from qa_agents.triage.severity.features import Reading, Vote, read
from qa_agents.triage.severity.fit import Labelled, fit
from qa_agents.triage.severity.inflation import Inflation, Rated, measure, quarter_of
from qa_agents.triage.severity.model import MIN_COSINE, VOTERS, Opinion, SeverityModel
from qa_agents.triage.severity.rate import rate_severity
from qa_agents.triage.severity.rubric import Rubric, load_rubric

ROUNDS = 300
NEAR = 12
SYSTEM = "second opinion"
RUBRIC = "rubric and opinion, when they name one"
LEARNED_FROM = 4_000


class Named(BaseModel):
    """One contender: how well it names levels, over all labelled reports."""

    macro_f1: Interval
    accuracy: Interval


class Severity(BaseModel):
    """The whole measurement; rates with their n and 95 % interval."""

    provenance: Provenance
    start: str
    labels: str
    n: int
    """Reports from `start` on whose severity is known."""
    quality: dict[str, Named]
    best_peer: str
    ratio: Interval
    """Macro-F1 of the second opinion by the best peer's, drawn together."""
    ece: Interval
    """Of the likeliest level's probability, adaptive bins."""
    confusion: dict[str, dict[str, int]]
    """True level to named level, of the second opinion."""
    undetermined: Interval
    """Share of all reports whose severity a person must choose."""
    unknown_impact: Interval
    right_when_named: Interval
    within_one_when_named: Interval
    inflation: dict[str, Inflation]
    """By quarter."""
    hypotheses: Interval
    cause_known: Interval
    """Share of closed incidents in memory whose note tells a cause at all: what limits the hypotheses."""
    asked: Interval
    """Share of reports with at least one question; `changing` of these with one that changes the severity."""
    changing: Interval
    learned_facts: list[str]
    notes: list[str]
    seconds: float


@dataclass
class _Case:
    incident: Incident
    reading: Reading
    level: int | None
    votes: list[Vote]
    near: list[tuple[float, int]]


def run_severity(
    dataset: Dataset,
    start: datetime,
    embedder: KeptVectors,
    vectors: Vectors | None = None,
    *,
    labels: Literal["filed", "resolved"] = "filed",
    tell: Tell = lambda _: None,
) -> Severity:
    """Measure on the reports filed from `start` on; `vectors` are the incidents' own, in order, else they are embedded."""
    began, origin, rubric = time.perf_counter(), provenance(dataset, seed=0), load_rubric()
    incidents = [incident for incident in dataset.incidents if incident.created]
    if vectors is None:
        vectors = embedder.embed([text_for_embedding(as_filed(incident)) for incident in incidents])
    words = sorted({incident.severity for incident in incidents if incident.severity})
    cases = _read(incidents, vectors, rubric, words, labels, tell)
    opinions = _replay(cases, start, labels, rubric, tell)
    asked = [n for n, case in enumerate(cases) if _filed(case) >= start]
    scored = [n for n in asked if cases[n].level is not None]
    truth = [f"S{1 + (cases[n].level or 0)}" for n in scored]
    said: dict[str, list[str | None]] = {SYSTEM: [f"S{opinions[n].level}" if n in opinions else None for n in scored]}
    said |= _peers(cases, vectors, start, labels, scored)
    proposals = {n: _proposed(cases, n, opinions.get(n), rubric, words) for n in asked}
    said[RUBRIC] = [proposals[n][0] for n in scored]
    best = max((name for name in said if name not in (SYSTEM, RUBRIC)), key=lambda name: macro_f1(said[name], truth))
    named = [(s, t) for s, t in zip(said[RUBRIC], truth, strict=True) if s]
    required = _required(cases, start)
    wanted = [_questions(cases[n], rubric, words, required) for n in asked]
    with_opinion = [n for n in scored if n in opinions]
    sure = np.array([max(opinions[n].probabilities) for n in with_opinion])
    right = np.array([opinions[n].likeliest == 1 + (cases[n].level or 0) for n in with_opinion])
    closed = [case.incident for case in cases if case.incident.resolution]
    told = sum(any(map(tells_a_cause, note_sentences(incident.resolution_note or ""))) for incident in closed)
    notes = [
        "The reporters' own choice at filing is not in these data: that peer was not measured.",
        "For the questions the final component stands for the proposed one, and relations are left out.",
    ]
    if labels == "filed":
        notes.append("Severities of reports still open then are final values: a small favour, to all alike.")
    return Severity(
        provenance=origin,
        start=start.date().isoformat(),
        labels=labels,
        n=len(scored),
        quality={name: _named(labels_said, truth) for name, labels_said in said.items()},
        best_peer=best,
        ratio=_ratio(said[SYSTEM], said[best], truth),
        ece=_ece(sure, right),
        confusion=confusion(said[SYSTEM], truth),
        undetermined=wilson(sum(value is None for value, _ in proposals.values()), len(proposals)),
        unknown_impact=wilson(sum(unknown for _, unknown in proposals.values()), len(proposals)),
        right_when_named=wilson(sum(s == t for s, t in named), len(named)),
        within_one_when_named=wilson(sum(abs(int(s[1]) - int(t[1])) <= 1 for s, t in named), len(named)),
        inflation=_inflation(cases, asked, proposals, rubric, words),
        hypotheses=wilson(sum(_explained(cases, n) for n in asked), len(asked)),
        cause_known=wilson(told, len(closed)),
        asked=wilson(sum(total > 0 for total, _ in wanted), len(wanted)),
        changing=wilson(sum(changing > 0 for _, changing in wanted), len(wanted)),
        learned_facts=_learned(required),
        notes=notes,
        seconds=time.perf_counter() - began,
    )


class _Cosine:
    """The vectors searched exactly."""

    name = "cosine"

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def scores(self, position: int) -> Scores:
        """Cosine with each earlier report."""
        found: Scores = self._vectors[:position] @ self._vectors[position]
        return found


def _learned(required: Required | None) -> list[str]:
    return [f"{place}: {fact}" for place, facts in (required.needs.items() if required else ()) for fact in facts]


def _filed(case: _Case) -> datetime:
    created = case.incident.created
    assert created is not None
    return created


def _known(case: _Case, labels: str) -> datetime | None:
    return _filed(case) if labels == "filed" else case.incident.resolved


def _read(
    incidents: Sequence[Incident],
    vectors: Vectors,
    rubric: Rubric,
    words: Sequence[str],
    labels: str,
    tell: Tell,
) -> list[_Case]:
    cases = []
    for n, incident in enumerate(incidents):
        level = rubric.level_of(incident.severity, words) if incident.severity else None
        cases.append(_Case(incident, read(as_filed(incident), rubric), None if level is None else level - 1, [], []))
        if n % 4_000 == 3_999:
            tell(f"read {n + 1} of {len(incidents)} reports")
    moments = np.array([_filed(case).timestamp() for case in cases])
    since = np.array([_since(case, labels) for case in cases])
    for start in range(0, len(cases), 512):
        cosines = vectors[start : start + 512] @ vectors.T
        for n in range(start, min(start + 512, len(cases))):
            row = np.where(moments[:n] < moments[n], cosines[n - start, :n], -1.0)
            cases[n].near = [(float(row[at]), int(at)) for at in np.argsort(-row)[:NEAR] if row[at] > 0]
            rated = np.where(since[:n] <= moments[n], row, -1.0)
            best = [int(at) for at in np.argsort(-rated)[:VOTERS] if rated[at] >= MIN_COSINE]
            cases[n].votes = [(float(rated[at]), cases[at].level or 0) for at in best]
    return cases


def _since(case: _Case, labels: str) -> float:
    moment = _known(case, labels) if case.level is not None else None
    return moment.timestamp() if moment else np.inf


def _replay(cases: Sequence[_Case], start: datetime, labels: str, rubric: Rubric, tell: Tell) -> dict[int, Opinion]:
    """The opinion on each report from `start` on, by a model fitted at the last quarter's begin."""
    found: dict[int, Opinion] = {}
    model: SeverityModel | None = None
    fitted_at: datetime | None = None
    past: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for n, case in enumerate(cases):
        filed = _filed(case)
        if filed >= start and (fitted_at is None or quarter_of(filed) > fitted_at):
            fitted_at = max(quarter_of(filed), start)
            taught = [
                Labelled(_filed(c), c.reading, c.votes, c.level)
                for c in cases[:n]
                if c.level is not None and (when := _known(c, labels)) is not None and when < fitted_at
            ]
            model = fit(taught, len(rubric.levels), "evals", rubric=rubric)
            tell(f"severity fitted on {len(taught)} reports from before {fitted_at:%Y-%m-%d}")
        reporter = case.reading.reporter
        if filed >= start and model is not None:
            own = past[reporter] if labels == "filed" else None
            found[n] = model.of(case.reading, case.votes, filed.timestamp(), own)
        if case.level is not None and reporter:
            past[reporter].append((filed.timestamp(), case.level))
    return found


def _peers(
    cases: Sequence[_Case], vectors: Vectors, start: datetime, labels: str, scored: Sequence[int]
) -> dict[str, list[str | None]]:
    incidents = [case.incident for case in cases]
    names = [None if case.level is None else f"S{case.level + 1}" for case in cases]
    moments = [_filed(case) for case in cases]
    first = min(scored)

    def known(place: int) -> datetime | None:
        return _known(cases[place], labels)

    marks = sorted({max(quarter_of(moment), start) for moment in moments[first:]})
    found: dict[str, list[Guess]] = {
        "majority": majority(names, known, moments, first),
        "neighbours' vote": neighbours_vote(_Cosine(vectors), names, known, moments, first),
        "TF-IDF and linear": linear(tfidf(incidents), names, known, moments, first, marks),
    }
    return {
        name: [(g.ranked[0] if g.ranked else None) for g in (guesses[n - first] for n in scored)]
        for name, guesses in found.items()
    }


def _proposed(
    cases: Sequence[_Case], n: int, opinion: Opinion | None, rubric: Rubric, words: Sequence[str]
) -> tuple[str | None, bool]:
    """The level proposed, None when undetermined; and whether the report says nothing of an impact."""
    report = as_filed(cases[n].incident)
    facts = extract_facts(report)
    signals = find_signals(report, facts)
    proposal = rate_severity(report, facts, signals, [], rubric, words, opinion=opinion)
    level = rubric.level_of(proposal.value, words) if proposal.value else None
    unknown = any(evidence.ref == "rubric/impact" for evidence in proposal.against)
    return (f"S{level}" if level else None), unknown


def _explained(cases: Sequence[_Case], n: int) -> bool:
    report, filed = as_filed(cases[n].incident), _filed(cases[n])
    near = [
        (
            Candidate(incident_id=cases[at].incident.id, score=cosine, dense=cosine),
            as_known(cases[at].incident, filed),
        )
        for cosine, at in cases[n].near
    ]
    return hypothesise(report, extract_facts(report), near) is not None


def _required(cases: Sequence[_Case], start: datetime) -> Required | None:
    rules = load_required_rules()
    decided = [c.incident for c in cases if _filed(c) < start and c.incident.revealed_at(start)]
    return learn((observe(incident, lacking_of, rules) for incident in decided[-LEARNED_FROM:]), rules)


def _questions(case: _Case, rubric: Rubric, words: Sequence[str], required: Required | None) -> tuple[int, int]:
    """How many questions are asked, and how many of them would change the severity; relations are left out here."""
    report = as_filed(case.incident)
    facts = extract_facts(report)
    signals = find_signals(report, facts)
    stakes = severity_stakes(read_factors(report, signals, rubric), rubric, words)
    found = ask(report, facts, signals, stakes=stakes, required=required, component=case.incident.component)
    return len(found), sum(bool(question.changes_decision) for question in found)


def _inflation(
    cases: Sequence[_Case],
    asked: Sequence[int],
    proposals: dict[int, tuple[str | None, bool]],
    rubric: Rubric,
    words: Sequence[str],
) -> dict[str, Inflation]:
    rated = [
        Rated(_filed(case), case.incident.severity, case.incident.reporter) for case in cases if case.incident.severity
    ]
    quarters: dict[datetime, list[str | None]] = defaultdict(list)
    for n in asked:
        value = proposals[n][0]
        quarters[quarter_of(_filed(cases[n]))].append(rubric.word_for(int(value[1]), words) if value else None)
    return {f"{since:%Y-%m}": measure(said, rated, rubric, since) for since, said in sorted(quarters.items())}


def _named(said: Sequence[str | None], truth: Sequence[str]) -> Named:
    hits = sum(s == t for s, t in zip(said, truth, strict=True))
    draws = [macro_f1([said[i] for i in rows], [truth[i] for i in rows]) for rows in _draws(len(truth))]
    low, high = np.percentile(draws, [2.5, 97.5])
    value = Interval(value=macro_f1(said, truth), low=float(low), high=float(high), n=len(truth))
    return Named(macro_f1=value, accuracy=wilson(hits, len(truth)))


def _ratio(ours: Sequence[str | None], theirs: Sequence[str | None], truth: Sequence[str]) -> Interval:
    def at(rows: Sequence[int]) -> float:
        real = [truth[i] for i in rows]
        return macro_f1([ours[i] for i in rows], real) / max(1e-9, macro_f1([theirs[i] for i in rows], real))

    low, high = np.percentile([at(rows) for rows in _draws(len(truth))], [2.5, 97.5])
    return Interval(value=at(range(len(truth))), low=float(low), high=float(high), n=len(truth))


def _ece(
    sure: np.ndarray[tuple[int], np.dtype[np.float64]], right: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Interval:
    draws = [expected_calibration_error(sure[rows], right[rows]) for rows in map(np.array, _draws(len(sure)))]
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(value=expected_calibration_error(sure, right), low=float(low), high=float(high), n=len(sure))


def _draws(n: int, rounds: int = ROUNDS) -> list[list[int]]:
    rows: list[list[int]] = np.random.default_rng(0).integers(0, n, (rounds, n)).tolist()
    return rows
