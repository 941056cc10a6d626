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
from qa_agents.storage import engine
from qa_agents.storage.engine import Database
from qa_agents.storage.prepared import Prepared
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

    call, deliver = Prepared.call, engine._deliver

    def counted_call(self: Prepared, *args: Any) -> Any:
        found["statements"] += 1
        return call(self, *args)

    def counted_message(*args: Any) -> None:
        found["messages"] += 1
        deliver(*args)

    monkeypatch.setattr(Database, "write", counting)
    monkeypatch.setattr(Prepared, "call", counted_call)
    monkeypatch.setattr(engine, "_deliver", counted_message)
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
    assert found["statements"] <= 45, "those that open and end transactions apart"
    assert found["messages"] <= 19, "to a server: two or three per transaction, one where a statement stands for itself"
