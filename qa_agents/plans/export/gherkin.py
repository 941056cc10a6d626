"""Feature files: one feature a section of the specification, one scenario a case, tags that tools can read."""

import re
from collections import defaultdict

from qa_agents.plans.schema import TestCase, TestPlan

_NOT_IN_TAG = re.compile(r"[^\w:.=/-]+")
_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")
_RISK = {"high": "high", "medium": "medium", "low": "low"}


def features(plan: TestPlan) -> dict[str, str]:
    """File name to feature text; parses with the official parser, and tags name requirement, technique, priority, basis."""
    headings = {one.id: one.heading_path[-1] if one.heading_path else plan.title for one in plan.requirements}
    explicit = {one.id: one.explicit_id or one.id for one in plan.requirements}
    grouped: dict[str, list[TestCase]] = defaultdict(list)
    for case in plan.cases:
        grouped[next((headings[one] for one in case.requirement_ids if one in headings), plan.title)].append(case)
    files: dict[str, str] = {}
    for heading, cases in grouped.items():
        stem = _NOT_IN_NAME.sub("-", heading.casefold()).strip("-")[:60] or "cases"
        name, number = f"{stem}.feature", 2
        while name in files:
            name, number = f"{stem}-{number}.feature", number + 1
        files[name] = _feature(plan, heading, cases, explicit)
    return files


def _feature(plan: TestPlan, heading: str, cases: list[TestCase], explicit: dict[str, str]) -> str:
    lines = [f"Feature: {_line(heading)}", f"  Drafted from {plan.id}.", ""]
    for case in cases:
        lines += _scenario(case, explicit)
    return "\n".join(lines).rstrip() + "\n"


def _scenario(case: TestCase, explicit: dict[str, str]) -> list[str]:
    tags = [
        *(f"req:{explicit.get(one, one)}" for one in case.requirement_ids),
        f"tech:{case.technique}",
        f"risk:{_RISK[case.priority]}",
        f"basis:{case.expected_basis}",
        f"case:{case.id}",
        *case.tags,
    ]
    lines = ["  " + " ".join(f"@{_NOT_IN_TAG.sub('-', tag).strip('-')}" for tag in dict.fromkeys(tags) if tag.strip())]
    lines.append(f"  Scenario: {_line(case.title)}")
    lines += [f"    {'Given' if n == 0 else 'And'} {_line(text)}" for n, text in enumerate(case.preconditions)]
    for step in case.steps:
        data = f" with {_line(step.data)}" if step.data else ""
        lines.append(f"    When {_line(step.action)}{data}")
        lines.append(f"    Then {_line(step.expected)}")
    return [*lines, ""]


def _line(text: str) -> str:
    """One line of a step: Gherkin ends a step at the line break."""
    return " ".join(text.split()) or "…"
