"""The hooks' addresses: taken up before routing, which would cost as much as all the rest; and described for OpenAPI."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from qa_agents.runtime.events import Kind
from qa_agents.service.hooks import RETRY_AFTER, Answer, Receiver

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

KINDS: dict[str, Kind] = {"/hooks/jira/": "webhook", "/hooks/automation/": "automation"}
"""What comes at an address that begins so; the rest of it names the hook."""
_POST_ONLY = Answer(405, "method", "Deliveries are posted.")
_ANSWERS = {
    202: "On disk. Repetitions are answered alike.",
    400: "The body was cut off.",
    401: "The sender could not be recognised.",
    403: "This address may not send.",
    404: "There is no such hook.",
    408: "The body took too long.",
    413: "The body is too large.",
    503: "Come back later (Retry-After).",
}


class Hooks:
    """ASGI middleware: what is sent to a hook goes to the receiver, everything else to the application."""

    def __init__(self, app: "ASGIApp", receiver: Receiver) -> None:
        self._app = app
        self._receiver = receiver

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer, or pass on."""
        from starlette.requests import Request

        found = _addressed(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        answer = _POST_ONLY
        if scope["method"] == "POST":
            answer = await self._receiver.receive(*found, Request(scope, receive))
        await _response(answer)(scope, receive, send)


def _addressed(path: str) -> tuple[Kind, str] | None:
    """What kind of delivery comes at this path, and for which hook."""
    return next(
        ((kind, path[len(start) :]) for start, kind in KINDS.items() if path.startswith(start)),
        None,
    )


@lru_cache(maxsize=64)
def _response(answer: Answer) -> "Response":
    from starlette.responses import JSONResponse

    headers = {503: {"Retry-After": str(RETRY_AFTER)}, 405: {"Allow": "POST"}}.get(answer.status)
    return JSONResponse({"status": answer.said}, status_code=answer.status, headers=headers)


def _described(start: str, summary: str) -> dict[str, Any]:
    """One address as a path item of OpenAPI."""
    return {
        "post": {
            "summary": summary,
            "operationId": f"deliver_{KINDS[start]}",
            "parameters": [
                {"name": "source", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            ],
            "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True},
            "responses": {str(status): {"description": said} for status, said in _ANSWERS.items()},
        }
    }


PATHS = {
    "/hooks/jira/{source}": _described("/hooks/jira/", "A webhook of Jira's, signed in X-Hub-Signature"),
    "/hooks/automation/{source}": _described(
        "/hooks/automation/", "A request of an automation rule, with a bearer token"
    ),
}
"""The addresses as OpenAPI describes them."""
