"""A sentence that states several things, as several: split only where each part has a subject and a verb of its own."""

import re
from dataclasses import dataclass

MODAL = r"(?:must|shall|should|may|can|cannot|will)"
SUBJECT = r"(?:the|an?|any|each|every|all|no|its|their|`[^`\n]{1,60}`)"
AND = re.compile(
    rf",?\s+(?:and|but)\s+(?={SUBJECT}\b[^,;.:]{{0,60}}?\s{MODAL}\b)|,?\s+(?:and|"
    rf"but)\s+(?=`[^`\n]{{1,60}}`\s+{MODAL}\b)",
    re.IGNORECASE,
)
SEMICOLON = re.compile(r";\s+(?!otherwise|else|then)")
LEAD = re.compile(r"(?:if|when(?:ever)?|while|where|once|after|before|for each)\b[^,;]{1,200},\s+", re.IGNORECASE)
VERB = re.compile(rf"\b(?:{MODAL}|is|are|has|have|does|do|[a-z]{{3,}}s)\b", re.IGNORECASE)
ELLIPTIC = re.compile(rf"\b{MODAL}(?: not)?\s*[.!]?\s*\Z", re.IGNORECASE)
PREDICATE = re.compile(rf"\b{MODAL}(?: not| never| only)?(?P<predicate>\s+[^.;]{{3,200}})", re.IGNORECASE)
MODAL_WORD = re.compile(rf"\b{MODAL}\b", re.IGNORECASE)


@dataclass(frozen=True)
class Clause:
    """A part of a sentence; `prefix` is the condition that also holds for it, taken from the sentence's beginning."""

    start: int
    end: int
    prefix: str = ""
    suffix: str = ""
    """The verb and object of the part before, where this one leaves them out: `…; only a manager may.`"""

    def said(self, sentence: str) -> str:
        """The part as it can be read by itself."""
        own = sentence[self.start : self.end]
        return f"{self.prefix}{own.rstrip(' .') if self.suffix else own}{self.suffix}"


def clauses(sentence: str) -> list[Clause]:
    """Parts of a sentence in order; one when it states one thing, when parts lean on each other, or when it is long."""
    whole = [Clause(0, len(sentence))]
    if (
        len(sentence) > 600
        or re.match(r"otherwise\b", sentence, re.IGNORECASE)
        or re.search(r"\b(?:otherwise|either|both)\b", sentence, re.IGNORECASE)
    ):
        return whole
    lead = LEAD.match(sentence)
    first = lead.end() if lead else 0
    cuts = [match for match in SEMICOLON.finditer(sentence, first) if not _in_brackets(sentence, match.start())]
    cuts += [
        match
        for match in AND.finditer(sentence, first)
        if not _in_brackets(sentence, match.start()) and MODAL_WORD.search(sentence[first : match.start()])
    ]
    cuts.sort(key=lambda match: match.start())
    parts: list[Clause] = []
    start = 0
    for cut in [*cuts, None]:
        end = cut.start() if cut else len(sentence)
        part = sentence[start:end]
        before = PREDICATE.search(sentence[parts[-1].start : parts[-1].end]) if parts else None
        elliptic = ELLIPTIC.search(part)
        if len(part.split()) < 3 or (elliptic and not before) or not VERB.search(part):
            return whole
        parts.append(
            Clause(
                start, end, lead.group() if lead and start else "", before["predicate"] if elliptic and before else ""
            )
        )
        start = cut.end() if cut else end
    return parts


def _in_brackets(text: str, at: int) -> bool:
    return text.count("(", 0, at) > text.count(")", 0, at) or text.count("`", 0, at) % 2 == 1
