"""Orders for statements without a condition: the text's own subject and verb, turned; nothing added."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.plans.read import Document, read_sources
from qa_agents.plans.requirements import find_requirements
from qa_agents.plans.schema import Requirement
from qa_agents.plans.stated import stated_step
from qa_agents.plans.techniques.items import make_item


def _read(text: str) -> tuple[list[Document], list[Requirement]]:
    documents = list(read_sources([("bookings.md", text.encode())]))
    return documents, find_requirements(documents)


def _stated(sentence: str, /, **changes: object) -> Requirement:
    """A requirement with this statement, as the reader finds it among others."""
    _, found = _read(f"# Import file\n\n{sentence}\n")
    assert found, sentence
    return found[0].model_copy(update=changes)


def _step(requirement: Requirement, outcome: str, *, negative: bool = False) -> tuple[str, str, str] | None:
    item = make_item(
        requirement,
        "requirement",
        outcome,
        rule="stated-outcome",
        polarity="negative" if negative else "positive",
        expected=outcome,
    )
    stated = stated_step(requirement, item, outcome)
    return (stated.step.action, stated.step.data, stated.step.expected) if stated else None


@pytest.mark.parametrize(
    ("statement", "action"),
    [
        ("Slot names are surrounded by brackets", "Give an input in which slot names are surrounded by brackets"),
        ("A comment starts with a number sign", "Give an input in which a comment starts with a number sign"),
        ("Strings can span several lines", "Give an input in which strings span several lines"),
        (
            "Whitespace is ignored around service names",
            "Give one input with whitespace around service names and one without, otherwise alike, and compare the results",
        ),
        (
            "Service keys are case-sensitive",
            "Give two inputs that differ only in the case of letters (service keys) and compare the results",
        ),
        ("Newline means LF", "Give an input that has newline: LF"),
        ("`\\d` stands for the day", "Give an input that contains `\\d` and read the value back"),
        ("You can link to a booking using the `ref` attribute", "Link to a booking using the `ref` attribute"),
        ("To list slots, you need to define a calendar first", "Define a calendar first; then list slots"),
        ("`GET /bookings/:id`", "Send GET /bookings/:id"),
    ],
)
def test_a_statement_becomes_an_order_of_its_own_words(statement: str, action: str) -> None:
    requirement = _stated("The client must be shown the price.", text=statement, kind="functional", modality="none")
    found = _step(requirement, statement)
    assert found is not None
    assert found[0] == action


def test_what_must_not_be_is_put_into_the_input_and_refused() -> None:
    requirement = _stated("Leading zeros are not allowed in a duration.")
    found = _step(requirement, requirement.text, negative=True)
    assert found is not None
    assert found[0] == "Give an input with leading zeros in a duration"
    assert found[2].startswith("The input is refused: ")


def test_what_the_product_makes_of_an_input_is_not_put_into_it() -> None:
    requirement = _stated("Comment tags must not affect the order of the bookings list.")
    found = _step(requirement, requirement.text, negative=True)
    assert found is not None
    assert found[0] == "Give an input with comment tags and look at the result"
    assert "refused" not in found[2]


def test_the_example_beside_the_statement_is_the_data() -> None:
    requirement = _stated(
        "Slot names are surrounded by brackets.", data={"examples": [{"text": "[late]", "valid": True}]}
    )
    found = _step(requirement, requirement.text)
    assert found is not None
    assert found[1] == "[late]"


def test_a_statement_about_nothing_that_can_be_done_gives_no_order() -> None:
    requirement = _stated("The client must be shown the price.", text="They remain as they were.", kind="functional")
    assert _step(requirement, "They remain as they were.") is None


def test_praise_and_definitions_are_no_cases() -> None:
    _, found = _read(
        "# Bookings\n\nCalendars are a great way to group slots.\n\n# Words\n\n**Slot**: a time that a client can book.\n\n"
        "# Rules\n\nA booking must have a slot.\n"
    )
    assert [one.kind == "rationale" for one in found] == [True, True, False]


def test_a_permission_with_a_remark_in_brackets_is_a_requirement() -> None:
    _, found = _read("# Lists\n\nA closing comma (also called a hanging comma) is not permitted after the last slot.\n")
    assert [(one.modality, one.negated) for one in found] == [("must", True)]


def test_each_line_of_a_list_of_signs_is_a_requirement_with_its_words() -> None:
    documents, found = _read(
        "# Signs\n\nSome signs have a short form.\n\n```\n\\d - day (U+0044)\n\\h - hour (U+0048)\n\\m - minute (U+004D)\n```\n"
    )
    rows = [one for one in found if "stands for" in one.text]
    assert [one.quote for one in rows] == ["\\d - day (U+0044)", "\\h - hour (U+0048)", "\\m - minute (U+004D)"]
    assert all(documents[0].text[one.start : one.end] == one.quote for one in rows)


@given(st.text(alphabet="The tags can't must be ignored (,.;:`[]) strings are", max_size=300))
def test_any_statement_gives_an_order_or_none(text: str) -> None:
    requirement = _stated("The client must be shown the price.", text=text or "x", kind="data")
    found = _step(requirement, text or "x")
    assert found is None or (found[0].strip() and len(found[0]) <= 300)
