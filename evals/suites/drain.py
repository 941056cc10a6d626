"""The service behind the receiver: how soon a webhook is a review, how a burst drains, and what a second worker is worth.

`latency`: events at a steady pace on a memory of many incidents, from the acknowledgement to the review that waits, without a
model. `burst`: many events at once about a few issues: every one is settled, and the jobs of one issue end in their order.
`workers`: jobs that wait for a simulated model, with one worker process and with several, on PostgreSQL.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel
from sqlalchemy import select

from evals.http_load import SERVE, configure, prepare, process, send_all
from evals.postgres import fresh_database
from evals.suites.receiver import percentile
from qa_agents.incidents.schema import Incident
from qa_agents.runtime.events import Route, decide
from qa_agents.runtime.intake import Delivery, Intake
from qa_agents.runtime.table_queue import TableQueue
from qa_agents.runtime.worker import Worker
from qa_agents.settings import Settings, prepare_environment
from qa_agents.storage.engine import open_database
from qa_agents.storage.tables import jobs, reports
from qa_agents.wiring import Workspace

MOST_P95 = 2.0
LEAST_SPEED_UP = 2.5
PARTS = ("door bell", "lamp", "thermostat", "camera", "hub", "switch", "siren", "remote")
FAULTS = ("stays silent", "restarts", "loses its settings", "shows the wrong time", "answers twice", "ends with E-%d")


class Latency(BaseModel):
    """From the acknowledgement of a webhook to the review that waits, in seconds."""

    incidents: int
    events: int
    pace: float
    p50: float
    p95: float
    unfinished: int


class Burst(BaseModel):
    """What became of many events at once."""

    events: int
    looks: int
    """Jobs that were done; the other events were merged into them."""
    seconds: float
    unsettled: int
    out_of_order: int


class Workers(BaseModel):
    """Seconds for the same jobs, with one worker and with several."""

    engine: str
    work_seconds: float
    one: float
    several: float
    workers: int

    @property
    def speed_up(self) -> float:
        """How many times faster."""
        return self.one / self.several


def run_latency(incidents: int, events: int, pace: float, folder: Path) -> Latency:
    """Measure with the real processes: `serve --with-worker`."""
    configure(folder, debounce_seconds="5")
    for number in range(events):
        (folder / "issues" / f"{10_000 + number}.json").write_text(json.dumps(_report(10_000 + number)))
    home = folder / ".qa-agents"
    with Workspace(Settings(home=home, embedder="none")) as workspace:
        for at in range(0, incidents, 1_000):
            batch = range(at, min(at + 1_000, incidents))
            workspace.store.upsert([Incident.model_validate(_past(number)) for number in batch])
        workspace.lexical.catch_up()
    requests = prepare(events, issues=events)
    sent: dict[str, float] = {}
    with (
        process([*SERVE, "--with-worker"], folder) as (_, port),
        Workspace(Settings(home=home, embedder="none")) as workspace,
    ):
        warm = prepare(1, first=10 * events, issues=10 * events + 1)
        (folder / "issues" / f"{10_000 + 10 * events}.json").write_text(json.dumps(_report(10_000 + 10 * events)))
        asyncio.run(send_all(port, warm, 1))
        _wait_for(workspace, 1, 180)
        asyncio.run(_paced(port, requests, pace, sent))
        _wait_for(workspace, events + 1, 120)
        with workspace.database.read() as connection:
            rows = connection.execute(select(reports.c.report_id, reports.c.changed_at, reports.c.state)).all()
    took = [row.changed_at - sent[row.report_id] for row in rows if row.report_id in sent and row.state == "waiting"]
    return Latency(
        incidents=incidents,
        events=events,
        pace=pace,
        p50=percentile(took, 50),
        p95=percentile(took, 95),
        unfinished=events - len(took),
    )


def _report(number: int) -> dict[str, object]:
    part, fault = PARTS[number % len(PARTS)], FAULTS[number // len(PARTS) % len(FAULTS)]
    fault = fault % number if "%" in fault else fault
    text = (
        f"Since {number % 7}.{number % 11} the {part} in room {number % 97} {fault}. Steps: switch it on, wait, look."
    )
    return {"id": f"WB-{number}", "summary": f"The {part} {fault}", "description": text, "component": part}


def _past(number: int) -> dict[str, object]:
    """An incident of last year, under another project's key."""
    return {**_report(number), "id": f"OLD-{number}", "created": "2025-03-01T00:00:00Z", "resolution": "Fixed"}


async def _paced(port: int, requests: Sequence[object], pace: float, sent: dict[str, float]) -> None:
    began = time.monotonic()
    for number, request in enumerate(requests):
        await asyncio.sleep(max(0.0, began + number / pace - time.monotonic()))
        await send_all(port, [request], 1)  # type: ignore[list-item]
        sent[f"WB-{10_000 + number}"] = time.time()


def _wait_for(workspace: Workspace, count: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while workspace.received.states().get("waiting", 0) < count and time.monotonic() < until:
        time.sleep(0.1)


def run_burst(events: int, issues: int, target: Path | str) -> Burst:
    """Store so many events at once, route and work them off with two workers, and look at the order."""
    database = open_database(target)
    queue = TableQueue(database)
    intake = Intake(database, queue, debounce=0.0)
    now = time.time()
    deliveries = [_delivery(number, number % issues, now) for number in range(events)]
    for at in range(0, events, 256):
        intake.append(deliveries[at : at + 256])

    def route(source: str, kind: object, body: bytes, at: float, replayed: bool) -> Route:
        return decide("webhook", body, at)

    began = time.perf_counter()
    workers = [Worker(queue, {"triage": lambda _: None}, before=lambda: intake.route(route) > 0) for _ in range(2)]
    threads = [
        threading.Thread(target=one.run, args=(threading.Event(),), kwargs={"until_empty": True}) for one in workers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    with database.read() as connection:
        ended = connection.execute(
            select(jobs.c.key, jobs.c.pk).where(jobs.c.state == "done").order_by(jobs.c.ended_at, jobs.c.pk)
        ).all()
    latest: dict[str, int] = {}
    out_of_order = 0
    for row in ended:
        out_of_order += row.pk < latest.get(row.key, 0)
        latest[row.key] = max(row.pk, latest.get(row.key, 0))
    unsettled = intake.counts().get("received", 0) + sum(
        queue.backlog().states.get(state, 0) for state in ("todo", "doing", "dead")
    )
    database.close()
    return Burst(events=events, looks=len(ended), seconds=seconds, unsettled=unsettled, out_of_order=out_of_order)


def _delivery(number: int, issue: int, now: float) -> Delivery:
    body = {
        "timestamp": int(now * 1000),
        "webhookEvent": "jira:issue_updated",
        "issue": {"id": str(10_000 + issue), "key": f"WB-{issue}"},
        "changelog": {"id": str(number)},
    }
    return Delivery("load", "webhook", f"d{number}", json.dumps(body).encode(), f"{number:064x}", now)


def run_workers(count: int, workers: int, work_seconds: float, server: str) -> Workers:
    """Let one process, then several, do jobs that wait for `work_seconds` each; in databases made beside the one named."""
    from evals.suites.queue import OURS, measure

    one, several = (
        measure(OURS, server, workers=number, issues=count, each=1, seconds=work_seconds, kill=False).seconds
        for number in (1, workers)
    )
    return Workers(engine="PostgreSQL", work_seconds=work_seconds, one=one, several=several, workers=workers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one thing and print it; 1 when a promise was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=("latency", "burst", "workers"))
    parser.add_argument("--incidents", type=int, default=30_000)
    parser.add_argument("--events", type=int)
    parser.add_argument("--issues", type=int, default=200)
    parser.add_argument("--pace", type=float, default=5.0, help="events a second")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long the simulated model takes")
    parser.add_argument("--postgres", help="URL of a server where databases may be made; needed for `workers`")
    options = parser.parse_args(arguments)
    prepare_environment()
    with tempfile.TemporaryDirectory(prefix="qa-agents-drain-") as name:
        kept = _measure(options, Path(name))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"load average {load} (1, 5, 15 minutes): {'ok' if kept else 'MISS'}")
    return 0 if kept else 1


def _measure(options: argparse.Namespace, folder: Path) -> bool:
    if options.what == "latency":
        latency = run_latency(options.incidents, options.events or 150, options.pace, folder)
        print(
            f"webhook to waiting review, {latency.events} events at {latency.pace:g}/s on {latency.incidents:,} incidents: "
            f"p50 {latency.p50:.2f} s, p95 {latency.p95:.2f} s (promise {MOST_P95:g}), {latency.unfinished} unfinished"
        )
        return latency.p95 <= MOST_P95 and latency.unfinished == 0
    if options.what == "burst":
        with contextlib.ExitStack() as opened:
            server = options.postgres
            target = opened.enter_context(fresh_database(server)) if server else folder / "qa-agents.db"
            burst = run_burst(options.events or 10_000, options.issues, target)
        print(
            f"{burst.events:,} events: {burst.looks:,} looks in {burst.seconds:.1f} s, {burst.unsettled} unsettled, "
            f"{burst.out_of_order} out of order"
        )
        return burst.unsettled == 0 and burst.out_of_order == 0
    if not options.postgres:
        sys.exit("`workers` needs --postgres URL")
    found = run_workers(options.events or 40, options.workers, options.seconds, options.postgres)
    print(
        f"{found.engine}, {found.work_seconds:g} s of waiting a job: one worker {found.one:.1f} s, {found.workers} workers "
        f"{found.several:.1f} s, {found.speed_up:.2f} times (promise {LEAST_SPEED_UP:g})"
    )
    return found.speed_up >= LEAST_SPEED_UP


if __name__ == "__main__":
    sys.exit(main())
