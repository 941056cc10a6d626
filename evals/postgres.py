"""A PostgreSQL database for one measurement: made beside the one that is named, dropped afterwards."""

import contextlib
import uuid
from collections.abc import Iterator

from sqlalchemy.engine import make_url


@contextlib.contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """The URL of a new, empty database on the server of this URL."""
    import psycopg

    name = f"qa_eval_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
