"""The words of a case: title, objective, preconditions and steps, from the requirement and the items it covers."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from qa_agents.plans import technique_text as told_of
from qa_agents.plans.actions import as_order, broken, subject_of, where
from qa_agents.plans.deeds import is_vague, subject_words
from qa_agents.plans.duties import as_duty, duty_under
from qa_agents.plans.read.parsed import word_set
from qa_agents.plans.schema import CoverageItem, Requirement, Step
from qa_agents.plans.stated import stated_step
from qa_agents.plans.technique_text import Told
from qa_agents.plans.wording import (
    OBSERVED,
    UNOBSERVABLE,
    bare_condition,
    condition_of,
    cut,
    flat,
    lead_of,
    lower_first,
    place_of,
    sentence,
)


class Words(NamedTuple):
    """What a person reads of a case."""

    title: str
    objective: str
    preconditions: list[str]
    steps: list[Step]
    rule: str = ""
    """By which the outcome follows from the statement; empty where it is the text's own, or the item names its rule."""


def words_for(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> Words:
    """The words of the case for these items, with `expected` as its outcome."""
    item = group[0]
    write = _BY_TECHNIQUE.get(item.technique, told_of.values)
    if requirement.data.get("method"):
        write = told_of.request
    elif item.rule.startswith("example-"):
        write = told_of.example
    elif item.rule in _SITUATIONS:
        write = told_of.situation
    title, preconditions, steps, rule = write(requirement, group, expected)
    if _OUTSIDE.search(steps[0].action):
        preconditions = [one for one in preconditions if not one.startswith("Signed in")]
    place = place_of(requirement)
    if place and not requirement.data.get("method") and not title.lower().startswith(place.lower()):
        title = f"{place}: {title}"
    steps = with_look_again(steps)
    return Words(cut(title), sentence(f"Show that {_purpose(requirement, item, expected)}"), preconditions, steps, rule)


_OUTSIDE = re.compile(
    r"\bwithout (?:an? |any )?(?:account|login|credentials?|signing in|logging in)\b"
    r"|\b(?:did not|does not|not|never) (?:sign(?:ed)?|log(?:ged)?) in\b",
    re.I,
)
"""Who does this is signed in as nobody."""


def with_look_again(steps: list[Step]) -> list[Step]:
    """The steps, with one more where the outcome is something that nobody sees until it is looked at again."""
    if not _unseen(steps):
        return steps
    said = f"What is shown then agrees: {lower_first(steps[-1].expected)}"
    return [*steps, Step(action="Look at it again: leave, come back and reload", expected=said)]


def _unseen(steps: Sequence[Step]) -> bool:
    """Whether the outcome is one that nobody sees until it is looked at again."""
    return bool(UNOBSERVABLE.search(steps[-1].expected)) and not any(OBSERVED.search(step.expected) for step in steps)


def _purpose(requirement: Requirement, item: CoverageItem, expected: str) -> str:
    condition = item.parameters.get("condition") or (
        condition_of(requirement) if item.technique == "requirement" else ""
    )
    outcome = lower_first(flat(expected).rstrip(".")) if expected else lower_first(item.what)
    outcome = (
        f"the product {outcome}"
        if outcome.split(" ", 1)[0].endswith("s") and len(outcome.split()) > 1 and _verbal(outcome)
        else outcome
    )
    under = f", when {cut(condition, 120)}" if condition and not condition.lower().endswith("ing") else ""
    return f"{cut(outcome, 200)}{under}"


_OBJECTS = word_set("the a an it its all any each to and completed them this that their")


def _verbal(text: str) -> bool:
    """Whether the text begins with a verb in the third person, which needs a subject."""
    return text.split()[1].lower() in _OBJECTS


def _statement(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> Told:
    condition = group[0].parameters.get("condition", "")
    outcome = flat(expected).rstrip(" .")
    if len(group) > 1:
        said = "The values given are accepted" if _is_row(requirement) else f"{outcome}; the values given are accepted"
        title, preconditions, steps, rule = told_of.values(requirement, group[1:], said)
        return Told(lower_first(outcome) if len(outcome) > 8 else title, preconditions, steps, rule)
    if not condition:
        breaks = group[0].rule == "constraint-broken"
        title = f"breaking the rule “{cut(group[0].what, 60)}” is refused" if breaks else as_duty(outcome)
        step, rule = _plain_step(requirement, group[0], outcome)
        return Told(title, where(requirement), [step], rule)
    if duty := duty_under(requirement, condition, outcome):
        return Told(as_duty(requirement.text), where(requirement), [duty.step], duty.rule)
    if not _OF_READER.match(condition):
        outcome = as_duty(outcome)
    condition = named(condition, outcome, requirement.text)
    lead = lead_of(requirement, condition)
    trigger = bare_condition(requirement.trigger or "")
    if trigger and requirement.precondition:
        action = as_order(trigger if trigger.lower() in condition.lower() else condition, place_of(requirement))
    else:
        action = as_order(condition, place_of(requirement))
    own = _MAIN_SUBJECT.match(flat(requirement.response or ""))
    if action.startswith("Use it ") and own and not is_vague(own["s"]):
        action = f"Use {subject_words(own['s'])} {action[7:]}"
    preconditions = where(requirement)
    if not trigger and requirement.precondition:
        told = sentence(bare_condition(requirement.precondition))
        preconditions = [one for one in preconditions if one != told]
    title = f"{lead} {lower_first(condition)}, {lower_first(outcome)}"
    return Told(title, preconditions, [Step(action=cut(action, 300), expected=sentence(outcome))])


def named(condition: str, outcome: str, text: str) -> str:
    """The condition with the subject of the main clause for its pronoun, where it follows it: `hidden when it is empty`."""
    pronoun = _PRONOUN.match(condition)
    subject = _MAIN_SUBJECT.match(outcome)
    if pronoun is None or subject is None or text.find(condition) < text.find(outcome) or is_vague(subject["s"]):
        return condition
    verb = {"'s": " is", "’s": " is", "'re": " are", "’re": " are"}.get(pronoun["short"] or "", "")
    return f"{subject_words(subject['s'])}{verb}{condition[pronoun.end() :]}"


_PRONOUN = re.compile(r"(?:it|they)(?P<short>['’](?:s|re))?\b", re.I)
_MAIN_SUBJECT = re.compile(
    r"(?P<s>(?:the|an?|each|every|all|any|[A-Z])[^,.;:]{2,60}?) (?:must|shall|should|will|can|may|is|are|has)\b"
)
_OF_READER = re.compile(r"(?:you|we|using|writing)\b", re.I)


def _is_row(requirement: Requirement) -> bool:
    """Whether it is the row of a table of fields, whose cells say nothing as a sentence."""
    return bool(requirement.fields) and " | " in requirement.quote


def _plain_step(requirement: Requirement, item: CoverageItem, outcome: str) -> tuple[Step, str]:
    """The step for a statement without a condition: an input that holds to it, a deed, a look; and the outcome's rule."""
    if item.rule == "constraint-broken":
        return Step(action=cut(broken(item.what), 300), expected=sentence(item.expected or "")), ""
    if item.rule == "stated-outcome" and (stated := stated_step(requirement, item, outcome)):
        return stated.step, stated.rule
    if requirement.kind == "data" and item.polarity == "negative":
        done = Step(
            action=f"Give an input that does it nevertheless: “{cut(outcome, 200)}”",
            expected=sentence(f"The input is refused: {outcome}"),
        )
    elif requirement.kind == "data" and requirement.modality != "none" and not subject_of(requirement).startswith("“"):
        done = Step(
            action=f"Give an input in which {subject_of(requirement)} is as stated",
            expected=sentence(f"The input is accepted: {outcome}"),
        )
    elif OBSERVED.search(outcome):
        done = Step(action=f"Look at {subject_of(requirement)}", expected=sentence(outcome))
    else:
        done = Step(action=f"Exercise {subject_of(requirement)} and look at the result", expected=sentence(outcome))
    return done, ""


_SITUATIONS = frozenset(
    {
        "twice-sent",
        "at-the-same-time",
        "retried",
        "page-beyond-the-end",
        "changed-between-pages",
        "across-clock-change",
        "connection-lost",
    }
)
_Write = Callable[[Requirement, Sequence[CoverageItem], str], Told]
_BY_TECHNIQUE: dict[str, _Write] = {
    "requirement": _statement,
    "decision": told_of.decision,
    "state0": told_of.transition,
    "state1": told_of.transition,
    "state_invalid": told_of.transition,
    "permission": told_of.permission,
    "non_functional": told_of.probe,
    "crud": told_of.crud,
    "use_case": told_of.path,
}
