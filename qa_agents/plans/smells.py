"""What makes requirements hard to test, by rules over their words and over what the others say; few, so that each is read."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from qa_agents.plans.conflicts import find_conflicts
from qa_agents.plans.read import Document
from qa_agents.plans.read.parsed import word_set
from qa_agents.plans.requirements.lexicon import INSTRUCTION
from qa_agents.plans.schema import NOT_TESTED, FieldSpec, Requirement, Smell, SmellKind
from qa_agents.plans.techniques.roles import role_of

MOST_REMARKS = 50
"""Of one kind in one document; who has that many has read enough."""
QUOTE_CHARS = 400
"""Beyond this a quote is code or a table, in which words are looked for in vain."""
ACRONYM = re.compile(r"(?<![\w`/.#:-])([A-Z]{2,5})s?(?![\w`/-]|:\w)")
KNOWN = word_set(
    "HTTP HTTPS URL URI API JSON XML HTML CSS PDF CSV TXT SQL UI UX ID IDS OK UTC GMT USA US UK EU USD EUR GBP CHF "
    "JPY RFC ISO IEEE IEC ASCII UTF EOF LF CR CRLF BOM TAB JS TS NPM README WCAG GDPR CCPA TLS SSL SSH FTP SMTP IMAP "
    "DNS IP TCP UDP VPN VAT PIN SMS MMS QR PNG JPG JPEG GIF SVG WEBP ZIP MIME REST CRUD CLI SDK IDE OS CPU GPU RAM KB "
    "MB GB TB PX AM PM FAQ PRD MVP QA CI CD AI ML LLM UUID GUID JWT CORS CSRF XSS AWS GCP IOS MAC DB SLA SLO KPI PC "
    "TV USB GPS NFC MFA SSO OTP MD YAML TOML INI GET PUT POST HEAD PATCH AND OR NOT ALL ANY THE FOR IF IN ON NO YES "
    "MUST MAY SHALL SHOULD EXCEPT ONLY NEVER BUT THEN ELSE WHEN WITH IS AN AS TO BY OF BE DO TBD TBC TBA TODO FIXME "
    "XXX ETC EG IE VS NB PS FR NFR AC US REQ UC BR II III IV VI VII VIII IX HASH ABNF BNF NAN INF ACL RTL LTR IANA "
    "W3C DOM AJAX WYSIWYG "
)
STANDARD = "|".join(sorted(KNOWN, key=len, reverse=True))
IN_COMPOUND = re.compile(
    rf"(?:\b(?:{STANDARD})s?(?: \d[\w.:-]*)?|\d[\d.,]*)\s*(?:,\s*)?(?:(?:conformance |compliance )?"
    r"(?:level|class|grade|type|category|part|profile|version)\s+)?\Z"
)
"""Behind the name or number of a standard, a known abbreviation or an amount: its level, its part, a unit or a currency."""
TOLD_BEFORE = re.compile(
    r"\b(?:level|class|grade|type|size|repl(?:y|ies|ied)(?: with)?|answers?|sends?|texts?|types?|enters?|press(?:es)?|says?"
    r"|words?|keywords?|commands?|codes?|keys?|buttons?|columns?|called|named|currency|currencies)\s*\Z",
    re.IGNORECASE,
)
"""What follows is a grade, or what somebody types or reads letter by letter; it stands for itself."""
TOLD_AFTER = re.compile(
    r"\s*(?:\d|(?:method|command|keyword|key|button|request|statement|state|column)s?\b)", re.IGNORECASE
)
PLACEHOLDER = re.compile(r"([A-Z])\1{2,}|[XYZ]{2,}|[DMYHS]{2,}")
ERROR = re.compile(
    r"\b(?:errors?|reject\w*|invalid|refus\w*|fail\w*|messages?|not accepted|den(?:y|ied|ies)|"
    r"declin\w*|warn\w*|4\d\d|disabled|blocked|prevented?|not (?:allowed|permitted|saved|created))\b",
    re.IGNORECASE,
)
ENTERED = re.compile(
    r"\b(?:users?|customers?|guests?|members?|visitors?|they|you|admins?|"
    r"who(?:ever)?)\b[^.;]{0,60}?\b(?:enter|type|upload|fill in|provide|submit|attach|write|"
    r"add)s?\s+(?P<what>(?:(?!(?:as|like|to|in|of|for|from|with|on|into|about|within)\b)[a-z-]+ ?){1,5})",
    re.IGNORECASE,
)
TYPED = re.compile(
    r"\b(?:name|title|comment|description|note|text|message|password|file|photo|image|picture|"
    r"attachment|document|amount|quantity|number|age|review|bio|address|nickname|reason|tags?)s?\b",
    re.IGNORECASE,
)
NEEDS_UNIT = re.compile(
    r"\b(?:time-?out|delay|duration|interval|period|retention|weight|distance|latency|response time|"
    r"wait|lifetime|expir\w+|ttl|temperature|session|cool-?down)\b",
    re.IGNORECASE,
)
MEASURED: dict[str, str] = {
    "performance": r"\d",
    "reliability": r"\d|\b(?:no|never|every|all|each|must not|cannot|idempotent|again|resume|retry|retries|offline)\b",
    "usability": r"\d",
}
EXPLETIVE = re.compile(
    r"It (?:is|must|should|will|may) (?:also |not |always |be )*(?:possible|necessary|allowed|required|important)\b"
)
PRONOUN = re.compile(
    r"(?:It|They|This|These|That)\s+(?:is|are|must|shall|should|will|can|may|has|have|does|do|needs?)\b"
)


@dataclass(frozen=True)
class Rule:
    """One row of smells.toml."""

    kind: SmellKind
    pattern: re.Pattern[str]
    why: str
    unless: re.Pattern[str] | None


@cache
def rules() -> tuple[Rule, ...]:
    """The word rules, read once."""
    with (Path(__file__).parent / "smells.toml").open("rb") as stream:
        rows = tomllib.load(stream)["rule"]
    return tuple(
        Rule(
            row["kind"],
            re.compile(row["pattern"], re.IGNORECASE),
            row["why"],
            re.compile(row["unless"], re.IGNORECASE) if "unless" in row else None,
        )
        for row in rows
    )


def find_smells(requirements: Sequence[Requirement], documents: Sequence[Document]) -> list[Smell]:
    """Smells in the order of the text, at most one of a kind and place; `document.text[start:end] == quote`.

    An instruction to whoever reads by machine is reported at the requirement that stands nearest and changes nothing else.
    """
    tested = [one for one in requirements if one.kind not in NOT_TESTED and one.status != "removed"]
    texts = {document.source.id: document for document in documents}
    found: list[Smell] = []
    for one in tested:
        found += _words(one)
        found += _unmeasured(one)
        found += _units(one)
        found += _pronoun(one, texts.get(one.source_id))
        found += _several(one)
    found += _conflicts(tested)
    found += _bounds(tested)
    found += _errors(tested)
    found += _terms(tested, documents)
    found += _instructions(requirements, documents)
    order = {one.id: number for number, one in enumerate(requirements)}
    unique = {(smell.requirement_id, smell.kind, smell.start, smell.end): smell for smell in found}
    return sorted(
        unique.values(), key=lambda smell: (order.get(smell.requirement_id, len(order)), smell.start, smell.kind)
    )


def _smell(one: Requirement, kind: SmellKind, why: str, start: int = 0, end: int | None = None) -> Smell:
    end = min(len(one.quote), QUOTE_CHARS) if end is None else end
    return Smell(
        requirement_id=one.id,
        kind=kind,
        quote=one.quote[start:end],
        start=one.start + start,
        end=one.start + end,
        why=why,
    )


def _prose(one: Requirement) -> str:
    """The quote where it is prose, with code blanked out; nothing for operations, code and whole tables."""
    if one.data.get("method") or one.quote.lstrip()[:1] in "{[" or (len(one.quote) > 3 * QUOTE_CHARS):
        return ""
    return re.sub(
        r"`[^`\n]{0,200}`|\"[^\"\n]{0,120}\"|“[^”\n]{0,120}”",
        lambda match: " " * len(match.group()),
        one.quote.replace("\n", " "),
    )


def _words(one: Requirement) -> Iterator[Smell]:
    text = _prose(one)
    seen: set[SmellKind] = set()
    taken: list[tuple[int, int]] = []
    for rule in rules():
        if rule.unless and rule.unless.search(text):
            continue
        for match in rule.pattern.finditer(text):
            once = rule.kind in ("escape_clause", "open_ended") and rule.kind in seen
            if not once and not any(match.start() < end and start < match.end() for start, end in taken):
                taken.append(match.span())
                seen.add(rule.kind)
                yield _smell(one, rule.kind, rule.why, *match.span())


def _unmeasured(one: Requirement) -> Iterator[Smell]:
    pattern = MEASURED.get(one.kind)
    if pattern and not re.search(pattern, one.quote, re.IGNORECASE) and not one.data.get("method"):
        yield _smell(one, "unmeasurable", f"It asks for {one.kind} and gives no number to measure it by.")


def _units(one: Requirement) -> Iterator[Smell]:
    for field in one.fields:
        value = field.minimum if field.minimum is not None else field.maximum
        if value is not None and field.unit is None and NEEDS_UNIT.search(field.name) and not one.data.get("method"):
            yield _smell(one, "missing_unit", f"{field.name} has a limit without a unit.", *_place(one, field))


def _place(one: Requirement, field: FieldSpec) -> tuple[int, int]:
    at = one.quote.find(field.quote) if field.quote else -1
    return (at, at + len(field.quote)) if at != -1 else (0, min(len(one.quote), QUOTE_CHARS))


def _pronoun(one: Requirement, document: Document | None) -> Iterator[Smell]:
    """A statement that opens its paragraph with a pronoun: nothing before it in the paragraph says what is meant."""
    match = None if EXPLETIVE.match(one.quote) else PRONOUN.match(one.quote)
    if (
        match
        and document
        and any(
            block.start == one.start and block.kind == "paragraph"
            for block in document.blocks
            if block.id in one.block_ids
        )
    ):
        yield _smell(
            one, "pronoun", "Nothing in its paragraph says what the pronoun stands for.", 0, match.group().find(" ")
        )


def _several(one: Requirement) -> Iterator[Smell]:
    text = _prose(one)
    if (
        len(text) <= QUOTE_CHARS * 2
        and len(re.findall(r"\b(?:must|shall)\b", text, re.IGNORECASE)) >= 3
        and not one.data.get("scenario")
    ):
        yield _smell(one, "several_in_one", "It states three or more obligations in one sentence.")


def _conflicts(requirements: Sequence[Requirement]) -> Iterator[Smell]:
    for conflict in find_conflicts(requirements):
        yield _smell(conflict.first, "contradiction", f"Contradicts {conflict.second.id}: {conflict.what}.")
        yield _smell(conflict.second, "contradiction", f"Contradicts {conflict.first.id}: {conflict.what}.")


def _bounds(requirements: Sequence[Requirement]) -> Iterator[Smell]:
    """What people type in or upload without anybody saying how long or large it may be; half-open lengths."""
    limited = {
        word
        for one in requirements
        for field in one.fields
        if _has_limit(field)
        for word in re.findall(r"[a-z]+", field.name.lower())
    }
    closed = {field.name.lower() for one in requirements for field in one.fields if field.max_length is not None}
    asked: set[str] = set()
    for one in requirements:
        if one.data.get("method"):
            continue
        for field in one.fields:
            name = field.name.lower()
            if field.min_length is not None and field.max_length is None and name not in closed | asked:
                asked.add(name)
                yield _smell(
                    one, "missing_bound", f"{field.name} has a shortest length and no longest.", *_place(one, field)
                )
        match = ENTERED.search(_prose(one))
        typed = TYPED.search(match.group("what")) if match else None
        if match and typed and not re.search(r"\d", one.quote):
            word = typed.group().lower().rstrip("s")
            if word not in asked and not {word, f"{word}s"} & limited:
                asked.add(word)
                start = match.start("what") + typed.start()
                yield _smell(
                    one,
                    "missing_bound",
                    f"Nothing says how long or large {word} may be.",
                    start,
                    start + len(typed.group()),
                )


def _has_limit(field: FieldSpec) -> bool:
    return any(
        value is not None for value in (field.minimum, field.maximum, field.min_length, field.max_length, field.pattern)
    ) or bool(field.enum)


def _is_given(field: FieldSpec, one: Requirement) -> bool:
    """Whether somebody gives the value and can break its limits, as nobody gives the time that an answer takes."""
    return _has_limit(field) and field.place is None and role_of(field, one) == "input"


def _errors(requirements: Sequence[Requirement]) -> Iterator[Smell]:
    """Limits in a section that nowhere says what happens to a value beyond them; once a section, at its first limit."""
    sections: dict[tuple[str, ...], list[Requirement]] = defaultdict(list)
    for one in requirements:
        if not one.data.get("method") and not one.data.get("operation"):
            sections[(one.source_id, *one.heading_path)].append(one)
    for group in sections.values():
        told = any(ERROR.search(one.quote) for one in group)
        first = next(
            (
                one
                for one in group
                if one.kind in ("data", "functional", "interface")
                and any(_is_given(field, one) for field in one.fields)
                and one.modality in ("must", "should", "may")
            ),
            None,
        )
        if first is not None and not told:
            field = next(field for field in first.fields if _is_given(field, first))
            yield _smell(
                first,
                "missing_error",
                f"Nothing here says what happens when {field.name} breaks its limits.",
                *_place(first, field),
            )


def _terms(requirements: Sequence[Requirement], documents: Iterable[Document]) -> Iterator[Smell]:
    """Abbreviations that no document spells out, each at its first use."""
    whole = "\n".join(document.text for document in documents)
    lower = set(re.findall(r"\b[a-z]{2,5}\b", whole))
    asked: set[str] = set()
    for one in requirements:
        text = _prose(one)
        for match in ACRONYM.finditer(text) if " | " not in one.quote else ():
            name = match.group(1)
            if (
                len(asked) >= MOST_REMARKS
                or name in KNOWN
                or name in asked
                or name.lower() in lower
                or (one.explicit_id or "").startswith(name)
                or _stands_for_itself(text, match)
            ):
                continue
            asked.add(name)
            if not re.search(
                rf"\({name}s?\)|\b{name}s?\s*(?:\(|:|–|—|=|means|stands for|is an?\b|refers to)|-{name}-", whole
            ):
                yield _smell(one, "undefined_term", f"No document says what {name} stands for.", *match.span(1))


def _stands_for_itself(text: str, match: re.Match[str]) -> bool:
    """Whether the capitals are part of a known name, a grade, a unit, a placeholder, or something typed as it stands."""
    before, after = text[: match.start(1)], text[match.end() :]
    return bool(
        PLACEHOLDER.fullmatch(match[1])
        or IN_COMPOUND.search(before)
        or TOLD_BEFORE.search(before)
        or TOLD_AFTER.match(after)
    )


def _instructions(requirements: Sequence[Requirement], documents: Sequence[Document]) -> Iterator[Smell]:
    for document in documents:
        own = [one for one in requirements if one.source_id == document.source.id]
        line_end = -1
        for match in islice(INSTRUCTION.finditer(document.text), MOST_REMARKS):
            if match.start() < line_end:
                continue  # said twice in one line is one remark
            line_end = document.text.find("\n", match.end())
            line_end = len(document.text) if line_end == -1 else line_end
            near = min(own, key=lambda one: _distance(one, match.start()), default=None)
            yield Smell(
                requirement_id=near.id if near else "",
                kind="instruction",
                quote=match.group(),
                start=match.start(),
                end=match.end(),
                why="It addresses whoever reads the text by machine. It was not followed.",
            )


def _distance(one: Requirement, at: int) -> int:
    return 0 if one.start <= at < one.end else min(abs(one.start - at), abs(one.end - at))
