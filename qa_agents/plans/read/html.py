"""HTML: headings, paragraphs, list items, tables and code, each with its place; scripts, styles and hidden parts left out."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.parsed import SPACE, Lines, Parsed, Ragged, Written, cells_of, word_set
from qa_agents.plans.schema import BlockKind

BREAKS = word_set(
    "p div section article header footer main aside nav ul ol dl dt dd table thead tbody tfoot form fieldset "
    "blockquote figure figcaption body html address hr details summary br "
)
SKIPPED = frozenset(["script", "style", "template", "noscript", "svg", "iframe", "object", "canvas", "head"])
HEADINGS = {f"h{level}": level for level in range(1, 7)}
HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0", re.IGNORECASE)
VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])


@dataclass
class Piece:
    """A block of HTML: its readable text, and where it stands in the source."""

    kind: BlockKind
    text: str
    start: int
    end: int
    level: int = 0
    cells: dict[str, str] = field(default_factory=dict)


class _Pieces(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.lines = Lines(source)
        self.source = source
        self.found: list[Piece] = []
        self.skipped: dict[str, int] = {}
        self.ragged = Ragged()
        self.kind: BlockKind = "paragraph"
        self.level = 0
        self.texts: list[str] = []
        self.start = -1
        self.end = -1
        self.hiding: list[str] = []
        self.header: list[str] = []
        self.row: list[str] | None = None
        self.row_is_header = False
        self.row_span = (-1, -1)
        self.in_cell = False

    def here(self) -> int:
        line, column = self.getpos()
        return min(self.lines.start(line - 1) + column, len(self.source))

    def flush(self) -> None:
        text = "".join(self.texts)
        text = text.strip("\n") if self.kind == "code" else SPACE.sub(" ", text).strip()
        if text and self.row is None:
            self.found.append(Piece(self.kind, text, self.start, self.end, self.level))
        self.texts, self.start, self.end, self.level = [], -1, -1, 0
        self.kind = "paragraph"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.hiding:
            if tag not in VOID:
                self.hiding.append(tag)
            return
        given = dict(attrs)
        hidden = "hidden" in given or given.get("aria-hidden") == "true" or HIDDEN.search(given.get("style") or "")
        if (tag in SKIPPED or hidden) and tag not in VOID:
            self.flush()
            self.hiding.append(tag)
            name = tag if tag in SKIPPED else "hidden element"
            self.skipped[name] = self.skipped.get(name, 0) + 1
        elif tag == "tr":
            self.flush()
            self.row, self.row_is_header, self.row_span = [], True, (-1, -1)
        elif tag in ("td", "th"):
            self.row = [] if self.row is None else self.row
            self.texts, self.in_cell = [], True
            self.row_is_header = self.row_is_header and tag == "th"
        elif self.row is None and (tag in HEADINGS or tag in ("li", "pre") or tag in BREAKS):
            keep = (
                self.kind if tag in ("p", "br") and self.kind == "bullet" and not "".join(self.texts).strip() else None
            )
            self.flush()
            self.level = HEADINGS.get(tag, 0)
            self.kind = (
                "heading"
                if self.level
                else "bullet"
                if tag == "li"
                else "code"
                if tag == "pre"
                else keep or "paragraph"
            )
            if tag == "table":
                self.header = []
        elif tag in BREAKS:
            self.texts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if self.hiding:
            if tag in self.hiding:
                while self.hiding and self.hiding.pop() != tag:
                    pass
            return
        if tag in ("td", "th") and self.row is not None:
            self.row.append(SPACE.sub(" ", "".join(self.texts)).strip())
            self.texts, self.in_cell = [], False
        elif tag == "tr" and self.row is not None:
            self.close_row()
        elif self.row is None and (tag in HEADINGS or tag in ("li", "pre") or tag in BREAKS):
            self.flush()

    def close_row(self) -> None:
        row, self.row = self.row or [], None
        self.texts = []
        if self.row_is_header and not self.header:
            self.header = row
        elif any(row) and self.row_span[0] >= 0:
            self.ragged.look(self.header, row)
            cells = cells_of(self.header, row)
            self.found.append(Piece("table_row", " | ".join(row), *self.row_span, cells=cells))

    def handle_data(self, data: str) -> None:
        if self.hiding or (self.row is not None and not self.in_cell):
            return
        if data.strip():
            lead = len(data) - len(data.lstrip())
            start = self.here() + (lead if self.kind != "code" else 0)
            end = self.raw_end(self.here(), data)
            if self.row is not None:
                self.row_span = (start if self.row_span[0] < 0 else self.row_span[0], end)
            else:
                self.start, self.end = (start if self.start < 0 else self.start), end
        self.texts.append(data)

    def raw_end(self, start: int, data: str) -> int:
        """Where the source of this text ends: at the next tag, for a character reference is longer than its character."""
        exact = start + len(data)
        if self.source.startswith(data, start):
            return start + len(data.rstrip())
        following = self.source.find("<", exact)
        return len(self.source) if following == -1 else following

    def handle_comment(self, data: str) -> None:
        if data.strip():
            self.skipped["comment"] = self.skipped.get("comment", 0) + 1


def _parsed_pieces(source: str) -> _Pieces:
    parser = _Pieces(source)
    parser.feed(source)
    parser.close()
    if parser.row is not None:
        parser.close_row()
    parser.flush()
    return parser


def pieces(source: str) -> list[Piece]:
    """Blocks of a piece of HTML inside another text, with places in it."""
    return _parsed_pieces(source).found


def read_html(source: str, limits: Limits) -> Parsed:
    """An HTML page as readable text; what was left out is said."""
    parser = _parsed_pieces(source)
    written = Written()
    for piece in parser.found:
        if written.length > limits.text_chars:
            break
        if piece.level:
            written.heading(piece.level, piece.text)
        else:
            written.add(piece.kind, piece.text, cells=piece.cells)
    unread = parser.ragged.said("in the page")
    unread += [f"{count} × {name}: not read." for name, count in sorted(parser.skipped.items())]
    return Parsed("text/html", written.text, written.blocks, unread)
