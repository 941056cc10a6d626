"""What a tester does, worded as an order: a trigger as it stands in the text turned into a step."""

import re

from qa_agents.plans.schema import Requirement
from qa_agents.plans.wording import bare_condition, cut, flat, lower_first, place_of, sentence, without_aside

_VERBS = """
    click press tap hover select choose enter type submit open close load reload create add delete remove edit change update save
    cancel confirm send upload download import export log sign register search filter sort scroll drag drop check uncheck toggle
    mark unmark set clear activate deactivate enable disable start stop restart run build render call request receive pay book
    refund transfer order approve reject accept decline schedule publish archive restore visit view navigate resize focus blur
    double-click right-click leave complete assign invite share copy paste print connect disconnect insert expand collapse rename
    move link unlink expire reset use define specify omit join answer reply
    subscribe unsubscribe follow unfollow attend pause resume retry
"""
_DOUBLED = frozenset({"tap", "drag", "drop", "run", "stop", "set", "log", "submit", "transfer", "omit"})
_LEFT = {
    "left": "leave",
    "sent": "send",
    "chosen": "choose",
    "built": "build",
    "paid": "pay",
    "run": "run",
    "set": "set",
}
_SUBJECT = re.compile(
    r"^(?P<subject>(?:an?|the|each|every|any|all|this|these|that|its?|their|your)?\s?[^,.;:()]{1,70}?)\s+"
    r"(?:must|shall|should|will|can|may|cannot|is|are|has|have|does|do)\b",
    re.I,
)
_PERSON = re.compile(
    r"^(?:an?|the|each|any|that|this)?\s?(?:[a-z-]{1,20} )?(?:user|customer|client|visitor"
    r"|admin(?:istrator)?|member|person|patient|staff|guest"
    r"|operator|manager|agent|student|teacher|driver|caller|someone|you|we|i|they|he or she)\s+(?P<rest>.+)$",
    re.I,
)
PERSON = re.compile(
    r"\b(?:users?|customers?|clients?|visitors?|admins?|administrators?|members?|persons?|patients?|staff"
    r"|guests?|operators?|managers?"
    r"|agents?|students?|teachers?|drivers?|owners?|editors?|reviewers?|receptionists?|therapists?|nurses?"
    r"|doctors?|buyers?|sellers?"
    r"|residents?|tenants?|applicants?|clerks?|citizens?|pupils?|subscribers?|authors?|viewers?|merchants?|vendors?|couriers?"
    r"|auditors?|analysts?|inspectors?|players?|travell?ers?|passengers?|riders?|hosts?|candidates?|librarians?|borrowers?"
    r"|cashiers?|officers?|technicians?|physicians?|pharmacists?|accountants?|dispatchers?|contractors?|donors?|volunteers?"
    r"|employees?|parents?|moderators?|supervisors?|front desk|team|support|sales|anybody|everybody|nobody|anyone)$",
    re.I,
)
"""Ends with the name of a person, a role, or a group of them."""
_PASSIVE = re.compile(
    r"^(?!there\b)(?P<thing>[^,;]{2,80}?) (?:is|are|gets|has been|have been|was|were) (?P<verb>[a-z-]{2,20})(?P<rest>\b.*)$",
    re.I,
)
_PLAIN_VERB = re.compile(
    r"(?!(?:are|were|was|have|had|do|did|can|could|may|might|will|would|should|must|want|wish|need|like|prefer|also|not|only|then"
    r"|still|don|already|just)\b)[a-z]{3,}(?<!ed)$",
)
"""After `you`: a verb in its plain form, which is an order as it stands."""
_IN_AN_INPUT = re.compile(
    r"\b(?:whitespace|newlines?|delimiters?|characters?|strings?|tags?|front matter|escapes?|quotes?|template|partial|syntax)\b",
    re.I,
)
"""What a condition speaks of that an input can hold."""
_RECEIVES = re.compile(
    r"^[^,.;:]{1,60}?(?:\b(?:must|shall|should|will|can|may|is|are)(?: also| then)?)?\s+"
    r"(?:receives?|gets?|sees?|be|is|are)\b(?! able\b)",
    re.I,
)
_DETERMINER = re.compile(r"(?:the|an?|each|every|all|any|this|these|its?|their|your|our|other|no)\b", re.I)
_NO_SUBJECT = re.compile(r"(?:if|when|while|for|there|or|and|but|as|in|at|that means|make sure|note)\b", re.I)
_PRODUCT = re.compile(
    r"\b(?:system|application|app|product|platform|service|server|software|parser|tool|site|api|module|component)\b",
    re.I,
)


def _forms() -> dict[str, str]:
    found = dict(_LEFT)
    for verb in _VERBS.split():
        stem = verb[:-1] if verb.endswith("e") else verb + verb[-1] if verb in _DOUBLED else verb
        past = f"{stem}ed" if not verb.endswith("y") or verb[-2] in "aeiou" else f"{verb[:-1]}ied"
        third = f"{verb}es" if verb.endswith(("s", "ss", "x", "sh", "ch")) else f"{verb}s"
        found |= {verb: verb, f"{stem}ing": verb, past: verb, third: verb}
    return found


_BASE = _forms()
UNSETTLED = "Bring about: "
"""Opens the order for a condition that names no deed and no state."""
NO_DEED = re.compile(r"(?:Exercise|Look at the result|Do what is stated)\b")
"""Opens an order that says nothing: the statement gives no hint what to do."""
_KEYS = re.compile(r"(?:on |by |via |pressing )?(?P<key>enter|return|escape|esc|tab|space|backspace)(?: key)?", re.I)
_BLUR = re.compile(r"(?:on |by |via )?(?:blur|losing (?:the )?focus)", re.I)
_ATTEMPT = re.compile(r"(?:an? |any |all )?(?:attempt(?:s|ing)?|trying) to (?P<deed>[a-z-]+\b.{2,})", re.I)
_EITHER = re.compile(r"(?P<a>[a-z]{3,12})/(?P<b>[a-z]{3,14})\b", re.I)
_CHANGES = re.compile(
    r"(?:the |an? |its |their )?[\w`' -]{2,60} (?:changes?|expires?|ends?|starts?|fails?|closes|opens|arrives|runs out)",
    re.I,
)
_AS_YOU_LIKE = re.compile(r", (?:preferably|ideally|for example|e\.g\.|such as|typically|usually)\b")
COMMANDS = frozenset({"reload", "submit", "restart", "start", "search", "upload", "save", "cancel", "confirm"})
"""Orders that stand by themselves."""


def as_order(condition: str, place: str = "") -> str:
    """A trigger as an order: `Pressing Enter` gives `Press Enter`, `the page is loaded` gives `Load the page`.

    A lone verb (`when clicked`) is about `place`. What fits no pattern is brought about:
    `Bring it about that the quota runs out`.
    """
    text = re.sub(r"^it's\b", "it is", _AS_YOU_LIKE.split(bare_condition(condition), maxsplit=1)[0], flags=re.I)
    if not text:
        return ""
    if key := _KEYS.fullmatch(text):
        return f"Press {key['key']}"
    if _BLUR.fullmatch(text):
        return "Move the focus elsewhere"
    if _CHANGES.fullmatch(text):
        return f"Bring it about that {text[0].lower() + text[1:] if text[1:2].islower() else text}"
    if tried := _ATTEMPT.match(text):
        return f"Try to {tried['deed']}"
    first, _, rest = text.partition(" ")
    if not rest and place and (base := _BASE.get(first.lower())) and base != first.lower():
        return f"{base.capitalize()} “{place}”"
    passive = _PASSIVE.match(_EITHER.sub(_first_of_two, text))
    done = passive and _BASE.get(passive["verb"].lower())
    if first.lower().endswith("ing") and (base := _BASE.get(first.lower())) and not done:
        return f"{base.capitalize()} {rest}".strip()
    if person := _PERSON.match(text):
        verb, _, tail = person["rest"].partition(" ")
        if base := _BASE.get(verb.lower()):
            return f"{base.capitalize()} {tail}".strip()
        if re.match(r"(?:you|we|they|i)\b", text, re.I) and _PLAIN_VERB.match(verb) and tail:
            return f"{verb.capitalize()} {tail}"
    if used := re.match(r"used (?:as|inside|within|in|for|with|together)\b[^,]{2,120}", text, re.I):
        return f"Use it{used[0][4:]}"
    if passive and (base := done) and not re.search(r"\b(?:not|never|no)\b", text, re.I):
        return f"{base.capitalize()} {passive['thing']}{passive['rest']}".strip()
    if first.lower() in _BASE and _BASE[first.lower()] == first.lower() and rest:
        return f"{first.capitalize()} {rest}"
    if not re.search(
        r"\b(?:is|are|was|were|has|have|does|do|gets?|can|cannot|there)\b|\b[a-z]{3,}(?:s|ed)\b \w"
        r"|^(?:the|an?|its|their|any|no|one) (?:[a-z-]+ ){1,4}[a-z]{3,}s$",
        text,
        re.I,
    ):
        return first.capitalize() if not rest and first.lower() in COMMANDS else f"{UNSETTLED}{text}"
    if first.lower().endswith("ing"):
        return f"Do it by {text[0].lower() + text[1:]}"
    if _IN_AN_INPUT.search(text):
        return f"Give an input in which {text[0].lower() + text[1:] if text[1:2].islower() else text}"
    return f"Bring it about that {text[0].lower() + text[1:] if text[1:2].islower() else text}"


def _first_of_two(pair: re.Match[str]) -> str:
    """Of two verbs set apart by a slash the first: a case does one thing, the other is its counterpart."""
    return (
        pair["a"]
        if {pair["a"].lower(), pair["b"].lower()} <= _BASE.keys() or pair["b"].lower().startswith("un")
        else pair[0]
    )


def subject_of(requirement: Requirement) -> str:
    """What the statement speaks of, its grammatical subject; the place in the product where that cannot be told."""
    found = _SUBJECT.match(flat(requirement.text))
    if found and len(found["subject"]) > 2 and not _NO_SUBJECT.match(found["subject"]):
        subject = cut(found["subject"], 70)
        return lower_first(subject) if _DETERMINER.match(subject) else subject
    place = place_of(requirement)
    return f"“{place}”" if place else "the product"


def is_lasting(condition: str) -> bool:
    """Whether the condition is a state one can be in, and not something that happens."""
    text = bare_condition(condition)
    passive = _PASSIVE.match(text)
    if passive and passive["verb"].lower() in _BASE and passive["verb"].lower().endswith("ed"):
        return passive["verb"].lower() in (
            "checked",
            "selected",
            "disabled",
            "enabled",
            "activated",
            "marked",
            "registered",
        )
    return bool(re.search(r"^there\b|^no\b|\b(?:is|are|has|have|exists?|does not)\b", text, re.I))


def person_of(requirement: Requirement) -> str | None:
    """The actor, when it is a person who acts: neither the product nor somebody who receives what another's deed brings."""
    actor = flat(requirement.actor or "")
    if len(actor) >= 40 or not PERSON.search(actor) or _PRODUCT.search(actor):
        return None
    trigger = flat(requirement.trigger or "").casefold()
    name = actor.split()[-1].casefold().removesuffix("s")
    is_told = (
        trigger and not re.search(rf"\b{re.escape(name)}", trigger) and _RECEIVES.search(requirement.response or "")
    )
    return None if is_told else actor


def _one_of(people: str) -> str:
    """One of them: `Members` gives `member`; a role with a name of its own stays as it is."""
    return (
        lower_first(people[:-1]) if people.endswith("s") and not people.endswith("ss") and " " not in people else people
    )


def where(requirement: Requirement) -> list[str]:
    """Where the tester is and who they are; the requirement's own precondition."""
    found = []
    if requirement.precondition and (bare := bare_condition(requirement.precondition)):
        found.append(sentence(bare))
    if person := person_of(requirement):
        found.append(f"Signed in as {_one_of(person)}.")
    return found


_CLAIM_OF_FORM = re.compile(
    r"(?P<s>[^,.;:()]{2,110}?),? (?P<m>must|shall|should|may|can|has to|have to|is required to|are required to)"
    r"(?: (?:only|each|all|always))? (?P<p>.+)$",
    re.I,
)


_NON = re.compile(
    r"be (?P<a>an? )?non-(?P<what>[\w-]+(?: \w+){0,3}?)(?= (?:not|without|except|with|in|of)\b|,|$)", re.I
)


_THERE_MUST = re.compile(
    r"there (?:must|shall|has to) be (?P<what>(?:an?|at least one|exactly one) [^,;:]{3,120}? (?:after|before|between|in|at"
    r"|around|on each side of) [^,;:]{3,80})$",
    re.I,
)


def needs_presence(text: str) -> bool:
    """Whether the text says that there must be something at some place of an input."""
    return _THERE_MUST.match(text) is not None


def broken(rule: str) -> str:
    """The order to give an input that does not hold to a rule about its form, worded from the rule itself."""
    rule = without_aside(flat(rule))
    if there := _THERE_MUST.match(rule):
        return f"Give an input without {there['what'].rstrip(' .')}"
    found = _CLAIM_OF_FORM.match(re.split(r", but |(?<!`); ", rule, maxsplit=1)[0].rstrip(" ."))
    if found and (other := _NON.match(found["p"])):
        subject = lower_first(found["s"])
        return (
            f"Give an input in which {subject} {'are' if subject.endswith('s') else 'is'} {other['a']}{other['what']}"
        )
    if found is None or re.search(r"\b(?:not|no|never|without)\b", found["p"], re.I):
        return f"Give an input that breaks the rule in one place: “{cut(rule, 200)}”"
    subject, modal, rest = lower_first(found["s"]), found["m"].lower(), found["p"]
    only = "only" in flat(rule)[found.end("m") : found.start("p")].lower()
    first, _, tail = rest.partition(" ")
    if only:
        kept = f"{first} something else than {tail}" if tail else rest
        return f"Give an input in which {subject} {kept}"
    if first.lower() == "be":
        turned = tail.removeprefix("non-") if tail.lower().startswith("non-") else f"not {tail}"
        return f"Give an input in which {subject} {'are' if subject.endswith('s') else 'is'} {turned}"
    return f"Give an input in which {subject} {'do' if subject.endswith('s') or modal.startswith('have') else 'does'} not {rest}"
