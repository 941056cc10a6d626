"""Rows out of JSON: one object per line, arrays, spread-out objects, Jira's exports. One bad row is one bad row."""

from collections.abc import Iterator
from datetime import datetime

from qa_agents.incidents.importers import jira_json
from qa_agents.incidents.importers.rows import TOO_LARGE, Record, Row, row_of_piece
from qa_agents.incidents.importers.source import LIMIT_BYTES, Piece, Source
from qa_agents.incidents.importers.values import elements


def lines(source: Source) -> Iterator[Piece]:
    """Each line that is not blank."""
    return source.lines(LIMIT_BYTES, TOO_LARGE)


def objects(source: Source, *, issues: bool) -> Iterator[Piece]:
    """Each object of the file's arrays; with `issues`, of the arrays under that key."""
    return elements(source, LIMIT_BYTES, TOO_LARGE, issues=issues)


def rows_of(pieces: Iterator[Piece], names: jira_json.Names, now: datetime, *, only_issues: bool) -> Iterator[Row]:
    """A row per piece. One that is an issue of Jira's is read as one; with `only_issues`, nothing else is."""

    def build(record: Record) -> Record:
        as_issue = only_issues or jira_json.is_issue(record)
        return jira_json.issue_record(record, names) if as_issue else record

    return (row_of_piece(piece, build, now) for piece in pieces)
