"""The example documents of requirements, from the command line to the written plan."""

from pathlib import Path

import pytest

from qa_agents.cli import run
from qa_agents.plans.schema import TestPlan

SPECS = Path(__file__).resolve().parents[2] / "examples" / "specs"


def drafted(folder: Path, *specs: Path, more: tuple[str, ...] = ()) -> TestPlan:
    """The plan that the command writes for these files."""
    paths = [str(path) for path in specs]
    out = folder / "out"
    assert run(["--home", str(folder / "home"), "plan", *paths, "--no-ask", "--out", str(out), "--json", *more]) == 0
    return TestPlan.model_validate_json((out / "plan.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TestPlan]:
    """Each example's plan, drafted once."""
    return {path.name: drafted(tmp_path_factory.mktemp(path.stem), path) for path in sorted(SPECS.iterdir())}


@pytest.mark.parametrize("name", ["good.md", "vague.md", "contradictory.md", "wickerbell-openapi.yaml"])
def test_every_quote_of_an_example_plan_stands_in_the_example(name: str, plans: dict[str, TestPlan]) -> None:
    plan = plans[name]
    text = " ".join((SPECS / name).read_text("utf-8").split())
    assert plan.requirements
    assert plan.cases
    for requirement in plan.requirements:
        assert " ".join(requirement.quote.split()) in text


def test_the_good_document_keeps_the_ids_of_its_author(plans: dict[str, TestPlan]) -> None:
    plan = plans["good.md"]
    named = {requirement.explicit_id for requirement in plan.requirements}
    assert {f"FR-{n}" for n in range(1, 10)} | {f"NFR-{n}" for n in range(1, 5)} <= named


def test_every_numbered_requirement_of_the_good_document_has_a_case_or_leads_its_table_in(
    plans: dict[str, TestPlan],
) -> None:
    plan = plans["good.md"]
    used = {name for case in plan.cases for name in case.requirement_ids}
    for requirement in plan.requirements:
        if requirement.explicit_id and not requirement.quote.endswith(":"):
            assert requirement.id in used, requirement.quote


def test_the_limits_of_the_good_document_are_tried_on_and_beside_them(plans: dict[str, TestPlan]) -> None:
    plan = plans["good.md"]
    tried = {step.data for case in plan.cases for step in case.steps}
    for value in ("deposit_percent: 50", "deposit_percent: 51", "notice_hours: 2", "notice_hours: 1"):
        assert any(value in data.split("\n") for data in tried), value


def test_what_the_good_document_leaves_out_gets_no_case(plans: dict[str, TestPlan]) -> None:
    plan = plans["good.md"]
    read = "\n".join(f"{case.title}\n{step.action}\n{step.expected}" for case in plan.cases for step in case.steps)
    assert "Vouchers" not in read
    assert "iOS and Android" not in read


def test_the_vague_document_raises_more_questions_for_each_case_than_the_good_one(plans: dict[str, TestPlan]) -> None:
    good = plans["good.md"]
    vague = plans["vague.md"]
    assert len(vague.questions) / len(vague.cases) > 2 * len(good.questions) / len(good.cases)
    assert {"tbd", "vague"} <= {question.category for question in vague.questions}


def test_the_contradictory_document_is_asked_about_what_cannot_both_hold(plans: dict[str, TestPlan]) -> None:
    plan = plans["contradictory.md"]
    named = {requirement.id: requirement.explicit_id for requirement in plan.requirements}
    asked = [{named[name] for name in q.requirement_ids} for q in plan.questions if q.category == "contradiction"]
    for pair in ({"WL-2", "WL-18"}, {"WL-5", "WL-14"}, {"WL-7", "WL-20"}, {"WL-11", "WL-21"}):
        assert any(pair <= names for names in asked), pair


def test_cases_between_two_contradicting_statements_wait_for_the_answer(plans: dict[str, TestPlan]) -> None:
    plan = plans["contradictory.md"]
    open_ = {question.id for question in plan.questions if question.category == "contradiction"}
    waiting = [case for case in plan.cases if open_ & set(case.question_ids)]
    assert waiting
    assert all(case.expected_basis == "assumption" for case in waiting)


def test_the_interface_description_gives_requests_with_their_status(plans: dict[str, TestPlan]) -> None:
    plan = plans["wickerbell-openapi.yaml"]
    tried = {(case.request["method"].upper(), case.request["path"]) for case in plan.cases if case.request}
    assert ("POST", "/bookings") in tried
    assert ("POST", "/bookings/{booking_id}/refund") in tried
    expected = {status for case in plan.cases if case.request for status in case.request["expected_status"]}
    assert {200, 201, 401, 422} <= {int(status) for status in expected}


def test_a_changed_limit_touches_its_own_cases_only(plans: dict[str, TestPlan], tmp_path: Path) -> None:
    before = plans["good.md"]
    (tmp_path / "old.json").write_text(before.model_dump_json(), "utf-8")
    changed = (SPECS / "good.md").read_text("utf-8").replace("2 to 168, default 24", "2 to 72, default 24")
    (tmp_path / "good.md").write_text(changed, "utf-8")
    after = drafted(tmp_path, tmp_path / "good.md", more=("--previous", str(tmp_path / "old.json")))
    assert after.changes is not None
    moved = {change.requirement_id for change in after.changes.requirements}
    now = {case.id: case for case in after.cases}
    untouched = [case for case in before.cases if not moved & set(case.requirement_ids)]
    assert len(untouched) > len(before.cases) / 2
    assert all(now[case.id] == case for case in untouched)
    read = "\n".join(step.data for case in after.cases for step in case.steps)
    assert "notice_hours: 72" in read
    assert "notice_hours: 168" not in read
