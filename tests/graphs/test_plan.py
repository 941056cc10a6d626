"""The plan graph through the real desk, saver and inbox: what an interruption, a change or a strange decision makes of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qa_agents import planning
from qa_agents.checkpoint.ledger import entries
from qa_agents.errors import ConflictError, InvalidInputError, UnavailableError
from qa_agents.operations import deciding, handling
from qa_agents.plans import steps
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace

SPEC = (
    b"# Deposits\n\nFR-1 The deposit must be between 5 and 500 EUR.\n\n"
    b"FR-2 When a payment fails, the system should respond appropriately.\n"
)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(Settings(home=tmp_path / "home", embedder="none")) as made:
        yield made


def draft(workspace: Workspace, text: bytes = SPEC, **options: bool) -> planning.Drafted:
    return planning.draft(workspace, [("deposits.md", text)], name="deposits", **options)


def test_a_draft_that_was_interrupted_is_taken_up_again(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise UnavailableError("The disk is away.")

    with monkeypatch.context() as patched:
        patched.setattr(steps, "draft_plan", broken)
        with pytest.raises(UnavailableError):
            draft(workspace)
    assert workspace.received.balance().will_retry == 1
    done, failed = handling.recover(workspace)
    assert (len(done), failed) == (1, {})
    assert planning.drafted(workspace, "deposits").form == "question"
    assert workspace.received.balance().unaccounted == []


def test_refusing_to_answer_goes_on_with_the_assumptions(workspace: Workspace) -> None:
    drafted = draft(workspace)
    deciding.decide(workspace, drafted.review_id or "", reviewer="ada", verdict="reject", reason_code="other")
    after = planning.drafted(workspace, "deposits")
    assert after.form == "signoff"
    assert (workspace.received.balance().waiting, workspace.received.balance().will_retry) == (1, 0)
    assert workspace.received.unfinished() == []
    assert all(question.answer is None for question in after.plan.questions)


def test_another_specification_of_the_same_name_replaces_what_waits(workspace: Workspace) -> None:
    first = draft(workspace)
    second = draft(workspace, SPEC.replace(b"500", b"800"))
    assert workspace.inbox.find(first.review_id or "").state == "superseded"
    with pytest.raises(ConflictError):
        deciding.decide(workspace, first.review_id or "", reviewer="ada", verdict="reject", reason_code="other")
    assert second.review_id != first.review_id


def test_an_item_that_is_decided_while_the_plan_waits_shows_the_plan_anew(workspace: Workspace) -> None:
    drafted = draft(workspace, ask=False)
    case = drafted.plan.cases[0]
    after = planning.decide_item(workspace, "deposits", case.id, "reject", text="not here", reviewer="ada")
    assert case.id not in {one.id for one in after.plan.cases}
    with pytest.raises(ConflictError):
        deciding.decide(workspace, drafted.review_id or "", reviewer="ada", verdict="sign")
    deciding.decide(workspace, after.review_id or "", reviewer="ada", verdict="sign")
    events = [entry.event for entry in entries(workspace.database, "plan/deposits")]
    assert events.count("item_decided") == 1
    assert events[-1] == "recorded"


def test_repeating_the_step_that_keeps_answers_adds_nothing(workspace: Workspace) -> None:
    drafted = draft(workspace)
    name = drafted.plan.questions[0].id
    for _ in range(2):
        workspace.plan_parts.answer("plan/deposits", {name: "An error message."}, "ada")
    assert len(workspace.plan_parts.decided("plan/deposits")) == 1


def test_an_empty_specification_is_refused_and_nothing_waits(workspace: Workspace) -> None:
    with pytest.raises(InvalidInputError, match="empty"):
        draft(workspace, b" \n")
    assert planning.names(workspace) == []
