"""When a specification changes: what is drafted anew, what stays, what a person wrote. Gold: TOML 1.0.0 to 1.1.0."""

from collections.abc import Sequence

import orjson
from pydantic import BaseModel

from evals.plans.corpora import LABELS, Drafted, draft, plans_dir
from evals.plans.grounding import linked, squeezed
from evals.stats import Interval, wilson
from qa_agents.plans.schema import Requirement, TestCase, TestPlan

EDITED = 20
REDRAFTED_AT_MOST, RECALLED_AT_LEAST = 0.10, 0.9
EDIT = " (checked against the parser of 2026)"


class Gold(BaseModel):
    """One test of the independent suite that a change made obsolete or new, with the sentences it rests on."""

    id: str
    change: str
    heading: str
    before: list[str]
    after: list[str]
    source: str


class Changed(BaseModel):
    """One specification against its next version."""

    cases_before: int
    cases_after: int
    redrafted: Interval
    """Old cases that were written anew, of all old cases."""
    touched: Interval
    """Old cases that were redrafted, became suspect or lost their requirement."""
    added: int
    unchanged_identical: Interval
    """Cases all of whose requirements the alignment calls unchanged, that are the same to the byte."""
    untouched_identical: Interval
    """The same, told without the alignment: cases whose quotes stand word for word in the new text."""
    recall_requirements: Interval
    """Changed behaviours with a requirement at their sentences that is called changed, reworded, added or removed."""
    recall_cases: Interval
    """Changed behaviours with a case at their sentences that was redrafted, added, marked suspect or orphaned."""
    recall_asked: Interval
    """Changed behaviours with such a case, or with a question about their sentences that the diff shows."""
    edits_kept: Interval
    """Cases that a person edited, whose edited words are all still there."""
    again_identical: bool
    """The same text again changes nothing."""
    missed: list[str]


def measure() -> Changed | None:
    """Draft 1.0.0, edit twenty cases, draft 1.1.0 upon it; None where the data are not here."""
    folder = plans_dir() / "toml"
    if not (folder / "spec-v1.1.0.md").exists():
        return None
    old = (folder / "spec-v1.0.0.md").read_bytes()
    new = (folder / "spec-v1.1.0.md").read_bytes()
    gold = [Gold.model_validate(orjson.loads(line)) for line in (LABELS / "toml-changes.jsonl").open()]
    return compare(draft([("spec.md", old)]), new, gold)


def compare(before: Drafted, new: bytes, gold: Sequence[Gold]) -> Changed:
    """What a new version of a text makes of a plan, a few of whose cases people have edited."""
    old = edited(before.plan, EDITED)
    after = draft([("spec.md", new)], previous=old)
    again = draft([("spec.md", before.documents[0].text.encode())], previous=old)
    changes = after.plan.changes
    if changes is None:
        raise ValueError("a plan that has a previous one says nothing of changes")
    now = {case.id: case.model_dump_json() for case in after.plan.cases}
    moved = {one.requirement_id for one in changes.requirements}
    ours = {one.id: one for one in old.requirements}
    fixed = [case for case in old.cases if not moved.intersection(case.requirement_ids)]
    text = squeezed(after.documents[0].text)
    still = [case for case in old.cases if all(squeezed(one.quote) in text for one in linked(case, ours))]
    edits = [case for case in old.cases if case.origin == "edited"]
    kept = {case.id: case for case in after.plan.cases}
    lost = {*changes.redrafted, *changes.suspect, *changes.orphaned}
    return Changed(
        cases_before=len(old.cases),
        cases_after=len(after.plan.cases),
        redrafted=wilson(len(set(changes.redrafted)), len(old.cases)),
        touched=wilson(len(lost), len(old.cases)),
        added=len(changes.added),
        unchanged_identical=_same(fixed, now),
        untouched_identical=_same(still, now),
        **_recall(gold, old, after.plan),
        edits_kept=wilson(sum(_is_kept(case, kept.get(case.id)) for case in edits), len(edits)),
        again_identical=again.plan.cases == old.cases,
    )


def edited(plan: TestPlan, number: int) -> TestPlan:
    """The plan after somebody changed the title and a step of `number` cases, spread evenly over it."""
    step = max(1, len(plan.cases) // number)
    chosen = {case.id for case in plan.cases[::step][:number]}
    return plan.model_copy(update={"cases": [_edit(case) if case.id in chosen else case for case in plan.cases]})


def _edit(case: TestCase) -> TestCase:
    first = case.steps[0].model_copy(update={"action": case.steps[0].action + EDIT})
    return case.model_copy(
        update={
            "title": case.title + EDIT,
            "steps": [first, *case.steps[1:]],
            "origin": "edited",
            "locked_fields": ["title", "steps"],
        }
    )


def _is_kept(case: TestCase, now: TestCase | None) -> bool:
    return now is not None and (now.title, now.steps, now.origin) == (case.title, case.steps, case.origin)


def _same(cases: Sequence[TestCase], now: dict[str, str]) -> Interval:
    return wilson(sum(now.get(case.id) == case.model_dump_json() for case in cases), len(cases))


def _recall(gold: Sequence[Gold], old: TestPlan, new: TestPlan) -> dict[str, Interval | list[str]]:
    """Changed behaviours that the alignment, and then the cases, show as changed; and the ids of those that do not."""
    changes = new.changes
    moved = {one.requirement_id for one in changes.requirements} if changes else set()
    shown = {*changes.redrafted, *changes.suspect, *changes.orphaned, *changes.added} if changes else set()
    by_requirement: dict[str, set[str]] = {}
    for case in new.cases:
        for name in case.requirement_ids:
            by_requirement.setdefault(name, set()).add(case.id)
    asked = {name for one in new.questions if changes and one.id in changes.questions for name in one.requirement_ids}
    found, drafted, told, missed = 0, 0, 0, []
    for one in gold:
        names = _at(one.before, one.heading, old.requirements) | _at(one.after, one.heading, new.requirements)
        hit = bool(names & moved)
        seen = any(by_requirement.get(name, set()) & shown for name in names)
        found, drafted, told = found + hit, drafted + seen, told + (seen or bool(names & asked))
        missed += [] if hit and seen else [f"{one.id} ({one.heading}: {(one.after or one.before)[0][:60]})"]
    return {
        "recall_requirements": wilson(found, len(gold)),
        "recall_cases": wilson(drafted, len(gold)),
        "recall_asked": wilson(told, len(gold)),
        "missed": missed,
    }


def _at(sentences: Sequence[str], heading: str, requirements: Sequence[Requirement]) -> set[str]:
    """Requirements under the heading whose quote shares its words with one of the sentences."""
    wanted = [squeezed(one) for one in sentences]
    return {
        one.id
        for one in requirements
        if heading in one.heading_path
        and any(squeezed(one.quote) in text or text in squeezed(one.quote) for text in wanted)
    }
