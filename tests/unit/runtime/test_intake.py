"""Storing deliveries: what it costs must not grow with what is kept."""

import hashlib
import re
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from qa_agents.runtime.intake import Delivery, Intake
from qa_agents.runtime.table_queue import TableQueue
from qa_agents.storage.engine import Database, open_database


def delivery(number: int, source: str = "main") -> Delivery:
    body = b"%d" % number
    return Delivery(source, "webhook", f"d{number}", body, hashlib.sha256(body).hexdigest(), 0.0)


def test_sqlite_finds_repetitions_by_index_and_does_not_walk_what_is_kept(tmp_path: Path) -> None:
    database = open_database(tmp_path / "qa-agents.db")
    intake = Intake(database, TableQueue(database))
    intake.append([delivery(number) for number in range(200)])
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        if statement.startswith("SELECT") and "intake" in statement:
            asked.append((statement, given))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert intake.append([delivery(7), delivery(500)]) == ["duplicate", "new"]
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    with database.read() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given).all() for text, given in asked]
    database.close()
    looked = [row[3] for plan in plans for row in plan if "intake" in row[3]]
    assert looked
    for line in looked:
        assert re.search(r"SEARCH intake USING (COVERING )?INDEX \S+ \(source=\? AND", line), line


def test_the_same_body_or_id_is_known_per_source(db: Database) -> None:
    intake = Intake(db, TableQueue(db))
    intake.append([delivery(1)])
    other_body = Delivery("main", "webhook", "d1", b"x", hashlib.sha256(b"x").hexdigest(), 0.0)
    assert intake.append([delivery(1), other_body, delivery(1, "second")]) == ["duplicate", "conflict", "new"]
