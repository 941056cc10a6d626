import pytest

from qa_agents.plans import wording
from qa_agents.plans.actions import as_order, is_lasting, subject_of
from tests.unit.plans.samples import requirement


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("there are no bookings", "there are bookings"),
        ("the cart is empty", "the cart is not empty"),
        ("the client is not known", "the client is known"),
        ("the export button should be hidden", "the export button is not hidden"),
        ("#main and #footer should be hidden", "#main and #footer are not hidden"),
        ("the list must not be shown", "it is not the case that the list must not be shown"),
        ("the note or the name is shown", "it is not the case that the note or the name is shown"),
    ],
)
def test_a_plain_clause_is_negated_and_a_doubtful_one_is_wrapped(text: str, negated: str) -> None:
    assert wording.opposite(text) == negated


@pytest.mark.parametrize(
    ("text", "found"),
    [("10,000.50 EUR", {"10000.5"}), ("1.10 and 007", {"1.1", "7"}), ("2,5 kg", {"2.5"}), ("none", set())],
)
def test_numbers_are_compared_by_value_and_not_by_spelling(text: str, found: set[str]) -> None:
    assert wording.numbers(text) == found


def test_a_title_is_cut_between_words() -> None:
    title = wording.cut("word " * 60)
    assert len(title) <= wording.TITLE_CHARS
    assert title.endswith("word…")


def test_what_looks_like_a_mark_in_a_text_without_marks_is_a_value() -> None:
    assert wording.flat("show **Bold** and\n  [keys](#keys)") == "show **Bold** and [keys](#keys)"


def test_a_bare_verb_gets_the_subject_it_stands_behind() -> None:
    text = requirement("While offline, the calendar must show a banner.", response="show a banner")
    assert wording.in_full(text, "show a banner") == "the calendar must show a banner"
    assert wording.in_full(text, "a banner is shown") == "a banner is shown"


@pytest.mark.parametrize(
    ("condition", "lasting"), [("there are no rows", True), ("the shop is closed", False), ("a slot is free", True)]
)
def test_a_state_is_told_from_an_event(condition: str, lasting: bool) -> None:
    assert is_lasting(condition) == lasting


def test_a_lone_verb_is_about_the_place() -> None:
    assert as_order("clicked", "Clear button") == "Click “Clear button”"
    assert as_order("") == ""


def test_the_subject_is_what_the_statement_speaks_of() -> None:
    assert subject_of(requirement("The day list must show names.")) == "the day list"
    assert subject_of(requirement("Make sure that it is trimmed.")) == "“Booking”"


def test_ids_do_not_depend_on_the_process() -> None:
    assert wording.digest("a", "b") == wording.digest("a", "b") != wording.digest("ab", "")
    assert len(wording.digest("a")) == 12


@pytest.mark.parametrize("literal", ["<strong>", "**/*.md", "_config.yml", "<li>"])
def test_a_tag_or_asterisks_that_the_text_speaks_of_stay(literal: str) -> None:
    assert (
        wording.flat(f"The bell is named by {literal} in the page.") == f"The bell is named by {literal} in the page."
    )


def test_the_other_side_leaves_alone_what_the_product_says() -> None:
    said = 'the page shall show "We are checking."'
    assert wording.opposite(said) == 'the page shall not show "We are checking."'


@pytest.mark.parametrize(
    ("condition", "order"),
    [
        ("editing mode is activated", "Activate editing mode"),
        ("attempting to remove the owner", "Try to remove the owner"),
        ("seconds are omitted", "Omit seconds"),
        ("it's empty", "Bring it about that it is empty"),
    ],
)
def test_more_conditions_are_orders(condition: str, order: str) -> None:
    assert as_order(condition) == order
