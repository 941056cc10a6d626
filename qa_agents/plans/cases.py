"""From requirements and coverage items to test cases: one behaviour each, an outcome to be seen, and its ground."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from qa_agents.plans.budget import Budget, keep
from qa_agents.plans.case_text import words_for
from qa_agents.plans.concrete import why_not
from qa_agents.plans.duties import BREAKS
from qa_agents.plans.executions import Group, folded, groups_of
from qa_agents.plans.schema import (
    Basis,
    CoverageItem,
    Level,
    Polarity,
    Priority,
    Question,
    Requirement,
    Risk,
    SmellKind,
    Step,
    TestCase,
)
from qa_agents.plans.techniques import testable
from qa_agents.plans.techniques.api_request import request_for
from qa_agents.plans.wording import cut, digest, flat, lower_first, normal, sentence
from qa_agents.plurals import counted

BLOCKING: frozenset[SmellKind] = frozenset({"tbd", "contradiction", "unmeasurable", "missing_unit"})
"""Questions without whose answer nobody can say whether the stated outcome has come about; other smells only make it harder."""
OPEN_OUTCOME: frozenset[SmellKind] = frozenset({"missing_error", "missing_bound", "tbd"})
"""Questions that can give an outcome the text leaves open."""
QUOTE_CHARS = 600
_LITERAL = re.compile(r"`([a-z][^`\n]{0,79})`")


def draft(
    requirements: Sequence[Requirement],
    items: Sequence[CoverageItem],
    risks: Sequence[Risk],
    questions: Sequence[Question],
    lessons: Sequence[TestCase],
    *,
    budget: Budget | None = None,
    labels: Mapping[str, str] | None = None,
    unclear: Mapping[str, str] | None = None,
) -> tuple[list[TestCase], list[str]]:
    """The cases, requirement by requirement, and one sentence for each thing left out.

    What the text states itself always gets its case; what techniques add is bounded by the requirement's risk. An item whose
    outcome is open becomes a case only when a question stands for it. `labels` is a tag by source: the issue that its text
    comes from. `unclear` (see below) names items that are no test as they stand: they are left out with that reason, unless
    somebody answered how to test them. Equal input gives equal cases with equal ids.
    """
    by_requirement: dict[str, list[CoverageItem]] = defaultdict(list)
    for item in items:
        by_requirement[item.requirement_id].append(item)
    risk_of: dict[str, Risk] = {}
    for one in risks:
        if one.requirement_id not in risk_of or risk_of[one.requirement_id].level < one.level:
            risk_of[one.requirement_id] = one
    asked: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        for name in question.requirement_ids:
            asked[name].append(question)
    taught: dict[str, list[TestCase]] = defaultdict(list)
    for lesson in lessons:
        taught[lesson.requirement_ids[0]].append(lesson)
    cases: dict[str, TestCase] = {}
    left_out: list[str] = []
    for requirement in testable(requirements):
        risk = risk_of.get(requirement.id)
        own = by_requirement[requirement.id]
        vague = [item for item in own if item.id in (unclear or {})]
        told = _as_answered(requirement, vague, asked[requirement.id])
        decided, undecided = _with_outcome([item for item in own if item not in vague], asked[requirement.id])
        kept, said = keep(requirement, risk, groups_of(requirement, decided), budget or Budget())
        if vague and not told and requirement.fields:
            kept, vague = _shown_by_limit(kept, vague)
        if vague and not told:
            why = (unclear or {})[vague[0].id]
            left_out.append(f"{_named(requirement)}: no case, for {why}: “{cut(requirement.quote, 90)}”.")
        label = (labels or {}).get(requirement.source_id)
        mine = [_case(requirement, group, risk, asked[requirement.id], label) for group in kept]
        for case in [*folded(mine), *told]:
            cases.setdefault(case.id, sealed(case, [requirement]))
        for lesson in taught[requirement.id]:
            cases.setdefault(lesson.id, sealed(lesson, [requirement]))
        left_out += [said] if said else []
        if undecided:
            left_out.append(
                f"{_named(requirement)}: {counted(len(undecided), 'item')} without a stated outcome and without a question: "
                f"{undecided[0].what}."
            )
    return list(cases.values()), left_out


def unclear_items(requirements: Sequence[Requirement], items: Sequence[CoverageItem]) -> dict[str, str]:
    """Items whose case would be no test, with the reason (see `concrete`)."""
    by_id = {one.id: one for one in testable(requirements)}
    found: dict[str, str] = {}
    by_requirement: dict[str, list[CoverageItem]] = defaultdict(list)
    for item in items:
        by_requirement[item.requirement_id].append(item)
    for name, own in by_requirement.items():
        if name in by_id and any(item.technique == "requirement" for item in own):
            for group in groups_of(by_id[name], own):
                item = group[0]
                if item.technique == "requirement" and len(group) == 1 and not by_id[name].data.get("method"):
                    words = words_for(by_id[name], group, flat(item.expected or item.what))
                    if reason := why_not(by_id[name], item, words.steps):
                        found[item.id] = reason
    return found


def _shown_by_limit(groups: list[Group], statement: list[CoverageItem]) -> tuple[list[Group], list[CoverageItem]]:
    """A statement that is no more than a limit is shown by the value on it: the groups with it there, and what is left over."""
    place = next((at for at, group in enumerate(groups) if any(one.polarity == "boundary" for one in group)), None)
    if place is None:
        return groups, statement
    return [*groups[:place], (*groups[place], *statement), *groups[place + 1 :]], []


def _as_answered(
    requirement: Requirement, vague: Sequence[CoverageItem], questions: Sequence[Question]
) -> list[TestCase]:
    """The case that somebody's answer `action => what is seen then` makes of a statement; [] without such an answer."""
    answer = next((one for one in questions if one.category == "unobservable" and one.answer), None)
    action, arrow, seen = (answer.answer or "").partition("=>") if answer else ("", "", "")
    if answer is None or not vague or not arrow or not action.strip() or not seen.strip():
        return []
    title = cut(requirement.text)
    case = TestCase(
        id=f"TC-{digest(requirement.id, answer.id, normal(answer.answer or ''))}",
        title=title,
        objective=sentence(f"Show that {lower_first(title)}"),
        requirement_ids=[requirement.id],
        item_ids=[item.id for item in vague],
        technique="requirement",
        polarity="positive",
        type=requirement.kind,
        level=_level(requirement, is_api=False),
        steps=[Step(action=sentence(action).rstrip("."), expected=sentence(seen))],
        expected_basis="derived",
        basis_rule=f"answer to {answer.id}",
    )
    return [sealed(case, [requirement])]


def _named(requirement: Requirement) -> str:
    return requirement.explicit_id or requirement.id


def _with_outcome(
    items: Sequence[CoverageItem], questions: Sequence[Question]
) -> tuple[list[CoverageItem], list[CoverageItem]]:
    """Items that have an outcome, by an answer or an assumption where the text gives none; and those that have none."""
    question = _standing_for(questions)
    decided, undecided = [], []
    for item in items:
        if item.basis != "assumption" and item.expected is not None:
            decided.append(item)
        elif question is not None:
            expected = question.answer or item.expected or question.default_assumption
            decided.append(item.model_copy(update={"expected": expected, "basis": "assumption"}))
        else:
            undecided.append(item)
    return decided, undecided


def _standing_for(questions: Sequence[Question]) -> Question | None:
    return next((one for one in questions if one.category in OPEN_OUTCOME), None)


def _case(
    requirement: Requirement, group: Group, risk: Risk | None, questions: Sequence[Question], label: str | None
) -> TestCase:
    item = group[0]
    expected = flat(item.expected or item.what)
    basis, rule, waits = _ground(item, questions)
    words = words_for(requirement, group, expected)
    if words.rule and basis == "quote":
        basis, rule = "derived", words.rule
    against = item.polarity == "negative" or words.rule in BREAKS
    polarity: Polarity = "negative" if against else _valid_polarity(group)
    is_api = bool(requirement.data.get("method"))
    case = TestCase(
        id=f"TC-{digest(requirement.id, *sorted(one.id for one in group), polarity, normal(expected))}",
        title=words.title,
        objective=words.objective,
        requirement_ids=[requirement.id],
        item_ids=[one.id for one in group],
        technique=item.technique,
        polarity=polarity,
        type="security" if item.technique == "permission" else requirement.kind,
        level=_level(requirement, is_api),
        priority=priority_of(requirement, item, risk),
        preconditions=words.preconditions,
        steps=[_as_written(step, requirement.quote) for step in words.steps],
        expected_basis=basis,
        basis_quote=_basis_quote(requirement, item, expected),
        basis_rule=rule,
        question_ids=waits,
        tags=[*_tags(requirement, is_api), *([label] if label else [])],
        request=request_for(requirement, item) if is_api else {},
    )
    return sealed(case, [requirement])


def _as_written(step: Step, quote: str) -> Step:
    """The step whose expectation begins with a literal of the quote as that is written: a name in code has no capital."""
    for literal in _LITERAL.findall(quote):
        capital = literal[0].upper() + literal[1:]
        if literal != capital and re.match(rf"{re.escape(capital)}(?!\w)", step.expected):
            return step.model_copy(update={"expected": literal + step.expected[len(literal) :]})
    return step


def sealed(case: TestCase, requirements: Sequence[Requirement]) -> TestCase:
    """The case with the hash of its content and of the requirements it rests on; `suspect` and the hash itself apart."""
    own = case.model_dump_json(exclude={"hash", "suspect"})
    return case.model_copy(update={"hash": digest(own, *(requirement.hash for requirement in requirements))})


def changed(case: TestCase, by_id: Mapping[str, Requirement], **update: object) -> TestCase:
    """The case with these members, sealed anew over the requirements that it then shows."""
    case = case.model_copy(update=update)
    return sealed(case, [by_id[name] for name in case.requirement_ids if name in by_id])


def _ground(item: CoverageItem, questions: Sequence[Question]) -> tuple[Basis, str, list[str]]:
    """Basis and rule of the expectation, and the open questions it waits for."""
    rule = "" if item.basis == "quote" else item.rule
    if item.basis == "assumption":
        question = _standing_for(questions)
        if question is not None and question.answer is not None:
            return "derived", f"answer to {question.id}", []
        return "assumption", item.rule, [question.id] if question else []
    open_ = [one for one in questions if one.category == "contradiction" and one.pack is None and one.answer is None]
    if item.basis == "derived" and open_:
        return "assumption", rule, [one.id for one in open_]
    if item.basis == "quote":
        blocking = [one for one in questions if one.pack is None and (one.category in BLOCKING or _is_about(one, item))]
        if any(one.answer is None for one in blocking):
            return "assumption", rule, [one.id for one in blocking if one.answer is None]
        if blocking:
            return "derived", f"answer to {blocking[0].id}", []
    return item.basis, rule, []


def _is_about(question: Question, item: CoverageItem) -> bool:
    """Whether a vague word that is asked about stands in the outcome, or a clause lets it not hold: nobody can tell then."""
    if question.category == "escape_clause":
        return True
    asked = re.search(r"[“\"]([^”\"]{2,80})[”\"]", question.text) if question.category == "vague" else None
    return asked is not None and asked[1].casefold() in (item.expected or "").casefold()


def _valid_polarity(group: Group) -> Polarity:
    return "boundary" if any(one.polarity == "boundary" for one in group) else "positive"


def _basis_quote(requirement: Requirement, item: CoverageItem, expected: str) -> str:
    """The words the expectation rests on: the outcome itself where it stands there verbatim, a field's limits, else the quote."""
    quote = flat(requirement.quote)
    if item.basis == "quote":
        place = quote.lower().find(flat(expected).rstrip(".").lower())
        if place >= 0:
            return quote[place : place + len(flat(expected).rstrip("."))]
        outcome = flat(requirement.response or "")
        if outcome and outcome in quote:
            return outcome[:QUOTE_CHARS]
    for field in requirement.fields:
        if field.name in item.parameters and field.quote and flat(field.quote) in quote:
            return flat(field.quote)
    return quote if len(quote) <= QUOTE_CHARS else quote[:QUOTE_CHARS].rsplit(" ", 1)[0]


def _level(requirement: Requirement, is_api: bool) -> Level:
    if is_api:
        return "integration"
    if requirement.data.get("story") or requirement.kind == "usability":
        return "acceptance"
    return "system"


def priority_of(requirement: Requirement, item: CoverageItem, risk: Risk | None) -> Priority:
    """From the risk; one lower for a remote idea, and never high for what the text only allows."""
    level = risk.level if risk else 4
    if item.technique in ("error_guessing", "state1", "pairwise", "crud") or item.rule.startswith("just-inside"):
        level -= 2
    if requirement.modality == "may":
        level = min(level, 4)
    if requirement.modality == "must" and item.basis == "quote":
        level = max(level, 3)
    return "high" if level >= 6 else "medium" if level >= 3 else "low"


def _tags(requirement: Requirement, is_api: bool) -> list[str]:
    tags = ["api"] if is_api else []
    return tags + ([requirement.kind] if requirement.kind not in ("functional", "data", "interface") else [])
