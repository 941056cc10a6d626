"""A language model as second witness: asked beside the statistics, checked by code, never the ground for an action."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from pydantic import BaseModel

from qa_agents.incidents.schema import Incident, Report
from qa_agents.llm.answers import AskedQuestions, FieldViews, FoundFacts, Judgements, PlainSummary, RootCause
from qa_agents.llm.gateway import Gateway
from qa_agents.llm.prompts import Prompts
from qa_agents.llm.schema import Answer
from qa_agents.llm.uses import USES
from qa_agents.triage import witness_checks as checks
from qa_agents.triage.schema import Fact, FieldView, Hypothesis, Proposal, Question, Relation, Testimony
from qa_agents.triage.severity.rubric import Rubric

T = TypeVar("T", bound=BaseModel)

CHOICES = 20
JUDGED = 5
"""Candidates that the model judges: the nearest, related ones first."""
DESCRIBED_CHARS, NOTED_CHARS = 900, 700
"""How much of a candidate's description and resolution note is shown."""
DECIDING = frozenset({"triage.relations", "triage.hypothesis", "triage.fields"})
"""Uses that a verdict may rest on: where one was to be asked and gave no clean answer, a person is asked."""


@dataclass(frozen=True)
class Matter:
    """What the witness is asked about."""

    subject: str
    report: Report
    facts: Sequence[Fact]
    near: Sequence[Incident]
    """The nearest incidents, outcomes masked as of the report's filing: all that may be shown or named."""
    relations: Sequence[Relation]
    hypothesis: Hypothesis | None
    missing: Callable[[], Sequence[Question]]
    proposed: Mapping[str, str | None] = field(default_factory=dict)
    """Field to the value that the statistics propose."""
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Field to the values that may be chosen: at most twenty of each are shown."""


class Witness(Protocol):
    """Speaks about a report, or not at all."""

    def testify(self, matter: Matter) -> Testimony | None:
        """What it says, checked; None where it is asked nothing. Never raises for a fault of the model."""
        ...


@dataclass
class _Spoken:
    """A testimony while it is put together."""

    said: dict[str, object] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
    prompts: dict[str, str] = field(default_factory=dict)


class ModelWitness:
    """Implements Witness with the uses that are switched on."""

    def __init__(
        self,
        gateway: Gateway,
        prompts: Prompts,
        may_see: Callable[[Report], bool] = lambda one: one.restriction is None,
        record: Callable[[str, str, str], str] = lambda *_: "",
        asked_of: str = "",
    ) -> None:
        """`may_see` judges each report and each incident before any of its words are put into a question.

        `record(use, answer, prompt_sha256)` says how often such an answer was right, or nothing. `asked_of` names endpoint and
        models in the testimony.
        """
        self._gateway, self._prompts, self._may_see = gateway, prompts, may_see
        self._record, self._asked_of = record, asked_of

    def testify(self, matter: Matter) -> Testimony | None:
        """See Witness."""
        asked = [(use, speak) for use, speak in _SPEAKING.items() if self._gateway.allows(use)]
        if not asked:
            return None
        if not self._may_see(matter.report):
            return Testimony(absent=["The report is restricted, so the language model was not asked."])
        visible = [incident for incident in matter.near if self._may_see(incident)]
        matter, hidden = replace(matter, near=visible), len(matter.near) - len(visible)
        spoken = _Spoken()
        if hidden:
            spoken.absent.append(
                f"{hidden} of the past incidents like it are restricted: the model was not shown them."
            )
        for _, speak in asked:
            speak(self, matter, spoken)
        return Testimony.model_validate(
            {
                **spoken.said,
                "doubts": spoken.doubts,
                "absent": spoken.absent,
                "models": sorted(spoken.models),
                "prompts": spoken.prompts,
                "asked_of": self._asked_of,
            }
        )

    def facts(self, matter: Matter, spoken: _Spoken) -> None:
        """Facts in prose that the rules did not find."""
        answer = self._ask("triage.facts", FoundFacts, matter, spoken, report=_report(matter.report))
        if answer.value is not None:
            spoken.said["facts"] = checks.found_facts(answer.value, matter.report, matter.facts, answer.placeholders)

    def relations(self, matter: Matter, spoken: _Spoken) -> None:
        """Whether one fix would resolve both, for the nearest."""
        shown = _shown(matter)
        if not shown:
            return
        inputs = {"report": _report(matter.report), "candidates": _numbered(shown)}
        answer = self._ask("triage.relations", Judgements, matter, spoken, **inputs)
        if answer.value is not None:
            held = [
                one.model_copy(update={"record": self._record("triage.relations", one.same_fix, answer.prompt_sha256)})
                for one in checks.opinions(answer.value, shown, answer.placeholders)
            ]
            spoken.said["opinions"] = held
            spoken.doubts += checks.relation_doubts(held, matter.relations, shown)

    def hypothesis(self, matter: Matter, spoken: _Spoken) -> None:
        """A root cause out of the notes of the nearest that were resolved."""
        shown = [incident for incident in _shown(matter) if incident.resolution_note]
        if not shown:
            return
        inputs = {"report": _report(matter.report), "candidates": _numbered(shown)}
        answer = self._ask("triage.hypothesis", RootCause, matter, spoken, **inputs)
        if answer.value is not None:
            said = checks.root_cause(answer.value, matter.report, shown, answer.placeholders)
            spoken.said["hypothesis"] = said
            spoken.doubts += checks.hypothesis_doubts(matter.hypothesis, said)

    def fields(self, matter: Matter, spoken: _Spoken) -> None:
        """Component and severity, out of the values that the team uses."""
        choices = {name: list(matter.choices.get(name, ()))[:CHOICES] for name in ("component", "severity")}
        if not all(choices.values()):
            return
        shown = {"components": _listed(choices["component"]), "severities": _listed(choices["severity"])}
        answer = self._ask("triage.fields", FieldViews, matter, spoken, report=_report(matter.report), **shown)
        if answer.value is not None:
            views = [
                one.model_copy(
                    update={
                        "record": self._record("triage.fields", answer_of(one, matter.proposed), answer.prompt_sha256)
                    }
                )
                for one in checks.field_views(answer.value, choices, matter.report, answer.placeholders)
            ]
            spoken.said["fields"] = views
            spoken.doubts += checks.field_doubts(views, matter.proposed)

    def questions(self, matter: Matter, spoken: _Spoken) -> None:
        """The questions to the reporter, worded for this report."""
        missing = matter.missing()
        if not missing:
            return
        inputs = {"report": _report(matter.report), "missing": _listed([question.text for question in missing])}
        answer = self._ask("triage.questions", AskedQuestions, matter, spoken, **inputs)
        if answer.value is not None:
            spoken.said["questions"] = checks.questions(answer.value, matter.report, missing)

    def summary(self, matter: Matter, spoken: _Spoken) -> None:
        """What it is about, in plain words."""
        answer = self._ask("triage.summary", PlainSummary, matter, spoken, report=_report(matter.report))
        if answer.value is not None:
            spoken.said["summary"] = checks.summary(answer.value, matter.report)

    def _ask(self, use: str, schema: type[T], matter: Matter, spoken: _Spoken, **inputs: str) -> Answer[T]:
        """The answer; noted where it is absent or was repaired."""
        prompt = self._prompts.render(USES[use].prompt, **inputs)
        answer = self._gateway.ask(prompt, schema, role=USES[use].role, budget_key=matter.subject)
        spoken.prompts[use] = answer.prompt_sha256
        if answer.reason is not None:
            spoken.absent.append(f"{use}: {answer.detail}")
            if use in DECIDING:
                spoken.doubts.append(f"The language model was to be asked and gave no answer ({answer.reason}).")
        else:
            spoken.models.add(answer.model)
            if answer.repaired and use in DECIDING:
                spoken.doubts.append("The language model answered only when its first answer was sent back.")
        return answer


_SPEAKING: dict[str, Callable[[ModelWitness, Matter, _Spoken], None]] = {
    "triage.facts": ModelWitness.facts,
    "triage.relations": ModelWitness.relations,
    "triage.hypothesis": ModelWitness.hypothesis,
    "triage.fields": ModelWitness.fields,
    "triage.questions": ModelWitness.questions,
    "triage.summary": ModelWitness.summary,
}


def _shown(matter: Matter) -> list[Incident]:
    """The incidents that are judged: those the report is related to, then the nearest."""
    related = {relation.incident_id: place for place, relation in enumerate(matter.relations)}
    order = sorted(matter.near, key=lambda incident: related.get(incident.id, len(related)))
    return order[:JUDGED]


def choices_of(
    proposals: Mapping[str, Proposal], near: Sequence[Incident], rubric: Rubric, words: Sequence[str]
) -> dict[str, list[str]]:
    """What a model may choose from: the components that were considered or that the like had, and the team's severities.

    In the alphabet's order, or the rubric's: the place in a list says nothing of what the statistics hold.
    """
    considered = proposals["component"]
    components = {one.value for one in considered.alternatives} | {one.component for one in near if one.component}
    named = [*([considered.value] if considered.value else []), *sorted(components)]
    return {"component": sorted(dict.fromkeys(named[:CHOICES])), "severity": rubric.ordered(words)[:CHOICES]}


def answer_of(view: FieldView, proposed: Mapping[str, str | None]) -> str:
    """What kind of answer a view is, for its record: `component differs`, `severity agrees`."""
    return f"{view.field} {'agrees' if proposed.get(view.field) == view.value else 'differs'}"


def _listed(texts: Sequence[str]) -> str:
    return "\n".join(f"{number}. {' '.join(text.split())}" for number, text in enumerate(texts, start=1))


def _report(report: Report) -> str:
    known = [
        f"{name}: {value}" for name, value in (("Version", report.version), ("Platform", report.platform)) if value
    ]
    return "\n".join([f"Summary: {report.summary}", *known, report.description])


def _numbered(incidents: Sequence[Incident]) -> str:
    """Candidates by number; ids stay out, so that only numbers can be named."""
    return "\n".join(f"{number}. {_described(incident)}" for number, incident in enumerate(incidents, start=1))


def _described(incident: Incident) -> str:
    parts = [incident.summary, _start(incident.description, DESCRIBED_CHARS)]
    if incident.version:
        parts.append(f"Version: {incident.version}")
    if incident.resolution:
        parts.append(f"Resolved as {incident.resolution}: {_start(incident.resolution_note or '', NOTED_CHARS)}")
    return "\n".join(part for part in parts if part)


def _start(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]} …"
