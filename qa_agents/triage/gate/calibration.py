"""Calibrating the missed-critical bound: the team's newest reports are triaged as they were filed, and their scores kept.

In time order, never at random: every report sees only what was in memory before it. Of a duplicate cluster only the first
critical report counts, so that one bug cannot vote twice. Reports whose labels a person gave at our own checkpoint are left out:
they may have followed what we proposed.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import select

from qa_agents import __version__
from qa_agents.checkpoint.gate_policy import Costs
from qa_agents.incidents.schema import Incident
from qa_agents.storage.artifacts import sha256_hex
from qa_agents.storage.canonical import digest_of
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import workspace_facts
from qa_agents.triage.calibrate import fit_reliability
from qa_agents.triage.facts.signals import RULES_PATH
from qa_agents.triage.following import WINDOW
from qa_agents.triage.gate.bound import CriticalBound, auc, threshold, worth_looking
from qa_agents.triage.gate.escalation import PRIOR, VERSION, WEIGHTS, is_critical
from qa_agents.triage.gate.gatekeeper import BOUND
from qa_agents.triage.severity.rubric import Rubric

REFERENCE = 500
"""So many of the newest reports, critical or not, say how scores are distributed."""
NOT_SCORED = frozenset({f"learned:{BOUND}", f"learned:{WINDOW}"})
"""What is learned and never looked at by the score: the bound itself, and how sure the proposals of late may be."""
MOST_CRITICALS = 600
"""So many of the newest critical reports are used; older ones are less like those to come."""


class Scored(NamedTuple):
    """One past report as it would have been scored when it was filed."""

    score: float
    near: float
    """How near its nearest incident was, 0 to 1."""


class Chosen(NamedTuple):
    """The past reports of a calibration, each part in the order of filing."""

    critical: list[Incident]
    """One per duplicate cluster."""
    reference: list[Incident]


def score_fingerprint(database: Database, memory: str, rubric: Rubric, analysed_chars: int) -> str:
    """Hash of everything that makes the escalation score; another one voids a calibration."""
    learned = select(workspace_facts.c.name, workspace_facts.c.value).where(workspace_facts.c.name.like("learned:%"))
    with database.read() as connection:
        models = {
            row.name: row.value["sha256"]
            for row in connection.execute(learned)
            if row.name not in NOT_SCORED and isinstance(row.value, dict)
        }
    return digest_of(
        {
            "release": __version__,
            "score": [VERSION, list(WEIGHTS), PRIOR],
            "rubric": rubric.sha256,
            "rules": _rules_sha256(),
            "memory": memory,
            "models": models,
            "analysed_chars": analysed_chars,
        }
    )


def choose(
    incidents: Iterable[Incident],
    critical: Collection[str],
    cluster_of: Callable[[Incident], str],
    *,
    reference: int = REFERENCE,
    most: int = MOST_CRITICALS,
) -> Chosen:
    """The reports to calibrate on, of rated and dated `incidents` in any order; those labelled at our checkpoint are left out."""
    usable = sorted(
        (
            i
            for i in incidents
            if i.created and (i.severity or i.priority) and not (i.model_extra or {}).get("labelled_by")
        ),
        key=lambda i: (i.created, i.id),
    )
    first: dict[str, Incident] = {}
    for incident in usable:
        if is_critical(incident, critical):
            first.setdefault(cluster_of(incident), incident)
    return Chosen(critical=list(first.values())[-most:], reference=usable[-reference:])


def calibrate_bound(
    chosen: Chosen,
    score_of: Callable[[Incident], Scored],
    critical: Sequence[str],
    *,
    alpha: float,
    delta: float,
    fingerprint: str,
    costs: Costs | None = None,
    at: float = 0.0,
    by: str = "",
) -> CriticalBound:
    """Score the chosen reports and take the threshold; r = 0 where nothing can be promised. Raises ValueError for odd levels."""
    known = {incident.id: score_of(incident) for incident in chosen.critical + chosen.reference}
    scores = [known[incident.id].score for incident in chosen.critical]
    t, r = threshold(scores, alpha, delta)
    flagged = [is_critical(incident, critical) for incident in chosen.reference]
    reference = [known[incident.id].score for incident in chosen.reference]
    others = [score for score, is_one in zip(reference, flagged, strict=True) if not is_one]
    worth = worth_looking(costs) if costs else None
    bound = CriticalBound(
        fingerprint=fingerprint,
        critical=list(critical),
        alpha=alpha,
        delta=delta,
        n=len(scores),
        r=r,
        proven=t,
        worth_probability=worth,
        worth=None if worth is None else _score_worth(worth, reference, flagged),
        first=_day(chosen.critical[0]) if scores else "",
        last=_day(chosen.critical[-1]) if scores else "",
        others=len(others),
        reference=reference,
        base_rate=base_rate(chosen, critical),
        familiar=sorted(known[incident.id].near for incident in chosen.reference),
        reporters=len({incident.reporter for incident in chosen.critical}),
        separation=auc(scores, others),
        calibrated_at=at,
        calibrated_by=by,
    )
    return bound.model_copy(update={"others_escalated": sum(score >= bound.threshold for score in others)})


def base_rate(chosen: Chosen, critical: Collection[str]) -> float:
    """The share of critical ones among the reference reports; 0 without any."""
    return sum(is_critical(i, critical) for i in chosen.reference) / len(chosen.reference) if chosen.reference else 0.0


def _score_worth(probability: float, scores: Sequence[float], critical: Sequence[bool]) -> float | None:
    """The lowest score whose measured share of critical reports is at least this; None where no score's is."""
    if not scores:
        return None
    blocks = fit_reliability(scores, critical).blocks
    return next((block.low for block in blocks if block.rate >= probability), None)


def _day(incident: Incident) -> str:
    return incident.created.date().isoformat() if incident.created else ""


def _rules_sha256() -> str:
    return sha256_hex(RULES_PATH.read_bytes())
