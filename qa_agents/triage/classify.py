"""Component, type, priority and assignee, by a similarity-weighted vote of the nearest incidents.

A weighted k-nearest-neighbour vote (Dudani, 1976): each of the nearest incidents votes for its own labels, the closer
and the fresher the more. It needs no fit, so it answers while the team's history is short; the strength of a vote is no
probability, and none is shown. With enough outcomes `proposals` takes over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.schema import Alternative, Evidence, FieldName, Proposal

Neighbours = Sequence[tuple[Candidate, Incident]]
"""Past incidents near a report, best first, their outcomes masked to what was known when the report was filed."""
Trust = Callable[[Incident], float]
"""How much an incident's labels count, 1 for the usual; where a person's label is made to outweigh the system's own."""

VOTED: tuple[FieldName, ...] = ("component", "type", "priority", "assignee")
"""The fields this module proposes."""
VOTERS = 20
"""Only so many of the nearest incidents vote."""
SHARPNESS = 4
"""A vote weighs cosine**SHARPNESS: 0.8 counts about as much as three of 0.6."""
OTHER_PRODUCT = 0.1
"""Factor on the vote of an incident of another product: its labels and people may not exist in the report's."""
HALF_LIFE = timedelta(days=180)
"""A vote loses half its weight in this time: labels, habits and people change."""
PRIOR = 0.05
"""Weight of an imagined vote for none of the labels: keeps a single weak vote from looking unanimous."""
MIN_DENSE, MIN_LEXICAL = 0.35, 0.20
"""An incident farther away than this supports nothing."""
MIN_MARGIN = 0.25
"""A value with one supporter must lead the runner-up by this much of the vote."""
FADING_AFTER = timedelta(days=365)
FADED = 0.5
"""Factor on a label that none of the neighbours has carried since FADING_AFTER."""
ACTIVE_WITHIN = timedelta(days=180)
"""A person who has resolved nothing for this long is not proposed as assignee."""
MAX_ALTERNATIVES, MAX_EVIDENCE, MAX_AGAINST = 4, 3, 2
SUMMARY_CHARS = 120


class Tally(NamedTuple):
    """One label's result in the vote."""

    label: str
    score: float
    """Its share of all weight cast, 0 to 1; orders cases by strength, is not a probability."""
    voters: tuple[tuple[Candidate, Incident], ...]
    """Who carried it, the heaviest vote first."""


def classify(
    report: Report,
    neighbours: Neighbours,
    as_of: datetime,
    *,
    trust: Trust = lambda _incident: 1.0,
    last_seen: Mapping[str, datetime] | None = None,
) -> dict[FieldName, Proposal]:
    """Propose component, type, priority and assignee; a field without support is undetermined and says why.

    `as_of` is the moment the report was filed. `last_seen` tells when each person last resolved something; without it
    only the neighbours can tell. No probability is given.
    """
    proposals = {}
    for field in VOTED:
        tallies = tally(report, neighbours, field, as_of, trust=trust, last_seen=last_seen)
        proposals[field] = _proposal(field, tallies, neighbours)
    return proposals


def tally(
    report: Report,
    neighbours: Neighbours,
    field: FieldName,
    as_of: datetime,
    *,
    trust: Trust = lambda _incident: 1.0,
    last_seen: Mapping[str, datetime] | None = None,
) -> list[Tally]:
    """Count the vote of the nearest incidents that carry `field`, the strongest label first (ties by name).

    An incident of several components votes for each of them with its whole weight.
    """
    carriers = [(c, i, labels) for c, i in neighbours if (labels := _labels(i, field, as_of)) and near_enough(c)]
    gone = _gone(field, carriers, as_of, last_seen)
    weights: dict[str, float] = defaultdict(float)
    voters: dict[str, list[tuple[float, Candidate, Incident]]] = defaultdict(list)
    total = PRIOR
    for candidate, incident, labels in carriers[:VOTERS]:
        fresh = _freshness(_moment(incident, field), as_of)
        weight = vote_weight(candidate) * _agreement(report, incident) * fresh * trust(incident)
        total += weight
        for label in labels:
            cast = weight * gone.get(label, 1.0)
            weights[label] += cast
            voters[label].append((cast, candidate, incident))
    return [
        Tally(label, weight / total, tuple((c, i) for _, c, i in sorted(voters[label], key=lambda v: -v[0])))
        for label, weight in sorted(weights.items(), key=lambda item: (-item[1], item[0]))
        if weight > 0
    ]


def undetermined(field: FieldName, tallies: Sequence[Tally], neighbours: Neighbours) -> str | None:
    """The reason why the vote proposes nothing, as a sentence; None when the leading label may be proposed."""
    if not neighbours:
        return "No past incident resembles this report."
    if not any(near_enough(candidate) for candidate, _ in neighbours):
        nearest = neighbours[0][0]
        return f"The nearest incident, {nearest.incident_id}, is too far away ({_distance(nearest)})."
    if not tallies:
        known = "was resolved by someone who is still active" if field == "assignee" else f"has a {field}"
        return f"None of the incidents near this report {known}."
    best, rival = tallies[0], tallies[1] if len(tallies) > 1 else None
    if len(best.voters) < 2 and best.score - (rival.score if rival else 0.0) < MIN_MARGIN:
        weak = f"hardly stronger than what speaks for {rival.label}" if rival else "and only weakly"
        return f"Only {best.voters[0][1].id} speaks for {best.label}, {weak}."
    return None


def near_enough(candidate: Candidate) -> bool:
    """Whether the incident is close enough to support anything at all."""
    if candidate.dense is not None and candidate.dense >= MIN_DENSE:
        return True
    return candidate.lexical is not None and candidate.lexical >= MIN_LEXICAL


def vote_weight(candidate: Candidate) -> float:
    """Weight of a neighbour's vote, 0 to 1: cosine**SHARPNESS, or the lexical ratio where no vectors were compared."""
    if candidate.dense is not None:
        return float(min(1.0, max(0.0, candidate.dense)) ** SHARPNESS)
    return min(1.0, max(0.0, candidate.lexical or 0.0))


def title(incident: Incident) -> str:
    """`ID: summary` on one line, cut at SUMMARY_CHARS."""
    summary = " ".join(incident.summary[: 4 * SUMMARY_CHARS].split())
    return f"{incident.id}: {summary if len(summary) <= SUMMARY_CHARS else summary[: SUMMARY_CHARS - 1] + '…'}"


def _labels(incident: Incident, field: FieldName, as_of: datetime) -> list[str]:
    if field == "component":
        return list(dict.fromkeys(name for name in incident.components if name.strip()))
    if field == "assignee" and (incident.resolved is None or incident.resolved > as_of):
        return []
    value: str | None = getattr(incident, field)
    return [value] if value else []


def _agreement(report: Report, incident: Incident) -> float:
    both = report.product and incident.product
    return OTHER_PRODUCT if both and report.product != incident.product else 1.0


def _moment(incident: Incident, field: FieldName) -> datetime | None:
    """When the incident's label told something about the team: a person when resolving, a label when filed."""
    return incident.resolved if field == "assignee" else incident.created


def _freshness(moment: datetime | None, as_of: datetime) -> float:
    """1 now, half of it after each HALF_LIFE; an undated incident counts as one HALF_LIFE old."""
    return 0.5 if moment is None else float(0.5 ** (max(as_of - moment, timedelta()) / HALF_LIFE))


def _gone(
    field: FieldName,
    carriers: Sequence[tuple[Candidate, Incident, list[str]]],
    as_of: datetime,
    last_seen: Mapping[str, datetime] | None,
) -> dict[str, float]:
    """Factor for every label that is out of use: 0 for a person who left, FADED for a label of long ago."""
    seen: dict[str, datetime] = dict(last_seen or {}) if field == "assignee" else {}
    undated = set()
    for _, incident, labels in carriers:
        moment = _moment(incident, field)
        for label in labels:
            if moment is None:
                undated.add(label)
            elif moment <= as_of:
                seen[label] = max(seen.get(label, moment), moment)
    limit, factor = (ACTIVE_WITHIN, 0.0) if field == "assignee" else (FADING_AFTER, FADED)
    return {label: factor for label, moment in seen.items() if moment < as_of - limit and label not in undated}


def _proposal(field: FieldName, tallies: Sequence[Tally], neighbours: Neighbours) -> Proposal:
    reason = undetermined(field, tallies, neighbours)
    others = list(tallies[: MAX_ALTERNATIVES + 1] if reason else tallies[1 : MAX_ALTERNATIVES + 1])
    alternatives = [Alternative(value=tallied.label) for tallied in others]
    if reason:
        rule = Evidence(kind="rule", text=reason, ref="undetermined")
        return Proposal(alternatives=alternatives[:MAX_ALTERNATIVES], against=[rule])
    best = tallies[0]
    evidence = [Evidence(kind="incident", text=title(i), ref=i.id) for _, i in best.voters[:MAX_EVIDENCE]]
    return Proposal(
        value=best.label,
        alternatives=alternatives,
        evidence=evidence,
        against=_dissent(field, best, others),
    )


def _dissent(field: FieldName, best: Tally, others: Sequence[Tally]) -> list[Evidence]:
    """The strongest incidents that speak for another label and not for the best one."""
    supporters = {incident.id for _, incident in best.voters}
    against = []
    for other in others:
        dissenter = next((i for _, i in other.voters if i.id not in supporters), None)
        if dissenter:
            against.append(
                Evidence(kind="incident", text=f"{field} {other.label} in {title(dissenter)}", ref=dissenter.id)
            )
    return against[:MAX_AGAINST]


def _distance(candidate: Candidate) -> str:
    if candidate.dense is not None:
        return f"cosine {candidate.dense:.2f}, at least {MIN_DENSE:.2f} is needed"
    return f"text match {candidate.lexical or 0.0:.2f}, at least {MIN_LEXICAL:.2f} is needed"
