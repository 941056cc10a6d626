"""The append-only, hash-chained record of everything received, proposed, decided and done: writing, reading, erasing."""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Row, Select, Text, cast, insert, or_, select, update

from qa_agents.checkpoint.anchor import Anchor, Anchors, check_anchors
from qa_agents.checkpoint.chain import (
    GENESIS,
    Auditor,
    Entry,
    Finding,
    Verification,
    entry_hash,
    first_break,
    payload_digest,
)
from qa_agents.errors import InvalidInputError, NotFoundError, UnavailableError
from qa_agents.storage.engine import Database, later, remember_fact, serialise, soon
from qa_agents.storage.erase import erasing
from qa_agents.storage.prepared import Prepared
from qa_agents.storage.tables import ledger, reviews, runs

__all__ = [
    "Entry",
    "Ledger",
    "Redaction",
    "entries",
    "entries_about",
    "first_break",
    "newest",
    "newest_before",
    "redact",
    "redact_in",
    "verify",
]

_KEPT = ("redacted", "anchored")
"""Entries whose payload the rest of the ledger needs; they hold numbers, a reason and a file name."""
_PAGE = 500
_NEWEST = "qa_newest_entry"
"""Where a connection keeps (transaction, seq, hash) of what was last appended through it."""
_ASKED = "qa_asked_for_end"
"""Where it keeps (transaction, answer) while what was last appended by anybody is asked for."""


class Redaction(BaseModel):
    """What was erased: the entries' numbers, and those that cannot be erased because their hash covers the payload itself."""

    model_config = ConfigDict(frozen=True)

    erased: list[int]
    unerasable: list[int]


class Ledger:
    """Appends inside the caller's transaction, so that a record and what it records stand or fall together.

    With `anchors`, the newest committed entry is written outside the database now and then.
    """

    def __init__(self, now: Callable[[], float] = time.time, anchors: Anchors | None = None) -> None:
        self._now = now
        self._anchors = anchors
        self._appended = False
        self._flushed: tuple[int, str] | None = None
        """(seq, hash) of the last entry that this object appended in a transaction that is flushed when it ends."""

    def append(
        self, connection: Connection, event: str, subject: str, *, actor: str = "qa-agents", **payload: Any
    ) -> Entry:
        """Add one entry at the end of the chain and return it.

        `event` is a word of at most 40 characters that says what happened (`received`, `decided`, …), `subject` the id of the
        report, run or review it happened to; `payload` is small JSON: ids, hashes, short text.
        """
        serialise(connection, "ledger")
        seq, previous = self._end(connection)
        payload, salt = _storable(payload), secrets.token_hex(16)
        entry = Entry.model_construct(
            seq=seq + 1,
            at=round(self._now(), 6),
            actor=_storable(actor),
            event=event,
            subject=_storable(subject),
            payload=payload,
            salt=salt,
            payload_sha256=payload_digest(payload, salt),
            previous_hash=previous,
            hash="",
        )
        entry = entry.model_copy(update={"hash": entry_hash(entry)})
        later(connection, _APPEND, **dict(entry))
        connection.info[_NEWEST] = (connection.get_transaction(), entry.seq, entry.hash)
        if connection.get_execution_options().get("qa_durable", True):
            self._flushed = (entry.seq, entry.hash)
        self._appended = True
        return entry

    def expect(self, connection: Connection) -> None:
        """Say in a write transaction that `append` will follow: where the chain ends is asked for with the next question."""
        serialise(connection, "ledger")
        end = soon(connection, _END)
        connection.info[_ASKED] = (connection.get_transaction(), end)

    def _end(self, connection: Connection) -> tuple[int, str]:
        """Number and hash of the newest entry, as this transaction sees it."""
        within, seq, stored_hash = connection.info.get(_NEWEST, (None, 0, GENESIS))
        if within is not None and within is connection.get_transaction():
            return seq, stored_hash
        within, end = connection.info.pop(_ASKED, (None, None))
        if end is None or within is not connection.get_transaction():
            end = soon(connection, _END)
        found = end.records()
        self._anchor_flushed(connection)
        return (found[0]["seq"], found[0]["hash"]) if found else (0, GENESIS)

    def anchor(self, database: Database) -> Anchor | None:
        """Write the newest entry outside, if anything was appended since; to be called when a command or a job ends.

        The first time, an `anchored` entry says that anchors were begun, so that their absence is noticed later. Raises
        UnavailableError when the anchor file cannot be written; the ledger itself is complete then.
        """
        if self._anchors is None or not self._appended:
            return None
        if not self._anchors.exists():
            with database.write() as connection:
                self.append(connection, "anchored", "ledger", file=str(self._anchors.path))
        with database.read() as connection:
            head = connection.execute(_HEAD).first()
        if head is None:
            return None
        if self._flushed != (head.seq, head.hash):
            with (
                database.write() as connection
            ):  # no anchor may outlive its entry: a flush takes along what came before
                remember_fact(connection, "anchored_at", self._now())
        anchor = Anchor(seq=head.seq, hash=head.hash, at=self._now())
        self._anchors.write(anchor)
        self._anchors.publish()
        self._appended = False
        return anchor

    def _anchor_flushed(self, connection: Connection) -> None:
        """Write an entry of an earlier transaction outside, when it is time: one that is committed and on disk for certain."""
        if self._anchors is None or self._flushed is None:
            return
        seq, written = self._flushed
        try:
            if self._anchors.is_due(seq):
                kept = select(ledger.c.hash).where(ledger.c.seq == seq)
                if connection.execute(kept).scalar() == written:  # else it was rolled back
                    self._anchors.write(Anchor(seq=seq, hash=written, at=self._now()))
        except UnavailableError:
            return  # `anchor` tries again at the end and says so; no entry may fail for it


def entries(database: Database, subject: str | None = None) -> Iterator[Entry]:
    """Every entry in order, or those about one report, run or review. Raises InvalidInputError for a row that is none."""
    query = _ROWS if subject is None else _ROWS.where(ledger.c.subject == subject)
    yield from _read(database, query)


def entries_about(database: Database, report_id: str) -> Iterator[Entry]:
    """Every entry about a report, its runs and its reviews, in order."""
    yield from _read(database, _ROWS.where(_is_about(report_id)))


def newest(database: Database, count: int) -> list[Entry]:
    """The last `count` entries, in order."""
    with database.read() as connection:
        head = connection.execute(_HEAD).first()
    return list(_read(database, _ROWS.where(ledger.c.seq > head.seq - count))) if head else []


def newest_before(
    database: Database, count: int, *, before: int | None = None, about: str | None = None
) -> list[Entry]:
    """The last `count` entries with a number below `before`, in order; with `about`, of one report, its runs and reviews."""
    chosen = []
    if before is not None:
        chosen.append(ledger.c.seq < before)
    if about is not None:
        chosen.append(_is_about(about))
    numbers = select(ledger.c.seq).where(*chosen).order_by(ledger.c.seq.desc()).limit(count)
    with database.read() as connection:
        found = list(connection.execute(numbers).scalars())
    return list(_read(database, _ROWS.where(ledger.c.seq.in_(found)))) if found else []


def verify(
    database: Database, *, since: int = 0, trusted: str = GENESIS, anchors: Anchors | None = None
) -> Verification:
    """Follow the chain from entry `since` (whose hash is known to be `trusted`) to its end, and compare with the anchors.

    Memory is bounded whatever the length. Every kind of damage is one Finding: edited, deleted, inserted, reordered, a clock
    that went back; and by the anchors truncated, rewritten and swapped.
    """

    def locate(stored_hash: str) -> int | None:
        with database.read() as connection:
            return connection.execute(select(ledger.c.seq).where(ledger.c.hash == stored_hash).limit(1)).scalar()

    auditor = Auditor(locate, since=since, trusted=trusted)
    with database.read() as connection:
        query = _ROWS.where(ledger.c.seq > since)
        for row in connection.execution_options(yield_per=_PAGE).execute(query):
            try:
                entry = _entry(row)
            except (ValueError, TypeError, RecursionError) as error:
                auditor.unreadable(row.seq, str(row.hash), f"it cannot be read ({str(error).splitlines()[0][:80]})")
            else:
                auditor.follow(entry)
    result = auditor.finish()
    if since and not result.entries and not _is_head(database, since, trusted):
        says = f"Entry {since} is not the last one with the given hash, and nothing follows it."
        result.findings.append(Finding(kind="truncated", seq=since, says=says))
    if anchors is not None:
        check_anchors(database, anchors, result, auditor.begun)
    return result


def redact(
    database: Database,
    *,
    actor: str,
    reason: str,
    subject: str | None = None,
    seqs: Sequence[int] = (),
    by: Ledger | None = None,
) -> Redaction:
    """Erase the payloads of the entries about a report (`subject`) or of the numbered ones, and append who did it and why.

    The hashes stay, so the chain holds; number, moment, actor, event and subject stay readable. Entries written before payloads
    could be erased are left and named. Raises NotFoundError when there is nothing to erase, InvalidInputError without a reason.
    """
    with erasing(database) as connection:
        done = redact_in(connection, by or Ledger(), actor=actor, reason=reason, subject=subject, seqs=seqs)
        if not done.erased:
            raise NotFoundError(
                f"There is no payload to erase about {subject}." if subject else "There is no payload to erase there.",
                hint=_OLD if done.unerasable else "`qa-agents ledger show` lists what there is.",
            )
    return done


def redact_in(
    connection: Connection,
    by: Ledger,
    *,
    actor: str,
    reason: str,
    subject: str | None = None,
    seqs: Sequence[int] = (),
    **told: Any,
) -> Redaction:
    """As redact, inside the caller's write transaction; where nothing is left to erase, nothing is appended unless `told`.

    `told` goes into the appended entry beside the numbers and the reason: it stays, so it must name nobody.
    """
    if not reason.strip():
        raise InvalidInputError("Erasing needs a reason.", hint="Say why with --reason; it is kept for auditors.")
    chosen = ledger.c.seq.in_(seqs) if subject is None else _is_about(subject)
    serialise(connection, "ledger")
    rows = connection.execute(
        select(ledger.c.seq, ledger.c.salt, ledger.c.payload_sha256)
        .where(chosen, ledger.c.event.not_in(_KEPT))
        .order_by(ledger.c.seq)
    ).all()
    erased = [row.seq for row in rows if row.salt is not None]
    unerasable = [row.seq for row in rows if row.payload_sha256 is None]
    if erased or told:
        by.append(connection, "redacted", subject or "ledger", actor=actor, seqs=erased, reason=reason, **told)
    for start in range(0, len(erased), _PAGE):
        page = erased[start : start + _PAGE]
        connection.execute(update(ledger).where(ledger.c.seq.in_(page)).values(payload=None, salt=None))
    return Redaction(erased=erased, unerasable=unerasable)


_OLD = "Its entries are from before payloads could be erased: their hash covers the payload itself."
_APPEND = Prepared(insert(ledger))
_HEAD = select(ledger.c.seq, ledger.c.hash).order_by(ledger.c.seq.desc()).limit(1)
_END = Prepared(_HEAD)
_ROWS: Select[Any] = select(
    *(column for column in ledger.c if column.name != "payload"), cast(ledger.c.payload, Text).label("payload")
).order_by(ledger.c.seq)
"""Payloads are read as text and parsed here, so that a damaged one is a finding and not an end."""


def _is_about(report_id: str) -> Any:
    its_runs = select(runs.c.run_id).where(runs.c.subject_id == report_id)
    its_reviews = select(reviews.c.review_id).where(reviews.c.subject_id == report_id)
    return or_(ledger.c.subject == report_id, ledger.c.subject.in_(its_runs), ledger.c.subject.in_(its_reviews))


def _read(database: Database, query: Select[Any]) -> Iterator[Entry]:
    with database.read() as connection:
        for row in connection.execution_options(yield_per=_PAGE).execute(query):
            try:
                yield _entry(row)
            except (ValueError, TypeError, RecursionError):
                raise InvalidInputError(
                    f"Entry {row.seq} of the ledger cannot be read.",
                    hint="`qa-agents ledger verify` says what is wrong.",
                ) from None


def _entry(row: Row[Any]) -> Entry:
    """The stored row as an entry. Raises ValueError when its columns do not fit together."""
    payload = json.loads(row.payload, object_pairs_hook=_without_twins)
    if (payload is None) != (row.salt is None and row.payload_sha256 is not None):
        raise ValueError("payload and salt do not fit together")
    return Entry.model_validate({**row._mapping, "payload": {} if payload is None else payload})


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in its payload")
    return found


def _is_head(database: Database, seq: int, stored_hash: str) -> bool:
    with database.read() as connection:
        head = connection.execute(_HEAD).first()
    return head is not None and (head.seq, head.hash) == (seq, stored_hash)


def _storable(value: Any) -> Any:
    """`value` without what UTF-8 cannot carry (lone surrogates become U+FFFD): no record is lost for a strange character."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_storable(name): _storable(part) for name, part in value.items()}
    return [_storable(part) for part in value] if isinstance(value, list | tuple) else value
