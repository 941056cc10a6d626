"""Statements that exclude each other by what their words mean: kept and deleted, always and not at night, needed and not.

Each rule looks at two statements about the same thing; what they share is asked for in words, so that a false alarm is rare.
"""

import re
from collections.abc import Callable

from qa_agents.plans.read.parsed import plain, word_set
from qa_agents.plans.schema import Requirement

Bag = frozenset[str]

_GOES = re.compile(r"\b(?:delet|remov|eras|purg|destroy|discard|wip)(?:e|es|ed|ing|d)?\b", re.I)
_STAYS = re.compile(r"\b(?:kept|keep|retain(?:ed)?|stor(?:e|ed)|archived?|preserved?|held)\b", re.I)
_SPAN = re.compile(r"\b(\d+(?:\.\d+)?)\s*(minute|hour|day|week|month|year)s?\b", re.I)
_HOURS = {"minute": 1 / 60, "hour": 1.0, "day": 24.0, "week": 168.0, "month": 730.0, "year": 8_760.0}
_ALWAYS = re.compile(
    r"\b(?:at (?:any|all) (?:times?|hours?)(?: of (?:the )?(?:day|night))?|always|around the clock|24/7|every time"
    r"|in (?:all|every) cases?|without exception)\b",
    re.I,
)
_SOMETIMES_NOT = re.compile(
    r"\b(?:must|shall|may|can|should|will) ?not\b|\bcannot\b|\bnever\b|\b(?:is|are) not\b", re.I
)
_AT_TIMES = re.compile(r"\b(?:between|from|before|after|until|during|on)\b", re.I)
_NEEDED = re.compile(r"\b(?:must|shall|has to|have to|is required to|are required to|needs? to|only)\b", re.I)
_NOT_NEEDED = re.compile(
    r"\b(?:(?:must|shall|do|does|should|will) not (?:need|require|have to)|needn't|need not|not required|without an?)\b",
    re.I,
)
_IN_TURN = re.compile(
    r"\b(?:in the order (?:of|in which)|first come|in (?:the )?(?:sequence|order) (?:of|they)|by (?:date|time) of)\b",
    re.I,
)
_AHEAD = re.compile(
    r"\b(?:before (?:all|every|any)(?:one|body)? (?:others?|else)|ahead of|have priority|take precedence)\b", re.I
)
_FORBIDDEN = re.compile(r"\b(?:must|shall|may|can|should) ?(?:not|never)\b|\bcannot\b|\bnever\b", re.I)
_SHOWN = re.compile(r"\b(?:shows?|shown|displays?|displayed|visible|appears?)\b", re.I)
_FUNCTION = word_set(
    "shown show display displayed visible appear must shall never not after before year day hour week month time order need want "
    "without keep kept retain retained store stored delete deleted erase erased remove removed everybody everyone else other any "
    "who whenever reachable send sent given give handed hand out go"
)


def excluded(first: Requirement, second: Requirement, words: Callable[[str], Bag]) -> str:
    """In what two statements exclude each other; empty where nothing says so. The order of the two does not matter."""
    free = not (first.trigger or first.precondition or second.trigger or second.precondition)
    for left, right in ((first, second), (second, first)):
        said = plain(left.quote[:400]), plain(right.quote[:400])
        for rule in (_always_and_not, _in_turn_and_ahead, _shown_and_hidden) if free else ():
            if what := rule(*said, words):
                return what
        if what := _kept_and_gone(*said, words) or _needed_and_not(*said, words):
            return what
    return ""


def _shared(left: str, right: str, words: Callable[[str], Bag]) -> Bag:
    """What both speak of, without the words that only say when or how."""
    empty = {stem for one in _FUNCTION for stem in words(one)} | _FUNCTION
    return frozenset(word for word in words(left) & words(right) if word not in empty and not word[0].isdigit())


def _kept_and_gone(left: str, right: str, words: Callable[[str], Bag]) -> str:
    """Deleted after one span, kept for another."""
    gone, kept = _GOES.search(left), _STAYS.search(right)
    if not gone or not kept or _FORBIDDEN.search(left) or _FORBIDDEN.search(right):
        return ""
    subject = words(left[: gone.start()])
    after, during = _SPAN.search(left), _SPAN.search(right)
    if not after or not during or not subject or not subject <= words(right[: kept.start()]) | {"shall", "must"}:
        return ""
    if _hours(after) >= _hours(during):
        return ""
    return f"deleted after {after.group()}, kept for {during.group()}"


def _hours(span: re.Match[str]) -> float:
    return float(span.group(1)) * _HOURS[span.group(2).lower()]


def _always_and_not(left: str, right: str, words: Callable[[str], Bag]) -> str:
    """At any time, and not at some."""
    always, bar = _ALWAYS.search(left), _SOMETIMES_NOT.search(right)
    if not always or not bar or not _AT_TIMES.search(right[bar.end() :]) or _FORBIDDEN.search(left):
        return ""
    own = words(left[: always.start()])
    return "always, and not at some times" if own and own <= words(right) else ""


def _needed_and_not(left: str, right: str, words: Callable[[str], Bag]) -> str:
    """Something is needed for a deed, and not needed for the same."""
    free = _NOT_NEEDED.search(left)
    if not free or _NOT_NEEDED.search(right) or _FORBIDDEN.search(right) or not _NEEDED.search(right):
        return ""
    thing = re.sub(r"^\s*to\s+", "", left[free.end() :]).split(" to ")[0]
    if not _shared(thing, right, words):
        return ""
    both = _shared(left, right, words)
    about = _shared(left[free.end() :], right, words)
    least = min(len(_shared(left, left, words)), len(_shared(right, right, words)))
    return "needed, and not needed" if len(about) >= 2 and 2 * len(both) >= least else ""


def _in_turn_and_ahead(left: str, right: str, words: Callable[[str], Bag]) -> str:
    """In the order of arrival, and some before the others."""
    if not _IN_TURN.search(left) or not _AHEAD.search(right):
        return ""
    subject = words(_IN_TURN.split(left)[0]) - {stem for one in _FUNCTION for stem in words(one)}
    return "in the order of arrival, and some before all others" if subject & words(right) else ""


def _shown_and_hidden(left: str, right: str, words: Callable[[str], Bag]) -> str:
    """Never shown in a place, and shown in the same."""
    never = _FORBIDDEN.search(left)
    if not never or not _SHOWN.search(left) or not _SHOWN.search(right) or _FORBIDDEN.search(right):
        return ""
    mine, theirs = (words(text) - {stem for one in _FUNCTION for stem in words(one)} for text in (left, right))
    return "never shown, and shown" if len(mine & theirs) >= 2 and (mine <= theirs or theirs <= mine) else ""
