"""What was acknowledged is there after a kill -9 at any moment of a load, on both engines; repetitions are stored once."""

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest
from sqlalchemy import select

from evals.http_load import SERVE, Prepared, configure, prepare, process, send_all
from qa_agents.storage.engine import open_database
from qa_agents.storage.tables import intake
from tests.crash.conftest import FULL
from tests.postgres import ENGINES, fresh_schema

KILLS = 20 if FULL else 2
REQUESTS = 3_000 if FULL else 1_200


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_acknowledged_is_missing_after_kill_9(engine: str, seed: int, tmp_path: Path) -> None:
    if engine == "postgresql":
        with fresh_schema() as url:
            kills_and_losses(tmp_path, url, seed)
    else:
        kills_and_losses(tmp_path, None, seed)


def kills_and_losses(folder: Path, url: str | None, seed: int) -> None:
    configure(folder)
    chance = random.Random(seed)
    settings = {"QA_AGENTS_DATABASE_URL": url} if url else {}
    acknowledged: set[str] = set()
    cut_off = 0
    sent: list[Prepared] = []
    for round_ in range(KILLS):
        requests = prepare(REQUESTS, first=round_ * REQUESTS, size=4_000)
        with process(SERVE, folder, settings) as (child, port):
            after = chance.randrange(50, REQUESTS // 2)

            def strike(count: int, pid: int = child.pid, after: int = after) -> None:
                if count == after:
                    os.kill(pid, signal.SIGKILL)

            outcome = asyncio.run(send_all(port, requests, 16, strike))
        assert len(outcome.acknowledged) >= after
        acknowledged.update(outcome.acknowledged)
        sent += [one for one in requests if one.name in acknowledged][-50:]
        cut_off += outcome.broken
        assert acknowledged <= stored(folder, url), (
            f"{len(acknowledged - stored(folder, url))} lost after {round_ + 1} kills"
        )
    assert cut_off > 0, "no kill met a request on its way"
    with process(SERVE, folder, settings) as (_, port):
        before = len(stored(folder, url))
        outcome = asyncio.run(send_all(port, sent, 4))
        assert len(outcome.acknowledged) == len(sent)
        assert len(stored(folder, url)) == before, "a repetition was stored again"


def stored(folder: Path, url: str | None) -> set[str]:
    database = open_database(url or folder / ".qa-agents" / "qa-agents.db")
    with database.read() as connection:
        found = {row.delivery for row in connection.execute(select(intake.c.delivery))}
    database.close()
    return found
