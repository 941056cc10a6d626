"""Decisions that come twice, late, out of order or about something else, and runs that are resumed behind our back."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from qa_agents.errors import ConflictError, QAAgentsError
from qa_agents.operations import deciding
from qa_agents.wiring import Workspace
from tests.crash.conftest import Tally
from tests.crash.crash_driver import Home, run
from tests.crash.workloads import REPORT, approve, hand_in, triage

ISSUE = str(REPORT["id"])


def decide(workspace: Workspace, name: str, verdict: str = "approve", **more: Any) -> deciding.Decided:
    return deciding.decide(workspace, name, reviewer="ada", verdict=verdict, **more)


def refused(workspace: Workspace, name: str, match: str) -> None:
    with pytest.raises(ConflictError, match=match):
        decide(workspace, name)


def given_twice(workspace: Workspace) -> None:
    review = workspace.inbox.find(ISSUE)
    decide(workspace, review.review_id)
    for _ in range(3):
        refused(workspace, review.review_id, "already decided")
    with pytest.raises(ConflictError):
        decide(workspace, review.review_id, "reject", reason_code="other")


def given_for_what_was_replaced(workspace: Workspace) -> None:
    old = workspace.inbox.find(ISSUE)
    hand_in(workspace, summary="Refund fails with E_REFUND_409 always")
    refused(workspace, old.review_id, "replaced")
    decide(workspace, workspace.inbox.find(ISSUE).review_id)
    refused(workspace, old.review_id, "replaced")


def given_before_its_newer_version_comes(workspace: Workspace) -> None:
    decide(workspace, workspace.inbox.find(ISSUE).review_id)
    hand_in(workspace, summary="Refund fails with E_REFUND_409 always")
    decide(workspace, workspace.inbox.find(ISSUE).review_id)


def put_off_and_given_late(workspace: Workspace) -> None:
    review = workspace.inbox.find(ISSUE)
    decide(workspace, review.review_id, "defer", until=datetime.now(UTC) + timedelta(days=1))
    decide(workspace, review.review_id, "defer", until=datetime.now(UTC) + timedelta(days=2))
    hand_in(workspace)  # the same report once more, which changes nothing
    decide(workspace, review.review_id)


def about_an_issue_that_moved(workspace: Workspace) -> None:
    from qa_agents.trackers.schema import Action

    review = workspace.inbox.find(ISSUE)
    by_hand = Action(kind="create_issue", target=ISSUE, params={"fields": {"summary": "made by a person"}})
    workspace.tracker.apply(by_hand, "by a person")
    with suppress(ConflictError):
        decide(workspace, review.review_id)
    for waiting in workspace.inbox.waiting(include_deferred=True):
        decide(workspace, waiting.review_id)


CASES = [
    given_twice,
    given_for_what_was_replaced,
    given_before_its_newer_version_comes,
    put_off_and_given_late,
    about_an_issue_that_moved,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_decision_is_carried_out_once_however_it_comes(
    case: Any, stages: dict[str, Home], ground: Path, tally: Tally
) -> None:
    with stages["waiting"].copy(ground / f"{case.__name__}-{stages['fresh'].engine}") as home:
        run(case, home)
        tally.faults[f"decision {case.__name__.replace('_', ' ')}"] += 1
        tally.check(home)
        assert (home.folder / "tracker" / f"{ISSUE}.json").exists()


def keep_the_steps(workspace: Workspace) -> None:
    workspace.saver.delete_thread = lambda _run_id: None


def resumed_everywhere(workspace: Workspace) -> None:
    """Resume every saver checkpoint of a finished run by hand, with and without the decision it was given."""
    from langgraph.types import Command

    from qa_agents.triage.graph import build_triage

    keep_the_steps(workspace)
    review = workspace.inbox.find(ISSUE)
    decide(workspace, review.review_id)
    decided = workspace.inbox.find(review.review_id)
    assert decided.decision is not None
    answer = decided.decision.model_dump(mode="json")
    graph = build_triage(workspace.triage_parts).compile(checkpointer=workspace.saver)
    thread = {"configurable": {"thread_id": review.run_id}, "recursion_limit": 50}
    steps = [snapshot.config for snapshot in graph.get_state_history(thread)]
    assert len(steps) > 8
    for config in steps:
        for given in (None, Command(resume=answer), Command(resume={decided.interrupt_id: answer})):
            with suppress(QAAgentsError):
                result = graph.invoke(given, {**config, "recursion_limit": 50}, durability="sync")
                for asked in result.get("__interrupt__", ()):
                    graph.invoke(Command(resume={asked.id: answer}), thread, durability="sync")


def test_resuming_old_steps_by_hand_repeats_no_effect(stages: dict[str, Home], ground: Path, tally: Tally) -> None:
    with stages["waiting"].copy(ground / f"by-hand-{stages['fresh'].engine}") as home:
        run(resumed_everywhere, home)
        tally.faults["old step resumed by hand"] += 1
        tally.check(home)


def test_a_report_that_came_three_times_is_one(stages: dict[str, Home], ground: Path, tally: Tally) -> None:
    with stages["fresh"].copy(ground / f"thrice-{stages['fresh'].engine}") as home:
        for _ in range(3):
            run(triage, home)
        run(approve, home)
        run(triage, home)
        tally.faults["report came again"] += 3
        tally.check(home)
