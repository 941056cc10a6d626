"""What holds in this room holds on both engines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qa_agents.storage.engine import Database, open_database
from qa_agents.storage.tables import metadata
from tests.postgres import ENGINES, fresh_schema


@pytest.fixture(scope="session")
def postgres() -> Iterator[Database]:
    """One migrated schema for the session: making one takes longer than most tests."""
    with fresh_schema() as url:
        database = open_database(url)
        yield database
        database.close()


@pytest.fixture(params=ENGINES)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated database with nothing in it."""
    if request.param == "sqlite":
        database = open_database(tmp_path / "workspace" / "qa-agents.db")
        yield database
        database.close()
        return
    database = request.getfixturevalue("postgres")
    with database.write() as connection:
        for table in metadata.tables.values():
            connection.execute(table.delete())
    yield database
