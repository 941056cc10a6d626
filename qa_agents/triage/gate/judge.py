"""The gate: whether a person must decide. A pure, monotone join of rules: each can only raise the need for a person."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from qa_agents.checkpoint.gate_policy import GatePolicy
from qa_agents.checkpoint.rates import wilson
from qa_agents.trackers.schema import Action
from qa_agents.triage.gate.standing import Standing
from qa_agents.triage.schema import FIELDS, HABIT, SILENT, Fact, Gate, GateDecision, Proposal, Relation, Signals


@dataclass(frozen=True)
class Watch:
    """What the team's own history says at this moment. The empty one proves nothing, so nothing acts."""

    standings: Mapping[str, Standing] = field(default_factory=dict)
    """Field to its record in the band of this proposal; a live field without one does not act."""
    unproven: str = "No missed-critical bound was calibrated; `qa-agents gate calibrate` says what is feasible."
    """Why no threshold holds now: none was calibrated, the score changed, reports changed. Empty when one does."""
    threshold: float = 0.0
    score: float | None = None
    unfamiliar: str = ""
    """How this report lies outside of what the memory knows; empty when it does not."""
    product_size: int | None = None
    """Incidents of the report's product in memory, counted up to `first_reports`; None when it names no product."""


@dataclass(frozen=True)
class Case:
    """Everything the gate looks at."""

    policy: GatePolicy
    signals: Signals
    proposals: dict[str, Proposal]
    relations: list[Relation]
    memory_size: int
    supported: bool
    """Whether anything in memory is near enough to speak from."""
    top_severities: frozenset[str]
    """The team's words for its highest level."""
    notes: list[str]
    """What retrieval could not do."""
    quiet: bool = False
    """Whether these are quiet hours, in which nothing is applied without a person."""
    actions: Sequence[Action] = ()
    """What would be written."""
    watch: Watch = Watch()
    doubts: Sequence[str] = ()
    """Where a language model parts from the statistics, or was asked and gave no clean answer."""

    def live(self) -> list[str]:
        """The fields with a value that the policy lets act."""
        return [name for name in FIELDS if self._value(name) and getattr(self.policy, name) == "live"]

    def gated(self) -> list[str]:
        """The fields with a value that would be written after approval only."""
        return [name for name in FIELDS if self._value(name) and getattr(self.policy, name) == "gated"]

    def _value(self, name: str) -> str | None:
        return self.proposals.get(name, Proposal()).value


Rule = Callable[[Case], Iterable[str]]


def judge(case: Case) -> Gate:
    """Decide for one report: `block` and `ask` stop for a person, `abstain` stops with nothing to propose, `auto` goes on.

    `auto` needs every rule silent: every field and action that would be written live, proven by the team's own record, and
    the report's score below the missed-critical threshold.
    """
    blocking = _reasons(BLOCKING, case)
    asking = _reasons(ASKING, case)
    decision: GateDecision
    if blocking:
        decision = "block"
    elif not any(proposal.value for proposal in case.proposals.values()) and not case.relations:
        decision = "abstain"
        asking = asking or ["nothing-to-propose: Nothing in the report or in memory supports a proposal."]
    else:
        decision = "ask" if asking else "auto"
    return Gate(decision=decision, reasons=blocking + asking)


def _reasons(rules: dict[str, Rule], case: Case) -> list[str]:
    return [f"{name}: {sentence}" for name, rule in rules.items() for sentence in rule(case)]


def _quoted(facts: list[Fact]) -> str:
    return "; ".join(f"“{fact.quote[:80]}”" for fact in facts[:3])


def _signal(attribute: str, sentence: str) -> Rule:
    def rule(case: Case) -> Iterable[str]:
        found = getattr(case.signals, attribute)
        if found:
            yield f"{sentence} ({_quoted(found)})."

    return rule


def _hidden_text(case: Case) -> Iterable[str]:
    if case.signals.hidden:
        yield f"The report holds text that a reader would not see ({len(case.signals.hidden)} places)."


def _leaked_secret(case: Case) -> Iterable[str]:
    if case.signals.secrets:
        yield f"The report holds what looks like a secret ({', '.join(sorted(set(case.signals.secrets)))}); it is masked."


def _top_severity(case: Case) -> Iterable[str]:
    value = case.proposals.get("severity", Proposal()).value
    if value is not None and value in case.top_severities:
        yield f"The proposed severity is the highest ({value})."


def _undetermined_severity(case: Case) -> Iterable[str]:
    severity = case.proposals.get("severity", Proposal())
    if severity.value is None:
        yield "The severity could not be determined from the report."
    elif any(evidence.ref == HABIT for evidence in severity.evidence):
        yield "The severity rests on the team's habit with like reports; the report itself does not say how bad it is."


def _no_support(case: Case) -> Iterable[str]:
    if not case.supported:
        yield "Nothing in memory is near enough to speak from."


def _related(case: Case) -> Iterable[str]:
    for relation in case.relations[:1]:
        if relation.kind != "same-area":
            yield f"It may be {relation.kind} {relation.incident_id}; relations are never applied unseen."


def _vetoed(case: Case) -> Iterable[str]:
    for relation in case.relations:
        if relation.vetoed_by:
            yield f"{relation.incident_id} looks the same but is not: {relation.vetoed_by}."
            return


def _conflicting_neighbours(case: Case) -> Iterable[str]:
    for name in FIELDS:
        proposal = case.proposals.get(name)
        if proposal is None or proposal.value is not None or not proposal.against:
            continue
        if proposal.against[0].ref != SILENT:
            yield f"{name}: {proposal.against[0].text}"


def _unfamiliar(case: Case) -> Iterable[str]:
    if case.watch.unfamiliar:
        yield case.watch.unfamiliar


def _new_project(case: Case) -> Iterable[str]:
    first, product = case.policy.first_reports, case.watch.product_size
    if case.memory_size < first:
        yield f"The memory holds {case.memory_size} incidents; below {first} a person decides all."
    elif product is not None and product < first:
        yield f"The memory holds {product} incidents of this product; below {first} a person decides all."


def _other_language(case: Case) -> Iterable[str]:
    if case.signals.language != "en":
        yield "The report is not in English; rules and word search read it only in part."


def _incomplete_search(case: Case) -> Iterable[str]:
    yield from case.notes


def _not_live(case: Case) -> Iterable[str]:
    if gated := case.gated():
        yield f"By policy a person decides on {', '.join(gated)}."
    elif not case.live() and any(proposal.value for proposal in case.proposals.values()):
        yield "By policy nothing that is proposed here may be written without a person."
    kinds = dict.fromkeys(
        action.kind.replace("_", " ")
        for action in case.actions
        if action.kind != "set_field" and case.policy.mode_of(action.kind, action.params) != "live"
    )
    if kinds and case.policy.is_open:
        yield f"By policy a person must see these actions: {', '.join(kinds)}."


def _demoted(case: Case) -> Iterable[str]:
    for name in case.live():
        standing = case.watch.standings.get(name)
        if standing is None:
            yield f"{name} is live by policy, but nobody has judged such proposals yet."
        elif not standing.holds:
            yield f"{name} is live by policy and demoted itself: {standing}."


def _not_sure_enough(case: Case) -> Iterable[str]:
    for name in case.live():
        proposal = case.proposals[name]
        if proposal.kept is None or not proposal.cases:
            yield f"{name} has no calibrated probability yet."
        elif (sure := wilson(proposal.kept, proposal.cases)).low < case.policy.min_probability:
            yield f"{name} was right in {sure} of such cases; the lower bound must reach {case.policy.min_probability:.0%}."


def _critical_bound(case: Case) -> Iterable[str]:
    watch = case.watch
    if watch.unproven:
        if case.policy.is_open:
            yield watch.unproven
    elif watch.score is None:
        yield "The escalation score is not known."
    elif watch.score >= watch.threshold:
        yield f"Its escalation score {watch.score:.4f} is not below {watch.threshold:.4f}, under which critical reports are rare."


def _witness(case: Case) -> Iterable[str]:
    yield from case.doubts


def _quiet_hours(case: Case) -> Iterable[str]:
    if case.quiet:
        yield "These are quiet hours; nothing is applied without a person."


BLOCKING: dict[str, Rule] = {
    "security": _signal("security", "It speaks of security"),
    "privacy": _signal("privacy", "It speaks of personal data"),
    "data-loss": _signal("data_loss", "It speaks of lost or damaged data"),
    "money": _signal("money", "It speaks of money or billing"),
    "legal": _signal("legal", "It speaks of law or obligations"),
    "injection": _signal("injection", "It holds instructions addressed to whoever reads it"),
    "hidden-text": _hidden_text,
    "secret": _leaked_secret,
}
"""Rules that are never learned and never switched off."""

ASKING: dict[str, Rule] = {
    "top-severity": _top_severity,
    "relation": _related,
    "look-alike": _vetoed,
    "no-support": _no_support,
    "severity-unknown": _undetermined_severity,
    "conflict": _conflicting_neighbours,
    "unfamiliar": _unfamiliar,
    "language": _other_language,
    "search": _incomplete_search,
    "new-project": _new_project,
    "policy": _not_live,
    "demoted": _demoted,
    "uncertain": _not_sure_enough,
    "critical-bound": _critical_bound,
    "witness": _witness,
    "quiet-hours": _quiet_hours,
}
