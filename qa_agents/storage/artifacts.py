"""Documents by hash: reports, logs and verdicts are stored once and referenced by SHA-256."""

import hashlib
import time
import zlib

from sqlalchemy import Connection, select, update
from sqlalchemy.sql import Executable

from qa_agents.errors import ErasedError, NotFoundError
from qa_agents.storage.engine import dialect_of, later
from qa_agents.storage.prepared import Prepared
from qa_agents.storage.tables import artifacts

ERASED = "erased"
"""Media type of a document that was erased: its hash is still known, its bytes are gone."""


def sha256_hex(body: bytes) -> str:
    """SHA-256 of `body`, lower-case hex."""
    return hashlib.sha256(body).hexdigest()


def put_artifact(connection: Connection, body: bytes, media_type: str = "application/json") -> str:
    """Store `body` (compressed) unless it is there already; return its SHA-256. One that was erased comes back."""
    digest = sha256_hex(body)
    values = {"media_type": media_type, "size": len(body), "body": zlib.compress(body, level=3)}
    later(connection, _PUT, sha256=digest, created_at=time.time(), **values)
    return digest


def _put(dialect: str) -> Executable:
    new = dialect_of(dialect).insert(artifacts)
    kept = {name: new.excluded[name] for name in ("media_type", "size", "body")}
    statement: Executable = new.on_conflict_do_update(
        index_elements=[artifacts.c.sha256], set_=kept, where=artifacts.c.media_type == ERASED
    )
    return statement


_PUT = Prepared(_put)


def get_artifact(connection: Connection, sha256: str) -> bytes:
    """The bytes stored under this hash. Raises NotFoundError, and ErasedError when they were erased on request."""
    row = connection.execute(
        select(artifacts.c.body, artifacts.c.media_type).where(artifacts.c.sha256 == sha256)
    ).first()
    if row is None:
        raise NotFoundError(f"No document with hash {sha256[:12]}… is stored.", hint="Was the workspace changed?")
    if row.media_type == ERASED:
        raise ErasedError(
            f"The document {sha256[:12]}… was erased on request.", hint="`qa-agents ledger show` says by whom and why."
        )
    return zlib.decompress(row.body)


def erase_artifact(connection: Connection, sha256: str) -> bool:
    """Erase the bytes stored under this hash and keep the hash; whether there was anything to erase."""
    standing = artifacts.c.sha256 == sha256, artifacts.c.media_type != ERASED
    values = {"media_type": ERASED, "size": 0, "body": b""}
    return connection.execute(update(artifacts).where(*standing).values(**values)).rowcount > 0
