"""What is checked by code before a person looks at a plan; every sentence that comes back names a defect of the plan itself."""

import json
import re
from collections.abc import Iterator, Mapping

from qa_agents.llm.redact import find_secrets
from qa_agents.plans.schema import Question, Requirement, TestCase, TestPlan
from qa_agents.plans.wording import OBSERVED, UNOBSERVABLE, flat, normal, numbers

_OR = re.compile(r"\bor\b", re.I)
_QUOTED = re.compile(r"“[^”]{0,2000}”|\"[^\"\n]{0,2000}\"|`[^`\n]{0,500}`")
_STEP_REFERENCE = re.compile(r"\bstep \d+", re.I)


def check(plan: TestPlan) -> list[str]:
    """One sentence for each defect: links that lead nowhere, quotes that are not verbatim, numbers from nowhere, outcomes that
    nobody can observe, several behaviours in one case, data that look secret, the same id twice. [] for a sound plan."""
    requirements = {one.id: one for one in plan.requirements}
    questions = {one.id: one for one in plan.questions}
    items = {one.id for one in plan.items}
    found = [*_twice(plan)]
    for case in plan.cases:
        linked = [requirements[name] for name in case.requirement_ids if name in requirements]
        found += (f"{case.id}: {said}" for said in _links(case, requirements, questions, items))
        found += (f"{case.id}: {said}" for said in check_case(case, linked, questions))
    for question in plan.questions:
        found += [
            f"{question.id}: no such requirement {name}."
            for name in question.requirement_ids
            if name not in requirements
        ]
        known = {case.id for case in plan.cases}
        found += [
            f"{question.id}: blocks {name}, which is no case." for name in question.blocks_cases if name not in known
        ]
    found += [
        f"{risk.requirement_id}: a risk for no requirement."
        for risk in plan.risks
        if risk.requirement_id not in requirements
    ]
    found += [
        f"{item.id}: an item of no requirement." for item in plan.items if item.requirement_id not in requirements
    ]
    return found


def check_case(case: TestCase, linked: list[Requirement], questions: Mapping[str, Question]) -> Iterator[str]:
    """The defects of one case against the requirements it is linked with."""
    if case.expected_basis == "quote" and not case.basis_quote:
        yield "rests on a quote and gives none."
    if case.basis_quote and linked and not any(flat(case.basis_quote) in flat(one.quote) for one in linked):
        yield f"its quote is not verbatim in a linked requirement: “{case.basis_quote[:80]}”."
    if case.expected_basis == "derived" and not case.basis_rule:
        yield "rests on a rule and names none."
    if case.expected_basis == "assumption" and not case.question_ids:
        yield "rests on an assumption that no question stands for."
    if not case.title.strip() or not case.objective.strip():
        yield "has no title or objective."
    sayings = _told(case, linked, questions)
    for place, step in enumerate(case.steps, 1):
        if not step.action.strip() or not step.expected.strip():
            yield f"step {place} lacks an action or an expected result."
        stray = numbers(_STEP_REFERENCE.sub("", step.expected)) - sayings
        if stray:
            yield f"step {place} expects {', '.join(sorted(stray))}, which neither the requirement nor a named rule gives."
        if _offers(step.action, linked):
            yield f"step {place} does one thing or another: “{step.action[:80]}”."
    last = case.steps[-1].expected
    seen = any(OBSERVED.search(f"{step.action} {step.expected}") for step in case.steps)
    if UNOBSERVABLE.search(last) and not seen:
        yield f"its outcome cannot be observed: “{last[:80]}”."
    own = "\n".join([*case.preconditions, *(f"{s.action}\n{s.data}\n{s.expected}" for s in case.steps)])
    given = flat(" ".join(f"{one.quote} {one.text}" for one in linked))
    for span in find_secrets(own):
        # An example that the text itself shows is no leak of ours.
        if flat(own[span.start : span.end]).rstrip(".,;:") not in given:
            yield f"its data look like a secret ({span.name})."


def _told(case: TestCase, linked: list[Requirement], questions: Mapping[str, Question]) -> set[str]:
    """Every number the case may expect: of its requirements, its rule's values, the answers and assumptions it rests on."""
    texts = [f"{one.quote} {one.text} {one.response or ''} {' '.join(one.heading_path)}" for one in linked]
    texts += [json.dumps(one.data, default=str, ensure_ascii=False) for one in linked if one.data]
    for one in linked:
        for field in one.fields:
            texts.append(" ".join(str(value) for value in field.model_dump().values() if value is not None))
    if case.basis_rule:
        texts += (
            [step.data for step in case.steps]
            + [json.dumps(case.request, default=str)]
            + [f"{step.action}" for step in case.steps]
        )
    named = {*case.question_ids, *(name for name in questions if name in case.basis_rule)}
    texts += [
        f"{questions[name].default_assumption} {questions[name].answer or ''}" for name in named if name in questions
    ]
    return set().union(*(numbers(text) for text in texts)) if texts else set()


def _offers(action: str, linked: list[Requirement]) -> bool:
    """Whether the action leaves a choice of its own: an "or" that is not part of the requirement's words."""
    bare = _QUOTED.sub(" ", action)
    if not _OR.search(bare):
        return False
    words = " ".join(normal(f"{one.quote} {one.text}") for one in linked)
    return any(" ".join(normal(part).split()) not in words for part in _around_or(bare))


def _around_or(text: str) -> list[str]:
    """Each "or" with the word before and after it."""
    words = text.split()
    return [
        " ".join(words[max(0, i - 1) : i + 2]).strip(" .,;:()") for i, word in enumerate(words) if word.lower() == "or"
    ]


def _links(
    case: TestCase, requirements: Mapping[str, object], questions: Mapping[str, object], items: set[str]
) -> Iterator[str]:
    if not case.requirement_ids:
        yield "is linked with no requirement."
    for name in case.requirement_ids:
        if name not in requirements:
            yield f"no such requirement {name}."
    for name in case.item_ids:
        if name not in items:
            yield f"no such coverage item {name}."
    for name in case.question_ids:
        if name not in questions:
            yield f"no such question {name}."


def _twice(plan: TestPlan) -> Iterator[str]:
    for what, names in (
        ("requirement", [one.id for one in plan.requirements]),
        ("item", [one.id for one in plan.items]),
        ("case", [one.id for one in plan.cases]),
        ("question", [one.id for one in plan.questions]),
    ):
        seen: set[str] = set()
        for name in names:
            if name in seen:
                yield f"{name}: the same id for two {what}s."
            seen.add(name)
