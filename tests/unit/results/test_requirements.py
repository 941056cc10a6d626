"""Requirements: what a run proves, by the ids its tests carry."""

import pytest

from qa_agents.results.compare import compare
from qa_agents.results.history import history_of
from qa_agents.results.requirements import Planned, Proof, of_tests, prove
from tests.unit.results.builders import result, run

REFUND = Planned(plan="booking", requirement_id="FR-2", text="Refund within 3 days.", ids=("FR-2", "TC-0a1b2c3d4e"))
DEPOSIT = Planned(plan="booking", requirement_id="REQ-1234567890", text="A deposit.", ids=("REQ-1234567890",))


def proof(*results: object, before: tuple[object, ...] = ()) -> Proof:
    runs = [run("r0", *before), run("r1", *results)] if before else [run("r1", *results)]  # type: ignore[arg-type]
    return prove([REFUND, DEPOSIT], runs[-1], compare(history_of(runs)))


@pytest.mark.parametrize("tag", ["FR-2", "fr-2", "req:FR-2", "requirement = FR-2", "@FR-2", "case:TC-0a1b2c3d4e"])
def test_a_tag_names_the_requirement_or_its_case(tag: str) -> None:
    assert proof(result("a", tags=(tag,))).proven == 1


@pytest.mark.parametrize("name", ["test_tc_0a1b2c3d4e_refund", "suite::TC-0A1B2C3D4E refund", "x::y[TC-0a1b2c3d4e]"])
def test_a_test_may_carry_the_case_in_its_name(name: str) -> None:
    assert proof(result(name)).proven == 1


@pytest.mark.parametrize("tag", ["FR-22", "FR-", "", "x" * 500, "slow", "FR-2-draft"])
def test_other_tags_prove_nothing(tag: str) -> None:
    assert proof(result("a", tags=(tag,))).proven == 0


def test_a_failing_or_skipped_test_leaves_its_requirement_unproven() -> None:
    found = proof(
        result("a", "failed", tags=("FR-2",)), result("b", tags=("FR-2",)), result("REQ-1234567890", "skipped")
    )
    assert (found.planned, found.proven, found.untested) == (2, 0, 0)
    assert [(one.requirement_id, one.why) for one in found.unproven] == [
        ("FR-2", "1 test failed."),
        ("REQ-1234567890", "1 test skipped."),
    ]
    assert of_tests(found, ["a"]) == ("FR-2",)


def test_a_missing_test_leaves_its_requirement_unproven() -> None:
    found = proof(result("other"), before=(result("test_req_1234567890"), result("other")))
    assert [one.requirement_id for one in found.unproven] == ["REQ-1234567890"]
    assert found.untested == 1
