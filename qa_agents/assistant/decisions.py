"""Decisions in plain words: only an order that is nothing but an order is one. Pure.

“approve it” decides; “should I approve it?”, “approve all of them” and “approve it but …” do not, and say what would.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from qa_agents.moments import span_in

_YES = r"(?:(?:yes|ok|okay|please|right|and)\b[,!.\s]*)*"
_ORDER = re.compile(
    rf"{_YES}(approve|accept|sign|reject|decline|defer|postpone|delegate|hand|ask|edit|set|change|answer|assume)\b(.*)",
    re.IGNORECASE | re.DOTALL,
)
_WORD_OF: dict[str, str] = {
    "accept": "approve",
    "decline": "reject",
    "postpone": "defer",
    "hand": "delegate",
} | dict.fromkeys(("set", "change"), "edit")
_FILLER = re.compile(
    r"\b(?:it|this|that|please|now|off|the (?:review|report|proposal|plan|verdict|rest)|for me|as it is|as proposed)\b|[.!]+$",
    re.IGNORECASE,
)
_SEVERAL = re.compile(r"\b(?:all|everything|them|both|each|every|these|those)\b", re.IGNORECASE)
_BECAUSE = re.compile(r"(?:^|[\s,;:])(?:because(?: of)?|since|reason|as)\b[\s:=]*(.*)$", re.IGNORECASE | re.DOTALL)
_PAIR = re.compile(
    r"\b(?:the\s+)?([a-z][\w.-]{1,40})\s*(?:=|\bto\b|\binto\b)\s*(\"[^\"]+\"|'[^']+'|.+?)"
    r"(?=\s*(?:[,;]|\band\s+(?:the\s+)?[a-z][\w.-]*\s*(?:=|to\b)|\s[a-z][\w.-]*=|\bbecause\b|\bsince\b|\breason\b|$))",
    re.IGNORECASE,
)
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}(?:T[\d:]+(?:Z|[+-]\d{2}:?\d{2})?)?")
_JOINING = frozenset(("and", "it", "is", "a", "the", "of", "because", "reason"))
_QUOTED = re.compile(r"[\"“]([^\"”]+)[\"”]")
_ANSWER = re.compile(r"\s*(Q-[\w-]+|\d{1,2})\s*(?:[:=]|\bwith\b)\s*(.+)", re.IGNORECASE | re.DOTALL)
_TO = re.compile(r"\bto\s+(\S(?:.*\S)?)\s*$", re.IGNORECASE)
_ASKED = re.compile(r"\s*(?:the\s+)?reporter\b(.*)", re.IGNORECASE | re.DOTALL)


class Order(BaseModel):
    """A decision as ordered: what to answer (as `deciding.decide` takes it), or why the words do not make one."""

    model_config = ConfigDict(frozen=True)

    answer: dict[str, Any] = Field(default_factory=dict)
    complaint: str = ""


def order_of(text: str, ids: Sequence[str], codes: Sequence[str], now: datetime | None = None) -> Order | None:
    """The decision that a typed text orders; None when it is no such order at all.

    `ids` are the words in it that name a review or report, `codes` the reason codes that may be given.
    """
    match = _ORDER.fullmatch(text.strip())
    if match is None or text.rstrip().endswith("?"):
        return None
    word = match[1].casefold()
    verdict = _WORD_OF.get(word, word)
    rest = _without(match[2], ids)
    if verdict == "answer":
        return _answer(match[2])
    if verdict == "assume":
        return _assume(rest)
    if verdict in ("approve", "sign"):
        return _approve(verdict, rest)
    if verdict == "defer":
        return _defer(rest, now or datetime.now(UTC))
    if verdict == "delegate":
        return _delegate(rest)
    if verdict == "ask":
        return _ask(rest)
    return _edit(rest, codes) if verdict == "edit" else _reject(rest, codes)


def reason_in(text: str, codes: Sequence[str]) -> tuple[str | None, str]:
    """The reason code whose words all stand in a text, and the text as a note; no note where it says nothing else."""
    said = re.findall(r"[a-z]+", text.casefold())
    for code in sorted(codes, key=len, reverse=True):
        words = code.split("-")
        if set(words) <= set(said):
            more = set(said) - set(words) - _JOINING
            return code, text.strip(" ,;:.-–") if more else ""
    return None, text.strip(" ,;:.-–")


def moment_in(text: str, now: datetime) -> datetime | None:
    """The moment that a text names: a span (2d, 4 hours), a date, tomorrow, next week; None without one."""
    if span := span_in(text):
        return now + span
    if "tomorrow" in text.casefold():
        return now + timedelta(days=1)
    if "next week" in text.casefold():
        return now + timedelta(weeks=1)
    if date := _DATE.search(text):
        try:
            return datetime.fromisoformat(date[0]).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    return None


def _without(rest: str, ids: Sequence[str]) -> str:
    for name in ids:
        rest = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", rest, flags=re.IGNORECASE)
    return rest.strip()


def _bare(rest: str) -> str:
    rest = re.sub(
        r"\b(?:the\s+)?(?:first|second|third|fourth|fifth|sixth|last|1st|2nd|3rd|4th)(?:\s+(?:one|review))?\b",
        " ",
        rest,
    )
    return " ".join(_FILLER.sub(" ", rest).split()).strip(" ,;:.-–")


def _approve(verdict: str, rest: str) -> Order:
    bare = _bare(rest)
    if _SEVERAL.search(bare):
        return Order(complaint="One at a time: I take an approval only for something that was shown just before.")
    because = _BECAUSE.match(f" {bare}") if bare else None
    if bare and because is None and not rest.lstrip().startswith((":", ",")):
        return Order(complaint=f"I did nothing: “{verdict}” and something more is not clear enough to act on.")
    return Order(answer={"verdict": verdict, "note": because[1].strip() if because else bare})


def _reject(rest: str, codes: Sequence[str]) -> Order:
    bare = _bare(rest)
    if _SEVERAL.match(bare):
        return Order(complaint="One at a time: say which, and why.")
    because = _BECAUSE.search(f" {rest}")
    code, note = reason_in(because[1] if because else bare, codes)
    if code is None:
        return Order(complaint=f"A rejection needs a reason: {', '.join(codes)}. For example: reject it: {codes[0]}")
    return Order(answer={"verdict": "reject", "reason_code": code, "note": note})


def _edit(rest: str, codes: Sequence[str]) -> Order | None:
    pairs = [(field.casefold(), value.strip(" \"'.")) for field, value in _PAIR.findall(rest)]
    if not pairs:
        return None
    left = _BECAUSE.search(rest)
    tail = left[1] if left else re.sub(r"^[,;\s]+", "", _PAIR.sub("", rest))
    code, note = reason_in(tail, codes)
    if code is None:
        return Order(
            complaint=f"A change needs a reason: {', '.join(codes)}. For example: set {pairs[0][0]} to {pairs[0][1]}, {codes[0]}"
        )
    return Order(answer={"verdict": "edit", "edits": dict(pairs), "reason_code": code, "note": note})


def _ask(rest: str) -> Order | None:
    match = _ASKED.fullmatch(f" {rest}")
    if match is None:
        return None
    quoted = _QUOTED.findall(match[1])
    said = [] if quoted else [match[1].strip(" ,:;.")]
    return Order(answer={"verdict": "ask_reporter", "questions": [text for text in quoted or said if text]})


def _defer(rest: str, now: datetime) -> Order:
    until = moment_in(rest, now)
    if until is None:
        return Order(complaint="Until when? For example: defer it until 2d, or until 2026-12-01.")
    return Order(answer={"verdict": "defer", "until": until})


def _delegate(rest: str) -> Order:
    match = _TO.search(rest)
    if match is None:
        return Order(complaint="To whom? For example: delegate it to ines.")
    return Order(answer={"verdict": "delegate", "to": match[1].strip(" .")})


def _answer(rest: str) -> Order:
    match = _ANSWER.fullmatch(rest)
    if match is None:
        return Order(complaint="Which question, and what is the answer? For example: answer 1: yes, for all currencies")
    return Order(answer={"verdict": "answer", "answers": {match[1]: match[2].strip()}})


def _assume(rest: str) -> Order | None:
    bare = rest.casefold().strip(" .!")
    if bare in ("the rest", "all", "everything", "them all", "", "the others"):
        return Order(answer={"verdict": "answer", "answers": {"*": "assume"}})
    if re.fullmatch(r"q-[\w-]+|\d{1,2}", bare):
        return Order(answer={"verdict": "answer", "answers": {rest.strip(" .!"): "assume"}})
    return None
