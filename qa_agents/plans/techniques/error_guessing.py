"""Error guessing, ISO/IEC/IEEE 29119-4, 5.4: the mistakes that a kind of data or deed invites, where the text has it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from qa_agents.plans.schema import CoverageItem, FieldSpec, Polarity, Requirement
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.techniques.roles import role_of
from qa_agents.plans.techniques.values import DATES, TEXTUAL


@dataclass(frozen=True, slots=True)
class Guess:
    """One classic mistake: what to try and what then must be seen, from a rule that holds for any product."""

    rule: str
    value: str
    why: str
    expected: str
    polarity: Polarity = "negative"


_TEXT = (
    Guess(
        "text-unicode",
        "Zoë 李 😀 e\u0301",
        "letters of several scripts, an emoji and a combining accent",
        "{name} is shown again exactly as it was entered",
        "positive",
    ),
    Guess(
        "text-markup",
        "<b>x</b><script>alert(1)</script>",
        "markup and script",
        "{name} is shown as plain text or refused visibly; no script runs",
    ),
    Guess(
        "text-quote",
        "O'Brien\"; --",
        "quotation marks and a comment sign of a query language",
        "{name} is treated as plain text or refused visibly; no other data are touched",
    ),
)
_BLANK = Guess(
    "text-blank", "three blanks", "blanks only in a required text", "{name} made of blanks is refused visibly"
)
_EMPTY = Guess("text-empty", "(empty)", "nothing in a required text", "Empty {name} is refused visibly")
_HUGE = Guess(
    "text-huge",
    "100 000 characters",
    "a text far longer than anyone types, where no limit is stated",
    "{name} is either accepted and shown whole, else refused visibly; the page stays usable",
)
_DATE = (
    Guess(
        "date-leap-day",
        "29 February of a leap year",
        "a leap day",
        "{name} = 29 February of a leap year is accepted",
        "positive",
    ),
    Guess(
        "date-no-such-day",
        "29 February of a common year",
        "a day that does not exist",
        "{name} = 29 February of a common year is refused visibly",
    ),
)
_MOMENT = (
    Guess(
        "moment-dst",
        "a time in the hour that the change to summer time skips",
        "a local time that does not exist",
        "{name} is either refused visibly, else shown again as one unambiguous time",
    ),
    Guess(
        "moment-zone",
        "the same moment seen from a zone 12 hours away",
        "another time zone",
        "{name} names the same moment in both zones",
        "positive",
    ),
)
_FILE = (
    Guess(
        "file-empty",
        "a file of 0 bytes",
        "an empty file",
        "The empty {name} is refused visibly, else shown as empty; nothing breaks",
    ),
    Guess(
        "file-renamed",
        "a program renamed to an allowed extension",
        "content that is not what the name says",
        "The renamed program is not run for anybody who opens {name}",
    ),
)


@dataclass(frozen=True, slots=True)
class Deed:
    """A mistake that a kind of deed invites; it applies where the words are in the text."""

    rule: str
    words: re.Pattern[str]
    what: str
    expected: str


_PAY = (
    r"(?:pay(?:s|ment|ments)?|charg(?:e|es|ed)|refunds?|transfers?|orders?|purchases?|bookings?|books|checkout"
    r"|invoices?|votes?)"
)
_DEEDS = (
    Deed(
        "twice-sent",
        re.compile(
            rf"\b(?:submit(?:s|ted)?|confirm(?:s|ed)?|places?|sends?|creates?|makes?|processes)\b.{{0,60}}\b{_PAY}\b",
            re.I,
        ),
        "The same request is sent twice in quick succession (double click, retry after a lost answer)",
        "The effect happens once: one entry, one amount",
    ),
    Deed(
        "at-the-same-time",
        re.compile(
            r"\b(?:simultaneous\w{0,3}|concurrent\w{0,3}|at the same time|last (?:seat|slot|item|copy)"
            r"|double.book\w{0,4}|race)\b",
            re.I,
        ),
        "Two users do it at the same moment",
        "Exactly one of them succeeds; the other is told so",
    ),
    Deed(
        "retried",
        re.compile(r"\b(?:retr(?:y|ies|ied)|re-?send|idempoten\w{1,3}|redeliver\w{0,3}|webhooks?)\b", re.I),
        "The same message arrives a second time",
        "The second arrival changes nothing",
    ),
    Deed(
        "page-beyond-the-end",
        re.compile(r"\b(?:paginat\w{1,4}|per page|next page|page size|offset)\b", re.I),
        "A page beyond the last one is asked for",
        "An empty page is shown without an error, and the way back works",
    ),
    Deed(
        "changed-between-pages",
        re.compile(r"\b(?:paginat\w{1,4}|per page|next page)\b", re.I),
        "An entry is deleted between looking at two pages",
        "No remaining entry is skipped",
    ),
    Deed(
        "across-clock-change",
        re.compile(
            r"\b(?:reminders?|schedul\w{1,4}|every day|daily|midnight|time ?zones?|recurring|appointments?)\b", re.I
        ),
        "It falls on the night in which the clocks change",
        "It happens once, at the stated local time",
    ),
    Deed(
        "connection-lost",
        re.compile(
            r"\b(?:upload\w{0,3}|download\w{0,3}|import(?:s|ed|ing)?|offline|syncs?|synchroni[sz]\w{1,5})\b", re.I
        ),
        "The connection breaks half-way",
        "What is there is whole or absent, never half; a second try works",
    ),
)


def guesses(requirement: Requirement) -> Iterator[CoverageItem]:
    """The mistakes that fit the requirement's fields and words; nothing for statements that neither take input nor act."""
    if requirement.data.get("method"):
        return
    for field in requirement.fields:
        if role_of(field, requirement) != "input" or field.enum:
            continue
        for guess in _for_field(field):
            what = f"{field.name}: {guess.why}"
            yield make_item(
                requirement,
                "error_guessing",
                what,
                rule=guess.rule,
                polarity=guess.polarity,
                parameters={field.name: guess.value},
                expected=guess.expected.format(name=field.name),
            )
    if requirement.kind != "functional" or (requirement.modality in ("none", "may") and not requirement.trigger):
        return
    if requirement.transitions or requirement.rules or requirement.negated:
        return
    for deed in _DEEDS:
        if deed.words.search(requirement.quote):
            yield make_item(
                requirement,
                "error_guessing",
                deed.what,
                rule=deed.rule,
                polarity="negative",
                parameters={"situation": deed.what},
                expected=deed.expected,
            )


def _for_field(field: FieldSpec) -> Iterator[Guess]:
    kind = (field.type or "").lower()
    if kind in DATES:
        if kind != "time":
            yield from _DATE
        if kind != "date":
            yield from _MOMENT
    elif kind == "file":
        yield from _FILE
    elif kind in TEXTUAL or (not kind and (field.min_length is not None or field.max_length is not None)):
        if kind not in ("email", "url", "uri", "uuid", "phone") and not field.pattern:
            yield from _TEXT
            if field.max_length is None:
                yield _HUGE
        if field.required or field.min_length:
            yield _BLANK
            yield _EMPTY
