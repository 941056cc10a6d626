"""Files that test-management systems import: TestRail, Xray, Zephyr Scale, Qase, and a plain table.

Each case brings where it comes from: the requirement, the technique, the basis of its expectation, the plan.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping

from qa_agents.plans.export.cells import as_csv
from qa_agents.plans.schema import TestCase, TestPlan

XRAY_BATCH = 1_000
"""Xray's bulk import takes no more tests at once."""
_PRIORITY = {"high": "High", "medium": "Medium", "low": "Low"}


def testrail(plan: TestPlan) -> dict[str, str]:
    """CSV for TestRail with separated steps: one row a step, the title on a case's first row only."""
    header = ["ID", "Title", "Section", "Type", "Priority", "References", "Preconditions", "Step", "Expected Result"]
    sections = _sections(plan)
    rows = []
    for case in plan.cases:
        for number, step in enumerate(case.steps):
            first = [
                case.id, case.title, sections[case.id], _type(case), _PRIORITY[case.priority], _references(plan, case),
                "\n".join(case.preconditions),
            ] if number == 0 else [""] * 7  # fmt: skip
            rows.append([*first, _action(step.action, step.data), step.expected])
    return {"testrail.csv": as_csv(header, rows)}


def xray_csv(plan: TestPlan) -> dict[str, str]:
    """CSV for Xray's test case importer: rows of one Test ID are one test; several files beyond 1,000 tests."""
    header = ["Test ID", "Test Type", "Summary", "Description", "Priority", "Labels", "Action", "Data", "Result"]
    files = {}
    for number, cases in enumerate(_batches(plan.cases), start=1):
        rows = [
            [
                case.id,
                "Manual",
                case.title,
                _description(plan, case),
                _PRIORITY[case.priority],
                " ".join(_labels(case)),
                step.action,
                step.data,
                step.expected,
            ]
            for case in cases
            for step in case.steps
        ]
        files[_numbered("xray", number, "csv")] = as_csv(header, rows)
    return files


def xray_json(plan: TestPlan) -> dict[str, str]:
    """JSON for Xray Cloud's bulk import, which needs the project's key: fill in `project.key`."""
    files = {}
    for number, cases in enumerate(_batches(plan.cases), start=1):
        tests = [
            {
                "testtype": "Manual",
                "fields": {
                    "summary": case.title,
                    "description": _description(plan, case),
                    "priority": {"name": _PRIORITY[case.priority]},
                    "labels": _labels(case),
                    "project": {"key": "PROJECT"},
                },
                "steps": [{"action": one.action, "data": one.data, "result": one.expected} for one in case.steps],
            }
            for case in cases
        ]
        files[_numbered("xray", number, "json")] = json.dumps(tests, ensure_ascii=False, indent=1) + "\n"
    return files


def zephyr(plan: TestPlan) -> dict[str, str]:
    """CSV for Zephyr Scale: one row a step, the case's fields on its first row only."""
    script = "Test Script (Step-by-Step)"
    header = [
        "Name", "Objective", "Precondition", "Folder", "Priority", "Labels", "Coverage",
        f"{script} - Step", f"{script} - Test Data", f"{script} - Expected Result",
    ]  # fmt: skip
    sections = _sections(plan)
    rows = []
    for case in plan.cases:
        for number, step in enumerate(case.steps):
            first = [
                case.title, _description(plan, case), "\n".join(case.preconditions), f"/{sections[case.id]}",
                _PRIORITY[case.priority], ", ".join(_labels(case)), _references(plan, case),
            ] if number == 0 else [""] * 7  # fmt: skip
            rows.append([*first, step.action, step.data, step.expected])
    return {"zephyr.csv": as_csv(header, rows)}


def qase(plan: TestPlan) -> dict[str, str]:
    """JSON for Qase: a suite for each section of the specification."""
    sections = _sections(plan)
    suites: dict[str, list[TestCase]] = defaultdict(list)
    for case in plan.cases:
        suites[sections[case.id]].append(case)
    document = {
        "suites": [
            {
                "id": number,
                "title": title,
                "cases": [_qase_case(plan, case, place) for place, case in enumerate(cases, start=1)],
            }
            for number, (title, cases) in enumerate(suites.items(), start=1)
        ]
    }
    return {"qase.json": json.dumps(document, ensure_ascii=False, indent=1) + "\n"}


def plain_csv(plan: TestPlan) -> dict[str, str]:
    """One row a case, for a spreadsheet."""
    header = [
        "id", "title", "objective", "requirements", "technique", "polarity", "type", "level", "priority",
        "preconditions", "steps", "expected", "basis", "basis quote", "questions", "incidents", "tags", "suspect",
    ]  # fmt: skip
    rows = [
        [
            case.id, case.title, case.objective, _references(plan, case), case.technique, case.polarity, case.type,
            case.level, case.priority, "\n".join(case.preconditions),
            "\n".join(f"{n}. {_action(step.action, step.data)}" for n, step in enumerate(case.steps, start=1)),
            "\n".join(f"{n}. {step.expected}" for n, step in enumerate(case.steps, start=1)),
            case.expected_basis, case.basis_quote or case.basis_rule, " ".join(case.question_ids),
            " ".join(case.incident_ids), " ".join(case.tags), case.suspect or "",
        ]
        for case in plan.cases
    ]  # fmt: skip
    return {"cases.csv": as_csv(header, rows)}


def _qase_case(plan: TestPlan, case: TestCase, place: int) -> dict[str, object]:
    return {
        "id": place,
        "title": case.title,
        "description": _description(plan, case),
        "preconditions": "\n".join(case.preconditions),
        "priority": case.priority,
        "type": "functional" if case.type == "functional" else "other",
        "behavior": "positive"
        if case.polarity == "positive"
        else "negative"
        if case.polarity == "negative"
        else "destructive",
        "automation": "is-not-automated",
        "status": "actual",
        "steps_type": "classic",
        "steps": [
            {"position": number, "action": step.action, "data": step.data, "expected_result": step.expected}
            for number, step in enumerate(case.steps, start=1)
        ],
        "tags": _labels(case),
    }


def _sections(plan: TestPlan) -> Mapping[str, str]:
    """Case id to the heading its requirement stands under."""
    headings = {one.id: one.heading_path[-1] if one.heading_path else plan.title for one in plan.requirements}
    return {
        case.id: next((headings[one] for one in case.requirement_ids if one in headings), plan.title).replace("/", "-")
        for case in plan.cases
    }


def _references(plan: TestPlan, case: TestCase) -> str:
    explicit = {one.id: one.explicit_id or one.id for one in plan.requirements}
    return ", ".join(explicit.get(one, one) for one in case.requirement_ids)


def _description(plan: TestPlan, case: TestCase) -> str:
    basis = f"“{case.basis_quote}”" if case.basis_quote else case.basis_rule or case.expected_basis
    lines = [
        case.objective,
        f"Requirement: {_references(plan, case)}",
        f"Expected result: {case.expected_basis}, {basis}",
    ]
    if case.preconditions:
        lines.append("Preconditions: " + "; ".join(case.preconditions))
    return "\n".join([*lines, f"From {plan.id}, case {case.id}."])


def _labels(case: TestCase) -> list[str]:
    """Labels without blanks: Jira takes no others."""
    raw = [*case.tags, f"tech:{case.technique}", f"polarity:{case.polarity}", f"basis:{case.expected_basis}"]
    return list(dict.fromkeys("-".join(label.split()) for label in raw if label.strip()))


def _type(case: TestCase) -> str:
    return case.type.replace("_", " ").capitalize()


def _action(action: str, data: str) -> str:
    return f"{action}\nData: {data}" if data else action


def _batches(cases: list[TestCase]) -> Iterator[list[TestCase]]:
    for start in range(0, max(len(cases), 1), XRAY_BATCH):
        yield cases[start : start + XRAY_BATCH]


def _numbered(name: str, number: int, ending: str) -> str:
    return f"{name}.{ending}" if number == 1 else f"{name}-{number}.{ending}"
