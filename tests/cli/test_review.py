"""`qa-agents review` under four eyes, as those meet it who sign: what is missing, who can give it, and how a script learns it."""

import json
from pathlib import Path
from typing import Any

import pytest

from qa_agents import planning, summarizing
from qa_agents.checkpoint.policy import Policy
from qa_agents.errors import ConflictError, InvalidInputError, NotAllowedError, NotFoundError, UsageError
from tests.cli.desk import REPORT, Desk
from tests.unit.results.builders import result, run

SPEC = (
    b"# Deposits\n\nFR-1 The deposit must be between 5 and 500 EUR.\n\n"
    b"FR-2 When a payment fails, the system should respond appropriately.\n"
)
GATES = ("gates.toml", b'[[gate]]\nname = "nothing new"\nmetric = "new_failures"\nop = "<="\nvalue = 0\n')
PEOPLE = ("ada", "linus", "grace", "edsger")
SIGNED_BY_TWO = Policy.model_validate(
    {
        "reviewers": {name: {"roles": ["release"], "login": name} for name in PEOPLE},
        "rule": [
            {"name": "two others", "when": {"form": "signoff"}, "roles": ["release"], "approvals": 2},
            {"name": "questions", "when": {"form": "question"}, "roles": ["release"], "approvals": 2},
            {"name": "all else", "proposer_may_approve": True, "reroute_to": "release", "sla_hours": 1},
        ],
    }
)
WAIVE = ("--waive", "nothing new=known since Friday", "--owner", "linus", "--expires", "2w")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path / "home", monkeypatch, SIGNED_BY_TWO)


@pytest.fixture
def gate(desk: Desk) -> str:
    """The review of a quality gate that is broken."""
    with desk.workspace() as workspace:
        for at in range(3):
            workspace.run_store.add(run(f"r{at}", result("a::1"), commit=f"{at:040x}"))
        workspace.run_store.add(run("now", result("a::1", "failed", "boom"), commit="f" * 40))
        held = summarizing.summarise(workspace, "now", baseline="r2", gates=GATES)
    return held.review_id or ""


def drafted(desk: Desk, *, ask: bool) -> planning.Drafted:
    with desk.workspace() as workspace:
        return planning.draft(workspace, [("deposits.md", SPEC)], name="deposits", ask=ask)


def received(desk: Desk, tmp_path: Path, **changes: Any) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({**REPORT, **changes}))
    desk.take_in(path)


def outcome(desk: Desk, review_id: str) -> dict[str, Any]:
    with desk.workspace() as workspace:
        review = workspace.inbox.find(review_id)
    assert review.decision is not None
    return review.decision.model_dump(mode="json")


def test_a_gate_is_signed_with_the_very_waivers_that_the_first_one_put_forward(desk: Desk, gate: str) -> None:
    told = desk.run("review", "sign", gate, *WAIVE)
    assert "0 of 2 approvals (ada put it forward" in told
    assert "it waits for 2 of linus, grace or edsger. Nothing goes on before that." in told
    assert desk.code == 1
    shown = desk.run("review", "show", gate)
    assert "waives nothing new: known since Friday (owner linus, until " in shown
    assert f"to agree: qa-agents review sign {gate} --proposed-by ada" in shown
    second = desk.json("review", "sign", gate, "--proposed-by", "Ada", login="linus")
    assert (desk.code, second["settled"], second["approvals"], second["needed"]) == (1, False, 1, 2)
    assert second["missing"].endswith("it waits for grace or edsger.")
    third = desk.json("review", "sign", gate, "--proposed-by", "ada", login="grace")
    assert (desk.code, third["settled"], third["missing"], third["state"]) == (0, True, "", "decided")
    signed = outcome(desk, gate)
    assert (signed["reviewer"], signed["accountable"]) == ("ada", "ada")
    assert [(one["item"], one["owner"], one["reason"]) for one in signed["waivers"]] == [
        ("nothing new", "linus", "known since Friday")
    ]
    assert "grace: sign" in desk.run("review", "show", gate)


def test_a_span_said_twice_is_another_waiver_and_the_page_tells_them_apart(desk: Desk, gate: str) -> None:
    desk.run("review", "sign", gate, *WAIVE)
    assert "0 of 2" in desk.run("review", "sign", gate, *WAIVE, login="linus")
    shown = desk.run("review", "show", gate)
    assert "--proposed-by ada" in shown
    assert "--proposed-by linus" in shown


def test_an_earlier_proposal_of_the_same_person_is_named_by_its_ballot(desk: Desk, gate: str) -> None:
    from qa_agents.checkpoint.votes import ballot

    desk.run("review", "sign", gate, *WAIVE)
    desk.run("review", "sign", gate, "--proposed-by", "ada", login="linus")
    desk.run("review", "sign", gate, *WAIVE[:-1], "5w")
    with desk.workspace() as workspace:
        about = ballot(workspace.inbox.find(gate).votes[0])[:8]
    assert f"--proposed-by {about}" in desk.run("review", "show", gate)
    assert desk.json("review", "sign", gate, "--proposed-by", about, login="grace")["settled"]


def test_a_plan_is_signed_by_two_with_and_without_waivers(desk: Desk) -> None:
    name = drafted(desk, ask=False).review_id or ""
    assert "1 of 2 approvals; it waits for linus, grace or edsger." in desk.run("review", "sign", name)
    assert f"to agree: qa-agents review sign {name}\n" in desk.run("review", "show", name)
    assert desk.json("review", "sign", name, login="linus")["settled"]
    assert desk.code == 0


def test_answers_to_questions_are_agreed_with_word_for_word(desk: Desk) -> None:
    made = drafted(desk, ask=True)
    name = made.review_id or ""
    with desk.workspace() as workspace:
        asked = [one["id"] for one in workspace.inbox.find(name).shown["questions"]]
    said = [word for one in asked for word in ("--set", f"{one}=an error page")]
    desk.run("review", "answer", name, *said)
    assert desk.code == 1
    assert f"review answer {name} --proposed-by ada" in desk.run("review", "show", name)
    done = desk.json("review", "answer", name, "--proposed-by", "ada", login="linus")
    assert (desk.code, done["settled"], bool(done["review_waiting"])) == (0, True, True)
    assert set(outcome(desk, name)["answers"].values()) == {"an error page"}


def test_what_nobody_put_forward_cannot_be_agreed_with(desk: Desk, gate: str) -> None:
    with pytest.raises(NotFoundError, match="linus proposed nothing else"):
        desk.run("review", "sign", gate, "--proposed-by", "linus")
    desk.run("review", "sign", gate, *WAIVE)
    with pytest.raises(UsageError, match="exactly the waivers of ada"):
        desk.run("review", "sign", gate, "--proposed-by", "ada", *WAIVE, login="linus")
    with pytest.raises(UsageError, match="ada put forward sign, which approve cannot agree with"):
        desk.run("review", "approve", gate, "--proposed-by", "ada", login="linus")
    with pytest.raises(UsageError, match="needs --set"):
        desk.run("review", "answer", gate, login="linus")


def test_an_edit_says_how_far_the_edit_has_come_and_not_the_original(desk: Desk, tmp_path: Path) -> None:
    two = [{"name": "two", "roles": ["release"], "approvals": 2}]
    desk.policy = Policy.model_validate({**SIGNED_BY_TWO.model_dump(exclude={"rule", "sha256"}), "rule": two})
    received(desk, tmp_path)
    desk.run("review", "approve", "WEB-1")
    edit = ("review", "edit", "WEB-1", "--set", "component=Cart", "--reason", "other")
    told = desk.json(*edit, login="linus")
    assert (told["approvals"], told["needed"], desk.code) == (0, 2, 1)
    assert "linus put it forward" in told["missing"]


def test_what_only_one_more_could_approve_says_that_it_cannot_be_settled(desk: Desk, gate: str) -> None:
    desk.policy = desk.policy.model_copy(update={"reviewers": dict(list(desk.policy.reviewers.items())[:2])})
    assert "only linus could add one, so it cannot be settled like this" in desk.run("review", "sign", gate, *WAIVE)


def test_a_delegate_role_that_overdue_reviews_go_to_is_a_delegate_all_the_same(desk: Desk, tmp_path: Path) -> None:
    people = {name: {"roles": ["lead" if name == "edsger" else "triage"], "login": name} for name in PEOPLE}
    rule = {"name": "all", "proposer_may_approve": True, "reroute_to": "lead", "sla_hours": 1}
    desk.policy = Policy.model_validate({"reviewers": people, "rule": [rule]})
    received(desk, tmp_path)
    assert "it waits for lead" in desk.run("review", "delegate", "WEB-1", "--to", "lead")
    assert desk.code == 0
    with pytest.raises(NotAllowedError, match="assigned to lead"):
        desk.run("review", "approve", "WEB-1")
    assert desk.json("review", "approve", "WEB-1", login="edsger")["settled"]


def test_a_review_is_deferred_to_a_day_that_is_told_and_lies_ahead(desk: Desk, tmp_path: Path) -> None:
    received(desk, tmp_path)
    with pytest.raises(UsageError, match="2020-01-01 has begun already"):
        desk.run("review", "defer", "WEB-1", "--until", "2020-01-01")
    assert "it comes back on 2099-01-02" in desk.run("review", "defer", "WEB-1", "--until", "2099-01-02T12:00:00+00:00")
    assert desk.code == 0


def test_a_report_that_was_shown_twice_is_answered_by_the_id_of_its_review(desk: Desk, tmp_path: Path) -> None:
    received(desk, tmp_path)
    received(desk, tmp_path, description="Every time, on Android 15.")
    with pytest.raises(ConflictError, match="WEB-1 was shown more than once") as refused:
        desk.run("review", "approve", "WEB-1")
    (waiting,) = desk.json("review", "list")
    assert waiting["review_id"] in refused.value.hint
    assert desk.json("review", "approve", waiting["review_id"])["settled"]


def test_a_missing_reason_is_told_with_the_reasons_there_are(desk: Desk, tmp_path: Path) -> None:
    received(desk, tmp_path)
    with pytest.raises(InvalidInputError, match="reject needs a reason code") as refused:
        desk.run("review", "reject", "WEB-1")
    assert "wrong-evidence, wrong-cause" in refused.value.hint


def test_an_agent_inbox_answers_with_its_own_words(desk: Desk, tmp_path: Path) -> None:
    received(desk, tmp_path)
    (waiting,) = desk.json("review", "list")
    request = waiting["shown"]["action_request"]
    edited = {**request, "args": {**request["args"], "component": "Cart"}}
    typed = json.dumps([{"type": "edit", "args": edited}])
    done = json.loads(desk.run("review", "respond", "WEB-1", "-", "--json", typed=typed))
    assert (done["verdict"], done["reviewer"], "component = Cart" in done["written"]) == ("edit", "ada", True)


def test_what_is_no_answer_of_an_inbox_is_refused(desk: Desk, gate: str, tmp_path: Path) -> None:
    received(desk, tmp_path)
    for typed in ("approve", "{", "[]", '{"type": "approve"}', "[" * 100_000):
        with pytest.raises(InvalidInputError):
            desk.run("review", "respond", "WEB-1", "-", typed=typed)
    with pytest.raises(InvalidInputError, match="cannot be read"):
        desk.run("review", "respond", "WEB-1", str(tmp_path / "none.json"))
    with pytest.raises(InvalidInputError, match="cannot be answered with accept"):
        desk.run("review", "respond", gate, "-", typed='[{"type": "accept", "args": null}]')
    with pytest.raises(NotAllowedError):
        desk.run("review", "respond", "WEB-1", "-", typed='[{"type": "accept", "args": null}]', login="root")
