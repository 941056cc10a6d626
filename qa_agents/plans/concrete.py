"""Whether a drafted step is a test: a deed one can do, on data one can make, with an outcome that says more than the deed.

What fails here is no case. It is left out with the reason, and asked about where the text demands it: a case that repeats its
requirement looks like coverage and checks nothing.
"""

import re
from collections.abc import Sequence

from qa_agents.plans.actions import COMMANDS, NO_DEED, UNSETTLED
from qa_agents.plans.deeds import CAN, NOTATION
from qa_agents.plans.read.parsed import word_set
from qa_agents.plans.schema import CoverageItem, Requirement, Step

_VISIBLE = re.compile(
    r"\b(?:shows?|shown|displays?|displayed|visible|invisible|hidden|appears?|highlighted|greyed|disabled|enabled|labell?ed"
    r"|sees?|listed|opens?|contains?|includes?|status|message|page|screen|button|colou?r|format)\b",
    re.I,
)
_LITERAL = re.compile(r"`[^`\n]{1,80}`|“[^”\n]{1,80}”|\"[^\"\n]{1,80}\"|\d|\.[a-z]{2,5}\b")
_POINTS_BACK = re.compile(
    r"(?:it|this|that|these|those|they|he|she|there|both|such|each$|all$|some$|the (?:former|latter|above|following))\b",
    re.I,
)
_READER = re.compile(
    r"(?:please|feel free|try to|make sure|be sure|remember|keep in mind|note that|let (?:them|us|him|her|me)"
    r"|don't (?:worry|forget)|all you (?:need|have)|you(?:'ll|'re)?\b|we|our|one way"
    r"|the (?:first|next|second|last) step is)\b",
    re.I,
)
_SAID_BY = re.compile(
    r"(?:[A-Z][a-z]+|people|everybody|nobody|someone) (?:(?!is\b|are\b|be\b|was\b|were\b|not\b)[a-z]+ ){0,2}"
    r"(?:says?|said|thinks?|thought"
    r"|believes?|feels?|knows?|hopes?|wants?|asked|suggested|complains?|complained|prefers?|gets? many)\b",
)
_FINITE = re.compile(
    r"\w \w*\b(?:is|are|was|were|has|have|had|does|do|did|can|cannot|gets?|[a-z]{3,}s|[a-z]{3,}ed)\b|^there\b"
    r"|\w (?:is|are|has|have|can)\b",
    re.I,
)
_ORDERS = re.compile(
    r"(?:use|include|see|look|try|add|put|set|choose|consider|follow|specify|make sure|ensure|avoid|keep|check|remember|place"
    r"|create|run|install|copy|omit|write|give|take|go|do|don't)\b(?! (?:is|are|must|should|will|can)\b)",
    re.I,
)
_VERB = re.compile(
    r"\b(?:is|are|be|been|was|has|have|had|does|do|did|must|shall|should|will|can|cannot|may|not|never|only|no|shown"
    r"|[a-z]{2,}(?:s|ed|es))\b",
    re.I,
)
_FRAGMENT = re.compile(
    r"(?:but|or|than|of|in which|otherwise)\b|is (?:no|one way)\b|.*\b(?:is|are|as|the|of|to|than)\.?$", re.I | re.S
)
_POINTS_ON = re.compile(r"\bthe following(?: \w+){1,2}$", re.I)
_BY_READER = re.compile(
    r"\b(?:have|has) to be \w+(?: \w+)? by (?:the|an?) (?:user|author|developer|reader)\b"
    r"|\byou can (?:find|read|learn)\b",
    re.I,
)
_WORD = re.compile(r"[a-z][a-z0-9_'-]+|\d+", re.I)
_EMPTY = word_set(
    "the a an and or of to in on at by for with from as it its their them they this that these those is are be been was "
    "has have does do must shall should will can may not only also always which when give input look result use uses "
    "used using bring about send enter make set show then also try exercise "
)
_WHOLE_DEEDS = (
    "Give two", "Give one", "Write the input", "Send ", "Enter the values", "As ", "Work ", "Have ", "Press ", "Click ",
)  # fmt: skip


def why_not(requirement: Requirement, item: CoverageItem, steps: Sequence[Step]) -> str | None:
    """Why these steps for an item would be no test, as a clause that follows “no case, for”; None for a test.

    Looks at what the text states itself and at values that no technique gave; structured techniques bring their own data.
    """
    if item.technique != "requirement" or item.rule not in ("stated-outcome", "constraint-broken"):
        return None
    step = steps[0]
    outcome = item.expected or ""
    if _SAID_BY.match(outcome):
        return "it tells what somebody thinks, not what the product does"
    if step.data:
        return None
    if NO_DEED.match(step.action):
        return "it names neither what a tester does nor with which data"
    if step.action.startswith("Give an input that does it nevertheless") and (
        not NOTATION.search(outcome) or _ORDERS.match(outcome)
    ):
        return "it names neither what a tester does nor with which data"
    if _is_unsettled(step.action):
        return "the condition is not one that a tester can bring about"
    seen = step.action.removeprefix("Look at ")
    if seen != step.action and (seen[0] == "“" or _POINTS_BACK.match(seen) or not _VISIBLE.search(outcome)):
        return "it names neither what a tester does nor with which data"
    if step.action.startswith("Review ") and outcome.lower().startswith("otherwise"):
        return "it speaks of something that only the sentences before it name"
    if step.action.startswith("Review ") and not _LITERAL.search(requirement.quote):
        return "it is a rule for whoever builds the product, and names nothing that a review could compare"
    alone = not item.parameters.get("condition")
    if alone and _POINTS_BACK.match(outcome) and not step.action.startswith(_WHOLE_DEEDS):
        return "it speaks of something that only the sentences before it name"
    if _POINTS_ON.search(outcome.rstrip(" .:")) and not _LITERAL.search(outcome):
        return "it speaks of something that only what follows it names"
    if _FRAGMENT.match(step.expected) or _BY_READER.search(outcome):
        return "its outcome is not a whole statement about the product"
    if _is_clumsy(step.action):
        return "the condition is not one that a tester can bring about"
    if _READER.match(outcome) and step.expected.lower().startswith(outcome[:20].lower()):
        return "it advises the reader and states nothing of the product"
    if item.parameters.get("condition") and _ORDERS.match(step.expected):
        return "it tells the reader what to do, not what the product does"
    if step.expected == CAN and not step.action.startswith("As ") and not _LITERAL.search(requirement.quote):
        return "it says that something can be done, and nothing of what comes of it"
    if len(step.expected.split()) < 3 or not _VERB.search(step.expected):
        return "its outcome is not a whole statement"
    if _adds_nothing(step):
        return "its outcome would only repeat what was done"
    return None


_LIKENED = re.compile(r"(?:like|unlike|similar to|as with|just as) [^,]{1,80}, ", re.I)


def _stem(word: str) -> str:
    return re.sub(r"(?:ed|es|s|ing|e)$", "", word.casefold())


def _is_clumsy(action: str) -> bool:
    """Whether a condition could only be turned round as a whole, and speaks of something that it does not name."""
    return bool(re.match(r"Bring it about that it is not the case that (?:it|they|this|that)\b", action))


def _is_unsettled(action: str) -> bool:
    """Whether the order names no deed and no state: `Bring it about that supported by …` lacks who or what."""
    if (
        action.startswith(UNSETTLED)
        or action.endswith(" to")
        or (len(action.split()) < 2 and action.lower() not in COMMANDS)
    ):
        return True
    condition = action.removeprefix("Bring it about that ")
    return condition != action and not _FINITE.search(condition)


def _adds_nothing(step: Step) -> bool:
    """Whether every word of the outcome that means something stands in the action already."""
    told = _LIKENED.sub("", step.expected, count=1)
    said = {_stem(word) for word in _WORD.findall(told) if word.casefold() not in _EMPTY}
    done = {_stem(word) for word in _WORD.findall(step.action)}
    return said <= done and not step.action.startswith(("As ", "Look for "))
