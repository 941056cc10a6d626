"""Rows of a CSV file: any delimiter, line breaks inside quotes, bounded memory; a stray quote costs one row only."""

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from qa_agents.errors import InvalidInputError
from qa_agents.incidents.importers.moments import tells_day_first
from qa_agents.incidents.importers.rows import TOO_LARGE, Record, Row, row_of_record
from qa_agents.incidents.importers.source import LIMIT_BYTES, Piece, Source
from qa_agents.incidents.importers.strict_json import RowError, decode
from qa_agents.incidents.importers.table import Pairs, is_known

_DELIMITERS = ",;\t|"
_REPLAY_BYTES = 64_000_000
"""How much may be read twice to recover from stray quotes: keeps a hostile file linear."""


class Header(NamedTuple):
    """A table's first row, and what stands between its cells."""

    names: tuple[str, ...]
    delimiter: str


def header_of(source: Source) -> Header:
    """The header, with the delimiter that makes most sense of it. Raises InvalidInputError when it is not UTF-8."""
    line, _, _ = source.head.partition(b"\n")
    try:
        text = decode(line.rstrip(b"\r"), 1)
    except RowError as problem:
        raise InvalidInputError(f"{source.name}: {problem}, in the header.", hint="Save the file as UTF-8.") from None
    options = [Header(_names(text, delimiter), delimiter) for delimiter in _DELIMITERS]
    return max(options, key=lambda header: (sum(map(is_known, header.names)), len(header.names)))


def rows_of_table(
    source: Source, header: Header, record_of: Callable[[Pairs], Record], dates: Sequence[str], now: datetime
) -> Iterator[Row]:
    """A row per record under the header, made by `record_of`; `dates` names the columns whose first cells tell whether
    03/04 is in April or in March. Fewer cells than the header has are as good as blank ones; more are refused.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LIMIT_BYTES))
    day_first = _day_first(source, header, dates)
    width, after = len(header.names), ""
    for line, cells, excerpt, problem in _records(source, header.delimiter):
        if problem is None and (len(cells) > width or (after and len(cells) < width)):
            problem = f"has {len(cells)} columns where the header has {width}{after}"
        elif problem is None:
            after = ""
        elif not after:
            after = f", after the broken row on line {line}"
        if problem is None:
            pairs = [(name, cell) for name, cell in zip(header.names, cells, strict=False) if cell.strip()]
            yield row_of_record(line, record_of(pairs), excerpt, now, day_first)
        else:
            yield Row(line, None, problem, excerpt)


class _Record(NamedTuple):
    line: int
    cells: list[str]
    excerpt: str
    problem: str | None


def _records(source: Source, delimiter: str) -> Iterator[_Record]:
    """Every row after the header. After a quote that is never closed, reading goes on with the line below it."""
    lines = _Lines(source.lines(LIMIT_BYTES, TOO_LARGE, blank=True))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    next(reader, None)
    while True:
        lines.begin_row()
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            if not lines.row:
                return
        except csv.Error as error:
            lines.problem = lines.problem or f"is not CSV ({error}): is a quote not closed, or not doubled?"
            lines.go_back()
        except _RowTooLargeError:
            lines.problem = f"{TOO_LARGE}: is a quote never closed?"
            lines.go_back()
        if lines.row and (cells or lines.problem):
            first = lines.row[0]
            yield _Record(first.line, cells, first.raw[:800].decode(errors="replace")[:200], lines.problem)


class _RowTooLargeError(Exception):
    pass


class _Lines:
    """Physical lines for the csv reader, remembered until their row is done."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._again: deque[Piece] = deque()
        self._may_replay = _REPLAY_BYTES
        self._size = 0
        self.row: list[Piece] = []
        self.problem: str | None = None
        """The first thing wrong with the row's lines."""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        piece = self._again.popleft() if self._again else next(self._pieces)
        self.row.append(piece)
        self._size += len(piece.raw)
        if self._size > LIMIT_BYTES:
            raise _RowTooLargeError
        try:
            if piece.problem:
                raise RowError(piece.problem)
            text = decode(piece.raw, piece.line)
        except RowError as problem:
            self.problem = self.problem or str(problem)
            text = piece.raw.decode(errors="replace")
        return text.replace("\x00", "\ufffd") + "\n"

    def begin_row(self) -> None:
        self.row, self.problem, self._size = [], None, 0

    def go_back(self) -> None:
        """Give the row's lines but the first again, as long as that stays cheap."""
        if self._size <= self._may_replay:
            self._may_replay -= self._size
            self._again.extendleft(reversed(self.row[1:]))


def _day_first(source: Source, header: Header, dates: Sequence[str]) -> bool | None:
    """What the dates in the head agree on; None when they say nothing or contradict each other."""
    text = source.head.decode(errors="replace").replace("\x00", "").splitlines()
    columns = [index for index, name in enumerate(header.names) if name in dates]
    told: set[bool | None] = set()
    try:
        for cells in csv.reader(text, delimiter=header.delimiter):
            told.update(tells_day_first(cells[index]) for index in columns if index < len(cells))
    except csv.Error:
        pass
    told.discard(None)
    return told.pop() if len(told) == 1 else None


def _names(text: str, delimiter: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        cells = text.split(delimiter)
    return tuple(cell.strip() or f"column {number}" for number, cell in enumerate(cells, start=1))
