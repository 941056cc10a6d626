from typing import Any

from qa_agents.checkpoint.gate_policy import GatePolicy
from qa_agents.checkpoint.schema import Decision
from qa_agents.incidents.schema import Report
from qa_agents.trackers.schema import Action
from qa_agents.triage.actions import decided_fields, plan_actions, settle
from qa_agents.triage.schema import Hypothesis, Proposal, Relation

REPORT = Report(id="PAY-1", summary="Refund fails", description="It fails.", version="4.12")
PROPOSALS = {"component": Proposal(value="Payments"), "severity": Proposal(value=None), "type": Proposal(value="Bug")}
DUPLICATE = Relation(incident_id="PAY-0", kind="duplicate-of-open", same=["version: 4.12"], state="open")
AREA = Relation(incident_id="PAY-9", kind="same-area", state="Fixed")


def plan(**changes: Any) -> list[Action]:
    given: dict[str, Any] = {
        "exists": False,
        "set_by_people": {},
        "policy": GatePolicy(),
        "proposals": PROPOSALS,
        "relations": [],
        "hypothesis": None,
    }
    return plan_actions(REPORT, "PAY-1", **{**given, **changes})


def fields(actions: list[Action]) -> dict[str, str]:
    return {action.params["field"]: action.params["value"] for action in actions if action.kind == "set_field"}


def decision(verdict: str, **more: Any) -> Decision:
    given = {"review_id": "rv-1", "verdict": verdict, "reviewer": "ada", "digest": "0" * 64, **more}
    return Decision.model_validate(given)


def test_an_issue_that_is_not_there_is_created_first() -> None:
    assert plan()[0].kind == "create_issue"
    assert all(action.kind != "create_issue" for action in plan(exists=True))


def test_only_determined_fields_are_written() -> None:
    assert fields(plan()) == {"component": "Payments", "type": "Bug"}


def test_a_field_that_a_person_set_is_left_alone() -> None:
    assert fields(plan(set_by_people={"component": "Calendar"})) == {"type": "Bug"}


def test_a_field_in_shadow_is_proposed_and_never_written() -> None:
    assert fields(plan(policy=GatePolicy(type="shadow"))) == {"component": "Payments"}


def test_a_strong_relation_is_linked_and_a_weak_one_only_mentioned() -> None:
    kinds = [action.kind for action in plan(relations=[DUPLICATE])]
    assert "link_issue" in kinds
    assert "link_issue" not in [action.kind for action in plan(relations=[AREA])]


def test_every_action_goes_to_the_issue_of_the_event() -> None:
    hostile = Relation(incident_id="OTHER-7", kind="duplicate-of-open")
    assert {action.target for action in plan(relations=[hostile])} == {"PAY-1"}


def test_comments_are_private_and_secrets_in_them_masked() -> None:
    leaking = Hypothesis(text="password=hunter2hunter2 was logged.", evidence=[])
    comment = plan(hypothesis=leaking)[-1]
    assert comment.params["public"] is False
    assert "hunter2hunter2" not in comment.params["text"]


def test_a_long_description_is_cut_visibly() -> None:
    long = REPORT.model_copy(update={"description": "x" * 100_000})
    actions = plan_actions(
        long,
        "PAY-1",
        exists=False,
        set_by_people={},
        policy=GatePolicy(),
        proposals={},
        relations=[],
        hypothesis=None,
    )
    text = actions[0].params["fields"]["description"]
    assert len(text) < 5_000
    assert "(cut;" in text


def test_approval_writes_what_was_shown() -> None:
    assert settle(decision("approve"), plan(), [], "PAY-1") == plan()


def test_an_edit_replaces_the_value_and_keeps_the_rest() -> None:
    edit = decision("edit", edits={"component": "Billing", "severity": "High"}, reason_code="wrong-cause")
    assert fields(settle(edit, plan(), [], "PAY-1")) == {"component": "Billing", "severity": "High", "type": "Bug"}
    assert decided_fields(edit, plan()) == {"component": "Billing", "severity": "High", "type": "Bug"}


def test_a_rejection_writes_nothing_and_teaches_nothing() -> None:
    rejection = decision("reject", reason_code="out-of-scope")
    assert settle(rejection, plan(), [], "PAY-1") == []
    assert decided_fields(rejection, plan()) == {}


def test_asking_writes_only_the_questions_where_the_reporter_sees_them() -> None:
    actions = settle(decision("ask_reporter"), plan(relations=[DUPLICATE]), ["Which version?"], "PAY-1")
    assert [action.kind for action in actions] == ["create_issue", "add_comment"]
    assert actions[1].params == {"text": "- Which version?", "public": True}


def test_the_reviewers_own_questions_replace_the_proposed_ones() -> None:
    actions = settle(decision("ask_reporter", questions=["Which card?"]), plan(), ["Which version?"], "PAY-1")
    assert actions[-1].params["text"] == "- Which card?"
