"""Votes, delegation and edits on a real graph: nothing is carried out before enough of the right people agreed to it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import pytest

from qa_agents.checkpoint.agent_inbox import from_agent_inbox, with_agent_inbox
from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import Ledger, entries
from qa_agents.checkpoint.node import checkpoint
from qa_agents.checkpoint.policy import Policy, authenticate
from qa_agents.checkpoint.schema import Decision, Review
from qa_agents.checkpoint.votes import ballot
from qa_agents.errors import ConflictError, NotAllowedError
from qa_agents.incidents.intake import ReceivedReport
from qa_agents.incidents.schema import Report
from qa_agents.runtime.desk import Desk
from qa_agents.runtime.lease import Leases
from qa_agents.runtime.received import Received
from qa_agents.runtime.record import Recorder
from qa_agents.runtime.savers import close_saver, open_saver
from qa_agents.storage.artifacts import sha256_hex
from qa_agents.storage.engine import Database

PEOPLE = {"ada": "triage", "linus": "triage", "grace": "triage", "edsger": "lead", "mallory": "guest"}
POLICY = Policy.model_validate(
    {
        "reviewers": {name: {"roles": [role], "login": name} for name, role in PEOPLE.items()},
        "rule": [{"name": "two", "roles": ["triage", "lead"], "approvals": 2, "sla_hours": 1, "reroute_to": "lead"}],
    }
)
COMPONENT = {"kind": "set_field", "target": "PAY-1", "params": {"field": "component", "value": "Billing"}}
SHOWN = with_agent_inbox(
    {"summary": "It crashes", "target": "PAY-1", "actions": [COMPONENT], "editable": ["component"]}
)


class State(TypedDict, total=False):
    run_id: str
    subject_id: str
    shown: dict[str, Any]
    decision: dict[str, Any]


class Bench:
    """A desk whose graph carries out what was decided into a list."""

    def __init__(self, db: Database, folder: Path, policy: Policy = POLICY) -> None:
        self.db, ledger = db, Ledger()
        self.policy = policy
        self.inbox = Inbox(db, ledger, policy=policy)
        self.received = Received(db, self.inbox, ledger)
        self.saver = open_saver(folder / "checkpoints.db")
        self.desk = Desk(db, self.inbox, ledger, Leases(db), self.saver, {"triage": self.build})
        self.recorder = Recorder(db, ledger)
        self.done: list[dict[str, Any]] = []
        self.shown: dict[str, Any] = SHOWN

    def build(self) -> Any:
        from langgraph.graph import END, START, StateGraph

        graph = StateGraph(State)
        graph.add_node("prepare", lambda _state: {"shown": self.shown})
        graph.add_node("checkpoint", checkpoint)
        graph.add_node("apply", self.apply)
        for edge in ((START, "prepare"), ("prepare", "checkpoint"), ("checkpoint", "apply"), ("apply", END)):
            graph.add_edge(*edge)
        return graph

    def apply(self, state: State) -> dict[str, Any]:
        self.done.append(state["decision"])
        self.recorder.finish(state["run_id"], "decided")
        return {}

    def waiting(self, text: str = "It crashes") -> Review:
        report = Report(id="PAY-1", summary=text)
        raw = report.model_dump_json().encode()
        received = ReceivedReport(report=report, raw=raw, raw_sha256=sha256_hex(raw), line=1, problem=None, notes=[])
        account = self.received.accept(received, source="test", kind="triage", options={})
        review = self.desk.run(account.run_id or "")
        assert review is not None
        return review

    def say(self, review: Review, name: str, verdict: str = "approve", **more: Any) -> Review:
        by = authenticate(self.policy, name, login=name, token=None)
        given = {"review_id": review.review_id, "verdict": verdict, "reviewer": name, "digest": review.digest, **more}
        return self.desk.decide(Decision.model_validate(given), by)

    def events(self) -> list[str]:
        return [entry.event for entry in entries(self.db)]


@pytest.fixture
def bench(db: Database, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(db, tmp_path)
    yield made
    close_saver(made.saver)


def test_nothing_is_carried_out_before_the_second_approval(bench: Bench) -> None:
    review = bench.waiting()
    assert bench.say(review, "ada").state == "pending"
    assert bench.done == []
    account = bench.received.find("PAY-1")
    assert account is not None
    assert account.state == "waiting"
    assert bench.received.balance().unaccounted == []
    assert bench.received.unfinished() == []
    assert bench.say(review, "linus").state == "decided"
    assert [decision["verdict"] for decision in bench.done] == ["approve"]


def test_a_double_click_counts_once(bench: Bench) -> None:
    review = bench.waiting()
    for _ in range(3):
        assert bench.say(review, "ada").state == "pending"
    assert bench.done == []
    assert bench.events().count("voted") == 1


def test_a_vote_survives_the_process_that_took_it(bench: Bench, db: Database) -> None:
    review = bench.waiting()
    bench.say(review, "ada")
    again = Inbox(db, Ledger(), policy=POLICY).find(review.review_id)
    assert [vote.reviewer for vote in again.votes] == ["ada"]
    assert bench.desk.run(review.run_id) is not None
    bench.say(review, "linus")
    assert len(bench.done) == 1


def test_an_edit_is_carried_out_when_others_approved_that_very_edit(bench: Bench) -> None:
    review = bench.waiting()
    edits = {"component": "Login"}
    edited = bench.say(review, "ada", "edit", edits=edits, reason_code="wrong-cause")
    digest = ballot(edited.votes[0])
    with pytest.raises(NotAllowedError, match="ada proposed this"):
        bench.say(review, "ada", digest=digest)
    bench.say(review, "linus")
    assert bench.say(review, "grace", digest=digest).state == "pending"
    assert bench.say(review, "linus", digest=digest).state == "decided"
    (decision,) = bench.done
    assert (decision["verdict"], decision["edits"], decision["reviewer"]) == ("edit", edits, "ada")


def test_one_rejection_ends_it(bench: Bench) -> None:
    review = bench.waiting()
    bench.say(review, "ada")
    bench.say(review, "linus", "reject", reason_code="wrong-cause")
    assert [decision["verdict"] for decision in bench.done] == ["reject"]


def test_who_may_not_decide_changes_nothing(bench: Bench) -> None:
    review = bench.waiting()
    for verdict, more in (("approve", {}), ("reject", {"reason_code": "other"}), ("delegate", {"to": "mallory"})):
        with pytest.raises(NotAllowedError):
            bench.say(review, "mallory", verdict, **more)
    assert bench.inbox.find(review.review_id).votes == []
    assert bench.desk.run(review.run_id) == bench.inbox.find(review.review_id)


def test_only_the_delegate_decides_a_delegated_review(bench: Bench) -> None:
    review = bench.waiting()
    bench.say(review, "ada", "delegate", to="linus")
    for name in ("ada", "grace"):
        with pytest.raises(NotAllowedError, match="assigned to linus"):
            bench.say(review, name)
    bench.say(review, "linus")
    bench.say(review, "grace")
    assert len(bench.done) == 1


def test_an_overdue_review_is_rerouted_and_not_resumed(bench: Bench) -> None:
    review = bench.waiting()
    (routed,) = bench.inbox.route_overdue(review.opened_at + 2 * 3600)
    assert routed.assigned_to == "lead"
    assert bench.done == []
    still = bench.desk.run(review.run_id)
    assert still is not None
    assert still.state == "pending"


def test_a_late_vote_about_what_was_replaced_is_refused(bench: Bench) -> None:
    old = bench.waiting()
    bench.say(old, "ada")
    new = bench.waiting("It crashes on start")
    with pytest.raises(ConflictError, match="replaced"):
        bench.say(old, "linus")
    assert bench.inbox.find(new.review_id).votes == []
    assert bench.done == []


def test_a_late_vote_on_what_was_decided_is_refused(bench: Bench) -> None:
    review = bench.waiting()
    bench.say(review, "ada")
    bench.say(review, "linus")
    with pytest.raises(ConflictError, match="already decided"):
        bench.say(review, "grace")
    assert len(bench.done) == 1


def test_a_vote_on_what_the_graph_no_longer_asks_is_refused_and_it_is_shown_anew(bench: Bench) -> None:
    review = bench.waiting()
    bench.say(review, "ada")
    bench.saver.delete_thread(review.run_id)
    bench.shown = {**SHOWN, "summary": "Something else"}
    with pytest.raises(ConflictError, match="no longer what its run waits for"):
        bench.say(review, "linus")
    anew = bench.inbox.find("PAY-1")
    assert anew.review_id != review.review_id
    assert (anew.state, anew.votes) == ("pending", [])
    bench.say(anew, "ada")
    bench.say(anew, "linus")
    assert len(bench.done) == 1


def test_a_vote_on_what_the_graph_asks_again_word_for_word_counts_with_those_before_it(bench: Bench) -> None:
    review = bench.waiting()
    bench.say(review, "ada")
    bench.saver.delete_thread(review.run_id)  # a worker that lost its lease left nothing usable behind
    assert bench.say(review, "linus").state == "decided"
    assert bench.events().count("review_opened") == 1
    assert len(bench.done) == 1


@pytest.mark.parametrize(
    ("answer", "verdict", "edits"),
    [
        ([{"type": "accept", "args": None}], "approve", {}),
        (
            [{"type": "edit", "args": {"action": "decide_review", "args": {"component": "Login"}}}],
            "edit",
            {"component": "Login"},
        ),
        ([{"type": "response", "args": "Which browser?"}], "ask_reporter", {}),
        ([{"type": "ignore", "args": None}], "reject", {}),
    ],
)
def test_an_agent_inbox_answer_resumes_the_graph(
    db: Database, tmp_path: Path, answer: object, verdict: str, edits: dict[str, str]
) -> None:
    bench = Bench(db, tmp_path, policy=Policy())
    review = bench.waiting()
    assert review.shown["action_request"]["args"] == {"component": "Billing"}
    assert bench.desk.decide(from_agent_inbox(answer, review, "ada")).state == "decided"
    (decision,) = bench.done
    assert (decision["verdict"], decision["edits"]) == (verdict, edits)
    close_saver(bench.saver)


def test_the_graph_takes_nothing_but_a_decision(db: Database, tmp_path: Path) -> None:
    from langgraph.types import Command
    from pydantic import ValidationError

    from qa_agents.runtime.savers import run_config

    bench = Bench(db, tmp_path)
    review = bench.waiting()
    graph = bench.build().compile(checkpointer=bench.saver)
    config = run_config(review.run_id)
    for resume in ("approve", True, {"verdict": "approve"}, [{"type": "accept", "args": None}]):
        with pytest.raises(ValidationError):
            graph.invoke(Command(resume={review.interrupt_id: resume}), config)
    assert [interrupt.id for interrupt in graph.get_state(config).interrupts] == [review.interrupt_id]
    assert bench.done == []
    close_saver(bench.saver)
