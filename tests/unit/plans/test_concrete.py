"""What is no test is no case: it is left out with its reason, asked about where the text demands it, drafted once answered."""

import pytest

from qa_agents.plans.cases import unclear_items
from qa_agents.plans.decisions import ItemDecision
from qa_agents.plans.draft import Basis, draft_plan
from qa_agents.plans.read import read_sources
from qa_agents.plans.requirements import find_requirements
from qa_agents.plans.schema import TestPlan
from qa_agents.plans.techniques import coverage_items


def planned(text: str, *decisions: ItemDecision) -> TestPlan:
    documents = read_sources([("lockers.md", text.encode())])
    basis = Basis(documents=documents, requirements=find_requirements(documents), decisions=decisions)
    return draft_plan(basis, title="Lockers")


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("The front desk knows best what works and must be heard.", "thinks"),
        ("The layout must harmonise with the building.", "neither what a tester does"),
        ("It must work there too.", "neither what a tester does"),
        ("If the keys are lost, use the spare ones.", "tells the reader what to do"),
    ],
)
def test_what_is_no_test_has_a_reason(sentence: str, reason: str) -> None:
    requirements = find_requirements(read_sources([("lockers.md", f"# Lockers\n\n{sentence}\n".encode())]))
    found = unclear_items(requirements, coverage_items(requirements))
    assert any(reason in said for said in found.values()), found


@pytest.mark.parametrize(
    ("sentence", "action", "expected"),
    [
        (
            "A visitor shall not need a card to open a locker.",
            "As a visitor without a card, open a locker",
            "It can be done, and what it changes is shown.",
        ),
        (
            "The fee shall be the hours times 2 EUR, rounded up.",
            "Work the fee out by hand for two sets of values, and read what the product gives for each",
            "The fee shall be the hours times 2 EUR, rounded up.",
        ),
        (
            "Receipts shall be sent by mail only.",
            "Have receipts go out, and look at what arrives, when and where",
            "Receipts shall be sent by mail only.",
        ),
        (
            "Photos shall be deleted 7 days after the rental.",
            "Have photos there, let the stated time pass, and look for it",
            "Photos shall be deleted 7 days after the rental.",
        ),
        (
            'When the door jams, the screen shall show "The door is stuck. Call the desk."',
            "Bring it about that the door jams",
            'The screen shall show "The door is stuck. Call the desk.".',
        ),
    ],
)
def test_a_plain_statement_becomes_a_deed_with_its_outcome(sentence: str, action: str, expected: str) -> None:
    steps = [
        (step.action, step.expected) for case in planned(f"# Lockers\n\n{sentence}\n").cases for step in case.steps
    ]
    assert (action, expected) in steps


VAGUE = "# Lockers\n\nLK-1 The layout must harmonise with the building.\n"


def test_what_the_text_demands_and_nobody_can_test_is_asked_about_and_left_out() -> None:
    plan = planned(VAGUE)
    assert plan.cases == []
    assert any(said.startswith("LK-1: no case, for it names neither") for said in plan.left_out)
    (question,) = [one for one in plan.questions if one.category == "unobservable"]
    assert question.requirement_ids == ["LK-1"]
    assert any(gap.kind == "requirement" and gap.ref == "LK-1" for gap in plan.gaps)


def test_an_answer_with_a_deed_and_an_outcome_makes_the_case() -> None:
    (question,) = [one for one in planned(VAGUE).questions if one.category == "unobservable"]
    said = ItemDecision(
        item_id=question.id,
        verdict="answer",
        by="ada",
        at=1.0,
        text="compare the doors with the colour card => they match",
    )
    (case,) = planned(VAGUE, said).cases
    assert (case.steps[0].action, case.steps[0].expected) == ("Compare the doors with the colour card", "They match.")
    assert (case.expected_basis, case.basis_rule) == ("derived", f"answer to {question.id}")


def test_an_answer_without_a_deed_makes_no_case() -> None:
    (question,) = [one for one in planned(VAGUE).questions if one.category == "unobservable"]
    said = ItemDecision(item_id=question.id, verdict="answer", by="ada", at=1.0, text=question.default_assumption)
    assert planned(VAGUE, said).cases == []


def test_an_example_with_its_result_is_given_as_input_and_compared() -> None:
    text = "# Names\n\nThe name must be greeted.\n\n```liquid\nHi {{name}}\n```\n\nThis produces:\n\n```\nHi Kim\n```\n"
    (case,) = [case for case in planned(text).cases if case.technique == "syntax"]
    assert (case.steps[0].data, case.steps[0].expected) == (
        "Hi {{name}}", "The result is the one that the text shows:\nHi Kim",
    )  # fmt: skip


def test_an_excerpt_is_no_input() -> None:
    text = "# Names\n\nThe value must be set.\n\n```\na = 1 # VALID\n```\n\n```\n...\nb = 2\n...\n```\n"
    assert not any(
        "b = 2" in step.data for case in planned(text).cases for step in case.steps if case.technique == "syntax"
    )


@pytest.mark.parametrize("value", ["**x**", "[a](b)", "<b>x</b>", "__init__", ";", "...", "e.g.", "x,", "x:", "; "])
def test_values_in_code_reach_the_case_letter_by_letter(value: str) -> None:
    plan = planned(
        f"# Row\n\n- When a user enters `{value}`, the page must show `{value}`.\n- A name must end with `{value}`.\n"
    )
    for case in plan.cases:
        said = " ".join(f"{step.action} {step.data} {step.expected}" for step in case.steps)
        assert not case.basis_quote or value.strip() in said, case
    assert sum(bool(case.basis_quote) for case in plan.cases) >= 2
