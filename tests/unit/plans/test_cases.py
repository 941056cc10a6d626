import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_agents.plans import cases, checks, executions
from qa_agents.plans.budget import Budget
from qa_agents.plans.schema import (
    Condition,
    DecisionRule,
    FieldSpec,
    Permission,
    Question,
    Requirement,
    Risk,
    Step,
    TestCase,
    Transition,
)
from qa_agents.plans.techniques import coverage_items, open_ends
from qa_agents.plans.techniques.coverage import measure
from tests.unit.plans.made import case as made_case
from tests.unit.plans.made import drafted as from_text
from tests.unit.plans.samples import PET, plan, question, requirement

ENTER = requirement(
    "Pressing Enter creates the booking, appends it to the day list, and clears the form.",
    trigger="Pressing Enter",
    response="creates the booking, appends it to the day list, and clears the form",
    ears="event",
)
DEPOSIT = requirement(
    "The deposit must be between 1.00 and 250.00 EUR.",
    response="be between 1.00 and 250.00 EUR",
    fields=[
        FieldSpec(name="deposit", type="money", unit="EUR", minimum=1, maximum=250, quote="between 1.00 and 250.00 EUR")
    ],
)


def drafted(*requirements: Requirement, questions: list[Question] | None = None, **more: Any) -> list[TestCase]:
    items = coverage_items(list(requirements))
    return cases.draft(list(requirements), items, more.pop("risks", []), questions or [], [], **more)[0]


def test_a_statement_becomes_one_case_for_each_outcome_in_its_own_words() -> None:
    made = drafted(ENTER)
    stated = [case for case in made if case.technique == "requirement"]
    assert [case.title for case in stated] == [
        "Booking: on pressing Enter, creates the booking",
        "Booking: on pressing Enter, appends it to the day list",
        "Booking: on pressing Enter, clears the form",
    ]
    assert [(step.action, step.expected) for step in stated[0].steps] == [("Press Enter", "Creates the booking.")]
    assert {case.expected_basis for case in stated} == {"quote"}
    assert stated[1].basis_quote == "appends it to the day list"


@pytest.mark.parametrize(
    ("trigger", "action"),
    [
        ("When the page is loaded", "Load the page"),
        ("Clicking the checkbox", "Click the checkbox"),
        ("when the client cancels the booking", "Cancel the booking"),
        ("When the quota runs out", "Bring it about that the quota runs out"),
        ("On blur", "Move the focus elsewhere"),
        ("While the shop is closed", "Close the shop"),
    ],
)
def test_a_trigger_reads_as_an_order(trigger: str, action: str) -> None:
    text = requirement(f"{trigger}, the banner is shown.", trigger=trigger, response="the banner is shown")
    assert drafted(text)[0].steps[0].action == action


def test_values_of_a_limit_are_in_the_data_and_the_verdict_in_the_title() -> None:
    told = {case.title for case in drafted(DEPOSIT)}
    assert "Booking: deposit = 250.01 EUR (just above the maximum 250) is refused" in told
    assert "Booking: deposit = 250 EUR (on the maximum 250): accepted" in told


def test_one_value_serves_every_technique_that_asks_for_it() -> None:
    above = next(case for case in drafted(DEPOSIT) if "250.01" in case.title)
    items = {item.id: item.technique for item in coverage_items([DEPOSIT])}
    assert {items[name] for name in above.item_ids} == {"equivalence", "boundary2", "boundary3"}


def test_valid_classes_of_different_fields_share_a_case_and_invalid_ones_never_do() -> None:
    text = requirement(
        "A booking has a channel and a size.",
        fields=[FieldSpec(name="channel", enum=["web", "phone"]), FieldSpec(name="size", enum=["S", "M"])],
    )
    made = drafted(text)
    valid = [case for case in made if case.polarity == "positive"]
    assert len(valid) == 2
    assert all("channel" in case.steps[0].data and "size" in case.steps[0].data for case in valid)
    assert all(case.steps[0].data.count(":") == 1 for case in made if case.polarity == "negative")


def test_rows_of_a_pairwise_array_hold_a_value_for_every_parameter() -> None:
    text = requirement(
        "A booking has a channel, a size and a kind.",
        fields=[FieldSpec(name=name, enum=["a", "b", "c"]) for name in ("channel", "size", "kind")],
    )
    rows = [case for case in drafted(text) if case.polarity == "positive"]
    assert len(rows) <= 12
    for case in rows:
        assert {"channel", "size", "kind"} <= {line.split(":")[0] for line in case.steps[0].data.split("\n")}


def test_an_outcome_that_nobody_sees_is_looked_at_again() -> None:
    text = requirement("On blur the note is saved.", trigger="On blur", response="the note is saved")
    (case,) = drafted(text)
    assert len(case.steps) == 2
    assert "reload" in case.steps[1].action
    assert not checks.check(plan([text], items=coverage_items([text]), cases=[case]))


def test_nobody_signs_in_as_a_thing() -> None:
    assert drafted(requirement("The form is shown.", actor="form"))[0].preconditions == []
    assert drafted(requirement("Therapists see notes.", actor="therapist"))[0].preconditions == [
        "Signed in as therapist."
    ]


def open_table() -> Requirement:
    rules = [
        DecisionRule(
            conditions=[Condition(name="member", value=m), Condition(name="late", value=late)], outcome=f"fee {m}"
        )
        for m, late in (("yes", "yes"), ("no", "no"), ("yes", "no"))
    ]
    return requirement("Fees by table.", rules=rules)


def test_what_the_text_leaves_open_is_no_case_without_a_question() -> None:
    text = open_table()
    items = coverage_items([text])
    made, left_out = cases.draft([text], items, [], [], [])
    assert len(made) == 3
    assert any("without a stated outcome" in said for said in left_out)


def test_with_a_question_it_is_a_case_that_waits_and_an_answer_frees_it() -> None:
    text = open_table()
    items = coverage_items([text])
    (asked,) = open_ends(items, [text])
    waiting = next(case for case in drafted(text, questions=[asked]) if case.question_ids)
    assert waiting.expected_basis == "assumption"
    assert waiting.steps[-1].expected == "Nothing is changed and the user is told."
    answered = asked.model_copy(update={"answer": "The full fee is shown."})
    freed = next(case for case in drafted(text, questions=[answered]) if "answer" in case.basis_rule)
    assert (freed.expected_basis, freed.question_ids) == ("derived", [])
    assert freed.steps[-1].expected == "The full fee is shown."
    others = {case.id for case in drafted(text, questions=[asked])} - {waiting.id}
    assert others == {case.id for case in drafted(text, questions=[answered])} - {freed.id}


@pytest.mark.parametrize(
    ("category", "waits"), [("tbd", True), ("contradiction", True), ("vague", False), ("passive", False)]
)
def test_only_questions_that_decide_the_outcome_block_a_case(category: str, waits: bool) -> None:
    text = requirement("The banner is shown.", response="The banner is shown")
    (case,) = drafted(text, questions=[question(text, category)])
    assert bool(case.question_ids) == waits


def test_what_the_text_states_is_kept_whatever_the_budget() -> None:
    items = coverage_items([ENTER, DEPOSIT])
    kept, left_out = cases.draft([ENTER, DEPOSIT], items, [], [], [], budget=Budget(0, 0, 0, 0, 0))
    assert [case.technique for case in kept] == ["requirement"] * 4
    assert any("cases left out" in said for said in left_out)


def test_a_graver_requirement_gets_more_cases_and_a_higher_priority() -> None:
    fields = [FieldSpec(name="note", type="string", required=True, quote="note")]
    text = requirement("A note is required.", fields=fields)
    grave = [Risk(requirement_id=text.id, impact=3, likelihood=3, reasons=["x"])]
    slight = [Risk(requirement_id=text.id, impact=1, likelihood=1, reasons=["x"])]
    budget = Budget(low=1, medium=2, high=16, per_limit=0)
    assert len(drafted(text, risks=grave, budget=budget)) > len(drafted(text, risks=slight, budget=budget))
    assert "high" in {case.priority for case in drafted(text, risks=grave)}
    assert "high" not in {case.priority for case in drafted(text, risks=slight)}


@pytest.mark.parametrize("quote", [":", ": :", "…", "—"])
def test_marks_without_a_word_are_nothing_to_test(quote: str) -> None:
    assert coverage_items([requirement(quote)]) == []


def test_lessons_stand_with_their_requirement() -> None:
    lesson = drafted(ENTER)[0].model_copy(update={"id": "TC-lesson", "incident_ids": ["WKB-1"], "item_ids": []})
    made = cases.draft([DEPOSIT, ENTER], coverage_items([DEPOSIT, ENTER]), [], [], [lesson])[0]
    assert made[-1].incident_ids == ["WKB-1"]
    assert made[-1].hash


def test_api_cases_carry_the_request_that_a_program_can_send() -> None:
    made = drafted(requirement("Books a slot.", data=PET))
    assert all(case.request["expected_status"] and case.level == "integration" for case in made)
    assert made[0].title.startswith("POST /clients/{client_id}/bookings: ")


LETTERS = st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])
WORDS = st.text(LETTERS, min_size=1, max_size=40).filter(lambda text: text.strip() != "")
FIELDS = st.builds(
    FieldSpec,
    name=st.sampled_from(["amount", "name", "start", "photo", "mail"]),
    type=st.sampled_from([None, "integer", "money", "string", "date", "datetime", "email", "file", "boolean", "url"]),
    minimum=st.none() | st.integers(-5, 5).map(float),
    maximum=st.none() | st.integers(6, 50).map(float),
    max_length=st.none() | st.integers(0, 90),
    enum=st.lists(st.sampled_from(["S", "M", "L", "1", "2"]), max_size=4, unique=True),
    required=st.none() | st.booleans(),
    pattern=st.none() | st.just("[a-z]+"),
)
QUOTES = st.sampled_from(
    [
        "Pressing Enter creates the booking and clears the form.",
        "The list shows up to 20 entries per page.",
        "After 5 failed attempts the account is locked for 15 minutes.",
        "Names that are longer than 80 characters are rejected with an error message.",
        "A payment is submitted once.",
        "Staff or clients may cancel the booking, or move it.",
        "The total is rounded to 2 decimals, e.g. 10.005 to 10.01.",
    ]
)


@st.composite
def requirements(draw: st.DrawFn) -> Requirement:
    quote = draw(QUOTES | WORDS)
    part = draw(st.none() | st.just(quote[: len(quote) // 2]))
    return requirement(
        quote,
        id=f"REQ-{draw(st.integers(0, 10**6))}",
        trigger=part,
        response=draw(st.none() | st.just(quote[len(quote) // 2 :])),
        negated=draw(st.booleans()),
        kind=draw(st.sampled_from(["functional", "data", "performance", "security", "interface", "rationale"])),
        fields=draw(st.lists(FIELDS, max_size=3, unique_by=lambda field: field.name)),
        rules=draw(
            st.lists(
                st.builds(
                    DecisionRule,
                    conditions=st.lists(
                        st.builds(Condition, name=st.sampled_from("ab"), value=st.sampled_from(["1", "2", "-"])),
                        min_size=1, max_size=2, unique_by=lambda c: c.name,
                    ),
                    outcome=st.just("the fee is shown"),
                ),
                max_size=3,
            )
        ),
        transitions=draw(
            st.lists(
                st.builds(
                    Transition, before=st.sampled_from("xyz"), event=st.sampled_from(["go", "stop"]), after=st.sampled_from("xyz")
                ),
                max_size=3,
            )
        ),
        permissions=draw(
            st.lists(
                st.builds(
                    Permission, role=st.sampled_from(["nurse", "guest"]), action=st.just("open"), resource=st.just("a note"),
                    allowed=st.booleans(),
                ),
                max_size=2,
            )
        ),
        data=draw(st.sampled_from([{}, PET])),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(requirements(), min_size=1, max_size=4, unique_by=lambda one: one.id))
def test_whatever_is_drafted_passes_every_check(texts: list[Requirement]) -> None:
    items = coverage_items(texts)
    assert len({item.id for item in items}) == len(items)
    asked = open_ends(items, texts)
    made, _ = cases.draft(texts, items, [], asked, [])
    assert checks.check(plan(texts, items=items, cases=made, questions=asked)) == []
    assert all(case.requirement_ids for case in made)
    assert all(0 <= one.share <= 1 for one in measure(items, made))
    again, _ = cases.draft(texts, coverage_items(texts), [], asked, [])
    assert again == made


@settings(max_examples=60, deadline=None)
@given(requirements())
def test_every_item_is_in_exactly_one_execution(text: Requirement) -> None:
    items = coverage_items([text])
    grouped = [item.id for group in executions.groups_of(text, items) for item in group]
    assert sorted(grouped) == sorted(item.id for item in items)


def test_no_action_offers_a_choice_of_its_own() -> None:
    for case in drafted(ENTER, DEPOSIT, requirement("Books a slot.", data=PET)):
        assert not re.search(r"\bor\b", case.steps[0].action)


def test_the_question_about_rules_of_form_is_the_same_one_in_the_next_version_of_the_file() -> None:
    texts = [
        requirement("A bell file must be valid UTF-8.", kind="data"),
        requirement("A bell name must not be empty.", kind="data"),
    ]
    later = [text.model_copy(update={"source_id": "SRC-2"}) for text in texts]
    ids = [[one.id for one in open_ends(coverage_items(version), version)] for version in (texts, later, later[:1])]
    assert ids[0] == ids[1] == ids[2] != []


def test_who_receives_something_is_not_signed_in_to_do_it() -> None:
    told = {"actor": "client", "ears": "event", "response": "the client shall receive a mail"}
    refund = requirement(
        "When a deposit is refunded, the client shall receive a mail.", trigger="a deposit is refunded", **told
    )
    own = requirement(
        "When a client books a slot, the client shall receive a mail.", trigger="a client books a slot", **told
    )
    assert not any("Signed in" in said for case in drafted(refund) for said in case.preconditions)
    assert all("Signed in as client." in case.preconditions for case in drafted(own))


def test_an_expectation_that_begins_with_a_name_in_code_keeps_its_small_letter() -> None:
    (made,) = drafted(requirement("`ringTwice` is shown.", text="ringTwice is shown.", response="ringTwice is shown"))[
        :1
    ]
    assert made.steps[-1].expected == "ringTwice is shown."


def test_a_decision_table_in_a_document_gives_each_rule_and_the_open_combination() -> None:
    plan = from_text(
        "# Fees\n\n| Who cancels | Late | Deposit |\n|---|---|---|\n| client | no | back |\n"
        "| client | yes | kept |\n| staff | no | back |\n"
    )
    told = {case.title.split(": ", 1)[1]: case.expected_basis for case in plan.cases if case.technique == "decision"}
    assert told == {
        "Who cancels = client, Late = no: deposit: back": "quote",
        "Who cancels = client, Late: deposit: kept": "quote",
        "Who cancels = staff, Late = no: deposit: back": "quote",
        "Who cancels = staff, Late = yes: nothing is changed and the user is told": "assumption",
    }


def test_a_rule_inside_a_rule_is_not_turned_round() -> None:
    plan = from_text(
        "# Data\n\nIf the data is no list, it is turned into one: if it is true, a list of one, otherwise an empty list.\n"
    )
    assert not any(
        "empty list" in case.steps[-1].expected and "is no list" not in case.steps[0].action for case in plan.cases
    )


def test_an_example_that_a_case_feeds_in_already_is_no_case_of_its_own() -> None:
    step = Step(action="Give an input with dots", data="a.b = 1", expected="The input is accepted.")
    plain = made_case("TC-1", "REQ-1", steps=[step], item_ids=["ITM-1"], technique="requirement")
    shown = made_case(
        "TC-2",
        "REQ-1",
        steps=[step.model_copy(update={"action": "Feed it in"})],
        item_ids=["ITM-2"],
        technique="syntax",
    )
    refused = shown.model_copy(update={"id": "TC-3", "polarity": "negative"})
    (kept, other) = executions.folded([plain, shown, refused])
    assert (kept.id, kept.item_ids, other.id) == ("TC-1", ["ITM-1", "ITM-2"], "TC-3")


def test_every_case_of_statements_that_contradict_each_other_waits_for_the_answer() -> None:
    plan = from_text(
        "# Limits\n\nA basket shall hold at most 20 items.\n\n# More\n\nA basket shall hold at most 50 items.\n"
    )
    assert plan.cases
    assert all(case.expected_basis == "assumption" and case.question_ids for case in plan.cases)
