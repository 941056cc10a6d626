"""A file as a stream of rows, whatever its format."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal, get_args

from qa_agents.errors import InvalidInputError, UsageError
from qa_agents.incidents.importers import csv_rows, jira_csv, jira_json, jsonl
from qa_agents.incidents.importers.rows import Row
from qa_agents.incidents.importers.sniff import layout_of
from qa_agents.incidents.importers.source import PathOrDash, Source, open_source
from qa_agents.incidents.importers.table import Columns

Format = Literal["auto", "jsonl", "csv", "jira"]
FORMATS: tuple[Format, ...] = get_args(Format)


class RowStream:
    """The rows of one opened file, once, in order. `notes` fills while it is read."""

    def __init__(self, source: Source, rows: Iterator[Row], notes: list[str]) -> None:
        self.source = source
        self.notes = notes
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        return self._rows


def read_rows(path: PathOrDash, format: str = "auto") -> Iterator[Row]:
    """Every row of a file (`-`: standard input), streamed: memory does not grow with the file.

    A row that cannot be used comes with its reason and never stops the rest. `auto` tells the format by content: JSON
    Lines, JSON arrays and objects, CSV, Jira's JSON and CSV exports; any of them as .gz or .zst.
    Raises NotFoundError and InvalidInputError, at once, for a file that cannot be read at all; UsageError for a format
    that is not in FORMATS.
    """
    stack = contextlib.ExitStack()
    stream = stack.enter_context(opened_rows(path, format))

    def rows() -> Iterator[Row]:
        with stack:
            yield from stream

    return rows()


@contextlib.contextmanager
def opened_rows(path: PathOrDash, format: str = "auto", now: datetime | None = None) -> Iterator[RowStream]:
    """`read_rows` with access to the source and the notes; the file is closed when the block ends."""
    if format not in FORMATS:
        raise UsageError(f"There is no format {format}.", hint=f"Known are {', '.join(FORMATS)}.")
    source = open_source(path)
    try:
        yield _stream(source, path, format, now or datetime.now(UTC))
    finally:
        source.close()


def _stream(source: Source, path: PathOrDash, format: Format, now: datetime) -> RowStream:
    layout = layout_of(source)
    if format == "jsonl":
        layout = "lines"
    if format == "csv" or layout == "table":
        return _table(source, format, now)
    is_jira = layout == "issues" or format == "jira"
    names = _names(path, source) if is_jira else {}
    pieces = jsonl.lines(source) if layout == "lines" else jsonl.objects(source, issues=layout == "issues")
    rows = jsonl.rows_of(pieces, names, now, only_issues=is_jira)
    return RowStream(source, rows, [_NO_NAMES] if is_jira and not names else [])


_NO_NAMES = "the export names no custom fields, so severity is unknown; export with expand=names, as a file"


def _table(source: Source, format: Format, now: datetime) -> RowStream:
    header = csv_rows.header_of(source)
    if format == "jira" and not jira_csv.is_jira(header.names):
        raise InvalidInputError(
            f"{source.name} is not an export of Jira's: it has no columns `Issue key` and `Summary`.",
            hint="Leave --format out.",
        )
    if format != "csv" and jira_csv.is_jira(header.names):
        dates, record_of, notes = jira_csv.date_columns(header.names), jira_csv.issue_record, [jira_csv.DATES_NOTE]
    else:
        try:
            columns = Columns(header.names)
        except InvalidInputError as error:
            raise InvalidInputError(f"{source.name} cannot be imported. {error.message}", hint=error.hint) from None
        dates, record_of, notes = columns.dates(), columns.record, []
    return RowStream(source, csv_rows.rows_of_table(source, header, record_of, dates, now), notes)


def _names(path: PathOrDash, source: Source) -> dict[str, str]:
    """The custom fields' names. They follow the issues, so that a file is read twice; a pipe tells only its head."""
    if source.total_bytes is None:
        return jira_json.field_names([source.head])
    again = open_source(path)
    try:
        return jira_json.field_names(again.chunks())
    finally:
        again.close()
