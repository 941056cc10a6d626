"""What is read from and written to a tracker."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

ActionKind = Literal[
    "create_issue", "set_field", "add_label", "add_comment", "link_issue",
    "withdraw_issue", "reinstate_issue", "clear_field", "remove_label", "remove_comment", "unlink_issue",
]  # fmt: skip
"""The first five are planned by triage; the others exist to undo them (and each other)."""


class Issue(BaseModel):
    """An issue as the tracker holds it."""

    model_config = ConfigDict(frozen=True)

    key: str
    version: str
    """Changes with every change of the issue: what a decision was made on."""
    fields: dict[str, Any] = Field(default_factory=dict)
    labels: list[str] = Field(default_factory=list)
    comments: list[dict[str, Any]] = Field(default_factory=list)
    links: list[dict[str, str]] = Field(default_factory=list)
    challengeable: list[str] = Field(default_factory=list)
    """Fields whose value a person set and nobody has challenged yet; a tracker that cannot tell names none."""


class Action(BaseModel):
    """One intended change outside. `key` makes it happen once; `target` comes from the event, never from a model."""

    model_config = ConfigDict(frozen=True)

    kind: ActionKind
    target: str
    """The issue's key in the tracker."""
    params: dict[str, Any] = Field(default_factory=dict)
    """create_issue: {fields}; set_field: {field, value, by?} (`by`: the person who chose it); add_label: {label};
    add_comment: {text, public, slot?, challenges?} (`slot`: gives way to the next comment of the same slot, where the tracker
    can; `challenges`: {field, value} that a person set and that it doubts, which is done once);
    link_issue: {to, relation}; clear_field: {field}; remove_label: {label}; remove_comment: {id}; unlink_issue:
    {to, relation}; withdraw_issue: {}; reinstate_issue: {status?, at?}. What restores a place in a list carries `at`, its
    index. An inverse carries `expect`, the digest of what it undoes: it is refused where something else stands by now."""
    because: str = ""
    """Why, in one line, for the person who decides."""


class Applied(BaseModel):
    """What the tracker answered: how it was before, what we wrote, and what would restore it."""

    before: dict[str, Any] = Field(default_factory=dict)
    """What stood in the changed place (see `changes.seen`); empty when nothing did."""
    after: dict[str, Any] = Field(default_factory=dict)
    """What stands there now: ours, as long as nobody changes it."""
    inverse: Action | None = None
    """The change that restores `before`; None when nothing was changed, so that there is nothing to undo."""
    already_there: bool = False
    """True when the idempotency key was found on the issue, so nothing was written now."""

    @field_validator("inverse", mode="before")
    @classmethod
    def _only_whole_actions(cls, value: Any) -> Any:
        """Histories may hold an older, shorter form that cannot be carried out; it counts as no inverse."""
        return None if isinstance(value, dict) and "target" not in value else value


class Effects(BaseModel):
    """What became of the actions of one run."""

    status: Literal["done", "changed", "held"]
    """`changed`: the issue is not as it was when the decision was made, so nothing was written; `held`: what was to go through
    without a person may not any more, so a person is asked."""
    done: list[str] = Field(default_factory=list)
    """Idempotency keys of the actions that are on the issue now."""
    failed: dict[str, str] = Field(default_factory=dict)
    """Idempotency key to the reason an action could not be made."""


def describe(action: Action) -> str:
    """One action in one line."""
    params = action.params
    match action.kind:
        case "create_issue":
            return "create the issue"
        case "set_field":
            return f"{params['field']} = {params['value']}"
        case "add_label":
            return f"label {params['label']}"
        case "add_comment":
            return f"{'PUBLIC' if params.get('public') else 'private'} comment: {params['text']}"
        case "link_issue":
            return f"link: {params['relation']} {params['to']}"
        case "withdraw_issue":
            return "withdraw the issue"
        case "reinstate_issue":
            return "take the issue's withdrawal back"
        case "clear_field":
            return f"{params['field']} emptied"
        case "remove_label":
            return f"no label {params['label']}"
        case "remove_comment":
            return f"comment {params['id']} removed"
        case "unlink_issue":
            return f"no link: {params['relation']} {params['to']}"
