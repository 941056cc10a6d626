import pytest

from qa_agents.checkpoint.ledger import Ledger, entries
from qa_agents.errors import ConflictError, UnavailableError, UsageError
from qa_agents.runtime.outbox import Outbox
from qa_agents.runtime.switch import Switch
from qa_agents.storage.engine import Database
from qa_agents.testing.tracker import MemoryTracker
from qa_agents.trackers.schema import Action, Applied

CREATE = Action(kind="create_issue", target="PAY-1", params={"fields": {"summary": "It crashes"}})
COMMENT = Action(kind="add_comment", target="PAY-1", params={"text": "like PAY-0", "public": False})
NOON = 1_764_590_400.0


@pytest.fixture
def switch(db: Database) -> Switch:
    return Switch(db, Ledger(lambda: NOON), lambda: NOON)


def test_who_stopped_when_and_why_is_said(switch: Switch) -> None:
    stopping = switch.stop(by="ada", reason="Wrong labels everywhere.")
    assert stopping.fresh
    assert str(switch.in_force()) == (
        "Outside effects are stopped by ada since 2025-12-01 12:00:00 UTC: Wrong labels everywhere."
    )


def test_a_stop_without_a_reason_stops_too(switch: Switch) -> None:
    assert str(switch.stop(by="ada").stop).endswith(": no reason given.")


def test_a_second_stop_keeps_the_first(db: Database, switch: Switch) -> None:
    first = switch.stop(by="ada", reason="A")
    second = switch.stop(by="bob", reason="B")
    assert (second.stop, second.fresh) == (first.stop, False)
    assert [entry.event for entry in entries(db)] == ["stopped"]


def test_resuming_needs_a_reason_and_a_stop(db: Database, switch: Switch) -> None:
    with pytest.raises(ConflictError, match="not stopped"):
        switch.resume(by="ada", reason="all good")
    switch.stop(by="ada", reason="A")
    with pytest.raises(UsageError, match="needs a reason"):
        switch.resume(by="ada", reason="  ")
    assert switch.in_force() is not None
    assert switch.resume(by="bob", reason="fixed").by == "ada"
    assert switch.in_force() is None
    assert [(entry.event, entry.actor) for entry in entries(db)] == [("stopped", "ada"), ("resumed", "bob")]


def test_while_stopped_everything_is_planned_and_nothing_is_made(db: Database, switch: Switch) -> None:
    tracker = MemoryTracker()
    outbox = Outbox(db, tracker, Ledger())
    switch.stop(by="ada", reason="A")
    for _ in range(9):
        with pytest.raises(UnavailableError, match=r"stopped by ada since .*: A\. What was decided is kept"):
            outbox.carry_out("run-1", [CREATE, COMMENT], None)
    assert tracker.applied == []
    assert [row["state"] for row in outbox.of_run("run-1")] == ["planned", "planned"]
    switch.resume(by="ada", reason="fixed")
    assert len(outbox.carry_out("run-1", [CREATE, COMMENT], None).done) == 2


def test_a_stop_between_two_actions_keeps_the_first_and_holds_the_second(db: Database, switch: Switch) -> None:
    class Stopped(MemoryTracker):
        def apply(self, action: Action, idempotency_key: str) -> Applied:
            on_the_way = switch.stop(by="ada", reason="now").on_the_way
            assert on_the_way == [idempotency_key]
            return super().apply(action, idempotency_key)

    tracker = Stopped()
    outbox = Outbox(db, tracker, Ledger())
    with pytest.raises(UnavailableError, match="stopped by ada"):
        outbox.carry_out("run-1", [CREATE, COMMENT], None)
    assert [row["state"] for row in outbox.of_run("run-1")] == ["done", "planned"]
    assert [entry.event for entry in entries(db)] == ["stopped", "action_done"]


def test_a_run_with_nothing_to_write_is_not_held_up(db: Database, switch: Switch) -> None:
    switch.stop(by="ada")
    assert Outbox(db, MemoryTracker(), Ledger()).carry_out("run-1", [], None).status == "done"


def test_what_was_made_before_the_stop_is_still_told_as_done(db: Database, switch: Switch) -> None:
    outbox = Outbox(db, MemoryTracker(), Ledger())
    done = outbox.carry_out("run-1", [CREATE], None)
    switch.stop(by="ada")
    assert outbox.carry_out("run-1", [CREATE], None) == done
