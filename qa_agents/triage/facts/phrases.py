"""Phrases as plain words, so that people who write no regular expressions can edit the rules that look for them.

A phrase is words in lower case; `*` at a word's end stands for up to eight more letters (`crash*`), `...` between words for
none to four words (`lost ... data`), and `a|b` for either word. Matching ignores case; blanks match any run of blanks.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from qa_agents.triage.facts.lexicon import lowered

MAX_SENTENCE_CHARS = 240

_WORD = re.compile(r"[^\s*|]{1,60}\*?(?:\|[^\s*|]{1,60}\*?){0,30}")
_GAP = r"(?:[ \t\r\n\"'(,/:-]{1,3}[\w'’$%.-]{1,25}){0,4}?"
_BLANK = r"[ \t\r\n\"'`*_,/:=(-]{1,4}"


def compile_phrases(phrases: Iterable[str]) -> re.Pattern[str]:
    """One linear-time pattern, for text in lower case, of all phrases. Raises ValueError naming one that is not a phrase."""
    return re.compile(r"(?<![\w.$])(?:" + "|".join(_alternative(phrase) for phrase in phrases) + r")(?!['’]?\w)")


def _compiling(phrases: list[str]) -> list[str]:
    compile_phrases(phrases)
    return phrases


Phrases = Annotated[list[str], Field(min_length=1), AfterValidator(_compiling)]
"""A list of phrases in a rules file: at least one, and each is checked when the file is read."""


def find_phrases(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Where the phrases stand in `text`, negated or not; groups are in lower case, offsets those of `text`."""
    return pattern.finditer(lowered(text))


def is_negated(text: str, start: int, end: int) -> bool:
    """Whether the phrase at `text[start:end]` is plainly denied: `no data loss`, `not a security issue`, `data loss: no`.

    Only a negation right before (a few articles and the like between) or an answer right after counts; all else is left
    standing: `not sure if …`, `not only …`, `no fix for …`.
    """
    before, after = lowered(text[max(0, start - 60) : start]), lowered(text[end : end + 20])
    return bool(_DENIED_BEFORE.search(before)) or bool(_DENIED_AFTER.match(after))


def blank_out(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with the spans filled with NUL, which no quote may hold; same length, so that offsets stay."""
    parts, position = [], 0
    for start, end in sorted(spans):
        if end > position:
            start = max(start, position)
            parts += [text[position:start], "\x00" * (end - start)]
            position = end
    return "".join([*parts, text[position:]]) if parts else text


def sentence_around(text: str, start: int, end: int, limit: int = MAX_SENTENCE_CHARS) -> tuple[int, int]:
    """The sentence or line that holds `text[start:end]`, at most about `limit` characters; never across a NUL."""
    room = max(0, limit - (end - start)) // 2
    before, after = text[max(0, start - room) : start], text[end : end + room]
    ends = [match.end() for match in _SENTENCE_END.finditer(before)]
    lead = ends[-1] if ends else _cut_word(before, whole=start <= room)
    if tail := _SENTENCE_END.search(after):
        after = after[: tail.start() + (tail[0] in ".!?")]
    elif end + room < len(text):
        after = after[: max(after.rfind(" "), 0)]
    lead += len(before[lead:]) - len(before[lead:].lstrip())
    return start - len(before) + lead, end + len(after.rstrip())


def _cut_word(before: str, *, whole: bool) -> int:
    """How much to drop in front, so that a text which was cut does not begin within a word."""
    return 0 if whole else before.find(" ") + 1


def _alternative(phrase: str) -> str:
    words = phrase.split()
    if not words or words[0] == "..." or words[-1] == "..." or phrase != phrase.lower():
        raise ValueError(f"not a phrase: {phrase!r}")
    parts: list[str] = []
    for word in words:
        if word == "...":
            parts.append(_GAP)
        elif _WORD.fullmatch(word):
            parts.append((_BLANK if parts else "") + _either(word))
        else:
            raise ValueError(f"not a phrase: {phrase!r}")
    return "".join(parts)


def _either(word: str) -> str:
    forms = [
        re.escape(form.removesuffix("*")) + (r"[\w'’]{0,8}" if form.endswith("*") else "") for form in word.split("|")
    ]
    return forms[0] if len(forms) == 1 else f"(?:{'|'.join(forms)})"


_FILLER = (
    r"(?:(?:an?|any|the|longer|is|are|was|were|be|been|really|actually|real|known|further|such|sign|evidence|risk|of|it|this)"
    r"[ \t]{1,2}){0,5}"
)
_DENIED_BEFORE = re.compile(
    rf"(?:\b(?:no|not|nobody|no one|none|without|never|neither|nor|non|zero)[ \t-]{{1,2}}|(?:n['’]t)[ \t]{{1,2}}){_FILLER}$"
)
_DENIED_AFTER = re.compile(
    r"[ \t]{0,2}[:?=-]{1,2}[ \t]{0,2}(?:no|none|nil|n/a|false|not? applicable)[ \t]{0,2}(?:[.,;)\r\n]|$)"
)
_SENTENCE_END = re.compile(r"[.!?](?=\s)|[\n\r\x00|]")
