"""From a record (keys and values as found) to an incident or one clear reason why not."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from pydantic import ValidationError

from qa_agents.incidents.importers.moments import parse_moment
from qa_agents.incidents.importers.source import LIMIT_BYTES, Piece
from qa_agents.incidents.importers.strict_json import RowError, parse_object
from qa_agents.incidents.schema import CLOCK_SKEW, Incident

TOO_LARGE = f"is larger than {LIMIT_BYTES // 1_000_000} MB"
OWN_EXTRAS = frozenset({"cloned_from", "environment", "security"})
"""Keys the importers add themselves; any other key outside the schema is the team's own and is noted."""
_EXCERPT = 200
_DATES = ("created", "resolved", "updated")
_TEXTS = frozenset({
    "product", "version", "platform", "reporter", "component", "severity", "priority", "type", "status",
    "resolution", "assignee", "resolution_note",
})  # fmt: skip

Record = dict[str, object]


class Row(NamedTuple):
    """One row of a file: an incident, or the reason why it is none."""

    line: int
    """The physical line it starts on, from 1."""
    incident: Incident | None
    reason: str | None
    """A clause that follows `file:line: `; None when there is an incident."""
    raw_excerpt: str
    """The first 200 characters as found, undecodable bytes replaced: untrusted text."""
    id: str | None = None
    """The id, as far as one could be read."""


def row_of_piece(piece: Piece, build: Callable[[Record], Record], now: datetime) -> Row:
    """The row of a JSON object; `build` turns the object into an incident's record."""
    excerpt = piece.raw[: 4 * _EXCERPT].decode(errors="replace")[:_EXCERPT]
    record: Record = {}
    try:
        if piece.problem:
            raise RowError(piece.problem)
        record = parse_object(piece.raw, piece.line)
        record = build(record)
        return Row(piece.line, incident_of(record, now), None, excerpt, _id_of(record))
    except RowError as problem:
        return Row(piece.line, None, str(problem), excerpt, _id_of(record))


def row_of_record(line: int, record: Record, excerpt: str, now: datetime, day_first: bool | None = None) -> Row:
    """The row of a table's record."""
    try:
        return Row(line, incident_of(record, now, day_first), None, excerpt[:_EXCERPT], _id_of(record))
    except RowError as problem:
        return Row(line, None, str(problem), excerpt[:_EXCERPT], _id_of(record))


def incident_of(record: Mapping[str, object], now: datetime, day_first: bool | None = None) -> Incident:
    """Validate a record; dates in any common form, numbers where a word is due are taken as text, unknown keys kept.

    Raises RowError: no id, no words, a date that is none or lies in the future, a value of the wrong kind.
    """
    found = record.get("id")
    if found is None or (isinstance(found, str) and not found.strip()):
        raise RowError("has no id")
    try:
        incident = Incident.model_validate(settled(record, day_first))
    except ValidationError as error:
        raise RowError(reason_of(error)) from None
    if incident.created and incident.created > now + CLOCK_SKEW:
        raise RowError(f"was created in the future ({incident.created:%Y-%m-%d})")
    return incident


def settled(record: Mapping[str, object], day_first: bool | None = None) -> Record:
    """The record with its dates read and its words as text. Raises RowError for what is no date."""
    result = as_words(record)
    for name in _DATES:
        if (value := result.get(name)) is not None:
            try:
                result[name] = parse_moment(value, day_first=day_first)
            except ValueError as error:
                raise RowError(f"`{name}` {error}") from None
    return result


def as_words(record: Mapping[str, object]) -> Record:
    """The record without blanks around its id, and with text where a number stands for a word (a version 1.7)."""
    result = dict(record)
    for name, value in result.items():
        if isinstance(value, float) and name in _TEXTS:
            result[name] = repr(value)
    if isinstance(found := result.get("id"), str):
        result["id"] = found.strip()
    return result


def reason_of(error: ValidationError) -> str:
    """The first complaint as a clause: which key, and what about it."""
    first = error.errors(include_url=False, include_input=False)[0]
    clause = first["msg"].removeprefix("Value error, ").replace("Input should", "should")
    name = ".".join(str(part) for part in first["loc"])
    return f"`{name}` {clause}" if name else clause


def _id_of(record: Mapping[str, object]) -> str | None:
    found = record.get("id") or record.get("key")
    return str(found)[:_EXCERPT] if isinstance(found, str | int) else None
