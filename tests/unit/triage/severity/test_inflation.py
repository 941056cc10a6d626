"""The inflation meter: drift is said when it is real, seldom when it is not, however often one looks."""

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from qa_agents.triage.severity.inflation import MIN_HISTORY, Rated, _sequence, measure, quarter_of
from qa_agents.triage.severity.rubric import load_rubric

RUBRIC = load_rubric()
SINCE = datetime(2025, 4, 1, tzinfo=UTC)


def history(severe: int, mild: int, reporter: str = "r") -> list[Rated]:
    moment = SINCE - timedelta(days=30)
    return [Rated(moment, "High", reporter)] * severe + [Rated(moment, "Low", reporter)] * mild


def test_more_severe_proposals_than_ever_are_inflation_and_fewer_the_opposite() -> None:
    before = history(40, 160)
    assert measure(["High"] * 60 + ["Low"] * 20, before, RUBRIC, SINCE).drift == "inflated"
    assert measure(["Low"] * 80, before, RUBRIC, SINCE).drift == "deflated"
    assert measure(["High"] * 20 + ["Low"] * 80, before, RUBRIC, SINCE).drift == "none"


def test_too_little_history_says_nothing() -> None:
    assert measure(["High"] * 90, history(5, MIN_HISTORY - 6), RUBRIC, SINCE).drift == "too little to say"
    assert measure([], history(40, 160), RUBRIC, SINCE).drift == "too little to say"


def test_undetermined_proposals_are_counted_apart() -> None:
    found = measure([None, "High", None], history(40, 160), RUBRIC, SINCE)
    assert (found.undetermined, found.proposed.rated) == (2, 1)


def test_only_the_year_before_is_history() -> None:
    old = [Rated(SINCE - timedelta(days=800), "High", None)] * 500
    assert measure(["Low"], [*old, *history(40, 160)], RUBRIC, SINCE).history.rated == 200


def test_looking_after_every_report_alarms_in_at_most_five_of_a_hundred() -> None:
    alarms = 0
    for seed in range(100):
        draw, severe, wrong = random.Random(seed), 0, False
        for n in range(1, 201):
            severe += draw.random() < 0.3
            share = _sequence(severe, n)
            wrong = wrong or not share.low <= 0.3 <= share.high
        alarms += wrong
    assert alarms <= 5


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_interval_holds_its_rate(severe: int, mild: int) -> None:
    share = _sequence(severe, severe + mild)
    assert 0 <= share.low <= share.rate <= share.high <= 1 or severe + mild == 0


def test_a_reporter_who_stands_out_is_named_and_the_others_are_not() -> None:
    team = [rated for n in range(10) for rated in history(6, 24, f"r{n}")]
    found = measure(["Low"], [*team, *history(30, 2, "loud")], RUBRIC, SINCE)
    assert [one.reporter for one in found.reporters] == ["loud"]


def test_a_quarter_begins_on_its_first_day() -> None:
    assert quarter_of(datetime(2025, 6, 30, 23, tzinfo=UTC)) == SINCE
    assert "2025-04-01" in measure(["High"] * 60, history(40, 160), RUBRIC, SINCE).told()
