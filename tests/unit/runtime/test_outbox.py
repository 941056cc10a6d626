import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from qa_agents.checkpoint.ledger import Ledger, entries
from qa_agents.errors import ConflictError, UnavailableError
from qa_agents.runtime.lease import LEASE_SECONDS, Leases
from qa_agents.runtime.outbox import MAX_ATTEMPTS, Outbox
from qa_agents.runtime.stuck import STUCK_SECONDS
from qa_agents.storage.engine import Database, open_database
from qa_agents.storage.tables import actions, runs
from qa_agents.testing.tracker import MemoryTracker
from qa_agents.trackers.file import FileTracker
from qa_agents.trackers.schema import Action, Applied
from tests.clock import Clock

CREATE = Action(kind="create_issue", target="PAY-1", params={"fields": {"summary": "It crashes"}})
COMPONENT = Action(kind="set_field", target="PAY-1", params={"field": "component", "value": "Billing"})
COMMENT = Action(kind="add_comment", target="PAY-1", params={"text": "like PAY-0", "public": False})


@pytest.fixture
def tracker() -> MemoryTracker:
    return MemoryTracker()


@pytest.fixture
def outbox(db: Database, tracker: MemoryTracker) -> Outbox:
    return Outbox(db, tracker, Ledger())


def kinds(tracker: MemoryTracker) -> list[str]:
    return [action.kind for _, action in tracker.applied]


def test_actions_are_made_in_order_and_recorded(db: Database, outbox: Outbox, tracker: MemoryTracker) -> None:
    effects = outbox.carry_out("run-1", [CREATE, COMPONENT], None)
    assert (effects.status, len(effects.done), effects.failed) == ("done", 2, {})
    assert kinds(tracker) == ["create_issue", "set_field"]
    assert [entry.event for entry in entries(db)] == ["action_done", "action_done"]
    assert [row["state"] for row in outbox.of_run("run-1")] == ["done", "done"]


def test_repeating_changes_nothing(outbox: Outbox, tracker: MemoryTracker) -> None:
    for _ in range(3):
        assert len(outbox.carry_out("run-1", [CREATE, COMMENT], None).done) == 2
    assert kinds(tracker) == ["create_issue", "add_comment"]


def test_an_outage_leaves_the_rest_planned_and_a_repetition_goes_on(outbox: Outbox, tracker: MemoryTracker) -> None:
    tracker.apply(CREATE, "by a person")
    issue = tracker.get("PAY-1")
    assert issue is not None
    tracker.fail_next = UnavailableError("The tracker is down.")
    with pytest.raises(UnavailableError):
        outbox.carry_out("run-1", [COMPONENT, COMMENT], issue.version)
    assert [row["state"] for row in outbox.of_run("run-1")] == ["trying", "planned"]
    assert outbox.of_run("run-1")[0]["error"] == "The tracker is down."
    outbox.carry_out("run-1", [COMPONENT, COMMENT], issue.version)
    assert kinds(tracker)[1:] == ["set_field", "add_comment"]


def test_an_answer_lost_after_the_write_does_not_repeat_it(
    db: Database, outbox: Outbox, tracker: MemoryTracker
) -> None:
    """The process died between the tracker's write and our mark: the change is found there and only marked."""
    outbox.carry_out("run-1", [CREATE, COMMENT], None)
    with db.write() as connection:
        connection.execute(update(actions).values(state="trying"))
    assert outbox.carry_out("run-1", [CREATE, COMMENT], None).status == "done"
    assert kinds(tracker) == ["create_issue", "add_comment"]


def test_an_issue_that_moved_since_it_was_seen_is_left_alone(outbox: Outbox, tracker: MemoryTracker) -> None:
    tracker.apply(CREATE, "by a person")
    assert outbox.carry_out("run-1", [COMMENT], "the version that was shown").status == "changed"
    assert outbox.carry_out("run-1", [COMMENT], None).status == "changed"
    assert kinds(tracker) == ["create_issue"]


def test_an_action_that_cannot_be_made_is_named_and_the_others_go_on(outbox: Outbox, tracker: MemoryTracker) -> None:
    elsewhere = COMPONENT.model_copy(update={"target": "PAY-2"})
    effects = outbox.carry_out("run-1", [CREATE, elsewhere, COMMENT], None)
    assert list(effects.failed.values()) == ["The issue PAY-2 does not exist."]
    assert kinds(tracker) == ["create_issue", "add_comment"]
    assert outbox.carry_out("run-1", [CREATE, elsewhere, COMMENT], None).failed == effects.failed


def test_nothing_to_do_is_done(outbox: Outbox) -> None:
    assert outbox.carry_out("run-1", [], None).status == "done"


class Interrupted(MemoryTracker):
    """Calls `meanwhile` once, right after it made a change and before it answers."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] | None = meanwhile

    def apply(self, action: Action, idempotency_key: str) -> Applied:
        applied = super().apply(action, idempotency_key)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return applied


class Rival:
    """Another worker, to whom every lease seems to have run out."""

    def __init__(self, db: Database) -> None:
        self.leases = Leases(db, lambda: 10.0**11)
        self.token = 0

    def take(self) -> None:
        self.token = self.leases._acquire("run-1")

    def give_back(self) -> None:
        self.leases._release("run-1", self.token)


def test_what_was_before_and_what_we_wrote_is_kept(db: Database, outbox: Outbox) -> None:
    outbox.carry_out("run-1", [CREATE, COMPONENT], None)
    with db.read() as connection:
        kept = [Applied.model_validate(row.before) for row in connection.execute(actions.select())]
    assert (kept[1].before, kept[1].after) == ({}, {"value": "Billing"})
    assert [applied.inverse.kind for applied in kept if applied.inverse] == ["withdraw_issue", "clear_field"]


def test_a_batch_costs_one_transaction_more_than_it_has_actions(
    db: Database, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[bool] = []
    write = Database.write

    @contextlib.contextmanager
    def counted(self: Database, *, durable: bool = True) -> Iterator[Any]:
        flushed.append(durable)
        with write(self, durable=durable) as connection:
            yield connection

    with Leases(db).hold("run-1"):
        monkeypatch.setattr(Database, "write", counted)
        outbox.carry_out("run-1", [CREATE, COMPONENT, COMMENT], None)
        monkeypatch.undo()
    assert flushed == [True, True, True, False], "every claim is on disk before its action is made"


def test_a_paused_holder_that_wakes_up_after_the_write_marks_nothing_and_writes_nothing_more(db: Database) -> None:
    rival = Rival(db)
    tracker = Interrupted(rival.take)
    outbox = Outbox(db, tracker, Ledger())
    with Leases(db).hold("run-1"), pytest.raises(ConflictError, match="taken over by another worker"):
        outbox.carry_out("run-1", [CREATE, COMMENT], None)
    assert kinds(tracker) == ["create_issue"]
    assert [row["state"] for row in outbox.of_run("run-1")] == ["trying", "planned"]
    assert list(entries(db)) == []
    rival.give_back()
    assert outbox.carry_out("run-1", [CREATE, COMMENT], None).status == "done"
    assert kinds(tracker) == ["create_issue", "add_comment"]
    assert [entry.event for entry in entries(db)] == ["action_done", "action_done"]


def test_a_paused_holder_that_wakes_up_after_a_failed_write_notes_nothing(db: Database) -> None:
    rival = Rival(db)

    class Down(MemoryTracker):
        def apply(self, action: Action, idempotency_key: str) -> Applied:
            rival.take()
            raise UnavailableError("The tracker is down.")

    outbox = Outbox(db, Down(), Ledger())
    with pytest.raises(UnavailableError, match="tracker is down"):
        outbox.carry_out("run-1", [CREATE], None)
    assert outbox.of_run("run-1")[0]["error"] is None


def test_a_former_holder_cannot_even_claim(db: Database, outbox: Outbox, tracker: MemoryTracker) -> None:
    with Leases(db).hold("run-1"):
        Rival(db).take()
        with pytest.raises(ConflictError, match="taken over"):
            outbox.carry_out("run-1", [CREATE], None)
    assert tracker.applied == []
    assert outbox.of_run("run-1") == []


def test_every_answer_prolongs_the_lease_so_that_a_slow_tracker_does_not_lose_it(db: Database) -> None:
    clock = Clock()

    class Slow(MemoryTracker):
        def apply(self, action: Action, idempotency_key: str) -> Applied:
            clock.now += LEASE_SECONDS * 0.9
            with pytest.raises(ConflictError, match="being worked on"):
                Leases(db, clock)._acquire("run-1")
            return super().apply(action, idempotency_key)

    tracker = Slow()
    with Leases(db, clock).hold("run-1"):
        Outbox(db, tracker, Ledger(clock), clock).carry_out("run-1", [CREATE, COMPONENT, COMMENT], None)
    assert len(tracker.applied) == 3


def test_two_threads_on_one_run_make_each_change_once(db: Database) -> None:
    begun, late = threading.Event(), threading.Event()

    def hold_up() -> None:
        begun.set()
        assert late.wait(30)

    tracker = Interrupted(hold_up)
    outbox = Outbox(db, tracker, Ledger())
    first = threading.Thread(target=lambda: outbox.carry_out("run-1", [CREATE, COMMENT], None))
    first.start()
    assert begun.wait(30)
    with pytest.raises(ConflictError, match="being worked on"):
        outbox.carry_out("run-1", [CREATE, COMMENT], None)
    late.set()
    first.join()
    assert outbox.carry_out("run-1", [CREATE, COMMENT], None).status == "done"
    assert kinds(tracker) == ["create_issue", "add_comment"]
    assert [entry.event for entry in entries(db)] == ["action_done", "action_done"]


def test_processes_racing_on_one_run_make_each_change_once(tmp_path: Path) -> None:
    open_database(tmp_path / "qa-agents.db").close()
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            code = 70
            try:
                database = open_database(tmp_path / "qa-agents.db")
                outbox = Outbox(database, FileTracker(tmp_path / "tracker"), Ledger())
                with contextlib.suppress(ConflictError):
                    outbox.carry_out("run-1", [CREATE, COMPONENT, COMMENT], None)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    database, tracker = open_database(tmp_path / "qa-agents.db"), FileTracker(tmp_path / "tracker")
    assert len(Outbox(database, tracker, Ledger()).carry_out("run-1", [CREATE, COMPONENT, COMMENT], None).done) == 3
    issue = tracker.get("PAY-1")
    assert issue is not None
    assert (issue.fields["component"], len(issue.comments)) == ("Billing", 1)
    assert [entry.event for entry in entries(database)] == ["action_done"] * 3
    database.close()


def unanswered(outbox: Outbox, tracker: MemoryTracker, times: int) -> None:
    for _ in range(times):
        tracker.fail_next = UnavailableError("The tracker is down.")
        with pytest.raises(UnavailableError):
            outbox.carry_out("run-1", [CREATE], None)


def test_an_action_that_never_gets_an_answer_fails_loudly_after_some_attempts(
    db: Database, outbox: Outbox, tracker: MemoryTracker
) -> None:
    unanswered(outbox, tracker, MAX_ATTEMPTS)
    effects = outbox.carry_out("run-1", [CREATE, COMMENT], None)
    assert next(iter(effects.failed.values())) == (
        f"It was tried {MAX_ATTEMPTS} times without an answer. The last time: The tracker is down."
    )
    assert tracker.applied == []
    assert [entry.event for entry in entries(db)] == ["action_failed", "action_failed"]


def test_an_action_that_arrived_although_its_last_answer_was_lost_is_done_and_not_failed(
    outbox: Outbox, tracker: MemoryTracker
) -> None:
    unanswered(outbox, tracker, MAX_ATTEMPTS)
    key = str(outbox.of_run("run-1")[0]["key"])
    tracker.apply(CREATE, key)  # the fifth request was slow, not lost
    assert outbox.carry_out("run-1", [CREATE], None).done == [key]


def test_what_was_planned_on_a_state_that_is_gone_is_dropped_and_not_stuck(
    db: Database, outbox: Outbox, tracker: MemoryTracker
) -> None:
    tracker.fail_next = UnavailableError("The tracker is down.")
    with pytest.raises(UnavailableError):
        outbox.carry_out("run-1", [CREATE, COMMENT], None)
    tracker.apply(CREATE, "by a person")
    assert outbox.carry_out("run-1", [CREATE, COMMENT], None).status == "changed"
    assert [row["state"] for row in outbox.of_run("run-1")] == ["dropped", "dropped"]
    assert outbox.stuck(now=10.0**11) == []
    assert kinds(tracker) == ["create_issue"]


def test_what_was_approved_and_is_neither_done_nor_failed_is_named_after_a_while(
    db: Database, tracker: MemoryTracker
) -> None:
    clock = Clock()
    outbox = Outbox(db, tracker, Ledger(clock), clock)
    with db.write() as connection:
        for state in ("received", "superseded"):
            values = {"kind": "triage", "source": "s", "subject_id": "PAY-1", "input_sha256": "", "options": {}}
            connection.execute(insert(runs).values(run_id=f"run {state}", state=state, started_at=0, **values))
    for run_id in ("run received", "run superseded"):
        tracker.fail_next = UnavailableError("The tracker is down.")
        with pytest.raises(UnavailableError):
            outbox.carry_out(run_id, [CREATE], None)
    assert outbox.stuck(clock.now + STUCK_SECONDS - 1) == []
    (stuck,) = outbox.stuck(clock.now + STUCK_SECONDS)
    assert (stuck.run_id, stuck.state, stuck.attempts, stuck.error) == (
        "run received",
        "trying",
        1,
        "The tracker is down.",
    )
    outbox.carry_out("run received", [CREATE], None)
    assert outbox.stuck(10.0**11) == []


def test_an_approval_whose_actions_were_never_planned_is_named_too(db: Database, outbox: Outbox) -> None:
    from qa_agents.storage.tables import reviews

    run = {"kind": "triage", "source": "s", "subject_id": "PAY-1", "input_sha256": "", "options": {}, "started_at": 0}
    review = {"kind": "triage", "subject_id": "PAY-1", "digest": "", "shown": {}, "opened_at": 0, "decided_at": 5.0}
    with db.write() as connection:
        connection.execute(insert(runs).values(run_id="run-1", state="failed", **run))
        connection.execute(
            insert(reviews).values(review_id="rv-1", run_id="run-1", interrupt_id="i", state="decided", **review)
        )
    (stuck,) = outbox.stuck(10_000.0)
    assert (stuck.run_id, stuck.key, stuck.since) == ("run-1", None, 5.0)
    with db.write() as connection:
        connection.execute(update(runs).values(state="done"))
    assert outbox.stuck(10_000.0) == []
