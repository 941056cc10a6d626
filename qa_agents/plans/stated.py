"""What a tester does to see a plain statement come true: an order worded from the statement's own subject and verb."""

import re
from collections.abc import Iterable

from qa_agents.plans.actions import as_order
from qa_agents.plans.claims import CLAIM, done_of
from qa_agents.plans.deeds import (
    ABLE_RULE,
    ACTION_CHARS,
    CAN,
    FORM_RULE,
    NOTATION,
    PURPOSE,
    Stated,
    deed_of,
    is_vague,
    subject_words,
)
from qa_agents.plans.duties import duty_of
from qa_agents.plans.effects import effect_of
from qa_agents.plans.schema import CoverageItem, Requirement, Step
from qa_agents.plans.wording import cut, flat, lower_first, place_of, sentence, without_aside

EXAMPLE_CHARS = 600
_OPENERS = re.compile(
    r"(?:(?:(?:overall|finally|in general|generally|of course|for example|instead|in addition|furthermore|moreover|optionally"
    r"|alternatively|again|in other words|as a result|by default|usually|normally)(?=,)"
    r"|also|(?:do )?note(?: that)?,?|however|similarly|likewise|therefore|thus|hence|now|in fact|and|but|additionally|please"
    r"|make sure(?: that| to)?|ensure(?: that)?|remember to|be sure to)[,:]?\s+)+",
    re.I,
)
_ASIDE = re.compile(
    r"(?:to|for|in|like|unlike|since|because|as|similar to|with|by|starting)\b[^,]{1,110}, (?=(?!and|or)\w)", re.I
)
_CHOOSE = re.compile(r"(?<=can |may )(?:also )?(?:choose|opt|decide) to (?=[a-z])", re.I)
_YOU = re.compile(
    r"(?:you|users?|authors?|one|we) (?:first |also |then )?(?:can|may|should|must|cannot|(?:will )?need to|have to)"
    r"(?: (?:also|then|now|not|optionally|simply|even|either|first|just|only))* "
    r"(?P<deed>(?!not\b|be\b|have\b|see\b|find\b)[a-z-]+\b.*)$",
    re.I,
)
_BY_DOING = re.compile(r"(?P<what>[^,;:]{4,90}?) (?:simply |just )?by (?P<how>[a-z-]+ing [^;:]{3,160})$", re.I)
_VERDICT = re.compile(
    r"(?:be )?(?:required|allowed|permitted|valid|invalid|possible|supported|forbidden|prohibited|accepted|rejected"
    r"|refused)\b(?P<rest>.*)$",
    re.I,
)
_IGNORED = re.compile(r"\b(?:is|are|be) (?:treated as whitespace and )?(?:ignored|trimmed|stripped|discarded)\b", re.I)
_CASE = re.compile(r"\bcase[- ](?:in)?sensitive\b", re.I)
_EQUAL = re.compile(r"\b(?:equivalent|identical|(?:exactly )?the same (?:value |result |rules )?as)\b", re.I)
_MEANS = re.compile(r"(?P<s>[^,.;:]{2,60}?) means (?P<p>.+)$", re.I)
_STANDS = re.compile(r"(?P<sign>\S{1,30}) stands for ", re.I)
_FORM = re.compile(
    r"(?P<s>[^,.;:]{2,90}?)(?<! that)(?<! which)(?<! to) (?P<v>(?:starts?|begins?|ends?|consists?|contains?"
    r"|takes?|follows?|spans?|surrounds?"
    r"|(?:names?|defines?|determines?|references?) (?:the|an?|its)) .+)$"
)
_LETS = re.compile(
    r"(?P<s>[^,.;:]{2,80}?)(?<! that)(?<! which) (?:(?:also )?(?:allows?|lets?|enables?) you(?: to)?"
    r"|can be used to|(?:is|are) used to) (?P<deed>.+)$",
    re.I,
)
_COMES_OUT = re.compile(
    r"(?:be )?(?:\w+ly )?(?:affect|treat|interpret|render|persist|process|pars|resolv|convert|consider|result|produc|caus|insert"
    r"|inject|merg|replac|sort|generat|creat|updat|remov|handl|map|retain|remain|available|get|work|output|publish|read)\w{0,5}\b",
    re.I,
)
"""What the product makes of an input; the opposite cannot be put into one."""
_DEEDS = frozenset(
    (
        "entered",
        "typed",
        "clicked",
        "pressed",
        "selected",
        "chosen",
        "dragged",
        "submitted",
        "opened",
        "uploaded",
        "checked",
    )
)
_CONTROL = re.compile(r"\b(?:checkbox|button|link|field|menu|icon|switch|tab|option|command|flag|form|slider)s?$", re.I)
_REQUEST = re.compile(r"`?(?P<call>(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /[^\s`]*)`?\.?$")
_FIELDS = re.compile(
    r"(?P<how>required|mandatory|optional|accepted|allowed) (?:fields?|parameters?): (?P<names>.+)$", re.I
)
_NONE_NEEDED = re.compile(r"no (?P<what>[\w ]{3,40}?) (?:is |are )?(?:required|needed)\b", re.I)
_SIGNED = re.compile(r"authentication (?:is )?(?P<how>required|optional)\b", re.I)
_PLURAL_PRONOUN = re.compile(r"(?:they|these|those)", re.I)
_SEPARATED = re.compile(
    r"(?:be )?(?:separated|surrounded|enclosed|joined|prefixed|delimited|terminated|followed|preceded) by\b", re.I
)
_MADE_OF = re.compile(
    r"(?:an? )?(?:sequences?|lists?|series|pairs?) of\b|(?:composed|made up|made) of\b|written as\b", re.I
)
_PRODUCT_DUTY = re.compile(r"(?:make sure(?: that)?|ensure(?: that)?)\s+", re.I)
_REVIEWED = re.compile(r"(?:use|follow|keep|specify|try|your app|apps?|you should)\b", re.I)


def stated_step(requirement: Requirement, item: CoverageItem, outcome: str) -> Stated | None:
    """The step for a statement without a condition; None where the statement gives no hint what to do.

    The action holds nothing but the statement's own words, turned; the data are an example of the text where it has one.
    """
    claim = _bare(requirement, outcome)
    if done := (
        deed_of(claim, outcome) or duty_of(requirement, claim, outcome) or effect_of(requirement, claim, outcome)
    ):
        return done
    refused = item.polarity == "negative" and requirement.modality == "must"
    order, is_input = ("", False) if _REVIEWED.match(claim) else _order(requirement, claim)
    if requirement.kind == "constraint" and not order:
        order = "Review the files and the settings of the product against the statement"
    if not order:
        return None
    data = _example(requirement, valid=item.polarity != "negative") if is_input else ""
    if is_product := _PRODUCT_DUTY.match(flat(outcome)):
        found = CLAIM.match(claim)
        if found and is_input and not is_vague(found["s"]):
            order, is_input, data = f"Look at {subject_words(found['s'])}", False, ""
            outcome = flat(outcome)[is_product.end() :]
    if not data and (you := _YOU.match(claim)) and re.search(r"\b(?:can|may)\b", claim[: you.start("deed")], re.I):
        by = _BY_DOING.match(you["deed"])
        said = f"It comes about: {by['what']}." if by else CAN
        return Stated(Step(action=cut(order, ACTION_CHARS), expected=said), ABLE_RULE)
    turned = is_input and " and look at " not in order and " and read " not in order
    if turned and refused:
        said, rule = f"The input is refused: {outcome}", ""
    elif turned and item.polarity == "positive" and not requirement.negated and _is_of_form(requirement, claim, order):
        said, rule = "The input is accepted", FORM_RULE
    else:
        said, rule = outcome, ""
    return Stated(Step(action=cut(order, ACTION_CHARS), data=data, expected=sentence(said)), rule)


def _is_of_form(requirement: Requirement, claim: str, order: str) -> bool:
    """Whether the statement describes the form of an input, and not what becomes of one."""
    if not order.startswith("Give an input "):
        return False
    found = CLAIM.match(claim)
    subject = re.split(r" (?:of|over|in|for|to|from|with|between)\b", found["s"], maxsplit=1)[0] if found else claim
    return bool(NOTATION.search(subject)) and (
        requirement.modality != "none"
        or bool(_FORM.match(claim))
        or bool(found and (_SEPARATED.match(found["p"]) or _MADE_OF.match(found["p"])))
    )


def _bare(requirement: Requirement, outcome: str) -> str:
    """The statement without the heading before it and the words that only open it."""
    text = flat(outcome)
    for title in reversed(requirement.heading_path):
        if text.lower().startswith(f"{title.lower()}: "):
            text = text[len(title) + 2 :]
    text = _CHOOSE.sub("", text)
    return without_aside(_OPENERS.sub("", text, count=1) if _OPENERS.match(text) else text)


def _order(requirement: Requirement, claim: str) -> tuple[str, bool]:
    """The order, and whether it is to give an input."""
    if order := _request(requirement, claim):
        return order, False
    why = PURPOSE.match(claim)
    told = claim[why.end() :] if why else claim
    told = re.split(r", but (?=[a-z ]+ (?:is|are|must|cannot|can|may)\b)", told, maxsplit=1)[0]
    if (you := _YOU.match(told)) and not why and (by := _BY_DOING.match(you["deed"])):
        return f"{as_order(by['how'])} (to {by['what']})", False
    if you := _YOU.match(told):
        deed = you["deed"][0].upper() + you["deed"][1:]
        return (f"{deed} (to {why['why']})" if why else deed), False
    aside = _ASIDE.match(claim)
    rest = re.split(r"(?<=[a-z)`])\. (?=[A-Z])", claim[aside.end() :] if aside else claim, maxsplit=1)[0]
    if aside and (you := _YOU.match(rest)):
        return f"{you['deed'][0].upper()}{you['deed'][1:]} ({aside[0].rstrip(', ')})", False
    if (lets := _LETS.match(rest)) and not is_vague(lets["s"]):
        return f"Use {subject_words(lets['s'])} to {lets['deed']}", False
    if order := _comparison(rest):
        return order, True
    if stands := _STANDS.match(rest):
        return f"Give an input that contains {stands['sign']} and read the value back", True
    if means := _MEANS.match(rest):
        return f"Give an input that has {subject_words(means['s'])}: {means['p']}", True
    found = CLAIM.match(rest)
    form = _FORM.match(rest)
    if form and (not found or len(form["s"]) < len(found["s"])) and NOTATION.search(rest):
        return (
            (f"Give an input in which {subject_words(form['s'])} {form['v']}", True)
            if not is_vague(form["s"])
            else ("", False)
        )
    if found and _PLURAL_PRONOUN.fullmatch(found["s"]) and requirement.kind == "data" and place_of(requirement):
        return f"Give an input for “{place_of(requirement)}” in which {done_of(found)}", True
    if found is None or is_vague(found["s"]) or found["s"].count("(") != found["s"].count(")"):
        return _used(rest), False
    subject, done = subject_words(found["s"]), done_of(found)
    if deed := _base(found["s"]):
        return as_order(found["s"]), deed in ("use", "define") and bool(NOTATION.search(rest))
    verdict = _VERDICT.match(found["p"])
    if verdict and (NOTATION.search(rest) or requirement.kind == "data"):
        made = "made by" if re.match(r"(?:re)?(?:us|defin|writ|plac|add|nest)ing ", subject) else "with"
        return f"Give an input {made} {subject}{re.split(r'[,;(]| unless | and ', verdict['rest'])[0].rstrip()}", True
    if NOTATION.search(rest) and _COMES_OUT.match(found["p"]):
        return f"Give an input with {subject} and look at the result", True
    if (
        NOTATION.search(found["s"])
        or _SEPARATED.match(found["p"])
        or (NOTATION.search(rest) and requirement.kind == "data")
    ):
        return f"Give an input in which {done}", True
    verb = re.sub(r"^be ", "", found["p"]).split(" ", 1)[0].lower()
    if found["m"].lower() in ("can", "may") or verb in _DEEDS:
        order = as_order(done)
        if order and not order.startswith(("Bring", "Do it", "Give")):
            return order, False
    return _used(rest), False


def _request(requirement: Requirement, claim: str) -> str:
    """The order for a line of an API's description: its call, its fields, its need of credentials."""
    place = f" of “{place_of(requirement)}”" if place_of(requirement) else ""
    if call := _REQUEST.match(claim):
        return f"Send {call['call']}"
    if re.fullmatch(r"`?\?\w+=\S+", claim):
        return f"Send the request{place} with {claim}"
    if header := re.fullmatch(r"`?(?P<header>[A-Z][a-z]+(?:-[A-Z][a-z]+)*: \S[^`]{0,120})`?", claim):
        return f"Send a request with the header {header['header']}" if "eader" in place else ""
    if fields := _FIELDS.match(claim):
        only = "only " if fields["how"].lower() in ("required", "mandatory") else ""
        return f"Send the request{place} with {only}these: {fields['names']}"
    if signed := _SIGNED.match(claim):
        how = "with valid" if signed["how"].lower() == "required" else "without"
        return f"Send the request{place} {how} credentials"
    if none := _NONE_NEEDED.match(claim):
        what = none["what"].lower()
        return f"Send the request{place} without {'credentials' if what == 'authentication' else what}"
    return ""


def _comparison(claim: str) -> str:
    """The order for a statement about two inputs that come to the same, or do not."""
    if _CASE.search(claim):
        subject = re.split(r" (?:is|are|must|should|shall) ", claim, maxsplit=1)[0]
        return f"Give two inputs that differ only in the case of letters ({subject_words(subject)}) and compare the results"
    if ignored := _IGNORED.search(claim):
        subject = claim[: ignored.start()].strip()
        subject = re.sub(r" (?:must|should|shall|will|can|may)$", "", subject)
        where = re.split(r"[,;.(]", claim[ignored.end() :])[0].strip()
        if subject and len(subject.split()) < 9 and not is_vague(subject):
            with_it = f"{subject_words(subject)}{f' {where}' if where else ''}"
            return f"Give one input with {with_it} and one without, otherwise alike, and compare the results"
    if _EQUAL.search(re.sub(r"\([^()]{0,200}\)", "", claim)) and NOTATION.search(claim):
        subject = re.split(r" (?:is|are|must|should|shall|will|follow|take|has|have) ", claim, maxsplit=1)[0]
        return (
            ""
            if is_vague(subject)
            else f"Write the input in each of the forms named ({subject_words(subject)}) and compare the results"
        )
    return ""


def _base(subject: str) -> str:
    """The verb of a gerund that begins the subject, `setting a permalink`; empty for `editing mode` and other things."""
    first, _, rest = subject.partition(" ")
    if not first.lower().endswith("ing") or not re.match(r"(?:the|an?|any|its?|your|dotted|all|each|to)\b", rest, re.I):
        return ""
    verb = as_order(subject).split(" ", 1)[0].lower()
    return "" if verb in ("bring", "do", "give") else verb


def _used(claim: str) -> str:
    """`This checkbox toggles …`: a control is used."""
    found = re.match(r"(?:the|this|an?|each|every) (?:[\w`'“”-]+ ){0,3}?[\w`-]+(?= [a-z]{2,16}s )", claim, re.I)
    return f"Use {lower_first(found[0])}" if found and _CONTROL.search(found[0]) else ""


def _example(requirement: Requirement, *, valid: bool) -> str:
    """The first example of the text on this side; empty where it has none."""
    found = requirement.data.get("examples")
    held: Iterable[object] = found if isinstance(found, list) else ()
    fitting = (True, None) if valid else (False,)
    texts = [
        str(one["text"]) for one in held if isinstance(one, dict) and one.get("text") and one.get("valid") in fitting
    ]
    return texts[0][:EXAMPLE_CHARS] if texts else ""
