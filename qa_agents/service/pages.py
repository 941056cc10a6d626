"""The review pages: what waits, one review on one screen, the answer, a history, the ledger. Rendered here, no build step."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from qa_agents.checkpoint.waiting import waiting_page
from qa_agents.errors import NotAllowedError, NotFoundError, QAAgentsError, UsageError
from qa_agents.service.sessions import COOKIE, HOURS, Patience, Session, Sessions, log_in, reviewer_of
from qa_agents.service.views import shown_view, verdict_view

if TYPE_CHECKING:
    from jinja2 import Environment

    from qa_agents.checkpoint.schema import Review
    from qa_agents.wiring import Workspace

FOLDER = Path(__file__).parent
MAX_FORM_BYTES = 200_000
LEDGER_LINES = 100
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_STATIC = {"style.css": "text/css", "keys.js": "text/javascript"}
_STATUS = {2: 400, 3: 503}


class Pages:
    """The pages over one workspace."""

    def __init__(self, workspace: "Workspace", *, secure: bool = False) -> None:
        self._workspace = workspace
        self._sessions = Sessions(workspace.database)
        self._patience = Patience()
        self._secure = secure
        self._templates = _templates()

    def router(self) -> APIRouter:
        """Every page's route."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/", self._home, methods=["GET"])
        router.add_api_route("/login", self._login_form, methods=["GET"])
        router.add_api_route("/login", self._login, methods=["POST"])
        router.add_api_route("/logout", self._logout, methods=["POST"])
        router.add_api_route("/reviews", self._list, methods=["GET"])
        router.add_api_route("/reviews/{review_id}", self._show, methods=["GET"])
        router.add_api_route("/reviews/{review_id}", self._decide, methods=["POST"])
        router.add_api_route("/reports/{report_id:path}", self._history, methods=["GET"])
        router.add_api_route("/ledger", self._ledger, methods=["GET"])
        router.add_api_route("/pages/{name}", self._static, methods=["GET"])
        return router

    async def _home(self) -> Response:
        return RedirectResponse("/reviews", status_code=303)

    async def _static(self, name: str) -> Response:
        if name not in _STATIC:
            return self._problem(None, NotFoundError("There is no such file."), 404)
        body = (FOLDER / "static" / name).read_bytes()
        return Response(body, media_type=_STATIC[name], headers={**HEADERS, "Cache-Control": "max-age=3600"})

    async def _login_form(self, request: Request, to: str = "/reviews") -> Response:
        policy = self._workspace.inbox.policy
        return self._page("login.html", None, {"to": _local(to), "nobody": not policy.reviewers, "said": None})

    async def _login(self, request: Request) -> Response:
        form = await _form(request)
        name, secret, to = form.get("name", "")[:200], form.get("secret", "")[:1000], _local(form.get("to", ""))
        address = request.client.host if request.client else "unknown"
        try:
            self._patience.check(f"name {name}", f"address {address}")
            person, how = await run_in_threadpool(log_in, self._workspace.inbox.policy, name, secret)
        except NotAllowedError as error:
            self._patience.wrong(f"name {name}", f"address {address}")
            body = {"to": to, "nobody": not self._workspace.inbox.policy.reviewers, "said": str(error)}
            return self._page("login.html", None, body, 403)
        cookie, _ = self._sessions.open(person.name, how)
        answer = RedirectResponse(to, status_code=303, headers=HEADERS)
        answer.set_cookie(
            COOKIE, cookie, max_age=HOURS * 3600, httponly=True, samesite="strict", secure=self._secure, path="/"
        )
        return answer

    async def _logout(self, request: Request) -> Response:
        answer = RedirectResponse("/login", status_code=303, headers=HEADERS)
        session = self._sessions.read(request.cookies.get(COOKIE))
        if session is not None and (await _form(request)).get("form_key") == session.form_key:
            answer.delete_cookie(COOKIE, path="/")
        return answer

    async def _list(self, request: Request) -> Response:
        asked = dict(request.query_params)

        def find(session: Session) -> dict[str, Any]:
            self._workspace.inbox.route_overdue()
            with self._workspace.database.read() as connection:
                number = asked.get("page", "1")
                found = waiting_page(
                    connection,
                    time.time(),
                    kind=asked.get("kind") or None,
                    gate=asked.get("gate") or None,
                    rule=asked.get("rule") or None,
                    assigned_to=session.name if asked.get("mine") else None,
                    page=int(number) if number.isdigit() else 1,
                )
            kept = {name: value for name, value in asked.items() if name in ("kind", "gate", "rule", "mine") and value}
            turn = {
                name: "?" + urlencode({**kept, "page": str(found.page + step)})
                for name, step in (("earlier", -1), ("later", 1))
                if 1 <= found.page + step <= found.pages
            }
            return {"found": found, "asked": kept, "turn": turn}

        return await self._answer(request, "list.html", find)

    async def _show(self, request: Request, review_id: str) -> Response:
        return await self._answer(request, "review.html", lambda _session: self._review(review_id, None))

    async def _decide(self, request: Request, review_id: str) -> Response:
        form = await _form(request)
        session = self._sessions.read(request.cookies.get(COOKIE))
        if session is None:
            return _to_login(request)
        if form.get("form_key") != session.form_key:
            return self._problem(
                session, NotAllowedError("This form was not made for you.", hint="Load the page again."), 403
            )

        def decide() -> Any:
            from qa_agents.operations import decide

            workspace = self._workspace
            person = reviewer_of(workspace.inbox.policy, session)
            review = workspace.inbox.find(review_id)
            if form.get("digest") != review.digest and form.get("verdict") not in ("defer", "delegate"):
                raise UsageError("This review has changed since you opened it.", hint="Look again, then decide.")
            return decide(workspace, review.review_id, reviewer=person.name, recognised=person, **_answer_of(form))

        try:
            decided = await run_in_threadpool(decide)
        except QAAgentsError as error:
            shown = await run_in_threadpool(self._review, review_id, str(error))
            return self._page("review.html", session, shown, 409)
        where = decided.review_waiting or review_id
        return RedirectResponse(f"/reviews/{where}", status_code=303, headers=HEADERS)

    async def _history(self, request: Request, report_id: str) -> Response:
        session = self._sessions.read(request.cookies.get(COOKIE))
        if session is None:
            return _to_login(request)

        def page() -> str:
            from qa_agents.checkpoint.export import story
            from qa_agents.checkpoint.ledger import verify
            from qa_agents.checkpoint.page import report_page

            workspace = self._workspace
            if workspace.received.find(report_id) is None:
                raise NotFoundError(f"There is no report {report_id}.")
            return report_page(
                story(workspace.database, report_id, verify(workspace.database), time.time()), workspace.mask
            )

        try:
            text = await run_in_threadpool(page)
        except QAAgentsError as error:
            return self._problem(session, error, 404)
        # The audit page carries its own style and its own, stricter policy.
        return HTMLResponse(text, headers={name: value for name, value in HEADERS.items() if "Security" not in name})

    async def _ledger(self, request: Request) -> Response:
        def find(_session: Session) -> dict[str, Any]:
            from qa_agents.checkpoint.ledger import newest

            entries = newest(self._workspace.database, LEDGER_LINES)
            return {"entries": [{**entry.model_dump(), "at": _moment(entry.at)} for entry in entries]}

        return await self._answer(request, "ledger.html", find)

    def _review(self, review_id: str, said: str | None) -> dict[str, Any]:
        from qa_agents.checkpoint.schema import VERDICTS

        workspace = self._workspace
        review = workspace.inbox.find(review_id)
        body: dict[str, Any] = {
            "review": review,
            "said": said,
            "opened": _moment(review.opened_at),
            "open": review.state in ("pending", "deferred"),
            "verdicts": VERDICTS[review.form],
            "reasons": workspace.inbox.policy.all_reason_codes,
            "shown": shown_view(review.shown, workspace.mask),
            "votes": [{"who": vote.reviewer, "what": vote.verdict, "note": vote.note} for vote in review.votes],
            "verdict": None,
        }
        if review.kind == "triage":
            body["verdict"] = self._verdict(review)
        return body

    def _verdict(self, review: "Review") -> dict[str, Any]:
        from qa_agents.operations import reviewed

        _, triage = reviewed(self._workspace, review.review_id)
        report = self._workspace.triage_parts.report_of(str(triage.provenance.get("report_sha256", "")))
        return verdict_view(triage, report.description, self._workspace.mask)

    async def _answer(self, request: Request, template: str, find: Callable[[Session], dict[str, Any]]) -> Response:
        session = self._sessions.read(request.cookies.get(COOKIE))
        if session is None:
            return _to_login(request)
        try:
            reviewer_of(self._workspace.inbox.policy, session)
            body = await run_in_threadpool(find, session)
        except QAAgentsError as error:
            status = 404 if isinstance(error, NotFoundError) else _STATUS.get(error.exit_code, 400)
            return self._problem(session, error, status)
        return self._page(template, session, body)

    def _page(self, template: str, session: Session | None, body: dict[str, Any], status: int = 200) -> Response:
        text = self._templates.get_template(template).render(session=session, moment=_moment, **body)
        return HTMLResponse(text, status_code=status, headers=HEADERS)

    def _problem(self, session: Session | None, error: QAAgentsError, status: int) -> Response:
        return self._page("problem.html", session, {"message": error.message, "hint": error.hint}, status)


def _templates() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.finalize = _inert
    return found


def _inert(value: Any) -> Any:
    """What a template prints: our own Markup is HTML already, anything else is escaped by Jinja."""
    from markupsafe import Markup as Safe

    from qa_agents.checkpoint.markup import Markup

    return Safe(str(value)) if isinstance(value, Markup) else value


def _answer_of(form: dict[str, str]) -> dict[str, Any]:
    """A form as the words of an answer; only what belongs to its verdict is taken."""
    verdict = form.get("verdict", "")
    answer: dict[str, Any] = {"verdict": verdict, "note": form.get("note", "")[:10_000]}
    if verdict in ("edit", "reject"):
        answer["reason_code"] = form.get("reason") or None
    if verdict == "edit":
        before = {name[4:]: value for name, value in form.items() if name.startswith("was-")}
        answer["edits"] = {
            name[4:]: value.strip()
            for name, value in form.items()
            if name.startswith("set-") and value.strip() and value.strip() != before.get(name[4:], "")
        }
    if verdict == "ask_reporter":
        answer["questions"] = [line.strip() for line in form.get("questions", "").splitlines() if line.strip()]
    if verdict == "defer":
        answer["until"] = _until(form.get("until", ""))
    if verdict == "delegate":
        answer["to"] = form.get("to") or None
    if verdict == "answer":
        answer["answers"] = {
            name[7:]: value.strip() for name, value in form.items() if name.startswith("answer-") and value.strip()
        }
    return answer


def _until(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError("That is no date.", hint="Choose one, 2026-12-01 say.") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a posted form; what is too large is cut off, of a repeated field the last counts."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            break
    fields = parse_qs(body[:MAX_FORM_BYTES].decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=500)
    return {name: values[-1] for name, values in fields.items()}


def _to_login(request: Request) -> Response:
    where = request.url.path if request.method == "GET" else "/reviews"
    return RedirectResponse(f"/login?{urlencode({'to': where})}", status_code=303, headers=HEADERS)


def _local(path: str) -> str:
    """A path of ours, never another host's."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/reviews"


def _moment(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC") if seconds else ""
