"""Asks the reporter with everything known at hand: the rules, the team's past, what hangs on each answer, what was asked."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from qa_agents.incidents.schema import Incident, Report
from qa_agents.triage.classify import Neighbours
from qa_agents.triage.facts.extract import comparable
from qa_agents.triage.questions.missing import ask
from qa_agents.triage.questions.required_facts import Required, Rules, load_required_rules
from qa_agents.triage.questions.stakes import Again, Stake, component_stakes, relation_stakes, severity_stakes
from qa_agents.triage.relate import Facts
from qa_agents.triage.schema import Fact, Proposal, Question, Relation, Signals
from qa_agents.triage.severity.factors import read_factors
from qa_agents.triage.severity.model import Opinion
from qa_agents.triage.severity.rubric import Rubric

Opine = Callable[[Report, Neighbours, Collection[str], datetime], Opinion]


@dataclass(frozen=True)
class Inquiry:
    """What questions are chosen by; the default knows the shipped rules only."""

    rules: Rules = field(default_factory=load_required_rules)
    required: Callable[[], Required | None] = lambda: None
    """What was learned from the team's past."""
    asked: Callable[[str], Collection[str]] = lambda _target: ()
    """The texts of the questions that were put to an issue's reporter before."""

    def questions(
        self,
        report: Report,
        target: str,
        facts: Sequence[Fact],
        signals: Signals,
        proposals: dict[str, Proposal],
        stakes: dict[str, Stake],
    ) -> list[Question]:
        """At most three, those first whose answer would change the decision."""
        return ask(
            report,
            facts,
            signals,
            rules=self.rules,
            stakes=stakes,
            required=self.required(),
            component=proposals.get("component", Proposal()).value,
            kind=proposals.get("type", Proposal()).value,
            asked=self.asked(target),
        )


def stakes_of(
    report: Report,
    facts: Sequence[Fact],
    signals: Signals,
    proposals: dict[str, Proposal],
    relations: Sequence[Relation],
    rubric: Rubric,
    words: Sequence[str],
    incident_of: Callable[[str], Incident | None],
    facts_of: Callable[[Incident], Facts],
    again: Again,
) -> dict[str, Stake]:
    """Question to what hangs on its answer; where two judgements hang on one answer, the heavier reason."""
    mine = comparable(facts)
    if report.version:
        mine = {**mine, "version": mine.get("version", set()) | {report.version}}
    near = [(r.incident_id, incident) for r in relations if (incident := incident_of(r.incident_id)) is not None]
    found = severity_stakes(read_factors(report, signals, rubric), rubric, words)
    for more in (
        component_stakes(proposals.get("component", Proposal())),
        relation_stakes(facts, mine, [(name, facts_of(incident)) for name, incident in near], again),
    ):
        for question, stake in more.items():
            if question not in found or found[question].weight < stake.weight:
                found[question] = stake
    return found
