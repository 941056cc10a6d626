"""The replay: the real workspace sees report after report, and learns of the rest as the tracker's people did."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from evals.data import as_filed
from evals.suites.triage.history import SYNC, History, LabelsKnown
from evals.suites.triage.refit import refit
from evals.suites.triage.seen import Claim, Guess, Verdict
from evals.vectors import Tell
from qa_agents.errors import QAAgentsError
from qa_agents.incidents.schema import Incident, Report, Retrieval
from qa_agents.triage.schema import Proposal, Triage
from qa_agents.wiring import Workspace

BATCH = 1_000
TELL_SECONDS = 15.0
HALF_YEARS = (1, 7)
"""Months in which everything is fitted anew."""


@dataclass
class Replay:
    """What came of it, beside the verdicts."""

    verdicts: list[Verdict] = field(default_factory=list)
    refits: list[str] = field(default_factory=list)
    """Dates of the fits, with what was fitted."""
    notes: list[str] = field(default_factory=list)
    seconds_refit: float = 0.0
    seconds_triage: float = 0.0


def replay(
    workspace: Workspace,
    incidents: Sequence[Incident],
    first: int,
    *,
    labels: LabelsKnown = "filed",
    fit: bool = True,
    tell: Tell = lambda _: None,
) -> Replay:
    """Triage `incidents[first:]` one by one, each with what was known when it was filed.

    `incidents` are in time order and dated. The memory takes over what the tracker says once a day; every report is
    remembered as soon as it is triaged. `fit` fits what learns, before the first report and at each half-year mark.
    """
    found, history, counter = Replay(), History(incidents, labels), Counter(workspace)
    began = synced = _moment(incidents[first])
    take_over(workspace, list(history.due(began, first)), found, tell)
    marks = iter([began, *half_years(began, _moment(incidents[-1]))]) if fit else iter(())
    mark, told = next(marks, None), time.monotonic()
    for position in range(first, len(incidents)):
        now = _moment(incidents[position])
        if now - synced >= SYNC:
            take_over(workspace, list(history.due(now, position)), found, tell)
            synced = now
            if fit:
                workspace.follow()
        if mark is not None and now >= mark:
            _refit(workspace, now, found, tell)
            counter.renew()
            mark = next(marks, None)
        clock = time.perf_counter()
        found.verdicts.append(counter.triaged(as_filed(incidents[position]), position))
        found.seconds_triage += time.perf_counter() - clock
        if time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            done = len(found.verdicts)
            tell(
                f"replaying: {done} of {len(incidents) - first} reports, {found.seconds_triage / done * 1e3:.0f} ms each"
            )
    return found


def verdict_of(triage: Triage, position: int) -> Verdict:
    """What is measured of a triage."""
    claims = [
        Claim(incident_id=r.incident_id, kind=r.kind, probability=r.probability, vetoed=r.vetoed_by is not None)
        for r in triage.relations
    ]
    told = [claim.probability for claim in claims if claim.probability is not None]
    return Verdict(
        report_id=triage.report_id,
        position=position,
        found=[candidate.incident_id for candidate in triage.similar],
        nearest_score=triage.similar[0].score if triage.similar else 0.0,
        alert=max(told) if told else max((candidate.score for candidate in triage.similar), default=0.0),
        claims=claims,
        guesses={name: _guess(proposal) for name, proposal in triage.proposals.items()},
        hypothesis=triage.hypothesis is not None,
        questions=len(triage.missing),
        gate=triage.gate.decision,
        rules=[reason.partition(":")[0] for reason in triage.gate.reasons],
    )


def _guess(proposal: Proposal) -> Guess:
    others = [alternative.value for alternative in proposal.alternatives]
    ranked = [proposal.value, *others] if proposal.value is not None else others
    return Guess(
        ranked=list(dict.fromkeys(ranked)), probability=proposal.probability, answered=proposal.value is not None
    )


class Counter:
    """Where reports are triaged: the graph that users get, with its documents kept in hand instead of on the account."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._report = Report(id="none")
        self._published: list[bytes] = []
        self._graph: Any = None
        self._words: list[str] | None = None

    def renew(self) -> None:
        """Build the graph anew, as a new process would; after a fit."""
        self._graph, self._words = None, None

    def triaged(self, report: Report, position: int) -> Verdict:
        """Through the graph up to the gate, then remembered; an error costs this report only."""
        try:
            triage = self._run(report)
            escalation = self._escalation(report, triage)
            self._workspace.memory.remember(report)
        except QAAgentsError as error:
            return Verdict(report_id=report.id, position=position, error=str(error))
        except Exception as error:  # what a user would see as a failed report must not end the measurement
            return Verdict(report_id=report.id, position=position, error=f"{type(error).__name__}: {error}"[:200])
        return verdict_of(triage, position).model_copy(update={"escalation": escalation})

    def _escalation(self, report: Report, triage: Triage) -> float:
        """The score by which the gate would let reports pass, had a bound been calibrated."""
        from qa_agents.triage.gate.escalation import escalation_score, read_concern

        memory, rubric = self._workspace.memory, self._workspace.rubric
        seen = Retrieval(candidates=triage.similar, k=20, memory_size=0, as_of=_moment(report))
        if self._words is None:
            self._words = self._workspace.store.severities()
        concern = read_concern(
            report,
            triage.signals,
            triage.relations,
            memory.neighbours(seen),
            rubric=rubric,
            critical=rubric.top_words(self._words),
        )
        return escalation_score(concern)

    def _run(self, report: Report) -> Triage:
        self._report, self._published = report, []
        if self._graph is None:
            self._graph = self._build()
        state = {
            "run_id": report.id,
            "source": "evals",
            "subject_id": report.id,
            "input_sha256": report.id,
            "options": {"remember": False},
        }
        for update in self._graph.stream(state, stream_mode="updates"):
            if "gate" in update:
                break
        return Triage.model_validate_json(self._published[-1])

    def _build(self) -> Any:
        from qa_agents.triage.graph import build_triage

        parts = replace(
            self._workspace.triage_parts,
            report_of=lambda _sha: self._report,
            issue_of=lambda _key: None,
            publish=self._publish,
        )
        return build_triage(parts).compile()

    def _publish(self, _run: str, document: bytes, **_summary: Any) -> str:
        self._published.append(document)
        return "replayed"


def take_over(workspace: Workspace, changed: Sequence[Incident], found: Replay, tell: Tell) -> None:
    """Import what the tracker says anew, and bring the indexes up to date."""
    for start in range(0, len(changed), BATCH):
        workspace.store.upsert(changed[start : start + BATCH])
    if len(changed) >= BATCH:
        tell(f"{len(changed):,} incidents imported; indexing")
    for problem in workspace.memory.catch_up() if changed else ():
        if problem not in found.notes:
            found.notes.append(problem)


def _refit(workspace: Workspace, now: datetime, found: Replay, tell: Tell) -> None:
    clock = time.perf_counter()
    fitted = refit(workspace, now, tell)
    found.refits.append(f"{now:%Y-%m-%d}: {'; '.join(fitted) or 'nothing to fit on'}")
    found.seconds_refit += time.perf_counter() - clock


def half_years(begin: datetime, end: datetime) -> Iterator[datetime]:
    """The marks after `begin`, up to `end`."""
    for year in range(begin.year, end.year + 1):
        for month in HALF_YEARS:
            mark = begin.replace(year=year, month=month, day=1, hour=0, minute=0, second=0, microsecond=0)
            if begin < mark <= end:
                yield mark


def _moment(incident: Report) -> datetime:
    assert incident.created is not None, "a tracker's incidents are dated"
    return incident.created
