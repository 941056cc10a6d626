"""Coming and going: the login by name and secret, by identity provider, and the logout."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from qa_agents.checkpoint.policy import Policy
from qa_agents.errors import NotAllowedError, QAAgentsError, UnavailableError
from qa_agents.service.oidc import CALLBACK, Attempt, Oidc
from qa_agents.service.patience import Patience, TooManyTriesError
from qa_agents.service.sessions import HOURS, How, log_in
from qa_agents.service.web import Site, form_of, local, redirect, same_key, status_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

T = TypeVar("T")

ATTEMPT = "qa_agents_login"
ATTEMPT_SECONDS = 600


class Login:
    """The pages before somebody is known. Wrong logins and refusals are told in one sentence and change nothing."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._patience = Patience()
        oidc = site.workspace.settings.oidc
        self._oidc = Oidc(oidc) if oidc else None

    def routes(self) -> "list[BaseRoute]":
        """The routes, to be mounted by the application."""
        from starlette.routing import Route

        return [
            Route("/login", self._form, methods=["GET"]),
            Route("/login", self._submit, methods=["POST"]),
            Route("/login/oidc", self._leave, methods=["GET"]),
            Route(CALLBACK, self._return, methods=["GET"]),
            Route("/logout", self._logout, methods=["POST"]),
        ]

    async def _form(self, request: "Request") -> "Response":
        return self._page(local(request.query_params.get("to", "")))

    async def _submit(self, request: "Request") -> "Response":
        from starlette.concurrency import run_in_threadpool

        to = "/reviews"
        address = request.client.host if request.client else "unknown"
        try:
            self._site.check_origin(request)
            form = await form_of(request)
            name, secret, to = form.get("name", "")[:200], form.get("secret", "")[:1000], local(form.get("to", ""))
            self._patience.check(name, address)
            try:
                person, how = await run_in_threadpool(log_in, self._policy, name, secret)
            except NotAllowedError:
                self._patience.wrong(name, address)
                raise
        except QAAgentsError as error:
            return self._page(to, error)
        return self._welcome(person.name, how, to)

    async def _leave(self, request: "Request") -> "Response":
        if self._oidc is None:
            return self._page("/reviews", NotAllowedError("No identity provider is set up here."))
        oidc, to = self._oidc, local(request.query_params.get("to", ""))
        found = await self._attempted(lambda: oidc.start(to))
        if not isinstance(found, tuple):
            return found
        url, attempt = found
        answer = redirect(url)
        cookie = self._site.sessions.sealed(attempt.model_dump())
        # Lax, because the provider sends the person back from its own site.
        answer.set_cookie(
            ATTEMPT,
            cookie,
            max_age=ATTEMPT_SECONDS,
            httponly=True,
            samesite="lax",
            secure=self._site.secure,
            path="/login",
        )
        return answer

    async def _return(self, request: "Request") -> "Response":
        if self._oidc is None:
            return self._page("/reviews", NotAllowedError("No identity provider is set up here."))
        oidc, given = self._oidc, dict(request.query_params)
        known = self._site.sessions.unsealed(request.cookies.get(ATTEMPT), ATTEMPT_SECONDS)
        if known is None:
            return self._page("/reviews", NotAllowedError("This login took too long.", hint="Log in again."))
        attempt = Attempt.model_validate(known)
        found = await self._attempted(lambda: oidc.finish(attempt, given, self._policy))
        answer = self._welcome(found, "oidc", local(attempt.to)) if isinstance(found, str) else found
        answer.delete_cookie(ATTEMPT, path="/login")
        return answer

    async def _attempted(self, work: Callable[[], T]) -> "T | Response":
        """What `work` gives, or the login page that says why it could not."""
        from starlette.concurrency import run_in_threadpool

        try:
            return await run_in_threadpool(work)
        except QAAgentsError as error:
            return self._page("/reviews", error)

    async def _logout(self, request: "Request") -> "Response":
        from starlette.concurrency import run_in_threadpool

        answer = redirect("/login")
        try:
            form = await form_of(request)
            session = await run_in_threadpool(self._site.session, request)
            if session is None:
                return answer
            self._site.check_origin(request)
            if not same_key(form.get("form_key", ""), session.form_key):
                raise NotAllowedError("This form was not made for you.", hint="Load the page again.")
            await run_in_threadpool(self._site.sessions.end, session)
        except QAAgentsError as error:
            return self._site.problem(None, error)
        answer.delete_cookie(self._site.cookie, path="/", secure=self._site.secure, httponly=True)
        return answer

    def _welcome(self, name: str, how: How, to: str) -> "Response":
        """Lax: a link to a review in a chat must find the session; forms are guarded by their key and their origin."""
        cookie, _ = self._site.sessions.open(self._policy, name, how)
        answer = redirect(to)
        answer.set_cookie(
            self._site.cookie,
            cookie,
            max_age=HOURS * 3600,
            httponly=True,
            samesite="lax",
            secure=self._site.secure,
            path="/",
        )
        return answer

    def _page(self, to: str, error: QAAgentsError | None = None) -> "Response":
        status = 200 if error is None else 429 if isinstance(error, TooManyTriesError) else status_of(error)
        body = {"to": to, "nobody": not self._policy.reviewers, "said": str(error) if error else None}
        answer = self._site.page("login.html", None, body, status)
        if isinstance(error, TooManyTriesError | UnavailableError):
            answer.headers["Retry-After"] = str(int(getattr(error, "seconds", 10)) + 1)
        return answer

    @property
    def _policy(self) -> Policy:
        return self._site.workspace.inbox.policy
