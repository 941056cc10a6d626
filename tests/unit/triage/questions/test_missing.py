"""Questions: at most three, the most useful first, never for what was given."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.schema import Report
from qa_agents.triage.facts.extract import extract_facts
from qa_agents.triage.facts.signals import find_signals
from qa_agents.triage.questions.missing import MAX_QUESTIONS, questions

COMPLETE = """Since version 2.4.1 on Windows 11.
Steps to reproduce:
1. Open the cart
2. Click save
Expected: the cart is saved
Actual: nothing happens
It happens every time."""


def ask(description: str, summary: str = "The cart is odd", **fields: Any) -> list[str]:
    report = Report(id="R-1", summary=summary, description=description, **fields)
    facts = extract_facts(report)
    return questions(report, facts, find_signals(report, facts))


def asks(word: str, description: str, **fields: Any) -> bool:
    return any(word in question for question in ask(description, **fields))


def test_a_complete_report_is_asked_nothing() -> None:
    assert ask(COMPLETE) == []


def test_an_empty_description_is_asked_for_everything_in_one_question() -> None:
    assert ask("")[0].startswith("Could you describe what you did")
    assert ask("The cart is odd")[0].startswith("Could you describe what you did")
    assert not any("steps" in question for question in ask(""))


def test_the_order_is_what_would_change_the_decision() -> None:
    assert [question.split()[1] for question in ask("The cart page looks rather odd to me today.")] == [
        "steps,",
        "exactly",
        "version",
    ]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("1. Open the cart\n2. Click save\n", "steps"),
        ("Expected: the cart is saved\n", "expect"),
        ("Actual: nothing happens\n", "exactly"),
        ("version 2.4.1 ", "Which version"),
        ("on Windows 11", "operating"),
    ],
)
def test_what_is_left_out_is_asked_and_what_is_given_is_not(line: str, word: str) -> None:
    assert not asks(word, COMPLETE)
    without = (
        COMPLETE.replace(line, "")
        .replace("every time", "")
        .replace("Steps to reproduce:", "")
        .replace("It happens", "")
    )
    assert asks(word, without) or len(ask(without)) == MAX_QUESTIONS


@pytest.mark.parametrize(
    ("description", "word"),
    [
        ("When I click save in the cart, it closes without a word about it.", "steps"),
        ("See the attached video for what I do in the cart.", "steps"),
        ("{code}\ncart.save()\n{code} does nothing at all in the cart page", "steps"),
        ("The cart should stay open after that, I think so.", "expect"),
        ("The cart closes instead of staying open for me.", "expect"),
        ("Saving the cart fails with error code 4012 in the log.", "expect"),
        ("The app crashes in the cart, on the second page of it.", "expect"),
        ("It is the same on the latest version of the cart page.", "Which version"),
        ("It sometimes closes the cart, I can not say more.", "every time"),
    ],
)
def test_other_words_answer_a_question_too(description: str, word: str) -> None:
    assert not asks(word, description)


def test_fields_answer_a_question_too() -> None:
    text = "When I save, the cart closes. It should stay open."
    assert not asks("Which version", text, version="2.4.1")
    assert not asks("operating", text, platform="iOS")


def test_an_attachment_answers_for_the_steps() -> None:
    text = "The cart page looks rather odd to me today."
    assert asks("steps", text)
    assert not asks("steps", text, attachments=["cart.mp4"])


def test_a_bare_log_is_asked_what_was_done() -> None:
    log = "\n".join(f"2024-05-01 10:00:0{i} ERROR cart.Save: java.io.IOException" for i in range(9))
    assert ask(log)[0].startswith("Thank you for the log")


@pytest.mark.parametrize(
    "picture", ["!cart.png|thumbnail!", "![cart](https://example.org/cart.png)", "see [^cart.png]"]
)
def test_a_bare_picture_is_asked_for_words(picture: str) -> None:
    assert ask(picture)[0].startswith("Could you add in words")


@pytest.mark.parametrize(
    ("summary", "description"),
    [
        ("Add support for dark mode", "It would help at night, people say so."),
        ("Dark mode", "As a user, I want a dark mode so that I can read at night."),
        ("iOS: Implement the share sheet", ""),
    ],
)
def test_a_wish_is_asked_nothing(summary: str, description: str) -> None:
    assert ask(description, summary) == []


def test_nobody_is_asked_how_to_exploit_a_hole() -> None:
    assert not asks("steps", "There is a security hole in the cart page, I am afraid.")


def test_questions_quote_nothing_of_the_report() -> None:
    assert set(ask("zebra giraffe okapi lemur tapir quagga")) == set(ask("The cart page looks rather odd to me today."))


@given(st.text(max_size=300), st.text(max_size=60))
def test_any_text_gets_at_most_three_different_questions(description: str, summary: str) -> None:
    found = ask(description, summary)
    assert len(found) == len(set(found)) <= MAX_QUESTIONS


@pytest.mark.parametrize("unit", ["a ", "!a.png", "![", "at a.b(", "{code}", "1. open\n", "when the user ", "\n"])
def test_hostile_text_of_200_kb_gets_its_questions(unit: str) -> None:
    assert len(ask(unit * (200_000 // len(unit)))) <= MAX_QUESTIONS
