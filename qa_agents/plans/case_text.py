"""The words of a case: title, objective, preconditions and steps, from the requirement and the items it covers."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from qa_agents.plans.actions import as_order, person_of, subject_of
from qa_agents.plans.schema import CoverageItem, Requirement, Step
from qa_agents.plans.stated import stated_step
from qa_agents.plans.techniques.api_request import request_for
from qa_agents.plans.techniques.equivalence import ABSENT
from qa_agents.plans.wording import (
    OBSERVED,
    UNOBSERVABLE,
    bare_condition,
    condition_of,
    cut,
    flat,
    lead_of,
    lower_first,
    numbers,
    place_of,
    sentence,
)

DATA_CHARS = 1_500


class Words(NamedTuple):
    """What a person reads of a case."""

    title: str
    objective: str
    preconditions: list[str]
    steps: list[Step]


def words_for(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> Words:
    """The words of the case for these items, with `expected` as its outcome."""
    item = group[0]
    write = _BY_TECHNIQUE.get(item.technique, _values)
    if requirement.data.get("method"):
        write = _request
    elif item.rule.startswith("example-"):
        write = _example
    elif item.rule in _SITUATIONS:
        write = _situation
    title, preconditions, steps = write(requirement, group, expected)
    place = place_of(requirement)
    if place and not requirement.data.get("method") and not title.lower().startswith(place.lower()):
        title = f"{place}: {title}"
    steps = with_look_again(steps)
    return Words(cut(title), sentence(f"Show that {_purpose(requirement, item, expected)}"), preconditions, steps)


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
    return f"{cut(outcome, 200)}{f', when {cut(condition, 120)}' if condition and not condition.lower().endswith('ing') else ''}"


def _verbal(text: str) -> bool:
    """Whether the text begins with a verb in the third person, which needs a subject."""
    second = text.split()[1].lower()
    return second in {
        "the",
        "a",
        "an",
        "it",
        "its",
        "all",
        "any",
        "each",
        "to",
        "and",
        "completed",
        "them",
        "this",
        "that",
        "their",
    }


def _where(requirement: Requirement) -> list[str]:
    """Where the tester is and who they are; the requirement's own precondition."""
    found = []
    if requirement.precondition and (bare := bare_condition(requirement.precondition)):
        found.append(sentence(bare))
    if person := person_of(requirement):
        found.append(f"Signed in as {person}.")
    return found


def _statement(
    requirement: Requirement, group: Sequence[CoverageItem], expected: str
) -> tuple[str, list[str], list[Step]]:
    condition = group[0].parameters.get("condition", "")
    outcome = flat(expected).rstrip(" .")
    if len(group) > 1:
        title, preconditions, steps = _values(requirement, group[1:], f"{outcome}; the values given are accepted")
        return lower_first(outcome) if len(outcome) > 8 else title, preconditions, steps
    if not condition:
        title = (
            outcome
            if group[0].rule != "constraint-broken"
            else f"breaking the rule “{cut(group[0].what, 60)}” is refused"
        )
        return title, _where(requirement), [_plain_step(requirement, group[0], outcome)]
    lead = lead_of(requirement, condition)
    trigger = bare_condition(requirement.trigger or "")
    if trigger and requirement.precondition:
        action = as_order(trigger if trigger.lower() in condition.lower() else condition, place_of(requirement))
    else:
        action = as_order(condition, place_of(requirement))
    preconditions = _where(requirement)
    if not trigger and requirement.precondition:
        preconditions = [
            one for one in preconditions if one != sentence(bare_condition(requirement.precondition or ""))
        ]
    title = f"{lead} {lower_first(condition)}, {lower_first(outcome)}"
    return title, preconditions, [Step(action=cut(action, 300), expected=sentence(outcome))]


def _plain_step(requirement: Requirement, item: CoverageItem, outcome: str) -> Step:
    """The step for a statement without a condition: an input that holds to it, a deed, a look."""
    if item.rule == "constraint-broken":
        return Step(
            action=f"Give an input that breaks the rule in one place: “{cut(item.what, 200)}”",
            expected=sentence(item.expected or ""),
        )
    if item.rule == "stated-outcome" and (step := stated_step(requirement, item, outcome)):
        return step
    if requirement.kind == "data" and item.polarity == "negative":
        return Step(
            action=f"Give an input that does it nevertheless: “{cut(outcome, 200)}”",
            expected=sentence(f"The input is refused: {outcome}"),
        )
    if requirement.kind == "data" and requirement.modality != "none" and not subject_of(requirement).startswith("“"):
        return Step(
            action=f"Give an input in which {subject_of(requirement)} is as stated",
            expected=sentence(f"The input is accepted: {outcome}"),
        )
    if OBSERVED.search(outcome):
        return Step(action=f"Look at {subject_of(requirement)}", expected=sentence(outcome))
    return Step(action=f"Exercise {subject_of(requirement)} and look at the result", expected=sentence(outcome))


def _decision(
    requirement: Requirement, group: Sequence[CoverageItem], expected: str
) -> tuple[str, list[str], list[Step]]:
    item = group[0]
    pairs = [f"{name} = {value}" for name, value in item.parameters.items()]
    if item.rule == "condition-not-met":
        bare = item.parameters["condition"]
        title = f"when {lower_first(bare)}, {lower_first(expected)}"
        return title, [], [Step(action=as_order(bare), expected=sentence(expected))]
    situation = item.what.split(" → ", 1)[0]
    title = f"{cut(situation, 70)}: {lower_first(expected)}"
    order = f"Set up: {situation}"
    trigger = (
        as_order(requirement.trigger or "")
        if requirement.trigger and normal_in(requirement.trigger, situation) is False
        else ""
    )
    steps = [
        Step(
            action=f"{order}; then {lower_first(trigger)}" if trigger else order,
            data="\n".join(pairs),
            expected=sentence(expected),
        )
    ]
    return title, _where(requirement), steps


def normal_in(part: str, whole: str) -> bool:
    """Whether the one text occurs in the other, case and opening word apart."""
    return bare_condition(part).lower() in whole.lower()


def _transition(
    requirement: Requirement, group: Sequence[CoverageItem], expected: str
) -> tuple[str, list[str], list[Step]]:
    item = group[0]
    state, event = item.parameters["state"], item.parameters["event"]
    before = [f"The state is {state}."]
    if item.technique == "state1":
        between, then = item.parameters["between"], item.parameters["then"]
        title = f"from {state} by {event} and {then}: {lower_first(expected)}"
        return (
            title,
            before,
            [
                Step(action=cut(event, 200), expected=f"The state is {between}."),
                Step(action=cut(then, 200), expected=sentence(expected)),
            ],
        )
    word = "changes nothing" if item.technique == "state_invalid" else lower_first(expected)
    return (
        f"{event} in state {state}: {word}",
        before,
        [Step(action=cut(f"Trigger: {event}", 300), expected=sentence(expected))],
    )


def _permission(
    requirement: Requirement, group: Sequence[CoverageItem], expected: str
) -> tuple[str, list[str], list[Step]]:
    item = group[0]
    role, deed = item.parameters["role"], item.parameters["action"]
    allowed = item.polarity == "positive"
    title = f"{role} {'can' if allowed else 'cannot'} {deed}" if item.rule != "open-cell" else f"{role} tries to {deed}"
    shown = (
        f"{sentence(expected)} The effect is shown."
        if allowed
        else f"{sentence(expected)} A refusal is shown and nothing is changed."
    )
    return (
        title,
        [f"Signed in as {role}."],
        [Step(action=f"Try to {deed}", expected=shown if item.rule != "open-cell" else sentence(expected))],
    )


def _values(
    requirement: Requirement, group: Sequence[CoverageItem], expected: str
) -> tuple[str, list[str], list[Step]]:
    item = group[0]
    data = {name: value for one in group for name, value in one.parameters.items() if name != "condition"}
    lines = [f"{name}: {'left out' if value == ABSENT else value}" for name, value in data.items()]
    names = ", ".join(data)
    trigger = as_order(requirement.trigger or "")
    action = (
        f"{trigger}, with the values given"
        if trigger
        else f"Enter the values given for {names}"
        if names
        else f"Try: {item.what}"
    )
    if item.rule.startswith(("output-", "threshold-")):
        held = any(number in numbers(requirement.trigger or "") for number in numbers(requirement.quote))
        action = f"Set up the situation: {item.what}" + (
            f"; then {lower_first(trigger)}" if trigger and not held else ""
        )
    if item.polarity != "negative" and not item.rule.startswith(("output-", "threshold-")):
        lines.append("all other values: valid")
    flatly = item.polarity == "negative" and re.search(r"\bis refused\b(?!.*\belse\b)", expected)
    verdict = "is refused" if flatly else lower_first(flat(expected))
    what = (
        item.what
        if len(group) == 1 or item.polarity != "positive"
        else ", ".join(f"{n} = {v}" for n, v in data.items())
    )
    title = (
        f"{what} {verdict}"
        if verdict == "is refused"
        else f"{what}: {'accepted' if verdict.endswith('accepted') else verdict}"
    )
    return (
        title,
        _where(requirement),
        [Step(action=cut(action, 300), data="\n".join(lines)[:DATA_CHARS], expected=sentence(expected))],
    )


def _situation(
    requirement: Requirement, group: Sequence[CoverageItem], expected: str
) -> tuple[str, list[str], list[Step]]:
    item = group[0]
    order = as_order(requirement.trigger or "") or f"Do what is stated: {cut(requirement.text, 160)}"
    title = f"{item.rule.replace('-', ' ')} – {lower_first(expected)} ({cut(requirement.text, 50)})"
    steps = [Step(action=f"{order}. {sentence(item.what)}", expected=sentence(expected))]
    return title, _where(requirement), steps


def _probe(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> tuple[str, list[str], list[Step]]:
    item = group[0]
    order = as_order(requirement.trigger or "")
    action = f"{order}. {item.what}" if order else item.what
    return flat(expected), _where(requirement), [Step(action=action, expected=sentence(expected))]


def _crud(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> tuple[str, list[str], list[Step]]:
    item = group[0]
    do, _, look = item.what.partition(", then ")
    steps = [
        Step(action=do, expected="The product shows that it is done."),
        Step(action=look.capitalize(), expected=sentence(expected)),
    ]
    return f"{lower_first(item.what)}: {lower_first(expected)}", _where(requirement), steps


def _example(
    requirement: Requirement, group: Sequence[CoverageItem], expected: str
) -> tuple[str, list[str], list[Step]]:
    item = group[0]
    text = item.parameters.get("input", "")
    title = f"{cut(requirement.text, 60)} – example {'accepted' if item.polarity == 'positive' else 'refused'}: {cut(text, 40)}"
    return (
        title,
        [],
        [
            Step(
                action="Give it the example of the specification as input",
                data=text[:DATA_CHARS],
                expected=sentence(expected),
            )
        ],
    )


def _path(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> tuple[str, list[str], list[Step]]:
    item = group[0]
    orders = item.parameters.get("steps", "").split("\n")
    last = len(orders) - 1
    steps = [
        Step(
            action=as_order(order) if place == 0 else cut(sentence(order), 300),
            expected=sentence(expected) if place == last else f"{sentence(order)} The next step can be done.",
        )
        for place, order in enumerate(orders)
    ]
    return item.what, _where(requirement), steps


def _request(
    requirement: Requirement, group: Sequence[CoverageItem], expected: str
) -> tuple[str, list[str], list[Step]]:
    item = group[0]
    request = request_for(requirement, item)
    name, _, what = item.what.partition(": ")
    keys = [
        f"{key} = key of an existing entry" for key, value in request.get("path_params", {}).items() if value is None
    ]
    preconditions = [f"Known to the API: {', '.join(keys)}."] if keys else []
    preconditions.append(
        {
            "valid": "Credentials are valid.",
            "none": "No credentials are sent.",
            "invalid": "The credentials are not valid.",
        }[request.get("auth", "none")]
    )
    lines: list[str] = []
    lines += [f"path {key}: {value}" for key, value in request.get("path_params", {}).items() if value is not None]
    lines += [
        f"query {key}: {value if isinstance(value, str) else json.dumps(value)}"
        for key, value in request.get("query", {}).items()
    ]
    lines += [f"header {key}: {value}" for key, value in request.get("headers", {}).items()]
    body: Any = request.get("raw_body", json.dumps(request["body"], ensure_ascii=False) if "body" in request else None)
    if body is not None:
        lines.append(f"body ({request.get('content_type', 'application/json')}): {body}")
    outcome = f"status {' / '.join(str(code) for code in request.get('expected_status', []))}"
    step = Step(action=f"Send {name}: {what}", data="\n".join(lines)[:DATA_CHARS], expected=sentence(expected))
    return f"{item.what} → {outcome}", preconditions, [step]


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
_Write = Callable[[Requirement, Sequence[CoverageItem], str], tuple[str, list[str], list[Step]]]
_BY_TECHNIQUE: dict[str, _Write] = {
    "requirement": _statement,
    "decision": _decision,
    "state0": _transition,
    "state1": _transition,
    "state_invalid": _transition,
    "permission": _permission,
    "non_functional": _probe,
    "crud": _crud,
    "use_case": _path,
}
