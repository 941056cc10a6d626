"""Any interleaving of reports, decisions, crashes, repetitions and undoing: a model predicts every state, and must be right."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import Ledger, entries, first_break
from qa_agents.checkpoint.schema import Decision, Review
from qa_agents.errors import ConflictError, QAAgentsError, UnavailableError
from qa_agents.incidents.intake import ReceivedReport
from qa_agents.incidents.schema import Report
from qa_agents.runtime.outbox import Outbox
from qa_agents.runtime.received import Received
from qa_agents.runtime.record import Recorder
from qa_agents.runtime.switch import Switch
from qa_agents.runtime.undo import Undo
from qa_agents.storage.artifacts import sha256_hex
from qa_agents.storage.engine import open_database
from qa_agents.testing.tracker import MemoryTracker
from qa_agents.trackers.schema import Action, Applied

IDS = ("A-1", "A-2", "A-3")
MEMORY = "/dev/shm"
"""Nothing here is cut off from power, so flushing would only cost time."""
FATES = ("works", "dies before", "dies after", "is down")


class Died(BaseException):
    """The process ended here, as far as the code is concerned."""


class MortalTracker(MemoryTracker):
    """A tracker whose caller may die around the write, or find nobody there."""

    fate = "works"

    def apply(self, action: Action, idempotency_key: str) -> Applied:
        fate, self.fate = self.fate, "works"
        if fate == "dies before":
            raise Died
        if fate == "is down":
            raise UnavailableError("The tracker is down.")
        applied = super().apply(action, idempotency_key)
        if fate == "dies after":
            raise Died
        return applied


class CheckpointMachine(RuleBasedStateMachine):
    """Received, inbox, outbox, ledger and undo over one database; the model is four small dicts."""

    reviews = Bundle("reviews")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
        self.clock = 1_800_000_000.0
        self.db = open_database(Path(self.folder.name) / "qa-agents.db")
        self.ledger = Ledger(self.now)
        self.inbox = Inbox(self.db, self.ledger, now=self.now)
        self.received = Received(self.db, self.inbox, self.ledger, self.now)
        self.recorder = Recorder(self.db, self.ledger, self.now)
        self.tracker = MortalTracker()
        self.outbox = Outbox(self.db, self.tracker, self.ledger, self.now)
        self.undo = Undo(self.db, self.tracker, self.outbox, self.ledger)
        self.switch = Switch(self.db, self.ledger, self.now)
        self.texts: dict[str, int] = {}
        """Report to the version of its text."""
        self.runs: dict[str, str] = {}
        """Report to its newest run."""
        self.states: dict[str, str] = {}
        """Review to the state it must be in: pending, decided, superseded."""
        self.approved: dict[str, str] = {}
        """Run to the report whose approval is to be carried out."""
        self.carried: set[str] = set()
        self.undone: set[str] = set()
        self.stopped = False

    def now(self) -> float:
        self.clock += 1.0
        return self.clock

    def teardown(self) -> None:
        self.db.close()
        self.folder.cleanup()

    def accept(self, report_id: str) -> Any:
        report = Report(id=report_id, summary=f"It crashes, version {self.texts[report_id]}")
        raw = report.model_dump_json().encode()
        received = ReceivedReport(report=report, raw=raw, raw_sha256=sha256_hex(raw), line=1, problem=None, notes=[])
        return self.received.accept(received, source="test", kind="triage", options={})

    def actions(self, report_id: str, run_id: str) -> list[Action]:
        exists = self.tracker.get(report_id) is not None
        create = Action(kind="create_issue", target=report_id, params={"fields": {"status": "Open"}})
        comment = Action(kind="add_comment", target=report_id, params={"text": run_id, "public": False})
        field = Action(kind="set_field", target=report_id, params={"field": "component", "value": run_id})
        return [*([] if exists else [create]), field, comment]

    @rule(report_id=st.sampled_from(IDS))
    def receive(self, report_id: str) -> None:
        new = report_id not in self.texts
        self.texts.setdefault(report_id, 1)
        account = self.accept(report_id)
        assert account.fresh == new
        assert self.runs.setdefault(report_id, account.run_id) == account.run_id

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def receive_a_new_version(self, data: st.DataObject) -> None:
        report_id = data.draw(st.sampled_from(sorted(self.texts)))
        self.texts[report_id] += 1
        old, account = self.runs[report_id], self.accept(report_id)
        assert account.fresh
        assert account.run_id != old
        self.runs[report_id] = account.run_id
        for review_id, state in list(self.states.items()):
            if state == "pending" and self.inbox.find(review_id).subject_id == report_id:
                self.states[review_id] = "superseded"

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), target=reviews)
    def open_review(self, data: st.DataObject) -> Review:
        report_id = data.draw(st.sampled_from(sorted(self.runs)))
        run_id = self.runs[report_id]
        # A review of a run is shown once; opening it again, as after a crash, gives the same one.
        existing = self.inbox.of_run(run_id)
        issue = self.tracker.get(report_id)
        shown = (
            existing.shown
            if existing
            else {
                "actions": [action.model_dump(mode="json") for action in self.actions(report_id, run_id)],
                "editable": ["component"],
                "issue_version": issue.version if issue else None,
            }
        )
        with self.db.write() as connection:
            review = self.inbox.open(
                connection, run_id=run_id, interrupt_id="i-1", kind="triage", subject_id=report_id, shown=shown
            )
        if existing is None:
            self.states[review.review_id] = "pending"
            self._set_waiting(run_id)
        return review

    def _set_waiting(self, run_id: str) -> None:
        from qa_agents.runtime.desk import set_run_state

        with self.db.write() as connection:
            set_run_state(connection, run_id, "waiting", self.now())

    @rule(review=reviews, verdict=st.sampled_from(("approve", "edit", "reject")))
    def decide(self, review: Review, verdict: str) -> None:
        """Whether it is the first, a duplicate, late, or for something replaced is up to the interleaving."""
        decision = Decision.model_validate(
            {
                "review_id": review.review_id,
                "verdict": verdict,
                "reviewer": "ada",
                "digest": review.digest,
                "reason_code": None if verdict == "approve" else "other",
                "edits": {"component": "Billing"} if verdict == "edit" else {},
            }
        )
        expected = self.states[review.review_id]
        try:
            self.inbox.decide(decision)
        except ConflictError:
            assert expected != "pending"
            return
        assert expected == "pending"
        self.states[review.review_id] = "decided"
        if verdict == "approve":
            self.approved[review.run_id] = review.subject_id

    @rule(review=reviews)
    def decide_about_something_else(self, review: Review) -> None:
        wrong = Decision(review_id=review.review_id, verdict="approve", reviewer="ada", digest="0" * 64)
        with suppress(QAAgentsError):
            self.inbox.decide(wrong)
            raise AssertionError("a decision about something else was taken")

    @precondition(lambda self: self.approved)
    @rule(data=st.data(), fate=st.sampled_from(FATES))
    def carry_out(self, data: st.DataObject, fate: str) -> None:
        """Make what was approved; the process may die around any write, and this may be repeated for ever."""
        run_id = data.draw(st.sampled_from(sorted(self.approved)))
        review = self.inbox.of_run(run_id)
        assert review is not None
        self.tracker.fate = fate
        actions = [Action.model_validate(action) for action in review.shown["actions"]]
        try:
            effects = self.outbox.carry_out(run_id, actions, review.shown["issue_version"])
        except Died:
            self._forget_leases()
            return
        except UnavailableError:
            assert fate == "is down" or self.stopped
            return
        finally:
            self.tracker.fate = "works"
        if effects.status == "done":
            self.carried.add(run_id)
            if self.runs[self.approved[run_id]] == run_id:
                self.recorder.finish(run_id, "decided")

    def _forget_leases(self) -> None:
        """What the death of a process does to the leases it held."""
        self.clock += 10_000.0

    @precondition(lambda self: self.carried and not self.stopped)
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.carried)))
        self.undo.undo(run_id, by="ada")
        self.undone.add(run_id)

    @rule()
    def stop(self) -> None:
        assert self.switch.stop(by="grace").fresh != self.stopped
        self.stopped = True

    @precondition(lambda self: self.stopped)
    @rule()
    def resume(self) -> None:
        self.switch.resume(by="grace", reason="safe again")
        self.stopped = False

    @invariant()
    def every_review_is_as_predicted(self) -> None:
        for review_id, state in self.states.items():
            assert self.inbox.find(review_id).state == state

    @invariant()
    def the_balance_adds_up(self) -> None:
        balance = self.received.balance()
        assert balance.received == len(self.texts)
        assert balance.unaccounted == []
        assert balance.received == sum(
            (balance.decided, balance.waiting, balance.asked, balance.will_retry, balance.rejected)
        )

    @invariant()
    def an_effect_happens_once_and_only_when_approved(self) -> None:
        keys = [key for key, _ in self.tracker.applied]
        assert len(keys) == len(set(keys))
        comments = [action.params["text"] for _, action in self.tracker.applied if action.kind == "add_comment"]
        assert len(comments) == len(set(comments))
        assert set(comments) <= set(self.approved)

    @invariant()
    def the_ledger_holds_with_one_record_per_effect(self) -> None:
        chain = list(entries(self.db))
        assert first_break(iter(chain)) is None
        recorded = [entry.payload["key"] for entry in chain if entry.event == "action_done"]
        assert len(recorded) == len(set(recorded))
        assert set(recorded) <= {key for key, _ in self.tracker.applied}


def test_every_interleaving_keeps_the_promises() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        CheckpointMachine,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
