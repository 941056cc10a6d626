"""Does a plan rest on its text? Checked anew here, not by the checks that the plan was drafted with."""

import json
import re
from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel

from evals.plans.corpora import LABELS, Drafted, rows
from evals.stats import Interval, wilson
from qa_agents.plans.schema import Requirement, TestCase, TestPlan

_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
_LITERAL = re.compile(r"`([^`\n]{1,80})`")
_WORD = re.compile(r"[a-z0-9]+")
_BLANKS = re.compile(r"\s+")
REPEATED = 0.8
"""Share of a quote's words in a case from which it counts as repeating the quote."""


class Grounding(BaseModel):
    """One plan against its own text."""

    corpus: str
    requirements: int
    cases: int
    quotes: Interval
    """Requirement quotes that stand in the source at their offsets, and case quotes that stand in a linked requirement."""
    numbers: Interval
    """Numbers in expectations that stand in a linked requirement, or in the inputs of a case that names its rule."""
    literals: Interval
    """Words in backticks, of quotes that a case repeats, which came through letter by letter."""
    bases: dict[str, int]
    assumptions: Interval
    duplicates: int
    """Cases with another's requirement, polarity, inputs and outcome."""
    same_words: int
    """Cases with another's steps word for word, whatever the requirement."""
    strays: list[str]
    """The first twenty that are not grounded."""


def ground(corpus: str, drafted: Drafted) -> Grounding:
    """Quotes, numbers and literals of one plan, and what is in it twice."""
    plan, texts = drafted.plan, {one.source.id: one.text for one in drafted.documents}
    by_id = {one.id: one for one in plan.requirements}
    quotes = [(one.id, texts[one.source_id][one.start : one.end] == one.quote) for one in plan.requirements]
    quotes += [
        (case.id, any(squeezed(case.basis_quote) in squeezed(one.quote) for one in linked(case, by_id)))
        for case in plan.cases
        if case.basis_quote
    ]
    numbers = [(f"{case.id} expects {n}", ok) for case in plan.cases for n, ok in _numbers(case, by_id, plan)]
    literals = [(f"{case.id} loses {n}", ok) for case in plan.cases for n, ok in _literals(case)]
    bases = Counter(str(case.expected_basis) for case in plan.cases)
    keys = Counter(_key(case, requirement=True) for case in plan.cases)
    words = Counter(_key(case, requirement=False) for case in plan.cases)
    return Grounding(
        corpus=corpus,
        requirements=len(plan.requirements),
        cases=len(plan.cases),
        quotes=_rate(quotes),
        numbers=_rate(numbers),
        literals=_rate(literals),
        bases=dict(sorted(bases.items())),
        assumptions=wilson(bases["assumption"], len(plan.cases)),
        duplicates=sum(n - 1 for n in keys.values()),
        same_words=sum(n - 1 for n in words.values()),
        strays=[said for said, ok in (*quotes, *numbers, *literals) if not ok][:20],
    )


class Judged(BaseModel):
    """The cases that a person read against the text."""

    read: int
    contradictions: Interval
    """Cases whose expectation says something else than the text; must be 0."""
    sound: Interval
    """Cases that a tester would keep as they are."""
    verdicts: dict[str, int]
    unchanged: int
    """Of them still in today's plans with the same words; the others were changed since they were read."""
    still_wrong: list[str]
    """Read as contradicting and still in a plan with the same words."""
    sound_by_text: dict[str, str]
    """Text to `sound of read`: documentation makes other cases than a document of requirements."""


def judged(plans: dict[str, TestPlan]) -> Judged:
    """The recorded judgements, and how far today's plans are still what was read."""
    said = rows(LABELS / "judged-cases.jsonl") if (LABELS / "judged-cases.jsonl").exists() else []
    now = {wording(case) for plan in plans.values() for case in plan.cases}
    verdicts = Counter(row["judgement"] for row in said)
    return Judged(
        read=len(said),
        contradictions=wilson(verdicts["contradicts"], len(said)),
        sound=wilson(verdicts["sound"], len(said)),
        verdicts=dict(sorted(verdicts.items())),
        unchanged=sum(row["wording"] in now for row in said),
        sound_by_text={
            name: f"{sum(r['judgement'] == 'sound' for r in said if r['corpus'] == name)} of {n}"
            for name, n in Counter(row["corpus"] for row in said).items()
        },
        still_wrong=[row["case_id"] for row in said if row["judgement"] == "contradicts" and row["wording"] in now],
    )


def wording(case: TestCase) -> str:
    """Digest of everything of a case that a tester reads and acts on."""
    from hashlib import sha256

    read = [case.preconditions, [[step.action, step.data, step.expected] for step in case.steps], case.polarity]
    return sha256(json.dumps(read, ensure_ascii=False).encode()).hexdigest()[:16]


def linked(case: TestCase, by_id: dict[str, Requirement]) -> list[Requirement]:
    """The requirements of a case that exist."""
    return [by_id[name] for name in case.requirement_ids if name in by_id]


def squeezed(text: str) -> str:
    """The text with single blanks."""
    return _BLANKS.sub(" ", text).strip()


def numbers_in(text: str) -> set[str]:
    """The numbers of a text; 1,000 and 1000, 2.50 and 2.5 are the same."""
    found = set()
    for number in _NUMBER.findall(text):
        plain = re.sub(r",(?=\d{3}(?!\d))", "", number).replace(",", ".")
        found.add((plain.rstrip("0").rstrip(".") if plain.count(".") == 1 else plain).lstrip("0") or "0")
    return found


def _numbers(case: TestCase, by_id: dict[str, Requirement], plan: TestPlan) -> list[tuple[str, bool]]:
    stated = [f"{one.quote} {one.text} {' '.join(one.heading_path)}" for one in linked(case, by_id)]
    # An API description gives statuses by key; what was resolved from it is its text.
    stated += [json.dumps(one.data, default=str) for one in linked(case, by_id) if one.data]
    if case.expected_basis != "quote" and case.basis_rule:
        stated += [f"{step.action} {step.data}" for step in case.steps] + [json.dumps(case.request, default=str)]
    asked = {*case.question_ids} | {one.id for one in plan.questions if one.id in case.basis_rule}
    stated += [f"{one.default_assumption} {one.answer or ''}" for one in plan.questions if one.id in asked]
    known = set().union(*(numbers_in(text) for text in stated)) if stated else set()
    return [(n, n in known) for step in case.steps for n in sorted(numbers_in(step.expected))]


def _literals(case: TestCase) -> list[tuple[str, bool]]:
    """Words in backticks of a quote that the case repeats: they are values, and must come through letter by letter.

    A value of the condition belongs to what the tester does, one of the outcome to what is expected: the whole case is looked at.
    """
    steps = (f"{step.action} {step.data} {step.expected}" for step in case.steps)
    said = squeezed(" ".join([*case.preconditions, *steps]))
    words = set(_WORD.findall(case.basis_quote.lower()))
    repeated = words and len(words & set(_WORD.findall(said.lower()))) >= REPEATED * len(words)
    return (
        [(one, squeezed(one) in said) for one in dict.fromkeys(_LITERAL.findall(case.basis_quote))] if repeated else []
    )


def _rate(found: Sequence[tuple[str, bool]]) -> Interval:
    return wilson(sum(ok for _, ok in found), len(found))


def _key(case: TestCase, *, requirement: bool) -> str:
    steps = [[step.action, step.data, step.expected] for step in case.steps]
    parts = [
        sorted(case.requirement_ids) if requirement else [],
        case.polarity == "negative",
        case.preconditions,
        steps,
    ]
    return squeezed(json.dumps(parts, ensure_ascii=False)).casefold()
