"""Staging a canary: the verdict a report would get if triage were wrong about it in one known way.

The real nodes do the work, so that a canary has the shape, the neighbours and the reasons of any other verdict; only what is
known to be wrong is put in by hand, before the gate.
"""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qa_agents.checkpoint.canaries import Canaries, Case, Link
from qa_agents.checkpoint.schema import Review
from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.incidents.schema import Report, Retrieval
from qa_agents.storage.artifacts import sha256_hex
from qa_agents.triage.classify import SUMMARY_CHARS, title
from qa_agents.triage.schema import FIELDS, Alternative, Evidence, Proposal, Relation, TriageState
from qa_agents.triage.steps import Parts, Steps

MAX_BYTES = 10_000_000
NEAREST_SHOWN = 2
MAX_ALTERNATIVES = 2


def read_cases(path: Path) -> list[Case]:
    """The cases of a JSON Lines file, all of them valid. Raises NotFoundError, or InvalidInputError naming the line."""
    cases = []
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read ({error.strerror}).", hint="Name a file of canaries.") from None
    if len(body) > MAX_BYTES:
        raise InvalidInputError(f"{path} is larger than {MAX_BYTES} bytes.", hint="Split it.")
    for number, line in enumerate(body.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            case = Case.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            said = f"{place}: {first['msg']}" if place else first["msg"]
            raise InvalidInputError(
                f"Line {number} of {path.name} is no canary: {said.replace('Value error, ', '')}.",
                hint="A canary is {report, wrong, expect, why}; examples/canaries.jsonl shows some.",
            ) from None
        report_of(case)
        cases.append(case)
    return cases


def report_of(case: Case) -> Report:
    """The report of a case. Raises InvalidInputError when it is none, or when a wrong field is none of triage's."""
    unknown = sorted(set(case.wrong) - {*FIELDS, "relation"})
    if unknown:
        raise InvalidInputError(
            f"The canary {case.report_id} is wrong about {', '.join(unknown)}, which triage does not propose.",
            hint=f"It can be wrong about {', '.join(FIELDS)} and relation.",
        )
    try:
        return Report.model_validate(case.report)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidInputError(
            f"The report of the canary {case.report_id} is wrong at {place}: {first['msg']}.", hint="Correct it."
        ) from None


def open_canary(parts: Parts, canaries: Canaries, *, beside: str, rate: float) -> Review | None:
    """Open a canary beside a real review that was just opened, where the draw says so; the canary's review, or None.

    `rate` is the share of real reviews that get one (0 to 1). Nothing is remembered and no tracker is asked.
    """
    case = canaries.due(beside, rate)
    if case is None:
        return None
    document, shown = stage(parts, case)
    report = report_of(case).model_dump_json().encode()
    return canaries.open(case, beside=beside, report=report, document=document, shown=shown)


def stage(parts: Parts, case: Case) -> tuple[bytes, dict[str, Any]]:
    """(verdict as JSON, what a reviewer is shown) for a case. Raises InvalidInputError for a case that cannot be staged."""
    report = report_of(case)
    published: list[bytes] = []

    def publish(_run_id: str, document: bytes, **_summary: Any) -> str:
        published.append(document)
        return sha256_hex(document)

    apart = replace(parts, report_of=lambda _sha: report, issue_of=lambda _key: None, publish=publish)
    state = _before_the_gate(apart, case, report)
    shown = Steps(apart).gate(state)["shown"]
    if shown["gate"] == "auto":  # a proposal that would go through unseen tests nobody: show it as one that asks
        asking = parts.policy.model_copy(update=dict.fromkeys(FIELDS, "gated"))
        shown = Steps(replace(apart, policy=asking)).gate(state)["shown"]
    return published[-1], shown


def _before_the_gate(parts: Parts, case: Case, report: Report) -> TriageState:
    steps = Steps(parts)
    state: TriageState = {
        "run_id": case.run_id,
        "source": "canary",
        "subject_id": case.report_id,
        "input_sha256": sha256_hex(report.model_dump_json().encode()),
        "options": {},
    }
    nodes = (
        steps.receive, steps.read, steps.retrieve, steps.classify, steps.relate, steps.rate_severity, steps.hypothesise,
    )  # fmt: skip
    for node in nodes:
        state = {**state, **node(state)}
    return {**state, **_planted(parts, case, state)}


def _planted(parts: Parts, case: Case, state: TriageState) -> TriageState:
    """The case's errors, in place of what triage found."""
    near = [title(i) for _, i in parts.memory.neighbours(Retrieval.model_validate(state["retrieval"]))[:NEAREST_SHOWN]]
    update: TriageState = {"proposals": dict(state["proposals"])}
    for name, value in case.wrong.items():
        if isinstance(value, Link):
            found = [Relation.model_validate(relation) for relation in state["relations"]]
            update["relations"] = [r.model_dump(mode="json") for r in _related(parts, value, found, state["as_of"])]
            continue
        original = Proposal.model_validate(
            state["severity"] if name == "severity" else state["proposals"].get(name, {})
        )
        wrong = _proposed(name, value, original, case.because.get(name), near).model_dump(mode="json")
        if name == "severity":
            update["severity"] = wrong
        else:
            update["proposals"][name] = wrong
    return update


def _proposed(name: str, value: str, original: Proposal, because: str | None, near: list[str]) -> Proposal:
    """A proposal of the wrong value that carries what the right one carried: who reads the evidence can tell."""
    evidence = [Evidence(kind="rule", text=because, ref="rubric")] if because else []
    evidence += [item for item in original.evidence if item.kind != "rule"]
    others = [Alternative(value=original.value, probability=None)] if original.value else []
    others += original.alternatives
    return Proposal(
        value=value,
        probability=original.probability,
        alternatives=[other for other in others if other.value != value][:MAX_ALTERNATIVES],
        evidence=evidence or [Evidence(kind="incident", text=text, ref=text.split(":")[0]) for text in near],
        against=[item for item in original.against if item.kind != "rule" and f"{name} {value} in " not in item.text],
    )


def _related(parts: Parts, link: Link, found: list[Relation], as_of: str) -> list[Relation]:
    """The wrong relation first, then what triage found; raises InvalidInputError for an incident nobody knows."""
    others = [relation for relation in found if relation.incident_id != link.incident_id]
    for relation in found:
        if relation.incident_id == link.incident_id:
            return [relation.model_copy(update={"kind": link.kind, "vetoed_by": None}), *others]
    incident = parts.memory.known(link.incident_id, datetime.fromisoformat(as_of))
    if incident is None:
        raise InvalidInputError(
            f"A canary links to {link.incident_id}, which is not in the memory.", hint="Link to a known incident."
        )
    state = "open" if link.kind == "duplicate-of-open" else incident.resolution or incident.status or "closed"
    made = Relation(incident_id=link.incident_id, kind=link.kind, state=state, summary=incident.summary[:SUMMARY_CHARS])
    return [made, *others]
