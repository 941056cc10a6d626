"""The little JQL that the stand-in understands; anything else is refused, never ignored."""

import re
from datetime import UTC, datetime

from tests.fakes.jira.site import STATUSES, FakeIssue, FakeSite, RefusalError

_CLAUSE = re.compile(r"^(\w+|\"Epic Link\")\s*(=|!=|>=|<=|<|>|in)\s*(.+)$", re.IGNORECASE)
_ORDER = re.compile(r"\s+order\s+by\s+(\w+)(?:\s+(asc|desc))?\s*$", re.IGNORECASE)


def search(site: FakeSite, jql: str) -> list[FakeIssue]:
    """The issues that the index holds and the query means, in order. Raises RefusalError 400."""
    found, ordering = site.indexed(), _ORDER.search(jql)
    where = jql[: ordering.start()] if ordering else jql
    if site.cloud and not where.strip():
        raise RefusalError(
            400, "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
        )
    for clause in re.split(r"\s+and\s+", where.strip(), flags=re.IGNORECASE) if where.strip() else []:
        found = [issue for issue in found if _holds(site, issue, clause)]
    field, descending = (
        (ordering.group(1).lower(), (ordering.group(2) or "asc").lower() == "desc") if ordering else ("id", False)
    )
    if field not in ("id", "key", "created", "updated"):
        raise RefusalError(400, f"Not able to sort using field '{field}'.")
    keys = {
        "id": lambda i: int(i.id),
        "key": lambda i: i.key,
        "created": lambda i: (i.created, i.id),
        "updated": lambda i: (i.updated, i.id),
    }
    return sorted(found, key=keys[field], reverse=descending)


def _holds(site: FakeSite, issue: FakeIssue, clause: str) -> bool:
    parsed = _CLAUSE.match(clause.strip())
    if not parsed:
        raise RefusalError(400, f"Error in the JQL Query: {clause}")
    field, sign, raw = parsed.group(1).strip('"').lower(), parsed.group(2).lower(), parsed.group(3).strip()
    words = [word.strip().strip("\"'") for word in raw.strip("()").split(",")] if sign == "in" else [raw.strip("\"'")]
    if field in ("created", "updated") and sign in (">=", "<=", "<", ">"):
        at, limit = getattr(issue, field), _moment(site, words[0])
        return {">=": at >= limit, "<=": at <= limit, "<": at < limit, ">": at > limit}[sign]
    if sign not in ("=", "!=", "in"):
        raise RefusalError(400, f"The operator '{sign}' is not supported by the '{field}' field.")
    held = {
        "project": [issue.key.rpartition("-")[0]], "key": [issue.key], "id": [issue.id], "labels": issue.fields["labels"],
        "issuetype": [issue.fields["issuetype"]], "status": [issue.fields["status"]],
        "parent": [issue.fields.get("parent") or ""], "epic link": [issue.fields.get("epic_link") or ""],
        "statuscategory": [STATUSES[issue.fields["status"]]],
    }.get(field)  # fmt: skip
    if held is None:
        raise RefusalError(400, f"Field '{field}' does not exist or you do not have permission to view it.")
    any_of = any(word.casefold() in (value.casefold() for value in held) for word in words)
    return any_of if sign != "!=" else not any_of


def _moment(site: FakeSite, word: str) -> float:
    if ago := re.fullmatch(r"-(\d+)([mhdw])", word):
        return site.clock() - int(ago.group(1)) * {"m": 60, "h": 3600, "d": 86400, "w": 604800}[ago.group(2)]
    for form in ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d"):
        try:
            return datetime.strptime(word, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    raise RefusalError(400, f"Date value '{word}' is invalid.")
