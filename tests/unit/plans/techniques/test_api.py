import json
from typing import Any

from qa_agents.plans.schema import CoverageItem
from qa_agents.plans.techniques import coverage_items
from qa_agents.plans.techniques.api_request import request_for
from qa_agents.plans.techniques.json_schema import leaves, merged, places, sample
from tests.unit.plans.samples import PET, requirement

BOOK = requirement("Books a slot.", data=PET)


def items(rule: str) -> list[CoverageItem]:
    return [item for item in coverage_items([BOOK]) if item.rule == rule]


def request(rule: str, place: int = 0) -> dict[str, Any]:
    return request_for(BOOK, items(rule)[place])


def test_a_valid_request_holds_what_is_required_and_expects_the_documented_answer() -> None:
    made = request("api-valid-minimal")
    assert made["method"] == "POST"
    assert made["path_params"] == {"client_id": None}
    assert set(made["body"]) == {"slot", "seats"}
    assert (made["auth"], made["expected_status"]) == ("valid", [201])
    assert "201" in made["schemas"]
    assert "booking.id" in (items("api-valid-minimal")[0].expected or "")


def test_a_full_request_holds_the_optional_values_too() -> None:
    assert set(request("api-valid-full")["body"]) == {"slot", "seats", "note", "channel"}
    assert request("api-valid-full")["query"] == {"notify": True}


def test_each_required_value_is_left_out_once() -> None:
    left_out = [set(request("api-missing-required", place)["body"]) for place in range(2)]
    assert left_out == [{"seats"}, {"slot"}]
    assert request("api-missing-required")["expected_status"] == [422]


def test_limits_are_met_and_passed() -> None:
    sent = {
        rule: request(rule)["body"]["seats"]
        for rule in ("api-on-minimum", "api-outside-minimum", "api-on-maximum", "api-outside-maximum")
    }
    assert sent == {"api-on-minimum": 1, "api-outside-minimum": 0, "api-on-maximum": 8, "api-outside-maximum": 9}
    assert len(request("api-on-maximum-length")["body"]["note"]) == 200
    assert len(request("api-outside-maximum-length")["body"]["note"]) == 201


def test_credentials_are_missing_and_wrong_only_where_some_are_needed() -> None:
    assert [request(f"api-{kind}-credentials")["auth"] for kind in ("none", "invalid")] == ["none", "invalid"]
    assert request("api-none-credentials")["expected_status"] == [401]
    free = requirement(
        "Lists slots.", data={"method": "get", "path": "/slots", "responses": {"200": {}}, "security": []}
    )
    optional = requirement(
        "Shows a slot.", data={"method": "get", "path": "/slot", "responses": {}, "security": [{}, {"token": []}]}
    )
    assert not [item for item in coverage_items([free, optional]) if "credentials" in item.rule]


def test_an_unknown_key_an_unknown_method_and_a_foreign_content_type_are_tried() -> None:
    assert request("api-unknown-key")["path_params"] == {"client_id": 999_999_999}
    assert request("api-method-not-allowed")["method"] == "PATCH"
    assert request("api-wrong-content-type")["content_type"] == "text/plain"
    assert "body" not in request("api-malformed-body")
    assert all(
        request(rule)["expected_status"]
        for rule in ("api-unknown-key", "api-method-not-allowed", "api-wrong-content-type")
    )


def test_without_a_documented_status_the_one_of_the_http_standard_is_expected() -> None:
    bare = requirement("Books.", data={**PET, "responses": {"200": {}}})
    found = {item.rule: item.parameters["status"].split() for item in coverage_items([bare])}
    assert found["api-none-credentials"] == ["401"]
    assert found["api-missing-required"] == ["422", "400"]
    assert found["api-unknown-key"] == ["404"]


def test_every_negative_request_expects_a_client_error_and_every_other_a_success() -> None:
    for item in coverage_items([BOOK]):
        statuses = request_for(BOOK, item)["expected_status"]
        assert statuses
        assert all(400 <= status < 500 for status in statuses) == (item.polarity == "negative"), item.what


def test_each_item_of_an_operation_is_another_request() -> None:
    made = [json.dumps(request_for(BOOK, item), sort_keys=True) for item in coverage_items([BOOK])]
    # The sample of `seats` is its minimum, that of `notify` its only sensible value.
    assert len(made) - len(set(made)) <= 1


def test_a_schema_that_refers_to_itself_ends() -> None:
    node: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}}
    node["properties"]["child"] = node
    assert len(places(node)) <= 60
    assert sample(node, full=True)["name"]
    assert len(list(leaves(node))) < 50


def test_parts_of_a_schema_are_folded_together() -> None:
    schema = merged(
        {"allOf": [{"required": ["a"], "properties": {"a": {}}}, {"required": ["b"], "properties": {"b": {}}}]}
    )
    assert schema["required"] == ["a", "b"]
    assert set(schema["properties"]) == {"a", "b"}
    assert merged("no schema") == {}


def test_an_undocumented_method_is_refused_in_words_that_are_filled_in() -> None:
    (item,) = items("api-method-not-allowed")
    assert item.expected is not None
    assert "{" not in item.expected


def test_what_anybody_may_read_is_also_read_by_somebody_who_is_known() -> None:
    open_ = {**PET, "method": "get", "security": []}
    rules = {
        item.rule
        for item in coverage_items([requirement("Shows a slot.", data={**open_, "securitySchemes": {"key": {}}})])
    }
    without = {
        item.rule for item in coverage_items([requirement("Shows a slot.", data={**open_, "securitySchemes": {}})])
    }
    assert "api-known-caller" in rules
    assert "api-known-caller" not in without
