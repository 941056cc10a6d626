"""Canaries: known-bad cases, shown among the real ones, that measure whether reviewers still look."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Connection, insert, select, update

from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import Ledger
from qa_agents.checkpoint.oversight import drawn, fraction, secret_seed
from qa_agents.checkpoint.policy import Reviewer
from qa_agents.checkpoint.schema import PENDING, Decision, Review
from qa_agents.storage.artifacts import put_artifact
from qa_agents.storage.canonical import digest_of
from qa_agents.storage.engine import Database, insert_new, serialise
from qa_agents.storage.tables import reports, reviews, runs, workspace_facts

RUN_KIND = "canary"
"""Kind of the run that stands behind a canary: no graph drives it, nothing of it leaves the workspace."""
SHOWN_KIND = "triage"
"""What a canary's review claims to be."""
_FACT = "canary:"

Catch = Literal["edit", "reject", "ask_reporter"]


class Link(BaseModel):
    """A wrong relation to an incident."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    incident_id: str = Field(min_length=1, max_length=200)
    kind: Literal["duplicate-of-open", "regression-of-fixed", "already-fixed"]


class Case(BaseModel):
    """One known-bad case: a report, what is proposed wrongly for it, and the answers that would stop it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    report: dict[str, Any]
    """As it would be received; its id should look like those of the team's reports."""
    wrong: dict[str, str | Link] = Field(min_length=1)
    """Field to the wrong value, `relation` to the wrong link."""
    because: dict[str, str] = Field(default_factory=dict)
    """Field to the reason that is given for the wrong value; the nearest incidents when absent."""
    expect: list[Catch] = Field(min_length=1)
    """The answers that show that it was noticed."""
    why: str = Field(min_length=1, max_length=2_000)
    """What is wrong, told to the reviewer after the answer."""

    @model_validator(mode="after")
    def _makes_sense(self) -> "Case":
        links = [name for name, value in self.wrong.items() if isinstance(value, Link)]
        if links not in ([], ["relation"]) or isinstance(self.wrong.get("relation"), str):
            raise ValueError("a link goes under `relation`, and a field has a text")
        if links and "edit" in self.expect:
            raise ValueError("an edit leaves a wrong relation in place: expect reject or ask_reporter")
        if not str(self.report.get("id", "")).strip():
            raise ValueError("the report needs an id that looks like the team's own")
        return self

    @property
    def case_id(self) -> str:
        """Identifies the case by what it says; 12 hex digits."""
        return digest_of(self.model_dump(mode="json"))[:12]

    @property
    def report_id(self) -> str:
        """The id under which it is shown."""
        return str(self.report["id"]).strip()

    @property
    def run_id(self) -> str:
        """The run behind it, named as those of real reports are."""
        return f"{SHOWN_KIND}-{digest_of([RUN_KIND, self.case_id])[:12]}"


class Outcome(BaseModel):
    """What a reviewer is told after answering a canary."""

    review_id: str
    report_id: str
    verdict: str
    caught: bool
    wrong: dict[str, Any]
    why: str

    def __str__(self) -> str:
        """For example `This was a canary, and you caught it. Wrong was component = Billing: …`."""
        told = ", ".join(
            f"{value['kind']} {value['incident_id']}" if isinstance(value, dict) else f"{field} = {value}"
            for field, value in self.wrong.items()
        )
        noticed = "and you caught it" if self.caught else "and it got past you"
        return f"This was a canary, {noticed}. Wrong was {told}: {self.why} Nothing was written anywhere."


class Overview(BaseModel):
    """How the canaries stand. Which of the waiting reviews is one is not told."""

    registered: int = 0
    unused: int = 0
    waiting: int = 0
    decided: list[Outcome] = Field(default_factory=list)


def caught(seeded: Mapping[str, Any], verdict: str, edits: Mapping[str, str]) -> bool:
    """Whether this answer would have kept everything wrong from being written; `seeded` is what the review was seeded with."""
    if verdict not in seeded.get("expect", ()):
        return False
    if verdict != "edit":
        return True
    return all(edits.get(field, value) != value for field, value in seeded.get("wrong", {}).items())


class Canaries:
    """The registered cases, the draw that opens them, and the answers to them. Nothing here reaches a tracker or the memory."""

    def __init__(self, database: Database, inbox: Inbox, ledger: Ledger, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._inbox = inbox
        self._ledger = ledger
        self._now = now

    def add(self, cases: Iterable[Case]) -> int:
        """Register cases; how many were new. The same case again changes nothing."""
        with self._database.write() as connection:
            return sum(
                insert_new(
                    connection, workspace_facts, "name", name=_FACT + case.case_id, value=case.model_dump(mode="json")
                )
                for case in cases
            )

    def due(self, review_id: str, rate: float) -> Case | None:
        """The case to open beside this real review, or None: not drawn, already opened, or no unused case is left.

        The draw depends on the workspace's secret and the review alone: the same each time, whatever the order.
        """
        if rate <= 0 or not drawn(seed := secret_seed(self._database), "canary", review_id, rate):
            return None
        with self._database.read() as connection:
            opened = connection.execute(select(runs.c.run_id, runs.c.options).where(runs.c.kind == RUN_KIND)).all()
            if any(run.options.get("beside") == review_id for run in opened):
                return None
            used = {run.run_id for run in opened}
            free = [
                case
                for case in _cases(connection)
                if case.run_id not in used and not _taken(connection, case.report_id)
            ]
        return min(free, key=lambda case: fraction(seed, "case", case.case_id), default=None)

    def open(self, case: Case, *, beside: str, report: bytes, document: bytes, shown: dict[str, Any]) -> Review | None:
        """Open the review of a canary, shaped like any other; None when its report's id was taken meanwhile.

        `report` and `document` are the stored report and verdict (JSON) that the review shows; `beside` is the real review that
        drew it. A second call returns the same review.
        """
        with self._database.write() as connection:
            serialise(connection, "canaries")
            known = connection.execute(select(reviews.c.review_id).where(reviews.c.run_id == case.run_id)).scalar()
            if known is None:
                if _taken(connection, case.report_id):
                    return None
                known = self._open(connection, case, beside, report, document, shown)
        return self._inbox.find(known)

    def _open(
        self, connection: Connection, case: Case, beside: str, report: bytes, document: bytes, shown: dict[str, Any]
    ) -> str:
        connection.execute(
            insert(runs).values(
                run_id=case.run_id,
                kind=RUN_KIND,
                source=RUN_KIND,
                subject_id=case.report_id,
                input_sha256=put_artifact(connection, report),
                outcome_sha256=put_artifact(connection, document),
                state="waiting",
                options={"case": case.case_id, "beside": beside},
                started_at=self._now(),
            )
        )
        review = self._inbox.open(
            connection,
            run_id=case.run_id,
            interrupt_id=digest_of(["interrupt", case.run_id])[:32],
            kind=SHOWN_KIND,
            subject_id=case.report_id,
            shown=shown,
        )
        seeded = {"case": case.case_id, **case.model_dump(mode="json", include={"wrong", "expect", "why"})}
        connection.execute(update(reviews).where(reviews.c.review_id == review.review_id).values(seeded=seeded))
        return review.review_id

    def holds(self, review_id: str) -> bool:
        """Whether this review is a canary: for whoever routes its decision, never for what is shown."""
        return self._seeded(review_id) is not None

    def report_state(self, run_id: str) -> str | None:
        """The state in which a real report would be that stood where this canary stands; None for a run that is no canary."""
        with self._database.read() as connection:
            run = connection.execute(select(runs).where(runs.c.run_id == run_id, runs.c.kind == RUN_KIND)).first()
            if run is None:
                return None
            states = connection.execute(select(reviews.c.state).where(reviews.c.run_id == run_id)).scalars().all()
        return "waiting" if any(state in PENDING for state in states) else "decided"

    def decide(self, decision: Decision, reviewer: Reviewer | None = None) -> Outcome | None:
        """Take an answer through the inbox, as for any review, and tell what it was; None while it still waits.

        Raises what `Inbox.decide` raises.
        """
        return self.settle(self._inbox.decide(decision, reviewer))

    def settle(self, review: Review) -> Outcome | None:
        """Close a decided canary and say what was wrong; None while it waits. Safe to repeat after a crash: it is closed once."""
        seeded, said = self._seeded(review.review_id), review.decision
        if seeded is None or review.state != "decided" or said is None:
            return None
        outcome = _outcome(review.review_id, review.subject_id, seeded, said.verdict, said.edits)
        open_still = runs.c.run_id == review.run_id, runs.c.state != "done"
        with self._database.write() as connection:
            closed = connection.execute(update(runs).where(*open_still).values(state="done", finished_at=self._now()))
            if closed.rowcount:
                self._ledger.append(
                    connection,
                    "canary_decided",
                    review.subject_id,
                    actor=said.reviewer,
                    review_id=review.review_id,
                    run_id=review.run_id,
                    case=seeded["case"],
                    caught=outcome.caught,
                )
        return outcome

    def overview(self) -> Overview:
        """Counts of all canaries, and the decided ones with what came of them."""
        with self._database.read() as connection:
            cases = list(_cases(connection))
            query = select(reviews).join(runs, runs.c.run_id == reviews.c.run_id).where(runs.c.kind == RUN_KIND)
            rows = connection.execute(query.order_by(reviews.c.decided_at)).all()
        opened = {row.run_id for row in rows}
        return Overview(
            registered=len(cases),
            unused=sum(case.run_id not in opened for case in cases),
            waiting=sum(row.state in PENDING for row in rows),
            decided=[
                _outcome(
                    row.review_id, row.subject_id, row.seeded, row.decision["verdict"], row.decision.get("edits") or {}
                )
                for row in rows
                if row.state == "decided" and row.decision
            ],
        )

    def _seeded(self, review_id: str) -> dict[str, Any] | None:
        with self._database.read() as connection:
            found: dict[str, Any] | None = connection.execute(
                select(reviews.c.seeded).where(reviews.c.review_id == review_id)
            ).scalar()
        return found


def _outcome(review_id: str, report_id: str, seeded: dict[str, Any], verdict: str, edits: Mapping[str, str]) -> Outcome:
    return Outcome(
        review_id=review_id,
        report_id=report_id,
        verdict=verdict,
        caught=caught(seeded, verdict, edits),
        wrong=seeded["wrong"],
        why=seeded["why"],
    )


def _cases(connection: Connection) -> Iterable[Case]:
    stored = select(workspace_facts.c.value).where(workspace_facts.c.name.startswith(_FACT, autoescape=True))
    return [Case.model_validate(value) for value in connection.execute(stored).scalars()]


def _taken(connection: Connection, report_id: str) -> bool:
    """Whether a real report has this id: a canary must never stand in its way."""
    known = connection.execute(select(reports.c.report_id).where(reports.c.report_id == report_id)).first()
    return (
        known is not None
        or connection.execute(select(reviews.c.review_id).where(reviews.c.subject_id == report_id)).first() is not None
    )
