"""Coverage, grounding, change and following a text: each notices a plan that was spoiled on purpose."""

from pathlib import Path

import pytest

from evals.plans import changes, coverage, follow, grounding, requests
from evals.plans.changes import Gold
from evals.plans.corpora import LABELS, SPECS, Behaviour, Corpus, Drafted, draft, rows
from evals.plans.coverage import Told
from tests.unit.evals.plans.test_matcher import letters

TEXT = """# Lockers

- The deposit for a locker shall be between 5 and 40 euros.
- When a member returns the key, the desk shall show "Thank you".
- The code `pin_length` shall have exactly 6 digits.
"""


@pytest.fixture(scope="module")
def lockers() -> Drafted:
    return draft([("lockers.md", TEXT.encode())])


def spoiled(drafted: Drafted, **update: object) -> Drafted:
    first, *rest = drafted.plan.cases
    cases = [first.model_copy(update=update), *rest]
    return Drafted(drafted.documents, drafted.plan.model_copy(update={"cases": cases}))


def test_a_plan_is_grounded_in_its_text(lockers: Drafted) -> None:
    found = grounding.ground("lockers", lockers)
    assert found.quotes.value == 1.0
    assert found.numbers.value == 1.0
    assert found.duplicates == 0


def test_an_invented_number_is_a_stray(lockers: Drafted) -> None:
    case = lockers.plan.cases[0]
    step = case.steps[-1].model_copy(update={"expected": "The deposit is 977 euros."})
    found = grounding.ground("lockers", spoiled(lockers, steps=[*case.steps[:-1], step]))
    assert found.numbers.value < 1.0
    assert any("977" in stray for stray in found.strays)


def test_an_invented_quote_is_a_stray(lockers: Drafted) -> None:
    found = grounding.ground("lockers", spoiled(lockers, basis_quote="lockers are free of charge"))
    assert found.quotes.value < 1.0


def test_a_quote_at_the_wrong_place_is_noticed(lockers: Drafted) -> None:
    first, *rest = lockers.plan.requirements
    moved = [first.model_copy(update={"start": first.start + 1}), *rest]
    found = grounding.ground("x", Drafted(lockers.documents, lockers.plan.model_copy(update={"requirements": moved})))
    assert found.quotes.value < 1.0


def test_the_same_case_under_another_id_is_a_duplicate(lockers: Drafted) -> None:
    twin = lockers.plan.cases[0].model_copy(update={"id": "TC-000000000000"})
    plan = lockers.plan.model_copy(update={"cases": [*lockers.plan.cases, twin]})
    assert grounding.ground("lockers", Drafted(lockers.documents, plan)).duplicates == 1


def test_numbers_are_the_same_however_they_are_written() -> None:
    assert grounding.numbers_in("1,000 and 2.50") == grounding.numbers_in("1000 and 2.5") == {"1000", "2.5"}


def suite(*statements: str) -> Corpus:
    made = [Behaviour(f"B-{n}", s, "all", "positive", "", s, None, None) for n, s in enumerate(statements)]
    return Corpus("lockers", [Path("lockers.md")], made)


def test_an_empty_plan_covers_nothing_and_a_copy_of_the_text_covers_what_it_says(lockers: Drafted) -> None:
    one = suite("the desk shows thank you when a member returns the key", "dragons breathe fire")
    found = coverage.measure(one, lockers, draft([SPECS / "vague.md"]).plan, 0.6, letters)
    assert found.empty.ids == []
    assert found.spec_copy.ids == ["B-0"]
    assert found.plan.ids == ["B-0"]
    assert found.foreign.ids == []


def test_a_behaviour_that_must_be_refused_needs_a_negative_case() -> None:
    refused = Behaviour("B", "deposit above limit", "all", "negative", "deposit", "above limit", True, None)
    line = "A deposit above the limit is refused"
    assert coverage.covered([refused], [Told(line, line, line, True)], 0.5, letters).ids == ["B"]
    assert coverage.covered([refused], [Told(line, line, line, False)], 0.5, letters).ids == []


def test_a_copy_at_the_cost_of_the_plan_has_as_many_lines() -> None:
    lines = [Told(str(number), "", "", False) for number in range(10)]
    assert [line.text for line in coverage.spread(lines, 3)] == ["0", "3", "6"]
    assert coverage.spread(lines, 10) == coverage.spread(lines, 30) == lines


OPENAPI = b"""
openapi: 3.1.0
info: {title: Lockers, version: "1"}
paths:
  /lockers/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      security: [{key: []}]
      responses:
        "200":
          description: A locker
          content:
            application/json:
              schema:
                type: object
                required: [locker]
                properties:
                  locker:
                    type: object
                    required: [floor, since]
                    properties:
                      floor: {type: integer}
                      since: {type: string, format: date-time}
components: {securitySchemes: {key: {type: http, scheme: bearer}}}
"""


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("GET /lockers/{{id}} (authenticated) succeeds and returns the documented shape", True),
        ("GET /lockers/{{id}} (anonymous) succeeds and returns the documented shape", False),
        ("GET /lockers/{{id}}/keys (authenticated) succeeds and returns the documented shape", False),
        ("GET /lockers/{{id}}?floor=2 (authenticated) succeeds and returns the documented shape", False),
        ("GET /lockers/{{id}} (authenticated): floor is 2", False),
        ('Response contains "locker" property', True),
        ('Locker has "floor" property', True),
        ('Key has "floor" property', False),
        ('Locker has "colour" property', False),
        ('Locker\'s "since" property is an ISO 8601 timestamp', True),
        ('Locker\'s "floor" property is an Array', False),
    ],
)
def test_a_request_and_a_property_are_compared_exactly(statement: str, expected: bool) -> None:
    cases = draft([("lockers.yaml", OPENAPI)]).plan.cases
    assert requests.is_of_api(statement)
    assert requests.shown_by(statement, cases) is expected


def test_a_changed_value_is_recalled_and_the_rest_stays(lockers: Drafted) -> None:
    line = "The deposit for a locker shall be between 5 and 40 euros."
    new = line.replace("40", "60")
    gold = Gold(id="G", change="new", heading="Lockers", before=[line], after=[new], source="test")
    found = changes.compare(lockers, TEXT.replace(line, new).encode(), [gold])
    assert found.recall_requirements.value == 1.0
    assert found.recall_cases.value == 1.0
    assert found.unchanged_identical.value == 1.0
    assert found.edits_kept.value == 1.0
    assert found.again_identical


def test_a_value_that_lost_a_letter_on_its_way_is_noticed() -> None:
    found = draft(
        [("row.md", b"# Row\n\n- The page must show `a_b` under the name of every visitor in the last row.\n")]
    )
    assert grounding.ground("row", found).literals.value == 1.0
    steps = [
        step.model_copy(update={"expected": "The page must show ab under the name of every visitor in the last row."})
        for step in found.plan.cases[0].steps
    ]
    lost = grounding.ground("row", spoiled(found, steps=steps))
    assert lost.literals.value < 1.0
    assert any("a_b" in stray for stray in lost.strays)


def test_a_change_that_nobody_made_is_missed(lockers: Drafted) -> None:
    line = "The code `pin_length` shall have exactly 6 digits."
    gold = Gold(id="G", change="new", heading="Lockers", before=[line], after=[], source="test")
    found = changes.compare(lockers, TEXT.encode(), [gold])
    assert found.recall_cases.value == 0.0
    assert found.missed


def test_edited_cases_are_marked_as_a_persons(lockers: Drafted) -> None:
    plan = changes.edited(lockers.plan, 2)
    mine = [case for case in plan.cases if case.origin == "edited"]
    assert len(mine) == min(2, len(plan.cases))
    assert all(case.title.endswith(changes.EDIT) for case in mine)


def test_other_numbers_and_names_are_put_in_everywhere() -> None:
    text, old, new = follow.replaced(TEXT)
    assert {"40", "pin_length"} <= old
    assert "pin_length" not in text
    assert all(value in text for value in new)


def test_a_plan_uses_the_values_of_the_text_it_was_given() -> None:
    found = follow.follow("lockers", TEXT)
    assert found.numbers >= 1
    assert found.using_old.value == 0.0
    assert found.using_new.value > 0.0


def test_only_planted_pairs_that_a_question_names_count_as_found(lockers: Drafted) -> None:
    plan = draft([SPECS / "contradictory.md"]).plan
    found, _ = follow.planted(plan, [("WL-2", "WL-18"), ("WL-1", "WL-23")])
    assert ("WL-2", "WL-18") in found
    assert ("WL-1", "WL-23") not in found


def test_every_judged_case_says_what_was_judged_and_why() -> None:
    said = rows(LABELS / "judged-cases.jsonl")
    assert len(said) >= 30
    assert {row["judgement"] for row in said} <= {"sound", "weak", "untestable", "contradicts"}
    assert all(row["reason"] and row["wording"] and row["quote"] for row in said)


def test_every_changed_behaviour_is_mapped_to_sentences_of_the_texts(shared_data: Path) -> None:
    folder = shared_data / "plans" / "toml"
    old, new = (grounding.squeezed((folder / f"spec-v1.{n}.0.md").read_text("utf-8")) for n in (0, 1))
    for row in rows(LABELS / "toml-changes.jsonl"):
        one = Gold.model_validate(row)
        assert one.before or one.after
        assert all(text in old for text in one.before)
        assert all(text in new for text in one.after)
