"""What “it”, “the second” and “wkb-1280” mean: words to the things they stand for."""

import re
from collections.abc import Callable, Sequence

from qa_agents.assistant.schema import Item, ItemKind, Memory

Known = Callable[[str], Item | None]
"""The thing with exactly this id, or None."""

_ORDINALS = {
    word: number
    for number, words in enumerate(
        (("first", "1st"), ("second", "2nd"), ("third", "3rd"), ("fourth", "4th"), ("fifth", "5th"), ("sixth", "6th")),
        start=1,
    )
    for word in words
} | {"last": -1}
_ORDINAL = re.compile(
    rf"\b(?:the\s+)?(?:({'|'.join(_ORDINALS)})(?:\s+(?:one|review|incident|report|of them))?\b"
    r"|(?:number|no\.)\s*(\d{1,3})\b)|(?<!\S)#(\d{1,3})\b"
)
_PRONOUN = re.compile(r"\b(?:it|this|that|these|them|this one|that one|this report|that report|the report|its)\b")
_TOKEN = re.compile(r"[^\s,;:!?\"'“”()<>`]+")
_ID = re.compile(r"(?=.*\d)[a-z][\w.]*(?:[-/#][\w.]+)+|plan/[\w.-]+", re.IGNORECASE)


def id_tokens(text: str) -> list[str]:
    """The words of a text that are built like an id (letters, a dash, a digit), without a full stop behind them."""
    tokens = (token.rstrip(".") for token in _TOKEN.findall(text))
    return [token for token in tokens if _ID.fullmatch(token) and not re.search(r"\.\w{1,5}$|://", token)]


def find(text: str, memory: Memory, known: Known) -> list[Item]:
    """The things a typed text names, by id, by place in the last list, or by a pronoun; in the order said, none twice.

    A word built like an id that names nothing known comes as a report of that id, so that the answer can say there is none.
    """
    found: list[Item] = []
    for token in _TOKEN.findall(text):
        token = token.rstrip(".")
        item = _named(token, known)
        if item is not None:
            found.append(item)
    named = {item.id.casefold() for item in found}
    unknown = (token for token in id_tokens(text) if token.casefold() not in named)
    found += [Item(kind=guess_kind(token), id=token) for token in unknown]
    found += ordinals(text, memory.items)
    if not found and _PRONOUN.search(text.casefold()) and memory.focus is not None:
        found.append(memory.focus)
    return list(dict.fromkeys(found))


def ordinals(text: str, items: Sequence[Item]) -> list[Item]:
    """The things that “the second” or “#3” mean in a list; nothing where the list is not that long."""
    found = []
    for match in _ORDINAL.finditer(text.casefold()):
        number = _ORDINALS[match[1]] if match[1] else int(match[2] or match[3])
        position = number - 1 if number > 0 else number
        if items and -len(items) <= position < len(items):
            found.append(items[position])
    return found


def asks_for_place(text: str) -> bool:
    """Whether a text names a place in a list: “the second”."""
    return _ORDINAL.search(text.casefold()) is not None


def guess_kind(token: str) -> ItemKind:
    """What kind of thing an unknown id would be."""
    if token.casefold().startswith("rv-"):
        return "review"
    if token.startswith("plan/"):
        return "plan"
    return "run" if re.match(r"(?:triage|plan|summary)-[0-9a-f]{6,}", token) else "report"


def _named(token: str, known: Known) -> Item | None:
    if not re.search(r"[\d/-]", token) or len(token) > 200:
        return None
    return known(token) or known(token.upper()) or known(token.casefold())


def without_references(text: str, refs: Sequence[Item]) -> str:
    """The text without the ids, places and pronouns that were taken out of it."""
    for item in refs:
        text = re.sub(re.escape(item.id), " ", text, flags=re.IGNORECASE)
    text = _ORDINAL.sub(" ", text)
    return " ".join(_PRONOUN.sub(" ", text).split())
