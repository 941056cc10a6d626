"""Reviews that wait, decisions that people make, what a review requires, and the states a report can be in."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypedDict

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 1

Form = Literal["approval", "signoff", "question"]
"""approval: may this be written? signoff: who takes accountability? question: what must be known before items go on?"""
Verdict = Literal["approve", "edit", "reject", "ask_reporter", "defer", "delegate", "sign", "answer"]
Authentication = Literal["os-login", "token", "password", "oidc", "unverified"]
ReviewState = Literal["pending", "deferred", "decided", "superseded"]
PENDING = ("pending", "deferred")
"""The states in which an answer still counts."""
ReportState = Literal["received", "waiting", "asked", "decided", "failed", "rejected"]
"""received: accepted, its run not finished yet (a crash leaves it here and `recover` takes it up);
waiting: at the checkpoint; asked: the reporter was asked; decided: settled by a person or an open gate;
failed: will be retried; rejected: was no valid report."""

VERDICTS: dict[Form, tuple[Verdict, ...]] = {
    "approval": ("approve", "edit", "reject", "ask_reporter", "defer", "delegate"),
    "signoff": ("sign", "reject", "defer", "delegate"),
    "question": ("answer", "reject", "defer", "delegate"),
}
"""What can be answered to each form of review."""
REASON_CODES = ("wrong-evidence", "wrong-cause", "hallucination", "out-of-scope", "duplicate", "other")
"""The reasons every team has; a policy may add its own."""

ReasonCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Words = Annotated[str, Field(min_length=1, max_length=10_000)]
Person = Annotated[str, Field(min_length=1, max_length=200)]


class Waiver(BaseModel):
    """One thing that is let pass at a sign-off: by whom it is owned, why, and until when. Nothing of it is optional."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: Annotated[str, Field(min_length=1, max_length=500)]
    owner: Person
    reason: Words
    expires: AwareDatetime


class Decision(BaseModel):
    """What a person answered at the checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    review_id: str
    verdict: Verdict
    reviewer: Person
    """Who decided; recorded in the ledger."""
    digest: str = Field(min_length=64, max_length=64)
    """Digest of exactly what was shown (or of the edit that is approved); a decision about something else is refused."""
    reason_code: ReasonCode | None = None
    """Required for edit and reject: these are the labels the system learns from."""
    note: str = Field(default="", max_length=10_000)
    edits: dict[str, str] = Field(default_factory=dict)
    """Field to value, for `edit`."""
    questions: list[str] = Field(default_factory=list)
    """What to ask the reporter, for `ask_reporter`; the proposed questions when empty."""
    until: datetime | None = None
    """When a deferred review is due again."""
    to: Person | None = None
    """Person or role that shall decide instead, for `delegate`."""
    accountable: Person | None = None
    """Who takes accountability, for `sign`."""
    waivers: list[Waiver] = Field(default_factory=list)
    """What is let pass, for `sign`."""
    answers: dict[str, Words] = Field(default_factory=dict)
    """Question id to text, for `answer`."""
    unblocks: list[str] = Field(default_factory=list)
    """Items that may go on because of the answers."""
    roles: list[str] = Field(default_factory=list)
    """The reviewer's roles by the policy; set by the inbox, whatever was claimed."""
    auth: Authentication = "unverified"
    """How the reviewer was recognised; set by the inbox, whatever was claimed."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = {
            "edit": None if self.edits else "edit needs at least one field with its new value",
            "defer": None if self.until else "defer needs a date",
            "delegate": None if self.to else "delegate needs to whom",
            "sign": None if self.accountable else "sign needs the name of who is accountable",
            "answer": None if self.answers else "answer needs at least one answer",
        }.get(self.verdict)
        if self.verdict in ("edit", "reject") and self.reason_code is None:
            missing = f"{self.verdict} needs a reason code"
        if missing:
            raise ValueError(missing)
        for name, verdict in (("edits", "edit"), ("waivers", "sign"), ("answers", "answer"), ("to", "delegate")):
            if getattr(self, name) and self.verdict != verdict:
                raise ValueError(f"{name} belong to {verdict}, not to {self.verdict}")
        return self


class Requirements(BaseModel):
    """What the policy demands of the decision about one review; fixed when the review is opened."""

    model_config = ConfigDict(frozen=True)

    form: Form = "approval"
    rule: str = "no rule"
    """Name of the policy's rule that matched."""
    roles: list[str] = Field(default_factory=list)
    of: list[str] = Field(default_factory=list)
    """Who may decide: people with one of `roles`, and those named in `of`; anybody when both are empty."""
    approvals: int = Field(default=1, ge=1)
    """How many different people must approve the very same thing."""
    proposer_may_approve: bool = True
    proposer: str | None = None
    """The person who proposed what is shown; None when qa-agents did."""
    sla_hours: float | None = None
    reroute_to: str | None = None
    escalate: str | None = None
    expires_hours: float | None = None
    """Age of a review after which it can no longer be approved: it must be made anew."""
    policy_sha256: str = ""


class Review(BaseModel):
    """Something that waits for a person, with exactly what that person is shown."""

    model_config = ConfigDict(frozen=True)

    review_id: str
    run_id: str
    interrupt_id: str
    kind: str
    """Which graph asks: `triage`, later `plan` and `summary`."""
    subject_id: str
    state: ReviewState
    digest: str
    shown: dict[str, Any]
    opened_at: float
    due_at: float | None = None
    decision: Decision | None = None
    """What the graph goes on with (for a deferred review: the deferral)."""
    decided_at: float | None = None
    form: Form = "approval"
    requires: Requirements | None = None
    """None for a review that an older release opened."""
    assigned_to: str | None = None
    """Person or role it was delegated or re-routed to."""
    routed_at: float | None = None
    votes: list[Decision] = Field(default_factory=list)
    """Every answer given so far, oldest first."""

    @property
    def waits(self) -> bool:
        """Whether an answer still counts."""
        return self.state in PENDING


class Stopped(TypedDict, total=False):
    """The part of a graph's state that the checkpoint reads and writes."""

    shown: dict[str, Any]
    decision: dict[str, Any] | None
