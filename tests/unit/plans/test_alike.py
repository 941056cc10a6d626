"""Cases with the same steps under different requirements: one, or told apart by their place."""

from collections import Counter

from qa_agents.plans.duplicates import key_of
from tests.unit.plans.drafting import done, plan_of

TWO_PLACES = """# Bells

## Small bells

When the rope is pulled, the bell must ring twice.

## Large bells

When the rope is pulled, the bell must ring twice.
"""
OPPOSED = """# Guests

## 1. Order

- R-1: The phone number is optional.

## 2. Delivery

- R-2: The phone number is required.
"""


def test_the_same_words_in_two_places_are_two_cases_that_say_where() -> None:
    cases = plan_of(TWO_PLACES).cases
    about = [case.preconditions[0] for case in cases if case.technique == "requirement"]
    assert about == ["It is about “Small bells”.", "It is about “Large bells”."]


def test_statements_that_contradict_each_other_speak_of_one_thing_and_share_a_case() -> None:
    plan = plan_of(OPPOSED)
    both = [case for case in plan.cases if set(case.requirement_ids) == {"R-1", "R-2"}]
    assert any("😀" in case.steps[0].data for case in both)
    assert all(case.question_ids for case in both)


def test_no_two_cases_have_the_same_steps() -> None:
    for text in (TWO_PLACES, OPPOSED):
        keys = Counter(key_of(case)[1:] for case in plan_of(text).cases)
        assert max(keys.values()) == 1


def test_what_stands_once_says_nothing_of_its_place() -> None:
    cases = plan_of(TWO_PLACES.split("## Large")[0]).cases
    assert all(not case.preconditions for case in cases if case.technique == "requirement")


def test_a_field_that_is_only_said_to_be_required_is_left_out_in_one_case() -> None:
    cases = plan_of("# Ropes\n\n- R-2: The rope number is required.\n").cases
    left_out = [case for case in cases if any("left out" in deed or "Leave" in deed for deed, _ in done(case))]
    assert len(left_out) == 1
    assert left_out[0].polarity == "negative"
