"""Dates and spans from now, as people write them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.errors import UsageError
from qa_agents.moments import moment_ahead, moment_back, span_in

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30min", timedelta(minutes=30)),
        ("4h", timedelta(hours=4)),
        (" 2D ", timedelta(days=2)),
        ("1 w", timedelta(weeks=1)),
        ("2 days", timedelta(days=2)),
        ("1 hour", timedelta(hours=1)),
        ("45 minutes", timedelta(minutes=45)),
        ("9999w", timedelta(weeks=9999)),
    ],
)
def test_a_span_leads_from_now_in_either_direction(text: str, span: timedelta) -> None:
    assert moment_ahead(text, NOW) == NOW + span
    if span < timedelta(weeks=9999):
        assert moment_back(text, NOW) == NOW - span


def test_a_date_is_that_date_in_either_direction() -> None:
    for read in (moment_ahead, moment_back):
        assert read("2026-12-01T10:00:00+02:00", NOW) == datetime(2026, 12, 1, 8, tzinfo=UTC)
        assert read("2026-12-01", NOW) == datetime(2026, 12, 1).astimezone(UTC)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2", "h", "-2d", "1.5h", "12345d", "2d 4h", "2months", "2026-13-01", "0001-01-01T00:00:00+14:00"],
)
def test_anything_else_is_refused_with_what_to_say(text: str) -> None:
    with pytest.raises(UsageError, match="neither a date nor a span") as refused:
        moment_ahead(text, NOW)
    assert "2026-12-01" in (refused.value.hint or "")


def test_a_refusal_repeats_nothing_that_could_drive_a_terminal() -> None:
    with pytest.raises(UsageError) as refused:
        moment_back("\x1b[31mnow\u202e" + "x" * 500, NOW)
    assert str(refused.value).split(" is neither")[0] == "[31mnow" + "x" * 33


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("defer it for 2d, please", timedelta(days=2)),
        ("until 4 hours from now", timedelta(hours=4)),
        ("in 1.5h", None),
        ("in 2 dozen", None),
        ("the 3 wise", None),
        ("PAY-2d", None),
    ],
)
def test_a_span_is_found_within_a_sentence_only_as_a_word(text: str, span: timedelta | None) -> None:
    assert span_in(text) == span


@given(st.text(max_size=40))
def test_no_text_meets_anything_but_a_moment_or_a_refusal(text: str) -> None:
    for read in (moment_ahead, moment_back):
        try:
            assert read(text).utcoffset() == timedelta(0)
        except UsageError:
            pass
