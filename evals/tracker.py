"""Any tracker's history as a replay needs it: read with patience, dated, in time order, and told what was done to it.

A report is never refused for a field: what does not fit a field is put right where its meaning is plain (a number for
a word, `{"name": …}` for a word, one word for a list), and dropped where it is not. Every such repair is counted.
"""

import hashlib
import io
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from pydantic import ValidationError

from evals.data import Dataset, manifest
from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.incidents.schema import CLOSED_STATUSES, Incident

LISTS = frozenset({"labels", "components", "duplicate_of"})
DATES = frozenset({"created", "resolved", "updated"})
WORDS = frozenset(Incident.model_fields) - LISTS - DATES
NAMED = ("name", "value", "displayName", "display_name", "id", "key", "login")
"""Where an object that stands for a word keeps the word."""
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
STEP = timedelta(hours=1)
"""Dates given to a history that has none: reports follow one another by an hour, from FIRST."""
USUAL_FIX = timedelta(days=30)
"""How long a closed report without a closing date is taken to have been open, where the data say nothing better."""
MAX_LINE = 16_000_000


@dataclass
class Tracker:
    """A history in time order; every report has a date, and one that was closed has the date of that."""

    dataset: Dataset
    notes: list[str] = field(default_factory=list)
    """What had to be put right, one sentence each."""

    @property
    def incidents(self) -> Sequence[Incident]:
        """The reports with what became of them, the oldest first."""
        return self.dataset.incidents


def read_tracker(path: Path) -> Tracker:
    """A JSON Lines file of incidents, `.zst` too. Raises NotFoundError, and InvalidInputError when no line is usable."""
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}.", hint="Give a JSON Lines file of incidents.")
    told: Counter[str] = Counter()
    found: dict[str, Incident] = {}
    for number, line in enumerate(_lines(path), start=1):
        incident = _incident(line, number, told)
        if incident is None:
            continue
        if incident.id in found:
            told["lines repeated an id; the last one counts"] += 1
        found[incident.id] = incident
    if not found:
        raise InvalidInputError(f"{path.name} holds no incident.", hint="One JSON object a line, with id and summary.")
    incidents = _closed(_dated(list(found.values()), told), told)
    name = path.name.removesuffix(".zst").removesuffix(".jsonl")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    known = next((entry for entry in manifest().values() if entry.sha256 == sha256), None)
    dataset = Dataset(name, incidents, sha256, known.licence if known else "unknown", checked=known is not None)
    return Tracker(dataset, [f"{count:,} {what}." for what, count in sorted(told.items())])


def tracker_of(dataset: Dataset) -> Tracker:
    """A data set of the manifest as a tracker."""
    told: Counter[str] = Counter()
    incidents = _closed(_dated(list(dataset.incidents), told), told)
    made = Dataset(dataset.name, incidents, dataset.sha256, dataset.licence, dataset.checked)
    return Tracker(made, [f"{count:,} {what}." for what, count in sorted(told.items())])


def default_start(incidents: Sequence[Incident], share: float = 0.7) -> datetime:
    """The date from which on the last 1 - `share` of the reports were filed."""
    return incidents[min(len(incidents) - 1, int(len(incidents) * share))].created or FIRST


def _incident(line: bytes, number: int, told: Counter[str]) -> Incident | None:
    if not line.strip():
        return None
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        row = None
    if not isinstance(row, dict):
        told["lines were no JSON object and were left out"] += 1
        return None
    return incident_of(row, f"line-{number}", told)


def incident_of(row: dict[str, Any], fallback_id: str, told: Counter[str]) -> Incident | None:
    """The row as an incident, with what could not be read dropped and counted in `told`; None when it says nothing."""
    fields = {name: _repaired(name, value, told) for name, value in row.items() if value is not None}
    fields["id"] = _id(fields.get("id") or fields.get("key"), fallback_id, told)
    for _ in range(len(fields) + 1):
        try:
            return Incident.model_validate(fields)
        except ValidationError as error:
            wrong = {str(part["loc"][0]) for part in error.errors() if part["loc"]} & fields.keys() - {"id"}
            if not wrong:
                break
            for name in wrong:
                del fields[name]
                told[f"values of {name} could not be read and were dropped"] += 1
    told["reports had neither summary nor description and were left out"] += 1
    return None


def _id(value: object, fallback: str, told: Counter[str]) -> str:
    text = "".join(c if c.isprintable() else "_" for c in str(value if value is not None else "").strip())[:200].strip()
    if not text:
        told["reports had no id and were named by their line"] += 1
    return text or fallback


def _repaired(name: str, value: object, told: Counter[str]) -> object:
    """The value in the shape that the field takes, where its meaning is plain."""
    if name in LISTS:
        items = value if isinstance(value, list) else [value]
        return [word for item in items if (word := _word(item))]
    if name in DATES:
        return _date(value)
    if name not in WORDS or isinstance(value, str):
        return value
    told[f"values of {name} were no text and were read as such"] += 1
    return _word(value[0] if isinstance(value, list) and value else value)


def _word(value: object) -> str | None:
    if isinstance(value, dict):
        value = next((value[key] for key in NAMED if isinstance(value.get(key), str | int)), None)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip() or None


def _date(value: object) -> object:
    """Seconds or milliseconds since 1970 as a date; Jira's `+0000` and text as it is."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        seconds = value / 1000 if abs(value) > 1e11 else value
        try:
            return datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            return value
    return None


def _dated(incidents: list[Incident], told: Counter[str]) -> list[Incident]:
    """In time order; a report without a date takes that of the one before it in the file."""
    missing = sum(incident.created is None for incident in incidents)
    if missing == len(incidents):
        told["reports had no date: the file's order is taken for the order of time, an hour apart"] += missing
        return [i.model_copy(update={"created": FIRST + n * STEP}) for n, i in enumerate(incidents)]
    if missing:
        told["reports had no date and took that of the line before"] += missing
        last = next(incident.created for incident in incidents if incident.created)
        for place, incident in enumerate(incidents):
            last = incident.created or last
            incidents[place] = incident if incident.created else incident.model_copy(update={"created": last})
    # Python's sort is stable: what has one date keeps the file's order.
    return sorted(incidents, key=lambda incident: incident.created or FIRST)


def _closed(incidents: list[Incident], told: Counter[str]) -> list[Incident]:
    """A closed report without a closing date gets one: its last update, else the usual time after filing."""
    took = [i.resolved - i.created for i in incidents if i.resolved and i.created and i.resolved >= i.created]
    usual = timedelta(seconds=statistics.median(t.total_seconds() for t in took)) if took else USUAL_FIX
    result = []
    for incident in incidents:
        created = incident.created or FIRST
        closed = incident.resolution is not None or (incident.status or "").lower() in CLOSED_STATUSES
        if incident.resolved is None and (closed or incident.duplicate_of):
            told["closed or linked reports had no closing date: their last update, else the usual time, is taken"] += 1
            moment = incident.updated if incident.updated and incident.updated >= created else created + usual
            incident = incident.model_copy(update={"resolved": moment})
        elif incident.resolved is not None and incident.resolved < created:
            told["reports were closed before they were filed: the filing date is taken"] += 1
            incident = incident.model_copy(update={"resolved": created})
        result.append(incident)
    return result


def _lines(path: Path) -> Iterator[bytes]:
    with _opened(path) as file:
        while line := file.readline(MAX_LINE):
            yield line


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if path.suffix == ".zst":
        import zstandard

        try:
            with zstandard.open(path, "rb") as raw, io.BufferedReader(raw) as file:
                yield file
        except zstandard.ZstdError as error:
            raise InvalidInputError(f"{path.name} is no Zstandard file ({error}).") from None
    else:
        with path.open("rb") as file:
            yield file
