"""The FastAPI application, put together: hooks, health, numbers, and a page that lists them."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from qa_agents import __version__
from qa_agents.errors import QAAgentsError
from qa_agents.service.health import gauges, readiness
from qa_agents.service.hook_paths import PATHS, Hooks
from qa_agents.service.hooks import Receiver
from qa_agents.service.intake import GroupCommit
from qa_agents.service.metrics import Metrics

if TYPE_CHECKING:
    from fastapi import FastAPI

    from qa_agents.service.run import WorkerProcess
    from qa_agents.wiring import Workspace

ROUTING_SECONDS = 60.0
"""How often overdue reviews are handed on."""

log = logging.getLogger(__name__)


def build_app(workspace: "Workspace", worker: "WorkerProcess | None" = None) -> "FastAPI":
    """The application over one workspace, which stays the caller's to close; `worker` runs beside it, if one does."""
    from fastapi import FastAPI
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
    app.add_middleware(Hooks, receiver=receiver)

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response:
        return pages.operations(app.openapi())

    app.openapi()["paths"].update(PATHS)  # the document is made once, and kept
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
