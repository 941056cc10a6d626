"""Second looks: to whom they are offered, what they show, and what a second answer does."""

from typing import Any

import pytest

from qa_agents.checkpoint.oversight import SecondLooks, drawn, secret_seed
from qa_agents.errors import ConflictError, NotFoundError, UsageError
from qa_agents.storage.engine import Database
from tests.unit.checkpoint.watched import Bench


@pytest.fixture
def bench(db: Database) -> Bench:
    return Bench(db)


def test_a_second_look_is_offered_to_somebody_else_and_shows_no_decision(bench: Bench) -> None:
    review = bench.decided("reject", note="SECRET-NOTE")
    assert bench.seconds.offered("Ada ") == []
    (blind,) = bench.seconds.offered("bob")
    assert blind.review_id == review.review_id
    assert not [word for word in ("reject", "SECRET-NOTE", "wrong-cause", "ada") if word in blind.model_dump_json()]


def test_what_waits_and_what_is_a_canary_is_not_offered(bench: Bench) -> None:
    bench.open()
    bench.canaries.decide(bench.answer(bench.canary(), "reject"))
    assert bench.seconds.offered("bob") == []


def test_a_second_answer_changes_nothing_but_is_kept(bench: Bench) -> None:
    review = bench.decided("approve")
    bench.seconds.decide(bench.answer(review, "reject", "bob"))
    again = bench.inbox.find(review.review_id)
    assert again.decision is not None
    assert again.decision.verdict == "approve"
    assert bench.seconds.offered("cyd") == []
    (found,) = bench.seconds.disagreements()
    assert (found.first.reviewer, found.first.verdict) == ("ada", "approve")
    assert (found.second.reviewer, found.second.verdict) == ("bob", "reject")


def test_one_second_answer_is_enough_and_nobody_gives_it_on_their_own(bench: Bench) -> None:
    review = bench.decided("approve")
    with pytest.raises(NotFoundError, match="not offered to ADA"):
        bench.seconds.decide(bench.answer(review, "reject", "ADA"))
    bench.seconds.decide(bench.answer(review, "approve", "bob"))
    with pytest.raises(NotFoundError, match="not offered"):
        bench.seconds.decide(bench.answer(review, "approve", "cyd"))


@pytest.mark.parametrize(
    ("verdict", "more", "error"),
    [
        ("defer", {"until": "2099-01-01T00:00:00+00:00"}, UsageError),
        ("edit", {"edits": {"status": "Closed"}}, UsageError),
        ("approve", {"digest": "0" * 64}, ConflictError),
    ],
)
def test_a_second_answer_must_fit_what_was_shown(
    bench: Bench, verdict: str, more: dict[str, Any], error: type[Exception]
) -> None:
    review = bench.decided("approve")
    with pytest.raises(error):
        bench.seconds.decide(bench.answer(review, verdict, "bob", **more))
    assert len(bench.seconds.offered("bob")) == 1


def test_the_same_edit_agrees_and_another_value_does_not(bench: Bench) -> None:
    same, other = bench.decided("edit"), bench.decided("edit")
    bench.seconds.decide(bench.answer(same, "edit", "bob"))
    bench.seconds.decide(bench.answer(other, "edit", "bob", edits={"component": "Web App"}))
    assert [found.first.review_id for found in bench.seconds.disagreements()] == [other.review_id]


def test_only_the_sampled_share_is_offered_whatever_the_order(bench: Bench) -> None:
    decided = [bench.decided().review_id for _ in range(60)]
    half = SecondLooks(bench.db, bench.ledger, 0.5)
    offered = [blind.review_id for blind in half.offered("bob")]
    seed = secret_seed(bench.db)
    assert offered == [review_id for review_id in decided if drawn(seed, "second", review_id, 0.5)]
    assert 10 < len(offered) < 50
    assert SecondLooks(bench.db, bench.ledger, 0.0).offered("bob") == []
