from typing import Any

import pytest

from qa_agents.plans import checks
from qa_agents.plans.schema import Gap, Question, Source, Step, TestCase
from qa_agents.plans.techniques import coverage_items
from qa_agents.plans.techniques.coverage import measure
from qa_agents.plans.trace import gaps, matrix
from tests.unit.plans.samples import plan, question, requirement

TEXT = requirement("After 5 failed attempts the account is locked.", response="the account is locked")
ITEMS = coverage_items([TEXT])


def case(**values: Any) -> TestCase:
    fields: dict[str, Any] = {
        "id": "TC-1",
        "title": "Locked after five",
        "objective": "Show that it is locked.",
        "requirement_ids": [TEXT.id],
        "item_ids": [ITEMS[0].id],
        "technique": "requirement",
        "polarity": "positive",
        "steps": [
            Step(action="Enter a wrong number 5 times", expected="The account is shown as locked after 5 attempts.")
        ],
        "expected_basis": "quote",
        "basis_quote": "the account is locked",
    }
    return TestCase(**{**fields, **values})


def defects(*cases: TestCase, questions: list[Question] | None = None) -> list[str]:
    return checks.check(plan([TEXT], items=ITEMS, cases=list(cases), questions=questions or []))


def test_a_sound_case_has_no_defect() -> None:
    assert defects(case()) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"basis_quote": "the account is deleted"}, "not verbatim"),
        ({"basis_quote": ""}, "gives none"),
        ({"expected_basis": "derived", "basis_rule": ""}, "names none"),
        ({"expected_basis": "assumption"}, "no question stands for"),
        ({"requirement_ids": []}, "linked with no requirement"),
        ({"requirement_ids": ["REQ-gone"]}, "no such requirement REQ-gone"),
        ({"item_ids": ["ITM-gone"]}, "no such coverage item"),
        ({"question_ids": ["Q-gone"]}, "no such question"),
        ({"title": " "}, "no title"),
        ({"steps": [Step(action="Try", expected="Locked for 7 minutes is shown.")]}, "expects 7"),
        ({"steps": [Step(action="Try", expected=" ")]}, "lacks an action or an expected result"),
        ({"steps": [Step(action="Sign in or register", expected="A page is shown.")]}, "one thing or another"),
        ({"steps": [Step(action="Try", expected="The attempt is stored in the database.")]}, "cannot be observed"),
        ({"steps": [Step(action="Try", data="password: Tr0ub4dor&3", expected="A page is shown.")]}, "secret"),
    ],
)  # fmt: skip
def test_each_defect_is_named(changed: dict[str, Any], said: str) -> None:
    assert any(said in sentence for sentence in defects(case(**changed)))


def test_a_number_may_come_from_the_answer_or_the_assumption_it_rests_on() -> None:
    asked = question(TEXT, "missing_bound", default_assumption="It stays locked for 30 minutes.")
    step = Step(action="Try", expected="Locked for 30 minutes is shown.")
    waiting = case(steps=[step], expected_basis="assumption", question_ids=[asked.id])
    assert defects(waiting, questions=[asked]) == []
    answered = asked.model_copy(update={"answer": "30 minutes"})
    freed = case(steps=[step], expected_basis="derived", basis_rule=f"answer to {asked.id}")
    assert defects(freed, questions=[answered]) == []


def test_words_of_the_requirement_may_hold_an_or() -> None:
    text = requirement("Press Enter or Return to book.")
    step = Step(action="Press Enter or Return to book", expected="The booking is shown.")
    one = case(requirement_ids=[text.id], item_ids=[], steps=[step], basis_quote="to book")
    assert checks.check(plan([text], cases=[one])) == []


def test_the_same_id_twice_is_a_defect() -> None:
    assert any("the same id for two cases" in sentence for sentence in defects(case(), case()))


def test_a_question_that_blocks_no_case_it_names_is_a_defect() -> None:
    asked = question(TEXT, "tbd", blocks_cases=["TC-gone"])
    assert any("TC-gone, which is no case" in sentence for sentence in defects(case(), questions=[asked]))


def test_gaps_are_found_in_both_directions() -> None:
    other = requirement("The account is unlocked by a manager.")
    asked = question(TEXT, "tbd", blocks_cases=["TC-1"])
    source = Source(
        id="SRC-1", name="prd.md", media="text/markdown", sha256="0", chars=1, unread=["A picture: not read."]
    )
    stray = case(id="TC-2", requirement_ids=["REQ-gone"], item_ids=[])
    found = gaps([TEXT, other], [*ITEMS, *coverage_items([other])], [case(), stray], [asked], [source])
    assert {(gap.kind, gap.ref) for gap in found} == {
        ("requirement", other.id), ("item", coverage_items([other])[0].id), ("case", "TC-2"),
        ("question", asked.id), ("source", "SRC-1"),
    }  # fmt: skip
    assert all(isinstance(gap, Gap) and gap.why for gap in found)


def test_a_full_plan_has_no_gap() -> None:
    assert gaps([TEXT], ITEMS, [case(item_ids=[item.id for item in ITEMS])]) == []


def test_the_matrix_has_a_row_for_every_requirement() -> None:
    other = requirement("Faxes are out.", kind="out_of_scope")
    rows = matrix([TEXT, other], [case()], ITEMS)
    assert [(row["requirement_id"], row["case_ids"]) for row in rows] == [(TEXT.id, ["TC-1"]), (other.id, [])]
    assert rows[0]["uncovered_item_ids"] == [item.id for item in ITEMS[1:]]


def test_coverage_counts_items_by_technique() -> None:
    (figure,) = [one for one in measure(ITEMS, [case()]) if one.technique == "requirement"]
    assert (figure.items, figure.covered, figure.share) == (1, 1, 1.0)
    assert all(one.covered == 0 for one in measure(ITEMS, []))
