"""Whether a sentence states something about the product, and how strongly: rules over words, each with its reason."""

import re
from dataclasses import dataclass

from qa_agents.plans.read.parsed import plain
from qa_agents.plans.requirements import lexicon as words
from qa_agents.plans.schema import Modality, RequirementKind

LOOKED_AT = 600
"""Characters of a sentence that the rules look at."""
SUBJECT_WORDS = 9
"""Words in which a main verb is looked for."""
WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")
LINK_ONLY = re.compile(r"\s*!?\[[^\]]{0,200}\]\([^)\s]{0,500}\)[.,;]?\s*\Z|\s*https?://\S+\s*\Z")
CODE_ONLY = re.compile(r"\s*`([^`]{1,300})`\s*\Z")
NEGATIVE = re.compile(
    r"\b(?:must|shall|should|may|can|will|do|does|is|are|need|has|have)(?:\s+(?:also|still|then|"
    r"therefore))?\s+(?:not|never)\b|"
    r"\b(?:cannot|can't|won't|mustn't|shouldn't|isn't|aren't|doesn't|don't|never|no longer|"
    r"forbidden|prohibited|disallowed|invalid|"
    r"not (?:be )?(?:permitted|allowed))\b|\A(?:neither|nor|unspecified)\s"
    r"|\Ano (?!(?:\w+ ){1,2}(?:is |are )?(?:required|needed|necessary)\b)",
    re.IGNORECASE,
)
SHOULDS = re.compile(r"\b(?:should(?:n't)?|recommended|ought|ideally|preferably)\b", re.IGNORECASE)
MUSTS = re.compile(
    r"\b(?:must|shall|(?:is|are) required|required|we require|cannot|can't|ha(?:s|ve) to|mandatory|"
    r"not (?:be )?(?:allowed|permitted)|forbidden|"
    r"prohibited|never|always|ensure|make sure|do not|don't|only)\b",
    re.IGNORECASE,
)
MAYS = re.compile(r"\b(?:may|can|optional(?:ly)?|allowed|permitted)\b", re.IGNORECASE)
DETERMINED = re.compile(
    r"(?:this|these|that|those) (?!is|are|was|were|can|will|means|allows|makes|way)[a-z'-]+", re.IGNORECASE
)


@dataclass(frozen=True)
class Context:
    """What stands around a sentence: how its list is led in, what follows it, the headings above."""

    heading_path: tuple[str, ...] = ()
    bullet: bool = False
    ordered_lead: str = ""
    """The sentence that leads the list in, empty outside lists."""
    followed_by: str = ""
    """Kind of the block after this one, when the sentence is the last of its own."""


@dataclass(frozen=True)
class Verdict:
    """What a sentence is; `rule` names the reason and shows up nowhere but in tests and explanations."""

    kind: RequirementKind | None
    """None: says nothing about the product. `functional` stands for any requirement; the finer kind is told later."""
    rule: str


def judge(sentence: str, context: Context) -> Verdict:
    """Requirement, out of scope, rationale, or nothing. Linear in the sentence, of which a bounded part is looked at."""
    raw = sentence[:LOOKED_AT]
    code_only = CODE_ONLY.match(raw)
    if code_only:
        stated = bool(words.CODE_STATEMENT.match(code_only.group(1).strip()))
        return Verdict("functional", "stated in code") if stated or _normative(context) else Verdict(None, "code only")
    text = plain(words.DIRECTIVE_TEXT.sub(" ", raw))
    if not WORD.search(text):
        return Verdict(None, "no words")
    if LINK_ONLY.match(raw) and not _normative(context):
        return Verdict(None, "link only")
    if any(words.OUT_HEADINGS.search(title) for title in context.heading_path):
        return Verdict("out_of_scope", "section out of scope")
    if words.OUT_SENTENCES.search(text):
        return Verdict("out_of_scope", "says so")
    if words.INSTRUCTION.search(text) and not re.search(r"\b(?:must|shall|should|will)\b", text):
        return Verdict("rationale", "addresses a machine")
    verdict = _statement(text, context)
    if verdict.kind and _in_background(context) and not re.search(r"\b(?:must|shall)\b", text):
        return Verdict("rationale", "background section")
    if verdict.kind is None and _in_background(context) and text.endswith("."):
        return Verdict("rationale", "background section")
    if verdict.kind is None and words.RATIONALE_STARTS.match(_opened(text)[0]):
        return Verdict("rationale", "gives a reason")
    return verdict


def modality_of(text: str, context: Context) -> Modality:
    """RFC 2119 strength, of the sentence itself or of the sentence that leads its list in."""
    for part in (text, context.ordered_lead):
        if re.search(r"\b(?:must|shall)\b", part, re.IGNORECASE):
            return "must"
        if SHOULDS.search(part):
            return "should"
        if re.search(
            r"\b(?:may|can) only\b|\bonly [\w ]{1,60}? (?:may|can)\b|\b(?:may|can)(?:not| not|'t)\b",
            part,
            re.IGNORECASE,
        ):
            return "must"
        if MUSTS.search(part) and not re.search(r"\bonly\b", part, re.IGNORECASE):
            return "must"
        if MAYS.search(part):
            return "may"
    return "none"


def is_negated(text: str) -> bool:
    """Whether the main statement says what must not be; a condition that leads it in does not count."""
    lead = re.match(r"(?:when|while|if|where|once|unless|until|after|before)\b[^,]{0,200},\s*", text, re.IGNORECASE)
    return bool(NEGATIVE.search(text[lead.end() :] if lead else text))


def _normative(context: Context) -> bool:
    lead = context.ordered_lead
    return bool(lead and words.STRONG.search(lead) and not words.ADVICE.search(lead))


def _in_background(context: Context) -> bool:
    return any(words.RATIONALE_HEADINGS.search(title) for title in context.heading_path[-2:])


def _opened(text: str) -> tuple[str, bool]:
    """The text behind words like `However,`, and whether it is an example."""
    example = bool(words.EXAMPLE_OPENER.match(text))
    for _ in range(3):
        opener = words.OPENERS.match(text)
        if not opener:
            break
        text = text[opener.end() :]
    return text, example


def _statement(text: str, context: Context) -> Verdict:
    if text.rstrip().endswith("?"):
        return Verdict(None, "question")
    if text.rstrip().endswith(":"):
        return _lead_in(text, context)
    opened, example = _opened(text.lstrip("(\"'“"))
    if not opened:
        return Verdict(None, "opener only")
    if example and not words.EARS_START.match(opened):
        return Verdict(None, "example")
    return _content(opened, context)


def _lead_in(text: str, context: Context) -> Verdict:
    """A sentence that ends with a colon: it states something of its own only when what follows is not its list."""
    if context.followed_by in ("bullet", "") and not words.LABELLED.match(text):
        return Verdict(None, "leads a list in")
    if re.search(
        r"\b(?:examples?|look(?:s)? like|like this|like so|following (?:structure|content|code|command)|as follows"
        r"|(?:this|which|it) (?:produces|outputs|renders|results in|becomes|yields|gives))\b",
        text,
        re.I,
    ):
        return Verdict(None, "leads an example in")
    opened, example = _opened(text)
    verdict = _content(opened.rstrip(": "), context)
    return verdict if verdict.kind and not example else Verdict(None, "leads something in")


def _content(text: str, context: Context) -> Verdict:
    first = WORD.match(text)
    head = first.group().lower() if first else ""
    if words.LABELLED.match(text) or words.STATUS_LINE.match(text) or words.ENDPOINT.match(text):
        return Verdict("functional", "label")
    if words.VAGUE_OPEN.search(text):
        return Verdict(None, "left open by the text")
    if words.TERM.search(words.ASIDE.sub("", text)) and not words.EARS_START.match(text):
        return Verdict(None, "names a term")
    if re.match(r"(?![Tt]o\b)[^,]{1,60} makes? (?:this|it|that) (?:easy|easier|simple|possible)\b", text):
        return Verdict("rationale", "praise")
    if words.PRAISE.search(text) and not re.search(r"\b(?:must|shall|cannot|not)\b", text, re.IGNORECASE):
        return Verdict("rationale", "praise")
    if words.EFFORT.match(text) and not re.search(r"\b(?:must|shall)\b", text):
        return Verdict("rationale", "asks for an effort")
    if words.ADVICE.search(text) and not re.search(r"\b(?:must|shall|MAY|SHOULD)\b", text):
        return Verdict(None, "advice")
    strong = words.STRONG.search(text)
    must = re.search(r"\b(?:must|shall|we require|cannot|not allowed|not permitted)\b", text, re.IGNORECASE)
    if (
        (words.TALK_STARTS.match(text) or words.RATIONALE_STARTS.match(text))
        and not must
        and not _second_person_result(text)
    ):
        return Verdict(None, "talk about the text")
    if head in ("try", "please") or (head in words.DIRECTIVES and not _is_noun(text, head)):
        return Verdict("functional", "directive")
    if _normative(context):
        return Verdict("functional", "listed as required")
    if head in words.TUTORIAL and not _is_noun(text, head):
        return Verdict(None, "instruction to the reader")
    if strong:
        return Verdict("functional", "strong words")
    if words.EARS_START.match(text) and _has_consequence(text):
        return Verdict("functional", "condition and consequence")
    if head in words.GERUNDS and _main_verb(text):
        return Verdict("functional", "event and consequence")
    if head in words.THIRD and head not in ("is", "has", "does"):
        return Verdict("functional", "subject left out")
    if words.WEAK.search(text):
        return Verdict("functional", "capability")
    if words.MIGHT.search(text):
        return Verdict(None, "speculation")
    if re.match(r"(?:it|this|that|these|those|they|there|we|you|i)\b", text, re.I) and not DETERMINED.match(text):
        copula = re.match(rf"(?:it|they) (?:is|are) (?:\w+ly )?{words.PARTICIPLE}\b", text, re.IGNORECASE)
        known = re.match(r"(?:it|they|there) ([a-z]+)", text, re.IGNORECASE)
        stated = copula or (known and known.group(1) in words.THIRD | words.BASE and head != "there")
        return Verdict("functional" if stated else None, "pronoun")
    if _main_verb(text):
        return Verdict("functional", "present tense")
    if context.bullet and context.ordered_lead and head in words.BASE and not _is_noun(text, head):
        return Verdict("functional", "step of a list")
    return Verdict(None, "no statement")


def _second_person_result(text: str) -> bool:
    """`If you omit the offset, it will represent …`: a condition put to the reader with a result in the product."""
    result = re.match(
        r"if you (?!are |'re |want |would |need |find |wish |prefer )[^,]{1,200},\s*(.+)",
        text,
        re.IGNORECASE | re.DOTALL,
    )
    return bool(
        result and not re.match(r"(?:you|we|then you|see|use|try|just|simply)\b", result.group(1), re.IGNORECASE)
    )


def _has_consequence(text: str) -> bool:
    comma = text.find(",")
    consequence = text[comma + 1 :] if comma != -1 else text
    if re.match(r"\s*(?:you|we|see|try|just|simply|it means|it's|let)\b", consequence, re.IGNORECASE):
        return bool(re.search(r"\b(?:must|cannot|can only)\b", consequence))
    found = WORD.search(consequence)
    head = found.group().lower() if found else ""
    return comma != -1 and bool(_main_verb(consequence.strip()) or head in words.BASE or words.WEAK.search(consequence))


def _is_noun(text: str, head: str) -> bool:
    """`Filter links are …`, `Set Delimiter tags …`: the word names a thing, for a verb follows within the subject."""
    return bool(
        re.match(
            rf"{re.escape(head)}(?:\s+[A-Za-z'-]+){{0,4}}\s+(?:is|are|has|have|{words.MODALS})\b", text, re.IGNORECASE
        )
    ) and not re.match(
        rf"{re.escape(head)}\s+(?:the|a|an|all|any|your|its|only|sure|not|to|that)\b", text, re.IGNORECASE
    )


def _main_verb(text: str) -> bool:
    """A verb in the present tense with a subject before it."""
    if re.match(r"[^.;:]{0,60}?\b(?:was|were|had been|has been|have been)\b", text):
        return False
    tokens = WORD.findall(text)[: SUBJECT_WORDS + 6]
    for position, token in enumerate(tokens[1:], 1):
        lower = token.lower()
        before = tokens[position - 1].lower()
        if before in ("the", "a", "an", "of", "to", "its", "their", "each", "for", "with", "your"):
            continue
        if lower in ("is", "are", "has", "have", "does", "do") and position <= SUBJECT_WORDS + 4:
            return True
        if lower in words.THIRD and position <= SUBJECT_WORDS:
            return True
        if (
            lower in words.BASE
            and before.endswith("s")
            and before not in ("is", "as", "this", "its", "has")
            and position <= SUBJECT_WORDS
        ):
            return True
    return bool(words.VERB_THEN_OBJECT.search(text[:120]))
