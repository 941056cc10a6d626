"""An immutable part of the lexical index: postings of some documents in one memory-mapped file."""

import mmap
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from qa_agents.incidents.tokens import Analysed, Hashes

MAGIC = b"QALEX1\n\x00"
_ALIGN = 64
_DTYPES = {
    "pk": "<i8", "created": "<f8", "summary_length": "<u2", "body_length": "<u2",
    "terms": "<u8", "starts": "<i8", "docs": "<u4", "tf_summary": "u1", "tf_body": "u1",
    "shapes": "<u8", "shape_starts": "<i8", "shape_docs": "<u4",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """What the index keeps of one incident."""

    pk: int
    seq: int
    created: float
    """Seconds since the epoch; -inf when unknown, so that it lies before every moment."""
    analysed: Analysed


@dataclass(frozen=True, slots=True)
class Postings:
    """Occurrences of some terms: `term[i]` (position in the query) in document `docs[i]` of the segment."""

    term: NDArray[np.int64]
    docs: NDArray[np.uint32]
    tf_summary: NDArray[np.uint8]
    tf_body: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Segment:
    """Documents 0…n-1 in ascending `pk`; terms and line shapes ascend, each with the documents that hold it."""

    pk: NDArray[np.int64]
    created: NDArray[np.float64]
    summary_length: NDArray[np.uint16]
    body_length: NDArray[np.uint16]
    terms: Hashes
    starts: NDArray[np.int64]
    docs: NDArray[np.uint32]
    tf_summary: NDArray[np.uint8]
    tf_body: NDArray[np.uint8]
    shapes: Hashes
    shape_starts: NDArray[np.int64]
    shape_docs: NDArray[np.uint32]

    @classmethod
    def build(cls, documents: Sequence[Document]) -> Self:
        """A segment of these documents; their `pk` differ."""
        ordered = sorted(documents, key=lambda document: document.pk)
        parts = [document.analysed for document in ordered]
        tf_summary = _joined([part.tf_summary for part in parts], np.uint8)
        tf_body = _joined([part.tf_body for part in parts], np.uint8)
        terms, starts, docs, order = _inverted([part.terms for part in parts])
        shapes, shape_starts, shape_docs, _ = _inverted([part.shapes for part in parts])
        return cls(
            pk=np.array([document.pk for document in ordered], np.int64),
            created=np.array([document.created for document in ordered], np.float64),
            summary_length=np.array([part.tf_summary.sum() for part in parts], np.uint16),
            body_length=np.array([part.tf_body.sum() for part in parts], np.uint16),
            terms=terms,
            starts=starts,
            docs=docs,
            tf_summary=tf_summary[order],
            tf_body=tf_body[order],
            shapes=shapes,
            shape_starts=shape_starts,
            shape_docs=shape_docs,
        )

    def __len__(self) -> int:
        return len(self.pk)

    def rows(self, pks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Document numbers of those of `pks` that are here."""
        return _positions(self.pk, pks)[1]

    def postings(self, terms: Hashes) -> Postings:
        """Every occurrence of the (distinct) terms, grouped by term in the order given."""
        asked, rows = _positions(self.terms, terms)
        spans = [(self.starts[row], self.starts[row + 1]) for row in rows]
        return Postings(
            term=np.repeat(asked, [end - start for start, end in spans]),
            docs=_joined([self.docs[start:end] for start, end in spans], np.uint32),
            tf_summary=_joined([self.tf_summary[start:end] for start, end in spans], np.uint8),
            tf_body=_joined([self.tf_body[start:end] for start, end in spans], np.uint8),
        )

    def frequencies(self, terms: Hashes, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """In how many allowed documents each term occurs."""
        return _counted(self.terms, self.starts, self.docs, terms, allowed)

    def shape_frequencies(self, shapes: Hashes, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """In how many allowed documents each line shape occurs."""
        return _counted(self.shapes, self.shape_starts, self.shape_docs, shapes, allowed)


def merge(segments: Sequence[Segment], alive: Sequence[NDArray[np.bool_]]) -> Segment:
    """One segment of the living documents of several; linear in their size."""
    pk = np.concatenate([segment.pk[living] for segment, living in zip(segments, alive, strict=True)])
    order = np.argsort(pk, kind="stable")
    numbers = np.empty(len(pk), np.uint32)
    numbers[order] = np.arange(len(pk), dtype=np.uint32)
    renumbered, start = [], 0
    for living in alive:
        count = int(living.sum())
        new = np.zeros(len(living), np.uint32)
        new[living] = numbers[start : start + count]
        renumbered.append(new)
        start += count

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(s, name)[living] for s, living in zip(segments, alive, strict=True)])[order]

    terms, starts, (docs, tf_summary, tf_body) = _merged_lists(
        [(s.terms, s.starts, s.docs, (s.tf_summary, s.tf_body)) for s in segments], alive, renumbered
    )
    shapes, shape_starts, (shape_docs,) = _merged_lists(
        [(s.shapes, s.shape_starts, s.shape_docs, ()) for s in segments], alive, renumbered
    )
    return Segment(
        pk=pk[order],
        created=column("created"),
        summary_length=column("summary_length"),
        body_length=column("body_length"),
        terms=terms,
        starts=starts,
        docs=docs,
        tf_summary=tf_summary,
        tf_body=tf_body,
        shapes=shapes,
        shape_starts=shape_starts,
        shape_docs=shape_docs,
    )


def write_segment(path: Path, segment: Segment) -> None:
    """Write the segment's file and see it on disk: magic, header length, header, then the aligned arrays."""
    arrays, offset, crc, bodies = {}, 0, 0, []
    for field in fields(segment):
        body = np.ascontiguousarray(getattr(segment, field.name), _DTYPES[field.name]).tobytes()
        body += bytes(-len(body) % _ALIGN)
        arrays[field.name] = [offset, len(getattr(segment, field.name))]
        offset, crc = offset + len(body), zlib.crc32(body, crc)
        bodies.append(body)
    header = orjson.dumps({"arrays": arrays, "size": offset, "crc": crc})
    header += b" " * (-(len(MAGIC) + 8 + len(header)) % _ALIGN)
    with path.open("wb") as file:
        file.write(MAGIC + len(header).to_bytes(8, "little") + header)
        file.writelines(bodies)
        file.flush()
        os.fsync(file.fileno())


def open_segment(path: Path) -> Segment:
    """Map the segment's file. Raises ValueError when it is damaged, OSError when it cannot be read."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        start = len(MAGIC) + 8 + int.from_bytes(mapped[len(MAGIC) : len(MAGIC) + 8], "little")
        header = orjson.loads(mapped[len(MAGIC) + 8 : start])
        body = memoryview(mapped)[start:]
        if mapped[: len(MAGIC)] != MAGIC or len(body) != header["size"] or zlib.crc32(body) != header["crc"]:
            raise ValueError("checksum differs")
        return Segment(
            **{
                name: np.frombuffer(body, _DTYPES[name], count, offset)
                for name, (offset, count) in header["arrays"].items()
            }
        )
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"header is damaged ({error})") from None


def _joined(parts: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def _positions(keys: NDArray[Any], wanted: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(positions in `wanted`, positions in the ascending `keys`) of what both hold."""
    if not len(keys):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found = np.flatnonzero(keys[rows] == wanted)
    return found, rows[found]


def _counted(
    keys: Hashes, starts: NDArray[np.int64], docs: NDArray[np.uint32], wanted: Hashes, allowed: NDArray[np.bool_]
) -> NDArray[np.int64]:
    counts = np.zeros(len(wanted), np.int64)
    found, rows = _positions(keys, wanted)
    if allowed.all():
        counts[found] = starts[rows + 1] - starts[rows]
    else:
        counts[found] = [np.count_nonzero(allowed[docs[starts[row] : starts[row + 1]]]) for row in rows]
    return counts


def _inverted(
    lists: Sequence[Hashes],
) -> tuple[Hashes, NDArray[np.int64], NDArray[np.uint32], NDArray[np.int64]]:
    """(keys, starts, documents, order) of documents' key lists; `order` sorts what is parallel to the joined lists."""
    keys = _joined(lists, np.uint64)
    docs = np.repeat(np.arange(len(lists), dtype=np.uint32), [len(one) for one in lists])
    order = np.argsort(keys, kind="stable")
    distinct, firsts = np.unique(keys[order], return_index=True)
    return distinct, np.append(firsts, len(keys)).astype(np.int64), docs[order], order


_Lists = tuple[Hashes, NDArray[np.int64], NDArray[np.uint32], tuple[NDArray[np.uint8], ...]]


def _merged_lists(
    lists: Sequence[_Lists], alive: Sequence[NDArray[np.bool_]], renumbered: Sequence[NDArray[np.uint32]]
) -> tuple[Hashes, NDArray[np.int64], list[NDArray[Any]]]:
    """Inverted lists of several segments as one: (keys, starts, [documents, *values]), dead documents left out."""
    union = np.unique(np.concatenate([keys for keys, *_ in lists]))
    counts = np.zeros((len(lists), len(union)), np.int64)
    kept = []
    for i, (keys, starts, docs, _) in enumerate(lists):
        living = alive[i][docs]
        ends = np.concatenate([[0], np.cumsum(living)])
        counts[i, np.searchsorted(union, keys)] = ends[starts[1:]] - ends[starts[:-1]]
        kept.append(living)
    used = counts.any(axis=0)
    union, counts = union[used], counts[:, used]
    starts = np.concatenate([[0], np.cumsum(counts.sum(axis=0))])
    values: list[NDArray[Any]] = [np.empty(starts[-1], np.uint32)]
    values += [np.empty(starts[-1], np.uint8) for _ in lists[0][3]]
    before = np.zeros(len(union), np.int64)
    for i, (_, _, docs, extra) in enumerate(lists):
        ends = np.cumsum(counts[i])
        # Where each posting goes: its term's place, after what earlier segments put there.
        places = np.repeat(starts[:-1] + before - (ends - counts[i]), counts[i]) + np.arange(
            ends[-1] if len(ends) else 0
        )
        values[0][places] = renumbered[i][docs[kept[i]]]
        for target, source in zip(values[1:], extra, strict=True):
            target[places] = source[kept[i]]
        before += counts[i]
    return union, starts, values
