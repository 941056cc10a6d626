"""What each kind of action does to an issue held as plain data, and what would undo it. Pure."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from qa_agents.errors import ConflictError
from qa_agents.storage.canonical import digest_of
from qa_agents.trackers.schema import Action, ActionKind, Applied

ISSUE_PARTS = ("fields", "labels", "comments", "links")
WITHDRAWN_STATUS = "Withdrawn"
WITHDRAWN_LABEL = "withdrawn"
Record = dict[str, Any]


def new_issue() -> Record:
    """An issue with nothing in it."""
    return {"fields": {}, "labels": [], "comments": [], "links": []}


def change(action: Action, record: Record | None) -> tuple[Record, Applied]:
    """The issue after the action (the given one is left as it was), and how to restore it.

    An action that is true of the issue already changes nothing and has no inverse. Raises ConflictError when the issue to
    create exists, or when the place to change does not hold what the action expects.
    """
    if record is not None and action.kind == "create_issue":
        raise ConflictError(f"The issue {action.target} exists already.")
    changed = copy.deepcopy(record) if record is not None else new_issue()
    step = _CHANGES[action.kind](changed, action.params)
    if step is None:
        return changed, Applied()
    kind, params = step
    inverse = Action(kind=kind, target=action.target, params=params, because="undo")
    before, after = seen(inverse, record), seen(inverse, changed)
    expected = action.params.get("expect")
    if expected is not None and digest_of(before) != expected:
        raise ConflictError(f"{action.target} was changed since; it is left as it is.")
    inverse = inverse.model_copy(update={"params": {**params, "expect": digest_of(after)}})
    return changed, Applied(before=before, after=after, inverse=inverse)


def seen(action: Action, issue: Mapping[str, Any] | None) -> dict[str, Any]:
    """What stands in the place that the action changes: `{value}`, `{label}`, `{comment}`, `{link}` or, for creating and
    withdrawing, the whole `{issue}`. Empty when nothing stands there.
    """
    if issue is None:
        return {}
    params = action.params
    match action.kind:
        case "create_issue" | "withdraw_issue" | "reinstate_issue":
            return {"issue": {name: issue[name] for name in ISSUE_PARTS}}
        case "set_field" | "clear_field":
            fields = issue["fields"]
            return {"value": fields[params["field"]]} if params["field"] in fields else {}
        case "add_label" | "remove_label":
            return {"label": params["label"]} if params["label"] in issue["labels"] else {}
        case "add_comment" | "remove_comment":
            return next(({"comment": c} for c in issue["comments"] if c.get("id") == params.get("id", "")), {})
        case "link_issue" | "unlink_issue":
            return {"link": _link(params)} if _link(params) in issue["links"] else {}


Step = tuple[ActionKind, Record] | None
"""Kind and parameters of the inverse; None when nothing was changed."""


def _create_issue(record: Record, params: Record) -> Step:
    record["fields"] = dict(params["fields"])
    return "withdraw_issue", {}


def _withdraw_issue(record: Record, params: Record) -> Step:
    labels = record["labels"]
    at = labels.index(WITHDRAWN_LABEL) if WITHDRAWN_LABEL in labels else len(labels)
    return _mark(record, {"status": WITHDRAWN_STATUS, "at": at})


def _mark(record: Record, params: Record) -> Step:
    """Set the status to `status` and the label of withdrawal to index `at`; an absent one is removed."""
    fields, labels = record["fields"], record["labels"]
    earlier = {"status": fields["status"]} if "status" in fields else {}
    if WITHDRAWN_LABEL in labels:
        earlier["at"] = labels.index(WITHDRAWN_LABEL)
        labels.remove(WITHDRAWN_LABEL)
    fields.pop("status", None)
    if "status" in params:
        fields["status"] = params["status"]
    if "at" in params:
        _put(labels, WITHDRAWN_LABEL, params)
    wanted = {name: params[name] for name in ("status", "at") if name in params}
    return None if wanted == earlier else ("reinstate_issue", earlier)


def _set_field(record: Record, params: Record) -> Step:
    name, value, fields = params["field"], params["value"], record["fields"]
    present, before = name in fields, fields.get(name)
    if present and before == value and type(before) is type(value):
        return None
    fields[name] = value
    return ("set_field", {"field": name, "value": before}) if present else ("clear_field", {"field": name})


def _clear_field(record: Record, params: Record) -> Step:
    name, fields = params["field"], record["fields"]
    if name not in fields:
        return None
    return "set_field", {"field": name, "value": fields.pop(name)}


def _add_label(record: Record, params: Record) -> Step:
    if params["label"] in record["labels"]:
        return None
    _put(record["labels"], params["label"], params)
    return "remove_label", {"label": params["label"]}


def _remove_label(record: Record, params: Record) -> Step:
    labels = record["labels"]
    if params["label"] not in labels:
        return None
    at = labels.index(params["label"])
    return "add_label", {"label": labels.pop(at), "at": at}


def _add_comment(record: Record, params: Record) -> Step:
    taken = {comment.get("id") for comment in record["comments"]}
    number = params.get("id", max((n for n in taken if isinstance(n, int)), default=0) + 1)
    if number in taken:
        return None
    comment = {"id": number, "public": bool(params.get("public")), "text": params["text"]}
    _put(record["comments"], comment, params)
    return "remove_comment", {"id": number}


def _remove_comment(record: Record, params: Record) -> Step:
    comments = record["comments"]
    at = next((at for at, comment in enumerate(comments) if comment.get("id") == params["id"]), None)
    if at is None:
        return None
    gone = comments.pop(at)
    return "add_comment", {"text": gone["text"], "public": gone.get("public", False), "id": gone["id"], "at": at}


def _link_issue(record: Record, params: Record) -> Step:
    link = _link(params)
    if link in record["links"]:
        return None
    _put(record["links"], link, params)
    return "unlink_issue", link


def _unlink_issue(record: Record, params: Record) -> Step:
    link, links = _link(params), record["links"]
    if link not in links:
        return None
    at = links.index(link)
    return "link_issue", {**links.pop(at), "at": at}


def _link(params: Mapping[str, Any]) -> Record:
    return {"to": params["to"], "relation": params["relation"]}


def _put(items: list[Any], item: Any, params: Record) -> None:
    """At the end, or where it once stood."""
    items.insert(params.get("at", len(items)), item)


_CHANGES: dict[ActionKind, Callable[[Record, Record], Step]] = {
    "create_issue": _create_issue,
    "withdraw_issue": _withdraw_issue,
    "reinstate_issue": _mark,
    "set_field": _set_field,
    "clear_field": _clear_field,
    "add_label": _add_label,
    "remove_label": _remove_label,
    "add_comment": _add_comment,
    "remove_comment": _remove_comment,
    "link_issue": _link_issue,
    "unlink_issue": _unlink_issue,
}
