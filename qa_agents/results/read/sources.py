"""What is to be read: names of files, folders, patterns and archives become members, never unpacked to disk."""

import glob
import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, BinaryIO

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.results.read.limits import MEGA, Limits

_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 16
_ENCRYPTED = 0x1
_DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError)
"""What reading a damaged archive may raise."""
_HIDDEN = (".", "__MACOSX", "node_modules", "__pycache__")


@dataclass(frozen=True, slots=True)
class Member:
    """One file that may hold results. `open` may be called more than once; reading more than the limits allow raises.

    A member of an archive can be opened only until the next one is taken.
    """

    name: str
    open: Callable[[], BinaryIO]
    is_named: bool
    """The person named this very file, rather than a folder, pattern or archive that it was found in."""
    problem: str = ""
    """Why it cannot be opened at all; "" where it can."""


def members(names: Sequence[str], limits: Limits) -> Iterator[Member]:
    """Every regular file behind the names, each once, in the order of the names and then of the alphabet.

    A folder is walked, links in it are not followed; hidden folders are left out. A pattern may hold `*`, `?`, `[…]`, `**`.
    Raises NotFoundError for a name behind which there is nothing, InvalidInputError for more files than `limits` allow.
    """
    seen: set[str] = set()
    count = 0
    for name in names:
        for path, is_named in _paths(name):
            real = os.path.realpath(path)
            if real in seen:
                continue
            seen.add(real)
            for member in _opened(str(path), _opener(path, limits), is_named, limits, limits.archive_depth):
                count += 1
                if count > limits.files:
                    raise InvalidInputError(
                        f"There are more than {limits.files:,} files.", hint="Name the folder that holds the results."
                    )
                yield member


def _paths(name: str) -> Iterator[tuple[Path, bool]]:
    path = Path(name)
    if path.is_dir():
        found = False
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(one for one in folders if not one.startswith(_HIDDEN))
            for file in sorted(files):
                if (one := Path(folder) / file).is_file() and not file.startswith("."):
                    found = True
                    yield one, False
        if not found:
            raise NotFoundError(f"The folder {name} holds no files.", hint="Name the folder that the tests write to.")
    elif path.is_file():
        yield path, True
    elif glob.has_magic(name):
        matches = [Path(one) for one in sorted(glob.iglob(name, recursive=True)) if Path(one).is_file()]  # noqa: PTH207 - of any root
        if not matches:
            raise NotFoundError(f"No file matches {name}.", hint="Did the tests write results?")
        yield from ((one, False) for one in matches)
    elif path.exists():
        raise InvalidInputError(f"{name} is no regular file.", hint="Name a file, folder, pattern or zip.")
    else:
        raise NotFoundError(f"There is no file or folder {name}.", hint="Name a file, folder, pattern or zip.")


def _opener(path: Path, limits: Limits) -> Callable[[], BinaryIO]:
    def opened() -> BinaryIO:
        return _Bounded(path.open("rb"), limits.file_bytes)

    return opened


def _opened(name: str, opener: Callable[[], BinaryIO], is_named: bool, limits: Limits, depth: int) -> Iterator[Member]:
    """The file itself, or what is in it."""
    try:
        with opener() as stream:
            magic = stream.read(4)
    except OSError as error:
        yield Member(name, opener, is_named, f"It cannot be read ({error.strerror or error}).")
        return
    if magic == _EMPTY_ZIP:
        yield Member(name, opener, is_named, "The archive is empty.")
    elif magic == _ZIP and depth:
        yield from _zipped(name, opener, limits, depth)
    elif magic == _ZIP:
        yield Member(name, opener, is_named, "It is an archive within archives, which is not opened.")
    elif magic[:2] == _GZIP:
        yield Member(name, _unzipped(opener, limits), is_named)
    else:
        yield Member(name, opener, is_named)


def _unzipped(opener: Callable[[], BinaryIO], limits: Limits) -> Callable[[], BinaryIO]:
    @cache
    def unpacked() -> bytes:
        with opener() as stream:
            packed = stream.read()
        bound = min(limits.file_bytes, _allowed(len(packed), limits))
        return _Bounded(gzip.GzipFile(fileobj=io.BytesIO(packed)), bound).read()

    return lambda: io.BytesIO(unpacked())


def _zipped(name: str, opener: Callable[[], BinaryIO], limits: Limits, depth: int) -> Iterator[Member]:
    """The members, while the archive stays open: opening it anew for each would read its list of members each time."""
    try:
        stream = opener()
        archive = zipfile.ZipFile(_seekable(stream))
        infos = [info for info in archive.infolist() if not info.is_dir()][: limits.files + 1]
    except _DAMAGED as error:
        yield Member(name, opener, True, f"The archive is damaged ({str(error)[:100] or type(error).__name__}).")
        return
    with stream, archive:
        for info in infos:
            inner = f"{name}/{info.filename}"
            if Path(info.filename).name.startswith(".") or info.filename.startswith("__MACOSX"):
                continue
            if info.flag_bits & _ENCRYPTED:
                yield Member(inner, opener, False, "It is encrypted.")
                continue
            yield from _opened(inner, _member_opener(archive, info, limits), False, limits, depth - 1)


def _member_opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits) -> Callable[[], BinaryIO]:
    @cache
    def unpacked() -> bytes:
        bound = min(limits.file_bytes, _allowed(info.compress_size, limits))
        try:
            with archive.open(info) as stream:
                return _Bounded(stream, bound).read()
        except TooLargeError:
            raise
        except _DAMAGED as error:
            raise OSError(f"the archive is damaged here: {str(error)[:100] or type(error).__name__}") from None

    return lambda: io.BytesIO(unpacked())


def _allowed(packed: int, limits: Limits) -> int:
    return max(limits.free_bytes, packed * limits.packed_ratio)


def _seekable(stream: BinaryIO) -> BinaryIO:
    return stream if stream.seekable() else io.BytesIO(stream.read())


class TooLargeError(OSError):
    """A file is larger, unpacked, than the limits allow."""


class _Bounded(io.RawIOBase, BinaryIO):
    """A stream that raises TooLargeError once more than `limit` bytes were read from it."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._count = 0

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes. Raises TooLargeError."""
        if size is None or size < 0:
            parts = []
            while part := self.read(_CHUNK):
                parts.append(part)
            return b"".join(parts)
        data = self._stream.read(size)
        self._count += len(data)
        if self._count > self._limit:
            raise TooLargeError(f"It is larger than {self._limit / MEGA:,.0f} MB unpacked, which is more than is read.")
        return data

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """As the stream beneath."""
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move in the stream; what is read again counts again only beyond the limit of one pass."""
        self._count = 0
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Where the stream stands."""
        return self._stream.tell()

    def close(self) -> None:
        """Close the stream beneath."""
        self._stream.close()
        super().close()
