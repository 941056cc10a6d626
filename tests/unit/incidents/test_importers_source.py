import gzip
import hashlib
import io
import os
import random
import socket
import sys
import threading
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.incidents.importers.source import HEAD_BYTES, Piece, open_source, opened, require_text

LINES = b"".join(b'{"id": "I-%d", "summary": "line %d"}\n' % (n, n) for n in range(2_000))


def noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


def packed(kind: str, body: bytes) -> bytes:
    if kind == "gz":
        return gzip.compress(body)
    return zstandard.ZstdCompressor(write_checksum=True).compress(body) if kind == "zst" else body


def read(path: Path) -> bytes:
    with opened(path) as source:
        return b"".join(source.chunks())


def lines_of(path: Path, limit: int = 1_000) -> list[Piece]:
    with opened(path) as source:
        return list(source.lines(limit, "is too large"))


@pytest.mark.parametrize("kind", ["plain", "gz", "zst"])
def test_compression_is_told_by_content_and_not_by_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "export.jsonl"
    path.write_bytes(packed(kind, LINES))
    assert read(path) == LINES


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_file_of_several_compressed_parts_is_read_to_its_end(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "parts"
    path.write_bytes(packed(kind, LINES) + packed(kind, b"more\n") + b"\0" * 700)
    assert read(path) == LINES + b"more\n"


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_truncated_file_gives_what_could_be_read_and_says_that_it_ends_early(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "cut"
    digits = noise(400_000).hex().encode()
    body = b"".join(digits[start : start + 80] + b"\n" for start in range(0, len(digits), 80))
    path.write_bytes(packed(kind, body)[:200_000])
    *whole, last = lines_of(path)
    assert len(whole) > 1_000
    assert all(piece.problem is None for piece in whole)
    assert "ends early" in (last.problem or "")
    assert b"\n".join(piece.raw for piece in whole) == body[: sum(len(piece.raw) + 1 for piece in whole) - 1]


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_bytes_that_were_changed_are_noticed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "damaged"
    body = bytearray(packed(kind, noise(300_000).hex().encode()))
    body[150_000:150_010] = bytes(10)
    path.write_bytes(body)
    with opened(path) as source:
        list(source.chunks())
        assert "damaged" in (source.problem or "")


def test_what_follows_a_compressed_part_and_is_none_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "tail"
    path.write_bytes(gzip.compress(LINES) + b"not gzip")
    with opened(path) as source:
        assert b"".join(source.chunks()) == LINES
        assert source.problem


def test_a_compressed_file_damaged_from_its_start_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "bad.gz"
    path.write_bytes(b"\x1f\x8b" + b"\xff" * 100)
    with pytest.raises(InvalidInputError, match=r"cannot be read: the compressed file is damaged"):
        open_source(path)


def test_a_bomb_is_a_stream_and_not_a_heap(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "bomb.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(b"x" * 300_000_000))
    tracemalloc.start()
    with opened(path) as source:
        assert sum(map(len, source.chunks())) == 300_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80_000_000


def test_a_byte_order_mark_is_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "bom.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + LINES)
    assert read(path) == LINES


def test_missing_directory_empty_and_unopenable_are_one_sentence_each(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "blank").write_bytes(b" \n\n")
    (tmp_path / "empty.gz").write_bytes(gzip.compress(b""))
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(str(tmp_path / "socket"))
        for name, error, said in (
            ("nowhere", NotFoundError, "There is no file"),
            (".", InvalidInputError, "is a directory"),
            ("empty", InvalidInputError, "is empty"),
            ("blank", InvalidInputError, "is empty"),
            ("empty.gz", InvalidInputError, "is empty"),
            ("socket", InvalidInputError, "cannot be read"),
            ("nul\0name", InvalidInputError, "cannot be read"),
        ):
            with pytest.raises(error, match=said) as caught:
                open_source(tmp_path / name)
            assert caught.value.hint


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"PK\x03\x04" + noise(500), "zip archive or a spreadsheet"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"\xff\xfe{\0}\0", "UTF-16"),
        (b"\xfd7zXZ\0", "xz archive"),
        (b"\x89PNG\r\n\x1a\n" + noise(5_000), "not a text file"),
        (b"i\0d\0,\0s\0u\0m\0m\0a\0r\0y\0\n\0", "not a text file"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, head: bytes, said: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(head)
    with opened(path) as source, pytest.raises(InvalidInputError, match=said):
        require_text(source)


def test_a_huge_line_is_hashed_and_skipped_without_being_kept(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    huge = b"x" * 1_000_000
    path.write_bytes(b"a\n" + huge + b"\r\nb\n" + b"y" * 1_001)
    first, second, third, fourth = lines_of(path)
    assert (first.raw, third.raw) == (b"a", b"b")
    assert second == Piece(2, b"x" * 200, "is too large", hashlib.sha256(huge).hexdigest())
    assert fourth.sha256 == hashlib.sha256(b"y" * 1_001).hexdigest()


@given(
    st.lists(st.binary(max_size=60).map(lambda b: b.replace(b"\n", b" ")), max_size=20), st.sampled_from(["\n", "\r\n"])
)
def test_every_line_comes_once_with_its_number_whatever_its_length(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], end: str
) -> None:
    body = b"".join(line + end.encode() for line in lines)
    if not body.removeprefix(b"\xef\xbb\xbf").strip() or body.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        return
    path = tmp_path_factory.mktemp("lines") / "file"
    path.write_bytes(body)
    pieces = lines_of(path, limit=30)
    stripped = [line.rstrip(b"\r\n") for line in body.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    for piece in pieces:
        line = stripped[piece.line - 1]
        assert piece.sha256 == (hashlib.sha256(line).hexdigest() if piece.sha256 else None)
        assert piece.raw == line if piece.problem is None else line.startswith(piece.raw.rstrip(b"\r"))
        assert bool(piece.problem) <= (len(line) >= 30)
    assert [piece.line for piece in pieces] == [n for n, line in enumerate(stripped, 1) if line.strip()]


def test_standard_input_is_read_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(LINES))
    monkeypatch.setattr(sys, "stdin", stdin)
    with opened("-") as source:
        assert (source.name, source.total_bytes) == ("standard input", None)
        assert b"".join(source.chunks()) == LINES
    assert not stdin.buffer.closed


def test_a_pipe_is_not_kept_waiting_for_more_than_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    may_end = threading.Event()

    def write() -> None:
        with path.open("wb", buffering=0) as pipe:
            pipe.write(b'{"id": 1}\n')
            may_end.wait(20)
            pipe.write(b'{"id": 2}\n')

    writer = threading.Thread(target=write)
    writer.start()
    with opened(path) as source:
        lines = source.lines(100, "")
        assert next(lines).raw == b'{"id": 1}'
        may_end.set()
        assert next(lines).raw == b'{"id": 2}'
    writer.join()


def test_progress_counts_stored_bytes(tmp_path: Path) -> None:
    path = tmp_path / "some.zst"
    path.write_bytes(packed("zst", LINES * 50))
    with opened(path) as source:
        assert source.total_bytes == path.stat().st_size
        assert len(source.head) == HEAD_BYTES
        list(source.chunks())
        assert source.bytes_read == source.total_bytes
