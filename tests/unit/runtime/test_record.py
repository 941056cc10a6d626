"""What a worker that lost its lease may still write: nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import insert, select

from qa_agents.checkpoint.ledger import Ledger, entries
from qa_agents.errors import ConflictError
from qa_agents.incidents.schema import Incident
from qa_agents.incidents.store import IncidentStore
from qa_agents.runtime.lease import LEASE_SECONDS, Leases
from qa_agents.runtime.record import Recorder
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import runs
from tests.clock import Clock


@contextmanager
def taken_over(db: Database) -> Iterator[None]:
    """A block whose lease ran out and was taken by another worker."""
    clock = Clock()
    with db.write() as connection:
        values = {"kind": "triage", "source": "test", "subject_id": "R-1", "input_sha256": "0" * 64, "options": {}}
        connection.execute(insert(runs).values(run_id="run-1", state="received", started_at=1.0, **values))
    with Leases(db, clock).hold("run-1"):
        clock.now += LEASE_SECONDS + 1
        Leases(db, clock)._acquire("run-1")
        yield


def test_a_stale_worker_neither_publishes_nor_finishes(db: Database) -> None:
    recorder = Recorder(db, Ledger())
    with taken_over(db):
        with pytest.raises(ConflictError, match="taken over"):
            recorder.publish("run-1", b"{}")
        with pytest.raises(ConflictError, match="taken over"):
            recorder.finish("run-1", "decided")
    with db.read() as connection:
        assert connection.execute(select(runs.c.state, runs.c.outcome_sha256)).one() == ("received", None)
    assert list(entries(db)) == []


def test_a_stale_worker_puts_nothing_into_the_memory(db: Database) -> None:
    store = IncidentStore(db, guard=Leases(db).refuse_stale)
    with taken_over(db), pytest.raises(ConflictError, match="taken over"):
        store.upsert([Incident(id="R-1", summary="It crashes")], origin="report")
    assert store.count() == 0


def test_the_holder_publishes_and_finishes_once(db: Database) -> None:
    recorder = Recorder(db, Ledger())
    with db.write() as connection:
        values = {"kind": "triage", "source": "test", "subject_id": "R-1", "input_sha256": "0" * 64, "options": {}}
        connection.execute(insert(runs).values(run_id="run-1", state="received", started_at=1.0, **values))
    with Leases(db).hold("run-1"):
        for _ in range(2):
            recorder.publish("run-1", b"{}")
            recorder.finish("run-1", "decided")
    assert [entry.event for entry in entries(db)] == ["triaged", "recorded"]
