"""Opening what is given: a file or standard input, plain or compressed, as chunks, lines and a head to sniff at."""

import contextlib
import hashlib
import io
import itertools
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from qa_agents.errors import InvalidInputError, NotFoundError

PathOrDash = Path | str
"""A file, or `-` for standard input."""

LIMIT_BYTES = 16_000_000
"""A larger line or row is refused without being loaded whole."""
HEAD_BYTES = 262_144
"""How much is looked at to tell what a file is."""
_CHUNK = 65_536
_SQUEEZED = 512
"""Compressed bytes expanded at once: at zstd's highest ratio they grow to 16 MB, so that a bomb stays a stream."""
_EXCERPT = 200
_BOM = b"\xef\xbb\xbf"
_FOREIGN = (
    (b"PK\x03\x04", "a zip archive or a spreadsheet", "Unpack it, or save the sheet as CSV (UTF-8)."),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save the sheet as CSV (UTF-8)."),
    (b"%PDF", "a PDF", "Give its text instead."),
    (b"BZh91AY&SY", "a bzip2 archive", "Unpack it first; .gz and .zst are read as they are."),
    (b"\xfd7zXZ", "an xz archive", "Unpack it first; .gz and .zst are read as they are."),
    (b"SQLite format 3", "a database", "Export its rows as JSON Lines or CSV."),
    (b"\xff\xfe", "UTF-16 text", "Save it as UTF-8."),
    (b"\xfe\xff", "UTF-16 text", "Save it as UTF-8."),
)


class Piece(NamedTuple):
    """One line, or one object of a JSON array, as it lies in the file."""

    line: int
    """The physical line it starts on, from 1."""
    raw: bytes
    """Its bytes without the line end; only the first 200 when `problem` says it is too large."""
    problem: str | None = None
    """Why it cannot be used: too large, or the file ends inside it."""
    sha256: str | None = None
    """Of all its bytes; given only when it is too large."""


class Source:
    """A byte stream with a name. `problem` is set, and the stream ends, where the file turns out damaged."""

    def __init__(self, name: str, file: IO[bytes], total_bytes: int | None) -> None:
        self.name = name
        self.total_bytes = total_bytes
        """Size of the file as stored; None when it is a pipe."""
        self.bytes_read = 0
        """Of the file as stored: compressed bytes when it is compressed."""
        self.problem: str | None = None
        self._file = file
        self._chunks = self._expanded(self._stored())
        head = b""
        while not _is_enough(head, patient=total_bytes is not None) and (chunk := next(self._chunks, b"")):
            head += chunk
        self.head = head.removeprefix(_BOM)[:HEAD_BYTES]
        """The first bytes, expanded, without a byte order mark; reading starts with them again."""
        self._chunks = itertools.chain([head.removeprefix(_BOM)], self._chunks)

    def chunks(self) -> Iterator[bytes]:
        """What is left of the stream, in pieces of at most some megabytes."""
        return self._chunks

    def lines(self, limit: int, too_large: str, *, blank: bool = False) -> Iterator[Piece]:
        """Every line, blank ones only if asked for; one above `limit` bytes comes as an excerpt with `too_large` as its
        problem.
        """
        stream = io.BufferedReader(_ChunkReader(self._chunks), _CHUNK)
        number = 0
        while line := stream.readline(limit + 2):
            number += 1
            if len(line) > limit and not line.endswith(b"\n"):
                yield Piece(number, line[:_EXCERPT].rstrip(b"\r"), too_large, _drained(stream, line))
            elif self.problem and not line.endswith(b"\n"):
                yield Piece(number, line.rstrip(b"\r\n"), self.problem)
                return
            elif blank or not line.isspace():
                yield Piece(number, line.rstrip(b"\r\n"))
        if self.problem:
            yield Piece(number + 1, b"", self.problem)

    def close(self) -> None:
        """Close the file; standard input is left open."""
        if self._file is not sys.stdin.buffer:
            self._file.close()

    def _stored(self) -> Iterator[bytes]:
        read: Callable[[int], bytes] = getattr(self._file, "read1", self._file.read)
        try:
            while chunk := read(_CHUNK):
                self.bytes_read += len(chunk)
                yield chunk
        except OSError as error:
            self.problem = f"the file cannot be read further ({error.strerror or error})"

    def _expanded(self, stored: Iterator[bytes]) -> Iterator[bytes]:
        first = next(stored, b"")
        while len(first) < 4 and (more := next(stored, b"")):
            first += more
        chunks = itertools.chain([first], stored)
        codec = _codec_of(first)
        return self._inflated(chunks, codec) if codec else chunks

    def _inflated(self, chunks: Iterator[bytes], new_codec: Callable[[], "_Codec"]) -> Iterator[bytes]:
        """Frame after frame (a compressed file may hold several), in steps small enough for any ratio."""
        codec, started = new_codec(), False
        try:
            for chunk in chunks:
                for start in range(0, len(chunk), _SQUEEZED):
                    rest = chunk[start : start + _SQUEEZED]
                    while rest:
                        if codec.eof:
                            codec, started = new_codec(), False
                            rest = rest.lstrip(b"\0")  # archives on tape are padded with zeros
                            continue
                        started = True
                        if out := codec.decompress(rest):
                            yield out
                        rest = codec.unused_data if codec.eof else b""
        except Exception as error:  # zlib.error and zstandard.ZstdError share no base
            self.problem = f"the compressed file is damaged here ({error})"
        else:
            if started and not codec.eof and self.problem is None:
                self.problem = "the compressed file ends early"


def open_source(path: PathOrDash) -> Source:
    """Open a file, or standard input for `-`. gzip and Zstandard are told by their first bytes, not by the name.

    Raises NotFoundError when there is no such file; InvalidInputError when it is a directory, unreadable, empty or
    damaged from the first byte on.
    """
    if is_stdin(path):
        source = Source("standard input", sys.stdin.buffer, None)
    else:
        file = _opened(Path(path))
        status = os.fstat(file.fileno())
        source = Source(str(path), file, status.st_size if stat.S_ISREG(status.st_mode) else None)
    if source.head.isspace() or not source.head:
        source.close()
        if source.problem:
            raise InvalidInputError(f"{source.name} cannot be read: {source.problem}.", hint="Fetch or pack it again.")
        raise InvalidInputError(f"{source.name} is empty.", hint="Give a file with at least one record.")
    return source


def is_stdin(path: PathOrDash) -> bool:
    """Whether this names standard input."""
    return str(path) == "-"


def require_text(source: Source) -> None:
    """Raise InvalidInputError, naming what it is where that is known, unless the head looks like text."""
    for magic, kind, hint in _FOREIGN:
        if source.head.startswith(magic):
            raise InvalidInputError(f"{source.name} is {kind}.", hint=hint)
    if not looks_like_text(source.head):
        raise InvalidInputError(
            f"{source.name} is not a text file.", hint="Give JSON Lines, JSON or CSV, as UTF-8; .gz and .zst are fine."
        )


def looks_like_text(head: bytes) -> bool:
    """Whether few control characters are in it; what opens as JSON counts as text, its lines are judged one by one."""
    if head.lstrip()[:1] in (b"{", b"["):
        return True
    odd = sum(map(head.count, _CONTROLS))
    return odd <= 8 or odd * 20 <= len(head)


_CONTROLS = [bytes([code]) for code in range(32) if code not in b"\t\n\v\f\r\x1b"]


class _Codec(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _codec_of(first: bytes) -> Callable[[], _Codec] | None:
    if first.startswith(b"\x1f\x8b"):
        return lambda: zlib.decompressobj(wbits=31)
    if first.startswith(b"\x28\xb5\x2f\xfd"):
        import zstandard

        decompressor = zstandard.ZstdDecompressor()
        return lambda: decompressor.decompressobj()
    return None


class _ChunkReader(io.RawIOBase):
    """Chunks as a raw stream, for BufferedReader's fast `readline`."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # typeshed's WriteableBuffer is private
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _drained(stream: io.BufferedIOBase, last: bytes) -> str:
    """Read to the end of the line that began with `last`; its SHA-256, without the line end."""
    digest = hashlib.sha256()
    while not last.endswith(b"\n") and (more := stream.readline(_CHUNK)):
        digest.update(last[:-1])  # what may be half of a line end waits
        last = last[-1:] + more
    digest.update(last.rstrip(b"\r\n"))
    return digest.hexdigest()


def _is_enough(head: bytes, *, patient: bool) -> bool:
    """Whether the head suffices for sniffing. A pipe is not kept waiting once it has given a whole JSON line."""
    if len(head) >= HEAD_BYTES:
        return True
    if patient:
        return False
    first, newline, _ = head.lstrip().partition(b"\n")
    return bool(newline) and first.rstrip().endswith(b"}")


def _opened(path: Path) -> IO[bytes]:
    try:
        if path.is_dir():
            raise InvalidInputError(f"{path} is a directory.", hint="Name the files in it.")
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {path}.", hint="Check the name; `-` reads standard input.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidInputError(f"{path} cannot be read ({reason}).", hint="Check its permissions.") from None


@contextlib.contextmanager
def opened(path: PathOrDash) -> Iterator[Source]:
    """`open_source` for a `with` block."""
    source = open_source(path)
    try:
        yield source
    finally:
        source.close()
