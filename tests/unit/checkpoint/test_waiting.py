"""The list of what waits, and whether it was answered in time, on both engines."""

from typing import Any

import pytest
from sqlalchemy import insert

from qa_agents.checkpoint.policy import Policy
from qa_agents.checkpoint.timeliness import timeliness
from qa_agents.checkpoint.waiting import PAGE, Filters, WaitingPage, waiting_page
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import reviews

BOTH_ENGINES = True
NOW = 1_800_000_000.0
HOUR = 3_600.0


def put(db: Database, name: str, **changes: Any) -> None:
    row = {
        "review_id": f"rv-{name}",
        "run_id": f"run-{name}",
        "interrupt_id": "i",
        "kind": "triage",
        "subject_id": f"IN-{name}",
        "state": "pending",
        "digest": "0" * 64,
        "shown": {"gate": "ask", "rules": ["policy"], "summary": f"Summary of {name}"},
        "opened_at": NOW - HOUR,
        "form": "approval",
        "requires": None,
    }
    with db.write() as connection:
        connection.execute(insert(reviews).values(**(row | changes)))


def page_of(db: Database, page: int = 1, **filters: Any) -> WaitingPage:
    with db.read() as connection:
        return waiting_page(connection, NOW, filters=Filters(**filters), page=page, policy=Policy())


def names(found: WaitingPage) -> list[str]:
    return [line.review_id.removeprefix("rv-") for line in found.lines]


def required(hours: float | None) -> dict[str, Any]:
    return {"form": "approval", "approvals": 2, "sla_hours": hours}


def test_the_most_urgent_stands_first_then_what_is_due_first_then_the_oldest(db: Database) -> None:
    put(db, "old", opened_at=NOW - 9 * HOUR)
    put(db, "due-later", requires=required(8))
    put(db, "due-soon", requires=required(2))
    put(db, "abstained", shown={"gate": "abstain", "rules": []}, opened_at=NOW - 99 * HOUR)
    put(db, "blocked", shown={"gate": "block", "rules": ["money"]})
    put(db, "young", opened_at=NOW)
    assert names(page_of(db)) == ["blocked", "due-soon", "due-later", "old", "young", "abstained"]
    line = page_of(db).lines[1]
    assert (line.hours_left, line.approvals, line.summary) == (pytest.approx(1.0), 2, "Summary of due-soon")


def test_what_was_put_off_waits_again_when_it_is_due(db: Database) -> None:
    put(db, "later", state="deferred", due_at=NOW + HOUR)
    put(db, "again", state="deferred", due_at=NOW - HOUR)
    put(db, "done", state="decided")
    assert names(page_of(db)) == ["again"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"gate": "block"}, ["a"]),
        ({"rule": "money"}, ["a"]),
        ({"rule": "mone"}, []),
        ({"rule": "%"}, []),
        ({"rule": '"'}, []),
        ({"kind": "plan"}, ["b"]),
        ({"assigned_to": "ada"}, ["c"]),
        ({"subject": "n-B"}, ["b"]),
        ({"subject": "%"}, []),
        ({"overdue": True}, ["c"]),
        ({"gate": "' OR 1=1 --"}, []),
    ],
)
def test_filters_find_what_they_say(db: Database, filters: dict[str, Any], expected: list[str]) -> None:
    put(db, "a", shown={"gate": "block", "rules": ["money", "policy"]})
    put(db, "b", kind="plan", form="question", shown={"form": "question", "rules": ["open-question"]})
    put(db, "c", assigned_to="ada", requires=required(0.5))
    found = page_of(db, **filters)
    assert names(found) == expected
    assert (found.waiting, found.kinds, found.gates) == (3, {"triage": 2, "plan": 1}, {"block": 1, "ask": 1})
    assert found.rules == {"policy": 2, "money": 1, "open-question": 1}
    assert found.overdue == 1


def test_pages_are_turned_over_and_there_is_always_one(db: Database) -> None:
    assert (page_of(db).pages, page_of(db).lines) == (1, [])
    for number in range(PAGE + 1):
        put(db, f"{number:03}")
    assert [len(page_of(db, page).lines) for page in (1, 2, 99, -1)] == [PAGE, 1, 1, PAGE]
    assert not set(names(page_of(db, 1))) & set(names(page_of(db, 2)))


def test_in_time_is_measured_against_the_deadline_of_each_review(db: Database) -> None:
    put(db, "kept", state="decided", requires=required(2), decided_at=NOW)
    put(db, "missed", state="decided", requires=required(0.5), decided_at=NOW)
    put(db, "free", state="decided", decided_at=NOW)
    put(db, "long ago", state="decided", requires=required(2), decided_at=NOW - 1000 * HOUR)
    put(db, "late", requires=required(0.5), opened_at=NOW - 3 * HOUR)
    put(db, "waits")
    found = timeliness(db, since=NOW - HOUR, now=NOW)
    assert (found.in_time.events, found.in_time.n) == (1, 2)
    assert (found.waiting, found.overdue, found.oldest_seconds) == (2, 1, pytest.approx(3 * HOUR))


def test_without_any_review_nothing_is_claimed(db: Database) -> None:
    found = timeliness(db, since=0.0, now=NOW)
    assert (found.in_time.n, found.waiting, found.overdue, found.oldest_seconds) == (0, 0, 0, None)
