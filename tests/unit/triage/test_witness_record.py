"""How often a model was right: counted on decided reports, beside the statistics alone, and never enough to lower anything."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from qa_agents.triage.witness_record import (
    MIN_DECIDED,
    Saying,
    WitnessRecord,
    fit_record,
    sayings_of,
    source_of,
)

SOURCE = source_of("a" * 64, "b" * 64)


def said(right: int, wrong: int, *, alone: int = 0, answer: str = "yes", use: str = "triage.relations") -> list[Saying]:
    outcomes = [True] * right + [False] * wrong
    return [Saying(use, answer, SOURCE, good, at < alone) for at, good in enumerate(outcomes)]


def verdict(**witness: Any) -> dict[str, Any]:
    return {
        "report_id": "IN-1",
        "proposals": {"component": {"value": "Payments"}, "severity": {"value": "High"}},
        "relations": [
            {"incident_id": "W-1", "kind": "regression-of-fixed"},
            {"incident_id": "W-2", "kind": "same-area"},
        ],
        "witness": {"prompts": {"triage.relations": "a" * 64, "triage.fields": "a" * 64}, "asked_of": "b" * 64}
        | witness,
    }


def opinion(incident: str, same: str) -> dict[str, Any]:
    return {"incident_id": incident, "same_fix": same, "evidence": {"kind": "incident", "text": "x"}}


def view(field: str, value: str) -> dict[str, Any]:
    return {"field": field, "value": value, "evidence": {"kind": "quote", "text": "x"}}


def test_an_answer_that_was_right_in_41_of_60_cases_says_so_with_its_interval() -> None:
    record = fit_record(said(41, 19, alone=30))
    low, high = beta.ppf([0.025, 0.975], 41.5, 19.5)
    assert record.of_answer("triage.relations", "yes", SOURCE) == f"right in 41 of 60 such cases ({low:.2f}–{high:.2f})"
    assert record.of_answer("triage.relations", "no", SOURCE) == ""


def test_too_few_decided_answers_say_nothing_and_open_nothing() -> None:
    record = fit_record(said(MIN_DECIDED - 1, 0))
    assert record.of_answer("triage.relations", "yes", SOURCE) == ""
    assert record.standing("triage.relations", SOURCE) == (
        False,
        f"off: {MIN_DECIDED - 1} of its answers were decided so far, it takes {MIN_DECIDED}",
    )


def test_another_prompt_endpoint_or_model_starts_from_nothing() -> None:
    record = fit_record(said(60, 0))
    assert record.standing("triage.relations", SOURCE) is not None
    assert record.standing("triage.relations", source_of("a" * 64, "c" * 64)) is None
    assert record.of_answer("triage.relations", "yes", source_of("d" * 64, "b" * 64)) == ""


@pytest.mark.parametrize(
    ("right", "wrong", "alone", "on"), [(55, 5, 30, True), (41, 19, 40, False), (41, 19, 60, False), (60, 0, 60, False)]
)
def test_a_use_is_on_only_when_its_lower_bound_is_above_the_statistics_alone(
    right: int, wrong: int, alone: int, on: bool
) -> None:
    standing = fit_record(said(right, wrong, alone=alone)).standing("triage.relations", SOURCE)
    assert standing is not None
    assert standing[0] is on
    assert standing[1].startswith("on: right in" if on else "off: right in")
    assert f"the statistics alone in {alone}" in standing[1]


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_interval_holds_the_rate_and_a_use_that_is_never_right_never_opens(right: int, wrong: int) -> None:
    if right + wrong:
        (rate,) = fit_record(said(right, wrong)).uses.values()
        assert 0 <= rate.low <= (right + 0.5) / (right + wrong + 1) <= rate.high <= 1
        assert right > 0 or not rate.helps


def test_fields_are_held_against_what_a_person_stood_behind() -> None:
    told = verdict(fields=[view("component", "Calendar"), view("severity", "High")])
    found = list(sayings_of(told, {"component": "Calendar", "severity": "Critical"}, lambda *_: None))
    assert [(one.answer, one.right, one.alone) for one in found] == [
        ("component differs", True, False),
        ("severity agrees", False, False),
    ]
    assert list(sayings_of(told, {}, lambda *_: None)) == []


def test_opinions_are_held_against_the_bug_that_a_closed_report_turned_out_to_be() -> None:
    told = verdict(
        opinions=[opinion("W-1", "no"), opinion("W-2", "yes"), opinion("W-3", "unclear"), opinion("W-4", "yes")]
    )
    truth = {"W-1": True, "W-2": True, "W-3": True, "W-4": None}
    found = list(sayings_of(told, {}, lambda _, incident: truth[incident]))
    assert [(one.answer, one.right, one.alone) for one in found] == [("no", False, True), ("yes", True, False)]
    assert {one.source for one in found} == {SOURCE}


def test_an_empty_record_stands_for_nothing() -> None:
    assert WitnessRecord().standing("triage.fields", SOURCE) is None
