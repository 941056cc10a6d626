"""Reading incoming reports: bytes in, reports with their hash out. What cannot be read is told, with its reason.

A report is identified by the SHA-256 of its bytes as they lie in the file. What it claims about outcomes (component,
severity, …) is kept with its other keys and never taken for the truth.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Literal

from pydantic import ValidationError

from qa_agents.errors import InvalidInputError
from qa_agents.incidents.importers.csv_rows import header_of
from qa_agents.incidents.importers.jira_json import is_issue
from qa_agents.incidents.importers.moments import parse_moment
from qa_agents.incidents.importers.rows import Record, as_words, reason_of
from qa_agents.incidents.importers.sniff import layout_of
from qa_agents.incidents.importers.source import PathOrDash, Piece, Source, looks_like_text, opened, require_text
from qa_agents.incidents.importers.strict_json import RowError, parse_object
from qa_agents.incidents.importers.table import is_export
from qa_agents.incidents.importers.values import elements
from qa_agents.incidents.schema import CLOCK_SKEW, Report

_SUMMARY_CHARS = 300
"""A longer first line is prose: it stays in the description, and its beginning stands in for a summary."""
_TEXT_NAMES = frozenset({".txt", ".md", ".markdown", ".rst", ".log", ".text", ".eml"})
_LINE_NAMES = frozenset({".jsonl", ".ndjson"})
_TABLE_NAMES = frozenset({".csv", ".tsv"})
_PACKED = frozenset({".gz", ".zst"})
_JSON_OPENING = re.compile(rb'\s{0,1000}(?:\{\s{0,1000}["}]|\[\s{0,1000}[{\]])')
_HEADING = re.compile(r"#{1,6}[ \t]{1,20}")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

Form = Literal["lines", "objects", "whole", "text"]
"""One JSON object per line; JSON objects anywhere; one JSON object that is none; prose."""


@dataclass(frozen=True, slots=True)
class ReceivedReport:
    """One report as it came in, readable or not."""

    report: Report | None
    """None when there is a problem."""
    raw: bytes
    """Its bytes as found; empty when it was too large to be kept."""
    raw_sha256: str
    """Of all its bytes, kept or not: what identifies it."""
    line: int
    """The physical line of the file it starts on, from 1."""
    problem: str | None = None
    """Why it is no report: one clause."""
    notes: list[str] = field(default_factory=list)
    """What was not taken as given: an id made, a date dropped, an encoding guessed."""


def read_report(path: PathOrDash, max_bytes: int) -> list[ReceivedReport]:
    """The report in a file (`-`: standard input), or several: JSON (an object or a list), JSON Lines, or text.

    In text the first line that is not blank is the summary and the rest the description. A report larger than
    `max_bytes` comes as a problem. .gz and .zst are unpacked. Raises NotFoundError and InvalidInputError for a file
    that holds no report: missing, empty, a directory, no text, or an export of many issues.
    """
    with opened(path) as source:
        form = _form_of(source, _suffix(path))
        if form == "text":
            return [_from_text(source, max_bytes)]
        found = [_from_json(piece) for piece in _pieces(source, form, max_bytes)]
    if not found:
        raise InvalidInputError(f"{source.name} holds no report.", hint="Give one JSON object, or a list of them.")
    return found


def read_batch(path: PathOrDash, max_bytes: int) -> Iterator[ReceivedReport]:
    """The reports of a JSON Lines file (`-`: standard input), one a line, in order, each once its line is there.

    Blank lines are skipped; a line that is no report comes as a problem and does not stop the rest. A JSON array is
    taken as well. Raises NotFoundError and InvalidInputError for a file that is none of it.
    """
    with opened(path) as source:
        _refuse_exports(source, _suffix(path))
        layout = layout_of(source)
        for piece in _pieces(source, "objects" if layout == "objects" else "lines", max_bytes):
            yield _from_json(piece)


def _form_of(source: Source, suffix: str) -> Form:
    if suffix in _TEXT_NAMES:
        return "text"
    _refuse_exports(source, suffix)
    if suffix in _LINE_NAMES:
        return "lines"
    if _JSON_OPENING.match(source.head):
        return "lines" if layout_of(source) == "lines" else "objects"
    return "whole" if suffix == ".json" else "text"


def _refuse_exports(source: Source, suffix: str) -> None:
    """Raise InvalidInputError for a table or an export of Jira's: those are past incidents."""
    is_json = _JSON_OPENING.match(source.head) is not None
    if is_json:
        refused = layout_of(source) == "issues"
    else:
        refused = suffix in _TABLE_NAMES or (looks_like_text(source.head) and _opens_as_table(source))
    if refused:
        raise InvalidInputError(
            f"{source.name} is an export of many issues, not a report.",
            hint=f"`qa-agents incidents import {source.name}` puts past issues into the memory.",
        )


def _opens_as_table(source: Source) -> bool:
    try:
        return is_export(header_of(source).names)
    except InvalidInputError:
        return False


def _pieces(source: Source, form: Form, max_bytes: int) -> Iterator[Piece]:
    too_large = _too_large(max_bytes)
    if form == "lines":
        return source.lines(max_bytes, too_large)
    if form == "objects":
        return elements(source, max_bytes, too_large, issues=False)
    return iter([_whole(source, max_bytes)])


def _whole(source: Source, max_bytes: int) -> Piece:
    """All of the stream as one piece; above the limit only its hash is kept."""
    digest, kept, size = hashlib.sha256(), bytearray(), 0
    for chunk in source.chunks():
        digest.update(chunk)
        size += len(chunk)
        if size <= max_bytes:
            kept += chunk
    if size > max_bytes:
        return Piece(1, b"", _too_large(max_bytes), digest.hexdigest())
    return Piece(1, bytes(kept))


def _too_large(max_bytes: int) -> str:
    return f"is larger than {max_bytes:,} bytes (setting max_report_bytes); only its hash is kept"


def _from_json(piece: Piece) -> ReceivedReport:
    raw = b"" if piece.sha256 else piece.raw
    digest = piece.sha256 or hashlib.sha256(raw).hexdigest()
    notes: list[str] = []
    try:
        if piece.problem:
            raise RowError(piece.problem)
        report = _report_of(parse_object(piece.raw, piece.line), digest, notes)
    except RowError as problem:
        return ReceivedReport(None, raw, digest, piece.line, str(problem), notes)
    return ReceivedReport(report, raw, digest, piece.line, None, notes)


def _report_of(record: Record, digest: str, notes: list[str]) -> Report:
    """Validate an object; what is missing or cannot be meant goes into `notes`. Raises RowError."""
    if is_issue(record):
        raise RowError("is an issue as Jira stores it, not a report; `qa-agents incidents import` reads issues")
    if not any(str(record.get(name) or "").strip() for name in ("summary", "description")):
        keys = ", ".join(ascii(key[:30]) for key in list(record)[:8])
        raise RowError(f"has neither summary nor description (its keys: {keys or 'none'})")
    record = as_words(record)
    if record.get("id") in (None, ""):
        record["id"] = made_id(digest)
        notes.append(f"it has no id and is called {record['id']}, after its content")
    record["created"] = _created(record.get("created"), notes)
    try:
        return Report.model_validate(record)
    except ValidationError as error:
        raise RowError(reason_of(error)) from None


def _created(value: object, notes: list[str]) -> datetime | None:
    try:
        created = parse_moment(value)
    except ValueError as error:
        notes.append(f"`created` {error} and is not used")
        return None
    if created and created > datetime.now(UTC) + CLOCK_SKEW:
        notes.append(f"`created` lies in the future ({created:%Y-%m-%d}) and is not used")
        return None
    return created


def made_id(digest: str) -> str:
    """The id of a report that brings none: `R-` and the first ten digits of its hash."""
    return f"R-{digest[:10]}"


def _from_text(source: Source, max_bytes: int) -> ReceivedReport:
    if not source.head.startswith(_UTF16):
        require_text(source)
    piece = _whole(source, max_bytes)
    digest = piece.sha256 or hashlib.sha256(piece.raw).hexdigest()
    if piece.problem:
        return ReceivedReport(None, b"", digest, 1, piece.problem)
    notes = [f"{source.problem}; what could be read was used"] if source.problem else []
    text = _decoded(piece.raw, notes)
    if not text.strip():
        return ReceivedReport(None, piece.raw, digest, 1, "has neither summary nor description", notes)
    summary, description = split_text(text)
    return ReceivedReport(
        Report(id=made_id(digest), summary=summary, description=description), piece.raw, digest, 1, None, notes
    )


def split_text(text: str) -> tuple[str, str]:
    """Summary and description of a text: its first line that is not blank, without a heading's marks, and the rest.

    A first line beyond 300 characters is cut for the summary and stays in the description.
    """
    first, _, rest = text.strip().partition("\n")
    summary = _HEADING.sub("", first, count=1).strip() if first.startswith("#") else first.strip()
    if len(summary) > _SUMMARY_CHARS:
        return f"{summary[:_SUMMARY_CHARS].rstrip()}…", text.strip()
    return summary, rest.strip("\n").rstrip()


def _decoded(raw: bytes, notes: list[str]) -> str:
    """The text of a report, whatever it was written with: UTF-8, UTF-16 with its mark, else Windows-1252."""
    if raw.startswith(_UTF16):
        text = raw.decode("utf-16", errors="replace")
    else:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("cp1252", errors="replace")
            notes.append("it is not UTF-8 and was read as Windows-1252")
    return text.replace("\r\n", "\n")


def _suffix(path: PathOrDash) -> str:
    """The ending that tells the format, lower case, below one of compression."""
    name = PurePath(path)
    return (PurePath(name.stem) if name.suffix.lower() in _PACKED else name).suffix.lower()
