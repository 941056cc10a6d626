"""Canaries: what they look like while they wait, when one is caught, and what they never touch."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select

from qa_agents.checkpoint.canaries import Case, caught
from qa_agents.checkpoint.ledger import entries
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import actions, incidents, reports, runs
from tests.unit.checkpoint.watched import CASE, Bench, shown_for


@pytest.fixture
def bench(db: Database) -> Bench:
    return Bench(db)


def test_a_canary_waits_among_the_others_and_has_their_shape(bench: Bench) -> None:
    real = bench.inbox.find(bench.open().review_id)
    bench.clock += 1
    canary = bench.canary()
    assert [review.review_id for review in bench.inbox.waiting()] == [real.review_id, canary.review_id]
    assert canary.kind == real.kind
    assert canary.model_fields_set == real.model_fields_set
    for name in ("review_id", "run_id", "interrupt_id", "digest"):
        assert len(getattr(canary, name)) == len(getattr(real, name))
    assert "canary" not in canary.model_dump_json().lower()
    assert "seeded" not in canary.model_dump_json().lower()
    assert bench.canaries.holds(canary.review_id)
    assert not bench.canaries.holds(real.review_id)


@pytest.mark.parametrize(
    ("verdict", "more", "noticed"),
    [
        ("approve", {}, False),
        ("reject", {}, True),
        ("edit", {"edits": {"component": "Payments"}}, True),
        ("edit", {"edits": {"severity": "High"}}, False),
        ("edit", {"edits": {"component": "Calendar"}}, False),
        ("ask_reporter", {}, False),
    ],
)
def test_a_canary_is_caught_when_nothing_wrong_would_have_been_written(
    bench: Bench, verdict: str, more: dict[str, Any], noticed: bool
) -> None:
    outcome = bench.canaries.decide(bench.answer(bench.canary(), verdict, **more))
    assert outcome is not None
    assert outcome.caught is noticed
    assert "This was a canary" in str(outcome)
    assert "component = Calendar: Refunds are not the calendar's." in str(outcome)


def test_a_canary_touches_no_report_no_action_and_no_memory(bench: Bench) -> None:
    bench.canaries.decide(bench.answer(bench.canary(), "approve"))
    with bench.db.read() as connection:
        for table in (reports, actions, incidents):
            assert connection.execute(select(table)).first() is None
        assert connection.execute(select(runs.c.state)).scalar() == "done"


def test_a_deferred_canary_goes_on_waiting_and_tells_nothing(bench: Bench) -> None:
    canary = bench.canary()
    assert bench.canaries.decide(bench.answer(canary, "defer", until="2099-01-01T00:00:00+00:00")) is None
    assert bench.canaries.report_state(canary.run_id) == "waiting"
    assert bench.canaries.decide(bench.answer(canary, "reject")) is not None
    assert bench.canaries.report_state(canary.run_id) == "decided"


def test_closing_a_canary_again_after_a_crash_records_it_once(bench: Bench) -> None:
    decided = bench.inbox.decide(bench.answer(bench.canary(), "reject"))  # and the process died here
    first, again = bench.canaries.settle(decided), bench.canaries.settle(decided)
    assert first == again
    assert [entry.event for entry in entries(bench.db)].count("canary_decided") == 1


def test_a_canary_is_drawn_once_per_review_and_used_once(bench: Bench) -> None:
    other = CASE.model_copy(update={"report": {"id": "PAY-78", "summary": "Other"}})
    assert bench.canaries.add([CASE, other]) == 2
    assert bench.canaries.add([CASE]) == 0
    first = bench.canaries.due("rv-1", 1.0)
    assert first is not None
    assert bench.canaries.due("rv-1", 1.0) == first
    bench.canaries.open(first, beside="rv-1", report=b"{}", document=b"{}", shown=shown_for())
    assert bench.canaries.due("rv-1", 1.0) is None
    second = bench.canaries.due("rv-2", 1.0)
    assert second is not None
    assert second != first
    bench.canaries.open(second, beside="rv-2", report=b"{}", document=b"{}", shown=shown_for())
    assert bench.canaries.due("rv-3", 1.0) is None
    assert bench.canaries.due("rv-4", 0.0) is None


def test_opening_a_canary_twice_opens_one_review(bench: Bench) -> None:
    assert bench.canary().review_id == bench.canary().review_id
    assert len(bench.inbox.waiting()) == 1


def test_a_canary_never_stands_in_the_way_of_a_real_report(bench: Bench) -> None:
    bench.open()
    taken = CASE.model_copy(update={"report": {"id": "PAY-1", "summary": "The same id"}})
    bench.canaries.add([taken])
    assert bench.canaries.due("rv-1", 1.0) is None
    assert bench.canaries.open(taken, beside="x", report=b"{}", document=b"{}", shown=shown_for()) is None
    assert len(bench.inbox.waiting()) == 1


def test_the_overview_does_not_tell_which_review_is_a_canary(bench: Bench) -> None:
    canary = bench.canary()
    assert canary.review_id not in bench.canaries.overview().model_dump_json()
    assert bench.canaries.overview().waiting == 1
    bench.canaries.decide(bench.answer(canary, "reject"))
    overview = bench.canaries.overview()
    assert (overview.waiting, overview.unused, [outcome.caught for outcome in overview.decided]) == (0, 0, [True])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"expect": []}, "at least 1"),
        ({"expect": ["approve"]}, "edit"),
        ({"wrong": {}}, "at least 1"),
        ({"wrong": {"relation": "WKB-1"}}, "relation"),
        ({"wrong": {"component": {"incident_id": "WKB-1", "kind": "already-fixed"}}}, "relation"),
        ({"wrong": {"relation": {"incident_id": "WKB-1", "kind": "already-fixed"}}}, "expect reject"),
        ({"report": {"summary": "no id"}}, "needs an id"),
        ({"why": ""}, "at least 1"),
        ({"shell": "rm"}, "Extra inputs"),
    ],
)
def test_a_case_that_makes_no_sense_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Case.model_validate({**CASE.model_dump(mode="json"), **change})


@given(st.sampled_from(["approve", "edit", "reject", "ask_reporter", "defer"]), st.dictionaries(st.text(), st.text()))
def test_only_an_expected_answer_catches(verdict: str, edits: dict[str, str]) -> None:
    seeded = CASE.model_dump(mode="json")
    if caught(seeded, verdict, edits):
        assert verdict in CASE.expect
        assert verdict != "edit" or edits["component"] != "Calendar"
