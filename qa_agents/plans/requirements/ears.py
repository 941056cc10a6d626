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
    rf"\s+(?=(?:the|an?|its|all|any) (?:[\w`.#-]+ ){{1,3}}(?:will|must|shall|should|can|may)\b))",
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
EVENT_SUBJECT = re.compile(r"(?P<clause>[A-Z][\w-]*ing\b[^,.;]{0,120}?)\s+(?P<verb>[a-z]+s)\b")


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
    found: list[Ears] = []
    trigger = precondition = None
    rest = text
    for _ in range(3):
        lead = LEAD.match(rest)
        if not lead:
            break
        kind = _kind(lead.group("key"))
        found.append(kind)
        clause = lead.group("clause").strip()
        if kind == "event":
            trigger = trigger or clause
        else:
            precondition = f"{precondition}, {clause}" if precondition else clause or None
        rest = rest[lead.end() :]
    if not found:
        event = EVENT_SUBJECT.match(text)
        gerund = text.split(" ", 1)[0].lower()
        does_it = event and words.VERB_THEN_OBJECT.match(text[event.start("verb") :])
        if event and (gerund in words.GERUNDS or does_it):
            return Shape(
                "event", None, event.group("clause").strip(), None, text[event.start("verb") :].strip() or None
            )
        tail = TAIL.search(text)
        if tail and tail.start() > 3:
            kind = _kind(tail.group("key"))
            found.append(kind)
            if kind == "event":
                trigger = tail.group("clause").strip()
            else:
                precondition = tail.group("clause").strip()
            rest = text[: tail.start()]
    ears: Ears = "ubiquitous" if not found else found[0] if len(set(found)) == 1 else "complex"
    subject = SUBJECT.match(rest)
    actor = subject.group("subject").strip(" `*\"'") if subject else None
    return Shape(ears, actor or None, trigger, precondition, rest.strip(" .") or None)


def _kind(key: str) -> Ears:
    key = key.lower()
    if re.fullmatch(EVENT, key) or key.startswith("on"):
        return "event"
    if re.fullmatch(STATE, key):
        return "state"
    return "unwanted" if re.fullmatch(UNWANTED, key) else "optional"
