"""One file: found out by its content what it is, and read by whoever knows that format."""

import hashlib
import json
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from qa_agents.errors import InvalidInputError
from qa_agents.results.read.formats.registry import JSON_FORMATS, LINES_FORMATS, TEXT_FORMATS, XML_FORMATS
from qa_agents.results.read.formats.shapes import LinesFormat, XmlFormat
from qa_agents.results.read.json_text import parsed, rescued, rows
from qa_agents.results.read.reading import Item, Reading, StopReading
from qa_agents.results.read.sources import Member, TooLargeError
from qa_agents.results.read.xml import XmlDocument, repaired, root_of
from qa_agents.results.schema import Coverage, ReadFile, ScoredOutput

_CHUNK = 1 << 20
_HEAD = 1 << 16
_FIRST_ROWS = 50
_TEXT_HEAD = 400_000
_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


class Contents(NamedTuple):
    """What was in one file, and what is to be said about it."""

    file: ReadFile
    items: list[Item]
    reading: Reading


class _Refused(Exception):  # noqa: N818 - one file's end, not the program's
    """Nothing can be read from this file; the argument is the sentence that says why."""

    def __init__(self, sentence: str, *, is_foreign: bool = False) -> None:
        super().__init__(sentence)
        self.is_foreign = is_foreign
        """It is just something else, as folders hold many things."""


def read_member(member: Member, reading: Reading) -> Contents:
    """Read one file. Never raises for what is in it: a file that cannot be read is refused in one sentence."""
    found: list[Item] = []
    digest, flavour = "", ""
    try:
        if member.problem:
            raise _Refused(member.problem)
        digest, head = _digest(member)
        flavour, items = _recognised(member, head, reading)
        _collect(items, found, reading)
    except _Refused as refusal:
        return Contents(_refused(member, digest, str(refusal), is_foreign=refusal.is_foreign), [], reading)
    except InvalidInputError as error:
        return Contents(_refused(member, digest, error.message), [], reading)
    except TooLargeError as error:
        return Contents(_refused(member, digest, str(error)), [], reading)
    except (OSError, EOFError, zlib.error) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Contents(_refused(member, digest, f"It cannot be read ({reading.line(said, 150)})."), [], reading)
    except StopReading:
        pass
    if reading.damage and not found:
        return Contents(_refused(member, digest, reading.damage), [], reading)
    notes = ((reading.damage,) if reading.damage else ()) + reading.told()
    outputs = sum(isinstance(item, ScoredOutput) for item in found)
    return Contents(
        ReadFile(
            name=member.name,
            sha256=digest,
            flavour=flavour,
            tests=sum(not isinstance(item, Coverage) for item in found) - outputs,
            outputs=outputs,
            notes=notes,
            is_whole=not reading.damage,
        ),
        found,
        reading,
    )


def _refused(member: Member, digest: str, sentence: str, *, is_foreign: bool = False) -> ReadFile:
    is_whole = is_foreign and not member.is_named
    return ReadFile(name=member.name, sha256=digest, refused=sentence, is_whole=is_whole)


def _digest(member: Member) -> tuple[str, bytes]:
    """SHA-256 of the unpacked bytes, and the first of them. Raises _Refused for what is plainly no text."""
    hashed = hashlib.sha256()
    with member.open() as stream:
        head = stream.read(_HEAD)
        while len(head) < _HEAD and (more := stream.read(_HEAD - len(head))):
            head += more
        if not head.strip():
            raise _Refused("The file is empty." if not head else "The file holds only blanks.")
        if b"\0" in head and not head.startswith(tuple(bom for bom, _ in _BOMS)) and not _is_markup(head):
            raise _Refused("It is no text, so no test results.", is_foreign=True)
        hashed.update(head)
        while chunk := stream.read(_CHUNK):
            hashed.update(chunk)
    return hashed.hexdigest(), head


def _is_markup(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"<", b"{", b"[")


def _recognised(member: Member, head: bytes, reading: Reading) -> tuple[str, Iterator[Item]]:
    begin = _decoded(head[:400])[0].lstrip("\ufeff \t\r\n")
    if begin.startswith("<"):
        return _xml(member, reading)
    with member.open() as stream:
        text, encoding = _decoded(stream.read())
    text = text.lstrip("\ufeff")
    if broken := text.count("\ufffd"):
        reading.note(f"{broken:,} characters are not {encoding} and were replaced.")
    if begin.startswith(("{", "[")):
        return _json(text, reading)
    for format_ in TEXT_FORMATS:
        if format_.recognises(text[:_TEXT_HEAD]):
            return format_.flavour, format_.read(text, reading)
    if (lines := _lines_format(text, reading)) is not None:
        return lines
    raise _Refused("It is not in a result format that is read here.", is_foreign=True)


def _decoded(body: bytes) -> tuple[str, str]:
    encoding = next((name for bom, name in _BOMS if body.startswith(bom)), "utf-8")
    return body.decode(encoding, errors="replace"), encoding.upper()


def _xml(member: Member, reading: Reading) -> tuple[str, Iterator[Item]]:
    with member.open() as stream:
        root = root_of(stream)
    body: bytes | None = None
    if root is None:
        with member.open() as stream:
            body = stream.read()
        root = root_of(repaired(body, Reading()))
    if root is None:
        with member.open() as stream:
            for _part in XmlDocument(stream, reading, frozenset()).parts():
                pass
        raise _Refused(reading.damage or "It is not well-formed XML.")
    format_ = next((one for one in XML_FORMATS if one.recognises(*root)), None)
    if format_ is None:
        name = reading.line(root[0].rpartition("}")[2], 60)
        raise _Refused(
            f"It is XML with the root <{name}>, which is not a result format that is read here.", is_foreign=True
        )
    return format_.flavour, _xml_items(member, format_, reading, is_broken=body is not None)


def _xml_items(member: Member, format_: XmlFormat, reading: Reading, *, is_broken: bool) -> Iterator[Item]:
    """As it is; or, where it broke at something that can be mended, mended."""
    if not is_broken:
        first = Reading(reading.limits, reading.deadline)
        with member.open() as stream:
            document = XmlDocument(stream, first, format_.whole)
            found = list(_limited(format_.read(document.parts(), first), first))
        if not document.repairable:
            reading.notes, reading.at, reading.damage = list(first.told()), first.at, first.damage
            yield from found
            return
    with member.open() as stream:
        mended = repaired(stream.read(), reading)
    yield from format_.read(XmlDocument(mended, reading, format_.whole).parts(), reading)


def _json(text: str, reading: Reading) -> tuple[str, Iterator[Item]]:
    try:
        document = parsed(text)
    except ValueError as error:
        if (lines := _lines_format(text, reading)) is not None:
            return lines
        document = rescued(text, reading)
        at = f" at line {error.lineno:,}" if isinstance(error, json.JSONDecodeError) else f" ({error})"
        if document is None:
            raise _Refused(f"It is not valid JSON{at}.") from None
        reading.damage = f"It is cut off or damaged{at}; what follows was not read."
    for format_ in JSON_FORMATS:
        if format_.recognises(document):
            return format_.flavour, format_.read(document, reading)
    if isinstance(document, dict) and (lines := _lines_format(text, reading)) is not None:
        return lines
    if reading.damage:
        raise _Refused(reading.damage)
    keys = ", ".join(sorted(map(str, document))[:4]) if isinstance(document, dict) else "a list"
    raise _Refused(f"It is JSON ({reading.line(keys, 80)}), but no result format that is read here.", is_foreign=True)


def _lines_format(text: str, reading: Reading) -> tuple[str, Iterator[Item]] | None:
    first: list[Any] = [row.value for row in islice(rows(text[:_TEXT_HEAD], Reading(reading.limits)), _FIRST_ROWS)]
    format_: LinesFormat | None = next((one for one in LINES_FORMATS if first and one.recognises(first)), None)
    return None if format_ is None else (format_.flavour, format_.read(rows(text, reading), reading))


def _limited(items: Iterator[Item], reading: Reading) -> Iterator[Item]:
    yield from islice(items, reading.limits.results)
    if next(items, None) is not None:
        reading.damage = f"It holds more than {reading.limits.results:,} results; the rest was not read."


def _collect(items: Iterator[Item], found: list[Item], reading: Reading) -> None:
    found.extend(_limited(items, reading))
