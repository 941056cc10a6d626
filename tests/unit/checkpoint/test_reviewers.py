"""The reviewers' record: what counts, for whom, and what it warns of."""

import pytest

from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.oversight import answers
from qa_agents.checkpoint.policy import Policy, Reviewer, Rule
from qa_agents.checkpoint.rates import wilson
from qa_agents.checkpoint.reviewers import stats
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import decisions
from tests.unit.checkpoint.watched import Bench


@pytest.fixture
def bench(db: Database) -> Bench:
    return Bench(db)


def test_the_record_counts_decisions_apart_from_canaries_and_second_looks(bench: Bench) -> None:
    for verdict in ("approve", "approve", "edit", "reject", "ask_reporter"):
        bench.decided(verdict)
    bench.canaries.decide(bench.answer(bench.canary(), "approve"))
    bench.seconds.decide(bench.answer(bench.decided("approve", "bob"), "reject", "ada"))
    ada = next(record for record in stats(bench.db).reviewers if record.name == "ada")
    assert ada.decisions == 5
    assert {verdict: rate.events for verdict, rate in ada.verdicts.items()} == {
        "approve": 2,
        "edit": 1,
        "reject": 1,
        "ask_reporter": 1,
    }
    assert ada.override == wilson(2, 5)
    assert ada.canaries == wilson(0, 1)
    assert ada.reasons == {"wrong-cause": 2}
    assert ada.second_looks.n == 0


def test_who_approves_nearly_everything_is_pointed_out_only_with_enough_decisions(bench: Bench) -> None:
    for _ in range(49):
        bench.decided("approve")
    assert stats(bench.db).reviewers[0].warnings == []
    bench.decided("reject")
    assert "below 3%" in stats(bench.db).reviewers[0].warnings[0]
    bench.decided("edit")
    assert stats(bench.db).reviewers[0].warnings == []


def test_disagreement_beyond_chance_raises_an_alarm(bench: Bench) -> None:
    for number in range(12):
        first, second = ("approve", "reject") if number % 2 else ("reject", "approve")
        bench.seconds.decide(bench.answer(bench.decided(first), second, "bob"))
    record = next(record for record in stats(bench.db).reviewers if record.name == "ada")
    assert record.second_looks.kappa == pytest.approx(-1)
    assert any("kappa -1.00 on 12" in warning for warning in record.warnings)


def test_the_time_to_decide_is_the_median_from_opening(bench: Bench) -> None:
    for seconds in (10, 20, 90):
        review = bench.open()
        bench.clock += seconds
        bench.inbox.decide(bench.answer(review))
    assert stats(bench.db).everyone.median_seconds == 20


def test_a_proposed_value_is_kept_unless_it_was_edited_or_rejected(bench: Bench) -> None:
    bench.decided("approve")
    bench.decided("edit", edits={"severity": "High"})
    bench.decided("edit", edits={"component": "Payments"})
    bench.decided("edit", edits={"component": "Billing"})
    bench.decided("reject")
    bench.decided("ask_reporter")
    assert stats(bench.db).kept == {"component": wilson(3, 5)}


def test_a_deferral_is_no_decision(bench: Bench) -> None:
    review = bench.open()
    bench.inbox.decide(bench.answer(review, "defer", until="2099-01-01T00:00:00+00:00"))
    assert answers(bench.db) == []
    bench.inbox.decide(bench.answer(review))
    assert [answer.verdict for answer in answers(bench.db)] == ["approve"]


def test_reviews_decided_before_single_answers_were_kept_count_too(bench: Bench) -> None:
    bench.decided("reject")
    with bench.db.write() as connection:
        connection.execute(decisions.delete())
    assert [(answer.reviewer, answer.verdict) for answer in answers(bench.db)] == [("ada", "reject")]


def test_the_record_can_be_narrowed_to_a_person_and_a_time(bench: Bench) -> None:
    bench.decided("approve", "ada")
    bench.clock = 5_000
    bench.decided("reject", "bob")
    bench.decided("reject", "ada")
    assert [record.name for record in stats(bench.db, reviewer="ADA").reviewers] == ["ada"]
    assert stats(bench.db, reviewer="ada", since=2_000).everyone.decisions == 1
    assert stats(bench.db, since=9_000).reviewers == []


def test_every_vote_of_a_quorum_counts_for_its_voter(db: Database) -> None:
    listed = {name: {"roles": ["lead"], "login": name} for name in ("ada", "bob")}
    four_eyes = Rule(name="four eyes", roles=["lead"], approvals=2, proposer_may_approve=True)
    bench = Bench(db)
    bench.inbox = Inbox(
        db, bench.ledger, now=bench.now, policy=Policy.model_validate({"reviewers": listed, "rule": [four_eyes]})
    )
    review = bench.open()
    for name in ("ada", "bob"):
        bench.inbox.decide(bench.answer(review, "approve", name), Reviewer(name=name, roles=("lead",), auth="os-login"))
    assert bench.inbox.find(review.review_id).state == "decided"
    assert {record.name: record.decisions for record in stats(db).reviewers} == {"ada": 1, "bob": 1}
    assert bench.seconds.offered("ada") == bench.seconds.offered("bob") == []
    assert len(bench.seconds.offered("cyd")) == 1
