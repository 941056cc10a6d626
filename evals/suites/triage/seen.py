"""What was said about one report, by whomever: the common shape of the system's verdict and of every peer's answer."""

from pydantic import BaseModel, Field

FIELDS = ("component", "type", "priority", "assignee", "severity")
"""The fields that are measured."""
CLAIMS = ("duplicate-of-open", "regression-of-fixed", "already-fixed")
"""Relations that say "the same bug"; `same-area` does not."""


class Guess(BaseModel):
    """Labels for one field, the likeliest first."""

    ranked: list[str] = Field(default_factory=list)
    probability: float | None = None
    """That the first one is right, as told; None when nothing was told."""
    answered: bool = True
    """False when the field was left undetermined; `ranked` then holds what was shown as possible."""


class Claim(BaseModel):
    """One relation as shown."""

    incident_id: str
    kind: str
    probability: float | None = None
    vetoed: bool = False


class Verdict(BaseModel):
    """The system's triage of one report, as far as it is measured."""

    report_id: str
    position: int
    """Among all reports in time order."""
    found: list[str] = Field(default_factory=list)
    """Similar incidents, the nearest first."""
    nearest_score: float = 0.0
    """Of the first of `found`, as retrieval scored it."""
    alert: float = 0.0
    """How sure the system is that there is a duplicate at all: orders reports, no probability."""
    claims: list[Claim] = Field(default_factory=list)
    guesses: dict[str, Guess] = Field(default_factory=dict)
    hypothesis: bool = False
    questions: int = 0
    gate: str = ""
    rules: list[str] = Field(default_factory=list)
    """Of the gate, those that spoke."""
    escalation: float | None = None
    """The score by which reports reach a person, once a missed-critical bound is calibrated."""
    error: str | None = None
    """Why there is no verdict."""
