from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import update

from qa_agents.checkpoint.answers import unblocked
from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import Ledger, entries
from qa_agents.checkpoint.policy import Policy, Reviewer
from qa_agents.checkpoint.schema import Decision, Review
from qa_agents.checkpoint.votes import progress, proposals
from qa_agents.errors import ConflictError, NotAllowedError, NotFoundError, UsageError
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import reviews
from tests.clock import Clock

SHOWN = {"actions": [], "editable": ["component", "severity"], "summary": "It crashes"}

BOTH_ENGINES = True


@pytest.fixture
def inbox(db: Database) -> Inbox:
    return Inbox(db, Ledger())


def opened(db: Database, inbox: Inbox, run_id: str = "run-1", interrupt_id: str = "i-1") -> Review:
    with db.write() as connection:
        return inbox.open(
            connection, run_id=run_id, interrupt_id=interrupt_id, kind="triage", subject_id="PAY-1", shown=SHOWN
        )


def answer(review: Review, verdict: str = "approve", **more: Any) -> Decision:
    return Decision.model_validate(
        {"review_id": review.review_id, "verdict": verdict, "reviewer": "ada", "digest": review.digest, **more}
    )


def test_a_review_is_opened_once_per_interrupt(db: Database, inbox: Inbox) -> None:
    assert opened(db, inbox) == opened(db, inbox)
    assert len(inbox.waiting()) == 1


def test_a_newer_review_of_the_same_report_replaces_what_waits(db: Database, inbox: Inbox) -> None:
    old, new = opened(db, inbox), opened(db, inbox, run_id="run-2")
    assert [review.review_id for review in inbox.waiting()] == [new.review_id]
    with pytest.raises(ConflictError, match="replaced"):
        inbox.decide(answer(old))


def test_a_review_is_decided_once(db: Database, inbox: Inbox) -> None:
    review = opened(db, inbox)
    assert inbox.decide(answer(review)).state == "decided"
    with pytest.raises(ConflictError, match="already decided: approve by ada"):
        inbox.decide(answer(review, "reject", reason_code="other"))


def test_a_decision_about_something_else_than_shown_is_refused(db: Database, inbox: Inbox) -> None:
    review = opened(db, inbox)
    with pytest.raises(ConflictError, match="something else"):
        inbox.decide(answer(review).model_copy(update={"digest": "0" * 64}))
    assert inbox.find(review.review_id).state == "pending"


def test_a_deferred_review_leaves_the_list_until_it_is_due(db: Database) -> None:
    clock = datetime(2026, 1, 1, tzinfo=UTC)
    inbox = Inbox(db, Ledger(), now=lambda: clock.timestamp())
    review = opened(db, inbox)
    inbox.decide(answer(review, "defer", until=clock + timedelta(days=2)))
    assert inbox.waiting() == []
    assert len(inbox.waiting(include_deferred=True)) == 1
    clock += timedelta(days=3)
    assert [found.review_id for found in inbox.waiting()] == [review.review_id]
    assert inbox.decide(answer(review)).state == "decided"


def test_only_the_fields_that_were_offered_can_be_edited(db: Database, inbox: Inbox) -> None:
    review = opened(db, inbox)
    with pytest.raises(UsageError, match="status cannot be edited"):
        inbox.decide(answer(review, "edit", edits={"status": "Closed"}, reason_code="other"))


def test_a_review_is_found_by_its_own_id_or_by_the_reports(db: Database, inbox: Inbox) -> None:
    review = opened(db, inbox)
    assert inbox.find(review.review_id) == inbox.find("PAY-1") == inbox.of_run("run-1")
    with pytest.raises(NotFoundError, match="no review rv-none"):
        inbox.find("rv-none")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"verdict": "reject"}, "reason code"),
        ({"verdict": "edit", "reason_code": "other"}, "at least one field"),
        ({"verdict": "defer"}, "needs a date"),
        ({"verdict": "approve everything"}, "Input should be"),
        ({"verdict": "approve", "reviewer": ""}, "at least 1 character"),
        ({"verdict": "approve", "shell": "rm"}, "Extra inputs"),
    ],
)
def test_an_incomplete_or_foreign_decision_is_refused(fields: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Decision.model_validate({"review_id": "rv-1", "reviewer": "ada", "digest": "0" * 64, **fields})


PEOPLE = {"ada": ["triage"], "linus": ["triage"], "grace": ["triage"], "edsger": ["lead"], "mallory": ["guest"]}
POLICY = Policy.model_validate(
    {
        "reviewers": {name: {"roles": roles, "login": name} for name, roles in PEOPLE.items()},
        "rule": [
            {
                "name": "approvals",
                "when": {"form": "approval"},
                "roles": ["triage"],
                "approvals": 2,
                "sla_hours": 4,
                "reroute_to": "lead",
                "escalate": "edsger",
                "expires_hours": 100,
            },
            {"name": "signing", "when": {"form": "signoff"}, "roles": ["lead"]},
        ],
        "reason_codes": ["known-limitation"],
    }
)


class Office:
    """An inbox where two must agree, with its clock and ledger."""

    def __init__(self, db: Database) -> None:
        self.db, self.clock = db, Clock()
        self.inbox = Inbox(db, Ledger(self.clock), self.clock, policy=POLICY)

    def open(self, **shown: Any) -> Review:
        with self.db.write() as connection:
            return self.inbox.open(
                connection,
                run_id=f"run-{len(self.events())}",
                interrupt_id="i-1",
                kind="triage",
                subject_id="PAY-1",
                shown={**SHOWN, **shown},
            )

    def say(self, review: Review, name: str, verdict: str = "approve", **more: Any) -> Review:
        decision = answer(review, verdict, **{"reviewer": name, **more})
        by = Reviewer(name=name, roles=tuple(PEOPLE.get(name, ())), auth="os-login")
        return self.inbox.decide(decision, by)

    def events(self) -> list[str]:
        return [entry.event for entry in entries(self.db)]


@pytest.fixture
def office(db: Database) -> Office:
    return Office(db)


def test_a_review_waits_until_the_last_approval(office: Office) -> None:
    review = office.open()
    waiting = office.say(review, "ada")
    assert (waiting.state, waiting.decision, progress(POLICY, waiting)) == ("pending", None, (1, 2))
    decided = office.say(review, "linus")
    assert decided.state == "decided"
    assert [vote.reviewer for vote in decided.votes] == ["ada", "linus"]
    assert office.events() == ["review_opened", "voted", "decided"]
    last = list(entries(office.db))[-1]
    assert (last.actor, last.payload["approvals"]) == ("linus", ["ada", "linus"])
    assert (last.payload["auth"], last.payload["roles"]) == ("os-login", ["triage"])


def test_what_a_review_requires_is_fixed_when_it_is_opened(office: Office) -> None:
    review = office.open()
    assert review.requires is not None
    assert (review.requires.rule, review.requires.approvals) == ("approvals", 2)
    office.inbox.policy = POLICY.model_copy(update={"rule": []})
    assert office.say(review, "ada").state == "pending"


def test_a_vote_said_twice_is_recorded_once(office: Office) -> None:
    review = office.open()
    for _ in range(3):
        assert office.say(review, "ada").state == "pending"
    assert office.events() == ["review_opened", "voted"]


def test_an_approved_edit_is_carried_out_in_its_authors_words(office: Office) -> None:
    review = office.open()
    proposed = office.say(review, "ada", "edit", edits={"component": "Auth"}, reason_code="known-limitation")
    (edit_digest,) = proposals(proposed.votes)
    assert office.say(review, "linus").state == "pending"
    office.say(review, "linus", digest=edit_digest)
    decided = office.say(review, "grace", digest=edit_digest)
    assert decided.decision is not None
    assert (decided.decision.verdict, decided.decision.edits) == ("edit", {"component": "Auth"})
    last = list(entries(office.db))[-1]
    assert (last.event, last.actor, last.payload["proposed_by"]) == ("decided", "grace", "ada")


@pytest.mark.parametrize(
    ("name", "verdict", "more", "error", "said"),
    [
        ("mallory", "approve", {}, NotAllowedError, "mallory may not decide this"),
        ("mallory", "reject", {"reason_code": "other"}, NotAllowedError, "mallory may not decide this"),
        ("ada", "approve", {"digest": "0" * 64}, ConflictError, "something else"),
        ("ada", "reject", {"reason_code": "mood"}, UsageError, "mood is no known reason; known are wrong-evidence"),
        ("ada", "sign", {"accountable": "Ada"}, UsageError, "sign is no answer to an approval"),
        ("ada", "delegate", {"to": "nobody"}, UsageError, "neither a listed reviewer nor a role"),
        ("ada", "delegate", {"to": "mallory"}, UsageError, "mallory may not decide this"),
        ("ada", "edit", {"edits": {"status": "x"}, "reason_code": "other"}, UsageError, "cannot be edited"),
    ],
)
def test_a_refused_answer_changes_nothing_and_is_in_the_ledger(
    office: Office, name: str, verdict: str, more: dict[str, Any], error: type[Exception], said: str
) -> None:
    review = office.open()
    with pytest.raises(error, match=said):
        office.say(review, name, verdict, **more)
    after = office.inbox.find(review.review_id)
    assert (after.state, after.votes, after.assigned_to) == ("pending", [], None)
    last = list(entries(office.db))[-1]
    assert (last.event, last.actor, last.subject) == ("refused", name, "PAY-1")


def test_a_name_alone_is_no_proof_where_reviewers_are_listed(office: Office) -> None:
    with pytest.raises(NotAllowedError, match="could not be recognised"):
        office.inbox.decide(answer(office.open()))


def test_claimed_roles_are_replaced_by_those_of_the_policy(office: Office) -> None:
    review = office.open()
    office.say(review, "ada", roles=["lead"], auth="token")
    (vote,) = office.inbox.find(review.review_id).votes
    assert (vote.roles, vote.auth) == (["triage"], "os-login")


def test_late_and_superseded_votes_are_refused(office: Office) -> None:
    old = office.open()
    office.say(old, "ada")
    new = office.open(summary="It crashes again")
    with pytest.raises(ConflictError, match="replaced"):
        office.say(old, "linus")
    assert new.votes == []
    office.say(new, "ada", "reject", reason_code="other")
    with pytest.raises(ConflictError, match="already decided: reject by ada"):
        office.say(new, "linus")


def test_a_delegated_review_is_the_delegates_and_then_everybodys_again(office: Office) -> None:
    review = office.open()
    assert office.say(review, "ada", "delegate", to="linus").assigned_to == "linus"
    with pytest.raises(NotAllowedError, match="assigned to linus"):
        office.say(review, "grace")
    assert office.say(review, "linus").assigned_to is None
    assert office.say(review, "grace").state == "decided"
    assert office.events() == ["review_opened", "delegated", "refused", "voted", "decided"]


def test_an_overdue_review_is_rerouted_then_escalated_and_still_waits(office: Office) -> None:
    review = office.open()
    office.say(review, "ada")
    hops = []
    for _ in range(6):
        office.clock.now += 3 * 3600
        hops += [routed.assigned_to for routed in office.inbox.route_overdue()]
    assert hops == ["lead", "edsger"]
    after = office.inbox.find(review.review_id)
    assert (after.state, progress(POLICY, after)) == ("pending", (1, 2))
    assert office.say(review, "edsger").state == "decided"
    assert office.events() == ["review_opened", "voted", "rerouted", "rerouted", "decided"]


def test_what_expired_can_no_longer_be_approved(office: Office) -> None:
    review = office.open()
    office.clock.now += 101 * 3600
    with pytest.raises(ConflictError, match="has expired"):
        office.say(review, "ada")
    assert office.say(review, "ada", "reject", reason_code="other").state == "decided"


def test_a_deferred_review_that_is_voted_on_waits_again(office: Office) -> None:
    review = office.open()
    office.say(review, "ada", "defer", until=datetime(2030, 1, 1, tzinfo=UTC))
    assert office.inbox.waiting() == []
    assert office.say(review, "linus").state == "pending"
    assert [found.review_id for found in office.inbox.waiting()] == [review.review_id]


def test_deferred_reviews_do_not_come_back_in_quiet_hours(db: Database) -> None:
    clock = Clock()
    clock.now = datetime(2026, 3, 2, 22, tzinfo=UTC).timestamp()
    policy = Policy.model_validate({"quiet_hours": {"start": "20:00", "end": "08:00"}})
    inbox = Inbox(db, Ledger(), clock, policy=policy)
    review = opened(db, inbox)
    inbox.decide(answer(review, "defer", until=datetime(2026, 3, 2, 23, tzinfo=UTC)))
    clock.now += 2 * 3600
    assert inbox.waiting() == []
    clock.now += 8 * 3600
    assert len(inbox.waiting()) == 1


WAIVER = {"item": "PAY-7", "owner": "linus", "reason": "rare", "expires": datetime(2030, 1, 1, tzinfo=UTC)}


def test_a_signoff_names_who_is_accountable_and_what_is_waived_until_when(office: Office) -> None:
    review = office.open(form="signoff", waivable=["PAY-7"])
    assert review.form == "signoff"
    with pytest.raises(UsageError, match="PAY-8 is nothing that can be waived here"):
        office.say(review, "edsger", "sign", accountable="Edsger", waivers=[{**WAIVER, "item": "PAY-8"}])
    past = {**WAIVER, "expires": datetime(1970, 1, 2, tzinfo=UTC)}
    with pytest.raises(UsageError, match="has expired already"):
        office.say(review, "edsger", "sign", accountable="Edsger", waivers=[past])
    signed = office.say(review, "edsger", "sign", accountable="Edsger")
    assert signed.decision is not None
    assert signed.decision.accountable == "Edsger"


@pytest.mark.parametrize("left_out", ["item", "owner", "reason", "expires"])
def test_a_waiver_lacks_nothing(left_out: str) -> None:
    waiver = {name: value for name, value in WAIVER.items() if name != left_out}
    with pytest.raises(ValidationError, match=left_out):
        Decision(review_id="rv-1", verdict="sign", reviewer="ada", digest="0" * 64, accountable="Ada", waivers=[waiver])


QUESTIONS = [
    {"id": "Q1", "text": "Which currencies?", "blocks": ["REQ-1", "REQ-2"]},
    {"id": "Q2", "text": "Which limit?", "blocks": ["REQ-2"]},
]


def test_a_question_is_answered_whole_and_names_what_may_go_on(db: Database, inbox: Inbox) -> None:
    assert unblocked({"questions": QUESTIONS}, {"Q1": "all"}) == ["REQ-1"]
    with db.write() as connection:
        shown = {"form": "question", "questions": QUESTIONS}
        review = inbox.open(connection, run_id="run-q", interrupt_id="i", kind="plan", subject_id="SPEC-1", shown=shown)
    for answers, unblocks, said in (
        ({"Q1": "all"}, [], "Q2 has no answer"),
        ({"Q1": "all", "Q2": "9", "Q3": "?"}, [], "Q3 was not asked"),
        ({"Q1": "all", "Q2": "9"}, ["REQ-9"], "REQ-9 does not wait"),
    ):
        with pytest.raises(UsageError, match=said):
            inbox.decide(answer(review, "answer", answers=answers, unblocks=unblocks))
    with pytest.raises(UsageError, match="approve is no answer to a question"):
        inbox.decide(answer(review))
    done = inbox.decide(answer(review, "answer", answers={"Q1": "all", "Q2": "9"}, unblocks=["REQ-1", "REQ-2"]))
    assert done.state == "decided"


def test_a_review_that_an_older_release_opened_is_decided_by_todays_policy(office: Office) -> None:
    review = office.open()
    with office.db.write() as connection:
        connection.execute(update(reviews).values(requires=None))
    assert office.say(review, "ada").state == "pending"
    assert office.say(review, "linus").state == "decided"
