"""What a message asks for, by rules over the typed words alone. Pure: pasted text is never looked at for an intent."""

import functools
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from qa_agents.assistant import commands
from qa_agents.assistant.decisions import order_of
from qa_agents.assistant.files import kind_of, named_files
from qa_agents.assistant.references import Known, asks_for_place, find, id_tokens, without_references
from qa_agents.assistant.schema import MAX_TYPED, Aspect, Intent, IntentName, Item, Memory, Message

RULES = Path(__file__).with_name("rules.toml")
_CONTRACTIONS = (
    (r"\b(what|who|how|where|when|that|there|it|he|she)'s\b", r"\1 is"),
    (r"\b(we|they|you|i)'ve\b", r"\1 have"),
    (r"\b(we|they|you)'re\b", r"\1 are"),
    (r"\bi'd\b", "i would"),
    (r"\bi'm\b", "i am"),
    (r"\blet's\b", "let us"),
    (r"\bcan't\b", "can not"),
    (r"\b(\w+)n't\b", r"\1 not"),
)
_POLITE = re.compile(
    r"^(?:(?:ok|okay|so|well|hey|hi|hello|please|now|then|and|but|also|just|quick question)\b[,:\s]*)+"
    r"|^(?:can|could|would|will) you (?:please |kindly |quickly )?"
    r"|^i (?:want|need|would like|have)(?: you)? to (?!approve|decide|review|sign)"
    r"|^(?:let us|let me) (?=\w)"
)
_TAIL = re.compile(r"[\s,]*(?:please|for me|for us|thanks|now|again|quickly)$")

_EXACT: dict[IntentName, frozenset[str]] = {
    "confirm": frozenset(
        ["yes", "yes please", "y", "confirm", "confirmed", "do it", "go ahead", "yes do it", "sure", "yes undo it"]
    ),
    "cancel": frozenset(
        [
            "no",
            "n",
            "cancel",
            "stop",
            "stop it",
            "stop that",
            "never mind",
            "nevermind",
            "forget it",
            "leave it",
            "no thanks",
            "do not",
            "abort",
        ]
    ),
    "quit": frozenset(["bye", "quit", "exit", "goodbye", "good bye", "see you"]),
}

_WHOLE = frozenset(("waiting", "greet", "how_to_decide"))
"""Intents that polite words belong to: “can you approve it?” is no order."""
_CLOSINGS = re.compile(r"^(?:no|nah|yes)[, ]+(.*)$")

_PLAN_WORDS = re.compile(
    r"\b(?:plan|test cases?|(?:make|write|derive|design|draft) tests?|test in|(?:you|we) test"
    r"|specs?|specifications?|requirements?)\b"
)
_SUMMARY_WORDS = re.compile(
    r"\b(?:summar\w+|runs?|failed|failures?|compare|regress\w+|test results?|tests? (?:go|went|do)|results?)\b"
)
_TRIAGE_WORDS = re.compile(r"\b(?:triage|reports?|bugs?|incidents?|tickets?|crash\w*|assess|handle)\b")

_VALUE = re.compile(
    r"^(?:and |but )?why (?:not |is it |is the \w+ |did you (?:say|choose|take|propose|think) )?(.{1,60})$",
    re.IGNORECASE,
)


class _Rules(NamedTuple):
    rules: tuple[tuple[IntentName, str, re.Pattern[str]], ...]
    aspects: tuple[tuple[Aspect, re.Pattern[str]], ...]
    lead: re.Pattern[str]
    fill: re.Pattern[str]


@functools.cache
def _rules() -> _Rules:
    """The rules of rules.toml, compiled."""
    content = tomllib.loads(RULES.read_text(encoding="utf-8"))

    def any_of(patterns: Sequence[str]) -> re.Pattern[str]:
        return re.compile("|".join(patterns))

    return _Rules(
        tuple((rule["intent"], rule["name"], any_of(rule["any"])) for rule in content["rule"]),
        tuple((aspect["name"], any_of(aspect["any"])) for aspect in content["aspect"]),
        any_of(content["topic"]["lead"]),
        any_of(content["topic"]["fill"]),
    )


def plain(text: str) -> str:
    """The text in lower case on one line, contractions spelled out, without closing punctuation."""
    value = " ".join(text.replace("’", "'").replace("‘", "'").casefold().split())
    for pattern, instead in _CONTRACTIONS:
        value = re.sub(pattern, instead, value)
    return value.strip().rstrip(".!?… ").strip() or value.strip()


def core_of(text: str) -> str:
    """`plain` text without the polite words around what is wanted."""
    value, before = plain(text), None
    while value != before:
        before = value
        value = _TAIL.sub("", _POLITE.sub("", value, count=1)).strip() or before
    return value


def understand(message: Message, memory: Memory, known: Known, codes: Sequence[str] = ()) -> Intent:
    """What a message asks for; `known` says what an id stands for, `codes` are the reason codes a decision may carry.

    Never raises; what fits no rule is `unknown` with its text.
    """
    typed = message.typed.strip()
    if message.pasted and not typed:
        return _of_paste(message, memory)
    if typed.startswith("/") and not _is_path(typed):
        return commands.parse(typed, message, memory, known, codes)
    if len(typed) > MAX_TYPED or typed.count("\n") > 3:
        return Intent(name="triage", text=typed, rule="long-text")
    refs = find(typed, memory, known)
    if not message.pasted and (decided := _decision(typed, refs, codes)) is not None:
        return decided
    core = core_of(typed)
    if files := named_files(typed):
        return Intent(name=_of_files(core, files), files=files, text=typed, rule="file")
    closing = _CLOSINGS.match(core)
    for name, words in _EXACT.items():
        if (
            core in words
            or plain(typed) in words
            or (name == "cancel" and closing and core[:2] == "no" and closing[1] in words)
        ):
            return Intent(name=name, rule="exact")
    if core in ("?", ""):
        return Intent(name="help", rule="exact")
    return _by_rules(typed, core, refs, message, memory)


def _by_rules(typed: str, core: str, refs: list[Item], message: Message, memory: Memory) -> Intent:
    for name, rule, pattern in _rules().rules:
        if not pattern.search(core) and not (name in _WHOLE and pattern.search(plain(typed))):
            continue
        if name == "show" and not refs and not asks_for_place(typed):
            continue
        return _filled(name, rule, typed, core, refs, message)
    if refs and not without_references(core, refs).strip(" ?.!"):
        return Intent(name="show", refs=refs, rule="an-id")
    if message.pasted:
        return _of_paste(message, memory)
    return Intent(name="unknown", refs=refs, text=typed)


def as_if(name: IntentName, message: Message, memory: Memory, known: Known) -> Intent:
    """The message taken for `name`, because it resembles such messages; still unknown where something would be missing."""
    typed = message.typed.strip()
    refs = find(typed, memory, known)
    if name == "unknown" or (name == "show" and not refs):
        return Intent(name="unknown", refs=refs, text=typed)
    return _filled(name, "likeness", typed, core_of(typed), refs, message)


def _filled(name: IntentName, rule: str, typed: str, core: str, refs: list[Item], message: Message) -> Intent:
    """The intent with what its words say about it."""
    if name == "explain":
        value = _VALUE.match(typed.strip().rstrip("?!. "))
        return Intent(
            name=name, refs=refs, aspect=aspect_of(core), value=value[1].strip() if value else "", text=typed, rule=rule
        )
    if name == "similar":
        return Intent(name=name, refs=refs, text="\n".join([topic(typed, refs), *message.pasted]).strip(), rule=rule)
    if name == "triage":
        text = re.sub(
            r"^(?:please\s+)?(?:triage|assess)\b(?:\s+(?:this|it|that))?\s*:?\s*", "", typed, flags=re.IGNORECASE
        )
        text = re.sub(
            r"^(?:new |fresh |another )?(?:bug report|bug|report|incident|ticket|defect)\s*:\s*",
            "",
            text,
            flags=re.IGNORECASE,
        )
        only_named = bool(refs) and not without_references(text, refs)
        return Intent(name=name, refs=refs, text="" if only_named else text.strip(), rule=rule)
    return Intent(name=name, refs=refs, aspect=aspect_of(core) if name == "who" else None, text=typed, rule=rule)


def aspect_of(core: str) -> Aspect | None:
    """What a question “why …?” is about; None when its words do not say."""
    return next((aspect for aspect, pattern in _rules().aspects if pattern.search(core)), None)


def topic(typed: str, refs: Sequence[Item]) -> str:
    """What a question about the past is about: its words without the asking. Empty when it asks about “this”."""
    text = core_of(typed)
    text = _rules().lead.sub(" ", text, count=1)
    text = _rules().fill.sub(" ", without_references(text, refs))
    words = [word for word in re.findall(r"[\w./:-]+", text) if len(word) > 2 or word.isdigit()]
    meaning = [
        word
        for word in words
        if word not in ("the", "for", "was", "are", "and", "with", "about", "there", "have", "that", "this")
    ]
    return text.strip(" ?:,") if len(meaning) >= 1 and any(len(word) > 3 for word in meaning) else ""


def _decision(typed: str, refs: list[Item], codes: Sequence[str]) -> Intent | None:
    order = order_of(typed, [item.id for item in refs] + id_tokens(typed.partition(":")[0]), codes)
    if order is None:
        return None
    targets = [item for item in refs if item.kind in ("review", "report", "plan")]
    if order.complaint:
        return Intent(name="how_to_decide", refs=targets, text=order.complaint, rule="incomplete-order")
    return Intent(name="decide", refs=targets, answer=order.answer, rule="order")


def _of_files(core: str, files: Sequence[str]) -> IntentName:
    """Which job a named file is for: by the words around it, else by its ending."""
    words = core
    for name in files:
        words = words.replace(name.casefold(), " ")
    kinds = {kind_of(name) for name in files}
    if _PLAN_WORDS.search(words) and "results" not in kinds:
        return "plan"
    if "results" in kinds or (_SUMMARY_WORDS.search(words) and not _TRIAGE_WORDS.search(words)):
        return "summary"
    if _TRIAGE_WORDS.search(words) or "report" in kinds:
        return "triage"
    return "plan" if kinds == {"spec"} else "triage"


def _of_paste(message: Message, memory: Memory) -> Intent:
    """Pasted text by itself: what was asked for before, else a report; one short line is only looked up."""
    text = "\n".join(message.pasted).strip()
    if memory.expecting is not None:
        return Intent(name=memory.expecting, text=text, rule="paste")
    short = "\n" not in text and len(text) < 200
    return Intent(name="similar" if short else "triage", text=text, rule="paste")


def _is_path(typed: str) -> bool:
    first = typed.split()[0]
    return "/" in first[1:]
