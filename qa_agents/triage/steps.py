"""The nodes of the triage graph: plain functions from state to update, each testable without LangGraph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from qa_agents import __version__
from qa_agents.checkpoint.agent_inbox import with_agent_inbox
from qa_agents.checkpoint.gate_policy import GatePolicy
from qa_agents.checkpoint.schema import Decision
from qa_agents.errors import ConflictError
from qa_agents.incidents.schema import Candidate, Incident, Report, Retrieval
from qa_agents.storage.canonical import digest_of
from qa_agents.trackers.schema import Action, Effects, Issue
from qa_agents.triage.actions import decided_fields, out_of_shadow, plan_actions, settle
from qa_agents.triage.classify import classify
from qa_agents.triage.facts.extract import comparable, extract_facts
from qa_agents.triage.facts.signals import find_signals
from qa_agents.triage.gate.gatekeeper import Gatekeeper
from qa_agents.triage.gate.judge import Case, Watch, judge
from qa_agents.triage.gate.track_record import PROPOSED
from qa_agents.triage.hypothesis import hypothesise
from qa_agents.triage.questions.inquiry import Inquiry, Opine, stakes_of
from qa_agents.triage.relate import relate
from qa_agents.triage.schema import (
    FIELDS,
    Fact,
    FieldName,
    Gate,
    Hypothesis,
    Proposal,
    Question,
    Relation,
    Signals,
    Testimony,
    Triage,
    TriageState,
)
from qa_agents.triage.severity.rate import Rubric, rate_severity
from qa_agents.triage.witness import Matter, Witness, choices_of

NEIGHBOURS = 30
"""How many past incidents are looked at, whatever number is printed."""

NEAR_KEPT = 8
"""Runs whose neighbours are kept at hand."""

Neighbours = Sequence[tuple[Candidate, Incident]]


class Memory(Protocol):
    """What triage needs of the incident memory."""

    def search(self, report: Report, *, k: int = 20, as_of: datetime | None = None) -> Retrieval:
        """The nearest incidents from before the report."""
        ...

    def neighbours(self, retrieval: Retrieval) -> Neighbours:
        """The candidates with their incidents, outcomes masked as of the retrieval."""
        ...

    def remember(self, report: Report) -> bool:
        """Keep the report as an open incident."""
        ...

    def learn(self, incident_id: str, labels: dict[str, str], by: str) -> None:
        """Keep what a person decided about an incident."""
        ...

    def chain(self, incident_id: str, as_of: datetime) -> list[str]:
        """The incident's id, then what it was known to duplicate, link by link."""
        ...

    def known(self, incident_id: str, as_of: datetime) -> Incident | None:
        """The incident with what became of it masked as of then, or None."""
        ...


@dataclass(frozen=True)
class Parts:
    """What the nodes work with; composed in wiring, replaced by twins in tests."""

    memory: Memory
    report_of: Callable[[str], Report]
    """Report by the SHA-256 of its document."""
    issue_of: Callable[[str], Issue | None]
    publish: Callable[..., str]
    """(run_id, document, **summary) -> SHA-256 of the kept document."""
    carry_out: Callable[[str, Sequence[Action], str | None], Effects]
    finish: Callable[..., None]
    """(run_id, report_state, **summary)"""
    withhold: Callable[[str, Sequence[Action], str | None, Sequence[str]], None]
    """(run_id, actions, issue version, reasons): put back what was planned and may not go unseen any more."""
    policy: GatePolicy
    rubric: Rubric
    propose: Callable[[Report, Neighbours, datetime], dict[FieldName, Proposal]] = classify
    """Component, type, priority and assignee; the neighbours' bare vote where nothing was fitted."""
    severity_words: Callable[[], Sequence[str]] = tuple
    """Every word the team has used for a severity."""
    opinion: Callable[[], Opine | None] = lambda: None
    """The statistical second opinion on severity; None before it was fitted."""
    severity_drift: Callable[[], str | None] = lambda: None
    """Says so where the shares of severe proposals and of severe incidents have parted; None where they have not."""
    inquiry: Inquiry = field(default_factory=Inquiry)
    """What the reporter is asked, and what was asked before."""
    analysed_chars: int = 200_000
    is_quiet: Callable[[], bool] = lambda: False
    """Whether these are quiet hours."""
    gatekeeper: Gatekeeper | None = None
    """What the gate knows of its own past; without it nothing is applied unseen."""
    witness: Witness | None = None
    """A language model as second witness; None where none is asked."""


class Steps:
    """One method per node."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        # Four nodes read the same neighbours; after a crash they are fetched again from what the state names.
        self._near: dict[str, Neighbours] = {}

    def receive(self, state: TriageState) -> TriageState:
        """Fix what the verdict is about: the filing time, and the issue as it is now."""
        report = self._report(state)
        target = state["subject_id"]
        issue = self._parts.issue_of(target)
        fields = issue.fields if issue else {}
        return {
            "as_of": (report.created or datetime.now(UTC)).isoformat(),
            "target": target,
            "issue_version": issue.version if issue else None,
            "set_by_people": {name: str(fields[name]) for name in FIELDS if fields.get(name)},
            "challengeable": [name for name in FIELDS if issue and name in issue.challengeable],
        }

    def read(self, state: TriageState) -> TriageState:
        """Extract facts and signals from the report's own text."""
        report = self._report(state)
        facts = extract_facts(report, limit_chars=self._parts.analysed_chars)
        signals = find_signals(report, facts)
        return {"facts": [_dump(fact) for fact in facts], "signals": _dump(signals)}

    def retrieve(self, state: TriageState) -> TriageState:
        """Look for the like in memory, from before the report was filed."""
        k = max(int(state["options"].get("k", 20)), NEIGHBOURS)
        retrieval = self._parts.memory.search(self._report(state), k=k, as_of=_moment(state))
        self._near[state["run_id"]] = self._parts.memory.neighbours(retrieval)
        while len(self._near) > NEAR_KEPT:
            self._near.pop(next(iter(self._near)), None)
        return {"retrieval": _dump(retrieval)}

    def classify(self, state: TriageState) -> TriageState:
        """Propose component, type, priority and assignee from what became of the like."""
        proposals = self._parts.propose(self._report(state), self._neighbours(state), _moment(state))
        return {"proposals": {name: _dump(proposal) for name, proposal in proposals.items()}}

    def relate(self, state: TriageState) -> TriageState:
        """Say how the report relates to past incidents, with the difference check."""
        relations = self._related(self._report(state), _facts(state), self._neighbours(state), _moment(state))
        return {"relations": [_dump(relation) for relation in relations]}

    def rate_severity(self, state: TriageState) -> TriageState:
        """Propose a severity from evidenced factors."""
        return {"severity": _dump(self._rated(state))}

    def hypothesise(self, state: TriageState) -> TriageState:
        """Name a likely root cause, where resolved incidents support one; rate again what had been fixed and is back."""
        found = hypothesise(self._report(state), _facts(state), self._neighbours(state))
        update: TriageState = {"hypothesis": _dump(found) if found else None}
        if regression := next((r for r in _relations(state) if r.kind == "regression-of-fixed"), None):
            update["severity"] = _dump(self._rated(state, regression))
        return update

    def consult(self, state: TriageState) -> TriageState:
        """Hear the language model beside the statistics, where one is configured and asked."""
        witness = self._parts.witness
        if witness is None:
            return {"testimony": None}
        near = [incident for _, incident in self._neighbours(state)]
        said = witness.testify(
            Matter(
                subject=state["subject_id"],
                report=self._report(state),
                facts=_facts(state),
                near=near,
                relations=_relations(state),
                hypothesis=_hypothesis(state),
                missing=lambda: self._asked(state),
                proposed={name: one.value for name, one in _proposals(state).items()},
                choices=choices_of(_proposals(state), near, self._parts.rubric, self._parts.severity_words()),
            )
        )
        return {"testimony": _dump(said) if said else None}

    def gate(self, state: TriageState) -> TriageState:
        """Judge whether a person must decide, and publish the verdict."""
        triage = self._verdict(state)
        document = triage.model_dump_json().encode()
        sha = self._parts.publish(
            state["run_id"],
            document,
            gate=triage.gate.decision,
            severity=triage.proposals["severity"].value,
            reasons=[r.split(":")[0] for r in triage.gate.reasons],
            **triage.provenance["escalation"],
        )
        actions = [_dump(action) for action in triage.actions]
        return {
            "triage_sha256": sha,
            "gate_decision": triage.gate.decision,
            "actions": actions,
            "questions": triage.missing,
            "shown": with_agent_inbox(
                {
                    "schema_version": 1,
                    "report_sha256": state["input_sha256"],
                    "triage_sha256": sha,
                    "target": state["target"],
                    "issue_version": state["issue_version"],
                    "gate": triage.gate.decision,
                    "rules": [reason.partition(":")[0] for reason in triage.gate.reasons],
                    "summary": triage.summary[:200],
                    "actions": actions,
                    PROPOSED: _proposed(triage),
                    "filer": triage.provenance["filer"],
                    "editable": list(FIELDS),
                    "policy_sha256": digest_of(self._parts.policy.model_dump(mode="json")),
                }
            ),
        }

    def remember(self, state: TriageState) -> TriageState:
        """Keep the report as an open incident, so that tomorrow's duplicate finds it."""
        if state["options"].get("remember", True):
            self._parts.memory.remember(self._report(state))
        return {"decision": None}

    def apply(self, state: TriageState) -> TriageState:
        """Make what was decided, once each, on the issue that the event named.

        What no person saw is judged again: a run that was interrupted may meet quiet hours, or a field that was demoted since;
        then it stops for a person. Raises ConflictError for a decision about something else: an old step that was resumed by
        hand carries one.
        """
        planned = [Action.model_validate(action) for action in state["actions"]]
        decision = _decision(state)
        if decision is None:
            gate = self._judged(state, planned, self._watch(state))
            if gate.decision != "auto":
                return self._held(state, planned, gate)
        if decision is not None and decision.digest != digest_of(state["shown"]):
            raise ConflictError(
                "The decision is about something else than what this run would write.",
                hint="`qa-agents review list` shows what waits.",
            )
        chosen = settle(decision, planned, state["questions"], state["target"]) if decision else planned
        # The policy of this moment, not of the one when it was planned.
        allowed = out_of_shadow(chosen, self._parts.policy, exists=state["issue_version"] is not None)
        effects = self._parts.carry_out(state["run_id"], allowed, state["issue_version"])
        return {"effects": _dump(effects)}

    def record(self, state: TriageState) -> TriageState:
        """Let the memory learn from a person's decision and close the account of the report."""
        decision = _decision(state)
        planned = [Action.model_validate(action) for action in state["actions"]]
        if decision is not None and state["options"].get("remember", True):
            labels = decided_fields(decision, planned)
            if labels:
                self._parts.memory.learn(state["subject_id"], labels, by=decision.reviewer)
        asked = decision is not None and decision.verdict == "ask_reporter" and self._parts.policy.may_ask
        self._parts.finish(
            state["run_id"],
            "asked" if asked else "decided",
            verdict=decision.verdict if decision else "auto",
            failed=sorted(state["effects"]["failed"]),
        )
        return {}

    def _watch(self, state: TriageState) -> Watch:
        """What the team's own history says at this moment."""
        keeper = self._parts.gatekeeper
        if keeper is None:
            return Watch()
        return keeper.watch(
            self._report(state), _signals(state), _proposals(state), _relations(state), self._neighbours(state)
        )

    def _judged(self, state: TriageState, actions: Sequence[Action], watch: Watch) -> Gate:
        """What the gate says now: policy, history and quiet hours are those of this moment, all else is as it was found."""
        retrieval = Retrieval.model_validate(state["retrieval"])
        proposals, relations = _proposals(state), _relations(state)
        return judge(
            Case(
                policy=self._parts.policy,
                signals=_signals(state),
                proposals=proposals,
                relations=relations,
                memory_size=retrieval.memory_size,
                supported=bool(relations) or proposals["component"].value is not None,
                top_severities=self._parts.rubric.top_words(self._parts.severity_words()),
                notes=retrieval.notes,
                quiet=self._parts.is_quiet(),
                actions=actions,
                watch=watch,
                doubts=testimony.doubts if (testimony := _testimony(state)) else (),
            )
        )

    def _held(self, state: TriageState, planned: list[Action], gate: Gate) -> TriageState:
        """Ask a person about exactly what would have gone through; what was made of it already is not made again."""
        self._parts.withhold(state["run_id"], planned, state["issue_version"], gate.reasons)
        rules = [reason.partition(":")[0] for reason in gate.reasons]
        shown = with_agent_inbox({**state["shown"], "gate": gate.decision, "rules": rules})
        return {"gate_decision": gate.decision, "shown": shown, "effects": _dump(Effects(status="held"))}

    def _verdict(self, state: TriageState) -> Triage:
        report, facts, signals = self._report(state), _facts(state), _signals(state)
        retrieval = Retrieval.model_validate(state["retrieval"])
        proposals, relations = _proposals(state), _relations(state)
        hypothesis = _hypothesis(state)
        asked = self._asked(state)
        watch, keeper = self._watch(state), self._parts.gatekeeper
        actions = plan_actions(
            report,
            state["target"],
            exists=state["issue_version"] is not None,
            set_by_people=state["set_by_people"],
            policy=self._parts.policy,
            proposals=proposals,
            relations=relations,
            hypothesis=hypothesis,
            challengeable=state.get("challengeable", ()),
        )
        return Triage(
            report_id=state["subject_id"],
            summary=report.summary,
            similar=retrieval.candidates[: int(state["options"].get("k", 20))],
            relations=relations,
            proposals={name: proposals[name] for name in FIELDS},
            hypothesis=hypothesis,
            facts=facts,
            witness=_testimony(state),
            missing=[question.text for question in asked],
            questions=asked,
            signals=signals,
            gate=self._judged(state, actions, watch),
            actions=actions,
            provenance={
                "run_id": state["run_id"],
                "release": __version__,
                "report_sha256": state["input_sha256"],
                "as_of": state["as_of"],
                "memory_size": retrieval.memory_size,
                "index": retrieval.index,
                "notes": retrieval.notes,
                "rubric_sha256": self._parts.rubric.sha256,
                "filer": self._parts.policy.filer_of(report.reporter),
                "escalation": keeper.summary(watch) if keeper else {},
            },
        )

    def _related(self, report: Report, facts: Sequence[Fact], near: Neighbours, as_of: datetime) -> list[Relation]:
        return relate(
            report,
            facts,
            near,
            chain=lambda incident_id: self._parts.memory.chain(incident_id, as_of),
            facts_of=facts_of,
            as_of=as_of,
            incident_of=lambda incident_id: self._parts.memory.known(incident_id, as_of),
        )

    def _rated(self, state: TriageState, regression: Relation | None = None) -> Proposal:
        report, words, near = self._report(state), self._parts.severity_words(), self._neighbours(state)
        opine = self._parts.opinion()
        return rate_severity(
            report,
            _facts(state),
            _signals(state),
            near,
            self._parts.rubric,
            vocabulary=words,
            opinion=opine(report, near, words, _moment(state)) if opine else None,
            regression=regression,
            drift=self._parts.severity_drift(),
        )

    def _asked(self, state: TriageState) -> list[Question]:
        """The questions to the reporter, those first whose answer would change this verdict."""
        report, facts, signals, as_of = self._report(state), _facts(state), _signals(state), _moment(state)
        proposals, relations = _proposals(state), _relations(state)
        named = {relation.incident_id for relation in relations}
        near = [pair for pair in self._neighbours(state) if pair[1].id in named]
        stakes = stakes_of(
            report,
            facts,
            signals,
            proposals,
            relations,
            self._parts.rubric,
            self._parts.severity_words(),
            incident_of=lambda incident_id: self._parts.memory.known(incident_id, as_of),
            facts_of=facts_of,
            again=lambda supposed: self._related(report, supposed, near, as_of),
        )
        return self._parts.inquiry.questions(report, state["target"], facts, signals, proposals, stakes)

    def _report(self, state: TriageState) -> Report:
        return self._parts.report_of(state["input_sha256"])

    def _neighbours(self, state: TriageState) -> Neighbours:
        near = self._near.get(state["run_id"])
        return near if near is not None else self._parts.memory.neighbours(Retrieval.model_validate(state["retrieval"]))


def after_remembering(state: TriageState) -> str:
    """Only an open gate goes on without a person."""
    return "apply" if state["gate_decision"] == "auto" else "checkpoint"


def after_applying(state: TriageState) -> str:
    """When the issue moved under the decision, the report is triaged again; what was held stops for a person."""
    return {"changed": "receive", "held": "checkpoint"}.get(state["effects"]["status"], "record")


@lru_cache(maxsize=4096)
def _comparable_facts(summary: str, description: str, version: str | None, platform: str | None) -> dict[str, set[str]]:
    """The difference check's values of an incident; cached, because the same neighbours come up again and again."""
    report = Report(id="incident", summary=summary, description=description, version=version, platform=platform)
    return comparable(extract_facts(report))


def facts_of(incident: Incident) -> dict[str, set[str]]:
    """What an incident's text says, per dimension of the difference check."""
    return _comparable_facts(incident.summary, incident.description, incident.version, incident.platform)


def _facts(state: TriageState) -> list[Fact]:
    return [Fact.model_validate(fact) for fact in state["facts"]]


def _hypothesis(state: TriageState) -> Hypothesis | None:
    found = state["hypothesis"]
    return Hypothesis.model_validate(found) if found else None


def _testimony(state: TriageState) -> Testimony | None:
    """None too for a run that an earlier release began."""
    said = state.get("testimony")
    return Testimony.model_validate(said) if said else None


def _signals(state: TriageState) -> Signals:
    return Signals.model_validate(state["signals"])


def _proposals(state: TriageState) -> dict[str, Proposal]:
    found = {name: Proposal.model_validate(value) for name, value in state["proposals"].items()}
    return {**found, "severity": Proposal.model_validate(state["severity"])}


def _proposed(triage: Triage) -> list[dict[str, Any]]:
    """What the record of kept values needs of the proposals: small, and part of what a decision is about."""
    return [
        {"field": name, "value": proposal.value, "probability": proposal.probability and round(proposal.probability, 6)}
        for name, proposal in triage.proposals.items()
        if proposal.value is not None
    ]


def _relations(state: TriageState) -> list[Relation]:
    return [Relation.model_validate(relation) for relation in state["relations"]]


def _decision(state: TriageState) -> Decision | None:
    given = state.get("decision")
    return Decision.model_validate(given) if given else None


def _moment(state: TriageState) -> datetime:
    return datetime.fromisoformat(state["as_of"])


def _dump(model: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = model.model_dump(mode="json")
    return dumped
