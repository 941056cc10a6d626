"""A disk that is full, a database that is locked or damaged, a clock that jumps: said clearly, and nothing lost."""

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from qa_agents.storage import engine as storage_engine
from tests.crash.conftest import FULL, Tally, finish, stage_of
from tests.crash.crash_driver import Child, Home, run, shift_clock
from tests.crash.workloads import WORKLOADS, approve, failing, triage
from tests.postgres import url_of

SIZES = range(4_096, 400_000, 12_288 if FULL else 73_728)
PAGES = range(0, 40, 2 if FULL else 13)
AN_HOUR = 3600.0


def suffer(workload: str, home: Home, before: Callable[[], object]) -> str:
    """Do the workload under a fault; what it said, nothing when it got through all the same."""
    log = home.folder / "said.txt"
    code = Child(failing(WORKLOADS[workload], log), home, before=before).start().wait()
    assert code in (0, 3), "it failed with no sentence of ours"  # 3: said so when it closed the workspace
    return log.read_text() if log.exists() else ""


def effects(home: Home) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home.folder / "tracker").glob("*.json")}


@pytest.mark.parametrize("workload", ["triage", "approve"])
def test_files_that_cannot_grow_lose_nothing(
    workload: str, stages: dict[str, Home], ground: Path, tally: Tally
) -> None:
    start = stages[stage_of(workload)]
    for size in SIZES:
        with start.copy(ground / f"full-{workload}-{start.engine}-{size}") as home:
            suffer(workload, home, lambda size=size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))  # type: ignore[misc]
            tally.faults["files cannot grow"] += 1
            finish(workload, home, tally)


@pytest.mark.parametrize("workload", ["triage", "approve"])
def test_a_full_database_loses_nothing_and_says_so(
    workload: str, stages: dict[str, Home], ground: Path, tally: Tally
) -> None:
    start = stages[stage_of(workload)]
    if start.engine != "sqlite":
        pytest.skip("a page limit is SQLite's")
    said = []
    for more in PAGES:
        with start.copy(ground / f"pages-{workload}-{more}") as home:
            with closing(sqlite3.connect(home.folder / "qa-agents.db")) as raw:
                pages = raw.execute("PRAGMA page_count").fetchone()[0] + more
            said.append(suffer(workload, home, lambda pages=pages: limit_pages(pages)))  # type: ignore[misc]
            tally.faults["database full"] += 1
            finish(workload, home, tally)
    assert any("disk is full" in sentence for sentence in said)


def limit_pages(pages: int) -> None:
    @event.listens_for(Engine, "connect")
    def _limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")


@contextmanager
def held(home: Home) -> Iterator[None]:
    """Somebody else writes to the database and does not come to an end."""
    if home.database is None:
        with closing(sqlite3.connect(home.folder / "qa-agents.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
        return
    import psycopg

    with psycopg.connect(url_of(home.database)) as connection:
        connection.execute(f"SELECT {storage_engine.WRITERS_LOCK}".encode())
        yield


def impatient() -> None:
    storage_engine.BUSY_TIMEOUT_MS = 50


@pytest.mark.parametrize("workload", ["triage", "approve"])
def test_a_locked_database_is_said_and_changes_nothing(
    workload: str, stages: dict[str, Home], ground: Path, tally: Tally
) -> None:
    start = stages[stage_of(workload)]
    with start.copy(ground / f"locked-{workload}-{start.engine}") as home:
        before = effects(home)
        with held(home):
            said = suffer(workload, home, impatient)
        assert said.startswith("StorageError: Another process keeps")
        assert effects(home) == before
        tally.faults["database locked"] += 1
        finish(workload, home, tally)


@pytest.mark.parametrize("place", ["last page", "reviews", "runs", "ledger", "actions", "leases"])
def test_a_damaged_database_is_said_and_nothing_is_written(
    place: str, stages: dict[str, Home], ground: Path, tally: Tally
) -> None:
    start = stages["waiting"]
    if start.engine != "sqlite":
        pytest.skip("the file of a server is its own business")
    with start.copy(ground / f"damaged-{place.replace(' ', '-')}") as home:
        spoil(home.folder / "qa-agents.db", place)
        said = suffer("approve", home, lambda: None)
        tally.faults["database damaged"] += 1
        assert said.startswith("StorageError: The workspace database is damaged") or (place == "last page" and not said)
        if said:
            assert effects(home) == {}


def spoil(path: Path, place: str) -> None:
    """Overwrite a page: the last one, or the root of a table."""
    with closing(sqlite3.connect(path)) as raw:
        size = raw.execute("PRAGMA page_size").fetchone()[0]
        if place == "last page":
            page = raw.execute("PRAGMA page_count").fetchone()[0]
        else:
            page = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (place,)).fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


@pytest.mark.parametrize("jump", [AN_HOUR, -AN_HOUR], ids=["forward", "back"])
def test_a_clock_that_jumps_between_proposal_and_decision_changes_nothing(
    jump: float, stages: dict[str, Home], ground: Path, tally: Tally
) -> None:
    with stages["fresh"].copy(ground / f"clock-{stages['fresh'].engine}-{jump}") as home:
        run(triage, home, before=lambda: shift_clock(jump))
        run(approve, home, before=lambda: shift_clock(-jump))
        tally.faults["clock jumped"] += 1
        tally.check(home)
        assert effects(home)
