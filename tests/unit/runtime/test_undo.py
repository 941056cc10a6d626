from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from qa_agents.checkpoint.ledger import Ledger, entries
from qa_agents.errors import ConflictError, NotFoundError, UnavailableError, UsageError
from qa_agents.runtime.lease import Leases
from qa_agents.runtime.outbox import Outbox, undo_key
from qa_agents.runtime.switch import Switch
from qa_agents.runtime.undo import Undo, Undone
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import actions, runs
from qa_agents.testing.tracker import MemoryTracker
from qa_agents.trackers.schema import Action, Applied, Issue

CREATE = Action(kind="create_issue", target="PAY-1", params={"fields": {"summary": "It crashes", "status": "Open"}})
LINK = Action(kind="link_issue", target="PAY-1", params={"to": "PAY-0", "relation": "duplicates"})
COMMENT = Action(kind="add_comment", target="PAY-1", params={"text": "like PAY-0", "public": False})


def field(name: str, value: str) -> Action:
    return Action(kind="set_field", target="PAY-1", params={"field": name, "value": value})


FIELDS = [field("component", "Billing"), field("severity", "High"), field("priority", "P2")]


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


class Bench:
    """An outbox over a tracker with one issue that a person made, and everything to undo what the outbox does."""

    def __init__(self, db: Database) -> None:
        self.db, self.tracker, self.clock = db, MemoryTracker(), Clock()
        self.ledger = Ledger(self.clock)
        self.outbox = Outbox(db, self.tracker, self.ledger, self.clock)
        self.undoing = Undo(db, self.tracker, self.outbox, self.ledger)
        self.people = 0
        self.person(CREATE)

    def person(self, action: Action) -> None:
        self.people += 1
        self.tracker.apply(action, f"by a person {self.people}")

    def issue(self, key: str = "PAY-1") -> Issue:
        issue = self.tracker.get(key)
        assert issue is not None
        return issue

    def carry_out(self, *chosen: Action, run_id: str = "run-1") -> list[str]:
        return self.outbox.carry_out(run_id, chosen, self.issue().version).done

    def undo(self, name: str | None = "run-1", **options: Any) -> Undone:
        return self.undoing.undo(name, by="ada", **options)

    def events(self) -> list[str]:
        return [entry.event for entry in entries(self.db)]


@pytest.fixture
def bench(db: Database) -> Bench:
    return Bench(db)


def whats(told: Any) -> list[str]:
    return [action.what for action in told]


def test_a_run_is_undone_newest_first_and_the_issue_is_as_it_was(bench: Bench) -> None:
    start = bench.issue()
    keys = bench.carry_out(*FIELDS, LINK, COMMENT)
    result = bench.undo()
    assert bench.issue() == start
    assert [action.key for action in result.undone] == keys[::-1]
    assert (result.conflicts, result.already, result.cancelled) == ([], [], [])
    assert [row["state"] for row in bench.outbox.of_run("run-1")] == ["undone"] * 5
    last = list(entries(bench.db))[-1]
    assert (last.event, last.actor, last.payload["undoes"]) == ("action_undone", "ada", keys[0])


def test_undoing_twice_changes_nothing_more(bench: Bench) -> None:
    bench.carry_out(*FIELDS)
    bench.undo()
    made = len(bench.tracker.applied)
    again = bench.undo()
    assert (len(again.already), again.undone, again.conflicts) == (3, [], [])
    assert len(bench.tracker.applied) == made
    assert bench.events().count("action_undone") == 3


def test_a_field_that_a_person_changed_since_is_left_and_told_with_both_values(bench: Bench) -> None:
    bench.carry_out(*FIELDS)
    bench.person(field("severity", "Low"))
    result = bench.undo()
    assert whats(result.undone) == ["priority = P2", "component = Billing"]
    (conflict,) = result.conflicts
    assert (conflict.what, conflict.ours, conflict.now, conflict.before) == (
        "severity = High",
        {"value": "High"},
        {"value": "Low"},
        {},
    )
    assert bench.issue().fields == {"summary": "It crashes", "status": "Open", "severity": "Low"}
    assert [row["state"] for row in bench.outbox.of_run("run-1")] == ["undone", "done", "undone"]
    assert bench.events().count("undo_conflict") == 1
    assert all("Low" not in str(entry.payload) for entry in entries(bench.db))


def test_what_was_left_is_undone_once_it_is_ours_again(bench: Bench) -> None:
    bench.carry_out(*FIELDS)
    bench.person(field("severity", "Low"))
    bench.undo()
    bench.person(field("severity", "High"))
    assert whats(bench.undo().undone) == ["severity = High"]


def test_what_a_person_put_back_needs_no_undoing(bench: Bench) -> None:
    bench.carry_out(*FIELDS)
    bench.person(Action(kind="clear_field", target="PAY-1", params={"field": "severity"}))
    result = bench.undo()
    assert whats(result.already) == ["severity = High"]
    assert result.conflicts == []


def test_a_field_goes_back_to_what_a_person_had_set(bench: Bench) -> None:
    bench.person(field("component", "Calendar"))
    bench.carry_out(field("component", "Billing"))
    bench.undo()
    assert bench.issue().fields["component"] == "Calendar"


def test_a_change_that_changed_nothing_is_not_undone(bench: Bench) -> None:
    bench.person(field("component", "Billing"))
    bench.carry_out(field("component", "Billing"))
    assert whats(bench.undo().already) == ["component = Billing"]
    assert bench.issue().fields["component"] == "Billing"


def test_an_issue_we_created_is_withdrawn_and_not_deleted(bench: Bench) -> None:
    create = CREATE.model_copy(update={"target": "PAY-2"})
    comment = COMMENT.model_copy(update={"target": "PAY-2"})
    bench.outbox.carry_out("run-2", [create, comment], None)
    assert whats(bench.undo("run-2").undone) == ["private comment: like PAY-0", "create the issue"]
    issue = bench.issue("PAY-2")
    assert (issue.fields["status"], issue.labels, issue.comments) == ("Withdrawn", ["withdrawn"], [])


def test_an_issue_we_created_that_people_work_on_is_not_withdrawn(bench: Bench) -> None:
    bench.outbox.carry_out("run-2", [CREATE.model_copy(update={"target": "PAY-2"})], None)
    bench.person(COMMENT.model_copy(update={"target": "PAY-2"}))
    assert whats(bench.undo("run-2").conflicts) == ["create the issue"]
    assert bench.issue("PAY-2").fields["status"] == "Open"


def test_one_action_is_undone_by_its_key_or_the_beginning_of_it(bench: Bench) -> None:
    keys = bench.carry_out(*FIELDS)
    assert whats(bench.undo(keys[1][:10]).undone) == ["severity = High"]
    assert whats(bench.undo(keys[0]).undone) == ["component = Billing"]
    with pytest.raises(UsageError, match="itself an undo"):
        bench.undo(undo_key(keys[0]))


def test_a_report_names_all_its_runs(bench: Bench, db: Database) -> None:
    for run_id in ("run-1", "run-2"):
        values = {"kind": "triage", "source": "s", "input_sha256": "", "options": {}, "started_at": 0, "state": "done"}
        with db.write() as connection:
            connection.execute(insert(runs).values(run_id=run_id, subject_id="REP-7", **values))
    start = bench.issue()
    bench.carry_out(field("component", "Billing"), run_id="run-1")
    bench.carry_out(field("component", "Calendar"), run_id="run-2")
    assert whats(bench.undo("REP-7").undone) == ["component = Calendar", "component = Billing"]
    assert bench.issue() == start


def test_everything_since_a_moment_is_undone_across_runs(bench: Bench) -> None:
    bench.carry_out(field("component", "Billing"), run_id="run-1")
    moment = bench.clock()
    bench.carry_out(field("component", "Calendar"), run_id="run-2")
    bench.carry_out(field("severity", "High"), run_id="run-3")
    assert whats(bench.undo(None, since=moment).undone) == ["severity = High", "component = Calendar"]
    assert bench.issue().fields["component"] == "Billing"
    assert bench.undo("run-1", since=moment).undone == []


def test_a_dry_run_tells_what_an_undo_then_does_and_writes_nothing(bench: Bench) -> None:
    bench.outbox.carry_out(
        "run-2", [action.model_copy(update={"target": "PAY-2"}) for action in (CREATE, *FIELDS)], None
    )
    before, events = bench.issue("PAY-2"), bench.events()
    told = bench.undo("run-2", dry_run=True)
    assert (bench.issue("PAY-2"), bench.events()) == (before, events)
    assert told.model_copy(update={"dry_run": False}) == bench.undo("run-2")


def test_what_was_approved_but_not_made_yet_is_cancelled_and_never_made(bench: Bench) -> None:
    bench.tracker.fail_next = UnavailableError("The tracker is down.")
    version = bench.issue().version
    with pytest.raises(UnavailableError):
        bench.outbox.carry_out("run-1", FIELDS, version)
    assert len(bench.undo().cancelled) == 3
    effects = bench.outbox.carry_out("run-1", FIELDS, version)
    assert effects.done == []
    assert set(effects.failed.values()) == {"Cancelled by ada before it was made."}
    assert len(bench.tracker.applied) == 1


def test_what_was_made_and_only_not_marked_is_undone_and_not_cancelled(bench: Bench, db: Database) -> None:
    bench.carry_out(*FIELDS[:1])
    with db.write() as connection:
        connection.execute(update(actions).values(state="trying", before=None, done_at=None))
    result = bench.undo()
    assert (whats(result.undone), result.cancelled) == (["component = Billing"], [])
    assert "component" not in bench.issue().fields


def test_an_outage_in_the_middle_is_gone_on_from(bench: Bench) -> None:
    bench.carry_out(*FIELDS)
    bench.tracker.fail_next = UnavailableError("The tracker is down.")
    with pytest.raises(UnavailableError):
        bench.undo()
    assert len(bench.undo().undone) == 3


def test_an_undo_whose_answer_was_lost_is_marked_and_not_repeated(bench: Bench, db: Database) -> None:
    """The process died between the tracker's answer and our mark: the value is not ours any more, and yet undone by us."""
    (key,) = bench.carry_out(field("component", "Billing"))
    bench.undo()
    with db.write() as connection:
        connection.execute(update(actions).where(actions.c.key == undo_key(key)).values(state="trying"))
        connection.execute(update(actions).where(actions.c.key == key).values(state="done"))
    made = len(bench.tracker.applied)
    assert len(bench.undo().undone) == 1
    assert len(bench.tracker.applied) == made


def test_a_person_who_is_quicker_than_the_undo_is_not_overwritten(bench: Bench) -> None:
    class Quick(MemoryTracker):
        def apply(self, action: Action, idempotency_key: str) -> Applied:
            if action.kind == "clear_field":
                super().apply(field("component", "a person's"), "quick")
            return super().apply(action, idempotency_key)

    quick = Quick()
    quick.__dict__.update(bench.tracker.__dict__)
    bench.tracker = quick
    bench.outbox = Outbox(bench.db, quick, bench.ledger, bench.clock)
    bench.undoing = Undo(bench.db, quick, bench.outbox, bench.ledger)
    bench.carry_out(field("component", "Billing"))
    (conflict,) = bench.undo().conflicts
    assert conflict.now == {"value": "a person's"}
    assert bench.issue().fields["component"] == "a person's"
    assert bench.events().count("undo_conflict") == 1
    bench.person(field("component", "Billing"))
    assert whats(bench.undo().undone) == ["component = Billing"], "the conflict did not use the undo up"


def test_nothing_is_undone_while_outside_effects_are_stopped_or_the_run_is_driven(bench: Bench, db: Database) -> None:
    bench.carry_out(*FIELDS)
    with Leases(db).hold("run-1"), pytest.raises(ConflictError, match="being worked on"):
        bench.undo()
    switch = Switch(db, bench.ledger)
    switch.stop(by="bob", reason="looking")
    with pytest.raises(UnavailableError, match="stopped by bob"):
        bench.undo()
    assert bench.issue().fields["priority"] == "P2"
    switch.resume(by="bob", reason="looked")
    assert len(bench.undo().undone) == 3


@pytest.mark.parametrize("name", ["run-9", "deadbeef", "", "%", "' OR 1=1"])
def test_an_unknown_name_undoes_nothing(bench: Bench, name: str) -> None:
    bench.carry_out(*FIELDS)
    with pytest.raises(NotFoundError, match="Nothing was done under the name"):
        bench.undo(name)


def test_undoing_needs_a_name_or_a_moment(bench: Bench) -> None:
    with pytest.raises(UsageError):
        bench.undo(None)


VALUES = st.sampled_from(["a", "b"])
CHANGES = st.one_of(
    st.builds(field, st.sampled_from(["component", "severity"]), VALUES),
    st.builds(lambda v: Action(kind="add_label", target="PAY-1", params={"label": v}), VALUES),
    st.builds(lambda v: Action(kind="add_comment", target="PAY-1", params={"text": v, "public": False}), VALUES),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.tuples(st.booleans(), CHANGES), min_size=1, max_size=6), number=st.uuids())
def test_whatever_people_do_in_between_their_last_word_stands(
    db: Database, plan: list[tuple[bool, Action]], number: object
) -> None:
    """Runs and people take turns; undoing all runs leaves every field that a person touched last as that person left it.

    People use words of their own: "still ours" is a matter of the value, so who sets ours anew is not told apart.
    """
    bench = Bench(db)
    start = dict(bench.issue().fields)
    last: dict[str, tuple[bool, str]] = {}
    runs_made: list[str] = []
    for position, (ours, action) in enumerate(plan):
        if action.kind == "set_field" and not ours:
            action = field(action.params["field"], f"a person's {action.params['value']}")
        if action.kind == "set_field" and bench.issue().fields.get(action.params["field"]) != action.params["value"]:
            last[action.params["field"]] = (ours, action.params["value"])
        if ours:
            runs_made.append(f"{number} {position}")
            bench.carry_out(action, run_id=runs_made[-1])
        else:
            bench.person(action)
    for run_id in reversed(runs_made):
        bench.undo(run_id)
    fields = bench.issue().fields
    for name, (ours, value) in last.items():
        if not ours:
            assert fields[name] == value
    people_set = {action.params["field"] for ours, action in plan if not ours and action.kind == "set_field"}
    for name in {"component", "severity"} - people_set:
        assert fields.get(name) == start.get(name)
