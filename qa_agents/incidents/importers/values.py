"""Objects out of JSON that is not one per line: arrays, pretty-printed objects, Jira's `{"issues": […]}`.

A scanner of brackets and strings cuts the stream into elements without building them, so that one broken or huge
element costs that element only, and a file of gigabytes costs one element of memory.
"""

import hashlib
import re
from collections.abc import Iterator

from qa_agents.incidents.importers.source import Piece, Source

_NO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
"""Up to the next bracket outside of strings, or to a string that does not end. Possessive: nothing is tried twice."""
_STRING_REST = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_ISSUES_KEY = re.compile(rb'(?<!\\)"issues"[ \t\r\n]{0,20}:[ \t\r\n]{0,20}\Z')
_LOOK_BACK = 64
_EXCERPT = 200


def elements(source: Source, limit: int, too_large: str, *, issues: bool) -> Iterator[Piece]:
    """Each object of the stream: elements of a top-level array, top-level objects, or, with `issues`, the elements of
    the array `issues` inside top-level objects. What stands between them and is no object comes as a piece too.

    One above `limit` bytes comes as an excerpt with `too_large` as its problem; one the file ends in says so.
    """
    splitter = _Splitter(limit, too_large, issues)
    for chunk in source.chunks():
        yield from splitter.feed(chunk)
    yield from splitter.end(source.problem)


def holds_issues(head: bytes) -> bool:
    """Whether this beginning of a file has an array `issues` in a top-level object."""
    splitter = _Splitter(len(head), "", issues=True)
    for _ in splitter.feed(head):
        pass
    return splitter.found_issues


class _Splitter:
    """Always in one of three places: inside an element, between elements, or elsewhere in the document."""

    def __init__(self, limit: int, too_large: str, issues: bool) -> None:
        self._limit, self._too_large, self._issues = limit, too_large, issues
        self._line = 1
        self._depth = 0
        self._floor: int | None = None
        """Depth inside the array whose elements are wanted; None outside of one."""
        self._quoted = self._escaped = False
        self._element: _Element | None = None
        self.found_issues = False
        self._gap = bytearray()
        """What lies between elements; at most an excerpt."""
        self._before = b""
        """The end of the chunks before, for the key in front of a bracket."""
        self._chunk = b""
        self._kept = self._counted = 0
        """Up to where the chunk was taken, and its lines counted."""

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        self._chunk, self._kept, self._counted = chunk, 0, 0
        position = self._string_end(0) if self._quoted else 0
        while (start := _NO_BRACKET.match(chunk, position).end()) < len(chunk):  # type: ignore[union-attr]
            mark, position = chunk[start : start + 1], start + 1
            if mark == b'"':
                position = self._string_end(position)
            elif mark in b"{[":
                if self._element is None:
                    yield from self._opened(mark, start)
                self._depth += 1
            elif self._depth:
                self._depth -= 1
                if self._element is None or self._depth == self._element.depth:
                    yield from self._closed(start)
        self._take(len(chunk))
        self._line += chunk.count(b"\n", self._counted)
        self._before = (self._before + chunk[-_LOOK_BACK:])[-_LOOK_BACK:]

    def _string_end(self, position: int) -> int:
        """Where the string at `position` ends in this chunk; it may go on in the next, even amid an escape."""
        end = _STRING_REST.match(self._chunk, position + self._escaped).end()  # type: ignore[union-attr]
        self._escaped = self._chunk[end : end + 1] == b"\\"
        self._quoted = end + self._escaped >= len(self._chunk)
        return end + 1

    def _opened(self, mark: bytes, start: int) -> Iterator[Piece]:
        """A bracket outside of elements: it begins one, or their array, or something on the way there."""
        self._take(start)
        if self._begins(mark):
            yield from self._junk(start)
            self._element = _Element(self._line, self._depth)
        elif mark == b"[" and self._is_array_wanted(start):
            self._floor, self._kept = self._depth + 1, start + 1
            self.found_issues = self.found_issues or self._depth == 1
        else:
            self._kept = start + 1

    def _closed(self, start: int) -> Iterator[Piece]:
        """A bracket that ends the element, or, outside of elements, their array or something around it."""
        if self._element is not None:
            self._take(start + 1)
            yield self._element.piece(self._too_large)
            self._element = None
            return
        if self._floor is not None:
            self._take(start)
            yield from self._junk(start)
            self._floor = None
        self._kept = start + 1

    def end(self, problem: str | None) -> Iterator[Piece]:
        if self._element is not None:
            yield self._element.piece(self._too_large, cut=problem or "the file ends inside this object")
            return
        yield from self._junk(self._counted)
        if problem or self._depth:
            yield Piece(self._line, b"", problem or "the file ends before its JSON does")

    def _begins(self, mark: bytes) -> bool:
        """Whether this bracket opens an element."""
        if self._floor is not None:
            return self._depth == self._floor
        return self._depth == 0 and mark == b"{" and not self._issues

    def _is_array_wanted(self, start: int) -> bool:
        """Whether the `[` at `start` opens the array whose elements are wanted."""
        if self._depth == 0:
            return True
        before = self._before + self._chunk[max(0, start - _LOOK_BACK) : start]
        return self._issues and self._depth == 1 and _ISSUES_KEY.search(before) is not None

    def _take(self, end: int) -> None:
        """Put the chunk up to `end` where it belongs: to the element, between elements, or nowhere."""
        data = self._chunk[self._kept : end]
        self._kept = end
        if self._element is not None:
            self._element.add(data, self._limit)
        elif (self._floor is not None or self._depth == 0) and len(self._gap) < _EXCERPT:
            self._gap += data.strip(b" \t\r\n,")[:_EXCERPT]

    def _junk(self, position: int) -> Iterator[Piece]:
        """What was no element, as a piece; the line is brought up to `position` first."""
        self._line += self._chunk.count(b"\n", self._counted, position)
        self._counted = position
        if self._gap:
            yield Piece(self._line, bytes(self._gap))
            self._gap = bytearray()


class _Element:
    """One element being collected; above the limit only its hash and an excerpt are."""

    def __init__(self, line: int, depth: int) -> None:
        self.line, self.depth = line, depth
        self._raw = bytearray()
        self._digest: hashlib._Hash | None = None

    def add(self, data: bytes, limit: int) -> None:
        if self._digest is not None:
            self._digest.update(data)
        elif len(self._raw) + len(data) > limit:
            self._digest = hashlib.sha256(self._raw)
            self._digest.update(data)
            self._raw = (self._raw + data)[:_EXCERPT]
        else:
            self._raw += data

    def piece(self, too_large: str, cut: str | None = None) -> Piece:
        if self._digest is not None:
            return Piece(self.line, bytes(self._raw), too_large, self._digest.hexdigest())
        return Piece(self.line, bytes(self._raw), cut)
