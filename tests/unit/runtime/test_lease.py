import contextvars
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from qa_agents.errors import ConflictError, StorageError
from qa_agents.runtime.lease import LEASE_SECONDS, Leases
from qa_agents.storage import engine
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import leases as leases_table
from tests.clock import Clock


def test_one_holder_at_a_time(db: Database) -> None:
    leases = Leases(db)
    with leases.hold("run-1"), pytest.raises(ConflictError, match="being worked on"), Leases(db).hold("run-1"):
        pass
    with leases.hold("run-1"):
        pass


def test_the_fencing_token_only_grows(db: Database) -> None:
    tokens = []
    for _ in range(3):
        with Leases(db).hold("run-1") as token:
            tokens.append(token)
    assert tokens == sorted(set(tokens))


def test_a_lease_that_ran_out_is_taken_over_and_the_old_token_is_stale(db: Database) -> None:
    clock = Clock()
    with Leases(db, clock).hold("run-1") as old:
        clock.now += LEASE_SECONDS + 1
        other = Leases(db, clock)
        with other.hold("run-1") as new, db.write() as connection:
            assert not other.is_current(connection, "run-1", old)
            assert other.is_current(connection, "run-1", new)


def test_a_dead_holders_lease_is_free_at_once(db: Database) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    leases = Leases(db)
    leases._holder = leases._holder.rpartition(":")[0] + f":{gone.pid}"
    leases._acquire("run-1")
    with Leases(db).hold("run-1"):
        pass


def test_the_holders_own_calls_know_its_token_and_nobody_elses(db: Database) -> None:
    leases = Leases(db)
    seen: list[int | None] = []

    def look() -> None:
        seen.append(Leases(db).token_of("run-1"))

    with leases.hold("run-1") as token:
        inherited = threading.Thread(target=contextvars.copy_context().run, args=(look,))
        stranger = threading.Thread(target=look)
        for thread in (inherited, stranger):
            thread.start()
            thread.join()
        assert leases.token_of("run-2") is None
    assert seen == [token, None]
    assert leases.token_of("run-1") is None


def test_ensuring_a_lease_that_is_held_takes_no_other(db: Database) -> None:
    leases = Leases(db)
    with leases.hold("run-1") as token, leases.ensure("run-1") as same:
        assert same == token
    with leases.ensure("run-1") as newer:
        assert newer > token


def test_only_the_current_holder_can_renew(db: Database) -> None:
    clock = Clock()
    leases, other = Leases(db, clock), Leases(db, clock)
    with leases.hold("run-1") as old:
        clock.now += LEASE_SECONDS + 1
        with other.hold("run-1") as new, db.write() as connection:
            assert not leases.renew(connection, "run-1", old)
            assert other.renew(connection, "run-1", new)
    with db.write() as connection:
        assert not other.renew(connection, "run-1", new), "a lease that was given back stays free"


def test_a_live_worker_renews_while_it_works(db: Database) -> None:
    """The clock jumps past the lease's end again and again; the heartbeat has prolonged it each time."""
    clock, beaten = Clock(), threading.Event()

    def now() -> float:
        beaten.set()
        return clock.now

    with Leases(db, now, beat_seconds=0.001).hold("run-1"):
        for _ in range(3):
            clock.now += LEASE_SECONDS * 0.9
            for _ in range(2):  # the first beat after clearing may have read the clock before it jumped
                beaten.clear()
                assert beaten.wait(30)
            with db.write() as connection:
                assert connection.execute(leases_table.select()).one().expires_at >= clock.now


def test_nobody_takes_a_lease_over_between_its_check_and_the_commit_of_what_was_checked(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 50)
    url = db._engine.url
    impatient = engine.open_database(
        Path(str(url.database)) if db.dialect == "sqlite" else url.render_as_string(hide_password=False)
    )
    clock = Clock()
    late = Leases(impatient, lambda: clock.now + LEASE_SECONDS + 1)
    with Leases(db, clock).hold("run-1") as token:
        with db.write() as connection:
            assert Leases(db, clock).is_current(connection, "run-1", token)
            with pytest.raises(StorageError, match="locked"):
                late._acquire("run-1")
        assert late._acquire("run-1") == token + 1
    impatient.close()


def test_a_lease_that_was_given_back_with_the_last_write_is_free_at_its_commit(db: Database) -> None:
    clock = Clock()
    mine, other = Leases(db, clock), Leases(db, clock)
    with mine.hold("run-1") as token:
        with db.write() as connection:
            mine.give_back(connection, "run-1")
        assert other._acquire("run-1") == token + 1
    with pytest.raises(ConflictError), Leases(db, clock).hold("run-1"):
        pass


def test_a_lease_that_was_given_back_in_vain_ends_with_its_block(db: Database) -> None:
    leases = Leases(db)

    def failing() -> None:
        with leases.hold("run-1"), db.write() as connection:
            leases.give_back(connection, "run-1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    with leases.hold("run-1"):
        pass
