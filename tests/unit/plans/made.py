"""A small plan made by hand, about the invented product Wickerbell."""

from typing import Any

from qa_agents.plans.schema import (
    Coverage,
    CoverageItem,
    FieldSpec,
    Gap,
    Question,
    Requirement,
    Risk,
    Source,
    Step,
    TestCase,
    TestPlan,
)

TEXT = (
    "# Deposits\nThe deposit must be between 5 and 500 EUR.\nA guest who cancels in time gets it back within 3 days.\n"
    "Gift cards are out of scope.\n"
)


def requirement(name: str, quote: str, **more: Any) -> Requirement:
    start = max(TEXT.find(quote), 0)
    values: dict[str, Any] = {
        "id": name,
        "source_id": "SRC-1",
        "block_ids": ["B-1"],
        "heading_path": ["Deposits"],
        "quote": quote,
        "start": start,
        "end": start + len(quote),
        "line": 2,
        "text": quote,
        "modality": "must",
        "hash": f"hash of {quote} {more.get('fields', '')}",
        **more,
    }
    return Requirement.model_validate(values)


def case(name: str, of: str, **more: Any) -> TestCase:
    values: dict[str, Any] = {
        "id": name,
        "title": f"Case {name}",
        "objective": "The limit holds.",
        "requirement_ids": [of],
        "technique": "boundary2",
        "polarity": "boundary",
        "steps": [Step(action="Enter a deposit", data="500.01", expected="The deposit is refused.")],
        "expected_basis": "derived",
        "basis_rule": "just-above-maximum",
        **more,
    }
    return TestCase.model_validate(values)


AMOUNT = requirement(
    "REQ-amount",
    "The deposit must be between 5 and 500 EUR.",
    fields=[FieldSpec(name="deposit", type="money", unit="EUR", minimum=5, maximum=500)],
)
REFUND = requirement("REQ-refund", "A guest who cancels in time gets it back within 3 days.")
CARDS = requirement("REQ-cards", "Gift cards are out of scope.", kind="out_of_scope", modality="none")


def plan(**more: Any) -> TestPlan:
    values: dict[str, Any] = {
        "id": "PLAN-1",
        "title": "Deposits",
        "sources": [Source(id="SRC-1", name="deposits.md", media="text/markdown", sha256="0" * 64, chars=len(TEXT))],
        "requirements": [AMOUNT, REFUND, CARDS],
        "questions": [
            Question(
                id="Q-time",
                requirement_ids=["REQ-refund"],
                category="vague",
                text="What is “in time”?",
                options=["24 hours before", "48 hours before"],
                impact=3,
                uncertainty=2,
                blocks_cases=["TC-refund"],
                default_assumption="24 hours before",
            )
        ],
        "risks": [Risk(requirement_id="REQ-amount", impact=3, likelihood=2, reasons=["it moves money"])],
        "items": [
            CoverageItem(
                id="ITM-above",
                requirement_id="REQ-amount",
                technique="boundary2",
                what="deposit = 500.01 (just above the maximum)",
                polarity="boundary",
                parameters={"deposit": "500.01"},
                rule="just-above-maximum",
            )
        ],
        "cases": [
            case("TC-above", "REQ-amount", item_ids=["ITM-above"], priority="high", tags=["money"]),
            case(
                "TC-refund",
                "REQ-refund",
                technique="requirement",
                polarity="positive",
                expected_basis="assumption",
                question_ids=["Q-time"],
                steps=[Step(action="Cancel 25 hours before", expected="The deposit is back after at most 3 days.")],
            ),
        ],
        "coverage": [Coverage(technique="boundary2", items=1, covered=1)],
        "gaps": [Gap(kind="question", ref="Q-time", why="nobody answered it")],
        **more,
    }
    return TestPlan.model_validate(values)


def drafted(text: str, previous: TestPlan | None = None) -> TestPlan:
    """The plan for a Markdown text, drafted as a user would get it."""
    from qa_agents.plans.draft import Basis, draft_plan
    from qa_agents.plans.read import read_sources
    from qa_agents.plans.requirements import find_requirements

    documents = read_sources([("spec.md", text.encode())])
    return draft_plan(Basis(documents, find_requirements(documents), previous=previous), title="Drafted")
