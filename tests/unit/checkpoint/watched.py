"""A bench for whatever watches over the reviewers: an inbox, canaries, second looks, audits, and a clock that the test moves."""

import json
from typing import Any

from sqlalchemy import insert

from qa_agents.checkpoint.audits import Audits
from qa_agents.checkpoint.canaries import Canaries, Case
from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import Ledger
from qa_agents.checkpoint.oversight import SecondLooks
from qa_agents.checkpoint.schema import Decision, Review
from qa_agents.storage.artifacts import put_artifact
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import runs

CASE = Case.model_validate(
    {
        "report": {"id": "PAY-77", "summary": "Refund is booked twice"},
        "wrong": {"component": "Calendar"},
        "expect": ["edit", "reject"],
        "why": "Refunds are not the calendar's.",
    }
)


def shown_for(component: str = "Payments", **more: Any) -> dict[str, Any]:
    action = {"kind": "set_field", "target": "PAY-1", "params": {"field": "component", "value": component}}
    return {"summary": "It crashes", "gate": "ask", "actions": [action], "editable": ["component", "severity"], **more}


class Bench:
    """An inbox, what watches over it, and a clock that the test moves."""

    def __init__(self, db: Database) -> None:
        self.db, self.clock = db, 1_000.0
        self.ledger = Ledger(now=self.now)
        self.inbox = Inbox(db, self.ledger, now=self.now)
        self.canaries = Canaries(db, self.inbox, self.ledger, now=self.now)
        self.seconds = SecondLooks(db, self.ledger, 1.0, now=self.now)
        self.audits = Audits(db, self.ledger, now=self.now)
        self.opened = 0

    def now(self) -> float:
        return self.clock

    def open(self, **shown: Any) -> Review:
        self.opened += 1
        with self.db.write() as connection:
            return self.inbox.open(
                connection,
                run_id=f"triage-{self.opened:012d}",
                interrupt_id=f"{self.opened:032x}",
                kind="triage",
                subject_id=f"PAY-{self.opened}",
                shown=shown_for(**shown),
            )

    def answer(self, review: Review, verdict: str = "approve", by: str = "ada", **more: Any) -> Decision:
        if verdict in ("edit", "reject"):
            more.setdefault("reason_code", "wrong-cause")
        if verdict == "edit":
            more.setdefault("edits", {"component": "Billing"})
        return Decision.model_validate(
            {"review_id": review.review_id, "verdict": verdict, "reviewer": by, "digest": review.digest, **more}
        )

    def decided(self, verdict: str = "approve", by: str = "ada", **more: Any) -> Review:
        review = self.open()
        return self.inbox.decide(self.answer(review, verdict, by, **more))

    def canary(self, case: Case = CASE) -> Review:
        self.canaries.add([case])
        review = self.canaries.open(
            case, beside="rv-1", report=b"{}", document=b"{}", shown=shown_for(str(case.wrong.get("component")))
        )
        assert review is not None
        return review

    def applied(self, number: int, probability: float | None) -> str:
        """A run that wrote without asking, as the runtime records it."""
        run_id = f"triage-auto{number:08d}"
        proposal = {"value": "Payments", "probability": probability}
        document = json.dumps({"summary": f"Report {number}", "proposals": {"component": proposal}, "number": number})
        with self.db.write() as connection:
            sha = put_artifact(connection, document.encode())
            values = {
                "run_id": run_id,
                "kind": "triage",
                "source": "cli",
                "subject_id": f"AUTO-{number}",
                "options": {},
            }
            times = {"started_at": self.clock, "finished_at": self.clock}
            connection.execute(
                insert(runs).values(**values, **times, input_sha256=sha, outcome_sha256=sha, state="done")
            )
            self.ledger.append(connection, "recorded", f"AUTO-{number}", run_id=run_id, state="decided", verdict="auto")
        return run_id
