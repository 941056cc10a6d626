"""When a value that a person set is doubted, and in which words."""

import pytest

from qa_agents.checkpoint.gate_policy import GatePolicy
from qa_agents.trackers.schema import Action
from qa_agents.triage.challenges import plan_challenges
from qa_agents.triage.schema import HABIT, Evidence, Proposal

QUOTE = Evidence(kind="quote", text="“every invoice is lost”", ref="description:3-24")
PAST = Evidence(kind="incident", text="WB-3 went to Billing", ref="WB-3")
RULE = Evidence(kind="rule", text="a rule", ref="r1")
ALLOWED = GatePolicy(challenge=["component", "severity"])
MEASURED = Proposal(value="Billing", probability=0.99, kept=199, cases=200, evidence=[PAST])
QUOTED = Proposal(value="Critical", evidence=[RULE, QUOTE])


def challenges(
    name: str, proposal: Proposal, *, standing: str = "Minor", policy: GatePolicy = ALLOWED, open_: bool = True
) -> list[Action]:
    return list(plan_challenges("PAY-1", {name: proposal}, {name: standing}, [name] if open_ else [], policy))


def test_nothing_is_doubted_by_default() -> None:
    assert challenges("severity", QUOTED, policy=GatePolicy()) == []


def test_a_doubt_is_a_private_comment_with_the_evidence_and_writes_no_field() -> None:
    (action,) = challenges("severity", QUOTED)
    assert action.kind == "add_comment"
    assert action.params["public"] is False
    assert action.params["challenges"] == {"field": "severity", "value": "Minor"}
    assert "“Minor”" in action.params["text"]
    assert "“Critical”" in action.params["text"]
    assert QUOTE.text in action.params["text"]
    assert RULE.text not in action.params["text"]


@pytest.mark.parametrize(
    "proposal",
    [
        Proposal(),
        Proposal(value="mINOR", evidence=[QUOTE]),
        Proposal(value="Critical"),
        Proposal(value="Critical", evidence=[RULE]),
        Proposal(value="Critical", evidence=[PAST]),
        Proposal(value="Critical", evidence=[QUOTE.model_copy(update={"ref": HABIT})]),
        Proposal(value="Critical", evidence=[QUOTE], kept=9, cases=10),
    ],
    ids=["silent", "the same", "no evidence", "a rule", "unmeasured past", "habit", "measured and not sure enough"],
)
def test_weak_evidence_contradicts_nobody(proposal: Proposal) -> None:
    assert challenges("severity", proposal) == []


def test_what_was_measured_to_be_right_is_evidence() -> None:
    (action,) = challenges("component", MEASURED, standing="Calendar")
    assert PAST.text in action.params["text"]


def test_a_field_that_the_policy_names_twice_is_doubted_once() -> None:
    assert len(challenges("severity", QUOTED, policy=GatePolicy(challenge=["severity", "severity"]))) == 1


def test_only_what_the_tracker_vouches_for_is_doubted() -> None:
    assert challenges("severity", QUOTED, open_=False) == []


def test_a_secret_in_the_evidence_is_masked() -> None:
    leaking = Evidence(kind="quote", text="password=hunter2hunter2 was shown", ref="description:0-9")
    (action,) = challenges("severity", Proposal(value="Critical", evidence=[leaking]))
    assert "hunter2hunter2" not in action.params["text"]


@pytest.mark.parametrize(
    ("field", "comment", "mode"),
    [("live", "live", "live"), ("gated", "live", "gated"), ("live", "gated", "gated"), ("shadow", "live", "shadow")],
)
def test_a_doubt_has_the_stricter_mode_of_its_field_and_of_comments(field: str, comment: str, mode: str) -> None:
    policy = GatePolicy.model_validate({"severity": field, "actions": {"comment": comment}})
    (action,) = challenges("severity", QUOTED)
    assert policy.mode_of(action.kind, action.params) == mode
