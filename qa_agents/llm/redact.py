"""Secrets and personal data in text: found by named patterns, replaced by placeholders that this machine can undo.

Applied before text reaches a model, an embedder elsewhere, a log or a tracker. Only shapes with a name or an issuer's prefix are
matched, never mere randomness: commit hashes, GUIDs and trace ids, which triage lives on, stay as they are. Names of people and
postal addresses have no shape and are not found.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from qa_agents.llm.redact_patterns import PATTERNS, Pattern

PERSONAL_NAMES = frozenset({"EMAIL", "PHONE", "IPV4", "IPV6", "MAC", "BIRTH_DATE", "ACCOUNT"})
"""Personal data; every other pattern name is a secret."""


class Span(NamedTuple):
    """Where a pattern matched: `text[start:end]` is what must not be shown."""

    start: int
    end: int
    name: str


@dataclass(frozen=True)
class Redacted:
    """A text with placeholders, and what it takes to undo them."""

    text: str
    spans: list[Span]
    """Offsets into the original text, in order, not overlapping."""
    placeholders: dict[str, str]
    """Placeholder to original; holds the secrets, so it must stay on this machine."""


def find_sensitive(text: str, *, phones: bool = False) -> list[Span]:
    """Every secret and piece of personal data, in order, not overlapping.

    Where two patterns meet, the one listed first wins. `phones` adds telephone numbers, easily taken for other numbers.
    """
    return _find(text, frozenset() if phones else frozenset({"PHONE"}))


def find_secrets(text: str) -> list[Span]:
    """What `find_sensitive` finds, without the personal data."""
    return _find(text, PERSONAL_NAMES)


def _find(text: str, without: frozenset[str]) -> list[Span]:
    lowered = text.lower()
    taken: list[Span] = []
    for pattern in PATTERNS:
        if pattern.name in without or not _worth_trying(pattern, lowered):
            continue
        spans = [
            Span(*match.span(match.lastgroup or 0), pattern.name)
            for match in pattern.regex.finditer(text)
            if pattern.check(match)
        ]
        taken = _merged(taken, spans) if spans else taken
    return taken


def redact(text: str, *, phones: bool = False) -> Redacted:
    """Replace every secret and piece of personal data by a numbered placeholder, `⟨EMAIL_1⟩`; one value, one number.

    `restore(redacted.text, redacted.placeholders) == text`, whatever the text holds.
    """
    spans = find_sensitive(text, phones=phones)
    given: dict[tuple[str, str], str] = {}
    parts, position = [], 0
    for span in spans:
        key = (span.name, text[span.start : span.end])
        if key not in given:
            given[key] = _free_placeholder(span.name, text, set(given.values()))
        parts += [text[position : span.start], given[key]]
        position = span.end
    redacted = "".join([*parts, text[position:]])
    return Redacted(redacted, spans, {placeholder: value for (_, value), placeholder in given.items()})


def restore(text: str, placeholders: dict[str, str]) -> str:
    """Put the originals back in one pass, so that an original which looks like a placeholder stays as it is."""
    return _PLACEHOLDER.sub(lambda match: placeholders.get(match.group(), match.group()), text)


def mask(text: str, *, personal: bool = False) -> str:
    """The text for display: secrets become `⟨NAME⟩`, which cannot be undone; with `personal`, personal data too."""
    parts, position = [], 0
    for start, end, name in find_sensitive(text, phones=personal):
        if personal or name not in PERSONAL_NAMES:
            parts += [text[position:start], f"⟨{name}⟩"]
            position = end
    return "".join([*parts, text[position:]])


_PLACEHOLDER = re.compile(r"⟨[A-Z0-9_]{1,40}⟩")


def _free_placeholder(name: str, text: str, taken: set[str]) -> str:
    number = 1
    while (placeholder := f"⟨{name}_{number}⟩") in taken or placeholder in text:
        number += 1
    return placeholder


def _worth_trying(pattern: Pattern, lowered: str) -> bool:
    return not pattern.needles or any(needle in lowered for needle in pattern.needles)


def _merged(taken: list[Span], new: list[Span]) -> list[Span]:
    """Both lists as one, in order; of `new`, only what overlaps nothing of `taken`."""
    merged: list[Span] = []
    old = iter([*taken, None])
    upcoming = next(old)
    for span in new:
        while upcoming and upcoming.end <= span.start:
            merged.append(upcoming)
            upcoming = next(old)
        if not upcoming or upcoming.start >= span.end:
            merged.append(span)
    return merged + ([upcoming, *(span for span in old if span)] if upcoming else [])
