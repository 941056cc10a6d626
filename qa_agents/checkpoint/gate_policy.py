"""How far the team has opened the gate, per field and per kind of action, and what keeps it open: the policy's `[gate]` table."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Mode = Literal["shadow", "gated", "live"]
"""shadow: proposes and writes nothing; gated: writes what a person approved; live: may write without asking."""
MODES: tuple[Mode, ...] = get_args(Mode)
"""The strictest first."""
ActionName = Literal["create", "comment", "label", "link", "question"]
ACTIONS: tuple[ActionName, ...] = get_args(ActionName)
Split = Literal["component", "filer"]
ChallengedField = Literal["component", "severity", "priority", "type", "assignee"]
OTHER_FILER = "other"
"""The filer type of whoever `filers` does not name."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ActionModes(_Part):
    """The mode of everything that is not a field: a kind that is not live stops what would go through alone."""

    create: Mode = "gated"
    comment: Mode = "gated"
    label: Mode = "gated"
    link: Mode = "gated"
    question: Mode = "gated"
    """A public comment."""


class Costs(_Part):
    """What a mistake and what care cost, in one unit of the team's choice."""

    review: float = Field(gt=0.0)
    """Of one person looking at one report."""
    miss: float = Field(gt=0.0)
    """Of one critical report that nobody looked at."""
    caught: float = Field(default=1.0, gt=0.0, le=1.0)
    """The share of critical reports that a person who looks does recognise."""


class GatePolicy(_Part):
    """When a proposal may be applied without a person. The default never does: automation is opened, not closed."""

    component: Mode = "gated"
    severity: Mode = "gated"
    priority: Mode = "gated"
    type: Mode = "gated"
    assignee: Mode = "gated"
    actions: ActionModes = ActionModes()
    target: float = Field(default=0.95, ge=0.5, lt=1.0)
    """A live field acts only while the lower 95 % bound of how often people kept it is at least this."""
    last: int = Field(default=200, ge=20, le=5_000)
    """That rate is taken over so many of the newest decisions in the proposal's probability band."""
    min_decisions: int = Field(default=30, ge=10, le=5_000)
    """With fewer decisions than this a field never acts."""
    split_by: list[Split] = Field(default_factory=list)
    """Count per proposed component, per filer type, or per both, instead of over all reports."""
    filers: dict[Annotated[str, Field(min_length=1, max_length=60)], list[str]] = Field(default_factory=dict)
    """Filer type to the reporters of it; whoever is not named is `other`."""
    min_probability: float = Field(default=0.9, ge=0.5, le=1.0)
    """A live field also asks while the lower 95 % bound of its calibrated probability is below this."""
    first_reports: int = Field(default=50, ge=0)
    """A memory, or a product in it, smaller than this always asks: nothing is known about it yet."""
    challenge: list[ChallengedField] = Field(default_factory=list)
    """Fields whose value, set by a person, may be doubted once in a private comment with evidence. They are never written."""
    costs: Costs | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.min_decisions > self.last:
            raise ValueError("min_decisions is more than last: no field could ever act")
        if "filer" in self.split_by and not self.filers:
            raise ValueError("split_by names filer, but filers says of nobody what type of filer they are")
        return self

    @property
    def is_open(self) -> bool:
        """Whether anything at all may be written without a person."""
        return "live" in (self.component, self.severity, self.priority, self.type, self.assignee)

    def mode_of(self, kind: str, params: Mapping[str, Any]) -> Mode:
        """The mode of a tracker action; of a field write its field's. What the policy does not know is gated.

        A comment that doubts a field has the stricter mode of the two.
        """
        if kind == "set_field":
            mode: Mode = (
                getattr(self, str(params.get("field")), "gated") if params.get("field") in FIELD_MODES else "gated"
            )
            return mode
        known = "question" if kind == "add_comment" and params.get("public") else _ACTION_OF.get(kind)
        found: Mode = getattr(self.actions, known) if known else "gated"
        if kind == "add_comment" and isinstance(doubted := params.get("challenges"), Mapping):
            field = self.mode_of("set_field", {"field": doubted.get("field")})
            return min(found, field, key=MODES.index)
        return found

    @property
    def may_ask(self) -> bool:
        """Whether a question can reach reporters at all."""
        return self.actions.question != "shadow"

    def filer_of(self, reporter: str | None) -> str:
        """The type of a reporter by `filers`, whatever case the name is written in."""
        name = (reporter or "").strip().casefold()
        named = (
            kind for kind, people in self.filers.items() if name and name in {one.strip().casefold() for one in people}
        )
        return next(named, OTHER_FILER)


FIELD_MODES = ("component", "severity", "priority", "type", "assignee")
_ACTION_OF: dict[str, ActionName] = {
    "create_issue": "create",
    "add_comment": "comment",
    "add_label": "label",
    "link_issue": "link",
}
