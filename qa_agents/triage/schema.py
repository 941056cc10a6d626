"""The whole verdict for a report, and the parts it is made of. `undetermined` (value None) is legal everywhere."""

from typing import Any, Literal, TypedDict, get_args

from pydantic import BaseModel, ConfigDict, Field

from qa_agents.incidents.schema import Candidate
from qa_agents.trackers.schema import Action

SCHEMA_VERSION = 1

FieldName = Literal["component", "severity", "priority", "type", "assignee"]
FIELDS: tuple[FieldName, ...] = get_args(FieldName)
RelationKind = Literal["duplicate-of-open", "regression-of-fixed", "already-fixed", "same-area"]
GateDecision = Literal["auto", "ask", "block", "abstain"]
FactName = Literal[
    "version", "os", "platform", "error_code", "exception", "stack_frame", "endpoint", "identifier",
    "steps", "expected", "actual", "impact",
]  # fmt: skip


SILENT = "not-telling"
"""Evidence reference of a field that is silent as a rule, whatever the report says."""
QUOTED_CHARS = 160
"""How much of a quote stands beside what rests on it, where it is told on one line."""
HABIT = "severity-habit"
"""Evidence reference of a severity that rests on what the team called the like, no factor being evidenced."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Fact(_Part):
    """Something the report says, with where it says it: `text[start:end] == quote` in the named field."""

    name: FactName
    value: str
    """Normalised: lower-case error codes, bare version numbers, dotted exception names."""
    quote: str
    field: Literal["summary", "description"]
    start: int
    end: int


class Evidence(_Part):
    """What a claim rests on; `ref` is an incident id, a fact's `field:start-end`, or a rule id."""

    kind: Literal["quote", "incident", "rate", "rule"]
    text: str
    ref: str = ""


class Alternative(_Part):
    """A value that was considered."""

    value: str
    probability: float | None = None
    """Calibrated on the team's outcomes, 0 to 1; None when there were too few to calibrate on."""


class Proposal(_Part):
    """A suggested value for one field; `value` None means undetermined."""

    value: str | None = None
    probability: float | None = None
    kept: int | None = None
    cases: int | None = None
    """What the probability was measured on: people kept the value in `kept` of `cases` like cases."""
    alternatives: list[Alternative] = Field(default_factory=list)
    evidence: list[Evidence] = Field(default_factory=list)
    against: list[Evidence] = Field(default_factory=list)


class Relation(_Part):
    """How the report relates to an incident, with what the two share and where they differ."""

    incident_id: str
    kind: RelationKind
    probability: float | None = None
    same: list[str] = Field(default_factory=list)
    differs: list[str] = Field(default_factory=list)
    vetoed_by: str | None = None
    """The stronger relation it would have had, and the difference that forbids it."""
    state: str = ""
    """`open` or the resolution, as known when the report was filed."""
    summary: str = ""


class Hypothesis(_Part):
    """A root-cause hypothesis; every sentence of `text` rests on the evidence of the same position."""

    text: str
    evidence: list[Evidence]


class Question(_Part):
    """One question to the reporter."""

    fact: str
    """What it asks for; a name of the rule file."""
    text: str
    changes_decision: str = ""
    """Which decision an answer would change, found by trying the answers; empty when none would by itself."""
    because: str = ""
    """What the team's past says about reports that lack it."""


class Opinion(_Part):
    """What a language model holds about one past incident, with words of that incident."""

    incident_id: str
    same_fix: Literal["yes", "no", "unclear"]
    """Whether one fix would resolve both."""
    evidence: Evidence
    record: str = ""
    """How often such an answer was right among the team's decided cases; empty before there are enough."""


class FieldView(_Part):
    """The value that a language model would choose for a field, with words of the report."""

    field: Literal["component", "severity"]
    value: str
    evidence: Evidence
    record: str = ""
    """As in Opinion."""


class Testimony(_Part):
    """What a language model said beside the statistics. Quotes, numbers and incidents are checked; what failed is left out.

    It is shown, and where it parts from the statistics a person is asked. No proposal, relation or action rests on it.
    """

    opinions: list[Opinion] = Field(default_factory=list)
    fields: list[FieldView] = Field(default_factory=list)
    hypothesis: Hypothesis | None = None
    facts: list[Fact] = Field(default_factory=list)
    """Found in prose by the model alone."""
    questions: list[str] = Field(default_factory=list)
    """The questions to the reporter in other words; those that are sent are the fixed ones."""
    summary: str = ""
    doubts: list[str] = Field(default_factory=list)
    """Why a person should look, one sentence each."""
    absent: list[str] = Field(default_factory=list)
    """What was asked and not answered, and why."""
    models: list[str] = Field(default_factory=list)
    prompts: dict[str, str] = Field(default_factory=dict)
    """Use to the SHA-256 of the prompt."""
    asked_of: str = ""
    """Names endpoint and models as configured: how often answers were right counts for the same ones only."""

    def told(self) -> list[str]:
        """What it said, one plain line each, every opinion with its words and its record."""
        held = {"yes": "one fix would resolve both", "no": "another bug", "unclear": "cannot tell"}
        lines = [self.summary] if self.summary else []
        lines += [_cited(f"{one.incident_id}: {held[one.same_fix]}", one.evidence, one.record) for one in self.opinions]
        lines += [_cited(f"{one.field} {one.value}", one.evidence, one.record) for one in self.fields]
        if self.hypothesis:
            refs = ", ".join(dict.fromkeys(evidence.ref for evidence in self.hypothesis.evidence))
            lines.append(f"{self.hypothesis.text} ({refs})")
        return [*lines, *(f"not answered: {text}" for text in self.absent)]


def _cited(said: str, evidence: Evidence, record: str) -> str:
    """The words cited stand behind it, cut at a length that can be read."""
    words = evidence.text if len(evidence.text) <= QUOTED_CHARS else f"{evidence.text[:QUOTED_CHARS]}…"
    return f"{said} “{words}”" + (f", {record}" if record else "")


class Gate(_Part):
    """Where the proposals go, and every reason for it."""

    decision: GateDecision
    reasons: list[str] = Field(default_factory=list)
    """`rule-id: sentence`, the most serious first."""


class Signals(_Part):
    """What about the text itself matters to the gate."""

    security: list[Fact] = Field(default_factory=list)
    data_loss: list[Fact] = Field(default_factory=list)
    money: list[Fact] = Field(default_factory=list)
    privacy: list[Fact] = Field(default_factory=list)
    legal: list[Fact] = Field(default_factory=list)
    injection: list[Fact] = Field(default_factory=list)
    hidden: list[str] = Field(default_factory=list)
    """Text a reader would not see (HTML comments, zero-width characters), made visible."""
    secrets: list[str] = Field(default_factory=list)
    """Names of the secret patterns found; their text was masked."""
    language: str = "en"
    """`en` or `other`: the lexical index and the rules read English."""


class Triage(BaseModel):
    """The whole verdict for one report: what `triage --json` prints."""

    schema_version: int = SCHEMA_VERSION
    report_id: str
    summary: str = ""
    similar: list[Candidate] = Field(default_factory=list)
    relations: list[Relation] = Field(default_factory=list)
    proposals: dict[FieldName, Proposal] = Field(default_factory=dict)
    hypothesis: Hypothesis | None = None
    facts: list[Fact] = Field(default_factory=list)
    witness: Testimony | None = Field(default=None, exclude_if=lambda said: said is None)
    """Absent where no language model was asked."""
    missing: list[str] = Field(default_factory=list)
    """Questions whose answer would change the decision, the most useful first; at most three."""
    questions: list[Question] = Field(default_factory=list)
    """The same questions, each with what it would change and why it is asked."""
    signals: Signals = Signals()
    gate: Gate
    actions: list[Action] = Field(default_factory=list)
    review_id: str | None = None
    """The review that waits for a person; None when the gate was open."""
    state: str = "received"
    provenance: dict[str, Any] = Field(default_factory=dict)
    """What made the verdict: run, hashes, index and rule versions, memory size, notes."""


class TriageState(TypedDict, total=False):
    """What the graph carries from node to node: small JSON, everything large by its hash."""

    run_id: str
    source: str
    subject_id: str
    input_sha256: str
    options: dict[str, Any]
    as_of: str
    target: str
    issue_version: str | None
    set_by_people: dict[str, str]
    challengeable: list[str]
    facts: list[dict[str, Any]]
    signals: dict[str, Any]
    retrieval: dict[str, Any]
    proposals: dict[str, Any]
    severity: dict[str, Any]
    relations: list[dict[str, Any]]
    hypothesis: dict[str, Any] | None
    testimony: dict[str, Any] | None
    triage_sha256: str
    gate_decision: GateDecision
    actions: list[dict[str, Any]]
    questions: list[str]
    shown: dict[str, Any]
    decision: dict[str, Any] | None
    effects: dict[str, Any]
