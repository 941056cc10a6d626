"""Statements that are given to the driver as they are."""

from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select

from qa_agents.checkpoint.ledger import Ledger
from qa_agents.storage.engine import Database, ask, later, soon
from qa_agents.storage.prepared import Prepared
from qa_agents.storage.tables import actions, artifacts, counters, reviews

BOTH_ENGINES = True
NEW_REVIEW = Prepared(insert(reviews))
NEW_COUNTER = Prepared(insert(counters))
COUNTER = Prepared(select(counters.c.value).where(counters.c.name == bindparam("the_name")))
REVIEW: dict[str, Any] = {
    "review_id": "rv-1",
    "run_id": "triage-1",
    "interrupt_id": "i-1",
    "kind": "triage",
    "subject_id": "WB-1",
    "state": "pending",
    "digest": "0" * 64,
    "shown": {
        "summary": "Zoë’s 100 % “crash” :name %s ?",
        "gate": "ask",
        "rules": ["money"],
        "n": [1, 2.5, None, True],
    },
    "opened_at": 1_700_000_000.25,
    "requires": {"sla_hours": 4},
    "decision": None,
}


def test_a_row_comes_back_as_sqlalchemy_reads_it(db: Database) -> None:
    with db.write() as connection:
        later(connection, NEW_REVIEW, **REVIEW)
        [prepared] = ask(connection, Prepared(select(reviews)))
        assert prepared == dict(connection.execute(select(reviews)).mappings().one())
    assert {name: prepared[name] for name in REVIEW} == REVIEW


def test_what_the_columns_derive_from_other_values_is_derived(db: Database) -> None:
    with db.write() as connection:
        later(connection, NEW_REVIEW, **REVIEW)
        [row] = ask(connection, Prepared(select(reviews.c.gate, reviews.c.rules, reviews.c.deadline)))
    assert row == {"gate": "ask", "rules": '["money"]', "deadline": REVIEW["opened_at"] + 4 * 3600}


def test_bytes_and_absent_values_come_back(db: Database) -> None:
    body = bytes(range(256))
    action: dict[str, Any] = {"key": "k", "run_id": "r", "target": "T-1", "position": 0, "body": {}, "state": "planned"}
    with db.write() as connection:
        later(
            connection, Prepared(insert(artifacts)), sha256="s", media_type="x/y", size=256, body=body, created_at=1.0
        )
        later(connection, Prepared(insert(actions)), **action, planned_at=1, error=None)
        [document], [row] = ask(connection, Prepared(select(artifacts))), ask(connection, Prepared(select(actions)))
    assert (bytes(document["body"]), row["error"], row["attempts"]) == (body, None, 0)


def test_a_missing_parameter_is_an_error_and_never_null(db: Database) -> None:
    with pytest.raises(KeyError, match="the_name"), db.write() as connection:
        ask(connection, COUNTER)


def test_several_questions_are_each_answered_with_what_stood_when_they_were_asked(db: Database) -> None:
    with db.write() as connection:
        before = soon(connection, COUNTER, the_name="one")
        later(connection, NEW_COUNTER, name="one", value=1)
        after = soon(connection, COUNTER, the_name="one")
        assert (before.records(), after.records()) == ([], [{"value": 1}])


def test_a_question_whose_answer_nobody_looked_at_keeps_no_lock(db: Database) -> None:
    with db.write() as connection:
        for number in range(3):
            later(connection, NEW_COUNTER, name=f"n-{number}", value=1)
        soon(connection, Prepared(select(counters)))
    with db.write() as connection:
        later(connection, NEW_COUNTER, name="another", value=1)
        with db.read() as reader:
            assert ask(reader, COUNTER, the_name="n-0") == [{"value": 1}]


def test_a_question_asked_in_a_reading_transaction_sees_its_picture(db: Database) -> None:
    with db.read() as reader:
        assert ask(reader, COUNTER, the_name="one") == []
        with db.write() as connection:
            later(connection, NEW_COUNTER, name="one", value=1)
        assert ask(reader, COUNTER, the_name="one") == []


def test_the_end_of_the_chain_that_was_expected_and_not_used_is_never_another_transaction_s(db: Database) -> None:
    ledger = Ledger()
    with db.write() as connection:
        ledger.expect(connection)
    with db.write() as connection:
        first = ledger.append(connection, "received", "one")
    with db.write() as connection:
        ledger.expect(connection)
        second = ledger.append(connection, "received", "two")
        third = ledger.append(connection, "received", "three")
    assert (second.previous_hash, third.previous_hash) == (first.hash, second.hash)
