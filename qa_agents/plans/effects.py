"""What a tester does about what one thing does to another: leaves it alone, brings it about, is there for it."""

import re

from qa_agents.plans.actions import as_order
from qa_agents.plans.deeds import NOTATION, Stated, is_vague, subject_words
from qa_agents.plans.schema import Requirement, Step
from qa_agents.plans.wording import lower_first, sentence

_MODAL = r"(?:must|shall|should|will|can|may)"
_UNAFFECTED = re.compile(
    rf"(?P<cause>[^.;:]{{3,90}}?) (?:(?:{_MODAL} ?(?:not|never)|cannot|do not|does not|never) "
    r"(?:affect|influence|change|alter|disturb|interfere with|modify)|(?:has|have) no (?:effect|influence) on)s? "
    r"(?P<what>(?:the|an?|its?|any|other|how|what)\b[^.;:]{3,90})$",
    re.I,
)
_CAUSED = re.compile(
    rf"(?P<cause>[^.;:]{{5,140}}?),? (?:{_MODAL} )(?:always )?(?:results? in|leads? to|causes?|produces?|raises?|triggers?"
    r"|yields?|ends? in) (?P<what>[^;:]{3,120})$",
    re.I,
)
_SERVES = re.compile(r"(?P<what>[^,.;:]{3,60}?) (?:is|are) used to (?P<end>(?!be\b)[a-z]+ [^.;:]{5,140})$", re.I)


def effect_of(requirement: Requirement, claim: str, outcome: str) -> Stated | None:
    """The step for what one thing does to another; None where the claim says nothing of the kind.

    A subject that only other sentences name is left alone.
    """
    return next(
        (found for form in (_unaffected, _caused, _served) if (found := form(requirement, claim, outcome)) is not None),
        None,
    )


def _unaffected(_requirement: Requirement, claim: str, outcome: str) -> Stated | None:
    """What must make no difference is tried with it and without it."""
    found = _UNAFFECTED.match(claim)
    if found is None or is_vague(found["cause"]):
        return None
    cause = subject_words(found["cause"])
    order = (
        f"Try {lower_first(found['what'])} once with {cause} and once without, otherwise alike, and compare the results"
    )
    return Stated(Step(action=order, expected=f"Both results are the same: {lower_first(sentence(outcome))}"))


def _caused(requirement: Requirement, claim: str, outcome: str) -> Stated | None:
    found = _CAUSED.match(claim)
    if found is None or requirement.negated or is_vague(found["cause"]):
        return None
    order = as_order(found["cause"])
    if order.startswith(("Bring", "Give an input", "Do it by")):
        order = f"Provoke this: {subject_words(found['cause'])}"
    return Stated(Step(action=order, expected=sentence(outcome)))


def _served(_requirement: Requirement, claim: str, _outcome: str) -> Stated | None:
    """What something in an input is there for is seen when it is there."""
    found = _SERVES.match(claim)
    if found is None or is_vague(found["what"]) or not NOTATION.search(found["what"]):
        return None
    order = f"Give an input with {subject_words(found['what'])} and look at the result"
    return Stated(Step(action=order, expected=f"The product does this: {found['end']}."))
