from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.checkpoint.policy import DEFAULT, Policy, Reviewer
from qa_agents.checkpoint.schema import Decision, Requirements, Review
from qa_agents.checkpoint.votes import (
    ballot,
    edits_under,
    may_decide,
    overdue,
    progress,
    proposals,
    put_forward,
    required_for,
    requirements,
    support,
)
from qa_agents.storage.canonical import digest_of

PEOPLE = {
    "ada": ["triage"],
    "linus": ["triage"],
    "grace": ["triage", "lead"],
    "edsger": ["lead"],
    "mallory": ["guest"],
}
POLICY = Policy.model_validate(
    {
        "reviewers": {name: {"roles": roles, "login": name} for name, roles in PEOPLE.items()},
        "rule": [
            {
                "name": "two",
                "when": {"rules": ["security"]},
                "roles": ["triage", "lead"],
                "approvals": 2,
                "sla_hours": 4,
                "reroute_to": "lead",
                "escalate": "edsger",
            },
            {"name": "severity", "when": {"top_severity": True}, "roles": ["lead"]},
            {"name": "assignee", "when": {"fields": ["assignee"]}, "roles": ["lead"], "proposer_may_approve": True},
            {"name": "signing", "when": {"form": "signoff"}, "of": ["grace"], "approvals": 1, "expires_hours": 24},
            {"name": "plans", "when": {"kind": "plan", "gate": ["ask"]}, "roles": ["triage"]},
        ],
    }
)
SHOWN = {
    "gate": "block",
    "rules": ["security"],
    "actions": [{"kind": "set_field", "params": {"field": "component", "value": "Login"}}],
    "editable": ["component", "severity", "assignee"],
}
DIGEST = digest_of(SHOWN)
TWO = requirements(POLICY, SHOWN, "approval", "triage")


def who(name: str) -> Reviewer:
    return Reviewer(name=name, roles=tuple(PEOPLE.get(name, ())), auth="os-login")


def vote(name: str, verdict: str = "approve", digest: str = DIGEST, **more: Any) -> Decision:
    if verdict in ("edit", "reject"):
        more.setdefault("reason_code", "other")
    given_ = {"review_id": "rv-1", "verdict": verdict, "reviewer": name, "digest": digest, **more}
    return Decision.model_validate({**given_, "roles": PEOPLE.get(name, [])})


def rule_on(decision: Decision, *votes: Decision, required: Requirements = TWO, **more: Any) -> Any:
    more.setdefault("proposer", required.proposer)
    return may_decide(POLICY, required, who(decision.reviewer), decision, votes, now=0.0, **more)


@pytest.mark.parametrize(
    ("shown", "form", "kind", "rule"),
    [
        ({"rules": ["security"]}, "approval", "triage", "two"),
        ({"rules": ["money", "security", "top-severity"]}, "approval", "triage", "two"),
        ({"rules": ["top-severity"]}, "approval", "triage", "severity"),
        ({"actions": [{"kind": "set_field", "params": {"field": "assignee"}}]}, "approval", "triage", "assignee"),
        ({"actions": [{"kind": "add_comment", "params": {"text": "x"}}]}, "approval", "triage", "no rule"),
        ({}, "signoff", "plan", "signing"),
        ({"gate": "ask"}, "approval", "plan", "plans"),
        ({"gate": "block"}, "approval", "plan", "no rule"),
        ({"gate": "ask"}, "approval", "triage", "no rule"),
    ],
)
def test_the_first_rule_that_matches_in_all_its_keys_holds(
    shown: dict[str, Any], form: Any, kind: str, rule: str
) -> None:
    found = requirements(POLICY, shown, form, kind)
    assert (found.rule, found.form, found.policy_sha256) == (rule, form, POLICY.sha256)


def test_without_a_policy_one_vote_of_anybody_decides() -> None:
    required = requirements(DEFAULT, SHOWN, "approval", "triage")
    ruling = may_decide(DEFAULT, required, Reviewer(name="x"), vote("x"), [], None, 0.0)
    assert (ruling.allowed, ruling.counted, ruling.complete) == (True, True, True)


def test_one_of_two_approvals_is_not_enough_and_two_are() -> None:
    first = rule_on(vote("ada"))
    assert (first.allowed, first.counted, first.complete, first.reason) == (True, True, False, "1 of 2 approvals")
    second = rule_on(vote("linus"), vote("ada"))
    assert second.complete
    assert second.approvers == ("ada", "linus")


def test_the_same_person_counts_once_however_often_they_say_it() -> None:
    again = rule_on(vote("ada"), vote("ada"), vote("ada"))
    assert (again.complete, again.repeated, again.reason) == (False, True, "1 of 2 approvals")


def test_who_is_not_entitled_is_refused_and_told_why() -> None:
    ruling = rule_on(vote("mallory"))
    assert not ruling.allowed
    assert ruling.reason == "mallory may not decide this: the policy's rule “two” leaves it to triage, lead."


@pytest.mark.parametrize("verdict", ["approve", "edit", "reject", "ask_reporter", "defer", "delegate"])
def test_somebody_without_the_role_can_answer_nothing(verdict: str) -> None:
    more: dict[str, Any] = {"edits": {"component": "X"}} if verdict == "edit" else {}
    more |= {"until": "2030-01-01T00:00:00Z"} if verdict == "defer" else {}
    more |= {"to": "ada"} if verdict == "delegate" else {}
    assert not rule_on(vote("mallory", verdict, **more)).allowed


def test_nobody_decides_in_anothers_name_or_without_being_recognised() -> None:
    assert not may_decide(POLICY, TWO, who("ada"), vote("linus"), [], None, 0.0).allowed
    unverified = Reviewer(name="ada", roles=("triage",))
    assert not may_decide(POLICY, TWO, unverified, vote("ada"), [], None, 0.0).allowed
    stranger = Reviewer(name="eve", roles=("triage",), auth="token")
    assert not may_decide(POLICY, TWO, stranger, vote("eve"), [], None, 0.0).allowed


def test_one_rejection_ends_it_whatever_was_approved() -> None:
    ruling = rule_on(vote("linus", "reject"), vote("ada"))
    assert ruling.complete
    assert ruling.outcome is not None
    assert ruling.outcome.verdict == "reject"


def test_the_author_of_an_edit_does_not_count_and_cannot_approve_it() -> None:
    edit = vote("ada", "edit", edits={"component": "Auth"})
    ruling = rule_on(edit)
    assert (ruling.allowed, ruling.counted, ruling.complete, ruling.reason) == (True, False, False, "0 of 2 approvals")
    own = rule_on(vote("ada", digest=ballot(edit)), edit)
    assert (own.allowed, own.reason) == (False, "ada proposed this; somebody else must approve it.")


def test_an_edit_needs_the_others_to_approve_that_very_edit() -> None:
    edit = vote("ada", "edit", edits={"component": "Auth"})
    about_the_original = [edit, vote("linus"), vote("grace", digest=ballot(edit))]
    assert not rule_on(vote("grace", digest=ballot(edit)), edit, vote("linus")).complete
    changed_mind = rule_on(vote("linus", digest=ballot(edit)), *about_the_original)
    assert changed_mind.complete
    assert changed_mind.outcome == edit
    assert changed_mind.approvers == ("linus", "grace")


def test_who_makes_the_same_edit_as_another_approves_it() -> None:
    edit = vote("ada", "edit", edits={"component": "Auth"})
    same = vote("linus", "edit", edits={"component": "Auth"})
    assert rule_on(same, edit).approvers == ("linus",)
    other = vote("grace", "edit", edits={"component": "Authn"})
    assert rule_on(other, edit, same).approvers == ()


def test_who_went_on_to_an_edit_no_longer_stands_behind_the_original() -> None:
    edit = vote("ada", "edit", edits={"component": "Auth"})
    assert rule_on(vote("linus"), vote("ada"), edit).approvers == ("linus",)


def test_who_proposed_the_whole_thing_cannot_approve_it() -> None:
    required = TWO.model_copy(update={"proposer": "Ada "})
    assert not rule_on(vote("ada"), required=required).allowed
    edit = vote("linus", "edit", edits={"component": "Auth"})
    assert not rule_on(vote("ada", digest=ballot(edit)), edit, required=required).allowed


def test_own_questions_to_the_reporter_need_approval_and_the_proposed_ones_do_not_have_an_author() -> None:
    own = vote("ada", "ask_reporter", questions=["Which browser?"])
    assert not rule_on(own).counted
    assert rule_on(vote("linus", digest=ballot(own)), own).approvers == ("linus",)
    assert rule_on(vote("ada", "ask_reporter")).counted


def test_waivers_are_proposals_of_who_signs_with_them() -> None:
    waiver = {"item": "PAY-7", "owner": "grace", "reason": "rare", "expires": "2030-01-01T00:00:00Z"}
    required = TWO.model_copy(update={"form": "signoff", "approvals": 1})
    assert rule_on(vote("grace", "sign", accountable="Grace"), required=required).complete
    with_waiver = vote("grace", "sign", accountable="Grace", waivers=[waiver])
    assert not rule_on(with_waiver, required=required).complete
    same = vote("edsger", "sign", accountable="Edsger", waivers=[waiver])
    assert rule_on(same, with_waiver, required=required).complete


def test_an_edit_of_what_a_stricter_rule_guards_must_meet_that_rule() -> None:
    shown = {**SHOWN, "rules": []}
    review = waiting(shown)
    for edits, rule in (
        ({"component": "X"}, "no rule"),
        ({"severity": "Low"}, "severity"),
        ({"assignee": "bob"}, "assignee"),
    ):
        required = required_for(POLICY, review, vote("ada", "edit", edits=edits))
        assert required.rule == rule
    required = required_for(POLICY, review, vote("ada", "edit", edits={"severity": "Low"}))
    assert not rule_on(vote("ada", "edit", edits={"severity": "Low"}), required=required).allowed


def test_a_rule_that_went_away_since_still_binds_the_review_it_was_opened_under() -> None:
    review = waiting(SHOWN)
    without = POLICY.model_copy(update={"rule": []})
    edit = vote("ada", "edit", edits={"component": "X"})
    assert required_for(without, review, edit).model_dump(exclude={"proposer"}) == TWO.model_dump(exclude={"proposer"})


def test_an_assigned_review_is_the_assignees_alone() -> None:
    assert rule_on(vote("ada"), assigned_to="linus").reason == "It is assigned to linus."
    assert rule_on(vote("linus"), assigned_to="linus").allowed
    assert rule_on(vote("grace"), assigned_to="triage").allowed
    assert not rule_on(vote("mallory"), assigned_to="mallory").allowed


def test_a_rerouted_review_can_also_still_be_decided_by_who_had_it() -> None:
    assert rule_on(vote("ada"), assigned_to="lead").allowed
    assert rule_on(vote("edsger"), assigned_to="edsger").allowed


def test_what_a_person_handed_to_a_role_is_that_roles_even_where_overdue_reviews_go_to_it() -> None:
    handed = vote("linus", "delegate", to="lead")
    assert rule_on(vote("ada"), handed, assigned_to="lead").reason == "It is assigned to lead."
    assert rule_on(vote("grace"), handed, assigned_to="lead").allowed
    since = vote("grace")
    assert rule_on(vote("ada"), handed, since, assigned_to="lead").allowed, "it was re-routed after that"
    assert rule_on(vote("ada"), vote("linus", "delegate", to="grace"), assigned_to="lead").allowed


def test_support_says_who_stands_behind_a_thing_and_who_could() -> None:
    edit, original = vote("ada", "edit", edits={"component": "Cart"}), vote("linus")
    second = vote("grace", digest=ballot(edit))
    review = waiting(votes=[edit, original, second], requires=TWO)
    backed = support(POLICY, review, edit)
    assert (backed.approvers, backed.needed, backed.author, backed.missing) == (("grace",), 2, "ada", 1)
    assert backed.able == ("linus", "edsger")
    assert support(POLICY, review, second) == backed
    first = support(POLICY, review, original)
    assert (first.approvers, first.author, first.able) == (("linus",), None, ("ada", "grace", "edsger"))


def test_what_is_put_forward_is_found_by_person_and_by_ballot() -> None:
    one, other = (vote("ada", "edit", edits={"component": name}) for name in ("Cart", "Login"))
    votes = [one, vote("linus"), other, vote("linus", digest=ballot(one))]
    assert put_forward(votes, " Ada ") == other
    assert put_forward(votes, ballot(one)[:8]) == one
    assert put_forward(votes, ballot(one)[:7]) is None
    assert put_forward(votes, "linus") is None, "an approval holds nothing of one's own"


def test_what_was_opened_too_long_ago_can_be_rejected_and_not_approved() -> None:
    required = requirements(POLICY, {}, "signoff", "plan")
    sign, no = vote("grace", "sign", accountable="Grace"), vote("grace", "reject")
    day = 24 * 3600.0

    def ruled(decision: Decision, now: float) -> Any:
        return may_decide(POLICY, required, who("grace"), decision, [], None, now, opened_at=0.0)

    assert ruled(sign, day).complete
    assert ruled(sign, day + 1).expired
    assert not ruled(sign, day + 1).allowed
    assert ruled(no, day + 1).complete


def test_a_vote_of_somebody_who_lost_the_role_no_longer_counts() -> None:
    left = POLICY.model_copy(update={"reviewers": {n: p for n, p in POLICY.reviewers.items() if n != "ada"}})
    ruling = may_decide(left, TWO, who("linus"), vote("linus"), [vote("ada")], None, 0.0)
    assert ruling.approvers == ("linus",)


def waiting(shown: dict[str, Any] = SHOWN, **more: Any) -> Review:
    return Review(
        review_id="rv-1",
        run_id="run-1",
        interrupt_id="i-1",
        kind="triage",
        subject_id="PAY-1",
        state="pending",
        digest=DIGEST,
        shown=shown,
        opened_at=0.0,
        requires=requirements(POLICY, shown, "approval", "triage"),
    ).model_copy(update=more)


HOUR = 3600.0


@pytest.mark.parametrize(
    ("hours", "more", "to"),
    [
        (3.9, {}, None),
        (4.0, {}, "lead"),
        (9.0, {"assigned_to": "ada"}, "lead"),
        (5.0, {"assigned_to": "lead", "routed_at": 4 * HOUR}, None),
        (8.0, {"assigned_to": "lead", "routed_at": 4 * HOUR}, "edsger"),
        (99.0, {"assigned_to": "edsger", "routed_at": 8 * HOUR}, None),
        (99.0, {"state": "decided"}, None),
        (99.0, {"state": "superseded"}, None),
        (10.0, {"state": "deferred", "due_at": 8 * HOUR}, None),
        (12.0, {"state": "deferred", "due_at": 8 * HOUR}, "lead"),
        (99.0, {"requires": None}, None),
        (99.0, {"requires": Requirements()}, None),
    ],
)
def test_an_overdue_review_goes_on_to_the_next_and_is_never_approved(
    hours: float, more: dict[str, Any], to: str | None
) -> None:
    found = overdue(POLICY, waiting(**more), hours * HOUR)
    assert (found.to if found else None) == to


@pytest.mark.parametrize(
    ("reroute_to", "escalate", "first", "then"),
    [("lead", None, "lead", None), (None, "edsger", "edsger", None), (None, None, None, None)],
)
def test_a_rule_may_name_only_one_further_place(
    reroute_to: str | None, escalate: str | None, first: str | None, then: str | None
) -> None:
    required = TWO.model_copy(update={"reroute_to": reroute_to, "escalate": escalate})
    found = overdue(POLICY, waiting(requires=required), 4 * HOUR)
    assert (found.to if found else None) == first
    found = overdue(POLICY, waiting(requires=required, assigned_to=first, routed_at=4 * HOUR), 8 * HOUR)
    assert (found.to if found else None) == (then if first else None)


def test_no_deadline_runs_in_quiet_hours() -> None:
    quiet = Policy.model_validate(
        {**POLICY.model_dump(), "quiet_hours": {"start": "02:00", "end": "20:00", "timezone": "UTC"}}
    )
    assert overdue(quiet, waiting(), 19 * HOUR) is None
    assert overdue(quiet, waiting(), 21.9 * HOUR) is None
    assert overdue(quiet, waiting(), 22.1 * HOUR) is not None


def test_progress_tells_what_came_furthest() -> None:
    edit = vote("ada", "edit", edits={"component": "Auth"})
    assert progress(POLICY, waiting()) == (0, 2)
    assert progress(POLICY, waiting(votes=[vote("ada"), vote("ada")])) == (1, 2)
    assert progress(POLICY, waiting(votes=[edit])) == (0, 2)
    assert progress(POLICY, waiting(votes=[edit, vote("linus", digest=ballot(edit))])) == (1, 2)
    assert list(proposals([edit, vote("linus", digest=ballot(edit))])) == [ballot(edit)]
    assert edits_under(vote("linus", digest=ballot(edit)), [edit]) == {"component": "Auth"}


names = st.sampled_from(sorted(PEOPLE))
contents = st.sampled_from(["approve", "edit-a", "edit-b", "ask"])


def _made(name: str, content: str) -> Decision:
    if content == "approve":
        return vote(name)
    if content == "ask":
        return vote(name, "ask_reporter")
    return vote(name, "edit", edits={"component": content})


@given(st.lists(st.tuples(names, contents), max_size=12), st.integers(min_value=1, max_value=4), st.booleans())
def test_a_review_completes_only_with_as_many_different_entitled_people_who_did_not_propose_it(
    said: list[tuple[str, str]], needed: int, proposer_may: bool
) -> None:
    required = TWO.model_copy(update={"approvals": needed, "proposer_may_approve": proposer_may})
    votes: list[Decision] = []
    for name, content in said:
        decision = _made(name, content)
        ruling = rule_on(decision, *votes, required=required)
        if not ruling.allowed:
            continue
        if ruling.complete:
            assert ruling.outcome is not None
            approvers = set(ruling.approvers)
            assert len(approvers) == len(ruling.approvers) >= needed
            assert "mallory" not in approvers
            same = [v for v in [*votes, decision] if ballot(v) == ballot(decision)]
            assert approvers <= {v.reviewer for v in same}
            if not proposer_may and content.startswith("edit"):
                assert same[0].reviewer not in approvers
            assert ballot(ruling.outcome) == ballot(decision)
        votes.append(decision)


@given(st.lists(st.tuples(names, contents), max_size=8))
def test_saying_the_same_again_never_changes_the_count(said: list[tuple[str, str]]) -> None:
    votes = [_made(name, content) for name, content in said if name != "mallory"]
    for decision in votes:
        standing = {v.reviewer: v for v in votes}
        if standing[decision.reviewer] == decision:
            assert rule_on(decision, *votes).repeated
            assert progress(POLICY, waiting(votes=votes)) == progress(POLICY, waiting(votes=[*votes, decision]))
