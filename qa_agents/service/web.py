"""What every page needs: headers, forms, the session behind a request, templates, one way to say what went wrong."""

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from qa_agents.errors import ConflictError, NotAllowedError, NotFoundError, QAAgentsError, UsageError
from qa_agents.service.sessions import Session, Sessions, cookie_name, reviewer_of

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from qa_agents.wiring import Workspace

    Endpoint = Callable[[Request], Awaitable[Response]]
    Read = Callable[[Request, Session], Response]
    Change = Callable[[Request, Session, dict[str, str]], Response]

FOLDER = Path(__file__).parent
MAX_FORM_BYTES = 200_000
MAX_FIELDS = 500
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""With no-referrer browsers would send `Origin: null` with our own forms, and a forged one could not be told apart."""
_HTTPS = {"Strict-Transport-Security": "max-age=31536000"}
_STATIC = {"style.css": "text/css", "keys.js": "text/javascript", "icon.svg": "image/svg+xml"}
_FOREVER = {"Cache-Control": "max-age=31536000, immutable"}


class Headed:
    """ASGI middleware: whatever is answered carries the headers above, unless it has its own."""

    def __init__(self, app: "ASGIApp", *, https: bool = False) -> None:
        self._app = app
        self._headers = [
            (name.lower().encode(), value.encode()) for name, value in {**HEADERS, **(_HTTPS if https else {})}.items()
        ]

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass on, adding headers to the answer's start."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def headed(message: "Message") -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message.get("headers", ())}
                added = [pair for pair in self._headers if pair[0] not in own]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self._app(scope, receive, headed)


class Site:
    """The pages' common ground over one workspace: who asks, what may be changed, how an answer is rendered."""

    def __init__(self, workspace: "Workspace", *, secure: bool = False) -> None:
        self.workspace = workspace
        self.secure = secure
        self.cookie = cookie_name(secure)
        self.sessions = Sessions(workspace.database)
        oidc = workspace.settings.oidc
        self._public = urlsplit(oidc.public_url).netloc if oidc else None
        self._versions = {name: hashlib.sha256(_static(name)).hexdigest()[:12] for name in _STATIC}
        self._templates = _templates(self._versions)

    def session(self, request: "Request") -> Session | None:
        """Who is logged in, by the cookie."""
        return self.sessions.read(request.cookies.get(self.cookie))

    def reading(self, work: "Read") -> "Endpoint":
        """An endpoint that shows something to somebody who is logged in; others are led to the login. Runs in a thread."""

        async def endpoint(request: "Request") -> "Response":
            from starlette.concurrency import run_in_threadpool

            return await run_in_threadpool(self._read, work, request)

        return endpoint

    def changing(self, work: "Change") -> "Endpoint":
        """An endpoint that takes a form of ours from somebody who is logged in; a forged form changes nothing."""

        async def endpoint(request: "Request") -> "Response":
            from starlette.concurrency import run_in_threadpool

            try:
                form = await form_of(request)
            except UsageError as error:
                return self.problem(None, error)
            return await run_in_threadpool(self._change, work, request, form)

        return endpoint

    def check_origin(self, request: "Request") -> None:
        """Raise NotAllowedError for a form that another site sent, by what the browser says of where it comes from."""
        came = request.headers.get("sec-fetch-site")
        origin = request.headers.get("origin")
        if came is not None:
            ours = came in ("same-origin", "none")
        else:
            ours = origin is None or urlsplit(origin).netloc in {request.headers.get("host"), self._public}
        if not ours:
            raise NotAllowedError("This form was sent by another site.", hint="Open the page here, then try again.")

    def page(self, template: str, session: Session | None, body: Mapping[str, Any], status: int = 200) -> "Response":
        """A rendered page."""
        from starlette.responses import HTMLResponse

        given = {"session": session, "now": time.time(), "oidc": self.workspace.settings.oidc, **body}
        return HTMLResponse(self._templates.get_template(template).render(given), status_code=status, headers=HEADERS)

    def problem(self, session: Session | None, error: QAAgentsError, status: int | None = None) -> "Response":
        """A page that says what went wrong and what to do next."""
        body = {"message": error.message, "hint": error.hint}
        answer = self.page("problem.html", session, body, status or status_of(error))
        if answer.status_code == 503:
            answer.headers["Retry-After"] = "10"
        return answer

    def static(self, name: str) -> "Response":
        """One of our own files; nothing comes from elsewhere."""
        from starlette.responses import Response

        if name not in _STATIC:
            return self.problem(None, NotFoundError("There is no such file."))
        return Response(_static(name), media_type=_STATIC[name], headers={**HEADERS, **_FOREVER})

    def _read(self, work: "Read", request: "Request") -> "Response":
        session: Session | None = None
        try:
            session = self.session(request)
            if session is None:
                return to_login(request)
            reviewer_of(self.workspace.inbox.policy, session)
            return work(request, session)
        except NotAllowedError as error:
            return self.problem(None, error)
        except QAAgentsError as error:
            return self.problem(session, error)

    def _change(self, work: "Change", request: "Request", form: dict[str, str]) -> "Response":
        session: Session | None = None
        try:
            self.check_origin(request)
            session = self.session(request)
            if session is None:
                return to_login(request)
            if not same_key(form.get("form_key", ""), session.form_key):
                raise NotAllowedError("This form was not made for you.", hint="Load the page again.")
            reviewer_of(self.workspace.inbox.policy, session)
            return work(request, session, form)
        except QAAgentsError as error:
            return self.problem(session, error)


def status_of(error: QAAgentsError) -> int:
    """The HTTP status that says what an error says."""
    if isinstance(error, NotFoundError):
        return 404
    if isinstance(error, NotAllowedError):
        return 403
    if isinstance(error, ConflictError):
        return 409
    return 503 if error.exit_code == 3 else 400


def same_key(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in constant time."""
    import hmac

    return hmac.compare_digest(given.encode(), expected.encode())


async def form_of(request: "Request") -> dict[str, str]:
    """The fields of a posted form; of a repeated field the last counts. Raises UsageError for one that is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise UsageError(
                "That is too much text for one form.", hint=f"At most {MAX_FORM_BYTES:,} bytes can be sent."
            )
    try:
        fields = parse_qs(bytes(body).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise UsageError("That form has too many fields.", hint="Load the page again.") from None
    return {name: values[-1].replace("\r\n", "\n").replace("\0", "\ufffd") for name, values in fields.items()}


def redirect(to: str) -> "Response":
    """Go and get another page of ours."""
    from starlette.responses import RedirectResponse

    return RedirectResponse(to, status_code=303, headers=HEADERS)


def to_login(request: "Request") -> "Response":
    """Log in first; afterwards the page that was asked for."""
    where = request.url.path if request.method in ("GET", "HEAD") else "/reviews"
    return redirect(f"/login?{urlencode({'to': where})}")


def local(path: str) -> str:
    """A path of ours, never another host's."""
    plain = path.isprintable() and "\\" not in path and len(path) <= 2_000
    return path if plain and path.startswith("/") and not path.startswith("//") else "/reviews"


def moment(seconds: float | None) -> str:
    """`2026-12-01 14:05 UTC`; nothing for None."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC") if seconds else ""


def span(seconds: float) -> str:
    """A length of time in the one unit that fits: `3 min`, `5 h`, `12 d`."""
    for unit, size in (("d", 2 * 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= size:
            return f"{abs(seconds) / (86_400 if unit == 'd' else size):.0f} {unit}"
    return f"{abs(seconds):.0f} s"


def words(name: str) -> str:
    """An identifier of ours as words: `ask_reporter` is `ask reporter`."""
    return name.replace("_", " ").replace("-", " ")


def query(asked: Mapping[str, str], **changes: str | None) -> str:
    """The filters `asked` with some changed (None takes one away), as the end of a URL."""
    kept = {name: value for name, value in {**asked, **changes}.items() if value}
    return "?" + urlencode(kept) if kept else "?"


def _static(name: str) -> bytes:
    return (FOLDER / "static" / name).read_bytes()


def _templates(versions: Mapping[str, str]) -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.finalize = _inert
    found.globals.update(moment=moment, span=span, words=words, query=query)
    found.globals["static"] = {name: f"/pages/{name}?v={version}" for name, version in versions.items()}
    return found


def _inert(value: Any) -> Any:
    """What a template prints: our own Markup is HTML already, anything else is escaped by Jinja."""
    from markupsafe import Markup as Safe

    from qa_agents.checkpoint.markup import Markup

    return Safe(str(value)) if isinstance(value, Markup) else value
