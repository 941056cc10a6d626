"""The memory's rows: past incidents with what became of them, each change numbered so that indexes can catch up."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, RowMapping, delete, func, insert, or_, select, update

from qa_agents.errors import StorageError
from qa_agents.incidents.schema import SCHEMA_VERSION, Incident, erased
from qa_agents.storage.engine import Database, next_values, recall_fact, remember_fact
from qa_agents.storage.tables import incident_links, incidents

Origin = Literal["import", "report", "review"]
Outcome = Literal["imported", "updated", "unchanged", "stale"]
IDENTITY = "incidents_identity"
TOP_VALUES = 20
_IN_CHUNK = 500
"""Ids in one IN (…): far below every engine's limit of parameters."""


@dataclass(frozen=True, slots=True)
class Change:
    """One stored incident as it is now; `seq` grows with every change, `pk` never changes."""

    seq: int
    pk: int
    incident: Incident


class MemoryStats(BaseModel):
    """What the memory holds; the counts of values name the most frequent first, at most TOP_VALUES of them."""

    size: int
    first: datetime | None
    last: datetime | None
    """Earliest and latest `created`, where known."""
    open: int
    """Unresolved as of now."""
    component: dict[str, int]
    severity: dict[str, int]
    type: dict[str, int]
    resolution: dict[str, int]
    duplicates: int
    """Incidents that are linked as a duplicate of another."""
    with_note: int
    """Incidents with a resolution note: where root causes come from."""
    origins: dict[str, int]
    """`import`, `report` (remembered from triage) or `review` (labelled by a person)."""


class IncidentStore:
    """Incidents in the database; every method is one transaction, except upsert_in and erase_in, which join the caller's.

    `guard` is asked first in every write transaction of upsert; it raises to refuse.
    """

    def __init__(self, db: Database, guard: Callable[[Connection], None] = lambda _connection: None) -> None:
        self._db = db
        self._guard = guard
        self._identity = ""

    def upsert(self, batch: Sequence[Incident], *, origin: Origin = "import") -> list[Outcome]:
        """Store the incidents, all or none; one outcome per input, in order. See upsert_in."""
        with self._db.write() as connection:
            self._guard(connection)
            return self.upsert_in(connection, batch, origin=origin)

    def upsert_in(
        self, connection: Connection, batch: Sequence[Incident], *, origin: Origin = "import"
    ) -> list[Outcome]:
        """As upsert, inside the caller's write transaction.

        Content equal to what is stored is `unchanged`; content older (by `updated`) than what is stored is `stale` and
        not written. A remembered report never overwrites anything; an imported or reviewed row overwrites a remembered
        report.
        """
        stored = self._heads(connection, [incident.id for incident in batch])
        pending: dict[str, _Row] = {}
        outcomes: list[Outcome] = []
        for incident in batch:
            row = _row_of(incident, origin)
            outcome = _judge(pending.get(incident.id) or stored.get(incident.id), row)
            if outcome in ("imported", "updated"):
                pending[incident.id] = row
            outcomes.append(outcome)
        if pending:
            self._write(connection, list(pending.values()), known=stored.keys())
        return outcomes

    def erase_in(self, connection: Connection, incident_id: str) -> bool:
        """Erase what people wrote in an incident, inside the caller's write transaction; whether there was anything.

        Labels, dates and links stay. The same content imported again changes nothing; newer content replaces it.
        """
        stored = connection.execute(select(incidents.c.body).where(incidents.c.id == incident_id)).scalar()
        if stored is None:
            return False
        before = _decoded(stored)
        if (after := erased(before)) == before:
            return False
        self._write(connection, [_row_of(after, "review")], known=[incident_id])
        return True

    def get(self, incident_id: str) -> Incident | None:
        """The incident of this id, or None."""
        return self.get_many([incident_id]).get(incident_id)

    def get_many(self, ids: Iterable[str]) -> dict[str, Incident]:
        """The stored ones of these ids, by id."""
        with self._db.read() as connection:
            rows = _select_in(connection, (incidents.c.id, incidents.c.body), incidents.c.id, ids)
            return {row["id"]: _decoded(row["body"]) for row in rows}

    def by_pk(self, pks: Iterable[int]) -> dict[int, Incident]:
        """The stored ones of these primary keys, by key."""
        with self._db.read() as connection:
            rows = _select_in(connection, (incidents.c.pk, incidents.c.body), incidents.c.pk, pks)
            return {row["pk"]: _decoded(row["body"]) for row in rows}

    def pk_of(self, incident_id: str) -> int | None:
        """The primary key of an id, or None."""
        with self._db.read() as connection:
            return connection.execute(select(incidents.c.pk).where(incidents.c.id == incident_id)).scalar()

    def change_of(self, incident_id: str) -> Change | None:
        """The latest change of an incident, or None."""
        query = select(incidents.c.seq, incidents.c.pk, incidents.c.body).where(incidents.c.id == incident_id)
        with self._db.read() as connection:
            row = connection.execute(query).one_or_none()
        return Change(row.seq, row.pk, _decoded(row.body)) if row else None

    def severities(self) -> list[str]:
        """Every word the team has used for a severity, in no order."""
        with self._db.read() as connection:
            query = select(incidents.c.severity).where(incidents.c.severity.is_not(None)).distinct()
            return list(connection.execute(query).scalars())

    def ratings(self, since: datetime) -> list[tuple[datetime, str, str | None]]:
        """(filed, severity, reporter) of every incident with a severity, filed from `since` on; in no order."""
        reporter = _BODY["incident", "reporter"].as_string()
        query = select(incidents.c.created, incidents.c.severity, reporter).where(
            incidents.c.severity.isnot(None), incidents.c.created >= since.timestamp()
        )
        with self._db.read() as connection:
            rows = connection.execute(query).all()
        return [(datetime.fromtimestamp(created, UTC), severity, reporter) for created, severity, reporter in rows]

    def count(self) -> int:
        """How many incidents are stored."""
        with self._db.read() as connection:
            return connection.execute(select(func.count()).select_from(incidents)).scalar_one()

    def identity(self) -> str:
        """A random name given to this memory with its first incident; empty before. Derived indexes remember it."""
        if not self._identity:
            with self._db.read() as connection:
                self._identity = str(recall_fact(connection, IDENTITY) or "")
        return self._identity

    def last_seq(self) -> int:
        """The number of the latest change; 0 for an empty memory."""
        with self._db.read() as connection:
            return connection.execute(select(func.max(incidents.c.seq))).scalar() or 0

    def changes(self, after_seq: int, limit: int) -> list[Change]:
        """Up to `limit` incidents changed after `after_seq`, in order of change; each only as it is now."""
        query = select(incidents.c.seq, incidents.c.pk, incidents.c.body)
        with self._db.read() as connection:
            rows = connection.execute(query.where(incidents.c.seq > after_seq).order_by(incidents.c.seq).limit(limit))
            return [Change(seq, pk, _decoded(body)) for seq, pk, body in rows]

    def count_changes(self, after_seq: int) -> int:
        """How many incidents `changes` has to give from here."""
        query = select(func.count()).select_from(incidents).where(incidents.c.seq > after_seq)
        with self._db.read() as connection:
            return connection.execute(query).scalar_one()

    def count_open(self, severities: Collection[str], now: datetime | None = None) -> int:
        """How many incidents of one of these severities are unresolved at `now` (the present moment)."""
        query = select(incidents.c.pk).where(incidents.c.severity.in_(list(severities)))
        with self._db.read() as connection:
            pks = connection.execute(query).scalars().all()
        return sum(incident.open_at(now or datetime.now(UTC)) for incident in self.by_pk(pks).values())

    def count_decided(self) -> int:
        """How many dated incidents there are whose outcome is known."""
        query = (
            select(func.count())
            .select_from(incidents)
            .where(incidents.c.created.isnot(None), incidents.c.origin != "report")
            .where(or_(incidents.c.resolved.isnot(None), incidents.c.resolution.isnot(None)))
        )
        with self._db.read() as connection:
            return connection.execute(query).scalar_one()

    def newest_decided(self, limit: int) -> list[Incident]:
        """Up to `limit` incidents whose outcome is known, the newest (by `created`) first; undated ones are left out."""
        query = (
            select(incidents.c.body)
            .where(incidents.c.created.isnot(None), incidents.c.origin != "report")
            .where(or_(incidents.c.resolved.isnot(None), incidents.c.resolution.isnot(None)))
            .order_by(incidents.c.created.desc(), incidents.c.pk.desc())
            .limit(limit)
        )
        with self._db.read() as connection:
            return [_decoded(body) for body in connection.execute(query).scalars()]

    def newest_filed(self) -> datetime | None:
        """When the newest incident that the tracker told of was filed; None without a dated one."""
        query = select(func.max(incidents.c.created)).where(incidents.c.origin != "report")
        with self._db.read() as connection:
            newest = connection.execute(query).scalar()
        return None if newest is None else datetime.fromtimestamp(newest, UTC)

    def filed_between(self, since: datetime, until: datetime, limit: int) -> list[Incident]:
        """Up to `limit` incidents that the tracker told of, filed after `since` and up to `until`, the newest first."""
        filed = incidents.c.created
        query = (
            select(incidents.c.body)
            .where(filed > since.timestamp(), filed <= until.timestamp(), incidents.c.origin != "report")
            .order_by(incidents.c.created.desc(), incidents.c.pk.desc())
            .limit(limit)
        )
        with self._db.read() as connection:
            return [_decoded(body) for body in connection.execute(query).scalars()]

    def links(self) -> list[tuple[str, str]]:
        """Every duplicate link, (duplicate, target), in order; final values, whenever linked."""
        columns = (incident_links.c.incident_id, incident_links.c.target_id)
        with self._db.read() as connection:
            rows = connection.execute(select(*columns).order_by(*columns))
            return [(row.incident_id, row.target_id) for row in rows]

    def duplicates_of(self, ids: Iterable[str]) -> dict[str, list[str]]:
        """For each of these ids, the incidents linked as its duplicates, sorted; final values, whenever linked."""
        found: dict[str, list[str]] = {target: [] for target in ids}
        columns = (incident_links.c.target_id, incident_links.c.incident_id)
        with self._db.read() as connection:
            for row in _select_in(connection, columns, incident_links.c.target_id, found):
                found[row["target_id"]].append(row["incident_id"])
        return {target: sorted(duplicates) for target, duplicates in found.items()}

    def resolve_canonical(self, incident_id: str, as_of: datetime) -> list[str]:
        """The chain of duplicate links from this incident to its end: the id itself first, the canonical one last.

        Only links that were revealed at `as_of`, to incidents that are stored and existed then, are followed; a cycle
        ends where it would close.
        """
        chain = [incident_id]
        while (incident := self.get(chain[-1])) and incident.revealed_at(as_of):
            targets = self.get_many(incident.duplicate_of)
            following = (t for t in incident.duplicate_of if t in targets and t not in chain)
            target = next((t for t in following if _existed(targets[t], as_of)), None)
            if target is None:
                break
            chain.append(target)
        return chain

    def stats(self, now: datetime | None = None) -> MemoryStats:
        """What the memory holds; one pass over all rows (about a second for 100,000)."""
        now = now or datetime.now(UTC)
        counts: dict[str, Counter[str]] = {name: Counter() for name in (*_COUNTED, "origins")}
        moments: list[float] = []
        size = opened = with_note = 0
        with self._db.read() as connection:
            for row in connection.execute(_STATS.execution_options(yield_per=5_000)).mappings():
                size += 1
                opened += _unvalidated(row).open_at(now)
                with_note += bool(row["noted"])
                counts["origins"][row["origin"]] += 1
                for name in _COUNTED:
                    if row[name] is not None:
                        counts[name][row[name]] += 1
                if row["created"] is not None:
                    moments.append(row["created"])
            duplicates = connection.execute(select(func.count(incident_links.c.incident_id.distinct()))).scalar_one()
        return MemoryStats(
            size=size,
            first=_moment(min(moments, default=None)),
            last=_moment(max(moments, default=None)),
            open=opened,
            duplicates=duplicates,
            with_note=with_note,
            **{name: dict(counter.most_common(TOP_VALUES)) for name, counter in counts.items()},
        )

    def _heads(self, connection: Connection, ids: Sequence[str]) -> "dict[str, _Row]":
        names = ("id", "content_sha", "imported_sha", "origin", "updated")
        columns = [incidents.c[name] for name in names]
        rows = _select_in(connection, columns, incidents.c.id, ids)
        return {row["id"]: dict(row) for row in rows}

    def _write(self, connection: Connection, rows: "list[_Row]", known: Iterable[str]) -> None:
        if recall_fact(connection, IDENTITY) is None:
            remember_fact(connection, IDENTITY, uuid4().hex)
        known = set(known)
        for row, seq in zip(rows, next_values(connection, "incidents", len(rows)), strict=True):
            row["seq"] = seq
        if fresh := [row for row in rows if row["id"] not in known]:
            connection.execute(insert(incidents), fresh)
        for row in rows:
            if row["id"] in known:
                connection.execute(update(incidents).where(incidents.c.id == row["id"]).values(row))
        changed = [row["id"] for row in rows if row["id"] in known]
        for start in range(0, len(changed), _IN_CHUNK):
            chunk = changed[start : start + _IN_CHUNK]
            connection.execute(delete(incident_links).where(incident_links.c.incident_id.in_(chunk)))
        if links := [link for row in rows for link in _links(row)]:
            connection.execute(insert(incident_links), links)


_Row = dict[str, Any]
_BLANK = Incident(id="blank", summary="blank")
_BODY = incidents.c.body
_COUNTED = ("component", "severity", "type", "resolution")
_STATS = select(
    incidents.c.created,
    incidents.c.resolved,
    incidents.c.origin,
    incidents.c.component,
    incidents.c.severity,
    incidents.c.resolution,
    _BODY["incident", "type"].as_string().label("type"),
    _BODY["incident", "status"].as_string().label("status"),
    _BODY["incident", "resolution_note"].as_string().isnot(None).label("noted"),
)


def _row_of(incident: Incident, origin: Origin) -> _Row:
    fields = incident.model_dump(mode="json", exclude_defaults=True)
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    content_sha = hashlib.sha256(canonical.encode()).hexdigest()
    # What the tracker said last stays on record when a person's label replaces it.
    imported = {"imported_sha": content_sha} if origin == "import" else {}
    return {
        "id": incident.id,
        "content_sha": content_sha,
        **imported,
        "origin": origin,
        "created": _seconds(incident.created),
        "resolved": _seconds(incident.resolved),
        "updated": _seconds(incident.updated),
        "component": incident.component,
        "severity": incident.severity,
        "resolution": incident.resolution,
        "body": {"schema_version": SCHEMA_VERSION, "incident": fields},
    }


def _judge(stored: _Row | None, row: _Row) -> Outcome:
    """What to do with `row`, given what is stored under its id."""
    if stored is None:
        return "imported"
    if row["origin"] == "report":
        return "unchanged"
    if stored["origin"] == "report":
        return "updated"
    if row["content_sha"] in (stored["content_sha"], stored.get("imported_sha")):
        return "unchanged"  # also when a person has labelled it since: the tracker said nothing new
    if stored["updated"] is not None and row["updated"] is not None and stored["updated"] > row["updated"]:
        return "stale"
    return "updated"


def _links(row: _Row) -> Iterator[dict[str, str]]:
    for target in dict.fromkeys(row["body"]["incident"].get("duplicate_of", ())):
        if target != row["id"]:
            yield {"incident_id": row["id"], "target_id": target}


def _decoded(body: Mapping[str, Any]) -> Incident:
    """The incident of a stored body. Raises StorageError for one of a newer release, or a damaged one."""
    if body.get("schema_version", 0) > SCHEMA_VERSION:
        raise StorageError("An incident was stored by a newer qa-agents.", hint="Upgrade qa-agents.")
    try:
        return Incident.model_validate(body["incident"])
    except (KeyError, ValidationError) as error:
        raise StorageError(
            f"A stored incident cannot be read ({str(error).splitlines()[0]}).", hint="Import it again."
        ) from None


def _select_in(connection: Connection, columns: Sequence[Any], key: Any, values: Iterable[Any]) -> Iterator[RowMapping]:
    """Rows whose `key` is one of `values`, however many those are."""
    wanted = list(dict.fromkeys(values))
    for start in range(0, len(wanted), _IN_CHUNK):
        chunk = wanted[start : start + _IN_CHUNK]
        yield from connection.execute(select(*columns).where(key.in_(chunk))).mappings()


def _unvalidated(row: RowMapping) -> Incident:
    """Just enough of an incident to ask whether it is open, at a tenth of the price of a validated one."""
    fields = {"resolved": _moment(row["resolved"]), "resolution": row["resolution"], "status": row["status"]}
    return _BLANK.model_copy(update=fields)


def _existed(incident: Incident, moment: datetime) -> bool:
    return incident.created is None or incident.created <= moment


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
