import json
from pathlib import Path

import pytest

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.plans.cases import draft
from qa_agents.plans.duplicates import Existing, drop_duplicates, parse_existing, read_existing
from qa_agents.plans.schema import FieldSpec, TestCase
from qa_agents.plans.techniques import coverage_items
from tests.unit.plans.samples import requirement

TEXT = requirement(
    "A note is at most 80 characters long.",
    fields=[FieldSpec(name="note", type="string", max_length=80, quote="at most 80 characters long")],
)


def drafted() -> list[TestCase]:
    return draft([TEXT], coverage_items([TEXT]), [], [], [])[0]


def test_drafted_cases_are_all_different() -> None:
    made = drafted()
    assert drop_duplicates(made) == (made, [])


def test_the_same_case_under_another_id_is_dropped_and_named() -> None:
    first = drafted()[0]
    kept, dropped = drop_duplicates([first, first.model_copy(update={"id": "TC-other"})])
    assert kept == [first]
    assert first.id in dropped[0]


def test_what_a_person_wrote_always_stays() -> None:
    first = drafted()[0]
    human = first.model_copy(update={"id": "TC-mine", "origin": "human"})
    assert drop_duplicates([first, human])[0] == [first, human]


def test_a_case_the_team_has_is_not_drafted_again() -> None:
    made = drafted()
    above = next(case for case in made if "81" in case.title)
    known = Existing("C-7", above.title, above.steps[0].action + " " + above.steps[0].data, above.steps[0].expected)
    kept, dropped = drop_duplicates(made, [known])
    assert [case.id for case in made if case not in kept] == [above.id]
    assert "C-7" in dropped[0]


def test_another_number_or_polarity_is_another_case() -> None:
    made = drafted()
    above = next(case for case in made if "81" in case.title)
    other = Existing("C-8", above.title.replace("81", "71"), "", above.steps[0].expected.replace("81", "71"))
    opposite = Existing("C-9", "note with 81 characters accepted", "", "Note with 81 characters is accepted.")
    assert drop_duplicates([above], [other, opposite])[0] == [above]


def test_cases_are_read_from_csv_with_one_row_a_step() -> None:
    found = parse_existing(
        "cases.csv",
        b"ID,Title,Steps,Expected Result\nC1,Book a slot,Open the calendar,It is shown\n"
        b",,Choose a slot,The form opens\nC2,Cancel,Press cancel,Gone\n",
    )
    assert [(one.id, one.title) for one in found] == [("C1", "Book a slot"), ("C2", "Cancel")]
    assert "Choose a slot" in found[0].steps
    assert "The form opens" in found[0].expected


def test_cases_are_read_from_json_wherever_they_stand() -> None:
    data = {
        "suites": [{"cases": [{"id": 7, "title": "Book a slot", "steps": [{"action": "Choose", "expected": "Form"}]}]}]
    }
    (one,) = parse_existing("export.json", json.dumps(data).encode())
    assert (one.id, one.title) == ("7", "Book a slot")
    assert "Choose" in one.steps


def test_cases_are_read_from_feature_files() -> None:
    text = b"Feature: Booking\n  Scenario: Book a slot\n    Given a free slot\n"
    text += b"    When it is chosen\n    Then the form opens\n    And it is empty\n"
    (one,) = parse_existing("booking.feature", text)
    assert (one.title, one.expected) == ("Book a slot", "the form opens it is empty")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.json", b"{"), ("a.json", b"{}"), ("a.feature", b"no feature"), ("a.csv", b"x,y\n1,2\n")],
)
def test_a_file_that_holds_no_cases_is_refused_in_a_sentence(name: str, content: bytes) -> None:
    with pytest.raises(InvalidInputError, match=name):
        parse_existing(name, content)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"none\.csv"):
        read_existing(tmp_path / "none.csv")
    (tmp_path / "some.csv").write_text("title;expected\nBook a slot;shown\n")
    assert [one.title for one in read_existing(tmp_path / "some.csv")] == ["Book a slot"]
