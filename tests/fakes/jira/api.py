"""The REST operations of the stand-in, versions 2 and 3: from a request to the answer's JSON. Unserved ones say so by name."""

import re
from collections.abc import Callable
from typing import Any

from tests.fakes.jira import jql
from tests.fakes.jira.site import (
    LINK_TYPES,
    ME,
    OPTIONS,
    PERMISSIONS,
    SEVERITY,
    STATUSES,
    FakeIssue,
    FakeSite,
    RefusalError,
    moment,
)

Json = Any
Query = dict[str, str]
Handler = Callable[["Api", re.Match[str], Query, Json], tuple[int, Json]]
SCHEMAS: dict[str, dict[str, Any]] = {
    "summary": {"type": "string", "system": "summary"},
    "description": {"type": "string", "system": "description"},
    "environment": {"type": "string", "system": "environment"},
    "priority": {"type": "priority", "system": "priority"},
    "issuetype": {"type": "issuetype", "system": "issuetype"},
    "components": {"type": "array", "items": "component", "system": "components"},
    "versions": {"type": "array", "items": "version", "system": "versions"},
    "labels": {"type": "array", "items": "string", "system": "labels"},
    "assignee": {"type": "user", "system": "assignee"},
    SEVERITY: {
        "type": "option",
        "custom": "com.atlassian.jira.plugin.system.customfieldtypes:select",
        "customId": 10045,
    },
}
NAMES = {SEVERITY: "Severity", "versions": "Affects versions", "issuetype": "Issue Type"}


class Api:
    """Shapes answers for one site; `base` is the address it is reached by, `version` that of the request in hand."""

    def __init__(self, site: FakeSite) -> None:
        self.site, self.base, self.version = site, "http://127.0.0.1", "2"

    def answer(self, method: str, path: str, query: Query, body: Json) -> tuple[int, Json]:
        """Raises RefusalError: what the site refuses, 501 for what is not served here, 404 for what this deployment has not."""
        found = re.fullmatch(r"/rest/api/([23])(/.*)", path)
        if not found or (found.group(1) == "3" and not self.site.cloud):
            raise RefusalError(404, f"There is no {path} here.")
        self.version, rest = found.groups()
        for verb, pattern, handler in ROUTES:
            if verb == method and (matched := re.fullmatch(pattern, rest)):
                with self.site.lock:
                    return handler(self, matched, query, body)
        raise RefusalError(501, f"{method} {rest} is not served by this stand-in.")

    def user(self, name: str) -> Json:
        shown = {"displayName": self.site.people[name], "active": True, "self": f"{self.base}/rest/api/2/user?x={name}"}
        return shown | (
            {"accountId": name, "accountType": "atlassian"} if self.site.cloud else {"name": name, "key": name}
        )

    def issue(self, issue: FakeIssue, query: Query) -> Json:
        wanted = set(query.get("fields", "*all").split(","))
        fields = self.fields(issue)
        if "*all" not in wanted:
            fields = {name: value for name, value in fields.items() if name in wanted}
        shown = {"id": issue.id, "key": issue.key, "self": f"{self.base}/rest/api/2/issue/{issue.id}", "fields": fields}
        asked = query.get("properties", "").split(",")
        if asked != [""]:
            shown["properties"] = {k: v for k, v in issue.properties.items() if "*all" in asked or k in asked}
        if "names" in query.get("expand", ""):
            shown["names"] = {name: NAMES.get(name, name.capitalize()) for name in fields}
        return shown

    def fields(self, issue: FakeIssue) -> Json:
        held = issue.fields
        shown: dict[str, Any] = {name: held.get(name) for name in ("summary", "labels")}
        shown |= {name: self.text(held.get(name)) for name in ("description", "environment")}
        for name in OPTIONS:
            value = held.get(name)
            shown[name] = (
                [self.option(name, one) for one in value]
                if isinstance(value, list)
                else value and self.option(name, value)
            )
        status = held["status"]
        category = {"key": STATUSES[status], "name": status, "id": list(STATUSES).index(status) + 2}
        shown |= {
            "issuetype": {"id": "10004", "name": held["issuetype"], "subtask": False},
            "status": {"id": str(category["id"]), "name": status, "statusCategory": category},
            "project": {"id": "10000", "key": self.site.project, "name": "Payments", "projectTypeKey": "software"},
            "reporter": self.user(issue.reporter),
            "creator": self.user(issue.reporter),
            "assignee": self.user(held["assignee"]) if held.get("assignee") else None,
            "created": moment(issue.created),
            "updated": moment(issue.updated),
            "resolution": {"name": held["resolution"]} if held.get("resolution") else None,
            "resolutiondate": moment(issue.updated) if held.get("resolution") else None,
            "security": {"id": "1", "name": held["security"]} if held.get("security") else None,
            "attachment": [],
            "fixVersions": [],
            "issuelinks": [
                entry for number, link in self.site.links.items() if (entry := self.issue_link(number, link, issue))
            ],
            "comment": {
                "comments": [self.comment(one, {}) for one in issue.comments],
                "total": len(issue.comments),
                "startAt": 0,
            },
        }
        return shown

    def text(self, words: str | None) -> Json:
        if self.version == "2" or words is None:
            return words
        return {
            "type": "doc",
            "version": 1,
            "content": [{"type": "paragraph", "content": [{"type": "text", "text": words}]}],
        }

    def option(self, name: str, value: str) -> Json:
        number = next(number for number, option in self.site.options(name) if option == value)
        return {
            "id": number,
            ("value" if name == SEVERITY else "name"): value,
            "self": f"{self.base}/rest/api/2/x/{number}",
        }

    def issue_link(self, number: str, link: tuple[str, str, str], issue: FakeIssue) -> Json:
        """A link as one of its ends sees it: the other end only, on its own side."""
        name, inward, outward = link
        side = "outwardIssue" if inward == issue.id else "inwardIssue" if outward == issue.id else None
        if side is None:
            return None
        other = self.site.issues[outward if side == "outwardIssue" else inward]
        kind = next(t for t in LINK_TYPES if t[1] == name)
        return {
            "id": number,
            "type": self.link_type(kind),
            side: {"id": other.id, "key": other.key, "fields": {"summary": "…"}},
        }

    @staticmethod
    def link_type(kind: tuple[str, str, str, str]) -> Json:
        return dict(zip(("id", "name", "inward", "outward"), kind, strict=True))

    def comment(self, comment: dict[str, Any], query: Query) -> Json:
        shown = {
            "id": comment["id"], "self": f"{self.base}/rest/api/2/comment/{comment['id']}",
            "author": self.user(comment["author"]), "updateAuthor": self.user(comment["update_author"]),
            "body": self.text(comment["body"]) if isinstance(comment["body"], str) else comment["body"],
            "created": moment(comment["created"]), "updated": moment(comment["updated"]),
        }  # fmt: skip
        if comment["visibility"]:
            shown["visibility"] = (
                comment["visibility"] | {"identifier": "10002"} if self.site.cloud else comment["visibility"]
            )
        if self.site.service_desk:
            shown["jsdPublic"] = comment["properties"].get("sd.public.comment", {}).get("internal") is not True
        if "properties" in query.get("expand", ""):
            shown["properties"] = [{"key": key, "value": value} for key, value in comment["properties"].items()]
        return shown

    def metas(self, names: tuple[str, ...]) -> list[Json]:
        return [
            {
                "key": name,
                "name": NAMES.get(name, name.capitalize()),
                "required": name in ("summary", "issuetype"),
                "schema": SCHEMAS[name],
                "operations": ["add", "set", "remove"] if name in ("labels", "components") else ["set"],
                **(
                    {"allowedValues": [self.option(name, option) for _, option in self.site.options(name)]}
                    if name in OPTIONS
                    else {}
                ),
            }
            for name in names
        ]

    def page(self, found: list[FakeIssue], start: int, size: int, asked: Query) -> list[Json]:
        return [self.issue(issue, asked) for issue in found[start : start + size]]


def _create(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    issue = api.site.created_issue(body)
    return 201, {"id": issue.id, "key": issue.key, "self": f"{api.base}/rest/api/2/issue/{issue.id}"}


def _put_issue(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    issue = api.site.issue(at[1])
    api.site.count_write(issue)
    api.site.edit(issue, body)
    return 204, None


def _comments(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    found = sorted(
        api.site.issue(at[1]).comments, key=lambda c: int(c["id"]), reverse=query.get("orderBy") == "-created"
    )
    start, size = int(query.get("startAt", 0)), min(100, int(query.get("maxResults", 50)))
    some = [api.comment(one, query) for one in found[start : start + size]]
    return 200, {"startAt": start, "maxResults": size, "total": len(found), "comments": some}


def _comment(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    issue, number = api.site.issue(at[1]), at[2] if at.re.groups > 1 else None
    api.site.count_write(issue)
    if api.version == "3" and not isinstance(body.get("body"), dict):
        raise RefusalError(400, comment="Comment body is not valid!")
    return 201 if number is None else 200, api.comment(api.site.comment(issue, body, number), query)


def _property(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    issue = api.site.issue(at[1])
    api.site.require("EDIT_ISSUES")
    api.site.count_write(issue)
    new = at[2] not in issue.properties
    api.site.set_properties(issue.properties, {"properties": [{"key": at[2], "value": body}]})
    return 201 if new else 200, None


def _unlink(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    api.site.require("LINK_ISSUES")
    if api.site.links.pop(at[1], None) is None:
        raise RefusalError(404, "No issue link with this id exists.")
    return 204, None


def _link(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    api.site.link(body)
    return 201, None


def _moves(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    moves = api.site.moves(api.site.issue(at[1]))
    to = {
        name: {"id": str(n + 2), "name": name, "statusCategory": {"id": n + 2, "key": key, "name": name}}
        for n, (name, key) in enumerate(STATUSES.items())
    }
    return 200, {
        "expand": "transitions",
        "transitions": [{"id": number, "name": f"To {name}", "to": to[name]} for number, name in moves],
    }


def _move(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    issue = api.site.issue(at[1])
    api.site.count_write(issue)
    api.site.move(issue, body)
    return 204, None


def _search_jql(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    if not api.site.cloud:
        raise RefusalError(404, "There is no search/jql here.")
    found = jql.search(api.site, body["jql"])
    start, size = int(body.get("nextPageToken") or 0), min(100, int(body.get("maxResults", 50)))
    asked = {"fields": ",".join(body.get("fields") or ["id"]), "expand": body.get("expand", "")}
    more: Json = {"isLast": start + size >= len(found)}
    if not more["isLast"]:
        more["nextPageToken"] = str(start + size)
    if "names" in asked["expand"]:
        more["names"] = {name: NAMES.get(name, name.capitalize()) for name in SCHEMAS}
    return 200, {"issues": [_plain(one) for one in api.page(found, start, size, asked)], **more}


def _plain(issue: Json) -> Json:
    return {name: value for name, value in issue.items() if name != "names"}


def _search(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    if api.site.cloud:
        raise RefusalError(
            410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API (CHANGE-2046)."
        )
    found = jql.search(api.site, query["jql"])
    start, size = int(query.get("startAt", 0)), min(100, int(query.get("maxResults", 50)))
    issues = [_plain(one) for one in api.page(found, start, size, {"fields": query.get("fields", "*all")})]
    more = {"names": {name: NAMES.get(name, name) for name in SCHEMAS}} if "names" in query.get("expand", "") else {}
    return 200, {"startAt": start, "maxResults": size, "total": len(found), "issues": issues, **more}


def _count(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    return 200, {"count": len(jql.search(api.site, body["jql"]))}


def _types(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    types = [{"id": "10004", "name": "Bug", "subtask": False}] if "CREATE_ISSUES" not in api.site.denied else []
    name = "issueTypes" if api.site.cloud else "values"
    return 200, {name: types, "startAt": 0, "maxResults": 50, "total": len(types)}


def _type(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    names = ("summary", "description", "environment", "issuetype", "labels", "components", "priority", SEVERITY)
    entries = [{**meta, "fieldId": meta["key"]} for meta in api.metas(names)]
    return 200, {
        "fields" if api.site.cloud else "values": entries,
        "startAt": 0,
        "maxResults": 200,
        "total": len(entries),
    }


def _edit_meta(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    api.site.issue(at[1])
    return 200, {"fields": {meta["key"]: meta for meta in api.metas(tuple(SCHEMAS))}}


def _all_fields(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    return 200, [
        {"id": n, "key": n, "name": NAMES.get(n, n.capitalize()), "custom": n == SEVERITY, "navigable": True, "searchable": True,
         "orderable": True, "clauseNames": [n], "schema": schema}
        for n, schema in SCHEMAS.items()
    ]  # fmt: skip


def _permissions(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    asked = query.get("permissions")
    if asked is None and api.site.cloud:
        raise RefusalError(400, "The permissions query parameter is required.")
    wanted = asked.split(",") if asked else PERMISSIONS
    found = {
        key: {"id": "1", "key": key, "name": key, "type": "PROJECT", "havePermission": key not in api.site.denied}
        for key in wanted
    }
    return 200, {"permissions": found}


def _assignable(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    word = (query.get("query" if api.site.cloud else "username") or "").casefold()
    return 200, [api.user(name) for name, shown in api.site.people.items() if word in shown.casefold() or word in name]


def _server(api: Api, at: re.Match[str], query: Query, body: Json) -> tuple[int, Json]:
    cloud = api.site.cloud
    return 200, {
        "baseUrl": api.base,
        "version": "1001.0.0" if cloud else "10.3.0",
        "versionNumbers": [10, 3, 0],
        "buildNumber": 100,
        "deploymentType": "Cloud" if cloud else "Server",
        "serverTime": moment(api.site.clock()),
        "serverTitle": "Jira",
    }


I = r"/issue/([^/]+)"  # noqa: E741
ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/serverInfo", _server),
    ("GET", "/myself", lambda api, at, query, body: (200, api.user(ME))),
    ("GET", "/mypermissions", _permissions),
    ("GET", "/field", _all_fields),
    (
        "GET",
        "/issueLinkType",
        lambda api, at, query, body: (200, {"issueLinkTypes": [api.link_type(t) for t in LINK_TYPES]}),
    ),
    (
        "GET",
        "/project/[^/]+/role",
        lambda api, at, query, body: (200, {"Developers": f"{api.base}/rest/api/2/project/1/role/1"}),
    ),
    ("GET", "/user/assignable/search", _assignable),
    ("GET", "/search", _search),
    ("POST", "/search/jql", _search_jql),
    ("POST", "/search/approximate-count", _count),
    ("GET", "/issue/createmeta/[^/]+/issuetypes", _types),
    ("GET", "/issue/createmeta/[^/]+/issuetypes/[^/]+", _type),
    ("POST", "/issue", _create),
    ("POST", "/issueLink", _link),
    ("DELETE", "/issueLink/([^/]+)", _unlink),
    ("GET", I, lambda api, at, query, body: (200, api.issue(api.site.issue(at[1]), query))),
    ("PUT", I, _put_issue),
    ("GET", f"{I}/editmeta", _edit_meta),
    ("GET", f"{I}/comment", _comments),
    ("POST", f"{I}/comment", _comment),
    ("PUT", f"{I}/comment/([0-9]+)", _comment),
    ("GET", f"{I}/transitions", _moves),
    ("POST", f"{I}/transitions", _move),
    ("PUT", f"{I}/properties/([^/]+)", _property),
    (
        "GET",
        f"{I}/properties/([^/]+)",
        lambda api, at, query, body: (200, {"key": at[2], "value": api.site.issue(at[1]).properties[at[2]]}),
    ),
]
