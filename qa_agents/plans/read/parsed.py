"""What a reader hands over: the text, and the stretches of it that stand by themselves."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from qa_agents.plans.schema import BlockKind

HEADING_CHARS = 200
MARKS = re.compile(r"\*\*|__|~~|`+|(?<![\w*])\*(?=\S)|(?<=\S)\*(?![\w*])|(?<!\w)_(?=\S)|(?<=\S)_(?!\w)")
LINK = re.compile(r"!?\[([^\[\]]{0,300})\](?:\([^()\s]{0,500}(?: \"[^\"]{0,200}\")?\)|\[[^\[\]]{0,100}\])")
CODE_OR_LINK = re.compile(rf"(?P<code>`[^`\n]{{1,300}}`)|{LINK.pattern}")
TAG = re.compile(r"</?[a-zA-Z][^<>]{0,300}>")
SPACE = re.compile(r"\s+")
CLOSING = (".", ",", ";", ":")


@dataclass
class RawBlock:
    """A block before it gets its id and source; `text[start:end]` of the document is its text."""

    kind: BlockKind
    start: int
    end: int
    heading_path: list[str] = field(default_factory=list)
    cells: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


@dataclass
class Parsed:
    """One document as a reader understood it."""

    media: str
    text: str
    blocks: list[RawBlock]
    unread: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the pipe between child and parent."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Parsed":
        """The inverse of `as_json`."""
        blocks = [RawBlock(**block) for block in value["blocks"]]
        return cls(media=value["media"], text=value["text"], blocks=blocks, unread=value["unread"])


class Lines:
    """Line numbers (from 1) and offsets of a text, both ways."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def start(self, line: int) -> int:
        """Offset at which a line (counted from 0) begins; the text's end beyond the last."""
        return self.starts[line] if line < len(self.starts) else len(self.text)

    def number(self, offset: int) -> int:
        """Line of an offset, counted from 1."""
        return bisect_right(self.starts, offset)


class Headings:
    """The path of headings that the reader stands under."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> None:
        """A heading of this level closes those of the same or a deeper one."""
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, title[:HEADING_CHARS]))

    @property
    def path(self) -> list[str]:
        """From the outermost heading to the nearest."""
        return [title for _, title in self._open]


class Written:
    """A text put together block by block, for formats whose file is not itself readable text."""

    def __init__(self, separator: str = "\n\n") -> None:
        self._parts: list[str] = []
        self._length = 0
        self._separator = separator
        self.blocks: list[RawBlock] = []
        self.headings = Headings()

    def add(self, kind: BlockKind, text: str, **more: Any) -> RawBlock | None:
        """Append a block; None when there is nothing in it."""
        text = text.strip()
        if not text:
            return None
        if self._parts:
            self._parts.append(self._separator)
            self._length += len(self._separator)
        block = RawBlock(kind, self._length, self._length + len(text), self.headings.path, **more)
        self._parts.append(text)
        self._length += len(text)
        self.blocks.append(block)
        return block

    def heading(self, level: int, text: str) -> None:
        """Append a heading and stand under it."""
        title = SPACE.sub(" ", text).strip()
        if title:
            self.headings.enter(level, title)
            self.add("heading", title)

    @property
    def length(self) -> int:
        """Characters so far."""
        return self._length

    @property
    def text(self) -> str:
        """Everything added so far."""
        return "".join(self._parts)


def plain(text: str) -> str:
    """Text without Markdown or HTML marks, whitespace collapsed; for reading, never for quoting.

    What stood in backticks comes through letter by letter, without them: so this is for raw text, and for that only once.
    """
    return _without_marks(text, lambda code: code)


def spoken(text: str) -> str:
    """`plain` for a sentence: code that ends in a mark of punctuation keeps its backticks (`;`, `e.g.`, `...`).

    Whoever closes or cuts the sentence later takes marks from its end; without backticks they would be the value's own.
    """
    return _without_marks(text, lambda code: f"`{code}`" if code.rstrip().endswith(CLOSING) else code)


def _without_marks(text: str, of_code: Callable[[str], str]) -> str:
    text = CODE_OR_LINK.sub(lambda match: match["code"] or match[2], text)
    parts = re.split(r"`([^`\n]{1,300})`", text)  # odd ones stood in code
    parts[::2] = [MARKS.sub("", TAG.sub("", part)) for part in parts[::2]]
    parts[1::2] = map(of_code, parts[1::2])
    return SPACE.sub(" ", "".join(parts)).strip()


def word_set(text: str) -> frozenset[str]:
    """The words of a list that is written as one text."""
    return frozenset(text.split())


def cells_of(header: list[str], row: Iterable[str]) -> dict[str, str]:
    """Column names to cells without marks; columns without a name are called by their number, names that repeat are numbered."""
    named: dict[str, str] = {}
    for number, cell in enumerate(row, 1):
        name = header[number - 1] if number <= len(header) and header[number - 1] else f"column {number}"
        if name in named:
            name = f"{name} ({number})"
        named[name] = plain(cell)
    return named


class Ragged:
    """The rows of one table that have another number of cells than its header."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []

    def look(self, header: list[str], row: list[str]) -> None:
        """Keep the row where its cells do not fit the header."""
        if header and len(header) != len(row):
            self.rows.append(row)

    def said(self, where: str) -> list[str]:
        """One sentence for the table, [] where every row fits; `where` is `line 12`, or the heading it stands under."""
        if not self.rows:
            return []
        first, more = self.rows[0], len(self.rows) - 1
        cells = "1 cell" if len(first) == 1 else f"{len(first)} cells"
        others = f" and {more} more" if more else ""
        return [
            f"Table, {where}: the row “{' | '.join(first)[:60]}” ({cells}){others} does not have one cell for each heading; "
            "its cells were taken from the left, look at it by hand."
        ]


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The same stretch without white space at its ends."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
