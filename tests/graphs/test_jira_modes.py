"""A triage on Jira from the report to the requests: what each mode lets be written, seen on the wire."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qa_agents.checkpoint.policy import Policy
from qa_agents.errors import NotAllowedError
from qa_agents.incidents.intake import read_batch
from qa_agents.operations import deciding, handling
from qa_agents.settings import Settings
from qa_agents.trackers.jira import JiraTracker
from qa_agents.triage.schema import Evidence, Gate, Proposal
from qa_agents.triage.steps import Steps
from qa_agents.wiring import Workspace
from tests.fakes.jira.openapi import objections
from tests.fakes.jira.server import FakeJira
from tests.fakes.jira.site import SEVERITY
from tests.fakes.jira.tracker import jira_settings, serving

COMPONENT, PRIORITY = "components", "priority"
REPORT = {"id": "PAY-1", "summary": "Refund fails", "description": "Every refund fails."}
QUOTE = Evidence(kind="quote", text="“Every refund fails”", ref="description:0-18")
SHADOW_ACTIONS = dict.fromkeys(("create", "comment", "label", "link", "question"), "shadow")
LIVE_ACTIONS = dict.fromkeys(("create", "comment", "label", "link"), "live")


class Desk:
    """One issue on a Jira, triaged under a policy; the proposals are Billing and Critical."""

    def __init__(self, jira: FakeJira, workspace: Workspace, folder: Path) -> None:
        self.jira, self.workspace, self.folder = jira, workspace, folder

    def triage(self, again: bool = False) -> None:
        path = self.folder / "report.jsonl"
        path.write_text(json.dumps(REPORT) + "\n", encoding="utf-8")
        (received,) = read_batch(path, 1_000_000)
        options = {"k": 5, "remember": False}
        handling.handle(self.workspace, received, options=options, again=again)

    def waits(self) -> list[dict[str, Any]]:
        (review,) = self.workspace.inbox.waiting()
        return list(review.shown["actions"])

    def decide(self, verdict: str, **answer: Any) -> deciding.Decided:
        (review,) = self.workspace.inbox.waiting()
        return deciding.decide(self.workspace, review.review_id, reviewer="ada", verdict=verdict, **answer)

    def field(self, name: str) -> Any:
        return self.jira.site.issue("PAY-1").fields.get(name)

    def comments(self) -> list[dict[str, Any]]:
        return self.jira.site.issue("PAY-1").comments


Begin = Callable[..., Desk]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Start a desk under the policy's `[gate]`; `fields` stand on the issue already, `unseen` opens the gate."""
    proposed = {name: Proposal().model_dump(mode="json") for name in ("type", "priority", "assignee")}
    proposed["component"] = Proposal(value="Billing", evidence=[QUOTE]).model_dump(mode="json")
    severity = Proposal(value="Critical", evidence=[QUOTE]).model_dump(mode="json")
    monkeypatch.setattr(Steps, "classify", lambda *_: {"proposals": proposed})
    monkeypatch.setattr(Steps, "rate_severity", lambda *_: {"severity": severity})
    with serving() as (jira, _):
        opened: list[Workspace] = []

        def start(gate: dict[str, Any], *, unseen: bool = False, **fields: Any) -> Desk:
            if unseen:
                monkeypatch.setattr(Steps, "_judged", lambda *_: Gate(decision="auto"))
            jira.site.add("PAY-1", **fields)
            workspace = Workspace(Settings(home=tmp_path / "home", embedder="none", jira=jira_settings(jira)))
            workspace.__dict__["policy"] = Policy.model_validate({"gate": gate})
            opened.append(workspace)
            return Desk(jira, workspace, tmp_path)

        yield start
        for workspace in opened:
            workspace.close()
        assert objections(jira) == []


@pytest.mark.parametrize("unseen", [True, False])
def test_in_shadow_nothing_is_written_whatever_is_decided(begin: Begin, unseen: bool) -> None:
    desk = begin({"component": "shadow", "severity": "shadow", "actions": SHADOW_ACTIONS}, unseen=unseen)
    desk.triage()
    if not unseen:
        assert desk.waits() == []
        desk.decide("edit", edits={"component": "Search"}, reason_code="wrong-cause")
    assert desk.jira.writes() == []


def test_each_field_has_its_own_mode(begin: Begin) -> None:
    desk = begin({"component": "gated", "severity": "shadow"})
    desk.triage()
    assert desk.jira.writes() == [], "before the decision nothing is written"
    desk.decide("approve")
    assert (desk.field(COMPONENT), desk.field(SEVERITY)) == (["Billing"], None)


def test_a_live_field_is_written_unseen_and_one_in_shadow_beside_it_is_not(begin: Begin) -> None:
    desk = begin({"component": "live", "severity": "shadow", "actions": LIVE_ACTIONS}, unseen=True)
    desk.triage()
    assert desk.workspace.inbox.waiting() == []
    assert (desk.field(COMPONENT), desk.field(SEVERITY)) == (["Billing"], None)


def test_what_was_put_into_shadow_while_it_waited_is_not_written(begin: Begin) -> None:
    desk = begin({})
    desk.triage()
    policy = Policy.model_validate({"gate": {"severity": "shadow"}})
    parts = desk.workspace.triage_parts
    object.__setattr__(parts, "policy", policy.gate)
    desk.decide("approve")
    assert (desk.field(COMPONENT), desk.field(SEVERITY)) == (["Billing"], None)


def test_no_status_is_ever_planned_and_none_may_be_moved_to_by_default(begin: Begin) -> None:
    desk = begin({"component": "live", "severity": "live", "actions": LIVE_ACTIONS}, unseen=True)
    tracker = desk.workspace.tracker
    assert isinstance(tracker, JiraTracker)
    assert not tracker.settings.transitions
    desk.triage()
    assert desk.field("status") == "To Do"
    assert all("/transitions" not in one.path for one in desk.jira.writes())


def test_the_question_is_one_public_comment_with_nothing_of_the_verdict_in_it(begin: Begin) -> None:
    desk = begin({})
    desk.triage()
    desk.decide("ask_reporter", questions=["Which invoice was it?"])
    (comment,) = desk.comments()
    assert comment["visibility"] is None
    assert comment["body"] == "- Which invoice was it?"
    assert (desk.field(COMPONENT), desk.field(SEVERITY)) == (None, None)


def test_a_question_that_names_what_not_everybody_may_see_is_not_sent(begin: Begin) -> None:
    desk = begin({})
    desk.jira.site.add("PAY-3", security="Security team")
    desk.triage()
    decided = desk.decide("ask_reporter", questions=["Is it PAY-3 again?"])
    assert desk.jira.writes() == []
    assert "not everybody may see" in " ".join(decided.failed)


def test_with_questions_in_shadow_asking_is_refused_and_the_review_waits_on(begin: Begin) -> None:
    desk = begin({"actions": {"question": "shadow"}})
    desk.triage()
    with pytest.raises(NotAllowedError, match="no question reaches the reporter"):
        desk.decide("ask_reporter", questions=["Which invoice was it?"])
    assert desk.jira.writes() == []
    assert len(desk.workspace.inbox.waiting()) == 1


def test_a_question_that_was_put_into_shadow_while_it_was_decided_does_not_end_as_asked(begin: Begin) -> None:
    desk = begin({})
    desk.triage()
    policy = Policy.model_validate({"gate": {"actions": {"question": "shadow"}}})
    object.__setattr__(desk.workspace.triage_parts, "policy", policy.gate)
    decided = desk.decide("ask_reporter", questions=["Which invoice was it?"])
    assert desk.jira.writes() == []
    assert decided.state == "decided"


def test_by_default_what_a_person_set_is_neither_written_nor_doubted(begin: Begin) -> None:
    desk = begin({}, **{SEVERITY: "Minor"})
    desk.triage()
    desk.decide("approve")
    assert (desk.field(COMPONENT), desk.field(SEVERITY)) == (["Billing"], "Minor")
    assert desk.comments() == []


def test_what_a_person_set_is_doubted_once_where_the_policy_says_so(begin: Begin) -> None:
    desk = begin({"challenge": ["severity"]}, **{SEVERITY: "Minor"})
    desk.triage()
    assert [one["kind"] for one in desk.waits()] == ["set_field", "add_comment"]
    desk.decide("approve")
    (comment,) = desk.comments()
    assert comment["visibility"] == {"type": "role", "value": "Developers"}
    assert "“Every refund fails”" in comment["body"]
    desk.triage(again=True)
    assert all(one["kind"] != "add_comment" for one in desk.waits())
    desk.decide("approve")
    assert desk.field(SEVERITY) == "Minor"
    assert len(desk.comments()) == 1


def test_a_reviewer_who_sets_the_field_needs_no_doubt_beside_it(begin: Begin) -> None:
    desk = begin({"challenge": ["severity"]}, **{SEVERITY: "Minor"})
    desk.triage()
    desk.decide("edit", edits={"severity": "Major"}, reason_code="wrong-cause")
    assert desk.field(SEVERITY) == "Major"
    assert desk.comments() == []
