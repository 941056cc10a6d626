"""Documented errors of an API are shown by the request that provokes them."""

from tests.unit.plans.drafting import plan_of

OPENAPI = """
openapi: 3.1.0
info: {title: Bells, version: "1"}
paths:
  /bells:
    get:
      security: [{key: []}]
      responses:
        "200": {description: All bells}
        "401": {description: No token or a token of somebody else}
        "409": {description: The bell is ringing at this moment}
components: {securitySchemes: {key: {type: http, scheme: bearer}}}
"""


def test_an_error_without_a_case_of_its_own_is_linked_with_the_request_that_expects_it() -> None:
    plan = plan_of(OPENAPI, "bells.yaml")
    error = next(one for one in plan.requirements if one.data.get("status") == "401")
    shown = [case for case in plan.cases if error.id in case.requirement_ids]
    assert [case.request["expected_status"] for case in shown] == [[401]]
    assert not any(said.startswith(error.id) for said in plan.left_out)


def test_an_error_that_no_request_provokes_keeps_its_own_case() -> None:
    plan = plan_of(OPENAPI, "bells.yaml")
    error = next(one for one in plan.requirements if one.data.get("status") == "409")
    assert all(not case.request for case in plan.cases if error.id in case.requirement_ids)


def test_alternatives_are_not_torn_at_an_article() -> None:
    assert not any(item.what.startswith("No token a") for item in plan_of(OPENAPI, "bells.yaml").items)
