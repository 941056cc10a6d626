"""The FastAPI application, put together: hooks, health, numbers, and a page that lists them."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from qa_agents import __version__
from qa_agents.errors import QAAgentsError
from qa_agents.service.health import gauges, readiness
from qa_agents.service.hooks import RETRY_AFTER, Answer, Receiver
from qa_agents.service.intake import GroupCommit
from qa_agents.service.metrics import Metrics

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.responses import Response

    from qa_agents.service.run import WorkerProcess
    from qa_agents.wiring import Workspace

_BODY = {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    202: {"description": "On disk. Repetitions are answered alike."},
    400: {"description": "The body was cut off."},
    401: {"description": "The sender could not be recognised."},
    403: {"description": "This address may not send."},
    404: {"description": "There is no such hook."},
    408: {"description": "The body took too long."},
    413: {"description": "The body is too large."},
    503: {"description": "Come back later (Retry-After)."},
}
ROUTING_SECONDS = 60.0
"""How often overdue reviews are handed on."""

log = logging.getLogger(__name__)


def build_app(workspace: "Workspace", worker: "WorkerProcess | None" = None) -> "FastAPI":
    """The application over one workspace, which stays the caller's to close; `worker` runs beside it, if one does."""
    from fastapi import FastAPI, Request
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse, PlainTextResponse, Response

    from qa_agents.service.pages import Pages
    from qa_agents.service.web import Headed

    metrics = Metrics()
    settings = workspace.settings
    writer = GroupCommit(workspace.intake.append, limit=settings.intake_limit, observe=metrics.flushed)
    receiver = Receiver(settings, writer, metrics)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        writer.start()
        routing = asyncio.create_task(_route_overdue(workspace))
        try:
            yield
        finally:
            routing.cancel()
            await run_in_threadpool(writer.stop)

    # No docs_url: the page that comes with FastAPI loads its script from elsewhere.
    app = FastAPI(title="qa-agents", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.metrics, app.state.writer, app.state.workspace = metrics, writer, workspace

    @app.post(
        "/hooks/jira/{source}",
        status_code=202,
        response_class=Response,
        responses=_REFUSALS,
        openapi_extra={"requestBody": _BODY},
        summary="A webhook of Jira's, signed in X-Hub-Signature",
    )
    async def jira(source: str, request: Request) -> Response:
        return _response(await receiver.receive("webhook", source, request))

    @app.post(
        "/hooks/automation/{source}",
        status_code=202,
        response_class=Response,
        responses=_REFUSALS,
        openapi_extra={"requestBody": _BODY},
        summary="A request of an automation rule, with a bearer token",
    )
    async def automation(source: str, request: Request) -> Response:
        return _response(await receiver.receive("automation", source, request))

    @app.get("/healthz", summary="Whether the process lives", response_class=PlainTextResponse)
    async def healthz() -> str:
        return "ok"

    @app.get("/readyz", summary="Whether it can work now", responses={503: {"description": "It cannot; why."}})
    def readyz() -> Response:
        wrong = readiness(workspace, writer, worker)
        return JSONResponse({"ready": not wrong, "wrong": wrong}, status_code=503 if wrong else 200)

    @app.get(
        "/metrics",
        summary="Numbers for Prometheus",
        response_class=PlainTextResponse,
        responses={503: {"description": "The database cannot be read."}},
    )
    def numbers() -> Response:
        try:
            said = metrics.render(gauges(workspace, writer))
        except QAAgentsError as error:
            return PlainTextResponse(str(error), status_code=503)
        return PlainTextResponse(said, media_type="text/plain; version=0.0.4")

    pages = Pages(workspace, secure=settings.https)
    app.router.routes.extend(pages.routes())
    app.add_middleware(Headed, https=settings.https)

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response:
        return pages.operations(app.openapi())

    return app


async def _route_overdue(workspace: "Workspace") -> None:
    """Hand on what nobody decided in time, now and then; time never approves anything."""
    from starlette.concurrency import run_in_threadpool

    while True:
        try:
            await run_in_threadpool(workspace.inbox.route_overdue)
        except QAAgentsError as error:
            log.warning("overdue reviews could not be handed on: %s", error)
        await asyncio.sleep(ROUTING_SECONDS)


def _response(answer: Answer) -> "Response":
    from starlette.responses import JSONResponse

    headers = {"Retry-After": str(RETRY_AFTER)} if answer.status == 503 else None
    return JSONResponse({"status": answer.said}, status_code=answer.status, headers=headers)
