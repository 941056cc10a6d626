"""The words of cases that techniques other than the plain statement make: values, rules, states, roles, requests."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from qa_agents.plans.actions import as_order, where
from qa_agents.plans.claims import with_number
from qa_agents.plans.deeds import NOTATION
from qa_agents.plans.requirements.rules import EVERYBODY_ELSE
from qa_agents.plans.schema import CoverageItem, Requirement, Step
from qa_agents.plans.techniques.api_request import request_for
from qa_agents.plans.techniques.equivalence import ABSENT
from qa_agents.plans.wording import bare_condition, cut, flat, lower_first, numbers, place_of, sentence

DATA_CHARS = 1_500


class Told(NamedTuple):
    """What is told of a case, before its place is put in front."""

    title: str
    preconditions: list[str]
    steps: list[Step]
    rule: str = ""
    """By which the outcome follows, where it is neither the text's own nor the item's."""


def decision(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> Told:
    """A rule: its conditions set up, its outcome looked at."""
    item = group[0]
    pairs = [f"{name} = {value}" for name, value in item.parameters.items()]
    if item.rule == "condition-not-met":
        bare = item.parameters["condition"]
        if place_of(requirement) and expected.split(" ", 1)[0] in ("is", "are", "has", "have", "does", "do"):
            expected = f"“{place_of(requirement)}” {expected}"
        title = f"when {lower_first(bare)}, {lower_first(expected)}"
        return Told(title, [], [Step(action=as_order(bare), expected=sentence(expected))])
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
    return Told(title, where(requirement), steps)


def normal_in(part: str, whole: str) -> bool:
    """Whether the one text occurs in the other, case and opening word apart."""
    return bare_condition(part).lower() in whole.lower()


def transition(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> Told:
    """A state, an event, and the state after it; two of them for a 1-switch item."""
    item = group[0]
    state, event = item.parameters["state"], item.parameters["event"]
    before = [f"The state is {state}."]
    if item.technique == "state1":
        between, then = item.parameters["between"], item.parameters["then"]
        title = f"from {state} by {event} and {then}: {lower_first(expected)}"
        return Told(
            title,
            before,
            [
                Step(action=cut(event, 200), expected=f"The state is {between}."),
                Step(action=cut(then, 200), expected=sentence(expected)),
            ],
        )
    word = "changes nothing" if item.technique == "state_invalid" else lower_first(expected)
    return Told(
        f"{event} in state {state}: {word}",
        before,
        [Step(action=cut(f"Trigger: {event}", 300), expected=sentence(expected))],
    )


def permission(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> Told:
    """Somebody in a role tries an action."""
    item = group[0]
    role, deed = item.parameters["role"], item.parameters["action"]
    allowed = item.polarity == "positive"
    title = f"{role} {'can' if allowed else 'cannot'} {deed}" if item.rule != "open-cell" else f"{role} tries to {deed}"
    shown = (
        f"{sentence(expected)} The effect is shown."
        if allowed
        else f"{sentence(expected)} A refusal is shown and nothing is changed."
    )
    return Told(
        title,
        [f"Signed in as {_somebody(role, requirement)}."],
        [Step(action=f"Try to {deed}", expected=shown if item.rule != "open-cell" else sentence(expected))],
    )


def _somebody(role: str, requirement: Requirement) -> str:
    """The role; for everybody else, somebody who has none of the roles that are let in."""
    named = list(
        dict.fromkeys(one.role for one in requirement.permissions if one.allowed and one.role != EVERYBODY_ELSE)
    )
    if role != EVERYBODY_ELSE or not named:
        return role
    return f"somebody who is {'no ' + named[0] if len(named) == 1 else 'neither ' + ' nor '.join(named)}"


def values(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> Told:
    """Values are entered, one case for each group of them."""
    item = group[0]
    data = {name: value for one in group for name, value in one.parameters.items() if name != "condition"}
    lines = [f"{name}: {'left out' if value == ABSENT else value}" for name, value in data.items()]
    names = ", ".join(data)
    trigger = as_order(requirement.trigger or "")
    counted = with_number(requirement, data)
    in_input = _in_input(item, data) if " | " not in requirement.quote else ""
    action = (
        counted
        if counted
        else f"{trigger}, with the values given"
        if trigger
        else in_input
        if in_input
        else f"Enter the values given for {names}"
        if names
        else f"Try: {item.what}"
    )
    if item.rule.startswith(("output-", "threshold-")):
        held = any(number in numbers(requirement.trigger or "") for number in numbers(requirement.quote))
        action = f"Set up the situation: {item.what}" + (
            f"; then {lower_first(trigger)}" if trigger and not held else ""
        )
        if not trigger and len(data) == 1 and _TIME.fullmatch(next(iter(data.values()))):
            action = f"Let {next(iter(data.values()))} pass ({item.what}), and look at {next(iter(data))}"
    if counted:
        lines, expected = [], _OF_VALUE.sub("This", expected).replace("the values given are", "this is")
    elif item.polarity != "negative" and not item.rule.startswith(("output-", "threshold-")):
        lines.append("all other values: valid")
    flatly = item.polarity == "negative" and re.search(r"\bis refused\b(?!.*\belse\b)", expected)
    verdict = "is refused" if flatly else lower_first(flat(expected))
    what = (
        item.what
        if len(group) == 1 or item.polarity != "positive"
        else ", ".join(f"{n} left out" if v == ABSENT else f"{n} = {v}" for n, v in data.items())
    )
    title = (
        f"{what} {verdict}"
        if verdict == "is refused"
        else f"{what}: {'accepted' if verdict.endswith('accepted') else verdict}"
    )
    return Told(
        title,
        where(requirement),
        [Step(action=cut(action, 300), data="\n".join(lines)[:DATA_CHARS], expected=sentence(expected))],
    )


def _in_input(item: CoverageItem, data: Mapping[str, str]) -> str:
    """The order where what has the value is part of an input, as keys and strings are, and no field; else empty."""
    names = list(data)
    if len(names) != 1 or not NOTATION.search(names[0]) or item.rule not in _OF_INPUT:
        return ""
    return f"Give an input in which {names[0]} {'are' if names[0].endswith('s') else 'is'} as given"


_OF_VALUE = re.compile(r"^[^=]{1,80} = [^=]{1,40}?(?= is (?:refused|accepted))")
_TIME = re.compile(r"\d+(?:[.,]\d+)? ?(?:ms|s|sec|seconds?|min|minutes?|h|hours?|d|days?|weeks?|months?|years?)", re.I)
_OF_INPUT = frozenset({"listed-value", "unlisted-value", "matches-pattern", "breaks-pattern"})


def situation(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> Told:
    """What goes wrong around the work: sent twice, cut off, at the same time."""
    item = group[0]
    order = as_order(requirement.trigger or "") or f"Do what is stated: {cut(requirement.text, 160)}"
    title = f"{item.rule.replace('-', ' ')} – {lower_first(expected)} ({cut(requirement.text, 50)})"
    steps = [Step(action=f"{order}. {sentence(item.what)}", expected=sentence(expected))]
    return Told(title, where(requirement), steps)


def probe(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> Told:
    """A quality is looked into as its technique says."""
    item = group[0]
    order = as_order(requirement.trigger or "")
    action = f"{order}. {item.what}" if order else item.what
    return Told(flat(expected), where(requirement), [Step(action=action, expected=sentence(expected))])


def crud(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> Told:
    """Something is done, and then looked for."""
    item = group[0]
    do, _, look = item.what.partition(", then ")
    steps = [
        Step(action=do, expected="The product shows that it is done."),
        Step(action=look.capitalize(), expected=sentence(expected)),
    ]
    return Told(f"{lower_first(item.what)}: {lower_first(expected)}", where(requirement), steps)


def example(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> Told:
    """An example of the text is given as input."""
    item = group[0]
    text = item.parameters.get("input", "")
    if item.rule == "example-result":
        said = f"The result is the one that the text shows:\n{item.parameters['output']}"
        step = Step(action="Give it the example of the specification as input", data=text[:DATA_CHARS], expected=said)
        return Told(f"{cut(requirement.text, 60)} – example with its result: {cut(text, 40)}", [], [step])
    title = f"{cut(requirement.text, 60)} – example {'accepted' if item.polarity == 'positive' else 'refused'}: {cut(text, 40)}"
    return Told(
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


def path(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> Told:
    """A way through a flow, step by step."""
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
    return Told(item.what, where(requirement), steps)


def request(requirement: Requirement, group: Sequence[CoverageItem], expected: str) -> Told:
    """One request to an API operation, with its data and the status that answers it."""
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
    return Told(f"{item.what} → {outcome}", preconditions, [step])
