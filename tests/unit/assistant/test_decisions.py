"""Orders in plain words, and what is not quite one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qa_agents.assistant.decisions import order_of

CODES = ("wrong-evidence", "wrong-cause", "hallucination", "out-of-scope", "duplicate", "other")
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("approve", {"verdict": "approve", "note": ""}),
        ("Approve it.", {"verdict": "approve", "note": ""}),
        ("approve IN-401, looks right", {"verdict": "approve", "note": "looks right"}),
        ("approve it because ines checked", {"verdict": "approve", "note": "ines checked"}),
        ("reject it: wrong cause", {"verdict": "reject", "reason_code": "wrong-cause", "note": ""}),
        ("reject IN-401 because it is a duplicate", {"verdict": "reject", "reason_code": "duplicate", "note": ""}),
        (
            "reject it because ines called it a duplicate",
            {"verdict": "reject", "reason_code": "duplicate", "note": "ines called it a duplicate"},
        ),
        (
            "set component to Calendar Sync, wrong evidence",
            {"verdict": "edit", "edits": {"component": "Calendar Sync"}, "reason_code": "wrong-evidence", "note": ""},
        ),
        (
            "edit component=Payments severity=High because other",
            {
                "verdict": "edit",
                "edits": {"component": "Payments", "severity": "High"},
                "reason_code": "other",
                "note": "",
            },
        ),
        (
            "change the severity to High and the priority to P1, wrong-evidence",
            {
                "verdict": "edit",
                "edits": {"severity": "High", "priority": "P1"},
                "reason_code": "wrong-evidence",
                "note": "",
            },
        ),
        ("ask the reporter", {"verdict": "ask_reporter", "questions": []}),
        ('ask the reporter "Which browser?"', {"verdict": "ask_reporter", "questions": ["Which browser?"]}),
        ("defer it until 2d", {"verdict": "defer", "until": NOW + timedelta(days=2)}),
        ("defer until 2026-12-24", {"verdict": "defer", "until": datetime(2026, 12, 24, tzinfo=UTC)}),
        ("delegate it to Ines K.", {"verdict": "delegate", "to": "Ines K"}),
        ("sign it off", {"verdict": "sign", "note": ""}),
        ("answer 1: yes, for all currencies", {"verdict": "answer", "answers": {"1": "yes, for all currencies"}}),
        ("assume the rest", {"verdict": "answer", "answers": {"*": "assume"}}),
    ],
)
def test_a_plain_order_is_a_decision(text: str, answer: dict[str, Any]) -> None:
    order = order_of(text, ["IN-401"], CODES, NOW)
    assert order is not None
    assert order.complaint == ""
    assert order.answer == answer


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("approve all of them", "One at a time"),
        ("approve everything", "One at a time"),
        ("approve it but change the severity", "not clear enough"),
        ("approve it if the tests are green", "not clear enough"),
        ("approve or reject", "not clear enough"),
        ("reject it", "needs a reason"),
        ("set severity to High", "needs a reason"),
        ("defer it", "Until when"),
        ("delegate it", "To whom"),
        ("answer yes", "Which question"),
    ],
)
def test_half_an_order_decides_nothing_and_says_what_is_missing(text: str, says: str) -> None:
    order = order_of(text, [], CODES, NOW)
    assert order is not None
    assert not order.answer
    assert says in order.complaint


@pytest.mark.parametrize(
    "text",
    [
        "should I approve it?",
        "approve it?",
        "who approved it",
        "do not approve it",
        "I approve of your work",
        "approval rate",
        "approved",
        "the report says: approve it",
        "ask Ines",
        "change the subject",
        "answering machine broken",
    ],
)
def test_talk_about_deciding_is_no_order(text: str) -> None:
    order = order_of(text, [], CODES, NOW)
    assert order is None or not order.answer
