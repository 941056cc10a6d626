"""Word files: paragraphs, headings, list items and tables in their order; the archive is measured before it is unpacked."""

import io
import re
import zipfile
from typing import Any

from qa_agents.errors import InvalidInputError
from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.parsed import SPACE, Parsed, Ragged, Written, cells_of

MEDIA = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
ENTITY = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
CHUNK = 1 << 16
MOST_COMMENTS = 20
LEFT_OUT = (
    ("word/header", "Page headers of the Word file: not read."),
    ("word/footer", "Page footers of the Word file: not read."),
    ("word/media/", "Pictures in the Word file: not read."),
    ("word/embeddings/", "Embedded files in the Word file: not read."),
)


def checked(data: bytes, limits: Limits) -> list[str]:
    """Names in the archive, once its sizes and its XML are found harmless; raises InvalidInputError otherwise.

    What the directory states is not believed: every entry is unpacked piece by piece and counted.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > limits.archive_entries:
                raise InvalidInputError(f"The archive holds more than {limits.archive_entries} files.")
            total = 0
            for entry in entries:
                total += _unpacked(archive, entry, limits.archive_bytes - total, limits)
            if total > limits.archive_ratio * max(len(data), 10_000):
                raise InvalidInputError(f"The archive unpacks to more than {limits.archive_ratio} times its size.")
            return [entry.filename for entry in entries]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise InvalidInputError(f"The Word file is damaged: {str(error)[:100]}.") from None
    except Exception as error:  # zlib.error has no common base with the above
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError("The Word file is damaged.") from None


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, left: int, limits: Limits) -> int:
    size, tail = 0, b""
    most = max(limits.archive_ratio * max(entry.compress_size, 1_000), 100_000)
    is_xml = entry.filename.endswith((".xml", ".rels"))
    with archive.open(entry) as stream:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > left or size > most:
                raise InvalidInputError(f"The archive unpacks to more than {limits.archive_ratio} times its size.")
            if is_xml and ENTITY.search(tail + chunk):
                raise InvalidInputError("The Word file declares XML entities, which no Word file needs.")
            tail = chunk[-16:]
    return size


def read_docx(data: bytes, limits: Limits) -> Parsed:
    """Text of a Word file; what was not read is said."""
    names = checked(data, limits)
    import docx
    from docx.opc.exceptions import PackageNotFoundError

    try:
        document: Any = docx.Document(io.BytesIO(data))
        body = document.element.body
    except (PackageNotFoundError, KeyError, ValueError, AttributeError) as error:
        raise InvalidInputError(f"The Word file is damaged: {str(error)[:100]}.") from None
    except Exception as error:  # lxml's errors; the library is not imported here for its name
        raise InvalidInputError(f"The Word file is damaged: {type(error).__name__}.") from None
    styles = {style.style_id: style.name or "" for style in document.styles}
    reader = _Reader(styles, limits, _notes(document))
    reader.children(body)
    unread = _comments(document)
    unread += [sentence for prefix, sentence in LEFT_OUT if any(name.startswith(prefix) for name in names)]
    if reader.hidden:
        unread.append(f"Hidden text in the Word file: {reader.hidden} pieces, not read.")
    unread += reader.ragged
    if reader.notes:
        unread.append(f"Footnotes that the Word file's text does not call: {len(reader.notes)}, not read.")
    if reader.boxes:
        unread.append("Text boxes in the Word file: not read.")
    return Parsed(MEDIA, reader.written.text, reader.written.blocks, unread)


def _part(document: Any, name: str) -> Any:
    """The root of a part beside the text, `footnotes`, `endnotes` or `comments`; () where the file has none."""
    from docx.oxml.parser import parse_xml

    for relation in document.part.rels.values():
        if not relation.is_external and relation.reltype.endswith(f"/{name}"):
            return parse_xml(relation.target_part.blob)
    return ()


def _notes(document: Any) -> dict[tuple[str, str], Any]:
    """Footnotes and endnotes by their kind and number; the lines that only part them from the text have a type."""
    return {
        (kind, note.get(f"{W}id", "")): note
        for kind in ("footnote", "endnote")
        for note in _part(document, f"{kind}s")
        if note.get(f"{W}type") in (None, "normal")
    }


def _comments(document: Any) -> list[str]:
    """What reviewers wrote beside the text is their opinion, not the text's: it is shown, never planned from."""
    said = [
        SPACE.sub(" ", "".join(part.text or "" for part in one.iter(f"{W}t"))).strip()
        for one in _part(document, "comments")
    ]
    shown = [f"Comment in the Word file, not taken as part of its text: {text[:200]}" for text in said[:MOST_COMMENTS]]
    more = len(said) - MOST_COMMENTS
    return shown + ([f"{more} more comments in the Word file: not read."] if more > 0 else [])


class _Reader:
    def __init__(self, styles: dict[str, str], limits: Limits, notes: dict[tuple[str, str], Any]) -> None:
        self.notes = notes
        self.noted: list[Any] = []
        """Notes that the text has called and that are not written yet."""
        self.written = Written()
        self.styles = styles
        self.limits = limits
        self.hidden = 0
        self.boxes = 0
        self.ragged: list[str] = []

    def children(self, parent: Any) -> None:
        for element in parent:
            if self.written.length > self.limits.text_chars:
                return
            if element.tag == f"{W}p":
                self.paragraph(element)
                self.write_notes()
            elif element.tag == f"{W}tbl":
                self.table(element)
                self.write_notes()
            elif element.tag == f"{W}sdt":
                content = element.find(f"{W}sdtContent")
                if content is not None:
                    self.children(content)

    def write_notes(self) -> None:
        """A footnote or endnote follows what it was called from, as a paragraph of its own."""
        noted, self.noted = self.noted, []
        for note in noted:
            self.written.add("paragraph", " ".join(self.text(part).strip() for part in note.iter(f"{W}p")))

    def paragraph(self, element: Any) -> None:
        text = self.text(element).strip()
        style = element.find(f"{W}pPr/{W}pStyle")
        name = self.styles.get(style.get(f"{W}val", ""), "") if style is not None else ""
        level = re.fullmatch(r"heading (\d)", name, re.IGNORECASE)
        if level or name.lower() == "title":
            self.written.heading(int(level.group(1)) if level else 0, text)
        elif name.lower().startswith("list") or element.find(f"{W}pPr/{W}numPr") is not None:
            self.written.add("bullet", text)
        elif "code" in name.lower() or name.lower() in ("html preformatted", "plain text"):
            self.written.add("code", text)
        else:
            self.written.add("paragraph", text)

    def table(self, element: Any) -> None:
        header: list[str] = []
        ragged = Ragged()
        for row in element.iterchildren(f"{W}tr"):
            cells = [
                SPACE.sub(" ", " ".join(self.text(part) for part in cell.iter(f"{W}p"))).strip()
                for cell in row.iterchildren(f"{W}tc")
            ]
            if not header:
                header = cells
            elif any(cells):
                ragged.look(header, cells)
                self.written.add("table_row", " | ".join(cells), cells=cells_of(header, cells))

        self.ragged += ragged.said(f"under “{' | '.join(header)[:60]}”")

    def text(self, paragraph: Any) -> str:
        """Inserted text is read, deleted text is not; hidden text is counted."""
        parts: list[str] = []
        for run in paragraph.iter(f"{W}r", f"{W}txbxContent"):
            if run.tag == f"{W}txbxContent":
                self.boxes += 1
                continue
            if any(parent.tag == f"{W}txbxContent" for parent in run.iterancestors()):
                continue
            vanish = run.find(f"{W}rPr/{W}vanish")
            if vanish is not None and vanish.get(f"{W}val") not in ("0", "false"):
                self.hidden += 1
                continue
            for piece in run:
                if piece.tag == f"{W}t":
                    parts.append(piece.text or "")
                elif piece.tag in (f"{W}footnoteReference", f"{W}endnoteReference"):
                    kind = piece.tag.removeprefix(W).removesuffix("Reference")
                    note = self.notes.pop((kind, piece.get(f"{W}id", "")), None)
                    self.noted += [] if note is None else [note]
                elif piece.tag in (f"{W}tab", f"{W}br", f"{W}cr"):
                    parts.append("\t" if piece.tag == f"{W}tab" else "\n")
        return "".join(parts)
