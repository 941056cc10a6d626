"""Limits, rules, states, permissions, tables and code: what a test design technique can work with."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_agents.plans.conflicts import find_conflicts
from qa_agents.plans.requirements.code import schema_fields, structure
from qa_agents.plans.requirements.limits import fields_of
from qa_agents.plans.requirements.measures import bounds
from qa_agents.plans.requirements.rules import permissions_of, rules_of, transitions_of
from qa_agents.plans.schema import Block
from tests.unit.plans.requirements.documents import found, only


def field(text: str) -> dict[str, Any]:
    (one,) = fields_of(text)
    return {key: value for key, value in one.model_dump(exclude_defaults=True).items() if key != "quote"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The title must be between 3 and 20 characters.",
            {"name": "title", "type": "string", "unit": "characters", "min_length": 3, "max_length": 20},
        ),
        ("The pitch must be at least 10 and at most 99.", {"name": "pitch", "minimum": 10.0, "maximum": 99.0}),
        ("The pitch must be greater than 0.", {"name": "pitch", "minimum": 0.0, "minimum_inclusive": False}),
        ("The pitch must be less than 1,000.5.", {"name": "pitch", "maximum": 1000.5, "maximum_inclusive": False}),
        (
            "A password must not be shorter than 8 characters.",
            {"name": "password", "type": "string", "unit": "characters", "min_length": 8},
        ),
        ("The amount must not exceed 500 EUR.", {"name": "amount", "type": "money", "unit": "EUR", "maximum": 500.0}),
        ("The amount must not be over 500 EUR.", {"name": "amount", "type": "money", "unit": "EUR", "maximum": 500.0}),
        (
            "The code must be exactly 6 digits long.",
            {"name": "code", "type": "string", "unit": "digits", "min_length": 6, "max_length": 6},
        ),
        ("The discount is up to 30 %.", {"name": "discount", "type": "money", "unit": "%", "maximum": 30.0}),
        ("The size must be one of `small`, `large`.", {"name": "size", "enum": ["small", "large"]}),
        ("The colour must be one of red, green or blue.", {"name": "colour", "enum": ["red", "green", "blue"]}),
        ("The bell id must match `^[A-Z]{3}$`.", {"name": "bell id", "pattern": "^[A-Z]{3}$"}),
        ("The page size defaults to 20.", {"name": "page size", "default": "20"}),
        ("Age must be 18 or older.", {"name": "Age", "type": "integer", "minimum": 18.0}),
        ("The `email` is required.", {"name": "email", "type": "email", "required": True}),
    ],
)
def test_limits_of_a_field(text: str, expected: dict[str, Any]) -> None:
    assert field(text) == expected


def test_required_fields_in_a_list() -> None:
    assert [(one.name, one.required) for one in fields_of("Required fields: `name`, `size`")] == [
        ("name", True),
        ("size", True),
    ]
    (one,) = fields_of("Optional fields: `tags` as an array of Strings")
    assert (one.name, one.type, one.required) == ("tags", "array", False)


@pytest.mark.parametrize(
    "text", ["The bell rings.", "Section 3 to 5 describes it.", "On 2026-11-22 it rings.", "Version 1.2 is supported."]
)
def test_numbers_that_are_no_limits_make_no_field(text: str) -> None:
    assert fields_of(text) == []


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_ranges_keep_their_numbers(low: int, more: int) -> None:
    (span,) = bounds(f"between {low} and {low + more} characters")
    assert (span.low, span.high, span.inclusive) == (low, low + more, True)


def test_if_then_else_gives_two_rules() -> None:
    first, second = rules_of(
        "If the order is over 100 EUR and the customer is a member, shipping is free; otherwise it costs 5 EUR."
    )
    assert [(one.name, one.value) for one in first.conditions] == [("order", "over 100 EUR"), ("customer", "a member")]
    assert first.outcome == "shipping is free"
    assert second.outcome == "it costs 5 EUR"


def test_otherwise_turns_the_sentence_before_round() -> None:
    (rule,) = rules_of("Otherwise, the bell rests.", "If the rope is pulled, the bell rings.")
    assert [(one.name, one.value) for one in rule.conditions] == [("rope", "not pulled")]


@pytest.mark.parametrize(
    "text",
    ["When the route changes, the list is filtered.", "Ring, even if it rains, at noon.", "Add a rope if required."],
)
def test_events_and_hedges_are_no_rules(text: str) -> None:
    assert rules_of(text) == []


@pytest.mark.parametrize(
    ("text", "before", "event", "after"),
    [
        ("An order moves from Draft to Placed when the customer pays.", "Draft", "the customer pays", "Placed"),
        ("When the payment fails, the order changes from Placed to Failed.", "Placed", "the payment fails", "Failed"),
        ("Draft -> Placed: submit", "Draft", "submit", "Placed"),
        ("The order becomes Lost once 30 days have passed.", "", "30 days have passed", "Lost"),
    ],
)
def test_transitions(text: str, before: str, event: str, after: str) -> None:
    (one,) = transitions_of(text)
    assert (one.before, one.event, one.after) == (before, event, after)


def test_only_some_may_means_that_everybody_else_may_not() -> None:
    assert [(one.role, one.allowed) for one in permissions_of("Only admins and owners can delete a bell.")] == [
        ("admins", True),
        ("owners", True),
        ("everybody else", False),
    ]


def test_who_cannot_is_forbidden() -> None:
    (one,) = permissions_of("Guests cannot see prices.")
    assert (one.role, one.action, one.resource, one.allowed) == ("guests", "see", "prices", False)


def test_a_table_of_fields() -> None:
    text = (
        "## Fields\n\n| Field | Type | Required | Min | Max | Rules |\n|---|---|"
        "---|---|---|---|\n| size | integer | yes | 1 | 9 | |\n| nick | string |"
        " no | | | at most 20 characters |\n"
    )
    size, nick = (one.fields[0] for one in found(text))
    assert (size.minimum, size.maximum, size.required) == (1, 9, True)
    assert (nick.max_length, nick.required) == (20, False)


def test_a_decision_table() -> None:
    first, second = found(
        "| Member | Total | Discount |\n|---|---|---|\n| yes | over 50 | 5 % |\n| no | any | none |\n"
    )
    assert [(one.name, one.value) for one in first.rules[0].conditions] == [("Member", "yes"), ("Total", "over 50")]
    assert second.rules[0].outcome == "none"


def test_a_table_of_states() -> None:
    one = only("| From | Event | To | Guard |\n|---|---|---|---|\n| Draft | submit | Placed | basket is not empty |\n")
    change = one.transitions[0]
    assert (change.before, change.event, change.after, change.guard) == (
        "Draft",
        "submit",
        "Placed",
        "basket is not empty",
    )


@pytest.mark.parametrize(
    "text",
    [
        "| Action | Clerk | Manager |\n|---|---|---|\n| Cancel orders | no | yes |\n",
        "| Role | Cancel orders |\n|---|---|\n| Clerk | ✗ |\n| Manager | ✓ |\n",
    ],
)
def test_a_table_of_roles_either_way_round(text: str) -> None:
    rights = {(right.role, right.action, right.allowed) for one in found(text) for right in one.permissions}
    assert rights == {("clerk", "cancel", False), ("manager", "cancel", True)}


def test_a_table_of_requirements_keeps_its_ids() -> None:
    (one, two) = found(
        "| ID | Requirement |\n|---|---|\n| FR-1 | The bell must ring. |\n|"
        " FR-2 | Names must have at most 9 characters. |\n"
    )
    assert (one.id, one.text, one.modality) == ("FR-1", "The bell must ring.", "must")
    assert two.fields[0].max_length == 9


def test_a_table_of_plain_facts_is_left_out() -> None:
    assert found("| Author | Town |\n|---|---|\n| Mara | Wick |\n") == []


def test_marked_examples_belong_to_the_statement_before_them() -> None:
    one = only(
        'A name must be quoted.\n\n```bell\nname = "a"  # VALID\n'
        "name = a    # INVALID\n```\n\n```bell\n# DO NOT DO THIS\nname = 'a'\n"
        "```\n"
    )
    assert [(example["text"], example["valid"]) for example in one.data["examples"]] == [
        ('name = "a"', True),
        ("name = a", False),
        ("name = 'a'", False),
    ]


def test_json_under_a_heading_that_speaks_of_a_response_is_a_structure() -> None:
    one = only('## Response\n\n```json\n{"bell": {"id": 1, "tags": ["a"], "loud": true}}\n```\n')
    assert {item.name: item.type for item in one.fields} == {
        "bell.id": "integer",
        "bell.tags[]": "string",
        "bell.loud": "boolean",
    }


def test_an_operation_has_its_fields_and_telling_errors() -> None:
    text = (
        "openapi: 3.0.0\npaths:\n  /bells:\n    post:\n"
        "      summary: Create a bell\n"
        "      description: A bell. Names must be unique.\n      parameters:\n"
        ""
        "        - {name: dry, in: query, schema: {type: boolean}}\n"
        "      requestBody:\n        content:\n          application/json:\n"
        "            schema:\n"
        "              type: object\n              required: [name]\n"
        "              properties:\n"
        "                name: {type: string, minLength: 1, maxLength: 9}\n"
        "                pitch: {type: number, minimum: 0, exclusiveMinimum: "
        "true}\n      responses:\n        '201': {description: Created}\n"
        "        '404': {description: Not found}\n        '409': {description: A bell of this name exists already}\n"
    )
    operation, unique, conflict = found(text, "api.yaml")
    assert {item.name: (item.place, item.required) for item in operation.fields} == {
        "dry": ("query", False),
        "name": ("body", True),
        "pitch": ("body", False),
    }
    assert operation.fields[1].max_length == 9
    assert operation.fields[2].minimum_inclusive is False
    assert operation.data["method"] == "post"
    assert unique.quote == "Names must be unique."
    assert conflict.text == "POST /bells answers 409: A bell of this name exists already"
    assert "method" not in conflict.data


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda part: (
        st.lists(part, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "properties",
                    "type",
                    "required",
                    "allOf",
                    "items",
                    "enum",
                    "minimum",
                    "exclusiveMinimum",
                    "maxLength",
                    "format",
                    "default",
                    "pattern",
                    "a",
                ]
            ),
            part,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_no_schema_however_wrong_breaks_its_reader(schema: Any) -> None:
    assert all(item.name for item in schema_fields({"properties": {"x": schema}}, "body"))


@given(st.text(alphabet=st.sampled_from('{}[]",:a1 tru'), max_size=60))
def test_no_code_block_breaks_its_reader(text: str) -> None:
    block = Block(
        id="B", source_id="S", kind="code", text=text or "x", line_start=1, line_end=1, start=0, end=max(len(text), 1)
    )
    assert structure(block) is None or structure(block)


@settings(max_examples=60, deadline=None)
@given(JSON, JSON, JSON, JSON)
def test_no_description_however_wrong_breaks_its_reader(first: Any, second: Any, third: Any, fourth: Any) -> None:
    operation = {
        "summary": first,
        "description": second,
        "tags": third,
        "parameters": [{"name": first, "in": second, "schema": third}, fourth],
        "requestBody": {"content": {"a/b": second}},
    }
    operation["responses"] = {"200": first, "404": {"description": third}, "500": fourth}
    paths = {
        "/a": {"get": operation, "post": {"responses": second, "parameters": third, "security": fourth}},
        "/b": first,
    }
    text = json.dumps({"openapi": "3.1.0", "info": third, "paths": paths, "components": fourth})
    assert all(one.quote in text for one in found(text, "api.json"))


def test_what_is_counted_is_the_unit_of_its_limit() -> None:
    assert [(one.unit, one.maximum) for one in only("A choir shall hold at most 20 singers.").fields] == [
        ("singers", 20)
    ]
    assert [(one.unit, one.maximum) for one in only("The page must list at most 9 at a time.").fields] == [(None, 9)]


def test_limits_on_different_things_do_not_contradict_each_other() -> None:
    text = "- A singer may be in the choir of at most 3 towns.\n- A choir shall hold at most 50 singers.\n"
    assert find_conflicts(found(text)) == []
    assert len(find_conflicts(found(text + "- A choir shall hold at most 60 singers.\n"))) == 1


def test_a_unit_behind_the_name_of_a_field_is_its_unit() -> None:
    table = "| Field | Limits |\n| --- | --- |\n| break, minutes | 5 to 10 |\n| weight (kg) | 1 to 4 |\n"
    fields = [field for one in found(table) for field in one.fields]
    assert [(one.name, one.unit, one.minimum, one.maximum) for one in fields] == [
        ("break", "min", 5, 10),
        ("weight", "kg", 1, 4),
    ]


def test_a_clause_that_ends_in_its_modal_verb_takes_the_rest_from_the_one_before() -> None:
    first, second = found("- The clerk must not ring the bell; only a warden may.\n")
    assert first.quote == "The clerk must not ring the bell"
    assert (second.quote, second.text) == ("only a warden may.", "only a warden may ring the bell")
    assert {(one.role, one.allowed) for one in second.permissions} == {("warden", True), ("everybody else", False)}


def test_one_contradiction_is_asked_about_once_although_the_sentence_says_two_things() -> None:
    text = "- The clerk may ring the bell.\n- The clerk must not ring the bell; only a warden may.\n"
    assert len(find_conflicts(found(text))) == 1
