"""A workspace of schema version 1, with runs paused at the checkpoint: this release takes it over where it stood.

`v1/` holds what that release left on disk, as text: PAY-900 waits at the checkpoint, PAY-901 was approved and the process died
before the run was resumed, PAY-902 was carried out.
"""

import gzip
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qa_agents.operations import deciding, handling
from qa_agents.settings import Settings
from qa_agents.storage import migrations
from qa_agents.wiring import Workspace
from tests.crash.history import read, violations

LEFT = Path(__file__).parent / "v1"


def restored(path: Path, dump: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.executescript(dump)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The workspace as the old release left it."""
    home = tmp_path / "home"
    (home / "tracker").mkdir(parents=True)
    restored(home / "qa-agents.db", (LEFT / "qa-agents.sql").read_text())
    restored(home / "checkpoints.db", gzip.decompress((LEFT / "checkpoints.sql.gz").read_bytes()).decode())
    shutil.copy(LEFT / "PAY-902.json", home / "tracker")
    return home


@pytest.fixture
def workspace(home: Path) -> Iterator[Workspace]:
    with Workspace(Settings(home=home, embedder="none")) as opened:
        yield opened


def changes(home: Path, issue: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((home / "tracker" / f"{issue}.json").read_text())["history"]
    return found


def test_what_was_left_is_of_the_first_version(home: Path) -> None:
    with closing(sqlite3.connect(home / "qa-agents.db")) as raw:
        assert raw.execute("SELECT max(version) FROM schema_version").fetchone() == (1,)
    assert migrations.CURRENT > 1


def test_what_waited_is_shown_and_can_be_approved(workspace: Workspace, home: Path) -> None:
    review = workspace.inbox.find("PAY-900")
    assert review.state == "pending"
    assert review.shown["actions"][0]["kind"] == "create_issue"
    assert deciding.reviewed(workspace, review.review_id)[1].report_id == "PAY-900"
    decided = deciding.decide(workspace, review.review_id, reviewer="ada", verdict="approve")
    assert (decided.state, decided.failed) == ("decided", [])
    assert Counter(change["kind"] for change in changes(home, "PAY-900"))["create_issue"] == 1
    assert len(changes(home, "PAY-900")) == len(review.shown["actions"])


def test_what_was_decided_and_not_resumed_is_carried_out_once(workspace: Workspace, home: Path) -> None:
    for _ in range(2):
        _, failed = handling.recover(workspace)
        assert failed == {}
    assert len(changes(home, "PAY-901")) == len(workspace.inbox.find("PAY-901").shown["actions"])


def test_what_was_finished_stays_as_it_is(workspace: Workspace, home: Path) -> None:
    before = (home / "tracker" / "PAY-902.json").read_bytes()
    handling.recover(workspace)
    account = workspace.received.find("PAY-902")
    assert account is not None
    assert account.state == "decided"
    assert (home / "tracker" / "PAY-902.json").read_bytes() == before


def test_every_promise_holds_over_both_releases(workspace: Workspace, home: Path) -> None:
    """The ledger's old entries verify under the rule they were written by, and new ones follow on."""
    handling.recover(workspace)
    deciding.decide(workspace, "PAY-900", reviewer="ada", verdict="approve")
    balance = workspace.received.balance()
    assert (balance.received, balance.decided, balance.unaccounted) == (3, 3, [])
    assert violations(read(home)) == []


def test_a_migrated_workspace_has_the_same_columns_as_a_new_one(workspace: Workspace, tmp_path: Path) -> None:
    workspace.database  # noqa: B018 - migrates
    with Workspace(Settings(home=tmp_path / "new", embedder="none")) as new:
        new.database  # noqa: B018

    def columns(path: Path) -> dict[str, set[str]]:
        with closing(sqlite3.connect(path)) as raw:
            tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {table: {row[1] for row in raw.execute(f"PRAGMA table_info({table})")} for table in tables}

    assert columns(workspace.settings.home / "qa-agents.db") == columns(tmp_path / "new" / "qa-agents.db")
