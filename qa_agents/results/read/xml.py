"""Streams XML that may be hostile: no entity is ever resolved, nothing is fetched, and what was read before damage is kept."""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Literal
from xml.etree.ElementTree import Element, ParseError
from xml.parsers.expat import errors as expat_errors

from defusedxml import DefusedXmlException, EntitiesForbidden
from defusedxml.ElementTree import iterparse

from qa_agents.errors import InvalidInputError
from qa_agents.results.read.reading import Reading, StopReading

_UNFINISHED = {
    expat_errors.codes[name]
    for name in (
        expat_errors.XML_ERROR_NO_ELEMENTS,
        expat_errors.XML_ERROR_UNCLOSED_TOKEN,
        expat_errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
        expat_errors.XML_ERROR_PARTIAL_CHAR,
    )
}
_REPAIRABLE = {
    expat_errors.codes[name]
    for name in (
        expat_errors.XML_ERROR_INVALID_TOKEN,
        expat_errors.XML_ERROR_BAD_CHAR_REF,
        expat_errors.XML_ERROR_UNKNOWN_ENCODING,
        expat_errors.XML_ERROR_INCORRECT_ENCODING,
        expat_errors.XML_ERROR_UNCLOSED_TOKEN,
    )
}
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]{1,8})|(\d{1,8}));")
_BARE_AMPERSAND = re.compile(r"&(?!(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z_][\w.-]*);)")
_DECLARED = re.compile(r"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z][\w.:-]*)["']""")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_CHECK_EVERY = 2_000


@dataclass(slots=True)
class Part:
    """Something that begins or ends in the document. `above` are the elements it stands in, the root first."""

    kind: Literal["open", "whole", "close"]
    """open: its attributes are known; close: its text is known, its children are gone; whole: complete with its children."""
    element: Element
    above: list[Element]
    cut: bool = False
    """Of a whole one: the file ends inside it."""

    @property
    def tag(self) -> str:
        """The element's name without its namespace."""
        return local(self.element)


def local(element: Element) -> str:
    """An element's name without its namespace; "" for comments and the like."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def child(element: Element, name: str) -> Element | None:
    """The first child of this local name."""
    return next((one for one in element if local(one) == name), None)


def children(element: Element, *names: str) -> list[Element]:
    """The children of these local names."""
    return [one for one in element if local(one) in names]


def content(element: Element | None) -> str:
    """The text directly in an element; "" without one."""
    return (element.text or "") if element is not None else ""


def attributes(element: Element) -> Mapping[str, str]:
    """An element's attributes by local name."""
    if any("}" in name for name in element.attrib):
        return {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    return element.attrib


def root_of(stream: BinaryIO) -> tuple[str, Mapping[str, str]] | None:
    """Full name and attributes of the root element, reading as little as possible; None where there is none.

    Raises InvalidInputError for a document that declares entities.
    """
    try:
        for _event, element in iterparse(stream, events=("start",), forbid_dtd=False):
            return str(element.tag), attributes(element)
    except DefusedXmlException as error:
        raise _refusal(error) from None
    except (ParseError, LookupError, ValueError):
        return None
    return None


@dataclass(slots=True)
class XmlDocument:
    """One pass over a document. Elements named in `whole` come complete, everything else as it opens and closes."""

    stream: BinaryIO
    reading: Reading
    whole: frozenset[str]
    repairable: bool = field(default=False, init=False)
    """Whether it broke at something that `repaired` may mend."""

    def parts(self) -> Iterator[Part]:
        """Everything in document order. Damage ends it and is kept in `reading.damage`, unfinished whole elements come last.

        Raises InvalidInputError for a document that declares entities.
        """
        stack: list[Element] = []
        inside = 0  # elements open within, and with, a whole one
        try:
            for count, (event, element) in enumerate(iterparse(self.stream, events=("start", "end"), forbid_dtd=False)):
                if not count % _CHECK_EVERY:
                    self.reading.check_time()
                if event == "start":
                    if len(stack) >= self.reading.limits.depth:
                        self.reading.damage = (
                            f"Elements are nested more than {len(stack)} deep; what follows was not read."
                        )
                        break
                    stack.append(element)
                    if inside or local(element) in self.whole:
                        inside += 1
                    else:
                        yield Part("open", element, stack[:-1])
                    continue
                stack.pop()
                if inside:
                    inside -= 1
                    if inside:
                        continue
                    yield Part("whole", element, list(stack))
                else:
                    yield Part("close", element, list(stack))
                if stack:
                    stack[-1].remove(element)
            else:
                return
        except ParseError as error:
            self._damaged(error)
        except DefusedXmlException as error:
            raise _refusal(error) from None
        except (LookupError, ValueError):
            self.reading.damage = "Its text encoding is not known, or is not what it says."
            self.repairable = True
        except StopReading:
            pass
        if inside:
            begin = len(stack) - inside
            yield Part("whole", stack[begin], stack[:begin], cut=True)
            stack = stack[:begin]
        while stack:
            yield Part("close", stack.pop(), list(stack), cut=True)

    def _damaged(self, error: ParseError) -> None:
        line = error.position[0]
        self.repairable = error.code in _REPAIRABLE
        if error.code in _UNFINISHED:
            self.reading.damage = f"It ends in the middle, at line {line:,}: what should follow is missing."
        else:
            reason = str(error).partition(":")[0].removeprefix("not well-formed (").rstrip(")")
            self.reading.damage = f"It is not well-formed XML at line {line:,} ({reason}); what follows was not read."


def repaired(body: bytes, reading: Reading) -> BinaryIO:
    """The document with what XML does not allow replaced: control characters, wrong bytes, bare ampersands. Each is noted."""
    encoding = _encoding_of(body)
    try:
        text = body.decode(encoding, errors="replace")
    except LookupError:
        text = body.decode("utf-8", errors="replace")
        reading.note(f"It says its encoding is {encoding}, which is not known; it was read as UTF-8.")
    broken = text.count("\ufffd") - body.count("\ufffd".encode())
    if broken > 0:
        reading.note(f"{broken:,} characters are not {encoding} and were replaced.")
    text, illegal = _ILLEGAL.subn("\ufffd", text)
    references = 0

    def legal(found: re.Match[str]) -> str:
        nonlocal references
        number = int(found[1], 16) if found[1] else int(found[2])
        if number <= 0x10FFFF and not _ILLEGAL.match(chr(number)):
            return found[0]
        references += 1
        return "\ufffd"

    text = _REFERENCE.sub(legal, text)
    text, ampersands = _BARE_AMPERSAND.subn("&amp;", text)
    if illegal + references:
        reading.note(f"{illegal + references:,} control characters that XML does not allow were replaced.")
    if ampersands:
        reading.note(f"{ampersands:,} bare ampersands were read as text.")
    text = _DECLARATION.sub('<?xml version="1.0" encoding="UTF-8"?>', text.lstrip("\ufeff"), count=1)
    return io.BytesIO(text.encode("utf-8", "replace"))


def _encoding_of(body: bytes) -> str:
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if body[:3] == b"\xef\xbb\xbf":
        return "utf-8-sig"
    declared = _DECLARED.match(body[:300].decode("latin-1"))
    return declared[1] if declared else "utf-8"


def _refusal(error: DefusedXmlException) -> InvalidInputError:
    named = f" ({error.name[:60]})" if isinstance(error, EntitiesForbidden) and error.name else ""
    return InvalidInputError(
        f"The XML declares entities{named}, which could read other files or servers; nothing of it was read.",
        hint="Have the tool that writes it leave the DOCTYPE out.",
    )
