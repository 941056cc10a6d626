"""The Agent Inbox shape: a review as existing LangGraph inboxes render it, and their answers as our decisions."""

import re
import unicodedata
from typing import Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from qa_agents.checkpoint.schema import Decision, Review
from qa_agents.errors import InvalidInputError

ACTION = "decide_review"
MAX_LINE_CHARS = 300
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
"""Inert also where a client takes markdown for HTML."""
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


class ActionRequest(TypedDict):
    """What would be done: the name of the action, and its arguments as a person may edit them."""

    action: str
    args: dict[str, Any]


class HumanInterruptConfig(TypedDict):
    """What a person may answer."""

    allow_accept: bool
    allow_edit: bool
    allow_respond: bool
    allow_ignore: bool


class HumanInterrupt(TypedDict):
    """One thing that waits."""

    action_request: ActionRequest
    config: HumanInterruptConfig
    description: str


class Edited(BaseModel):
    """The action as an inbox gives it back."""

    model_config = ConfigDict(extra="forbid")

    action: str
    args: dict[str, Any]


class HumanResponse(BaseModel):
    """One answer: `args` are None, a text, or (accept, edit) the action with its arguments."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["accept", "edit", "response", "ignore"]
    args: str | Edited | None = None


_RESPONSES: TypeAdapter[HumanResponse | list[HumanResponse]] = TypeAdapter(HumanResponse | list[HumanResponse])


def with_agent_inbox(shown: dict[str, Any]) -> dict[str, Any]:
    """What is shown with the keys of a HumanInterrupt beside its own: inboxes look for them in the interrupt itself."""
    return {**shown, **as_agent_inbox(shown)}


def as_agent_inbox(shown: dict[str, Any]) -> HumanInterrupt:
    """The review as one action, for it is decided as a whole. Editable arguments are the fields that may be edited.

    Only an approval can be answered there; a sign-off or a question needs more than the shape can carry and allows nothing.
    """
    is_approval = shown.get("form", "approval") == "approval"
    return {
        "action_request": {"action": ACTION, "args": _fields(shown)},
        "config": {
            "allow_accept": is_approval,
            "allow_edit": is_approval and bool(shown.get("editable")),
            "allow_respond": is_approval,
            "allow_ignore": is_approval,
        },
        "description": _description(shown),
    }


def from_agent_inbox(answer: object, review: Review, reviewer: str) -> Decision:
    """An inbox's answer as a decision about what this review showed: accept, edit, response and ignore become approve, edit,
    ask_reporter and reject.

    Values that were not changed are no edits. Raises InvalidInputError for anything that is no such answer, or is not allowed.
    """
    response = _one(answer)
    about = {"review_id": review.review_id, "reviewer": reviewer, "digest": review.digest}
    _check_allowed(response, review)
    try:
        return Decision.model_validate({**about, **_meaning(response, review.shown)})
    except ValidationError as error:
        raise InvalidInputError(
            f"This answer is no decision: {error.errors()[0]['msg'].removeprefix('Value error, ')}."
        ) from None


def _one(answer: object) -> HumanResponse:
    try:
        parsed = _RESPONSES.validate_python(answer)
    except ValidationError:
        raise InvalidInputError(
            "This is no Agent Inbox answer.",
            hint='Send [{"type": "accept" | "edit" | "response" | "ignore", "args": …}].',
        ) from None
    if isinstance(parsed, HumanResponse):
        return parsed
    if len(parsed) != 1:
        raise InvalidInputError(f"A review takes one answer, not {len(parsed)}.", hint="It is decided as a whole.")
    return parsed[0]


def _check_allowed(response: HumanResponse, review: Review) -> None:
    config = as_agent_inbox(review.shown)["config"]
    allowed = {
        "accept": config["allow_accept"],
        "edit": config["allow_edit"],
        "response": config["allow_respond"],
        "ignore": config["allow_ignore"],
    }
    if not allowed[response.type]:
        raise InvalidInputError(
            f"{review.review_id} cannot be answered with {response.type}.",
            hint=f"`qa-agents review show {review.review_id}` shows what can be answered.",
        )


def _meaning(response: HumanResponse, shown: dict[str, Any]) -> dict[str, Any]:
    match response.type:
        case "accept":
            if _is_changed(response.args, shown):
                raise InvalidInputError("An accepted answer changes no values.", hint="Send it as edit.")
            return {"verdict": "approve"}
        case "ignore":
            return {"verdict": "reject", "reason_code": "other", "note": _text(response.args)}
        case "response":
            question = _text(response.args).strip()
            if not question:
                raise InvalidInputError("A response needs a text: it is what the reporter is asked.")
            return {"verdict": "ask_reporter", "questions": [question]}
        case "edit":
            edits = _changed(response.args, shown)
            return {"verdict": "edit", "edits": edits, "reason_code": "other"} if edits else {"verdict": "approve"}


def _changed(args: str | Edited | None, shown: dict[str, Any]) -> dict[str, str]:
    if args is None or isinstance(args, str):
        raise InvalidInputError("An edit needs the action with its arguments.")
    offered = _fields(shown)
    foreign = sorted(set(args.args) - set(offered))
    if foreign:
        raise InvalidInputError(f"{foreign[0][:80]} cannot be edited here.", hint=f"Editable are {', '.join(offered)}.")
    changed = {name: value for name, value in args.args.items() if value != offered[name]}
    if any(not isinstance(value, str) or not value.strip() for value in changed.values()):
        raise InvalidInputError("An edited value must be a text.", hint="Leave a field as it was to keep it.")
    return {name: value.strip() for name, value in changed.items()}


def _is_changed(args: str | Edited | None, shown: dict[str, Any]) -> bool:
    return args is not None and not isinstance(args, str) and args.args != _fields(shown)


def _text(args: str | Edited | None) -> str:
    return args if isinstance(args, str) else ""


def _fields(shown: dict[str, Any]) -> dict[str, str]:
    """Every editable field with its proposed value, empty where none is proposed."""
    proposed = {
        action["params"]["field"]: str(action["params"]["value"])
        for action in shown.get("actions", ())
        if action.get("kind") == "set_field"
    }
    return {name: proposed.get(name, "") for name in shown.get("editable", ())}


def _description(shown: dict[str, Any]) -> str:
    """Markdown that says what the review is about; report text in it is inert."""
    lines = [f"**{_plain(shown.get('target', ''), 80)}: {_plain(shown.get('summary', ''))}**", ""]
    if shown.get("gate"):
        lines += [f"Gate: {_plain(shown['gate'])}; rules: {_plain(', '.join(shown.get('rules', ())) or 'none')}", ""]
    lines += [f"- {_action(action)}" for action in shown.get("actions", ())] or ["Nothing would be written."]
    return "\n".join(lines)


def _action(action: dict[str, Any]) -> str:
    params = action.get("params", {})
    told = ", ".join(f"{name}: {value}" for name, value in params.items())
    return f"{_plain(action.get('kind', ''))} {_plain(action.get('target', ''), 80)}: {_plain(told)}"


def _plain(text: object, limit: int = MAX_LINE_CHARS) -> str:
    """One line in which nothing is markup: no link, image, mention or heading can come of it; cut visibly."""
    head = str(text)[: limit * 4]
    visible = "".join(c for c in head if c.isspace() or unicodedata.category(c) not in _INVISIBLE)
    line = " ".join(visible.split())
    shown = line if len(line) <= limit and len(head) == len(str(text)) else f"{line[: limit - 1]}…"
    return _PUNCTUATION.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), shown)
