"""The triage suite: replay, ask the peers, measure."""

import shutil
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from evals.audit import read_audit
from evals.data import TITANIUM, clusters
from evals.provenance import provenance
from evals.suites.triage.contenders import Answers, K, ask_peers, label_of
from evals.suites.triage.history import LabelsKnown
from evals.suites.triage.load import measure_load
from evals.suites.triage.measure import (
    measure_audited,
    measure_claims,
    measure_duplicates,
    measure_field,
    measure_rest,
    unlinked_pairs,
)
from evals.suites.triage.replay import Replay, half_years, replay
from evals.suites.triage.result import SYSTEM, Measured, with_holm
from evals.suites.triage.seen import FIELDS, Guess
from evals.tracker import Tracker
from evals.vectors import KeptVectors, Tell
from qa_agents.errors import InvalidInputError
from qa_agents.incidents.schema import Incident
from qa_agents.settings import Settings
from qa_agents.triage.severity.rate import load_rubric
from qa_agents.wiring import Workspace

QUICK_MEMORY, QUICK_REPORTS = 2_000, 300
"""A quick run: so many reports before, so many measured."""


def run_triage(
    tracker: Tracker,
    start: datetime,
    embedder: KeptVectors,
    work: Path,
    *,
    labels: LabelsKnown = "filed",
    quick: bool = False,
    limit: int | None = None,
    tell: Tell = lambda _: None,
) -> Measured:
    """Replay the reports filed from `start` on (the newest few, when quick) and measure everything the data allow.

    Raises InvalidInputError when no report was filed from `start` on, or none before.
    """
    origin, began = provenance(tracker.dataset, seed=0), time.perf_counter()
    incidents, first, notes = _window(tracker.incidents, start, quick=quick, limit=limit)
    answers_of, wanted = earlier_of_cluster(incidents, first)
    home = work / "triage"
    with Workspace(Settings(home=home)) as workspace:
        workspace.embedder = embedder
        found = replay(workspace, incidents, first, labels=labels, tell=tell)
    embedder.save()
    shutil.rmtree(home, ignore_errors=True)
    replayed = time.perf_counter()
    marks = [_moment(incidents[first]), *half_years(_moment(incidents[first]), _moment(incidents[-1]))]
    answers = ask_peers(incidents, first, wanted, marks, labels, embedder, work, tell)
    embedder.save()
    asked = time.perf_counter()
    tell("measuring")
    into = Measured(
        provenance=origin,
        dataset=tracker.dataset.name,
        start=_moment(incidents[first]).date().isoformat(),
        labels_known=labels,
        reports=len(incidents) - first,
        memory=first,
        duplicates=len(wanted),
        seconds={},
        refits=found.refits,
        notes=[*tracker.notes, *notes, *found.notes, *answers.notes],
        lines=[],
    )
    _measure(into, incidents, first, found, answers, wanted, answers_of)
    into.seconds = {
        "fits": found.seconds_refit,
        "triage": found.seconds_triage,
        "replay in all": replayed - began,
        "peers": asked - replayed,
        "measuring": time.perf_counter() - asked,
    }
    return into


def earlier_of_cluster(incidents: Sequence[Incident], first: int) -> tuple[dict[int, set[str]], dict[int, set[str]]]:
    """For each report from place `first` on, the earlier ids of its cluster; the same again without the empty ones."""
    seen: dict[str, set[str]] = defaultdict(set)
    earlier: dict[int, set[str]] = {}
    for position, (incident, cluster) in enumerate(zip(incidents, clusters(incidents), strict=True)):
        if cluster is None:
            continue
        if position >= first:
            earlier[position] = set(seen[cluster])
        seen[cluster].add(incident.id)
    return earlier, {position: ids for position, ids in earlier.items() if ids}


def _window(
    incidents: Sequence[Incident], start: datetime, *, quick: bool, limit: int | None
) -> tuple[Sequence[Incident], int, list[str]]:
    first = bisect_left(incidents, start, key=_moment)
    if first >= len(incidents):
        raise InvalidInputError(
            f"No report was filed from {start:%Y-%m-%d} on; the last one is of {_moment(incidents[-1]):%Y-%m-%d}.",
            hint="Give an earlier --start, or none.",
        )
    notes = []
    if first == 0:
        notes.append("Every report is measured: the memory is empty at the beginning.")
    measured = min(limit or len(incidents), QUICK_REPORTS if quick else len(incidents))
    if len(incidents) - first > measured:
        notes.append(f"Only the first {measured:,} of {len(incidents) - first:,} reports were measured.")
        incidents = incidents[: first + measured]
    if quick and first > QUICK_MEMORY:
        notes.append(f"The memory begins {QUICK_MEMORY:,} reports before; the figures are not those of the whole.")
        incidents, first = incidents[first - QUICK_MEMORY :], QUICK_MEMORY
    return incidents, first, notes


def _measure(
    into: Measured,
    incidents: Sequence[Incident],
    first: int,
    found: Replay,
    answers: Answers,
    wanted: dict[int, set[str]],
    earlier: dict[int, set[str]],
) -> None:
    verdicts, measured = found.verdicts, incidents[first:]
    ours = {v.position: v.found[:K] for v in verdicts if v.position in wanted}
    alerts = {SYSTEM: [v.alert for v in verdicts], **answers.alerts}
    measure_duplicates(into, {SYSTEM: ours, **answers.found}, wanted, alerts, incidents, first)
    measure_claims(into, verdicts, wanted, earlier)
    if into.dataset == TITANIUM:
        measure_audited(into, verdicts, read_audit())
    into.unlinked = unlinked_pairs(verdicts, earlier)
    for name in FIELDS:
        truths = [_truth(incident, name) for incident in measured]
        system: list[Guess | None] = [v.guesses.get(name) for v in verdicts]
        guesses: dict[str, Sequence[Guess | None]] = {SYSTEM: system, **answers.guesses.get(name, {})}
        measure_field(into, name, guesses, truths, [incident.id for incident in measured])
    words = {incident.severity for incident in incidents if incident.severity}
    rubric = load_rubric()
    top, order = rubric.top_words(words), rubric.ordered(words)
    known = [label for label in order if label in into.confusion]
    into.confusion = {label: into.confusion[label] for label in [*known, *sorted(into.confusion.keys() - set(known))]}
    critical = [incident.severity in top for incident in measured]
    measure_rest(into, verdicts, critical)
    measure_load(into, [v.escalation for v in verdicts], critical)
    with_holm(into.lines)


def _truth(incident: Incident, name: str) -> list[str]:
    if name == "component" and incident.components:
        return [*incident.components]
    value = label_of(incident, name)
    return [value] if value else []


def _moment(incident: Incident) -> datetime:
    assert incident.created is not None, "a tracker's incidents are dated"
    return incident.created
