"""Plain text: paragraphs, numbered and underlined headings, list items, tables whose columns bars, tabs or blanks set apart."""

import re
from itertools import takewhile

from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.parsed import Headings, Lines, Parsed, Ragged, RawBlock, cells_of, trimmed

UNDERLINE = re.compile(r"[ \t]*([=\-~^*])\1{2,}[ \t]*\Z")
NUMBERED = re.compile(r"[ \t]*((?:\d{1,3}\.){1,6}\d{0,3}|[A-Z]\.|[IVX]{1,5}\.)[ \t]+(\S.{0,100})\Z")
CAPITALS = re.compile(r"[ \t]*[A-Z][A-Z0-9 /&,()\-]{3,80}:?[ \t]*\Z")
BULLET = re.compile(r"[ \t]*(?:[-*+•◦▪–]|\(?\d{1,3}[.)]|\(?[a-z][.)]|[A-Z]{2,5}-?\d{1,5}[.:)])[ \t]+(?=\S)")
DRAWN = re.compile(r"[ \t]*[-=+|]{2}[-=+|: \t]*\Z")
GAP = re.compile(r"[ ]{2,}")
RULED = re.compile(r"[ ]*(?:-{2,}|={2,})(?:[ ]+(?:-{2,}|={2,}))+[ ]*\Z")
LEAST_ROWS = 3
"""Lines in columns, the header with them, from which blanks alone make a table."""
COLUMNS = re.compile(r"[ \t]*\|[ \t]*|\t+")


def read_text(text: str, limits: Limits) -> Parsed:
    """Blocks of a text without markup; offsets point into the text as given."""
    lines = Lines(text)
    headings = Headings()
    blocks: list[RawBlock] = []
    header: list[str] = []
    ragged = Ragged()
    open_block: RawBlock | None = None
    rows = text.split("\n")
    skip = False
    done = 0
    for number, row in enumerate(rows):
        start = lines.start(number)
        end = start + len(row)
        if skip or number < done:
            skip = False
            continue
        if table := _aligned(rows, number):
            done = number + len(table)
            open_block, header = None, table[0]
            for below, cells in enumerate(table[1:], number + 1):
                if cells:
                    ragged.look(header, cells)
                    at, stop = trimmed(text, lines.start(below), lines.start(below) + len(rows[below]))
                    blocks.append(RawBlock("table_row", at, stop, headings.path, cells_of(header, cells)))
            continue
        following = rows[number + 1] if number + 1 < len(rows) else ""
        blank_before = number == 0 or not rows[number - 1].strip()
        if not row.strip():
            open_block, header = None, []
            continue
        level, title_at = _heading(row, following, blank_before, not following.strip())
        if level:
            skip = bool(UNDERLINE.match(following))
            open_block = None
            at, end = trimmed(text, start + title_at, end)
            headings.enter(level, text[at:end])
            blocks.append(RawBlock("heading", at, end, headings.path))
            continue
        cells = list(COLUMNS.split(row.strip().strip("|")))
        if len(cells) > 1 and (header or "|" in row or row.count("\t") > 1):
            open_block = None
            if not header:
                header = cells
            elif not all(set(cell.strip()) <= set("-=:+ ") for cell in cells):
                at, stop = trimmed(text, start, end)
                ragged.look(header, cells)
                blocks.append(RawBlock("table_row", at, stop, headings.path, cells_of(header, cells)))
            continue
        if header and DRAWN.match(row):
            continue
        bullet = BULLET.match(row)
        at, stop = trimmed(text, start + (bullet.end() if bullet else 0), end)
        if bullet or open_block is None:
            open_block = RawBlock("bullet" if bullet else "paragraph", at, stop, headings.path)
            blocks.append(open_block)
        else:
            open_block.end = stop
    return Parsed("text/plain", text, blocks, ragged.said("in the text"))


def _aligned(rows: list[str], first: int) -> list[list[str]]:
    """The cells of each line of a table whose columns stand under one another, [] for a ruling line; [] where no table begins.

    Either a line of dashes under each column title tells the columns, or three lines and more begin every column at the same
    place.
    """
    row, following = rows[first], rows[first + 1] if first + 1 < len(rows) else ""
    if not row.strip() or "|" in row or "\t" in row:
        return []
    if RULED.match(row):
        inner = [] if RULED.match(following) else _aligned(rows, first + 1) if following else []
        return [inner[0], [], *inner[1:]] if len(inner) > 1 and not inner[1] else []
    body = (
        list(takewhile(str.strip, map(rows.__getitem__, range(first, len(rows)))))
        if RULED.match(following) or GAP.search(row.strip())
        else []
    )
    if RULED.match(following):
        starts = [found.start() for found in re.finditer(r"[-=]+", following)]
        if not all(line[at - 1 : at] in ("", " ") for line in body for at in starts[1:]):
            return []
        ends = [*starts[1:], None]
        return [
            [] if RULED.match(line) else [line[at:to].strip() for at, to in zip(starts, ends, strict=True)]
            for line in body
        ]
    places = _starts(row)
    if (
        len(body) < LEAST_ROWS
        or len(places) < 2
        or BULLET.match(row)
        or not all(_starts(line) == places for line in body)
    ):
        return []
    return [GAP.split(line.strip()) for line in body]


def _starts(row: str) -> list[int]:
    """Where the columns of a line begin that are at least two blanks apart."""
    lead = len(row) - len(row.lstrip())
    return [lead, *(gap.end() for gap in GAP.finditer(row) if gap.start() >= lead and gap.start() > 0)]


def _heading(row: str, following: str, blank_before: bool, blank_after: bool) -> tuple[int, int]:
    """Level of the heading (0 for none) and where its title begins in the row."""
    line = row.strip()
    if not blank_before or line.endswith((".", ";", ",")):
        return 0, 0
    if UNDERLINE.match(following) and not UNDERLINE.match(row) and len(line) <= 120:
        return (1 if "=" in following else 2), 0
    numbered = NUMBERED.match(row)
    if numbered and blank_after and numbered.group(2)[0].isupper() and len(numbered.group(2).split()) <= 10:
        return numbered.group(1).rstrip(".").count(".") + 2, 0
    if CAPITALS.match(row) and len(line.split()) <= 10:
        return 2, 0
    return 0, 0
