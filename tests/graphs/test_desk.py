"""The desk, driving a small graph with a checkpoint through a real LangGraph saver."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

import pytest

from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import Ledger, entries
from qa_agents.checkpoint.node import checkpoint
from qa_agents.checkpoint.schema import Decision, Review
from qa_agents.errors import ConflictError, UnavailableError
from qa_agents.incidents.intake import ReceivedReport
from qa_agents.incidents.schema import Report
from qa_agents.runtime.desk import MAX_PASSES, Desk
from qa_agents.runtime.lease import Leases
from qa_agents.runtime.received import Account, Received
from qa_agents.runtime.record import Recorder
from qa_agents.runtime.savers import close_saver, open_saver
from qa_agents.storage.artifacts import sha256_hex
from qa_agents.storage.engine import Database

BOTH_ENGINES = True


class State(TypedDict, total=False):
    run_id: str
    subject_id: str
    shown: dict[str, Any]
    decision: dict[str, Any]


class Bench:
    """A desk with a graph prepare → checkpoint → work → record, and a diary of what its nodes did."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.ledger = db, Ledger()
        self.inbox = Inbox(db, self.ledger)
        self.received = Received(db, self.inbox, self.ledger)
        self.saver = open_saver(folder / "checkpoints.db")
        self.desk = Desk(db, self.inbox, self.ledger, Leases(db), self.saver, {"triage": self.build})
        self.recorder = Recorder(db, self.ledger)
        self.diary: list[str] = []
        self.fail_in: set[str] = set()

    def build(self) -> Any:
        from langgraph.graph import END, START, StateGraph

        graph = StateGraph(State)
        graph.add_node("prepare", self.node("prepare", {"shown": {"summary": "It crashes", "editable": []}}))
        graph.add_node("checkpoint", checkpoint)
        graph.add_node("work", self.node("work", {}))
        graph.add_node("record", self.record)
        for edge in (
            (START, "prepare"),
            ("prepare", "checkpoint"),
            ("checkpoint", "work"),
            ("work", "record"),
            ("record", END),
        ):
            graph.add_edge(*edge)
        return graph

    def node(self, name: str, update: dict[str, Any]) -> Any:
        def run(_state: State) -> dict[str, Any]:
            self.diary.append(name)
            if name in self.fail_in:
                raise UnavailableError(f"{name} is down.")
            return update

        return run

    def record(self, state: State) -> dict[str, Any]:
        self.diary.append(f"record {state['decision']['verdict']}")
        self.recorder.finish(state["run_id"], "decided")
        return {}

    def accept(self, text: str = "It crashes", report_id: str = "PAY-1", **options: Any) -> Account:
        report = Report(id=report_id, summary=text)
        raw = report.model_dump_json().encode()
        received = ReceivedReport(report=report, raw=raw, raw_sha256=sha256_hex(raw), line=1, problem=None, notes=[])
        return self.received.accept(received, source="test", kind="triage", options=options)

    def waiting(self, **accept: Any) -> Review:
        review = self.desk.run(self.accept(**accept).run_id or "")
        assert review is not None
        return review


def approve(review: Review) -> Decision:
    return Decision(review_id=review.review_id, verdict="approve", reviewer="ada", digest=review.digest)


@pytest.fixture
def bench(db: Database, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(db, tmp_path)
    yield made
    close_saver(made.saver)


def state_of(bench: Bench) -> str:
    account = bench.received.find("PAY-1")
    assert account is not None
    return account.state


def test_a_run_stops_at_the_checkpoint_and_waits(bench: Bench) -> None:
    review = bench.waiting()
    assert review.state == "pending"
    assert state_of(bench) == "waiting"
    assert bench.diary == ["prepare"]


def test_a_decision_resumes_the_run_to_its_end(bench: Bench) -> None:
    bench.desk.decide(approve(bench.waiting()))
    assert bench.diary == ["prepare", "work", "record approve"]
    assert state_of(bench) == "decided"
    assert bench.received.balance().unaccounted == []


def test_running_a_waiting_run_again_asks_nothing_twice(bench: Bench) -> None:
    review = bench.waiting()
    assert bench.desk.run(review.run_id) == review
    assert bench.diary == ["prepare"]
    assert len(bench.inbox.waiting()) == 1


def test_running_a_finished_run_again_does_nothing(bench: Bench) -> None:
    review = bench.waiting()
    bench.desk.decide(approve(review))
    assert bench.desk.run(review.run_id) is None
    assert bench.diary.count("work") == 1


def test_a_second_decision_is_refused_and_does_nothing(bench: Bench) -> None:
    review = bench.waiting()
    bench.desk.decide(approve(review))
    with pytest.raises(ConflictError, match="already decided"):
        bench.desk.decide(approve(review))
    assert bench.diary.count("work") == 1


def test_a_decision_that_was_stored_before_a_crash_is_carried_out_afterwards(bench: Bench) -> None:
    review = bench.waiting()
    bench.inbox.decide(approve(review))  # and the process died before it resumed the graph
    assert bench.received.balance().will_retry == 1
    assert bench.received.unfinished() == [review.run_id]
    bench.desk.run(review.run_id)
    assert bench.diary == ["prepare", "work", "record approve"]


def test_after_an_answer_the_steps_are_stored_once_and_before_it_one_by_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[str] = []
    for name in ("put", "put_writes"):
        monkeypatch.setattr(bench.saver, name, _noted(stored, name, getattr(bench.saver, name)))
    review = bench.waiting()
    assert stored.count("put") > 1
    assert stored.count("put_writes") > 1
    stored.clear()
    bench.desk.decide(approve(review))
    assert stored == ["put"]


def _noted(names: list[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        names.append(name)
        return function(*args, **kwargs)

    return call


def test_a_failing_step_is_retried_from_where_it_failed(bench: Bench) -> None:
    review = bench.waiting()
    bench.fail_in = {"work"}
    with pytest.raises(UnavailableError, match="work is down"):
        bench.desk.decide(approve(review))
    assert state_of(bench) == "failed"
    assert bench.received.balance().will_retry == 1
    bench.fail_in = set()
    bench.desk.run(review.run_id)
    assert bench.diary == ["prepare", "work", "work", "record approve"]
    assert state_of(bench) == "decided"


def test_a_failure_before_the_checkpoint_is_retried_too(bench: Bench) -> None:
    bench.fail_in = {"prepare"}
    account = bench.accept()
    with pytest.raises(UnavailableError):
        bench.desk.run(account.run_id or "")
    bench.fail_in = set()
    assert bench.received.unfinished() == [account.run_id]
    assert bench.desk.run(account.run_id or "") is not None


def test_a_deferred_review_goes_on_waiting(bench: Bench) -> None:
    review = bench.waiting()
    until = datetime(2099, 1, 1, tzinfo=UTC)
    later = Decision(review_id=review.review_id, verdict="defer", reviewer="ada", digest=review.digest, until=until)
    assert bench.desk.decide(later).state == "deferred"
    assert state_of(bench) == "waiting"
    bench.desk.decide(approve(review))
    assert state_of(bench) == "decided"


def test_two_processes_do_not_drive_one_run(bench: Bench) -> None:
    review = bench.waiting()
    with Leases(bench.db).hold(review.run_id), pytest.raises(ConflictError, match="being worked on"):
        bench.desk.decide(approve(review))
    assert bench.inbox.find(review.review_id).state == "pending"


def test_a_newer_version_of_a_report_replaces_what_waits(bench: Bench) -> None:
    old = bench.waiting()
    new = bench.waiting(text="It crashes on start")
    assert [review.review_id for review in bench.inbox.waiting()] == [new.review_id]
    with pytest.raises(ConflictError, match="replaced"):
        bench.desk.decide(approve(old))
    assert bench.received.balance().received == 1


def test_the_same_report_twice_is_one_run(bench: Bench) -> None:
    first, second = bench.accept(), bench.accept()
    assert (first.fresh, second.fresh) == (True, False)
    assert first.run_id == second.run_id


def test_losing_the_run_store_starts_the_run_over_and_shows_it_again(bench: Bench, tmp_path: Path) -> None:
    """A power loss may take the saver's last steps; the intake is elsewhere and complete."""
    review = bench.waiting()
    bench.saver.delete_thread(review.run_id)
    again = bench.desk.run(review.run_id)
    assert again is not None
    bench.desk.decide(approve(again))
    assert bench.diary.count("work") == 1
    assert state_of(bench) == "decided"


def test_steps_that_lead_nowhere_are_begun_anew_and_shown_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker without its lease left in the run store may be anything; our own rows decide."""
    review = bench.waiting()
    bench.inbox.decide(approve(review))
    step, passes = bench.desk._step, []

    def stuck(run: dict[str, Any], answer: Review | None, snapshot: Any, *, last: bool) -> Review | None:
        passes.append(run["run_id"])
        return None if len(passes) <= MAX_PASSES else step(run, answer, snapshot, last=last)

    monkeypatch.setattr(bench.desk, "_step", stuck)
    again = bench.desk.run(review.run_id)
    assert again is not None
    bench.desk.decide(approve(again))
    assert bench.diary.count("work") == 1
    assert state_of(bench) == "decided"


def test_every_step_is_in_the_ledger(bench: Bench) -> None:
    bench.desk.decide(approve(bench.waiting()))
    assert [entry.event for entry in entries(bench.db)] == ["received", "review_opened", "decided", "recorded"]
