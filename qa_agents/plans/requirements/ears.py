"""EARS: trigger, precondition, actor and response of a statement, by its keywords (Mavin et al. 2009)."""

import re
from dataclasses import dataclass

from qa_agents.plans.requirements import lexicon as words
from qa_agents.plans.schema import Ears

EVENT = (
    r"when(?:ever)?|once|upon|after|before|as soon as|on(?= (?:\w+ ){0,3}(?:click|change|load|"
    r"submit|start|error|failure|reload|receipt))"
)
STATE = r"while|during|until|as long as"
OPTION = r"where|in case of|for (?:each|every|all|any)|provided that"
UNWANTED = r"if|unless|in case|otherwise"
LEAD = re.compile(
    rf"(?P<key>{EVENT}|{STATE}|{OPTION}|{UNWANTED})\b(?P<clause>[^,]{{3,300}}?)(?:,\s*(?:then\s+)?|"
    rf"\s+then\s+|\s+(?=(?:it|they) (?:will|must|shall|should|is|are|can)\b)|"
    rf"(?<!\bthan)(?<!\bthat)(?<!\bwhich)(?<!\bof)(?<!\bto)(?<!\bin)\s+"
    rf"(?=(?:the|an?|its|all|any) (?:[\w`.#-]+ ){{1,3}}(?:will|must|shall|should|can|may)\b))",
    re.IGNORECASE,
)
TAIL = re.compile(
    rf"[,\s]\s*(?P<key>{EVENT}|{STATE}|if|unless|where)\s+(?!\d)(?P<clause>[^.;]{{3,300}}?)[.;]?\Z", re.IGNORECASE
)
SUBJECT = re.compile(
    rf"(?:the |an? |each |every |all |any |this |these |"
    rf"your )?(?P<subject>[^,.;:]{{1,80}}?)\s+(?:{words.MODALS}|is|are|has|have|does|do)\b",
    re.IGNORECASE,
)
TIMED = re.compile(r"(?:after|before|until|once|during|upon)\Z", re.IGNORECASE)
"""Words that open a clause, and as well a time: `deleted 7 days after the class` says when, not under which condition."""
CLAUSE_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|does|do|did|can|cannot|will|gets?|becomes?"
    r"|(?<!\bthe )(?<!\ban )(?<!\ba )(?<!\ball )(?<!\bits )(?<!\bany )(?<!\beach )[a-z]{3,}(?:ed|ing))\b",
    re.IGNORECASE,
)
CONTRAST = re.compile(r"\b(?:will|would|may|might|should|is to|are to|in general|usually)\b", re.IGNORECASE)
"""`While A will do this, B will do that` sets two things against each other, and is no state."""
CONTRAST_TAIL = re.compile(r"\b(?:not|cannot|can't|won't|will|would|may|might|should|must|only|no)\b", re.IGNORECASE)
"""The same at the end: `A may do this, while B cannot`."""
FINITE = re.compile(rf"\b(?:{words.MODALS}|is|are|was|were|has|have|does|do)\b", re.IGNORECASE)
LEFT_OVER = re.compile(r"\s+(?:only|even|just|especially)\s*\Z", re.IGNORECASE)
MORE = re.compile(r"(?:and|or) (?P<clause>(?!then\b)[^,]{3,160}), (?=\w)", re.IGNORECASE)
"""`If X, and Y, Z`: the condition goes on behind its first comma."""
LEAVE = re.compile(
    r"(?:[^:]{3,80}: )?(?P<what>[^,:;.]{2,120}?) (?:may|can|might) be (?P<done>\w+)(?P<rest>[^,;:]{0,80}), in which case "
    r"(?P<response>.{3,})",
    re.IGNORECASE,
)
"""`Seconds may be left out, in which case :00 is assumed`: what may be is a condition, and what then holds the response."""
MANY = re.compile(r"(?:\band\b.*|(?<![si])s)\Z", re.IGNORECASE)
EVENT_SUBJECT = re.compile(
    r"(?P<clause>[A-Z][\w-]*ing\b[^,.;]{0,120}?)\s+"
    r"(?P<verb>(?!(?:as|is|its|this|us|has|was|does|always|thus|plus|less|unless)\b)[a-z]+s)\b"
)


@dataclass(frozen=True)
class Shape:
    """The parts of a statement; None where it has none."""

    ears: Ears
    actor: str | None
    trigger: str | None
    precondition: str | None
    response: str | None


def shape_of(text: str) -> Shape:
    """EARS class and parts of a requirement's text, which is looked at up to 1,000 characters."""
    text = re.sub(
        r"^(?:also|note that|however|e\.?g\.?|eg\.|for example)[,.]?\s+", "", text[:1000].strip(), flags=re.IGNORECASE
    )
    if leave := LEAVE.fullmatch(text):
        verb = "are" if MANY.search(leave["what"]) else "is"
        clause = f"{leave['what']} {verb} {leave['done']}{leave['rest']}"
        return Shape("optional", None, None, clause[0].lower() + clause[1:], leave["response"].strip(" ."))
    found: list[Ears] = []
    trigger = precondition = None
    rest = text
    for _ in range(3):
        lead = LEAD.match(rest)
        if not lead:
            break
        kind = _kind(lead.group("key"))
        if lead.group("key").lower() == "while" and CONTRAST.search(lead.group("clause")):
            break
        found.append(kind)
        clause = lead.group("clause").strip()
        if kind == "event":
            trigger = trigger or clause
        else:
            precondition = f"{precondition}, {clause}" if precondition else clause or None
        rest = rest[lead.end() :]
        more = MORE.match(rest)
        if more and lead.group().rstrip().endswith(",") and CLAUSE_VERB.search(more.group("clause")):
            joined = f"{clause}, {more.group()[: more.end('clause')].strip()}"
            trigger = joined if kind == "event" and trigger == clause else trigger
            precondition = precondition.replace(clause, joined) if precondition else precondition
            rest = rest[more.end() :]
    if not found:
        event = EVENT_SUBJECT.match(text)
        gerund = text.split(" ", 1)[0].lower()
        does_it = event and words.VERB_THEN_OBJECT.match(text[event.start("verb") :])
        if event and (gerund in words.GERUNDS or does_it):
            return Shape(
                "event", None, event.group("clause").strip(), None, text[event.start("verb") :].strip() or None
            )
        tail = TAIL.search(text)
        if tail and tail.start() > 3 and _is_condition(text, tail):
            kind = _kind(tail.group("key"))
            found.append(kind)
            if kind == "event":
                trigger = tail.group("clause").strip()
            else:
                precondition = tail.group("clause").strip()
            rest = LEFT_OVER.sub("", text[: tail.start()])
    ears: Ears = "ubiquitous" if not found else found[0] if len(set(found)) == 1 else "complex"
    subject = SUBJECT.match(rest)
    actor = subject.group("subject").strip(" `*\"'") if subject else None
    return Shape(ears, actor or None, trigger, precondition, rest.strip(" .") or None)


def _is_condition(text: str, tail: re.Match[str]) -> bool:
    """Whether what closes a statement is its condition: not a time, not in brackets, and with a main clause before it."""
    before = text[: tail.start()]
    said = before.lower().split()
    main = FINITE.search(before) or words.THIRD.intersection(said[1:]) or said[:2] == ["make", "sure"]
    against = text[tail.start()] == "," and tail.group("key").lower() == "while"
    if against and CONTRAST_TAIL.search(tail.group("clause")):
        return False
    place = tail.group("key").lower() == "where" and text[tail.start()] != ","
    if place:
        return False
    swallowed = not main and FINITE.search(tail.group("clause"))
    return not _says_when(tail) and not _in_brackets(text, tail.start()) and not swallowed


def _says_when(tail: re.Match[str]) -> bool:
    """Whether the words at the end are a time or a place in a sequence, and no clause that something else depends on."""
    if not TIMED.match(tail.group("key")):
        return False
    clause = tail.group("clause").split(",", 1)[0].lower()
    return not CLAUSE_VERB.search(clause) and not words.THIRD.intersection(clause.split()[1:])


def _in_brackets(text: str, at: int) -> bool:
    return text.count("(", 0, at) > text.count(")", 0, at)


def _kind(key: str) -> Ears:
    key = key.lower()
    if re.fullmatch(EVENT, key) or key.startswith("on"):
        return "event"
    if re.fullmatch(STATE, key):
        return "state"
    return "unwanted" if re.fullmatch(UNWANTED, key) else "optional"
