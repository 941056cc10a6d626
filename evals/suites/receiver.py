"""Webhooks acknowledged with full durability: our receiver, beside a plain FastAPI endpoint with one transaction per request.

Both run as processes of their own, under uvicorn, on the same disk, SQLite in WAL mode with synchronous=FULL, both check the
signature, and both answer 202 when the body is on disk. Rounds alternate. The client shares the machine with them.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, Field
from sqlalchemy import func, select

from evals.http_load import SECRET, SERVE, Outcome, configure, cpu_seconds, prepare, process, send_all
from evals.report import table
from qa_agents.settings import prepare_environment
from qa_agents.storage.engine import open_database
from qa_agents.storage.tables import intake

LEAST_RATE = 1_000.0
MOST_P99 = 0.250
CONNECTIONS = 64

PLAIN = """
import hashlib, hmac, sqlite3, sys
import uvicorn
from fastapi import FastAPI, Request, Response

SECRET, PATH = sys.argv[1].encode(), sys.argv[2]
db = sqlite3.connect(PATH, isolation_level=None, check_same_thread=False)
db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
db.execute("CREATE TABLE IF NOT EXISTS hooks (id TEXT PRIMARY KEY, body BLOB)")
app = FastAPI()

@app.post("/hooks/jira/{source}")
async def hook(source: str, request: Request) -> Response:
    body = await request.body()
    digest = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(digest, request.headers.get("x-hub-signature", "")):
        return Response(status_code=401)
    db.execute("INSERT OR IGNORE INTO hooks VALUES (?, ?)", (request.headers["x-atlassian-webhook-identifier"], body))
    return Response(status_code=202)

config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="info", access_log=False)
uvicorn.Server(config).run()
"""


class Side(BaseModel):
    """One server under load."""

    name: str
    rate: float
    """Acknowledgements a second, the median of the rounds."""
    p50: float
    p99: float
    """Seconds, over all rounds."""
    cpu_ms: float
    """Processor time of the server per acknowledgement, which a busy machine does not change."""
    acknowledged: int
    refused: int
    missing: int
    """Acknowledged and not in the database."""


class Received(BaseModel):
    """What a run found."""

    sides: list[Side] = Field(default_factory=list)
    load_average: tuple[float, float, float] = (0.0, 0.0, 0.0)
    connections: int = CONNECTIONS

    @property
    def is_within(self) -> bool:
        """Whether ours kept the promise."""
        ours = self.sides[0]
        return ours.rate >= LEAST_RATE and ours.p99 <= MOST_P99 and ours.missing == 0


def run_receiver(rounds: int, requests: int, connections: int, folder: Path) -> Received:
    """Measure both; `requests` per side and round."""
    prepare_environment()
    ours, plain = folder / "ours", folder / "plain"
    for each in (ours, plain):
        each.mkdir()
    configure(ours)
    (plain / "server.py").write_text(PLAIN)
    commands = {
        "ours, group commit": (SERVE, ours),
        "FastAPI, a transaction per request": ((sys.executable, "server.py", SECRET, "hooks.db"), plain),
    }
    outcomes: dict[str, list[Outcome]] = {name: [] for name in commands}
    for round_ in range(rounds):
        for name, (command, where) in commands.items():
            warm = prepare(200, first=10_000_000 + round_ * 200)
            load = prepare(requests, first=round_ * requests)
            with process(command, where) as (child, port):
                asyncio.run(send_all(port, warm, connections))
                before = cpu_seconds(child.pid)
                outcome = asyncio.run(send_all(port, load, connections))
                outcome.cpu_seconds = cpu_seconds(child.pid) - before
                outcomes[name].append(outcome)
    kept = {"ours, group commit": _ours_kept(ours), "FastAPI, a transaction per request": _plain_kept(plain)}
    result = Received(load_average=os.getloadavg(), connections=connections)
    for name, found in outcomes.items():
        acknowledged = {one for outcome in found for one in outcome.acknowledged}
        latencies = [seconds for outcome in found for seconds in outcome.latencies]
        rates = [len(outcome.acknowledged) / outcome.seconds for outcome in found]
        result.sides.append(
            Side(
                name=name,
                rate=percentile(rates, 50),
                p50=percentile(latencies, 50),
                p99=percentile(latencies, 99),
                cpu_ms=1000 * sum(outcome.cpu_seconds for outcome in found) / max(1, len(acknowledged)),
                acknowledged=len(acknowledged),
                refused=sum(sum(outcome.refused.values()) for outcome in found),
                missing=len(acknowledged - kept[name]),
            )
        )
    return result


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which so many percent lie; 0 for none."""
    import numpy as np

    return float(np.percentile(values, share)) if values else 0.0


def _ours_kept(folder: Path) -> set[str]:
    database = open_database(folder / ".qa-agents" / "qa-agents.db")
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(intake)).scalar_one()
        kept = set(connection.execute(select(intake.c.delivery)).scalars())
    database.close()
    return kept


def _plain_kept(folder: Path) -> set[str]:
    import sqlite3

    with sqlite3.connect(folder / "hooks.db") as connection:
        return {row[0] for row in connection.execute("SELECT id FROM hooks")}


def receiver_report(result: Received) -> str:
    """The result as Markdown."""
    rows = [
        (
            side.name,
            f"{side.rate:,.0f}",
            f"{side.p50 * 1000:.0f}",
            f"{side.p99 * 1000:.0f}",
            f"{side.cpu_ms:.2f}",
            f"{side.acknowledged:,}",
            str(side.refused),
            str(side.missing),
        )
        for side in result.sides
    ]
    head = ("server", "acknowledged / s", "p50 ms", "p99 ms", "CPU ms each", "acknowledged", "refused", "missing")
    load = ", ".join(f"{value:.1f}" for value in result.load_average)
    verdict = "ok" if result.is_within else "MISS"
    return (
        f"{table(head, rows)}\n\n{result.connections} connections, 9.6 kB a body; load average {load} (1, 5, 15 minutes). "
        f"Promise: at least {LEAST_RATE:,.0f}/s, p99 at most {MOST_P99 * 1000:.0f} ms, none missing: {verdict}."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when the promise was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="qa-agents-receiver-") as folder:
        result = run_receiver(options.rounds, options.requests, options.connections, Path(folder))
    print(receiver_report(result))
    return 0 if result.is_within else 1


if __name__ == "__main__":
    sys.exit(main())
