"""What a report costs from its arrival to the approved change: flushes, transactions and statements are counted, not timed."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from evals.suites.throughput import Ours
from qa_agents.storage.engine import Database
from tests.postgres import ENGINES, fresh_schema


@pytest.fixture(params=ENGINES)
def ours(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ours]:
    with contextlib.ExitStack() as stack:
        if request.param == "postgresql":
            url = stack.enter_context(fresh_schema())
            made = Ours(url, url)
        else:
            made = Ours(tmp_path / "qa-agents.db", tmp_path / "checkpoints.db")
        stack.callback(made.close)
        yield made


def counted(ours: Ours, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """One cycle, after one that warms up."""
    ours.cycle(1)
    found: Counter[str] = Counter()
    write = Database.write

    @contextlib.contextmanager
    def counting(self: Database, *, durable: bool = True) -> Iterator[Any]:
        found["flushed" if durable else "not flushed"] += 1
        with write(self, durable=durable) as connection:
            yield connection

    def statement(*_: object) -> None:
        found["statements"] += 1

    monkeypatch.setattr(Database, "write", counting)
    event.listen(Engine, "before_cursor_execute", statement)
    try:
        ours.cycle(2)
    finally:
        event.remove(Engine, "before_cursor_execute", statement)
    return found


def test_a_report_is_flushed_when_it_comes_is_decided_is_claimed_and_is_done(
    ours: Ours, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = counted(ours, monkeypatch)
    assert found["flushed"] == 4
    assert found["not flushed"] == 2, "the question, and what the tracker answered"
    assert found["statements"] <= 62
