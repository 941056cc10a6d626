"""PDFs: running text with headings told by their size, tables where the extra is installed; hidden text is left out and said."""

import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from qa_agents.errors import InvalidInputError
from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.parsed import Parsed, Written, cells_of
from qa_agents.plans.read.plaintext import BULLET
from qa_agents.plurals import counted

TINY_POINTS = 3.0
TABLE_PAGES = 200
HEADING_CHARS = 120
MARGIN = 0.05
"""Share of a page's height, above and below, in which smaller type is a running head or a page number."""
SMALLER = 0.9
_LIGATURES = str.maketrans({chr(code): normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)})
"""`ﬁ` as one sign is how the page is set, not how the word is written."""
_OWN_ID = re.compile(r"[A-Z]{2,5}-?\d{1,5}[.:)]")


@dataclass
class _Line:
    text: str
    size: float
    x: float
    y: float
    in_margin: bool = False


def read_pdf(data: bytes, limits: Limits) -> Parsed:
    """Text of a PDF, page by page; headings are lines in larger type."""
    import pypdf
    from pypdf.errors import PyPdfError

    try:
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise InvalidInputError("The PDF is protected by a password.", hint="Save it without one.")
        pages: Any = reader.pages
        count = len(pages)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError) as error:
        raise InvalidInputError(f"The PDF is damaged: {type(error).__name__}.") from None
    unread: list[str] = []
    if count > limits.pages:
        unread.append(f"Pages {limits.pages + 1} to {count}: not read; the limit is {limits.pages}.")
    tables, note = _tables(data, min(count, limits.pages))
    unread += note
    kept: list[tuple[list[_Line], list[Any]]] = []
    hidden = 0
    chars = 0
    for number in range(min(count, limits.pages)):
        try:
            lines, tiny = _page_lines(pages[number])
        except (
            PyPdfError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
            RecursionError,
            OSError,
        ) as error:
            unread.append(f"Page {number + 1}: not read, {type(error).__name__}.")
            continue
        hidden += tiny
        chars += sum(len(line.text) for line in lines)
        if not lines:
            unread.append(f"Page {number + 1}: no text; pictures and scans are not read.")
        kept.append((lines, tables.get(number, [])))
        if chars > limits.text_chars:
            unread.append(
                f"Pages after {number + 1}: not read; the text is longer than {limits.text_chars} characters."
            )
            break
    if hidden:
        unread.append(f"Hidden text: {hidden} lines smaller than {TINY_POINTS:g} points or off the page, not read.")
    written, repeated = _written(kept)
    if repeated:
        unread.append(f"Headers and footers: {counted(repeated, 'line')}, not read.")
    return Parsed("application/pdf", written.text, written.blocks, unread)


def _page_lines(page: Any) -> tuple[list[_Line], int]:
    """Visible lines of a page with their type size and place, and how many were hidden."""
    lines: list[_Line] = []
    hidden = 0
    box = page.mediabox
    left, bottom, right, top = (float(value) for value in (box.left, box.bottom, box.right, box.top))

    def visit(text: str, matrix: Any, text_matrix: Any, font: Any, size: Any) -> None:
        nonlocal hidden
        scale = abs(float(text_matrix[3])) or abs(float(text_matrix[1])) or 1.0
        points = float(size or 0) * scale * (abs(float(matrix[3])) or 1.0)
        x = float(text_matrix[4]) * float(matrix[0]) + float(matrix[4])
        y = float(text_matrix[5]) * float(matrix[3]) + float(matrix[5])
        for part in text.translate(_LIGATURES).split("\n"):
            if not part.strip():
                if lines:
                    lines[-1].text += part
                continue
            if 0 < points < TINY_POINTS or not (left - 1 <= x <= right + 1 and bottom - 1 <= y <= top + 1):
                hidden += 1
            elif (
                lines and abs(lines[-1].y - y) < 1 and lines[-1].size == points and "\n" not in text[: text.find(part)]
            ):
                lines[-1].text += part
            else:
                edge = MARGIN * (top - bottom)
                lines.append(_Line(part, points, x, y, not bottom + edge < y < top - edge))

    page.extract_text(visitor_text=visit)
    return [line for line in lines if line.text.strip()], hidden


def _tables(data: bytes, pages: int) -> tuple[dict[int, list[Any]], list[str]]:
    """Tables by page: the box they stand in and their rows; what was not looked at is said."""
    try:
        import pdfplumber
    except ModuleNotFoundError:
        return {}, ["Tables were read as running text; install qa-agents[pdf-tables] to read their cells."]
    found: dict[int, list[Any]] = {}
    notes = [] if pages <= TABLE_PAGES else [f"Tables after page {TABLE_PAGES}: read as running text."]
    try:
        with pdfplumber.open(io.BytesIO(data)) as document:
            for number in range(min(pages, TABLE_PAGES)):
                page = document.pages[number]
                for table in page.find_tables():
                    x0, top, x1, bottom = table.bbox
                    box = (x0, float(page.height) - bottom, x1, float(page.height) - top)
                    rows = [[(cell or "").strip() for cell in row] for row in table.extract()]
                    if len(rows) > 1 and len(rows[0]) > 1:
                        found.setdefault(number, []).append((box, rows))
                page.close()
    except Exception as error:  # whatever pdfminer makes of a damaged file, the running text is still read
        notes.append(f"Tables were read as running text: {type(error).__name__}.")
    return found, notes


def _written(pages: list[tuple[list[_Line], list[Any]]]) -> tuple[Written, int]:
    seen = Counter(text for lines, _ in pages for text in {line.text.strip() for line in lines})
    repeated = {text for text, times in seen.items() if len(pages) >= 4 and times > len(pages) * 0.6}
    sizes: Counter[float] = Counter()
    for lines, _ in pages:
        for line in lines:
            sizes[round(line.size, 1)] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    larger = sorted({round(size, 1) for size in sizes if size > body * 1.12}, reverse=True)
    written = Written()
    dropped = 0
    for lines, tables in pages:
        kept = [
            line
            for line in lines
            if line.text.strip() not in repeated and not (line.in_margin and line.size < SMALLER * body)
        ]
        dropped += len(lines) - len(kept)
        _page(written, kept, tables, body, larger)
    return written, dropped


def _page(written: Written, lines: list[_Line], tables: list[Any], body: float, larger: list[float]) -> None:
    paragraph: list[_Line] = []
    waiting = list(tables)

    def flush() -> None:
        text = "\n".join(line.text.strip() for line in paragraph)
        paragraph.clear()
        bullet = BULLET.match(text)
        # An author's own number is read with the statement that it names.
        cut = bullet.end() if bullet and not _OWN_ID.match(text) else 0
        written.add("bullet" if bullet else "paragraph", text[cut:])

    for line in lines:
        inside = next((table for table in tables if _inside(line, table[0])), None)
        if inside is not None:
            if inside in waiting:
                flush()
                waiting.remove(inside)
                _rows(written, inside[1])
            continue
        size = round(line.size, 1)
        if size in larger and len(line.text.strip()) <= HEADING_CHARS:
            flush()
            written.heading(larger.index(size) + 1, line.text)
            continue
        gap = abs(paragraph[-1].y - line.y) if paragraph else 0
        if paragraph and (gap > 1.75 * max(line.size, 1) or BULLET.match(line.text)):
            flush()
        paragraph.append(line)
    flush()
    for table in waiting:
        _rows(written, table[1])


def _inside(line: _Line, box: tuple[float, float, float, float]) -> bool:
    return box[0] - 1 <= line.x <= box[2] + 1 and box[1] - 1 <= line.y <= box[3] + 1


def _rows(written: Written, rows: list[list[str]]) -> None:
    header = [" ".join(cell.split()) for cell in rows[0]]
    for row in rows[1:]:
        cells = [" ".join(cell.split()) for cell in row]
        written.add("table_row", " | ".join(cells), cells=cells_of(header, cells))
