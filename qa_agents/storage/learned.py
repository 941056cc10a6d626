"""What was fitted on the team's own outcomes: bytes under a name, with what they were fitted on. The newest replaces the last."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from qa_agents.errors import NotFoundError
from qa_agents.storage.artifacts import get_artifact, put_artifact
from qa_agents.storage.engine import recall_fact, remember_fact
from qa_agents.storage.tables import artifacts


class Learned(NamedTuple):
    """A fitted model as stored; `about` says what it was fitted on (fingerprint, n, date, …)."""

    body: bytes
    sha256: str
    about: dict[str, Any]


def keep_learned(connection: Connection, name: str, body: bytes, **about: Any) -> str:
    """Store `body` as the newest model called `name` and return its SHA-256; `about` must be JSON."""
    before = recall_fact(connection, _fact(name))
    sha256 = put_artifact(connection, body, media_type="application/octet-stream")
    remember_fact(connection, _fact(name), {"sha256": sha256, "about": about})
    if isinstance(before, dict) and before["sha256"] != sha256:
        connection.execute(artifacts.delete().where(artifacts.c.sha256 == before["sha256"]))
    return sha256


def load_learned(connection: Connection, name: str) -> Learned | None:
    """The newest model called `name`, or None when there is none (or its bytes are gone)."""
    known = recall_fact(connection, _fact(name))
    if not isinstance(known, dict):
        return None
    try:
        return Learned(get_artifact(connection, known["sha256"]), known["sha256"], known["about"])
    except NotFoundError:
        return None


def learned_sha256(connection: Connection, name: str) -> str | None:
    """Which version of `name` is the newest, without reading its bytes; None when there is none."""
    known = recall_fact(connection, _fact(name))
    if not isinstance(known, dict):
        return None
    found = connection.execute(select(artifacts.c.sha256).where(artifacts.c.sha256 == known["sha256"])).scalar()
    return str(found) if found else None


def _fact(name: str) -> str:
    return f"learned:{name}"
