"""Are component, type, priority and assignee proposed rightly, and is it known how rightly? Replayed in time order, beside peers.

Every report is proposed for as it was filed, by models fitted at the start and at each half-year on what was known then; its
neighbours carry the labels known at its filing. Truth is the tracker's final value, so what people changed their minds about
counts as wrong, and what a field holds at filing may in truth have been put there later: hence the variants.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from evals.data import Dataset, as_filed
from evals.peers.fields import linear, majority, neighbours_vote, reporters_choice
from evals.peers.texts import TfidfCosine, tfidf
from evals.provenance import Provenance, provenance
from evals.report import table
from evals.scorers.calibration import Bin, adaptive_bins, coverage_at, expected_calibration_error, risk_coverage
from evals.scorers.labels import macro_f1, top_k_hits
from evals.stats import Interval, paired_bootstrap, wilson
from evals.suites.triage.seen import Guess
from evals.vectors import Tell
from qa_agents.errors import UnavailableError
from qa_agents.incidents.embedders import Embedder, text_for_embedding
from qa_agents.incidents.schema import Candidate, Incident
from qa_agents.triage.proposals.fit import fit_proposals
from qa_agents.triage.proposals.fitted import FittedProposals
from qa_agents.triage.proposals.history import FIELDS, History
from qa_agents.triage.proposals.model import Ranked
from qa_agents.triage.proposals.recalibrate import EVERY, SETTLED, followed
from qa_agents.triage.proposals.votes import NEIGHBOURS, nearest
from qa_agents.triage.proposals.words import Vocabulary
from qa_agents.triage.schema import FieldName, Proposal

SYSTEM = "qa-agents"
OWN_CHOICE = "reporter's own choice"
ACCURACY = 0.9
"""The accuracy at which the share of answered reports is measured."""
HALF_YEARS = (1, 7)
CURVE_POINTS = 60
LabelsKnown = Literal["filed", "resolved"]
Vectors = Mapping[str, NDArray[np.float32]]
CHOSEN = ("component", "priority", "type", "severity")
OUTCOME = ("status", "resolution", "resolved", "resolution_note", "assignee")


class Variant(NamedTuple):
    """What a report is taken to bring, and from when on labels are taken to be known."""

    name: str
    without: tuple[str, ...]
    labels: LabelsKnown


VARIANTS = (
    Variant("without product, labels known from closing on", ("product",), "resolved"),
    Variant("with product, labels known from closing on", (), "resolved"),
    Variant("without product, labels known from filing on", ("product",), "filed"),
    Variant("with product, labels known from filing on", (), "filed"),
)
"""The most honest first: a report's project is final here too, and moves between projects leak into it."""


class Score(BaseModel):
    """One contender at one field, over the reports that have a value in the end; a report's components all count as right."""

    who: str
    n: int
    top1: Interval
    top3: Interval
    first: Interval
    """The leading answer is the report's first component (for other fields the same as top1)."""
    macro_f1: float
    ece: float | None = None
    """Of the leading answer's probability, whether it was proposed or only an alternative; None where none is given."""
    covered: float | None = None
    """Share of the reports, the surest first, that can be answered with ACCURACY."""
    answered: Interval
    answered_right: Interval
    """Share right of what was proposed and not left undetermined."""
    lead: Interval | None = None
    """The system's top1 less this peer's, on the same reports; 95 % paired bootstrap."""


class FieldResult(BaseModel):
    """One field: everybody's scores, and the system's curves."""

    field: FieldName
    scores: list[Score]
    reliability: list[Bin]
    risk_coverage: list[tuple[float, float]]


class VariantResult(BaseModel):
    """One variant over all fields."""

    name: str
    fields: list[FieldResult]
    fit_cpu_seconds: list[float]
    predict_cpu_ms: float
    notes: list[str]


class Proposals(BaseModel):
    """The whole measurement."""

    provenance: Provenance
    start: str
    reports: int
    marks: list[str]
    """When everything was fitted."""
    variants: list[VariantResult]
    seconds: float


def run_proposals(
    dataset: Dataset,
    start: datetime,
    vectors: Vectors | None,
    *,
    variants: Sequence[Variant] = VARIANTS,
    tell: Tell = lambda _: None,
) -> Proposals:
    """Measure on the reports filed from `start` on; `vectors` by incident id, None measures without.

    Raises UnavailableError when nothing was filed before `start`, or after.
    """
    began, origin = time.perf_counter(), provenance(dataset, seed=0)
    incidents = [incident for incident in dataset.incidents if incident.created is not None]
    first = next((n for n, incident in enumerate(incidents) if _created(incident) >= start), len(incidents))
    if not 0 < first < len(incidents):
        raise UnavailableError(f"{dataset.name} has no reports before and after {start:%Y-%m-%d}.")
    marks = [start, *_half_years(start, _created(incidents[-1]))]
    results, peers = [], {}
    for variant in variants:
        tell(f"proposals: {variant.name}")
        if variant.labels not in peers:  # peers read the text alone: what a variant leaves out is nothing to them
            tell("asking the peers")
            peers[variant.labels] = _peers(variant.labels, incidents, first, marks)
        results.append(_measured(variant, incidents, first, marks, vectors, peers[variant.labels], tell))
    return Proposals(
        provenance=origin,
        start=start.date().isoformat(),
        reports=len(incidents) - first,
        marks=[mark.date().isoformat() for mark in marks],
        variants=results,
        seconds=time.perf_counter() - began,
    )


def proposals_report(found: Proposals) -> str:
    """The tables, in Markdown."""
    parts = [
        "## Proposals",
        f"{found.reports:,} reports from {found.start} on, in time order; fitted at {', '.join(found.marks)} on what was known "
        "then. 95 % intervals: Wilson; lead: the system's top-1 less the peer's, paired bootstrap. ECE over ten adaptive bins.",
    ]
    head = (
        "field",
        "who",
        "n",
        "top-1",
        "top-3",
        "first",
        "macro-F1",
        "ECE",
        f"share at {ACCURACY:.0%}",
        "answered",
        "lead",
    )
    for variant in found.variants:
        rows = [_row(field.field, score) for field in variant.fields for score in field.scores]
        cost = ", ".join(f"{seconds:.0f}" for seconds in variant.fit_cpu_seconds)
        parts += [
            f"### {variant.name}",
            table(head, rows),
            f"CPU: {cost} s a fit, {variant.predict_cpu_ms:.1f} ms a report.",
            "\n".join(f"- {note}" for note in variant.notes),
        ]
    return "\n\n".join(part for part in parts if part)


def vectors_of(dataset: Dataset, embedder: Embedder) -> dict[str, NDArray[np.float32]]:
    """The vector of every report's text, by id: what `run_proposals` wants, from the suites' kept vectors or afresh.

    Boilerplate lines are left in; the memory leaves them out.
    """
    found = embedder.embed([text_for_embedding(incident) for incident in dataset.incidents])
    return {incident.id: vector for incident, vector in zip(dataset.incidents, found, strict=True)}


def known_at(incident: Incident, moment: datetime, labels: LabelsKnown) -> Incident:
    """The incident as the tracker showed it then: outcomes, and with "resolved" the labels too, hidden until it was closed."""
    if incident.resolved is not None and incident.resolved <= moment:
        return incident
    hidden: dict[str, object] = {**dict.fromkeys(OUTCOME), "duplicate_of": [], "labels": []}
    if labels == "resolved":
        hidden |= {**dict.fromkeys(CHOSEN), "components": []}
    return incident.model_copy(update=hidden)


def truth_of(incident: Incident, field: FieldName) -> list[str]:
    """What was right in the end; for a component all that the report was given, the first of them leading."""
    if field == "component":
        return list(incident.components)
    value: str | None = getattr(incident, field)
    return [value] if value else []


def _measured(
    variant: Variant,
    incidents: Sequence[Incident],
    first: int,
    marks: Sequence[datetime],
    vectors: Vectors | None,
    peers: Mapping[FieldName, Mapping[str, Sequence[Guess]]],
    tell: Tell,
    *,
    follow: bool = True,
) -> VariantResult:
    seen = [incident.model_copy(update=dict.fromkeys(variant.without)) for incident in incidents]
    said: dict[FieldName, list[Guess]] = {field: [] for field in FIELDS}
    fits, notes, clock = [], [], 0.0
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        tell(f"fitting on what is known at {mark:%Y-%m-%d}")
        started = time.process_time()
        fitted = fit_proposals([known_at(i, mark, variant.labels) for i in seen if _created(i) < mark], vectors, mark)
        fits.append(time.process_time() - started)
        notes += [f"{field} was left alone at {mark:%Y-%m-%d}: {why}" for field, why in fitted.left_alone.items()]
        for field, model in fitted.fields.items():
            heard = "" if model.telling else ", so it is silent where it is not nearly sure"
            notes.append(
                f"{field} at {mark:%Y-%m-%d}: right more often than the usual value by at least {model.lead:.3f}{heard}"
            )
        end = following or _created(incidents[-1])
        rows = [
            n
            for n in range(first, len(seen))
            if mark <= _created(seen[n]) and (not following or _created(seen[n]) < end)
        ]
        around = _neighbours(seen, rows, vectors, fitted.vocabulary, variant.labels)
        started, current = time.process_time(), Following(fitted, mark, follow=follow)
        for row in rows:
            report = as_filed(seen[row])
            vector = vectors.get(report.id) if vectors else None
            current.at(_created(seen[row]))
            case = fitted.case(report, around(row), vector, _created(seen[row]))
            ranked = fitted.rank_all(case)
            current.remember(seen[row], ranked)
            proposals = current.fitted.propose_all(case, ranked)
            for field in FIELDS:
                said[field].append(_guess(proposals.get(field)))
        clock += time.process_time() - started
    if not any(OWN_CHOICE in contenders for contenders in peers.values()):
        notes.append("The data do not hold what reporters chose at filing, so their own choice was not measured.")
    fields = [_field(field, said[field], peers[field], incidents[first:]) for field in FIELDS]
    cost = clock / max(1, len(incidents) - first) * 1e3
    return VariantResult(name=variant.name, fields=fields, fit_cpu_seconds=fits, predict_cpu_ms=cost, notes=notes)


class Following:
    """What was fitted, its probabilities moved on as outcomes arrive: as a team has it that imports every day."""

    def __init__(self, fitted: FittedProposals, mark: datetime, *, follow: bool) -> None:
        self.fitted, self._follow = fitted, follow
        self._since, self._said = mark, list[tuple[Incident, Mapping[FieldName, Ranked]]]()

    def remember(self, incident: Incident, ranked: Mapping[FieldName, Ranked]) -> None:
        """Note what was ranked for a report; what became of it counts when it is known."""
        self._said.append((incident, ranked))

    def at(self, moment: datetime) -> None:
        """Take over what is known by now, when that is enough to tell anything."""
        until = moment - SETTLED
        if self._follow and sum(self._since < _created(incident) <= until for incident, _ in self._said) >= EVERY:
            self.fitted = followed(self.fitted, self._said, self._since, until)
            self._since = until


def _neighbours(
    seen: Sequence[Incident], rows: Sequence[int], vectors: Vectors | None, vocabulary: Vocabulary, labels: LabelsKnown
) -> Callable[[int], list[tuple[Candidate, Incident]]]:
    """For each report its nearest by words and vectors, as known when it was filed; words weigh as they did at the fit."""
    after = max(_created(incident) for incident in seen).replace(year=9999)
    history = History(seen, vectors, after, vocabulary=vocabulary)
    place = {incident.id: n for n, incident in enumerate(history.incidents)}
    queries = np.array([place[seen[row].id] for row in rows], np.int64)
    near = nearest(history, queries, NEIGHBOURS)
    at = {row: n for n, row in enumerate(rows)}

    def around(row: int) -> list[tuple[Candidate, Incident]]:
        moment, own, found = _created(seen[row]), vectors.get(seen[row].id) if vectors else None, []
        for other, close in zip(near.rows[at[row]].tolist(), near.closeness[at[row]].tolist(), strict=True):
            if other < 0:
                continue
            incident = history.incidents[other]
            its = vectors.get(incident.id) if vectors else None
            dense = None if own is None or its is None else float(own @ its)
            candidate = Candidate(incident_id=incident.id, score=close, lexical=close, dense=dense)
            found.append((candidate, known_at(incident, moment, labels)))
        return found

    return around


class _Remembered(TfidfCosine):
    """The same peer, comparing each report once for all fields; in half precision, to hold them all."""

    def __init__(self, incidents: Sequence[Incident]) -> None:
        super().__init__(incidents)
        self._known: dict[int, NDArray[np.float16]] = {}

    def scores(self, position: int) -> NDArray[np.float32]:
        """Cosine with each earlier report."""
        if position not in self._known:
            self._known[position] = super().scores(position).astype(np.float16)
        return self._known[position].astype(np.float32)


def _peers(
    labels_known: LabelsKnown, seen: Sequence[Incident], first: int, marks: Sequence[datetime]
) -> dict[FieldName, dict[str, list[Guess]]]:
    moments = [_created(incident) for incident in seen]
    texts, rows = _Remembered(seen), tfidf(seen)
    found: dict[FieldName, dict[str, list[Guess]]] = {}
    for field in FIELDS:
        labels = [next(iter(truth_of(incident, field)), None) for incident in seen]
        at_filing = labels_known == "filed" and field != "assignee"

        def known(n: int, at_filing: bool = at_filing) -> datetime | None:
            return moments[n] if at_filing else seen[n].resolved

        own = reporters_choice(seen, field, first)
        found[field] = {
            "majority": majority(labels, known, moments, first),
            "neighbours' vote (TF-IDF)": neighbours_vote(texts, labels, known, moments, first),
            "TF-IDF + linear": linear(rows, labels, known, moments, first, marks),
            **({OWN_CHOICE: own} if own else {}),
        }
    return found


def _field(
    field: FieldName, ours: Sequence[Guess], peers: Mapping[str, Sequence[Guess]], incidents: Sequence[Incident]
) -> FieldResult:
    truths = [truth_of(incident, field) for incident in incidents]
    have = [n for n, truth in enumerate(truths) if truth]
    known = [truths[n] for n in have]
    hits = top_k_hits([ours[n].ranked for n in have], known, 1)
    scores = [_score(SYSTEM, [ours[n] for n in have], known, None)]
    scores += [_score(who, [said[n] for n in have], known, hits) for who, said in peers.items()]
    told = [(ours[n].probability or 0.0, hit) for n, hit in zip(have, hits, strict=True)]
    sure, right = [p for p, _ in told], [float(hit) for _, hit in told]
    curve = risk_coverage(sure, right)
    step = max(1, len(curve) // CURVE_POINTS)
    return FieldResult(
        field=field,
        scores=scores,
        reliability=adaptive_bins(sure, right),
        risk_coverage=[(point.coverage, point.risk) for point in curve[::-1][::step][::-1]],
    )


def _score(who: str, said: Sequence[Guess], truths: Sequence[Sequence[str]], system: Sequence[bool] | None) -> Score:
    ranked = [guess.ranked for guess in said]
    top1, top3 = top_k_hits(ranked, truths, 1), top_k_hits(ranked, truths, 3)
    lead = [names[0] if names else None for names in ranked]
    firsts = [name == truth[0] for name, truth in zip(lead, truths, strict=True)]
    given = all(guess.probability is not None for guess in said)
    sure = [guess.probability or 0.0 for guess in said]
    answered = [hit for guess, hit in zip(said, top1, strict=True) if guess.answered]
    return Score(
        who=who,
        n=len(said),
        top1=wilson(sum(top1), len(said)),
        top3=wilson(sum(top3), len(said)),
        first=wilson(sum(firsts), len(said)),
        macro_f1=macro_f1(lead, [truth[0] for truth in truths]),
        ece=expected_calibration_error(sure, [float(hit) for hit in top1]) if given else None,
        covered=coverage_at(sure, [float(hit) for hit in top1], ACCURACY) if given else None,
        answered=wilson(len(answered), len(said)),
        answered_right=wilson(sum(answered), len(answered)),
        lead=None if system is None or not said else paired_bootstrap(list(map(float, system)), list(map(float, top1))),
    )


def _guess(proposal: Proposal | None) -> Guess:
    """The leading answer and the runners-up, with the probability of the leading one, proposed or not."""
    if proposal is None:
        return Guess(answered=False)
    others = [other.value for other in proposal.alternatives]
    if proposal.value is not None:
        return Guess(ranked=[proposal.value, *others], probability=proposal.probability)
    lead = proposal.alternatives[0].probability if proposal.alternatives else None
    return Guess(ranked=others, probability=lead, answered=False)


def _row(field: str, score: Score) -> tuple[str, ...]:
    return (
        field,
        score.who,
        str(score.n),
        str(score.top1),
        str(score.top3),
        f"{score.first.value:.3f}",
        f"{score.macro_f1:.3f}",
        "–" if score.ece is None else f"{score.ece:.3f}",
        "–" if score.covered is None else f"{score.covered:.3f}",
        f"{score.answered.value:.2f} at {score.answered_right.value:.2f}",
        "" if score.lead is None else f"{score.lead.value:+.3f} ({score.lead.low:+.3f} to {score.lead.high:+.3f})",
    )


def _created(incident: Incident) -> datetime:
    assert incident.created is not None, "undated incidents were left out"
    return incident.created


def _half_years(start: datetime, end: datetime) -> list[datetime]:
    marks = [start.replace(year=y, month=m, day=1, hour=0) for y in range(start.year, end.year + 1) for m in HALF_YEARS]
    return [mark for mark in marks if start < mark <= end]
