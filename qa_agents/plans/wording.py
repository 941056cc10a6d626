"""Small rules of wording: how a requirement's condition and outcome read in a title, a step and an expectation."""

import re
from hashlib import blake2b

from qa_agents.plans.schema import Requirement

TITLE_CHARS = 110
_BLANKS = re.compile(r"\s+")
_LEADING = re.compile(
    r"^(?:when(?:ever)?|while|where|if|once|after|as soon as|during|given|upon|on|by|in case(?: of)?)\s+", re.I
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
REFUSAL = re.compile(
    r"\b(?:refus\w{1,4}|reject\w{0,5}|invalid|declin\w{1,4}|den(?:y|ies|ied)|disallow\w{0,3}|forbid\w{0,4}"
    r"|forbidden|prohibit\w{0,3}"
    r"|blocked|an? (?:\w{1,20} ){0,2}error|error (?:message|is|must|shall|should)|not (?:be )?(?:allowed"
    r"|accepted|permitted|valid))\b",
    re.I,
)
"""Says that something is not accepted."""
UNOBSERVABLE = re.compile(
    r"\b(?:saved?|saves|stor(?:e|es|ed)|persist(?:s|ed)?|queued?|cached?|recorded|written to|updates? its"
    r"|logged|remembered)\b",
    re.I,
)
"""An outcome nobody sees by itself: something has to be looked at again."""
OBSERVED = re.compile(
    r"\b(?:show(?:s|n)?|display(?:s|ed)?|appears?|visible|hidden|lists?|listed|returns?|returned"
    r"|respon(?:se|ds)|status|reads?|read"
    r"|reload(?:s|ed)?|reopen(?:s|ed)?|looks?|see|seen|found|message|report(?:s|ed)?|refused|accepted"
    r"|rejected|opens?|contains?|still there)\b",
    re.I,
)


def flat(text: str) -> str:
    """The text with every run of blanks as one; what "verbatim" means for a quote that runs over lines.

    Nothing else is taken out: what still looks like a mark in a requirement's text stood in code, and is a value. Raw text goes
    through `read.parsed.plain` first.
    """
    return _BLANKS.sub(" ", text).strip()


def normal(text: str) -> str:
    """For comparing: casefolded, single blanks, no closing punctuation."""
    return _BLANKS.sub(" ", text).strip(" .;:,").casefold()


def digest(*parts: str) -> str:
    """Twelve hexadecimal digits of BLAKE2b over the parts: the same in every process."""
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def numbers(text: str) -> set[str]:
    """The numbers of a text, thousands separators and trailing zeros levelled: `10,000.50` gives `10000.5`."""
    return {_levelled(found) for found in _NUMBER.findall(text)}


def _levelled(number: str) -> str:
    plain = re.sub(r",(?=\d{3}(?!\d))", "", number).replace(",", ".")
    if plain.count(".") == 1:
        plain = plain.rstrip("0").rstrip(".")
    return plain.lstrip("0") or "0"


def cut(text: str, limit: int = TITLE_CHARS) -> str:
    """The text on one line, cut between words to at most `limit` characters."""
    text = flat(text).rstrip(" .;:,")
    if len(text) <= limit:
        return text
    return text[: limit - 1].rsplit(" ", 1)[0].rstrip(" .;:,(") + "…"


def sentence(text: str) -> str:
    """The text as one sentence: first letter raised unless it is code, closed by a full stop."""
    text = flat(text).rstrip(" ;:,")
    if not text:
        return text
    first = text.split(" ", 1)[0]
    if text[0].islower() and first.isalpha():
        text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?…:" else f"{text}."


def lower_first(text: str) -> str:
    """The text with its first letter lowered, unless the first word is a name, an abbreviation or code."""
    first = text.split(" ", 1)[0]
    return text[0].lower() + text[1:] if first[1:].islower() or first == "A" else text


def bare_condition(text: str) -> str:
    """A trigger or precondition without its opening word: `When the route changes` gives `the route changes`."""
    return flat(_LEADING.sub("", text.strip())).rstrip(" ,;:.")


_NEGATIONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.I), replacement)
    for pattern, replacement in (
        (r"^there (is|are) no\b", r"there \1"),
        (r"^no (.{2,60}?) (is|are|exists?|has|have)\b", r"some \1 \2"),
        (r"\b(is|are|has|have|does|do|was|were|can|could) not\b", r"\1"),
        (r"\b(?:cannot|can't)\b", "can"),
        (r"\bthere (is|are)\b", r"there \1 no"),
        (r"\b(must|should|shall|will) (?!be\b)(?=[a-z])", r"\1 not "),
        (r"^(?P<s>.{2,80}?(?:s|\band .{2,40}?)) (?:must|should|shall|will) be\b", r"\g<s> are not"),
        (r"\b(?:must|should|shall|will) be\b", "is not"),
        (r"\b(is|are|was|were)\b", r"\1 not"),
        (r"\b(has|have|can)\b", r"\1 not"),
        (r"\bbe\b", "not be"),
    )
)


def opposite(text: str) -> str:
    """The negation of a plain clause: `there are no rows` gives `there are rows`; in doubt, `it is not the case that …`."""
    plain = flat(text).rstrip(" .;,")
    spoken: list[str] = []

    def _kept(match: re.Match[str]) -> str:
        spoken.append(match[0])
        return f"\x00{len(spoken) - 1}\x00"

    turned = _turned(_SPOKEN.sub(_kept, plain))
    return re.sub("\x00(\\d+)\x00", lambda match: spoken[int(match[1])], turned)


_SPOKEN = re.compile(r"\"[^\"]*\"|“[^”]*”|`[^`]*`")
"""Words that the product shows: what they say is not what the clause says."""


def _turned(plain: str) -> str:
    if re.search(r"\b(?:must|should|shall|will|may) (?:not|never|only)\b|\bunless\b|\bor\b|, and\b", plain, re.I):
        return f"it is not the case that {lower_first(plain)}"
    for pattern, replacement in _NEGATIONS:
        changed, count = pattern.subn(replacement, plain, count=1)
        if count:
            return changed
    return f"it is not the case that {lower_first(plain)}"


_LEADS = frozenset({"on", "upon", "after", "by", "during", "while", "where", "if", "once", "given"})


def lead_of(requirement: Requirement, condition: str) -> str:
    """The word that opens the condition in a title: the text's own, `on` before a deed, else `when`."""
    for part in (requirement.trigger, requirement.precondition):
        first, _, rest = (part or "").strip().partition(" ")
        if first.lower() in _LEADS and rest and normal(rest)[:12] == normal(condition)[:12]:
            return first.lower()
    words = condition.split()
    if re.search(r"\w'(?:s|re)\b|^\w+ing \w+ (?:is|are|was|has)\b", condition):
        return "when"
    if words and (
        words[0].lower().endswith("ing")
        or not re.search(r"\b(?:is|are|was|has|have|does|do|not|\w{3,}(?:s|ed))\b", condition)
    ):
        return "on"
    return "when"


_ESCAPE_CLAUSE = re.compile(
    r"(?:at all )?(?:possible|required|needed|necessary|desired|applicable|appropriate|in doubt"
    r"|it makes (?:the most |most )?sense)",
    re.I,
)
"""`If possible` leaves the matter open; there is nothing that a tester could bring about."""


def condition_of(requirement: Requirement) -> str:
    """Under which circumstances the requirement speaks; empty when under all."""
    parts = [bare_condition(part) for part in (requirement.precondition, requirement.trigger) if part and part.strip()]
    if parts and re.search(r"\bunless\b", requirement.quote, re.I):
        parts = [opposite(part) for part in parts]
    return " and ".join(dict.fromkeys(part for part in parts if part and not _ESCAPE_CLAUSE.fullmatch(part)))


def outcome_of(requirement: Requirement) -> str:
    """What must be observable then: the requirement's own response words, else the whole statement."""
    response = flat(requirement.response or "").rstrip(" ,;:.")
    return response if len(response) > 3 else flat(requirement.text or requirement.quote)


_BARE = re.compile(
    r"(?:be|have|show|display|load|contain|return|allow|accept|support|provide|include|use|send|reject"
    r"|refuse|not|never|only)\b",
    re.I,
)
_SUBJECT = re.compile(r"((?:[^,.;:()]{1,90}?)\s(?:must|shall|should|will|can|may|cannot)\s)", re.I)


def in_full(requirement: Requirement, clause: str) -> str:
    """The clause with the requirement's own subject and modal verb in front, where it begins with a bare verb."""
    text = flat(requirement.text)
    place = text.lower().find(clause.lower())
    if place <= 0 or not _BARE.match(clause):
        return clause
    before = re.split(r"[,;:] ", text[:place])[-1]
    found = _SUBJECT.fullmatch(before if before.endswith(" ") else f"{before} ")
    return f"{before}{clause}" if found else clause


def refuses(requirement: Requirement) -> bool:
    """Whether the response itself is a refusal."""
    return bool(REFUSAL.search(requirement.response or requirement.quote))


def place_of(requirement: Requirement) -> str:
    """Where in the product: the innermost heading, empty when the text has none."""
    return cut(requirement.heading_path[-1], 60) if requirement.heading_path else ""


_IF_THERE = re.compile(
    r", (?:if|where|when) (?:it is |they are )?(?:used|present|given|any|specified|set|provided|there),"
)


def without_aside(text: str) -> str:
    """The text without `, if used,`: a case that brings the thing about needs no such condition."""
    return _IF_THERE.sub("", text)
