"""Create, read, update, delete: what was done to a thing must be seen when the thing is looked at again."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

import Stemmer

from qa_agents.plans.schema import CoverageItem, Requirement
from qa_agents.plans.techniques.items import make_item

Deed = Literal["create", "read", "update", "delete"]
_WORDS: dict[Deed, str] = {
    "create": "create add register book submit insert",
    "read": "view list display show open read retrieve",
    "update": "update edit change rename modify",
    "delete": "delete remove cancel destroy archive",
}
_VERBS: dict[str, Deed] = {verb: deed for deed, verbs in _WORDS.items() for verb in verbs.split()}
_FORMS = {
    form: deed
    for verb, deed in _VERBS.items()
    for form in (verb, f"{verb}s", f"{verb.rstrip('e')}es", f"{verb.rstrip('e')}ing")
}
_PHRASE = re.compile(
    r"\b(?P<verb>"
    + "|".join(sorted(_FORMS, key=len, reverse=True))
    + r")\s+(?:an?|the|this|their|his or her|existing|new|selected|any|each|all|own|\s){0,3}\s?"
    r"(?P<thing>[a-z]{3,20})(?P<next> [a-z]{3,20})?",
    re.I,
)
_OTHER = """
    should must can may shall will is are be been was were has have
    the that this them its one changes change content when with from for and not only user users error message page button list
    value values name input text field data site file files
"""
_NOT_THINGS = frozenset(_OTHER.split())
_stem = Stemmer.Stemmer("english").stemWord
FEWEST_DEEDS = 2
"""A thing of which only one deed is told has no life cycle."""
_LOOK: dict[Deed, tuple[str, str]] = {
    "create": (
        "Create {a}, then look for it again",
        "The new {thing} is found again with the values it was created with",
    ),
    "update": (
        "Change {a}, then open it again",
        "The {thing} shows the changed values; everything else about it is as before",
    ),
    "delete": ("Delete {a}, then look for it again", "The {thing} is no longer found, and other entries are untouched"),
}


def crud(requirements: Sequence[Requirement]) -> Iterator[CoverageItem]:
    """One look-again item for each deed that the text tells of a thing with a life cycle, at the first requirement that does."""
    told: dict[tuple[str, str], dict[Deed, tuple[Requirement, str]]] = defaultdict(dict)
    for requirement in requirements:
        if requirement.negated or requirement.data.get("method"):
            continue
        for match in _PHRASE.finditer(requirement.quote):
            thing = match["thing"].lower()
            if thing in _NOT_THINGS or thing in _FORMS:
                continue
            deed = _FORMS[match["verb"].lower()]
            told[(requirement.source_id, _stem(thing))].setdefault(deed, (requirement, thing))
    for deeds in told.values():
        if len(deeds) < FEWEST_DEEDS + ("read" not in deeds):
            continue
        for deed in ("create", "update", "delete"):
            if deed in deeds:
                yield _look_again(deed, *deeds[deed])


def _look_again(deed: Deed, requirement: Requirement, thing: str) -> CoverageItem:
    thing = thing.rstrip("s") if not thing.endswith("ss") else thing
    action, expected = _LOOK[deed]
    article = f"an {thing}" if thing[0] in "aeiou" else f"a {thing}"
    return make_item(
        requirement,
        "crud",
        action.format(a=article, thing=thing),
        rule=f"look-again-after-{deed}",
        parameters={"deed": deed, "thing": thing},
        expected=expected.format(thing=thing),
    )
