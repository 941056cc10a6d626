"""What the server keeps, who asks, and a request whose body is checked."""

import json
from dataclasses import dataclass, field
from typing import Any

Reply = tuple[int, Any]


class RefusedError(Exception):
    """An answer that says no."""

    def __init__(self, status: int, *reasons: str) -> None:
        super().__init__(status)
        self.status, self.reasons = status, list(reasons)


@dataclass
class Person:
    """One account."""

    email: str
    username: str
    password: str
    bio: str = ""
    image: str = ""
    follows: set[str] = field(default_factory=set)


@dataclass
class Comment:
    """One comment."""

    id: int
    body: str
    author: Person
    at: str


@dataclass
class Article:
    """One article."""

    slug: str
    title: str
    description: str
    body: str
    tags: list[str]
    author: Person
    created: str
    updated: str
    favorited: set[str] = field(default_factory=set)
    comments: list[Comment] = field(default_factory=list)
    extra: int = 0


class Memory:
    """Accounts and articles; `fault` names the mistake that is made with them, None for none."""

    def __init__(self, fault: str | None = None) -> None:
        self.fault = fault
        self.people: list[Person] = []
        self.articles: list[Article] = []
        self.numbers = 0
        self.requests = 0
        """How many came."""

    def caller(self, request: "Request") -> Person | None:
        """Who sends this, None for nobody. A credential that is none is refused."""
        given = request.headers.get("authorization", "")
        if not given:
            return None
        name = given.removeprefix("Token ")
        person = next((one for one in self.people if token_of(one) == name), None)
        if person is None and self.fault == "user-takes-bad-token" and self.people:
            return self.people[0]
        if person is None:
            raise RefusedError(401, "unknown token")
        return person

    def known(self, request: "Request", fault: str = "") -> Person:
        """Who sends this; refused without a credential."""
        person = self.caller(request)
        if person is None and fault and self.fault == fault and self.people:
            return self.people[0]
        if person is None:
            raise RefusedError(401, "a token is needed")
        return person

    def article(self, slug: str) -> Article:
        """The article of this slug."""
        for one in self.articles:
            if one.slug == slug:
                return one
        raise RefusedError(500 if self.fault == "article-unknown-is-500" else 404, "no such article")

    def person(self, name: str) -> Person:
        """The person of this name."""
        for one in self.people:
            if one.username == name:
                return one
        raise RefusedError(404, "no such profile")

    def number(self) -> int:
        """The next number."""
        self.numbers += 1
        return self.numbers


@dataclass(frozen=True)
class Request:
    """One request: header names in lower case, the body as it came, the parts of query and path."""

    headers: dict[str, str]
    raw: bytes
    query: dict[str, str]
    path: dict[str, str]

    def body(
        self, conduit: Memory, name: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The object `name` of the body, its properties checked."""
        if not self.headers.get("content-type", "").startswith("application/json"):
            raise RefusedError(415, "JSON is needed")
        try:
            whole = json.loads(self.raw or b"null")
        except ValueError:
            raise RefusedError(500 if conduit.fault == "malformed-is-500" else 400, "not JSON") from None
        inner = whole.get(name) if isinstance(whole, dict) else None
        if not isinstance(inner, dict):
            raise RefusedError(422, f"{name} can't be empty")
        wrong = [f"{key} can't be empty" for key in required if inner.get(key) in (None, "")]
        wrong += [f"{key} must be a text" for key in (*required, *optional) if _wrong(key, inner)]
        if wrong:
            raise RefusedError(422, *wrong)
        return inner


def _wrong(key: str, inner: dict[str, Any]) -> bool:
    if key not in inner:
        return False
    value = inner[key]
    if key == "tagList":
        return not (isinstance(value, list) and all(isinstance(one, str) for one in value))
    return not isinstance(value, str)


def token_of(person: Person) -> str:
    """The credential of a person: stays when they change their name."""
    return f"token-{id(person):x}"
