"""Questions: the ones that matter most first, the same in every run, each with an assumption to go on with."""

from hypothesis import given
from hypothesis import strategies as st

from qa_agents.plans.questions import FORMS, ask, link_blocked
from qa_agents.plans.schema import Question, Step, TestCase
from qa_agents.plans.smells import find_smells
from tests.unit.plans.requirements.documents import document, found

TEXT = """# Orders

The order name must have at most 80 characters.

An order name must not exceed 60 characters or it is refused.

The page must load quickly.

The list must load quickly.

Where possible, bells are tuned.

The {why} of {quote} is TBD.
"""


def asked(text: str = TEXT, answered: dict[str, str] | None = None) -> list[Question]:
    requirements = found(text)
    return ask(requirements, find_smells(requirements, [document(text)]), answered or {})


def case(name: str, *questions: str) -> TestCase:
    return TestCase(
        id=name,
        title="t",
        objective="o",
        requirement_ids=["R"],
        technique="requirement",
        polarity="positive",
        steps=[Step(action="a", expected="e")],
        expected_basis="assumption",
        question_ids=list(questions),
    )


def test_the_questions_that_matter_most_come_first() -> None:
    questions = asked()
    assert [one.category for one in questions] == ["contradiction", "tbd", "vague", "escape_clause"]
    weights = [one.impact * one.uncertainty for one in questions]
    assert weights == sorted(weights, reverse=True)


def test_a_contradiction_is_one_question_with_both_statements() -> None:
    first = asked()[0]
    assert len(first.requirement_ids) == 2
    assert "80 characters" in first.text
    assert "60 characters" in first.text
    assert len(first.options) == 3


def test_the_same_word_in_the_same_section_is_asked_about_once() -> None:
    vague = [one for one in asked() if one.category == "vague"]
    assert [len(one.requirement_ids) for one in vague] == [2]
    apart = asked("# A\n\nThe page must load quickly.\n\n# B\n\nThe list must load quickly.\n")
    assert len(apart) == 2


def test_every_question_has_an_assumption_and_braces_stay_braces() -> None:
    questions = asked()
    assert all(one.default_assumption.strip() and one.text.strip() for one in questions)
    assert "The {why} of {quote} is TBD." in questions[1].text


def test_ids_survive_white_space_and_find_their_answers_again() -> None:
    first = asked()
    again = asked(TEXT.replace("must load", "must  load"), {first[0].id: "60"})
    assert [one.id for one in again] == [one.id for one in first]
    assert again[0].answer == "60"
    assert again[1].answer is None


def test_money_and_security_weigh_more_and_what_is_only_allowed_less() -> None:
    password, plain, optional = (
        asked(f"{text}\n")[0].impact
        for text in (
            "Passwords must be stored in a robust way.",
            "Bells must be stored in a robust way.",
            "Bells may be stored in an efficient way.",
        )
    )
    assert password > plain > optional


def test_a_question_names_the_cases_that_wait_for_it_until_it_is_answered() -> None:
    first, second, *_ = asked()
    answered = second.model_copy(update={"answer": "yes"})
    linked = link_blocked([first, answered], [case("TC-2", first.id), case("TC-1", first.id, second.id), case("TC-3")])
    assert linked[0].blocks_cases == ["TC-1", "TC-2"]
    assert linked[1].blocks_cases == []


def test_no_smells_no_questions() -> None:
    assert asked("The bell must ring twice.\n") == []


@given(st.sampled_from(sorted(FORMS)))
def test_weights_stay_on_their_scale(kind: str) -> None:
    form = FORMS[kind]  # type: ignore[index]
    assert 1 <= form.impact <= 3
    assert 1 <= form.uncertainty <= 3


def test_a_question_keeps_its_id_when_another_statement_comes_or_goes() -> None:
    both = "# Orders\n\nThe page must load quickly.\n\nThe list must load quickly.\n"
    one = both.replace("The list must load quickly.\n", "The bell must ring twice.\n")
    vague = [[question.id for question in asked(text) if question.category == "vague"] for text in (both, one)]
    assert vague[0] == vague[1] != []
