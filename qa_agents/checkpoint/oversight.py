"""Watching the watchers: secret draws, every answer that was given, and blind second looks at decided reviews."""

import hmac
import secrets
import time
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Row, insert, or_, select

from qa_agents.checkpoint.ledger import Ledger
from qa_agents.checkpoint.schema import Decision
from qa_agents.errors import ConflictError, NotFoundError, UsageError
from qa_agents.storage.artifacts import get_artifact
from qa_agents.storage.engine import Database, insert_new, recall_fact, serialise
from qa_agents.storage.tables import decisions, reviews, workspace_facts

SEED = "oversight_seed"
"""Name of the workspace fact that makes every draw unpredictable to whoever is watched."""
SETTLING = ("approve", "edit", "reject", "ask_reporter")
"""Verdicts that settle a review; a deferral or a delegation is none."""

Purpose = Literal["vote", "second", "canary"]


class Answer(BaseModel):
    """One answer of one person to one review."""

    model_config = ConfigDict(frozen=True)

    review_id: str
    reviewer: str
    purpose: Purpose
    verdict: str
    edits: dict[str, str] = Field(default_factory=dict)
    reason_code: str | None = None
    note: str = ""
    at: float
    opened_at: float
    shown: dict[str, Any] = Field(default_factory=dict)
    seeded: dict[str, Any] | None = None

    def agrees_with(self, other: "Answer") -> bool:
        """Whether both would have had the same written."""
        return (self.verdict, self.edits) == (other.verdict, other.edits)


class Blind(BaseModel):
    """A decided review as it was shown, without what was decided."""

    model_config = ConfigDict(frozen=True)

    review_id: str
    run_id: str
    subject_id: str
    digest: str
    shown: dict[str, Any]
    opened_at: float


class Disagreement(BaseModel):
    """Two people who would have had something else written for the same review."""

    subject_id: str
    first: Answer
    second: Answer


def secret_seed(database: Database) -> str:
    """The workspace's secret for draws, made on first use; 64 hex digits."""
    with database.read() as connection:
        known = recall_fact(connection, SEED)
    if known is None:
        with database.write() as connection:
            insert_new(connection, workspace_facts, "name", name=SEED, value=secrets.token_hex(32))
            known = recall_fact(connection, SEED)
    return str(known)


def fraction(seed: str, purpose: str, name: str) -> float:
    """A number from 0 up to 1 that belongs to this name: uniform over names, the same each time, unknown without the seed."""
    mac = hmac.digest(seed.encode(), f"{purpose}\0{name}".encode(), "sha256")
    return (int.from_bytes(mac[:8]) >> 11) / 2**53


def drawn(seed: str, purpose: str, name: str, rate: float) -> bool:
    """Whether `name` is in the sample of this `rate` (0 to 1); a higher rate keeps what a lower one drew."""
    return fraction(seed, purpose, name) < rate


def same_person(one: str, other: str) -> bool:
    """Whether two names mean one reviewer, whatever their case and blanks."""
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()


def answers(database: Database, *, since: float = 0.0) -> list[Answer]:
    """Every settling answer from `since` (seconds since the epoch) on, oldest first.

    A review without single answers on record counts with its final decision. An answer to a canary is one whatever it was
    recorded as.
    """
    with database.read() as connection:
        return _answers(connection, since=since)


class SecondLooks:
    """A secret sample of decided reviews, offered to somebody else who does not see what was decided."""

    def __init__(self, database: Database, ledger: Ledger, rate: float, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._ledger = ledger
        self._rate = rate
        self._now = now

    def offered(self, reviewer: str) -> list[Blind]:
        """What this reviewer may look at, oldest first: sampled, decided by others only, not looked at again yet."""
        seed = secret_seed(self._database)
        with self._database.read() as connection:
            given = _answers(connection)
            query = select(reviews).where(reviews.c.state == "decided").order_by(reviews.c.opened_at)
            rows = [row for row in connection.execute(query) if _can_be_looked_at(row)]
        looked = {answer.review_id for answer in given if answer.purpose == "second"}
        own = {answer.review_id for answer in given if same_person(answer.reviewer, reviewer)}
        return [
            _blind(row)
            for row in rows
            if row.review_id not in looked | own and drawn(seed, "second", row.review_id, self._rate)
        ]

    def find(self, name: str, reviewer: str) -> Blind:
        """The offered review with this id, or of this report. Raises NotFoundError when it is not offered to this reviewer."""
        for blind in self.offered(reviewer):
            if name in (blind.review_id, blind.subject_id):
                return blind
        raise NotFoundError(
            f"{name} is not offered to {reviewer} for a second look.",
            hint="`qa-agents review second list` shows what is.",
        )

    def document(self, blind: Blind) -> bytes:
        """The verdict exactly as it was shown, as JSON. Raises NotFoundError when it is no longer stored."""
        with self._database.read() as connection:
            return get_artifact(connection, str(blind.shown.get("triage_sha256", "")))

    def decide(self, decision: Decision) -> None:
        """Keep a second answer; nothing is written outside and the review stays as decided.

        Raises NotFoundError when it is not offered to this reviewer, ConflictError when somebody was faster or something else
        was shown, UsageError for an answer that settles nothing.
        """
        if decision.verdict not in SETTLING:
            raise UsageError("A second look is decided at once.", hint=f"Answer with one of {', '.join(SETTLING)}.")
        blind = self.find(decision.review_id, decision.reviewer)
        if decision.digest != blind.digest:
            raise ConflictError("The second answer is about something else than what was shown.", hint="Look again.")
        unknown = sorted(set(decision.edits) - set(blind.shown.get("editable", ())))
        if unknown:
            raise UsageError(f"{', '.join(unknown)} cannot be edited here.")
        with self._database.write() as connection:
            serialise(connection, "second_looks")
            if any(a.purpose == "second" for a in _answers(connection, review_id=blind.review_id)):
                raise ConflictError(f"Somebody else just gave the second answer on {blind.review_id}.")
            body = decision.model_dump(mode="json")
            connection.execute(
                insert(decisions).values(
                    review_id=blind.review_id,
                    reviewer=decision.reviewer,
                    purpose="second",
                    body=body,
                    at=self._now(),
                )
            )
            body.pop("reviewer")
            self._ledger.append(connection, "second_look", blind.subject_id, actor=decision.reviewer, **body)

    def disagreements(self) -> list[Disagreement]:
        """Where the second answer would have written something else than the first, newest first; for a lead."""
        with self._database.read() as connection:
            given = _answers(connection)
            rows = connection.execute(select(reviews.c.review_id, reviews.c.subject_id)).all()
        subjects = {row.review_id: row.subject_id for row in rows}
        return [
            Disagreement(subject_id=subjects[first.review_id], first=first, second=second)
            for first, second in reversed(pairs(given))
            if not first.agrees_with(second)
        ]


def pairs(given: list[Answer]) -> list[tuple[Answer, Answer]]:
    """Each first answer with the blind second one on the same review, in the order of the second ones."""
    votes: dict[str, list[Answer]] = {}
    for answer in given:
        if answer.purpose == "vote":
            votes.setdefault(answer.review_id, []).append(answer)
    return [
        (vote, second) for second in given if second.purpose == "second" for vote in votes.get(second.review_id, ())
    ]


def _answers(connection: Connection, *, since: float = 0.0, review_id: str | None = None) -> list[Answer]:
    # What waits unanswered is most of the table, and large.
    about = select(reviews).where(
        or_(reviews.c.state == "decided", reviews.c.review_id.in_(select(decisions.c.review_id)))
    )
    single = select(decisions).where(decisions.c.purpose.in_(("vote", "second", "canary"))).order_by(decisions.c.pk)
    if review_id is not None:
        about, single = about.where(reviews.c.review_id == review_id), single.where(decisions.c.review_id == review_id)
    shown = {row.review_id: row for row in connection.execute(about)}
    found = [
        _answer(shown[row.review_id], row.reviewer, row.purpose, row.body, row.at)
        for row in connection.execute(single)
        if row.review_id in shown
    ]
    counted = {answer.review_id for answer in found if answer.purpose != "second"}
    found += [
        _answer(row, str(row.decision.get("reviewer", "")), "vote", row.decision, row.decided_at or row.opened_at)
        for row in shown.values()
        if row.state == "decided" and row.decision and row.review_id not in counted
    ]
    settling = [answer for answer in found if answer.verdict in SETTLING and answer.at >= since]
    return sorted(settling, key=lambda answer: answer.at)


def _answer(review: Row[Any], reviewer: str, purpose: Purpose, body: dict[str, Any], at: float) -> Answer:
    """Who approves an edit that somebody else made of the review stands behind that edit, and is counted as if it were theirs."""
    meant = body
    approved = body.get("digest") if body.get("verdict") == "approve" else None
    if approved not in (None, review.digest) and review.decision:
        meant = {**review.decision, "note": body.get("note")}
    return Answer(
        review_id=review.review_id,
        reviewer=reviewer,
        purpose="canary" if review.seeded is not None else purpose,
        verdict=str(meant.get("verdict", "")),
        edits=meant.get("edits") or {},
        reason_code=meant.get("reason_code"),
        note=meant.get("note") or "",
        at=at,
        opened_at=review.opened_at,
        shown=review.shown or {},
        seeded=review.seeded,
    )


def _can_be_looked_at(row: Row[Any]) -> bool:
    return row.seeded is None and row.form == "approval" and not row.shown.get("erased")


def _blind(row: Row[Any]) -> Blind:
    return Blind.model_validate({name: row._mapping[name] for name in Blind.model_fields})
