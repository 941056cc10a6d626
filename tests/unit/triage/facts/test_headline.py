"""Headlines: what people put first tells copies, twins, parts and chores apart from the same bug."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.schema import Incident, Report
from qa_agents.triage.facts.headline import (
    ROUTINE_SEEN,
    branch_marks,
    headline_conflicts,
    is_routine,
    is_task,
    platforms,
    tickets,
)

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def report(summary: str, **fields: Any) -> Report:
    return Report(id="R-1", summary=summary, created=NOW, **fields)


def incident(summary: str, name: str = "W-1", **fields: Any) -> Incident:
    return Incident(id=name, summary=summary, **{"created": NOW - timedelta(days=90), **fields})


def closed(summary: str, name: str, **fields: Any) -> Incident:
    return incident(summary, name, status="Closed", resolution="Done", resolved=NOW - timedelta(days=30), **fields)


@pytest.mark.parametrize(
    ("summary", "found"),
    [
        ("Backport WICK-12 to 3.0.2", {"WICK-12"}),
        ("Follow-up of #345: the basket is empty", {"#345"}),
        ("Names in UTF-8 and ISO-8859 are garbled", set()),
        ("Crash in wick-12-helper", set()),
        ("The basket is empty", set()),
    ],
)
def test_ticket_ids_are_read_from_the_summary(summary: str, found: set[str]) -> None:
    assert tickets(report(summary)) == found


@pytest.mark.parametrize(
    ("summary", "marks"),
    [
        ("Backport: the voucher is refused", set()),
        ("[3_0_X] The voucher is refused", {"3.0.x"}),
        ("8.1.x: The voucher is refused", {"8.1.x"}),
        ("Cherry-pick the voucher fix to release/8.1", {"release/8.1"}),
        ("Port the voucher fix to 3_1_X", {"3.1.x"}),
        ("Merge the voucher fix into 8.1.2", {"8.1.2"}),
        ("The voucher is refused (2_1_X)", {"2.1.x"}),
        ("The voucher is refused, for the 8.1 branch", {"8.1"}),
        ("The voucher is refused in 8.1.2", None),
        ("The report of the port 8080 is empty", None),
        ("Port the voucher widget to Android", None),
        ("The branch office is missing in the list", None),
    ],
)
def test_a_mark_of_a_branch_is_read_from_the_summary(summary: str, marks: set[str] | None) -> None:
    assert branch_marks(report(summary)) == (None if marks is None else frozenset(marks))


def test_a_description_that_opens_with_a_port_marks_a_branch_too() -> None:
    assert branch_marks(report("The voucher is refused", description="Backport of WICK-12.")) == frozenset()
    assert branch_marks(report("The voucher is refused", description="Seen in the shop.")) is None


@pytest.mark.parametrize(
    ("summary", "fields", "found"),
    [
        ("[iOS] The basket is empty, Android is fine", {}, {"ios"}),
        ("Android: the basket is empty", {}, {"android"}),
        ("MobileWeb - the basket is empty", {}, {"web"}),
        ("The basket is empty on iPad", {}, {"ios"}),
        ("The basket is empty", {"platform": "Android 4.2"}, {"android"}),
        ("The basket is empty", {"labels": ["ios", "basket"]}, {"ios"}),
        ("The basket is empty", {"component": "Android"}, {"android"}),
        ("Some web pages stay empty", {}, set()),
        ("The basket is empty", {}, set()),
    ],
)
def test_what_a_report_is_filed_for_is_told_by_its_first_word_before_all_else(
    summary: str, fields: dict[str, Any], found: set[str]
) -> None:
    assert platforms(report(summary, **fields)) == found


def test_an_incident_without_a_platform_in_its_summary_is_filed_for_that_of_its_components() -> None:
    assert platforms(incident("The basket is empty", components=["Android", "iOS"])) == {"android", "ios"}


@pytest.mark.parametrize(
    ("mine", "theirs", "dimension"),
    [
        ("Backport WICK-12", "Backport WICK-13", "ticket"),
        ("Backport: the voucher is refused", "The voucher is refused", "branch"),
        ("[3_0_X] The voucher is refused", "[3_1_X] The voucher is refused", "branch"),
        ("iOS: the voucher is refused", "Android: the voucher is refused", "for_platform"),
        ("Publish the price list (staging)", "Publish the price list (production)", "part"),
        ("Shop: say what the voucher needs", "Desk: say what the voucher needs", "part"),
        ("Voucher import phase 1", "Voucher import phase 2", "part"),
    ],
)
def test_what_is_put_first_and_differs_is_a_conflict_whichever_came_first(
    mine: str, theirs: str, dimension: str
) -> None:
    assert dimension in headline_conflicts(report(mine), incident(theirs))
    assert dimension in headline_conflicts(report(theirs), incident(mine))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("The voucher is refused", "Voucher not accepted"),
        ("Backport: the voucher is refused", "Backport the refused voucher"),
        ("Backport WICK-12", "Backport WICK-12 please"),
        ("iOS: the voucher is refused", "The voucher is refused"),
        ("Voucher of 8.1 refused", "Voucher of 8.2 refused"),
        ("Order 48213 fails", "Order 51117 fails"),
        ("Voucher refused (urgent)", "Voucher refused"),
        ("Crash on Windows 10", "Crash on Windows 11"),
        ("Crash at line 12", "Crash at line 14"),
    ],
)
def test_what_only_one_side_says_or_both_say_in_other_words_is_none(mine: str, theirs: str) -> None:
    assert headline_conflicts(report(mine), incident(theirs)) == {}


def test_a_text_that_was_closed_again_and_again_is_routine_whatever_its_numbers() -> None:
    past = [closed(f"Tag the release 8.{n} and tell the shops", f"W-{n}") for n in range(ROUTINE_SEEN)]
    assert is_routine(report("Tag the release 8.9 and tell the shops"), past, NOW)
    assert not is_routine(report("Tag the release 8.9 and tell the shops"), past[:-1], NOW)
    assert not is_routine(report("Untag the release 8.9"), past, NOW)


def test_copies_that_are_open_or_linked_make_no_routine() -> None:
    text = "The voucher is refused"
    unresolved = [incident(text, f"W-{n}") for n in range(3)]
    linked = [closed(text, "W-4"), closed(text, "W-5", duplicate_of=["W-4"])]
    assert not is_routine(report(text), [*unresolved, *linked], NOW)


def test_a_text_that_shows_an_error_is_never_routine() -> None:
    text = "The import stops with java.lang.IllegalStateException"
    assert not is_routine(report(text), [closed(text, f"W-{n}") for n in range(4)], NOW)


@pytest.mark.parametrize(("kind", "task"), [("Task", True), ("Sub-task", True), ("Bug", False), (None, False)])
def test_a_task_is_told_from_a_bug_by_its_type(kind: str | None, task: bool) -> None:
    assert is_task(incident("Publish the price list", type=kind)) is task


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_conflicts_with_itself_and_conflicts_are_symmetric(one: str, other: str) -> None:
    here, there = report(one or "x"), report(other or "y")
    assert headline_conflicts(here, here) == {}
    assert headline_conflicts(here, there).keys() == headline_conflicts(there, here).keys()


@pytest.mark.parametrize("unit", ["port to ", "[", "(", "to the branch ", "A-1", "1_", "8.", "release/"])
def test_hostile_repetition_is_read_in_bounded_time(unit: str) -> None:
    text = unit * 40_000
    assert isinstance(headline_conflicts(report(text, description=text), incident(f"{text}x")), dict)
