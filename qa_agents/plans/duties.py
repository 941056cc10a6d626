"""What a tester does about a duty of the product: what it counts, keeps, trims, orders, wraps, and never lets happen."""

import re

from qa_agents.plans.actions import PERSON
from qa_agents.plans.deeds import ABLE_RULE, ACTION_CHARS, NOTATION, Stated, is_vague, subject_words
from qa_agents.plans.schema import Requirement, Step
from qa_agents.plans.wording import cut, flat, place_of, sentence

KEPT_RULE = "what-is-kept-is-there-again"
LEFT_OUT_RULE = "required-left-out"
FIRST_RULE = "what-must-come-first-is-asked-for"
BREAKS = frozenset({FIRST_RULE, LEFT_OUT_RULE})
"""Rules whose step goes against the statement, and is refused."""
_MODAL = r"(?:must|shall|should|will|can|may|is|are|has to|have to|needs? to)"
_COUNTED = re.compile(
    r"\b(?:display|show|indicat|print)\w*\b[^.;]{0,40}?\b(?:number|count|total number) of (?P<what>(?:[a-z-]+ ){0,3}?[a-z-]+s)\b",
    re.I,
)
_KEEPS = re.compile(
    rf"(?:.{{2,60}}? )?(?:{_MODAL} )?(?:\w+ly )?(?:persist|remember|restore|preserve)s? (?P<what>(?:the|all|its|every|any|each)"
    r" [^,.;:]{3,60}?)(?= (?:to|in|on|across|between|after|when|over)\b|$)",
    re.I,
)
_IS_KEPT = re.compile(
    rf"(?P<what>[^,.;:]{{3,80}}?) {_MODAL}(?P<no> not| never)?(?: always)? (?:be )?(?:persisted|remembered|restored|preserved)\b",
    re.I,
)
_TRIMS = re.compile(r"(?<![\w-])\.?(?:trim|trims|trimmed|strip|strips)(?:\(\))?(?=[ `]|$)(?! down)", re.I)
_MARKUP = re.compile(
    rf"(?P<what>[^,.;:]{{3,80}}?) {_MODAL}(?: be)? (?:wrapped|surrounded|enclosed|marked up|rendered|shown)"
    r" (?:by|in|with|as|inside)\b[^.;]{0,40}\b(?:tag|element|attribute|class)\b",
    re.I,
)
_FIRST_SERVED = re.compile(
    r"(?P<who>[^,.;:]{3,60}?) (?:must|shall|should|will) (?:receive|get|be (?:offered|sent|shown|served|given|notified))"
    r"(?P<what> [^,.;:]{2,60}?)? before (?P<others>(?:all|any|every|the) [^,.;:]{3,60})",
    re.I,
)
_COMES_FIRST = re.compile(
    r"(?P<who>[^,.;:]{3,60}?) (?:must|shall|has to|have to|needs? to) (?:first )?(?P<deed>(?!not\b|be\b)[a-z-]+ [^.;]{2,100}?)"
    r" before (?P<later>(?:they|he|she) (?:can|may) [^.;]{3,100}|[a-z-]+ing [^.;]{3,100})",
    re.I,
)
_BARRED = re.compile(
    r"(?P<what>[^,.;:]{3,80}?)(?<! that)(?<! which) (?:cannot|can't|can not|must not|may not|shall not|must never) be"
    r" (?P<done>(?!able\b|used as\b)[a-z-]+(?:ed|en|wn|t|de)\b[^;]{0,120})",
    re.I,
)
_NEEDED = re.compile(
    r"(?P<what>(?:the|an?|each|every|its?|their|your|both) [^,.;:]{2,60}?|[A-Z][\w -]{2,40}?) (?:is|are|must be|shall be)"
    r" (?P<how>required|mandatory|compulsory|optional)\.?$",
    re.I,
)
_NUMBERED = re.compile(r"\w+ numbers?\b", re.I)
_TREATS = re.compile(
    r"(?:(?:the|an?|any|every|all|each) )?(?:[\w-]+ )?(?:parsers?|implementations?|processors?|compilers?|readers?|decoders?"
    r"|renderers?|engines?|interpreters?|librar(?:y|ies)) (?:must|shall|should|will|may)(?: not| never| also| always)? "
    r"(?!be\b|have\b|support\b|provide\b|allow\b)[a-z]+ (?P<what>[^,.;:]{3,80}?)"
    r"(?= (?:in|on|by|before|after|as|to|into|from|with|when|based|for)\b|,|$)",
    re.I,
)
_LISTED = re.compile(r"[^:]{8,}: +(?P<list>(?:.{0,30}?`[^`\n]{1,40}`){2,}.{0,40})$", re.S)
_COMES_BACK = re.compile(
    r"(?:the |a )?(?:page )?(?:re(?:load|fresh|start|open|turn)|com(?:es?|ing) back|next (?:visit|start))", re.I
)
_LITERAL = re.compile(r"`([^`\n]{1,40})`")


def duty_of(requirement: Requirement, claim: str, outcome: str) -> Stated | None:
    """The step for what the product has to do by itself; None where the claim is none of the duties known here.

    `claim` is the statement without its opening words, `outcome` as the text has it. A subject that only other sentences name
    is left alone.
    """
    for form in (_ordered, _came_first, _needed, _kept, _trimmed, _counted, _marked_up, _each_listed, _treated, _never):
        found = form(requirement, claim, outcome)
        if found is not None:
            step = found.step
            return Stated(step.model_copy(update={"action": cut(step.action, ACTION_CHARS)}), found.rule)
    return None


def duty_under(requirement: Requirement, condition: str, outcome: str) -> Stated | None:
    """The step where the condition of a statement is no deed by itself: `before` sets an order, `on reload` is the look again."""
    claim = flat(requirement.text)
    if first := _came_first(requirement, claim, outcome):
        return first
    if _COMES_BACK.match(condition) and (kept := _kept(requirement, as_duty(outcome), as_duty(outcome))):
        return kept
    return _trimmed(requirement, claim, outcome)


def _place(requirement: Requirement, otherwise: str) -> str:
    name = place_of(requirement)
    return f"“{name}”" if name else otherwise


def _ordered(_requirement: Requirement, claim: str, outcome: str) -> Stated | None:
    found = _FIRST_SERVED.match(claim)
    if found is None or not PERSON.search(found["who"]):
        return None
    what = (found["what"] or "").strip()
    order = f"Let {found['others']} be first in line and {subject_words(found['who'])} last; see who gets {what or 'it'} first"
    return Stated(Step(action=order, expected=sentence(outcome)))


def _came_first(_requirement: Requirement, claim: str, _outcome: str) -> Stated | None:
    found = _COMES_FIRST.match(claim)
    if found is None or not PERSON.search(found["who"]):
        return None
    later = re.sub(r"^(?:they|he|she) (?:can|may) ", "", found["later"]).rstrip(" .")
    who = subject_words(found["who"])
    said = f"It is refused, or this is asked for first: {found['deed']}"
    order = f"As {who} who did not {found['deed']}, try {later if later.split()[0].endswith('ing') else f'to {later}'}"
    return Stated(Step(action=order, expected=sentence(said)), FIRST_RULE)


def _needed(_requirement: Requirement, claim: str, outcome: str) -> Stated | None:
    found = _NEEDED.match(claim)
    if (
        found is None
        or is_vague(found["what"])
        or NOTATION.search(_NUMBERED.sub("", found["what"]))
        or PERSON.search(found["what"])
    ):
        return None
    what = subject_words(found["what"])
    step = Step(action=f"Leave {what} out, everything else valid", expected=f"It is accepted without {what}.")
    if found["how"].lower() == "optional":
        return Stated(step, ABLE_RULE)
    return Stated(
        step.model_copy(update={"expected": f"It is refused, and {what} is named as missing."}), LEFT_OUT_RULE
    )


def _kept(_requirement: Requirement, claim: str, outcome: str) -> Stated | None:
    if is_kept := _IS_KEPT.match(claim):
        what, denied = subject_words(is_kept["what"]), bool(is_kept["no"])
    elif keeps := _KEEPS.match(claim):
        what, denied = keeps["what"], False
    else:
        return None
    if is_vague(what) or re.search(r"\b(?:input|template|output|parser)\b", what, re.I):
        return None
    if denied:
        return Stated(Step(action=f"Bring {what} about, then reload and look again", expected=sentence(outcome)))
    are = "are" if what.split()[-1].endswith("s") and not what.endswith("ss") else "is"
    said = f"{what[0].upper()}{what[1:]} {are} as left before the reload"
    return Stated(Step(action=f"Change {what}; then leave, come back and reload", expected=sentence(said)), KEPT_RULE)


def _trimmed(requirement: Requirement, claim: str, outcome: str) -> Stated | None:
    if not _TRIMS.search(claim) or NOTATION.search(claim.split(" ", 4)[0]):
        return None
    where = _place(requirement, "the field")
    order = f"In {where}, enter a value with blanks before and after it; then one that is nothing but blanks"
    return Stated(Step(action=order, data="'  value  ', then '   '", expected=_as_duty(outcome)))


def _counted(requirement: Requirement, claim: str, outcome: str) -> Stated | None:
    found = _COUNTED.search(claim)
    if found is None or re.search(r"\d", claim):
        return None
    what = found["what"]
    order = f"With no {what}, with one and with several, look at {_place(requirement, 'the number shown')}"
    return Stated(Step(action=order, expected=_as_duty(outcome)))


def _marked_up(requirement: Requirement, claim: str, outcome: str) -> Stated | None:
    found = _MARKUP.match(claim)
    if found is None or is_vague(found["what"]):
        return None
    order = f"Inspect the markup of {subject_words(found['what'])} in {_place(requirement, 'the page')}"
    return Stated(Step(action=order, expected=_as_duty(outcome)))


def _each_listed(requirement: Requirement, _claim: str, outcome: str) -> Stated | None:
    """Several values written out after a colon are the test data."""
    found = _LISTED.fullmatch(flat(requirement.quote))
    if found is None or requirement.modality not in ("must", "should") or requirement.kind == "constraint":
        return None
    values = list(dict.fromkeys(_LITERAL.findall(found["list"])))
    where = _place(requirement, "the product")
    order = f"Bring about each of the values in {where}, one after the other"
    return Stated(Step(action=order, data="\n".join(values), expected=_as_duty(outcome))) if len(values) > 1 else None


def _treated(_requirement: Requirement, claim: str, outcome: str) -> Stated | None:
    found = _TREATS.match(claim)
    if found is None or not NOTATION.search(found["what"]):
        return None
    return Stated(Step(action=f"Give an input with {found['what']} and look at the result", expected=sentence(outcome)))


def _never(_requirement: Requirement, claim: str, outcome: str) -> Stated | None:
    found = _BARRED.match(claim)
    if found is None or is_vague(found["what"]) or PERSON.search(found["what"]):
        return None
    return Stated(
        Step(
            action=f"Try to get {subject_words(found['what'])} {found['done'].rstrip(' .')}", expected=sentence(outcome)
        )
    )


def _as_duty(outcome: str) -> str:
    return sentence(as_duty(outcome))


_MAKE_SURE = re.compile(
    r"(?:also |please )*(?:make|be) sure(?: also)? (?P<how>to|that)? ?(?P<what>.{6,})$", re.I | re.S
)
_HAS_SUBJECT = re.compile(r"(?:the|an?|all|each|every|any|no|its?|your) ", re.I)


def as_duty(outcome: str) -> str:
    """`Make sure to clear the input` as something that comes about: `The product does this: clear the input`.

    Other texts are given back as they are.
    """
    found = _MAKE_SURE.match(flat(outcome))
    if found is None:
        return outcome
    if found["how"] is None or found["how"].lower() == "that" or _HAS_SUBJECT.match(found["what"]):
        return found["what"]
    return f"The product does this: {found['what']}"
