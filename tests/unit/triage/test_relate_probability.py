"""Relations where a learned order gave probabilities: they decide what is claimed, and are shown."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.relate import AREA_PROBABILITY, STRONG_PROBABILITY, explain_absence, relate
from qa_agents.triage.schema import Fact, Relation

NOW = datetime(2024, 6, 1, tzinfo=UTC)
REPORT = Report(id="R-1", summary="The cart stays empty after the voucher is applied", created=NOW)
LIKELY = STRONG_PROBABILITY + 0.05


def incident(name: str, **fields: Any) -> Incident:
    given = {"summary": "Voucher leaves the cart without its goods", "created": NOW - timedelta(days=40)}
    return Incident(id=name, **{**given, **fields})


def near(one: Incident, probability: float | None, dense: float = 0.6) -> tuple[Candidate, Incident]:
    score = probability or 0.0
    return Candidate(incident_id=one.id, score=score, probability=probability, dense=dense), one


def related(neighbours: Sequence[tuple[Candidate, Incident]], **options: Any) -> list[Relation]:
    facts = [Fact(name="version", value="7.9", quote="7.9", field="summary", start=0, end=3)]
    given = {"chain": lambda name: [name], "facts_of": lambda _: {}, "as_of": NOW, **options}
    return relate(REPORT, facts, neighbours, **given)


def test_a_likely_open_incident_is_claimed_however_far_its_vector() -> None:
    found = related([near(incident("W-1"), LIKELY)])
    assert [(one.kind, one.probability) for one in found] == [("duplicate-of-open", LIKELY)]


def test_an_unlikely_one_is_not_claimed_however_near_its_vector() -> None:
    found = related([near(incident("W-1"), 0.02, dense=0.99)])
    assert [(one.kind, one.probability) for one in found] == [("same-area", 0.02)]


def test_what_is_neither_likely_nor_near_is_not_shown() -> None:
    assert related([near(incident("W-1"), AREA_PROBABILITY / 2)]) == []
    assert related([near(incident("W-1"), AREA_PROBABILITY + 0.01)])[0].kind == "same-area"


def test_a_likely_incident_that_was_fixed_is_no_duplicate() -> None:
    closed = incident("W-1", resolution="Fixed", status="Closed", resolved=NOW - timedelta(days=9))
    found = related([near(closed, 0.9)])
    assert (found[0].kind, found[0].probability, found[0].state) == ("regression-of-fixed", 0.9, "Fixed")


def test_a_likely_incident_that_was_closed_without_a_fix_is_of_the_same_area() -> None:
    closed = incident("W-1", resolution="Won't Fix", status="Closed", resolved=NOW - timedelta(days=9))
    assert related([near(closed, 0.9)])[0].kind == "same-area"


def test_a_difference_vetoes_whatever_the_probability() -> None:
    found = related([near(incident("W-1"), 0.9)], facts_of=lambda _: {"version": {"8.4"}})
    assert found[0].kind == "same-area"
    assert "duplicate-of-open" in (found[0].vetoed_by or "")
    assert found[0].probability == 0.9


def test_a_chain_is_told_once_with_the_probability_of_its_likeliest_member() -> None:
    members = [incident("W-2", duplicate_of=["W-1"]), incident("W-1")]
    found = related(
        [near(members[0], 0.4), near(members[1], 0.2)], chain=lambda name: [name, "W-1"] if name == "W-2" else [name]
    )
    assert [(one.incident_id, one.probability) for one in found] == [("W-1", 0.4)]


def test_without_a_probability_the_texts_decide_and_none_is_shown() -> None:
    found = related([near(incident("W-1"), None, dense=0.9)])
    assert [(one.kind, one.probability) for one in found] == [("duplicate-of-open", None)]


def test_why_nothing_was_named_is_told_in_probabilities() -> None:
    said = explain_absence([near(incident("W-1"), 0.04)[0]])
    assert "W-1 at 0.04" in said
    assert f"needs {STRONG_PROBABILITY:.2f}" in said


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_of_each_kind_the_likeliest_is_claimed_and_never_the_report_itself(values: list[float]) -> None:
    neighbours = [near(incident(f"W-{i}"), value) for i, value in enumerate(values)]
    found = related([*neighbours, near(incident("R-1"), 1.0)])
    assert "R-1" not in {one.incident_id for one in found}
    claims = [one for one in found if one.kind == "duplicate-of-open"]
    assert len(claims) == (max(values) >= STRONG_PROBABILITY)
    if claims:
        assert claims[0].probability == pytest.approx(max(values))


def named(*kinds: str) -> dict[str, set[str]]:
    return {kind: {"value"} for kind in kinds}


@pytest.mark.parametrize(
    ("kinds", "dense", "claimed"),
    [
        (("error_code", "exception"), 0.85, True),
        (("error_code", "exception"), 0.79, False),
        (("exception",), 0.95, False),
        (("exception", "endpoint"), 0.95, False),
    ],
)
def test_near_texts_that_name_the_same_failure_twice_over_are_claimed_whatever_the_probability(
    kinds: tuple[str, ...], dense: float, claimed: bool
) -> None:
    facts = [
        Fact(name="error_code", value="value", quote="value", field="summary", start=0, end=5),
        Fact(name="exception", value="value", quote="value", field="summary", start=0, end=5),
    ]
    neighbour = near(incident("W-1"), 0.01, dense)
    found = relate(
        REPORT,
        facts,
        [neighbour],
        chain=lambda name: [name],
        facts_of=lambda _: named(*kinds),
        as_of=NOW,
    )
    assert (found[0].kind == "duplicate-of-open") is claimed
