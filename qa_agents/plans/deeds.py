"""What a tester does about somebody's rights, and about what the product does by itself: orders with their outcomes."""

import re
from typing import NamedTuple

from qa_agents.plans.actions import PERSON
from qa_agents.plans.schema import Step
from qa_agents.plans.wording import cut, flat, lower_first, sentence

ACTION_CHARS = 300
NOTATION = re.compile(
    r"\b(?:whitespace|newlines?|indentation|characters?|letters?|digits?|quot(?:es|ed|ation)|brackets?|braces|commas?"
    r"|backslash|underscores?|dots?|asterisk|hyphens?|delimiters?|escap(?:e|ed|es|ing)|strings?|integers?|floats?|booleans?"
    r"|numbers?|zeros?|arrays?|tables?|keys?|sub-tables|values|tags?|templates?|partials?|comments?|headers?|syntax"
    r"|decimal points?|exponents?|tokens?|front matter|sequences?|encoding|utf-8|unicode|documents?|lines?)\b",
    re.I,
)
"""Words that speak of a text with a form: an input can be written that has what they name."""
PURPOSE = re.compile(r"to (?P<why>[^,]{3,100}?),? (?=you\b)", re.I)
_PRONOUN = re.compile(
    r"(?:it|this|that|these|those|they|there|both|all of|one|you|we|each|doing so|all you need to)$|"
    r"(?:whether|between|depending|however|by|with|in|on|for|from|set(?! (?-i:[A-Z]))|the place|since|if|when|while"
    r"|as|there|you|we|all you) ",
    re.I,
)
_CLAUSE = re.compile(r"\b(?:if|when|because|you|that)(?: |$)|, (?:and|but) ", re.I)
"""What has these is no plain subject but a sentence of its own."""
_ABLE = r"(?:may|can|(?:must|shall|should|will) be able to|(?:is|are) (?:able|allowed|permitted) to)"
_ALLOWED = re.compile(
    rf"(?P<who>(?:(?:the|an?|any|every|each|all|some|only) )?[\w -]{{2,40}}?) (?P<able>{_ABLE})(?: (?:also|then|now|only))? "
    r"(?P<deed>(?!not\b|be\b|have\b|only\b|receive\b|get\b|need\b|want\b|expect\b)[a-z-]{2,}\b.*)$",
    re.I,
)
_BARRED = re.compile(
    r"(?P<who>(?:(?:the|an?|any|every|each|all|no) )?[\w -]{2,40}?) (?:(?:must|shall|may|should|can) ?not|can't|(?:is|are) not "
    r"(?:able|allowed|permitted) to)(?: be able to)? "
    r"(?P<deed>(?!need\b|be\b|have\b|receive\b|get\b|want\b|expect\b)[a-z-]{2,}\b.*)$",
    re.I,
)
_NEEDS_NONE = re.compile(
    r"(?P<who>(?:(?:the|an?|any|every|each|all) )?[\w -]{2,40}?) (?:(?:must|shall|should|do|does|will) not|need not|needn't) "
    r"(?:need|require|have)? ?(?P<what>.{3,60}?) to (?P<deed>[a-z-]{2,} .+)$",
    re.I,
)
_SEES = re.compile(r"see (?P<what>.+)$", re.I)
_NEVER_OUT = re.compile(
    r"(?P<s>[^,.;:]{3,90}?) (?:must|shall|should|may|can|will) ?(?:not|never) (?:be )?(?:appear|shown?|visible|displayed|logged"
    r"|stored|kept|included|sent|exposed|printed|transmitted|leaked?|disclosed|published)\b(?P<where>.*)$",
    re.I,
)
_WORKED_OUT = re.compile(
    r"(?P<s>[^,.;:]{3,90}?) (?:must|shall|should|will|is|are|equals?)\b.{0,60}\b(?:(?<!of )(?<!\d )times (?=the|its|\d|`|\w+_)"
    r"|multiplied|divided by"
    r"|the sum of|plus|minus|percent of|% of|rounded|the (?:average|total|mean|difference|product) of)\b",
    re.I,
)
_TIMED = re.compile(
    r"\d|\b(?:after|until|within|for (?:a|an|one|two|at least)|days?|weeks?|months?|years?|hours?|minutes?)\b", re.I
)
_BUILT = re.compile(r"\bbe written (?:in|with|without)\b", re.I)
"""A rule for whoever builds the product."""
_GOES_OUT = "sent|delivered|mailed|dispatched|notified|pushed|forwarded|issued"
_STAYS = "deleted|removed|purged|archived|kept|retained|erased|expired|stored"
_MADE = (
    "created|generated|produced|written|rendered|converted|processed|included|ignored|excluded|sorted|ordered|merged|replaced"
    "|inserted|truncated|rounded|copied|highlighted|published|normali[sz]ed|trimmed|escaped|encoded|translated|listed|grouped"
)
_DONE_TO = re.compile(
    rf"(?P<s>[^,.;:]{{3,90}}?)(?<! that)(?<! which) (?:(?:must|shall|should|will)(?: only| always| never| not)? (?:be|go)|is|are)"
    rf"(?: \w+ly| not| only| always| never)? (?:(?P<out>{_GOES_OUT}|out)|(?P<stay>{_STAYS})|(?P<made>{_MADE}))\b",
    re.I,
)
_SENDS = re.compile(
    r"(?:the |an? )?(?:\w+ )?(?:system|product|application|app|service|server|platform|backend|software|site)"
    r" (?:must|shall|should|will)(?: also| then)? (?:sends?|deliver|e?mail|push|forward|issue|dispatch) (?P<what>[^;:]{3,140})$",
    re.I,
)
_HOW = re.compile(r" (?:to|by|via|within|at|in|on|after|before|when|every|each|as|no later than)\b.*", re.I)
FORM_RULE = "what-conforms-is-accepted"
"""What the text describes as the form of an input is accepted."""
ABLE_RULE = "what-is-allowed-can-be-done"
NEED_RULE = "what-is-needed-suffices"


_POINTING = re.compile(r"\b(?:this|that|so|it|these|those)$", re.I)
_YOU_NEED = re.compile(r"you (?:first |then )?(?:must|(?:will )?need to|have to) (?:first )?(?P<deed>.+)$", re.I)


class Stated(NamedTuple):
    """A step, and the rule its outcome follows by; no rule where the outcome is the text's own."""

    step: Step
    rule: str = ""


def deed_of(claim: str, outcome: str) -> Stated | None:
    """The step for a claim about a person, a need, or the product's own doing; None for every other claim.

    `outcome` is the statement as the text has it: what is expected where no rule gives it.
    """
    return _of_person(claim) or _need(claim) or _watched(claim, outcome)


def _of_person(claim: str) -> Stated | None:
    """What somebody may do, may not do, or may do without something."""
    if (found := _NEEDS_NONE.match(claim)) and PERSON.search(found["who"]):
        step = Step(action=f"As {_someone(found['who'])} without {found['what']}, {found['deed']}", expected=CAN)
        return Stated(_cut(step), ABLE_RULE)
    for form, allowed in ((_BARRED, False), (_ALLOWED, True)):
        found = form.match(claim)
        if found is None or not PERSON.search(found["who"]):
            continue
        who = _someone(found["who"])
        if sees := _SEES.match(found["deed"]):
            said = f"{sentence(sees['what']).rstrip('.')}: {'shown' if allowed else 'not shown'}"
            return Stated(_cut(Step(action=f"As {who}, look for {sees['what']}", expected=f"{said}.")), ABLE_RULE)
        order = f"As {who}, {'' if allowed else 'try to '}{found['deed']}"
        return Stated(_cut(Step(action=order, expected=CAN if allowed else CANNOT)), ABLE_RULE)
    return None


CAN = "It can be done, and what it changes is shown."
CANNOT = "It is refused visibly, else not offered at all, and nothing is changed."


def _cut(step: Step) -> Step:
    return step.model_copy(update={"action": cut(step.action, ACTION_CHARS)})


def _someone(who: str) -> str:
    """One of them: `every client` and `clients` give `a client`."""
    words = re.sub(r"^(?:the|an?|any|every|each|all|some|only|no) ", "", who.strip(), flags=re.I)
    plain = words[:-1] if words.endswith("s") and not words.endswith("ss") else words
    return (
        f"{'an' if plain[:1].lower() in 'aeiou' and not plain.lower().startswith('us') else 'a'} {lower_first(plain)}"
    )


def _need(claim: str) -> Stated | None:
    """`To use a collection, you need to define it`: done so, it can be used."""
    why = PURPOSE.match(claim)
    you = _YOU_NEED.match(claim[why.end() :]) if why else None
    if not why or not you or _POINTING.search(why["why"]):
        return None
    deed = re.split(r"\. (?=[A-Z])", you["deed"], maxsplit=1)[0].rstrip(" .")
    order = f"{deed[0].upper()}{deed[1:]}; then {why['why']}"
    return Stated(_cut(Step(action=order, expected=sentence(f"It can be done: {why['why']}"))), NEED_RULE)


def _watched(claim: str, outcome: str) -> Stated | None:
    """What the product does by itself: something is worked out, sent, kept, deleted, made, or must not get out."""
    said = sentence(outcome)
    if _BUILT.search(claim):
        return None
    if out := _NEVER_OUT.match(claim):
        if is_vague(out["s"]):
            return None
        where = flat(out["where"]).strip(" .")
        named = re.match(r"(?:in|on|to|at|within|outside|between)\b", where)
        place = where if named else "wherever the product shows or keeps something"
        return Stated(_cut(Step(action=f"Use {subject_words(out['s'])}, then look for it {place}", expected=said)))
    if (worked := _WORKED_OUT.match(claim)) and not is_vague(worked["s"]):
        what = subject_words(worked["s"])
        order = f"Work {what} out by hand for two sets of values, and read what the product gives for each"
        return Stated(_cut(Step(action=order, expected=said)))
    if sends := _SENDS.match(claim):
        what = _HOW.sub("", sends["what"].rstrip(" ."))
        return Stated(_cut(Step(action=f"Have {what} go out, and look at what arrives, when and where", expected=said)))
    done = _DONE_TO.match(claim)
    if done is None or is_vague(done["s"]) or NOTATION.search(claim):
        return None
    subject = subject_words(done["s"])
    if done["out"]:
        return Stated(
            _cut(Step(action=f"Have {subject} go out, and look at what arrives, when and where", expected=said))
        )
    if done["stay"] and not _TIMED.search(claim):
        return None
    if done["stay"]:
        return Stated(
            _cut(Step(action=f"Have {subject} there, let the stated time pass, and look for it", expected=said))
        )
    return Stated(
        _cut(Step(action=f"Have {subject} there, let the product run, and look at the result", expected=said))
    )


def subject_words(text: str) -> str:
    """The subject of a clause as it reads inside a sentence."""
    words = text.strip()
    lowered = re.match(r"(?:the|an?|each|every|all|any|this|these|its?|their|your|no|some|both|one)\b", words, re.I)
    plain = re.match(r"[A-Z][a-z-]+(?: (?![A-Z])|$)", words)
    return lower_first(words) if lowered or plain else words


def is_vague(text: str) -> bool:
    """Whether the subject points at something that only other sentences name."""
    words = text.strip()
    return bool(_PRONOUN.match(words) or _PRONOUN.match(words.rsplit(", ", 1)[-1]) or _CLAUSE.search(words))
