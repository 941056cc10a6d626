"""A server that conforms to the RealWorld API (its prose and its OpenAPI description), and faults that can be put into it.

It keeps everything in memory and speaks HTTP on loopback. Each fault is one small mistake that real servers make; a suite
that was drafted from the specification is measured by how many it notices.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

FAULTS = (
    "register-answers-200", "register-keeps-duplicates", "register-without-email", "register-drops-token",
    "register-swaps-username", "register-ignores-types", "login-takes-any-password", "login-takes-unknown-email",
    "login-gives-other-user", "login-answers-500", "user-needs-no-token", "user-takes-bad-token", "user-is-always-first",
    "user-drops-bio", "user-update-ignores-bio", "user-update-ignores-email", "user-update-clears-image",
    "user-update-not-kept", "profile-unknown-is-empty", "profile-without-following", "follow-does-nothing",
    "follow-needs-no-token", "unfollow-does-nothing", "article-answers-200", "article-without-title",
    "article-needs-no-token", "article-drops-tags", "article-body-is-description", "article-wrong-date",
    "article-count-is-text", "article-unknown-is-500", "article-not-kept", "update-ignores-title", "update-ignores-body",
    "update-clears-description", "update-by-others", "update-unknown-creates", "delete-by-others", "delete-keeps-article",
    "delete-answers-200-with-body", "delete-needs-no-token", "list-oldest-first", "list-ignores-limit",
    "list-ignores-offset", "list-ignores-tag", "list-ignores-author", "list-count-is-page", "list-drops-author",
    "comment-without-body", "comment-not-listed", "comment-wrong-author", "comment-id-is-text", "comment-delete-does-nothing",
    "comment-delete-by-others", "favorite-does-nothing", "favorite-counts-twice", "unfavorite-does-nothing",
    "favorite-not-kept", "tags-are-one-text", "errors-without-list", "malformed-is-500", "feed-needs-no-token",
)  # fmt: skip
"""Every fault by name."""

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


class Conduit:
    """The whole API over one memory; `fault` names the mistake it makes, None for none."""

    def __init__(self, fault: str | None = None) -> None:
        self.fault = fault
        self.people: list[Person] = []
        self.articles: list[Article] = []
        self.numbers = 0
        self.requests = 0
        """How many came."""
        self._lock = threading.Lock()

    def handle(self, method: str, target: str, headers: dict[str, str], raw: bytes) -> Reply:
        """Answer one request."""
        parts = urlsplit(target)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        with self._lock:
            self.requests += 1
            try:
                for pattern, verbs in _ROUTES:
                    match = re.fullmatch(pattern, parts.path)
                    if match is None:
                        continue
                    if method not in verbs:
                        return 405, _errors("method not allowed")
                    request = _Request(headers, raw, query, {k: unquote(v) for k, v in match.groupdict().items()})
                    return verbs[method](self, request)
                return 404, _errors("not found")
            except RefusedError as refused:
                if refused.status == 422 and self.fault == "errors-without-list":
                    return 422, {"errors": {"body": refused.reasons[0]}}
                return refused.status, _errors(*refused.reasons)

    def caller(self, request: "_Request") -> Person | None:
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

    def known(self, request: "_Request", fault: str = "") -> Person:
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
class _Request:
    headers: dict[str, str]
    raw: bytes
    query: dict[str, str]
    path: dict[str, str]

    def body(
        self, conduit: Conduit, name: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _errors(*reasons: str) -> dict[str, Any]:
    return {"errors": {"body": list(reasons)}}


def _user(conduit: Conduit, one: Person) -> dict[str, Any]:
    shown = {"email": one.email, "username": one.username, "bio": one.bio, "image": one.image, "token": token_of(one)}
    if conduit.fault == "user-drops-bio":
        del shown["bio"]
    return {"user": shown}


def _profile(conduit: Conduit, one: Person, viewer: Person | None) -> dict[str, Any]:
    shown = {
        "username": one.username,
        "bio": one.bio,
        "image": one.image,
        "following": viewer is not None and one.username in viewer.follows,
    }
    if conduit.fault == "profile-without-following":
        del shown["following"]
    return shown


def _article(conduit: Conduit, one: Article, viewer: Person | None, *, whole: bool = True) -> dict[str, Any]:
    fault = conduit.fault
    count: Any = len(one.favorited) + one.extra
    shown: dict[str, Any] = {
        "slug": one.slug,
        "title": one.title,
        "description": one.description,
        "tagList": [] if fault == "article-drops-tags" else one.tags,
        "createdAt": "yesterday" if fault == "article-wrong-date" else one.created,
        "updatedAt": one.updated,
        "favorited": viewer is not None and viewer.username in one.favorited,
        "favoritesCount": str(count) if fault == "article-count-is-text" else count,
        "author": _profile(conduit, one.author, viewer),
    }
    if whole:
        shown["body"] = one.description if fault == "article-body-is-description" else one.body
    return shown


def _comment(conduit: Conduit, one: Comment, viewer: Person | None) -> dict[str, Any]:
    author = conduit.people[0] if conduit.fault == "comment-wrong-author" else one.author
    number: Any = str(one.id) if conduit.fault == "comment-id-is-text" else one.id
    return {
        "id": number,
        "createdAt": one.at,
        "updatedAt": one.at,
        "body": one.body,
        "author": _profile(conduit, author, viewer),
    }


def register(conduit: Conduit, request: _Request) -> Reply:
    """POST /users."""
    fault = conduit.fault
    required = ("username", "password") if fault == "register-without-email" else ("username", "email", "password")
    given = request.body(conduit, "user", () if fault == "register-ignores-types" else required)
    taken = any(one.email == given.get("email") or one.username == given.get("username") for one in conduit.people)
    if taken and fault != "register-keeps-duplicates":
        raise RefusedError(422, "has already been taken")
    name = str(given.get("username", ""))
    person = Person(
        str(given.get("email", "")),
        f"{name}x" if fault == "register-swaps-username" else name,
        str(given.get("password", "")),
    )
    conduit.people.append(person)
    shown = _user(conduit, person)
    if fault == "register-drops-token":
        del shown["user"]["token"]
    return 200 if fault == "register-answers-200" else 201, shown


def login(conduit: Conduit, request: _Request) -> Reply:
    """POST /users/login."""
    fault = conduit.fault
    given = request.body(conduit, "user", ("email", "password"))
    if fault == "login-answers-500":
        return 500, _errors("oops")
    person = next((one for one in conduit.people if one.email == given["email"]), None)
    if person is None and fault == "login-takes-unknown-email" and conduit.people:
        return 200, _user(conduit, conduit.people[0])
    if person is None or (person.password != given["password"] and fault != "login-takes-any-password"):
        raise RefusedError(401, "email or password is invalid")
    return 200, _user(conduit, conduit.people[0] if fault == "login-gives-other-user" else person)


def own(conduit: Conduit, request: _Request) -> Reply:
    """GET /user."""
    person = conduit.known(request, "user-needs-no-token")
    return 200, _user(conduit, conduit.people[0] if conduit.fault == "user-is-always-first" else person)


def change_own(conduit: Conduit, request: _Request) -> Reply:
    """PUT /user."""
    fault, person = conduit.fault, conduit.known(request)
    given = request.body(conduit, "user", (), ("email", "username", "password", "bio", "image"))
    kept = Person(**{**vars(person)}) if fault == "user-update-not-kept" else person
    for name in ("email", "username", "password", "bio", "image"):
        if name in given and fault != f"user-update-ignores-{name}":
            setattr(kept, name, given[name])
    if fault == "user-update-clears-image" and "image" not in given:
        person.image = "" if person.image else "cleared"
    shown = _user(conduit, kept)
    shown["user"]["token"] = token_of(person)
    return 200, shown


def profile(conduit: Conduit, request: _Request) -> Reply:
    """GET /profiles/{username}."""
    if conduit.fault == "profile-unknown-is-empty":
        found = next((one for one in conduit.people if one.username == request.path["username"]), Person("", "", ""))
        return 200, {"profile": _profile(conduit, found, None)}
    return 200, {"profile": _profile(conduit, conduit.person(request.path["username"]), conduit.caller(request))}


def follow(conduit: Conduit, request: _Request) -> Reply:
    """POST /profiles/{username}/follow."""
    viewer, other = conduit.known(request, "follow-needs-no-token"), conduit.person(request.path["username"])
    if conduit.fault != "follow-does-nothing":
        viewer.follows.add(other.username)
    return 200, {"profile": _profile(conduit, other, viewer)}


def unfollow(conduit: Conduit, request: _Request) -> Reply:
    """DELETE /profiles/{username}/follow."""
    viewer, other = conduit.known(request), conduit.person(request.path["username"])
    if conduit.fault != "unfollow-does-nothing":
        viewer.follows.discard(other.username)
    return 200, {"profile": _profile(conduit, other, viewer)}


def listing(conduit: Conduit, request: _Request) -> Reply:
    """GET /articles."""
    fault, query, viewer = conduit.fault, request.query, conduit.caller(request)
    found = list(reversed(conduit.articles))
    if "tag" in query and fault != "list-ignores-tag":
        found = [one for one in found if query["tag"] in one.tags]
    if "author" in query and fault != "list-ignores-author":
        found = [one for one in found if one.author.username == query["author"]]
    if "favorited" in query:
        found = [one for one in found if query["favorited"] in one.favorited]
    return 200, _page(conduit, found[::-1] if fault == "list-oldest-first" else found, query, viewer)


def feed(conduit: Conduit, request: _Request) -> Reply:
    """GET /articles/feed."""
    viewer = conduit.known(request, "feed-needs-no-token")
    found = [one for one in reversed(conduit.articles) if one.author.username in viewer.follows]
    return 200, _page(conduit, found, request.query, viewer)


def _page(conduit: Conduit, found: list[Article], query: dict[str, str], viewer: Person | None) -> dict[str, Any]:
    fault = conduit.fault
    try:
        limit, offset = int(query.get("limit", 20)), int(query.get("offset", 0))
    except ValueError:
        raise RefusedError(422, "limit and offset are numbers") from None
    if limit < 1 or offset < 0:
        raise RefusedError(422, "limit and offset are positive")
    start = 0 if fault == "list-ignores-offset" else offset
    page = found[start : start + (20 if fault == "list-ignores-limit" else limit)]
    shown = [_article(conduit, one, viewer, whole=False) for one in page]
    if fault == "list-drops-author":
        for one in shown:
            del one["author"]
    return {"articles": shown, "articlesCount": min(len(page), 1) if fault == "list-count-is-page" else len(found)}


def write(conduit: Conduit, request: _Request) -> Reply:
    """POST /articles."""
    fault, author = conduit.fault, conduit.known(request, "article-needs-no-token")
    required = ("description", "body") if fault == "article-without-title" else ("title", "description", "body")
    given = request.body(conduit, "article", required, ("title", "tagList"))
    now, title = _now(), str(given.get("title", ""))
    slug = f"{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}-{conduit.number()}"
    made = Article(slug, title, given["description"], given["body"], list(given.get("tagList", [])), author, now, now)
    if fault != "article-not-kept":
        conduit.articles.append(made)
    return 200 if fault == "article-answers-200" else 201, {"article": _article(conduit, made, author)}


def read(conduit: Conduit, request: _Request) -> Reply:
    """GET /articles/{slug}."""
    return 200, {"article": _article(conduit, conduit.article(request.path["slug"]), conduit.caller(request))}


def rewrite(conduit: Conduit, request: _Request) -> Reply:
    """PUT /articles/{slug}."""
    fault, viewer = conduit.fault, conduit.known(request)
    if fault == "update-unknown-creates" and not any(one.slug == request.path["slug"] for one in conduit.articles):
        return 200, {
            "article": _article(
                conduit, Article(request.path["slug"], "t", "d", "b", [], viewer, _now(), _now()), viewer
            )
        }
    found = conduit.article(request.path["slug"])
    if found.author is not viewer and fault != "update-by-others":
        raise RefusedError(403, "not yours")
    given = request.body(conduit, "article", (), ("title", "description", "body"))
    for name in ("title", "description", "body"):
        if name in given and fault != f"update-ignores-{name}":
            setattr(found, name, given[name])
    if "title" in given and fault != "update-ignores-title":
        found.slug = f"{re.sub(r'[^a-z0-9]+', '-', found.title.lower()).strip('-')}-{conduit.number()}"
    if fault == "update-clears-description" and "description" not in given:
        found.description = ""
    found.updated = _now()
    return 200, {"article": _article(conduit, found, viewer)}


def remove(conduit: Conduit, request: _Request) -> Reply:
    """DELETE /articles/{slug}."""
    fault, viewer = conduit.fault, conduit.known(request, "delete-needs-no-token")
    found = conduit.article(request.path["slug"])
    if found.author is not viewer and fault not in ("delete-by-others", "delete-needs-no-token"):
        raise RefusedError(403, "not yours")
    if fault != "delete-keeps-article":
        conduit.articles.remove(found)
    return (200, {"deleted": True}) if fault == "delete-answers-200-with-body" else (204, None)


def comments(conduit: Conduit, request: _Request) -> Reply:
    """GET /articles/{slug}/comments."""
    found, viewer = conduit.article(request.path["slug"]), conduit.caller(request)
    kept = [] if conduit.fault == "comment-not-listed" else found.comments
    return 200, {"comments": [_comment(conduit, one, viewer) for one in reversed(kept)]}


def add_comment(conduit: Conduit, request: _Request) -> Reply:
    """POST /articles/{slug}/comments."""
    viewer, found = conduit.known(request), conduit.article(request.path["slug"])
    given = request.body(conduit, "comment", () if conduit.fault == "comment-without-body" else ("body",), ("body",))
    made = Comment(conduit.number(), str(given.get("body", "")), viewer, _now())
    found.comments.append(made)
    return 200, {"comment": _comment(conduit, made, viewer)}


def remove_comment(conduit: Conduit, request: _Request) -> Reply:
    """DELETE /articles/{slug}/comments/{id}."""
    viewer, found = conduit.known(request), conduit.article(request.path["slug"])
    if not request.path["id"].isdigit():
        raise RefusedError(422, "id is a number")
    one = next((each for each in found.comments if each.id == int(request.path["id"])), None)
    if one is None:
        raise RefusedError(404, "no such comment")
    if one.author is not viewer and conduit.fault != "comment-delete-by-others":
        raise RefusedError(403, "not yours")
    if conduit.fault != "comment-delete-does-nothing":
        found.comments.remove(one)
    return 204, None


def favorite(conduit: Conduit, request: _Request) -> Reply:
    """POST /articles/{slug}/favorite."""
    fault, viewer, found = conduit.fault, conduit.known(request), conduit.article(request.path["slug"])
    if fault == "favorite-not-kept":
        shown = _article(conduit, found, viewer)
        return 200, {"article": {**shown, "favorited": True, "favoritesCount": 1}}
    if fault == "favorite-counts-twice" and viewer.username in found.favorited:
        found.extra += 1
    if fault != "favorite-does-nothing":
        found.favorited.add(viewer.username)
    return 200, {"article": _article(conduit, found, viewer)}


def unfavorite(conduit: Conduit, request: _Request) -> Reply:
    """DELETE /articles/{slug}/favorite."""
    viewer, found = conduit.known(request), conduit.article(request.path["slug"])
    if conduit.fault != "unfavorite-does-nothing":
        found.favorited.discard(viewer.username)
    return 200, {"article": _article(conduit, found, viewer)}


def tags(conduit: Conduit, _request: _Request) -> Reply:
    """GET /tags."""
    found = sorted({tag for one in conduit.articles for tag in one.tags})
    return 200, {"tags": ", ".join(found) if conduit.fault == "tags-are-one-text" else found}


Verb = Callable[[Conduit, _Request], Reply]
_SLUG = r"/articles/(?P<slug>[^/]+)"
_ROUTES: tuple[tuple[str, dict[str, Verb]], ...] = (
    (r"/users/login", {"POST": login}),
    (r"/users", {"POST": register}),
    (r"/user", {"GET": own, "PUT": change_own}),
    (r"/profiles/(?P<username>[^/]+)", {"GET": profile}),
    (r"/profiles/(?P<username>[^/]+)/follow", {"POST": follow, "DELETE": unfollow}),
    (r"/articles/feed", {"GET": feed}),
    (r"/articles", {"GET": listing, "POST": write}),
    (_SLUG, {"GET": read, "PUT": rewrite, "DELETE": remove}),
    (_SLUG + r"/comments", {"GET": comments, "POST": add_comment}),
    (_SLUG + r"/comments/(?P<id>[^/]+)", {"DELETE": remove_comment}),
    (_SLUG + r"/favorite", {"POST": favorite, "DELETE": unfavorite}),
    (r"/tags", {"GET": tags}),
)


@contextmanager
def serving(conduit: Conduit) -> Iterator[str]:
    """Serve on a free port of loopback for the block; its base URL. `conduit.requests` counts what came."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536  # head and body in one packet

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length) if length else b""
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, document = conduit.handle(self.command, self.path, headers, raw)
            body = b"" if document is None else json.dumps(document).encode()
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status != 204:
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
