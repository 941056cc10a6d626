"""The prose of a test plan, in the sections of ISO/IEC/IEEE 29119-3: what follows from the plan, and what a person must add."""

from collections import Counter
from collections.abc import Callable, Iterable

from qa_agents.plans.schema import NOT_TESTED, PlannedSection, TestPlan
from qa_agents.plurals import counted

TO_ADD = "Not stated in the specification; to be added by whoever signs."


def sections(plan: TestPlan) -> list[PlannedSection]:
    """The sections of the plan, in the standard's order. What the basis says nothing about is said to be missing."""
    return [PlannedSection(id=name, title=title, text=write(plan)) for name, title, write in _SECTIONS]


def _context(plan: TestPlan) -> str:
    named = "; ".join(
        f"{source.name} ({source.chars:,} characters, SHA-256 {source.sha256[:12]}…)" for source in plan.sources
    )
    unread = sum(len(source.unread) for source in plan.sources)
    said = f"Test basis: {named}."
    return said + (f" {unread} parts were not read; they are listed with the gaps." if unread else "")


def _scope(plan: TestPlan) -> str:
    kinds = Counter(one.kind for one in plan.requirements if one.kind not in NOT_TESTED)
    inside = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    outside = [one for one in plan.requirements if one.kind == "out_of_scope"]
    said = f"In scope: {sum(kinds.values())} requirements ({inside or 'none'})."
    if outside:
        said += " Out of scope by the specification: " + "; ".join(f"“{one.quote[:120]}”" for one in outside[:10]) + "."
    return said


def _assumptions(plan: TestPlan) -> str:
    waiting = [one for one in plan.questions if one.answer is None]
    if not waiting:
        return "No assumption stands in for an open question."
    lines = "\n".join(f"- {one.default_assumption} ({one.id}; {len(one.blocks_cases)} cases)" for one in waiting)
    return f"Assumed until the open questions are answered:\n{lines}"


def _stakeholders(plan: TestPlan) -> str:
    actors = Counter(one.actor.casefold() for one in plan.requirements if one.actor)
    named = ", ".join(name for name, _ in actors.most_common(12))
    signs = "; ".join(f"{one.role} signs off: {one.why} ({one.standard})" for one in plan.sign_offs)
    return (
        " ".join(part for part in (f"Named in the specification: {named}." if named else "", signs) if part) or TO_ADD
    )


def _risks(plan: TestPlan) -> str:
    worst = sorted(plan.risks, key=lambda one: (-one.level, one.requirement_id))[:10]
    texts = {one.id: one.text for one in plan.requirements}
    rows = [
        f"- {one.level}/9: {texts.get(one.requirement_id, one.requirement_id)[:160]} ({'; '.join(one.reasons[:3])})"
        for one in worst
    ]
    return "Product risks, impact times likelihood:\n" + "\n".join(rows) if rows else "No risk was assessed."


def _strategy(plan: TestPlan) -> str:
    levels = _counted(case.level for case in plan.cases)
    types = _counted(case.type for case in plan.cases)
    techniques = _counted(case.technique for case in plan.cases)
    return (
        f"Levels: {levels}. Types: {types}. Techniques (ISO/IEC/IEEE 29119-4): {techniques}. "
        "High priority first; a case covers one behaviour."
    )


def _completion(plan: TestPlan) -> str:
    coverage = ", ".join(f"{one.technique} {one.share:.0%}" for one in plan.coverage if one.items)
    return (
        f"Complete when every high-priority case has passed, no blocking question is open, and coverage holds as planned "
        f"({coverage or 'no structured items'}). What is missing from 100 % is listed with its reason."
    )


def _metrics(plan: TestPlan) -> str:
    return (
        f"{counted(len(plan.requirements), 'requirement')}, {counted(len(plan.items), 'coverage item')}, "
        f"{counted(len(plan.cases), 'case')}; report cases run, "
        "passed, failed and blocked by requirement, and items exercised by technique."
    )


def _data(plan: TestPlan) -> str:
    fields = sorted({field.name for one in plan.requirements for field in one.fields})
    said = (
        f"Values are given in each case; fields with limits: {', '.join(fields[:30])}."
        if fields
        else "Values are given in each case."
    )
    return f"{said} Use invented data, no production records."


def _environment(plan: TestPlan) -> str:
    words = ("compatibility", "performance", "accessibility", "internationalisation")
    asked = [one for one in plan.requirements if one.kind in words]
    if not asked:
        return TO_ADD
    return "Demanded by the text: " + "; ".join(f"“{one.quote[:120]}”" for one in asked[:8]) + "."


def _retest(plan: TestPlan) -> str:
    taught = sum(bool(case.incident_ids) for case in plan.cases)
    said = "Every fixed failure is retested; a change runs the cases of the requirements it touches, and those of like incidents."
    return f"{said} {taught} cases come from past incidents." if taught else said


def _suspension(_plan: TestPlan) -> str:
    return "Suspend when the environment is down or a high-risk requirement was misread; resume from the suspect cases."


def _missing(_plan: TestPlan) -> str:
    return TO_ADD


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in Counter(words).most_common()) or "none"


_SECTIONS: tuple[tuple[str, str, Callable[[TestPlan], str]], ...] = (
    ("context", "Context", _context),
    ("scope", "Scope and test items", _scope),
    ("assumptions", "Assumptions and constraints", _assumptions),
    ("stakeholders", "Stakeholders and sign-offs", _stakeholders),
    ("communication", "Communication", _missing),
    ("risks", "Risk register", _risks),
    ("strategy", "Test strategy", _strategy),
    ("completion", "Completion criteria", _completion),
    ("metrics", "Metrics to collect", _metrics),
    ("data", "Test data", _data),
    ("environment", "Test environment", _environment),
    ("retest", "Retesting and regression testing", _retest),
    ("suspension", "Suspension and resumption", _suspension),
    ("activities", "Activities and estimates", _missing),
    ("staffing", "Staffing", _missing),
    ("schedule", "Schedule", _missing),
)
