"""Corrections as eval cases: the newest word on each review, never a canary, never an erased report."""

import pytest
from sqlalchemy import insert, update

from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import Ledger
from qa_agents.checkpoint.schema import Decision
from qa_agents.incidents.schema import Report
from qa_agents.storage.artifacts import put_artifact
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import reviews, runs
from qa_agents.triage.gate.correction_cases import MAX_TEXT_CHARS, EvalCase, correction_cases

WRITTEN = {"component": "Kiosk", "type": "Bug"}


def answered(db: Database, name: str, verdict: str, *, description: str = "", **given: object) -> None:
    """One report through one decided review."""
    report = Report(id=name, summary="Kiosk shows the wrong studio", description=description, reporter="kim")
    with db.write() as connection:
        sha = put_artifact(connection, report.model_dump_json().encode())
        connection.execute(
            insert(runs).values(
                run_id=f"run-{name}", kind="triage", source="test", subject_id=name, input_sha256=sha,
                state="done", options={}, started_at=1.0,
            )
        )  # fmt: skip
        actions = [{"kind": "set_field", "params": {"field": field, "value": v}} for field, v in WRITTEN.items()]
        shown = {"actions": actions, "editable": list(WRITTEN)}
        review = Inbox(db, Ledger()).open(
            connection, run_id=f"run-{name}", interrupt_id="i", kind="triage", subject_id=name, shown=shown
        )
    answer = {"review_id": review.review_id, "verdict": verdict, "reviewer": "ada", "digest": review.digest, **given}
    Inbox(db, Ledger()).decide(Decision.model_validate(answer))


def cases(db: Database) -> dict[str, EvalCase]:
    return {case.group: case for case in correction_cases(db)}


def test_an_edit_says_what_is_right_and_a_rejection_what_is_not(db: Database) -> None:
    answered(db, "WKB-1", "approve")
    answered(db, "WKB-2", "edit", edits={"component": "Booking"}, reason_code="wrong-cause")
    answered(db, "WKB-3", "reject", reason_code="out-of-scope")
    found = cases(db)
    assert set(found) == {"WKB-2", "WKB-3"}
    assert found["WKB-2"].expected == {"component": "Booking", "not": {"component": "Kiosk"}}
    assert found["WKB-3"].expected == {"not": WRITTEN}
    assert found["WKB-3"].tags == ["triage", "correction", "reject", "out-of-scope"]
    assert "reporter" not in found["WKB-2"].input
    assert [case.id for case in correction_cases(db)] == [case.id for case in correction_cases(db)]


def test_texts_are_bounded(db: Database) -> None:
    answered(db, "WKB-1", "reject", reason_code="other", description="long " * MAX_TEXT_CHARS)
    assert len(cases(db)["WKB-1"].input["description"]) == MAX_TEXT_CHARS


@pytest.mark.parametrize("gone", ["canary", "erased"])
def test_a_canary_and_an_erased_report_give_no_case(db: Database, gone: str) -> None:
    answered(db, "WKB-1", "reject", reason_code="other")
    with db.write() as connection:
        if gone == "canary":
            connection.execute(update(reviews).values(seeded={"case": "c"}))
        else:
            connection.execute(update(runs).values(input_sha256="0" * 64))
    assert cases(db) == {}
