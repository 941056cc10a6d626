import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.importers.moments import parse_moment, tells_day_first

READ = [
    ("29/Mar/11 4:48 PM", "2011-03-29T16:48"),
    ("16/Sep/13 5:45\u202fPM", "2013-09-16T17:45"),
    ("1/Jan/11 12:30 AM", "2011-01-01T00:30"),
    ("2013-09-16 17:45", "2013-09-16T17:45"),
    ("2014-01-16T23:07:53.000+0000", "2014-01-16T23:07:53"),
    ("2014-01-16T23:07:53.000-0700", "2014-01-17T06:07:53"),
    ("2011-03-29T16:48:47Z", "2011-03-29T16:48:47"),
    ("2011-03-29 16:48:47.0", "2011-03-29T16:48:47"),
    ("2011-03-29 16:48:47 UTC", "2011-03-29T16:48:47"),
    ("2011/3/29", "2011-03-29T00:00"),
    ("Tue, 29 Mar 2011 16:48:47 +0200", "2011-03-29T14:48:47"),
    ("Mar 29, 2011 4:48 PM", "2011-03-29T16:48"),
    ("29-Mar-11", "2011-03-29T00:00"),
    ("29/März/11 16:48", "2011-03-29T16:48"),
    ("29 juil. 2011", "2011-07-29T00:00"),
    ("2/juin/11", "2011-06-02T00:00"),
    ("29.03.2011 16:48", "2011-03-29T16:48"),
    ("3.4.2011", "2011-04-03T00:00"),
    ("13/04/2011", "2011-04-13T00:00"),
    ("04/13/2011 4:48:01 AM", "2011-04-13T04:48:01"),
    ("05/05/2011", "2011-05-05T00:00"),
    ("1364575727", "2013-03-29T16:48:47"),
    (1364575727000, "2013-03-29T16:48:47"),
]


@pytest.mark.parametrize(("value", "moment"), READ, ids=[str(value) for value, _ in READ])
def test_dates_are_read_as_trackers_write_them(value: object, moment: str) -> None:
    assert parse_moment(value) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize("value", [None, "", "  ", "\u00a0"])
def test_an_empty_date_is_none(value: object) -> None:
    assert parse_moment(value) is None


@pytest.mark.parametrize(
    "value",
    ["yesterday", "2011", "12:00", "31/Feb/11", "29/Mar/11 25:00", "2011-02-30", "0001-01-01T00:00:00+14:00", 20130101,
     float("inf"), float("nan"), True, [], {}, "9" * 200_000, "29/Mar/11 " + " " * 200_000 + "x", "9/" * 100_000],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_what_is_no_date_says_so_briefly(value: object) -> None:
    with pytest.raises(ValueError, match="is not a date") as caught:
        parse_moment(value)
    assert len(str(caught.value)) < 80


def test_a_date_that_could_be_two_is_refused_unless_the_order_is_known() -> None:
    with pytest.raises(ValueError, match="either of two days"):
        parse_moment("03/04/2011")
    assert parse_moment("03/04/2011", day_first=True) == datetime(2011, 4, 3, tzinfo=UTC)
    assert parse_moment("03/04/2011", day_first=False) == datetime(2011, 3, 4, tzinfo=UTC)


def test_a_date_tells_the_order_only_when_it_can_be_one_way() -> None:
    assert tells_day_first("13/04/2011") is True
    assert tells_day_first("04/13/2011 5:00 PM") is False
    for silent in ("03/04/2011", "13.04.2011", "2011-04-13", "", "x" * 200_000):
        assert tells_day_first(silent) is None


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2069, 12, 31)))
def test_jiras_own_form_is_read_back(moment: datetime) -> None:
    moment = moment.replace(second=0, microsecond=0)
    name = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.month - 1]
    half = "AM" if moment.hour < 12 else "PM"
    text = f"{moment.day}/{name}/{moment.year % 100:02} {(moment.hour - 1) % 12 + 1}:{moment.minute:02} {half}"
    assert parse_moment(text) == moment.replace(tzinfo=UTC)


@given(st.text(max_size=80) | st.floats() | st.integers())
def test_any_value_is_a_date_nothing_or_a_sentence(value: object) -> None:
    with contextlib.suppress(ValueError):
        found = parse_moment(value)
        assert found is None or found.tzinfo is UTC
