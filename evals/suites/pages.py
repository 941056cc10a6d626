"""The review pages with ten thousand waiting reviews: the list with every filter, one review, the ledger, the record.

One process serves over loopback as `qa-agents serve` does; times are those of whole requests, HTML read to its end. The reviews
are copies of the examples' own, so that what each shows has its real size.
"""

import argparse
import contextlib
import hashlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from pydantic import BaseModel, Field
from sqlalchemy import insert, select

from evals.http_load import SERVE, process
from evals.postgres import fresh_database
from evals.report import table
from evals.suites.receiver import percentile
from qa_agents.settings import Settings, prepare_environment, resource_dir
from qa_agents.storage.tables import reviews
from qa_agents.wiring import Workspace

MOST_SECONDS = 0.300
"""What the list may take, 95 of 100 times."""
TOKEN = "a token of the measurement"
DAY = 86_400.0


class Timed(BaseModel):
    """One address, asked many times."""

    name: str
    path: str
    n: int
    p50: float
    p95: float
    most: float
    """Seconds."""
    kilobytes: float


class Timings(BaseModel):
    """What a run found."""

    waiting: int
    pages: list[Timed] = Field(default_factory=list)
    load_average: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def is_within(self) -> bool:
        """Whether every page of the list kept the promise."""
        return all(one.p95 <= MOST_SECONDS for one in self.pages if one.path.startswith("/reviews?"))


def run_pages(waiting: int, requests: int, folder: Path, database_url: str | None = None) -> Timings:
    """Fill a workspace with `waiting` reviews and ask each page `requests` times."""
    prepare_environment()
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    (folder / "policy.toml").write_text(
        f'[reviewers.ada]\nroles = ["lead"]\nkey_sha256 = "{digest}"\n'
        '[[rule]]\nname = "all"\nroles = ["lead"]\nproposer_may_approve = true\nsla_hours = 240\n'
    )
    (folder / "qa-agents.toml").write_text(
        f'home = "{folder / "home"}"\nembedder = "none"\npolicy = "{folder / "policy.toml"}"\nmin_free_bytes = 0\n'
    )
    if database_url:
        with (folder / "qa-agents.toml").open("a") as settings:
            settings.write(f'database_url = "{database_url}"\n')
    one = _fill(folder, waiting, database_url)
    paths = {
        "the list": "/reviews?",
        "its last page": "/reviews?page=99999",
        "what is blocked": "/reviews?gate=block",
        "by reason": "/reviews?rule=money",
        "by id": "/reviews?subject=load-77",
        "one review": f"/reviews/{one}",
        "the ledger": "/ledger",
        "the record": "/stats",
    }
    result = Timings(waiting=waiting)
    with process(SERVE, folder) as (_, port), httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        client.post("/login", data={"name": "ada", "secret": TOKEN})
        for name, path in paths.items():
            times, size = [], 0
            for attempt in range(requests + 1):
                began = time.perf_counter()
                answer = client.get(path)
                spent = time.perf_counter() - began
                answer.raise_for_status()
                size = len(answer.content)
                if attempt:  # the first one warms caches and compiles the template
                    times.append(spent)
            result.pages.append(
                Timed(
                    name=name,
                    path=path,
                    n=len(times),
                    p50=percentile(times, 50),
                    p95=percentile(times, 95),
                    most=max(times),
                    kilobytes=size / 1000,
                )
            )
    result.load_average = os.getloadavg()
    return result


def _fill(folder: Path, waiting: int, database_url: str | None) -> str:
    """Triage the examples, then multiply what waits; the id of one real review."""
    from qa_agents.incidents.intake import read_batch
    from qa_agents.operations.handling import handle

    settings = Settings.model_validate(
        {
            "home": folder / "home",
            "embedder": "none",
            "policy": folder / "policy.toml",
            "min_free_bytes": 0,
            "database_url": database_url,
        }
    )
    draw = random.Random(1)
    with Workspace(settings) as workspace:
        for received in read_batch(resource_dir("examples") / "reports.jsonl", 1_000_000):
            handle(workspace, received, options={"k": 5, "remember": False})
        with workspace.database.read() as connection:
            query = select(reviews).where(reviews.c.state == "pending")
            known = [dict(row._mapping) for row in connection.execute(query)]
        copies = [
            {
                **draw.choice(known),
                "review_id": f"rv-load{number:06}",
                "run_id": f"run-load{number}",
                "interrupt_id": "load",
                "subject_id": f"LOAD-{number}",
                "opened_at": time.time() - draw.random() * 9 * DAY,
            }
            for number in range(waiting - len(known))
        ]
        with workspace.database.write() as connection:
            connection.execute(insert(reviews), copies)
    return str(known[0]["review_id"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 when the list is slower than promised."""
    parser = argparse.ArgumentParser(prog="python -m evals pages", description=__doc__)
    parser.add_argument("--waiting", type=int, default=10_000, help="reviews that wait")
    parser.add_argument("--requests", type=int, default=50, help="per page")
    parser.add_argument("--postgres", help="URL of a server where databases may be made; SQLite without it")
    options = parser.parse_args(arguments)
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        url = opened.enter_context(fresh_database(options.postgres)) if options.postgres else None
        found = run_pages(options.waiting, options.requests, Path(folder), url)
    rows = [
        (
            one.name,
            f"{1000 * one.p50:.0f}",
            f"{1000 * one.p95:.0f}",
            f"{1000 * one.most:.0f}",
            f"{one.kilobytes:.0f}",
            str(one.n),
        )
        for one in found.pages
    ]
    engine = "PostgreSQL" if options.postgres else "SQLite"
    print(f"{found.waiting:,} waiting reviews on {engine}; load average {found.load_average[0]:.1f}")
    print(table(("page", "median ms", "p95 ms", "most ms", "kB", "n"), rows))
    print(f"the list within {1000 * MOST_SECONDS:.0f} ms, 95 of 100 times: {'yes' if found.is_within else 'NO'}")
    return 0 if found.is_within else 1


if __name__ == "__main__":
    sys.exit(main())
