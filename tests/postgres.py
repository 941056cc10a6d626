"""A PostgreSQL server for tests: each test gets a schema, or a database, of its own and leaves nothing behind."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest

SERVER = os.environ.get("QA_AGENTS_TEST_POSTGRES", "postgresql://127.0.0.1:5432/test")
ENGINES = ("sqlite", "postgresql")


@lru_cache(maxsize=1)
def why_absent() -> str | None:
    """Why tests on PostgreSQL cannot run here, or None."""
    try:
        import psycopg
    except ModuleNotFoundError:
        return "psycopg is not installed"
    try:
        psycopg.connect(SERVER, connect_timeout=20).close()
    except psycopg.Error as error:
        return str(error).splitlines()[0]
    return None


def require_postgres() -> None:
    """Skip the test, saying so, where there is no server."""
    reason = why_absent()
    if reason:
        pytest.skip(f"NOT RUN ON POSTGRESQL ({reason}); name a server in QA_AGENTS_TEST_POSTGRES")


def execute(statement: str) -> None:
    """Run one statement on the server, in a transaction of none."""
    import psycopg

    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


@contextlib.contextmanager
def fresh_schema() -> Iterator[str]:
    """The URL of an empty schema, dropped afterwards."""
    require_postgres()
    name = f"qa_{uuid.uuid4().hex[:12]}"
    execute(f"CREATE SCHEMA {name}")
    try:
        joint = "&" if "?" in SERVER else "?"
        yield f"{SERVER}{joint}options=-csearch_path%3D{name}"
    finally:
        execute(f"DROP SCHEMA {name} CASCADE")


def copy_database(template: str | None) -> str:
    """The name of a new database, a copy of `template` (which nobody may be using)."""
    name = f"qa_{uuid.uuid4().hex[:12]}"
    execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
    return name


def drop_database(name: str) -> None:
    """Drop a database, ending whoever still uses it."""
    execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def url_of(database: str) -> str:
    """The URL of a database on the server."""
    from sqlalchemy.engine import make_url

    parsed: Any = make_url(SERVER)
    return str(parsed.set(database=database).render_as_string(hide_password=False))
