"""The test plan and what it is made of, in the words of ISO/IEC/IEEE 29119 and ISTQB. Every claim carries its origin.

Ids are derived from content, never from position, so that the same text gives the same id in another run: `REQ-…`, `ITM-…`,
`TC-…`, `Q-…` followed by hexadecimal digits of a digest, or the identifier that the author of the text gave.
"""

from typing import Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

BlockKind = Literal["paragraph", "bullet", "table_row", "code", "heading", "operation", "scenario"]
"""`operation` is one method of one path in an API description, `scenario` one scenario of a feature file."""
Ears = Literal["ubiquitous", "event", "state", "optional", "unwanted", "complex", "none"]
"""Mavin et al., "Easy Approach to Requirements Syntax", 2009; `complex` combines two or more."""
Modality = Literal["must", "should", "may", "none"]
"""RFC 2119 strength; `none` for a statement of fact about the product."""
RequirementKind = Literal[
    "functional", "data", "interface", "constraint", "performance", "security", "privacy", "accessibility",
    "internationalisation", "compatibility", "reliability", "usability", "out_of_scope", "rationale",
]  # fmt: skip
NOT_TESTED: tuple[RequirementKind, ...] = ("out_of_scope", "rationale")
"""Recognised, kept and shown, but no cases are drafted for them."""
Technique = Literal[
    "equivalence", "boundary2", "boundary3", "decision", "state0", "state1", "state_invalid", "pairwise", "use_case",
    "crud", "permission", "error_guessing", "non_functional", "syntax", "requirement",
]  # fmt: skip
"""`requirement` is the plain case for a statement that no technique structures; `syntax` stands for pattern and format."""
Polarity = Literal["positive", "negative", "boundary"]
Level = Literal["component", "integration", "system", "acceptance"]
Priority = Literal["high", "medium", "low"]
Basis = Literal["quote", "derived", "assumption"]
"""Where an expected result comes from: the text itself, a named rule applied to it, or an assumption a question stands for."""
Origin = Literal["drafted", "human", "edited"]
SmellKind = Literal[
    "vague", "missing_bound", "missing_unit", "missing_error", "contradiction", "escape_clause", "open_ended", "passive",
    "tbd", "undefined_term", "several_in_one", "unmeasurable", "pronoun", "negative_imperative", "instruction",
    "unobservable",
]  # fmt: skip
"""`unobservable`: nothing tells a tester what to do and what to look at.

`instruction`: text in a specification that addresses whoever reads it by machine; reported, never obeyed."""
RequirementStatus = Literal["active", "changed", "removed"]


class Part(BaseModel):
    """A frozen piece of a plan; unknown keys are refused, so that a file of another version is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Part):
    """One document the plan rests on."""

    id: str
    """`SRC-` and digits of the SHA-256 of the bytes."""
    name: str
    """File name without folders, `-` for standard input, or the issue key."""
    media: str
    sha256: str
    chars: int
    """Of the text that was read."""
    unread: list[str] = Field(default_factory=list)
    """What was not read and why, one sentence each; always shown."""
    level: str = ""
    """The security level of the issue it is; empty where everybody may see it."""


class Block(Part):
    """A stretch of a source's text that stands by itself; `source text[start:end] == text`."""

    id: str
    source_id: str
    heading_path: list[str] = Field(default_factory=list)
    kind: BlockKind
    text: str
    line_start: int
    line_end: int
    start: int
    end: int
    cells: dict[str, str] = Field(default_factory=dict)
    """For a table row: column header to cell."""
    data: dict[str, Any] = Field(default_factory=dict)
    """For an operation: the resolved OpenAPI object: `method`, `path`, `parameters`, `requestBody`, `responses`, `security`."""


class FieldSpec(Part):
    """One input or attribute with its limits, as stated; None and [] where the text says nothing."""

    name: str
    type: str | None = None
    """string, integer, number, boolean, date, datetime, email, url, file, enum, array, object, money, …"""
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    minimum_inclusive: bool = True
    maximum_inclusive: bool = True
    min_length: int | None = None
    max_length: int | None = None
    enum: list[str] = Field(default_factory=list)
    pattern: str | None = None
    required: bool | None = None
    default: str | None = None
    place: str | None = None
    """For an API: path, query, header, cookie, or body."""
    quote: str = ""
    """The words that state the limits; part of the requirement's quote."""


class Condition(Part):
    """One condition of a rule with the value it takes there."""

    name: str
    value: str


class DecisionRule(Part):
    """If all conditions hold, then the outcome."""

    conditions: list[Condition]
    outcome: str
    quote: str = ""


class Transition(Part):
    """From one state, on an event (and under a guard), to another."""

    before: str
    event: str
    after: str
    guard: str | None = None
    quote: str = ""


class Permission(Part):
    """Whether a role may do an action on a resource."""

    role: str
    action: str
    resource: str | None = None
    allowed: bool
    quote: str = ""


class Requirement(Part):
    """One testable statement (or one recognised as out of scope), with the words it rests on."""

    id: str
    explicit_id: str | None = None
    """As the author wrote it: `FR-12`, `AC3`, `3.2.1`."""
    source_id: str
    block_ids: list[str]
    heading_path: list[str] = Field(default_factory=list)
    quote: str
    """Verbatim: `source text[start:end] == quote`; a requirement whose quote does not match is rejected, never repaired."""
    start: int
    end: int
    line: int
    text: str
    """Atomic and readable by itself: context (subject, heading) may be added to the quote, nothing changed."""
    ears: Ears = "none"
    actor: str | None = None
    trigger: str | None = None
    precondition: str | None = None
    response: str | None = None
    modality: Modality = "none"
    negated: bool = False
    """Whether it says what must not happen."""
    kind: RequirementKind = "functional"
    fields: list[FieldSpec] = Field(default_factory=list)
    rules: list[DecisionRule] = Field(default_factory=list)
    transitions: list[Transition] = Field(default_factory=list)
    permissions: list[Permission] = Field(default_factory=list)
    references: list[str] = Field(default_factory=list)
    """Ids of requirements and headings it refers to."""
    data: dict[str, Any] = Field(default_factory=dict)
    """For an API operation: method, path, status codes and schemas, from the description."""
    hash: str
    """Of the normalised text and structure: equal when nothing that matters to a case changed."""
    status: RequirementStatus = "active"


class Smell(Part):
    """Something about a requirement's wording that makes it hard to test."""

    requirement_id: str
    kind: SmellKind
    quote: str
    start: int
    end: int
    why: str


class Question(Part):
    """What the basis leaves open: who must answer is a person; what waits for it is named."""

    id: str
    requirement_ids: list[str]
    category: SmellKind
    text: str
    options: list[str] = Field(default_factory=list)
    impact: int = Field(ge=1, le=3)
    uncertainty: int = Field(ge=1, le=3)
    blocks_cases: list[str] = Field(default_factory=list)
    default_assumption: str
    """What is assumed until somebody answers; its cases carry `basis = assumption`."""
    pack: str | None = None
    """The domain pack it comes from, None when the text itself raises it."""
    answer: str | None = None
    answered_by: str | None = None
    answered_at: float | None = None


class Risk(Part):
    """How much harm a fault in a requirement would do, and how likely it is, with what that rests on."""

    requirement_id: str
    impact: int = Field(ge=1, le=3)
    likelihood: int = Field(ge=1, le=3)
    reasons: list[str]
    incident_ids: list[str] = Field(default_factory=list)
    """Past incidents of this area, the most like first."""

    @property
    def level(self) -> int:
        """Impact times likelihood, 1 to 9."""
        return self.impact * self.likelihood


class CoverageItem(Part):
    """One thing that a technique demands to be exercised; made by code from the requirement's structure."""

    id: str
    requirement_id: str
    technique: Technique
    what: str
    """One line a tester understands: `amount = 10 000.01 (just above the maximum)`."""
    polarity: Polarity = "positive"
    parameters: dict[str, str] = Field(default_factory=dict)
    """The values to use, by field or condition name."""
    expected: str | None = None
    """The outcome that follows from the requirement; None when the text leaves it open."""
    basis: Basis = "derived"
    rule: str = ""
    """Name of the rule that made it: `just-above-maximum`, `missing-required`, …"""


class Step(Part):
    """What a tester does, with which data, and what can be observed then."""

    action: str
    data: str = ""
    expected: str


class TestCase(Part):
    """One behaviour, exercised once, with an observable outcome."""

    __test__ = False

    id: str
    title: str
    objective: str
    requirement_ids: list[str]
    item_ids: list[str] = Field(default_factory=list)
    technique: Technique
    polarity: Polarity
    type: RequirementKind = "functional"
    level: Level = "system"
    priority: Priority = "medium"
    preconditions: list[str] = Field(default_factory=list)
    steps: list[Step] = Field(min_length=1)
    expected_basis: Basis
    basis_quote: str = ""
    """The words the expected result rests on (basis `quote` or `derived`); part of a linked requirement's quote."""
    basis_rule: str = ""
    question_ids: list[str] = Field(default_factory=list)
    """Questions it waits for; unanswered, it rests on their default assumption and is left out of exports."""
    tags: list[str] = Field(default_factory=list)
    incident_ids: list[str] = Field(default_factory=list)
    """Past incidents that taught this case."""
    pack: str | None = None
    origin: Origin = "drafted"
    locked_fields: list[str] = Field(default_factory=list)
    """Fields a person changed; never overwritten by a new draft."""
    request: dict[str, Any] = Field(default_factory=dict)
    """For an API: method, path, parameters, headers, body, expected_status, schema; what an executable test is made of."""
    hash: str = ""
    """Of the linked requirements' hashes and its own content when drafted: tells whether it is suspect."""
    suspect: str | None = None
    """Why it may no longer be right, after the specification changed."""


class Gap(Part):
    """Something without its counterpart: a requirement or item without a case, a case without a requirement, text not read."""

    kind: Literal["requirement", "item", "case", "source", "question"]
    ref: str
    why: str


class Coverage(Part):
    """Coverage of one technique, ISO/IEC/IEEE 29119-4: items exercised by a case, out of all items."""

    technique: Technique
    items: int
    covered: int

    @property
    def share(self) -> float:
        """0 to 1; 1 when there is nothing to cover."""
        return self.covered / self.items if self.items else 1.0


class PlannedSection(Part):
    """A section of ISO/IEC/IEEE 29119-3's test plan in prose."""

    id: str
    title: str
    text: str


class SignOff(Part):
    """A sign-off that a domain pack requires before release, with the standard that asks for it."""

    role: str
    why: str
    standard: str
    pack: str


class RequirementChange(Part):
    """What became of one requirement between two versions of the specification."""

    requirement_id: str
    """The id it keeps: the old one, where it was there before."""
    change: Literal["unchanged", "reworded", "changed", "added", "removed"]
    """`reworded`: other words, the same values; `changed`: something that a case rests on differs."""
    before: str = ""
    after: str = ""
    values: list[str] = Field(default_factory=list)
    """What differs, one line each: `maximum of amount: 50 → 100`."""


class Changes(Part):
    """A new version of the specification against the one before: requirements, and what that made of the cases."""

    requirements: list[RequirementChange] = Field(default_factory=list)
    """Without the unchanged ones."""
    unchanged: int = 0
    kept: list[str] = Field(default_factory=list)
    """Cases that are the same to the byte."""
    relinked: list[str] = Field(default_factory=list)
    suspect: list[str] = Field(default_factory=list)
    redrafted: list[str] = Field(default_factory=list)
    added: list[str] = Field(default_factory=list)
    orphaned: list[str] = Field(default_factory=list)
    """Cases whose requirement is gone; kept until a person accepts that."""
    questions: list[str] = Field(default_factory=list)
    """Questions about statements that are new or changed: what the change leaves open, also where no case can be drafted."""


class TestPlan(BaseModel):
    """The whole plan: what `plan.json` holds. Traceability is derived from the cases, never written by hand."""

    __test__ = False
    model_config = ConfigDict(extra="forbid")

    schema_version: int = SCHEMA_VERSION
    id: str
    """`PLAN-` and digits of the digest of the sources' ids: the same specification has the same plan id."""
    title: str
    sources: list[Source]
    requirements: list[Requirement]
    smells: list[Smell] = Field(default_factory=list)
    questions: list[Question] = Field(default_factory=list)
    risks: list[Risk] = Field(default_factory=list)
    items: list[CoverageItem] = Field(default_factory=list)
    cases: list[TestCase] = Field(default_factory=list)
    sections: list[PlannedSection] = Field(default_factory=list)
    coverage: list[Coverage] = Field(default_factory=list)
    gaps: list[Gap] = Field(default_factory=list)
    left_out: list[str] = Field(default_factory=list)
    """What the budget left out, one sentence each."""
    domains: list[str] = Field(default_factory=list)
    sign_offs: list[SignOff] = Field(default_factory=list)
    changes: Changes | None = None
    """Against the previous plan; None for a first draft."""
    provenance: dict[str, Any] = Field(default_factory=dict)


class PlanState(TypedDict, total=False):
    """What the plan graph carries from node to node: small JSON, everything large by its hash."""

    run_id: str
    source: str
    subject_id: str
    input_sha256: str
    options: dict[str, Any]
    read_sha256: str
    requirements_sha256: str
    plan_sha256: str
    gate_decision: str
    shown: dict[str, Any]
    decision: dict[str, Any] | None
    answered: dict[str, str]
    effects: dict[str, Any]
