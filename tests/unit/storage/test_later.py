"""Statements that are put off until something is read, or until the commit."""

import pytest
from sqlalchemy import func, insert, select

from qa_agents.storage.engine import Database, later
from qa_agents.storage.prepared import Prepared
from qa_agents.storage.tables import counters

BOTH_ENGINES = True
NEW = Prepared(insert(counters))
COUNT = select(func.count()).select_from(counters)


def count(db: Database) -> int:
    with db.single() as connection:
        return int(connection.execute(COUNT).scalar_one())


def test_what_was_put_off_is_seen_by_what_reads_and_kept_by_the_commit(db: Database) -> None:
    before = count(db)
    with db.write() as connection:
        later(connection, NEW, name="one", value=1)
        later(connection, NEW, name="two", value=2)
        assert connection.execute(COUNT).scalar() == before + 2
        later(connection, NEW, name="three", value=3)
    assert count(db) == before + 3


def test_what_was_put_off_in_a_transaction_that_failed_is_never_made(db: Database) -> None:
    before = count(db)

    def failing() -> None:
        with db.write() as connection:
            later(connection, NEW, name="one", value=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    with db.read() as connection:
        assert connection.execute(COUNT).scalar() == before
    with db.write() as connection:
        later(connection, NEW, name="two", value=2)
    assert count(db) == before + 1


def test_one_wrong_statement_takes_its_whole_transaction_with_it(db: Database) -> None:
    before = count(db)

    def twice() -> None:
        with db.write() as connection:
            for _ in range(2):
                later(connection, NEW, name="one", value=1)

    with pytest.raises(Exception, match=r"(?i)unique"):
        twice()
    assert count(db) == before


def test_a_transaction_that_reads_sees_one_picture_and_keeps_nothing(db: Database) -> None:
    with db.read() as reader:
        before = reader.execute(COUNT).scalar()
        with db.write() as connection:
            later(connection, NEW, name="one", value=1)
        assert reader.execute(COUNT).scalar() == before
        assert count(db) == (before or 0) + 1
