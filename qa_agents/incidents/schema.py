"""What a report and an incident are: the shapes that importers produce and the memory keeps."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

SCHEMA_VERSION = 1
MAX_ID_CHARS = 200
RESTRICTING = frozenset({"restricted", "security", "securitylevel"})
NOT_RESTRICTED = frozenset({"", "no", "none", "false", "0", "n"})
CLOCK_SKEW = timedelta(days=2)
"""How far ahead a `created` may lie (time zones, wrong clocks) before it is called a date in the future."""


def _clean_text(value: object) -> object:
    """None becomes empty; NUL, which PostgreSQL cannot hold, becomes U+FFFD."""
    if value is None:
        return ""
    return value.replace("\x00", "�") if isinstance(value, str) else value


def _blank_to_none(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\x00", "�").strip() or None
    return value


def _number_to_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_id(value: str) -> str:
    if not value or value != value.strip() or len(value) > MAX_ID_CHARS or not value.isprintable():
        raise ValueError(f"must be 1 to {MAX_ID_CHARS} printable characters without blanks around it")
    return value


def _to_list(value: object) -> object:
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


def _to_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Id = Annotated[str, BeforeValidator(_number_to_text), AfterValidator(_check_id)]
Text = Annotated[str, BeforeValidator(_clean_text)]
Word = Annotated[str | None, BeforeValidator(_number_to_text), BeforeValidator(_blank_to_none)]
Moment = Annotated[datetime, AfterValidator(_to_utc)] | None
Words = Annotated[list[str], BeforeValidator(_to_list)]


class Report(BaseModel):
    """An incoming bug report, as received. Unknown keys are kept (`model_extra`)."""

    model_config = ConfigDict(extra="allow", frozen=True, str_strip_whitespace=False)

    id: Id
    summary: Text = ""
    description: Text = ""
    created: Moment = None
    """When it was filed, UTC; retrieval never looks past it. A date without a zone is read as UTC."""
    product: Word = None
    version: Word = None
    platform: Word = None
    reporter: Word = None
    labels: Words = Field(default_factory=list)

    @field_validator("created", mode="before")
    @classmethod
    def _blank_date_is_none(cls, value: object) -> object:
        return _blank_to_none(value)

    @property
    def text(self) -> str:
        """Summary and description as one text: `summary`, newline, `description`."""
        return f"{self.summary}\n{self.description}"

    @property
    def restriction(self) -> str | None:
        """What keeps a part of the team from it: `restricted`, or its security level; None where everybody may see it.

        Read from the keys `restricted`, `security` and `security_level`, which importers keep; anything but a plain no counts.
        """
        found: str | None = None
        for name, value in (self.model_extra or {}).items():
            key = "".join(char for char in name.casefold() if char.isalnum())
            if key not in RESTRICTING or str(value or "").strip().casefold() in NOT_RESTRICTED:
                continue
            level = value.get("name") if isinstance(value, dict) else value
            if key == "restricted" or not isinstance(level, str):
                return "restricted"
            found = level
        return found

    def open_to(self, levels: Collection[str]) -> bool:
        """Whether who may see these security levels, beside what everybody may see, may see it."""
        return self.restriction is None or self.restriction in levels


class Incident(Report):
    """A past report with what became of it. Outcome fields hold final values; `revealed_at` says what was known when."""

    component: Word = None
    components: Words = Field(default_factory=list)
    severity: Word = None
    priority: Word = None
    type: Word = None
    status: Word = None
    resolution: Word = None
    resolved: Moment = None
    updated: Moment = None
    duplicate_of: Words = Field(default_factory=list)
    assignee: Word = None
    resolution_note: Word = None

    @field_validator("resolved", "updated", mode="before")
    @classmethod
    def _blank_outcome_date_is_none(cls, value: object) -> object:
        return _blank_to_none(value)

    @model_validator(mode="before")
    @classmethod
    def _first_component_leads(cls, data: Any) -> Any:
        """`component` and `components` agree: the one is the first of the others."""
        if not isinstance(data, dict):
            return data
        several, one = _to_list(data.get("components")), _blank_to_none(data.get("component"))
        if one and not several:
            return {**data, "components": [one]}
        if several and not one and isinstance(several, list):
            return {**data, "component": several[0]}
        return data

    @model_validator(mode="after")
    def _has_words(self) -> Self:
        if not self.summary.strip() and not self.description.strip():
            raise ValueError("has neither summary nor description")
        return self

    def open_at(self, moment: datetime) -> bool:
        """Whether the incident was unresolved at `moment`; without `resolved`, its resolution decides."""
        if self.resolved is not None:
            return self.resolved > moment
        return self.resolution is None and (self.status or "").lower() not in CLOSED_STATUSES

    def revealed_at(self, moment: datetime) -> bool:
        """Whether the outcome (resolution, duplicate links, note) was known at `moment`."""
        return not self.open_at(moment)


ERASED_SUMMARY = "—"
"""What an erased incident says: nothing that a search by words could find."""
KEPT_WHEN_ERASED = (
    "id", "created", "component", "components", "severity", "priority", "type", "status", "resolution", "resolved",
    "updated", "duplicate_of",
)  # fmt: skip
"""What stays of an erased incident: the team's own labels and dates, which its statistics rest on."""


def erased(incident: Incident) -> Incident:
    """The incident without anything a person wrote or is named in."""
    kept = {name: getattr(incident, name) for name in KEPT_WHEN_ERASED}
    return Incident.model_validate({**kept, "summary": ERASED_SUMMARY, "erased": True})


CLOSED_STATUSES = frozenset({"closed", "resolved", "done", "fixed", "verified", "completed", "cancelled", "canceled"})


class Candidate(BaseModel):
    """One past incident as retrieval saw it."""

    incident_id: str
    score: float
    """Higher is closer; comparable within one answer and, roughly, between answers. From a learned order it is
    `probability`, otherwise the fused score, which is none."""
    probability: float | None = None
    """That this is the same bug as the report, calibrated on duplicate links; None without a learned order."""
    lexical: float | None = None
    """BM25F divided by the query's score against itself: 1 is the same text; None when not among the lexical hits."""
    dense: float | None = None
    """Cosine of the two texts' vectors; None when no vector was compared."""
    shared: list[str] = Field(default_factory=list)
    """Up to eight words both texts hold, rarest first; named for the best candidates only."""


class Retrieval(BaseModel):
    """What was looked for and what came back, best first; kept so that `explain` can tell."""

    candidates: list[Candidate]
    k: int
    memory_size: int
    """Incidents that could have been found: those from before the report, the report itself excluded."""
    as_of: datetime
    notes: list[str] = Field(default_factory=list)
    """What was not done and why (no vectors, text cut, index catching up)."""
    index: dict[str, str] = Field(default_factory=dict)
    """What answered: tokenizer version, embedder fingerprint."""
