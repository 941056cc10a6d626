"""What a tester does about what the product counts, keeps, orders, trims and never lets happen."""

import pytest

from qa_agents.plans.duties import as_duty, duty_of, duty_under
from qa_agents.plans.schema import Requirement
from tests.unit.plans.samples import requirement


def step(quote: str, **more: object) -> tuple[str, str]:
    one: Requirement = requirement(quote, **more)
    found = duty_of(one, quote.rstrip("."), quote)
    return (found.step.action, found.step.expected) if found else ("", "")


@pytest.mark.parametrize(
    ("quote", "action", "expected"),
    [
        (
            "The app should remember the chosen filter between visits.",
            "Change the chosen filter; then leave, come back and reload",
            "The chosen filter is as left before the reload.",
        ),
        (
            "Draft mode should not be persisted.",
            "Bring draft mode about, then reload and look again",
            "Draft mode should not be persisted.",
        ),
        (
            "Displays the number of open orders in the menu.",
            "With no open orders, with one and with several, look at “Booking”",
            "Displays the number of open orders in the menu.",
        ),
        (
            "The total is wrapped by a `<b>` tag.",
            "Inspect the markup of the total in “Booking”",
            "The total is wrapped by a `<b>` tag.",
        ),
        (
            "Members shall receive offers before all other clients.",
            "Let all other clients be first in line and members last; see who gets offers first",
            "Members shall receive offers before all other clients.",
        ),
        (
            "A client must verify their address before ordering a cake.",
            "As a client who did not verify their address, try ordering a cake",
            "It is refused, or this is asked for first: verify their address.",
        ),
        (
            "The phone number is optional.",
            "Leave the phone number out, everything else valid",
            "It is accepted without the phone number.",
        ),
        (
            "The phone number is required.",
            "Leave the phone number out, everything else valid",
            "It is refused, and the phone number is named as missing.",
        ),
        (
            "Default settings cannot be overridden by a theme.",
            "Try to get default settings overridden by a theme",
            "Default settings cannot be overridden by a theme.",
        ),
        (
            "Parsers must normalize newlines in the same manner.",
            "Give an input with newlines and look at the result",
            "Parsers must normalize newlines in the same manner.",
        ),
    ],
)
def test_a_duty_gives_a_deed_and_what_is_seen_then(quote: str, action: str, expected: str) -> None:
    assert step(quote) == (action, expected)


@pytest.mark.parametrize(
    "quote",
    [
        "It must be persisted.",
        "The number should be the maximum number of posts per page.",
        "Parsers must support arrays.",
        "They cannot be overridden by a theme.",
        "The team talks to clients before opening the studio.",
    ],
)
def test_what_names_no_subject_or_is_no_duty_is_left_alone(quote: str) -> None:
    assert step(quote) == ("", "")


def test_values_listed_after_a_colon_are_the_data() -> None:
    one = requirement("Plurals must be right: `0 items`, `1 item`, `2 items`.", modality="must")
    found = duty_of(one, one.text, one.text)
    assert found is not None
    assert found.step.data == "0 items\n1 item\n2 items"


def test_a_value_is_trimmed_whatever_opens_the_sentence() -> None:
    one = requirement("Make sure to `.trim()` the input before saving it.")
    found = duty_under(one, "saving it", one.text)
    assert found is not None
    assert "blanks before and after" in found.step.action


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("Make sure to clear the input", "The product does this: clear the input"),
        ("Make sure that the list is sorted", "the list is sorted"),
        ("The list is sorted", "The list is sorted"),
    ],
)
def test_an_order_to_the_builder_becomes_something_that_comes_about(outcome: str, said: str) -> None:
    assert as_duty(outcome) == said
