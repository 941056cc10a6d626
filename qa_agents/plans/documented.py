"""Documented errors of an API for which there is no case of their own: linked with the request that provokes them."""

from collections.abc import Sequence

from qa_agents.plans.cases import changed
from qa_agents.plans.schema import CoverageItem, Requirement, TestCase


def linked(
    cases: Sequence[TestCase],
    left_out: Sequence[str],
    requirements: Sequence[Requirement],
    items: Sequence[CoverageItem],
) -> tuple[list[TestCase], list[str]]:
    """The cases and what is still left out; the first request that expects a documented error and nothing else shows its
    statement too."""
    by_id = {one.id: one for one in requirements}
    shown = {name for case in cases for name in case.requirement_ids}
    found = {case.id: case for case in cases}
    for one in requirements:
        if one.id in shown or not one.data.get("status"):
            continue
        name = next((case.id for case in cases if _provokes(case, one, by_id)), None)
        if name is not None:
            found[name] = _with(found[name], one, items, by_id)
            shown.add(one.id)
    return list(found.values()), [
        said for said in left_out if said.split(":", 1)[0] not in shown or "no case" not in said
    ]


def _provokes(case: TestCase, error: Requirement, by_id: dict[str, Requirement]) -> bool:
    operation = by_id[case.requirement_ids[0]].data if case.requirement_ids[0] in by_id else {}
    name = f"{str(operation.get('method', '')).upper()} {operation.get('path', '')}"
    expected = [str(code) for code in case.request.get("expected_status", [])]
    return case.origin == "drafted" and name == error.data.get("operation") and expected == [str(error.data["status"])]


def _with(case: TestCase, error: Requirement, items: Sequence[CoverageItem], by_id: dict[str, Requirement]) -> TestCase:
    own = [item.id for item in items if item.requirement_id == error.id]
    shows = [*case.requirement_ids, error.id]
    return changed(case, by_id, requirement_ids=shows, item_ids=[*case.item_ids, *own])
