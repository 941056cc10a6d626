import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from qa_agents.incidents.schema import Incident
from qa_agents.plans import checks, risk
from qa_agents.plans.cases import draft
from qa_agents.plans.schema import Requirement, Smell
from qa_agents.plans.techniques import coverage_items
from tests.unit.plans.samples import plan, requirement

WAITLIST = requirement(
    "When a client cancels a booking, the slot is offered to the waitlist.",
    trigger="When a client cancels a booking",
    response="the slot is offered to the waitlist",
)
COLOUR = requirement("The logo is blue.")
PROMOTED = Incident(
    id="WKB-1", summary="Waitlist promotes two people into one free slot", component="Booking", severity="High", type="Bug",
    description="Steps to reproduce\n1. Fill a class\n2. Cancel one booking\n3. Answer twice\nExpected: one is promoted",
    resolution="Fixed", status="Closed", platform="Web",
)  # fmt: skip
AGAIN = Incident(
    id="WKB-2", summary="Two clients offered the same waitlist slot", description="Mail jo@example.com for details.",
    component="Booking", type="Regression", regression_of="WKB-1", severity="Low",
)  # fmt: skip
FLOUR = Incident(id="WKB-3", summary="Flour is shown in pounds", description="kilograms expected", component="Kitchen")


def memory(*incidents: Incident) -> Callable[[str], Sequence[tuple[float, Incident]]]:
    return lambda _text: [(0.5, incident) for incident in incidents]


def level(text: Requirement, **more: object) -> int:
    return risk.assess([text], [], **more)[0].level  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("quote", "impact"),
    [
        ("A refund is paid within a day.", 3),
        ("Passwords are never shown.", 3),
        ("Deleted notes can be restored.", 3),
        ("A reminder is sent.", 2),
        ("The logo must be blue.", 2),
    ],
)
def test_impact_follows_what_the_requirement_concerns(quote: str, impact: int) -> None:
    (found,) = risk.assess([requirement(quote)], [])
    assert found.impact == impact
    assert found.reasons


def test_what_is_only_allowed_does_little_harm() -> None:
    assert risk.assess([requirement("Refunds may be printed.", modality="may")], [])[0].impact == 1


def test_vague_and_intricate_requirements_are_likelier_to_go_wrong() -> None:
    text = requirement("Recurring bookings are rounded to the studio's time zone by the external provider.")
    smell = Smell(requirement_id=text.id, kind="vague", quote="rounded", start=0, end=1, why="")
    assert risk.assess([text], [smell])[0].likelihood == 3
    assert risk.assess([COLOUR], [])[0].likelihood == 1


def test_a_requirement_whose_area_broke_before_says_so() -> None:
    (found,) = risk.assess([WAITLIST], [], memory(PROMOTED, FLOUR))
    assert found.incident_ids == ["WKB-1"]
    told = " ".join(found.reasons)
    assert "WKB-1, “Waitlist promotes two people into one free slot” (Booking, high, fixed)" in told
    assert "waitlist" in told
    assert found.level > level(WAITLIST)


def test_the_memory_is_silent_where_only_the_score_agrees() -> None:
    found = risk.assess([WAITLIST, COLOUR], [], memory(FLOUR))
    assert [one.incident_ids for one in found] == [[], []]


def test_a_return_after_a_fix_is_one_problem_and_the_gravest_sign() -> None:
    (found,) = risk.assess([WAITLIST], [], memory(PROMOTED, AGAIN))
    assert found.incident_ids == ["WKB-1", "WKB-2"]
    assert found.likelihood == 3
    assert "came back after a fix" in " ".join(found.reasons)
    assert "1 problem, 2 reports" in " ".join(found.reasons)


def test_an_incident_teaches_a_case_with_its_steps_and_the_requirements_outcome() -> None:
    texts = [WAITLIST, COLOUR]
    similar = memory(PROMOTED, FLOUR)
    risks = risk.assess(texts, [], similar)
    (lesson,) = risk.lessons(texts, risks, similar)
    assert lesson.requirement_ids == [WAITLIST.id]
    assert lesson.incident_ids == ["WKB-1"]
    assert [step.action for step in lesson.steps][:3] == ["Fill a class", "Cancel one booking", "Answer twice"]
    assert lesson.steps[-1].expected == "The slot is offered to the waitlist."
    assert lesson.basis_quote == "the slot is offered to the waitlist"
    items = coverage_items(texts)
    made, _ = draft(texts, items, risks, [], [lesson])
    assert checks.check(plan(texts, items=items, cases=made, risks=risks)) == []


def test_what_people_wrote_is_masked_and_bounded() -> None:
    text = requirement("Two clients are never offered the same waitlist slot.")
    similar = memory(AGAIN)
    (lesson,) = risk.lessons([text], risk.assess([text], [], similar), similar)
    assert "jo@example.com" not in lesson.model_dump_json()


def test_no_case_is_learnt_from_what_was_no_fault() -> None:
    designed = PROMOTED.model_copy(update={"resolution": "Works as Designed"})
    similar = memory(designed)
    assert risk.lessons([WAITLIST], risk.assess([WAITLIST], [], similar), similar) == []


def test_one_incident_teaches_the_requirement_it_is_nearest_to_only() -> None:
    far = requirement("When a client cancels a booking, the invoice, the receipt and the free slot are mailed.")
    similar = memory(PROMOTED)
    lessons = risk.lessons([far, WAITLIST], risk.assess([far, WAITLIST], [], similar), similar)
    assert len(lessons) == 1


def test_the_examples_of_the_product_are_recognised_and_strangers_are_not() -> None:
    folder = Path(__file__).parents[3] / "examples" / "incidents.jsonl"
    incidents = [Incident.model_validate(json.loads(line)) for line in folder.read_text().splitlines()]
    texts = [
        WAITLIST,
        requirement("Merging two clients keeps the notes of both.", heading_path=["Clients"]),
        requirement("The kitchen shows the stock of flour in kilograms.", heading_path=["Stock"]),
        requirement("The route planner avoids toll roads.", heading_path=["Maps"]),
    ]
    found = risk.assess(texts, [], memory(*incidents))
    assert "WKB-1329" in found[0].incident_ids
    assert "WKB-1389" in found[1].incident_ids
    assert [one.incident_ids for one in found[2:]] == [[], []]
