"""Plain text: paragraphs, numbered and underlined headings, list items and tables of columns set apart by bars or tabs."""

import re

from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.parsed import Headings, Lines, Parsed, RawBlock, cells_of, trimmed

UNDERLINE = re.compile(r"[ \t]*([=\-~^*])\1{2,}[ \t]*\Z")
NUMBERED = re.compile(r"[ \t]*((?:\d{1,3}\.){1,6}\d{0,3}|[A-Z]\.|[IVX]{1,5}\.)[ \t]+(\S.{0,100})\Z")
CAPITALS = re.compile(r"[ \t]*[A-Z][A-Z0-9 /&,()\-]{3,80}:?[ \t]*\Z")
BULLET = re.compile(r"[ \t]*(?:[-*+•◦▪–]|\(?\d{1,3}[.)]|\(?[a-z][.)]|[A-Z]{2,5}-?\d{1,5}[.:)])[ \t]+(?=\S)")
COLUMNS = re.compile(r"[ \t]*\|[ \t]*|\t+")


def read_text(text: str, limits: Limits) -> Parsed:
    """Blocks of a text without markup; offsets point into the text as given."""
    lines = Lines(text)
    headings = Headings()
    blocks: list[RawBlock] = []
    header: list[str] = []
    open_block: RawBlock | None = None
    rows = text.split("\n")
    skip = False
    for number, row in enumerate(rows):
        start = lines.start(number)
        end = start + len(row)
        if skip:
            skip = False
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
                blocks.append(RawBlock("table_row", at, stop, headings.path, cells_of(header, cells)))
            continue
        bullet = BULLET.match(row)
        at, stop = trimmed(text, start + (bullet.end() if bullet else 0), end)
        if bullet or open_block is None:
            open_block = RawBlock("bullet" if bullet else "paragraph", at, stop, headings.path)
            blocks.append(open_block)
        else:
            open_block.end = stop
    return Parsed("text/plain", text, blocks)


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
