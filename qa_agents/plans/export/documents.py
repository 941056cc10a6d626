"""The plan for reading: Markdown in the sections of ISO/IEC/IEEE 29119-3, the traceability table, the gap report."""

import re

from qa_agents.plans.export.cells import as_csv
from qa_agents.plans.schema import NOT_TESTED, Changes, Question, Requirement, TestCase, TestPlan
from qa_agents.plans.trace import matrix
from qa_agents.plurals import counted

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~])")


def markdown(plan: TestPlan) -> dict[str, str]:
    """`plan.md`: sections, requirements with their cases, questions, gaps; text of the specification is escaped."""
    lines = [
        f"# {inline(plan.title)}",
        "",
        f"{plan.id} · {counted(len(plan.requirements), 'requirement')} · {counted(len(plan.cases), 'case')}",
        "",
    ]
    for section in plan.sections:
        lines += [f"## {section.title}", "", _prose(section.text), ""]
    lines += ["## Questions", ""] + [line for one in plan.questions for line in _question(one)] + [""]
    if plan.changes is not None:
        lines += _changes(plan)
    lines += ["## Cases", ""]
    for requirement in plan.requirements:
        lines += _requirement(requirement, [case for case in plan.cases if requirement.id in case.requirement_ids])
    known = {one.id for one in plan.requirements}
    loose = [case for case in plan.cases if not known.intersection(case.requirement_ids)]
    if loose:
        lines += ["### Without a requirement", ""] + [line for case in loose for line in _case(case)]
    return {"plan.md": "\n".join(lines).rstrip() + "\n", "gaps.md": _gaps(plan)}


def tables(plan: TestPlan) -> dict[str, str]:
    """`traceability.csv`: a row for each requirement and case that belong together, one for a requirement without a case."""
    header = [
        "requirement", "explicit id", "line", "requirement text", "case", "case title", "technique", "polarity", "basis",
        "items without a case", "questions",
    ]  # fmt: skip
    cases = {case.id: case for case in plan.cases}
    rows = []
    for one in matrix(plan.requirements, plan.cases, plan.items, plan.questions):
        base = [one["requirement_id"], one["explicit_id"] or "", str(one["line"]), one["text"]]
        open_ = [" ".join(one["uncovered_item_ids"]), " ".join(one["question_ids"])]
        for name in one["case_ids"]:
            case = cases[name]
            rows.append([*base, case.id, case.title, case.technique, case.polarity, case.expected_basis, *open_])
        if not one["case_ids"]:
            said = f"not tested: {one['kind']}" if one["kind"] in NOT_TESTED else "NO CASE"
            rows.append([*base, "", said, "", "", "", *open_])
    return {"traceability.csv": as_csv(header, rows)}


def inline(text: str) -> str:
    """Text of somebody else's for one line of Markdown: nothing in it is markup."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _prose(text: str) -> str:
    return "\n".join(("- " + inline(line[2:])) if line.startswith("- ") else inline(line) for line in text.splitlines())


def _question(question: Question) -> list[str]:
    lines = [f"- **{question.id}** {inline(question.text)}"]
    if question.options:
        lines.append(f"  - possible: {inline('; '.join(question.options))}")
    if question.answer is not None:
        lines.append(f"  - answered by {inline(question.answered_by or 'somebody')}: {inline(question.answer)}")
    else:
        waiting = (
            f" ({counted(len(question.blocks_cases), 'case waits', 'cases wait')}: {', '.join(question.blocks_cases[:10])})"
            if question.blocks_cases
            else ""
        )
        lines.append(f"  - assumed until answered: {inline(question.default_assumption)}{waiting}")
    return lines


def _changes(plan: TestPlan) -> list[str]:
    changes = plan.changes
    assert changes is not None
    fates = ("kept", "relinked", "redrafted", "suspect", "added", "orphaned")
    counted = [f"{len(getattr(changes, fate))} {fate}" for fate in fates]
    lines = [
        "## What changed",
        "",
        f"{changes.unchanged} requirements are unchanged. Cases: {', '.join(counted)}.",
        "",
    ]
    for one in changes.requirements:
        lines.append(
            f"- **{one.change}** {one.requirement_id}: {inline('; '.join(one.values) or one.after or one.before)}"
        )
        if one.before and one.after:
            lines += [f"  - was: {inline(one.before)}", f"  - is: {inline(one.after)}"]
        lines += _follows(plan, changes, one.requirement_id)
    return [*lines, ""]


def _follows(plan: TestPlan, changes: Changes, requirement_id: str) -> list[str]:
    """What a changed statement made of its cases, and what it leaves open: a change without a case is no silent one."""
    fates = {name: fate for fate in ("redrafted", "suspect", "added", "orphaned") for name in getattr(changes, fate)}
    cases = [
        f"{case.id} {fates[case.id]}"
        for case in plan.cases
        if requirement_id in case.requirement_ids and case.id in fates
    ]
    asked = [one for one in plan.questions if one.id in changes.questions and requirement_id in one.requirement_ids]
    lines = [f"  - cases: {', '.join(cases)}"] if cases else []
    return lines + [f"  - asked: {one.id} {inline(one.text)}" for one in asked]


def _requirement(requirement: Requirement, cases: list[TestCase]) -> list[str]:
    name = requirement.explicit_id or requirement.id
    where = " › ".join(requirement.heading_path)
    lines = [
        f"### {inline(name)}",
        "",
        f"> {inline(requirement.quote)}",
        "",
        f"line {requirement.line}"
        + (f", {inline(where)}" if where else "")
        + f"; {requirement.kind}, {requirement.modality}",
        "",
    ]
    if not cases:
        lines.append(
            "Not tested: " + requirement.kind.replace("_", " ") if requirement.kind in NOT_TESTED else "**No case.**"
        )
    return lines + [line for case in cases for line in _case(case)] + [""]


def _case(case: TestCase) -> list[str]:
    marks: list[str] = [case.technique, case.polarity, case.priority, case.expected_basis]
    marks += [f"waits for {', '.join(case.question_ids)}"] if case.question_ids else []
    marks += [f"taught by {', '.join(case.incident_ids)}"] if case.incident_ids else []
    lines = [f"- **{case.id}** {inline(case.title)} ({', '.join(marks)})"]
    lines += [f"  - suspect: {inline(case.suspect)}"] if case.suspect else []
    lines += [f"  - given {inline(text)}" for text in case.preconditions]
    for number, step in enumerate(case.steps, start=1):
        data = f" ({inline(step.data)})" if step.data else ""
        lines.append(f"  {number}. {inline(step.action)}{data} → {inline(step.expected)}")
    return lines


def _gaps(plan: TestPlan) -> str:
    lines = [f"# Gaps of {inline(plan.title)}", ""]
    lines += [f"- {gap.kind} {inline(gap.ref)}: {inline(gap.why)}" for gap in plan.gaps] or ["No gap was found."]
    unread = [f"- {inline(source.name)}: {inline(one)}" for source in plan.sources for one in source.unread]
    left = [f"- {inline(one)}" for one in plan.left_out]
    lines += ["", "## Not read", "", *(unread or ["Everything was read."]), "", "## Left out by the budget", ""]
    return "\n".join([*lines, *(left or ["Nothing."])]) + "\n"
