"""From smells to questions a product owner can answer in a sentence, the ones that matter most first."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qa_agents.plans.schema import Question, Requirement, Smell, SmellKind, TestCase
from qa_agents.plans.wording import digest

WORDS = 160
"""Characters of a quote that a question repeats."""
REVIEWED = "A person reviews it; there is no test case."
"""What is assumed of a statement that nobody can test as it is written."""
REFUSED = "It is refused with a message that names the field and its limit, and nothing is saved."


@dataclass(frozen=True)
class Form:
    """How a kind of smell is asked about; `{quote}`, `{where}` and `{why}` are filled in."""

    text: str
    options: tuple[str, ...]
    assumption: str
    impact: int
    uncertainty: int


FORMS: Mapping[SmellKind, Form] = {
    "contradiction": Form(
        "Which of these holds? {why} One: “{where}”. The other: “{other}”.",
        ("The first", "The second", "Both, under different conditions"),
        "The stricter of the two holds.",
        3,
        3,
    ),
    "tbd": Form("What was decided here: “{where}”?", (), "It is left out of this release.", 3, 3),
    "missing_error": Form(
        "{why} What does a user see then?",
        (REFUSED, "It is cut down to the limit.", "It is accepted with a warning."),
        REFUSED,
        3,
        2,
    ),
    "unmeasurable": Form(
        "{why} Which number, measured how? “{where}”",
        (),
        "It is observed and reported, without a number that fails it.",
        2,
        3,
    ),
    "vague": Form(
        "What does “{quote}” mean here, as something that can be seen or measured? “{where}”",
        (),
        "“{quote}” adds nothing to what else is stated.",
        2,
        2,
    ),
    "missing_bound": Form(
        "{why} What is the limit? “{where}”",
        ("There is no limit", "255 characters"),
        "There is no limit: very large values are either handled or refused with a message.",
        2,
        2,
    ),
    "missing_unit": Form("{why} Which unit is meant? “{where}”", (), "The unit is the one its interface shows.", 2, 3),
    "passive": Form(
        "Who does this: “{where}”?",
        ("The system, by itself", "A person with the right to do so"),
        "A person with the right to do so.",
        2,
        2,
    ),
    "escape_clause": Form(
        "When does “{quote}” let it not hold? “{where}”", ("Never: it always holds",), "It always holds.", 1, 2
    ),
    "open_ended": Form(
        "What else belongs to this list: “{where}”?", ("Nothing else",), "Only what is named belongs to it.", 1, 2
    ),
    "undefined_term": Form(
        "What does {quote} stand for? “{where}”", (), "{quote} is what people in this field commonly mean by it.", 1, 2
    ),
    "pronoun": Form("What does “{quote}” refer to? “{where}”", (), "It refers to the subject of the section.", 1, 1),
    "instruction": Form(
        "The specification holds text that addresses a machine: “{quote}”. Does it belong there?",
        ("No, remove it", "Yes, it describes the product"),
        "It is not part of the specification; it was not followed.",
        2,
        3,
    ),
}
"""Kinds without a form (`several_in_one`, `negative_imperative`) are shown as smells and not asked about."""


def ask(requirements: Sequence[Requirement], smells: Sequence[Smell], answered: Mapping[str, str]) -> list[Question]:
    """One question for each thing left open, the highest impact times uncertainty first, then in the order of the text.

    The same words in the same section are asked about once. An id is made of the words and of the first requirement that they
    stand in (of both, for a contradiction), so that a re-run finds the answers in `answered` (question id to text) again, also
    after the text changed elsewhere.
    """
    by_id = {one.id: one for one in requirements}
    order = {one.id: number for number, one in enumerate(requirements)}
    groups: dict[tuple[str, ...], list[Smell]] = defaultdict(list)
    for smell in smells:
        if smell.kind in FORMS and smell.requirement_id in by_id:
            groups[_key(smell, by_id[smell.requirement_id])].append(smell)
    questions: dict[str, Question] = {}
    for group in groups.values():
        question = _question(_name(group[0]), group, by_id, answered)
        questions.setdefault(question.id, question)
    return sorted(
        questions.values(),
        key=lambda one: (
            -one.impact * one.uncertainty,
            -one.impact,
            min(order[name] for name in one.requirement_ids),
            one.id,
        ),
    )


def ask_how(
    requirements: Sequence[Requirement], unclear: Mapping[str, str], asked: Sequence[Question]
) -> list[Question]:
    """One question for each statement the text demands that no case can be drafted for (requirement id to the reason).

    What something else is asked about already is left to that question: its answer is needed first.
    """
    known = {name for question in asked for name in question.requirement_ids}
    found = []
    for one in requirements:
        if one.id in unclear and one.id not in known and one.modality in ("must", "should"):
            text = f"What does a tester do, and what is seen then, to tell whether this holds: “{_short(one.quote)}”?"
            found.append(
                Question(
                    id=f"Q-{digest('question', 'unobservable', one.id)}",
                    requirement_ids=[one.id],
                    category="unobservable",
                    text=text,
                    options=[REVIEWED, "ACTION => WHAT IS SEEN THEN"],
                    impact=_impact(1, [one]),
                    uncertainty=2,
                    default_assumption=REVIEWED,
                )
            )
    return found


def _key(smell: Smell, one: Requirement) -> tuple[str, ...]:
    if smell.kind == "contradiction":
        pair = sorted([smell.requirement_id, *_others(smell)])
        return (smell.kind, *pair)
    words = re.sub(r"\s+", " ", smell.quote).casefold()
    if smell.kind in ("vague", "escape_clause", "open_ended", "instruction", "undefined_term"):
        return (smell.kind, one.source_id, *one.heading_path, words)
    return (smell.kind, smell.requirement_id, words)


def _name(smell: Smell) -> str:
    about = sorted([smell.requirement_id, *_others(smell)])
    words = "" if smell.kind == "contradiction" else re.sub(r"\s+", " ", smell.quote).casefold()
    return f"Q-{digest('question', smell.kind, *about, words)}"


def _others(smell: Smell) -> list[str]:
    match = re.match(r"Contradicts (\S+):", smell.why)
    return [match.group(1)] if match else []


def _question(
    name: str, group: Sequence[Smell], by_id: Mapping[str, Requirement], answered: Mapping[str, str]
) -> Question:
    smell = group[0]
    form = FORMS[smell.kind]
    names = list(
        dict.fromkeys([*(one.requirement_id for one in group), *(name for name in _others(smell) if name in by_id)])
    )
    first = by_id[names[0]]
    other = by_id[names[1]].quote if smell.kind == "contradiction" and len(names) > 1 else ""
    why = re.sub(r"^Contradicts \S+: (.)", lambda match: match.group(1).upper(), smell.why)
    filled = {"quote": _short(smell.quote), "where": _short(first.quote), "why": why, "other": _short(other)}
    return Question(
        id=name,
        requirement_ids=names,
        category=smell.kind,
        text=_fill(form.text, filled),
        options=list(form.options),
        impact=_impact(form.impact, [by_id[one] for one in names]),
        uncertainty=form.uncertainty,
        default_assumption=_fill(form.assumption, filled),
        answer=answered.get(name),
    )


def _fill(template: str, values: Mapping[str, str]) -> str:
    """Put values in one pass, so that braces in a quote stay what they are."""
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match.group(1), match.group()), template)


def _short(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= WORDS else text[:WORDS].rsplit(" ", 1)[0] + " …"


def _impact(base: int, requirements: Sequence[Requirement]) -> int:
    """Higher where a mistake is dear, lower where the text only allows."""
    dear = any(
        one.kind in ("security", "privacy") or any(field.type == "money" for field in one.fields)
        for one in requirements
    )
    only_allowed = all(one.modality == "may" for one in requirements)
    return max(1, min(3, base + (1 if dear else 0) - (1 if only_allowed and not dear else 0)))


def link_blocked(questions: Sequence[Question], cases: Sequence[TestCase]) -> list[Question]:
    """The questions, each with the ids of the cases that wait for it, sorted; an answered question blocks nothing."""
    waiting: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        for name in case.question_ids:
            waiting[name].append(case.id)
    return [
        question.model_copy(
            update={"blocks_cases": sorted(set(waiting[question.id])) if question.answer is None else []}
        )
        for question in questions
    ]
