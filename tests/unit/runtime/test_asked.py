"""The question ledger: what was put to a reporter, and nothing else."""

import time

from sqlalchemy import insert

from qa_agents.runtime.asked import asked_questions
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import actions


def put(db: Database, key: str, text: str, *, state: str = "done", public: bool = True, target: str = "WKB-1") -> None:
    body = {"kind": "add_comment", "target": target, "params": {"text": text, "public": public}}
    row = {"key": key, "run_id": "r", "target": target, "position": 0, "body": body, "state": state}
    with db.write() as connection:
        connection.execute(insert(actions), [{**row, "planned_at": time.time()}])


def test_only_public_questions_that_were_or_will_be_put_count(db: Database) -> None:
    put(db, "a", "- Which version?\n- Which steps?")
    put(db, "b", "- Which version?\nThank you.")
    put(db, "c", "- Internal note", public=False)
    put(db, "d", "- Never sent", state="failed")
    put(db, "e", "- Of another", target="WKB-2")
    assert asked_questions(db, "WKB-1") == ["Which version?", "Which steps?"]
    assert asked_questions(db, "WKB-9") == []
