"""Whether a Jira site is as the settings say, and whether the account may do there what it will be asked to. Writes nothing."""

import hashlib
import hmac
from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel

from qa_agents.errors import QAAgentsError
from qa_agents.trackers.jira import API, JiraTracker
from qa_agents.trackers.jira_fields import SYSTEM_FIELDS, account_of, candidates, field_by_id
from qa_agents.trackers.jira_json import at, items, table, text

MAX_SKEW_SECONDS = 120.0
NEEDED = {
    "read issues": "BROWSE_PROJECTS", "comment": "ADD_COMMENTS", "withdraw a comment": "EDIT_OWN_COMMENTS",
    "set fields and labels": "EDIT_ISSUES", "link": "LINK_ISSUES", "create issues": "CREATE_ISSUES",
}  # fmt: skip
"""What we do, and the permission that it takes."""
VECTOR = (
    "It's a Secret to Everybody",
    b"Hello World!",
    "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
)
"""Atlassian's published example of a webhook signature: secret, body, SHA-256 HMAC."""


class Check(BaseModel):
    """One thing that was looked at."""

    name: str
    level: Literal["ok", "note", "problem"]
    says: str
    do: str = ""


def examine(tracker: JiraTracker) -> list[Check]:
    """Every check; one that fails is a finding and ends nothing."""
    found: list[Check] = []
    for check in (_server, _account, _permissions, _fields, _links, _creation, _audience):
        try:
            found.extend(check(tracker))
        except QAAgentsError as error:
            found.append(Check(name=check.__name__.strip("_"), level="problem", says=error.message, do=error.hint))
    return [*found, *_clock(tracker), _signature()]


def _server(tracker: JiraTracker) -> Iterator[Check]:
    info = tracker.http.read(f"{API}/serverInfo")
    kind, version = text(info, "deploymentType") or "unknown", text(info, "version") or "?"
    is_cloud = kind == "Cloud"
    if is_cloud != (tracker.settings.deployment == "cloud"):
        do = f'Set `jira.deployment = "{"cloud" if is_cloud else "dc"}"`.'
        yield Check(name="server", level="problem", says=f"It is Jira {kind} {version}, and not as configured.", do=do)
    else:
        yield Check(name="server", level="ok", says=f"Jira {kind} {version} at {tracker.settings.base_url}")


def _account(tracker: JiraTracker) -> Iterator[Check]:
    me = tracker.http.read(f"{API}/myself")
    name = f"{text(me, 'displayName') or '?'} ({account_of(me) or '?'})"
    if at(me, "active") is False:
        yield Check(name="account", level="problem", says=f"{name} is not active.", do="Use another account.")
    else:
        yield Check(name="account", level="ok", says=f"We write as {name}; its events are ignored.")


def _permissions(tracker: JiraTracker) -> Iterator[Check]:
    needed = NEEDED | ({"move issues": "TRANSITION_ISSUES"} if tracker.settings.transitions else {})
    if not tracker.settings.projects:
        yield Check(name="permissions", level="note", says="No project is named.", do="Set `jira.projects`.")
    for project in tracker.settings.projects:
        asked = {"projectKey": project, "permissions": ",".join(needed.values())}
        held = table(tracker.http.read(f"{API}/mypermissions", asked), "permissions")
        missing = [what for what, key in needed.items() if at(held, key, "havePermission") is not True]
        if missing:
            says = f"In {project} this account may not: {', '.join(missing)}."
            yield Check(name="permissions", level="problem", says=says, do="Grant it, or keep these in shadow mode.")
        else:
            yield Check(name="permissions", level="ok", says=f"{project}: {', '.join(needed)}")


def _fields(tracker: JiraTracker) -> Iterator[Check]:
    answer = tracker.http.read(f"{API}/field")
    known = answer if isinstance(answer, list) else []
    for name, field in tracker.fields.ids.items():
        if SYSTEM_FIELDS.get(name) == field:
            continue
        found = field_by_id(known, field)
        if found is None:
            yield Check(
                name="fields", level="problem", says=f"There is no field {field} for {name}.", do="Correct its id."
            )
            continue
        schema = f"{text(found, 'schema', 'type')}, {text(found, 'schema', 'custom') or 'system'}"
        yield Check(name="fields", level="ok", says=f"{name} is {field} “{text(found, 'name')}” ({schema})")
    if "severity" not in tracker.fields.ids:
        like = "; ".join(f"{number} “{name}”" for number, name, _ in candidates(known, "severity"))
        do = f"Set `jira.severity_field`; these are called so: {like}." if like else "Set `jira.severity_field`."
        yield Check(name="fields", level="note", says="Severity is not written: no field holds it.", do=do)


def _links(tracker: JiraTracker) -> Iterator[Check]:
    """The direction, without writing: our new issue is always sent as the inward one, which is the subject of the type's
    outward wording. A site that turned its type around would make the original a duplicate of the new one.
    """
    types = items(tracker.http.read(f"{API}/issueLinkType"), "issueLinkTypes")
    for relation, wanted in tracker.settings.link_types.items():
        kind = next((t for t in types if (text(t, "name") or "").casefold() == wanted.casefold()), None)
        outward = (text(kind, "outward") or "").casefold()
        if kind is None:
            names = ", ".join(sorted(text(t, "name") or "" for t in types))
            do = f"Set `jira.link_types`; there are: {names}."
            yield Check(name="links", level="problem", says=f"There is no link type {wanted} for “{relation}”.", do=do)
        elif outward.endswith(" by"):
            says = f"{wanted} is turned around: NEW “{outward}” ORIGINAL would be said for “{relation}”."
            yield Check(name="links", level="problem", says=says, do="Choose another type in `jira.link_types`.")
        else:
            yield Check(name="links", level="ok", says=f"“{relation}”: NEW “{outward}” ORIGINAL ({wanted})")


def _creation(tracker: JiraTracker) -> Iterator[Check]:
    for project in tracker.settings.projects[:1]:
        page = tracker.http.read(f"{API}/issue/createmeta/{quote(project, safe='')}/issuetypes")
        names = [text(t, "name") or "" for t in (items(page, "issueTypes") or items(page, "values"))]
        wanted = tracker.settings.issue_type
        if wanted in names:
            yield Check(name="creation", level="ok", says=f"New issues become {wanted} in {project}.")
        else:
            do = f"Set `jira.issue_type`; there are: {', '.join(names) or 'none that it may create'}."
            yield Check(name="creation", level="note", says=f"{project} has no issue type {wanted} for us.", do=do)


def _audience(tracker: JiraTracker) -> Iterator[Check]:
    settings = tracker.settings
    if settings.visibility is None:
        if settings.jsm_internal:
            yield Check(name="audience", level="ok", says="Private comments are internal notes.")
            return
        do = "Set `jira.visibility` to a role or group, or `jira.jsm_internal`."
        yield Check(name="audience", level="problem", says="No private comment can be written.", do=do)
        return
    named = f"{settings.visibility.type} {settings.visibility.value}"
    if settings.visibility.type == "role" and settings.projects:
        roles = table(tracker.http.read(f"{API}/project/{quote(settings.projects[0], safe='')}/role"))
        if settings.visibility.value not in roles:
            do = f"There are: {', '.join(sorted(roles))}."
            yield Check(name="audience", level="problem", says=f"There is no {named} in {settings.projects[0]}.", do=do)
            return
    yield Check(name="audience", level="ok", says=f"Private comments are for the {named}.")


def _clock(tracker: JiraTracker) -> Iterator[Check]:
    skew = tracker.http.skew
    if skew is None:
        yield Check(name="clock", level="note", says="Jira did not say what time it has.")
    elif abs(skew) > MAX_SKEW_SECONDS:
        says = f"This machine's clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} Jira's."
        yield Check(name="clock", level="problem", says=says, do="Set the clock: polling and deadlines go by it.")
    else:
        yield Check(name="clock", level="ok", says=f"{abs(skew):.0f} s apart from Jira's")


def _signature() -> Check:
    secret, body, expected = VECTOR
    if hmac.compare_digest(hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(), expected):
        return Check(name="signatures", level="ok", says="Atlassian's example of a webhook signature is reproduced.")
    return Check(
        name="signatures", level="problem", says="Atlassian's example of a webhook signature is not reproduced."
    )
