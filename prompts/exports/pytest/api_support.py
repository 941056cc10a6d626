"""Speaks to the API under test for the generated tests beside it. Copied into their folder; needs httpx, jsonschema and pytest.

Settings, from the environment:
API_BASE_URL     where the API is (required), with the common path prefix, without a slash at its end
API_TOKEN        a credential; without it one is made by registering, where the API offers that
API_OTHER_TOKEN  a credential of somebody else
API_AUTH         how it is sent, `Header: value with {token}` (default: by the API description)
API_EXISTING     JSON object: path parameter to the key of something that exists, for what these tests cannot create
"""

import copy
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

HERE = Path(__file__).parent
TOKENS = ("token", "access_token", "accessToken", "jwt")
UNIQUE = re.compile(r"email|user|login|title|name|slug|code|key|number", re.IGNORECASE)
"""Properties whose values must often be unique: they get a fresh ending in every request that creates something."""
TIMES = re.compile(r"(updated|modified|changed|last)", re.IGNORECASE)
"""Properties that change whenever something else does."""

_DESCRIPTION = json.loads((HERE / "operations.json").read_text("utf-8"))
OPERATIONS: list[dict[str, Any]] = _DESCRIPTION["operations"]
AUTH: str = os.environ.get("API_AUTH") or _DESCRIPTION["auth"]


FORMATS = jsonschema.FormatChecker()


@FORMATS.checks("date-time", raises=ValueError)
def is_moment(value: object) -> bool:
    """Whether a text is a moment as RFC 3339 writes it; other types are none of this check's business."""
    return not isinstance(value, str) or (
        "T" in value.upper() and datetime.fromisoformat(value.replace("Z", "+00:00")) is not None
    )


class Answer:
    """What came back."""

    def __init__(self, response: httpx.Response, asked: str) -> None:
        self.status = response.status_code
        self.text = response.text
        self.asked = asked

    @property
    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    def expect(self, *statuses: int, schema: str | None = None) -> "Answer":
        """Fail unless the status is one of these, and the body fits the documented schema of that name."""
        assert self.status in statuses, (
            f"{self.asked}: status {self.status}, expected {statuses}; body {self.text[:300]!r}"
        )
        if schema is not None:
            jsonschema.validate(self.json, _DESCRIPTION["schemas"][schema], format_checker=FORMATS)
        return self

    @property
    def ok(self) -> bool:
        """Whether it says success."""
        return 200 <= self.status < 300


class Api:
    """One caller's view of the API under test."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._credentials: dict[str, str] = {}
        self._made: dict[str, Any] = {}
        self.registered: dict[str, Any] | None = None
        """The body that the credential was registered with."""

    def send(
        self,
        method: str,
        path: str,
        *,
        path_params: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: str = "none",
        body: Any = None,
        raw_body: str | None = None,
        content_type: str = "application/json",
        unique: bool = True,
    ) -> Answer:
        """One request. Path parameters that are None are filled with the key of something that exists."""
        filled = self._filled(path, dict(path_params or {}))
        sent = dict(headers or {})
        content: bytes | None = None
        if raw_body is not None:
            content = raw_body.encode()
        elif body is not None:
            content = json.dumps(self._prepared(method, path, body) if unique else body).encode()
        if content is not None:
            sent["Content-Type"] = content_type
        if auth != "none":
            name, _, value = AUTH.partition(":")
            token = self.credential(auth) if auth in ("valid", "other") else f"invalid-{uuid.uuid4().hex}"
            sent[name.strip()] = value.strip().replace("{token}", token)
        response = self._client.request(method, filled, params=dict(query or {}), headers=sent, content=content)
        return Answer(response, f"{method} {filled}")

    def credential(self, whose: str = "valid") -> str:
        """A credential of the caller, or of somebody else (`other`). Skips the test where none can be had."""
        given = os.environ.get("API_TOKEN" if whose == "valid" else "API_OTHER_TOKEN")
        if given:
            return given
        if whose not in self._credentials:
            self._credentials[whose] = self._register(keep=whose == "valid")
        return self._credentials[whose]

    def existing(self, path: str, name: str) -> Any:
        """The key of something that exists for `{name}` in `path`: created now where the API offers it."""
        given = json.loads(os.environ.get("API_EXISTING", "{}"))
        if name in given:
            return given[name]
        before = path[: path.index("{" + name + "}")].rstrip("/")
        slot = f"{before} {name}"
        if slot not in self._made:
            self._made[slot] = self._create(before, name)
        return self._made[slot]

    def create(self, path: str, body: Any = None) -> Any:
        """Create something by POST on `path`; the answer's JSON."""
        operation = operation_of("POST", path)
        answer = self.send(
            "POST",
            path,
            path_params=dict.fromkeys(parameters_in(path)),
            auth="valid" if operation["secured"] else "none",
            body=operation["body"] if body is None else body,
            unique=body is None,
        )
        assert answer.ok, f"{answer.asked}: nothing could be created, status {answer.status}; {answer.text[:300]!r}"
        return answer.json

    def _prepared(self, method: str, path: str, body: Any) -> Any:
        """The body as a valid request needs it: own values where it creates, those of the registration where it logs in."""
        if method != "POST":
            return body
        if any(one["path"] == path for one in registrations()[1:]):
            self.credential()
            return overlay(body, self.registered) if self.registered is not None else body
        return fresh(body)

    def _filled(self, path: str, params: dict[str, Any]) -> str:
        url = path
        for name in parameters_in(path):
            value = params.get(name)
            if value is None:
                value = self.existing(path, name)
            url = url.replace("{" + name + "}", httpx.URL("/").copy_with(path=f"/{value}").raw_path.decode()[1:])
        return url

    def _create(self, collection: str, name: str) -> Any:
        if any(one["method"] == "POST" and one["path"] == collection for one in OPERATIONS):
            found = find(self.create(collection), name)
            if found is not None:
                return found
        # Somebody else registers: the key of an existing person, say.
        for one in registrations():
            answer = self.send("POST", one["path"], body=one["body"])
            found = find(answer.json, name) if answer.ok else None
            if found is not None:
                return found
        pytest.skip(f"nothing to use for {{{name}}} in {collection}: name it in API_EXISTING")

    def _register(self, *, keep: bool) -> str:
        for one in registrations():
            body = fresh(one["body"])
            answer = self.send("POST", one["path"], body=body, unique=False)
            token = next((value for key in TOKENS if (value := find(answer.json, key))), None) if answer.ok else None
            if token:
                if keep:
                    self.registered = body
                return str(token)
        pytest.skip("no credential: set API_TOKEN")


def registrations() -> list[dict[str, Any]]:
    """Operations that anybody may call to get a credential; those that create (201) first."""
    found = [one for one in OPERATIONS if one["method"] == "POST" and one["gives_token"] and not one["secured"]]
    return sorted(found, key=lambda one: (one["success"] != 201, -len(one["body_names"])))


def operation_of(method: str, path: str) -> dict[str, Any]:
    """The described operation."""
    return next(one for one in OPERATIONS if one["method"] == method and one["path"] == path)


def parameters_in(path: str) -> list[str]:
    """Names of the path's parameters, in order."""
    return re.findall(r"\{([^}]+)\}", path)


def fresh(body: Any, name: str = "") -> Any:
    """The body with an ending of its own in every value that may have to be unique; lengths stay."""
    if isinstance(body, dict):
        return {key: fresh(value, key) for key, value in body.items()}
    if isinstance(body, str) and UNIQUE.search(name) and len(body) >= 4:
        mark = uuid.uuid4().hex
        if "@" in body:
            local, _, host = body.partition("@")
            return f"{mark[: max(len(local), 8)]}@{host}"
        return body[: -min(12, len(body) - 2)] + mark[: min(12, len(body) - 2)]
    return body


def overlay(body: Any, values: Any, name: str = "") -> Any:
    """The body with the values that properties of the same names have elsewhere."""
    if isinstance(body, dict):
        return {key: overlay(part, values, key) for key, part in body.items()}
    found = find(values, name)
    return body if found is None else found


def find(value: Any, name: str) -> Any:
    """The first scalar property of this name, wherever it lies; None without."""
    if isinstance(value, dict):
        if isinstance(value.get(name), str | int):
            return value[name]
        for part in value.values():
            found = find(part, name)
            if found is not None:
                return found
    if isinstance(value, list):
        for part in value:
            found = find(part, name)
            if found is not None:
                return found
    return None


def leaves(value: Any, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Path and value of every scalar and list below objects."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, (*prefix, key))
    else:
        yield prefix, value


def echoed(sent: Any, got: Any) -> list[str]:
    """Properties that were sent and came back with another value; those that never come back say nothing."""
    returned: dict[str, list[Any]] = {}
    for path, value in leaves(got):
        returned.setdefault(path[-1] if path else "", []).append(value)
    wrong = []
    for path, value in leaves(sent):
        name = path[-1] if path else ""
        if name in returned and _comparable(value) not in [_comparable(one) for one in returned[name]]:
            wrong.append(f"{name}: sent {value!r}, got {returned[name][0]!r}")
    return wrong


def item_in(listing: Any, name: str, key: Any) -> dict[str, Any] | None:
    """The object of a listing whose `name` is `key`."""
    for part in _lists(listing):
        for one in part:
            if isinstance(one, dict) and one.get(name) == key:
                return one
    return None


def items_of(listing: Any) -> list[Any]:
    """The longest list of objects in an answer; [] without."""
    return max(_lists(listing), key=len, default=[])


def steady(value: Any) -> Any:
    """The value without the moments that change whenever something else does."""
    if isinstance(value, dict):
        return {key: steady(part) for key, part in value.items() if not TIMES.search(key)}
    return [steady(part) for part in value] if isinstance(value, list) else value


def changed(body: Any, name: str) -> Any:
    """The body with another value for the property `name` only, and without the others that are optional."""
    if isinstance(body, dict):
        if name in body:
            return {name: _other(body[name], name)}
        return {key: changed(part, name) for key, part in body.items()}
    return copy.deepcopy(body)


def _other(value: Any, name: str) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        mark = uuid.uuid4().hex[:10]
        return f"{mark}@example.org" if "mail" in name.lower() else f"changed {mark}"
    return value


def _comparable(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, list) else value


def _lists(value: Any) -> list[list[Any]]:
    if isinstance(value, list):
        return [value]
    if isinstance(value, dict):
        return [one for part in value.values() for one in _lists(part)]
    return []


@pytest.fixture(scope="session")
def client() -> Iterator[httpx.Client]:
    """The connection to the API under test."""
    url = os.environ.get("API_BASE_URL")
    if not url:
        pytest.fail("Set API_BASE_URL to where the API under test runs.")
    with httpx.Client(base_url=url, timeout=20, follow_redirects=False) as made:
        yield made


@pytest.fixture
def api(client: httpx.Client) -> Api:
    """A caller with nothing created yet."""
    return Api(client)
