"""Markdown: CommonMark with tables, every block with its place in the file."""

import re
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from qa_agents.plans.read import html
from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.parsed import Headings, Lines, Parsed, Ragged, RawBlock, cells_of, plain, trimmed

FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.{0,20000}?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
TITLE = re.compile(r"^title:[ \t]*[\"']?(.{1,200}?)[\"']?[ \t]*$", re.MULTILINE | re.IGNORECASE)
MARKER = re.compile(r"[ \t]*(?:>[ \t]?)*[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?")
FENCE = re.compile(r"[ \t>]*(?:`{3,}|~{3,}|:{3,})")
SETEXT = re.compile(r"\n[ \t>]*(?:=+|-+)[ \t]*\Z")
ATX = re.compile(r"[ \t>]*#{1,6}[ \t]*|[ \t]+#+[ \t]*\Z")
PIPE = re.compile(r"(?<!\\)\|")
DIRECTIVE_OPEN = re.compile(r"[ \t]*:{3,}[^\n]*(?:\n|\Z)")
DIRECTIVE_CLOSE = re.compile(r"(?:\n|\A)[ \t]*:{3,}[ \t]*\Z")
GRID_TABLE = re.compile(r"\A[ \t]*\+[-=+]{3,}")
SENTENCE_END = (".", "!", "?", ":", ";")


@dataclass
class _Reader:
    text: str
    lines: Lines
    offset_line: int
    blocks: list[RawBlock] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    headings: Headings = field(default_factory=Headings)
    depth: int = 0
    done_until: int = 0
    """Line before which everything has been read already (an HTML table read as a whole)."""

    def span(self, token: Token) -> tuple[int, int]:
        first, last = token.map or [0, 0]
        return trimmed(self.text, self.lines.start(first + self.offset_line), self.lines.start(last + self.offset_line))

    def add(self, kind: str, start: int, end: int, cells: dict[str, str] | None = None) -> None:
        start, end = trimmed(self.text, start, end)
        if start < end:
            self.blocks.append(RawBlock(kind, start, end, self.headings.path, cells or {}))  # type: ignore[arg-type]


def read_markdown(text: str, limits: Limits) -> Parsed:
    """Blocks of a Markdown text; offsets point into the text as given."""
    matter = FRONT_MATTER.match(text)
    start = matter.end() if matter else 0
    reader = _Reader(text, Lines(text), text.count("\n", 0, start))
    if matter:
        title = TITLE.search(matter.group(1))
        if title:
            reader.headings.enter(0, plain(title.group(1)))
        reader.unread.append("Front matter at the top of the file: only its title was read.")
    parser = MarkdownIt("commonmark", {"maxNesting": min(limits.nesting, 50)}).enable("table")
    parser.core.ruler.disable(
        "inline"
    )  # blocks are all that is needed, and inline rules are where crafted text costs time
    tokens = parser.parse(text[start:])
    _walk(reader, tokens)
    return Parsed("text/markdown", text, reader.blocks, reader.unread)


def _walk(reader: _Reader, tokens: list[Token]) -> None:
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token.map and token.map[0] < reader.done_until and token.nesting != -1:
            position += 1
            continue
        if token.type == "heading_open":
            _heading(reader, token, int(token.tag[1]))
        elif token.type == "list_item_open":
            reader.depth += 1
        elif token.type == "list_item_close":
            reader.depth -= 1
        elif token.type == "paragraph_open":
            _paragraph(reader, token)
        elif token.type in ("fence", "code_block"):
            _code(reader, token)
        elif token.type == "html_block":
            _html(reader, token)
        elif token.type == "table_open":
            position = _table(reader, tokens, position)
        position += 1


def _heading(reader: _Reader, token: Token, level: int) -> None:
    start, end = reader.span(token)
    raw = reader.text[start:end]
    underline = SETEXT.search(raw)
    if underline and token.markup in ("=", "-"):
        end = start + underline.start()
    lead = ATX.match(reader.text[start:end])
    if lead and token.markup not in ("=", "-"):
        start += lead.end()
    start, end = trimmed(reader.text, start, end)
    title = plain(re.sub(r"[ \t]+#+\Z", "", reader.text[start:end]))
    named = TITLE.match(title) if token.markup == "-" else None  # front matter in the middle of joined files
    if named:
        level, title = 0, named.group(1)
    if title:
        reader.headings.enter(level, title)
        reader.add("heading", start, end)


def _paragraph(reader: _Reader, token: Token) -> None:
    start, end = reader.span(token)
    raw = reader.text[start:end]
    if GRID_TABLE.match(raw):
        return reader.unread.append(
            f"Table drawn with characters, line {reader.lines.number(start)}: read as text only."
        )
    opening, closing = DIRECTIVE_OPEN.match(raw), DIRECTIVE_CLOSE.search(raw)
    end = start + closing.start() if closing else end
    start = min(end, start + opening.end() if opening else start)
    lead = MARKER.match(reader.text[start:end]) if reader.depth else None
    if lead:
        start += lead.end()
    if reader.depth:
        return _item(reader, start, end)
    return reader.add("paragraph", start, end)


def _item(reader: _Reader, start: int, end: int) -> None:
    """A list item; a line that starts further left after a finished sentence goes on outside the list.

    CommonMark calls it a lazy continuation; who wrote it meant a new paragraph.
    """
    content = start - reader.lines.start(reader.lines.number(start) - 1)
    at = start
    while (newline := reader.text.find("\n", at, end)) != -1:
        following = reader.text[newline + 1 : end]
        indent = len(following) - len(following.lstrip(" \t>"))
        finished = reader.text[start:newline].rstrip().endswith(SENTENCE_END)
        if indent < min(content, 2) and finished and following.lstrip()[:1].isupper():
            reader.add("bullet", start, newline)
            reader.add("paragraph", newline + 1, end)
            return
        at = newline + 1
    reader.add("bullet", start, end)


def _code(reader: _Reader, token: Token) -> None:
    start, end = reader.span(token)
    if token.type == "fence":
        raw = reader.text[start:end]
        first = raw.find("\n")
        if first == -1:
            return
        last = raw.rfind("\n")
        closed = last > first and FENCE.match(raw[last + 1 :])
        start, end = start + first + 1, start + (last if closed else len(raw))
    first_line = reader.lines.number(start) - 1
    start = reader.lines.start(first_line) if token.type == "code_block" else start
    while start < end and reader.text[start] == "\n":
        start += 1
    if start < end and reader.text[start:end].strip():
        block = RawBlock("code", start, end, reader.headings.path, data={"language": token.info.split(" ")[0][:30]})
        reader.blocks.append(block)


def _html(reader: _Reader, token: Token) -> None:
    start, end = reader.span(token)
    raw = reader.text[start:end]
    if raw.startswith("<!--"):
        line = reader.lines.number(start)
        reader.unread.append(f"Hidden HTML comment, line {line}, {len(raw)} characters.")
        close = raw.find("-->")
        if close == -1:
            return
        start += close + 3
    table = raw.lower().find("<table")
    if table != -1:
        close = reader.text.lower().find("</table>", start + table)
        if close >= end:
            end = close + len("</table>")
            reader.done_until = reader.lines.number(end) - reader.offset_line
    for piece in html.pieces(reader.text[start:end]):
        if piece.level:
            reader.headings.enter(piece.level, piece.text)
        reader.add(piece.kind, start + piece.start, start + piece.end, piece.cells)


def _table(reader: _Reader, tokens: list[Token], position: int) -> int:
    header: list[str] = []
    ragged, line = Ragged(), reader.lines.number(reader.span(tokens[position])[0]) if tokens[position].map else 0
    while tokens[position].type != "table_close":
        token = tokens[position]
        if token.type == "tr_open" and token.map:
            start, end = reader.span(token)
            first = re.match(r"[ \t]*\|?[ \t]*", reader.text[start:end])
            start += first.end() if first else 0
            raw = re.sub(r"[ \t]*(?<!\\)\|?[ \t]*\Z", "", reader.text[start:end])
            row = [cell.replace("\\|", "|") for cell in PIPE.split(raw)]
            if not header:
                header = [plain(name) for name in row]
            else:
                ragged.look(header, row)
                reader.add("table_row", start, start + len(raw), cells_of(header, row))
        position += 1
    reader.unread += ragged.said(f"line {line}")
    return position
