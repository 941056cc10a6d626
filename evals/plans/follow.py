"""Does a plan follow the document, not a memory of it? A text with other numbers and names must give no case with an old one."""

import re
from collections.abc import Sequence

from pydantic import BaseModel

from evals.plans.corpora import draft
from evals.stats import Interval, wilson
from qa_agents.plans.schema import TestCase, TestPlan

_NUMBER = re.compile(r"(?<![\w.,:#+-])[1-9]\d{1,5}(?![\w:-]|[.,]\d)")
_NAME = re.compile(r"(?<=`)[a-z][a-z_]{3,30}(?=`)")
SHIFT = 13
"""What is added to each number: order is kept, so that limits stay limits, and a value beside a limit is not an old one."""
_SYLLABLES = ("bo", "ka", "li", "mu", "ne", "ro", "su", "ti", "va", "ze")


class Followed(BaseModel):
    """One text that was changed in its numbers and names."""

    text: str
    numbers: int
    names: int
    """How many different ones were replaced, and occur nowhere in the changed text."""
    using_old: Interval
    """Cases with a number or name of the unchanged text that the changed text does not hold; must be 0."""
    using_new: Interval
    """Replaced values that some case uses: the check would be worth nothing if there were none."""
    examples: list[str]


def follow(name: str, text: str) -> Followed:
    """Draft from the text with every number of two to six digits and every name in backticks replaced."""
    changed, old, new = replaced(text)
    gone = sorted(value for value in old if not _occurs(value.lower(), changed.lower()))
    plan = draft([(f"{name}.md", changed.encode())]).plan
    guilty = [(case.id, value) for case in plan.cases for value in gone if _occurs(value, _read(case))]
    whole = "\n".join(_read(case) for case in plan.cases)
    used = sum(_occurs(value, whole) for value in new)
    return Followed(
        text=name,
        numbers=sum(value.isdigit() for value in gone),
        names=sum(not value.isdigit() for value in gone),
        using_old=wilson(len({case for case, _ in guilty}), len(plan.cases)),
        using_new=wilson(used, len(new)),
        examples=[f"{case}: {value}" for case, value in guilty[:10]],
    )


def replaced(text: str) -> tuple[str, set[str], set[str]]:
    """The text with other numbers and names, the old values and the new ones; the same value is always replaced alike."""
    old: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return old.setdefault(match[0], str(int(match[0]) + SHIFT))

    changed = _NUMBER.sub(number, text)
    for found in sorted(set(_NAME.findall(changed)), key=lambda one: (-len(one), one)):
        new = old.setdefault(found, "".join(_SYLLABLES[ord(letter) % 10] for letter in found[:4]) + found[-1])
        changed = re.sub(rf"\b{re.escape(found)}\b", new, changed)
    return changed, set(old), set(old.values())


def _occurs(value: str, text: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(value)}(?![\w])", text) is not None


def _read(case: TestCase) -> str:
    steps = [f"{step.action}\n{step.data}\n{step.expected}" for step in case.steps]
    return "\n".join([case.title, case.objective, *case.preconditions, *steps])


def planted(plan: TestPlan, pairs: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], int]:
    """Planted contradictions whose two requirements one question names, and how many such questions name no planted pair."""
    named = {one.id: one.explicit_id for one in plan.requirements}
    asked = [{named.get(name) for name in q.requirement_ids} for q in plan.questions if q.category == "contradiction"]
    found = [pair for pair in pairs if any(set(pair) <= names for names in asked)]
    return found, sum(not any(set(pair) <= names for pair in pairs) for names in asked)
