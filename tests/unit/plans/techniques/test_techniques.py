import pytest

from qa_agents.plans.schema import Condition, CoverageItem, DecisionRule, FieldSpec, Permission, Requirement, Transition
from qa_agents.plans.techniques import coverage_items, open_ends
from qa_agents.plans.techniques.statement import alternatives, clauses
from tests.unit.plans.samples import requirement


def found(*requirements: Requirement, technique: str | None = None, rule: str | None = None) -> list[CoverageItem]:
    return [
        item
        for item in coverage_items(list(requirements))
        if technique in (None, item.technique) and rule in (None, item.rule)
    ]


def test_each_outcome_of_a_compound_statement_is_an_item_of_its_own() -> None:
    text = requirement(
        "Pressing Enter creates the booking, appends it to the day list, and clears the form.",
        trigger="Pressing Enter",
        response="creates the booking, appends it to the day list, and clears the form",
    )
    assert [item.what for item in found(text, technique="requirement")] == [
        "Pressing Enter → creates the booking",
        "Pressing Enter → appends it to the day list",
        "Pressing Enter → clears the form",
    ]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("the slot is freed", ["the slot is freed"]),
        (
            "the slot is freed and is offered to the waitlist",
            ["the slot is freed", "the slot is offered to the waitlist"],
        ),
        ("shows names and notes", ["shows names and notes"]),
        ("accepts letters, digits, and dashes", ["accepts letters, digits, and dashes"]),
    ],
)
def test_a_response_is_split_only_between_verbs(response: str, expected: list[str]) -> None:
    assert clauses(response) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("", [""]),
        ("the tab is closed", ["the tab is closed"]),
        ("on both blur and enter", ["on blur", "on enter"]),
        ("the card or voucher is refused", ["the card is refused", "the voucher is refused"]),
        ("either side or both", ["either side or both"]),
    ],
)
def test_a_condition_that_names_two_gives_two(condition: str, expected: list[str]) -> None:
    assert alternatives(condition) == expected


def test_what_must_not_happen_gives_a_negative_item() -> None:
    text = requirement("Notes must not be sent by mail.", negated=True)
    assert {item.polarity for item in found(text, technique="requirement")} == {"negative"}


def test_rationale_and_what_is_out_of_scope_get_no_items() -> None:
    assert found(requirement("We chose mail because it is cheap.", kind="rationale")) == []
    assert found(requirement("Faxes are not part of this release.", kind="out_of_scope")) == []
    assert found(requirement("Gone.", status="removed")) == []


def test_a_table_gives_its_rules_and_the_combinations_it_leaves_open() -> None:
    def rule(member: str, late: str, outcome: str) -> DecisionRule:
        return DecisionRule(
            conditions=[Condition(name="member", value=member), Condition(name="late", value=late)], outcome=outcome
        )

    rows = [
        requirement("member yes, late yes: half fee", rules=[rule("yes", "yes", "half fee")]),
        requirement("member no, late yes: full fee", rules=[rule("no", "yes", "full fee")]),
        requirement("member yes, late no: no fee", rules=[rule("yes", "no", "no fee")]),
    ]
    stated = found(*rows, rule="stated-rule")
    assert [item.expected for item in stated] == ["half fee", "full fee", "no fee"]
    (open_,) = found(*rows, rule="missing-combination")
    assert open_.parameters == {"member": "no", "late": "no"}
    assert open_.expected is None
    assert open_.basis == "assumption"


def test_a_dash_in_a_table_covers_every_value() -> None:
    conditions = [Condition(name="member", value="no"), Condition(name="late", value="-")]
    other = [Condition(name="member", value="yes"), Condition(name="late", value="yes")]
    third = [Condition(name="member", value="yes"), Condition(name="late", value="no")]
    text = requirement("Fees.", rules=[DecisionRule(conditions=c, outcome="fee") for c in (conditions, other, third)])
    assert found(text, rule="missing-combination") == []


def test_open_ends_become_one_question_for_each_requirement_with_a_careful_default() -> None:
    rules = [
        DecisionRule(conditions=[Condition(name="a", value=x), Condition(name="b", value=y)], outcome="shown")
        for x, y in (("1", "1"), ("2", "2"), ("3", "3"))
    ]
    text = requirement("Three rules.", rules=rules)
    items = coverage_items([text])
    (question,) = open_ends(items, [text])
    assert question.requirement_ids == [text.id]
    assert "2 more" in question.text
    assert open_ends(items, [text]) == [question]


def test_a_condition_that_decides_what_is_seen_has_another_side() -> None:
    text = requirement(
        "When there are no bookings, the export button should be hidden.",
        precondition="When there are no bookings",
        response="the export button should be hidden",
        ears="state",
    )
    (item,) = found(text, rule="condition-not-met")
    assert item.parameters == {"condition": "there are bookings"}
    assert item.expected == "the export button is not hidden"


def test_a_machine_gives_single_steps_pairs_and_events_out_of_place() -> None:
    text = requirement(
        "A booking is requested, then confirmed by payment, then cancelled on request.",
        transitions=[
            Transition(before="requested", event="payment", after="confirmed"),
            Transition(before="confirmed", event="cancel", after="cancelled"),
        ],
    )
    assert len(found(text, technique="state0")) == 2
    (pair,) = found(text, technique="state1")
    assert pair.expected == "The state is cancelled"
    invalid = {(i.parameters["state"], i.parameters["event"]) for i in found(text, technique="state_invalid")}
    assert invalid == {
        ("requested", "cancel"), ("confirmed", "payment"), ("cancelled", "payment"), ("cancelled", "cancel"),
    }  # fmt: skip


def test_machines_that_share_no_state_do_not_mix() -> None:
    one = requirement("A.", transitions=[Transition(before="a", event="go", after="b")])
    two = requirement("B.", transitions=[Transition(before="x", event="stop", after="y")])
    events = {(i.parameters["state"], i.parameters["event"]) for i in found(one, two, technique="state_invalid")}
    assert events == {("b", "go"), ("y", "stop")}


def test_only_shuts_out_everybody_else() -> None:
    manager = Permission(role="manager", action="delete", resource="a booking", allowed=True)
    text = requirement("Only managers can delete a booking.", permissions=[manager])
    other = requirement(
        "Receptionists can view a booking.",
        permissions=[Permission(role="receptionist", action="view", resource="a booking", allowed=True)],
    )
    shut_out = found(text, other, rule="shut-out-by-only")
    assert [(item.parameters["role"], item.polarity) for item in shut_out] == [("receptionist", "negative")]
    (open_,) = found(text, other, rule="open-cell")
    assert open_.parameters == {"role": "manager", "action": "view a booking"}


def test_a_threshold_has_a_before_and_an_at() -> None:
    text = requirement(
        "After 5 failed attempts the account is locked.",
        trigger="After 5 failed attempts",
        response="the account is locked",
        fields=[FieldSpec(name="failed attempts", type="integer", minimum=5, quote="5 failed attempts")],
    )
    told = {
        (item.parameters["failed attempts"], item.polarity, item.expected)
        for item in found(text, technique="boundary2")
    }
    assert told == {
        ("5", "boundary", "the account is locked"),
        ("4", "negative", "Not yet at 4: the account is not locked"),
    }


def test_a_limit_on_what_is_shown_is_not_taken_for_a_limit_on_input() -> None:
    text = requirement(
        "The list shows up to 20 bookings per page.",
        response="shows up to 20 bookings per page",
        fields=[FieldSpec(name="bookings", type="integer", maximum=20, quote="up to 20 bookings per page")],
    )
    assert {item.polarity for item in found(text, technique="boundary2")} == {"boundary"}
    assert not [item for item in found(text) if "refused" in (item.expected or "")]


def test_a_measured_limit_is_probed_and_not_entered() -> None:
    text = requirement(
        "The calendar must load within 2 seconds.",
        kind="performance",
        response="load within 2 seconds",
        fields=[FieldSpec(name="load time", unit="seconds", maximum=2, quote="within 2 seconds")],
    )
    assert {item.technique for item in found(text)} == {"non_functional"}


def test_probes_come_only_where_the_text_asks_for_the_quality() -> None:
    assert found(requirement("The list shows names."), technique="non_functional") == []
    texts = {
        "accessibility": "The form can be operated with the keyboard.",
        "internationalisation": "Dates follow the locale.",
    }
    for kind, quote in texts.items():
        assert found(requirement(quote, kind=kind), technique="non_functional")


@pytest.mark.parametrize(
    ("field", "rules"),
    [
        (FieldSpec(name="start", type="date"), {"date-leap-day", "date-no-such-day"}),
        (FieldSpec(name="start", type="datetime"), {"moment-dst", "moment-zone"}),
        (FieldSpec(name="photo", type="file"), {"file-empty", "file-renamed"}),
        (
            FieldSpec(name="note", type="string", required=True),
            {"text-unicode", "text-markup", "text-blank", "text-huge"},
        ),
    ],
)
def test_error_guessing_fits_the_kind_of_data(field: FieldSpec, rules: set[str]) -> None:
    guessed = {
        item.rule
        for item in found(requirement(f"The {field.name} is entered.", fields=[field]), technique="error_guessing")
    }
    assert rules <= guessed


def test_error_guessing_is_silent_where_nothing_invites_a_mistake() -> None:
    assert found(requirement("The logo is blue."), technique="error_guessing") == []


def test_marked_examples_give_syntax_items_of_their_polarity() -> None:
    text = requirement(
        "A slot name has no blanks.",
        data={"examples": [{"text": "room-1", "valid": True}, {"text": "room 1", "valid": False}, {"text": "plain"}]},
    )
    told = [(item.parameters["input"], item.polarity) for item in found(text, technique="syntax")]
    assert told == [("room-1", "positive"), ("room 1", "negative")]


def test_a_format_gives_a_good_value_and_its_classic_slips() -> None:
    items = found(
        requirement("The mail is entered.", fields=[FieldSpec(name="mail", type="email")]), technique="syntax"
    )
    assert [item.polarity for item in items] == ["positive", "negative", "negative", "negative"]


def test_a_flow_gives_its_main_path_and_each_alternate() -> None:
    text = requirement(
        "Booking a slot.",
        data={
            "steps": ["Choose a slot", "Enter the name", "The booking is shown"],
            "alternates": [{"at": 2, "steps": ["Leave the name empty", "A message is shown"]}],
        },
    )
    main, alternate = found(text, technique="use_case")
    assert main.parameters["steps"].split("\n") == ["Choose a slot", "Enter the name", "The booking is shown"]
    assert alternate.parameters["steps"].split("\n") == ["Choose a slot", "Leave the name empty", "A message is shown"]
    assert alternate.polarity == "negative"


def test_a_thing_with_a_life_cycle_is_looked_for_again() -> None:
    texts = [
        requirement("Staff can create a voucher."),
        requirement("Staff can delete a voucher."),
        requirement("Staff can view the voucher."),
    ]
    assert [item.rule for item in found(*texts, technique="crud")] == [
        "look-again-after-create",
        "look-again-after-delete",
    ]
    assert found(texts[0], technique="crud") == []


def test_two_conditions_inside_an_outcome_are_taken_apart() -> None:
    text = requirement("The edit should be saved on both blur and enter, and the mark should be removed.")
    assert [(item.parameters, item.expected) for item in found(text, technique="requirement")] == [
        ({"condition": "blur"}, "The edit should be saved"),
        ({"condition": "enter"}, "The edit should be saved"),
        ({"condition": "blur"}, "the mark should be removed"),
        ({"condition": "enter"}, "the mark should be removed"),
    ]


def test_what_is_toggled_by_hand_is_toggled_back() -> None:
    text = requirement(
        "Clicking the star toggles the favourite.", trigger="Clicking the star", response="toggles the favourite"
    )
    assert "toggled-back" in {item.rule for item in found(text)}
    moved = requirement(
        "When the route changes, the mark is toggled.", trigger="When the route changes", response="the mark is toggled"
    )
    assert "toggled-back" not in {item.rule for item in found(moved)}


def test_a_broken_rule_of_form_waits_for_one_answer_for_the_whole_source() -> None:
    texts = [requirement("A code must be followed by a digit."), requirement("A name must be a valid word.")]
    items = coverage_items(texts)
    assert [item.rule for item in items if item.basis == "assumption"] == ["constraint-broken"] * 2
    (asked,) = open_ends(items, texts)
    assert asked.requirement_ids == [text.id for text in texts]
