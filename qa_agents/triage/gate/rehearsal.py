"""Past reports through today's triage, as they were filed, for the score that the gate would have seen."""

from collections.abc import Callable, Collection
from dataclasses import replace

from qa_agents.incidents.schema import Incident, Report, Retrieval
from qa_agents.triage.gate.calibration import Scored
from qa_agents.triage.gate.escalation import escalation_score, nearness, read_concern
from qa_agents.triage.schema import Relation, Signals, TriageState
from qa_agents.triage.steps import Parts, Steps

_AS_FILED = ("id", "summary", "description", "created", "product", "version", "platform", "reporter")
"""What was known when a report came in; labels are added later."""


def scorer(parts: Parts, critical: Collection[str], base_rate: float) -> Callable[[Incident], Scored]:
    """What scores a past incident as the report that it once was, against the memory from before it. Nothing is kept."""

    def score_of(incident: Incident) -> Scored:
        report = Report.model_validate(incident.model_dump(include=set(_AS_FILED)))
        apart = replace(parts, report_of=lambda _sha: report, issue_of=lambda _key: None, gatekeeper=None)
        state: TriageState = {
            "run_id": f"rehearsal-{incident.id}",
            "source": "rehearsal",
            "subject_id": incident.id,
            "input_sha256": "",
            "options": {},
        }
        steps = Steps(apart)
        for node in (steps.receive, steps.read, steps.retrieve, steps.relate):
            state = {**state, **node(state)}
        near = parts.memory.neighbours(Retrieval.model_validate(state["retrieval"]))
        concern = read_concern(
            report,
            Signals.model_validate(state["signals"]),
            [Relation.model_validate(relation) for relation in state["relations"]],
            near,
            rubric=parts.rubric,
            critical=critical,
            base_rate=base_rate,
        )
        return Scored(score=escalation_score(concern), near=nearness([candidate for candidate, _ in near]))

    return score_of
